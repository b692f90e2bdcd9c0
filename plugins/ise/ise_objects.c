/* ise_objects.c: resources of ERS by name: create, change, delete, and the way back. ERS has no key that makes a request idempotent, so each looks first, and
 * a creation looks again afterwards. The receipt holds the members that change, before and after; undo touches nothing that somebody changed since. */
#include <string.h>
#include "ise.h"

struct object {
    const struct ise_kind *kind;
    const char *name;
    json_t *wanted, *secret;          /* held */
    json_t *found;                    /* held; NULL: none */
    ise_then *then;
};

static struct object *own(struct ft_call *call)
{
    return ise_state(call)->own;
}

/* ---- looking */

static void found(struct ft_call *call, json_t *answer)
{
    struct object *o = own(call);
    json_t *item = json_object_get(answer, o->kind->wrapper);

    if (answer && (!json_is_object(item) || !ise_str(item, "id"))) {
        ise_fail(call, FT_INVALID, "GET %s: the answer holds no %s with an id", ise_state(call)->ask.url, o->kind->wrapper);
        return;
    }
    o->found = item;
    o->then(call, item);
}

static void look(struct ft_call *call, ise_then *then)
{
    struct object *o = own(call);

    o->then = then;
    ise_get(call, ISE_ERS, true, ise_url(call, ISE_ERS, "/%s/%s%s", o->kind->resource, ise_is_id(o->name) ? "" : "name/", ise_escape(call, o->name)), found);
}

static struct object *begin(struct ft_call *call, const struct ise_kind *kind, const char *name)
{
    struct object *o = host->alloc(call, sizeof(*o));

    *o = (struct object){ .kind = kind, .name = name };
    ise_state(call)->own = o;
    return o;
}

void ise_find(struct ft_call *call, const struct ise_kind *kind, const char *name, ise_then *then)
{
    begin(call, kind, name);
    look(call, then);
}

/* ---- members */

static json_t *members(const json_t *object, const json_t *like)
{
    json_t *out = json_object(), *value;
    const char *name;

    json_object_foreach((json_t *)like, name, value) {
        json_t *has = json_object_get(object, name);

        json_object_set_new(out, name, has ? json_incref(has) : json_null());
    }
    return out;
}

static json_t *writable(const struct ise_kind *kind, const json_t *object)
{
    json_t *out = json_object();

    for (const char *const *name = kind->writable; *name; name++) {
        json_t *value = json_object_get(object, *name);

        if (value && !json_is_null(value))
            json_object_set(out, *name, value);
    }
    return out;
}

/* Whether what ISE has holds what is wanted. It adds members of its own to what it was given, and writes true as "true" at times. */
static bool covers(const json_t *has, const json_t *wants)
{
    json_t *want;
    const char *name;
    size_t i;

    if (json_is_null(wants))
        return !has || json_is_null(has);
    if (json_is_object(wants)) {
        json_object_foreach((json_t *)wants, name, want)
            if (!covers(json_object_get(has, name), want))
                return false;
        return json_is_object(has);
    }
    if (json_is_array(wants)) {
        json_array_foreach(wants, i, want)
            if (!covers(json_array_get(has, i), want))
                return false;
        return json_array_size(has) == json_array_size(wants);
    }
    if (json_is_boolean(wants) && json_is_string(has))
        return strcmp(json_string_value(has), json_is_true(wants) ? "true" : "false") == 0;
    return json_equal(has, wants);
}

static bool has_all(const json_t *object, const json_t *wanted)
{
    return covers(object, wanted);
}

static json_t *changes_between(const json_t *before, const json_t *after)
{
    json_t *changes = json_array(), *to;
    const char *name;

    json_object_foreach((json_t *)after, name, to) {
        json_t *from = json_object_get(before, name);

        if (!covers(from, to))
            json_array_append_new(changes, json_pack("{s:s, s:O?, s:O}", "path", name, "from", from, "to", to));
    }
    return changes;
}

/* Goes over what is sent only: plans, receipts and results are made of `wanted`. */
static void add_secret(json_t *body, const json_t *secret)
{
    json_t *value;
    const char *name;

    json_object_foreach((json_t *)secret, name, value) {
        json_t *there = json_object_get(body, name);

        if (json_is_object(there) && json_is_object(value)) {
            json_object_set_new(body, name, json_deep_copy(there));
            json_object_update(json_object_get(body, name), value);
        } else {
            json_object_set(body, name, value);
        }
    }
}

/* ---- the write */

static void set_request(struct ft_call *call, const char *method, const char *id, json_t *body)
{
    struct object *o = own(call);
    struct ise_write *w = &ise_state(call)->write;

    w->api = ISE_ERS;
    w->method = method;
    w->url = id ? ise_url(call, ISE_ERS, "/%s/%s", o->kind->resource, ise_escape(call, id)) : ise_url(call, ISE_ERS, "/%s", o->kind->resource);
    if (body) {
        add_secret(body, o->secret);
        w->body = ise_hold(call, json_pack("{s:o}", o->kind->wrapper, body));
    }
}

static const char *key_of(struct ft_call *call)
{
    return host->printf(call, "%s/%s", own(call)->kind->resource, own(call)->name);
}

static void set_result(struct ft_call *call, const char *id)
{
    ise_state(call)->write.result = ise_hold(call, json_pack("{s:s?, s:s}", "id", id, "name", own(call)->name));
}

static void created_seen(struct ft_call *call, json_t *object)
{
    set_result(call, ise_str(object, "id"));
    ise_write_done(call, true);
}

/* 201 brings no body; the id is found by the name. */
static void created(struct ft_call *call, json_t *answer)
{
    (void)answer;
    look(call, created_seen);
}

static void create_ready(struct ft_call *call, json_t *object)
{
    struct object *o = own(call);
    struct ise_write *w = &ise_state(call)->write;

    if (object && !has_all(object, o->wanted)) {
        ise_fail(call, FT_CONFLICT, "ISE has a %s %s already, and it is another one than wanted", o->kind->noun, o->name);
        return;
    }
    w->nothing_to_do = object != NULL;
    w->summary = host->printf(call, object ? "%s %s is there already" : "create %s %s", o->kind->noun, o->name);
    w->users = 0;
    w->receipt = ise_hold(call, json_pack("{s:O}", "after", o->wanted));
    w->changes = ise_hold(call, json_pack("[{s:s, s:n, s:O}]", "path", o->kind->resource, "from", "to", o->wanted));
    w->sent = created;
    w->blurs = key_of(call);
    set_result(call, ise_str(object, "id"));
    set_request(call, "POST", NULL, json_deep_copy(o->wanted));
    ise_write_ready(call);
}

void ise_create(struct ft_call *call, const struct ise_kind *kind, const char *name, json_t *wanted, json_t *secret)
{
    struct object *o = begin(call, kind, name);

    o->wanted = ise_hold(call, wanted);
    o->secret = ise_hold(call, secret);
    look(call, create_ready);
}

static bool is_there(struct ft_call *call, const json_t *object)
{
    if (!object)
        ise_fail(call, FT_NOT_FOUND, "ISE has no %s %s", own(call)->kind->noun, own(call)->name);
    return object != NULL;
}

static json_t *body_of(const struct object *o, const json_t *wanted)
{
    json_t *body = o->kind->patch ? json_object() : writable(o->kind, o->found);

    json_object_update(body, (json_t *)wanted);
    return body;
}

static void change_ready(struct ft_call *call, json_t *object)
{
    struct object *o = own(call);
    struct ise_write *w = &ise_state(call)->write;
    const json_t *planned = json_object_get(host->receipt(call), "before");

    if (!is_there(call, object))
        return;
    o->found = object = ise_left(call, key_of(call), object, o->wanted);
    w->before = ise_hold(call, members(object, o->wanted));
    w->nothing_to_do = !o->secret && has_all(object, o->wanted);
    if (json_is_object(planned) && !json_equal(planned, w->before) && !has_all(object, o->wanted)) {
        ise_fail(call, FT_CONFLICT, "somebody changed %s %s since the plan: plan again", o->kind->noun, o->name);
        return;
    }
    w->changes = ise_hold(call, changes_between(w->before, o->wanted));
    w->summary = host->printf(call, w->nothing_to_do ? "%s %s is as wanted" : "change %s %s", o->kind->noun, o->name);
    w->users = o->kind->users;
    w->receipt = ise_hold(call, json_pack("{s:O, s:O, s:b}", "before", w->before, "after", o->wanted, "secret", o->secret != NULL));
    set_result(call, ise_str(object, "id"));
    set_request(call, o->kind->patch ? "PATCH" : "PUT", ise_str(object, "id"), body_of(o, o->wanted));
    ise_write_ready(call);
}

void ise_change(struct ft_call *call, const struct ise_kind *kind, const char *name, json_t *wanted, json_t *secret)
{
    struct object *o = begin(call, kind, name);

    o->wanted = ise_hold(call, wanted);
    o->secret = ise_hold(call, secret);
    if (json_object_size(wanted) || secret)
        look(call, change_ready);
    else
        ise_fail(call, FT_INVALID, "nothing to change: give at least one of the parameters");
}

static void delete_ready(struct ft_call *call, json_t *object)
{
    struct object *o = own(call);
    struct ise_write *w = &ise_state(call)->write;

    w->nothing_to_do = !object;
    w->summary = host->printf(call, object ? "delete %s %s" : "there is no %s %s", o->kind->noun, o->name);
    w->users = o->kind->users;
    set_result(call, ise_str(object, "id"));
    w->blurs = key_of(call);
    if (object) {
        object = ise_left(call, key_of(call), object, NULL);
        w->leaves = NULL;
        w->before = ise_hold(call, writable(o->kind, object));
        w->receipt = ise_hold(call, json_pack("{s:O}", "before", w->before));
        w->changes = ise_hold(call, json_pack("[{s:s, s:O, s:n}]", "path", o->kind->resource, "from", w->before, "to"));
        set_request(call, "DELETE", ise_str(object, "id"), NULL);
    }
    ise_write_ready(call);
}

void ise_delete(struct ft_call *call, const struct ise_kind *kind, const char *name)
{
    begin(call, kind, name);
    look(call, delete_ready);
}

/* ---- undo and probe */

static void nothing_undone(struct ft_call *call)
{
    set_result(call, NULL);
    ise_write_done(call, false);
}

static void uncreate(struct ft_call *call, json_t *object)
{
    struct object *o = own(call);
    const json_t *receipt = ise_receipt(call);

    if (!receipt)
        return;
    if (!object) {
        nothing_undone(call);
    } else if (!has_all(object, json_object_get(receipt, "after"))) {
        ise_fail(call, FT_CONFLICT, "somebody changed %s %s after this step created it: it is left there", o->kind->noun, o->name);
    } else {
        set_result(call, ise_str(object, "id"));
        set_request(call, "DELETE", ise_str(object, "id"), NULL);
        ise_write_ready(call);
    }
}

static void unchange(struct ft_call *call, json_t *object)
{
    struct object *o = own(call);
    const json_t *receipt = ise_receipt(call), *before = json_object_get(receipt, "before"), *after = json_object_get(receipt, "after");

    if (!receipt || !is_there(call, object))
        return;
    if (ise_true(receipt, "secret")) {
        ise_fail(call, FT_REFUSED, "the former secret of %s %s is not known to anybody: set it by hand", o->kind->noun, o->name);
    } else if (has_all(object, before)) {
        nothing_undone(call);
    } else if (!has_all(object, after)) {
        ise_fail(call, FT_CONFLICT, "somebody changed %s %s after this step: put back by hand what is right", o->kind->noun, o->name);
    } else {
        set_result(call, ise_str(object, "id"));
        set_request(call, o->kind->patch ? "PATCH" : "PUT", ise_str(object, "id"), body_of(o, before));
        ise_write_ready(call);
    }
}

static void undelete(struct ft_call *call, json_t *object)
{
    const json_t *receipt = ise_receipt(call);
    json_t *body;

    if (!receipt)
        return;
    if (object) {
        nothing_undone(call);
        return;
    }
    body = json_deep_copy(json_object_get(receipt, "before"));
    json_object_del(body, "id");                          /* ISE gives a new one */
    ise_state(call)->write.sent = created;
    set_request(call, "POST", NULL, body);
    ise_write_ready(call);
}

static void probe_created(struct ft_call *call, json_t *object)
{
    const json_t *receipt = ise_receipt(call);

    if (receipt)
        ise_done(call, json_pack("{s:b, s:b, s:{s:b, s:o, s:s}}", "happened", object && has_all(object, json_object_get(receipt, "after")), "seen", object != NULL,
                                 "result", "changed", 1, "id", ise_str_or_null(object, "id"), "name", own(call)->name));
}

static void probe_deleted(struct ft_call *call, json_t *object)
{
    ise_done(call, json_pack("{s:b, s:b, s:{s:b, s:n, s:s}}", "happened", !object, "seen", object != NULL, "result", "changed", 1, "id", "name", own(call)->name));
}

static void from_receipt(struct ft_call *call, const struct ise_kind *kind, const char *name, ise_then *then)
{
    if (!ise_receipt(call))
        return;
    begin(call, kind, name);
    look(call, then);
}

void ise_create_undo(struct ft_call *call, const struct ise_kind *kind, const char *name) { from_receipt(call, kind, name, uncreate); }
void ise_change_undo(struct ft_call *call, const struct ise_kind *kind, const char *name) { from_receipt(call, kind, name, unchange); }
void ise_delete_undo(struct ft_call *call, const struct ise_kind *kind, const char *name) { from_receipt(call, kind, name, undelete); }
void ise_create_probe(struct ft_call *call, const struct ise_kind *kind, const char *name) { from_receipt(call, kind, name, probe_created); }
void ise_delete_probe(struct ft_call *call, const struct ise_kind *kind, const char *name) { from_receipt(call, kind, name, probe_deleted); }
