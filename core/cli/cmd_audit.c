/* fettle audit */
#include <errno.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/util.h"
#include "cli/app.h"
#include "data/json.h"
#include "store/audit.h"
#include "store/retain.h"

static struct {
    const char *what, *run, *key, *file, *seal, *before, *value, *reason;
    bool whole, fresh;
} o;

static const struct ft_opt opts[] = {
    { FT_OPT_ARG, 0, NULL, &o.what, "verify|key|forget|retain", "what to do, see below", "verify key forget retain" },
    { FT_OPT_OPTIONAL_ARG, 0, NULL, &o.run, "RUN", "verify, forget: only this run", "run" },
    { FT_OPT_STR, 0, "file", &o.file, "FILE", "verify: an export (`fettle export`) instead of the store", "file" },
    { FT_OPT_STR, 0, "key", &o.key, "FILE", "verify: the public key as you keep it elsewhere (else the one beside the store)", "file" },
    { FT_OPT_STR, 0, "seal", &o.seal, "N:HASH", "verify: a seal that was noted elsewhere, as verify printed it; is it still there?", NULL },
    { FT_OPT_STR, 0, "before", &o.before, "AGE", "forget: of runs that ended longer ago than this: 90d, 26w, 2y", NULL },
    { FT_OPT_STR, 0, "value", &o.value, "VALUE", "forget: only this MAC address (any notation) or user name", NULL },
    { FT_OPT_FLAG, 0, "new", &o.fresh, NULL, "key: go on under a new key; the old one's last seal names it", NULL },
    { FT_OPT_FLAG, 0, "whole", &o.whole, NULL, "forget: delete the runs themselves, not only what is personal in them", NULL },
    { FT_OPT_STR, 0, "reason", &o.reason, "TEXT", "forget: why; it stands in the record", NULL },
    { 0 },
};

static const char about[] =
    "verify   recomputes everything: each run's events and the order they stand in, the signed seals over them, what `fettle runs` says, plans, and what\n"
    "         lies beside the events. It exits with 0 when all is as it was written, 1 when something is not, and says what. With --file it does the same\n"
    "         for an export, anywhere. A whole store that is put back to an older copy is consistent in itself: note the newest seal (verify prints it)\n"
    "         somewhere else, and hold the store against it with --seal.\n"
    "key      prints the public key that the seals are signed with. Whoever can write to the store can also read the key beside it: keep the public key\n"
    "         (or the number and hash of a seal) somewhere else, or keep the key elsewhere (`seal: {key: FILE}` in the configuration).\n"
    "forget   deletes MAC addresses of clients and names of users from runs that are over (RUN, --before, --value; --whole: the runs themselves). The\n"
    "         bytes are gone; a seal says what was deleted, by whom and why; verify holds as before. Such a run cannot be undone any more.\n"
    "retain   deletes what is older than `retention:` in the configuration says; `fettle run` and `fettle resume` do so once a day.\n";

static void print_json(const json_t *value)
{
    char *text = ft_json_text(value);

    puts(text);
    free(text);
}

static void print_findings(const json_t *report)
{
    json_t *finding;
    size_t i;

    json_array_foreach(json_object_get(report, "findings"), i, finding) {
        char *text = ft_json_brief(json_object_get(finding, "text"), 1000);      /* an altered store may speak to the terminal */

        term_put(stdout, term_colour(stdout), TONE_BAD, "✗ ");
        printf("%s\n", text);
        free(text);
    }
    printf("\n%s is not what was written: %zu finding%s.\n", o.file ? "The export" : "The record", i, i == 1 ? "" : "s");
}

static void print_unsealed(const json_t *report)
{
    const json_t *list = json_object_get(report, "unsealed");
    json_t *one;
    size_t i;

    if (!json_array_size(list))
        return;
    printf("  not sealed yet:");
    json_array_foreach((json_t *)list, i, one) {
        json_int_t from = ft_json_int(one, "from", 0), count = ft_json_int(one, "events", 0);

        if (i == 10) {
            printf(", and %zu runs more", json_array_size(list) - i);
            break;
        }
        char *run = ft_json_brief(json_object_get(one, "run"), 20);

        printf("%s run %s events %lld–%lld", i ? "," : "", run, (long long)from, (long long)(from + count - 1));
        free(run);
    }
    printf("\n");
}

static const char *counted(json_int_t n, const char *what, char buf[40])
{
    snprintf(buf, 40, "%lld %s%s", (long long)n, what, n == 1 ? "" : "s");
    return buf;
}

static void print_first_line(const json_t *report)
{
    char runs[40], events[40], seals[40];

    counted(ft_json_int(report, "runs", 0), "run", runs);
    counted(ft_json_int(report, "events", 0), "event", events);
    counted(ft_json_int(report, "seals", 0), "seal", seals);
    if (!ft_json_int(report, "runs", 0) && !ft_json_int(report, "seals", 0)) {
        printf("The store holds no run and no seal: there is nothing to prove.\n");
        return;
    }
    term_put(stdout, term_colour(stdout), TONE_GOOD, "✓ ");
    if (o.file)
        printf("The export of run %s is what was written: %s, %s.\n", ft_json_str(report, "run"), events, seals);
    else
        printf("The record is what was written: %s, %s, %s.\n", runs, events, seals);
}

/* What the proof stands on, and what only somebody else can know. */
static void print_seals(const json_t *report)
{
    const json_t *last = json_object_get(report, "last_seal");
    char when[32], since[32];

    if (!last)
        return;
    printf("  %s seal %lld of %s, key %s; sealed since %s\n", o.file ? "newest" : "last", (long long)ft_json_int(last, "n", 0),
           ft_time_format((uint64_t)ft_json_int(last, "at", 0), when, sizeof(when)), ft_json_str(last, "name"),
           ft_time_format((uint64_t)ft_json_int(report, "since", 0), since, sizeof(since)));
    if (!o.file && !o.seal)
        printf("  note it elsewhere; what is put back to before it is found with --seal %lld:%s\n", (long long)ft_json_int(last, "n", 0), ft_json_str(last, "hash"));
    if (o.seal)
        printf("  the seal that was noted is in it\n");
    if (!o.file && !ft_json_str(report, "key_file"))
        printf("  held against no key: there is no public one beside the store, and none was given with --key\n");
}

static void print_report(const json_t *report)
{
    char buf[40];

    print_first_line(report);
    print_seals(report);
    if (ft_json_int(report, "deleted_runs", 0))
        printf("  deleted by rule or by hand, as the seals say: %s\n", counted(ft_json_int(report, "deleted_runs", 0), "run", buf));
    if (ft_json_int(report, "keys_lost", 0))
        printf("  the key was lost and begun anew %s: what is older is vouched for by the newer seals only\n", counted(ft_json_int(report, "keys_lost", 0), "time", buf));
    if (ft_json_int(json_object_get(report, "personal"), "deleted", 0))
        printf("  personal values deleted by rule or by hand, as the seals say: %lld\n", (long long)ft_json_int(json_object_get(report, "personal"), "deleted", 0));
    print_unsealed(report);
}

static int end_verify(json_t *report)
{
    int status = ft_json_bool(report, "ok", false) ? 0 : 1;

    if (globals.json)
        print_json(report);
    else if (status)
        print_findings(report);
    else
        print_report(report);
    json_decref(report);
    return status;
}

static char *read_file(const char *path, size_t *ret_len)
{
    FILE *f = fopen(path, "re");
    struct ft_buf buf = FT_BUF_INIT((size_t)2 << 30);
    char *chunk = ft_calloc(1, 1 << 20);
    size_t n = 1;
    bool ok;

    while (f && n && !buf.overflow) {
        n = fread(chunk, 1, 1 << 20, f);
        ft_buf_add(&buf, chunk, n);
    }
    ok = f && !ferror(f) && !buf.overflow;
    if (f)
        fclose(f);
    free(chunk);
    *ret_len = buf.len;
    if (ok)
        return ft_buf_take(&buf);
    ft_buf_done(&buf);
    return NULL;
}

/* Needs no store and no configuration. */
static int verify_file(void)
{
    struct ft_err err = { 0 };
    json_t *report;
    size_t len;
    char *bytes = read_file(o.file, &len);
    int r;

    if (!bytes)
        return app_fail(1, "cannot read '%s': %s", o.file, strerror(errno));
    r = ft_audit_file(bytes, len, o.key, &report, &err);
    free(bytes);
    if (r < 0)
        return app_fail(1, "%s", err.text);
    r = end_verify(report);
    if (!globals.json && !o.key && r == 0)
        printf("  whether that key is the one of the store that the run was in, only you can tell: compare it with `fettle audit key` there, or give it with --key\n");
    return r;
}

static int verify(struct app *app)
{
    struct ft_err err = { 0 };
    json_t *report = NULL;
    char id[9], finding[300] = "";

    if (o.run && ft_store_find(app->store, o.run, id, &err) < 0)
        return app_fail(2, "%s", err.text);
    if (o.seal && ft_store_noted_seal(app->store, o.seal, finding, &err) < 0)
        return app_fail(err.code == -EINVAL ? 2 : 1, "%s", err.text);
    if (ft_store_audit(app->store, o.run ? id : NULL, o.key, &report, &err) < 0)
        return app_fail(1, "%s", err.text);
    if (*finding) {
        json_array_append_new(json_object_get(report, "findings"), json_pack("{s:s}", "text", finding));
        json_object_set_new(report, "ok", json_false());
    }
    return end_verify(report);
}

static int show_key(struct app *app)
{
    struct ft_err err = { 0 };
    json_t *key;
    int r = o.fresh ? ft_store_new_key(app->store, app_user(), &err) : 0;

    if (r < 0)
        return app_fail(1, "%s", err.text);
    r = ft_store_public_key(app->store, &key, &err);

    if (r == -ENOENT)
        return app_fail(1, "the store '%s' has no key yet: it is made when the first run is sealed", ft_store_path(app->store));
    if (r < 0)
        return app_fail(1, "%s", err.text);
    if (globals.json) {
        print_json(key);
    } else {
        fputs(ft_json_str(key, "pem"), stdout);
        fprintf(stderr, "key %s… in %s\n", ft_json_str(key, "name"), ft_json_str(key, "file"));
    }
    json_decref(key);
    return 0;
}

/* ---- deleting */

static void print_retained(const struct ft_retain *what, const struct ft_retained *done)
{
    if (globals.json) {
        json_t *line = json_pack("{s:b, s:i, s:i, s:i, s:i, s:i, s:b}", "whole", what->whole, "runs", (int)done->runs, "values", (int)done->values, "blobs", (int)done->blobs,
                                 "busy", (int)done->busy, "old", (int)done->old, "in_log", done->in_log);

        print_json(line);
        json_decref(line);
        return;
    }
    if (what->whole)
        printf("%u run%s deleted, with %u results beside them.\n", done->runs, done->runs == 1 ? "" : "s", done->blobs);
    else
        printf("%u value%s deleted in %u run%s.\n", done->values, done->values == 1 ? "" : "s", done->runs, done->runs == 1 ? "" : "s");
    if (done->busy)
        printf("  kept: %u value%s of runs that are not over yet\n", done->busy, done->busy == 1 ? "" : "s");
    if (done->old)
        printf("  kept: what stands in the events of %u run%s that an older fettle wrote; --whole deletes such a run as a whole\n", done->old, done->old == 1 ? "" : "s");
    if (done->in_log)
        printf("  another process is reading: the bytes stay in the store's log until it has ended and fettle writes again\n");
}

static int check_forget(void)
{
    if (!o.run && !o.before && !o.value)
        return app_fail(2, "say what to forget: a RUN, --before AGE or --value VALUE");
    if (o.value && !*o.value)
        return app_fail(2, "--value takes a MAC address or a user name");
    if (!o.reason || !*o.reason)
        return app_fail(2, "say why with --reason: it stands in the record");
    if (o.whole && o.value)
        return app_fail(2, "--value and --whole do not go together: a value is deleted in the runs that have it");
    return 0;
}

static int forget(struct app *app)
{
    struct ft_retain what = { .value = o.value, .whole = o.whole, .who = app_user(), .why = o.reason };
    struct ft_retained done;
    struct ft_err err = { 0 };
    uint64_t age = 0;
    char id[9];
    int status = check_forget();

    if (status)
        return status;
    if (o.before && ft_config_age(o.before, &age) < 0)
        return app_fail(2, "--before takes an age as 90d, 26w or 2y, not '%s'", o.before);
    if (o.run && ft_store_find(app->store, o.run, id, &err) < 0)
        return app_fail(2, "%s", err.text);
    what.run = o.run ? id : NULL;
    what.before_ms = o.before ? ft_clock_wall_ms(ft_loop_clock(app->loop)) - age : 0;
    if (ft_store_retain(app->store, &what, &done, &err) < 0)
        return app_fail(1, "%s", err.text);
    print_retained(&what, &done);
    if (o.run && !done.runs)
        return app_fail(1, "run %s %s", id, done.busy ? "is not over: it needs what it has" : "has nothing to forget, or is not over");
    return 0;
}

static int retain(struct app *app)
{
    struct ft_err err = { 0 };
    struct ft_retained personal, runs;

    if (!ft_config_retention(app->config, "personal") && !ft_config_retention(app->config, "runs"))
        return app_fail(2, "the configuration says nothing about `retention:`; for example: retention: {personal: 90d, runs: 2y}");
    if (app_retain(app, &personal, &runs, &err) < 0)
        return app_fail(1, "%s", err.text);
    print_retained(&(struct ft_retain){ .whole = false }, &personal);
    print_retained(&(struct ft_retain){ .whole = true }, &runs);
    return 0;
}

static int run(void)
{
    struct app app;
    int status;

    static const struct { const char *name; int (*does)(struct app *app); } table[] = {
        { "verify", verify }, { "key", show_key }, { "forget", forget }, { "retain", retain },
    };

    if (o.file && o.seal)
        return app_fail(2, "--seal is for the store: an export holds only the seals over its run");
    if (o.file && ft_streq(o.what, "verify"))
        return verify_file();
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (!ft_streq(table[i].name, o.what))
            continue;
        status = app_open(&app, APP_CONFIG | APP_STORE);
        if (status)
            return status;
        status = table[i].does(&app);
        app_close(&app);
        return status;
    }
    return app_fail(2, "`fettle audit` does verify, key, forget or retain, not '%s'", o.what);
}

const struct ft_command cmd_audit = { "audit", "Prove that the record of runs is what was written", opts, run, about };
