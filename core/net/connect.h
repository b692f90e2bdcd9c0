/* connect.h: from a name and a port to a connected socket. For net/ only. */
#pragma once
#include <fettle/plugin.h>
#include "base/err.h"
#include "loop/loop.h"

struct ft_connect;

/* Tries each address of the name in turn, all within timeout_ms. `done` comes once, from the loop: fd >= 0 is the caller's, non-blocking;
 * else err says why. Holds the loop meanwhile. */
struct ft_connect *ft_connect_start(struct ft_loop *loop, const char *host, uint16_t port, unsigned timeout_ms,
                                    void (*done)(void *arg, int fd, const struct ft_err *err), void *arg);
/* As ft_connect_start, a datagram socket that hears that one peer only. */
struct ft_connect *ft_connect_datagrams(struct ft_loop *loop, const struct ft_udp_req *req, unsigned timeout_ms,
                                        void (*done)(void *arg, int fd, const struct ft_err *err), void *arg);
void ft_connect_cancel(struct ft_connect *connect);       /* `done` does not come any more; NULL is fine */
