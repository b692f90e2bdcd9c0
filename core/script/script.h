/* script.h: sandboxed Lua 5.4 for conditions and short computations: compiled once, evaluated under ceilings of instructions and
 * memory, without I/O and without side effects. lua_State stays in here.
 *
 * Names. An expression reads names (`association.ap_id`, `rssi_floor`) from an environment given at evaluation: one JSON object whose members
 * are the names. JSON values appear in Lua as read-only views: objects are indexed by field, lists by 1..#list (also ipairs, pairs);
 * null and absent both read as nil; the constant `null` writes one. 64-bit integers stay exact. Values that pass through unchanged keep
 * what a Lua table would lose (null members, empty list or object). A Lua table made by the code becomes a list when its keys are 1..n (n > 0), an
 * object when they are strings, an empty table an empty object; `list{}` makes an empty list. Assigning to a global or to a view is an error.
 *
 * Unknown. Reading an unknown value (data/json.h) ends the evaluation, whose answer is then FT_EVAL_UNKNOWN; `and`/`or` keep their
 * short cuts because nothing was read.
 *
 * Helpers: every module lua/<name>.lua of fettle's own directory is the global <name> (thresholds, rf, sle, timeutil …), loaded on first use; plus
 * math, string (bounded subjects and repeats; no dump), table, utf8, and ipairs pairs select tostring tonumber type next assert error
 * null list has(object, key) contains(list, value). No pcall, load, require, io, os, debug, coroutine, metatables.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <jansson.h>
#include "base/err.h"
#include "data/diag.h"

struct ft_script;         /* one engine: a Lua state with the helpers */
struct ft_chunk;          /* one compiled text; counted by its owner, immutable; belongs to a script */

struct ft_script *ft_script_new(const char *lua_dir);          /* NULL: no helper modules */
struct ft_script *ft_script_free(struct ft_script *script);    /* all its chunks must be freed before */
void ft_script_limits(struct ft_script *script, uint64_t instructions, size_t bytes);   /* defaults 1,000,000 and 8 MiB an evaluation */

/* Whether every expression knows the name: it is one of Lua's, a helper's or a helper module's. */
bool ft_script_is_global(struct ft_script *script, const char *name);

/* Where a text stands, so that errors inside it have a place in the file. `place(arg, offset, len)` maps a byte offset of the text. */
struct ft_text_place {
    const char *source;                                         /* file name in diagnostics */
    struct ft_mark (*mark)(const void *arg, size_t offset, size_t len);
    const void *arg;
};

/* What a name is, for the check at load. */
struct ft_name_type {
    const json_t *root, *schema;      /* JSON Schema of its value; schema NULL: anything */
    const char *note;                 /* for people: "mist.client_stats" or "parameter"; may be NULL */
};
/* Returns false if there is no such name. `why` may get a sentence that replaces "unknown name 'x'" (a step that runs later). */
typedef bool ft_name_lookup(void *arg, const char *name, struct ft_name_type *ret_type, const char **ret_why);
struct ft_names {
    ft_name_lookup *lookup;
    const char *const *(*all)(void *arg);      /* every name, for suggestions; ends with NULL; may be NULL */
    void *arg;
};

enum ft_chunk_kind { FT_CHUNK_EXPRESSION, FT_CHUNK_BLOCK };    /* a condition | a `lua: |` block that returns a table */

/* Compiles, and checks every name and every constant field path against `names`: unknown names, fields a closed schema does not have, calls of
 * helpers that do not exist, assignments to globals, and (where types are known from constants and schemas) comparisons that can never be right,
 * such as a number with a string. All mistakes go to diags. Returns NULL if there was any. names NULL: names are not checked. */
struct ft_chunk *ft_chunk_compile(struct ft_script *script, enum ft_chunk_kind kind, const char *text, size_t len,
                                  const struct ft_text_place *place, const struct ft_names *names, struct ft_diags *diags);
struct ft_chunk *ft_chunk_free(struct ft_chunk *chunk);
const char *ft_chunk_text(const struct ft_chunk *chunk);
/* The global names that it reads (for graphs and dependency checks); ends with NULL; borrowed. */
const char *const *ft_chunk_names(const struct ft_chunk *chunk);

enum ft_eval { FT_EVAL_OK = 0, FT_EVAL_UNKNOWN = 1, FT_EVAL_ERROR = -1 };
struct ft_eval_result {
    json_t *value;            /* FT_EVAL_OK: new reference (json_null() for nil). FT_EVAL_UNKNOWN: ft_unknown() with why */
    json_t *reads;            /* {"association.associated": false, …}: scalars read, lists and objects in brief; always set, new reference */
};
/* env: object whose members are the names, borrowed. On FT_EVAL_ERROR reterr has the sentence: its place, what went wrong, the expression, and the
 * values it read. */
enum ft_eval ft_chunk_eval(const struct ft_chunk *chunk, const json_t *env, struct ft_eval_result *ret, struct ft_err *reterr);
void ft_eval_result_done(struct ft_eval_result *result);
