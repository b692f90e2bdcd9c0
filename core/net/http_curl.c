#include <dlfcn.h>
#include "base/util.h"
#include "net/http_internal.h"

#define LIBRARY "libcurl.so.4"
#define OLDEST 0x075500               /* 7.85: protocols by name; before a request, a callback (7.80) */

static const struct ft_curl *load(struct ft_curl *curl, struct ft_err *reterr)
{
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

    if (!library) {
        ft_err_set(reterr, -ENOENT, "HTTP needs %s: %s; install the package libcurl4", LIBRARY, dlerror());
        return NULL;
    }
#define FT_CURL_LOAD(name) \
    if (!(curl->name = (typeof(curl_##name) *)dlsym(library, "curl_" #name))) { \
        ft_err_set(reterr, -ENOSYS, "%s has no curl_%s: 7.85 or newer is needed", LIBRARY, #name); \
        return NULL; \
    }
    FT_CURL_FUNCTIONS(FT_CURL_LOAD)
#undef FT_CURL_LOAD
    if (curl->version_info(CURLVERSION_NOW)->version_num < OLDEST) {
        ft_err_set(reterr, -ENOSYS, "%s is version %s: 7.85 or newer is needed", LIBRARY, curl->version_info(CURLVERSION_NOW)->version);
        return NULL;
    }
    if (curl->global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        ft_err_set(reterr, -EIO, "%s could not be initialised", LIBRARY);
        return NULL;
    }
    return curl;
}

const struct ft_curl *ft_curl_load(struct ft_err *reterr)
{
    static struct ft_curl table;
    static const struct ft_curl *loaded;

    if (!loaded)
        loaded = load(&table, reterr);
    return loaded;
}

char *ft_http_describe(void)
{
    struct ft_err err = { 0 };
    const struct ft_curl *curl = ft_curl_load(&err);

    return curl ? ft_asprintf("libcurl %s", curl->version_info(CURLVERSION_NOW)->version) : ft_strdup(err.text);
}
