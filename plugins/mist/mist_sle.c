/* mist_sle.c: service levels (SLE): how well users were served, and what spoiled it. */
#include <string.h>
#include <strings.h>
#include "mist.h"
#include "mist_sle.h"

/* The organisation's results and the webhooks say successful-connect, the sites' metrics failed-to-connect: the same figure. */
static const char *const aliases[][2] = { { "successful-connect", "failed-to-connect" }, { "roaming", "roaming-v2" } };

static bool same_name(const char *a, const char *b)
{
    for (; *a && *b; a++, b++)
        if (*a != *b && !(strchr("-_", *a) && strchr("-_", *b)))
            return false;
    return *a == *b;
}

static const char *listed(const json_t *names, const char *wanted)
{
    json_t *item;
    size_t i;

    json_array_foreach(names, i, item)
        if (json_is_string(item) && same_name(json_string_value(item), wanted))
            return json_string_value(item);
    return NULL;
}

static const char *listed_by_any_name(const json_t *names, const char *wanted)
{
    const char *name = listed(names, wanted);

    for (size_t i = 0; !name && i < ARRAY_LEN(aliases); i++)
        for (size_t j = 0; !name && j < 2; j++)
            if (same_name(aliases[i][j], wanted))
                name = listed(names, aliases[i][!j]);
    return name;
}

static const char *joined(struct ft_call *call, const json_t *names)
{
    const char *text = "";
    json_t *item;
    size_t i;

    json_array_foreach(names, i, item)
        if (json_is_string(item) && strlen(text) < 400)
            text = host->printf(call, "%s%s%s", text, *text ? ", " : "", json_string_value(item));
    return text;
}

static void choose_metric(struct ft_call *call, const json_t *names)
{
    struct sle *sle = mist_state(call)->own;
    const char *wanted = mist_text(call, "metric"), *name = listed_by_any_name(names, wanted);

    if (!name && json_array_size(names)) {
        mist_fail(call, FT_NOT_FOUND, "the site has no service level '%.60s'; it has %s", wanted, joined(call, names));
        return;
    }
    sle->metric = host->printf(call, "%s", name ? name : wanted);
    sle->then(call);
}

static void metrics_here(struct ft_call *call, json_t *answer)
{
    struct mist_call *st = mist_state(call);
    json_t *names = json_array();

    json_array_extend(names, mist_at(answer, "enabled"));
    json_array_extend(names, mist_at(answer, "supported"));
    json_object_set_new(mist_of(call)->sle_metrics, st->site_id, names);
    choose_metric(call, names);
}

/* Names differ between organisations, so they are asked for first, once for each site. */
static void find_metric(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);
    struct sle *sle = st->own;
    const json_t *names = json_object_get(mist_of(call)->sle_metrics, st->site_id);

    if (!sle->scope_id)
        sle->scope_id = st->device.id ? st->device.id : st->mac ? st->mac : st->site_id;
    if (st->device.type && (!strcmp(st->device.type, "switch") || !strcmp(st->device.type, "gateway")))
        sle->scope = st->device.type;
    if (names)
        choose_metric(call, names);
    else
        mist_get_if_there(call, metrics_here, "/sites/%s/sle/site/%s/metrics", mist_escape(call, st->site_id), mist_escape(call, st->site_id));
}

void mist_sle_begin(struct ft_call *call, mist_next *then)
{
    struct mist_call *st = mist_state(call);
    struct sle *sle = host->alloc(call, sizeof(*sle));
    const char *scope = mist_text(call, "scope");

    *sle = (struct sle){ .then = then };
    st->own = sle;
    sle->scope = scope ? scope : mist_text(call, "device") ? "ap" : mist_text(call, "mac") ? "client" : "site";
    if (!strcmp(sle->scope, "client") && mist_find_mac(call))
        mist_find_site(call, find_metric);
    else if (!strcmp(sle->scope, "site"))
        mist_find_site(call, find_metric);
    else if (strcmp(sle->scope, "client") != 0)
        mist_find_device(call, scope, find_metric);
}

const char *mist_sle_path(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);
    struct sle *sle = st->own;

    return host->printf(call, "/sites/%s/sle/%s/%s/metric/%s", mist_escape(call, st->site_id), sle->scope, mist_escape(call, sle->scope_id),
                        mist_escape(call, sle->metric));
}

const char *mist_sle_metric(struct ft_call *call)
{
    return ((struct sle *)mist_state(call)->own)->metric;
}

/* ---- sle_summary: GET …/metric/{metric}/summary, on newer releases …/summary-trend */

double mist_sle_sum(const json_t *list)
{
    double total = 0;
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
        total += json_is_number(item) ? json_number_value(item) : 0;
    return total;
}

/* total and degraded are user-minutes; the score is the part that was not spoiled. */
static json_t *score(double degraded, double total)
{
    return total > 0 ? json_real(1 - degraded / total) : json_null();
}

static json_t *samples_of(const json_t *answer)
{
    const json_t *total = mist_at(answer, "sle.samples.total"), *degraded = mist_at(answer, "sle.samples.degraded"), *values = mist_at(answer, "sle.samples.value");
    double start = mist_num(answer, "start", 0), interval = mist_num(answer, "sle.interval", 0);
    json_t *samples = json_array(), *item;
    size_t i;

    json_array_foreach(total, i, item) {
        const json_t *value = json_array_get(values, i);

        json_array_append_new(samples, json_pack("{s:f, s:o, s:o}", "timestamp", start + (double)i * interval,
            "score", score(json_number_value(json_array_get(degraded, i)), json_number_value(item)),
            "value", json_is_number(value) ? json_real(json_number_value(value)) : json_null()));
    }
    return samples;
}

static json_t *classifiers_of(const json_t *answer, double total)
{
    json_t *rows = json_array(), *item;
    size_t i;

    json_array_foreach(mist_at(answer, "classifiers"), i, item) {
        double degraded = mist_sle_sum(mist_at(item, "samples.degraded"));

        if (mist_str(item, "name"))
            json_array_append_new(rows, json_pack("{s:s, s:f, s:o, s:I, s:I}", "name", mist_str(item, "name"), "degraded", degraded,
                "share", total > 0 ? json_real(degraded / total) : json_null(), "num_users", (json_int_t)mist_num(item, "impact.num_users", 0),
                "num_aps", (json_int_t)mist_num(item, "impact.num_aps", 0)));
    }
    mist_sort_down(rows, "degraded");
    return rows;
}

static void summary_here(struct ft_call *call, json_t *answer)
{
    static const struct mist_field impact[] = {
        { "num_users", "impact.num_users", MIST_INT }, { "total_users", "impact.total_users", MIST_INT }, { "num_aps", "impact.num_aps", MIST_INT },
        { "total_aps", "impact.total_aps", MIST_INT }, { "unit", "sle.y_label", MIST_STR },
    };
    struct sle *sle = mist_state(call)->own;
    double total = mist_sle_sum(mist_at(answer, "sle.samples.total")), degraded = mist_sle_sum(mist_at(answer, "sle.samples.degraded"));
    json_t *classifiers = classifiers_of(answer, total), *worst = json_array_get(classifiers, 0);
    bool spoiled = mist_num(worst, "degraded", 0) > 0;
    json_t *out = json_pack("{s:s, s:s, s:o, s:f, s:f, s:s?, s:O?}", "metric", sle->metric, "scope", sle->scope, "score", score(degraded, total),
                            "total", total, "degraded", degraded, "worst_classifier", spoiled ? mist_str(worst, "name") : NULL,
                            "worst_share", spoiled ? json_object_get(worst, "share") : NULL);

    MIST_PICK(out, answer, impact);
    json_object_set_new(out, "classifiers", classifiers);
    json_object_set_new(out, "samples", samples_of(answer));
    mist_done(call, out);
}

static void summary_or_trend(struct ft_call *call, json_t *answer)
{
    if (answer)
        summary_here(call, answer);
    else
        mist_get(call, summary_here, "%s/summary-trend?duration=%s", mist_sle_path(call), mist_window(call));
}

static void summary_look(struct ft_call *call)
{
    mist_get_if_there(call, summary_or_trend, "%s/summary?duration=%s", mist_sle_path(call), mist_window(call));
}

static void summary_begin(struct ft_call *call)
{
    mist_sle_begin(call, summary_look);
}
MIST_BEGIN(MIST_LOOK, summary_begin, summary_start)

const struct ft_action mist_sle_summary = {
    MIST_READ(summary_start),
    .name = "sle_summary", .summary = "one service level of a site, an AP, a switch or a client, and what spoiled it most",
    .params_schema = MIST_PARAMS("\"site\",\"metric\"", MIST_SLE_PARAMS),
    .result_schema = MIST_OBJ(
        MIST_P("metric", "\"string\"", "name that the site gives it") "," MIST_P("scope", "\"string\"", "site, ap, switch, gateway or client") ","
        MIST_P_NUM("score", "1 is perfect, 0 is always bad; nil when there were no users") ","
        MIST_P("total", "\"number\"", "user-minutes") "," MIST_P("degraded", "\"number\"", "user-minutes that were bad") ","
        MIST_P_STR("worst_classifier", "what spoiled most of it; nil when nothing did") ","
        MIST_P_NUM("worst_share", "part of all user-minutes that it spoiled, 0..1") ","
        MIST_P_INT("num_users", "users affected") "," MIST_P_INT("total_users", "users") "," MIST_P_INT("num_aps", "APs affected") ","
        MIST_P_INT("total_aps", "APs") "," MIST_P_STR("unit", "unit of the samples' value") ","
        MIST_P_LIST("classifiers", MIST_OBJ(MIST_P("name", "\"string\"", "name of the cause") "," MIST_P("degraded", "\"number\"", "user-minutes that it spoiled") ","
            MIST_P_NUM("share", "part of all user-minutes, 0..1") "," MIST_P("num_users", "\"integer\"", "users affected") ","
            MIST_P("num_aps", "\"integer\"", "APs affected")), "causes, the worst first") ","
        MIST_P_LIST("samples", MIST_OBJ(MIST_P_TIME("timestamp", "begin of the interval") "," MIST_P_NUM("score", "score of the interval") ","
            MIST_P_NUM("value", "value of the interval, in `unit`")), "course over the window")),
    .about = "`GET /sites/{site_id}/sle/{scope}/{scope_id}/metric/{metric}/summary`. The score is 1 - degraded / total, in user-minutes. The site's own list of\n"
             "metrics decides which of a metric's two names is asked for.",
    .example = "- id: coverage\n  run: mist.sle_summary\n  with: {site: \"${association.site_id}\", metric: coverage, window: 1d}\n",
};

/* ---- sle_impact: GET …/metric/{metric}/impact-summary: lists whose names depend on the metric */

#define IMPACT_FIELDS(F) \
    F(STR, name, "name", "name") \
    F(NUM, degraded, "degraded", "user-minutes that were bad") \
    F(NUM, total, "total", "user-minutes") \
    F(NUM, duration, "duration", "minutes")
static const struct mist_field impact_fields[] = {
    IMPACT_FIELDS(MIST_ROW) { "id", "ap_mac|switch_mac|gateway_mac|wlan_id|mac|band|vlan|server|device_os|device_type", MIST_STR },
};

static void impact_here(struct ft_call *call, json_t *answer)
{
    struct sle *sle = mist_state(call)->own;
    json_t *groups = json_object(), *worst = json_object(), *list;
    const char *name;

    json_object_foreach(answer, name, list) {
        json_t *rows, *first;

        if (!json_is_array(list))
            continue;
        rows = MIST_ROWS(list, impact_fields);
        mist_sort_down(rows, "degraded");
        first = json_array_get(rows, 0);
        if (mist_num(first, "degraded", 0) > 0)
            json_object_set(worst, name, json_object_get(first, "name"));
        json_object_set_new(groups, name, rows);
    }
    mist_done(call, json_pack("{s:s, s:s, s:s?, s:o, s:o}", "metric", sle->metric, "scope", sle->scope, "classifier", mist_text(call, "classifier"),
                              "groups", groups, "worst", worst));
}

static void impact_look(struct ft_call *call)
{
    const char *classifier = mist_text(call, "classifier");

    mist_get(call, impact_here, "%s/impact-summary?duration=%s%s%s", mist_sle_path(call), mist_window(call), classifier ? "&classifier=" : "",
             classifier ? mist_escape(call, classifier) : "");
}

static void impact_begin(struct ft_call *call)
{
    mist_sle_begin(call, impact_look);
}
MIST_BEGIN(MIST_LOOK, impact_begin, impact_start)

const struct ft_action mist_sle_impact = {
    MIST_READ(impact_start),
    .name = "sle_impact", .summary = "which APs, networks, bands, kinds of device or servers a service level suffered on",
    .params_schema = MIST_PARAMS("\"site\",\"metric\"", MIST_SLE_PARAMS ","
        JSON("classifier": {"type": "string", "minLength": 1, "description": "only this cause, as sle_summary names it"})),
    .result_schema = MIST_OBJ(
        MIST_P("metric", "\"string\"", "name that the site gives it") "," MIST_P("scope", "\"string\"", "site, ap, switch, gateway or client") ","
        MIST_P_STR("classifier", "cause that was asked for") ","
        "\"groups\":{\"type\":\"object\",\"description\":\"by ap, wlan, band, device_type, device_os, server …: the worst first\",\"additionalProperties\":"
        "{\"type\":\"array\",\"items\":" MIST_OBJ(IMPACT_FIELDS(MIST_PROPERTY) MIST_P_STR("id", "MAC address or id")) "}},"
        "\"worst\":{\"type\":\"object\",\"description\":\"name of the worst of each group\",\"additionalProperties\":{\"type\":[\"string\",\"null\"]}}"),
    .about = "`GET /sites/{site_id}/sle/{scope}/{scope_id}/metric/{metric}/impact-summary`.",
    .example = "- id: where\n  run: mist.sle_impact\n  with: {site: HQ, metric: capacity, classifier: wifi-interference}\n",
};
