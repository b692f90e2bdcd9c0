/* key.c: the Ed25519 key that signs the seals. It lies beside the store (fettle.db: fettle.key, and fettle.pub to give away) in the form that OpenSSL
 * reads, so that a seal can be checked without fettle:
 *   openssl pkeyutl -verify -pubin -inkey fettle.pub -rawin -in TEXT -sigfile SIGNATURE */
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "store/internal.h"

#define SEED_LEN 32
#define PEM_MAX 1024

/* What stands in front of the 32 bytes in DER. */
static const unsigned char private_head[] = { 0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20 };
static const unsigned char public_head[] = { 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00 };

void hex_of(const unsigned char *bytes, size_t len, char *ret)
{
    sodium_bin2hex(ret, 2 * len + 1, bytes, len);
}

bool hex_to(const char *hex, unsigned char *ret, size_t len)
{
    size_t got = 0;

    return hex && strlen(hex) == 2 * len && sodium_hex2bin(ret, len, hex, 2 * len, NULL, &got, NULL) == 0 && got == len;
}

/* The store's path with another ending; malloced. */
static char *beside(const char *path, const char *ending)
{
    size_t len = strlen(path);

    if (len > 3 && ft_streq(path + len - 3, ".db"))
        len -= 3;
    return ft_asprintf("%.*s%s", (int)len, path, ending);
}

char *key_path(const struct ft_store *store)
{
    return store->key_file ? ft_strdup(store->key_file) : beside(store->path, ".key");
}

char *key_public_path(const char *key_file)
{
    size_t len = strlen(key_file);

    if (len > 4 && ft_streq(key_file + len - 4, ".key"))
        len -= 4;
    return ft_asprintf("%.*s.pub", (int)len, key_file);
}

static void pem(const char *what, const unsigned char *head, size_t head_len, const unsigned char *bytes, char ret[PEM_MAX])
{
    unsigned char der[64];
    char text[128];

    memcpy(der, head, head_len);
    memcpy(der + head_len, bytes, SEED_LEN);
    sodium_bin2base64(text, sizeof(text), der, head_len + SEED_LEN, sodium_base64_VARIANT_ORIGINAL);
    snprintf(ret, PEM_MAX, "-----BEGIN %s KEY-----\n%s\n-----END %s KEY-----\n", what, text, what);
    sodium_memzero(der, sizeof(der));
    sodium_memzero(text, sizeof(text));
}

void key_public_pem(const unsigned char public[KEY_LEN], char ret[1024])
{
    pem("PUBLIC", public_head, sizeof(public_head), public, ret);
}

/* The 32 bytes behind the head. */
static bool from_pem(const char *text, const char *what, const unsigned char *head, size_t head_len, unsigned char ret[SEED_LEN])
{
    char begin[64], end[64];
    const char *from, *to;
    unsigned char der[64];
    size_t len = 0;
    bool ok;

    snprintf(begin, sizeof(begin), "-----BEGIN %s KEY-----", what);
    snprintf(end, sizeof(end), "-----END %s KEY-----", what);
    from = strstr(text, begin);
    to = from ? strstr(from, end) : NULL;
    if (!to)
        return false;
    from += strlen(begin);
    ok = sodium_base642bin(der, sizeof(der), from, (size_t)(to - from), " \r\n", &len, NULL, sodium_base64_VARIANT_ORIGINAL) == 0 &&
         len == head_len + SEED_LEN && memcmp(der, head, head_len) == 0;
    if (ok)
        memcpy(ret, der + head_len, SEED_LEN);
    sodium_memzero(der, sizeof(der));
    return ok;
}

static ssize_t read_text(const char *path, char buf[PEM_MAX], struct stat *st)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 || fstat(fd, st) < 0 ? -errno : read(fd, buf, PEM_MAX - 1);

    if (fd >= 0)
        close(fd);
    buf[n > 0 ? n : 0] = '\0';
    return n < 0 && fd >= 0 ? -EIO : n;
}

int key_load(const char *path, struct seal_key *ret, struct ft_err *reterr)
{
    unsigned char seed[SEED_LEN];
    char text[PEM_MAX];
    struct stat st = { 0 };
    ssize_t n = read_text(path, text, &st);
    bool ok = n > 0 && from_pem(text, "PRIVATE", private_head, sizeof(private_head), seed);

    sodium_memzero(text, sizeof(text));
    if (n < 0)
        return ft_err_set(reterr, (int)n, "cannot read the key '%s' that seals the record: %s", path, strerror((int)-n));
    if (!ok)
        return ft_err_set(reterr, -EBADMSG, "'%s' holds no Ed25519 private key (PEM, PKCS #8)", path);
    if (st.st_mode & 077)
        ft_log(FT_LOG_WARN, "the key '%s' that seals the record may be read by others: chmod 600 it", path);
    crypto_sign_seed_keypair(ret->public, ret->secret, seed);
    sodium_memzero(seed, sizeof(seed));
    ret->there = true;
    return 0;
}

int key_load_public(const char *path, unsigned char ret[KEY_LEN], struct ft_err *reterr)
{
    char text[PEM_MAX];
    struct stat st;
    ssize_t n = read_text(path, text, &st);

    if (n < 0)
        return ft_err_set(reterr, (int)n, "cannot read the public key '%s': %s", path, strerror((int)-n));
    if (!from_pem(text, "PUBLIC", public_head, sizeof(public_head), ret))
        return ft_err_set(reterr, -EBADMSG, "'%s' holds no Ed25519 public key (PEM), as `fettle audit key` prints it", path);
    return 0;
}

/* Whole or not at all, never over one that is there: two processes may begin at the same time. 1 when it was made. */
static int put_file(const char *path, const char *text, mode_t mode, bool flushed)
{
    char *name = ft_asprintf("%s.XXXXXX", path);
    int fd = mkostemp(name, O_CLOEXEC), r = 0;
    size_t len = strlen(text);

    if (fd < 0)
        r = -errno;
    else if (fchmod(fd, mode) < 0 || write(fd, text, len) != (ssize_t)len || (flushed && fsync(fd) < 0))
        r = errno ? -errno : -EIO;
    if (r == 0 && link(name, path) < 0)
        r = errno == EEXIST ? 0 : -errno;
    else if (r == 0)
        r = 1;
    if (fd >= 0) {
        close(fd);
        unlink(name);
    }
    free(name);
    return r;
}

static void put_public(const char *path, const struct seal_key *key)
{
    char *public = key_public_path(path), text[PEM_MAX];
    int r;

    key_public_pem(key->public, text);
    r = access(public, F_OK) == 0 ? 0 : put_file(public, text, 0644, false);
    if (r < 0)
        ft_log(FT_LOG_WARN, "cannot write the public key '%s': %s", public, strerror(-r));
    free(public);
}

int key_make(const char *path, struct seal_key *ret, struct ft_err *reterr)
{
    unsigned char seed[SEED_LEN];
    char text[PEM_MAX];
    int r;

    arc4random_buf(seed, sizeof(seed));
    pem("PRIVATE", private_head, sizeof(private_head), seed, text);
    r = put_file(path, text, 0600, true);
    if (r == 1)
        r = db_sync_directory(path);
    sodium_memzero(seed, sizeof(seed));
    sodium_memzero(text, sizeof(text));
    if (r < 0)
        return ft_err_set(reterr, r, "cannot write the key '%s' that seals the record: %s", path, strerror(-r));
    r = key_load(path, ret, reterr);
    if (r == 0)
        put_public(path, ret);
    return r;
}

void key_sign(const struct seal_key *key, const char *text, size_t len, unsigned char ret[SIGNATURE_LEN])
{
    crypto_sign_detached(ret, NULL, (const unsigned char *)text, len, key->secret);
}

bool key_signed(const unsigned char public[KEY_LEN], const char *text, size_t len, const unsigned char signature[SIGNATURE_LEN])
{
    return crypto_sign_verify_detached(signature, (const unsigned char *)text, len, public) == 0;
}

void key_name(const char *public_hex, char ret[20])
{
    snprintf(ret, 20, "%.4s %.4s %.4s %.4s", public_hex, public_hex + 4, public_hex + 8, public_hex + 12);
}
