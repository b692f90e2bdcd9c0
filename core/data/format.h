/* format.h: the notations that "format" of a schema may ask for. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum ft_format {
    FT_FORMAT_NONE, FT_FORMAT_MAC, FT_FORMAT_IPV4, FT_FORMAT_IPV6, FT_FORMAT_IP, FT_FORMAT_CIDR, FT_FORMAT_DURATION,
    FT_FORMAT_DATE_TIME, FT_FORMAT_URI, FT_FORMAT_UUID, FT_FORMAT_HOSTNAME, FT_FORMAT_EMAIL,
};

enum ft_format ft_format_from_name(const char *name);         /* FT_FORMAT_NONE: there is none of that name */
const char *const *ft_format_names(void);                     /* ends with NULL */
const char *ft_format_about(enum ft_format format);           /* "a MAC address" */
bool ft_format_ok(enum ft_format format, const char *text);
