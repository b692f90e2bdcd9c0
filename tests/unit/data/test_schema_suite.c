/* The official JSON Schema test suite, as Debian packages it (json-schema-test-suite). The package ends with draft 7, so each
 * schema is first written as 2020-12 has it: that release moved the words, not their meaning, and lists how in its notes. */
#include <criterion/criterion.h>
#include <glob.h>
#include "base/util.h"
#include "data/json.h"
#include "data/schema.h"

#define SUITE "/usr/share/json-schema-test-suite/tests/draft7/"

enum { LEAST_CASES = 438 };

static const struct { const char *file, *group, *reason; } left_out[] = {
    { "ref.json", "escaped pointer ref", "schemas under unknown keywords; test_schema.c has the same names under $defs" },
    { "ref.json", "ref overrides any sibling keywords", "not since 2019-09: siblings apply" },
    { "ref.json", "remote ref, containing refs itself", "references stay within the document" },
    { "ref.json", "Recursive references between schemas", "$id inside a document" },
    { "definitions.json", "valid definition", "refers to the metaschema, which is another document" },
    { "definitions.json", "invalid definition", "refers to the metaschema, which is another document" },
    { "refRemote.json", "remote ref", "references stay within the document" },
    { "refRemote.json", "fragment within remote ref", "references stay within the document" },
    { "refRemote.json", "ref within remote ref", "references stay within the document" },
    { "refRemote.json", "base URI change", "references stay within the document" },
    { "refRemote.json", "base URI change - change folder", "references stay within the document" },
    { "refRemote.json", "base URI change - change folder in subschema", "references stay within the document" },
    { "refRemote.json", "root ref in remote ref", "references stay within the document" },
};

static size_t left_out_seen[ARRAY_LEN(left_out)];

/* Of the optional part, the files that are about what is supported. */
static const char *const optional[] = {
    "optional/zeroTerminatedFloats.json", "optional/format/date-time.json", "optional/format/email.json", "optional/format/hostname.json",
    "optional/format/ipv4.json", "optional/format/ipv6.json", "optional/format/uri.json",
};

/* The rest of it, each file with the reason. */
static const struct { const char *file, *reason; } optional_left_out[] = {
    { "optional/bignum.json", "integers beyond 64 bits are refused when JSON is read" },
    { "optional/content.json", "contentMediaType and contentEncoding are not supported" },
    { "optional/ecmascript-regex.json", "format: regex is not supported" },
    { "optional/format/date.json", "not supported" }, { "optional/format/time.json", "not supported" },
    { "optional/format/idn-email.json", "not supported" }, { "optional/format/idn-hostname.json", "not supported" },
    { "optional/format/iri.json", "not supported" }, { "optional/format/iri-reference.json", "not supported" },
    { "optional/format/json-pointer.json", "not supported" }, { "optional/format/relative-json-pointer.json", "not supported" },
    { "optional/format/regex.json", "not supported" }, { "optional/format/uri-reference.json", "not supported" },
    { "optional/format/uri-template.json", "not supported" },
};

/* ---- Draft 7 as 2020-12 ------------------------------------------------------------------------------------------ */

static json_t *modern(const json_t *schema);

static bool is_one_of(const char *name, const char *const *names)
{
    for (; *names; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

static json_t *modern_map(const json_t *map)
{
    json_t *copy = json_object(), *value;
    const char *key;

    json_object_foreach((json_t *)map, key, value)
        json_object_set_new(copy, key, modern(value));
    return copy;
}

static json_t *modern_list(const json_t *list)
{
    json_t *copy = json_array(), *value;
    size_t i;

    json_array_foreach(list, i, value)
        json_array_append_new(copy, modern(value));
    return copy;
}

static void add_dependencies(json_t *to, const json_t *dependencies)
{
    json_t *names = json_object(), *schemas = json_object(), *value;
    const char *key;

    json_object_foreach((json_t *)dependencies, key, value) {
        if (json_is_array(value))
            json_object_set(names, key, value);
        else
            json_object_set_new(schemas, key, modern(value));
    }
    json_object_set_new(to, "dependentRequired", names);
    json_object_set_new(to, "dependentSchemas", schemas);
}

static json_t *modern_ref(const char *ref)
{
    static const struct { const char *old, *new; } moved[] = { { "#/definitions/", "#/$defs/" }, { "#/items/", "#/prefixItems/" } };
    json_t *value = json_string(ref);

    for (size_t i = 0; i < ARRAY_LEN(moved); i++)
        if (strncmp(ref, moved[i].old, strlen(moved[i].old)) == 0) {
            json_decref(value);
            value = json_sprintf("%s%s", moved[i].new, ref + strlen(moved[i].old));
        }
    return value;
}

static void add_keyword(json_t *to, const json_t *schema, const char *key, json_t *value)
{
    static const char *const single[] = { "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames", NULL };
    static const char *const lists[] = { "allOf", "anyOf", "oneOf", NULL }, *const maps[] = { "properties", "patternProperties", NULL };

    if (is_one_of(key, single))
        json_object_set_new(to, key, modern(value));
    else if (is_one_of(key, lists))
        json_object_set_new(to, key, modern_list(value));
    else if (is_one_of(key, maps))
        json_object_set_new(to, key, modern_map(value));
    else if (strcmp(key, "definitions") == 0)
        json_object_set_new(to, "$defs", modern_map(value));
    else if (strcmp(key, "dependencies") == 0)
        add_dependencies(to, value);
    else if (strcmp(key, "items") == 0 && json_is_array(value) && json_array_size(value))
        json_object_set_new(to, "prefixItems", modern_list(value));
    else if (strcmp(key, "items") == 0)
        json_object_set_new(to, "items", modern(value));
    else if (strcmp(key, "additionalItems") == 0 && json_is_array(json_object_get(schema, "items")))
        json_object_set_new(to, "items", modern(value));
    else if (strcmp(key, "$ref") == 0)
        json_object_set_new(to, "$ref", modern_ref(json_string_value(value)));
    else if (strcmp(key, "additionalItems") != 0)
        json_object_set(to, key, value);
}

static json_t *modern(const json_t *schema)
{
    json_t *copy, *value;
    const char *key;

    if (!json_is_object(schema))
        return json_incref((json_t *)schema);
    copy = json_object();
    json_object_foreach((json_t *)schema, key, value)
        add_keyword(copy, schema, key, value);
    return copy;
}

/* ---- Running ----------------------------------------------------------------------------------------------------- */

static bool is_left_out(const char *file, const char *group)
{
    for (size_t i = 0; i < ARRAY_LEN(left_out); i++) {
        if (strcmp(left_out[i].file, file) != 0 || strcmp(left_out[i].group, group) != 0)
            continue;
        left_out_seen[i]++;
        return true;
    }
    return false;
}

static size_t run_group(const char *file, const json_t *group)
{
    const char *name = ft_json_str(group, "description");
    json_auto_t *schema = modern(json_object_get(group, "schema"));
    struct ft_schema *compiled = NULL;
    struct ft_err err = { 0 };
    json_t *test;
    size_t i;

    cr_expect_eq(ft_schema_compile(schema, &compiled, &err), 0, "%s: %s: %s", file, name, err.text);
    if (!compiled)
        return 0;
    json_array_foreach(json_object_get(group, "tests"), i, test) {
        bool valid = ft_schema_check(compiled, json_object_get(test, "data"), NULL, NULL) == 0;

        cr_expect_eq(valid, json_is_true(json_object_get(test, "valid")), "%s: %s: %s is said to be %s", file, name,
                     ft_json_str(test, "description"), valid ? "valid" : "invalid");
    }
    ft_schema_free(compiled);
    return i;
}

static size_t run_file(const char *file)
{
    char *path = ft_asprintf(SUITE "%s", file);
    json_auto_t *groups = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    json_t *group;
    size_t i, cases = 0;

    cr_expect(json_is_array(groups), "%s is not a list of groups", path);
    json_array_foreach(groups, i, group)
        if (!is_left_out(file, ft_json_str(group, "description")))
            cases += run_group(file, group);
    free(path);
    return cases;
}

static bool exists(const char *file)
{
    char *path = ft_asprintf(SUITE "%s", file);
    FILE *there = fopen(path, "r");

    free(path);
    if (there)
        fclose(there);
    return there != NULL;
}

Test(suite, every_group_about_supported_keywords_passes)
{
    size_t cases = 0;
    glob_t files;

    cr_assert_eq(glob(SUITE "*.json", 0, NULL, &files), 0,
                 "the JSON Schema test suite is not at " SUITE ": install the package json-schema-test-suite (tests/run.sh does)");
    for (size_t i = 0; i < files.gl_pathc; i++)
        cases += run_file(files.gl_pathv[i] + strlen(SUITE));
    for (size_t i = 0; i < ARRAY_LEN(optional); i++)
        cases += run_file(optional[i]);
    for (size_t i = 0; i < ARRAY_LEN(left_out); i++)
        cr_expect_eq(left_out_seen[i], 1, "%s: '%s' is left out (%s), but it is there %zu times", left_out[i].file, left_out[i].group,
                     left_out[i].reason, left_out_seen[i]);
    for (size_t i = 0; i < ARRAY_LEN(optional_left_out); i++)
        cr_expect(exists(optional_left_out[i].file), "%s is left out (%s), but it is not there", optional_left_out[i].file,
                  optional_left_out[i].reason);
    cr_expect_geq(cases, LEAST_CASES, "only %zu cases ran", cases);
    globfree(&files);
}

/* Whoever adds to the package's optional part decides about it: nothing is skipped by not being named. */
Test(suite, the_optional_part_is_run_or_left_out_by_name)
{
    glob_t files;

    cr_assert_eq(glob(SUITE "optional/*.json", 0, NULL, &files), 0, "the package json-schema-test-suite is not installed");
    glob(SUITE "optional/format/*.json", GLOB_APPEND, NULL, &files);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        const char *file = files.gl_pathv[i] + strlen(SUITE);
        bool named = false;

        for (size_t n = 0; n < ARRAY_LEN(optional); n++)
            named |= strcmp(optional[n], file) == 0;
        for (size_t n = 0; n < ARRAY_LEN(optional_left_out); n++)
            named |= strcmp(optional_left_out[n].file, file) == 0;
        cr_expect(named, "%s is neither run nor left out", file);
    }
    cr_expect_eq(files.gl_pathc, ARRAY_LEN(optional) + ARRAY_LEN(optional_left_out));
    globfree(&files);
}
