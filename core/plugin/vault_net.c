/* vault_net.c: lends the shared HTTP client to secret/, which knows no network. */
#include "plugin/internal.h"

struct asked {
    struct ft_registry *registry;
    struct ft_http_transfer *transfer;
    void (*answered)(void *to, const struct ft_secret_res *res);
    void *to;
};

static void got(void *arg, const struct ft_http_res *res)
{
    struct asked *asked = arg;
    /* One that broke off in its middle is none, whatever came of it. */
    struct ft_secret_res answer = { .status = res->error ? 0 : res->status, .json = res->error ? NULL : res->json, .class = res->class, .error = res->error };
    void (*answered)(void *to, const struct ft_secret_res *res) = asked->answered;
    void *to = asked->to;
    json_t *parsed = NULL;

    if (!answer.json && answer.status && res->body_len)
        answer.json = parsed = json_loadb(res->body, res->body_len, 0, NULL);
    free(asked);
    answered(to, &answer);
    json_decref(parsed);
}

static int begin(void *arg, const struct ft_secret_req *req, void (*answered)(void *to, const struct ft_secret_res *res), void *to, void **ret, struct ft_err *reterr)
{
    struct asked *asked = ft_calloc(1, sizeof(*asked));
    struct ft_http_header headers[4] = { { "X-Vault-Request", "true" } };
    struct ft_http_req http = {
        .size = sizeof(http), .method = req->method, .url = req->url, .headers = headers, .json = req->body, .ca_file = req->ca_file,
        .flags = FT_HTTP_ANY_STATUS | FT_HTTP_NO_WAIT, .timeout_ms = req->timeout_ms, .connect_timeout_ms = req->timeout_ms, .max_bytes = 1 << 20,
    };
    size_t n = 1;
    int r;

    if (req->token)
        headers[n++] = (struct ft_http_header){ "X-Vault-Token", req->token };
    if (req->space)
        headers[n++] = (struct ft_http_header){ "X-Vault-Namespace", req->space };
    *asked = (struct asked){ .registry = arg, .answered = answered, .to = to };
    r = ft_http_start(registry_http(arg), &http, req->timeout_ms, got, asked, &asked->transfer, reterr);
    if (r < 0)
        free(asked);
    else
        *ret = asked;
    return r;
}

static void cancel(void *arg, void *request)
{
    struct asked *asked = request;

    (void)arg;
    ft_http_cancel(asked->transfer);
    free(asked);
}

void lend_net(struct ft_registry *registry, bool lend)
{
    struct ft_secret_net net = { .arg = registry, .start = begin, .cancel = cancel };

    if (registry->o.secrets && registry->o.loop)
        ft_secrets_lend_net(registry->o.secrets, lend ? &net : NULL);
}
