#!/usr/bin/env python3
"""`fettle answer` and `fettle cancel` from another terminal: an incident that nobody has in hand, one that waits at a terminal, one under `fettle resume --watch`; and a
run that lives under the watch is ended without the watch."""
import json, os, pty, select, shutil, signal, subprocess, sys, tempfile, time

BUILD = os.environ.get("FETTLE_BUILD", "build/asan")
failures = []

PLAYBOOK = """fettle: 1
name: sim
title: Two writes, and a read that may fail
category: change
locks: [device/x]
steps:
  - {id: a, title: Set a, run: sim.set, with: {key: a, value: 1}, undo: auto}
  - {id: b, title: Set b, run: sim.set, with: {key: b, value: 1}, undo: auto}
  - {id: z, title: Look, run: sim.get, with: {key: z}, timeout: 5m, then: good}
outcomes:
  good: {title: Good}
"""


def check(what, holds, seen=""):
    if not holds:
        failures.append(what)
        print(f"FAILED {what}: {str(seen)[:1500]}", flush=True)


def until(what, holds, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        got = holds()
        if got:
            return got
        time.sleep(0.05)
    check(what, False, "it did not come")
    return None


class Home:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="fettle-answer-")
        home = f"{self.dir}/home"
        os.makedirs(f"{home}/plugins")
        shutil.copy(f"{BUILD}/test-plugins/sim.so", f"{home}/plugins/sim.so")
        for name in ("lua", "schemas"):
            os.symlink(os.path.realpath(f"{BUILD}/{name}"), f"{home}/{name}")
        self.env = {**os.environ, "FETTLE_HOME": home, "HOME": self.dir, "ASAN_OPTIONS": "detect_leaks=0", "TERM": "dumb"}
        self.write("fettle.yaml", f"fettle: 1\nstore: {self.dir}/store.db\nundo: {{tries: 1, wait: 10ms}}\nplugins:\n  sim: {{dir: {self.dir}}}\n")
        self.write("sim.yaml", PLAYBOOK)
        self.write("state.json", json.dumps({"a": 0, "b": 0}))

    def write(self, name, text):
        with open(f"{self.dir}/{name}.new", "w", encoding="utf-8") as f:
            f.write(text)
        os.rename(f"{self.dir}/{name}.new", f"{self.dir}/{name}")

    def command(self, *args):
        return [f"{BUILD}/bin/fettle", *args, "--config", f"{self.dir}/fettle.yaml"]

    def start(self, *args, **how):
        return subprocess.Popen(self.command(*args), env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how)

    def fettle(self, *args):
        out = subprocess.run(self.command(*args), env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
        return out.returncode, [json.loads(line) for line in out.stdout.splitlines() if line.startswith(("{", "["))], out.stdout + out.stderr

    def state(self):
        return {k: v for k, v in json.load(open(f"{self.dir}/state.json", encoding="utf-8")).items() if k != "$record"}

    def incident(self):
        """A run whose undo of b cannot be sent; its id."""
        self.write("state.json", json.dumps({"a": 0, "b": 0}))
        self.write("trouble.json", json.dumps({"get z": ["refused"], "undo b": ["unreachable"]}))
        status, events, said = self.fettle("run", f"{self.dir}/sim.yaml", "--json")
        check("it parks as an incident", status == 3 and '"incident":true' in said, said[-600:])
        return events[0]["run"]

    def runs(self, status):
        return [r for r in self.fettle("runs", "--json", "--status", status)[1]]

    def done(self):
        shutil.rmtree(self.dir, ignore_errors=True)


def in_nobodys_hand(home):
    run = home.incident()
    status, shown, said = home.fettle("answer", run, "--json")
    check("it says what is asked", status == 0 and [q["kind"] for q in shown[0]] == ["undo"] and shown[0][0]["title"] == "Set b", said)
    status, _, said = home.fettle("answer", run, "overwrite")
    check("nothing was changed: nothing to overwrite", status == 2 and "nothing to overwrite" in said, said)
    status, _, said = home.fettle("answer", run, "happened")
    check("another word is no answer", status == 2 and "is no answer" in said, said)
    status, events, said = home.fettle("answer", run, "leave", "-m", "it will be replaced", "--json")
    told = [e for e in events if e.get("type") == "question.answered"]
    check("it goes on right here", status == 5 and home.state() == {"a": 0, "b": 1}, said)
    check("who, from where and why is journalled", told and told[0]["by"] and told[0]["where"].startswith("command line") and told[0]["reason"] == "it will be replaced", told)
    status, _, said = home.fettle("answer", run, "leave")
    check("over is over", status == 1 and "it is over" in said, said)


def at_a_terminal(home):
    run = home.incident()
    home.write("trouble.json", json.dumps({"undo b": ["unreachable"]}))
    master, slave = pty.openpty()
    process = subprocess.Popen(home.command("resume", run), env=home.env, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
    os.close(slave)
    text = ""

    def read(words):
        nonlocal text
        while select.select([master], [], [], 0)[0]:
            try:
                text += os.read(master, 65536).decode(errors="replace")
            except OSError:
                break
        return words in text

    until("the terminal asks", lambda: read("anything else leaves it parked"))
    status, _, said = home.fettle("answer", run, "by-hand")
    check("it is told who goes on", status == 0 and "has run" in said, said)
    until("the run goes on at its terminal", lambda: read("rolled back") or process.poll() is not None)
    check("and ends there", process.wait(timeout=60) == 5, text[-800:])
    os.close(master)
    check("as was said", home.state() == {"a": 0, "b": 1}, home.state())


def the_terminal_goes(home):
    """In the middle of a rollback: it goes on, and nothing is left half changed."""
    home.write("state.json", json.dumps({"a": 0, "b": 0}))
    home.write("trouble.json", json.dumps({"get z": ["refused"], "plan b": ["ok", "ok"] + ["unreachable"] * 3}))
    home.write("slow.yaml", open(f"{home.dir}/fettle.yaml", encoding="utf-8").read().replace("tries: 1, wait: 10ms", "tries: 6, wait: 200ms"))
    master, slave = pty.openpty()
    process = subprocess.Popen([f"{BUILD}/bin/fettle", "run", f"{home.dir}/sim.yaml", "--config", f"{home.dir}/slow.yaml"], env=home.env, stdin=slave, stdout=slave, stderr=slave,
                               start_new_session=True)
    os.close(slave)
    seen = b""
    while b"try 1" not in seen:
        seen += os.read(master, 65536)
    os.close(master)
    process.send_signal(signal.SIGHUP)
    check("it goes on without its terminal", process.wait(timeout=60) == 5, process.returncode)
    check("and all is taken back", home.state() == {"a": 0, "b": 0}, home.state())


def under_the_watch(home):
    run = home.incident()
    home.write("trouble.json", json.dumps({"undo b": ["unreachable"] * 2}))
    watch = home.start("resume", "--watch", "--json")
    watch.stderr.readline()
    status, _, said = home.fettle("answer", run, "again")
    if status == 0:                                                     # the watch had it in hand just then
        until("the watch takes the answer", lambda: home.runs("rolled_back") or home.runs("parked"))
    home.write("trouble.json", "{}")
    if home.runs("parked"):
        home.fettle("answer", run, "again")
    until("the watch goes on with it", lambda: [r for r in home.runs("rolled_back") if r["run"] == run])
    check("and it is taken back", home.state() == {"a": 0, "b": 0}, home.state())
    return watch


def cancelled_under_the_watch(home, watch):
    home.write("state.json", json.dumps({"a": 0, "b": 0}))
    home.write("trouble.json", json.dumps({"get z": ["wait:120000"] * 3}))
    begun = home.start("run", f"{home.dir}/sim.yaml", "--json")
    run = json.loads(begun.stdout.readline())["run"]
    for line in begun.stdout:
        if '"step.started"' in line and '"z"' in line:
            break
    watch.send_signal(signal.SIGSTOP)                                  # else it may be there first
    check("a run under way is running", "running" in home.fettle("runs")[2].splitlines()[0] and home.runs("running")[0]["alive"], home.fettle("runs")[2])
    begun.send_signal(signal.SIGKILL)
    begun.communicate()
    check("one whose process died is not", "interrupted" in home.fettle("runs")[2].splitlines()[0] and not home.runs("running")[0]["alive"], home.fettle("runs")[2])
    watch.send_signal(signal.SIGCONT)
    for line in watch.stdout:                                           # the watch takes it up
        news = json.loads(line)
        if news["run"] == run and news["news"] == "goes on":
            break
    status, _, said = home.fettle("cancel", run, "--rollback", "--now")
    check("the watch is asked", status == 0 and "asked process" in said, said)
    ended = until("it is ended and taken back", lambda: [r for r in home.runs("cancelled") if r["run"] == run])
    check("all of it", ended and home.state() == {"a": 0, "b": 0}, home.state())
    check("and the watch lives on", watch.poll() is None, watch.poll())
    watch.terminate()
    check("until it is ended itself", watch.wait(timeout=60) == 0, watch.stderr.read()[-500:])


def main():
    home = Home()
    in_nobodys_hand(home)
    at_a_terminal(home)
    the_terminal_goes(home)
    watch = under_the_watch(home)
    cancelled_under_the_watch(home, watch)
    home.done()
    return 1 if failures else 0


sys.exit(main())
