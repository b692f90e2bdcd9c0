#include "script/script.h"
#include "base/arena.h"
#include "base/util.h"
#include "data/json.h"
#include "script/check.h"
#include "script/internal.h"

enum { TEXT_MAX = 1 << 16, QUOTED_MAX = 160, MESSAGE_MAX = 300, SENTENCE_MAX = 900 };
static const uint64_t INSTRUCTIONS = 1000000;
static const size_t BYTES = 8 << 20;

/* What Lua calls the code: its messages begin with this and a line number, which are cut off again. */
static const char CHUNK[] = "=\1";

struct ft_chunk {
    struct ft_script *script;
    enum ft_chunk_kind kind;
    char *text;
    size_t len;
    int function;                     /* registry reference */
    char **names;                     /* ends with NULL */
    char *source;
    struct ft_mark *lines;            /* where each line of the text begins in the file */
    size_t line_count;
};

/* ---- The engine -------------------------------------------------------------------------------------------------- */

static int on_panic(lua_State *L)
{
    (void)L;
    abort();                          /* memory is gone outside of any evaluation */
}

struct ft_script *ft_script_new(const char *lua_dir)
{
    struct ft_script *script = ft_calloc(1, sizeof(*script));
    lua_State *L;

    script->lua_dir = ft_strdup(lua_dir);
    script->ceiling.steps_left = UINT64_MAX;
    ft_script_limits(script, INSTRUCTIONS, BYTES);
    L = script->lua = lua_newstate(ft_ceiling_alloc, &script->ceiling);
    if (!L)
        abort();
    lua_atpanic(L, on_panic);
    *(struct ft_script **)lua_getextraspace(L) = script;
    ft_library_open(L);
    script->libraries = luaL_ref(L, LUA_REGISTRYINDEX);
    ft_views_open(L);
    return script;
}

struct ft_script *ft_script_free(struct ft_script *script)
{
    if (!script)
        return NULL;
    lua_close(script->lua);
    ft_reads_done(&script->reads);
    for (char **module = script->modules; module && *module; module++)
        free(*module);
    free(script->modules);
    free(script->lua_dir);
    free(script);
    return NULL;
}

void ft_script_limits(struct ft_script *script, uint64_t instructions, size_t bytes)
{
    script->ceiling.instructions = ft_max(instructions, (uint64_t)1);
    script->ceiling.bytes = bytes;
}

bool ft_script_is_global(struct ft_script *script, const char *name)
{
    enum ft_library_kind kind = FT_LIBRARY_NONE;

    /* A module that does not load is there all the same. */
    return ft_library_find(script, name, /* member= */ NULL, &kind, /* reterr= */ NULL) < 0 || kind != FT_LIBRARY_NONE;
}

/* ---- Compiling --------------------------------------------------------------------------------------------------- */

struct piece { const char *text; size_t len; };
struct reading { struct piece pieces[2]; size_t next; };

static const char *read_piece(lua_State *L, void *data, size_t *len)
{
    struct reading *reading = data;

    (void)L;
    if (reading->next == ARRAY_LEN(reading->pieces))
        return NULL;
    *len = reading->pieces[reading->next].len;
    return reading->pieces[reading->next++].text;
}

/* Leaves the function, or the message, on the stack. */
static int load(struct ft_script *script, const struct ft_chunk *chunk)
{
    const char *prefix = chunk->kind == FT_CHUNK_EXPRESSION ? "return " : " ";
    struct reading reading = { .pieces = { { prefix, strlen(prefix) }, { chunk->text, chunk->len } } };
    int r;

    ft_ceiling_start(script->lua, &script->ceiling);
    r = lua_load(script->lua, read_piece, &reading, CHUNK, "t");
    ft_ceiling_stop(script->lua, &script->ceiling);
    return r;
}

/* Cuts "\1:12: " off and returns the line, 0 when it is not there. */
static size_t cut_place(const char **message)
{
    char *end;
    size_t line;

    if ((*message)[0] != CHUNK[1] || (*message)[1] != ':')
        return 0;
    line = strtoul(*message + 2, &end, 10);
    *message = end + (*end == ':') + (end[0] == ':' && end[1] == ' ');
    return line;
}

static size_t line_offset(const struct ft_chunk *chunk, size_t line)
{
    const char *at = chunk->text;

    while (line > 1 && (at = strchr(at, '\n')) != NULL) {
        at++;
        line--;
    }
    return at ? (size_t)(at - chunk->text) : 0;
}

/* Lua's message says "at line 3" of the text; people look at the file. */
static void say_syntax_error(struct ft_buf *to, const struct ft_chunk *chunk, const char *message)
{
    static const char words[] = " at line ";
    const char *at = strstr(message, words);
    unsigned long line;
    char *end;

    if (!at) {
        ft_buf_addf(to, "%.300s", message);
        return;
    }
    at += sizeof(words) - 1;
    line = strtoul(at, &end, 10);
    ft_buf_add(to, message, (size_t)(at - message));
    if (line >= 1 && line <= chunk->line_count)
        ft_buf_addf(to, "%u", chunk->lines[line - 1].line);
    ft_buf_addf(to, "%.300s", end);
}

static void report_syntax(const struct ft_chunk *chunk, const struct ft_text_place *place, const struct ft_lua_mistake *mistake,
                          const char *message, struct ft_diags *diags)
{
    struct ft_buf text = FT_BUF_INIT(4096);

    say_syntax_error(&text, chunk, message);
    ft_diags_add(diags, chunk->source, ft_place_mark(place, chunk->text, mistake->at, ft_max(mistake->len, (size_t)1)), mistake->hint,
                 "%s", ft_buf_str(&text));
    ft_buf_done(&text);
}

/* Both must agree: our parser, that knows the place of everything, and Lua. False: the mistake is among the diags. */
static bool compile(struct ft_chunk *chunk, struct ft_arena *mem, const struct ft_text_place *place, const struct ft_lua_node **ret_tree,
                    struct ft_diags *diags)
{
    struct ft_lua_mistake mistake = { 0 };
    lua_State *L = chunk->script->lua;
    bool ok;

    *ret_tree = ft_lua_parse(mem, chunk->text, chunk->len, chunk->kind == FT_CHUNK_EXPRESSION, &mistake);
    if (load(chunk->script, chunk) != LUA_OK) {
        const char *message = lua_tostring(L, -1);
        size_t line = cut_place(&message);

        if (*ret_tree)
            mistake = (struct ft_lua_mistake){ .at = line_offset(chunk, line), .len = 1 };
        report_syntax(chunk, place, &mistake, message, diags);
    } else if (!*ret_tree) {
        report_syntax(chunk, place, &mistake, mistake.text, diags);
    } else {
        chunk->function = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    ok = chunk->function != LUA_NOREF;
    lua_settop(L, 0);
    return ok;
}

static void keep_names(struct ft_chunk *chunk, const char **names, size_t count)
{
    chunk->names = ft_calloc(count + 1, sizeof(char *));
    for (size_t i = 0; i < count; i++)
        chunk->names[i] = ft_strdup(names[i]);
}

static void keep_lines(struct ft_chunk *chunk, const struct ft_text_place *place)
{
    size_t count = 1, offset = 0;

    for (size_t i = 0; i < chunk->len; i++)
        count += chunk->text[i] == '\n';
    chunk->lines = ft_calloc(count, sizeof(*chunk->lines));
    for (; chunk->line_count < count; chunk->line_count++) {
        chunk->lines[chunk->line_count] = ft_place_mark(place, chunk->text, offset, 1);
        offset += strcspn(chunk->text + offset, "\n") + 1;
    }
}

static bool check(struct ft_chunk *chunk, const struct ft_text_place *place, const struct ft_names *names, struct ft_diags *diags)
{
    struct ft_arena *mem = ft_arena_new();
    struct ft_check check = {
        .script = chunk->script, .names = names, .place = place, .diags = diags, .mem = mem, .text = chunk->text,
    };
    size_t before = ft_diags_count(diags);
    const struct ft_lua_node *tree;

    if (compile(chunk, mem, place, &tree, diags))
        ft_check_tree(&check, tree, chunk->kind == FT_CHUNK_EXPRESSION);
    keep_names(chunk, check.read, check.read_count);
    free(check.read);
    ft_arena_free(mem);
    return ft_diags_count(diags) == before;
}

/* False: the text is one that no file should hold. */
static bool is_sane(const struct ft_chunk *chunk, const struct ft_text_place *place, struct ft_diags *diags)
{
    const char *why = NULL;

    if (chunk->len > TEXT_MAX)
        why = "the text is longer than 64 KiB";
    else if (memchr(chunk->text, '\0', chunk->len))
        why = "the text has a NUL byte in it";
    if (why)
        ft_diags_add(diags, chunk->source, ft_place_mark(place, chunk->text, 0, 1), NULL, "%s", why);
    return !why;
}

struct ft_chunk *ft_chunk_compile(struct ft_script *script, enum ft_chunk_kind kind, const char *text, size_t len,
                                  const struct ft_text_place *place, const struct ft_names *names, struct ft_diags *diags)
{
    struct ft_chunk *chunk = ft_calloc(1, sizeof(*chunk));

    chunk->script = script;
    chunk->kind = kind;
    chunk->function = LUA_NOREF;
    chunk->text = memcpy(ft_calloc(1, len + 1), text, len);
    chunk->len = len;
    chunk->source = ft_strdup(place ? place->source : "expression");
    script->chunks++;
    if (!is_sane(chunk, place, diags))
        return ft_chunk_free(chunk);
    keep_lines(chunk, place);
    return check(chunk, place, names, diags) ? chunk : ft_chunk_free(chunk);
}

struct ft_chunk *ft_chunk_free(struct ft_chunk *chunk)
{
    if (!chunk)
        return NULL;
    luaL_unref(chunk->script->lua, LUA_REGISTRYINDEX, chunk->function);
    chunk->script->chunks--;
    for (char **name = chunk->names; name && *name; name++)
        free(*name);
    free(chunk->names);
    free(chunk->lines);
    free(chunk->source);
    free(chunk->text);
    free(chunk);
    return NULL;
}

const char *ft_chunk_text(const struct ft_chunk *chunk) { return chunk->text; }
const char *const *ft_chunk_names(const struct ft_chunk *chunk) { return (const char *const *)chunk->names; }

/* ---- What went wrong --------------------------------------------------------------------------------------------- */

/* Finds the line of the code, also when a library or a helper module raised. */
static int note_line(lua_State *L)
{
    struct ft_script *script = ft_script_of(L);
    lua_Debug ar;

    for (int level = 0; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sl", &ar);
        if (strcmp(ar.source, CHUNK) == 0 && ar.currentline > 0) {
            script->error_line = (size_t)ar.currentline;
            break;
        }
    }
    return 1;
}

/* The expression, or the line of the block, as one line. */
static struct piece text_at(const struct ft_chunk *chunk, size_t line)
{
    struct piece piece = { chunk->text, chunk->len };

    if (chunk->kind == FT_CHUNK_BLOCK) {
        piece.text += line_offset(chunk, line);
        piece.len = strcspn(piece.text, "\r\n");
    }
    while (piece.len > 0 && strchr(" \t\r\n", piece.text[0])) {
        piece.text++;
        piece.len--;
    }
    while (piece.len > 0 && strchr(" \t\r\n", piece.text[piece.len - 1]))
        piece.len--;
    return piece;
}

static void say_text(struct ft_buf *to, struct piece piece)
{
    size_t cut = ft_min(piece.len, (size_t)QUOTED_MAX);

    while (cut < piece.len && cut > 0 && ((unsigned char)piece.text[cut] & 0xc0) == 0x80)
        cut--;
    for (size_t i = 0; i < cut; i++)
        ft_buf_addc(to, strchr("\r\n\t", piece.text[i]) ? ' ' : piece.text[i]);
    if (cut < piece.len)
        ft_buf_adds(to, "…");
}

/* Lua's words with ours in their places. */
static void say_in_our_words(struct ft_buf *to, const char *message)
{
    static const struct { const char *lua, *ours; } words[] = {
        { "(global '", "(name '" }, { " a object value", " an object" }, { " a list value", " a list" },
    };
    const char *end = message + strnlen(message, MESSAGE_MAX);

    while (message < end) {
        size_t i = 0;

        while (i < ARRAY_LEN(words) && strncmp(message, words[i].lua, strlen(words[i].lua)) != 0)
            i++;
        if (i < ARRAY_LEN(words)) {
            ft_buf_adds(to, words[i].ours);
            message += strlen(words[i].lua);
        } else {
            ft_buf_addc(to, *message++);
        }
    }
}

static void say_message(struct ft_buf *to, struct ft_script *script, int status)
{
    lua_State *L = script->lua;
    const char *message = lua_tostring(L, -1);
    char reason[80];

    if (status == LUA_ERRMEM) {
        ft_buf_adds(to, ft_ceiling_reason(&script->ceiling, reason, sizeof(reason)));
        return;
    }
    if (!message) {
        ft_buf_addf(to, "the code raised an error that is %s", ft_value_word(L, -1));
        return;
    }
    cut_place(&message);
    say_in_our_words(to, message);
}

static enum ft_eval fail(const struct ft_chunk *chunk, int status, struct ft_err *reterr)
{
    struct ft_script *script = chunk->script;
    size_t line = ft_min(ft_max(script->error_line, (size_t)1), chunk->line_count);
    const struct ft_mark *mark = &chunk->lines[chunk->kind == FT_CHUNK_BLOCK ? line - 1 : 0];
    struct piece text = text_at(chunk, line);
    struct ft_buf sentence = FT_BUF_INIT(1 << 16);

    ft_buf_addf(&sentence, "%s:%u:%u: ", chunk->source, mark->line, mark->column);
    say_message(&sentence, script, status);
    ft_buf_adds(&sentence, ": ");
    say_text(&sentence, text);
    ft_reads_say(&script->reads, text.text, text.len, &sentence);
    if (sentence.len > SENTENCE_MAX) {
        sentence.len = SENTENCE_MAX;
        while (((unsigned char)sentence.data[sentence.len] & 0xc0) == 0x80)
            sentence.len--;
        ft_buf_adds(&sentence, "…");
    }
    ft_err_class(reterr, FT_INVALID, -EINVAL, "%s", ft_buf_str(&sentence));
    ft_buf_done(&sentence);
    return FT_EVAL_ERROR;
}

/* ---- Evaluating -------------------------------------------------------------------------------------------------- */

/* (result, whether it must be a table) */
static int take(lua_State *L)
{
    if (lua_toboolean(L, 2) && !lua_istable(L, 1) && !lua_isuserdata(L, 1))
        luaL_error(L, "the block returned %s, not a table", ft_value_word(L, 1));
    ft_result_take(L, 1);
    return 0;
}

/* The commonest answers need no protection: nothing in them can raise. */
static json_t *simple_result(lua_State *L)
{
    switch (lua_type(L, -1)) {
    case LUA_TNIL:     return json_null();
    case LUA_TBOOLEAN: return json_boolean(lua_toboolean(L, -1));
    case LUA_TNUMBER:  return lua_isinteger(L, -1) ? json_integer(lua_tointeger(L, -1)) : NULL;
    default:           return NULL;
    }
}

static int run(const struct ft_chunk *chunk)
{
    struct ft_script *script = chunk->script;
    lua_State *L = script->lua;
    int status;

    lua_pushcfunction(L, note_line);
    lua_rawgeti(L, LUA_REGISTRYINDEX, chunk->function);
    status = lua_pcall(L, 0, 1, 1);
    if (status != LUA_OK)
        return status;
    script->result = chunk->kind == FT_CHUNK_EXPRESSION ? simple_result(L) : NULL;
    if (script->result)
        return LUA_OK;
    lua_pushcfunction(L, take);
    lua_insert(L, -2);
    lua_pushboolean(L, chunk->kind == FT_CHUNK_BLOCK);
    return lua_pcall(L, 2, 0, 0);
}

static json_t *unknown_because(struct ft_script *script)
{
    struct ft_buf why = FT_BUF_INIT(4096);
    const char *inner = ft_json_str(script->unknown.value, "why");
    json_t *value;

    ft_reads_path(&script->reads, script->unknown.read, &why);
    ft_buf_addf(&why, "%s%s", why.len ? " is not known" : "a value is not known", inner ? ": " : "");
    ft_buf_adds(&why, inner ? inner : "");
    value = ft_unknown(ft_buf_str(&why));
    ft_buf_done(&why);
    return value;
}

static enum ft_eval answer(const struct ft_chunk *chunk, int status, struct ft_eval_result *ret, struct ft_err *reterr)
{
    struct ft_script *script = chunk->script;
    lua_State *L = script->lua;

    ret->value = script->result;
    script->result = NULL;
    if (status == LUA_OK)
        return FT_EVAL_OK;
    json_decref(ret->value);
    ret->value = NULL;
    if (lua_touserdata(L, -1) != &script->unknown)
        return fail(chunk, status, reterr);
    ret->value = unknown_because(script);
    return FT_EVAL_UNKNOWN;
}

enum ft_eval ft_chunk_eval(const struct ft_chunk *chunk, const json_t *env, struct ft_eval_result *ret, struct ft_err *reterr)
{
    struct ft_script *script = chunk->script;
    enum ft_eval result;
    int status;

    script->env = env;
    script->evaluation++;
    script->error_line = 0;
    ft_reads_clear(&script->reads);
    ft_ceiling_start(script->lua, &script->ceiling);
    status = run(chunk);
    ft_ceiling_stop(script->lua, &script->ceiling);
    result = answer(chunk, status, ret, reterr);
    ret->reads = ft_reads_json(&script->reads);
    lua_settop(script->lua, 0);
    script->env = NULL;
    return result;
}

void ft_eval_result_done(struct ft_eval_result *result)
{
    json_decref(result->value);
    json_decref(result->reads);
    *result = (struct ft_eval_result){ 0 };
}
