/* mist_test.h: what the tests of the Mist plugin share: a configured host, the reference's ids, errors that every action must put into words. */
#pragma once
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fake_host.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define ORG "1688605f-916a-47a1-8c68-f19618300a08"
#define SITE "72771e6a-6f5e-4de4-a5b9-1266c4197811"
#define OTHER_SITE "4ac1dcf4-9d8b-7211-65c4-057819f0862b"
#define AP_MAC "5c5b35000001"
#define AP_ID "00000000-0000-0000-1000-" AP_MAC
#define SW_MAC "5c5b35000101"
#define SW_ID "00000000-0000-0000-1000-" SW_MAC
#define CLIENT "dadbfc123456"
#define AT "https://api.mist.test/api/v1"

static inline struct fake_host *mist_host(void)
{
    struct fake_host *f = fake_host_new("mist");

    fake_config(f, "{'url': 'https://api.mist.test/', 'org_id': '" ORG "', 'token': 'sesame-open', 'watch_usage': false}");
    return f;
}

#define ANSWER(f, path, text) FAKE_HTTP(f, .method = "GET", .url = (path), .status = 200, .body = (text))

/* Ends the test with the error unless the call went well. */
#define GOOD(r) cr_assert((r)->ok, "%s", (r)->error)

/* A sample file: tests/plugins/<plugin>/data/<name>, or one of the shared captures when they are there (NULL when not). */
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

static inline char *shared_sample(const char *name)
{
    const char *shared = getenv("FETTLE_SHARED"), *source = getenv("FETTLE_SOURCE");
    char path[1024];

    if (shared)
        snprintf(path, sizeof(path), "%s/reference/mist-samples/%s", shared, name);
    else
        snprintf(path, sizeof(path), "%s/../shared/reference/mist-samples/%s", source ? source : ".", name);
    return read_file(path);
}

static inline double number_at(const json_t *value, const char *path)
{
    json_t *at = fake_at(value, path);

    cr_expect(json_is_number(at), "%s is no number", path);
    return json_number_value(at);
}

static inline bool is_null_at(const json_t *value, const char *path)
{
    return json_is_null(fake_at(value, path));
}

static inline bool is_true_at(const json_t *value, const char *path)
{
    return json_is_true(fake_at(value, path));
}

/* The write that a run sent, as a plan shows it: method, url and body must be the same, byte for byte. */
static inline void same_as_planned(const json_t *plan, const json_t *sent, const char *action)
{
    cr_expect_str_eq(fake_str(plan, "requests.0.method"), fake_str(sent, "method"), "%s", action);
    cr_expect_str_eq(fake_str(plan, "requests.0.url"), fake_str(sent, "url"), "%s", action);
    json_t *body = fake_at(plan, "requests.0.body");
    char *text = json_is_string(body) ? strdup(json_string_value(body)) : body && !json_is_null(body) ? json_dumps(body, JSON_COMPACT) : strdup("");

    cr_expect_str_eq(text, fake_str(sent, "body") ? fake_str(sent, "body") : "", "%s", action);
    free(text);
}

/* The last request that is not a GET. */
static inline json_t *write_in(const json_t *requests)
{
    for (size_t i = json_array_size(requests); i-- > 0;)
        if (strcmp(fake_str(json_array_get(requests, i), "method"), "GET") != 0)
            return json_array_get(requests, i);
    return NULL;
}

static inline size_t writes_in(const json_t *requests)
{
    size_t count = 0;

    for (size_t i = 0; i < json_array_size(requests); i++)
        count += strcmp(fake_str(json_array_get(requests, i), "method"), "GET") != 0;
    return count;
}

/* A receipt as the journal would give it back. Freed by the caller. */
static inline char *receipt_of(const json_t *value)
{
    return value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
}
