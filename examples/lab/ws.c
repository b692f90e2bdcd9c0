/* ws.c: the websocket of Mist's cloud, /api-ws/v1/stream (RFC 6455): subscriptions, and what is published to them. One thread a connection.
 *
 * All of a socket but its file descriptor is under the lab's lock. */
#include <microhttpd.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>
#include "lab.h"

enum { MAX_SOCKETS = 32, POLL_MS = 20, IN_MAX = 64 << 10, TEXT = 1, CLOSE = 8, PING = 9, PONG = 10 };

static struct socket {
    bool used, joinable;
    pthread_t thread;
    struct lab *lab;
    struct MHD_UpgradeResponseHandle *handle;
    int fd;
    json_t *channels;            /* owns: {channel: true} */
    json_t *queue;               /* owns: [{due, text}], due in lab time */
    struct ft_buf in;
} sockets[MAX_SOCKETS];

/* ---- frames */

static bool send_all(int fd, const char *bytes, size_t len)
{
    while (len) {
        struct pollfd p = { .fd = fd, .events = POLLOUT };
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && (errno != EAGAIN || poll(&p, 1, 1000) <= 0))
            return false;
        bytes += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

static bool send_frame(int fd, int opcode, const char *bytes, size_t len)
{
    unsigned char head[4] = { (unsigned char)(0x80 | opcode), (unsigned char)(len < 126 ? len : 126), (unsigned char)(len >> 8), (unsigned char)len };

    return len <= 0xffff && send_all(fd, (const char *)head, len < 126 ? 2 : 4) && send_all(fd, bytes, len);
}

/* A whole frame of the client's at the beginning of `in`, unmasked, in place; false: not there yet, or one that the lab does not take (then *ret_opcode is CLOSE). */
static bool take_frame(struct ft_buf *in, int *ret_opcode, char **ret_text, size_t *ret_len, size_t *ret_used)
{
    unsigned char *b = (unsigned char *)in->data, *mask;
    size_t head = 2, len;

    *ret_opcode = -1;
    if (in->len < 2)
        return false;
    len = b[1] & 0x7f;
    if (len == 127 || !(b[1] & 0x80) || !(b[0] & 0x80)) {
        *ret_opcode = CLOSE;
        return false;
    }
    if (len == 126) {
        if (in->len < 4)
            return false;
        len = (size_t)b[2] << 8 | b[3];
        head = 4;
    }
    if (in->len < head + 4 + len)
        return false;
    mask = b + head;
    for (size_t i = 0; i < len; i++)
        b[head + 4 + i] ^= mask[i % 4];
    *ret_opcode = b[0] & 15;
    *ret_text = in->data + head + 4;
    *ret_len = len;
    *ret_used = head + 4 + len;
    return true;
}

/* ---- subscriptions */

/* /sites/{site}/devices/{device}/cmd of a device that there is. */
static bool is_known(struct lab *lab, const char *channel)
{
    char site[64] = "", device[64] = "", end[8] = "";
    int ap, sw;

    if (sscanf(channel, "/sites/%63[^/]/devices/%63[^/]/%7s", site, device, end) != 3 || !ft_streq(end, "cmd"))
        return false;
    ap = lab_find_ap(lab, device);
    sw = lab_find_switch(lab, device);
    return (ap >= 0 && ft_streq(lab->sites[lab->aps[ap].site].id, site)) || (sw >= 0 && ft_streq(lab->sites[lab->switches[sw].site].id, site));
}

static void enqueue(struct socket *s, double due, json_t *message)
{
    char *text = json_dumps(message, JSON_COMPACT);

    json_array_append_new(s->queue, json_pack("{s:f, s:s}", "due", due, "text", text));
    free(text);
    json_decref(message);
}

static void understand(struct socket *s, const char *text, size_t len)
{
    json_t *message = json_loadb(text, len, 0, NULL);
    const char *channel = json_string_value(json_object_get(message, "subscribe")), *gone = json_string_value(json_object_get(message, "unsubscribe"));

    if (channel && is_known(s->lab, channel)) {
        json_object_set_new(s->channels, channel, json_true());
        enqueue(s, 0, json_pack("{s:s, s:s}", "event", "channel_subscribed", "channel", channel));
    } else if (channel) {
        enqueue(s, 0, json_pack("{s:s, s:s, s:s}", "event", "subscribe_failed", "channel", channel, "detail", "Permission denied"));
    } else if (gone) {
        json_object_del(s->channels, gone);
        enqueue(s, 0, json_pack("{s:s, s:s}", "event", "channel_unsubscribed", "channel", gone));
    }
    json_decref(message);
}

void lab_ws_publish(struct lab *lab, double due, const char *channel, const char *inner_channel, const char *session, const char *raw)
{
    for (size_t i = 0; i < ARRAY_LEN(sockets); i++) {
        struct socket *s = &sockets[i];
        json_t *inner;
        char *text;

        if (!s->used || s->lab != lab || !json_object_get(s->channels, channel))
            continue;
        inner = json_pack("{s:s, s:s, s:{s:s, s:s}}", "event", "data", "channel", inner_channel, "data", "session", session, "raw", raw);
        text = json_dumps(inner, 0);             /* text within text, as the cloud sends it */
        enqueue(s, due, json_pack("{s:s, s:s, s:s}", "event", "data", "channel", channel, "data", text));
        free(text);
        json_decref(inner);
    }
}

/* ---- the life of a connection */

static bool receive(struct socket *s)
{
    char bytes[4096];
    ssize_t n = recv(s->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        return false;
    if (n > 0)
        ft_buf_add(&s->in, bytes, (size_t)n);
    return !s->in.overflow;
}

static bool handle_frames(struct socket *s)
{
    size_t len, used;
    char *text;
    int opcode;

    while (take_frame(&s->in, &opcode, &text, &len, &used)) {
        bool goes_on = opcode != CLOSE;

        if (opcode == CLOSE)
            send_frame(s->fd, CLOSE, text, ft_min(len, (size_t)2));
        else if (opcode == PING)
            send_frame(s->fd, PONG, text, len);
        else if (opcode == TEXT) {
            pthread_mutex_lock(&s->lab->lock);
            understand(s, text, len);
            pthread_mutex_unlock(&s->lab->lock);
        }
        memmove(s->in.data, s->in.data + used, s->in.len - used);
        s->in.len -= used;
        if (!goes_on)
            return false;
    }
    return opcode != CLOSE;
}

/* The first text that is due. New; NULL: none. */
static char *next_due(struct socket *s)
{
    json_t *one;
    size_t i;
    char *text;

    json_array_foreach(s->queue, i, one) {
        if (json_number_value(json_object_get(one, "due")) > s->lab->now)
            continue;
        text = ft_strdup(json_string_value(json_object_get(one, "text")));
        json_array_remove(s->queue, i);
        return text;
    }
    return NULL;
}

static bool send_due(struct socket *s, bool *ret_stopping)
{
    char *text;
    bool sent = true;

    do {
        pthread_mutex_lock(&s->lab->lock);
        lab_tick(s->lab);
        *ret_stopping = s->lab->stopping;
        text = next_due(s);
        pthread_mutex_unlock(&s->lab->lock);
        sent = !text || send_frame(s->fd, TEXT, text, strlen(text));
        free(text);
    } while (text && sent);
    return sent;
}

static void *serve(void *arg)
{
    struct socket *s = arg;
    bool stopping = false, goes_on = handle_frames(s);

    while (goes_on && !stopping) {
        struct pollfd p = { .fd = s->fd, .events = POLLIN };

        if (poll(&p, 1, POLL_MS) > 0)
            goes_on = receive(s) && handle_frames(s);
        goes_on = goes_on && send_due(s, &stopping);
    }
    if (stopping)
        send_frame(s->fd, CLOSE, "\x03\xe9", 2);          /* 1001: going away */
    MHD_upgrade_action(s->handle, MHD_UPGRADE_ACTION_CLOSE);
    pthread_mutex_lock(&s->lab->lock);
    json_decref(s->channels);
    json_decref(s->queue);
    ft_buf_done(&s->in);
    s->used = false;
    pthread_mutex_unlock(&s->lab->lock);
    return NULL;
}

static struct socket *free_slot(void)
{
    for (size_t i = 0; i < ARRAY_LEN(sockets); i++)
        if (!sockets[i].used)
            return &sockets[i];
    return NULL;
}

static void upgraded(void *cls, struct MHD_Connection *connection, void *req_cls, const char *extra, size_t extra_len, MHD_socket fd,
                     struct MHD_UpgradeResponseHandle *handle)
{
    struct lab *lab = cls;
    struct socket *s;

    (void)connection;
    (void)req_cls;
    pthread_mutex_lock(&lab->lock);
    s = lab->stopping ? NULL : free_slot();
    if (s) {
        if (s->joinable)
            pthread_join(s->thread, NULL);       /* its last deed was to let the slot go */
        *s = (struct socket){ .lab = lab, .handle = handle, .fd = fd,
                              .channels = json_object(), .queue = json_array(), .in = FT_BUF_INIT(IN_MAX), .used = true, .joinable = true };
        ft_buf_add(&s->in, extra, extra_len);
        if (pthread_create(&s->thread, NULL, serve, s) != 0)
            abort();
    }
    pthread_mutex_unlock(&lab->lock);
    if (!s)
        MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
}

struct MHD_Response *lab_ws_response(struct lab *lab, const char *key)
{
    struct MHD_Response *response = MHD_create_response_for_upgrade(upgraded, lab);
    unsigned char digest[SHA_DIGEST_LENGTH], accept[2 * SHA_DIGEST_LENGTH];
    char text[128];

    snprintf(text, sizeof(text), "%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    SHA1((const unsigned char *)text, strlen(text), digest);
    EVP_EncodeBlock(accept, digest, sizeof(digest));
    MHD_add_response_header(response, "Upgrade", "websocket");
    MHD_add_response_header(response, "Sec-WebSocket-Accept", (const char *)accept);
    return response;
}

void lab_ws(struct lab_req *req, struct lab_res *res)
{
    const char *auth = lab_header(req, "Authorization"), *upgrade = lab_header(req, "Upgrade"), *key = lab_header(req, "Sec-WebSocket-Key");

    if (!auth || strncasecmp(auth, "Token ", 6) != 0 || strcmp(auth + 6, req->lab->mist_token) != 0) {
        res->status = 401;
        res->json = json_pack("{s:s}", "detail", "Authentication credentials were not provided.");
    } else if (!ft_streq(req->path, "/api-ws/v1/stream")) {
        lab_mist_not_found(res);
    } else if (!upgrade || strcasecmp(upgrade, "websocket") != 0 || !key || strlen(key) > 64) {
        lab_mist_bad(res, "this is a websocket");
    } else {
        res->status = 101;
        res->ws_key = key;
    }
}

void lab_ws_stop(void)
{
    for (size_t i = 0; i < ARRAY_LEN(sockets); i++)
        if (sockets[i].joinable)
            pthread_join(sockets[i].thread, NULL);
}
