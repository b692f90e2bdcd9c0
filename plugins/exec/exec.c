/* exec.c: one program of the administrator's choice, with arguments as a list, text or JSON in and out. Never a shell.
 *
 * Which programs may be started stands in the configuration, and nowhere else: a playbook can choose among them, and can hand them arguments, input and
 * variables; it cannot bring a program of its own, nor change how one is found (PATH, LD_*). */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <fettle/kit.h>

#define MAX_ARGS 100
#define MAX_ENV 50
#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"

static const struct ft_host *host;

struct run {
    const char *argv[MAX_ARGS + 1], *env[MAX_ENV + 3];
    size_t env_count;
    char *input;                       /* of the call's memory */
    uint64_t began_ms;
    struct ft_exec_req req;
};

/* ---- Which program ---- */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* The allowed program that `asked` means: its own text, or the last part of a path that is allowed. NULL: none. */
static const char *allowed(const json_t *config, const char *asked)
{
    const json_t *list = ft_get(config, "allow"), *item;
    size_t i;

    json_array_foreach(list, i, item) {
        const char *text = json_string_value(item);

        if (ft_same(text, asked) || (!strchr(asked, '/') && ft_same(base_name(text), asked)))
            return text;
    }
    return NULL;
}

static int pick_program(struct ft_call *call, struct run *st, struct ft_err *reterr)
{
    const char *program = allowed(host->config(call), st->argv[0]);

    if (!program)
        return ft_fault(reterr, FT_DENIED, "'%.200s' is not among the programs that may be started: add it to plugins.exec.allow if it should be", st->argv[0]);
    st->argv[0] = program;
    return 0;
}

/* ---- Arguments, variables, input ---- */

static const char *scalar_text(struct ft_call *call, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_INTEGER: return host->printf(call, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    case JSON_REAL:    return host->printf(call, "%.15g", json_real_value(value));
    case JSON_TRUE:    return "true";
    case JSON_FALSE:   return "false";
    default:           return json_string_value(value);
    }
}

/* A NUL would cut the text short for the program, and it would do something else than the plan says. */
static bool has_nul(const json_t *value)
{
    return json_is_string(value) && strlen(json_string_value(value)) != json_string_length(value);
}

static const char *secret_within(const json_t *secrets, const char *text)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)secrets, name, value) {
        if (json_string_length(value) >= 4 && strstr(text, json_string_value(value)))
            return name;
    }
    return NULL;
}

static int pick_arguments(struct ft_call *call, struct run *st, struct ft_err *reterr)
{
    const json_t *argv = ft_get(host->params(call), "argv"), *item;
    size_t i;

    json_array_foreach(argv, i, item) {
        const char *secret;

        if (has_nul(item))
            return ft_fault(reterr, FT_INVALID, "argv[%zu] has a NUL character in it", i);
        st->argv[i] = scalar_text(call, item);
        secret = secret_within(ft_get(host->config(call), "secrets"), st->argv[i]);
        if (secret)
            return ft_fault(reterr, FT_INVALID, "argv[%zu] holds the secret '%s', and everybody on this machine can read a program's arguments: "
                            "hand it over with secret_env", i, secret);
    }
    return pick_program(call, st, reterr);
}

/* What decides which code runs is the administrator's, so a playbook may not set it. */
static bool is_reserved(const char *name)
{
    static const char *const reserved[] = { "PATH", "BASH_ENV", "ENV", "IFS", "SHELLOPTS", "BASHOPTS", "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PERL5LIB", "PERL5OPT",
                                            "PERLLIB", "RUBYLIB", "RUBYOPT", "NODE_OPTIONS", "NODE_PATH", "GCONV_PATH", "LUA_PATH", "LUA_CPATH", "LUA_INIT", NULL };

    if (strncmp(name, "LD_", 3) == 0)
        return true;
    for (const char *const *r = reserved; *r; r++) {
        if (strcmp(name, *r) == 0)
            return true;
    }
    return false;
}

static int add_variable(struct ft_call *call, struct run *st, const char *name, const json_t *value, struct ft_err *reterr)
{
    size_t len = strlen(name);

    if (st->env_count == MAX_ENV)
        return ft_fault(reterr, FT_INVALID, "more than %d variables are too many", MAX_ENV);
    if (has_nul(value))
        return ft_fault(reterr, FT_INVALID, "the variable %s has a NUL character in it", name);
    for (size_t i = 0; i < st->env_count; i++) {
        if (strncmp(st->env[i], name, len) == 0 && st->env[i][len] == '=') {
            st->env[i] = host->printf(call, "%s=%s", name, scalar_text(call, value));
            return 0;
        }
    }
    st->env[st->env_count++] = host->printf(call, "%s=%s", name, scalar_text(call, value));
    return 0;
}

/* The whole environment: PATH and LANG, then what the configuration says, then the step's. */
static int pick_environment(struct ft_call *call, struct run *st, struct ft_err *reterr)
{
    const json_t *config = host->config(call), *params = host->params(call);
    const char *name;
    json_t *value;
    int r = 0;

    st->env[st->env_count++] = host->printf(call, "PATH=%s", getenv("PATH") ?: DEFAULT_PATH);
    st->env[st->env_count++] = host->printf(call, "LANG=%s", getenv("LANG") ?: "C.UTF-8");
    json_object_foreach((json_t *)ft_get(config, "env"), name, value) {
        if (r == 0)
            r = add_variable(call, st, name, value, reterr);
    }
    json_object_foreach((json_t *)ft_get(params, "env"), name, value) {
        if (r == 0 && is_reserved(name))
            r = ft_fault(reterr, FT_DENIED, "a playbook may not set %s, which decides what code runs: it can be set in plugins.exec.env", name);
        if (r == 0)
            r = add_variable(call, st, name, value, reterr);
    }
    json_object_foreach((json_t *)ft_get(params, "secret_env"), name, value) {
        const json_t *secret = ft_get(ft_get(config, "secrets"), json_string_value(value));

        if (r == 0 && is_reserved(name))
            r = ft_fault(reterr, FT_DENIED, "a playbook may not set %s, which decides what code runs", name);
        if (r == 0 && !secret)
            r = ft_fault(reterr, FT_NOT_FOUND, "there is no secret '%s' in the configuration: add plugins.exec.secrets.%s", json_string_value(value), json_string_value(value));
        if (r == 0)
            r = add_variable(call, st, name, secret, reterr);
    }
    return r;
}

static int pick_input(struct ft_call *call, struct run *st, struct ft_err *reterr)
{
    const json_t *text = ft_get(host->params(call), "input"), *json = ft_get(host->params(call), "input_json");
    size_t len;

    if (json) {
        len = json_dumpb(json, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY);
        st->input = host->alloc(call, len + 1);
        if (!len || json_dumpb(json, st->input, len, JSON_COMPACT | JSON_ENCODE_ANY) != len)
            return ft_fault(reterr, FT_INVALID, "input_json cannot be written as JSON");
        st->input[len] = '\n';                          /* programs that read by the line wait for it */
        st->req.input = st->input;
        st->req.input_len = len + 1;
    } else if (text) {
        st->req.input = json_string_value(text);
        st->req.input_len = json_string_length(text);
    }
    return 0;
}

/* The one place where a command is made: plan and run cannot differ. */
static int build(struct ft_call *call, struct ft_err *reterr)
{
    struct run *st = host->state(call);
    int r;

    st->req = (struct ft_exec_req){ .size = sizeof(st->req), .argv = st->argv, .env = st->env, .max_output = (size_t)ft_int(host->params(call), "max_kib") * 1024 };
    r = pick_arguments(call, st, reterr);
    if (r == 0)
        r = pick_environment(call, st, reterr);
    return r < 0 ? r : pick_input(call, st, reterr);
}

/* ---- run ---- */

static bool is_ok(const json_t *list, int status)
{
    const json_t *item;
    size_t i;

    if (!list)
        return status == 0;
    json_array_foreach(list, i, item) {
        if (json_integer_value(item) == status)
            return true;
    }
    return false;
}

/* The last three lines of what it said, as one line that can stand in a sentence. */
static const char *last_words(struct ft_call *call, const struct ft_exec_res *res)
{
    const char *from = res->err_len ? res->err : res->out;
    size_t len = res->err_len ? res->err_len : res->out_len, start, n = 0;
    char *text;

    while (len && isspace((unsigned char)from[len - 1]))
        len--;
    start = len;
    for (unsigned lines = 0; start && len - start < 400; start--) {
        if (from[start - 1] == '\n' && ++lines == 3)
            break;
    }
    text = host->alloc(call, 2 * (len - start) + 1);
    for (size_t i = start; i < len; i++) {
        unsigned char c = (unsigned char)from[i];

        if (c == '\n') {
            text[n++] = ' ';
            text[n++] = '|';
            text[n++] = ' ';
            while (i + 1 < len && isspace((unsigned char)from[i + 1]))
                i++;
        } else {
            text[n++] = c < ' ' || c == 0x7f ? ' ' : (char)c;
        }
    }
    text[n] = '\0';
    return text;
}

static json_t *text_json(const char *text, size_t len)
{
    json_t *value = json_stringn(text ? text : "", len);

    return value ? value : json_null();
}

static json_t *parsed(struct ft_call *call, const struct run *st, const struct ft_exec_res *res)
{
    json_error_t why;
    json_t *value = json_loadb(res->out ? res->out : "", res->out_len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &why);

    if (value)
        return value;
    if (res->out_len == 0)
        host->fail(call, FT_INVALID, "'%s' should have written JSON, and wrote nothing%s%s", st->argv[0], res->err_len ? "; it said: " : "", last_words(call, res));
    else
        host->fail(call, FT_INVALID, "'%s' should have written JSON: %s (line %d, column %d)", st->argv[0], why.text, why.line, why.column);
    return NULL;
}

static void exited(struct ft_call *call, const struct ft_exec_res *res)
{
    const struct run *st = host->state(call);
    const json_t *params = host->params(call);
    json_t *json = NULL;

    if (res->error) {
        host->fail(call, res->class, "'%s': %s", st->argv[0], res->error);
        return;
    }
    if (!is_ok(ft_get(params, "ok_status"), res->exit_status)) {
        const char *said = last_words(call, res);

        host->fail(call, FT_REFUSED, "'%s' ended with status %d%s%s", st->argv[0], res->exit_status, *said ? ": " : ", and said nothing", said);
        return;
    }
    if (ft_true(params, "json") && !(json = parsed(call, st, res)))
        return;
    host->done(call, json_pack("{s:i, s:o, s:o, s:o, s:I, s:I}", "status", res->exit_status, "out", text_json(res->out, res->out_len),
                               "err", text_json(res->err, res->err_len), "json", json ? json : json_null(), "bytes", (json_int_t)res->out_len,
                               "ms", (json_int_t)(host->wall_ms(call) - st->began_ms)));
}

static int command_start(struct ft_call *call, struct ft_err *reterr)
{
    struct run *st = host->state(call);
    int r = build(call, reterr);

    st->began_ms = host->wall_ms(call);
    return r < 0 ? r : host->exec(call, &st->req, exited, reterr);
}

/* ---- plan ---- */

/* As a shell would have to be given it, so that it can be read, and tried by hand. */
static char *quoted(struct ft_call *call, const char *text)
{
    char *out, *p;

    if (*text && text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%+,-./:=@_")] == '\0')
        return host->printf(call, "%s", text);
    p = out = host->alloc(call, 4 * strlen(text) + 3);
    *p++ = '\'';
    for (; *text; text++) {
        if (*text == '\'')
            p = stpcpy(p, "'\\''");
        else
            *p++ = *text;
    }
    strcpy(p, "'");
    return out;
}

static json_t *environment_json(struct ft_call *call, const struct run *st)
{
    const json_t *secret = ft_get(host->params(call), "secret_env");
    json_t *env = json_object();

    for (size_t i = 2; i < st->env_count; i++) {               /* not PATH and LANG */
        const char *equals = strchr(st->env[i], '=');
        const char *name = host->printf(call, "%.*s", (int)(equals - st->env[i]), st->env[i]);

        json_object_set_new(env, name, ft_get(secret, name) ? json_string("***") : json_string(equals + 1));
    }
    return env;
}

static int command_plan(struct ft_call *call, struct ft_err *reterr)
{
    struct run *st = host->state(call);
    json_t *argv, *request;
    const char *line = "";
    int r = build(call, reterr);

    if (r < 0)
        return r;
    argv = json_array();
    for (size_t i = 0; st->argv[i]; i++) {
        json_array_append_new(argv, json_string(st->argv[i]));
        line = host->printf(call, "%s%s%s", line, i ? " " : "", quoted(call, st->argv[i]));
    }
    request = json_pack("{s:s, s:[s], s:o, s:o}", "target", "this machine", "commands", line, "argv", argv, "env", environment_json(call, st));
    if (st->req.input)
        json_object_set_new(request, "input", text_json(st->req.input, st->req.input_len));
    host->done(call, json_pack("{s:o, s:[o]}", "summary", json_sprintf("start %s on this machine", base_name(st->argv[0])), "requests", request));
    return 0;
}

/* ---- Description ---- */

static const char params_schema[] = FT_JSON({"type": "object", "additionalProperties": false, "required": ["argv"], "not": {"required": ["input", "input_json"]}, "properties": {
    "argv": {"type": "array", "minItems": 1, "maxItems": 100, "items": {"type": ["string", "number", "boolean"]},
             "description": "the program, one of plugins.exec.allow, and its arguments, each one item; nothing in them is special to anybody"},
    "input": {"type": "string", "description": "text for its standard input; nothing when left out"},
    "input_json": {"description": "a value for its standard input, written as JSON in one line; not together with input"},
    "env": {"type": "object", "maxProperties": 40, "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}, "additionalProperties": {"type": ["string", "number", "boolean"]},
            "description": "environment variables besides PATH, LANG and those of the configuration"},
    "secret_env": {"type": "object", "maxProperties": 10, "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}, "additionalProperties": {"type": "string"},
                   "description": "environment variables whose values are secrets of the configuration: variable, then name under plugins.exec.secrets"},
    "json": {"type": "boolean", "default": false, "description": "its standard output is JSON: parsed into `json`, and a failure where it is not"},
    "ok_status": {"type": "array", "minItems": 1, "items": {"type": "integer", "minimum": 0, "maximum": 255}, "description": "exit statuses that are success; 0 when left out"},
    "max_kib": {"type": "integer", "minimum": 1, "maximum": 16384, "default": 1024, "description": "most that it may write to standard output, and to standard error, in KiB (1024)"}}});

static const char result_schema[] = FT_JSON({"type": "object", "required": ["status", "out", "err", "json"], "properties": {
    "status": {"type": "integer", "description": "exit status"},
    "out": {"type": ["string", "null"], "description": "standard output; null when it is not UTF-8"},
    "err": {"type": ["string", "null"], "description": "standard error; null when it is not UTF-8"},
    "json": {"description": "standard output as a value, with `json: true`; else null"},
    "bytes": {"type": "integer", "description": "length of the standard output in bytes"},
    "ms": {"type": "integer", "description": "milliseconds that it ran"}}});

static const char config_schema[] = FT_JSON({"type": "object", "additionalProperties": false, "properties": {
    "allow": {"type": "array", "uniqueItems": true, "items": {"type": "string", "pattern": "^(/.*[^/]|[^/]+)$"},
              "description": "programs that playbooks may start: absolute paths, or names that are looked up in PATH. Nothing else is started"},
    "env": {"type": "object", "additionalProperties": {"type": "string"}, "description": "environment variables of every program"},
    "secrets": {"type": "object", "additionalProperties": {"type": "string", "x-secret": true}, "description": "secrets that a step may hand to a program with secret_env, by name"}}});

static const struct ft_action command_action = {
    .size = sizeof(command_action), .name = "command", .summary = "start a program on this machine", .effects = FT_EFFECT_UNKNOWN,
    .params_schema = params_schema, .result_schema = result_schema, .state_size = sizeof(struct run),
    .run = { .start = command_start }, .plan = { .start = command_plan }, .timeout_ms = 60000,
    .about = "Counts as a write unless the step says `effect: read`. The program is started directly, never by a shell: no quoting, no wildcards, no pipes. "
             "Its environment is PATH, LANG, what the configuration says and what the step says. When the step's timeout passes, it and all that it started are "
             "ended, and a write is `ambiguous`. What it did is not known here, so it has no undo of its own: give the step an `undo`, or `undo: none`.",
    .example = "run: exec.command\neffect: read\nwith: {argv: [check-radius, --server, 10.0.0.5], input_json: {user: probe}, json: true}\n",
};

/* Two allowed paths with one name: which of them a playbook means would be a matter of luck. */
static int exec_open(const struct ft_host *the_host, const json_t *config, void **ret_instance, struct ft_err *reterr)
{
    const json_t *list = ft_get(config, "allow"), *a, *b;
    size_t i, j;

    (void)ret_instance;
    host = the_host;
    json_array_foreach(list, i, a) {
        json_array_foreach(list, j, b) {
            if (j > i && ft_same(base_name(json_string_value(a)), base_name(json_string_value(b))))
                return ft_fault(reterr, FT_INVALID, "plugins.exec.allow has two programs of the name '%s': %s and %s", base_name(json_string_value(a)),
                                json_string_value(a), json_string_value(b));
        }
    }
    return 0;
}

static const struct ft_action *const actions[] = { &command_action, NULL };

FT_EXPORT const struct ft_plugin ft_plugin = {
    FT_PLUGIN_HEADER, .name = "exec", .version = FETTLE_VERSION, .summary = "programs of your own: arguments as a list, JSON in and out",
    .capabilities = "exec", .config_schema = config_schema, .open = exec_open, .actions = actions,
};
