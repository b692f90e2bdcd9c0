/* config_files.c: configurations as files: backup, and what differs from one. And what any NETCONF server answers to <get> and <get-config>. */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "cli.h"
#include "dialect.h"
#include "textdiff.h"

/* ---- the running configuration as text ---- */

static const char *config_command(struct ft_call *call, const char *format)
{
    const struct sw *st = host->state(call);

    if (st->vendor->commits)
        return ft_same(format, "text") ? "show configuration | no-more" : "show configuration | display set | no-more";
    return st->vendor == &vendor_netconf ? "get-config" : "show running-config";
}

/* What IOS says before its configuration is none, and differs from time to time. */
static char *only_config(struct ft_call *call, const char *text)
{
    const char *from = strstr(text, "Current configuration");

    if (from)
        text = from + strcspn(from, "\n");
    text += strspn(text, "\n");
    return host->printf(call, "%s", text);
}

static void take_rpc(struct ft_call *call)
{
    struct sw *st = host->state(call);

    st->asked(call);
}

/* then: the text is in st->answers[0]. */
static void fetch(struct ft_call *call, const char *command, void (*then)(struct ft_call *call))
{
    struct sw *st = host->state(call);
    struct step *step;

    if (st->vendor != &vendor_netconf) {
        const char *commands[] = { command, "show daemons" };

        sw_commands(call, commands, st->vendor == &vendor_frr ? 2 : 1, then);
        return;
    }
    step = host->alloc(call, sizeof(*step));
    *step = (struct step){ .send = "get-config", .rpc = "<get-config><source><running/></source></get-config>", .save = &st->answers[0] };
    st->asked = then;
    sw_say(call, step, 1, take_rpc);
}

/* FRR leaves out what belongs to a daemon that is away, without a word: most of it, where that is zebra. */
static bool is_whole(struct ft_call *call)
{
    const struct sw *st = host->state(call);

    if (st->vendor != &vendor_frr || strstr(st->answers[1], "zebra"))
        return true;
    sw_fail(call, FT_REFUSED, "%s: zebra is not running there, so its running configuration is not whole", st->name);
    return false;
}

/* ---- backup ---- */

static const char *file_name(struct ft_call *call)
{
    const struct sw *st = host->state(call);
    const char *path = ft_str(host->params(call), "file") ?: ft_str(host->receipt(call), "file");
    time_t now = (time_t)(host->wall_ms(call) / 1000);
    struct tm tm;
    char when[32];

    if (path)
        return path;
    gmtime_r(&now, &tm);
    strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", &tm);
    return host->printf(call, "configs/%s/%s-%s.%s", st->name, when, host->run_id(call), st->vendor == &vendor_netconf ? "xml" : "conf");
}

static void written(struct ft_call *call, const struct ft_file_res *file)
{
    const struct sw *st = host->state(call);
    size_t lines = 0;

    if (file->class != FT_CLASS_NONE) {
        sw_fail(call, file->class, "%s", file->error);
        return;
    }
    for (const char *p = st->answers[0]; *p; p++)
        lines += *p == '\n';
    sw_done(call, json_pack("{s:s, s:s, s:s, s:I, s:I}", "device", st->name, "file", file->path, "sha256", file->sha256, "bytes", (json_int_t)file->len,
                            "lines", (json_int_t)lines));
}

static void fetched(struct ft_call *call)
{
    struct sw *st = host->state(call);
    struct ft_err err = { 0 };
    char *text = only_config(call, st->answers[0]);

    if (!is_whole(call))
        return;
    if (!text || !*text) {
        sw_fail(call, FT_INVALID, "%s gave an empty configuration: may this user see it", st->name);
        return;
    }
    st->answers[0] = text;
    if (host->file_write(call, file_name(call), text, strlen(text), written, &err) < 0)
        sw_fail(call, err.class ? err.class : FT_INVALID, "%s", err.text);
}

static int backup_run(struct ft_call *call, struct ft_err *reterr)
{
    int r = sw_begin(call, PHASE_RUN, reterr);

    if (r == 0)
        fetch(call, config_command(call, ft_str(host->params(call), "format")), fetched);
    return r;
}

static int backup_plan(struct ft_call *call, struct ft_err *reterr)
{
    const struct sw *st = host->state(call);
    int r = sw_begin(call, PHASE_PLAN, reterr);
    const char *file;

    if (r < 0)
        return r;
    file = file_name(call);
    sw_done(call, json_pack("{s:o, s:[{s:s, s:[s]}, {s:s, s:s}], s:{s:s}}", "summary", json_sprintf("back up the configuration of %s to %s", st->name, file),
                            "requests", "target", st->name, "commands", config_command(call, ft_str(host->params(call), "format")),
                            "target", "this machine", "file", file, "receipt", "file", file));
    return 0;
}

/* ---- difference ---- */

static bool is_set_text(const char *text)
{
    text += strspn(text, " \t\r\n");
    return strncmp(text, "set ", 4) == 0 || strncmp(text, "deactivate ", 11) == 0 || strncmp(text, "activate ", 9) == 0;
}

/* Comments (with times in them) are no difference. */
static char *without_comments(struct ft_call *call, const char *text)
{
    const struct sw *st = host->state(call);
    char *out = host->alloc(call, strlen(text) + 1), *to = out;

    while (out && *text) {
        size_t len = strcspn(text, "\n"), whole = len + (text[len] == '\n');
        bool comment = st->vendor->commits ? *text == '#' : *text == '!' || strncmp(text, "Building configuration", 22) == 0 || strncmp(text, "Current configuration", 21) == 0;

        if (!comment && (len || st->vendor->commits)) {
            memcpy(to, text, whole);
            to += whole;
        }
        text += whole;
    }
    if (out)
        *to = '\0';
    return out;
}

static void diff_done(struct ft_call *call, char *diff, const char *against)
{
    struct sw *st = host->state(call);
    json_int_t come = 0, gone = 0;
    json_t *result;

    st->diff = host->printf(call, "%s", diff ? diff : "");
    free(diff);
    for (const char *line = st->diff; *line; line += strcspn(line, "\n") + (line[strcspn(line, "\n")] == '\n')) {
        come += *line == '+' && strncmp(line, "+++", 3) != 0;
        gone += *line == '-' && strncmp(line, "---", 3) != 0;
    }
    result = config_result(call, false);
    sw_done(call, json_pack("{s:b, s:s, s:s, s:I, s:I, s:O}", "differs", come || gone, "device", st->name, "against", against, "added", come, "removed", gone,
                            "diff", json_object_get(result, "diff")));
    json_decref(result);
}

static void compared(struct ft_call *call)
{
    const struct sw *st = host->state(call);

    diff_done(call, strdup(st->answers[0]), host->printf(call, "rollback %d", (int)ft_int(host->params(call), "rollback")));
}

static void fetched_for_diff(struct ft_call *call)
{
    const struct sw *st = host->state(call);
    const char *running = without_comments(call, only_config(call, st->answers[0]) ?: ""), *file = without_comments(call, st->before);

    if (!is_whole(call))
        return;
    if (!running || !file)
        sw_fail(call, FT_INVALID, "%s: the configurations are longer than a call may keep", st->name);
    else
        diff_done(call, is_set_text(file) ? text_set_diff(file, running) : text_diff(file, running), ft_str(host->params(call), "file"));
}

static void file_read(struct ft_call *call, const struct ft_file_res *file)
{
    struct sw *st = host->state(call);

    if (file->class != FT_CLASS_NONE) {
        sw_fail(call, file->class, "%s", file->error);
        return;
    }
    st->before = only_config(call, file->bytes);
    if (!st->before)
        sw_fail(call, FT_INVALID, "%s is longer than a call may keep", file->path);
    else
        fetch(call, config_command(call, is_set_text(st->before) ? "set" : "text"), fetched_for_diff);
}

static int diff_run(struct ft_call *call, struct ft_err *reterr)
{
    struct sw *st = host->state(call);
    const json_t *params = host->params(call), *rollback = ft_get(params, "rollback");
    const char *file = ft_str(params, "file"), *command;
    int r = sw_begin(call, PHASE_RUN, reterr);

    if (r < 0)
        return r;
    if (!file == !rollback)
        return sw_error(reterr, FT_INVALID, "give either `file` or `rollback`");
    if (file)
        return host->file_read(call, file, (size_t)2 << 20, file_read, reterr);
    if (!st->vendor->commits)
        return sw_error(reterr, FT_INVALID, "`rollback` is not supported on %s ('%s'): compare with a file", st->vendor->name, st->name);
    command = host->printf(call, "show configuration | compare rollback %d | no-more", (int)json_integer_value(rollback));
    sw_commands(call, &command, 1, compared);
    return 0;
}

/* ---- <get>, <get-config> ---- */

static void got(struct ft_call *call, const struct nc_message *reply)
{
    const struct sw *st = host->state(call);
    json_t *tree;
    char *xml;

    if (reply->failed) {
        sw_fail(call, reply->class, "%s answered '%s' with: %s", st->name, st->sent, reply->error);
        return;
    }
    xml = nc_inner_xml(reply, "data", true);           /* masks in place: the structure behind it is masked too */
    tree = nc_json(reply);
    sw_done(call, json_pack("{s:s, s:s, s:O?}", "device", st->name, "xml", xml ? xml : "", "json", json_array_get(json_object_get(tree, "data"), 0)));
    json_decref(tree);
    free(xml);
}

static int get_run(struct ft_call *call, struct ft_err *reterr)
{
    const struct sw *st = host->state(call);
    const json_t *params = host->params(call);
    const char *source = ft_str(params, "source"), *filter = ft_str(params, "filter");
    bool state = ft_same(source, "state");
    char why[100];
    int r = sw_begin(call, PHASE_RUN, reterr);

    if (r < 0)
        return r;
    if (!st->netconf)
        return sw_error(reterr, FT_INVALID, "'%s' is spoken to by its command line: set transport: netconf for it, or use switch.show", st->name);
    if (filter && !nc_is_xml(filter, why, sizeof(why)))
        return sw_error(reterr, FT_INVALID, "the filter is not usable as XML: %s", why);
    filter = filter ? host->printf(call, "<filter type=\"subtree\">%s</filter>", filter) : "";
    nc_rpc(call, state ? host->printf(call, "<get>%s</get>", filter) : host->printf(call, "<get-config><source><%s/></source>%s</get-config>", source, filter),
           state ? "get" : "get-config", got);
    return 0;
}

/* ---- descriptions ---- */

#define DEVICE JSON("device": {"type": "string", "minLength": 1, "description": "the switch: its name in the configuration, or its address or an alias there"})

static const char backup_params[] = "{\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"device\"], \"properties\": {" DEVICE ", "
    JSON("file": {"type": "string", "minLength": 1, "description": "where to; a relative path lies below the data folder's files/. When left out: configs/DEVICE/TIME-RUN.conf there"},
         "format": {"enum": ["set", "text"], "default": "set", "description": "Junos: set lines, or the form with braces"}) "}}";
static const char backup_result[] = JSON({"type": "object", "properties": {
    "device": {"type": "string", "description": "the switch"}, "file": {"type": "string", "description": "the file, with its whole path"},
    "sha256": {"type": "string", "description": "of its content"}, "bytes": {"type": "integer", "description": "its length"},
    "lines": {"type": "integer", "description": "lines in it"}}});
static const char diff_params[] = "{\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"device\"], \"properties\": {" DEVICE ", "
    JSON("file": {"type": "string", "minLength": 1, "description": "a file with a configuration, such as a backup; a relative path lies below the data folder's files/"},
         "rollback": {"type": "integer", "minimum": 1, "maximum": 49, "description": "Junos: number of an older configuration"}) "}}";
static const char diff_result[] = JSON({"type": "object", "properties": {
    "differs": {"type": "boolean", "description": "the running configuration is another one"}, "device": {"type": "string", "description": "the switch"},
    "against": {"type": "string", "description": "what it was compared with"}, "added": {"type": "integer", "description": "lines that only the running configuration has"},
    "removed": {"type": "integer", "description": "lines that it no longer has"}, "diff": {"type": "string", "description": "the lines, with + and -; secrets are masked"}}});
static const char get_params[] = "{\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"device\"], \"properties\": {" DEVICE ", "
    JSON("source": {"enum": ["running", "candidate", "startup", "state"], "default": "running", "description": "which configuration; state: configuration and state, by <get>"},
         "filter": {"type": "string", "minLength": 3, "maxLength": 10000, "description": "a subtree filter, as XML; everything when left out"}) "}}";
static const char get_result[] = JSON({"type": "object", "properties": {
    "device": {"type": "string", "description": "the switch"}, "xml": {"type": "string", "description": "what it answered; secrets are masked"},
    "json": {"description": "the same as structure: every element a list, a leaf [{data}], attributes under attributes"}}});

const struct ft_action switch_config_backup = {
    .size = sizeof(switch_config_backup), .name = "config_backup", .summary = "the running configuration into a file", .effects = FT_EFFECT_WRITE | FT_EFFECT_IDEMPOTENT,
    .params_schema = backup_params, .result_schema = backup_result, .state_size = sizeof(struct sw),
    .run = { backup_run, sw_cancel }, .plan = { backup_plan, sw_cancel }, .timeout_ms = 120000,
    .about = "Writes a file on this machine; nothing on the switch. The file holds the configuration whole, with the secrets that the switch shows to this user, and is "
             "readable for fettle's user only. It is never overwritten: another content under the same name is a `conflict`.",
    .example = "run: switch.config_backup\nwith: {device: sw-3}\nundo: none\n",
};

const struct ft_action switch_config_diff = {
    .size = sizeof(switch_config_diff), .name = "config_diff", .summary = "how the running configuration differs", .effects = FT_EFFECT_READ,
    .params_schema = diff_params, .result_schema = diff_result, .state_size = sizeof(struct sw), .run = { diff_run, sw_cancel }, .timeout_ms = 120000,
    .about = "From a file (a backup, or what it should be), or on Junos from an older configuration. Set lines are compared as a set, everything else line by line; "
             "comments do not count.",
    .example = "run: switch.config_diff\nwith: {device: sw-3, rollback: 1}\n",
};

const struct ft_action switch_netconf_get = {
    .size = sizeof(switch_netconf_get), .name = "netconf_get", .summary = "any part of configuration or state, by NETCONF", .effects = FT_EFFECT_READ,
    .params_schema = get_params, .result_schema = get_result, .state_size = sizeof(struct sw), .run = { get_run, sw_cancel }, .timeout_ms = 120000,
    .about = "For switches with `transport: netconf`, of any vendor. Answers up to 4 MiB.",
    .example = "run: switch.netconf_get\nwith:\n  device: sw-3\n  filter: <configuration><vlans/></configuration>\n",
};
