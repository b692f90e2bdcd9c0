#!/usr/bin/env python3
"""The switch plugin through `fettle run` against the lab's Cisco-like and Arista-like command lines, behind a real sshd with a terminal: paging, enable,
configuration line by line, revert timers, configuration sessions."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.environ["FETTLE_SOURCE"], "tests", "support"))
from lab import Lab, last  # noqa: E402

failures = []
SCENARIO = "title: three vendors\nspeed: 60\nswitches: {sw-2: ios, sw-3: eos}\nfaults: []\n"


def check(what, holds, seen=""):
    if not holds:
        failures.append(what)
        print(f"FAILED {what}: {str(seen)[:900]}", flush=True)


class World:
    def __init__(self, lab):
        self.lab = lab
        self.number = 0

    def run(self, steps, rollback=False, config=None, dry=False, until="result.members >= 1"):
        """Steps [(action, parameters, is it a write)]; their ends in order, and the whole."""
        self.number += 1
        path = f"{self.lab.dir}/p{self.number}.yaml"
        listed = []
        for i, (action, params, write) in enumerate(steps):
            step = {"id": f"s{i}", "run": f"switch.{action}", "with": params}
            if write:
                step["undo"] = "none" if action in ("config_backup", "config_confirm") or not rollback else "auto"
                step["verify"] = {"run": "switch.facts", "with": {"device": params["device"]}, "until": until, "every": "1s", "within": "2s" if until == "false" else "10s"}
            listed.append(step)
        listed[-1]["then"] = "over"
        with open(path, "w", encoding="utf-8") as f:
            json.dump({"fettle": 1, "name": f"v-{self.number}", "title": "steps", "category": "change", "severity": "P4", "steps": listed,
                       "outcomes": {"over": {"title": "over", **({"rollback": True} if rollback else {})}}}, f)
        _, events, errors = self.lab.fettle("run", path, "--json", "--yes", *(["--dry-run"] if dry else []), config=config)
        ends = [last(events, "step.done", f"s{i}") or last(events, "step.failed", f"s{i}") or {"type": "none", "error": (events[-3:], errors)} for i in range(len(steps))]
        return ends, events

    def one(self, action, params, write=True, **more):
        ends, events = self.run([(action, params, write)], **more)
        return ends[0].get("result"), ends[0], events

    def config(self, device):
        ends, _ = self.run([("show", {"device": device, "command": "show running-config"}, False)])
        return ends[0]["result"]["text"] if ends[0].get("result") else str(ends[0])

    def methods(self, n):
        return [c["method"] for c in self.lab.writes("switch")[n:]]

    def count(self):
        return len(self.lab.writes("switch"))


def reads(w, device, port, mac_port, model):
    ends, _ = w.run([("facts", {"device": device}, False), ("interface", {"device": device, "port": port}, False), ("interfaces", {"device": device}, False),
                     ("mac_table", {"device": device}, False), ("lldp_neighbors", {"device": device, "port": port}, False), ("errors", {"device": device}, False)])
    facts, one, all_ports, macs, lldp, errors = [e.get("result") for e in ends]
    check(f"{device}: facts", facts and facts["hostname"] == device and facts["model"] == model, ends[0])
    check(f"{device}: a port with an access point", one and one["oper_up"] and one["mode"] == "trunk" and one["mac_count"] > 0, ends[1])
    check(f"{device}: all ports", all_ports and all_ports["count"] > 10 and {"access", "trunk"} <= {p["mode"] for p in all_ports["interfaces"]}, ends[2])
    check(f"{device}: addresses", macs and macs["count"] > 0 and any(e["port"] == mac_port for e in macs["entries"]), ends[3])
    check(f"{device}: the neighbour", lldp and lldp["count"] == 1 and "WLAN" in lldp["neighbors"][0]["capabilities"], ends[4])
    check(f"{device}: errors", errors and errors["count"] == 1 and errors["ports"][0]["crc"] == 2, ends[5])


def ios(w):
    port = {"device": "sw-2", "port": "Gi1/0/5"}
    reads(w, "sw-2", "Gi1/0/12", "Gi1/0/12", "C9300-24P")
    r, end, _ = w.one("poe", {"device": "sw-2", "port": "Gi1/0/12"}, write=False)
    check("ios: power", r and r["status"] == "on" and r["class"] == "4", end)
    had, n = w.config("sw-2"), w.count()
    check("ios: the configuration came whole, over many pages", had.count("interface GigabitEthernet") > 10 and "--More--" not in had, had)
    r, end, _ = w.one("set_vlan", {**port, "vlan": 120})
    check("ios: another VLAN, saved", r and r["changed"] and r["to"] == 120 and w.methods(n) == ["line", "save"], (end, w.methods(n)))
    r, end, _ = w.one("set_vlan", {**port, "vlan": 120})
    check("ios: twice is once", r and r["changed"] is False, end)
    w.one("set_vlan", {**port, "vlan": 110})
    for action, params in (("port_bounce", {**port, "off_s": 1}), ("poe_cycle", {**port, "off_s": 1}), ("port_disable", port), ("set_vlan", {**port, "vlan": 120})):
        r, end, events = w.one(action, params, rollback=True)
        check(f"ios: {action}, and taken back", r and r["changed"] and w.config("sw-2") == had, (end, events[-1]))
    _, end, _ = w.one("configure", {"device": "sw-2", "lines": ["interface Gi1/0/5", "nonsense here"]})
    check("ios: a line that it does not know", end.get("class") == "invalid" and "Invalid input" in end["error"], end)
    _, end, _ = w.one("interface", {"device": "sw-2", "port": "Gi1/0/99"}, write=False)
    check("ios: no such port", end.get("class") in ("invalid", "not_found"), end)


def ios_with_a_timer(w):
    with open(w.lab.config, encoding="utf-8") as f:
        text = f.read()
    config = f"{w.lab.dir}/timer.yaml"
    with open(config, "w", encoding="utf-8") as f:
        f.write(text.replace("    defaults:\n", "    defaults:\n      revert_timer: true\n"))
    port, had, n = {"device": "sw-2", "port": "Gi1/0/5"}, w.config("sw-2"), w.count()
    r, end, _ = w.one("set_vlan", {**port, "vlan": 120}, config=config, rollback=True)
    check("ios: under a timer, confirmed, saved, and back", r and r["changed"] and w.methods(n) == ["line", "confirm", "save"] * 2 and w.config("sw-2") == had, (end, w.methods(n)))
    n = w.count()
    ends, events = w.run([("configure", {"device": "sw-2", "lines": ["interface Gi1/0/5", "description left open"], "confirm": "later"}, True), ("config_confirm", {"device": "sw-2"}, True)], config=config)
    check("ios: left open, then confirmed", ends[1]["type"] == "step.done" and w.methods(n) == ["line", "confirm", "save"] and "left open" in w.config("sw-2"), (ends, w.methods(n)))
    r, end, _ = w.one("configure", {"device": "sw-2", "lines": ["interface Gi1/0/5", "description gone soon"], "confirm": "later", "confirm_within": 2}, config=config)
    check("ios: left open", r and r["confirmed"] is False and "gone soon" in w.config("sw-2"), end)
    w.lab.post("/lab/time", {"advance_s": 200})
    check("ios: the switch took it back", "gone soon" not in w.config("sw-2") and "left open" in w.config("sw-2"))
    _, end, _ = w.one("config_confirm", {"device": "sw-2"}, config=config)
    check("ios: nothing waits any more", end["type"] == "step.failed" and "No Rollback Confirmed Change" in end["error"], end)
    w.one("configure", {"device": "sw-2", "lines": ["interface Gi1/0/5", "no description"]})
    for action, params in (("configure", {"lines": ["interface Gi1/0/5", "description unproven"]}), ("config_load", {"lines": ["interface Gi1/0/5", "description unproven"]})):
        r, end, events = w.one(action, {"device": "sw-2", **params}, config=config, rollback=True, until="false")
        check(f"ios: {action}, not proven: taken back by us, at once", "it was taken back" in end.get("error", "") and "by" not in (last(events, "undo.done", "s0") or {"by": "?"})
              and "unproven" not in w.config("sw-2"), (end, [e for e in events if e["type"].startswith("undo")]))


def ios_passwords(w):
    with open(w.lab.config, encoding="utf-8") as f:
        text = f.read()
    wrong = f"{w.lab.dir}/wrong"
    with open(wrong, "w", encoding="utf-8") as f:
        f.write("not-this-one\n")
    os.chmod(wrong, 0o600)
    config = f"{w.lab.dir}/wrong.yaml"
    with open(config, "w", encoding="utf-8") as f:
        f.write(text.replace(f"{w.lab.dir}/lab/enable.password", wrong))
    _, end, events = w.one("facts", {"device": "sw-2"}, write=False, config=config)
    check("ios: a wrong enable password", end.get("class") == "denied" and "not-this-one" not in json.dumps(events), end)


def eos(w):
    port = {"device": "sw-3", "port": "Et5"}
    ends, _ = w.run([("lldp_neighbors", {"device": "sw-3"}, False)])
    ap = next((n["port"] for n in ends[0]["result"]["neighbors"] if "WLAN" in (n["capabilities"] or "")), None) if ends[0].get("result") else None
    check("eos: an access point somewhere", ap, ends)
    reads(w, "sw-3", ap, ap, "DCS-7050TX-24-R")
    had, n = w.config("sw-3"), w.count()
    _, _, events = w.one("configure", {"device": "sw-3", "lines": ["vlan 333", "name extra"]}, dry=True)
    check("eos: a dry run has the switch's own difference", "vlan 333" in json.dumps([e.get("plan") for e in events]) and w.count() == n, events)
    r, end, _ = w.one("set_vlan", {**port, "vlan": 120})
    check("eos: in a session, under a timer, confirmed, saved", r and r["changed"] and w.methods(n) == ["commit timer", "commit", "save"] and "+   switchport access vlan 120" in r["diff"],
          (end, w.methods(n)))
    w.one("configure", {"device": "sw-3", "lines": ["interface Ethernet5"] + [line.strip() for line in had[had.index("interface Ethernet5\n"):].split("\n!")[0].split("\n")[1:]]})
    check("eos: as before", w.config("sw-3") == had, w.config("sw-3")[:600])
    _, end, _ = w.one("configure", {"device": "sw-3", "lines": ["interface Et5", "nonsense here"]})
    check("eos: a line that it does not know", end.get("class") == "invalid", end)
    sessions = w.run([("show", {"device": "sw-3", "command": "show configuration sessions"}, False)])[0][0]["result"]["text"]
    check("eos: no session stays behind", " pending  " not in sessions and "pendingCommitTimer" not in sessions, sessions)
    change = {"device": "sw-3", "lines": ["vlan 333", "name extra"], "confirm": "later", "confirm_within": 2}
    r, end, events = w.one("configure", change, rollback=True)
    check("eos: left open, and taken back", r and r["confirmed"] is False and w.config("sw-3") == had, (end, events[-1]))
    ends, _ = w.run([("config_load", change, True), ("config_confirm", {"device": "sw-3"}, True)])
    check("eos: left open, then confirmed", ends[1]["type"] == "step.done" and "name extra" in w.config("sw-3"), ends)
    r, end, _ = w.one("configure", {"device": "sw-3", "lines": ["no vlan 333"]})
    check("eos: gone again", r and "-vlan 333" in r["diff"] and w.config("sw-3") == had, end)
    w.one("configure", change)
    _, end, _ = w.one("set_vlan", {**port, "vlan": 120})
    check("eos: meanwhile no other change", end.get("class") == "conflict", end)
    w.lab.post("/lab/time", {"advance_s": 200})
    check("eos: the switch took it back", w.config("sw-3") == had)
    r, end, events = w.one("port_bounce", {**port, "off_s": 1})
    check("eos: a bounce", r and r["changed"] and w.config("sw-3") == had, end)
    file = f"{w.lab.dir}/sw-3.cfg"
    ends, _ = w.run([("config_backup", {"device": "sw-3", "file": file}, True), ("configure", {"device": "sw-3", "lines": ["vlan 444"]}, True),
                     ("config_diff", {"device": "sw-3", "file": file}, False), ("config_load", {"device": "sw-3", "file": file, "mode": "replace"}, True)])
    check("eos: a backup", ends[0].get("result") and ends[0]["result"]["lines"] > 50, ends[0])
    check("eos: what differs from it", ends[2].get("result") and "+vlan 444" in ends[2]["result"]["diff"], ends[2])
    check("eos: and it instead of the whole", ends[3].get("result") and ends[3]["result"]["changed"] and "vlan 444" not in w.config("sw-3"), ends[3])


def main():
    with Lab(text=SCENARIO) as lab:
        w = World(lab)
        for part in (ios, ios_with_a_timer, ios_passwords, eos):
            part(w)
    print(f"{len(failures)} of the checks failed" if failures else "all checks passed")
    return 1 if failures else 0


sys.exit(main())
