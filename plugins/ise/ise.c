/* ise.c: the Cisco ISE plugin: what it offers, its configuration, and the life of a call. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "ise.h"

const struct ft_host *host;

/* ---- the life of a call */

int ise_start(struct ft_call *call, enum ise_mode mode, ise_next *first)
{
    struct ise_call *st = ise_state(call);

    st->mode = mode;
    st->write.users = -1;
    first(call);                     /* ends the call itself, also when it fails */
    return 0;
}

void ise_drop(struct ft_call *call)
{
    struct ise_call *st = ise_state(call);

    json_decref(st->held);
    st->held = NULL;
}

void ise_done(struct ft_call *call, json_t *result)
{
    ise_drop(call);
    host->done(call, result);
}

void ise_fail(struct ft_call *call, enum ft_class class, const char *fmt, ...)
{
    char text[900];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);       /* before the drop: the arguments may lie in what is held */
    va_end(ap);
    ise_drop(call);
    host->fail(call, class, "%s", text);
}

json_t *ise_hold(struct ft_call *call, json_t *value)
{
    struct ise_call *st = ise_state(call);

    if (!st->held)
        st->held = json_array();
    if (value)
        json_array_append_new(st->held, value);
    return value;
}

const json_t *ise_receipt(struct ft_call *call)
{
    const json_t *receipt = host->receipt(call);

    if (!json_is_object(receipt)) {
        ise_fail(call, FT_INVALID, "the journal holds no receipt of this step, so there is nothing to go by");
        return NULL;
    }
    return receipt;
}

/* ---- a write */

static json_t *write_result(const struct ise_write *w, bool changed)
{
    json_t *result = w->result ? json_copy(w->result) : json_object();

    json_object_set_new(result, "changed", json_boolean(changed));
    return result;
}

void ise_write_done(struct ft_call *call, bool changed)
{
    ise_done(call, write_result(&ise_state(call)->write, changed));
}

json_t *ise_left(struct ft_call *call, const char *key, json_t *object, const json_t *sets)
{
    struct ise_write *w = &ise_state(call)->write;
    const json_t *left;
    json_t *will, *all;

    if (ise_state(call)->mode != ISE_PLAN || host->abi_minor < 3)
        return object;
    left = host->left(call, key);
    all = left ? json_copy((json_t *)left) : json_object();
    will = left || object ? ise_hold(call, object ? json_copy(object) : json_object()) : NULL;
    if (will)
        json_object_update(will, all);
    json_object_update(all, (json_t *)sets);
    w->leaves = ise_hold(call, json_pack("{s:o}", key, all));
    return will;
}

static void end_plan(struct ft_call *call)
{
    struct ise_write *w = &ise_state(call)->write;
    json_t *plan = json_pack("{s:s, s:[], s:O*, s:O*, s:O*}", "summary", w->summary, "requests",
                             "before", w->before, "changes", w->changes, "receipt", w->receipt);

    if (w->leaves)
        json_object_set_new(plan, "leaves", w->nothing_to_do ? json_object() : json_incref(w->leaves));
    if (w->blurs && !w->nothing_to_do)
        json_object_set_new(plan, "blurs", json_pack("[s]", w->blurs));
    if (w->nothing_to_do) {
        json_object_set_new(plan, "nothing_to_do", json_true());
        json_object_set_new(plan, "result", write_result(w, false));
    } else {
        struct ft_http_req req = ise_request(call, w->api, w->method, w->url, w->body, FT_HTTP_WRITE);

        json_array_append_new(json_object_get(plan, "requests"), host->http_render(call, &req));
        if (w->users >= 0)
            json_object_set_new(plan, "users", json_integer(w->users));
    }
    ise_done(call, plan);
}

static void write_sent(struct ft_call *call, json_t *answer)
{
    struct ise_write *w = &ise_state(call)->write;

    if (w->sent)
        w->sent(call, answer);
    else
        ise_write_done(call, true);
}

static void send_write(struct ft_call *call)
{
    struct ise_write *w = &ise_state(call)->write;

    ise_send(call, w->api, w->method, w->url, w->body, write_sent);
}

void ise_write_ready(struct ft_call *call)
{
    struct ise_call *st = ise_state(call);
    struct ise_write *w = &st->write;
    struct ft_err err = { 0 };

    if (st->mode == ISE_PLAN) {
        end_plan(call);
    } else if (w->nothing_to_do) {
        ise_write_done(call, false);
    } else if (st->mode == ISE_RUN && w->receipt && !host->receipt(call)) {      /* the plan's receipt is in the journal already */
        if (host->keep(call, json_incref(w->receipt), send_write, &err) < 0)
            ise_fail(call, err.class ? err.class : FT_REFUSED, "%s", err.text);
    } else {
        send_write(call);
    }
}

/* ---- the plugin */

static const char config_schema[] = JSON({
    "type": "object", "additionalProperties": false, "required": ["url", "user", "password"],
    "properties": {
        "url": {"type": "string", "pattern": "^https?://[^/?#]+/*$",
            "description": "the monitoring (MnT) node, such as https://ise-1.example; ERS is asked there as well unless ers_url is given"},
        "ers_url": {"type": "string", "pattern": "^https?://[^/?#]+/*$",
            "description": "the node that answers ERS (the primary administration node), such as https://ise-1.example:9060"},
        "api_url": {"type": "string", "pattern": "^https?://[^/?#]+/*$",
            "description": "the node that answers the OpenAPI (the primary administration node), such as https://ise-1.example; url when left out"},
        "user": {"type": "string", "minLength": 1, "description": "administrator with the roles that the plugin's README names"},
        "password": {"type": "string", "x-secret": true, "minLength": 1, "description": "password of that administrator"},
        "ca_file": {"type": "string", "description": "PEM file of the certificate authority; the system's when left out"},
        "verify": {"type": "boolean", "default": true, "description": "check ISE's certificate; false is for laboratories"},
        "csrf": {"type": "boolean", "default": false, "description": "ISE demands CSRF tokens for ERS (Use CSRF check)"},
        "anc_body": {"type": "string", "enum": ["operation", "endpoint"], "default": "operation",
            "description": "shape of ANC requests: OperationAdditionalData, or ErsAncEndpoint where a release refuses the first"},
        "requests_per_hour": {"type": "integer", "minimum": 1, "default": 36000, "description": "at most so many requests an hour"}
    }
});

static char *text_of(const json_t *config, const char *key)
{
    const char *text = json_string_value(json_object_get(config, key));

    return text ? strdup(text) : NULL;
}

static char *base(const json_t *config, const char *key, const char *path)
{
    const char *url = json_string_value(json_object_get(config, key));
    size_t len = url ? strlen(url) : 0;
    char *text = NULL;

    while (len && url[len - 1] == '/')
        len--;
    return url && asprintf(&text, "%.*s%s", (int)len, url, path) >= 0 ? text : NULL;
}

static void ise_close(void *instance)
{
    struct ise *ise = instance;

    json_decref(ise->reasons);
    free(ise->mnt);
    free(ise->ers);
    free(ise->open);
    free(ise->user);
    free(ise->password);
    free(ise->ca_file);
    free(ise->budget);
    free(ise);
}

static int ise_open(const struct ft_host *ft, const json_t *config, void **ret_instance, struct ft_err *reterr)
{
    const json_t *per_hour = json_object_get(config, "requests_per_hour");
    const char *anc = json_string_value(json_object_get(config, "anc_body"));
    struct ise *ise;

    host = ft;
    if (!json_string_value(json_object_get(config, "url")))
        return ft_err_set(reterr, -EINVAL, "plugins.ise.url is missing: the address of ISE's monitoring node, such as https://ise-1.example");
    if (!json_string_value(json_object_get(config, "user")) || !json_string_value(json_object_get(config, "password")))
        return ft_err_set(reterr, -EINVAL, "plugins.ise.user and plugins.ise.password are missing");
    ise = calloc(1, sizeof(*ise));
    if (!ise)
        return ft_err_set(reterr, -ENOMEM, "out of memory");
    ise->mnt = base(config, "url", "/admin/API/mnt");
    ise->ers = base(config, json_object_get(config, "ers_url") ? "ers_url" : "url", "/ers/config");
    ise->open = base(config, json_object_get(config, "api_url") ? "api_url" : "url", "/api/v1");
    ise->user = text_of(config, "user");
    ise->password = text_of(config, "password");
    ise->ca_file = text_of(config, "ca_file");
    ise->per_hour = per_hour ? (unsigned)json_integer_value(per_hour) : 36000;
    ise->no_verify = json_is_false(json_object_get(config, "verify"));
    ise->csrf = json_is_true(json_object_get(config, "csrf"));
    ise->anc_endpoint_body = anc && strcmp(anc, "endpoint") == 0;
    if (asprintf(&ise->budget, "ise/%s", json_string_value(json_object_get(config, "url"))) < 0)
        ise->budget = NULL;
    if (!ise->mnt || !ise->ers || !ise->open || !ise->user || !ise->password || !ise->budget) {
        ise_close(ise);
        return ft_err_set(reterr, -ENOMEM, "out of memory");
    }
    if (ise->no_verify)
        host->log(NULL, FT_LOG_WARN, "plugins.ise.verify is false: the certificate of ISE is not checked, its password can be stolen");
    *ret_instance = ise;
    return 0;
}

static const struct ft_action *const actions[] = {
    &ise_session, &ise_sessions, &ise_auth_status, &ise_auth_attempts, &ise_failure_reason, &ise_failure_reasons, &ise_active_count, &ise_session_counts,
    &ise_session_delete, &ise_coa_reauth, &ise_coa_disconnect,
    &ise_endpoint, &ise_endpoints, &ise_endpoint_create, &ise_endpoint_update, &ise_endpoint_move_group, &ise_endpoint_delete,
    &ise_rejected_endpoints, &ise_endpoint_release, &ise_endpoint_groups, &ise_endpoint_group_create, &ise_endpoint_group_delete,
    &ise_anc_status, &ise_anc_apply, &ise_anc_clear, &ise_anc_policies, &ise_anc_endpoints,
    &ise_network_devices, &ise_network_device, &ise_network_device_create, &ise_network_device_update, &ise_network_device_delete, &ise_network_device_groups,
    &ise_internal_user, &ise_internal_users, &ise_internal_user_enable, &ise_internal_user_disable, &ise_internal_user_password, &ise_identity_groups,
    &ise_certificates, &ise_node_status, &ise_nodes,
    NULL,
};

FT_EXPORT const struct ft_plugin ft_plugin = {
    FT_PLUGIN_HEADER,
    .name = "ise", .version = "0.1.0",
    .summary = "Cisco ISE: why an authentication failed, sessions, endpoints, quarantine, change of authorization",
    .capabilities = "http",
    .config_schema = config_schema,
    .open = ise_open, .close = ise_close,
    .actions = actions,
};
