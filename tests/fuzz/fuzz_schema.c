/* fuzz_schema.c: a schema on the first line, a value on the next. A schema that is refused has a reason; one that is accepted ends its
 * checks in time, points at places that exist, and says the same whether anybody listens or not. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "data/json.h"
#include "data/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

struct seen { json_t *value; int errors; };

/* The value that the pointer names, which is there. */
static json_t *follow(json_t *value, const char *pointer)
{
    char name[4096], *to;

    while (*pointer == '/') {
        for (to = name, pointer++; *pointer && *pointer != '/'; pointer++) {
            must(to < name + sizeof(name) - 1);
            *to++ = *pointer != '~' ? *pointer : *++pointer == '0' ? '~' : '/';
        }
        *to = '\0';
        value = json_is_array(value) ? json_array_get(value, strtoul(name, NULL, 10)) : json_object_get(value, name);
        must(value != NULL);
    }
    return value;
}

static void hear(void *arg, const struct ft_schema_error *error)
{
    struct seen *seen = arg;
    json_t *at = strlen(error->pointer) < 4096 ? follow(seen->value, error->pointer) : NULL;

    seen->errors++;
    must(error->text[0] != '\0');
    must((error->key == NULL) == (error->what == FT_SCHEMA_VALUE));
    if (at && error->what == FT_SCHEMA_MISSING)
        must(json_is_object(at) && !json_object_get(at, error->key));
    if (at && error->what == FT_SCHEMA_UNKNOWN)
        must(json_object_get(at, error->key) != NULL);
}

static void look_up_names(const json_t *schema, json_t *value)
{
    const char **names = ft_schema_names(schema, schema), *key;
    json_t *member;
    bool open;

    json_object_foreach(value, key, member)
        ft_schema_member(schema, schema, key, &open);
    for (size_t i = 0; names[i]; i++)
        must(names[i] != NULL);
    ft_schema_items(schema, schema, &open);
    free(names);
}

static void check(const struct ft_schema *schema, const json_t *document, json_t *value)
{
    struct seen seen = { .value = value };
    struct ft_err err = { 0 };
    int errors = ft_schema_check(schema, value, hear, &seen);
    json_auto_t *before = json_deep_copy(value), *filled = ft_schema_fill(schema, value);

    must(errors == seen.errors);
    must((ft_schema_check(schema, value, NULL, NULL) > 0) == (errors > 0));
    must((ft_schema_require(schema, value, "value", &err) < 0) == (errors > 0));
    must(errors == 0 || err.text[0]);
    must(filled && json_equal(before, value));
    look_up_names(document, value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data, *newline = size ? memchr(data, '\n', size) : NULL;
    json_auto_t *document = NULL, *value = NULL;
    struct ft_schema *schema = NULL;
    struct ft_err err = { 0 };
    size_t line = newline ? (size_t)(newline - text) : 0;

    if (!newline || size > 65536 || ft_json_parse(text, line, 0, &document, NULL) < 0 ||
        ft_json_parse(newline + 1, size - line - 1, 0, &value, NULL) < 0)
        return 0;
    if (ft_schema_compile(document, &schema, &err) == 0)
        check(schema, document, value);
    else
        must(schema == NULL && err.code < 0 && err.text[0]);
    ft_schema_free(schema);
    return 0;
}
