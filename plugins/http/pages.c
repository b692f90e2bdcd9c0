/* pages.c: lists that come in pages: by the Link header (RFC 8288), or by a member of the answer that holds the next page's address. */
#include <string.h>
#include <strings.h>
#include "http.h"

/* The address of rel="next" in a Link header: <https://…?page=2>; rel="next", <…>; rel="last" */
static char *link_next(struct ft_call *call, const char *link)
{
    while (link && (link = strchr(link, '<'))) {
        const char *end = strchr(link, '>'), *comma;
        char *params;

        if (!end)
            return NULL;
        comma = strstr(end, ",");
        while (comma && comma[strspn(comma + 1, " \t") + 1] != '<')      /* a comma within a parameter */
            comma = strchr(comma + 1, ',');
        params = host->printf(call, "%.*s", (int)(comma ? comma - end - 1 : (int)strlen(end + 1)), end + 1);
        if (strcasestr(params, "rel=\"next\"") || strcasestr(params, "rel=next"))
            return host->printf(call, "%.*s", (int)(end - link - 1), link + 1);
        link = comma;
    }
    return NULL;
}

/* "https://host:port" of a URL: its length. */
static size_t origin_len(const char *url)
{
    const char *authority = strstr(url, "://");

    return authority ? (size_t)(authority + 3 - url) + strcspn(authority + 3, "/?#") : 0;
}

/* The next page lies where the first did: a token goes nowhere else, whatever an answer says. */
static int resolve(struct ft_call *call, struct query *q, const char *next, struct ft_err *reterr)
{
    size_t origin = origin_len(q->url);

    if (strlen(next) > 4000)
        return ft_fault(reterr, FT_INVALID, "the next page's address is longer than 4000 characters");
    if (*next == '/' && next[1] != '/')
        q->url = host->printf(call, "%.*s%s", (int)origin, q->url, next);
    else if (*next == '?')
        q->url = host->printf(call, "%.*s%s", (int)strcspn(q->url, "?#"), q->url, next);
    else if (origin_len(next) == origin && strncasecmp(next, q->url, origin) == 0)
        q->url = host->printf(call, "%s", next);
    else
        return ft_fault(reterr, FT_INVALID, "the next page's address '%.200s' is not at %.*s, where the first was", next, (int)origin, q->url);
    q->req.url = q->url;
    return 0;
}

int http_page(struct ft_call *call, const json_t *json, const json_t *headers, struct ft_err *reterr)
{
    struct exchange *st = host->state(call);
    const json_t *pages = ft_get(host->params(call), "pages");
    const char *member = ft_str(pages, "items"), *key = ft_str(pages, "next");
    json_t *list = member ? json_object_get(json, member) : (json_t *)json;
    const char *next = key ? ft_str(json, key) : link_next(call, ft_str(headers, "link"));

    if (!json_is_array(list))
        return ft_fault(reterr, FT_INVALID, "%s %s: page %u has no list%s%s: `pages.items` names the member that holds it", st->q.req.method, st->q.url, st->pages + 1,
                        member ? " in " : "", member ? member : "");
    json_array_extend(st->items, list);
    st->pages++;
    if (!next || !*next)
        return 0;
    st->more = st->pages >= (unsigned)(ft_int(pages, "max") ?: 20);
    if (st->more)
        return 0;
    return resolve(call, &st->q, next, reterr) < 0 ? -EINVAL : 1;
}
