/* errors.c: which ports count errors. */
#include <stdlib.h>
#include <string.h>
#include "cli.h"
#include "config.h"

static const char *const counters[] = { "errors_in", "errors_out", "crc", "drops_in", "drops_out" };

/* A port with what it counts; NULL where the switch does not tell. */
static json_t *blank(const char *port)
{
    json_t *row = json_object();

    json_object_set_new(row, "port", cli_text(port, strlen(port)));
    for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
        json_object_set_new(row, counters[i], json_null());
    json_object_set_new(row, "flaps", json_null());
    json_object_set_new(row, "cleared", json_null());
    return row;
}

static void count(json_t *row, const char *key, const char *text)
{
    if (text)
        json_object_set_new(row, key, json_integer(strtoll(text, NULL, 10)));
}

/* ---- Junos ---- */

static json_t *junos_rows(const json_t *root)
{
    json_t *list = json_array(), *all = junos_all(root, "physical-interface"), *item;
    size_t i;

    json_array_foreach(all, i, item) {
        const json_t *in = json_array_get(ft_get(item, "input-error-list"), 0), *out = json_array_get(ft_get(item, "output-error-list"), 0);
        const json_t *mac = json_array_get(ft_get(item, "ethernet-mac-statistics"), 0);
        const char *cleared = junos_text(item, "statistics-cleared");
        json_t *row;

        if (!junos_text(item, "name") || (!in && !out))
            continue;
        row = blank(junos_text(item, "name"));
        count(row, "errors_in", junos_text(in, "input-errors"));
        count(row, "errors_out", junos_text(out, "output-errors"));
        count(row, "crc", junos_text(mac, "input-crc-errors") ?: junos_text(in, "framing-errors"));
        count(row, "drops_in", junos_text(in, "input-drops"));
        count(row, "drops_out", junos_text(out, "output-drops"));
        count(row, "flaps", junos_text(out, "carrier-transitions"));
        if (cleared)
            json_object_set_new(row, "cleared", cli_text(cleared, strlen(cleared)));
        json_array_append_new(list, row);
    }
    json_decref(all);
    return list;
}

/* ---- IOS: show interfaces ---- */

/* "     5 input errors, 2 CRC, 0 frame": the number before the words, within this port's lines. */
static void count_before(json_t *row, const char *key, const char *text, size_t len, const char *words)
{
    const char *at = memmem(text, len, words, strlen(words)), *from = at;

    if (!at)
        return;
    while (from > text && strchr(" ", from[-1]))
        from--;
    while (from > text && from[-1] >= '0' && from[-1] <= '9')
        from--;
    if (from < at && *from >= '0' && *from <= '9')
        count(row, key, from);
}

static void count_behind(json_t *row, const char *key, const char *text, size_t len, const char *words)
{
    const char *at = memmem(text, len, words, strlen(words));

    if (at)
        count(row, key, at + strlen(words));
}

static json_t *ios_row(const char *text, size_t len)
{
    char name[64];
    const char *cleared = memmem(text, len, "Last clearing of \"show interface\" counters ", 43);
    json_t *row;

    snprintf(name, sizeof(name), "%.*s", (int)strcspn(text, " "), text);
    row = blank(name);
    count_before(row, "errors_in", text, len, " input errors");
    count_before(row, "errors_out", text, len, " output errors");
    count_before(row, "crc", text, len, " CRC");
    count_behind(row, "drops_out", text, len, "Total output drops: ");
    if (cleared)
        json_object_set_new(row, "cleared", cli_text(cleared + 43, strcspn(cleared + 43, "\n")));
    return row;
}

static json_t *ios_rows(const char *text)
{
    json_t *list = json_array();

    while (*text) {
        size_t len = strcspn(text, "\n"), whole = len + (text[len] == '\n');
        bool begins = *text != ' ' && memmem(text, len, " line protocol is ", 18) && memmem(text, len, " is ", 4);

        if (!begins) {
            text += whole;
            continue;
        }
        while (text[whole] == ' ')                  /* everything of a port is indented */
            whole += strcspn(text + whole, "\n") + (text[whole + strcspn(text + whole, "\n")] == '\n');
        json_array_append_new(list, ios_row(text, whole));
        text += whole;
    }
    return list;
}

/* ---- EOS ---- */

static json_t *eos_rows(const json_t *root)
{
    json_t *list = json_array(), *of_port;
    const char *port;

    json_object_foreach(json_object_get(root, "interfaceErrorCounters"), port, of_port) {
        json_t *row = blank(port);

        json_object_set_new(row, "errors_in", json_integer(ft_int(of_port, "inErrors")));
        json_object_set_new(row, "errors_out", json_integer(ft_int(of_port, "outErrors")));
        json_object_set_new(row, "crc", json_integer(ft_int(of_port, "fcsErrors")));
        json_array_append_new(list, row);
    }
    return list;
}

/* ---- the action ---- */

static json_int_t sum_of(const json_t *row)
{
    json_int_t sum = 0;

    for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
        json_int_t n = ft_int(row, counters[i]);

        sum = n > 0 && sum < (json_int_t)1 << 60 && n < (json_int_t)1 << 60 ? sum + n : sum;
    }
    return sum;
}

static bool on_port(const json_t *row, const char *port)
{
    return !port || cli_same_port(ft_str(row, "port"), port);
}

static void rows_read(struct ft_call *call, json_t *rows)
{
    const struct sw *st = host->state(call);
    bool all = ft_true(host->params(call), "all");
    const char *worst = NULL;
    json_int_t most = 0, looked = 0;
    json_t *list = json_array(), *row, *result;
    size_t i;

    json_array_foreach(rows, i, row) {
        json_int_t sum = sum_of(row);

        if (!on_port(row, st->port))
            continue;
        looked++;
        if (sum > most)
            most = sum, worst = ft_str(row, "port");
        if (sum || all || st->port)
            json_array_append(list, row);
    }
    result = json_pack("{s:I, s:i, s:s?, s:o}", "looked_at", looked, "count", (int)json_array_size(list), "worst", worst, "ports", list);
    if (st->port && !looked)
        sw_fail(call, FT_NOT_FOUND, "there is no port %s on %s", st->port, st->name), json_decref(result);
    else
        sw_done(call, result);
    json_decref(rows);
}

static void answered(struct ft_call *call)
{
    struct sw *st = host->state(call);
    struct ft_err err = { 0 };
    json_t *root = NULL, *rows = NULL;

    if (st->vendor == &vendor_ios) {
        rows = ios_rows(st->answers[0]);
    } else {
        root = st->trees[0] ? json_incref(st->trees[0]) : junos_json(st->answers[0], &err);
        rows = !root ? NULL : st->vendor == &vendor_eos ? eos_rows(root) : junos_rows(root);
    }
    json_decref(root);
    if (!rows)
        sw_fail(call, err.class ? err.class : FT_INVALID, "%s: %s", st->name, err.text);
    else
        rows_read(call, rows);
}

static int errors_run(struct ft_call *call, struct ft_err *reterr)
{
    const struct sw *st = host->state(call);
    const char *port, *command;
    int r = sw_begin(call, PHASE_RUN, reterr);

    if (r < 0)
        return r;
    port = st->port ? host->printf(call, " %s", st->port) : "";
    if (st->vendor->commits)
        command = host->printf(call, "show interfaces%s extensive | display json | no-more", port);
    else if (st->vendor == &vendor_ios)
        command = host->printf(call, "show interfaces%s", port);
    else if (st->vendor == &vendor_eos)
        command = "show interfaces counters errors | json";
    else
        return sw_error(reterr, FT_INVALID, "errors of ports are not supported on %s ('%s')", st->vendor->name, st->name);
    sw_commands(call, &command, 1, answered);
    return 0;
}

static const char errors_params[] = JSON({"type": "object", "additionalProperties": false, "required": ["device"], "properties": {
    "device": {"type": "string", "minLength": 1, "description": "the switch: its name in the configuration, or its address or an alias there"},
    "port": {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9/:._-]{0,62}$", "description": "only this port"},
    "all": {"type": "boolean", "default": false, "description": "true: ports without errors too"}}});
static const char errors_result[] = JSON({"type": "object", "properties": {
    "looked_at": {"type": "integer", "description": "ports that were looked at"}, "count": {"type": "integer", "description": "ports in the list"},
    "worst": {"type": ["string", "null"], "description": "the port that counts most; null: none counts any"},
    "ports": {"type": "array", "description": "ports with errors", "items": {"type": "object", "properties": {
        "port": {"type": "string", "description": "the port"},
        "errors_in": {"type": ["integer", "null"], "description": "input errors; all counters since they were last cleared"},
        "errors_out": {"type": ["integer", "null"], "description": "output errors"}, "crc": {"type": ["integer", "null"], "description": "frames with a wrong checksum: cable, plug, duplex"},
        "drops_in": {"type": ["integer", "null"], "description": "dropped on the way in"}, "drops_out": {"type": ["integer", "null"], "description": "dropped on the way out: the queue was full"},
        "flaps": {"type": ["integer", "null"], "description": "times that the link went up or down"},
        "cleared": {"type": ["string", "null"], "description": "when the counters were cleared, as the switch says it"}}}}}});

const struct ft_action switch_errors = {
    .size = sizeof(switch_errors), .name = "errors", .summary = "ports that count errors", .effects = FT_EFFECT_READ,
    .params_schema = errors_params, .result_schema = errors_result, .state_size = sizeof(struct sw), .run = { errors_run, sw_cancel }, .timeout_ms = 60000,
    .about = "Counters only: two looks some minutes apart tell whether they still grow. On junos, ios and eos.",
    .example = "run: switch.errors\nwith: {device: sw-3}\n",
};
