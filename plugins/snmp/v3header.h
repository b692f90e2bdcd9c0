/* v3header.h: who an SNMPv3 message says that it is from, before anything of it is believed. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { V3_MAX_ENGINE = 32, V3_MAX_USER = 32 };

struct v3_header {
    uint8_t engine[V3_MAX_ENGINE]; size_t engine_len;
    char user[V3_MAX_USER + 1];
};

/* False where it is no SNMPv3 message of the user-based security model, or one that breaks its own lengths or those of the standard. */
bool v3_header_read(const uint8_t *bytes, size_t len, struct v3_header *ret);
