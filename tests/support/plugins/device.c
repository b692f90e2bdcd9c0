/* device.c: a device behind HTTP that keeps a value a key, for tests that kill the program (tests/faults/crash/peer.c is its other side).
 * Configuration: url. `set` has plan, undo and probe; `commit` besides a timer: the device takes it back unless it is confirmed; `blind` has none of them.
 * The device has no clock of its own: each request says what time it is. */
#include <fettle/kit.h>

static const struct ft_host *host;
static char base[200];

static int device_open(const struct ft_host *h, const json_t *config, void **ret_instance, struct ft_err *reterr)
{
    (void)reterr;
    host = h;
    *ret_instance = NULL;
    snprintf(base, sizeof(base), "%s", ft_str(config, "url"));
    return 0;
}

static struct ft_http_req request(json_t *body, const char *url)
{
    return (struct ft_http_req){
        .size = sizeof(struct ft_http_req), .method = body ? "PUT" : "GET", .json = body, .flags = FT_HTTP_JSON | (body ? FT_HTTP_WRITE : 0), .url = url,
    };
}

static const char *url_of(struct ft_call *call)
{
    return host->printf(call, "%s/%s", base, ft_str(host->params(call), "key"));
}

static int ask(struct ft_call *call, json_t *body, ft_http_cb *answered, struct ft_err *reterr)
{
    struct ft_http_req req = request(body, host->printf(call, "%s?now=%llu", url_of(call), (unsigned long long)host->wall_ms(call)));
    int r = host->http(call, &req, answered, NULL, reterr);

    json_decref(body);
    return r;
}

static bool failed(struct ft_call *call, const struct ft_http_res *res)
{
    if (res->error)
        host->fail(call, res->class, "%s", res->error);
    return res->error != NULL;
}

static void answered(struct ft_call *call, const struct ft_http_res *res, void *arg)
{
    (void)arg;
    if (!failed(call, res))
        host->done(call, json_incref(res->json));
}

static int get_start(struct ft_call *call, struct ft_err *reterr)
{
    return ask(call, NULL, answered, reterr);
}

static json_t *body_of(const json_t *value, bool undo)
{
    return json_pack("{s:O?, s:b}", "value", value, "undo", undo);
}

static int set_start(struct ft_call *call, struct ft_err *reterr)
{
    return ask(call, body_of(ft_get(host->params(call), "value"), false), answered, reterr);
}

static int undo_start(struct ft_call *call, struct ft_err *reterr)
{
    return ask(call, body_of(ft_get(host->receipt(call), "value"), true), answered, reterr);
}

static int64_t within_s(struct ft_call *call)
{
    return ft_int(host->params(call), "within_s");
}

static int commit_start(struct ft_call *call, struct ft_err *reterr)
{
    json_t *body = body_of(ft_get(host->params(call), "value"), false);

    if (host->pending(call, (uint64_t)within_s(call) * 1000))
        json_object_set_new(body, "within_ms", json_integer(within_s(call) * 1000));
    return ask(call, body, answered, reterr);
}

static int confirm_start(struct ft_call *call, struct ft_err *reterr)
{
    return ask(call, json_pack("{s:O, s:b}", "value", ft_get(host->params(call), "value"), "confirm", 1), answered, reterr);
}

static void planned(struct ft_call *call, const struct ft_http_res *res, void *arg)
{
    const json_t *wanted = ft_get(host->params(call), "value"), *value = ft_get(res->json, "value");
    json_t *body, *plan;
    struct ft_http_req req;

    (void)arg;
    if (failed(call, res))
        return;
    body = body_of(wanted, false);
    req = request(body, url_of(call));
    plan = json_pack("{s:o, s:[o], s:O, s:{s:O}}", "summary", json_sprintf("set %s", ft_str(host->params(call), "key")), "requests", host->http_render(call, &req),
                     "before", value, "receipt", "value", value);
    if (within_s(call))
        json_object_set_new(plan, "reverts", json_pack("{s:I}", "after_s", (json_int_t)within_s(call)));
    host->done(call, plan);
    json_decref(body);
}

static int plan_start(struct ft_call *call, struct ft_err *reterr)
{
    return ask(call, NULL, planned, reterr);
}

static void probed(struct ft_call *call, const struct ft_http_res *res, void *arg)
{
    const json_t *value = ft_get(res->json, "value");

    (void)arg;
    if (!failed(call, res))
        host->done(call, json_pack("{s:b, s:b, s:O, s:O}", "happened", json_equal(value, ft_get(host->params(call), "value")), "pending",
                                   json_is_true(ft_get(res->json, "pending")), "seen", value, "result", res->json));
}

static int probe_start(struct ft_call *call, struct ft_err *reterr)
{
    return ask(call, NULL, probed, reterr);
}

static const char get_params[] = "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"key\"],\"properties\":{\"key\":{\"type\":\"string\"}}}";
static const char set_params[] =
    "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"key\",\"value\"],\"properties\":{\"key\":{\"type\":\"string\"},\"value\":{\"type\":\"integer\"}}}";
static const char commit_params[] =
    "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"key\",\"value\",\"within_s\"],\"properties\":{\"key\":{\"type\":\"string\"},"
    "\"value\":{\"type\":\"integer\"},\"within_s\":{\"type\":\"integer\"}}}";
static const char result[] = "{\"type\":\"object\",\"required\":[\"value\"],\"properties\":{\"value\":{\"type\":[\"integer\",\"null\"]}}}";
static const char config[] = "{\"type\":\"object\",\"required\":[\"url\"],\"properties\":{\"url\":{\"type\":\"string\"}}}";

static const struct ft_action get = {
    .size = sizeof(get), .name = "get", .summary = "read a key", .effects = FT_EFFECT_READ, .params_schema = get_params, .result_schema = result,
    .run = { .start = get_start },
};
static const struct ft_action set = {
    .size = sizeof(set), .name = "set", .summary = "write a key", .effects = FT_EFFECT_WRITE, .params_schema = set_params, .result_schema = result,
    .run = { .start = set_start }, .plan = { .start = plan_start }, .undo = { .start = undo_start }, .probe = { .start = probe_start },
};
static const struct ft_action commit = {
    .size = sizeof(commit), .name = "commit", .summary = "write a key for a while, unless it is confirmed", .effects = FT_EFFECT_WRITE, .params_schema = commit_params,
    .result_schema = result, .run = { .start = commit_start }, .plan = { .start = plan_start }, .undo = { .start = undo_start }, .probe = { .start = probe_start },
    .confirm = { .start = confirm_start },
};
static const struct ft_action blind = {
    .size = sizeof(blind), .name = "blind", .summary = "write a key, without plan, undo or probe", .effects = FT_EFFECT_DISRUPTIVE, .params_schema = set_params,
    .result_schema = result, .run = { .start = set_start },
};

static const struct ft_action *const actions[] = { &get, &set, &commit, &blind, NULL };

FT_EXPORT const struct ft_plugin ft_plugin = {
    FT_PLUGIN_HEADER, .name = "device", .version = "1.0", .summary = "a device behind HTTP, for tests", .capabilities = "http", .config_schema = config,
    .open = device_open, .actions = actions,
};
