/* exchange.c: the client's side of DHCP. */
#include "exchange.h"

#include <string.h>

uint32_t server_of(const struct heard *heard)
{
    uint32_t named = dhcp_u32(&heard->message, OPT_SERVER);

    return named ? named : heard->from;
}

static bool is_in(const uint32_t *list, size_t count, uint32_t address)
{
    for (size_t i = 0; i < count; i++) {
        if (list[i] == address)
            return true;
    }
    return false;
}

static bool is_ours(const struct exchange *x, const struct dhcp_message *m)
{
    return m->op == 2 && m->xid == x->ask.xid && memcmp(m->chaddr, x->ask.mac, sizeof(x->ask.mac)) == 0;
}

static bool send_it(struct exchange *x, const struct wire *wire, enum dhcp_type type, uint32_t to, const uint8_t *to_mac)
{
    x->ask.type = type;
    x->error = wire->send(wire->arg, &x->ask, to, to_mac);
    return x->error == 0;
}

/* ---- DISCOVER, and the offers of all servers until the window closes ---- */

static void keep_offer(struct exchange *x, const struct heard *heard, uint64_t since_us)
{
    for (size_t i = 0; i < x->offer_count; i++) {
        if (server_of(&x->offers[i]) == server_of(heard) && x->offers[i].message.yiaddr == heard->message.yiaddr)
            return;                          /* the same offer again, to the second try */
    }
    if (x->offer_count == MAX_OFFERS) {
        x->more_offers = true;
        return;
    }
    x->offers[x->offer_count] = *heard;
    x->offers[x->offer_count].at_us = heard->at_us - since_us;
    x->offer_count++;
}

static void discover(struct exchange *x, const struct wire *wire, struct heard *heard)
{
    uint64_t begin = wire->now_us(wire->arg);

    while (x->discovers < x->tries && !x->offer_count && !wire->stop(wire->arg)) {
        uint64_t sent = wire->now_us(wire->arg);
        int r;

        x->ask.secs = (uint16_t)((sent - begin) / 1000000);
        if (!send_it(x, wire, DHCP_DISCOVER, x->relay_server, NULL))
            return;
        x->discovers++;
        while ((r = wire->receive(wire->arg, sent + x->window_us, heard)) > 0) {
            if (is_ours(x, &heard->message) && heard->message.type == DHCP_OFFER)
                keep_offer(x, heard, sent);
        }
        if (r < 0) {
            x->error = r;
            return;
        }
        if (x->offer_count)
            x->discover_us = sent - begin + x->offers[0].at_us;
    }
    x->outcome = x->offer_count ? GOT_OFFERS : GOT_NOTHING;
}

/* The best offer: of a server that is preferred, else the first that came; one without an address is none. */
static bool choose(struct exchange *x)
{
    for (size_t p = 0; p < x->prefer_count; p++) {
        for (size_t i = 0; i < x->offer_count; i++) {
            if (server_of(&x->offers[i]) == x->prefer[p] && x->offers[i].message.yiaddr) {
                x->taken = i;
                return true;
            }
        }
    }
    for (size_t i = 0; i < x->offer_count; i++) {
        if (x->offers[i].message.yiaddr) {
            x->taken = i;
            return true;
        }
    }
    return false;
}

/* ---- REQUEST, and the answer of the server that was chosen (of any, where none was) ---- */

static bool answers_request(const struct exchange *x, const struct heard *heard)
{
    const struct dhcp_message *m = &heard->message;

    return is_ours(x, m) && (m->type == DHCP_ACK || m->type == DHCP_NAK) && (!x->ask.server || server_of(heard) == x->ask.server);
}

static void request(struct exchange *x, const struct wire *wire, struct heard *heard)
{
    uint64_t begin = wire->now_us(wire->arg), each_us = x->timeout_us / x->tries;

    x->outcome = x->offer_count ? GOT_SILENCE : GOT_NOTHING;
    while (x->requests < x->tries && !wire->stop(wire->arg)) {
        uint64_t sent = wire->now_us(wire->arg);
        int r;

        x->ask.secs = (uint16_t)((sent - begin) / 1000000);
        if (!send_it(x, wire, DHCP_REQUEST, x->relay_server, NULL))
            return;
        x->requests++;
        while ((r = wire->receive(wire->arg, sent + each_us, heard)) > 0) {
            if (!answers_request(x, heard))
                continue;
            x->answer = *heard;
            x->answer.at_us = heard->at_us - sent;
            x->request_us = heard->at_us - begin;
            x->outcome = heard->message.type == DHCP_ACK ? GOT_ACK : GOT_NAK;
            return;
        }
        if (r < 0) {
            x->error = r;
            return;
        }
    }
}

/* Nobody answers a RELEASE. It goes to the server alone, from the address that it gives back. */
static void give_back(struct exchange *x, const struct wire *wire, const struct heard *answer)
{
    int error = x->error;

    x->ask.ciaddr = answer->message.yiaddr;
    x->ask.server = server_of(answer);
    x->ask.requested = 0;
    x->ask.secs = 0;
    x->ask.broadcast = false;
    x->released = send_it(x, wire, DHCP_RELEASE, x->relay_server ? x->relay_server : x->ask.server, answer->has_mac ? answer->from_mac : NULL);
    x->error = error;
}

void exchange_run(struct exchange *x, const struct wire *wire)
{
    struct heard heard;

    if (x->confirm) {
        x->ask.requested = x->confirm;
    } else {
        discover(x, wire, &heard);
        if (x->error || x->only_discover || x->outcome != GOT_OFFERS || wire->stop(wire->arg) || !choose(x))
            return;
        x->ask.requested = x->offers[x->taken].message.yiaddr;
        x->ask.server = server_of(&x->offers[x->taken]);
        if (is_in(x->own, x->own_count, x->ask.requested)) {
            x->outcome = GOT_OWN;
            return;
        }
    }
    request(x, wire, &heard);
    if (x->outcome == GOT_ACK && x->answer.message.yiaddr && !is_in(x->own, x->own_count, x->answer.message.yiaddr))
        give_back(x, wire, &x->answer);
    else if (x->outcome == GOT_SILENCE && x->requests)
        give_back(x, wire, &x->offers[x->taken]);        /* its ACK may have been lost, or we were told to stop before it came */
}
