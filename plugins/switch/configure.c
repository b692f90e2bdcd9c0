/* configure.c: any configuration lines.
 *
 * On Junos what the lines touch is read first, as `set` lines of the parts they lie in ("interfaces ge-0/0/7"). So the plan can say line by line what would
 * change without entering configuration mode, and undo can bring each part back to the lines that it had. */
#include "configure.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "cli.h"
#include "config.h"
#include "dialect.h"
#include "left.h"
#include "op.h"

#define MAX_PARTS (MAX_COMMANDS - 1)             /* and one command for the commits */

/* ---- Which parts of the configuration the lines touch ---- */

static bool is_verb(const char *line, const char *verb)
{
    return strncmp(line, verb, strlen(verb)) == 0 && line[strlen(verb)] == ' ';
}

/* "set interfaces ge-0/0/7 unit 0 …" lies in "interfaces ge-0/0/7": the two words behind the verb. */
static const char *part_of(struct ft_call *call, const char *line)
{
    const char *words[3];
    char buffer[256];
    size_t n = cli_words(line, strlen(line), buffer, sizeof(buffer), words, 3);

    if (n < 2)
        return NULL;
    for (size_t i = 1; i < n; i++) {
        if (strspn(words[i], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:-") != strlen(words[i]))
            return NULL;
    }
    return n == 3 ? host->printf(call, "%s %s", words[1], words[2]) : host->printf(call, "%s", words[1]);
}

static bool has_text(const json_t *list, const char *text)
{
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item) {
        if (strcmp(json_string_value(item), text) == 0)
            return true;
    }
    return false;
}

static int check_line(struct ft_call *call, const struct sw *st, const char *line, json_t *parts, struct ft_err *reterr)
{
    const char *part;

    for (const char *p = line; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return sw_error(reterr, FT_INVALID, "a configuration line has a control character in it: '%.60s'", line);
    }
    if (!st->vendor->commits)
        return 0;
    if (!is_verb(line, "set") && !is_verb(line, "delete") && !is_verb(line, "activate") && !is_verb(line, "deactivate") && !is_verb(line, "rename")
        && !is_verb(line, "insert"))
        return sw_error(reterr, FT_INVALID, "'%.100s' is no line for `load set`: begin it with set, delete, activate, deactivate, rename or insert", line);
    part = part_of(call, line);
    if (!part)
        return sw_error(reterr, FT_INVALID, "'%.100s' does not name the part of the configuration that it changes", line);
    if (has_text(parts, part))
        return 0;
    if (json_array_size(parts) == MAX_PARTS)
        return sw_error(reterr, FT_INVALID, "the lines touch more than %d parts of the configuration: split them into several steps", MAX_PARTS);
    json_array_append_new(parts, json_string(part));
    return 0;
}

/* ---- What the parts hold now ---- */

/* Secrets stay on the switch: a line with one is neither kept for undo nor shown. */
static bool is_secret(const struct set_line *line)
{
    const char *dollar = memmem(line->text, line->len, "\"$", 2);

    return (dollar && isdigit((unsigned char)dollar[2])) || memmem(line->text, line->len, "SECRET-DATA", 11);
}

static json_t *lines_of(const char *config)
{
    json_t *list = json_array();
    struct set_line line;

    while (set_next(&config, &line)) {
        if (!is_secret(&line))
            json_array_append_new(list, json_stringn(line.text, line.len));
    }
    return list;
}

/* [{"part": "interfaces ge-0/0/7", "lines": ["set …"]}, …], in the order that they were asked for. */
static json_t *parts_read(struct ft_call *call, const json_t *parts)
{
    const struct sw *st = host->state(call);
    json_t *list = json_array(), *part;
    size_t i;

    json_array_foreach(parts, i, part)
        json_array_append_new(list, json_pack("{s:O, s:o}", "part", part, "lines", lines_of(st->answers[i])));
    return list;
}

static void ask_parts(struct ft_call *call, const json_t *parts, void (*then)(struct ft_call *call))
{
    const char *commands[MAX_COMMANDS];
    json_t *part;
    size_t i;

    json_array_foreach(parts, i, part)
        commands[i] = host->printf(call, "show configuration %s | display set | no-more", json_string_value(part));
    commands[i++] = "?show system commit | no-more";
    sw_commands(call, commands, i, then);
}

/* ---- What would change ---- */

static bool has_line(const json_t *parts, const char *wanted)
{
    json_t *part;
    size_t i;

    json_array_foreach(parts, i, part) {
        if (has_text(json_object_get(part, "lines"), wanted))
            return true;
    }
    return false;
}

static json_t *lines_under(const json_t *parts, const char *path)
{
    json_t *found = json_array(), *part, *text;
    char rest[512];
    size_t i, k;

    json_array_foreach(parts, i, part) {
        json_array_foreach(json_object_get(part, "lines"), k, text) {
            struct set_line line = { json_string_value(text), json_string_length(text) };

            if (set_under(&line, path, rest, sizeof(rest)))
                json_array_append(found, text);
        }
    }
    return found;
}

static json_t *one_change(const struct sw *st, json_t *from, json_t *to)
{
    return json_pack("{s:s, s:o, s:o}", "path", st->name, "from", from, "to", to);
}

static json_t *replaced(const json_t *parts, const char *text)
{
    json_t *part;
    size_t i;

    json_array_foreach(parts, i, part) {
        const char *old = left_replaced(json_object_get(part, "lines"), text);

        if (old)
            return json_string(old);
    }
    return json_null();
}

/* As far as lines can tell; the switch's own account comes with the run (`show | compare`). */
static json_t *changes_of(const struct sw *st, const json_t *lines, const json_t *parts)
{
    json_t *changes = json_array(), *item, *gone, *old;
    size_t i, k;

    json_array_foreach(lines, i, item) {
        const char *text = json_string_value(item);

        if (is_verb(text, "set")) {
            if (!has_line(parts, text))
                json_array_append_new(changes, one_change(st, replaced(parts, text), json_string(text)));
            continue;
        }
        if (!is_verb(text, "delete")) {
            json_array_append_new(changes, one_change(st, json_null(), json_string(text)));
            continue;
        }
        gone = lines_under(parts, text + strlen("delete "));
        json_array_foreach(gone, k, old)
            json_array_append_new(changes, one_change(st, json_incref(old), json_null()));
        json_decref(gone);
    }
    return changes;
}

/* ---- The action ---- */

static json_t *receipt_of(struct ft_call *call, const struct sw *st, const json_t *parts)
{
    return json_pack("{s:s, s:O?, s:s*}", "device", st->name, "parts", parts, "session", st->vendor == &vendor_eos ? change_session(call) : NULL);
}

static void applied(struct ft_call *call)
{
    const struct sw *st = host->state(call);

    sw_done(call, config_result(call, (st->diff && *st->diff) || st->continues));
}

static void kept(struct ft_call *call)
{
    change_apply(call, applied);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(json_string_value(*(json_t *const *)a), json_string_value(*(json_t *const *)b));
}

/* The order of set lines means nothing, and a line that was set anew may stand elsewhere. */
static json_t *sorted(struct ft_call *call, const json_t *parts)
{
    json_t *list = sw_hold(call, json_array()), *part, *lines;
    size_t i, n;

    json_array_foreach(parts, i, part) {
        n = json_array_size(json_object_get(part, "lines"));
        json_t **all = host->alloc(call, (n + 1) * sizeof(*all));

        for (size_t k = 0; k < n; k++)
            all[k] = json_array_get(json_object_get(part, "lines"), k);
        qsort(all, n, sizeof(*all), by_text);
        lines = json_array();
        for (size_t k = 0; k < n; k++)
            json_array_append(lines, all[k]);
        json_array_append_new(list, json_pack("{s:O, s:o}", "part", json_object_get(part, "part"), "lines", lines));
    }
    return list;
}

/* What it rests on, and what its undo is compared with. NULL: nothing was read, so nobody can tell (IOS, FRR). */
static json_t *state_of(struct ft_call *call, json_t *parts)
{
    if (((const struct sw *)host->state(call))->vendor->commits)
        return sorted(call, parts);
    return dialect_of(call)->compare ? sw_hold(call, json_pack("{s:o}", "diff", config_masked_diff(call))) : NULL;
}

static void decide(struct ft_call *call, struct sw *st, json_t *parts, json_t *changes)
{
    struct ft_err err = { 0 };
    bool there = parts && json_array_size(changes) == 0, nothing = there && (!st->continues || st->change.later || st->phase == PHASE_PROBE);
    const json_t *saved = st->continues ? host->receipt(call) : NULL;
    json_t *plan;

    if (st->phase != PHASE_PROBE && sw_refuses_foreign(call))
        return;
    if (st->phase == PHASE_PROBE) {
        sw_done(call, json_pack("{s:b, s:b, s:{s:O}, s:o}", "happened", nothing, "pending", nothing && st->continues && !st->change.later, "seen", "still_to_change", changes,
                                "result", config_result(call, nothing)));
        return;
    }
    if (st->phase == PHASE_RUN) {
        if (host->keep(call, saved ? json_deep_copy(saved) : receipt_of(call, st, parts), kept, &err) < 0)
            sw_fail(call, err.class, "%s", err.text);
        return;
    }
    st->change.left = change_can_leave(call);
    plan = json_pack("{s:o, s:[{s:s, s:o}], s:O, s:O*, s:o}", "summary", json_sprintf("configure %s: %zu line%s", st->name, json_array_size(st->change.first), json_array_size(st->change.first) == 1 ? "" : "s"),
                     "requests", "target", st->name, "commands", change_commands(call), "changes", changes, "before", state_of(call, parts), "receipt", receipt_of(call, st, parts));
    if (nothing) {
        json_object_set_new(plan, "nothing_to_do", json_true());
        json_object_set_new(plan, "result", config_result(call, false));
        json_object_set_new(plan, "requests", json_array());
    }
    if (nothing)
        json_object_set_new(plan, "leaves", json_object());
    else
        left_by_lines(call, plan, st->change.first);
    change_plan_net(call, plan);
    sw_done(call, plan);
}

/* As the writes that are planned before this one will have made it. False: that cannot be told. */
static bool left_in_parts(struct ft_call *call, struct sw *st)
{
    json_t *part;
    size_t i;

    json_array_foreach(st->facts, i, part) {
        st->answers[i] = left_config(call, json_string_value(part), st->answers[i]);
        if (!st->answers[i])
            return false;
    }
    return true;
}

static void parts_known(struct ft_call *call)
{
    struct sw *st = host->state(call);
    json_t *parts;

    if (st->phase == PHASE_PLAN && !left_in_parts(call, st))
        return;
    parts = sw_hold(call, parts_read(call, st->facts));

    sw_note_commits(call, st->answers[json_array_size(st->facts)]);
    decide(call, st, parts, sw_hold(call, changes_of(st, st->change.first, parts)));
}

/* Where nothing was read before: every line is a change. */
static json_t *lines_as_changes(struct ft_call *call, const struct sw *st)
{
    json_t *changes = sw_hold(call, json_array()), *line;
    size_t i;

    json_array_foreach(st->change.first, i, line)
        json_array_append_new(changes, one_change(st, json_null(), json_incref(line)));
    return changes;
}

/* EOS: the plan's changes are the switch's own account of them. */
static void eos_tried(struct ft_call *call)
{
    struct sw *st = host->state(call);
    json_t *none = sw_hold(call, json_array());

    decide(call, st, none, sw_hold(call, config_changes(st)));
}

static void sessions_known(struct ft_call *call)
{
    struct sw *st = host->state(call);

    sw_note_commits(call, st->answers[0]);
    if (st->phase == PHASE_PROBE)
        config_probe_session(call);
    else if (st->phase == PHASE_PLAN && !st->foreign)
        change_try(call, eos_tried);
    else
        decide(call, st, NULL, lines_as_changes(call, st));
}

static int configure_start(struct ft_call *call, enum phase phase, struct ft_err *reterr)
{
    static const char *const sessions[] = { "show configuration sessions" };
    struct sw *st = host->state(call);
    const json_t *params = host->params(call);
    json_t *line;
    size_t i;
    int r = sw_begin(call, phase, reterr);

    if (r < 0)
        return r;
    st->change.first = json_object_get(params, "lines");
    st->facts = json_array();                           /* the names of the parts */
    json_array_foreach(st->change.first, i, line) {
        r = check_line(call, st, json_string_value(line), st->facts, reterr);
        if (r < 0) {
            json_decref(st->facts);
            return r;
        }
    }
    r = config_confirmation(call, reterr);
    if (r < 0) {
        json_decref(st->facts);
        return r;
    }
    sw_hold(call, st->facts);
    if (st->vendor->commits) {
        ask_parts(call, st->facts, parts_known);
        return 0;
    }
    if (st->vendor == &vendor_eos) {
        sw_commands(call, sessions, 1, sessions_known);
        return 0;
    }
    if (phase == PHASE_PROBE) {
        sw_fail(call, FT_INVALID, "%s keeps no record that tells whether these lines were sent", st->vendor->name);
        return 0;
    }
    decide(call, st, NULL, lines_as_changes(call, st));
    return 0;
}

/* ---- Undo: every part back to the lines that it had ---- */

static void add_difference(struct ft_call *call, json_t *lines, const json_t *had, const json_t *has)
{
    json_t *text;
    size_t i;

    json_array_foreach(has, i, text) {
        if (!has_text(had, json_string_value(text)))
            json_array_append_new(lines, json_string(host->printf(call, "delete %s", json_string_value(text) + strlen("set "))));
    }
    json_array_foreach(had, i, text) {
        if (!has_text(has, json_string_value(text)))
            json_array_append(lines, text);
    }
}

static void parts_known_again(struct ft_call *call)
{
    struct sw *st = host->state(call);
    json_t *now = sw_hold(call, parts_read(call, st->facts)), *part;
    const json_t *had = json_object_get(host->receipt(call), "parts");
    size_t i;

    sw_note_commits(call, st->answers[json_array_size(st->facts)]);
    if (st->continues)
        st->change.confirm_min = 0;                     /* what waits goes back at once, for good: not to what was never proven */
    st->change.first = sw_hold(call, json_array());
    json_array_foreach(had, i, part)
        add_difference(call, st->change.first, json_object_get(part, "lines"), json_object_get(json_array_get(now, i), "lines"));
    if (json_array_size(st->change.first) == 0)
        applied(call);
    else
        change_apply(call, applied);
}

static int configure_undo(struct ft_call *call, struct ft_err *reterr)
{
    struct sw *st = host->state(call);
    const json_t *had = json_object_get(host->receipt(call), "parts");
    json_t *part;
    size_t i;
    int r = sw_begin(call, PHASE_UNDO, reterr);

    if (r < 0)
        return r;
    if (!json_is_array(had) || !st->vendor->commits)
        return config_undo_waiting(call, reterr);
    st->facts = sw_hold(call, json_array());
    json_array_foreach(had, i, part)
        json_array_append(st->facts, json_object_get(part, "part"));
    st->change.confirm_min = (unsigned)json_integer_value(json_object_get(host->params(call), "confirm_within"));
    ask_parts(call, st->facts, parts_known_again);
    return 0;
}

static int configure_run(struct ft_call *call, struct ft_err *e) { return configure_start(call, PHASE_RUN, e); }
static int configure_confirm(struct ft_call *call, struct ft_err *e) { return change_confirm_left(call, NULL, e); }
static int configure_plan(struct ft_call *call, struct ft_err *e) { return configure_start(call, PHASE_PLAN, e); }
static int configure_probe(struct ft_call *call, struct ft_err *e) { return configure_start(call, PHASE_PROBE, e); }

static const char params_schema[] = "{\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"device\", \"lines\"], \"properties\": {"
    JSON("device": {"type": "string", "minLength": 1, "description": "the switch: its name in the configuration, or its address or an alias there"},
    "lines": {"type": "array", "minItems": 1, "maxItems": 200, "items": {"type": "string", "minLength": 1, "maxLength": 1000},
              "description": "configuration lines: set and delete on Junos; elsewhere what is typed in configuration mode"}) ", " CONFIRM_PARAMS "}}";

static const char result_schema[] = "{\"type\": \"object\", \"properties\": {" CONFIG_RESULT "}}";

const struct ft_action switch_configure = {
    .size = sizeof(switch_configure), .name = "configure", .summary = "put configuration lines into force",
    .effects = FT_EFFECT_DISRUPTIVE, .params_schema = params_schema, .result_schema = result_schema, .state_size = sizeof(struct sw),
    .run = { configure_run, sw_cancel }, .plan = { configure_plan, sw_cancel }, .undo = { configure_undo, sw_cancel }, .probe = { configure_probe, sw_cancel }, .confirm = { configure_confirm, sw_cancel },
    .timeout_ms = 240000,
    .about = "Counts as disruptive, since any line may be. On Junos the parts that the lines touch (\"interfaces ge-0/0/7\") are read before: the plan tells what "
             "would change, and undo brings each part back to the lines it had. Lines with passwords are left out of that. The commit is confirmed over a new "
             "connection once the step's `verify` has passed, else it takes itself back; with `confirm: later` it waits for `switch.config_confirm`. On EOS the lines go into a configuration "
             "session, with the same confirmation, and there is undo only before that. On IOS and FRR lines are in force one by one, there is no undo, and a line "
             "that is refused leaves those before it in force; IOS with `revert_timer: true` takes the whole back.",
    .example = "run: switch.configure\nwith:\n  device: sw-3\n  lines:\n    - set interfaces ge-0/0/7 description \"AP 3F-12\"\nundo: auto\n",
};
