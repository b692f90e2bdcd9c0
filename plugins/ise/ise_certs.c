/* ise_certs.c: the certificates of all nodes, and those that are trusted: OpenAPI, /api/v1/certs. Which of them end, and when. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include "ise.h"

struct certs {
    json_t *rows, *nodes;             /* held */
    size_t next;
    const char *node;                 /* whose list is under way; NULL: the trusted ones */
    bool complete;
};

/* ---- dates: "Tue Jun 14 09:15:27 UTC 2033" in examples, and whatever else a locale or a release makes of it. A zone that is a name counts as UTC:
 * a few hours do not matter to a certificate. */

static double parsed(const char *text, const char *format)
{
    struct tm tm = { 0 };
    const char *end = strptime(text, format, &tm);

    return end && !*(end + strspn(end, " ")) ? (double)timegm(&tm) : 0;
}

double ise_certificate_time(const char *text)
{
    static const char *const formats[] = {
        "%a %b %d %H:%M:%S %Z %Y", "%a, %d %b %Y %H:%M:%S %Z", "%d %b %Y %H:%M:%S", "%b %d, %Y %I:%M:%S %p", "%b %d, %Y", "%d-%b-%Y %H:%M:%S", "%Y-%m-%d", "%d/%m/%Y %H:%M:%S",
    };
    char plain[64];
    const char *zone;
    double time = ise_time(text);

    if (time || !text || strlen(text) >= sizeof(plain))
        return time;
    if (strspn(text, "0123456789") == strlen(text) && strlen(text) >= 10 && strlen(text) <= 13)         /* s or ms since 1970 */
        return strtod(text, NULL) / (strlen(text) > 11 ? 1000 : 1);
    strcpy(plain, text);
    zone = strstr(plain, " GMT+") ? strstr(plain, " GMT+") : strstr(plain, " GMT-");
    if (zone)                                                                                            /* "GMT+01:00" in the middle */
        memmove(plain + (zone - plain) + 4, zone + 4 + strcspn(zone + 4, " "), strlen(zone + 4 + strcspn(zone + 4, " ")) + 1);
    for (size_t i = 0; i < ARRAY_LEN(formats) && !time; i++)
        time = parsed(plain, formats[i]);
    return time;
}

/* ---- rows */

static void set_time(json_t *row, const char *name, double time)
{
    json_object_set_new(row, name, time > 0 ? json_real(time) : json_null());
}

static json_t *row_of(struct ft_call *call, const json_t *item)
{
    static const struct { const char *name, *key; } fields[] = {
        { "id", "id" }, { "name", "friendlyName" }, { "issued_to", "issuedTo" }, { "issued_by", "issuedBy" }, { "used_by", "usedBy" }, { "trusted_for", "trustedFor" },
        { "status", "status" }, { "group_tag", "groupTag" }, { "serial", "serialNumberDecimalFormat" }, { "sha256", "sha256Fingerprint" },
    };
    const struct certs *own = ise_state(call)->own;
    double until = ise_certificate_time(ise_str(item, "expirationDate")), left = (until - (double)host->wall_ms(call) / 1000) / 86400;
    json_t *row = json_pack("{s:s, s:s?}", "kind", own->node ? "system" : "trusted", "node", own->node);

    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        json_object_set_new(row, fields[i].name, ise_str_or_null(item, fields[i].key));
    json_object_set_new(row, "self_signed", ise_bool_or_null(item, "selfSigned"));
    set_time(row, "not_before", ise_certificate_time(ise_str(item, "validFrom")));
    set_time(row, "not_after", until);
    json_object_set_new(row, "days_left", until > 0 ? json_real(left) : json_null());
    json_object_set_new(row, "expired", json_boolean(until > 0 && left <= 0));
    return row;
}

static bool is_wanted(struct ft_call *call, const json_t *row)
{
    const char *used = ise_text(call, "used_by");

    return !used || (ise_str(row, "used_by") && strcasestr(ise_str(row, "used_by"), used));
}

static int soonest_first(const void *a, const void *b)
{
    const json_t *first = json_object_get(*(json_t *const *)a, "days_left"), *second = json_object_get(*(json_t *const *)b, "days_left");

    if (json_is_null(first) != json_is_null(second))          /* those whose end nobody could read come first: look at them */
        return json_is_null(first) ? -1 : 1;
    return json_number_value(first) < json_number_value(second) ? -1 : json_number_value(first) > json_number_value(second);
}

/* ---- the end */

static void certs_done(struct ft_call *call)
{
    const struct certs *own = ise_state(call)->own;
    double within = json_number_value(json_object_get(host->params(call), "within_days"));
    size_t n = json_array_size(own->rows);
    json_t **all = host->alloc(call, (n + 1) * sizeof(*all)), *rows = json_array(), *expiring = json_array();
    json_int_t unreadable = 0;
    json_t *next = NULL;

    for (size_t i = 0; i < n; i++)
        all[i] = json_array_get(own->rows, i);
    qsort(all, n, sizeof(*all), soonest_first);
    for (size_t i = 0; i < n; i++) {
        const json_t *left = json_object_get(all[i], "days_left");

        json_array_append(rows, all[i]);
        unreadable += json_is_null(left);
        if (json_is_number(left) && !next)
            next = json_object_get(all[i], "days_left");
        if (json_is_number(left) && json_number_value(left) <= within)
            json_array_append(expiring, all[i]);
    }
    ise_done(call, json_pack("{s:i, s:o, s:O, s:i, s:b, s:o}", "count", (int)n, "expiring", expiring, "next_days_left", next ? next : json_null(), "unreadable", (int)unreadable,
                             "complete", own->complete, "certificates", rows));
}

static void next_list(struct ft_call *call);

static void list_here(struct ft_call *call, json_t *items)
{
    struct certs *own = ise_state(call)->own;
    json_t *item;
    size_t i;

    own->complete = own->complete && ise_state(call)->list.complete;
    json_array_foreach(items, i, item) {
        json_t *row = json_is_object(item) ? row_of(call, item) : NULL;

        if (row && is_wanted(call, row))
            json_array_append(own->rows, row);
        json_decref(row);
    }
    if (own->node)
        next_list(call);
    else
        certs_done(call);
}

/* Node after node, then the trusted ones. */
static void next_list(struct ft_call *call)
{
    struct certs *own = ise_state(call)->own;
    const char *kind = ise_text(call, "kind");

    own->node = own->nodes ? json_string_value(json_array_get(own->nodes, own->next)) : NULL;
    own->next++;
    if (own->node)
        ise_list_some(call, ISE_OPEN, host->printf(call, "/certs/system-certificate/%s", ise_escape(call, own->node)), 0, list_here);
    else if (strcmp(kind, "system") == 0 || ise_text(call, "used_by"))
        certs_done(call);
    else
        ise_list_some(call, ISE_OPEN, "/certs/trusted-certificate", 0, list_here);
}

static void nodes_here(struct ft_call *call, json_t *items)
{
    struct certs *own = ise_state(call)->own;
    json_t *item;
    size_t i;

    own->nodes = ise_hold(call, json_array());
    json_array_foreach(items, i, item)
        if (ise_str(item, "name"))
            json_array_append_new(own->nodes, json_string(ise_str(item, "name")));
    next_list(call);
}

static void certs_begin(struct ft_call *call)
{
    struct certs *own = host->alloc(call, sizeof(*own));
    const char *node = ise_text(call, "node");

    *own = (struct certs){ .rows = ise_hold(call, json_array()), .complete = true };
    ise_state(call)->own = own;
    if (strcmp(ise_text(call, "kind"), "trusted") == 0) {
        next_list(call);
    } else if (node) {
        own->nodes = ise_hold(call, json_pack("[s]", node));
        next_list(call);
    } else {
        ise_list(call, "node", nodes_here);
    }
}
ISE_BEGIN(ISE_LOOK, certs_begin, certs_start)

#define CERTIFICATE \
    ISE_OBJ(ISE_P_STR("kind", "system: a node's own; trusted: an authority that ISE trusts") "," ISE_P_STR("node", "whose it is; nil for trusted ones") "," ISE_P_STR("id", "id") "," \
        ISE_P_STR("name", "friendly name") "," ISE_P_STR("issued_to", "whom it names") "," ISE_P_STR("issued_by", "who signed it") "," \
        ISE_P_STR("used_by", "system: what for, such as EAP Authentication, Admin, Portal") "," ISE_P_STR("trusted_for", "trusted: what for") "," ISE_P_STR("status", "trusted: enabled or disabled") "," \
        ISE_P_STR("group_tag", "system: tag of its portal group") "," ISE_P_STR("serial", "serial number, decimal") "," ISE_P_STR("sha256", "fingerprint") "," \
        ISE_P("self_signed", "[\"boolean\",\"null\"]", "it signed itself") "," ISE_P_TIME("not_before", "good from") "," ISE_P_TIME("not_after", "good until") "," \
        ISE_P_NUM("days_left", "days until then, below 0 when it has expired; nil where ISE's date cannot be read") "," ISE_P_BOOL("expired", "it has expired"))

const struct ft_action ise_certificates = {
    ISE_READ(certs_start), .timeout_ms = 120000,
    .name = "certificates", .summary = "the certificates of ISE's nodes and those it trusts, and which of them end soon",
    .params_schema = ISE_PARAMS("",
        JSON("kind": {"type": "string", "enum": ["all", "system", "trusted"], "default": "all", "description": "system: the nodes' own; trusted: authorities"},
             "node": {"type": "string", "minLength": 1, "description": "system: short name of the node; all nodes when left out"},
             "used_by": {"type": "string", "minLength": 1, "description": "only system certificates used for this: EAP is what Wi-Fi clients see"},
             "within_days": {"type": "number", "minimum": 0, "default": 30, "description": "expiring: those that end within so many days"})),
    .result_schema = ISE_OBJ(
        ISE_P("count", "\"integer\"", "certificates in all") "," ISE_P_LIST("expiring", CERTIFICATE, "those that end within within_days, or have ended") ","
        ISE_P_NUM("next_days_left", "days until the next one ends") "," ISE_P("unreadable", "\"integer\"", "certificates whose date could not be read: look at them") ","
        ISE_P_BOOL("complete", "false: there are more than 5000 of a kind") "," ISE_P_LIST("certificates", CERTIFICATE, "all of them, soonest end first")),
    .about = "OpenAPI: `GET /api/v1/certs/system-certificate/{node}` of each node (`GET /ers/config/node`), and `/trusted-certificate`. The OpenAPI is off on a new ISE.\n\n"
             "The certificate that clients see is the one `used_by` EAP Authentication; `radius.eap` looks at it from the clients' side, without any API.",
    .example = "- id: certificates\n  run: ise.certificates\n  with: {kind: system, used_by: EAP, within_days: 30}\n"
               "  branch:\n    - if: \"#result.expiring > 0\"\n      then: renew\n    - else: fine\n",
};
