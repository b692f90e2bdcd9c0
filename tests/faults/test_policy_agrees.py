#!/usr/bin/env python3
"""What `fettle policy test` says of a write is what a run then meets: random rules, windows, categories and people, one write each, both asked.

FETTLE_POLICIES: how many (40).
"""
import concurrent.futures, datetime, json, os, random, shutil, subprocess, sys, tempfile

BUILD = os.environ.get("FETTLE_BUILD", "build/asan")
FETTLE = f"{BUILD}/bin/fettle"
NOW = datetime.datetime.now(datetime.timezone.utc)
SEEN = {}


def fail(text):
    raise AssertionError(text)


def at(hours):
    return (NOW + datetime.timedelta(hours=hours)).strftime("%Y-%m-%d %H:%M")


def some(dice, *of):
    return dice.choice(of)


def match(dice):
    parts = {"effect": some(dice, "write", "disruptive"), "action": some(dice, "sim.*", "SIM.set", "sim.blind", '"!sim.set"'), "site": some(dice, "HQ", "Branch", "hq"),
             "target": some(dice, "device/sw-*", "SW-2", "device/sw-1"), "category": some(dice, "incident", "change"), "change": some(dice, "normal", "quick"),
             "severity": some(dice, "P3", "P1"), "inside": "now", "outside": some(dice, "now", "later"), "playbook": some(dice, "one", "other*")}
    names = dice.sample(sorted(parts), dice.choice([0, 0, 1, 1, 2]))
    return ", match: {" + ", ".join(f"{n}: {parts[n]}" for n in names) + "}" if names else ""


def needs(dice):
    return some(dice, "never: the auditors are here", "approval: {role: lead}", "approval: {role: lead, count: 2}", "approval: {role: manager, break_glass: true}", "windows: now",
                "windows: later", "windows: short", "windows: [short, later]", "lead_time: 2h", "budget: {at_most: 1, in: 1h, per: site}", "budget: {at_most: 1, in: 1h, over: stop}",
                "no_better: {times: 1, in: 1h}")


def config(dice, place, policies=None):
    rules = policies or "".join(f"  - {{name: r{i}{match(dice)}, {needs(dice)}}}\n" for i in range(dice.randint(1, 4)))
    freeze = some(dice, "", "", f"freezes:\n  f: {{from: \"{at(-1)}\", to: \"{at(5)}\", except: {some(dice, 'quick', 'normal')}, sites: {some(dice, 'HQ', 'Branch')}}}\n")
    return f"""fettle: 1
store: {place}/store.db
timezone: UTC
plugins: {{sim: {{dir: {place}}}}}
sites: {{HQ: {{id: 4ac1dcf4-0001}}, Branch: {{id: 77aa0001-0002}}}}
roles: {{lead: , manager: }}
people: {{ann: {{roles: [lead]}}, bob: {{roles: [lead, manager]}}}}
windows:
  now: {{from: "{at(-2)}", to: "{at(30)}"}}
  later: {{from: "{at(3)}", to: "{at(9)}"}}
  short: {{from: "{at(-2)}", to: "{at(0.2)}"}}
categories:
  normal: {{default: true{some(dice, '', ', approval: {role: manager}', ', lead_time: 1d')}}}
  quick: {{{some(dice, '', 'lead_time: 1h, ')}overrides: {some(dice, 'true', 'false')}}}
{freeze}policies:
{rules}"""


def playbook(dice):
    undo = some(dice, "none", "none", "{run: sim.blind, with: {key: a, value: 0, device: sw-2}}", '{run: sim.set, with: {key: a, value: 0, site: "${site}"}}')
    verify = some(dice, "", ", verify: {run: sim.get, with: {key: a}, until: result.found, within: 20m}")
    return f"""fettle: 1
name: one
title: One write
category: {some(dice, "incident", "change")}
severity: {some(dice, "P1", "P3")}
params:
  site: {{type: site}}
  device: {{type: string}}
steps:
  - {{id: w, title: Write it, run: {some(dice, "sim.set", "sim.blind")}, with: {{key: a, value: 1, site: "${{site}}", device: "${{device}}"}}, undo: {undo}{verify}, then: good}}
outcomes:
  good: {{title: Good}}
"""


def fettle(place, *args):
    out = subprocess.run([FETTLE, *args, "--config", f"{place}/fettle.yaml", "--json"], env={**os.environ, "FETTLE_HOME": f"{place}/home", "ASAN_OPTIONS": "detect_leaks=0"},
                         stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    return out.returncode, [json.loads(line) for line in out.stdout.splitlines()], out.stderr


def what_happened(events):
    """The verdict that the run met at its write, and the words."""
    for e in events:
        if e["type"] == "gate.opened":
            return "approve", {(one["role"], one["count"]) for one in e["by"]["all"]}
        if e["type"] == "hold.opened":
            return "wait", e["why"]
        if e["type"] == "step.failed":
            return "stop", e["error"]
        if e["type"] == "step.intended":
            return "go", ""
    return "nothing", ""


def agree(seed, place, args, way):
    code, said, err = fettle(place, "policy", "test", f"{place}/one.yaml", *args)
    ran, events, ran_err = fettle(place, "run", f"{place}/one.yaml", *args)
    if code == 2 or ran == 2:
        if (code, err) != (ran, ran_err):
            fail(f"seed {seed} {way}: policy test: {code} {err}, the run: {ran} {ran_err}")
        SEEN["refused to start"] = SEEN.get("refused to start", 0) + 1
        return
    verdict, words = what_happened(events)
    one = next(s for s in said if s.get("path") == "w")
    SEEN[verdict] = SEEN.get(verdict, 0) + 1
    if one["verdict"] != verdict:
        fail(f"seed {seed} {way}: policy test says {one['verdict']} ({one['text']}), and the run met {verdict} ({words})\n{open(place + '/fettle.yaml').read()}{open(place + '/one.yaml').read()}{args}")
    if verdict == "approve" and not words <= {(a["role"], a["count"]) for a in one["approval"]["all"]}:
        fail(f"seed {seed} {way}: {one['approval']} is not {words}")
    if verdict in ("stop", "wait") and words.split(" from ")[0].split(" until ")[0] != one["text"].split(" from ")[0].split(" until ")[0]:      # times move on between the two
        fail(f"seed {seed} {way}: '{one['text']}', and then '{words}'")
    if (code == 1) != (verdict == "stop"):
        fail(f"seed {seed} {way}: policy test ended with {code} for {verdict}")


def case(seed):
    dice = random.Random(seed)
    place = tempfile.mkdtemp(prefix="fettle-agrees-")
    try:
        os.makedirs(f"{place}/home/plugins")
        shutil.copy(f"{BUILD}/test-plugins/sim.so", f"{place}/home/plugins/sim.so")
        for name in ("lua", "schemas"):
            os.symlink(os.path.realpath(f"{BUILD}/{name}"), f"{place}/home/{name}")
        open(f"{place}/fettle.yaml", "w").write(config(dice, place))
        open(f"{place}/one.yaml", "w").write(playbook(dice))
        args = [f"site={some(dice, 'HQ', 'hq', 'Branch', '4AC1DCF4-0001', 'elsewhere')}", f"device={some(dice, 'sw-1', 'SW-2', 'ap-7')}"]
        if dice.random() < 0.3:
            args += ["--change", some(dice, "normal", "quick")]
        agree(seed, place, args, "first")
        agree(seed, place, args, "again")                 # what the first took of budgets counts
    finally:
        shutil.rmtree(place, ignore_errors=True)


def main():
    n = int(os.environ.get("FETTLE_POLICIES", "40"))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(case, range(n)))
    print(f"{n} sets of rules, asked twice: policy test says what the run met: {SEEN}")
    if n >= 40 and not all(SEEN.get(v, 0) >= 5 for v in ("go", "approve", "wait", "stop")):
        fail(f"hardly anything was seen of one kind: {SEEN}")


main()
