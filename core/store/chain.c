/* chain.c: each event's hash covers its text and the hash before it, so a changed, removed or moved event shows. */
#include <sodium.h>
#include <stdio.h>
#include "store/internal.h"

/* BLAKE2b of 32 bytes, as `b2sum -l 256` has it: a third of what SHA-256 costs, which would be more than writing the event. */
void chain_hash(unsigned char hash[HASH_LEN], const char *text, size_t len)
{
    crypto_generichash_state state;

    crypto_generichash_init(&state, NULL, 0, HASH_LEN);
    crypto_generichash_update(&state, hash, HASH_LEN);
    crypto_generichash_update(&state, (const unsigned char *)text, len);
    crypto_generichash_final(&state, hash, HASH_LEN);
}

/* A run's first event is bound to the run. */
void chain_seed(const char *id, unsigned char hash[HASH_LEN])
{
    memset(hash, 0, HASH_LEN);
    memcpy(hash, id, strlen(id));
}

/* What a row says, each text with its length in front: no byte can move from one column to the next. */
void row_digest(const char *const texts[], const size_t lens[], size_t count, unsigned char ret[HASH_LEN])
{
    crypto_generichash_state state;

    crypto_generichash_init(&state, NULL, 0, HASH_LEN);
    for (size_t i = 0; i < count; i++) {
        char len[24];

        crypto_generichash_update(&state, (const unsigned char *)len, (size_t)snprintf(len, sizeof(len), "%zu:", lens[i]));
        crypto_generichash_update(&state, (const unsigned char *)texts[i], lens[i]);
    }
    crypto_generichash_final(&state, ret, HASH_LEN);
}
