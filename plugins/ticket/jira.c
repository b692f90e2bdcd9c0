/* jira.c: issues of Jira Cloud (REST 3, rich text as ADF) and Jira Data Center (REST 2, plain text).
 *
 * There is no field for a correlation id: a label takes it. Cloud's search lags behind its writes, so a probe that finds nothing asks again for a while. A
 * state is reached by a transition of the project's workflow: which there are is asked each time, and chosen by where they lead. A note is internal
 * (sd.public.comment) unless the step says otherwise: in a service project the reporter would be mailed. */
#include <stdlib.h>
#include "jira.h"
#include "ticket.h"

#define FIELDS "summary,status,priority,labels,issuelinks,assignee,created,updated"
#define MAX_TEXT 32000             /* bytes; Jira takes 32767 characters */
#define CUT "… (cut here: Jira takes no more)"

/* ---- Which Jira ---- */

static bool is_cloud(const struct ticket *st)
{
    const char *edition = ft_str(st->config, "edition"), *url = ft_str(st->config, "url"), *at = strstr(url, "://"), *host_name = at ? at + 3 : url;
    size_t len = strcspn(host_name, "/:");

    if (edition)
        return ft_same(edition, "cloud");
    return len > strlen("atlassian.net") && strncmp(host_name + len - strlen("atlassian.net"), "atlassian.net", strlen("atlassian.net")) == 0;
}

__attribute__((format(printf, 3, 4)))
static const char *api(struct ft_call *call, const struct ticket *st, const char *fmt, ...)
{
    char path[8000];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(path, sizeof(path), fmt, ap);
    va_end(ap);
    return host->printf(call, "%s/rest/api/%d%s", ticket_base(call, st), is_cloud(st) ? 3 : 2, path);
}

static json_t *rich(struct ft_call *call, const struct ticket *st, const char *text)
{
    text = ticket_clip(call, text, MAX_TEXT, CUT);
    return is_cloud(st) ? adf_from_text(text) : json_string(text);
}

static void jira_sign(struct ft_call *call, struct ticket *st, struct ft_http_req *req)
{
    const char *user = ft_str(st->config, "user"), *token = ft_str(st->config, "token");
    size_t n = 0;

    st->headers[n++] = (struct ft_http_header){ "Accept", "application/json" };
    if (user) {
        req->user = user;
        req->password = token ?: ft_str(st->config, "password");
    } else if (token) {
        st->headers[n++] = (struct ft_http_header){ "Authorization", host->printf(call, "Bearer %s", token) };
    }
    if (req->body)                                       /* uploads are refused without it: a guard against forms of other sites */
        st->headers[n] = (struct ft_http_header){ "X-Atlassian-Token", "no-check" };
}

static int jira_check(struct ft_call *call, struct ticket *st, struct ft_err *reterr)
{
    (void)call;
    if (st->want.verb == VERB_OPEN && !ft_str(st->config, "project"))
        return ft_fault(reterr, FT_INVALID, "the ticket system '%s' lacks the Jira project of new issues: set its project", st->name);
    return 0;
}

/* ---- Values ---- */

static const char *const hold_words[] = { "hold", "wait", "pending", "block", "stall", "paus", NULL };
static const char *const cancel_words[] = { "cancel", "won't", "wont", "declin", "reject", "withdrawn", NULL };
static const char *const done_words[] = { "done", "closed", "resolved", "complete", "fixed", NULL };

/* A label has no blanks. */
static const char *label_of(struct ft_call *call)
{
    const char *text = ticket_correlation(call);
    char *label = host->alloc(call, strlen(text) * 3 + 1), *to = label;

    for (; *text; text++) {
        if ((unsigned char)*text <= ' ' || *text == '%')
            to += sprintf(to, "%%%02X", (unsigned char)*text);
        else
            *to++ = *text;
    }
    *to = '\0';
    return label;
}

static bool is_done(const json_t *status)
{
    const json_t *category = ft_get(status, "statusCategory");
    const char *key = ft_str(category, "key");

    if (!key)
        return ticket_word_in(ft_str(status, "name"), done_words) != NULL;
    return ft_same(key, "done") || ft_same(key, "completed");
}

/* Our name of a status, by the configuration, else by its category and its words. */
static const char *state_of(const struct ticket *st, const json_t *status)
{
    const char *name = ft_str(status, "name"), *mapped = ticket_unmapped(st, "states", name);

    if (mapped || !name)
        return mapped;
    if (is_done(status))
        return ticket_word_in(name, cancel_words) ? "canceled" : strcasestr(name, "clos") ? "closed" : "resolved";
    if (ticket_word_in(name, hold_words))
        return "on_hold";
    return ft_same(ft_str(ft_get(status, "statusCategory"), "key"), "new") ? "new" : "in_progress";
}

static const char *priority_name(const struct ticket *st, const char *severity)
{
    static const char *const usual[] = { "Highest", "High", "Medium", "Low" };
    const char *mapped = severity ? ticket_mapped(st, "severities", severity) : NULL;

    if (mapped)
        return *mapped ? mapped : NULL;
    return severity && severity[0] == 'P' && severity[1] >= '1' && severity[1] <= '4' ? usual[severity[1] - '1'] : NULL;
}

static json_t *priority_of(const struct ticket *st, const char *name)
{
    static const struct { const char *name; int number;
    } known[] = {
        { "blocker", 1 }, { "highest", 1 }, { "critical", 1 }, { "high", 2 },   { "major", 2 },   { "medium", 3 },
        { "normal", 3 },  { "low", 4 },     { "minor", 4 },    { "lowest", 5 }, { "trivial", 5 },
    };
    const char *mapped = ticket_unmapped(st, "severities", name);

    if (mapped && mapped[0] == 'P')
        return json_integer(mapped[1] - '0');
    for (size_t i = 0; name && i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcasecmp(known[i].name, name) == 0)
            return json_integer(known[i].number);
    }
    return json_null();
}

/* ---- Looking ---- */

static const char *in_jql(struct ft_call *call, const char *text) { return ticket_quoted(call, text, "\"\\", '\\'); }

static const char *find_url(struct ft_call *call, const struct ticket *st)
{
    const char *text, *jql, *project = ft_str(st->config, "project"), *paging = "";
    enum ask by = ticket_ask(call, st, &text);

    if (by == BY_NUMBER || by == BY_ID)
        return api(call, st, "/issue/%s?fields=" FIELDS, host->url_escape(call, text));
    if (by == BY_ABOUT)
        jql = host->printf(call, "summary ~ \"\\\"%s\\\"\" AND statusCategory != Done", in_jql(call, ticket_quoted(call, text, "\"\\", '\\')));
    else
        jql = host->printf(call, "labels = \"%s\"", in_jql(call, label_of(call)));
    jql = host->printf(call, "%s%s%s%s ORDER BY created DESC", project ? "project = \"" : "", project ?: "", project ? "\" AND " : "", jql);
    if (st->cursor)
        paging = host->printf(call, "&nextPageToken=%s", host->url_escape(call, st->cursor));
    return api(call, st, "/search%s?jql=%s&fields=" FIELDS "&maxResults=%d%s", is_cloud(st) ? "/jql" : "", host->url_escape(call, jql), TICKET_MAX_FOUND,
               paging);
}

static bool jira_look(struct ft_call *call, struct ticket *st, enum look kind, struct request *ret)
{
    const char *id = host->url_escape(call, ft_str(st->record, "id") ?: "");

    switch (kind) {
    case LOOK_FIND: ret->url = find_url(call, st); return true;
    case LOOK_ONE: ret->url = api(call, st, "/issue/%s?fields=" FIELDS, id); return true;
    case LOOK_NOTES: ret->url = api(call, st, "/issue/%s/comment?orderBy=-created&maxResults=100", id); return true;
    case LOOK_FILES: ret->url = api(call, st, "/issue/%s?fields=attachment", id); return true;
    case LOOK_MOVES: ret->url = api(call, st, "/issue/%s/transitions?expand=transitions.fields", id); return true;
    default: return false;
    }
}

static bool has_label(struct ft_call *call, const json_t *fields)
{
    json_t *label;
    size_t i;

    json_array_foreach(ft_get(fields, "labels"), i, label) {
        if (ft_same(json_string_value(label), label_of(call)))
            return true;
    }
    return false;
}

static json_t *ticket_of(struct ft_call *call, const struct ticket *st, const json_t *issue, bool meant)
{
    const json_t *fields = ft_get(issue, "fields"), *status = ft_get(fields, "status"), *who = ft_get(fields, "assignee");
    const char *key = ft_str(issue, "key");

    return json_pack("{s:s?, s:s?, s:s?, s:s?, s:s?, s:o, s:s?, s:o, s:o, s:o, s:b, s:O, s:b, s:b}", "number", key, "id", ft_str(issue, "id"),
                     "state", state_of(st, status), "status", ft_str(status, "name"), "title", ft_str(fields, "summary"),
                     "priority", priority_of(st, ft_str(ft_get(fields, "priority"), "name")), "assignee", ft_str(who, "displayName") ?: ft_str(who, "name"),
                     "opened_at", ticket_time(ft_str(fields, "created")), "updated_at", ticket_time(ft_str(fields, "updated")),
                     "url", key ? json_sprintf("%s/browse/%s", ticket_base(call, st), key) : json_null(), "active", !is_done(status),
                     "_native", issue, "_meant", meant, "_correlated", has_label(call, fields));
}

static bool is_issue(const json_t *issue) { return ft_str(issue, "key") && ft_str(issue, "id") && json_is_object(ft_get(issue, "fields")); }

static json_t *found_of(struct ft_call *call, struct ticket *st, const json_t *answer)
{
    const json_t *issues = ft_get(answer, "issues");
    json_t *list, *issue;
    const char *next;
    size_t i;

    st->cursor = NULL;
    if (is_issue(answer))
        return json_pack("[o]", ticket_of(call, st, answer, true));
    if (!json_is_array(issues))
        return NULL;
    list = json_array();
    json_array_foreach(issues, i, issue) {
        if (is_issue(issue))
            json_array_append_new(list, ticket_of(call, st, issue, false));
    }
    next = ft_str(answer, "nextPageToken");
    if (next && *next && !ft_true(answer, "isLast"))
        st->cursor = host->printf(call, "%s", next);
    return list;
}

static json_t *note_of(const json_t *comment)
{
    const json_t *body = ft_get(comment, "body"), *author = ft_get(comment, "author");
    char *text = adf_to_text(body);
    json_t *note = json_pack("{s:o, s:s?, s:s?, s:b}", "at", ticket_time(ft_str(comment, "created")), "by",
                             ft_str(author, "displayName") ?: ft_str(author, "name"), "text", text ?: json_string_value(body), "visible",
                             !json_is_false(ft_get(comment, "jsdPublic")));

    free(text);
    return note;
}

static json_t *jira_seen(struct ft_call *call, struct ticket *st, enum look kind, const struct ft_http_res *res)
{
    const json_t *fields = ft_get(res->json, "fields");
    json_t *list = NULL, *entry;
    size_t i;

    switch (kind) {
    case LOOK_FIND: return found_of(call, st, res->json);
    case LOOK_ONE: return is_issue(res->json) ? ticket_of(call, st, res->json, true) : NULL;
    case LOOK_NOTES:
        list = json_is_array(ft_get(res->json, "comments")) ? json_array() : NULL;
        json_array_foreach(ft_get(res->json, "comments"), i, entry)
            json_array_append_new(list, note_of(entry));
        return list;
    case LOOK_FILES:
        list = json_is_object(fields) ? json_array() : NULL;
        json_array_foreach(ft_get(fields, "attachment"), i, entry)
            json_array_append_new(list, json_pack("{s:s?, s:s?}", "id", ft_str(entry, "id"), "name", ft_str(entry, "filename")));
        return list;
    default:
        return json_is_array(ft_get(res->json, "transitions")) ? json_incref(json_object_get(res->json, "transitions")) : NULL;
    }
}

static bool jira_absent(struct ft_call *call, struct ticket *st, const struct ft_http_res *res)
{
    const char *text;
    enum ask by = ticket_ask(call, st, &text);

    return (by == BY_NUMBER || by == BY_ID) && json_is_array(ft_get(res->json, "errorMessages"));
}

static const json_t *native_fields(const struct ticket *st) { return ft_get(ft_get(st->record, "_native"), "fields"); }

static unsigned jira_needs(struct ft_call *call, struct ticket *st)
{
    const struct intent *want = &st->want;
    bool moves = want->state || (want->verb == VERB_RESTORE && ft_str(want->before, "status"));

    (void)call;
    if (st->stand_in || want->verb == VERB_OPEN || want->verb == VERB_ATTACH)
        return 0;
    return (ft_true(st->record, "_meant") ? 0 : LOOK_BIT(LOOK_ONE)) | (moves ? LOOK_BIT(LOOK_MOVES) : 0)
           | (want->verb == VERB_FINISH ? LOOK_BIT(LOOK_NOTES) : 0);
}

/* ---- Transitions ---- */

/* How well a transition leads to the state wanted; 0: not at all. */
static int score(const struct ticket *st, const json_t *move, const char *wanted)
{
    const json_t *to = ft_get(move, "to");
    const char *mapped = ticket_mapped(st, "states", wanted), *name = ft_str(to, "name"), *leads = state_of(st, to);

    if (mapped)
        return name && strcasecmp(mapped, name) == 0 ? 100 : ft_str(move, "name") && strcasecmp(mapped, ft_str(move, "name")) == 0 ? 90 : 0;
    if (ft_same(leads, wanted))
        return name && strcasestr(name, "progress") ? 60 : 50;
    if (ft_same(wanted, "resolved"))
        return ft_same(leads, "closed") ? 20 : 0;
    if (ft_same(wanted, "closed"))
        return ft_same(leads, "resolved") && ft_true(st->record, "active") ? 30 : 0;
    if (ft_same(wanted, "canceled"))
        return is_done(to) ? 10 : 0;
    return ft_same(wanted, "in_progress") && ft_same(leads, "new") && !ft_true(st->record, "active") ? 10 : 0;      /* "Reopened" */
}

static const json_t *best_move(const struct ticket *st, const char *wanted, const char *status)
{
    const json_t *best = NULL;
    int best_score = 0;
    json_t *move;
    size_t i;

    json_array_foreach(st->seen[LOOK_MOVES], i, move) {
        int n = status ? (ft_same(ft_str(ft_get(move, "to"), "name"), status) ? 1 : 0) : score(st, move, wanted);

        if (n > best_score && ft_str(move, "id")) {
            best = move;
            best_score = n;
        }
    }
    return best;
}

static const char *moves_there_are(struct ft_call *call, const struct ticket *st)
{
    const char *text = "";
    json_t *move;
    size_t i;

    json_array_foreach(st->seen[LOOK_MOVES], i, move)
        text = host->printf(call, "%s%s%.60s", text, *text ? ", " : "", ft_str(ft_get(move, "to"), "name") ?: ft_str(move, "name") ?: "?");
    return *text ? text : "nothing at all";
}

static const char *allowed_names(struct ft_call *call, const json_t *field)
{
    const char *text = "";
    json_t *value;
    size_t i;

    json_array_foreach(ft_get(field, "allowedValues"), i, value)
        text = host->printf(call, "%s%s%.60s", text, *text ? ", " : "", ft_str(value, "name") ?: "?");
    return text;
}

static bool allows(const json_t *field, const char *name)
{
    json_t *value;
    size_t i;

    json_array_foreach(ft_get(field, "allowedValues"), i, value) {
        if (ft_same(ft_str(value, "name"), name))
            return true;
    }
    return json_array_size(ft_get(field, "allowedValues")) == 0;
}

/* The resolution that a transition asks for. */
static int put_resolution(struct ft_call *call, struct ticket *st, const json_t *move, json_t *fields, struct ft_err *reterr)
{
    const json_t *field = ft_get(ft_get(move, "fields"), "resolution");
    const char *cancel[] = { "Won't Do", "Won't Fix", "Canceled", "Cancelled", "Declined", NULL }, *done[] = { "Done", "Fixed", "Resolved", NULL };
    const char *given = st->want.code ?: ft_str(st->config, "close_code"), **names = st->want.verb == VERB_CANCEL ? cancel : done;

    if (!field && st->want.code)
        return ft_fault(reterr, FT_INVALID, "Jira's transition '%s' takes no resolution: leave close_code out", ft_str(move, "name") ?: "?");
    if (!field)
        return 0;
    if (given && st->want.verb == VERB_FINISH) {
        if (!allows(field, given))
            return ft_fault(reterr, FT_INVALID, "Jira knows no resolution '%s' here, but: %s", given, allowed_names(call, field));
        json_object_set_new(fields, "resolution", json_pack("{s:s}", "name", given));
        return 0;
    }
    while (*names && !allows(field, *names))
        names++;
    given = *names ?: ft_str(json_array_get(ft_get(field, "allowedValues"), 0), "name");
    if (given)
        json_object_set_new(fields, "resolution", json_pack("{s:s}", "name", given));
    return 0;
}

static int put_move_fields(struct ft_call *call, struct ticket *st, const json_t *move, json_t *fields, json_t *rest, struct ft_err *reterr)
{
    const char *name;
    json_t *field, *value;
    void *tmp;

    json_object_foreach_safe(rest, tmp, name, value) {
        if (ft_get(ft_get(move, "fields"), name)) {
            json_object_set(fields, name, value);
            json_object_del(rest, name);
        }
    }
    if ((st->want.verb == VERB_FINISH || st->want.verb == VERB_CANCEL) && !ft_get(fields, "resolution") && put_resolution(call, st, move, fields, reterr) < 0)
        return -EINVAL;
    json_object_foreach((json_t *)ft_get(move, "fields"), name, field) {
        if (ft_true(field, "required") && !ft_true(field, "hasDefaultValue") && !ft_get(fields, name))
            return ft_fault(reterr, FT_INVALID, "Jira's transition '%s' wants the field %s (%s): give it in fields", ft_str(move, "name") ?: "?", name,
                            ft_str(field, "name") ?: "?");
    }
    return 0;
}

/* ---- Writing ---- */

static struct request *add(struct ft_call *call, struct ticket *st, const char *method, const char *url, json_t *body)
{
    struct request *request = &st->writes[st->n_writes++];

    *request = (struct request){ .method = method, .url = url, .json = body ? ticket_hold(call, body) : NULL };
    return request;
}

static const char *issue_url(struct ft_call *call, const struct ticket *st, const char *more)
{
    return api(call, st, "/issue/%s%s", host->url_escape(call, ft_str(st->record, "id")), more);
}

static json_t *shaped(const struct ticket *st, const char *field, const char *value)
{
    if (ft_same(field, "components"))
        return json_pack("[{s:s}]", "name", value);
    if (ft_same(field, "reporter") || ft_same(field, "assignee"))
        return json_pack("{s:s}", is_cloud(st) ? "accountId" : "name", value);
    return json_string(value);
}

static int put_neutral(struct ft_call *call, struct ticket *st, json_t *fields, struct ft_err *reterr)
{
    static const char *const names[] = { "ci", "caller", "category", "assignment_group" };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = ticket_param(call, names[i]), *field = ticket_field_for(st, names[i]);

        if (value && !field)
            return ft_fault(reterr, FT_INVALID, "Jira has no field for '%s': name one in field_names.%s of the ticket system '%s', or leave it out", names[i],
                            names[i], st->name);
        if (value)
            json_object_set_new(fields, field, shaped(st, field, value));
    }
    return 0;
}

static int build_open(struct ft_call *call, struct ticket *st, struct ft_err *reterr)
{
    const char *priority = priority_name(st, st->want.severity);
    json_t *fields = json_pack("{s:{s:s}, s:{s:s}, s:s, s:o, s:[s]}", "project", "key", ft_str(st->config, "project"), "issuetype", "name",
                               ft_str(st->config, "issue_type") ?: "Task", "summary", st->want.title, "description", rich(call, st, st->want.text), "labels",
                               label_of(call));
    json_t *body = ticket_hold(call, json_pack("{s:o}", "fields", fields)), *label;
    size_t i;

    json_array_foreach(ft_get(st->config, "labels"), i, label)
        json_array_append(json_object_get(fields, "labels"), label);
    if (priority)
        json_object_set_new(fields, "priority", json_pack("{s:s}", "name", priority));
    if (put_neutral(call, st, fields, reterr) < 0)
        return -EINVAL;
    if (st->want.fields)
        json_object_update(fields, (json_t *)st->want.fields);
    add(call, st, "POST", api(call, st, "/issue"), json_incref(body))->creates = true;
    return 0;
}

static void add_comment(struct ft_call *call, struct ticket *st, const char *text)
{
    json_t *body = json_pack("{s:o}", "body", rich(call, st, text));

    if (!st->want.visible)
        json_object_set_new(body, "properties", json_pack("[{s:s, s:{s:b}}]", "key", "sd.public.comment", "value", "internal", 1));
    add(call, st, "POST", issue_url(call, st, "/comment"), body);
}

/* The transition to the state wanted (status: to that status of Jira's), with what it asks for out of `rest`; none where it is there already. */
static int build_move(struct ft_call *call, struct ticket *st, const char *wanted, const char *status, json_t *rest, json_t **ret_body, struct ft_err *reterr)
{
    const char *is = ft_str(st->record, "status");
    const json_t *move;
    json_t *fields;

    *ret_body = NULL;
    if (st->stand_in) {
        *ret_body = json_pack("{s:{s:s}}", "transition", "id", host->printf(call, "(the one to %s)", wanted ?: status));
        return 0;
    }
    if (status ? ft_same(status, is) : st->system->at(call, st, wanted))
        return 0;
    move = best_move(st, wanted, status);
    if (!move && ft_same(wanted, "closed") && !ft_true(st->record, "active"))
        return 0;                                        /* this workflow knows nothing beyond done */
    if (!move)
        return ft_fault(
            reterr, FT_REFUSED,
            "from '%s' Jira lets this account move %s to %s, and none of that is %s: name the status in the configuration (states.%s), or move it there first",
            is ?: "?", ft_str(st->record, "number"), moves_there_are(call, st), wanted ?: status, wanted ?: "…");
    fields = ticket_hold(call, json_object());
    if (put_move_fields(call, st, move, fields, rest, reterr) < 0)
        return -EINVAL;
    st->target = ft_str(ft_get(move, "to"), "name");
    ticket_before(call, st, "status", is, st->target);
    *ret_body = json_pack("{s:{s:s}}", "transition", "id", ft_str(move, "id"));
    if (json_object_size(fields))
        json_object_set(*ret_body, "fields", fields);
    return 0;
}

static bool has_note(const struct ticket *st, const char *mark)
{
    json_t *note;
    size_t i;

    json_array_foreach(st->seen[LOOK_NOTES], i, note) {
        if (strstr(ft_str(note, "text") ?: "", mark))
            return true;
    }
    return false;
}

/* The comment of an end goes before the transition, since a closed issue may take none: a run that is resumed between the two does not write it again. */
static void add_last_words(struct ft_call *call, struct ticket *st)
{
    const struct intent *want = &st->want;

    if (has_note(st, ticket_mark(call, want->reason)))
        return;
    add_comment(call, st,
                want->note ? host->printf(call, "%s\n\n%s %s", want->reason, want->note, ticket_mark(call, want->reason))
                           : ticket_marked(call, want->reason));
}

static int build_change(struct ft_call *call, struct ticket *st, struct ft_err *reterr)
{
    const struct intent *want = &st->want;
    const char *is = ft_str(ft_get(native_fields(st), "priority"), "name"), *before_status = want->verb == VERB_RESTORE ? ft_str(want->before, "status") : NULL;
    const char *priority = want->verb == VERB_RESTORE ? ft_str(want->before, "priority") : priority_name(st, want->severity);
    json_t *put = ticket_hold(call, want->fields ? json_deep_copy(want->fields) : json_object()), *move = NULL;

    if (priority && !ft_same(priority, is)) {
        json_object_set_new(put, "priority", json_pack("{s:s}", "name", priority));
        ticket_before(call, st, "priority", is, priority);
    }
    if ((want->state || before_status) && build_move(call, st, want->state, before_status, put, &move, reterr) < 0)
        return -EINVAL;
    if (json_object_size(put))
        add(call, st, "PUT", issue_url(call, st, ""), json_pack("{s:O}", "fields", put));
    if (want->verb == VERB_FINISH && move)
        add_last_words(call, st);
    if (move)
        add(call, st, "POST", issue_url(call, st, "/transitions"), move);
    if (want->verb != VERB_FINISH && want->note)
        add_comment(call, st, want->note);
    return 0;
}

static uint64_t hash_of(const char *bytes, size_t len)
{
    uint64_t hash = 14695981039346656037u;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * 1099511628211u;
    return hash;
}

static int build_attach(struct ft_call *call, struct ticket *st, struct ft_err *reterr)
{
    uint64_t hash = hash_of(st->want.bytes, st->want.len);
    char boundary[40], *head, *tail;
    struct request *request;

    do
        snprintf(boundary, sizeof(boundary), "fettle-%016llx", (unsigned long long)hash++);
    while (memmem(st->want.bytes, st->want.len, boundary, strlen(boundary)));
    head = host->printf(call, "--%s\r\nContent-Disposition: form-data; name=\"file\"; filename=\"%s\"\r\nContent-Type: %s\r\n\r\n", boundary,
                        st->want.file_name, st->want.content_type);
    tail = host->printf(call, "\r\n--%s--\r\n", boundary);
    st->buffer = malloc(strlen(head) + st->want.len + strlen(tail) + 1);
    if (!st->buffer)
        return ft_fault(reterr, FT_INVALID, "no memory for %zu bytes of attachment", st->want.len);
    request = add(call, st, "POST", issue_url(call, st, "/attachments"), NULL);
    memcpy(st->buffer, head, strlen(head));
    memcpy(st->buffer + strlen(head), st->want.bytes, st->want.len);
    strcpy(st->buffer + strlen(head) + st->want.len, tail);
    request->raw = st->buffer;
    request->raw_len = strlen(head) + st->want.len + strlen(tail);
    request->content_type = host->printf(call, "multipart/form-data; boundary=%s", boundary);
    return 0;
}

/* ---- Links ---- */

static const char *link_type(const struct ticket *st) { return ticket_mapped(st, "link_types", ticket_link_names[st->want.link]) ?: "Relates"; }

static const char *link_id(const struct ticket *st, const json_t *fields)
{
    json_t *link;
    size_t i;

    json_array_foreach(ft_get(fields, "issuelinks"), i, link) {
        const json_t *other = ft_get(link, "outwardIssue") ?: ft_get(link, "inwardIssue");

        if (ft_same(ft_str(other, "key"), st->want.other) && ft_same(ft_str(ft_get(link, "type"), "name"), link_type(st)))
            return ft_str(link, "id");
    }
    return NULL;
}

static bool jira_linked(struct ft_call *call, struct ticket *st)
{
    (void)call;
    return link_id(st, native_fields(st)) != NULL;
}

static int build_link(struct ft_call *call, struct ticket *st)
{
    if (!st->stand_in && link_id(st, native_fields(st)))
        return 0;
    ticket_before(call, st, link_type(st), NULL, st->want.other);
    add(call, st, "POST", api(call, st, "/issueLink"),
        json_pack("{s:{s:s}, s:{s:s}, s:{s:s}}", "type", "name", link_type(st), "inwardIssue", "key", ft_str(st->record, "number"), "outwardIssue", "key",
                  st->want.other));
    return 0;
}

static int build_unlink(struct ft_call *call, struct ticket *st)
{
    const char *id = link_id(st, native_fields(st));

    if (id)
        add(call, st, "DELETE", api(call, st, "/issueLink/%s", host->url_escape(call, id)), NULL);
    return 0;
}

static int jira_build(struct ft_call *call, struct ticket *st, struct ft_err *reterr)
{
    switch (st->want.verb) {
    case VERB_OPEN: return build_open(call, st, reterr);
    case VERB_ATTACH: return build_attach(call, st, reterr);
    case VERB_LINK: return build_link(call, st);
    case VERB_UNLINK: return build_unlink(call, st);
    default: return build_change(call, st, reterr);
    }
}

static int jira_created(struct ft_call *call, struct ticket *st, const json_t *answer)
{
    const char *id = ft_str(answer, "id"), *key = ft_str(answer, "key");

    if (!id || !key)
        return -EINVAL;
    st->record = ticket_hold(call, json_pack("{s:s, s:s, s:s, s:b, s:{}}", "id", id, "number", key, "title", st->want.title, "active", 1, "_native"));
    return 0;
}

/* ---- What became of it ---- */

static bool jira_at(struct ft_call *call, struct ticket *st, const char *state)
{
    const char *is = ft_str(st->record, "state"), *mapped = ticket_mapped(st, "states", state), *status = ft_str(st->record, "status");

    (void)call;
    return ft_same(is, state) || (ft_same(state, "resolved") && ft_same(is, "closed")) || (mapped && status && strcasecmp(mapped, status) == 0);
}

static enum ft_class jira_left(struct ft_call *call, struct ticket *st, const char **ret_field)
{
    const struct intent *want = &st->want;
    const json_t *fields = ft_get(ft_get(st->back, "_native"), "fields");
    const char *priority = priority_name(st, want->severity), *status = ft_str(st->back, "status");

    *ret_field = NULL;
    if (want->verb == VERB_OPEN && !has_label(call, fields))
        *ret_field = "labels";
    if (st->target ? !ft_same(status, st->target) : st->phase == PHASE_PROBE && want->state && !jira_at(call, st, want->state))
        *ret_field = "status";
    if (priority && !ft_same(ft_str(ft_get(fields, "priority"), "name"), priority))
        *ret_field = "priority";
    if (want->verb == VERB_LINK && !link_id(st, fields))
        *ret_field = "issuelinks";
    if (want->verb == VERB_UNLINK && link_id(st, fields))
        *ret_field = "issuelinks";
    return *ret_field ? FT_REFUSED : FT_CLASS_NONE;
}

static json_t *jira_file_kept(struct ft_call *call, struct ticket *st, const json_t *answer)
{
    const json_t *file = json_is_array(answer) ? json_array_get(answer, 0) : answer;

    (void)call;
    return json_pack("{s:s?, s:s}", "id", ft_str(file, "id"), "name", ft_str(file, "filename") ?: st->want.file_name);
}

static bool jira_detach(struct ft_call *call, struct ticket *st, const char *id, struct request *ret)
{
    *ret = (struct request){ .method = "DELETE", .url = api(call, st, "/attachment/%s", host->url_escape(call, id)) };
    return true;
}

/* {"errorMessages": ["…"], "errors": {"summary": "…"}}, and headers that tell of a login that failed, even with a 200 of what anybody may see. */
static void jira_error(struct ft_call *call, const struct ft_http_res *res, const char **ret_said, enum ft_class *class)
{
    const char *said = ft_str(res->json, "message") ?: ft_str(res->json, "errorMessage") ?: "", *name;
    json_t *one;
    size_t i;

    json_array_foreach(ft_get(res->json, "errorMessages"), i, one)
        said = host->printf(call, "%s%s%.300s", said, *said ? "; " : "", json_string_value(one) ?: "");
    json_object_foreach((json_t *)ft_get(res->json, "errors"), name, one)
        said = host->printf(call, "%s%s%.80s: %.300s", said, *said ? "; " : "", name, json_string_value(one) ?: "");
    for (const struct ft_http_header *h = res->headers; h && h->name; h++) {
        bool denied = strcasecmp(h->name, "x-authentication-denied-reason") == 0 && strcasestr(h->value, "captcha");
        bool reason = strcasecmp(h->name, "x-seraph-loginreason") == 0;

        if (denied || (reason && strcasestr(h->value, "AUTHENTICATION_DENIED")))
            said = "it wants a CAPTCHA after too many failed logins: log in once with a browser as this user";
        else if (reason && strcasestr(h->value, "AUTHENTICATED_FAILED"))
            said = "the user or token was not accepted";
        else
            continue;
        *class = FT_DENIED;
    }
    if (*said)
        *ret_said = host->printf(call, "%.700s", said);
}

const struct system ticket_jira = {
    .kind = "jira", .label = "Jira", .settle_ms = 10000, .check = jira_check, .sign = jira_sign, .look = jira_look, .seen = jira_seen, .absent = jira_absent,
    .needs = jira_needs, .build = jira_build, .created = jira_created, .left = jira_left, .file_kept = jira_file_kept, .detach = jira_detach, .at = jira_at,
    .error = jira_error, .linked = jira_linked,
};
