#include "data/format.h"
#include <ctype.h>
#include <errno.h>
#include "base/clock.h"
#include "base/text.h"
#include "base/util.h"

/* ---- Hosts and mail ---------------------------------------------------------------------------------------------- */

/* Labels of letters, digits and hyphens, by RFC 1123. */
static bool is_hostname(const char *text)
{
    size_t len = strlen(text), label = 0;

    if (len == 0 || len > 253)
        return false;
    for (size_t i = 0; i <= len; i++) {
        if (text[i] == '.' || text[i] == '\0') {
            if (label == 0 || label > 63 || text[i - 1] == '-')
                return false;
            label = 0;
        } else if (isalnum((unsigned char)text[i]) || (text[i] == '-' && label > 0)) {
            label++;
        } else {
            return false;
        }
    }
    return true;
}

static bool is_dot_atom(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '.' && (i == 0 || i == len - 1 || text[i - 1] == '.'))
            return false;
        if (text[i] != '.' && !isalnum((unsigned char)text[i]) && !strchr("!#$%&'*+-/=?^_`{|}~", text[i]))
            return false;
    }
    return len > 0 && len <= 64;
}

static bool is_email(const char *text)
{
    const char *at = strrchr(text, '@');

    return at && is_dot_atom(text, (size_t)(at - text)) && is_hostname(at + 1);
}

/* ---- URIs -------------------------------------------------------------------------------------------------------- */

/* Only characters of `allowed`, letters, digits and percent escapes. */
static bool only(const char *text, size_t len, const char *allowed)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c == '%') {
            if (len - i < 3 || !isxdigit((unsigned char)text[i + 1]) || !isxdigit((unsigned char)text[i + 2]))
                return false;
            i += 2;
        } else if (!isalnum(c) && (c == '\0' || !strchr(allowed, c))) {
            return false;
        }
    }
    return true;
}

#define URI_UNRESERVED "-._~!$&'()*+,;="

static bool is_ipv6_literal(const char *text, size_t len)
{
    char address[64];

    if (len < 2 || len - 2 >= sizeof(address) || text[0] != '[' || text[len - 1] != ']')
        return false;
    memcpy(address, text + 1, len - 2);
    address[len - 2] = '\0';
    return ft_ip_check(address) == 6;
}

/* [userinfo@]host[:port] */
static bool is_authority(const char *text, size_t len)
{
    const char *user_end = memrchr(text, '@', len);
    size_t user = user_end ? (size_t)(user_end - text) + 1 : 0, host;
    const char *port;

    if (user && !only(text, user - 1, URI_UNRESERVED ":"))
        return false;
    text += user;
    len -= user;
    port = memrchr(text, ':', len);
    if (port && memchr(port, ']', len - (size_t)(port - text)))
        port = NULL;                         /* a colon of the address in brackets */
    host = port ? (size_t)(port - text) : len;
    for (size_t i = host + 1; port && i < len; i++)
        if (!isdigit((unsigned char)text[i]))
            return false;
    return host && text[0] == '[' ? is_ipv6_literal(text, host) : only(text, host, URI_UNRESERVED);
}

static bool is_uri(const char *text)
{
    size_t scheme = 0, authority;

    while (isalnum((unsigned char)text[scheme]) || (text[scheme] && strchr("+-.", text[scheme])))
        scheme++;
    if (!isalpha((unsigned char)text[0]) || text[scheme] != ':')
        return false;
    text += scheme + 1;
    if (strncmp(text, "//", 2) == 0) {
        text += 2;
        authority = strcspn(text, "/?#");
        if (!is_authority(text, authority))
            return false;
        text += authority;
    }
    authority = strcspn(text, "#");
    return only(text, authority, URI_UNRESERVED ":@/?") &&
        (!text[authority] || only(text + authority + 1, strlen(text + authority + 1), URI_UNRESERVED ":@/?"));
}

/* ---- The others -------------------------------------------------------------------------------------------------- */

static bool is_uuid(const char *text)
{
    static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

    for (size_t i = 0; i < sizeof(shape); i++)
        if (shape[i] == 'x' ? !isxdigit((unsigned char)text[i]) : text[i] != shape[i])
            return false;
    return true;
}

static bool is_mac(const char *text)
{
    char normal[18];

    return ft_mac_normalise(text, normal) == 0;
}

static bool is_ipv4(const char *text)
{
    return ft_ip_check(text) == 4;
}

static bool is_ipv6(const char *text)
{
    return ft_ip_check(text) == 6;
}

static bool is_ip(const char *text)
{
    return ft_ip_check(text) > 0;
}

static bool is_cidr(const char *text)
{
    return ft_cidr_check(text) > 0;
}

static bool is_duration(const char *text)
{
    uint64_t ms;

    return ft_duration_parse(text, &ms) == 0;
}

static bool is_date_time(const char *text)
{
    uint64_t ms;

    return ft_time_parse(text, &ms) != -EINVAL;
}

static const struct { const char *name, *about; bool (*ok)(const char *text); } formats[] = {
    [FT_FORMAT_NONE]      = { NULL, "anything", NULL },
    [FT_FORMAT_MAC]       = { "mac", "a MAC address", is_mac },
    [FT_FORMAT_IPV4]      = { "ipv4", "an IPv4 address", is_ipv4 },
    [FT_FORMAT_IPV6]      = { "ipv6", "an IPv6 address", is_ipv6 },
    [FT_FORMAT_IP]        = { "ip", "an IP address", is_ip },
    [FT_FORMAT_CIDR]      = { "cidr", "a network such as 10.1.2.0/24", is_cidr },
    [FT_FORMAT_DURATION]  = { "duration", "a duration such as 30s or 5m", is_duration },
    [FT_FORMAT_DATE_TIME] = { "date-time", "a time such as 2026-11-21T02:13:05Z", is_date_time },
    [FT_FORMAT_URI]       = { "uri", "a URI", is_uri },
    [FT_FORMAT_UUID]      = { "uuid", "a UUID", is_uuid },
    [FT_FORMAT_HOSTNAME]  = { "hostname", "a host name", is_hostname },
    [FT_FORMAT_EMAIL]     = { "email", "an e-mail address", is_email },
};

enum ft_format ft_format_from_name(const char *name)
{
    for (size_t i = 1; i < ARRAY_LEN(formats); i++)
        if (strcmp(formats[i].name, name) == 0)
            return (enum ft_format)i;
    return FT_FORMAT_NONE;
}

const char *const *ft_format_names(void)
{
    static const char *names[ARRAY_LEN(formats)];

    for (size_t i = 1; i < ARRAY_LEN(formats); i++)
        names[i - 1] = formats[i].name;
    return names;
}

const char *ft_format_about(enum ft_format format)
{
    return formats[format].about;
}

bool ft_format_ok(enum ft_format format, const char *text)
{
    return format == FT_FORMAT_NONE || formats[format].ok(text);
}
