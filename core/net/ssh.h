/* ssh.h: SSH channels, one small interface over two libraries: libssh2 (where it is 1.11 or newer) and libssh (elsewhere: Debian 12's libssh2 1.10
 * knows no SHA-2 RSA and no etm MACs). Both are loaded with dlopen at the first use.
 *
 * Sessions are pooled: channels to the same host, port, user and credentials share one session, which stays open as long as a
 * channel or a holder (a run) needs it and a minute longer; a `fresh` request logs in anew, and what was open serves nobody else. Through jump hosts (up to four) likewise: their sessions are shared too, by all that goes
 * through the same chain. A session is asked for a sign of life every keepalive_s; three silences end it. Host keys are checked strictly against known_hosts: unknown and changed keys are
 * refused, with the fingerprint and the file in the sentence. */
#pragma once
#include "net/stream.h"

struct ft_ssh;            /* the pool */
struct ft_ssh_stats { uint64_t sessions_opened, channels_opened; unsigned sessions_open; };

/* library: "libssh2", "libssh" or NULL for the choice above. */
struct ft_ssh *ft_ssh_new(struct ft_loop *loop, const char *library);
struct ft_ssh *ft_ssh_free(struct ft_ssh *ssh);
int ft_ssh_open(struct ft_ssh *ssh, const struct ft_ssh_req *req, const struct ft_stream_handler *handler, void *arg,
                struct ft_stream **ret, struct ft_err *reterr);
/* While > 0 sessions without a channel stay open: a run holds the pool, so that its steps share sessions however long it waits between. */
void ft_ssh_hold(struct ft_ssh *ssh, int by);
void ft_ssh_stats(const struct ft_ssh *ssh, struct ft_ssh_stats *ret);
/* "libssh2 1.10.0" or why it cannot be used; for `fettle doctor`. malloced */
char *ft_ssh_describe(struct ft_ssh *ssh, const char *library);
