/* ws_proto.h: what a websocket's bytes mean (RFC 6455), as a client sees it: the answer to the upgrade, frames in, frames out. No I/O. For net/ only. */
#pragma once
#include <fettle/plugin.h>
#include "base/buf.h"
#include "base/err.h"

enum ft_ws_opcode { FT_WS_CONTINUATION = 0, FT_WS_TEXT = 1, FT_WS_BINARY = 2, FT_WS_CLOSE = 8, FT_WS_PING = 9, FT_WS_PONG = 10 };

/* ---- where to ---- */
struct ft_ws_url {
    bool tls;
    char host[256];                   /* without the brackets of an IPv6 address */
    char authority[300];              /* for the Host header */
    uint16_t port;
    const char *target;               /* path and query, within the URL given; "" for "/" */
};
int ft_ws_url_parse(const char *url, struct ft_ws_url *ret, struct ft_err *reterr);

/* ---- the upgrade ---- */
/* Appends the request. -EINVAL where a header cannot be sent as it is. */
int ft_ws_request(struct ft_buf *out, const struct ft_ws_url *url, const struct ft_ws_req *req, const char *key, struct ft_err *reterr);
/* A whole header block, its empty line included; it is taken apart in place. 0: upgraded; negative: err says why not, with a class. */
int ft_ws_answer(char *head, const char *accept, const char *subprotocol, struct ft_err *reterr);

/* ---- frames ---- */
struct ft_ws_frames {
    size_t max;                       /* of a message */
    unsigned char head[14];
    size_t head_len;                  /* of it, read so far */
    uint64_t left;                    /* of the frame's payload; valid while in_payload */
    bool in_payload, fin, started;    /* started: a message waits for its continuation */
    enum ft_ws_opcode opcode, message_opcode;
    struct ft_buf message;
    char control[126];                /* payload of a control frame, NUL-terminated */
    size_t control_len;
    const char *broken;               /* what is wrong, and the code to close with */
    unsigned close_code;
};
enum ft_ws_event {
    FT_WS_NEED_MORE,                  /* everything is used up */
    FT_WS_GOT_MESSAGE,                /* frames->message */
    FT_WS_GOT_PING,                   /* frames->control */
    FT_WS_GOT_CLOSE,                  /* close_code (1005: none was given) and the reason in control */
    FT_WS_BROKEN,                     /* broken, close_code: to be sent */
};
void ft_ws_frames_init(struct ft_ws_frames *frames, size_t max_message);
void ft_ws_frames_done(struct ft_ws_frames *frames);
/* Takes from the front of the bytes until something is there to be told. After CLOSE and BROKEN it must not be called any more. */
enum ft_ws_event ft_ws_next(struct ft_ws_frames *frames, const char **bytes, size_t *len);
void ft_ws_frame(struct ft_buf *out, enum ft_ws_opcode opcode, const void *bytes, size_t len);     /* masked, as a client must */
