/* infoblox.c: the same DHCP service once more, as the WAPI of an Infoblox grid shows it: networks, ranges, leases, fixed addresses, members, the
 * restart of services. Basic auth, then the cookie ibapauth; lists in pages; errors as 400 and 404 with Error, code, text, and 401 as a web page.
 * A fixed address counts at once, a new range when the services were restarted. */
#include <time.h>
#include "base/digest.h"
#include "lab.h"

#define VIEW "default"
#define MAX_RESULTS 1000

static void wrong(struct lab_res *res, int status, const char *kind, const char *code, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
static void wrong(struct lab_res *res, int status, const char *kind, const char *code, const char *fmt, ...)
{
    char text[300];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    res->status = status;
    json_decref(res->json);
    res->json = json_pack("{s:o, s:s, s:s}", "Error", json_sprintf("%s: %s", kind, text), "code", code, "text", text);
}

#define PROTO(res, ...) wrong(res, 400, "AdmConProtoError", "Client.Ibap.Proto", __VA_ARGS__)

/* ---- sessions ---- */

static void cookie_of(const struct lab *lab, char out[FT_DIGEST_HEX])
{
    ft_sha256_hex(lab->kea_password, strlen(lab->kea_password), out);
}

static bool may(struct lab_req *req, struct lab_res *res)
{
    const char *cookie = lab_header(req, "Cookie");
    char hex[FT_DIGEST_HEX], wanted[200];

    cookie_of(req->lab, hex);
    snprintf(wanted, sizeof(wanted), "ibapauth=\"group=admin-group,client=API,auth=LOCAL,timeout=600,user=fettle,%s\"", hex);
    if (cookie && strcmp(cookie, wanted) == 0)
        return true;
    if (lab_basic_auth(req, "fettle", req->lab->kea_password)) {
        lab_add_header(res, "Set-Cookie", "%s; httponly; path=/", wanted);
        return true;
    }
    res->status = 401;
    res->text = ft_strdup("<!DOCTYPE HTML PUBLIC \"-//IETF//DTD HTML 2.0//EN\">\n<html><head>\n<title>401 Authorization Required</title>\n</head><body>\n"
                          "<h1>Authorization Required</h1>\n</body></html>\n");
    res->type = "text/html; charset=iso-8859-1";
    lab_add_header(res, "WWW-Authenticate", "Basic realm=\"InfoBlox ONE Platform\"");
    return false;
}

/* ---- the objects: every field that there is, null where it has no value ---- */

static char *reference(char out[120], const char *kind, const char *name)
{
    char hex[FT_DIGEST_HEX], key[100];

    snprintf(key, sizeof(key), "%s %s", kind, name);
    ft_sha256_hex(key, strlen(key), hex);
    snprintf(out, 120, "%s/ZG5z%.20s:%s/" VIEW, kind, hex, name);
    return out;
}

static char *network_name(const struct lab_subnet *s, char out[24])
{
    char net[16];

    snprintf(out, 24, "%s/%d", lab_ip(s->net, net), s->prefix);
    return out;
}

static json_t *network_object(const struct lab_subnet *s)
{
    char name[24], ref[120];
    int total = (int)(s->last - s->first + 1);

    network_name(s, name);
    return json_pack("{s:s, s:s, s:s, s:s, s:{s:{s:i}}, s:i, s:b}", "_ref", reference(ref, "network", name), "network", name, "network_view", VIEW,
                     "comment", "", "extattrs", "VLAN", "value", s->vlan, "utilization", (int)(s->n_leases * 1000 / (size_t)total), "disable", 0);
}

static json_t *range_object(const struct lab_subnet *s, const char *first, const char *last, int total, int used)
{
    char network[24], name[40], ref[120];
    int permille = total ? used * 1000 / total : 0;

    snprintf(name, sizeof(name), "%s/%s", first, last);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:s, s:i, s:i, s:i, s:b, s:s, s:{s:s, s:s}, s:n, s:n}", "_ref", reference(ref, "range", name),
                     "start_addr", first, "end_addr", last, "network", network_name(s, network), "network_view", VIEW, "comment", "",
                     "dhcp_utilization", permille, "dhcp_utilization_status", permille >= 950 ? "FULL" : permille >= 800 ? "HIGH" : permille <= 20 ? "LOW" : "NORMAL",
                     "total_hosts", total, "dynamic_hosts", used, "static_hosts", 0, "disable", 0, "server_association_type", "MEMBER",
                     "member", "_struct", "dhcpmember", "name", "dhcp-1.lab", "failover_association", "name");
}

static const char *binding(const struct lab *lab, const struct lab_lease *lease)
{
    return lease->state == 1 ? "ABANDONED" : lab_lease_cltt(lab, lease) + lease->valid <= lab->wall ? "FREE" : "ACTIVE";
}

static json_t *lease_object(const struct lab *lab, const struct lab_subnet *s, const struct lab_lease *lease)
{
    char ip[16], network[24], ref[120];
    json_int_t seen = (json_int_t)lab_lease_cltt(lab, lease);

    lab_ip(lease->ip, ip);
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:I, s:I, s:I, s:b, s:s, s:s, s:s, s:s}", "_ref", reference(ref, "lease", ip), "address", ip,
                     "binding_state", binding(lab, lease), "hardware", lease->hw[0] ? json_string(lease->hw) : json_null(),
                     "client_hostname", lease->hostname[0] ? json_string(lease->hostname) : json_null(), "starts", seen, "ends", seen + lease->valid,
                     "cltt", seen, "never_ends", 0, "network", network_name(s, network), "network_view", VIEW, "protocol", "IPV4", "served_by", "10.10.0.5");
}

static struct lab_subnet *subnet_of_address(struct lab *lab, const char *text)
{
    uint32_t ip;

    for (int i = 0; text && lab_ip_parse(text, &ip) && i < lab->n_subnets; i++)
        if ((ip ^ lab->subnets[i].net) >> (32 - lab->subnets[i].prefix) == 0)
            return &lab->subnets[i];
    return NULL;
}

static json_t *fixed_object(struct lab *lab, const json_t *r)
{
    const char *ip = json_string_value(json_object_get(r, "ip-address")), *mac = json_string_value(json_object_get(r, "hw-address")),
               *name = json_string_value(json_object_get(r, "hostname")), *comment = json_string_value(json_object_get(r, "comment"));
    const struct lab_subnet *s = subnet_of_address(lab, ip);
    char network[24] = "", ref[120];

    if (!ip || !mac || !s)
        return NULL;
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:s, s:s, s:s, s:b}", "_ref", reference(ref, "fixedaddress", ip), "ipv4addr", ip, "mac", mac,
                     "name", name ? json_string(name) : json_null(), "comment", comment ? json_string(comment) : json_null(),
                     "network", network_name(s, network), "network_view", VIEW, "match_client", "MAC_ADDRESS", "disable", 0);
}

static json_t *member_object(const struct lab *lab)
{
    char ref[120];

    return json_pack("{s:s, s:s, s:s, s:[{s:s, s:s, s:s}, {s:s, s:s, s:s}]}", "_ref", reference(ref, "member", "dhcp-1.lab"), "host_name", "dhcp-1.lab",
                     "platform", "VNIOS", "service_status", "service", "DHCP", "status", lab->dhcp_down ? "FAILED" : "WORKING", "description",
                     lab->dhcp_down ? "DHCP Service has failed" : "DHCP Service is working", "service", "DNS", "status", "INACTIVE", "description", "");
}

static json_t *all_ranges(struct lab *lab)
{
    json_t *all = json_array(), *r;
    char first[16], last[16];
    size_t i;

    for (int n = 0; n < lab->n_subnets; n++) {
        const struct lab_subnet *s = &lab->subnets[n];

        json_array_append_new(all, range_object(s, lab_ip(s->first, first), lab_ip(s->last, last), (int)(s->last - s->first + 1), (int)s->n_leases));
    }
    json_array_foreach(lab->wapi_ranges, i, r) {
        const char *start = json_string_value(json_object_get(r, "start_addr")), *end = json_string_value(json_object_get(r, "end_addr"));
        const struct lab_subnet *s = subnet_of_address(lab, start);
        uint32_t a, b;

        if (s && lab_ip_parse(start, &a) && lab_ip_parse(end, &b))
            json_array_append_new(all, range_object(s, start, end, (int)(b - a + 1), 0));
    }
    return all;
}

/* Every object of a kind; NULL: no such kind. */
static json_t *objects(struct lab *lab, const char *kind)
{
    json_t *all, *r;
    size_t i;

    if (strcmp(kind, "range") == 0)
        return all_ranges(lab);
    all = json_array();
    if (strcmp(kind, "network") == 0) {
        for (int n = 0; n < lab->n_subnets; n++)
            json_array_append_new(all, network_object(&lab->subnets[n]));
    } else if (strcmp(kind, "lease") == 0) {
        for (int n = 0; n < lab->n_subnets; n++)
            for (size_t l = 0; l < lab->subnets[n].n_leases; l++)
                json_array_append_new(all, lease_object(lab, &lab->subnets[n], &lab->subnets[n].leases[l]));
    } else if (strcmp(kind, "fixedaddress") == 0) {
        json_array_foreach(lab->kea_reservations, i, r)
            json_array_append_new(all, fixed_object(lab, r));
    } else if (strcmp(kind, "member") == 0) {
        json_array_append_new(all, member_object(lab));
    } else if (strcmp(kind, "grid") == 0) {
        json_array_append_new(all, json_pack("{s:s, s:s}", "_ref", "grid/b25lLmNsdXN0ZXIkMA:Infoblox", "name", "Infoblox"));
    } else {
        json_decref(all);
        return NULL;
    }
    return all;
}

/* ---- queries ---- */

static const char *const searchable[] = { "address", "hardware", "client_hostname", "network", "network_view", "protocol", "start_addr", "end_addr", "ipv4addr", "mac",
                                          "host_name", "name", "comment" };

static bool matches(struct lab_req *req, const json_t *object)
{
    const char *like = lab_query(req, "network~"), *vlan = lab_query(req, "*VLAN"), *contains = lab_query(req, "contains_address");
    const char *network = json_string_value(json_object_get(object, "network"));

    for (size_t i = 0; i < ARRAY_LEN(searchable); i++) {
        const char *wanted = lab_query(req, searchable[i]), *has = json_string_value(json_object_get(object, searchable[i]));

        if (wanted && (!has || strcasecmp(has, wanted) != 0))
            return false;
    }
    if (like && (!network || strncmp(network, like + (like[0] == '^'), strlen(like) - (like[0] == '^')) != 0))
        return false;
    if (vlan && json_integer_value(json_object_get(json_object_get(json_object_get(object, "extattrs"), "VLAN"), "value")) != atoi(vlan))
        return false;
    if (contains) {
        const struct lab_subnet *s = subnet_of_address(req->lab, contains);
        char name[24];

        return s && network && strcmp(network_name(s, name), network) == 0;
    }
    return true;
}

/* The fields that are asked for, and the reference; what has no value is left out, as WAPI does. NULL: an unknown field, answered. */
static json_t *selected(struct lab_req *req, struct lab_res *res, const json_t *object)
{
    const char *fields = lab_query(req, "_return_fields");
    char *copy = ft_strdup(fields ? fields : ""), *rest = copy, *name;
    json_t *out = json_pack("{s:O}", "_ref", json_object_get(object, "_ref"));

    while (out && fields && (name = strsep(&rest, ","))) {
        json_t *value = json_object_get(object, name);

        if (!value) {
            PROTO(res, "Unknown argument/field: '%s'", name);
            json_decref(out);
            out = NULL;
        } else if (!json_is_null(value)) {
            json_object_set(out, name, value);
        }
    }
    free(copy);
    return out;
}

static json_t *found(struct lab_req *req, struct lab_res *res, const char *kind)
{
    json_t *all = objects(req->lab, kind), *list = json_array(), *object;
    size_t i;

    if (!all)
        PROTO(res, "Unknown object type (%s)", kind);
    json_array_foreach(all, i, object) {
        json_t *shown = matches(req, object) ? selected(req, res, object) : NULL;

        if (shown)
            json_array_append_new(list, shown);
    }
    json_decref(all);
    if (!res->json)
        return list;
    json_decref(list);
    return NULL;
}

/* ---- pages ---- */

static void answer_page(struct lab *lab, struct lab_res *res, json_t *rest, size_t max)
{
    json_t *page = json_array();
    char id[17];

    while (json_array_size(rest) && json_array_size(page) < max) {
        json_array_append(page, json_array_get(rest, 0));
        json_array_remove(rest, 0);
    }
    res->json = json_pack("{s:o}", "result", page);
    if (json_array_size(rest)) {
        ft_random_hex(16, id);
        json_object_set_new(lab->wapi_pages, id, json_pack("[I, O]", (json_int_t)max, rest));
        json_object_set_new(res->json, "next_page_id", json_string(id));
    }
    json_decref(rest);
}

static void list(struct lab_req *req, struct lab_res *res, const char *kind)
{
    const char *page = lab_query(req, "_page_id"), *max_text = lab_query(req, "_max_results");
    size_t max = max_text ? (size_t)atol(max_text) : MAX_RESULTS;
    json_t *all;

    if (page) {
        json_t *kept = json_incref(json_object_get(req->lab->wapi_pages, page));

        if (!kept) {
            PROTO(res, "Invalid page id %s", page);
            return;
        }
        json_object_del(req->lab->wapi_pages, page);
        answer_page(req->lab, res, json_incref(json_array_get(kept, 1)), (size_t)json_integer_value(json_array_get(kept, 0)));
        json_decref(kept);
        return;
    }
    all = found(req, res, kind);
    if (!all)
        return;
    if (ft_streq(lab_query(req, "_paging"), "1") && ft_streq(lab_query(req, "_return_as_object"), "1") && max > 0) {
        answer_page(req->lab, res, all, max);
    } else if (json_array_size(all) > max) {
        json_decref(all);
        PROTO(res, "Result set too large");
    } else {
        res->json = all;
    }
}

/* ---- changes ---- */

static const char *body_text(const struct lab_req *req, const char *key)
{
    return json_string_value(json_object_get(req->json, key));
}

static void add_fixed(struct lab_req *req, struct lab_res *res)
{
    const char *ip = body_text(req, "ipv4addr"), *mac_text = body_text(req, "mac");
    const struct lab_subnet *s = subnet_of_address(req->lab, ip);
    char mac[18], ref[120];
    json_t *r;
    size_t i;

    if (!ip || !mac_text || ft_mac_normalise(mac_text, mac) < 0) {
        PROTO(res, "Invalid value for field %s", ip ? "mac" : "ipv4addr");
        return;
    }
    if (!s) {
        wrong(res, 400, "AdmConDataError: None (IBDataError: IB.Data:The network for the address was not found)", "Client.Ibap.Data", "The network for %s was not found", ip);
        return;
    }
    json_array_foreach(req->lab->kea_reservations, i, r)
        if (ft_streq(json_string_value(json_object_get(r, "ip-address")), ip)) {
            wrong(res, 400, "AdmConDataError: None (IBDataConflictError: IB.Data.Conflict)", "Client.Ibap.Data.Conflict", "The IP address %s is used in the network already", ip);
            return;
        }
    r = json_pack("{s:i, s:s, s:s, s:s*, s:s*}", "subnet-id", s->id, "ip-address", ip, "hw-address", mac, "hostname", body_text(req, "name"), "comment", body_text(req, "comment"));
    json_array_append_new(req->lab->kea_reservations, r);
    res->status = 201;
    res->json = json_string(reference(ref, "fixedaddress", ip));
    req->done = true;
}

static void add_range(struct lab_req *req, struct lab_res *res)
{
    const char *start = body_text(req, "start_addr"), *end = body_text(req, "end_addr");
    const struct lab_subnet *s = subnet_of_address(req->lab, start);
    json_t *all, *range;
    char name[40], ref[120];
    uint32_t a, b, first, last;
    size_t i;

    if (!start || !end || !lab_ip_parse(start, &a) || !lab_ip_parse(end, &b) || a > b || !s || s != subnet_of_address(req->lab, end)) {
        PROTO(res, "Invalid range");
        return;
    }
    all = all_ranges(req->lab);
    json_array_foreach(all, i, range)
        if (lab_ip_parse(json_string_value(json_object_get(range, "start_addr")), &first) && lab_ip_parse(json_string_value(json_object_get(range, "end_addr")), &last)
            && a <= last && first <= b)
            wrong(res, 400, "AdmConDataError: None (IBDataConflictError: IB.Data.Conflict)", "Client.Ibap.Data.Conflict", "The range overlaps with another range");
    json_decref(all);
    if (res->json)
        return;
    json_array_append_new(req->lab->wapi_ranges, json_pack("{s:s, s:s}", "start_addr", start, "end_addr", end));
    snprintf(name, sizeof(name), "%s/%s", start, end);
    res->status = 201;
    res->json = json_string(reference(ref, "range", name));
    req->done = true;
}

/* What was added is served from now on. Next to a range it becomes part of it. */
static void restart_services(struct lab_req *req, struct lab_res *res)
{
    struct lab *lab = req->lab;
    uint32_t a, b;

    if (!body_text(req, "restart_option")) {
        PROTO(res, "Missing required argument: restart_option");
        return;
    }
    for (size_t i = json_array_size(lab->wapi_ranges); i-- > 0;) {
        const json_t *r = json_array_get(lab->wapi_ranges, i);
        struct lab_subnet *s = subnet_of_address(lab, json_string_value(json_object_get(r, "start_addr")));

        lab_ip_parse(json_string_value(json_object_get(r, "start_addr")), &a);
        lab_ip_parse(json_string_value(json_object_get(r, "end_addr")), &b);
        if (!s || (a != s->last + 1 && b + 1 != s->first))
            continue;
        s->first = ft_min(s->first, a);
        s->last = ft_max(s->last, b);
        json_array_remove(lab->wapi_ranges, i);
    }
    res->json = json_object();
    req->done = true;
}

static bool is_it(const char *kind, const char *name, const char *ref)
{
    char its[120];

    return strcmp(reference(its, kind, name), ref) == 0;
}

static bool remove_lease(struct lab *lab, const char *ref)
{
    char ip[16];

    for (int n = 0; n < lab->n_subnets; n++)
        for (size_t l = 0; l < lab->subnets[n].n_leases; l++)
            if (is_it("lease", lab_ip(lab->subnets[n].leases[l].ip, ip), ref)) {
                lab_lease_remove(&lab->subnets[n], &lab->subnets[n].leases[l]);
                return true;
            }
    return false;
}

static bool remove_from(json_t *list, const char *kind, const char *ref)
{
    char name[40];
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item) {
        if (strcmp(kind, "range") == 0)
            snprintf(name, sizeof(name), "%s/%s", json_string_value(json_object_get(item, "start_addr")), json_string_value(json_object_get(item, "end_addr")));
        else
            snprintf(name, sizeof(name), "%s", json_string_value(json_object_get(item, "ip-address")));
        if (is_it(kind, name, ref)) {
            json_array_remove(list, i);
            return true;
        }
    }
    return false;
}

static void remove_object(struct lab_req *req, struct lab_res *res, const char *ref)
{
    struct lab *lab = req->lab;

    req->done = remove_lease(lab, ref) || remove_from(lab->kea_reservations, "fixedaddress", ref) || remove_from(lab->wapi_ranges, "range", ref);
    if (req->done)
        res->json = json_string(ref);
    else
        wrong(res, 404, "AdmConDataNotFoundError", "Client.Ibap.Data.NotFound", "Reference %s not found", ref);
}

void lab_wapi(struct lab_req *req, struct lab_res *res)
{
    const char *rest = strncmp(req->path, "/wapi/v2.", 9) == 0 ? strchr(req->path + 9, '/') : NULL;
    bool is_ref = rest && strchr(rest + 1, '/');

    req->write = strcmp(req->method, "GET") != 0;
    if (!rest) {
        PROTO(res, "Version not supported");
        return;
    }
    if (!may(req, res))
        return;
    rest++;
    if (req->bad_json)
        PROTO(res, "Invalid JSON");
    else if (strcmp(req->method, "GET") == 0 && !is_ref)
        list(req, res, rest);
    else if (strcmp(req->method, "DELETE") == 0 && is_ref)
        remove_object(req, res, rest);
    else if (strcmp(req->method, "POST") == 0 && strcmp(rest, "fixedaddress") == 0)
        add_fixed(req, res);
    else if (strcmp(req->method, "POST") == 0 && strcmp(rest, "range") == 0)
        add_range(req, res);
    else if (strcmp(req->method, "POST") == 0 && strncmp(rest, "grid/", 5) == 0 && ft_streq(lab_query(req, "_function"), "restartservices"))
        restart_services(req, res);
    else
        PROTO(res, "Operation %s is not supported for %s", req->method, rest);
}
