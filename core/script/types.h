/* types.h: what the check knows of a value: which kinds it may be, and its schema where it has one. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <jansson.h>

enum ft_kind {
    FT_KIND_NIL = 1, FT_KIND_BOOL = 2, FT_KIND_NUMBER = 4, FT_KIND_STRING = 8, FT_KIND_LIST = 16, FT_KIND_OBJECT = 32, FT_KIND_FUNCTION = 64,
    FT_KIND_NULL = 128,           /* the constant */
    FT_KIND_TABLE = FT_KIND_LIST | FT_KIND_OBJECT,
    FT_KIND_ANY = 255,
};

struct ft_type {
    unsigned kinds;               /* those it may be; a value from a schema may be nil besides */
    const json_t *root, *schema;  /* NULL: nothing known of its members */
    const char *note;             /* what it is, for people; NULL */
    const char *library;          /* it is the library of that name */
};

struct ft_type ft_type_of_schema(const json_t *root, const json_t *schema, const char *note);
/* The list of the strings it must be one of, or NULL: an array, new reference. */
json_t *ft_type_strings(const struct ft_type *type);
/* "a number", "a string or a number". Returns buf. */
const char *ft_kinds_say(unsigned kinds, char *buf, size_t len);
