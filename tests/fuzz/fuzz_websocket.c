/* What a websocket server sends: with an odd first byte the answer to the upgrade, else frames, in pieces of half that size. */
#include <stdint.h>
#include <string.h>
#include "base/text.h"
#include "base/util.h"
#include "net/ws_proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_MESSAGE = 3000 };

static void answer(const char *bytes, size_t len)
{
    char *head = ft_strndup(bytes, len);
    struct ft_err err = { 0 };
    int r = ft_ws_answer(head, "good", len % 2 ? "p" : NULL, &err);

    if (r < 0 && (err.class == FT_CLASS_NONE || !*err.text || !ft_utf8_valid(err.text, strlen(err.text)) || strpbrk(err.text, "\r\n\t")))
        abort();
    free(head);
}

static bool told(struct ft_ws_frames *frames, enum ft_ws_event event)
{
    switch (event) {
    case FT_WS_GOT_MESSAGE:
        if (frames->message.len > MAX_MESSAGE || (frames->message_opcode == FT_WS_TEXT && !ft_utf8_valid(ft_buf_str(&frames->message), frames->message.len)))
            abort();
        return true;
    case FT_WS_GOT_PING:
        if (frames->control_len > 125)
            abort();
        return true;
    case FT_WS_GOT_CLOSE:
        if (strlen(frames->control) > frames->control_len || frames->close_code < 1000)
            abort();
        return false;
    default:
        if (!frames->broken)
            abort();
        return false;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ft_ws_frames frames;
    size_t chunk;
    bool goes_on = true;

    if (size < 2)
        return 0;
    if (data[0] % 2) {
        answer((const char *)data + 1, size - 1);
        return 0;
    }
    chunk = data[0] / 2 + 1;
    ft_ws_frames_init(&frames, MAX_MESSAGE);
    for (size_t at = 1; at < size && goes_on; at += chunk) {
        const char *bytes = (const char *)data + at;
        size_t len = ft_min(chunk, size - at);
        enum ft_ws_event event;

        while (goes_on && (event = ft_ws_next(&frames, &bytes, &len)) != FT_WS_NEED_MORE)
            goes_on = told(&frames, event);
        if (goes_on && len)
            abort();
    }
    ft_ws_frames_done(&frames);
    return 0;
}
