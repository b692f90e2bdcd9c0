/* cli.c: one session of a switch's command line, in the manner of Junos: operational and configuration mode, a candidate, exclusive
 * and private editing, commit confirmed, pipes. Errors are text; nothing else says that a command failed. */
#include <ctype.h>
#include <time.h>
#include "lab.h"

enum question { ASK_NONE, ASK_DISCARD, ASK_REBOOT };

struct lab_session {
    struct lab_ios *ios;                  /* not of Junos: all is there */
    struct lab *lab;
    int sw, number;
    char from[64];
    struct lab_candidate *candidate;      /* in configuration mode */
    bool exclusive, shared;
    char edit[256];                       /* below which statement, "" at the top */
    enum question question;
    bool loading;                         /* load … terminal, until ^D */
    bool relative;
    bool braces, override;                /* load merge terminal, load override terminal */
    struct ft_buf text;
    unsigned load_line, load_errors;
    int screen;
    bool no_more;                         /* the last command had | no-more */
    double since;                         /* wall */
};

static struct lab_switch *the_switch(const struct lab_session *s)
{
    return &s->lab->switches[s->sw];
}

static struct lab_config *the_config(const struct lab_session *s)
{
    return the_switch(s)->config;
}

struct lab_session *lab_session_new(struct lab *lab, int sw, int number, const char *from)
{
    struct lab_session *s = ft_calloc(1, sizeof(*s));

    s->lab = lab;
    s->sw = sw;
    s->number = number;
    s->screen = -1;
    s->text = (struct ft_buf)FT_BUF_INIT(0);
    snprintf(s->from, sizeof(s->from), "%s", from);
    if (strcmp(lab->switches[sw].vendor, "junos") != 0)
        s->ios = lab_ios_new(lab, sw, from);
    return s;
}

static void leave_configuration(struct lab_session *s)
{
    lab_config_unlock(the_config(s), s->number);
    s->candidate = lab_candidate_free(s->candidate);
    s->exclusive = s->loading = false;
    s->edit[0] = '\0';
}

struct lab_session *lab_session_free(struct lab_session *s)
{
    if (!s)
        return NULL;
    leave_configuration(s);
    lab_ios_free(s->ios);
    ft_buf_done(&s->text);
    free(s);
    return NULL;
}

int lab_session_screen(const struct lab_session *s)
{
    if (s->ios)
        return lab_ios_screen(s->ios);
    return s->no_more ? 0 : s->screen;
}

bool lab_session_secret(const struct lab_session *s)
{
    return s->ios && lab_ios_secret(s->ios);
}

const char *lab_session_pager(const struct lab_session *s)
{
    return s->ios ? " --More-- " : "---(more)---";
}

int lab_session_switch(const struct lab_session *s)
{
    return s->sw;
}

void lab_session_prompt(struct lab_session *s, struct ft_buf *out)
{
    const struct lab_switch *sw = the_switch(s);

    if (s->ios) {
        lab_ios_prompt(s->ios, out);
        return;
    }
    if (s->loading)
        return;
    if (s->question == ASK_DISCARD) {
        ft_buf_adds(out, "Discard uncommitted changes? [yes,no] (yes) ");
        return;
    }
    if (s->question == ASK_REBOOT) {
        ft_buf_adds(out, "Reboot the system ? [yes,no] (no) ");
        return;
    }
    if (s->candidate && lab_config_unconfirmed(sw->config))
        ft_buf_addf(out, "# commit confirmed will be rolled back in %d minutes\n", (int)ceil(lab_config_rollback_in(s->lab, s->sw) / 60));
    ft_buf_adds(out, sw->vc ? "{master:0}" : "");
    if (s->candidate)
        ft_buf_addf(out, "[edit%s%s]", s->edit[0] ? " " : "", s->edit);
    ft_buf_addf(out, "%slab@%s%s ", sw->vc || s->candidate ? "\n" : "", sw->name, s->candidate ? "#" : ">");
}

/* ---- errors, with the mark below the word ---- */

static size_t prompt_width(const struct lab_session *s)
{
    return strlen("lab@> ") + strlen(the_switch(s)->name);
}

static void mark(const struct lab_session *s, const char *line, const char *at, const char *what, struct ft_buf *out)
{
    ft_buf_addf(out, "%*s^\n%s\n", (int)(prompt_width(s) + (size_t)(at - line)), "", what);
}

/* ---- pipes ---- */

struct pipe { bool json, set, compare, count, no_more; unsigned compare_with; const char *match, *except, *last; char text[256]; };

static const char *word_after(const char *text, const char *word)
{
    size_t n = strlen(word);

    if (strncmp(text, word, n) != 0 || (text[n] && !isspace((unsigned char)text[n])))
        return NULL;
    for (text += n; isspace((unsigned char)*text); text++)
        ;
    return text;
}

static char *trim(char *text)
{
    size_t n;

    while (isspace((unsigned char)*text))
        text++;
    for (n = strlen(text); n && isspace((unsigned char)text[n - 1]); n--)
        text[n - 1] = '\0';
    return text;
}

/* Cuts the line at its first '|' and reads what follows. False: unknown; *ret_at is where. */
static bool take_pipes(char *line, struct pipe *p, const char **ret_at)
{
    char *bar = strchr(line, '|'), *rest, *part;
    const char *arg;

    *p = (struct pipe){ 0 };
    if (!bar)
        return true;
    snprintf(p->text, sizeof(p->text), "%s", bar + 1);
    *bar = '\0';
    for (rest = p->text; (part = strsep(&rest, "|"));) {
        part = trim(part);
        if (strcmp(part, "no-more") == 0)
            p->no_more = true;
        else if (strcmp(part, "display json") == 0)
            p->json = true;
        else if (strcmp(part, "display set") == 0)
            p->set = true;
        else if (strcmp(part, "count") == 0)
            p->count = true;
        else if (strcmp(part, "compare") == 0)
            p->compare = true;
        else if ((arg = word_after(part, "compare rollback")))
            p->compare = true, p->compare_with = (unsigned)atoi(arg);
        else if ((arg = word_after(part, "match")) && *arg)
            p->match = arg;
        else if ((arg = word_after(part, "except")) && *arg)
            p->except = arg;
        else if ((arg = word_after(part, "last")))
            p->last = *arg ? arg : "10";
        else {
            *ret_at = bar + (part - p->text) + 1;
            return false;
        }
    }
    return true;
}

static bool plain_match(const char *line, size_t len, const char *what)
{
    char text[512], word[128];

    snprintf(text, sizeof(text), "%.*s", (int)len, line);
    snprintf(word, sizeof(word), "%s", what[0] == '"' ? what + 1 : what);
    if (word[0] && word[strlen(word) - 1] == '"')
        word[strlen(word) - 1] = '\0';
    return strcasestr(text, word) != NULL;
}

static void filter(const struct pipe *p, const struct ft_buf *from, struct ft_buf *out)
{
    const char *line = ft_buf_str(from);
    long lines = 0, skip = 0;

    for (const char *c = line; *c; c++)
        lines += *c == '\n';
    if (p->last)
        skip = lines - atol(p->last);
    for (lines = 0; *line;) {
        size_t len = strcspn(line, "\n");
        bool keep = (!p->match || plain_match(line, len, p->match)) && (!p->except || !plain_match(line, len, p->except)) && skip <= 0;

        if (keep && !p->count) {
            ft_buf_add(out, line, len);
            ft_buf_addc(out, '\n');
        }
        lines += keep;
        skip--;
        line += len + (line[len] == '\n');
    }
    if (p->count)
        ft_buf_addf(out, "Count: %ld lines\n", lines);
}

/* ---- show ---- */

/* "interfaces" below [edit …] is the path below that; a path of an operational `show configuration` begins at the top. */
static void full_path(const struct lab_session *s, const char *rest, char *ret, size_t len)
{
    snprintf(ret, len, "%s%s%s", s->edit, s->edit[0] && *rest ? " " : "", rest);
}

static void show_candidate(struct lab_session *s, const char *rest, const struct pipe *p, struct ft_buf *out)
{
    char path[512];

    if (p->compare) {
        struct lab_candidate *older;

        if (!p->compare_with) {
            lab_candidate_compare(s->candidate, out);
            return;
        }
        older = lab_candidate_open(the_config(s), true);
        if (lab_candidate_rollback(older, p->compare_with) < 0)
            ft_buf_addf(out, "error: rollback %u does not exist\n", p->compare_with);
        else
            lab_candidate_compare(older, out);
        lab_candidate_free(older);
        return;
    }
    full_path(s, rest, path, sizeof(path));
    lab_config_show(the_config(s), s->candidate, path, p->set, out);
}

static void show_operational(struct lab_session *s, const char *line, const char *rest, const struct pipe *p, struct ft_buf *out)
{
    const char *path = word_after(rest, "configuration");
    int r;

    if (path) {
        if (strncmp(path, "| ", 2) == 0)
            path = "";
        if (p->compare) {
            struct lab_candidate *now = lab_candidate_open(the_config(s), true), *older = lab_candidate_open(the_config(s), true);

            if (lab_candidate_rollback(older, p->compare_with) < 0)
                ft_buf_addf(out, "error: rollback %u does not exist\n", p->compare_with);
            else
                lab_candidate_differ(older, now, out);
            lab_candidate_free(now);
            lab_candidate_free(older);
            return;
        }
        lab_config_show(the_config(s), NULL, path, p->set, out);
        return;
    }
    if (strcmp(rest, "system commit") == 0) {
        lab_config_history(the_config(s), out);
        return;
    }
    r = lab_cli_show(s->lab, s->sw, rest, p->json, out);
    if (r == -ENOENT)
        mark(s, line, rest, *rest ? "syntax error, expecting <command>." : "syntax error, incomplete command.", out);
}

static void show(struct lab_session *s, const char *typed, bool operational, struct ft_buf *out)
{
    char *line = ft_strdup(typed);
    struct pipe p;
    const char *at = line;
    struct ft_buf all = FT_BUF_INIT(0);

    if (!take_pipes(line, &p, &at)) {
        mark(s, line, at, "syntax error, expecting <pipe command>.", out);
    } else {
        const char *rest = word_after(trim(line), "show");

        s->no_more = p.no_more;
        if (operational)
            show_operational(s, typed, rest, &p, &all);
        else
            show_candidate(s, rest, &p, &all);
        filter(&p, &all, out);
    }
    ft_buf_done(&all);
    free(line);
}

/* ---- configuration mode ---- */

static void enter_configuration(struct lab_session *s, const char *how, struct ft_buf *out)
{
    bool exclusive = strcmp(how, "exclusive") == 0, private = strcmp(how, "private") == 0;

    if (*how && !exclusive && !private) {
        ft_buf_adds(out, "error: syntax error: exclusive or private\n");
        return;
    }
    if ((exclusive || private) && !lab_config_lock(the_config(s), s->number)) {
        ft_buf_adds(out, "error: configuration database locked by:\n  lab terminal pts/1 (pid 4711) on since 2026-11-21 02:13:05 UTC\n      exclusive [edit]\n");
        return;
    }
    if (!exclusive)
        lab_config_unlock(the_config(s), s->number); /* private: only looked whether somebody else has it alone */
    s->exclusive = exclusive;
    s->shared = !exclusive && !private;
    s->candidate = lab_candidate_open(the_config(s), !s->shared);
    s->since = s->lab->wall;
    if (!s->shared)
        ft_buf_adds(out, "warning: uncommitted changes will be discarded on exit\n");
    ft_buf_adds(out, "Entering configuration mode\n");
}

static void statement(struct lab_session *s, const char *line, const char *verb, const char *rest, struct ft_buf *out)
{
    char path[700];
    int r;

    full_path(s, rest, path, sizeof(path));
    r = verb[0] == 's' ? lab_candidate_set(s->candidate, path) : lab_candidate_delete(s->candidate, path);
    if (r == -EINVAL)
        mark(s, line, rest, *rest ? "syntax error." : "missing argument.", out);
    else if (r == -ENOENT)
        ft_buf_adds(out, "warning: statement not found\n");
}

static void member_lines(const struct lab_session *s, const char *text, struct ft_buf *out)
{
    if (the_switch(s)->vc)
        ft_buf_addf(out, "fpc0: \n%s\nfpc1: \n%s\n", text, text);
    else
        ft_buf_addf(out, "%s\n", text);
}

static void record_commit(struct lab_session *s, const char *method, json_t *commands, int minutes, const char *comment)
{
    lab_record(s->lab, "switch", method, the_switch(s)->name, commands, json_pack("{s:s, s:i}", "comment", comment, "confirmed", minutes), s->from, 0, true);
}

/* commit [check] [confirmed [N]] [comment "…"] [and-quit] [synchronize] */
struct commit { bool check, confirmed, and_quit; int minutes; char comment[256]; };

static bool read_commit(const char *rest, struct commit *c, const char **ret_at)
{
    const char *next;

    *c = (struct commit){ 0 };
    while (*rest) {
        *ret_at = rest;
        if ((next = word_after(rest, "check")))
            c->check = true;
        else if ((next = word_after(rest, "and-quit")))
            c->and_quit = true;
        else if ((next = word_after(rest, "synchronize")) || (next = word_after(rest, "no-synchronize")))
            ;
        else if ((next = word_after(rest, "confirmed"))) {
            c->confirmed = true;
            c->minutes = 10;
            if (isdigit((unsigned char)*next)) {
                c->minutes = atoi(next);
                next += strspn(next, "0123456789");
                next += strspn(next, " ");
            }
            if (c->minutes < 1 || c->minutes > 65535)
                return false;
        } else if ((next = word_after(rest, "comment")) && *next) {
            size_t n = *next == '"' ? strcspn(next + 1, "\"") : strcspn(next, " ");

            snprintf(c->comment, sizeof(c->comment), "%.*s", (int)n, next + (*next == '"'));
            next += n + (*next == '"') + (next[n + 1] == '"');
            next += strspn(next, " ");
        } else {
            return false;
        }
        rest = next;
    }
    return true;
}

static void commit(struct lab_session *s, const char *line, const char *rest, struct ft_buf *out)
{
    struct lab_config *config = the_config(s);
    struct commit c;
    const char *at = rest;
    json_t *commands;

    if (!read_commit(rest, &c, &at)) {
        mark(s, line, at, "syntax error.", out);
        return;
    }
    if (!lab_config_lock(config, s->number)) {
        ft_buf_adds(out, "error: configuration database locked by:\n  lab terminal pts/1 (pid 4711) on since 2026-11-21 02:13:05 UTC\n      exclusive [edit]\n");
        return;
    }
    if (!s->exclusive)
        lab_config_unlock(config, s->number);
    if (lab_candidate_check(s->candidate, out) < 0)
        return;
    if (c.check) {
        member_lines(s, "configuration check succeeds", out);
        return;
    }
    commands = lab_candidate_commands(s->candidate);
    record_commit(s, c.confirmed ? "commit confirmed" : "commit", commands, c.minutes, c.comment);
    if (!c.confirmed && lab_config_unconfirmed(config) && !lab_candidate_changed(s->candidate))
        lab_config_confirm(s->lab, s->sw, "lab", c.comment);
    else
        lab_candidate_commit(s->lab, s->sw, s->candidate, c.minutes, "lab", c.comment);
    if (c.confirmed)
        ft_buf_addf(out, "commit confirmed will be automatically rolled back in %d minutes unless confirmed\n", c.minutes);
    member_lines(s, "commit complete", out);
    if (c.and_quit) {
        leave_configuration(s);
        ft_buf_adds(out, "Exiting configuration mode\n");
    }
}

static void rollback(struct lab_session *s, const char *rest, struct ft_buf *out)
{
    unsigned n = (unsigned)strtoul(rest, NULL, 10);

    if (lab_candidate_rollback(s->candidate, n) < 0)
        ft_buf_addf(out, "error: rollback %u does not exist\n", n);
    else
        ft_buf_adds(out, "load complete\n");
}

/* True: the session goes on in operational mode; a question may come first. */
static void exit_configuration(struct lab_session *s, struct ft_buf *out)
{
    if (!s->shared && lab_candidate_changed(s->candidate)) {
        ft_buf_adds(out, "The configuration has been changed but not committed\n");
        s->question = ASK_DISCARD;
        return;
    }
    leave_configuration(s);
    ft_buf_adds(out, "Exiting configuration mode\n");
}

static void load(struct lab_session *s, const char *line, const char *rest, struct ft_buf *out)
{
    s->relative = strcmp(rest, "set relative terminal") == 0;
    s->override = strcmp(rest, "override terminal") == 0;
    s->braces = s->override || strcmp(rest, "merge terminal") == 0;
    if (strcmp(rest, "set terminal") != 0 && !s->relative && !s->braces) {
        mark(s, line, rest, "syntax error. (the lab knows: load set|merge|override terminal, load set relative terminal)", out);
        return;
    }
    ft_buf_done(&s->text);
    s->text = (struct ft_buf)FT_BUF_INIT(1 << 20);
    s->loading = true;
    s->load_line = s->load_errors = 0;
    ft_buf_adds(out, "[Type ^D at a new line to end input]\n");
}

static void load_one(struct lab_session *s, const char *line, struct ft_buf *out)
{
    char path[700];
    const char *rest;
    int r = -EINVAL;

    s->load_line++;
    if (s->braces) {
        ft_buf_addf(&s->text, "%s\n", line);
        return;
    }
    if (!*line || *line == '#')
        return;
    if ((rest = word_after(line, "set"))) {
        snprintf(path, sizeof(path), "%s%s%s", s->relative ? s->edit : "", s->relative && s->edit[0] ? " " : "", rest);
        r = lab_candidate_set(s->candidate, path);
    } else if ((rest = word_after(line, "delete"))) {
        snprintf(path, sizeof(path), "%s%s%s", s->relative ? s->edit : "", s->relative && s->edit[0] ? " " : "", rest);
        r = lab_candidate_delete(s->candidate, path);
        if (r == -ENOENT)
            ft_buf_addf(out, "warning: statement not found\n");
    }
    if (r == -EINVAL) {
        s->load_errors++;
        ft_buf_addf(out, "terminal:%u:(%zu) syntax error: %s\n", s->load_line, rest ? (size_t)(rest - line) + 1 : 1, rest ? rest : line);
    }
}

static void load_end(struct lab_session *s, struct ft_buf *out)
{
    struct ft_buf why = FT_BUF_INIT(0);

    s->loading = false;
    if (s->braces && lab_candidate_load(s->candidate, ft_buf_str(&s->text), s->override, &why) < 0) {
        s->load_errors = 1;
        ft_buf_addf(out, "terminal:%u:(1) syntax error: %s\n", s->load_line, ft_buf_str(&why));
    }
    ft_buf_done(&why);
    if (s->load_errors)
        ft_buf_addf(out, "load complete (%u errors)\n", s->load_errors);
    else
        ft_buf_adds(out, "load complete\n");
}

static void edit(struct lab_session *s, const char *rest)
{
    char path[700];

    full_path(s, rest, path, sizeof(path));
    if (strlen(path) < sizeof(s->edit))
        memcpy(s->edit, path, strlen(path) + 1);
}

static void up(struct lab_session *s)
{
    char *space = strrchr(s->edit, ' ');

    *(space ? space : s->edit) = '\0';
}

/* ---- operational mode ---- */

static void set_cli(struct lab_session *s, const char *line, const char *rest, struct ft_buf *out)
{
    const char *value;

    if ((value = word_after(rest, "screen-length"))) {
        s->screen = atoi(value);
        ft_buf_addf(out, "Screen length set to %d\n", s->screen);
    } else if ((value = word_after(rest, "screen-width"))) {
        ft_buf_addf(out, "Screen width set to %s\n", value);
    } else if ((value = word_after(rest, "complete-on-space"))) {
        ft_buf_addf(out, "%s complete-on-space\n", strcmp(value, "off") == 0 ? "Disabling" : "Enabling");
    } else if (word_after(rest, "timestamp") || word_after(rest, "idle-timeout") || word_after(rest, "prompt")) {
        return;
    } else {
        mark(s, line, rest, "syntax error.", out);
    }
}

static void clear(struct lab_session *s, const char *line, const char *rest, struct ft_buf *out)
{
    static const char *const known[] = { "ethernet-switching table", "dot1x interface", "interfaces statistics", "lldp neighbors", "arp" };

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strncmp(rest, known[i], strlen(known[i])) == 0) {
            lab_record(s->lab, "switch", "clear", the_switch(s)->name, json_pack("[s]", line), NULL, s->from, 0, true);
            return;
        }
    mark(s, line, rest, "syntax error, expecting <command>.", out);
}

static void reboot(struct lab_session *s, struct ft_buf *out)
{
    lab_record(s->lab, "switch", "request", the_switch(s)->name, json_pack("[s]", "request system reboot"), NULL, s->from, 0, true);
    ft_buf_adds(out, "Shutdown NOW!\n[pid 2012]\n");
    lab_switch_restart(s->lab, s->sw);
}

static bool operational(struct lab_session *s, const char *line, struct ft_buf *out)
{
    const char *rest;

    if (strcmp(line, "exit") == 0 || strcmp(line, "quit") == 0 || strcmp(line, "\x04") == 0)
        return false;
    if (word_after(line, "show"))
        show(s, line, true, out);
    else if ((rest = word_after(line, "configure")) || (rest = word_after(line, "edit")))
        enter_configuration(s, rest, out);
    else if ((rest = word_after(line, "set cli")))
        set_cli(s, line, rest, out);
    else if ((rest = word_after(line, "clear")))
        clear(s, line, rest, out);
    else if (strcmp(line, "request system reboot") == 0)
        s->question = ASK_REBOOT;
    else
        mark(s, line, line, "unknown command.", out);
    return true;
}

static bool configuration(struct lab_session *s, const char *line, struct ft_buf *out)
{
    const char *rest;

    if (strcmp(line, "exit") == 0 && s->edit[0])
        s->edit[0] = '\0';
    else if (strcmp(line, "exit") == 0 || strcmp(line, "quit") == 0 || strcmp(line, "exit configuration-mode") == 0 || strcmp(line, "quit configuration-mode") == 0
             || strcmp(line, "\x04") == 0)
        exit_configuration(s, out);
    else if (strcmp(line, "top") == 0)
        s->edit[0] = '\0';
    else if (strcmp(line, "up") == 0)
        up(s);
    else if ((rest = word_after(line, "edit")) && *rest)
        edit(s, rest);
    else if ((rest = word_after(line, "set")))
        statement(s, line, "set", rest, out);
    else if ((rest = word_after(line, "delete")))
        statement(s, line, "delete", rest, out);
    else if (word_after(line, "show"))
        show(s, line, false, out);
    else if ((rest = word_after(line, "run")) && word_after(rest, "show"))
        show(s, rest, true, out);
    else if ((rest = word_after(line, "commit")))
        commit(s, line, rest, out);
    else if ((rest = word_after(line, "rollback")))
        rollback(s, rest, out);
    else if ((rest = word_after(line, "load")))
        load(s, line, rest, out);
    else
        mark(s, line, line, "unknown command.", out);
    return true;
}

static void answered(struct lab_session *s, const char *line, struct ft_buf *out)
{
    enum question asked = s->question;
    bool yes = line[0] == 'y' || line[0] == 'Y' || (!line[0] && asked == ASK_DISCARD);

    s->question = ASK_NONE;
    if (!yes)
        return;
    if (asked == ASK_REBOOT) {
        reboot(s, out);
        return;
    }
    leave_configuration(s);
    ft_buf_adds(out, "Exiting configuration mode\n");
}

bool lab_session_line(struct lab_session *s, const char *typed, struct ft_buf *out)
{
    char *copy = ft_strdup(typed), *line = trim(copy);
    bool goes_on = true, quiet = false;

    if (s->ios) {
        goes_on = lab_ios_line(s->ios, line, out);
        free(copy);
        return goes_on;
    }
    s->no_more = false;
    if (s->loading && strcmp(line, "\x04") == 0)
        load_end(s, out);
    else if (s->loading)
        quiet = true, load_one(s, line, out);
    else if (s->question)
        answered(s, line, out);
    else if (*line)
        goes_on = s->candidate ? configuration(s, line, out) : operational(s, line, out);
    if (goes_on && !quiet && !s->loading && !s->question)
        ft_buf_adds(out, "\n");
    free(copy);
    return goes_on;
}
