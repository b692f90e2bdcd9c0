/* Dead-man commits: confirmed only once they are verified, never both confirmed and taken back, whenever fettle dies. */
#include <inttypes.h>
#include <criterion/criterion.h>
#include "base/util.h"
#include "data/json.h"
#include "rig.h"

#define HEAD "fettle: 1\nname: t\ntitle: T\ncategory: change\n"
#define SET(more) HEAD "steps:\n  - id: a\n    run: deadman.set\n    with: {value: new}\n" more "    then: good\n"
#define VERIFY "    verify: {run: deadman.get, with: {}, until: \"result.value == 'new'\", every: 5s, within: 1m}\n"
#define NEVER "    verify: {run: deadman.get, with: {}, until: \"result.value == 'other'\", every: 5s, within: 1m}\n"

static struct rig rig;
static unsigned die_at;

static void open_rig(void) { rig_open(&rig); }
static void close_rig(void) { rig_done(&rig); }
TestSuite(confirm, .init = open_rig, .fini = close_rig, .timeout = 120);

/* "set confirm = new": what happened to the device, and what it holds; "*": that waits for its confirmation. malloced */
static char *story(void)
{
    char *path = ft_asprintf("%s/deadman.json", rig.dir), *text = ft_strdup("");
    json_t *device = json_load_file(path, 0, NULL), *line;
    size_t i;

    json_array_foreach(json_object_get(device, "log"), i, line) {
        char *longer = ft_asprintf("%s%s ", text, json_string_value(line));

        free(text);
        text = longer;
    }
    char *whole = ft_asprintf("%s= %s%s", text, ft_json_str(device, "value"), json_object_get(device, "until") ? "*" : "");

    free(text);
    free(path);
    json_decref(device);
    return whole;
}

static void expect_story(const char *wanted)
{
    char *seen = story();

    cr_expect_str_eq(seen, wanted);
    free(seen);
}

static const char *why(void)
{
    return ft_json_str(rig_event(&rig, "step.failed", "a"), "error");
}

/* The place of an event among those of the last run; SIZE_MAX: not there. */
static size_t at(const char *type)
{
    json_t *event;
    size_t i;

    json_array_foreach(rig.events, i, event)
        if (ft_streq(ft_json_str(event, "type"), type))
            return i;
    return SIZE_MAX;
}

Test(confirm, comes_after_the_verification)
{
    rig_run(&rig, SET(VERIFY "    undo: auto\n"), NULL, false);
    cr_assert(rig.ended && rig.end == FT_RUN_OK);
    expect_story("set confirm = new");
    cr_expect_lt(at("step.answered"), at("verify.look"));
    cr_expect_lt(at("verify.look"), at("confirm.intended"));
    cr_expect_lt(at("confirm.intended"), at("confirm.done"));
    cr_expect_lt(at("confirm.done"), at("step.done"));
    cr_expect(json_is_true(json_object_get(json_object_get(rig_event(&rig, "step.done", "a"), "result"), "confirmed")), "the result of confirm counts");
}

Test(confirm, comes_without_a_verification_too)
{
    rig_run(&rig, SET("    undo: none\n"), NULL, false);
    cr_assert(rig.ended && rig.end == FT_RUN_OK);
    expect_story("set confirm = new");
}

Test(confirm, what_has_no_timer_is_not_confirmed)
{
    rig_run(&rig, HEAD "steps:\n  - {id: a, run: deadman.set, with: {value: new, within_s: 0}, undo: auto, then: good}\n", NULL, false);
    expect_story("set = new");
    cr_expect_eq(rig_count(&rig, "confirm.intended"), 0);
}

Test(confirm, a_plugin_of_an_older_interface_confirms_by_itself)
{
    rig_run(&rig, HEAD "steps:\n  - {id: a, run: deadman.former, with: {value: new}, undo: auto, then: good}\n", NULL, false);
    expect_story("set = new");
    cr_expect_eq(rig_count(&rig, "confirm.intended"), 0);
}

Test(confirm, never_of_what_is_not_proven)
{
    rig_run(&rig, SET(NEVER "    undo: auto\n"), NULL, false);
    cr_expect(rig.ended && (rig.end == FT_RUN_FAILED || rig.end == FT_RUN_ROLLED_BACK), "ended %d with %d", rig.ended, (int)rig.end);
    expect_story("set undo = old");
    cr_expect_eq(rig_count(&rig, "confirm.intended"), 0);
    cr_expect(strstr(why(), "it was taken back"), "%s", why());
}

Test(confirm, without_an_undo_the_device_takes_it_back)
{
    rig_run(&rig, SET(NEVER "    undo: none\n"), NULL, false);
    cr_expect(rig.ended && (rig.end == FT_RUN_FAILED || rig.end == FT_RUN_ROLLED_BACK), "ended %d with %d", rig.ended, (int)rig.end);
    expect_story("set lapse = old");
    cr_expect(strstr(why(), "took it back by itself"), "%s", why());
    cr_expect_null(json_object_get(rig_event(&rig, "run.finished", NULL), "stands"), "nothing of it is left");
}

Test(confirm, a_step_with_an_undo_of_its_own_waits_for_the_device)
{
    rig_run(&rig, SET(NEVER "    undo: {run: deadman.set, with: {value: old, within_s: 0}}\n"), NULL, false);
    cr_expect(rig.ended && (rig.end == FT_RUN_FAILED || rig.end == FT_RUN_ROLLED_BACK), "ended %d with %d", rig.ended, (int)rig.end);
    expect_story("set lapse = old");
    cr_expect_eq(rig_count(&rig, "undo.intended"), 0);
    cr_expect_str_eq(ft_json_str(rig_event(&rig, "undo.done", "a"), "by"), "the device");
}

Test(confirm, a_change_that_locks_everybody_out_goes_back)
{
    rig_run(&rig, HEAD "steps:\n  - id: a\n    run: deadman.set\n    with: {value: lockout}\n"
            "    verify: {run: deadman.get, with: {}, until: \"result.value == 'lockout'\", every: 5s, within: 1m}\n    undo: auto\n    then: good\n", NULL, false);
    cr_expect(rig.ended && (rig.end == FT_RUN_FAILED || rig.end == FT_RUN_ROLLED_BACK), "ended %d with %d", rig.ended, (int)rig.end);
    cr_expect(rig.ended && !rig.parked);
    expect_story("set lapse = old");
    cr_expect_eq(rig_count(&rig, "undo.failed"), 0);
}

Test(confirm, a_lost_answer_is_looked_into)
{
    static const struct { const char *trouble, *story; enum ft_run_end end; } cases[] = {
        { "{\"confirm\": [\"ambiguous_done\"]}", "set confirm = new", FT_RUN_OK },
        { "{\"confirm\": [\"ambiguous_not\"]}", "set confirm = new", FT_RUN_OK },
        { "{\"confirm\": [\"unreachable\", \"conflict\"]}", "set confirm = new", FT_RUN_OK },
        { "{\"confirm\": [\"ambiguous_done\"], \"probe\": [\"unreachable\", \"unreachable\"]}", "set confirm = new", FT_RUN_OK },
        { "{\"set\": [\"ambiguous_done\"]}", "set confirm = new", FT_RUN_OK },
        { "{\"set\": [\"ambiguous_not\"]}", "set confirm = new", FT_RUN_OK },
        { "{\"set\": [\"ambiguous_done\"], \"probe\": [\"invalid\"]}", "set confirm = new", FT_RUN_OK },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        rig_done(&rig);
        rig_open(&rig);
        rig_trouble(&rig, cases[i].trouble);
        rig_run(&rig, SET(VERIFY "    undo: auto\n"), NULL, false);
        cr_expect_eq(rig.end, cases[i].end, "%s", cases[i].trouble);
        expect_story(cases[i].story);
    }
}

static char *many(const char *entry, const char *what, unsigned n)
{
    json_t *list = json_array(), *trouble = json_pack("{s:o}", entry, list);
    char *text;

    while (n--)
        json_array_append_new(list, json_string(what));
    text = json_dumps(trouble, 0);
    json_decref(trouble);
    return text;
}

Test(confirm, what_cannot_be_confirmed_in_time_is_taken_back)
{
    char *trouble = many("confirm", "unreachable", 1000);

    rig_trouble(&rig, trouble);
    free(trouble);
    rig_run(&rig, SET(VERIFY "    undo: auto\n"), NULL, false);
    cr_expect(rig.ended && (rig.end == FT_RUN_FAILED || rig.end == FT_RUN_ROLLED_BACK), "ended %d with %d", rig.ended, (int)rig.end);
    expect_story("set undo = old");
    cr_expect(strstr(why(), "could not be confirmed in time"), "%s", why());
}

Test(confirm, what_nobody_can_tell_is_looked_at_when_the_timer_is_over)
{
    static const char text[] = HEAD "steps:\n  - id: a\n    run: deadman.blind\n    with: {value: new}\n" VERIFY "    undo: none\n    then: good\n";
    char *trouble = many("confirm", "ambiguous_not", 1000);

    rig_trouble(&rig, "{\"confirm\": [\"ambiguous_done\"]}");
    rig_run(&rig, text, NULL, false);
    cr_expect_eq(rig.end, FT_RUN_OK);
    expect_story("set confirm = new");
    rig_done(&rig);
    rig_open(&rig);
    rig_trouble(&rig, trouble);
    free(trouble);
    rig_run(&rig, text, NULL, false);
    cr_assert(rig.parked, "a person must say");
    cr_expect(rig_event(&rig, "doubt.opened", "a"));
    expect_story("set lapse = old");
    rig_answer(&rig, "a", "{\"happened\": false}");
    cr_expect(rig.ended && (rig.end == FT_RUN_FAILED || rig.end == FT_RUN_ROLLED_BACK), "ended %d with %d", rig.ended, (int)rig.end);
    cr_expect(strstr(why(), "the device took it back by itself"), "%s", why());
    expect_story("set lapse = old");
}

/* Also where fettle dies while it asks: a change that a person says is there is confirmed, or the device takes it back unseen. */
Test(confirm, what_a_person_says_happened_is_confirmed)
{
    static const char text[] = HEAD "steps:\n  - id: a\n    run: deadman.blind\n    with: {value: new}\n    undo: none\n    then: good\n";

    for (int deaths = 0; deaths < 3; deaths++) {
        rig_trouble(&rig, "{\"set\": [\"ambiguous_done\"]}");
        rig_run(&rig, text, NULL, false);
        for (int i = 0; i < deaths; i++) {
            rig_reborn(&rig);
            rig_resume(&rig);
        }
        cr_assert(rig.parked && !rig.ended, "a person must say");
        rig_answer(&rig, "a", "{\"happened\": true}");
        cr_expect_eq(rig.end, FT_RUN_OK);
        expect_story("set confirm = new");
        rig_done(&rig);
        rig_open(&rig);
    }
}

Test(confirm, needs_more_time_than_the_verification)
{
    static const char text[] = HEAD "steps:\n  - id: a\n    run: deadman.set\n    with: {value: new, within_s: 60}\n" VERIFY "    undo: auto\n    then: good\n";

    rig_run(&rig, text, NULL, false);
    cr_expect(rig.ended && (rig.end == FT_RUN_FAILED || rig.end == FT_RUN_ROLLED_BACK), "ended %d with %d", rig.ended, (int)rig.end);
    cr_expect(strstr(why(), "its verify may take 1 min, but the device takes the change back by itself after 1 min"), "%s", why());
    expect_story("= (null)");
    rig_run(&rig, text, NULL, true);
    json_t *node = json_array_get(json_object_get(json_object_get(rig_event(&rig, "run.planned", NULL), "plan"), "nodes"), 0);

    cr_expect(strstr(ft_json_str(node, "error") ?: "", "confirm_within"), "a dry run says so, too");
}

/* ---- death at every event */

static void die(struct rig *r, const json_t *event)
{
    (void)event;
    if (json_array_size(r->events) == die_at)
        ft_loop_stop(r->loop);
}

/* Runs, dies at event `when`, comes back after `away_ms`. */
static void die_and_return(const char *text, const char *trouble, unsigned when, uint64_t away_ms)
{
    rig_done(&rig);
    rig_open(&rig);
    if (trouble)
        rig_trouble(&rig, trouble);
    rig.on_event = die;
    die_at = when;
    rig_run(&rig, text, NULL, false);
    rig.on_event = NULL;
    rig.away_ms = away_ms;
    rig_reborn(&rig);
    if (!rig.ended)
        rig_resume(&rig);
}

static void expect_one_of(const char *const *stories, unsigned when, uint64_t away_ms)
{
    char *seen = story();
    bool known = false;

    for (; *stories; stories++)
        known |= ft_streq(*stories, seen);
    cr_expect(known, "died at event %u, came back after %" PRIu64 " ms: %s", when, away_ms, seen);
    free(seen);
}

Test(confirm, goes_on_after_death_at_every_event)
{
    static const char *const stories[] = { "set confirm = new", "set lapse = old", "set lapse set confirm = new", "set undo = old" /* too late to confirm */, NULL };
    static const char *const troubles[] = { NULL, "{\"confirm\": [\"ambiguous_done\"]}", "{\"confirm\": [\"ambiguous_not\"]}", "{\"set\": [\"ambiguous_done\"]}" };
    static const char text[] = SET(VERIFY "    undo: auto\n");

    for (size_t t = 0; t < ARRAY_LEN(troubles); t++) {
        for (uint64_t away = 0; away <= 600000; away += 300000 - 1000) {
            for (unsigned when = 1; when < 14; when++) {
                char *seen;

                die_and_return(text, troubles[t], when, away);
                cr_assert(rig.ended, "died at event %u, came back after %" PRIu64 " ms: it did not end", when, away);
                expect_one_of(stories, when, away);
                seen = story();
                cr_expect_eq(rig.end == FT_RUN_OK, strstr(seen, "= new") != NULL, "died at event %u, came back after %" PRIu64 " ms: ended with %d, and %s", when, away,
                             (int)rig.end, seen);
                cr_expect(!strchr(seen, '*'));
                if (rig.end != FT_RUN_OK)
                    cr_expect(strstr(why(), strstr(seen, "undo") ? "could not be confirmed in time" : "the device took it back by itself"), "%s", why());
                free(seen);
            }
        }
    }
}

Test(confirm, is_never_told_after_a_death_in_what_is_not_proven)
{
    static const char *const stories[] = { "set undo = old", "set lapse = old", "set lapse set undo = old", NULL };
    static const char text[] = SET(NEVER "    undo: auto\n");

    for (uint64_t away = 0; away <= 600000; away += 300000) {
        for (unsigned when = 3; when < 24; when++) {
            die_and_return(text, NULL, when, away);
            cr_assert(rig.ended, "died at event %u, came back after %" PRIu64 " ms: it did not end", when, away);
            cr_expect(rig.ended && (rig.end == FT_RUN_FAILED || rig.end == FT_RUN_ROLLED_BACK), "ended %d with %d", rig.ended, (int)rig.end);
            expect_one_of(stories, when, away);
            cr_expect_eq(rig_count(&rig, "confirm.intended"), 0);
        }
    }
}
