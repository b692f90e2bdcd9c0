/* ise_ers.c: endpoints and their groups, nodes, internal users: ERS. */
#include <string.h>
#include <strings.h>
#include "ise.h"

/* ---- an endpoint: GET /ers/config/endpoint/name/{MAC} */

static void endpoint_here(struct ft_call *call, json_t *answer)
{
    json_t *endpoint = json_object_get(answer, "ERSEndPoint");

    if (answer && (!json_is_object(endpoint) || !ise_str(endpoint, "id")))
        ise_fail(call, FT_INVALID, "GET %s: the answer holds no ERSEndPoint with an id", ise_state(call)->ask.url);
    else
        ise_state(call)->found(call, endpoint);
}

static void find_endpoint(struct ft_call *call, ise_then *then)
{
    ise_state(call)->found = then;
    ise_get(call, ISE_ERS, true, ise_url(call, ISE_ERS, "/endpoint/name/%s", ise_escape(call, ise_state(call)->mac)), endpoint_here);
}

static void endpoint_done(struct ft_call *call, json_t *answer)
{
    const json_t *e = ise_state(call)->own, *custom = json_object_get(json_object_get(e, "customAttributes"), "customAttributes");

    ise_done(call, json_pack("{s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:O}",
        "found", e != NULL, "id", ise_str_or_null(e, "id"), "name", ise_str_or_null(e, "name"), "description", ise_str_or_null(e, "description"),
        "group_id", ise_str_or_null(e, "groupId"), "group", ise_str_or_null(json_object_get(answer, "EndPointGroup"), "name"),
        "static_group", ise_bool_or_null(e, "staticGroupAssignment"), "profile_id", ise_str_or_null(e, "profileId"),
        "static_profile", ise_bool_or_null(e, "staticProfileAssignment"), "portal_user", ise_str_or_null(e, "portalUser"),
        "identity_store", ise_str_or_null(e, "identityStore"), "custom_attributes", json_is_object(custom) ? custom : ise_hold(call, json_object())));
}

static void endpoint_shown(struct ft_call *call, json_t *endpoint)
{
    const char *group = ise_str(endpoint, "groupId");

    ise_state(call)->own = endpoint;
    if (group)
        ise_get(call, ISE_ERS, true, ise_url(call, ISE_ERS, "/endpointgroup/%s", ise_escape(call, group)), endpoint_done);
    else
        endpoint_done(call, NULL);
}

static void endpoint_begin(struct ft_call *call)
{
    if (ise_find_mac(call))
        find_endpoint(call, endpoint_shown);
}
ISE_BEGIN(ISE_LOOK, endpoint_begin, endpoint_start)

const struct ft_action ise_endpoint = {
    ISE_READ(endpoint_start),
    .name = "endpoint", .summary = "an endpoint as ISE has it: group, profile, static assignments",
    .params_schema = ISE_PARAMS("\"mac\"", ISE_MAC),
    .result_schema = ISE_OBJ(
        ISE_P_BOOL("found", "ISE has this endpoint") "," ISE_P_STR("id", "id of the endpoint") "," ISE_P_STR("name", "name") ","
        ISE_P_STR("description", "description") "," ISE_P_STR("group_id", "id of its group") "," ISE_P_STR("group", "name of its group") ","
        ISE_P("static_group", "[\"boolean\",\"null\"]", "the group was set by a person, not by profiling") ","
        ISE_P_STR("profile_id", "id of its profile") "," ISE_P("static_profile", "[\"boolean\",\"null\"]", "the profile was set by a person") ","
        ISE_P_STR("portal_user", "user of the portal that registered it") "," ISE_P_STR("identity_store", "identity store") ","
        ISE_P("custom_attributes", "\"object\"", "custom attributes")),
    .about = "`GET /ers/config/endpoint/name/{mac}` and `GET /ers/config/endpointgroup/{id}`.",
    .example = "- id: endpoint\n  run: ise.endpoint\n  with: {mac: \"${client}\"}\n",
};

/* ---- endpoint_groups */

static void groups_here(struct ft_call *call, json_t *items)
{
    json_t *groups = json_array(), *item;
    size_t i;

    json_array_foreach(items, i, item)
        json_array_append_new(groups, json_pack("{s:o, s:o, s:o}", "id", ise_str_or_null(item, "id"), "name", ise_str_or_null(item, "name"),
                                                "description", ise_str_or_null(item, "description")));
    ise_done(call, json_pack("{s:o, s:b}", "groups", groups, "complete", ise_state(call)->list.complete));
}

static void groups_begin(struct ft_call *call)
{
    ise_list(call, "endpointgroup", groups_here);
}
ISE_BEGIN(ISE_LOOK, groups_begin, groups_start)

const struct ft_action ise_endpoint_groups = {
    ISE_READ(groups_start),
    .name = "endpoint_groups", .summary = "the groups that an endpoint can be in",
    .params_schema = ISE_PARAMS("", ""),
    .result_schema = ISE_OBJ(ISE_P_LIST("groups", ISE_OBJ(ISE_P_STR("id", "id of the group") "," ISE_P_STR("name", "name of the group") ","
        ISE_P_STR("description", "description")), "endpoint groups") "," ISE_P_BOOL("complete", "false: there are more")),
    .about = "`GET /ers/config/endpointgroup`, all pages.",
    .example = "- id: groups\n  run: ise.endpoint_groups\n",
};

/* ---- endpoint_update and endpoint_move_group: PUT /ers/config/endpoint/{id} with the whole endpoint, the wanted members replaced. The receipt holds
 * the members that change, before and after: undo puts back exactly these, and only where they still are as they were left. */

struct edit {
    json_t *wanted;         /* held: members of ERSEndPoint to set */
    json_t *endpoint;
};

static const char *const writable[] = {
    "id", "name", "description", "mac", "profileId", "staticProfileAssignment", "groupId", "staticGroupAssignment", "portalUser", "identityStore",
    "identityStoreId", "customAttributes",
};

static json_t *endpoint_body(const json_t *endpoint, const json_t *wanted)
{
    json_t *body = json_object();

    for (size_t i = 0; i < ARRAY_LEN(writable); i++) {
        json_t *value = json_object_get(wanted, writable[i]);

        if (!value)
            value = json_object_get(endpoint, writable[i]);
        if (value && !json_is_null(value))
            json_object_set(body, writable[i], value);
    }
    return json_pack("{s:o}", "ERSEndPoint", body);
}

/* The members of `like`, as `endpoint` has them (null: not at all). */
static json_t *members(const json_t *endpoint, const json_t *like)
{
    json_t *out = json_object(), *value;
    const char *name;

    json_object_foreach((json_t *)like, name, value) {
        json_t *has = json_object_get(endpoint, name);

        json_object_set_new(out, name, has ? json_incref(has) : json_null());
    }
    return out;
}

static json_t *changes_between(const json_t *before, const json_t *after)
{
    json_t *changes = json_array(), *to;
    const char *name;

    json_object_foreach((json_t *)after, name, to) {
        json_t *from = json_object_get(before, name);

        if (!json_equal(from, to))
            json_array_append_new(changes, json_pack("{s:s, s:O, s:O}", "path", name, "from", from, "to", to));
    }
    return changes;
}

static void put_endpoint(struct ft_call *call, const json_t *endpoint, const json_t *wanted)
{
    struct ise_write *w = &ise_state(call)->write;

    w->api = ISE_ERS;
    w->method = "PUT";
    w->url = ise_url(call, ISE_ERS, "/endpoint/%s", ise_escape(call, ise_str(endpoint, "id")));
    w->body = ise_hold(call, endpoint_body(endpoint, wanted));
    w->result = ise_hold(call, json_pack("{s:s, s:s}", "mac", ise_state(call)->mac, "id", ise_str(endpoint, "id")));
}

static void edit_ready(struct ft_call *call, json_t *endpoint)
{
    struct ise_call *st = ise_state(call);
    struct ise_write *w = &st->write;
    struct edit *edit = st->own;
    const json_t *planned = json_object_get(host->receipt(call), "before");

    if (!endpoint) {
        ise_fail(call, FT_NOT_FOUND, "ISE has no endpoint %s", st->mac);
        return;
    }
    endpoint = ise_left(call, host->printf(call, "endpoint/%s", st->mac), endpoint, edit->wanted);
    w->before = ise_hold(call, members(endpoint, edit->wanted));
    w->nothing_to_do = json_equal(w->before, edit->wanted);
    if (planned && !w->nothing_to_do && !json_equal(planned, w->before)) {
        ise_fail(call, FT_CONFLICT, "somebody changed endpoint %s since the plan: plan again", st->mac);
        return;
    }
    w->changes = ise_hold(call, changes_between(w->before, edit->wanted));
    w->summary = w->nothing_to_do ? host->printf(call, "endpoint %s is as wanted", st->mac) : host->printf(call, "change endpoint %s", st->mac);
    w->receipt = ise_hold(call, json_pack("{s:O, s:O}", "before", w->before, "after", edit->wanted));
    put_endpoint(call, endpoint, edit->wanted);
    ise_write_ready(call);
}

static void group_found(struct ft_call *call, json_t *answer)
{
    struct edit *edit = ise_state(call)->own;
    const char *id = ise_str(json_object_get(answer, "EndPointGroup"), "id");

    if (!id) {
        ise_fail(call, FT_NOT_FOUND, "ISE has no endpoint group '%.100s'; ise.endpoint_groups lists them", ise_text(call, "group"));
        return;
    }
    json_object_set_new(edit->wanted, "groupId", json_string(id));
    find_endpoint(call, edit_ready);
}

static void find_group(struct ft_call *call)
{
    struct edit *edit = ise_state(call)->own;
    const char *group = ise_text(call, "group");

    if (group && ise_is_id(group))
        json_object_set_new(edit->wanted, "groupId", json_string(group));
    if (group && !ise_is_id(group))
        ise_get(call, ISE_ERS, true, ise_url(call, ISE_ERS, "/endpointgroup/name/%s", ise_escape(call, group)), group_found);
    else
        find_endpoint(call, edit_ready);
}

static void edit_begin(struct ft_call *call)
{
    static const struct { const char *param, *member; } names[] = {
        { "description", "description" }, { "static_group", "staticGroupAssignment" }, { "profile_id", "profileId" },
        { "static_profile", "staticProfileAssignment" },
    };
    struct edit *edit = host->alloc(call, sizeof(*edit));
    const json_t *params = host->params(call), *custom = json_object_get(params, "custom_attributes");

    ise_state(call)->own = edit;
    edit->wanted = ise_hold(call, json_object());
    if (!ise_find_mac(call))
        return;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (json_object_get(params, names[i].param))
            json_object_set(edit->wanted, names[i].member, json_object_get(params, names[i].param));
    if (custom)
        json_object_set_new(edit->wanted, "customAttributes", json_pack("{s:O}", "customAttributes", custom));
    if (!json_object_size(edit->wanted) && !ise_text(call, "group"))
        ise_fail(call, FT_INVALID, "nothing to change: give group, description, static_group, profile_id, static_profile or custom_attributes");
    else
        find_group(call);
}

static void move_begin(struct ft_call *call)
{
    struct edit *edit = host->alloc(call, sizeof(*edit));

    ise_state(call)->own = edit;
    edit->wanted = ise_hold(call, json_pack("{s:b}", "staticGroupAssignment", true));
    if (ise_find_mac(call))
        find_group(call);
}

/* ---- undo */

static void undo_ready(struct ft_call *call, json_t *endpoint)
{
    struct ise_call *st = ise_state(call);
    const json_t *receipt = ise_receipt(call), *before = json_object_get(receipt, "before"), *after = json_object_get(receipt, "after");
    json_t *now, *wanted;

    if (!receipt)
        return;
    if (!endpoint) {
        ise_fail(call, FT_NOT_FOUND, "ISE has no endpoint %s any more, so nothing can be put back", st->mac);
        return;
    }
    now = ise_hold(call, members(endpoint, after));
    if (json_equal(now, before)) {
        ise_done(call, json_pack("{s:s, s:b}", "mac", st->mac, "changed", false));
        return;
    }
    if (!json_equal(now, after)) {
        ise_fail(call, FT_CONFLICT, "somebody changed endpoint %s after this step: put back by hand what is right", st->mac);
        return;
    }
    wanted = ise_hold(call, json_deep_copy(before));
    if (json_is_null(json_object_get(wanted, "description")))
        json_object_set_new(wanted, "description", json_string(""));
    put_endpoint(call, endpoint, wanted);
    ise_write_ready(call);
}

static void undo_begin(struct ft_call *call)
{
    if (ise_receipt(call) && ise_find_mac(call))
        find_endpoint(call, undo_ready);
}

ISE_BEGIN(ISE_RUN, edit_begin, edit_run)
ISE_BEGIN(ISE_PLAN, edit_begin, edit_plan)
ISE_BEGIN(ISE_RUN, move_begin, move_run)
ISE_BEGIN(ISE_PLAN, move_begin, move_plan)
ISE_BEGIN(ISE_UNDO, undo_begin, edit_undo)

#define EDIT_RESULT ISE_OBJ(ISE_CHANGED "," ISE_P_STR("mac", "MAC address of the endpoint") "," ISE_P_STR("id", "id of the endpoint"))

const struct ft_action ise_endpoint_update = {
    ISE_WRITE(edit_run, edit_plan), .undo = { edit_undo, ise_drop },
    .name = "endpoint_update", .summary = "change an endpoint: group, profile, description, custom attributes",
    .effects = FT_EFFECT_WRITE | FT_EFFECT_IDEMPOTENT,
    .params_schema = ISE_PARAMS("\"mac\"", ISE_MAC ","
        JSON("group": {"type": "string", "minLength": 1, "description": "name or id of the endpoint group"},
             "static_group": {"type": "boolean", "description": "keep the group against profiling"},
             "description": {"type": "string", "description": "description"},
             "profile_id": {"type": "string", "minLength": 1, "description": "id of the profile"},
             "static_profile": {"type": "boolean", "description": "keep the profile against profiling"},
             "custom_attributes": {"type": "object", "description": "all custom attributes: those that are not named here go"})),
    .result_schema = EDIT_RESULT,
    .about = "`PUT /ers/config/endpoint/{id}` with the whole endpoint. It takes effect at the next authentication: `ise.coa_reauth` brings it about.\n"
             "Undo puts back the members that were changed, unless somebody changed them since.",
    .example = "- id: note\n  run: ise.endpoint_update\n  with: {mac: \"${client}\", description: \"seen with an expired certificate\"}\n  undo: auto\n",
};

const struct ft_action ise_endpoint_move_group = {
    ISE_WRITE(move_run, move_plan), .undo = { edit_undo, ise_drop },
    .name = "endpoint_move_group", .summary = "put an endpoint into a group, and keep it there against profiling",
    .effects = FT_EFFECT_WRITE | FT_EFFECT_IDEMPOTENT,
    .params_schema = ISE_PARAMS("\"mac\",\"group\"", ISE_MAC ","
        JSON("group": {"type": "string", "minLength": 1, "description": "name or id of the endpoint group"})),
    .result_schema = EDIT_RESULT,
    .about = "`PUT /ers/config/endpoint/{id}` with `groupId` and `staticGroupAssignment: true`. It takes effect at the next authentication.\n"
             "Undo puts the former group and its former kind of assignment back, unless somebody changed them since.",
    .example = "- id: allow\n  run: ise.endpoint_move_group\n  with: {mac: \"${client}\", group: Printers}\n  undo: auto\n",
};

/* ---- internal_user: GET /ers/config/internaluser/name/{name} */

static void user_here(struct ft_call *call, json_t *answer)
{
    const json_t *user = json_object_get(answer, "InternalUser");

    ise_done(call, json_pack("{s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "found", user != NULL, "id", ise_str_or_null(user, "id"),
        "name", ise_str_or_null(user, "name"), "enabled", ise_bool_or_null(user, "enabled"), "change_password", ise_bool_or_null(user, "changePassword"),
        "expires", ise_bool_or_null(user, "expiryDateEnabled"), "expiry_date", ise_str_or_null(user, "expiryDate"),
        "identity_groups", ise_str_or_null(user, "identityGroups"), "password_store", ise_str_or_null(user, "passwordIDStore")));
}

static void user_begin(struct ft_call *call)
{
    ise_get(call, ISE_ERS, true, ise_url(call, ISE_ERS, "/internaluser/name/%s", ise_escape(call, ise_text(call, "name"))), user_here);
}
ISE_BEGIN(ISE_LOOK, user_begin, user_start)

const struct ft_action ise_internal_user = {
    ISE_READ(user_start),
    .name = "internal_user", .summary = "whether ISE has a user of its own, enabled and not expired",
    .params_schema = ISE_PARAMS("\"name\"", JSON("name": {"type": "string", "minLength": 1, "description": "name of the user"})),
    .result_schema = ISE_OBJ(
        ISE_P_BOOL("found", "ISE has this user") "," ISE_P_STR("id", "id of the user") "," ISE_P_STR("name", "name of the user") ","
        ISE_P("enabled", "[\"boolean\",\"null\"]", "the account is enabled") ","
        ISE_P("change_password", "[\"boolean\",\"null\"]", "the password must be changed at the next login") ","
        ISE_P("expires", "[\"boolean\",\"null\"]", "the account has an end") "," ISE_P_STR("expiry_date", "the day of that end") ","
        ISE_P_STR("identity_groups", "ids of its groups") "," ISE_P_STR("password_store", "where its password is kept")),
    .about = "`GET /ers/config/internaluser/name/{name}`. Users of Active Directory are not ISE's own.",
    .example = "- id: user\n  run: ise.internal_user\n  with: {name: \"${auth.user_name}\"}\n",
};

/* ---- node_status: is the policy server there? GET /Version of MnT, GET /ers/config/node and /node/name/{name} */

struct nodes {
    json_t *product, *list;
};

static void node_done(struct ft_call *call, json_t *answer)
{
    const struct nodes *own = ise_state(call)->own;
    const json_t *node = json_object_get(answer, "Node");
    static const char *const kinds[] = { "standalone", "active", "backup", "none" };
    json_t *type = ise_int_or_null(own->product, "type_of_node"), *names = json_array(), *item;
    json_int_t kind = json_is_integer(type) ? json_integer_value(type) : -1;
    const char *wanted = ise_text(call, "node");
    bool known = !wanted || node != NULL;
    size_t i;

    json_decref(type);
    json_array_foreach(own->list, i, item) {
        if (ise_str(item, "name"))
            json_array_append_new(names, json_string(ise_str(item, "name")));
    }
    ise_done(call, json_pack("{s:b, s:b, s:o, s:s?, s:o, s:o, s:o, s:o, s:o}", "up", true, "known", known,
        "version", ise_str_or_null(own->product, "version"), "kind", kind >= 0 && kind < (json_int_t)ARRAY_LEN(kinds) ? kinds[kind] : NULL,
        "nodes", names, "name", ise_str_or_null(node, "name"), "ip", ise_str_or_null(node, "ipAddress"),
        "services", ise_str_or_null(node, "nodeServiceTypes"), "primary_admin", ise_bool_or_null(node, "primaryPapNode")));
}

static void nodes_here(struct ft_call *call, json_t *items)
{
    struct nodes *own = ise_state(call)->own;

    own->list = items;
    ise_get(call, ISE_ERS, true, ise_url(call, ISE_ERS, "/node/name/%s", ise_escape(call, ise_text(call, "node"))), node_done);
}

static void version_here(struct ft_call *call, json_t *answer)
{
    struct nodes *own = ise_state(call)->own;

    own->product = json_object_get(answer, "product");
    if (!json_is_object(own->product))
        ise_fail(call, FT_INVALID, "GET %s: the answer holds no product", ise_state(call)->ask.url);
    else if (ise_text(call, "node"))
        ise_list(call, "node", nodes_here);
    else
        node_done(call, NULL);
}

static void node_begin(struct ft_call *call)
{
    ise_state(call)->own = host->alloc(call, sizeof(struct nodes));
    ise_get(call, ISE_MNT, false, ise_url(call, ISE_MNT, "/Version"), version_here);
}
ISE_BEGIN(ISE_LOOK, node_begin, node_start)

const struct ft_action ise_node_status = {
    ISE_READ(node_start),
    .name = "node_status", .summary = "whether the policy server is there, its version, and the nodes of the deployment",
    .params_schema = ISE_PARAMS("", JSON("node": {"type": "string", "minLength": 1, "description": "name of a node to look at more closely"})),
    .result_schema = ISE_OBJ(
        ISE_P_BOOL("up", "ISE answered; when nothing answers the step fails as `unreachable`") ","
        ISE_P_BOOL("known", "the deployment has the node that was asked for") "," ISE_P_STR("version", "version of ISE") ","
        ISE_P_STR("kind", "part of the monitoring node: standalone, active, backup, none") ","
        ISE_P_LIST("nodes", "{\"type\":\"string\"}", "names of all nodes; empty unless a node was asked for") "," ISE_P_STR("name", "name of the node") ","
        ISE_P_STR("ip", "address of the node") "," ISE_P_STR("services", "services of the node") ","
        ISE_P("primary_admin", "[\"boolean\",\"null\"]", "it is the primary administration node")),
    .about = "`GET /admin/API/mnt/Version`; with `node` also `GET /ers/config/node` and `GET /ers/config/node/name/{name}`. \n"
             "These are the management interfaces: whether RADIUS itself answers, only an authentication shows.",
    .example = "- id: ise\n  run: ise.node_status\n  with: {node: \"${auth.server}\"}\n  on_error: ise_is_down\n",
};
