/* attach.c: attach and link, for every ticket system. */
#include <stdlib.h>
#include "schemas.h"

const char *const ticket_link_names[N_LINKS] = { "parent", "problem", "change", "related" };

/* ---- attach ---- */

static const char *base_name(const char *path) { return strrchr(path, '/') ? strrchr(path, '/') + 1 : path; }

static int want_attach(struct ft_call *call, struct ticket *st, struct ft_err *reterr)
{
    const char *text = ticket_param(call, "text"), *path = ticket_param(call, "path"), *name = ticket_param(call, "file_name");

    if (path && (host->abi_minor < 1 || !host->file_read))
        return ft_fault(reterr, FT_INVALID, "this fettle cannot read files: give the text itself");
    if (!name && !path)
        return ft_fault(reterr, FT_INVALID, "give the attachment a name: file_name");
    name = name ?: base_name(path);
    if (!*name || strpbrk(name, "\"\\/\r\n"))
        return ft_fault(reterr, FT_INVALID, "'%.100s' is no name for an attachment: give file_name", name);
    st->want = (struct intent){ .verb = VERB_ATTACH, .file_name = name, .bytes = text, .len = text ? strlen(text) : 0,
                                .content_type = ticket_param(call, "content_type") ?: text ? "text/plain; charset=utf-8" : "application/octet-stream" };
    return 0;
}

static json_t *attach_result(const struct ticket *st, const json_t *file)
{
    json_t *result = ticket_facts(st->record), *id = json_object_get(file, "id");

    json_object_update_new(result, json_pack("{s:o, s:s, s:I}", "attachment_id", id ? json_incref(id) : json_null(), "file_name", st->want.file_name,
                                             "size_bytes", (json_int_t)st->want.len));
    return result;
}

static void attachment_kept(struct ft_call *call)
{
    const struct ticket *st = host->state(call);

    ticket_done(call, attach_result(st, st->back));
}

static void attached(struct ft_call *call, struct ticket *st)
{
    struct ft_err err = { 0 };

    json_object_set_new(st->receipt, "attachment_id", json_string(ft_str(st->back, "id") ?: ""));
    if (host->keep(call, json_incref(st->receipt), attachment_kept, &err) < 0)
        ticket_fail(call, err.class, "%s", err.text);
}

static void attach_ready(struct ft_call *call, struct ticket *st)
{
    st->summary = host->printf(call, "attach %s (%zu bytes) to %s", st->want.file_name, st->want.len, ft_str(st->record, "number"));
    ticket_write(call, attached);
}

static void file_seen(struct ft_call *call, const struct ft_file_res *res)
{
    struct ticket *st = host->state(call);
    bool absent = res->class == FT_NOT_FOUND && st->phase == PHASE_PLAN;    /* a step before this one may make it */

    if (res->class && !absent) {
        ticket_fail(call, res->class, "%s", res->error);
        return;
    }
    st->want.len = absent ? 0 : res->len;
    st->file = absent ? strdup("(the file's content)") : malloc(res->len + 1);
    if (!st->file) {
        ticket_fail(call, FT_INVALID, "no memory for %zu bytes of attachment", res->len);
        return;
    }
    if (absent) {
        st->want.len = strlen(st->file);
    } else {
        memcpy(st->file, res->bytes, res->len);
        st->file[res->len] = '\0';
    }
    st->want.bytes = st->file;
    if (st->want.len == 0)
        ticket_fail(call, FT_INVALID, "the file '%s' is empty: there is nothing to attach", ticket_param(call, "path"));
    else
        attach_ready(call, st);
}

static void attach_located(struct ft_call *call, struct ticket *st)
{
    struct ft_err err = { 0 };

    if (!ticket_needed(call, st))
        return;
    if (st->want.bytes)
        attach_ready(call, st);
    else if (host->file_read(call, ticket_param(call, "path"), TICKET_MAX_FILE, file_seen, &err) < 0)
        ticket_fail(call, err.class, "%s", err.text);
}

static void detached(struct ft_call *call, const struct ft_http_res *res, void *arg)
{
    (void)arg;
    if (res->error && res->status != 404)
        ticket_fail(call, res->class, "%s", res->error);
    else
        ticket_done(call, json_pack("{s:b, s:n}", "undone", res->status != 404, "ticket"));
}

static int attach_undo(struct ft_call *call, struct ft_err *reterr)
{
    struct ticket *st = host->state(call);
    const char *id = ft_str(host->receipt(call), "attachment_id");
    struct request request = { 0 };
    int r = ticket_begin(call, PHASE_UNDO, false, reterr);

    if (r < 0)
        return r;
    if (!st->system->detach(call, st, id ?: "", &request))
        return ft_fault(reterr, FT_REFUSED, "%s keeps every attachment: only its administrator can take '%s' off the ticket", st->system->label,
                        ft_str(host->receipt(call), "file_name") ?: "it");
    if (!id || !*id)
        return ft_fault(reterr, FT_INVALID, "the attachment's id was not learned, so it cannot be deleted: delete it by hand");
    ticket_request(call, &request, FT_HTTP_WRITE, detached);
    return 0;
}

static void files_seen(struct ft_call *call, struct ticket *st)
{
    const json_t *ours = NULL;
    json_t *file;
    size_t i;

    json_array_foreach(st->seen[LOOK_FILES], i, file) {
        if (ft_same(ft_str(file, "name"), st->want.file_name))
            ours = file;
    }
    ticket_done(call, json_pack("{s:b, s:{s:i}, s:o}", "happened", ours != NULL, "seen", "attachments", (int)json_array_size(st->seen[LOOK_FILES]), "result",
                                attach_result(st, ours)));
}

static void files_located(struct ft_call *call, struct ticket *st)
{
    if (ticket_needed(call, st))
        ticket_look(call, LOOK_BIT(LOOK_FILES), files_seen);
}

ENTRY(attach_run, PHASE_RUN, false, want_attach, attach_located)
ENTRY(attach_plan, PHASE_PLAN, false, want_attach, attach_located)
ENTRY(attach_probe, PHASE_PROBE, false, want_attach, files_located)

/* ---- link ---- */

static int want_link(struct ft_call *call, struct ticket *st, struct ft_err *reterr)
{
    (void)reterr;
    st->want = (struct intent){ .verb = VERB_LINK };
    for (enum link kind = 0; kind < N_LINKS; kind++) {
        if (ticket_param(call, ticket_link_names[kind])) {
            st->want.link = kind;
            st->want.other = ticket_param(call, ticket_link_names[kind]);
        }
    }
    return 0;
}

static void linked(struct ft_call *call, struct ticket *st) { ticket_done(call, ticket_facts(st->back)); }

static void link_probed(struct ft_call *call, struct ticket *st)
{
    ticket_done(call,
                json_pack("{s:b, s:o, s:o}", "happened", st->system->linked(call, st), "seen", ticket_facts(st->record), "result", ticket_facts(st->record)));
}

static void link_located(struct ft_call *call, struct ticket *st)
{
    if (!ticket_needed(call, st))
        return;
    st->summary = host->printf(call, "link %s to %s", ft_str(st->record, "number"), st->want.other);
    if (st->phase == PHASE_PROBE)
        ticket_look(call, st->system->needs(call, st), link_probed);
    else
        ticket_write(call, linked);
}

static void unlinked(struct ft_call *call, struct ticket *st) { ticket_done(call, json_pack("{s:b, s:o}", "undone", 1, "ticket", ticket_facts(st->back))); }

static void unlink_located(struct ft_call *call, struct ticket *st)
{
    const json_t *before = ft_get(host->receipt(call), "before");

    if (!ticket_needed(call, st))
        return;
    if (json_object_size(before) == 0) {                 /* it was linked before */
        ticket_done(call, json_pack("{s:b, s:o}", "undone", 0, "ticket", ticket_facts(st->record)));
        return;
    }
    st->want.verb = VERB_UNLINK;
    st->want.before = before;
    ticket_write(call, unlinked);
}

ENTRY(link_run, PHASE_RUN, false, want_link, link_located)
ENTRY(link_plan, PHASE_PLAN, false, want_link, link_located)
ENTRY(link_probe, PHASE_PROBE, false, want_link, link_located)
ENTRY(link_undo, PHASE_UNDO, false, want_link, unlink_located)

/* ---- Description ---- */

static const char attach_params[] = OBJECT(", \"oneOf\": [{\"required\": [\"text\"]}, {\"required\": [\"path\"]}]",
    FT_JSON("file_name": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,98}$", "description": "name of the attachment: evidence.txt; the file's own when left out"},
            "text": {"type": "string", "minLength": 1, "maxLength": 4000000, "description": "what is in it; or"},
            "path": {"type": "string", "minLength": 1, "maxLength": 1000, "description": "a file of at most 10 MiB: a capture, a backup; relative to the data folder's files/"},
            "content_type": {"type": "string", "pattern": "^[a-z]+/[A-Za-z0-9.+-]+(; charset=[A-Za-z0-9-]+)?$",
                             "description": "its media type; text/plain; charset=utf-8 of a text, application/octet-stream of a file when left out"}) ", " WHICH);
#define OTHER(name, what) "\"" name "\": {\"type\": \"string\", \"pattern\": \"" NUMBER_PATTERN "\", \"description\": \"" what "\"}"
static const char link_params[] = OBJECT(
    ", \"oneOf\": [{\"required\": [\"parent\"]}, {\"required\": [\"problem\"]}, {\"required\": [\"change\"]}, {\"required\": [\"related\"]}]",
    OTHER("parent", "number of the parent incident") ", " OTHER("problem", "number of the problem") ", " OTHER(
        "change", "number of the change that resolves it") ", " OTHER("related", "number of any other ticket (not ServiceNow)") ", " WHICH);

static const char attach_result_schema[] = RESULT(", " FT_JSON("attachment_id": {"type": ["string", "null"], "description": "id of the attachment; null in RT, which does not tell it"},
    "file_name": {"type": ["string", "null"], "description": "name of the attachment"}, "size_bytes": {"type": "integer", "description": "bytes sent"}));
static const char link_result[] = RESULT("");

ACTION(ticket_attach, "attach", "attach a text or a file", FT_EFFECT_WRITE, attach_params, attach_result_schema)
    .run = { attach_run, ticket_cancelled }, .plan = { attach_plan, ticket_cancelled },
    .undo = { attach_undo, ticket_cancelled }, .probe = { attach_probe, ticket_cancelled },
    .about = "Undo deletes the attachment; RT lets nobody do that, and undo says so.", .example = "run: ticket.attach\nwith: {file_name: evidence.txt, text: \"${evidence}\"}\nundo: auto\n" };
ACTION(ticket_link, "link", "link a ticket to another one", FT_EFFECT_WRITE | FT_EFFECT_IDEMPOTENT, link_params, link_result)
    .run = { link_run, ticket_cancelled }, .plan = { link_plan, ticket_cancelled },
    .undo = { link_undo, ticket_cancelled }, .probe = { link_probe, ticket_cancelled },
    .about = "To a parent incident, a problem, a change, or (Jira, RT) just a related ticket. Undo puts back the link that there was, or none.",
    .example = "run: ticket.link\nwith: {number: \"${ticket.number}\", parent: INC0010001}\nundo: auto\n" };
