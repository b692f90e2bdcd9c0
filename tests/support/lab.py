"""lab.py: starts fettle-lab for a test, and runs fettle against it."""
import json, os, re, shutil, subprocess, tempfile, urllib.request

BUILD = os.environ.get("FETTLE_BUILD", "build/asan")
SOURCE = os.environ.get("FETTLE_SOURCE", ".")
CLIENT = "a4:83:e7:12:34:56"


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
        out = subprocess.run([*wrap, f"{BUILD}/bin/fettle", *args, "--config", config or self.config], stdin=stdin, capture_output=True, text=True, timeout=timeout,
                             env={**os.environ, "HOME": self.dir, **(env or {})})
        lines = []
        for line in out.stdout.splitlines():
            try:
                lines.append(json.loads(line))
            except ValueError:
                lines.append({"type": "text", "text": line})
        return out.returncode, lines, out.stderr

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
