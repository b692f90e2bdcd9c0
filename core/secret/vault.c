/* vault.c: secrets that lie in HashiCorp Vault, over its HTTP API: KV version 1 and 2, a token or an AppRole login.
 *
 *   fetch ──► token (renewed or logged in anew when its lease is nearly over) ──► GET /v1/PATH for each path that is not fresh ──► done
 *                                                                                   └─ 403 with a login's token: log in again, once
 *
 * What was fetched is kept for `cache` (1 min), never longer than its lease. A value lies in the process only, and the redactor knows it. */
#include "secret/internal.h"

#include <stdio.h>

#include "base/text.h"
#include "data/json.h"

enum { DEFAULT_CACHE_MS = 60000, DEFAULT_TIMEOUT_MS = 5000, MAX_PATHS = 256 };

struct vault {
    char *token;
    bool own_login, renewable;
    uint64_t token_ms, lease_ms;       /* when the token was got, and for how long; 0: not known */
    json_t *cache;                     /* path → {"data", "until", "why"} */
};

struct ft_secret_wait {
    struct ft_secrets *secrets;
    json_t *paths;
    size_t at;
    bool logged_in;                    /* in this wait: once is enough */
    void *request;
    void (*done)(void *arg, const struct ft_err *err);
    void *arg;
};

static void next(struct ft_secret_wait *w);

/* ---- what is written in the configuration and in references */

static const json_t *config_of(const struct ft_secrets *secrets)
{
    return json_object_get(secrets->o.config, "vault");
}

static uint64_t duration_of(const struct ft_secrets *secrets, const char *key, uint64_t otherwise)
{
    const char *text = ft_json_str(config_of(secrets), key);
    uint64_t ms = otherwise;

    return text && ft_duration_parse(text, &ms) == 0 ? ms : otherwise;
}

/* "kv/data/fettle#field": the path, malloced; NULL when it cannot be one. */
static char *path_of(const char *ref)
{
    const char *hash = strrchr(ref, '#');
    size_t len = hash ? (size_t)(hash - ref) : 0;
    char *path;

    if (!hash || len == 0 || len > 1024 || !hash[1] || ref[0] == '/')
        return NULL;
    path = ft_strndup(ref, len);
    for (const char *p = path; *p; p++) {
        if ((unsigned char)*p <= ' ' || strchr("?#%\\\"", *p) || strstr(path, "..")) {
            free(path);
            return NULL;
        }
    }
    return path;
}

static int bad_ref(const char *ref, const char *what, struct ft_err *reterr)
{
    return ft_err_class(reterr, FT_INVALID, -EINVAL, "%s: '%.200s' names no field of a secret in Vault; write it as path#field: kv/data/fettle#mist_token", what, ref);
}

static struct vault *vault_of(struct ft_secrets *secrets)
{
    if (!secrets->vault) {
        secrets->vault = ft_calloc(1, sizeof(*secrets->vault));
        secrets->vault->cache = json_object();
    }
    return secrets->vault;
}

static void drop_token(struct vault *vault)
{
    if (vault->token)
        explicit_bzero(vault->token, strlen(vault->token));
    free(vault->token);
    vault->token = NULL;
}

struct vault *vault_free(struct vault *vault)
{
    if (!vault)
        return NULL;
    drop_token(vault);
    json_decref(vault->cache);
    free(vault);
    return NULL;
}

static const json_t *cached(struct ft_secrets *secrets, const char *path)
{
    const json_t *entry = secrets->vault ? json_object_get(secrets->vault->cache, path) : NULL;

    return entry && (uint64_t)ft_json_int(entry, "until", 0) > secrets_now_ms(secrets) ? entry : NULL;
}

bool vault_is_fresh(struct ft_secrets *secrets, const char *ref)
{
    char *path = path_of(ref);
    bool fresh = !path || cached(secrets, path) != NULL;        /* what is no path is refused when it is read */

    free(path);
    return fresh;
}

int vault_value(struct ft_secrets *secrets, const char *ref, const char *what, char **ret, struct ft_err *reterr)
{
    char *path = path_of(ref);
    const json_t *entry = path ? cached(secrets, path) : NULL;
    const char *field = strrchr(ref, '#'), *value = field ? ft_json_str(json_object_get(entry, "data"), field + 1) : NULL;
    int r = 0;

    if (!path)
        r = bad_ref(ref, what, reterr);
    else if (!ft_json_str(config_of(secrets), "address"))
        r = ft_err_class(reterr, FT_DENIED, -ENOENT, "%s lies in Vault, and the configuration does not say where that is: secrets: {vault: {address: https://…}}", what);
    else if (!entry)
        r = ft_err_class(reterr, FT_DENIED, -EAGAIN, "%s lies in Vault ('%s') and was not fetched: that is only done for calls", what, path);
    else if (!value || !*value)
        r = ft_err_class(reterr, FT_DENIED, -ENOENT, value ? "%s: the secret '%s' in Vault has an empty field '%s'" : "%s: the secret '%s' in Vault has no text field '%s'", what, path,
                         field + 1);
    else
        *ret = ft_strdup(value);
    free(path);
    return r;
}

/* ---- asking */

static void finish(struct ft_secret_wait *w, const struct ft_err *err)
{
    void (*done)(void *arg, const struct ft_err *err) = w->done;
    void *arg = w->arg;

    json_decref(w->paths);
    free(w);
    done(arg, err);
}

__attribute__((format(printf, 4, 5)))
static void fail(struct ft_secret_wait *w, enum ft_class class, int code, const char *fmt, ...)
{
    struct ft_err err = { .code = code, .class = class };
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(err.text, sizeof(err.text), fmt, ap);
    va_end(ap);
    finish(w, &err);
}

static int ask(struct ft_secret_wait *w, const char *method, const char *path, const json_t *body, bool with_token,
               void (*answered)(void *arg, const struct ft_secret_res *res), struct ft_err *reterr)
{
    struct ft_secrets *secrets = w->secrets;
    const json_t *config = config_of(secrets);
    const char *address = ft_json_str(config, "address"), *ca = ft_json_str(config, "ca_file");
    char *url = ft_asprintf("%.*s/v1/%s", (int)strlen(address) - (address[strlen(address) - 1] == '/'), address, path);
    char *ca_file = ca ? secrets_path(secrets, ca) : NULL;
    struct ft_secret_req req = {
        .method = method, .url = url, .token = with_token ? secrets->vault->token : NULL, .space = ft_json_str(config, "namespace"), .body = body, .ca_file = ca_file,
        .timeout_ms = (unsigned)duration_of(secrets, "timeout", DEFAULT_TIMEOUT_MS),
    };
    int r = secrets->net.start(secrets->net.arg, &req, answered, w, &w->request, reterr);

    free(url);
    free(ca_file);
    return r;
}

/* What Vault says itself, " (permission denied)"; "" when it says nothing. */
static const char *said(const struct ft_secret_res *res, char *buf, size_t len)
{
    const char *text = json_string_value(json_array_get(json_object_get(res->json, "errors"), 0));

    snprintf(buf, len, "%s%.160s%s", text ? " (" : "", text ? text : "", text ? ")" : "");
    return buf;
}

/* Every answer but 200, for people. */
static void refused(struct ft_secret_wait *w, const struct ft_secret_res *res, const char *doing)
{
    const char *address = ft_json_str(config_of(w->secrets), "address");
    char why[200];

    said(res, why, sizeof(why));
    switch (res->status) {
    case 0: fail(w, res->class ? res->class : FT_UNREACHABLE, -EIO, "Vault does not answer when asked to %s: %s", doing, res->error ? res->error : address); break;
    case 400: fail(w, FT_DENIED, -EACCES, "Vault at %s refuses to %s%s", address, doing, why); break;
    case 403: fail(w, FT_DENIED, -EACCES, "Vault at %s denies to %s%s: is the token valid, and does its policy allow it?", address, doing, why); break;
    case 404: fail(w, FT_DENIED, -ENOENT, "Vault at %s has nothing there when asked to %s%s: is the path right (KV version 2 has /data/ in it), and its namespace?", address, doing, why); break;
    case 429: case 473: fail(w, FT_REFUSED, -EBUSY, "Vault at %s is a standby or limits its clients: it did not %s%s", address, doing, why); break;
    case 503: fail(w, FT_UNREACHABLE, -EAGAIN, "Vault at %s is sealed or not ready%s: unseal it, then try again", address, why); break;
    default:
        if (res->status >= 300 && res->status < 400)
            fail(w, FT_UNREACHABLE, -EIO, "Vault at %s sends elsewhere (%d): it is a standby; name the active one as `address`", address, res->status);
        else
            fail(w, FT_REFUSED, -EIO, "Vault at %s answers %d when asked to %s%s", address, res->status, doing, why);
    }
}

/* ---- the token */

static void got_login(void *arg, const struct ft_secret_res *res)
{
    struct ft_secret_wait *w = arg;
    struct vault *vault = w->secrets->vault;
    const json_t *auth = json_object_get(res->json, "auth");
    const char *token = ft_json_str(auth, "client_token");

    w->request = NULL;
    if (res->status != 200 || !token) {
        refused(w, res, "log in by AppRole");
        return;
    }
    ft_secret_learn(w->secrets, token);
    drop_token(vault);
    vault->token = ft_strdup(token);
    vault->own_login = true;
    vault->renewable = json_is_true(json_object_get(auth, "renewable"));
    vault->lease_ms = (uint64_t)ft_json_int(auth, "lease_duration", 0) * 1000;
    vault->token_ms = secrets_now_ms(w->secrets);
    next(w);
}

static int log_in(struct ft_secret_wait *w, struct ft_err *reterr)
{
    const json_t *approle = json_object_get(config_of(w->secrets), "approle");
    const char *mount = ft_json_str(approle, "mount");
    char *secret_id = NULL, *path;
    json_t *body;
    int r;

    w->logged_in = true;
    r = ft_secret_read(w->secrets, json_object_get(approle, "secret_id"), "secrets.vault.approle.secret_id", &secret_id, reterr);
    if (r < 0)
        return r;
    path = ft_asprintf("auth/%s/login", mount ? mount : "approle");
    body = json_pack("{s:s, s:s}", "role_id", ft_json_str(approle, "role_id"), "secret_id", secret_id);
    r = ask(w, "POST", path, body, false, got_login, reterr);
    json_decref(body);
    explicit_bzero(secret_id, strlen(secret_id));
    free(secret_id);
    free(path);
    return r;
}

static void got_renewal(void *arg, const struct ft_secret_res *res)
{
    struct ft_secret_wait *w = arg;
    struct vault *vault = w->secrets->vault;
    const json_t *auth = json_object_get(res->json, "auth");

    w->request = NULL;
    if (res->status == 200 && auth) {
        vault->lease_ms = (uint64_t)ft_json_int(auth, "lease_duration", 0) * 1000;
        vault->renewable = json_is_true(json_object_get(auth, "renewable"));
        vault->token_ms = secrets_now_ms(w->secrets);
    } else {
        drop_token(vault);              /* past its longest life: a new login */
    }
    next(w);
}

static bool token_is_old(const struct ft_secrets *secrets)
{
    const struct vault *vault = secrets->vault;

    return vault->own_login && vault->lease_ms && secrets_now_ms(secrets) > vault->token_ms + vault->lease_ms * 2 / 3;
}

/* 1: there is one; 0: it is on its way. */
static int have_token(struct ft_secret_wait *w, struct ft_err *reterr)
{
    struct ft_secrets *secrets = w->secrets;
    struct vault *vault = secrets->vault;
    const json_t *config = config_of(secrets);
    bool over = vault->token && vault->lease_ms && secrets_now_ms(secrets) >= vault->token_ms + vault->lease_ms;

    if (vault->token && token_is_old(secrets) && vault->renewable && !over)
        return ask(w, "POST", "auth/token/renew-self", NULL, true, got_renewal, reterr);
    if (vault->token && !(vault->own_login && over))
        return 1;
    drop_token(vault);
    if (json_object_get(config, "approle"))
        return log_in(w, reterr);
    vault->own_login = false;
    vault->lease_ms = 0;
    return ft_secret_read(secrets, json_object_get(config, "token"), "secrets.vault.token", &vault->token, reterr) < 0 ? -1 : 1;
}

/* ---- the values */

static void learn_all(struct ft_secrets *secrets, const json_t *data)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)data, name, value)
        if (json_is_string(value))
            ft_secret_learn(secrets, json_string_value(value));
}

/* KV version 2 wraps the fields, with the version's metadata beside them; version 1 does not. */
static const json_t *fields_of(const json_t *answer)
{
    const json_t *data = json_object_get(answer, "data"), *meta = json_object_get(data, "metadata");

    return json_is_integer(json_object_get(meta, "version")) ? json_object_get(data, "data") : data;
}

static void got_value(void *arg, const struct ft_secret_res *res)
{
    struct ft_secret_wait *w = arg;
    struct vault *vault = w->secrets->vault;
    const char *path = json_string_value(json_array_get(w->paths, w->at));
    const json_t *data = fields_of(res->json), *meta = json_object_get(json_object_get(res->json, "data"), "metadata");
    uint64_t lease = (uint64_t)ft_json_int(res->json, "lease_duration", 0) * 1000, keep = duration_of(w->secrets, "cache", DEFAULT_CACHE_MS);
    char doing[300];

    w->request = NULL;
    snprintf(doing, sizeof(doing), "read '%.200s'", path);
    if (res->status == 403 && vault->own_login && !w->logged_in) {
        drop_token(vault);
        next(w);
    } else if (res->status == 404 && meta) {
        fail(w, FT_DENIED, -ENOENT, "the secret '%s' in Vault was deleted (version %d): put it back with `vault kv undelete`, or write it anew", path, (int)ft_json_int(meta, "version", 0));
    } else if (res->status != 200) {
        refused(w, res, doing);
    } else if (!json_is_object(data)) {
        fail(w, FT_DENIED, -EBADMSG, "what Vault answers for '%s' is no secret of a KV engine", path);
    } else {
        learn_all(w->secrets, data);
        json_object_set_new(vault->cache, path, json_pack("{s:O, s:I}", "data", data, "until",
                                                          (json_int_t)(secrets_now_ms(w->secrets) + ft_max(lease ? ft_min(lease, keep) : keep, (uint64_t)1000))));
        w->at++;
        next(w);
    }
}

/* The next thing to ask for; finishes where there is none. Called from answers only. */
static int step(struct ft_secret_wait *w, struct ft_err *reterr)
{
    const char *path;
    int r = have_token(w, reterr);

    if (r <= 0)
        return r;
    path = json_string_value(json_array_get(w->paths, w->at));
    return ask(w, "GET", path, NULL, true, got_value, reterr);
}

static void next(struct ft_secret_wait *w)
{
    struct ft_err err = { 0 };

    if (w->at >= json_array_size(w->paths))
        finish(w, NULL);
    else if (step(w, &err) < 0)
        finish(w, &err);
}

/* ---- from outside */

static void collect(struct ft_secrets *secrets, const json_t *value, json_t *paths)
{
    const char *ref = json_is_string(json_object_get(value, "vault")) && ft_secret_is_ref(value) ? ft_json_str(value, "vault") : NULL, *key;
    bool withheld = json_object_get(value, "release") && secrets->release != FT_RELEASED;
    char *path = ref && !withheld ? path_of(ref) : NULL;
    json_t *member;
    size_t i;

    if (path && !cached(secrets, path) && json_array_size(paths) < MAX_PATHS) {
        bool there = false;

        json_array_foreach(paths, i, member)
            there = there || ft_streq(json_string_value(member), path);
        if (!there)
            json_array_append_new(paths, json_string(path));
    }
    free(path);
    if (ref)
        return;
    json_object_foreach((json_t *)value, key, member)
        collect(secrets, member, paths);
    json_array_foreach(value, i, member)
        collect(secrets, member, paths);
}

bool ft_secret_pending(struct ft_secrets *secrets, const json_t *value)
{
    json_t *paths;
    bool pending;

    if (!secrets || !secrets->has_net || !ft_json_str(config_of(secrets), "address"))
        return false;
    paths = json_array();
    collect(secrets, value, paths);
    pending = json_array_size(paths) > 0;
    json_decref(paths);
    return pending;
}

int ft_secret_fetch(struct ft_secrets *secrets, const json_t *value, void (*done)(void *arg, const struct ft_err *err), void *arg, struct ft_secret_wait **ret,
                    struct ft_err *reterr)
{
    struct ft_secret_wait *w = ft_calloc(1, sizeof(*w));
    int r;

    vault_of(secrets);
    w->secrets = secrets;
    w->paths = json_array();
    w->done = done;
    w->arg = arg;
    collect(secrets, value, w->paths);
    r = json_array_size(w->paths) ? step(w, reterr) : ft_err_set(reterr, -EALREADY, "all is there");
    if (r < 0) {
        json_decref(w->paths);
        free(w);
        return r;
    }
    *ret = w;
    return 0;
}

void ft_secret_fetch_cancel(struct ft_secret_wait *w)
{
    if (!w)
        return;
    if (w->request)
        w->secrets->net.cancel(w->secrets->net.arg, w->request);
    json_decref(w->paths);
    free(w);
}
