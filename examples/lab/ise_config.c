/* ise_config.c: what ISE keeps besides endpoints: network devices, users, groups, ANC policies, certificates. Devices and users count when somebody logs in. */
#include <time.h>
#include "lab.h"

static const char *text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));

    return text ? text : "";
}

static json_t *list_of(struct lab *lab, const char *resource)
{
    return json_object_get(lab->ise, resource);
}

static json_t *find(json_t *items, const char *key, const char *value)
{
    size_t i;
    json_t *item;

    json_array_foreach(items, i, item)
        if (strcasecmp(text_of(item, key), value) == 0)
            return item;
    return NULL;
}

static void remove_item(json_t *items, const json_t *item)
{
    for (size_t i = 0; i < json_array_size(items); i++)
        if (json_array_get(items, i) == item) {
            json_array_remove(items, i);
            return;
        }
}

/* ---- the beginning */

static void add_named(struct lab *lab, const char *resource, const char *name, json_t *more)
{
    char id[37], seed[120];

    snprintf(seed, sizeof(seed), "%s %s", resource, name);
    lab_uuid(lab, seed, id);
    json_object_set_new(more, "id", json_string(id));
    json_object_set_new(more, "name", json_string(name));
    json_array_append_new(list_of(lab, resource), more);
}

void lab_ise_config_init(struct lab *lab)
{
    static const char *const policies[][2] = { { "Quarantine", "QUARANTINE" }, { "Bounce", "PORTBOUNCE" }, { "Shut", "SHUTDOWN" } };
    static const char *const resources[] = { "networkdevice", "networkdevicegroup", "identitygroup", "ancpolicy" };

    lab->ise = json_pack("{s:{}}", "users");
    for (size_t i = 0; i < ARRAY_LEN(resources); i++)
        json_object_set_new(lab->ise, resources[i], json_array());
    for (int i = 0; i < lab->n_aps; i++)
        add_named(lab, "networkdevice", lab->aps[i].name, json_pack("{s:s, s:s, s:i, s:{s:s, s:s}, s:[{s:s, s:i, s:n}], s:[s, s]}", "description", "", "profileName", "Cisco",
            "coaPort", 3799, "authenticationSettings", "networkProtocol", "RADIUS", "radiusSharedSecret", "lab-shared-secret", "NetworkDeviceIPList", "ipaddress", lab->aps[i].ip,
            "mask", 32, "getIpaddressExclude", "NetworkDeviceGroupList", "Location#All Locations", "Device Type#All Device Types"));
    for (size_t i = 0; i < ARRAY_LEN(policies); i++)
        add_named(lab, "ancpolicy", policies[i][0], json_pack("{s:[s]}", "actions", policies[i][1]));
    add_named(lab, "networkdevicegroup", "Location#All Locations", json_pack("{s:s}", "description", "All Locations"));
    add_named(lab, "networkdevicegroup", "Device Type#All Device Types", json_pack("{s:s}", "description", "All Device Types"));
    add_named(lab, "identitygroup", "Employee", json_pack("{s:s}", "description", "Default Employee User Group"));
}

bool lab_ise_knows_device(struct lab *lab, const char *ip)
{
    size_t i, k;
    json_t *device, *entry;

    json_array_foreach(list_of(lab, "networkdevice"), i, device)
        json_array_foreach(json_object_get(device, "NetworkDeviceIPList"), k, entry)
            if (strcmp(text_of(entry, "ipaddress"), ip) == 0)
                return true;
    return false;
}

bool lab_ise_user_enabled(struct lab *lab, const char *name)
{
    return !json_is_false(json_object_get(json_object_get(json_object_get(lab->ise, "users"), name), "enabled"));
}

/* ---- create, change, delete: the resource is the third part of the path */

static const struct { const char *resource, *wrapper; } wrappers[] = {
    { "networkdevice", "NetworkDevice" }, { "networkdevicegroup", "NetworkDeviceGroup" }, { "identitygroup", "IdentityGroup" }, { "ancpolicy", "ErsAncPolicy" },
    { "endpointgroup", "EndPointGroup" },
};

static const char *resource_of(const struct lab_req *req, const char **ret_wrapper)
{
    for (size_t i = 0; i < ARRAY_LEN(wrappers); i++)
        if (req->n_seg > 2 && strcmp(req->seg[2], wrappers[i].resource) == 0) {
            *ret_wrapper = wrappers[i].wrapper;
            return wrappers[i].resource;
        }
    *ret_wrapper = "";
    return "";
}

static json_t *items_of(const struct lab_req *req, const char *resource)
{
    return strcmp(resource, "endpointgroup") == 0 ? req->lab->groups : list_of(req->lab, resource);
}

/* filter=ipaddress.EQ.x looks into the lists of addresses. */
static json_t *by_address(struct lab_req *req, const char *address)
{
    json_t *found = json_array(), *item, *entry;
    size_t i, k;

    json_array_foreach(list_of(req->lab, "networkdevice"), i, item)
        json_array_foreach(json_object_get(item, "NetworkDeviceIPList"), k, entry)
            if (strcmp(text_of(entry, "ipaddress"), address) == 0)
                json_array_append_new(found, json_pack("{s:s, s:s, s:s, s:s}", "id", text_of(item, "id"), "name", text_of(item, "name"), "description", text_of(item, "description"),
                                                       "ipaddress", address));
    return found;
}

static void resource_list(struct lab_req *req, struct lab_res *res)
{
    const char *wrapper, *resource = resource_of(req, &wrapper), *filter = lab_query(req, "filter");
    json_t *items = filter && strncmp(filter, "ipaddress.EQ.", 13) == 0 ? by_address(req, filter + 13) : json_incref(items_of(req, resource));

    lab_ers_list(req, res, resource, items);
    json_decref(items);
}

static void resource_get(struct lab_req *req, struct lab_res *res)
{
    const char *wrapper, *resource = resource_of(req, &wrapper);

    lab_ers_one(req, res, resource, wrapper, items_of(req, resource), "id");
}

static void resource_by_name(struct lab_req *req, struct lab_res *res)
{
    const char *wrapper, *resource = resource_of(req, &wrapper);

    lab_ers_one(req, res, resource, wrapper, items_of(req, resource), "name");
}

static void resource_post(struct lab_req *req, struct lab_res *res)
{
    const char *wrapper, *resource = resource_of(req, &wrapper);
    json_t *new = json_object_get(req->json, wrapper), *items = items_of(req, resource);
    char id[37], seed[200];

    if (!text_of(new, "name")[0]) {
        lab_ers_error(res, 400, "POST-create", "name is mandatory", "APPLICATION_RESOURCE_VALIDATION exception");
        return;
    }
    if (find(items, "name", text_of(new, "name"))) {
        lab_ers_error(res, 500, "POST-create", "a resource of this name exists already", "CRUD operation exception");
        return;
    }
    new = json_deep_copy(new);
    snprintf(seed, sizeof(seed), "%s %s %u", resource, text_of(new, "name"), (unsigned)++req->lab->serial);
    lab_uuid(req->lab, seed, id);
    json_object_set_new(new, "id", json_string(id));
    json_array_append_new(items, new);
    lab_add_header(res, "Location", "%s/ers/config/%s/%s", req->lab->ise_url, resource, id);
    res->status = 201;
    req->done = true;
}

static void resource_change(struct lab_req *req, struct lab_res *res)
{
    const char *wrapper, *resource = resource_of(req, &wrapper);
    json_t *item = find(items_of(req, resource), "id", req->arg[0]), *change = json_object_get(req->json, wrapper);

    if (!item) {
        lab_ers_error(res, 404, "PATCH", "Resource not found", "CRUD operation exception");
        return;
    }
    if (!json_is_object(change)) {
        lab_ers_error(res, 400, "PATCH", "the resource is missing", "SCHEMA_VALIDATION exception");
        return;
    }
    json_object_update_recursive(item, change);
    res->json = json_pack("{s:{s:[]}}", "UpdatedFieldsList", "updatedField");
    req->done = true;
}

static void resource_delete(struct lab_req *req, struct lab_res *res)
{
    const char *wrapper, *resource = resource_of(req, &wrapper);
    json_t *items = items_of(req, resource), *item = find(items, "id", req->arg[0]);

    if (!item) {
        lab_ers_error(res, 404, "DELETE", "Resource not found", "CRUD operation exception");
        return;
    }
    remove_item(items, item);
    res->status = 204;
    req->done = true;
}

/* ---- internal users: the people of the lab, and what was set of them */

static json_t *user_of(struct lab *lab, const struct lab_client *c)
{
    json_t *set = json_object_get(json_object_get(lab->ise, "users"), c->user), *user;
    char id[37];

    lab_uuid(lab, c->user, id);
    user = json_pack("{s:s, s:s, s:b, s:b, s:s, s:s, s:s, s:s, s:b}", "id", id, "name", c->user, "enabled", 1, "changePassword", 0, "identityGroups",
        text_of(json_array_get(list_of(lab, "identitygroup"), 0), "id"), "passwordIDStore", "Internal Users", "password", "*******", "enablePassword", "*******", "expiryDateEnabled", 0);
    json_object_update(user, set);
    return user;
}

/* Several devices may belong to one person. */
static json_t *users(struct lab *lab)
{
    json_t *all = json_array();

    for (int i = 0; i < lab->n_clients; i++)
        if (!lab->clients[i].unlisted && lab->clients[i].user[0] && !find(all, "name", lab->clients[i].user))
            json_array_append_new(all, user_of(lab, &lab->clients[i]));
    return all;
}

static void user_list(struct lab_req *req, struct lab_res *res)
{
    json_t *all = users(req->lab);

    lab_ers_list(req, res, "internaluser", all);
    json_decref(all);
}

static void user_get(struct lab_req *req, struct lab_res *res)
{
    json_t *all = users(req->lab);

    lab_ers_one(req, res, "internaluser", "InternalUser", all, "id");
    json_decref(all);
}

static void user_by_name(struct lab_req *req, struct lab_res *res)
{
    json_t *all = users(req->lab);

    lab_ers_one(req, res, "internaluser", "InternalUser", all, "name");
    json_decref(all);
}

/* A user that is created is in the directory from then on. */
static void user_post(struct lab_req *req, struct lab_res *res)
{
    const char *name = text_of(json_object_get(req->json, "InternalUser"), "name");

    if (!name[0]) {
        lab_ers_error(res, 400, "POST-create-internaluser", "name is mandatory", "APPLICATION_RESOURCE_VALIDATION exception");
        return;
    }
    for (int i = 0; i < req->lab->n_clients; i++)
        if (strcmp(req->lab->clients[i].user, name) == 0)
            req->lab->clients[i].unlisted = false;
    res->status = 201;
    req->done = true;
}

static void user_put(struct lab_req *req, struct lab_res *res)
{
    json_t *all = users(req->lab), *user = find(all, "id", req->arg[0]), *change = json_object_get(req->json, "InternalUser"), *set;

    if (user && json_is_object(change)) {
        set = json_deep_copy(change);
        json_object_del(set, "password");                 /* kept where nobody reads it */
        json_object_set_new(json_object_get(req->lab->ise, "users"), text_of(user, "name"), set);
        res->json = json_pack("{s:{s:[]}}", "UpdatedFieldsList", "updatedField");
        req->done = true;
    } else {
        lab_ers_error(res, user ? 400 : 404, "PUT-update-internaluser", user ? "InternalUser is missing" : "Resource not found", "CRUD operation exception");
    }
    json_decref(all);
}

/* ---- rejected endpoints: none in the lab */

static void rejected(struct lab_req *req, struct lab_res *res)
{
    (void)req;
    res->json = json_pack("{s:{s:[]}}", "OperationResult", "resultValue");
}

static void release_rejected(struct lab_req *req, struct lab_res *res)
{
    if (!find(req->lab->endpoints, "id", req->arg[0])) {
        lab_ers_error(res, 404, "PUT-releaserejectedendpoint", "Resource not found", "CRUD operation exception");
        return;
    }
    res->status = 204;
    req->done = true;
}

/* ---- certificates: OpenAPI, paged from 0. Admin's own ends within three weeks of the lab's beginning. */

static json_t *date(double wall)
{
    time_t when = (time_t)wall;
    char text[64];
    struct tm tm;

    gmtime_r(&when, &tm);
    strftime(text, sizeof(text), "%a %b %d %H:%M:%S UTC %Y", &tm);
    return json_string(text);
}

static void page_of(struct lab_req *req, struct lab_res *res, json_t *all)
{
    const char *size_text = lab_query(req, "size"), *page_text = lab_query(req, "page");
    size_t size = size_text ? (size_t)atol(size_text) : 20, page = page_text ? (size_t)atol(page_text) : 0, i;
    json_t *item, *some = json_array();

    json_array_foreach(all, i, item)
        if (i >= page * size && i < (page + 1) * size)
            json_array_append(some, item);
    res->json = json_pack("{s:o, s:s}", "response", some, "version", "1.0.1");
    if (json_array_size(all) > (page + 1) * size)
        json_object_set_new(res->json, "nextPage", json_pack("{s:s, s:o, s:s}", "rel", "next", "href",
            json_sprintf("%s%s?size=%zu&page=%zu", req->lab->ise_url, req->path, size, page + 1), "type", "application/json"));
    json_decref(all);
}

static json_t *certificate(const char *id, const char *name, const char *to, const char *by, const char *used, double until)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:s, s:b, s:i, s:s}", "id", id, "friendlyName", name, "issuedTo", to, "issuedBy", by, "validFrom", date(1749892527),
        "expirationDate", date(until), "usedBy", used, "selfSigned", strcmp(to, by) == 0, "keySize", 4096, "signatureAlgorithm", "SHA256withRSA");
}

static void system_certificates(struct lab_req *req, struct lab_res *res)
{
    double soon = req->lab->wall + 20 * 86400.0;

    if (strcmp(req->arg[0], "ise-1") != 0) {
        res->status = 404;
        res->json = json_pack("{s:{s:s}, s:s}", "response", "message", "Host not found", "version", "1.0.1");
        return;
    }
    page_of(req, res, json_pack("[o, o]",
        certificate("5b5d28e4-2d51-495c-8413-610190e1070b", "EAP Server", "ise-1.corp.example", "corp.example Issuing CA", "EAP Authentication, Portal", 2002353327),
        certificate("5b5d28e4-2d51-495c-8413-610190e1070c", "Default self-signed", "ise-1.corp.example", "ise-1.corp.example", "Admin", soon)));
}

static void trusted_certificates(struct lab_req *req, struct lab_res *res)
{
    json_t *all = json_array(), *one;
    static const char *const names[] = { "corp.example Root CA", "corp.example Issuing CA", "Cisco Root CA M2" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        one = certificate(names[i], names[i], names[i], names[0], "", 2002353327);
        json_object_del(one, "usedBy");
        json_object_set_new(one, "trustedFor", json_string("Infrastructure,Endpoints"));
        json_object_set_new(one, "status", json_string("Enabled"));
        json_array_append_new(all, one);
    }
    page_of(req, res, all);
}

const struct lab_route lab_ise_config_routes[] = {
    { "GET", "/ers/config/networkdevice", resource_list },
    { "POST", "/ers/config/networkdevice", resource_post },
    { "GET", "/ers/config/networkdevice/name/{}", resource_by_name },
    { "GET", "/ers/config/networkdevice/{}", resource_get },
    { "PUT", "/ers/config/networkdevice/{}", resource_change },
    { "PATCH", "/ers/config/networkdevice/{}", resource_change },
    { "DELETE", "/ers/config/networkdevice/{}", resource_delete },
    { "GET", "/ers/config/networkdevicegroup", resource_list },
    { "GET", "/ers/config/identitygroup", resource_list },
    { "GET", "/ers/config/ancpolicy", resource_list },
    { "GET", "/ers/config/ancpolicy/name/{}", resource_by_name },
    { "GET", "/ers/config/ancpolicy/{}", resource_get },
    { "POST", "/ers/config/endpointgroup", resource_post },
    { "DELETE", "/ers/config/endpointgroup/{}", resource_delete },
    { "GET", "/ers/config/endpoint/getrejectedendpoints", rejected },
    { "PUT", "/ers/config/endpoint/{}/releaserejectedendpoint", release_rejected },
    { "GET", "/ers/config/internaluser", user_list },
    { "POST", "/ers/config/internaluser", user_post },
    { "GET", "/ers/config/internaluser/name/{}", user_by_name },
    { "GET", "/ers/config/internaluser/{}", user_get },
    { "PUT", "/ers/config/internaluser/{}", user_put },
    { "GET", "/api/v1/certs/system-certificate/{}", system_certificates },
    { "GET", "/api/v1/certs/trusted-certificate", trusted_certificates },
    { 0 },
};
