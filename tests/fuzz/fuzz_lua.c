/* fuzz_lua.c: texts of conditions and blocks, checked, compiled and evaluated. What is refused has a reason and a place; what runs ends soon,
 * with a value that can be printed, with "unknown", or with a sentence. And our parser and Lua's agree on what is Lua: what one of them
 * overlooked, the check would not have seen. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <lauxlib.h>
#include "base/arena.h"
#include "base/util.h"
#include "data/json.h"
#include "script/parse.h"
#include "script/script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char env_text[] =
    "{\"association\": {\"associated\": true, \"rssi\": -71, \"ap\": {\"name\": \"AP-1\"}, \"events\": [\"a\", null, {\"n\": 1}], \"band\": \"5\"},"
    " \"client\": \"a4:83:e7:12:34:56\", \"floor\": -70, \"later\": {\"$unknown\": true}, \"list\": [3, 1, 2], \"big\": 9007199254740993, \"x\": null}";
static const char schema_text[] =
    "{\"type\": \"object\", \"additionalProperties\": false, \"properties\": {\"associated\": {\"type\": \"boolean\"}, \"rssi\": {\"type\": \"number\"},"
    " \"ap\": {\"type\": \"object\", \"properties\": {\"name\": {\"type\": \"string\"}}}, \"events\": {\"type\": \"array\", \"items\": {\"type\": \"string\"}},"
    " \"band\": {\"enum\": [\"24\", \"5\"]}}}";

static struct ft_script *script;
static lua_State *lua;
static json_t *env, *schema;

static void start(void)
{
    if (script)
        return;
    script = ft_script_new(NULL);
    ft_script_limits(script, 50000, 1 << 20);
    lua = luaL_newstate();
    env = json_loads(env_text, 0, NULL);
    schema = json_loads(schema_text, 0, NULL);
}

static bool lookup(void *arg, const char *name, struct ft_name_type *ret, const char **ret_why)
{
    (void)arg;
    (void)ret_why;
    if (strcmp(name, "association") == 0)
        *ret = (struct ft_name_type){ .root = schema, .schema = schema, .note = "mist.client_status" };
    return json_object_get(env, name) != NULL;
}

static void fail(const char *what, const char *detail)
{
    fprintf(stderr, "%s: %s\n", what, detail);
    abort();
}

/* ---- Two parsers, one language ----------------------------------------------------------------------------------- */

static bool has_one_of(const char *text, const char *const *parts)
{
    while (*parts && !strstr(text, *parts))
        parts++;
    return *parts != NULL;
}

static void compare_parsers(const char *text, size_t len)
{
    static const char *const only_ours[] = { "_ENV", "goto", "nested too deeply", "too many local variables", NULL };
    static const char *const only_lua[] = {
        "const variable", "to-be-closed", "levels", "overflow", "too many", "not enough memory", "control structure too long", NULL,
    };
    struct ft_arena *mem = ft_arena_new();
    struct ft_lua_mistake mistake = { 0 };
    const struct ft_lua_node *tree = ft_lua_parse(mem, text, len, false, &mistake);
    char *spaced = ft_asprintf(" %s", text);                 /* a first byte ESC would mean a compiled chunk */
    bool lua_takes_it = luaL_loadbufferx(lua, spaced, len + 1, "=x", "t") == LUA_OK;

    if (tree && !lua_takes_it && !has_one_of(lua_tostring(lua, -1), only_lua))
        fail("only Lua refuses", lua_tostring(lua, -1));
    if (!tree && (!mistake.text || mistake.at > len))
        fail("refused without a reason or a place", text);
    if (!tree && lua_takes_it && !has_one_of(mistake.text, only_ours))
        fail("only we refuse", mistake.text);
    lua_settop(lua, 0);
    free(spaced);
    ft_arena_free(mem);
}

/* ---- Through the front door -------------------------------------------------------------------------------------- */

static void evaluate(const struct ft_chunk *chunk)
{
    struct ft_eval_result result;
    struct ft_err err = { 0 };
    enum ft_eval answer = ft_chunk_eval(chunk, env, &result, &err);
    char *text = NULL;

    if (answer == FT_EVAL_ERROR && (err.code >= 0 || !err.text[0] || result.value))
        fail("an error without a sentence", ft_chunk_text(chunk));
    if (answer == FT_EVAL_UNKNOWN && !ft_is_unknown(result.value))
        fail("unknown, but known", ft_chunk_text(chunk));
    if (answer == FT_EVAL_OK && !(text = ft_json_text(result.value)))
        fail("a value that cannot be printed", ft_chunk_text(chunk));
    if (!json_is_object(result.reads))
        fail("no reads", ft_chunk_text(chunk));
    free(text);
    ft_eval_result_done(&result);
}

static void compile(enum ft_chunk_kind kind, const char *text, size_t len, const struct ft_names *names)
{
    struct ft_diags *diags = ft_diags_new();
    struct ft_chunk *chunk = ft_chunk_compile(script, kind, text, len, NULL, names, diags);

    if (chunk && ft_diags_count(diags))
        fail("taken in spite of mistakes", text);
    if (!chunk && !ft_diags_count(diags))
        fail("refused without a reason", text);
    for (size_t i = 0; i < ft_diags_count(diags); i++)
        if (!ft_diags_get(diags, i)->text[0] || !ft_diags_get(diags, i)->mark.line)
            fail("a mistake without words or place", text);
    if (chunk)
        evaluate(chunk);
    ft_chunk_free(chunk);
    ft_diags_free(diags);
}

static double cpu_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ft_names names = { .lookup = lookup };
    char *text;
    double before;

    start();
    text = memcpy(ft_calloc(1, size + 1), data, size);
    before = cpu_seconds();
    if (!memchr(text, '\0', size))
        compare_parsers(text, size);
    compile(FT_CHUNK_EXPRESSION, text, size, &names);
    compile(FT_CHUNK_BLOCK, text, size, &names);
    compile(FT_CHUNK_BLOCK, text, size, NULL);
    if (cpu_seconds() - before > 10)
        fail("it takes too long", text);
    free(text);
    return 0;
}
