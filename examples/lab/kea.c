/* kea.c: the DHCP server and its control agent, as Kea 2.2 answers: an array with one object for the service, HTTP 200 for every
 * failure of a command, `result` 0 ok, 1 error, 2 unsupported, 3 empty, 4 conflict. */
#include <time.h>
#include "base/digest.h"
#include "lab.h"

/* ---- leases ---- */

struct lab_lease *lab_lease_find(struct lab_subnet *s, uint32_t ip)
{
    for (size_t i = 0; i < s->n_leases; i++)
        if (s->leases[i].ip == ip)
            return &s->leases[i];
    return NULL;
}

struct lab_lease *lab_lease_add(struct lab *lab, struct lab_subnet *s, uint32_t ip, const char *hw, const char *hostname, double age)
{
    struct lab_lease *lease;

    if (s->n_leases == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 128;
        s->leases = ft_realloc(s->leases, s->cap * sizeof(*s->leases));
    }
    lease = &s->leases[s->n_leases++];
    *lease = (struct lab_lease){ .ip = ip, .cltt = lab->wall - age, .valid = 691200 };
    snprintf(lease->hw, sizeof(lease->hw), "%s", hw);
    snprintf(lease->hostname, sizeof(lease->hostname), "%s", hostname ? hostname : "");
    s->assigned_ever++;
    return lease;
}

void lab_lease_remove(struct lab_subnet *s, struct lab_lease *lease)
{
    size_t i = (size_t)(lease - s->leases);

    memmove(lease, lease + 1, (s->n_leases - i - 1) * sizeof(*lease));
    s->n_leases--;
}

/* A lease in use is renewed every two hours. */
double lab_lease_cltt(const struct lab *lab, const struct lab_lease *lease)
{
    return lease->live && lab->wall > lease->cltt ? lease->cltt + floor((lab->wall - lease->cltt) / 7200) * 7200 : lease->cltt;
}

static bool expired(const struct lab *lab, const struct lab_lease *lease)
{
    return lab_lease_cltt(lab, lease) + lease->valid <= lab->wall;
}

static bool reserved(struct lab *lab, const struct lab_subnet *s, uint32_t ip)
{
    size_t i;
    json_t *r;
    char text[16];

    json_array_foreach(lab->kea_reservations, i, r)
        if (json_integer_value(json_object_get(r, "subnet-id")) == s->id
            && ft_streq(json_string_value(json_object_get(r, "ip-address")), lab_ip(ip, text)))
            return true;
    return false;
}

uint32_t lab_free_address(struct lab *lab, struct lab_subnet *s)
{
    for (uint32_t ip = s->first; ip <= s->last; ip++) {
        struct lab_lease *lease = lab_lease_find(s, ip);

        if (lease && expired(lab, lease)) {          /* as Kea does: taken over when it has run out */
            lab_lease_remove(s, lease);
            lease = NULL;
        }
        if (!lease && !reserved(lab, s, ip))
            return ip;
    }
    return 0;
}

void lab_kea_count(struct lab *lab, const char *name, long add)
{
    json_t *samples = json_object_get(lab->kea_stats, name);
    long now = samples ? (long)json_integer_value(json_array_get(json_array_get(samples, 0), 0)) : 0;
    time_t secs = (time_t)lab->wall;
    struct tm tm;
    char when[40];

    gmtime_r(&secs, &tm);
    strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
    snprintf(when + strlen(when), sizeof(when) - strlen(when), ".%06d", (int)((lab->wall - floor(lab->wall)) * 1e6));
    if (!samples)
        json_object_set_new(lab->kea_stats, name, samples = json_array());
    json_array_insert_new(samples, 0, json_pack("[is]", (int)(now + add), when));
    if (json_array_size(samples) > 20)
        json_array_remove(samples, 20);
}

static void count_failure(struct lab *lab, struct lab_subnet *s)
{
    char name[64];

    s->allocation_fail++;
    snprintf(name, sizeof(name), "subnet[%d].v4-allocation-fail", s->id);
    lab_kea_count(lab, name, 1);
    snprintf(name, sizeof(name), "subnet[%d].v4-allocation-fail-subnet", s->id);
    lab_kea_count(lab, name, 1);
    lab_kea_count(lab, "v4-allocation-fail", 1);
    lab_kea_count(lab, "v4-allocation-fail-subnet", 1);
}

static struct lab_lease *lease_of(struct lab_subnet *s, const char *hw)
{
    for (size_t i = 0; i < s->n_leases; i++)
        if (strcmp(s->leases[i].hw, hw) == 0)
            return &s->leases[i];
    return NULL;
}

static uint32_t reservation_of(struct lab *lab, const struct lab_subnet *s, const char *hw)
{
    size_t i;
    json_t *r;
    uint32_t ip = 0;

    json_array_foreach(lab->kea_reservations, i, r)
        if (json_integer_value(json_object_get(r, "subnet-id")) == s->id && ft_streq(json_string_value(json_object_get(r, "hw-address")), hw))
            lab_ip_parse(json_string_value(json_object_get(r, "ip-address")), &ip);
    return ip;
}

enum lab_dhcp lab_dhcp_ask(struct lab *lab, struct lab_client *c, int vlan, uint32_t *ret_ip)
{
    struct lab_subnet *s = lab_subnet_of_vlan(lab, vlan);
    struct lab_lease *lease, *other;
    char hw[18];
    uint32_t ip;

    lab_colons(c->mac, ':', false, hw);
    if (lab->dhcp_down || !s)
        return DHCP_SILENT;
    lab_kea_count(lab, "pkt4-received", 1);
    other = c->clings_to ? lab_lease_find(s, c->clings_to) : NULL;
    if (other && strcmp(other->hw, hw) != 0) {
        lab_kea_count(lab, "pkt4-request-received", 1);
        lab_kea_count(lab, "pkt4-nak-sent", 1);
        return DHCP_NAK;
    }
    lab_kea_count(lab, "pkt4-discover-received", 1);
    lease = lease_of(s, hw);
    ip = reservation_of(lab, s, hw);
    ip = ip ? ip : lease ? lease->ip : lab_free_address(lab, s);
    if (!ip) {
        count_failure(lab, s);
        return DHCP_FULL;
    }
    lab_kea_count(lab, "pkt4-offer-sent", 1);
    lab_kea_count(lab, "pkt4-ack-sent", 1);
    lease = lab_lease_find(s, ip);
    if (!lease)
        lease = lab_lease_add(lab, s, ip, hw, c->hostname, 0);
    lease->cltt = lab->wall;
    lease->live = true;
    c->clings_to = 0;
    *ret_ip = ip;
    return DHCP_OK;
}

/* ---- what it is configured to ---- */

static json_t *pool_of(const struct lab_subnet *s)
{
    char first[16], last[16];

    return json_pack("{s:[], s:o}", "option-data", "pool", json_sprintf("%s-%s", lab_ip(s->first, first), lab_ip(s->last, last)));
}

static json_t *subnet_config(const struct lab_subnet *s)
{
    char net[16], router[16];

    return json_pack("{s:i, s:o, s:[o], s:i, s:i, s:i, s:[], s:[{s:s, s:i, s:s, s:s, s:b}], s:{s:i}}", "id", s->id,
        "subnet", json_sprintf("%s/%d", lab_ip(s->net, net), s->prefix), "pools", pool_of(s), "valid-lifetime", 691200, "renew-timer", 7200,
        "rebind-timer", 604800, "reservations",
        "option-data", "name", "routers", "code", 3, "data", lab_ip(s->net + 1, router), "space", "dhcp4", "csv-format", 1,
        "user-context", "vlan", s->vlan);
}

void lab_kea_init(struct lab *lab)
{
    static const char *const zero[] = { "pkt4-received", "pkt4-discover-received", "pkt4-offer-sent", "pkt4-request-received", "pkt4-ack-sent",
        "pkt4-nak-sent", "pkt4-decline-received", "pkt4-parse-failed", "pkt4-receive-drop", "declined-addresses", "v4-reservation-conflicts" };
    json_t *subnets = json_array();

    lab->kea_stats = json_object();
    lab->kea_reservations = json_array();
    lab->wapi_ranges = json_array();
    lab->wapi_pages = json_object();
    for (size_t i = 0; i < ARRAY_LEN(zero); i++)
        lab_kea_count(lab, zero[i], 0);
    for (int i = 0; i < lab->n_subnets; i++)
        json_array_append_new(subnets, subnet_config(&lab->subnets[i]));
    lab->kea_config = json_pack("{s:{s:{s:[s]}, s:{s:s, s:b, s:s}, s:{s:s, s:s}, s:[{s:s},{s:s},{s:s}], s:i, s:i, s:i, s:o}}", "Dhcp4",
        "interfaces-config", "interfaces", "eth0", "lease-database", "type", "memfile", "persist", 1, "name", "/var/lib/kea/kea-leases4.csv",
        "control-socket", "socket-type", "unix", "socket-name", "/run/kea/kea4-ctrl-socket",
        "hooks-libraries", "library", "libdhcp_lease_cmds.so", "library", "libdhcp_stat_cmds.so", "library", "libdhcp_host_cmds.so",
        "valid-lifetime", 691200, "renew-timer", 7200, "rebind-timer", 604800, "subnet4", subnets);
}

/* ---- commands ---- */

struct command { struct lab *lab; const char *name; const json_t *args; bool write, done; };

static json_t *answer(int result, json_t *arguments, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static json_t *answer(int result, json_t *arguments, const char *fmt, ...)
{
    json_t *reply = json_object();
    char text[300];
    va_list ap;

    if (arguments)
        json_object_set_new(reply, "arguments", arguments);
    json_object_set_new(reply, "result", json_integer(result));
    if (fmt) {
        va_start(ap, fmt);
        vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        json_object_set_new(reply, "text", json_string(text));
    }
    return reply;
}

static const char *arg_str(const struct command *cmd, const char *name)
{
    return json_string_value(json_object_get(cmd->args, name));
}

static struct lab_subnet *subnet_by_id(struct lab *lab, json_int_t id)
{
    for (int i = 0; i < lab->n_subnets; i++)
        if (lab->subnets[i].id == id)
            return &lab->subnets[i];
    return NULL;
}

static struct lab_subnet *subnet_of(struct lab *lab, uint32_t ip)
{
    for (int i = 0; i < lab->n_subnets; i++)
        if ((ip ^ lab->subnets[i].net) >> (32 - lab->subnets[i].prefix) == 0)
            return &lab->subnets[i];
    return NULL;
}

static json_t *lease_json(const struct lab *lab, const struct lab_subnet *s, const struct lab_lease *lease)
{
    char ip[16];
    json_t *o = json_object();

    if (lease->hw[0] && lease->live)
        json_object_set_new(o, "client-id", json_sprintf("01:%s", lease->hw));
    json_object_set_new(o, "cltt", json_integer((json_int_t)lab_lease_cltt(lab, lease)));
    json_object_set_new(o, "fqdn-fwd", json_false());
    json_object_set_new(o, "fqdn-rev", json_false());
    json_object_set_new(o, "hostname", json_string(lease->hostname));
    json_object_set_new(o, "hw-address", json_string(lease->hw));
    json_object_set_new(o, "ip-address", json_string(lab_ip(lease->ip, ip)));
    json_object_set_new(o, "state", json_integer(lease->state));
    json_object_set_new(o, "subnet-id", json_integer(s->id));
    json_object_set_new(o, "valid-lft", json_integer(lease->valid));
    return o;
}

static json_t *leases_answer(json_t *leases)
{
    size_t n = json_array_size(leases);

    return answer(n ? 0 : 3, json_pack("{s:o}", "leases", leases), "%zu IPv4 lease(s) found.", n);
}

static json_t *lease4_get(struct command *cmd)
{
    struct lab *lab = cmd->lab;
    const char *type = arg_str(cmd, "identifier-type"), *id = arg_str(cmd, "identifier");
    struct lab_subnet *s;
    struct lab_lease *lease = NULL;
    uint32_t ip;

    if (arg_str(cmd, "ip-address")) {
        if (!lab_ip_parse(arg_str(cmd, "ip-address"), &ip))
            return answer(1, NULL, "Failed to convert string to address '%s': Invalid argument", arg_str(cmd, "ip-address"));
        s = subnet_of(lab, ip);
        lease = s ? lab_lease_find(s, ip) : NULL;
    } else {
        if (!type || !id)
            return answer(1, NULL, "No 'ip-address' provided and 'identifier-type' is either missing or not a string.");
        s = subnet_by_id(lab, json_integer_value(json_object_get(cmd->args, "subnet-id")));
        if (s && strcmp(type, "hw-address") == 0)
            lease = lease_of(s, id);
        else if (s && strcmp(type, "client-id") == 0 && strlen(id) > 3)
            lease = lease_of(s, id + 3);
    }
    return lease ? answer(0, lease_json(lab, s, lease), "IPv4 lease found.") : answer(3, NULL, "Lease not found.");
}

/* Every lease for which `value` is NULL or its `field` is the value. */
static json_t *collect(struct command *cmd, const char *value, bool by_hostname)
{
    json_t *list = json_array(), *ids = json_object_get(cmd->args, "subnets");

    for (int i = 0; i < cmd->lab->n_subnets; i++) {
        struct lab_subnet *s = &cmd->lab->subnets[i];
        bool wanted = !ids;
        size_t k;
        json_t *id;

        json_array_foreach(ids, k, id)
            wanted = wanted || json_integer_value(id) == s->id;
        for (size_t l = 0; wanted && l < s->n_leases; l++)
            if (!value || strcmp(by_hostname ? s->leases[l].hostname : s->leases[l].hw, value) == 0)
                json_array_append_new(list, lease_json(cmd->lab, s, &s->leases[l]));
    }
    return list;
}

static json_t *lease4_get_all(struct command *cmd)
{
    return leases_answer(collect(cmd, NULL, false));
}

static json_t *lease4_get_by_hw(struct command *cmd)
{
    char mac[18];

    if (!arg_str(cmd, "hw-address"))
        return answer(1, NULL, "'hw-address' parameter not specified");
    if (ft_mac_normalise(arg_str(cmd, "hw-address"), mac) < 0)
        return answer(1, NULL, "invalid format of the decoded string '%s'", arg_str(cmd, "hw-address"));
    return leases_answer(collect(cmd, mac, false));
}

static json_t *lease4_get_by_client_id(struct command *cmd)
{
    const char *id = arg_str(cmd, "client-id");

    if (!id)
        return answer(1, NULL, "'client-id' parameter not specified");
    return leases_answer(collect(cmd, strlen(id) > 3 ? id + 3 : id, false));
}

static json_t *lease4_get_by_hostname(struct command *cmd)
{
    if (!arg_str(cmd, "hostname"))
        return answer(1, NULL, "'hostname' parameter not specified");
    return leases_answer(collect(cmd, arg_str(cmd, "hostname"), true));
}

static int by_address(const void *a, const void *b)
{
    uint32_t x = (*(struct lab_lease *const *)a)->ip, y = (*(struct lab_lease *const *)b)->ip;

    return x < y ? -1 : x > y;
}

static json_t *lease4_get_page(struct command *cmd)
{
    struct lab *lab = cmd->lab;
    const char *from = arg_str(cmd, "from");
    json_int_t limit = json_integer_value(json_object_get(cmd->args, "limit"));
    json_t *list = json_array();
    struct lab_lease *all[4096];
    uint32_t after = 0;
    size_t n = 0;

    if (!from || (strcmp(from, "start") != 0 && !lab_ip_parse(from, &after)) || limit <= 0)
        return json_decref(list), answer(1, NULL, "'from' and 'limit' parameters must be specified");
    for (int i = 0; i < lab->n_subnets; i++)
        for (size_t l = 0; l < lab->subnets[i].n_leases && n < ARRAY_LEN(all); l++)
            all[n++] = &lab->subnets[i].leases[l];
    qsort(all, n, sizeof(*all), by_address);
    for (size_t i = 0; i < n && (json_int_t)json_array_size(list) < limit; i++)
        if (all[i]->ip > after)
            json_array_append_new(list, lease_json(lab, subnet_of(lab, all[i]->ip), all[i]));
    n = json_array_size(list);
    return answer(n ? 0 : 3, json_pack("{s:i, s:o}", "count", (int)n, "leases", list), "%zu IPv4 lease(s) found.", n);
}

static json_t *lease4_add(struct command *cmd)
{
    struct lab *lab = cmd->lab;
    const char *hw = arg_str(cmd, "hw-address"), *text = arg_str(cmd, "ip-address");
    json_t *valid = json_object_get(cmd->args, "valid-lft"), *cltt = json_object_get(cmd->args, "cltt"),
           *expire = json_object_get(cmd->args, "expire");
    struct lab_subnet *s;
    struct lab_lease *lease;
    char mac[18];
    uint32_t ip;

    cmd->write = true;
    if (!text || !lab_ip_parse(text, &ip))
        return answer(1, NULL, "missing parameter 'ip-address' (<wire>:0:0)");
    if (!hw)
        return answer(1, NULL, "missing parameter 'hw-address' (<wire>:0:0)");
    if (ft_mac_normalise(hw, mac) < 0)
        return answer(1, NULL, "invalid format of the decoded string '%s'", hw);
    s = subnet_of(lab, ip);
    if (!s)
        return answer(1, NULL, "subnet-id not specified and failed to find a subnet for address %s", text);
    if (lab_lease_find(s, ip))
        return answer(1, NULL, "IPv4 lease already exists.");
    lease = lab_lease_add(lab, s, ip, mac, arg_str(cmd, "hostname"), 0);
    lease->valid = valid ? (int)json_integer_value(valid) : 691200;
    if (expire)
        lease->cltt = (double)json_integer_value(expire) - lease->valid;
    else if (cltt)
        lease->cltt = (double)json_integer_value(cltt);
    cmd->done = true;
    return answer(0, NULL, "Lease for address %s, subnet-id %d added.", text, s->id);
}

static struct lab_lease *addressed_lease(struct command *cmd, struct lab_subnet **ret_s)
{
    uint32_t ip;

    if (lab_ip_parse(arg_str(cmd, "ip-address"), &ip)) {
        *ret_s = subnet_of(cmd->lab, ip);
        return *ret_s ? lab_lease_find(*ret_s, ip) : NULL;
    }
    *ret_s = subnet_by_id(cmd->lab, json_integer_value(json_object_get(cmd->args, "subnet-id")));
    return *ret_s && arg_str(cmd, "identifier") ? lease_of(*ret_s, arg_str(cmd, "identifier")) : NULL;
}

static json_t *lease4_update(struct command *cmd)
{
    struct lab_subnet *s;
    struct lab_lease *lease = addressed_lease(cmd, &s);
    char mac[18];

    cmd->write = true;
    if (!lease && json_is_true(json_object_get(cmd->args, "force-create")))
        return lease4_add(cmd);
    if (!lease)
        return answer(1, NULL, "failed to update the lease with address %s - no such lease", arg_str(cmd, "ip-address") ? arg_str(cmd, "ip-address") : "?");
    if (arg_str(cmd, "hw-address") && ft_mac_normalise(arg_str(cmd, "hw-address"), mac) == 0)
        snprintf(lease->hw, sizeof(lease->hw), "%s", mac);
    if (arg_str(cmd, "hostname"))
        snprintf(lease->hostname, sizeof(lease->hostname), "%s", arg_str(cmd, "hostname"));
    lease->cltt = cmd->lab->wall;
    lease->state = 0;
    cmd->done = true;
    return answer(0, NULL, "IPv4 lease updated.");
}

static json_t *lease4_del(struct command *cmd)
{
    struct lab_subnet *s;
    struct lab_lease *lease = addressed_lease(cmd, &s);

    cmd->write = true;
    if (!lease)
        return answer(3, NULL, "IPv4 lease not found.");
    if (lease->state == 1) {
        char name[64];

        snprintf(name, sizeof(name), "subnet[%d].declined-addresses", s->id);
        lab_kea_count(cmd->lab, name, -1);
        lab_kea_count(cmd->lab, "declined-addresses", -1);
    }
    lab_lease_remove(s, lease);
    cmd->done = true;
    return answer(0, NULL, "IPv4 lease deleted.");
}

static json_t *lease4_wipe(struct command *cmd)
{
    json_int_t id = json_integer_value(json_object_get(cmd->args, "subnet-id"));
    size_t n = 0;

    cmd->write = cmd->done = true;
    for (int i = 0; i < cmd->lab->n_subnets; i++)
        if (id == 0 || cmd->lab->subnets[i].id == id)
            n += cmd->lab->subnets[i].n_leases, cmd->lab->subnets[i].n_leases = 0;
    return answer(n ? 0 : 3, NULL, "Deleted %zu IPv4 lease(s) from subnet(s) %d", n, (int)id);
}

static json_t *leases_reclaim(struct command *cmd)
{
    cmd->write = true;
    if (!json_is_boolean(json_object_get(cmd->args, "remove")))
        return answer(1, NULL, "Missing mandatory 'remove' parameter.");
    for (int i = 0; i < cmd->lab->n_subnets; i++) {
        struct lab_subnet *s = &cmd->lab->subnets[i];

        for (size_t l = s->n_leases; l-- > 0;)
            if (expired(cmd->lab, &s->leases[l]))
                lab_lease_remove(s, &s->leases[l]);
    }
    cmd->done = true;
    return answer(0, NULL, "Reclamation of expired leases is complete.");
}

/* ---- statistics ---- */

static int declined(const struct lab_subnet *s)
{
    int n = 0;

    for (size_t i = 0; i < s->n_leases; i++)
        n += s->leases[i].state == 1;
    return n;
}

static json_t *stat_lease4_get(struct command *cmd)
{
    json_t *rows = json_array(), *id = json_object_get(cmd->args, "subnet-id");
    char when[40], what[40] = "all subnets";
    size_t n;

    if (id)
        snprintf(what, sizeof(what), "subnet-id=%d", (int)json_integer_value(id));
    for (int i = 0; i < cmd->lab->n_subnets; i++) {
        const struct lab_subnet *s = &cmd->lab->subnets[i];

        if (!id || json_integer_value(id) == s->id)
            json_array_append_new(rows, json_pack("[i,i,i,i,i]", s->id, (int)(s->last - s->first + 1), (int)s->assigned_ever,
                                                  (int)s->n_leases, declined(s)));
    }
    n = json_array_size(rows);
    if (!n) {
        json_decref(rows);
        return answer(3, NULL, "stat-lease4-get[%s]: no matching data, rows found: 0", what);
    }
    lab_iso(cmd->lab->wall, when, sizeof(when));
    when[10] = ' ';
    when[23] = '\0';
    return answer(0, json_pack("{s:{s:[sssss], s:o, s:o}}", "result-set", "columns", "subnet-id", "total-addresses",
        "cumulative-assigned-addresses", "assigned-addresses", "declined-addresses", "rows", rows, "timestamp", json_sprintf("%s000", when)),
        "stat-lease4-get[%s]: %zu rows found", what, n);
}

/* Gauges that follow from the leases are written when somebody looks. */
static void refresh_gauges(struct lab *lab)
{
    for (int i = 0; i < lab->n_subnets; i++) {
        const struct lab_subnet *s = &lab->subnets[i];
        const struct { const char *name; long value; } gauges[] = {
            { "assigned-addresses", (long)s->n_leases }, { "declined-addresses", declined(s) },
            { "total-addresses", (long)(s->last - s->first + 1) }, { "cumulative-assigned-addresses", s->assigned_ever },
        };

        for (size_t g = 0; g < ARRAY_LEN(gauges); g++) {
            char name[64];
            json_t *latest;
            long now;

            snprintf(name, sizeof(name), "subnet[%d].%s", s->id, gauges[g].name);
            latest = json_array_get(json_object_get(lab->kea_stats, name), 0);
            now = latest ? (long)json_integer_value(json_array_get(latest, 0)) : 0;
            if (!latest || now != gauges[g].value)
                lab_kea_count(lab, name, gauges[g].value - now);
        }
    }
}

static json_t *statistic_get(struct command *cmd)
{
    const char *name = arg_str(cmd, "name");
    json_t *found, *args = json_object();

    if (!name)
        return json_decref(args), answer(1, NULL, "Incorrect parameter: name");
    refresh_gauges(cmd->lab);
    found = json_object_get(cmd->lab->kea_stats, name);
    if (found)
        json_object_set(args, name, found);
    return answer(0, args, NULL);
}

static json_t *statistic_get_all(struct command *cmd)
{
    refresh_gauges(cmd->lab);
    return answer(0, json_incref(cmd->lab->kea_stats), NULL);
}

/* ---- configuration ---- */

static json_t *config_get(struct command *cmd)
{
    return answer(0, json_deep_copy(cmd->lab->kea_config), NULL);
}

static json_t *config_hash_get(struct command *cmd)
{
    char *text = json_dumps(cmd->lab->kea_config, JSON_COMPACT | JSON_SORT_KEYS), hex[FT_DIGEST_HEX];

    ft_sha256_hex(text, strlen(text), hex);
    free(text);
    return answer(0, json_pack("{s:s}", "hash", hex), NULL);
}

/* Checks what the lab understands of it: subnets with their pools. NULL: fine. Else the complaint, malloced. */
static char *config_wrong(struct lab *lab, const json_t *dhcp4)
{
    json_t *subnet, *pool;
    size_t i, k;

    if (!json_is_object(dhcp4))
        return ft_strdup("missing mandatory 'Dhcp4' parameter");
    json_array_foreach(json_object_get(dhcp4, "subnet4"), i, subnet) {
        const char *net = json_string_value(json_object_get(subnet, "subnet"));

        if (!net || ft_cidr_check(net) != 4)
            return ft_asprintf("subnet configuration failed: Invalid subnet syntax (prefix/len expected): %s (<wire>:0:0)", net ? net : "");
        if (!subnet_by_id(lab, json_integer_value(json_object_get(subnet, "id"))))
            return ft_asprintf("subnet configuration failed: subnet %s has an id that this server does not serve (<wire>:0:0)", net);
        json_array_foreach(json_object_get(subnet, "pools"), k, pool) {
            const char *range = json_string_value(json_object_get(pool, "pool"));
            char first[16], last[16];
            uint32_t a, b;

            if (!range || sscanf(range, " %15[0-9.] - %15[0-9.]", first, last) != 2 || !lab_ip_parse(first, &a) || !lab_ip_parse(last, &b) || a > b)
                return ft_asprintf("subnet configuration failed: Failed to create pool defined by: %s (<wire>:0:0)", range ? range : "");
            if (subnet_of(lab, a) != subnet_by_id(lab, json_integer_value(json_object_get(subnet, "id"))))
                return ft_asprintf("subnet configuration failed: a pool of type V4, with the following address range: %s does not match the prefix of a subnet: %s to which it is being added (<wire>:0:0)", range, net);
        }
    }
    return NULL;
}

static void take_pools(struct lab *lab, const json_t *dhcp4)
{
    json_t *subnet;
    size_t i;

    json_array_foreach(json_object_get(dhcp4, "subnet4"), i, subnet) {
        struct lab_subnet *s = subnet_by_id(lab, json_integer_value(json_object_get(subnet, "id")));
        json_t *pools = json_object_get(subnet, "pools"), *pool;
        uint32_t first = UINT32_MAX, last = 0;
        size_t k;

        json_array_foreach(pools, k, pool) {
            char a[16], b[16];
            uint32_t lo, hi;

            sscanf(json_string_value(json_object_get(pool, "pool")), " %15[0-9.] - %15[0-9.]", a, b);
            if (lab_ip_parse(a, &lo) && lab_ip_parse(b, &hi))
                first = ft_min(first, lo), last = ft_max(last, hi);
        }
        if (last)
            s->first = first, s->last = last;
    }
}

static json_t *config_test(struct command *cmd)
{
    char *wrong = config_wrong(cmd->lab, json_object_get(cmd->args, "Dhcp4"));
    json_t *reply = wrong ? answer(1, NULL, "%s", wrong)
                          : answer(0, NULL, "Configuration seems sane. Control-socket, hook-libraries, and D2 configuration were sanity checked, but not applied.");

    free(wrong);
    return reply;
}

static json_t *config_set(struct command *cmd)
{
    struct lab *lab = cmd->lab;
    json_t *dhcp4 = json_object_get(cmd->args, "Dhcp4");
    char *wrong = config_wrong(lab, dhcp4);
    json_t *reply = wrong ? answer(1, NULL, "%s", wrong) : NULL;

    cmd->write = true;
    free(wrong);
    if (reply)
        return reply;
    json_object_set_new(lab->kea_config, "Dhcp4", json_deep_copy(dhcp4));
    take_pools(lab, dhcp4);
    cmd->done = true;
    return answer(0, NULL, "Configuration successful.");
}

static json_t *config_write(struct command *cmd)
{
    const char *file = arg_str(cmd, "filename");
    char *text = json_dumps(cmd->lab->kea_config, JSON_COMPACT);
    size_t size = strlen(text);

    cmd->write = cmd->done = true;
    free(text);
    return answer(0, json_pack("{s:s, s:i}", "filename", file ? file : "/etc/kea/kea-dhcp4.conf", "size", (int)size),
                  "Configuration written to %s successful", file ? file : "/etc/kea/kea-dhcp4.conf");
}

static json_t *subnet4_list(struct command *cmd)
{
    json_t *list = json_array();
    char net[16];

    for (int i = 0; i < cmd->lab->n_subnets; i++)
        json_array_append_new(list, json_pack("{s:i, s:o}", "id", cmd->lab->subnets[i].id, "subnet",
            json_sprintf("%s/%d", lab_ip(cmd->lab->subnets[i].net, net), cmd->lab->subnets[i].prefix)));
    return answer(0, json_pack("{s:o}", "subnets", list), "%d IPv4 subnets found", cmd->lab->n_subnets);
}

static json_t *subnet4_get(struct command *cmd)
{
    json_t *subnet, *id = json_object_get(cmd->args, "id");
    size_t i;

    json_array_foreach(json_object_get(json_object_get(cmd->lab->kea_config, "Dhcp4"), "subnet4"), i, subnet)
        if (json_equal(json_object_get(subnet, "id"), id))
            return answer(0, json_pack("{s:[O]}", "subnet4", subnet), "Info about IPv4 subnet %s (id %d) returned",
                          json_string_value(json_object_get(subnet, "subnet")), (int)json_integer_value(id));
    return answer(3, NULL, "No subnet with id %d found", (int)json_integer_value(id));
}

/* ---- reservations ---- */

static bool reservation_is(const json_t *r, const json_t *args)
{
    const char *ip = json_string_value(json_object_get(args, "ip-address")), *type = json_string_value(json_object_get(args, "identifier-type"));

    if (!json_equal(json_object_get(r, "subnet-id"), json_object_get(args, "subnet-id")))
        return false;
    if (ip)
        return ft_streq(json_string_value(json_object_get(r, "ip-address")), ip);
    return type && json_equal(json_object_get(r, type), json_object_get(args, "identifier"));
}

static json_t *find_reservation(struct lab *lab, const json_t *args, size_t *ret_at)
{
    size_t i;
    json_t *r;

    json_array_foreach(lab->kea_reservations, i, r)
        if (reservation_is(r, args))
            return *ret_at = i, r;
    return NULL;
}

static json_t *reservation_get(struct command *cmd)
{
    size_t at;
    json_t *r = find_reservation(cmd->lab, cmd->args, &at);

    return r ? answer(0, json_incref(r), "Host found.") : answer(3, NULL, "Host not found.");
}

static json_t *reservation_get_all(struct command *cmd)
{
    json_t *hosts = json_array(), *r, *id = json_object_get(cmd->args, "subnet-id");
    size_t i;

    json_array_foreach(cmd->lab->kea_reservations, i, r)
        if (!id || json_equal(json_object_get(r, "subnet-id"), id))
            json_array_append(hosts, r);
    i = json_array_size(hosts);
    return answer(i ? 0 : 3, json_pack("{s:o}", "hosts", hosts), "%zu IPv4 host(s) found.", i);
}

/* Of every subnet, by what identifies the client. */
static json_t *reservation_get_by_id(struct command *cmd)
{
    const char *type = arg_str(cmd, "identifier-type"), *id = arg_str(cmd, "identifier");
    json_t *hosts = json_array(), *r;
    size_t i;

    if (!type || !id)
        return json_decref(hosts), answer(1, NULL, "missing parameter '%s' (<wire>:0:0)", type ? "identifier" : "identifier-type");
    json_array_foreach(cmd->lab->kea_reservations, i, r)
        if (ft_streq(json_string_value(json_object_get(r, type)), id))
            json_array_append(hosts, r);
    i = json_array_size(hosts);
    return answer(i ? 0 : 3, json_pack("{s:o}", "hosts", hosts), "%zu IPv4 host(s) found.", i);
}

static json_t *reservation_add(struct command *cmd)
{
    json_t *r = json_object_get(cmd->args, "reservation");
    struct lab_subnet *s = r ? subnet_by_id(cmd->lab, json_integer_value(json_object_get(r, "subnet-id"))) : NULL;
    size_t i;
    json_t *other;

    cmd->write = true;
    if (!s)
        return answer(1, NULL, "IPv4 subnet with ID of '%d' is not configured", (int)json_integer_value(json_object_get(r, "subnet-id")));
    json_array_foreach(cmd->lab->kea_reservations, i, other)
        if (json_equal(json_object_get(other, "ip-address"), json_object_get(r, "ip-address"))
            || json_equal(json_object_get(other, "hw-address"), json_object_get(r, "hw-address")))
            return answer(1, NULL, "failed to add new host: duplicate entry");
    json_array_append_new(cmd->lab->kea_reservations, json_deep_copy(r));
    cmd->done = true;
    return answer(0, NULL, "Host added.");
}

static json_t *reservation_del(struct command *cmd)
{
    size_t at;

    cmd->write = true;
    if (!find_reservation(cmd->lab, cmd->args, &at))
        return answer(3, NULL, "Host not deleted (not found).");
    json_array_remove(cmd->lab->kea_reservations, at);
    cmd->done = true;
    return answer(0, NULL, "Host deleted.");
}

/* ---- the server itself ---- */

static json_t *status_get(struct command *cmd)
{
    return answer(0, json_pack("{s:b, s:i, s:i, s:i, s:{s:s}}", "multi-threading-enabled", 0, "pid", 11551, "reload", (int)cmd->lab->now + 864000,
        "uptime", (int)cmd->lab->now + 864000, "sockets", "status", "ready"), NULL);
}

static json_t *version_get(struct command *cmd)
{
    (void)cmd;
    return answer(0, json_pack("{s:s}", "extended", "2.2.0\ntarball\nlinked with:\nlog4cplus 2.0.8\nOpenSSL 3.0.14"), "2.2.0");
}

static json_t *nothing_but_yes(struct command *cmd)
{
    cmd->write = cmd->done = true;
    return answer(0, NULL, "%s", strcmp(cmd->name, "dhcp-disable") == 0 ? "DHCPv4 service disabled" : strcmp(cmd->name, "dhcp-enable") == 0
                  ? "DHCP service successfully enabled" : "Configuration successful.");
}

static json_t *list_commands(struct command *cmd);

static const struct { const char *name; json_t *(*run)(struct command *cmd); } commands[] = {
    { "config-get", config_get }, { "config-hash-get", config_hash_get }, { "config-reload", nothing_but_yes }, { "config-set", config_set },
    { "config-test", config_test }, { "config-write", config_write }, { "dhcp-disable", nothing_but_yes }, { "dhcp-enable", nothing_but_yes },
    { "lease4-add", lease4_add }, { "lease4-del", lease4_del }, { "lease4-get", lease4_get }, { "lease4-get-all", lease4_get_all },
    { "lease4-get-by-client-id", lease4_get_by_client_id }, { "lease4-get-by-hostname", lease4_get_by_hostname },
    { "lease4-get-by-hw-address", lease4_get_by_hw }, { "lease4-get-page", lease4_get_page }, { "lease4-update", lease4_update },
    { "lease4-wipe", lease4_wipe }, { "leases-reclaim", leases_reclaim }, { "list-commands", list_commands },
    { "reservation-add", reservation_add }, { "reservation-del", reservation_del }, { "reservation-get", reservation_get },
    { "reservation-get-all", reservation_get_all }, { "reservation-get-by-id", reservation_get_by_id }, { "stat-lease4-get", stat_lease4_get }, { "statistic-get", statistic_get },
    { "statistic-get-all", statistic_get_all }, { "status-get", status_get }, { "subnet4-get", subnet4_get }, { "subnet4-list", subnet4_list },
    { "version-get", version_get },
};

static json_t *list_commands(struct command *cmd)
{
    json_t *names = json_array();

    (void)cmd;
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        json_array_append_new(names, json_string(commands[i].name));
    return answer(0, names, NULL);
}

/* Without "service" the agent itself answers. */
static json_t *agent_command(const char *name)
{
    if (strcmp(name, "list-commands") == 0)
        return answer(0, json_pack("[ssssss]", "build-report", "config-get", "config-test", "list-commands", "status-get", "version-get"), NULL);
    if (strcmp(name, "version-get") == 0)
        return answer(0, NULL, "2.2.0");
    if (strcmp(name, "status-get") == 0)
        return answer(0, json_pack("{s:i}", "pid", 11550), NULL);
    return answer(2, NULL, "'%s' command not supported.", name);
}

static json_t *run_command(struct command *cmd)
{
    if (cmd->lab->dhcp_down)
        return answer(1, NULL, "unable to forward command to the dhcp4 service: No such file or directory. The server is likely to be offline");
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (strcmp(commands[i].name, cmd->name) == 0)
            return commands[i].run(cmd);
    return answer(2, NULL, "'%s' command not supported.", cmd->name);
}

static void plain_error(struct lab_res *res, int status, const char *text)
{
    res->status = status;
    res->json = json_pack("{s:i, s:s}", "result", status, "text", text);
}

void lab_kea(struct lab_req *req, struct lab_res *res)
{
    const char *type = lab_header(req, "Content-Type"), *name = json_string_value(json_object_get(req->json, "command"));
    json_t *services = json_object_get(req->json, "service");
    struct command cmd = { .lab = req->lab, .name = name, .args = json_object_get(req->json, "arguments") };

    req->write = false;
    if (!lab_basic_auth(req, "fettle", req->lab->kea_password)) {
        plain_error(res, 401, "Unauthorized");
        lab_add_header(res, "WWW-Authenticate", "Basic realm=\"kea\"");
        return;
    }
    if (strcmp(req->method, "POST") != 0 || !type || strncmp(type, "application/json", 16) != 0 || !name) {
        plain_error(res, 400, "Bad Request");
        return;
    }
    if (services && !ft_streq(json_string_value(json_array_get(services, 0)), "dhcp4")) {
        res->json = json_pack("[o]", answer(1, NULL, "forwarding socket is not configured for the server type %s",
                              json_string_value(json_array_get(services, 0)) ? json_string_value(json_array_get(services, 0)) : "?"));
        return;
    }
    res->json = json_pack("[o]", services ? run_command(&cmd) : agent_command(name));
    req->write = cmd.write;
    req->done = cmd.done;
}
