#!/usr/bin/env python3
"""The radius plugin, driven by `fettle run`, against Debian's real FreeRADIUS: logins, Status-Server, accounting, CoA and Disconnect."""
import os, shutil, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from freeradius import FreeRadius, Runs, SECRET

PASSWORDS = {"right": "hello", "wrong": "not-the-password"}
failures = []


def check(what, holds, seen=""):
    if not holds:
        failures.append(what)
        print(f"FAILED {what}: {seen}", flush=True)


def result_of(end):
    return end.get("result") or {}


def logins(runs):
    names = ["pap", "pap wrong", "chap", "chap wrong", "mschapv2", "mschapv2 wrong", "closed", "challenge", "attributes"]
    ends = dict(zip(names, runs.run([
        ("auth", {"user": "alice", "password": "${right}", "server": "main"}),
        ("auth", {"user": "bob", "password": "${wrong}", "server": "main"}),
        ("auth", {"user": "bob", "password": "${right}", "method": "chap", "server": "main"}),
        ("auth", {"user": "bob", "password": "${wrong}", "method": "chap", "server": "main"}),
        ("auth", {"user": "bob", "password": "${right}", "method": "mschapv2", "server": "main"}),
        ("auth", {"user": "bob", "password": "${wrong}", "method": "mschapv2", "server": "main"}),
        ("auth", {"user": "mallory", "password": "${right}", "server": "main"}),
        ("auth", {"user": "otp", "password": "${right}", "server": "main"}),
        ("auth", {"user": "bob", "password": "${right}", "server": "main", "mac": "0011.2233.4455",
                  "attributes": {"NAS-Port-Type": "Wireless-802.11", "Cisco-AVPair": ["audit-session-id=0a", "x=y"], "Tunnel-Private-Group-Id:1": "7"}}),
    ], passwords=PASSWORDS)))
    r = result_of(ends["pap"])
    check("pap lets in", r.get("accepted") and r["answer"] == "accept" and r["message_authenticator"] and r["reason"] is None, ends["pap"])
    check("with its VLAN and more", (r.get("vlan"), r.get("filter_id"), r.get("session_timeout_s"), r.get("reply_message")) == ("120", "staff", 3600, "welcome"), r)
    check("and the attributes by name", {"name": "Cisco-AVPair", "value": "profile=staff"} in r.get("attributes", []), r)
    for name in ("pap wrong", "chap wrong"):
        r = result_of(ends[name])
        check(f"{name} is a reject, no error", r.get("accepted") is False and r["answer"] == "reject" and r["reason"], ends[name])
    check("chap lets in", result_of(ends["chap"]).get("accepted"), ends["chap"])
    r = result_of(ends["mschapv2"])
    check("mschapv2 lets in, and the server proves itself", r.get("accepted") and r["server_proof"] == "verified", ends["mschapv2"])
    r = result_of(ends["mschapv2 wrong"])
    check("mschapv2 says why not", r.get("mschap_error") == 691 and "wrong user name or password" in r["reason"], ends["mschapv2 wrong"])
    check("a closed account's message", "this account is closed" in str(result_of(ends["closed"]).get("reason")), ends["closed"])
    r = result_of(ends["challenge"])
    check("a challenge is said", r.get("answer") == "challenge" and r["state"] == "0x0102" and "your code?" in r["reason"], ends["challenge"])
    check("attributes are taken", result_of(ends["attributes"]).get("accepted"), ends["attributes"])


def unanswered(runs):
    ends = runs.run([
        ("auth", {"user": "bob", "password": "${right}", "server": "stranger"}),
        ("auth", {"user": "alice", "password": "${right}", "server": "unsigned"}),
        ("auth", {"user": "alice", "password": "${right}", "server": "lenient"}),
        ("auth", {"user": "bob", "password": "${right}", "server": "nobody"}),
        ("auth", {"user": "bob", "password": "${right}"}),
        ("status", {}),
    ], passwords=PASSWORDS)
    check("a wrong secret meets silence", ends[0].get("class") == "timeout" and "shared secret" in ends[0]["error"], ends[0])
    check("an unsigned answer is dropped, with the way out", ends[1].get("class") == "timeout" and "CVE-2024-3596" in ends[1]["error"]
          and "require_message_authenticator" in ends[1]["error"], ends[1])
    check("unless the configuration allows it", result_of(ends[2]).get("accepted") and result_of(ends[2])["message_authenticator"] is False, ends[2])
    check("a closed port is known at once", ends[3].get("class") == "unreachable" and "nobody" in ends[3]["error"], ends[3])
    check("the next server is asked", result_of(ends[4]).get("accepted") and result_of(ends[4])["server"] == "main", ends[4])
    by_name = {s["server"]: s for s in result_of(ends[5]).get("servers", [])}
    check("status tells who is up", by_name and not by_name["nobody"]["up"] and by_name["main"]["up"] and result_of(ends[5])["all_up"] is False, ends[5])


def the_rest(runs, radius):
    steps = [
        ("status", {"server": "counters", "statistics": True}),
        ("accounting", {"type": "start", "session_id": "fettle-1", "user": "bob", "mac": "00:11:22:33:44:55", "server": "main"}),
        ("accounting", {"type": "stop", "session_id": "fettle-1", "user": "bob", "session_time_s": 77, "terminate_cause": "Admin-Reset", "server": "main"}),
        ("coa", {"device": "nas", "mac": "001122334455", "command": "reauthenticate"}),
        ("coa", {"device": "nas", "session_id": "gone"}),
        ("coa", {"device": "nas", "framed_ip": "10.1.1.1"}),
        ("disconnect", {"device": "nas", "session_id": "live", "user": "bob"}),
        ("disconnect", {"device": "nas", "session_id": "gone"}),
        ("disconnect", {"device": "nas", "session_id": "gone", "gone_ok": True}),
        ("disconnect", {"device": "nas", "session_id": "forbidden"}),
        ("disconnect", {"device": "shared", "host": "127.0.0.1", "session_id": "live"}),
        ("status", {"server": "main", "port": "accounting"}),
    ]
    runs.run(steps[1:], dry=True)
    check("a dry run sends no accounting", radius.detail() == "", radius.detail())
    check("nor a CoA or Disconnect", "Received CoA-Request" not in radius.log() and "Received Disconnect-Request" not in radius.log())
    plans = [e for e in runs.events if e.get("type") == "step.planned"]
    check("but shows what it would send", "Acct-Terminate-Cause = Admin-Reset" in runs.output and "Disconnect-Request" in runs.output, plans)
    ends = runs.run(steps)
    counters = result_of(ends[0]).get("servers", [{}])[0].get("statistics", {})
    check("counters of FreeRADIUS", counters.get("Total-Access-Requests", 0) >= 10 and counters.get("Total-Auth-Invalid-Requests") == 1, ends[0])
    check("start is taken", ends[1].get("type") == "step.done", ends[1])
    check("stop is taken", ends[2].get("type") == "step.done", ends[2])
    detail = radius.detail()
    check("both are in the server's file", detail.count("Acct-Session-Id = \"fettle-1\"") == 2 and "Acct-Terminate-Cause = Admin-Reset" in detail
          and "Acct-Session-Time = 77" in detail and "Calling-Station-Id = \"00-11-22-33-44-55\"" in detail, detail)
    check("a CoA is acknowledged", result_of(ends[3]).get("changed"), ends[3])
    check("in Cisco's words", "subscriber:command=reauthenticate" in radius.log())
    check("no such session", ends[4].get("class") == "not_found" and "503" in ends[4]["error"], ends[4])
    check("a missing attribute", ends[5].get("class") == "invalid" and "402" in ends[5]["error"], ends[5])
    check("a disconnect is acknowledged", result_of(ends[6]).get("changed"), ends[6])
    check("gone is an error", ends[7].get("class") == "not_found", ends[7])
    check("or fine", result_of(ends[8]).get("changed") is False, ends[8])
    check("a prohibition", ends[9].get("class") == "denied", ends[9])
    check("the address of the step", result_of(ends[10]).get("changed"), ends[10])
    check("status of accounting", result_of(ends[11]).get("up"), ends[11])
    runs.run([("disconnect", {"device": "misled", "session_id": "live"})], may_park=True)
    doubts = [e for e in runs.events if e.get("type") == "doubt.opened"]
    check("a write without an answer may have happened", doubts and "shared secret is wrong" in doubts[0]["why"], runs.output[-2000:])


def main():
    if not shutil.which("freeradius"):
        print("freeradius is not installed: nothing to test against")
        return 77
    with FreeRadius(eap=False) as radius:
        secret, wrong = {"file": f"{radius.dir}/secret"}, {"file": f"{radius.dir}/wrong"}
        here = {"host": "127.0.0.1", "secret": secret}
        runs = Runs(radius.dir, servers={
            "nobody": {**here, "auth_port": radius.nobody, "acct_port": radius.nobody},
            "main": {**here, "auth_port": radius.auth, "acct_port": radius.acct},
            "stranger": {**here, "auth_port": radius.auth, "secret": wrong},
            "unsigned": {**here, "auth_port": radius.auth, "nas_identifier": "unsigned"},
            "lenient": {**here, "auth_port": radius.auth, "nas_identifier": "unsigned", "require_message_authenticator": False},
            "counters": {**here, "auth_port": radius.status},
        }, devices={"nas": {**here, "port": radius.coa}, "shared": {"secret": secret, "port": radius.coa}, "misled": {"host": "127.0.0.1", "secret": wrong, "port": radius.coa}})
        said = ""
        for part in (logins, unanswered):
            part(runs)
            said += runs.output
        the_rest(runs, radius)
        said += runs.output
        for text in [SECRET, "another-secret", *PASSWORDS.values()]:
            check("no secret in the output", text not in said, text)
    print(f"{len(failures)} of the checks failed" if failures else "all checks passed")
    return 1 if failures else 0


sys.exit(main())
