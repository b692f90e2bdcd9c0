/* digest.h: SHA-256 as 64 lower-case hex digits. */
#pragma once
#include <stddef.h>

#define FT_DIGEST_HEX 65
void ft_sha256_hex(const void *bytes, size_t len, char ret[FT_DIGEST_HEX]);
/* Random identifier of n hex digits (n <= 64, NUL-terminated). */
void ft_random_hex(size_t n, char *ret);
