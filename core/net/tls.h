/* tls.h: what ft_tcp_open does where req->tls says so. For net/ only. */
#pragma once
#include "net/stream.h"

int ft_tls_open(struct ft_loop *loop, const struct ft_tcp_req *req, const struct ft_stream_handler *handler, void *arg,
                struct ft_stream **ret, struct ft_err *reterr);
