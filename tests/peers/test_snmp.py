#!/usr/bin/env python3
"""The snmp plugin, driven by `fettle run`, against net-snmp's own agent, and its snmptrap and snmpinform programs, on loopback."""
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

FETTLE = os.path.join(os.environ["FETTLE_BUILD"], "bin", "fettle")
COMMUNITY, WRITE, AUTH, PRIV = "labcommunity42", "labwrite42", "authpass42", "privpass42"
SECRETS = {"community": COMMUNITY, "write": WRITE, "auth": AUTH, "priv": PRIV, "wrong": "wrongpass42"}
failures = []


def check(what, holds, seen=""):
    if not holds:
        failures.append(what)
        print(f"FAILED {what}: {seen}", flush=True)


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def bound(port):
    """Does somebody have the UDP port?"""
    for name in ("/proc/net/udp", "/proc/net/udp6"):
        with open(name, encoding="ascii") as f:
            if any(line.split()[1].endswith(f":{port:04X}") for line in f.readlines()[1:]):
                return True
    return False


def wait_for(what, holds, seconds=20):
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            sys.exit(f"{what}: not within {seconds} s")
        time.sleep(0.02)


class Agent:
    def __init__(self, folder):
        self.port = free_port()
        self.folder = folder
        os.mkdir(f"{folder}/var")
        with open(f"{folder}/snmpd.conf", "w", encoding="utf-8") as f:
            f.write(f"agentAddress udp:127.0.0.1:{self.port},udp6:[::1]:{self.port}\nrocommunity {COMMUNITY} 127.0.0.1\nrwcommunity {WRITE} 127.0.0.1\n"
                    f'createUser fettle SHA-256 "{AUTH}" AES "{PRIV}"\nrouser fettle priv\n'
                    f'createUser plain MD5 "{AUTH}"\nrouser plain auth\ncreateUser strong SHA-512 "{AUTH}" AES-256 "{PRIV}"\nrouser strong priv\n'
                    "sysName core-1\nsysLocation Köln, Serverraum\nsysContact noc@lab.test\nsysServices 76\n"
                    "extend-sh latin /bin/printf 'a\\001b'\nview all included .1\n")
        self.log = open(f"{folder}/snmpd.log", "w+", encoding="utf-8")
        self.process = subprocess.Popen(["snmpd", "-f", "-Lo", "-C", "-c", f"{folder}/snmpd.conf", "-p", f"{folder}/snmpd.pid", "-I", "-smux"],
                                        env={**os.environ, "SNMP_PERSISTENT_DIR": f"{folder}/var", "MIBS": ""}, stdout=self.log, stderr=self.log)
        wait_for("snmpd", lambda: bound(self.port) or self.process.poll() is not None)

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.log.close()


class World:
    def __init__(self, folder, port, trap_port, silent_port):
        self.folder, self.number = folder, 0
        self.env = {**os.environ, "FETTLE_CONFIG": f"{folder}/fettle.yaml", "HOME": f"{folder}/home", "SNMP_PERSISTENT_DIR": f"{folder}/state", "SNMPCONFPATH": f"{folder}/state"}
        for name, text in SECRETS.items():
            with open(f"{folder}/{name}", "w", encoding="utf-8") as f:
                f.write(text + "\n")
            os.chmod(f"{folder}/{name}", 0o600)
        secret = {name: {"file": f"{folder}/{name}"} for name in SECRETS}
        near = {"host": "127.0.0.1", "port": port, "timeout_s": 1, "retries": 0}
        user = {"user": "fettle", "auth": "SHA-256", "auth_password": secret["auth"], "priv": "AES", "priv_password": secret["priv"]}
        agents = {
            "v2c": {**near, "community": secret["community"], "max_repetitions": 10}, "v1": {**near, "version": "1", "community": secret["community"]},
            "rw": {**near, "community": secret["write"], "timeout_s": 5}, "wrong": {**near, "community": secret["wrong"], "timeout_s": 0.3},
            "v3": {**near, **user}, "v3-name": {**near, **user, "host": "localhost"},
            "v3-plain": {**near, "user": "plain", "auth": "MD5", "auth_password": secret["auth"]},
            "v3-strong": {**near, "user": "strong", "auth": "SHA-512", "auth_password": secret["auth"], "priv": "AES-256", "priv_password": secret["priv"]},
            "v3-nobody": {**near, **user, "user": "nobody"}, "v3-digest": {**near, **user, "auth_password": secret["wrong"]},
            "v3-priv": {**near, **user, "priv_password": secret["wrong"]}, "v3-level": {**near, "user": "plain"},
            "v3-low": {**near, "user": "fettle", "auth": "SHA-256", "auth_password": secret["auth"]},
            "v3-six": {**near, **user, "host": "::1"}, "silent": {**near, "community": secret["community"], "port": silent_port, "timeout_s": 30, "retries": 3},
            "nobody": {**near, "community": secret["community"], "port": free_port()}, "no-name": {"host": "nowhere.invalid", "community": secret["community"]},
        }
        self.trap_port = trap_port
        traps = {"listen": f"127.0.0.1:{trap_port}", "communities": [secret["community"]], "engine_id": "8000000001020304fe",
                 "users": [{"user": "trapper", "auth": "SHA", "auth_password": secret["auth"], "priv": "AES", "priv_password": secret["priv"]}]}
        os.mkdir(f"{folder}/mibs")
        with open(f"{folder}/mibs/LAB-MIB.txt", "w", encoding="utf-8") as f:
            f.write("LAB-MIB DEFINITIONS ::= BEGIN\nlabSystem OBJECT IDENTIFIER ::= { iso 3 6 1 2 1 1 }\nlabName OBJECT IDENTIFIER ::= { labSystem 5 }\nEND\n")
        with open(f"{folder}/fettle.yaml", "w", encoding="utf-8") as f:
            json.dump({"fettle": 1, "store": f"{folder}/fettle.db",
                       "plugins": {"snmp": {"agents": agents, "traps": traps, "mib_dirs": [f"{folder}/mibs"], "mibs": ["LAB-MIB"]}}}, f)

    def run(self, action, rollback=False, dry=False, **params):
        self.number += 1
        step = {"id": "it", "run": f"snmp.{action}", "with": params, "then": "back" if rollback else "fine"}
        if action == "set":
            step["undo"] = "auto"
            step["verify"] = {"run": "snmp.get", "with": {"agent": "rw", "oid": params["oid"]}, "until": "result.exists", "every": "1s", "within": "5s"}
        path = f"{self.folder}/p{self.number}.yaml"
        with open(path, "w", encoding="utf-8") as f:
            json.dump({"fettle": 1, "name": f"snmp-{self.number}", "title": "one step", "category": "check", "severity": "P4", "steps": [step],
                       "outcomes": {"back": {"title": "taken back", "rollback": True}} if rollback else {"fine": {"title": "done"}}}, f)
        argv = [FETTLE, "run", path, "--json", "--yes"] + (["--dry-run"] if dry else [])
        out = subprocess.run(argv, env=self.env, capture_output=True, text=True, timeout=60)
        said = out.stdout + out.stderr
        check(f"{action}: no secret in the output", not any(secret in said for secret in SECRETS.values()), said)
        check(f"{action}: nothing on standard error", out.stderr == "", out.stderr)
        events = [json.loads(line) for line in out.stdout.splitlines() if line.startswith("{")]
        ends = [e for e in events if e.get("type") in ("step.done", "step.failed", "step.unknown", "run.parked") and e.get("path", "it") == "it"]
        self.events = events
        return ends[-1] if ends else {"type": "none", "error": said}

    def value(self, agent, oid):
        return self.run("get", agent=agent, oid=oid).get("result", {})

    def batch(self, *steps):
        """Several reads in one run; gives their results in order."""
        self.number += 1
        path = f"{self.folder}/p{self.number}.yaml"
        with open(path, "w", encoding="utf-8") as f:
            json.dump({"fettle": 1, "name": f"snmp-{self.number}", "title": "many steps", "category": "check", "severity": "P4",
                       "steps": [{"id": f"s{i}", "run": f"snmp.{action}", "with": params, **({"then": "fine"} if i == len(steps) - 1 else {})}
                                 for i, (action, params) in enumerate(steps)],
                       "outcomes": {"fine": {"title": "done"}}}, f)
        out = subprocess.run([FETTLE, "run", path, "--json"], env=self.env,
                             capture_output=True, text=True, timeout=60)
        said = out.stdout + out.stderr
        check("no secret in the output of many", not any(secret in said for secret in SECRETS.values()), said)
        check("nothing on standard error", out.stderr == "", out.stderr)
        self.events = [json.loads(line) for line in out.stdout.splitlines() if line.startswith("{")]
        ends = {e["path"]: e for e in self.events if e.get("type") in ("step.done", "step.failed")}
        return [ends.get(f"s{i}", {}).get("result", {}) for i in range(len(steps))]


def reads(world):
    agents = ("v1", "v2c", "v3", "v3-name", "v3-plain", "v3-strong", "v3-six")
    many = [f"1.3.6.1.2.1.1.9.1.3.{n}" for n in range(1, 9)] * 6
    oids = ("1.3.6.1.2.1.1.6.0", "sysObjectID.0", "sysUpTime.0", "1.3.6.1.2.1.4.20.1.1.127.0.0.1", "1.3.6.1.2.1.99.1.0", "sysName.7",
            "1.3.6.1.4.1.8072.1.3.2.3.1.2.5.108.97.116.105.110", "LAB-MIB::labName.0")
    some = ["sysName.0", "sysName.7", "1.3.6.1.2.1.99.1.0", "sysServices.0"]
    results = world.batch(*[("get", {"agent": agent, "oid": "sysName.0"}) for agent in agents], *[("get", {"agent": "v2c", "oid": oid}) for oid in oids],
                          ("get_many", {"agent": "v1", "oids": some}), ("get_many", {"agent": "v2c", "oids": some}), ("get_many", {"agent": "v3", "oids": many}),
                          ("system", {"agent": "v3"}))
    for agent, r in zip(agents, results):
        check(f"{agent}: sysName", r == {"oid": "1.3.6.1.2.1.1.5.0", "type": "string", "value": "core-1", "exists": True}, world.events[-3:])
    text, vendor, ticks, address, no_object, no_instance, octets, named, v1, v2c, large, system = results[len(agents):]
    check("text beyond ASCII", text.get("value") == "Köln, Serverraum", text)
    check("an object id", vendor.get("value", "").startswith("1.3.6.1.4.1.8072.3.2"), vendor)
    check("time ticks", ticks.get("type") == "timeticks" and isinstance(ticks["value"], int), ticks)
    check("an address", address == {"oid": "1.3.6.1.2.1.4.20.1.1.127.0.0.1", "type": "ip", "value": "127.0.0.1", "exists": True}, address)
    check("no such object", no_object.get("type") == "no_such_object" and no_object["value"] is None and not no_object["exists"], no_object)
    check("no such instance", no_instance.get("type") == "no_such_instance", no_instance)
    check("bytes that are no text", (octets.get("type"), octets.get("value")) == ("hex", "610162"), octets)
    check("a name of a MIB file", named.get("value") == "core-1", named)
    for r in (v1, v2c):
        check("several, some missing", r.get("missing") == some[1:3] and r["values"][0]["value"] == "core-1" and r["values"][3]["value"] == 76, r)
    check("more than fit into a message", [v["oid"] for v in large.get("values", [])] == many, large)
    check("system", system.get("name") == "core-1" and system["contact"] == "noc@lab.test" and system["uptime_s"] < 300, system)


def tables(world):
    walks = [("walk", {"agent": agent, "oid": "system"}) for agent in ("v1", "v2c", "v3")]
    v1, v2c, v3, some, none, end, interfaces, one, table = world.batch(
        *walks, ("walk", {"agent": "v2c", "oid": "system", "max_rows": 3}), ("walk", {"agent": "v2c", "oid": "1.3.6.1.2.1.99"}), ("walk", {"agent": "v2c", "oid": "2.99"}),
        ("interfaces", {"agent": "v3"}), ("interfaces", {"agent": "v2c", "names": ["lo"]}),
        ("table", {"agent": "v2c", "columns": {"name": "ifName", "octets": "ifHCInOctets", "none": "1.3.6.1.2.1.99.1"}}))
    for r in (v1, v2c, v3):
        check("a walk", len(r.get("rows", [])) > 20 and r["rows"][4]["value"] == "core-1" and r["rows"][4]["index"] == "5.0" and not r["more"], r)
    rows = [[row["oid"] for row in r.get("rows", [])] for r in (v1, v2c, v3)]
    check("all versions walk the same", rows[0] == rows[1] == rows[2], rows)
    check("a walk stops", len(some.get("rows", [])) == 3 and some["more"], some)
    check("nothing there", none == {"rows": [], "more": False} and end == none, (none, end))
    lo = [i for i in interfaces.get("interfaces", []) if i["name"] == "lo"]
    check("loopback", lo and lo[0]["admin"] == "up" and lo[0]["oper"] == "up" and lo[0]["type"] == 24 and lo[0]["counters_64"] and lo[0]["in_octets"] > 0 and lo[0]["mtu"] > 1000,
          interfaces)
    for i in [i for i in interfaces.get("interfaces", []) if i["mac"]][:1]:
        with open(f"/sys/class/net/{i['name']}/address", encoding="ascii") as f:
            check("a hardware address", f.read().strip() == i["mac"], i)
    check("one interface", [i["name"] for i in one.get("interfaces", [])] == ["lo"] and one["up"] == 1 and one["down"] == 0, one)
    first = [row for row in table.get("rows", []) if row["name"] == "lo"]
    check("a table", first and first[0]["index"] == "1" and first[0]["octets"] > 0 and first[0]["none"] is None, table)


REFUSALS = (("wrong", "timeout", "a wrong one is met with silence"), ("nobody", "unreachable", "nobody listens"), ("no-name", "unreachable", "is not found"),
            ("v3-nobody", "denied", "knows no SNMPv3 user 'nobody'"), ("v3-digest", "denied", "authentication password"), ("v3-priv", "timeout", "privacy password"),
            ("v3-level", "denied", ""), ("v3-low", "denied", ""), ("unheard-of", "not_found", "plugins.snmp.agents.unheard-of"))


def refusals(world):
    for agent, wanted, says in REFUSALS:
        began = time.monotonic()
        end = world.run("get", agent=agent, oid="sysName.0")
        check(f"{agent} is {wanted}", end.get("class") == wanted and says in end.get("error", ""), end)
        check(f"{agent} in time", time.monotonic() - began < 20)
    for oid in ("1.3.x", "noSuchName.0"):
        check(f"'{oid}' is no object", world.run("get", agent="v2c", oid=oid).get("class", "invalid") == "invalid", world.events[-2:])


def together(world):
    """Many conversations at once: the library is shared, and one that waits holds up nobody."""
    agents = ("silent", "v3", "v3-strong", "v2c", "v3-plain", "v3-six", "v1", "v3-name")
    branches = {f"b{i}": {"run": "snmp.interfaces", "with": {"agent": agent, "names": ["lo"]}, "timeout": "3s"} for i, agent in enumerate(agents)}
    path = f"{world.folder}/together.yaml"
    with open(path, "w", encoding="utf-8") as f:
        json.dump({"fettle": 1, "name": "together", "title": "together", "category": "check", "severity": "P4", "outcomes": {"fine": {"title": "done"}},
                   "steps": [{"id": "all", "parallel": branches, "then": "fine"}]}, f)
    began = time.monotonic()
    out = subprocess.run([FETTLE, "run", path, "--json"], env={**os.environ, "FETTLE_CONFIG": f"{world.folder}/fettle.yaml"}, capture_output=True, text=True, timeout=60)
    events = [json.loads(line) for line in out.stdout.splitlines() if line.startswith("{")]
    done = [e["path"] for e in events if e.get("type") == "step.done" and "/" in e["path"]]
    lost = [e for e in events if e.get("type") == "step.failed" and e["path"].endswith("b0")]
    check("seven answer", len(done) == 7, events or out.stderr)
    check("one is silent, and its step's timeout counts", len(lost) == 1 and lost[0]["class"] == "timeout" and time.monotonic() - began < 20, lost)


def sets(world):
    end = world.run("set", agent="v2c", oid="sysContact.0", type="string", value="x")
    check("a community that may only read", end.get("class") in ("denied", "refused", "not_found"), end)
    end = world.run("set", agent="rw", oid="1.3.6.1.2.1.11.30.0", type="integer", value=7)
    check("a wrong value", end.get("class") == "invalid" and "wrongValue" in end.get("error", ""), end)
    end = world.run("set", agent="rw", oid="1.3.6.1.2.1.11.30.0", type="string", value="x")
    check("a wrong type", end.get("class") == "invalid" and "wrongType" in end.get("error", ""), end)
    before = world.value("rw", "1.3.6.1.2.1.11.30.0")
    end = world.run("set", agent="rw", oid="1.3.6.1.2.1.11.30.0", type="integer", value=1, dry=True)
    check("a dry run changes nothing", world.value("rw", "1.3.6.1.2.1.11.30.0") == before)
    end = world.run("set", agent="rw", oid="1.3.6.1.2.1.11.30.0", type="integer", value=1)
    check("set", end["type"] == "step.done" and end["result"]["value"] == 1, end)
    check("it is set", world.value("rw", "1.3.6.1.2.1.11.30.0").get("value") == 1)
    end = world.run("set", agent="rw", oid="1.3.6.1.2.1.11.30.0", type="integer", value=2, rollback=True)
    check("set and taken back", world.value("rw", "1.3.6.1.2.1.11.30.0").get("value") == 1, world.events)


def trap(world, argv, **params):
    """Sends with argv again and again while one step listens; gives the step's end."""
    done = threading.Event()

    def send():
        wait_for("the listener", lambda: bound(world.trap_port) or done.is_set())
        while not done.wait(0.1):
            subprocess.run(argv, env={**os.environ, "SNMP_PERSISTENT_DIR": f"{world.folder}/sender", "MIBS": ""}, capture_output=True, timeout=20)

    sender = threading.Thread(target=send)
    sender.start()
    end = world.run("trap_wait", **params)
    done.set()
    sender.join()
    return end


def traps(world):
    to = f"127.0.0.1:{world.trap_port}"
    up = ["1.3.6.1.6.3.1.1.5.4", "1.3.6.1.2.1.2.2.1.1.12", "i", "12", "1.3.6.1.2.1.31.1.1.1.1.12", "s", "ge-0/0/12", "1.3.6.1.2.1.31.1.1.1.6.12", "C", "9007199254740993"]
    v3 = ["-v", "3", "-u", "trapper", "-a", "SHA", "-A", AUTH, "-x", "AES", "-X", PRIV, "-l", "authPriv"]
    cases = (
        ("a v2c trap", ["snmptrap", "-v", "2c", "-c", COMMUNITY, to, "100", *up], {"oid": "linkUp"}, ("2c", False, "linkUp", "1.3.6.1.6.3.1.1.5.4", None)),
        ("a v2c inform", ["snmpinform", "-r", "0", "-v", "2c", "-c", COMMUNITY, to, "100", *up], {}, ("2c", True, "linkUp", "1.3.6.1.6.3.1.1.5.4", None)),
        ("a v1 trap", ["snmptrap", "-v", "1", "-c", COMMUNITY, to, "1.3.6.1.4.1.2636.4.1", "10.1.0.7", "2", "0", "100", *up[1:]], {}, ("1", False, "linkDown", "1.3.6.1.6.3.1.1.5.3", None)),
        ("a v1 trap of a vendor", ["snmptrap", "-v", "1", "-c", COMMUNITY, to, "1.3.6.1.4.1.2636.4.1", "10.1.0.7", "6", "3", "100", *up[1:]], {"oid": "1.3.6.1.4.1.2636"},
         ("1", False, None, "1.3.6.1.4.1.2636.4.1.0.3", None)),
        ("a v3 trap", ["snmptrap", *v3, "-e", "0x80000000010203", to, "100", *up], {"from": ["127.0.0.1"]}, ("3", False, "linkUp", "1.3.6.1.6.3.1.1.5.4", "trapper")),
        ("a v3 inform", ["snmpinform", "-r", "0", *v3, to, "100", *up], {}, ("3", True, "linkUp", "1.3.6.1.6.3.1.1.5.4", "trapper")),
    )
    for what, argv, params, wanted in cases:
        end = trap(world, argv, within_s=15, **params)
        one = (end.get("result", {}).get("traps") or [{}])[0]
        check(what, tuple(one.get(k) for k in ("version", "inform", "name", "oid", "user")) == wanted and one["uptime_s"] == 1 and one["from"] == "127.0.0.1", end)
        numbers = [v["value"] for v in one.get("varbinds", []) if v["type"] == "counter64"]
        check(f"{what}: large counters are exact", numbers == [9007199254740993] or one.get("version") == "1", one)
    strangers = (
        ("another community", ["snmptrap", "-v", "2c", "-c", "other", to, "100", *up], {}, "refused"),
        ("an unknown user", ["snmptrap", "-v", "3", "-u", "stranger", "-l", "noAuthNoPriv", "-e", "0x80000000010203", to, "100", *up], {}, None),
        ("a known user without authentication", ["snmptrap", "-v", "3", "-u", "trapper", "-l", "noAuthNoPriv", "-e", "0x80000000010203", to, "100", *up], {}, "refused"),
        ("another trap", ["snmptrap", "-v", "2c", "-c", COMMUNITY, to, "100", *up], {"oid": "linkDown"}, "others"),
        ("another sender", ["snmptrap", "-v", "2c", "-c", COMMUNITY, to, "100", *up], {"from": ["10.9.9.9"]}, "others"),
        ("a wrong password", ["snmptrap", *v3[:7], "wrongpass42", *v3[8:], "-e", "0x80000000010203", to, "100", *up], {}, None),
    )
    for what, argv, params, counted in strangers:
        end = trap(world, argv, within_s=0.7, **params)
        r = end.get("result", {})
        check(f"{what} is not taken", r.get("count") == 0 and not r["complete"] and (counted is None or r[counted] > 0), end)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        end = world.run("trap_wait", listen=f"127.0.0.1:{s.getsockname()[1]}", within_s=1)
        check("a port that somebody has", end.get("class") == "conflict", end)


def main():
    for program in ("snmpd", "snmptrap", "snmpinform"):
        if not shutil.which(program):
            print(f"{program} is not installed: nothing to test against")
            sys.exit(77)
    folder = tempfile.mkdtemp(prefix="fettle-snmp-")
    agent = None
    try:
        agent = Agent(folder)
        silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        silent.bind(("127.0.0.1", 0))
        world = World(folder, agent.port, free_port(), silent.getsockname()[1])
        os.mkdir(f"{folder}/home")
        for part in (reads, tables, refusals, together, sets, traps):
            part(world)
        check("nothing was written to the home folder", os.listdir(f"{folder}/home") in ([], [".local"], [".cache"]), os.listdir(f"{folder}/home"))
        check("nor to a folder of net-snmp's", not os.path.exists(f"{folder}/state"))
        agent.stop()
        end = world.run("get", agent="v3", oid="sysName.0")
        check("the agent is gone", end.get("class") == "unreachable", end)
    finally:
        if agent and agent.process.poll() is None:
            agent.stop()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{len(failures)} of the checks failed" if failures else "all checks passed")
    return 1 if failures else 0


sys.exit(main())
