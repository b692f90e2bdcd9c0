#!/usr/bin/env python3
"""kill -9 during the main job: client-connectivity with its writes, against the lab, killed at points spread over what it does, then resumed.

The program runs under strace, which kills it when it enters the n-th call of a kind: pwrite64 and fdatasync are the store's, sendto is a request that
is not out yet, recvfrom an answer that is there and was not read. After `fettle resume` the lab's record must show each lease deleted
once, one disconnect, one ticket, closed once; a write in doubt was found out and not sent again.
FETTLE_KILLS is the number of points, FETTLE_JOBS how many are tried at once (default 3). What was built last for users is killed where it is there (build/release,
newer than every source, as in tests/run.sh): at 100 points by default; else the build under test, with its sanitizers, at 40.
"""
import collections, concurrent.futures, os, re, resource, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import lab as support
from lab import CLIENT, SOURCE, Lab, last

SHARES = {"pwrite64": 0.3, "fdatasync": 0.1, "sendto": 0.3, "recvfrom": 0.3}


def released():
    """build/release, when it is of these sources."""
    build = f"{SOURCE}/build/release"
    programs = [f"{build}/bin/{name}" for name in ("fettle", "fettle-lab")]
    if not all(map(os.path.exists, programs)):
        return None
    sources = (os.path.join(at, name) for top in ("core", "plugins", "lua") for at, _, names in os.walk(f"{SOURCE}/{top}") for name in names if name.endswith((".c", ".h", ".lua")))
    return build if min(map(os.path.getmtime, programs)) >= max(map(os.path.getmtime, sources)) else None


def playbook(lab):
    """The real one; only that its looks follow each other in 1 s instead of 5 s."""
    text = open(f"{SOURCE}/playbooks/incident/client-connectivity.yaml").read()
    path = f"{lab.dir}/client-connectivity.yaml"
    open(path, "w").write(text.replace("every: 5s", "every: 1s"))
    return path


def strace(*args):
    return ["strace", "-f", "-qq", *args]


def start(lab, wrap):
    return lab.fettle("run", playbook(lab), f"client={CLIENT}", "--yes", wrap=wrap, env={"ASAN_OPTIONS": "detect_leaks=0"})


def undisturbed():
    """How often each call comes in its busiest thread, which is how strace counts; and what the lab then saw."""
    with Lab("dhcp_pool_exhausted") as lab:
        trace = f"{lab.dir}/trace"
        status, events, err = start(lab, strace("-o", trace, "-e", f"trace={','.join(SHARES)}"))
        if status != 0:
            sys.exit(f"FAILED: the undisturbed run ended with {status}: {err[-500:]} {events[-1:]}")
        counts = collections.Counter(re.findall(r"(?m)^(\d+) +(\w+)\(", open(trace).read()))
        most = {call: max([n for (_, c), n in counts.items() if c == call], default=0) for call in SHARES}
        return most, deleted(lab)


def deleted(lab):
    return [w["body"]["arguments"]["ip-address"] for w in lab.writes("kea") if w["body"]["command"] == "lease4-del" and w["done"]]


def points(most, limit):
    """(call, n), spread evenly over each call, first and last among them."""
    chosen = []
    for call, share in SHARES.items():
        count = min(most[call], max(2, round(limit * share)))
        chosen += sorted({(call, 1 + i * (most[call] - 1) // max(1, count - 1)) for i in range(count)})
    return chosen


def lives(lab, bad):
    """Resumes until the run is over, as a person or the next start would."""
    for _ in range(4):
        status, runs, err = lab.fettle("runs", "--json")
        if status != 0:
            bad.append(f"`runs` ended with {status}: {err}")
            return []
        left = [r for r in runs if r["status"] in ("running", "parked")]
        if not left:
            return runs
        for run in left:
            status, events, err = lab.fettle("resume", run["run"], "--yes")
            if status != 0:
                bad.append(f"`resume` ended with {status}: {err[-400:]} {events[-1:]}")
                return runs
    bad.append(f"after four resumes a run is left: {runs}")
    return runs


def check_writes(lab, undisturbed_leases, events, bad):
    leases = deleted(lab)
    if sorted(leases) != sorted(undisturbed_leases):
        bad.append(f"the leases deleted are {sorted(leases)}, each once was wanted: {sorted(undisturbed_leases)}")
    seen = [(w["method"], w["path"]) for w in lab.writes() if w["system"] in ("mist", "servicenow") and w["done"]]
    # Died before the disconnect was sent, and meanwhile the client got one of the addresses: its verification holds, and it is not sent any more.
    needless = any(e["type"] == "doubt.answered" and e["path"] == "rejoin" and e["by"] == "verify" for e in events)
    for what, method, part in (("disconnect", "POST", "/disconnect"), ("new ticket", "POST", "/table/incident"), ("closing of the ticket", "PATCH", "/incident/")):
        count = sum(m == method and part in p for m, p in seen)
        if count != 1 and not (count == 0 and needless and what == "disconnect"):
            bad.append(f"the lab saw {count} times: {what}")
    if len(seen) > 3:
        bad.append(f"the lab saw other writes: {seen}")


def in_doubt(events):
    """The writes whose intent was there when the process died, and whose outcome was not."""
    under_way, doubts = set(), []
    for event in events:
        kind, path = event["type"], event.get("path")
        if kind == "step.intended":
            under_way.add(path)
        elif kind in ("step.done", "step.failed", "step.answered"):
            under_way.discard(path)
        elif kind == "run.resumed":
            doubts += [(path, event["seq"]) for path in sorted(under_way)]
    return doubts


def check_doubts(events, bad):
    doubts = in_doubt(events)
    for path, seq in doubts:
        later = [e for e in events if e["seq"] > seq and e.get("path") == path]
        answer = next((e for e in later if e["type"] == "doubt.answered"), None)
        if not answer:
            bad.append(f"the write '{path}' was in doubt at event {seq} and was not found out: {[e['type'] for e in later]}")
        elif answer.get("by") not in ("probe", "verify"):
            bad.append(f"the doubt about '{path}' was answered by {answer.get('by')!r}")
        elif answer["happened"] and any(e["type"] == "step.intended" for e in later):
            bad.append(f"'{path}' had happened and was meant to be sent again")
    return len(doubts)


def one(point, leases):
    call, n = point
    bad = []
    with Lab("dhcp_pool_exhausted") as lab:
        status, _, _ = start(lab, strace("-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={n}"))
        died = status in (137, -9)
        runs = lives(lab, bad)
        if not runs and not bad:
            # Died before anything was promised: nothing may have happened, and the user starts again.
            if lab.writes():
                bad.append(f"the run is lost, and yet it wrote {lab.writes()}")
            start(lab, [])
            runs = lives(lab, bad)
        if len(runs) != 1:
            bad.append(f"there are {len(runs)} runs: {runs}")
        doubts = 0
        for run in runs:
            _, events, _ = lab.fettle("show", run["run"], "--json")
            doubts += check_doubts(events, bad)
            end = last(events, "run.finished") or {}
            if end.get("outcome") != "fixed":
                bad.append(f"run {run['run']} ended as {end.get('status')} {end.get('outcome')!r}: {end.get('diagnosis')}")
            failed = [(e["path"], e["error"]) for e in events if e["type"] in ("step.failed", "step.unproven")]
            if failed:
                bad.append(f"steps failed: {failed}")
            check_writes(lab, leases, events, bad)
    return died, doubts, bad


def main():
    build = released()
    support.BUILD = build or support.BUILD
    most, leases = undisturbed()
    chosen = points(most, int(os.environ.get("FETTLE_KILLS", "100" if build else "40")))
    deaths = doubts = failed = 0
    with concurrent.futures.ThreadPoolExecutor(max_workers=int(os.environ.get("FETTLE_JOBS", "3"))) as pool:
        for (call, n), (died, doubtful, bad) in zip(chosen, pool.map(lambda point: one(point, leases), chosen)):
            print(f"{'FAILED ' if bad else 'ok     '} killed at {call} {n} of {most[call]}{'' if died else ' (it lived)'}{f', {doubtful} write in doubt' if doubtful else ''}", flush=True)
            for text in bad:
                print(f"        {text}")
            deaths, doubts, failed = deaths + died, doubts + doubtful, failed + bool(bad)
    if deaths < len(chosen) * 0.8:
        sys.exit(f"FAILED: only {deaths} of {len(chosen)} points killed the program: the test does not test")
    if doubts < 3:
        sys.exit(f"FAILED: only {doubts} writes were in doubt: the test does not test")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{support.BUILD}: {used.ru_utime + used.ru_stime:.1f} s of one core")
    print(f"{len(chosen) - failed} of {len(chosen)} points, {deaths} deaths, {doubts} writes in doubt found out, {len(leases)} leases, a disconnect and a ticket: no write seen twice")
    sys.exit(1 if failed else 0)


main()
