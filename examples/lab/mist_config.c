/* mist_config.c: how a configuration comes to a device, and the objects that make it: WLANs of a site, templates and settings of the organisation.
 *
 * What the cloud holds is not what the device has: a push goes through at once, or waits while the site's config_push_policy holds it (no_push, or a
 * push window that is not open). With config_auto_revert an AP that its configuration cuts off goes back to the former one. */
#include <time.h>
#include "lab.h"

enum { LAB_PUSH = 3, LAB_PUSH_AGAIN = 10 };          /* s of lab time */

json_t *lab_mist_state(struct lab *lab, const char *name)
{
    json_t *value = json_object_get(lab->mist, name);

    if (!value) {
        value = json_object();
        json_object_set_new(lab->mist, name, value);
    }
    return value;
}

/* ---- pushes */

/* "09:00-17:00" of the day that it is, in the site's time (the lab takes UTC for it). */
static bool window_is_open(const struct lab *lab, const json_t *hours)
{
    static const char *const days[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat" };
    time_t now = (time_t)lab->wall;
    struct tm tm;
    const char *text;
    int a, b, c, d;

    gmtime_r(&now, &tm);
    text = json_string_value(json_object_get(hours, days[tm.tm_wday]));
    if (!text || sscanf(text, "%d:%d-%d:%d", &a, &b, &c, &d) != 4)
        return false;
    return tm.tm_hour * 60 + tm.tm_min >= a * 60 + b && tm.tm_hour * 60 + tm.tm_min < c * 60 + d;
}

bool lab_mist_held(const struct lab *lab, int site)
{
    const json_t *policy = json_object_get(lab->sites[site].setting, "config_push_policy"), *window = json_object_get(policy, "push_window");

    if (json_is_true(json_object_get(policy, "no_push")))
        return true;
    return json_is_true(json_object_get(window, "enabled")) && !window_is_open(lab, json_object_get(window, "hours"));
}

static int site_of(const struct lab *lab, int kind, int index)
{
    return kind == LAB_PUSH_AP ? lab->aps[index].site : lab->switches[index].site;
}

/* A management VLAN that does not reach the AP cuts it off. */
static bool cuts_off(const struct lab *lab, int ap)
{
    const json_t *vlan = json_object_get(json_object_get(lab->aps[ap].config, "ip_config"), "vlan_id");

    return json_is_integer(vlan) && !lab_vlan_reaches(lab, ap, (int)json_integer_value(vlan));
}

static void configured(struct lab *lab, int kind, int index)
{
    if (kind == LAB_PUSH_SWITCH) {
        if (!lab->switches[index].down)
            lab_device_event(lab, "switch", lab->switches[index].mac, "SW_CONFIGURED", NULL);
    } else if (lab->aps[index].state == AP_UP && !lab->aps[index].reverted) {
        lab_device_event(lab, "ap", lab->aps[index].mac, "AP_CONFIGURED", NULL);
    }
}

static void let_through(struct lab *lab, int kind, int index)
{
    int site = site_of(lab, kind, index);

    if (kind == LAB_PUSH_SWITCH) {
        lab_mist_apply_switch(lab, index);
    } else if (cuts_off(lab, index)) {
        lab->aps[index].reverted = json_is_true(json_object_get(lab->sites[site].setting, "config_auto_revert"));
        lab_device_event(lab, "ap", lab->aps[index].mac, "AP_CONFIG_FAILED", json_pack("{s:s}", "text", "no way to the cloud with the new configuration"));
    } else {
        lab->aps[index].reverted = false;
        lab_mist_apply_ap(lab, index);
    }
    lab_after(lab, LAB_PUSH, configured, kind, index);
}

static void try_again(struct lab *lab, int kind, int index);

static void push(struct lab *lab, int kind, int index)
{
    if (lab_mist_held(lab, site_of(lab, kind, index)))
        lab_after(lab, LAB_PUSH_AGAIN, try_again, kind, index);
    else
        let_through(lab, kind, index);
}

static void try_again(struct lab *lab, int kind, int index)
{
    push(lab, kind, index);
}

void lab_mist_push(struct lab *lab, int kind, int index)
{
    json_object_set_new(lab_mist_state(lab, "modified"), kind == LAB_PUSH_AP ? lab->aps[index].id : lab->switches[index].id, json_real(floor(lab->wall)));
    push(lab, kind, index);
}

void lab_mist_push_site(struct lab *lab, int site)
{
    for (int i = 0; i < lab->n_aps; i++)
        if (lab->aps[i].site == site)
            push(lab, LAB_PUSH_AP, i);
}

/* ---- WLANs of a site */

static void wlan_post(struct lab_req *req, struct lab_res *res)
{
    struct lab *lab = req->lab;
    int site = lab_mist_site(req, res);
    const char *ssid = json_string_value(json_object_get(req->json, "ssid"));
    struct lab_wlan *wlan;
    char seed[40];

    if (site < 0)
        return;
    if (!ssid || lab->n_wlans == LAB_MAX_WLANS) {
        lab_mist_bad(res, ssid ? "too many WLANs" : "ssid is required");
        return;
    }
    wlan = &lab->wlans[lab->n_wlans++];
    snprintf(seed, sizeof(seed), "wlan %lu", ++lab->serial);
    lab_uuid(lab, seed, wlan->id);
    wlan->object = json_deep_copy(req->json);
    json_object_update_new(wlan->object, json_pack("{s:s, s:s, s:s, s:f, s:f}", "id", wlan->id, "org_id", LAB_ORG, "site_id", lab->sites[site].id, "created_time",
                                                   floor(lab->wall), "modified_time", floor(lab->wall)));
    wlan->ssid = json_string_value(json_object_get(wlan->object, "ssid"));
    wlan->site = site;
    wlan->vlan = (int)json_integer_value(json_object_get(wlan->object, "vlan_id"));
    wlan->dot1x = ft_streq(json_string_value(json_object_get(json_object_get(wlan->object, "auth"), "type")), "eap");
    lab_mist_audit(lab, site, "Create WLAN");
    lab_mist_push_site(lab, site);
    req->done = true;
    res->json = json_deep_copy(wlan->object);
}

static void wlan_delete(struct lab_req *req, struct lab_res *res)
{
    struct lab *lab = req->lab;
    int site = lab_mist_site(req, res);

    for (int i = 0; site >= 0 && i < lab->n_wlans; i++) {
        if (lab->wlans[i].site != site || strcmp(lab->wlans[i].id, req->arg[1]) != 0)
            continue;
        lab->wlans[i].site = -1;                     /* clients still name it by its number */
        for (int c = 0; c < lab->n_clients; c++)
            if (lab->clients[c].wlan == i && lab_associated(&lab->clients[c]))
                lab_client_leave(lab, c, "CLIENT_DEAUTHENTICATION", "WLAN was deleted", INFINITY);
        lab_mist_audit(lab, site, "Delete WLAN");
        lab_mist_push_site(lab, site);
        req->done = true;
        return;
    }
    if (site >= 0)
        lab_mist_not_found(res);
}

/* ---- objects of the organisation: templates, profiles, WLANs, settings */

static const char *const collections[] = {
    "rftemplates", "networktemplates", "aptemplates", "gatewaytemplates", "sitetemplates", "alarmtemplates", "templates", "deviceprofiles", "wlans", NULL,
};

static json_t *collection(struct lab_req *req)
{
    return lab_mist_state(req->lab, req->seg[4]);
}

static void objects_get(struct lab_req *req, struct lab_res *res)
{
    json_t *list = json_array(), *object;
    const char *id;

    json_object_foreach(collection(req), id, object)
        json_array_append(list, object);
    lab_mist_page(req, res, list);
}

static void object_get(struct lab_req *req, struct lab_res *res)
{
    json_t *object = json_object_get(collection(req), req->arg[1]);

    if (object)
        res->json = json_deep_copy(object);
    else
        lab_mist_not_found(res);
}

static void object_put(struct lab_req *req, struct lab_res *res)
{
    json_t *object = json_object_get(collection(req), req->arg[1]);

    if (!object) {
        lab_mist_not_found(res);
        return;
    }
    if (!json_is_object(req->json)) {
        lab_mist_bad(res, "JSON parse error - expected an object");
        return;
    }
    json_object_update(object, req->json);
    json_object_set_new(object, "modified_time", json_real(floor(req->lab->wall)));
    lab_mist_audit(req->lab, -1, "Update Template");
    for (int site = 0; site < req->lab->n_sites; site++)
        lab_mist_push_site(req->lab, site);
    req->done = true;
    res->json = json_deep_copy(object);
}

static void org_setting_get(struct lab_req *req, struct lab_res *res)
{
    res->json = json_deep_copy(lab_mist_state(req->lab, "org_setting"));
}

static void org_setting_put(struct lab_req *req, struct lab_res *res)
{
    json_t *setting = lab_mist_state(req->lab, "org_setting");

    if (!json_is_object(req->json)) {
        lab_mist_bad(res, "JSON parse error - expected an object");
        return;
    }
    json_object_update(setting, req->json);
    lab_mist_audit(req->lab, -1, "Update Org Settings");
    req->done = true;
    res->json = json_deep_copy(setting);
}

/* ---- configurations that devices were given */

static json_t *config_item(const struct lab *lab, int ap, double at)
{
    const struct lab_ap *a = &lab->aps[ap];
    json_t *ssids = json_array();

    for (int i = 0; i < lab->n_wlans; i++)
        if (lab->wlans[i].site == a->site)
            json_array_append_new(ssids, json_string(lab->wlans[i].ssid));
    return json_pack("{s:s, s:i, s:i, s:b, s:o, s:f, s:s}", "mac", a->mac, "channel_24", a->radios[0].channel, "channel_5", a->radios[1].channel,
                     "secpolicy_violated", 0, "ssids", ssids, "timestamp", at, "version", "0.14.29313");
}

static void config_history(struct lab_req *req, struct lab_res *res)
{
    const char *mac = lab_query(req, "mac");
    int site = lab_mist_site(req, res);
    json_t *list, *event;
    size_t i;

    if (site < 0)
        return;
    list = json_array();
    json_array_foreach(req->lab->device_events, i, event) {
        const char *type = json_string_value(json_object_get(event, "type")), *of = json_string_value(json_object_get(event, "mac"));
        int ap = of ? lab_find_ap(req->lab, of) : -1;

        if (type && strcmp(type, "AP_CONFIGURED") == 0 && ap >= 0 && req->lab->aps[ap].site == site && (!mac || strcmp(mac, of) == 0))
            json_array_append_new(list, config_item(req->lab, ap, json_number_value(json_object_get(event, "timestamp"))));
    }
    lab_mist_cursor(req, res, list);
}

static void config_cmd(struct lab_req *req, struct lab_res *res)
{
    int site, ap, sw;
    json_t *override, *lines;
    const char *port;

    if (!lab_mist_device_of(req, res, &site, &ap, &sw))
        return;
    lines = json_array();
    if (sw >= 0) {
        json_array_append_new(lines, json_sprintf("set system host-name %s", req->lab->switches[sw].name));
        json_object_foreach(req->lab->switches[sw].overrides, port, override) {
            const char *network = json_string_value(json_object_get(override, "port_network"));

            if (json_is_true(json_object_get(override, "poe_disabled")))
                json_array_append_new(lines, json_sprintf("set poe interface %s disable", port));
            if (network)
                json_array_append_new(lines, json_sprintf("set interfaces %s unit 0 family ethernet-switching vlan members %s", port, network));
        }
    }
    res->json = json_pack("{s:o}", "cli", lines);
}

/* ---- the object store: blocklists and captures, without a token. A capture is a pcap file with a header and no packets. */

void lab_mist_store(struct lab_req *req, struct lab_res *res)
{
    static const char pcap[] = "\xd4\xc3\xb2\xa1\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x69\x00\x00\x00";
    const json_t *list;

    if (req->n_seg == 3 && strcmp(req->seg[1], "blocklist") == 0) {
        list = json_object_get(lab_mist_state(req->lab, "blocklists"), req->seg[2]);
        res->json = json_is_array(list) ? json_deep_copy(list) : json_array();
    } else if (req->n_seg == 3 && strcmp(req->seg[1], "pcap") == 0) {
        char *body = ft_calloc(1, sizeof(pcap) + 16);

        memcpy(body, pcap, sizeof(pcap) - 1);        /* and one packet of no bytes */
        res->text = body;
        res->text_len = sizeof(pcap) - 1 + 16;
        res->type = "application/vnd.tcpdump.pcap";
    } else {
        res->status = 404;
        res->text = ft_strdup("");
    }
}

/* ---- */

static void add_object(struct lab *lab, const char *of, const char *name, json_t *object)
{
    char seed[64], id[37];

    snprintf(seed, sizeof(seed), "%s %s", of, name);
    lab_uuid(lab, seed, id);
    json_object_update_new(object, json_pack("{s:s, s:s, s:s, s:f, s:f}", "id", id, "org_id", LAB_ORG, "name", name, "created_time", floor(lab->wall - 9e7),
                                             "modified_time", floor(lab->wall - 5e6)));
    json_object_set_new(lab_mist_state(lab, of), id, object);
}

void lab_mist_config_init(struct lab *lab)
{
    for (int i = 0; collections[i]; i++)
        lab_mist_state(lab, collections[i]);
    add_object(lab, "rftemplates", "offices", json_pack("{s:{s:i}, s:{s:i}}", "band_5", "bandwidth", 40, "band_24", "bandwidth", 20));
    add_object(lab, "networktemplates", "access switches", json_pack("{s:{}, s:{}}", "networks", "port_usages"));
    add_object(lab, "alarmtemplates", "all sites", json_pack("{s:{s:b, s:b}, s:{s:{s:b}, s:{s:b}}}", "delivery", "enabled", 1, "to_org_admins", 1, "rules",
                                                             "device_down", "enabled", 1, "rogue_ap", "enabled", 0));
    json_object_set_new(lab->mist, "org_setting", json_pack("{s:i}", "ap_updown_threshold", 2));
}

#define OBJECTS(name) \
    { "GET", "/api/v1/orgs/{}/" name, objects_get }, { "GET", "/api/v1/orgs/{}/" name "/{}", object_get }, { "PUT", "/api/v1/orgs/{}/" name "/{}", object_put }

const struct lab_route lab_mist_config_routes[] = {
    { "POST", "/api/v1/sites/{}/wlans", wlan_post },
    { "DELETE", "/api/v1/sites/{}/wlans/{}", wlan_delete },
    { "GET", "/api/v1/orgs/{}/setting", org_setting_get },
    { "PUT", "/api/v1/orgs/{}/setting", org_setting_put },
    { "GET", "/api/v1/sites/{}/devices/config_history/search", config_history },
    { "GET", "/api/v1/sites/{}/devices/last_config/search", config_history },
    { "GET", "/api/v1/sites/{}/devices/{}/config_cmd", config_cmd },
    OBJECTS("rftemplates"), OBJECTS("networktemplates"), OBJECTS("aptemplates"), OBJECTS("gatewaytemplates"), OBJECTS("sitetemplates"),
    OBJECTS("templates"), OBJECTS("deviceprofiles"), OBJECTS("wlans"), OBJECTS("alarmtemplates"),
    { 0 },
};
