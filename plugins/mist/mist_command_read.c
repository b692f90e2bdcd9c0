/* mist_command_read.c: what devices print: when a command is over, and what it says. Access points print as Linux does, switches as Junos.
 * No host is used here; every text is clean (mist_clean) and bounded. */
#include <arpa/inet.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "mist_command.h"

enum { LINE = 512, WORDS = 40, MOST_ROWS = 4000, MOST_HOPS = 256 };

/* ---- lines and words */

struct line {
    char text[LINE];             /* what is longer is cut */
    bool whole;                  /* its end has come */
    char cut[LINE];
    char *word[WORDS];           /* after split() */
    size_t words;
};

static bool next_line(const char **at, struct line *line)
{
    size_t len = strcspn(*at, "\n"), n = len < LINE ? len : LINE - 1;

    if (!**at)
        return false;
    memcpy(line->text, *at, n);
    line->text[n] = '\0';
    line->whole = (*at)[len] == '\n';
    *at += len + line->whole;
    return true;
}

static void split(struct line *line)
{
    char *rest = line->cut, *word;

    memcpy(line->cut, line->text, LINE);
    line->words = 0;
    while (line->words < WORDS && (word = strsep(&rest, " \t")))
        if (*word)
            line->word[line->words++] = word;
}

static const char *word_of(const struct line *line, size_t i)
{
    return i < line->words ? line->word[i] : "";
}

static bool is_number(const char *text)
{
    return *text && strlen(text) < 10 && strspn(text, "0123456789") == strlen(text);
}

static bool is_address(const char *text)
{
    unsigned char bytes[16];

    return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

/* Takes "(…)", "[…]" and a comma off, in place. */
static char *bare(char *word)
{
    size_t len = strlen(word);

    while (len && strchr(",:;", word[len - 1]))
        word[--len] = '\0';
    if (len > 1 && (*word == '(' || *word == '[') && (word[len - 1] == ')' || word[len - 1] == ']')) {
        word[len - 1] = '\0';
        word++;
    }
    return word;
}

/* A MAC address with its separators: a bare number is a count. */
static bool is_mac(const char *word, char mac[static MIST_MAC_LEN + 1])
{
    return strpbrk(word, ":-.") && mist_mac(word, mac);
}

static json_t *text_or_null(const char *text)
{
    return text && *text ? json_string(text) : json_null();
}

static json_t *number_or_null(double number)
{
    return isfinite(number) && number >= 0 && number < 1e12 ? json_real(number) : json_null();
}

static double number_of(const char *text)
{
    char *end;
    double number = strtod(text, &end);

    return end == text ? -1 : number;
}

json_t *mist_lines(const char *text)
{
    json_t *lines = json_array();
    struct line line;

    while (json_array_size(lines) < MIST_MOST_LINES && next_line(&text, &line))
        json_array_append_new(lines, json_string(line.text));
    while (json_array_size(lines) && !*json_string_value(json_array_get(lines, json_array_size(lines) - 1)))
        json_array_remove(lines, json_array_size(lines) - 1);
    return lines;
}

/* ---- complaints */

static bool is_refusal(const char *line)
{
    line += strspn(line, " \t");
    return strncasecmp(line, "error:", 6) == 0 || strcasestr(line, "unknown command") || strcasestr(line, "syntax error")
        || strcasestr(line, "command not found")
        || strcasestr(line, "is not valid on") || strcasestr(line, "permission denied");
}

static bool is_absence(const char *line)
{
    return strcasestr(line, "device is offline") || strcasestr(line, "not connected") || strcasestr(line, "no response from")
        || strcasestr(line, "device is disconnected")
        || strcasestr(line, "failed to connect to device");
}

enum ft_class mist_complaint(const char *text, char *why, size_t room)
{
    struct line line;
    int looked = 0;

    while (next_line(&text, &line) && looked < 5) {
        const char *said = line.text + strspn(line.text, " \t");

        if (!*said)
            continue;
        looked++;
        /* who is away says one line and no more: in a table the same words are something else */
        if (is_refusal(said) || (looked == 1 && !text[strspn(text, " \t\n")] && is_absence(said))) {
            snprintf(why, room, "%.200s", said);
            return is_refusal(said) ? FT_REFUSED : FT_UNREACHABLE;
        }
    }
    return FT_CLASS_NONE;
}

static bool complains(const char *text)
{
    char why[256];

    return strchr(text, '\n') && mist_complaint(text, why, sizeof(why)) != FT_CLASS_NONE;
}

/* ---- ping */

struct ping { double sent, received, loss, min, avg, max; bool counted; unsigned replies; char address[64], error[256]; bool no_name; };

/* "10 packets transmitted, 9 packets received, 10% packet loss", "10 packets transmitted, 9 received, +1 errors, 10% packet loss, time 9012ms" */
static void read_counts(const char *text, struct ping *p)
{
    const char *got = strchr(text, ','), *loss = strstr(text, "% packet loss");

    if (!got || !loss)
        return;
    p->sent = number_of(text);
    p->received = number_of(got + 1);
    while (loss > text && strchr("0123456789.", loss[-1]))
        loss--;
    p->loss = number_of(loss);
    p->counted = p->sent >= 0 && p->received >= 0;
}

static void read_times(const char *text, struct ping *p)
{
    const char *at = strchr(text, '=');
    char *end;

    if (!at)
        return;
    p->min = strtod(at + 1, &end);
    p->avg = *end == '/' ? strtod(end + 1, &end) : -1;
    p->max = *end == '/' ? strtod(end + 1, &end) : -1;
}

/* "64 bytes from 23.211.0.110: seq=8 ttl=58 time=12.323 ms" */
static void read_reply(const char *text, struct ping *p, double *sum)
{
    const char *time = strstr(text, "time"), *from = strstr(text, "bytes from ");
    double ms = time && (time[4] == '=' || time[4] == '<') ? number_of(time + 5) : -1;

    if (!from || !isfinite(ms) || ms < 0)
        return;
    if (!p->address[0] && sscanf(from + 11, "%63[0-9a-fA-F.:]", p->address) == 1 && p->address[strlen(p->address) - 1] == ':')
        p->address[strlen(p->address) - 1] = '\0';
    if (strstr(text, "DUP!"))
        return;
    *sum += ms;
    p->min = p->replies && p->min < ms ? p->min : ms;
    p->max = p->replies && p->max > ms ? p->max : ms;
    p->avg = *sum / ++p->replies;
}

static void read_ping(const char *text, struct ping *p, bool *ret_ended)
{
    struct line line;
    bool times = false;
    double sum = 0;

    *p = (struct ping){ .sent = -1, .received = -1, .loss = -1, .min = -1, .avg = -1, .max = -1 };
    *ret_ended = false;
    while (next_line(&text, &line)) {
        const char *said = line.text + strspn(line.text, " \t");

        if (strstr(said, "packets transmitted")) {
            read_counts(said, p);
        } else if (p->counted && strstr(said, "min/avg/max")) {
            read_times(said, p);
            times = line.whole;
        } else if (!p->counted) {
            read_reply(said, p, &sum);
        }
        if (!p->error[0] && (strncasecmp(said, "ping:", 5) == 0 || strncasecmp(said, "ping6:", 6) == 0))
            snprintf(p->error, sizeof(p->error), "%.200s", said);
        p->no_name = p->no_name || (line.whole && (strstr(said, "bad address") || strcasestr(said, "unknown host") || strstr(said, "cannot resolve")
                                                   || strstr(said, "not known")));
        *ret_ended = (p->counted && line.whole && (p->received == 0 || times)) || p->no_name;
    }
}

bool mist_ping_ended(const char *text)
{
    struct ping p;
    bool ended;

    read_ping(text, &p, &ended);
    return ended || complains(text);
}

json_t *mist_ping_read(const char *text)
{
    struct ping p;
    bool ended;
    json_t *out = json_object();
    double received;

    read_ping(text, &p, &ended);
    received = p.counted ? p.received : p.replies;
    json_object_set_new(out, "reachable", json_boolean(received > 0));
    json_object_set_new(out, "address", text_or_null(p.address));
    json_object_set_new(out, "sent", p.counted && p.sent < 1e9 ? json_integer((json_int_t)p.sent) : json_null());
    json_object_set_new(out, "received", json_integer(received < 1e9 ? (json_int_t)received : 0));
    json_object_set_new(out, "loss_pct", p.counted ? number_or_null(p.loss) : json_null());
    json_object_set_new(out, "rtt_min_ms", received > 0 ? number_or_null(p.min) : json_null());
    json_object_set_new(out, "rtt_avg_ms", received > 0 ? number_or_null(p.avg) : json_null());
    json_object_set_new(out, "rtt_max_ms", received > 0 ? number_or_null(p.max) : json_null());
    json_object_set_new(out, "error", text_or_null(p.error));
    return out;
}

/* ---- traceroute */

struct route { json_t *hops; char target[64], error[256]; long first, most; bool reached, last_whole; };

/* "traceroute to dns.google (8.8.8.8), 30 hops max, 46 byte packets" */
static void read_route_head(struct line *line, struct route *route)
{
    for (size_t i = 2; i < line->words; i++) {
        char *word = bare(line->word[i]);

        if (!route->target[0] && is_address(word))
            snprintf(route->target, sizeof(route->target), "%s", word);
        if (strcmp(word, "hops") == 0 && is_number(word_of(line, i - 1)))
            route->most = atol(line->word[i - 1]);
    }
}

static void hop_address(json_t *hop, const char *address)
{
    json_t *all = json_object_get(hop, "addresses"), *one;
    size_t i;

    json_array_foreach(all, i, one)
        if (strcmp(json_string_value(one), address) == 0)
            return;
    json_array_append_new(all, json_string(address));
    if (json_is_null(json_object_get(hop, "address")))
        json_object_set_new(hop, "address", json_string(address));
}

/* The probes of a hop: "10.0.0.1 1 ms", "gw (10.0.0.1)  0.512 ms !H  *" */
static void read_probes(struct line *line, size_t i, json_t *hop)
{
    for (; i < line->words; i++) {
        char *word = line->word[i];

        if (strcmp(word, "*") == 0)
            json_object_set_new(hop, "lost", json_integer(json_integer_value(json_object_get(hop, "lost")) + 1));
        else if (*word == '!')
            json_object_set_new(hop, "answer", json_string(word));
        else if (strcmp(word_of(line, i + 1), "ms") == 0 || (strlen(word) > 2 && strcmp(word + strlen(word) - 2, "ms") == 0 && number_of(word) >= 0))
            json_array_append_new(json_object_get(hop, "rtts_ms"), number_or_null(number_of(word)));
        else if (is_address(word = bare(word)))
            hop_address(hop, word);
        else if (strcmp(word, "ms") != 0 && !strpbrk(word, "()[]") && json_is_null(json_object_get(hop, "name")))
            json_object_set_new(hop, "name", json_string(word));
    }
}

static json_t *new_hop(long number)
{
    return json_pack("{s:I, s:n, s:n, s:[], s:[], s:i, s:n}", "hop", (json_int_t)number, "address", "name", "addresses", "rtts_ms", "lost", 0, "answer");
}

static void read_route_line(struct line *line, struct route *route)
{
    size_t count = json_array_size(route->hops);
    bool numbered = is_number(word_of(line, 0)) && strcmp(word_of(line, 1), "ms") != 0 && line->words > 1;

    if (strncmp(word_of(line, 0), "traceroute", 10) == 0 && strcmp(word_of(line, 1), "to") == 0) {
        read_route_head(line, route);
    } else if (strncmp(word_of(line, 0), "traceroute", 10) == 0 && line->word[0][strlen(line->word[0]) - 1] == ':') {
        if (!route->error[0] && !strcasestr(line->text, "warning"))
            snprintf(route->error, sizeof(route->error), "%.200s", line->text + strspn(line->text, " \t"));
    } else if (numbered && count < MOST_HOPS) {
        if (!count)
            route->first = atol(line->word[0]);
        json_array_append_new(route->hops, new_hop(atol(line->word[0])));
        read_probes(line, 1, json_array_get(route->hops, count));
        route->last_whole = line->whole;
    } else if (count && strchr(" \t", line->text[0]) && line->words) {      /* a hop that goes several ways, in Junos */
        read_probes(line, 0, json_array_get(route->hops, count - 1));
        route->last_whole = line->whole;
    }
}

static bool holds(const json_t *list, const char *text)
{
    const json_t *one;
    size_t i;

    json_array_foreach(list, i, one)
        if (strcmp(json_string_value(one), text) == 0)
            return true;
    return false;
}

static void read_route(const char *text, struct route *route)
{
    struct line line;
    const json_t *last;

    *route = (struct route){ .hops = json_array() };
    while (next_line(&text, &line)) {
        split(&line);
        read_route_line(&line, route);
    }
    last = json_array_get(route->hops, json_array_size(route->hops) - 1);
    route->reached = route->target[0] && last && holds(json_object_get(last, "addresses"), route->target);
}

bool mist_traceroute_ended(const char *text)
{
    struct route route;
    long last;
    bool ended;

    read_route(text, &route);
    last = json_array_size(route.hops) ? json_integer_value(json_object_get(json_array_get(route.hops, json_array_size(route.hops) - 1), "hop")) : -1;
    ended = (route.reached && route.last_whole) || (route.most && last >= route.first + route.most - 1 && route.last_whole)
        || (route.error[0] && !json_array_size(route.hops) && text[strlen(text) - 1] == '\n') || complains(text);
    json_decref(route.hops);
    return ended;
}

json_t *mist_traceroute_read(const char *text)
{
    struct route route;

    read_route(text, &route);
    return json_pack("{s:o, s:o, s:o, s:o}", "target", text_or_null(route.target), "reached", route.target[0] ? json_boolean(route.reached) : json_null(),
                     "hops", route.hops, "error", text_or_null(route.error));
}

/* ---- tables */

static const char *after(const char *text, const char *words)
{
    const char *at = strcasestr(text, words);

    return at ? at + strlen(words) : NULL;
}

bool mist_table_ended(const char *text)
{
    const char *total = after(text, "Total entries:");

    return (total && strchr(total, '\n')) || complains(text);
}

/* How many rows the table announces: -1 where it does not. */
static double announced(const char *text)
{
    const char *at = text, *line;
    double sum = -1;

    while ((at = after(at, "thernet switching table : "))) {          /* one for each routing instance */
        double n = number_of(at);

        sum = n < 0 ? sum : sum < 0 ? n : sum + n;
    }
    line = after(text, "Total entries:");
    return line ? number_of(line) : sum;
}

/* Reads rows until the text ends: `row` gives a new object, or NULL for a line that is none. */
static json_t *read_table(const char *text, json_t *(*row)(struct line *line, void *arg), void *arg)
{
    json_t *entries = json_array(), *entry;
    double all = announced(text);
    struct line line;

    while (json_array_size(entries) < MOST_ROWS && next_line(&text, &line)) {
        split(&line);
        entry = row(&line, arg);
        if (entry)
            json_array_append_new(entries, entry);
    }
    return json_pack("{s:b, s:o}", "complete", all < 0 || (double)json_array_size(entries) >= all, "entries", entries);
}

struct arp_head { bool counts, name; };        /* an AP's table: MAC, DEV, VLAN, counters; Junos' with a column of names */

static json_t *arp_row(struct line *line, void *arg)
{
    struct arp_head *head = arg;
    const char *ip = NULL, *interface = NULL, *port = NULL, *vlan = NULL;
    char mac[MIST_MAC_LEN + 1] = "", one[MIST_MAC_LEN + 1];
    size_t mac_at = 0, ip_at = 0, next;
    double idle = -1;

    if (strcmp(word_of(line, 0), "MAC") == 0) {
        head->counts = strcmp(word_of(line, 1), "DEV") == 0;
        head->name = strstr(line->text, "Name");
    }
    for (size_t i = 0; i < line->words; i++) {
        if (!mac[0] && is_mac(line->word[i], one)) {
            memcpy(mac, one, sizeof(mac));
            mac_at = i;
        } else if (!ip && line->word[i][0] != '[' && is_address(line->word[i] = bare(line->word[i]))) {
            ip = line->word[i];
            ip_at = i;
        } else if (i && strcmp(line->word[i - 1], "on") == 0) {
            interface = line->word[i];
        }
    }
    if (!mac[0])
        return NULL;
    if (head->counts) {
        interface = word_of(line, mac_at + 1);
        vlan = word_of(line, mac_at + 2);
        idle = line->words > mac_at + 8 ? number_of(word_of(line, mac_at + 8)) : -1;
    } else if (ip && mac_at < ip_at) {
        next = ip_at + 1 + head->name;
        interface = word_of(line, next);
        port = *word_of(line, next + 1) == '[' ? bare(line->word[next + 1]) : NULL;
    } else if (ip && !interface) {
        interface = word_of(line, line->words - 1);           /* /proc/net/arp */
    }
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "mac", mac, "ip", text_or_null(ip), "interface", text_or_null(interface), "port", text_or_null(port),
                     "vlan", vlan && is_number(vlan) ? json_integer(atol(vlan)) : json_null(), "idle_s", number_or_null(idle));
}

json_t *mist_arp_read(const char *text)
{
    struct arp_head head = { 0 };

    return read_table(text, arp_row, &head);
}

/* "vlan10  00:00:5e:00:53:01  D  -  ge-0/0/3.0  0  0" */
static json_t *mac_row(struct line *line, void *arg)
{
    char mac[MIST_MAC_LEN + 1];

    (void)arg;
    if (!is_mac(word_of(line, 1), mac) || line->words < 4)
        return NULL;
    return json_pack("{s:s, s:s, s:s, s:o, s:o}", "vlan", line->word[0], "mac", mac, "flags", word_of(line, 2),
                     "age_s", is_number(word_of(line, 3)) ? json_integer(atol(line->word[3])) : json_null(), "interface", text_or_null(word_of(line, 4)));
}

json_t *mist_macs_read(const char *text)
{
    return read_table(text, mac_row, NULL);
}

/* "ge-0/0/0.0  Authenticator  Authenticated  00:00:5e:00:53:01  anna" */
static json_t *dot1x_row(struct line *line, void *arg)
{
    char mac[MIST_MAC_LEN + 1];
    bool has_mac = is_mac(word_of(line, 3), mac);

    (void)arg;
    if (line->words < 3 || !strchr(line->word[0], '-') || !strchr(line->word[0], '/'))
        return NULL;
    return json_pack("{s:s, s:s, s:s, s:o, s:o}", "port", line->word[0], "role", line->word[1], "state", line->word[2],
                     "mac", has_mac ? json_string(mac) : json_null(), "user", text_or_null(has_mac ? word_of(line, 4) : ""));
}

json_t *mist_dot1x_read(const char *text)
{
    return read_table(text, dot1x_row, NULL);
}

/* "10.1.20.50  12  00:00:5e:00:53:01  86000  BOUND  irb.20" */
static json_t *lease_row(struct line *line, void *arg)
{
    char mac[MIST_MAC_LEN + 1];
    size_t at = 1;

    (void)arg;
    if (!is_address(word_of(line, 0)))
        return NULL;
    while (at < line->words && !is_mac(line->word[at], mac))
        at++;
    if (at >= line->words)
        return NULL;
    return json_pack("{s:s, s:s, s:o, s:o, s:o}", "ip", line->word[0], "mac", mac,
                     "expires_s", is_number(word_of(line, at + 1)) ? json_integer(atol(line->word[at + 1])) : json_null(),
                     "state", text_or_null(word_of(line, at + 2)), "interface", text_or_null(word_of(line, at + 3)));
}

json_t *mist_leases_read(const char *text)
{
    return read_table(text, lease_row, NULL);
}

/* ---- cable test: show diagnostics tdr interface … detail, as "name : value" */

/* The value of a line, and its name cut to what stands before the colon; NULL: no such line. */
static char *value_of(struct line *line)
{
    char *colon = strchr(line->text, ':'), *end;

    if (!colon)
        return NULL;
    end = colon;
    while (end > line->text && strchr(" \t", end[-1]))
        end--;
    *end = '\0';
    memmove(line->text, line->text + strspn(line->text, " \t"), strlen(line->text + strspn(line->text, " \t")) + 1);
    return colon + 1 + strspn(colon + 1, " \t");
}

static json_t *measure(const char *value)
{
    return number_or_null(number_of(value));
}

static void read_pair(json_t *pair, const char *name, const char *value)
{
    if (strcasecmp(name, "Cable status") == 0)
        json_object_set_new(pair, "status", json_string(value));
    else if (strcasestr(name, "istance"))
        json_object_set_new(pair, "fault_m", measure(value));
    else if (strncasecmp(name, "Polar", 5) == 0)
        json_object_set_new(pair, "polarity", json_string(value));
    else if (strncasecmp(name, "Skew", 4) == 0)
        json_object_set_new(pair, "skew_ns", measure(value));
}

static bool is_fault(const json_t *pair)
{
    const char *status = json_string_value(json_object_get(pair, "status"));

    return status && strncasecmp(status, "Normal", 6) != 0 && strncasecmp(status, "N/A", 3) != 0 && strncasecmp(status, "OK", 2) != 0
        && strncasecmp(status, "Not", 3) != 0 && strncasecmp(status, "Passed", 6) != 0;
}

json_t *mist_cable_read(const char *text)
{
    json_t *pairs = json_array(), *pair = NULL, *out = json_pack("{s:n, s:n, s:n}", "test_status", "link", "passed");
    json_int_t faults = 0;
    struct line line;
    size_t i;

    while (next_line(&text, &line)) {
        const char *value = value_of(&line), *name = line.text;

        if (!value)
            continue;
        if (strcasecmp(name, "MDI pair") == 0 && json_array_size(pairs) < 8) {
            pair = json_pack("{s:s, s:n, s:n, s:n, s:n}", "pair", value, "status", "fault_m", "polarity", "skew_ns");
            json_array_append_new(pairs, pair);
        } else if (strcasecmp(name, "Test status") == 0) {
            json_object_set_new(out, "test_status", json_string(value));
            json_object_set_new(out, "passed", json_boolean(strcasestr(value, "pass") || strcasestr(value, "success")));
        } else if (strcasecmp(name, "Link status") == 0) {
            json_object_set_new(out, "link", json_string(value));
        } else if (strncasecmp(name, "Channel pair", 12) == 0 || strncasecmp(name, "Downshift", 9) == 0) {
            pair = NULL;
        } else if (pair) {
            read_pair(pair, name, value);
        }
    }
    json_array_foreach(pairs, i, pair)
        faults += is_fault(pair);
    json_object_set_new(out, "faults", json_array_size(pairs) ? json_integer(faults) : json_null());
    json_object_set_new(out, "pairs", pairs);
    return out;
}

/* "Downshift" is the last line of the details. A test that failed has none. */
bool mist_cable_ended(const char *text)
{
    const char *last = after(text, "\nDownshift"), *status = after(text, "Test status");

    if (last)
        return strchr(last, '\n');
    return (status && strchr(status, '\n') && (strncasecmp(status + strspn(status, " \t:"), "fail", 4) == 0 || strcasestr(status, "not supported")))
        || complains(text);
}

bool mist_bounce_ended(const char *text)
{
    return strcasestr(text, "complete") || complains(text);
}
