/* pack.c: plans and seals lie packed in the store, and their SQL says packed(text) as it writes and plain(text) as it reads. A plan is made for every
 * gate, and a seal for every run that parks: unpacked they were nearly half of what a parked run takes of the disk.
 *
 * Packed is a BLOB: one byte 1, the CRC-32 of what follows (4 bytes, little end first), a raw deflate stream that begins from `common`. Hashes and
 * signatures are over the plain text; the checksum shows a changed byte that would unpack to the same text. What packing does not make shorter, and
 * what an older fettle wrote, is TEXT, and stays as it is. */
#include <zlib.h>

#include "store/internal.h"

#define PLAIN_MAX ((size_t)256 << 20)

enum { FORMAT = 1, HEAD = 5 };

/* What plans and seals have in common. Every packed text depends on it: never changed, another one is another FORMAT. */
static const char common[] =
    "\"check\":{\"action\":\"kind\":\"probe\",\"timeout\":\"approve\":\"ask\":\"wait\":\"fail\"]\"remediate\"\"diagnose\"\"routine\","
    "\"normal\",\"standard\",\"emergency\",\"application/json\",\"headers\":{\"method\":\"DELETE\",\"PUT\",\"GET\",\"PATCH\",\"http://https:"
    "//api/v1/sites/orgs/\"hostname\":\"\"name\":\"\"enabled\":false,\"site\":\"ip-address\":\"10.\"mac\":\"client\":\"message\":\"result.\"hours\":"
    "\"min\":\"max\":\"reason\":\"not known\"why\":\"the \"watch\":\"moves\":\"valid_ms\":{\"seal\":1,\"n\":,\"at\":1,\"before\":\"\","
    "\"key\":\"\",\"runs\":[],\"plans\":[],\"note\":{\"begins\":true}}\"],[\"\",\"\"]],\"plans\":[[\"\",\"\"]]}{\"batches\":[],\"cut\":"
    "false,\"digest\":\"\",\"fettle_plan\":1,\"from\":\"\",\"may_fail\":true,\"may_fail\":false,\"need_ms\":240000,\"needs\":[],\"need_ms\":"
    "0,\"needs\":[],\"nodes\":[{\"action\":\"\",\"certain\":true,\"effect\":\"read\",\"id\":\"\",\"n\":1,\"params\":{},\"path\":\"\","
    "\"title\":\"\",\"verb\":\"run\",\"ways\":[{\"certain\":false,\"if\":\"\",\"to\":\"\"},{\"by\":{\"count\":1,\"role\":null},\"certain\":"
    "true,\"id\":\"gate\",\"n\":1,\"note\":\"?\",\"path\":\"gate\",\"title\":\"gate\",\"verb\":\"approve\",\"ways\":[{\"certain\":true,"
    "\"if\":null,\"to\":\"\"}],\"write\":1}],\"outcomes\":{\"\":\"possible\",\"\":\"certain\"},\"params\":{\"\":},\"playbook\":{\"category\":"
    "\"change\",\"category\":\"check\",\"digest\":\"\",\"name\":\"\",\"severity\":\"\",\"title\":\"\"},\"plugins\":{\"\":\"0.1.0\",\"1.0\"}"
    ",\"rests_on\":{\"digest\":\"\",\"states\":0},\"score\":{\"exact\":0,\"predicted\":0,\"undetermined\":0},\"sources\":\"\",\"users\":"
    "0,\"vars\":{},\"whole\":\"\",\"writes\":[]}\"writes\":[{\"action\":\"\",\"before\":[{\"certain\":true,\"effect\":\"write\",\"exactness\":"
    "\"exact\",\"id\":\"\",\"n\":1,\"need_ms\":240000,\"params\":{},\"path\":\"\",\"requests\":[{\"body\":{},\"method\":\"POST\",\"url\":"
    "\"http://127.0.0.1:\"}],\"summary\":\"\",\"targets\":[],\"title\":\"\",\"undo\":{\"action\":\"\",\"kind\":\"auto\"},\"users\":0}"
    "]}";

static uint32_t checksum(const unsigned char *bytes, size_t len)
{
    return (uint32_t)crc32_z(0, bytes, len);
}

static void put_head(unsigned char *to, size_t len)
{
    uint32_t sum = checksum(to + HEAD, len - HEAD);

    to[0] = FORMAT;
    for (int i = 0; i < 4; i++)
        to[1 + i] = (unsigned char)(sum >> 8 * i);
}

static bool head_fits(const unsigned char *bytes, size_t len)
{
    uint32_t sum;

    if (len <= HEAD || bytes[0] != FORMAT)
        return false;
    sum = checksum(bytes + HEAD, len - HEAD);
    return bytes[1] == (sum & 0xff) && bytes[2] == (sum >> 8 & 0xff) && bytes[3] == (sum >> 16 & 0xff) && bytes[4] == sum >> 24;
}

/* Most texts are short, and need no more memory than that: it is taken anew for each. */
static int begin(z_stream *z, size_t len)
{
    bool is_short = len + sizeof(common) < 8192 - 512;

    return deflateInit2(z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, is_short ? -13 : -MAX_WBITS, is_short ? 5 : MAX_MEM_LEVEL, Z_DEFAULT_STRATEGY);
}

/* NULL where it would not be shorter. */
static unsigned char *pack(const char *text, size_t len, size_t *ret_len)
{
    z_stream z = { 0 };
    unsigned char *to;
    int r;

    if (len <= HEAD + 1 || len > PLAIN_MAX || begin(&z, len) != Z_OK)
        return NULL;
    to = ft_calloc(1, len);
    z.next_in = (unsigned char *)text;
    z.avail_in = (uInt)len;
    z.next_out = to + HEAD;
    z.avail_out = (uInt)(len - HEAD - 1);
    r = deflateSetDictionary(&z, (const unsigned char *)common, sizeof(common) - 1);
    if (r == Z_OK)
        r = deflate(&z, Z_FINISH);
    deflateEnd(&z);
    if (r != Z_STREAM_END) {
        free(to);
        return NULL;
    }
    *ret_len = HEAD + z.total_out;
    put_head(to, *ret_len);
    return to;
}

/* Exactly one stream, whole, and nothing behind it. */
static char *unpack(const unsigned char *bytes, size_t len, size_t *ret_len)
{
    struct ft_buf text = FT_BUF_INIT(PLAIN_MAX);
    unsigned char piece[16384];
    z_stream z = { 0 };
    int r;

    if (!head_fits(bytes, len) || inflateInit2(&z, -MAX_WBITS) != Z_OK)
        return NULL;
    z.next_in = (unsigned char *)bytes + HEAD;
    z.avail_in = (uInt)(len - HEAD);
    r = inflateSetDictionary(&z, (const unsigned char *)common, sizeof(common) - 1);
    while (r == Z_OK && !text.overflow) {
        z.next_out = piece;
        z.avail_out = sizeof(piece);
        r = inflate(&z, Z_NO_FLUSH);
        ft_buf_add(&text, piece, sizeof(piece) - z.avail_out);
    }
    inflateEnd(&z);
    if (r != Z_STREAM_END || z.avail_in || text.overflow || !text.len) {
        ft_buf_done(&text);
        return NULL;
    }
    *ret_len = text.len;
    return ft_buf_take(&text);
}

static void sql_packed(sqlite3_context *context, int count, sqlite3_value **values)
{
    const char *text = (const char *)sqlite3_value_text(values[0]);
    size_t len = (size_t)sqlite3_value_bytes(values[0]), packed_len = 0;
    unsigned char *packed = text ? pack(text, len, &packed_len) : NULL;

    (void)count;
    if (packed)
        sqlite3_result_blob64(context, packed, packed_len, free);
    else
        sqlite3_result_value(context, values[0]);
}

static void sql_plain(sqlite3_context *context, int count, sqlite3_value **values)
{
    size_t len = 0;
    char *text;

    (void)count;
    if (sqlite3_value_type(values[0]) != SQLITE_BLOB) {
        sqlite3_result_value(context, values[0]);
        return;
    }
    text = unpack(sqlite3_value_blob(values[0]), (size_t)sqlite3_value_bytes(values[0]), &len);
    if (text)
        sqlite3_result_text64(context, text, len, free, SQLITE_UTF8);
    else
        sqlite3_result_text(context, PACK_DAMAGED, -1, SQLITE_STATIC);
}

int pack_functions(sqlite3 *db)
{
    const int how = SQLITE_UTF8 | SQLITE_DETERMINISTIC;
    int r = sqlite3_create_function_v2(db, "packed", 1, how, NULL, sql_packed, NULL, NULL, NULL);

    return r == SQLITE_OK ? sqlite3_create_function_v2(db, "plain", 1, how, NULL, sql_plain, NULL, NULL, NULL) : r;
}
