#!/usr/bin/env python3
"""The ise plugin, driven by `fettle run`, against the lab's ISE: every read, and writes that are taken back."""
import json, os, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "support"))
from lab import Lab, CLIENT

NEW = "02:00:5E:00:53:01"
failures = []


def check(what, holds, seen=""):
    if not holds:
        failures.append(what)
        print(f"FAILED {what}: {seen}", flush=True)


def play(lab, name, steps, rollback=False, dry=False):
    """Runs the steps one after the other; gives {id: event that ended it}."""
    listed = []
    for i, (step_id, action, params, more) in enumerate(steps):
        after = steps[i + 1][0] if i + 1 < len(steps) else "over"
        listed.append({"id": step_id, "run": f"ise.{action}", "with": params, "then": after, "on_error": after, **more})
    playbook = {"fettle": 1, "name": name, "title": name, "category": "check", "severity": "P4", "params": {"secret": {"type": "secret", "help": "a secret"}}, "steps": listed,
                "outcomes": {"over": {"title": "over", **({"rollback": True} if rollback else {})}}}
    path = f"{lab.dir}/{name}.yaml"
    with open(path, "w", encoding="utf-8") as f:
        json.dump(playbook, f)
    status, events, said = lab.fettle("run", path, "--json", "--yes", "secret=env:SECRET", *(["--dry-run"] if dry else []), env={"SECRET": "lab-new-secret"})
    text = json.dumps(events) + said
    check(f"{name}: no complaint of a sanitizer", "Sanitizer" not in text, said[-3000:])
    check(f"{name}: no secret in the output", "lab-new-secret" not in text and "lab-shared-secret" not in text, text[-500:])
    ends = {e["path"]: e for e in events if e.get("type") in ("step.done", "step.failed")}
    check(f"{name}: it came to its end", dry or steps[-1][0] in ends, text[-1500:])
    return ends, events


def reads(lab):
    ends, _ = play(lab, "reads", [
        ("by_mac", "session", {"mac": CLIENT}, {}),
        ("sessions", "sessions", {"limit": 5}, {}),
        ("counts", "session_counts", {}, {}),
        ("attempts", "auth_attempts", {"mac": CLIENT, "window": "1d"}, {}),
        ("reasons", "failure_reasons", {"contains": "certificate"}, {}),
        ("endpoints", "endpoints", {"group": "Workstation", "limit": 3}, {}),
        ("rejected", "rejected_endpoints", {}, {}),
        ("policies", "anc_policies", {}, {}),
        ("quarantined", "anc_endpoints", {}, {}),
        ("devices", "network_devices", {}, {}),
        ("device_groups", "network_device_groups", {}, {}),
        ("users", "internal_users", {}, {}),
        ("identity_groups", "identity_groups", {}, {}),
        ("nodes", "nodes", {}, {}),
        ("certificates", "certificates", {"within_days": 30}, {}),
    ])
    r = {name: end.get("result") for name, end in ends.items()}
    check("every read works", all(end["type"] == "step.done" for end in ends.values()), [e for e in ends.values() if e["type"] != "step.done"])
    check("the session", r["by_mac"]["found"] and r["by_mac"]["mac"] == CLIENT.upper(), r["by_mac"])
    check("a page of sessions", len(r["sessions"]["sessions"]) == 5 and r["sessions"]["total"] == r["counts"]["active"] and not r["sessions"]["complete"], r["sessions"])
    check("endpoints of a group", len(r["endpoints"]["items"]) == 3 and not r["endpoints"]["complete"], r["endpoints"])
    check("policies with what they do", {"QUARANTINE"} <= {a for p in r["policies"]["policies"] for a in p["actions"]}, r["policies"])
    check("nodes", r["nodes"]["nodes"][0]["primary_admin"] is True, r["nodes"])
    c = r["certificates"]
    check("certificates that end soon", c["count"] == 5 and [x["name"] for x in c["expiring"]] == ["Default self-signed"] and c["unreadable"] == 0, c)
    session = r["by_mac"]
    ends, _ = play(lab, "more", [
        ("by_user", "session", {"user": session["user_name"]}, {}),
        ("by_ip", "session", {"ip": session["ip"]}, {}),
        ("by_nas", "session", {"nas_ip": session["nas_ip"]}, {}),
        ("by_id", "session", {"session_id": session["session_id"]}, {}),
        ("device", "network_device", {"ip": session["nas_ip"]}, {}),
        ("nobody", "session", {"user": "nobody"}, {}),
    ])
    check("the same session by user, address and id", all(ends[k]["result"]["mac"] == CLIENT.upper() for k in ("by_user", "by_ip", "by_id")), ends)
    check("and some by the access point", ends["by_nas"]["result"]["found"], ends["by_nas"])
    check("no session of nobody", ends["nobody"]["result"]["found"] is False, ends["nobody"])
    check("the device of its address", ends["device"]["result"]["name"] == session["nas_name"], ends["device"])
    return session


def state(lab, session):
    ends, _ = play(lab, "state", [
        ("group", "endpoints", {"group": "Loaned"}, {}),
        ("endpoint", "endpoint", {"mac": NEW}, {}),
        ("device", "network_device", {"name": "AP-NEW"}, {}),
        ("ap", "network_device", {"name": session["nas_name"]}, {}),
        ("user", "internal_user", {"name": session["user_name"]}, {}),
    ])
    return {name: end.get("result") or end.get("class") for name, end in ends.items()}


def writes(lab, session):
    before = state(lab, session)
    auto = {"undo": "auto"}
    steps = [
        ("group", "endpoint_group_create", {"name": "Loaned", "description": "by a test"}, auto),
        ("endpoint", "endpoint_create", {"mac": NEW, "group": "Loaned", "description": "loaned"}, auto),
        ("device", "network_device_create", {"name": "AP-NEW", "ips": ["10.99.0.1"], "radius_secret": "${secret}"}, auto),
        ("ap", "network_device_update", {"name": session["nas_name"], "description": "seen by a test", "coa_port": 1700}, auto),
        ("user", "internal_user_disable", {"name": session["user_name"]}, auto),
    ]
    had = len(lab.writes("ise"))
    _, events = play(lab, "dry", steps, dry=True)
    check("a dry run writes nothing", len(lab.writes("ise")) == had, lab.writes("ise")[had:])
    ends, _ = play(lab, "writes", steps)
    check("all of it is done", all(e["type"] == "step.done" and e["result"]["changed"] for e in ends.values()), ends)
    now = state(lab, session)
    check("and is there", now["endpoint"]["found"] and now["endpoint"]["group"] == "Loaned" and now["device"]["ips"] == ["10.99.0.1/32"]
          and now["ap"]["coa_port"] == 1700 and now["user"]["enabled"] is False, now)
    ends, _ = play(lab, "again", steps)
    check("twice is once", all(e["type"] == "step.done" and not e["result"]["changed"] for e in ends.values()), ends)
    ends, _ = play(lab, "tidy", [
        ("endpoint", "endpoint_delete", {"mac": NEW}, auto), ("group", "endpoint_group_delete", {"name": "Loaned"}, auto),
        ("device", "network_device_delete", {"name": "AP-NEW"}, {"undo": "none"}),
        ("ap", "network_device_update", {"name": session["nas_name"], "description": before["ap"]["description"] or "", "coa_port": before["ap"]["coa_port"]}, auto),
        ("user", "internal_user_enable", {"name": session["user_name"]}, auto),
        ("password", "internal_user_password", {"name": session["user_name"], "password": "${secret}", "must_change": False}, {"undo": "none"}),
    ])
    check("and away again", all(e["type"] == "step.done" and e["result"]["changed"] for e in ends.values()), ends)
    check("as before", state(lab, session) == before, (before, state(lab, session)))
    ends, events = play(lab, "back", steps, rollback=True)
    check("done once more", all(e["result"]["changed"] for e in ends.values()), ends)
    after = state(lab, session)
    check("a rollback takes all of it back", after == before, (before, after))


def main():
    with Lab("healthy", speed=0) as lab:
        session = reads(lab)
        writes(lab, session)
    print(f"{len(failures)} of the checks failed" if failures else "all checks passed")
    return 1 if failures else 0


sys.exit(main())
