/* fuzz_netconf.c: any bytes as what a NETCONF server says. The framing finds messages or an error whatever the pieces they come in, and the
 * same ones; every message becomes values or a reason; what comes out is UTF-8 and within bounds.
 *
 * The first byte chooses the framing (bit 0) and how large the pieces are. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "../../plugins/switch/cli.c"
#include "../../plugins/switch/netconf_frame.c"
#undef END
#define put diff_put
#include "../../plugins/switch/textdiff.c"
#undef put
#define class_of xml_class_of
#define is_secret xml_is_secret
#include "../../plugins/switch/netconf_xml.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

#define MAX_BLOCKS 64

static void *blocks[MAX_BLOCKS];
static size_t block_count;

static void *fuzz_alloc(void *arg, size_t size)
{
    (void)arg;
    must(block_count < MAX_BLOCKS && size <= (size_t)16 << 20);
    return blocks[block_count++] = malloc(size);
}

static void check_string(const char *text)
{
    json_t *string = json_string(text);

    must(text && string);                              /* json_string takes UTF-8 only */
    json_decref(string);
}

static void read_message(const char *text, size_t len)
{
    struct nc_message m;
    struct ft_err err = { 0 };
    char *words, *other;
    json_t *tree;

    must(strlen(text) <= len);
    if (nc_parse(text, len, &m, &err) < 0) {
        must(err.text[0] && err.class == FT_INVALID && !m.doc);
        return;
    }
    if (m.failed)
        must(m.error[0] && m.class != FT_CLASS_NONE);
    check_string(m.error);
    check_string(m.warnings);
    tree = nc_json(&m);
    words = json_dumps(tree, JSON_COMPACT);
    must(words);
    free(words);
    json_decref(tree);
    words = nc_all_text(&m);
    other = nc_inner_xml(&m, "data", true);
    must(words && other);
    check_string(other);
    if (strlen(words) < 3000 && strlen(other) < 3000) {
        char *diff = text_diff(words, other), *sets = text_set_diff(other, words), *escaped = nc_escape(words);

        must(diff && sets && escaped && (strcmp(words, other) != 0 || !*diff));
        free(diff);
        free(sets);
        free(escaped);
    }
    free(words);
    free(other);
    nc_message_done(&m);
}

/* How many messages there are, and how it ends; read: look into them. */
static unsigned run(const char *bytes, size_t len, size_t piece, bool is_chunked, bool read)
{
    struct nc_frame f = { .alloc = fuzz_alloc, .chunked = is_chunked };
    unsigned messages = 0;
    enum nc_fed fed = NC_MORE;

    for (size_t at = 0; at < len && fed != NC_BAD; at += piece) {
        size_t left = len - at < piece ? len - at : piece, used;
        const char *p = bytes + at;

        while (left && fed != NC_BAD) {
            fed = nc_feed(&f, p, left, &used);
            must(used <= left && (used || fed == NC_BAD));
            p += used;
            left -= used;
            must(f.len <= NC_MAX_MESSAGE);
            if (fed == NC_MESSAGE && ++messages < 20 && read)
                read_message(f.text, f.len);
        }
    }
    while (block_count)
        free(blocks[--block_count]);
    return messages * 2 + (fed == NC_BAD);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool is_chunked;
    unsigned whole;
    char *text;

    if (size < 2)
        return 0;
    is_chunked = data[0] & 1;
    text = malloc(size);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    whole = run(text, size - 1, size, is_chunked, true);
    must(whole == run(text, size - 1, 1 + (data[0] >> 1) % 17, is_chunked, false));
    read_message(text, size - 1);
    free(text);
    return 0;
}
