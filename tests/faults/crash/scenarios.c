/* scenarios.c: the playbooks that are killed. Each run has a tag, which is at the end of its keys. */
#include <stddef.h>
#include "crash.h"

#define HEAD(name) "fettle: 1\nname: " name "\ntitle: Killed at every moment\ncategory: change\nparams:\n  tag: {type: string}\nlocks: [\"device/${tag}\"]\nlimits: {writes: 40}\n"
#define RETRY "retry: {times: 9, every: 1s}"
#define SET(key, more) "{run: device.set, with: {key: \"" key "${tag}\", value: 1}, undo: auto, " RETRY more "}"

/* Reads, two questions, a verification, a parallel of three kinds of writes, a wait, batches, a write that only a person can find out. */
#define STEPS(last) \
    "steps:\n" \
    "  - {id: look, run: device.get, with: {key: \"a${tag}\"}, " RETRY "}\n" \
    "  - id: gate\n    approve: May I?\n    branch:\n      - if: result.approved\n        then: first\n      - else: bad\n" \
    "  - id: first\n    run: device.set\n    with: {key: \"a${tag}\", value: 1}\n    undo: auto\n    " RETRY "\n" \
    "    verify: {run: device.get, with: {key: \"a${tag}\"}, until: result.value == 1, every: 1s, within: 2m}\n" \
    "  - id: both\n    parallel:\n" \
    "      x: " SET("x", "") "\n" \
    "      y: " SET("y", ", verify: {run: device.get, with: {key: \"y${tag}\"}, until: result.value == 1, every: 1s, within: 2m}") "\n" \
    "      z: {run: device.blind, with: {key: \"z${tag}\", value: 1}, undo: {run: device.set, with: {key: \"z${tag}\", value: 0}}, " RETRY "}\n" \
    "  - {id: pause, wait: 30s}\n" \
    "  - id: form\n    ask: Which port?\n    fields:\n      port: {type: string, required: true}\n" \
    "  - id: each\n    for_each: \"${ {'p','q','r'} }\"\n    as: key\n    batches: [1, 100%]\n    steps:\n" \
    "      - {id: put, run: device.set, with: {key: \"${key}${tag}\", value: 1}, undo: auto, " RETRY "}\n" \
    "  - id: last\n    run: device.get\n    with: {key: \"a${tag}\"}\n    " RETRY "\n    branch:\n      - if: result.value == 1\n        then: " last "\n      - else: bad\n" \
    "outcomes:\n"

static const char *const all[] = { "a", "x", "y", "z", "p", "q", "r", NULL };
static const char *const two[] = { "a", "b", NULL };
static const char *const one[] = { "a", NULL };

const char people_yaml[] = "fettle: 1\nroles: {boss: }\npeople:\n  tester: {roles: [boss]}\n  alice: {roles: [boss]}\n  bob: {roles: [boss]}\n";

const struct scenario scenarios[] = {
    { .name = "forward", .status = "finished", .once = all, .yaml =
        HEAD("forward") STEPS("good") "  good: {title: Good}\n  bad: {title: Bad, status: attention}\n" },
    { .name = "back", .status = "rolled_back", .once = all, .undone = all, .yaml =
        HEAD("back") STEPS("back") "  back: {title: Back, rollback: true}\n  bad: {title: Bad, status: attention}\n" },
    { .name = "unproven", .status = "rolled_back", .once = two, .undone = two, .yaml =
        HEAD("unproven")
        "steps:\n"
        "  - {id: a, run: device.set, with: {key: \"a${tag}\", value: 1}, undo: auto, " RETRY "}\n"
        "  - id: b\n    run: device.set\n    with: {key: \"b${tag}\", value: 1}\n    undo: auto\n    then: good\n"
        "    retry: {times: 9, every: 1s, if: error.class ~= 'timeout'}\n"
        "    verify: {run: device.get, with: {key: \"b${tag}\"}, until: result.value == 2, every: 5s, within: 10s}\n"
        "outcomes:\n  good: {title: Good}\n" },
    /* Two of three people answer, each from another terminal, while the run is parked. */
    { .name = "approved", .status = "finished", .people = true, .once = one, .yaml =
        HEAD("approved")
        "steps:\n"
        "  - id: gate\n    approve: May I?\n    by: {role: boss, count: 2}\n    branch:\n      - if: result.approved\n        then: w\n      - else: bad\n"
        "  - {id: w, run: device.set, with: {key: \"a${tag}\", value: 1}, undo: auto, " RETRY ", then: good}\n"
        "outcomes:\n  good: {title: Good}\n  bad: {title: Bad, status: attention}\n" },
};
const unsigned scenario_count = sizeof(scenarios) / sizeof(scenarios[0]);
