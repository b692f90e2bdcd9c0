#!/usr/bin/env python3
"""The dhcp plugin, driven by `fettle run`, against Debian's real Kea: control agent and control socket, on loopback."""
import glob
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
PASSWORD = "labpassword42"
SECRET = "tsig-or-database-42"
failures = []
children = []


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def check(what, holds, seen=""):
    if not holds:
        failures.append(what)
        print(f"FAILED {what}: {seen}", flush=True)


class Server:
    """A Kea program in the foreground; ready when it says so."""

    def __init__(self, argv, says, folder):
        env = dict(os.environ, KEA_PIDFILE_DIR=folder, KEA_LOCKFILE_DIR=folder, KEA_LOGGER_DESTINATION="stdout")
        self.process = subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        children.append(self.process)
        said = []
        for line in self.process.stdout:
            said.append(line)
            if says in line:
                # Somebody has to read on: a pipe that is full would stop the server.
                self.reader = threading.Thread(target=self.process.stdout.read, daemon=True)
                self.reader.start()
                return
        sys.exit(f"{argv[0]} did not start:\n" + "".join(said))

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.reader.join()
        self.process.stdout.close()


def kea_config(folder, name, hooks):
    log = [{"name": "kea-dhcp4", "output_options": [{"output": "stdout"}], "severity": "INFO"}]
    config = {"Dhcp4": {
        "interfaces-config": {"interfaces": []},
        "control-socket": {"socket-type": "unix", "socket-name": f"{folder}/{name}.sock"},
        "lease-database": {"type": "memfile", "persist": True, "name": f"{folder}/{name}.csv"},
        "expired-leases-processing": {"reclaim-timer-wait-time": 0, "flush-reclaimed-timer-wait-time": 0},
        "hooks-libraries": [{"library": h} for h in hooks],
        "valid-lifetime": 3600,
        "user-context": {"secret": SECRET},
        "subnet4": [{"id": 1, "subnet": "10.99.0.0/24", "pools": [{"pool": "10.99.0.10 - 10.99.0.13"}]},
                    {"id": 2, "subnet": "10.98.0.0/24", "pools": [{"pool": "10.98.0.10 - 10.98.0.19"}], "user-context": {"vlan": 120}}],
        "loggers": log}}
    path = f"{folder}/{name}.json"
    with open(path, "w", encoding="utf-8") as f:
        json.dump(config, f)
    return path


def start_kea(folder, name, hooks):
    return Server(["kea-dhcp4", "-p", str(free_port(socket.SOCK_DGRAM)), "-c", kea_config(folder, name, hooks)], "DHCP4_STARTED", folder)


def start_agent(folder, port, name="main", tls=False, auth=True):
    """A control agent in front of the server `name`. Each has a pid file of its own, so a folder of its own."""
    config = {"Control-agent": {
        "http-host": "127.0.0.1", "http-port": port,
        "control-sockets": {"dhcp4": {"socket-type": "unix", "socket-name": f"{folder}/{name}.sock"}},
        "loggers": [{"name": "kea-ctrl-agent", "output_options": [{"output": "stdout"}], "severity": "INFO"}]}}
    if auth:
        config["Control-agent"]["authentication"] = {"type": "basic", "realm": "kea", "clients": [{"user": "fettle", "password": PASSWORD}]}
    if tls:
        config["Control-agent"].update({"trust-anchor": f"{folder}/ca.pem", "cert-file": f"{folder}/server.pem", "key-file": f"{folder}/server.key", "cert-required": True})
    own = f"{folder}/agent-{port}"
    os.mkdir(own)
    with open(f"{own}/agent.json", "w", encoding="utf-8") as f:
        json.dump(config, f)
    return Server(["kea-ctrl-agent", "-c", f"{own}/agent.json"], "CTRL_AGENT_STARTED", own)


def certificates(folder):
    """An authority, a certificate for the agent and one for fettle."""
    def openssl(*args):
        subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True)
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=lab-ca", "-days", "3")
    for name in ("server", "fettle"):
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        with open(f"{folder}/{name}.ext", "w", encoding="utf-8") as f:
            f.write("subjectAltName=IP:127.0.0.1\n")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", f"{name}.pem", "-extfile", f"{name}.ext", "-days", "3")


def start_pair(folder, hooks):
    """A hot-standby pair; gives the two servers and their agents. a is the primary."""
    ha = glob.glob("/usr/lib/*/kea/hooks/libdhcp_ha.so")[0]
    ports = [free_port(), free_port()]
    peers = [{"name": n, "url": f"http://127.0.0.1:{p}/", "role": r, "auto-failover": True} for n, p, r in zip("ab", ports, ("primary", "standby"))]
    servers = []
    for n in "ab":
        own = f"{folder}/pair-{n}"
        os.mkdir(own)
        pair = {"this-server-name": n, "mode": "hot-standby", "heartbeat-delay": 200, "max-response-delay": 1000, "max-ack-delay": 500, "max-unacked-clients": 0, "peers": peers}
        with open(kea_config(folder, n, hooks), encoding="utf-8") as f:
            config = json.load(f)
        config["Dhcp4"]["hooks-libraries"].append({"library": ha, "parameters": {"high-availability": [pair]}})
        with open(f"{folder}/{n}.json", "w", encoding="utf-8") as f:
            json.dump(config, f)
        servers.append(Server(["kea-dhcp4", "-p", str(free_port(socket.SOCK_DGRAM)), "-c", f"{folder}/{n}.json"], "DHCP4_STARTED", own))
    agents = [start_agent(folder, p, n, auth=False) for n, p in zip("ab", ports)]
    return servers, agents, ports


def ask(folder, command, arguments=None, name="main"):
    """Kea itself, past fettle."""
    request = {"command": command}
    if arguments is not None:
        request["arguments"] = arguments
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(f"{folder}/{name}.sock")
        s.sendall(json.dumps(request).encode())
        answer = b""
        while part := s.recv(65536):
            answer += part
    return json.loads(answer)


class World:
    def __init__(self, folder, url):
        self.folder = folder
        self.number = 0
        self.secret("good", PASSWORD)
        self.secret("wrong", "anotherpassword")
        self.config("agent", {"url": url, "user": "fettle", "password": {"file": f"{folder}/good"}, "vlans": {"110": 1}})
        self.config("denied", {"url": url, "user": "fettle", "password": {"file": f"{folder}/wrong"}})
        self.config("socket", {"socket": f"{folder}/main.sock", "vlans": {"110": 1}})
        self.config("bare", {"socket": f"{folder}/bare.sock"})
        self.config("pair", {"socket": f"{folder}/a.sock", "servers": {"standby": {"socket": f"{folder}/b.sock"}}})

    def secret(self, name, text):
        path = f"{self.folder}/{name}"
        with open(path, "w", encoding="utf-8") as f:
            f.write(text + "\n")
        os.chmod(path, 0o600)

    def config(self, name, section):
        with open(f"{self.folder}/{name}.yaml", "w", encoding="utf-8") as f:
            json.dump({"fettle": 1, "store": f"{self.folder}/fettle.db", "plugins": {"dhcp": section}}, f)

    def run(self, action, params=None, config="agent", undo=None, rollback=False, dry=False):
        """One step; gives (result or None, event that ended it, all events). A write is verified by a look at the server."""
        self.number += 1
        step = {"id": "it", "run": f"dhcp.{action}", "with": params or {}, "then": "back" if rollback else "fine"}
        if undo:
            step["undo"] = undo
            step["verify"] = {"run": "dhcp.server_status", "until": "result.up", "every": "1s", "within": "5s"}
        playbook = {"fettle": 1, "name": f"kea-{self.number}", "title": "one step", "category": "check", "severity": "P4", "steps": [step],
                    "outcomes": {"back": {"title": "taken back", "rollback": True}} if rollback else {"fine": {"title": "done"}}}
        path = f"{self.folder}/p{self.number}.yaml"
        with open(path, "w", encoding="utf-8") as f:
            json.dump(playbook, f)
        argv = [FETTLE, "run", path, "--json", "--yes"] + (["--dry-run"] if dry else [])
        out = subprocess.run(argv, env=dict(os.environ, FETTLE_CONFIG=f"{self.folder}/{config}.yaml"), capture_output=True, text=True, timeout=60)
        events = [json.loads(line) for line in out.stdout.splitlines() if line.startswith("{")]
        if out.stderr:
            print(out.stderr, end="", file=sys.stderr)
        check(f"{action}: no secret in the output", PASSWORD not in out.stdout + out.stderr and SECRET not in out.stdout + out.stderr)
        ends = [e for e in events if e.get("type") in ("step.done", "step.failed")]
        end = ends[-1] if ends else {"type": "none", "error": out.stdout + out.stderr}
        return end.get("result"), end, events


def mac(n):
    return f"02:00:00:00:00:{n:02x}"


def add_lease(folder, ip, n, age_s, valid_s, state=0):
    r = ask(folder, "lease4-add", {"ip-address": ip, "hw-address": mac(n), "valid-lft": valid_s, "expire": int(time.time()) - age_s + valid_s, "state": state})
    check(f"the test's own lease {ip}", r["result"] == 0, r)


def all_leases(folder):
    found = ask(folder, "lease4-get-all").get("arguments", {}).get("leases", [])
    return sorted(found, key=lambda l: l["ip-address"])


def reads(world, folder):
    for config in ("agent", "socket"):
        r, end, _ = world.run("server_status", config=config)
        check(f"{config}: up", r and r["up"] and r["agent_up"], end)
        r, end, _ = world.run("lease", {"mac": "0200.0000.0001"}, config=config)
        check(f"{config}: lease by MAC", r and r["found"] and r["ip"] == "10.99.0.10" and 60 <= r["age_s"] <= 120, end)
        r, end, _ = world.run("lease", {"ip": "10.99.0.77"}, config=config)
        check(f"{config}: no lease", r and r["found"] is False, end)
        r, end, _ = world.run("pool_use", {"vlan": 110}, config=config)
        check(f"{config}: the pool is full", r and r["total"] == 4 and r["assigned"] == 3 and r["declined"] == 1 and r["exhausted"] and r["utilisation_pct"] == 100, end)
        r, end, _ = world.run("pool_use", {"vlan": 120}, config=config)
        check(f"{config}: a VLAN by its user-context", r and r["subnet_id"] == 2 and r["free"] == 10, end)
        r, end, _ = world.run("leases", {"subnet_id": 1}, config=config)
        check(f"{config}: all leases", r and r["count"] == 4 and [l["state"] for l in r["leases"]].count("declined") == 1, end)
        r, end, _ = world.run("statistics", {"names": ["pkt4-nak-sent", "no-such-counter"]}, config=config)
        check(f"{config}: statistics", r and r["missing"] == ["no-such-counter"] and r["values"]["pkt4-nak-sent"] == 0, end)
        r, end, _ = world.run("config_get", config=config)
        check(f"{config}: configuration", r and r["subnets"] == 2, end)
    _, end, _ = world.run("lease", {"ip": "10.99.0.10"}, config="denied")
    check("a wrong password is denied", end.get("class") == "denied", end)
    _, end, _ = world.run("pool_use", {"subnet_id": 1}, config="bare")
    check("a missing hook is named", "libdhcp_stat_cmds" in end.get("error", ""), end)
    _, end, _ = world.run("lease", {"ip": "10.99.0.10"}, config="bare")
    check("another missing hook is named", "libdhcp_lease_cmds" in end.get("error", ""), end)


def frees(world, folder):
    before = all_leases(folder)
    _, _, events = world.run("stale_leases_free", {"vlan": 110, "older_than_h": 8}, undo="auto", dry=True)
    check("a dry run shows the deletions", json.dumps(events).count("lease4-del") == 2, events)
    check("and deletes nothing", all_leases(folder) == before)
    r, end, events = world.run("stale_leases_free", {"vlan": 110, "older_than_h": 8}, undo="auto", rollback=True)
    check("two stale leases went", r and r["freed"] == 2 and r["addresses"] == ["10.99.0.11", "10.99.0.12"], end)
    check("and came back, each as it was", all_leases(folder) == before, (before, all_leases(folder), events[-1]))
    r, end, _ = world.run("stale_leases_free", {"vlan": 110, "older_than_h": 8}, undo="auto", config="socket")
    check("by the socket too", r and r["freed"] == 2, end)
    r, end, _ = world.run("declined_clear", {"subnet_id": 1}, undo="auto", rollback=True)
    check("the declined address was taken back", r and r["addresses"] == ["10.99.0.13"], end)
    check("and is declined again", [l["state"] for l in all_leases(folder) if l["ip-address"] == "10.99.0.13"] == [1], all_leases(folder))
    _, end, _ = world.run("lease_delete", {"ip": "10.99.0.10", "mac": mac(99)}, undo="auto")
    check("another client's lease is left alone", end.get("class") == "conflict", end)
    r, end, _ = world.run("lease_delete", {"ip": "10.99.0.10", "mac": mac(1)}, undo="auto")
    check("its own is deleted", r and r["freed"] == 1, end)
    add_lease(folder, "10.98.0.10", 20, 500, 100)
    r, end, _ = world.run("leases_reclaim", undo="none")
    check("an expired lease is reclaimed", r and r["reclaimed"] and not [l for l in all_leases(folder) if l["subnet-id"] == 2], end)


def pools(folder):
    return ask(folder, "config-get")["arguments"]["Dhcp4"]["subnet4"][0]["pools"]


def edits(world, folder):
    before = ask(folder, "config-get")["arguments"]["Dhcp4"]
    params = {"vlan": 110, "pool": "10.99.0.100 - 10.99.0.119"}
    r, end, events = world.run("pool_extend", params, undo="auto", rollback=True)
    check("twenty addresses more", r and r["changed"] and r["added"] == 20, end)
    check("and as before", ask(folder, "config-get")["arguments"]["Dhcp4"] == before, events[-1])
    r, end, _ = world.run("pool_extend", params, undo="auto")
    check("to stay", r and r["changed"], end)
    with open(f"{folder}/main.json", encoding="utf-8") as f:
        check("in the server's file", "10.99.0.100" in f.read())
    r, end, _ = world.run("pool_use", {"vlan": 110})
    check("the pool has them", r and r["total"] == 24, end)
    r, end, _ = world.run("pool_extend", params, undo="auto")
    check("twice is once", r and r["changed"] is False and len(pools(folder)) == 2, end)
    _, end, _ = world.run("pool_extend", {"vlan": 110, "pool": "10.99.0.110-10.99.0.130"}, undo="auto")
    check("no overlap", end.get("class") == "invalid", end)
    r, end, _ = world.run("reservation_add", {"mac": mac(50), "ip": "10.99.0.50", "hostname": "door-3"}, undo="auto")
    check("a reservation", r and r["changed"], end)
    r, end, _ = world.run("reservation", {"mac": mac(50)})
    check("is found", r and r["found"] and r["ip"] == "10.99.0.50" and r["hostname"] == "door-3", end)
    r, end, _ = world.run("reservation_del", {"ip": "10.99.0.50"}, undo="auto", rollback=True)
    check("deleted", r and r["changed"], end)
    r, end, _ = world.run("reservation", {"mac": mac(50)})
    check("and put back", r and r["found"], end)


def until(what, holds, seconds=15):
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            check(f"within {seconds} s: {what}", False)
            return
        time.sleep(0.02)


def running(folder, name="main"):
    return ask(folder, "config-get", name=name)["arguments"]["Dhcp4"]


def on_disk(folder, name="main"):
    with open(f"{folder}/{name}.json", encoding="utf-8") as f:
        return json.load(f)["Dhcp4"]


def whole_configuration(world, folder):
    before = running(folder)
    r, end, _ = world.run("config_backup")
    check("a copy", r and os.stat(r["file"]).st_mode & 0o777 == 0o600 and r["subnets"] == 2, end)
    copy = r["file"]
    with open(copy, encoding="utf-8") as f:
        check("with everything in it, the password too", json.load(f)["Dhcp4"] == before and before["user-context"]["secret"] == SECRET)
    r, end, _ = world.run("config_backup", {"file": copy})
    check("the same once more is fine", r and r["file"] == copy, end)

    _, end, _ = world.run("config_test", {"config": {"user-context": {"secret": "plain"}}})
    check("a password in a parameter is refused", end.get("class") == "invalid" and "plain" not in end.get("error", ""), end)
    wanted = json.loads(json.dumps(before))
    wanted["user-context"]["secret"] = "***"
    wanted["subnet4"].append({"id": 9, "subnet": "10.97.0.0/24", "pools": [{"pool": "10.97.0.10 - 10.97.0.20"}]})
    wanted["subnet4"][0]["max-valid-lifetime"] = 7200
    r, end, _ = world.run("config_test", {"config": {"Dhcp4": wanted}})
    paths = [c["path"] for c in (r or {}).get("changes", [])]
    check("it would be taken, and differs there", r and r["valid"] and paths == ["subnet4[1].max-valid-lifetime", "subnet4[9]"], end)
    broken = json.loads(json.dumps(wanted))
    broken["subnet4"][2]["pools"] = [{"pool": "10.1.0.1-10.1.0.2"}]
    r, end, _ = world.run("config_test", {"config": broken}, config="socket")
    check("a broken one would not", r and not r["valid"] and "does not match the prefix" in r["text"], end)
    _, end, _ = world.run("config_set", {"config": broken}, undo="auto")
    check("nor is it set", end.get("class") == "refused" and running(folder) == before, end)

    _, _, events = world.run("config_set", {"config": wanted}, undo="auto", dry=True)
    shown = json.dumps(events)
    check("a dry run shows what differs", "subnet4[1].max-valid-lifetime" in shown and "config-write" in shown and running(folder) == before, events)
    check("and no password", SECRET not in shown)
    r, end, events = world.run("config_set", {"config": wanted}, undo="auto", rollback=True)
    check("set", r and r["changed"] and os.path.exists(r["backup"]), end)
    check("and put back, on disk too", running(folder) == before and on_disk(folder) == before, events[-2:])
    r, end, _ = world.run("config_set", {"config": wanted, "write": False}, undo="auto")
    check("set without its file", r and r["changed"] and on_disk(folder) == before and len(running(folder)["subnet4"]) == 3, end)
    ask(folder, "config-reload")
    check("a reload loses that", running(folder) == before)
    r, end, _ = world.run("config_set", {"config": wanted, "write": False}, undo="auto", config="socket")
    r, end, _ = world.run("config_write", undo="none")
    check("written", r and r["file"] == f"{folder}/main.json" and len(on_disk(folder)["subnet4"]) == 3, end)
    ask(folder, "config-reload")
    check("now it lasts", len(running(folder)["subnet4"]) == 3)
    r, end, _ = world.run("config_restore", {"file": copy}, undo="auto")
    check("the first copy is back", r and [c["path"] for c in r["changes"]] == paths and running(folder) == before and on_disk(folder) == before, end)
    r, end, _ = world.run("config_restore", {"file": copy}, undo="auto")
    check("once more is nothing", r and not r["changed"], end)
    _, end, _ = world.run("config_restore", {"file": "dhcp/none.json"}, undo="auto")
    check("no such copy", end.get("class") == "not_found", end)
    shown, _, _ = world.run("config_get")
    r, end, _ = world.run("config_set", {"config": shown["config"]}, undo="auto")
    check("what config_get shows is what there is", r and not r["changed"], end)
    shown["config"]["user-context"]["other-secret"] = "***"
    _, end, _ = world.run("config_set", {"config": shown["config"]}, undo="auto")
    check("a masked password that the server does not have is not sent", end.get("class") == "invalid" and "other-secret" in end.get("error", ""), end)


def other_reads(world):
    r, end, _ = world.run("subnets")
    check("subnets", r and [(n["subnet_id"], n["subnet"], n["vlan"]) for n in r["subnets"]] == [(1, "10.99.0.0/24", 110), (2, "10.98.0.0/24", 120)], end)
    r, end, _ = world.run("pool_use", {"warning_pct": 0, "critical_pct": 50})
    levels = {n["subnet_id"]: n["level"] for n in (r or {}).get("subnets", [])}
    check("a word for each pool", levels == {1: "exhausted", 2: "warning"} and r["level"] == "exhausted", end)
    r, end, _ = world.run("ha_status")
    check("no pair is fine", r and not r["configured"] and r["ok"], end)
    _, end, _ = world.run("ha_maintenance_start", undo="auto")
    check("and cannot rest", end.get("class") == "invalid", end)
    r, end, _ = world.run("disable", {"max_period_s": 30}, undo="auto", rollback=True)
    check("disabled, and enabled again", r and "disabled" in r["text"], end)
    r, end, _ = world.run("enable", undo="none", config="socket")
    check("enabled", r and "enabled" in r["text"], end)


def version6(world, folder, hooks):
    own = f"{folder}/six"
    os.mkdir(own)
    config = {"Dhcp6": {
        "interfaces-config": {"interfaces": []}, "control-socket": {"socket-type": "unix", "socket-name": f"{folder}/six.sock"},
        "server-id": {"type": "EN", "enterprise-id": 1, "identifier": "01", "persist": False},
        "lease-database": {"type": "memfile", "persist": False}, "hooks-libraries": [{"library": h} for h in hooks],
        "subnet6": [{"id": 5, "subnet": "2001:db8:5::/64", "pools": [{"pool": "2001:db8:5::10-2001:db8:5::13"}],
                     "pd-pools": [{"prefix": "2001:db8:f000::", "prefix-len": 36, "delegated-len": 40}]}],
        "loggers": [{"name": "kea-dhcp6", "output_options": [{"output": "stdout"}], "severity": "INFO"}]}}
    with open(f"{own}/six.json", "w", encoding="utf-8") as f:
        json.dump(config, f)
    six = Server(["kea-dhcp6", "-p", str(free_port(socket.SOCK_DGRAM)), "-c", f"{own}/six.json"], "DHCP6_STARTED", own)
    world.config("six", {"socket6": f"{folder}/six.sock"})
    for n, address in enumerate(("2001:db8:5::10", "2001:db8:5::11")):
        r = ask(folder, "lease6-add", {"subnet-id": 5, "ip-address": address, "duid": f"00:03:00:01:02:00:00:00:00:0{n}", "iaid": 7}, name="six")
        check("the test's own lease", r["result"] == 0, r)
    r, end, _ = world.run("leases6", config="six")
    check("DHCPv6 leases", r and r["count"] == 2 and r["leases"][0]["ip"] == "2001:db8:5::10" and r["leases"][0]["type"] == "IA_NA" and r["leases"][0]["iaid"] == 7, end)
    r, end, _ = world.run("leases6", {"duid": "00:03:00:01:02:00:00:00:00:01"}, config="six")
    check("of a client", r and [n["ip"] for n in r["leases"]] == ["2001:db8:5::11"], end)
    r, end, _ = world.run("leases6", {"ip": "2001:db8:5::10"}, config="six")
    check("of an address", r and r["count"] == 1, end)
    r, end, _ = world.run("leases6", {"ip": "2001:db8:5::99"}, config="six")
    check("of none", r and r["count"] == 0, end)
    r, end, _ = world.run("pool_use6", {"warning_pct": 50}, config="six")
    check("DHCPv6 pools", r and r["subnets"] == [{"subnet_id": 5, "subnet": "2001:db8:5::/64", "total": 4, "assigned": 2, "declined": 0, "prefixes": 16, "prefixes_assigned": 0,
          "utilisation_pct": 50.0, "prefixes_pct": 0.0, "exhausted": False, "level": "warning"}], end)
    _, end, _ = world.run("leases6", config="socket")
    check("no DHCPv6 server", end.get("class") == "invalid" and "socket6" in end.get("error", ""), end)
    six.stop()


def with_certificate(world, folder):
    port = free_port()
    certificates(folder)
    agent = start_agent(folder, port, tls=True)
    section = {"url": f"https://127.0.0.1:{port}/", "user": "fettle", "password": {"file": f"{folder}/good"}, "ca_file": f"{folder}/ca.pem"}
    world.config("tls", section | {"cert_file": f"{folder}/fettle.pem", "key_file": f"{folder}/fettle.key"})
    world.config("tls-bare", section)
    r, end, _ = world.run("server_status", config="tls")
    check("with our certificate", r and r["up"], end)
    r, end, _ = world.run("server_status", config="tls-bare")
    check("without it nobody answers", r and not r["up"], end)
    agent.stop()


def pair(world, folder, hooks):
    servers, agents, _ = start_pair(folder, hooks)
    def states():
        return [ask(folder, "ha-heartbeat", name=n).get("arguments", {}).get("state") for n in "ab"]
    until("the pair is whole", lambda: states() == ["hot-standby", "hot-standby"])
    until("and knows it", lambda: world.run("ha_status", config="pair")[0]["ok"])
    r, end, _ = world.run("ha_status", config="pair")
    check("the pair", r and r["mode"] == "hot-standby" and r["role"] == "primary" and r["scopes"] == ["a"] and r["partner"]["in_touch"] and abs(r["clock_skew_s"]) < 5, end)
    r, end, _ = world.run("ha_maintenance_start", {"server": "standby"}, undo="auto", config="pair", rollback=True)
    check("the primary rests", r and r["changed"] and r["state_before"] == "hot-standby", end)
    check("and serves again", states() == ["hot-standby", "hot-standby"], states())
    r, end, _ = world.run("ha_maintenance_start", undo="auto", config="pair")
    check("the standby rests", r and states() == ["partner-in-maintenance", "in-maintenance"], (end, states()))
    _, end, _ = world.run("pool_extend", {"subnet_id": 1, "pool": "10.99.0.100-10.99.0.109"}, undo="auto", config="pair")
    check("no change of configuration meanwhile", end.get("class") == "refused" and "partner-in-maintenance" in end.get("error", ""), end)
    r, end, _ = world.run("ha_maintenance_cancel", undo="auto", config="pair")
    check("and serves again", r and r["changed"] and states() == ["hot-standby", "hot-standby"], (end, states()))
    r, end, _ = world.run("ha_maintenance_cancel", undo="auto", config="pair")
    check("twice is once", r and not r["changed"], end)
    until("the pair is whole again", lambda: world.run("ha_status", config="pair")[0]["ok"])
    r, end, _ = world.run("pool_extend", {"subnet_id": 1, "pool": "10.99.0.100-10.99.0.109"}, undo="auto", config="pair")
    check("a whole pair takes a change", r and r["changed"], end)
    servers[1].stop()
    agents[1].stop()
    until("partner-down", lambda: states_of_one(folder) == "partner-down")
    r, end, _ = world.run("ha_status", config="pair")
    check("the partner is down", r and not r["ok"] and r["state"] == "partner-down" and r["partner"]["interrupted"], end)
    r, end, _ = world.run("server_status", config="pair")
    check("the server is up", r and r["up"] and not r["ha_ok"], end)
    servers[0].stop()
    agents[0].stop()


def states_of_one(folder):
    return ask(folder, "ha-heartbeat", name="a")["arguments"]["state"]


def main():
    if not shutil.which("kea-dhcp4") or not shutil.which("kea-ctrl-agent"):
        print("kea is not installed: nothing to test against")
        return 0
    hooks = sorted(glob.glob("/usr/lib/*/kea/hooks/libdhcp_lease_cmds.so") + glob.glob("/usr/lib/*/kea/hooks/libdhcp_stat_cmds.so"))
    folder = tempfile.mkdtemp(prefix="fettle-kea-")
    try:
        kea = start_kea(folder, "main", hooks)
        bare = start_kea(folder, "bare", [])
        port = free_port()
        agent = start_agent(folder, port)
        world = World(folder, f"http://127.0.0.1:{port}/")
        add_lease(folder, "10.99.0.10", 1, 60, 3600)
        add_lease(folder, "10.99.0.11", 2, 9 * 3600, 50000)
        add_lease(folder, "10.99.0.12", 3, 10 * 3600, 50000)
        add_lease(folder, "10.99.0.13", 4, 60, 3600, state=1)
        reads(world, folder)
        other_reads(world)
        whole_configuration(world, folder)
        if shutil.which("kea-dhcp6"):
            version6(world, folder, hooks)
        with_certificate(world, folder)
        pair(world, folder, hooks)
        frees(world, folder)
        edits(world, folder)
        kea.stop()
        r, end, _ = world.run("server_status")
        check("the server is down, its agent is not", r and r["up"] is False and r["agent_up"] is True, end)
        _, end, _ = world.run("lease", {"ip": "10.99.0.10"})
        check("a lease cannot be had of a server that is down", end.get("class") == "unreachable", end)
        agent.stop()
        r, end, _ = world.run("server_status")
        check("now both are down", r and r["up"] is False and r["agent_up"] is False, end)
        bare.stop()
    finally:
        for child in children:
            if child.poll() is None:
                child.kill()
                child.wait()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{len(failures)} of the checks failed" if failures else "all checks passed")
    return 1 if failures else 0


sys.exit(main())
