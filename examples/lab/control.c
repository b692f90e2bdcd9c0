/* control.c: /lab/…: what tests and curious people ask of the lab itself. */
#include <unistd.h>
#include "lab.h"

static void ready(struct lab_req *req, struct lab_res *res)
{
    res->json = json_pack("{s:b, s:s, s:s, s:f, s:f, s:f}", "ready", 1, "url", req->lab->url, "dir", req->lab->dir, "speed", req->lab->speed, "now",
                          req->lab->now, "wall", req->lab->wall);
}

static void writes(struct lab_req *req, struct lab_res *res)
{
    res->json = json_incref(req->lab->writes);
}

static json_t *client_json(const struct lab *lab, const struct lab_client *c)
{
    static const char *const states[] = { [CLIENT_AWAY] = "away", [CLIENT_SEARCHING] = "searching", [CLIENT_REJECTED] = "rejected",
                                          [CLIENT_NO_ADDRESS] = "no_address", [CLIENT_UP] = "up" };
    char mac[18], ip[16];
    bool on = lab_associated(c);

    lab_colons(c->mac, ':', false, mac);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:i}", "mac", mac, "hostname", c->hostname, "user", c->user, "state",
        states[c->state], "site", lab->sites[c->site].name, "ssid", lab->wlans[c->wlan].ssid, "ap", c->ap >= 0 ? json_string(lab->aps[c->ap].name) : json_null(),
        "ip", c->ip ? json_string(lab_ip(c->ip, ip)) : json_null(), "rssi", on ? json_integer(lround(lab_rssi(lab, c, c->ap, c->band))) : json_null(),
        "snr", on ? json_integer(lround(lab_rssi(lab, c, c->ap, c->band) - lab_noise(&lab->aps[c->ap].radios[c->band]))) : json_null(), "joins", (int)c->joins);
}

static json_t *clients_json(const struct lab *lab)
{
    json_t *list = json_array();

    for (int i = 0; i < lab->n_clients; i++)
        json_array_append_new(list, client_json(lab, &lab->clients[i]));
    return list;
}

static void clients(struct lab_req *req, struct lab_res *res)
{
    res->json = clients_json(req->lab);
}

static json_t *ap_json(const struct lab *lab, int n)
{
    static const char *const states[] = { [AP_UP] = "up", [AP_BOOTING] = "booting", [AP_OFF] = "off", [AP_HUNG] = "hung", [AP_CUT_OFF] = "cut off" };
    const struct lab_ap *ap = &lab->aps[n];
    const struct lab_switch *sw = &lab->switches[ap->sw];

    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:f, s:i, s:i}", "name", ap->name, "id", ap->id, "mac", ap->mac, "site",
        lab->sites[ap->site].name, "state", states[ap->state], "switch", sw->name, "port", sw->ports[ap->port].name, "clients", lab_ap_clients(lab, n, -1),
        "uptime", ap->state == AP_UP ? lab->now - ap->boot : 0.0, "channel", ap->radios[1].channel, "power", ap->radios[1].power);
}

static json_t *switch_json(const struct lab *lab, int n)
{
    const struct lab_switch *s = &lab->switches[n];

    return json_pack("{s:s, s:s, s:s, s:s, s:b, s:i, s:b, s:f, s:o, s:O}", "name", s->name, "id", s->id, "mac", s->mac, "site", lab->sites[s->site].name,
        "down", s->down, "ssh_port", s->ssh_port, "unconfirmed", lab_config_unconfirmed(s->config), "rollback_in", lab_config_rollback_in(lab, n),
        "config", lab_config_json(s->config), "local_port_config", s->overrides);
}

static json_t *subnet_json(const struct lab *lab, int n)
{
    const struct lab_subnet *s = &lab->subnets[n];
    char first[16], last[16];

    return json_pack("{s:i, s:i, s:s, s:s, s:i, s:i, s:i}", "id", s->id, "vlan", s->vlan, "first", lab_ip(s->first, first), "last", lab_ip(s->last, last),
                     "size", (int)(s->last - s->first + 1), "leases", (int)s->n_leases, "allocation_fail", (int)s->allocation_fail);
}

static void state(struct lab_req *req, struct lab_res *res)
{
    struct lab *lab = req->lab;
    json_t *aps = json_array(), *switches = json_array(), *subnets = json_array(), *sites = json_array(), *wlans = json_array();

    for (int i = 0; i < lab->n_aps; i++)
        json_array_append_new(aps, ap_json(lab, i));
    for (int i = 0; i < lab->n_switches; i++)
        json_array_append_new(switches, switch_json(lab, i));
    for (int i = 0; i < lab->n_subnets; i++)
        json_array_append_new(subnets, subnet_json(lab, i));
    for (int i = 0; i < lab->n_sites; i++)
        json_array_append_new(sites, json_pack("{s:s, s:s}", "name", lab->sites[i].name, "id", lab->sites[i].id));
    for (int i = 0; i < lab->n_wlans; i++)
        json_array_append_new(wlans, json_pack("{s:s, s:s, s:i}", "ssid", lab->wlans[i].ssid, "id", lab->wlans[i].id, "vlan", lab->wlans[i].vlan));
    res->json = json_pack("{s:f, s:f, s:f, s:s, s:O, s:o, s:o, s:o, s:o, s:o, s:o, s:{s:b, s:b, s:b, s:b}, s:f, s:O, s:O, s:O, s:o}",
        "now", lab->now, "wall", lab->wall, "speed", lab->speed, "org_id", LAB_ORG, "faults", lab->faults, "sites", sites, "wlans", wlans,
        "switches", switches, "aps", aps, "subnets", subnets, "clients", clients_json(lab),
        "services", "radius", !lab->radius_down, "dhcp", !lab->dhcp_down, "dns", !lab->dns_down, "ise_api", !lab->ise_api_down,
        "wan_ms", lab->wan_ms, "alarms", lab->alarms, "hooks", lab->hooks, "tickets", lab->tables,
        "troubled", lab->troubled >= 0 ? client_json(lab, &lab->clients[lab->troubled]) : json_null());
}

static void fault(struct lab_req *req, struct lab_res *res)
{
    struct ft_err err = { 0 };

    if (!req->json || lab_fault(req->lab, req->json, &err) < 0) {
        res->status = 400;
        res->json = json_pack("{s:s}", "error", req->json ? err.text : "the body is a fault: \"dns_broken\" or {\"dhcp_pool_exhausted\": {\"vlan\": 110}}");
        return;
    }
    if (req->lab->wake[1] > 0)
        (void)!write(req->lab->wake[1], "x", 1);
    res->json = json_pack("{s:b}", "ok", 1);
}

static void advance(struct lab_req *req, struct lab_res *res)
{
    json_t *seconds = json_object_get(req->json, "advance_s");

    if (!json_is_number(seconds) || json_number_value(seconds) < 0 || json_number_value(seconds) > 31622400) {
        res->status = 400;
        res->json = json_pack("{s:s}", "error", "advance_s is a number of seconds, at most a year");
        return;
    }
    lab_advance(req->lab, json_number_value(seconds));
    ready(req, res);
}

static const struct lab_route routes[] = {
    { "GET", "/lab/ready", ready }, { "GET", "/lab/state", state }, { "GET", "/lab/writes", writes }, { "GET", "/lab/clients", clients },
    { "POST", "/lab/fault", fault }, { "POST", "/lab/time", advance },
    { 0 },
};

void lab_control(struct lab_req *req, struct lab_res *res)
{
    bool other_method;
    lab_handler *handle = lab_route(req, routes, &other_method);

    if (handle) {
        handle(req, res);
        return;
    }
    res->status = other_method ? 405 : 404;
    res->json = json_pack("{s:s}", "error", "GET /lab/ready, /lab/state, /lab/writes, /lab/clients; POST /lab/fault, /lab/time");
}
