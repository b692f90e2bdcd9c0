/* slack.c: a message to Slack, by an incoming webhook, or as an app (chat.postMessage): then it has a place (ts), so that later ones can stand in its thread
 * and undo can delete it. Slack answers 200 to what it refuses: {"ok": false, "error": "…"}. */
#include "notify.h"

#define SECTION 2900            /* bytes; Slack takes 3000 characters a section */
#define MAX_SECTIONS 40

/* &, < and > are the only characters that mean something to mrkdwn's parser beyond its marks. */
static const char *escaped(struct ft_call *call, const char *text)
{
    char *safe = host->alloc(call, strlen(text) * 5 + 1), *to = safe;

    for (; *text; text++) {
        const char *as = *text == '&' ? "&amp;" : *text == '<' ? "&lt;" : *text == '>' ? "&gt;" : NULL;

        if (as)
            to = stpcpy(to, as);
        else
            *to++ = *text;
    }
    *to = '\0';
    return safe;
}

/* How much of the text a section takes: to a line end where there is one, never within a character or an escape. */
static size_t piece(const char *text)
{
    size_t n = strlen(text), cut;

    if (n <= SECTION)
        return n;
    for (cut = SECTION; cut > SECTION / 2 && text[cut - 1] != '\n'; cut--)
        ;
    if (text[cut - 1] == '\n')
        return cut;
    for (cut = SECTION; ((unsigned char)text[cut] & 0xc0) == 0x80; cut--)
        ;
    for (size_t i = 1; i < 6; i++) {
        if (text[cut - i] == '&' && !memchr(text + cut - i, ';', i))
            return cut - i;
    }
    return cut;
}

/* A header and sections of plain text: what fits in no blocks is in `text` alone. */
static json_t *blocks_of(const char *title, const char *text)
{
    json_t *blocks = json_array();
    size_t n = 0;

    json_array_append_new(blocks, json_pack("{s:s, s:{s:s, s:s%}}", "type", "header", "text", "type", "plain_text", "text", title,
                                            strlen(title) > 150 ? (size_t)0 : strlen(title)));
    while (*text && n++ < MAX_SECTIONS) {
        size_t len = piece(text);

        json_array_append_new(blocks, json_pack("{s:s, s:{s:s, s:s%}}", "type", "section", "text", "type", "mrkdwn", "text", text, len));
        text += len;
    }
    if (*text || strlen(title) > 150) {
        json_decref(blocks);
        return NULL;
    }
    return blocks;
}

static int build(struct ft_call *call, struct post *post, struct ft_err *reterr)
{
    const json_t *slack = ft_get(host->config(call), "slack"), *params = host->params(call);
    const char *channel = notify_param(call, "channel"), *hook = notify_param(call, "webhook"), *title = notify_param(call, "title"),
               *text = escaped(call, notify_param(call, "text"));
    json_t *blocks = json_object_get(params, "blocks");

    post->body = json_pack("{s:s*, s:s, s:s*}", "channel", channel, "text", title ? host->printf(call, "*%s*\n%s", escaped(call, title), text) : text,
                           "thread_ts", notify_param(call, "thread_ts"));
    blocks = blocks ? json_incref(blocks) : title ? blocks_of(title, text) : NULL;
    if (blocks)
        json_object_set_new(post->body, "blocks", blocks);
    post->summary = host->printf(call, "post a message to Slack, %s", channel ?: hook);
    if (hook)
        return post_to_webhook(call, post, hook, reterr);
    if (!slack)
        return ft_fault(reterr, FT_INVALID, "the configuration names no Slack app: set plugins.notify.slack.token, or give a webhook");
    post->req.url = host->printf(call, "%s/chat.postMessage", notify_base(call, ft_str(slack, "url") ?: "https://slack.com/api"));
    post->req.ca_file = ft_str(slack, "ca_file");
    post->headers[0] = (struct ft_http_header){ "Authorization", host->printf(call, "Bearer %s", ft_str(slack, "token")) };
    return 0;
}

static enum ft_class class_of(const char *error)
{
    static const char *const denied[] = { "invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive", "missing_scope",
                                          "not_in_channel", "no_permission",
                                          "restricted_action", "org_login_required", "ekm_access_denied", "access_denied", NULL };
    static const char *const invalid[] = { "msg_too_long", "no_text", "invalid_blocks", "invalid_arguments", "too_many_attachments", "invalid_json", NULL };

    for (size_t i = 0; denied[i]; i++) {
        if (ft_same(denied[i], error))
            return FT_DENIED;
    }
    for (size_t i = 0; invalid[i]; i++) {
        if (ft_same(invalid[i], error))
            return FT_INVALID;
    }
    return ft_same(error, "channel_not_found") || ft_same(error, "message_not_found") || ft_same(error, "thread_not_found") ? FT_NOT_FOUND : FT_REFUSED;
}

static void kept(struct ft_call *call)
{
    const struct post *post = host->state(call);

    host->done(call, json_pack("{s:s?, s:s?}", "ts", post->kept[0], "channel", post->kept[1]));
}

static void answered(struct ft_call *call, const struct ft_http_res *res, void *arg)
{
    struct post *post = host->state(call);
    struct ft_err err = { 0 };
    json_t *json;

    (void)arg;
    if (res->error) {
        post_fail(call, res);
        return;
    }
    json = json_loadb(res->body ?: "", res->body_len, 0, NULL);
    if (json_is_false(ft_get(json, "ok"))) {
        const char *error = ft_str(json, "error") ?: "it gave no reason";

        host->fail(call, class_of(error), "Slack did not take the message: %s%s%s", error, ft_str(json, "needed") ? ", it needs the scope " : "",
                   ft_str(json, "needed") ?: "");
    } else if (!notify_param(call, "webhook") && (!ft_true(json, "ok") || !ft_str(json, "ts"))) {
        host->fail(call, FT_AMBIGUOUS, "%s answered, but not as Slack does: whether the message was posted is unknown",
                   post->req.url ? "the address of plugins.notify.slack" : "Slack");
    } else {
        post->kept[0] = ft_str(json, "ts") ? host->printf(call, "%s", ft_str(json, "ts")) : NULL;
        post->kept[1] = ft_str(json, "channel") ? host->printf(call, "%s", ft_str(json, "channel")) : NULL;
        if (host->keep(call, json_pack("{s:s?, s:s?}", "ts", post->kept[0], "channel", post->kept[1]), kept, &err) < 0)
            host->fail(call, err.class ?: FT_INVALID, "%s", err.text);
    }
    json_decref(json);
}

static int run(struct ft_call *call, struct ft_err *reterr) { return post_run(call, build, answered, reterr); }
static int plan(struct ft_call *call, struct ft_err *reterr) { return post_plan(call, build, reterr); }

/* ---- Undo: chat.delete ---- */

static void deleted(struct ft_call *call, const struct ft_http_res *res, void *arg)
{
    const char *error = ft_str(res->json, "error");

    (void)arg;
    if (res->error)
        post_fail(call, res);
    else if (ft_true(res->json, "ok") || ft_same(error, "message_not_found"))
        host->done(call, json_pack("{s:b}", "undone", ft_true(res->json, "ok")));
    else
        host->fail(call, class_of(error), "Slack did not delete the message: %s", error ?: "it gave no reason");
}

static int build_delete(struct ft_call *call, struct post *post, struct ft_err *reterr)
{
    const json_t *receipt = host->receipt(call), *slack = ft_get(host->config(call), "slack");

    if (!ft_str(receipt, "ts") || !ft_str(receipt, "channel") || !slack)
        return ft_fault(reterr, FT_INVALID, "a message that went by a webhook cannot be taken back: say undo: none");
    post->body = json_pack("{s:s, s:s}", "channel", ft_str(receipt, "channel"), "ts", ft_str(receipt, "ts"));
    post->req.url = host->printf(call, "%s/chat.delete", notify_base(call, ft_str(slack, "url") ?: "https://slack.com/api"));
    post->req.ca_file = ft_str(slack, "ca_file");
    post->req.flags |= FT_HTTP_JSON;
    post->headers[0] = (struct ft_http_header){ "Authorization", host->printf(call, "Bearer %s", ft_str(slack, "token")) };
    return 0;
}

static int undo(struct ft_call *call, struct ft_err *reterr) { return post_run(call, build_delete, deleted, reterr); }

static const char params[] = FT_JSON({"type": "object", "additionalProperties": false, "required": ["text"],
    "oneOf": [{"required": ["channel"]}, {"required": ["webhook"]}], "properties": {
    "channel": {"type": "string", "minLength": 1, "description": "channel or its id, posted to by the app of plugins.notify.slack; or"},
    "webhook": {"type": "string", "description": "an incoming webhook of plugins.notify.webhooks"},
    "title": {"type": "string", "minLength": 1, "maxLength": 500, "description": "one line above the text"},
    "text": {"type": "string", "minLength": 1, "maxLength": 39000, "description": "the message, as it is: nothing in it is taken for a link or a mention"},
    "thread_ts": {"type": "string", "pattern": "^[0-9]+\\.[0-9]+$", "description": "ts of the message in whose thread this one stands"},
    "blocks": {"type": "array", "maxItems": 50, "items": {"type": "object", "additionalProperties": true}, "description": "Block Kit instead of title and text, which then are the preview"}}});

static const char result[] = FT_JSON({"type": "object", "properties": {
    "ts": {"type": ["string", "null"], "description": "the message's place, for thread_ts; null by a webhook"},
    "channel": {"type": ["string", "null"], "description": "id of the channel; null by a webhook"}}});

const struct ft_action notify_slack = {
    .size = sizeof(notify_slack), .name = "slack", .summary = "post a message to Slack",
    .effects = FT_EFFECT_WRITE, .params_schema = params, .result_schema = result, .state_size = sizeof(struct post),
    .run = { .start = run }, .plan = { .start = plan }, .undo = { .start = undo },
    .about = "As an app (channel) the message has a ts: later ones can stand in its thread, and undo deletes it, though people may have read it. By a webhook neither can be.",
    .example = "run: notify.slack\nwith: {channel: C024BE91L, title: \"${notice.subject}\", text: \"${notice.text}\"}\nundo: none\n",
};
