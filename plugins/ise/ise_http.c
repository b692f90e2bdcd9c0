/* ise_http.c: requests to MnT and ERS: credentials, CSRF tokens, paging, and errors in words. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <fettle/kit.h>
#include "ise.h"

#define PAGE_ITEMS 100        /* the most that ERS gives */
#define MAX_PAGES 50
#define MAX_BYTES (32u << 20) /* the list of active sessions of a large deployment comes in one piece */
#define MAX_AGAIN 2u
#define AGAIN_MS 2000u

struct ft_http_req ise_request(struct ft_call *call, enum ise_api api, const char *method, const char *url, const json_t *body, unsigned flags)
{
    struct ise_call *st = ise_state(call);
    struct ise *ise = ise_of(call);
    struct ft_http_header *headers = host->alloc(call, 4 * sizeof(*headers));
    size_t n = 0;

    /* ERS answers 415 to a request without Accept */
    headers[n++] = (struct ft_http_header){ "Accept", api == ISE_MNT ? "application/xml" : "application/json" };
    if (st->ask.token)
        headers[n++] = (struct ft_http_header){ "X-CSRF-Token", st->ask.token };
    if (st->ask.cookie)
        headers[n++] = (struct ft_http_header){ "Cookie", st->ask.cookie };
    headers[n] = (struct ft_http_header){ NULL, NULL };
    return (struct ft_http_req){
        .size = sizeof(struct ft_http_req), .method = method, .url = url, .headers = headers, .json = body,
        .user = ise->user, .password = ise->password, .ca_file = ise->ca_file,
        .max_bytes = MAX_BYTES,
        .flags = flags | (api == ISE_MNT ? 0 : FT_HTTP_JSON) | (ise->no_verify ? FT_HTTP_NO_VERIFY : 0),
    };
}

const char *ise_url(struct ft_call *call, enum ise_api api, const char *fmt, ...)
{
    char *path = NULL;
    const char *url;
    va_list ap;

    va_start(ap, fmt);
    if (vasprintf(&path, fmt, ap) < 0)
        abort();
    va_end(ap);
    url = host->printf(call, "%s%s", api == ISE_MNT ? ise_of(call)->mnt : api == ISE_ERS ? ise_of(call)->ers : ise_of(call)->open, path);
    free(path);
    return url;
}

const char *ise_escape(struct ft_call *call, const char *text)
{
    return host->url_escape(call, text ? text : "");
}

/* ---- errors */

static bool is_page(const struct ft_http_res *res)
{
    const char *body = res->body ? res->body + strspn(res->body, " \t\r\n") : "";

    return strncasecmp(body, "<!doctype html", 14) == 0 || strncasecmp(body, "<html", 5) == 0;
}

/* MnT's <mnt-rest-result>, or NULL. */
static json_t *mnt_result(struct ft_call *call, const struct ft_http_res *res)
{
    json_t *xml = NULL;

    if (!res->body_len || is_page(res) || ise_xml(res->body, res->body_len, &xml, NULL) < 0)
        return NULL;
    return json_object_get(ise_hold(call, xml), "mnt-rest-result");
}

static const char *said(struct ft_call *call, const struct ft_http_res *res)
{
    const json_t *response = json_object_get(res->json, "ERSResponse"), *mnt;
    const char *title = ise_str(json_array_get(json_object_get(response, "messages"), 0), "title");

    if (!title)                       /* the OpenAPI: {"message"} or {"response": {"message"}} */
        title = ise_str(res->json, "message") ? ise_str(res->json, "message") : ise_str(json_object_get(res->json, "response"), "message");
    if (title)
        return host->printf(call, " (ISE says: %.300s)", title);
    mnt = ise_state(call)->ask.api == ISE_MNT ? mnt_result(call, res) : NULL;
    title = ise_str(mnt, "internal-error-info") ? ise_str(mnt, "internal-error-info") : ise_str(mnt, "description");
    return title ? host->printf(call, " (ISE says: %.300s)", title) : "";
}

static const char *hint(struct ft_call *call, const struct ft_http_res *res)
{
    bool ers = ise_state(call)->ask.api == ISE_ERS, open = ise_state(call)->ask.api == ISE_OPEN;

    if (open && res->status != 401 && (is_page(res) || res->class == FT_UNREACHABLE || res->class == FT_TIMEOUT || res->status == 403))
        return "; the OpenAPI is off on a new ISE: switch it on (Administration, System, Settings, API Settings, API Service Settings), is plugins.ise.api_url the administration node's, "
               "and does the user have the role ERS Admin or Super Admin?";
    if (res->status == 405 && ft_same(ise_state(call)->ask.method, "PATCH"))
        return "; ISE knows PATCH from release 3.2 on";
    if (res->status == 401)
        return "; check plugins.ise.user and plugins.ise.password";
    if (res->status == 403)
        return ers ? "; the user needs the role ERS Admin (ERS Operator reads only), and plugins.ise.csrf: true where ISE has the CSRF check on"
                   : "; the user needs the role MnT Admin or Super Admin";
    if (is_page(res))
        return ers ? "; it sent a web page: is ERS switched on (Administration, System, Settings, API Settings), and is plugins.ise.ers_url right?"
                   : "; it sent a web page instead of XML: check plugins.ise.url, user and password, and that the node is a monitoring node";
    if (ers && (res->class == FT_UNREACHABLE || res->class == FT_TIMEOUT))
        return "; ERS is off on a new ISE: switch it on (Administration, System, Settings, API Settings); older releases answer on port 9060 (plugins.ise.ers_url)";
    return "";
}

static void answer_failed(struct ft_call *call, const struct ft_http_res *res, enum ft_class class, const char *what)
{
    ise_fail(call, class, "%s%s%s", what, said(call, res), hint(call, res));
}

/* MnT answers 404 or 500 when it knows no such session, in an <mnt-rest-result> or with nothing; a gateway's 5xx is something else, and so is a node that
 * does no monitoring. */
static bool is_absent(struct ft_call *call, const struct ft_http_res *res)
{
    const json_t *mnt;
    const char *info;

    if (ise_state(call)->ask.api != ISE_MNT)
        return res->status == 404 && !is_page(res);
    if (res->status != 404 && res->status != 500)
        return false;
    if (!res->body_len)
        return true;
    mnt = mnt_result(call, res);
    info = ise_str(mnt, "internal-error-info");
    return mnt && !(info && strcasestr(info, "MnT node"));
}

static void xml_answered(struct ft_call *call, const struct ft_http_res *res)
{
    struct ise_call *st = ise_state(call);
    enum ft_class class = st->ask.flags & FT_HTTP_WRITE ? FT_AMBIGUOUS : FT_INVALID;     /* a CoA may have been sent */
    struct ft_err err = { 0 };
    json_t *xml = NULL;

    if (!res->body_len && st->ask.absent_ok)
        st->ask.then(call, NULL);
    else if (is_page(res))
        answer_failed(call, res, class, host->printf(call, "%s %s did not answer in XML", st->ask.method, st->ask.url));
    else if (ise_xml(res->body ? res->body : "", res->body_len, &xml, &err) < 0)
        ise_fail(call, class, "%s %s: the answer cannot be read: %s", st->ask.method, st->ask.url, err.text);
    else
        st->ask.then(call, ise_hold(call, xml));
}

static void ask_again(struct ft_call *call);

/* A gateway or a node that starts: a read is worth another try, a write never is. */
static bool is_passing(struct ft_call *call, const struct ft_http_res *res)
{
    const struct ise_call *st = ise_state(call);

    return (res->status == 502 || res->status == 503 || res->status == 504) && !(st->ask.flags & FT_HTTP_WRITE) && st->ask.again < MAX_AGAIN
        && host->remaining_ms(call) > 3 * (AGAIN_MS << st->ask.again);
}

static void answered(struct ft_call *call, const struct ft_http_res *res, void *arg)
{
    struct ise_call *st = ise_state(call);
    enum ft_class class = res->class ? res->class : FT_INVALID;
    (void)arg;

    if (is_passing(call, res) && host->timer(call, AGAIN_MS << st->ask.again, ask_again)) {
        st->ask.again++;
    } else if (st->ask.absent_ok && is_absent(call, res)) {
        st->ask.then(call, NULL);
    } else if (res->error) {
        /* accepted in words nobody understands: it may have happened, or not */
        if ((st->ask.flags & FT_HTTP_WRITE) && res->status >= 200 && res->status < 300)
            class = FT_AMBIGUOUS;
        answer_failed(call, res, class, res->error);
    } else if (st->ask.api == ISE_MNT) {
        xml_answered(call, res);
    } else if (st->ask.flags & FT_HTTP_WRITE) {
        st->ask.then(call, ise_hold(call, json_incref(res->json)));
    } else if (json_is_object(res->json)) {
        st->ask.then(call, ise_hold(call, json_incref(res->json)));
    } else {
        ise_fail(call, FT_INVALID, "%s %s: the answer is not the object that ERS promises", st->ask.method, st->ask.url);
    }
}

/* ---- sending */

static void http_failed(struct ft_call *call, const struct ft_err *err)
{
    ise_fail(call, err->class ? err->class : FT_INVALID, "%s", err->text);
}

static void budget_is_there(struct ft_call *call)
{
    struct ise_call *st = ise_state(call);
    struct ft_http_req req = ise_request(call, st->ask.api, st->ask.method, st->ask.url, st->ask.body, st->ask.flags);
    struct ft_err err = { 0 };

    if (host->http(call, &req, answered, NULL, &err) < 0)
        http_failed(call, &err);
}

static void ask(struct ft_call *call, ise_next *go)
{
    struct ise *ise = ise_of(call);
    struct ft_err err = { 0 };

    if (host->budget(call, ise->budget, ise->per_hour, go, &err) < 0)
        http_failed(call, &err);
}

static void ask_again(struct ft_call *call)
{
    ask(call, budget_is_there);
}

void ise_get(struct ft_call *call, enum ise_api api, bool absent_ok, const char *url, ise_then *then)
{
    struct ise_call *st = ise_state(call);

    st->ask.method = "GET";
    st->ask.url = url;
    st->ask.api = api;
    st->ask.body = NULL;
    st->ask.flags = 0;
    st->ask.absent_ok = absent_ok;
    st->ask.again = 0;
    st->ask.then = then;
    ask(call, budget_is_there);
}

/* ---- CSRF: a GET with X-CSRF-Token: fetch brings the token and the cookie that the write must carry. */

static void token_answered(struct ft_call *call, const struct ft_http_res *res, void *arg)
{
    struct ise_call *st = ise_state(call);
    (void)arg;

    st->ask.token = NULL;
    if (res->error) {
        answer_failed(call, res, res->class ? res->class : FT_INVALID, res->error);
        return;
    }
    for (const struct ft_http_header *h = res->headers; h && h->name; h++) {
        if (strcasecmp(h->name, "x-csrf-token") == 0)
            st->ask.token = host->printf(call, "%s", h->value);
        else if (strcasecmp(h->name, "set-cookie") == 0)
            st->ask.cookie = host->printf(call, "%s%s%.*s", st->ask.cookie ? st->ask.cookie : "", st->ask.cookie ? "; " : "",
                                          (int)strcspn(h->value, ";"), h->value);
    }
    if (!st->ask.token) {
        ise_fail(call, FT_INVALID, "plugins.ise.csrf is true, but ISE gave no X-CSRF-Token: is its CSRF check on?");
        return;
    }
    host->redact(call, st->ask.token);
    if (st->ask.cookie)
        host->redact(call, st->ask.cookie);
    ask(call, budget_is_there);
}

static void fetch_token(struct ft_call *call)
{
    struct ise_call *st = ise_state(call);
    struct ft_http_req req;
    struct ft_err err = { 0 };

    st->ask.token = "fetch";
    req = ise_request(call, ISE_ERS, "GET", ise_url(call, ISE_ERS, "/endpoint?size=1"), NULL, 0);
    if (host->http(call, &req, token_answered, NULL, &err) < 0)
        http_failed(call, &err);
}

void ise_send(struct ft_call *call, enum ise_api api, const char *method, const char *url, json_t *body, ise_then *then)
{
    struct ise_call *st = ise_state(call);

    st->ask.method = method;
    st->ask.url = url;
    st->ask.api = api;
    st->ask.body = body;
    st->ask.flags = FT_HTTP_WRITE;
    st->ask.absent_ok = false;
    st->ask.then = then;
    ask(call, api == ISE_ERS && ise_of(call)->csrf ? fetch_token : budget_is_there);
}

/* ---- lists: GET …?size=100&page=n: {"SearchResult": {"resources", "nextPage"}} of ERS, counted from 1; {"response": [], "nextPage"} of the OpenAPI, counted
 * from 0. nextPage tells that there is more; its href is not followed, only the page number in it is. */

static void ask_page(struct ft_call *call);

static unsigned page_of(const json_t *next, unsigned otherwise)
{
    const char *href = ise_str(next, "href"), *at = href ? strstr(href, "page=") : NULL;
    unsigned long page = at ? strtoul(at + 5, NULL, 10) : 0;

    return page > otherwise - 1 && page < UINT32_MAX ? (unsigned)page : otherwise;       /* never back: that would go round and round */
}

static void page_here(struct ft_call *call, json_t *answer)
{
    struct ise_call *st = ise_state(call);
    json_t *result = st->list.api == ISE_ERS ? json_object_get(answer, "SearchResult") : answer, *item;
    json_t *resources = json_object_get(result, st->list.api == ISE_ERS ? "resources" : "response");
    const json_t *next = json_object_get(result, "nextPage");
    ise_then *then = st->list.then;
    bool full = false;
    size_t i;

    if (!json_is_object(result) || (resources && !json_is_array(resources))) {
        ise_fail(call, FT_INVALID, "GET %s: the answer is not the list that %s promises", st->ask.url, st->list.api == ISE_ERS ? "ERS" : "the OpenAPI");
        return;
    }
    json_array_foreach(resources, i, item) {
        full = st->list.limit && json_array_size(st->list.items) >= st->list.limit;
        if (full)
            break;
        json_array_append(st->list.items, item);
    }
    st->list.complete = !full && !json_is_object(next);
    full = full || (st->list.limit && json_array_size(st->list.items) >= st->list.limit);
    if (st->list.complete || full || !json_array_size(resources) || ++st->list.pages >= MAX_PAGES) {
        then(call, st->list.items);
        return;
    }
    st->list.page = page_of(next, st->list.page + 1);
    ask_page(call);
}

static void ask_page(struct ft_call *call)
{
    struct ise_call *st = ise_state(call);

    ise_get(call, st->list.api, false, ise_url(call, st->list.api, "%s%csize=%d&page=%u", st->list.path, strchr(st->list.path, '?') ? '&' : '?', PAGE_ITEMS, st->list.page),
            page_here);
}

void ise_list_some(struct ft_call *call, enum ise_api api, const char *path, size_t limit, ise_then *then)
{
    struct ise_call *st = ise_state(call);
    json_t *filters = api == ISE_ERS ? json_object_get(host->params(call), "filter") : NULL, *filter;
    size_t i;

    json_array_foreach(filters, i, filter)
        path = host->printf(call, "%s%cfilter=%s", path, strchr(path, '?') ? '&' : '?', ise_escape(call, json_string_value(filter)));
    st->list.api = api;
    st->list.path = path;
    st->list.items = ise_hold(call, json_array());
    st->list.page = api == ISE_ERS ? 1 : 0;
    st->list.pages = 0;
    st->list.limit = limit;
    st->list.then = then;
    ask_page(call);
}

void ise_list(struct ft_call *call, const char *resource, ise_then *then)
{
    ise_list_some(call, ISE_ERS, host->printf(call, "/%s", resource), 0, then);
}
