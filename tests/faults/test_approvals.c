/* Approvals under attack: whatever is tried, no write reaches the device without a valid approval, and a valid one counts once.
 *
 * The run lives in the rig; the people answer from "another terminal": a second store of the same file, through the function that every answer of a
 * person goes through. */
#include <criterion/criterion.h>
#include <unistd.h>
#include "base/util.h"
#include "data/json.h"
#include "guard/approval.h"
#include "rig.h"

#define HEAD "fettle: 1\nname: t\ntitle: T\ncategory: incident\n"
#define GATE(by) HEAD "steps:\n  - id: gate\n    approve: Set a to 1?\n    by: " by "\n    within: 30m\n    branch:\n      - if: result.approved\n        then: w\n      - else: bad\n" \
    "  - {id: w, run: sim.set, with: {key: a, value: 1}, undo: auto, then: good}\n"
#define PEOPLE "fettle: 1\nroles: {lead: , board: }\npeople:\n  tester: {roles: [lead]}\n  bob: {roles: [lead]}\n  carol: {roles: [lead]}\n  dora: {roles: [board]}\n  eve: {email: e@example.org}\n"

static struct rig rig;
static struct ft_loop *loop;
static struct ft_clock *wall;
static struct ft_store *store;
static struct ft_err said;
static char run_id[9];

static void open_all(void)
{
    char *path;

    rig_open(&rig);
    rig_config(&rig, PEOPLE);
    rig_reborn(&rig);
    path = ft_asprintf("%s/store.db", rig.dir);
    wall = ft_clock_manual_new(1790000000000);
    loop = ft_loop_new(wall);
    cr_assert_eq(ft_store_open(loop, path, &store, &said), 0, "%s", said.text);
    free(path);
}

static void close_all(void)
{
    ft_store_close(store);
    ft_loop_free(loop);
    ft_clock_free(wall);
    rig_done(&rig);
}

TestSuite(approvals, .init = open_all, .fini = close_all, .timeout = 120);

static void start(const char *yaml)
{
    rig_run(&rig, yaml, NULL, false);
    cr_assert(rig.parked && !rig.ended, "it did not park");
    snprintf(run_id, sizeof(run_id), "%s", ft_run_id(rig.run));
}

static struct ft_approvals there(void)
{
    ft_clock_set_wall(wall, ft_clock_wall_ms(rig.clock));
    return (struct ft_approvals){ .store = store, .config = ft_config_json(rig.people), .clock = wall };
}

static json_t *view(const char *who)
{
    struct ft_approvals approvals = there();
    json_t *v = NULL;

    memset(&said, 0, sizeof(said));
    return ft_approval_view(&approvals, run_id, NULL, who, &v, &said) == 0 ? v : NULL;
}

/* As a person does: looks, then answers. */
static int answer(const char *who, const char *decision)
{
    struct ft_approvals approvals = there();
    json_t *v = view(who);
    struct ft_answer a = { .run = run_id, .who = who, .where = "another terminal", .decision = decision, .reason = "because", .digest = ft_json_str(v, "digest"),
                           .token = ft_json_str(v, "token") };
    int r = v ? ft_approval_answer(&approvals, &a, NULL, &said) : said.code;

    json_decref(v);
    return r;
}

static void stop(void *arg) { ft_loop_stop(arg); }

/* The run's process goes on for a while. */
static void live(uint64_t ms)
{
    ft_timer_start(rig.loop, ms, stop, rig.loop);
    ft_loop_run(rig.loop);
}

static void expect_way(const char *way)
{
    char *is = rig_way(&rig);

    cr_expect_str_eq(is, way);
    free(is);
}

static void expect_untouched(const char *what)
{
    cr_expect_eq(rig_records(&rig, NULL), 0, "%s: the device was written to", what);
    cr_expect(!rig_event(&rig, "step.intended", NULL), "%s: a write was intended", what);
}

Test(approvals, two_of_three_from_another_terminal)
{
    start(GATE("{role: lead, count: 2}"));
    cr_expect_eq(answer("bob", "approve"), 0, "%s", said.text);
    live(3000);
    expect_untouched("one of two");
    cr_expect_eq(rig_count(&rig, "gate.vote"), 1);
    cr_expect_eq(answer("carol", "approve"), 0, "%s", said.text);
    live(3000);
    expect_way("gate:done w:done -> good");
    cr_expect_eq(rig_records(&rig, NULL), 1);
    cr_expect_str_eq(ft_json_str(rig_event(&rig, "gate.answered", "gate"), "by"), "bob, carol");
}

Test(approvals, answers_that_came_while_nobody_ran_it_are_taken_by_the_next_life)
{
    start(GATE("{role: lead, count: 2}"));
    rig_reborn(&rig);
    cr_expect_eq(answer("bob", "approve"), 0, "%s", said.text);
    cr_expect_eq(answer("carol", "approve"), 0, "%s", said.text);
    rig_resume(&rig);
    live(1);
    expect_way("gate:done w:done -> good");
    cr_expect_eq(rig_records(&rig, NULL), 1);
}

/* ---- what must not get through */

static void expect_no_answer(const char *who, const char *decision, const char *words)
{
    cr_expect_lt(answer(who, decision), 0, "%s: %s was taken", who, decision);
    cr_expect(strstr(said.text, words), "%s: '%s' does not say '%s'", who, said.text, words);
    live(2000);
    expect_untouched(words);
}

/* Past the answering function: a row that somebody wrote into the store by hand, or that was right when it was written. */
static uint64_t forge(const char *nonce, const char *who, const char *decision, const char *digest)
{
    json_t *a = json_pack("{s:s, s:s, s:s, s:s, s:s}", "by", who, "decision", decision, "reason", "forged", "where", "nowhere", "digest", digest);
    uint64_t row = 0;

    ft_clock_set_wall(wall, ft_clock_wall_ms(rig.clock));
    cr_assert_eq(ft_answer_put(store, run_id, nonce, a, &row, &said), 0, "%s", said.text);
    json_decref(a);
    return row;
}

static const char *of_gate(const char *key)
{
    return ft_json_str(rig_event(&rig, "gate.opened", NULL), key);
}

Test(approvals, neither_the_own_nor_one_without_the_role_nor_one_person_twice)
{
    start(GATE("{role: lead, count: 2}"));
    expect_no_answer("tester", "approve", "asked for the run");
    expect_no_answer("dora", "approve", "does not have the role");
    expect_no_answer("mallory", "approve", "no person");
    cr_expect_eq(answer("bob", "approve"), 0, "%s", said.text);
    expect_no_answer("bob", "approve", "counts once");
    forge(of_gate("nonce"), "bob", "approve", of_gate("digest"));
    forge(of_gate("nonce"), "tester", "approve", of_gate("digest"));
    forge(of_gate("nonce"), "dora", "approve", of_gate("digest"));
    forge(of_gate("nonce"), "nobody", "approve", of_gate("digest"));
    live(3000);
    expect_untouched("forged rows");
    cr_expect_eq(rig_count(&rig, "gate.vote"), 1);
    cr_expect_eq(rig_count(&rig, "gate.refused"), 4, "%zu refused", rig_count(&rig, "gate.refused"));
}

Test(approvals, not_by_delegation_of_or_to_the_requester)
{
    rig_config(&rig, "fettle: 1\nroles: {lead: , board: }\npeople:\n  tester: {roles: [lead], delegates_to: eve}\n  bob: {roles: [lead], delegates_to: tester}\n  eve: {email: e@example.org}\n");
    rig_reborn(&rig);
    start(GATE("{role: lead}"));
    expect_no_answer("tester", "approve", "asked for the run");
    expect_no_answer("eve", "approve", "only act for tester");
    forge(of_gate("nonce"), "eve", "approve", of_gate("digest"));
    live(3000);
    expect_untouched("the requester's own delegate");
}

Test(approvals, a_replayed_answer_and_one_for_another_run_do_nothing)
{
    char first[9], nonce[65], digest[65];
    json_t *bobs;

    start(GATE("{role: lead, count: 2}"));
    bobs = view("bob");
    cr_expect_eq(answer("bob", "approve"), 0, "%s", said.text);
    live(2000);
    struct ft_approvals approvals = there();
    struct ft_answer again = { .run = run_id, .who = "bob", .where = "replay", .decision = "approve", .digest = ft_json_str(bobs, "digest"), .token = ft_json_str(bobs, "token") };

    cr_expect_eq(ft_approval_answer(&approvals, &again, NULL, &said), -ESTALE);
    cr_expect_eq(answer("bob", "withdraw"), 0, "%s", said.text);
    live(2000);
    cr_expect_eq(ft_approval_answer(&approvals, &again, NULL, &said), -ESTALE, "what was withdrawn came back");
    json_decref(bobs);
    /* Two runs of the same playbook: the digest is the same, the gate is not. */
    snprintf(first, sizeof(first), "%s", run_id);
    snprintf(nonce, sizeof(nonce), "%s", of_gate("nonce"));
    snprintf(digest, sizeof(digest), "%s", of_gate("digest"));
    start(GATE("{role: lead, count: 2}"));
    cr_expect_str_eq(of_gate("digest"), digest, "the same would be done");
    cr_expect_str_neq(of_gate("nonce"), nonce);
    forge(nonce, "bob", "approve", digest);
    forge(nonce, "carol", "approve", digest);
    live(3000);
    expect_untouched("answers of another run");
    cr_expect_eq(rig_count(&rig, "gate.vote"), 0);
}

Test(approvals, seeing_it_a_thousand_times_changes_nothing)
{
    json_t *v;
    char link[33];

    start(GATE("{role: lead}"));
    v = view("bob");
    snprintf(link, sizeof(link), "%s", ft_json_str(v, "link"));
    json_decref(v);
    for (int i = 0; i < 1000; i++) {
        struct ft_approvals approvals = there();

        cr_assert_eq(ft_approval_view_link(&approvals, link, "bob", &v, &said), 0, "%s", said.text);
        json_decref(v);
    }
    live(3000);
    expect_untouched("a prefetched link");
    cr_expect_eq(rig_count(&rig, "gate.vote") + rig_count(&rig, "gate.refused"), 0);
}

Test(approvals, too_late)
{
    start(GATE("{role: lead}"));
    ft_clock_set_wall(rig.clock, ft_clock_wall_ms(rig.clock) + 29 * 60000);
    json_t *v = view("bob");

    live(2 * 60000);
    expect_way("gate:done -> bad");
    cr_expect(json_is_true(json_object_get(rig_event(&rig, "gate.answered", "gate"), "expired")));
    struct ft_approvals approvals = there();
    struct ft_answer late = { .run = run_id, .who = "bob", .where = "x", .decision = "approve", .digest = ft_json_str(v, "digest"), .token = ft_json_str(v, "token") };

    cr_expect_lt(ft_approval_answer(&approvals, &late, NULL, &said), 0);
    json_decref(v);
    expect_untouched("too late");
}

Test(approvals, too_late_while_nobody_ran_it)
{
    start(GATE("{role: lead}"));
    forge(of_gate("nonce"), "dora", "approve", of_gate("digest"));
    rig_reborn(&rig);
    ft_clock_set_wall(rig.clock, ft_clock_wall_ms(rig.clock) + 31 * 60000);
    forge(of_gate("nonce"), "bob", "approve", of_gate("digest"));
    rig_resume(&rig);
    live(2000);
    expect_way("gate:done -> bad");
    expect_untouched("a row from after the end");
}

Test(approvals, one_given_in_time_counts_when_the_run_comes_back_later)
{
    start(GATE("{role: lead}"));
    cr_expect_eq(answer("bob", "approve"), 0, "%s", said.text);
    rig_reborn(&rig);
    ft_clock_set_wall(rig.clock, ft_clock_wall_ms(rig.clock) + 31 * 60000);
    rig_resume(&rig);
    live(2000);
    expect_way("gate:done w:done -> good");
}

Test(approvals, rejected_then_resumed_never_runs_the_write)
{
    start(GATE("{role: lead, count: 2}"));
    cr_expect_eq(answer("bob", "reject"), 0, "%s", said.text);
    expect_no_answer("carol", "approve", "");
    expect_way("gate:done -> bad");
    start(GATE("{role: lead, count: 2}"));
    cr_expect_eq(answer("bob", "reject"), 0, "%s", said.text);
    forge(of_gate("nonce"), "carol", "approve", of_gate("digest"));
    forge(of_gate("nonce"), "bob", "approve", of_gate("digest"));
    rig_reborn(&rig);
    rig_resume(&rig);
    live(2000);
    expect_way("gate:done -> bad");
    expect_untouched("rejected, then resumed");
}

Test(approvals, the_request_is_withdrawn)
{
    start(GATE("{role: lead, count: 2}"));
    cr_expect_eq(answer("carol", "approve"), 0, "%s", said.text);
    cr_expect_eq(answer("tester", "cancel"), 0, "%s", said.text);
    expect_no_answer("bob", "approve", "");
    expect_way("gate:done -> bad");
    cr_expect(json_is_true(json_object_get(rig_event(&rig, "gate.answered", "gate"), "withdrawn")));
}

Test(approvals, somebody_who_is_taken_out_of_the_configuration_does_not_count_any_more)
{
    start(GATE("{role: lead, count: 2}"));
    cr_expect_eq(answer("bob", "approve"), 0, "%s", said.text);
    live(2000);
    cr_expect_eq(rig_count(&rig, "gate.vote"), 1);
    rig_config(&rig, "fettle: 1\nroles: {lead: , board: }\npeople:\n  tester: {roles: [lead]}\n  bob: {roles: [board]}\n  carol: {roles: [lead]}\n  dora: {roles: [lead]}\n");
    cr_expect_eq(answer("carol", "approve"), 0, "%s", said.text);
    live(3000);
    expect_untouched("bob is no lead any more");
    cr_expect_eq(rig_count(&rig, "gate.vote"), 2);
    /* A configuration that cannot be read counts nobody; one that names nobody is no way around those who were asked. */
    rig_config(&rig, "fettle: 1\npeople: [\n");
    live(3000);
    rig_config(&rig, "fettle: 1\n");
    forge(of_gate("nonce"), "anybody", "approve", of_gate("digest"));
    live(3000);
    expect_untouched("a configuration without people");
    rig_config(&rig, PEOPLE);
    forge(of_gate("nonce"), "carol", "approve", of_gate("digest"));      /* wakes it */
    live(3000);
    expect_way("gate:done w:done -> good");
    cr_expect_eq(rig_records(&rig, NULL), 1);
}

Test(approvals, the_terminal_does_not_approve_where_people_are_configured)
{
    json_t *yes = json_pack("{s:b}", "approved", 1);

    start(GATE("{role: lead}"));
    cr_expect_eq(ft_run_answer(rig.run, "gate", yes, "tester", "--yes", &said), -EPERM);
    cr_expect_eq(ft_run_answer(rig.run, "gate", yes, "mallory", "terminal", &said), -EPERM);
    json_decref(yes);
    live(2000);
    expect_untouched("answered at the terminal");
}

/* ---- the world moves */

Test(approvals, what_changed_between_seeing_and_doing_voids_it)
{
    start(GATE("{role: lead}"));
    rig_state(&rig, "{\"a\": 7}");                     /* somebody set it by hand: the plan rests on another state now */
    cr_expect_eq(answer("bob", "approve"), 0, "%s", said.text);
    live(3000);
    expect_untouched("the state moved");
    cr_expect_eq(rig_count(&rig, "gate.voided"), 1);
    cr_expect_eq(rig_count(&rig, "gate.opened"), 2, "it is asked again");
    cr_expect_eq(answer("carol", "approve"), 0, "%s", said.text);
    live(3000);
    expect_way("gate:done w:done -> good");
    cr_expect_eq(rig_records(&rig, NULL), 1);
}

Test(approvals, what_changed_after_the_approval_is_seen_right_before_the_write)
{
    static const char yaml[] = HEAD "steps:\n  - id: gate\n    approve: Set a to 1?\n    by: {role: lead}\n    within: 30m\n    branch:\n      - if: result.approved\n        then: pause\n      - else: bad\n"
                               "  - {id: pause, wait: 10m}\n  - {id: w, run: sim.set, with: {key: a, value: 1}, undo: auto, then: good}\n";

    start(yaml);
    cr_expect_eq(answer("bob", "approve"), 0, "%s", said.text);
    live(60000);
    cr_expect_eq(rig_count(&rig, "gate.answered"), 1);
    rig_state(&rig, "{\"a\": 7}");
    live(15 * 60000);
    expect_untouched("the state moved after the approval");
    cr_expect_eq(rig_count(&rig, "gate.voided"), 1);
    cr_expect_str_eq(ft_json_str(rig_event(&rig, "gate.opened", NULL), "path"), "w");
    rig_reborn(&rig);
    rig_resume(&rig);
    live(2000);
    expect_untouched("resumed behind a void approval");
    cr_expect_eq(answer("bob", "approve"), 0, "%s", said.text);
    live(3000);
    expect_way("gate:done pause:done w:done -> good");
    cr_expect_eq(rig_records(&rig, NULL), 1);
}

Test(approvals, a_page_of_what_is_void_by_now_approves_nothing)
{
    json_t *old;

    start(GATE("{role: lead}"));
    old = view("carol");
    rig_state(&rig, "{\"a\": 7}");
    cr_expect_eq(answer("bob", "approve"), 0, "%s", said.text);
    live(3000);
    struct ft_approvals approvals = there();
    struct ft_answer stale = { .run = run_id, .who = "carol", .where = "an old page", .decision = "approve", .digest = ft_json_str(old, "digest"), .token = ft_json_str(old, "token") };

    cr_expect_eq(ft_approval_answer(&approvals, &stale, NULL, &said), -ESTALE);
    json_decref(old);
    live(2000);
    expect_untouched("an old page");
}

/* ---- a policy holds the write */

#define POLICY "policies:\n  - {name: two-leads, match: {action: sim.set}, approval: {role: lead, count: 2, within: 1h, break_glass: true}}\n"
#define WRITE HEAD "steps:\n  - {id: w, run: sim.set, with: {key: a, value: 1}, undo: auto, on_error: bad, then: good}\n"

static void with_policy(const char *more)
{
    char *yaml = ft_asprintf(PEOPLE "%s%s", POLICY, more);

    rig_config(&rig, yaml);
    rig_reborn(&rig);
    free(yaml);
}

Test(approvals, a_policy_holds_a_write_that_the_playbook_would_just_send)
{
    with_policy("");
    start(WRITE);
    cr_expect_eq(rig_count(&rig, "gate.opened"), 1);
    cr_expect(strstr(ft_json_str(rig_event(&rig, "gate.opened", "w"), "text"), "two-leads"), "'%s'", ft_json_str(rig_event(&rig, "gate.opened", "w"), "text"));
    expect_no_answer("tester", "approve", "asked for the run");
    cr_expect_eq(answer("bob", "approve"), 0, "%s", said.text);
    live(2000);
    expect_untouched("one of two");
    rig_reborn(&rig);
    rig_resume(&rig);
    live(2000);
    expect_untouched("resumed with one of two");
    cr_expect_eq(answer("carol", "approve"), 0, "%s", said.text);
    live(3000);
    expect_way("w:done -> good");
    cr_expect_eq(rig_records(&rig, NULL), 1);
    cr_expect_eq(rig_count(&rig, "gate.opened"), 1, "it was asked %zu times", rig_count(&rig, "gate.opened"));
}

Test(approvals, a_write_that_a_policy_holds_and_people_refuse_is_never_sent)
{
    with_policy("");
    start(WRITE);
    cr_expect_eq(answer("bob", "reject"), 0, "%s", said.text);
    live(2000);
    expect_way("w:failed -> bad");
    cr_expect_str_eq(ft_json_str(rig_event(&rig, "step.failed", "w"), "class"), "denied");
    start(WRITE);
    rig_reborn(&rig);
    ft_clock_set_wall(rig.clock, ft_clock_wall_ms(rig.clock) + 61 * 60000);
    rig_resume(&rig);
    live(2000);
    expect_way("w:failed -> bad");
    expect_untouched("refused, then too late");
}

Test(approvals, a_playbooks_own_gate_meets_a_policy_that_asks_for_the_same)
{
    with_policy("");
    start(GATE("{role: lead, count: 2}"));
    cr_expect_eq(answer("bob", "approve"), 0, "%s", said.text);
    cr_expect_eq(answer("carol", "approve"), 0, "%s", said.text);
    live(3000);
    expect_way("gate:done w:done -> good");
    cr_expect_eq(rig_count(&rig, "gate.opened"), 1, "they were asked twice for the same");
}

Test(approvals, a_playbooks_own_gate_that_asks_less_does_not_loosen_a_policy)
{
    with_policy("");
    start(GATE("{role: board}"));
    cr_expect_eq(answer("dora", "approve"), 0, "%s", said.text);
    live(3000);
    expect_untouched("the board is not the leads");
    cr_expect_eq(rig_count(&rig, "gate.opened"), 2);
    cr_expect_eq(answer("bob", "approve"), 0, "%s", said.text);
    cr_expect_eq(answer("carol", "approve"), 0, "%s", said.text);
    live(3000);
    expect_way("gate:done w:done -> good");
}

Test(approvals, what_moved_under_a_policys_approval_is_asked_again)
{
    with_policy("");
    start(WRITE);
    cr_expect_eq(answer("bob", "approve"), 0, "%s", said.text);
    live(2000);
    rig_state(&rig, "{\"a\": 7}");
    cr_expect_eq(answer("carol", "approve"), 0, "%s", said.text);
    live(3000);
    expect_untouched("the state moved");
    cr_expect_eq(rig_count(&rig, "gate.opened"), 2);
    cr_expect_eq(answer("bob", "approve"), 0, "%s", said.text);
    cr_expect_eq(answer("carol", "approve"), 0, "%s", said.text);
    live(3000);
    expect_way("w:done -> good");
}

Test(approvals, the_glass_breaks_where_the_policy_lets_it_and_is_reviewed)
{
    json_t *all = NULL;

    with_policy("approvals: {break_glass: {role: board}}\n");
    start(WRITE);
    expect_no_answer("tester", "break_glass", "role board");
    expect_no_answer("bob", "break_glass", "role board");
    cr_expect_eq(answer("dora", "break_glass"), 0, "%s", said.text);
    live(3000);
    expect_way("w:done -> good");
    struct ft_approvals approvals = there();

    cr_assert_eq(ft_approval_reviews(&approvals, &all, &said), 0, "%s", said.text);
    cr_expect_eq(json_array_size(all), 1);
    json_decref(all);
    cr_expect_lt(ft_approval_review(&approvals, run_id, "dora", "test", "fine", &said), 0, "dora reviewed herself");
    cr_expect_lt(ft_approval_review(&approvals, run_id, "bob", "test", "", &said), 0, "a review without a word");
}

Test(approvals, a_policy_without_people_denies)
{
    rig_config(&rig, "fettle: 1\n" POLICY);
    rig_reborn(&rig);
    rig_run(&rig, WRITE, NULL, false);
    expect_way("w:failed -> bad");
    cr_expect(strstr(ft_json_str(rig_event(&rig, "step.failed", "w"), "error"), "names nobody"), "'%s'", ft_json_str(rig_event(&rig, "step.failed", "w"), "error"));
    expect_untouched("nobody is configured");
}

/* ---- reminders, and the next level */

Test(approvals, those_who_are_asked_are_reminded_and_then_the_next_level_is_told)
{
    static const char yaml[] = "fettle: 1\nname: t\ntitle: T\ncategory: incident\nseverity: P1\nsteps:\n  - id: gate\n    approve: May I?\n    by: {role: lead}\n    within: 2h\n    branch:\n"
                               "      - if: result.approved\n        then: good\n      - else: bad\n";
    const json_t *level;

    rig_config(&rig, PEOPLE "approvals: {levels: [lead, board]}\n");
    rig_reborn(&rig);
    start(yaml);
    live(14 * 60000);
    cr_expect_eq(rig_count(&rig, "gate.reminded"), 0);
    live(2 * 60000);
    cr_expect_eq(rig_count(&rig, "gate.reminded"), 1);
    cr_expect_eq(rig_count(&rig, "gate.escalated"), 0);
    live(15 * 60000);
    level = rig_event(&rig, "gate.escalated", "gate");
    cr_assert(level, "P1: the next level is told after 30 minutes");
    cr_expect_str_eq(ft_json_str(level, "role"), "board");
    cr_expect_str_eq(json_string_value(json_array_get(json_object_get(level, "to"), 0)), "dora");
    rig_reborn(&rig);                                  /* the clock begins anew: nothing is said a second time */
    rig_resume(&rig);
    live(60000);
    cr_expect_eq(rig_count(&rig, "gate.escalated"), 1);
    cr_expect_leq(rig_count(&rig, "gate.reminded"), 2);
}

/* ---- a death between any two events */

static unsigned die_at;

static void die(struct rig *r, const json_t *event)
{
    (void)event;
    if (json_array_size(r->events) == die_at)
        ft_loop_stop(r->loop);
}

static void one_life(const char *yaml, bool reject, const char *way)
{
    rig.on_event = die;
    start(yaml);
    cr_expect_eq(answer("bob", "approve"), 0, "%s", said.text);
    cr_expect_eq(answer("carol", reject ? "reject" : "approve"), 0, "%s", said.text);
    live(3000);
    rig.on_event = NULL;
    for (int i = 0; i < 5 && !rig.ended; i++) {
        rig_reborn(&rig);
        rig_resume(&rig);
        if (!rig.ended)
            live(3000);
    }
    cr_expect(rig.ended, "killed at event %u it does not end", die_at);
    cr_expect_eq(rig_records(&rig, NULL), reject ? 0 : 1, "killed at event %u: written %zu times", die_at, rig_records(&rig, NULL));
    expect_way(way);
}

static unsigned dies(const char *yaml, bool reject, const char *way)
{
    unsigned events;

    die_at = 0;
    rig_state(&rig, "{}");
    one_life(yaml, reject, way);
    events = (unsigned)json_array_size(rig.events);
    for (die_at = 5; die_at <= events; die_at++) {
        rig_state(&rig, "{}");
        one_life(yaml, reject, way);
    }
    return events;
}

Test(approvals, what_is_void_stays_void_whatever_dies_in_between)
{
    unsigned events = 0;

    for (die_at = 5; die_at == 5 || die_at <= events; die_at++) {
        rig_state(&rig, "{}");
        rig.on_event = die;
        start(GATE("{role: lead}"));
        rig_state(&rig, "{\"a\": 7}");
        cr_assert_eq(answer("bob", "approve"), 0, "%s", said.text);
        live(3000);
        rig.on_event = NULL;
        for (int i = 0; i < 3; i++) {
            rig_reborn(&rig);
            rig_resume(&rig);
            live(3000);
        }
        cr_assert_eq(rig_records(&rig, NULL), 0, "killed at event %u: written with a void approval", die_at);
        events = events ? events : (unsigned)json_array_size(rig.events);
        cr_assert_eq(answer("carol", "approve"), 0, "killed at event %u: %s", die_at, said.text);
        live(3000);
        cr_assert_eq(rig_records(&rig, NULL), 1, "killed at event %u", die_at);
    }
    cr_expect_gt(events, 8);
}

Test(approvals, each_answer_counts_once_whatever_dies_in_between)
{
    unsigned n = dies(GATE("{role: lead, count: 2}"), false, "gate:done w:done -> good");

    cr_expect_gt(n, 10, "only %u events", n);
    dies(GATE("{role: lead, count: 2}"), true, "gate:done -> bad");
}
