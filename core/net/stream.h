/* stream.h: streams on the loop: TCP and TLS connections, SSH channels, datagrams, websockets: one interface for all. */
#pragma once
#include <fettle/plugin.h>
#include "loop/loop.h"

/* As struct ft_stream_events of the ABI, with the owner's argument instead of the call. Callbacks come from the loop only. */
struct ft_stream_handler {
    void (*opened)(void *arg, struct ft_stream *stream);
    void (*data)(void *arg, struct ft_stream *stream, const char *bytes, size_t len, bool is_stderr);
    void (*closed)(void *arg, struct ft_stream *stream, enum ft_class class, int exit_status, const char *why);
};

/* With TLS where the request says so. */
int ft_tcp_open(struct ft_loop *loop, const struct ft_tcp_req *req, const struct ft_stream_handler *handler, void *arg,
                struct ft_stream **ret, struct ft_err *reterr);
/* "OpenSSL 3.0.19 …", or why it cannot be used; malloced. */
char *ft_tls_describe(void);
int ft_udp_open(struct ft_loop *loop, const struct ft_udp_req *req, const struct ft_stream_handler *handler, void *arg,
                struct ft_stream **ret, struct ft_err *reterr);
/* Messages go out as text frames; frames of either kind come as one message each. */
int ft_ws_open(struct ft_loop *loop, const struct ft_ws_req *req, const struct ft_stream_handler *handler, void *arg,
               struct ft_stream **ret, struct ft_err *reterr);
/* Queued; what is not sent when the other side is slow is bounded at 4 MiB (-ENOBUFS). */
int ft_stream_write(struct ft_stream *stream, const char *bytes, size_t len, struct ft_err *reterr);
void ft_stream_eof(struct ft_stream *stream);
/* No callback after this; the stream's memory is the library's from here on. Must be called once for every stream, also after `closed`. */
void ft_stream_close(struct ft_stream *stream);

#define FT_STREAM_QUEUE_MAX ((size_t)4 << 20)
size_t ft_tcp_waiting(const struct ft_stream *stream);      /* bytes of a TCP stream that are not sent yet; for net/ only */

/* Every kind of stream begins with this; for net/ only. */
struct ft_stream_ops {
    int (*write)(struct ft_stream *stream, const char *bytes, size_t len, struct ft_err *reterr);
    void (*eof)(struct ft_stream *stream);
    void (*close)(struct ft_stream *stream);
};
struct ft_stream { const struct ft_stream_ops *ops; };
