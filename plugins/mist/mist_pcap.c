/* mist_pcap.c: packet captures by access points: starting, looking, stopping, fetching the file. Captures of switches come over a websocket only. */
#include <string.h>
#include <strings.h>
#include "mist.h"

#define MAX_PCAP (64u << 20)

/* ---- pcap_start: POST /sites/{site_id}/pcaps/capture */

static json_t *start_body(struct ft_call *call)
{
    static const struct { const char *param, *key; } passed_on[] = {
        { "type", "type" }, { "duration_s", "duration" }, { "max_pkt_len", "max_pkt_len" }, { "num_packets", "num_packets" }, { "ssid", "ssid" },
        { "includes_mcast", "includes_mcast" }, { "band", "band" }, { "tcpdump_expression", "tcpdump_expression" },
    };
    struct mist_call *st = mist_state(call);
    const char *type = mist_text(call, "type");
    json_t *body = json_object();

    for (size_t i = 0; i < ARRAY_LEN(passed_on); i++)
        if (json_object_get(host->params(call), passed_on[i].param))
            json_object_set(body, passed_on[i].key, json_object_get(host->params(call), passed_on[i].param));
    if (st->mac)
        json_object_set_new(body, "client_mac", json_string(st->mac));
    if (st->device.mac)
        json_object_set_new(body, "ap_mac", json_string(st->device.mac));
    if (strcmp(type, "client") != 0 && strcmp(type, "new_assoc") != 0)
        json_object_set_new(body, "format", json_string("pcap"));
    return body;
}

static void start_ready(struct ft_call *call, json_t *running)
{
    struct mist_call *st = mist_state(call);
    struct mist_write *w = &st->write;
    const char *who = st->mac ? host->printf(call, "client %s", st->mac) : st->device.id ? mist_device_name(st) : mist_site_label(st);

    if (mist_str(running, "id") && mist_num(running, "started_time", 0) + mist_num(running, "duration", 0) > (double)host->wall_ms(call) / 1000) {
        mist_fail(call, FT_CONFLICT, "a capture of type '%.40s' runs at the site already, and there is one at a time: stop it with mist.pcap_stop, or wait",
                  mist_str(running, "type") ? mist_str(running, "type") : "?");
        return;
    }
    w->summary = host->printf(call, "capture packets (%s) of %s for %" JSON_INTEGER_FORMAT " s", mist_text(call, "type"), who,
                              json_integer_value(json_object_get(host->params(call), "duration_s")));
    w->method = "POST";
    w->path = host->printf(call, "/sites/%s/pcaps/capture", mist_escape(call, st->site_id));
    w->body = mist_hold(call, start_body(call));
    w->users = 0;
    w->receipt = mist_hold(call, json_pack("{s:s, s:f}", "site_id", st->site_id, "at", (double)host->wall_ms(call) / 1000));
    w->result = mist_hold(call, json_pack("{s:s, s:s, s:O}", "site_id", st->site_id, "type", mist_text(call, "type"), "duration_s",
                                          json_object_get(host->params(call), "duration_s")));
    mist_write_ready(call);
}

static void start_sent(struct ft_call *call, json_t *answer)
{
    struct mist_write *w = &mist_state(call)->write;
    json_t *result = json_copy(w->result);

    json_object_set_new(result, "changed", json_true());
    json_object_set_new(result, "id", mist_str(answer, "id") ? json_string(mist_str(answer, "id")) : json_null());
    mist_done(call, result);
}

static void start_look(struct ft_call *call)
{
    mist_state(call)->write.sent = start_sent;
    mist_get_if_there(call, start_ready, "/sites/%s/pcaps/capture", mist_escape(call, mist_state(call)->site_id));
}

static void start_begin(struct ft_call *call)
{
    const char *type = mist_text(call, "type");

    if (strcmp(type, "client") == 0 && !mist_text(call, "mac"))
        mist_fail(call, FT_INVALID, "mac: a capture of type client needs the client's MAC address");
    else if (mist_text(call, "mac") && !mist_find_mac(call))
        return;
    else if (mist_text(call, "device"))
        mist_find_device(call, "ap", start_look);
    else
        mist_find_site(call, start_look);
}

/* ---- pcap_status: GET …/pcaps/capture */

static bool is_running(struct ft_call *call, const json_t *answer)
{
    double ends = mist_num(answer, "started_time", 0) + mist_num(answer, "duration", 0);

    return mist_str(answer, "id") && (!mist_num(answer, "duration", 0) || ends > (double)host->wall_ms(call) / 1000);
}

static void capture_status_here(struct ft_call *call, json_t *answer)
{
    static const struct mist_field fields[] = {
        { "id", "id", MIST_STR }, { "type", "type", MIST_STR }, { "client_mac", "client_mac", MIST_MAC }, { "started_time", "started_time", MIST_TIME },
        { "duration_s", "duration", MIST_INT }, { "format", "format", MIST_STR },
    };
    json_t *out = json_pack("{s:b, s:i, s:i}", "running", is_running(call, answer), "ok", (int)json_array_size(mist_at(answer, "ok")),
                            "failed", (int)json_array_size(mist_at(answer, "failed")));

    MIST_PICK(out, answer, fields);
    mist_done(call, out);
}

static void capture_status_look(struct ft_call *call)
{
    mist_get_if_there(call, capture_status_here, "/sites/%s/pcaps/capture", mist_escape(call, mist_state(call)->site_id));
}

static void capture_status_begin(struct ft_call *call)
{
    mist_find_site(call, capture_status_look);
}

/* ---- pcap_stop: DELETE …/pcaps/capture; also the undo and part of the probe of pcap_start */

static void stop_ready(struct ft_call *call, json_t *answer)
{
    struct mist_call *st = mist_state(call);
    struct mist_write *w = &st->write;

    w->nothing_to_do = !is_running(call, answer);
    w->before = mist_hold(call, json_pack("{s:b, s:O?}", "running", !w->nothing_to_do, "type", mist_at(answer, "type")));
    w->summary = w->nothing_to_do ? "no capture runs" : host->printf(call, "stop the capture at site %s", mist_site_label(st));
    w->method = "DELETE";
    w->path = host->printf(call, "/sites/%s/pcaps/capture", mist_escape(call, st->site_id));
    w->users = 0;
    w->result = mist_hold(call, json_pack("{s:s}", "site_id", st->site_id));
    mist_write_ready(call);
}

static void stop_look(struct ft_call *call)
{
    mist_get_if_there(call, stop_ready, "/sites/%s/pcaps/capture", mist_escape(call, mist_state(call)->site_id));
}

static void stop_begin(struct ft_call *call)
{
    mist_find_site(call, stop_look);
}

static void stop_undo_begin(struct ft_call *call)
{
    const char *site = mist_str(mist_receipt(call), "site_id");

    mist_state(call)->site_id = site;
    if (site)
        stop_look(call);
    else if (host->receipt(call))
        mist_fail(call, FT_INVALID, "the receipt names no site");
}

static void start_probed(struct ft_call *call, json_t *answer)
{
    const json_t *receipt = mist_receipt(call);

    if (!receipt)
        return;
    if (mist_str(answer, "id") && mist_num(answer, "started_time", 0) >= mist_num(receipt, "at", 0) - 60)
        mist_done(call, json_pack("{s:b, s:{s:O?, s:O?}, s:{s:b, s:O?, s:O?, s:O?, s:O?}}", "happened", true, "seen", "id", mist_at(answer, "id"), "type", mist_at(answer, "type"),
            "result", "changed", true, "id", mist_at(answer, "id"), "site_id", mist_at(receipt, "site_id"), "type", mist_at(answer, "type"), "duration_s", mist_at(answer, "duration")));
    else if (mist_str(answer, "id") || !answer)
        mist_fail(call, FT_INVALID, "Mist shows no capture that began since the request; one that has ended already would look the same: see mist.pcaps");
    else
        mist_done(call, json_pack("{s:b}", "happened", false));
}

static void start_probe_begin(struct ft_call *call)
{
    const char *site = mist_str(mist_receipt(call), "site_id");

    if (site)
        mist_get_if_there(call, start_probed, "/sites/%s/pcaps/capture", mist_escape(call, site));
    else if (host->receipt(call))
        mist_fail(call, FT_INVALID, "the receipt names no site");
}
MIST_BEGIN(MIST_RUN, start_begin, start_run)
MIST_BEGIN(MIST_PLAN, start_begin, start_plan)
MIST_BEGIN(MIST_UNDO, stop_undo_begin, start_undo)
MIST_BEGIN(MIST_PROBE, start_probe_begin, start_probe)
MIST_BEGIN(MIST_LOOK, capture_status_begin, capture_status_start)
MIST_BEGIN(MIST_RUN, stop_begin, stop_run)
MIST_BEGIN(MIST_PLAN, stop_begin, stop_plan)

const struct ft_action mist_pcap_start = {
    MIST_WRITE(start_run, start_plan), .undo = { start_undo, mist_drop }, .probe = { start_probe, mist_drop },
    .name = "pcap_start", .summary = "let access points capture packets: of one client, of new ones, of a network, of an AP's air or wire",
    .effects = FT_EFFECT_WRITE,
    .params_schema = MIST_PARAMS("\"site\",\"type\"", MIST_SITE "," MIST_DEVICE "," MIST_CLIENT "," MIST_BAND ","
        JSON("type": {"type": "string", "enum": ["client", "new_assoc", "wireless", "radiotap", "wired", "radiotap,wired", "scan"],
                      "description": "client: one client's packets; new_assoc: clients while they connect; wireless, radiotap: the air; wired: the AP's uplink; scan: a radio listens only"},
             "ssid": {"type": "string", "minLength": 1, "description": "only this network"},
             "duration_s": {"type": "integer", "minimum": 60, "maximum": 86400, "default": 600, "description": "how long, s"},
             "num_packets": {"type": "integer", "minimum": 0, "maximum": 10000, "default": 1024, "description": "at most so many packets; 0: no limit"},
             "max_pkt_len": {"type": "integer", "minimum": 64, "maximum": 2048, "default": 512, "description": "of each packet at most so many bytes"},
             "includes_mcast": {"type": "boolean", "description": "client, new_assoc: multicast too"},
             "tcpdump_expression": {"type": "string", "minLength": 1, "description": "radiotap, wired: filter, as tcpdump writes it"})),
    .result_schema = MIST_OBJ(MIST_CHANGED "," MIST_P_STR("site_id", "site") "," MIST_P_STR("id", "id of the capture") "," MIST_P_STR("type", "what is captured") ","
        MIST_P_INT("duration_s", "how long, s")),
    .about = "`POST /sites/{site_id}/pcaps/capture`. One capture at a time for a site: while one runs this fails as `conflict`. It ends by itself; `mist.pcap_stop` ends it\n"
             "sooner, as does the undo. **Packets may hold what people write and say**: capture no more than you need. With `scan` the radio serves no clients meanwhile.",
    .example = "- id: capture\n  run: mist.pcap_start\n  with: {site: HQ, type: client, mac: \"${client}\", duration_s: 120}\n"
               "  verify:\n    run: mist.pcap_status\n    with: {site: HQ}\n    until: not result.running\n    every: 15s\n    within: 5m\n  undo: none\n",
};

const struct ft_action mist_pcap_status = {
    MIST_READ(capture_status_start),
    .name = "pcap_status", .summary = "whether a packet capture runs at a site",
    .params_schema = MIST_PARAMS("\"site\"", MIST_SITE),
    .result_schema = MIST_OBJ(MIST_P("running", "\"boolean\"", "one runs now") "," MIST_P_STR("id", "its id") "," MIST_P_STR("type", "what is captured") ","
        MIST_P_MAC("client_mac", "the client") "," MIST_P_TIME("started_time", "when it began") "," MIST_P_INT("duration_s", "how long, s") ","
        MIST_P_STR("format", "how it is delivered") "," MIST_P("ok", "\"integer\"", "devices that capture") "," MIST_P("failed", "\"integer\"", "devices that could not")),
    .about = "`GET /sites/{site_id}/pcaps/capture`.",
    .example = "- id: capturing\n  run: mist.pcap_status\n  with: {site: HQ}\n",
};

const struct ft_action mist_pcap_stop = {
    MIST_WRITE(stop_run, stop_plan),
    .name = "pcap_stop", .summary = "end the packet capture of a site",
    .effects = FT_EFFECT_WRITE | FT_EFFECT_IDEMPOTENT,
    .params_schema = MIST_PARAMS("\"site\"", MIST_SITE),
    .result_schema = MIST_OBJ(MIST_CHANGED "," MIST_P_STR("site_id", "site")),
    .about = "`DELETE /sites/{site_id}/pcaps/capture`. What was captured until then stays.",
    .example = "- id: enough\n  run: mist.pcap_stop\n  with: {site: HQ}\n  undo: none\n",
};

/* ---- pcaps: GET /sites/{site_id}/pcaps */

static const struct mist_field pcap_fields[] = {
    { "id", "id", MIST_STR }, { "timestamp", "timestamp", MIST_TIME }, { "type", "type", MIST_STR }, { "duration_s", "duration", MIST_INT },
    { "format", "format", MIST_STR }, { "ended", "termination_reason", MIST_STR },
};

static const char *url_of(const json_t *item)
{
    return mist_str(item, "pcap_url|url");
}

static json_t *pcap_row(const json_t *item)
{
    json_t *row = json_object(), *aps = json_array(), *ap;
    size_t i;

    MIST_PICK(row, item, pcap_fields);
    json_array_foreach(mist_at(item, "ap_macs"), i, ap)
        if (json_is_string(ap))
            json_array_append(aps, ap);
    json_object_set_new(row, "ap_macs", aps);
    json_object_set_new(row, "has_file", json_boolean(url_of(item)));
    return row;
}

static const struct mist_table pcap_table = { .name = "captures", .site = "/pcaps", .row = pcap_row, .sort = "timestamp", .window = true };
MIST_TABLE(pcaps_start, pcap_table)

const struct ft_action mist_pcaps = {
    MIST_READ(pcaps_start),
    .name = "pcaps", .summary = "the packet captures that a site has",
    .params_schema = MIST_PARAMS("\"site\"", MIST_SITE "," MIST_WINDOW("1d") "," MIST_LIMIT("100", "1000")),
    .result_schema = MIST_OBJ(MIST_LISTED("captures", MIST_P_STR("id", "id") "," MIST_P_TIME("timestamp", "when it was") "," MIST_P_STR("type", "what was captured") ","
        MIST_P_INT("duration_s", "how long, s") "," MIST_P_STR("format", "format") "," MIST_P_STR("ended", "why it ended") ","
        MIST_P_LIST("ap_macs", "{\"type\":\"string\"}", "APs that captured") "," MIST_P("has_file", "\"boolean\"", "it can be fetched with pcap_download"), "newest first")),
    .about = "`GET /sites/{site_id}/pcaps`. The addresses of the files are left out: who knows one may read it.",
    .example = "- id: captures\n  run: mist.pcaps\n  with: {site: HQ, window: 1h}\n",
};

/* ---- pcap_download: the file lies in an object store: fetched without the token, and kept in a file */

static void pcap_written(struct ft_call *call, const struct ft_file_res *res)
{
    struct mist_call *st = mist_state(call);
    static const struct mist_field at = { "timestamp", "timestamp", MIST_TIME };

    if (res->error)
        mist_fail(call, res->class ? res->class : FT_REFUSED, "%s", res->error);
    else
        mist_done(call, json_pack("{s:s, s:s, s:I, s:s?, s:o}", "file", res->path, "sha256", res->sha256, "bytes", (json_int_t)res->len, "id", mist_str(st->own, "id"),
                                  "timestamp", mist_value(st->own, &at)));
}

/* pcap and pcapng begin with one of these; what an object store says instead (an error page) does not. */
static bool is_pcap(const struct ft_http_res *res)
{
    static const char *const begins[] = { "\xd4\xc3\xb2\xa1", "\xa1\xb2\xc3\xd4", "\x4d\x3c\xb2\xa1", "\xa1\xb2\x3c\x4d", "\x0a\x0d\x0d\x0a", "\x1f\x8b" };

    for (size_t i = 0; i < ARRAY_LEN(begins); i++)
        if (res->body_len > 24 && memcmp(res->body, begins[i], strlen(begins[i])) == 0)
            return true;
    return false;
}

static void fetched(struct ft_call *call, const struct ft_http_res *res, void *arg)
{
    struct ft_err err = { 0 };
    (void)arg;

    if (res->error || res->status != 200)
        mist_fail(call, res->class ? res->class : res->status == 404 || res->status == 403 ? FT_NOT_FOUND : FT_REFUSED, "the capture could not be fetched: %s",
                  res->error ? res->error : host->printf(call, "its store answered %d (the address is good for a short time only)", res->status));
    else if (!is_pcap(res))
        mist_fail(call, FT_INVALID, "what the capture's store sent is no capture (%zu bytes)", res->body_len);
    else if (host->file_write(call, mist_text(call, "file") ? mist_text(call, "file") :
                              host->printf(call, "mist/pcap-%s.pcap", mist_str(mist_state(call)->own, "id") ? mist_str(mist_state(call)->own, "id") :
                                           host->printf(call, "%.0f", mist_num(mist_state(call)->own, "timestamp", 0))),
                              res->body, res->body_len, pcap_written, &err) < 0)
        mist_fail(call, err.class ? err.class : FT_REFUSED, "%s", err.text);
}

static void download_list(struct ft_call *call, json_t *items)
{
    struct mist_call *st = mist_state(call);
    const char *id = mist_text(call, "id");
    json_t *newest = NULL, *item;
    size_t i;

    json_array_foreach(items, i, item)
        if (url_of(item) && (!id || (mist_str(item, "id") && strcmp(mist_str(item, "id"), id) == 0)) &&
            (!newest || mist_num(item, "timestamp", 0) > mist_num(newest, "timestamp", 0)))
            newest = item;
    if (!newest) {
        mist_fail(call, FT_NOT_FOUND, "the site has no capture with a file%s%.60s within the window", id ? " of id " : "", id ? id : "");
        return;
    }
    st->own = newest;
    host->redact(call, url_of(newest));
    mist_fetch(call, url_of(newest), MAX_PCAP, fetched);
}

static void download_look(struct ft_call *call)
{
    mist_list(call, 1000, download_list, "/sites/%s/pcaps?duration=%s", mist_escape(call, mist_state(call)->site_id), mist_window(call));
}

static void download_begin(struct ft_call *call)
{
    if (host->abi_minor < 1)
        mist_fail(call, FT_REFUSED, "this fettle cannot write files: it is older than the plugin");
    else
        mist_find_site(call, download_look);
}
MIST_BEGIN(MIST_LOOK, download_begin, download_start)

const struct ft_action mist_pcap_download = {
    MIST_READ(download_start),
    .name = "pcap_download", .summary = "fetch a packet capture into a file",
    .timeout_ms = 120000,
    .params_schema = MIST_PARAMS("\"site\"", MIST_SITE "," MIST_WINDOW("1d") ","
        JSON("id": {"type": "string", "minLength": 1, "description": "id of the capture; the newest when left out"},
             "file": {"type": "string", "minLength": 1, "description": "where to; below the data folder's files/. mist/pcap-<id>.pcap when left out"})),
    .result_schema = MIST_OBJ(MIST_P("file", "\"string\"", "the file, absolute") "," MIST_P("sha256", "\"string\"", "digest of its content, hex") ","
        MIST_P("bytes", "\"integer\"", "its size") "," MIST_P_STR("id", "id of the capture") "," MIST_P_TIME("timestamp", "when it was captured")),
    .about = "`GET /sites/{site_id}/pcaps` and the address that it names, without the token; at most 64 MiB. Nothing in Mist changes. The file is readable by fettle's user alone.",
    .example = "- id: fetch\n  run: mist.pcap_download\n  with: {site: HQ, id: \"${capture.id}\"}\n",
};
