/* probe.c: dhcp.probe and dhcp.offers: what a client on this wire gets to see. exchange.c is the client, raw.c its sockets; it runs on a worker
 * thread, and a cancelled call makes it stop within 100 ms (and give back what it may have been given). */
#include "probe.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <fettle/kit.h>
#include "exchange.h"
#include "raw.h"

struct job {
    struct exchange x;
    char interface[64];                      /* "": as a relay */
    atomic_bool cancelled;
    enum ft_class class;                     /* FT_CLASS_NONE: x says what came */
    char why[600];
};
struct probe { struct job *job; };

/* ---- Values ---- */

static bool address_of(const char *text, uint32_t *ret)
{
    struct in_addr in;

    if (!text || inet_pton(AF_INET, text, &in) != 1)
        return false;
    *ret = ntohl(in.s_addr);
    return true;
}

static json_t *address_json(uint32_t address)
{
    return address ? json_sprintf("%u.%u.%u.%u", address >> 24, address >> 16 & 255, address >> 8 & 255, address & 255) : json_null();
}

static json_t *mac_json(const uint8_t mac[6])
{
    return json_sprintf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

/* Hexadecimal with anything between the digits; the number of bytes, 0: none or too many. */
static size_t hex_bytes(const char *text, uint8_t *ret, size_t max)
{
    size_t digits = 0;

    for (; text && *text; text++) {
        const char *all = "0123456789abcdef", *at = strchr(all, *text | 32);

        if (!at)
            continue;
        if (digits / 2 == max)
            return 0;
        ret[digits / 2] = (uint8_t)(digits % 2 ? ret[digits / 2] << 4 | (at - all) : at - all);
        digits++;
    }
    return digits % 2 ? 0 : digits / 2;
}

static json_t *hex_json(const uint8_t *bytes, size_t len)
{
    char text[2 * DHCP_MAX + 1];
    size_t n = 0;

    for (size_t i = 0; i < len && i < DHCP_MAX; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%02x", bytes[i]);
    return json_stringn(text, n);
}

static json_t *ms_json(uint64_t us)
{
    return json_real((double)(us / 100) / 10);
}

/* ---- What is wanted ---- */

/* The client that is played has a MAC of its own: the interface's, marked as locally administered, and another one where it is that already. So its
 * lease is never this host's, and every probe from here is the same client to the server. */
static void own_client(uint8_t mac[6])
{
    if (mac[0] & 2)
        mac[5] ^= 0x55;
    mac[0] = (uint8_t)((mac[0] | 2) & ~1);
}

static size_t wanted_options(const json_t *list, uint8_t *ret, size_t max)
{
    static const uint8_t usual[] = { OPT_MASK, OPT_ROUTER, OPT_DNS, OPT_DOMAIN, OPT_MTU, OPT_NTP, OPT_LEASE, OPT_SERVER, OPT_RENEW, OPT_REBIND,
                                     OPT_TFTP, OPT_BOOTFILE, 43, 119, 121, 150 };
    size_t n = 0;

    if (!list) {
        memcpy(ret, usual, sizeof(usual));
        return sizeof(usual);
    }
    for (; n < max && n < json_array_size(list); n++)
        ret[n] = (uint8_t)json_integer_value(json_array_get(list, n));
    return n;
}

static int read_texts(const json_t *params, struct dhcp_ask *ask, struct ft_err *reterr)
{
    const char *id = ft_str(params, "client_id"), *mac = ft_str(params, "mac");

    if (mac && hex_bytes(mac, ask->mac, sizeof(ask->mac)) != sizeof(ask->mac))
        return ft_fault(reterr, FT_INVALID, "'%s' is not a MAC address", mac);
    ask->client_id_len = hex_bytes(id, ask->client_id, sizeof(ask->client_id));
    if (id && ask->client_id_len < 2)
        return ft_fault(reterr, FT_INVALID, "client_id '%s' is not hexadecimal: write a type byte and the rest, 01:02:00:00:00:00:01, at most 64 bytes", id);
    snprintf(ask->hostname, sizeof(ask->hostname), "%s", ft_str(params, "hostname") ?: "");
    snprintf(ask->vendor, sizeof(ask->vendor), "%s", ft_str(params, "vendor_class") ?: "");
    ask->wanted_len = wanted_options(ft_get(params, "request_options"), ask->wanted, sizeof(ask->wanted));
    return 0;
}

static int read_mac(const json_t *params, const char *interface, struct dhcp_ask *ask, struct ft_err *reterr)
{
    if (ft_str(params, "mac"))
        return 0;
    if (!interface) {
        uint32_t giaddr = ask->giaddr;

        memcpy(ask->mac, (uint8_t[6]){ 0x02, 0xf7, (uint8_t)(giaddr >> 24), (uint8_t)(giaddr >> 16), (uint8_t)(giaddr >> 8), (uint8_t)giaddr }, 6);
        return 0;
    }
    if (!raw_mac_of(interface, ask->mac))
        return ft_fault(reterr, FT_NOT_FOUND, "this host has no interface '%s'", interface);
    if (!ft_true(params, "own_mac"))
        own_client(ask->mac);
    return 0;
}

static int read_params(const json_t *params, struct job *job, struct ft_err *reterr)
{
    const json_t *relay = ft_get(params, "relay"), *servers = ft_get(params, "expected_servers");
    const char *interface = ft_str(params, "interface");
    struct exchange *x = &job->x;
    double window = ft_num(params, "window_s"), timeout = ft_num(params, "timeout_s");

    for (; x->prefer_count < MAX_SERVERS && x->prefer_count < json_array_size(servers); x->prefer_count++)
        address_of(json_string_value(json_array_get(servers, x->prefer_count)), &x->prefer[x->prefer_count]);
    address_of(ft_str(params, "requested_ip"), &x->ask.requested);
    address_of(ft_str(params, "confirm_ip"), &x->confirm);
    if (relay && (!address_of(ft_str(relay, "server"), &x->relay_server) || !address_of(ft_str(relay, "giaddr"), &x->ask.giaddr)
                  || !x->relay_server || !x->ask.giaddr))
        return ft_fault(reterr, FT_INVALID, "relay needs the addresses of the server and of this host (giaddr)");
    if (interface && strlen(interface) >= sizeof(job->interface))
        return ft_fault(reterr, FT_INVALID, "'%s' is no name of an interface", interface);
    snprintf(job->interface, sizeof(job->interface), "%s", interface ?: "");
    x->window_us = (uint64_t)(window * 1e6);
    x->timeout_us = (uint64_t)((timeout > 0 ? timeout : 4) * 1e6);
    x->tries = (unsigned)ft_int(params, "tries");
    x->ask.broadcast = !relay;
    if (read_texts(params, &x->ask, reterr) < 0)
        return -EINVAL;
    return read_mac(params, interface, &x->ask, reterr);
}

/* ---- What came ---- */

static json_t *addresses_json(const struct dhcp_message *m, unsigned code)
{
    uint32_t list[16];
    size_t n = dhcp_addresses(m, code, list, 16);
    json_t *all = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(all, address_json(list[i]));
    return all;
}

static json_t *text_json(const struct dhcp_message *m, unsigned code)
{
    char text[256];

    return dhcp_text(m, code, text, sizeof(text)) ? json_string(text) : json_null();
}

static json_t *number_json(const struct dhcp_message *m, unsigned code)
{
    size_t len;

    return dhcp_option(m, code, &len) && len == 4 ? json_integer(dhcp_u32(m, code)) : json_null();
}

/* What has no field of its own, by its number. */
static json_t *other_options(const struct dhcp_message *m)
{
    static const uint8_t fields[] = { OPT_MASK, OPT_ROUTER, OPT_DNS, OPT_DOMAIN, OPT_MTU, OPT_NTP, OPT_LEASE, OPT_TYPE, OPT_SERVER, OPT_RENEW, OPT_REBIND,
                                      OPT_TFTP, OPT_BOOTFILE, OPT_MESSAGE };
    json_t *others = json_object();

    for (unsigned code = 1; code < OPT_END; code++) {
        size_t len;
        const uint8_t *bytes = dhcp_option(m, code, &len);
        char name[8];

        if (!bytes || memchr(fields, (int)code, sizeof(fields)))
            continue;
        snprintf(name, sizeof(name), "%u", code);
        json_object_set_new(others, name, hex_json(bytes, len));
    }
    return others;
}

static bool is_expected(const struct exchange *x, const struct heard *heard)
{
    for (size_t i = 0; i < x->prefer_count; i++) {
        if (x->prefer[i] == server_of(heard))
            return true;
    }
    return x->prefer_count == 0;
}

static json_t *heard_json(const struct exchange *x, const struct heard *heard)
{
    const struct dhcp_message *m = &heard->message;
    uint32_t mask = dhcp_u32(m, OPT_MASK);
    size_t len = 0;
    const uint8_t *mtu = dhcp_option(m, OPT_MTU, &len);
    json_t *facts = json_pack("{s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o}", "server", address_json(server_of(heard)), "expected", is_expected(x, heard),
                              "address", address_json(m->yiaddr), "from", address_json(heard->from),
                              "from_mac", heard->has_mac ? mac_json(heard->from_mac) : json_null(), "relay", address_json(m->giaddr),
                              "next_server", address_json(m->siaddr), "ms", ms_json(heard->at_us));

    json_object_update_new(facts, json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "mask", address_json(mask),
                                            "prefix", mask && dhcp_prefix(mask) >= 0 ? json_integer(dhcp_prefix(mask)) : json_null(),
                                            "routers", addresses_json(m, OPT_ROUTER), "dns", addresses_json(m, OPT_DNS),
                                            "ntp", addresses_json(m, OPT_NTP), "domain", text_json(m, OPT_DOMAIN),
                                            "mtu", mtu && len == 2 ? json_integer(mtu[0] << 8 | mtu[1]) : json_null(),
                                            "lease_s", number_json(m, OPT_LEASE)));
    json_object_update_new(facts, json_pack("{s:o, s:o, s:o, s:o, s:o, s:b}", "renew_s", number_json(m, OPT_RENEW), "rebind_s", number_json(m, OPT_REBIND),
                                            "tftp_server", text_json(m, OPT_TFTP), "boot_file", text_json(m, OPT_BOOTFILE),
                                            "options", other_options(m), "malformed", m->malformed));
    return facts;
}

static json_t *offers_json(const struct exchange *x, bool rogue_only)
{
    json_t *all = json_array();

    for (size_t i = 0; i < x->offer_count; i++) {
        if (!rogue_only || !is_expected(x, &x->offers[i]))
            json_array_append_new(all, heard_json(x, &x->offers[i]));
    }
    return all;
}

static json_t *silent_servers(const struct exchange *x)
{
    json_t *silent = json_array();

    for (size_t p = 0; p < x->prefer_count; p++) {
        bool heard = (x->outcome == GOT_ACK || x->outcome == GOT_NAK) && server_of(&x->answer) == x->prefer[p];

        for (size_t i = 0; i < x->offer_count; i++)
            heard = heard || server_of(&x->offers[i]) == x->prefer[p];
        if (!heard)
            json_array_append_new(silent, address_json(x->prefer[p]));
    }
    return silent;
}

static json_t *offers_result(const struct exchange *x)
{
    json_t *rogue = offers_json(x, true), *result;

    if ((x->outcome == GOT_ACK || x->outcome == GOT_NAK) && x->confirm && !is_expected(x, &x->answer))
        json_array_append_new(rogue, heard_json(x, &x->answer));
    result = json_pack("{s:o, s:b, s:o, s:o, s:o, s:b, s:i, s:b, s:o, s:o}", "mac", mac_json(x->ask.mac), "offered", x->offer_count > 0,
                       "offers", offers_json(x, false), "rogue_servers", rogue, "silent_servers", silent_servers(x),
                       "rogue", json_array_size(rogue) > 0, "discovers", (int)x->discovers, "more_offers", x->more_offers,
                       "discover_ms", x->offer_count ? ms_json(x->discover_us) : json_null(), "address", json_null());
    if (x->offer_count)
        json_object_set_new(result, "address", address_json(x->offers[x->taken].message.yiaddr));
    return result;
}

static json_t *nak_json(const struct exchange *x)
{
    if (x->outcome != GOT_NAK)
        return json_null();
    return json_pack("{s:o, s:o, s:o}", "server", address_json(server_of(&x->answer)), "reason", text_json(&x->answer.message, OPT_MESSAGE),
                     "ms", ms_json(x->answer.at_us));
}

/* One sentence for a ticket. */
static const char *sentence(const struct exchange *x)
{
    switch (x->outcome) {
    case GOT_ACK: return x->released ? "a lease was given and given back" : "the address was confirmed";
    case GOT_NAK: return "the server refused the address (NAK)";
    case GOT_SILENCE: return "a server offered an address, and did not answer the request for it";
    case GOT_OWN: return "the offer is an address that this host has already; it was not asked for, as giving it back would cut this host off";
    case GOT_OFFERS: return "offered, without an address that could be asked for";
    default: return x->confirm ? "no server answered the request" : "no server offered an address";
    }
}

static json_t *probe_result(const struct exchange *x)
{
    json_t *result = offers_result(x);
    bool answered = x->outcome == GOT_ACK || x->outcome == GOT_NAK;

    json_object_update_new(result, json_pack("{s:b, s:s, s:b, s:b, s:o, s:o, s:o, s:o, s:i}", "leased", x->outcome == GOT_ACK, "says", sentence(x),
                                             "nak", x->outcome == GOT_NAK, "released", x->released,
                                             "ack", x->outcome == GOT_ACK ? heard_json(x, &x->answer) : json_null(), "refusal", nak_json(x),
                                             "server", answered ? address_json(server_of(&x->answer)) : json_null(),
                                             "request_ms", answered ? ms_json(x->request_us) : json_null(), "requests", (int)x->requests));
    if (x->outcome == GOT_ACK)
        json_object_set_new(result, "address", address_json(x->answer.message.yiaddr));
    return result;
}

/* ---- The thread ---- */

static void blocking(void *arg)
{
    struct job *job = arg;
    struct exchange *x = &job->x;
    struct raw raw = { .fd = -1, .cancelled = &job->cancelled };
    struct wire wire = raw_wire(&raw);

    job->class = job->interface[0] ? raw_open(&raw, job->interface, job->why, sizeof(job->why))
                                   : raw_open_relay(&raw, x->ask.giaddr, job->why, sizeof(job->why));
    if (job->class != FT_CLASS_NONE)
        return;
    x->own_count = raw_own_addresses(x->own, MAX_OWN);
    exchange_run(x, &wire);
    raw_close(&raw);
    if (x->error) {
        job->class = x->error == -EPERM || x->error == -EACCES ? FT_DENIED : FT_UNREACHABLE;
        snprintf(job->why, sizeof(job->why), "the exchange on %s broke off: %s", job->interface[0] ? job->interface : "the relay's socket",
            strerror(-x->error));
    }
}

static void release(void *job) { free(job); }

static void ended(struct ft_call *call, struct job *job, json_t *(*result)(const struct exchange *x))
{
    struct probe *st = host->state(call);

    st->job = NULL;
    if (job->class != FT_CLASS_NONE)
        host->fail(call, job->class, "%s", job->why);
    else
        host->done(call, result(&job->x));
}

static void probe_over(struct ft_call *call, void *job) { ended(call, job, probe_result); }
static void offers_over(struct ft_call *call, void *job) { ended(call, job, offers_result); }

static int fits_in_time(struct ft_call *call, const struct exchange *x, struct ft_err *reterr)
{
    uint64_t most_ms = ((x->confirm ? 0 : x->window_us * x->tries) + (x->only_discover ? 0 : x->timeout_us)) / 1000;

    if (most_ms + 300 <= host->remaining_ms(call))
        return 0;
    return ft_fault(reterr, FT_INVALID, "tries of %g s each may take %llu s, longer than the step's time: lower `window_s` or `tries`, or raise the "
                    "step's `timeout`",
                    (double)x->window_us / 1e6, (unsigned long long)(most_ms / 1000));
}

static int new_job(struct ft_call *call, bool only_discover, struct job **ret, struct ft_err *reterr)
{
    struct job *job = calloc(1, sizeof(*job));

    if (!job)
        return ft_err_set(reterr, -ENOMEM, "out of memory");
    job->x.only_discover = only_discover;
    if (getrandom(&job->x.ask.xid, sizeof(job->x.ask.xid), 0) != sizeof(job->x.ask.xid) || read_params(host->params(call), job, reterr) < 0
        || fits_in_time(call, &job->x, reterr) < 0) {
        free(job);
        return -EINVAL;
    }
    *ret = job;
    return 0;
}

static int start(struct ft_call *call, bool only_discover, struct ft_err *reterr)
{
    struct probe *st = host->state(call);
    struct job *job;
    int r = new_job(call, only_discover, &job, reterr);

    if (r < 0)
        return r;
    st->job = job;
    r = host->work(call, job, blocking, only_discover ? offers_over : probe_over, release, reterr);
    if (r < 0) {
        st->job = NULL;
        free(job);
    }
    return r;
}

static int probe_run(struct ft_call *call, struct ft_err *reterr) { return start(call, false, reterr); }
static int offers_run(struct ft_call *call, struct ft_err *reterr) { return start(call, true, reterr); }

static void probe_cancel(struct ft_call *call)
{
    struct probe *st = host->state(call);

    if (st->job)
        atomic_store(&st->job->cancelled, true);
}

/* ---- The plan of the probe ---- */

static int probe_plan(struct ft_call *call, struct ft_err *reterr)
{
    struct job *job;
    int r = new_job(call, false, &job, reterr);
    json_t *mac, *lines, *to;
    const char *who, *where;

    if (r < 0)
        return r;
    mac = mac_json(job->x.ask.mac);
    to = address_json(job->x.relay_server ? job->x.relay_server : 0xffffffffu);
    who = json_string_value(mac);
    where = job->interface[0] ? job->interface : "the relay's address";
    lines = json_array();
    if (!job->x.confirm)
        json_array_append_new(lines, json_sprintf("DHCPDISCOVER of client %s to %s", who, json_string_value(to)));
    json_array_append_new(lines, json_sprintf("DHCPREQUEST of client %s for %s to %s", who,
                                              job->x.confirm ? ft_str(host->params(call), "confirm_ip") : "the address that is offered",
                                                  json_string_value(to)));
    json_array_append_new(lines, json_sprintf("DHCPRELEASE of client %s of that address to its server", who));
    host->done(call, json_pack("{s:o, s:[{s:o, s:o}], s:i}", "summary", json_sprintf("ask for a lease from %s as %s, and give it back", where, who),
                               "requests", "target", json_sprintf("interface %s", where), "commands", lines, "users", 0));
    json_decref(mac);
    json_decref(to);
    free(job);
    return 0;
}

/* ---- Schemas ---- */

#define CLIENT_PARAMS \
    FT_JSON("interface": {"type": "string", "minLength": 1, \
            "description": "interface of this host to ask from (eth0, eth0.110 for VLAN 110); it needs no address"}, \
         "relay": {"type": "object", "additionalProperties": false, "required": ["server", "giaddr"], \
                   "description": "instead of an interface: ask one server as a relay of another subnet does", "properties": { \
             "server": {"type": "string", "format": "ipv4", "description": "address of the DHCP server"}, \
             "giaddr": {"type": "string", "format": "ipv4", \
                     "description": "an address of this host in the subnet that is asked for; answers come to its port 67"}}}, \
         "mac": {"type": "string", "format": "mac", "description": "MAC address of the client that is played; one made of the interface's (02:…) when left out"}, \
         "own_mac": {"type": "boolean", "default": false, "description": "play the interface itself, with its own MAC: for switches that only let that through"}, \
         "client_id": {"type": "string", "pattern": "^[0-9A-Fa-f:]+$", \
                 "description": "client identifier, hexadecimal, its type byte first (01:…); made of the MAC when left out"}, \
         "hostname": {"type": "string", "minLength": 1, "maxLength": 63, "description": "host name to send"}, \
         "vendor_class": {"type": "string", "minLength": 1, "maxLength": 63, "description": "vendor class to send (option 60)"}, \
         "request_options": {"type": "array", "maxItems": 60, "items": {"type": "integer", "minimum": 1, "maximum": 254}, \
                             "description": "numbers of the options to ask for; the usual ones when left out"}, \
         "requested_ip": {"type": "string", "format": "ipv4", "description": "address to wish for in the DISCOVER"}, \
         "expected_servers": {"type": "array", "maxItems": 16, "items": {"type": "string", "format": "ipv4"}, \
                              "description": "server identifiers that may answer here; an offer of any other is rogue. Left out: none is rogue"}, \
         "window_s": {"type": "number", "minimum": 0.1, "maximum": 30, "default": 4, \
                      "description": "seconds to collect offers after each DISCOVER; some servers ping an address for up to 3 s before they offer it"}, \
         "tries": {"type": "integer", "minimum": 1, "maximum": 10, "default": 2, "description": "how often to ask as long as nobody answers"})

#define HEARD_PROPERTIES \
    FT_JSON("server": {"type": ["string", "null"], "description": "server identifier"}, \
         "expected": {"type": "boolean", "description": "the server is one of expected_servers (or none were named)"}, \
         "address": {"type": ["string", "null"], "description": "the address offered"}, \
         "mask": {"type": ["string", "null"], "description": "its network mask"}, \
         "prefix": {"type": ["integer", "null"], "description": "the mask as the length of a prefix"}, \
         "routers": {"type": "array", "items": {"type": "string"}, "description": "default routers"}, \
         "dns": {"type": "array", "items": {"type": "string"}, "description": "DNS servers"}, \
         "ntp": {"type": "array", "items": {"type": "string"}, "description": "time servers"}, \
         "domain": {"type": ["string", "null"], "description": "DNS domain"}, \
         "mtu": {"type": ["integer", "null"], "description": "MTU of the interface, bytes"}, \
         "lease_s": {"type": ["integer", "null"], "description": "lease time, seconds"}, \
         "renew_s": {"type": ["integer", "null"], "description": "time until the client renews (T1), seconds"}, \
         "rebind_s": {"type": ["integer", "null"], "description": "time until the client asks any server (T2), seconds"}, \
         "tftp_server": {"type": ["string", "null"], "description": "TFTP server's name (option 66)"}, \
         "boot_file": {"type": ["string", "null"], "description": "boot file (option 67)"}, \
         "next_server": {"type": ["string", "null"], "description": "next server (siaddr)"}, \
         "relay": {"type": ["string", "null"], "description": "relay that the answer came through (giaddr)"}, \
         "from": {"type": ["string", "null"], "description": "address that the packet came from"}, \
         "from_mac": {"type": ["string", "null"], \
                 "description": "MAC that the packet came from: of the server, or of the relay before it; look for it on the switches"}, \
         "ms": {"type": "number", "description": "milliseconds from the question to this answer"}, \
         "options": {"type": "object", "additionalProperties": {"type": "string"}, "description": "options without a field here, by number, as hexadecimal bytes"}, \
         "malformed": {"type": "boolean", "description": "an option of the packet ran over its end"})
#define HEARD "{\"type\": \"object\", \"properties\": {" HEARD_PROPERTIES "}}"

#define OFFERS_PROPERTIES \
    FT_JSON("mac": {"type": "string", "description": "MAC address of the client that was played"}, \
         "offered": {"type": "boolean", "description": "at least one server offered an address"}, \
         "rogue": {"type": "boolean", "description": "a server answered that is not in expected_servers"}, \
         "silent_servers": {"type": "array", "items": {"type": "string"}, \
                 "description": "servers of expected_servers that did not answer (the standby of a pair does not)"}, \
         "address": {"type": ["string", "null"], "description": "the address that was offered first, or leased; null: none"}, \
         "discovers": {"type": "integer", "description": "DISCOVER packets sent"}, \
         "more_offers": {"type": "boolean", "description": "more than 32 offers came; the rest was not kept"}, \
         "discover_ms": {"type": ["number", "null"], "description": "milliseconds from the first DISCOVER to the first offer; null: none came"}) \
    ", \"offers\": {\"type\": \"array\", \"description\": \"every offer, in the order in which they came\", \"items\": " HEARD "}" \
    ", \"rogue_servers\": {\"type\": \"array\", \"description\": \"the answers of servers that are not expected\", \"items\": " HEARD "}"

#define ONE_WAY "\"oneOf\": [{\"required\": [\"interface\"]}, {\"required\": [\"relay\"]}]"

static const char offers_params[] = "{\"type\": \"object\", \"additionalProperties\": false, " ONE_WAY ", \"properties\": {" CLIENT_PARAMS "}}";

static const char probe_params[] =
    "{\"type\": \"object\", \"additionalProperties\": false, " ONE_WAY ", \"properties\": {" CLIENT_PARAMS ", "
    FT_JSON("confirm_ip": {"type": "string", "format": "ipv4",
                        "description": "ask to confirm this address without looking for offers first, as a client does that comes back (INIT-REBOOT)"},
         "timeout_s": {"type": "number", "minimum": 0.1, "maximum": 30, "default": 4, "description": "seconds to wait in all for the answer to the REQUEST"}) "}}";

static const char offers_schema[] = "{\"type\": \"object\", \"properties\": {" OFFERS_PROPERTIES "}}";

static const char probe_schema[] =
    "{\"type\": \"object\", \"properties\": {" OFFERS_PROPERTIES ", "
    FT_JSON("leased": {"type": "boolean", "description": "the server gave the address (ACK)"},
         "says": {"type": "string", "description": "how it went, in words"},
         "nak": {"type": "boolean", "description": "the server refused (NAK)"},
         "refusal": {"type": ["object", "null"], "description": "the NAK", "properties": {
             "server": {"type": ["string", "null"], "description": "who refused"},
             "reason": {"type": ["string", "null"], "description": "the server's words (option 56)"},
             "ms": {"type": "number", "description": "milliseconds from the REQUEST to the NAK"}}},
         "server": {"type": ["string", "null"], "description": "server that answered the REQUEST"},
         "requests": {"type": "integer", "description": "REQUEST packets sent"},
         "request_ms": {"type": ["number", "null"], "description": "milliseconds from the first REQUEST to its answer; null: none came"},
         "released": {"type": "boolean", "description": "the RELEASE was sent (no server answers one)"})
    ", \"ack\": {\"type\": [\"object\", \"null\"], \"description\": \"the ACK\", \"properties\": {" HEARD_PROPERTIES "}}}}";

#define WIRE_ABOUT \
    "From an interface it needs CAP_NET_RAW (`setcap cap_net_raw+ep` on the fettle binary), as a relay CAP_NET_BIND_SERVICE. The interface needs no " \
    "address, and a " \
    "DHCP client that runs there is not disturbed. Frames are sent with the interface's own MAC; the client's MAC stands inside the DHCP message. " \
    "Switches that " \
    "compare the two (DHCP snooping's verify) drop that: use `own_mac` there. No answer is a result (`offered: false`), no error. "

const struct ft_action dhcp_offers = {
    .size = sizeof(dhcp_offers), .name = "offers", .summary = "which DHCP servers answer on a wire, and what they offer",
    .effects = FT_EFFECT_READ, .params_schema = offers_params, .result_schema = offers_schema, .state_size = sizeof(struct probe),
    .run = { offers_run, probe_cancel }, .timeout_ms = 60000,
    .about = "Sends DISCOVER only, and collects the offers of all servers: no lease is taken (a server may hold the address back for some seconds). " WIRE_ABOUT
             "Use it to find DHCP servers that should not be there; `dhcp.probe` goes on to a lease.",
    .example = "run: dhcp.offers\nwith: {interface: eth0.110, expected_servers: [10.11.0.2, 10.11.0.3]}\n",
};

const struct ft_action dhcp_probe = {
    .size = sizeof(dhcp_probe), .name = "probe", .summary = "get a lease as a client would, and give it back",
    .effects = FT_EFFECT_WRITE | FT_EFFECT_IDEMPOTENT, .params_schema = probe_params, .result_schema = probe_schema, .state_size = sizeof(struct probe),
    .run = { probe_run, probe_cancel }, .plan = { probe_plan, NULL }, .timeout_ms = 60000,
    .about = "DISCOVER, all offers, REQUEST, ACK or NAK, RELEASE. It is a write, since for a moment the server's pool has one address less, and the "
             "server may note "
             "the client in DNS and in its log. The address is never set on this host. When fettle is killed between ACK and RELEASE, the lease runs "
             "out by itself. "
             "Nothing is left to undo. " WIRE_ABOUT "An offer of an address that this host has already is not asked for.",
    .example = "run: dhcp.probe\nwith: {interface: eth0.110, expected_servers: [10.11.0.2]}\nundo: none\n",
};
