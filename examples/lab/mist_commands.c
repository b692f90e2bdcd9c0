/* mist_commands.c: commands that devices run for the cloud, and what they print over its websocket: access points as Linux does, switches as Junos. */
#include "lab.h"

enum { UNKNOWN_HOST_HOPS = 6, GIVE_UP = 10, CABLE = 4 };        /* s of lab time, the last two */

/* A command under way: where its output goes. */
struct command { struct lab *lab; char channel[128], inner[128], session[37]; bool silent; };

static void say(const struct command *c, double in, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void say(const struct command *c, double in, const char *fmt, ...)
{
    struct ft_buf text = FT_BUF_INIT(0);
    va_list ap;

    va_start(ap, fmt);
    ft_buf_vaddf(&text, fmt, ap);
    va_end(ap);
    if (!c->silent)
        lab_ws_publish(c->lab, c->lab->now + in, c->channel, c->inner, c->session, ft_buf_str(&text));
    ft_buf_done(&text);
}

static void begin(struct command *c, struct lab *lab, int site, int ap, int sw)
{
    char seed[40];

    c->lab = lab;
    c->silent = ap >= 0 ? lab->aps[ap].state != AP_UP : lab->switches[sw].down;
    snprintf(c->channel, sizeof(c->channel), "/sites/%s/devices/%s/cmd", lab->sites[site].id, ap >= 0 ? lab->aps[ap].id : lab->switches[sw].id);
    snprintf(c->inner, sizeof(c->inner), "/sites/%s/devices/%s/cmd", lab->sites[site].id, ap >= 0 ? lab->aps[ap].mac : lab->switches[sw].mac);
    snprintf(seed, sizeof(seed), "session %lu", ++lab->serial);
    lab_uuid(lab, seed, c->session);
}

/* 404, 400 or the session; false: it is answered. Where `only_switch`: not an AP's. */
static bool accepted(struct lab_req *req, struct lab_res *res, bool only_switch, struct command *c, int *ret_ap, int *ret_sw)
{
    int site;

    if (!lab_mist_device_of(req, res, &site, ret_ap, ret_sw))
        return false;
    if (only_switch && *ret_sw < 0) {
        lab_mist_bad(res, "not a switch");
        return false;
    }
    begin(c, req->lab, site, *ret_ap, *ret_sw);
    res->json = json_pack("{s:s}", "session", c->session);
    req->done = true;
    return true;
}

/* ---- ping and traceroute */

/* The address of a host; 0: its name is not known. */
static uint32_t address_of(const struct lab *lab, const char *host)
{
    uint32_t ip;

    if (lab_ip_parse(host, &ip))
        return ip;
    return lab->dns_down || lab->dns_silent ? 0 : 0xc6336400u | (lab_hash(host) % 250 + 1);       /* 198.51.100.0/24 */
}

static bool is_own(const struct lab *lab, uint32_t ip)
{
    char text[16];

    lab_ip(ip, text);
    for (int i = 0; i < lab->n_aps; i++)
        if (ft_streq(lab->aps[i].ip, text))
            return lab->aps[i].state == AP_UP;
    for (int i = 0; i < lab->n_switches; i++)
        if (ft_streq(lab->switches[i].ip, text))
            return !lab->switches[i].down;
    for (int i = 0; i < lab->n_clients; i++)
        if (lab->clients[i].ip == ip)
            return lab->clients[i].state == CLIENT_UP;
    for (int i = 0; i < lab->n_subnets; i++)
        if (lab->subnets[i].net + 1 == ip)
            return true;                         /* the gateway */
    return false;
}

/* Round trip in ms; negative: no answer. */
static double round_trip(const struct lab *lab, uint32_t ip)
{
    if (ip >> 24 != 10)
        return lab->wan_ms;
    return is_own(lab, ip) ? 1.25 : -1;
}

static void ping(struct lab_req *req, struct lab_res *res)
{
    const char *host = json_string_value(json_object_get(req->json, "host"));
    json_t *wanted = json_object_get(req->json, "count");
    int ap, sw, count = wanted ? (int)json_integer_value(wanted) : 10;
    struct command c;
    uint32_t ip;
    double ms;
    char text[16];

    if (!host || count < 1) {
        lab_mist_bad(res, "host is required");
        return;
    }
    if (!accepted(req, res, false, &c, &ap, &sw))
        return;
    ip = address_of(req->lab, host);
    if (!ip) {
        say(&c, 1, ap >= 0 ? "ping: bad address '%s'\n" : "ping: cannot resolve %s: Host name lookup failure\r\n", host);
        return;
    }
    ms = round_trip(req->lab, ip);
    lab_ip(ip, text);
    say(&c, 0, "PING %s (%s): 56 data bytes\n", host, text);
    for (int i = 0; ms >= 0 && i < count; i++)
        say(&c, i, ap >= 0 ? "64 bytes from %s: seq=%d ttl=63 time=%.3f ms\n" : "64 bytes from %s: icmp_seq=%d ttl=63 time=%.3f ms\r\n", text, i, ms + i % 3);
    say(&c, ms >= 0 ? count - 1 : count + GIVE_UP, "\n--- %s ping statistics ---\n%d packets transmitted, %d packets received, %d%% packet loss\n", host,
        count, ms >= 0 ? count : 0, ms >= 0 ? 0 : 100);
    if (ms >= 0 && ap >= 0)
        say(&c, count - 1, "round-trip min/avg/max = %.3f/%.3f/%.3f ms\n", ms, ms + 1, ms + ft_min(count - 1, 2));
    else if (ms >= 0)
        say(&c, count - 1, "round-trip min/avg/max/stddev = %.3f/%.3f/%.3f/0.816 ms\r\n", ms, ms + 1, ms + ft_min(count - 1, 2));
}

static void hop(const struct command *c, bool ap, int number, uint32_t ip, double ms, double in)
{
    char text[16];

    lab_ip(ip, text);
    if (ap)
        say(c, in, " %d  %s %.0f ms  %s %.0f ms  %s %.0f ms\n", number - 1, text, ms, text, ms, text, ms + 1);
    else
        say(c, in, "%2d  %s (%s)  %.3f ms  %.3f ms  %.3f ms\r\n", number, text, text, ms, ms, ms + 1);
}

static void traceroute(struct lab_req *req, struct lab_res *res)
{
    const char *host = json_string_value(json_object_get(req->json, "host"));
    struct command c;
    int ap, sw, at = 1;
    uint32_t ip;
    double ms;
    char text[16];

    if (!host) {
        lab_mist_bad(res, "host is required");
        return;
    }
    if (!accepted(req, res, false, &c, &ap, &sw))
        return;
    ip = address_of(req->lab, host);
    if (!ip) {
        say(&c, 1, "traceroute: unknown host %s\n", host);
        return;
    }
    ms = round_trip(req->lab, ip);
    lab_ip(ip, text);
    say(&c, 0, ap >= 0 ? "Running traceroute...\ntraceroute to %s, %d hops max\n" : "traceroute to %s, %d hops max, 52 byte packets\r\n", text,
        ap >= 0 ? 64 : 30);
    if (ip >> 24 != 10 || ms < 0)
        hop(&c, ap >= 0, at++, req->lab->subnets[0].net + 1, 1, 1);
    if (ip >> 24 != 10)
        hop(&c, ap >= 0, at++, 0xc0000201u, ms / 2, 2);           /* 192.0.2.1: the provider */
    if (ms >= 0)
        hop(&c, ap >= 0, at, ip, ms, 3);
    else
        for (int i = 0; i < UNKNOWN_HOST_HOPS; i++)
            say(&c, 1 + 15 * i, "%2d  * * *\n", at++);
}

/* ---- tables */

static void arp(struct lab_req *req, struct lab_res *res)
{
    struct ft_buf text = FT_BUF_INIT(0);
    struct command c;
    int ap, sw;
    char mac[18];

    if (!accepted(req, res, false, &c, &ap, &sw))
        return;
    ft_buf_adds(&text, "\tMAC\t\tDEV\tVLAN\tRx Packets\t\t Rx Bytes\t\tTx Packets\t\t Tx Bytes\tFlows\tIdle sec\n"
                "-----------------------------------------------------------------------------------------------------------------------\n");
    for (int i = 0; ap >= 0 && i < req->lab->n_clients; i++) {
        const struct lab_client *client = &req->lab->clients[i];

        if (!lab_associated(client) || client->ap != ap)
            continue;
        lab_colons(client->mac, ':', false, mac);
        ft_buf_addf(&text, "%s\twlan%d\t%d\t%d\t\t%d\t\t%d\t\t%d\t%d\t%d\n", mac, client->band, req->lab->wlans[client->wlan].vlan, 900 + i, 70000 + i,
                    800 + i, 60000 + i, 2, i % 30);
    }
    say(&c, 1, "%s", ft_buf_str(&text));
    ft_buf_done(&text);
}

static void show_arp(struct lab_req *req, struct lab_res *res)
{
    struct ft_buf text = FT_BUF_INIT(0);
    const char *only = json_string_value(json_object_get(req->json, "ip"));
    struct command c;
    int ap, sw, count = 0;
    char mac[18], at[24];

    if (!accepted(req, res, true, &c, &ap, &sw))
        return;
    ft_buf_adds(&text, "MAC Address       Address         Name                      Interface               Flags\r\n");
    for (int i = 0; i < req->lab->n_aps; i++) {
        const struct lab_ap *one = &req->lab->aps[i];

        if (one->site != req->lab->switches[sw].site || one->state != AP_UP || (only && !ft_streq(only, one->ip)))
            continue;
        lab_colons(one->mac, ':', false, mac);
        snprintf(at, sizeof(at), "[%s.0]", req->lab->switches[one->sw].ports[one->port].name);
        ft_buf_addf(&text, "%s %-15s %-25s irb.1 %-17s none\r\n", mac, one->ip, one->ip, one->sw == sw ? at : "[ae0.0]");
        count++;
    }
    ft_buf_addf(&text, "Total entries: %d\r\n", count);
    say(&c, 1, "%s", ft_buf_str(&text));
    ft_buf_done(&text);
}

static void show_macs(struct lab_req *req, struct lab_res *res)
{
    struct ft_buf text = FT_BUF_INIT(0);
    struct command c;
    int ap, sw;

    if (!accepted(req, res, true, &c, &ap, &sw))
        return;
    lab_cli_show(req->lab, sw, "ethernet-switching table", false, &text);
    say(&c, 1, "%.*s", (int)(text.len / 2), ft_buf_str(&text));          /* wherever a message happens to end */
    say(&c, 1, "%s", ft_buf_str(&text) + text.len / 2);
    ft_buf_done(&text);
}

/* ---- ports */

static void cable_test(struct lab_req *req, struct lab_res *res)
{
    static const char *const pairs[] = { "1-2", "3-6", "4-5", "7-8" };
    const char *name = json_string_value(json_object_get(req->json, "port"));
    struct ft_buf text = FT_BUF_INIT(0);
    struct command c;
    int ap, sw, port;
    bool up;

    if (!accepted(req, res, true, &c, &ap, &sw))
        return;
    port = name ? lab_find_port(&req->lab->switches[sw], name) : -1;
    if (port < 0) {
        say(&c, 1, "error: interface %s not found\r\n", name ? name : "");
        return;
    }
    up = lab_port_up(req->lab, sw, port);
    lab_port_bounce(req->lab, sw, port);         /* the pulses take the link down */
    ft_buf_addf(&text, "Interface TDR detail:\r\nInterface name                  : %s\r\nTest status                     : Passed\r\nLink status                     : %s\r\n", name, up ? "UP" : "Down");
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
        ft_buf_addf(&text, "MDI pair                        : %s\r\n  Cable status                  : %s\r\n  Distance fault                : %d Meters\r\n"
                    "  Polartiy swap                 : %s\r\n  Skew time                     : %s\r\n", pairs[i], up ? "Normal" : "Open", up ? 0 : 3,
                    up ? "Normal" : "N/A", up ? "0 ns" : "N/A");
    ft_buf_adds(&text, "Channel pair                    : 1-2 and 3-6\r\n  Pair swap                     : N/A\r\nDownshift                       : N/A\r\n");
    say(&c, 1, "Test in progress...\r\n");
    say(&c, CABLE, "%s", ft_buf_str(&text));
    ft_buf_done(&text);
}

static void clear_dot1x(struct lab_req *req, struct lab_res *res)
{
    struct command c;
    int ap, sw;

    if (accepted(req, res, true, &c, &ap, &sw))
        say(&c, 1, "dot1x sessions cleared\r\n");
}

/* Junos says nothing to it. */
static void clear_macs(struct lab_req *req, struct lab_res *res)
{
    struct command c;
    int ap, sw;

    accepted(req, res, true, &c, &ap, &sw);
}

/* As the document has it, the answer to bounce_port names no session. */
void lab_mist_bounced(struct lab *lab, int site, int sw)
{
    struct command c;

    begin(&c, lab, site, -1, sw);
    say(&c, LAB_BOUNCE, "Port bounce complete.");
}

const struct lab_route lab_mist_command_routes[] = {
    { "POST", "/api/v1/sites/{}/devices/{}/ping", ping },
    { "POST", "/api/v1/sites/{}/devices/{}/traceroute", traceroute },
    { "POST", "/api/v1/sites/{}/devices/{}/arp", arp },
    { "POST", "/api/v1/sites/{}/devices/{}/show_arp", show_arp },
    { "POST", "/api/v1/sites/{}/devices/{}/show_mac_table", show_macs },
    { "POST", "/api/v1/sites/{}/devices/{}/cable_test", cable_test },
    { "POST", "/api/v1/sites/{}/devices/{}/clear_dot1x", clear_dot1x },
    { "POST", "/api/v1/sites/{}/devices/{}/clear_mac_table", clear_macs },
    { 0 },
};
