/* ise_lists.c: lists of ERS: names, or each looked at more closely. */
#include <string.h>
#include "ise.h"

/* ---- names: GET /ers/config/{resource} */

static json_t *name_row(const json_t *item)
{
    return json_pack("{s:o, s:o, s:o}", "id", ise_str_or_null(item, "id"), "name", ise_str_or_null(item, "name"), "description", ise_str_or_null(item, "description"));
}

static void names_here(struct ft_call *call, json_t *items)
{
    json_t *rows = json_array(), *item;
    size_t i;

    json_array_foreach(items, i, item)
        json_array_append_new(rows, name_row(item));
    ise_done(call, json_pack("{s:o, s:b}", "items", rows, "complete", ise_state(call)->list.complete));
}

static size_t limit_of(struct ft_call *call)
{
    return (size_t)json_integer_value(json_object_get(host->params(call), "limit"));
}

#define NAMES_RESULT(text) ISE_OBJ(ISE_P_LIST("items", ISE_OBJ(ISE_P_STR("id", "id") "," ISE_P_STR("name", "name") "," ISE_P_STR("description", "description")), text) "," \
    ISE_P_BOOL("complete", "false: there are more"))
#define NAMES_ACTION(action, path, what, sample) \
    static void action##_begin(struct ft_call *call) { ise_list_some(call, ISE_ERS, "/" path, limit_of(call), names_here); } \
    ISE_BEGIN(ISE_LOOK, action##_begin, action##_start) \
    const struct ft_action ise_##action = { \
        ISE_READ(action##_start), .name = #action, .summary = "the " what " of ISE, by name", .timeout_ms = 60000, \
        .params_schema = ISE_PARAMS("", ISE_FILTER "," ISE_LIMIT("1000")), .result_schema = NAMES_RESULT(what), \
        .about = "`GET /ers/config/" path "`, page by page. A list tells id, name and description only.", \
        .example = "- id: found\n  run: ise." #action "\n  with: {filter: [\"" sample "\"]}\n" };

NAMES_ACTION(network_devices, "networkdevice", "network devices", "name.CONTAINS.floor-3")
NAMES_ACTION(network_device_groups, "networkdevicegroup", "network device groups", "name.CONTAINS.Location")
NAMES_ACTION(internal_users, "internaluser", "internal users", "name.STARTSW.guest-")
NAMES_ACTION(identity_groups, "identitygroup", "identity groups of users", "name.EQ.Employee")

/* ---- endpoints: the same, by MAC address and group */

static void endpoints_go(struct ft_call *call, const char *group_id)
{
    const char *mac = ise_text(call, "mac"), *path = "/endpoint";

    if (group_id)
        path = host->printf(call, "%s?filter=%s", path, ise_escape(call, host->printf(call, "groupId.EQ.%s", group_id)));
    if (mac)
        path = host->printf(call, "%s%cfilter=%s", path, strchr(path, '?') ? '&' : '?', ise_escape(call, host->printf(call, "mac.CONTAINS.%s", mac)));
    ise_list_some(call, ISE_ERS, path, limit_of(call), names_here);
}

static void endpoints_group(struct ft_call *call, json_t *group)
{
    if (group)
        endpoints_go(call, ise_str(group, "id"));
    else
        ise_fail(call, FT_NOT_FOUND, "ISE has no endpoint group '%.100s'; ise.endpoint_groups lists them", ise_text(call, "group"));
}

static void endpoints_begin(struct ft_call *call)
{
    const char *group = ise_text(call, "group");

    if (group && !ise_is_id(group))
        ise_find(call, &ise_kind_group, group, endpoints_group);
    else
        endpoints_go(call, group);
}
ISE_BEGIN(ISE_LOOK, endpoints_begin, endpoints_start)

const struct ft_action ise_endpoints = {
    ISE_READ(endpoints_start), .timeout_ms = 60000,
    .name = "endpoints", .summary = "endpoints by group and part of the MAC address",
    .params_schema = ISE_PARAMS("", JSON("group": {"type": "string", "minLength": 1, "description": "name or id of the endpoint group"},
        "mac": {"type": "string", "pattern": "^[0-9A-Fa-f:]+$", "description": "part of the MAC address, with colons: 00:0C:29"}) "," ISE_FILTER "," ISE_LIMIT("1000")),
    .result_schema = NAMES_RESULT("endpoints; the name is the MAC address"),
    .about = "`GET /ers/config/endpoint`, page by page; `ise.endpoint` looks at one more closely.",
    .example = "- id: blocked\n  run: ise.endpoints\n  with: {group: \"Blocked List\"}\n",
};

/* ---- each of a list looked at: GET /ers/config/{resource}/{id} */

struct walk {
    const char *resource, *wrapper, *field;
    json_t *(*row)(struct ft_call *call, const json_t *item);
    json_t *list, *rows;
    size_t next;
};

static void walk_on(struct ft_call *call);

static void walk_one(struct ft_call *call, json_t *answer)
{
    struct walk *walk = ise_state(call)->own;
    json_t *item = json_object_get(answer, walk->wrapper);

    if (json_is_object(item))                 /* gone since the list was made: left out */
        json_array_append_new(walk->rows, walk->row(call, item));
    walk_on(call);
}

static void walk_on(struct ft_call *call)
{
    struct walk *walk = ise_state(call)->own;
    const char *id;

    while (walk->next < json_array_size(walk->list) && !ise_str(json_array_get(walk->list, walk->next), "id"))
        walk->next++;
    id = ise_str(json_array_get(walk->list, walk->next), "id");
    if (!id) {
        ise_done(call, json_pack("{s:O, s:b}", walk->field, walk->rows, "complete", ise_state(call)->list.complete));
        return;
    }
    walk->next++;
    if (walk->next % 50 == 0)
        host->progress(call, "looked at %zu of %zu", walk->next, json_array_size(walk->list));
    ise_get(call, ISE_ERS, true, ise_url(call, ISE_ERS, "/%s/%s", walk->resource, ise_escape(call, id)), walk_one);
}

static void walk_list(struct ft_call *call, json_t *items)
{
    ((struct walk *)ise_state(call)->own)->list = items;
    walk_on(call);
}

static void walk(struct ft_call *call, struct walk what)
{
    struct walk *own = host->alloc(call, sizeof(*own));

    *own = what;
    own->rows = ise_hold(call, json_array());
    ise_state(call)->own = own;
    ise_list_some(call, ISE_ERS, host->printf(call, "/%s", what.resource), limit_of(call), walk_list);
}

/* ---- anc_policies, anc_endpoints, nodes */

static json_t *policy_row(struct ft_call *call, const json_t *item)
{
    json_t *actions = json_object_get(item, "actions");
    (void)call;

    return json_pack("{s:o, s:o, s:o}", "id", ise_str_or_null(item, "id"), "name", ise_str_or_null(item, "name"),
                     "actions", json_is_array(actions) ? json_incref(actions) : json_array());
}

static json_t *anc_row(struct ft_call *call, const json_t *item)
{
    char mac[ISE_MAC_LEN + 1];
    (void)call;

    return json_pack("{s:o, s:o, s:o}", "id", ise_str_or_null(item, "id"), "mac", ise_mac(ise_str(item, "macAddress"), mac) ? json_string(mac) : json_null(),
                     "policy", ise_str_or_null(item, "policyName"));
}

static json_t *node_row(struct ft_call *call, const json_t *item)
{
    (void)call;
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id", ise_str_or_null(item, "id"), "name", ise_str_or_null(item, "name"), "fqdn", ise_str_or_null(item, "fqdn"),
                     "ip", ise_str_or_null(item, "ipAddress"), "services", ise_str_or_null(item, "nodeServiceTypes"), "admin", ise_bool_or_null(item, "papNode"),
                     "primary_admin", ise_bool_or_null(item, "primaryPapNode"), "pxgrid", ise_bool_or_null(item, "pxGridNode"));
}

static void policies_begin(struct ft_call *call) { walk(call, (struct walk){ .resource = "ancpolicy", .wrapper = "ErsAncPolicy", .field = "policies", .row = policy_row }); }
static void anc_begin(struct ft_call *call) { walk(call, (struct walk){ .resource = "ancendpoint", .wrapper = "ErsAncEndpoint", .field = "endpoints", .row = anc_row }); }
static void nodes_begin(struct ft_call *call) { walk(call, (struct walk){ .resource = "node", .wrapper = "Node", .field = "nodes", .row = node_row }); }
ISE_BEGIN(ISE_LOOK, policies_begin, policies_start)
ISE_BEGIN(ISE_LOOK, anc_begin, anc_start)
ISE_BEGIN(ISE_LOOK, nodes_begin, nodes_start)

#define COMPLETE ISE_P_BOOL("complete", "false: there are more")

const struct ft_action ise_anc_policies = {
    ISE_READ(policies_start), .timeout_ms = 60000,
    .name = "anc_policies", .summary = "the ANC policies, and what each does",
    .params_schema = ISE_PARAMS("", ISE_LIMIT("100")),
    .result_schema = ISE_OBJ(ISE_P_LIST("policies", ISE_OBJ(ISE_P_STR("id", "id") "," ISE_P_STR("name", "name, for ise.anc_apply") ","
        ISE_P_LIST("actions", "{\"type\":\"string\"}", "QUARANTINE, PORTBOUNCE, SHUTDOWN, RE_AUTHENTICATE")), "policies") "," COMPLETE),
    .about = "`GET /ers/config/ancpolicy` and `/ancpolicy/{id}` of each.",
    .example = "- id: policies\n  run: ise.anc_policies\n",
};

const struct ft_action ise_anc_endpoints = {
    ISE_READ(anc_start), .timeout_ms = 120000,
    .name = "anc_endpoints", .summary = "which endpoints are under an ANC policy, such as quarantine",
    .params_schema = ISE_PARAMS("", ISE_LIMIT("200")),
    .result_schema = ISE_OBJ(ISE_P_LIST("endpoints", ISE_OBJ(ISE_P_STR("id", "id of the record") "," ISE_P_STR("mac", "MAC address") "," ISE_P_STR("policy", "name of the policy")),
        "endpoints") "," COMPLETE),
    .about = "`GET /ers/config/ancendpoint` and `/ancendpoint/{id}` of each: a list does not tell whom it is about.",
    .example = "- id: quarantined\n  run: ise.anc_endpoints\n",
};

const struct ft_action ise_nodes = {
    ISE_READ(nodes_start), .timeout_ms = 60000,
    .name = "nodes", .summary = "the nodes of the deployment, their addresses and roles",
    .params_schema = ISE_PARAMS("", ISE_LIMIT("100")),
    .result_schema = ISE_OBJ(ISE_P_LIST("nodes", ISE_OBJ(ISE_P_STR("id", "id") "," ISE_P_STR("name", "name") "," ISE_P_STR("fqdn", "full name") "," ISE_P_STR("ip", "address") ","
        ISE_P_STR("services", "services, such as Session, Profiler") "," ISE_P("admin", "[\"boolean\",\"null\"]", "an administration node") ","
        ISE_P("primary_admin", "[\"boolean\",\"null\"]", "the primary administration node: writes go there") "," ISE_P("pxgrid", "[\"boolean\",\"null\"]", "a pxGrid node")),
        "nodes") "," COMPLETE),
    .about = "`GET /ers/config/node` and `/node/{id}` of each. `ise.node_status` tells whether the monitoring node lives.",
    .example = "- id: nodes\n  run: ise.nodes\n",
};

/* ---- rejected_endpoints: GET /ers/config/endpoint/getrejectedendpoints */

static void rejected_here(struct ft_call *call, json_t *answer)
{
    json_t *values = json_object_get(json_object_get(answer, "OperationResult"), "resultValue"), *rows = json_array(), *value;
    char mac[ISE_MAC_LEN + 1];
    size_t i;

    json_array_foreach(values, i, value) {
        const char *name = ise_str(value, "name"), *text = ise_str(value, "value");

        if (name || text)
            json_array_append_new(rows, json_pack("{s:o, s:o, s:o}", "id", json_string(name ? name : text),
                "mac", ise_mac(text, mac) || ise_mac(name, mac) ? json_string(mac) : json_null(), "text", text ? json_string(text) : json_null()));
    }
    ise_done(call, json_pack("{s:o}", "endpoints", rows));
}

static void rejected_begin(struct ft_call *call)
{
    ise_get(call, ISE_ERS, false, ise_url(call, ISE_ERS, "/endpoint/getrejectedendpoints"), rejected_here);
}
ISE_BEGIN(ISE_LOOK, rejected_begin, rejected_start)

const struct ft_action ise_rejected_endpoints = {
    ISE_READ(rejected_start),
    .name = "rejected_endpoints", .summary = "endpoints that ISE rejects for a while because they failed too often",
    .params_schema = ISE_PARAMS("", ""),
    .result_schema = ISE_OBJ(ISE_P_LIST("endpoints", ISE_OBJ(ISE_P_STR("id", "what ISE calls it") "," ISE_P_STR("mac", "MAC address") "," ISE_P_STR("text", "what ISE says about it")),
        "endpoints")),
    .about = "`GET /ers/config/endpoint/getrejectedendpoints`. `ise.endpoint_release` lets one of them try again.",
    .example = "- id: rejected\n  run: ise.rejected_endpoints\n",
};
