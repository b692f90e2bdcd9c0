#!/usr/bin/env python3
"""radius.eap, driven by `fettle run`: whole 802.1X logins by Debian's eapol_test against its FreeRADIUS."""
import os, shutil, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from freeradius import FreeRadius, Runs, SECRET

PASSWORDS = {"right": "hello", "wrong": "not-the-password"}
failures = []


def check(what, holds, seen=""):
    if not holds:
        failures.append(what)
        print(f"FAILED {what}: {seen}", flush=True)


def steps_of(d):
    peap = {"method": "peap", "user": "bob", "password": "${right}", "server": "main"}
    tls = {"method": "tls", "user": "alice", "server": "main"}

    def key(name):
        return {**tls, "client_cert": f"{d}/{name}.pem", "private_key": f"{d}/{name}.key"}

    return {
        "peap": {**peap, "server_name": "radius.test", "outer_identity": "anonymous"},
        "peap with a VLAN": {**peap, "user": "alice", "mac": "0011.2233.4455"},
        "peap, wrong password": {**peap, "password": "${wrong}"},
        "peap, unknown authority": {**peap, "ca_file": f"{d}/other.pem"},
        "peap, another name": {**peap, "server_name": "elsewhere.test"},
        "ttls": {**peap, "method": "ttls", "inner": "pap"},
        "only to look": {**peap, "skip_server_check": True},
        "tls": key("client"),
        "tls, expired": key("old"),
        "tls, unknown authority": key("stranger"),
        "no key file": {**key("client"), "private_key": f"{d}/nothing.key"},
        "another's key": {**key("client"), "private_key": f"{d}/old.key"},
        "no certificate file": key("nothing"),
        "no authority": {**peap, "ca_file": f"{d}/nothing.pem"},
        "wrong secret": {**peap, "server": "stranger", "within_s": 1},
        "nobody there": {**peap, "server": "nobody"},
        "odd texts": {**peap, "user": "bob\"\nnetwork={", "password": "${wrong}"},
    }


def judge(ends, results):
    r = results["peap"]
    check("peap", r.get("success") and r["kind"] == "ok" and r["method"] == "PEAP" and r["server_verified"] and r["tls"].startswith("TLS"), ends["peap"])
    check("the server's certificate", r.get("chain") and r["chain"][0]["names"] == ["radius.test"] and not r["chain"][0]["ca"] and 9 < r["certificate_days_left"] < 10.1
          and len(r["chain"]) == 2, r)
    check("in less than two seconds", r.get("ms", 9999) < 2000, r.get("ms"))
    r = results["peap with a VLAN"]
    check("peap of another user", r.get("success") and r["rounds"] >= 5, ends["peap with a VLAN"])
    check("keys are not shown", {a["name"]: a["value"] for a in r.get("attributes", [])}.get("MS-MPPE-Recv-Key") == "***", r)
    for name, kind, says in (("peap, wrong password", "credentials", "password"), ("peap, unknown authority", "server_certificate", "certificate"),
                             ("peap, another name", "server_certificate", "Domain mismatch"), ("tls, expired", "client_certificate", "expired"),
                             ("tls, unknown authority", "client_certificate", "certificate"), ("odd texts", "credentials", "rejects")):
        r = results[name]
        check(name, r.get("success") is False and r["kind"] == kind and says in r["reason"], ends[name])
    check("its certificate is known all the same", results["peap, unknown authority"].get("chain") and results["peap, unknown authority"]["server_verified"] is False,
          ends["peap, unknown authority"])
    check("ttls", results["ttls"].get("success") and results["ttls"]["method"] == "TTLS", ends["ttls"])
    r = results["only to look"]
    check("unchecked", r.get("success") and r["server_verified"] is False and r["certificate_days_left"] > 9, ends["only to look"])
    r = results["tls"]
    check("tls", r.get("success") and r["method"] == "TLS" and r["client_certificate"]["subject"].startswith("CN=alice"), ends["tls"])
    for name, class_, says in (("no key file", "not_found", "private_key"), ("another's key", "invalid", "does not belong"), ("no certificate file", "not_found", "client_cert"), ("no authority", "invalid", "ca_file"),
                               ("wrong secret", "timeout", "shared secret"), ("nobody there", "unreachable", "nothing listens")):
        check(name, ends[name].get("class") == class_ and says in ends[name].get("error", ""), ends[name])


def main():
    if not shutil.which("freeradius") or not shutil.which("eapol_test"):
        print("freeradius or eapol_test is not installed: nothing to test with")
        return 77
    with FreeRadius() as radius:
        here = {"host": "127.0.0.1", "secret": {"file": f"{radius.dir}/secret"}, "auth_port": radius.auth}
        runs = Runs(radius.dir, ca_file=f"{radius.dir}/ca.pem", servers={
            "main": here, "stranger": {**here, "secret": {"file": f"{radius.dir}/wrong"}}, "nobody": {**here, "auth_port": radius.nobody}})
        named = steps_of(radius.dir)
        ends = dict(zip(named, runs.run([("eap", params) for params in named.values()], passwords=PASSWORDS)))
        judge(ends, {name: end.get("result") or {} for name, end in ends.items()})
        for text in [SECRET, "another-secret", *PASSWORDS.values()]:
            check("no secret in the output", text not in runs.output, text)
        check("the server saw no address of the relay", "NAS-Identifier = \"fettle\"" in radius.log() and "NAS-IP-Address = 127.0.0.1" not in radius.log())
        os.environ["PATH"] = "/nonexistent"
        end = runs.run([("eap", named["peap"])], passwords=PASSWORDS)[0]
        check("without eapol_test", end.get("type") == "step.failed" and "eapol_test" in end["error"], end)
    print(f"{len(failures)} of the checks failed" if failures else "all checks passed")
    return 1 if failures else 0


sys.exit(main())
