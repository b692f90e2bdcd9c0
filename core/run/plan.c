/* plan.c: the plan that comes of a dry run, its canonical form and its digest. What is in it: plan.h. */
#include "run/dry_internal.h"
#include "base/buf.h"

/* ---- what is not of the plan itself: the id and the time of the run that looked */

static char *replaced(char *text, const char *what, const char *with)
{
    struct ft_buf buf = FT_BUF_INIT(0);
    const char *from = text, *hit;

    if (!strstr(text, what))
        return text;
    while ((hit = strstr(from, what)) != NULL) {
        ft_buf_add(&buf, from, (size_t)(hit - from));
        ft_buf_adds(&buf, with);
        from = hit + strlen(what);
    }
    ft_buf_adds(&buf, from);
    free(text);
    return ft_buf_take(&buf);
}

static json_t *clean_text(const struct ft_run *run, const json_t *value)
{
    char started[24], *text;
    json_t *clean;

    if (json_string_length(value) != strlen(json_string_value(value)))
        return json_incref((json_t *)value);
    snprintf(started, sizeof(started), "%llu", (unsigned long long)run->started_ms);
    text = replaced(ft_strdup(json_string_value(value)), run->id, "<run>");
    text = replaced(text, started, "<started>");
    clean = ft_streq(text, json_string_value(value)) ? json_incref((json_t *)value) : json_string(text);
    free(text);
    return clean;
}

static json_t *clean(const struct ft_run *run, const json_t *value)
{
    json_t *copy, *member;
    const char *key;
    size_t i;

    switch (json_typeof(value)) {
    case JSON_OBJECT:
        copy = json_object();
        json_object_foreach((json_t *)value, key, member)
            json_object_set_new(copy, key, clean(run, member));
        return copy;
    case JSON_ARRAY:
        copy = json_array();
        json_array_foreach((json_t *)value, i, member)
            json_array_append_new(copy, clean(run, member));
        return copy;
    case JSON_STRING:
        return clean_text(run, value);
    case JSON_INTEGER:
        if ((uint64_t)json_integer_value(value) == run->started_ms)
            return json_string("<started>");
        return json_incref((json_t *)value);
    default:
        return json_incref((json_t *)value);
    }
}

json_t *plan_clean(const struct ft_run *run, const json_t *value)
{
    json_t *shown = ft_secret_redact_json(run->engine->o.secrets, (json_t *)value), *result = clean(run, shown);

    json_decref(shown);
    return result;
}

/* ---- what binds */

static const char *const bound_of_write[] = {
    "path", "action", "effect", "params", "exactness", "certain", "requests", "changes", "before", "undo", "targets", "site", "nothing_to_do", "stand_in", "moves",
    "rests_after",
};

static json_t *binding(const json_t *plan)
{
    static const char *const bound[] = { "fettle_plan", "playbook", "params", "vars", "event", "plugins", "from", "batches", "cut", "valid_ms", "change" };
    json_t *b = json_object(), *writes = json_array(), *w;
    size_t i;

    for (i = 0; i < ARRAY_LEN(bound); i++)
        if (json_object_get(plan, bound[i]))
            json_object_set(b, bound[i], json_object_get(plan, bound[i]));
    json_array_foreach(json_object_get(plan, "writes"), i, w) {
        json_t *short_w = json_object();

        for (size_t k = 0; k < ARRAY_LEN(bound_of_write); k++)
            if (json_object_get(w, bound_of_write[k]))
                json_object_set(short_w, bound_of_write[k], json_object_get(w, bound_of_write[k]));
        json_array_append_new(writes, short_w);
    }
    json_object_set_new(b, "writes", writes);
    return b;
}

static void digests(const json_t *plan, char digest[65], char whole[65])
{
    json_t *b = binding(plan), *rest = json_copy((json_t *)plan);

    ft_json_digest(b, digest);
    json_object_del(rest, "digest");
    json_object_del(rest, "whole");
    ft_json_digest(rest, whole);
    json_decref(b);
    json_decref(rest);
}

void plan_seal(json_t *plan)
{
    char digest[65], whole[65];

    digests(plan, digest, whole);
    json_object_set_new(plan, "digest", json_string(digest));
    json_object_set_new(plan, "whole", json_string(whole));
}

/* ---- its parts */

static void note_plugin(json_t *plugins, const struct ft_call_spec *call)
{
    const char *dot = call->name ? strchr(call->name, '.') : NULL;
    char *name;

    if (!dot)
        return;
    name = ft_strndup(call->name, (size_t)(dot - call->name));
    json_object_set_new(plugins, name, json_string(call->action && call->action->version ? call->action->version : ""));
    free(name);
}

static void plugins_of(const struct ft_list_of_steps *list, json_t *plugins)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct ft_step *s = &list->steps[i];

        note_plugin(plugins, &s->call);
        note_plugin(plugins, &s->undo_call);
        if (s->verify)
            note_plugin(plugins, &s->verify->call);
        plugins_of(&s->inner, plugins);
        if (s->callee)
            plugins_of(ft_playbook_steps(s->callee), plugins);
    }
}

static json_t *rests_on(const json_t *writes)
{
    json_t *states = json_array(), *w, *result;
    char digest[65];
    size_t i;

    json_array_foreach((json_t *)writes, i, w)
        if (json_object_get(w, "before"))
            json_array_append(states, json_object_get(w, "before"));
    ft_json_digest(states, digest);
    result = json_pack("{s:I, s:s}", "states", (json_int_t)json_array_size(states), "digest", digest);
    json_decref(states);
    return result;
}

/* The waits and batches of all nodes, however deep. */
static void sum_nodes(const json_t *nodes, json_t *batches, json_int_t *need_ms)
{
    json_t *node, *wait;
    uint64_t ms;
    size_t i;

    json_array_foreach((json_t *)nodes, i, node) {
        json_t *b = json_object_get(node, "batches");

        if (b) {
            json_t *copy = json_copy(b);

            json_object_set(copy, "path", json_object_get(node, "path"));
            json_array_append_new(batches, copy);
        }
        wait = json_object_get(node, "wait");
        if (json_is_integer(wait))
            *need_ms += json_integer_value(wait);
        else if (json_is_string(wait) && ft_duration_parse(json_string_value(wait), &ms) == 0)
            *need_ms += (json_int_t)ms;
        sum_nodes(json_object_get(node, "inner"), batches, need_ms);
    }
}

/* Several writes of one path are alternatives: only one of them can come. */
static bool is_alternative(const json_t *writes, size_t at)
{
    const char *path = ft_json_str(json_array_get(writes, at), "path");

    for (size_t i = 0; i < at; i++)
        if (ft_streq(ft_json_str(json_array_get(writes, i), "path"), path))
            return true;
    return false;
}

static void sum_writes(json_t *plan, json_int_t need_ms)
{
    const json_t *writes = json_object_get(plan, "writes");
    json_int_t users = 0, exact = 0, predicted = 0, undetermined = 0;
    json_t *w;
    size_t i;

    json_array_foreach((json_t *)writes, i, w) {
        const char *exactness = ft_json_str(w, "exactness");

        if (json_object_get(w, "before")) {
            char digest[65];

            ft_json_digest(json_object_get(w, "before"), digest);
            json_object_set_new(w, "before_digest", json_string(digest));
        }
        exact += ft_streq(exactness, "exact");
        predicted += ft_streq(exactness, "predicted");
        undetermined += ft_streq(exactness, "undetermined");
        if (is_alternative(writes, i))
            continue;
        users += ft_json_int(w, "users", 0);
        need_ms += ft_json_int(w, "need_ms", 0);
    }
    json_object_set_new(plan, "score", json_pack("{s:I, s:I, s:I}", "exact", exact, "predicted", predicted, "undetermined", undetermined));
    json_object_set_new(plan, "users", json_integer(users));
    json_object_set_new(plan, "need_ms", json_integer(need_ms));
}

static json_t *playbook_of(const struct ft_playbook *playbook)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", ft_playbook_name(playbook), "title", ft_playbook_title(playbook), "digest", ft_playbook_digest(playbook),
                     "category", ft_playbook_category(playbook), "severity", ft_playbook_severity(playbook));
}

json_t *dry_plan(struct dry *dry)
{
    struct ft_run *run = dry->run;
    json_t *plugins = json_object(), *batches = json_array(), *raw, *plan;
    const struct list_run *root = run->root;
    json_int_t need_ms = 0;

    dry_left_end(dry->writes);
    plugins_of(ft_playbook_steps(run->playbook), plugins);
    sum_nodes(dry->nodes, batches, &need_ms);
    raw = json_pack("{s:i, s:o, s:s*, s:O, s:O, s:O*, s:o, s:s, s:O, s:O, s:o, s:o, s:O, s:b, s:b, s:o}", "fettle_plan", 1, "playbook", playbook_of(run->playbook),
                    "sources", run->sources, "params", run->params, "vars", run->vars, "event", json_object_get(root->env, "event"), "plugins", plugins,
                    "from", dry->ahead_of ? dry->ahead_of->path : "", "nodes", dry->nodes, "writes", dry->writes, "rests_on", rests_on(dry->writes), "batches", batches,
                    "outcomes", dry->outcomes, "may_fail", dry->may_fail, "cut", dry->cut, "needs", plan_needs(run, dry->writes));
    if (run->change)
        json_object_set_new(raw, "change", json_string(run->change));
    if (run->plan_valid_ms && !dry->ahead_of)
        json_object_set_new(raw, "valid_ms", json_integer((json_int_t)run->plan_valid_ms));
    plan = plan_clean(run, raw);
    json_decref(raw);
    sum_writes(plan, need_ms);
    plan_seal(plan);
    return plan;
}

/* ---- reading one */

const char *ft_plan_digest(const json_t *plan)
{
    return ft_json_str(plan, "digest");
}

size_t ft_plan_writes(const json_t *plan)
{
    const json_t *writes = json_object_get(plan, "writes");
    size_t n = 0;

    for (size_t i = 0; i < json_array_size(writes); i++)
        n += !is_alternative(writes, i) && !json_is_true(json_object_get(json_array_get(writes, i), "nothing_to_do"));
    return n;
}

int ft_plan_check(const json_t *plan, struct ft_err *reterr)
{
    char digest[65], whole[65];

    if (ft_json_int(plan, "fettle_plan", 0) != 1 || !ft_plan_digest(plan))
        return ft_err_class(reterr, FT_INVALID, -EBADMSG, "this is no plan of fettle, or one of a newer fettle");
    digests(plan, digest, whole);
    if (!ft_streq(digest, ft_plan_digest(plan)) || !ft_streq(whole, ft_json_str(plan, "whole")))
        return ft_err_class(reterr, FT_INVALID, -EBADMSG, "plan %.8s is not what was planned: it was altered since, its digest does not fit; plan again", ft_plan_digest(plan));
    return 0;
}

struct ft_playbook *ft_plan_playbook(const json_t *plan, struct ft_store *store, const struct ft_playbook_world *world, struct ft_err *reterr)
{
    const json_t *named = json_object_get(plan, "playbook");
    struct ft_playbook *playbook = run_stored_playbook(ft_json_str(plan, "sources"), store, world, reterr);

    if (playbook && !ft_streq(ft_playbook_digest(playbook), ft_json_str(named, "digest"))) {
        ft_err_class(reterr, FT_CONFLICT, -ESTALE, "the stored playbook %s is not the one that was planned: its digest is %.8s, planned was %.8s; plan again",
                     ft_playbook_name(playbook), ft_playbook_digest(playbook), ft_json_str(named, "digest"));
        playbook = ft_playbook_unref(playbook);
    }
    return playbook;
}

int ft_plan_plugins(const json_t *plan, const struct ft_playbook *playbook, struct ft_err *reterr)
{
    json_t *now = json_object(), *planned = json_object_get(plan, "plugins"), *version;
    const char *name;
    int r = 0;

    plugins_of(ft_playbook_steps(playbook), now);
    json_object_foreach(planned, name, version) {
        const char *is = ft_json_str(now, name);

        if (r == 0 && !ft_streq(is, json_string_value(version)))
            r = ft_err_class(reterr, FT_CONFLICT, -ESTALE, "plan %.8s was made with plugin %s %s, and %s is installed now; plan again", ft_plan_digest(plan), name,
                             json_string_value(version), is ? is : "another set of plugins");
    }
    json_decref(now);
    return r;
}

/* ---- the store */

int ft_plan_load(struct ft_store *store, const char *prefix, json_t **ret, uint64_t *ret_at, struct ft_err *reterr)
{
    uint64_t at = 0;
    char *text = NULL;
    int r = ft_store_plan_get(store, prefix, &at, &text, reterr);

    if (r < 0)
        return r;
    *ret = NULL;
    r = ft_json_parse(text, strlen(text), 0, ret, reterr);
    free(text);
    if (r < 0)
        return ft_err_in(reterr, "plan %s in the store", prefix);
    r = ft_plan_check(*ret, reterr);
    if (r == 0 && strncmp(ft_plan_digest(*ret), prefix, strlen(prefix)) != 0)
        r = ft_err_class(reterr, FT_INVALID, -EBADMSG, "plan %s in the store is another plan: it was altered since; plan again", prefix);
    if (r < 0) {
        json_decref(*ret);
        *ret = NULL;
    }
    if (ret_at)
        *ret_at = at;
    return r;
}

void plan_keep(struct ft_run *run, const json_t *plan)
{
    char *text = ft_json_canonical(plan);

    ft_store_plan_put(run->engine->o.store, ft_plan_digest(plan), run->id, text);
    json_object_set(run->plans, ft_plan_digest(plan), (json_t *)plan);
    free(text);
}

int plan_get(struct ft_run *run, const char *digest, const json_t **ret, struct ft_err *reterr)
{
    json_t *plan = json_object_get(run->plans, digest);
    int r;

    if (!plan) {
        r = ft_plan_load(run->engine->o.store, digest, &plan, NULL, reterr);
        if (r < 0)
            return r;
        json_object_set_new(run->plans, digest, plan);
    }
    *ret = plan;
    return 0;
}
