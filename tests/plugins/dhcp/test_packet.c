/* DHCP messages as bytes, and the client's side of an exchange on a wire that is a script. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "../../../plugins/dhcp/packet.c"
#include "../../../plugins/dhcp/exchange.c"

#define IP(a, b, c, d) ((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))

/* ---- messages ---- */

struct bytes { uint8_t at[4096]; size_t len; };

static void option(struct bytes *b, unsigned code, const void *value, size_t len)
{
    b->at[b->len++] = (uint8_t)code;
    b->at[b->len++] = (uint8_t)len;
    memcpy(b->at + b->len, value, len);
    b->len += len;
}

static void option32(struct bytes *b, unsigned code, uint32_t value)
{
    uint8_t v[4] = { (uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value };

    option(b, code, v, 4);
}

static void reply(struct bytes *b, uint32_t xid, const uint8_t mac[6], unsigned type, uint32_t address, uint32_t server)
{
    uint8_t t = (uint8_t)type;

    memset(b, 0, sizeof(*b));
    b->at[0] = 2;
    b->at[1] = 1;
    b->at[2] = 6;
    put32(b->at + 4, xid);
    put32(b->at + 16, address);
    memcpy(b->at + 28, mac, 6);
    memcpy(b->at + 236, magic, 4);
    b->len = DHCP_MIN;
    option(b, OPT_TYPE, &t, 1);
    if (server)
        option32(b, OPT_SERVER, server);
}

static const uint8_t mac1[6] = { 2, 0, 0, 0, 0, 1 };

Test(packet, what_is_built_is_read_back)
{
    struct dhcp_ask ask = { .type = DHCP_REQUEST, .xid = 0x01020304, .secs = 3, .broadcast = true, .mac = { 2, 0, 0, 0, 0, 1 }, .requested = IP(10, 0, 0, 9),
                            .server = IP(10, 0, 0, 2), .hostname = "door-3", .wanted = { 1, 3, 6 }, .wanted_len = 3 };
    uint8_t bytes[DHCP_ASK_MAX];
    struct dhcp_message m;
    char text[64];
    size_t len, n = dhcp_build(&ask, bytes, sizeof(bytes));

    cr_assert_geq(n, 300);
    cr_assert(dhcp_parse(bytes, n, &m));
    cr_expect_eq(m.xid, 0x01020304);
    cr_expect_eq(m.type, DHCP_REQUEST);
    cr_expect_eq(m.flags, 0x8000);
    cr_expect_eq(m.secs, 3);
    cr_expect_eq(dhcp_u32(&m, OPT_REQUESTED), IP(10, 0, 0, 9));
    cr_expect_eq(dhcp_u32(&m, OPT_SERVER), IP(10, 0, 0, 2));
    cr_expect(dhcp_text(&m, OPT_HOSTNAME, text, sizeof(text)) && strcmp(text, "door-3") == 0);
    cr_expect(memcmp(dhcp_option(&m, OPT_CLIENT, &len), "\x01\x02\0\0\0\0\x01", 7) == 0 && len == 7);
    cr_expect_not(m.malformed);
    ask.giaddr = IP(10, 9, 0, 1);
    ask.type = DHCP_RELEASE;
    n = dhcp_build(&ask, bytes, sizeof(bytes));
    cr_assert(dhcp_parse(bytes, n, &m));
    cr_expect_eq(m.giaddr, IP(10, 9, 0, 1));
    cr_expect_eq(m.hops, 1);
    cr_expect_null(dhcp_option(&m, OPT_LIST, &len), "a RELEASE asks for nothing");
    cr_expect_eq(dhcp_build(&ask, bytes, 299), 0);
}

Test(packet, udp_around_it)
{
    uint8_t payload[301], frame[PACKET_MAX];
    struct udp_packet packet = { .from = IP(10, 0, 0, 2), .to = 0xffffffffu, .from_port = 67, .to_port = 68, .bytes = payload, .len = sizeof(payload) }, back;
    size_t n;

    memset(payload, 7, sizeof(payload));
    n = udp_build(&packet, frame, sizeof(frame));
    cr_assert_eq(n, 329);
    cr_expect_eq(folded(sum16(frame, 20, 0)), 0, "the checksum of the IP header");
    cr_expect_eq(folded(sum16(frame + 20, n - 20, sum16(frame + 12, 8, 17 + (uint32_t)n - 20))), 0, "the checksum of UDP");
    cr_assert(udp_parse(frame, n, &back));
    cr_expect_eq(back.from, packet.from);
    cr_expect_eq(back.to_port, 68);
    cr_expect(back.len == sizeof(payload) && memcmp(back.bytes, payload, back.len) == 0);
    cr_expect_eq(udp_build(&packet, frame, 328), 0);
}

static const struct { const char *what; size_t at; uint8_t value; size_t cut; } bad_frames[] = {
    { "IPv6", 0, 0x65, 0 }, { "short header", 0, 0x44, 0 }, { "header over the end", 0, 0x4f, 300 }, { "TCP", 9, 6, 0 }, { "a fragment", 6, 0x20, 0 },
    { "a later fragment", 7, 1, 0 }, { "longer than it is", 2, 0x7f, 0 }, { "UDP longer than IP", 24, 0x7f, 0 }, { "UDP shorter than itself", 25, 3, 0 },
    { "cut", 0, 0x45, 1 }, { "nothing", 0, 0x45, 329 },
};

Test(packet, what_is_no_udp_is_left_alone)
{
    for (size_t i = 0; i < sizeof(bad_frames) / sizeof(bad_frames[0]); i++) {
        uint8_t payload[301] = { 0 }, frame[PACKET_MAX];
        struct udp_packet packet = { .from_port = 67, .to_port = 68, .bytes = payload, .len = sizeof(payload) }, back;
        size_t n = udp_build(&packet, frame, sizeof(frame));

        if (bad_frames[i].at == 25)
            frame[24] = 0;
        frame[bad_frames[i].at] = bad_frames[i].value;
        cr_expect_not(udp_parse(frame, n - bad_frames[i].cut, &back), "%s", bad_frames[i].what);
    }
}

Test(packet, options_in_parts_are_put_together)
{
    struct bytes b;
    struct dhcp_message m;
    char text[600], half[200];
    uint8_t overload = 3;
    size_t len;

    memset(half, 'x', sizeof(half));
    reply(&b, 1, mac1, DHCP_OFFER, IP(10, 0, 0, 9), IP(10, 0, 0, 2));
    option(&b, OPT_MESSAGE, half, 200);
    option(&b, OPT_OVERLOAD, &overload, 1);
    option(&b, OPT_MESSAGE, half, 200);
    b.at[b.len++] = OPT_END;
    b.at[108] = 15;                          /* the file's field: a domain */
    b.at[109] = 3;
    memcpy(b.at + 110, "lab", 3);
    b.at[113] = 255;
    b.at[44] = OPT_MESSAGE;                  /* the server's name: a third part */
    b.at[45] = 1;
    b.at[46] = 'y';
    b.at[47] = 255;
    cr_assert(dhcp_parse(b.at, b.len, &m));
    cr_expect(dhcp_option(&m, OPT_MESSAGE, &len) && len == 401);
    cr_expect(dhcp_text(&m, OPT_MESSAGE, text, sizeof(text)) && strlen(text) == 401 && text[400] == 'y');
    cr_expect(dhcp_text(&m, OPT_DOMAIN, text, sizeof(text)) && strcmp(text, "lab") == 0);
    cr_expect_not(m.malformed);
}

Test(packet, an_option_over_the_end_keeps_what_stood_before)
{
    struct bytes b;
    struct dhcp_message m;

    reply(&b, 1, mac1, DHCP_OFFER, IP(10, 0, 0, 9), IP(10, 0, 0, 2));
    b.at[b.len++] = OPT_DNS;
    b.at[b.len++] = 200;
    cr_assert(dhcp_parse(b.at, b.len, &m));
    cr_expect(m.malformed);
    cr_expect_eq(m.type, DHCP_OFFER);
    cr_expect_eq(dhcp_u32(&m, OPT_SERVER), IP(10, 0, 0, 2));
    b.len--;
    cr_assert(dhcp_parse(b.at, b.len, &m));
    cr_expect(m.malformed, "a code without a length");
}

Test(packet, values_of_a_wrong_length_are_none)
{
    struct bytes b;
    struct dhcp_message m;
    uint32_t list[2];
    char text[4];

    reply(&b, 1, mac1, DHCP_OFFER, 0, 0);
    option(&b, OPT_LEASE, "\0\0\1", 3);
    option(&b, OPT_TYPE, "\2", 1);                    /* a second type: none can be believed */
    option(&b, OPT_DNS, "\x0a\0\0\1\x0a\0\0\2\x0a\0\0\3\x0a", 13);
    option(&b, OPT_DOMAIN, "a\x01" "bcd", 5);
    option(&b, OPT_ROUTER, "", 0);
    cr_assert(dhcp_parse(b.at, b.len, &m));
    cr_expect_eq(dhcp_u32(&m, OPT_LEASE), 0);
    cr_expect_eq(m.type, 0);
    cr_expect_eq(dhcp_addresses(&m, OPT_DNS, list, 2), 2);
    cr_expect_eq(list[1], IP(10, 0, 0, 2));
    cr_expect_eq(dhcp_addresses(&m, OPT_ROUTER, list, 2), 0);
    cr_expect(dhcp_text(&m, OPT_DOMAIN, text, sizeof(text)) && strcmp(text, "a?b") == 0, "%s", text);
    cr_expect_eq(dhcp_prefix(0xffffff00u), 24);
    cr_expect_eq(dhcp_prefix(0xff00ff00u), -1);
    cr_expect_eq(dhcp_prefix(0xffffffffu), 32);
    cr_expect_not(dhcp_parse(b.at, 239, &m));
    b.at[236] = 0;
    cr_expect_not(dhcp_parse(b.at, b.len, &m), "no magic cookie");
}

/* ---- the exchange: a wire that answers by a script ---- */

struct answer { unsigned to, type; uint32_t address, server; uint64_t after_us; bool other_xid, other_mac; };
struct script {
    const struct answer *answers; size_t count;
    uint64_t now;
    struct { struct heard heard; uint64_t due; } queue[64]; size_t queued;
    struct dhcp_ask sent[16]; uint32_t sent_to[16]; size_t sent_count;
    int send_error; uint64_t stop_at;
};

static int script_send(void *arg, const struct dhcp_ask *ask, uint32_t to, const uint8_t *to_mac)
{
    struct script *s = arg;

    (void)to_mac;
    if (s->send_error)
        return s->send_error;
    s->sent[s->sent_count] = *ask;
    s->sent_to[s->sent_count++] = to;
    for (size_t i = 0; i < s->count; i++) {
        const struct answer *a = &s->answers[i];
        static const uint8_t stranger[6] = { 2, 9, 9, 9, 9, 9 };
        struct bytes b;

        if (a->to != ask->type)
            continue;
        reply(&b, ask->xid + a->other_xid, a->other_mac ? stranger : ask->mac, a->type, a->address, a->server);
        if (a->type == DHCP_NAK)
            option(&b, OPT_MESSAGE, "wrong network", 13);
        cr_assert(dhcp_parse(b.at, b.len, &s->queue[s->queued].heard.message));
        s->queue[s->queued].heard.from = a->server ? a->server : IP(10, 0, 0, 7);
        s->queue[s->queued].heard.has_mac = true;
        s->queue[s->queued++].due = s->now + a->after_us;
    }
    return 0;
}

static int script_receive(void *arg, uint64_t until_us, struct heard *ret)
{
    struct script *s = arg;
    size_t best = s->queued;

    for (size_t i = 0; i < s->queued; i++) {
        if (s->queue[i].due && s->queue[i].due <= until_us && (best == s->queued || s->queue[i].due < s->queue[best].due))
            best = i;
    }
    if (best == s->queued || (s->stop_at && s->queue[best].due > s->stop_at)) {
        s->now = s->stop_at && s->stop_at < until_us ? s->stop_at : until_us;
        return 0;
    }
    s->now = s->queue[best].due;
    s->queue[best].due = 0;
    *ret = s->queue[best].heard;
    ret->at_us = s->now;
    return 1;
}

static uint64_t script_now(void *arg) { return ((struct script *)arg)->now; }
static bool script_stop(void *arg) { const struct script *s = arg; return s->stop_at && s->now >= s->stop_at; }

#define S1 IP(10, 0, 0, 2)
#define S2 IP(10, 0, 0, 3)
#define A1 IP(10, 0, 0, 100)
#define A2 IP(10, 0, 0, 200)
#define OFFER1 { DHCP_DISCOVER, DHCP_OFFER, A1, S1, 30000, false, false }
#define OFFER2 { DHCP_DISCOVER, DHCP_OFFER, A2, S2, 10000, false, false }
#define ACK1 { DHCP_REQUEST, DHCP_ACK, A1, S1, 5000, false, false }

static const struct exchange_case {
    const char *what;
    struct answer answers[4];
    uint32_t prefer, own, confirm; bool only_discover; uint64_t stop_at; int send_error;
    enum outcome outcome; size_t offers; const char *sent;          /* D, R and F(ree) in their order */
    uint32_t asked;                                                 /* of the REQUEST */
} cases[] = {
    { "a lease", { OFFER1, ACK1 }, 0, 0, 0, false, 0, 0, GOT_ACK, 1, "DRF", A1 },
    { "offers only", { OFFER1, OFFER2 }, 0, 0, 0, true, 0, 0, GOT_OFFERS, 2, "D", 0 },
    { "the server that is preferred, not the first", { OFFER2, OFFER1, ACK1 }, S1, 0, 0, false, 0, 0, GOT_ACK, 2, "DRF", A1 },
    { "the first where none is preferred", { OFFER1, OFFER2, { DHCP_REQUEST, DHCP_ACK, A2, S2, 5, false, false } }, 0, 0, 0, false, 0, 0, GOT_ACK, 2, "DRF", A2 },
    { "the same offer twice is one", { OFFER1, OFFER1, ACK1 }, 0, 0, 0, false, 0, 0, GOT_ACK, 1, "DRF", A1 },
    { "nobody", { { 0 } }, 0, 0, 0, false, 0, 0, GOT_NOTHING, 0, "DD", 0 },
    { "an offer after the window", { { DHCP_DISCOVER, DHCP_OFFER, A1, S1, 3000000, false, false } }, 0, 0, 0, false, 0, 0, GOT_NOTHING, 0, "DD", 0 },
    { "another client's offer", { { DHCP_DISCOVER, DHCP_OFFER, A1, S1, 10, true, false }, { DHCP_DISCOVER, DHCP_OFFER, A1, S1, 10, false, true } }, 0, 0, 0, false, 0, 0,
      GOT_NOTHING, 0, "DD", 0 },
    { "an offer without an address", { { DHCP_DISCOVER, DHCP_OFFER, 0, S1, 10, false, false } }, 0, 0, 0, false, 0, 0, GOT_OFFERS, 1, "D", 0 },
    { "a refusal", { OFFER1, { DHCP_REQUEST, DHCP_NAK, 0, S1, 10, false, false } }, 0, 0, 0, false, 0, 0, GOT_NAK, 1, "DR", A1 },
    { "another server's refusal does not count", { OFFER1, { DHCP_REQUEST, DHCP_NAK, 0, S2, 10, false, false }, ACK1 }, 0, 0, 0, false, 0, 0, GOT_ACK, 1, "DRF", A1 },
    { "no answer to the request: it may have been given", { OFFER1 }, 0, 0, 0, false, 0, 0, GOT_SILENCE, 1, "DRRF", A1 },
    { "this host's own address", { OFFER1, ACK1 }, 0, A1, 0, false, 0, 0, GOT_OWN, 1, "D", 0 },
    { "an address confirmed", { ACK1 }, 0, 0, A1, false, 0, 0, GOT_ACK, 0, "RF", A1 },
    { "its own confirmed is not given back", { ACK1 }, 0, A1, A1, false, 0, 0, GOT_ACK, 0, "R", A1 },
    { "an address refused", { { DHCP_REQUEST, DHCP_NAK, 0, S1, 10, false, false } }, 0, 0, A2, false, 0, 0, GOT_NAK, 0, "R", A2 },
    { "nobody confirms", { { 0 } }, 0, 0, A2, false, 0, 0, GOT_NOTHING, 0, "RR", A2 },
    { "stopped while it discovers", { OFFER1 }, 0, 0, 0, false, 500000, 0, GOT_OFFERS, 1, "D", 0 },
    { "stopped between request and answer", { OFFER1, { DHCP_REQUEST, DHCP_ACK, A1, S1, 900000, false, false } }, 0, 0, 0, false, 1200000, 0, GOT_SILENCE, 1, "DRF", A1 },
    { "the wire is broken", { OFFER1 }, 0, 0, 0, false, 0, -ENETDOWN, GOT_NOTHING, 0, "", 0 },
};

Test(exchange, each_way_it_can_go)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct exchange_case *c = &cases[i];
        static struct script s;
        static struct exchange x;
        struct wire wire = { &s, script_send, script_receive, script_now, script_stop };
        char sent[32] = "";

        s = (struct script){ .answers = c->answers, .count = 4, .now = 1000, .stop_at = c->stop_at, .send_error = c->send_error };
        x = (struct exchange){ .ask = { .xid = 7, .mac = { 2, 0, 0, 0, 0, 1 }, .broadcast = true }, .only_discover = c->only_discover, .confirm = c->confirm,
                               .prefer = { c->prefer }, .prefer_count = c->prefer != 0, .own = { c->own }, .own_count = c->own != 0, .window_us = 1000000,
                               .timeout_us = 2000000, .tries = 2 };
        exchange_run(&x, &wire);
        for (size_t k = 0; k < s.sent_count; k++) {
            strcat(sent, s.sent[k].type == DHCP_DISCOVER ? "D" : s.sent[k].type == DHCP_REQUEST ? "R" : "F");
            if (s.sent[k].type == DHCP_REQUEST)
                cr_expect_eq(s.sent[k].requested, c->asked, "%s: %08x", c->what, s.sent[k].requested);
            if (s.sent[k].type == DHCP_RELEASE) {
                cr_expect_eq(s.sent[k].ciaddr, c->asked, "%s", c->what);
                cr_expect_eq(s.sent_to[k], s.sent[k].server, "%s: a release goes to its server alone", c->what);
            }
        }
        cr_expect_eq(x.outcome, c->outcome, "%s: %d", c->what, (int)x.outcome);
        cr_expect_eq(x.offer_count, c->offers, "%s: %zu", c->what, x.offer_count);
        cr_expect_str_eq(sent, c->sent, "%s", c->what);
        cr_expect_eq(x.released, strchr(c->sent, 'F') != NULL, "%s", c->what);
        cr_expect_eq(x.error, c->send_error, "%s", c->what);
    }
}

Test(exchange, more_offers_than_are_kept)
{
    static struct script s;
    static struct exchange x;
    static struct answer many[40];
    struct wire wire = { &s, script_send, script_receive, script_now, script_stop };

    for (unsigned i = 0; i < 40; i++)
        many[i] = (struct answer){ DHCP_DISCOVER, DHCP_OFFER, A1 + i, S1 + i, 10 + i, false, false };
    s = (struct script){ .answers = many, .count = 40, .now = 1000 };
    x = (struct exchange){ .only_discover = true, .window_us = 1000000, .tries = 1 };
    exchange_run(&x, &wire);
    cr_expect_eq(x.offer_count, MAX_OFFERS);
    cr_expect(x.more_offers);
}

Test(exchange, durations_count_from_the_first_packet)
{
    static struct script s;
    static struct exchange x;
    static const struct answer answers[] = { { DHCP_DISCOVER, DHCP_OFFER, A1, S1, 40000, false, false }, { DHCP_REQUEST, DHCP_ACK, A1, S1, 7000, false, false } };
    struct wire wire = { &s, script_send, script_receive, script_now, script_stop };

    s = (struct script){ .answers = answers, .count = 2, .now = 1000 };
    x = (struct exchange){ .window_us = 1000000, .timeout_us = 1000000, .tries = 1 };
    exchange_run(&x, &wire);
    cr_expect_eq(x.discover_us, 40000);
    cr_expect_eq(x.offers[0].at_us, 40000);
    cr_expect_eq(x.request_us, 7000);
}
