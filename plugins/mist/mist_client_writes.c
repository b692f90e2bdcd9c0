/* mist_client_writes.c: several clients at once, and guests. */
#include <string.h>
#include <strings.h>
#include "mist.h"

/* ---- client_disconnect_many: POST /sites/{site_id}/clients/disconnect, a bare list of MAC addresses */

static bool is_named(struct ft_call *call, const char *mac)
{
    json_t *item;
    size_t i;

    json_array_foreach(json_object_get(host->params(call), "macs"), i, item) {
        char plain[MIST_MAC_LEN + 1];

        if (json_is_string(item) && mist_mac(json_string_value(item), plain) && strcmp(plain, mac) == 0)
            return true;
    }
    return false;
}

static void many_ready(struct ft_call *call, json_t *clients)
{
    struct mist_call *st = mist_state(call);
    struct mist_write *w = &st->write;
    const char *ssid = mist_text(call, "ssid");
    json_t *macs = mist_hold(call, json_array()), *item;
    size_t i;

    json_array_foreach(clients, i, item) {
        char mac[MIST_MAC_LEN + 1];

        if (!mist_str(item, "mac") || !mist_mac(mist_str(item, "mac"), mac))
            continue;
        if (ssid ? mist_str(item, "ssid") && strcmp(mist_str(item, "ssid"), ssid) == 0 : is_named(call, mac))
            json_array_append_new(macs, json_string(mac));
    }
    w->nothing_to_do = json_array_size(macs) == 0;
    w->summary = w->nothing_to_do ? "none of them is connected" : host->printf(call, "disconnect %zu clients of site %s", json_array_size(macs), mist_site_label(st));
    w->method = "POST";
    w->path = host->printf(call, "/sites/%s/clients/disconnect", mist_escape(call, st->site_id));
    w->body = macs;
    w->users = (json_int_t)json_array_size(macs);
    w->result = mist_hold(call, json_pack("{s:s, s:O}", "site_id", st->site_id, "macs", macs));
    mist_write_ready(call);
}

static void many_look(struct ft_call *call)
{
    mist_get_array(call, many_ready, "/sites/%s/stats/clients?limit=1000", mist_escape(call, mist_state(call)->site_id));
}

static bool macs_are_sound(struct ft_call *call)
{
    char plain[MIST_MAC_LEN + 1];
    json_t *item;
    size_t i;

    json_array_foreach(json_object_get(host->params(call), "macs"), i, item) {
        if (!mist_mac(json_string_value(item) ? json_string_value(item) : "", plain)) {
            mist_fail(call, FT_INVALID, "macs: '%.40s' is not a MAC address", json_string_value(item));
            return false;
        }
    }
    return true;
}

static void many_begin(struct ft_call *call)
{
    if (!mist_text(call, "ssid") == !json_object_get(host->params(call), "macs"))
        mist_fail(call, FT_INVALID, "whom? give macs or ssid, not both");
    else if (macs_are_sound(call))
        mist_find_site(call, many_look);
}
MIST_BEGIN(MIST_RUN, many_begin, many_run)
MIST_BEGIN(MIST_PLAN, many_begin, many_plan)

const struct ft_action mist_client_disconnect_many = {
    MIST_WRITE(many_run, many_plan),
    .name = "client_disconnect_many", .summary = "send several wireless clients off the air, or all of a network; they mostly come back within seconds",
    .effects = FT_EFFECT_DISRUPTIVE,
    .params_schema = MIST_PARAMS("\"site\"", MIST_SITE ","
        JSON("macs": {"type": "array", "minItems": 1, "maxItems": 1000, "uniqueItems": true, "items": {"type": "string", "minLength": 12}, "description": "MAC addresses"},
             "ssid": {"type": "string", "minLength": 1, "description": "all clients of this network, instead"})),
    .result_schema = MIST_OBJ(MIST_CHANGED "," MIST_P_STR("site_id", "site") "," MIST_P_LIST("macs", "{\"type\":\"string\"}", "clients that were sent off")),
    .about = "`POST /sites/{site_id}/clients/disconnect` with those that are connected now. Mist lists at most 1000 clients of a site in one answer. There is nothing to take back.",
    .example = "- id: kick\n  run: mist.client_disconnect_many\n  with: {site: HQ, ssid: guest}\n  undo: none\n",
};

/* ---- guest_unauthorize: POST /sites/{site_id}/clients/{client_mac}/unauthorize */

static void guest_ready(struct ft_call *call, json_t *live)
{
    struct mist_call *st = mist_state(call);
    struct mist_write *w = &st->write;

    w->before = mist_hold(call, json_pack("{s:b, s:O?}", "associated", live != NULL, "ssid", mist_at(live, "ssid")));
    w->summary = host->printf(call, "take the guest's authorization from client %s", st->mac);
    w->method = "POST";
    w->path = host->printf(call, "/sites/%s/clients/%s/unauthorize", mist_escape(call, st->site_id), st->mac);
    w->users = 1;
    w->result = mist_hold(call, json_pack("{s:s, s:s}", "site_id", st->site_id, "mac", st->mac));
    mist_write_ready(call);
}

static void guest_look(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);

    mist_get_if_there(call, guest_ready, "/sites/%s/stats/clients/%s", mist_escape(call, st->site_id), st->mac);
}

static void guest_begin(struct ft_call *call)
{
    mist_find_client_site(call, guest_look);
}
MIST_BEGIN(MIST_RUN, guest_begin, guest_run)
MIST_BEGIN(MIST_PLAN, guest_begin, guest_plan)

const struct ft_action mist_guest_unauthorize = {
    MIST_WRITE(guest_run, guest_plan),
    .name = "guest_unauthorize", .summary = "take a guest's authorization; the guest must log in at the portal again",
    .effects = FT_EFFECT_DISRUPTIVE | FT_EFFECT_IDEMPOTENT,
    .params_schema = MIST_PARAMS("\"mac\"", MIST_SITE "," MIST_CLIENT),
    .result_schema = MIST_OBJ(MIST_CHANGED "," MIST_P_STR("site_id", "site of the client") "," MIST_P_MAC("mac", "MAC address of the client")),
    .about = "`POST /sites/{site_id}/clients/{client_mac}/unauthorize`: drops the authorization and disconnects. There is nothing to take back.",
    .example = "- id: out\n  run: mist.guest_unauthorize\n  with: {mac: \"${client}\", site: HQ}\n  undo: none\n",
};
