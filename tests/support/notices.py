"""notices.py: one step of one action with the fettle binary, for tests of what fettle sends to real servers."""
import json, os, socket, subprocess

BUILD = os.environ.get("FETTLE_BUILD", "build/asan")


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Notices:
    def __init__(self, folder, secrets=()):
        self.folder, self.secrets, self.failures, self.number = folder, secrets, [], 0

    def check(self, what, holds, seen=""):
        if not holds:
            self.failures.append(what)
            print(f"FAILED {what}: {seen}", flush=True)

    def run(self, config, steps):
        """steps: lists of (action, params, undo). Gives (status, events)."""
        self.number += 1
        paths = [f"{self.folder}/c{self.number}.yaml", f"{self.folder}/p{self.number}.yaml"]
        made = []
        for i, (action, params, undo) in enumerate(steps):
            step = {"id": f"s{i + 1}", "run": action, "with": params}
            if undo:
                step["undo"] = undo
            made.append(step)
        made[-1]["then"] = "done"
        with open(paths[0], "w", encoding="utf-8") as f:
            json.dump({"fettle": 1, "store": f"{self.folder}/fettle.db", "plugins": config}, f)
        with open(paths[1], "w", encoding="utf-8") as f:
            json.dump({"fettle": 1, "name": f"notice-{self.number}", "title": "a notice", "category": "incident", "severity": "P4", "steps": made, "outcomes": {"done": {"title": "done"}}}, f)
        out = subprocess.run([f"{BUILD}/bin/fettle", "run", paths[1], "--json", "--yes"], env=dict(os.environ, FETTLE_CONFIG=paths[0], HOME=self.folder), capture_output=True, text=True,
                             timeout=120, stdin=subprocess.DEVNULL, check=False)
        self.check("no secret in the output", not any(s in out.stdout + out.stderr for s in self.secrets))
        events = [json.loads(line) for line in out.stdout.splitlines() if line.startswith("{")]
        return out.returncode, events or [{"type": "none", "error": out.stdout + out.stderr}]

    def step(self, config, action, undo="none", **params):
        _, events = self.run(config, [(action, params, undo)])
        ends = [e for e in events if e.get("type") in ("step.done", "step.failed", "step.unknown")]
        return ends[-1] if ends else events[-1]
