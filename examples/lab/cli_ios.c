/* cli_ios.c: one session of a switch's command line in the manner of Cisco IOS, or of Arista EOS: user and privileged mode, `enable` with its
 * password, configuration line by line, IOS' revert timer, EOS' configuration sessions with their timer. The configuration is the one that
 * config.c keeps, as lines of Junos; here it is shown and changed in the vendor's words.
 *
 * cli_ios_show.c has the show commands. */
#include <ctype.h>
#include <strings.h>
#include "cli_ios.h"

enum { MAX_SESSIONS = 8 };

enum state { SESSION_FREE, SESSION_PENDING, SESSION_TIMER, SESSION_DONE };

/* EOS: configuration sessions outlive the terminal. */
static struct eos_session { enum state state; int sw; char name[100]; struct lab_candidate *cand; } sessions[MAX_SESSIONS];

const char *lab_ios_word(const char *text, const char *word)
{
    size_t n = strlen(word);

    if (strncasecmp(text, word, n) != 0 || (text[n] && !isspace((unsigned char)text[n])))
        return NULL;
    for (text += n; isspace((unsigned char)*text); text++)
        ;
    return text;
}

/* ---- names of ports ---- */

void lab_ios_port_name(const struct lab_ios *s, int port, bool brief, char ret[48])
{
    if (s->eos)
        snprintf(ret, 48, brief ? "Et%d" : "Ethernet%d", port);
    else
        snprintf(ret, 48, brief ? "Gi1/0/%d" : "GigabitEthernet1/0/%d", port);
}

int lab_ios_find_port(const struct lab_ios *s, const char *name)
{
    const char *number = name + strcspn(name, "0123456789"), *kind = s->eos ? "ethernet" : "gigabitethernet";
    size_t n = (size_t)(number - name);
    int port;

    while (n && name[n - 1] == ' ')
        n--;
    if (!s->eos)
        number = strncmp(number, "1/0/", 4) == 0 ? number + 4 : "";
    port = isdigit((unsigned char)*number) ? atoi(number) : -1;
    return n >= 2 && strncasecmp(name, kind, n) == 0 && port < lab_ios_switch(s)->n_ports ? port : -1;
}

/* ---- sessions of the terminal ---- */

struct lab_switch *lab_ios_switch(const struct lab_ios *s)
{
    return &s->lab->switches[s->sw];
}

struct lab_ios *lab_ios_new(struct lab *lab, int sw, const char *from)
{
    struct lab_ios *s = ft_calloc(1, sizeof(*s));

    s->lab = lab;
    s->sw = sw;
    s->screen = s->session = -1;
    s->eos = strcmp(lab->switches[sw].vendor, "eos") == 0;
    s->mode = s->eos ? IOS_ENABLED : IOS_USER;
    snprintf(s->from, sizeof(s->from), "%s", from);
    return s;
}

struct lab_ios *lab_ios_free(struct lab_ios *s)
{
    free(s);
    return NULL;
}

int lab_ios_screen(const struct lab_ios *s)
{
    return s->screen;
}

bool lab_ios_secret(const struct lab_ios *s)
{
    return s->mode == IOS_PASSWORD;
}

void lab_ios_prompt(const struct lab_ios *s, struct ft_buf *out)
{
    const char *name = lab_ios_switch(s)->name;
    char part[48] = "config", in[24] = "";

    if (s->mode == IOS_PASSWORD) {
        ft_buf_adds(out, "Password: ");
        return;
    }
    if (s->mode < IOS_CONFIG) {
        ft_buf_addf(out, "%s%s", name, s->mode == IOS_USER ? ">" : "#");
        return;
    }
    if (s->session >= 0 && s->eos)
        snprintf(part, sizeof(part), "config-s-%.6s", sessions[s->session].name);
    if (s->mode == IOS_INTERFACE)
        snprintf(in, sizeof(in), s->eos ? "-if-Et%d" : "-if", s->port);
    else if (s->mode == IOS_VLAN)
        snprintf(in, sizeof(in), s->eos ? "-vlan-%d" : "-vlan", s->vlan);
    ft_buf_addf(out, "%s(%s%s)#", name, part, in);
}

static void invalid(const struct lab_ios *s, struct ft_buf *out)
{
    ft_buf_adds(out, s->eos ? "% Invalid input\n" : "         ^\n% Invalid input detected at '^' marker.\n\n");
}

/* ---- EOS' sessions ---- */

const struct lab_candidate *lab_ios_candidate(const struct lab_ios *s)
{
    return s->session >= 0 ? sessions[s->session].cand : NULL;
}

static struct eos_session *find_session(int sw, const char *name)
{
    for (int i = 0; i < MAX_SESSIONS; i++)
        if (sessions[i].state != SESSION_FREE && sessions[i].sw == sw && strcmp(sessions[i].name, name) == 0)
            return &sessions[i];
    return NULL;
}

static struct eos_session *waiting_session(struct lab *lab, int sw)
{
    for (int i = 0; i < MAX_SESSIONS; i++)
        if (sessions[i].state == SESSION_TIMER && sessions[i].sw == sw) {
            if (lab_config_unconfirmed(lab->switches[sw].config))
                return &sessions[i];
            sessions[i].state = SESSION_FREE;        /* its time is over: the switch took it back */
        }
    return NULL;
}

static void free_session(struct eos_session *e)
{
    e->cand = lab_candidate_free(e->cand);
    e->state = SESSION_FREE;
}

static void enter_session(struct lab_ios *s, const char *name, struct ft_buf *out)
{
    struct eos_session *e = find_session(s->sw, name);

    if (e && e->state != SESSION_PENDING) {
        ft_buf_addf(out, "%% Cannot enter session %s (%s)\n", name, e->state == SESSION_TIMER ? "pendingCommitTimer" : "completed");
        return;
    }
    for (int i = 0; !e && i < MAX_SESSIONS; i++)
        if (sessions[i].state == SESSION_FREE || (sessions[i].state == SESSION_DONE && i == MAX_SESSIONS - 1)) {
            e = &sessions[i];
            *e = (struct eos_session){ SESSION_PENDING, s->sw, "", lab_candidate_open(lab_ios_switch(s)->config, true) };
            snprintf(e->name, sizeof(e->name), "%s", name);
        }
    if (!e) {
        ft_buf_adds(out, "% Maximum number of pending sessions has been reached. Please commit or abort previous sessions before creating a new one.\n");
        return;
    }
    s->session = (int)(e - sessions);
    s->mode = IOS_CONFIG;
}

static void record(struct lab_ios *s, const char *method, json_t *commands, int minutes)
{
    lab_record(s->lab, "switch", method, lab_ios_switch(s)->name, commands, json_pack("{s:s, s:i}", "comment", s->session >= 0 ? sessions[s->session].name : "", "confirmed", minutes),
               s->from, 0, true);
}

static void leave_session(struct lab_ios *s)
{
    s->session = -1;
    s->mode = IOS_ENABLED;
}

static void commit_session(struct lab_ios *s, int minutes, struct ft_buf *out)
{
    struct eos_session *e = &sessions[s->session], *other = waiting_session(s->lab, s->sw);

    if (other) {
        ft_buf_addf(out, "%% Cannot commit session %s: another session (%s) is pending commit timer\n", e->name, other->name);
        return;
    }
    if (lab_candidate_check(e->cand, out) < 0)
        return;
    record(s, minutes ? "commit timer" : "commit", lab_candidate_commands(e->cand), minutes);
    lab_candidate_commit(s->lab, s->sw, e->cand, minutes, "lab", e->name);
    e->cand = lab_candidate_free(e->cand);
    e->state = minutes ? SESSION_TIMER : SESSION_DONE;
    leave_session(s);
}

static void diff_session(const struct lab_ios *s, struct ft_buf *out)
{
    struct lab_candidate *now = lab_candidate_open(lab_ios_switch(s)->config, true);
    struct ft_buf a = FT_BUF_INIT(0), b = FT_BUF_INIT(0);

    lab_ios_config(s, now, -1, &a);
    lab_ios_config(s, sessions[s->session].cand, -1, &b);
    if (strcmp(ft_buf_str(&a), ft_buf_str(&b)) != 0) {
        ft_buf_addf(out, "--- system:/running-config\n+++ session:/%s-session-config\n", sessions[s->session].name);
        lab_ios_differ(ft_buf_str(&a), ft_buf_str(&b), '-', out);
        lab_ios_differ(ft_buf_str(&b), ft_buf_str(&a), '+', out);
    }
    ft_buf_done(&a);
    ft_buf_done(&b);
    lab_candidate_free(now);
}

void lab_ios_sessions(const struct lab_ios *s, struct ft_buf *out)
{
    static const char *const states[] = { "", "pending", "pendingCommitTimer", "completed" };

    waiting_session(s->lab, s->sw);
    ft_buf_adds(out, "Maximum number of completed sessions: 1\nMaximum number of pending sessions: 5\n\n  Name                                State                  User      Terminal\n"
                "  ----------------------------------- ---------------------- --------- --------\n");
    for (int i = 0; i < MAX_SESSIONS; i++)
        if (sessions[i].state != SESSION_FREE && sessions[i].sw == s->sw)
            ft_buf_addf(out, "%c %-35s %-22s %-9s %s\n", s->session == i ? '*' : ' ', sessions[i].name, states[sessions[i].state], "lab", "vty3");
}

/* configure session NAME commit|abort, outside of it. */
static void end_session(struct lab_ios *s, const char *name, bool commit, struct ft_buf *out)
{
    struct eos_session *e = find_session(s->sw, name);

    if (!e || e->state == SESSION_DONE || (e->state == SESSION_TIMER && !waiting_session(s->lab, s->sw))) {
        ft_buf_addf(out, "%% Cannot %s session %s: session does not exist\n", commit ? "commit" : "abort", name);
        return;
    }
    s->session = (int)(e - sessions);
    if (commit && e->state == SESSION_TIMER) {
        record(s, "commit", json_array(), 0);
        lab_config_confirm(s->lab, s->sw, "lab", e->name);
        e->state = SESSION_DONE;
    } else if (commit) {
        commit_session(s, 0, out);
    } else {
        if (e->state == SESSION_TIMER) {
            record(s, "abort", json_array(), 0);
            lab_config_revert(s->lab, s->sw);
        }
        free_session(e);
    }
    leave_session(s);
}

/* ---- configuration ---- */

/* Every line is in force at once, but for EOS' sessions. */
static void change(struct lab_ios *s, const char *const *del, const char *set, struct ft_buf *out)
{
    struct lab_candidate *cand = s->session >= 0 ? sessions[s->session].cand : lab_candidate_open(lab_ios_switch(s)->config, true);

    for (; del && *del; del++)
        lab_candidate_delete(cand, *del);
    if (set && lab_candidate_set(cand, set) < 0)
        invalid(s, out);
    if (s->session >= 0)
        return;
    if (lab_candidate_changed(cand)) {
        record(s, "line", lab_candidate_commands(cand), s->revert_minutes);
        lab_candidate_commit(s->lab, s->sw, cand, s->revert_minutes, "lab", "");
    }
    lab_candidate_free(cand);
}

static const char *port_path(const struct lab_ios *s, char *buf, size_t size, const char *rest)
{
    snprintf(buf, size, "interfaces %s %s", lab_ios_switch(s)->ports[s->port].name, rest);
    return buf;
}

static bool vlan_line(struct lab_ios *s, const char *rest, struct ft_buf *out)
{
    char members[200], set[300], name[64];
    int id = atoi(rest);

    if (id < 1 || id > 4094)
        return false;
    port_path(s, members, sizeof(members), "unit 0 family ethernet-switching vlan members");
    if (id == 1) {                                   /* where a port is that is in no other */
        change(s, (const char *[]){ members, NULL }, NULL, out);
        return true;
    }
    if (!lab_ios_vlan_name(s, id, name)) {
        snprintf(name, sizeof(name), "VLAN%04d", id);
        snprintf(set, sizeof(set), "vlans %s vlan-id %d", name, id);
        ft_buf_addf(out, "%% Access VLAN does not exist. Creating vlan %d\n", id);
        change(s, NULL, set, out);
    }
    snprintf(set, sizeof(set), "%s %s", members, name);
    change(s, (const char *[]){ members, NULL }, set, out);
    return true;
}

/* A line of interface configuration; false: there is no such. */
static bool interface_line(struct lab_ios *s, const char *line, struct ft_buf *out)
{
    const char *rest, *name = lab_ios_switch(s)->ports[s->port].name;
    bool no = (rest = lab_ios_word(line, "no")) != NULL;
    char path[300], set[700];

    line = no ? rest : line;
    if (strcasecmp(line, "shutdown") == 0) {
        port_path(s, path, sizeof(path), "disable");
        change(s, (const char *[]){ path, NULL }, no ? NULL : path, out);
    } else if ((rest = lab_ios_word(line, "description"))) {
        port_path(s, path, sizeof(path), "description");
        snprintf(set, sizeof(set), "%s \"%s\"", path, rest);
        change(s, (const char *[]){ path, NULL }, no || !*rest ? NULL : set, out);
    } else if ((rest = lab_ios_word(line, "switchport access vlan"))) {
        return no ? vlan_line(s, "1", out) : vlan_line(s, rest, out);
    } else if ((rest = lab_ios_word(line, "switchport mode"))) {
        port_path(s, path, sizeof(path), "unit 0 family ethernet-switching interface-mode");
        snprintf(set, sizeof(set), "%s %s", path, rest);
        change(s, NULL, set, out);
    } else if ((rest = lab_ios_word(line, s->eos ? "poe" : "power inline"))) {
        snprintf(path, sizeof(path), "poe interface %s", name);
        snprintf(set, sizeof(set), "poe interface %s disable", name);
        if (s->eos ? strcmp(rest, "disabled") != 0 : strcmp(rest, "never") != 0 && strcmp(rest, "auto") != 0)
            return false;
        change(s, (const char *[]){ path, NULL }, (s->eos && !no) || strcmp(rest, "never") == 0 ? set : NULL, out);
    } else {
        return false;
    }
    return true;
}

static bool vlan_mode_line(struct lab_ios *s, const char *line, struct ft_buf *out)
{
    const char *name = lab_ios_word(line, "name");
    char old[64], set[200], del[100];

    if (!name || !*name || strchr(name, ' '))
        return false;
    snprintf(set, sizeof(set), "vlans %s vlan-id %d", name, s->vlan);
    if (lab_ios_vlan_name(s, s->vlan, old)) {
        snprintf(del, sizeof(del), "vlans %s", old);
        change(s, (const char *[]){ del, NULL }, set, out);
    } else {
        change(s, NULL, set, out);
    }
    return true;
}

static bool global_line(struct lab_ios *s, const char *line, struct ft_buf *out)
{
    const char *rest;
    char name[64], text[100];
    int port;

    if ((rest = lab_ios_word(line, "interface"))) {
        port = lab_ios_find_port(s, rest);
        if (port < 0)
            return false;
        s->port = port;
        s->mode = IOS_INTERFACE;
    } else if ((rest = lab_ios_word(line, "vlan")) && atoi(rest) > 0 && atoi(rest) < 4095) {
        s->vlan = atoi(rest);
        s->mode = IOS_VLAN;
        if (!lab_ios_vlan_name(s, s->vlan, name)) {
            snprintf(text, sizeof(text), "vlans VLAN%04d vlan-id %d", s->vlan, s->vlan);
            change(s, NULL, text, out);
        }
    } else if ((rest = lab_ios_word(line, "no")) && (rest = lab_ios_word(rest, "vlan"))) {
        if (!lab_ios_vlan_name(s, atoi(rest), name))
            return false;
        snprintf(text, sizeof(text), "vlans %s", name);
        change(s, (const char *[]){ text, NULL }, NULL, out);
    } else if ((rest = lab_ios_word(line, "hostname")) && *rest) {
        snprintf(text, sizeof(text), "system host-name %.60s", rest);
        change(s, NULL, text, out);
    } else {
        return false;
    }
    return true;
}

static bool session_line(struct lab_ios *s, const char *line, struct ft_buf *out)
{
    int hours, minutes, seconds;

    if (strcmp(line, "abort") == 0) {
        free_session(&sessions[s->session]);
        leave_session(s);
    } else if (strcmp(line, "commit") == 0) {
        commit_session(s, 0, out);
    } else if (sscanf(line, "commit timer %d:%d:%d", &hours, &minutes, &seconds) == 3) {
        commit_session(s, hours * 60 + minutes + (seconds > 0), out);
    } else if (strcmp(line, "rollback clean-config") == 0) {
        lab_candidate_clear(sessions[s->session].cand);
    } else if (strcmp(line, "show session-config diffs") == 0) {
        diff_session(s, out);
    } else {
        return false;
    }
    return true;
}

static void configuration(struct lab_ios *s, const char *line, struct ft_buf *out)
{
    if (strcmp(line, "end") == 0 || strcmp(line, "\x1a") == 0) {
        leave_session(s);
        return;
    }
    if (strcmp(line, "exit") == 0) {
        s->mode = s->mode == IOS_CONFIG ? IOS_ENABLED : IOS_CONFIG;
        return;
    }
    if (s->session >= 0 && session_line(s, line, out))
        return;
    if (s->mode == IOS_INTERFACE && interface_line(s, line, out))
        return;
    if (s->mode == IOS_VLAN && vlan_mode_line(s, line, out))
        return;
    if (!global_line(s, line, out))
        invalid(s, out);
}

/* ---- privileged and user mode ---- */

static void configure(struct lab_ios *s, const char *rest, struct ft_buf *out)
{
    char name[100], what[20] = "";
    const char *minutes;

    if (s->eos && sscanf(rest, "session %99s %19s", name, what) >= 1) {
        if (*what)
            end_session(s, name, strcmp(what, "commit") == 0, out);
        else
            enter_session(s, name, out);
        return;
    }
    if (!s->eos && strcmp(rest, "confirm") == 0) {
        if (!lab_config_unconfirmed(lab_ios_switch(s)->config)) {
            ft_buf_adds(out, "%No Rollback Confirmed Change pending\n");
            return;
        }
        record(s, "confirm", json_array(), 0);
        lab_config_confirm(s->lab, s->sw, "lab", "");
        return;
    }
    if (!s->eos && strcmp(rest, "revert now") == 0) {
        record(s, "revert", json_array(), 0);
        lab_config_revert(s->lab, s->sw);
        return;
    }
    if (!lab_ios_word(rest, "terminal")) {
        invalid(s, out);
        return;
    }
    minutes = strstr(rest, "revert timer ");
    s->revert_minutes = minutes ? atoi(minutes + strlen("revert timer ")) : lab_config_unconfirmed(lab_ios_switch(s)->config) ? s->revert_minutes : 0;
    if (minutes)
        ft_buf_adds(out, "Rollback Confirmed Change: Backing up current running config to flash:lab-1\n");
    if (!s->eos)
        ft_buf_adds(out, "Enter configuration commands, one per line.  End with CNTL/Z.\n");
    s->mode = IOS_CONFIG;
}

static void enabled(struct lab_ios *s, const char *line, struct ft_buf *out)
{
    const char *rest;

    if ((rest = lab_ios_word(line, "configure")))
        configure(s, rest, out);
    else if (strcmp(line, "write memory") == 0) {
        record(s, "save", json_array(), 0);
        ft_buf_adds(out, s->eos ? "Copy completed successfully.\n" : "Building configuration...\n[OK]\n");
    } else if (strcmp(line, "copy running-config startup-config") == 0 && !s->eos) {
        ft_buf_adds(out, "Destination filename [startup-config]? ");
    } else {
        invalid(s, out);
    }
}

static void password(struct lab_ios *s, const char *line, struct ft_buf *out)
{
    s->mode = strcmp(line, s->lab->enable_password) == 0 ? IOS_ENABLED : IOS_USER;
    if (s->mode == IOS_USER)
        ft_buf_adds(out, "% Access denied\n\n");
}

/* What may be said in user mode and above. */
static bool common(struct lab_ios *s, const char *line, struct ft_buf *out)
{
    const char *rest;

    if ((rest = lab_ios_word(line, "terminal length")))
        s->screen = atoi(rest), ft_buf_adds(out, s->eos ? "Pagination disabled.\n" : "");
    else if (lab_ios_word(line, "terminal width"))
        ft_buf_adds(out, s->eos ? "Width set to 512 columns.\n" : "");
    else if ((rest = lab_ios_word(line, "show")) && strcmp(rest, "session-config diffs") != 0)
        lab_ios_show(s, rest, out);
    else if (strcmp(line, "enable") == 0)
        s->mode = s->mode == IOS_USER ? IOS_PASSWORD : s->mode;
    else
        return false;
    return true;
}

bool lab_ios_line(struct lab_ios *s, const char *line, struct ft_buf *out)
{
    if (s->mode == IOS_PASSWORD) {
        password(s, line, out);
        return true;
    }
    if (s->mode < IOS_CONFIG && (strcmp(line, "exit") == 0 || strcmp(line, "quit") == 0 || strcmp(line, "\x04") == 0))
        return false;
    if (!*line || *line == '!' || common(s, line, out))
        return true;
    if (s->mode == IOS_USER)
        invalid(s, out);
    else if (s->mode == IOS_ENABLED)
        enabled(s, line, out);
    else
        configuration(s, line, out);
    return true;
}
