#include "net/openssl.h"
#include <dlfcn.h>

#define SSL_LIBRARY "libssl.so.3"
#define CRYPTO_LIBRARY "libcrypto.so.3"

static void *open_library(const char *name, struct ft_err *reterr)
{
    void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);

    if (!library)
        ft_err_set(reterr, -ENOENT, "TLS needs %s: %s; install the package libssl3", name, dlerror());
    return library;
}

static const struct ft_openssl *load(struct ft_openssl *table, struct ft_err *reterr)
{
    void *ssl = open_library(SSL_LIBRARY, reterr), *crypto = ssl ? open_library(CRYPTO_LIBRARY, reterr) : NULL;

    if (!crypto)
        return NULL;
#define LOAD(library, library_name, function) \
    if (!(table->function = (typeof(function) *)dlsym(library, #function))) { \
        ft_err_set(reterr, -ENOSYS, "%s has no %s: OpenSSL 3.0 or newer is needed", library_name, #function); \
        return NULL; \
    }
#define LOAD_SSL(function) LOAD(ssl, SSL_LIBRARY, function)
#define LOAD_CRYPTO(function) LOAD(crypto, CRYPTO_LIBRARY, function)
    FT_SSL_FUNCTIONS(LOAD_SSL)
    FT_CRYPTO_FUNCTIONS(LOAD_CRYPTO)
    return table;
}

const struct ft_openssl *ft_openssl_load(struct ft_err *reterr)
{
    static struct ft_openssl table;
    static const struct ft_openssl *loaded;

    if (!loaded)
        loaded = load(&table, reterr);
    return loaded;
}
