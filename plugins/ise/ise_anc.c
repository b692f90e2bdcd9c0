/* ise_anc.c: adaptive network control: quarantine and the like, one policy per endpoint. Applying and clearing trigger a CoA by themselves. */
#include <string.h>
#include <strings.h>
#include "ise.h"

#define MAX_LOOKED_AT 500

/* ---- the policy of an endpoint: GET /ers/config/ancendpoint, and one GET each, for the list tells neither MAC nor policy and older releases
 * know no filter for it */

struct anc {
    json_t *list;
    size_t next;
    ise_then *then;             /* gets {"id", "policyName", …}, or NULL: none applied */
};

static void look_at_next(struct ft_call *call);

static void one_here(struct ft_call *call, json_t *answer)
{
    struct anc *anc = ise_state(call)->own;
    json_t *item = json_object_get(answer, "ErsAncEndpoint");
    char mac[ISE_MAC_LEN + 1];

    if (ise_mac(ise_str(item, "macAddress"), mac) && strcmp(mac, ise_state(call)->mac) == 0)
        anc->then(call, item);
    else
        look_at_next(call);
}

static void look_at_next(struct ft_call *call)
{
    struct anc *anc = ise_state(call)->own;
    const char *id = ise_str(json_array_get(anc->list, anc->next), "id");

    if (anc->next >= json_array_size(anc->list)) {
        anc->then(call, NULL);
    } else if (anc->next >= MAX_LOOKED_AT) {
        ise_fail(call, FT_REFUSED, "more than %d endpoints are under ANC: too many to look through for %s", MAX_LOOKED_AT, ise_state(call)->mac);
    } else {
        anc->next++;
        if (anc->next % 50 == 0)
            host->progress(call, "looked at %zu of %zu endpoints under ANC", anc->next, json_array_size(anc->list));
        ise_get(call, ISE_ERS, true, ise_url(call, ISE_ERS, "/ancendpoint/%s", ise_escape(call, id)), one_here);
    }
}

/* A release that names its entries by MAC saves the walk. */
static void list_here(struct ft_call *call, json_t *items)
{
    struct anc *anc = ise_state(call)->own;
    char mac[ISE_MAC_LEN + 1];
    json_t *item;
    size_t i;

    anc->list = items;
    json_array_foreach(items, i, item) {
        if (ise_mac(ise_str(item, "name"), mac) && strcmp(mac, ise_state(call)->mac) == 0 && ise_str(item, "id")) {
            anc->list = ise_hold(call, json_pack("[O]", item));
            break;
        }
    }
    look_at_next(call);
}

static void find_anc(struct ft_call *call, ise_then *then)
{
    struct anc *anc = host->alloc(call, sizeof(*anc));

    *anc = (struct anc){ .then = then };
    ise_state(call)->own = anc;
    ise_list(call, "ancendpoint", list_here);
}

static void status_shown(struct ft_call *call, json_t *item)
{
    ise_done(call, json_pack("{s:b, s:o, s:o}", "applied", item != NULL, "policy", ise_str_or_null(item, "policyName"), "id", ise_str_or_null(item, "id")));
}

static void status_begin(struct ft_call *call)
{
    if (ise_find_mac(call))
        find_anc(call, status_shown);
}
ISE_BEGIN(ISE_LOOK, status_begin, status_start)

const struct ft_action ise_anc_status = {
    ISE_READ(status_start),
    .name = "anc_status", .summary = "whether an endpoint is under an ANC policy, such as quarantine",
    .params_schema = ISE_PARAMS("\"mac\"", ISE_MAC),
    .result_schema = ISE_OBJ(ISE_P_BOOL("applied", "a policy is applied") "," ISE_P_STR("policy", "name of the policy") "," ISE_P_STR("id", "id of the record")),
    .about = "`GET /ers/config/ancendpoint` and one GET for each record until the endpoint is found, at most 500.",
    .example = "- id: anc\n  run: ise.anc_status\n  with: {mac: \"${client}\"}\n",
    .timeout_ms = 60000,
};

/* ---- anc_apply and anc_clear: PUT /ers/config/ancendpoint/apply and /clear */

/* Both shapes are in Cisco's own documents; the first works on every release heard of up to 3.x. */
json_t *ise_anc_body(struct ft_call *call, const char *policy)
{
    const char *mac = ise_state(call)->mac;

    if (ise_of(call)->anc_endpoint_body)
        return json_pack("{s:{s:s, s:s}}", "ErsAncEndpoint", "macAddress", mac, "policyName", policy);
    return json_pack("{s:{s:[{s:s, s:s}, {s:s, s:s}]}}", "OperationAdditionalData", "additionalData", "name", "macAddress", "value", mac,
                     "name", "policyName", "value", policy);
}

static void put(struct ft_call *call, bool apply, const char *policy)
{
    struct ise_write *w = &ise_state(call)->write;

    w->api = ISE_ERS;
    w->method = "PUT";
    w->url = ise_url(call, ISE_ERS, "/ancendpoint/%s", apply ? "apply" : "clear");
    w->body = ise_hold(call, ise_anc_body(call, policy));
    w->users = 1;
}

static void prepare(struct ft_call *call, const char *was, const char *becomes)
{
    struct ise_call *st = ise_state(call);
    struct ise_write *w = &st->write;

    w->before = ise_hold(call, json_pack("{s:s?}", "policy", was));
    w->changes = ise_hold(call, json_pack("[{s:s, s:s?, s:s?}]", "path", "policy", "from", was, "to", becomes));
    w->receipt = ise_hold(call, json_pack("{s:s?, s:s?}", "before", was, "after", becomes));
    w->result = ise_hold(call, json_pack("{s:s, s:s?, s:s?}", "mac", st->mac, "policy", becomes, "former_policy", was));
}

/* As it will be behind the writes that are planned before this one. becomes NULL: none. */
static const json_t *left(struct ft_call *call, json_t *item, const char *becomes)
{
    json_t *sets = json_pack("{s:s?}", "policyName", becomes);

    item = ise_left(call, host->printf(call, "anc/%s", ise_state(call)->mac), item, sets);
    json_decref(sets);
    return item;
}

static void apply_ready(struct ft_call *call, json_t *item)
{
    struct ise_call *st = ise_state(call);
    const char *policy = ise_text(call, "policy"), *was = ise_str(left(call, item, policy), "policyName");

    put(call, true, policy);
    prepare(call, was, policy);
    st->write.nothing_to_do = was && strcmp(was, policy) == 0;
    st->write.summary = st->write.nothing_to_do ? host->printf(call, "ANC policy %s is applied to %s already", policy, st->mac)
                                                : host->printf(call, "apply ANC policy %s to %s", policy, st->mac);
    ise_write_ready(call);
}

static void clear_ready(struct ft_call *call, json_t *item)
{
    struct ise_call *st = ise_state(call);
    const char *wanted = ise_text(call, "policy"), *was = ise_str(left(call, item, NULL), "policyName");

    if (was && wanted && strcmp(was, wanted) != 0) {
        ise_fail(call, FT_CONFLICT, "ANC policy %s is applied to %s, not %s", was, st->mac, wanted);
        return;
    }
    put(call, false, was ? was : "");
    prepare(call, was, NULL);
    st->write.nothing_to_do = !was;
    st->write.summary = was ? host->printf(call, "clear ANC policy %s of %s", was, st->mac) : host->printf(call, "no ANC policy is applied to %s", st->mac);
    ise_write_ready(call);
}

static void apply_begin(struct ft_call *call)
{
    if (ise_find_mac(call))
        find_anc(call, apply_ready);
}

static void clear_begin(struct ft_call *call)
{
    if (ise_find_mac(call))
        find_anc(call, clear_ready);
}

/* ---- undo and probe, of both: the receipt says what was there and what was to be */

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static void undo_ready(struct ft_call *call, json_t *item)
{
    const json_t *receipt = ise_receipt(call);
    const char *before = ise_str(receipt, "before"), *after = ise_str(receipt, "after"), *now = ise_str(item, "policyName");

    if (!receipt)
        return;
    if (same(now, before)) {
        ise_done(call, json_pack("{s:s, s:b}", "mac", ise_state(call)->mac, "changed", false));
    } else if (!same(now, after)) {
        ise_fail(call, FT_CONFLICT, "somebody put ANC policy %s on %s after this step: it is left there", now ? now : "(none)", ise_state(call)->mac);
    } else {
        put(call, before != NULL, before ? before : now);
        ise_write_ready(call);
    }
}

static void probed(struct ft_call *call, json_t *item)
{
    const json_t *receipt = ise_receipt(call);
    const char *now = ise_str(item, "policyName");

    if (receipt)
        ise_done(call, json_pack("{s:b, s:{s:s?}}", "happened", same(now, ise_str(receipt, "after")), "seen", "policy", now));
}

static void undo_begin(struct ft_call *call)
{
    if (ise_receipt(call) && ise_find_mac(call))
        find_anc(call, undo_ready);
}

static void probe_begin(struct ft_call *call)
{
    if (ise_receipt(call) && ise_find_mac(call))
        find_anc(call, probed);
}

ISE_BEGIN(ISE_RUN, apply_begin, apply_run)
ISE_BEGIN(ISE_PLAN, apply_begin, apply_plan)
ISE_BEGIN(ISE_RUN, clear_begin, clear_run)
ISE_BEGIN(ISE_PLAN, clear_begin, clear_plan)
ISE_BEGIN(ISE_UNDO, undo_begin, anc_undo)
ISE_BEGIN(ISE_PROBE, probe_begin, anc_probe)

#define ANC_RESULT ISE_OBJ(ISE_CHANGED "," ISE_P_STR("mac", "MAC address of the endpoint") "," \
    ISE_P_STR("policy", "policy that is applied now") "," ISE_P_STR("former_policy", "policy that was applied before"))

const struct ft_action ise_anc_apply = {
    ISE_WRITE(apply_run, apply_plan), .undo = { anc_undo, ise_drop }, .probe = { anc_probe, ise_drop },
    .name = "anc_apply", .summary = "put an endpoint under an ANC policy, such as quarantine",
    .effects = FT_EFFECT_DISRUPTIVE, .timeout_ms = 60000,
    .params_schema = ISE_PARAMS("\"mac\",\"policy\"", ISE_MAC ","
        JSON("policy": {"type": "string", "minLength": 1, "description": "name of the ANC policy"})),
    .result_schema = ANC_RESULT,
    .about = "`PUT /ers/config/ancendpoint/apply`. ISE sends the CoA by itself, so the user notices at once. Undo applies the former policy, or clears.\n"
             "After a crash the probe reads which policy is applied.",
    .example = "- id: quarantine\n  run: ise.anc_apply\n  with: {mac: \"${client}\", policy: Quarantine}\n  undo: auto\n",
};

const struct ft_action ise_anc_clear = {
    ISE_WRITE(clear_run, clear_plan), .undo = { anc_undo, ise_drop }, .probe = { anc_probe, ise_drop },
    .name = "anc_clear", .summary = "take an endpoint out of its ANC policy",
    .effects = FT_EFFECT_DISRUPTIVE, .timeout_ms = 60000,
    .params_schema = ISE_PARAMS("\"mac\"", ISE_MAC ","
        JSON("policy": {"type": "string", "minLength": 1, "description": "clear only this policy; another one that is applied is a conflict"})),
    .result_schema = ANC_RESULT,
    .about = "`PUT /ers/config/ancendpoint/clear`. ISE sends the CoA by itself. Undo applies the policy again.",
    .example = "- id: release\n  run: ise.anc_clear\n  with: {mac: \"${client}\"}\n  undo: auto\n",
};
