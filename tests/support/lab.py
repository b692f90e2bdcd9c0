"""lab.py: starts fettle-lab for a test, and runs fettle against it. A fettle that stands still is not waited for: what it was doing is said."""
import json, os, re, shutil, signal, subprocess, tempfile, time, urllib.request

BUILD = os.environ.get("FETTLE_BUILD", "build/asan")
SOURCE = os.environ.get("FETTLE_SOURCE", ".")
CLIENT = "a4:83:e7:12:34:56"

STANDS_S = 45           # the longest pause of a run in the lab is a second: a process that was not awake once in that time hangs


def descendants(pid):
    """The process and all below it (fettle may stand behind strace)."""
    pids = [pid]
    for one in pids:
        try:
            for task in os.listdir(f"/proc/{one}/task"):
                pids += map(int, open(f"/proc/{one}/task/{task}/children").read().split())
        except OSError:
            pass
    return pids


def awake(pids):
    """Grows whenever one of their threads did anything."""
    switches = 0
    for pid in pids:
        try:
            for task in os.listdir(f"/proc/{pid}/task"):
                switches += sum(map(int, re.findall(r"ctxt_switches:\s*(\d+)", open(f"/proc/{pid}/task/{task}/status").read())))
        except OSError:
            pass
    return len(pids), switches


def name_of(pid):
    try:
        return open(f"/proc/{pid}/comm").read().strip()
    except OSError:
        return ""


def stacks(pids):
    """Where each thread of fettle is. What strace holds gdb cannot look into: strace is killed first, which lets go of it."""
    for pid in pids:
        if name_of(pid) == "strace":
            os.kill(pid, signal.SIGKILL)
    text = ""
    for pid in pids:
        name = name_of(pid)
        if name.startswith("fettle") and shutil.which("gdb"):
            seen = subprocess.run(["gdb", "-p", str(pid), "-batch", "-ex", "thread apply all bt"], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
            text += f"--- {name} ({pid})\n" + "\n".join(line for line in seen.stdout.splitlines() if line.startswith(("Thread", "#"))) + "\n"
    return text or "(no gdb, so no stacks)"


def finish(process, what, limit_s):
    """Its output, when it has ended. When it stands still, or takes longer than that, it is killed, and the test fails with what it was doing."""
    began = since = time.monotonic()
    last, out = None, b""
    while True:
        try:
            return process.communicate(timeout=1)
        except subprocess.TimeoutExpired as e:
            out = e.output or out
        pids, now = descendants(process.pid), time.monotonic()
        seen = awake(pids)
        if seen != last:
            last, since = seen, now
        if now - since < STANDS_S and now - began < limit_s:
            continue
        why = f"stood still for {now - since:.0f} s" if now - since >= STANDS_S else f"was not over after {limit_s} s"
        lines = (out.decode(errors="replace") if isinstance(out, bytes) else out).splitlines()[-6:]
        where = stacks(pids)
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        process.communicate()
        raise SystemExit(f"FAILED: {what} {why}.\nIts last lines:\n" + "\n".join(line[:300] for line in lines) + f"\nIts threads:\n{where}")


class Lab:
    """One simulated network. `text` is a scenario; `name` one of examples/lab/scenarios, with its speed replaced."""

    def __init__(self, name=None, text=None, speed=60):
        self.dir = tempfile.mkdtemp(prefix="fettle-lab-test-")
        if text is None:
            text = open(f"{SOURCE}/examples/lab/scenarios/{name}.yaml").read()
            text = re.sub(r"(?m)^speed:.*$", f"speed: {speed}", text)
        scenario = f"{self.dir}/scenario.yaml"
        open(scenario, "w").write(text)
        self.log = open(f"{self.dir}/lab.log", "w+")
        r, w = os.pipe()
        self.process = subprocess.Popen([f"{BUILD}/bin/fettle-lab", scenario, "--port", "0", "--dir", f"{self.dir}/lab", "--ready-fd", str(w)], pass_fds=[w],
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})
        os.close(w)
        with os.fdopen(r) as ready:
            line = ready.readline()
        found = re.search(r"http://[0-9.]+:[0-9]+", line)
        if not found:
            self.log.seek(0)
            raise SystemExit(f"FAILED: the lab did not start: {line!r} {self.log.read()}")
        self.url = found.group(0)
        self.config = f"{self.dir}/lab/fettle.yaml"

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=20) as answer:
            return json.load(answer)

    def post(self, path, body):
        request = urllib.request.Request(self.url + path, data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}, method="POST")
        with urllib.request.urlopen(request, timeout=20) as answer:
            text = answer.read()
            return json.loads(text) if text.strip() else None

    def writes(self, system=None):
        return [w for w in self.get("/lab/writes") if system is None or w["system"] == system]

    def fettle(self, *args, config=None, env=None, wrap=(), timeout=300, stdin=subprocess.DEVNULL):
        """Runs fettle; returns (status, list of JSON lines, standard error)."""
        process = subprocess.Popen([*wrap, f"{BUILD}/bin/fettle", *args, "--config", config or self.config], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True, env={**os.environ, "HOME": self.dir, **(env or {})})
        out, err = finish(process, f"`fettle {' '.join(args)}`", timeout)
        lines = []
        for line in out.splitlines():
            try:
                lines.append(json.loads(line))
            except ValueError:
                lines.append({"type": "text", "text": line})
        return process.returncode, lines, err

    def stop(self):
        self.process.terminate()
        try:
            status = self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise SystemExit("FAILED: the lab did not end when asked to")
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)
        return status

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def last(events, type_, path=None):
    for event in reversed(events):
        if event.get("type") == type_ and (path is None or event.get("path") == path):
            return event
    return None


def way(events):
    """The steps that ended, in order, without what stands inside others."""
    return [e["path"] for e in events if e.get("type") in ("step.done", "step.failed", "step.skipped") and "/" not in e["path"]]
