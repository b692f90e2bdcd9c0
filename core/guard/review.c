/* review.c: a glass that was broken is looked at afterwards, by one of those who were passed over. */
#include <errno.h>
#include <string.h>
#include "base/buf.h"
#include "base/util.h"
#include "data/json.h"
#include "guard/approval_parts.h"

int ft_approval_reviews(const struct ft_approvals *approvals, json_t **ret, struct ft_err *reterr)
{
    json_t *rows = NULL, *list, *row;
    size_t i;
    int r = ft_answers(approvals->store, NULL, FT_REVIEWS, false, &rows, reterr);

    if (r < 0)
        return r;
    list = json_array();
    json_array_foreach(rows, i, row)
        json_array_append_new(list, json_pack("{s:O, s:O, s:O, s:O}", "run", json_object_get(row, "run"), "row", json_object_get(row, "row"), "at", json_object_get(row, "at"),
                                              "broken", json_object_get(row, "answer")));
    json_decref(rows);
    *ret = list;
    return 0;
}

/* Who was passed over where the glass was broken: those who could have approved, without who broke it and who had asked. New reference. */
static json_t *passed_over(const struct ft_approvals *approvals, const char *run, const json_t *row, const char **ret_requester, json_t **ret_events)
{
    struct ft_people people = { .config = approvals->config };
    const json_t *broken = json_object_get(row, "answer");
    json_t *names = json_array(), *gates, *gate, *who;
    const char *person;

    if (ft_store_events(approvals->store, run, 0, ret_events, NULL) < 0)
        *ret_events = NULL;
    *ret_requester = ft_json_str(json_array_get(*ret_events, 0), "requester");
    gates = ft_gates_of(*ret_events);
    gate = ft_gate_at(gates, ft_json_str(broken, "path"));
    json_object_foreach(json_object_get(people.config, "people"), person, who)
        if (!is_person(person, ft_json_str(broken, "by")) && !is_person(person, *ret_requester) && gate && ft_gate_wants(&people, gate, person))
            json_array_append_new(names, json_string(person));
    if (!json_array_size(names))                       /* nobody is left of those: then anybody else may */
        json_object_foreach(json_object_get(people.config, "people"), person, who)
            if (!is_person(person, ft_json_str(broken, "by")) && !is_person(person, *ret_requester))
                json_array_append_new(names, json_string(person));
    json_decref(gates);
    return names;
}

static int may_review_one(const struct ft_approvals *approvals, const char *run, const char *who, const json_t *row, struct ft_err *reterr)
{
    const char *requester = NULL, *by = ft_json_str(json_object_get(row, "answer"), "by");
    json_t *events = NULL, *names = passed_over(approvals, run, row, &requester, &events), *name;
    struct ft_buf all = FT_BUF_INIT(400);
    bool may = false;
    size_t i;
    int r = 0;

    json_array_foreach(names, i, name) {
        may = may || ft_streq(json_string_value(name), who);
        ft_buf_addf(&all, "%s%s", i ? ", " : "", json_string_value(name));
    }
    if (is_person(by, who))
        r = ft_err_class(reterr, FT_DENIED, -EPERM, "%s broke the glass in run %s; somebody else reviews it: %s", who, run, ft_buf_str(&all));
    else if (is_person(requester, who))
        r = ft_err_class(reterr, FT_DENIED, -EPERM, "%s asked for run %s; somebody else reviews it: %s", who, run, ft_buf_str(&all));
    else if (!may)
        r = ft_err_class(reterr, FT_DENIED, -EPERM, "run %s is reviewed by one of those who were passed over: %s", run, ft_buf_str(&all));
    ft_buf_done(&all);
    json_decref(names);
    json_decref(events);
    return r;
}

static int may_review(const struct ft_approvals *approvals, const char *run, const char *who, const char *note, const json_t *rows, struct ft_err *reterr)
{
    struct ft_people people = { .config = approvals->config };
    json_t *row;
    size_t i;
    int r = 0;

    if (!json_array_size(rows))
        return ft_err_class(reterr, FT_NOT_FOUND, -ENOENT, "run %s has nothing that must be reviewed", run);
    if (!ft_person_has(&people, who, ""))
        return ft_err_class(reterr, FT_DENIED, -EPERM, "the configuration names no person '%s' among `people`", who);
    if (!note || !*note || strlen(note) > MAX_REASON)
        return ft_err_class(reterr, FT_INVALID, -EINVAL, "say what was found: --note, at most %d bytes", MAX_REASON);
    json_array_foreach((json_t *)rows, i, row)
        if (r == 0)
            r = may_review_one(approvals, run, who, row, reterr);
    return r;
}

int ft_approval_review(const struct ft_approvals *approvals, const char *run, const char *who, const char *where, const char *note, struct ft_err *reterr)
{
    json_t *rows = NULL, *row;
    size_t i;
    int r = ft_answers(approvals->store, run, FT_REVIEWS, false, &rows, reterr);

    if (r == 0)
        r = may_review(approvals, run, who, note, rows, reterr);
    if (r == 0)
        r = ft_store_claim(approvals->store, run, reterr);
    json_array_foreach(rows, i, row) {
        json_t *event = json_pack("{s:s, s:O*, s:s, s:s, s:s, s:O}", "type", "gate.reviewed", "path", json_object_get(json_object_get(row, "answer"), "path"), "by", who,
                                  "note", note ? note : "", "where", where ? where : "", "broken", json_object_get(row, "answer"));

        if (r == 0)
            r = ft_store_append(approvals->store, run, json_incref(event), FT_DURABLE, NULL, NULL, reterr);
        if (r == 0)
            ft_answer_taken(approvals->store, run, (uint64_t)ft_json_int(row, "row", 0));
        json_decref(event);
    }
    json_decref(rows);
    return r;
}
