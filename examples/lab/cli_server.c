/* cli_server.c: CLI sessions over a unix socket. One JSON object a line, a question and its answer:
 *
 *   {"switch": "sw-2", "from": "…", "banner": true}   first
 *   {"line": "show version"}                          then; "bare": no empty line behind the output (ssh host "command")
 *   {"out": "…", "prompt": "lab@sw-2> ", "pager": "---(more)---", "secret": false, "screen": -1, "over": false}
 *
 * With "netconf": true in the first, the answer to it is the hello, and what follows are {"rpc": "<rpc …>"}.
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "lab.h"

enum { MAX_SESSIONS = 64 };

static struct connection { int fd; struct ft_buf in; struct lab_session *session; struct lab_netconf *netconf; int number; } connections[MAX_SESSIONS];
static int n_connections, listener = -1, last_number;

int lab_cli_listen(struct lab *lab, struct ft_err *reterr)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int dir = open(lab->dir, O_PATH | O_DIRECTORY | O_CLOEXEC), code;

    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d/cli.sock", dir);
    unlink(addr.sun_path);
    if (listener < 0 || bind(listener, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(listener, 16) < 0) {
        code = errno;
        close(dir);
        return ft_err_set(reterr, -code, "cannot make the socket %s/cli.sock: %s", lab->dir, strerror(code));
    }
    close(dir);
    return 0;
}

int lab_cli_fds(struct pollfd *fds, int max)
{
    int n = 0;

    if (listener >= 0 && n_connections < MAX_SESSIONS && n < max)
        fds[n++] = (struct pollfd){ .fd = listener, .events = POLLIN };
    for (int i = 0; i < n_connections && n < max; i++)
        fds[n++] = (struct pollfd){ .fd = connections[i].fd, .events = POLLIN };
    return n;
}

static void drop(int i)
{
    lab_session_free(connections[i].session);
    lab_netconf_free(connections[i].netconf);
    ft_buf_done(&connections[i].in);
    close(connections[i].fd);
    connections[i] = connections[--n_connections];
}

static void reply(struct connection *c, struct ft_buf *out, bool over)
{
    struct ft_buf prompt = FT_BUF_INIT(0);
    json_t *o;
    char *text;
    size_t len, at = 0;

    if (!over && c->session)
        lab_session_prompt(c->session, &prompt);
    o = json_pack("{s:s, s:s, s:s, s:b, s:i, s:b}", "out", ft_buf_str(out), "prompt", ft_buf_str(&prompt), "pager", c->session ? lab_session_pager(c->session) : "", "secret",
                  c->session && lab_session_secret(c->session), "screen",
                  c->session ? lab_session_screen(c->session) : 0, "over", over);
    text = json_dumps(o, JSON_COMPACT);
    len = strlen(text);
    text[len++] = '\n';
    while (at < len) {
        ssize_t n = send(c->fd, text + at, len - at, MSG_NOSIGNAL);

        if (n <= 0 && errno != EINTR)
            break;
        at += n > 0 ? (size_t)n : 0;
    }
    free(text);
    json_decref(o);
    ft_buf_done(&prompt);
}

static bool begin(struct lab *lab, struct connection *c, const json_t *hello, struct ft_buf *out)
{
    const char *name = json_string_value(json_object_get(hello, "switch")), *from = json_string_value(json_object_get(hello, "from"));
    int sw = name ? lab_find_switch(lab, name) : -1;

    if (sw < 0 || lab->switches[sw].down)
        return false;
    if (json_is_true(json_object_get(hello, "netconf"))) {
        c->netconf = lab_netconf_new(lab, sw, c->number, from ? from : "");
        lab_netconf_hello(c->netconf, out);
        return true;
    }
    c->session = lab_session_new(lab, sw, c->number, from ? from : "");
    if (json_is_true(json_object_get(hello, "banner")) && strcmp(lab->switches[sw].vendor, "junos") == 0)
        ft_buf_adds(out, "--- JUNOS 22.4R3.25 Kernel 64-bit  JNPR-12.1-20240117.6e8ecd9_buil\n");
    return true;
}

/* False: the connection is over. */
static bool handle(struct lab *lab, struct connection *c, const char *text, size_t len)
{
    json_t *message = json_loadb(text, len, 0, NULL);
    const char *line = json_string_value(json_object_get(message, "line")), *rpc = json_string_value(json_object_get(message, "rpc"));
    struct ft_buf out = FT_BUF_INIT(0);
    bool goes_on;

    lab_tick(lab);
    if (c->netconf)
        goes_on = rpc && lab_netconf_rpc(c->netconf, rpc, &out);
    else
        goes_on = !c->session ? begin(lab, c, message, &out) : line && lab_session_line(c->session, line, &out);
    if (goes_on && json_is_true(json_object_get(message, "bare")) && out.len >= 1 && out.data[out.len - 1] == '\n')
        out.data[--out.len] = '\0';
    reply(c, &out, !goes_on);
    ft_buf_done(&out);
    json_decref(message);
    return goes_on;
}

static void read_from(struct lab *lab, int i)
{
    struct connection *c = &connections[i];
    char buf[8192], *eol;
    ssize_t n = recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT);

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        drop(i);
        return;
    }
    ft_buf_add(&c->in, buf, (size_t)n);
    while (c->in.len && (eol = memchr(c->in.data, '\n', c->in.len))) {
        size_t len = (size_t)(eol - c->in.data);

        if (!handle(lab, c, c->in.data, len)) {
            drop(i);
            return;
        }
        memmove(c->in.data, eol + 1, c->in.len - len - 1);
        c->in.len -= len + 1;
    }
    if (c->in.overflow)
        drop(i);
}

void lab_cli_ready(struct lab *lab, int fd)
{
    pthread_mutex_lock(&lab->lock);
    if (fd == listener) {
        int new = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        struct timeval patience = { .tv_sec = 2 };

        setsockopt(new, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));   /* for a client that does not read */
        if (new >= 0)
            connections[n_connections++] = (struct connection){ .fd = new, .in = FT_BUF_INIT(8 << 20), .number = ++last_number };
    } else {
        for (int i = 0; i < n_connections; i++)
            if (connections[i].fd == fd) {
                read_from(lab, i);
                break;
            }
    }
    pthread_mutex_unlock(&lab->lock);
}

void lab_cli_close(struct lab *lab, int sw)
{
    (void)lab;
    for (int i = n_connections; i-- > 0;)
        if (sw < 0 || (connections[i].session && lab_session_switch(connections[i].session) == sw)
            || (connections[i].netconf && lab_netconf_switch(connections[i].netconf) == sw))
            drop(i);
    if (sw < 0 && listener >= 0) {
        close(listener);
        listener = -1;
    }
}
