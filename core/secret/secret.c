/* Where secrets come from. What a secret looks like once it is written elsewhere is redact.c's business. */
#include "secret/secret.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "secret/redact.h"

#define MAX_SECRET 65536

struct ft_secrets { struct ft_redactor redactor; };

static struct ft_secrets *logged;      /* whose secrets the log leaves out */

static char *redact_line(const char *line)
{
    return ft_secret_redact(logged, line);
}

struct ft_secrets *ft_secrets_new(void)
{
    struct ft_secrets *secrets = ft_calloc(1, sizeof(*secrets));

    logged = secrets;
    ft_log_set_redactor(redact_line);
    return secrets;
}

struct ft_secrets *ft_secrets_free(struct ft_secrets *secrets)
{
    if (!secrets)
        return NULL;
    if (logged == secrets) {
        logged = NULL;
        ft_log_set_redactor(NULL);
    }
    ft_redactor_done(&secrets->redactor);
    free(secrets);
    return NULL;
}

/* {"env": …} or {"file": …}, below "$secret" where there is one; NULL when the value is neither. */
static const json_t *reference(const json_t *value)
{
    const json_t *inner = json_object_get(value, "$secret");

    if (json_object_size(value) != 1)
        return NULL;
    if (inner)
        return json_object_get(inner, "$secret") ? NULL : reference(inner);
    return json_is_string(json_object_get(value, "env")) || json_is_string(json_object_get(value, "file")) ? value : NULL;
}

bool ft_secret_is_ref(const json_t *value)
{
    return reference(value) != NULL;
}

static int from_env(const char *name, const char *what, char **ret, struct ft_err *reterr)
{
    const char *value = getenv(name);

    if (!value || !*value)
        return ft_err_class(reterr, FT_DENIED, -ENOENT, "%s: the environment variable %s is %s; set it before fettle starts", what, name,
                            value ? "empty" : "not set");
    *ret = ft_strdup(value);
    return 0;
}

/* The first line without its end; -ENODATA for an empty one. Wiped, as it may hold more secrets. */
static int first_line(int fd, char **ret)
{
    char *text = ft_calloc(1, MAX_SECRET + 1);
    ssize_t n = 0, got = 0;
    int r = 0;

    while (got < MAX_SECRET && (n = read(fd, text + got, (size_t)(MAX_SECRET - got))) > 0)
        got += n;
    if (n < 0)
        r = -errno;
    else if (got == MAX_SECRET && !memchr(text, '\n', MAX_SECRET))
        r = -EFBIG;
    text[strcspn(text, "\r\n")] = '\0';
    if (r == 0 && !*text)
        r = -ENODATA;
    if (r == 0)
        *ret = ft_strdup(text);
    explicit_bzero(text, MAX_SECRET);
    free(text);
    return r;
}

static int from_file(const char *path, const char *what, char **ret, struct ft_err *reterr)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), r;
    struct stat st;

    if (fd < 0)
        return ft_err_class(reterr, FT_DENIED, errno == ENOENT ? -ENOENT : -EACCES,
                            "%s: cannot read the secret file '%s': %s; put the secret in its first line", what, path, strerror(errno));
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & S_IRWXO))
        ft_log(FT_LOG_WARN, "%s: the secret file '%s' can be read by everybody on this machine; chmod o= '%s'", what, path, path);
    r = first_line(fd, ret);
    close(fd);
    if (r == -ENODATA)
        return ft_err_class(reterr, FT_DENIED, -ENOENT, "%s: the first line of the secret file '%s' is empty; put the secret there", what, path);
    if (r == -EFBIG)
        return ft_err_class(reterr, FT_DENIED, r, "%s: the first line of the secret file '%s' is over %d bytes", what, path, MAX_SECRET);
    if (r < 0)
        return ft_err_class(reterr, FT_DENIED, r, "%s: cannot read the secret file '%s': %s", what, path, strerror(-r));
    return 0;
}

int ft_secret_read(struct ft_secrets *secrets, const json_t *ref, const char *what, char **ret_value, struct ft_err *reterr)
{
    const json_t *where = reference(ref);
    const char *env = json_string_value(json_object_get(where, "env"));
    int r;

    if (!where)
        return ft_err_set(reterr, -EINVAL, "%s is no reference to a secret; write {env: NAME} or {file: /path}", what);
    r = env ? from_env(env, what, ret_value, reterr)
            : from_file(json_string_value(json_object_get(where, "file")), what, ret_value, reterr);
    if (r == 0)
        ft_secret_learn(secrets, *ret_value);
    return r;
}

static bool has_reference(const json_t *value)
{
    const char *key;
    json_t *member;
    size_t i;

    if (json_object_get(value, "$secret"))
        return true;
    json_object_foreach((json_t *)value, key, member)
        if (has_reference(member))
            return true;
    json_array_foreach(value, i, member)
        if (has_reference(member))
            return true;
    return false;
}

static int resolve_one(struct ft_secrets *secrets, const json_t *value, const char *what, json_t **ret, struct ft_err *reterr)
{
    char *text;
    int r = ft_secret_read(secrets, value, what, &text, reterr);

    if (r < 0)
        return r;
    *ret = json_string(text);
    explicit_bzero(text, strlen(text));
    free(text);
    return *ret ? 0 : ft_err_set(reterr, -EINVAL, "%s: the secret is not UTF-8 text", what);
}

static int resolve(struct ft_secrets *secrets, const json_t *value, const char *what, json_t **ret, struct ft_err *reterr)
{
    json_t *copy, *member, *resolved;
    const char *key;
    size_t i;

    if (!has_reference(value)) {
        *ret = json_incref((json_t *)value);
        return 0;
    }
    if (json_object_get(value, "$secret"))
        return resolve_one(secrets, value, what, ret, reterr);
    copy = json_is_object(value) ? json_object() : json_array();
    json_object_foreach((json_t *)value, key, member) {
        if (resolve(secrets, member, key, &resolved, reterr) < 0)
            goto fail;
        json_object_set_new(copy, key, resolved);
    }
    json_array_foreach(value, i, member) {
        if (resolve(secrets, member, what, &resolved, reterr) < 0)
            goto fail;
        json_array_append_new(copy, resolved);
    }
    *ret = copy;
    return 0;
fail:
    json_decref(copy);
    return reterr ? reterr->code : -ENOENT;
}

int ft_secret_resolve(struct ft_secrets *secrets, const json_t *value, json_t **ret, struct ft_err *reterr)
{
    struct ft_err err = { 0 };
    int r = resolve(secrets, value, "secret", ret, &err);

    if (r < 0 && reterr)
        *reterr = err;
    return r;
}

void ft_secret_learn(struct ft_secrets *secrets, const char *value)
{
    if (secrets && value)
        ft_redactor_learn(&secrets->redactor, value);
}

char *ft_secret_redact(struct ft_secrets *secrets, const char *text)
{
    return secrets && text ? ft_redactor_text(&secrets->redactor, text) : NULL;
}

json_t *ft_secret_redact_json(struct ft_secrets *secrets, json_t *value)
{
    return secrets && ft_redactor_hits(&secrets->redactor, value) ? ft_redactor_json(&secrets->redactor, value) : json_incref(value);
}
