#include <criterion/criterion.h>
#include "base/buf.h"
#include "base/util.h"
#include "data/json.h"
#include "data/schema.h"

static json_t *parsed(const char *text)
{
    struct ft_err err;
    json_t *value = NULL;

    cr_assert_eq(ft_json_parse(text, strlen(text), 0, &value, &err), 0, "%s: %s", text, err.text);
    return value;
}

static struct ft_schema *compiled(const char *text)
{
    json_auto_t *document = parsed(text);
    struct ft_schema *schema = NULL;
    struct ft_err err;

    cr_assert_eq(ft_schema_compile(document, &schema, &err), 0, "%s: %s", text, err.text);
    return schema;
}

/* "pointer[+key|-key] text" of every mistake, one a line. */
static void note(void *arg, const struct ft_schema_error *error)
{
    static const char signs[] = { [FT_SCHEMA_VALUE] = '?', [FT_SCHEMA_MISSING] = '-', [FT_SCHEMA_UNKNOWN] = '+' };
    struct ft_buf *out = arg;

    ft_buf_addf(out, "%s%s", out->len ? "\n" : "", error->pointer);
    if (error->key)
        ft_buf_addf(out, "%c%s", signs[error->what], error->key);
    ft_buf_addf(out, " %s", error->text);
}

static void expect_errors(const char *schema_text, const char *value_text, const char *wanted)
{
    struct ft_schema *schema = compiled(schema_text);
    json_auto_t *value = parsed(value_text);
    struct ft_buf out = FT_BUF_INIT(0);
    int n = ft_schema_check(schema, value, note, &out), lines = out.len > 0;

    for (const char *c = ft_buf_str(&out); *c; c++)
        lines += *c == '\n';
    cr_expect_str_eq(ft_buf_str(&out), wanted, "%s\n%s\nsaid:   %s\nwanted: %s", schema_text, value_text, ft_buf_str(&out), wanted);
    cr_expect_eq(n, lines, "%s counts %d", value_text, n);
    cr_expect_eq(ft_schema_check(schema, value, NULL, NULL) == 0, n == 0, "%s without a report", value_text);
    ft_buf_done(&out);
    ft_schema_free(schema);
}

/* ---- Mistakes in values ------------------------------------------------------------------------------------------ */

static const struct { const char *schema, *value, *errors; } mistakes[] = {
    { "{\"type\":\"integer\"}", "\"7\"", " is a string, not an integer" },
    { "{\"type\":\"integer\"}", "7.5", " is a number with a fraction, not an integer" },
    { "{\"type\":\"integer\"}", "7.0", "" },
    { "{\"type\":\"number\"}", "7", "" },
    { "{\"type\":[\"string\",\"null\"]}", "7", " is an integer, not null or a string" },
    { "{\"type\":[\"array\",\"object\",\"boolean\"]}", "null", " is null, not a boolean, a list or a map" },
    { "{\"type\":[\"integer\",\"number\"]}", "\"x\"", " is a string, not a number" },
    { "{\"enum\":[\"connected\",\"disconnected\"]}", "\"conected\"", " is 'conected', not one of: connected, disconnected; did you mean 'connected'?" },
    { "{\"enum\":[true,false]}", "\"tru\"", " is 'tru', not one of: true, false" },
    { "{\"enum\":[1,2,3,4,5,6,7,8,9,10,11,12,13]}", "14", " is 14, not one of: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, …" },
    { "{\"enum\":[5]}", "6", " is 6, not 5" },
    { "{\"const\":\"x\"}", "1", " is 1, not 'x'" },
    { "{\"minimum\":0,\"maximum\":100}", "-3", " is -3, less than 0" },
    { "{\"minimum\":0,\"maximum\":100}", "300", " is 300, more than 100" },
    { "{\"exclusiveMinimum\":0}", "0", " is 0, not more than 0" },
    { "{\"exclusiveMaximum\":1.5}", "1.5", " is 1.5, not less than 1.5" },
    { "{\"maximum\":9007199254740992}", "9007199254740993", " is 9007199254740993, more than 9007199254740992" },
    { "{\"multipleOf\":5}", "7", " is 7, not a multiple of 5" },
    { "{\"multipleOf\":0.01}", "19.99", "" },
    { "{\"multipleOf\":0.0001}", "0.00751", " is 0.00751, not a multiple of 0.0001" },
    { "{\"multipleOf\":0.5}", "1e308", "" },
    { "{\"multipleOf\":0.123456789}", "1e308", " is 1e+308, not a multiple of 0.123456789" },
    { "{\"multipleOf\":9223372036854775807}", "-9223372036854775808", " is -9223372036854775808, not a multiple of 9223372036854775807" },
    { "{\"minLength\":1}", "\"\"", " is empty" },
    { "{\"minLength\":3}", "\"äö\"", " is shorter than 3 characters" },
    { "{\"maxLength\":1}", "\"äö\"", " is longer than 1 character" },
    { "{\"maxLength\":2}", "\"äö\"", "" },
    { "{\"pattern\":\"^ap-\"}", "\"sw-1\"", " is 'sw-1', which does not match ^ap-" },
    { "{\"format\":\"mac\"}", "\"a4:83\"", " is 'a4:83', not a MAC address" },
    { "{\"format\":\"mac\"}", "7", "" },
    { "{\"format\":\"hostname\"}", "\"a\\u0000b\"", " is 'a\\x00b', not a host name" },
    { "{\"x-secret\":true,\"pattern\":\"^s\"}", "\"hunter2\"", " is ***, which does not match ^s" },
    { "{\"x-secret\":true,\"enum\":[\"hunter3\",\"x\"]}", "\"hunter2\"", " is ***, not one of: hunter3, x" },
    { "{\"required\":[\"site\",\"mac\"]}", "{\"mac\":1}", "-site lacks 'site'" },
    { "{\"properties\":{\"site\":{},\"mac\":{}},\"additionalProperties\":false}", "{\"sit\":1,\"mac\":2,\"x\":3}",
      "+sit has an unknown key 'sit'; did you mean 'site'?\n+x has an unknown key 'x'" },
    { "{\"properties\":{\"site\":{}},\"additionalProperties\":false}", "{\"sites\":1,\"site\":2}", "+sites has an unknown key 'sites'" },
    { "{\"additionalProperties\":{\"type\":\"integer\"}}", "{\"a/b\":\"x\",\"c~d\":\"y\"}",
      "/a~1b is a string, not an integer\n/c~0d is a string, not an integer" },
    { "{\"patternProperties\":{\"^x-\":{}},\"additionalProperties\":false}", "{\"x-a\":1,\"y\":2}", "+y has an unknown key 'y'" },
    { "{\"propertyNames\":{\"pattern\":\"^[a-z]+$\"}}", "{\"Bad\":1}", "+Bad has a key 'Bad' that is 'Bad', which does not match ^[a-z]+$" },
    { "{\"propertyNames\":false}", "{\"a\":1}", "+a has a key 'a' that is not allowed here" },
    { "{\"minProperties\":1}", "{}", " has 0 keys, fewer than 1" },
    { "{\"maxProperties\":1}", "{\"a\":1,\"b\":2}", " has 2 keys, more than 1" },
    { "{\"properties\":{\"old\":false}}", "{\"old\":1}", "/old is not allowed here" },
    { "{\"dependentRequired\":{\"user\":[\"password\"]}}", "{\"user\":1}", "-password lacks 'password', which goes with 'user'" },
    { "{\"dependentRequired\":{\"user\":[\"password\"]}}", "{}", "" },
    { "{\"dependentSchemas\":{\"tls\":{\"required\":[\"ca\"]}}}", "{\"tls\":1}", "-ca lacks 'ca'" },
    { "{\"dependentSchemas\":{\"tls\":{\"required\":[\"ca\"]}}}", "{\"x\":1}", "" },
    { "{\"items\":{\"type\":\"string\"}}", "[\"a\",1,\"b\",2]", "/1 is an integer, not a string\n/3 is an integer, not a string" },
    { "{\"prefixItems\":[{\"type\":\"string\"},{\"type\":\"integer\"}],\"items\":false}", "[1,\"x\"]",
      "/0 is an integer, not a string\n/1 is a string, not an integer" },
    { "{\"prefixItems\":[{\"type\":\"string\"}],\"items\":false}", "[\"a\",1,2]", " has more than 1 item" },
    { "{\"prefixItems\":[{\"type\":\"string\"}],\"items\":{\"type\":\"integer\"}}", "[\"a\",1,\"b\"]", "/2 is a string, not an integer" },
    { "{\"prefixItems\":[{\"type\":\"string\"}]}", "[\"a\",1]", "" },
    { "{\"items\":false}", "[1]", "/0 is not allowed here" },
    { "{\"items\":false}", "[]", "" },
    { "{\"minItems\":2}", "[1]", " has 1 item, fewer than 2" },
    { "{\"maxItems\":0}", "[1]", " has 1 item, more than 0" },
    { "{\"uniqueItems\":true}", "[1,{\"a\":1,\"b\":2},{\"b\":2.0,\"a\":1}]", " has the same item twice: {\"a\":1,\"b\":2}" },
    { "{\"uniqueItems\":true}", "[1,true,\"1\",[1],{\"a\":1}]", "" },
    { "{\"contains\":{\"type\":\"string\"}}", "[1,2]", " has no item of the kind that it must have" },
    { "{\"contains\":{\"type\":\"string\"},\"minContains\":2}", "[\"a\",2]", " has 1 item of the kind of which it must have 2" },
    { "{\"contains\":{\"type\":\"string\"},\"maxContains\":1}", "[\"a\",\"b\"]", " has 2 items of the kind of which it may have 1" },
    { "{\"contains\":{\"type\":\"string\"},\"minContains\":0}", "[]", "" },
    { "{\"minContains\":2,\"maxContains\":1}", "[1]", "" },
    { "{\"allOf\":[{\"minimum\":5},{\"maximum\":1}]}", "3", " is 3, less than 5\n is 3, more than 1" },
    { "{\"not\":{\"type\":\"null\"}}", "null", " is not allowed here" },
    { "{\"if\":{\"properties\":{\"kind\":{\"const\":\"a\"}}},\"then\":{\"required\":[\"x\"]},\"else\":{\"required\":[\"y\"]}}", "{\"kind\":\"a\"}",
      "-x lacks 'x'" },
    { "{\"if\":{\"properties\":{\"kind\":{\"const\":\"a\"}}},\"then\":{\"required\":[\"x\"]},\"else\":{\"required\":[\"y\"]}}", "{\"kind\":\"b\"}",
      "-y lacks 'y'" },
    { "{\"then\":false,\"else\":false}", "1", "" },
    { "false", "1", " is not allowed here" },
    { "true", "1", "" },
    /* several: all are told, each with its place */
    { "{\"properties\":{\"a\":{\"properties\":{\"b\":{\"items\":{\"required\":[\"c\"],\"properties\":{\"d\":{\"type\":\"string\"}}}}}}},\"required\":[\"z\"]}",
      "{\"a\":{\"b\":[{\"c\":1},{\"d\":2}]}}", "-z lacks 'z'\n/a/b/1-c lacks 'c'\n/a/b/1/d is an integer, not a string" },
};

Test(schema, mistakes_are_told_with_their_place)
{
    for (size_t i = 0; i < ARRAY_LEN(mistakes); i++)
        expect_errors(mistakes[i].schema, mistakes[i].value, mistakes[i].errors);
}

/* Where several forms are allowed, the mistakes of the one that was meant. */
static const struct { const char *schema, *value, *errors; } alternatives[] = {
    { "{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"object\",\"required\":[\"window\"]}]}", "{}", "-window lacks 'window'" },
    { "{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"object\",\"required\":[\"window\"]}]}", "7", " is an integer, not a string or a map" },
    { "{\"anyOf\":[{\"required\":[\"a\"]},{\"required\":[\"b\"]}]}", "{}", " fits none of the alternatives: lacks 'a', or lacks 'b'" },
    { "{\"anyOf\":[{\"properties\":{\"n\":{\"type\":\"string\"}}},{\"required\":[\"b\"]}]}", "{\"n\":1}",
      " fits none of the alternatives: at '/n' is an integer, not a string, or lacks 'b'" },
    { "{\"oneOf\":[{\"type\":\"integer\"},{\"minimum\":2}]}", "3", " fits 2 of the alternatives, and must fit one only" },
    { "{\"oneOf\":[{\"$ref\":\"#/$defs/s\"},{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/s\"}}],\"$defs\":{\"s\":{\"type\":\"string\"}}}", "[\"a\",1]",
      "/1 is an integer, not a string" },
    { "{\"anyOf\":[{\"type\":\"string\",\"format\":\"duration\"},{\"type\":\"object\"}]}", "\"5 minutes\"",
      " is '5 minutes', not a duration such as 30s or 5m" },
    { "{\"anyOf\":[false,{\"type\":\"integer\",\"minimum\":3}]}", "1", " is 1, less than 3" },
    { "{\"anyOf\":[{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"null\"}]},{\"type\":\"object\"}]}", "1", " is an integer, not null or a string" },
};

Test(schema, of_alternatives_the_one_that_was_meant_is_explained)
{
    for (size_t i = 0; i < ARRAY_LEN(alternatives); i++)
        expect_errors(alternatives[i].schema, alternatives[i].value, alternatives[i].errors);
}

/* ---- References -------------------------------------------------------------------------------------------------- */

static const struct { const char *schema, *value, *errors; } references[] = {
    { "{\"$ref\":\"#/$defs/a\",\"$defs\":{\"a\":{\"$ref\":\"#/$defs/b\"},\"b\":{\"type\":\"integer\"}}}", "\"x\"", " is a string, not an integer" },
    { "{\"$ref\":\"#/$defs/a\",\"maximum\":5,\"$defs\":{\"a\":{\"minimum\":3}}}", "1", " is 1, less than 3" },
    { "{\"$ref\":\"#/$defs/a\",\"maximum\":5,\"$defs\":{\"a\":{\"minimum\":3}}}", "7", " is 7, more than 5" },
    { "{\"properties\":{\"next\":{\"$ref\":\"#\"}},\"additionalProperties\":false}", "{\"next\":{\"next\":{\"nxt\":1}}}",
      "/next/next+nxt has an unknown key 'nxt'; did you mean 'next'?" },
    { "{\"properties\":{\"a\":{\"$ref\":\"#node\"}},\"$defs\":{\"x\":{\"$anchor\":\"node\",\"type\":\"string\"}}}", "{\"a\":1}",
      "/a is an integer, not a string" },
    { "{\"$defs\":{\"a~b\":{\"type\":\"integer\"},\"c/d\":{\"type\":\"integer\"},\"e%f\":{\"type\":\"integer\"}},"
      "\"properties\":{\"t\":{\"$ref\":\"#/$defs/a~0b\"},\"s\":{\"$ref\":\"#/$defs/c~1d\"},\"p\":{\"$ref\":\"#/$defs/e%25f\"}}}",
      "{\"t\":\"\",\"s\":\"\",\"p\":\"\"}", "/t is a string, not an integer\n/s is a string, not an integer\n/p is a string, not an integer" },
    { "{\"prefixItems\":[{\"type\":\"integer\"},{\"$ref\":\"#/prefixItems/0\"}]}", "[1,\"x\"]", "/1 is a string, not an integer" },
    { "{\"properties\":{\"$ref\":{\"type\":\"string\"}}}", "{\"$ref\":1}", "/$ref is an integer, not a string" },
    /* an anchor's name inside data is data */
    { "{\"properties\":{\"a\":{\"$ref\":\"#n\"},\"b\":{\"const\":{\"$anchor\":\"n\",\"type\":\"null\"}},\"c\":{\"$anchor\":\"n\","
      "\"type\":\"string\"}}}", "{\"a\":1}",
      "/a is an integer, not a string" },
};

Test(schema, references_lead_within_the_document)
{
    for (size_t i = 0; i < ARRAY_LEN(references); i++)
        expect_errors(references[i].schema, references[i].value, references[i].errors);
}

/* ---- Mistakes in schemas ----------------------------------------------------------------------------------------- */

static const struct { const char *schema, *error; } broken[] = {
    { "7", "schema at '': a schema must be an object or a boolean" },
    { "{\"requierd\":[\"a\"]}", "schema at '': the keyword 'requierd' is not supported; did you mean 'required'?" },
    { "{\"properties\":{\"a\":{\"unevaluatedProperties\":false}}}", "schema at '/properties/a': the keyword 'unevaluatedProperties' is not supported" },
    { "{\"type\":\"strin\"}", "schema at '/type': there is no type 'strin'; did you mean 'string'?" },
    { "{\"type\":[]}", "schema at '/type': must be the name of a type or an array of them" },
    { "{\"type\":[1]}", "schema at '/type': must be the name of a type or an array of them" },
    { "{\"type\":7}", "schema at '/type': must be the name of a type or an array of them" },
    { "{\"format\":\"hostnme\"}", "schema at '/format': there is no format 'hostnme'; did you mean 'hostname'?" },
    { "{\"format\":1}", "schema at '/format': must be a string" },
    { "{\"pattern\":\"(?=x)\"}", "schema at '/pattern': the pattern uses look-around or a named group, which is not supported" },
    { "{\"patternProperties\":{\"[\":{}}}", "schema at '/patternProperties': the pattern has a '[' that is not closed" },
    { "{\"properties\":{\"a/b\":{\"minLength\":-1}}}", "schema at '/properties/a~1b/minLength': must be a whole number, 0 or more" },
    { "{\"minItems\":1.5}", "schema at '/minItems': must be a whole number, 0 or more" },
    { "{\"minItems\":\"1\"}", "schema at '/minItems': must be a whole number, 0 or more" },
    { "{\"multipleOf\":0}", "schema at '/multipleOf': must be a number greater than 0" },
    { "{\"minimum\":\"1\"}", "schema at '/minimum': must be a number" },
    { "{\"enum\":[]}", "schema at '/enum': must be an array with something in it" },
    { "{\"enum\":{}}", "schema at '/enum': must be an array with something in it" },
    { "{\"required\":[1]}", "schema at '/required': must be an array of strings" },
    { "{\"required\":true}", "schema at '/required': must be an array of strings" },
    { "{\"dependentRequired\":{\"a\":\"b\"}}", "schema at '/dependentRequired': 'a' must be an array of strings" },
    { "{\"uniqueItems\":1}", "schema at '/uniqueItems': must be true or false" },
    { "{\"properties\":[]}", "schema at '/properties': must be an object" },
    { "{\"properties\":{\"a\":1}}", "schema at '/properties/a': a schema must be an object or a boolean" },
    { "{\"items\":[{}]}", "schema at '/items': a schema must be an object or a boolean" },
    { "{\"allOf\":[]}", "schema at '/allOf': must be an array with something in it" },
    { "{\"anyOf\":[{},7]}", "schema at '/anyOf/1': a schema must be an object or a boolean" },
    { "{\"title\":1}", "schema at '/title': must be a string" },
    { "{\"examples\":1}", "schema at '/examples': must be an array" },
    { "{\"deprecated\":1}", "schema at '/deprecated': must be true or false" },
    { "{\"x-secret\":1}", "schema at '/x-secret': must be true or false" },
    { "{\"$ref\":\"http://example.com/s\"}", "schema at '/$ref': 'http://example.com/s' is not in this document: a reference begins with '#'" },
    { "{\"$ref\":\"#/$defs/a\"}", "schema at '/$ref': there is nothing at '#/$defs/a'" },
    { "{\"$ref\":\"#nowhere\"}", "schema at '/$ref': there is nothing at '#nowhere'" },
    { "{\"$ref\":\"#/title\",\"title\":\"x\"}", "schema at '/title': a schema must be an object or a boolean" },
    { "{\"$ref\":7}", "schema at '/$ref': must be a string" },
    { "{\"items\":{\"$id\":\"x\"}}", "schema at '/items/$id': only the whole document may have an $id" },
    { "{\"$ref\":\"#\"}", "schema at '': refers to itself without end" },
    { "{\"$ref\":\"#/$defs/a\",\"$defs\":{\"a\":{\"anyOf\":[{\"$ref\":\"#/$defs/b\"}]},\"b\":{\"not\":{\"$ref\":\"#/$defs/a\"}}}}",
      "schema at '/$defs/a': refers to itself without end" },
};

Test(schema, mistakes_in_a_schema_are_errors_of_compilation)
{
    for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
        json_auto_t *document = parsed(broken[i].schema);
        struct ft_schema *schema = (struct ft_schema *)&schema;
        struct ft_err err = { 0 };

        cr_expect_eq(ft_schema_compile(document, &schema, &err), -EINVAL, "%s", broken[i].schema);
        cr_expect_str_eq(err.text, broken[i].error, "%s: %s", broken[i].schema, err.text);
        cr_expect_null(schema, "%s", broken[i].schema);
    }
    cr_expect_null(ft_schema_free(NULL));
}

Test(schema, notes_and_x_keywords_are_accepted)
{
    expect_errors("{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"$id\":\"urn:fettle:test\",\"$comment\":\"c\",\"title\":\"t\","
                  "\"description\":\"d\",\"default\":[],\"examples\":[1],\"deprecated\":true,\"x-secret\":false,\"x-anything\":{\"at\":\"all\"}}", "1", "");
}

/* ---- Bounds ------------------------------------------------------------------------------------------------------ */

/* Each definition applies the next one twice. */
static char *doubling(size_t levels)
{
    struct ft_buf text = FT_BUF_INIT(0);

    ft_buf_adds(&text, "{\"$ref\":\"#/$defs/d0\",\"$defs\":{");
    for (size_t i = 0; i < levels; i++)
        ft_buf_addf(&text, "\"d%zu\":{\"allOf\":[{\"$ref\":\"#/$defs/d%zu\"},{\"$ref\":\"#/$defs/d%zu\"}]},", i, i + 1, i + 1);
    ft_buf_addf(&text, "\"d%zu\":{\"type\":\"object\"}}}", levels);
    return ft_buf_take(&text);
}

Test(schema, a_schema_that_multiplies_ends_in_an_error, .timeout = 60)
{
    char *text = doubling(60);
    struct ft_schema *schema = compiled(text);
    json_auto_t *value = parsed("{\"a\":1}"), *filled = NULL;
    struct ft_err err = { 0 };

    cr_expect_eq(ft_schema_require(schema, value, "x", &err), -EINVAL);
    cr_expect_str_eq(err.text, "x: takes too long to be checked");
    filled = ft_schema_fill(schema, value);
    cr_expect(json_equal(filled, value));
    ft_schema_free(schema);
    free(text);
}

Test(schema, a_chain_of_references_is_bounded)
{
    struct ft_buf text = FT_BUF_INIT(0);
    json_auto_t *document = NULL;
    struct ft_schema *schema = NULL;
    struct ft_err err = { 0 };

    ft_buf_adds(&text, "{\"$ref\":\"#/$defs/d0\",\"$defs\":{");
    for (int i = 0; i < 5000; i++)
        ft_buf_addf(&text, "\"d%d\":{\"$ref\":\"#/$defs/d%d\"},", i, i + 1);
    ft_buf_adds(&text, "\"d5000\":{}}}");
    document = parsed(text.data);
    cr_expect_eq(ft_schema_compile(document, &schema, &err), -EINVAL);
    cr_expect(strstr(err.text, "more than 200 schemas apply to one value"), "%s", err.text);
    ft_buf_done(&text);
}

Test(schema, a_large_list_of_unique_items_is_checked_in_time, .timeout = 20)
{
    struct ft_schema *schema = compiled("{\"uniqueItems\":true}");
    json_auto_t *list = json_array();

    for (int i = 0; i < 100000; i++)
        json_array_append_new(list, json_integer(i));
    cr_expect_eq(ft_schema_check(schema, list, NULL, NULL), 0);
    json_array_append_new(list, json_real(77.0));
    cr_expect_eq(ft_schema_check(schema, list, NULL, NULL), 1);
    ft_schema_free(schema);
}

/* ---- Unknown values ---------------------------------------------------------------------------------------------- */

#define UNKNOWN "{\"$unknown\":true}"

static const struct { const char *schema, *value; int errors; } unknowns[] = {
    { "{\"type\":\"integer\"}", UNKNOWN, 0 },
    { "{\"const\":1}", UNKNOWN, 0 },
    { "false", UNKNOWN, 0 },
    { "{\"not\":{}}", UNKNOWN, 0 },
    { "{\"properties\":{\"a\":{\"type\":\"string\"}},\"required\":[\"b\"],\"additionalProperties\":false}", "{\"a\":" UNKNOWN "}", 1 },
    { "{\"properties\":{\"a\":{\"type\":\"string\"}}}", "{\"a\":" UNKNOWN ",\"b\":1}", 0 },
    { "{\"const\":{\"a\":1}}", "{\"a\":" UNKNOWN "}", 0 },
    { "{\"enum\":[[1,2]]}", "[1," UNKNOWN "]", 0 },
    { "{\"not\":{\"properties\":{\"a\":{\"const\":1}}}}", "{\"a\":" UNKNOWN "}", 0 },
    { "{\"oneOf\":[{\"properties\":{\"a\":{\"const\":1}}},{\"properties\":{\"a\":{\"const\":2}}}]}", "{\"a\":" UNKNOWN "}", 0 },
    { "{\"if\":{\"properties\":{\"a\":{\"const\":1}}},\"then\":false}", "{\"a\":" UNKNOWN "}", 0 },
    { "{\"items\":{\"type\":\"integer\"}}", "[1," UNKNOWN ",\"x\"]", 1 },
    { "{\"uniqueItems\":true}", "[" UNKNOWN "," UNKNOWN "]", 0 },
    { "{\"uniqueItems\":true}", "[1,1," UNKNOWN "]", 1 },
    { "{\"contains\":{\"const\":1}}", "[2," UNKNOWN "]", 0 },
    { "{\"contains\":{\"const\":1},\"minContains\":2}", "[2," UNKNOWN "]", 1 },
    { "{\"contains\":{\"const\":1},\"maxContains\":1}", "[1," UNKNOWN "]", 0 },
};

Test(schema, unknown_values_pass_and_known_ones_beside_them_do_not)
{
    for (size_t i = 0; i < ARRAY_LEN(unknowns); i++) {
        struct ft_schema *schema = compiled(unknowns[i].schema);
        json_auto_t *value = parsed(unknowns[i].value);

        cr_expect_eq(ft_schema_check(schema, value, NULL, NULL) > 0, unknowns[i].errors > 0, "%s and %s", unknowns[i].schema, unknowns[i].value);
        ft_schema_free(schema);
    }
}

/* ---- The first mistake as a sentence ----------------------------------------------------------------------------- */

Test(schema, require_says_one_sentence)
{
    struct ft_schema *schema = compiled("{\"properties\":{\"radios\":{\"items\":{\"properties\":{\"band\":{\"enum\":[24,5,6]}}}}},\"required\":[\"site\"]}");
    json_auto_t *missing = parsed("{\"radios\":[{\"band\":7}]}"), *wrong = parsed("{\"site\":1,\"radios\":[{\"band\":7}]}"), *fine = parsed("{\"site\":1}");
    struct ft_err err = { 0 };

    cr_expect_eq(ft_schema_require(schema, missing, "result of mist.rrm", &err), -EINVAL);
    cr_expect_str_eq(err.text, "result of mist.rrm: lacks 'site'");
    cr_expect_eq(err.class, FT_INVALID);
    cr_expect_eq(ft_schema_require(schema, wrong, "result of mist.rrm", &err), -EINVAL);
    cr_expect_str_eq(err.text, "result of mist.rrm: 'radios.0.band' is 7, not one of: 24, 5, 6");
    cr_expect_eq(ft_schema_require(schema, wrong, "x", NULL), -EINVAL);
    cr_expect_eq(ft_schema_require(schema, fine, "x", &err), 0);
    ft_schema_free(schema);
}

/* ---- Defaults ---------------------------------------------------------------------------------------------------- */

static const struct { const char *schema, *value, *filled; } fills[] = {
    { "{\"properties\":{\"a\":{\"default\":1},\"b\":{}}}", "{}", "{\"a\":1}" },
    { "{\"properties\":{\"a\":{\"default\":1}}}", "{\"a\":2,\"z\":3}", "{\"a\":2,\"z\":3}" },
    { "{\"properties\":{\"a\":{\"default\":1}}}", "{\"a\":null}", "{\"a\":null}" },
    { "{\"properties\":{\"z\":{\"default\":1},\"a\":{\"default\":2}}}", "{\"m\":0}", "{\"m\":0,\"z\":1,\"a\":2}" },
    { "{\"properties\":{\"a\":{\"default\":{},\"properties\":{\"b\":{\"default\":1}}}}}", "{}", "{\"a\":{\"b\":1}}" },
    { "{\"properties\":{\"a\":{\"properties\":{\"b\":{\"default\":1}}}}}", "{}", "{}" },
    { "{\"properties\":{\"a\":{\"properties\":{\"b\":{\"default\":1}}}}}", "{\"a\":{}}", "{\"a\":{\"b\":1}}" },
    { "{\"items\":{\"properties\":{\"b\":{\"default\":1}}}}", "[{},{\"b\":2},3]", "[{\"b\":1},{\"b\":2},3]" },
    { "{\"prefixItems\":[{\"properties\":{\"b\":{\"default\":1}}}],\"items\":{\"properties\":{\"c\":{\"default\":2}}}}", "[{},{}]", "[{\"b\":1},{\"c\":2}]" },
    { "{\"additionalProperties\":{\"properties\":{\"b\":{\"default\":1}}},\"properties\":{\"x\":{}}}", "{\"x\":{},\"y\":{}}", "{\"x\":{},\"y\":{\"b\":1}}" },
    { "{\"patternProperties\":{\"^a\":{\"properties\":{\"b\":{\"default\":1}}}}}", "{\"a1\":{},\"c\":{}}", "{\"a1\":{\"b\":1},\"c\":{}}" },
    { "{\"$ref\":\"#/$defs/d\",\"$defs\":{\"d\":{\"properties\":{\"a\":{\"$ref\":\"#/$defs/n\"}}},\"n\":{\"default\":7}}}", "{}", "{\"a\":7}" },
    { "{\"allOf\":[{\"properties\":{\"a\":{\"default\":1}}},{\"properties\":{\"b\":{\"default\":2}}}]}", "{}", "{\"a\":1,\"b\":2}" },
    { "{\"oneOf\":[{\"properties\":{\"k\":{\"const\":1},\"a\":{\"default\":1}},\"required\":[\"k\"]},{\"properties\":{\"k\":{\"const\":2},"
      "\"b\":{\"default\":2}},\"required\":[\"k\"]}]}",
      "{\"k\":2}", "{\"k\":2,\"b\":2}" },
    { "{\"if\":{\"required\":[\"x\"]},\"then\":{\"properties\":{\"a\":{\"default\":1}}},\"else\":{\"properties\":{\"b\":{\"default\":2}}}}", "{}",
      "{\"b\":2}" },
    { "{\"properties\":{\"a\":{\"default\":1}}}", UNKNOWN, UNKNOWN },
    { "{\"properties\":{\"a\":{\"default\":1}}}", "7", "7" },
    { "true", "{\"a\":[{}]}", "{\"a\":[{}]}" },
};

Test(schema, absent_properties_get_their_defaults)
{
    for (size_t i = 0; i < ARRAY_LEN(fills); i++) {
        struct ft_schema *schema = compiled(fills[i].schema);
        json_auto_t *value = parsed(fills[i].value), *before = json_deep_copy(value), *filled = ft_schema_fill(schema, value);
        char *text = ft_json_text(filled);

        cr_expect_str_eq(text, fills[i].filled, "%s and %s gave %s", fills[i].schema, fills[i].value, text);
        cr_expect(json_equal(value, before), "the value itself is not touched");
        free(text);
        ft_schema_free(schema);
    }
}

Test(schema, nothing_at_all_gets_the_default_of_the_whole)
{
    struct ft_schema *schema = compiled("{\"default\":{},\"properties\":{\"a\":{\"default\":1}}}"), *bare = compiled("{}");
    json_auto_t *filled = ft_schema_fill(schema, NULL), *none = ft_schema_fill(bare, NULL);

    cr_expect_eq(ft_json_int(filled, "a", 0), 1);
    cr_expect(json_is_null(none));
    ft_schema_free(schema);
    ft_schema_free(bare);
}

/* ---- Names ------------------------------------------------------------------------------------------------------- */

enum found { CLOSED, OPEN, SOME };

static const char client[] =
    "{\"type\":\"object\",\"properties\":{"
    "\"known\":{\"type\":\"boolean\"},\"ap\":{\"$ref\":\"#/$defs/ap\"},\"tags\":{\"type\":\"object\"},\"any\":true,\"gone\":false,"
    "\"rates\":{\"type\":\"object\",\"additionalProperties\":{\"type\":\"number\"}},"
    "\"by_band\":{\"type\":\"object\",\"patternProperties\":{\"^band_\":{\"type\":\"integer\"}}},"
    "\"extra\":{\"type\":\"object\",\"properties\":{\"a\":{}},\"additionalProperties\":true},"
    "\"shut\":{\"type\":\"object\",\"additionalProperties\":false},"
    "\"both\":{\"allOf\":[{\"$ref\":\"#/$defs/ap\"},{\"properties\":{\"more\":{\"type\":\"string\"}}}]},"
    "\"maybe\":{\"anyOf\":[{\"type\":\"null\"},{\"$ref\":\"#/$defs/ap\"}]},"
    "\"mixed\":{\"oneOf\":[{\"type\":\"object\",\"properties\":{\"x\":{\"type\":\"string\"},\"y\":{\"type\":\"null\"}}},"
    "{\"type\":\"object\",\"properties\":{\"x\":{\"type\":\"integer\"}}}]},"
    "\"loose\":{\"anyOf\":[{\"type\":\"null\"},{\"type\":\"object\"}]},"
    "\"either\":{\"type\":\"object\",\"properties\":{\"a\":{}},\"anyOf\":[{\"required\":[\"a\"]},{\"required\":[\"b\"]}]},"
    "\"cond\":{\"type\":\"object\",\"properties\":{\"k\":{}},\"if\":{\"properties\":{\"k\":{\"const\":1}}},"
      "\"then\":{\"properties\":{\"t\":{\"type\":\"string\"}}}},"
    "\"name\":{\"type\":\"string\"}},"
    "\"$defs\":{\"ap\":{\"type\":[\"object\",\"null\"],\"properties\":{\"id\":{\"type\":\"string\"},\"up\":{\"$ref\":\"#/$defs/ap\"}}}}}";

static const struct { const char *path; enum found found; const char *type; } members[] = {
    { "known", SOME, "boolean" }, { "knwon", CLOSED, NULL }, { "any", SOME, NULL }, { "any.x", OPEN, NULL }, { "gone", CLOSED, NULL },
    { "ap.id", SOME, "string" }, { "ap.up.up.id", SOME, "string" }, { "ap.ip", CLOSED, NULL },
    { "tags", SOME, "object" }, { "tags.x", OPEN, NULL },
    { "rates.low", SOME, "number" }, { "by_band.band_5", SOME, "integer" }, { "by_band.x", CLOSED, NULL },
    { "extra.a", SOME, NULL }, { "extra.b", OPEN, NULL }, { "shut.a", CLOSED, NULL },
    { "both.id", SOME, "string" }, { "both.more", SOME, "string" }, { "both.less", CLOSED, NULL },
    { "maybe.id", SOME, "string" }, { "maybe.ip", CLOSED, NULL },
    { "mixed.y", SOME, "null" }, { "mixed.x", OPEN, NULL }, { "mixed.z", CLOSED, NULL },
    { "loose.x", OPEN, NULL },
    { "either.a", SOME, NULL }, { "either.b", CLOSED, NULL },
    { "cond.t", SOME, "string" }, { "cond.k", SOME, NULL }, { "cond.u", CLOSED, NULL },
    { "name.len", CLOSED, NULL }, { "known.x", CLOSED, NULL },
};

Test(names, members_are_found_through_the_schema)
{
    json_auto_t *root = parsed(client);

    for (size_t i = 0; i < ARRAY_LEN(members); i++) {
        const json_t *schema = root;
        char *path = ft_strdup(members[i].path), *rest = path, *name;
        bool open = false;

        while ((name = strsep(&rest, ".")) && !open)
            schema = ft_schema_member(root, schema, name, &open);
        cr_expect_eq(schema ? SOME : open ? OPEN : CLOSED, members[i].found, "%s", members[i].path);
        if (members[i].type)
            cr_expect(ft_streq(ft_json_str(schema, "type"), members[i].type), "%s", members[i].path);
        free(path);
    }
}

Test(names, nothing_known_means_anything_may_be)
{
    json_auto_t *root = parsed("true"), *shut = parsed("false");
    bool open = false;

    cr_expect_null(ft_schema_member(root, root, "x", &open));
    cr_expect(open);
    open = false;
    cr_expect_null(ft_schema_member(NULL, NULL, "x", &open));
    cr_expect(open);
    cr_expect_null(ft_schema_member(shut, shut, "x", &open));
    cr_expect_not(open);
}

static const struct { const char *schema; enum found found; const char *type; } items[] = {
    { "{\"type\":\"array\",\"items\":{\"type\":\"string\"}}", SOME, "string" },
    { "{\"type\":\"array\"}", OPEN, NULL },
    { "{}", OPEN, NULL },
    { "true", OPEN, NULL },
    { "{\"type\":\"string\"}", CLOSED, NULL },
    { "false", CLOSED, NULL },
    { "{\"type\":\"array\",\"items\":false}", CLOSED, NULL },
    { "{\"type\":\"array\",\"prefixItems\":[{\"type\":\"null\"}],\"items\":{\"type\":\"string\"}}", OPEN, NULL },
    { "{\"$ref\":\"#/$defs/l\",\"$defs\":{\"l\":{\"type\":\"array\",\"items\":{\"type\":\"null\"}}}}", SOME, "null" },
    { "{\"allOf\":[{\"type\":\"array\"},{\"items\":{\"type\":\"number\"}}]}", SOME, "number" },
};

Test(names, items_are_found_through_the_schema)
{
    for (size_t i = 0; i < ARRAY_LEN(items); i++) {
        json_auto_t *root = parsed(items[i].schema);
        bool open = false;
        const json_t *found = ft_schema_items(root, root, &open);

        cr_expect_eq(found ? SOME : open ? OPEN : CLOSED, items[i].found, "%s", items[i].schema);
        if (items[i].type)
            cr_expect(ft_streq(ft_json_str(found, "type"), items[i].type), "%s", items[i].schema);
    }
}

static void expect_names(const char *schema_text, const char *wanted)
{
    json_auto_t *root = parsed(schema_text);
    const char **names = ft_schema_names(root, root);
    struct ft_buf list = FT_BUF_INIT(0);

    for (size_t i = 0; names[i]; i++)
        ft_buf_addf(&list, "%s%s", i ? " " : "", names[i]);
    cr_expect_str_eq(ft_buf_str(&list), wanted, "%s: %s", schema_text, ft_buf_str(&list));
    ft_buf_done(&list);
    free(names);
}

Test(names, are_listed_for_suggestions)
{
    expect_names("{\"properties\":{\"b\":{},\"a\":{},\"gone\":false},\"allOf\":[{\"properties\":{\"c\":{},\"a\":{}}}],"
                 "\"anyOf\":[{\"properties\":{\"d\":{}}},{\"$ref\":\"#/$defs/x\"}],\"$defs\":{\"x\":{\"properties\":{\"e\":{}}}}}", "b a c d e");
    expect_names("{}", "");
    expect_names("true", "");
}

Test(names, a_schema_that_multiplies_says_nothing, .timeout = 10)
{
    char *text = doubling(60);
    json_auto_t *root = parsed(text);
    const char **names = ft_schema_names(root, root);
    bool open = false;

    cr_expect_null(ft_schema_member(root, root, "x", &open));
    cr_expect(open);
    ft_schema_items(root, root, &open);
    free(names);
    free(text);
}
