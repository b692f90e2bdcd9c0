/* peer.c: the device: HTTP on one thread. GET reads a key, PUT sets it (for a while, unless it is confirmed), confirms it or takes a set back. What it did
 * is in the world that it shares.
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

static uint64_t clock_ms(void)
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

/* Somebody else changes a key of the same run, right behind the first write of it. */
static void meddle(const char *key)
{
    char other[24];
    struct slot *slot;

    snprintf(other, sizeof(other), "b%s", key + 1);
    slot = slot_of(other);
    if (slot->sets || slot->meddled)
        return;
    slot->meddled = slot->there = true;
    slot->value = 5;
}

static void write_down(struct slot *slot, bool there, int value)
{
    slot->there = there;
    slot->value = there ? value : 0;
}

static void lapse(struct slot *slot)
{
    if (!slot->until_ms || world->device_ms < slot->until_ms)
        return;
    slot->until_ms = 0;
    slot->lapses++;
    write_down(slot, slot->was_there, slot->was);
}

static void take_back(struct slot *slot, bool there, int value)
{
    slot->undos++;
    slot->backs += slot->there;
    if (slot->until_ms)
        write_down(slot, slot->was_there, slot->was);
    else
        write_down(slot, there, value);
    slot->until_ms = 0;
}

/* False: nothing waits for this confirmation. */
static bool confirm(struct slot *slot, int value)
{
    if (!slot->there || slot->value != value)
        return false;
    slot->confirms += slot->until_ms != 0;
    slot->until_ms = 0;
    return true;
}

static void set(struct slot *slot, bool there, int value, uint64_t within_ms, uint64_t now_ms)
{
    const struct scenario *scenario = &scenarios[world->scenario];
    uint64_t hour = now_ms / 3600000 % 24;

    if (slot->until_ms)
        wrong(world, "'%s' was written again while a change of it waited to be confirmed", slot->key);
    if (scenario->window && (hour < 2 || hour >= 4))
        wrong(world, "'%s' was written outside of the window, at %02u:%02u", slot->key, (unsigned)hour, (unsigned)(now_ms / 60000 % 60));
    slot->was_there = slot->there;
    slot->was = slot->value;
    slot->sets++;
    write_down(slot, there, value);
    slot->until_ms = within_ms ? world->device_ms + within_ms : 0;
    if (scenario->meddled && slot->key[0] == 'a')
        meddle(slot->key);
}

static bool obey(struct slot *slot, const char *body, uint64_t now_ms)
{
    const char *text = strstr(body, "\"value\":"), *within = strstr(body, "\"within_ms\":");
    bool there = text && strncmp(text + 8, "null", 4) != 0;
    int value = there ? atoi(text + 8) : 0;

    if (strstr(body, "\"confirm\":true"))
        return confirm(slot, value);
    if (strstr(body, "\"undo\":true") || (slot->key[0] == 'z' && !value))      /* the undo of z is another set */
        take_back(slot, there, value);
    else
        set(slot, there, value, within ? strtoull(within + 12, NULL, 10) : 0, now_ms);
    return true;
}

static enum trouble trouble_of(unsigned n, bool write)
{
    uint64_t dice = world->seed && !atomic_load(&world->planning) ? mix(world->seed ^ (uint64_t)(world->life * 1000 + n)) % 100 : 99;

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
    const char *pending = slot->until_ms ? "true" : "false";
    char body[80];

    if (slot->there)
        snprintf(body, sizeof(body), "{\"found\":true,\"value\":%d,\"pending\":%s}", slot->value, pending);
    else
        snprintf(body, sizeof(body), "{\"found\":false,\"value\":null,\"pending\":%s}", pending);
    snprintf(c->out, sizeof(c->out), "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
}

/* The process at the other end dies now, before it can be answered. */
static void kill_client(void)
{
    pid_t client = atomic_exchange(&world->client, 0);

    if (client > 0)
        kill(client, SIGKILL);
}

static void serve(struct connection *c, const char *method, const char *key, uint64_t now_ms, const char *body)
{
    unsigned n = atomic_fetch_add(&world->requests, 1) + 1;
    bool write = strcmp(method, "PUT") == 0, last = n == world->nth;
    enum trouble trouble = trouble_of(n, write);
    struct slot *slot = slot_of(key);
    bool conflict = false;

    if (now_ms > world->client_ms)                 /* whoever asks may have set a clock back: its own goes on from there */
        world->device_ms += now_ms - world->client_ms;
    world->client_ms = now_ms;
    lapse(slot);
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
        conflict = !obey(slot, body, now_ms);
    if (last && world->where == AT_REQUEST_DONE)
        kill_client();
    if (trouble == CUT_AFTER) {
        hang_up(c);
        return;
    }
    if (conflict) {
        put(c, "HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n");
        return;
    }
    answer(c, slot);
    c->close_at = trouble == LOST;
    if (trouble == LATE || trouble == LOST)
        c->out_at_ms = clock_ms() + LATE_MS;
    else
        put(c, c->out);
}

/* One whole request, if it is there. What was cut off in the middle never was one. */
static void take(struct connection *c)
{
    char *end, method[8], key[40], *length;
    unsigned number;
    unsigned long long now_ms;
    size_t want;

    c->in[c->len] = '\0';
    end = strstr(c->in, "\r\n\r\n");
    if (!end)
        return;
    length = strcasestr(c->in, "content-length:");
    want = (size_t)(end + 4 - c->in) + (length && length < end ? strtoul(length + 15, NULL, 10) : 0);
    if (c->len < want)
        return;
    if (sscanf(c->in, "%7s /%u/%39[a-z0-9]?now=%llu", method, &number, key, &now_ms) != 4)
        abort();
    c->len = 0;
    if (number == atomic_load(&world->number))
        serve(c, method, key, now_ms, end + 4);
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
            if (c->fd >= 0 && c->out_at_ms && c->out_at_ms <= clock_ms()) {
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
