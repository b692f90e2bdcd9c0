/* The helper library of lua/: the examples of its README are true, complete, and its odd inputs end in sentences. */
#include <dirent.h>
#include <criterion/criterion.h>
#include <string.h>
#include <time.h>
#include "base/buf.h"
#include "base/util.h"
#include "data/json.h"
#include "script/script.h"

static const char *lua_file(const char *name)
{
    static char path[4096];
    const char *source = getenv("FETTLE_SOURCE");

    snprintf(path, sizeof(path), "%s/lua%s%s", source ? source : ".", name[0] ? "/" : "", name);
    return path;
}

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "re");
    struct ft_buf text = FT_BUF_INIT(0);
    char part[4096];
    size_t n;

    cr_assert_not_null(file, "cannot open %s", path);
    while ((n = fread(part, 1, sizeof(part), file)) > 0)
        ft_buf_add(&text, part, n);
    fclose(file);
    return ft_buf_take(&text);
}

/* The value as JSON, or what went wrong; malloced. */
static char *evaluate(struct ft_script *script, const char *text, size_t len)
{
    struct ft_diags *diags = ft_diags_new();
    struct ft_chunk *chunk = ft_chunk_compile(script, FT_CHUNK_EXPRESSION, text, len, NULL, NULL, diags);
    json_t *env = json_object();
    struct ft_eval_result result;
    struct ft_err err = { 0 };
    char *said;

    if (!chunk) {
        said = ft_asprintf("%s", ft_diags_get(diags, 0)->text);
    } else if (ft_chunk_eval(chunk, env, &result, &err) == FT_EVAL_OK) {
        said = ft_json_text(result.value);
        ft_eval_result_done(&result);
    } else {
        said = ft_strdup(err.text);
        ft_eval_result_done(&result);
    }
    ft_chunk_free(chunk);
    ft_diags_free(diags);
    json_decref(env);
    return said;
}

/* `f(x)   --> value   words`: the value ends at its own end, so a string ends at its quote, anything else at a space. */
static size_t value_len(const char *value)
{
    const char *end;

    if (value[0] != '"')
        return strcspn(value, " \n");
    end = strchr(value + 1, '"');
    return end ? (size_t)(end - value) + 1 : strlen(value);
}

Test(lua_library, examples_are_true)
{
    struct ft_script *script = ft_script_new(lua_file(""));
    char *readme = read_file(lua_file("README.md")), *save = NULL;
    unsigned count = 0;

    for (char *line = strtok_r(readme, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *arrow = strstr(line, "--> "), *have, *want;

        if (!arrow)
            continue;
        count++;
        have = evaluate(script, line, (size_t)(arrow - line));
        want = evaluate(script, arrow + 4, value_len(arrow + 4));
        cr_expect_str_eq(have, want, "%s\ngives %s", line, have);
        free(have);
        free(want);
    }
    cr_expect_gt(count, 70);
    free(readme);
    ft_script_free(script);
}

/* Every `function M.name` of the module stands in the page as `module.name(`. */
static void check_documented(const char *module, const char *page)
{
    char *file = ft_asprintf("%s.lua", module), *source = read_file(lua_file(file)), *head = ft_asprintf("-- %s: ", file);
    unsigned count = 0;

    for (const char *at = source; (at = strstr(at, "\nfunction M.")) != NULL; count++) {
        size_t len = strcspn(at += strlen("\nfunction M."), "(");
        char *use = ft_asprintf("%s.%.*s(", module, (int)len, at);

        cr_expect(strstr(page, use), "README.md has no example of %s…)", use);
        free(use);
    }
    cr_expect_gt(count, 0, "%s offers nothing", file);
    cr_expect(strncmp(source, head, strlen(head)) == 0, "%s does not begin with what it is for", file);
    free(source);
    free(file);
    free(head);
}

Test(lua_library, is_documented)
{
    char *page = read_file(lua_file("README.md"));
    DIR *dir = opendir(lua_file(""));
    struct dirent *entry;
    unsigned modules = 0;

    cr_assert_not_null(dir);
    while ((entry = readdir(dir))) {
        size_t len = strlen(entry->d_name);
        char *module = ft_strndup(entry->d_name, len > 4 ? len - 4 : 0);

        if (len > 4 && strcmp(entry->d_name + len - 4, ".lua") == 0) {
            check_documented(module, page);
            modules++;
        }
        free(module);
    }
    closedir(dir);
    cr_expect_geq(modules, 4);
    free(page);
}

static const struct { const char *text, *said; } odd[] = {
    { "rf.signal(\"-70\")", "expression:1:1: rf.signal needs a number, and was given string: rf.signal(\"-70\")" },
    { "rf.retry_ratio(-5, 10)", "null" },
    { "rf.retry_ratio(5, nil)", "null" },
    { "rf.band(nil)", "\"unknown\"" },
    { "rf.band(\"60\")", "\"60\"" },
    { "rf.busiest(nil)", "\"unknown\"" },
    { "sle.score(nil, 5)", "null" },
    { "sle.score(7, 5)", "0.0" },
    { "sle.score_of(nil)", "null" },
    { "sle.worst(nil)", "null" },
    { "sle.worst(list{})", "null" },
    { "sle.share(list{}, \"x\")", "null" },
    { "thresholds.runbook(\"ap_client\", 3)", "expression:1:1: thresholds: the runbook has no levels for 'ap_client': thresholds.runbook(\"ap_client\", 3)" },
    { "thresholds.worst({\"bad\"})", "expression:1:1: thresholds: 'bad' is no level: thresholds.worst({\"bad\"})" },
    { "thresholds.level(5, nil, nil)", "\"ok\"" },
    { "timeutil.epoch(\"yesterday\")", "expression:1:1: timeutil: 'yesterday' is no time, such as 2026-11-21T02:13:05Z: timeutil.epoch(\"yesterday\")" },
    { "timeutil.epoch(\"2026-11-21T02:13:05-05:30\")", "1795246985" },
    { "timeutil.epoch(1741257505123456)", "1741257505.123456" },
    { "timeutil.seconds(\"5 minutes\")", "expression:1:1: timeutil: '5 minutes' is no duration, such as 30s, 5m or 1.5h: timeutil.seconds(\"5 minutes\")" },
    { "timeutil.age(2000, 1000)", "\"0 s\"" },
    { "timeutil.span(3599.7)", "\"1 h\"" },
    { "timeutil.span(0)", "\"0 ms\"" },
    { "timeutil.text(-1)", "\"1969-12-31 23:59:59 UTC\"" },
    { "timeutil.text(253402300799)", "\"1978-01-11 21:31:40 UTC\"" },        /* so large a number is taken for milliseconds */
    { "rf.sgnal(-70)", "rf has no function 'sgnal'; did you mean 'signal'?" },
    { "rf.signals", "rf has no function 'signals'; did you mean 'signal'?" },
    { "tresholds.level(1)", "expression:1:1: attempt to index a nil value (name 'tresholds'): tresholds.level(1) (tresholds = nil)" },
};

Test(lua_library, copes_with_odd_input)
{
    struct ft_script *script = ft_script_new(lua_file(""));

    for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
        char *said = evaluate(script, odd[i].text, strlen(odd[i].text));

        cr_expect_str_eq(said, odd[i].said, "'%s' gives %s", odd[i].text, said);
        free(said);
    }
    ft_script_free(script);
}

/* The calendar against libc's, over four centuries. */
Test(lua_library, knows_the_calendar)
{
    struct ft_script *script = ft_script_new(lua_file(""));

    for (int64_t time = -2208988800; time < 10000000000; time += 86400 * 97 + 3661) {
        char text[64], *ask = ft_asprintf("{timeutil.text(%lld), timeutil.epoch(timeutil.text(%lld):sub(1, 19))}", (long long)time, (long long)time);
        time_t seconds = (time_t)time;
        struct tm tm;
        char *said = evaluate(script, ask, strlen(ask)), *want;

        strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", gmtime_r(&seconds, &tm));
        want = ft_asprintf("[\"%s\",%lld]", text, (long long)time);
        cr_expect_str_eq(said, want);
        free(said);
        free(want);
        free(ask);
    }
    ft_script_free(script);
}

/* ---- Modules that are wrong -------------------------------------------------------------------------------------- */

static const struct { const char *text, *said; } modules[] = {
    { "return {x = 1}", "{\"v\":1}" },
    { "return {", "helper module: broken.lua:1: unexpected symbol near <eof>" },
    { "return 5", "helper module: broken.lua returns no table" },
    { "return {t = {}}", "helper module: broken.lua returns a table in which 't' is a table; offer a function" },
    { "return {1}", "helper module: broken.lua returns a table with a member that has no name" },
    { "oops = 1 return {}", "helper module: broken.lua:1: names are read-only: cannot set 'oops'" },
    { "return {x = os}", "broken has no function 'x'" },
    { "error('no')", "helper module: broken.lua:1: no" },
    { "return broken", "helper module: broken.lua:1: stack overflow|helper module: error in error handling|C stack overflow" },
};

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");

    cr_assert_not_null(file);
    fputs(text, file);
    fclose(file);
}

Test(lua_library, modules_that_are_wrong_say_so)
{
    char dir[] = "/tmp/fettle-lua-XXXXXX", *path;

    cr_assert_not_null(mkdtemp(dir));
    path = ft_asprintf("%s/broken.lua", dir);
    for (size_t i = 0; i < ARRAY_LEN(modules); i++) {
        struct ft_script *script;
        char *said, *first = ft_strdup(modules[i].said), *save = NULL;
        bool found = false;

        write_file(path, modules[i].text);
        script = ft_script_new(dir);
        said = evaluate(script, "{v = broken.x}", 14);
        for (char *one = strtok_r(first, "|", &save); one; one = strtok_r(NULL, "|", &save))
            found = found || strstr(said, one);
        cr_expect(found, "'%s' gives %s", modules[i].text, said);
        free(first);
        free(said);
        ft_script_free(script);
    }
    remove(path);
    remove(dir);
    free(path);
}
