#!/usr/bin/env python3
"""One change at a time, with real processes: two at once on one device, a parked run, a run that was killed; and `fettle locks` says who holds what."""
import json, os, shutil, signal, sqlite3, subprocess, sys, tempfile, time

BUILD = os.environ["FETTLE_BUILD"]
HEAD = "fettle: 1\nname: {name}\ntitle: T\nsteps:\n"
WRITE = "  - {{id: {id}, title: Write {id}, run: sim.set, with: {{key: {id}, value: 1, device: d1, site: hq}}, undo: auto}}\n"
END = "  - {id: last, set: {v: 1}, then: good}\noutcomes: {good: {title: Good}}\n"
bad = []


def check(ok, what, *more):
    print(f"{'ok     ' if ok else 'FAILED '} {what}{'' if ok else ': ' + ' '.join(str(m)[-700:] for m in more)}", flush=True)
    if not ok:
        bad.append(what)


class World:
    def __init__(self, wait):
        self.dir = tempfile.mkdtemp(prefix="fettle-locks-")
        home = f"{self.dir}/home"
        os.makedirs(f"{home}/plugins")
        shutil.copy(f"{BUILD}/test-plugins/sim.so", f"{home}/plugins/sim.so")
        for name in ("lua", "schemas"):
            os.symlink(os.path.realpath(f"{BUILD}/{name}"), f"{home}/{name}")
        self.env = {**os.environ, "FETTLE_HOME": home, "HOME": self.dir, "ASAN_OPTIONS": "detect_leaks=0"}
        self.write("fettle.yaml", f"fettle: 1\nstore: store.db\nlocks: {{wait: {wait}}}\nplugins:\n  sim: {{dir: {self.dir}}}\n")
        self.write("slow.yaml", HEAD.format(name="slow") + WRITE.format(id="a") + "  - {id: pause, wait: 1500ms}\n" + WRITE.format(id="b") + END)
        self.write("parks.yaml", HEAD.format(name="parks") + WRITE.format(id="a") + "  - {id: gate, title: May I?, approve: May I?}\n" + END)
        self.write("other.yaml", HEAD.format(name="other") + WRITE.format(id="c") + END)

    def write(self, name, text):
        with open(f"{self.dir}/{name}", "w") as f:
            f.write(text)

    def start(self, *args):
        return subprocess.Popen([f"{BUILD}/bin/fettle", *args], cwd=self.dir, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *args):
        p = self.start(*args)
        out, err = p.communicate(timeout=60)
        return p.returncode, out, err

    def state(self):
        try:
            return json.load(open(f"{self.dir}/state.json"))
        except (OSError, ValueError):
            return {}

    def until(self, condition):
        for _ in range(1200):
            if condition():
                return True
            time.sleep(0.025)
        return False

    def locks(self):
        status, out, err = self.run("locks", "--json")
        if status:
            bad.append(f"`locks` ended with {status}: {err}")
        return [json.loads(line) for line in out.splitlines()]

    def done(self):
        shutil.rmtree(self.dir, ignore_errors=True)


def events(out):
    return [json.loads(line) for line in out.splitlines() if line.startswith("{")]


def two_at_once():
    w = World("30s")
    first = w.start("run", "slow.yaml", "--json")
    check(w.until(lambda: "a" in w.state()), "the first run writes")
    second = w.start("run", "other.yaml", "--json")
    out1, err1 = first.communicate(timeout=60)
    out2, err2 = second.communicate(timeout=60)
    order = [json.loads(r)["params"]["key"] for r in w.state().get("$record", [])]
    waited = [e for e in events(out2) if e["type"] in ("lock.waiting", "lock.taken")]
    check(first.returncode == 0 and second.returncode == 0, "both end well", err1, err2, out1, out2)
    check(order == ["a", "b", "c"], "the second writes when the first is over", order)
    check([e["type"] for e in waited] == ["lock.waiting", "lock.taken"] and waited[1]["waited_ms"] > 0, "the second says that it waits, and for whom", waited)
    check(w.locks() == [], "nothing stays locked")
    w.done()


def parked():
    w = World("1s")
    status, out, err = w.run("run", "parks.yaml", "--json")
    check(status == 3, "a run parks", status, err)
    id = events(out)[0]["run"]
    locks = w.locks()
    check(len(locks) == 1 and locks[0]["key"] == "device/d1" and locks[0]["run"] == id and locks[0]["playbook"] == "parks" and locks[0]["state"].startswith("parked, approve")
          and locks[0]["requester"] and "Write a" in locks[0]["reason"], "`locks` says what is held, by whom, since when and why", locks)
    status, text, _ = w.run("locks")
    check(status == 0 and all(word in text for word in ("device/d1", id, "parks", "May I?", "site/hq")), "and so it does for people", text)
    status, out, err = w.run("run", "other.yaml", "--json")
    failed = next((e for e in events(out) if e["type"] == "step.failed"), {})
    check(status == 1 and failed.get("class") == "conflict" and id in failed["error"] and "fettle cancel" in failed["error"], "another run gives up after its time, and says why", status, failed)
    check("c" not in w.state(), "it wrote nothing")
    status, _, err = w.run("locks", "release", "device/d1", "--reason", "in a hurry")
    check(status == 1 and id in err and "fettle cancel" in err, "the lock of a run that is not over is not let go", err)
    status, _, err = w.run("locks", "release", "device/d1")
    check(status == 2 and "--reason" in err, "nor any without a reason", err)
    status, out, err = w.run("resume", id, "--yes", "--json")
    check(status == 0 and w.locks() == [], "the run goes on and lets go", status, err, out)
    check(w.run("run", "other.yaml")[0] == 0, "now the other may")
    # What a crash between a run's end and its unlocking would leave.
    with sqlite3.connect(f"{w.dir}/store.db") as db:
        db.execute("INSERT INTO locks (key, run, reason, since, owner, within) VALUES ('device/left', ?, 'x', 1, '', '')", (id,))
    check(w.locks() == [], "a lock of a run that is over holds nothing")
    status, out, err = w.run("locks", "release", "device/left", "--reason", "tidying up")
    check(status == 0 and "released" in out, "and can be let go", status, err)
    status, out, _ = w.run("show", id, "--json")
    check(any(e["type"] == "lock.released" and e["reason"] == "tidying up" for e in events(out)), "which is journalled", out[-300:])
    check(w.run("locks", "release", "device/left", "--reason", "again")[0] == 2, "once")
    w.done()


def killed():
    w = World("1s")
    first = w.start("run", "slow.yaml", "--json")
    check(w.until(lambda: "a" in w.state()), "a run writes")
    first.send_signal(signal.SIGKILL)
    out, _ = first.communicate()
    locks = w.locks()
    check(len(locks) == 1 and "resume" in locks[0]["state"], "a killed run keeps its lock", locks)
    check(w.run("run", "other.yaml")[0] == 1, "nobody else writes there")
    status, out, err = w.run("resume", locks[0]["run"], "--json") if locks else (1, "", "")
    check(status == 0 and w.locks() == [], "it goes on and lets go", status, err, out)
    w.done()


for part in (two_at_once, parked, killed):
    part()
sys.exit(1 if bad else 0)
