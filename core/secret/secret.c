/* Where secrets come from. What a secret looks like once it is written elsewhere is redact.c's business. */
#include "secret/internal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "data/json.h"

#define MAX_SECRET 65536

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
    json_decref(secrets->sealed);
    vault_free(secrets->vault);
    free(secrets->dir);
    free(secrets);
    return NULL;
}

void ft_secrets_setup(struct ft_secrets *secrets, const struct ft_secrets_opts *opts)
{
    secrets->o = *opts;
    free(secrets->dir);
    secrets->dir = opts->dir ? ft_strdup(opts->dir) : NULL;
}

void ft_secrets_lend_net(struct ft_secrets *secrets, const struct ft_secret_net *net)
{
    secrets->has_net = net != NULL;
    secrets->net = net ? *net : (struct ft_secret_net){ 0 };
}

enum ft_release ft_secrets_release(struct ft_secrets *secrets, enum ft_release release)
{
    enum ft_release before = secrets ? secrets->release : FT_WITHHELD;

    if (secrets)
        secrets->release = release;
    return before;
}

uint64_t secrets_now_ms(const struct ft_secrets *secrets)
{
    return ft_clock_wall_ms(secrets->o.clock ? secrets->o.clock : ft_clock_system());
}

char *secrets_path(const struct ft_secrets *secrets, const char *path)
{
    return *path == '/' || !secrets->dir || !*secrets->dir ? ft_strdup(path) : ft_asprintf("%s/%s", secrets->dir, path);
}

/* ---- references */

static const char *const sources[] = { "env", "file", "sealed", "vault" };

/* The reference, below "$secret" where there is one; NULL when the value is none: one source, and perhaps `release: approved`. */
static const json_t *reference(const json_t *value)
{
    const json_t *inner = json_object_get(value, "$secret"), *release = json_object_get(value, "release");
    size_t found = 0;

    if (inner)
        return json_object_size(value) != 1 || json_object_get(inner, "$secret") ? NULL : reference(inner);
    for (size_t i = 0; i < ARRAY_LEN(sources); i++)
        found += json_is_string(json_object_get(value, sources[i]));
    if (found != 1 || json_object_size(value) != 1 + (release != NULL) || (release && !ft_streq(json_string_value(release), "approved")))
        return NULL;
    return value;
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

/* ---- the sealed file */

static int sealed_key(struct ft_secrets *secrets, const json_t *config, const char *path, struct ft_sealed_key *ret, struct ft_err *reterr)
{
    const json_t *where = json_object_get(config, "key");
    char *text = NULL;
    int r;

    if (where && !json_object_get(where, "env") && !json_object_get(where, "file"))
        return ft_err_class(reterr, FT_DENIED, -EINVAL, "the key of the sealed file lies in a file or a variable: secrets.sealed.key: {file: PATH} or {env: NAME}");
    if (where) {
        json_t *absolute = json_copy((json_t *)where);
        char *file = ft_json_str(where, "file") ? secrets_path(secrets, ft_json_str(where, "file")) : NULL;

        if (file)
            json_object_set_new(absolute, "file", json_string(file));
        r = ft_secret_read(secrets, absolute, "secrets.sealed.key", &text, reterr);
        json_decref(absolute);
        free(file);
        if (r == 0)
            r = ft_sealed_key_parse(text, ret, reterr);
    } else if (!secrets->o.ask) {
        r = ft_err_class(reterr, FT_DENIED, -ENOENT, "the sealed file '%s' needs its passphrase, and nobody is at a terminal to give it; set secrets.sealed.key", path);
    } else {
        r = secrets->o.ask(secrets->o.arg, "passphrase of the sealed file", &text, reterr);
        if (r == 0)
            ft_secret_learn(secrets, text);
        if (r == 0)
            r = ft_sealed_key_of(path, text, ret, reterr);
    }
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
    if (r < 0 && reterr && !reterr->class)
        reterr->class = FT_DENIED;
    return r;
}

static int open_sealed(struct ft_secrets *secrets, const char *what, struct ft_err *reterr)
{
    const json_t *config = json_object_get(secrets->o.config, "sealed");
    const char *file = ft_json_str(config, "file");
    struct ft_sealed_key key;
    char *path;
    int r;

    if (secrets->sealed)
        return 0;
    if (!file)
        return ft_err_class(reterr, FT_DENIED, -ENOENT, "%s lies in the sealed file, and the configuration names none: secrets: {sealed: {file: PATH}}", what);
    path = secrets_path(secrets, file);
    r = sealed_key(secrets, config, path, &key, reterr);
    if (r == 0)
        r = ft_sealed_read(path, &key, &secrets->sealed, reterr);
    explicit_bzero(&key, sizeof(key));
    free(path);
    if (r < 0)
        ft_err_in(reterr, "%s", what);
    if (r < 0 && reterr && !reterr->class)
        reterr->class = FT_DENIED;
    return r;
}

static int from_sealed(struct ft_secrets *secrets, const char *name, const char *what, char **ret, struct ft_err *reterr)
{
    const char *value;
    int r = open_sealed(secrets, what, reterr);

    if (r < 0)
        return r;
    value = ft_json_str(json_object_get(secrets->sealed, name), "value");
    if (!value)
        return ft_err_class(reterr, FT_DENIED, -ENOENT, "%s: the sealed file has no secret '%s'; `fettle secret set %s` puts it there", what, name, name);
    *ret = ft_strdup(value);
    return 0;
}

/* ---- reading one */

static int read_source(struct ft_secrets *secrets, const json_t *where, const char *what, char **ret, struct ft_err *reterr)
{
    const char *name;

    if ((name = ft_json_str(where, "env")) != NULL)
        return from_env(name, what, ret, reterr);
    if ((name = ft_json_str(where, "file")) != NULL)
        return from_file(name, what, ret, reterr);
    if ((name = ft_json_str(where, "sealed")) != NULL)
        return from_sealed(secrets, name, what, ret, reterr);
    return vault_value(secrets, ft_json_str(where, "vault"), what, ret, reterr);
}

int ft_secret_read(struct ft_secrets *secrets, const json_t *ref, const char *what, char **ret_value, struct ft_err *reterr)
{
    const json_t *where = reference(ref);
    int r;

    if (!where)
        return ft_err_set(reterr, -EINVAL, "%s is no reference to a secret; write {env: NAME}, {file: /path}, {sealed: NAME} or {vault: path#field}", what);
    if (json_object_get(where, "release") && secrets->release == FT_VEILED) {
        *ret_value = ft_strdup("***");
        return 0;
    }
    if (json_object_get(where, "release") && secrets->release != FT_RELEASED)
        return ft_err_class(reterr, FT_DENIED, -EACCES, "%s is released only to a run that has been approved, and this one has not: put an `approve` step before it", what);
    r = read_source(secrets, where, what, ret_value, reterr);
    if (r < 0)
        return r;
    if (strlen(*ret_value) < FT_SECRET_LEAST)
        ft_log(FT_LOG_WARN, "%s: the secret has fewer than %d characters, so it is not left out of what is written: choose a longer one", what, FT_SECRET_LEAST);
    ft_secret_learn(secrets, *ret_value);
    return 0;
}

bool ft_secret_needs_release(const json_t *value)
{
    const char *key;
    json_t *member;
    size_t i;

    if (reference(value))
        return json_object_get(reference(value), "release") != NULL;
    json_object_foreach((json_t *)value, key, member)
        if (ft_secret_needs_release(member))
            return true;
    json_array_foreach(value, i, member)
        if (ft_secret_needs_release(member))
            return true;
    return false;
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
