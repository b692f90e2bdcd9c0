/* mist_site.c: sites: what they are, what is in them. */
#include <string.h>
#include <strings.h>
#include "mist.h"

#define SITE_FIELDS(F) \
    F(STR, id, "id", "id of the site") \
    F(STR, name, "name", "name of the site") \
    F(STR, timezone, "timezone", "time zone, such as Europe/Berlin") \
    F(STR, country_code, "country_code", "country") \
    F(STR, address, "address", "postal address") \
    F(STR, rftemplate_id, "rftemplate_id", "id of its RF template") \
    F(STR, networktemplate_id, "networktemplate_id", "id of its switch template") \
    F(STR, aptemplate_id, "aptemplate_id", "id of its AP template") \
    F(STR, alarmtemplate_id, "alarmtemplate_id", "id of its alarm template") \
    F(STR, notes, "notes", "notes")
#define COUNT_FIELDS(F) \
    F(INT, num_ap, "num_ap", "access points") \
    F(INT, num_ap_connected, "num_ap_connected", "access points that are connected") \
    F(INT, num_switch, "num_switch", "switches") \
    F(INT, num_switch_connected, "num_switch_connected", "switches that are connected") \
    F(INT, num_gateway, "num_gateway", "gateways") \
    F(INT, num_gateway_connected, "num_gateway_connected", "gateways that are connected") \
    F(INT, num_clients, "num_clients", "wireless clients")
static const struct mist_field site_fields[] = { SITE_FIELDS(MIST_ROW) { "modified_time", "modified_time", MIST_TIME } };
static const struct mist_field count_fields[] = { COUNT_FIELDS(MIST_ROW) { "name", "name", MIST_STR } };

#define SITE_PROPERTIES SITE_FIELDS(MIST_PROPERTY) MIST_P_TIME("modified_time", "when its settings were changed last")

/* ---- site_info: GET /sites/{site_id} */

static void info_here(struct ft_call *call, json_t *answer)
{
    json_t *out = json_object();

    MIST_PICK(out, answer, site_fields);
    mist_done(call, out);
}

static void info_look(struct ft_call *call)
{
    mist_get(call, info_here, "/sites/%s", mist_escape(call, mist_state(call)->site_id));
}

static void info_begin(struct ft_call *call)
{
    mist_find_site(call, info_look);
}
MIST_BEGIN(MIST_LOOK, info_begin, info_start)

const struct ft_action mist_site_info = {
    MIST_READ(info_start),
    .name = "site_info", .summary = "a site: where it is, its time zone and its templates",
    .params_schema = MIST_PARAMS("\"site\"", MIST_SITE),
    .result_schema = MIST_OBJ(SITE_PROPERTIES),
    .about = "`GET /sites/{site_id}`.",
    .example = "- id: site_info\n  run: mist.site_info\n  with: {site: HQ}\n",
};

/* ---- site_list: GET /orgs/{org_id}/sites */

static void list_here(struct ft_call *call, json_t *items)
{
    const char *part = mist_text(call, "name_has");
    json_t *rows = mist_hold(call, MIST_ROWS(items, site_fields)), *taken = json_array(), *row;
    size_t i;

    json_array_foreach(rows, i, row)
        if (!part || (mist_str(row, "name") && strcasestr(mist_str(row, "name"), part)))
            json_array_append(taken, row);
    mist_done(call, json_pack("{s:o, s:i, s:b}", "sites", taken, "total", (int)json_array_size(taken), "complete", mist_state(call)->list.complete));
}

static void list_begin(struct ft_call *call)
{
    mist_list(call, (size_t)json_integer_value(json_object_get(host->params(call), "limit")), list_here, "/orgs/%s/sites", mist_escape(call, mist_of(call)->org));
}
MIST_BEGIN(MIST_LOOK, list_begin, list_start)

const struct ft_action mist_site_list = {
    MIST_READ(list_start),
    .name = "site_list", .summary = "the sites of the organisation",
    .params_schema = MIST_PARAMS("", MIST_LIMIT("5000", "50000") ","
        JSON("name_has": {"type": "string", "minLength": 1, "description": "only sites with this in their name, in any case"})),
    .result_schema = MIST_OBJ(MIST_P_LIST("sites", MIST_OBJ(SITE_PROPERTIES), "sites") "," MIST_P("total", "\"integer\"", "sites in the answer") "," MIST_COMPLETE),
    .about = "`GET /orgs/{org_id}/sites`.",
    .example = "- id: sites\n  run: mist.site_list\n",
};

/* ---- site_stats: GET /sites/{site_id}/stats */

static void stats_here(struct ft_call *call, json_t *answer)
{
    json_t *out = json_object();

    MIST_PICK(out, answer, count_fields);
    mist_done(call, out);
}

static void stats_look(struct ft_call *call)
{
    mist_get(call, stats_here, "/sites/%s/stats", mist_escape(call, mist_state(call)->site_id));
}

static void stats_begin(struct ft_call *call)
{
    mist_find_site(call, stats_look);
}
MIST_BEGIN(MIST_LOOK, stats_begin, stats_start)

const struct ft_action mist_site_stats = {
    MIST_READ(stats_start),
    .name = "site_stats", .summary = "how many devices and clients a site has now",
    .params_schema = MIST_PARAMS("\"site\"", MIST_SITE),
    .result_schema = MIST_OBJ(COUNT_FIELDS(MIST_PROPERTY) MIST_P_STR("name", "name of the site")),
    .about = "`GET /sites/{site_id}/stats`.",
    .example = "- id: site_now\n  run: mist.site_stats\n  with: {site: HQ}\n",
};
