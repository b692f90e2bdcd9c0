/* ticket.h: one way through a call for every ticket system, and what a system must know for it.
 *
 *   locate (find by number, id, correlation id) ─► look (whatever else the write rests on) ─► build the requests ─► (a plan ends here)
 *     ─► keep ─► send them in order ─► read the ticket back ─► what was asked for must be there
 *
 * engine.c walks this way; actions.c says what is wanted of it (struct intent); servicenow.c, jira.c and rt.c translate. A ticket between them is
 * a JSON object: number, id, state, status, title, priority, assignee, opened_at, updated_at, url, active; and for us "_native", "_correlated", "_meant". */
#pragma once
#include <fettle/kit.h>

#define TICKET_MAX_WRITES 3
#define TICKET_MAX_FILE (10u << 20)
#define TICKET_MAX_FOUND 20

enum phase { PHASE_RUN, PHASE_PLAN, PHASE_UNDO, PHASE_PROBE };
enum verb { VERB_NONE, VERB_OPEN, VERB_CHANGE, VERB_FINISH, VERB_RESTORE, VERB_CANCEL, VERB_ATTACH, VERB_LINK, VERB_UNLINK };

/* A request that reads. */
enum look {
    LOOK_FIND,              /* the tickets that are meant: an array of tickets */
    LOOK_ONE,               /* st->record again, by its id: a ticket */
    LOOK_NOTES,             /* newest first: [{"at", "by", "text", "visible"}] */
    LOOK_FILES,             /* attachments: [{"id", "name"}] */
    LOOK_MOVES,             /* which states it can be put in: the system's own answer */
    LOOK_OTHER,             /* the ticket at the other end of a link: a ticket */
    LOOK_APPROVERS,         /* of a change: [{"who", "state", "at"}] */
    N_LOOKS,
};
#define LOOK_BIT(kind) (1u << (kind))

enum link { LINK_PARENT, LINK_PROBLEM, LINK_CHANGE, LINK_RELATED, N_LINKS };
extern const char *const ticket_link_names[N_LINKS];

/* What is wanted; NULL: nothing of that kind. */
struct intent {
    enum verb verb;
    const char *title, *text, *severity, *state;      /* state and severity by our names */
    const char *note; bool visible;                   /* marked already */
    const char *code, *reason;                        /* of a resolution: the system's code, our words */
    const json_t *fields;                             /* by the system's names */
    const json_t *before;                             /* RESTORE, UNLINK: the system's own values that were there */
    const char *file_name, *content_type, *bytes; size_t len;
    enum link link; const char *other;
};

struct request {
    const char *method, *url, *content_type, *if_match;      /* method NULL: GET */
    const json_t *json;
    const char *raw; size_t raw_len;
    bool creates;
};

/* By what a ticket is looked for. */
enum ask { BY_NUMBER, BY_ID, BY_ABOUT, BY_CORRELATION };

struct system;
struct ticket;
typedef void next_fn(struct ft_call *call, struct ticket *st);

struct ticket {
    enum phase phase;
    const struct system *system;
    const char *name;                    /* of the system, in the configuration */
    const json_t *config;                /* of the system */
    bool change;                         /* it is about a change request */
    struct intent want;
    json_t *held;                        /* owns what outlives a callback */
    char *file, *buffer;                 /* malloced: an attachment, and how it is sent */
    json_t *all, *record;                /* all that were found; the one meant, NULL: none */
    bool stand_in;                       /* record is not there yet: the run that is being planned opens it */
    json_t *seen[N_LOOKS];
    unsigned needs;                      /* LOOK_BITs still to be asked */
    enum look kind;
    const char *cursor; unsigned pages, tries;
    next_fn *located, *looked, *finished;
    struct request writes[TICKET_MAX_WRITES];
    size_t n_writes, n_sent;
    const char *summary, *etag, *target; /* target: the system's own state that it will be in */
    const char *said;                    /* what the system said to the writes */
    json_t *changes, *receipt, *back;    /* back: as it was read back; for a file: what the system said of it */
    struct ft_http_header headers[5];
};

struct system {
    const char *kind, *label;
    bool changes;                        /* knows change requests */
    unsigned settle_ms;                  /* what was written may be missing from its searches for so long; 0: never */
    int (*check)(struct ft_call *call, struct ticket *st, struct ft_err *reterr);
    void (*sign)(struct ft_call *call, struct ticket *st, struct ft_http_req *req);              /* headers from st->headers[0] on, user, password */
    bool (*look)(struct ft_call *call, struct ticket *st, enum look kind, struct request *ret);  /* false: the system needs no such look */
    json_t *(*seen)(struct ft_call *call, struct ticket *st, enum look kind, const struct ft_http_res *res);    /* new; NULL: not an answer of this API */
    bool (*absent)(struct ft_call *call, struct ticket *st, const struct ft_http_res *res);      /* a 404 that means: no such ticket */
    unsigned (*needs)(struct ft_call *call, struct ticket *st);                                  /* LOOK_BITs that build wants */
    int (*build)(struct ft_call *call, struct ticket *st, struct ft_err *reterr);                /* st->want to st->writes; none: nothing to do */
    int (*created)(struct ft_call *call, struct ticket *st, const json_t *answer);               /* sets st->record of a new one */
    json_t *(*answered)(struct ft_call *call, struct ticket *st, const json_t *answer);          /* the ticket, where a write's answer shows it; new */
    enum ft_class (*left)(struct ft_call *call, struct ticket *st, const char **ret_field);      /* what of st->want is not in st->back */
    json_t *(*file_kept)(struct ft_call *call, struct ticket *st, const json_t *answer);         /* {"id", "name"} after ATTACH; new */
    bool (*detach)(struct ft_call *call, struct ticket *st, const char *id, struct request *ret);/* false: attachments stay */
    bool (*at)(struct ft_call *call, struct ticket *st, const char *state);                      /* st->record is in this state of ours */
    void (*error)(struct ft_call *call, const struct ft_http_res *res, const char **ret_said, enum ft_class *class);
    bool (*linked)(struct ft_call *call, struct ticket *st);                                     /* st->record has the link of st->want */
};

extern const struct ft_host *host;
extern const struct system ticket_servicenow, ticket_jira, ticket_rt;

/* ---- engine.c ---- */
int ticket_begin(struct ft_call *call, enum phase phase, bool change, struct ft_err *reterr);
json_t *ticket_hold(struct ft_call *call, json_t *value);            /* lives as long as the call; gives value back */
void ticket_release(struct ft_call *call);
void ticket_done(struct ft_call *call, json_t *result);
__attribute__((format(printf, 3, 4))) void ticket_fail(struct ft_call *call, enum ft_class class, const char *fmt, ...);
void ticket_locate(struct ft_call *call, next_fn *then);             /* goes on with st->record, or NULL */
enum ask ticket_ask(struct ft_call *call, const struct ticket *st, const char **ret_text);
void ticket_look(struct ft_call *call, unsigned looks, next_fn *then);       /* fills st->seen */
void ticket_write(struct ft_call *call, next_fn *then);              /* looks, builds, ends a plan; sends, reads back and goes on in a run */
bool ticket_needed(struct ft_call *call, struct ticket *st);         /* st->record, or a stand-in in a plan; false: the call has failed */
void ticket_request(struct ft_call *call, const struct request *request, unsigned flags, ft_http_cb *answered);
json_t *ticket_receipt(struct ft_call *call, struct ticket *st);     /* new: {"system", "id", "number", "before": {}} */
json_t *ticket_watch(const struct ticket *st);                        /* new: for `watch` of a plan; NULL: no ticket */
json_t *ticket_facts(const json_t *record);                          /* new: what people see of it; NULL: all null */
void ticket_before(struct ft_call *call, struct ticket *st, const char *key, const char *from, const char *to);   /* for undo, and for people */

/* ---- values.c ---- */
const char *ticket_param(struct ft_call *call, const char *key);
const char *ticket_base(struct ft_call *call, const struct ticket *st);              /* the URL without a slash at its end */
const char *ticket_correlation(struct ft_call *call);
const char *ticket_mark(struct ft_call *call, const char *text);                     /* "(fettle run 7f3c, note 1a2b3c4d)" */
const char *ticket_marked(struct ft_call *call, const char *text);
const char *ticket_clip(struct ft_call *call, const char *text, size_t bytes, const char *end);
const char *ticket_quoted(struct ft_call *call, const char *text, const char *special, char escape);
json_t *ticket_time(const char *text);                                               /* new: UTC as RFC 3339, null where there is none */
const char *ticket_mapped(const struct ticket *st, const char *map, const char *key);
const char *ticket_unmapped(const struct ticket *st, const char *map, const char *value);
const char *ticket_word_in(const char *text, const char *const *words);              /* the first of the words that is in text, without regard to case */
char *ticket_base64(const char *bytes, size_t len);                                  /* malloced */
/* A field for one of the neutral parameters (ci, caller, …) that the configuration names; NULL: none. */
const char *ticket_field_for(const struct ticket *st, const char *param);
