/* netconf_frame.h: where a NETCONF message ends (RFC 6242): "]]>]]>" after each (1.0, and every hello), or chunks (1.1).
 *
 * Pure: bytes in, messages out, as they arrive; whatever does not follow the rules, or is too long, is an error that stays. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#define NC_MAX_MESSAGE (4u << 20)

enum nc_fed { NC_MORE, NC_MESSAGE, NC_BAD };

struct nc_frame {
    void *(*alloc)(void *arg, size_t size);   /* memory that dies with the owner */
    void *arg;
    bool chunked;                             /* 1.1; set between messages only */
    char *text;                               /* of the message: NUL-terminated, without framing */
    size_t len, size;
    size_t left;                              /* of the chunk */
    size_t matched;                           /* of "]]>]]>" */
    unsigned char at;                         /* state within a chunk's head */
    bool complete;                            /* the text is a whole message: the next byte begins another */
    const char *wrong;                        /* after NC_BAD: what */
};

/* Takes bytes until a message is complete. *ret_used: how many were taken; the rest belongs to the next message.
 * After NC_MESSAGE the text is valid until the next call, which begins anew. */
enum nc_fed nc_feed(struct nc_frame *f, const char *bytes, size_t len, size_t *ret_used);
/* A message as it is sent. *ret: memory of the owner; NULL: none left. */
char *nc_wrap(const struct nc_frame *f, const char *text, size_t *ret_len);
