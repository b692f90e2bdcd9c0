/* netconf_frame.c: the framing of NETCONF over SSH. */
#include "netconf_frame.h"

#include <stdio.h>
#include <string.h>

#define END "]]>]]>"

enum { HEAD_LF, HEAD_HASH, HEAD_FIRST, HEAD_DIGITS, CHUNK, END_HASH_LF };
/*     \n       #          1-9 or #    0-9 or \n   data   \n, the end   */

static bool put(struct nc_frame *f, const char *bytes, size_t len)
{
    if (f->len + len > NC_MAX_MESSAGE) {
        f->wrong = "a message longer than 4 MiB";
        return false;
    }
    if (f->len + len + 1 > f->size) {
        size_t size = f->size ? f->size : 8192;
        char *larger;

        while (size < f->len + len + 1)
            size *= 2;
        larger = f->alloc(f->arg, size);
        if (!larger) {
            f->wrong = "more than a call may keep";
            return false;
        }
        if (f->len)
            memcpy(larger, f->text, f->len);
        f->text = larger;
        f->size = size;
    }
    memcpy(f->text + f->len, bytes, len);
    f->len += len;
    f->text[f->len] = '\0';
    return true;
}

static enum nc_fed ended(struct nc_frame *f)
{
    if (!f->text && !put(f, "", 0))
        return NC_BAD;
    f->text[f->len] = '\0';
    f->left = f->matched = 0;
    f->at = HEAD_LF;
    f->complete = true;
    return NC_MESSAGE;
}

/* ---- 1.0 ---- */

/* "]]>]]>" may come in pieces, and "]]" may stand before it: after a mismatch the longest end that is also a beginning counts on. */
static size_t next_match(size_t matched, char c)
{
    while (matched && END[matched] != c)
        matched = matched == 5 ? 2 : matched == 4 ? 1 : matched == 2 ? 1 : 0;
    return END[matched] == c ? matched + 1 : 0;
}

static enum nc_fed feed_marked(struct nc_frame *f, const char *bytes, size_t len, size_t *ret_used)
{
    for (size_t i = 0; i < len; i++) {
        f->matched = next_match(f->matched, bytes[i]);
        if (f->matched < sizeof(END) - 1)
            continue;
        *ret_used = i + 1;
        if (!put(f, bytes, i + 1))
            return NC_BAD;
        f->len -= sizeof(END) - 1;
        return ended(f);
    }
    *ret_used = len;
    return put(f, bytes, len) ? NC_MORE : NC_BAD;
}

/* ---- 1.1 ---- */

static enum nc_fed bad_head(struct nc_frame *f)
{
    f->wrong = "a chunk that does not begin as RFC 6242 says";
    return NC_BAD;
}

/* One byte outside a chunk's data. NC_MESSAGE: the end of chunks. */
static enum nc_fed feed_head(struct nc_frame *f, char c)
{
    switch (f->at) {
    case HEAD_LF:
        f->at = HEAD_HASH;
        return c == '\n' ? NC_MORE : bad_head(f);
    case HEAD_HASH:
        f->at = c == '\n' ? HEAD_HASH : HEAD_FIRST;     /* some send an empty line behind the hello */
        return c == '#' || c == '\n' ? NC_MORE : bad_head(f);
    case HEAD_FIRST:
        f->left = (size_t)(c - '0');
        f->at = c == '#' ? END_HASH_LF : HEAD_DIGITS;
        return c == '#' || (c >= '1' && c <= '9') ? NC_MORE : bad_head(f);
    case HEAD_DIGITS:
        if (c == '\n') {
            f->at = CHUNK;
            return NC_MORE;
        }
        if (c < '0' || c > '9')
            return bad_head(f);
        f->left = f->left * 10 + (size_t)(c - '0');
        if (f->left <= NC_MAX_MESSAGE)
            return NC_MORE;
        f->wrong = "a chunk longer than 4 MiB";
        return NC_BAD;
    default:
        return c == '\n' ? ended(f) : bad_head(f);
    }
}

static enum nc_fed feed_chunked(struct nc_frame *f, const char *bytes, size_t len, size_t *ret_used)
{
    size_t at = 0;
    enum nc_fed r = NC_MORE;

    while (at < len && r == NC_MORE) {
        size_t n = len - at < f->left ? len - at : f->left;

        if (f->at != CHUNK) {
            r = feed_head(f, bytes[at++]);
            continue;
        }
        r = put(f, bytes + at, n) ? NC_MORE : NC_BAD;
        at += n;
        f->left -= n;
        if (!f->left)
            f->at = HEAD_LF;
    }
    *ret_used = at;
    return r;
}

enum nc_fed nc_feed(struct nc_frame *f, const char *bytes, size_t len, size_t *ret_used)
{
    *ret_used = 0;
    if (f->wrong)
        return NC_BAD;
    if (f->complete)
        f->len = 0;
    f->complete = false;
    return f->chunked ? feed_chunked(f, bytes, len, ret_used) : feed_marked(f, bytes, len, ret_used);
}

char *nc_wrap(const struct nc_frame *f, const char *text, size_t *ret_len)
{
    size_t len = strlen(text), size = len + 40;
    char *out = f->alloc(f->arg, size);

    if (!out)
        return NULL;
    if (f->chunked)
        *ret_len = (size_t)snprintf(out, size, "\n#%zu\n%s\n##\n", len, text);
    else
        *ret_len = (size_t)snprintf(out, size, "%s" END, text);
    return out;
}
