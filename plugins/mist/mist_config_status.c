/* mist_config_status.c: does the device have what Mist holds?
 *
 * Three questions: does the site let configurations through (config_push_policy of its effective settings), what does the device itself say
 * (config_status, config_reverted), and when did the last event about its configuration say what (devices/events/search). */
#include <string.h>
#include <strings.h>
#include "mist.h"

struct config_state {
    json_t *object, *stats, *policy;
};

static const char *const good_events[] = { "AP_CONFIGURED", "AP_RECONFIGURED", "SW_CONFIGURED", "SW_RECONFIGURED", "GW_CONFIGURED", "GW_RECONFIGURED" };
static const char *const bad_events[] = {
    "AP_CONFIG_FAILED", "SW_CONFIG_FAILED", "GW_CONFIG_FAILED", "SW_CONFIG_LOCK_FAILED", "GW_CONFIG_LOCK_FAILED", "SW_CONFIG_REVERTED", "AP_CONFIG_REVERTED",
    "SW_CONFIG_ERROR", "SW_CONFIG_WARN",
};

static bool among(const char *text, const char *const *list, size_t count)
{
    for (size_t i = 0; text && i < count; i++)
        if (strcmp(list[i], text) == 0)
            return true;
    return false;
}

/* The newest event that tells of a configuration taken or refused. */
static const json_t *newest_event(const json_t *events, bool *ret_good)
{
    const json_t *newest = NULL;
    json_t *item;
    size_t i;

    json_array_foreach(events, i, item) {
        const char *type = mist_str(item, "type");
        bool good = among(type, good_events, ARRAY_LEN(good_events));

        if (!good && !among(type, bad_events, ARRAY_LEN(bad_events)))
            continue;
        if (!newest || mist_num(item, "timestamp", 0) > mist_num(newest, "timestamp", 0)) {
            newest = item;
            *ret_good = good;
        }
    }
    return newest;
}

static bool committed(const char *status)
{
    return status && (!strcasecmp(status, "COMMITED") || !strcasecmp(status, "COMMITTED") || !strcasecmp(status, "success") || !strcasecmp(status, "ok"));
}

/* "applied", or why not: the first that stands in the way. NULL: nothing tells. */
static const char *verdict(struct ft_call *call, const struct config_state *own, const json_t *event, bool good)
{
    const char *status = mist_str(own->stats, "config_status"), *state = mist_str(own->stats, "status");
    double modified = mist_num(own->object, "modified_time", 0), at = mist_num(event, "timestamp", 0);
    const json_t *since = json_object_get(host->params(call), "since");

    if (since)
        modified = json_number_value(since);
    if (json_is_true(mist_at(own->stats, "config_reverted")))
        return "reverted";
    if (json_is_true(mist_at(own->policy, "config_push_policy.no_push")))
        return "held";
    if (state && strcmp(state, "disconnected") == 0)
        return "unreachable";
    if (event && at >= modified)
        return good ? "applied" : "failed";
    if (json_is_true(mist_at(own->policy, "config_push_policy.push_window.enabled")))
        return "waits_for_window";
    if (status && !committed(status))
        return "pending";
    return event || !committed(status) ? (modified > 0 && event ? "pending" : NULL) : "applied";
}

static void config_status_here(struct ft_call *call, json_t *events)
{
    static const struct mist_field of_stats[] = {
        { "status", "status", MIST_STR }, { "config_status", "config_status", MIST_STR }, { "config_reverted", "config_reverted", MIST_BOOL },
        { "last_seen", "last_seen", MIST_TIME },
    };
    static const struct mist_field of_policy[] = {
        { "no_push", "config_push_policy.no_push", MIST_BOOL }, { "push_window", "config_push_policy.push_window.enabled", MIST_BOOL },
        { "auto_revert", "config_auto_revert", MIST_BOOL },
    };
    static const struct mist_field of_event[] = { { "event", "type", MIST_STR }, { "event_time", "timestamp", MIST_TIME }, { "event_text", "text|reason", MIST_STR } };
    static const struct mist_field of_object[] = { { "modified_time", "modified_time", MIST_TIME } };
    struct mist_call *st = mist_state(call);
    const struct config_state *own = st->own;
    bool good = false;
    const json_t *event = newest_event(events, &good);
    const char *said = verdict(call, own, event, good);
    json_t *out = json_pack("{s:s, s:s, s:s?, s:b}", "site_id", st->site_id, "device_id", st->device.id, "verdict", said ? said : "unknown",
                            "applied", said && strcmp(said, "applied") == 0);

    MIST_PICK(out, own->stats, of_stats);
    MIST_PICK(out, own->policy, of_policy);
    MIST_PICK(out, event, of_event);
    MIST_PICK(out, own->object, of_object);
    mist_done(call, out);
}

static void config_status_policy(struct ft_call *call, json_t *policy)
{
    struct mist_call *st = mist_state(call);
    struct config_state *own = st->own;

    own->policy = policy;
    if (!st->device.mac)
        config_status_here(call, NULL);
    else
        mist_list_if_there(call, 1000, config_status_here, "/sites/%s/devices/events/search?duration=7d&mac=%s", mist_escape(call, st->site_id), st->device.mac);
}

static void config_status_stats(struct ft_call *call, json_t *stats)
{
    struct mist_call *st = mist_state(call);

    ((struct config_state *)st->own)->stats = stats;
    mist_get_if_there(call, config_status_policy, "/sites/%s/setting/derived", mist_escape(call, st->site_id));
}

static void config_status_object(struct ft_call *call, json_t *object)
{
    ((struct config_state *)mist_state(call)->own)->object = object;
    mist_device_stats(call, config_status_stats);
}

static void config_status_look(struct ft_call *call)
{
    mist_get(call, config_status_object, "/sites/%s/devices/%s", mist_escape(call, mist_state(call)->site_id), mist_escape(call, mist_state(call)->device.id));
}

static void config_status_begin(struct ft_call *call)
{
    mist_state(call)->own = host->alloc(call, sizeof(struct config_state));
    memset(mist_state(call)->own, 0, sizeof(struct config_state));
    mist_find_device(call, NULL, config_status_look);
}
MIST_BEGIN(MIST_LOOK, config_status_begin, config_status_start)

const struct ft_action mist_device_config_status = {
    MIST_READ(config_status_start),
    .name = "device_config_status", .summary = "whether a device has the configuration that Mist holds for it, and if not, why",
    .params_schema = MIST_PARAMS("\"device\"", MIST_SITE "," MIST_DEVICE ","
        JSON("since": {"type": "number", "exclusiveMinimum": 0, "description": "the change to look for was made then, s since 1970; when left out, the time that the device's own object was changed"})),
    .result_schema = MIST_OBJ(MIST_P_STR("site_id", "site of the device") "," MIST_P_STR("device_id", "id of the device") ","
        MIST_P("verdict", "\"string\"", "applied; held: no_push keeps it back; waits_for_window: a push window is set; pending: not yet; failed: the device refused it; "
               "reverted: the device went back to its former one by itself; unreachable: it is not connected; unknown: nothing tells") ","
        MIST_P("applied", "\"boolean\"", "the verdict is applied") "," MIST_P_STR("status", "connected or disconnected") ","
        MIST_P_STR("config_status", "switch: its own word") "," MIST_P_BOOL("config_reverted", "it went back to its former configuration") ","
        MIST_P_TIME("last_seen", "when Mist saw it last") "," MIST_P_BOOL("no_push", "the site lets no configuration through") ","
        MIST_P_BOOL("push_window", "the site lets configurations through at certain hours only") "," MIST_P_BOOL("auto_revert", "APs go back by themselves when a configuration cuts them off") ","
        MIST_P_STR("event", "newest event about its configuration within a week") "," MIST_P_TIME("event_time", "when that was") ","
        MIST_P_STR("event_text", "what it says") "," MIST_P_TIME("modified_time", "when the device's own object was changed last")),
    .about = "`GET` of the device, its statistics, the site's effective settings and the device's events. **A 200 of Mist means stored, not done**: a push policy may hold\n"
             "it, the device may refuse it, or go back by itself. Verify writes of configuration with this. A change that comes from the site, a WLAN or a template\n"
             "does not touch the device's own object: give `since`.",
    .example = "- id: arrived\n  run: mist.device_config_status\n  with: {device: ap-3f-12, site: HQ}\n",
};
