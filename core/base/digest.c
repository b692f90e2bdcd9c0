#include "base/digest.h"
#include <sodium.h>
#include <stdlib.h>

void ft_sha256_hex(const void *bytes, size_t len, char ret[FT_DIGEST_HEX])
{
    unsigned char digest[crypto_hash_sha256_BYTES];

    crypto_hash_sha256(digest, len ? bytes : (const void *)"", len);
    sodium_bin2hex(ret, FT_DIGEST_HEX, digest, sizeof(digest));
}

void ft_random_hex(size_t n, char *ret)
{
    unsigned char bytes[32];
    char hex[2 * sizeof(bytes) + 1];

    if (n > 2 * sizeof(bytes))
        abort();
    arc4random_buf(bytes, sizeof(bytes));
    sodium_bin2hex(hex, sizeof(hex), bytes, sizeof(bytes));
    for (size_t i = 0; i < n; i++)
        ret[i] = hex[i];
    ret[n] = '\0';
}
