/* fuzz_ssh_output.c: any bytes as what a switch says. The terminal stays within its bounds and gives clean text, the prompt is found at the end or not at all,
 * every reader of every vendor makes a value or gives a reason.
 *
 * The first byte chooses the vendor, the second how large the pieces are in which the rest arrives. '\x1f' parts the answers of a question. */
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "../../plugins/switch/terminal.c"
#include "../../plugins/switch/cli.c"
#include "../../plugins/switch/facts.c"
#include "../../plugins/switch/junos.c"
#include "../../plugins/switch/ios.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_BLOCKS 4096

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* ---- as much of a host as the readers need ---- */

static void *blocks[MAX_BLOCKS];
static size_t block_count;

static void *fuzz_alloc(struct ft_call *call, size_t size)
{
    (void)call;
    must(block_count < MAX_BLOCKS);
    return blocks[block_count++] = calloc(1, size);
}

static char *fuzz_printf(struct ft_call *call, const char *fmt, ...)
{
    char text[8192], *copy;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    copy = fuzz_alloc(call, strlen(text) + 1);
    return strcpy(copy, text);
}

static json_t *params;

static const json_t *fuzz_params(struct ft_call *call)
{
    (void)call;
    return params;
}

static const struct ft_host table = { .alloc = fuzz_alloc, .printf = fuzz_printf, .params = fuzz_params };
const struct ft_host *host = &table;

static struct sw sw;

json_t *sw_hold(struct ft_call *call, json_t *value)
{
    (void)call;
    if (!sw.held)
        sw.held = json_array();
    json_array_append_new(sw.held, value);
    return value;
}

void sw_note_commits(struct ft_call *call, const char *log)
{
    bool ours = false;

    (void)call;
    sw.continues = commit_pending(log, "fettle run 7f3c0a12", &ours) && ours;
}

static void *term_memory(void *arg, size_t size)
{
    (void)arg;
    return fuzz_alloc(NULL, size);
}

/* ---- the terminal ---- */

static void check_text(const char *text)
{
    for (const char *p = text; *p; p++)
        must((unsigned char)*p >= 0x20 || *p == '\n' || *p == '\t');
}

static void check_output(struct term *t, const char *command)
{
    char *output = term_output(t, command, false), *logs = term_output(t, command, true), why[256];
    enum ft_class class = FT_CLASS_NONE;

    must(output && logs && strlen(output) <= strlen(logs) && strlen(logs) <= t->len + 1);
    check_text(output);
    if (cli_error(output, why, sizeof(why), &class))
        must(why[0] && class != FT_CLASS_NONE);
    cli_mask_secrets(logs);
    must(strlen(logs) <= t->len + 1);
}

static void run_terminal(const char *bytes, size_t len, size_t piece)
{
    struct term t = { .alloc = term_memory };
    char learned[sizeof(t.base)] = "";

    for (size_t at = 0; at < len; at += piece) {
        size_t n = len - at < piece ? len - at : piece;

        must(term_feed(&t, bytes + at, n));          /* inputs are far smaller than the limit */
        must(t.line <= t.len && (!t.text || t.text[t.len] == '\0'));
        switch (term_look(&t, "Type ^D")) {
        case TERM_CANDIDATE:
            must(!t.base[0]);
            term_learn(&t);
            must(t.base[0] && term_look(&t, NULL) == TERM_PROMPT && strchr(">#%$", term_prompt_end(&t)));
            snprintf(learned, sizeof(learned), "%s", t.base);
            break;
        case TERM_PROMPT:
            must(strcmp(learned, t.base) == 0);
            check_output(&t, "show version");
            break;
        case TERM_PAGER: case TERM_QUESTION: case TERM_PASSWORD:
            must(t.len > t.line);
            break;
        default:
            break;
        }
    }
    if (t.text) {
        check_output(&t, "show interfaces ge-0/0/7 extensive | display json | no-more");
        check_output(&t, "");
    }
}

/* ---- the readers ---- */

static void check_utf8(const char *text)
{
    json_t *string = json_string(text);

    must(string);
    json_decref(string);
}

/* What is read back as `set` lines begins with set, and the parser moves on. */
static void check_set_lines(const char *text)
{
    const char *at = text;
    struct set_line line;
    char rest[64];

    while (set_next(&at, &line)) {
        must(line.len >= 4 && memcmp(line.text, "set ", 4) == 0 && at > line.text);
        if (set_under(&line, "interfaces", rest, sizeof(rest)))
            must(strlen(rest) < sizeof(rest));
    }
    must(!*at);
}

static void ask_lines(const struct vendor *vendor, const json_t *port)
{
    static const struct op ops[] = { { OP_SET_VLAN, "set_vlan", true, false }, { OP_POE_CYCLE, "poe_cycle", true, true }, { OP_PORT_DISABLE, "port_disable", true, false } };

    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        struct ft_err err = { 0 };

        sw.op = &ops[i];
        sw.change = (struct change){ .first = sw_hold(NULL, json_array()), .undo = sw_hold(NULL, json_array()) };
        if (vendor->lines(NULL, &sw, &ops[i], port, &err) < 0)
            must(err.code < 0 && err.text[0]);
        else
            must(sw.change.path && json_array_size(sw.change.first) > 0 && json_array_size(sw.change.undo) > 0);
    }
}

static void run_readers(const struct vendor *vendor, char *text)
{
    static const char empty[] = "";
    char *rest = text, *part;
    size_t n = 0;

    for (size_t i = 0; i < MAX_COMMANDS; i++)
        sw.answers[i] = empty;
    while (n < MAX_COMMANDS && (part = strsep(&rest, "\x1f")))
        sw.answers[n++] = part;
    sw.vendor = vendor;
    sw.name = "sw-3";
    sw.port = vendor->commits ? "ge-0/0/7" : "Gi1/0/7";
    for (size_t q = 0; q < ASK_COUNT; q++) {
        struct ft_err err = { 0 };
        json_t *value;

        if (!vendor->asks[q].commands[0])
            continue;
        value = vendor->asks[q].read(NULL, &sw, &err);
        must(value ? json_is_object(value) || json_is_array(value) : err.code < 0 && err.text[0]);
        if (value && q == ASK_PORT)
            ask_lines(vendor, value);
        json_decref(value);
    }
    json_decref(sw.held);
    memset(&sw, 0, sizeof(sw));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct vendor *const vendors[] = { &vendor_junos, &vendor_ios, &vendor_eos, &vendor_frr };
    char *text, mac[18];

    if (size < 2 || size > 65536)
        return 0;
    params = json_pack("{s:i, s:b}", "vlan", 110, "force", data[1] & 1);
    text = malloc(size - 1);
    memcpy(text, data + 2, size - 2);
    text[size - 2] = '\0';
    run_terminal(text, size - 2, 1 + data[1] % 64);
    check_set_lines(text);
    must(cli_speed_mbps(text) >= 0);
    if (cli_mac(text, mac))
        must(strlen(mac) == 17);
    cli_make_utf8(text);
    check_utf8(text);
    run_readers(vendors[data[0] % 4], text);
    free(text);
    json_decref(params);
    while (block_count)
        free(blocks[--block_count]);
    return 0;
}
