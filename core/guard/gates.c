/* gates.c: what a run's events say of its gates, and who may decide at one. Nothing here remembers anything. */
#include <string.h>
#include "base/buf.h"
#include "base/digest.h"
#include "base/util.h"
#include "data/json.h"
#include "guard/approval_parts.h"

enum { MAX_SLOTS = 64 };

/* ---- gates from events */

json_t *ft_gate_at(const json_t *gates, const char *path)
{
    for (size_t i = json_array_size(gates); i-- > 0;) {
        json_t *gate = json_array_get(gates, i);

        if (ft_streq(ft_json_str(gate, "path"), path))
            return gate;
    }
    return NULL;
}

bool ft_gate_is_open(const json_t *gate)
{
    return ft_streq(ft_json_str(gate, "state"), "open");
}

static void note_opened(json_t *gates, const json_t *event, const char *requester)
{
    json_t *gate = json_copy((json_t *)event);

    json_object_del(gate, "type");
    json_object_set_new(gate, "state", json_string("open"));
    json_object_set_new(gate, "votes", json_array());
    json_object_set_new(gate, "answers", json_array());
    json_object_set_new(gate, "told", json_array());
    json_object_set_new(gate, "reminded", json_integer(0));
    json_object_set_new(gate, "escalated", json_integer(0));
    if (requester)
        json_object_set_new(gate, "requester", json_string(requester));
    json_array_append_new(gates, gate);
}

static void drop_vote(json_t *gate, const char *by)
{
    json_t *votes = json_object_get(gate, "votes");

    for (size_t i = json_array_size(votes); i-- > 0;)
        if (ft_streq(ft_json_str(json_array_get(votes, i), "by"), by))
            json_array_remove(votes, i);
}

/* Also of a gate that was approved: what was not sent yet is not sent any more. */
static void note_withdrawn(json_t *gate, const json_t *event)
{
    drop_vote(gate, ft_json_str(event, "by"));
    if (!ft_streq(ft_json_str(gate, "state"), "approved"))
        return;
    json_object_set_new(gate, "state", json_string("withdrawn"));
    json_object_set(gate, "revoked", (json_t *)event);
}

static void bump(json_t *gate, const char *count)
{
    json_object_set_new(gate, count, json_integer((json_int_t)ft_json_int(gate, count, 0) + 1));
}

static void note_answered(json_t *gate, const json_t *event)
{
    const char *state = json_is_true(json_object_get(event, "approved")) ? "approved" : json_is_true(json_object_get(event, "expired")) ? "expired"
                      : json_is_true(json_object_get(event, "withdrawn")) ? "withdrawn" : "rejected";

    json_object_set_new(gate, "state", json_string(state));
    json_object_set(gate, "answered", (json_t *)event);
}

static void note_one(json_t *gate, const char *type, const json_t *event)
{
    const json_t *row = json_object_get(event, "answer");

    if (row)
        json_array_append(json_object_get(gate, "answers"), (json_t *)row);
    if (ft_streq(type, "gate.vote"))
        json_array_append(json_object_get(gate, "votes"), (json_t *)event);
    else if (ft_streq(type, "gate.withdrawn") && json_is_true(json_object_get(event, "request")))
        json_object_set(gate, "cancelled", (json_t *)event);
    else if (ft_streq(type, "gate.withdrawn"))
        note_withdrawn(gate, event);
    else if (ft_streq(type, "gate.broken"))
        json_object_set(gate, "broken", (json_t *)event);
    else if (ft_streq(type, "gate.reminded"))
        json_object_set(gate, "reminded", json_object_get(event, "n"));
    else if (ft_streq(type, "gate.noticed") || ft_streq(type, "gate.notice_failed"))
        json_array_append(json_object_get(gate, "told"), json_object_get(event, "what"));
    else if (ft_streq(type, "gate.escalated"))
        bump(gate, "escalated");
    else if (ft_streq(type, "gate.answered"))
        note_answered(gate, event);
}

/* Said at the write that differs, of the gate that approved it. */
static void note_voided(json_t *gates, const json_t *event)
{
    for (size_t i = json_array_size(gates); i-- > 0;) {
        json_t *gate = json_array_get(gates, i);

        if (ft_streq(ft_json_str(gate, "path"), ft_json_str(event, "approved")) && ft_streq(ft_json_str(gate, "digest"), ft_json_str(event, "digest"))) {
            json_object_set_new(gate, "state", json_string("void"));
            json_object_set(gate, "again_at", json_object_get(event, "path"));
            return;
        }
    }
}

void ft_gates_note(json_t *gates, const json_t *event, const char *requester)
{
    const char *type = ft_json_str(event, "type");
    json_t *gate;

    if (!type || strncmp(type, "gate.", 5) != 0)
        return;
    if (ft_streq(type, "gate.opened")) {
        note_opened(gates, event, requester);
        return;
    }
    if (ft_streq(type, "gate.voided")) {
        note_voided(gates, event);
        return;
    }
    gate = ft_gate_at(gates, ft_json_str(event, "path"));
    if (gate)
        note_one(gate, type, event);
}

json_t *ft_gates_of(const json_t *events)
{
    const char *requester = ft_json_str(json_array_get(events, 0), "requester");
    json_t *gates = json_array(), *event;
    size_t i;

    json_array_foreach((json_t *)events, i, event)
        ft_gates_note(gates, event, requester);
    return gates;
}

/* ---- what is needed */

/* [{"role","count"}], whatever way it was written. New reference. */
static json_t *needs(const json_t *gate)
{
    json_t *by = json_object_get(gate, "by"), *all = json_object_get(by, "all");
    const char *role = ft_json_str(by, "role");

    if (json_array_size(all))
        return json_incref(all);
    return json_pack("[{s:s, s:I}]", "role", role ? role : "", "count", (json_int_t)ft_json_int(by, "count", 1));
}

static const char *role_of(const json_t *need)
{
    const char *role = ft_json_str(need, "role");

    return role ? role : "";
}

static size_t count_of(const json_t *need)
{
    int64_t count = ft_json_int(need, "count", 1);

    return count < 1 ? 1 : count > MAX_SLOTS ? MAX_SLOTS : (size_t)count;
}

char *ft_gate_needs(const json_t *gate)
{
    struct ft_buf buf = FT_BUF_INIT(0);
    json_t *all = needs(gate), *need;
    size_t i;

    json_array_foreach(all, i, need) {
        ft_buf_adds(&buf, i ? " and " : "");
        if (*role_of(need))
            ft_buf_addf(&buf, "%s (%zu)", role_of(need), count_of(need));
        else if (count_of(need) == 1)
            ft_buf_adds(&buf, "one person");
        else
            ft_buf_addf(&buf, "%zu people", count_of(need));
    }
    json_decref(all);
    return ft_buf_take(&buf);
}

/* ---- may this person? A voice is a person's own, or that of whoever delegated to them. */

static bool strict(const struct ft_people *people, const json_t *gate)
{
    return json_is_true(json_object_get(gate, "people")) || ft_people_configured(people);
}

static bool voice_taken(const json_t *gate, const char *voice)
{
    json_t *vote;
    size_t i;

    json_array_foreach(json_object_get(gate, "votes"), i, vote)
        if (ft_streq(ft_json_str(vote, "by"), voice) || ft_streq(ft_json_str(vote, "for"), voice))
            return true;
    return false;
}

/* As what they count for this write already, by an answer at an earlier gate; NULL: they do not. */
static const char *counts_already(const json_t *gate, const char *who)
{
    json_t *one;
    size_t i;

    json_array_foreach(json_object_get(json_object_get(gate, "requirement"), "spent"), i, one)
        if (ft_streq(ft_json_str(one, "by"), who))
            return ft_json_str(one, "role");
    return NULL;
}

static bool has_needed(const struct ft_people *people, const json_t *all, const char *name)
{
    json_t *need;
    size_t i;

    json_array_foreach((json_t *)all, i, need)
        if (ft_person_has(people, name, role_of(need)))
            return true;
    return false;
}

/* Whose voice the person may give; NULL with why not. */
static const char *delegated_voice(const struct ft_people *people, const json_t *gate, const json_t *all, const char *by, uint64_t at, char *why, size_t len)
{
    const char *requester = ft_json_str(gate, "requester"), *from, *taken = NULL;
    bool own = false;
    json_t *who, *need;
    size_t i;

    json_object_foreach(json_object_get(people->config, "people"), from, who) {
        json_array_foreach((json_t *)all, i, need) {
            if (!*role_of(need) || !who_delegates(people, from, role_of(need), by, at))
                continue;
            if (is_person(from, requester))
                own = true;
            else if (voice_taken(gate, from) || counts_already(gate, from))
                taken = from;
            else
                return from;
        }
    }
    if (taken)
        snprintf(why, len, "%s's voice was given already, and %s has no other", taken, by);
    else if (own)
        snprintf(why, len, "%s could only act for %s, who asked for the run", by, requester);
    else
        snprintf(why, len, "%s does not have the role that is asked for", by);
    return NULL;
}

/* 0 with the voice ("": their own), or -EPERM with why not. */
static int may_vote(const struct ft_people *people, const json_t *gate, const char *by, uint64_t at, const char **ret_for, char *why, size_t len)
{
    const char *requester = ft_json_str(gate, "requester");
    const char *spent = counts_already(gate, by);
    json_t *all;
    bool direct;

    *ret_for = "";
    if (!strict(people, gate))
        return 0;
    if (!ft_people_configured(people))
        return snprintf(why, len, "people were configured when this was asked, and the configuration names none any more"), -EPERM;
    if (is_person(by, requester))
        return snprintf(why, len, "%s asked for the run, and whoever asks does not approve", by), -EPERM;
    if (!who_is(people, by))
        return snprintf(why, len, "the configuration names no person '%s' among `people`", by), -EPERM;
    if (spent)
        return snprintf(why, len, "%s counts already as %s for this, and each person counts once", by, spent), -EPERM;
    all = needs(gate);
    direct = has_needed(people, all, by);
    if (!direct)
        *ret_for = delegated_voice(people, gate, all, by, at, why, len);
    json_decref(all);
    return *ret_for ? 0 : -EPERM;
}

static bool has_voted(const json_t *gate, const char *by, const json_t **ret_vote)
{
    json_t *vote;
    size_t i;

    json_array_foreach(json_object_get(gate, "votes"), i, vote) {
        if (ft_streq(ft_json_str(vote, "by"), by) || ft_streq(ft_json_str(vote, "for"), by)) {
            *ret_vote = vote;
            return true;
        }
    }
    return false;
}

/* ---- deciding */

/* Whether the vote may fill the need, with the people as they are now. */
static bool fits(const struct ft_people *people, const json_t *gate, const json_t *vote, const json_t *need)
{
    const char *by = ft_json_str(vote, "by"), *from = ft_json_str(vote, "for"), *role = role_of(need), *requester = ft_json_str(gate, "requester");

    if (!strict(people, gate))
        return true;
    if (is_person(by, requester) || is_person(from, requester) || !who_is(people, by))
        return false;
    if (!from || !*from)
        return ft_person_has(people, by, role);
    return *role && who_delegates(people, from, role, by, (uint64_t)ft_json_int(vote, "given", 0));
}

struct match {
    const struct ft_people *people;
    const json_t *gate, *votes, *need_of[MAX_SLOTS];
    ssize_t vote_of[MAX_SLOTS];           /* -1: nobody yet */
    bool tried[MAX_SLOTS];
    size_t slots;
};

/* A person counts once, wherever they help most: a place may be taken from a vote that fits elsewhere, too. */
static bool place(struct match *m, size_t vote)
{
    for (size_t i = 0; i < m->slots; i++) {
        if (m->tried[i] || !fits(m->people, m->gate, json_array_get(m->votes, vote), m->need_of[i]))
            continue;
        m->tried[i] = true;
        if (m->vote_of[i] < 0 || place(m, (size_t)m->vote_of[i])) {
            m->vote_of[i] = (ssize_t)vote;
            return true;
        }
    }
    return false;
}

static void match_votes(struct match *m, const json_t *all)
{
    size_t i;
    json_t *need, *vote;

    json_array_foreach((json_t *)all, i, need)
        for (size_t n = count_of(need); n > 0 && m->slots < MAX_SLOTS; n--) {
            m->need_of[m->slots] = need;
            m->vote_of[m->slots++] = -1;
        }
    m->votes = json_object_get(m->gate, "votes");
    json_array_foreach((json_t *)m->votes, i, vote) {
        if (!ft_streq(ft_json_str(vote, "decision"), "approve"))
            continue;
        memset(m->tried, 0, sizeof(m->tried));
        place(m, i);
    }
}

static bool rejects(const struct ft_people *people, const json_t *gate, const json_t *vote)
{
    json_t *all, *need;
    bool counts = false;
    size_t i;

    if (!ft_streq(ft_json_str(vote, "decision"), "reject"))
        return false;
    all = needs(gate);
    json_array_foreach(all, i, need)
        counts |= fits(people, gate, vote, need);
    json_decref(all);
    return counts;
}

json_t *ft_gate_votes(const struct ft_people *people, const json_t *gate)
{
    struct match m = { .people = people, .gate = gate };
    json_t *all = needs(gate), *given = json_array(), *need;
    size_t i, at = 0;

    match_votes(&m, all);
    json_array_foreach(all, i, need) {
        json_t *by = json_array();

        for (size_t n = count_of(need); n > 0 && at < m.slots; n--, at++)
            if (m.vote_of[at] >= 0)
                json_array_append(by, json_object_get(json_array_get(m.votes, (size_t)m.vote_of[at]), "by"));
        json_array_append_new(given, json_pack("{s:s, s:I, s:I, s:o}", "role", role_of(need), "needed", (json_int_t)count_of(need), "count", (json_int_t)json_array_size(by), "by", by));
    }
    json_decref(all);
    return given;
}

static char *missing_of(const json_t *given)
{
    struct ft_buf buf = FT_BUF_INIT(0);
    json_t *one;
    size_t i;

    json_array_foreach((json_t *)given, i, one)
        ft_buf_addf(&buf, "%s%d of %d%s%s", i ? ", " : "", (int)ft_json_int(one, "count", 0), (int)ft_json_int(one, "needed", 1),
                    *role_of(one) ? " " : "", role_of(one));
    return ft_buf_take(&buf);
}

enum ft_decision ft_gate_decide(const struct ft_people *people, const json_t *gate, char **ret_missing)
{
    json_t *given = ft_gate_votes(people, gate), *one, *vote;
    bool enough = !strict(people, gate) || ft_people_configured(people);
    size_t i;

    if (ret_missing)
        *ret_missing = missing_of(given);
    json_array_foreach(given, i, one)
        enough &= ft_json_int(one, "count", 0) >= ft_json_int(one, "needed", 1);
    /* Where nobody is configured one answer decides, whatever the playbook asks for: there is nobody to count. */
    if (!strict(people, gate))
        enough = json_array_size(json_object_get(gate, "votes")) > 0;
    json_decref(given);
    if (json_object_get(gate, "cancelled"))
        return FT_GATE_WITHDRAWN;
    if (json_object_get(gate, "broken"))
        return FT_GATE_APPROVED;
    json_array_foreach(json_object_get(gate, "votes"), i, vote)
        if (rejects(people, gate, vote))
            return FT_GATE_REJECTED;
    return enough ? FT_GATE_APPROVED : FT_GATE_WAITS;
}

bool ft_gate_wants(const struct ft_people *people, const json_t *gate, const char *person)
{
    json_t *all = needs(gate);
    bool wanted = has_needed(people, all, person);

    json_decref(all);
    return wanted;
}

json_t *ft_gate_asked(const struct ft_people *people, const json_t *gate, uint64_t now)
{
    json_t *asked = json_array(), *who;
    const json_t *vote;
    const char *name, *voice;
    char why[200];

    json_object_foreach(json_object_get(people->config, "people"), name, who)
        if (!has_voted(gate, name, &vote) && may_vote(people, gate, name, now, &voice, why, sizeof(why)) == 0)
            json_array_append_new(asked, json_string(name));
    return asked;
}

/* ---- taking an answer */

__attribute__((format(printf, 2, 3)))
static json_t *refused(json_t *event, const char *fmt, ...)
{
    char why[400];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    json_object_set_new(event, "type", json_string("gate.refused"));
    json_object_set_new(event, "why", json_string(why));
    return event;
}

static json_t *take_vote(const struct ft_people *people, const json_t *gate, json_t *event)
{
    const char *by = ft_json_str(event, "by"), *voice, *reason = ft_json_str(event, "reason");
    bool reject = ft_streq(ft_json_str(event, "decision"), "reject");
    const json_t *vote;
    char why[300];

    if (has_voted(gate, by, &vote))
        return ft_streq(ft_json_str(vote, "by"), by) ? refused(event, "%s has answered already, and each person counts once", by)
                                                     : refused(event, "%s's voice was given by %s", by, ft_json_str(vote, "by"));
    if (reject && strict(people, gate) && (!reason || !*reason))
        return refused(event, "a rejection needs a reason: whoever asked must know what to change");
    if (may_vote(people, gate, by, (uint64_t)ft_json_int(event, "given", 0), &voice, why, sizeof(why)) < 0)
        return refused(event, "%s", why);
    if (*voice)
        json_object_set_new(event, "for", json_string(voice));
    json_object_set_new(event, "type", json_string("gate.vote"));
    return event;
}

static json_t *take_withdrawal(const json_t *gate, json_t *event)
{
    const char *by = ft_json_str(event, "by");
    const json_t *vote;

    if (!has_voted(gate, by, &vote) || !ft_streq(ft_json_str(vote, "by"), by))
        return refused(event, "%s has given no answer here that could be withdrawn", by);
    json_object_set_new(event, "type", json_string("gate.withdrawn"));
    return event;
}

static json_t *take_cancel(const json_t *gate, json_t *event)
{
    const char *by = ft_json_str(event, "by"), *requester = ft_json_str(gate, "requester");

    if (!is_person(by, requester))
        return refused(event, "only %s, who asked for the run, may withdraw the request; `fettle reject` is for those who are asked", requester);
    json_object_set_new(event, "type", json_string("gate.withdrawn"));
    json_object_set_new(event, "request", json_true());
    return event;
}

static json_t *take_break(const struct ft_people *people, const json_t *gate, json_t *event)
{
    const char *by = ft_json_str(event, "by"), *reason = ft_json_str(event, "reason"), *role = ft_json_str(json_object_get(gate, "break_glass"), "role");

    if (!role || !*role)
        return refused(event, "no policy allows to break the glass here");
    if (!ft_person_has(people, by, role))
        return refused(event, "only a person with the role %s may break the glass here", role);
    if (!reason || !*reason)
        return refused(event, "breaking the glass needs a reason: it is looked at afterwards");
    json_object_set_new(event, "role", json_string(role));
    json_object_set_new(event, "type", json_string("gate.broken"));
    return event;
}

/* Whoever says no, or takes back what they said, is heard as long as nobody went on with the yes. */
static bool takes_more(const struct ft_people *people, const json_t *gate, const char *decision)
{
    enum ft_decision now = ft_gate_decide(people, gate, NULL);

    return now == FT_GATE_WAITS || (now == FT_GATE_APPROVED && !json_object_get(gate, "broken") && !ft_streq(decision, "approve") && !ft_streq(decision, "break_glass"));
}

static const char *const copied[] = { "by", "decision", "reason", "where", NULL };

json_t *ft_gate_take(const struct ft_people *people, const json_t *gate, const json_t *row)
{
    const json_t *answer = json_object_get(row, "answer");
    const char *decision = ft_json_str(answer, "decision"), *by = ft_json_str(answer, "by"), *digest = ft_json_str(gate, "digest");
    int64_t given = ft_json_int(row, "at", 0);
    bool back = ft_streq(decision, "withdraw");
    json_t *event = json_object();

    json_object_set(event, "path", json_object_get(gate, "path"));
    for (const char *const *key = copied; *key; key++)
        if (json_object_get(answer, *key))
            json_object_set(event, *key, json_object_get(answer, *key));
    json_object_set_new(event, "given", json_integer((json_int_t)given));
    if (json_object_get(row, "row"))
        json_object_set(event, "answer", json_object_get(row, "row"));
    if (!by || !*by || !decision)
        return refused(event, "the answer does not say who gave it, or what it is");
    if (!ft_streq(ft_json_str(row, "gate"), ft_json_str(gate, "nonce")))
        return refused(event, "it was given for another gate");
    if (!ft_gate_is_open(gate) && !(back && ft_streq(ft_json_str(gate, "state"), "approved")))
        return refused(event, "this gate is decided (%s)", ft_json_str(gate, "state"));
    if (!ft_streq(ft_json_str(answer, "digest"), digest))
        return refused(event, "what was seen is %.8s, and what is asked for is %.8s", ft_json_str(answer, "digest") ? ft_json_str(answer, "digest") : "nothing", digest ? digest : "");
    if (given > ft_json_int(gate, "until", 0) && ft_gate_is_open(gate))
        return refused(event, "it came too late: the time to answer was over");
    if (ft_gate_is_open(gate) && !takes_more(people, gate, decision))
        return refused(event, "this gate has all the answers it needs");
    if (ft_streq(decision, "approve") || ft_streq(decision, "reject"))
        return take_vote(people, gate, event);
    if (ft_streq(decision, "withdraw"))
        return take_withdrawal(gate, event);
    if (ft_streq(decision, "cancel"))
        return take_cancel(gate, event);
    return ft_streq(decision, "break_glass") ? take_break(people, gate, event) : refused(event, "'%s' is no answer", decision);
}
