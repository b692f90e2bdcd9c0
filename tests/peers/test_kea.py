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
import time

FETTLE = os.path.join(os.environ["FETTLE_BUILD"], "bin", "fettle")
PASSWORD = "labpassword42"
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
                return
        sys.exit(f"{argv[0]} did not start:\n" + "".join(said))

    def stop(self):
        self.process.terminate()
        self.process.wait()
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
        "subnet4": [{"id": 1, "subnet": "10.99.0.0/24", "pools": [{"pool": "10.99.0.10 - 10.99.0.13"}]},
                    {"id": 2, "subnet": "10.98.0.0/24", "pools": [{"pool": "10.98.0.10 - 10.98.0.19"}], "user-context": {"vlan": 120}}],
        "loggers": log}}
    path = f"{folder}/{name}.json"
    with open(path, "w", encoding="utf-8") as f:
        json.dump(config, f)
    return path


def start_kea(folder, name, hooks):
    return Server(["kea-dhcp4", "-p", str(free_port(socket.SOCK_DGRAM)), "-c", kea_config(folder, name, hooks)], "DHCP4_STARTED", folder)


def start_agent(folder, port):
    config = {"Control-agent": {
        "http-host": "127.0.0.1", "http-port": port,
        "authentication": {"type": "basic", "realm": "kea", "clients": [{"user": "fettle", "password": PASSWORD}]},
        "control-sockets": {"dhcp4": {"socket-type": "unix", "socket-name": f"{folder}/main.sock"}},
        "loggers": [{"name": "kea-ctrl-agent", "output_options": [{"output": "stdout"}], "severity": "INFO"}]}}
    path = f"{folder}/agent.json"
    with open(path, "w", encoding="utf-8") as f:
        json.dump(config, f)
    return Server(["kea-ctrl-agent", "-c", path], "CTRL_AGENT_STARTED", folder)


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
        check(f"{action}: no secret in the output", PASSWORD not in out.stdout + out.stderr)
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
