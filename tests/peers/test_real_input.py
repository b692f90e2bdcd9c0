#!/usr/bin/env python3
"""The main job on real input: client-connectivity against a real Kea (kea-dhcp4 with its control agent, HTTP Basic) as the DHCP server, switches behind
a real sshd, and a Mist that answers with samples of the real one, odd fields and all.

The samples are those of the reference (FETTLE_SHARED, else ../shared beside the source tree: reference/mist-samples); where they are not, answers of
the same shape that stand in this file. What the scenario needs is changed in them and nothing else: see Mist below.
"""
import base64, copy, http.server, json, os, re, shutil, socket, subprocess, sys, tempfile, threading, time, urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from lab import BUILD, SOURCE, Lab, last, way

SHARED = os.environ.get("FETTLE_SHARED", os.path.join(SOURCE, "..", "shared"))
PATH = os.environ["PATH"] + ":/usr/sbin"
HOOKS = "/usr/lib/x86_64-linux-gnu/kea/hooks"
POOL = [f"10.100.0.{n}" for n in range(40, 50)]
STALE = 6                                # of the ten leases; the others were renewed a minute ago
CHECKED = []

OWN = {
    "rest-stats-client": {"mac": "dadbfc123456", "site_id": "96c348a9-d6d7-4732-b4f5-23350a2843cd", "ap_id": "00000000-0000-0000-1000-5c5b35963d70", "ap_mac": "5c5b358e6fea",
                          "assoc_time": 1741152905, "uptime": 104600, "last_seen": 1741257505, "band": "5", "channel": 157, "family": "", "group": "", "model": "", "hostname": "phone",
                          "ip": "10.100.0.47", "key_mgmt": "WPA3-SAE-FT/CCMP", "proto": "ac", "rssi": -39, "snr": 47, "ssid": "Staff", "vlan_id": "1",
                          "wlan_id": "497fc18a-79b5-405a-bf5a-192eed31ea60", "tx_pkts": 43685, "tx_retries": 5413, "rx_pkts": 44175, "rx_retries": 2010, "x_m": 24.1},
    "rest-client-events-one-client": {"start": 1512572151, "end": 1513176951, "limit": 10, "total": 1, "results": [
        {"ap": "5c5b350eb31b", "band": "5", "channel": 149, "proto": "ac", "ssid": "Guest", "text": "Status code 0 \"Successful\"", "timestamp": 1513358874.667,
         "type": "CLIENT_DNS_OK", "type_code": 15, "wlan_id": "be22bba7-8e22-e1cf-5185-b880816fe2cf"}]},
    "rest-wlan": {"ssid": "demo", "enabled": True, "bands": ["24", "5"], "dynamic_vlan": {"enabled": False, "vlans": {"131": "default"}}},
    "rest-stats-device-ap": {"id": "00000000-0000-0000-1000-5c5b35d0077b", "mac": "5c5b35d0077b", "name": "Phoenix", "model": "AP43", "status": "connected", "num_clients": 1,
                             "uptime": 593342, "inactive_wired_vlans": [], "lldp_stat": {"system_name": "Phoenix-Switch", "port_id": "ge-0/0/4"}, "radio_stat": {}},
    "rest-org-sites": [{"id": "497f6eca-6276-5007-bfeb-53cbbbba6f19", "name": "Mist Office", "country_code": "US", "timezone": "America/Los_Angeles"}],
}


def fail(text):
    sys.exit(f"FAILED: {text}")


def check(what, ok, seen=""):
    if not ok:
        fail(f"{what}: {seen}")
    CHECKED.append(what)
    print(f"ok      {what}", flush=True)


def sample(name):
    path = f"{SHARED}/reference/mist-samples/{name}.json"
    return json.load(open(path)) if os.path.exists(path) else copy.deepcopy(OWN[name])


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


# ---- Kea, the real one

class Kea:
    """kea-dhcp4 without interfaces (its leases are what counts here), and the control agent in front of it."""

    def __init__(self):
        for program in ("kea-dhcp4", "kea-ctrl-agent"):
            if not shutil.which(program, path=PATH):
                fail(f"{program} is not installed: this test needs Debian's kea-dhcp4-server and kea-ctrl-agent (tests/run.sh installs them)")
        self.dir = tempfile.mkdtemp(prefix="fettle-kea-")
        self.password, self.port, self.processes = "kea-secret-51c2", free_port(), []
        self.url = f"http://127.0.0.1:{self.port}/"
        socket_name = f"{self.dir}/kea4.sock"
        loggers = lambda name: [{"name": name, "severity": "INFO", "output_options": [{"output": "stdout", "flush": True}]}]
        self.write("dhcp4.json", {"Dhcp4": {
            "interfaces-config": {"interfaces": []}, "control-socket": {"socket-type": "unix", "socket-name": socket_name},
            "lease-database": {"type": "memfile", "persist": True, "name": f"{self.dir}/leases4.csv", "lfc-interval": 0},
            "hooks-libraries": [{"library": f"{HOOKS}/libdhcp_{name}.so"} for name in ("lease_cmds", "stat_cmds")],
            "valid-lifetime": 57600, "loggers": loggers("kea-dhcp4"),
            "subnet4": [{"id": 1, "subnet": "10.100.0.0/24", "pools": [{"pool": f"{POOL[0]} - {POOL[-1]}"}]}]}})
        self.write("agent.json", {"Control-agent": {
            "http-host": "127.0.0.1", "http-port": self.port, "loggers": loggers("kea-ctrl-agent"),
            "authentication": {"type": "basic", "realm": "kea", "clients": [{"user": "fettle", "password": self.password}]},
            "control-sockets": {"dhcp4": {"socket-type": "unix", "socket-name": socket_name}}}})
        self.version = subprocess.run(["kea-dhcp4", "-v"], env={**os.environ, "PATH": PATH}, capture_output=True, text=True).stdout.strip()
        self.start("DHCP4_STARTED", "kea-dhcp4", "-p", str(free_port()), "-c", f"{self.dir}/dhcp4.json")
        self.start("CTRL_AGENT_STARTED", "kea-ctrl-agent", "-c", f"{self.dir}/agent.json")

    def write(self, name, content):
        with open(f"{self.dir}/{name}", "w") as f:
            json.dump(content, f)

    def start(self, ready, *argv):
        env = {**os.environ, "PATH": PATH, "KEA_PIDFILE_DIR": self.dir, "KEA_LOCKFILE_DIR": self.dir, "KEA_LOGGER_DESTINATION": "stdout"}
        process = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.processes.append(process)
        said = []
        for line in process.stdout:
            said.append(line)
            if ready in line:
                threading.Thread(target=process.stdout.read, daemon=True).start()
                return
        self.stop()
        fail(f"{argv[0]} did not start: {''.join(said)[-1500:]}")

    def ask(self, command, accepted=(0,), **arguments):
        body = {"command": command, "service": ["dhcp4"], **({"arguments": {k.replace("_", "-"): v for k, v in arguments.items()}} if arguments else {})}
        token = base64.b64encode(f"fettle:{self.password}".encode()).decode()
        request = urllib.request.Request(self.url, json.dumps(body).encode(), {"Content-Type": "application/json", "Authorization": f"Basic {token}"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            reply = json.load(answer)[0]
        if reply["result"] not in accepted:
            fail(f"Kea refused {body}: {reply}")
        return reply.get("arguments") or {}

    def leases(self):
        return {lease["ip-address"]: lease for lease in self.ask("lease4-get-all", accepted=(0, 3)).get("leases", [])}

    def lease(self, ip, mac, age_s, hostname):
        self.ask("lease4-add", ip_address=ip, hw_address=mac, subnet_id=1, valid_lft=57600, expire=int(time.time()) - age_s + 57600, hostname=hostname, client_id="01:" + mac)

    def fill(self):
        """Every address has a lease; the first ones are of clients that were not heard of for ten hours."""
        self.ask("lease4-wipe", accepted=(0, 3), subnet_id=1)
        for n, ip in enumerate(POOL):
            self.lease(ip, f"00:1b:21:00:00:{n:02x}", 36000 if n < STALE else 60, f"host-{n}")
        return self.leases()

    def stop(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(timeout=20)
        shutil.rmtree(self.dir, ignore_errors=True)


# ---- Mist, from samples

class Mist(http.server.ThreadingHTTPServer):
    """Answers with the samples as they are, but: the client has no `ip` until it was disconnected and Kea has an address for it, and its events say that
    DHCP fails. The samples come from several organisations, so their ids do not fit together, and the WLAN has none."""
    daemon_threads = True

    def __init__(self, kea):
        super().__init__(("127.0.0.1", 0), MistHandler)
        self.kea, self.writes, self.asked, self.broken = kea, [], [], False
        self.client = sample("rest-stats-client")
        self.client.pop("ip", None)
        self.mac, self.site = self.client["mac"], self.client["site_id"]
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def events(self):
        page = sample("rest-client-events-one-client")
        for n in range(3):
            page["results"].insert(0, {**page["results"][-1], "type": "MARVIS_EVENT_CLIENT_DHCP_FAILURE", "type_code": 999, "text": "DHCP timed out", "timestamp": time.time() - n})
        return page

    def disconnect(self):
        """The client comes back and asks for an address; Kea's pool decides whether it gets one."""
        self.client.update(assoc_time=int(time.time()), uptime=2, last_seen=int(time.time()) + 1)
        free = [ip for ip in POOL if ip not in self.kea.leases()]
        if free:
            self.kea.lease(free[0], ":".join(re.findall("..", self.mac)), 0, self.client["hostname"])
            self.client["ip"] = free[0]


class MistHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def reply(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def answer(self, path):
        mist = self.server
        site = re.escape(mist.site)
        if re.fullmatch(rf"/api/v1/sites/{site}/stats/clients/{mist.mac}", path):
            return mist.client
        if re.fullmatch(rf"/api/v1/sites/{site}/clients/{mist.mac}/events", path):
            return mist.events()
        if re.fullmatch(rf"/api/v1/sites/{site}/stats/devices/[0-9a-f-]+", path):
            return sample("rest-stats-device-ap")
        if path.endswith("/wlans/derived"):
            return [sample("rest-wlan")]
        if re.fullmatch(rf"/api/v1/sites/{site}", path):
            return sample("rest-org-sites")[0]
        return None

    def do_GET(self):
        path = self.path.split("?")[0]
        self.server.asked.append(path)
        body = self.answer(path)
        self.reply(200 if body is not None else 404, body if body is not None else {})

    def do_POST(self):
        path = self.path.split("?")[0]
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.writes.append(path)
        if self.server.broken:
            self.reply(500, {"detail": "out of order"})
        elif path.endswith(f"/clients/{self.server.mac}/disconnect"):
            self.server.disconnect()
            self.reply(200, {})
        else:
            self.reply(404, {})

    def log_message(self, *_):
        pass


# ---- the two runs

ROLLBACK = """fettle: 1
name: free-and-fail
title: Frees leases, and then cannot go on
category: change
params: {client: {type: mac, required: true}, site: {type: site, required: true}}
steps:
  - {id: free, run: dhcp.stale_leases_free, with: {vlan: 1, older_than_h: 8}, undo: auto}
  - {id: rejoin, run: mist.client_disconnect, with: {site: "${site}", mac: "${client}"}, undo: none, on_error: back, then: good}
outcomes:
  good: {title: Good}
  back: {title: Taken back, rollback: true}
"""


def configuration(lab, kea, mist):
    """The lab's (its ISE, ServiceNow and switches behind sshd), with the real Kea and the samples' Mist in it."""
    text = open(lab.config).read()
    secret = f"{kea.dir}/password"
    with open(os.open(secret, os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
        f.write(kea.password + "\n")
    text = re.sub(r"(?m)^  mist:\n    url: .*$", f"  mist:\n    url: {mist.url}", text)
    text = re.sub(r"(?m)^  dhcp:\n(    .*\n)+", f"  dhcp:\n    url: {kea.url}\n    user: fettle\n    password: {{file: \"{secret}\"}}\n    vlans: {{\"1\": 1}}\n", text)
    path = f"{lab.dir}/real.yaml"
    with open(path, "w") as f:
        f.write(text)
    return path


def same_lease(a, b):
    """As it was: all but the second or two that lie between an expiry that is told and one that is worked out."""
    rest = lambda lease: {k: v for k, v in lease.items() if k != "cltt"}
    return rest(a) == rest(b) and abs(a["cltt"] - b["cltt"]) <= 2


def the_job(lab, kea, mist, config):
    before = kea.fill()
    check("Kea's pool is full before", sorted(before) == sorted(POOL), before)
    args = ["run", "client-connectivity", f"client={mist.mac}", f"site={mist.site}"]
    status, events, err = lab.fettle(*args, "--dry-run", config=config)
    check("a dry run changes nothing in Kea and in Mist", status == 0 and kea.leases() == before and not mist.writes, (status, err[-400:], mist.writes))
    status, events, err = lab.fettle(*args, "--yes", config=config)
    end = last(events, "run.finished") or {}
    check("the run mends it", status == 0 and end.get("outcome") == "fixed", (status, err[-400:], end, way(events)))
    check("its diagnosis is the pool", "DHCP pool of VLAN 1 is exhausted: 10 of 10" in end.get("diagnosis", "") and end.get("evidence"), end)
    check("its way is the flowchart's", [s for s in way(events) if s in ("association", "events", "lease", "server", "pool", "free", "rejoin", "look_again")]
          == ["association", "events", "lease", "server", "pool", "free", "rejoin", "look_again"], way(events))
    after = kea.leases()
    fresh = {ip: lease for ip, lease in before.items() if ip in POOL[STALE:]}
    check("Kea has the fresh leases as they were", all(ip in after and same_lease(after[ip], lease) for ip, lease in fresh.items()), after)
    own = [lease for ip, lease in after.items() if ip not in fresh]
    check("of the stale ones none is left, and the client has one address of theirs", len(own) == 1 and own[0]["hw-address"].replace(":", "") == mist.mac, own)
    check("the run saw the client come back with it", last(events, "step.done", "look_again")["result"]["ip"] == own[0]["ip-address"], own)
    check("Mist was written to once", len(mist.writes) == 1, mist.writes)
    check("the ticket is written and resolved", [w["method"] for w in lab.writes("servicenow")] == ["POST", "PATCH"], lab.writes("servicenow"))
    odd = last(events, "step.done", "association")["result"]
    check("odd fields of the samples are read as what they mean", odd["vlan_id"] == 1 and odd["band"] == "5" and odd["rssi"] == mist.client["rssi"], odd)


def the_undo(lab, kea, mist, config):
    before = kea.fill()
    mist.client.pop("ip", None)
    mist.writes.clear()
    mist.broken = True
    playbook = f"{lab.dir}/free-and-fail.yaml"
    with open(playbook, "w") as f:
        f.write(ROLLBACK)
    status, events, err = lab.fettle("run", playbook, f"client={mist.mac}", f"site={mist.site}", "--yes", config=config)
    freed = last(events, "step.done", "free") or {}
    check("a run that frees leases and then fails", freed.get("result", {}).get("freed") == STALE and len(mist.writes) == 1, (status, err[-400:], events[-2:]))
    check("is rolled back", status == 5 and (last(events, "run.finished") or {}).get("status") == "rolled_back", (status, err[-400:], events[-2:]))
    after = kea.leases()
    check("and the leases are in Kea again as they were", sorted(after) == sorted(before) and all(same_lease(after[ip], before[ip]) for ip in before),
          [(before[ip], after.get(ip)) for ip in before if ip not in after or not same_lease(after[ip], before[ip])])


def the_switch(lab, config):
    """A step over the real sshd, with the same configuration."""
    playbook = f"{lab.dir}/switch.yaml"
    with open(playbook, "w") as f:
        f.write("fettle: 1\nname: port\ntitle: Port\ncategory: check\nsteps:\n  - {id: poe, run: switch.poe, with: {device: sw-2, port: ge-0/0/12}, then: good}\noutcomes:\n  good: {title: Good}\n")
    status, events, err = lab.fettle("run", playbook, config=config)
    check("a switch behind a real sshd says how its port is", status == 0 and last(events, "step.done", "poe")["result"]["enabled"] is True, (status, err[-400:], events[-2:]))


def no_secret(lab, kea):
    looked = 0
    for folder, _, names in os.walk(lab.dir):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                looked += 1
                if kea.password.encode() in open(path, "rb").read():
                    fail(f"Kea's password is in {path}")
    check("Kea's password is in nothing that the runs left", looked > 5, looked)


def main():
    real = os.path.isdir(f"{SHARED}/reference/mist-samples")
    print(f"Mist's answers: {'the samples of the reference' if real else 'own ones in their shapes; the samples of the reference are not here'}")
    kea = Kea()
    try:
        mist = Mist(kea)
        with Lab("healthy") as lab:
            config = configuration(lab, kea, mist)
            the_job(lab, kea, mist, config)
            the_undo(lab, kea, mist, config)
            the_switch(lab, config)
            no_secret(lab, kea)
        mist.shutdown()
    finally:
        kea.stop()
    print(f"{len(CHECKED)} of {len(CHECKED)} checks, with Kea {kea.version}, samples {'of the reference' if real else 'own'}")


main()
