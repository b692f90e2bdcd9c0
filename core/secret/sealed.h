/* sealed.h: a file of secrets that only its key opens: XChaCha20-Poly1305 over all of it, names too. The header (version, how the key is made)
 * is authenticated with it. Written whole or not at all, mode 0600.
 *
 * The key is 32 random bytes as 64 hex digits (a key file, a variable), or comes from a passphrase by Argon2id. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <jansson.h>
#include "base/err.h"

#define FT_SEALED_KEY 32
#define FT_SEALED_NAME_MAX 128
#define FT_SEALED_VALUE_MAX 65536

struct ft_sealed_key { unsigned char bytes[FT_SEALED_KEY]; bool from_passphrase; unsigned char salt[16]; uint64_t ops, mem; };

/* 64 hex digits. */
int ft_sealed_key_parse(const char *text, struct ft_sealed_key *ret, struct ft_err *reterr);
void ft_sealed_key_new(char ret_hex[65]);
/* Whether the file (when it is there) is opened by a passphrase. -ENOENT: there is none. */
int ft_sealed_kind(const char *path, bool *ret_passphrase, struct ft_err *reterr);
/* With the salt of the file where there is one, else a new one. Takes a while: that is its point. */
int ft_sealed_key_of(const char *path, const char *passphrase, struct ft_sealed_key *ret, struct ft_err *reterr);
/* {name: {"value", "set" (ms)}}; -ENOENT: there is no file. -EKEYREJECTED: another key's. -EBADMSG: it was changed. */
int ft_sealed_read(const char *path, const struct ft_sealed_key *key, json_t **ret, struct ft_err *reterr);
int ft_sealed_write(const char *path, const struct ft_sealed_key *key, const json_t *secrets, struct ft_err *reterr);
bool ft_sealed_name_ok(const char *name);
