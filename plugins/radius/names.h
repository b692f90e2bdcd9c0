/* names.h: the names of attributes and of their values, as the RFCs and the vendors' dictionaries give them. */
#pragma once
#include "radius.h"

enum rad_kind {
    RAD_TEXT, RAD_OCTETS, RAD_INTEGER, RAD_IP4, RAD_IP6, RAD_DATE, RAD_PREFIX6,
    RAD_SECRET,                       /* never shown, and made by the actions only */
    RAD_TAGGED_TEXT, RAD_TAGGED_INTEGER,          /* RFC 2868 */
};
struct rad_name { uint32_t vendor; unsigned type; const char *name; enum rad_kind kind; };
struct rad_value_name { uint32_t vendor; unsigned type; uint32_t value; const char *name; };

extern const struct rad_name rad_names[];                 /* ends with a NULL name */
extern const struct rad_value_name rad_value_names[];     /* ends with a NULL name */
