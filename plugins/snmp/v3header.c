/* v3header.c: engine id and user of an SNMPv3 message (RFC 3412, RFC 3414).
 *
 * A sender of traps is its own authority, and its user's keys depend on its engine id. So that nobody needs to write down the engine ids of all devices, the
 * keys are made when a message names an engine; the message is then checked by the library like any other. */
#include <string.h>
#include "v3header.h"

struct ber { const uint8_t *at; size_t left; };

enum { BER_INTEGER = 0x02, BER_OCTETS = 0x04, BER_SEQUENCE = 0x30, USM = 3 };

/* The next element, which must be of the type; *in is moved behind it. */
static bool take(struct ber *in, uint8_t type, struct ber *ret)
{
    size_t len, head = 2;

    if (in->left < 2 || in->at[0] != type)
        return false;
    len = in->at[1];
    if (len & 0x80) {
        size_t count = len & 0x7f;

        if (count == 0 || count > 2 || in->left < 2 + count)
            return false;
        len = count == 1 ? in->at[2] : (size_t)in->at[2] << 8 | in->at[3];
        head += count;
    }
    if (len > in->left - head)
        return false;
    *ret = (struct ber){ in->at + head, len };
    in->at += head + len;
    in->left -= head + len;
    return true;
}

static bool take_small(struct ber *in, unsigned *ret)
{
    struct ber number;

    if (!take(in, BER_INTEGER, &number) || number.left == 0 || number.left > 5)
        return false;
    *ret = number.at[number.left - 1];
    for (size_t i = 0; i + 1 < number.left; i++) {
        if (number.at[i])
            *ret = 256;                          /* more than any value that is looked for */
    }
    return true;
}

bool v3_header_read(const uint8_t *bytes, size_t len, struct v3_header *ret)
{
    struct ber in = { bytes, len }, message, global, flags, security, params, engine, user;
    unsigned version, id, size, model, boots, time;

    memset(ret, 0, sizeof(*ret));
    if (!take(&in, BER_SEQUENCE, &message) || !take_small(&message, &version) || version != 3)
        return false;
    if (!take(&message, BER_SEQUENCE, &global) || !take_small(&global, &id) || !take_small(&global, &size) || !take(&global, BER_OCTETS, &flags))
        return false;
    if (!take_small(&global, &model) || model != USM || !take(&message, BER_OCTETS, &security) || !take(&security, BER_SEQUENCE, &params))
        return false;
    if (!take(&params, BER_OCTETS, &engine) || !take_small(&params, &boots) || !take_small(&params, &time) || !take(&params, BER_OCTETS, &user))
        return false;
    if (engine.left > V3_MAX_ENGINE || user.left > V3_MAX_USER || memchr(user.at, 0, user.left))
        return false;
    memcpy(ret->engine, engine.at, engine.left);
    ret->engine_len = engine.left;
    memcpy(ret->user, user.at, user.left);
    return true;
}
