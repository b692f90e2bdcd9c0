#!/usr/bin/env python3
"""Approvals with the real program: two terminals, kill -9 at every write of the store, two answers at one moment, a name that was only claimed.

Who sits at a keyboard is told by sudo (SUDO_USER), which fettle believes of root only: without root there is nobody to play, and the test is skipped.
"""
import concurrent.futures, json, os, pty, re, select, shutil, signal, subprocess, sys, tempfile, time

BUILD = os.environ.get("FETTLE_BUILD", "build/asan")
FETTLE = f"{BUILD}/bin/fettle"
PLAYBOOK = """fettle: 1
name: gated
title: Two of three
category: change
steps:
  - id: gate
    title: May we?
    approve: Set a to 1?
    by: {role: lead, count: 2}
    within: 30m
    branch:
      - if: result.approved
        then: w
      - else: bad
  - {id: w, run: sim.set, with: {key: a, value: 1}, undo: auto, then: good}
outcomes:
  good: {title: Good}
  bad: {title: Bad, status: attention}
"""
PEOPLE = """roles: {lead: , oncall: , manager: }
people:
  alice: {roles: [lead, oncall], email: alice@example.org}
  bob: {roles: [lead], email: bob@example.org}
  carol: {roles: [lead, manager]}
  mike: {roles: [manager]}
  dora: {email: dora@example.org}
"""


def fail(text):
    raise AssertionError(text)


class Place:
    def __init__(self, more=""):
        self.dir = tempfile.mkdtemp(prefix="fettle-approvals-")
        home = f"{self.dir}/home"
        os.makedirs(f"{home}/plugins")
        shutil.copy(f"{BUILD}/test-plugins/sim.so", f"{home}/plugins/sim.so")
        for name in ("lua", "schemas"):
            os.symlink(os.path.realpath(f"{BUILD}/{name}"), f"{home}/{name}")
        self.env = {**os.environ, "FETTLE_HOME": home, "HOME": self.dir, "ASAN_OPTIONS": "detect_leaks=0", "TERM": "dumb", "NO_COLOR": "1"}
        self.write("fettle.yaml", f"fettle: 1\nstore: {self.dir}/store.db\nplugins:\n  sim: {{dir: {self.dir}}}\n{PEOPLE}{more}")
        self.write("gated.yaml", PLAYBOOK)
        self.playbook = f"{self.dir}/gated.yaml"

    def write(self, name, text):
        with open(f"{self.dir}/{name}", "w") as f:
            f.write(text)

    def argv(self, args):
        return [FETTLE, *args, "--config", f"{self.dir}/fettle.yaml"]

    def fettle(self, who, *args, wrap=()):
        return subprocess.run([*wrap, *self.argv(args)], env={**self.env, "SUDO_USER": who}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)

    def ok(self, who, *args):
        out = self.fettle(who, *args)
        if out.returncode:
            fail(f"{who}: fettle {' '.join(args)} ended with {out.returncode}: {out.stderr}{out.stdout[-500:]}")
        return out.stdout

    def lines(self, who, *args):
        return [json.loads(line) for line in self.ok(who, *args, "--json").splitlines()]

    def start(self):
        """Parks a run of alice's; its id."""
        out = self.fettle("alice", "run", self.playbook, "--json")
        if out.returncode != 3:
            fail(f"the run ended with {out.returncode}, not parked: {out.stderr}{out.stdout[-500:]}")
        return json.loads(out.stdout.splitlines()[0])["run"]

    def waiting(self, run):
        return next(view for view in self.lines("bob", "approvals") if view["run"] == run)

    def approve(self, who, run, *more, digest=None):
        return self.fettle(who, "approve", run, "--digest", digest or self.waiting(run)["digest"][:8], *more)

    def events(self, run, kind=None):
        return [e for e in self.lines("bob", "show", run) if kind is None or e["type"] == kind]

    def record(self):
        try:
            return [json.loads(r) for r in json.load(open(f"{self.dir}/state.json")).get("$record", [])]
        except FileNotFoundError:
            return []

    def writes(self):
        return [r for r in self.record() if r["action"] == "set" and r["params"]["key"] == "a"]

    def done(self):
        shutil.rmtree(self.dir, ignore_errors=True)


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, place, who, *args):
        self.seen = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(FETTLE, place.argv(args), {**place.env, "SUDO_USER": who})

    def expect(self, words, within=30):
        end = time.monotonic() + within
        while words not in self.seen:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                fail(f"'{words}' did not come; the terminal shows:\n{self.seen}")
            try:
                self.seen += os.read(self.fd, 65536).decode(errors="replace")
            except OSError:
                fail(f"it ended before '{words}':\n{self.seen}")

    def type(self, text):
        os.write(self.fd, text.encode())

    def end(self):
        deadline = time.monotonic() + 120
        while True:
            if not select.select([self.fd], [], [], max(0, deadline - time.monotonic()))[0]:
                os.kill(self.pid, signal.SIGKILL)
                fail(f"it did not end:\n{self.seen}")
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                break
            if not data:
                break
            self.seen += data.decode(errors="replace")
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def two_terminals(place):
    alice = Terminal(place, "alice", "run", place.playbook)
    alice.expect("waiting for them")
    alice.expect("needs approval by lead (2)")
    run = re.search(r"run ([0-9a-f]{8})", alice.seen).group(1)
    bob = Terminal(place, "bob", "approve", run)
    bob.expect("set a")                       # what would be done is shown before it is asked
    bob.expect("approve? [y/N]")
    bob.type("y\n")
    if bob.end() != 0 or "1 of 2" not in bob.seen:
        fail(f"bob's terminal shows:\n{bob.seen}")
    alice.expect("approved by bob")
    if place.writes():
        fail("written with one of two")
    if place.fettle("bob", "approve", run, "--digest", place.waiting(run)["digest"][:8]).returncode == 0:
        fail("bob approved twice")
    out = place.approve("carol", run)
    if out.returncode:
        fail(out.stderr)
    alice.expect("good")
    if alice.end() != 0 or len(place.writes()) != 1:
        fail(f"{place.writes()}\n{alice.seen}")


def left_and_come_back_to(place):
    alice = Terminal(place, "alice", "run", place.playbook)
    alice.expect("waiting for them")
    alice.type("\x03")
    if alice.end() != 3 or "parked" not in alice.seen:
        fail(f"Ctrl-C did not leave it parked:\n{alice.seen}")
    run = re.search(r"run ([0-9a-f]{8})", alice.seen).group(1)
    back = Terminal(place, "alice", "resume", run)
    back.expect(f"run {run} goes on")
    back.expect("waiting for them")
    back.type("\x03")
    if back.end() != 3:
        fail(f"resume did not leave it parked:\n{back.seen}")
    for who in ("bob", "carol"):
        if place.approve(who, run).returncode:
            fail(f"{who} could not approve what is parked")
    again = Terminal(place, "alice", "follow", run)
    if again.end() != 0 or len(place.writes()) != 1:
        fail(f"follow:\n{again.seen}")


def watched_from_elsewhere(place):
    alice = Terminal(place, "alice", "run", place.playbook)
    alice.expect("waiting for them")
    run = re.search(r"run ([0-9a-f]{8})", alice.seen).group(1)
    dora = Terminal(place, "dora", "follow", run)
    dora.expect("needs approval")
    out = place.fettle("bob", "reject", run, "--digest", place.waiting(run)["digest"][:8], "--reason", "not tonight")
    if out.returncode or "rejected" not in out.stdout:
        fail(f"{out.stderr}{out.stdout}")
    dora.expect("not tonight")
    if dora.end() != 4 or alice.end() != 4 or place.writes():
        fail(f"rejected:\n{dora.seen}\n{alice.seen}")


def cancelled_while_it_waits(place):
    alice = Terminal(place, "alice", "run", place.playbook)
    alice.expect("waiting for them")
    run = re.search(r"run ([0-9a-f]{8})", alice.seen).group(1)
    digest = place.waiting(run)["digest"][:8]
    if place.fettle("bob", "approve", run, "--digest", digest).returncode:
        fail("bob could not approve")
    place.ok("alice", "cancel", run)
    if alice.end() != 130:
        fail(f"it was not cancelled:\n{alice.seen}")
    out = place.fettle("carol", "approve", run, "--digest", digest)
    if out.returncode == 0 or "over" not in out.stderr or place.writes():
        fail(f"a cancelled run was approved: {out.stderr}")


def a_script_says_what_it_saw(place):
    run = place.start()
    out = place.fettle("bob", "approve", run)
    if out.returncode != 2 or "--digest" not in out.stderr:
        fail(f"approved unseen: {out.stderr}")
    if place.approve("bob", run, digest="00000000").returncode == 0:
        fail("approved something else than was seen")
    if place.fettle("bob", "reject", run, "--digest", place.waiting(run)["digest"][:8]).returncode == 0:
        fail("rejected without a reason")


def a_resume_says_again_who_is_asked(place):
    run = place.start()
    said = place.fettle("alice", "resume", run, "--text").stdout
    if "needs approval by lead (2) before" not in said or "asked: bob, carol" not in said:
        fail(f"it does not say who is asked:\n{said}")
    place.approve("bob", run)
    said = place.fettle("alice", "resume", run, "--text").stdout
    if "1 of 2 lead" not in said or "asked: carol" not in said:
        fail(f"it does not say who is still asked:\n{said}")


def at_one_moment(place):
    """The same person from several processes at once: one vote, however many rows."""
    run = place.start()
    digest = place.waiting(run)["digest"][:8]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: place.approve("bob", run, digest=digest), range(4)))
        ends = list(pool.map(lambda _: place.fettle("alice", "resume", run, "--json").returncode, range(2)))
    if len(place.events(run, "gate.vote")) != 1 or place.writes() or 3 not in ends:
        fail(f"{place.events(run, 'gate.vote')} {ends}")


def one_person_at_two_gates(place):
    """A gate that the playbook asks for itself does not make one person two: who approved there as a lead is not the manager, too."""
    out = place.fettle("dora", "run", place.playbook, "--json")
    run = json.loads(out.stdout.splitlines()[0])["run"]
    for who in ("alice", "carol"):
        if place.approve(who, run).returncode:
            fail(f"{who} could not approve")
    if place.fettle("dora", "resume", run, "--json").returncode != 3:
        fail("the manager was not asked")
    out = place.approve("carol", run)
    if out.returncode == 0 or "counts already as lead" not in out.stderr or place.writes():
        fail(f"carol is two people: {out.stdout}{out.stderr}")
    if place.waiting(run)["asked"] != ["mike"] or place.approve("mike", run).returncode:
        fail(f"mike could not approve: {place.waiting(run)}")
    if place.fettle("dora", "resume", run, "--json").returncode or len(place.writes()) != 1:
        fail("it was not done")


def taken_back_before_it_was_done(place):
    """The run waits for its window, approved: who approved can still take it back, whether somebody has the run in hand or not."""
    run = place.start()
    if place.approve("bob", run).returncode or place.approve("carol", run).returncode:
        fail("they could not approve")
    digest = place.waiting(run)["digest"][:8]
    if place.fettle("alice", "resume", run, "--json").returncode != 3 or not place.events(run, "hold.opened"):
        fail("it does not wait for its window")
    out = place.fettle("dora", "approve", run, "--withdraw", "--digest", digest)
    if out.returncode == 0:
        fail("dora took back what she never gave")
    waits = Terminal(place, "alice", "resume", run, "--wait")
    waits.expect("goes on")
    out = place.fettle("carol", "approve", run, "--withdraw", "--digest", digest, "--reason", "the vendor called")
    if out.returncode:
        fail(out.stderr)
    waits.expect("carol withdrew the approval: the vendor called")
    if waits.end() != 1 or place.writes():
        fail(f"it was done all the same:\n{waits.seen}")


def rules_written_while_it_waits(place):
    """A process that lives for days holds what the configuration and its calendars say now, not what they said when it began."""
    config = open(f"{place.dir}/fettle.yaml").read()
    event = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//t//EN\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART;VALUE=DATE:%s\r\nDTEND;VALUE=DATE:%s\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    for change, says in ((lambda: place.write("fettle.yaml", config + "policies:\n  - {name: audit, never: the auditors are here}\n"), "the auditors are here"),
                         (lambda: place.write("f.ics", event % ("20200101", "20400101")), "freeze 'f'")):
        place.write("f.ics", event % ("20200101", "20200102"))
        place.write("fettle.yaml", config + "freezes: {f: {ics: f.ics}}\n")
        alice = Terminal(place, "alice", "run", place.playbook)
        alice.expect("waiting for them")
        run = re.search(r"run ([0-9a-f]{8})", alice.seen).group(1)
        change()
        if place.approve("bob", run).returncode or place.approve("carol", run).returncode:
            fail("they could not approve")
        alice.expect(says)
        if alice.end() not in (1, 3) or place.writes():
            fail(f"written in spite of what was written down: {says}\n{alice.seen}")


def several_gates_at_once(place):
    """Which one is meant is said by a path, and the path is said to whoever has to say it; where too few may answer that is said, too."""
    place.write("both.yaml", "fettle: 1\nname: both\ntitle: Two at once\ncategory: incident\nsteps:\n  - id: both\n    parallel:\n"
                "      left: {title: Left, run: sim.set, with: {key: a, value: 1}, undo: auto}\n      right: {title: Right, run: sim.set, with: {key: b, value: 1}, undo: auto}\n"
                "    then: good\noutcomes:\n  good: {title: Good}\n")
    out = place.fettle("alice", "run", f"{place.dir}/both.yaml", "--text")
    run = re.search(r"run ([0-9a-f]{8})", out.stdout).group(1)
    if out.stdout.count("1 more must approve") or "manager (1)" not in out.stdout:
        fail(out.stdout)
    said = place.fettle("mike", "approve", run, "--digest", "00000000").stderr
    if "--gate both/left, or --gate both/right" not in said:
        fail(f"it does not say which gates there are: {said}")
    said = place.ok("mike", "approvals")
    if f"fettle approve {run} --gate both/left" not in said or f"--gate both/right" not in said:
        fail(f"the list does not say how: {said}")
    digest = next(v["digest"] for v in place.lines("mike", "approvals") if v["path"] == "both/left")
    if place.fettle("mike", "approve", run, "--gate", "both/left", "--digest", digest[:8]).returncode:
        fail("he could not")
    place.write("few.yaml", PLAYBOOK.replace("count: 2", "count: 3"))
    out = place.fettle("alice", "run", f"{place.dir}/few.yaml", "--text")
    if "3 more must approve, and only 2 may" not in out.stdout:
        fail(f"it does not say that this cannot be approved:\n{out.stdout}")


def asked_once(place):
    """A gate that anybody may answer, answered by one who has the policy's role, is not asked a second time; answered by another it is."""
    place.write("any.yaml", PLAYBOOK.replace("    by: {role: lead, count: 2}\n", ""))
    for who, asked in (("mike", False), ("bob", True)):
        out = place.fettle("alice", "run", f"{place.dir}/any.yaml", "--json")
        run = json.loads(out.stdout.splitlines()[0])["run"]
        if place.approve(who, run).returncode:
            fail(f"{who} could not")
        out = place.fettle("alice", "resume", run, "--json")
        if (out.returncode == 3) != asked or len(place.events(run, "gate.opened")) != 1 + asked:
            fail(f"{who}: {out.returncode} {out.stdout[-500:]}")


def only_claimed(place):
    """Anybody can set SUDO_USER; only sudo, or root, is believed."""
    run = place.start()
    digest = place.waiting(run)["digest"][:8]
    for path, _, names in os.walk(place.dir):
        for name in ["", *names]:
            os.chown(os.path.join(path, name), 65534, 65534)
    env = {**place.env, "SUDO_USER": "bob"}
    out = subprocess.run(place.argv(["approve", run, "--digest", digest]), env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, user=65534, group=65534,
                         extra_groups=[])
    if out.returncode == 0 or "nobody" not in out.stderr:
        fail(f"a claimed name was believed: {out.returncode} {out.stderr}")


def broken_glass(place):
    out = place.fettle("bob", "run", place.playbook, "--break-glass", "the site is down", "--json")
    if out.returncode != 3 or place.writes():
        fail("bob broke the glass without the role")
    run = json.loads(out.stdout.splitlines()[0])["run"]
    if [(e["by"], e["why"]) for e in place.events(run, "gate.refused")] != [("bob", "only a person with the role oncall may break the glass here")]:
        fail(f"bob is not told why the glass is whole: {place.events(run)}")
    place.fettle("bob", "cancel", run)
    out = place.fettle("alice", "run", place.playbook, "--break-glass", "the site is down", "--json")
    if out.returncode != 0 or len(place.writes()) != 1:
        fail(f"the glass did not break: {out.returncode} {out.stderr}{out.stdout[-800:]}")
    run = json.loads(out.stdout.splitlines()[0])["run"]
    told = [r["params"]["value"] for r in place.record() if r["params"]["key"] == "notice"]
    if f"broken {run} the site is down bob, carol" not in " ".join(str(t) for t in told):
        fail(f"those who were passed over were not told: {told}")
    if [r["run"] for r in place.lines("bob", "approvals", "--review")] != [run]:
        fail("it is not marked for review")
    for who, why in (("alice", "alice broke the glass"), ("dora", "passed over: bob, carol")):
        out = place.fettle(who, "approvals", "review", run, "--note", "fine")
        if out.returncode == 0 or why not in out.stderr:
            fail(f"{who} reviewed it: {out.stderr}")
    for command, says in (("approvals", "alice broke the glass in run"), ("runs", "alice broke the glass in run"), ("doctor", "alice broke the glass in run")):
        out = place.fettle("dora", command)
        if says not in " ".join((out.stdout + out.stderr).split()) or out.returncode != (command == "doctor"):
            fail(f"{command} does not remind of it: {out.stdout}{out.stderr}")
    place.ok("bob", "approvals", "review", run, "--note", "it was right to")
    if "glass" in place.fettle("dora", "runs").stderr:
        fail("it reminds of what was reviewed")
    if place.lines("bob", "approvals", "--review") or len(place.events(run, "gate.reviewed")) != 1:
        fail("the review did not close it")


def notices(place):
    place.write("trouble.json", json.dumps({"set notice": ["refused", "ok"]}))
    run = place.start()
    if not place.events(run, "gate.notice_failed"):
        fail(f"a failed notice is not journalled: {place.events(run)}")
    if place.approve("bob", run).returncode or place.approve("carol", run).returncode:
        fail("a failed notice held it up")
    out = place.fettle("alice", "resume", run, "--json")
    if out.returncode or len(place.writes()) != 1:
        fail(out.stderr)


KILLS = []


def killed(place, who, args, n):
    out = place.fettle(who, *args, wrap=["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=pwrite64", "-e", f"inject=pwrite64:signal=KILL:when={n}"])
    if out.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL):
        KILLS.append((args[0], n))


def kill_everywhere(n):
    """Both answers and the taking of them are killed at the n-th write of the store, then done again by people who do not know."""
    place = Place()
    try:
        run = place.start()
        digest = place.waiting(run)["digest"][:8]
        killed(place, "bob", ["approve", run, "--digest", digest], n)
        killed(place, "alice", ["resume", run, "--json"], n)
        if place.writes():
            fail(f"killed at {n}: written with one of two")
        place.approve("bob", run, digest=digest)                          # refused where the first got through
        killed(place, "carol", ["approve", run, "--digest", digest], n)
        place.approve("carol", run, digest=digest)
        killed(place, "alice", ["resume", run, "--json"], n)
        for _ in range(4):
            out = place.fettle("alice", "resume", run, "--json")
            if out.returncode == 0 or "is over" in out.stderr:
                break
        votes = [e["by"] for e in place.events(run, "gate.vote")]
        if sorted(votes) != ["bob", "carol"] or len(place.writes()) != 1:
            fail(f"killed at {n}: votes {votes}, {len(place.writes())} writes, {out.returncode} {out.stderr}")
    finally:
        place.done()


MANAGER = """policies:
  - {name: lead, match: {action: sim.set}, approval: {role: lead}}
  - {name: manager, match: {action: sim.set}, approval: {role: manager}}
"""

MANAGER_ONLY = """policies:
  - {name: manager, match: {action: sim.set}, approval: {role: manager}}
"""

NIGHT = """timezone: UTC
windows:
  one_day: {from: "2034-01-01", to: "2034-01-02"}
policies:
  - {name: night, match: {action: sim.set}, windows: one_day}
"""

NOTIFY = """approvals:
  break_glass: {role: oncall}
  notify:
    - run: sim.set
      with: {key: notice, value: "${gate.what} ${gate.run} ${gate.reason} ${gate.to}"}
"""


def main():
    if os.geteuid() != 0:
        print("SKIPPED: without root nobody else can be played (SUDO_USER is believed of root only)")
        sys.exit(77)
    for scene, more in ((two_terminals, ""), (left_and_come_back_to, ""), (watched_from_elsewhere, ""), (cancelled_while_it_waits, ""), (a_script_says_what_it_saw, ""), (at_one_moment, ""), (a_resume_says_again_who_is_asked, ""), (only_claimed, ""), (one_person_at_two_gates, MANAGER), (taken_back_before_it_was_done, NIGHT), (rules_written_while_it_waits, ""), (several_gates_at_once, MANAGER_ONLY), (asked_once, MANAGER_ONLY),
                        (broken_glass, NOTIFY), (notices, NOTIFY)):
        place = Place(more)
        try:
            scene(place)
        finally:
            place.done()
        print(f"{scene.__name__}: ok", flush=True)
    points = [int(p) for p in os.environ.get("FETTLE_KILLS", "1,2,3,4,5,7,9,12").split(",")]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(kill_everywhere, points))
    if not {"approve", "resume"} <= {command for command, _ in KILLS} or len(KILLS) < 2 * len(points):
        fail(f"hardly anything was killed: {KILLS}")
    print(f"killed {len(KILLS)} times, at {len(points)} points of every answer and of every taking: ok")


main()
