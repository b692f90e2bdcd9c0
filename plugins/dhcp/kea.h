/* kea.h: one command to a Kea server and its reply, over the control agent (HTTP) or the daemon's own control socket.
 *
 * Both transports give the same struct kea_reply: the agent wraps replies into an array with one member a service, the socket gives
 * the bare object. Result 3 means "nothing found" and is no error. */
#pragma once
#include <fettle/kit.h>

enum { KEA_OK = 0, KEA_ERROR = 1, KEA_UNSUPPORTED = 2, KEA_EMPTY = 3, KEA_CONFLICT = 4 };

struct kea_reply {
    int result;                    /* of the above; -1 when no reply came: then class and text say why */
    enum ft_class class;           /* FT_CLASS_NONE when the result is KEA_OK or KEA_EMPTY */
    const char *text;
    json_t *arguments;             /* borrowed, valid in the callback; NULL */
    bool agent_answered;           /* the control agent is there, whatever the daemon behind it does */
};
typedef void kea_answered(struct ft_call *call, const struct kea_reply *reply);

enum phase { PHASE_RUN, PHASE_PLAN, PHASE_UNDO, PHASE_PROBE };

struct dhcp;
struct edit;

/* The state of every action of this plugin: which server, what is under way, and what a chain of commands carries along. */
struct dhcp {
    enum phase phase;
    const json_t *server;          /* its section of the configuration */
    const char *command;           /* under way */
    kea_answered *answered;
    bool write;
    bool v6;                       /* the DHCPv6 server is meant */
    json_t *held;                  /* owns what must outlive a callback; released by every end */

    /* leases.c */
    json_int_t subnet_id;          /* 0: all */
    void (*then)(struct ft_call *call);
    bool (*wanted)(struct ft_call *call, const json_t *lease);
    json_t *leases;                /* lives in held */
    size_t at, done, skipped;
    bool truncated;

    const char *subnet;            /* as text, where it is known: 10.0.0.0/24 */

    /* edits.c */
    const struct edit *edit;
    json_t *before, *after, *receipt, *result;     /* live in held */
    const char *summary;
    const char *hash;              /* of the configuration, where the server tells it */

    const char *goal, *said;       /* ha.c: the command that is meant, and what Kea said to it */

    /* config.c */
    json_t *wanted_config;         /* lives in held */
    bool leave_file;               /* set, but do not write to the server's file */

    /* hosts.c */
    json_t *found, *entry;         /* live in held; what is there, and what is added or deleted */
    bool adds, complete;

    /* wapi.c, wapi_changes.c */
    json_t *rows;                  /* of the last list; lives in held */
    struct {
        const char *method, *path, *kind;
        json_t *body;              /* lives in held */
        bool write, with_cookie;
        unsigned pages;
        void (*got)(struct ft_call *call, json_t *json);
        void (*listed)(struct ft_call *call);
        void (*networks)(struct ft_call *call);
        kea_answered *failed;      /* NULL: a failure ends the call */
    } wapi;
    int what;                      /* enum wapi_what, or hosts_what */
    const char *send_method, *send_path;
    json_t *send_body;
};

extern const struct ft_host *host;

/* A member as a result's schema wants it, whatever the other side wrote there: null where it is of another type. New references. */
static inline json_t *int_or_null(const json_t *object, const char *key)
{
    const json_t *value = ft_get(object, key);

    return json_is_integer(value) ? json_integer(json_integer_value(value)) : json_null();
}

static inline json_t *bool_or_null(const json_t *object, const char *key)
{
    const json_t *value = ft_get(object, key);

    return json_is_boolean(value) ? json_boolean(json_is_true(value)) : json_null();
}

/* The texts of a list; null where it is no list. */
static inline json_t *texts_or_null(const json_t *object, const char *key)
{
    json_t *list = json_is_array(ft_get(object, key)) ? json_array() : json_null(), *item;
    size_t i;

    json_array_foreach(ft_get(object, key), i, item) {
        if (json_is_string(item))
            json_array_append(list, item);
    }
    return list;
}

/* Every `start` begins here: finds the server. */
int dhcp_begin(struct ft_call *call, enum phase phase, struct ft_err *reterr);
/* The next thing in the start of an action that only Kea has: FT_INVALID with the sentence where the server is Infoblox. */
int kea_only(struct ft_call *call, const char *instead, struct ft_err *reterr);
/* Every call ends by one of these three, which release what is held. The result is taken over. */
void dhcp_done(struct ft_call *call, json_t *result);
__attribute__((format(printf, 3, 4)))
void dhcp_fail(struct ft_call *call, enum ft_class class, const char *fmt, ...);
void dhcp_cancel(struct ft_call *call);
/* Keeps the value until the end of the call; takes the reference over and gives it back borrowed. */
json_t *dhcp_hold(struct ft_call *call, json_t *value);

/* arguments are taken over; NULL: none. A command that cannot be sent ends the call. */
void kea_ask(struct ft_call *call, const char *command, json_t *arguments, kea_answered *answered);
void kea_change(struct ft_call *call, const char *command, json_t *arguments, kea_answered *answered);
/* As a plan shows it; arguments are taken over. */
json_t *kea_render(struct ft_call *call, const char *command, json_t *arguments);
/* Has this member of a configuration a secret? ("password", "basic-auth-password", "secret") */
bool kea_is_secret(const char *key);
/* Such values become ***; in place. The second one: in a list of {"path", "from", "to"}. */
void kea_mask_passwords(json_t *value);
void kea_mask_changes(json_t *changes);
/* True: go on (KEA_OK or KEA_EMPTY). False: the call has been failed with the reply's sentence. */
bool kea_accept(struct ft_call *call, const struct kea_reply *reply);

/* "2026-11-21T02:13:05Z"; new JSON string. */
json_t *kea_time(json_int_t epoch_s);
json_int_t dhcp_now_s(struct ft_call *call);
