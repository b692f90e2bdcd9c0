/* scenarios.c: the playbooks that are killed. Each run has a tag, which is at the end of its keys. */
#include <stddef.h>
#include "crash.h"

#define HEAD(name) "fettle: 1\nname: " name "\ntitle: Killed at every moment\ncategory: change\nparams:\n  tag: {type: string}\nlocks: [\"device/${tag}\"]\nlimits: {writes: 40, runtime: 1d}\n"
#define RETRY "retry: {times: 9, every: 1s}"
#define BUT_PROOF "retry: {times: 9, every: 1s, if: error.class ~= 'timeout'}"
#define WRITE(action, key, value, more) "{run: device." action ", with: {key: \"" key "${tag}\", value: " value "}, undo: auto, " RETRY more "}"
#define SET(key, more) WRITE("set", key, "1", more)
#define LOOK(key, value) "{run: device.get, with: {key: \"" key "${tag}\"}, until: result.value == " value ", every: 1s, within: 1m}"
#define COMMIT(key, retry, more) "    run: device.commit\n    with: {key: \"" key "${tag}\", value: 1, within_s: 120}\n    " retry "\n" more
#define GOOD "outcomes:\n  good: {title: Good}\n"
#define BAD "  bad: {title: Bad, status: attention}\n"

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

#define EACH(soak, check, more) \
    "  - id: each\n    for_each: \"${ {'p','q','r'} }\"\n    as: key\n    batches: [1, 100%]\n    soak: " soak "\n" check more "    steps:\n" \
    "      - {id: put, run: device.set, with: {key: \"${key}${tag}\", value: 1}, undo: auto, " RETRY "}\n"

#define GATE(next) "  - id: gate\n    approve: May I?\n    by: {role: boss, count: 2}\n    branch:\n      - if: result.approved\n        then: " next "\n      - else: bad\n"

#define PEOPLE "fettle: 1\nroles: {boss: }\npeople:\n  tester: {roles: [boss]}\n  alice: {roles: [boss]}\n  bob: {roles: [boss]}\n"
#define WINDOW "fettle: 1\ntimezone: UTC\nwindows:\n  nightly: {rrule: \"FREQ=DAILY\", from: \"02:00\", to: \"04:00\"}\n" \
    "policies:\n  - {name: at night, windows: nightly}\n  - {name: slowly, budget: {at_most: 3, in: 20m}}\n"

#define LIST(...) (const char *const[]){ __VA_ARGS__, NULL }

const struct scenario scenarios[] = {
    { .name = "forward", .aims = LIST("step.answered", "verify.look", "step.attempt", "wait.opened", "ask.opened", "each.batch", "doubt.opened", "doubt.opened", "doubt.answered"),
      .status = "finished", .once = LIST("a", "x", "y", "z", "p", "q", "r"), .yaml =
        HEAD("forward") STEPS("good") "  good: {title: Good}\n" BAD },
    { .name = "back", .aims = LIST("rollback.started", "undo.intended", "undo.attempt", "undo.done", "doubt.opened", "doubt.opened"),
      .status = "rolled_back", .once = LIST("a", "x", "y", "z", "p", "q", "r"), .yaml =
        HEAD("back") STEPS("back") "  back: {title: Back, rollback: true}\n" BAD },
    { .name = "unproven", .aims = LIST("step.unproven", "undo.intended", "undo.done", "step.failed", "rollback.started"),
      .status = "rolled_back", .once = LIST("a", "b"), .yaml =
        HEAD("unproven")
        "steps:\n"
        "  - {id: a, run: device.set, with: {key: \"a${tag}\", value: 1}, undo: auto, " RETRY "}\n"
        "  - id: b\n    run: device.set\n    with: {key: \"b${tag}\", value: 1}\n    undo: auto\n    then: good\n    " BUT_PROOF "\n"
        "    verify: {run: device.get, with: {key: \"b${tag}\"}, until: result.value == 2, every: 5s, within: 10s}\n" GOOD },
    /* Two of three people answer, each from another terminal. */
    { .name = "approved", .aims = LIST("gate.opened", "gate.vote", "gate.answered"),
      .status = "finished", .config = PEOPLE, .people = true, .once = LIST("a"), .yaml =
        HEAD("approved") "steps:\n" GATE("w") "  - {id: w, run: device.set, with: {key: \"a${tag}\", value: 1}, undo: auto, " RETRY ", then: good}\n" GOOD BAD },
    /* The world moves behind the approval: the second write is asked about anew. */
    { .name = "voided", .aims = LIST("gate.voided", "gate.voided", "gate.opened", "gate.answered"),
      .status = "finished", .config = PEOPLE, .people = true, .meddled = true, .once = LIST("a", "b"), .yaml =
        HEAD("voided") "steps:\n" GATE("a")
        "  - {id: a, run: device.set, with: {key: \"a${tag}\", value: 1}, undo: auto, " RETRY "}\n"
        "  - {id: b, run: device.set, with: {key: \"b${tag}\", value: 1}, undo: auto, " RETRY ", then: good}\n" GOOD BAD },
    /* Each write waits for its window, and for its turn; what does not end in the window is taken back, or failed before it wrote. */
    { .name = "held", .aims = LIST("hold.opened", "hold.opened", "hold.over", "policy.passed"),
      .status = "finished rolled_back failed", .config = WINDOW, .timed = true, .window = true, .yaml =
        HEAD("held")
        "steps:\n"
        "  - {id: a, run: device.set, with: {key: \"a${tag}\", value: 1}, undo: auto, " RETRY "}\n"
        "  - {id: b, run: device.set, with: {key: \"b${tag}\", value: 1}, undo: auto, " RETRY ", then: good}\n" GOOD },
    { .name = "waits", .aims = LIST("wait.opened", "wait.over", "wait.over", "wait.over", "policy.passed"),
      .status = "finished rolled_back failed", .config = WINDOW, .timed = true, .window = true, .yaml =
        HEAD("waits")
        "steps:\n  - {id: night, wait: {window: nightly}}\n"
        "  - {id: a, run: device.set, with: {key: \"a${tag}\", value: 1}, undo: auto, " RETRY "}\n"
        "  - {id: pause, wait: 20m}\n"
        "  - {id: b, run: device.set, with: {key: \"b${tag}\", value: 1}, undo: auto, " RETRY ", then: good}\n" GOOD },
    { .name = "closes", .aims = LIST("run.closing", "run.closing", "rollback.started", "undo.intended"),
      .status = "rolled_back failed", .config = WINDOW, .timed = true, .window = true, .never = LIST("b"), .yaml =
        HEAD("closes")
        "steps:\n"
        "  - {id: a, run: device.set, with: {key: \"a${tag}\", value: 1}, undo: auto, " RETRY "}\n"
        "  - {id: pause, wait: 3h}\n"
        "  - {id: b, run: device.set, with: {key: \"b${tag}\", value: 1}, undo: auto, " RETRY ", then: good}\n" GOOD },
    { .name = "canary", .aims = LIST("each.batch", "each.soak", "each.checked"),
      .status = "finished", .timed = true, .once = LIST("p", "q", "r"), .yaml =
        HEAD("canary") "steps:\n" EACH("10m", "    check: " LOOK("p", "1") "\n", "    then: good\n") GOOD },
    { .name = "dead canary", .aims = LIST("each.soak", "each.checked", "step.failed", "rollback.started"),
      .status = "rolled_back", .timed = true, .once = LIST("p"), .never = LIST("q", "r"), .yaml =
        HEAD("dead-canary") "steps:\n" EACH("30s", "    check: {run: device.get, with: {key: \"p${tag}\"}, until: result.value == 2, every: 5s, within: 10s}\n", "    then: good\n") GOOD },
    /* The device takes it back unless it is confirmed: with and without a verification before it. */
    { .name = "dead man", .aims = LIST("step.answered", "confirm.intended", "confirm.done", "doubt.answered"),
      .status = "finished", .timed = true, .once = LIST("c", "d"), .yaml =
        HEAD("dead-man")
        "steps:\n"
        "  - id: c\n" COMMIT("c", RETRY, "    undo: auto\n    verify: " LOOK("c", "1") "\n")
        "  - id: d\n" COMMIT("d", RETRY, "    undo: auto\n    then: good\n") GOOD },
    /* Never confirmed: taken back by its undo, and by the device alone. */
    { .name = "lapses", .aims = LIST("step.unproven", "step.failed", "undo.done"),
      .status = "finished", .timed = true, .away = LIST("c", "d"), .yaml =
        HEAD("lapses")
        "steps:\n"
        "  - id: c\n" COMMIT("c", BUT_PROOF, "    undo: auto\n    verify: " LOOK("c", "2") "\n    on_error: d\n    then: bad\n")
        "  - id: d\n" COMMIT("d", BUT_PROOF, "    undo: none\n    verify: " LOOK("d", "2") "\n    on_error: good\n    then: bad\n") GOOD BAD },
    /* A plan is made and kept, and applied later; then one that the world has moved under. */
    { .name = "applied", .aims = LIST("run.planned", "run.planned", "run.started"),
      .status = "finished", .applied = true, .once = LIST("a", "b"), .yaml =
        HEAD("applied")
        "steps:\n"
        "  - {id: a, run: device.set, with: {key: \"a${tag}\", value: 1}, undo: auto, " RETRY "}\n"
        "  - {id: b, run: device.set, with: {key: \"b${tag}\", value: 1}, undo: auto, " RETRY ", then: good}\n" GOOD },
    { .name = "off plan", .aims = LIST("run.planned", "run.planned", "step.failed", "rollback.started"),
      .status = "rolled_back", .applied = true, .meddled = true, .once = LIST("a"), .never = LIST("b"), .yaml =
        HEAD("off-plan")
        "steps:\n"
        "  - {id: a, run: device.set, with: {key: \"a${tag}\", value: 1}, undo: auto, " RETRY "}\n"
        "  - {id: b, run: device.set, with: {key: \"b${tag}\", value: 1}, undo: auto, " RETRY ", then: good}\n" GOOD },
    /* Over, and taken back later: the first run whole, of the second only z. */
    { .name = "undone", .aims = LIST("run.reopened", "rollback.started", "undo.intended", "undo.done", "doubt.opened", "doubt.opened"),
      .status = "finished rolled_back", .undone = true, .once = LIST("a", "z", "c"), .yaml =
        HEAD("undone")
        "steps:\n"
        "  - {id: a, run: device.set, with: {key: \"a${tag}\", value: 1}, undo: auto, " RETRY "}\n"
        "  - id: c\n" COMMIT("c", RETRY, "    undo: auto\n")
        "  - {id: z, run: device.blind, with: {key: \"z${tag}\", value: 1}, undo: {run: device.set, with: {key: \"z${tag}\", value: 0}}, " RETRY ", then: good}\n" GOOD },
    /* Somebody cancels, at any moment, with and without taking back. */
    { .name = "cancelled", .aims = LIST("run.cancelling", "run.cancelling", "run.cancelling", "confirm.intended", "each.soak", "rollback.started"),
      .status = "finished cancelled rolled_back failed", .cancelled = true, .timed = true, .yaml =
        HEAD("cancelled")
        "steps:\n"
        "  - id: both\n    parallel:\n"
        "      a: " SET("a", "") "\n"
        "      c:\n        run: device.commit\n        with: {key: \"c${tag}\", value: 1, within_s: 120}\n        undo: auto\n        " RETRY "\n        verify: " LOOK("c", "1") "\n"
        "  - id: gate\n    approve: May I?\n    branch:\n      - if: result.approved\n        then: each\n      - else: bad\n"
        EACH("10m", "    check: " LOOK("p", "1") "\n", "    then: good\n") GOOD BAD },
};
const unsigned scenario_count = sizeof(scenarios) / sizeof(scenarios[0]);
