#!/usr/bin/env python3
"""kill -9 at every journal boundary: the next life goes on, and the device has seen each write once.

The real program runs under strace, which kills it when it enters the n-th call of the kind that a journal or a device is made of
(pwrite64 and fdatasync: the store; rename: the simulated device). Then `fettle resume` until nothing is left behind.
Commits group as the moment has it, so some late points lie behind the end of a run: most must kill all the same.
FETTLE_KILLS limits the number of points (default: all of them).
"""
import concurrent.futures, json, os, shutil, subprocess, sys, tempfile

BUILD = os.environ.get("FETTLE_BUILD", "build/asan")
FETTLE = f"{BUILD}/bin/fettle"
PLAYBOOK = """fettle: 1
name: kill
title: Killed at every moment
category: change
steps:
  - {id: look, run: sim.get, with: {key: a}}
  - id: gate
    approve: May I?
    branch:
      - if: result.approved
        then: first
      - else: bad
  - id: first
    run: sim.set
    with: {key: a, value: 1}
    verify: {run: sim.get, with: {key: a}, until: result.value == 1, every: 1s, within: 1m}
    undo: auto
  - id: both
    parallel:
      x: {run: sim.set, with: {key: x, value: 1}, undo: auto}
      z: {run: sim.set, with: {key: z, value: 1}, undo: auto}
  - id: each
    for_each: "${ {'p','q','r'} }"
    as: key
    batches: [1, 100%]
    steps:
      - {id: put, run: sim.set, with: {key: "${key}", value: 1}, undo: auto}
  - id: last
    run: sim.get
    with: {key: END}
    on_error: bad
    branch:
      - if: result.found
        then: back
      - else: good
outcomes:
  good: {title: Good}
  bad: {title: Bad, status: attention}
  back: {title: Back, rollback: true}
"""
KEYS = ["a", "x", "z", "p", "q", "r"]


def fail(text):
    raise AssertionError(text)


class Life:
    def __init__(self, rolls_back):
        self.dir = tempfile.mkdtemp(prefix="fettle-kill-")
        self.rolls_back = rolls_back
        home = f"{self.dir}/home"
        os.makedirs(f"{home}/plugins")
        shutil.copy(f"{BUILD}/test-plugins/sim.so", f"{home}/plugins/sim.so")
        for name in ("lua", "schemas"):
            os.symlink(os.path.realpath(f"{BUILD}/{name}"), f"{home}/{name}")
        self.env = {**os.environ, "FETTLE_HOME": home, "HOME": self.dir, "ASAN_OPTIONS": "detect_leaks=0"}
        self.write("fettle.yaml", f"fettle: 1\nstore: {self.dir}/store.db\nplugins:\n  sim: {{dir: {self.dir}}}\n")
        self.write("kill.yaml", PLAYBOOK)
        self.write("state.json", json.dumps({"END": 1} if rolls_back else {}))
        self.config = ["--config", f"{self.dir}/fettle.yaml"]

    def write(self, name, text):
        with open(f"{self.dir}/{name}", "w") as f:
            f.write(text)

    def run(self, args, kill=None):
        argv = [FETTLE, *args, *self.config]
        if kill:
            call, n = kill
            argv = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={n}", *argv]
        return subprocess.run(argv, env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)

    def state(self):
        return json.load(open(f"{self.dir}/state.json"))

    def runs(self):
        out = self.run(["runs", "--json"])
        if out.returncode != 0:
            fail(f"runs: {out.stderr}")
        return [json.loads(line) for line in out.stdout.splitlines()]

    def done(self):
        shutil.rmtree(self.dir, ignore_errors=True)


def count_calls(call, rolls_back):
    life = Life(rolls_back)
    trace = f"{life.dir}/trace"
    argv = ["strace", "-f", "-qq", "-o", trace, "-e", f"trace={call}", FETTLE, "run", f"{life.dir}/kill.yaml", "--yes", *life.config]
    out = subprocess.run(argv, env=life.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    want = 5 if rolls_back else 0
    if out.returncode != want:
        fail(f"the undisturbed run ended with {out.returncode}, not {want}: {out.stderr}\n{out.stdout[-2000:]}")
    n = sum(1 for line in open(trace) if f"{call}(" in line)
    life.done()
    return n


def check(life, what):
    state = life.state()
    record = [json.loads(text) for text in state.get("$record", [])]
    writes = [r["params"]["key"] for r in record if r["action"] == "set"]
    undone = [r["params"]["key"] for r in record if r["action"] == "undo"]
    for key in KEYS:
        if writes.count(key) != 1:
            fail(f"{what}: '{key}' was written {writes.count(key)} times")
        if life.rolls_back and undone.count(key) < 1:
            fail(f"{what}: '{key}' was not taken back")
        if life.rolls_back and key in state:
            fail(f"{what}: '{key}' is still there after the rollback")
    for run in life.runs():
        if run["status"] not in ("finished", "rolled_back"):
            fail(f"{what}: run {run['run']} is left as {run['status']}")


def one(call, n, rolls_back):
    what = f"killed at {call} {n}{' (rolling back)' if rolls_back else ''}"
    life = Life(rolls_back)
    first = life.run(["run", f"{life.dir}/kill.yaml", "--yes"], kill=(call, n))
    died = first.returncode in (137, -9)
    if not life.runs():
        # Died before anything was promised: nothing may have happened, and the user starts again.
        if life.state().get("$record"):
            fail(f"{what}: the run is lost, and yet it wrote")
        life.run(["run", f"{life.dir}/kill.yaml", "--yes"])
    for _ in range(3):
        left = [r for r in life.runs() if r["status"] in ("running", "parked")]
        if not left:
            break
        for run in left:
            again = life.run(["resume", run["run"], "--yes"])
            if again.returncode not in (0, 5):
                fail(f"{what}: resume ended with {again.returncode}: {again.stderr}\n{again.stdout[-3000:]}")
    check(life, what)
    life.done()
    return died


def main():
    limit = int(os.environ.get("FETTLE_KILLS", "100000"))
    points = [(call, n, back) for back in (False, True) for call in ("pwrite64", "fdatasync", "rename") for n in range(1, count_calls(call, back) + 1)]
    step = max(1, len(points) // limit)
    points = points[::step]
    with concurrent.futures.ThreadPoolExecutor(max_workers=int(os.environ.get("FETTLE_JOBS", "2"))) as pool:
        deaths = sum(pool.map(lambda p: one(*p), points))
    if deaths < len(points) * 0.6:
        fail(f"only {deaths} of {len(points)} points killed the program: the test does not test")
    print(f"{deaths} deaths at {len(points)} points, each write seen once")


main()
