#include "secret/sealed.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"

/* magic 14, version 1, made by 1, ops 4, mem in KiB 4, salt 16, check of the key 8, nonce 24 */
enum { MAGIC = 14, HEADER = 72, MAX_FILE = 4 << 20, BY_KEY = 0, BY_PASSPHRASE = 1 };
enum { AT_VERSION = 14, AT_KIND = 15, AT_OPS = 16, AT_MEM = 20, AT_SALT = 24, AT_CHECK = 40, AT_NONCE = 48 };

static const char magic[] = "fettle-sealed\n";

static int ready(struct ft_err *reterr)
{
    return sodium_init() < 0 ? ft_err_set(reterr, -EIO, "libsodium does not start") : 0;
}

static void put32(unsigned char *at, uint64_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (unsigned char)(value >> (8 * i));
}

static uint64_t get32(const unsigned char *at)
{
    return (uint64_t)at[0] | (uint64_t)at[1] << 8 | (uint64_t)at[2] << 16 | (uint64_t)at[3] << 24;
}

/* Tells a wrong key from a changed file, and says nothing of the key. */
static void check_of(const struct ft_sealed_key *key, unsigned char ret[8])
{
    static const char what[] = "fettle sealed file";
    unsigned char hash[32];

    crypto_generichash(hash, sizeof(hash), (const unsigned char *)what, sizeof(what) - 1, key->bytes, sizeof(key->bytes));
    memcpy(ret, hash, 8);
}

int ft_sealed_key_parse(const char *text, struct ft_sealed_key *ret, struct ft_err *reterr)
{
    size_t len = 0;

    memset(ret, 0, sizeof(*ret));
    if (strlen(text) != 2 * FT_SEALED_KEY || sodium_hex2bin(ret->bytes, sizeof(ret->bytes), text, 2 * FT_SEALED_KEY, NULL, &len, NULL) != 0 || len != FT_SEALED_KEY)
        return ft_err_set(reterr, -EINVAL, "the key of the sealed file is not 64 hex digits; `fettle secret new-key` makes one");
    return 0;
}

void ft_sealed_key_new(char ret_hex[65])
{
    unsigned char bytes[FT_SEALED_KEY];

    if (sodium_init() < 0)
        abort();
    randombytes_buf(bytes, sizeof(bytes));
    sodium_bin2hex(ret_hex, 65, bytes, sizeof(bytes));
    sodium_memzero(bytes, sizeof(bytes));
}

bool ft_sealed_name_ok(const char *name)
{
    size_t len = name ? strlen(name) : 0;

    return len > 0 && len <= FT_SEALED_NAME_MAX && strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == len;
}

/* ---- reading */

static int load(const char *path, unsigned char **ret, size_t *ret_len, struct ft_err *reterr)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    unsigned char *bytes;
    ssize_t n = 0, got = 0;

    if (fd < 0)
        return ft_err_set(reterr, errno == ENOENT ? -ENOENT : -EACCES, "the sealed file '%s': %s", path,
                          errno == ENOENT ? "there is none; `fettle secret set NAME` makes it" : strerror(errno));
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size < HEADER || st.st_size > MAX_FILE) {
        close(fd);
        return ft_err_set(reterr, -EBADMSG, "'%s' is no sealed file of fettle's", path);
    }
    bytes = ft_calloc(1, (size_t)st.st_size);
    while (got < st.st_size && (n = read(fd, bytes + got, (size_t)(st.st_size - got))) > 0)
        got += n;
    close(fd);
    if (got < st.st_size || memcmp(bytes, magic, MAGIC) != 0) {
        free(bytes);
        return ft_err_set(reterr, -EBADMSG, "'%s' is no sealed file of fettle's", path);
    }
    if (bytes[AT_VERSION] != 1 || bytes[AT_KIND] > BY_PASSPHRASE) {
        free(bytes);
        return ft_err_set(reterr, -EBADMSG, "the sealed file '%s' is of a newer fettle, or was changed", path);
    }
    *ret = bytes;
    *ret_len = (size_t)got;
    return 0;
}

int ft_sealed_kind(const char *path, bool *ret_passphrase, struct ft_err *reterr)
{
    unsigned char *bytes = NULL;
    size_t len;
    int r = load(path, &bytes, &len, reterr);

    if (r == 0)
        *ret_passphrase = bytes[AT_KIND] == BY_PASSPHRASE;
    free(bytes);
    return r;
}

int ft_sealed_key_of(const char *path, const char *passphrase, struct ft_sealed_key *ret, struct ft_err *reterr)
{
    unsigned char *bytes = NULL;
    size_t len;
    int r = ready(reterr);

    if (r < 0)
        return r;
    *ret = (struct ft_sealed_key){ .from_passphrase = true, .ops = crypto_pwhash_OPSLIMIT_MODERATE, .mem = crypto_pwhash_MEMLIMIT_MODERATE >> 10 };
    r = load(path, &bytes, &len, reterr);
    if (r == -ENOENT) {
        randombytes_buf(ret->salt, sizeof(ret->salt));
    } else if (r < 0) {
        return r;
    } else {
        ret->ops = get32(bytes + AT_OPS);
        ret->mem = get32(bytes + AT_MEM);
        memcpy(ret->salt, bytes + AT_SALT, sizeof(ret->salt));
        free(bytes);
    }
    /* The header says how dear it is: bounded, as the file may have been changed. */
    if (ret->ops < 1 || ret->ops > 16 || ret->mem < 8 || ret->mem > 1u << 20)
        return ft_err_set(reterr, -EBADMSG, "the sealed file '%s' was changed: its header cannot be right", path);
    if (crypto_pwhash(ret->bytes, sizeof(ret->bytes), passphrase, strlen(passphrase), ret->salt, ret->ops, (size_t)ret->mem << 10, crypto_pwhash_ALG_ARGON2ID13) != 0)
        return ft_err_set(reterr, -ENOMEM, "no memory (%u MiB) to make the sealed file's key from its passphrase", (unsigned)(ret->mem >> 10));
    return 0;
}

static int open_sealed(const char *path, const struct ft_sealed_key *key, const unsigned char *bytes, size_t len, json_t **ret, struct ft_err *reterr)
{
    size_t room = len - HEADER;
    unsigned char *text = ft_calloc(1, room + 1), check[8];
    unsigned long long text_len = 0;
    int r = 0;

    check_of(key, check);
    if (sodium_memcmp(check, bytes + AT_CHECK, sizeof(check)) != 0)
        r = ft_err_class(reterr, FT_DENIED, -EKEYREJECTED, "the sealed file '%s' is not opened by this %s", path, key->from_passphrase ? "passphrase" : "key");
    else if (crypto_aead_xchacha20poly1305_ietf_decrypt(text, &text_len, NULL, bytes + HEADER, len - HEADER, bytes, HEADER, bytes + AT_NONCE, key->bytes) != 0)
        r = ft_err_class(reterr, FT_DENIED, -EBADMSG, "the sealed file '%s' was changed or is damaged: nothing of it can be trusted; bring back a copy", path);
    else if (!(*ret = json_loadb((const char *)text, (size_t)text_len, 0, NULL)) || !json_is_object(*ret))
        r = ft_err_class(reterr, FT_DENIED, -EBADMSG, "the sealed file '%s' holds something else than secrets", path);
    sodium_memzero(text, room);
    free(text);
    return r;
}

int ft_sealed_read(const char *path, const struct ft_sealed_key *key, json_t **ret, struct ft_err *reterr)
{
    unsigned char *bytes = NULL;
    size_t len;
    int r = ready(reterr);

    if (r == 0)
        r = load(path, &bytes, &len, reterr);
    if (r < 0)
        return r;
    r = open_sealed(path, key, bytes, len, ret, reterr);
    free(bytes);
    return r;
}

/* ---- writing */

static void fill_header(const struct ft_sealed_key *key, unsigned char header[HEADER])
{
    memcpy(header, magic, MAGIC);
    header[AT_VERSION] = 1;
    header[AT_KIND] = key->from_passphrase ? BY_PASSPHRASE : BY_KEY;
    put32(header + AT_OPS, key->ops);
    put32(header + AT_MEM, key->mem);
    memcpy(header + AT_SALT, key->salt, sizeof(key->salt));
    check_of(key, header + AT_CHECK);
    randombytes_buf(header + AT_NONCE, 24);
}

static int write_all(int fd, const unsigned char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);

        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        bytes += n;
        len -= (size_t)n;
    }
    return fsync(fd) < 0 ? -errno : 0;
}

static void sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *dir = slash ? ft_strndup(path, slash == path ? 1 : (size_t)(slash - path)) : ft_strdup(".");
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    free(dir);
}

static int replace_file(const char *path, const unsigned char *bytes, size_t len, struct ft_err *reterr)
{
    char *fresh = ft_asprintf("%s.XXXXXX", path);
    int fd = mkostemp(fresh, O_CLOEXEC), r = fd < 0 ? -errno : 0;

    if (r == 0) {
        r = fchmod(fd, 0600) < 0 ? -errno : write_all(fd, bytes, len);
        close(fd);
        if (r == 0 && rename(fresh, path) < 0)
            r = -errno;
        if (r < 0)
            unlink(fresh);
    }
    if (r == 0)
        sync_folder(path);
    else
        ft_err_set(reterr, r, "cannot write the sealed file '%s': %s; it is as it was", path, strerror(-r));
    free(fresh);
    return r;
}

int ft_sealed_write(const char *path, const struct ft_sealed_key *key, const json_t *secrets, struct ft_err *reterr)
{
    char *text = json_dumps(secrets, JSON_COMPACT | JSON_SORT_KEYS);
    size_t len = text ? strlen(text) : 0;
    unsigned char *bytes;
    unsigned long long sealed = 0;
    int r = text ? ready(reterr) : ft_err_set(reterr, -EINVAL, "a secret is not UTF-8 text");

    if (r == 0 && len > MAX_FILE - HEADER - 16)
        r = ft_err_set(reterr, -EFBIG, "the sealed file would be over %d MiB", MAX_FILE >> 20);
    if (r < 0) {
        free(text);
        return r;
    }
    bytes = ft_calloc(1, HEADER + len + crypto_aead_xchacha20poly1305_ietf_ABYTES);
    fill_header(key, bytes);
    crypto_aead_xchacha20poly1305_ietf_encrypt(bytes + HEADER, &sealed, (const unsigned char *)text, len, bytes, HEADER, NULL, bytes + AT_NONCE, key->bytes);
    r = replace_file(path, bytes, HEADER + (size_t)sealed, reterr);
    sodium_memzero(text, len);
    free(text);
    free(bytes);
    return r;
}
