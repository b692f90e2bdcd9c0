/* notice.c: tells people that they are asked: the actions under `approvals: notify:` of the configuration, called when a gate opens, reminds, escalates, or
 * somebody broke the glass. A notice that fails is journalled and holds nothing up; one that a crash swallowed is sent again by the next life. */
#include "run/internal.h"

struct notice {
    struct ft_list in_run;
    struct ft_run *run;
    struct ft_call *call;
    char *path, *key, *action;         /* key: "opened", "reminded 2" */
};

/* ---- the words: ${gate.NAME} in the configured parameters; no expressions */

static json_t *filled(const json_t *value, const json_t *words);

static json_t *filled_text(const char *text, const json_t *words)
{
    struct ft_buf buf = FT_BUF_INIT(64 << 10);
    const char *hit, *end;
    json_t *whole = NULL;

    while ((hit = strstr(text, "${gate.")) != NULL && (end = strchr(hit, '}')) != NULL) {
        char *name = ft_strndup(hit + 7, (size_t)(end - hit - 7));
        json_t *word = json_object_get(words, name);

        free(name);
        if (hit == text && !end[1] && !buf.len && word) {
            whole = json_incref(word);                  /* "${gate.mails}" alone stays a list */
            break;
        }
        ft_buf_add(&buf, text, (size_t)(hit - text));
        if (json_is_string(word)) {
            ft_buf_adds(&buf, json_string_value(word));
        } else if (json_is_array(word)) {
            for (size_t i = 0; i < json_array_size(word); i++)
                ft_buf_addf(&buf, "%s%s", i ? ", " : "", json_string_value(json_array_get(word, i)));
        } else if (word) {
            char *brief = ft_json_brief(word, 400);

            ft_buf_adds(&buf, brief);
            free(brief);
        }
        text = end + 1;
    }
    if (!whole) {
        ft_buf_adds(&buf, text);
        whole = json_string(ft_buf_str(&buf));
    }
    ft_buf_done(&buf);
    return whole ? whole : json_string("");
}

static json_t *filled(const json_t *value, const json_t *words)
{
    json_t *copy, *member;
    const char *key;
    size_t i;

    if (json_is_string(value))
        return filled_text(json_string_value(value), words);
    if (json_is_object(value)) {
        copy = json_object();
        json_object_foreach((json_t *)value, key, member)
            json_object_set_new(copy, key, filled(member, words));
        return copy;
    }
    if (json_is_array(value)) {
        copy = json_array();
        json_array_foreach((json_t *)value, i, member)
            json_array_append_new(copy, filled(member, words));
        return copy;
    }
    return json_incref((json_t *)value);
}

static json_t *mails_of(const struct ft_people *people, const json_t *names)
{
    json_t *mails = json_array(), *name;
    size_t i;

    json_array_foreach((json_t *)names, i, name) {
        json_t *mail = json_object_get(json_object_get(json_object_get(people->config, "people"), json_string_value(name)), "email");

        if (mail)
            json_array_append(mails, mail);
    }
    return mails;
}

static json_t *words_of(const struct ft_run *run, const struct ft_people *people, const json_t *gate, const char *what, json_t *to, const json_t *event)
{
    static const char *const kept[] = { "title", "text", "path", "requester", NULL };
    const char *base = ft_json_str(json_object_get(people->config, "approvals"), "link"), *digest = ft_json_str(gate, "digest");
    json_t *words = json_object();
    char when[32], link[33], *needs = ft_gate_needs(gate);

    for (const char *const *key = kept; *key; key++)
        json_object_set_new(words, *key, json_incref(json_object_get(gate, *key) ? json_object_get(gate, *key) : json_null()));
    json_object_set_new(words, "run", json_string(run->id));
    json_object_set_new(words, "playbook", json_string(ft_playbook_name(run->playbook)));
    json_object_set_new(words, "digest", json_sprintf("%.8s", digest ? digest : ""));
    json_object_set_new(words, "command", json_sprintf("fettle approve %s", run->id));
    json_object_set_new(words, "what", json_string(what));
    json_object_set_new(words, "needs", json_string(needs));
    json_object_set_new(words, "until", json_string(ft_time_format((uint64_t)ft_json_int(gate, "until", 0), when, sizeof(when))));
    json_object_set_new(words, "by", json_string(ft_json_str(event, "by") ? ft_json_str(event, "by") : ""));
    json_object_set_new(words, "reason", json_string(ft_json_str(event, "reason") ? ft_json_str(event, "reason") : ""));
    json_object_set_new(words, "mails", mails_of(people, to));
    json_object_set_new(words, "to", to);
    ft_gate_link(run->id, gate, link);
    json_object_set_new(words, "link", base ? json_sprintf("%s%s", base, link) : json_string(""));
    free(needs);
    return words;
}

/* ---- the calls */

static void over(struct notice *n, const char *error)
{
    struct ft_run *run = n->run;
    json_t *event;

    ft_list_remove(&n->in_run);
    if (error)
        ft_log(FT_LOG_WARN, "run %s: people could not be told by %s: %s", run->id, n->action, error);
    if (run->state != RUN_ENDED) {
        event = ev(error ? "gate.notice_failed" : "gate.noticed", n->path);
        json_object_set_new(event, "what", json_string(n->key));
        json_object_set_new(event, "action", json_string(n->action));
        if (error)
            json_object_set_new(event, "error", json_string(error));
        run_ride(run, event);
    }
    free(n->path);
    free(n->key);
    free(n->action);
    free(n);
    notices_maybe_last(run);
}

static void sent(void *arg, json_t *result)
{
    (void)result;
    over(arg, NULL);
}

static void failed(void *arg, enum ft_class class, const char *text)
{
    (void)class;
    over(arg, text);
}

static void send_one(struct ft_run *run, const json_t *gate, const char *key, const json_t *item, const json_t *words)
{
    static const struct ft_call_handler handler = { .done = sent, .fail = failed };
    struct notice *n = ft_calloc(1, sizeof(*n));
    json_t *with = filled(json_object_get(item, "with") ? json_object_get(item, "with") : json_null(), words);
    struct ft_call_req req = { .entry = FT_ENTRY_RUN, .params = json_is_object(with) ? with : NULL, .run_id = run->id };
    struct ft_err err = { 0 };
    json_t *none = json_object();
    int r;

    if (!req.params)
        req.params = none;
    n->run = run;
    n->path = ft_strdup(ft_json_str(gate, "path"));
    n->key = ft_strdup(key);
    n->action = ft_strdup(ft_json_str(item, "run") ? ft_json_str(item, "run") : "");
    ft_list_append(&run->notices, &n->in_run);
    r = ft_registry_action(run->engine->o.registry, n->action, &req.info, &err);
    if (r == 0)
        r = ft_call_start(run->engine->o.registry, &req, &handler, n, &n->call, &err);
    json_decref(with);
    json_decref(none);
    if (r < 0)
        over(n, err.text);
}

static bool told(const json_t *gate, const char *key)
{
    json_t *one;
    size_t i;

    json_array_foreach(json_object_get(gate, "told"), i, one)
        if (ft_streq(json_string_value(one), key))
            return true;
    return false;
}

void notice_send(struct ft_run *run, const json_t *gate, const char *what, int n, json_t *to, const json_t *event)
{
    struct ft_people people = people_now(run->engine);
    const json_t *items = json_object_get(json_object_get(people.config, "approvals"), "notify"), *item;
    char *key = n ? ft_asprintf("%s %d", what, n) : ft_strdup(what);
    json_t *words;
    size_t i;

    if (!json_array_size(items) || told(gate, key)) {
        json_decref(to);
        free(key);
        return;
    }
    words = words_of(run, &people, gate, what, to, event);
    for (i = 0; i < json_array_size(items) && run->state != RUN_ENDED; i++) {
        item = json_array_get(items, i);
        send_one(run, gate, key, item, words);
    }
    json_decref(words);
    free(key);
}

bool notices_under_way(const struct ft_run *run)
{
    return run->notices.next && !ft_list_empty(&run->notices);
}

void notices_drop(struct ft_run *run)
{
    struct ft_list *pos, *tmp;

    if (!run->notices.next)
        return;
    ft_list_each(pos, tmp, &run->notices) {
        struct notice *n = ft_container(pos, struct notice, in_run);

        if (n->call)
            ft_call_drop(n->call);
        free(n->path);
        free(n->key);
        free(n->action);
        free(n);
    }
    ft_list_init(&run->notices);
}
