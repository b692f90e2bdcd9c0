/* libs.c: an empty program that initialises the libraries that fettle links or loads, without libcurl: the reference for start-up. */
#include <jansson.h>
#include <lauxlib.h>
#include <libssh2.h>
#include <lua.h>
#include <lualib.h>
#include <sodium.h>
#include <sqlite3.h>
#include <uv.h>
#include <yaml.h>

int main(void)
{
    uv_loop_t loop;
    sqlite3 *db = NULL;
    yaml_parser_t parser;
    lua_State *L = luaL_newstate();
    json_t *object = json_object();
    int ok;

    luaL_openlibs(L);
    ok = uv_loop_init(&loop) == 0 && sqlite3_open(":memory:", &db) == SQLITE_OK && yaml_parser_initialize(&parser) && libssh2_init(0) == 0 &&
         sodium_init() >= 0 && object;
    uv_run(&loop, UV_RUN_NOWAIT);
    uv_loop_close(&loop);
    sqlite3_close(db);
    yaml_parser_delete(&parser);
    libssh2_exit();
    lua_close(L);
    json_decref(object);
    return ok ? 0 : 1;
}
