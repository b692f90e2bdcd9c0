/* http.c: any REST call. `get` reads; `request` does what its method says, and is a write unless the step says otherwise.
 *
 * APIs are named in the configuration with their address and credentials, so that a playbook says `api: netbox` and a
 * path, and holds no secret. With `api` only a path is taken: a token never travels to a host that it was not given for. */
#include <ctype.h>
#include <string.h>
#include <strings.h>
#include <fettle/plugin.h>

#define JSON(...) #__VA_ARGS__
#define MAX_HEADERS 32
#define DEFAULT_MAX_BYTES (1u << 20)

static const struct ft_host *host;

struct query { char *url; struct ft_http_header headers[MAX_HEADERS + 1]; struct ft_http_req req; };

struct exchange {
    struct query q;
    uint64_t sent_ms;
};

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

__attribute__((format(printf, 3, 4)))
static int bad(struct ft_err *reterr, enum ft_class class, const char *fmt, ...)
{
    char text[sizeof(reterr->text)];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    ft_err_set(reterr, -EINVAL, "%s", text);
    if (reterr)
        reterr->class = class;
    return -EINVAL;
}

/* ---- From parameters and configuration to a request ---- */

static const char *scalar_text(struct ft_call *call, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_STRING:  return json_string_value(value);
    case JSON_INTEGER: return host->printf(call, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    case JSON_REAL:    return host->printf(call, "%.17g", json_real_value(value));
    case JSON_TRUE:    return "true";
    case JSON_FALSE:   return "false";
    default:           return "";
    }
}

static char *add_query(struct ft_call *call, char *url, const char *name, const json_t *value)
{
    const char *glue = strchr(url, '?') ? "&" : "?";

    return host->printf(call, "%s%s%s=%s", url, glue, host->url_escape(call, name), host->url_escape(call, scalar_text(call, value)));
}

static char *with_query(struct ft_call *call, char *url, const json_t *query)
{
    const char *name;
    json_t *value, *item;
    size_t i;

    json_object_foreach((json_t *)query, name, value) {
        if (!json_is_array(value)) {
            url = add_query(call, url, name, value);
            continue;
        }
        json_array_foreach(value, i, item)
            url = add_query(call, url, name, item);
    }
    return url;
}

static bool has_scheme(const char *url)
{
    return strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0;
}

static int pick_url(struct ft_call *call, const json_t *api, struct query *q, struct ft_err *reterr)
{
    const json_t *params = host->params(call);
    const char *url = text_of(params, "url") ?: "";
    const char *base = text_of(api, "url");

    if (!api && !has_scheme(url))
        return bad(reterr, FT_INVALID, "url '%s' is not absolute: begin it with http:// or https://, or name an `api`", url);
    if (api && (strstr(url, "://") || strncmp(url, "//", 2) == 0))
        return bad(reterr, FT_INVALID, "url '%s' must be a path when `api: %s` is given, so that its token stays with its host",
                   url, text_of(params, "api"));
    if (!api) {
        q->url = host->printf(call, "%s", url);
    } else {
        size_t len = strlen(base);

        while (len && base[len - 1] == '/')
            len--;
        q->url = host->printf(call, "%.*s%s%s", (int)len, base, *url == '/' || !*url || *url == '?' ? "" : "/", url);
    }
    q->url = with_query(call, q->url, json_object_get(params, "query"));
    return 0;
}

static int add_headers(struct query *q, size_t *n, const json_t *headers, struct ft_err *reterr)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)headers, name, value) {
        if (*n == MAX_HEADERS)
            return bad(reterr, FT_INVALID, "more headers than fit into one request");
        if (strpbrk(name, ": \r\n") || strpbrk(json_string_value(value), "\r\n"))
            return bad(reterr, FT_INVALID, "header '%s' has a line break, or a name that is none", name);
        q->headers[(*n)++] = (struct ft_http_header){ name, json_string_value(value) };
    }
    return 0;
}

static int pick_headers(struct ft_call *call, const json_t *api, struct query *q, struct ft_err *reterr)
{
    const char *token = text_of(api, "token");
    size_t n = 0;
    int r = 0;

    if (token)
        q->headers[n++] = (struct ft_http_header){ "Authorization",
            host->printf(call, "%s %s", text_of(api, "token_type") ?: "Bearer", token) };
    r = add_headers(q, &n, json_object_get(api, "headers"), reterr);
    if (r == 0)
        r = add_headers(q, &n, json_object_get(api, "secret_headers"), reterr);
    if (r == 0)
        r = add_headers(q, &n, json_object_get(host->params(call), "headers"), reterr);
    return r;
}

static bool is_safe_method(const char *method)
{
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 || strcmp(method, "OPTIONS") == 0;
}

static bool expects(const json_t *expected, int status)
{
    const json_t *item;
    size_t i;

    if (json_is_integer(expected))
        return json_integer_value(expected) == status;
    json_array_foreach(expected, i, item) {
        if (json_integer_value(item) == status)
            return true;
    }
    return false;
}

static unsigned flags_for(const json_t *params, const json_t *api, const char *method)
{
    const json_t *expected = json_object_get(params, "expect_status");
    unsigned flags = is_safe_method(method) ? 0 : FT_HTTP_WRITE;

    if (expected)
        flags |= FT_HTTP_ANY_STATUS;
    if (expects(expected, 429))
        flags |= FT_HTTP_NO_WAIT;
    if (json_is_false(json_object_get(api, "tls_verify")))
        flags |= FT_HTTP_NO_VERIFY;
    return flags;
}

/* The one place where a request is made: plan and run cannot differ. */
static int build(struct ft_call *call, struct query *q, struct ft_err *reterr)
{
    const json_t *params = host->params(call);
    const json_t *apis = json_object_get(host->config(call), "apis");
    const char *name = text_of(params, "api"), *method = text_of(params, "method") ?: "GET";
    const json_t *api = name ? json_object_get(apis, name) : NULL;
    const json_t *body = json_object_get(params, "body");
    const char *socket = text_of(api, "unix_socket");
    int r;

    if (name && !api)
        return bad(reterr, FT_NOT_FOUND, "no API '%s' in the configuration: add plugins.http.apis.%s with its url", name, name);
    r = pick_url(call, api, q, reterr);
    if (r == 0)
        r = pick_headers(call, api, q, reterr);
    if (r < 0)
        return r;
    q->req = (struct ft_http_req){
        .size = sizeof(q->req), .method = method, .url = q->url, .headers = q->headers,
        .json = json_object_get(params, "json"), .user = text_of(api, "user"), .password = text_of(api, "password"),
        .ca_file = text_of(api, "ca_file"), .unix_socket = socket, .flags = flags_for(params, api, method),
        .timeout_ms = (unsigned)(json_number_value(json_object_get(params, "timeout_s")) * 1000),
        .max_bytes = (size_t)json_integer_value(json_object_get(params, "max_kib")) * 1024 ?: DEFAULT_MAX_BYTES,
    };
    if (body) {
        q->req.body = json_string_value(body);
        q->req.body_len = json_string_length(body);
    }
    return 0;
}

/* ---- From an answer to a result ---- */

static json_t *headers_object(const struct ft_http_res *res)
{
    json_t *object = json_object();

    for (const struct ft_http_header *h = res->headers; h && h->name; h++) {
        const json_t *had = json_object_get(object, h->name);

        json_object_set_new(object, h->name,
                            had ? json_sprintf("%s, %s", json_string_value(had), h->value) : json_string(h->value));
    }
    return object;
}

static bool says_json(const json_t *headers)
{
    const char *type = text_of(headers, "content-type");

    return type && (strcasestr(type, "/json") || strcasestr(type, "+json"));
}

static enum ft_class class_of_status(int status)
{
    switch (status) {
    case 400: case 422: return FT_INVALID;
    case 401: case 403: return FT_DENIED;
    case 404: case 410: return FT_NOT_FOUND;
    case 409: case 412: case 423: return FT_CONFLICT;
    default: return FT_REFUSED;
    }
}

static void answered(struct ft_call *call, const struct ft_http_res *res, void *arg)
{
    const struct exchange *st = host->state(call);
    const json_t *expected = json_object_get(host->params(call), "expect_status");
    json_t *headers, *body, *json = NULL;
    json_error_t why;

    (void)arg;
    if (res->error) {
        host->fail(call, res->class, "%s", res->error);
        return;
    }
    if (expected && !expects(expected, res->status)) {
        host->fail(call, class_of_status(res->status), "%s %s answered status %d, which the step does not expect (`expect_status`)",
                   st->q.req.method, st->q.url, res->status);
        return;
    }
    headers = headers_object(res);
    if (says_json(headers) && res->body_len) {
        json = json_loadb(res->body, res->body_len, JSON_DECODE_ANY, &why);
        if (!json) {
            host->fail(call, FT_INVALID, "%s %s says that its answer is JSON, and it is not: %s (line %d)",
                       st->q.req.method, st->q.url, why.text, why.line);
            json_decref(headers);
            return;
        }
    }
    body = json_stringn(res->body ? res->body : "", res->body_len);      /* NULL when it is not UTF-8 */
    host->done(call, json_pack("{s:i, s:I, s:o, s:o, s:o, s:I}", "status", res->status,
                               "ms", (json_int_t)(host->wall_ms(call) - st->sent_ms), "headers", headers,
                               "json", json ? json : json_null(), "body", body ? body : json_null(),
                               "bytes", (json_int_t)res->body_len));
}

static int request_start(struct ft_call *call, struct ft_err *reterr)
{
    struct exchange *st = host->state(call);
    int r = build(call, &st->q, reterr);

    st->sent_ms = host->wall_ms(call);
    return r < 0 ? r : host->http(call, &st->q.req, answered, NULL, reterr);
}

static int request_plan(struct ft_call *call, struct ft_err *reterr)
{
    struct exchange *st = host->state(call);
    int r = build(call, &st->q, reterr);
    json_t *plan;

    if (r < 0)
        return r;
    plan = json_pack("{s:o, s:[o]}", "summary", json_sprintf("%s %s", st->q.req.method, st->q.url),
                     "requests", host->http_render(call, &st->q.req));
    host->done(call, plan);
    return 0;
}

/* ---- Description ---- */

#define COMMON_PARAMS \
    JSON("api": {"type": "string", "description": "name of an API in the configuration (plugins.http.apis): its address and credentials are used"}, \
         "url": {"type": "string", "description": "absolute URL; with `api` a path below the API's url, or nothing"}, \
         "headers": {"type": "object", "additionalProperties": {"type": "string"}, "description": "further request headers by name"}, \
         "query": {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean", "array"]}, \
                   "description": "query parameters, percent-encoded here; a list repeats the name"}, \
         "expect_status": {"type": ["integer", "array"], "items": {"type": "integer"}, \
                           "description": "HTTP status or statuses that are success; 200 to 299 when left out"}, \
         "timeout_s": {"type": "number", "exclusiveMinimum": 0, "maximum": 3600, "description": "seconds to wait for the answer; the step's timeout when left out"}, \
         "max_kib": {"type": "integer", "minimum": 1, "maximum": 8192, "description": "largest answer accepted, in KiB (1024)"})

static const char get_params[] =
    "{\"type\": \"object\", \"additionalProperties\": false, \"anyOf\": [{\"required\": [\"url\"]}, {\"required\": [\"api\"]}], \"properties\": {" COMMON_PARAMS "}}";

static const char request_params[] =
    "{\"type\": \"object\", \"additionalProperties\": false, \"anyOf\": [{\"required\": [\"url\"]}, {\"required\": [\"api\"]}], \"not\": {\"required\": [\"json\", \"body\"]},"
    " \"properties\": {" COMMON_PARAMS ", "
    JSON("method": {"enum": ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"], "default": "POST", "description": "HTTP method"},
         "json": {"description": "request body, sent as JSON; not together with body"},
         "body": {"type": "string", "description": "request body as it is; give its Content-Type in headers"}) "}}";

static const char result_schema[] = JSON({"type": "object", "required": ["status", "headers", "json", "body"], "properties": {
    "status": {"type": "integer", "description": "HTTP status"},
    "ms": {"type": "integer", "description": "milliseconds until the answer was there"},
    "headers": {"type": "object", "additionalProperties": {"type": "string"}, "description": "answer headers, names in lower case"},
    "json": {"description": "the body where it is JSON by its Content-Type, else null"},
    "body": {"type": ["string", "null"], "description": "the body as text; null when it is not UTF-8"},
    "bytes": {"type": "integer", "description": "length of the body in bytes"}}});

static const char config_schema[] = JSON({"type": "object", "additionalProperties": false, "properties": {
    "apis": {"type": "object", "description": "APIs that playbooks may name, by name", "additionalProperties": {
        "type": "object", "additionalProperties": false, "required": ["url"], "properties": {
            "url": {"type": "string", "pattern": "^https?://", "description": "where its paths begin"},
            "token": {"type": "string", "x-secret": true, "description": "sent as Authorization: Bearer …"},
            "token_type": {"type": "string", "default": "Bearer", "description": "the word before the token (Token, Bearer)"},
            "user": {"type": "string", "description": "user of HTTP Basic"},
            "password": {"type": "string", "x-secret": true, "description": "password of HTTP Basic"},
            "headers": {"type": "object", "additionalProperties": {"type": "string"}, "description": "headers of every request"},
            "secret_headers": {"type": "object", "additionalProperties": {"type": "string", "x-secret": true},
                               "description": "headers of every request whose values are secrets (X-Api-Key)"},
            "ca_file": {"type": "string", "description": "PEM file of the authority that signed the server's certificate"},
            "unix_socket": {"type": "string", "description": "path of a socket to connect to instead of the url's host"},
            "tls_verify": {"type": "boolean", "default": true, "description": "false: any certificate is taken; only for a lab"}}}}}});

static const struct ft_action get_action = {
    .size = sizeof(get_action), .name = "get", .summary = "read a URL",
    .effects = FT_EFFECT_READ, .params_schema = get_params, .result_schema = result_schema,
    .state_size = sizeof(struct exchange), .run = { .start = request_start },
    .about = "A status outside 200 to 299 fails the step (401 and 403 as `denied`, 404 as `not_found`), unless `expect_status` lists it.",
    .example = "run: http.get\nwith: {api: netbox, url: /api/dcim/devices/, query: {name: \"${device}\"}}\n",
};

static const struct ft_action request_action = {
    .size = sizeof(request_action), .name = "request", .summary = "make any HTTP request",
    .effects = FT_EFFECT_UNKNOWN, .params_schema = request_params, .result_schema = result_schema,
    .state_size = sizeof(struct exchange), .run = { .start = request_start }, .plan = { .start = request_plan },
    .about = "Counts as a write unless the step says `effect: read`. What a request did is not known here, so there is no undo of its own: "
             "give the step an `undo` with the request that takes it back, or `undo: none`. "
             "When the answer to a write is lost the step ends as `ambiguous` and is not sent again.",
    .example = "run: http.request\nwith: {api: netbox, method: PATCH, url: \"/api/dcim/devices/${id}/\", json: {status: offline}}\nundo: none\n",
};

static int http_open(const struct ft_host *the_host, const json_t *config, void **ret_instance, struct ft_err *reterr)
{
    (void)config;
    (void)ret_instance;
    (void)reterr;
    host = the_host;
    return 0;
}

static const struct ft_action *const actions[] = { &get_action, &request_action, NULL };

FT_EXPORT const struct ft_plugin ft_plugin = {
    FT_PLUGIN_HEADER, .name = "http", .version = FETTLE_VERSION, .summary = "any REST call",
    .capabilities = "http", .config_schema = config_schema, .open = http_open, .actions = actions,
};
