/* Parameters as people and other playbooks give them. */
#include <criterion/criterion.h>
#include "../../language/world.h"
#include "data/json.h"

static struct world *world;

static void set_up(void) { world = world_new(NULL); }
static void tear_down(void) { world_free(world); }

TestSuite(bind, .init = set_up, .fini = tear_down);

static struct ft_playbook *playbook_with(const char *params)
{
    char *text = ft_asprintf("fettle: 1\nname: t\ntitle: T\nparams:\n%ssteps:\n  - run: net.check\n    with: {host: a}\n    then: done\noutcomes:\n  done: {title: Done}\n", params);
    struct ft_diags *diags = ft_diags_new();
    struct ft_playbook *pb = ft_playbook_parse("t.yaml", text, strlen(text), &world->world, diags);

    if (!pb)
        ft_diags_print(diags, stderr, false);
    cr_assert(pb, "%s", params);
    ft_diags_free(diags);
    free(text);
    return pb;
}

/* spec: of the parameter `p`. gives: the value, or what the error says when it begins with !. */
static const struct { const char *spec, *given, *gives; } values[] = {
    { "type: string", "'a b'", "'a b'" },
    { "type: string", "''", "''" },
    { "type: string", "5", "!5 is not a text" },
    { "type: string, pattern: \"^ap-[0-9]+$\"", "'ap-17'", "'ap-17'" },
    { "type: string, pattern: \"^ap-[0-9]+$\"", "'ap-x'", "!'ap-x' does not match the pattern ^ap-[0-9]+$" },
    { "type: string, min: 2", "'a'", "!'a' has 1 characters, and needs at least 2" },
    { "type: string, max: 2", "'äöü'", "!'äöü' has 3 characters, and may have 2" },
    { "type: string, max: 3", "'äöü'", "'äöü'" },
    { "type: int", "'5'", "5" },
    { "type: int", "' 5'", "!' 5' is not a whole number" },
    { "type: int", "'-5'", "-5" },
    { "type: int", "'5.0'", "!'5.0' is not a whole number" },
    { "type: int", "5.0", "5" },
    { "type: int", "5.5", "!5.5 is not a whole number" },
    { "type: int", "''", "!'' is not a whole number" },
    { "type: int", "'99999999999999999999'", "!'99999999999999999999' is not a whole number" },
    { "type: int", "'9007199254740993'", "9007199254740993" },
    { "type: int", "'0x10'", "!'0x10' is not a whole number" },
    { "type: int", "true", "!true is not a whole number" },
    { "type: int, min: 1, max: 3", "'0'", "!'0' is less than 1" },
    { "type: int, min: 1, max: 3", "4", "!4 is more than 3" },
    { "type: number", "'1.5'", "1.5" },
    { "type: number", "'-70'", "-70" },
    { "type: number", "'1e3'", "!'1e3' is not a number" },
    { "type: number", "'nan'", "!'nan' is not a number" },
    { "type: number", "'.'", "!'.' is not a number" },
    { "type: number, max: 1", "'1.01'", "!'1.01' is more than 1" },
    { "type: bool", "'true'", "true" },
    { "type: bool", "'false'", "false" },
    { "type: bool", "'yes'", "!'yes' is neither true nor false" },
    { "type: bool", "true", "true" },
    { "type: bool", "1", "!1 is neither true nor false" },
    { "type: duration", "'90s'", "90000" },
    { "type: duration", "'1.5h'", "5400000" },
    { "type: duration", "'0s'", "0" },
    { "type: duration", "90000", "90000" },                               /* handed on by another playbook */
    { "type: duration", "'30'", "!'30' has no unit: write 30s or 30m" },
    { "type: duration", "'soon'", "!'soon' is no duration: write 30s, 5m, 1.5h, 2d" },
    { "type: duration", "'400d'", "!'400d' is over 366 days" },
    { "type: duration", "-5", "!-5 is no duration" },
    { "type: duration, min: 1m, max: 1h", "'30s'", "!'30s' is less than 1m" },
    { "type: duration, min: 1m, max: 1h", "'2h'", "!'2h' is more than 1h" },
    { "type: time", "'2026-11-21T02:13:00Z'", "'2026-11-21T02:13:00.000Z'" },
    { "type: time", "'2026-11-21T03:13:00+01:00'", "'2026-11-21T02:13:00.000Z'" },
    { "type: time", "'tomorrow'", "!'tomorrow' is no time" },
    { "type: mac", "'A4-83-E7-12-34-56'", "'a4:83:e7:12:34:56'" },
    { "type: mac", "'a483.e712.3456'", "'a4:83:e7:12:34:56'" },
    { "type: mac", "'a483e7123456'", "'a4:83:e7:12:34:56'" },
    { "type: mac", "'a4:83:e7'", "!'a4:83:e7' is not a MAC address" },
    { "type: ip", "'10.1.2.3'", "'10.1.2.3'" },
    { "type: ip", "'2001:DB8:0::0:1'", "'2001:db8::1'" },
    { "type: ip", "'10.1.2.256'", "!'10.1.2.256' is not an IP address" },
    { "type: ip", "'10.1.2.0/24'", "!'10.1.2.0/24' is not an IP address but a network: leave out its /prefix" },
    { "type: cidr", "'10.1.2.0/24'", "'10.1.2.0/24'" },
    { "type: cidr", "'2001:DB8::/32'", "'2001:db8::/32'" },
    { "type: cidr", "'10.1.2.3/24'", "!'10.1.2.3/24' is not a network: bits behind the prefix are set" },
    { "type: cidr", "'10.1.2.3'", "!'10.1.2.3' is an address without a prefix: write 10.1.2.0/24" },
    { "type: cidr", "'HQ'", "!'HQ' is not a network: write 10.1.2.0/24" },
    { "type: site", "'HQ'", "'HQ'" },
    { "type: site", "'  '", "!the text is empty: give a name or an id" },
    { "type: device", "'AP-3F-12'", "'AP-3F-12'" },
    { "type: enum, one_of: [red, green]", "'red'", "'red'" },
    { "type: enum, one_of: [red, green]", "'grene'", "!'grene' is not one of red, green; did you mean 'green'?" },
    { "type: enum, one_of: [red, green]", "5", "!5 is not one of red, green" },
    { "type: list, of: int", "'1, 2,3'", "[1, 2, 3]" },
    { "type: list, of: int", "'[1, 2]'", "[1, 2]" },
    { "type: list, of: int", "[1, '2']", "[1, 2]" },
    { "type: list, of: int", "'1,x'", "!item 2: 'x' is not a whole number" },
    { "type: list, of: mac", "'A483.E712.3456'", "['a4:83:e7:12:34:56']" },
    { "type: list, of: string", "''", "[]" },
    { "type: list, of: string", "' a , b '", "['a', 'b']" },
    { "type: list, of: string", "'[1'", "!'[1' is no list" },
    { "type: list, of: string", "5", "!5 is no list: write a,b,c or a JSON list" },
    { "type: list, of: string, pattern: \"^ap\"", "'ap1,sw1'", "!item 2: 'sw1' does not match the pattern ^ap" },
    { "type: list, of: enum, one_of: [a, b]", "'a,c'", "!item 2: 'c' is not one of a, b" },
    { "type: list, of: string, min: 2", "'a'", "!1 item, and at least 2 are needed" },
    { "type: list, of: string, max: 2", "'a,b,c'", "!3 items, and at most 2 may be given" },
    { "type: secret", "'env:TOKEN'", "{'$secret': {'env': 'TOKEN'}}" },
    { "type: secret", "'file:/etc/token'", "{'$secret': {'file': '/etc/token'}}" },
    { "type: secret", "{'$secret': {'env': 'TOKEN'}}", "{'$secret': {'env': 'TOKEN'}}" },
    { "type: secret", "'hunter2hunter2'", "!give a reference, env:NAME, file:/path, sealed:NAME or vault:path#field, never the secret itself" },
    { "type: secret", "'sealed:radius.key'", "{'$secret': {'sealed': 'radius.key'}}" },
    { "type: secret", "'vault:kv/data/x#f'", "{'$secret': {'vault': 'kv/data/x#f'}}" },
    { "type: secret, release: approved", "'env:TOKEN'", "{'$secret': {'env': 'TOKEN', 'release': 'approved'}}" },
    { "type: secret", "'env:'", "!give a reference" },
    { "type: mac", "{'$unknown': true}", "{'$unknown': true}" },
    { "type: int, default: 5", "null", "5" },
    { "type: int", "null", "" },
};

Test(bind, each_type_takes_what_people_write)
{
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        char *params = ft_asprintf("  p: {%s}\n", values[i].spec), *given_text = ft_asprintf("{'p': %s}", values[i].given);
        struct ft_playbook *pb = playbook_with(params);
        json_t *given = world_json(given_text), *bound = NULL;
        struct ft_err err = { 0 };
        int r = ft_playbook_bind(pb, given, &bound, &err);

        if (values[i].gives[0] == '!') {
            char *says = ft_asprintf("p: %s", values[i].gives + 1);

            cr_expect_eq(r, -EINVAL, "%s took %s", values[i].spec, values[i].given);
            cr_expect(strncmp(err.text, says, strlen(says)) == 0, "%s, %s: %s", values[i].spec, values[i].given, err.text);
            cr_expect_eq(err.class, FT_INVALID);
            cr_expect(!strstr(err.text, "hunter2"), "%s", err.text);
            free(says);
        } else {
            char *expected_text = ft_asprintf(*values[i].gives ? "{'p': %s}" : "{}", values[i].gives);
            json_t *expected = world_json(expected_text);
            char *got = bound ? ft_json_text(bound) : NULL;

            cr_expect_eq(r, 0, "%s refused %s: %s", values[i].spec, values[i].given, err.text);
            cr_expect(bound && json_equal(bound, expected), "%s made %s of %s", values[i].spec, got, values[i].given);
            json_decref(expected);
            free(expected_text);
            free(got);
        }
        json_decref(bound);
        json_decref(given);
        ft_playbook_unref(pb);
        free(params);
        free(given_text);
    }
}

Test(bind, all_mistakes_are_said_at_once)
{
    struct ft_playbook *pb = playbook_with("  client: {type: mac, required: true, help: MAC address of the client}\n  count: {type: int}\n  site: {type: site, required: true}\n");
    json_t *given = world_json("{'count': 'many', 'cleint': 'a4:83:e7:12:34:56'}"), *bound = NULL;
    struct ft_err err = { 0 };

    cr_expect_eq(ft_playbook_bind(pb, given, &bound, &err), -EINVAL);
    cr_expect_str_eq(err.text, "there is no parameter 'cleint'; did you mean 'client'?; client is missing: MAC address of the client; count: 'many' is not a whole number; "
                               "site (site) is missing");
    cr_expect_null(bound);
    json_decref(given);
    ft_playbook_unref(pb);
}

Test(bind, defaults_fill_in_what_is_not_given)
{
    struct ft_playbook *pb = playbook_with("  a: {type: duration, default: 90s}\n  b: {type: mac, default: A483.E712.3456}\n  c: {type: string}\n  d: {type: int, default: 3}\n");
    json_t *given = world_json("{'d': 4}"), *bound = NULL, *expected = world_json("{'a': 90000, 'b': 'a4:83:e7:12:34:56', 'd': 4}");

    cr_assert_eq(ft_playbook_bind(pb, given, &bound, NULL), 0);
    cr_expect(json_equal(bound, expected));
    json_decref(bound);
    json_decref(given);
    json_decref(expected);
    ft_playbook_unref(pb);
}

Test(bind, an_answered_form_is_checked_in_the_same_way)
{
    json_t *fields = world_json("{'port': {'type': 'string', 'required': true, 'pattern': '^ge-'}, 'reseated': {'type': 'bool', 'default': false}}");
    json_t *good = world_json("{'port': 'ge-0/0/1'}"), *bad = world_json("{'prot': 'ge-0/0/1', 'reseated': 'yes'}");
    json_t *expected = world_json("{'port': 'ge-0/0/1', 'reseated': false}"), *bound = NULL;
    struct ft_err err = { 0 };

    cr_assert_eq(ft_fields_bind(fields, good, &bound, &err), 0, "%s", err.text);
    cr_expect(json_equal(bound, expected));
    json_decref(bound);
    bound = NULL;
    cr_expect_eq(ft_fields_bind(fields, bad, &bound, &err), -EINVAL);
    cr_expect_str_eq(err.text, "there is no field 'prot'; did you mean 'port'?; port (string) is missing; reseated: 'yes' is neither true nor false");
    cr_expect_null(bound);
    json_decref(fields);
    json_decref(good);
    json_decref(bad);
    json_decref(expected);
}
