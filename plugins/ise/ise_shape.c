/* ise_shape.c: MAC addresses, times and truth values as ISE writes them. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <fettle/kit.h>
#include "ise.h"

bool ise_mac(const char *text, char mac[static ISE_MAC_LEN + 1]) { return ft_mac(text, ':', mac); }

const char *ise_text(struct ft_call *call, const char *name)
{
    return ise_str(host->params(call), name);
}

bool ise_find_mac(struct ft_call *call)
{
    const char *text = ise_text(call, "mac");
    char mac[ISE_MAC_LEN + 1];

    if (!ise_mac(text, mac)) {
        ise_fail(call, FT_INVALID, "mac: '%.40s' is not a MAC address (12 hex digits, such as 00:0C:29:FA:EF:0A)", text ? text : "");
        return false;
    }
    ise_state(call)->mac = host->printf(call, "%s", mac);
    return true;
}

const char *ise_str(const json_t *value, const char *key)
{
    const char *text = json_string_value(json_object_get(value, key));

    return text && *text ? text : NULL;
}

json_t *ise_str_or_null(const json_t *value, const char *key)
{
    const char *text = ise_str(value, key);

    return text ? json_string(text) : json_null();
}

json_t *ise_int_or_null(const json_t *value, const char *key)
{
    const json_t *member = json_object_get(value, key);
    const char *text = json_string_value(member);
    char *end;
    long long number;

    if (json_is_integer(member))
        return json_integer(json_integer_value(member));
    if (!text || !*text)
        return json_null();
    number = strtoll(text, &end, 10);
    return *end ? json_null() : json_integer(number);
}

bool ise_true(const json_t *value, const char *key)
{
    const json_t *member = json_object_get(value, key);
    const char *text = json_string_value(member);

    if (json_is_boolean(member))
        return json_is_true(member);
    if (json_is_integer(member))
        return json_integer_value(member) == 1;
    return text && (strcasecmp(text, "true") == 0 || strcmp(text, "1") == 0);
}

/* "+03:00", "-0500", "Z", "" as seconds east of Greenwich. */
static bool offset_of(const char *text, int *ret)
{
    int hours = 0, minutes = 0;

    *ret = 0;
    if (!*text || strcasecmp(text, "Z") == 0)
        return true;
    if ((*text != '+' && *text != '-') || sscanf(text + 1, "%2d%*[:]%2d", &hours, &minutes) < 1)
        return false;
    if (!strchr(text, ':'))
        sscanf(text + 1, "%2d%2d", &hours, &minutes);
    *ret = (*text == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
    return true;
}

double ise_time(const char *text)
{
    struct tm tm = { 0 };
    double fraction = 0;
    int used = 0, offset;
    char *end;

    if (!text || sscanf(text, "%4d-%2d-%2d%*[T ]%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &used) != 6)
        return 0;
    end = (char *)text + used;
    if (*end == '.')
        fraction = strtod(end, &end);
    if (!offset_of(end, &offset))
        return 0;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    return (double)timegm(&tm) + fraction - offset;
}

/* other_attr_string is ":!:key=value:!:key=value…"; values may hold anything but ":!:". */
const char *ise_other(struct ft_call *call, const json_t *record, const char *key)
{
    const char *text = ise_str(record, "other_attr_string");
    size_t len = strlen(key);

    for (const char *at = text ? strstr(text, ":!:") : NULL; at; at = strstr(at, ":!:")) {
        at += 3;
        if (strncmp(at, key, len) == 0 && at[len] == '=') {
            const char *value = at + len + 1, *stop = strstr(value, ":!:");
            size_t n = stop ? (size_t)(stop - value) : strlen(value);

            return n ? host->printf(call, "%.*s", (int)n, value) : NULL;
        }
    }
    return NULL;
}

json_t *ise_each(const json_t *parent, const char *name)
{
    json_t *found = json_object_get(parent, name);

    if (json_is_array(found))
        return json_incref(found);
    return found ? json_pack("[O]", found) : json_array();
}

json_t *ise_bool_or_null(const json_t *value, const char *key)
{
    const json_t *member = json_object_get(value, key);

    return member && !json_is_null(member) ? json_boolean(ise_true(value, key)) : json_null();
}

bool ise_is_id(const char *text)
{
    return strlen(text) == 36 && text[8] == '-' && text[13] == '-' && strspn(text, "0123456789abcdefABCDEF-") == 36;
}
