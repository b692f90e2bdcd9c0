/* sim.c: a device made of one file, for tests of the engine. Its configuration names a folder:
 *   state.json     key → value, what the "device" holds; "$record": one text a write that reached it. One file, replaced at once: a
 *                  process that is killed leaves a device that either did a write, with its record, or did not
 *   trouble.json   what goes wrong: {"<action> <key>": ["<class>", …]}: each call takes the first and obeys: "ok", an error class,
 *                  "ambiguous_done" (it happens, the answer is lost), "ambiguous_not" (it does not), "wait:<ms>" (answers later)
 */
#include <string.h>
#include <unistd.h>
#include <fettle/plugin.h>

static const struct ft_host *host;
static char folder[4000];

static int sim_open(const struct ft_host *h, const json_t *config, void **ret_instance, struct ft_err *reterr)
{
    const char *dir = json_string_value(json_object_get(config, "dir"));

    host = h;
    *ret_instance = NULL;
    if (!dir)
        return ft_err_set(reterr, -EINVAL, "sim: no dir");
    snprintf(folder, sizeof(folder), "%s", dir);
    return 0;
}

static json_t *load(const char *name)
{
    char path[4200];
    json_t *value;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    value = json_load_file(path, 0, NULL);
    return value ? value : json_object();
}

static void save(const char *name, json_t *value)
{
    char path[4200], tmp[4210];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    snprintf(tmp, sizeof(tmp), "%s.new", path);
    json_dump_file(value, tmp, JSON_SORT_KEYS);
    rename(tmp, path);
    json_decref(value);
}

/* Adds to the record that lies in the state. */
static void record(json_t *state, const char *action, const json_t *params)
{
    json_t *line = json_pack("{s:s, s:O}", "action", action, "params", params), *list = json_object_get(state, "$record");
    char *text = json_dumps(line, JSON_COMPACT | JSON_SORT_KEYS);

    if (!list) {
        list = json_array();
        json_object_set_new(state, "$record", list);
    }
    json_array_append_new(list, json_string(text));
    free(text);
    json_decref(line);
}

struct state { char mode[64]; };

static const char *key_of(struct ft_call *call)
{
    const char *key = json_string_value(json_object_get(host->params(call), "key"));

    return key ? key : "";
}

static enum ft_class class_named(const char *name)
{
    for (int c = FT_UNREACHABLE; c <= FT_CANCELLED; c++)
        if (strcmp(ft_class_name(c), name) == 0)
            return (enum ft_class)c;
    return FT_CLASS_NONE;
}

/* Takes the next trouble of this action and key. */
static void take_mode(struct ft_call *call, const char *action)
{
    struct state *st = host->state(call);
    json_t *all = load("trouble.json"), *list;
    char *name = host->printf(call, "%s %s", action, key_of(call));

    strcpy(st->mode, "ok");
    list = json_object_get(all, name);
    if (json_array_size(list)) {
        snprintf(st->mode, sizeof(st->mode), "%s", json_string_value(json_array_get(list, 0)));
        json_array_remove(list, 0);
        save("trouble.json", json_incref(all));
    }
    json_decref(all);
}

static bool fails(struct ft_call *call)
{
    struct state *st = host->state(call);
    enum ft_class class = class_named(st->mode);

    if (class)
        host->fail(call, class, "the device said %s", st->mode);
    return class != FT_CLASS_NONE;
}

/* ---- get */

static void get_now(struct ft_call *call)
{
    json_t *state = load("state.json"), *value = json_object_get(state, key_of(call));

    host->done(call, json_pack("{s:b, s:O?}", "found", value != NULL, "value", value));
    json_decref(state);
}

static int get_start(struct ft_call *call, struct ft_err *reterr)
{
    struct state *st = host->state(call);

    take_mode(call, "get");
    if (fails(call))
        return 0;
    if (strncmp(st->mode, "wait:", 5) == 0)
        return host->timer(call, strtoul(st->mode + 5, NULL, 10), get_now) ? 0 : ft_err_set(reterr, -ENOMEM, "no timer");
    get_now(call);
    return 0;
}

/* ---- set */

static void do_set(struct ft_call *call, const char *action)
{
    json_t *state = load("state.json");

    record(state, action, host->params(call));
    json_object_set(state, key_of(call), json_object_get(host->params(call), "value"));
    save("state.json", state);
}

static void set_now(struct ft_call *call)
{
    do_set(call, "set");
    host->done(call, json_pack("{s:b}", "ok", 1));
}

static int set_start(struct ft_call *call, struct ft_err *reterr)
{
    struct state *st = host->state(call);

    take_mode(call, "set");
    if (strcmp(st->mode, "ambiguous_done") == 0) {
        do_set(call, "set");
        host->fail(call, FT_AMBIGUOUS, "the answer was lost");
    } else if (strcmp(st->mode, "ambiguous_not") == 0) {
        host->fail(call, FT_AMBIGUOUS, "the answer was lost");
    } else if (strncmp(st->mode, "wait:", 5) == 0) {
        return host->timer(call, strtoul(st->mode + 5, NULL, 10), set_now) ? 0 : ft_err_set(reterr, -ENOMEM, "no timer");
    } else if (!fails(call)) {
        set_now(call);
    }
    return 0;
}

static int set_plan(struct ft_call *call, struct ft_err *reterr)
{
    take_mode(call, "plan");
    if (fails(call))
        return 0;
    json_t *state = load("state.json"), *before = json_object_get(state, key_of(call));
    json_t *plan = json_pack("{s:o, s:[{s:s, s:[o]}], s:O?, s:{s:O?}}", "summary", json_sprintf("set %s", key_of(call)), "requests", "target", "sim", "commands",
                             json_sprintf("set %s", key_of(call)), "before", before, "receipt", "value", before);

    (void)reterr;
    json_decref(state);
    host->done(call, plan);
    return 0;
}

static int set_undo(struct ft_call *call, struct ft_err *reterr)
{
    struct state *st = host->state(call);
    json_t *state, *old = json_object_get(host->receipt(call), "value");

    (void)reterr;
    take_mode(call, "undo");
    if (strcmp(st->mode, "ambiguous_not") == 0) {
        host->fail(call, FT_AMBIGUOUS, "the answer was lost");
        return 0;
    }
    if (fails(call))
        return 0;
    state = load("state.json");
    record(state, "undo", host->params(call));
    if (old && !json_is_null(old))
        json_object_set(state, key_of(call), old);
    else
        json_object_del(state, key_of(call));
    save("state.json", state);
    if (strcmp(st->mode, "ambiguous_done") == 0)
        host->fail(call, FT_AMBIGUOUS, "the answer was lost");
    else
        host->done(call, json_object());
    return 0;
}

static int set_probe(struct ft_call *call, struct ft_err *reterr)
{
    json_t *state, *now;

    (void)reterr;
    take_mode(call, "probe");
    if (fails(call))
        return 0;
    state = load("state.json");
    now = json_object_get(state, key_of(call));
    host->done(call, json_pack("{s:b, s:O?}", "happened", now && json_equal(now, json_object_get(host->params(call), "value")), "seen", now));
    json_decref(state);
    return 0;
}

/* ---- put: set with a plan that says all: the command is the record of it, and nothing is to do where the value is there already */

static char *put_command(struct ft_call *call)
{
    json_t *line = json_pack("{s:s, s:O}", "action", "put", "params", host->params(call));
    char *text = json_dumps(line, JSON_COMPACT | JSON_SORT_KEYS), *command = host->printf(call, "%s", text);

    free(text);
    json_decref(line);
    return command;
}

/* What is there, or will be there behind the writes that are planned before. New reference; NULL: nothing. */
static json_t *put_was(struct ft_call *call)
{
    const json_t *left = host->left(call, key_of(call));
    json_t *state = load("state.json"), *was = left ? (json_t *)left : json_object_get(state, key_of(call));

    was = json_is_null(was) ? NULL : json_incref(was);
    json_decref(state);
    return was;
}

/* A value of {"riddle": …}: what is there afterwards, nobody can tell. */
static void put_leaves(struct ft_call *call, json_t *plan, json_t *value)
{
    if (json_object_get(value, "riddle"))
        json_object_set_new(plan, "blurs", json_pack("[s]", key_of(call)));
    else
        json_object_set_new(plan, "leaves", json_pack("{s:O}", key_of(call), value));
}

static int put_plan(struct ft_call *call, struct ft_err *reterr)
{
    json_t *was = put_was(call), *value = json_object_get(host->params(call), "value"), *plan;

    (void)reterr;
    if (was && json_equal(was, value))
        plan = json_pack("{s:o, s:[], s:{s:O}, s:b, s:{s:b}, s:{s:O}}", "summary", json_sprintf("%s is so already", key_of(call)), "requests", "before", "value", was,
                         "nothing_to_do", 1, "result", "ok", 1, "receipt", "value", was);
    else
        plan = json_pack("{s:o, s:[{s:s, s:[s]}], s:{s:O?}, s:[{s:s, s:O?, s:O}], s:i, s:{s:O?}}", "summary", json_sprintf("put %s", key_of(call)), "requests", "target", "sim",
                         "commands", put_command(call), "before", "value", was, "changes", "path", key_of(call), "from", was, "to", value, "users", 1, "receipt", "value", was);
    put_leaves(call, plan, value);
    json_decref(was);
    host->done(call, plan);
    return 0;
}

/* What was there at the write is kept beside the record: "$was". */
static int put_start(struct ft_call *call, struct ft_err *reterr)
{
    const json_t *planned = host->receipt(call);
    json_t *state, *was, *list;

    (void)reterr;
    take_mode(call, "put");
    if (fails(call))
        return 0;
    state = load("state.json");
    was = json_object_get(state, key_of(call));
    if (planned && !json_equal(was ? was : json_null(), json_object_get(planned, "value") ? json_object_get(planned, "value") : json_null())) {
        json_decref(state);
        host->fail(call, FT_CONFLICT, "%s has changed since it was looked at", key_of(call));
        return 0;
    }
    list = json_object_get(state, "$was");
    if (!list) {
        list = json_array();
        json_object_set_new(state, "$was", list);
    }
    json_array_append(list, was ? was : json_null());
    save("state.json", state);
    do_set(call, "put");
    host->done(call, json_pack("{s:b}", "ok", 1));
    return 0;
}

/* ---- add: not idempotent, no probe, no undo */

static int add_start(struct ft_call *call, struct ft_err *reterr)
{
    struct state *st = host->state(call);
    json_t *state;
    json_int_t n;

    (void)reterr;
    take_mode(call, "add");
    if (strcmp(st->mode, "ambiguous_not") == 0) {
        host->fail(call, FT_AMBIGUOUS, "the answer was lost");
        return 0;
    }
    if (fails(call))
        return 0;
    state = load("state.json");
    record(state, "add", host->params(call));
    n = json_integer_value(json_object_get(state, key_of(call))) + 1;
    json_object_set_new(state, key_of(call), json_integer(n));
    save("state.json", state);
    if (strcmp(st->mode, "ambiguous_done") == 0)
        host->fail(call, FT_AMBIGUOUS, "the answer was lost");
    else
        host->done(call, json_pack("{s:I}", "n", n));
    return 0;
}

/* ---- the description */

static const char get_params[] = "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"key\"],\"properties\":{\"key\":{\"type\":\"string\"}}}";
static const char get_result[] = "{\"type\":\"object\",\"required\":[\"found\"],\"properties\":{\"found\":{\"type\":\"boolean\"},\"value\":{}}}";
static const char set_params[] =
    "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"key\",\"value\"],\"properties\":{\"key\":{\"type\":\"string\"},\"value\":{},"
    "\"device\":{\"type\":\"string\"},\"site\":{\"type\":\"string\"}}}";
static const char set_result[] = "{\"type\":\"object\",\"properties\":{\"ok\":{\"type\":\"boolean\"}}}";
static const char add_result[] = "{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\"}}}";
static const char config[] = "{\"type\":\"object\",\"required\":[\"dir\"],\"properties\":{\"dir\":{\"type\":\"string\"},\"token\":{\"type\":\"string\",\"x-secret\":true}}}";

static const struct ft_action get = {
    .size = sizeof(get), .name = "get", .summary = "read a key", .effects = FT_EFFECT_READ, .params_schema = get_params, .result_schema = get_result,
    .state_size = sizeof(struct state), .run = { .start = get_start },
};
static const struct ft_action set = {
    .size = sizeof(set), .name = "set", .summary = "write a key", .effects = FT_EFFECT_WRITE, .params_schema = set_params, .result_schema = set_result,
    .state_size = sizeof(struct state), .run = { .start = set_start }, .plan = { .start = set_plan }, .undo = { .start = set_undo }, .probe = { .start = set_probe },
};
static const struct ft_action put = {
    .size = sizeof(put), .name = "put", .summary = "write a key, with all that a plan may say", .effects = FT_EFFECT_WRITE, .params_schema = set_params,
    .result_schema = set_result, .state_size = sizeof(struct state), .run = { .start = put_start }, .plan = { .start = put_plan }, .undo = { .start = set_undo },
};
static const struct ft_action blind = {
    .size = sizeof(blind), .name = "blind", .summary = "write a key without plan, undo or probe", .effects = FT_EFFECT_DISRUPTIVE, .params_schema = set_params,
    .result_schema = set_result, .state_size = sizeof(struct state), .run = { .start = set_start },
};
static const struct ft_action dim = {
    .size = sizeof(dim), .name = "dim", .summary = "write a key; its undo removes it, and nothing can be looked at", .effects = FT_EFFECT_WRITE, .params_schema = set_params,
    .result_schema = set_result, .state_size = sizeof(struct state), .run = { .start = set_start }, .undo = { .start = set_undo },
};
static const struct ft_action idem = {
    .size = sizeof(idem), .name = "idem", .summary = "write a key, safe to repeat", .effects = FT_EFFECT_WRITE | FT_EFFECT_IDEMPOTENT, .params_schema = set_params,
    .result_schema = set_result, .state_size = sizeof(struct state), .run = { .start = set_start },
};
static const struct ft_action add = {
    .size = sizeof(add), .name = "add", .summary = "count a key up", .effects = FT_EFFECT_WRITE, .params_schema = get_params, .result_schema = add_result,
    .state_size = sizeof(struct state), .run = { .start = add_start },
};

static const struct ft_action *const actions[] = { &get, &set, &put, &blind, &dim, &idem, &add, NULL };

FT_EXPORT const struct ft_plugin ft_plugin = {
    FT_PLUGIN_HEADER, .name = "sim", .version = "1.0", .summary = "a device made of one file, for tests", .capabilities = "", .config_schema = config,
    .open = sim_open, .actions = actions,
};
