#!/usr/bin/env python3
"""The net plugin, driven by `fettle run`, in a small network of its own: network namespaces that need no privilege.

    here 10.77.1.1 ---- 10.77.1.2 router 10.77.2.1 ---- 10.77.2.2 target      1280 bytes on the second link, and the router says so
                                  router 10.77.3.1 ---- 10.77.3.2 target      1280 bytes there, and nobody says so: a black hole
                                  router 10.77.4.1      a link with nobody on it; 10.77.5.0/24 is prohibited

The same with fd77:1::/64 and fd77:2::/64. On the target: dnsmasq, iperf3, openssl's TLS servers."""
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

FETTLE = os.path.join(os.environ["FETTLE_BUILD"], "bin", "fettle")
failures, children = [], []


def check(what, holds, seen=""):
    if not holds:
        failures.append(what)
        print(f"FAILED {what}: {seen}", flush=True)


def sh(line):
    done = subprocess.run(line, shell=True, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{line}: {done.stderr}")


def child(argv, **more):
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, **more)
    children.append(process)
    return process


def wait_for(what, holds, seconds=20):
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            sys.exit(f"{what}: not within {seconds} s")
        time.sleep(0.02)


class Place:
    """A network namespace, held by a process that sleeps in it."""

    def __init__(self):
        self.pid = child(["unshare", "-n", "sleep", "600"]).pid
        mine = os.readlink("/proc/self/ns/net")
        wait_for("a namespace", lambda: os.readlink(f"/proc/{self.pid}/ns/net") != mine)

    def inside(self, *argv):
        return ["nsenter", "-t", str(self.pid), "-n", *argv]

    def sh(self, line):
        sh(" ".join(self.inside("sh", "-c", f"'{line}'")))

    def listens(self, port, protocol="tcp"):
        for name in (protocol, protocol + "6"):
            with open(f"/proc/{self.pid}/net/{name}", encoding="ascii") as f:
                if any(line.split()[1].endswith(f":{port:04X}") and (protocol == "udp" or line.split()[3] == "0A") for line in f.readlines()[1:]):
                    return True
        return False


def build():
    router, target = Place(), Place()
    sh(f"ip link set lo up; ip link add here0 type veth peer name r0 netns {router.pid}; ip addr add 10.77.1.1/24 dev here0; ip -6 addr add fd77:1::1/64 dev here0 nodad; "
       "ip link set here0 up; ip route add 10.77.0.0/16 via 10.77.1.2; ip -6 route add fd77::/16 via fd77:1::2")
    router.sh(f"ip link set lo up; ip addr add 10.77.1.2/24 dev r0; ip -6 addr add fd77:1::2/64 dev r0 nodad; ip link set r0 up; "
              f"ip link add r1 type veth peer name t1 netns {target.pid}; ip link add r2 type veth peer name t2 netns {target.pid}; ip link add r3 type veth peer name r4; "
              "ip link set r1 mtu 1280 up; ip link set r2 up; ip addr add 10.77.2.1/24 dev r1; ip -6 addr add fd77:2::1/64 dev r1 nodad; ip addr add 10.77.3.1/24 dev r2; "
              "ip addr add 10.77.4.1/24 dev r3; ip link set r3 up; ip link set r4 up; ip route add prohibit 10.77.5.0/24; "
              "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0")
    target.sh("ip link set lo up; ip addr add 10.77.2.2/24 dev t1; ip -6 addr add fd77:2::2/64 dev t1 nodad; ip link set t1 mtu 1280 up; ip addr add 10.77.3.2/24 dev t2; "
              "ip link set t2 mtu 1280 up; ip route add default via 10.77.2.1; ip -6 route add default via fd77:2::1; "
              "sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0")
    for place in ([], router.inside(), target.inside()):
        wait_for("addresses of IPv6", lambda: not subprocess.run([*place, "ip", "-6", "addr", "show", "tentative"], capture_output=True, check=False).stdout)
    return router, target


class World:
    def __init__(self, folder):
        self.folder, self.number, self.events = folder, 0, []
        with open(f"{folder}/fettle.yaml", "w", encoding="utf-8") as f:
            json.dump({"fettle": 1, "store": f"{folder}/fettle.db"}, f)

    def play(self, steps):
        self.number += 1
        path = f"{self.folder}/p{self.number}.yaml"
        with open(path, "w", encoding="utf-8") as f:
            json.dump({"fettle": 1, "name": f"net-{self.number}", "title": "net", "category": "check", "severity": "P4", "steps": steps,
                       "outcomes": {"fine": {"title": "done"}}}, f)
        out = subprocess.run([FETTLE, "run", path, "--json"], env={**os.environ, "FETTLE_CONFIG": f"{self.folder}/fettle.yaml"}, capture_output=True, text=True, timeout=120)
        check("nothing on standard error", out.stderr == "", out.stderr)
        self.events = [json.loads(line) for line in out.stdout.splitlines() if line.startswith("{")]
        return {e["path"]: e for e in self.events if e.get("type") in ("step.done", "step.failed")}

    def batch(self, *steps):
        """Steps that shall not fail, in one run; their results."""
        last = len(steps) - 1
        ends = self.play([{"id": f"s{i}", "run": f"net.{action}", "with": params, **({"then": "fine"} if i == last else {})} for i, (action, params) in enumerate(steps)])
        check("no step of a batch fails", len(ends) == len(steps) and all(e["type"] == "step.done" for e in ends.values()), self.events[-3:])
        return [ends.get(f"s{i}", {}).get("result") or {} for i in range(len(steps))]

    def one(self, action, timeout="2m", **params):
        return self.play([{"id": "it", "run": f"net.{action}", "with": params, "timeout": timeout, "then": "fine"}]).get("it", {"type": "none", "events": self.events})


def prohibited_way(world, action, seen, **params):
    """A prohibiting route answers a few packets in a row, then one a second: what came behind others in this test may have met with silence, and is asked again."""
    for _ in range(5):
        if "prohibited" in (seen.get("error") or ""):
            break
        time.sleep(1)                     # the second of the kernel's limit
        seen, = world.batch((action, params))
    return seen


def ways(world, icmp):
    method = {"wait_ms": 200, "method": "icmp" if icmp else "udp"}
    good, nobody, prohibited, six, named = world.batch(
        ("traceroute", {"host": "10.77.2.2", **method}), ("traceroute", {"host": "10.77.3.9", "max_hops": 6, **method}), ("traceroute", {"host": "10.77.5.1", **method}),
        ("traceroute", {"host": "fd77:2::2", **method}), ("traceroute", {"host": "nowhere.invalid", **method}))
    check("the way", [h["address"] for h in good.get("hops", [])] == ["10.77.1.2", "10.77.2.2"] and good["reached"] and good["error"] is None, good)
    check("every probe came back", all(h["sent"] == h["answered"] == 3 and len(h["rtt_ms"]) == 3 and h["loss_pct"] == 0 for h in good.get("hops", [])), good)
    check("the way of IPv6", [h["address"] for h in six.get("hops", [])] == ["fd77:1::2", "fd77:2::2"] and six["reached"], six)
    check("nobody there", not nobody.get("reached") and nobody["hops"][0]["address"] == "10.77.1.2" and set(h["address"] for h in nobody["hops"]) <= {"10.77.1.2", None}, nobody)
    prohibited = prohibited_way(world, "traceroute", prohibited, host="10.77.5.1", **method)
    check("prohibited", not prohibited.get("reached") and "10.77.1.2 says" in prohibited["error"] and "prohibited" in prohibited["error"] and prohibited["hops"][-1]["address"] == "10.77.1.2", prohibited)
    check("a name that is none", not named.get("reached") and named["address"] is None and named["error"], named)


def sizes(world, icmp):
    method = {"wait_ms": 100, "method": "icmp" if icmp else "udp"}
    told, six, hole, small, big, none = world.batch(
        ("path_mtu", {"host": "10.77.2.2", **method}), ("path_mtu", {"host": "fd77:2::2", **method}), ("path_mtu", {"host": "10.77.3.2", **method}),
        ("path_mtu", {"host": "10.77.1.2", **method}), ("path_mtu", {"host": "10.77.1.2", "max": 9000, **method}), ("path_mtu", {"host": "10.77.4.9", **method}))
    check("the router says", (told.get("mtu"), told.get("told_by"), told.get("blackhole")) == (1280, "10.77.1.2", False), told)
    check("the router says, IPv6", (six.get("mtu"), six.get("told_by"), six.get("blackhole")) == (1280, "fd77:1::2", False), six)
    check("a black hole", (hole.get("mtu"), hole.get("told_by"), hole.get("blackhole")) == (1284, None, True), hole)      # a veth takes a VLAN tag's 4 bytes more
    check("all passes", (small.get("mtu"), small.get("blackhole")) == (1500, False), small)
    check("our own link is the limit", (big.get("mtu"), big.get("local_mtu"), big.get("blackhole")) == (1500, 1500, False), big)
    check("nobody there", none.get("reachable") is False and none["mtu"] is None and none["error"], none)
    check("all were found", all(r.get("complete") for r in (told, six, hole, small, big)) and not none.get("complete"), (told, none))


def pings(world):
    fast = {"count": 3, "interval_ms": 10, "timeout_ms": 300}
    four, six, whole, cut, fits, nobody, prohibited = world.batch(
        ("ping", {"host": "10.77.2.2", **fast}), ("ping", {"host": "fd77:2::2", **fast}), ("ping", {"host": "10.77.2.2", "size": 1400, "df": True, **fast}),
        ("ping", {"host": "10.77.2.2", "size": 1400, **fast}), ("ping", {"host": "10.77.2.2", "size": 1252, "df": True, **fast}), ("ping", {"host": "10.77.3.9", **fast}),
        ("ping", {"host": "10.77.5.1", **fast, "count": 1}))
    for r in (four, six, cut, fits):
        check("ping", r.get("received") == 3 and r["loss_pct"] == 0 and r["rtt_min_ms"] <= r["rtt_avg_ms"] <= r["rtt_max_ms"] and r["jitter_ms"] >= 0, r)
    check("too large to pass whole", whole.get("received") == 0 and "10.77.1.2" in whole["error"] and "1280" in whole["error"], whole)
    check("nobody there", nobody.get("received") == 0 and nobody["loss_pct"] == 100 and nobody["error"], nobody)
    prohibited = prohibited_way(world, "ping", prohibited, host="10.77.5.1", **fast)
    check("prohibited", prohibited.get("received") == 0 and "prohibited" in prohibited["error"], prohibited)


def in_time(world):
    """The step's own timeout counts, whatever the parameters say; what was found until then is told, and nothing is made of it."""
    for action, params in (("traceroute", {"wait_ms": 10000}), ("path_mtu", {"wait_ms": 10000}), ("ping", {"timeout_ms": 10000, "interval_ms": 5000})):
        began = time.monotonic()
        end = world.one(action, timeout="700ms", host="10.77.3.2" if action == "path_mtu" else "10.77.3.9", **params)
        check(f"{action} ends in time", time.monotonic() - began < 9 and (end["type"] == "step.done" or end["class"] == "timeout"), end)
        check(f"{action} does not conclude", not (end.get("result") or {}).get("blackhole") and not (end.get("result") or {}).get("complete"), end)


def names(world, target):
    """dnsmasq as the name server, on the target."""
    for port, more in ((5300, ["--local=/lab.test/", "--host-record=a.lab.test,10.77.2.2,fd77:2::2", "--cname=www.lab.test,a.lab.test", "--mx-host=lab.test,mail.lab.test,10",
                               "--srv-host=_radius._udp.lab.test,a.lab.test,1812,5,6", "--txt-record=t.lab.test,v=spf1 -all", "--ptr-record=9.2.77.10.in-addr.arpa,ap.zone.test",
                               "--dns-rr=lab.test,257,00056973737565" + b"ca.lab.test".hex(), *[f"--host-record=many.lab.test,10.77.100.{n}" for n in range(1, 120)]]),
                       (5301, ["--auth-server=ns.zone.test,t1", "--auth-zone=zone.test,10.77.0.0/16", "--auth-soa=2026112501,hostmaster.zone.test,1200,180,1209600"])):
        child(target.inside("dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--bind-interfaces", "--listen-address=10.77.2.2,fd77:2::2",
                            "--user=root", f"--port={port}", f"--pid-file={world.folder}/{port}.pid", *more), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for("dnsmasq", lambda at=port: target.listens(at) and target.listens(at, "udp"))
    at = {"server": "10.77.2.2:5300"}
    cases = (({"name": "a.lab.test"}, "answered", ["10.77.2.2"]), ({"name": "a.lab.test", "type": "AAAA"}, "answered", ["fd77:2::2"]),
             ({"name": "www.lab.test"}, "answered", ["10.77.2.2"]), ({"name": "lab.test", "type": "MX"}, "answered", ["10 mail.lab.test"]),
             ({"name": "_radius._udp.lab.test", "type": "SRV"}, "answered", ["5 6 1812 a.lab.test"]), ({"name": "t.lab.test", "type": "TXT"}, "answered", ["v=spf1 -all"]),
             ({"name": "10.77.2.9", "type": "PTR"}, "answered", ["ap.zone.test"]), ({"name": "lab.test", "type": "CAA"}, "answered", ['0 issue "ca.lab.test"']),
             ({"name": "nothing.lab.test"}, "nxdomain", []), ({"name": "t.lab.test"}, "no_data", []), ({"name": "elsewhere.test"}, "refused", []),
             ({"name": "a.lab.test", "transport": "tcp"}, "answered", ["10.77.2.2"]), ({"name": "a.lab.test", "dnssec": True}, "answered", ["10.77.2.2"]))
    results = world.batch(*[("dns", {**params, **at}) for params, _, _ in cases], ("dns", {"name": "many.lab.test", **at}), ("dns", {"name": "zone.test", "type": "SOA", "server": "10.77.2.2:5301"}),
                          ("dns", {"name": "a.lab.test", "server": "[fd77:2::2]:5300"}), ("dns", {"name": "a.lab.test", "server": "10.77.2.2:5399"}),
                          ("dns", {"name": "a.lab.test", "server": "10.77.4.9", "timeout_s": 0.4}), ("dns", {"name": "a.lab.test", "server": "10.77.5.1", "timeout_s": 2}))
    for (params, status, answers), r in zip(cases, results):
        check(f"{params} is {status}", r.get("status") == status and r["answers"] == answers and r["transport"] == params.get("transport", "udp"), r)
    many, soa, six, closed, silent, prohibited = results[len(cases):]
    check("a long answer comes by tcp", many.get("status") == "answered" and many["truncated"] and many["transport"] == "tcp" and len(many["answers"]) == 119, many)
    check("a zone's own server", soa.get("authoritative") and len(soa["answers"]) == 1 and " 2026112501 1200 180 1209600 " in soa["answers"][0], soa)
    check("a server of IPv6", six.get("status") == "answered" and six["server"] == "fd77:2::2", six)
    check("nobody listens", closed.get("status") == "unreachable" and not closed["responded"], closed)
    check("nobody there", silent.get("status") in ("timeout", "unreachable") and not silent["responded"], silent)
    check("nothing goes there", prohibited.get("status") in ("unreachable", "timeout") and not prohibited["responded"], prohibited)


def speeds(world, target):
    server = child(target.inside("iperf3", "--server", "--port", "5202", "--bind", "10.77.2.2"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for("iperf3", lambda: target.listens(5202))
    to = {"host": "10.77.2.2", "port": 5202, "seconds": 1}
    tcp, udp = world.batch(("throughput", {**to, "bitrate": 20000000}), ("throughput", {**to, "protocol": "udp", "reverse": True, "bitrate": 2000000}))
    check("tcp", tcp.get("bits_per_second", 0) > 10000000 and tcp["sent_bps"] > 10000000 and tcp["retransmits"] is not None and tcp["loss_pct"] is None, tcp)
    check("udp", 1000000 < udp.get("bits_per_second", 0) < 4000000 and udp["loss_pct"] is not None and udp["jitter_ms"] >= 0 and udp["packets"] > 50, udp)
    hog = child(["iperf3", "--client", "10.77.2.2", "--port", "5202", "--time", "60", "--bitrate", "1M"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def busy():
        with open(f"/proc/{target.pid}/net/tcp", encoding="ascii") as f:
            return sum(line.split()[1].endswith(f":{5202:04X}") and line.split()[3] == "01" for line in f.readlines()[1:]) >= 2

    wait_for("a test under way", busy)
    end = world.one("throughput", **to)
    check("a busy server refuses", end.get("class") == "refused" and "busy" in end["error"], end)
    for process in (hog, server):
        process.terminate()
        process.wait()
    end = world.one("throughput", **to)
    check("no server", end.get("class") == "unreachable" and "refused" in end["error"], end)
    path = os.environ["PATH"]
    os.environ["PATH"] = "/nonexistent"
    end = world.one("throughput", **to)
    os.environ["PATH"] = path
    check("no program", end.get("class") == "not_found" and "iperf3" in end["error"] and "needed" in end["error"], end)


def certificates(world, target):
    """A chain of three: root, an intermediate that expires first, the server."""
    f = world.folder
    key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    sh(f"cd {f} && openssl req -x509 {key} -keyout root.key -out root.pem -days 100 -subj /CN=LabRoot 2>/dev/null && "
       f"openssl req {key} -keyout mid.key -out mid.csr -subj /CN=LabMid 2>/dev/null && printf 'basicConstraints=critical,CA:true\n' > ca.ext && "
       f"openssl x509 -req -in mid.csr -CA root.pem -CAkey root.key -CAcreateserial -days 3 -extfile ca.ext -out mid.pem 2>/dev/null && "
       f"openssl req {key} -keyout leaf.key -out leaf.csr -subj /O=Lab/CN=mail.lab.test 2>/dev/null && "
       f"printf 'subjectAltName=DNS:mail.lab.test,IP:10.77.2.2,IP:fd77:2::2\n' > leaf.ext && "
       f"openssl x509 -req -in leaf.csr -CA mid.pem -CAkey mid.key -CAcreateserial -days 30 -extfile leaf.ext -out leaf.pem 2>/dev/null && cat leaf.pem mid.pem > chain.pem")
    child(target.inside("openssl", "s_server", "-accept", "8443", "-cert", f"{f}/leaf.pem", "-key", f"{f}/leaf.key", "-cert_chain", f"{f}/mid.pem", "-quiet"),
          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    child(target.inside("openssl", "s_server", "-accept", "8444", "-cert", f"{f}/leaf.pem", "-key", f"{f}/leaf.key", "-quiet"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for("openssl", lambda: target.listens(8443) and target.listens(8444))
    servers = {name: Greeter(f, name) for name in ("smtp", "imap", "pop3", "ldap", "refuses", "silent", "chatty")}
    to = {"host": "10.77.2.2", "port": 8443}
    here = {"host": "127.0.0.1", "ca_file": f"{f}/root.pem", "sni": "mail.lab.test", "timeout_s": 2}
    results = world.batch(("tls_cert", {**to, "ca_file": f"{f}/root.pem"}), ("tls_cert", to), ("tls_cert", {**to, "port": 8444, "ca_file": f"{f}/root.pem"}),
                          ("tls_cert", {**to, "host": "fd77:2::2", "ca_file": f"{f}/root.pem"}), ("tls_cert", {**to, "port": 8445}),
                          *[("tls_cert", {**here, "port": servers[name].port, "starttls": name}) for name in ("smtp", "imap", "pop3", "ldap")],
                          *[("tls_cert", {**here, "port": servers[name].port, "starttls": "smtp", "timeout_s": 0.5}) for name in ("refuses", "silent", "chatty")])
    good, untrusted, gap, six, closed, smtp, imap, pop3, ldap, refuses, silent, chatty = results
    check("a chain", good.get("verified") and good["verify_error"] is None and [c["subject"] for c in good["chain"]] == ["CN=mail.lab.test,O=Lab", "CN=LabMid"], good)
    check("its names", good.get("sans") == ["mail.lab.test", "10.77.2.2", "fd77:2::2"] and good["key"].endswith(" 256") and good["key"].startswith("id-ec") or "EC" in good["key"], good)
    check("who expires first", good.get("chain_days_left") in (2, 3) and good["days_left"] in (29, 30), good)
    check("an authority nobody knows", not untrusted.get("verified") and "certificate" in untrusted["verify_error"] and any(c["problem"] for c in untrusted["chain"]), untrusted)
    check("an intermediate is missing", not gap.get("verified") and "local issuer" in gap["verify_error"] and gap["chain"][0]["problem"] and len(gap["chain"]) == 1, gap)
    check("IPv6", six.get("verified") and six["name_matches"], six)
    check("closed", closed.get("open") is False and closed["error"], closed)
    for name, r in zip(("smtp", "imap", "pop3", "ldap"), (smtp, imap, pop3, ldap)):
        check(f"starttls {name}", r.get("verified") and r["subject"] == "CN=mail.lab.test,O=Lab", r)
    check("a server without TLS says so", refuses.get("handshake") is False and "454" in refuses["error"], refuses)
    check("a server that says nothing", silent.get("handshake") is False and "in time" in silent["error"], silent)
    check("a server that says too much", chatty.get("handshake") is False and "more than" in chatty["error"], chatty)


class Greeter:
    """Speaks a protocol in the clear as far as the beginning of TLS."""
    TALKS = {"smtp": [(None, b"220-lab\r\n220 ready\r\n"), (b"EHLO", b"250-lab\r\n250-SIZE 1\r\n250 STARTTLS\r\n"), (b"STARTTLS", b"220 go on\r\n")],
             "imap": [(None, b"* OK ready\r\n"), (b"a STARTTLS", b"* BYE-the-way hello\r\na OK begin\r\n")], "pop3": [(None, b"+OK ready\r\n"), (b"STLS", b"+OK begin\r\n")],
             "ldap": [(b"1.3.6.1.4.1.1466.20037", bytes.fromhex("300c02010178070a010004000400"))],
             "refuses": [(None, b"220 ready\r\n"), (b"EHLO", b"250 lab\r\n"), (b"STARTTLS", b"454 not today\r\n")], "silent": [], "chatty": [(None, b"220-" + b"x" * 20000)]}

    def __init__(self, folder, name):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(f"{folder}/chain.pem", f"{folder}/leaf.key")
        self.name = name
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with self.listener.accept()[0] as s:
            try:
                for wanted, answer in self.TALKS[self.name]:
                    if wanted and wanted not in s.recv(1000):
                        return
                    s.sendall(answer)
                if self.name in ("silent", "chatty", "refuses"):
                    s.recv(1000)
                else:
                    self.context.wrap_socket(s, server_side=True).close()
            except OSError:
                pass


def main():
    if "FETTLE_NET_LAB" not in os.environ:
        for program in ("unshare", "nsenter", "ip", "dnsmasq", "iperf3", "openssl"):
            if not shutil.which(program):
                print(f"{program} is not installed: no network to test in")
                return 77
        if subprocess.run(["unshare", "-Urn", "true"], capture_output=True, check=False).returncode:
            print("this system lets nobody make a user namespace: no network to test in")
            return 77
        return subprocess.run(["unshare", "-Urn", sys.executable, *sys.argv], env={**os.environ, "FETTLE_NET_LAB": "1"}, check=False).returncode
    folder = tempfile.mkdtemp(prefix="fettle-net-")
    try:
        router, target = build()
        world = World(folder)
        with open("/proc/sys/net/ipv4/ping_group_range", "w", encoding="ascii") as f:
            f.write("0 0")
        # Pings first: the kernel says "prohibited" five times at once, then once a second.
        parts = [(pings,), (ways, True), (ways, False), (sizes, True), (sizes, False), (in_time,), (names, target), (speeds, target), (certificates, target)]
        for part, *more in parts:
            began = time.monotonic()
            part(world, *more)
            if "-v" in sys.argv:
                print(f"{part.__name__}: {time.monotonic() - began:.1f} s")
    finally:
        for process in reversed(children):
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{len(failures)} of the checks failed" if failures else "all checks passed")
    return 1 if failures else 0


sys.exit(main())
