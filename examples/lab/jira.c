/* jira.c: issues of one project, by Jira Cloud's API (/rest/api/3: rich text, search by token, new issues are not found at once) and by that of Jira Data
 * Center (/rest/api/2: plain text, search by offset). Its workflow wants a resolution, and not every state is reached from every other. */
#include "lab.h"

static const struct { const char *name, *category; } statuses[] = {
    { "Open", "new" }, { "In Progress", "indeterminate" }, { "Waiting for vendor", "indeterminate" }, { "Resolved", "done" }, { "Closed", "done" },
    { "Reopened", "new" }, { "Canceled", "done" },
};

static const struct { const char *id, *name, *from, *to; bool resolution; } moves[] = {
    { "11", "Start progress", "Open|Waiting for vendor|Reopened", "In Progress", false }, { "21", "Hold", "In Progress", "Waiting for vendor", false },
    { "31", "Back to open", "In Progress", "Open", false },
    { "51", "Resolve this issue", "Open|In Progress|Waiting for vendor|Reopened", "Resolved", true }, { "61", "Cancel", "Open|In Progress|Reopened", "Canceled", true },
    { "71", "Close", "Resolved", "Closed", false }, { "81", "Reopen", "Resolved|Closed|Canceled", "Reopened", false },
};

static const char *str(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));

    return text ? text : "";
}

static bool is_cloud(const struct lab_req *req) { return strncmp(req->path, "/rest/api/3", 11) == 0; }

static json_t *issues(struct lab *lab) { return json_object_get(lab->tables, "jira_issue"); }

void lab_jira_init(struct lab *lab) { json_object_set_new(lab->tables, "jira_issue", json_array()); }

static void failure(struct lab_res *res, int status, const char *message, const char *field, const char *why)
{
    res->status = status;
    json_decref(res->json);
    res->json = json_pack("{s:[], s:{}}", "errorMessages", "errors");
    if (message)
        json_array_append_new(json_object_get(res->json, "errorMessages"), json_string(message));
    if (field)
        json_object_set_new(json_object_get(res->json, "errors"), field, json_string(why));
}

static json_t *stamp(const struct lab *lab)
{
    time_t secs = (time_t)lab->wall;
    struct tm tm;
    char text[40];

    gmtime_r(&secs, &tm);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S.000+0000", &tm);
    return json_string(text);
}

static json_t *status_of(const char *name)
{
    size_t i = 0;

    while (strcmp(statuses[i].name, name) != 0)
        i++;
    return json_pack("{s:s, s:s, s:{s:s}}", "name", name, "id", name, "statusCategory", "key", statuses[i].category);
}

static json_t *issue_of(struct lab_req *req, struct lab_res *res, const char *id)
{
    json_t *issue;
    size_t i;

    json_array_foreach(issues(req->lab), i, issue) {
        if (strcmp(str(issue, "id"), id) == 0 || strcmp(str(issue, "key"), id) == 0)
            return issue;
    }
    failure(res, 404, "Issue does not exist or you do not have permission to see it.", NULL, NULL);
    return NULL;
}

/* Rich text where the cloud wants it, text elsewhere. */
static bool text_ok(struct lab_req *req, struct lab_res *res, const json_t *value, const char *field)
{
    bool rich = json_is_object(value) && strcmp(str(value, "type"), "doc") == 0 && json_integer_value(json_object_get(value, "version")) == 1
                && json_is_array(json_object_get(value, "content"));

    if (!value || (is_cloud(req) ? rich : json_is_string(value)))
        return true;
    failure(res, 400, NULL, field,
            is_cloud(req) ? "Operation value must be an Atlassian Document (see the Atlassian Document Format)" : "Operation value must be a string");
    return false;
}

static json_t *shown(const json_t *issue)
{
    json_t *copy = json_deep_copy(issue);

    json_object_del(copy, "hidden");
    json_object_del(copy, "comments");
    return copy;
}

/* ---- issues ---- */

static bool fields_ok(struct lab_req *req, struct lab_res *res, const json_t *fields, bool is_new)
{
    const char *name;
    json_t *value;
    size_t i;

    if (is_new && strcmp(str(json_object_get(fields, "project"), "key"), "NOC") != 0) {
        failure(res, 400, NULL, "project", "valid project is required");
        return false;
    }
    if (is_new && !str(fields, "summary")[0]) {
        failure(res, 400, NULL, "summary", "You must specify a summary of the issue.");
        return false;
    }
    json_object_foreach((json_t *)fields, name, value) {
        if (strncmp(name, "customfield_1", 13) != 0 && !strstr("project issuetype summary description labels priority components", name)) {
            failure(res, 400, NULL, name, "Field cannot be set. It is not on the appropriate screen, or unknown.");
            return false;
        }
    }
    json_array_foreach(json_object_get(fields, "labels"), i, value) {
        if (strchr(json_string_value(value), ' ')) {
            failure(res, 400, NULL, "labels", "The label contains spaces which is invalid.");
            return false;
        }
    }
    return text_ok(req, res, json_object_get(fields, "description"), "description");
}

static void issue_post(struct lab_req *req, struct lab_res *res)
{
    json_t *fields = json_object_get(req->json, "fields"), *mine, *issue;
    int n = (int)json_array_size(issues(req->lab)) + 1;

    if (!fields_ok(req, res, fields, true))
        return;
    mine = json_deep_copy(fields);
    json_object_update_new(mine, json_pack("{s:o, s:o, s:o, s:[], s:[], s:n}", "status", status_of("Open"), "created", stamp(req->lab), "updated",
                                           stamp(req->lab), "issuelinks", "attachment", "assignee"));
    issue = json_pack("{s:o, s:o, s:o, s:[], s:i}", "id", json_sprintf("%d", 10000 + n), "key", json_sprintf("NOC-%d", n), "fields", mine, "comments",
                      "hidden", is_cloud(req));
    json_array_append_new(issues(req->lab), issue);
    req->done = true;
    res->status = 201;
    res->json = json_pack("{s:s, s:s, s:o}", "id", str(issue, "id"), "key", str(issue, "key"), "self",
                          json_sprintf("%s/rest/api/2/issue/%s", req->lab->url, str(issue, "id")));
}

static void issue_get(struct lab_req *req, struct lab_res *res)
{
    json_t *issue = issue_of(req, res, req->arg[0]);

    if (issue)
        res->json = shown(issue);
}

static void issue_put(struct lab_req *req, struct lab_res *res)
{
    json_t *issue = issue_of(req, res, req->arg[0]), *fields = json_object_get(req->json, "fields");

    if (!issue || !fields_ok(req, res, fields, false))
        return;
    json_object_update(json_object_get(issue, "fields"), fields);
    json_object_set_new(json_object_get(issue, "fields"), "updated", stamp(req->lab));
    req->done = true;
    res->status = 204;
}

/* ---- search: the two sentences that are asked, not all of JQL ---- */

/* The text between quotes behind `key`, without its escapes; "" where there is none. */
static void quoted_after(const char *jql, const char *key, char *ret, size_t size)
{
    const char *p = strstr(jql, key);
    size_t n = 0;

    for (p = p ? strchr(p, '"') : NULL; p && *++p && *p != '"' && n + 1 < size;) {
        if (*p == '\\' && p[1])
            p++;
        ret[n++] = *p;
    }
    ret[n] = '\0';
}

static bool matches(json_t *issue, const char *jql)
{
    json_t *fields = json_object_get(issue, "fields"), *label;
    char want[300], words[300];
    int hidden = (int)json_integer_value(json_object_get(issue, "hidden"));
    bool labelled = false;
    size_t i, len;

    if (hidden > 0) {
        json_object_set_new(issue, "hidden", json_integer(hidden - 1));
        return false;
    }
    quoted_after(jql, "labels =", want, sizeof(want));
    json_array_foreach(json_object_get(fields, "labels"), i, label)
        labelled = labelled || strcmp(json_string_value(label), want) == 0;
    if (want[0])
        return labelled;
    quoted_after(jql, "summary ~", words, sizeof(words));
    len = strlen(words);
    if (len > 1 && words[0] == '"' && words[len - 1] == '"') {
        words[len - 1] = '\0';
        memmove(words, words + 1, len - 1);
    }
    return words[0] && strcasestr(str(fields, "summary"), words)
           && strcmp(str(json_object_get(json_object_get(fields, "status"), "statusCategory"), "key"), "done") != 0;
}

static void search(struct lab_req *req, struct lab_res *res)
{
    const char *jql = lab_query(req, "jql"), *token = lab_query(req, is_cloud(req) ? "nextPageToken" : "startAt"), *max = lab_query(req, "maxResults");
    size_t skip = token ? (size_t)atol(token) : 0, limit = max ? (size_t)atol(max) : 50, n = 0, i;
    json_t *list = json_array(), *issue;

    limit = limit > 5 && is_cloud(req) ? 5 : limit;      /* a page may be shorter than asked for */
    for (i = json_array_size(issues(req->lab)); jql && i-- > 0;) {
        issue = json_array_get(issues(req->lab), i);
        if (!matches(issue, jql))
            continue;
        if (n >= skip && n < skip + limit)
            json_array_append_new(list, shown(issue));
        n++;
    }
    if (!is_cloud(req))
        res->json = json_pack("{s:o, s:i, s:i, s:i}", "issues", list, "startAt", (int)skip, "maxResults", (int)limit, "total", (int)n);
    else if (n > skip + limit)
        res->json = json_pack("{s:o, s:b, s:o}", "issues", list, "isLast", 0, "nextPageToken", json_sprintf("%zu", skip + limit));
    else
        res->json = json_pack("{s:o, s:b}", "issues", list, "isLast", 1);
}

static void search_gone(struct lab_req *req, struct lab_res *res)
{
    if (is_cloud(req))
        failure(res, 410, "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API.", NULL, NULL);
    else
        search(req, res);
}

static void search_jql(struct lab_req *req, struct lab_res *res)
{
    if (is_cloud(req))
        search(req, res);
    else
        res->status = 404;
}

/* ---- comments, transitions, attachments, links ---- */

static void comment_post(struct lab_req *req, struct lab_res *res)
{
    json_t *issue = issue_of(req, res, req->arg[0]), *comment, *properties = json_object_get(req->json, "properties");

    if (!issue || !text_ok(req, res, json_object_get(req->json, "body"), "comment"))
        return;
    comment = json_pack("{s:o, s:O, s:o, s:{s:s}, s:b}", "id", json_sprintf("%zu", 20000 + json_array_size(json_object_get(issue, "comments"))), "body",
                        json_object_get(req->json, "body"), "created", stamp(req->lab), "author", "displayName", "fettle", "jsdPublic",
                        !json_is_true(json_object_get(json_object_get(json_array_get(properties, 0), "value"), "internal")));
    json_array_insert_new(json_object_get(issue, "comments"), 0, comment);
    req->done = true;
    res->status = 201;
    res->json = json_incref(comment);
}

static void comment_get(struct lab_req *req, struct lab_res *res)
{
    json_t *issue = issue_of(req, res, req->arg[0]);

    if (issue)
        res->json = json_pack("{s:O, s:i}", "comments", json_object_get(issue, "comments"), "total", (int)json_array_size(json_object_get(issue, "comments")));
}

static bool leads_from(size_t move, const char *status)
{
    const char *at = strstr(moves[move].from, status);

    return at && (at == moves[move].from || at[-1] == '|') && (at[strlen(status)] == '|' || at[strlen(status)] == '\0');
}

static json_t *move_of(size_t i)
{
    json_t *move = json_pack("{s:s, s:s, s:o, s:{}}", "id", moves[i].id, "name", moves[i].name, "to", status_of(moves[i].to), "fields");

    if (moves[i].resolution)
        json_object_set_new(json_object_get(move, "fields"), "resolution",
                            json_pack("{s:b, s:b, s:s, s:[{s:s}, {s:s}, {s:s}]}", "required", 1, "hasDefaultValue", 0, "name", "Resolution", "allowedValues",
                                      "name", "Fixed", "name", "Won't Do", "name", "Cannot Reproduce"));
    return move;
}

static void transitions_get(struct lab_req *req, struct lab_res *res)
{
    json_t *issue = issue_of(req, res, req->arg[0]), *list;

    if (!issue)
        return;
    list = json_array();
    for (size_t i = 0; i < ARRAY_LEN(moves); i++) {
        if (leads_from(i, str(json_object_get(json_object_get(issue, "fields"), "status"), "name")))
            json_array_append_new(list, move_of(i));
    }
    res->json = json_pack("{s:s, s:o}", "expand", "transitions", "transitions", list);
}

static void transition_post(struct lab_req *req, struct lab_res *res)
{
    json_t *issue = issue_of(req, res, req->arg[0]), *given = json_object_get(req->json, "fields"), *fields;
    const char *id = str(json_object_get(req->json, "transition"), "id");
    size_t i = 0;

    if (!issue)
        return;
    fields = json_object_get(issue, "fields");
    while (i < ARRAY_LEN(moves) && !(strcmp(moves[i].id, id) == 0 && leads_from(i, str(json_object_get(fields, "status"), "name"))))
        i++;
    if (i == ARRAY_LEN(moves)) {
        failure(res, 400, "It seems that you have tried to perform an illegal workflow operation.", NULL, NULL);
    } else if (moves[i].resolution && !json_object_get(given, "resolution")) {
        failure(res, 400, NULL, "resolution", "Resolution is required.");
    } else if (!moves[i].resolution && json_object_size(given)) {
        failure(res, 400, NULL, json_object_iter_key(json_object_iter(given)), "Field cannot be set. It is not on the appropriate screen, or unknown.");
    } else {
        json_object_update(fields, given);
        json_object_set_new(fields, "status", status_of(moves[i].to));
        json_object_set_new(fields, "updated", stamp(req->lab));
        req->done = true;
        res->status = 204;
    }
}

static void attachment_post(struct lab_req *req, struct lab_res *res)
{
    json_t *issue = issue_of(req, res, req->arg[0]), *file;
    const char *guard = lab_header(req, "X-Atlassian-Token"), *type = lab_header(req, "Content-Type"), *name, *start, *end;

    if (!issue)
        return;
    name = req->body ? strstr(req->body, "filename=\"") : NULL;
    start = name ? strstr(name, "\r\n\r\n") : NULL;
    if (!guard || strcmp(guard, "no-check") != 0) {
        res->status = 403;
        res->text = ft_strdup("XSRF check failed");
        res->type = "text/plain";
        return;
    }
    if (!type || strncmp(type, "multipart/form-data; boundary=", 30) != 0 || !start) {
        failure(res, 415, NULL, NULL, NULL);
        return;
    }
    name += 10;
    end = memmem(start, req->body_len - (size_t)(start - req->body), type + 30, strlen(type + 30));
    file = json_pack("{s:o, s:o, s:i}", "id", json_sprintf("%lu", 30000 + ++req->lab->serial), "filename", json_stringn(name, strcspn(name, "\"")), "size",
                     end ? (int)(end - start - 8) : -1);
    json_array_append_new(json_object_get(json_object_get(issue, "fields"), "attachment"), file);
    req->done = true;
    res->json = json_pack("[O]", file);
}

/* Takes the member with this id out of a list of every issue. */
static void remove_member(struct lab_req *req, struct lab_res *res, const char *list_name)
{
    json_t *issue, *member;
    size_t i, k;

    res->status = 404;
    json_array_foreach(issues(req->lab), i, issue) {
        json_t *list = json_object_get(json_object_get(issue, "fields"), list_name);

        json_array_foreach(list, k, member) {
            if (strcmp(str(member, "id"), req->arg[0]) == 0) {
                json_array_remove(list, k--);
                req->done = true;
                res->status = 204;
            }
        }
    }
}

static void attachment_delete(struct lab_req *req, struct lab_res *res) { remove_member(req, res, "attachment"); }
static void link_delete(struct lab_req *req, struct lab_res *res) { remove_member(req, res, "issuelinks"); }

static void link_post(struct lab_req *req, struct lab_res *res)
{
    const char *type = str(json_object_get(req->json, "type"), "name");
    json_t *in = issue_of(req, res, str(json_object_get(req->json, "inwardIssue"), "key")),
           *out = in ? issue_of(req, res, str(json_object_get(req->json, "outwardIssue"), "key")) : NULL;
    unsigned long id = ++req->lab->serial;

    if (!in || !out)
        return;
    if (strcmp(type, "Relates") != 0 && strcmp(type, "Blocks") != 0) {
        failure(res, 404, "No issue link type with name found.", NULL, NULL);
        return;
    }
    json_array_append_new(json_object_get(json_object_get(in, "fields"), "issuelinks"),
                          json_pack("{s:o, s:{s:s}, s:{s:s}}", "id", json_sprintf("%lu", id), "type", "name", type, "outwardIssue", "key", str(out, "key")));
    json_array_append_new(json_object_get(json_object_get(out, "fields"), "issuelinks"),
                          json_pack("{s:o, s:{s:s}, s:{s:s}}", "id", json_sprintf("%lu", id), "type", "name", type, "inwardIssue", "key", str(in, "key")));
    req->done = true;
    res->status = 201;
}

static const struct lab_route routes[] = {
    { "POST", "/issue", issue_post }, { "GET", "/issue/{}", issue_get }, { "PUT", "/issue/{}", issue_put },
    { "POST", "/issue/{}/comment", comment_post }, { "GET", "/issue/{}/comment", comment_get },
    { "GET", "/issue/{}/transitions", transitions_get }, { "POST", "/issue/{}/transitions", transition_post },
    { "POST", "/issue/{}/attachments", attachment_post }, { "DELETE", "/attachment/{}", attachment_delete },
    { "POST", "/issueLink", link_post }, { "DELETE", "/issueLink/{}", link_delete }, { "GET", "/search", search_gone }, { "GET", "/search/jql", search_jql },
    { 0 },
};

static bool authentic(struct lab_req *req)
{
    const char *given = lab_header(req, "Authorization");

    if (is_cloud(req))
        return lab_basic_auth(req, "fettle@corp.example", req->lab->jira_token);
    return given && strncmp(given, "Bearer ", 7) == 0 && strcmp(given + 7, req->lab->jira_token) == 0;
}

void lab_jira(struct lab_req *req, struct lab_res *res)
{
    bool other_method;
    lab_handler *handle;

    for (int i = 3; i < req->n_seg; i++)                 /* what follows /rest/api/3 */
        req->seg[i - 3] = req->seg[i];
    req->n_seg = req->n_seg > 3 ? req->n_seg - 3 : 0;
    handle = lab_route(req, routes, &other_method);
    if (!authentic(req)) {
        res->status = 401;
        lab_add_header(res, "X-Seraph-LoginReason", "AUTHENTICATED_FAILED");
        res->json = json_pack("{s:s}", "message", "Client must be authenticated to access this resource.");
    } else if (handle) {
        handle(req, res);
    } else {
        res->status = other_method ? 405 : 404;
    }
}
