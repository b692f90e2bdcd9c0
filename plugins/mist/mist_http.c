/* mist_http.c: requests to the Mist API: the token, the hourly budget, both styles of paging, and errors in words. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "mist.h"

#define MAX_PAGES 100
#define PAGE_ITEMS 1000     /* the highest `limit` that is in wide use; the documentation names none */

/* The Authorization header goes to mist->root and nowhere else: every URL here begins with it. */
struct ft_http_req mist_request(struct ft_call *call, const char *method, const char *url, const json_t *body, unsigned flags)
{
    struct mist *mist = mist_of(call);
    struct ft_http_header *headers = host->alloc(call, 3 * sizeof(*headers));

    headers[0] = (struct ft_http_header){ "Authorization", mist->auth };
    headers[1] = (struct ft_http_header){ "Accept", "application/json" };
    headers[2] = (struct ft_http_header){ NULL, NULL };
    return (struct ft_http_req){
        .size = sizeof(struct ft_http_req), .method = method, .url = url, .headers = headers,
        .json = body, .ca_file = mist->ca_file, .flags = FT_HTTP_JSON | flags,
    };
}

__attribute__((format(printf, 2, 0)))
static const char *format(struct ft_call *call, const char *fmt, va_list ap)
{
    char *text = NULL;
    const char *copy;

    if (vasprintf(&text, fmt, ap) < 0)
        abort();
    copy = host->printf(call, "%s", text);
    free(text);
    return copy;
}

static const char *absolute(struct ft_call *call, const char *path)
{
    return host->printf(call, "%s/api/v1%s", mist_of(call)->root, path);
}

const char *mist_url(struct ft_call *call, const char *fmt, ...)
{
    const char *path;
    va_list ap;

    va_start(ap, fmt);
    path = format(call, fmt, ap);
    va_end(ap);
    return absolute(call, path);
}

const char *mist_escape(struct ft_call *call, const char *text)
{
    return host->url_escape(call, text ? text : "");
}

/* ---- errors */

static const char *hint(struct ft_call *call, const struct ft_http_res *res)
{
    const char *body = res->body ? res->body : "";

    body += strspn(body, " \t\r\n");
    if (res->status == 401)
        return "; check plugins.mist.token: Mist does not know it, or deleted it after 90 days without use";
    if (res->status == 403)
        return "; the token's role or scope does not allow this, see the permissions in the mist plugin's README";
    if (*body == '<')
        return host->printf(call, "; it sent a web page instead of JSON: is plugins.mist.url (%s) the API of your Mist cloud, and no proxy's login in between?",
                            mist_of(call)->root);
    return "";
}

static void answer_failed(struct ft_call *call, const struct ft_http_res *res)
{
    struct mist_call *st = mist_state(call);
    const char *detail = json_is_object(res->json) ? mist_str(res->json, "detail") : NULL;

    enum ft_class class = res->class ? res->class : FT_INVALID;

    if (res->status == 429)
        mist_of(call)->usage_stale = true;
    /* a write that was accepted in words nobody understands (a proxy's page) may have happened, or not */
    if ((st->ask.flags & FT_HTTP_WRITE) && res->status >= 200 && res->status < 300)
        class = FT_AMBIGUOUS;
    mist_fail(call, class, "%s%s%.300s%s%s", res->error, detail ? " (Mist says: " : "",
              detail ? detail : "", detail ? ")" : "", hint(call, res));
}

static bool nothing_in(const json_t *json)
{
    return !json || json_is_null(json) || (json_is_object(json) && !json_object_size(json)) || (json_is_array(json) && !json_array_size(json));
}

static const char *type_name(const json_t *json)
{
    return json_is_object(json) ? "an object" : json_is_array(json) ? "a list" : json ? "a bare value" : "nothing";
}

static void answered(struct ft_call *call, const struct ft_http_res *res, void *arg)
{
    struct mist_call *st = mist_state(call);
    (void)arg;

    if (st->ask.absent_ok && (res->status == 404 || (!res->error && nothing_in(res->json)))) {
        st->ask.then(call, NULL);
    } else if (res->error) {
        answer_failed(call, res);
    } else if (st->ask.want != JSON_NULL && (!res->json || json_typeof(res->json) != st->ask.want)) {
        mist_fail(call, FT_INVALID, "%s %s answered %s where %s was due", st->ask.method, st->ask.url, type_name(res->json),
                  st->ask.want == JSON_ARRAY ? "a list" : "an object");
    } else {
        st->ask.then(call, mist_hold(call, json_incref(res->json)));
    }
}

/* ---- sending */

static void http_failed(struct ft_call *call, const struct ft_err *err)
{
    mist_fail(call, err->class ? err->class : FT_INVALID, "%s", err->text);
}

static ft_http_cb page_answered;

static void budget_is_there(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);
    struct ft_http_req req = mist_request(call, st->ask.method, st->ask.url, st->ask.body, st->ask.flags);
    struct ft_err err = { 0 };

    if (host->http(call, &req, st->list.then ? page_answered : answered, NULL, &err) < 0)
        http_failed(call, &err);
}

/* ---- the hourly budget. The token may be used by others too: Mist tells how much of it is gone. */

#define USAGE_AGAIN_MS 60000u        /* at most so often, whatever comes back */

static void within_budget(struct ft_call *call)
{
    struct mist *mist = mist_of(call);
    uint64_t hour = host->wall_ms(call) / 3600000;
    struct ft_err err = { 0 };

    if (mist->own_hour != hour) {
        mist->own_hour = hour;
        mist->own_requests = 0;
    }
    mist->own_requests++;
    if (host->budget(call, mist->budget, mist_per_hour(call), budget_is_there, &err) < 0)
        http_failed(call, &err);
}

unsigned mist_per_hour(struct ft_call *call)
{
    const struct mist *mist = mist_of(call);
    bool this_hour = mist->usage_at / 3600000 == host->wall_ms(call) / 3600000;

    if (mist->usage_limit <= 0 || !this_hour || mist->usage_left >= mist->per_hour)
        return mist->per_hour;
    return mist->usage_left < 60 ? 60 : (unsigned)mist->usage_left;      /* the last ones are spent slowly; a 429 says the rest */
}

static void usage_answered(struct ft_call *call, const struct ft_http_res *res, void *arg)
{
    struct mist *mist = mist_of(call);
    double limit = mist_num(res->json, "request_limit", 0), used = mist_num(res->json, "requests", 0);
    (void)arg;

    if (res->class == FT_UNREACHABLE || res->class == FT_TIMEOUT) {
        mist->usage_at = 0;          /* nothing was learnt; and what is asked next would only wait for what is left of the time */
        mist_fail(call, res->class, "%s", res->error);
        return;
    }
    if (!res->error && limit > 0) {
        mist->usage_limit = limit;
        mist->usage_left = limit - used;
        if (mist->usage_left < limit / 10)
            host->log(call, FT_LOG_WARN, "the Mist token has %.0f of its %.0f requests left in this hour", mist->usage_left, limit);
    }
    within_budget(call);             /* an answer that tells nothing stops nobody: the request itself will say what is wrong */
}

static bool usage_is_due(struct ft_call *call)
{
    const struct mist *mist = mist_of(call);
    uint64_t now = host->wall_ms(call);

    if (!mist->watch_usage || (mist->usage_at && now - mist->usage_at < USAGE_AGAIN_MS))
        return false;
    return !mist->usage_at || mist->usage_stale || now / 3600000 != mist->usage_at / 3600000;
}

static void ask(struct ft_call *call, const char *method, const char *url)
{
    struct mist_call *st = mist_state(call);
    struct mist *mist = mist_of(call);
    struct ft_err err = { 0 };

    st->ask.method = method;
    st->ask.url = url;
    if (usage_is_due(call)) {
        struct ft_http_req req = mist_request(call, "GET", absolute(call, "/self/usage"), NULL, FT_HTTP_NO_WAIT);

        mist->usage_at = host->wall_ms(call);
        mist->usage_stale = false;
        if (host->http(call, &req, usage_answered, NULL, &err) < 0)
            http_failed(call, &err);
    } else {
        within_budget(call);
    }
}

static void get(struct ft_call *call, const char *path, json_type want, bool absent_ok, mist_then *then)
{
    struct mist_call *st = mist_state(call);

    st->ask.body = NULL;
    st->ask.flags = 0;
    st->ask.want = want;
    st->ask.absent_ok = absent_ok;
    st->ask.then = then;
    ask(call, "GET", absolute(call, path));
}

#define FORMATTED(path) do { va_list ap; va_start(ap, fmt); path = format(call, fmt, ap); va_end(ap); } while (0)

void mist_get(struct ft_call *call, mist_then *then, const char *fmt, ...)
{
    const char *path;

    FORMATTED(path);
    get(call, path, JSON_OBJECT, false, then);
}

void mist_get_if_there(struct ft_call *call, mist_then *then, const char *fmt, ...)
{
    const char *path;

    FORMATTED(path);
    get(call, path, JSON_OBJECT, true, then);
}

void mist_get_any(struct ft_call *call, mist_then *then, const char *fmt, ...)
{
    const char *path;

    FORMATTED(path);
    get(call, path, JSON_NULL, true, then);
}

void mist_get_array(struct ft_call *call, mist_then *then, const char *fmt, ...)
{
    const char *path;

    FORMATTED(path);
    get(call, path, JSON_ARRAY, false, then);
}

bool mist_fetch(struct ft_call *call, const char *url, size_t max_bytes, ft_http_cb *fetched)
{
    struct mist *mist = mist_of(call);
    bool secure = strncasecmp(url, "https://", 8) == 0 || (strncasecmp(mist->root, "http://", 7) == 0 && strncasecmp(url, "http://", 7) == 0);
    struct ft_http_req req = { .size = sizeof(req), .method = "GET", .url = host->printf(call, "%s", url), .flags = FT_HTTP_ANY_STATUS, .max_bytes = max_bytes };
    struct ft_err err = { 0 };

    if (!secure) {
        mist_fail(call, FT_INVALID, "Mist names an address that is no https one: %.200s", url);
        return false;
    }
    if (host->http(call, &req, fetched, NULL, &err) < 0) {
        http_failed(call, &err);
        return false;
    }
    return true;
}

void mist_send(struct ft_call *call, const char *method, const char *url, json_t *body, mist_then *then)
{
    struct mist_call *st = mist_state(call);

    st->ask.body = body;
    st->ask.flags = FT_HTTP_WRITE;
    st->ask.want = JSON_NULL;
    st->ask.absent_ok = false;
    st->ask.then = then;
    ask(call, method, url);
}

void mist_post(struct ft_call *call, const char *url, json_t *body, mist_then *then)
{
    struct mist_call *st = mist_state(call);

    st->ask.body = body;
    st->ask.flags = 0;
    st->ask.want = JSON_OBJECT;
    st->ask.absent_ok = false;
    st->ask.then = then;
    ask(call, "POST", url);
}

/* ---- lists. Style "page": a bare array, `page` counts from 1, X-Page-Total tells the end. Style "cursor": an object with
 * `results` and `next`, a path to follow as it is. Some objects have `results` and `total` and are paged by `page`. */

static void list_over(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);
    mist_then *then = st->list.then;

    st->list.then = NULL;
    then(call, st->list.items);
}

static void ask_page(struct ft_call *call)
{
    struct mist_call *st = mist_state(call);
    const char *and = strchr(st->list.path, '?') ? "&" : "?";
    const char *page = st->list.page > 1 ? host->printf(call, "&page=%u", st->list.page) : "";     /* searches know no `page` */

    ask(call, "GET", absolute(call, host->printf(call, "%s%slimit=%u%s", st->list.path, and, st->list.limit, page)));
}

static json_int_t header_number(const struct ft_http_res *res, const char *name)
{
    for (const struct ft_http_header *h = res->headers; h && h->name; h++)
        if (strcasecmp(h->name, name) == 0)
            return strtoll(h->value, NULL, 10);
    return -1;
}

/* How many further items page numbers would bring: 0 none, as far as the answer tells. */
static bool more_by_number(const struct mist_call *st, const struct ft_http_res *res, size_t got)
{
    json_int_t total = header_number(res, "x-page-total"), limit = header_number(res, "x-page-limit");

    if (json_is_object(res->json))
        return got >= st->list.limit && mist_num(res->json, "total|total_count", 0) > (double)json_array_size(st->list.items);
    if (total >= 0)
        return (limit > 0 ? limit : (json_int_t)st->list.limit) * st->list.page < total;
    return got >= st->list.limit;
}

static bool same_origin(const char *root, const char *url)
{
    const char *host_part = strstr(root, "://");
    size_t len = host_part ? strlen(root) - strlen(host_part) + 3 + strcspn(host_part + 3, "/") : 0;

    return len && strncasecmp(root, url, len) == 0 && (url[len] == '/' || url[len] == '?' || url[len] == '\0');
}

/* The absolute URL of `next`, or NULL: not one that can be followed. */
static const char *next_url(struct ft_call *call, const char *next)
{
    const char *root = mist_of(call)->root;

    if (strncmp(next, "/api/", 5) == 0)
        return host->printf(call, "%s%s", root, next);
    return same_origin(root, next) ? host->printf(call, "%s", next) : NULL;      /* the answer that holds it goes */
}

static void follow(struct ft_call *call, const char *next)
{
    struct mist_call *st = mist_state(call);
    const char *url = next_url(call, next);

    if (!url && (strstr(next, "://") || strncmp(next, "//", 2) == 0)) {
        mist_fail(call, FT_INVALID, "the next page of %s lies on another host (%.200s): the token is not sent there", st->ask.url, next);
    } else if (!url || json_object_get(st->list.seen, url)) {
        host->log(call, FT_LOG_WARN, "the list of %s ends early: '%.200s' %s", st->ask.url, next, url ? "was asked before" : "is no page to follow");
        st->list.complete = false;
        list_over(call);
    } else {
        json_object_set_new(st->list.seen, url, json_true());
        ask(call, "GET", url);
    }
}

static void take_page(struct ft_call *call, const struct ft_http_res *res, const json_t *items)
{
    struct mist_call *st = mist_state(call);
    const char *next = json_is_object(res->json) ? mist_str(res->json, "next") : NULL;
    size_t got = json_array_size(items), room = st->list.max - json_array_size(st->list.items);

    for (size_t i = 0; i < got && i < room; i++)
        json_array_append(st->list.items, json_array_get(items, i));
    if (got > room || (got == room && (next || more_by_number(st, res, got))) || st->list.page >= MAX_PAGES) {
        st->list.complete = got <= room && !next && !more_by_number(st, res, got);
        list_over(call);
    } else if (!got) {
        list_over(call);
    } else if (next) {
        st->list.page++;
        follow(call, next);
    } else if (more_by_number(st, res, got)) {
        st->list.page++;
        ask_page(call);
    } else {
        list_over(call);
    }
}

static void page_answered(struct ft_call *call, const struct ft_http_res *res, void *arg)
{
    struct mist_call *st = mist_state(call);
    const json_t *items = json_is_object(res->json) ? json_object_get(res->json, "results") : res->json;
    (void)arg;

    if (st->list.absent_ok && res->status == 404) {
        mist_then *then = st->list.then;

        st->list.then = NULL;
        then(call, NULL);
    } else if (res->error) {
        answer_failed(call, res);
    } else if (json_is_array(items)) {
        take_page(call, res, items);
    } else {
        mist_fail(call, FT_INVALID, "GET %s answered %s where a list was due", st->ask.url, type_name(res->json));
    }
}

static void begin_list(struct ft_call *call, size_t max, bool absent_ok, mist_then *then, const char *path)
{
    struct mist_call *st = mist_state(call);

    st->list.path = path;
    st->list.items = mist_hold(call, json_array());
    st->list.seen = mist_hold(call, json_object());
    st->list.max = max;
    st->list.limit = max < PAGE_ITEMS ? (unsigned)max : PAGE_ITEMS;
    st->list.page = 1;
    st->list.absent_ok = absent_ok;
    st->list.complete = true;
    st->list.then = then;
    st->ask.body = NULL;
    st->ask.flags = 0;
    ask_page(call);
}

void mist_list(struct ft_call *call, size_t max, mist_then *then, const char *fmt, ...)
{
    const char *path;

    FORMATTED(path);
    begin_list(call, max, false, then, path);
}

void mist_list_if_there(struct ft_call *call, size_t max, mist_then *then, const char *fmt, ...)
{
    const char *path;

    FORMATTED(path);
    begin_list(call, max, true, then, path);
}
