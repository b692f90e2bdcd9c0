/* What guard answers for a write: which rules speak of it, and the strictest of what they say. */
#include "guard_world.h"
#include <errno.h>
#include "base/buf.h"

#define HEAD "fettle: 1\ntimezone: Europe/Zurich\n"
#define SITES "sites:\n  HQ: {id: 4ac1dcf4}\n  Branch: {id: 77aa0001}\n"
#define WEEKLY "windows:\n  weekly: {rrule: \"FREQ=WEEKLY;BYDAY=SU\", from: \"02:00\", to: \"04:00\"}\n  monthly: {rrule: \"FREQ=MONTHLY;BYDAY=1SA\", from: \"22:00\", to: \"02:00\"}\n"

enum { MIN = 60000 };

/* A case: the configuration, when (UTC), and what is different from a plain write: action, effect, site, target, change … as "key=value" words. */
struct test_case { const char *name, *config, *at, *facts; enum ft_verdict verdict; const char *until, *closes, *says; };

static const struct test_case cases[] = {
    { "no rules", "fettle: 1\n", "2026-11-26 10:00", "", FT_GUARD_GO, NULL, NULL, "" },
    { "a rule of another effect", "fettle: 1\npolicies:\n  - {name: p, match: {effect: disruptive}, never: nobody may}\n", "2026-11-26 10:00", "effect=write", FT_GUARD_GO, NULL, NULL, "" },
    { "never", HEAD SITES "policies:\n  - {name: protected, match: {site: HQ}, never: the hospital}\n", "2026-11-26 10:00", "site=HQ", FT_GUARD_STOP, NULL, NULL, "the hospital (policy 'protected')" },
    { "never, by the site's id", HEAD SITES "policies:\n  - {name: protected, match: {site: HQ}, never: the hospital}\n", "2026-11-26 10:00", "site=4ac1dcf4", FT_GUARD_STOP, NULL, NULL, "the hospital" },
    { "never, the rule has the id and the call the name", HEAD SITES "policies:\n  - {name: protected, match: {site: 4ac1dcf4}, never: the hospital}\n", "2026-11-26 10:00", "site=HQ", FT_GUARD_STOP, NULL, NULL,
      "the hospital" },
    { "never, the site is a target", HEAD SITES "policies:\n  - {name: protected, match: {site: HQ}, never: the hospital}\n", "2026-11-26 10:00", "target=site/4ac1dcf4", FT_GUARD_STOP, NULL, NULL, "the hospital" },
    { "never, the site in other letters", HEAD SITES "policies:\n  - {name: protected, match: {site: HQ}, never: the hospital}\n", "2026-11-26 10:00", "site=hq", FT_GUARD_STOP, NULL, NULL, "the hospital" },
    { "never, its id in other letters", HEAD SITES "policies:\n  - {name: protected, match: {site: HQ}, never: the hospital}\n", "2026-11-26 10:00", "site=4AC1DCF4", FT_GUARD_STOP, NULL, NULL, "the hospital" },
    { "never, only the request says which site", HEAD SITES "policies:\n  - {name: protected, match: {site: HQ}, never: the hospital}\n", "2026-11-26 10:00", "url=/sites/4AC1DCF4/restart", FT_GUARD_STOP, NULL, NULL,
      "the hospital" },
    { "never, the request says another site than the call", HEAD SITES "policies:\n  - {name: protected, match: {site: HQ}, never: the hospital}\n", "2026-11-26 10:00", "site=Branch url=/sites/4ac1dcf4/restart", FT_GUARD_STOP,
      NULL, NULL, "the hospital" },
    { "a longer id is another", HEAD SITES "policies:\n  - {name: protected, match: {site: HQ}, never: the hospital}\n", "2026-11-26 10:00", "url=/sites/4ac1dcf4e/restart", FT_GUARD_GO, NULL, NULL, "" },
    { "a freeze by the request", HEAD SITES "freezes:\n  f: {from: 2026-12-18, to: 2027-01-04, sites: HQ}\n", "2026-12-20 10:00", "url=/sites/4ac1dcf4/restart", FT_GUARD_WAIT, "2027-01-04 23:00", NULL, "freeze 'f'" },
    { "a target in other letters", "fettle: 1\npolicies:\n  - {name: core, match: {target: device/core-*}, never: the core}\n", "2026-11-26 10:00", "target=device/CORE-sw1", FT_GUARD_STOP, NULL, NULL, "the core" },
    { "a MAC in the rule in another notation", "fettle: 1\npolicies:\n  - {name: ap, match: {target: 5C-5B-35-00-00-01}, never: the ap}\n", "2026-11-26 10:00", "target=device/5c:5b:35:00:00:01", FT_GUARD_STOP, NULL, NULL, "the ap" },
    { "and with its kind", "fettle: 1\npolicies:\n  - {name: ap, match: {target: device/5c5b.3500.0001}, never: the ap}\n", "2026-11-26 10:00", "target=device/5c:5b:35:00:00:01", FT_GUARD_STOP, NULL, NULL, "the ap" },
    { "a device by name, its MAC in the request", "fettle: 1\npolicies:\n  - {name: ap, match: {target: \"device/5c:5b:35:00:00:01\"}, never: the ap}\n", "2026-11-26 10:00",
      "target=device/AP-1 url=/devices/00000000-0000-0000-1000-5c5b35000001/restart", FT_GUARD_STOP, NULL, NULL, "the ap" },
    { "an action in other letters in the rule", "fettle: 1\npolicies:\n  - {name: p, match: {action: Mist.AP_Restart}, never: nobody may}\n", "2026-11-26 10:00", "", FT_GUARD_STOP, NULL, NULL, "nobody may" },
    { "six at once of five", HEAD "policies:\n  - {name: pace, budget: {at_most: 5, in: 1h, per: site}}\n", "2026-11-26 10:00", "site=HQ many=6", FT_GUARD_STOP, NULL, NULL, "it changes 6 at once, and at most 5" },
    { "five at once of five", HEAD "policies:\n  - {name: pace, budget: {at_most: 5, in: 1h, per: site}}\n", "2026-11-26 10:00", "site=HQ many=5", FT_GUARD_GO, NULL, NULL, "" },
    { "six at once, one for each target", HEAD "policies:\n  - {name: pace, budget: {at_most: 1, in: 1h, per: target}}\n", "2026-11-26 10:00", "site=HQ many=6", FT_GUARD_GO, NULL, NULL, "" },
    { "what its undo does is never done", "fettle: 1\npolicies:\n  - {name: p, match: {action: sim.blind}, never: nobody may}\n", "2026-11-26 10:00", "undo=sim.blind", FT_GUARD_STOP, NULL, NULL,
      "its undo, sim.blind, is never done here: nobody may (policy 'p')" },
    { "what its undo does is approved", "fettle: 1\npolicies:\n  - {name: p, match: {action: sim.blind}, approval: {role: lead}}\n", "2026-11-26 10:00", "undo=sim.blind", FT_GUARD_APPROVE, NULL, NULL, "lead (1, policy 'p')" },
    { "once, where both are", "fettle: 1\npolicies:\n  - {name: p, approval: {role: lead}}\n", "2026-11-26 10:00", "undo=sim.blind", FT_GUARD_APPROVE, NULL, NULL, "lead (1, policy 'p')" },
    { "the way out waits for no window and no budget", HEAD WEEKLY "policies:\n  - {name: p, match: {action: sim.blind}, windows: weekly, budget: {at_most: 1, in: 1d}}\n", "2026-11-26 10:00", "undo=sim.blind", FT_GUARD_GO,
      NULL, NULL, "" },
    { "one person for two roles is one", HEAD "policies:\n  - {name: v, approval: {role: lead}}\n  - {name: w, approval: {role: manager}}\n", "2026-11-26 10:00", "by=lead:ann also=manager:ann", FT_GUARD_APPROVE, NULL, NULL,
      "manager (1" },
    { "two people for two roles", HEAD "policies:\n  - {name: v, approval: {role: lead}}\n  - {name: w, approval: {role: manager}}\n", "2026-11-26 10:00", "by=lead:ann+bob also=manager:ann", FT_GUARD_GO, NULL, NULL, "" },
    { "another site", HEAD SITES "policies:\n  - {name: protected, match: {site: HQ}, never: the hospital}\n", "2026-11-26 10:00", "site=Branch", FT_GUARD_GO, NULL, NULL, "" },
    { "never, by what is behind the target's kind", "fettle: 1\npolicies:\n  - {name: core, match: {target: core-*}, never: the core}\n", "2026-11-26 10:00", "target=device/core-sw1", FT_GUARD_STOP, NULL, NULL, "the core" },
    { "actions by pattern", "fettle: 1\npolicies:\n  - {name: aps, match: {action: [\"mist.ap_*\", \"switch.*\"]}, never: nobody may}\n", "2026-11-26 10:00", "action=switch.set_vlan", FT_GUARD_STOP, NULL, NULL, "switch.set_vlan is never" },
    { "all of a match must hold", "fettle: 1\npolicies:\n  - {name: p, match: {action: \"mist.*\", severity: P1}, never: nobody may}\n", "2026-11-26 10:00", "action=mist.x severity=P2", FT_GUARD_GO, NULL, NULL, "" },
    { "all but some actions", "fettle: 1\npolicies:\n  - {name: p, match: {action: [\"!ticket.*\", \"!notify.*\"]}, never: nobody may}\n", "2026-11-26 10:00", "action=ticket.open", FT_GUARD_GO, NULL, NULL, "" },
    { "and the others", "fettle: 1\npolicies:\n  - {name: p, match: {action: [\"!ticket.*\", \"!notify.*\"]}, never: nobody may}\n", "2026-11-26 10:00", "action=mist.x", FT_GUARD_STOP, NULL, NULL, "nobody may" },
    { "a freeze that lets tickets through", HEAD "freezes:\n  f: {from: 2026-12-18, to: 2027-01-04, actions: \"!ticket.*\"}\n", "2026-12-20 10:00", "action=ticket.open", FT_GUARD_GO, NULL, NULL, "" },
    { "a freeze of a site that is a target", HEAD SITES "freezes:\n  f: {from: 2026-12-18, to: 2027-01-04, sites: HQ}\n", "2026-12-20 10:00", "target=site/HQ", FT_GUARD_WAIT, "2027-01-04 23:00", NULL, "freeze 'f'" },
    { "outside of the window: waits for Sunday", HEAD WEEKLY "policies:\n  - {name: w, windows: weekly}\n", "2026-11-26 10:00", "", FT_GUARD_WAIT, "2026-11-29 01:00", NULL, "from Sun 2026-11-29 02:00 CET on (policy 'w')" },
    { "inside of the window", HEAD WEEKLY "policies:\n  - {name: w, windows: weekly}\n", "2026-11-29 01:30", "", FT_GUARD_GO, NULL, "2026-11-29 03:00", "" },
    { "inside, but it does not fit any more: the next one", HEAD WEEKLY "policies:\n  - {name: w, windows: weekly}\n", "2026-11-29 02:55", "", FT_GUARD_WAIT, "2026-12-06 01:00", NULL, "it may take 10 min" },
    { "it just fits", HEAD WEEKLY "policies:\n  - {name: w, windows: weekly}\n", "2026-11-29 02:50", "", FT_GUARD_GO, NULL, "2026-11-29 03:00", "" },
    { "after a write it does not wait", HEAD WEEKLY "policies:\n  - {name: w, windows: weekly}\n", "2026-11-29 02:55", "done=1", FT_GUARD_STOP, NULL, NULL, "does not fit any more" },
    { "longer than any window", HEAD WEEKLY "policies:\n  - {name: w, windows: weekly}\n", "2026-11-29 01:30", "need=200", FT_GUARD_STOP, NULL, NULL, "the longest time that the windows leave is 3 h" },
    { "either window", HEAD WEEKLY "policies:\n  - {name: w, windows: [weekly, monthly]}\n", "2026-12-01 10:00", "", FT_GUARD_WAIT, "2026-12-05 21:00", NULL, "Sat 2026-12-05 22:00" },
    { "both windows: never both", HEAD WEEKLY "policies:\n  - {name: w, windows: weekly}\n  - {name: m, windows: monthly}\n", "2026-12-01 10:00", "", FT_GUARD_STOP, NULL, NULL, "leave no time" },
    { "a freeze", HEAD "freezes:\n  year_end: {from: \"2026-12-18 18:00\", to: \"2027-01-04 06:00\", about: the year's end}\n", "2026-12-20 10:00", "", FT_GUARD_WAIT, "2027-01-04 05:00", NULL,
      "freeze 'year_end': the year's end" },
    { "a freeze that is near", HEAD "freezes:\n  year_end: {from: \"2026-12-18 18:00\", to: \"2027-01-04 06:00\"}\n", "2026-12-18 16:55", "", FT_GUARD_WAIT, "2027-01-04 05:00", NULL, "a freeze is about to begin" },
    { "a freeze that is not near enough", HEAD "freezes:\n  year_end: {from: \"2026-12-18 18:00\", to: \"2027-01-04 06:00\"}\n", "2026-12-18 16:45", "", FT_GUARD_GO, NULL, "2026-12-18 17:00", "" },
    { "a freeze elsewhere", HEAD SITES "freezes:\n  f: {from: 2026-12-18, to: 2027-01-04, sites: HQ}\n", "2026-12-20 10:00", "site=Branch", FT_GUARD_GO, NULL, NULL, "" },
    { "a freeze does not stop an emergency", HEAD "categories:\n  emergency:\n  normal:\nfreezes:\n  f: {from: 2026-12-18, to: 2027-01-04, except: emergency}\n", "2026-12-20 10:00", "change=emergency", FT_GUARD_GO, NULL, NULL, "" },
    { "but it does a normal one", HEAD "categories:\n  emergency:\n  normal:\nfreezes:\n  f: {from: 2026-12-18, to: 2027-01-04, except: emergency}\n", "2026-12-20 10:00", "change=normal", FT_GUARD_WAIT, "2027-01-04 23:00", NULL, "freeze 'f'" },
    { "a freeze of days ends with its last day", HEAD "freezes:\n  f: {from: 2026-12-18, to: 2026-12-18}\n", "2026-12-18 22:00", "", FT_GUARD_WAIT, "2026-12-18 23:00", NULL, "" },
    { "a window within a freeze is none", HEAD WEEKLY "freezes:\n  f: {from: 2026-11-28, to: 2026-12-05}\npolicies:\n  - {name: w, windows: weekly}\n", "2026-11-26 10:00", "", FT_GUARD_WAIT, "2026-12-06 01:00", NULL, "" },
    { "lead time", HEAD "categories:\n  standard: {lead_time: 7d}\n", "2026-11-26 10:00", "change=standard asked=2026-11-25", FT_GUARD_WAIT, "2026-12-02 00:00", NULL, "not asked for long enough before" },
    { "lead time, then the window behind it", HEAD WEEKLY "categories:\n  standard: {lead_time: 7d, windows: weekly}\n", "2026-11-26 10:00", "change=standard asked=2026-11-25", FT_GUARD_WAIT, "2026-12-06 01:00", NULL,
      "not asked for long enough before" },
    { "asked for long before", HEAD "categories:\n  standard: {lead_time: 7d}\n", "2026-11-26 10:00", "change=standard asked=2026-11-18", FT_GUARD_GO, NULL, NULL, "" },
    { "the longest lead time", HEAD "policies:\n  - {name: a, lead_time: 1d}\n  - {name: b, lead_time: 3d}\n  - {name: c, lead_time: 2d}\n", "2026-11-26 10:00", "asked=2026-11-26", FT_GUARD_WAIT, "2026-11-29 00:00", NULL, "policy 'b'" },
    { "a category that there is not", HEAD "categories:\n  normal:\n", "2026-11-26 10:00", "change=normall", FT_GUARD_STOP, NULL, NULL, "no category of changes 'normall'" },
    { "outside of windows people approve", HEAD WEEKLY "policies:\n  - {name: night, match: {outside: weekly}, approval: {role: cto}}\n", "2026-11-26 10:00", "", FT_GUARD_APPROVE, NULL, NULL, "approval of cto (1, policy 'night')" },
    { "and inside they do not", HEAD WEEKLY "policies:\n  - {name: night, match: {outside: weekly}, approval: {role: cto}}\n", "2026-11-29 01:30", "", FT_GUARD_GO, NULL, NULL, "" },
    { "but they do where it reaches out of it", HEAD WEEKLY "policies:\n  - {name: night, match: {outside: weekly}, approval: {role: cto}}\n", "2026-11-29 02:55", "", FT_GUARD_APPROVE, NULL, NULL, "cto" },
    { "inside, also where it only reaches into it", HEAD WEEKLY "policies:\n  - {name: inside, match: {inside: weekly}, never: nobody may}\n", "2026-11-29 00:55", "", FT_GUARD_STOP, NULL, NULL, "policy 'inside'" },
    { "people are asked before the window opens", HEAD WEEKLY "policies:\n  - {name: w, windows: weekly, approval: {role: lead}}\n", "2026-11-26 10:00", "", FT_GUARD_APPROVE, NULL, NULL, "lead" },
    { "approved, it waits", HEAD WEEKLY "policies:\n  - {name: w, windows: weekly, approval: {role: lead}}\n", "2026-11-26 10:00", "by=lead:ann", FT_GUARD_WAIT, "2026-11-29 01:00", NULL, "" },
    { "the requester does not count", HEAD "policies:\n  - {name: w, approval: {role: lead}}\n", "2026-11-26 10:00", "by=lead:requester", FT_GUARD_APPROVE, NULL, NULL, "lead" },
    { "nor in another spelling", HEAD "policies:\n  - {name: w, approval: {role: lead}}\n", "2026-11-26 10:00", "by=lead:Requester", FT_GUARD_APPROVE, NULL, NULL, "lead" },
    { "one of two", HEAD "policies:\n  - {name: w, approval: {role: lead, count: 2}}\n", "2026-11-26 10:00", "by=lead:ann", FT_GUARD_APPROVE, NULL, NULL, "lead (2" },
    { "one person twice is one", HEAD "policies:\n  - {name: w, approval: {role: lead, count: 2}}\n", "2026-11-26 10:00", "by=lead:ann+ann", FT_GUARD_APPROVE, NULL, NULL, "lead (2" },
    { "two of two", HEAD "policies:\n  - {name: w, approval: {role: lead, count: 2}}\n", "2026-11-26 10:00", "by=lead:ann+bob", FT_GUARD_GO, NULL, NULL, "" },
    { "another role does not do", HEAD "policies:\n  - {name: w, approval: {role: lead}}\n", "2026-11-26 10:00", "by=cto:ann", FT_GUARD_APPROVE, NULL, NULL, "lead" },
    { "glass is broken where it may be", HEAD "policies:\n  - {name: w, approval: {role: lead, break_glass: true}}\n", "2026-11-26 10:00", "glass=1", FT_GUARD_GO, NULL, NULL, "" },
    { "and not where it may not", HEAD "policies:\n  - {name: w, approval: {role: lead}}\n", "2026-11-26 10:00", "glass=1", FT_GUARD_APPROVE, NULL, NULL, "lead" },
    { "one rule allows it, the other does not", HEAD "policies:\n  - {name: w, approval: {role: lead, break_glass: true}}\n  - {name: v, approval: {role: lead}}\n", "2026-11-26 10:00", "glass=1", FT_GUARD_APPROVE, NULL, NULL, "lead" },
    { "glass opens no window", HEAD WEEKLY "policies:\n  - {name: w, windows: weekly, approval: {role: lead, break_glass: true}}\n", "2026-11-26 10:00", "glass=1", FT_GUARD_WAIT, "2026-11-29 01:00", NULL, "" },
};

static bool word(const char *facts, const char *key, char *ret, size_t len)
{
    char find[32];
    const char *at;

    snprintf(find, sizeof(find), "%s=", key);
    at = strstr(facts, find);
    if (!at)
        return false;
    at += strlen(find);
    snprintf(ret, len, "%.*s", (int)strcspn(at, " "), at);
    return true;
}

struct bag { struct ft_write_facts undo; char undo_action[64], action[64], effect[32], site[32], target[64], change[32], severity[8], text[100]; json_t *targets, *approvals, *glass, *plan; };

/* role:name+name */
static void add_approval(struct bag *bag, char *text)
{
    char *colon = strchr(text, ':'), *save = NULL, *name;
    json_t *names = json_array();

    *colon = '\0';
    for (name = strtok_r(colon + 1, "+", &save); name; name = strtok_r(NULL, "+", &save))
        json_array_append_new(names, json_string(name));
    if (!bag->approvals)
        bag->approvals = json_array();
    json_array_append_new(bag->approvals, json_pack("{s:s, s:i, s:o}", "role", text, "count", 1, "by", names));
}

static struct ft_write_facts facts_of(const char *text, struct bag *bag, uint64_t now)
{
    struct ft_write_facts f = { .run_id = "00000001", .path = "w", .requester = "requester", .playbook = "t", .category = "change", .action = "mist.ap_restart", .effect = "disruptive", .need_ms = 10 * MIN, .attempt = 1,
                                .requested_ms = now };

    memset(bag, 0, sizeof(*bag));
    f.action = word(text, "action", bag->action, sizeof(bag->action)) ? bag->action : f.action;
    f.effect = word(text, "effect", bag->effect, sizeof(bag->effect)) ? bag->effect : f.effect;
    f.site = word(text, "site", bag->site, sizeof(bag->site)) ? bag->site : NULL;
    f.change = word(text, "change", bag->change, sizeof(bag->change)) ? bag->change : NULL;
    f.severity = word(text, "severity", bag->severity, sizeof(bag->severity)) ? bag->severity : NULL;
    bag->targets = json_array();
    if (word(text, "target", bag->target, sizeof(bag->target)))
        json_array_append_new(bag->targets, json_string(bag->target));
    f.targets = bag->targets;
    if (word(text, "need", bag->text, sizeof(bag->text)))
        f.need_ms = (uint64_t)atoi(bag->text) * MIN;
    if (word(text, "done", bag->text, sizeof(bag->text)))
        f.writes_done = (unsigned)atoi(bag->text);
    if (word(text, "asked", bag->text, sizeof(bag->text)))
        f.requested_ms = ms_at(bag->text);
    if (word(text, "many", bag->text, sizeof(bag->text)))
        for (int i = atoi(bag->text); i > 0; i--)
            json_array_append_new(bag->targets, json_sprintf("device/ap-%d", i));
    if (word(text, "url", bag->text, sizeof(bag->text)))
        f.plan = bag->plan = json_pack("{s:[{s:s, s:s}]}", "requests", "method", "POST", "url", bag->text);
    if (word(text, "by", bag->text, sizeof(bag->text)))
        add_approval(bag, bag->text);
    if (word(text, "also", bag->text, sizeof(bag->text)))
        add_approval(bag, bag->text);
    if (word(text, "undo", bag->undo_action, sizeof(bag->undo_action))) {
        bag->undo = f;
        bag->undo.action = bag->undo_action;
        f.undo = &bag->undo;
    }
    f.approvals = bag->approvals;
    if (strstr(text, "glass=1"))
        bag->glass = json_pack("{s:s, s:s}", "by", "requester", "reason", "the building is on fire");
    f.break_glass = bag->glass;
    return f;
}

static void bag_done(struct bag *bag)
{
    json_decref(bag->targets);
    json_decref(bag->approvals);
    json_decref(bag->plan);
    json_decref(bag->glass);
}

Test(guard, answers)
{
    static const char *const verdicts[] = { "go", "approve", "wait", "stop" };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct test_case *c = &cases[i];
        struct guard_world w = world_open(c->config, NULL, c->at);
        struct bag bag;
        struct ft_write_facts facts = facts_of(c->facts, &bag, ms_at(c->at));
        struct ft_guard_answer answer, preview;
        struct ft_err err = { 0 };

        cr_assert_eq(ft_guard_preview(w.guard, &facts, 0, &preview, &err), 0, "%s: %s", c->name, err.text);
        cr_assert_eq(ft_guard_write(w.guard, &facts, &answer, &err), 0, "%s: %s", c->name, err.text);
        cr_expect_eq(answer.verdict, c->verdict, "%s: %s: %s", c->name, verdicts[answer.verdict], answer.text);
        cr_expect_eq(preview.verdict, answer.verdict, "%s: the preview says %s", c->name, verdicts[preview.verdict]);
        cr_expect_eq(answer.until_ms, c->until ? ms_at(c->until) : 0, "%s: until %llu: %s", c->name, (unsigned long long)answer.until_ms, answer.text);
        cr_expect_eq(answer.closes_ms, c->closes ? ms_at(c->closes) : 0, "%s: closes %llu", c->name, (unsigned long long)answer.closes_ms);
        cr_expect(strstr(answer.text, c->says), "%s: says: %s", c->name, answer.text);
        cr_expect(answer.verdict == FT_GUARD_GO || *answer.text, "%s: nothing is said", c->name);
        cr_expect_eq(answer.class, answer.verdict == FT_GUARD_STOP ? FT_REFUSED : FT_CLASS_NONE);
        ft_guard_answer_done(&answer);
        ft_guard_answer_done(&preview);
        bag_done(&bag);
        world_close(&w);
    }
}

Test(guard, requirements_of_all_rules_add_up)
{
    struct guard_world w = world_open("fettle: 1\npolicies:\n"
                                      "  - {name: a, approval: {role: lead, count: 1, within: 2h, remind: 10m, break_glass: true}}\n"
                                      "  - {name: b, approval: {role: lead, count: 3, within: 1h, escalate: [{after: 30m, role: cto}]}}\n"
                                      "  - {name: c, approval: {role: board}}\n", NULL, "2026-11-26 10:00");
    struct bag bag;
    struct ft_write_facts facts = facts_of("", &bag, 0);
    struct ft_guard_answer answer;
    char *text;

    cr_assert_eq(ft_guard_write(w.guard, &facts, &answer, NULL), 0);
    cr_assert_eq(answer.verdict, FT_GUARD_APPROVE);
    text = ft_json_canonical(answer.approval);
    cr_expect_str_eq(text, "{\"all\":[{\"break_glass\":false,\"count\":3,\"escalate\":[{\"after_ms\":1800000,\"role\":\"cto\"}],\"policy\":\"a, b\",\"remind_ms\":600000,\"role\":\"lead\",\"within_ms\":3600000},"
                           "{\"break_glass\":false,\"count\":1,\"policy\":\"c\",\"role\":\"board\"}]}");
    free(text);
    cr_expect_eq(json_array_size(answer.rules), 3);
    ft_guard_answer_done(&answer);
    bag_done(&bag);
    world_close(&w);
}

static void expect_change(const struct ft_guard *guard, const char *own, const char *asked, const char *category, const char *want, const char *says)
{
    const char *got = NULL;
    struct ft_err err = { 0 };
    int r = ft_guard_change(guard, own, asked, category, &got, &err);

    cr_expect_eq(r, says ? -EINVAL : 0, "%s", err.text);
    if (!says)
        cr_expect(ft_streq(got, want), "%s, not %s", got ? got : "none", want ? want : "none");
    else
        cr_expect(strstr(err.text, says), "%s", err.text);
}

Test(guard, which_category_a_change_has)
{
    struct guard_world w = world_open("fettle: 1\ncategories:\n  emergency: {overrides: true}\n  standard:\n  normal: {default: true}\n", NULL, "2026-11-26 10:00");

    expect_change(w.guard, NULL, NULL, "change", "normal", NULL);
    expect_change(w.guard, NULL, NULL, "incident", NULL, NULL);
    expect_change(w.guard, "standard", NULL, "change", "standard", NULL);
    expect_change(w.guard, NULL, "standard", "change", NULL, "so it is 'normal', and a run cannot make it 'standard'");
    expect_change(w.guard, NULL, "normal", "change", "normal", NULL);
    expect_change(w.guard, NULL, "emergency", "change", "emergency", NULL);
    expect_change(w.guard, NULL, "standard", "incident", "standard", NULL);
    expect_change(w.guard, "standard", "standard", "change", "standard", NULL);
    expect_change(w.guard, "standard", "emergency", "change", "emergency", NULL);
    expect_change(w.guard, "standard", "normal", "change", NULL, "a run cannot make it 'normal'");
    expect_change(w.guard, NULL, "normall", "change", NULL, "did you mean 'normal'?");
    expect_change(w.guard, "standart", NULL, "change", NULL, "did you mean 'standard'?");
    world_close(&w);
}

Test(guard, a_run_does_not_make_itself_an_exception_of_a_freeze)
{
    struct guard_world w = world_open("fettle: 1\ncategories:\n  emergency: {overrides: true}\n  standard:\n"
                                      "freezes:\n  f: {from: 2026-12-18, to: 2027-01-04, except: [emergency, standard]}\n", NULL, "2026-11-26 10:00");

    expect_change(w.guard, NULL, "standard", "incident", NULL, "a freeze lets changes of category 'standard' through");
    expect_change(w.guard, NULL, "emergency", "incident", "emergency", NULL);
    expect_change(w.guard, "standard", NULL, "change", "standard", NULL);
    world_close(&w);
}

Test(guard, windows_by_name)
{
    struct guard_world w = world_open(HEAD WEEKLY, NULL, "2026-11-26 10:00");
    uint64_t opens, closes;
    struct ft_err err = { 0 };

    cr_assert_eq(ft_guard_window(w.guard, "weekly", ms_at("2026-11-26 10:00"), &opens, &closes, &err), 0);
    cr_expect_eq(opens, ms_at("2026-11-29 01:00"));
    cr_expect_eq(closes, ms_at("2026-11-29 03:00"));
    cr_assert_eq(ft_guard_window(w.guard, "weekly", ms_at("2026-11-29 02:59"), &opens, &closes, &err), 0);
    cr_expect_eq(opens, ms_at("2026-11-29 02:59"));
    cr_assert_eq(ft_guard_window(w.guard, "weekly", ms_at("2026-11-29 03:00"), &opens, &closes, &err), 0);
    cr_expect_eq(opens, ms_at("2026-12-06 01:00"));
    cr_assert_eq(ft_guard_window(w.guard, "weekli", ms_at("2026-11-29 03:00"), &opens, &closes, &err), -ENOENT);
    cr_expect(strstr(err.text, "did you mean 'weekly'?"), "%s", err.text);
    world_close(&w);
}

Test(guard, what_a_playbook_says_that_it_reads)
{
    struct guard_world w = world_open("fettle: 1\npolicies:\n  - {name: a, match: {action: \"exec.*\"}, never: no programs}\n  - {name: b, match: {action: ssh.command, site: HQ}, never: not there}\n"
                                      "  - {name: c, match: {action: \"!ticket.*\"}, never: nothing}\n  - {name: d, match: {action: http.request, category: check}, never: no checks}\n", NULL, "2026-11-26 10:00");
    static const struct { const char *action, *category, *says; } reads[] = {
        { "exec.command", "incident", "the step 'look' calls exec.command and says that it only reads" }, { "ssh.command", "incident", NULL }, { "http.request", "incident", NULL }, { "http.request", "check", "policy 'd'" },
    };

    for (size_t i = 0; i < ARRAY_LEN(reads); i++) {
        struct ft_write_facts facts = { .path = "look", .playbook = "p", .category = reads[i].category, .action = reads[i].action };
        struct ft_err err = { 0 };

        cr_expect_eq(ft_guard_declared_read(w.guard, &facts, &err), reads[i].says ? -EPERM : 0, "%s: %s", reads[i].action, err.text);
        cr_expect(!reads[i].says || strstr(err.text, reads[i].says), "%s", err.text);
    }
    world_close(&w);
}

/* A process that lives for days: the rules of now hold; and where they cannot be read, nothing starts. */
Test(guard, the_rules_of_now)
{
    struct guard_world w = world_open("fettle: 1\npolicies:\n  - {name: a, approval: {role: lead}}\n", NULL, "2026-11-26 10:00");
    struct ft_config *later = load_config("fettle: 1\npolicies:\n  - {name: b, never: the auditors are here}\n  - {name: c, approval: {role: lead}}\n");
    static const struct { int use; enum ft_verdict verdict; const char *says; } turns[] = {
        { 0, FT_GUARD_APPROVE, "policy 'a'" }, { 1, FT_GUARD_STOP, "the auditors are here" }, { 2, FT_GUARD_WAIT, "has mistakes now, and nothing is changed until they are mended" }, { 1, FT_GUARD_STOP, "policy 'b'" },
    };
    struct ft_write_facts facts = { .run_id = "1", .path = "w", .action = "a.b", .effect = "write", .attempt = 1 };

    for (size_t i = 0; i < ARRAY_LEN(turns); i++) {
        struct ft_guard_answer answer;

        if (turns[i].use)
            ft_guard_use(w.guard, turns[i].use == 1 ? later : NULL);
        cr_assert_eq(ft_guard_write(w.guard, &facts, &answer, NULL), 0);
        cr_expect_eq(answer.verdict, turns[i].verdict, "%zu: %s", i, answer.text);
        cr_expect(strstr(answer.text, turns[i].says), "%zu: %s", i, answer.text);
        cr_expect(answer.verdict != FT_GUARD_WAIT || answer.until_ms > ms_at("2026-11-26 10:00"));
        ft_guard_answer_done(&answer);
    }
    world_close(&w);
    ft_config_free(later);
}

/* ---- no rule loosens */

static const char *pick(unsigned *seed, const char *const *from, size_t n)
{
    return from[(size_t)rand_r(seed) % n];
}
#define PICK(seed, ...) pick(seed, (const char *const[]){ __VA_ARGS__ }, sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

static char *random_rule(unsigned *seed, int number)
{
    struct ft_buf buf = FT_BUF_INIT(0);
    const char *match[] = {
        PICK(seed, "", "effect: disruptive, ", "effect: write, ", "effect: [write, disruptive], "), PICK(seed, "", "", "action: \"mist.*\", ", "action: switch.set_vlan, "),
        PICK(seed, "", "", "site: HQ, ", "site: [Branch, HQ], "), PICK(seed, "", "", "outside: weekly, ", "inside: monthly, ", "change: normal, "),
    };
    const char *needs[] = {
        PICK(seed, "approval: {role: lead}", "approval: {role: lead, count: 2}", "approval: {role: cto, break_glass: true}", "approval: {role: lead, break_glass: true}"),
        PICK(seed, "windows: weekly", "windows: [weekly, monthly]", "windows: monthly", "windows: daily"),
        PICK(seed, "lead_time: 1d", "lead_time: 10d", "budget: {at_most: 1, in: 1h}", "budget: {at_most: 5, in: 1d, per: site, over: stop}", "no_better: {times: 1, in: 1d}"),
        PICK(seed, "never: nobody may", "lead_time: 2h", "windows: daily"),
    };
    bool any = false;
    unsigned which = 1u << ((unsigned)rand_r(seed) % 4) | (rand_r(seed) % 2 ? 1u << ((unsigned)rand_r(seed) % 3) : 0);

    ft_buf_addf(&buf, "  - {name: p%d, ", number);
    for (size_t i = 0; i < ARRAY_LEN(match); i++)
        any = any || *match[i];
    if (any)
        ft_buf_adds(&buf, "match: {");
    for (size_t i = 0; i < ARRAY_LEN(match); i++)
        ft_buf_adds(&buf, match[i]);
    if (any)
        ft_buf_adds(&buf, "}, ");
    if ((which & 8) && rand_r(seed) % 4)
        which = 1;                                 /* "never" is rare, or it would be all there is to see */
    if ((which & 2) && (which & 8))
        which &= ~8u;
    if ((which & 4) && (which & 8))
        which &= ~8u;
    for (unsigned i = 0; i < ARRAY_LEN(needs); i++)
        if (which & 1u << i)
            ft_buf_addf(&buf, "%s, ", needs[i]);
    ft_buf_adds(&buf, "}\n");
    return ft_buf_take(&buf);
}

#define RULES_HEAD HEAD SITES "windows:\n  weekly: {rrule: \"FREQ=WEEKLY;BYDAY=SU\", from: \"02:00\", to: \"04:00\"}\n" \
    "  monthly: {rrule: \"FREQ=MONTHLY;BYDAY=1SA\", from: \"22:00\", to: \"02:00\"}\n  daily: {rrule: \"FREQ=DAILY\", from: \"00:00\", to: \"08:00\"}\ncategories:\n  normal:\n"

static struct guard_world world_of_rules(const char *rules)
{
    char *text = ft_asprintf("%s%s%s", RULES_HEAD, *rules ? "policies:\n" : "", rules);
    struct guard_world w = world_open(text, NULL, "2026-11-26");
    struct bag bag;
    struct ft_write_facts before = facts_of("site=HQ", &bag, 0);
    struct ft_guard_answer spent;
    struct ft_err err = { 0 };

    before.run_id = "earlier";                     /* something of the budgets is used, the same with either set of rules */
    for (int i = 0; i < 2; i++) {
        before.path = i ? "x" : "y";
        cr_assert_eq(ft_guard_write(w.guard, &before, &spent, &err), 0, "%s", err.text);
        ft_guard_answer_done(&spent);
    }
    bag_done(&bag);
    free(text);
    return w;
}

static void expect_stricter(const struct ft_guard_answer *less, const struct ft_guard_answer *more, const char *rules, const char *rule)
{
    json_t *a, *b;
    size_t i, j;

    cr_expect(less->verdict != FT_GUARD_STOP || more->verdict == FT_GUARD_STOP, "a stop is gone:\n%sand:\n%s", rules, rule);
    cr_expect(less->verdict == FT_GUARD_GO || more->verdict != FT_GUARD_GO, "it may go:\n%sand:\n%s", rules, rule);
    cr_expect(less->verdict != FT_GUARD_APPROVE || more->verdict == FT_GUARD_APPROVE || more->verdict == FT_GUARD_STOP, "nobody approves:\n%sand:\n%s", rules, rule);
    cr_expect(!(less->verdict == FT_GUARD_WAIT && more->verdict == FT_GUARD_WAIT) || more->until_ms >= less->until_ms, "it waits less:\n%sand:\n%s", rules, rule);
    cr_expect(!(less->closes_ms && more->verdict == FT_GUARD_GO) || (more->closes_ms && more->closes_ms <= less->closes_ms), "it closes later:\n%sand:\n%s", rules, rule);
    json_array_foreach(json_object_get(less->approval, "all"), i, a) {
        bool found = false;

        json_array_foreach(json_object_get(more->approval, "all"), j, b)
            found = found || (ft_streq(ft_json_str(a, "role"), ft_json_str(b, "role")) && ft_json_int(b, "count", 0) >= ft_json_int(a, "count", 0) &&
                              (!json_is_true(json_object_get(b, "break_glass")) || json_is_true(json_object_get(a, "break_glass"))));
        cr_expect(found, "an approval is gone:\n%sand:\n%s", rules, rule);
    }
}

Test(guard, no_rule_loosens_what_others_say)
{
    unsigned seed = 20261126, seen[4] = { 0 };

    for (int round = 0; round < 160; round++) {
        struct ft_buf rules = FT_BUF_INIT(0), more = FT_BUF_INIT(0);
        int count = rand_r(&seed) % 5, at = rand_r(&seed) % (count + 1);
        char *rule = random_rule(&seed, 99), *text;

        for (int i = 0; i <= count; i++) {
            if (i == at)
                ft_buf_adds(&more, rule);
            if (i == count)
                break;
            text = random_rule(&seed, i);
            ft_buf_adds(&rules, text);
            ft_buf_adds(&more, text);
            free(text);
        }
        struct guard_world less = world_of_rules(ft_buf_str(&rules)), stricter = world_of_rules(ft_buf_str(&more));

        for (int k = 0; k < 20; k++) {
            uint64_t when = ms_at("2026-11-26") + (uint64_t)rand_r(&seed) % (40ull * 24 * 60) * MIN;
            char facts_text[200];
            struct bag bag;

            snprintf(facts_text, sizeof(facts_text), "%s %s %s %s %s need=%d done=%d", PICK(&seed, "effect=write", "effect=disruptive"), PICK(&seed, "action=mist.ap_restart", "action=switch.set_vlan"),
                     PICK(&seed, "", "site=HQ", "site=77aa0001"), PICK(&seed, "", "change=normal"), PICK(&seed, "", "by=lead:ann", "by=lead:ann+bob", "glass=1"), rand_r(&seed) % 100 + 1, rand_r(&seed) % 4 == 0);
            struct ft_write_facts facts = facts_of(facts_text, &bag, when - (uint64_t)rand_r(&seed) % (12ull * 24 * 60) * MIN);
            struct ft_guard_answer a, b;

            cr_assert_eq(ft_guard_preview(less.guard, &facts, when, &a, NULL), 0);
            cr_assert_eq(ft_guard_preview(stricter.guard, &facts, when, &b, NULL), 0);
            expect_stricter(&a, &b, ft_buf_str(&rules), rule);
            seen[a.verdict]++;
            ft_guard_answer_done(&a);
            ft_guard_answer_done(&b);
            bag_done(&bag);
        }
        world_close(&less);
        world_close(&stricter);
        free(rule);
        ft_buf_done(&rules);
        ft_buf_done(&more);
    }
    for (size_t i = 0; i < ARRAY_LEN(seen); i++)
        cr_expect_gt(seen[i], 100, "verdict %zu was seen %u times only", i, seen[i]);
}
