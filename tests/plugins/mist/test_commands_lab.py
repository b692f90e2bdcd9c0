#!/usr/bin/env python3
"""Device commands over the websocket, as a user runs them: `fettle run` with playbooks against the lab, whose server is libmicrohttpd's and a handful of lines."""
import json
import os
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.environ["FETTLE_SOURCE"], "tests", "support"))
from lab import BUILD, Lab, last  # noqa: E402

failures = []


def check(what, holds, seen=""):
    if not holds:
        failures.append(what)
        print(f"FAILED {what}: {str(seen)[:1500]}", flush=True)


def playbook(lab, name, steps):
    path = f"{lab.dir}/{name}.yaml"
    with open(path, "w", encoding="utf-8") as f:
        json.dump({"fettle": 1, "name": name, "title": name, "category": "check", "severity": "P4", "steps": steps, "outcomes": {"fine": {"title": "done"}}}, f)
    return path


def step(id_, action, last_one=False, **params):
    return {"id": id_, "run": f"mist.{action}", "with": params, **({"then": "fine"} if last_one else {})}


def run(lab, name, *steps, flags=(), config=None):
    status, events, errors = lab.fettle("run", playbook(lab, name, list(steps)), "--json", "--yes", *flags, config=config, timeout=100)
    with open(f"{lab.dir}/lab/mist.token", encoding="utf-8") as f:
        token = f.read().strip()
    check(f"{name}: the token is in no output", token and token not in json.dumps(events) + errors)
    return {e["path"]: e for e in events if e.get("type") in ("step.done", "step.failed")}, events


def result(ends, id_):
    return (ends.get(id_) or {}).get("result") or {}


def reads(lab):
    ends, events = run(
        lab, "reads",
        step("gateway", "device_ping", device="AP-3F-12", host="10.11.0.1", count=3), step("out", "device_ping", device="sw-2", host="8.8.8.8", count=2),
        step("nobody", "device_ping", device="AP-3F-12", host="10.11.0.254", count=2), step("name", "device_ping", device="AP-3F-12", host="www.example.com", count=1),
        step("way", "device_traceroute", device="AP-3F-12", host="8.8.8.8"), step("way2", "device_traceroute", device="sw-2", host="8.8.8.8"),
        step("ap_arp", "device_arp", device="AP-3F-12"), step("arp", "device_arp", device="sw-2"), step("macs", "switch_mac_table", last_one=True, device="sw-2"))
    check("all reads end well", len(ends) == 9 and all(e["type"] == "step.done" for e in ends.values()), events[-3:])
    r = result(ends, "gateway")
    check("an AP reaches its gateway", r.get("sent") == 3 and r["received"] == 3 and r["loss_pct"] == 0 and r["address"] == "10.11.0.1" and r["complete"] and 0 < r["rtt_min_ms"] <= r["rtt_avg_ms"] <= r["rtt_max_ms"], r)
    check("its output is there", any("3 packets transmitted" in line for line in r.get("lines", [])), r)
    r = result(ends, "out")
    check("a switch reaches the internet", r.get("received") == 2 and r["complete"], r)
    r = result(ends, "nobody")
    check("who is not there does not answer", r.get("reachable") is False and r["loss_pct"] == 100 and r["complete"], r)
    check("a name is resolved", result(ends, "name").get("reachable") is True, result(ends, "name"))
    for id_, first in (("way", 0), ("way2", 1)):
        r = result(ends, id_)
        check(f"{id_}: three hops", r.get("reached") is True and r["complete"] and [h["hop"] for h in r["hops"]] == [first, first + 1, first + 2] and r["hops"][2]["address"] == "8.8.8.8"
              and len(r["hops"][2]["rtts_ms"]) == 3, r)
    r = result(ends, "ap_arp")
    check("the AP's table has the client", any(e["mac"] == "a483e7123456" and e["vlan"] == 110 for e in r.get("entries", [])), r)
    r = result(ends, "arp")
    check("the switch's ARP table", r.get("complete") and any(e["ip"] == "10.10.0.112" and e["mac"] == "d420b0a01202" and e["port"] == "ge-0/0/12.0" for e in r["entries"]), r)
    r = result(ends, "macs")
    check("the switch's MAC table", r.get("complete") and r["total"] > 3 and any(e["interface"].startswith("ge-0/0/12") for e in r["entries"]), r)


def writes(lab):
    before = len(lab.writes("mist"))
    _, events = run(lab, "dry", {**step("cable", "cable_test", last_one=True, device="sw-2", port="ge-0/0/1"), "undo": "none"}, flags=("--dry-run",))
    check("a dry run shows the request, and sends none", "/cable_test" in json.dumps(events) and len(lab.writes("mist")) == before, events[-3:])
    ends, events = run(lab, "changes", {**step("cable", "cable_test", device="sw-2", port="ge-0/0/12"), "undo": "none"},
                       {**step("again", "port_clear_dot1x", device="sw-2", port="ge-0/0/12"), "undo": "none"},
                       {**step("bounce", "port_bounce", last_one=True, device="sw-2", port="ge-0/0/12"), "undo": "none"})
    r = result(ends, "cable")
    check("a cable is tested", r.get("passed") is True and r["faults"] == 0 and [p["pair"] for p in r["pairs"]] == ["1-2", "3-6", "4-5", "7-8"] and r["complete"] and r["changed"], (r, events[-3:]))
    check("sessions are ended", result(ends, "again").get("lines") == ["dot1x sessions cleared"], ends.get("again"))
    r = result(ends, "bounce")
    check("the bounce is confirmed", r.get("confirmed") is True and r["lines"] == ["Port bounce complete."], ends.get("bounce"))


def wrong(lab):
    port = lab.url.rsplit(":", 1)[1]
    with open(lab.config, encoding="utf-8") as f:
        text = f.read()
    elsewhere = f"{lab.dir}/lab/elsewhere.yaml"
    with open(elsewhere, "w", encoding="utf-8") as f:
        f.write(text.replace("  mist:\n", "  mist:\n    stream_url: ws://127.0.0.1:1/api-ws/v1/stream\n", 1))
    ends, events = run(lab, "shut", step("ping", "device_ping", last_one=True, device="AP-3F-13", host="10.11.0.1", count=1), config=elsewhere)
    e = ends.get("ping", {})
    check("no way to the websocket: unreachable, and nothing sent", e.get("type") == "step.failed" and e.get("class") == "unreachable" and "was not sent" in json.dumps(e), e or events[-2:])
    ends, events = run(lab, "unheard", {**step("bounce", "port_bounce", last_one=True, device="sw-2", port="ge-0/0/11"), "undo": "none"}, config=elsewhere)
    check("a port is bounced unheard", result(ends, "bounce").get("confirmed") is False and result(ends, "bounce").get("changed") is True, ends or events[-2:])
    with open(elsewhere, "w", encoding="utf-8") as f:
        f.write(text.replace("  mist:\n", f"  mist:\n    stream_url: ws://127.0.0.1:{port}/api-ws/v2/none\n", 1))
    ends, events = run(lab, "nothing-there", step("ping", "device_ping", last_one=True, device="AP-3F-13", host="10.11.0.1", count=1), config=elsewhere)
    check("a wrong address: not found", ends.get("ping", {}).get("class") == "not_found", ends or events[-2:])


    for kind, path, wanted in (("429", "/api-ws/", "refused"), ("403", "/api-ws/", "denied"), ("cut_after_request", "/api-ws/", "unreachable"),
                               ("html", "/ping", "invalid"), ("500", "/ping", "refused")):
        lab.post("/lab/fault", {"api": {"system": "mist", "path": path, "kind": kind, "times": 1}})
        ends, events = run(lab, f"fault-{kind}", step("ping", "device_ping", last_one=True, device="AP-3F-13", host="10.11.0.1", count=1))
        check(f"{kind} of {path}: {wanted}", ends.get("ping", {}).get("class") == wanted, ends or events[-2:])


def cut(lab):
    """The cloud dies in the middle of a ping."""
    path = playbook(lab, "cut", [step("ping", "device_ping", last_one=True, device="AP-3F-13", host="10.11.0.1", count=100)])
    process = subprocess.Popen([f"{BUILD}/bin/fettle", "run", path, "--json", "--yes", "--config", lab.config], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                               env={**os.environ, "HOME": lab.dir})
    before, until = len(lab.writes("mist")), time.monotonic() + 20
    while not any(w["path"].endswith("/ping") and w["body"].get("count") == 100 for w in lab.writes("mist")) and time.monotonic() < until:
        time.sleep(0.02)
    check("the ping began", len(lab.writes("mist")) >= before)
    lab.process.send_signal(signal.SIGKILL)
    began = time.monotonic()
    out, _ = process.communicate(timeout=60)
    e = last([json.loads(line) for line in out.splitlines() if line.startswith("{")], "step.failed") or {}
    check("cut off in the middle: unreachable, at once", e.get("class") == "unreachable" and time.monotonic() - began < 10, out[-800:])


lab = Lab("healthy", speed=20)
try:
    reads(lab)
    writes(lab)
    wrong(lab)
    cut(lab)
finally:
    lab.process.kill()
    lab.process.wait()
    lab.log.close()
    shutil.rmtree(lab.dir, ignore_errors=True)
sys.exit(1 if failures else 0)
