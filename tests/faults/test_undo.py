#!/usr/bin/env python3
"""`fettle undo` as a user has it: a run across the lab's systems is taken back later, while time goes on there; a port that somebody changed meanwhile is
shown and left alone; two who undo at once; and kill -9 in the middle of it, which the next resume ends.
FETTLE_KILLS is the number of points at which it is killed (default 24)."""
import concurrent.futures, json, os, shutil, subprocess, sys, tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from lab import BUILD, CLIENT, Lab, last

NEW = "02:00:5E:00:53:77"
failures = []


def check(what, holds, seen=""):
    if not holds:
        failures.append(what)
        print(f"FAILED {what}: {str(seen)[:1500]}", flush=True)


# ---- the lab

WRITES = [
    ("leases", "dhcp.stale_leases_free", {"vlan": 110, "older_than_h": 8}),
    ("vlan", "switch.configure", {"device": "sw-2", "lines": ["set vlans extra vlan-id 333"]}),
    ("port", "switch.port_disable", {"device": "sw-2", "port": "ge-0/0/5"}),
    ("block", "mist.client_block", {"site": "HQ", "mac": CLIENT}),
    ("endpoint", "ise.endpoint_create", {"mac": NEW, "description": "by a test"}),
    ("ticket", "ticket.open", {"title": "Undo of a test", "correlation_id": "undo/test"}),
    ("urgent", "ticket.update", {"number": "${ticket.number}", "severity": "P1", "state": "in_progress"}),
]
READS = [
    ("vlans", "switch.show", {"device": "sw-2", "command": "show configuration vlans | display set"}),
    ("port", "switch.interface", {"device": "sw-2", "port": "ge-0/0/5"}),
    ("blocked", "mist.client_blocklist", {"site": "HQ"}),
    ("endpoint", "ise.endpoint", {"mac": NEW}),
    ("leases", "dhcp.leases", {"vlan": 110}),
]


def playbook(lab, name, steps, write):
    listed = [{"id": step_id, "run": action, "with": params, **({"undo": "auto"} if write else {})} for step_id, action, params in steps]
    listed[-1]["then"] = "fine"
    path = f"{lab.dir}/{name}.yaml"
    with open(path, "w", encoding="utf-8") as f:
        json.dump({"fettle": 1, "name": name, "title": name, "category": "change", "severity": "P4", **({"locks": ["site/HQ"]} if write else {}), "steps": listed,
                   "outcomes": {"fine": {"title": "done"}}}, f)
    return path


def state(lab):
    status, events, err = lab.fettle("run", playbook(lab, "reads", READS, False), "--json")
    check("the state can be read", status == 0, err + json.dumps(events[-3:]))
    r = {step_id: (last(events, "step.done", step_id) or {}).get("result") or {} for step_id, _, _ in READS}
    return {"vlans": sorted(r["vlans"].get("text", "").split("\n")), "port": r["port"].get("admin_up"), "blocked": r["blocked"].get("macs") or r["blocked"].get("clients"),
            "endpoint": r["endpoint"].get("found"), "leases": {lease["ip"] for lease in r["leases"].get("leases", [])}}


def run_of(events):
    return events[0]["run"]


def change(lab):
    status, events, err = lab.fettle("run", playbook(lab, "changes", WRITES, True), "--json", "--yes")
    check("the changes are made", status == 0, err + json.dumps([e for e in events if e.get("type") in ("step.failed", "text", None)]))
    unknown = {e["path"]: e.get("after_unknown") for e in events if e["type"] == "step.done" and e.get("write") and "after" not in e}
    return run_of(events), unknown


def is_back(what, before, now):
    check(f"{what}: all of the lab is as it was", {k: v for k, v in now.items() if k != "leases"} == {k: v for k, v in before.items() if k != "leases"}
          and before["leases"] <= now["leases"], {k: (before[k], now[k]) for k in before if before[k] != now[k]})


def later(lab):
    before = state(lab)
    run, unknown = change(lab)
    check("what the writes left behind is known, where it can be", set(unknown) <= {"leases", "ticket", "endpoint"}, unknown)
    check("it is changed", state(lab)["port"] is False and len(state(lab)["leases"]) < len(before["leases"]), state(lab))
    had = len(lab.writes())
    status, events, err = lab.fettle("undo", run, "--dry-run", "--json")
    plan = events[0].get("writes", [])
    check("a dry undo shows the writes, last first", status == 0 and [w["path"] for w in plan] == [w[0] for w in reversed(WRITES)], err + json.dumps(events)[:800])
    check("and says of none that it was changed", all(w["state"] in ("as_written", "unknown") for w in plan), plan)
    check("and writes nothing", len(lab.writes()) == had, lab.writes()[had:])
    status, events, err = lab.fettle("undo", run, "--yes", "--json")
    check("it is taken back", status == 0 and (last(events, "run.finished") or {}).get("status") == "rolled_back", err + json.dumps(events[-4:]))
    is_back("taken back later", before, state(lab))
    had = len(lab.writes())
    status, _, err = lab.fettle("undo", run, "--yes")
    check("twice is once", status == 0 and "nothing left to take back" in err and len(lab.writes()) == had, (status, err))


def drift(lab):
    before = state(lab)
    run, _ = change(lab)
    lab.fettle("run", playbook(lab, "somebody", [("on", "switch.port_enable", {"device": "sw-2", "port": "ge-0/0/5"}),
                                                 ("off", "switch.configure", {"device": "sw-2", "lines": ["set vlans extra description theirs"]})], True), "--json", "--yes", "--store", f"{lab.dir}/theirs.db")
    status, events, err = lab.fettle("undo", run, "--yes", "--json")
    conflict = last(events, "undo.conflict")
    check("what somebody changed since is not overwritten", status == 3 and conflict and conflict["path"] == "vlan" and conflict["differences"], (status, err, events[-3:]))
    check("what they put back by hand is not sent", (last(events, "undo.done", "port") or {}).get("already"), [e for e in events if e.get("path") == "port"])
    _, runs, _ = lab.fettle("runs", "--json", "--status", "parked")
    check("it is an incident", len(runs) == 1 and runs[0]["outcome"] == "incident", runs)
    status, _, err = lab.fettle("run", playbook(lab, "another", WRITES[:1], True), "--json", "--yes")
    check("that keeps its locks", status == 1 and "locked" in err, (status, err))
    status, events, err = lab.fettle("run", playbook(lab, "back", [("off", "switch.configure", {"device": "sw-2", "lines": ["delete vlans extra description"]})], True),
                                     "--json", "--yes", "--store", f"{lab.dir}/theirs.db")
    check("they take their change back", status == 0, err + json.dumps(events[-3:]))
    status, events, err = lab.fettle("resume", run, "--json")
    check("and the resume ends it", status == 5 and (last(events, "run.finished") or {}).get("status") == "rolled_back", err + json.dumps(events[-3:]))
    is_back("taken back in the end", before, state(lab))


def away(lab):
    """The whole network is away: tried as the configuration says, then an incident."""
    run, _ = change(lab)
    folder, kept = os.path.dirname(lab.config), f"{lab.dir}/kept"             # it takes its folder along when it ends
    shutil.copytree(folder, kept, ignore=shutil.ignore_patterns("*.sock"))
    config = f"{kept}/fettle.yaml"
    with open(lab.config, encoding="utf-8") as old, open(config, "w", encoding="utf-8") as new:
        new.write(old.read().replace(folder, kept) + "undo: {tries: 2, wait: 50ms}\n")
    lab.process.terminate()
    lab.process.wait(timeout=20)
    status, events, err = lab.fettle("undo", run, "--yes", "--json", config=config)
    tried, failed = last(events, "undo.attempt"), last(events, "undo.failed")
    check("away: tried twice, then an incident", status == 3 and tried and failed and failed["class"] == "unreachable" and failed["attempt"] == 2
          and (last(events, "run.parked") or {}).get("incident"), (status, err, events[-3:]))
    _, runs, _ = lab.fettle("runs", "--json", "--status", "parked", config=config)
    check("away: it says so", len(runs) == 1 and runs[0]["outcome"] == "incident" and "undo of" in runs[0]["summary"], runs)


# ---- two at once, and kill -9: the device made of one file

SIM = """fettle: 1
name: sim
title: Three writes
category: change
locks: [device/x]
steps:
  - {id: a, run: sim.set, with: {key: a, value: 1}, undo: auto}
  - id: both
    parallel:
      x: {run: sim.set, with: {key: x, value: 1}, undo: {run: sim.set, with: {key: x, value: 0}}}
      z: {run: sim.set, with: {key: z, value: 1}, undo: auto}
    then: good
outcomes:
  good: {title: Good}
"""
BEFORE = {"a": 0, "x": 0, "z": 0}


class Life:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="fettle-undo-")
        home = f"{self.dir}/home"
        os.makedirs(f"{home}/plugins")
        shutil.copy(f"{BUILD}/test-plugins/sim.so", f"{home}/plugins/sim.so")
        for name in ("lua", "schemas"):
            os.symlink(os.path.realpath(f"{BUILD}/{name}"), f"{home}/{name}")
        self.env = {**os.environ, "FETTLE_HOME": home, "HOME": self.dir, "ASAN_OPTIONS": "detect_leaks=0"}
        self.write("fettle.yaml", f"fettle: 1\nstore: {self.dir}/store.db\nundo: {{tries: 3, wait: 10ms}}\nplugins:\n  sim: {{dir: {self.dir}}}\n")
        self.write("sim.yaml", SIM)
        self.write("state.json", json.dumps(BEFORE))
        out = self.start(["run", f"{self.dir}/sim.yaml", "--json"]).communicate(timeout=120)[0]
        if '"run"' not in out:
            sys.exit(f"FAILED: the run did not start: {out}")
        self.run = json.loads(out.splitlines()[0])["run"]

    def write(self, name, text):
        with open(f"{self.dir}/{name}", "w", encoding="utf-8") as f:
            f.write(text)

    def start(self, args, wrap=()):
        return subprocess.Popen([*wrap, f"{BUILD}/bin/fettle", *args, "--config", f"{self.dir}/fettle.yaml"], env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def state(self):
        state = json.load(open(f"{self.dir}/state.json", encoding="utf-8"))
        record = [json.loads(text) for text in state.pop("$record", [])]
        return state, [r["params"]["key"] for r in record if r["action"] == "undo" or r["params"].get("value") == 0]

    def done(self):
        shutil.rmtree(self.dir, ignore_errors=True)


def two_at_once(_):
    life = Life()
    both = [life.start(["undo", life.run, "--yes", "--json"]) for _ in range(2)]
    ends = [(*p.communicate(timeout=120), p.returncode) for p in both]
    state, undone = life.state()
    check("two at once: it is taken back", state == BEFORE, (state, ends))
    check("two at once: each write once", sorted(undone) == ["a", "x", "z"], undone)
    check("two at once: the other is told", all(code == 0 or (code == 1 and any(words in err for words in ("belongs to process", "locked", "being taken back already"))) for _, err, code in ends) and
          any(code == 0 for _, _, code in ends), ends)
    life.done()


def killed(point):
    call, n = point
    life = Life()
    p = life.start(["undo", life.run, "--yes", "--json"], wrap=["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={n}"])
    p.communicate(timeout=120)
    died = p.returncode in (137, -9)
    if died:
        again = life.start(["resume", life.run, "--json"])
        out, err = again.communicate(timeout=120)
        # Killed before it was reopened: then it is still over, and asked for once more.
        if again.returncode == 2 and "is over" in err:
            again = life.start(["undo", life.run, "--yes", "--json"])
            out, err = again.communicate(timeout=120)
        check(f"killed at {call} {n}: the next life ends it", again.returncode in (0, 5), (again.returncode, err, out[-800:]))
    state, undone = life.state()
    check(f"killed at {call} {n}: as before", state == BEFORE, state)
    check(f"killed at {call} {n}: each write is taken back once", sorted(undone) == ["a", "x", "z"], undone)
    life.done()
    return died


def rails():
    """A freeze does not hold an undo, which is the way out; what is never touched does."""
    for more, goes in (("freezes: {always: {from: '2020-01-01', to: '2090-01-01'}}", True), ("policies: [{name: core, match: {action: sim.*}, never: the core is not ours}]", False)):
        life = Life()
        with open(f"{life.dir}/fettle.yaml", "a", encoding="utf-8") as f:
            f.write(more + "\n")
        undo = life.start(["undo", life.run, "--yes", "--json"])
        out, err = undo.communicate(timeout=120)
        state, undone = life.state()
        check(f"{more}: the undo", undo.returncode == (0 if goes else 1) and (state == BEFORE) == goes and (goes or "the core is not ours" in err), (undo.returncode, err, out[-500:], state))
        life.done()


def main():
    rails()
    with Lab("dhcp_pool_exhausted", speed=60) as lab:
        later(lab)
    with Lab("dhcp_pool_exhausted", speed=60) as lab:
        drift(lab)
        away(lab)
    limit = int(os.environ.get("FETTLE_KILLS", "24"))
    points = [(call, n) for call, most in (("pwrite64", 60), ("fdatasync", 6), ("rename", 3)) for n in range(1, most + 1)]
    points = points[::max(1, len(points) // limit)]
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(two_at_once, range(4)))
        deaths = sum(pool.map(killed, points))
    check("most points killed it", deaths >= len(points) * 0.5, (deaths, len(points)))
    print(f"{len(failures)} of the checks failed" if failures else f"all checks passed, {deaths} deaths at {len(points)} points")
    return 1 if failures else 0


sys.exit(main())
