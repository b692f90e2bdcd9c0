/* web.c: does a web server answer as it should? */
#include <string.h>
#include "net.h"

enum { MAX_HEADERS = 20 };

struct web { uint64_t began_ms; struct ft_http_header headers[MAX_HEADERS + 1]; struct ft_http_req req; };

static bool is_wanted(const json_t *params, int status)
{
    const json_t *wanted = json_object_get(params, "expect_status");

    const json_t *item;
    size_t i;

    json_array_foreach(wanted, i, item) {
        if (json_integer_value(item) == status)
            return true;
    }
    return json_is_integer(wanted) ? json_integer_value(wanted) == status : !wanted && status >= 200 && status < 400;
}

static int take_headers(struct web *st, const json_t *headers, struct ft_err *reterr)
{
    const char *name;
    json_t *value;
    size_t n = 0;

    json_object_foreach((json_t *)headers, name, value) {
        if (n == MAX_HEADERS || strpbrk(name, ": \r\n") || strpbrk(json_string_value(value), "\r\n"))
            return ft_fault(reterr, FT_INVALID, "header '%.80s' is one too many, or has a line break in it", name);
        st->headers[n++] = (struct ft_http_header){ name, json_string_value(value) };
    }
    return 0;
}

static const char *complaint(struct ft_call *call, const struct ft_http_res *res)
{
    const json_t *params = host->params(call);
    const char *part = json_string_value(json_object_get(params, "contains"));

    if (res->error && !res->status)
        return res->error;
    if (!is_wanted(params, res->status))
        return host->printf(call, "it answered status %d", res->status);
    if (part && !memmem(res->body ? res->body : "", res->body_len, part, strlen(part)))
        return host->printf(call, "its answer does not contain '%.100s'", part);
    return NULL;
}

static void web_answered(struct ft_call *call, const struct ft_http_res *res, void *arg)
{
    const struct web *st = host->state(call);
    const char *error = complaint(call, res);

    (void)arg;
    host->done(call, json_pack("{s:b, s:o, s:I, s:I, s:s?}", "ok", error == NULL, "status", res->status ? json_integer(res->status) : json_null(),
                               "ms", (json_int_t)(host->wall_ms(call) - st->began_ms), "bytes", (json_int_t)res->body_len, "error", error));
}

static int web_start(struct ft_call *call, struct ft_err *reterr)
{
    struct web *st = host->state(call);

    if (take_headers(st, ft_get(host->params(call), "headers"), reterr) < 0)
        return -EINVAL;
    st->began_ms = host->wall_ms(call);
    st->req = (struct ft_http_req){
        .size = sizeof(st->req), .url = net_param(call, "url"), .headers = st->headers, .ca_file = net_param(call, "ca_file"),
        .flags = FT_HTTP_ANY_STATUS | FT_HTTP_NO_WAIT | (json_is_false(json_object_get(host->params(call), "tls_verify")) ? FT_HTTP_NO_VERIFY : 0),
        .timeout_ms = (unsigned)net_timeout_ms(call), .connect_timeout_ms = (unsigned)net_timeout_ms(call),
    };
    return host->http(call, &st->req, web_answered, NULL, reterr);
}

static const char params_schema[] = OBJECT("[\"url\"]",
    JSON("url": {"type": "string", "pattern": "^https?://", "description": "absolute URL"},
         "expect_status": {"type": ["integer", "array"], "items": {"type": "integer"}, "description": "the status or statuses that are right; 200 to 399 when left out"},
         "headers": {"type": "object", "additionalProperties": {"type": "string"}, "description": "request headers: {Host: intranet.example} to ask one server of many"},
         "contains": {"type": "string", "minLength": 1, "description": "text that the answer must contain"},
         "ca_file": {"type": "string", "description": "PEM file of the authority that signed the server's certificate"},
         "tls_verify": {"type": "boolean", "default": true, "description": "false: any certificate is taken"}) ", " TIMEOUT_PARAM);
static const char result_schema[] = JSON({"type": "object", "properties": {
    "ok": {"type": "boolean", "description": "it answered as it should"},
    "status": {"type": ["integer", "null"], "description": "HTTP status; null when no answer came"},
    "ms": {"type": "integer", "description": "milliseconds until the answer was there"},
    "bytes": {"type": "integer", "description": "length of the answer's body in bytes"},
    "error": {"type": ["string", "null"], "description": "what is wrong"}}});

const struct ft_action net_http_check = {
    .size = sizeof(net_http_check), .name = "http_check", .summary = "does a web server answer", .effects = FT_EFFECT_READ, .params_schema = params_schema,
    .result_schema = result_schema, .state_size = sizeof(struct web), .run = { .start = web_start }, .timeout_ms = 70000,
    .about = "One GET, without credentials. No answer, a wrong status and a wrong body are the result `ok: false`.",
    .example = "run: net.http_check\nwith: {url: \"https://intranet.example/\", contains: Welcome}\n",
};
