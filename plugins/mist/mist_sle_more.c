/* mist_sle_more.c: service levels in detail: which there are, what spoils one, who suffers, where the bar is, and all sites beside each other. */
#include <string.h>
#include <strings.h>
#include "mist.h"
#include "mist_sle.h"

/* ---- sle_metrics: GET …/sle/{scope}/{scope_id}/metrics */

static json_t *texts(const json_t *list)
{
    json_t *out = json_array(), *item;
    size_t i;

    json_array_foreach(list, i, item)
        if (json_is_string(item))
            json_array_append(out, item);
    return out;
}

static void metrics_here(struct ft_call *call, json_t *answer)
{
    mist_done(call, json_pack("{s:o, s:o}", "enabled", texts(mist_at(answer, "enabled")), "supported", texts(mist_at(answer, "supported"))));
}

static void metrics_look(struct ft_call *call)
{
    const char *site = mist_escape(call, mist_state(call)->site_id);

    mist_get(call, metrics_here, "/sites/%s/sle/site/%s/metrics", site, site);
}

static void metrics_begin(struct ft_call *call)
{
    mist_find_site(call, metrics_look);
}
MIST_BEGIN(MIST_LOOK, metrics_begin, metrics_start)

#define TEXTS "{\"type\":\"string\"}"

const struct ft_action mist_sle_metrics = {
    MIST_READ(metrics_start),
    .name = "sle_metrics", .summary = "which service levels a site has",
    .params_schema = MIST_PARAMS("\"site\"", MIST_SITE),
    .result_schema = MIST_OBJ(MIST_P_LIST("enabled", TEXTS, "names of those that are measured") "," MIST_P_LIST("supported", TEXTS, "names of all that there are")),
    .about = "`GET /sites/{site_id}/sle/site/{site_id}/metrics`. The names differ between organisations.",
    .example = "- id: levels\n  run: mist.sle_metrics\n  with: {site: HQ}\n",
};

/* ---- sle_classifiers: GET …/metric/{metric}/classifiers */

static void classifiers_here(struct ft_call *call, json_t *answer)
{
    mist_done(call, json_pack("{s:s, s:o}", "metric", mist_sle_metric(call), "classifiers", texts(json_is_array(answer) ? answer : mist_at(answer, "classifiers"))));
}

static void classifiers_look(struct ft_call *call)
{
    mist_get_any(call, classifiers_here, "%s/classifiers", mist_sle_path(call));
}

static void classifiers_begin(struct ft_call *call)
{
    mist_sle_begin(call, classifiers_look);
}
MIST_BEGIN(MIST_LOOK, classifiers_begin, classifiers_start)

#define METRIC MIST_P("metric", "\"string\"", "name that the site gives it")

const struct ft_action mist_sle_classifiers = {
    MIST_READ(classifiers_start),
    .name = "sle_classifiers", .summary = "into which causes a service level is divided",
    .params_schema = MIST_PARAMS("\"site\",\"metric\"", MIST_SLE_PARAMS),
    .result_schema = MIST_OBJ(METRIC "," MIST_P_LIST("classifiers", TEXTS, "names of causes, as sle_classifier and sle_impact take them")),
    .about = "`GET /sites/{site_id}/sle/{scope}/{scope_id}/metric/{metric}/classifiers`.",
    .example = "- id: causes\n  run: mist.sle_classifiers\n  with: {site: HQ, metric: capacity}\n",
};

/* ---- sle_classifier: GET …/metric/{metric}/classifier/{classifier}/summary, on newer releases …/summary-trend */

static json_t *classifier_samples(const json_t *answer)
{
    const json_t *total = mist_at(answer, "classifier.samples.total"), *degraded = mist_at(answer, "classifier.samples.degraded");
    double start = mist_num(answer, "start", 0), interval = mist_num(answer, "classifier.interval", 0);
    json_t *samples = json_array(), *item;
    size_t i;

    json_array_foreach(degraded, i, item)
        json_array_append_new(samples, json_pack("{s:f, s:f, s:f}", "timestamp", start + (double)i * interval, "degraded", json_number_value(item),
                                                 "total", json_number_value(json_array_get(total, i))));
    return samples;
}

static void classifier_here(struct ft_call *call, json_t *answer)
{
    static const struct mist_field fields[] = {
        { "num_users", "classifier.impact.num_users|impact.num_users", MIST_INT }, { "total_users", "classifier.impact.total_users|impact.total_users", MIST_INT },
        { "num_aps", "classifier.impact.num_aps|impact.num_aps", MIST_INT }, { "total_aps", "classifier.impact.total_aps|impact.total_aps", MIST_INT },
    };
    double total = mist_sle_sum(mist_at(answer, "classifier.samples.total")), degraded = mist_sle_sum(mist_at(answer, "classifier.samples.degraded"));
    json_t *out = json_pack("{s:s, s:s, s:f, s:f, s:o, s:o}", "metric", mist_sle_metric(call), "classifier", mist_text(call, "classifier"), "degraded", degraded,
                            "total", total, "share", total > 0 ? json_real(degraded / total) : json_null(), "samples", classifier_samples(answer));
    const json_t *failures = mist_at(answer, "failures");

    MIST_PICK(out, answer, fields);
    json_object_set_new(out, "failures", json_is_array(failures) ? json_deep_copy(failures) : json_array());
    mist_done(call, out);
}

static const char *classifier_path(struct ft_call *call)
{
    return host->printf(call, "%s/classifier/%s", mist_sle_path(call), mist_escape(call, mist_text(call, "classifier")));
}

static void classifier_or_trend(struct ft_call *call, json_t *answer)
{
    if (answer)
        classifier_here(call, answer);
    else
        mist_get(call, classifier_here, "%s/summary-trend?duration=%s", classifier_path(call), mist_window(call));
}

static void classifier_look(struct ft_call *call)
{
    mist_get_if_there(call, classifier_or_trend, "%s/summary?duration=%s", classifier_path(call), mist_window(call));
}

static void classifier_begin(struct ft_call *call)
{
    mist_sle_begin(call, classifier_look);
}
MIST_BEGIN(MIST_LOOK, classifier_begin, classifier_start)

#define CLASSIFIER JSON("classifier": {"type": "string", "minLength": 1, "description": "cause, as sle_summary and sle_classifiers name it"})

const struct ft_action mist_sle_classifier = {
    MIST_READ(classifier_start),
    .name = "sle_classifier", .summary = "how much one cause spoils a service level, and its course",
    .params_schema = MIST_PARAMS("\"site\",\"metric\",\"classifier\"", MIST_SLE_PARAMS "," CLASSIFIER),
    .result_schema = MIST_OBJ(METRIC "," MIST_P("classifier", "\"string\"", "the cause") ","
        MIST_P("degraded", "\"number\"", "user-minutes that it spoiled") "," MIST_P("total", "\"number\"", "user-minutes") ","
        MIST_P_NUM("share", "part of all user-minutes, 0..1; nil when there were no users") "," MIST_P_INT("num_users", "users affected") ","
        MIST_P_INT("total_users", "users") "," MIST_P_INT("num_aps", "APs affected") "," MIST_P_INT("total_aps", "APs") ","
        MIST_P_LIST("failures", "{\"type\":\"object\"}", "what failed, as Mist tells it") ","
        MIST_P_LIST("samples", MIST_OBJ(MIST_P_TIME("timestamp", "begin of the interval") "," MIST_P("degraded", "\"number\"", "user-minutes spoiled") ","
            MIST_P("total", "\"number\"", "user-minutes")), "course over the window")),
    .about = "`GET /sites/{site_id}/sle/{scope}/{scope_id}/metric/{metric}/classifier/{classifier}/summary`.",
    .example = "- id: interference\n  run: mist.sle_classifier\n  with: {site: HQ, metric: capacity, classifier: wifi-interference}\n",
};

/* ---- sle_impacted: GET …/metric/{metric}/impacted-users, -aps, -clients, -switches … */

#define IMPACTED_FIELDS(F) \
    F(STR, name, "name|hostname", "name") \
    F(MAC, mac, "mac|ap_mac|switch_mac|gateway_mac", "MAC address") \
    F(NUM, degraded, "degraded", "minutes that were bad") \
    F(NUM, total, "total", "minutes") \
    F(MAC, ap_mac, "ap_mac", "users: MAC address of the AP") \
    F(STR, ap_name, "ap_name", "users: name of the AP") \
    F(STR, ssid, "ssid", "users: network") \
    F(STR, device_type, "device_type", "users: kind of device") \
    F(STR, device_os, "device_os", "users: operating system") \
    F(STR, switch_name, "switch_name", "interfaces: name of the switch")
static const struct mist_field impacted_fields[] = { IMPACTED_FIELDS(MIST_ROW) { "interface", "interface|interface_name|port_id", MIST_STR } };

static json_t *impacted_list(const json_t *answer)
{
    static const char *const names[] = { "users", "clients", "aps", "switches", "gateways", "interfaces", "chassis", "applications", "apps", "results" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (json_is_array(json_object_get(answer, names[i])))
            return json_object_get(answer, names[i]);
    return NULL;
}

static void impacted_here(struct ft_call *call, json_t *answer)
{
    size_t limit = (size_t)json_integer_value(json_object_get(host->params(call), "limit"));
    json_t *rows = MIST_ROWS(impacted_list(answer), impacted_fields);
    double total = mist_num(answer, "total_count", (double)json_array_size(rows));

    mist_sort_down(rows, "degraded");
    while (json_array_size(rows) > limit)
        json_array_remove(rows, json_array_size(rows) - 1);
    mist_done(call, json_pack("{s:s, s:s, s:o, s:I, s:b}", "metric", mist_sle_metric(call), "of", mist_text(call, "of"), "impacted", rows,
                              "total", (json_int_t)total, "complete", total <= (double)json_array_size(rows)));
}

static void impacted_look(struct ft_call *call)
{
    const char *classifier = mist_text(call, "classifier");

    mist_get(call, impacted_here, "%s/impacted-%s?duration=%s%s%s", mist_sle_path(call), mist_text(call, "of"), mist_window(call), classifier ? "&classifier=" : "",
             classifier ? mist_escape(call, classifier) : "");
}

static void impacted_begin(struct ft_call *call)
{
    mist_sle_begin(call, impacted_look);
}
MIST_BEGIN(MIST_LOOK, impacted_begin, impacted_start)

const struct ft_action mist_sle_impacted = {
    MIST_READ(impacted_start),
    .name = "sle_impacted", .summary = "the users, APs, switches … that a service level suffered on, one by one",
    .params_schema = MIST_PARAMS("\"site\",\"metric\"", MIST_SLE_PARAMS "," CLASSIFIER "," MIST_LIMIT("200", "1000") ","
        JSON("of": {"type": "string", "enum": ["users", "aps", "clients", "switches", "gateways", "interfaces", "chassis", "applications"], "default": "users",
                    "description": "what to list; users are wireless, clients wired"})),
    .result_schema = MIST_OBJ(METRIC "," MIST_P("of", "\"string\"", "what is listed") ","
        MIST_P_LIST("impacted", MIST_OBJ(IMPACTED_FIELDS(MIST_PROPERTY) MIST_P_STR("interface", "interfaces: port")), "the worst first") ","
        MIST_P("total", "\"integer\"", "how many there are") "," MIST_COMPLETE),
    .about = "`GET /sites/{site_id}/sle/{scope}/{scope_id}/metric/{metric}/impacted-users`, `-aps` and so on, one answer of Mist.",
    .example = "- id: sufferers\n  run: mist.sle_impacted\n  with: {site: HQ, metric: coverage, classifier: weak-signal, of: users}\n",
};

/* ---- sle_histogram: GET …/metric/{metric}/histogram */

static void histogram_here(struct ft_call *call, json_t *answer)
{
    static const struct mist_field head[] = { { "unit", "x_label", MIST_STR }, { "value_unit", "y_label", MIST_STR } };
    json_t *rows = json_array(), *out = json_pack("{s:s}", "metric", mist_sle_metric(call)), *item;
    size_t i;

    json_array_foreach(mist_at(answer, "data"), i, item) {
        const json_t *range = mist_at(item, "range"), *from = json_array_get(range, 0), *to = json_array_get(range, 1);

        json_array_append_new(rows, json_pack("{s:o, s:o, s:f}", "from", json_is_number(from) ? json_real(json_number_value(from)) : json_null(),
                                              "to", json_is_number(to) ? json_real(json_number_value(to)) : json_null(), "value", mist_num(item, "value", 0)));
    }
    MIST_PICK(out, answer, head);
    json_object_set_new(out, "bars", rows);
    mist_done(call, out);
}

static void histogram_look(struct ft_call *call)
{
    mist_get(call, histogram_here, "%s/histogram?duration=%s", mist_sle_path(call), mist_window(call));
}

static void histogram_begin(struct ft_call *call)
{
    mist_sle_begin(call, histogram_look);
}
MIST_BEGIN(MIST_LOOK, histogram_begin, histogram_start)

const struct ft_action mist_sle_histogram = {
    MIST_READ(histogram_start),
    .name = "sle_histogram", .summary = "how the values of a service level are spread",
    .params_schema = MIST_PARAMS("\"site\",\"metric\"", MIST_SLE_PARAMS),
    .result_schema = MIST_OBJ(METRIC "," MIST_P_STR("unit", "unit of from and to") "," MIST_P_STR("value_unit", "unit of value") ","
        MIST_P_LIST("bars", MIST_OBJ(MIST_P_NUM("from", "begin of the range; nil: open") "," MIST_P_NUM("to", "end of the range; nil: open") ","
            MIST_P("value", "\"number\"", "how much lies in it")), "as Mist orders them")),
    .about = "`GET /sites/{site_id}/sle/{scope}/{scope_id}/metric/{metric}/histogram`.",
    .example = "- id: spread\n  run: mist.sle_histogram\n  with: {site: HQ, metric: coverage}\n",
};

/* ---- sle_threshold: GET …/metric/{metric}/threshold */

#define THRESHOLD_FIELDS(F) \
    F(NUM, threshold, "threshold", "where the bar is; nil: where Mist puts it") \
    F(NUM, standard, "default", "where Mist puts it") \
    F(NUM, minimum, "minimum", "lowest that can be set") \
    F(NUM, maximum, "maximum", "highest that can be set") \
    F(STR, unit, "units", "unit of them all")
static const struct mist_field threshold_fields[] = { THRESHOLD_FIELDS(MIST_ROW) { "direction", "direction", MIST_STR } };

static void threshold_here(struct ft_call *call, json_t *answer)
{
    json_t *out = json_pack("{s:s}", "metric", mist_sle_metric(call));

    MIST_PICK(out, answer, threshold_fields);
    mist_done(call, out);
}

static void threshold_look(struct ft_call *call)
{
    mist_get(call, threshold_here, "%s/threshold", mist_sle_path(call));
}

static void threshold_begin(struct ft_call *call)
{
    mist_sle_begin(call, threshold_look);
}
MIST_BEGIN(MIST_LOOK, threshold_begin, threshold_start)

const struct ft_action mist_sle_threshold = {
    MIST_READ(threshold_start),
    .name = "sle_threshold", .summary = "where the bar of a service level is",
    .params_schema = MIST_PARAMS("\"site\",\"metric\"", MIST_SLE_PARAMS),
    .result_schema = MIST_OBJ(METRIC "," THRESHOLD_FIELDS(MIST_PROPERTY) MIST_P_STR("direction", "on which side of it is bad")),
    .about = "`GET /sites/{site_id}/sle/{scope}/{scope_id}/metric/{metric}/threshold`. It is changed in the site's settings (`sle_thresholds`) with `mist.site_setting_update`.",
    .example = "- id: bar\n  run: mist.sle_threshold\n  with: {site: HQ, metric: coverage}\n",
};

/* ---- sle_sites: GET /orgs/{org_id}/insights/sites-sle */

static const char *const levels[] = {
    "coverage", "capacity", "time-to-connect", "successful-connect", "roaming", "throughput", "ap-availability", "ap-health",
    "switch-health", "switch-throughput", "switch-bandwidth", "gateway-health", "wan-link-health", "application_health",
};

/* Names with _ for -, so that a playbook can write them: result.sites[1].time_to_connect. */
static json_t *site_row(const json_t *item)
{
    static const struct mist_field fields[] = {
        { "site_id", "site_id", MIST_STR }, { "num_clients", "num_clients", MIST_INT }, { "num_devices", "num_aps|num_switches|num_gateways", MIST_INT },
    };
    json_t *row = json_object();
    const char *worst = NULL;
    double lowest = 2;

    MIST_PICK(row, item, fields);
    for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
        double value = mist_num(item, levels[i], -1);
        char name[32];

        snprintf(name, sizeof(name), "%s", levels[i]);
        for (char *p = name; *p; p++)
            *p = *p == '-' ? '_' : *p;
        json_object_set_new(row, name, value >= 0 ? json_real(value) : json_null());
        if (value >= 0 && value < lowest) {
            lowest = value;
            worst = levels[i];
        }
    }
    json_object_set_new(row, "worst", worst ? json_string(worst) : json_null());
    json_object_set_new(row, "worst_value", worst ? json_real(lowest) : json_null());
    return row;
}

static const char *const sites_filters[] = { "sle", NULL };
static const struct mist_table sites_table = {
    .name = "sites", .org = "/insights/sites-sle", .filters = sites_filters, .row = site_row, .window = true,
};

static void sites_start_look(struct ft_call *call)
{
    mist_read_table(call, &sites_table);
}
MIST_BEGIN(MIST_LOOK, sites_start_look, sites_start)

const struct ft_action mist_sle_sites = {
    MIST_READ(sites_start),
    .name = "sle_sites", .summary = "the service levels of all sites beside each other",
    .params_schema = MIST_PARAMS("", MIST_WINDOW("1d") "," MIST_LIMIT("500", "5000") ","
        JSON("sle": {"type": "string", "enum": ["wifi", "wired", "wan"], "default": "wifi", "description": "which of them"})),
    .result_schema = MIST_OBJ(MIST_LISTED("sites", MIST_P_STR("site_id", "id of the site") "," MIST_P_INT("num_clients", "clients") ","
        MIST_P_INT("num_devices", "APs, switches or gateways") "," MIST_P_NUM("coverage", "0..1") "," MIST_P_NUM("capacity", "0..1") ","
        MIST_P_NUM("time_to_connect", "0..1") "," MIST_P_NUM("successful_connect", "0..1") "," MIST_P_NUM("roaming", "0..1") "," MIST_P_NUM("throughput", "0..1") ","
        MIST_P_NUM("ap_availability", "0..1") "," MIST_P_NUM("ap_health", "0..1") "," MIST_P_NUM("switch_health", "0..1") ","
        MIST_P_NUM("switch_throughput", "0..1") "," MIST_P_NUM("switch_bandwidth", "0..1") "," MIST_P_NUM("gateway_health", "0..1") ","
        MIST_P_NUM("wan_link_health", "0..1") "," MIST_P_NUM("application_health", "0..1") ","
        MIST_P_STR("worst", "name of the lowest of them, as sle_summary takes it") "," MIST_P_NUM("worst_value", "its value, 0..1"), "sites")),
    .about = "`GET /orgs/{org_id}/insights/sites-sle`. 1 is perfect. Two or three requests for a whole organisation.",
    .example = "- id: all_sites\n  run: mist.sle_sites\n  with: {window: 1d}\n",
};

/* ---- insight: GET /sites/{site_id}/insights/{metric}, …/client/{mac}/{metric}, …/device/{mac}/{metric}; since 2602 the metric is a query parameter */

static void insight_here(struct ft_call *call, json_t *answer)
{
    const json_t *results = mist_at(answer, "results");
    json_t *values = json_array(), *item;
    double start = mist_num(answer, "start", 0), interval = mist_num(answer, "interval", 0);
    size_t i;

    if (!json_is_array(results))
        results = mist_at(answer, mist_text(call, "metric"));
    json_array_foreach(results, i, item)
        json_array_append_new(values, json_pack("{s:f, s:o, s:o}", "timestamp", start + (double)i * interval,
            "value", json_is_number(item) ? json_real(json_number_value(item)) : json_null(), "item", json_is_object(item) ? json_incref(item) : json_null()));
    mist_done(call, json_pack("{s:s, s:f, s:o, s:i}", "metric", mist_text(call, "metric"), "interval_s", interval, "values", values, "total", (int)json_array_size(values)));
}

static const char *insight_scope(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);

    if (st->device.mac)
        return host->printf(call, "/device/%s", st->device.mac);
    return st->mac ? host->printf(call, "/client/%s", st->mac) : "";
}

static void insight_or_query(struct ft_call *call, json_t *answer)
{
    if (answer)
        insight_here(call, answer);
    else
        mist_get(call, insight_here, "/sites/%s/insights%s?metrics=%s&duration=%s", mist_escape(call, mist_state(call)->site_id), insight_scope(call),
                 mist_escape(call, mist_text(call, "metric")), mist_window(call));
}

static void insight_look(struct ft_call *call)
{
    mist_get_if_there(call, insight_or_query, "/sites/%s/insights%s/%s?duration=%s", mist_escape(call, mist_state(call)->site_id), insight_scope(call),
                      mist_escape(call, mist_text(call, "metric")), mist_window(call));
}

static void insight_begin(struct ft_call *call)
{
    if (mist_text(call, "device"))
        mist_find_device(call, NULL, insight_look);
    else if (!mist_text(call, "mac") || mist_find_mac(call))
        mist_find_site(call, insight_look);
}
MIST_BEGIN(MIST_LOOK, insight_begin, insight_start)

const struct ft_action mist_insight = {
    MIST_READ(insight_start),
    .name = "insight", .summary = "the course of one figure of a site, a device or a client: bytes, clients …",
    .params_schema = MIST_PARAMS("\"site\",\"metric\"", MIST_SITE "," MIST_DEVICE "," MIST_CLIENT "," MIST_WINDOW("1d") ","
        JSON("metric": {"type": "string", "minLength": 1, "pattern": "^[A-Za-z0-9_-]+$", "description": "name of the figure: see mist.catalogue insight_metrics"})),
    .result_schema = MIST_OBJ(METRIC "," MIST_P("interval_s", "\"number\"", "s between two values") ","
        MIST_P_LIST("values", MIST_OBJ(MIST_P_TIME("timestamp", "begin of the interval") "," MIST_P_NUM("value", "value, where it is a number") ","
            MIST_P("item", "[\"object\",\"null\"]", "value, where it is more than a number")), "oldest first") ","
        MIST_P("total", "\"integer\"", "values")),
    .about = "`GET /sites/{site_id}/insights/{metric}`, for a device or a client theirs; on newer releases the metric goes into the query.",
    .example = "- id: load\n  run: mist.insight\n  with: {site: HQ, metric: num_clients, window: 1d}\n",
};
