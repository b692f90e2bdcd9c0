/* ise_test.h: what the tests of the ISE plugin share. */
#pragma once
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fake_host.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MAC "D4:BE:D9:3D:25:E2"
#define MNT "https://ise-1.test/admin/API/mnt"
#define ERS "https://ise-1.test:9060/ers/config"
#define HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n"
#define NO_SESSION HEAD "<mnt-rest-result><http-code>500</http-code><cpm-code>34110</cpm-code><description>no such session</description>" \
    "<module-name>MnT</module-name><status>SERVER_ERROR</status></mnt-rest-result>"
#define NOT_MNT HEAD "<mnt-rest-result><http-code>500</http-code><internal-error-info>This host is not a MnT node. MnT REST APIs can not be executed" \
    " on this node.</internal-error-info></mnt-rest-result>"

static inline struct fake_host *ise_host_with(const char *more)
{
    struct fake_host *f = fake_host_new("ise");
    char config[500];

    snprintf(config, sizeof(config), "{'url': 'https://ise-1.test/', 'ers_url': 'https://ise-1.test:9060', 'user': 'fettle', 'password': 'sesame-open'%s}", more);
    fake_config(f, config);
    return f;
}

static inline struct fake_host *ise_host(void)
{
    return ise_host_with("");
}

#define GOOD(r) cr_assert((r)->ok, "%s", (r)->error)
#define XML(f, path, text) FAKE_HTTP(f, .method = "GET", .url = (path), .status = 200, .body = (text))
#define ANSWER(f, path, text) FAKE_HTTP(f, .method = "GET", .url = (path), .status = 200, .body = (text))

static inline char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t len = 0;

    if (!file)
        return NULL;
    if (getdelim(&text, &len, '\0', file) < 0) {
        free(text);
        text = NULL;
    }
    fclose(file);
    return text;
}

/* tests/plugins/ise/data/<name>: aborts when it is not there. */
static inline char *sample(const char *name)
{
    const char *source = getenv("FETTLE_SOURCE");
    char path[1024];
    char *text;

    snprintf(path, sizeof(path), "%s/tests/plugins/ise/data/%s", source ? source : ".", name);
    text = read_file(path);
    cr_assert(text, "no %s", path);
    return text;
}

/* A capture of the shared references; NULL when they are not there. */
static inline char *shared_sample(const char *name)
{
    const char *shared = getenv("FETTLE_SHARED"), *source = getenv("FETTLE_SOURCE");
    char path[1024];

    if (shared)
        snprintf(path, sizeof(path), "%s/reference/samples/%s", shared, name);
    else
        snprintf(path, sizeof(path), "%s/../shared/reference/samples/%s", source ? source : ".", name);
    return read_file(path);
}

static inline bool is_null_at(const json_t *value, const char *path)
{
    return json_is_null(fake_at(value, path));
}

static inline bool is_true_at(const json_t *value, const char *path)
{
    return json_is_true(fake_at(value, path));
}

static inline char *text_of(const json_t *value)
{
    return value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
}

/* The last request: the write of a run. */
static inline json_t *last(const json_t *requests)
{
    return json_array_get(requests, json_array_size(requests) - 1);
}

/* What a run sent must be what the plan showed: method, URL and body, byte for byte. */
static inline void same_as_planned(const json_t *plan, const json_t *sent, const char *action)
{
    json_t *body = fake_at(plan, "requests.0.body");
    char *text = json_is_string(body) ? strdup(json_string_value(body)) : body && !json_is_null(body) ? json_dumps(body, JSON_COMPACT) : strdup("");

    cr_expect_str_eq(fake_str(plan, "requests.0.method"), fake_str(sent, "method"), "%s", action);
    cr_expect_str_eq(fake_str(plan, "requests.0.url"), fake_str(sent, "url"), "%s", action);
    cr_expect_str_eq(text, fake_str(sent, "body") ? fake_str(sent, "body") : "", "%s", action);
    free(text);
}
