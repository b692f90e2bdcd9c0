#!/usr/bin/env python3
"""dhcp.probe and dhcp.offers, driven by `fettle run`, in a network of its own: a switch, Debian's real Kea, a rogue dnsmasq, and fettle as the client.

The network is made of namespaces that an ordinary user may make (unshare -Urn): a bridge with Kea, one namespace for the rogue, one for the client."""
import glob
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

FETTLE = os.path.join(os.environ["FETTLE_BUILD"], "bin", "fettle")
KEA, ROGUE = "10.99.0.2", "10.99.0.3"
failures = []
children = []


def check(what, holds, seen=""):
    if not holds:
        failures.append(what)
        print(f"FAILED {what}: {seen}", flush=True)


def skip(why):
    print(why)
    sys.exit(77)


def sh(line):
    out = subprocess.run(line, shell=True, capture_output=True, text=True)
    if out.returncode:
        sys.exit(f"{line}: {out.stderr}")


def start(argv, **more):
    child = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)
    children.append(child)
    return child


def stop(child):
    child.terminate()
    child.wait()
    child.stdout.close()


def until(what, holds, seconds=10):
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            sys.exit(f"waited {seconds} s in vain: {what}")
        time.sleep(0.005)


def namespace():
    """A process in a network of its own; gives its pid."""
    child = start(["unshare", "-n", "sleep", "600"])
    ours = os.readlink("/proc/self/ns/net")
    until("a network namespace", lambda: os.readlink(f"/proc/{child.pid}/ns/net") != ours)
    return child.pid


def inside(pid, *argv):
    return ["nsenter", "-t", str(pid), "-n", *argv]


def cable(pid, name):
    """From a port of the switch to the interface `name` in a namespace."""
    sh(f"ip link add {name} type veth peer name p-{name}")
    sh(f"ip link set p-{name} master br0 up")
    sh(f"ip link set {name} netns {pid}")
    sh(" ".join(inside(pid, "ip", "link", "set", name, "up")))


def start_kea(folder):
    config = {"Dhcp4": {
        "interfaces-config": {"interfaces": ["br0"]}, "authoritative": True,
        "control-socket": {"socket-type": "unix", "socket-name": f"{folder}/kea.sock"},
        "lease-database": {"type": "memfile", "persist": False},
        "hooks-libraries": [{"library": h} for h in glob.glob("/usr/lib/*/kea/hooks/libdhcp_lease_cmds.so")],
        "valid-lifetime": 3600, "renew-timer": 900, "rebind-timer": 1800,
        "option-data": [{"name": "routers", "data": "10.99.0.1"}, {"name": "domain-name-servers", "data": "10.99.0.53, 10.99.0.54"},
                        {"name": "domain-name", "data": "lab.example"}, {"name": "interface-mtu", "data": "1400"}],
        "subnet4": [{"id": 1, "subnet": "10.99.0.0/24", "pools": [{"pool": "10.99.0.100 - 10.99.0.103"}]}],
        "loggers": [{"name": "kea-dhcp4", "output_options": [{"output": "stdout"}], "severity": "INFO"}]}}
    with open(f"{folder}/kea.json", "w", encoding="utf-8") as f:
        json.dump(config, f)
    kea = start(["kea-dhcp4", "-c", f"{folder}/kea.json"],
                env=dict(os.environ, KEA_PIDFILE_DIR=folder, KEA_LOCKFILE_DIR=folder, KEA_LOGGER_DESTINATION="stdout"))
    said = []
    for line in kea.stdout:
        said.append(line)
        if "DHCP4_STARTED" in line:
            return kea
    sys.exit("kea-dhcp4 did not start:\n" + "".join(said))


def start_rogue(folder, pid):
    rogue = start(inside(pid, "dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--port=0", "--interface=r0", "--bind-interfaces",
                         "--dhcp-range=10.99.0.200,10.99.0.210,5m", f"--dhcp-leasefile={folder}/rogue.leases", f"--pid-file={folder}/rogue.pid",
                         "--user=root", "--group=root", "--no-ping"))
    said = []
    for line in rogue.stdout:
        said.append(line)
        if "DHCP, IP range" in line:
            return rogue
    sys.exit("dnsmasq did not start:\n" + "".join(said))


def ask(folder, command, arguments=None):
    request = {"command": command} | ({"arguments": arguments} if arguments else {})
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(f"{folder}/kea.sock")
        s.sendall(json.dumps(request).encode())
        answer = b""
        while part := s.recv(65536):
            answer += part
    return json.loads(answer)


def leases(folder):
    return ask(folder, "lease4-get-all")["arguments"]["leases"]


def in_pool(address):
    return address in [f"10.99.0.{n}" for n in range(100, 104)]


class World:
    def __init__(self, folder, client):
        self.folder, self.client, self.number = folder, client, 0
        with open(f"{folder}/fettle.yaml", "w", encoding="utf-8") as f:
            json.dump({"fettle": 1, "store": f"{folder}/fettle.db", "plugins": {"dhcp": {"socket": f"{folder}/kea.sock"}}}, f)

    def write(self, action, params):
        """A playbook of one step; gives its path."""
        self.number += 1
        step = {"id": "it", "run": f"dhcp.{action}", "with": params, "then": "fine"}
        if action not in ("offers",):
            step.update({"undo": "none", "verify": {"run": "dhcp.server_status", "until": "result.up", "every": "1s", "within": "5s"}})
        playbook = {"fettle": 1, "name": f"probe-{self.number}", "title": "one step", "category": "check", "severity": "P4", "steps": [step],
                    "outcomes": {"fine": {"title": "done"}}}
        path = f"{self.folder}/p{self.number}.yaml"
        with open(path, "w", encoding="utf-8") as f:
            json.dump(playbook, f)
        return path

    def run(self, action, params, without=None, dry=False):
        """One step in the client's network; gives (result or None, the event that ended it, all events)."""
        path = self.write(action, params)
        argv = inside(self.client, *(["setpriv", f"--bounding-set=-{without}", "--"] if without else []), FETTLE, "run", path, "--json", "--yes",
                      *(["--dry-run"] if dry else []))
        out = subprocess.run(argv, env=dict(os.environ, FETTLE_CONFIG=f"{self.folder}/fettle.yaml"), capture_output=True, text=True, timeout=60)
        events = [json.loads(line) for line in out.stdout.splitlines() if line.startswith("{")]
        if out.stderr:
            print(out.stderr, end="", file=sys.stderr)
        ends = [e for e in events if e.get("type") in ("step.done", "step.failed")]
        end = ends[-1] if ends else {"type": "none", "error": out.stdout + out.stderr}
        return end.get("result"), end, events


def offers(world, folder):
    quick = {"interface": "c0", "window_s": 0.4}
    r, end, _ = world.run("offers", quick | {"expected_servers": [KEA]})
    by = {o["server"]: o for o in (r or {}).get("offers", [])}
    check("both servers offer", set(by) == {KEA, ROGUE}, end)
    check("one of them is rogue", r and r["rogue"] and [o["server"] for o in r["rogue_servers"]] == [ROGUE], end)
    kea = by.get(KEA, {})
    check("the offer is read", in_pool(kea.get("address")) and kea.get("prefix") == 24 and kea.get("routers") == ["10.99.0.1"]
          and kea.get("dns") == ["10.99.0.53", "10.99.0.54"] and kea.get("domain") == "lab.example" and kea.get("mtu") == 1400
          and kea.get("lease_s") == 3600 and kea.get("renew_s") == 900 and kea.get("rebind_s") == 1800 and kea.get("expected"), kea)
    check("in no time", 0 < kea.get("ms", 0) < 300 and 0 < (r or {}).get("discover_ms", 0) < 300, kea)
    check("the rogue can be found by its MAC", by.get(ROGUE, {}).get("from_mac") == mac_of(world, "rogue"), by.get(ROGUE))
    check("an offer is no lease", leases(folder) == [], leases(folder))
    r, end, _ = world.run("offers", quick | {"expected_servers": [KEA, ROGUE, "10.99.0.4"]})
    check("who is silent is named", r and not r["rogue"] and r["silent_servers"] == ["10.99.0.4"], end)


def mac_of(world, which):
    pid, name = world.where[which]
    out = subprocess.run(inside(pid, "ip", "-j", "link", "show", name), capture_output=True, text=True, check=True)
    return json.loads(out.stdout)[0]["address"]


def probes(world, folder):
    quick = {"interface": "c0", "window_s": 0.4, "timeout_s": 2, "expected_servers": [KEA]}
    _, _, events = world.run("probe", quick, dry=True)
    shown = json.dumps(events)
    check("a dry run shows the packets", all(p in shown for p in ("DHCPDISCOVER", "DHCPREQUEST", "DHCPRELEASE")), events)
    r, end, _ = world.run("probe", quick | {"hostname": "fettle-probe", "request_options": [1, 3, 6, 51, 54, 43]})
    check("a lease of the expected server", r and r["leased"] and r["server"] == KEA and in_pool(r["address"]), end)
    check("given back", r and r["released"], end)
    check("with its ACK", r and r["ack"]["lease_s"] == 3600 and r["request_ms"] < 500 and r["requests"] == 1, end)
    check("with the rogue named", r and [o["server"] for o in r["rogue_servers"]] == [ROGUE], end)
    check("the client is not this host", r and r["mac"] != mac_of(world, "client"), end)
    until("the server has its address again", lambda: not [l for l in leases(folder) if l["state"] == 0])
    r, end, _ = world.run("probe", {"interface": "c0", "confirm_ip": "10.77.0.5", "timeout_s": 1})
    check("an address of another network is refused", r and r["nak"] and not r["leased"] and not r["released"] and r["refusal"]["server"] in (KEA, ROGUE), end)
    r, end, _ = world.run("probe", {"relay": {"server": KEA, "giaddr": "10.99.0.50"}, "window_s": 0.2, "timeout_s": 2, "mac": "02:00:00:00:00:77"})
    check("as a relay: one server, its lease", r and r["leased"] and r["released"] and [o["relay"] for o in r["offers"]] == ["10.99.0.50"], end)
    until("that one is given back too", lambda: not [l for l in leases(folder) if l["state"] == 0])


def own_address(world, folder, client):
    own = {"interface": "c0", "own_mac": True, "window_s": 0.3, "timeout_s": 1, "expected_servers": [KEA]}
    added = ask(folder, "lease4-add", {"ip-address": "10.99.0.102", "hw-address": mac_of(world, "client"), "client-id": "01:" + mac_of(world, "client")})
    check("the test's own lease", added["result"] == 0, added)
    sh(" ".join(inside(client, "ip", "addr", "add", "10.99.0.102/24", "dev", "c0")))
    r, end, _ = world.run("probe", own)
    check("this host's own lease is left alone", r and not r["leased"] and not r["released"] and "this host has already" in r["says"], end)
    check("and it is still there", [l["ip-address"] for l in leases(folder)] == ["10.99.0.102"], leases(folder))
    sh(" ".join(inside(client, "ip", "addr", "del", "10.99.0.102/24", "dev", "c0")))
    ask(folder, "lease4-del", {"ip-address": "10.99.0.102"})


def nothing_to_have(world, folder):
    for n in range(4):
        ask(folder, "lease4-add", {"ip-address": f"10.99.0.{100 + n}", "hw-address": f"02:00:00:00:01:{n:02x}"})
    r, end, _ = world.run("probe", {"interface": "c0", "window_s": 0.3, "tries": 1})
    check("an empty pool offers nothing", r and not r["offered"] and not r["leased"] and r["discovers"] == 1 and r["offers"] == [], end)
    for n in range(4):
        ask(folder, "lease4-del", {"ip-address": f"10.99.0.{100 + n}"})
    r, end, _ = world.run("disable", {"max_period_s": 60})
    r, end, _ = world.run("offers", {"interface": "c0", "window_s": 0.3, "tries": 1})
    check("a server that is disabled offers nothing", r and not r["offered"], end)
    r, end, _ = world.run("enable", {})
    r, end, _ = world.run("offers", {"interface": "c0", "window_s": 0.3, "tries": 1})
    check("and enabled it does", r and r["offered"], end)
    r, end, _ = world.run("offers", {"interface": "alone", "window_s": 0.2, "tries": 2})
    check("no server, no offer", r and not r["offered"] and r["discovers"] == 2 and r["discover_ms"] is None, end)
    r, end, _ = world.run("offers", {"interface": "alone", "window_s": 0.2, "expected_servers": [KEA]})
    check("and the expected one is silent", r and r["silent_servers"] == [KEA], end)


def cancelled(world, folder):
    """Ctrl-C, twice (the first one would wait for the step), in the middle of a long wait for offers."""
    path = world.write("offers", {"interface": "c0", "window_s": 25})
    started = time.monotonic()
    fettle = start(inside(world.client, FETTLE, "run", path, "--json", "--yes"), env=dict(os.environ, FETTLE_CONFIG=f"{folder}/fettle.yaml"))
    for line in fettle.stdout:
        if "step.started" in line:
            fettle.send_signal(signal.SIGINT)
        elif "run.cancelling" in line:
            break
    fettle.send_signal(signal.SIGINT)
    rest = fettle.stdout.read()
    fettle.wait()
    check("a cancelled probe ends soon", time.monotonic() - started < 10 and "cancel" in rest, (time.monotonic() - started, rest))


def refusals(world):
    _, end, _ = world.run("offers", {"interface": "down0"})
    check("an interface that is down", end.get("class") == "unreachable" and "down0" in end.get("error", ""), end)
    _, end, _ = world.run("offers", {"interface": "nope0"})
    check("an interface that is not there", end.get("class") == "not_found" and "nope0" in end.get("error", ""), end)
    _, end, _ = world.run("offers", {"interface": "lo"})
    check("an interface that is no Ethernet", end.get("class") == "invalid", end)
    _, end, _ = world.run("offers", {"interface": "c0"}, without="net_raw")
    check("without the capability it says how to get it", end.get("class") == "denied" and "setcap cap_net_raw" in end.get("error", ""), end)
    _, end, _ = world.run("offers", {"relay": {"server": KEA, "giaddr": "10.99.0.50"}}, without="net_bind_service")
    check("as a relay likewise", end.get("class") == "denied" and "setcap cap_net_bind_service" in end.get("error", ""), end)
    _, end, _ = world.run("offers", {"relay": {"server": KEA, "giaddr": "10.99.0.51"}})
    check("a giaddr of somebody else", end.get("class") == "invalid" and "10.99.0.51" in end.get("error", ""), end)


def main():
    for program in ("kea-dhcp4", "dnsmasq", "unshare", "nsenter", "setpriv"):
        if not shutil.which(program):
            skip(f"{program} is not installed: nothing to test against")
    if "FETTLE_NETNS" not in os.environ:
        made = subprocess.run(["unshare", "-Urn", "sh", "-c", "ip link add br0 type bridge && ip link add x0 type veth peer name x1"], capture_output=True, text=True)
        if made.returncode:
            skip(f"no network namespaces here: {made.stderr.strip()}")
        os.execvpe("unshare", ["unshare", "-Urn", sys.executable, __file__], dict(os.environ, FETTLE_NETNS="1"))
    folder = tempfile.mkdtemp(prefix="fettle-probe-")
    try:
        sh("ip link set lo up; ip link add br0 type bridge forward_delay 0; ip addr add 10.99.0.2/24 dev br0; ip link set br0 up")
        client, rogue = namespace(), namespace()
        cable(client, "c0")
        cable(rogue, "r0")
        sh(" ".join(inside(rogue, "ip", "addr", "add", f"{ROGUE}/24", "dev", "r0")))
        sh(" ".join(inside(client, "sh", "-c", "'ip link set lo up; ip link add alone type veth peer name other; ip link set alone up; ip link set other up; "
                           "ip link add down0 type veth peer name down1; ip addr add 10.99.0.50/32 dev lo; ip route add 10.99.0.2/32 dev c0'")))
        world = World(folder, client)
        world.where = {"client": (client, "c0"), "rogue": (rogue, "r0")}
        start_kea(folder)
        bad = start_rogue(folder, rogue)
        offers(world, folder)
        probes(world, folder)
        own_address(world, folder, client)
        stop(bad)
        nothing_to_have(world, folder)
        cancelled(world, folder)
        refusals(world)
    finally:
        for child in children:
            if child.poll() is None:
                child.kill()
                child.wait()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{len(failures)} of the checks failed" if failures else "all checks passed")
    return 1 if failures else 0


sys.exit(main())
