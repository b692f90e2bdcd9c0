/* http.h: what the files of the plugin share. request.c makes a request, body.c its body, oauth.c its token, answer.c a result, pages.c the next one. */
#pragma once
#include <fettle/kit.h>

#define JSON(...) #__VA_ARGS__          /* not by way of FT_JSON, which would see false as 0 */
enum { MAX_HEADERS = 40, DEFAULT_MAX_BYTES = 1 << 20, MAX_BODY = 16 << 20 };

extern const struct ft_host *host;

struct query { char *url; struct ft_http_header headers[MAX_HEADERS + 1]; size_t count; struct ft_http_req req; };

/* One call, from its request to its end. */
struct exchange {
    struct query q;
    uint64_t sent_ms;
    void (*ready)(struct ft_call *call);         /* the request is whole: send it, or show it */
    char *body; size_t body_len, body_size;      /* malloced: a body that is made here */
    char *boundary; size_t part;                 /* multipart: which is added next */
    const char *file_note;                       /* how a plan shows a body with files */
    bool token_is_old, asked_again;              /* of OAuth: the token was there before; a new one was fetched after a 401 */
    json_t *items, *result;                      /* owned until the end: pages so far; a result that waits for its file */
    unsigned pages; bool more;
};

struct http_instance { json_t *tokens; };        /* by API: {"token", "until_ms"} */

/* request.c */
int http_build(struct ft_call *call, struct query *q, struct ft_err *reterr);
const json_t *http_api(struct ft_call *call);
void http_authorise(struct ft_call *call, struct query *q, const char *type, const char *token);
int http_default_header(struct query *q, const char *name, const char *value, struct ft_err *reterr);
bool http_expects(const json_t *expected, int status);
const char *http_scalar(struct ft_call *call, const json_t *value);
bool http_is_safe(const char *method);

/* body.c: makes the body, which may have to wait for files, then calls ready. */
int http_body(struct ft_call *call, struct ft_err *reterr);

/* oauth.c: sends at once, or after a token was fetched. */
void http_send(struct ft_call *call);
bool http_new_token(struct ft_call *call, const struct ft_http_res *res);    /* after a 401 with a kept token: true when it is asked again */

/* answer.c */
void http_answered(struct ft_call *call, const struct ft_http_res *res, void *arg);
/* What a call holds that the host does not know: before every end, and when it is ended. */
void http_drop(struct ft_call *call);
__attribute__((format(printf, 3, 4)))
void http_fail(struct ft_call *call, enum ft_class class, const char *fmt, ...);

/* pages.c: takes a page; 1: there is a next one, and q.url is its; 0: that was the last; negative: failed. */
int http_page(struct ft_call *call, const json_t *json, const json_t *headers, struct ft_err *reterr);
