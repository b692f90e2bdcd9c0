/* wapi.c: asking Infoblox. */
#include "wapi.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "subnets.h"

enum { PAGE = 1000, MAX_PAGES = 50 };

bool is_wapi(const struct dhcp *st)
{
    return ft_same(ft_str(st->server, "system"), "infoblox");
}

int kea_only(struct ft_call *call, const char *instead, struct ft_err *reterr)
{
    const struct dhcp *st = host->state(call);

    if (!is_wapi(st))
        return 0;
    return ft_fault(reterr, FT_INVALID, "this action is for Kea, and %s is Infoblox: %s", ft_str(host->params(call), "server") ?: "this server", instead);
}

/* ---- Requests ---- */

static const char *base_url(struct ft_call *call)
{
    const struct dhcp *st = host->state(call);
    const char *url = ft_str(st->server, "url");
    size_t len = strlen(url);

    while (len && url[len - 1] == '/')
        len--;
    if (strstr(url, "/wapi/"))
        return host->printf(call, "%.*s", (int)len, url);
    return host->printf(call, "%.*s/wapi/v%s", (int)len, url, ft_str(st->server, "wapi_version") ?: "2.12");
}

static struct ft_http_req request(struct ft_call *call, const char *method, const char *path, const json_t *body, bool write)
{
    const struct dhcp *st = host->state(call);

    return (struct ft_http_req){
        .size = sizeof(struct ft_http_req), .method = method, .url = host->printf(call, "%s/%s", base_url(call), path), .json = body,
        .user = ft_str(st->server, "user"), .password = ft_str(st->server, "password"), .ca_file = ft_str(st->server, "ca_file"),
        .cert_file = ft_str(st->server, "cert_file"), .key_file = ft_str(st->server, "key_file"),
        .flags = FT_HTTP_JSON | (write ? FT_HTTP_WRITE : 0), .max_bytes = 16u << 20,
    };
}

json_t *wapi_show(struct ft_call *call, const char *method, const char *path, json_t *body)
{
    struct ft_http_req req = request(call, method, path, body, true);
    json_t *shown = host->http_render(call, &req);

    json_decref(body);
    return shown;
}

/* The session's cookie spares the appliance a login for each request. Kept as long as the plugin is loaded, by server. */
static void keep_cookie(struct ft_call *call, const struct ft_http_res *res)
{
    json_t *cookies = host->instance(call);

    for (const struct ft_http_header *h = res->headers; h && h->name; h++) {
        const char *value = h->value;
        size_t len = strcspn(value, ";");

        if (strcmp(h->name, "set-cookie") != 0 || strncmp(value, "ibapauth=", 9) != 0 || len > 2000 || len < 12)
            continue;
        host->redact(call, host->printf(call, "%.*s", (int)(len - 9), value + 9));
        json_object_set_new(cookies, base_url(call), json_stringn(value, len));
    }
}

static void transmit(struct ft_call *call);

static bool says(const json_t *json, const char *code)
{
    const char *its = ft_str(json, "code");

    return its && strstr(its, code);
}

/* WAPI says 400 for nearly everything; its code tells more. */
static enum ft_class class_of(const struct ft_http_res *res)
{
    if (res->class != FT_INVALID || res->status != 400)
        return res->class;
    return says(res->json, "NotFound") ? FT_NOT_FOUND : says(res->json, "Conflict") ? FT_CONFLICT : says(res->json, "Auth") ? FT_DENIED : FT_INVALID;
}

static void answered(struct ft_call *call, const struct ft_http_res *res, void *arg)
{
    struct dhcp *st = host->state(call);

    (void)arg;
    if (res->status == 401 && st->wapi.with_cookie) {                 /* the session is over, nothing was done: log in again */
        json_object_del(host->instance(call), base_url(call));
        transmit(call);
        return;
    }
    if (res->error) {
        struct kea_reply reply = { .result = -1, .class = class_of(res), .text = res->error, .agent_answered = res->status != 0 };

        if (st->wapi.failed)
            st->wapi.failed(call, &reply);
        else
            dhcp_fail(call, reply.class, "%s", reply.text);
        return;
    }
    keep_cookie(call, res);
    st->wapi.got(call, res->json);
}

static void transmit(struct ft_call *call)
{
    struct dhcp *st = host->state(call);
    struct ft_http_req req = request(call, st->wapi.method, st->wapi.path, st->wapi.body, st->wapi.write);
    const char *cookie = ft_str(host->instance(call), base_url(call));
    struct ft_http_header headers[2] = { { "Cookie", cookie }, { NULL, NULL } };
    struct ft_err err = { 0 };

    st->wapi.with_cookie = cookie != NULL;
    if (cookie) {
        req.headers = headers;
        req.user = req.password = NULL;
    }
    if (host->http(call, &req, answered, NULL, &err) < 0)
        dhcp_fail(call, err.class ? err.class : FT_INVALID, "%s", err.text);
}

void wapi_send(struct ft_call *call, const char *method, const char *path, json_t *body, bool write, void (*got)(struct ft_call *call, json_t *json))
{
    struct dhcp *st = host->state(call);

    st->wapi.method = method;
    st->wapi.path = host->printf(call, "%s", path);
    st->wapi.body = body ? dhcp_hold(call, body) : NULL;
    st->wapi.write = write;
    st->wapi.got = got;
    transmit(call);
}

/* ---- Lists ---- */

static void page_got(struct ft_call *call, json_t *json)
{
    struct dhcp *st = host->state(call);
    const char *next = ft_str(json, "next_page_id");
    json_t *rows = json_object_get(json, "result");

    if (!json_is_array(rows)) {
        dhcp_fail(call, FT_INVALID, "%s/%s: the answer has no list `result`: is this the WAPI of an Infoblox grid?", base_url(call), st->wapi.path);
        return;
    }
    json_array_extend(st->rows, rows);
    if (!next) {
        st->wapi.listed(call);
        return;
    }
    if (++st->wapi.pages >= MAX_PAGES) {
        dhcp_fail(call, FT_INVALID, "Infoblox has more than %d such objects: choose a subnet", PAGE * MAX_PAGES);
        return;
    }
    wapi_send(call, "GET", host->printf(call, "%s?_page_id=%s", st->wapi.kind, host->url_escape(call, next)), NULL, false, page_got);
}

void wapi_list(struct ft_call *call, const char *path, void (*listed)(struct ft_call *call))
{
    struct dhcp *st = host->state(call);

    st->rows = dhcp_hold(call, json_array());
    st->wapi.pages = 0;
    st->wapi.listed = listed;
    st->wapi.kind = host->printf(call, "%.*s", (int)strcspn(path, "?"), path);
    wapi_send(call, "GET", host->printf(call, "%s&_paging=1&_return_as_object=1&_max_results=%d", path, PAGE), NULL, false, page_got);
}

/* It becomes part of a URL, so it may only look like a reference. */
const char *wapi_ref(const json_t *object, const char *kind)
{
    const char *ref = ft_str(object, "_ref");
    size_t len = strlen(kind);

    if (!ref || strncmp(ref, kind, len) != 0 || ref[len] != '/' || strstr(ref, ".."))
        return NULL;
    for (const char *p = ref; *p; p++) {
        if (!isalnum((unsigned char)*p) && !strchr("_:/.%=~-", *p))
            return NULL;
    }
    return ref;
}

const char *wapi_view(struct ft_call *call)
{
    const struct dhcp *st = host->state(call);
    const char *view = ft_str(st->server, "network_view");

    return view ? host->printf(call, "&network_view=%s", host->url_escape(call, view)) : "";
}

json_t *wapi_network_id(const char *network)
{
    struct range range;

    return range_parse(network, &range) ? json_integer(range.first) : json_null();
}

/* ---- Networks with their ranges, as Kea's configuration ---- */

static json_int_t vlan_of(const struct dhcp *st, const json_t *network)
{
    const char *name = ft_str(network, "network"), *vlan, *attribute = ft_str(st->server, "vlan_attribute") ?: "VLAN";
    const json_t *value = ft_get(ft_get(ft_get(network, "extattrs"), attribute), "value");
    json_t *mapped;

    json_object_foreach((json_t *)ft_get(st->server, "vlans"), vlan, mapped) {
        if (ft_same(json_string_value(mapped), name))
            return strtoll(vlan, NULL, 10);
    }
    return json_is_string(value) ? strtoll(json_string_value(value), NULL, 10) : json_integer_value(value);
}

static void add_range(const struct dhcp *st, json_t *subnet, const json_t *range)
{
    json_int_t total = ft_int(range, "total_hosts"), used = ft_int(range, "dynamic_hosts") + ft_int(range, "static_hosts");
    const char *first = ft_str(range, "start_addr"), *last = ft_str(range, "end_addr");
    uint32_t a, b;

    (void)st;
    if (!ip_parse(first, &a) || !ip_parse(last, &b) || a > b || ft_true(range, "disable"))
        return;
    if (!json_is_integer(ft_get(range, "total_hosts")))
        total = (json_int_t)b - a + 1;
    if (!json_is_integer(ft_get(range, "dynamic_hosts")))
        used = ft_int(range, "dhcp_utilization") * total / 1000;       /* per mille */
    json_array_append_new(json_object_get(subnet, "pools"), json_pack("{s:o, s:O}", "pool", json_sprintf("%s-%s", first, last), "_range", range));
    json_object_set_new(subnet, "_total", json_integer(ft_int(subnet, "_total") + total));
    json_object_set_new(subnet, "_used", json_integer(ft_int(subnet, "_used") + used));
}

static void ranges_listed(struct ft_call *call)
{
    struct dhcp *st = host->state(call);
    json_t *subnets = json_object_get(st->before, "subnet4"), *subnet, *range;
    size_t i, k;

    json_array_foreach(subnets, i, subnet) {
        json_array_foreach(st->rows, k, range) {
            if (ft_same(ft_str(range, "network"), ft_str(subnet, "subnet")) && ft_same(ft_str(range, "network_view") ?: "", ft_str(subnet, "_view") ?: ""))
                add_range(st, subnet, range);
        }
    }
    st->wapi.networks(call);
}

#define RANGE_FIELDS "start_addr,end_addr,network,network_view,dhcp_utilization,total_hosts,dynamic_hosts,static_hosts,disable,member," \
    "failover_association,server_association_type"

static void networks_listed(struct ft_call *call)
{
    struct dhcp *st = host->state(call);
    json_t *subnets = json_array(), *network;
    const char *only = "";
    size_t i;

    st->before = dhcp_hold(call, json_pack("{s:o}", "subnet4", subnets));
    json_array_foreach(st->rows, i, network) {
        json_t *id = wapi_network_id(ft_str(network, "network"));
        json_int_t vlan = vlan_of(st, network);

        if (json_is_null(id))
            continue;
        json_array_append_new(subnets, json_pack("{s:o, s:s, s:s*, s:[], s:i, s:i, s:s?, s:{s:o}}", "id", id, "subnet", ft_str(network, "network"),
                                                 "_view", ft_str(network, "network_view"), "pools", "_total", 0, "_used", 0,
                                                 "_comment", ft_str(network, "comment"), "user-context", "vlan", vlan ? json_integer(vlan) : json_null()));
    }
    if (json_array_size(subnets) == 1)
        only = host->printf(call, "&network=%s", host->url_escape(call, ft_str(json_array_get(subnets, 0), "subnet")));
    wapi_list(call, host->printf(call, "range?_return_fields=" RANGE_FIELDS "%s%s", only, wapi_view(call)), ranges_listed);
}

/* Which networks the parameters choose, as a query; "": all. */
static const char *network_query(struct ft_call *call)
{
    const struct dhcp *st = host->state(call);
    const json_t *params = host->params(call);
    json_int_t id = ft_int(params, "subnet_id"), vlan = ft_int(params, "vlan");
    const char *subnet = ft_str(params, "subnet"), *ip = ft_str(params, "ip");

    if (vlan)
        subnet = ft_str(ft_get(st->server, "vlans"), host->printf(call, "%" JSON_INTEGER_FORMAT, vlan));
    if (id)
        return host->printf(call, "&network~=%s", host->url_escape(call, host->printf(call, "^%s/", ip_text(call, (uint32_t)id))));
    if (subnet)
        return host->printf(call, "&network=%s", host->url_escape(call, subnet));
    if (vlan)
        return host->printf(call, "&*%s=%" JSON_INTEGER_FORMAT, host->url_escape(call, ft_str(st->server, "vlan_attribute") ?: "VLAN"), vlan);
    return ip ? host->printf(call, "&contains_address=%s", ip) : "";
}

void wapi_networks(struct ft_call *call, void (*listed)(struct ft_call *call))
{
    struct dhcp *st = host->state(call);

    st->wapi.networks = listed;
    wapi_list(call, host->printf(call, "network?_return_fields=network,network_view,comment,extattrs%s%s", network_query(call), wapi_view(call)),
        networks_listed);
}

/* ---- Replies in Kea's shape ---- */

static void reply_with(struct ft_call *call, int result, json_t *arguments)
{
    struct dhcp *st = host->state(call);
    struct kea_reply reply = { .result = result, .text = "", .arguments = dhcp_hold(call, arguments), .agent_answered = true };

    st->wapi.failed = NULL;
    st->answered(call, &reply);
}

static void reply_refused(struct ft_call *call, const struct kea_reply *reply)
{
    struct dhcp *st = host->state(call);

    st->wapi.failed = NULL;
    st->answered(call, reply);
}

static int state_of(const char *binding)
{
    static const struct { const char *name; int state; } states[] = {
        { "ACTIVE", 0 }, { "STATIC", 0 }, { "OFFERED", 0 }, { "ABANDONED", 1 }, { "DECLINED", 1 },
    };

    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        if (ft_same(binding, states[i].name))
            return states[i].state;
    }
    return 2;                                              /* FREE, EXPIRED, RELEASED, BACKUP, RESET, … */
}

/* Times are epoch seconds, as numbers; older versions write some of them as texts. */
static json_int_t time_in(const json_t *object, const char *key)
{
    const json_t *value = ft_get(object, key);

    return json_is_string(value) ? strtoll(json_string_value(value), NULL, 10) : json_integer_value(value);
}

static json_t *lease_as_kea(struct ft_call *call, const json_t *lease)
{
    json_int_t starts = time_in(lease, "starts"), seen = time_in(lease, "cltt") ?: starts, ends = time_in(lease, "ends");
    const char *mac = ft_str(lease, "hardware"), *ip = ft_str(lease, "address");
    char *lower = mac ? host->printf(call, "%s", mac) : NULL;
    uint32_t address;

    if (!ip_parse(ip, &address))
        return NULL;
    for (char *p = lower; p && *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return json_pack("{s:s, s:s*, s:s*, s:I, s:I, s:i, s:o, s:s*, s:s*}", "ip-address", ip, "hw-address", lower, "hostname", ft_str(lease, "client_hostname"),
                     "cltt", seen, "valid-lft", ft_true(lease, "never_ends") || !ends ? 4294967295LL : ends > seen ? ends - seen : 0,
                     "state", state_of(ft_str(lease, "binding_state")), "subnet-id", wapi_network_id(ft_str(lease, "network")),
                     "_ref", wapi_ref(lease, "lease"), "binding-state", ft_str(lease, "binding_state"));
}

static json_t *leases_as_kea(struct ft_call *call)
{
    const struct dhcp *st = host->state(call);
    json_t *all = json_array(), *row;
    size_t i;

    json_array_foreach(st->rows, i, row)
        json_array_append_new(all, lease_as_kea(call, row));
    return all;
}

static void many_leases(struct ft_call *call)
{
    json_t *all = leases_as_kea(call);

    reply_with(call, json_array_size(all) ? KEA_OK : KEA_EMPTY, json_pack("{s:o}", "leases", all));
}

/* A failover pair and the past give one address several leases: the one in use goes first, then the newest. */
static void one_lease(struct ft_call *call)
{
    json_t *all = leases_as_kea(call), *lease, *best = NULL;
    size_t i;

    json_array_foreach(all, i, lease) {
        bool used = ft_int(lease, "state") != 2, had = best && ft_int(best, "state") != 2;

        if (!best || (used && !had) || (used == had && ft_int(lease, "cltt") > ft_int(best, "cltt")))
            best = lease;
    }
    best = json_incref(best);
    json_decref(all);
    reply_with(call, best ? KEA_OK : KEA_EMPTY, best);
}

static void networks_as_config(struct ft_call *call)
{
    const struct dhcp *st = host->state(call);

    reply_with(call, KEA_OK, json_pack("{s:O}", "Dhcp4", st->before));
}

static void members_listed(struct ft_call *call)
{
    const struct dhcp *st = host->state(call);
    json_t *members = json_array(), *row, *service;
    bool failed = false;
    size_t i, k;

    json_array_foreach(st->rows, i, row) {
        json_array_foreach(ft_get(row, "service_status"), k, service) {
            const char *status = ft_str(service, "status");

            if (!ft_same(ft_str(service, "service"), "DHCP"))
                continue;
            failed = failed || ft_same(status, "FAILED") || ft_same(status, "OFFLINE");
            json_array_append_new(members, json_pack("{s:s?, s:s?, s:s?}", "member", ft_str(row, "host_name"), "status", status,
                                                     "description", ft_str(service, "description")));
        }
    }
    reply_with(call, KEA_OK, json_pack("{s:{s:s}, s:o}", "sockets", "status", failed ? "failed" : "ready", "members", members));
}

/* Of what config-get found just before. */
static void stat_reply(struct ft_call *call, const json_t *arguments)
{
    const struct dhcp *st = host->state(call);
    const json_t *only = ft_get(arguments, "subnet-id");
    json_t *rows = json_array(), *subnet;
    size_t i;

    json_array_foreach(ft_get(st->before, "subnet4"), i, subnet) {
        if ((!only || json_equal(only, ft_get(subnet, "id"))) && json_array_size(ft_get(subnet, "pools")))
            json_array_append_new(rows, json_pack("[O, O, O, i]", ft_get(subnet, "id"), ft_get(subnet, "_total"), ft_get(subnet, "_used"), 0));
    }
    reply_with(call, KEA_OK, json_pack("{s:{s:[ssss], s:o}}", "result-set", "columns", "subnet-id", "total-addresses", "assigned-addresses",
                                       "declined-addresses", "rows", rows));
}

static void deleted(struct ft_call *call, json_t *json)
{
    (void)json;
    reply_with(call, KEA_OK, json_object());
}

#define LEASE_FIELDS "lease?_return_fields=address,binding_state,hardware,client_hostname,starts,ends,cltt,never_ends,network,network_view"

static const char *lease_query(struct ft_call *call, const char *field, const char *value)
{
    return host->printf(call, LEASE_FIELDS "&%s=%s%s", field, host->url_escape(call, value), wapi_view(call));
}

static void lease_page(struct ft_call *call, const json_t *arguments)
{
    const struct dhcp *st = host->state(call);

    if (!ft_same(ft_str(arguments, "from"), "start"))
        reply_with(call, KEA_EMPTY, json_pack("{s:[]}", "leases"));      /* all came at once */
    else if (st->subnet)
        wapi_list(call, lease_query(call, "network", st->subnet), many_leases);
    else
        wapi_list(call, host->printf(call, LEASE_FIELDS "&protocol=IPV4%s", wapi_view(call)), many_leases);
}

static void lease_remove(struct ft_call *call, const json_t *arguments)
{
    const char *ref = wapi_ref(arguments, "lease");

    if (ref)
        wapi_send(call, "DELETE", ref, NULL, true, deleted);
    else
        reply_refused(call, &(struct kea_reply){ .result = -1, .class = FT_INVALID, .text = "Infoblox gave no reference of this lease, so it cannot "
             "be cleared" });
}

void wapi_command(struct ft_call *call, const char *command, json_t *arguments, bool write, kea_answered *answered_cb)
{
    struct dhcp *st = host->state(call);

    st->command = command;
    st->answered = answered_cb;
    st->write = write;
    st->wapi.failed = reply_refused;
    if (arguments)
        dhcp_hold(call, arguments);
    if (ft_same(command, "lease4-get"))
        wapi_list(call, lease_query(call, "address", ft_str(arguments, "ip-address") ?: ""), one_lease);
    else if (ft_same(command, "lease4-get-by-hw-address"))
        wapi_list(call, lease_query(call, "hardware", ft_str(arguments, "hw-address") ?: ""), many_leases);
    else if (ft_same(command, "lease4-get-by-hostname"))
        wapi_list(call, lease_query(call, "client_hostname", ft_str(arguments, "hostname") ?: ""), many_leases);
    else if (ft_same(command, "lease4-get-page"))
        lease_page(call, arguments);
    else if (ft_same(command, "lease4-del"))
        lease_remove(call, arguments);
    else if (ft_same(command, "config-get"))
        wapi_networks(call, networks_as_config);
    else if (ft_same(command, "stat-lease4-get"))
        stat_reply(call, arguments);
    else if (ft_same(command, "status-get"))
        wapi_list(call, "member?_return_fields=host_name,service_status", members_listed);
    else if (ft_same(command, "lease4-add"))
        reply_refused(call, &(struct kea_reply){ .result = -1, .class = FT_INVALID,
                      .text = "Infoblox has no way to add a lease, so a lease that was cleared cannot be put back: its client gets one when it asks again" });
    else
        reply_refused(call, &(struct kea_reply){ .result = -1, .class = FT_INVALID, .text = host->printf(call, "Infoblox has nothing like Kea's "
             "'%s'", command) });
}

json_t *wapi_render(struct ft_call *call, const char *command, json_t *arguments)
{
    const char *ref = wapi_ref(arguments, "lease");
    json_t *shown = wapi_show(call, "DELETE", ref && ft_same(command, "lease4-del") ? ref : "lease", NULL);

    json_decref(arguments);
    return shown;
}
