/* http.c: any REST call. `get` reads; `request` does what its method says, and is a write unless the step says otherwise.
 *
 * APIs are named in the configuration with their address and credentials, so that a playbook says `api: netbox` and a
 * path, and holds no secret. With `api` only a path is taken: a token never travels to a host that it was not given for. */
#include <stdlib.h>
#include <string.h>
#include "http.h"

const struct ft_host *host;

static int begin(struct ft_call *call, void (*ready)(struct ft_call *call), struct ft_err *reterr)
{
    struct exchange *st = host->state(call);
    int r = http_build(call, &st->q, reterr);

    st->ready = ready;
    st->sent_ms = host->wall_ms(call);
    if (r == 0 && ft_get(host->params(call), "pages") && ft_get(host->params(call), "save"))
        r = ft_fault(reterr, FT_INVALID, "pages are put together into a list, and cannot be saved as a file: say pages or save");
    if (r == 0 && ft_get(host->params(call), "pages"))
        st->items = json_array();
    if (r == 0)
        r = http_body(call, reterr);
    if (r < 0)
        http_drop(call);
    return r;
}

static int request_start(struct ft_call *call, struct ft_err *reterr)
{
    return begin(call, http_send, reterr);
}

static void show(struct ft_call *call)
{
    const struct exchange *st = host->state(call);
    json_t *request = host->http_render(call, &st->q.req);

    if (st->file_note)
        json_object_set_new(request, "body", json_sprintf("(%s%s)", st->boundary ? "parts, with " : "", st->file_note));
    http_drop(call);
    host->done(call, json_pack("{s:o, s:[o]}", "summary", json_sprintf("%s %s", st->q.req.method, st->q.url), "requests", request));
}

static int request_plan(struct ft_call *call, struct ft_err *reterr)
{
    return begin(call, show, reterr);
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
         "max_kib": {"type": "integer", "minimum": 1, "maximum": 65536, "description": "largest answer accepted, in KiB (1024)"}, \
         "save": {"type": "string", "minLength": 1, "maxLength": 500, \
                  "description": "keep the body in this file, below fettle's folder of files or absolute, instead of giving it; another content under that name is a conflict"})

static const char get_params[] =
    "{\"type\": \"object\", \"additionalProperties\": false, \"anyOf\": [{\"required\": [\"url\"]}, {\"required\": [\"api\"]}], \"properties\": {" COMMON_PARAMS ", "
    JSON("pages": {"type": "object", "additionalProperties": false, "description": "follow a list from page to page, and give all items in `json`", "properties": {
        "items": {"type": "string", "description": "member of the answer that holds the list (results); the answer itself when left out"},
        "next": {"type": "string", "description": "member that holds the next page's address (next); the Link header when left out"},
        "max": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 20, "description": "most pages to read"}}}) "}}";

static const char request_params[] =
    "{\"type\": \"object\", \"additionalProperties\": false, \"anyOf\": [{\"required\": [\"url\"]}, {\"required\": [\"api\"]}],"
    " \"properties\": {" COMMON_PARAMS ", "
    JSON("method": {"enum": ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"], "default": "POST", "description": "HTTP method"},
         "json": {"description": "request body, sent as JSON. A request has one body: json, body, form, body_file or multipart"},
         "body": {"type": "string", "description": "request body as it is; give its Content-Type in headers"},
         "form": {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean", "array"]}, "description": "request body as a web form sends it"},
         "body_file": {"type": "string", "minLength": 1, "description": "request body from a file below fettle's folder of files"},
         "multipart": {"type": "array", "minItems": 1, "maxItems": 20, "description": "request body of parts (multipart/form-data)", "items": {
             "type": "object", "additionalProperties": false, "required": ["name"], "oneOf": [{"required": ["content"]}, {"required": ["file"]}], "properties": {
                 "name": {"type": "string", "minLength": 1, "description": "field"}, "content": {"type": "string", "description": "its text"},
                 "file": {"type": "string", "minLength": 1, "description": "its content, from a file below fettle's folder of files"},
                 "filename": {"type": "string", "description": "name to give; that of the file when left out"},
                 "type": {"type": "string", "description": "Content-Type; application/octet-stream for files when left out"}}}}) "}}";

static const char result_schema[] = JSON({"type": "object", "required": ["status", "headers", "json", "body"], "properties": {
    "status": {"type": "integer", "description": "HTTP status"},
    "ms": {"type": "integer", "description": "milliseconds until the answer was there"},
    "headers": {"type": "object", "additionalProperties": {"type": "string"}, "description": "answer headers, names in lower case"},
    "json": {"description": "the body where it is JSON by its Content-Type, else null"},
    "body": {"type": ["string", "null"], "description": "the body as text; null when it is not UTF-8, was saved, or came in pages"},
    "bytes": {"type": "integer", "description": "length of the body in bytes"},
    "pages": {"type": "integer", "description": "with `pages`: how many were read"}, "more": {"type": "boolean", "description": "with `pages`: there are more than max"},
    "file": {"type": ["object", "null"], "description": "with `save`", "properties": {
        "path": {"type": "string", "description": "where it is, absolute"}, "bytes": {"type": "integer", "description": "its length"},
        "sha256": {"type": "string", "description": "of its content, lower-case hex"}}}}});

static const char config_schema[] = JSON({"type": "object", "additionalProperties": false, "properties": {
    "apis": {"type": "object", "description": "APIs that playbooks may name, by name", "additionalProperties": {
        "type": "object", "additionalProperties": false, "required": ["url"], "properties": {
            "url": {"type": "string", "pattern": "^https?://", "description": "where its paths begin"},
            "token": {"type": "string", "x-secret": true, "description": "sent as Authorization: Bearer …"},
            "token_type": {"type": "string", "default": "Bearer", "description": "the word before the token (Token, Bearer)"},
            "user": {"type": "string", "description": "user of HTTP Basic"},
            "password": {"type": "string", "x-secret": true, "description": "password of HTTP Basic"},
            "oauth2": {"type": "object", "additionalProperties": false, "required": ["token_url", "client_id", "client_secret"], "description": "a token by client credentials; kept until it ends",
                       "properties": {
                "token_url": {"type": "string", "pattern": "^https?://", "description": "where tokens are given"},
                "client_id": {"type": "string", "minLength": 1, "description": "who asks"}, "client_secret": {"type": "string", "x-secret": true, "description": "and the proof"},
                "scope": {"type": "string", "description": "what for, separated by spaces"}, "audience": {"type": "string", "description": "for whom, where the server wants it"},
                "send_as": {"enum": ["basic", "body"], "default": "basic", "description": "how id and secret are sent: HTTP Basic, or in the form"}}},
            "cert_file": {"type": "string", "description": "PEM file of our own certificate, where the server asks for one"},
            "key_file": {"type": "string", "description": "PEM file of its private key"},
            "headers": {"type": "object", "additionalProperties": {"type": "string"}, "description": "headers of every request"},
            "secret_headers": {"type": "object", "additionalProperties": {"type": "string", "x-secret": true},
                               "description": "headers of every request whose values are secrets (X-Api-Key)"},
            "ca_file": {"type": "string", "description": "PEM file of the authority that signed the server's certificate"},
            "unix_socket": {"type": "string", "description": "path of a socket to connect to instead of the url's host"},
            "tls_verify": {"type": "boolean", "default": true, "description": "false: any certificate is taken; only for a lab"}}}}}});

static const struct ft_action get_action = {
    .size = sizeof(get_action), .name = "get", .summary = "read a URL",
    .effects = FT_EFFECT_READ, .params_schema = get_params, .result_schema = result_schema,
    .state_size = sizeof(struct exchange), .run = { .start = request_start, .cancel = http_drop },
    .about = "A status outside 200 to 299 fails the step (401 and 403 as `denied`, 404 as `not_found`), unless `expect_status` lists it.",
    .example = "run: http.get\nwith: {api: netbox, url: /api/dcim/devices/, query: {name: \"${device}\"}}\n",
};

static const struct ft_action request_action = {
    .size = sizeof(request_action), .name = "request", .summary = "make any HTTP request",
    .effects = FT_EFFECT_UNKNOWN, .params_schema = request_params, .result_schema = result_schema,
    .state_size = sizeof(struct exchange), .run = { .start = request_start, .cancel = http_drop }, .plan = { .start = request_plan, .cancel = http_drop },
    .about = "Counts as a write unless the step says `effect: read`. What a request did is not known here, so there is no undo of its own: "
             "give the step an `undo` with the request that takes it back, or `undo: none`. "
             "When the answer to a write is lost the step ends as `ambiguous` and is not sent again.",
    .example = "run: http.request\nwith: {api: netbox, method: PATCH, url: \"/api/dcim/devices/${id}/\", json: {status: offline}}\nundo: none\n",
};

static int http_open(const struct ft_host *the_host, const json_t *config, void **ret_instance, struct ft_err *reterr)
{
    struct http_instance *instance = calloc(1, sizeof(*instance));

    (void)config;
    if (!instance || !(instance->tokens = json_object())) {
        free(instance);
        return ft_err_set(reterr, -ENOMEM, "out of memory");
    }
    host = the_host;
    *ret_instance = instance;
    return 0;
}

static void http_close(void *arg)
{
    struct http_instance *instance = arg;

    if (instance)
        json_decref(instance->tokens);
    free(instance);
}

static const struct ft_action *const actions[] = { &get_action, &request_action, NULL };

FT_EXPORT const struct ft_plugin ft_plugin = {
    FT_PLUGIN_HEADER, .name = "http", .version = FETTLE_VERSION, .summary = "any REST call",
    .capabilities = "http file", .config_schema = config_schema, .open = http_open, .close = http_close, .actions = actions,
};
