/* world.h: a small fixed world of actions for tests of the language, so that what they expect does not change with the plugins.
 *
 * net.check, client.status, ap.status, switch.port read; ap.restart is disruptive; ap.set_power, switch.set_vlan and ticket.create write, the
 * first two with an undo of their own; http.request cannot know what it does; the plugin `rusty` does not load. */
#pragma once
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fettle/plugin.h>
#include "base/err.h"
#include "base/text.h"
#include "base/util.h"
#include "playbook/playbook.h"

struct world_action {
    const char *full;
    unsigned effects;
    bool undo;
    const char *params_text, *result_text;
    json_t *params, *result;
};

struct world {
    struct ft_playbook_world world;
    struct ft_script *script;
};

static struct world_action world_actions[] = {
    { "net.check", FT_EFFECT_READ, false,
      "{'type':'object','additionalProperties':false,'required':['host'],'properties':{"
      " 'host':{'type':'string','description':'name or address'},"
      " 'port':{'type':'integer','minimum':1,'maximum':65535},'count':{'type':'integer','default':3}}}",
      "{'type':'object','properties':{'ok':{'type':'boolean'},'rtt_ms':{'type':'number'},'error':{'type':'string'},"
      " 'addresses':{'type':'array','items':{'type':'string'}}}}", NULL, NULL },
    { "client.status", FT_EFFECT_READ, false,
      "{'type':'object','additionalProperties':false,'required':['mac'],'properties':{"
      " 'mac':{'type':'string','format':'mac','description':'of the client'},'site':{'type':'string'}}}",
      "{'type':'object','properties':{'known':{'type':'boolean'},'associated':{'type':'boolean'},'ap_id':{'type':'string'},'ssid':{'type':'string'},"
      " 'rssi':{'type':'number','description':'dBm'},'snr':{'type':'number'},'vlan':{'type':'integer'},"
      " 'events':{'type':'object','properties':{'dhcp_failures':{'type':'integer'},'auth_failures':{'type':'integer'}}},"
      " 'history':{'type':'array','items':{'type':'object','properties':{'at':{'type':'string'},'ap':{'type':'string'}}}}}}", NULL, NULL },
    { "ap.status", FT_EFFECT_READ, false,
      "{'type':'object','additionalProperties':false,'required':['device'],'properties':{'device':{'type':'string'},'site':{'type':'string'}}}",
      "{'type':'object','properties':{'status':{'enum':['connected','disconnected','upgrading']},'uptime':{'type':'integer'},'name':{'type':'string'},"
      " 'clients':{'type':'array','items':{'type':'object','properties':{'mac':{'type':'string'},'rssi':{'type':'number'}}}}}}", NULL, NULL },
    { "ap.restart", FT_EFFECT_DISRUPTIVE, false,
      "{'type':'object','additionalProperties':false,'required':['device'],'properties':{'device':{'type':'string','description':'id of the AP'},"
      " 'site':{'type':'string'},'reason':{'type':'string'}}}",
      "{'type':'object','properties':{'accepted':{'type':'boolean'},'job':{'type':'string'}}}", NULL, NULL },
    { "ap.set_power", FT_EFFECT_WRITE | FT_EFFECT_IDEMPOTENT, true,
      "{'type':'object','additionalProperties':false,'required':['device','band','dbm'],'properties':{'device':{'type':'string'},"
      " 'band':{'enum':['24','5','6']},'dbm':{'type':'integer','minimum':1,'maximum':23}}}",
      "{'type':'object','properties':{'dbm':{'type':'integer'}}}", NULL, NULL },
    { "switch.port", FT_EFFECT_READ, false,
      "{'type':'object','additionalProperties':false,'required':['device','port'],'properties':{'device':{'type':'string'},'port':{'type':'string'}}}",
      "{'type':'object','properties':{'switch':{'type':'string'},'name':{'type':'string'},'vlan':{'type':'integer'},"
      " 'poe':{'type':'object','properties':{'on':{'type':'boolean'},'watts':{'type':'number'}}}}}", NULL, NULL },
    { "switch.set_vlan", FT_EFFECT_WRITE, true,
      "{'type':'object','additionalProperties':false,'required':['device','port','vlan'],'properties':{'device':{'type':'string'},'port':{'type':'string'},"
      " 'vlan':{'type':'integer','minimum':1,'maximum':4094},'tagged':{'type':'array','items':{'type':'integer'}},"
      " 'options':{'type':'object','additionalProperties':false,'properties':{'comment':{'type':'string'},'confirm':{'type':'boolean'}}}}}",
      "{'type':'object','properties':{'committed':{'type':'boolean'}}}", NULL, NULL },
    { "ticket.create", FT_EFFECT_WRITE, false,
      "{'type':'object','additionalProperties':false,'required':['title'],'properties':{'title':{'type':'string'},'text':{'type':'string'},"
      " 'evidence':{'type':'array','items':{'type':'string'}},'priority':{'enum':['P1','P2','P3','P4']}}}",
      "{'type':'object','properties':{'number':{'type':'string'}}}", NULL, NULL },
    { "http.request", FT_EFFECT_UNKNOWN, false,
      "{'type':'object','additionalProperties':false,'required':['url'],'properties':{'url':{'type':'string'},'method':{'enum':['GET','POST','PUT','DELETE']},"
      " 'token':{'type':'string','x-secret':true},'body':{}}}",
      "{'type':'object','additionalProperties':true,'properties':{'status':{'type':'integer'}}}", NULL, NULL },
};

static json_t *world_json(const char *text)
{
    char *copy = ft_strdup(text);
    json_t *json;

    for (char *c = copy; *c; c++)
        if (*c == '\'')
            *c = '"';
    json = json_loads(copy, 0, NULL);
    free(copy);
    if (!json)
        abort();
    return json;
}

static int world_find(void *arg, const char *full, const struct ft_action_info **ret, struct ft_err *reterr)
{
    const char *dot = strchr(full, '.');
    bool plugin = false;

    (void)arg;
    if (strncmp(full, "rusty.", 6) == 0)
        return ft_err_set(reterr, -ENOEXEC, "the plugin 'rusty' was built for ABI 7, and this fettle has 1: build it again");
    for (size_t i = 0; i < ARRAY_LEN(world_actions); i++) {
        if (strcmp(world_actions[i].full, full) == 0) {
            *ret = (const struct ft_action_info *)&world_actions[i];
            return 0;
        }
        plugin = plugin || strncmp(world_actions[i].full, full, (size_t)(dot - full) + 1) == 0;
    }
    if (plugin)
        return ft_err_set(reterr, -ENOENT, "the plugin '%.*s' has no action '%s'", (int)(dot - full), full, dot + 1);
    return ft_err_set(reterr, -ENOENT, "there is no plugin '%.*s'", (int)(dot - full), full);
}

static const struct world_action *world_action(const struct ft_action_info *info) { return (const struct world_action *)info; }
static const json_t *world_params(const struct ft_action_info *info) { return world_action(info)->params; }
static const json_t *world_result(const struct ft_action_info *info) { return world_action(info)->result; }
static unsigned world_effects(const struct ft_action_info *info) { return world_action(info)->effects; }
static bool world_has_undo(const struct ft_action_info *info) { return world_action(info)->undo; }
static const char *world_name(const struct ft_action_info *info) { return world_action(info)->full; }

static const char *const *world_names(void *arg, const char *plugin)
{
    static const char *names[ARRAY_LEN(world_actions) + 1];
    size_t n = 0, len = strlen(plugin);

    (void)arg;
    for (size_t i = 0; i < ARRAY_LEN(world_actions); i++)
        if (strncmp(world_actions[i].full, plugin, len) == 0 && world_actions[i].full[len] == '.')
            names[n++] = world_actions[i].full + len + 1;
    names[n] = NULL;
    return names;
}

static bool world_window(void *arg, const char *name, const char **ret_near)
{
    static const char *const windows[] = { "weekly", "monthly", NULL };

    (void)arg;
    *ret_near = ft_suggest(name, windows);
    return strcmp(name, windows[0]) == 0 || strcmp(name, windows[1]) == 0;
}

__attribute__((unused))
static struct world *world_new(const char *lua_dir)
{
    struct world *w = ft_calloc(1, sizeof(*w));

    for (size_t i = 0; i < ARRAY_LEN(world_actions); i++) {
        world_actions[i].params = world_json(world_actions[i].params_text);
        world_actions[i].result = world_json(world_actions[i].result_text);
    }
    w->script = ft_script_new(lua_dir);
    w->world = (struct ft_playbook_world){
        .script = w->script, .action = world_find, .params_schema = world_params, .result_schema = world_result, .effects = world_effects,
        .has_undo = world_has_undo, .full_name = world_name, .action_names = world_names, .window = world_window,
    };
    return w;
}

__attribute__((unused))
static void world_free(struct world *w)
{
    ft_script_free(w->script);
    for (size_t i = 0; i < ARRAY_LEN(world_actions); i++) {
        json_decref(world_actions[i].params);
        json_decref(world_actions[i].result);
        world_actions[i].params = world_actions[i].result = NULL;
    }
    free(w);
}
