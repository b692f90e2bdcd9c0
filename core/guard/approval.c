/* approval.c: answers of people, on their way to the run that asked. */
#include <errno.h>
#include <string.h>
#include "base/buf.h"
#include "base/digest.h"
#include "base/util.h"
#include "data/json.h"
#include "guard/approval_parts.h"

enum { DIGEST_MIN = 8, LINK_HEX = 24, TOKEN_HEX = 32, MAX_RUNS = 100000 };

/* A gate with what belongs to it, while one question is answered. */
struct seen {
    json_t *events, *gates, *delegations, *rows;
    json_t *gate;                 /* borrowed from gates */
    struct ft_people people;
    uint64_t now;
    bool over;                    /* the run is */
};

static void seen_done(struct seen *s)
{
    json_decref(s->events);
    json_decref(s->gates);
    json_decref(s->delegations);
    json_decref(s->rows);
}

static uint64_t now_ms(const struct ft_approvals *approvals)
{
    return ft_clock_wall_ms(approvals->clock ? approvals->clock : ft_clock_system());
}

static const char *last_type(const json_t *events, const char *a, const char *b)
{
    for (size_t i = json_array_size(events); i-- > 0;) {
        const char *type = ft_json_str(json_array_get(events, i), "type");

        if (ft_streq(type, a) || ft_streq(type, b))
            return type;
    }
    return NULL;
}

static int people_of(const struct ft_approvals *approvals, json_t **ret_delegations, struct ft_people *ret, struct ft_err *reterr)
{
    int r = ft_answers(approvals->store, "", FT_DELEGATIONS, true, ret_delegations, reterr);

    *ret = (struct ft_people){ .config = approvals->config, .delegations = *ret_delegations };
    return r;
}

/* What lies in the store and was not taken yet is counted as it will be when it is taken. */
static void count_untaken(struct seen *s, json_t *gate)
{
    json_t *row, *done;
    size_t i, j;

    json_array_foreach(s->rows, i, row) {
        bool journalled = false;
        json_t *event;

        if (!ft_streq(ft_json_str(row, "gate"), ft_json_str(gate, "nonce")))
            continue;
        json_array_foreach(json_object_get(gate, "answers"), j, done)
            journalled |= json_equal(done, json_object_get(row, "row"));
        if (journalled)
            continue;
        event = ft_gate_take(&s->people, gate, row);
        json_object_set_new(event, "untaken", json_true());
        ft_gates_note(s->gates, event, NULL);
        json_decref(event);
    }
}

static bool voted(const json_t *gate, const char *who)
{
    json_t *vote;
    size_t i;

    json_array_foreach(json_object_get(gate, "votes"), i, vote)
        if (ft_streq(ft_json_str(vote, "by"), who))
            return true;
    return false;
}

/* An approval of theirs that stands, of a run that goes on: it can be withdrawn. */
static json_t *approved_by(const struct seen *s, const char *who)
{
    for (size_t i = json_array_size(s->gates); i-- > 0 && who && !s->over;) {
        json_t *gate = json_array_get(s->gates, i);

        if (ft_streq(ft_json_str(gate, "state"), "approved") && voted(gate, who))
            return gate;
    }
    return NULL;
}

static int pick(struct seen *s, const char *run, const char *path, const char *who, struct ft_err *reterr)
{
    struct ft_buf paths = FT_BUF_INIT(300);
    json_t *gate;
    size_t i, open = 0;
    int r;

    if (path) {
        s->gate = ft_gate_at(s->gates, path);
        return s->gate ? 0 : ft_err_class(reterr, FT_NOT_FOUND, -ENOENT, "run %s asks nothing at '%s'; `fettle approvals` lists what waits", run, path);
    }
    json_array_foreach(s->gates, i, gate) {
        if (!ft_gate_is_open(gate))
            continue;
        s->gate = gate;
        ft_buf_addf(&paths, "%s--gate %s", open++ ? ", or " : "", ft_json_str(gate, "path"));
    }
    r = open > 1 ? ft_err_class(reterr, FT_INVALID, -EEXIST, "run %s waits at %zu gates: say which, %s", run, open, ft_buf_str(&paths)) : 0;
    ft_buf_done(&paths);
    if (r < 0)
        return r;
    if (!open)
        s->gate = approved_by(s, who);
    if (!s->gate)
        return ft_err_class(reterr, FT_NOT_FOUND, -ENOENT, "run %s waits for no approval%s", run, json_array_size(s->gates) ? " any more: it was decided" : "");
    return 0;
}

static int look_all(const struct ft_approvals *approvals, const char *run, struct seen *s, struct ft_err *reterr)
{
    json_t *gate;
    size_t i;
    int r;

    *s = (struct seen){ .now = now_ms(approvals) };
    r = ft_store_events(approvals->store, run, 0, &s->events, reterr);
    if (r == 0)
        r = people_of(approvals, &s->delegations, &s->people, reterr);
    if (r == 0)
        r = ft_answers(approvals->store, run, NULL, true, &s->rows, reterr);
    if (r == 0) {
        s->gates = ft_gates_of(s->events);
        s->over = ft_streq(last_type(s->events, "run.finished", "run.reopened"), "run.finished");
        json_array_foreach(s->gates, i, gate)
            count_untaken(s, gate);
    }
    if (r < 0)
        seen_done(s);
    return r;
}

static int look(const struct ft_approvals *approvals, const char *run, const char *path, const char *who, struct seen *s, struct ft_err *reterr)
{
    int r = look_all(approvals, run, s, reterr);

    if (r < 0)
        return r;
    r = pick(s, run, path, who, reterr);
    if (r < 0)
        seen_done(s);
    return r;
}

/* ---- tokens and links: they say which gate is meant, and give no right */

static void hash_of(const char *what, const char *nonce, const char *who, size_t n, char ret[FT_DIGEST_HEX])
{
    char *text = ft_asprintf("%s|%s|%s|%zu", what, nonce ? nonce : "", who, n);

    ft_sha256_hex(text, strlen(text), ret);
    free(text);
}

void ft_gate_link(const char *run, const json_t *gate, char ret[33])
{
    char hex[FT_DIGEST_HEX];

    hash_of("link", ft_json_str(gate, "nonce"), run, 0, hex);
    snprintf(ret, 33, "%.8s%.*s", run, LINK_HEX, hex);
}

static void token_of(const struct seen *s, const char *who, char ret[TOKEN_HEX + 1])
{
    const char *nonce = ft_json_str(s->gate, "nonce");
    char hex[FT_DIGEST_HEX];
    size_t i, said = 0;
    json_t *row;

    json_array_foreach(s->rows, i, row)
        said += ft_streq(ft_json_str(row, "gate"), nonce) && ft_streq(ft_json_str(json_object_get(row, "answer"), "by"), who);
    hash_of("answer", nonce, who, said, hex);
    snprintf(ret, TOKEN_HEX + 1, "%s", hex);
}

/* ---- seeing */

static json_t *row_of(const struct seen *s, const char *who, const char *decision, const char *reason, const char *where, const char *digest)
{
    json_t *answer = json_pack("{s:s, s:s, s:s, s:s, s:s}", "by", who, "decision", decision, "reason", reason ? reason : "", "where", where ? where : "", "digest", digest);

    return json_pack("{s:O, s:I, s:o}", "gate", json_object_get(s->gate, "nonce"), "at", (json_int_t)s->now, "answer", answer);
}

static void add_may(const struct seen *s, const char *who, json_t *view)
{
    json_t *row = row_of(s, who, "approve", "", "", ft_json_str(s->gate, "digest")), *event = ft_gate_take(&s->people, s->gate, row);
    bool may = ft_streq(ft_json_str(event, "type"), "gate.vote");
    char token[TOKEN_HEX + 1];

    token_of(s, who, token);
    json_object_set_new(view, "token", json_string(token));
    json_object_set_new(view, "may", json_boolean(may));
    if (!may)
        json_object_set(view, "why_not", json_object_get(event, "why"));
    else if (json_object_get(event, "for"))
        json_object_set(view, "for", json_object_get(event, "for"));
    json_decref(event);
    json_decref(row);
}

static json_t *view_of(const struct seen *s, const char *run, const char *who)
{
    static const char *const decisions[] = { [FT_GATE_WAITS] = "waits", [FT_GATE_APPROVED] = "approved", [FT_GATE_REJECTED] = "rejected", [FT_GATE_WITHDRAWN] = "withdrawn" };
    json_t *view = json_copy(s->gate);
    const json_t *start = json_array_get(s->events, 0);
    char *missing = NULL, *words = ft_gate_needs(s->gate);
    char link[33];

    json_object_set_new(view, "run", json_string(run));
    json_object_set(view, "playbook", json_object_get(start, "playbook"));
    json_object_set(view, "params", json_object_get(start, "params"));
    json_object_set_new(view, "needs", json_string(words));
    json_object_set_new(view, "decision", json_string(decisions[ft_gate_decide(&s->people, s->gate, &missing)]));
    json_object_set_new(view, "so_far", json_string(missing));
    json_object_set_new(view, "asked", ft_gate_asked(&s->people, s->gate, s->now));
    ft_gate_link(run, s->gate, link);
    json_object_set_new(view, "link", json_string(link));
    json_object_set_new(view, "left_ms", json_integer((json_int_t)(ft_json_int(s->gate, "until", 0) - (int64_t)s->now)));
    json_object_del(view, "nonce");
    json_object_del(view, "answers");
    json_object_del(view, "told");
    if (who && !s->over)
        add_may(s, who, view);
    else if (who)
        json_object_set_new(view, "why_not", json_string("it is over; there is nothing left to decide"));
    free(missing);
    free(words);
    return view;
}

int ft_approval_view(const struct ft_approvals *approvals, const char *run, const char *path, const char *who, json_t **ret, struct ft_err *reterr)
{
    struct seen s;
    int r = look(approvals, run, path, who, &s, reterr);

    if (r < 0)
        return r;
    *ret = view_of(&s, run, who);
    seen_done(&s);
    return 0;
}

int ft_approval_view_link(const struct ft_approvals *approvals, const char *link, const char *who, json_t **ret, struct ft_err *reterr)
{
    char run[9] = "", now[33];
    struct seen s = { 0 };
    json_t *gate;
    size_t i;
    int r;

    if (strlen(link) != 8 + LINK_HEX || strspn(link, "0123456789abcdef") != strlen(link))
        return ft_err_class(reterr, FT_NOT_FOUND, -ENOENT, "this link leads to no approval");
    memcpy(run, link, 8);
    r = ft_store_events(approvals->store, run, 0, &s.events, NULL);
    s.gates = r == 0 ? ft_gates_of(s.events) : json_array();
    r = ft_err_class(reterr, FT_NOT_FOUND, -ENOENT, "this link leads to no approval");
    json_array_foreach(s.gates, i, gate) {
        ft_gate_link(run, gate, now);
        if (!ft_streq(now, link))
            continue;
        /* One that another gate took the place of is shown as what it is: void. */
        if (ft_gate_at(s.gates, ft_json_str(gate, "path")) == gate)
            r = ft_approval_view(approvals, run, ft_json_str(gate, "path"), who, ret, reterr);
        else
            r = ft_err_class(reterr, FT_NOT_FOUND, -ENOENT, "what this link asked about has changed; `fettle approvals` lists what is asked now");
    }
    seen_done(&s);
    return r;
}

struct runs { json_t *ids; };

static void add_run(void *arg, const struct ft_run_info *info)
{
    struct runs *runs = arg;

    if (ft_streq(info->mode, "run"))
        json_array_insert_new(runs->ids, 0, json_string(info->id));
}

/* One reading of a run serves all its gates. */
static int list_run(const struct ft_approvals *approvals, const char *run, const char *who, json_t *list, struct ft_err *reterr)
{
    struct seen s;
    json_t *gate;
    size_t i;
    int r = look_all(approvals, run, &s, reterr);

    if (r < 0)
        return r;
    json_array_foreach(s.gates, i, gate) {
        s.gate = gate;
        if (ft_gate_is_open(gate))
            json_array_append_new(list, view_of(&s, run, who));
    }
    seen_done(&s);
    return 0;
}

int ft_approval_list(const struct ft_approvals *approvals, const char *who, json_t **ret, struct ft_err *reterr)
{
    static const char *const states[] = { "parked", "running" };
    struct runs runs = { .ids = json_array() };
    json_t *list = json_array(), *id;
    size_t i;
    int r = 0;

    for (i = 0; i < ARRAY_LEN(states) && r == 0; i++)
        r = ft_store_runs(approvals->store, states[i], MAX_RUNS, add_run, &runs, reterr);
    json_array_foreach(runs.ids, i, id)
        if (r == 0)
            r = list_run(approvals, json_string_value(id), who, list, reterr);
    json_decref(runs.ids);
    if (r < 0)
        json_decref(list);
    else
        *ret = list;
    return r;
}

/* ---- answering */

static int check_seen(const struct seen *s, const struct ft_answer *answer, struct ft_err *reterr)
{
    const char *digest = ft_json_str(s->gate, "digest");
    char token[TOKEN_HEX + 1];
    size_t len = answer->digest ? strlen(answer->digest) : 0;

    if (s->over)
        return ft_err_class(reterr, FT_REFUSED, -EALREADY, "run %s is over; there is nothing left to decide", answer->run);
    if (!ft_gate_is_open(s->gate) && !(ft_streq(answer->decision, "withdraw") && ft_streq(ft_json_str(s->gate, "state"), "approved")))
        return ft_err_class(reterr, FT_REFUSED, -EALREADY, "run %s: this was decided already (%s)", answer->run, ft_json_str(s->gate, "state"));
    if (ft_gate_is_open(s->gate) && s->now > (uint64_t)ft_json_int(s->gate, "until", 0))
        return ft_err_class(reterr, FT_REFUSED, -ETIME, "run %s: the time to answer is over", answer->run);
    if (len < DIGEST_MIN)
        return ft_err_class(reterr, FT_INVALID, -EINVAL, "run %s: say what was seen, by the first %d digits of its digest at least", answer->run, DIGEST_MIN);
    if (!digest || strncmp(digest, answer->digest, len) != 0)
        return ft_err_class(reterr, FT_CONFLICT, -ESTALE, "run %s: what is asked for now is not what was seen; look again with `fettle approvals`", answer->run);
    token_of(s, answer->who, token);
    if (!ft_streq(answer->token, token))
        return ft_err_class(reterr, FT_CONFLICT, -ESTALE, "run %s: this answer was given already, or its page is an old one; look again with `fettle approvals`", answer->run);
    return 0;
}

static int put(const struct ft_approvals *approvals, struct seen *s, const struct ft_answer *answer, struct ft_err *reterr)
{
    json_t *row = row_of(s, answer->who, answer->decision, answer->reason, answer->where, ft_json_str(s->gate, "digest"));
    json_t *event = ft_gate_take(&s->people, s->gate, row);
    uint64_t number = 0;
    int r;

    if (ft_streq(ft_json_str(event, "type"), "gate.refused"))
        r = ft_err_class(reterr, FT_DENIED, -EPERM, "run %s: %s", answer->run, ft_json_str(event, "why"));
    else
        r = ft_answer_put(approvals->store, answer->run, ft_json_str(s->gate, "nonce"), json_object_get(row, "answer"), &number, reterr);
    if (r == 0)
        ft_gates_note(s->gates, event, NULL);
    json_decref(event);
    json_decref(row);
    return r;
}

int ft_approval_answer(const struct ft_approvals *approvals, const struct ft_answer *answer, json_t **ret_gate, struct ft_err *reterr)
{
    struct seen s;
    int r;

    if (!answer->who || !*answer->who)
        return ft_err_class(reterr, FT_DENIED, -EPERM, "nobody can be approved by somebody without a name");
    if (answer->reason && strlen(answer->reason) > MAX_REASON)
        return ft_err_class(reterr, FT_INVALID, -EINVAL, "the reason is over %d bytes", MAX_REASON);
    r = look(approvals, answer->run, answer->path, answer->who, &s, reterr);
    if (r < 0)
        return r;
    r = check_seen(&s, answer, reterr);
    if (r == 0)
        r = put(approvals, &s, answer, reterr);
    if (r == 0 && ret_gate)
        *ret_gate = view_of(&s, answer->run, NULL);
    seen_done(&s);
    return r;
}

/* ---- delegation */

int ft_approval_delegations(const struct ft_approvals *approvals, json_t **ret, struct ft_err *reterr)
{
    json_t *rows = NULL, *who, *voices, *one;
    struct ft_people people;
    const char *name;
    size_t i;
    int r = people_of(approvals, &rows, &people, reterr);

    if (r < 0)
        return r;
    *ret = json_array();
    json_object_foreach(json_object_get(people.config, "people"), name, who) {
        voices = ft_person_acts_for(&people, name, now_ms(approvals));
        json_array_foreach(voices, i, one) {
            json_object_set_new(one, "person", json_string(name));
            json_array_append(*ret, one);
        }
        json_decref(voices);
    }
    json_decref(rows);
    return 0;
}

int ft_approval_delegate(const struct ft_approvals *approvals, const char *from, const char *role, const char *to, uint64_t until, const char *where,
                         struct ft_err *reterr)
{
    json_t *delegations = NULL, *row;
    struct ft_people people;
    int r = people_of(approvals, &delegations, &people, reterr);

    if (r == 0 && !ft_person_has(&people, from, ""))
        r = ft_err_class(reterr, FT_DENIED, -EPERM, "the configuration names no person '%s' among `people`", from);
    else if (r == 0 && *role && !ft_person_has(&people, from, role))
        r = ft_err_class(reterr, FT_DENIED, -EPERM, "%s does not have the role '%s', and cannot pass it on", from, role);
    else if (r == 0 && until && !ft_person_has(&people, to, ""))
        r = ft_err_class(reterr, FT_INVALID, -EINVAL, "the configuration names no person '%s' among `people`", to);
    else if (r == 0 && until && ft_streq(from, to))
        r = ft_err_class(reterr, FT_INVALID, -EINVAL, "nobody acts for themselves");
    else if (r == 0 && until && until <= now_ms(approvals))
        r = ft_err_class(reterr, FT_INVALID, -EINVAL, "the delegation would be over already");
    if (r == 0) {
        row = json_pack("{s:s, s:s, s:s, s:I, s:s}", "from", from, "role", role, "to", to ? to : "", "until", (json_int_t)until, "where", where ? where : "");
        r = ft_answer_put(approvals->store, "", FT_DELEGATIONS, row, NULL, reterr);
        json_decref(row);
    }
    json_decref(delegations);
    return r;
}
