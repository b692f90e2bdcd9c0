/* server.h: an HTTP server for tests, one thread a connection, with every fault that a client meets. For one test program each. */
#pragma once
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SERVER_CONNECTIONS 256

struct server {
    int fd;
    uint16_t port;
    pthread_t acceptor;
    struct { pthread_t thread; int fd; struct server *server; } conns[SERVER_CONNECTIONS];
    atomic_uint accepted, requests, open, most_open, closed_by_us;
    pthread_mutex_t lock;
    char last[70000];                 /* the last request, as it came */
    unsigned busy_left;               /* 429s still to give */
    /* What to answer, where the path says nothing. Returns false to close the connection. */
    bool (*answer)(struct server *server, int fd, const char *method, const char *path, unsigned nth);
};

static inline void server_send(int fd, const char *text, size_t len)
{
    while (len) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

        if (n <= 0)
            return;
        text += n;
        len -= (size_t)n;
    }
}

__attribute__((format(printf, 2, 3)))
static inline void server_printf(int fd, const char *fmt, ...)
{
    char text[4096];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    server_send(fd, text, (size_t)n);
}

static inline void server_reply(int fd, int status, const char *type, const char *body)
{
    server_printf(fd, "HTTP/1.1 %d Whatever\r\nContent-Type: %s\r\nContent-Length: %zu\r\nX-Mixed-CASE:  kept as it is \r\n\r\n", status, type, strlen(body));
    server_send(fd, body, strlen(body));
}

/* Reads one request into server->last; false at the end of the connection. */
static inline bool server_read(struct server *server, int fd, char *method, char *path)
{
    char head[70000];
    size_t len = 0, body = 0, need = 0;
    char *end = NULL, *length;

    while (!end || len < need) {
        ssize_t n = recv(fd, head + len, sizeof(head) - 1 - len, 0);

        if (n <= 0)
            return false;
        len += (size_t)n;
        head[len] = '\0';
        if (!end && (end = strstr(head, "\r\n\r\n"))) {
            length = strcasestr(head, "\r\nContent-Length:");
            body = length && length < end ? strtoul(length + 17, NULL, 10) : 0;
            need = (size_t)(end + 4 - head) + body;
        }
    }
    if (sscanf(head, "%15s %255s", method, path) != 2)
        return false;
    pthread_mutex_lock(&server->lock);
    memcpy(server->last, head, len + 1);
    pthread_mutex_unlock(&server->lock);
    atomic_fetch_add(&server->requests, 1);
    return true;
}

static inline void *server_connection(void *arg)
{
    unsigned at = (unsigned)(uintptr_t)((void **)arg)[1], nth = 0, now;
    struct server *server = ((void **)arg)[0];
    int fd = server->conns[at].fd;
    char method[16], path[256];

    free(arg);
    now = atomic_fetch_add(&server->open, 1) + 1;
    for (unsigned most = atomic_load(&server->most_open); now > most && !atomic_compare_exchange_weak(&server->most_open, &most, now);)
        ;
    while (server_read(server, fd, method, path) && server->answer(server, fd, method, path, ++nth))
        ;
    atomic_fetch_sub(&server->open, 1);
    shutdown(fd, SHUT_RDWR);
    atomic_fetch_add(&server->closed_by_us, 1);
    return NULL;
}

static inline void *server_accept(void *arg)
{
    struct server *server = arg;
    int fd;

    while ((fd = accept(server->fd, NULL, NULL)) >= 0) {
        unsigned at = atomic_load(&server->accepted);
        void **args = malloc(2 * sizeof(void *));

        if (at == SERVER_CONNECTIONS)
            abort();
        args[0] = server;
        args[1] = (void *)(uintptr_t)at;
        server->conns[at].fd = fd;
        atomic_fetch_add(&server->accepted, 1);
        pthread_create(&server->conns[at].thread, NULL, server_connection, args);
    }
    return NULL;
}

static inline void server_start(struct server *server, bool (*answer)(struct server *, int, const char *, const char *, unsigned), const char *unix_path)
{
    struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct sockaddr_un local = { .sun_family = AF_UNIX };
    socklen_t len = sizeof(any);

    memset(server, 0, sizeof(*server));
    pthread_mutex_init(&server->lock, NULL);
    server->answer = answer;
    server->fd = socket(unix_path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (unix_path) {
        snprintf(local.sun_path, sizeof(local.sun_path), "%s", unix_path);
        if (bind(server->fd, (struct sockaddr *)&local, sizeof(local)) < 0)
            abort();
    } else {
        if (bind(server->fd, (struct sockaddr *)&any, sizeof(any)) < 0 || getsockname(server->fd, (struct sockaddr *)&any, &len) < 0)
            abort();
        server->port = ntohs(any.sin_port);
    }
    listen(server->fd, 128);
    pthread_create(&server->acceptor, NULL, server_accept, server);
}

static inline void server_stop(struct server *server)
{
    shutdown(server->fd, SHUT_RDWR);
    pthread_join(server->acceptor, NULL);
    for (unsigned i = 0; i < atomic_load(&server->accepted); i++) {
        shutdown(server->conns[i].fd, SHUT_RDWR);
        pthread_join(server->conns[i].thread, NULL);
        close(server->conns[i].fd);
    }
    close(server->fd);
    pthread_mutex_destroy(&server->lock);
}
