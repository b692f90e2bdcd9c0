/* config.c: loading configurations, older ones too, and confirming them. config_files.c has backup and difference.
 *
 * A plan loads into the switch's own candidate, takes its account of the difference, and discards it again: nothing stays. Where a switch
 * has no candidate (IOS, FRR) the plan lists the lines. */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include "cli.h"
#include "dialect.h"
#include "left.h"
#include "op.h"

/* ---- what several actions share ---- */

int config_confirmation(struct ft_call *call, struct ft_err *reterr)
{
    struct sw *st = host->state(call);
    const json_t *params = host->params(call);
    bool net = change_has_net(call);

    st->change.confirm_min = net ? (unsigned)ft_int(params, "confirm_within") : 0;
    st->change.later = ft_same(ft_str(params, "confirm"), "later");
    if (st->change.later && !net)
        return sw_error(reterr, FT_INVALID, "confirm: later is not supported on %s ('%s'): nothing takes the change back there%s", st->vendor->name, st->name,
                        st->vendor == &vendor_ios ? " without revert_timer: true and an archive on the switch" : "");
    if (st->change.later && !st->change.confirm_min)
        return sw_error(reterr, FT_INVALID, "confirm: later needs confirm_within, the minutes after which the switch takes the change back");
    return 0;
}

/* As in a configuration, with the signs of a difference in front. */
static char *masked(struct ft_call *call, const char *diff)
{
    char *text = host->printf(call, "%s", diff ? diff : "");

    if (!text)
        return NULL;
    for (char *line = text; *line; line += strcspn(line, "\n") + (line[strcspn(line, "\n")] == '\n')) {
        char sign = *line, *end = strchrnul(line, '\n'), kept = *end;

        if (sign != '+' && sign != '-' && sign != ' ')
            continue;
        *end = '\0';
        *line = ' ';
        cli_mask_secrets(line + (strncmp(line + 1, "set ", 4) == 0));
        *line = sign;
        *end = kept;
    }
    return text;
}

json_t *config_masked_diff(struct ft_call *call)
{
    const char *diff = masked(call, ((const struct sw *)host->state(call))->diff);

    return json_string(diff ? diff : "");
}

json_t *config_result(struct ft_call *call, bool changed)
{
    const struct sw *st = host->state(call);
    bool open = st->change.later && changed;

    return json_pack("{s:b, s:s, s:s?, s:b, s:o}", "changed", changed, "device", st->name, "diff", masked(call, st->diff), "confirmed", !open, "confirm_within",
                     open ? json_integer(st->change.confirm_min) : json_null());
}

#define MAX_CHANGES 500
#define RFC_SLACK_MS 30000                         /* a commit takes a while, and its time begins at its end */

json_t *config_changes(const struct sw *st)
{
    json_t *list = json_array();

    for (const char *line = st->diff; line && *line; line += strcspn(line, "\n") + (line[strcspn(line, "\n")] == '\n')) {
        size_t len = strcspn(line, "\n");
        bool come = *line == '+', gone = *line == '-';

        if ((!come && !gone) || strncmp(line, "+++", 3) == 0 || strncmp(line, "---", 3) == 0 || json_array_size(list) == MAX_CHANGES)
            continue;
        json_array_append_new(list, json_pack("{s:s, s:o, s:o}", "path", st->name, "from", gone ? cli_text(line + 1, len - 1) : json_null(), "to",
                                              come ? cli_text(line + 1, len - 1) : json_null()));
    }
    return list;
}

void config_probe_session(struct ft_call *call)
{
    struct sw *st = host->state(call);
    const char *session = ft_str(host->receipt(call), "session");
    bool done;

    if (!session) {
        sw_fail(call, FT_INVALID, "nothing was kept that would tell which configuration session of %s was this step's", st->name);
        return;
    }
    done = st->continues || eos_session_is(st->answers[0], session, "completed");
    sw_done(call, json_pack("{s:b, s:b, s:{s:s, s:b}, s:o}", "happened", done, "pending", st->continues && !st->change.later, "seen", "session", session, "waits_for_confirmation", st->continues,
                            "result", config_result(call, done)));
}

/* ---- which configuration ---- */

static const char *beginning(const char *text)
{
    while (*text == '#' || strchr(" \t\r\n", *text) || strncmp(text, "/*", 2) == 0) {
        if (!*text)
            break;
        text += *text == '#' || *text == '/' ? strcspn(text, "\n") : 1;
    }
    return text;
}

/* A running configuration ends in "end", which would leave configuration mode: what is below it is not sent. */
static bool is_end(const struct sw *st, const char *line, size_t len)
{
    return !st->vendor->commits && len == 3 && strncmp(line, "end", 3) == 0;
}

/* Texts over several lines (banners, certificates) are no lines that could be typed one by one. */
static int refuse_texts(const struct sw *st, const json_t *lines, struct ft_err *reterr)
{
    json_t *item;
    size_t i;

    json_array_foreach(lines, i, item) {
        const char *line = json_string_value(item) + strspn(json_string_value(item), " ");

        if (!st->vendor->commits && (strncmp(line, "banner ", 7) == 0 || strncmp(line, "certificate ", 12) == 0))
            return sw_error(reterr, FT_INVALID, "the configuration for %s has a text over several lines in it ('%.40s'), which cannot be typed line by line: take it out", st->name, line);
    }
    return 0;
}

/* Lines of a file as configuration lines: without comments and empty ones. */
static json_t *file_lines(struct ft_call *call, const char *text)
{
    const struct sw *st = host->state(call);
    json_t *list = sw_hold(call, json_array());

    while (*text) {
        size_t len = strcspn(text, "\n"), kept = len;

        while (kept && strchr(" \t\r", text[kept - 1]))
            kept--;
        if (is_end(st, text, kept))
            break;
        if (kept && !(st->vendor->commits ? *text == '#' : *text == '!'))
            json_array_append_new(list, cli_text(text, kept));
        text += len + (text[len] == '\n');
    }
    return list;
}

static int check_text(const struct sw *st, const char *text, struct ft_err *reterr)
{
    for (const char *p = text; *p; p++) {
        if (((unsigned char)*p < 0x20 && !strchr("\n\t\r", *p)) || *p == 0x7f)
            return sw_error(reterr, FT_INVALID, "the configuration for %s has a control character in it (byte %zu)", st->name, (size_t)(p - text));
    }
    return 0;
}

static bool is_set_line(const char *line)
{
    static const char *const verbs[] = { "set ", "delete ", "activate ", "deactivate ", "rename ", "insert ", "annotate ", "copy ", "protect ", "unprotect " };

    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strncmp(line, verbs[i], strlen(verbs[i])) == 0)
            return true;
    }
    return false;
}

/* Decides how the text is loaded. */
static int choose_form(struct ft_call *call, const char *text, struct ft_err *reterr)
{
    struct sw *st = host->state(call);
    struct change *c = &st->change;
    const char *begin = beginning(text);
    char why[100];

    if (!*begin)
        return sw_error(reterr, FT_INVALID, "the configuration for %s is empty", st->name);
    if (*begin == '<') {
        if (!st->netconf)
            return sw_error(reterr, FT_INVALID, "XML is loaded over NETCONF only: set transport: netconf for '%s', or give the configuration as it is written there", st->name);
        if (!nc_is_xml(text, why, sizeof(why)))
            return sw_error(reterr, FT_INVALID, "the configuration for %s is not usable as XML: %s", st->name, why);
        c->form = LOAD_XML;
        c->text = begin;
        if (strncmp(begin, "<?xml", 5) == 0 && strstr(begin, "?>"))
            c->text = strstr(begin, "?>") + 2;
        return 0;
    }
    if (st->vendor == &vendor_netconf)
        return sw_error(reterr, FT_INVALID, "'%s' takes configurations as XML only", st->name);
    if (st->vendor->commits && !is_set_line(begin)) {
        c->form = LOAD_TEXT;
        c->text = text;
        return 0;
    }
    if (c->replace && st->vendor != &vendor_eos)
        return sw_error(reterr, FT_INVALID, st->vendor->commits ? "mode: replace needs the whole configuration of %s in its own form with braces (or as XML), not set lines"
                                                                : "mode: replace is not supported on %s: put the file on the switch and use switch.config_rollback", st->vendor->commits ? st->name : st->vendor->name);
    c->form = LOAD_LINES;
    c->first = file_lines(call, text);
    return refuse_texts(st, c->first, reterr);
}

/* ---- load and rollback: the way of both ---- */

static const struct op op_load = { OP_CONFIG, "config_load", false, false };
static const struct op op_rollback = { OP_CONFIG, "config_rollback", false, false };
static const struct op op_confirm = { OP_CONFIG, "config_confirm", false, false };

static json_t *receipt_of(struct ft_call *call, const struct sw *st)
{
    json_t *receipt = json_pack("{s:s, s:s*}", "device", st->name, "session", st->vendor == &vendor_eos ? change_session(call) : NULL);

    if (st->vendor == &vendor_netconf && st->before && st->after)
        json_object_update_new(receipt, json_pack("{s:s, s:s, s:I}", "before", change_mark(call, st->before), "after", change_mark(call, st->after), "at_ms",
                                                  (json_int_t)host->wall_ms(call)));
    return receipt;
}

static void applied(struct ft_call *call)
{
    const struct sw *st = host->state(call);
    bool changed = st->continues || st->change.form == LOAD_ROLLBACK ? st->continues || !dialect_of(call)->compare || diff_is_any(st->diff) : st->diff && *st->diff;

    sw_done(call, config_result(call, changed));
}

/* NETCONF: what it was and what it becomes is known right before the commit, and kept then, so that a probe can tell them apart. */
static void keep_marks(struct ft_call *call, void (*then)(struct ft_call *call))
{
    struct ft_err err = { 0 };

    if (host->keep(call, receipt_of(call, host->state(call)), then, &err) < 0)
        sw_fail(call, err.class, "%s", err.text);
}

static void kept(struct ft_call *call)
{
    struct sw *st = host->state(call);

    st->before_commit = st->vendor == &vendor_netconf ? keep_marks : NULL;
    change_apply(call, applied);
}

static void plan_done(struct ft_call *call)
{
    struct sw *st = host->state(call);
    json_t *changes = st->diff ? config_changes(st) : json_array();
    bool nothing = dialect_of(call)->compare && !diff_is_any(st->diff);
    st->change.left = change_can_leave(call);
    json_t *plan = json_pack("{s:o, s:[{s:s, s:o}], s:o, s:{s:s?}, s:o}", "summary",
                             st->op == &op_load ? json_sprintf("load a configuration into %s", st->name)
                                                : json_sprintf("bring %s back to configuration %s", st->name, st->change.rollback),
                             "requests", "target", st->name, "commands", change_commands(call), "changes", changes,
                             "before", "diff", masked(call, st->diff), "receipt", receipt_of(call, st));

    if (nothing) {
        json_object_set_new(plan, "nothing_to_do", json_true());
        json_object_set_new(plan, "result", config_result(call, false));
        json_object_set_new(plan, "requests", json_array());
    } else {
        left_by_configuration(call, plan);
    }
    if (!dialect_of(call)->compare)
        json_object_set_new(plan, "watch", json_false());      /* the lines, not what is there: nobody can tell by them */
    change_plan_net(call, plan);
    sw_done(call, plan);
}

/* What lines say that are not compared on the switch. */
static void plan_of_lines(struct ft_call *call)
{
    struct sw *st = host->state(call);
    const char *lines = change_lines_text(call);
    char *signs = host->printf(call, "%s", "");

    while (*lines && signs) {
        size_t len = strcspn(lines, "\n");

        signs = json_array_size(st->change.first) < MAX_CHANGES ? host->printf(call, "%s+%.*s\n", signs, (int)len, lines) : signs;
        lines += len + (lines[len] == '\n');
    }
    st->diff = signs;
    plan_done(call);
}

/* NETCONF tells what is in force, and not whether it still waits: that is known only when its time is over. */
static void probe_running(struct ft_call *call, const struct nc_message *reply)
{
    const struct sw *st = host->state(call);
    const json_t *kept = host->receipt(call);
    const char *before = ft_str(kept, "before"), *after = ft_str(kept, "after"), *mark;
    char *xml = reply->failed ? NULL : nc_inner_xml(reply, "data", false);
    bool may_wait = st->change.confirm_min && host->wall_ms(call) < (uint64_t)ft_int(kept, "at_ms") + st->change.confirm_min * 60000ull + RFC_SLACK_MS;

    mark = change_mark(call, xml ? xml : "");
    free(xml);
    if (reply->failed)
        sw_fail(call, reply->class, "%s answered '%s' with: %s", st->name, st->sent, reply->error);
    else if (after && strcmp(mark, after) == 0 && may_wait && !st->change.later)
        sw_fail(call, FT_INVALID, "the change is in force on %s; NETCONF does not tell whether it still waits for its confirmation", st->name);
    else if ((after && strcmp(mark, after) == 0) || !before || strcmp(mark, before) == 0)
        sw_done(call, json_pack("{s:b, s:{s:s}, s:o}", "happened", after && strcmp(mark, after) == 0, "seen", "running", mark, "result",
                                config_result(call, after && strcmp(mark, after) == 0)));
    else
        sw_fail(call, FT_INVALID, "the configuration of %s is neither what it was before nor what it was after: somebody else has changed it", st->name);
}

static void probe_known(struct ft_call *call)
{
    struct sw *st = host->state(call);
    bool done;

    if (st->vendor == &vendor_eos && st->change.form != LOAD_ROLLBACK) {
        config_probe_session(call);
        return;
    }
    if (st->vendor == &vendor_netconf) {
        nc_rpc(call, "<get-config><source><running/></source></get-config>", "get-config running", probe_running);
        return;
    }
    if (!st->vendor->commits) {
        sw_fail(call, FT_INVALID, "%s keeps no record that tells whether this was sent", st->vendor->name);
        return;
    }
    done = st->continues || commit_stands(st->answers[0], change_comment(call));
    sw_done(call, json_pack("{s:b, s:b, s:{s:b, s:b}, s:o}", "happened", done, "pending", st->continues && !st->change.later, "seen", "commit_with_our_comment", strstr(st->answers[0], change_comment(call)) != NULL,
                            "waits_for_confirmation", st->continues, "result", config_result(call, done)));
}

static void begin(struct ft_call *call)
{
    struct sw *st = host->state(call);
    struct ft_err err = { 0 };

    if (st->phase == PHASE_PROBE) {
        probe_known(call);
        return;
    }
    if (sw_refuses_foreign(call))
        return;
    if (st->phase == PHASE_PLAN) {
        if (!change_try(call, plan_done))
            plan_of_lines(call);
        return;
    }
    if (host->keep(call, receipt_of(call, st), kept, &err) < 0)
        sw_fail(call, err.class, "%s", err.text);
}

static void commits_known(struct ft_call *call)
{
    const struct sw *st = host->state(call);

    sw_note_commits(call, st->answers[0]);
    begin(call);
}

/* What waits for its confirmation is looked at first, where the switch tells. */
static void look_first(struct ft_call *call)
{
    static const char *const commits[] = { "?show system commit | no-more" }, *const sessions[] = { "?show configuration sessions" };
    const struct sw *st = host->state(call);

    if (st->vendor->commits)
        sw_commands(call, commits, 1, commits_known);
    else if (st->vendor == &vendor_eos)
        sw_commands(call, sessions, 1, commits_known);
    else
        begin(call);
}

/* ---- load ---- */

static void file_read(struct ft_call *call, const struct ft_file_res *file)
{
    struct sw *st = host->state(call);
    struct ft_err err = { 0 };
    char *text;

    if (file->class != FT_CLASS_NONE) {
        sw_fail(call, file->class, "%s", file->error);
        return;
    }
    text = host->printf(call, "%s", file->bytes);
    if (!text || strlen(text) != file->len)
        ft_fault(&err, FT_INVALID, "%s is no text, or too long", file->path);
    if (err.code || check_text(st, text, &err) < 0 || choose_form(call, text, &err) < 0) {
        sw_fail(call, err.class, "%s", err.text);
        return;
    }
    look_first(call);
}

static int load_start(struct ft_call *call, enum phase phase, struct ft_err *reterr)
{
    struct sw *st = host->state(call);
    const json_t *params = host->params(call), *lines = ft_get(params, "lines");
    const char *file = ft_str(params, "file"), *text = "";
    json_t *line;
    size_t i;
    int r;

    st->op = &op_load;
    r = sw_begin(call, phase, reterr);
    if (r < 0)
        return r;
    if (!file == !lines)
        return sw_error(reterr, FT_INVALID, "give either `file` or `lines`");
    st->change.replace = ft_same(ft_str(params, "mode"), "replace");
    r = config_confirmation(call, reterr);
    if (r < 0)
        return r;
    if (file)
        return host->file_read(call, file, (size_t)2 << 20, file_read, reterr);
    json_array_foreach(lines, i, line)
        text = host->printf(call, "%s%s\n", text, json_string_value(line));
    r = check_text(st, text, reterr);
    r = r < 0 ? r : choose_form(call, text, reterr);
    if (r == 0)
        look_first(call);
    return r;
}

static int load_run(struct ft_call *call, struct ft_err *e) { return load_start(call, PHASE_RUN, e); }
static int load_plan(struct ft_call *call, struct ft_err *e) { return load_start(call, PHASE_PLAN, e); }
static int load_probe(struct ft_call *call, struct ft_err *e) { return load_start(call, PHASE_PROBE, e); }

/* ---- rollback ---- */

static int rollback_start(struct ft_call *call, enum phase phase, struct ft_err *reterr)
{
    struct sw *st = host->state(call);
    const json_t *to = ft_get(host->params(call), "to");
    int r;

    st->op = &op_rollback;
    st->change.form = LOAD_ROLLBACK;
    r = sw_begin(call, phase, reterr);
    if (r < 0)
        return r;
    if (st->vendor == &vendor_frr || st->vendor == &vendor_netconf)
        return sw_error(reterr, FT_INVALID, "config_rollback is not supported on %s ('%s'): it keeps no older configurations", st->vendor->name, st->name);
    if (st->vendor->commits != json_is_integer(to))
        return sw_error(reterr, FT_INVALID, st->vendor->commits ? "`to` must be the number of an older configuration on Junos: 1 is the one before (show system commit)"
                                                                : "`to` must be a file on the switch, such as flash:before.cfg");
    st->change.rollback = json_is_integer(to) ? host->printf(call, "%d", (int)json_integer_value(to)) : json_string_value(to);
    st->change.replace = true;
    r = config_confirmation(call, reterr);
    if (r == 0)
        look_first(call);
    return r;
}

static int rollback_run(struct ft_call *call, struct ft_err *e) { return rollback_start(call, PHASE_RUN, e); }
static int rollback_plan(struct ft_call *call, struct ft_err *e) { return rollback_start(call, PHASE_PLAN, e); }
static int rollback_probe(struct ft_call *call, struct ft_err *e) { return rollback_start(call, PHASE_PROBE, e); }

/* ---- undo ---- */

static void undone(struct ft_call *call)
{
    struct sw *st = host->state(call);

    st->pending = false;
    st->change.later = false;
    sw_done(call, config_result(call, true));
}

/* It has gone back by itself, or was never in force. */
static void undone_already(struct ft_call *call)
{
    struct sw *st = host->state(call);

    st->diff = "";
    st->change.later = false;
    sw_done(call, config_result(call, false));
}

static void undo_sessions_known(struct ft_call *call)
{
    const struct sw *st = host->state(call);

    sw_note_commits(call, st->answers[0]);
    if (st->continues)
        change_take_back(call, undone);
    else if (strstr(st->answers[0], change_session(call)) && !eos_session_is(st->answers[0], change_session(call), "completed"))
        undone_already(call);
    else
        sw_fail(call, FT_INVALID, "the change on %s is confirmed: taking it back is not supported on eos. Give the step an `undo` of its own", st->name);
}

static void cancel_running(struct ft_call *call, const struct nc_message *reply)
{
    const struct sw *st = host->state(call);
    const char *before = ft_str(host->receipt(call), "before");
    char *xml = reply->failed ? NULL : nc_inner_xml(reply, "data", false);
    bool back = xml && before && strcmp(change_mark(call, xml), before) == 0;

    free(xml);
    if (reply->failed)
        sw_fail(call, reply->class, "%s answered '%s' with: %s", st->name, st->sent, reply->error);
    else if (back)
        undone_already(call);
    else
        sw_fail(call, FT_INVALID, "nothing waits for its confirmation on %s any more: taking back what is confirmed is not supported on netconf. Give the step an `undo` of its own",
                st->name);
}

static void cancelled(struct ft_call *call, const struct nc_message *reply)
{
    struct sw *st = host->state(call);

    st->risky = false;
    if (reply->failed)
        nc_rpc(call, "<get-config><source><running/></source></get-config>", "get-config running", cancel_running);
    else
        undone(call);
}

static void revert_known(struct ft_call *call)
{
    const struct sw *st = host->state(call);

    if (ios_timer_runs(st->answers[0]))
        change_take_back(call, undone);
    else
        sw_fail(call, FT_INVALID, "no timer runs on %s any more: taking back what is confirmed is not supported on ios. Give the step an `undo` of its own", st->name);
}

int config_undo_waiting(struct ft_call *call, struct ft_err *reterr)
{
    static const char *const timer[] = { "?show archive config rollback timer" };
    static const char *const sessions[] = { "show configuration sessions" };
    struct sw *st = host->state(call);
    int r = config_confirmation(call, reterr);

    if (r < 0)
        return r;
    if (st->vendor == &vendor_eos && st->change.form != LOAD_ROLLBACK) {
        sw_commands(call, sessions, 1, undo_sessions_known);
    } else if (st->vendor == &vendor_netconf && st->change.confirm_min) {
        st->risky = true;
        nc_rpc(call, host->printf(call, "<cancel-commit><persist-id>fettle-%s</persist-id></cancel-commit>", host->run_id(call)), "cancel-commit", cancelled);
    } else if (st->vendor == &vendor_ios && st->change.confirm_min) {
        sw_commands(call, timer, 1, revert_known);
    } else if (st->change.later) {
        change_take_back(call, undone);
    }
    else
        return sw_error(reterr, FT_INVALID, "taking it back is not supported on %s: give the step an `undo` of its own", st->vendor->name);
    return 0;
}

static void undo_commits_known(struct ft_call *call)
{
    struct sw *st = host->state(call);
    unsigned depth = commit_depth(st->answers[0], change_comment(call));
    bool ours = false;

    if (!depth && commit_went_back(st->answers[0], change_comment(call))) {
        undone_already(call);
        return;
    }
    if (!depth) {
        sw_fail(call, FT_CONFLICT, "somebody else has committed on %s since: going back to the configuration before would take that along. Look at `show system commit`",
                st->name);
        return;
    }
    if (commit_pending(st->answers[0], change_comment(call), &ours))
        st->change.confirm_min = 0;                /* what waits goes back at once, for good */
    st->change.form = LOAD_ROLLBACK;
    st->change.rollback = host->printf(call, "%u", depth);
    st->change.later = false;
    change_apply(call, undone);
}

/* Junos: back to the configuration before our own commits, if nobody committed behind them. */
static int undo_start(struct ft_call *call, const struct op *op, struct ft_err *reterr)
{
    static const char *const commits[] = { "show system commit | no-more" };
    struct sw *st = host->state(call);
    int r;

    st->op = op;
    r = sw_begin(call, PHASE_UNDO, reterr);
    if (r < 0)
        return r;
    if (op == &op_rollback)
        st->change.form = LOAD_ROLLBACK;
    if (!st->vendor->commits)
        return config_undo_waiting(call, reterr);
    r = config_confirmation(call, reterr);
    if (r == 0)
        sw_commands(call, commits, 1, undo_commits_known);
    return r;
}

static int load_undo(struct ft_call *call, struct ft_err *e) { return undo_start(call, &op_load, e); }
static int rollback_undo(struct ft_call *call, struct ft_err *e) { return undo_start(call, &op_rollback, e); }

/* ---- the confirmation of this step's own change ---- */

static int load_confirm(struct ft_call *call, struct ft_err *e) { return change_confirm_left(call, &op_load, e); }

static int rollback_confirm(struct ft_call *call, struct ft_err *e)
{
    struct sw *st = host->state(call);

    st->change.form = LOAD_ROLLBACK;
    return change_confirm_left(call, &op_rollback, e);
}

/* ---- confirm: of an earlier step ---- */

static json_t *confirm_result(const struct sw *st, bool changed)
{
    return json_pack("{s:b, s:s}", "changed", changed, "device", st->name);
}

static void confirm_done(struct ft_call *call)
{
    const struct sw *st = host->state(call);

    sw_done(call, confirm_result(st, true));
}

static json_t *confirm_commands(struct ft_call *call)
{
    const struct sw *st = host->state(call);
    const struct dialect *d = dialect_of(call);
    struct script s = script_new(call);
    json_t *list = json_array();

    if (st->vendor->commits)
        d->enter(&s);
    d->confirm(&s);
    if (st->vendor != &vendor_netconf)
        d->leave(&s);
    script_show(&s, list);
    return list;
}

/* waits: a change of this run does. was: one did, and is confirmed. */
static void confirm_decide(struct ft_call *call, bool waits, bool was)
{
    const struct sw *st = host->state(call);
    json_t *plan;

    if (st->phase == PHASE_PROBE) {
        sw_done(call, json_pack("{s:b, s:{s:b}, s:o}", "happened", !waits && was, "seen", "waits_for_confirmation", waits, "result", confirm_result(st, true)));
    } else if (!waits && !was) {
        sw_fail(call, FT_REFUSED, "no change of this run waits for its confirmation on %s: the switch has taken it back, or there was none", st->name);
    } else if (st->phase == PHASE_PLAN) {
        plan = json_pack("{s:o, s:[{s:s, s:o}], s:[]}", "summary", json_sprintf("confirm what waits on %s", st->name), "requests", "target", st->name, "commands",
                         confirm_commands(call), "changes");
        if (!waits) {
            json_object_set_new(plan, "nothing_to_do", json_true());
            json_object_set_new(plan, "result", confirm_result(st, false));
            json_object_set_new(plan, "requests", json_array());
        }
        sw_done(call, plan);
    } else if (waits) {
        change_confirm(call, confirm_done);
    } else {
        sw_done(call, confirm_result(st, false));
    }
}

static void confirm_commits_known(struct ft_call *call)
{
    struct sw *st = host->state(call);
    char session[128];
    bool ours = false, waits;
    const char *run = host->printf(call, "fettle run %s:", host->run_id(call));

    if (st->vendor == &vendor_eos) {
        waits = eos_pending(st->answers[0], session, sizeof(session));
        run = host->printf(call, "fettle-%s-", host->run_id(call));
        ours = waits && strncmp(session, run, strlen(run)) == 0;
        st->session_name = waits ? host->printf(call, "%s", session) : NULL;
    } else {
        waits = commit_pending(st->answers[0], run, &ours);
    }
    if (waits && !ours && st->phase != PHASE_PROBE)
        sw_fail(call, FT_CONFLICT, "what waits for its confirmation on %s is not this run's: it is left alone", st->name);
    else
        confirm_decide(call, waits && ours, !waits && (st->vendor == &vendor_eos ? strstr(st->answers[0], run) != NULL : commit_depth(st->answers[0], run) > 0));
}

/* In a dry run, and in the plan of a run as a whole, the change does not wait yet: so a plan looks only where a run is under way. */
static int confirm_start(struct ft_call *call, enum phase phase, struct ft_err *reterr)
{
    static const char *const commits[] = { "show system commit | no-more" }, *const sessions[] = { "show configuration sessions" };
    struct sw *st = host->state(call);
    int r;

    st->op = &op_confirm;
    r = sw_begin(call, phase, reterr);
    if (r < 0)
        return r;
    if (!change_has_net(call))
        return sw_error(reterr, FT_INVALID, "config_confirm is not supported on %s ('%s'): nothing waits for a confirmation there", st->vendor->name, st->name);
    st->change.later = st->vendor == &vendor_netconf;      /* its persist-id */
    if (st->vendor->commits)
        sw_commands(call, commits, 1, confirm_commits_known);
    else if (st->vendor == &vendor_eos)
        sw_commands(call, sessions, 1, confirm_commits_known);
    else if (phase == PHASE_PROBE)
        return sw_error(reterr, FT_INVALID, "%s does not tell whether a change was confirmed", st->vendor->name);
    else
        confirm_decide(call, true, false);
    return 0;
}

static int confirm_run(struct ft_call *call, struct ft_err *e) { return confirm_start(call, PHASE_RUN, e); }
static int confirm_plan(struct ft_call *call, struct ft_err *e) { return confirm_start(call, PHASE_PLAN, e); }
static int confirm_probe(struct ft_call *call, struct ft_err *e) { return confirm_start(call, PHASE_PROBE, e); }

/* ---- descriptions ---- */

#define DEVICE JSON("device": {"type": "string", "minLength": 1, "description": "the switch: its name in the configuration, or its address or an alias there"})

static const char load_params[] = "{\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"device\"], \"properties\": {" DEVICE ", "
    JSON("file": {"type": "string", "minLength": 1, "description": "a file with the configuration: set lines, the form with braces or XML (Junos), lines as they are typed (IOS, EOS, FRR), XML (NETCONF). A relative path lies below the data folder's files/"},
         "lines": {"type": "array", "minItems": 1, "maxItems": 5000, "items": {"type": "string", "maxLength": 2000}, "description": "the same, instead of a file"},
         "mode": {"enum": ["merge", "replace"], "default": "merge", "description": "merge: adds to what there is; replace: the whole configuration becomes this (Junos, EOS, NETCONF)"})
    ", " CONFIRM_PARAMS "}}";
static const char rollback_params[] = "{\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"device\", \"to\"], \"properties\": {" DEVICE ", "
    JSON("to": {"type": ["integer", "string"], "minimum": 1, "maximum": 49, "pattern": "^[a-z0-9-]+:[A-Za-z0-9/._-]{1,200}$",
                "description": "Junos: number of the older configuration, 1 is the one before; IOS, EOS: a file on the switch (flash:before.cfg)"}) ", " CONFIRM_PARAMS "}}";
static const char confirm_params[] = "{\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"device\"], \"properties\": {" DEVICE "}}";
static const char config_result_schema[] = "{\"type\": \"object\", \"properties\": {" CONFIG_RESULT "}}";
static const char confirm_result_schema[] = JSON({"type": "object", "properties": {
    "changed": {"type": "boolean", "description": "false: it was confirmed already"}, "device": {"type": "string", "description": "the switch"}}});

const struct ft_action switch_config_load = {
    .size = sizeof(switch_config_load), .name = "config_load", .summary = "load a configuration", .effects = FT_EFFECT_DISRUPTIVE,
    .params_schema = load_params, .result_schema = config_result_schema, .state_size = sizeof(struct sw),
    .run = { load_run, sw_cancel }, .plan = { load_plan, sw_cancel }, .undo = { load_undo, sw_cancel }, .probe = { load_probe, sw_cancel },
    .confirm = { load_confirm, sw_cancel }, .timeout_ms = 300000,
    .about = "The plan is the switch's own account of the difference (Junos, EOS; over NETCONF worked out here): the configuration is loaded into a candidate and "
             "discarded again. The run commits for `confirm_within` minutes; it is confirmed over a new connection once the step's `verify` has passed, or by "
             "`switch.config_confirm`. Undo on Junos goes back to the configuration before this step's commits, unless somebody committed behind them; elsewhere only "
             "what is not confirmed yet is taken back. `mode: replace` is `load override` on Junos, and a clean configuration session on EOS.",
    .example = "run: switch.config_load\nwith:\n  device: sw-3\n  lines:\n    - set interfaces ge-0/0/7 description \"AP 3F-12\"\nundo: auto\n",
};

const struct ft_action switch_config_rollback = {
    .size = sizeof(switch_config_rollback), .name = "config_rollback", .summary = "bring an older configuration back", .effects = FT_EFFECT_DISRUPTIVE,
    .params_schema = rollback_params, .result_schema = config_result_schema, .state_size = sizeof(struct sw),
    .run = { rollback_run, sw_cancel }, .plan = { rollback_plan, sw_cancel }, .undo = { rollback_undo, sw_cancel }, .probe = { rollback_probe, sw_cancel },
    .confirm = { rollback_confirm, sw_cancel }, .timeout_ms = 300000,
    .about = "Junos: `rollback N`, committed and confirmed as every change; the plan shows the difference. IOS: `configure replace FILE force`, under a timer with "
             "`revert_timer: true`. EOS: `configure replace FILE`, without a net. Take care that the file is the one you mean: a startup-config may be older than the "
             "work of others.",
    .example = "run: switch.config_rollback\nwith: {device: sw-3, to: 1}\nundo: auto\n",
};

const struct ft_action switch_config_confirm = {
    .size = sizeof(switch_config_confirm), .name = "config_confirm", .summary = "confirm a change that waits for it", .effects = FT_EFFECT_WRITE,
    .params_schema = confirm_params, .result_schema = confirm_result_schema, .state_size = sizeof(struct sw),
    .run = { confirm_run, sw_cancel }, .plan = { confirm_plan, sw_cancel }, .probe = { confirm_probe, sw_cancel }, .timeout_ms = 120000,
    .about = "Ends the wait of a change that an earlier step of the same run left open with `confirm: later`, after its verify has passed. What somebody else left open "
             "is not touched; what the switch has taken back meanwhile is an error. After it nothing takes the change back but the undo of the step that made it.",
    .example = "run: switch.config_confirm\nwith: {device: sw-3}\nundo: none\n",
};
