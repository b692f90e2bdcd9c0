/* message.h: a mail as RFC 5322 wants it. Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mail_part { const char *name, *type, *bytes; size_t len; };     /* name and type are checked */

struct mail {
    const char *from, *const *to, *const *cc;      /* lists end with NULL; cc may be NULL */
    const char *subject, *text;                    /* UTF-8 */
    const char *message_id, *in_reply_to;          /* with <>; in_reply_to may be NULL */
    const char *date;                              /* as it stands in the header */
    const struct mail_part *parts; size_t n_parts; /* attachments */
};

/* The message with CRLF line ends, NUL-terminated; malloced. NULL when there is no memory. */
char *mail_compose(const struct mail *m);
/* "Sat, 21 Nov 2026 02:13:05 +0000" */
void mail_date(uint64_t wall_ms, char ret[40]);
/* A plain address (local@domain, no display name) without anything that could end a header or a command. */
bool mail_address_ok(const char *address);
bool mail_file_name_ok(const char *name);
