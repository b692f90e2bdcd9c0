/* guard_world.h: a guard made of a configuration's text, on a clock that the test owns. */
#pragma once
#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>
#include "base/util.h"
#include "data/json.h"
#include "guard/guard.h"

struct guard_world {
    struct ft_config *config;
    struct ft_guard *guard;
    struct ft_clock *clock;
};

static struct ft_config *load_config(const char *text)
{
    struct ft_diags *diags = ft_diags_new();
    char path[] = "/tmp/fettle-guard-XXXXXX";
    int fd = mkstemp(path);
    struct ft_config *config;
    bool found;

    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    config = ft_config_load(path, &found, diags);
    if (!config)
        ft_diags_print(diags, stderr, false);
    unlink(path);
    ft_diags_free(diags);
    cr_assert(config, "the test's configuration has a mistake:\n%s", text);
    return config;
}

/* at: UTC, "2026-11-26 10:00". */
static uint64_t ms_at(const char *at)
{
    int64_t s = 0;

    cr_assert_eq(ft_local_parse(at, &s, NULL), 0, "%s", at);
    return (uint64_t)s * 1000;
}

__attribute__((unused))
static struct guard_world world_open(const char *text, struct ft_store *store, const char *at)
{
    struct guard_world w = { .config = load_config(text), .clock = ft_clock_manual_new(ms_at(at)) };
    struct ft_guard_opts opts = { .config = w.config, .store = store, .clock = w.clock };
    struct ft_err err = { 0 };

    w.guard = ft_guard_new(&opts, &err);
    cr_assert(w.guard, "%s", err.text);
    return w;
}

__attribute__((unused))
static void world_close(struct guard_world *w)
{
    ft_guard_free(w->guard);
    ft_config_free(w->config);
    ft_clock_free(w->clock);
}
