#!/usr/bin/env python3
"""The same playbooks against ServiceNow, Jira Cloud and Jira Data Center of the lab, with the fettle binary; only the configuration's default differs.
(tests/peers/test_rt.py runs them against a real Request Tracker.)"""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.environ.get("FETTLE_SOURCE", "."), "tests/support"))
from lab import Lab           # noqa: E402
from tickets import Tickets   # noqa: E402

SCENARIO = "title: Tickets only\nspeed: 1\nfaults: []\n"


def config_for(lab, system):
    text = open(lab.config, encoding="utf-8").read()
    text = re.sub(r"(?m)^  ticket:\n", f"  ticket:\n    default: {system}\n", text)
    text = re.sub(r'(?m)^store: .*$', f'store: "{lab.dir}/{system}.db"', text)
    path = f"{lab.dir}/{system}.yaml"
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, 0o600)
    return path


def secrets(lab):
    return [open(f"{lab.dir}/lab/{name}", encoding="utf-8").read().strip() for name in ("servicenow.password", "jira.token")]


def changes(t, lab):
    """A change request from its opening to its end, with the approval in between."""
    opened = t.step("ticket.change_open", title="Firmware of HQ", text="41 access points", start=1, end="2090-11-29T02:00:00Z", backout_plan="kept on the devices", correlation_id="chg-1")
    t.check("a change is opened", opened["type"] == "step.done" and opened["result"]["approval"] == "not requested" and opened["result"]["number"].startswith("CHG"), opened)
    number = opened["result"]["number"]
    t.check("once", t.step("ticket.change_open", title="Firmware of HQ", correlation_id="chg-1")["result"]["created"] is False)
    early = t.step("ticket.change_update", number=number, state="implement")
    t.check("not before its approval", early.get("class") == "denied" and "cannot follow" in early["error"], early)
    asked = t.step("ticket.change_update", number=number, state="assess", note="please approve")
    t.check("approval asked for", asked["type"] == "step.done" and asked["result"]["approval"] == "requested", asked)
    status = t.step("ticket.change_status", number=number)["result"]
    t.check("it waits", not status["may_start"] and not status["approved"] and status["window"] == "none" or status["window"] == "open", status)
    t.check("who is asked", [a["state"] for a in status["approvers"]] == ["requested"] and status["approvers"][0]["who"] == "network.lead", status)
    rows = lab.get("/lab/state")["tickets"]["sysapproval_approver"]
    import base64
    import json
    import urllib.request
    request = urllib.request.Request(f"{lab.url}/api/now/table/sysapproval_approver/{rows[0]['sys_id']}", data=json.dumps({"state": "approved"}).encode(), method="PATCH",
                                     headers={"Content-Type": "application/json", "Authorization": "Basic " + base64.b64encode(f"fettle:{secrets(lab)[0]}".encode()).decode()})
    urllib.request.urlopen(request, timeout=10).close()
    moved = t.step("ticket.change_update", number=number, start="2020-01-01T00:00:00Z", end="2090-01-01T00:00:00Z")
    t.check("a window", moved["type"] == "step.done" and moved["result"]["start"] == "2020-01-01T00:00:00Z", moved)
    status = t.step("ticket.change_status", number=number)["result"]
    t.check("approved, scheduled, within its window", status["may_start"] and status["approved"] and status["state"] == "scheduled" and status["window"] == "open", status)
    begun = t.step("ticket.change_update", number=number, state="implement", note="fettle begins")
    t.check("implementation", begun["type"] == "step.done" and begun["result"]["state"] == "implement", begun)
    closed = t.step("ticket.change_close", number=number, notes="all of them run it")
    t.check("closed by way of review", closed["type"] == "step.done" and closed["result"]["state"] == "closed", closed)
    for system in ("jira-cloud", "jira-dc"):
        t.check("Jira has no changes", "has no change requests" in t.step("ticket.change_status", system=system, number=number).get("error", ""))


def faults(t, lab, system):
    """An answer that was lost after the ticket was made: it is looked for, and not opened twice."""
    before = len([w for w in lab.writes() if w["method"] == "POST"])
    lab.post("/lab/fault", {"api": {"system": "servicenow" if system == "servicenow" else "jira", "method": "POST", "kind": "lose_answer", "times": 1}})
    end = t.step("ticket.open", title="AP-3F-12 is away", correlation_id=f"lost/{system}")
    t.check(f"{system}: a lost answer is found out", end["type"] == "step.done" and end["result"]["created"] and end["result"]["number"], end)
    t.check(f"{system}: one ticket was made", len([w for w in lab.writes() if w["method"] == "POST"]) == before + 1, lab.writes()[-3:])
    end = t.step("ticket.get", number="NOPE-99999999")
    t.check(f"{system}: what is not there", end.get("class") == "not_found", end)
    end = t.step("ticket.find", about='x" OR summary ~ "y\' OR 1=1 ^ORactive=true')
    t.check(f"{system}: no query can be smuggled in", end["type"] == "step.done" and not end["result"]["found"], end)


def main():
    failures = []
    with Lab(text=SCENARIO) as lab:
        for system in ("servicenow", "jira-cloud", "jira-dc"):
            t = Tickets(lab.dir, config_for(lab, system), secrets(lab))
            steps = t.incident(f"AP-3F-12 ({system})")
            back = t.taken_back(f"AP-4 ({system})", steps["parent"]["number"])
            t.check("cancelled, with a note", back.get("state") == "canceled" and any("taken back" in n["text"] for n in back["notes"]), back)
            faults(t, lab, system)
            if system == "servicenow":
                changes(t, lab)
            failures += [f"{system}: {f}" for f in t.failures]
    print("\n".join(failures) if failures else "all checks passed")
    return 1 if failures else 0


sys.exit(main())
