/* edits.c: changes of the server's configuration.
 *
 *   config-get ─► edit a copy ─► config-test ─► (plan ends here) ─► keep ─► [config-hash-get] ─► config-set ─► config-write
 *
 * Kea takes a configuration only whole, and has no compare-and-set: so the copy is made from the newest configuration, compared with
 * the one that the plan saw, and sent at once. A set that cannot be written to the server's file is taken back, because the next restart
 * would lose it. Undo is the opposite edit of the then newest configuration: what others changed meanwhile stays. */
#include "edits.h"

#include <stdlib.h>
#include <string.h>
#include "subnets.h"
#include "wapi.h"
#include "wapi_changes.h"

/* ---- Digest, passwords ---- */

const char *config_digest(struct ft_call *call, const json_t *config)
{
    char *text = json_dumps(config, JSON_COMPACT | JSON_SORT_KEYS);
    uint64_t hash = 14695981039346656037u;               /* FNV-1a: this detects change, it proves nothing */

    for (const char *p = text ? text : ""; *p; p++)
        hash = (hash ^ (unsigned char)*p) * 1099511628211u;
    free(text);
    return host->printf(call, "%016llx", (unsigned long long)hash);
}

bool hide_passwords(struct ft_call *call, const json_t *config)
{
    const char *key;
    json_t *value;
    size_t i;
    bool whole = true;

    json_object_foreach((json_t *)config, key, value) {
        const char *text = json_string_value(value);

        if (!text) {
            whole = hide_passwords(call, value) && whole;
        } else if (kea_is_secret(key)) {
            if (*text && strspn(text, "*") == strlen(text))
                whole = false;
            else
                host->redact(call, text);
        }
    }
    json_array_foreach(config, i, value)
        whole = hide_passwords(call, value) && whole;
    return whole;
}

/* ---- The machine ---- */

static json_t *dhcp4_arguments(const json_t *config)
{
    return json_pack("{s:O}", "Dhcp4", config);
}

static void end_unchanged(struct ft_call *call, struct dhcp *st)
{
    if (st->phase == PHASE_PLAN)
        dhcp_done(call, json_pack("{s:o, s:[], s:b, s:O?, s:O*}", "summary", json_sprintf("%s: it is so already", st->summary), "requests",
                                  "nothing_to_do", 1, "receipt", st->receipt, "result", st->result));
    else
        dhcp_done(call, json_incref(st->result));
}

static void written_back(struct ft_call *call, const struct kea_reply *reply)
{
    if (reply->class != FT_CLASS_NONE)
        dhcp_fail(call, FT_AMBIGUOUS, "the new configuration is in force but could not be written to the server's file, and could not be taken back (%s): "
                  "the next restart of Kea loses it", reply->text);
    else
        dhcp_fail(call, FT_REFUSED, "Kea could not write its configuration file, so the change was taken back: let the server write its own file, then try again");
}

static void written(struct ft_call *call, const struct kea_reply *reply)
{
    struct dhcp *st = host->state(call);

    if (reply->class != FT_CLASS_NONE)
        kea_change(call, "config-set", dhcp4_arguments(st->before), written_back);
    else if (st->phase == PHASE_RUN && st->edit->after_write)
        st->edit->after_write(call);
    else
        dhcp_done(call, json_incref(st->result));
}

static void was_set(struct ft_call *call, const struct kea_reply *reply)
{
    struct dhcp *st = host->state(call);

    if (!kea_accept(call, reply))
        return;
    if (st->leave_file)
        written(call, reply);
    else
        kea_change(call, "config-write", NULL, written);
}

static void hash_seen(struct ft_call *call, const struct kea_reply *reply)
{
    struct dhcp *st = host->state(call);
    const char *hash = ft_str(reply->arguments, "hash");

    if (!kea_accept(call, reply))
        return;
    if (hash && strcmp(hash, st->hash) != 0) {
        dhcp_fail(call, FT_CONFLICT, "somebody else changed the server's configuration at this moment: nothing was sent, try again");
        return;
    }
    kea_change(call, "config-set", dhcp4_arguments(st->after), was_set);
}

static void receipt_kept(struct ft_call *call)
{
    struct dhcp *st = host->state(call);

    if (st->hash)
        kea_ask(call, "config-hash-get", NULL, hash_seen);
    else
        kea_change(call, "config-set", dhcp4_arguments(st->after), was_set);
}

/* One configuration a server: what writes planned before this one will have made of it is what this one is planned on. */
static const char *left_key(struct ft_call *call)
{
    return host->printf(call, "server/%s", ft_str(host->params(call), "server") ? ft_str(host->params(call), "server") : "");
}

static const json_t *left(struct ft_call *call, const json_t *config)
{
    const struct dhcp *st = host->state(call);
    const json_t *will = st->phase == PHASE_PLAN && host->abi_minor >= 3 ? host->left(call, left_key(call)) : NULL;

    return will ? will : config;
}

static void show_plan(struct ft_call *call, struct dhcp *st)
{
    json_t *requests = json_array(), *leaves = dhcp_hold(call, json_deep_copy(st->after));

    kea_mask_passwords(leaves);
    json_array_append_new(requests, kea_render(call, "config-set", dhcp4_arguments(st->after)));
    if (!st->leave_file)
        json_array_append_new(requests, kea_render(call, "config-write", NULL));
    dhcp_done(call, json_pack("{s:s, s:o, s:O, s:i, s:O, s:{s:O}}", "summary", st->summary, "requests", requests,
                              "changes", json_object_get(st->result, "changes"), "users", 0, "receipt", st->receipt, "leaves", left_key(call), leaves));
}

void edit_keep(struct ft_call *call)
{
    const struct dhcp *st = host->state(call);
    struct ft_err err = { 0 };

    if (host->keep(call, json_incref(st->receipt), receipt_kept, &err) < 0)
        dhcp_fail(call, err.class, "%s", err.text);
}

static void tested(struct ft_call *call, const struct kea_reply *reply)
{
    struct dhcp *st = host->state(call);

    if (!kea_accept(call, reply))
        return;
    if (st->phase == PHASE_PLAN)
        show_plan(call, st);
    else if (st->phase == PHASE_UNDO)
        receipt_kept(call);
    else if (st->edit->before_set)
        st->edit->before_set(call);
    else
        edit_keep(call);
}

static bool is_as_planned(struct ft_call *call, const struct dhcp *st)
{
    const char *planned = ft_str(host->receipt(call), "digest");

    return st->phase != PHASE_RUN || !planned || strcmp(planned, config_digest(call, st->before)) == 0;
}

static void edit_and_test(struct ft_call *call, struct dhcp *st)
{
    struct ft_err err = { 0 };
    int r;

    st->after = dhcp_hold(call, json_deep_copy(st->before));
    st->result = dhcp_hold(call, json_object());
    st->receipt = dhcp_hold(call, json_pack("{s:s}", "digest", config_digest(call, st->before)));
    r = st->phase == PHASE_UNDO ? st->edit->revert(call, st, &err) : st->edit->apply(call, st, &err);
    if (r < 0) {
        dhcp_fail(call, err.class, "%s", err.text);
        return;
    }
    json_object_set_new(st->result, "changed", json_boolean(r > 0));
    if (r == 0)
        end_unchanged(call, st);
    else if (!is_as_planned(call, st))
        dhcp_fail(call, FT_CONFLICT, "the server's configuration has changed since the plan was made: plan again");
    else
        kea_ask(call, "config-test", dhcp4_arguments(st->after), tested);
}

static void ha_seen(struct ft_call *call, const struct kea_reply *reply)
{
    struct dhcp *st = host->state(call);
    const json_t *ha = json_array_get(json_object_get(reply->arguments, "high-availability"), 0);
    const char *state = ft_str(json_object_get(json_object_get(ha, "ha-servers"), "local"), "state");

    if (!kea_accept(call, reply))
        return;
    if (state && strcmp(state, "hot-standby") != 0 && strcmp(state, "load-balancing") != 0) {
        dhcp_fail(call, FT_REFUSED, "the high-availability pair is in state %s: no change of configuration before both servers are back in %s", state,
                  ft_str(ha, "ha-mode") ?: "hot-standby or load-balancing");
        return;
    }
    edit_and_test(call, st);
}

static void config_read(struct ft_call *call, const struct kea_reply *reply)
{
    struct dhcp *st = host->state(call);
    const json_t *config = json_object_get(reply->arguments, "Dhcp4");
    const char *hash = ft_str(reply->arguments, "hash");

    if (!kea_accept(call, reply))
        return;
    if (!json_is_object(config)) {
        dhcp_fail(call, FT_INVALID, "Kea's configuration has no Dhcp4 part: is the service a DHCPv4 server?");
        return;
    }
    if (st->edit->elsewhere && st->edit->elsewhere(call, config))
        return;
    if (!hide_passwords(call, config)) {
        dhcp_fail(call, FT_REFUSED, "this Kea masks passwords in config-get, so its configuration cannot be sent back: change it in its file");
        return;
    }
    st->before = dhcp_hold(call, json_incref((json_t *)left(call, config)));
    st->hash = hash ? host->printf(call, "%s", hash) : NULL;
    kea_ask(call, "status-get", NULL, ha_seen);
}

void edit_go(struct ft_call *call)
{
    kea_ask(call, "config-get", NULL, config_read);
}

int edit_start(struct ft_call *call, enum phase phase, const struct edit *edit, struct ft_err *reterr)
{
    struct dhcp *st = host->state(call);
    int r = dhcp_begin(call, phase, reterr);

    if (r < 0)
        return r;
    if (is_wapi(st))
        return wapi_change(call, phase, edit->wapi, reterr);
    st->edit = edit;
    edit_go(call);
    return 0;
}

void change_note(struct dhcp *st, const json_t *subnet, const char *what, json_t *from, json_t *to)
{
    json_object_set_new(st->result, "changes", json_pack("[{s:o, s:o, s:o}]", "path", json_sprintf("subnet %s %s", ft_str(subnet, "subnet"), what),
                                                         "from", from, "to", to));
}

json_t *list_in(json_t *subnet, const char *key)
{
    json_t *list = json_object_get(subnet, key);

    if (!list) {
        list = json_array();
        json_object_set_new(subnet, key, list);
    }
    return list;
}

/* ---- pool_extend ---- */

static bool overlaps(const struct range *a, const struct range *b) { return a->first <= b->last && b->first <= a->last; }

int pool_fits(const json_t *subnet, const char *text, struct range *wanted, struct ft_err *reterr)
{
    struct range whole, other;
    json_t *pool;
    size_t i;

    if (!range_parse(text, wanted))
        return ft_fault(reterr, FT_INVALID, "pool '%s' is no range of addresses: write 10.0.0.200 - 10.0.0.220 or 10.0.0.192/27", text);
    if (!range_parse(ft_str(subnet, "subnet"), &whole) || wanted->first < whole.first || wanted->last > whole.last)
        return ft_fault(reterr, FT_INVALID, "pool '%s' is not within the subnet %s", text, ft_str(subnet, "subnet"));
    json_array_foreach(json_object_get(subnet, "pools"), i, pool) {
        if (!range_parse(ft_str(pool, "pool"), &other) || !overlaps(wanted, &other))
            continue;
        if (wanted->first == other.first && wanted->last == other.last)
            return 0;
        return ft_fault(reterr, FT_INVALID, "pool '%s' overlaps with the pool %s that the subnet has", text, ft_str(pool, "pool"));
    }
    return 1;
}

static const char *range_text(struct ft_call *call, const struct range *r)
{
    return host->printf(call, "%s-%s", ip_text(call, r->first), ip_text(call, r->last));
}

static int pool_add(struct ft_call *call, struct dhcp *st, struct ft_err *reterr)
{
    const char *text = ft_str(host->params(call), "pool"), *canonical;
    json_t *subnet = subnet_chosen(call, st->after, reterr), *pools;
    struct range wanted;
    int r = subnet ? pool_fits(subnet, text, &wanted, reterr) : -EINVAL;
    json_t *from;

    if (r < 0)
        return r;
    canonical = range_text(call, &wanted);
    st->summary = host->printf(call, "add %u addresses (%s) to subnet %s", wanted.last - wanted.first + 1, canonical, ft_str(subnet, "subnet"));
    json_object_update_new(st->result, json_pack("{s:O, s:O, s:s, s:I}", "subnet_id", json_object_get(subnet, "id"),
                                                 "subnet", json_object_get(subnet, "subnet"), "pool", canonical,
                                                 "added", r ? (json_int_t)(wanted.last - wanted.first + 1) : 0));
    if (r == 0)
        return 0;
    pools = list_in(subnet, "pools");
    from = json_deep_copy(pools);
    json_array_append_new(pools, json_pack("{s:s}", "pool", canonical));
    change_note(st, subnet, "pools", from, json_deep_copy(pools));
    json_object_update_new(st->receipt, json_pack("{s:O, s:s}", "subnet_id", json_object_get(subnet, "id"), "pool", canonical));
    return 1;
}

static int pool_remove(struct ft_call *call, struct dhcp *st, struct ft_err *reterr)
{
    const json_t *receipt = host->receipt(call);
    json_t *subnet = subnet_by_id(st->after, ft_int(receipt, "subnet_id")), *pools = json_object_get(subnet, "pools"), *pool;
    struct range ours, other;
    size_t i;

    if (!range_parse(ft_str(receipt, "pool"), &ours))
        return 0;                                            /* run added none */
    json_array_foreach(pools, i, pool) {
        if (!range_parse(ft_str(pool, "pool"), &other) || ours.first != other.first || ours.last != other.last)
            continue;
        json_array_remove(pools, i);
        return 1;
    }
    if (!subnet)
        return ft_fault(reterr, FT_CONFLICT, "the subnet that the pool was added to is gone");
    return 0;
}

static const struct edit pool_edit = { .apply = pool_add, .revert = pool_remove, .wapi = WAPI_EXTEND };

static int extend_run(struct ft_call *call, struct ft_err *e) { return edit_start(call, PHASE_RUN, &pool_edit, e); }
static int extend_plan(struct ft_call *call, struct ft_err *e) { return edit_start(call, PHASE_PLAN, &pool_edit, e); }
static int extend_undo(struct ft_call *call, struct ft_err *e) { return edit_start(call, PHASE_UNDO, &pool_edit, e); }

static void pool_looked_for(struct ft_call *call, const struct kea_reply *reply)
{
    const json_t *dhcp4 = json_object_get(reply->arguments, "Dhcp4");
    struct ft_err err = { 0 };
    const json_t *subnet;
    struct range wanted;
    json_t *answer;
    bool there;

    if (!kea_accept(call, reply))
        return;
    subnet = subnet_chosen(call, dhcp4, &err);
    there = subnet && pool_fits(subnet, ft_str(host->params(call), "pool"), &wanted, &err) == 0;
    answer = json_pack("{s:b, s:o*}", "happened", there, "seen", json_deep_copy(json_object_get(subnet, "pools")));
    if (there)
        json_object_set_new(answer, "result", json_pack("{s:b, s:O, s:O, s:s, s:I}", "changed", 1, "subnet_id", json_object_get(subnet, "id"),
                                                        "subnet", json_object_get(subnet, "subnet"), "pool", range_text(call, &wanted),
                                                        "added", (json_int_t)(wanted.last - wanted.first + 1)));
    dhcp_done(call, answer);
}

static int extend_probe(struct ft_call *call, struct ft_err *reterr)
{
    int r = dhcp_begin(call, PHASE_PROBE, reterr);

    if (r < 0)
        return r;
    if (is_wapi(host->state(call)))
        return wapi_change(call, PHASE_PROBE, WAPI_EXTEND, reterr);
    kea_ask(call, "config-get", NULL, pool_looked_for);
    return 0;
}

static const char extend_params[] =
    "{\"type\": \"object\", \"additionalProperties\": false, \"required\": [\"pool\"], "
    "\"anyOf\": [{\"required\": [\"subnet_id\"]}, {\"required\": [\"vlan\"]}, {\"required\": [\"subnet\"]}], \"properties\": {"
    FT_JSON("pool": {"type": "string", "description": "the addresses to add: 10.0.0.200 - 10.0.0.220, or 10.0.0.192/27"})
    ", " SUBNET_PARAMS ", " SERVER_PARAM "}}";

static const char extend_result[] =
    "{\"type\": \"object\", \"properties\": {" CHANGED_PROPERTIES ", "
    FT_JSON("pool": {"type": "string", "description": "the range that was added"},
         "added": {"type": "integer", "description": "addresses added"}) "}}";

const struct ft_action dhcp_pool_extend = {
    .size = sizeof(dhcp_pool_extend), .name = "pool_extend", .summary = "add a range of addresses to a subnet",
    .effects = FT_EFFECT_WRITE, .params_schema = extend_params, .result_schema = extend_result, .state_size = sizeof(struct dhcp),
    .run = { extend_run, dhcp_cancel }, .plan = { extend_plan, dhcp_cancel }, .undo = { extend_undo, dhcp_cancel },
    .probe = { extend_probe, dhcp_cancel }, .timeout_ms = 60000,
    .about = EDIT_ABOUT "Undo removes the range again and leaves what others changed since.",
    .example = "run: dhcp.pool_extend\nwith: {vlan: 110, pool: 10.11.0.200 - 10.11.0.250}\nundo: auto\n",
};
