"""tickets.py: the two playbooks of tests/plugins/ticket, run with the fettle binary against whatever ticket system the configuration names."""
import json, os, subprocess

BUILD = os.environ.get("FETTLE_BUILD", "build/asan")
SOURCE = os.environ.get("FETTLE_SOURCE", ".")


class Tickets:
    def __init__(self, folder, config, secrets=()):
        self.folder, self.config, self.secrets, self.failures = folder, config, secrets, []

    def check(self, what, holds, seen=""):
        if not holds:
            self.failures.append(what)
            print(f"FAILED {what}: {seen}", flush=True)

    def run(self, playbook, *params):
        out = subprocess.run([f"{BUILD}/bin/fettle", "run", playbook, *params, "--json", "--yes"], env={**os.environ, "FETTLE_CONFIG": self.config, "HOME": self.folder},
                             capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL, check=False)
        self.check("no secret in the output", not any(s in out.stdout + out.stderr for s in self.secrets), playbook)
        events = [json.loads(line) for line in out.stdout.splitlines() if line.startswith("{")]
        return out.returncode, events, out.stderr

    def step(self, run, **params):
        """One step of one action; the event that ended it."""
        self.number = getattr(self, "number", 0) + 1
        path = f"{self.folder}/step{self.number}.yaml"
        step = {"id": "it", "run": run, "with": params, "undo": "none", "then": "done"}
        if run in ("ticket.find", "ticket.get", "ticket.change_status"):
            del step["undo"]
        with open(path, "w", encoding="utf-8") as f:
            json.dump({"fettle": 1, "name": f"step-{self.number}", "title": run, "category": "incident", "severity": "P4", "steps": [step],
                       "outcomes": {"done": {"title": "done"}}}, f)
        _, events, err = self.run(path)
        ends = [e for e in events if e.get("type") in ("step.done", "step.failed", "step.unknown")]
        return ends[-1] if ends else {"type": "none", "error": err}

    def incident(self, subject, priority_of_p2=2, says_text=True, closed=("closed",)):
        """The whole way of one incident. Gives the results by step."""
        status, events, err = self.run(f"{SOURCE}/tests/plugins/ticket/incident.yaml", f"subject={subject}")
        steps = {e["path"]: e.get("result") for e in events if e.get("type") == "step.done"}
        ends = [e for e in events if e.get("type") in ("step.failed", "step.unknown", "run.parked")]
        self.check(f"{subject}: the playbook ends well", status == 0 and "still" in steps, (status, ends, err))
        if "still" not in steps:
            return steps
        opened = steps["opened"]
        self.check("a new ticket", opened["created"] and opened["state"] == "new" and opened["active"] and opened["number"] and opened["url"].startswith("http"), opened)
        self.check("opened once", not steps["again"]["created"] and steps["again"]["number"] == opened["number"], steps["again"])
        self.check("its times are UTC", opened["opened_at"] is None or opened["opened_at"].endswith("Z"), opened)
        self.check("in progress", steps["noted"]["state"] == "in_progress", steps["noted"])
        self.check("raised", steps["raised"]["priority"] == priority_of_p2, steps["raised"])
        self.check("attached", steps["file"]["size_bytes"] == len("line 1\nline 2: größer\n".encode()), steps["file"])
        notes = steps["told"]["notes"]
        self.check("the note is read back", any(("Pool of VLAN 110 is full" in n["text"] if says_text else "fettle run" in n["text"]) for n in notes), notes)
        self.check("on hold", steps["waiting"]["state"] == "on_hold", steps["waiting"])
        self.check("back in progress", steps["back"]["state"] == "in_progress", steps["back"])
        self.check("resolved", steps["resolved"]["state"] == "resolved", steps["resolved"])
        self.check("reopened", steps["reopened"]["state"] in ("in_progress", "new") and steps["reopened"]["active"], steps["reopened"])
        self.check("resolved again", steps["resolved_again"]["state"] == "resolved", steps["resolved_again"])
        self.check("closed", steps["closed"]["state"] in closed, steps["closed"])
        self.check("no more among the open ones", not steps["gone"]["found"], steps["gone"])
        self.check("found by its correlation id still", steps["still"]["found"] and steps["still"]["number"] == opened["number"], steps["still"])
        return steps

    def taken_back(self, subject, other):
        """A run that fails takes back what it did; gives the ticket as it is then."""
        status, events, err = self.run(f"{SOURCE}/tests/plugins/ticket/taken_back.yaml", f"subject={subject}", f"other={other}")
        undone = [e for e in events if e.get("type", "").startswith("undo.")]
        self.check(f"{subject}: the run ends as rolled back", status == 5, (status, events[-3:], err))
        self.check("three steps were taken back", len([e for e in undone if e["type"] == "undo.done"]) == 3, undone)
        numbers = [e["result"]["number"] for e in events if e.get("type") == "step.done" and e.get("path") == "opened"]
        return self.step("ticket.get", number=numbers[0], notes=True)["result"] if numbers else {}
