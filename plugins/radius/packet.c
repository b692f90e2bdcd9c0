/* packet.c: RADIUS on the wire: headers, attributes, and the four ways of proving who sent them. No host here: tests and the fuzzer use it alone. */
#include <string.h>
#include <sys/random.h>
#include <nettle/hmac.h>
#include <nettle/md5.h>
#include <nettle/memops.h>
#include "radius.h"

static const struct { unsigned code; const char *name; } code_names[] = {
    { 1, "Access-Request" }, { 2, "Access-Accept" }, { 3, "Access-Reject" }, { 4, "Accounting-Request" }, { 5, "Accounting-Response" },
    { 11, "Access-Challenge" }, { 12, "Status-Server" }, { 40, "Disconnect-Request" }, { 41, "Disconnect-ACK" }, { 42, "Disconnect-NAK" },
    { 43, "CoA-Request" }, { 44, "CoA-ACK" }, { 45, "CoA-NAK" },
};

const char *rad_code_name(unsigned code)
{
    for (size_t i = 0; i < ARRAY_LEN(code_names); i++)
        if (code_names[i].code == code)
            return code_names[i].name;
    return "unknown packet";
}

bool rad_random(void *ret, size_t len)
{
    uint8_t *to = ret;

    while (len) {
        ssize_t n = getrandom(to, len, 0);

        if (n <= 0)
            return false;
        to += n;
        len -= (size_t)n;
    }
    return true;
}

/* ---- building */

static void set_length(struct rad_packet *packet)
{
    packet->bytes[2] = (uint8_t)(packet->len >> 8);
    packet->bytes[3] = (uint8_t)packet->len;
}

bool rad_begin(struct rad_packet *packet, enum rad_code code)
{
    static const uint8_t zero[RAD_AUTH];

    packet->len = RAD_HEADER;
    packet->overflow = false;
    packet->bytes[0] = (uint8_t)code;
    if (!rad_random(packet->bytes + 1, 1) || !rad_random(packet->bytes + 4, RAD_AUTH))
        return false;
    rad_add(packet, RAD_A_MESSAGE_AUTHENTICATOR, zero, sizeof(zero));
    return true;
}

void rad_add(struct rad_packet *packet, unsigned type, const void *value, size_t len)
{
    if (len > RAD_ATTR_MAX || packet->len + 2 + len > RAD_MAX) {
        packet->overflow = true;
        return;
    }
    packet->bytes[packet->len] = (uint8_t)type;
    packet->bytes[packet->len + 1] = (uint8_t)(len + 2);
    if (len)
        memcpy(packet->bytes + packet->len + 2, value, len);
    packet->len += len + 2;
    set_length(packet);
}

void rad_add_text(struct rad_packet *packet, unsigned type, const char *text)
{
    rad_add(packet, type, text, strlen(text));
}

static void put_u32(uint8_t *to, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> (24 - 8 * i));
}

void rad_add_u32(struct rad_packet *packet, unsigned type, uint32_t value)
{
    uint8_t bytes[4];

    put_u32(bytes, value);
    rad_add(packet, type, bytes, sizeof(bytes));
}

void rad_add_vendor(struct rad_packet *packet, uint32_t vendor, unsigned type, const void *value, size_t len)
{
    uint8_t bytes[RAD_ATTR_MAX];

    if (len + 6 > sizeof(bytes)) {
        packet->overflow = true;
        return;
    }
    put_u32(bytes, vendor);
    bytes[4] = (uint8_t)type;
    bytes[5] = (uint8_t)(len + 2);
    if (len)
        memcpy(bytes + 6, value, len);
    rad_add(packet, RAD_A_VENDOR, bytes, len + 6);
}

/* ---- hiding */

static void md5_of(const char *secret, const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len, uint8_t ret[16])
{
    struct md5_ctx md5;

    md5_init(&md5);
    md5_update(&md5, strlen(secret), (const uint8_t *)secret);
    md5_update(&md5, a_len, a);
    if (b_len)
        md5_update(&md5, b_len, b);
    md5_digest(&md5, 16, ret);
}

bool rad_add_password(struct rad_packet *packet, const char *password, const char *secret)
{
    uint8_t hidden[128] = { 0 }, pad[16];
    size_t len = strlen(password), padded = len ? (len + 15) / 16 * 16 : 16;

    if (len > sizeof(hidden))
        return false;
    memcpy(hidden, password, len);
    for (size_t at = 0; at < padded; at += 16) {
        md5_of(secret, at ? hidden + at - 16 : packet->bytes + 4, 16, NULL, 0, pad);
        memxor(hidden + at, pad, 16);
    }
    rad_add(packet, RAD_A_USER_PASSWORD, hidden, padded);
    return true;
}

void rad_salt_crypt(uint8_t *value, size_t len, const uint8_t salt[2], const uint8_t auth[RAD_AUTH], const char *secret, bool decrypt)
{
    uint8_t pad[16], before[16];

    for (size_t at = 0; at + 16 <= len; at += 16) {
        if (at)
            md5_of(secret, before, 16, NULL, 0, pad);
        else
            md5_of(secret, auth, RAD_AUTH, salt, 2, pad);
        if (decrypt)
            memcpy(before, value + at, 16);
        memxor(value + at, pad, 16);
        if (!decrypt)
            memcpy(before, value + at, 16);
    }
}

void rad_chap(uint8_t ret[17], uint8_t id, const char *password, const uint8_t challenge[16])
{
    struct md5_ctx md5;

    ret[0] = id;
    md5_init(&md5);
    md5_update(&md5, 1, &id);
    md5_update(&md5, strlen(password), (const uint8_t *)password);
    md5_update(&md5, 16, challenge);
    md5_digest(&md5, 16, ret + 1);
}

/* ---- reading */

bool rad_read(struct rad_packet *ret, const void *bytes, size_t len)
{
    const uint8_t *from = bytes;
    size_t says;

    if (len < RAD_HEADER)
        return false;
    says = (size_t)from[2] << 8 | from[3];
    if (says < RAD_HEADER || says > RAD_MAX || says > len)
        return false;
    for (size_t at = RAD_HEADER; at < says; at += from[at + 1])
        if (says - at < 2 || from[at + 1] < 2 || from[at + 1] > says - at)
            return false;
    memcpy(ret->bytes, from, says);
    ret->len = says;
    ret->overflow = false;
    return true;
}

/* Whether the vendor's part is a list of type, length, value as nearly all make it; else it is given whole. */
static bool is_list(const uint8_t *value, size_t len)
{
    size_t at = 0;

    while (at < len) {
        if (len - at < 2 || value[at + 1] < 2 || value[at + 1] > len - at)
            return false;
        at += value[at + 1];
    }
    return len > 0;
}

bool rad_next(const struct rad_packet *packet, struct rad_place *at, struct rad_attr *ret)
{
    const uint8_t *b = packet->bytes;
    size_t pos = at->at ? at->at : RAD_HEADER;

    if (pos >= packet->len)
        return false;
    if (pos >= at->sub_end) {
        at->vendor = 0;
        *ret = (struct rad_attr){ 0, b[pos], b + pos + 2, (size_t)b[pos + 1] - 2 };
        if (ret->type == RAD_A_VENDOR && ret->len > 4 && is_list(ret->value + 4, ret->len - 4)) {
            at->vendor = (uint32_t)ret->value[0] << 24 | (uint32_t)ret->value[1] << 16 | (uint32_t)ret->value[2] << 8 | ret->value[3];
            if (at->vendor) {                    /* 0 is nobody: it must not pass for a standard attribute */
                at->sub_end = pos + b[pos + 1];
                pos += 6;
            }
        }
    }
    if (pos < at->sub_end)
        *ret = (struct rad_attr){ at->vendor, b[pos], b + pos + 2, (size_t)b[pos + 1] - 2 };
    at->at = pos + b[pos + 1];
    return true;
}

bool rad_find(const struct rad_packet *packet, uint32_t vendor, unsigned type, struct rad_attr *ret)
{
    struct rad_place at = { 0 };

    while (rad_next(packet, &at, ret))
        if (ret->vendor == vendor && ret->type == type)
            return true;
    return false;
}

/* ---- signing and verifying: the table of RFC 2865 §3, 2866 §3, 3579 §3.2, 5176 §2.3 and 3.3, 5997 §3 */

static bool is_random_auth(unsigned code)
{
    return code == RAD_ACCESS_REQUEST || code == RAD_STATUS_SERVER;
}

/* Offset of the Message-Authenticator's 16 octets; 0: there is none, RAD_MAX: there are several, or one of another length. */
static size_t ma_at(const struct rad_packet *packet)
{
    struct rad_place at = { 0 };
    struct rad_attr attr;
    size_t found = 0;

    while (rad_next(packet, &at, &attr)) {
        if (attr.vendor || attr.type != RAD_A_MESSAGE_AUTHENTICATOR)
            continue;
        if (found || attr.len != 16)
            return RAD_MAX;
        found = (size_t)(attr.value - packet->bytes);
    }
    return found;
}

static void hmac_of(const struct rad_packet *packet, size_t ma, const uint8_t auth[RAD_AUTH], const char *secret, uint8_t ret[16])
{
    static const uint8_t zero[16];
    struct hmac_md5_ctx hmac;

    hmac_md5_set_key(&hmac, strlen(secret), (const uint8_t *)secret);
    hmac_md5_update(&hmac, 4, packet->bytes);
    hmac_md5_update(&hmac, RAD_AUTH, auth);
    hmac_md5_update(&hmac, ma - RAD_HEADER, packet->bytes + RAD_HEADER);
    hmac_md5_update(&hmac, 16, zero);
    hmac_md5_update(&hmac, packet->len - ma - 16, packet->bytes + ma + 16);
    hmac_md5_digest(&hmac, 16, ret);
}

static void digest_of(const struct rad_packet *packet, const uint8_t auth[RAD_AUTH], const char *secret, uint8_t ret[16])
{
    struct md5_ctx md5;

    md5_init(&md5);
    md5_update(&md5, 4, packet->bytes);
    md5_update(&md5, RAD_AUTH, auth);
    md5_update(&md5, packet->len - RAD_HEADER, packet->bytes + RAD_HEADER);
    md5_update(&md5, strlen(secret), (const uint8_t *)secret);
    md5_digest(&md5, 16, ret);
}

static void sign_over(struct rad_packet *packet, const uint8_t auth[RAD_AUTH], const char *secret)
{
    size_t ma = ma_at(packet);

    if (ma && ma < RAD_MAX)
        hmac_of(packet, ma, auth, secret, packet->bytes + ma);
}

void rad_sign(struct rad_packet *request, const char *secret)
{
    static const uint8_t zero[RAD_AUTH];
    uint8_t digest[RAD_AUTH];

    if (is_random_auth(request->bytes[0])) {
        sign_over(request, request->bytes + 4, secret);
        return;
    }
    sign_over(request, zero, secret);
    digest_of(request, zero, secret, digest);
    memcpy(request->bytes + 4, digest, RAD_AUTH);
}

void rad_sign_answer(struct rad_packet *answer, const uint8_t request_auth[RAD_AUTH], const char *secret)
{
    uint8_t digest[RAD_AUTH];

    sign_over(answer, request_auth, secret);
    digest_of(answer, request_auth, secret, digest);
    memcpy(answer->bytes + 4, digest, RAD_AUTH);
}

static bool answers(unsigned request, unsigned answer)
{
    switch (request) {
    case RAD_ACCESS_REQUEST: return answer == RAD_ACCESS_ACCEPT || answer == RAD_ACCESS_REJECT || answer == RAD_ACCESS_CHALLENGE;
    case RAD_STATUS_SERVER: return answer == RAD_ACCESS_ACCEPT || answer == RAD_ACCOUNTING_RESPONSE || answer == RAD_COA_ACK;
    case RAD_ACCOUNTING_REQUEST: return answer == RAD_ACCOUNTING_RESPONSE;
    case RAD_COA_REQUEST: case RAD_DISCONNECT_REQUEST: return answer == request + 1 || answer == request + 2;
    default: return false;
    }
}

static bool ma_holds(const struct rad_packet *packet, size_t ma, const uint8_t auth[RAD_AUTH], const char *secret)
{
    uint8_t wanted[16];

    if (ma == RAD_MAX)
        return false;
    hmac_of(packet, ma, auth, secret, wanted);
    return memeql_sec(wanted, packet->bytes + ma, 16);
}

enum rad_verdict rad_verify_answer(const struct rad_packet *answer, const struct rad_packet *request, const char *secret, bool need_ma)
{
    const uint8_t *auth = request->bytes + 4;
    size_t ma = ma_at(answer);
    uint8_t digest[RAD_AUTH];

    if (answer->bytes[1] != request->bytes[1] || !answers(request->bytes[0], answer->bytes[0]))
        return RAD_STRANGER;
    digest_of(answer, auth, secret, digest);
    if (!memeql_sec(digest, answer->bytes + 4, RAD_AUTH) || (ma && !ma_holds(answer, ma, auth, secret)))
        return RAD_FORGED;
    return ma || !need_ma ? RAD_GENUINE : RAD_UNSIGNED;
}

bool rad_verify_request(const struct rad_packet *request, const char *secret)
{
    static const uint8_t zero[RAD_AUTH];
    size_t ma = ma_at(request);
    uint8_t digest[RAD_AUTH];

    if (is_random_auth(request->bytes[0]))
        return ma && ma_holds(request, ma, request->bytes + 4, secret);
    digest_of(request, zero, secret, digest);
    return memeql_sec(digest, request->bytes + 4, RAD_AUTH) && (!ma || ma_holds(request, ma, zero, secret));
}
