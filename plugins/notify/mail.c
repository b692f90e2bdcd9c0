/* mail.c: mail, by the server of the configuration. Its Message-ID is made from the run and what it says: the same mail sent twice is one mail to a reader. */
#include "message.h"
#include "notify.h"
#include <stdlib.h>

#define MAX_TO 50
#define MAX_FILES 10
#define MAX_FILE (10u << 20)
#define WHEN_SENT "(when it is sent)"

struct letter {
    const char *to[MAX_TO + 1], *cc[MAX_TO + 1], *all[MAX_TO * 2 + 1];
    const char *message_id;
    char *message;                                  /* owned until the request is made */
    struct ft_http_req req;
    bool planning;
    struct mail_part parts[MAX_FILES];
    char *files[MAX_FILES];                         /* malloced: what was read */
    size_t n_parts;
};

static void letter_free(struct ft_call *call)
{
    struct letter *st = host->state(call);

    for (size_t i = 0; i < MAX_FILES; i++) {
        free(st->files[i]);
        st->files[i] = NULL;
    }
    free(st->message);
    st->message = NULL;
}

static int take_addresses(const json_t *list, const char **into, struct ft_err *reterr)
{
    json_t *item;
    size_t i, n = 0;

    if (json_is_string(list))
        into[n++] = json_string_value(list);
    json_array_foreach(list, i, item) {
        if (n == MAX_TO)
            return ft_fault(reterr, FT_INVALID, "more than %d recipients: use a mailing list", MAX_TO);
        into[n++] = json_string_value(item);
    }
    for (i = 0; i < n; i++) {
        if (!mail_address_ok(into[i]))
            return ft_fault(reterr, FT_INVALID, "'%.100s' is not a plain mail address (name@example.org)", into[i]);
    }
    return 0;
}

static const char *make_id(struct ft_call *call, const struct letter *st, const char *from)
{
    uint64_t hash = 14695981039346656037u;
    const char *parts[] = { notify_param(call, "subject"), notify_param(call, "text"), st->all[0] };

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        for (const char *p = parts[i]; *p; p++)
            hash = (hash ^ (unsigned char)*p) * 1099511628211u;
    }
    return host->printf(call, "<fettle.%s.%016llx@%s>", host->run_id(call), (unsigned long long)hash, strchr(from, '@') + 1);
}

static int letter_addresses(struct ft_call *call, struct letter *st, struct ft_err *reterr)
{
    const json_t *params = host->params(call);
    size_t n = 0;
    int r = take_addresses(ft_get(params, "to"), st->to, reterr);

    if (r == 0)
        r = take_addresses(ft_get(params, "cc"), st->cc, reterr);
    for (size_t i = 0; r == 0 && st->to[i]; i++)
        st->all[n++] = st->to[i];
    for (size_t i = 0; r == 0 && st->cc[i]; i++)
        st->all[n++] = st->cc[i];
    if (r == 0 && n == 0)
        return ft_fault(reterr, FT_INVALID, "a mail needs a recipient");
    return r;
}

static unsigned smtp_flags(const json_t *smtp)
{
    return FT_HTTP_MAIL | FT_HTTP_WRITE | (json_is_false(ft_get(smtp, "starttls")) ? 0 : FT_HTTP_STARTTLS);
}

static int letter_build(struct ft_call *call, const char *date, struct ft_err *reterr)
{
    struct letter *st = host->state(call);
    const json_t *smtp = ft_get(host->config(call), "smtp");
    const char *from = ft_str(smtp, "from"), *reply = notify_param(call, "in_reply_to");
    int r;

    if (!smtp)
        return ft_fault(reterr, FT_INVALID, "the configuration names no mail server: set plugins.notify.smtp with url and from");
    if (!mail_address_ok(from))
        return ft_fault(reterr, FT_INVALID, "plugins.notify.smtp.from is not a plain mail address");
    r = letter_addresses(call, st, reterr);
    if (r < 0)
        return r;
    st->message_id = make_id(call, st, from);
    st->message = mail_compose(&(const struct mail){ .from = from, .to = st->to, .cc = st->cc, .subject = notify_param(call, "subject"), .text = notify_param(call, "text"),
                                                     .message_id = st->message_id, .in_reply_to = reply, .date = date,
                                                     .parts = st->parts, .n_parts = st->n_parts });
    if (!st->message)
        return ft_err_set(reterr, -ENOMEM, "out of memory");
    st->req = (struct ft_http_req){ .size = sizeof(st->req), .url = ft_str(smtp, "url"), .user = ft_str(smtp, "user"), .password = ft_str(smtp, "password"),
                                    .ca_file = ft_str(smtp, "ca_file"), .body = st->message, .body_len = strlen(st->message),
                                    .mail_from = from, .mail_to = st->all, .flags = smtp_flags(smtp) };
    return 0;
}

/* Judged by the server's code: 4xx is "not now" and may be tried again, 5xx is for good. */
static enum ft_class mail_class(const struct ft_http_res *res)
{
    switch (res->status) {
    case 530: case 534: case 535: case 538: return FT_DENIED;
    case 550: case 551: case 553: return FT_NOT_FOUND;
    default:
        if (res->status >= 500 && res->status < 600)
            return FT_INVALID;
        return res->status >= 400 ? FT_REFUSED : res->class;
    }
}

static const char *mail_advice(int status)
{
    if (status == 550 || status == 551 || status == 553)
        return ": the server does not know a recipient, or does not let us write to it";
    if (status >= 400 && status < 500)
        return ": the server wants it to be tried again later";
    return "";
}

static void mail_answered(struct ft_call *call, const struct ft_http_res *res, void *arg)
{
    const struct letter *st = host->state(call);
    int n = 0;

    (void)arg;
    if (res->error) {
        host->fail(call, mail_class(res), "%s%s", res->error, mail_advice(res->status));
        return;
    }
    while (st->all[n])
        n++;
    host->done(call, json_pack("{s:i, s:s, s:i}", "status", res->status, "message_id", st->message_id, "recipients", n));
}

static int letter_end(struct ft_call *call, struct ft_err *reterr)
{
    struct letter *st = host->state(call);
    char date[40];
    int r;

    mail_date(host->wall_ms(call), date);
    r = letter_build(call, st->planning ? WHEN_SENT : date, reterr);
    if (r == 0 && st->planning)
        host->done(call, json_pack("{s:o, s:[o]}", "summary",
                                   json_sprintf("mail '%s' to %s%s", notify_param(call, "subject"), st->all[0], st->all[1] ? " and others" : ""), "requests",
                                   host->http_render(call, &st->req)));
    else if (r == 0)
        r = host->http(call, &st->req, mail_answered, NULL, reterr);
    letter_free(call);
    return r;
}

/* ---- Attachments ---- */

static int next_part(struct ft_call *call, struct ft_err *reterr);

static const json_t *attachment(struct ft_call *call, size_t i) { return json_array_get(ft_get(host->params(call), "attachments"), i); }

static void part_read(struct ft_call *call, const struct ft_file_res *res)
{
    struct letter *st = host->state(call);
    struct mail_part *part = &st->parts[st->n_parts];
    bool absent = res->class == FT_NOT_FOUND && st->planning;       /* a step before this one may make it */
    struct ft_err err = { 0 };

    if (res->class && !absent) {
        letter_free(call);
        host->fail(call, res->class, "%s", res->error);
        return;
    }
    st->files[st->n_parts] = absent ? strdup("(the file's content)") : malloc(res->len + 1);
    if (!st->files[st->n_parts]) {
        letter_free(call);
        host->fail(call, FT_INVALID, "no memory for %zu bytes of attachment", res->len);
        return;
    }
    part->bytes = st->files[st->n_parts];
    part->len = absent ? strlen(part->bytes) : res->len;
    if (!absent)
        memcpy(st->files[st->n_parts], res->bytes, res->len);
    st->n_parts++;
    if (next_part(call, &err) < 0) {
        letter_free(call);
        host->fail(call, err.class ?: FT_INVALID, "%s", err.text);
    }
}

/* Takes attachments up to the next file, which is read first; then the mail goes. */
static int next_part(struct ft_call *call, struct ft_err *reterr)
{
    struct letter *st = host->state(call);
    const json_t *from;

    for (; (from = attachment(call, st->n_parts)); st->n_parts++) {
        const char *path = ft_str(from, "path"), *text = ft_str(from, "text"), *slash = path ? strrchr(path, '/') : NULL,
                   *name = ft_str(from, "name") ?: (slash ? slash + 1 : path);
        struct mail_part *part = &st->parts[st->n_parts];

        if (!mail_file_name_ok(name))
            return ft_fault(reterr, FT_INVALID, "'%.100s' is no name for an attachment: give a name of letters, digits, '.', '_' and '-'", name ?: "");
        *part = (struct mail_part){ .name = name,
                                    .type = ft_str(from, "content_type") ?: (text ? "text/plain; charset=utf-8" : "application/octet-stream"),
                                    .bytes = text,
                                    .len = text ? strlen(text) : 0 };
        if (text)
            continue;
        if (host->abi_minor < 1 || !host->file_read)
            return ft_fault(reterr, FT_INVALID, "this fettle cannot read files: give the text itself");
        return host->file_read(call, path, MAX_FILE, part_read, reterr);
    }
    return letter_end(call, reterr);
}

static int mail_start(struct ft_call *call, bool planning, struct ft_err *reterr)
{
    struct letter *st = host->state(call);
    int r;

    st->planning = planning;
    r = next_part(call, reterr);
    if (r < 0)
        letter_free(call);
    return r;
}

static int mail_run(struct ft_call *call, struct ft_err *e) { return mail_start(call, false, e); }
static int mail_plan(struct ft_call *call, struct ft_err *e) { return mail_start(call, true, e); }

/* ---- Description ---- */

static const char mail_params[] = FT_JSON({"type": "object", "additionalProperties": false, "required": ["to", "subject", "text"], "properties": {
    "to": {"type": ["string", "array"], "items": {"type": "string"}, "minItems": 1, "description": "recipient or recipients, plain addresses"},
    "cc": {"type": ["string", "array"], "items": {"type": "string"}, "description": "further recipients, in copy"},
    "subject": {"type": "string", "minLength": 1, "maxLength": 500, "description": "one line"},
    "text": {"type": "string", "minLength": 1, "maxLength": 1000000, "description": "the body, plain text"},
    "in_reply_to": {"type": "string", "pattern": "^<[^<>[:space:]]+>$", "description": "Message-ID of the mail that this one answers, to keep a thread together"},
    "attachments": {"type": "array", "maxItems": 10, "description": "files that go with it", "items": {"type": "object", "additionalProperties": false,
        "oneOf": [{"required": ["text", "name"]}, {"required": ["path"]}], "properties": {
        "name": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,98}$", "description": "name of the file; that of the path when left out"},
        "text": {"type": "string", "minLength": 1, "maxLength": 4000000, "description": "what is in it; or"},
        "path": {"type": "string", "minLength": 1, "maxLength": 1000, "description": "a file of at most 10 MiB, relative to the data folder's files/"},
        "content_type": {"type": "string", "pattern": "^[a-z]+/[A-Za-z0-9.+-]+(; charset=[A-Za-z0-9-]+)?$", "description": "its media type"}}}}}});

static const char mail_result[] = FT_JSON({"type": "object", "properties": {
    "status": {"type": "integer", "description": "code of the mail server (250)"},
    "message_id": {"type": "string", "description": "Message-ID, for in_reply_to of a later mail"},
    "recipients": {"type": "integer", "description": "how many recipients the server took it for"}}});

const struct ft_action notify_mail = {
    .size = sizeof(notify_mail), .name = "mail", .summary = "send a mail",
    .effects = FT_EFFECT_WRITE, .params_schema = mail_params, .result_schema = mail_result, .state_size = sizeof(struct letter),
    .run = { mail_run, letter_free }, .plan = { mail_plan, letter_free }, .timeout_ms = 60000,
    .about = "A mail cannot be taken back: say `undo: none`. The server's code decides: 4xx ends as `refused` (try again later), 550, 551, 553 as `not_found`, 53x as "
             "`denied`, other 5xx as `invalid`. One recipient that is refused refuses the mail for all. The Message-ID is made from run and text, so that the same mail "
             "sent twice is one to its readers; the Date is that of sending.",
    .example = "run: notify.mail\nwith: {to: noc@example.org, subject: \"${notice.subject}\", text: \"${notice.text}\"}\nundo: none\n",
};

