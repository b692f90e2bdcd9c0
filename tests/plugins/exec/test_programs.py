#!/usr/bin/env python3
"""exec.command with programs that really run, driven by `fettle run`."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

FETTLE = os.path.join(os.environ["FETTLE_BUILD"], "bin", "fettle")
SECRET = "labsecret42"
failures = []


def check(what, holds, seen=""):
    if not holds:
        failures.append(what)
        print(f"FAILED {what}: {seen}", flush=True)


class World:
    def __init__(self, folder):
        self.folder = folder
        self.number = 0
        with open(f"{folder}/secret", "w", encoding="utf-8") as f:
            f.write(SECRET + "\n")
        os.chmod(f"{folder}/secret", 0o600)
        allow = [self.program("tell", "#!/bin/sh\nenv | sort\nfor a in \"$@\"; do echo \"[$a]\"; done\ncat\n"),
                 self.program("linger", f"#!/bin/sh\ntrap '' TERM\n(trap '' TERM; sleep 300 & echo $! > {folder}/grandchild; wait) &\necho $$ > {folder}/child\nwait\n"),
                 self.program("pour", "#!/bin/sh\nexec cat /dev/zero\n"), self.program("die", "#!/bin/sh\nkill -9 $$\n"), "true", "no-such-program-here",
                 f"{folder}/secret"]
        with open(f"{folder}/fettle.yaml", "w", encoding="utf-8") as f:
            json.dump({"fettle": 1, "store": f"{folder}/fettle.db",
                       "plugins": {"exec": {"allow": allow, "env": {"HOME": folder}, "secrets": {"radius": {"file": f"{folder}/secret"}}}}}, f)

    def program(self, name, text):
        path = f"{self.folder}/{name}"
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, 0o755)
        return path

    def run(self, effect="read", **step):
        self.number += 1
        params = {k: step.pop(k) for k in ("argv", "input", "input_json", "env", "secret_env", "json", "max_kib") if k in step}
        one = {"id": "it", "run": "exec.command", "with": params, "then": "fine", **step}
        one.update({"effect": "read"} if effect == "read" else {"undo": "none", "verify": {"run": "net.tcp", "with": {"host": "127.0.0.1", "port": 1},
                                                                "until": "not result.open", "every": "1s", "within": "5s"}})
        path = f"{self.folder}/p{self.number}.yaml"
        with open(path, "w", encoding="utf-8") as f:
            json.dump({"fettle": 1, "name": f"exec-{self.number}", "title": "one program", "category": "check", "severity": "P4", "steps": [one],
                       "outcomes": {"fine": {"title": "fine"}}}, f)
        out = subprocess.run([FETTLE, "run", path, "--json", "--yes"], env={**os.environ, "FETTLE_CONFIG": f"{self.folder}/fettle.yaml", "OUTSIDE": "yes"},
                             capture_output=True, text=True, timeout=60)
        check(f"{params['argv'][0]}: no secret in the output", SECRET not in out.stdout + out.stderr, out.stdout)
        events = [json.loads(line) for line in out.stdout.splitlines() if line.startswith("{")]
        ends = [e for e in events if e.get("type") in ("step.done", "step.failed", "step.unknown", "run.parked")]
        return ends[-1] if ends else {"type": "none", "error": out.stdout + out.stderr}


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def ends_within(pids, seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not any(alive(pid) for pid in pids):
            return True
        time.sleep(0.05)
    return False


def main():
    folder = tempfile.mkdtemp(prefix="fettle-exec-")
    try:
        world = World(folder)
        end = world.run(argv=["tell", "a b", "$(id)", "*", 5], input="the input\n", env={"ADDED": "1"}, secret_env={"KEY": "radius"})
        lines = end.get("result", {}).get("out", "").splitlines()
        check("arguments pass no shell", ["[a b]", "[$(id)]", "[*]", "[5]", "the input"] == lines[-5:], end)
        names = [line.split("=")[0] for line in lines[:-5]]
        check("nothing of fettle's own environment", set(names) - {"PWD", "SHLVL", "_", "OLDPWD"} == {"ADDED", "HOME", "KEY", "LANG", "PATH"}, names)
        check("the secret came, and is not shown", "KEY=***" in lines, lines)
        end = world.run(argv=["true"])
        check("true", end["type"] == "step.done" and end["result"]["status"] == 0, end)
        end = world.run(argv=["no-such-program-here"])
        check("a program that is not there", end.get("class") == "not_found" and "no-such-program-here" in end["error"], end)
        end = world.run(argv=["secret"])
        check("a file that is no program", end["type"] == "step.failed" and "permission denied" in end["error"], end)
        end = world.run(argv=["sh", "-c", "true"])
        check("a program that is not allowed", end.get("class") == "denied", end)
        end = world.run(argv=["die"])
        check("ended by a signal", end.get("class") == "refused" and "signal 9" in end["error"], end)
        end = world.run(argv=["pour"], max_kib=64)
        check("too much output", end.get("class") == "invalid" and "more than" in end["error"], end)
        for effect, wanted in (("read", "timeout"), ("write", "ambiguous")):
            end = world.run(argv=["linger"], timeout="500ms", effect=effect)
            check(f"a {effect} that takes too long is {wanted}", wanted in (end.get("class"), "ambiguous" if end["type"] in ("step.unknown", "run.parked", "step.done") else None), end)
            pids = []
            for name in ("child", "grandchild"):
                with open(f"{folder}/{name}", encoding="utf-8") as f:
                    pids.append(int(f.read()))
            check(f"nothing of a {effect} is left behind", ends_within(pids, 5), pids)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{len(failures)} of the checks failed" if failures else "all checks passed")
    return 1 if failures else 0


sys.exit(main())
