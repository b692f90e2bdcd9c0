/* webhook.c: any JSON to any webhook, signed where the receiver wants to know from whom it is. */
#include "notify.h"
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

/* sha256=<hex> over the body as it is sent. */
static int sign(struct ft_call *call, struct post *post, const json_t *hook, struct ft_err *reterr)
{
    const char *key = ft_str(hook, "signing_key");
    unsigned char mac[EVP_MAX_MD_SIZE];
    char hex[2 * EVP_MAX_MD_SIZE + 1] = "";
    unsigned len = 0;
    size_t n = 0;

    post->raw = json_dumps(post->body, JSON_COMPACT);
    if (!post->raw || !HMAC(EVP_sha256(), key, (int)strlen(key), (const unsigned char *)post->raw, strlen(post->raw), mac, &len))
        return ft_fault(reterr, FT_INVALID, "the message could not be signed");
    for (unsigned i = 0; i < len; i++)
        snprintf(hex + 2 * i, 3, "%02x", mac[i]);
    while (post->headers[n].name)
        n++;
    post->headers[n++] = (struct ft_http_header){ "Content-Type", "application/json" };
    post->headers[n] = (struct ft_http_header){ ft_str(hook, "signature_header") ?: "X-Hub-Signature-256", host->printf(call, "sha256=%s", hex) };
    post->req.body = post->raw;
    post->req.body_len = strlen(post->raw);
    return 0;
}

static int build(struct ft_call *call, struct post *post, struct ft_err *reterr)
{
    const char *name = notify_param(call, "webhook");
    const json_t *hook = ft_get(ft_get(host->config(call), "webhooks"), name);
    json_t *json = json_object_get(host->params(call), "json");
    int r = post_to_webhook(call, post, name, reterr);

    if (r < 0)
        return r;
    post->summary = host->printf(call, "post a message to '%s'", name);
    post->body = json ? json_incref(json) : json_pack("{s:s}", "text", notify_param(call, "text"));
    return ft_str(hook, "signing_key") ? sign(call, post, hook, reterr) : 0;
}

static void answered(struct ft_call *call, const struct ft_http_res *res, void *arg)
{
    json_t *json, *answer;

    (void)arg;
    if (res->error) {
        post_fail(call, res);
        return;
    }
    /* Chat systems answer 200 to what they refuse: {"ok": false, "error": "channel_not_found"}. */
    json = json_loadb(res->body ?: "", res->body_len, 0, NULL);
    if (json_is_false(ft_get(json, "ok"))) {
        host->fail(call, FT_REFUSED, "the webhook '%s' answered that it did not take the message: %s", notify_param(call, "webhook"),
                   ft_str(json, "error") ?: "it gave no reason");
        json_decref(json);
        return;
    }
    json_decref(json);
    answer = json_stringn(res->body ?: "", res->body_len < 1000 ? res->body_len : 1000);
    host->done(call, json_pack("{s:i, s:b, s:o}", "status", res->status, "queued", res->status == 202, "answer", answer ?: json_string("")));
}

static int run(struct ft_call *call, struct ft_err *reterr) { return post_run(call, build, answered, reterr); }
static int plan(struct ft_call *call, struct ft_err *reterr) { return post_plan(call, build, reterr); }

static const char params[] = FT_JSON({"type": "object", "additionalProperties": false, "required": ["webhook"],
    "oneOf": [{"required": ["text"]}, {"required": ["json"]}], "properties": {
    "webhook": {"type": "string", "description": "its name in the configuration (plugins.notify.webhooks)"},
    "text": {"type": "string", "minLength": 1, "maxLength": 20000, "description": "the message; sent as {\"text\": …}, which Slack, Mattermost and others take"},
    "json": {"type": "object", "additionalProperties": true, "description": "the whole body, where the receiver wants another shape"}}});

static const char result[] = FT_JSON({"type": "object", "properties": {
    "status": {"type": "integer", "description": "HTTP status"},
    "queued": {"type": "boolean", "description": "the receiver only took it into a queue (202)"},
    "answer": {"type": "string", "description": "the first 1000 bytes of the answer"}}});

const struct ft_action notify_webhook = {
    .size = sizeof(notify_webhook), .name = "webhook", .summary = "post a message to a webhook",
    .effects = FT_EFFECT_WRITE, .params_schema = params, .result_schema = result, .state_size = sizeof(struct post),
    .run = { .start = run }, .plan = { .start = plan },
    .about = "A message cannot be taken back: say `undo: none`. When the answer is lost the step is `ambiguous` and is not sent again by itself. "
             "With a signing_key in the configuration the body is signed (HMAC-SHA256), as GitHub's and many other webhooks are.",
    .example = "run: notify.webhook\nwith: {webhook: noc, text: \"AP-3F-12 was restarted\"}\nundo: none\n",
};
