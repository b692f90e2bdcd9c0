/* teams.c: an Adaptive Card to a Teams channel, by a workflow's webhook ("When a Teams webhook request is received"). The connectors of old are gone. */
#include "notify.h"
#include <stdlib.h>

#define MAX_CARD (27u << 10)       /* bytes; Teams takes about 28 KB */

/* Text runs, because a text block takes _ and * for marks, and device names are full of them. */
static void add_line(json_t *body, const char *line, size_t len, bool title)
{
    json_t *run = json_pack("{s:s, s:s%}", "type", "TextRun", "text", line, len);

    if (title)
        json_object_update_new(run, json_pack("{s:s, s:s}", "weight", "Bolder", "size", "Large"));
    json_array_append_new(body, json_pack("{s:s, s:s, s:[o]}", "type", "RichTextBlock", "spacing", title ? "Default" : "None", "inlines", run));
}

static int build(struct ft_call *call, struct post *post, struct ft_err *reterr)
{
    const char *title = notify_param(call, "title"), *text = notify_param(call, "text"), *url = notify_param(call, "url");
    json_t *body = json_array(), *card = json_pack("{s:s, s:s, s:s, s:{s:s}, s:o}", "$schema", "http://adaptivecards.io/schemas/adaptive-card.json", "type",
                                                   "AdaptiveCard", "version", "1.4", "msteams", "width", "Full", "body", body);
    size_t size;

    if (title)
        add_line(body, title, strlen(title), true);
    while (*text) {
        size_t len = strcspn(text, "\n");

        add_line(body, len ? text : " ", len ?: 1, false);
        text += len + (text[len] == '\n');
    }
    if (url)
        json_object_set_new(card, "actions", json_pack("[{s:s, s:s, s:s}]", "type", "Action.OpenUrl", "title", "Open", "url", url));
    post->body = json_pack("{s:s, s:[{s:s, s:n, s:o}]}", "type", "message", "attachments", "contentType", "application/vnd.microsoft.card.adaptive",
                           "contentUrl", "content", card);
    size = json_dumpb(post->body, NULL, 0, JSON_COMPACT);
    if (size > MAX_CARD)
        return ft_fault(reterr, FT_INVALID, "the message makes a card of %zu bytes, and Teams takes %u: shorten the text", size, MAX_CARD);
    post->summary = host->printf(call, "post a card to Teams, '%s'", notify_param(call, "webhook"));
    return post_to_webhook(call, post, notify_param(call, "webhook"), reterr);
}

static void answered(struct ft_call *call, const struct ft_http_res *res, void *arg)
{
    (void)arg;
    if (res->error)
        post_fail(call, res);
    else
        host->done(call, json_pack("{s:i, s:b}", "status", res->status, "queued", res->status == 202));
}

static int run(struct ft_call *call, struct ft_err *reterr) { return post_run(call, build, answered, reterr); }
static int plan(struct ft_call *call, struct ft_err *reterr) { return post_plan(call, build, reterr); }

static const char params[] = FT_JSON({"type": "object", "additionalProperties": false, "required": ["webhook", "text"], "properties": {
    "webhook": {"type": "string", "description": "the workflow's webhook, by its name in plugins.notify.webhooks"},
    "title": {"type": "string", "minLength": 1, "maxLength": 500, "description": "one line above the text"},
    "text": {"type": "string", "minLength": 1, "maxLength": 20000, "description": "the message, as it is"},
    "url": {"type": "string", "pattern": "^https?://", "description": "a button that opens this: the ticket, the report"}}});

static const char result[] = FT_JSON({"type": "object", "properties": {
    "status": {"type": "integer", "description": "HTTP status"}, "queued": {"type": "boolean", "description": "the workflow took it into its queue (202): whether it shows the card is its business"}}});

const struct ft_action notify_teams = {
    .size = sizeof(notify_teams), .name = "teams", .summary = "post a card to Microsoft Teams",
    .effects = FT_EFFECT_WRITE, .params_schema = params, .result_schema = result, .state_size = sizeof(struct post),
    .run = { .start = run }, .plan = { .start = plan },
    .about = "By the webhook of a workflow (Post to a channel when a webhook request is received). It answers 202: taken, not yet shown. A message cannot be taken back.",
    .example = "run: notify.teams\nwith: {webhook: teams-noc, title: \"${notice.subject}\", text: \"${notice.text}\"}\nundo: none\n",
};
