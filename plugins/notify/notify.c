/* notify.c: telling people and their machines: the plugin as fettle sees it, and what its parts share.
 *
 * Most of what is sent cannot be taken back, and nobody can ask afterwards whether it came: then there is neither undo nor probe. Where there is a key
 * (PagerDuty, Alertmanager) or a message has a place of its own (Slack with a token), there is. */
#include "notify.h"
#include <stdlib.h>
#include <time.h>

const struct ft_host *host;

const char *notify_param(struct ft_call *call, const char *key) { return ft_str(host->params(call), key); }

const char *notify_base(struct ft_call *call, const char *url)
{
    size_t len = strlen(url);

    while (len && url[len - 1] == '/')
        len--;
    return host->printf(call, "%.*s", (int)len, url);
}

const char *notify_stamp(struct ft_call *call, uint64_t wall_ms)
{
    time_t t = (time_t)(wall_ms / 1000);
    struct tm tm = { 0 };
    char text[40];

    gmtime_r(&t, &tm);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
    return host->printf(call, "%s.%03uZ", text, (unsigned)(wall_ms % 1000));
}

uint64_t notify_hash(const char *const *texts, size_t n)
{
    uint64_t hash = 14695981039346656037u;

    for (size_t i = 0; i < n; i++) {
        for (const char *p = texts[i] ?: ""; *p; p++)
            hash = (hash ^ (unsigned char)*p) * 1099511628211u;
    }
    return hash;
}

/* ---- Requests with JSON ---- */

static void post_free(struct post *post)
{
    json_decref(post->body);
    free(post->raw);
    post->body = NULL;
    post->raw = NULL;
}

static int post_make(struct ft_call *call, struct post *post, post_build_fn *build, struct ft_err *reterr)
{
    post->req = (struct ft_http_req){ .size = sizeof(post->req), .method = "POST", .headers = post->headers, .flags = FT_HTTP_WRITE };
    return build(call, post, reterr);
}

int post_run(struct ft_call *call, post_build_fn *build, ft_http_cb *answered, struct ft_err *reterr)
{
    struct post *post = host->state(call);
    int r = post_make(call, post, build, reterr);

    json_decref(post->receipt);
    post->receipt = NULL;
    if (r == 0) {
        post->req.json = post->raw ? NULL : post->body;
        r = host->http(call, &post->req, answered, NULL, reterr);
    }
    post_free(post);
    return r;
}

int post_plan(struct ft_call *call, post_build_fn *build, struct ft_err *reterr)
{
    struct post *post = host->state(call);
    int r = post_make(call, post, build, reterr);

    if (r == 0) {
        post->req.json = post->raw ? NULL : post->body;
        host->done(call, json_pack("{s:s, s:[o], s:o*}", "summary", post->summary, "requests", host->http_render(call, &post->req), "receipt", post->receipt));
    } else {
        json_decref(post->receipt);
    }
    post->receipt = NULL;
    post_free(post);
    return r;
}

void post_fail(struct ft_call *call, const struct ft_http_res *res)
{
    host->fail(call, res->class, "%s%s%.200s", res->error, res->body_len ? ": " : "", res->body_len ? res->body : "");
}

/* ---- Webhooks of the configuration ---- */

static int add_headers(struct post *post, const json_t *headers, struct ft_err *reterr)
{
    const char *name;
    json_t *value;
    size_t n = 0;

    while (post->headers[n].name)
        n++;
    json_object_foreach((json_t *)headers, name, value) {
        if (n == NOTIFY_MAX_HEADERS - 2 || strpbrk(name, ": \r\n") || strpbrk(json_string_value(value), "\r\n"))
            return ft_fault(reterr, FT_INVALID, "header '%s' of the webhook is one too many, or has a line break in it", name);
        post->headers[n++] = (struct ft_http_header){ name, json_string_value(value) };
    }
    return 0;
}

int post_to_webhook(struct ft_call *call, struct post *post, const char *name, struct ft_err *reterr)
{
    const json_t *hook = ft_get(ft_get(host->config(call), "webhooks"), name);
    int r;

    if (!hook)
        return ft_fault(reterr, FT_NOT_FOUND, "no webhook '%s' in the configuration: add plugins.notify.webhooks.%s with its url", name, name);
    post->req.url = ft_str(hook, "url");
    post->req.ca_file = ft_str(hook, "ca_file");
    r = add_headers(post, ft_get(hook, "headers"), reterr);
    return r < 0 ? r : add_headers(post, ft_get(hook, "secret_headers"), reterr);
}

/* ---- Description ---- */

static const char config_schema[] = NOTIFY_OBJECT("", 
    FT_JSON("webhooks": {"type": "object", "description": "webhooks by name", "additionalProperties": {"type": "object", "additionalProperties": false, "required": ["url"], "properties": {
        "url": {"type": "string", "x-secret": true, "description": "where to post; such URLs are secrets"},
        "headers": {"type": "object", "additionalProperties": {"type": "string"}, "description": "further headers"},
        "secret_headers": {"type": "object", "additionalProperties": {"type": "string", "x-secret": true}, "description": "further headers whose values are secrets"},
        "signing_key": {"type": "string", "x-secret": true, "description": "the body is signed with this: HMAC-SHA256"},
        "signature_header": {"type": "string", "pattern": "^[A-Za-z0-9-]+$", "default": "X-Hub-Signature-256", "description": "header of the signature, sha256=<hex>"},
        "ca_file": {"type": "string", "description": "PEM file of the authority that signed the receiver's certificate"}}}},
    "smtp": {"type": "object", "description": "the mail server", "additionalProperties": false, "required": ["url", "from"], "properties": {
        "url": {"type": "string", "pattern": "^smtps?://", "description": "smtp://mail.example.org:587 or smtps://mail.example.org"},
        "user": {"type": "string", "description": "login name"}, "password": {"type": "string", "x-secret": true, "description": "login password"},
        "from": {"type": "string", "description": "sender's address"},
        "starttls": {"type": "boolean", "default": true, "description": "refuse to go on without TLS; false only for a server on this machine"},
        "ca_file": {"type": "string", "description": "PEM file of the authority that signed the server's certificate"}}},
    "slack": {"type": "object", "description": "Slack, as an app", "additionalProperties": false, "required": ["token"], "properties": {
        "token": {"type": "string", "x-secret": true, "description": "bot token, xoxb-…, with the scope chat:write"},
        "url": {"type": "string", "pattern": "^https?://", "default": "https://slack.com/api", "description": "address of its API"}, "ca_file": {"type": "string", "description": "PEM file of an authority"}}},
    "pagerduty": {"type": "object", "description": "PagerDuty, Events API v2", "additionalProperties": false, "required": ["routing_key"], "properties": {
        "routing_key": {"type": "string", "x-secret": true, "description": "integration key of the service"},
        "url": {"type": "string", "pattern": "^https?://", "default": "https://events.pagerduty.com", "description": "its address; https://events.eu.pagerduty.com in Europe"},
        "ca_file": {"type": "string", "description": "PEM file of an authority"}}},
    "alertmanager": {"type": "object", "description": "Prometheus Alertmanager", "additionalProperties": false, "required": ["url"], "properties": {
        "url": {"type": "string", "pattern": "^https?://", "description": "its address, http://alertmanager.example:9093"},
        "user": {"type": "string", "description": "user of HTTP Basic, where a proxy asks for one"}, "password": {"type": "string", "x-secret": true, "description": "its password"},
        "token": {"type": "string", "x-secret": true, "description": "bearer token, where a proxy asks for one"}, "ca_file": {"type": "string", "description": "PEM file of an authority"}}},
    "syslog": {"type": "object", "description": "the SIEM or log server", "additionalProperties": false, "required": ["host"], "properties": {
        "host": {"type": "string", "description": "its name or address"}, "port": {"type": "integer", "minimum": 1, "maximum": 65535, "description": "6514 with TLS, else 514, when left out"},
        "transport": {"enum": ["tls", "tcp", "udp"], "default": "tls", "description": "RFC 5425, RFC 6587 with octet counting, RFC 5426"},
        "facility": {"enum": ["user", "daemon", "auth", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"], "default": "local0", "description": "facility of the messages"},
        "hostname": {"type": "string", "pattern": "^[!-~]{1,255}$", "description": "who we are in the messages; this machine's name when left out"},
        "enterprise": {"type": "integer", "minimum": 1, "default": 32473, "description": "private enterprise number of the structured data; 32473 is the one for examples"},
        "server_name": {"type": "string", "description": "whom the server's certificate must name; host when left out"},
        "ca_file": {"type": "string", "description": "PEM file of the authority that signed the server's certificate"},
        "cert_file": {"type": "string", "description": "PEM, our own certificate where the server asks for one"}, "key_file": {"type": "string", "description": "PEM, its key"}}}));

static int notify_open(const struct ft_host *the_host, const json_t *config, void **ret_instance, struct ft_err *reterr)
{
    (void)config;
    (void)ret_instance;
    (void)reterr;
    host = the_host;
    return 0;
}

static const struct ft_action *const actions[] = {
    &notify_webhook, &notify_slack, &notify_teams, &notify_pagerduty_trigger, &notify_pagerduty_acknowledge, &notify_pagerduty_resolve, &notify_mail, &notify_syslog,
    &notify_alertmanager_alert, &notify_alertmanager_alerts, &notify_silence, &notify_silence_expire, &notify_p1_initial, &notify_p1_update, &notify_p1_resolved, NULL,
};

FT_EXPORT const struct ft_plugin ft_plugin = {
    FT_PLUGIN_HEADER, .name = "notify", .version = FETTLE_VERSION, .summary = "telling people and their machines: chat, mail, pager, SIEM",
    .capabilities = "http tcp udp file", .config_schema = config_schema, .open = notify_open, .actions = actions,
};
