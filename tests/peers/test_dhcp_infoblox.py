#!/usr/bin/env python3
"""The dhcp plugin with `system: infoblox`, driven by `fettle run` against the lab's WAPI: a pool that is full, mended; nothing of Kea is asked."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.environ["FETTLE_SOURCE"], "tests", "support"))
import lab as labs

failures = []
GRID = {"server": "grid"}
NETWORK = {"subnet": "10.11.0.0/24"}


def check(what, holds, seen=""):
    if not holds:
        failures.append(what)
        print(f"FAILED {what}: {str(seen)[:1500]}", flush=True)


class World:
    def __init__(self, lab):
        self.lab, self.number = lab, 0

    def run(self, action, params=None, undo=None, rollback=False, dry=False):
        self.number += 1
        step = {"id": "it", "run": f"dhcp.{action}", "with": GRID | (params or {}), "then": "back" if rollback else "fine"}
        if undo:
            step["undo"] = undo
            step["verify"] = {"run": "dhcp.server_status", "with": GRID, "until": "result.up", "every": "1s", "within": "5s"}
        playbook = {"fettle": 1, "name": f"infoblox-{self.number}", "title": "one step", "category": "check", "severity": "P4", "steps": [step],
                    "outcomes": {"back": {"title": "taken back", "rollback": True}} if rollback else {"fine": {"title": "done"}}}
        path = f"{self.lab.dir}/p{self.number}.yaml"
        with open(path, "w", encoding="utf-8") as f:
            json.dump(playbook, f)
        _, events, errors = self.lab.fettle("run", path, "--json", "--yes", *(["--dry-run"] if dry else []), timeout=60)
        if errors:
            print(errors, end="", file=sys.stderr)
        ends = [e for e in events if e.get("type") in ("step.done", "step.failed")]
        end = ends[-1] if ends else {"type": "none", "error": str(events)}
        return end.get("result"), end, events

    def writes(self):
        return [(w["method"], w["path"].split("/")[3]) for w in self.lab.writes("infoblox")]


def reads(world):
    r, end, _ = world.run("server_status")
    check("up", r and r["up"] and r["listening"] and r["members"] == [{"member": "dhcp-1.lab", "status": "WORKING", "description": "DHCP Service is working"}], end)
    r, end, _ = world.run("pool_use", NETWORK)
    check("the pool is full", r and r["total"] == 241 and r["assigned"] == 241 and r["exhausted"] and r["level"] == "exhausted", end)
    r, end, _ = world.run("pool_use", {"vlan": 120})
    check("a VLAN by the network's attribute", r and r["subnet"] == "10.12.0.0/23" and not r["exhausted"], end)
    r, end, _ = world.run("pool_use", {"ip": "10.21.0.20"})
    check("a network by an address in it", r and r["subnet"] == "10.21.0.0/24", end)
    r, end, _ = world.run("subnets")
    check("networks", r and {s["vlan"] for s in r["subnets"]} == {10, 110, 120, 210}, end)
    r, end, _ = world.run("leases", NETWORK)
    check("leases of a network", r and r["count"] == 241 and not r["truncated"], end)
    some = r["leases"][0]
    again, end, _ = world.run("leases", {"vlan": 110, "max": 10})
    check("a page of them", again and again["count"] == 10 and again["truncated"], end)
    r, end, _ = world.run("leases")
    check("of all networks, in pages", r and r["count"] > 241, end)
    r, end, _ = world.run("lease", {"ip": some["ip"]})
    check("a lease by address", r and r["found"] and r["mac"] == some["mac"] and r["binding_state"] == "ACTIVE", end)
    r, end, _ = world.run("lease", {"mac": some["mac"].replace(":", "-").upper()})
    check("and by MAC", r and r["ip"] == some["ip"], end)
    r, end, _ = world.run("lease", {"ip": "10.11.0.3"})
    check("and none", r and not r["found"], end)
    _, end, _ = world.run("pool_use", {"subnet": "10.99.0.0/24"})
    check("a network that is not there", end.get("class") == "not_found", end)
    check("nothing was written", world.writes() == [], world.writes())


def refused(world):
    for action, params, undo in (("statistics", {}, None), ("config_get", {}, None), ("config_backup", {}, None), ("config_set", {"config": {}}, "auto"),
                                 ("ha_status", {}, None), ("disable", {"max_period_s": 5}, "auto"), ("leases_reclaim", {}, "none"), ("config_write", {}, "none")):
        for dry in (False, True) if undo else (False,):
            _, end, events = world.run(action, params, undo=undo, dry=dry)
            check(f"{action} is for Kea ({dry})", "Infoblox" in str(events) and (dry or end.get("class") == "invalid"), end)
    check("none of that was sent", world.writes() == [], world.writes())


def mends(world):
    _, _, events = world.run("stale_leases_free", NETWORK | {"older_than_h": 8}, undo="none", dry=True)
    # Three of them have missed the renewal that is due after half of their eight days.
    check("a dry run shows the requests", json.dumps(events).count("/lease/ZG5z") == 3 and world.writes() == [], events[-1])
    r, end, _ = world.run("stale_leases_free", NETWORK | {"older_than_h": 8}, undo="none")
    check("stale leases went", r and r["freed"] == 3 and world.writes() == [("DELETE", "lease")] * 3, end)
    r, end, _ = world.run("pool_use", NETWORK)
    check("so there is room", r and r["free"] >= 3, end)
    leases, _, _ = world.run("leases", NETWORK)
    r, end, _ = world.run("lease_delete", {"ip": leases["leases"][0]["ip"], "mac": "02:00:00:00:00:99"}, undo="none")
    check("another client's lease is left alone", end.get("class") == "conflict", end)
    r, end, events = world.run("lease_delete", {"ip": leases["leases"][0]["ip"]}, undo="auto", rollback=True)
    check("a cleared lease cannot be put back, and that is said", "no way to add a lease" in json.dumps(events), events[-1])


def changes(world):
    mac = "02:00:00:00:00:50"
    r, end, _ = world.run("reservation_add", {"mac": mac, "ip": "10.11.0.5", "hostname": "door-3"}, undo="auto", rollback=True)
    check("reserved", r and r["changed"] and r["restart_needed"], end)
    r, end, _ = world.run("reservation", {"mac": mac})
    check("and taken back", r and not r["found"], end)
    r, end, _ = world.run("reservation_add", {"mac": mac, "ip": "10.11.0.5", "hostname": "door-3"}, undo="auto")
    r, end, _ = world.run("reservation_add", {"mac": mac, "ip": "10.11.0.5"}, undo="auto")
    check("twice is once", r and not r["changed"], end)
    _, end, _ = world.run("reservation_add", {"mac": "02:00:00:00:00:51", "ip": "10.11.0.5"}, undo="auto")
    check("another client's address", end.get("class") == "conflict" and mac in end.get("error", ""), end)
    r, end, _ = world.run("reservation", {"ip": "10.11.0.5"})
    check("it is there", r and r["mac"] == mac and r["hostname"] == "door-3" and r["subnet"] == "10.11.0.0/24", end)
    r, end, _ = world.run("reservation_del", {"mac": mac}, undo="auto", rollback=True)
    check("deleted", r and r["changed"] and r["ip"] == "10.11.0.5", end)
    r, end, _ = world.run("reservation", {"mac": mac})
    check("and put back as it was", r and r["found"] and r["hostname"] == "door-3", end)

    pool = {"vlan": 110, "pool": "10.11.0.251 - 10.11.0.254"}
    _, end, _ = world.run("pool_extend", {"vlan": 110, "pool": "10.11.0.200-10.11.0.253"}, undo="auto")
    check("no overlap", end.get("class") == "invalid", end)
    r, end, _ = world.run("pool_extend", pool, undo="auto", rollback=True)
    check("a range more", r and r["added"] == 4, end)
    r, end, _ = world.run("pool_use", {"vlan": 110})
    check("and gone again", r and r["total"] == 241, end)
    r, end, _ = world.run("pool_extend", pool, undo="auto")
    before = len(world.writes())
    r, end, _ = world.run("services_restart", undo="none")
    check("served now", r and r["changed"] and world.writes()[before:] == [("POST", "grid")], end)
    r, end, _ = world.run("pool_use", {"vlan": 110})
    check("with its addresses", r and r["total"] == 245, end)


def trouble(world):
    world.lab.post("/lab/fault", "dhcp_down")
    r, end, _ = world.run("server_status")
    check("the member's service has failed", r and r["up"] and not r["listening"] and r["members"][0]["status"] == "FAILED", end)
    for kind, wanted in (("html", "invalid"), ("500", "refused"), ("403", "denied"), ("truncated", None)):
        world.lab.post("/lab/fault", {"api": {"system": "infoblox", "path": "/lease", "kind": kind, "times": 1}})
        _, end, _ = world.run("lease", {"ip": "10.11.0.20"})
        check(f"{kind}", end["type"] == "step.failed" and (not wanted or end.get("class") == wanted), end)
    world.lab.post("/lab/fault", {"api": {"system": "infoblox", "path": "/fixedaddress", "method": "POST", "kind": "lose_answer", "times": 1}})
    r, end, events = world.run("reservation_add", {"mac": "02:00:00:00:00:60", "ip": "10.11.0.6"}, undo="auto")
    check("an answer that was lost: the probe finds out", r and r["changed"], events[-4:])


def main():
    with labs.Lab("dhcp_pool_exhausted", speed=0) as lab:
        world = World(lab)
        reads(world)
        refused(world)
        mends(world)
        changes(world)
        trouble(world)
    print(f"{len(failures)} of the checks failed" if failures else "all checks passed")
    return 1 if failures else 0


sys.exit(main())
