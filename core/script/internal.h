/* internal.h: what the files of script/ share.
 *
 * script.c    the engine: its Lua state, compiling and evaluating        ceiling.c   how much one evaluation may do
 * view.c      JSON as read-only Lua values, and the names                 reads.c     what an evaluation read
 * result.c    Lua values as JSON                                          library.c   what code may call, modules of lua/
 * strings.c   string.*, on match.c                                      tables.c    table.*
 * lex.c, parse.c   the text as a tree                                     check.c, types.c   the tree against names and schemas
 */
#pragma once
#include <lua.h>
#include <lauxlib.h>
#include "base/buf.h"
#include "script/ceiling.h"
#include "script/reads.h"
#include "script/script.h"

struct ft_script {
    lua_State *lua;
    char *lua_dir;                    /* NULL: no helper modules */
    struct ft_ceiling ceiling;
    struct ft_reads reads;
    const json_t *env;                /* of the evaluation that is going on; borrowed */
    uint64_t evaluation;              /* its number: a view of another one is stale */
    size_t error_line;                /* of the code; 0: not known */
    json_t *result;                   /* under construction; owned */
    struct { uint32_t read; const json_t *value; } unknown;    /* where it met what a dry run cannot know */
    char **modules;                   /* names of lua_dir's files, once they were asked for */
    int libraries, module_names, sort;            /* registry references; sort: Lua's table.sort */
    size_t chunks;
};

static inline struct ft_script *ft_script_of(lua_State *L) { return *(struct ft_script **)lua_getextraspace(L); }

/* ---- view.c */
struct ft_view {
    const json_t *value;              /* an object or a list; borrowed from the environment */
    uint64_t evaluation;
    uint32_t read;                    /* its entry among the reads */
};
void ft_views_open(lua_State *L);     /* the metatables, and the environments of code and of modules */
struct ft_view *ft_view_to(lua_State *L, int index);      /* NULL: no view */
bool ft_is_null(lua_State *L, int index);                 /* the constant null */
void ft_push_null(lua_State *L);
/* Ends the evaluation, whose answer is then "unknown". */
void ft_raise_unknown(lua_State *L, const json_t *value, uint32_t read) __attribute__((noreturn));
void ft_push_json(lua_State *L, const json_t *value, uint32_t read);
void ft_view_field(lua_State *L, const struct ft_view *view, int key);     /* pushes view[key] */
size_t ft_view_count(lua_State *L, const struct ft_view *view);            /* of a list; notes that it was read */
void ft_push_sorted_keys(lua_State *L, int table);         /* a list: numbers, then names by their bytes */
int ft_next(lua_State *L);            /* Lua functions: next, pairs, ipairs, for views and for tables */
int ft_pairs(lua_State *L);
int ft_ipairs(lua_State *L);

/* ---- result.c */
void ft_mark_list(lua_State *L);      /* the table on top stays a list, also when it is empty */
void ft_result_take(lua_State *L, int index);             /* raises; the value becomes script->result */

/* ---- library.c */
void ft_library_open(lua_State *L);   /* leaves the table of all libraries and functions on the stack */
bool ft_library_push(struct ft_script *script, const char *name);          /* the global of that name; false: none, nothing pushed */
enum ft_library_kind { FT_LIBRARY_NONE, FT_LIBRARY_FUNCTION, FT_LIBRARY_TABLE, FT_LIBRARY_NUMBER, FT_LIBRARY_STRING, FT_LIBRARY_OTHER };
/* What the global `name`, or its member, is. Fails when a helper module does not load. */
int ft_library_find(struct ft_script *script, const char *name, const char *member, enum ft_library_kind *ret_kind, struct ft_err *reterr);
/* A library's members; with NULL all globals. Borrowed strings, ends with NULL, malloced. */
const char **ft_library_names(struct ft_script *script, const char *name);
void ft_read_only(lua_State *L, const char *what);        /* puts a locked proxy in the place of the table on top */
void ft_type_error(lua_State *L, int arg, const char *wanted) __attribute__((noreturn));
const char *ft_value_word(lua_State *L, int index);       /* "a number", "nil", "a list" */

void ft_strings_open(lua_State *L);   /* each leaves its table on the stack */
void ft_tables_open(lua_State *L);
void ft_push_text(lua_State *L, int index);               /* tostring without addresses */
