/* fuzz_mist.c: any bytes as a blocklist in Mist's object store, or as an answer of the API that is looked at field by field. What is taken for a MAC address is
 * one, a list of them reads the same again, no secret passes, and nothing is read that is not there.
 *
 * The first byte chooses. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "../../plugins/mist/mist_macs.c"
#include "../../plugins/mist/mist_shape.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

const struct ft_host *host;

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void as_blocklist(const char *bytes, size_t len)
{
    json_t *macs = mist_macs_in(bytes, len), *again, *item;
    char *text;
    size_t i;

    if (!macs)
        return;
    json_array_foreach(macs, i, item) {
        char mac[MIST_MAC_LEN + 1];

        must(json_string_length(item) == MIST_MAC_LEN && mist_mac(json_string_value(item), mac) && strcmp(mac, json_string_value(item)) == 0);
    }
    text = json_dumps(macs, 0);
    again = mist_macs_in(text, strlen(text));
    must(json_equal(macs, again));
    free(text);
    json_decref(again);
    json_decref(macs);
}

static void as_answer(const char *bytes, size_t len)
{
    static const struct mist_field fields[] = {
        { "a", "a", MIST_INT }, { "b", "b.c|a", MIST_NUM }, { "c", "a|b", MIST_STR }, { "d", "a", MIST_BOOL }, { "e", "a", MIST_TIME }, { "f", "a|b.c.d", MIST_MAC },
    };
    json_t *value = json_loadb(bytes, len, JSON_DECODE_ANY, NULL), *list, *rows, *clean;

    if (!value)
        return;
    list = json_pack("[O, O]", value, value);
    rows = MIST_ROWS(json_is_array(value) ? value : list, fields);
    mist_sort_down(rows, "a");
    clean = mist_without_secrets(value);
    must(mist_covers(value, value) && json_array_size(rows) <= 1000000);
    if (!mist_has_secrets(value))
        must(json_equal(clean, value));
    json_decref(clean);
    json_decref(rows);
    json_decref(list);
    json_decref(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy;

    if (size < 1 || size > 1 << 16)
        return 0;
    copy = malloc(size);
    must(copy != NULL);
    memcpy(copy, data + 1, size - 1);
    copy[size - 1] = '\0';                   /* as the host gives a body */
    if (data[0] % 2)
        as_answer(copy, size - 1);
    else
        as_blocklist(copy, size - 1);
    free(copy);
    return 0;
}
