/* mschap.c: MS-CHAPv2, RFC 2759: MD4, DES and SHA-1 as they were in 1998; the names of the steps are the RFC's. */
#include <stdio.h>
#include <string.h>
#include <nettle/des.h>
#include <nettle/md4.h>
#include <nettle/sha1.h>
#include "radius.h"

/* The next character of a UTF-8 text; -1: none such. */
static long next_char(const uint8_t **at)
{
    const uint8_t *p = *at;
    unsigned more = *p < 0x80 ? 0 : (*p & 0xe0) == 0xc0 ? 1 : (*p & 0xf0) == 0xe0 ? 2 : (*p & 0xf8) == 0xf0 ? 3 : 9;
    static const uint8_t mask[] = { 0x7f, 0x1f, 0x0f, 0x07 };
    long c;

    if (more == 9)
        return -1;
    c = *p & mask[more];
    for (unsigned i = 0; i < more; i++) {
        if ((*++p & 0xc0) != 0x80)
            return -1;
        c = c << 6 | (*p & 0x3f);
    }
    *at = p + 1;
    return c;
}

static size_t put_utf16(uint8_t *to, long c)
{
    if (c >= 0x10000) {
        size_t n = put_utf16(to, 0xd800 + ((c - 0x10000) >> 10));

        return n + put_utf16(to + n, 0xdc00 + ((c - 0x10000) & 0x3ff));
    }
    to[0] = (uint8_t)c;
    to[1] = (uint8_t)(c >> 8);
    return 2;
}

bool rad_nt_hash(const char *password, uint8_t ret[16])
{
    const uint8_t *at = (const uint8_t *)password;
    uint8_t utf16[4 * 256 + 4];
    size_t len = 0;
    struct md4_ctx md4;

    while (*at) {
        long c = next_char(&at);

        if (c < 0 || len >= sizeof(utf16) - 4)
            return false;
        len += put_utf16(utf16 + len, c);
    }
    md4_init(&md4);
    md4_update(&md4, len, utf16);
    md4_digest(&md4, 16, ret);
    return true;
}

/* RFC 2759 §8.6: seven octets are the key, the parity bits are nobody's business. */
static void des_encrypt_7(const uint8_t key[7], const uint8_t clear[8], uint8_t ret[8])
{
    uint8_t wide[8];
    struct des_ctx des;

    for (int i = 0; i < 8; i++) {
        unsigned high = i ? (unsigned)key[i - 1] << 8 : 0, low = i < 7 ? key[i] : 0;

        wide[i] = (uint8_t)((high | low) >> i);
    }
    des_fix_parity(8, wide, wide);
    des_set_key(&des, wide);            /* it also says which keys are weak; here they are what they are */
    des_encrypt(&des, 8, ret, clear);
}

static void challenge_hash(const uint8_t peer[16], const uint8_t server[16], const char *user, uint8_t ret[8])
{
    const char *name = strrchr(user, '\\') ? strrchr(user, '\\') + 1 : user;      /* without the domain, §8.2 */
    uint8_t digest[SHA1_DIGEST_SIZE];
    struct sha1_ctx sha1;

    sha1_init(&sha1);
    sha1_update(&sha1, 16, peer);
    sha1_update(&sha1, 16, server);
    sha1_update(&sha1, strlen(name), (const uint8_t *)name);
    sha1_digest(&sha1, sizeof(digest), digest);
    memcpy(ret, digest, 8);
}

void rad_mschap2(const uint8_t server[16], const uint8_t peer[16], const char *user, const uint8_t nt_hash[16], uint8_t ret[24])
{
    uint8_t challenge[8], keys[21] = { 0 };

    challenge_hash(peer, server, user, challenge);
    memcpy(keys, nt_hash, 16);
    for (int i = 0; i < 3; i++)
        des_encrypt_7(keys + 7 * i, challenge, ret + 8 * i);
}

void rad_mschap2_success(const uint8_t server[16], const uint8_t peer[16], const char *user, const uint8_t nt_hash[16], const uint8_t response[24],
                         char ret[MSCHAP_SUCCESS_LEN + 1])
{
    static const char magic1[] = "Magic server to client signing constant", magic2[] = "Pad to make it do more than one iteration";
    uint8_t hash_hash[16], challenge[8], digest[SHA1_DIGEST_SIZE];
    struct md4_ctx md4;
    struct sha1_ctx sha1;

    md4_init(&md4);
    md4_update(&md4, 16, nt_hash);
    md4_digest(&md4, 16, hash_hash);
    sha1_init(&sha1);
    sha1_update(&sha1, 16, hash_hash);
    sha1_update(&sha1, 24, response);
    sha1_update(&sha1, sizeof(magic1) - 1, (const uint8_t *)magic1);
    sha1_digest(&sha1, sizeof(digest), digest);
    challenge_hash(peer, server, user, challenge);
    sha1_init(&sha1);
    sha1_update(&sha1, sizeof(digest), digest);
    sha1_update(&sha1, sizeof(challenge), challenge);
    sha1_update(&sha1, sizeof(magic2) - 1, (const uint8_t *)magic2);
    sha1_digest(&sha1, sizeof(digest), digest);
    memcpy(ret, "S=", 3);
    for (size_t i = 0; i < sizeof(digest); i++)
        snprintf(ret + 2 + 2 * i, 3, "%02X", digest[i]);
}

const char *rad_mschap_error(long code)
{
    switch (code) {
    case 646: return "the user may not log in at this hour";
    case 647: return "the account is disabled";
    case 648: return "the password has expired";
    case 649: return "the user has no permission to log in";
    case 691: return "wrong user name or password";
    case 709: return "the password could not be changed";
    default: return NULL;
    }
}
