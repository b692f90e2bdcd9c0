/* One change at a time: writes lock what they are aimed at, wait for each other, and never for ever. */
#include <criterion/criterion.h>
#include "base/util.h"
#include "data/json.h"
#include "rig.h"

#define HEAD "fettle: 1\nname: t\ntitle: T\ncategory: incident\n"
#define WRITE(id, device) "  - {id: " id ", run: sim.set, with: {key: " id ", value: 1, device: " device ", site: hq}, undo: auto}\n"
#define GATE "  - id: gate\n    approve: May I?\n    branch:\n      - if: result.approved\n        then: last\n      - else: bad\n  - {id: last, set: {v: 1}, then: good}\n"

static struct rig rig;

/* A second run beside the rig's own, in the same engine. */
static struct second { struct ft_run *run; json_t *events; bool parked, ended; enum ft_run_end end; } second;

static void open_rig(void) { rig_open(&rig); }
static void close_rig(void)
{
    ft_run_free(second.run);
    json_decref(second.events);
    second = (struct second){ 0 };
    rig_done(&rig);
}
TestSuite(locks, .init = open_rig, .fini = close_rig, .timeout = 60);

static void second_event(void *arg, struct ft_run *run, const json_t *event)
{
    (void)arg;
    (void)run;
    json_array_append(second.events, (json_t *)event);
}

static void second_parked(void *arg, struct ft_run *run)
{
    (void)arg;
    (void)run;
    second.parked = true;
    ft_loop_stop(rig.loop);
}

static void second_ended(void *arg, struct ft_run *run, enum ft_run_end end)
{
    (void)arg;
    (void)run;
    second.ended = true;
    second.end = end;
    ft_loop_stop(rig.loop);
}

static const struct ft_run_observer observer = { .event = second_event, .parked = second_parked, .ended = second_ended };

static int second_start(const char *yaml, struct ft_err *reterr)
{
    struct ft_diags *diags = ft_diags_new();
    char *text = rig_ends(yaml);
    struct ft_playbook *playbook = ft_playbook_parse("second.yaml", text, strlen(text), &rig.world, diags);
    struct ft_run_opts opts = { .requester = "bob" };
    json_t *params = json_object();
    int r;

    if (!playbook)
        ft_diags_print(diags, stderr, false);
    cr_assert(playbook);
    second.events = json_array();
    r = ft_run_start(rig.engine, playbook, params, &opts, &observer, NULL, &second.run, reterr);
    ft_playbook_unref(playbook);
    ft_diags_free(diags);
    json_decref(params);
    free(text);
    return r;
}

static const json_t *second_find(const char *type)
{
    for (size_t i = json_array_size(second.events); i-- > 0;)
        if (ft_streq(ft_json_str(json_array_get(second.events, i), "type"), type))
            return json_array_get(second.events, i);
    return NULL;
}

static json_t *locks_now(void)
{
    json_t *locks = NULL;
    struct ft_err err = { 0 };

    cr_assert_eq(ft_store_locks(rig.store, &locks, &err), 0, "%s", err.text);
    return locks;
}

static size_t lock_count(void)
{
    json_t *locks = locks_now();
    size_t n = json_array_size(locks);

    json_decref(locks);
    return n;
}

static size_t event_at(const char *type)
{
    for (size_t i = 0; i < json_array_size(rig.events); i++)
        if (ft_streq(ft_json_str(json_array_get(rig.events, i), "type"), type))
            return i;
    return SIZE_MAX;
}

Test(locks, a_write_locks_its_target_before_its_intent_and_keeps_it)
{
    json_t *locks;

    rig_run(&rig, HEAD "steps:\n" WRITE("a", "AA-BB-CC-00-00-01") GATE, NULL, false);
    cr_assert(rig.parked);
    cr_expect_lt(event_at("lock.taken"), event_at("step.intended"));
    locks = locks_now();
    cr_assert_eq(json_array_size(locks), 1, "kept while it is parked");
    cr_expect_str_eq(ft_json_str(json_array_get(locks, 0), "key"), "device/aa:bb:cc:00:00:01");
    cr_expect_str_eq(ft_json_str(json_array_get(locks, 0), "within"), "site/hq");
    cr_expect_str_eq(ft_json_str(json_array_get(locks, 0), "status"), "parked");
    cr_expect(strstr(ft_json_str(json_array_get(locks, 0), "reason"), "started by tester"), "%s", ft_json_str(json_array_get(locks, 0), "reason"));
    json_decref(locks);
    rig_answer(&rig, "gate", "{\"approved\": true}");
    cr_expect(rig.ended && rig.end == FT_RUN_OK);
    cr_expect_eq(lock_count(), 0);
}

Test(locks, what_the_run_holds_covers_it)
{
    rig_run(&rig, HEAD "locks: [site/hq]\nsteps:\n" WRITE("a", "x") "  - {id: z, set: {v: 1}, then: good}\n", NULL, false);
    cr_expect(rig.end == FT_RUN_OK && rig.ended);
    cr_expect_eq(rig_count(&rig, "lock.taken"), 0, "its site is locked");
    rig_run(&rig, HEAD "locks: [device/x]\nsteps:\n" WRITE("a", "x") WRITE("b", "yy") WRITE("c", "yy") "  - {id: z, set: {v: 1}, then: good}\n", NULL, false);
    cr_expect_eq(rig_count(&rig, "lock.taken"), 1, "x is locked, y once");
    cr_expect_str_eq(ft_json_str(rig_event(&rig, "lock.taken", NULL), "path"), "b");
}

Test(locks, a_write_waits_for_the_run_that_has_its_target)
{
    struct ft_err err = { 0 };
    json_t *questions;

    rig_run(&rig, HEAD "steps:\n" WRITE("a", "x") GATE, NULL, false);
    cr_assert_eq(second_start(HEAD "steps:\n" WRITE("b", "x") "  - {id: z, set: {v: 1}, then: good}\n", &err), 0, "%s", err.text);
    ft_loop_run(rig.loop);
    cr_assert(second.parked && !second.ended);
    cr_expect_eq(rig_records(&rig, "\"b\""), 0, "sent while another run has the device");
    questions = ft_run_questions(second.run);
    cr_expect_str_eq(ft_json_str(json_array_get(questions, 0), "kind"), "wait");
    cr_expect_str_eq(ft_json_str(json_array_get(questions, 0), "holder"), ft_run_id(rig.run));
    json_decref(questions);
    rig_answer(&rig, "gate", "{\"approved\": true}");
    if (!second.ended)
        ft_loop_run(rig.loop);
    cr_assert(second.ended && second.end == FT_RUN_OK);
    cr_expect_eq(rig_records(&rig, "\"b\""), 1);
    cr_expect_geq(ft_json_int(second_find("lock.taken"), "waited_ms", -1), 0);
    cr_expect_eq(lock_count(), 0);
}

static uint64_t now_ms(void) { return ft_clock_wall_ms(rig.clock); }

Test(locks, waiting_has_an_end)
{
    struct ft_err err = { 0 };
    const json_t *failed;
    uint64_t begun = now_ms();

    rig_run(&rig, HEAD "steps:\n" WRITE("a", "x") GATE, NULL, false);
    cr_assert_eq(second_start(HEAD "steps:\n" WRITE("b", "yy") WRITE("c", "x") "  - {id: z, set: {v: 1}, then: good}\n", &err), 0, "%s", err.text);
    while (!second.ended)
        ft_loop_run(rig.loop);
    failed = second_find("step.failed");
    cr_expect_eq(second.end, FT_RUN_ROLLED_BACK, "%d", (int)second.end);
    cr_expect_str_eq(ft_json_str(failed, "class"), "conflict");
    cr_expect(strstr(ft_json_str(failed, "error"), ft_run_id(rig.run)) && strstr(ft_json_str(failed, "error"), "fettle cancel"), "%s", ft_json_str(failed, "error"));
    cr_expect(now_ms() - begun >= 300000 && now_ms() - begun < 310000, "%llu", (unsigned long long)(now_ms() - begun));
    cr_expect_eq(rig_records(&rig, "undo"), 1);
    cr_expect_eq(lock_count(), 1, "the other's is left");
}

Test(locks, a_ring_of_two_is_broken_by_one)
{
    struct ft_err err = { 0 };
    const char *why;
    uint64_t begun;
    bool back;

    rig_run(&rig, HEAD "steps:\n" WRITE("a", "x") "  - id: gate\n    approve: Go?\n" WRITE("b", "yy") "  - {id: last, set: {v: 1}, then: good}\n", NULL, false);
    cr_assert_eq(second_start(HEAD "steps:\n" WRITE("c", "yy") WRITE("d", "x") "  - {id: z, set: {v: 1}, then: good}\n", &err), 0, "%s", err.text);
    ft_loop_run(rig.loop);
    cr_assert(second.parked);
    begun = now_ms();
    rig_answer(&rig, "gate", "{\"approved\": true}");
    while (!second.ended || !rig.ended)
        ft_loop_run(rig.loop);
    back = second.end == FT_RUN_ROLLED_BACK;
    cr_expect((back && rig.end == FT_RUN_OK) || (rig.end == FT_RUN_ROLLED_BACK && second.end == FT_RUN_OK), "%d %d", (int)rig.end, (int)second.end);
    cr_expect_lt(now_ms() - begun, 15000, "it was not seen, but waited out");
    why = ft_json_str(back ? second_find("step.failed") : rig_event(&rig, "step.failed", NULL), "error");
    cr_expect(strstr(why, "is locked by run") && strstr(why, "this one gives up"), "%s", why);
    cr_expect_eq(lock_count(), 0);
}

Test(locks, who_has_the_site_has_all_in_it)
{
    struct ft_err err = { 0 };

    rig_run(&rig, HEAD "steps:\n" WRITE("a", "x") GATE, NULL, false);
    cr_expect_eq(second_start(HEAD "locks: [site/hq]\nsteps:\n  - {id: z, set: {v: 1}, then: good}\n", &err), -EBUSY, "a device in it is locked");
    cr_expect(strstr(err.text, "device/x") && strstr(err.text, ft_run_id(rig.run)), "%s", err.text);
    json_decref(second.events);
    second = (struct second){ 0 };
    rig_answer(&rig, "gate", "{\"approved\": true}");
    rig_run(&rig, HEAD "locks: [site/hq]\nsteps:\n  - id: gate\n    approve: Go?\n    then: good\n", NULL, false);
    cr_assert_eq(second_start(HEAD "steps:\n" WRITE("b", "x") "  - {id: z, set: {v: 1}, then: good}\n", &err), 0, "%s", err.text);
    ft_loop_run(rig.loop);
    cr_expect(second.parked, "the device lies in a site that is locked");
    rig_answer(&rig, "gate", "{\"approved\": true}");
    if (!second.ended)
        ft_loop_run(rig.loop);
    cr_expect(second.ended && second.end == FT_RUN_OK);
}

Test(locks, a_run_that_waits_can_be_cancelled)
{
    struct ft_err err = { 0 };
    uint64_t begun = now_ms();

    rig_run(&rig, HEAD "steps:\n" WRITE("a", "x") GATE, NULL, false);
    cr_assert_eq(second_start(HEAD "steps:\n" WRITE("b", "x") "  - {id: z, set: {v: 1}, then: good}\n", &err), 0, "%s", err.text);
    ft_loop_run(rig.loop);
    ft_run_cancel(second.run, "bob", false, false);
    ft_loop_run(rig.loop);
    cr_expect(second.ended && second.end == FT_RUN_CANCELLED);
    cr_expect_lt(now_ms() - begun, 60000);
    cr_expect_eq(lock_count(), 1);
}

/* ---- death */

static unsigned die_at;

static void die(struct rig *r, const json_t *event)
{
    (void)event;
    if (json_array_size(r->events) == die_at)
        ft_loop_stop(r->loop);
}

Test(locks, survive_death_at_every_event)
{
    static const char yaml[] = HEAD "steps:\n" WRITE("a", "x") WRITE("b", "x") "  - {id: z, set: {v: 1}, then: good}\n";
    unsigned events;

    rig_run(&rig, yaml, NULL, false);
    events = (unsigned)json_array_size(rig.events);
    cr_assert_gt(events, 8);
    for (unsigned at = 1; at < events; at++) {
        bool sent;

        rig_done(&rig);
        rig_open(&rig);
        rig.on_event = die;
        die_at = at;
        rig_run(&rig, yaml, NULL, false);
        rig_reborn(&rig);
        rig.on_event = NULL;
        sent = rig_records(&rig, "\"a\"") > 0;
        cr_expect(!sent || rig_event(&rig, "run.finished", NULL) || lock_count() == 1, "died at event %u: what it wrote to is not locked", at);
        if (!rig.ended)
            rig_resume(&rig);
        cr_expect(rig.ended && rig.end == FT_RUN_OK, "died at event %u", at);
        cr_expect_leq(rig_count(&rig, "lock.taken"), 2, "died at event %u", at);
        cr_expect_eq(rig_records(&rig, NULL), 2, "died at event %u", at);
        cr_expect_eq(lock_count(), 0, "died at event %u: a lock stayed", at);
    }
}

/* Each life of a waiting run goes on with the time that is left; one that comes back long after it has it anew. */
Test(locks, lives_share_the_time_to_wait)
{
    struct ft_err err = { 0 };
    char waiting[9];
    uint64_t until;

    rig_run(&rig, HEAD "steps:\n" WRITE("a", "x") GATE, NULL, false);
    cr_assert_eq(second_start(HEAD "steps:\n" WRITE("b", "x") "  - {id: z, set: {v: 1}, then: good}\n", &err), 0, "%s", err.text);
    ft_loop_run(rig.loop);
    snprintf(waiting, sizeof(waiting), "%s", ft_run_id(second.run));
    until = (uint64_t)ft_json_int(second_find("lock.waiting"), "until", 0);
    for (int life = 0; life < 2; life++) {
        ft_run_free(second.run);
        second.run = NULL;
        second.parked = false;
        ft_clock_advance(rig.clock, (life ? 3600ull : 250ull) * 1000000);
        cr_assert_eq(ft_run_resume(rig.engine, waiting, "bob", &observer, NULL, &second.run, &err), 0, "%s", err.text);
        ft_loop_run(rig.loop);
        cr_assert(second.parked && !second.ended);
        if (!life)
            cr_expect_eq(ft_json_int(second_find("lock.waiting"), "until", 0), (json_int_t)until);
        else
            cr_expect_gt(ft_json_int(second_find("lock.waiting"), "until", 0), (json_int_t)until);
    }
}

Test(locks, a_run_that_died_waiting_waits_again)
{
    struct ft_err err = { 0 };
    char first[9], waiting[9];

    rig_run(&rig, HEAD "steps:\n" WRITE("a", "x") GATE, NULL, false);
    snprintf(first, sizeof(first), "%s", ft_run_id(rig.run));
    cr_assert_eq(second_start(HEAD "steps:\n" WRITE("b", "x") "  - {id: z, set: {v: 1}, then: good}\n", &err), 0, "%s", err.text);
    ft_loop_run(rig.loop);
    cr_assert(second.parked);
    snprintf(waiting, sizeof(waiting), "%s", ft_run_id(second.run));
    ft_run_free(second.run);
    second.run = NULL;
    second.parked = false;
    rig_reborn(&rig);
    cr_assert_eq(ft_run_resume(rig.engine, waiting, "bob", &observer, NULL, &second.run, &err), 0, "%s", err.text);
    ft_loop_run(rig.loop);
    cr_assert(second.parked && !second.ended, "the other run is dead, not over: its lock holds");
    rig_resume(&rig);
    if (!rig.parked)
        ft_loop_run(rig.loop);
    rig_answer(&rig, "gate", "{\"approved\": true}");
    while (!second.ended)
        ft_loop_run(rig.loop);
    cr_expect_eq(second.end, FT_RUN_OK);
    cr_expect_eq(rig_records(&rig, "\"b\""), 1);
}
