/* ise_resources.c: what is created, changed and deleted: endpoints, their groups, network devices, internal users. ise_objects.c does the work. */
#include <stdio.h>
#include <string.h>
#include "ise.h"

/* A parameter as a member of the resource. */
struct member { const char *param, *name; };

static json_t *members_of(struct ft_call *call, const struct member *list, size_t n)
{
    json_t *out = json_object();

    for (size_t i = 0; i < n; i++) {
        json_t *value = json_object_get(host->params(call), list[i].param);

        if (value)
            json_object_set(out, list[i].name, value);
    }
    return out;
}

#define NAME_P(what) JSON("name": {"type": "string", "minLength": 1, "description": what})

/* ---- endpoint groups */

static const char *const group_members[] = { "id", "name", "description", "parentId", NULL };
const struct ise_kind ise_kind_group = { "endpointgroup", "EndPointGroup", "endpoint group", group_members, false, 0 };

static const char *name_param(struct ft_call *call)
{
    return ise_text(call, "name");
}

static void group_create(struct ft_call *call)
{
    static const struct member list[] = { { "name", "name" }, { "description", "description" } };

    ise_create(call, &ise_kind_group, name_param(call), members_of(call, list, ARRAY_LEN(list)), NULL);
}
static void group_create_undo(struct ft_call *call) { ise_create_undo(call, &ise_kind_group, name_param(call)); }
static void group_create_probe(struct ft_call *call) { ise_create_probe(call, &ise_kind_group, name_param(call)); }
static void group_delete(struct ft_call *call) { ise_delete(call, &ise_kind_group, name_param(call)); }
static void group_delete_undo(struct ft_call *call) { ise_delete_undo(call, &ise_kind_group, name_param(call)); }
static void group_delete_probe(struct ft_call *call) { ise_delete_probe(call, &ise_kind_group, name_param(call)); }
ISE_BEGIN(ISE_RUN, group_create, group_create_run)
ISE_BEGIN(ISE_PLAN, group_create, group_create_plan)
ISE_BEGIN(ISE_UNDO, group_create_undo, group_create_back)
ISE_BEGIN(ISE_PROBE, group_create_probe, group_create_ask)
ISE_BEGIN(ISE_RUN, group_delete, group_delete_run)
ISE_BEGIN(ISE_PLAN, group_delete, group_delete_plan)
ISE_BEGIN(ISE_UNDO, group_delete_undo, group_delete_back)
ISE_BEGIN(ISE_PROBE, group_delete_probe, group_delete_ask)

const struct ft_action ise_endpoint_group_create = {
    ISE_WRITE(group_create_run, group_create_plan), .undo = { group_create_back, ise_drop }, .probe = { group_create_ask, ise_drop },
    .name = "endpoint_group_create", .summary = "create an endpoint group", .effects = FT_EFFECT_WRITE,
    .params_schema = ISE_PARAMS("\"name\"", JSON("name": {"type": "string", "minLength": 1, "description": "name of the group"},
        "description": {"type": "string", "description": "description"})),
    .result_schema = ISE_OBJECT_RESULT,
    .about = "`POST /ers/config/endpointgroup`. A group of that name and description that is there already is fine, another one a conflict. Undo deletes it.",
    .example = "- id: group\n  run: ise.endpoint_group_create\n  with: {name: Quarantined-Printers, description: \"by fettle\"}\n  undo: auto\n",
};

const struct ft_action ise_endpoint_group_delete = {
    ISE_WRITE(group_delete_run, group_delete_plan), .undo = { group_delete_back, ise_drop }, .probe = { group_delete_ask, ise_drop },
    .name = "endpoint_group_delete", .summary = "delete an endpoint group", .effects = FT_EFFECT_WRITE,
    .params_schema = ISE_PARAMS("\"name\"", JSON("name": {"type": "string", "minLength": 1, "description": "name or id of the group"})),
    .result_schema = ISE_OBJECT_RESULT,
    .about = "`DELETE /ers/config/endpointgroup/{id}`. Undo creates it again, with a new id and without its endpoints: policies that name the old id do not see it.",
    .example = "- id: tidy\n  run: ise.endpoint_group_delete\n  with: {name: Quarantined-Printers}\n  undo: auto\n",
};

/* ---- endpoints */

static const char *const endpoint_members[] = { "id", "name", "description", "mac", "profileId", "staticProfileAssignment", "groupId", "staticGroupAssignment", "portalUser",
    "identityStore", "identityStoreId", "customAttributes", NULL };
static const struct ise_kind kind_endpoint = { "endpoint", "ERSEndPoint", "endpoint", endpoint_members, false, 0 };

static void endpoint_with_group(struct ft_call *call, const char *group_id)
{
    static const struct member list[] = { { "description", "description" }, { "profile_id", "profileId" }, { "static_profile", "staticProfileAssignment" } };
    const char *mac = ise_state(call)->mac;
    json_t *wanted = members_of(call, list, ARRAY_LEN(list)), *custom = json_object_get(host->params(call), "custom_attributes");

    json_object_set_new(wanted, "name", json_string(mac));
    json_object_set_new(wanted, "mac", json_string(mac));
    if (group_id) {
        json_object_set_new(wanted, "groupId", json_string(group_id));
        json_object_set_new(wanted, "staticGroupAssignment", json_true());
    }
    if (custom)
        json_object_set_new(wanted, "customAttributes", json_pack("{s:O}", "customAttributes", custom));
    ise_create(call, &kind_endpoint, mac, wanted, NULL);
}

static void group_known(struct ft_call *call, json_t *group)
{
    if (group)
        endpoint_with_group(call, ise_str(group, "id"));
    else
        ise_fail(call, FT_NOT_FOUND, "ISE has no endpoint group '%.100s'; ise.endpoint_groups lists them", ise_text(call, "group"));
}

static void endpoint_create(struct ft_call *call)
{
    const char *group = ise_text(call, "group");

    if (!ise_find_mac(call))
        return;
    if (group && !ise_is_id(group))
        ise_find(call, &ise_kind_group, group, group_known);
    else
        endpoint_with_group(call, group);
}

#define WITH_MAC(name, function) static void name(struct ft_call *call) { if (ise_find_mac(call)) function(call, &kind_endpoint, ise_state(call)->mac); }
WITH_MAC(endpoint_create_undo, ise_create_undo)
WITH_MAC(endpoint_create_probe, ise_create_probe)
WITH_MAC(endpoint_delete, ise_delete)
WITH_MAC(endpoint_delete_undo, ise_delete_undo)
WITH_MAC(endpoint_delete_probe, ise_delete_probe)
ISE_BEGIN(ISE_RUN, endpoint_create, endpoint_create_run)
ISE_BEGIN(ISE_PLAN, endpoint_create, endpoint_create_plan)
ISE_BEGIN(ISE_UNDO, endpoint_create_undo, endpoint_create_back)
ISE_BEGIN(ISE_PROBE, endpoint_create_probe, endpoint_create_ask)
ISE_BEGIN(ISE_RUN, endpoint_delete, endpoint_delete_run)
ISE_BEGIN(ISE_PLAN, endpoint_delete, endpoint_delete_plan)
ISE_BEGIN(ISE_UNDO, endpoint_delete_undo, endpoint_delete_back)
ISE_BEGIN(ISE_PROBE, endpoint_delete_probe, endpoint_delete_ask)

const struct ft_action ise_endpoint_create = {
    ISE_WRITE(endpoint_create_run, endpoint_create_plan), .undo = { endpoint_create_back, ise_drop }, .probe = { endpoint_create_ask, ise_drop },
    .name = "endpoint_create", .summary = "make an endpoint known to ISE, in a group", .effects = FT_EFFECT_WRITE,
    .params_schema = ISE_PARAMS("\"mac\"", ISE_MAC ","
        JSON("group": {"type": "string", "minLength": 1, "description": "name or id of the endpoint group; it is kept there against profiling"},
             "description": {"type": "string", "description": "description"},
             "profile_id": {"type": "string", "minLength": 1, "description": "id of the profile"},
             "static_profile": {"type": "boolean", "description": "keep the profile against profiling"},
             "custom_attributes": {"type": "object", "description": "custom attributes"})),
    .result_schema = ISE_OBJECT_RESULT,
    .about = "`POST /ers/config/endpoint`. An endpoint that is there as wanted is fine; one that is there in another way is a conflict: `ise.endpoint_update`.\n"
             "Undo deletes it, unless somebody changed it since.",
    .example = "- id: printer\n  run: ise.endpoint_create\n  with: {mac: \"${client}\", group: Printers, description: \"3rd floor\"}\n  undo: auto\n",
};

const struct ft_action ise_endpoint_delete = {
    ISE_WRITE(endpoint_delete_run, endpoint_delete_plan), .undo = { endpoint_delete_back, ise_drop }, .probe = { endpoint_delete_ask, ise_drop },
    .name = "endpoint_delete", .summary = "delete an endpoint from ISE", .effects = FT_EFFECT_WRITE,
    .params_schema = ISE_PARAMS("\"mac\"", ISE_MAC), .result_schema = ISE_OBJECT_RESULT,
    .about = "`DELETE /ers/config/endpoint/{id}`. A session that is there goes on. Undo creates it again as it was, with a new id; what profiling knew of it is gone.",
    .example = "- id: forget\n  run: ise.endpoint_delete\n  with: {mac: \"${client}\"}\n  undo: auto\n",
};

/* endpoint_release: PUT /endpoint/{id}/releaserejectedendpoint */

static void release_ready(struct ft_call *call, json_t *endpoint)
{
    struct ise_call *st = ise_state(call);
    struct ise_write *w = &st->write;

    if (!endpoint) {
        ise_fail(call, FT_NOT_FOUND, "ISE has no endpoint %s", st->mac);
        return;
    }
    w->summary = host->printf(call, "let rejected endpoint %s try again", st->mac);
    w->users = 1;
    w->api = ISE_ERS;
    w->method = "PUT";
    w->url = ise_url(call, ISE_ERS, "/endpoint/%s/releaserejectedendpoint", ise_escape(call, ise_str(endpoint, "id")));
    w->result = ise_hold(call, json_pack("{s:s, s:s}", "id", ise_str(endpoint, "id"), "name", st->mac));
    ise_write_ready(call);
}

static void release_begin(struct ft_call *call)
{
    if (ise_find_mac(call))
        ise_find(call, &kind_endpoint, ise_state(call)->mac, release_ready);
}
ISE_BEGIN(ISE_RUN, release_begin, release_run)
ISE_BEGIN(ISE_PLAN, release_begin, release_plan)

const struct ft_action ise_endpoint_release = {
    ISE_WRITE(release_run, release_plan),
    .name = "endpoint_release", .summary = "let an endpoint try again that ISE rejects because it failed too often", .effects = FT_EFFECT_WRITE | FT_EFFECT_IDEMPOTENT,
    .params_schema = ISE_PARAMS("\"mac\"", ISE_MAC), .result_schema = ISE_OBJECT_RESULT,
    .about = "`PUT /ers/config/endpoint/{id}/releaserejectedendpoint`. `ise.rejected_endpoints` lists them. There is nothing to take back.",
    .example = "- id: release\n  run: ise.endpoint_release\n  with: {mac: \"${client}\"}\n  undo: none\n",
};

/* ---- network devices. Their secrets come back from ISE masked, or in the clear: they are neither read nor kept, and PATCH leaves them alone. */

static const char *const device_members[] = { "name", "description", "profileName", "modelName", "softwareVersion", "coaPort", "dtlsDnsName", "NetworkDeviceIPList",
    "NetworkDeviceGroupList", NULL };
static const struct ise_kind kind_device = { "networkdevice", "NetworkDevice", "network device", device_members, true, -1 };

static json_t *device_wanted(struct ft_call *call)
{
    static const struct member list[] = { { "description", "description" }, { "profile", "profileName" }, { "model", "modelName" }, { "software", "softwareVersion" },
        { "coa_port", "coaPort" }, { "groups", "NetworkDeviceGroupList" } };
    json_t *wanted = members_of(call, list, ARRAY_LEN(list)), *ips = json_object_get(host->params(call), "ips"), *ip, *out;
    size_t i;

    if (!ips)
        return wanted;
    out = json_array();
    json_array_foreach(ips, i, ip) {
        const char *text = json_string_value(ip), *slash = text ? strchr(text, '/') : NULL;
        unsigned mask = 32;

        if (!text)
            continue;
        if (slash && (sscanf(slash, "/%2u", &mask) != 1 || mask > 32))
            mask = 32;
        json_array_append_new(out, json_pack("{s:s%, s:i}", "ipaddress", text, slash ? (size_t)(slash - text) : strlen(text), "mask", (int)mask));
    }
    json_object_set_new(wanted, "NetworkDeviceIPList", out);
    return wanted;
}

static json_t *device_secret(struct ft_call *call)
{
    const char *secret = ise_text(call, "radius_secret");

    if (!secret)
        return NULL;
    host->redact(call, secret);
    return json_pack("{s:{s:s, s:s, s:s}}", "authenticationSettings", "networkProtocol", "RADIUS", "radiusSharedSecret", secret, "keyInputFormat", "ASCII");
}

static void device_create(struct ft_call *call)
{
    json_t *wanted = device_wanted(call);

    json_object_set_new(wanted, "name", json_string(name_param(call)));
    ise_create(call, &kind_device, name_param(call), wanted, device_secret(call));
}
static void device_create_undo(struct ft_call *call) { ise_create_undo(call, &kind_device, name_param(call)); }
static void device_create_probe(struct ft_call *call) { ise_create_probe(call, &kind_device, name_param(call)); }
static void device_update(struct ft_call *call) { ise_change(call, &kind_device, name_param(call), device_wanted(call), device_secret(call)); }
static void device_update_undo(struct ft_call *call) { ise_change_undo(call, &kind_device, name_param(call)); }
static void device_delete(struct ft_call *call) { ise_delete(call, &kind_device, name_param(call)); }
static void device_delete_probe(struct ft_call *call) { ise_delete_probe(call, &kind_device, name_param(call)); }
ISE_BEGIN(ISE_RUN, device_create, device_create_run)
ISE_BEGIN(ISE_PLAN, device_create, device_create_plan)
ISE_BEGIN(ISE_UNDO, device_create_undo, device_create_back)
ISE_BEGIN(ISE_PROBE, device_create_probe, device_create_ask)
ISE_BEGIN(ISE_RUN, device_update, device_update_run)
ISE_BEGIN(ISE_PLAN, device_update, device_update_plan)
ISE_BEGIN(ISE_UNDO, device_update_undo, device_update_back)
ISE_BEGIN(ISE_RUN, device_delete, device_delete_run)
ISE_BEGIN(ISE_PLAN, device_delete, device_delete_plan)
ISE_BEGIN(ISE_PROBE, device_delete_probe, device_delete_ask)

#define DEVICE_P \
    JSON("description": {"type": "string", "description": "description"}, \
         "ips": {"type": "array", "minItems": 1, "items": {"type": "string", "pattern": "^[0-9]{1,3}([.][0-9]{1,3}){3}(/[0-9]{1,2})?$"}, "description": "its addresses, all of them: 10.10.1.3 or 10.10.1.0/24"}, \
         "groups": {"type": "array", "items": {"type": "string"}, "description": "its groups, all of them: Location with two levels is written with a hash between them, as ISE does"}, \
         "profile": {"type": "string", "minLength": 1, "description": "network device profile, such as Cisco or AlcatelWired"}, \
         "model": {"type": "string", "description": "model"}, "software": {"type": "string", "description": "version of its software"}, \
         "coa_port": {"type": "integer", "minimum": 0, "maximum": 65535, "description": "port for CoA"}, \
         "radius_secret": {"type": "string", "x-secret": true, "minLength": 1, "description": "shared secret of RADIUS"})

const struct ft_action ise_network_device_create = {
    ISE_WRITE(device_create_run, device_create_plan), .undo = { device_create_back, ise_drop }, .probe = { device_create_ask, ise_drop },
    .name = "network_device_create", .summary = "make an access point or switch known to ISE as a RADIUS client", .effects = FT_EFFECT_WRITE,
    .params_schema = ISE_PARAMS("\"name\",\"ips\",\"radius_secret\"", NAME_P("name of the device") "," DEVICE_P), .result_schema = ISE_OBJECT_RESULT,
    .about = "`POST /ers/config/networkdevice`. A device that is there as wanted is fine (its secret is not compared), another one of that name a conflict. Undo deletes it.",
    .example = "- id: ap\n  run: ise.network_device_create\n  with: {name: AP-3F-12, ips: [10.10.3.12], radius_secret: \"${secret}\"}\n  undo: auto\n",
};

const struct ft_action ise_network_device_update = {
    ISE_WRITE(device_update_run, device_update_plan), .undo = { device_update_back, ise_drop },
    .name = "network_device_update", .summary = "change a network device of ISE: addresses, groups, CoA port, shared secret",
    .effects = FT_EFFECT_DISRUPTIVE | FT_EFFECT_IDEMPOTENT,
    .params_schema = ISE_PARAMS("\"name\"", NAME_P("name or id of the device") "," DEVICE_P), .result_schema = ISE_OBJECT_RESULT,
    .about = "`PATCH /ers/config/networkdevice/{id}` (ISE 3.2 and later) with what changes, so that secrets are left alone. A wrong address or secret locks out whoever logs in\n"
             "through the device. Undo puts the former members back, but cannot put back a secret.",
    .example = "- id: moved\n  run: ise.network_device_update\n  with: {name: AP-3F-12, ips: [10.10.4.12]}\n  undo: auto\n",
};

const struct ft_action ise_network_device_delete = {
    ISE_WRITE(device_delete_run, device_delete_plan), .probe = { device_delete_ask, ise_drop },
    .name = "network_device_delete", .summary = "delete a network device: ISE answers it no more", .effects = FT_EFFECT_DISRUPTIVE,
    .params_schema = ISE_PARAMS("\"name\"", NAME_P("name or id of the device")), .result_schema = ISE_OBJECT_RESULT,
    .about = "`DELETE /ers/config/networkdevice/{id}`. Nobody logs in through it any more. No undo: its secrets are not known here.",
    .example = "- id: retired\n  run: ise.network_device_delete\n  with: {name: AP-3F-12}\n  undo: none\n",
};

/* network_device: GET by name, or by address through the list */

static void device_shown(struct ft_call *call, json_t *device)
{
    json_t *ips = json_array(), *all = json_object_get(device, "NetworkDeviceIPList"), *ip, *groups = json_object_get(device, "NetworkDeviceGroupList");
    size_t i;

    json_array_foreach(all, i, ip)
        if (ise_str(ip, "ipaddress"))
            json_array_append_new(ips, json_sprintf("%s/%d", ise_str(ip, "ipaddress"), json_is_integer(json_object_get(ip, "mask")) ? (int)json_integer_value(json_object_get(ip, "mask")) : 32));
    ise_done(call, json_pack("{s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "found", device != NULL, "id", ise_str_or_null(device, "id"),
        "name", ise_str_or_null(device, "name"), "description", ise_str_or_null(device, "description"), "profile", ise_str_or_null(device, "profileName"),
        "model", ise_str_or_null(device, "modelName"), "software", ise_str_or_null(device, "softwareVersion"), "coa_port", ise_int_or_null(device, "coaPort"),
        "ips", ips, "groups", json_is_array(groups) ? json_incref(groups) : json_array(), "radius", json_is_object(json_object_get(device, "authenticationSettings"))));
}

static void device_listed(struct ft_call *call, json_t *items)
{
    const char *id = ise_str(json_array_get(items, 0), "id");

    if (id)
        ise_find(call, &kind_device, id, device_shown);
    else
        device_shown(call, NULL);
}

static void device_begin(struct ft_call *call)
{
    const char *ip = ise_text(call, "ip");

    if (!ip == !name_param(call))
        ise_fail(call, FT_INVALID, "give either name or ip");
    else if (ip)
        ise_list_some(call, ISE_ERS, host->printf(call, "/networkdevice?filter=%s", ise_escape(call, host->printf(call, "ipaddress.EQ.%s", ip))), 1, device_listed);
    else
        ise_find(call, &kind_device, name_param(call), device_shown);
}
ISE_BEGIN(ISE_LOOK, device_begin, device_start)

const struct ft_action ise_network_device = {
    ISE_READ(device_start),
    .name = "network_device", .summary = "whether ISE knows an access point or switch, and how",
    .params_schema = ISE_PARAMS("", NAME_P("name or id of the device") "," JSON("ip": {"type": "string", "format": "ip", "description": "its address, as it is written in ISE"})),
    .result_schema = ISE_OBJ(ISE_P_BOOL("found", "ISE has this device") "," ISE_P_STR("id", "id") "," ISE_P_STR("name", "name") "," ISE_P_STR("description", "description") ","
        ISE_P_STR("profile", "network device profile") "," ISE_P_STR("model", "model") "," ISE_P_STR("software", "version of its software") "," ISE_P_INT("coa_port", "port for CoA") ","
        ISE_P_LIST("ips", "{\"type\":\"string\"}", "its addresses") "," ISE_P_LIST("groups", "{\"type\":\"string\"}", "its groups") "," ISE_P_BOOL("radius", "it is set up for RADIUS")),
    .about = "`GET /ers/config/networkdevice/name/{name}`; by address `GET /ers/config/networkdevice?filter=ipaddress.EQ.{ip}` first. Secrets are left out.\n"
             "An address that is covered by a device's range is not found by it.",
    .example = "- id: nas\n  run: ise.network_device\n  with: {ip: \"${auth.nas_ip}\"}\n",
};

/* ---- internal users. PUT of the whole user without its password, which stays. */

static const char *const user_members[] = { "id", "name", "description", "enabled", "email", "accountNameAlias", "firstName", "lastName", "changePassword", "identityGroups",
    "expiryDateEnabled", "expiryDate", "passwordNeverExpires", "daysForPasswordExpiration", "customAttributes", "passwordIDStore", NULL };
static const struct ise_kind kind_user = { "internaluser", "InternalUser", "internal user", user_members, false, 1 };

static void user_enable(struct ft_call *call) { ise_change(call, &kind_user, name_param(call), json_pack("{s:b}", "enabled", 1), NULL); }
static void user_disable(struct ft_call *call) { ise_change(call, &kind_user, name_param(call), json_pack("{s:b}", "enabled", 0), NULL); }
static void user_undo(struct ft_call *call) { ise_change_undo(call, &kind_user, name_param(call)); }

static void user_password(struct ft_call *call)
{
    const char *password = ise_text(call, "password");
    const json_t *change = json_object_get(host->params(call), "must_change");

    host->redact(call, password);
    ise_change(call, &kind_user, name_param(call), json_pack("{s:b}", "changePassword", json_is_true(change)), json_pack("{s:s}", "password", password));
}
ISE_BEGIN(ISE_RUN, user_enable, user_enable_run)
ISE_BEGIN(ISE_PLAN, user_enable, user_enable_plan)
ISE_BEGIN(ISE_RUN, user_disable, user_disable_run)
ISE_BEGIN(ISE_PLAN, user_disable, user_disable_plan)
ISE_BEGIN(ISE_UNDO, user_undo, user_back)
ISE_BEGIN(ISE_RUN, user_password, user_password_run)
ISE_BEGIN(ISE_PLAN, user_password, user_password_plan)

const struct ft_action ise_internal_user_enable = {
    ISE_WRITE(user_enable_run, user_enable_plan), .undo = { user_back, ise_drop },
    .name = "internal_user_enable", .summary = "enable a user of ISE's own", .effects = FT_EFFECT_WRITE | FT_EFFECT_IDEMPOTENT,
    .params_schema = ISE_PARAMS("\"name\"", NAME_P("name of the user")), .result_schema = ISE_OBJECT_RESULT,
    .about = "`PUT /ers/config/internaluser/{id}` with the whole user but its password. Undo puts the former state back, unless somebody changed it since.",
    .example = "- id: enable\n  run: ise.internal_user_enable\n  with: {name: \"${auth.user_name}\"}\n  undo: auto\n",
};

const struct ft_action ise_internal_user_disable = {
    ISE_WRITE(user_disable_run, user_disable_plan), .undo = { user_back, ise_drop },
    .name = "internal_user_disable", .summary = "disable a user of ISE's own", .effects = FT_EFFECT_DISRUPTIVE | FT_EFFECT_IDEMPOTENT,
    .params_schema = ISE_PARAMS("\"name\"", NAME_P("name of the user")), .result_schema = ISE_OBJECT_RESULT,
    .about = "`PUT /ers/config/internaluser/{id}` with the whole user but its password. Sessions that are there go on: `ise.coa_disconnect` ends them.\n"
             "Undo puts the former state back, unless somebody changed it since.",
    .example = "- id: disable\n  run: ise.internal_user_disable\n  with: {name: \"${auth.user_name}\"}\n  undo: auto\n",
};

const struct ft_action ise_internal_user_password = {
    ISE_WRITE(user_password_run, user_password_plan),
    .name = "internal_user_password", .summary = "set the password of a user of ISE's own", .effects = FT_EFFECT_DISRUPTIVE | FT_EFFECT_IDEMPOTENT,
    .params_schema = ISE_PARAMS("\"name\",\"password\"", NAME_P("name of the user") ","
        JSON("password": {"type": "string", "x-secret": true, "minLength": 1, "description": "the new password; ISE's password policy must like it"},
             "must_change": {"type": "boolean", "default": true, "description": "the user has to choose another one at the next login"})),
    .result_schema = ISE_OBJECT_RESULT,
    .about = "`PUT /ers/config/internaluser/{id}`. No undo: the former password is not known to anybody.",
    .example = "- id: reset\n  run: ise.internal_user_password\n  with: {name: probe, password: \"${new_password}\"}\n  undo: none\n",
};
