/* request.c: from parameters and configuration to a request. The one place where it is made: plan and run cannot differ. */
#include <string.h>
#include <strings.h>
#include "http.h"


const char *http_scalar(struct ft_call *call, const json_t *value)
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

    return host->printf(call, "%s%s%s=%s", url, glue, host->url_escape(call, name), host->url_escape(call, http_scalar(call, value)));
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
    const char *url = ft_str(params, "url") ?: "";
    const char *base = ft_str(api, "url");

    if (!api && !has_scheme(url))
        return ft_fault(reterr, FT_INVALID, "url '%s' is not absolute: begin it with http:// or https://, or name an `api`", url);
    if (api && (strstr(url, "://") || strncmp(url, "//", 2) == 0))
        return ft_fault(reterr, FT_INVALID, "url '%s' must be a path when `api: %s` is given, so that its token stays with its host",
                   url, ft_str(params, "api"));
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

/* The Authorization header is the first, so that a token that is made later finds its place. */
void http_authorise(struct ft_call *call, struct query *q, const char *type, const char *token)
{
    q->headers[0] = (struct ft_http_header){ "Authorization", host->printf(call, "%s %s", type, token) };
    q->count = q->count ? q->count : 1;
}

/* A header of this name that the step or the configuration gives stays. */
int http_default_header(struct query *q, const char *name, const char *value, struct ft_err *reterr)
{
    for (size_t i = 0; i < q->count; i++) {
        if (strcasecmp(q->headers[i].name, name) == 0)
            return 0;
    }
    if (q->count == MAX_HEADERS)
        return ft_fault(reterr, FT_INVALID, "more headers than fit into one request");
    q->headers[q->count++] = (struct ft_http_header){ name, value };
    return 0;
}

static int add_headers(struct query *q, const json_t *headers, struct ft_err *reterr)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)headers, name, value) {
        if (q->count == MAX_HEADERS)
            return ft_fault(reterr, FT_INVALID, "more headers than fit into one request");
        if (strpbrk(name, ": \r\n") || strpbrk(json_string_value(value), "\r\n"))
            return ft_fault(reterr, FT_INVALID, "header '%s' has a line break, or a name that is none", name);
        q->headers[q->count++] = (struct ft_http_header){ name, json_string_value(value) };
    }
    return 0;
}

static int pick_headers(struct ft_call *call, const json_t *api, struct query *q, struct ft_err *reterr)
{
    const char *token = ft_str(api, "token");
    int r = 0;

    if (token)
        http_authorise(call, q, ft_str(api, "token_type") ?: "Bearer", token);
    else if (ft_get(api, "oauth2"))
        http_authorise(call, q, "Bearer", "(made when it is sent)");
    r = add_headers(q, ft_get(api, "headers"), reterr);
    if (r == 0)
        r = add_headers(q, ft_get(api, "secret_headers"), reterr);
    if (r == 0)
        r = add_headers(q, ft_get(host->params(call), "headers"), reterr);
    return r;
}

bool http_is_safe(const char *method)
{
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 || strcmp(method, "OPTIONS") == 0;
}

bool http_expects(const json_t *expected, int status)
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
    unsigned flags = http_is_safe(method) ? 0 : FT_HTTP_WRITE;

    if (expected)
        flags |= FT_HTTP_ANY_STATUS;
    if (http_expects(expected, 429))
        flags |= FT_HTTP_NO_WAIT;
    if (json_is_false(json_object_get(api, "tls_verify")))
        flags |= FT_HTTP_NO_VERIFY;
    return flags;
}

const json_t *http_api(struct ft_call *call)
{
    const char *name = ft_str(host->params(call), "api");

    return name ? ft_get(ft_get(host->config(call), "apis"), name) : NULL;
}

int http_build(struct ft_call *call, struct query *q, struct ft_err *reterr)
{
    const json_t *params = host->params(call);
    const char *name = ft_str(params, "api"), *method = ft_str(params, "method") ?: "GET";
    const json_t *api = http_api(call);
    const char *socket = ft_str(api, "unix_socket");
    int r;

    if (name && !api)
        return ft_fault(reterr, FT_NOT_FOUND, "no API '%s' in the configuration: add plugins.http.apis.%s with its url", name, name);
    r = pick_url(call, api, q, reterr);
    if (r == 0)
        r = pick_headers(call, api, q, reterr);
    if (r < 0)
        return r;
    q->req = (struct ft_http_req){
        .size = sizeof(q->req), .method = method, .url = q->url, .headers = q->headers,
        .json = ft_get(params, "json"), .user = ft_str(api, "user"), .password = ft_str(api, "password"),
        .ca_file = ft_str(api, "ca_file"), .cert_file = ft_str(api, "cert_file"), .key_file = ft_str(api, "key_file"), .unix_socket = socket, .flags = flags_for(params, api, method),
        .timeout_ms = (unsigned)(json_number_value(json_object_get(params, "timeout_s")) * 1000),
        .max_bytes = (size_t)json_integer_value(ft_get(params, "max_kib")) * 1024 ?: DEFAULT_MAX_BYTES,
    };
    if (ft_get(api, "oauth2") && (ft_get(api, "token") || ft_get(api, "user")))
        return ft_fault(reterr, FT_INVALID, "plugins.http.apis.%s has oauth2, and a token or a user besides: which shall it be", name);
    return 0;
}
