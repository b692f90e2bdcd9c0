/* packet.c: DHCPv4 messages as bytes. */
#include "packet.h"

#include <string.h>

static const uint8_t magic[] = { 99, 130, 83, 99 };

enum { AT_SNAME = 44, SNAME = 64, AT_FILE = 108, FILE_NAME = 128, AT_MAGIC = 236 };

static uint16_t get16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }
static uint32_t get32(const uint8_t *p) { return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]; }

static void put16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
    put16(p, v >> 16);
    put16(p + 2, v & 0xffff);
}

/* ---- Reading ---- */

struct area { const uint8_t *bytes; size_t len; };

/* The next option at *at; false at the end. Sets *bad where it runs over the area. */
static bool next_option(const struct area *area, size_t *at, unsigned *ret_code, struct area *ret, bool *bad)
{
    while (*at < area->len && area->bytes[*at] == 0)
        ++*at;
    if (*at >= area->len || area->bytes[*at] == OPT_END)
        return false;
    if (*at + 2 > area->len || *at + 2 + area->bytes[*at + 1] > area->len) {
        *bad = true;
        return false;
    }
    *ret_code = area->bytes[*at];
    *ret = (struct area){ area->bytes + *at + 2, area->bytes[*at + 1] };
    *at += 2 + ret->len;
    return true;
}

/* Options may come in several parts, over several areas: first their lengths, then a place for each, then the bytes. */
static void read_options(const struct area *areas, size_t count, struct dhcp_message *m)
{
    uint16_t filled[256] = { 0 };
    unsigned code;
    struct area part;
    size_t total = 0;

    for (size_t a = 0; a < count; a++) {
        for (size_t at = 0; next_option(&areas[a], &at, &code, &part, &m->malformed);) {
            m->len[code] = (uint16_t)(m->len[code] + part.len);
            m->there[code] = true;
        }
    }
    for (unsigned c = 0; c < 256; c++) {
        m->at[c] = (uint16_t)total;
        total += m->len[c];
    }
    for (size_t a = 0; a < count; a++) {
        for (size_t at = 0; next_option(&areas[a], &at, &code, &part, &m->malformed);) {
            memcpy(m->data + m->at[code] + filled[code], part.bytes, part.len);
            filled[code] = (uint16_t)(filled[code] + part.len);
        }
    }
}

/* Do the fields for the server's name and the boot file hold options? Only the first place for options may say so. */
static unsigned overload_of(const struct area *area)
{
    unsigned code;
    struct area part;
    bool bad = false;

    for (size_t at = 0; next_option(area, &at, &code, &part, &bad);) {
        if (code == OPT_OVERLOAD && part.len == 1)
            return part.bytes[0];
    }
    return 0;
}

bool dhcp_parse(const uint8_t *bytes, size_t len, struct dhcp_message *ret)
{
    struct area areas[3];
    size_t count = 0;
    unsigned overload;

    if (len < DHCP_MIN || len > DHCP_MAX || memcmp(bytes + AT_MAGIC, magic, sizeof(magic)) != 0)
        return false;
    memset(ret, 0, sizeof(*ret));
    ret->op = bytes[0];
    ret->htype = bytes[1];
    ret->hlen = bytes[2];
    ret->hops = bytes[3];
    ret->xid = get32(bytes + 4);
    ret->secs = get16(bytes + 8);
    ret->flags = get16(bytes + 10);
    ret->ciaddr = get32(bytes + 12);
    ret->yiaddr = get32(bytes + 16);
    ret->siaddr = get32(bytes + 20);
    ret->giaddr = get32(bytes + 24);
    memcpy(ret->chaddr, bytes + 28, sizeof(ret->chaddr));
    areas[count++] = (struct area){ bytes + DHCP_MIN, len - DHCP_MIN };
    overload = overload_of(&areas[0]);
    if (overload & 1)
        areas[count++] = (struct area){ bytes + AT_FILE, FILE_NAME };
    if (overload & 2)
        areas[count++] = (struct area){ bytes + AT_SNAME, SNAME };
    read_options(areas, count, ret);
    if (ret->there[OPT_TYPE] && ret->len[OPT_TYPE] == 1)
        ret->type = ret->data[ret->at[OPT_TYPE]];
    return true;
}

const uint8_t *dhcp_option(const struct dhcp_message *m, unsigned code, size_t *ret_len)
{
    if (code > 255 || !m->there[code])
        return NULL;
    *ret_len = m->len[code];
    return m->data + m->at[code];
}

uint32_t dhcp_u32(const struct dhcp_message *m, unsigned code)
{
    size_t len;
    const uint8_t *p = dhcp_option(m, code, &len);

    return p && len == 4 ? get32(p) : 0;
}

size_t dhcp_addresses(const struct dhcp_message *m, unsigned code, uint32_t *ret, size_t max)
{
    size_t len = 0, n = 0;
    const uint8_t *p = dhcp_option(m, code, &len);

    for (; p && n < max && (n + 1) * 4 <= len; n++)
        ret[n] = get32(p + n * 4);
    return n;
}

bool dhcp_text(const struct dhcp_message *m, unsigned code, char *ret, size_t size)
{
    size_t len = 0, n = 0;
    const uint8_t *p = dhcp_option(m, code, &len);

    for (; p && n < len && n + 1 < size && p[n]; n++)
        ret[n] = p[n] >= 0x20 && p[n] < 0x7f ? (char)p[n] : '?';
    ret[n] = '\0';
    return n > 0;
}

int dhcp_prefix(uint32_t mask)
{
    int bits = 0;

    while (mask & 0x80000000u) {
        mask <<= 1;
        bits++;
    }
    return mask ? -1 : bits;
}

/* ---- Building ---- */

struct out { uint8_t *bytes; size_t len, size; bool full; };

static void add_option(struct out *out, unsigned code, const void *value, size_t len)
{
    if (len == 0)
        return;
    if (len > 255 || out->len + 2 + len + 1 > out->size) {
        out->full = true;
        return;
    }
    out->bytes[out->len++] = (uint8_t)code;
    out->bytes[out->len++] = (uint8_t)len;
    memcpy(out->bytes + out->len, value, len);
    out->len += len;
}

static void add_u32(struct out *out, unsigned code, uint32_t value)
{
    uint8_t bytes[4];

    put32(bytes, value);
    add_option(out, code, bytes, value ? sizeof(bytes) : 0);
}

static void add_options(struct out *out, const struct dhcp_ask *ask)
{
    uint8_t type = (uint8_t)ask->type, by_mac[7] = { 1 }, room[2];

    memcpy(by_mac + 1, ask->mac, sizeof(ask->mac));
    put16(room, DHCP_ASK_MAX);
    add_option(out, OPT_TYPE, &type, 1);
    add_option(out, OPT_CLIENT, ask->client_id_len ? ask->client_id : by_mac, ask->client_id_len ? ask->client_id_len : sizeof(by_mac));
    add_u32(out, OPT_REQUESTED, ask->requested);
    add_u32(out, OPT_SERVER, ask->server);
    if (ask->type == DHCP_RELEASE)
        return;
    add_option(out, OPT_MAX_SIZE, room, sizeof(room));
    add_option(out, OPT_HOSTNAME, ask->hostname, strnlen(ask->hostname, sizeof(ask->hostname)));
    add_option(out, OPT_VENDOR, ask->vendor, strnlen(ask->vendor, sizeof(ask->vendor)));
    add_option(out, OPT_LIST, ask->wanted, ask->wanted_len);
}

size_t dhcp_build(const struct dhcp_ask *ask, uint8_t *out, size_t size)
{
    struct out options = { .bytes = out, .len = DHCP_MIN, .size = size };

    if (size < 300)
        return 0;
    memset(out, 0, size);
    out[0] = 1;                              /* a request, over Ethernet */
    out[1] = 1;
    out[2] = sizeof(ask->mac);
    out[3] = ask->giaddr ? 1 : 0;
    put32(out + 4, ask->xid);
    put16(out + 8, ask->secs);
    put16(out + 10, ask->broadcast ? 0x8000 : 0);
    put32(out + 12, ask->ciaddr);
    put32(out + 24, ask->giaddr);
    memcpy(out + 28, ask->mac, sizeof(ask->mac));
    memcpy(out + AT_MAGIC, magic, sizeof(magic));
    add_options(&options, ask);
    if (options.full)
        return 0;
    out[options.len++] = OPT_END;
    return options.len < 300 ? 300 : options.len;
}

/* ---- IP and UDP ---- */

enum { IP_LEN = 20, UDP_LEN = 8, UDP = 17 };

static uint32_t sum16(const uint8_t *p, size_t len, uint32_t sum)
{
    for (size_t i = 0; i + 1 < len; i += 2)
        sum += get16(p + i);
    if (len % 2)
        sum += (uint32_t)p[len - 1] << 8;
    return sum;
}

static unsigned folded(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return ~sum & 0xffff;
}

size_t udp_build(const struct udp_packet *packet, uint8_t *out, size_t size)
{
    size_t udp_len = UDP_LEN + packet->len, total = IP_LEN + udp_len;
    uint8_t *udp = out + IP_LEN;
    unsigned checksum;

    if (total > size || total > 65535)
        return 0;
    memset(out, 0, IP_LEN + UDP_LEN);
    out[0] = 0x45;
    out[1] = 0x10;                           /* as dhclient does: low delay */
    put16(out + 2, (unsigned)total);
    out[8] = 64;
    out[9] = UDP;
    put32(out + 12, packet->from);
    put32(out + 16, packet->to);
    put16(out + 10, folded(sum16(out, IP_LEN, 0)));
    put16(udp, packet->from_port);
    put16(udp + 2, packet->to_port);
    put16(udp + 4, (unsigned)udp_len);
    memcpy(udp + UDP_LEN, packet->bytes, packet->len);
    checksum = folded(sum16(udp, udp_len, sum16(out + 12, 8, UDP + (uint32_t)udp_len)));
    put16(udp + 6, checksum ? checksum : 0xffff);
    return total;
}

bool udp_parse(const uint8_t *bytes, size_t len, struct udp_packet *ret)
{
    size_t header, total, udp_len;

    if (len < IP_LEN || bytes[0] >> 4 != 4)
        return false;
    header = (size_t)(bytes[0] & 15) * 4;
    total = get16(bytes + 2);
    if (header < IP_LEN || total > len || total < header + UDP_LEN || bytes[9] != UDP || (get16(bytes + 6) & 0x3fff))
        return false;
    udp_len = get16(bytes + header + 4);
    if (udp_len < UDP_LEN || header + udp_len > total)
        return false;
    *ret = (struct udp_packet){ .from = get32(bytes + 12), .to = get32(bytes + 16), .from_port = get16(bytes + header),
                                .to_port = get16(bytes + header + 2), .bytes = bytes + header + UDP_LEN, .len = udp_len - UDP_LEN };
    return true;
}
