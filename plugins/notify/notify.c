/* notify.c: telling people: webhooks and mail.
 *
 * What was sent cannot be taken back, and nobody can ask afterwards whether it came: so there is neither undo nor probe. A mail's Message-ID is made from
 * the run and what it says: the same mail sent twice is one mail to a reader. */
#include <stdlib.h>
#include <string.h>
#include "message.h"
#include "p1.h"

#define JSON(...) #__VA_ARGS__
#define MAX_HEADERS 16
#define MAX_TO 50
#define WHEN_SENT "(when it is sent)"

const struct ft_host *host;

static const char *text_of(const json_t *object, const char *key) { return json_string_value(json_object_get(object, key)); }
static const char *param(struct ft_call *call, const char *key) { return text_of(host->params(call), key); }

__attribute__((format(printf, 3, 4)))
static int fault(struct ft_err *reterr, enum ft_class class, const char *fmt, ...)
{
    char text[sizeof(reterr->text)];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    ft_err_set(reterr, -EINVAL, "%s", text);
    if (reterr)
        reterr->class = class;
    return -EINVAL;
}

/* ---- webhook ---- */

struct hook {
    struct ft_http_header headers[MAX_HEADERS + 1];
    json_t *body;                                   /* owned until the request is made */
    struct ft_http_req req;
};

static int add_headers(struct hook *st, size_t *n, const json_t *headers, struct ft_err *reterr)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)headers, name, value) {
        if (*n == MAX_HEADERS || strpbrk(name, ": \r\n") || strpbrk(json_string_value(value), "\r\n"))
            return fault(reterr, FT_INVALID, "header '%s' of the webhook is one too many, or has a line break in it", name);
        st->headers[(*n)++] = (struct ft_http_header){ name, json_string_value(value) };
    }
    return 0;
}

static int hook_build(struct ft_call *call, struct ft_err *reterr)
{
    struct hook *st = host->state(call);
    const char *name = param(call, "webhook"), *text = param(call, "text");
    const json_t *hook = json_object_get(json_object_get(host->config(call), "webhooks"), name);
    json_t *json = json_object_get(host->params(call), "json");
    size_t n = 0;
    int r;

    if (!hook)
        return fault(reterr, FT_NOT_FOUND, "no webhook '%s' in the configuration: add plugins.notify.webhooks.%s with its url", name, name);
    r = add_headers(st, &n, json_object_get(hook, "headers"), reterr);
    if (r == 0)
        r = add_headers(st, &n, json_object_get(hook, "secret_headers"), reterr);
    if (r < 0)
        return r;
    st->body = json ? json_incref(json) : json_pack("{s:s}", "text", text);
    st->req = (struct ft_http_req){ .size = sizeof(st->req), .method = "POST", .url = text_of(hook, "url"), .headers = st->headers, .json = st->body,
                                    .ca_file = text_of(hook, "ca_file"), .flags = FT_HTTP_WRITE };
    return 0;
}

static void hook_answered(struct ft_call *call, const struct ft_http_res *res, void *arg)
{
    json_t *json, *answer;

    (void)arg;
    if (res->error) {
        host->fail(call, res->class, "%s%s%.200s", res->error, res->body_len ? ": " : "", res->body_len ? res->body : "");
        return;
    }
    /* Chat systems answer 200 to what they refuse: {"ok": false, "error": "channel_not_found"}. */
    json = json_loadb(res->body ? res->body : "", res->body_len, 0, NULL);
    if (json_is_false(json_object_get(json, "ok"))) {
        host->fail(call, FT_REFUSED, "the webhook '%s' answered that it did not take the message: %s", param(call, "webhook"),
                   text_of(json, "error") ?: "it gave no reason");
        json_decref(json);
        return;
    }
    json_decref(json);
    answer = json_stringn(res->body ? res->body : "", res->body_len < 1000 ? res->body_len : 1000);
    host->done(call, json_pack("{s:i, s:b, s:o}", "status", res->status, "queued", res->status == 202, "answer", answer ? answer : json_string("")));
}

static int webhook_run(struct ft_call *call, struct ft_err *reterr)
{
    struct hook *st = host->state(call);
    int r = hook_build(call, reterr);

    if (r == 0)
        r = host->http(call, &st->req, hook_answered, NULL, reterr);
    json_decref(st->body);
    return r;
}

static int webhook_plan(struct ft_call *call, struct ft_err *reterr)
{
    struct hook *st = host->state(call);
    int r = hook_build(call, reterr);

    if (r == 0)
        host->done(call, json_pack("{s:o, s:[o]}", "summary", json_sprintf("post a message to '%s'", param(call, "webhook")), "requests",
                                   host->http_render(call, &st->req)));
    json_decref(st->body);
    return r;
}

/* ---- mail ---- */

struct letter {
    const char *to[MAX_TO + 1], *cc[MAX_TO + 1], *all[MAX_TO * 2 + 1];
    const char *message_id;
    char *message;                                  /* owned until the request is made */
    struct ft_http_req req;
};

static int take_addresses(const json_t *list, const char **into, struct ft_err *reterr)
{
    json_t *item;
    size_t i, n = 0;

    if (json_is_string(list))
        into[n++] = json_string_value(list);
    json_array_foreach(list, i, item) {
        if (n == MAX_TO)
            return fault(reterr, FT_INVALID, "more than %d recipients: use a mailing list", MAX_TO);
        into[n++] = json_string_value(item);
    }
    for (i = 0; i < n; i++) {
        if (!mail_address_ok(into[i]))
            return fault(reterr, FT_INVALID, "'%.100s' is not a plain mail address (name@example.org)", into[i]);
    }
    return 0;
}

static const char *make_id(struct ft_call *call, const struct letter *st, const char *from)
{
    uint64_t hash = 14695981039346656037u;
    const char *parts[] = { param(call, "subject"), param(call, "text"), st->all[0] };

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
    int r = take_addresses(json_object_get(params, "to"), st->to, reterr);

    if (r == 0)
        r = take_addresses(json_object_get(params, "cc"), st->cc, reterr);
    for (size_t i = 0; r == 0 && st->to[i]; i++)
        st->all[n++] = st->to[i];
    for (size_t i = 0; r == 0 && st->cc[i]; i++)
        st->all[n++] = st->cc[i];
    if (r == 0 && n == 0)
        return fault(reterr, FT_INVALID, "a mail needs a recipient");
    return r;
}

static unsigned smtp_flags(const json_t *smtp)
{
    return FT_HTTP_MAIL | FT_HTTP_WRITE | (json_is_false(json_object_get(smtp, "starttls")) ? 0 : FT_HTTP_STARTTLS);
}

static int letter_build(struct ft_call *call, const char *date, struct ft_err *reterr)
{
    struct letter *st = host->state(call);
    const json_t *smtp = json_object_get(host->config(call), "smtp");
    const char *from = text_of(smtp, "from"), *reply = param(call, "in_reply_to");
    int r;

    if (!smtp)
        return fault(reterr, FT_INVALID, "the configuration names no mail server: set plugins.notify.smtp with url and from");
    if (!mail_address_ok(from))
        return fault(reterr, FT_INVALID, "plugins.notify.smtp.from is not a plain mail address");
    r = letter_addresses(call, st, reterr);
    if (r < 0)
        return r;
    st->message_id = make_id(call, st, from);
    st->message = mail_compose(&(const struct mail){ .from = from, .to = st->to, .cc = st->cc, .subject = param(call, "subject"), .text = param(call, "text"),
                                                     .message_id = st->message_id, .in_reply_to = reply, .date = date });
    if (!st->message)
        return ft_err_set(reterr, -ENOMEM, "out of memory");
    st->req = (struct ft_http_req){ .size = sizeof(st->req), .url = text_of(smtp, "url"), .user = text_of(smtp, "user"), .password = text_of(smtp, "password"),
                                    .ca_file = text_of(smtp, "ca_file"), .body = st->message, .body_len = strlen(st->message),
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

static int mail_run(struct ft_call *call, struct ft_err *reterr)
{
    struct letter *st = host->state(call);
    char date[40];
    int r;

    mail_date(host->wall_ms(call), date);
    r = letter_build(call, date, reterr);
    if (r == 0)
        r = host->http(call, &st->req, mail_answered, NULL, reterr);
    free(st->message);
    return r;
}

static int mail_plan(struct ft_call *call, struct ft_err *reterr)
{
    struct letter *st = host->state(call);
    int r = letter_build(call, WHEN_SENT, reterr);

    if (r == 0)
        host->done(call, json_pack("{s:o, s:[o]}", "summary", json_sprintf("mail '%s' to %s%s", param(call, "subject"), st->all[0], st->all[1] ? " and others" : ""),
                                   "requests", host->http_render(call, &st->req)));
    free(st->message);
    return r;
}

/* ---- Description ---- */

static const char webhook_params[] = JSON({"type": "object", "additionalProperties": false, "required": ["webhook"],
    "oneOf": [{"required": ["text"]}, {"required": ["json"]}], "properties": {
    "webhook": {"type": "string", "description": "its name in the configuration (plugins.notify.webhooks)"},
    "text": {"type": "string", "minLength": 1, "maxLength": 20000, "description": "the message; sent as {\"text\": …}, which Slack, Mattermost and others take"},
    "json": {"type": "object", "additionalProperties": true, "description": "the whole body, where the receiver wants another shape"}}});

static const char webhook_result[] = JSON({"type": "object", "properties": {
    "status": {"type": "integer", "description": "HTTP status"},
    "queued": {"type": "boolean", "description": "the receiver only took it into a queue (202)"},
    "answer": {"type": "string", "description": "the first 1000 bytes of the answer"}}});

static const char mail_params[] = JSON({"type": "object", "additionalProperties": false, "required": ["to", "subject", "text"], "properties": {
    "to": {"type": ["string", "array"], "items": {"type": "string"}, "minItems": 1, "description": "recipient or recipients, plain addresses"},
    "cc": {"type": ["string", "array"], "items": {"type": "string"}, "description": "further recipients, in copy"},
    "subject": {"type": "string", "minLength": 1, "maxLength": 500, "description": "one line"},
    "text": {"type": "string", "minLength": 1, "maxLength": 1000000, "description": "the body, plain text"},
    "in_reply_to": {"type": "string", "pattern": "^<[^<>[:space:]]+>$", "description": "Message-ID of the mail that this one answers, to keep a thread together"}}});

static const char mail_result[] = JSON({"type": "object", "properties": {
    "status": {"type": "integer", "description": "code of the mail server (250)"},
    "message_id": {"type": "string", "description": "Message-ID, for in_reply_to of a later mail"},
    "recipients": {"type": "integer", "description": "how many recipients the server took it for"}}});

static const struct ft_action a_webhook = {
    .size = sizeof(a_webhook), .name = "webhook", .summary = "post a message to a webhook",
    .effects = FT_EFFECT_WRITE, .params_schema = webhook_params, .result_schema = webhook_result, .state_size = sizeof(struct hook),
    .run = { .start = webhook_run }, .plan = { .start = webhook_plan },
    .about = "A message cannot be taken back: say `undo: none`. When the answer is lost the step is `ambiguous` and is not sent again by itself.",
    .example = "run: notify.webhook\nwith: {webhook: noc, text: \"AP-3F-12 was restarted\"}\nundo: none\n",
};

static const struct ft_action a_mail = {
    .size = sizeof(a_mail), .name = "mail", .summary = "send a mail",
    .effects = FT_EFFECT_WRITE, .params_schema = mail_params, .result_schema = mail_result, .state_size = sizeof(struct letter),
    .run = { .start = mail_run }, .plan = { .start = mail_plan }, .timeout_ms = 60000,
    .about = "A mail cannot be taken back: say `undo: none`. The server's code decides: 4xx ends as `refused` (try again later), 550, 551, 553 as `not_found`, 53x as "
             "`denied`, other 5xx as `invalid`. One recipient that is refused refuses the mail for all. The Message-ID is made from run and text, so that the same mail "
             "sent twice is one to its readers; the Date is that of sending.",
    .example = "run: notify.mail\nwith: {to: noc@example.org, subject: \"${notice.subject}\", text: \"${notice.text}\"}\nundo: none\n",
};

static const char config_schema[] = JSON({"type": "object", "additionalProperties": false, "properties": {
    "webhooks": {"type": "object", "description": "webhooks by name", "additionalProperties": {"type": "object", "additionalProperties": false, "required": ["url"], "properties": {
        "url": {"type": "string", "x-secret": true, "description": "where to post; such URLs are secrets"},
        "headers": {"type": "object", "additionalProperties": {"type": "string"}, "description": "further headers"},
        "secret_headers": {"type": "object", "additionalProperties": {"type": "string", "x-secret": true}, "description": "further headers whose values are secrets"},
        "ca_file": {"type": "string", "description": "PEM file of the authority that signed the receiver's certificate"}}}},
    "smtp": {"type": "object", "description": "the mail server", "additionalProperties": false, "required": ["url", "from"], "properties": {
        "url": {"type": "string", "pattern": "^smtps?://", "description": "smtp://mail.example.org:587 or smtps://mail.example.org"},
        "user": {"type": "string", "description": "login name"}, "password": {"type": "string", "x-secret": true, "description": "login password"},
        "from": {"type": "string", "description": "sender's address"},
        "starttls": {"type": "boolean", "default": true, "description": "refuse to go on without TLS; false only for a server on this machine"},
        "ca_file": {"type": "string", "description": "PEM file of the authority that signed the server's certificate"}}}}});

static int notify_open(const struct ft_host *the_host, const json_t *config, void **ret_instance, struct ft_err *reterr)
{
    (void)config;
    (void)ret_instance;
    (void)reterr;
    host = the_host;
    return 0;
}

static const struct ft_action *const actions[] = { &a_webhook, &a_mail, &notify_p1_initial, &notify_p1_update, &notify_p1_resolved, NULL };

FT_EXPORT const struct ft_plugin ft_plugin = {
    FT_PLUGIN_HEADER, .name = "notify", .version = FETTLE_VERSION, .summary = "telling people, by webhook and mail",
    .capabilities = "http", .config_schema = config_schema, .open = notify_open, .actions = actions,
};
