/* mist_device_tools.c: finding a device by its blinking light, and the tests that a device runs itself. */
#include <string.h>
#include "mist.h"

static const char *device_name(const struct mist_call *st)
{
    return st->device.name ? st->device.name : st->device.mac ? st->device.mac : st->device.id;
}

static void set_device_write(struct ft_call *call, const char *command, const char *summary, json_t *body)
{
    struct mist_call *st = mist_state(call);
    struct mist_write *w = &st->write;

    w->summary = summary;
    w->method = "POST";
    w->path = host->printf(call, "/sites/%s/devices/%s/%s", mist_escape(call, st->site_id), mist_escape(call, st->device.id), command);
    w->body = body ? mist_hold(call, body) : NULL;
    w->result = mist_hold(call, json_pack("{s:s, s:s}", "site_id", st->site_id, "device_id", st->device.id));
}

/* ---- device_locate and device_unlocate: POST /sites/{site_id}/devices/{device_id}/locate and /unlocate */

static void locate_ready(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);
    const json_t *minutes = json_object_get(host->params(call), "minutes");

    set_device_write(call, "locate", host->printf(call, "let the light of %s blink", device_name(st)), minutes ? json_pack("{s:O}", "duration", minutes) : NULL);
    st->write.users = 0;
    st->write.receipt = mist_hold(call, json_pack("{s:s, s:s}", "site_id", st->site_id, "device_id", st->device.id));
    mist_write_ready(call);
}

static void unlocate_ready(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);

    set_device_write(call, "unlocate", host->printf(call, "stop the light of %s blinking", device_name(st)), NULL);
    st->write.users = 0;
    mist_write_ready(call);
}

static void locate_begin(struct ft_call *call)
{
    mist_find_device(call, NULL, locate_ready);
}

static void unlocate_begin(struct ft_call *call)
{
    mist_find_device(call, NULL, unlocate_ready);
}

static void locate_undo_begin(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);
    const json_t *receipt = mist_receipt(call);

    if (!receipt)
        return;
    st->site_id = mist_str(receipt, "site_id");
    st->device.id = mist_str(receipt, "device_id");
    if (!st->site_id || !st->device.id)
        mist_fail(call, FT_INVALID, "the receipt names no site and device");
    else
        unlocate_ready(call);
}

MIST_BEGIN(MIST_RUN, locate_begin, locate_run)
MIST_BEGIN(MIST_PLAN, locate_begin, locate_plan)
MIST_BEGIN(MIST_UNDO, locate_undo_begin, locate_undo)
MIST_BEGIN(MIST_RUN, unlocate_begin, unlocate_run)
MIST_BEGIN(MIST_PLAN, unlocate_begin, unlocate_plan)

#define DEVICE_TOUCHED MIST_OBJ(MIST_CHANGED "," MIST_P_STR("site_id", "site of the device") "," MIST_P_STR("device_id", "id of the device"))

const struct ft_action mist_device_locate = {
    MIST_WRITE(locate_run, locate_plan), .undo = { locate_undo, mist_drop },
    .name = "device_locate", .summary = "let a device's light blink, so that somebody finds it",
    .effects = FT_EFFECT_WRITE | FT_EFFECT_IDEMPOTENT,
    .params_schema = MIST_PARAMS("\"device\"", MIST_SITE "," MIST_DEVICE ","
        JSON("minutes": {"type": "integer", "minimum": 1, "maximum": 120, "description": "switches stop after this many minutes, 5 when left out; APs blink until told to stop"})),
    .result_schema = DEVICE_TOUCHED,
    .about = "`POST /sites/{site_id}/devices/{device_id}/locate`. Nobody's traffic is touched. Undo stops the blinking.",
    .example = "- id: blink\n  run: mist.device_locate\n  with: {device: ap-3f-12, site: HQ}\n  undo: auto\n",
};

const struct ft_action mist_device_unlocate = {
    MIST_WRITE(unlocate_run, unlocate_plan),
    .name = "device_unlocate", .summary = "stop a device's light blinking",
    .effects = FT_EFFECT_WRITE | FT_EFFECT_IDEMPOTENT,
    .params_schema = MIST_PARAMS("\"device\"", MIST_SITE "," MIST_DEVICE),
    .result_schema = DEVICE_TOUCHED,
    .about = "`POST /sites/{site_id}/devices/{device_id}/unlocate`.",
    .example = "- id: found\n  run: mist.device_unlocate\n  with: {device: ap-3f-12, site: HQ}\n  undo: none\n",
};

/* ---- synthetic_test: POST /sites/{site_id}/devices/{device_id}/synthetic_test */

/* What a test cannot do without. An AP has to be told the VLAN besides. */
static const struct { const char *type, *needs[2]; } tests[] = {
    { "arp", { "ip", NULL } }, { "curl", { "url", NULL } }, { "dhcp", { NULL } }, { "dhcp6", { NULL } }, { "dns", { "hostname", NULL } },
    { "lan_connectivity", { "host", NULL } }, { "radius", { "username", "password" } }, { "speedtest", { NULL } },
};

static const char *missing(struct ft_call *call)
{
    const char *type = mist_text(call, "type");

    for (size_t i = 0; i < ARRAY_LEN(tests); i++)
        for (size_t j = 0; j < 2 && tests[i].needs[j]; j++)
            if (strcmp(tests[i].type, type) == 0 && !mist_text(call, tests[i].needs[j]))
                return tests[i].needs[j];
    return NULL;
}

static void test_ready(struct ft_call *call)
{
    static const char *const passed_on[] = { "type", "vlan_id", "ip", "url", "timeout", "hostname", "host", "protocol", "ping_count", "username", "password", "port_id" };
    struct mist_call *st = mist_state(call);
    json_t *body = json_object();

    for (size_t i = 0; i < ARRAY_LEN(passed_on); i++)
        if (json_object_get(host->params(call), passed_on[i]))
            json_object_set(body, passed_on[i], json_object_get(host->params(call), passed_on[i]));
    set_device_write(call, "synthetic_test", host->printf(call, "let %s test %s", device_name(st), mist_text(call, "type")), body);
    st->write.users = 0;
    mist_write_ready(call);
}

static void test_begin(struct ft_call *call)
{
    const char *lacks = missing(call);

    if (mist_text(call, "password"))
        host->redact(call, mist_text(call, "password"));
    if (lacks)
        mist_fail(call, FT_INVALID, "%s: a test of type %s cannot do without it", lacks, mist_text(call, "type"));
    else
        mist_find_device(call, NULL, test_ready);
}

MIST_BEGIN(MIST_RUN, test_begin, test_run)
MIST_BEGIN(MIST_PLAN, test_begin, test_plan)

const struct ft_action mist_synthetic_test = {
    MIST_WRITE(test_run, test_plan),
    .name = "synthetic_test", .summary = "let an AP or a switch test DHCP, DNS, ARP, RADIUS … from where it is",
    .effects = FT_EFFECT_WRITE | FT_EFFECT_IDEMPOTENT,
    .params_schema = MIST_PARAMS("\"device\",\"type\"", MIST_SITE "," MIST_DEVICE ","
        JSON("type": {"type": "string", "enum": ["arp", "curl", "dhcp", "dhcp6", "dns", "lan_connectivity", "radius", "speedtest"], "description": "what to test"},
             "vlan_id": {"type": "integer", "minimum": 1, "maximum": 4094, "description": "VLAN to test on; an AP must be told"},
             "ip": {"type": "string", "format": "ip", "description": "arp: address to ask for"},
             "url": {"type": "string", "description": "curl: page to fetch"},
             "timeout": {"type": "integer", "minimum": 30, "maximum": 120, "description": "curl: s"},
             "hostname": {"type": "string", "description": "dns: name to resolve"},
             "host": {"type": "string", "description": "lan_connectivity: name or address to reach"},
             "protocol": {"type": "string", "description": "lan_connectivity: ping, traceroute …"},
             "ping_count": {"type": "integer", "minimum": 10, "maximum": 60, "description": "lan_connectivity: packets"},
             "username": {"type": "string", "description": "radius: user of the test"},
             "password": {"type": "string", "x-secret": true, "description": "radius: that user's password"},
             "port_id": {"type": "string", "description": "speedtest: port"})),
    .result_schema = DEVICE_TOUCHED,
    .about = "`POST /sites/{site_id}/devices/{device_id}/synthetic_test` only schedules the test: read the answer with `mist.synthetic_test_status`, in `verify`\n"
             "until `finished`. Nobody's traffic is touched.",
    .example = "- id: dhcp_test\n  run: mist.synthetic_test\n  with: {device: \"${ap.id}\", site: \"${ap.site_id}\", type: dhcp, vlan_id: 20}\n"
               "  verify:\n    run: mist.synthetic_test_status\n    with: {device: \"${ap.id}\", site: \"${ap.site_id}\"}\n    until: result.finished\n"
               "    every: 5s\n    within: 2m\n  undo: none\n",
};

/* ---- synthetic_test_status: GET on the same path */

#define TEST_FIELDS(F) \
    F(STR, type, "type", "what was tested") \
    F(STR, status, "status", "inprogress, or how it ended") \
    F(STR, reason, "reason", "why it failed") \
    F(INT, vlan_id, "vlan_id", "VLAN") \
    F(STR, port, "port_id", "port") \
    F(NUM, latency_ms, "latency", "how long it took, ms") \
    F(NUM, rx_mbps, "rx_mbps", "speedtest: Mbit/s down") \
    F(NUM, tx_mbps, "tx_mbps", "speedtest: Mbit/s up") \
    F(TIME, start_time, "start_time", "when it began")
static const struct mist_field test_fields[] = { TEST_FIELDS(MIST_ROW) { "by", "by", MIST_STR } };

static void test_shown(struct ft_call *call, json_t *answer)
{
    const char *status = mist_str(answer, "status");
    bool waits = status && (strstr(status, "progress") || strstr(status, "schedule") || strstr(status, "pending") || strstr(status, "queued"));
    bool failed = json_is_true(mist_at(answer, "failed")) || (status && (strstr(status, "fail") || strstr(status, "error")));
    bool finished = status && !waits;
    json_t *out = json_object();

    MIST_PICK(out, answer, test_fields);
    json_object_set_new(out, "found", json_boolean(status));
    json_object_set_new(out, "finished", json_boolean(finished));
    json_object_set_new(out, "passed", finished ? json_boolean(!failed) : json_null());
    mist_done(call, out);
}

static void test_look(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);

    mist_get_if_there(call, test_shown, "/sites/%s/devices/%s/synthetic_test", mist_escape(call, st->site_id), mist_escape(call, st->device.id));
}

static void test_status_begin(struct ft_call *call)
{
    mist_find_device(call, NULL, test_look);
}
MIST_BEGIN(MIST_LOOK, test_status_begin, test_status_start)

const struct ft_action mist_synthetic_test_status = {
    MIST_READ(test_status_start),
    .name = "synthetic_test_status", .summary = "how the last test of a device went",
    .params_schema = MIST_PARAMS("\"device\"", MIST_SITE "," MIST_DEVICE),
    .result_schema = MIST_OBJ(TEST_FIELDS(MIST_PROPERTY) MIST_P_STR("by", "who started it") ","
        MIST_P("found", "\"boolean\"", "the device has run a test") "," MIST_P("finished", "\"boolean\"", "it has ended") ","
        MIST_P("passed", "[\"boolean\",\"null\"]", "it ended well; nil while it runs")),
    .about = "`GET /sites/{site_id}/devices/{device_id}/synthetic_test`.",
    .example = "- id: dhcp_tested\n  run: mist.synthetic_test_status\n  with: {device: \"${ap.id}\", site: \"${ap.site_id}\"}\n",
};
