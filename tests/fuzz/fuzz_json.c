/* fuzz_json.c: any bytes as JSON. What is refused has a reason; what is accepted reads back as it was written, has one canonical
 * text, no difference from itself, and a line for people that fits. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/text.h"
#include "data/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static json_t *reread(const char *text)
{
    json_t *value = NULL;

    must(ft_json_parse(text, strlen(text), 0, &value, /* reterr= */ NULL) == 0);
    return value;
}

static void check_value(const json_t *value)
{
    char *text = ft_json_text(value), *canonical = ft_json_canonical(value), *line;
    json_auto_t *again = reread(text), *sorted = reread(canonical), *changes = ft_json_diff(value, sorted);
    char *second = ft_json_text(again), *third = ft_json_canonical(sorted);

    must(json_equal(value, again) && strcmp(text, second) == 0);
    must(ft_json_equal(value, sorted) && strcmp(canonical, third) == 0);
    must(json_array_size(changes) == 0);
    for (size_t columns = 0; columns < 40; columns += 13) {
        line = ft_json_brief(value, columns);
        must(ft_text_width(line, strlen(line)) <= columns && ft_utf8_valid(line, strlen(line)) && !strpbrk(line, "\n\r\t\x1b"));
        free(line);
    }
    must(ft_has_unknown(value) == (strstr(text, "\"$unknown\":true") != NULL) || strchr(text, '\\'));
    free(text);
    free(canonical);
    free(second);
    free(third);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ft_err err = { 0 };
    json_t *value = NULL;

    if (ft_json_parse((const char *)data, size, 1 << 20, &value, &err) == 0)
        check_value(value);
    else
        must(value == NULL && err.code < 0 && err.text[0] && ft_utf8_valid(err.text, strlen(err.text)));
    json_decref(value);
    return 0;
}
