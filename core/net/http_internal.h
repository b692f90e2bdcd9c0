/* http_internal.h: what the files of the HTTP client share. Nobody else includes it. */
#pragma once
#include "base/err.h"
#include "net/http.h"

/* ---- http_render.c ---- */
bool ft_http_header_is_secret(const char *name);
char *ft_http_url_shown(const char *url, bool with_query);      /* malloced */
const char *ft_http_method(const struct ft_http_req *req);
