#!/usr/bin/env python3
"""fettle plan and fettle apply as a user sees them, against the lab: the same world gives the same plan, what is applied is what was planned, and where the
world has moved, the plan was altered or is too old, nothing is sent."""
import base64, fcntl, glob, json, os, pty, random, re, sqlite3, struct, subprocess, sys, termios, time, urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from lab import Lab, BUILD, last

STILL = "title: plans\nspeed: 0\nsince: 10m\nfaults:\n  - dhcp_pool_exhausted: {vlan: 110}\n"
CLIENT = "client=a4:83:e7:12:34:56"
LEASES = """fettle: 1
name: free-leases
title: Free the stale leases of a VLAN
category: change
params: {vlan: {type: int, required: true}}
steps:
  - id: pool
    run: dhcp.pool_use
    with: {vlan: "${vlan}"}
  - {id: free, run: dhcp.stale_leases_free, with: {vlan: "${vlan}", older_than_h: 8}, undo: auto, then: freed}
outcomes:
  freed: {title: Stale leases were freed}
"""
SETTINGS = """fettle: 1
name: settings
title: Three settings of two sites
category: change
params: {minutes: {type: int, required: true}}
steps:
  - {id: first, run: mist.site_setting_update, with: {site: HQ, changes: {device_updown_threshold: "${minutes}"}}, undo: auto}
  - {id: second, run: mist.site_setting_update, with: {site: Lake Street, changes: {device_updown_threshold: "${minutes}"}}, undo: auto}
  - {id: third, run: mist.site_setting_update, with: {site: HQ, changes: {persist_config_on_device: "${minutes > 30}"}}, undo: auto, then: changed}
outcomes:
  changed: {title: Changed}
"""
PORT = """fettle: 1
name: move-port
title: Move a port and describe it
category: change
params: {port: {type: string, default: ge-0/0/7}}
steps:
  - {id: vlan, title: Put it on its VLAN, run: switch.set_vlan, with: {device: sw-3, port: "${port}", vlan: 120}, undo: auto}
  - {id: describe, title: Describe it, run: switch.configure, with: {device: sw-3, lines: ['set interfaces ${port} description "desk 12"']}, undo: auto}
  - {id: back, title: And back, run: switch.set_vlan, with: {device: sw-3, port: "${port}", vlan: 210}, undo: auto}
  - {id: bounce, title: Bounce it, run: switch.port_bounce, with: {device: sw-3, port: "${port}"}, undo: none, then: moved}
outcomes:
  moved: {title: The port is moved}
"""
bad = []


def check(what, ok, *seen):
    if not ok:
        bad.append(f"{what}: {' '.join(str(s) for s in seen)[:1500]}")


def text(lab, *args):
    out = subprocess.run([f"{BUILD}/bin/fettle", *args, "--config", lab.config], capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL,
                         env={**os.environ, "HOME": lab.dir})
    return out.returncode, out.stdout, out.stderr


def terminal(lab, columns, *args, **env):
    """What stands on a terminal of so many columns."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = subprocess.Popen([f"{BUILD}/bin/fettle", *args, "--config", lab.config], stdin=slave, stdout=slave, stderr=slave,
                               env={**os.environ, "HOME": lab.dir, "TERM": "xterm", **env})
    os.close(slave)
    out = b""
    while True:
        try:
            more = os.read(master, 65536)
        except OSError:
            break
        if not more:
            break
        out += more
    process.wait(timeout=60)
    os.close(master)
    return out.decode().replace("\r\n", "\n")


def plan(lab, *args):
    status, out, err = text(lab, "plan", *args, "--json")
    check("a plan is made", status == 0, status, err)
    return json.loads(out) if status == 0 else {}


def http(lab, method, path, body, headers):
    request = urllib.request.Request(lab.url + path, method=method, data=json.dumps(body).encode() if body is not None else None,
                                     headers={"Content-Type": "application/json", **headers})
    with urllib.request.urlopen(request, timeout=20) as answer:
        got = answer.read()
    return json.loads(got) if got.strip() else None


def kea(lab, command, arguments):
    password = open(f"{lab.dir}/lab/kea.password").read().strip()
    auth = base64.b64encode(f"fettle:{password}".encode()).decode()
    return http(lab, "POST", "/kea", {"command": command, "service": ["dhcp4"], "arguments": arguments}, {"Authorization": f"Basic {auth}"})


def requests_of(p):
    return [r for w in p["writes"] for r in w.get("requests", [])]


def bodies(writes):
    return [w.get("body") if not isinstance(w.get("body"), str) else json.loads(w["body"]) for w in writes]


def the_main_playbook(lab):
    """Read through the whole flowchart, twice: byte for byte the same; no secret in any form of it."""
    forms = [text(lab, "plan", "client-connectivity", CLIENT, *form)[1] for form in (["--json"], ["--json"], ["--markdown"], [])]
    check("the same world gives the same plan", forms[0] == forms[1] and forms[0].strip(), forms[0][:200])
    p = json.loads(forms[0])
    check("it knows where the way leads", {"fixed", "escalated"} <= set(p["outcomes"]), p["outcomes"])
    check("the first write is exact", p["writes"][0]["exactness"] == "exact", p["writes"][0])
    check("no run's id is in it", "<run>" in forms[0])
    check("nothing was written", lab.writes() == [], lab.writes())
    check("Markdown has the digest and the requests", f"# Plan {p['digest'][:8]}" in forms[2] and "lease4-del" in forms[2] and "Apply with" in forms[2], forms[2][:300])
    check("text says what it rests on and how to apply it", "rests on" in forms[3] and f"fettle apply {p['digest'][:8]}" in forms[3], forms[3][-300:])
    for name in glob.glob(f"{lab.dir}/lab/*.password") + glob.glob(f"{lab.dir}/lab/*.token"):
        secret = open(name).read().strip()
        check(f"no form of it shows {os.path.basename(name)}", not any(secret in form for form in forms))
    shown = [text(lab, *args)[1] for args in (["plan", "--show", p["digest"][:6], "--json"], ["show", p["digest"][:10], "--json"])]
    check("it is shown again by its first digits", all(json.loads(s)["digest"] == p["digest"] for s in shown), shown[0][:200])
    ends = [i for i, line in enumerate(forms[3].splitlines()) if "Hand over with the evidence" in line]
    heads = [tuple(forms[3].splitlines()[i:i + 3]) for i in ends]
    check("what several ways lead to alike is said once", len(ends) > 1 and len(heads) == len(set(heads)), forms[3][-3000:])
    runs = len(json.loads(f"[{','.join(text(lab, 'runs', '--json')[1].splitlines())}]"))
    status, _, err = text(lab, "apply", p["digest"][:8], "--yes")
    check("what is open is to be accepted before anything starts", status == 1 and "--accept-undetermined" in err and "Write the ticket" in err and not lab.writes(), status, err)
    check("no run was started", runs == len(json.loads(f"[{','.join(text(lab, 'runs', '--json')[1].splitlines())}]")))
    again = text(lab, "plan", "--show", p["digest"], "--markdown")[1]
    out = f"{lab.dir}/plan.md"
    status, printed, _ = text(lab, "plan", "--show", p["digest"], "--markdown", "--out", out)
    check("--out writes it", status == 0 and not printed and open(out).read() == again, status)


def apply_and_again(lab, playbook):
    p = plan(lab, playbook, "vlan=110")
    before = len(lab.writes())
    status, events, err = lab.fettle("apply", p["digest"][:8])
    check("what was planned is applied", status == 0, status, err, last(events, "step.failed"))
    sent = lab.writes()[before:]
    check("the writes are the planned ones, byte for byte", [json.dumps(b, sort_keys=True) for b in bodies(sent)] ==
          [json.dumps(r["body"], sort_keys=True) for r in requests_of(p)], sent, requests_of(p))
    check("run.started names the plan", events and events[0].get("plan") == p["digest"])
    after = plan(lab, playbook, "vlan=110")
    check("a plan right after it is empty", after["writes"] == [] and after["digest"] != p["digest"], after["writes"])


def moved(lab, playbook):
    p = plan(lab, playbook, "vlan=110")
    gone = p["writes"][0]["before"][0]["ip-address"]
    kea(lab, "lease4-del", {"ip-address": gone})
    before = len(lab.writes())
    status, events, _ = lab.fettle("apply", p["digest"][:8])
    failed = last(events, "step.failed") or {}
    check("on another state nothing is sent", status == 1 and len(lab.writes()) == before, status, lab.writes()[before:])
    check("the difference is in the journal", gone in json.dumps(failed.get("off_plan", {}).get("differs", [])) and failed.get("class") == "conflict", failed)
    _, shown, _ = text(lab, "show", events[0]["run"])
    check("and is shown", "(- planned, + now)" in shown and gone in shown, shown[-800:])


def altered(lab, playbook):
    p = plan(lab, playbook, "vlan=110")
    store = f"{lab.dir}/lab/fettle.db"
    before = len(lab.writes())

    def change(sql, *args):
        with sqlite3.connect(store, timeout=20) as db:
            db.execute(sql, args)

    packed = sqlite3.connect(store, timeout=20).execute("SELECT text FROM plans WHERE digest = ?", (p["digest"],)).fetchone()[0]
    kept = json.dumps(p, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    check("a plan lies packed in the store", isinstance(packed, bytes) and len(packed) < len(kept) / 2, packed, len(kept))
    for at in (0, 3, len(packed) // 2, len(packed) - 1):
        change("UPDATE plans SET text = ? WHERE digest = ?", packed[:at] + bytes([packed[at] ^ 4]) + packed[at + 1:], p["digest"])
        status, _, err = text(lab, "apply", p["digest"][:8])
        check(f"a plan with byte {at} changed is refused", status == 1 and "altered" in err and "plan again" in err, status, err)
    for was, now in (("lease4-del", "lease4-wip"), ('"seen":', '"sean":'), ('"certain":true', '"certain":null')):
        if was not in kept:
            continue
        change("UPDATE plans SET text = ? WHERE digest = ?", kept.replace(was, now, 1), p["digest"])
        status, _, err = text(lab, "apply", p["digest"][:8])
        check(f"a plan altered in the store ({was}) is refused", status == 1 and "altered" in err, status, err)
    change("UPDATE plans SET text = ?, at = at - 7200000 WHERE digest = ?", kept, p["digest"])
    status, _, err = text(lab, "apply", p["digest"][:8], "--max-age", "30m")
    check("an old plan is refused", status == 1 and "2 h" in err and "plan again" in err, status, err)
    status, _, err = text(lab, "apply", "00000000")
    check("a plan that is not there", status == 2 and "there is no plan" in err, status, err)
    limited = plan(lab, playbook, "vlan=110", "--valid", "1h")
    check("a limit is part of the plan", limited["valid_ms"] == 3600000 and limited["digest"] != p["digest"])
    change("UPDATE plans SET at = at - 7200000 WHERE digest = ?", limited["digest"])
    status, _, err = text(lab, "apply", limited["digest"][:8])
    check("and holds", status == 1 and "may be applied within 1 h" in err, status, err)
    check("none of it was sent", len(lab.writes()) == before, lab.writes()[before:])


def setting(lab, site, body=None):
    token = open(f"{lab.dir}/lab/mist.token").read().strip()
    auth = {"Authorization": f"Token {token}"}
    return http(lab, "PUT" if body else "GET", f"/api/v1/sites/{site}/setting", body, auth)


def drift(lab, playbook, seed, rounds):
    """Settings move between plan and apply, or they do not: what is not as planned is not written, and what is, is."""
    chance = random.Random(seed)
    org = json.load(open(f"{lab.dir}/lab/org.json"))
    keys = [("first", org["HQ"], "device_updown_threshold"), ("second", org["Lake Street"], "device_updown_threshold"), ("third", org["HQ"], "persist_config_on_device")]
    tally = {"moved": 0, "still": 0}
    for n in range(rounds):
        minutes = 2 * (n % 5) + 25
        for _, site, key in keys[:2]:
            setting(lab, site, {key: 1})
        setting(lab, keys[2][1], {keys[2][2]: minutes <= 30})
        p = plan(lab, playbook, f"minutes={minutes}")
        at = chance.randrange(5)
        if at < 3:
            setting(lab, keys[at][1], {keys[at][2]: 3 if at < 2 else minutes > 30})
        elif at == 3:
            setting(lab, keys[0][1], {"report_gatt": bool(n % 2)})            # nothing that any of them rests on
        before = len(lab.writes("mist"))
        status, events, err = lab.fettle("apply", p["digest"])
        sent = lab.writes("mist")[before:]
        planned = [json.dumps(r["body"], sort_keys=True) for r in requests_of(p)]
        got = [json.dumps(b, sort_keys=True) for b in bodies(sent)]
        if at == 2:                                                            # somebody did the last one already: nothing to do, and nothing sent
            check(f"seed {seed} round {n}: what somebody did already is not sent", status == 0 and got == planned[:2], status, got)
        elif at < 2:
            tally["moved"] += 1
            check(f"seed {seed} round {n}: stopped before write {at + 1}", status in (1, 5) and got[:at] == planned[:at] and planned[at] not in got[at:], status, got, planned)
            check(f"seed {seed} round {n}: and taken back", setting(lab, keys[0][1])["device_updown_threshold"] == (3 if at == 0 else 1), status)
        else:
            tally["still"] += 1
            check(f"seed {seed} round {n}: undisturbed", status == 0 and got == planned, status, err, last(events, "step.failed"), got, planned)
    print(tally)


def one_object(lab, playbook):
    """Four writes on one port: each is planned on what the one before it leaves behind, and applied on that."""
    p = plan(lab, playbook)
    check("it is planned behind the one before it", [w.get("rests_after") for w in p["writes"]] == [None] + [{"sw-3/interfaces ge-0/0/7": by} for by in ("vlan", "describe", "back")],
          [w.get("rests_after") for w in p["writes"]])
    check("on the state that there will be", [w["before"].get("vlan") for w in (p["writes"][0], p["writes"][2], p["writes"][3])] == [210, 120, 210] and
          p["writes"][3]["before"]["description"] == "desk 12", [w["before"] for w in p["writes"]])
    shown, markdown = text(lab, "plan", "--show", p["digest"])[1], text(lab, "plan", "--show", p["digest"], "-m")[1]
    check("and says so", "rests on the state after 1 'Put it on its VLAN', as" in shown and "Rests on the state after 2 'Describe it'" in markdown, shown)
    check("a line of a configuration is shown as it stands there", '         + set interfaces ge-0/0/7 description "desk 12"\n' in shown and "null" not in
          [line.split()[-1] for line in shown.splitlines() if line.strip()[:2] in ("+ ", "- ")], shown)
    check("each state has its digest", len(re.findall(r"\(digest\s", shown)) == 5, shown)
    narrow = terminal(lab, 60, "plan", "--show", p["digest"])
    plain = re.sub(r"\x1b\[[0-9;]*m", "", narrow)
    wide = [line for line in plain.splitlines() if len(line) > 60 and not re.match(r" +([-+] |set |delete |commit )", line)]
    check("on a narrow terminal only requests and differences are wider than it", not wide and plain.count("\n") > 40, wide)
    check("the difference is coloured, and the colour ends with its line", '\x1b[32m         + set interfaces ge-0/0/7 description "desk 12"\x1b[0m\n' in narrow, narrow)
    check("NO_COLOR means it", "\x1b[" not in terminal(lab, 60, "plan", "--show", p["digest"], NO_COLOR="1"))
    status, events, err = lab.fettle("apply", p["digest"])
    check("all four are applied", status == 0 and len([e for e in events if e["type"] == "step.intended"]) == 4, status, err, last(events, "step.failed"))
    again = plan(lab, playbook)
    check("what was there already would be sent no more", [w["path"] for w in again["writes"]] == ["vlan", "back", "bounce"], [w["path"] for w in again["writes"]])
    nowhere = text(lab, "plan", f"{lab.dir}/free-leases.yaml", "vlan=999")[1]
    open(f"{lab.dir}/nowhere.yaml", "w").write(PORT.replace("move-port", "nowhere").replace("ge-0/0/7}", "ge-0/0/99}"))
    refused = text(lab, "plan", f"{lab.dir}/nowhere.yaml")[1]
    check("a write that is refused already fails, and is called what it is", " disruptive Put it on its VLAN\n" in refused and "fails: sw-3" in refused and "undetermined" not in refused, refused)
    check("a kept plan says when it was made", re.search(r"\n    made .*, (0|[0-9.]+) (ms|s) ago\n", text(lab, "plan", "--show", p["digest"])[1]), text(lab, "plan", "--show", p["digest"])[1][-300:])
    check("a plan that ends at once says just that", "ends in: a failure\n    nothing would be sent" in nowhere and "apply with" not in nowhere, nowhere)


def rails(lab, playbook):
    """What policies will ask is in the plan before anything is started; lead times count from when the plan was made."""
    kept = open(lab.config).read()
    day = lambda hours: time.strftime("%Y-%m-%d %H:%M", time.gmtime(time.time() + 3600 * hours))
    people = "\ntimezone: UTC\nroles: {manager: , board: }\npeople: {ann: {email: ann@example.org, roles: [manager, board]}}\n"
    windows = f'windows: {{later: {{from: "{day(2)}", to: "{day(6)}"}}, now: {{from: "{day(-1)}", to: "{day(6)}"}}}}\n'

    def needs(policies, *more):
        open(lab.config, "w").write(kept + people + windows + policies)
        p = plan(lab, playbook, "minutes=40", *more)
        return p, {(n["kind"], n["text"], len(n["paths"])) for n in p["needs"]}

    p, said = needs('policies:\n  - {name: ours, match: {action: "mist.*"}, approval: {role: manager, count: 2}, windows: later}\n'
                    "  - {name: pace, budget: {at_most: 2, in: 1h}}\n  - {name: much, budget: {at_most: 9, in: 1d, over: stop}}\n")
    check("who approves, when, and what of the budgets", said == {
        ("approval", "manager (2), not you (policy 'ours')", 3), ("budget", "9 of 9 left in 1 d, and this takes up to 3 (policy 'much')", 3),
        ("budget", "2 of 2 left in 1 h, and this takes up to 3: it waits there until there is room (policy 'pace')", 3),
        *(s for s in said if s[0] == "waits")}, said)
    check("when there is time for it, said once", [s[2] for s in said if s[0] == "waits"] == [1] and any(day(2) in s[1] and "policy 'ours'" in s[1] for s in said), said)
    shown = text(lab, "plan", "--show", p["digest"])[1]
    check("for people, too", "    approval: manager (2), not you (policy 'ours')\n    waits: there is time for it from" in shown, shown[-900:])
    _, said = needs("policies:\n  - {name: open, windows: now}\n  - {name: not ours, match: {site: Lake Street}, never: others run it}\n"
                    'sites: {Lake Street: {id: "%s"}}\n' % json.load(open(f"{lab.dir}/lab/org.json"))["Lake Street"])
    check("what is refused, and how long there is time", sorted(s[0] for s in said) == ["refused", "time"] and any("others run it" in s[1] and s[2] == 1 for s in said), said)
    each = [w["need_ms"] / 1000 for w in p["writes"]]
    short = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + (max(each) + sum(each)) / 2))
    windows = f'windows: {{short: {{from: "{day(-1)}", to: "{short}"}}}}\n'
    _, said = needs("policies:\n  - {name: open, windows: short}\n")
    check("each fits, all together may not", sorted(s[0] for s in said) == ["outlasts", "time"] and any("what does not fit any more when its turn comes is not begun" in s[1] for s in said), each, said)
    windows = ""
    changes = "categories:\n  normal: {default: true, lead_time: 3d}\n  emergency: {overrides: true, approval: {role: board}}\n"
    p, said = needs(changes, "--change", "emergency")
    check("an emergency is planned as one", p["change"] == "emergency" and ("approval", "board (1), not you (policy 'category emergency')", 3) in said, said)
    status, events, _ = lab.fettle("apply", p["digest"])
    check("and applied as one", events[0].get("change") == "emergency" and last(events, "gate.opened"), status, events[-1:])
    text(lab, "cancel", events[0]["run"])
    p, said = needs(changes)
    check("without, it is the usual one", p["change"] == "normal" and [s[0] for s in said] == ["waits"], said)
    before = len(lab.writes())
    status, events, _ = lab.fettle("apply", p["digest"])
    held = last(events, "hold.opened") or {}
    check("it was planned just now: it waits for three days", "not asked for long enough before" in held.get("why", "") and len(lab.writes()) == before, status, events[-2:])
    text(lab, "cancel", events[0]["run"])
    with sqlite3.connect(f"{lab.dir}/lab/fettle.db", timeout=20) as db:
        db.execute("UPDATE plans SET at = at - 3 * 86400000 WHERE digest = ?", (p["digest"],))
    status, events, err = lab.fettle("apply", p["digest"])
    check("planned three days ago it goes at once", status == 0 and not last(events, "hold.opened") and len(lab.writes()) > before, status, err, events[-2:])
    open(lab.config, "w").write(kept)


def main():
    with Lab(text=STILL) as lab:
        for name, body in (("free-leases", LEASES), ("settings", SETTINGS), ("move-port", PORT)):
            open(f"{lab.dir}/{name}.yaml", "w").write(body)
        token = open(f"{lab.dir}/lab/mist.token").read().strip()
        sites = http(lab, "GET", "/api/v1/orgs/5b1c0f3e-7d11-4c55-9a0e-3f6d2b8c9a01/sites", None, {"Authorization": f"Token {token}"})
        json.dump({s["name"]: s["id"] for s in sites}, open(f"{lab.dir}/lab/org.json", "w"))
        the_main_playbook(lab)
        altered(lab, f"{lab.dir}/free-leases.yaml")
        moved(lab, f"{lab.dir}/free-leases.yaml")
        apply_and_again(lab, f"{lab.dir}/free-leases.yaml")
        drift(lab, f"{lab.dir}/settings.yaml", int(os.environ.get("FETTLE_DRIFT_SEED", "1")), int(os.environ.get("FETTLE_DRIFT_ROUNDS", "12")))
        one_object(lab, f"{lab.dir}/move-port.yaml")
        rails(lab, f"{lab.dir}/settings.yaml")
    for one in bad:
        print("FAILED", one)
    return 1 if bad else 0


if __name__ == "__main__":
    started = time.monotonic()
    status = main()
    print(f"{time.monotonic() - started:.0f} s")
    sys.exit(status)
