/* answer.c: from an answer to a result: its status, its JSON, its pages, its file. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "http.h"

/* ---- Ends ---- */

void http_drop(struct ft_call *call)
{
    struct exchange *st = host->state(call);

    free(st->body);
    json_decref(st->items);
    json_decref(st->result);
    st->body = NULL;
    st->items = st->result = NULL;
}

void http_fail(struct ft_call *call, enum ft_class class, const char *fmt, ...)
{
    char text[1500];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    http_drop(call);
    host->fail(call, class, "%s", text);
}

static void finish(struct ft_call *call, json_t *result)
{
    http_drop(call);
    host->done(call, result);
}

/* ---- A file ---- */

static void saved(struct ft_call *call, const struct ft_file_res *res)
{
    struct exchange *st = host->state(call);
    json_t *result = st->result;

    if (res->error) {
        http_fail(call, res->class, "the answer came and could not be kept: %s", res->error);
        return;
    }
    st->result = NULL;
    json_object_set_new(result, "file", json_pack("{s:s, s:I, s:s}", "path", res->path, "bytes", (json_int_t)res->len, "sha256", res->sha256));
    finish(call, result);
}

static void save(struct ft_call *call, const struct ft_http_res *res, const char *path)
{
    struct ft_err err = { 0 };

    if (host->file_write(call, path, res->body ? res->body : "", res->body_len, saved, &err) < 0)
        http_fail(call, err.class ? err.class : FT_INVALID, "%s", err.text);
}

/* ---- The answer ---- */

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
    const char *type = ft_str(headers, "content-type");

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

/* The body as JSON where it says so; *ret NULL: it does not. False: it says so and is not. */
static bool parse(struct ft_call *call, const struct ft_http_res *res, const json_t *headers, json_t **ret)
{
    const struct exchange *st = host->state(call);
    json_error_t why;

    *ret = NULL;
    if (!says_json(headers) || !res->body_len)
        return true;
    *ret = json_loadb(res->body, res->body_len, JSON_DECODE_ANY, &why);
    if (!*ret)
        http_fail(call, FT_INVALID, "%s %s says that its answer is JSON, and it is not: %s (line %d)", st->q.req.method, st->q.url, why.text, why.line);
    return *ret != NULL;
}

static json_t *result_json(struct ft_call *call, const struct ft_http_res *res, json_t *headers, json_t *json, bool with_body)
{
    const struct exchange *st = host->state(call);
    json_t *body = with_body ? json_stringn(res->body ? res->body : "", res->body_len) : NULL;      /* NULL when it is not UTF-8 */

    return json_pack("{s:i, s:I, s:O, s:o, s:o, s:I, s:n}", "status", res->status, "ms", (json_int_t)(host->wall_ms(call) - st->sent_ms), "headers", headers,
                     "json", json ? json_incref(json) : json_null(), "body", body ? body : json_null(), "bytes", (json_int_t)res->body_len, "file");
}

static void page_came(struct ft_call *call, const struct ft_http_res *res, json_t *headers, json_t *json)
{
    struct exchange *st = host->state(call);
    struct ft_err err = { 0 };
    json_t *result;
    const char *before = st->q.url;
    int r = http_page(call, json, headers, &err);

    if (r < 0) {
        http_fail(call, FT_INVALID, "%s", err.text);
    } else if (r == 1 && strcmp(before, st->q.url) == 0) {
        http_fail(call, FT_INVALID, "%s %s names itself as its next page", st->q.req.method, st->q.url);
    } else if (r == 1) {
        host->progress(call, "page %u: %zu items so far", st->pages, json_array_size(st->items));
        http_send(call);
    } else {
        result = result_json(call, res, headers, st->items, false);
        json_object_set_new(result, "pages", json_integer(st->pages));
        json_object_set_new(result, "more", json_boolean(st->more));
        finish(call, result);
    }
}

static void succeeded(struct ft_call *call, const struct ft_http_res *res)
{
    struct exchange *st = host->state(call);
    const json_t *params = host->params(call);
    json_t *headers = headers_object(res), *json;

    if (ft_str(params, "save")) {
        st->result = result_json(call, res, headers, NULL, false);
        save(call, res, ft_str(params, "save"));
    } else if (parse(call, res, headers, &json)) {
        if (st->items)
            page_came(call, res, headers, json);
        else
            finish(call, result_json(call, res, headers, json, true));
        json_decref(json);
    }
    json_decref(headers);
}

void http_answered(struct ft_call *call, const struct ft_http_res *res, void *arg)
{
    const struct exchange *st = host->state(call);
    const json_t *expected = ft_get(host->params(call), "expect_status");

    (void)arg;
    if (expected && http_expects(expected, res->status))
        succeeded(call, res);
    else if (http_new_token(call, res))
        return;
    else if (res->error)
        http_fail(call, res->class, "%s", res->error);
    else if (expected)
        http_fail(call, class_of_status(res->status), "%s %s answered status %d, which the step does not expect (`expect_status`)", st->q.req.method, st->q.url, res->status);
    else
        succeeded(call, res);
}
