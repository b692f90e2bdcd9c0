/* mist_macs.c: MAC addresses as people and stores write them. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "mist.h"

bool mist_mac(const char *text, char mac[static MIST_MAC_LEN + 1])
{
    size_t n = 0;

    for (const char *p = text; *p; p++) {
        if (strchr(":-.", *p) && n > 0 && n < MIST_MAC_LEN)
            continue;
        if (!isxdigit((unsigned char)*p) || n == MIST_MAC_LEN)
            return false;
        mac[n++] = (char)tolower((unsigned char)*p);
    }
    mac[n] = '\0';
    return n == MIST_MAC_LEN;
}

json_t *mist_macs_in(const char *body, size_t len)
{
    json_t *value = json_loadb(body, len, JSON_DECODE_ANY, NULL), *list = json_is_object(value) ? json_object_get(value, "macs") : value, *macs = json_array(), *item;
    char mac[MIST_MAC_LEN + 1];
    bool sound = true;
    size_t i;

    json_array_foreach(list, i, item) {
        if (json_is_string(item) && mist_mac(json_string_value(item), mac))
            json_array_append_new(macs, json_string(mac));
        else
            sound = false;
    }
    if (!value) {
        char *copy = strndup(body, len), *save = NULL;

        for (char *word = copy ? strtok_r(copy, " \t\r\n,;", &save) : NULL; word; word = strtok_r(NULL, " \t\r\n,;", &save)) {
            if (mist_mac(word, mac))
                json_array_append_new(macs, json_string(mac));
            else
                sound = false;
        }
        free(copy);
    } else if (!json_is_array(list)) {
        sound = false;
    }
    json_decref(value);
    if (sound)
        return macs;
    json_decref(macs);
    return NULL;
}
