/* netbox.c: the smallest plugin that is worth having: NetBox, the inventory of many networks. One action reads, one writes.
 * fettle/plugin.h says what everything here means; README.md beside this file how it is built, tested and used. */
#include <fettle/kit.h>

static const struct ft_host *host;

/* ---- both actions: a request to the API of the configuration */

static void ask(struct ft_call *call, const char *method, const char *path, const json_t *body, struct ft_http_header headers[2], struct ft_http_req *ret)
{
    const json_t *config = host->config(call);

    headers[0] = (struct ft_http_header){ "Authorization", host->printf(call, "Token %s", ft_str(config, "token")) };
    headers[1] = (struct ft_http_header){ NULL, NULL };
    *ret = (struct ft_http_req){
        .size = sizeof(*ret), .method = method, .url = host->printf(call, "%s%s", ft_str(config, "url"), path), .headers = headers, .json = body,
        .ca_file = ft_str(config, "ca_file"), .flags = FT_HTTP_JSON | (body ? FT_HTTP_WRITE : 0),
    };
}

static int look_up(struct ft_call *call, ft_http_cb *answered, struct ft_err *reterr)
{
    struct ft_http_header headers[2];
    struct ft_http_req req;

    ask(call, "GET", host->printf(call, "/api/dcim/devices/?name=%s", host->url_escape(call, ft_str(host->params(call), "name"))), NULL, headers, &req);
    return host->http(call, &req, answered, NULL, reterr);
}

/* The one device of the answer, borrowed. NULL: the call has failed. */
static const json_t *one_device(struct ft_call *call, const struct ft_http_res *res)
{
    const json_t *list = ft_get(res->json, "results");
    const char *name = ft_str(host->params(call), "name");

    if (res->error)
        host->fail(call, res->class, "%s", res->error);
    else if (!json_is_array(list))
        host->fail(call, FT_INVALID, "NetBox answered without a list of devices; is %s its address?", ft_str(host->config(call), "url"));
    else if (json_array_size(list) != 1)
        host->fail(call, FT_NOT_FOUND, "NetBox has %zu devices named '%s'", json_array_size(list), name);
    else
        return json_array_get(list, 0);
    return NULL;
}

/* ---- netbox.device */

static void told(struct ft_call *call, const struct ft_http_res *res, void *arg)
{
    const json_t *device = one_device(call, res);

    (void)arg;
    if (device)
        host->done(call, json_pack("{s:I, s:s?, s:s?}", "id", ft_int(device, "id"), "status", ft_str(ft_get(device, "status"), "value"),
                                   "site", ft_str(ft_get(device, "site"), "name")));
}

static int device_start(struct ft_call *call, struct ft_err *reterr) { return look_up(call, told, reterr); }

static const struct ft_action device = {
    .size = sizeof(device), .name = "device", .summary = "a device as NetBox has it", .effects = FT_EFFECT_READ, .run = { .start = device_start },
    .params_schema = FT_JSON({"type": "object", "properties": {"name": {"type": "string", "minLength": 1, "description": "name of the device"}},
        "required": ["name"], "additionalProperties": false}),
    .result_schema = FT_JSON({"type": "object", "properties": {
        "id": {"type": "integer", "description": "NetBox's number of it"},
        "status": {"type": ["string", "null"], "description": "active, offline, planned, …"},
        "site": {"type": ["string", "null"], "description": "name of its site"}}}),
    .example = "- id: known\n  run: netbox.device\n  with: {name: sw-3f-1}\n",
};

/* ---- netbox.set_status: its plan shows the request and keeps the old status, its undo puts that back */

static void patch(struct ft_call *call, json_int_t id, const char *status, struct ft_http_header headers[2], struct ft_http_req *ret)
{
    ask(call, "PATCH", host->printf(call, "/api/dcim/devices/%" JSON_INTEGER_FORMAT "/", id), json_pack("{s:s}", "status", status), headers, ret);
}

static void planned(struct ft_call *call, const struct ft_http_res *res, void *arg)
{
    const char *name = ft_str(host->params(call), "name"), *to = ft_str(host->params(call), "status"), *from;
    const json_t *found = one_device(call, res);
    struct ft_http_header headers[2];
    struct ft_http_req req;

    (void)arg;
    if (!found)
        return;
    from = ft_str(ft_get(found, "status"), "value");
    patch(call, ft_int(found, "id"), to, headers, &req);
    host->done(call, json_pack("{s:o, s:[o], s:[{s:s, s:s?, s:s}], s:b, s:{s:I, s:s?}}", "summary", json_sprintf("set %s to %s", name, to),
                               "requests", host->http_render(call, &req), "changes", "path", "status", "from", from, "to", to, "nothing_to_do", ft_same(from, to),
                               "receipt", "id", ft_int(found, "id"), "from", from));
    json_decref((json_t *)req.json);
}

static int plan_start(struct ft_call *call, struct ft_err *reterr) { return look_up(call, planned, reterr); }

static void changed(struct ft_call *call, const struct ft_http_res *res, void *arg)
{
    (void)arg;
    if (res->error)
        host->fail(call, res->class, "%s", res->error);
    else
        host->done(call, json_pack("{s:s?}", "status", ft_str(ft_get(res->json, "status"), "value")));
}

static int send_patch(struct ft_call *call, const char *status, struct ft_err *reterr)
{
    struct ft_http_header headers[2];
    struct ft_http_req req;
    int r;

    if (!status)
        return ft_fault(reterr, FT_INVALID, "NetBox did not say which status the device had");
    patch(call, ft_int(host->receipt(call), "id"), status, headers, &req);
    r = host->http(call, &req, changed, NULL, reterr);
    json_decref((json_t *)req.json);
    return r;
}

static int run_start(struct ft_call *call, struct ft_err *reterr) { return send_patch(call, ft_str(host->params(call), "status"), reterr); }
static int undo_start(struct ft_call *call, struct ft_err *reterr) { return send_patch(call, ft_str(host->receipt(call), "from"), reterr); }

static const struct ft_action set_status = {
    .size = sizeof(set_status), .name = "set_status", .summary = "change a device's status", .effects = FT_EFFECT_WRITE | FT_EFFECT_IDEMPOTENT,
    .plan = { .start = plan_start }, .run = { .start = run_start }, .undo = { .start = undo_start },
    .params_schema = FT_JSON({"type": "object", "properties": {
        "name": {"type": "string", "minLength": 1, "description": "name of the device"},
        "status": {"enum": ["active", "offline", "planned", "staged", "failed", "inventory", "decommissioning"], "description": "the status wanted"}},
        "required": ["name", "status"], "additionalProperties": false}),
    .result_schema = FT_JSON({"type": "object", "properties": {"status": {"type": ["string", "null"], "description": "what it is now"}}}),
    .example = "- id: mark\n  run: netbox.set_status\n  with: {name: sw-3f-1, status: offline}\n  undo: auto\n",
};

/* ---- the plugin */

static int netbox_open(const struct ft_host *given, const json_t *config, void **ret_instance, struct ft_err *reterr)
{
    (void)config;
    (void)ret_instance;
    (void)reterr;
    host = given;
    return 0;
}

static const struct ft_action *const actions[] = { &device, &set_status, NULL };

FT_EXPORT const struct ft_plugin ft_plugin = {
    FT_PLUGIN_HEADER, .name = "netbox", .version = "1.0", .summary = "devices of the NetBox inventory", .capabilities = "http", .open = netbox_open, .actions = actions,
    .config_schema = FT_JSON({"type": "object", "properties": {
        "url": {"type": "string", "description": "NetBox, such as https://netbox.example"},
        "token": {"type": "string", "x-secret": true, "description": "API token"},
        "ca_file": {"type": "string", "description": "PEM file of the certificate authority; the system's when left out"}},
        "required": ["url", "token"], "additionalProperties": false}),
};
