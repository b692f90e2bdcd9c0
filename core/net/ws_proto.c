#include "net/ws_proto.h"
#include <ctype.h>
#include <sodium.h>
#include <stdlib.h>
#include <strings.h>
#include "base/text.h"
#include "base/util.h"

/* ---- where to ---- */

static int bad_url(struct ft_err *reterr, const char *what)
{
    return ft_err_class(reterr, FT_INVALID, -EINVAL, "the websocket's URL %s; write ws://host[:port]/path or wss://…", what);
}

static int parse_port(const char *text, size_t len, uint16_t *ret)
{
    unsigned long port = 0;

    if (len == 0 || len > 5)
        return -1;
    for (size_t i = 0; i < len; i++) {
        if (!isdigit((unsigned char)text[i]))
            return -1;
        port = port * 10 + (unsigned long)(text[i] - '0');
    }
    *ret = (uint16_t)port;
    return port >= 1 && port <= 65535 ? 0 : -1;
}

int ft_ws_url_parse(const char *url, struct ft_ws_url *ret, struct ft_err *reterr)
{
    const char *at, *end;
    size_t authority, host;

    memset(ret, 0, sizeof(*ret));
    if (!url || (strncasecmp(url, "ws://", 5) != 0 && strncasecmp(url, "wss://", 6) != 0))
        return bad_url(reterr, "begins with neither ws:// nor wss://");
    for (const unsigned char *c = (const unsigned char *)url; *c; c++)
        if (*c <= ' ' || *c >= 0x7f)
            return bad_url(reterr, "holds a space, a control character or a letter that must be percent-encoded");
    if (strchr(url, '#'))
        return bad_url(reterr, "has a fragment (#)");
    ret->tls = url[2] != ':';
    ret->port = ret->tls ? 443 : 80;
    at = strstr(url, "://") + 3;
    authority = strcspn(at, "/?");
    if (memchr(at, '@', authority))
        return bad_url(reterr, "has a user in it, which belongs in a header");
    ret->target = at + authority;
    end = at + authority;
    host = *at == '[' ? (size_t)((const char *)(memchr(at, ']', authority) ? memchr(at, ']', authority) : at) - at) + 1 : strcspn(at, ":/?");
    if (at + host < end && (at[host] != ':' || parse_port(at + host + 1, (size_t)(end - at) - host - 1, &ret->port) < 0))
        return bad_url(reterr, "has no port between 1 and 65535 behind its host");
    if (host == 0 || authority >= sizeof(ret->host) || (*at == '[' && host < 4))
        return bad_url(reterr, "has no host");
    snprintf(ret->host, sizeof(ret->host), "%.*s", (int)(*at == '[' ? host - 2 : host), *at == '[' ? at + 1 : at);
    snprintf(ret->authority, sizeof(ret->authority), "%.*s", (int)authority, at);
    return 0;
}

/* ---- the upgrade ---- */

static bool is_token(const char *text)
{
    if (!*text)
        return false;
    for (; *text; text++)
        if (!isalnum((unsigned char)*text) && !strchr("!#$%&'*+-.^_`|~", *text))
            return false;
    return true;
}

static bool one_line(const char *text)
{
    for (; *text; text++)
        if (((unsigned char)*text < ' ' && *text != '\t') || *text == 0x7f)
            return false;
    return true;
}

int ft_ws_request(struct ft_buf *out, const struct ft_ws_url *url, const struct ft_ws_req *req, const char *key, struct ft_err *reterr)
{
    ft_buf_addf(out, "GET %s%s HTTP/1.1\r\nHost: %s\r\n", *url->target == '/' ? "" : "/", url->target, url->authority);
    ft_buf_addf(out, "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\nUser-Agent: fettle/" FETTLE_VERSION "\r\n", key);
    if (req->subprotocol && !is_token(req->subprotocol))
        return ft_err_class(reterr, FT_INVALID, -EINVAL, "'%s' is no name of a websocket's subprotocol", req->subprotocol);
    if (req->subprotocol)
        ft_buf_addf(out, "Sec-WebSocket-Protocol: %s\r\n", req->subprotocol);
    for (const struct ft_http_header *h = req->headers; h && h->name; h++) {
        if (!is_token(h->name) || !h->value || !one_line(h->value))
            return ft_err_class(reterr, FT_INVALID, -EINVAL, "the header '%s' cannot be sent: its name or value is not one line of allowed characters", is_token(h->name) ? h->name : "");
        ft_buf_addf(out, "%s: %s\r\n", h->name, h->value);
    }
    ft_buf_adds(out, "\r\n");
    return 0;
}

static enum ft_class class_of(int status)
{
    switch (status) {
    case 401: case 403: case 407: return FT_DENIED;
    case 404: case 410: return FT_NOT_FOUND;
    default: return FT_REFUSED;
    }
}

/* For a sentence: what is printable of a text from outside, and not too much of it. */
static void printable(const char *text, char *ret, size_t size)
{
    size_t n = 0, len = strnlen(text, 120);

    for (size_t i = 0; i < len && n + 1 < size; i++)
        ret[n++] = (unsigned char)text[i] < ' ' || (unsigned char)text[i] >= 0x7f ? '?' : text[i];
    ret[n] = '\0';
}

/* 0 where it is no HTTP/1.x status line; *ret_text is the status and what follows. */
static int status_of(const char *line, const char **ret_text)
{
    if (strncmp(line, "HTTP/1.", 7) != 0 || !isdigit((unsigned char)line[7]) || line[8] != ' ')
        return 0;
    *ret_text = line + 9;
    for (int i = 9; i < 12; i++)
        if (!isdigit((unsigned char)line[i]))
            return 0;
    return line[9] == '0' ? 0 : (line[9] - '0') * 100 + (line[10] - '0') * 10 + line[11] - '0';
}

static int refused(const char *status_line, struct ft_err *reterr)
{
    const char *text = status_line;
    int status = status_of(status_line, &text);
    char shown[128];

    if (!status) {
        printable(status_line, shown, sizeof(shown));
        return ft_err_class(reterr, FT_INVALID, -EPROTO, "what came back is not HTTP ('%s'); is it the right port, and ws or wss as the server expects?", shown);
    }
    if (status == 101)
        return 0;
    printable(text, shown, sizeof(shown));
    return ft_err_class(reterr, class_of(status), -ECONNREFUSED, "the server answered '%s' instead of opening the websocket%s", shown,
                        class_of(status) == FT_DENIED      ? "; check the token or password, and what it may do"
                        : class_of(status) == FT_NOT_FOUND ? "; check the path of the URL"
                        : status >= 300 && status < 400    ? "; give the URL that it leads to"
                                                           : "");
}

static bool has_word(const char *list, const char *word)
{
    size_t len = strlen(word);

    while (*list) {
        size_t n = strcspn(list, ","), from = strspn(list, " \t"), end = n;

        while (end > from && (list[end - 1] == ' ' || list[end - 1] == '\t'))
            end--;
        if (from <= end && end - from == len && strncasecmp(list + from, word, len) == 0)
            return true;
        list += n + (list[n] == ',');
    }
    return false;
}

struct seen { bool upgrade, connection, accepted, protocol, extension; };

static void look_at(struct seen *seen, const char *name, const char *value, const char *accept, const char *subprotocol)
{
    if (strcasecmp(name, "Upgrade") == 0)
        seen->upgrade |= has_word(value, "websocket");
    else if (strcasecmp(name, "Connection") == 0)
        seen->connection |= has_word(value, "upgrade");
    else if (strcasecmp(name, "Sec-WebSocket-Accept") == 0)
        seen->accepted = strcmp(value, accept) == 0;
    else if (strcasecmp(name, "Sec-WebSocket-Protocol") == 0)
        seen->protocol |= !subprotocol || strcmp(value, subprotocol) != 0;
    else if (strcasecmp(name, "Sec-WebSocket-Extensions") == 0)
        seen->extension |= *value != '\0';
}

int ft_ws_answer(char *head, const char *accept, const char *subprotocol, struct ft_err *reterr)
{
    struct seen seen = { 0 };
    char *line = head, *next;
    int r;

    for (bool first = true; *line; line = next, first = false) {
        char *colon, *end = strchr(line, '\n');

        next = end ? end + 1 : line + strlen(line);
        if (end)
            *end = '\0';
        for (size_t n = strlen(line); n && strchr(" \t\r", line[n - 1]); n--)
            line[n - 1] = '\0';
        if (first) {
            r = refused(line, reterr);
            if (r < 0)
                return r;
        } else if ((colon = strchr(line, ':'))) {
            *colon = '\0';
            look_at(&seen, line, colon + 1 + strspn(colon + 1, " \t"), accept, subprotocol);
        }
    }
    if (!seen.upgrade || !seen.connection || !seen.accepted)
        return ft_err_class(reterr, FT_INVALID, -EPROTO, "the server answered 101 without %s; it is no websocket server, or a proxy is between",
                            seen.accepted ? "switching to the websocket protocol" : "the right key");
    if (seen.protocol || seen.extension)
        return ft_err_class(reterr, FT_INVALID, -EPROTO, "the server chose %s that was not offered", seen.protocol ? "a subprotocol" : "an extension");
    return 0;
}

/* ---- frames ---- */

void ft_ws_frames_init(struct ft_ws_frames *frames, size_t max_message)
{
    *frames = (struct ft_ws_frames){ .max = max_message, .message = FT_BUF_INIT(max_message + 1) };
}

void ft_ws_frames_done(struct ft_ws_frames *frames)
{
    ft_buf_done(&frames->message);
}

static enum ft_ws_event broken(struct ft_ws_frames *frames, unsigned code, const char *what)
{
    frames->close_code = code;
    frames->broken = what;
    return FT_WS_BROKEN;
}

static bool is_control(enum ft_ws_opcode opcode)
{
    return opcode >= FT_WS_CLOSE;
}

/* How many bytes the frame's head has, by its first two. */
static size_t head_size(const struct ft_ws_frames *frames)
{
    unsigned len = frames->head_len < 2 ? 0 : frames->head[1] & 0x7f;

    return len == 127 ? 10 : len == 126 ? 4 : 2;
}

static uint64_t payload_size(const struct ft_ws_frames *frames)
{
    size_t bytes = head_size(frames) - 2;
    uint64_t len = 0;

    if (!bytes)
        return frames->head[1] & 0x7f;
    for (size_t i = 0; i < bytes; i++)
        len = len << 8 | frames->head[2 + i];
    return len;
}

/* A whole head: FT_WS_NEED_MORE where it is one that may come now. */
static enum ft_ws_event begin_frame(struct ft_ws_frames *frames)
{
    frames->fin = frames->head[0] & 0x80;
    frames->opcode = (enum ft_ws_opcode)(frames->head[0] & 0x0f);
    frames->left = payload_size(frames);
    frames->head_len = 0;
    frames->in_payload = true;
    if (frames->head[0] & 0x70)
        return broken(frames, 1002, "a frame uses an extension that was not agreed on");
    if (frames->head[1] & 0x80)
        return broken(frames, 1002, "a frame of the server is masked");
    if (is_control(frames->opcode)) {
        frames->control_len = 0;
        if (frames->opcode > FT_WS_PONG)
            return broken(frames, 1002, "a frame is of an unknown kind");
        return frames->fin && frames->left <= 125 ? FT_WS_NEED_MORE : broken(frames, 1002, "a control frame is in pieces, or too long");
    }
    if (frames->opcode > FT_WS_BINARY)
        return broken(frames, 1002, "a frame is of an unknown kind");
    if ((frames->opcode == FT_WS_CONTINUATION) != frames->started)
        return broken(frames, 1002, frames->started ? "a message begins within another one" : "a message goes on that has not begun");
    if (!frames->started) {
        ft_buf_clear(&frames->message);
        frames->message_opcode = frames->opcode;
    }
    frames->started = true;
    if (frames->left > frames->max - frames->message.len)
        return broken(frames, 1009, "a message is too large");
    return FT_WS_NEED_MORE;
}

static enum ft_ws_event end_close(struct ft_ws_frames *frames)
{
    const unsigned char *code = (const unsigned char *)frames->control;

    frames->close_code = 1005;
    if (frames->control_len == 0)
        return FT_WS_GOT_CLOSE;
    if (frames->control_len == 1)
        return broken(frames, 1002, "a close has half a code");
    frames->close_code = (unsigned)code[0] << 8 | code[1];
    memmove(frames->control, frames->control + 2, frames->control_len - 1);
    frames->control_len -= 2;
    if (frames->close_code < 1000 || frames->close_code > 4999 || (frames->close_code > 1003 && frames->close_code < 1007) || (frames->close_code > 1014 && frames->close_code < 3000))
        return broken(frames, 1002, "a close has a code that may not be sent");
    if (!ft_utf8_valid(frames->control, frames->control_len))
        return broken(frames, 1007, "a close has a reason that is not UTF-8");
    return FT_WS_GOT_CLOSE;
}

static enum ft_ws_event end_frame(struct ft_ws_frames *frames)
{
    frames->in_payload = false;
    switch (frames->opcode) {
    case FT_WS_PING: return FT_WS_GOT_PING;
    case FT_WS_PONG: return FT_WS_NEED_MORE;
    case FT_WS_CLOSE: return end_close(frames);
    default: break;
    }
    if (!frames->fin)
        return FT_WS_NEED_MORE;
    frames->started = false;
    if (frames->message_opcode == FT_WS_TEXT && !ft_utf8_valid(ft_buf_str(&frames->message), frames->message.len))
        return broken(frames, 1007, "a text message is not UTF-8");
    return FT_WS_GOT_MESSAGE;
}

enum ft_ws_event ft_ws_next(struct ft_ws_frames *frames, const char **bytes, size_t *len)
{
    enum ft_ws_event event = FT_WS_NEED_MORE;

    while (event == FT_WS_NEED_MORE && (*len || (frames->in_payload && !frames->left))) {
        size_t n;

        if (!frames->in_payload) {
            frames->head[frames->head_len++] = (unsigned char)**bytes;
            (*bytes)++;
            (*len)--;
            if (frames->head_len >= 2 && frames->head_len == head_size(frames))
                event = begin_frame(frames);
            continue;
        }
        n = (size_t)ft_min((uint64_t)*len, frames->left);
        if (is_control(frames->opcode)) {
            memcpy(frames->control + frames->control_len, *bytes, n);
            frames->control[frames->control_len += n] = '\0';
        } else {
            ft_buf_add(&frames->message, *bytes, n);
        }
        *bytes += n;
        *len -= n;
        frames->left -= n;
        if (!frames->left)
            event = end_frame(frames);
    }
    return event;
}

void ft_ws_frame(struct ft_buf *out, enum ft_ws_opcode opcode, const void *bytes, size_t len)
{
    unsigned char head[14] = { 0x80 | (unsigned char)opcode }, chunk[1024];
    const unsigned char *from = bytes;
    size_t n = 2, extra = len > 65535 ? 8 : len > 125 ? 2 : 0;
    unsigned char *mask;

    head[1] = 0x80 | (unsigned char)(extra == 8 ? 127 : extra == 2 ? 126 : len);
    for (size_t i = extra; i > 0; i--)
        head[n++] = (unsigned char)((uint64_t)len >> (8 * (i - 1)));
    mask = head + n;
    arc4random_buf(mask, 4);
    ft_buf_add(out, head, n + 4);
    for (size_t at = 0; at < len; at += n) {
        n = ft_min(len - at, sizeof(chunk));
        for (size_t i = 0; i < n; i++)
            chunk[i] = from[at + i] ^ mask[(at + i) & 3];
        ft_buf_add(out, chunk, n);
    }
}
