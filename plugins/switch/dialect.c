/* dialect.c: the scripts of every way to change a switch. */
#include "dialect.h"

#include <stdlib.h>
#include <string.h>
#include "cli.h"
#include "op.h"
#include "textdiff.h"

#define LOAD_PROMPT "[Type ^D at a new line to end input]"

/* ---- scripts ---- */

struct script script_new(struct ft_call *call)
{
    return (struct script){ .call = call, .st = host->state(call) };
}

static struct step *more(struct script *s, const char *send, const char *must)
{
    if (s->n == s->size) {
        struct step *larger = host->alloc(s->call, sizeof(*larger) * (s->size * 2 + 16));

        if (s->n)
            memcpy(larger, s->steps, sizeof(*larger) * s->n);
        s->steps = larger;
        s->size = s->size * 2 + 16;
    }
    s->steps[s->n] = (struct step){ .send = send, .must = must };
    return &s->steps[s->n++];
}

static struct step *more_rpc(struct script *s, const char *words, const char *rpc)
{
    struct step *step = more(s, words, NULL);

    step->rpc = rpc;
    return step;
}

void script_say(struct script *s, void (*then)(struct ft_call *call))
{
    sw_say(s->call, s->steps, s->n, then);
}

static void show_lines(json_t *list, const char *text)
{
    while (*text && *text != 4) {
        size_t len = strcspn(text, "\n");

        json_array_append_new(list, cli_text(text, len));
        text += len + (text[len] == '\n');
    }
}

void script_show(const struct script *s, json_t *list)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct step *step = &s->steps[i];

        if (step->raw)
            show_lines(list, step->send);
        else
            json_array_append_new(list, cli_text(step->rpc ? step->rpc : step->send, strlen(step->rpc ? step->rpc : step->send)));
    }
}

bool diff_is_any(const char *diff)
{
    for (const char *line = diff; line && *line; line += strcspn(line, "\n") + (line[strcspn(line, "\n")] == '\n')) {
        if (*line == '+' || *line == '-' || *line == '!')
            return true;
    }
    return false;
}

const char *change_comment(struct ft_call *call)
{
    const struct sw *st = host->state(call);

    return host->printf(call, "fettle run %s: %s%s%s", host->run_id(call), st->op ? st->op->words : "configure", st->port ? " " : "", st->port ? st->port : "");
}

char *sw_joined(struct ft_call *call, const json_t *lines)
{
    size_t size = 1, i;
    json_t *line;
    char *text, *to;

    json_array_foreach(lines, i, line)
        size += json_string_length(line) + 1;
    text = to = host->alloc(call, size);
    json_array_foreach(lines, i, line)
        to = stpcpy(stpcpy(to, json_string_value(line)), "\n");
    *to = '\0';
    return text;
}

static void line_steps(struct script *s, const json_t *lines)
{
    json_t *line;
    size_t i;

    json_array_foreach(lines, i, line)
        more(s, json_string_value(line), NULL);
}

/* ---- Junos by its command line ---- */

static void junos_enter(struct script *s)
{
    more(s, "configure exclusive", "Entering configuration mode");
}

static void load_terminal(struct script *s, const char *command, const char *text)
{
    more(s, command, NULL)->until = LOAD_PROMPT;
    more(s, host->printf(s->call, "%s%s\x04", text, *text && text[strlen(text) - 1] != '\n' ? "\n" : ""), "load complete")->raw = true;
}

static void junos_load(struct script *s, const json_t *lines)
{
    const struct change *c = &s->st->change;

    if (lines || c->form == LOAD_LINES)
        load_terminal(s, "load set terminal", sw_joined(s->call, lines ? lines : c->first));
    else if (c->form == LOAD_ROLLBACK)
        more(s, host->printf(s->call, "rollback %s", c->rollback), "load complete");
    else
        load_terminal(s, c->replace ? "load override terminal" : "load merge terminal", c->text);
}

static void junos_compare(struct script *s)
{
    more(s, "show | compare", NULL)->save = &s->st->diff;
}

/* For plans only, and never while a commit waits: on some releases it confirms that. */
static void junos_check(struct script *s)
{
    if (!s->st->continues && !s->st->foreign)
        more(s, "commit check", "configuration check succeeds");
}

static void junos_commit(struct script *s)
{
    const struct change *c = &s->st->change;
    const char *command = c->confirm_min ? host->printf(s->call, "commit confirmed %u comment \"%s\"", c->confirm_min, change_comment(s->call))
                                         : host->printf(s->call, "commit comment \"%s\"", change_comment(s->call));

    more(s, command, "commit complete")->risky = true;
}

static void junos_confirm(struct script *s)
{
    more(s, "commit", "commit complete")->risky = true;
}

static void junos_take_back(struct script *s)
{
    more(s, "rollback 1", "load complete");
    more(s, "commit", "commit complete")->risky = true;
}

static void junos_leave(struct script *s)
{
    more(s, "exit configuration-mode", NULL);
}

static void junos_discard(struct script *s)
{
    more(s, "rollback 0", "load complete");
    junos_leave(s);
}

static const struct dialect junos_cli = {
    .confirms = true, .enter = junos_enter, .load = junos_load, .compare = junos_compare, .check = junos_check, .commit = junos_commit, .confirm = junos_confirm,
    .take_back = junos_take_back, .discard = junos_discard, .leave = junos_leave,
};

/* ---- NETCONF: what Junos and the standard have in common ---- */

static void nc_enter(struct script *s)
{
    more_rpc(s, "lock", "<lock><target><candidate/></target></lock>")->locks = true;
}

static void nc_leave(struct script *s)
{
    more_rpc(s, "unlock", "<unlock><target><candidate/></target></unlock>")->unlocks = true;
}

static void nc_discard(struct script *s)
{
    more_rpc(s, "discard-changes", "<discard-changes/>");
    nc_leave(s);
}

static const char *escaped(struct script *s, const char *text)
{
    char *xml = nc_escape(text);
    const char *copy = host->printf(s->call, "%s", xml ? xml : "");

    free(xml);
    return copy;
}

/* ---- Junos by NETCONF ---- */

static const char *junos_load_rpc(struct script *s, const json_t *lines)
{
    const struct change *c = &s->st->change;
    const char *action = c->replace ? "override" : "merge";

    if (lines || c->form == LOAD_LINES)
        return host->printf(s->call, "<load-configuration action=\"set\" format=\"text\"><configuration-set>\n%s</configuration-set></load-configuration>",
                            escaped(s, sw_joined(s->call, lines ? lines : c->first)));
    if (c->form == LOAD_ROLLBACK)
        return host->printf(s->call, "<load-configuration rollback=\"%s\"/>", c->rollback);
    if (c->form == LOAD_TEXT)
        return host->printf(s->call, "<load-configuration action=\"%s\" format=\"text\"><configuration-text>\n%s</configuration-text></load-configuration>", action,
                            escaped(s, c->text));
    return host->printf(s->call, "<load-configuration action=\"%s\" format=\"xml\">%s</load-configuration>", action, c->text);
}

static void junos_nc_load(struct script *s, const json_t *lines)
{
    more_rpc(s, "load-configuration", junos_load_rpc(s, lines));
}

static void junos_nc_compare(struct script *s)
{
    struct step *step = more_rpc(s, "get-configuration compare", "<get-configuration compare=\"rollback\" rollback=\"0\" format=\"text\"/>");

    step->save = &s->st->diff;
    step->element = "configuration-output";
}

static void junos_nc_check(struct script *s)
{
    if (!s->st->continues && !s->st->foreign)
        more_rpc(s, "commit check", "<commit-configuration><check/></commit-configuration>");
}

/* confirm-timeout is in minutes here, and in seconds in the standard's <commit>. */
static void junos_nc_commit(struct script *s)
{
    const struct change *c = &s->st->change;
    const char *wait = c->confirm_min ? host->printf(s->call, "<confirmed/><confirm-timeout>%u</confirm-timeout>", c->confirm_min) : "";

    more_rpc(s, c->confirm_min ? "commit confirmed" : "commit",
             host->printf(s->call, "<commit-configuration>%s<log>%s</log></commit-configuration>", wait, escaped(s, change_comment(s->call))))->risky = true;
}

static void junos_nc_confirm(struct script *s)
{
    more_rpc(s, "commit", host->printf(s->call, "<commit-configuration><log>%s</log></commit-configuration>", escaped(s, change_comment(s->call))))->risky = true;
}

static void junos_nc_take_back(struct script *s)
{
    more_rpc(s, "rollback 1", "<load-configuration rollback=\"1\"/>");
    more_rpc(s, "commit", host->printf(s->call, "<commit-configuration><log>%s: taken back</log></commit-configuration>", escaped(s, change_comment(s->call))))->risky = true;
}

static const struct dialect junos_netconf = {
    .confirms = true, .enter = nc_enter, .load = junos_nc_load, .compare = junos_nc_compare, .check = junos_nc_check, .commit = junos_nc_commit, .confirm = junos_nc_confirm,
    .take_back = junos_nc_take_back, .discard = nc_discard, .leave = nc_leave,
};

/* ---- the standard's NETCONF ---- */

static void rfc_enter(struct script *s)
{
    more_rpc(s, "get-config running", "<get-config><source><running/></source></get-config>")->save = &s->st->before;
    nc_enter(s);
}

static void rfc_load(struct script *s, const json_t *lines)
{
    const struct change *c = &s->st->change;

    (void)lines;
    more_rpc(s, "edit-config", host->printf(s->call, "<edit-config><target><candidate/></target><default-operation>%s</default-operation><config>%s</config></edit-config>",
                                            c->replace ? "replace" : "merge", c->text));
}

static void rfc_compare(struct script *s)
{
    more_rpc(s, "get-config candidate", "<get-config><source><candidate/></source></get-config>")->save = &s->st->after;
}

static const char *persist(struct script *s, const char *element)
{
    return s->st->change.later || s->st->change.left ? host->printf(s->call, "<%s>fettle-%s</%s>", element, host->run_id(s->call), element) : "";
}

static void rfc_commit(struct script *s)
{
    struct sw *st = s->st;
    const char *wait = "";

    if (st->change.confirm_min)
        wait = host->printf(s->call, "<confirmed/><confirm-timeout>%u</confirm-timeout>%s", st->change.confirm_min * 60, persist(s, "persist"));
    more_rpc(s, st->change.confirm_min ? "commit confirmed" : "commit", host->printf(s->call, "<commit>%s</commit>", wait))->risky = true;
    more_rpc(s, "get-config running", "<get-config><source><running/></source></get-config>")->save = &st->now;
}

/* For plans only: netconfd 2.13 answers "ok" to a commit behind a validate, and does nothing. */
static void rfc_check(struct script *s)
{
    if (s->st->nc.server.validate)
        more_rpc(s, "validate", "<validate><source><candidate/></source></validate>");
}

static void rfc_confirm(struct script *s)
{
    more_rpc(s, "commit", host->printf(s->call, "<commit>%s</commit>", persist(s, "persist-id")))->risky = true;
}

/* Without :confirmed-commit:1.1 there is no cancel-commit: the end of the session takes it back. */
static void rfc_take_back(struct script *s)
{
    if (!s->st->nc.greeted || s->st->nc.server.confirmed_1_1)
        more_rpc(s, "cancel-commit", host->printf(s->call, "<cancel-commit>%s</cancel-commit>", persist(s, "persist-id")))->risky = true;
}

static const struct dialect rfc_netconf = {
    .confirms = true, .enter = rfc_enter, .load = rfc_load, .compare = rfc_compare, .check = rfc_check, .commit = rfc_commit, .confirm = rfc_confirm,
    .take_back = rfc_take_back, .discard = nc_discard, .leave = nc_leave,
};

/* ---- EOS: configuration sessions ---- */

const char *change_session(struct ft_call *call)
{
    struct sw *st = host->state(call);

    if (!st->session_name)
        st->session_name = ft_str(host->receipt(call), "session")
            ?: host->printf(call, "fettle-%s-%06x", host->run_id(call), (unsigned)(host->wall_ms(call) & 0xffffff));
    return st->session_name;
}

static void eos_enter(struct script *s)
{
    more(s, host->printf(s->call, "configure session %s", change_session(s->call)), NULL)->locks = true;
}

static void eos_load(struct script *s, const json_t *lines)
{
    const struct change *c = &s->st->change;

    if (c->replace)
        more(s, "rollback clean-config", NULL);
    line_steps(s, lines ? lines : c->first);
}

static void eos_compare(struct script *s)
{
    more(s, "show session-config diffs", NULL)->save = &s->st->diff;
}

static void eos_commit(struct script *s)
{
    const struct change *c = &s->st->change;
    struct step *step = more(s, c->confirm_min ? host->printf(s->call, "commit timer %02u:%02u:00", c->confirm_min / 60, c->confirm_min % 60) : "commit", NULL);

    step->risky = step->unlocks = true;
}

static void eos_confirm(struct script *s)
{
    more(s, host->printf(s->call, "configure session %s commit", change_session(s->call)), NULL)->risky = true;
}

static void eos_take_back(struct script *s)
{
    more(s, host->printf(s->call, "configure session %s abort", change_session(s->call)), NULL)->risky = true;
}

static void eos_discard(struct script *s)
{
    more(s, "abort", NULL)->unlocks = true;
}

static void save(struct script *s)
{
    if (s->st->vendor->save)
        more(s, s->st->vendor->save, s->st->vendor->saved);
}

static const struct dialect eos_sessions = {
    .confirms = true, .enter = eos_enter, .load = eos_load, .compare = eos_compare, .commit = eos_commit, .confirm = eos_confirm,
    .take_back = eos_take_back, .discard = eos_discard, .leave = save,
};

/* ---- EOS: a file that lies on the switch; it has no timer for that ---- */

static void nothing_to_enter(struct script *s)
{
    (void)s;
}

static void eos_replace_load(struct script *s, const json_t *lines)
{
    (void)lines;
    more(s, host->printf(s->call, "configure replace %s", s->st->change.rollback), NULL)->risky = true;
}

static const struct dialect eos_replace = { .enter = nothing_to_enter, .load = eos_replace_load, .commit = nothing_to_enter, .leave = save };

/* ---- IOS, FRR, and bounces on EOS: line by line ---- */

static void plain_enter(struct script *s)
{
    more(s, s->st->vendor->configure, NULL);
}

static void plain_load(struct script *s, const json_t *lines)
{
    size_t from = s->n;

    line_steps(s, lines ? lines : s->st->change.first);
    for (size_t i = from; i < s->n; i++)
        s->steps[i].risky = true;
}

static void plain_commit(struct script *s)
{
    more(s, s->st->vendor->leave, NULL);
}

/* What lasts a moment is not saved in between. */
static void plain_leave(struct script *s)
{
    if (!s->st->change.second)
        save(s);
}

static const struct dialect plain = { .needs_again = true, .enter = plain_enter, .load = plain_load, .commit = plain_commit, .leave = plain_leave };

/* ---- IOS with an archive: a timer takes the change back ---- */

static void timer_enter(struct script *s)
{
    const struct change *c = &s->st->change;

    if (c->form == LOAD_ROLLBACK)
        return;
    more(s, c->confirm_min && !s->st->pending ? host->printf(s->call, "configure terminal revert timer %u", c->confirm_min) : s->st->vendor->configure, NULL);
}

static void timer_load(struct script *s, const json_t *lines)
{
    const struct change *c = &s->st->change;

    if (c->form != LOAD_ROLLBACK || lines)
        plain_load(s, lines);
    else
        more(s, host->printf(s->call, "configure replace %s force%s", c->rollback, c->confirm_min ? host->printf(s->call, " time %u", c->confirm_min) : ""),
             "Rollback Done")->risky = true;
}

static void timer_commit(struct script *s)
{
    if (s->st->change.form != LOAD_ROLLBACK)
        plain_commit(s);
}

static void timer_confirm(struct script *s)
{
    more(s, "configure confirm", NULL)->risky = true;
}

static void timer_take_back(struct script *s)
{
    more(s, "configure revert now", NULL)->risky = true;
}

static const struct dialect ios_timer = {
    .confirms = true, .needs_again = true, .enter = timer_enter, .load = timer_load, .commit = timer_commit, .confirm = timer_confirm,
    .take_back = timer_take_back, .leave = plain_leave,
};

/* ---- which ---- */

static bool has_timer(struct ft_call *call)
{
    return json_is_true(sw_setting_json(call, "revert_timer"));
}

bool change_has_net(struct ft_call *call)
{
    const struct sw *st = host->state(call);
    const struct dialect *d = dialect_of(call);

    return d->confirms && (d != &ios_timer || has_timer(call)) && st->vendor != &vendor_frr;
}

/* A bounce confirms by its second half. Without :confirmed-commit:1.1 only the session that made it can confirm. */
bool change_can_leave(struct ft_call *call)
{
    const struct sw *st = host->state(call);
    const struct change *c = &st->change;

    return host->abi_minor >= 2 && dialect_of(call)->confirms && c->confirm_min && !c->later && !c->second && change_has_net(call)
           && (st->vendor != &vendor_netconf || st->nc.server.confirmed_1_1);
}

const char *change_mark(struct ft_call *call, const char *config)
{
    uint64_t mark = 14695981039346656037u;         /* FNV-1a */

    for (; *config; config++)
        mark = (mark ^ (unsigned char)*config) * 1099511628211u;
    return host->printf(call, "%016llx", (unsigned long long)mark);
}

const struct dialect *dialect_of(struct ft_call *call)
{
    const struct sw *st = host->state(call);

    if (st->vendor == &vendor_junos)
        return st->netconf ? &junos_netconf : &junos_cli;
    if (st->vendor == &vendor_netconf)
        return &rfc_netconf;
    if (st->vendor == &vendor_eos && !(st->op && st->op->bounces))
        return st->change.form == LOAD_ROLLBACK ? &eos_replace : &eos_sessions;
    if (st->vendor == &vendor_ios && (has_timer(call) || st->change.form == LOAD_ROLLBACK))
        return &ios_timer;
    return &plain;
}

/* ---- differences ---- */

/* The standard has no comparison: both configurations were fetched, and are compared here. */
void change_note_diff(struct ft_call *call)
{
    struct sw *st = host->state(call);
    char *diff;

    if (st->vendor != &vendor_netconf)
        return;
    diff = text_diff(st->before ? st->before : "", st->after ? st->after : "");
    st->diff = host->printf(call, "%s", diff ? diff : "");
    free(diff);
    if (!st->diff)
        st->diff = "+ more than a call may keep\n";
}

/* A server may say "ok" to a commit and do nothing: what is in force must be what was in the candidate. */
bool change_is_in_force(struct ft_call *call)
{
    const struct sw *st = host->state(call);

    if (st->vendor != &vendor_netconf || (st->now && st->after && strcmp(st->now, st->after) == 0))
        return true;
    sw_fail(call, FT_REFUSED, "%s answered 'commit' with ok, but its running configuration is not what was in the candidate", st->name);
    return false;
}

const char *change_lines_text(struct ft_call *call)
{
    const struct sw *st = host->state(call);

    return st->change.form == LOAD_LINES ? sw_joined(call, st->change.first) : "";
}
