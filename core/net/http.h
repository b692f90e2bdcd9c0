/* http.h: one curl multi on the loop, shared by all runs, so that connections and TLS sessions are reused across runs.
 * libcurl is loaded with dlopen at the first request: it costs more start-up time than all else together.
 * Semantics of a request and its answer: struct ft_http_req and struct ft_http_res in fettle/plugin.h. */
#pragma once
#include <fettle/plugin.h>
#include "loop/loop.h"

struct ft_http;           /* the client */
struct ft_http_transfer;

struct ft_http_stats { uint64_t requests, connections, bytes_in; };

struct ft_http *ft_http_new(struct ft_loop *loop);
struct ft_http *ft_http_free(struct ft_http *http);       /* transfers under way are dropped without a callback */
void ft_http_stats(const struct ft_http *http, struct ft_http_stats *ret);
/* At most this many connections to one host at once (default 16); further requests wait their turn. */
void ft_http_set_max_per_host(struct ft_http *http, long n);

/* Answered exactly once, from the loop, never inside this call. Includes the waits for 429 (unless FT_HTTP_NO_WAIT), bounded by
 * deadline_ms (from now; 0: 30 s). Errors of use (no URL, bad scheme) return at once. */
int ft_http_start(struct ft_http *http, const struct ft_http_req *req, uint64_t deadline_ms,
                  void (*answered)(void *arg, const struct ft_http_res *res), void *arg,
                  struct ft_http_transfer **ret, struct ft_err *reterr);
void ft_http_cancel(struct ft_http_transfer *transfer);   /* no callback any more */

/* "libcurl 7.88.1", or why it cannot be used; malloced. */
char *ft_http_describe(void);

/* {"method","url","headers","body"} without secrets (Authorization, Cookie, X-*Token, X-Api-Key headers are left out); new reference. */
json_t *ft_http_render(const struct ft_http_req *req);
/* Percent-encoding of one path segment or query value (RFC 3986 unreserved stay). malloced */
char *ft_url_escape(const char *text);
