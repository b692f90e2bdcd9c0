#include <criterion/criterion.h>
#include "base/digest.h"
#include "base/util.h"

/* The examples of FIPS 180-4, and lengths around its block. */
static const struct { const char *in; size_t len; const char *hex; } digests[] = {
    { NULL, 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
    { "abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
    { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
};

Test(digest, is_sha_256_in_lower_case)
{
    char hex[FT_DIGEST_HEX], other[FT_DIGEST_HEX];

    for (size_t i = 0; i < ARRAY_LEN(digests); i++) {
        ft_sha256_hex(digests[i].in, digests[i].len, hex);
        cr_expect_str_eq(hex, digests[i].hex, "row %zu gave %s", i, hex);
    }
    ft_sha256_hex("a\0b", 3, hex);
    ft_sha256_hex("a\0c", 3, other);
    cr_expect_str_neq(hex, other, "a NUL does not end the input");
}

Test(random, identifiers_have_the_length_asked_for_and_differ)
{
    char first[65], second[65];

    for (size_t n = 0; n <= 64; n++) {
        memset(first, 'x', sizeof(first));
        ft_random_hex(n, first);
        cr_expect_eq(strlen(first), n);
        cr_expect_eq(strspn(first, "0123456789abcdef"), n);
    }
    ft_random_hex(64, first);
    ft_random_hex(64, second);
    cr_expect_str_neq(first, second);
}
