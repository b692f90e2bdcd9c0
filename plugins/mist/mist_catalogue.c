/* mist_catalogue.c: the catalogues under /const: what Mist's events and alarms are called. Asked for at first use, kept for a day. */
#include <string.h>
#include <strings.h>
#include "mist.h"

#define CATALOGUE_KEEP_MS (24 * 60 * 60 * 1000u)
#define MAX_ITEMS 5000

struct look {
    const char *name;
    mist_then *then;
};

static json_t *kept(struct ft_call *call, const char *name)
{
    const json_t *entry = json_object_get(mist_of(call)->catalogues, name);
    double at = mist_num(entry, "at", 0), now = (double)host->wall_ms(call);

    return entry && now >= at && now - at <= CATALOGUE_KEEP_MS ? json_object_get(entry, "items") : NULL;
}

const json_t *mist_catalogue_kept(struct ft_call *call, const char *name)
{
    return kept(call, name);
}

/* Lists of {key, …}, or of events with a `type`, or an object by key: all become an object by key. */
static json_t *by_key(const json_t *answer)
{
    json_t *items = json_object(), *item;
    const char *key;
    size_t i;

    if (json_is_object(answer) && !json_is_array(json_object_get(answer, "results"))) {
        json_object_foreach((json_t *)answer, key, item)
            if (json_is_object(item) && json_object_size(items) < MAX_ITEMS)
                json_object_set(items, key, item);
        return items;
    }
    if (json_is_object(answer))
        answer = json_object_get(answer, "results");
    json_array_foreach(answer, i, item)
        if (mist_str(item, "key|type|model|name") && json_object_size(items) < MAX_ITEMS)
            json_object_set(items, mist_str(item, "key|type|model|name"), item);
    return items;
}

static void const_here(struct ft_call *call, json_t *answer)
{
    struct look *look = mist_state(call)->catalogue;
    json_t *items = answer ? by_key(answer) : NULL;

    if (items)
        json_object_set_new(mist_of(call)->catalogues, look->name, json_pack("{s:f, s:O}", "at", (double)host->wall_ms(call), "items", items));
    look->then(call, mist_hold(call, items));
}

void mist_catalogue(struct ft_call *call, const char *name, mist_then *then)
{
    struct look *look = host->alloc(call, sizeof(*look));
    json_t *items = kept(call, name);

    if (items) {
        then(call, mist_hold(call, json_incref(items)));
        return;
    }
    *look = (struct look){ .name = name, .then = then };
    mist_state(call)->catalogue = look;
    mist_get_any(call, const_here, "/const/%s", name);
}

/* ---- catalogue */

static const struct mist_field item_fields[] = {
    { "display", "display|display_name", MIST_STR }, { "description", "description|text", MIST_STR }, { "group", "group", MIST_STR },
    { "severity", "severity", MIST_STR }, { "unit", "unit", MIST_STR },
};

static void shown(struct ft_call *call, json_t *items)
{
    const char *has = mist_text(call, "has"), *name = mist_text(call, "name"), *key;
    json_t *rows = json_array(), *item;
    size_t limit = (size_t)json_integer_value(json_object_get(host->params(call), "limit")), total = 0;

    json_object_foreach(items, key, item) {
        json_t *row;

        if (has && !strcasestr(key, has))
            continue;
        if (total++ >= limit)
            continue;
        row = json_pack("{s:s}", "key", key);
        MIST_PICK(row, item, item_fields);
        json_array_append_new(rows, row);
    }
    mist_done(call, json_pack("{s:s, s:o, s:i, s:b, s:f}", "name", name, "items", rows, "total", (int)total, "complete", total <= limit,
                              "age_s", ((double)host->wall_ms(call) - mist_num(json_object_get(mist_of(call)->catalogues, name), "at", 0)) / 1000));
}

static void catalogue_begin(struct ft_call *call)
{
    mist_catalogue(call, mist_text(call, "name"), shown);
}
MIST_BEGIN(MIST_LOOK, catalogue_begin, catalogue_start)

const struct ft_action mist_catalogue_action = {
    MIST_READ(catalogue_start),
    .name = "catalogue", .summary = "what Mist's alarms, events, metrics and models are called",
    .params_schema = MIST_PARAMS("\"name\"",
        JSON("name": {"type": "string", "enum": ["alarm_defs", "client_events", "device_events", "nac_events", "system_events", "insight_metrics", "webhook_topics",
                                                 "device_models", "traffic_types"], "description": "which catalogue"},
             "has": {"type": "string", "minLength": 1, "description": "only keys with this in them, in any case"}) "," MIST_LIMIT("1000", "5000")),
    .result_schema = MIST_OBJ(MIST_P("name", "\"string\"", "the catalogue") ","
        MIST_LISTED("items", MIST_P("key", "\"string\"", "name as it stands in events and alarms") "," MIST_P_STR("display", "name for people") ","
            MIST_P_STR("description", "what it means") "," MIST_P_STR("group", "group") "," MIST_P_STR("severity", "critical, warn or info") ","
            MIST_P_STR("unit", "unit of a metric"), "entries that fit") ","
        MIST_P("age_s", "\"number\"", "s since it was asked for: kept for a day, shared by all runs of the process")),
    .about = "`GET /const/{name}`. The names of events and alarms grow from release to release: nothing of this is built in.",
    .example = "- id: words\n  run: mist.catalogue\n  with: {name: client_events, has: DHCP}\n",
};
