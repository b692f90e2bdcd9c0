/* starttls.c: the few words in the clear before TLS begins. */
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include "net.h"
#include "starttls.h"

enum { MAX_SAID = 8192 };

struct talk { int fd; double until_ms; char said[MAX_SAID + 1]; size_t len; char *error; size_t size; };

static bool failed(struct talk *t, const char *why)
{
    snprintf(t->error, t->size, "%s", why);
    return false;
}

static bool say(struct talk *t, const void *bytes, size_t len)
{
    t->len = 0;
    t->said[0] = '\0';
    return send(t->fd, bytes, len, MSG_NOSIGNAL) == (ssize_t)len || failed(t, strerror(errno));
}

/* More of what the server says. */
static bool hear(struct talk *t)
{
    struct pollfd ready = { .fd = t->fd, .events = POLLIN };
    double left = t->until_ms - net_now_ms();
    ssize_t n;

    if (t->len == MAX_SAID)
        return failed(t, "it says more than any server would");
    if (left <= 0 || poll(&ready, 1, (int)left + 1) != 1)
        return failed(t, "no answer in time");
    n = recv(t->fd, t->said + t->len, MAX_SAID - t->len, 0);
    if (n < 0)
        return failed(t, strerror(errno));
    if (n == 0)
        return failed(t, "the other side closed the connection");
    t->len += (size_t)n;
    t->said[t->len] = '\0';
    return true;
}

/* The line that ends a reply: "250 x" and not "250-x" for SMTP, the one with our tag for IMAP, else the first. NULL: more must come. */
static const char *end_of_reply(const struct talk *t, const char *good)
{
    bool digits = isdigit((unsigned char)good[0]), tagged = strncmp(good, "a ", 2) == 0;

    for (const char *line = t->said, *next; (next = strchr(line, '\n')); line = next + 1) {
        bool goes_on = digits && next - line > 3 && isdigit((unsigned char)line[0]) && line[3] == '-';

        if (!goes_on && (!tagged || strncmp(line, "a ", 2) == 0))
            return line;
    }
    return NULL;
}

/* Waits for a whole reply, whose last line must begin with `good`. */
static bool expect(struct talk *t, const char *good)
{
    const char *line;
    char shown[150];

    while (!(line = end_of_reply(t, good))) {
        if (!hear(t))
            return false;
    }
    if (strncmp(line, good, strlen(good)) == 0)
        return true;
    snprintf(shown, sizeof(shown), "it does not go on with TLS, and says: %.*s", (int)strcspn(line, "\r\n"), line);
    return failed(t, shown);
}

static bool by_lines(struct talk *t, const char *protocol)
{
    static const struct { const char *protocol, *greeting, *hello, *capable, *begin, *ready; } talks[] = {
        { "smtp", "220", "EHLO fettle\r\n", "250", "STARTTLS\r\n", "220" },
        { "imap", "* OK", NULL, NULL, "a STARTTLS\r\n", "a OK" },
        { "pop3", "+OK", NULL, NULL, "STLS\r\n", "+OK" },
    };

    for (size_t i = 0; i < sizeof(talks) / sizeof(talks[0]); i++) {
        if (strcmp(talks[i].protocol, protocol) != 0)
            continue;
        if (!expect(t, talks[i].greeting))
            return false;
        if (talks[i].hello && (!say(t, talks[i].hello, strlen(talks[i].hello)) || !expect(t, talks[i].capable)))
            return false;
        return say(t, talks[i].begin, strlen(talks[i].begin)) && expect(t, talks[i].ready);
    }
    return failed(t, "nobody knows how to begin TLS in this protocol");
}

/* RFC 4511: an extended request, and its response with the result 0. */
static bool by_ldap(struct talk *t)
{
    static const char request[] = "\x30\x1d\x02\x01\x01\x77\x18\x80\x16" "1.3.6.1.4.1.1466.20037";
    const unsigned char *p = (const unsigned char *)t->said;

    if (!say(t, request, sizeof(request) - 1))
        return false;
    while (t->len < 2 || t->len < 2u + (p[1] & 0x80 ? 0 : p[1])) {
        if (!hear(t))
            return false;
    }
    /* 30 len 02 01 01 78 len 0a 01 result; some servers write the lengths in the long form */
    for (size_t i = 2; i + 3 < t->len && i < 20; i++) {
        if (p[i] == 0x0a && p[i + 1] == 1)
            return p[i + 2] == 0 || failed(t, "it refuses to begin TLS");
    }
    return failed(t, "its answer is not one of LDAP");
}

bool starttls_begin(int fd, const char *protocol, double until_ms, char *error, size_t size)
{
    struct talk t = { .fd = fd, .until_ms = until_ms, .error = error, .size = size };

    return strcmp(protocol, "ldap") == 0 ? by_ldap(&t) : by_lines(&t, protocol);
}
