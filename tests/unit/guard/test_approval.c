/* Who may decide at a gate, and the one function through which every answer goes. */
#include <criterion/criterion.h>
#include <unistd.h>
#include "base/util.h"
#include "data/json.h"
#include "guard/approval.h"

#define NOW 1790000000000
#define MINUTE 60000

static struct ft_clock *clock_;
static struct ft_loop *loop;
static struct ft_store *store;
static json_t *config;
static struct ft_approvals approvals;
static char path[64], run[9];

static void setup(void)
{
    struct ft_err err = { 0 };

    strcpy(path, "/tmp/fettle-approval-XXXXXX");
    cr_assert_not_null(mkdtemp(path));
    strcat(path, "/s.db");
    clock_ = ft_clock_manual_new(NOW);
    loop = ft_loop_new(clock_);
    cr_assert_eq(ft_store_open(loop, path, &store, &err), 0, "%s", err.text);
    config = json_pack("{s:{s:{}, s:{}, s:{}}, s:{s:{s:[s,s]}, s:{s:[s]}, s:{s:[s]}, s:{s:[s]}, s:{}, s:{}}}", "roles", "lead", "board", "oncall", "people",
                       "alice", "roles", "lead", "oncall", "bob", "roles", "lead", "carol", "roles", "lead", "dora", "roles", "board", "eve", "frank");
    approvals = (struct ft_approvals){ .store = store, .config = config, .clock = clock_ };
}

static void teardown(void)
{
    static const char *const ends[] = { "", "-wal", "-shm" };

    json_decref(config);
    ft_store_close(store);
    ft_loop_free(loop);
    ft_clock_free(clock_);
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        char *name = ft_asprintf("%s%s", path, ends[i]);

        unlink(name);
        free(name);
    }
    *strrchr(path, '/') = '\0';
    rmdir(path);
}

TestSuite(approval, .init = setup, .fini = teardown, .timeout = 60);

/* A run that waits at a gate; more: further members of gate.opened as JSON. */
static void open_gate(const char *by, const char *more)
{
    struct ft_run_info info = { .id = run, .playbook = "p", .digest = "d", .mode = "run", .status = "parked", .outcome = "", .summary = "", .started_ms = NOW };
    json_t *opened = json_pack("{s:s, s:s, s:s, s:s, s:b, s:I, s:I, s:s, s:s}", "type", "gate.opened", "path", "gate", "text", "May I?", "title", "Gate", "people", 1,
                               "opened", (json_int_t)NOW, "until", (json_int_t)(NOW + 30 * MINUTE), "nonce", "n1", "digest",
                               "9b1e44d09b1e44d09b1e44d09b1e44d09b1e44d09b1e44d09b1e44d09b1e44d0");
    struct ft_err err = { 0 };

    json_object_set_new(opened, "by", json_loads(by, 0, NULL));
    if (more) {
        json_t *m = json_loads(more, 0, NULL);

        json_object_update(opened, m);
        json_decref(m);
    }
    ft_store_new_id(store, run);
    info.id = run;
    ft_store_run_put(store, &info);
    ft_store_append(store, run, json_pack("{s:s, s:s, s:s}", "type", "run.started", "requester", "alice", "playbook", "p"), FT_COMMIT, NULL, NULL, &err);
    cr_assert_eq(ft_store_append(store, run, opened, FT_COMMIT, NULL, NULL, &err), 0, "%s", err.text);
}

static json_t *view(const char *who)
{
    struct ft_err err = { 0 };
    json_t *v = NULL;

    cr_assert_eq(ft_approval_view(&approvals, run, NULL, who, &v, &err), 0, "%s", err.text);
    return v;
}

static struct ft_err said;

static int answer_with(const char *who, const char *decision, const char *reason, const char *digest, const char *token)
{
    struct ft_answer answer = { .run = run, .who = who, .where = "test", .decision = decision, .reason = reason, .digest = digest, .token = token };

    memset(&said, 0, sizeof(said));
    return ft_approval_answer(&approvals, &answer, NULL, &said);
}

static int answer(const char *who, const char *decision, const char *reason)
{
    json_t *v = view(who);
    int r = answer_with(who, decision, reason, "9b1e44d0", ft_json_str(v, "token"));

    json_decref(v);
    return r;
}

static void expect_refused(int r, int code, const char *words)
{
    cr_expect_eq(r, code, "%d instead of %d: %s", r, code, said.text);
    cr_expect(strstr(said.text, words), "'%s' does not say '%s'", said.text, words);
}

static void expect_so_far(const char *words)
{
    json_t *v = view(NULL);

    cr_expect_str_eq(ft_json_str(v, "so_far"), words);
    json_decref(v);
}

Test(approval, n_of_m_each_person_once_and_never_the_requester)
{
    open_gate("{\"role\":\"lead\",\"count\":2}", NULL);
    expect_refused(answer("alice", "approve", ""), -EPERM, "asked for the run");
    expect_refused(answer("dora", "approve", ""), -EPERM, "does not have the role");
    expect_refused(answer("mallory", "approve", ""), -EPERM, "no person 'mallory'");
    expect_refused(answer("", "approve", ""), -EPERM, "without a name");
    cr_expect_eq(answer("bob", "approve", ""), 0, "%s", said.text);
    expect_so_far("1 of 2 lead");
    expect_refused(answer("bob", "approve", ""), -EPERM, "counts once");
    expect_refused(answer("bob", "reject", "no"), -EPERM, "counts once");
    cr_expect_eq(answer("carol", "approve", ""), 0, "%s", said.text);
    expect_so_far("2 of 2 lead");
    expect_refused(answer("carol", "approve", ""), -EPERM, "all the answers");
}

Test(approval, another_spelling_is_the_same_person)
{
    json_object_set(json_object_get(config, "people"), "Alice", json_object_get(json_object_get(config, "people"), "alice"));
    open_gate("{\"role\":\"lead\",\"count\":1}", NULL);
    expect_refused(answer("Alice", "approve", ""), -EPERM, "whoever asks does not approve");
}

Test(approval, one_person_fills_one_place_wherever_it_helps_most)
{
    json_object_set_new(json_object_get(json_object_get(config, "people"), "bob"), "roles", json_pack("[s,s]", "lead", "board"));
    open_gate("{\"all\":[{\"role\":\"lead\",\"count\":1},{\"role\":\"board\",\"count\":1}]}", NULL);
    cr_expect_eq(answer("bob", "approve", ""), 0, "%s", said.text);
    expect_so_far("1 of 1 lead, 0 of 1 board");
    cr_expect_eq(answer("carol", "approve", ""), 0, "bob may stand for the board, carol only for the leads: %s", said.text);
    expect_so_far("1 of 1 lead, 1 of 1 board");
}

Test(approval, who_counts_already_does_not_count_again)
{
    open_gate("{\"all\": [{\"role\": \"lead\", \"count\": 1}]}", "{\"requirement\": {\"spent\": [{\"by\": \"bob\", \"role\": \"manager\"}]}}");
    cr_expect_eq(answer("bob", "approve", NULL), -EPERM);
    cr_expect(strstr(said.text, "bob counts already as manager for this"), "%s", said.text);
    cr_expect_eq(answer("carol", "approve", NULL), 0, "%s", said.text);
}

Test(approval, a_token_serves_one_answer_of_one_person)
{
    json_t *bobs, *v;

    open_gate("{\"role\":\"lead\",\"count\":2}", NULL);
    bobs = view("bob");
    expect_refused(answer_with("carol", "approve", "", "9b1e44d0", ft_json_str(bobs, "token")), -ESTALE, "old one");
    expect_refused(answer_with("bob", "approve", "", "9b1e44d0", NULL), -ESTALE, "old one");
    cr_expect_eq(answer_with("bob", "approve", "", "9b1e44d0", ft_json_str(bobs, "token")), 0, "%s", said.text);
    expect_refused(answer_with("bob", "approve", "", "9b1e44d0", ft_json_str(bobs, "token")), -ESTALE, "given already");
    cr_expect_eq(answer("bob", "withdraw", ""), 0, "%s", said.text);
    expect_so_far("0 of 2 lead");
    /* What was withdrawn does not come back because somebody sends the page's form again. */
    expect_refused(answer_with("bob", "approve", "", "9b1e44d0", ft_json_str(bobs, "token")), -ESTALE, "given already");
    v = view("bob");
    cr_expect_null(json_object_get(v, "nonce"), "the nonce is nobody's business");
    json_decref(v);
    json_decref(bobs);
}

Test(approval, what_was_seen_is_what_is_decided)
{
    json_t *v;

    open_gate("{\"role\":\"lead\",\"count\":1}", NULL);
    v = view("bob");
    expect_refused(answer_with("bob", "approve", "", "9b1e44", ft_json_str(v, "token")), -EINVAL, "first 8 digits");
    expect_refused(answer_with("bob", "approve", "", "9b1e44d1", ft_json_str(v, "token")), -ESTALE, "not what was seen");
    expect_refused(answer_with("bob", "approve", "", "", ft_json_str(v, "token")), -EINVAL, "what was seen");
    expect_refused(answer_with("bob", "approve", "", NULL, ft_json_str(v, "token")), -EINVAL, "what was seen");
    json_decref(v);
}

Test(approval, too_late_is_too_late)
{
    open_gate("{\"role\":\"lead\",\"count\":1}", NULL);
    ft_clock_set_wall(clock_, NOW + 30 * MINUTE + 1);
    expect_refused(answer("bob", "approve", ""), -ETIME, "time to answer");
}

Test(approval, a_rejection_needs_a_reason_and_ends_it)
{
    open_gate("{\"role\":\"lead\",\"count\":2}", NULL);
    expect_refused(answer("bob", "reject", ""), -EPERM, "needs a reason");
    expect_refused(answer("dora", "reject", "no"), -EPERM, "does not have the role");
    cr_expect_eq(answer("bob", "reject", "not tonight"), 0, "%s", said.text);
    expect_refused(answer("carol", "approve", ""), -EPERM, "all the answers");
}

Test(approval, a_no_is_heard_until_somebody_went_on_with_the_yes)
{
    open_gate("{\"role\": \"lead\", \"count\": 1}", NULL);
    cr_expect_eq(answer("bob", "approve", NULL), 0, "%s", said.text);
    expect_refused(answer("carol", "withdraw", ""), -EPERM, "no answer here that could be withdrawn");
    cr_expect_eq(answer("bob", "withdraw", NULL), 0, "%s", said.text);
    cr_expect_eq(answer("bob", "approve", NULL), 0, "%s", said.text);
    cr_expect_eq(answer("carol", "reject", "not tonight"), 0, "%s", said.text);
    expect_refused(answer("bob", "withdraw", ""), -EPERM, "all the answers");
}

Test(approval, what_is_approved_can_be_taken_back_while_the_run_waits)
{
    struct ft_err err = { 0 };
    json_t *rows = NULL, *row, *gates, *events = NULL, *event;
    struct ft_people people = { .config = config };

    open_gate("{\"role\": \"lead\", \"count\": 1}", NULL);
    cr_expect_eq(answer("bob", "approve", NULL), 0, "%s", said.text);
    cr_assert_eq(ft_answers(store, run, NULL, false, &rows, &err), 0);
    cr_assert_eq(ft_store_events(store, run, 0, &events, &err), 0);
    gates = ft_gates_of(events);
    event = ft_gate_take(&people, json_array_get(gates, 0), json_array_get(rows, 0));
    cr_assert_eq(ft_store_append(store, run, event, FT_COMMIT, NULL, NULL, &err), 0);
    cr_assert_eq(ft_store_append(store, run, json_pack("{s:s, s:s, s:b}", "type", "gate.answered", "path", "gate", "approved", 1), FT_COMMIT, NULL, NULL, &err), 0);
    ft_clock_advance(clock_, 3600ull * 1000000);              /* its time to answer is long over: this is no answer */
    cr_expect_eq(answer_with("carol", "withdraw", NULL, "9b1e44d0", "?"), -ENOENT, "%s", said.text);
    cr_expect_eq(answer("bob", "approve", NULL), -EALREADY, "%s", said.text);
    cr_expect_eq(answer("bob", "withdraw", "it rains"), 0, "%s", said.text);
    json_decref(rows);
    cr_assert_eq(ft_answers(store, run, NULL, false, &rows, &err), 0);
    json_decref(gates);
    json_decref(events);
    cr_assert_eq(ft_store_events(store, run, 0, &events, &err), 0);
    gates = ft_gates_of(events);
    row = json_array_get(rows, json_array_size(rows) - 1);
    event = ft_gate_take(&people, json_array_get(gates, 0), row);
    cr_expect_str_eq(ft_json_str(event, "type"), "gate.withdrawn");
    ft_gates_note(gates, event, NULL);
    cr_expect_str_eq(ft_json_str(json_array_get(gates, 0), "state"), "withdrawn");
    cr_expect_str_eq(ft_json_str(json_object_get(json_array_get(gates, 0), "revoked"), "reason"), "it rains");
    json_decref(event);
    json_decref(rows);
    json_decref(gates);
    json_decref(events);
}

Test(approval, the_requester_takes_the_request_back_and_nobody_else_does)
{
    open_gate("{\"role\":\"lead\",\"count\":2}", NULL);
    expect_refused(answer("bob", "cancel", ""), -EPERM, "only alice");
    expect_refused(answer("bob", "withdraw", ""), -EPERM, "no answer here");
    cr_expect_eq(answer("alice", "cancel", "changed my mind"), 0, "%s", said.text);
    expect_refused(answer("bob", "approve", ""), -EPERM, "all the answers");
}

/* ---- delegation */

static void delegate_in_config(const char *from, const char *to, const char *until)
{
    json_t *who = json_object_get(json_object_get(config, "people"), from);

    json_object_set_new(who, "delegates_to", json_string(to));
    if (until)
        json_object_set_new(who, "until", json_string(until));
}

Test(approval, who_acts_for_another_gives_that_voice_once)
{
    open_gate("{\"role\":\"lead\",\"count\":2}", NULL);
    delegate_in_config("bob", "eve", NULL);
    cr_expect_eq(answer("eve", "approve", ""), 0, "%s", said.text);
    expect_refused(answer("bob", "approve", ""), -EPERM, "bob's voice was given by eve");
    expect_refused(answer("eve", "approve", ""), -EPERM, "counts once");
    expect_so_far("1 of 2 lead");
}

Test(approval, a_person_with_the_role_who_acts_for_another_is_still_one_person)
{
    open_gate("{\"role\":\"lead\",\"count\":2}", NULL);
    delegate_in_config("bob", "carol", NULL);
    cr_expect_eq(answer("carol", "approve", ""), 0, "%s", said.text);
    expect_refused(answer("carol", "approve", ""), -EPERM, "counts once");
    expect_so_far("1 of 2 lead");
    cr_expect_eq(answer("bob", "approve", ""), 0, "carol used her own voice, not bob's: %s", said.text);
}

Test(approval, the_requester_neither_acts_for_others_nor_through_them)
{
    open_gate("{\"role\":\"lead\",\"count\":1}", NULL);
    delegate_in_config("bob", "alice", NULL);
    delegate_in_config("alice", "eve", NULL);
    expect_refused(answer("alice", "approve", ""), -EPERM, "asked for the run");
    expect_refused(answer("eve", "approve", ""), -EPERM, "only act for alice");
}

Test(approval, a_delegation_is_not_passed_on_and_ends)
{
    open_gate("{\"role\":\"lead\",\"count\":1}", NULL);
    delegate_in_config("bob", "eve", "2026-01-01T00:00:00Z");      /* long over */
    expect_refused(answer("eve", "approve", ""), -EPERM, "does not have the role");
    delegate_in_config("bob", "eve", "2036-01-01T00:00:00Z");
    delegate_in_config("eve", "frank", NULL);
    expect_refused(answer("frank", "approve", ""), -EPERM, "does not have the role");
}

Test(approval, a_delegation_by_word_of_the_person)
{
    open_gate("{\"role\":\"lead\",\"count\":1}", NULL);
    cr_expect_lt(ft_approval_delegate(&approvals, "eve", "lead", "frank", NOW + MINUTE, "test", &said), 0, "eve has no such role");
    cr_expect_lt(ft_approval_delegate(&approvals, "bob", "lead", "bob", NOW + MINUTE, "test", &said), 0);
    cr_expect_lt(ft_approval_delegate(&approvals, "bob", "lead", "nobody", NOW + MINUTE, "test", &said), 0);
    cr_expect_eq(ft_approval_delegate(&approvals, "bob", "lead", "eve", NOW + 10 * MINUTE, "test", &said), 0, "%s", said.text);
    ft_clock_set_wall(clock_, NOW + 1);
    cr_expect_eq(ft_approval_delegate(&approvals, "bob", "lead", "", 0, "test", &said), 0, "%s", said.text);
    expect_refused(answer("eve", "approve", ""), -EPERM, "does not have the role");
    ft_clock_set_wall(clock_, NOW + 2);
    cr_expect_eq(ft_approval_delegate(&approvals, "bob", "lead", "eve", NOW + 10 * MINUTE, "test", &said), 0, "%s", said.text);
    ft_clock_set_wall(clock_, NOW + 11 * MINUTE);
    expect_refused(answer("eve", "approve", ""), -EPERM, "does not have the role");
    ft_clock_set_wall(clock_, NOW + 9 * MINUTE);
    cr_expect_eq(answer("eve", "approve", ""), 0, "%s", said.text);
}

/* ---- seeing */

Test(approval, a_link_only_shows)
{
    char link[33];
    json_t *v = NULL, *events = NULL, *rows = NULL;
    struct ft_err err = { 0 };

    open_gate("{\"role\":\"lead\",\"count\":1}", NULL);
    v = view("bob");
    snprintf(link, sizeof(link), "%s", ft_json_str(v, "link"));
    json_decref(v);
    for (int i = 0; i < 1000; i++) {
        cr_assert_eq(ft_approval_view_link(&approvals, link, i % 2 ? "bob" : NULL, &v, &err), 0, "%s", err.text);
        json_decref(v);
    }
    expect_so_far("0 of 1 lead");
    cr_assert_eq(ft_store_events(store, run, 0, &events, &err), 0);
    cr_expect_eq(json_array_size(events), 2, "seeing it journalled something");
    cr_assert_eq(ft_answers(store, NULL, NULL, true, &rows, &err), 0);
    cr_expect_eq(json_array_size(rows), 0, "seeing it answered something");
    link[31] = link[31] == '0' ? '1' : '0';
    cr_expect_eq(ft_approval_view_link(&approvals, link, "bob", &v, &err), -ENOENT);
    cr_expect_eq(ft_approval_view_link(&approvals, "", "bob", &v, &err), -ENOENT);
    cr_expect_eq(ft_approval_view_link(&approvals, "0123456789abcdef0123456789abcdeg", "bob", &v, &err), -ENOENT);
    cr_expect_eq(ft_approval_view_link(&approvals, "0123456789abcdef0123456789abcdef", "bob", &v, &err), -ENOENT);
    json_decref(events);
    json_decref(rows);
}

Test(approval, lists_what_waits_and_who_may)
{
    json_t *all = NULL, *mine;
    struct ft_err err = { 0 };

    open_gate("{\"role\":\"lead\",\"count\":1}", NULL);
    open_gate("{\"role\":\"board\",\"count\":1}", NULL);
    cr_assert_eq(ft_approval_list(&approvals, "dora", &all, &err), 0, "%s", err.text);
    cr_assert_eq(json_array_size(all), 2);
    mine = json_array_get(all, 1);
    cr_expect(!json_is_true(json_object_get(json_array_get(all, 0), "may")));
    cr_expect(json_is_true(json_object_get(mine, "may")));
    cr_expect_str_eq(ft_json_str(mine, "run"), run);
    cr_expect_str_eq(json_string_value(json_array_get(json_object_get(mine, "asked"), 0)), "dora");
    json_decref(all);
}

/* ---- breaking the glass */

Test(approval, the_glass_breaks_only_where_a_policy_allows_it)
{
    open_gate("{\"role\":\"lead\",\"count\":2}", NULL);
    expect_refused(answer("alice", "break_glass", "the site is down"), -EPERM, "no policy allows");
    open_gate("{\"role\":\"lead\",\"count\":2}", "{\"break_glass\":{\"role\":\"oncall\"}}");
    expect_refused(answer("bob", "break_glass", "the site is down"), -EPERM, "role oncall");
    expect_refused(answer("alice", "break_glass", ""), -EPERM, "needs a reason");
    cr_expect_eq(answer("alice", "break_glass", "the site is down"), 0, "%s", said.text);
    expect_refused(answer("bob", "approve", ""), -EPERM, "all the answers");
}

/* ---- what is checked again when an answer is taken */

static json_t *row(const char *gate, const char *who, const char *digest, uint64_t at)
{
    return json_pack("{s:i, s:s, s:I, s:{s:s, s:s, s:s}}", "row", 1, "gate", gate, "at", (json_int_t)at, "answer", "by", who, "decision", "approve", "digest", digest);
}

static void expect_taken(const json_t *gate, json_t *r, const char *type, const char *why)
{
    struct ft_people people = { .config = config };
    json_t *event = ft_gate_take(&people, gate, r);

    cr_expect_str_eq(ft_json_str(event, "type"), type);
    if (why)
        cr_expect(strstr(ft_json_str(event, "why"), why), "'%s'", ft_json_str(event, "why"));
    json_decref(event);
    json_decref(r);
}

Test(approval, an_answer_is_checked_again_when_it_is_taken)
{
    json_t *events = NULL, *gates, *gate;
    struct ft_people people = { .config = config }, nobody = { .config = NULL };
    const char *digest;

    open_gate("{\"role\":\"lead\",\"count\":1}", NULL);
    cr_assert_eq(ft_store_events(store, run, 0, &events, NULL), 0);
    gates = ft_gates_of(events);
    gate = ft_gate_at(gates, "gate");
    digest = ft_json_str(gate, "digest");
    expect_taken(gate, row("n2", "bob", digest, NOW), "gate.refused", "another gate");
    expect_taken(gate, row("n1", "bob", "9b1e44d0", NOW), "gate.refused", "what was seen");
    expect_taken(gate, row("n1", "bob", digest, NOW + 31 * MINUTE), "gate.refused", "too late");
    expect_taken(gate, row("n1", "alice", digest, NOW), "gate.refused", "asked for the run");
    expect_taken(gate, row("n1", "bob", digest, NOW), "gate.vote", NULL);
    json_t *good = row("n1", "bob", digest, NOW), *vote = ft_gate_take(&people, gate, good);

    json_decref(good);
    ft_gates_note(gates, vote, NULL);
    cr_expect_eq(ft_gate_decide(&people, gate, NULL), FT_GATE_APPROVED);
    /* Taken out of the configuration before it was decided: no longer a vote. And where it cannot be read, nobody counts. */
    json_object_del(json_object_get(config, "people"), "bob");
    cr_expect_eq(ft_gate_decide(&people, gate, NULL), FT_GATE_WAITS);
    cr_expect_eq(ft_gate_decide(&nobody, gate, NULL), FT_GATE_WAITS);
    json_object_set_new(gate, "votes", json_array());
    cr_expect_eq(ft_gate_decide(&nobody, gate, NULL), FT_GATE_WAITS);
    json_decref(vote);
    json_decref(gates);
    json_decref(events);
}

/* ---- when people are reminded, and the next level is told */

static uint64_t at_of(const json_t *times, size_t i)
{
    return (uint64_t)ft_json_int(json_array_get(json_object_get(times, "escalate"), i), "at", 0);
}

Test(approval, reminds_and_tells_the_next_level_by_the_severity)
{
    static const struct { const char *severity; uint64_t remind, first; } by[] = { { "P1", 15, 30 }, { "P2", 60, 240 }, { "P4", 1440, 7 * 1440 } };
    json_t *times;
    uint64_t friday, monday;

    setenv("TZ", "UTC", 1);
    json_object_set_new(config, "approvals", json_pack("{s:[s,s,s]}", "levels", "lead", "oncall", "board"));
    for (size_t i = 0; i < ARRAY_LEN(by); i++) {
        times = ft_gate_times(config, by[i].severity, NOW);
        cr_expect_eq(ft_json_int(times, "remind_ms", 0), by[i].remind * MINUTE, "%s", by[i].severity);
        cr_expect_eq(json_array_size(json_object_get(times, "escalate")), 2, "the first level is asked anyway");
        cr_expect_eq(at_of(times, 0), NOW + by[i].first * MINUTE, "%s", by[i].severity);
        cr_expect_eq(at_of(times, 1), NOW + 2 * by[i].first * MINUTE, "%s", by[i].severity);
        json_decref(times);
    }
    ft_time_parse("2026-11-27T15:00:00Z", &friday);
    ft_time_parse("2026-11-30T08:00:00Z", &monday);
    times = ft_gate_times(config, "P3", friday);
    cr_expect_eq(at_of(times, 0), monday, "P3: the next business day");
    cr_expect_eq(at_of(times, 1), monday + 24 * 60 * (uint64_t)MINUTE);
    json_decref(times);
    json_object_set_new(config, "timezone", json_string("Europe/Zurich"));
    times = ft_gate_times(config, "P3", friday);
    cr_expect_eq(at_of(times, 0), monday - 60 * (uint64_t)MINUTE, "at 8 as the configuration's clock shows it");
    json_decref(times);
    ft_time_parse("2026-11-27T23:30:00Z", &friday);
    times = ft_gate_times(config, "P3", friday);
    cr_expect_eq(at_of(times, 0), monday - 60 * (uint64_t)MINUTE, "it is Saturday there already");
    json_decref(times);
    json_object_del(config, "timezone");
    json_object_set_new(json_object_get(config, "approvals"), "escalate", json_pack("{s:s}", "P3", "2h"));
    json_object_set_new(json_object_get(config, "approvals"), "remind", json_string("5m"));
    times = ft_gate_times(config, "P3", friday);
    cr_expect_eq(at_of(times, 0), friday + 120 * (uint64_t)MINUTE);
    cr_expect_eq(ft_json_int(times, "remind_ms", 0), 5 * MINUTE);
    json_decref(times);
}

Test(approval, says_who_acts_for_whom)
{
    json_t *all = NULL;

    delegate_in_config("bob", "eve", NULL);
    cr_assert_eq(ft_approval_delegations(&approvals, &all, &said), 0, "%s", said.text);
    cr_assert_eq(json_array_size(all), 1);
    cr_expect_str_eq(ft_json_str(json_array_get(all, 0), "person"), "eve");
    cr_expect_str_eq(ft_json_str(json_array_get(all, 0), "from"), "bob");
    json_decref(all);
}
