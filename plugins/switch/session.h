/* session.h: talking to one switch.
 *
 *   sw_begin     which device, which vendor
 *   sw_ask       show commands: an EXEC channel each where the vendor allows it, else one after the other in a terminal dialogue;
 *                over NETCONF (netconf.h) an rpc each
 *   sw_say       steps of a terminal dialogue (configuration), each ended by the prompt; over NETCONF an rpc each
 *
 * A call ends by sw_done or sw_fail. What goes wrong on the way fails the call by itself: callers write the good way only. Where a
 * candidate or a session of the switch would stay behind, sw_fail gives it back first. */
#pragma once
#include <fettle/kit.h>
#include "netconf.h"
#include "terminal.h"

#define JSON FT_JSON
#define MAX_COMMANDS 7
#define MAX_STEPS 220

extern const struct ft_host *host;

enum phase { PHASE_RUN, PHASE_PLAN, PHASE_UNDO, PHASE_PROBE, PHASE_CONFIRM };

struct sw;
struct op;

/* A question to a switch: show commands ("{port}" is replaced; '?' in front: an error is an answer too), and how the answers become one value. */
struct ask {
    const char *commands[MAX_COMMANDS + 1];       /* ends with NULL */
    json_t *(*read)(struct ft_call *call, struct sw *st, struct ft_err *reterr);
};

enum question { ASK_INTERFACE, ASK_INTERFACES, ASK_MACS, ASK_LLDP, ASK_POE, ASK_FACTS, ASK_PORT, ASK_COUNT };

struct vendor {
    const char *name;
    bool exec;                                    /* show commands may come over EXEC channels */
    bool commits;                                 /* Junos: candidate configuration, commit confirmed */
    bool rpcs;                                    /* may be spoken to by NETCONF */
    const char *json_filter;                      /* behind a show command for structured output; NULL: it has none */
    const char *setup[4];                         /* what a dialogue begins with; ends with NULL */
    const char *configure, *leave, *save;         /* where !commits; save may be NULL */
    const char *saved;                            /* what it must answer to that; NULL: anything but an error */
    const char *alive;                            /* a show command that any switch can answer */
    struct ask asks[ASK_COUNT];                   /* no commands: not supported */
    /* The lines that do what `op` wants on a port whose facts (ASK_PORT) are given: fills st->change. 0, or a sentence. */
    int (*lines)(struct ft_call *call, struct sw *st, const struct op *op, const json_t *port, struct ft_err *reterr);
};

extern const struct vendor vendor_junos, vendor_ios, vendor_eos, vendor_frr, vendor_netconf;

/* One step of a dialogue. */
struct step {
    const char *send;                             /* over NETCONF: words for people */
    const char *rpc;                              /* over NETCONF: what is sent */
    const char *element;                          /* over NETCONF: whose text `save` gets; NULL: the XML within <data> */
    bool locks, unlocks;                          /* over NETCONF: the candidate; EOS: enters and leaves a configuration session */
    const char *until;                            /* ended by this text rather than by the prompt */
    const char *must;                             /* the output must contain this */
    const char **save;                            /* gets the output */
    bool raw;                                     /* sent as it is, without line end; its echo is not waited for */
    bool risky;                                   /* a connection lost now leaves it unknown whether the change happened */
};

enum load_form { LOAD_LINES, LOAD_TEXT, LOAD_XML, LOAD_ROLLBACK };

struct change {                                   /* what is to be done; everything lives in sw.held */
    enum load_form form;                          /* of what is loaded first: `first`, or */
    const char *text;                             /*   a configuration in the switch's own form, or XML; or */
    const char *rollback;                         /*   an older one: its number on Junos, a file elsewhere */
    bool replace;                                 /* it replaces the whole configuration */
    bool later;                                   /* left unconfirmed: switch.config_confirm comes */
    bool left;                                    /* left unconfirmed: this action's confirm comes, once it is verified */
    json_t *first, *second;                       /* configuration lines; second: after the wait of a bounce, NULL: none */
    json_t *undo;                                 /* lines that put back what there was */
    json_t *from, *to;                            /* for people */
    const char *path;                             /* "ge-0/0/7 vlan" */
    bool nothing;                                 /* it is so already */
    unsigned wait_s, confirm_min;                 /* confirm_min 0: plain commit */
};

enum dialogue { DIALOGUE_NONE, DIALOGUE_LEARN, DIALOGUE_ENABLE, DIALOGUE_SETUP, DIALOGUE_READY };

struct sw {
    enum phase phase;
    const char *name;                             /* of the device, as configured */
    const json_t *device;
    const struct vendor *vendor;
    const char *port;
    json_t *held;

    /* asking */
    const struct ask *ask;
    const char *commands[MAX_COMMANDS];
    const char *answers[MAX_COMMANDS];
    size_t count, at;
    unsigned tolerated;                           /* one bit a command: its answer may be an error */
    json_t *trees[MAX_COMMANDS];                  /* over NETCONF: an answer that is structure; live in held */
    enum nc_form form;
    const char *element;
    bool keep_logs;
    void (*asked)(struct ft_call *call);
    char *bytes;                                  /* of the command under way */
    size_t len, size;
    char complaint[400];                          /* stderr */

    /* the dialogue */
    struct ft_stream *stream;
    struct term term;
    enum dialogue dialogue;
    char candidate[128];
    size_t setup_at;
    const char *sent, *until;
    bool echo_known, echoes, risky;
    uint64_t quiet_at_ms;
    const struct step *steps;
    size_t step_count, step_at;
    void (*said)(struct ft_call *call);

    /* NETCONF */
    bool netconf;                                 /* the transport of this switch */
    struct nc nc;

    /* an end that first gives back what the switch holds for us */
    bool in_session;                              /* EOS: a configuration session is open, to be aborted */
    bool cleaning;
    enum ft_class end_class;
    const char *end_text;
    void (*cleaned)(struct ft_call *call);

    /* a change */
    const struct op *op;
    struct change change;
    const char *diff;
    const char *before, *after, *now;             /* whole configurations, where the difference is worked out here */
    const char *session_name;                     /* EOS */
    json_t *facts;                                /* ASK_PORT's, lives in held */
    void (*applied)(struct ft_call *call);
    void (*before_commit)(struct ft_call *call, void (*then)(struct ft_call *call));   /* NULL: nothing */
    bool pending;                                 /* committed, and not confirmed yet */
    bool fresh;                                   /* the next channel logs in anew: not over the session that made the change */
    bool continues;                               /* an earlier try of this run was cut off before it confirmed its commit */
    bool foreign;                                 /* another commit waits for its confirmation */
    bool foreign_run;                             /* … of another step of this run */
    bool asking_alive;
};

/* ---- device ---- */
int sw_begin(struct ft_call *call, enum phase phase, struct ft_err *reterr);
const char *sw_setting(struct ft_call *call, const char *key);            /* of the device, else of the defaults */
const json_t *sw_setting_json(struct ft_call *call, const char *key);
#define sw_error ft_fault

/* From `show system commit` (EOS: `show configuration sessions`): sets continues and foreign. */
void sw_note_commits(struct ft_call *call, const char *log);
/* Fails the call where a commit that is not this step's waits for its confirmation: a change now would confirm it. */
bool sw_refuses_foreign(struct ft_call *call);

/* ---- channels ---- */
/* False: it could not be opened, and the call has failed by that. */
bool sw_open(struct ft_call *call, enum ft_ssh_kind kind, const char *command, const struct ft_stream_events *events, struct ft_stream **ret);
void sw_lost(struct ft_call *call, enum ft_class class, const char *why);   /* the dialogue's channel ended */
char *sw_joined(struct ft_call *call, const json_t *lines);                  /* each with a line's end; lives as long as the call */
const char *sw_takes_itself_back(const struct sw *st);                      /* "; the switch takes …", or "" */

/* ---- ends ---- */
void sw_done(struct ft_call *call, json_t *result);
__attribute__((format(printf, 3, 4)))
void sw_fail(struct ft_call *call, enum ft_class class, const char *fmt, ...);
void sw_cancel(struct ft_call *call);
json_t *sw_hold(struct ft_call *call, json_t *value);                     /* borrowed from then on */

/* ---- talking ---- */
/* Goes on with `then` when all of the question's answers are in st->answers. -ENOTSUP with a sentence where the vendor has no such thing. */
int sw_ask(struct ft_call *call, enum question what, void (*then)(struct ft_call *call), struct ft_err *reterr);
/* Commands given whole; at most MAX_COMMANDS; they must live as long as the call. */
void sw_commands(struct ft_call *call, const char *const *commands, size_t count, void (*then)(struct ft_call *call));
/* The value that the question's reader makes of the answers; NULL: the call has been failed. Borrowed (held). */
json_t *sw_read(struct ft_call *call);
/* Steps must live as long as the call. Opens the dialogue when there is none yet. */
void sw_say(struct ft_call *call, const struct step *steps, size_t count, void (*then)(struct ft_call *call));
/* Is the switch there for a NEW channel, while the dialogue stays open? then comes with st->complaint[0] == 0 when it is. */
void sw_check_alive(struct ft_call *call, void (*then)(struct ft_call *call));
