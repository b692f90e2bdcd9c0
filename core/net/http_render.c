/* http_render.c: a request as people may see it: no credentials, in a plan or in an error. */
#include <ctype.h>
#include <string.h>
#include <strings.h>
#include "base/text.h"
#include "base/util.h"
#include "net/http_internal.h"

/* Names that carry credentials: Authorization, Cookie, X-Auth-Token, X-Api-Key, Private-Token and their like. */
bool ft_http_header_is_secret(const char *name)
{
    static const char *const parts[] = { "authorization", "cookie", "token", "api-key", "apikey", "secret", "password", "x-auth" };

    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (strcasestr(name, parts[i]))
            return true;
    return false;
}

/* Without user:password@; without query and fragment unless asked for. malloced */
char *ft_http_url_shown(const char *url, bool with_query)
{
    const char *host = strstr(url, "://");
    size_t scheme, authority, len;
    const char *at;

    host = host ? host + 3 : url;
    scheme = (size_t)(host - url);
    authority = strcspn(host, "/?#");
    at = memrchr(host, '@', authority);
    if (at)
        host = at + 1;
    len = strcspn(host, with_query ? "#" : "?#");
    return ft_asprintf("%.*s%.*s", (int)scheme, url, (int)len, host);
}

static json_t *render_headers(const struct ft_http_req *req)
{
    json_t *headers = json_object();

    for (const struct ft_http_header *h = req->headers; h && h->name; h++)
        if (!ft_http_header_is_secret(h->name))
            json_object_set_new(headers, h->name, json_string(h->value));
    if (req->flags & FT_HTTP_MAIL) {
        json_t *to = json_array();

        for (const char *const *m = req->mail_to; m && *m; m++)
            json_array_append_new(to, json_string(*m));
        json_object_set_new(headers, "from", json_string(req->mail_from));
        json_object_set_new(headers, "to", to);
    }
    return headers;
}

static json_t *render_body(const struct ft_http_req *req)
{
    if (req->json)
        return json_deep_copy(req->json);
    if (!req->body_len)
        return NULL;
    if (ft_utf8_valid(req->body, req->body_len))
        return json_stringn(req->body, req->body_len);
    return json_sprintf("(%zu bytes)", req->body_len);
}

const char *ft_http_method(const struct ft_http_req *req)
{
    return req->flags & FT_HTTP_MAIL ? "MAIL" : req->method ? req->method : "GET";
}

json_t *ft_http_render(const struct ft_http_req *req)
{
    json_t *shown = json_object(), *headers = render_headers(req), *body = render_body(req);
    char *url = ft_http_url_shown(req->url ? req->url : "", /* with_query= */ true);

    json_object_set_new(shown, "method", json_string(ft_http_method(req)));
    json_object_set_new(shown, "url", json_string(url));
    if (req->unix_socket)
        json_object_set_new(shown, "unix_socket", json_string(req->unix_socket));
    if (json_object_size(headers))
        json_object_set(shown, "headers", headers);
    if (body)
        json_object_set_new(shown, "body", body);
    json_decref(headers);
    free(url);
    return shown;
}

char *ft_url_escape(const char *text)
{
    char *out = ft_calloc(1, strlen(text) * 3 + 1), *to = out;

    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (isascii(*c) && (isalnum(*c) || strchr("-._~", *c)))
            *to++ = (char)*c;
        else
            to += sprintf(to, "%%%02X", *c);
    }
    return out;
}
