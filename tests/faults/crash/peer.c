/* peer.c: the device: HTTP on one thread. GET reads a key, PUT sets it or takes a set back. What it did is in the world that it shares.
 * Its troubles follow from the world's seed: it answers late, is too busy, cuts the connection before or after it did what was asked. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "crash.h"

enum { CONNECTIONS = 200, REQUEST_MAX = 2048, LATE_MS = 4 };
enum trouble { NONE, LATE, BUSY, CUT_BEFORE, CUT_AFTER, LOST };

struct connection {
    int fd;
    size_t len;
    char in[REQUEST_MAX];
    char out[400];                    /* an answer that is held back */
    uint64_t out_at_ms;               /* 0: none */
    bool close_at;                    /* instead of the answer */
};

static struct connection connections[CONNECTIONS];
static struct world *world;

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void hang_up(struct connection *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    c->len = 0;
    c->out_at_ms = 0;
    c->close_at = false;
}

static struct slot *slot_of(const char *key)
{
    for (unsigned i = 0; i < world->slot_count; i++)
        if (strcmp(world->slots[i].key, key) == 0)
            return &world->slots[i];
    if (world->slot_count == KEYS)
        abort();
    struct slot *slot = &world->slots[world->slot_count++];

    memset(slot, 0, sizeof(*slot));
    snprintf(slot->key, sizeof(slot->key), "%s", key);
    return slot;
}

static void obey(struct slot *slot, const char *body)
{
    const char *value = strstr(body, "\"value\":");
    bool undo = strstr(body, "\"undo\":true") != NULL;

    slot->there = value && strncmp(value + 8, "null", 4) != 0;
    slot->value = slot->there ? atoi(value + 8) : 0;
    slot->sets += !undo;
    slot->undos += undo;
}

static enum trouble trouble_of(unsigned n, bool write)
{
    uint64_t dice = world->seed ? mix(world->seed ^ (uint64_t)(world->life * 1000 + n)) % 100 : 99;

    if (!write)
        return dice < 4 ? LATE : dice < 6 ? BUSY : dice < 8 ? CUT_BEFORE : NONE;
    return dice < 8 ? LATE : dice < 14 ? BUSY : dice < 20 ? CUT_BEFORE : dice < 28 ? CUT_AFTER : dice < 32 ? LOST : NONE;
}

static void put(struct connection *c, const char *text)
{
    size_t len = strlen(text);

    if (send(c->fd, text, len, MSG_NOSIGNAL) != (ssize_t)len)
        hang_up(c);
}

static void answer(struct connection *c, const struct slot *slot)
{
    char body[80];

    if (slot->there)
        snprintf(body, sizeof(body), "{\"found\":true,\"value\":%d}", slot->value);
    else
        snprintf(body, sizeof(body), "{\"found\":false,\"value\":null}");
    snprintf(c->out, sizeof(c->out), "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
}

/* The process at the other end dies now, before it can be answered. */
static void kill_client(void)
{
    pid_t client = atomic_exchange(&world->client, 0);

    if (client > 0)
        kill(client, SIGKILL);
}

static void serve(struct connection *c, const char *method, const char *key, const char *body)
{
    unsigned n = atomic_fetch_add(&world->requests, 1) + 1;
    bool write = strcmp(method, "PUT") == 0, last = n == world->nth;
    enum trouble trouble = trouble_of(n, write);
    struct slot *slot = slot_of(key);

    if (last && world->where == AT_REQUEST) {
        kill_client();
        hang_up(c);
        return;
    }
    if (trouble == BUSY) {
        put(c, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
        return;
    }
    if (trouble == CUT_BEFORE) {
        hang_up(c);
        return;
    }
    if (write)
        obey(slot, body);
    if (last && world->where == AT_REQUEST_DONE)
        kill_client();
    if (trouble == CUT_AFTER) {
        hang_up(c);
        return;
    }
    answer(c, slot);
    c->close_at = trouble == LOST;
    if (trouble == LATE || trouble == LOST)
        c->out_at_ms = now_ms() + LATE_MS;
    else
        put(c, c->out);
}

/* One whole request, if it is there. What was cut off in the middle never was one. */
static void take(struct connection *c)
{
    char *end, method[8], key[40], *length;
    unsigned number;
    size_t want;

    c->in[c->len] = '\0';
    end = strstr(c->in, "\r\n\r\n");
    if (!end)
        return;
    length = strcasestr(c->in, "content-length:");
    want = (size_t)(end + 4 - c->in) + (length && length < end ? strtoul(length + 15, NULL, 10) : 0);
    if (c->len < want)
        return;
    if (sscanf(c->in, "%7s /%u/%39s", method, &number, key) != 3)
        abort();
    c->len = 0;
    if (number == atomic_load(&world->number))
        serve(c, method, key, end + 4);
    else
        hang_up(c);
}

static void readable(struct connection *c)
{
    ssize_t n = recv(c->fd, c->in + c->len, sizeof(c->in) - 1 - c->len, MSG_DONTWAIT);

    if (n <= 0) {
        hang_up(c);
        return;
    }
    c->len += (size_t)n;
    take(c);
}

static void welcome(int listener)
{
    int fd = accept(listener, NULL, NULL);

    for (size_t i = 0; i < CONNECTIONS && fd >= 0; i++) {
        if (connections[i].fd < 0) {
            connections[i].fd = fd;
            return;
        }
    }
    if (fd >= 0)
        close(fd);
}

void peer_serve(int listener, struct world *w)
{
    struct pollfd polled[CONNECTIONS + 1];

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    world = w;
    for (size_t i = 0; i < CONNECTIONS; i++)
        connections[i].fd = -1;
    for (;;) {
        int wait = -1;

        polled[CONNECTIONS] = (struct pollfd){ listener, POLLIN, 0 };
        for (size_t i = 0; i < CONNECTIONS; i++) {
            polled[i] = (struct pollfd){ connections[i].fd, POLLIN, 0 };
            if (connections[i].out_at_ms)
                wait = 1;
        }
        poll(polled, CONNECTIONS + 1, wait);
        /* Those that were there before come first: what a dead process had sent is obeyed before its successor asks. */
        for (size_t i = 0; i < CONNECTIONS; i++) {
            struct connection *c = &connections[i];

            if (c->fd >= 0 && polled[i].revents)
                readable(c);
            if (c->fd >= 0 && c->out_at_ms && c->out_at_ms <= now_ms()) {
                c->out_at_ms = 0;
                if (c->close_at)
                    hang_up(c);
                else
                    put(c, c->out);
            }
        }
        if (polled[CONNECTIONS].revents)
            welcome(listener);
    }
}
