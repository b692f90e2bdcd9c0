/* mist.h: what the files of the Mist plugin share. Start here.
 *
 * An action is a chain of small steps: find the site and the device (mist_find.c), ask Mist (mist_http.c), shape the answer
 * (mist_shape.c), end the call. Each step is given the next one. The state of every call is a struct mist_call; JSON that a call
 * looks at hangs in `held`, so that one mist_drop() lets go of all of it at the end, whoever ends the call.
 *
 * Words: a *path* is what follows /api/v1 in a URL, ready escaped. A MAC is 12 hex digits, lower case, as Mist writes it.
 */
#pragma once
#include <fettle/plugin.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MIST_MAC_LEN 12

extern const struct ft_host *host;

/* One per process, made by open. */
struct mist {
    char *root;                 /* "https://api.mist.com": what a `next` of the paging is put behind */
    char *org, *auth, *ca_file; /* auth: the Authorization header's value */
    char *budget;               /* the token bucket's name */
    unsigned per_hour;
    bool watch_usage;           /* ask Mist how much of the token others use */
    bool usage_stale;           /* a 429 came: ask again */
    uint64_t usage_at;          /* ms of the clock when it was asked; 0: not yet */
    double usage_left, usage_limit;       /* as Mist said then; limit 0: not known */
    uint64_t own_hour;          /* hours since 1970 that own_requests counts */
    unsigned own_requests;      /* sent by this process in that hour */
    json_t *blocklists;         /* {scope: {at, former, macs}}: what was written lately; the store that it is read from is slow */
    json_t *catalogues;         /* {name: {at, items}} of /const */
    json_t *sites;              /* array of {id, name}, NULL: not asked yet */
    uint64_t sites_at;          /* ms of the clock when it was asked */
    json_t *devices;            /* inventory: array of {id, mac, name, type, model, site_id} */
    uint64_t devices_at;
    json_t *site_names;         /* {id: name}: of sites that were asked for one by one */
    json_t *sle_metrics;        /* {site id: [metric names]} */
};

struct mist_device {
    const char *id, *mac;       /* mac NULL where the id does not tell it */
    const char *name, *type, *model;      /* NULL: not known yet */
};

typedef void mist_next(struct ft_call *call);
typedef void mist_then(struct ft_call *call, json_t *answer);    /* answer: held by the call; NULL where that is allowed */

enum mist_mode { MIST_LOOK, MIST_RUN, MIST_PLAN, MIST_UNDO, MIST_PROBE };      /* MIST_LOOK: run of a read */

/* A write before it is sent: filled by the action, used by plan and run alike, so that both mean the same request. */
struct mist_write {
    const char *summary;
    const char *method, *path;
    json_t *body;               /* held; NULL: none */
    json_t *before, *changes;   /* held; NULL: not told */
    json_t *watch;              /* held; what of `before` only this write should change; NULL: all of it, json_false(): it moves by itself */
    json_t *leaves;             /* held; what a plan says it leaves behind, by key, where mist_left was asked for it; NULL: not told */
    json_t *receipt;            /* held; what undo and probe need; NULL: nothing */
    json_t *result;             /* held; what run ends with, besides `changed` */
    json_int_t users;           /* -1: not known */
    bool nothing_to_do;
    const char *note;           /* what people should know before they let it go ahead; NULL: nothing */
    mist_then *sent;            /* after the answer to the write; NULL: the run is done */
};

struct mist_call {
    enum mist_mode mode;
    json_t *held;
    const char *site_id, *site_name;
    const char *mac;            /* of the client */
    struct mist_device device;
    struct mist_write write;
    void *own;                  /* of the action */
    void *catalogue;            /* mist_catalogue.c: the one asked for */

    mist_next *found, *device_found;      /* who waits for a site, for a device or a client */
    mist_then *record_then;     /* who waits for the record of a client, or a device's statistics */
    json_t *port_stats;         /* of the switch port; NULL: none */
    const char *wanted_type;    /* of the device; NULL: any */
    bool looked_afresh;         /* the list was asked for in this call, a second time would not help */
    bool vc_tried;
    json_t *wlan;               /* mist_find_wlan: the one found, and who waits for it */
    mist_then *wlan_then;

    struct {                    /* the request under way; one at a time */
        const char *method, *url;
        json_t *body;
        unsigned flags;
        bool absent_ok;         /* 404 and an empty answer are NULL for `then` */
        json_type want;         /* JSON_OBJECT, JSON_ARRAY; JSON_NULL: anything, or nothing */
        mist_then *then;
    } ask;
    struct {                    /* the list under way */
        const char *path;
        json_t *items, *seen;   /* held; seen: URLs asked */
        size_t max;
        unsigned page, limit;
        bool absent_ok;
        bool complete;          /* false: there was more than was taken */
        mist_then *then;
    } list;
};

static inline struct mist_call *mist_state(struct ft_call *call) { return host->state(call); }
static inline struct mist *mist_of(struct ft_call *call) { return host->instance(call); }

/* ---- mist.c: life of a call */
int mist_start(struct ft_call *call, enum mist_mode mode, mist_next *first);
void mist_drop(struct ft_call *call);                           /* also every entry's cancel */
void mist_done(struct ft_call *call, json_t *result);           /* taken over */
__attribute__((format(printf, 3, 4)))
void mist_fail(struct ft_call *call, enum ft_class class, const char *fmt, ...);
json_t *mist_hold(struct ft_call *call, json_t *value);         /* taken over: lives until the call ends; NULL stays NULL */
/* After the action filled its mist_write: ends a plan, or keeps the receipt, sends, and ends the run. */
const json_t *mist_left(struct ft_call *call, const char *key);      /* in a plan: what a write planned before this one leaves there; NULL: none does. Borrowed */
void mist_write_ready(struct ft_call *call);
/* The write itself, for actions that have kept their receipt by themselves. */
void mist_write_send(struct ft_call *call);
/* The receipt, or a failure of the call and NULL. */
const json_t *mist_receipt(struct ft_call *call);

#define MIST_READ(begin) \
    .size = sizeof(struct ft_action), .effects = FT_EFFECT_READ, .state_size = sizeof(struct mist_call), .run = { begin, mist_drop }
#define MIST_WRITE(run_begin, plan_begin) \
    .size = sizeof(struct ft_action), .state_size = sizeof(struct mist_call), \
    .run = { run_begin, mist_drop }, .plan = { plan_begin, mist_drop }

/* <first>_run, <first>_plan …: the start of an entry. */
#define MIST_BEGIN(mode, first, begin) \
    static int begin(struct ft_call *call, struct ft_err *reterr) { (void)reterr; return mist_start(call, mode, first); }

/* ---- mist_http.c */
struct ft_http_req mist_request(struct ft_call *call, const char *method, const char *url, const json_t *body, unsigned flags);
__attribute__((format(printf, 2, 3)))
const char *mist_url(struct ft_call *call, const char *fmt, ...);
__attribute__((format(printf, 3, 4)))
void mist_get(struct ft_call *call, mist_then *then, const char *fmt, ...);            /* an object, or the call fails */
__attribute__((format(printf, 3, 4)))
void mist_get_if_there(struct ft_call *call, mist_then *then, const char *fmt, ...);   /* 404 or nothing: NULL */
__attribute__((format(printf, 3, 4)))
void mist_get_any(struct ft_call *call, mist_then *then, const char *fmt, ...);        /* whatever it is; 404 or nothing: NULL */
__attribute__((format(printf, 3, 4)))
void mist_get_array(struct ft_call *call, mist_then *then, const char *fmt, ...);      /* an array, in one piece */
/* Follows both styles of paging, to at most `max` items. `then` gets an array; list.complete tells whether it is all. */
__attribute__((format(printf, 4, 5)))
void mist_list(struct ft_call *call, size_t max, mist_then *then, const char *fmt, ...);
__attribute__((format(printf, 4, 5)))
void mist_list_if_there(struct ft_call *call, size_t max, mist_then *then, const char *fmt, ...);     /* 404: NULL */
void mist_send(struct ft_call *call, const char *method, const char *url, json_t *body, mist_then *then);   /* a write; body borrowed */
void mist_post(struct ft_call *call, const char *url, json_t *body, mist_then *then);     /* a POST that changes nothing; an object, or the call fails */
const char *mist_escape(struct ft_call *call, const char *text);

/* ---- mist_macs.c */
bool mist_mac(const char *text, char mac[static MIST_MAC_LEN + 1]);      /* any notation */
/* A list as a store gives it: a JSON list, {"macs": […]}, or a text with one address a line. New; NULL: none of them, or one that is no address. */
json_t *mist_macs_in(const char *body, size_t len);

/* ---- mist_find.c */
bool mist_is_id(const char *text);                                       /* a UUID */
const char *mist_device_id(struct ft_call *call, const char *mac);
void mist_find_site(struct ft_call *call, mist_next *found);             /* parameter `site`; none: site_id stays NULL */
void mist_name_site(struct ft_call *call, mist_next *found);             /* fills site_name where Mist tells it */
void mist_find_device(struct ft_call *call, const char *type, mist_next *found);     /* parameters `device` and `site` */
bool mist_find_mac(struct ft_call *call);                                /* parameter `mac`; false: the call has failed */
const char *mist_text(struct ft_call *call, const char *name);           /* a parameter; NULL: not given */
const char *mist_window(struct ft_call *call);                           /* parameter `window` as Mist writes it: "10m" */
double mist_window_seconds(struct ft_call *call);

/* Something that lies outside the API (a capture, a list in an object store), without the token. `fetched` as for host->http; 404 comes as such.
 * false: the call has failed. */
bool mist_fetch(struct ft_call *call, const char *url, size_t max_bytes, ft_http_cb *fetched);
/* How many requests an hour this process may make now: its share, or what others left of the token. */
unsigned mist_per_hour(struct ft_call *call);

/* ---- mist_shape.c */
enum mist_kind { MIST_INT, MIST_NUM, MIST_STR, MIST_BOOL, MIST_TIME, MIST_MAC };
struct mist_field { const char *name, *from; enum mist_kind kind; };     /* from: "a.b", alternatives by '|' */
json_t *mist_at(const json_t *value, const char *path);                  /* borrowed; NULL: not there or null */
const char *mist_str(const json_t *value, const char *path);             /* NULL: not there, empty, not a string */
double mist_num(const json_t *value, const char *path, double otherwise);
json_t *mist_value(const json_t *from, const struct mist_field *field);  /* new; json_null() where it is not there or cannot be read */
/* Sets every field of the table in `out`: to what `from` says, to null otherwise; a value that is there is not overwritten with null. */
void mist_pick(json_t *out, const json_t *from, const struct mist_field *fields, size_t count);
#define MIST_PICK(out, from, fields) mist_pick((out), (from), (fields), ARRAY_LEN(fields))
json_t *mist_rows(const json_t *list, const struct mist_field *fields, size_t count);     /* new array */
#define MIST_ROWS(list, fields) mist_rows((list), (fields), ARRAY_LEN(fields))
void mist_sort_down(json_t *rows, const char *key);                      /* by a number, the largest first; `timestamp`: newest first */
/* What is wanted is there: objects by what they must hold, for Mist adds members of its own; anything else as it is; null: nothing. */
bool mist_covers(const json_t *has, const json_t *wanted);
void mist_count_into(json_t *counts, const char *key);                   /* counts[key]++ */
void mist_redact(struct ft_call *call, const json_t *value);               /* all secrets in it, from now on */
json_t *mist_without_secrets(const json_t *value);                       /* new; values of keys, passwords … become "***" */
bool mist_has_secrets(const json_t *value);

/* ---- Schemas as C text. A property is one of the MIST_P_ below; lists of them are joined by commas. */
#define JSON(...) #__VA_ARGS__
#define MIST_P(name, type, text) "\"" name "\":{\"type\":" type ",\"description\":\"" text "\"}"
#define MIST_P_INT(name, text) MIST_P(name, "[\"integer\",\"null\"]", text)
#define MIST_P_NUM(name, text) MIST_P(name, "[\"number\",\"null\"]", text)
#define MIST_P_STR(name, text) MIST_P(name, "[\"string\",\"null\"]", text)
#define MIST_P_BOOL(name, text) MIST_P(name, "[\"boolean\",\"null\"]", text)
#define MIST_P_TIME(name, text) MIST_P(name, "[\"number\",\"null\"]", text ", s since 1970")
#define MIST_P_MAC(name, text) MIST_P(name, "[\"string\",\"null\"]", text ", 12 hex digits")
#define MIST_P_LIST(name, item, text) "\"" name "\":{\"type\":\"array\",\"items\":" item ",\"description\":\"" text "\"}"
#define MIST_P_OBJ(name, properties, text) "\"" name "\":{\"type\":\"object\",\"description\":\"" text "\",\"properties\":{" properties "}}"
#define MIST_OBJ(properties) "{\"type\":\"object\",\"properties\":{" properties "}}"
#define MIST_PARAMS(required, properties) \
    "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[" required "],\"properties\":{" properties "}}"
/* A table of fields is written once, as a list of F(kind, name, from, text), and read as rows or as properties. */
#define MIST_ROW(kind, name, from, text) { #name, from, MIST_##kind },
#define MIST_PROPERTY(kind, name, from, text) MIST_P_##kind(#name, text) ","

#define MIST_SITE JSON("site": {"type": "string", "minLength": 1, "description": "name or id of the site"})
#define MIST_DEVICE JSON("device": {"type": "string", "minLength": 1, "description": "name, MAC address in any notation, or id of the device"})
#define MIST_CLIENT JSON("mac": {"type": "string", "minLength": 12, "description": "MAC address of the client, in any notation"})
#define MIST_WINDOW(otherwise) "\"window\":{\"type\":[\"string\",\"number\"],\"default\":\"" otherwise "\",\"pattern\":\"^[1-9][0-9]*[smhdw]$\"," \
    "\"exclusiveMinimum\":0,\"description\":\"how far back to look: 30m, 1h, 1d; a number is milliseconds\"}"
#define MIST_LIMIT(otherwise, most) "\"limit\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":" most ",\"default\":" otherwise \
    ",\"description\":\"at most so many items in the answer\"}"
#define MIST_COMPLETE JSON("complete": {"type": "boolean", "description": "false: there was more than the answer holds"})
#define MIST_BAND JSON("band": {"type": "string", "enum": ["24", "5", "6"], "description": "radio band: 24 is 2.4 GHz, 5 is 5 GHz, 6 is 6 GHz"})
#define MIST_CHANGED JSON("changed": {"type": "boolean", "description": "false: there was nothing to do and nothing was sent"})

/* ---- mist_table.c: a read that is one list, of a site or of the organisation */
struct mist_table {
    const char *name;                     /* of the list in the result */
    const char *site, *org;               /* what follows /sites/{site_id} and /orgs/{org_id}; NULL: not in this scope */
    const char *fixed;                    /* part of the query that is always there; NULL */
    const char *const *filters;           /* parameters that go into the query as they are; ends with NULL. Those named …mac and ap are MACs */
    const struct mist_field *fields; size_t count;
    const char *sort;                     /* a field: largest first; NULL: as they come */
    bool window;                          /* the parameter `window` is there */
    bool whole;                           /* Mist gives it in one piece, and knows no `limit` */
    bool absent_is_empty;                 /* 404: there are none */
    json_t *(*row)(const json_t *item);   /* new; instead of `fields` */
    void (*finish)(struct ft_call *call, const json_t *rows, json_t *out);     /* adds what is counted */
};
void mist_read_table(struct ft_call *call, const struct mist_table *table);
#define MIST_TABLE(start, table) \
    static void start##_begin(struct ft_call *call) { mist_read_table(call, &(table)); } \
    MIST_BEGIN(MIST_LOOK, start##_begin, start)
#define MIST_LISTED(name, properties, text) MIST_P_LIST(name, MIST_OBJ(properties), text) "," \
    MIST_P("total", "\"integer\"", "items in the answer") "," MIST_COMPLETE
#define MIST_COUNTS(name, text) "\"" name "\":{\"type\":\"object\",\"additionalProperties\":{\"type\":\"integer\"},\"description\":\"" text "\"}"
/* counts[row[field]]++ for all rows, as out[name]. */
void mist_count_rows(const json_t *rows, const char *field, json_t *out, const char *name);

/* ---- mist_edit.c: changing top-level keys of a configuration object, and putting them back */
struct mist_edit {
    const char *path;           /* of the object: GET and PUT */
    const char *what;           /* for people: "WLAN staff" */
    json_t *changes;            /* held; keys and new values */
};
void mist_edit(struct ft_call *call, const struct mist_edit *edit);       /* copied; looks, and goes on as a write */
bool mist_may_change(struct ft_call *call, const json_t *changes);        /* false: the call has failed */
void mist_edit_undo_begin(struct ft_call *call);
json_t *mist_keys_of(const json_t *object, const json_t *like);           /* new */
json_t *mist_changes_of(const json_t *before, const json_t *after);       /* new */
json_t *mist_writable(const json_t *object);                              /* new; without the keys that Mist sets */
#define MIST_CHANGES JSON("changes": {"type": "object", "minProperties": 1, \
    "description": "top-level keys and their new values; a key is replaced whole, so give lists and objects completely"})
#define MIST_EDIT_RESULT MIST_OBJ(MIST_CHANGED "," MIST_P_STR("site_id", "site") "," MIST_P("former", "\"object\"", "the former values of the keys"))

/* ---- mist_catalogue.c: /const, asked for once a day and process */
/* `then` gets an object {key: item}, or NULL: Mist does not tell. name: alarm_defs, client_events … */
void mist_catalogue(struct ft_call *call, const char *name, mist_then *then);
const json_t *mist_catalogue_kept(struct ft_call *call, const char *name);      /* borrowed; NULL: not asked yet */

/* ---- small things of writes */
/* Receipt's site_id and device_id into the call; false: it has failed. */
bool mist_take_site_and_device(struct ft_call *call);
const char *mist_device_name(const struct mist_call *st);
const char *mist_site_label(const struct mist_call *st);
void mist_device_write(struct ft_call *call, const char *method, const char *command, json_t *body);   /* body taken over; NULL: none */

/* ---- shared between actions */
/* Finds the newest record of client st->mac in the whole organisation; `then` gets it, or NULL: never seen. */
void mist_search_client(struct ft_call *call, mist_then *then);
/* Site of the client: parameter `site`, else where it was seen last; the call fails when there is neither. */
void mist_find_client_site(struct ft_call *call, mist_next *found);
void mist_device_stats(struct ft_call *call, mist_then *then);      /* of st->device; checks wanted_type, fills st->device */

/* Figures of the parameter `port` of st->device; NULL: Mist has none. */
void mist_find_port(struct ft_call *call, mist_then *then);

/* What the statistics of a device say, in one table for device_status and device_list. */
#define MIST_DEVICE_FIELDS(F) \
    F(STR, id, "id", "id of the device") \
    F(STR, name, "name|hostname", "name of the device") \
    F(STR, type, "type", "ap, switch or gateway") \
    F(MAC, mac, "mac", "MAC address of the device") \
    F(STR, model, "model", "model") \
    F(STR, serial, "serial", "serial number") \
    F(STR, version, "version", "firmware") \
    F(STR, site_id, "site_id", "id of its site") \
    F(STR, ip, "ip|ip_stat.ip", "management address") \
    F(INT, uptime, "uptime", "s since it started") \
    F(TIME, last_seen, "last_seen", "when Mist saw it last") \
    F(BOOL, config_reverted, "config_reverted", "the device went back to its former configuration by itself: the newest one cut it off") \
    F(STR, config_status, "config_status", "switch: what became of the last configuration") \
    F(BOOL, power_constrained, "power_constrained", "AP: gets less power than it needs") \
    F(STR, power_src, "power_src", "AP: where its power comes from") \
    F(INT, power_budget, "power_budget", "AP: power left over, mW; negative is missing") \
    F(STR, lldp_switch, "lldp_stat.system_name", "AP: name of the switch it hangs on, by LLDP") \
    F(STR, lldp_switch_ip, "lldp_stat.mgmt_addr", "AP: address of that switch") \
    F(MAC, lldp_switch_mac, "lldp_stat.chassis_id", "AP: chassis id of that switch") \
    F(STR, lldp_port, "lldp_stat.port_id", "AP: port of that switch") \
    F(BOOL, eth_up, "port_stat.eth0.up", "AP: its uplink is up") \
    F(INT, eth_speed, "port_stat.eth0.speed", "AP: speed of its uplink, Mbit/s") \
    F(BOOL, eth_full_duplex, "port_stat.eth0.full_duplex", "AP: its uplink is full duplex") \
    F(INT, eth_rx_errors, "port_stat.eth0.rx_errors", "AP: damaged frames received at its uplink since it started") \
    F(STR, upgrade_status, "fwupdate.status", "what became of the last firmware upgrade") \
    F(INT, num_aps, "ap_redundancy.num_aps", "switch: APs that hang on it")
#define MIST_SUMMARY_PROPERTIES \
    MIST_P("status", "\"string\"", "connected, disconnected, or unknown: how the device stands with Mist") "," \
    MIST_DEVICE_FIELDS(MIST_PROPERTY) \
    MIST_P_INT("num_clients", "clients: wireless ones of an AP, wired ones of a switch") "," \
    MIST_P_NUM("cpu_util", "processor in use, %") "," MIST_P_NUM("mem_pct", "memory in use, %")
json_t *mist_device_summary(const json_t *stats);       /* new */

extern const struct ft_action mist_alarms, mist_alarm_ack, mist_audit_log, mist_usage;
extern const struct ft_action mist_alarm_count, mist_alarms_ack, mist_alarm_suppress, mist_alarm_unsuppress, mist_alarm_suppressed,
    mist_alarm_templates, mist_marvis;
extern const struct ft_action mist_config_export;
extern const struct ft_action mist_client_blocklist, mist_client_block, mist_client_unblock;
extern const struct ft_action mist_catalogue_action;
extern const struct ft_action mist_client_status, mist_client_disconnect, mist_client_coa;
extern const struct ft_action mist_client_events;
extern const struct ft_action mist_client_search, mist_client_event_search, mist_client_event_count, mist_client_roams;
extern const struct ft_action mist_client_sessions, mist_client_list, mist_client_count;
extern const struct ft_action mist_client_disconnect_many, mist_guest_unauthorize;
extern const struct ft_action mist_wlan_list, mist_wlan, mist_wlan_update, mist_site_setting_update;
extern const struct ft_action mist_device_status, mist_ap_restart, mist_switch_restart;
extern const struct ft_action mist_device_reprovision, mist_switch_snapshot, mist_stats_poll, mist_device_support, mist_port_clear_bpdu,
    mist_port_clear_macs, mist_ap_restart_many;
extern const struct ft_action mist_device_config, mist_device_config_cmd, mist_device_config_status, mist_device_config_update, mist_ap_radio,
    mist_device_config_history;
extern const struct ft_action mist_device_list, mist_device_events, mist_inventory;
extern const struct ft_action mist_device_locate, mist_device_unlocate, mist_synthetic_test, mist_synthetic_test_status;
extern const struct ft_action mist_firmware_versions, mist_firmware_upgrade, mist_firmware_upgrade_status, mist_firmware_upgrades,
    mist_firmware_upgrade_cancel;
extern const struct ft_action mist_eol, mist_inventory_assign, mist_inventory_unassign, mist_device_replace;
extern const struct ft_action mist_switch_ports, mist_discovered_switches, mist_system_events, mist_synthetic_tests, mist_webhooks,
    mist_webhook_deliveries, mist_webhook_ping;
extern const struct ft_action mist_pcap_start, mist_pcap_status, mist_pcap_stop, mist_pcaps, mist_pcap_download;
extern const struct ft_action mist_switch_port_config, mist_port_poe_cycle;
extern const struct ft_action mist_radio_reset;
extern const struct ft_action mist_config_restore;
extern const struct ft_action mist_rrm_optimize, mist_rrm_current, mist_rrm_events, mist_channel_scores, mist_rogues;
extern const struct ft_action mist_rogue_clients, mist_rogue_events, mist_rogue_info, mist_rogue_approve, mist_rogue_deauth;
extern const struct ft_action mist_site_info, mist_site_list, mist_site_stats;
extern const struct ft_action mist_sle_summary, mist_sle_impact;
extern const struct ft_action mist_sle_metrics, mist_sle_classifiers, mist_sle_classifier, mist_sle_impacted, mist_sle_histogram, mist_sle_threshold,
    mist_sle_sites, mist_insight;
extern const struct ft_action mist_spectrum_start, mist_spectrum, mist_rf_neighbors, mist_ap_channels;
extern const struct ft_action mist_switch_port, mist_port_bounce;
extern const struct ft_action mist_templates, mist_template, mist_template_update;
extern const struct ft_action mist_wired_clients, mist_nac_clients, mist_nac_events;
extern const struct ft_action mist_wlan_enable, mist_wlan_disable, mist_wlan_psk, mist_wlan_create;
extern const struct ft_action mist_device_ping, mist_device_traceroute, mist_device_arp, mist_switch_mac_table, mist_switch_dot1x, mist_device_dhcp_leases,
    mist_cable_test, mist_port_clear_dot1x, mist_mac_table_clear;
