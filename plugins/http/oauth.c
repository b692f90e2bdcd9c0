/* oauth.c: tokens by OAuth 2 client credentials (RFC 6749 §4.4), kept for the life of the process until shortly before they end. */
#include <string.h>
#include "http.h"

#define EARLY_MS 30000            /* a token that ends while it travels is of no use */

static void send_now(struct ft_call *call)
{
    struct exchange *st = host->state(call);
    struct ft_err err = { 0 };

    if (host->http(call, &st->q.req, http_answered, NULL, &err) < 0)
        http_fail(call, err.class ? err.class : FT_INVALID, "%s", err.text);
}

static const char *api_name(struct ft_call *call)
{
    return ft_str(host->params(call), "api");
}

static const char *kept_token(struct ft_call *call)
{
    const struct http_instance *instance = host->instance(call);
    const json_t *kept = ft_get(instance->tokens, api_name(call));

    return kept && (uint64_t)ft_int(kept, "until_ms") > host->wall_ms(call) ? ft_str(kept, "token") : NULL;
}

static void keep_token(struct ft_call *call, const char *token, double seconds)
{
    struct http_instance *instance = host->instance(call);
    uint64_t ms = seconds > 0 && seconds < 1e6 ? (uint64_t)(seconds * 1000) : 300000;

    if (ms > EARLY_MS)
        json_object_set_new(instance->tokens, api_name(call), json_pack("{s:s, s:I}", "token", token, "until_ms", (json_int_t)(host->wall_ms(call) + ms - EARLY_MS)));
}

static void token_came(struct ft_call *call, const struct ft_http_res *res, void *arg)
{
    struct exchange *st = host->state(call);
    const char *token = ft_str(res->json, "access_token"), *type = ft_str(res->json, "token_type"), *why = ft_str(res->json, "error");

    (void)arg;
    if (res->error) {
        bool refused = res->status == 400 || res->status == 401;

        http_fail(call, refused ? FT_DENIED : res->class == FT_AMBIGUOUS ? FT_UNREACHABLE : res->class, "no token for the API '%s': %s%s%s", api_name(call), res->error,
                  why ? ": " : "", why ? why : "");
        return;
    }
    if (!token || !*token || strpbrk(token, " \r\n")) {
        http_fail(call, FT_INVALID, "no token for the API '%s': the answer has no access_token", api_name(call));
        return;
    }
    if (type && strcasecmp(type, "bearer") != 0) {
        http_fail(call, FT_INVALID, "the token for the API '%s' is of the type '%.40s', and only Bearer is known", api_name(call), type);
        return;
    }
    host->redact(call, token);
    keep_token(call, token, ft_num(res->json, "expires_in"));
    http_authorise(call, &st->q, "Bearer", token);
    send_now(call);
}

static void fetch_token(struct ft_call *call)
{
    const json_t *api = http_api(call), *oauth = ft_get(api, "oauth2");
    const char *id = ft_str(oauth, "client_id"), *secret = ft_str(oauth, "client_secret"), *scope = ft_str(oauth, "scope"), *audience = ft_str(oauth, "audience");
    bool in_body = ft_same(ft_str(oauth, "send_as"), "body");
    const char *body = "grant_type=client_credentials";
    const struct ft_http_header headers[] = { { "Content-Type", "application/x-www-form-urlencoded" }, { "Accept", "application/json" }, { NULL, NULL } };
    struct ft_err err = { 0 };
    struct ft_http_req req = { .size = sizeof(req), .method = "POST", .url = ft_str(oauth, "token_url"), .headers = headers, .flags = FT_HTTP_JSON,
                               .ca_file = ft_str(api, "ca_file"), .cert_file = ft_str(api, "cert_file"), .key_file = ft_str(api, "key_file") };

    if (scope)
        body = host->printf(call, "%s&scope=%s", body, host->url_escape(call, scope));
    if (audience)
        body = host->printf(call, "%s&audience=%s", body, host->url_escape(call, audience));
    if (in_body)
        body = host->printf(call, "%s&client_id=%s&client_secret=%s", body, host->url_escape(call, id), host->url_escape(call, secret));
    req.user = in_body ? NULL : id;
    req.password = in_body ? NULL : secret;
    req.body = body;
    req.body_len = strlen(body);
    if (json_is_false(ft_get(api, "tls_verify")))
        req.flags |= FT_HTTP_NO_VERIFY;
    if (host->http(call, &req, token_came, NULL, &err) < 0)
        http_fail(call, err.class ? err.class : FT_INVALID, "%s", err.text);
}

void http_send(struct ft_call *call)
{
    struct exchange *st = host->state(call);
    const char *token;

    if (!ft_get(http_api(call), "oauth2")) {
        send_now(call);
        return;
    }
    token = kept_token(call);
    st->token_is_old = token != NULL;
    if (!token) {
        fetch_token(call);
        return;
    }
    http_authorise(call, &st->q, "Bearer", token);
    send_now(call);
}

/* A 401 means that nothing was done, so also a write may be asked again. */
bool http_new_token(struct ft_call *call, const struct ft_http_res *res)
{
    struct exchange *st = host->state(call);
    struct http_instance *instance = host->instance(call);

    if (res->status != 401 || !st->token_is_old || st->asked_again)
        return false;
    st->asked_again = true;
    json_object_del(instance->tokens, api_name(call));
    fetch_token(call);
    return true;
}
