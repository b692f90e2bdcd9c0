/* ise.h: what the files of the Cisco ISE plugin share. Start here.
 *
 * ISE has three interfaces that matter here: MnT (monitoring and change of authorization: /admin/API/mnt, GET, XML), ERS (endpoints, users,
 * devices, nodes: /ers/config, JSON) and the OpenAPI (certificates: /api/v1, JSON). ise_http.c asks them and puts their errors into words, ise_xml.c
 * turns MnT's XML into the JSON that the actions read, ise_objects.c creates, changes and deletes what ERS calls resources.
 *
 * An action is a chain of small steps, each given the next one. The state of every call is a struct ise_call; JSON that a call looks at hangs in
 * `held`, so that one ise_drop() lets go of all of it at the end, whoever ends the call. MAC addresses are written XX:XX:XX:XX:XX:XX, upper case:
 * MnT knows no other notation.
 */
#pragma once
#include <fettle/plugin.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define ISE_MAC_LEN 17

extern const struct ft_host *host;

struct ise {                    /* one per process, made by open */
    char *mnt, *ers, *open;     /* "https://ise-1.example:443/admin/API/mnt", ".../ers/config", ".../api/v1" */
    char *user, *password, *ca_file, *budget;
    unsigned per_hour;
    bool no_verify, csrf, anc_endpoint_body;
    json_t *reasons;            /* {"22040": {"text", "cause", "resolution"}}; NULL: not asked yet */
    uint64_t reasons_at;
};

typedef void ise_next(struct ft_call *call);
typedef void ise_then(struct ft_call *call, json_t *answer);     /* held by the call; NULL where that is allowed */

enum ise_mode { ISE_LOOK, ISE_RUN, ISE_PLAN, ISE_UNDO, ISE_PROBE };      /* ISE_LOOK: run of a read */
enum ise_api { ISE_MNT, ISE_ERS, ISE_OPEN };

/* A write before it is sent: filled by the action, used by plan and run alike, so that both mean the same request. */
struct ise_write {
    const char *summary, *method, *url;
    enum ise_api api;
    json_t *body, *before, *changes, *receipt, *result;      /* held; NULL: none */
    json_t *leaves;             /* held; {key: …} of ise_left: what a plan says it leaves behind; NULL: not told */
    const char *blurs;          /* the key of what is another one altogether then; NULL: none */
    json_int_t users;           /* -1: not known */
    bool nothing_to_do;
    ise_then *sent;             /* judges the answer; NULL: any good status will do */
};

struct ise_call {
    enum ise_mode mode;
    json_t *held;
    const char *mac;
    struct ise_write write;
    void *own;                  /* of the action */
    ise_then *found;            /* who waits for a record that takes several requests */

    struct {                    /* the request under way; one at a time */
        const char *method, *url;
        enum ise_api api;
        json_t *body;
        unsigned flags;
        bool absent_ok;         /* no such thing: NULL for `then` */
        unsigned again;         /* how often a read was repeated after a 502, 503 or 504 */
        ise_then *then;
        const char *token, *cookie;      /* against cross-site requests, where the configuration says so */
    } ask;
    struct {                    /* the list of ERS or of the OpenAPI under way */
        enum ise_api api;
        const char *path;       /* with its filters */
        json_t *items;
        unsigned page, pages;
        size_t limit;           /* 0: all, as far as MAX_PAGES goes */
        bool complete;
        ise_then *then;
    } list;
};

static inline struct ise_call *ise_state(struct ft_call *call) { return host->state(call); }
static inline struct ise *ise_of(struct ft_call *call) { return host->instance(call); }

/* ---- ise.c: life of a call */
int ise_start(struct ft_call *call, enum ise_mode mode, ise_next *first);
void ise_drop(struct ft_call *call);                           /* also every entry's cancel */
void ise_done(struct ft_call *call, json_t *result);           /* taken over */
__attribute__((format(printf, 3, 4)))
void ise_fail(struct ft_call *call, enum ft_class class, const char *fmt, ...);
json_t *ise_hold(struct ft_call *call, json_t *value);         /* taken over; NULL stays NULL */
/* In a plan: the object with the members that writes planned before this one will have set; what this one sets is noted as left. Held.
 * object may be NULL: there is none now. */
json_t *ise_left(struct ft_call *call, const char *key, json_t *object, const json_t *sets);
void ise_write_ready(struct ft_call *call);                    /* ends a plan, or keeps the receipt, sends, and ends the run */
void ise_write_done(struct ft_call *call, bool changed);
const json_t *ise_receipt(struct ft_call *call);               /* or a failure of the call and NULL */

#define ISE_READ(begin) \
    .size = sizeof(struct ft_action), .effects = FT_EFFECT_READ, .state_size = sizeof(struct ise_call), .run = { begin, ise_drop }
#define ISE_WRITE(run_begin, plan_begin) \
    .size = sizeof(struct ft_action), .state_size = sizeof(struct ise_call), .run = { run_begin, ise_drop }, .plan = { plan_begin, ise_drop }
/* The start of an entry. */
#define ISE_BEGIN(mode, first, begin) \
    static int begin(struct ft_call *call, struct ft_err *reterr) { (void)reterr; return ise_start(call, mode, first); }

/* ---- ise_http.c */
struct ft_http_req ise_request(struct ft_call *call, enum ise_api api, const char *method, const char *url, const json_t *body, unsigned flags);
__attribute__((format(printf, 3, 4)))
const char *ise_url(struct ft_call *call, enum ise_api api, const char *fmt, ...);
void ise_get(struct ft_call *call, enum ise_api api, bool absent_ok, const char *url, ise_then *then);
void ise_send(struct ft_call *call, enum ise_api api, const char *method, const char *url, json_t *body, ise_then *then);
void ise_list(struct ft_call *call, const char *resource, ise_then *then);       /* all pages of /ers/config/<resource>; list.complete */
/* The same of either interface, with parameter `filter` (ERS) and at most `limit` items; 0: all. */
void ise_list_some(struct ft_call *call, enum ise_api api, const char *path, size_t limit, ise_then *then);
const char *ise_escape(struct ft_call *call, const char *text);

/* ---- ise_xml.c */
/* One XML document as JSON: {"<root>": value}. An element without children is its text, others are objects; an element that comes several times is a
 * list; attributes are members "@name". No DTD, no entities but the five, nothing is fetched. */
int ise_xml(const char *text, size_t len, json_t **ret, struct ft_err *reterr);

/* ---- ise_shape.c */
bool ise_mac(const char *text, char mac[static ISE_MAC_LEN + 1]);         /* any notation */
bool ise_find_mac(struct ft_call *call);                                  /* parameter `mac`; false: the call has failed */
const char *ise_text(struct ft_call *call, const char *name);             /* a parameter; NULL: not given */
const char *ise_str(const json_t *value, const char *key);                /* NULL: not there or empty */
json_t *ise_str_or_null(const json_t *value, const char *key);            /* new */
json_t *ise_int_or_null(const json_t *value, const char *key);            /* new; from a number or a text */
bool ise_true(const json_t *value, const char *key);                      /* true, "true", 1, "1" */
double ise_time(const char *text);                                        /* ISO 8601 with offset, s since 1970; 0: none */
const char *ise_other(struct ft_call *call, const json_t *record, const char *key);   /* a value of other_attr_string; NULL */
json_t *ise_each(const json_t *parent, const char *name);                 /* new array: the element(s) of that name */

/* ---- ise_objects.c: resources of ERS */
struct ise_kind {
    const char *resource, *wrapper, *noun;        /* "networkdevice", "NetworkDevice", "network device" */
    const char *const *writable;                  /* members that are sent, and that a receipt keeps; ends with NULL. Never a secret */
    bool patch;                                   /* changes by PATCH of what changes, not by PUT of the whole: what cannot be read back stays */
    int users;                                    /* who notices a change or a deletion */
};
/* GET by name, or by id where the name is one; NULL: ISE has none. */
void ise_find(struct ft_call *call, const struct ise_kind *kind, const char *name, ise_then *then);
/* wanted: members as ERS has them, taken over; secret: further members that are only sent, or NULL, taken over. */
void ise_create(struct ft_call *call, const struct ise_kind *kind, const char *name, json_t *wanted, json_t *secret);
void ise_change(struct ft_call *call, const struct ise_kind *kind, const char *name, json_t *wanted, json_t *secret);
void ise_delete(struct ft_call *call, const struct ise_kind *kind, const char *name);
/* Undo and probe of each. */
void ise_create_undo(struct ft_call *call, const struct ise_kind *kind, const char *name);
void ise_change_undo(struct ft_call *call, const struct ise_kind *kind, const char *name);
void ise_delete_undo(struct ft_call *call, const struct ise_kind *kind, const char *name);
void ise_create_probe(struct ft_call *call, const struct ise_kind *kind, const char *name);
void ise_delete_probe(struct ft_call *call, const struct ise_kind *kind, const char *name);
extern const struct ise_kind ise_kind_group;
json_t *ise_bool_or_null(const json_t *value, const char *key);           /* new */
bool ise_is_id(const char *text);
double ise_certificate_time(const char *text);                            /* s since 1970; 0: cannot be read */

/* ---- schemas as C text */
#define JSON(...) #__VA_ARGS__
#define ISE_P(name, type, text) "\"" name "\":{\"type\":" type ",\"description\":\"" text "\"}"
#define ISE_P_INT(name, text) ISE_P(name, "[\"integer\",\"null\"]", text)
#define ISE_P_NUM(name, text) ISE_P(name, "[\"number\",\"null\"]", text)
#define ISE_P_STR(name, text) ISE_P(name, "[\"string\",\"null\"]", text)
#define ISE_P_BOOL(name, text) ISE_P(name, "\"boolean\"", text)
#define ISE_P_TIME(name, text) ISE_P(name, "[\"number\",\"null\"]", text ", s since 1970")
#define ISE_P_LIST(name, item, text) "\"" name "\":{\"type\":\"array\",\"items\":" item ",\"description\":\"" text "\"}"
#define ISE_OBJ(properties) "{\"type\":\"object\",\"properties\":{" properties "}}"
#define ISE_PARAMS(required, properties) \
    "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[" required "],\"properties\":{" properties "}}"
#define ISE_MAC JSON("mac": {"type": "string", "minLength": 12, "description": "MAC address of the endpoint, in any notation"})
#define ISE_WINDOW(otherwise) "\"window\":{\"type\":[\"string\",\"number\"],\"default\":\"" otherwise "\",\"pattern\":\"^[1-9][0-9]*[smhdw]$\"," \
    "\"exclusiveMinimum\":0,\"description\":\"how far back to look: 30m, 1h, 1d; a number is milliseconds\"}"
#define ISE_CHANGED JSON("changed": {"type": "boolean", "description": "false: there was nothing to do and nothing was sent"})

#define ISE_LIMIT(otherwise) "\"limit\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":5000,\"default\":" otherwise ",\"description\":\"at most so many\"}"
#define ISE_FILTER JSON("filter": {"type": "array", "maxItems": 10, "description": "filters of ERS, all of which must hold: name.CONTAINS.lab; operators EQ NEQ STARTSW ENDSW CONTAINS",\
    "items": {"type": "string", "pattern": "^[A-Za-z]+[.](N?EQ|GT|LT|N?STARTSW|N?ENDSW|N?CONTAINS)[.].+$"}})
#define ISE_OBJECT_RESULT ISE_OBJ(ISE_CHANGED "," ISE_P_STR("id", "its id") "," ISE_P_STR("name", "its name"))

/* ---- ise_mnt.c: records of MnT: sessions and attempts */
#define ISE_REASON_PROPERTIES \
    ISE_P_STR("failure_reason_code", "number of the failure reason, such as 22040") "," \
    ISE_P_STR("failure_reason", "the failure reason in words") "," \
    ISE_P_STR("cause", "what ISE's catalogue says about its cause") "," \
    ISE_P_STR("resolution", "what to do about it") "," \
    ISE_P_STR("kind", "wrong_password, unknown_user, account_disabled, certificate, policy, supplicant, radius, directory, or other; nil without a failure")
#define ISE_AUTH_PROPERTIES \
    ISE_P_STR("user_name", "identity that was presented") "," \
    ISE_P_STR("auth_protocol", "protocol, such as EAP-TLS or PEAP") "," ISE_P_STR("auth_method", "dot1x, mab, PAP_ASCII …") "," \
    ISE_P_STR("identity_store", "where the identity was looked up") "," ISE_P_STR("identity_group", "group of the identity") "," \
    ISE_P_STR("policy_set", "policy set that matched") "," ISE_P_STR("authorization_rule", "authorization rule that matched") "," \
    ISE_P_STR("authorization_profile", "authorization profile that was given") "," \
    ISE_P_STR("nas_ip", "address of the network device") "," ISE_P_STR("nas_port", "port of the network device") "," \
    ISE_P_STR("nas_name", "name of the network device in ISE") "," ISE_P_STR("called_station", "BSSID or MAC address, and SSID, of the access point") "," \
    ISE_P_STR("server", "ISE node that answered") "," ISE_P_TIME("timestamp", "when it was") "," \
    ISE_P_NUM("age_s", "how long ago, s") "," ISE_P_STR("message_code", "5200 passed, 5400 failed") "," \
    ISE_P_STR("response", "what ISE answered to the network device")
void ise_set_auth(struct ft_call *call, json_t *out, const json_t *record);
void ise_set_reason(json_t *out, const json_t *reasons, const char *code, const char *text);
bool ise_passed(const json_t *record);
double ise_record_time(const json_t *record);                             /* s since 1970; 0: none */
const char *ise_code_of(struct ft_call *call, const char *text);          /* "22040 Wrong password": "22040" */
const char *ise_words_of(const char *text);                               /* "Wrong password" */
unsigned long ise_window_s(struct ft_call *call);                         /* of parameter `window` */

/* ---- shared between actions */
/* GET /Session/MACAddress/{MAC} of st->mac; NULL: ISE knows no session. */
void ise_session_of(struct ft_call *call, ise_then *then);
/* The catalogue of failure reasons, asked for once a day; NULL: ISE does not give it. */
void ise_reasons(struct ft_call *call, ise_then *then);
json_t *ise_anc_body(struct ft_call *call, const char *policy);

extern const struct ft_action ise_session, ise_auth_status, ise_failure_reason, ise_active_count, ise_coa_reauth, ise_coa_disconnect;
extern const struct ft_action ise_endpoint, ise_endpoint_groups, ise_endpoint_update, ise_endpoint_move_group, ise_node_status, ise_internal_user;
extern const struct ft_action ise_anc_status, ise_anc_apply, ise_anc_clear, ise_anc_policies, ise_anc_endpoints;
extern const struct ft_action ise_sessions, ise_session_counts, ise_session_delete, ise_auth_attempts, ise_failure_reasons;
extern const struct ft_action ise_endpoints, ise_endpoint_create, ise_endpoint_delete, ise_rejected_endpoints, ise_endpoint_release;
extern const struct ft_action ise_endpoint_group_create, ise_endpoint_group_delete;
extern const struct ft_action ise_network_devices, ise_network_device, ise_network_device_create, ise_network_device_update, ise_network_device_delete;
extern const struct ft_action ise_network_device_groups, ise_identity_groups, ise_internal_users, ise_internal_user_enable, ise_internal_user_disable, ise_internal_user_password;
extern const struct ft_action ise_certificates, ise_nodes;
