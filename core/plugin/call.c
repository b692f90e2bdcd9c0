/* call.c: the life of a call: checked parameters in, exactly one end out, and everything it had is dropped with it. */
#include "plugin/internal.h"
#include "base/log.h"
#include "data/json.h"

enum { MAX_RESULT = 16 << 20 };

static void tell_end(void *arg);

bool call_alive(const struct ft_call *call)
{
    return !call->ended && !call->dropped;
}

static void call_free(struct ft_call *call)
{
    call->registry->calls--;
    json_decref(call->params);
    json_decref(call->receipt);
    json_decref(call->result);
    free(call->text);
    free(call->run_id);
    ft_arena_free(call->mem);
    free(call);
}

static void stop_everything(struct ft_call *call)
{
    ft_timer_stop(call->deadline);
    call->deadline = NULL;
    budget_forget(&call->waiter);
    call_drop_parts(call);
}

static char *redacted(struct ft_call *call, char *text)
{
    char *clean = call->registry->o.secrets ? ft_secret_redact(call->registry->o.secrets, text) : NULL;

    if (!clean)
        return text;
    free(text);
    return clean;
}

/* What the plugin promised of its results is checked, and so is their size. */
static void check_result(struct ft_call *call)
{
    struct ft_err err = { 0 };
    size_t size;

    if (call->entry != FT_ENTRY_RUN || !call->result)
        return;
    size = json_dumpb(call->result, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY);
    if (size > MAX_RESULT)
        ft_err_set(&err, -E2BIG, "%s gave a result of %zu bytes, %d are the most", call->info->full, size, MAX_RESULT);
    else if (ft_schema_require(call->info->result, call->result, "its result", &err) == 0)
        return;
    else
        ft_err_in(&err, "%s broke its own promise (a fault of the plugin)", call->info->full);
    json_decref(call->result);
    call->result = NULL;
    call->class = (call->info->action->effects & FT_EFFECT_MASK) == FT_EFFECT_READ ? FT_INVALID : FT_AMBIGUOUS;
    call->text = ft_strdup(err.text);
}

static void tell_end(void *arg)
{
    struct ft_call *call = arg;

    if (!call->dropped) {
        call->over = true;
        if (call->result)
            call->handler.done(call->arg, call->result);
        else
            call->handler.fail(call->arg, call->class, call->text);
    }
    call_free(call);
}

void call_end(struct ft_call *call, json_t *result, enum ft_class class, char *text)
{
    if (call->ended) {
        if (!call->dropped)
            ft_log(FT_LOG_WARN, "plugin %s ended a call of '%s' twice; the first end counts", call->plugin->name, call->info->name);
        json_decref(result);
        free(text);
        return;
    }
    call->ended = true;
    stop_everything(call);
    call->result = result;
    call->class = class;
    call->text = text ? redacted(call, text) : NULL;
    check_result(call);
    ft_loop_defer(call->registry->o.loop, tell_end, call);
}

/* ---- start */

static const struct ft_entry *entry_of(const struct ft_action *action, enum ft_entry_kind kind)
{
    switch (kind) {
    case FT_ENTRY_PLAN: return &action->plan;
    case FT_ENTRY_UNDO: return &action->undo;
    case FT_ENTRY_PROBE: return &action->probe;
    default: return &action->run;
    }
}

static void polite_end(struct ft_call *call)
{
    const struct ft_entry *entry = entry_of(call->info->action, call->entry);

    if (!call->ended && entry->cancel)
        entry->cancel(call);
}

static void deadline_over(void *arg)
{
    struct ft_call *call = arg;
    bool write = call->entry == FT_ENTRY_RUN && (call->info->action->effects & FT_EFFECT_MASK) != FT_EFFECT_READ;

    call->deadline = NULL;
    polite_end(call);
    if (!call->ended)
        call_end(call, NULL, write ? FT_AMBIGUOUS : FT_TIMEOUT, ft_asprintf("%s did not end within its deadline", call->info->full));
}

static uint64_t timeout_of(const struct ft_call_req *req)
{
    const struct ft_action *action = req->info->action;

    if (req->timeout_ms)
        return req->timeout_ms;
    return action->size >= offsetof(struct ft_action, timeout_ms) + sizeof(action->timeout_ms) && action->timeout_ms ? action->timeout_ms : 30000;
}

/* Parameters with defaults, checked as they are journalled, then with their secrets read. */
static int ready_params(struct ft_registry *registry, const struct ft_call_req *req, json_t **ret, struct ft_err *reterr)
{
    json_t *filled = ft_schema_fill(req->info->params, req->params);
    int r = registry->o.secrets ? ft_secret_resolve(registry->o.secrets, filled, ret, reterr) : (*ret = json_incref(filled), 0);

    json_decref(filled);
    if (r < 0)
        return r;
    r = ft_schema_require(req->info->params, *ret, "its parameters", reterr);
    if (r < 0) {
        json_decref(*ret);
        *ret = NULL;
        ft_err_in(reterr, "%s", req->info->full);
        if (reterr)
            reterr->class = FT_INVALID;
    }
    return r;
}

static struct plugin *plugin_of(struct ft_registry *registry, const struct ft_action_info *info)
{
    for (size_t i = 0; i < registry->plugin_count; i++)
        if (info >= registry->plugins[i]->actions && info < registry->plugins[i]->actions + registry->plugins[i]->count)
            return registry->plugins[i];
    return NULL;
}

int ft_call_start(struct ft_registry *registry, const struct ft_call_req *req, const struct ft_call_handler *handler, void *arg, struct ft_call **ret, struct ft_err *reterr)
{
    const struct ft_entry *entry = entry_of(req->info->action, req->entry);
    struct plugin *plugin = plugin_of(registry, req->info);
    json_t *params = NULL;
    struct ft_call *call;
    struct ft_err err = { 0 };
    int r;

    if (!plugin || !registry->o.loop)
        return ft_err_set(reterr, -EINVAL, "%s cannot be called here", req->info->full);
    if (!entry->start)
        return ft_err_class(reterr, FT_INVALID, -ENOSYS, "%s cannot do that: it has no such entry", req->info->full);
    r = ready_params(registry, req, &params, reterr);
    if (r == 0)
        r = plugin_open(plugin, reterr);
    if (r < 0) {
        json_decref(params);
        return r;
    }
    call = ft_calloc(1, sizeof(*call));
    call->registry = registry;
    registry->calls++;
    call->plugin = plugin;
    call->info = req->info;
    call->entry = req->entry;
    call->handler = *handler;
    call->arg = arg;
    call->mem = ft_arena_new();
    call->run_id = ft_strdup(req->run_id ? req->run_id : "");
    call->params = params;
    call->receipt = req->receipt ? json_incref((json_t *)req->receipt) : NULL;
    call->state = ft_arena_alloc(call->mem, req->info->action->state_size ? req->info->action->state_size : 1);
    ft_list_init(&call->parts);
    call->deadline_us = ft_clock_mono_us(ft_loop_clock(registry->o.loop)) + timeout_of(req) * 1000;
    call->deadline = ft_timer_start(registry->o.loop, timeout_of(req), deadline_over, call);
    *ret = call;
    r = entry->start(call, &err);
    if (r < 0 && !call->ended)
        call_end(call, NULL, err.class ? err.class : FT_INVALID, ft_asprintf("%s", err.text[0] ? err.text : "the plugin gave no reason"));
    return 0;
}

/* ---- from the engine's side */

void ft_call_kept(struct ft_call *call, int code)
{
    void (*kept)(struct ft_call *call) = call->kept;

    if (!call_alive(call) || !kept)
        return;
    call->kept = NULL;
    if (code < 0)
        call_end(call, NULL, FT_REFUSED, ft_strdup("what its undo needs could not be journalled, so nothing was changed"));
    else
        kept(call);
}

void ft_call_cancel(struct ft_call *call)
{
    if (!call_alive(call))
        return;
    polite_end(call);
    if (!call->ended)
        call_end(call, NULL, FT_CANCELLED, ft_strdup("cancelled"));
}

void ft_call_drop(struct ft_call *call)
{
    if (!call || call->over || call->dropped)
        return;
    polite_end(call);
    call->dropped = true;
    if (call->ended)
        return;                          /* its end is on the way, and finds it dropped */
    call->ended = true;
    stop_everything(call);
    ft_loop_defer(call->registry->o.loop, tell_end, call);
}
