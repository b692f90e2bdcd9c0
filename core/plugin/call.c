/* call.c: the life of a call: checked parameters in, exactly one end out, and everything it had is dropped with it. */
#include "plugin/config.h"
#include "plugin/internal.h"
#include "base/log.h"
#include "base/text.h"
#include "data/json.h"

enum { MAX_RESULT = 16 << 20, GRACE_MS = 200 };

static void tell_end(void *arg);

bool call_alive(const struct ft_call *call)
{
    return !call->ended && !call->dropped;
}

static void call_free(struct ft_call *call)
{
    ft_list_remove(&call->in_registry);
    json_decref(call->params);
    json_decref(call->receipt);
    json_decref(call->given);
    json_decref(call->left);
    json_decref(call->asked);
    json_decref(call->keeping);
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
    ft_secret_fetch_cancel(call->fetching);
    call->fetching = NULL;
    budget_forget(&call->waiter);
    call_forget_kept(call);
    call_drop_parts(call);
}

/* What a plugin says may hold what a device said, or be cut within a character: the journal knows UTF-8 only. */
char *call_utf8(char *text)
{
    for (char *p = text; *p;) {
        size_t n = 1, most = strnlen(p, 4);

        while (n < most && !ft_utf8_valid(p, n))
            n++;
        if (!ft_utf8_valid(p, n)) {
            *p = '?';
            n = 1;
        }
        p += n;
    }
    return text;
}

static char *redacted(struct ft_call *call, char *text)
{
    char *clean = call->registry->o.secrets ? ft_secret_redact(call->registry->o.secrets, text) : NULL;

    if (!clean)
        return text;
    free(text);
    return clean;
}

/* Whether the value's text fits into what is left of the bound; stops counting where it does not. */
static bool fits(const json_t *value, size_t *left)
{
    const char *key;
    json_t *member;
    size_t i, own = json_is_string(value) ? json_string_length(value) + 2 : 2;

    if (own > *left)
        return false;
    *left -= own;
    json_object_foreach((json_t *)value, key, member) {
        size_t len = strlen(key) + 4;

        if (len > *left)
            return false;
        *left -= len;
        if (!fits(member, left))
            return false;
    }
    json_array_foreach(value, i, member)
        if (!fits(member, left))
            return false;
    return true;
}

static int check_member(const json_t *object, const char *key, bool ok, const char *what, struct ft_err *reterr)
{
    const json_t *member = json_object_get(object, key);

    return !member || ok ? 0 : ft_err_set(reterr, -EINVAL, "'%s' is not %s", key, what);
}

static int check_plan(const struct ft_call *call, struct ft_err *reterr)
{
    const json_t *plan = call->result, *result = json_object_get(plan, "result");
    int r = 0;

    if (!ft_json_str(plan, "summary"))
        return ft_err_set(reterr, -EINVAL, "it has no 'summary'");
    r = check_member(plan, "requests", json_is_array(json_object_get(plan, "requests")), "a list", reterr);
    if (r == 0)
        r = check_member(plan, "changes", json_is_array(json_object_get(plan, "changes")), "a list", reterr);
    if (r == 0)
        r = check_member(plan, "users", json_is_integer(json_object_get(plan, "users")), "a number", reterr);
    if (r == 0)
        r = check_member(plan, "nothing_to_do", json_is_boolean(json_object_get(plan, "nothing_to_do")), "true or false", reterr);
    if (r == 0)
        r = check_member(plan, "stand_in", json_is_string(json_object_get(plan, "stand_in")), "a text", reterr);
    if (r == 0)
        r = check_member(plan, "reverts", ft_json_int(json_object_get(plan, "reverts"), "after_s", 0) > 0, "an object with after_s, a number of seconds", reterr);
    if (r == 0)
        r = check_member(plan, "no_undo", json_is_string(json_object_get(plan, "no_undo")), "a sentence", reterr);
    if (r == 0)
        r = check_member(plan, "notes", json_is_array(json_object_get(plan, "notes")), "a list", reterr);
    if (r == 0)
        r = check_member(plan, "leaves", json_is_object(json_object_get(plan, "leaves")), "an object", reterr);
    if (r == 0)
        r = check_member(plan, "blurs", json_is_array(json_object_get(plan, "blurs")), "a list", reterr);
    return r == 0 && result ? ft_schema_require(call->info->result, result, "'result'", reterr) : r;
}

static int check_probe(const struct ft_call *call, struct ft_err *reterr)
{
    const json_t *result = json_object_get(call->result, "result");

    if (!json_is_boolean(json_object_get(call->result, "happened")))
        return ft_err_set(reterr, -EINVAL, "'happened' is not true or false");
    if (check_member(call->result, "pending", json_is_boolean(json_object_get(call->result, "pending")), "true or false", reterr) < 0)
        return -EINVAL;
    return result ? ft_schema_require(call->info->result, result, "'result'", reterr) : 0;
}

static int check_shape(const struct ft_call *call, struct ft_err *reterr)
{
    size_t left = MAX_RESULT;

    if (!fits(call->result, &left))
        return ft_err_set(reterr, -E2BIG, "it is over %d MiB", MAX_RESULT >> 20);
    switch (call->entry) {
    case FT_ENTRY_RUN: return ft_schema_require(call->info->result, call->result, "it", reterr);
    case FT_ENTRY_PLAN: return check_plan(call, reterr);
    case FT_ENTRY_PROBE: return check_probe(call, reterr);
    case FT_ENTRY_UNDO: return 0;
    case FT_ENTRY_CONFIRM: return json_object_size(call->result) ? ft_schema_require(call->info->result, call->result, "it", reterr) : 0;
    }
    return 0;
}

/* What the plugin promised of its results is checked, and so is their size. A write whose answer cannot be understood has happened all the same. */
static void check_result(struct ft_call *call)
{
    static const char *const names[] = { [FT_ENTRY_RUN] = "result", [FT_ENTRY_PLAN] = "plan", [FT_ENTRY_UNDO] = "undo's result", [FT_ENTRY_PROBE] = "probe's answer",
                                         [FT_ENTRY_CONFIRM] = "confirm's result" };
    struct ft_err err = { 0 };

    if (!call->result || check_shape(call, &err) == 0)
        return;
    json_decref(call->result);
    call->result = NULL;
    call->class = call->writes && call->sent ? FT_AMBIGUOUS : FT_INVALID;
    call->text = redacted(call, ft_asprintf("the %s of %s is not what the plugin promises: %s; that is a fault of the plugin", names[call->entry], call->info->full, err.text));
}

/* What a server says back of our secrets goes no further: a later step would hand it to somebody else, in a mail or a ticket, and a resumed run has only what
 * the journal has. Not so a plan: its receipt is for the action's own call, which compares with it; whatever is shown or journalled of it is cleaned then. */
static void redact_result(struct ft_call *call)
{
    json_t *clean;

    if (!call->result || !call->registry->o.secrets || call->entry == FT_ENTRY_PLAN)
        return;
    clean = ft_secret_redact_json(call->registry->o.secrets, call->result);
    json_decref(call->result);
    call->result = clean;
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
    call->text = text ? redacted(call, call_utf8(text)) : NULL;
    check_result(call);
    redact_result(call);
    ft_loop_defer(call->registry->o.loop, tell_end, call);
}

/* ---- start */

static const struct ft_entry *entry_of(const struct ft_action *action, enum ft_entry_kind kind)
{
    static const struct ft_entry none;

    switch (kind) {
    case FT_ENTRY_PLAN: return &action->plan;
    case FT_ENTRY_UNDO: return &action->undo;
    case FT_ENTRY_PROBE: return &action->probe;
    case FT_ENTRY_CONFIRM: return action->size >= sizeof(*action) ? &action->confirm : &none;
    default: return &action->run;
    }
}

bool ft_action_has(const struct ft_action *action, enum ft_entry_kind kind)
{
    return entry_of(action, kind)->start;
}

static void polite_end(struct ft_call *call)
{
    const struct ft_entry *entry = entry_of(call->info->action, call->entry);

    if (!call->ended && !call->fetching && entry->cancel)
        entry->cancel(call);
}

/* What was sent may have happened; what was not has not. */
static enum ft_class class_of_silence(const struct ft_call *call)
{
    return call->writes && call->sent ? FT_AMBIGUOUS : FT_TIMEOUT;
}

static void deadline_over(void *arg)
{
    struct ft_call *call = arg;
    char words[40];

    call->deadline = NULL;
    if (!call->late && call_in_flight(call)) {
        /* The request has the same deadline, and its own end says more. */
        call->late = true;
        call->deadline = ft_timer_start(call->registry->o.loop, GRACE_MS, deadline_over, call);
        return;
    }
    polite_end(call);
    call_settle(call);
    if (!call->ended)
        call_end(call, NULL, class_of_silence(call),
                 ft_asprintf("%s did not end within its %s%s", call->info->full, ft_duration_format(call->timeout_ms, words, sizeof(words)),
                             class_of_silence(call) == FT_AMBIGUOUS ? "; what it had sent may have been carried out" : ""));
}

static uint64_t timeout_of(const struct ft_call_req *req)
{
    return req->timeout_ms ? req->timeout_ms : req->info->action->timeout_ms ? req->info->action->timeout_ms : 30000;
}

/* Parameters with defaults, checked as they are journalled, then with their secrets read. */
static int ready_params(struct ft_registry *registry, const struct ft_action_info *info, const json_t *params, json_t **ret, struct ft_err *reterr)
{
    json_t *filled = ft_schema_fill(info->params, params);
    int r = registry->o.secrets ? ft_params_resolve(registry->o.secrets, info->params_json, filled, ret, reterr) : (*ret = json_incref(filled), 0);

    json_decref(filled);
    if (r < 0)
        return r;
    r = ft_schema_require(info->params, *ret, "its parameters", reterr);
    if (r < 0) {
        json_decref(*ret);
        *ret = NULL;
        ft_err_in(reterr, "%s", info->full);
        if (reterr)
            reterr->class = FT_INVALID;
    }
    return r;
}

/* What wants an approval is read after it only; a plan before it shows it as ***. A plugin whose own section has such a secret works for approved runs. */
static int ready(struct ft_registry *registry, struct plugin *plugin, const struct ft_call_req *req, json_t **ret, struct ft_err *reterr)
{
    struct ft_secrets *secrets = registry->o.secrets;
    enum ft_release before = ft_secrets_release(secrets, req->released ? FT_RELEASED : req->entry == FT_ENTRY_PLAN ? FT_VEILED : FT_WITHHELD);
    int r = ready_params(registry, req->info, req->params, ret, reterr);

    ft_secrets_release(secrets, req->released ? FT_RELEASED : FT_WITHHELD);
    if (r == 0 && !req->released && plugin->opened && ft_secret_needs_release(plugin_section(plugin)))
        r = ft_err_class(reterr, FT_DENIED, -EACCES, "a secret of plugins.%s is released only to a run that has been approved, and this one has not", plugin->name);
    if (r == 0)
        r = plugin_open(plugin, reterr);
    ft_secrets_release(secrets, before);
    if (r < 0) {
        json_decref(*ret);
        *ret = NULL;
        redact_err(registry, reterr);
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

static bool is_write(const struct ft_call_req *req)
{
    return (req->entry == FT_ENTRY_RUN || req->entry == FT_ENTRY_UNDO || req->entry == FT_ENTRY_CONFIRM) && (req->info->action->effects & FT_EFFECT_MASK) != FT_EFFECT_READ && !req->read;
}

static struct ft_call *call_new(struct ft_registry *registry, struct plugin *plugin, const struct ft_call_req *req, json_t *params)
{
    struct ft_call *call = ft_calloc(1, sizeof(*call));

    call->registry = registry;
    call->plugin = plugin;
    call->info = req->info;
    call->entry = req->entry;
    call->writes = is_write(req);
    call->released = req->released;
    call->mem = ft_arena_new();
    call->run_id = ft_strdup(req->run_id ? req->run_id : "");
    call->params = params;
    call->receipt = req->receipt ? json_incref((json_t *)req->receipt) : NULL;
    call->given = req->result ? json_incref((json_t *)req->result) : NULL;
    call->left = req->left ? json_incref((json_t *)req->left) : NULL;
    call->state = ft_arena_alloc(call->mem, ft_max(req->info->action->state_size, (size_t)1));
    ft_list_init(&call->parts);
    call->timeout_ms = timeout_of(req);
    call->deadline_us = ft_clock_mono_us(ft_loop_clock(registry->o.loop)) + call->timeout_ms * 1000;
    call->deadline = ft_timer_start(registry->o.loop, call->timeout_ms, deadline_over, call);
    ft_list_append(&registry->calls, &call->in_registry);
    return call;
}

static void start(struct ft_call *call)
{
    struct ft_err err = { 0 };
    int r = entry_of(call->info->action, call->entry)->start(call, &err);

    if (r >= 0)
        return;
    if (call->ended)
        ft_log(FT_LOG_WARN, "plugin %s ended a call of '%s' and then said that it had not started; the end counts", call->plugin->name, call->info->name);
    else
        call_end(call, NULL, err.class ? err.class : FT_INVALID, ft_strdup(err.text[0] ? err.text : "the plugin gave no reason"));
}

/* ---- what lies in Vault comes first */

static json_t *needs_of(const struct plugin *plugin, const struct ft_call_req *req)
{
    json_t *needs = json_array();

    ft_params_references(req->info->params_json, req->params, needs);
    if (!plugin->opened && plugin_section(plugin))
        json_array_append(needs, (json_t *)plugin_section(plugin));
    return needs;
}

static bool fetch_is_needed(struct ft_registry *registry, const struct ft_call_req *req, const json_t *needs)
{
    enum ft_release before = ft_secrets_release(registry->o.secrets, req->released ? FT_RELEASED : FT_WITHHELD);
    bool needed = ft_secret_pending(registry->o.secrets, needs);

    ft_secrets_release(registry->o.secrets, before);
    return needed;
}

static void fetched(void *arg, const struct ft_err *failed)
{
    struct ft_call *call = arg;
    struct ft_call_req req = { .info = call->info, .entry = call->entry, .params = call->params, .released = call->released };
    struct ft_err err = { 0 };
    json_t *params = NULL;

    call->fetching = NULL;
    if (failed)
        err = *failed;
    if (!failed && ready(call->registry, call->plugin, &req, &params, &err) == 0) {
        json_decref(call->params);
        call->params = params;
        start(call);
    } else {
        call_end(call, NULL, err.class ? err.class : FT_DENIED, ft_strdup(err.text));
    }
}

static int fetch(struct ft_registry *registry, struct plugin *plugin, const struct ft_call_req *req, const json_t *needs, const struct ft_call_handler *handler, void *arg,
                 struct ft_call **ret)
{
    struct ft_call *call = call_new(registry, plugin, req, json_incref((json_t *)req->params));
    enum ft_release before = ft_secrets_release(registry->o.secrets, req->released ? FT_RELEASED : FT_WITHHELD);
    struct ft_err err = { 0 };
    int r = ft_secret_fetch(registry->o.secrets, needs, fetched, call, &call->fetching, &err);

    ft_secrets_release(registry->o.secrets, before);
    call->handler = *handler;
    call->arg = arg;
    *ret = call;
    if (r < 0)
        call_end(call, NULL, err.class ? err.class : FT_DENIED, ft_strdup(err.text));
    return 0;
}

int ft_call_start(struct ft_registry *registry, const struct ft_call_req *req, const struct ft_call_handler *handler, void *arg, struct ft_call **ret, struct ft_err *reterr)
{
    struct plugin *plugin = plugin_of(registry, req->info);
    json_t *params = NULL, *needs;
    int r;

    if (!plugin || !registry->o.loop)
        return ft_err_set(reterr, -EINVAL, "%s cannot be called here", req->info->full);
    if (!entry_of(req->info->action, req->entry)->start)
        return ft_err_class(reterr, FT_INVALID, -ENOSYS, "%s cannot do that: it has no such entry", req->info->full);
    needs = needs_of(plugin, req);
    r = fetch_is_needed(registry, req, needs) ? fetch(registry, plugin, req, needs, handler, arg, ret) : 1;
    json_decref(needs);
    if (r <= 0)
        return r;
    r = ready(registry, plugin, req, &params, reterr);
    if (r < 0)
        return r;
    *ret = call_new(registry, plugin, req, params);
    (*ret)->handler = *handler;
    (*ret)->arg = arg;
    start(*ret);
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

void calls_free(struct ft_registry *registry)
{
    struct ft_list *pos, *tmp;

    ft_list_each(pos, tmp, &registry->calls) {
        struct ft_call *call = ft_container(pos, struct ft_call, in_registry);

        ft_call_drop(call);
        ft_loop_undefer(registry->o.loop, tell_end, call);
        call_free(call);
    }
}
