/* mist_alarm_more.c: many alarms at once: counting, acknowledging, silencing for a while; alarm templates; what Marvis thinks. */
#include <math.h>
#include <string.h>
#include <strings.h>
#include "mist.h"

#define ACK_MOST 1000

/* ---- alarm_count: GET /orgs|sites/…/alarms/count */

static void counted(struct ft_call *call, json_t *answer)
{
    const char *by = mist_text(call, "by");
    json_t *groups = json_array(), *item;
    json_int_t total = 0;
    size_t i;

    json_array_foreach(mist_at(answer, "results"), i, item) {
        struct mist_field value = { "value", by, MIST_STR };
        const json_t *flag = json_object_get(item, by);
        json_int_t count = (json_int_t)mist_num(item, "count", 0);

        json_array_append_new(groups, json_pack("{s:o, s:I}", "value", json_is_boolean(flag) ? json_string(json_is_true(flag) ? "true" : "false") :
                                                mist_value(item, &value), "count", count));
        total += count;
    }
    mist_sort_down(groups, "count");
    mist_done(call, json_pack("{s:o, s:I}", "groups", groups, "total", total));
}

static void count_look(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);

    mist_get(call, counted, "/%s/%s/alarms/count?distinct=%s&duration=%s&limit=1000", st->site_id ? "sites" : "orgs",
             mist_escape(call, st->site_id ? st->site_id : mist_of(call)->org), mist_text(call, "by"), mist_window(call));
}

static void count_begin(struct ft_call *call)
{
    mist_find_site(call, count_look);
}
MIST_BEGIN(MIST_LOOK, count_begin, count_start)

const struct ft_action mist_alarm_count = {
    MIST_READ(count_start),
    .name = "alarm_count", .summary = "how many alarms there were, by name, group, severity or acknowledgement",
    .params_schema = MIST_PARAMS("", MIST_SITE "," MIST_WINDOW("1d") ","
        JSON("by": {"type": "string", "enum": ["type", "group", "severity", "acked"], "default": "type", "description": "what to group by"})),
    .result_schema = MIST_OBJ(MIST_P_LIST("groups", MIST_OBJ(MIST_P_STR("value", "what the group has in common") ","
        MIST_P("count", "\"integer\"", "alarms of the group")), "the largest first") "," MIST_P("total", "\"integer\"", "alarms of all groups")),
    .about = "`GET /sites/{site_id}/alarms/count`, or that of the organisation without a site.",
    .example = "- id: alarms_by_name\n  run: mist.alarm_count\n  with: {site: HQ, by: type}\n",
};

/* ---- alarms_ack: POST /orgs|sites/…/alarms/ack {alarm_ids} for those that fit, never ack_all: what is acknowledged has been seen in the plan */

static bool wanted(struct ft_call *call, const json_t *item)
{
    static const char *const filters[] = { "type", "group", "severity" };
    const json_t *ids = json_object_get(host->params(call), "alarms");
    const char *id = mist_str(item, "id");
    json_t *text;
    size_t i;

    if (!id || json_is_true(mist_at(item, "acked")))
        return false;
    for (i = 0; i < ARRAY_LEN(filters); i++) {
        const char *want = mist_text(call, filters[i]), *has = mist_str(item, filters[i]);

        if (want && (!has || strcmp(want, has) != 0))
            return false;
    }
    if (!ids)
        return true;
    json_array_foreach(ids, i, text)
        if (json_is_string(text) && strcmp(json_string_value(text), id) == 0)
            return true;
    return false;
}

static void set_acks(struct ft_call *call, const char *command, json_t *ids)
{
    struct mist_call *st = mist_state(call);
    struct mist_write *w = &st->write;
    const char *note = mist_text(call, "note");

    w->method = "POST";
    w->path = host->printf(call, "/%s/%s/alarms/%s", st->site_id ? "sites" : "orgs", mist_escape(call, st->site_id ? st->site_id : mist_of(call)->org), command);
    w->body = mist_hold(call, json_pack("{s:O}", "alarm_ids", ids));
    if (note)
        json_object_set_new(w->body, "note", json_string(note));
    w->users = 0;
}

static void acks_ready(struct ft_call *call, json_t *items)
{
    struct mist_call *st = mist_state(call);
    struct mist_write *w = &st->write;
    const json_t *planned = json_object_get(host->receipt(call), "alarms");
    json_t *ids = mist_hold(call, json_array()), *item;
    size_t i;

    json_array_foreach(items, i, item)
        if (wanted(call, item) && json_array_size(ids) < ACK_MOST)
            json_array_append(ids, json_object_get(item, "id"));
    if (planned)                     /* alarms that came since the plan were seen by nobody */
        ids = mist_hold(call, json_copy((json_t *)planned));
    set_acks(call, "ack", ids);
    w->nothing_to_do = json_array_size(ids) == 0;
    w->summary = w->nothing_to_do ? "no alarm waits for an acknowledgement" :
        host->printf(call, "acknowledge %zu alarms of %s", json_array_size(ids), st->site_id ? mist_site_label(st) : "the organisation");
    w->before = mist_hold(call, json_pack("{s:O}", "alarms", ids));
    w->watch = json_false();         /* other alarms come */
    w->receipt = mist_hold(call, json_pack("{s:s?, s:O}", "site_id", st->site_id, "alarms", ids));
    w->result = mist_hold(call, json_pack("{s:s?, s:i, s:O}", "site_id", st->site_id, "acked", (int)json_array_size(ids), "alarms", ids));
    mist_write_ready(call);
}

static void acks_look(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);

    mist_list(call, 10000, acks_ready, "/%s/%s/alarms/search?duration=%s", st->site_id ? "sites" : "orgs",
              mist_escape(call, st->site_id ? st->site_id : mist_of(call)->org), mist_window(call));
}

static void acks_begin(struct ft_call *call)
{
    mist_find_site(call, acks_look);
}

static void unacks_begin(struct ft_call *call)
{
    const json_t *receipt = mist_receipt(call);

    if (!receipt)
        return;
    mist_state(call)->site_id = mist_str(receipt, "site_id");
    if (!json_is_array(json_object_get(receipt, "alarms"))) {
        mist_fail(call, FT_INVALID, "the receipt names no alarms");
    } else if (!json_array_size(json_object_get(receipt, "alarms"))) {
        mist_done(call, json_pack("{s:b}", "changed", false));
    } else {
        set_acks(call, "unack", json_object_get(receipt, "alarms"));
        mist_write_ready(call);
    }
}
MIST_BEGIN(MIST_RUN, acks_begin, acks_run)
MIST_BEGIN(MIST_PLAN, acks_begin, acks_plan)
MIST_BEGIN(MIST_UNDO, unacks_begin, acks_undo)

#define TEXTS "{\"type\":\"string\"}"

const struct ft_action mist_alarms_ack = {
    MIST_WRITE(acks_run, acks_plan), .undo = { acks_undo, mist_drop },
    .name = "alarms_ack", .summary = "acknowledge many alarms: those named, those of a kind, or all",
    .effects = FT_EFFECT_WRITE | FT_EFFECT_IDEMPOTENT,
    .params_schema = MIST_PARAMS("", MIST_SITE "," MIST_WINDOW("1d") ","
        JSON("alarms": {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1, "maxItems": 1000, "description": "ids; all within the window when left out"},
             "type": {"type": "string", "minLength": 1, "description": "only alarms of this name"},
             "group": {"type": "string", "enum": ["infrastructure", "marvis", "security"], "description": "only these"},
             "severity": {"type": "string", "enum": ["critical", "warn", "info"], "description": "only these"},
             "note": {"type": "string", "minLength": 1, "description": "what to write beside them"})),
    .result_schema = MIST_OBJ(MIST_CHANGED "," MIST_P_STR("site_id", "site; nil: the organisation") "," MIST_P("acked", "\"integer\"", "how many") ","
        MIST_P_LIST("alarms", TEXTS, "their ids")),
    .about = "`POST /sites/{site_id}/alarms/ack`, or that of the organisation without a site, with the ids of the alarms that nobody has acknowledged yet: at most 1000\n"
             "in one step. `ack_all` is not used: it would acknowledge also what came since the plan. Undo takes these acknowledgements back.",
    .example = "- id: ack_all\n  run: mist.alarms_ack\n  with: {site: HQ, severity: info, window: 1d, note: \"seen in the morning check\"}\n  undo: auto\n",
};

/* ---- alarm_suppress, alarm_unsuppress, alarm_suppressed: /orgs/{org_id}/alarmtemplates/suppress */

#define SUPPRESS_PATH "/orgs/%s/alarmtemplates/suppress"

static void suppress_request(struct ft_call *call, json_int_t duration)
{
    struct mist_call *st = mist_state(call);
    struct mist_write *w = &st->write;
    const json_t *at = json_object_get(host->params(call), "scheduled_time");
    json_t *applies = st->site_id ? json_pack("{s:[s]}", "site_ids", st->site_id) : json_pack("{s:s}", "org_id", mist_of(call)->org);

    w->method = "POST";
    w->path = host->printf(call, SUPPRESS_PATH, mist_escape(call, mist_of(call)->org));
    w->body = mist_hold(call, json_pack("{s:s, s:o, s:I}", "scope", st->site_id ? "site" : "org", "applies", applies, "duration", duration));
    if (at && duration)
        json_object_set(w->body, "scheduled_time", (json_t *)at);
    w->users = 0;
}

/* What covers the site (or the whole organisation) now. */
static json_t *covering(struct ft_call *call, const json_t *answer)
{
    struct mist_call *st = mist_state(call);
    json_t *item;
    size_t i;

    json_array_foreach(mist_at(answer, "results"), i, item) {
        const char *scope = mist_str(item, "scope"), *site = mist_str(item, "site_id");
        bool org = scope && strcmp(scope, "org") == 0;

        if (mist_num(item, "expire_time", 0) * 1000 <= (double)host->wall_ms(call))
            continue;
        if (st->site_id ? !org && site && strcasecmp(site, st->site_id) == 0 : org)
            return item;
    }
    return NULL;
}

static void suppress_ready(struct ft_call *call, json_t *answer)
{
    static const struct mist_field fields[] = { { "expire_time", "expire_time", MIST_TIME }, { "duration", "duration", MIST_INT } };
    struct mist_call *st = mist_state(call);
    struct mist_write *w = &st->write;
    json_int_t seconds = json_integer_value(json_object_get(host->params(call), "duration_s"));
    const json_t *there = covering(call, answer);
    const char *where = st->site_id ? host->printf(call, "site %s", mist_site_label(st)) : "the whole organisation";

    w->before = mist_hold(call, json_object());
    if (there)
        MIST_PICK(w->before, there, fields);
    suppress_request(call, seconds);
    w->summary = host->printf(call, "silence the alarms of %s for %" JSON_INTEGER_FORMAT " min", where, seconds / 60);
    w->receipt = mist_hold(call, json_pack("{s:s?, s:b}", "site_id", st->site_id, "was_silent", there != NULL));
    w->result = mist_hold(call, json_pack("{s:s?, s:I}", "site_id", st->site_id, "duration_s", seconds));
    mist_write_ready(call);
}

static void suppress_look(struct ft_call *call)
{
    mist_get_if_there(call, suppress_ready, SUPPRESS_PATH, mist_escape(call, mist_of(call)->org));
}

static void suppress_begin(struct ft_call *call)
{
    mist_find_site(call, suppress_look);
}

static void unsuppress_ready(struct ft_call *call, json_t *answer)
{
    struct mist_call *st = mist_state(call);
    struct mist_write *w = &st->write;

    suppress_request(call, 0);
    w->nothing_to_do = !covering(call, answer);
    w->summary = w->nothing_to_do ? "no alarms are silenced there" : host->printf(call, "let the alarms of %s sound again",
        st->site_id ? mist_site_label(st) : "the organisation");
    w->result = mist_hold(call, json_pack("{s:s?}", "site_id", st->site_id));
    mist_write_ready(call);
}

static void unsuppress_look(struct ft_call *call)
{
    mist_get_if_there(call, unsuppress_ready, SUPPRESS_PATH, mist_escape(call, mist_of(call)->org));
}

static void unsuppress_begin(struct ft_call *call)
{
    mist_find_site(call, unsuppress_look);
}

static void suppress_undo_begin(struct ft_call *call)
{
    const json_t *receipt = mist_receipt(call);

    if (!receipt)
        return;
    mist_state(call)->site_id = mist_str(receipt, "site_id");
    if (!json_is_boolean(json_object_get(receipt, "was_silent")))
        mist_fail(call, FT_INVALID, "the receipt does not say what was there before");
    else if (json_is_true(json_object_get(receipt, "was_silent")))
        mist_fail(call, FT_CONFLICT, "the alarms were silenced before this step already, and Mist does not keep for how long: lift it with mist.alarm_unsuppress if that is wanted");
    else
        unsuppress_look(call);
}
MIST_BEGIN(MIST_RUN, suppress_begin, suppress_run)
MIST_BEGIN(MIST_PLAN, suppress_begin, suppress_plan)
MIST_BEGIN(MIST_UNDO, suppress_undo_begin, suppress_undo)
MIST_BEGIN(MIST_RUN, unsuppress_begin, unsuppress_run)
MIST_BEGIN(MIST_PLAN, unsuppress_begin, unsuppress_plan)

const struct ft_action mist_alarm_suppress = {
    MIST_WRITE(suppress_run, suppress_plan), .undo = { suppress_undo, mist_drop },
    .name = "alarm_suppress", .summary = "silence the alarms of a site for a while, around a change",
    .effects = FT_EFFECT_WRITE | FT_EFFECT_IDEMPOTENT,
    .params_schema = MIST_PARAMS("", MIST_SITE ","
        JSON("duration_s": {"type": "integer", "minimum": 60, "maximum": 15552000, "default": 3600, "description": "how long, s; at most 180 days"},
             "scheduled_time": {"type": "integer", "minimum": 1, "description": "begin, s since 1970, at most 7 days ahead; now when left out"})),
    .result_schema = MIST_OBJ(MIST_CHANGED "," MIST_P_STR("site_id", "site; nil: the whole organisation") "," MIST_P_INT("duration_s", "how long, s")),
    .about = "`POST /orgs/{org_id}/alarmtemplates/suppress`; without a site the whole organisation falls silent. Undo lets the alarms sound again at once, unless they\n"
             "were silenced before this step.",
    .example = "- id: silence\n  run: mist.alarm_suppress\n  with: {site: HQ, duration_s: 7200}\n  undo: auto\n",
};

const struct ft_action mist_alarm_unsuppress = {
    MIST_WRITE(unsuppress_run, unsuppress_plan),
    .name = "alarm_unsuppress", .summary = "let silenced alarms sound again",
    .effects = FT_EFFECT_WRITE | FT_EFFECT_IDEMPOTENT,
    .params_schema = MIST_PARAMS("", MIST_SITE),
    .result_schema = MIST_OBJ(MIST_CHANGED "," MIST_P_STR("site_id", "site; nil: the whole organisation")),
    .about = "`POST /orgs/{org_id}/alarmtemplates/suppress` with a duration of 0, of this site alone (or of the organisation's own silence, without a site).",
    .example = "- id: sound\n  run: mist.alarm_unsuppress\n  with: {site: HQ}\n  undo: none\n",
};

#define SUPPRESSED_FIELDS(F) \
    F(STR, scope, "scope", "site or org") \
    F(STR, site_id, "site_id", "id of the site") \
    F(TIME, begins, "scheduled_time", "when it begins") \
    F(TIME, ends, "expire_time", "when it ends")
static const struct mist_field suppressed_fields[] = { SUPPRESSED_FIELDS(MIST_ROW) { "duration_s", "duration", MIST_INT } };
static const char *const suppressed_filters[] = { "scope", NULL };
static const struct mist_table suppressed_table = {
    .name = "suppressed", .org = "/alarmtemplates/suppress", .filters = suppressed_filters, .fields = suppressed_fields,
    .count = ARRAY_LEN(suppressed_fields), .whole = true,
};
MIST_TABLE(suppressed_start, suppressed_table)

const struct ft_action mist_alarm_suppressed = {
    MIST_READ(suppressed_start),
    .name = "alarm_suppressed", .summary = "where alarms are silenced now, and until when",
    .params_schema = MIST_PARAMS("", JSON("scope": {"type": "string", "enum": ["org", "site"], "description": "only these"})),
    .result_schema = MIST_OBJ(MIST_LISTED("suppressed", SUPPRESSED_FIELDS(MIST_PROPERTY) MIST_P_INT("duration_s", "how long, s"), "silences")),
    .about = "`GET /orgs/{org_id}/alarmtemplates/suppress`.",
    .example = "- id: silent\n  run: mist.alarm_suppressed\n",
};

/* ---- alarm_templates: GET /orgs/{org_id}/alarmtemplates */

static json_t *template_row(const json_t *item)
{
    static const struct mist_field head[] = {
        { "id", "id", MIST_STR }, { "name", "name", MIST_STR }, { "delivery_enabled", "delivery.enabled", MIST_BOOL },
        { "to_org_admins", "delivery.to_org_admins", MIST_BOOL }, { "to_site_admins", "delivery.to_site_admins", MIST_BOOL },
    };
    json_t *row = json_object(), *on = json_array(), *off = json_array(), *rule;
    const char *name;

    MIST_PICK(row, item, head);
    json_object_foreach(mist_at(item, "rules"), name, rule)
        json_array_append_new(json_is_true(mist_at(rule, "enabled")) ? on : off, json_string(name));
    json_object_set_new(row, "enabled", on);
    json_object_set_new(row, "disabled", off);
    return row;
}

static const struct mist_table template_table = { .name = "templates", .org = "/alarmtemplates", .row = template_row };
MIST_TABLE(templates_start, template_table)

const struct ft_action mist_alarm_templates = {
    MIST_READ(templates_start),
    .name = "alarm_templates", .summary = "which alarms are raised at all, and who gets mail",
    .params_schema = MIST_PARAMS("", MIST_LIMIT("500", "5000")),
    .result_schema = MIST_OBJ(MIST_LISTED("templates", MIST_P_STR("id", "id of the template, as sites name it (alarmtemplate_id)") "," MIST_P_STR("name", "name") ","
        MIST_P_BOOL("delivery_enabled", "mail is sent") "," MIST_P_BOOL("to_org_admins", "to administrators of the organisation") ","
        MIST_P_BOOL("to_site_admins", "to administrators of the site") ","
        MIST_P_LIST("enabled", TEXTS, "alarms that are raised") "," MIST_P_LIST("disabled", TEXTS, "alarms that are not"), "alarm templates")),
    .about = "`GET /orgs/{org_id}/alarmtemplates`. An alarm that no template enables at a site does not exist there.",
    .example = "- id: templates\n  run: mist.alarm_templates\n",
};

/* ---- marvis: GET /orgs/{org_id}/troubleshoot */

static const struct mist_field marvis_fields[] = {
    { "category", "category", MIST_STR }, { "reason", "reason", MIST_STR }, { "recommendation", "recommendation", MIST_STR }, { "text", "text", MIST_STR },
};

static void marvis_here(struct ft_call *call, json_t *answer)
{
    json_t *rows = MIST_ROWS(mist_at(answer, "results"), marvis_fields), *first = json_array_get(rows, 0);

    mist_done(call, json_pack("{s:o, s:i, s:O?, s:O?}", "findings", rows, "total", (int)json_array_size(rows), "first_reason", json_object_get(first, "reason"),
                              "first_recommendation", json_object_get(first, "recommendation")));
}

static void marvis_look(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);
    const char *mac = st->mac ? st->mac : st->device.mac, *type = mist_text(call, "type");
    double end = floor((double)host->wall_ms(call) / 1000), start = end - mist_window_seconds(call);

    if (!mac && !st->site_id) {
        mist_fail(call, FT_INVALID, "about whom? give mac (a client), device or site");
        return;
    }
    mist_get(call, marvis_here, "/orgs/%s/troubleshoot?start=%.0f&end=%.0f%s%s%s%s%s%s", mist_escape(call, mist_of(call)->org), start, end,
             mac ? "&mac=" : "", mac ? mac : "", st->site_id ? "&site_id=" : "", st->site_id ? mist_escape(call, st->site_id) : "",
             type ? "&type=" : "", type ? type : "");
}

static void marvis_begin(struct ft_call *call)
{
    if (mist_window_seconds(call) > 7 * 86400)
        mist_fail(call, FT_INVALID, "window: Marvis looks back at most 7 days");
    else if (mist_text(call, "device"))
        mist_find_device(call, NULL, marvis_look);
    else if (!mist_text(call, "mac") || mist_find_mac(call))
        mist_find_site(call, marvis_look);
}
MIST_BEGIN(MIST_LOOK, marvis_begin, marvis_start)

const struct ft_action mist_marvis = {
    MIST_READ(marvis_start),
    .name = "marvis", .summary = "what Marvis thinks is wrong with a client, a device or a site, and what it recommends",
    .params_schema = MIST_PARAMS("", MIST_SITE "," MIST_DEVICE "," MIST_CLIENT "," MIST_WINDOW("1d") ","
        JSON("type": {"type": "string", "enum": ["wireless", "wired", "wan"], "description": "only this part of the network"})),
    .result_schema = MIST_OBJ(MIST_P_LIST("findings", MIST_OBJ(MIST_P_STR("category", "what it is about") "," MIST_P_STR("reason", "what is wrong") ","
            MIST_P_STR("recommendation", "what it recommends") "," MIST_P_STR("text", "the whole sentence")), "as Marvis orders them") ","
        MIST_P("total", "\"integer\"", "findings") "," MIST_P_STR("first_reason", "what is wrong, of the first") ","
        MIST_P_STR("first_recommendation", "what it recommends, of the first")),
    .about = "`GET /orgs/{org_id}/troubleshoot`. **Needs a Marvis licence**: without one Mist answers 403 (`denied`). Looks back at most 7 days. Prose for people: decide by\n"
             "figures (`sle_summary`, `client_events`, `device_status`), and show them this.",
    .example = "- id: marvis\n  run: mist.marvis\n  with: {mac: \"${client}\", window: 1d}\n",
};
