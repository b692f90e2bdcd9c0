#!/usr/bin/env python3
"""Every fault of the lab: the outcome, the diagnosis and the fix that the playbook must reach, and the state of the lab after it.
Before it, a dry run: no write reaches the lab, and the way that the real run takes is in the plan."""
import concurrent.futures, os, re, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from lab import CLIENT, Lab, last, way

# fault: (exit status, outcome, what the diagnosis must say, steps that must be on the way, writes besides the ticket as (system, part of path or commands))
TABLE = {
    "healthy":             (0, "healthy", r"No fault", ["association", "events", "authentication", "lease", "health"], []),
    "unknown_client":      (4, "escalated", r"never seen", ["unknown_client"], []),
    "client_asleep":       (4, "escalated", r"not trying", ["asleep"], []),
    "ap_poe_off":          (0, "fixed", r"PoE is turned off", ["ap_port", "power", "look_again"], [("switch", "poe")]),
    "ap_hung":             (0, "fixed", r"hangs", ["ap_port", "cycle", "look_again"], [("switch", "poe")]),
    "switch_down":         (4, "escalated", r"switch .* is down", ["ap_switch", "switch_down"], []),
    "wrong_psk":           (4, "escalated", r"pre-shared key", ["wrong_psk"], []),
    "dot1x_unknown_user":  (4, "escalated", r"rejects.*(22056|not found|identity)", ["rejected"], []),
    "dot1x_cert_expired":  (4, "escalated", r"rejects.*(12516|12514|expired|certificate)", ["rejected"], []),
    "dot1x_wrong_policy":  (4, "escalated", r"rejects.*(15039|profile|DenyAccess|authorization)", ["rejected"], []),
    "radius_down":         (4, "escalated", r"RADIUS", ["radius_down"], []),
    "dhcp_pool_exhausted": (0, "fixed", r"pool of VLAN 110 is exhausted", ["pool", "free", "rejoin", "look_again"], [("kea", "lease4-del"), ("mist", "/disconnect")]),
    "dhcp_down":           (4, "escalated", r"DHCP server", ["server", "dhcp_down"], []),
    "dhcp_nak_conflict":   (0, "fixed", r"refuses the address", ["conflict", "rejoin", "look_again"], [("mist", "/disconnect")]),
    "wrong_vlan":          (0, "fixed", r"VLAN 110 is missing", ["missing_vlan", "tag", "rejoin", "look_again"], [("switch", "vlan members"), ("mist", "/disconnect")]),
    "weak_signal":         (4, "escalated", r"[Ww]eak signal", ["weak_signal"], []),
    "interference":        (0, "fixed", r"[Ii]nterference", ["optimise", "look_again"], [("mist", "/rrm/optimize")]),
    "busy_channel":        (0, "fixed", r"too busy", ["optimise", "look_again"], [("mist", "/rrm/optimize")]),
    "sticky_client":       (0, "fixed", r"sticks", ["sticky", "rejoin", "look_again"], [("mist", "/disconnect")]),
    "ap_overloaded":       (0, "fixed", r"overloaded", ["overloaded", "rejoin", "look_again"], [("mist", "/disconnect")]),
    "dns_broken":          (4, "escalated", r"DNS", ["dns", "dns_broken"], []),
    "wan_latency":         (4, "escalated", r"WAN", ["wan", "wan_slow"], []),
}


def in_plan(plan, taken):
    """Whether the plan holds the whole way: every step is in it, and each follows the one before by a way that the plan shows."""
    edges = {}
    for node in plan["nodes"]:
        edges.setdefault(node["id"], set()).update(w["to"] for w in node["ways"])
    for here, there in zip(taken, taken[1:]):
        if here not in edges:
            return f"the step '{here}' is not in the plan"
        if there not in edges[here]:
            return f"the plan knows no way from '{here}' to '{there}'"
    return None


def one(fault):
    status, outcome, words, steps, writes = TABLE[fault]
    bad = []
    with Lab(fault) as lab:
        args = ["run", "client-connectivity", f"client={CLIENT}"]
        got, dry, err = lab.fettle(*args, "--dry-run")
        planned = last(dry, "run.planned")
        if got != 0 or not planned:
            bad.append(f"the dry run ended with {got}: {err[-500:]}")
        if lab.writes():
            bad.append(f"the dry run wrote: {lab.writes()}")
        got, events, err = lab.fettle(*args, "--yes")
        end = last(events, "run.finished") or {}
        taken = way(events)
        if got != status or end.get("outcome") != outcome:
            bad.append(f"ended with {got} {end.get('status')} {end.get('outcome')!r}, not {status} {outcome!r} {err[-300:]}")
        if not re.search(words, end.get("diagnosis", "")):
            bad.append(f"the diagnosis is {end.get('diagnosis')!r}, which does not say {words!r}")
        for step in steps:
            if step not in taken:
                bad.append(f"the step '{step}' is not on its way: {' '.join(taken)}")
        if planned and (gap := in_plan(planned["plan"], taken)):
            bad.append(f"{gap} ({' '.join(taken)})")
        seen = [w for w in lab.writes() if w["system"] != "servicenow"]
        for system, part in writes:
            if not any(w["system"] == system and part in str(w) for w in seen):
                bad.append(f"the lab saw no write '{part}' at {system}: {seen}")
        if not writes and seen:
            bad.append(f"nothing was to be changed, and the lab saw {seen}")
        if outcome != "healthy" and len(lab.writes("servicenow")) < 1:
            bad.append("no ticket was written")
        if outcome == "fixed" and fault not in ("ap_overloaded",):
            client = [c for c in lab.get("/lab/clients") if c.get("mac", "").replace(":", "").lower() == CLIENT.replace(":", "")]
            if not client or not client[0].get("ip"):
                bad.append(f"after the fix the client has no address: {client}")
        if outcome != "healthy" and not end.get("evidence"):
            bad.append("the diagnosis has no evidence")
    return bad


def second_remedies():
    """Where the first remedy cannot be had, the second one is asked for: name, scenario, steps on the way, a write that the lab saw."""
    table = [
        ("CoA where the disconnect fails", "faults:\n  - dhcp_pool_exhausted: {vlan: 110}\n  - api: {system: mist, path: /disconnect, kind: '500', times: -1}\n",
         ["free", "rejoin", "reauthenticate", "look_again"], "CoA", None),
        ("a bounce where the switch cannot be asked", "bounce_cuts_poe: true\nfaults:\n  - ap_hung\n", ["ap_port", "bounce", "look_again"], "bounce_port", "known_hosts"),
    ]
    bad = []
    for name, text, steps, write, spoil in table:
        with Lab(text=f"title: two faults\nspeed: 60\n{text}") as lab:
            if spoil:
                open(f"{lab.dir}/lab/{spoil}", "w").close()          # no host key is known: the switch is refused
            got, events, err = lab.fettle("run", "client-connectivity", f"client={CLIENT}", "--yes")
            taken = way(events)
            for step in steps:
                if step not in taken:
                    bad.append(f"{name}: '{step}' is not on its way: {' '.join(taken)} {err[-300:]}")
            if not any(write in str(w) for w in lab.writes()):
                bad.append(f"{name}: the lab saw no '{write}'")
            if got not in (0, 4):
                bad.append(f"{name}: ended with {got}")
    with Lab("busy_channel") as lab:
        _, events, _ = lab.fettle("run", "client-connectivity", f"client={CLIENT}", "--dry-run")
        restarts = [w for w in last(events, "run.planned")["plan"]["writes"] if w["id"] == "restart"]
        if "/restart" not in str(restarts):
            bad.append("the plan does not show the restart of the access point, for when RRM does not help")
    return bad


def without_ticket():
    """ticket=false: the same end, and the ticket system hears nothing."""
    with Lab("dhcp_pool_exhausted") as lab:
        got, events, err = lab.fettle("run", "client-connectivity", f"client={CLIENT}", "ticket=false", "--yes")
        end = last(events, "run.finished") or {}
        if got != 0 or end.get("outcome") != "fixed" or lab.writes("servicenow"):
            return [f"ended with {got} {end.get('outcome')!r}, {len(lab.writes('servicenow'))} writes at the ticket system: {' '.join(way(events))} {err[-300:]}"]
    return []


def main():
    wanted = sys.argv[1:] or list(TABLE)
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(max_workers=int(os.environ.get("FETTLE_JOBS", "3"))) as pool:
        for fault, bad in zip(wanted, pool.map(one, wanted)):
            print(("ok      " if not bad else "FAILED  ") + fault)
            for text in bad:
                print(f"        {text}")
            failed += bool(bad)
    for text in [] if sys.argv[1:] else without_ticket() + second_remedies():
        print(f"FAILED  {text}")
        failed += 1
    if not sys.argv[1:] and len(TABLE) < 22:
        sys.exit("FAILED: the table has lost rows")
    print(f"{len(wanted)} faults, {failed} failed")
    sys.exit(1 if failed else 0)


main()
