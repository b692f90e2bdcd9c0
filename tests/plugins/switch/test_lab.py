#!/usr/bin/env python3
"""The switch plugin through `fettle run`, against the lab's switches behind a real sshd, by command line and by NETCONF: what is sent, what is in
force, what is taken back."""
import json
import os
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.environ["FETTLE_SOURCE"], "tests", "support"))
from lab import Lab, last  # noqa: E402

failures = []


def check(what, holds, seen=""):
    if not holds:
        failures.append(what)
        print(f"FAILED {what}: {str(seen)[:800]}", flush=True)


class World:
    number = 0

    def __init__(self, lab, transport="cli"):
        self.lab = lab
        self.config = lab.config
        if transport != "cli":
            self.config = f"{lab.dir}/{transport}.yaml"
            with open(lab.config, encoding="utf-8") as f:
                text = f.read()
            with open(self.config, "w", encoding="utf-8") as f:
                f.write(text.replace("      vendor: junos\n", f"      vendor: junos\n      transport: {transport}\n"))

    def run(self, action, params, write=False, rollback=False, dry=False, config=None):
        """One step; gives (its result or None, the event that ended it, all events)."""
        World.number += 1
        step = {"id": "it", "run": f"switch.{action}", "with": params, "then": "back" if rollback else "fine"}
        if write:
            step["undo"] = "none" if action in ("config_backup", "config_confirm") else "auto"
            step["verify"] = {"run": "switch.facts", "with": {"device": params["device"]}, "until": "result.members >= 1", "every": "1s", "within": "10s"}
        playbook = {"fettle": 1, "name": f"switch-{self.number}", "title": "one step", "category": "change", "severity": "P4", "steps": [step],
                    "outcomes": {"back": {"title": "taken back", "rollback": True}} if rollback else {"fine": {"title": "done"}}}
        path = f"{self.lab.dir}/p{self.number}.yaml"
        with open(path, "w", encoding="utf-8") as f:
            json.dump(playbook, f)
        status, events, errors = self.lab.fettle("run", path, "--json", "--yes", *(["--dry-run"] if dry else []), config=config or self.config)
        if errors:
            print(errors, end="", file=sys.stderr)
        end = last(events, "step.done") or last(events, "step.failed") or {"type": "none", "error": (status, events[-3:])}
        return end.get("result"), end, events

    def read_all(self, reads):
        """Many reads in one run; their results in order, None for what failed."""
        World.number += 1
        path = f"{self.lab.dir}/p{World.number}.yaml"
        steps = [{"id": f"r{i}", "run": f"switch.{action}", "with": params} for i, (action, params) in enumerate(reads)]
        steps[-1]["then"] = "fine"
        with open(path, "w", encoding="utf-8") as f:
            json.dump({"fettle": 1, "name": "reads", "title": "reads", "category": "change", "severity": "P4", "steps": steps, "outcomes": {"fine": {"title": "done"}}}, f)
        _, events, _ = self.lab.fettle("run", path, "--json", config=self.config)
        return [(last(events, "step.done", f"r{i}") or {}).get("result") for i in range(len(reads))]

    def commits(self):
        return self.lab.writes("switch")

    def lines(self, path):
        r, end, _ = self.run("show", {"device": "sw-2", "command": f"show configuration {path} | display set"})
        check(f"the configuration of {path} can be read", r, end)
        return sorted(r["text"].split("\n")) if r else []


def reads(w):
    r, end, _ = w.run("facts", {"device": "sw-2"})
    check("facts", r and r["hostname"] == "sw-2" and r["uptime_s"] > 0, end)
    r, end, _ = w.run("facts", {"device": "sw-1"})
    check("facts of a virtual chassis", r and r["members"] == 2, end)
    r, end, _ = w.run("interface", {"device": "sw-2", "port": "ge-0/0/12"})
    check("the port of an access point", r and r["oper_up"] and r["speed_mbps"] == 1000 and r["mode"] == "trunk" and r["mac_count"] > 0 and r["flaps_s"] > 0, end)
    r, end, _ = w.run("interfaces", {"device": "sw-2"})
    check("all ports", r and r["count"] > 10 and {p["mode"] for p in r["interfaces"]} >= {"access", "trunk"}, end)
    r, end, _ = w.run("mac_table", {"device": "sw-2", "mac": "A483.E712.3456"})
    check("where the client is", r and r["found"] and r["port"] == "ge-0/0/12" and r["vlan"] == "staff", end)
    r, end, _ = w.run("lldp_neighbors", {"device": "sw-2", "port": "ge-0/0/12"})
    check("its access point", r and [n["name"] for n in r["neighbors"]] == ["AP-3F-12"], end)
    r, end, _ = w.run("poe", {"device": "sw-2", "port": "ge-0/0/12"})
    check("its power", r and r["status"] == "on" and r["power_w"] > 0, end)
    r, end, _ = w.run("show", {"device": "sw-2", "command": "show chassis alarms", "format": "json"})
    check("structure", r and r["json"], end)
    _, end, _ = w.run("interface", {"device": "sw-2", "port": "ge-0/0/99"})
    check("no such port", end.get("class") == "not_found", end)
    _, end, _ = w.run("show", {"device": "sw-2", "command": "show bogus"})
    check("no such command", end.get("class") == "invalid", end)
    check("reading commits nothing", w.commits() == [], w.commits())


def planned(events):
    """The commands of the one write in a dry run's plan, or in the intention of a run."""
    for event in events:
        plan = event.get("plan") or {}
        for node in [plan] + plan.get("writes", []):
            if node.get("requests"):
                return node["requests"][0]["commands"]
    return []


def changes(w):
    port = {"device": "sw-2", "port": "ge-0/0/5"}
    _, _, events = w.run("set_vlan", {**port, "vlan": 120}, write=True, dry=True)
    dry = planned(events)
    check("a dry run shows the lines", any("vlan members guest" in c for c in dry), events)
    check("and commits nothing", w.commits() == [])
    r, end, events = w.run("set_vlan", {**port, "vlan": 120}, write=True)
    check("another VLAN", r and r["changed"] and r["to"] == "guest" and "+" in r["diff"], end)
    without = [c for c in planned(events) if not c.startswith("commit confirmed")]
    check("what was planned is what ran", without == [c for c in dry if not c.startswith("commit confirmed")], (dry, planned(events)))
    commits = w.commits()
    check("committed on trial, then confirmed", [c["method"] for c in commits] == ["commit confirmed", "commit"], commits)
    check("with the lines of the plan", commits[0]["commands"] == [c for c in dry if c.startswith(("set ", "delete "))], commits)
    check("and the run's name", commits[0]["body"]["comment"].startswith("fettle run ") and "set_vlan ge-0/0/5" in commits[0]["body"]["comment"], commits)
    r, end, _ = w.run("set_vlan", {**port, "vlan": "guest"}, write=True)
    check("twice is once", r and r["changed"] is False and len(w.commits()) == 2, end)
    r, end, _ = w.run("vlan_of_port", port)
    check("it is so", r and r["vlan"] == 120, end)
    for action, params in (("set_vlan", {**port, "vlan": 130}), ("port_disable", port), ("poe_disable", port), ("port_bounce", {**port, "off_s": 1}), ("poe_cycle", {**port, "off_s": 1}),
                           ("configure", {"device": "sw-2", "lines": ["set interfaces ge-0/0/5 description \"by a test\"", "set vlans guest description visitors"]})):
        had, vlans, poe, n = w.lines("interfaces ge-0/0/5"), w.lines("vlans"), w.lines("poe"), len(w.commits())
        r, end, events = w.run(action, params, write=True, rollback=True)
        check(f"{action}: it changed something", r and r["changed"] and len(w.commits()) > n, end)
        check(f"{action}: all as before", (had, vlans, poe) == (w.lines("interfaces ge-0/0/5"), w.lines("vlans"), w.lines("poe")), (had, w.lines("interfaces ge-0/0/5"), events[-1]))


def refusals(w):
    n = len(w.commits())
    r, end, _ = w.run("lldp_neighbors", {"device": "sw-2"})
    uplink = next((x["port"] for x in r["neighbors"] if x["name"].startswith("sw-")), None) if r else None
    check("sw-2 has an uplink", uplink, end)
    for action in ("port_bounce", "port_disable", "poe_cycle"):
        _, end, _ = w.run(action, {"device": "sw-2", "port": uplink}, write=True)
        check(f"{action}: not on an uplink", end.get("class") == "refused", end)
    _, end, _ = w.run("set_vlan", {"device": "sw-2", "port": "ge-0/0/12", "vlan": 110}, write=True)
    check("no access VLAN on a trunk", end.get("class") == "refused", end)
    _, end, _ = w.run("set_vlan", {"device": "sw-2", "port": "ge-0/0/5", "vlan": 4000}, write=True)
    check("no VLAN that is not there", end.get("class") == "not_found", end)
    _, end, _ = w.run("configure", {"device": "sw-2", "lines": ["set nonsense everywhere"]}, write=True)
    check("no line that the switch does not know", end.get("class") == "invalid", end)
    _, end, _ = w.run("configure", {"device": "sw-2", "lines": ["set interfaces ge-0/0/5 unit 0 family ethernet-switching vlan members nowhere"]}, write=True)
    check("no configuration that does not hold together", end.get("class") == "refused", end)
    check("nothing was committed", len(w.commits()) == n, w.commits()[n:])


def cut_off(w):
    """Killed while the port is off: the run goes on where it was, and the port is on again before the switch has to do it."""
    had, n = w.lines("interfaces ge-0/0/5"), len(w.commits())
    path = f"{w.lab.dir}/cut.yaml"
    step = {"id": "it", "run": "switch.port_bounce", "with": {"device": "sw-2", "port": "ge-0/0/5", "off_s": 60}, "undo": "auto", "then": "fine",
            "verify": {"run": "switch.interface", "with": {"device": "sw-2", "port": "ge-0/0/5"}, "until": "result.admin_up", "every": "1s", "within": "10s"}}
    with open(path, "w", encoding="utf-8") as f:
        json.dump({"fettle": 1, "name": "cut-off", "title": "one step", "category": "change", "severity": "P4", "steps": [step], "outcomes": {"fine": {"title": "done"}}}, f)
    run = subprocess.Popen([f"{os.environ['FETTLE_BUILD']}/bin/fettle", "run", path, "--json", "--yes", "--config", w.lab.config], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           text=True, env={**os.environ, "HOME": w.lab.dir})
    name = json.loads(run.stdout.readline())["run"]
    until = time.monotonic() + 30
    while len(w.commits()) == n and time.monotonic() < until:
        pass
    run.kill()
    run.wait()
    run.stdout.close()
    check("the port is off", any(line.endswith("ge-0/0/5 disable") for line in w.lines("interfaces ge-0/0/5")), w.commits()[n:])
    _, events, errors = w.lab.fettle("resume", name, "--json", "--yes")
    end = last(events, "run.finished") or {}
    check("the run went on to its end", end.get("status") == "finished", (events[-4:], errors))
    check("the port is on", w.lines("interfaces ge-0/0/5") == had, w.commits()[n:])
    check("confirmed", w.commits()[-1]["method"] == "commit" and len(w.commits()) - n == 3, w.commits()[n:])


def strangers(w):
    with open(w.lab.config, encoding="utf-8") as f:
        config = f.read()
    for what, old, new, wanted in (("an unknown host key", "/known_hosts\"", "/no_such_file\"", ("unreachable",)),
                                   ("nobody listens", None, None, ("unreachable",)), ("a wrong user", "      user: ", "      user: nobody-", ("denied",))):
        path = f"{w.lab.dir}/other.yaml"
        text = config.replace(old, new) if old else "\n".join(("      sw-2: {host: 127.0.0.1, port: 1}" if line.strip().startswith("sw-2:") else line) for line in config.split("\n"))
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        _, end, _ = w.run("facts", {"device": "sw-2"}, config=path)
        check(f"{what}: {'/'.join(wanted)}", end.get("class") in wanted and "sw-2" in end.get("error", ""), end)


def same_either_way(w, nc):
    """Every read gives the same by NETCONF (sw-1 speaks 1.0, the others 1.1), but for what moves on."""
    port = {"device": "sw-2", "port": "ge-0/0/12"}
    reads = [("facts", {"device": "sw-2"}), ("facts", {"device": "sw-1"}), ("interface", port), ("interfaces", {"device": "sw-2"}), ("mac_table", {"device": "sw-2"}),
             ("lldp_neighbors", port), ("poe", port), ("errors", {**port, "all": True}), ("errors", {"device": "sw-2"})]
    for (action, params), by_cli, by_nc in zip(reads, w.read_all(reads), nc.read_all(reads)):
        for r in [r for r in (by_cli, by_nc) if r]:
            for one in [r] + r.get("interfaces", []):
                one.pop("uptime_s", None)
                one.pop("flaps_s", None)
        check(f"{action} of {params['device']}: the same by NETCONF", by_cli and by_cli == by_nc, (by_cli, by_nc))
    _, end, _ = nc.run("interface", {"device": "sw-2", "port": "ge-0/0/99"})
    check("netconf: no such port", end.get("class") == "not_found", end)
    _, end, _ = nc.run("show", {"device": "sw-2", "command": "show bogus"})
    check("netconf: no such command", end.get("class") == "invalid", end)


def netconf_changes(nc):
    port = {"device": "sw-2", "port": "ge-0/0/5"}
    had, vlans, n = nc.lines("interfaces ge-0/0/5"), nc.lines("vlans"), len(nc.commits())
    r, end, _ = nc.run("set_vlan", {**port, "vlan": 120}, write=True)
    check("netconf: another VLAN", r and r["changed"] and r["to"] == "guest" and "+" in r["diff"], end)
    commits = nc.commits()[n:]
    check("netconf: on trial, then confirmed", [c["method"] for c in commits] == ["commit confirmed", "commit"] and commits[0]["body"]["confirmed"] == 5, commits)
    check("netconf: each with the run's name", all("set_vlan ge-0/0/5" in c["body"]["comment"] for c in commits), commits)
    r, end, _ = nc.run("set_vlan", {**port, "vlan": "staff"}, write=True)
    check("netconf: and back", r and nc.lines("interfaces ge-0/0/5") == had, end)
    for action, params in (("port_bounce", {**port, "off_s": 1}), ("configure", {"device": "sw-1", "lines": ["set vlans guest description visitors"]})):
        n = len(nc.commits())
        r, end, events = nc.run(action, params, write=True, rollback=True)
        check(f"netconf: {action} changed something", r and r["changed"] and len(nc.commits()) > n, end)
        check(f"netconf: {action}: all as before", had == nc.lines("interfaces ge-0/0/5") and vlans == nc.lines("vlans"), events[-1])
    n = len(nc.commits())
    _, end, _ = nc.run("configure", {"device": "sw-2", "lines": ["set nonsense everywhere"]}, write=True)
    check("netconf: no line that the switch does not know", end.get("class") == "invalid" and "syntax error" in end["error"], end)
    _, end, _ = nc.run("configure", {"device": "sw-2", "lines": ["set interfaces ge-0/0/5 unit 0 family ethernet-switching vlan members nowhere"]}, write=True)
    check("netconf: no configuration that does not hold together", end.get("class") == "refused", end)
    check("netconf: nothing was committed", len(nc.commits()) == n, nc.commits()[n:])
    with socket.socket(socket.AF_UNIX) as s:
        at = os.open(f"{nc.lab.dir}/lab", os.O_PATH)
        s.connect(f"/proc/self/fd/{at}/cli.sock")
        os.close(at)
        lines = s.makefile("rw", encoding="utf-8")
        for message in ({"switch": "sw-2", "from": ""}, {"line": "configure exclusive"}):
            print(json.dumps(message), file=lines, flush=True)
            lines.readline()
        _, end, _ = nc.run("set_vlan", {**port, "vlan": 120}, write=True)
        check("netconf: somebody at the command line has the lock", end.get("class") == "conflict" and "locked by" in end["error"] and "held by session" in end["error"], end)


def whole_configurations(w, brief=False):
    """Backup, load, difference, older ones, and what waits for its confirmation."""
    what = os.path.basename(w.config)
    vlans, full = w.lines("vlans"), f"{w.lab.dir}/{what}.full"
    r, end, _ = w.run("config_backup", {"device": "sw-2", "file": full, "format": "text"}, write=True)
    check(f"{what}: a backup", r and r["bytes"] > 500 and os.stat(full).st_mode & 0o777 == 0o600, end)
    r, end, _ = w.run("config_diff", {"device": "sw-2", "file": full})
    check(f"{what}: nothing differs from it", r and r["differs"] is False, end)
    change = {"device": "sw-2", "lines": ["set vlans extra vlan-id 333"]}
    n = len(w.commits())
    _, _, events = w.run("config_load", change, write=True, dry=True)
    check(f"{what}: a dry run has the switch's own difference", "vlan-id 333" in json.dumps([e.get("plan") for e in events]), events)
    check(f"{what}: and leaves no trace", len(w.commits()) == n and w.lines("vlans") == vlans)
    if not brief:
        left_open(w, what, change, vlans)
    r, end, _ = w.run("config_load", change, write=True)
    check(f"{what}: loaded and confirmed", r and r["confirmed"] and w.commits()[-1]["method"] == "commit", end)
    r, end, _ = w.run("config_diff", {"device": "sw-2", "rollback": 2})
    check(f"{what}: the difference from before", r and r["differs"] and "extra" in r["diff"], end)
    r, end, _ = w.run("config_diff", {"device": "sw-2", "file": full})
    check(f"{what}: and from the backup", r and r["differs"] and r["added"] >= 1 and "extra" in r["diff"], end)
    r, end, _ = w.run("config_load", {"device": "sw-2", "file": full, "mode": "replace"}, write=True)
    check(f"{what}: the backup instead of the whole", r and r["changed"] and w.lines("vlans") == vlans, end)
    r, end, _ = w.run("config_rollback", {"device": "sw-2", "to": 2}, write=True, rollback=True)
    check(f"{what}: back to an older one, and the undo of that", r and r["changed"] and "vlan-id 333" in r["diff"] and w.lines("vlans") == vlans, end)


def left_open(w, what, change, vlans):
    r, end, _ = w.run("config_load", {**change, "confirm": "later", "confirm_within": 3}, write=True)
    check(f"{what}: loaded, left open", r and r["changed"] and r["confirmed"] is False and w.commits()[-1]["method"] == "commit confirmed", end)
    check(f"{what}: it is in force", any("extra vlan-id 333" in line for line in w.lines("vlans")))
    _, end, _ = w.run("set_vlan", {"device": "sw-2", "port": "ge-0/0/5", "vlan": 120}, write=True)
    check(f"{what}: meanwhile no other change", end.get("class") == "conflict", end)
    _, end, _ = w.run("config_confirm", {"device": "sw-2"}, write=True)
    check(f"{what}: nor a confirmation by another run", end.get("class") == "conflict", end)
    w.lab.post("/lab/time", {"advance_s": 200})
    check(f"{what}: the switch took it back", w.lines("vlans") == vlans, w.lines("vlans"))


def confirmed_by_a_step(w):
    """One run: load, look, confirm."""
    path = f"{w.lab.dir}/two-steps.yaml"
    look = {"run": "switch.facts", "with": {"device": "sw-3"}, "until": "result.members >= 1", "every": "1s", "within": "10s"}
    steps = [{"id": "load", "run": "switch.config_load", "with": {"device": "sw-3", "lines": ["set vlans extra vlan-id 333"], "confirm": "later"}, "undo": "auto", "verify": look},
             {"id": "confirm", "run": "switch.config_confirm", "with": {"device": "sw-3"}, "undo": "none", "verify": look, "then": "fine"}]
    with open(path, "w", encoding="utf-8") as f:
        json.dump({"fettle": 1, "name": "two-steps", "title": "two steps", "category": "change", "severity": "P4", "steps": steps, "outcomes": {"fine": {"title": "done"}}}, f)
    n = len(w.commits())
    _, events, errors = w.lab.fettle("run", path, "--json", "--yes", config=w.config)
    check("confirmed by a step of its own", [c["method"] for c in w.commits()[n:]] == ["commit confirmed", "commit"], (events[-4:], errors, w.commits()[n:]))
    end = last(events, "step.done", "confirm")
    check("and it says so", end and end["result"]["changed"] is True, events[-4:])


def main():
    with Lab("healthy") as lab:
        w, nc = World(lab), World(lab, "netconf")
        same_either_way(w, nc)
        netconf_changes(nc)
        whole_configurations(w, brief=True)
        whole_configurations(nc)
        confirmed_by_a_step(nc)
    with Lab("healthy") as lab:
        w = World(lab)
        reads(w)
        changes(w)
        refusals(w)
        cut_off(w)
        strangers(w)
    print(f"{len(failures)} of the checks failed" if failures else "all checks passed")
    return 1 if failures else 0


sys.exit(main())
