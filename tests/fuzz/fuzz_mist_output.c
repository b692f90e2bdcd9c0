/* fuzz_mist_output.c: any bytes as a message of Mist's websocket, and as what a device prints. A message is understood or not; cleaned text is
 * printable, and the same in whatever pieces it came; every reader makes a value of the shape that its schema promises, and an end once seen stays seen.
 *
 * The first byte chooses the pieces; what is no message is taken as output as it is. */
#include <stdint.h>
#include <stdio.h>
#include "../../plugins/mist/mist_macs.c"
#include "../../plugins/mist/mist_command_frame.c"
#include "../../plugins/mist/mist_command_read.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

const struct ft_host *host;

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void check_table(json_t *table)
{
    must(json_is_boolean(json_object_get(table, "complete")) && json_is_array(json_object_get(table, "entries")));
    must(json_array_size(json_object_get(table, "entries")) <= MOST_ROWS);
    json_decref(table);
}

static void check_readers(const char *text)
{
    json_t *ping = mist_ping_read(text), *route = mist_traceroute_read(text), *cable = mist_cable_read(text), *lines = mist_lines(text);
    char why[64];
    bool (*const ends[])(const char *) = { mist_ping_ended, mist_traceroute_ended, mist_table_ended, mist_cable_ended, mist_bounce_ended };

    must(json_is_integer(json_object_get(ping, "received")) && json_is_boolean(json_object_get(ping, "reachable")) && json_object_size(ping) == 9);
    must(json_is_array(json_object_get(route, "hops")) && json_array_size(json_object_get(route, "hops")) <= MOST_HOPS);
    must(json_array_size(json_object_get(cable, "pairs")) <= 8 && json_object_size(cable) == 5);
    must(json_array_size(lines) <= MIST_MOST_LINES);
    json_decref(ping);
    json_decref(route);
    json_decref(cable);
    json_decref(lines);
    check_table(mist_arp_read(text));
    check_table(mist_macs_read(text));
    check_table(mist_dot1x_read(text));
    check_table(mist_leases_read(text));
    if (mist_complaint(text, why, sizeof(why)) != FT_CLASS_NONE)
        must(why[0] && strlen(why) < sizeof(why));
    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        ends[i](text);
}

/* New; clean. */
static char *cleaned(const char *raw, size_t len, size_t piece)
{
    struct mist_cleaner cleaner = { 0 };
    char *out = malloc(MIST_CLEAN_ROOM(len) + 2 * len + 1);
    size_t n = 0;

    for (size_t at = 0; at < len; at += piece)
        n += mist_clean(&cleaner, raw + at, len - at < piece ? len - at : piece, out + n);
    must(n <= MIST_CLEAN_ROOM(len));
    out[n] = '\0';
    for (size_t i = 0; i < n; i++)
        must(out[i] == '\n' || out[i] == '\t' || (out[i] >= ' ' && out[i] < 0x7f));
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *raw = (const char *)data + 1;
    struct mist_frame frame;
    json_t *kept;
    char *whole, *pieces;
    size_t len = size - 1;

    if (size < 2 || size > 64 << 10)
        return 0;
    kept = mist_frame_read((const char *)data + 1, size - 1, &frame);
    must(frame.raw);
    if (kept && frame.kind == MIST_FRAME_OUTPUT) {
        raw = frame.raw;
        len = strlen(raw);
    }
    whole = cleaned(raw, len, len ? len : 1);
    pieces = cleaned(raw, len, data[0] % 16 + 1u);
    must(strcmp(whole, pieces) == 0);
    check_readers(whole);
    free(whole);
    free(pieces);
    json_decref(kept);
    return 0;
}
