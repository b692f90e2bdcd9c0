/* What a websocket's bytes mean, without a connection. Every frame test is fed whole and in pieces of each size. */
#include <criterion/criterion.h>
#include "base/util.h"
#include "net/ws_proto.h"

Test(ws_proto, urls)
{
    static const struct { const char *url, *host, *authority, *target; unsigned port; bool tls; } good[] = {
        { "ws://h", "h", "h", "", 80, false }, { "wss://h/a?b=c", "h", "h", "/a?b=c", 443, true }, { "WS://h:8080/", "h", "h:8080", "/", 8080, false },
        { "wss://[::1]:9/x", "::1", "[::1]:9", "/x", 9, true }, { "ws://[fe80::1]", "fe80::1", "[fe80::1]", "", 80, false }, { "ws://h?x", "h", "h", "?x", 80, false },
        { "ws://h:65535", "h", "h:65535", "", 65535, false },
    };
    static const struct { const char *url, *says; } bad[] = {
        { NULL, "begins with neither" }, { "", "begins with neither" }, { "http://h/", "begins with neither" }, { "ws:/h", "begins with neither" }, { "ws://", "no host" },
        { "ws:///x", "no host" }, { "ws://h:0/", "no port" }, { "ws://h:65536/", "no port" }, { "ws://h:x/", "no port" }, { "ws://h:/", "no port" }, { "ws://h:123456", "no port" },
        { "ws://u:p@h/", "has a user" }, { "ws://h/#f", "fragment" }, { "ws://h/a b", "a space" }, { "ws://h/\r\nX: y", "control character" }, { "ws://[]/", "no host" },
        { "ws://[::1", "no port" }, { "ws://[::1]x/", "no port" }, { "ws://:80/", "no host" }, { "ws://h/\u00fc", "percent-encoded" },
    };
    struct ft_ws_url url;

    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct ft_err err = { 0 };

        cr_assert_eq(ft_ws_url_parse(good[i].url, &url, &err), 0, "%s: %s", good[i].url, err.text);
        cr_expect(strcmp(url.host, good[i].host) == 0 && strcmp(url.authority, good[i].authority) == 0 && strcmp(url.target, good[i].target) == 0 && url.port == good[i].port &&
                  url.tls == good[i].tls, "%s: '%s' '%s' '%s' %u", good[i].url, url.host, url.authority, url.target, url.port);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct ft_err err = { 0 };

        cr_expect_eq(ft_ws_url_parse(bad[i].url, &url, &err), -EINVAL, "%s was taken", bad[i].url);
        cr_expect(err.class == FT_INVALID && strstr(err.text, bad[i].says), "%s: %s", bad[i].url, err.text);
    }
}

Test(ws_proto, requests)
{
    static const struct ft_http_header good[] = { { "Authorization", "Token x" }, { NULL, NULL } }, bad[] = { { "X", "a\r\nEvil: 1" }, { NULL, NULL } },
                                       worse[] = { { "X Y", "a" }, { NULL, NULL } };
    struct ft_ws_req req = { .size = sizeof(req), .headers = good, .subprotocol = "v12.stomp" };
    struct ft_buf out = FT_BUF_INIT(0);
    struct ft_ws_url url;
    struct ft_err err = { 0 };

    cr_assert_eq(ft_ws_url_parse("ws://h:1?a=b", &url, NULL), 0);
    cr_assert_eq(ft_ws_request(&out, &url, &req, "KEY", &err), 0);
    cr_expect_str_eq(ft_buf_str(&out), "GET /?a=b HTTP/1.1\r\nHost: h:1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: KEY\r\n"
                                       "User-Agent: fettle/" FETTLE_VERSION "\r\nSec-WebSocket-Protocol: v12.stomp\r\nAuthorization: Token x\r\n\r\n");
    req.headers = bad;
    cr_expect_eq(ft_ws_request(&out, &url, &req, "KEY", &err), -EINVAL);
    cr_expect_null(strstr(err.text, "Evil"), "%s", err.text);
    req.headers = worse;
    cr_expect_eq(ft_ws_request(&out, &url, &req, "KEY", &err), -EINVAL);
    req.subprotocol = "a b";
    cr_expect_eq(ft_ws_request(&out, &url, &req, "KEY", &err), -EINVAL);
    ft_buf_done(&out);
}

#define UP "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n"

Test(ws_proto, answers)
{
    static const struct { const char *head; enum ft_class class; const char *says; } table[] = {
        { UP "Sec-WebSocket-Accept: good\r\n\r\n", FT_CLASS_NONE, "" },
        { UP "sec-websocket-accept:good  \r\nSec-WebSocket-Protocol: p\r\nSec-WebSocket-Extensions: \r\n\r\n", FT_CLASS_NONE, "" },
        { UP "Sec-WebSocket-Accept: Good\r\n\r\n", FT_INVALID, "without the right key" },
        { UP "\r\n", FT_INVALID, "without the right key" },
        { "HTTP/1.1 101 x\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: good\r\n\r\n", FT_INVALID, "without switching to the websocket protocol" },
        { "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: close\r\nSec-WebSocket-Accept: good\r\n\r\n", FT_INVALID, "without switching" },
        { UP "Sec-WebSocket-Accept: good\r\nSec-WebSocket-Protocol: q\r\n\r\n", FT_INVALID, "a subprotocol that was not offered" },
        { UP "Sec-WebSocket-Accept: good\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n", FT_INVALID, "an extension that was not offered" },
        { "HTTP/1.1 401 Unauthorized\r\n\r\n", FT_DENIED, "answered '401 Unauthorized' instead of opening the websocket; check the token" },
        { "HTTP/1.0 403 No\r\n\r\n", FT_DENIED, "403 No" }, { "HTTP/1.1 404 Not Found\r\n\r\n", FT_NOT_FOUND, "; check the path" },
        { "HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n", FT_REFUSED, "give the URL that it leads to" }, { "HTTP/1.1 200 OK\r\n\r\n", FT_REFUSED, "'200 OK'" },
        { "HTTP/1.1 503\r\n\r\n", FT_REFUSED, "'503'" }, { "HTTP/1.1 500 a\x01" "b\r\n\r\n", FT_REFUSED, "'500 a?b'" },
        { "220 mail ready\r\n\r\n", FT_INVALID, "not HTTP ('220 mail ready')" }, { "\r\n\r\n", FT_INVALID, "not HTTP" }, { "HTTP/1.1 99 x\r\n\r\n", FT_INVALID, "not HTTP" },
        { "HTTP/1.1 abc\r\n\r\n", FT_INVALID, "not HTTP" }, { "HTTP/1.11501\r\n\r\n", FT_INVALID, "not HTTP" }, { "HTTP/1.1 10", FT_INVALID, "not HTTP" }, { "HTTP/1.", FT_INVALID, "not HTTP" },
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        char *head = ft_strdup(table[i].head);
        struct ft_err err = { 0 };
        int r = ft_ws_answer(head, "good", "p", &err);

        cr_expect_eq(r < 0, table[i].class != FT_CLASS_NONE, "%zu: %d", i, r);
        cr_expect(err.class == table[i].class && strstr(err.text, table[i].says), "%zu: %s: %s", i, ft_class_name(err.class), err.text);
        free(head);
    }
}

/* ---- frames ---- */

/* What came of the bytes, given in pieces of `chunk`. */
static char *events(const char *bytes, size_t len, size_t chunk, size_t max)
{
    struct ft_ws_frames frames;
    struct ft_buf said = FT_BUF_INIT(0);
    bool over = false;

    ft_ws_frames_init(&frames, max);
    for (size_t at = 0; at < len && !over; at += chunk) {
        const char *from = bytes + at;
        size_t left = ft_min(chunk, len - at);
        enum ft_ws_event event;

        while (!over && (event = ft_ws_next(&frames, &from, &left)) != FT_WS_NEED_MORE) {
            over = event == FT_WS_GOT_CLOSE || event == FT_WS_BROKEN;
            if (event == FT_WS_GOT_MESSAGE && frames.message.len > 50)
                ft_buf_addf(&said, "[%zu]", frames.message.len);
            else if (event == FT_WS_GOT_MESSAGE)
                ft_buf_addf(&said, "[%.*s]", (int)frames.message.len, ft_buf_str(&frames.message));
            else if (event == FT_WS_GOT_PING)
                ft_buf_addf(&said, "<ping %s>", frames.control);
            else if (event == FT_WS_GOT_CLOSE)
                ft_buf_addf(&said, "<close %u %s>", frames.close_code, frames.control);
            else
                ft_buf_addf(&said, "<broken %u: %s>", frames.close_code, frames.broken);
        }
    }
    ft_ws_frames_done(&frames);
    return ft_buf_take(&said);
}

#define B(text) text, sizeof(text) - 1

Test(ws_proto, frames_come_whole_and_in_pieces)
{
    static const struct { const char *bytes; size_t len; const char *events; } table[] = {
        { B("\x81\x02hi"), "[hi]" }, { B("\x82\x02hi\x81\x00"), "[hi][]" }, { B("\x01\x01h\x80\x01i"), "[hi]" }, { B("\x01\x00\x00\x00\x80\x00"), "[]" },
        { B("\x01\x01h\x89\x03png\x00\x01-\x8a\x00\x80\x01i"), "<ping png>[h-i]" }, { B("\x89\x00"), "<ping >" }, { B("\x8a\x02no"), "" },
        { B("\x81\x7e\x00\x03" "abc"), "[abc]" }, { B("\x81\x7f\x00\x00\x00\x00\x00\x00\x00\x01x"), "[x]" },
        { B("\x88\x00"), "<close 1005 >" }, { B("\x88\x02\x03\xe8"), "<close 1000 >" }, { B("\x88\x05\x03\xf0" "bye\x81\x01x"), "<close 1008 bye>" }, { B("\x88\x02\x0b\xb8"), "<close 3000 >" },
        { B("\x01\x02\xe2\x82\x80\x01\xac"), "[\u20ac]" }, { B("\x82\x01\xff"), "[\xff]" },
        { B("\x81\x01\xff"), "<broken 1007: a text message is not UTF-8>" }, { B("\xc1\x00"), "<broken 1002: a frame uses an extension that was not agreed on>" },
        { B("\x81\x81wxyz!"), "<broken 1002: a frame of the server is masked>" }, { B("\x83\x00"), "<broken 1002: a frame is of an unknown kind>" },
        { B("\x8b\x00"), "<broken 1002: a frame is of an unknown kind>" }, { B("\x09\x00"), "<broken 1002: a control frame is in pieces, or too long>" },
        { B("\x89\x7e\x00\x7e"), "<broken 1002: a control frame is in pieces, or too long>" }, { B("\x80\x01x"), "<broken 1002: a message goes on that has not begun>" },
        { B("\x01\x01x\x81\x01y"), "<broken 1002: a message begins within another one>" }, { B("\x88\x01x"), "<broken 1002: a close has half a code>" },
        { B("\x88\x02\x03\xed"), "<broken 1002: a close has a code that may not be sent>" }, { B("\x88\x02\x00\x00"), "<broken 1002: a close has a code that may not be sent>" },
        { B("\x88\x03\x03\xe8\xff"), "<broken 1007: a close has a reason that is not UTF-8>" },
        { B("\x82\x7e\x00\x65"), "<broken 1009: a message is too large>" }, { B("\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff"), "<broken 1009: a message is too large>" },
        { B("\x02\x40----------------------------------------------------------------\x80\x25"), "<broken 1009: a message is too large>" },
        { B("\x02\x40----------------------------------------------------------------\x80\x24------------------------------------"), "[100]" },
    };

    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        for (size_t chunk = 1; chunk <= table[i].len; chunk++) {
            char *came = events(table[i].bytes, table[i].len, chunk, 100);

            cr_expect_str_eq(came ? came : "", table[i].events, "%zu in pieces of %zu: %s", i, chunk, came);
            free(came);
        }
}

Test(ws_proto, what_we_send_is_masked_and_reads_as_it_was)
{
    static const size_t sizes[] = { 0, 1, 125, 126, 1023, 1024, 1025, 65535, 65536, 200000 };

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        char *text = ft_calloc(1, sizes[i] + 1);
        struct ft_buf out = FT_BUF_INIT(0);
        size_t head;
        unsigned char *bytes;

        memset(text, 'a', sizes[i]);
        ft_ws_frame(&out, FT_WS_TEXT, text, sizes[i]);
        bytes = (unsigned char *)out.data;
        head = bytes[1] == 0xff ? 10 : bytes[1] == 0xfe ? 4 : 2;
        cr_expect(bytes[0] == 0x81 && (bytes[1] & 0x80) && out.len == head + 4 + sizes[i], "%zu: %zu", sizes[i], out.len);
        cr_expect_eq(head, sizes[i] > 65535 ? 10 : sizes[i] > 125 ? 4 : 2);
        for (size_t at = 0; at < sizes[i]; at++)
            if ((bytes[head + 4 + at] ^ bytes[head + (at & 3)]) != 'a')
                cr_assert(false, "%zu: byte %zu", sizes[i], at);
        ft_buf_done(&out);
        free(text);
    }
}
