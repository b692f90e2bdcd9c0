#!/usr/bin/env python3
"""The record as people use it: verified, exported and proved elsewhere, forgotten by hand and by rule, and all of it killed in between."""
import hashlib, json, os, shutil, signal, sqlite3, subprocess, sys, tempfile

BUILD = os.environ.get("FETTLE_BUILD", "build/asan")
FETTLE = f"{BUILD}/bin/fettle"
CLIENT = "a4:83:e7:12:34:56"
PLAYBOOK = """fettle: 1
name: record
title: What is on record
category: change
params:
  client: {type: mac, required: true}
  user: {type: string, required: true}
steps:
  - id: gate
    approve: "May we let ${client} in again?"
    branch:
      - if: result.approved
        then: put
      - else: bad
  - {id: put, title: Let it in again, run: sim.set, with: {key: "client ${client}", value: 1}, undo: auto, say: "${client} of ${user} is in again", then: good}
outcomes:
  good: {title: Good, diagnosis: "${client} is in again"}
  bad: {title: Bad, status: attention}
"""


def fail(text):
    raise AssertionError(text)


class Place:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="fettle-audit-")
        home = f"{self.dir}/home"
        os.makedirs(f"{home}/plugins")
        shutil.copy(f"{BUILD}/test-plugins/sim.so", f"{home}/plugins/sim.so")
        for name in ("lua", "schemas"):
            os.symlink(os.path.realpath(f"{BUILD}/{name}"), f"{home}/{name}")
        self.env = {**os.environ, "FETTLE_HOME": home, "HOME": self.dir}
        self.configure("")
        self.write("record.yaml", PLAYBOOK)
        self.write("state.json", "{}")

    def configure(self, more):
        self.write("fettle.yaml", f"fettle: 1\nstore: {self.dir}/store.db\nplugins:\n  sim: {{dir: {self.dir}}}\n{more}")

    def write(self, name, text):
        with open(f"{self.dir}/{name}", "w") as f:
            f.write(text)

    def fettle(self, *args, want=0, wrap=()):
        out = subprocess.run([*wrap, FETTLE, *args, "--config", f"{self.dir}/fettle.yaml"], env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
        if want is not None and out.returncode != want:
            fail(f"fettle {' '.join(args)}: {out.returncode}, not {want}: {out.stdout}{out.stderr}")
        return out.stdout

    def run(self, client=CLIENT, user="alice.smith"):
        self.fettle("run", f"{self.dir}/record.yaml", f"client={client}", f"user={user}", "--yes")
        return json.loads(self.fettle("runs", "--json", "-n", "1"))["run"]

    def grep(self, text):
        return [name for name in os.listdir(self.dir) if name.startswith("store.") and text.encode() in open(f"{self.dir}/{name}", "rb").read()]

    def done(self):
        shutil.rmtree(self.dir, ignore_errors=True)


def verify_and_export(place):
    run = place.run()
    report = json.loads(place.fettle("audit", "verify", "--json"))
    if not report["ok"] or report["unsealed"] or report["runs"] != 1:
        fail(f"verify: {report}")
    if "is what was written" not in place.fettle("audit", "verify", run):
        fail("verify says nothing")
    key = place.fettle("audit", "key")
    away = tempfile.mkdtemp(prefix="fettle-away-")
    open(f"{away}/kept.pub", "w").write(key)
    for form in ("html", "json"):
        file = f"{away}/run.{form}"
        place.fettle("export", run, "--format", form, "--out", file)
        if os.stat(file).st_mode & 0o777 != 0o600:
            fail("an export is for its owner")
        text = open(file).read()
        for wanted in ["approved", "sim.set"] + (["<svg", "May we let", "Changes"] if form == "html" else []):
            if wanted not in text:
                fail(f"the {form} export lacks '{wanted}'")
        alone = {"PATH": os.environ["PATH"], "HOME": away, "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "")}
        good = subprocess.run([FETTLE, "audit", "verify", "--file", file, "--key", f"{away}/kept.pub"], cwd=away, env=alone, capture_output=True, text=True)
        if good.returncode != 0:
            fail(f"{form}: {good.stdout}{good.stderr}")
        open(file, "w").write(text.replace("approved", "rejected", 1))
        bad = subprocess.run([FETTLE, "audit", "verify", "--file", file], cwd=away, env=alone, capture_output=True, text=True)
        if bad.returncode != 1 or "signature does not hold" not in bad.stdout:
            fail(f"{form}, changed: {bad.returncode} {bad.stdout}{bad.stderr}")
    shutil.rmtree(away)
    return run


def blake(text, before=b"", key=b""):
    return hashlib.blake2b(before + text, digest_size=32, key=key).hexdigest()


def without_fettle(place, run):
    """The README's own lines with coreutils and OpenSSL; then each part of the record as schemas/README.md says."""
    away = tempfile.mkdtemp(prefix="fettle-away-")
    for form in ("json", "html"):
        place.fettle("export", run, "--format", form, "--out", f"{away}/run.{form}")
    open(f"{away}/fettle.pub", "w").write(place.fettle("audit", "key"))
    readme = open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../README.md")).read()
    lines = [line for line in readme.splitlines() if line.startswith("    ") and ("run.json |" in line or "openssl pkeyutl" in line)]
    page = ["head -c -220 run.html > record", "tail -c 133 run.html | head -c 128 | tr a-f A-F | basenc -d --base16 > signature", lines[-1]]
    for script in (lines, page):
        out = subprocess.run(["bash", "-euc", "\n".join(script)], cwd=away, capture_output=True, text=True)
        if len(lines) != 3 or "Verified Successfully" not in out.stdout:
            fail(f"{script}: {out.stdout}{out.stderr}")
    record = json.load(open(f"{away}/run.json"))["record"]
    before, heads = run.encode() + bytes(32 - len(run)), {}
    for number, digest, text in record["events"]:
        if blake(text.encode(), before) != digest:
            fail(f"event {number}: {digest}")
        before = bytes.fromhex(digest)
        heads[number] = digest
    for number, at, text, digest, signature in record["seals"]:
        open(f"{away}/record", "w").write(text)
        open(f"{away}/signature", "wb").write(bytes.fromhex(signature))
        subprocess.run(["bash", "-euc", lines[-1]], cwd=away, check=True, capture_output=True)
        seal = json.loads(text)
        mine = [one for one in seal["runs"] if one[0] == run]
        if blake(text.encode(), bytes(32)) != digest or any(heads[one[1]] != one[2] for one in mine):
            fail(f"seal {number}")
    row = b"".join(b"%d:%s" % (len(value.encode()), value.encode()) for value in record["run"].values())
    if mine[0][3] != blake(row) or mine[0][1] != record["events"][-1][0]:
        fail(f"the newest seal's digest of what `runs` shows: {mine}")
    texts = "".join(text for _, _, text in record["events"])
    for n, salt, value in record["personal"]:
        if f"\\ue000{n}={blake(value.encode(), key=bytes.fromhex(salt))};" not in texts:
            fail(f"personal value {n}")
    for digest, text in record["blobs"]:
        if hashlib.sha256(text.encode()).hexdigest() != digest:
            fail(f"blob {digest}")
    if not record["personal"] or not record["blobs"] or not record["seals"]:
        fail("the record has not all parts: the test does not test")
    shutil.rmtree(away)


def altered(place, run):
    """A record that was altered is exported with a warning, and its export does not prove."""
    db = sqlite3.connect(f"{place.dir}/store.db")
    was = db.execute("SELECT outcome FROM runs WHERE id = ?", (run,)).fetchone()[0]
    db.execute("UPDATE runs SET outcome = 'bad' WHERE id = ?", (run,))
    db.commit()
    out = subprocess.run([FETTLE, "export", run, "--out", f"{place.dir}/altered.html", "--config", f"{place.dir}/fettle.yaml"], env=place.env, capture_output=True, text=True)
    if out.returncode != 0 or "will not prove" not in out.stderr:
        fail(f"no warning: {out.returncode} {out.stderr}")
    place.fettle("audit", "verify", "--file", f"{place.dir}/altered.html", want=1)
    db.execute("UPDATE runs SET outcome = ? WHERE id = ?", (was, run))
    db.commit()
    db.close()
    place.fettle("audit", "verify")


def hostile(place, run):
    """What stands in an altered store does not speak to the auditor's terminal."""
    db = sqlite3.connect(f"{place.dir}/store.db")
    db.execute("INSERT INTO runs SELECT 99, char(27) || '[2J', playbook, digest, mode, char(27) || '[1A' || char(27) || '[2K', outcome, started, ended, summary, owner, '{}', 0"
               " FROM runs WHERE id = ?", (run,))
    db.commit()
    out = place.fettle("audit", "verify", want=1)
    if chr(27) in out or "no seal covers it" not in out:
        fail(f"an escape: {out!r}")
    db.execute("DELETE FROM runs WHERE row = 99")
    db.commit()
    db.close()


def older_copy(place):
    """Yesterday's store in its place is whole in itself; the seal that was noted tells."""
    for name in os.listdir(place.dir):
        if name.startswith("store."):
            shutil.copy(f"{place.dir}/{name}", f"{place.dir}/yesterday.{name}")
    place.run()
    line = next(line for line in place.fettle("audit", "verify").splitlines() if "--seal" in line)
    noted = line.split("--seal ")[1]
    if "is in it" not in place.fettle("audit", "verify", "--seal", noted):
        fail("the seal that was noted is there")
    for name in os.listdir(place.dir):
        if name.startswith("store."):
            os.unlink(f"{place.dir}/{name}")
    for name in os.listdir(place.dir):
        if name.startswith("yesterday."):
            os.rename(f"{place.dir}/{name}", f"{place.dir}/{name[10:]}")
    place.fettle("audit", "verify")
    if "older copy" not in place.fettle("audit", "verify", "--seal", noted, want=1):
        fail("an older copy is not found")
    place.fettle("audit", "verify", "--seal", "7", want=2)


def forget(place, run):
    shown = place.fettle("show", run)
    if CLIENT not in shown or "alice.smith" not in shown:
        fail(f"show lacks what the run has: {shown}")
    if CLIENT not in place.fettle("runs", "--json"):
        fail("runs shows the summary")
    if "--reason" not in subprocess.run([FETTLE, "audit", "forget", run, "--config", f"{place.dir}/fettle.yaml"], env=place.env, capture_output=True, text=True).stderr:
        fail("a deletion needs a reason")
    if "takes a MAC" not in subprocess.run([FETTLE, "audit", "forget", "--value", "", "--reason", "t", "--config", f"{place.dir}/fettle.yaml"], env=place.env, capture_output=True,
                                           text=True).stderr:
        fail("nothing is no value")
    if not place.grep(CLIENT):
        fail("the address is nowhere, so the test proves nothing")
    place.fettle("audit", "forget", run, "--reason", "asked for")
    for text in (CLIENT, "alice.smith"):
        if place.grep(text):
            fail(f"{text} is still in {place.grep(text)}")
    report = json.loads(place.fettle("audit", "verify", "--json"))
    if not report["ok"] or report["personal"] != {"kept": 0, "deleted": 2}:
        fail(f"verify after: {report}")
    shown = place.fettle("show", run)
    if "(deleted)" not in shown or CLIENT in shown:
        fail(f"show after: {shown}")
    place.fettle("export", run, "--out", f"{place.dir}/late.html")
    place.fettle("audit", "verify", "--file", f"{place.dir}/late.html")


def kill_in_between(place):
    """Killed at each write to the store while it forgets: either all is there, or it is gone and told; and then again, to the end."""
    killed = 0
    for n in range(1, 40):
        run = place.run(client="a4:83:e7:00:00:01", user="mallory")
        wrap = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=pwrite64", "-e", f"inject=pwrite64:signal=KILL:when={n}"]
        out = subprocess.run([*wrap, FETTLE, "audit", "forget", "--value", "a483.e700.0001", "--reason", "t", "--config", f"{place.dir}/fettle.yaml"],
                             env={**place.env, "ASAN_OPTIONS": "detect_leaks=0"}, capture_output=True, text=True, timeout=120)
        report = json.loads(place.fettle("audit", "verify", "--json"))
        if not report["ok"]:
            fail(f"killed at write {n}: {report}")
        if out.returncode == 0:
            break
        killed += 1
    if killed < 3:
        fail(f"only {killed} kills: {out.returncode} {out.stderr}")
    place.fettle("audit", "forget", "--value", "mallory", "--reason", "t")
    if place.grep("a4:83:e7:00:00:01") or place.grep("mallory"):
        fail(f"still there after all: {place.grep('a4:83:e7:00:00:01')}")


def rules(place):
    place.configure("retention: {personal: 90 days, runs: 2y}\n")
    out = subprocess.run([FETTLE, "audit", "retain", "--config", f"{place.dir}/fettle.yaml"], env=place.env, capture_output=True, text=True)
    if out.returncode != 2 or "90d" not in out.stderr:
        fail(f"a wrong age: {out.stderr}")
    place.configure("retention: {personal: 90d, runs: 2y}\n")
    if "0 values deleted" not in place.fettle("audit", "retain"):
        fail("nothing is old")
    place.fettle("audit", "forget", "--before", "1d", "--whole", "--reason", "t")


place = Place()
try:
    run = verify_and_export(place)
    without_fettle(place, run)
    altered(place, run)
    hostile(place, run)
    older_copy(place)
    forget(place, run)
    kill_in_between(place)
    rules(place)
    place.fettle("audit", "verify")
finally:
    place.done()
print("the record holds")
