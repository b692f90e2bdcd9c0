/* http_internal.h: what the files of the HTTP client share. Nobody else includes it. */
#pragma once
#define CURL_DISABLE_TYPECHECK        /* its macros are in the way of a table of functions */
#include <curl/curl.h>
#include "base/buf.h"
#include "base/err.h"
#include "net/http.h"

/* ---- http_render.c ---- */
bool ft_http_header_is_secret(const char *name);
char *ft_http_url_shown(const char *url, bool with_query);      /* malloced */
const char *ft_http_method(const struct ft_http_req *req);

/* ---- http_curl.c: libcurl, loaded at the first request ---- */
#define FT_CURL_FUNCTIONS(X) \
    X(easy_init) X(easy_perform) X(easy_cleanup) X(easy_reset) X(easy_setopt) X(easy_getinfo) X(easy_strerror) X(global_init) X(version_info) \
    X(slist_append) X(slist_free_all) X(getdate) X(multi_init) X(multi_cleanup) X(multi_setopt) X(multi_assign) \
    X(multi_add_handle) X(multi_remove_handle) X(multi_socket_action) X(multi_info_read)

struct ft_curl {
#define FT_CURL_MEMBER(name) typeof(curl_##name) *name;
    FT_CURL_FUNCTIONS(FT_CURL_MEMBER)
#undef FT_CURL_MEMBER
};
/* The same table for ever after the first success; NULL and a reason where the library is missing or too old. */
const struct ft_curl *ft_curl_load(struct ft_err *reterr);

/* ---- http_answer.c: from the bytes of an answer to a struct ft_http_res ---- */
struct ft_http_answer {
    int status;
    struct ft_buf head;               /* name NUL value NUL … of the last header block */
    size_t headers;
    struct ft_buf body;
    char mail_line[256];              /* the SMTP server's last line, or its first refusal */

    struct ft_http_res res;           /* after judging; points into this struct */
    struct ft_http_header *list;
    char *error;
};

/* Who asked, for the sentences. All borrowed. */
struct ft_http_asked {
    const char *method, *shown;       /* shown: the URL as people may see it */
    const char *ca_file, *cert_file;
    unsigned flags;
    size_t max_bytes;
};

/* How far a request that got no complete answer came. */
struct ft_http_failure {
    CURLcode code;
    const char *curl_says;            /* its own text */
    int os_errno;
    bool sent;                        /* at least partly: a write may have been carried out */
    bool connecting;                  /* the connection was not there yet */
    bool timed_out;                   /* by our deadline */
    uint64_t waited_ms;
};

void ft_http_answer_begin(struct ft_http_answer *answer, size_t max_bytes);      /* also forgets an earlier one */
void ft_http_answer_done(struct ft_http_answer *answer);
/* One line of the header block, the status line included. False when there is too much of it. */
bool ft_http_answer_line(struct ft_http_answer *answer, const char *line, size_t len);
void ft_http_answer_mail_line(struct ft_http_answer *answer, const char *line, size_t len);
bool ft_http_answer_bytes(struct ft_http_answer *answer, const char *bytes, size_t len);
const char *ft_http_answer_header(const struct ft_http_answer *answer, const char *name);   /* NULL where absent */
/* Fills answer->res of a complete answer, and of one that did not come. `later` says when a refused request may be tried again; may be NULL. */
void ft_http_answer_judge(struct ft_http_answer *answer, const struct ft_http_asked *asked, const char *later);
void ft_http_answer_failed(struct ft_http_answer *answer, const struct ft_http_asked *asked, const struct ft_http_failure *failure);

/* ---- http_mail.c: a mail, on a thread of its own ---- */
struct ft_mail;

/* How it ended. `answer` may be taken (zero it then). */
struct ft_mail_end {
    struct ft_http_answer answer;
    CURLcode code;
    char says[CURL_ERROR_SIZE];
    int os_errno;
    unsigned connections;
    bool sent;                        /* the whole mail was handed over */
    bool connecting;
};

/* `over` comes once, from the loop, unless it is cancelled. The request is copied. */
struct ft_mail *ft_mail_start(struct ft_loop *loop, const struct ft_curl *curl, const struct ft_http_req *req, uint64_t limit_ms, unsigned connect_timeout_ms,
                              void (*over)(void *arg, struct ft_mail_end *end), void *arg);
void ft_mail_cancel(struct ft_mail *mail);      /* NULL is fine */
