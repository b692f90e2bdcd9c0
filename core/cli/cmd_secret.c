/* fettle secret: the sealed file: what is in it by name, never a value */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "base/text.h"
#include "base/util.h"
#include "cli/app.h"
#include "cli/ask.h"
#include "data/json.h"
#include "secret/sealed.h"
#include "secret/secret.h"

static struct {
    const char *verb, *name, *key;
} o;

static const struct ft_opt opts[] = {
    { FT_OPT_ARG, 0, NULL, &o.verb, "VERB", "set NAME, list, remove NAME, rekey, or new-key FILE", "set list remove rekey new-key" },
    { FT_OPT_OPTIONAL_ARG, 0, NULL, &o.name, "NAME", "of the secret: letters, digits, . _ -", NULL },
    { FT_OPT_STR, 0, "new-key", &o.key, "FILE", "rekey: the new key's file (`fettle secret new-key` makes one); without it a new passphrase is asked for", "file" },
    { 0 },
};

struct file {
    char *path;
    int lock;
    struct ft_sealed_key key;
    json_t *secrets;
    bool is_new;
};

/* ---- the file and its key */

static char *from_config(const struct app *app, const char *path)
{
    const char *config = ft_config_path(app->config), *slash = strrchr(config, '/');

    return *path == '/' || !slash ? ft_strdup(path) : ft_asprintf("%.*s/%s", (int)(slash - config), config, path);
}

static int key_from(struct app *app, const json_t *ref, struct ft_sealed_key *ret, struct ft_err *reterr)
{
    const char *file = ft_json_str(ref, "file");
    char *path = file ? from_config(app, file) : NULL, *text = NULL;
    json_t *absolute = path ? json_pack("{s:s}", "file", path) : json_incref((json_t *)ref);
    int r = ft_secret_read(app->secrets, absolute, "the sealed file's key", &text, reterr);

    if (r == 0)
        r = ft_sealed_key_parse(text, ret, reterr);
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
    free(path);
    json_decref(absolute);
    return r;
}

static int new_passphrase(const char *path, struct ft_sealed_key *ret, struct ft_err *reterr)
{
    char *first = NULL, *second = NULL;
    int r = ask_secret(NULL, "new passphrase of the sealed file", &first, reterr);

    if (r == 0)
        r = ask_secret(NULL, "the same again", &second, reterr);
    if (r == 0 && !ft_streq(first, second))
        r = ft_err_set(reterr, -EINVAL, "the two were not the same; nothing was changed");
    if (r == 0 && strlen(first) < 12)
        r = ft_err_set(reterr, -EINVAL, "a passphrase has at least 12 characters; nothing was changed");
    if (r == 0)
        r = ft_sealed_key_of(path, first, ret, reterr);
    for (char **text = (char *[]){ first, second, NULL }; *text; text++)
        explicit_bzero(*text, strlen(*text));
    free(first);
    free(second);
    return r;
}

static int old_passphrase(const char *path, struct ft_sealed_key *ret, struct ft_err *reterr)
{
    char *text = NULL;
    int r = ask_secret(NULL, "passphrase of the sealed file", &text, reterr);

    if (r == 0)
        r = ft_sealed_key_of(path, text, ret, reterr);
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
    return r;
}

/* One at a time: two that add a secret at once lose none. */
static int hold(struct file *f, struct ft_err *reterr)
{
    char *lock = ft_asprintf("%s.lock", f->path);

    f->lock = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (f->lock < 0 || flock(f->lock, LOCK_EX) < 0)
        ft_err_set(reterr, -errno, "cannot write beside the sealed file '%s': %s", f->path, strerror(errno));
    free(lock);
    return f->lock < 0 ? -EACCES : 0;
}

static int open_file(struct app *app, struct file *f, bool write, struct ft_err *reterr)
{
    const json_t *config = json_object_get(json_object_get(ft_config_json(app->config), "secrets"), "sealed"), *key = json_object_get(config, "key");
    int r;

    *f = (struct file){ .lock = -1 };
    if (!ft_json_str(config, "file"))
        return ft_err_set(reterr, -ENOENT, "the configuration names no sealed file; write into it: secrets: {sealed: {file: secrets.sealed, key: {file: secrets.key}}}");
    f->path = from_config(app, ft_json_str(config, "file"));
    r = write ? hold(f, reterr) : 0;
    f->is_new = access(f->path, F_OK) < 0;
    if (r < 0)
        return r;
    if (key) {
        r = key_from(app, key, &f->key, reterr);
        if (r == -ENOENT && ft_json_str(key, "file"))
            ft_err_set(reterr, r, "there is no key file '%s'; %s", ft_json_str(key, "file"),
                       f->is_new ? "`fettle secret new-key FILE` makes one" : "put it back: nothing else opens the sealed file");
    } else {
        r = f->is_new ? new_passphrase(f->path, &f->key, reterr) : old_passphrase(f->path, &f->key, reterr);
    }
    if (r == 0 && f->is_new)
        f->secrets = json_object();
    else if (r == 0)
        r = ft_sealed_read(f->path, &f->key, &f->secrets, reterr);
    return r;
}

static void close_file(struct file *f)
{
    if (f->lock >= 0)
        close(f->lock);
    explicit_bzero(&f->key, sizeof(f->key));
    json_decref(f->secrets);
    free(f->path);
}

/* ---- the verbs */

/* From the terminal without echo, else all of standard input (without its last line's end): never from the command line, which others can see. */
static int read_value(char **ret, struct ft_err *reterr)
{
    char *text;
    size_t n;

    if (isatty(STDIN_FILENO))
        return ask_secret(NULL, "the secret", ret, reterr);
    text = ft_calloc(1, FT_SEALED_VALUE_MAX + 2);
    n = fread(text, 1, FT_SEALED_VALUE_MAX + 1, stdin);
    if (n && text[n - 1] == '\n')
        text[--n] = '\0';
    if (n == 0 || n > FT_SEALED_VALUE_MAX || strlen(text) != n || !ft_utf8_valid(text, n)) {
        explicit_bzero(text, FT_SEALED_VALUE_MAX);
        free(text);
        return ft_err_set(reterr, -EINVAL, n == 0 ? "nothing came on standard input" : "a secret is UTF-8 text of at most %d bytes without NUL", FT_SEALED_VALUE_MAX);
    }
    *ret = text;
    return 0;
}

static int check_value(const char *value, struct ft_err *reterr)
{
    if (strlen(value) >= FT_SECRET_LEAST)
        return 0;
    return ft_err_set(reterr, -EINVAL, "a secret has at least %d characters: a shorter one stands in ordinary words, so it could not be left out of what fettle writes",
                      FT_SECRET_LEAST);
}

static int set(struct file *f, struct ft_err *reterr)
{
    char *value = NULL;
    int r = read_value(&value, reterr);

    if (r == 0 && (r = check_value(value, reterr)) < 0) {
        explicit_bzero(value, strlen(value));
        free(value);
    }
    if (r < 0)
        return r;
    json_object_set_new(f->secrets, o.name, json_pack("{s:s, s:I}", "value", value, "set", (json_int_t)time(NULL) * 1000));
    explicit_bzero(value, strlen(value));
    free(value);
    r = ft_sealed_write(f->path, &f->key, f->secrets, reterr);
    if (r == 0)
        printf("'%s' is in %s; use it as {sealed: %s}\n", o.name, f->path, o.name);
    return r;
}

static int list(struct file *f)
{
    const char *name;
    json_t *secret;

    json_object_foreach(f->secrets, name, secret) {
        time_t t = (time_t)(ft_json_int(secret, "set", 0) / 1000);
        char when[24];
        struct tm tm;

        strftime(when, sizeof(when), "%Y-%m-%d %H:%M", localtime_r(&t, &tm));
        if (globals.json)
            printf("{\"name\":\"%s\",\"set\":%lld}\n", name, (long long)ft_json_int(secret, "set", 0));
        else
            printf("%-40s set %s\n", name, when);
    }
    if (!json_object_size(f->secrets) && !globals.json)
        printf("%s holds no secret\n", f->path);
    return 0;
}

static int remove_one(struct file *f, struct ft_err *reterr)
{
    int r;

    if (!json_object_get(f->secrets, o.name))
        return ft_err_set(reterr, -ENOENT, "%s has no secret '%s'; `fettle secret list` says which there are", f->path, o.name);
    json_object_del(f->secrets, o.name);
    r = ft_sealed_write(f->path, &f->key, f->secrets, reterr);
    if (r == 0)
        printf("'%s' is gone from %s\n", o.name, f->path);
    return r;
}

static int rekey(struct app *app, struct file *f, struct ft_err *reterr)
{
    struct ft_sealed_key key;
    json_t *ref = o.key ? json_pack("{s:s}", "file", o.key) : NULL;
    char *old = ft_asprintf("%s.old-key", f->path);
    int r = ref ? key_from(app, ref, &key, reterr) : new_passphrase(old, &key, reterr);      /* a name that is not there: a new salt */

    free(old);
    json_decref(ref);
    if (r == 0)
        r = ft_sealed_write(f->path, &key, f->secrets, reterr);
    explicit_bzero(&key, sizeof(key));
    if (r == 0)
        printf("%s is sealed anew; what it was sealed with opens it no more. The configuration must name the new key: %s%s%s\n", f->path,
               o.key ? "key: {file: " : "no `key` (a passphrase)", o.key ? o.key : "", o.key ? "}" : "");
    return r;
}

static int new_key(void)
{
    char hex[65];
    int fd = open(o.name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        return app_fail(1, "cannot make the key file '%s': %s", o.name, errno == EEXIST ? "it is there already, and a key is never overwritten" : strerror(errno));
    ft_sealed_key_new(hex);
    if (dprintf(fd, "%s\n", hex) != 65 || fsync(fd) < 0) {
        close(fd);
        unlink(o.name);
        return app_fail(1, "cannot write the key file '%s': %s", o.name, strerror(errno));
    }
    close(fd);
    explicit_bzero(hex, sizeof(hex));
    printf("%s holds a new key (mode 0600). Keep a copy where the sealed file's copies are not: without it nothing opens that\n", o.name);
    return 0;
}

static int check_words(void)
{
    bool named = ft_streq(o.verb, "set") || ft_streq(o.verb, "remove");

    if (!named && !ft_streq(o.verb, "list") && !ft_streq(o.verb, "rekey") && !ft_streq(o.verb, "new-key"))
        return app_fail(2, "there is no `fettle secret %s`: set, list, remove, rekey, new-key", o.verb);
    if ((named || ft_streq(o.verb, "new-key")) && !o.name)
        return app_fail(2, "say which: fettle secret %s %s", o.verb, named ? "NAME" : "FILE");
    if (named && !ft_sealed_name_ok(o.name))
        return app_fail(2, "that is no name for a secret: letters, digits, . _ -, at most %d; a value is never given on the command line", FT_SEALED_NAME_MAX);
    return 0;
}

static int run(void)
{
    struct app app;
    struct file f;
    struct ft_err err = { 0 };
    int status = check_words(), r;

    if (status)
        return status;
    if (ft_streq(o.verb, "new-key"))
        return new_key();
    status = app_open(&app, APP_CONFIG);
    if (status)
        return status;
    r = open_file(&app, &f, !ft_streq(o.verb, "list"), &err);
    if (r == 0)
        r = ft_streq(o.verb, "set") ? set(&f, &err) : ft_streq(o.verb, "list") ? list(&f) : ft_streq(o.verb, "remove") ? remove_one(&f, &err) : rekey(&app, &f, &err);
    if (r < 0)
        status = app_fail(r == -EINVAL || r == -ENOENT ? 2 : 1, "%s", err.text);
    close_file(&f);
    app_close(&app);
    return status;
}

const struct ft_command cmd_secret = {
    "secret", "The sealed file of secrets: set, list, remove, rekey, new-key", opts, run,
    "A value comes from the terminal (without echo) or from standard input, never from the command line, and is never shown again.\n"
    "    fettle secret new-key secrets.key        then in fettle.yaml: secrets: {sealed: {file: secrets.sealed, key: {file: secrets.key}}}\n"
    "    fettle secret set mist_token             plugins: {mist: {token: {sealed: mist_token}}}\n",
    .too_many = "A value is never given on the command line, where others can see it and the shell keeps it: type it, or pipe it in. If that was a secret, change it",
};
