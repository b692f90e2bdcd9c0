/* The exec plugin: what it lets through, and what it makes of a program's end. Programs that really run: test_programs.py. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include "fake_host.h"

#define CONFIG "{'allow': ['/opt/checks/check-radius', 'jq'], 'env': {'HOME': '/var/lib/x'}, 'secrets': {'radius': 'sesame42'}}"

static struct fake_host *exec_host(void)
{
    struct fake_host *f = fake_host_new("exec");

    fake_config(f, CONFIG);
    return f;
}

static const struct { const char *params; const char *started; enum ft_class class; const char *says; } asked[] = {
    { "{'argv': ['jq', '.a b', 5, 1.5, true]}", "jq", 0, NULL },
    { "{'argv': ['check-radius']}", "/opt/checks/check-radius", 0, NULL },
    { "{'argv': ['/opt/checks/check-radius']}", "/opt/checks/check-radius", 0, NULL },
    { "{'argv': ['sh', '-c', 'jq']}", NULL, FT_DENIED, "plugins.exec.allow" },
    { "{'argv': ['/usr/bin/jq']}", NULL, FT_DENIED, "plugins.exec.allow" },                       /* jq is allowed, not any path to one */
    { "{'argv': ['./jq']}", NULL, FT_DENIED, "plugins.exec.allow" },
    { "{'argv': ['checks/check-radius']}", NULL, FT_DENIED, "plugins.exec.allow" },
    { "{'argv': ['/opt/checks/../checks/check-radius']}", NULL, FT_DENIED, "plugins.exec.allow" },
    { "{'argv': ['']}", NULL, FT_DENIED, "plugins.exec.allow" },
    { "{'argv': []}", NULL, FT_INVALID, "argv" },
    { "{'argv': ['jq', {'a': 1}]}", NULL, FT_INVALID, "argv" },
    { "{'argv': ['jq', '--key=sesame42']}", NULL, FT_INVALID, "the secret 'radius'" },
    { "{'argv': ['jq'], 'env': {'PATH': '/tmp'}}", NULL, FT_DENIED, "PATH" },
    { "{'argv': ['jq'], 'env': {'LD_PRELOAD': '/tmp/x.so'}}", NULL, FT_DENIED, "LD_PRELOAD" },
    { "{'argv': ['jq'], 'secret_env': {'LD_AUDIT': 'radius'}}", NULL, FT_DENIED, "LD_AUDIT" },
    { "{'argv': ['jq'], 'secret_env': {'KEY': 'nobody'}}", NULL, FT_NOT_FOUND, "plugins.exec.secrets.nobody" },
    { "{'argv': ['jq'], 'env': {'A=B': 'x'}}", NULL, FT_INVALID, "A=B" },
    { "{'argv': ['jq'], 'input': 'x', 'input_json': 1}", NULL, FT_INVALID, "" },
};

Test(exec, only_what_is_allowed_is_started)
{
    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        struct fake_host *f = exec_host();
        const struct fake_result *r;

        FAKE_EXEC(f, .out = "fine");
        r = fake_run(f, "command", "run", asked[i].params, NULL);
        cr_expect_eq(r->ok, asked[i].started != NULL, "%s: %s", asked[i].params, r->error);
        cr_expect_eq(json_array_size(r->execs), asked[i].started ? 1 : 0, "%s", asked[i].params);
        cr_expect_not(strstr(r->error, "sesame42"), "%s: %s", asked[i].params, r->error);
        if (asked[i].started) {
            cr_expect_str_eq(fake_str(r->execs, "0.argv.0"), asked[i].started, "%s", asked[i].params);
        } else {
            cr_expect_eq(r->class, asked[i].class, "%s: %s", asked[i].params, ft_class_name(r->class));
            cr_expect(strstr(r->error, asked[i].says), "%s: %s", asked[i].params, r->error);
        }
        fake_host_free(f);
    }
}

Test(exec, nothing_is_allowed_by_itself)
{
    struct fake_host *f = fake_host_new("exec");
    const struct fake_result *r = fake_run(f, "command", "run", "{'argv': ['true']}", NULL);

    cr_expect_eq(r->class, FT_DENIED);
    fake_host_free(f);
}

Test(exec, arguments_stay_what_they_are)
{
    struct fake_host *f = exec_host();
    const struct fake_result *r;

    FAKE_EXEC(f, .out = "");
    r = fake_run(f, "command", "run", "{'argv': ['jq', '$(reboot)', 'a b', '', 5, 1.5, false], 'input_json': {'b': 1, 'a': [null]}}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(fake_equals(fake_at(r->execs, "0.argv"), "['jq', '$(reboot)', 'a b', '', '5', '1.5', 'false']"));
    cr_expect_str_eq(fake_str(r->execs, "0.input"), "{\"b\":1,\"a\":[null]}\n");
    fake_host_free(f);
}

static const struct {
    const char *more; int status; const char *out, *err; enum ft_class fault; bool ok; enum ft_class class; const char *says;
} ends[] = {
    { "", 0, "one\ntwo\n", "", 0, true, 0, NULL },
    { "", 3, "", "a\nb\nc\n\n  d: no answer\n", 0, false, FT_REFUSED, "status 3: c | d: no answer" },
    { "", 3, "said on stdout\n", "", 0, false, FT_REFUSED, "status 3: said on stdout" },
    { "", 1, "", "", 0, false, FT_REFUSED, "status 1, and said nothing" },
    { "", 1, "", "col\tor\x1b[31m\n", 0, false, FT_REFUSED, "col or [31m" },
    { "", 2, "", "the key is sesame42\n", 0, false, FT_REFUSED, "the key is ***" },
    { ", 'ok_status': [0, 3]", 3, "x", "", 0, true, 0, NULL },
    { ", 'ok_status': [3]", 0, "x", "", 0, false, FT_REFUSED, "status 0" },
    { ", 'json': true", 0, "{\"a\": 9007199254740993}", "", 0, true, 0, NULL },
    { ", 'json': true", 0, "", "no input\n", 0, false, FT_INVALID, "wrote nothing; it said: no input" },
    { ", 'json': true", 0, "{\"a\": 1} trailing", "", 0, false, FT_INVALID, "should have written JSON" },
    { ", 'json': true", 0, "{\"a\": 1, \"a\": 2}", "", 0, false, FT_INVALID, "duplicate" },
    { ", 'json': true", 0, "{\"a\": [1, 2", "", 0, false, FT_INVALID, "line 1" },
    { ", 'json': true", 0, "<html>", "", 0, false, FT_INVALID, "should have written JSON" },
    { ", 'json': true", 1, "{\"a\": 1}", "down", 0, false, FT_REFUSED, "down" },                 /* a failure is not hidden by JSON */
    { "", 0, NULL, NULL, FT_NOT_FOUND, false, FT_NOT_FOUND, "'jq': no luck" },
    { "", 0, NULL, NULL, FT_REFUSED, false, FT_REFUSED, "'jq': no luck" },
};

Test(exec, a_programs_end)
{
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        struct fake_host *f = exec_host();
        char params[200];
        const struct fake_result *r;

        snprintf(params, sizeof(params), "{'argv': ['jq']%s}", ends[i].more);
        FAKE_EXEC(f, .exit_status = ends[i].status, .out = ends[i].out, .err = ends[i].err, .fault = ends[i].fault, .why = ends[i].fault ? "no luck" : NULL);
        r = fake_run(f, "command", "run", params, NULL);
        cr_expect_eq(r->ok, ends[i].ok, "%zu: %s", i, r->error);
        if (ends[i].ok) {
            cr_expect_eq(fake_int(r->result, "status"), ends[i].status, "%zu", i);
            cr_expect_str_eq(fake_str(r->result, "out"), ends[i].out, "%zu", i);
        } else {
            cr_expect_eq(r->class, ends[i].class, "%zu: %s", i, ft_class_name(r->class));
            cr_expect(strstr(r->error, ends[i].says), "%zu: %s", i, r->error);
        }
        fake_host_free(f);
    }
}

Test(exec, large_numbers_survive)
{
    struct fake_host *f = exec_host();
    const struct fake_result *r;

    FAKE_EXEC(f, .out = "{\"a\": 9007199254740993}");
    r = fake_run(f, "command", "run", "{'argv': ['jq'], 'json': true}", NULL);
    cr_expect_eq(fake_int(r->result, "json.a"), 9007199254740993);
    fake_host_free(f);
}

Test(exec, output_that_is_no_text_is_null)
{
    struct fake_host *f = exec_host();
    const struct fake_result *r;

    FAKE_EXEC(f, .out = "\xff\xfe");
    r = fake_run(f, "command", "run", "{'argv': ['jq']}", NULL);
    cr_assert(r->ok, "%s", r->error);
    cr_expect(json_is_null(fake_at(r->result, "out")));
    cr_expect_eq(fake_int(r->result, "bytes"), 2);
    fake_host_free(f);
}

Test(exec, the_plan_shows_the_command_and_no_secret)
{
    struct fake_host *f = exec_host();
    const struct fake_result *r = fake_run(f, "command", "plan", "{'argv': ['check-radius', 'it\\u0027s', '', 7], 'input': 'in', 'env': {'A': 'b'}, 'secret_env': {'KEY': 'radius'}}", NULL);
    char *text;

    cr_assert(r->ok, "%s", r->error);
    text = json_dumps(r->result, 0);
    cr_expect_not(strstr(text, "sesame42"), "%s", text);
    cr_expect_eq(json_array_size(r->execs), 0);
    cr_expect_str_eq(fake_str(r->result, "requests.0.commands.0"), "/opt/checks/check-radius 'it'\\''s' '' 7");
    cr_expect_str_eq(fake_str(r->result, "requests.0.env.KEY"), "***");
    cr_expect_str_eq(fake_str(r->result, "requests.0.env.HOME"), "/var/lib/x");
    cr_expect_str_eq(fake_str(r->result, "requests.0.input"), "in");
    free(text);
    fake_host_free(f);
}
