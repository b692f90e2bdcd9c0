#!/usr/bin/env python3
"""Every action of every plugin against servers as they are on a bad night: away, silent, half-open, refusing, answering with errors, with a login page, with
half a document, with far too much, with the wrong types, rejecting the credentials. Each action, with the parameters of its own example, must end as the right class of
error (or with an answer that its schema allows), in time, with a sentence, and nothing that fettle writes may show a secret. With the sanitizers, so a leak or an overrun
fails as well.

An action of a plugin that is not in WORLDS fails the test: whoever adds one says here what its bad nights are."""
import concurrent.futures, hashlib, json, os, re, shutil, socket, subprocess, sys, tempfile, threading, time

import yaml

BUILD, SOURCE = os.path.abspath(os.environ.get("FETTLE_BUILD", "build/asan")), os.path.abspath(os.environ.get("FETTLE_SOURCE", "."))
CANARY = "canary-b1e55ed0c4"
LIMIT_S = 3                 # what a step may take
ORG = "5b1c0f3e-7d11-4c55-9a0e-3f6d2b8c9a01"
SITE = "a688d83a-e858-4652-a690-9c1329cf917f"
failures = []


# ---- servers

class Server:
    """A TCP server whose every connection is `talk(socket)`."""

    def __init__(self, talk):
        self.talk, self.over = talk, threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=300)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.one, args=(connection,), daemon=True).start()

    def one(self, connection):
        try:
            self.talk(connection, self.over)
        except OSError:
            pass
        finally:
            connection.close()

    def stop(self):
        self.over.set()
        self.listener.close()


class Datagrams(Server):
    """A UDP server that answers each datagram with what `answer` gives, or not at all."""

    def __init__(self, answer):
        self.answer, self.over = answer, threading.Event()
        self.listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.listener.bind(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while not self.over.is_set():
            try:
                data, peer = self.listener.recvfrom(65536)
                reply = self.answer(data)
                if reply is not None:
                    self.listener.sendto(reply, peer)
            except OSError:
                if self.over.is_set():
                    return


class Nobody:
    """A port that nobody listens on."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def stop(self):
        self.socket.close()
        self.datagrams.close()


def silent(connection, over):
    over.wait(60)


def hang_up(connection, over):
    connection.recv(1)


def request(connection):
    """One HTTP request, read whole. False at the end of the connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return False
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    while length and len(body) < int(length.group(1)):
        more = connection.recv(65536)
        if not more:
            return False
        body += more
    return True


def http(status, kind, body, extra=""):
    def talk(connection, over):
        while request(connection):
            connection.sendall(f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{extra}\r\n".encode() + body)
    return lambda: Server(talk)


def http_half_open(connection, over):
    request(connection)
    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"results": [')
    over.wait(60)


def http_cut_off(connection, over):
    request(connection)
    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"results": [')


def http_far_too_much(connection, over):
    request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    piece = b'"' + b"a" * 65532 + b'",'
    chunk = b"%x\r\n" % (len(piece) + 1) + b"[" + piece + b"\r\n"
    for _ in range(3000):                  # 200 MB, if they are taken
        connection.sendall(chunk)
        chunk = b"%x\r\n" % len(piece) + piece + b"\r\n"


def http_garbage(connection, over):
    request(connection)
    connection.sendall(b"\x00\xff\x16\x03\x01 this is no HTTP \r\n\r\n" * 20)


def json_of(value):
    return http("200 OK", "application/json", value if isinstance(value, bytes) else json.dumps(value).encode())


ECHO = json.dumps({"detail": f"the credentials {CANARY} may not do this", "error": {"message": f"not with {CANARY}"}, "errorMessages": [CANARY]}).encode()

# name: (server, classes that a read may end with, further classes of a write). "ok" is the class of an action that could make sense of it.
HTTP_NIGHTS = {
    "away": (Nobody, {"unreachable"}, set()),
    "silent": (lambda: Server(silent), {"timeout"}, {"ambiguous"}),
    "half_open": (lambda: Server(http_half_open), {"timeout"}, {"ambiguous"}),
    "cut_off": (lambda: Server(http_cut_off), {"unreachable", "invalid"}, {"ambiguous"}),
    "hangs_up": (lambda: Server(hang_up), {"unreachable"}, {"ambiguous"}),
    "garbage": (lambda: Server(http_garbage), {"invalid", "unreachable"}, {"ambiguous"}),
    "error_500": (http("500 Internal Server Error", "application/json", b'{"detail": "database away"}'), {"refused"}, {"ambiguous"}),
    "login_page": (http("200 OK", "text/html", b"<html><title>Please log in</title><body>" + b"x" * 3000 + b"</body></html>"), {"invalid"}, {"ambiguous"}),
    "half_a_document": (json_of(b'{"results": [{"mac": "a48'), {"invalid"}, {"ambiguous"}),
    "far_too_much": (lambda: Server(http_far_too_much), {"invalid", "timeout"}, {"ambiguous"}),
    "unauthorized": (http("401 Unauthorized", "application/json", ECHO, 'WWW-Authenticate: Basic realm="x"\r\n'), {"denied"}, set()),
    "forbidden": (http("403 Forbidden", "application/json", ECHO), {"denied"}, set()),
    "nothing_there": (http("404 Not Found", "application/json", b'{"detail": "Not found."}'), {"not_found", "ok", "invalid", "refused"}, set()),
    "list_is_text": (json_of({"results": "none", "total": "many", "result": "none", "arguments": 5}), {"invalid", "not_found", "refused", "ok"}, {"ambiguous"}),
    "null": (json_of(None), {"invalid", "not_found", "refused", "ok"}, {"ambiguous"}),
    "empty_list": (json_of([]), {"invalid", "not_found", "refused", "ok"}, {"ambiguous"}),
    "numbers": (json_of([1, 1e300, -9007199254740993, True, None]), {"invalid", "not_found", "refused", "ok"}, {"ambiguous"}),
}
STREAM_NIGHTS = {
    "away": (Nobody, {"unreachable"}, set()),
    "silent": (lambda: Server(silent), {"timeout", "unreachable"}, {"ambiguous"}),
    "hangs_up": (lambda: Server(lambda c, over: None), {"unreachable", "refused"}, {"ambiguous"}),
    "garbage": (lambda: Server(lambda c, over: (c.sendall(b"\x00\xff\x16\x03\x01 nothing that you know \r\n" * 50), over.wait(60))), {"unreachable", "invalid", "refused", "timeout"}, {"ambiguous"}),
}
DATAGRAM_NIGHTS = {
    "away": (Nobody, {"unreachable", "timeout"}, {"ambiguous"}),
    "silent": (lambda: Datagrams(lambda data: None), {"timeout", "unreachable"}, {"ambiguous"}),
    "garbage": (lambda: Datagrams(lambda data: b"\x00\xff\x16\x03\x01" * 200), {"timeout", "invalid", "unreachable"}, {"ambiguous"}),
    "echo": (lambda: Datagrams(lambda data: data), {"timeout", "invalid", "unreachable", "refused", "denied"}, {"ambiguous"}),
    "empty": (lambda: Datagrams(lambda data: b""), {"timeout", "invalid", "unreachable"}, {"ambiguous"}),
}


# ---- what is asked: the plugin's section for a server at a port, and which actions do not ask that server

SECRET = {"env": "FETTLE_TEST_SECRET"}


class World:
    def __init__(self, plugin, section, nights=HTTP_NIGHTS, skip=(), only=None, params=None, params_of=None, allow=None, files=None):
        self.plugin, self.section, self.nights = plugin, section, nights
        self.skip = skip                       # actions that ask nobody, or somebody else (another World has them)
        self.only = only
        self.params = params                   # further parameters of every action, made from the port
        self.params_of = params_of or {}       # of one action
        self.files = files or {}               # action: content of the file that it reads
        self.allow = allow or {}               # (night, action): further classes, with the reason in a comment there


def url(port):
    return f"http://127.0.0.1:{port}"


def servers(port):
    return {"url": url(port), "user": "fettle", "password": SECRET, "vlans": {"110": 1}}


MIST_BACKUP = json.dumps({"format": "fettle-mist-config", "version": 1, "org_id": ORG, "site_id": SITE, "site_name": "HQ", "taken_at": 1795227185, "objects": [
    {"kind": "setting", "name": "HQ", "path": f"/sites/{SITE}/setting", "object": {"persist_config_on_device": True}},
    {"kind": "wlan", "name": "staff", "path": f"/sites/{SITE}/wlans/0b8c01a5-9f4e-4f0b-8a0e-5d4c5c2b1d11", "object": {"id": "0b8c01a5-9f4e-4f0b-8a0e-5d4c5c2b1d11", "ssid": "staff"}}]})
INFOBLOX = {"server_status", "lease", "leases", "pool_use", "reservation", "reservation_add", "reservation_del", "lease_delete", "subnets", "pool_extend", "services_restart"}
KEA_CONFIG = '{"Dhcp4": {"valid-lifetime": 99}}'
CHANGES = {"change_open", "change_status", "change_update", "change_close"}      # ServiceNow's only; elsewhere an error that says so before anything is asked
def infoblox(port):
    return {**servers(port), "system": "infoblox", "vlans": {"110": "10.11.0.0/24"}}


SWITCH = {"user": "fettle", "password": SECRET, "known_hosts": "/dev/null"}

WORLDS = {
    "mist": World("mist", lambda port: {"url": url(port), "org_id": ORG, "token": SECRET}, files={"config_restore": MIST_BACKUP}),
    "ise": World("ise", lambda port: {"url": url(port), "ers_url": url(port), "user": "fettle", "password": SECRET}),
    "dhcp (kea)": World("dhcp", lambda port: {**servers(port), "servers": {"east": servers(port)}}, skip={"services_restart"}, files={"config_test": KEA_CONFIG, "config_set": KEA_CONFIG, "config_restore": KEA_CONFIG},
                        allow={(n, "server_status"): {"ok"} for n in ("away", "silent", "half_open", "cut_off", "hangs_up")}),     # its answer is up: false
    "dhcp (infoblox)": World("dhcp", lambda port: {**infoblox(port), "servers": {"east": infoblox(port)}},
                             only=INFOBLOX, allow={(n, "server_status"): {"ok"} for n in ("away", "silent", "half_open", "cut_off", "hangs_up", "far_too_much")}),
    "ticket (servicenow)": World("ticket", lambda port: {"url": url(port), "user": "fettle", "password": SECRET}),
    "ticket (jira cloud)": World("ticket", lambda port: {"system": "jira", "edition": "cloud", "url": url(port), "user": "a@example.org", "token": SECRET, "project": "NET"}, skip=CHANGES),
    "ticket (jira data center)": World("ticket", lambda port: {"system": "jira", "edition": "datacenter", "url": url(port), "token": SECRET, "project": "NET"}, skip=CHANGES),
    "ticket (rt)": World("ticket", lambda port: {"system": "rt", "url": url(port), "token": SECRET}, skip=CHANGES),
    "notify (http)": World("notify", lambda port: {"webhooks": {n: {"url": {"env": "FETTLE_TEST_HOOK"}} for n in ("noc", "teams-noc")}, "slack": {"url": url(port), "token": SECRET},
                                                   "pagerduty": {"url": url(port), "routing_key": SECRET}, "alertmanager": {"url": url(port), "token": SECRET}},
                           skip={"mail", "syslog"},
                           allow={(n, a): {"ok"} for n in ("login_page", "half_a_document", "list_is_text") for a in ("webhook", "teams", "alertmanager_alert", "alertmanager_silence_expire")}),   # any text is an answer there
    "notify (mail)": World("notify", lambda port: {"smtp": {"url": f"smtp://127.0.0.1:{port}", "from": "fettle@example.org", "user": "fettle", "password": SECRET}}, STREAM_NIGHTS, only={"mail"}),
    "notify (syslog)": World("notify", lambda port: {"syslog": {"host": "127.0.0.1", "port": port}}, STREAM_NIGHTS, only={"syslog"}),
    "http": World("http", lambda port: {"apis": {"netbox": {"url": url(port), "token": SECRET}}},
                  allow={("login_page", "get"): {"ok"}, ("login_page", "request"): {"ok"}}),                                       # any text is an answer there
    "switch (cli)": World("switch", lambda port: {"defaults": {**SWITCH, "port": port}, "devices": {"sw-3": {"host": "127.0.0.1"}}}, STREAM_NIGHTS, skip={"netconf_get"}),
    "switch (netconf)": World("switch", lambda port: {"defaults": {**SWITCH, "port": port, "transport": "netconf"}, "devices": {"sw-3": {"host": "127.0.0.1"}}}, STREAM_NIGHTS),
    "radius": World("radius", lambda port: {"servers": {"hq": {"host": "127.0.0.1", "secret": SECRET, "auth_port": port, "acct_port": port}}, "first_wait_ms": 200,
                                            "devices": {"wlc": {"host": "127.0.0.1", "port": port, "secret": SECRET}}}, DATAGRAM_NIGHTS, skip={"eap"},
                    allow={(n, "status"): {"ok"} for n in DATAGRAM_NIGHTS}),                                                       # its answer is alive: false
    "snmp": World("snmp", lambda port: {"agents": {"core-1": {"host": "127.0.0.1", "port": port, "user": "fettle", "auth": "SHA-256", "auth_password": SECRET, "timeout_s": 1, "retries": 0}}},
                  DATAGRAM_NIGHTS, skip={"trap_wait"}),
}
# Actions that speak to nobody, or to what these nights do not make: each with where it is tested instead.
ELSEWHERE = {
    "dhcp.offers": "speaks to an interface: tests/peers/test_dhcp_probe.py", "dhcp.probe": "speaks to an interface: tests/peers/test_dhcp_probe.py",
    "ise.failure_reason": "asks for a catalogue once and keeps it: its own tests",
    "notify.p1_initial": "makes a text", "notify.p1_update": "makes a text", "notify.p1_resolved": "makes a text",
    "exec.command": "starts a program: tests/plugins/exec",
    "radius.eap": "a program speaks: tests/peers/test_eapol.py",
    "snmp.trap_wait": "is spoken to: tests/peers/test_snmp.py",
    **{f"net.{a}": "a dead host is its answer: tests/plugins/net, tests/peers/test_net.py" for a in ("dns", "tcp", "tls_cert", "ping", "http_check", "traceroute", "path_mtu", "throughput")},
}


def sample(schema, name):
    """A value for a parameter that the example takes from an earlier step."""
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind in ("integer", "number"):
        return max(schema.get("minimum", 1), 1)
    if kind == "boolean":
        return True
    if kind == "array":
        return [sample(schema.get("items", {}), name)]
    if kind == "object":
        return {"a": "b"}
    if "mac" in name or "bssid" in name or schema.get("format") == "mac":
        return "a4:83:e7:12:34:56"
    if name in ("ip", "address") or schema.get("format") in ("ip", "ipv4"):
        return "10.11.0.93"
    if "number" in name or "ticket" in name:
        return "INC0010001"
    if "port" in name:
        return "ge-0/0/7"
    if "code" in name:
        return "22056"
    if name == "file":
        return "a/file.json"
    if "device" in name:
        return "00000000-0000-0000-1000-d420b0a01202"
    return SITE


def fill(value, schema, name):
    if isinstance(value, str) and "${" in value:
        return sample(schema, name)
    if isinstance(value, dict):
        return {k: fill(v, schema.get("properties", {}).get(k, {}), k) for k, v in value.items()}
    if isinstance(value, list):
        return [fill(v, schema.get("items", {}), name) for v in value]
    return value


def step_of(action, world, port):
    example = yaml.safe_load(action["example"])
    example = example[0] if isinstance(example, list) else example
    with_ = fill(example.get("with", {}), action["params"], "")
    known = action["params"].get("properties", {})
    more = dict(world.params(port) if world.params else {}, **world.params_of.get(action["action"].split(".")[1], {}))
    with_.update({k: v for k, v in more.items() if k in known})
    for name in ("agent", "server"):
        if name in known and name in with_:
            with_[name] = {"snmp": "core-1", "radius": "hq", "dhcp": "east"}.get(world.plugin, with_[name])
    if world.plugin == "switch" or (world.plugin == "radius" and "device" in with_):
        with_["device"] = {"switch": "sw-3", "radius": "wlc"}[world.plugin]
    content = world.files.get(action["action"].split(".")[1])
    if "sha256" in with_ and content is not None:
        with_["sha256"] = hashlib.sha256(content.encode()).hexdigest()
    step = {"run": action["action"], "with": with_, "timeout": f"{LIMIT_S}s", "on_error": "end"}
    if action["effect"] != "read":
        step["undo"] = "none"
    return step


# ---- one night

def fettle(work, *args, timeout=120):
    env = {**os.environ, "HOME": work, "FETTLE_TEST_SECRET": CANARY, "FETTLE_TEST_HOOK": open(f"{work}/hook").read()}
    done = subprocess.run([f"{BUILD}/bin/fettle", *args, "--config", f"{work}/fettle.yaml"], cwd=work, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout)
    return done.returncode, done.stdout, done.stderr


def events_of(out):
    events = []
    for line in out.decode("utf-8", "replace").splitlines():
        try:
            events.append(json.loads(line))
        except ValueError:
            pass
    return events


def playbook(actions, world, port):
    steps = {a["action"].split(".")[1]: step_of(a, world, port) for a in actions}
    if len(steps) == 1:
        steps["another"] = {"wait": "1ms"}                    # a parallel has at least two
    return {"fettle": 1, "name": "night", "title": "A bad night", "category": "check", "limits": {"runtime": "5m", "writes": 1000},
            "steps": [{"id": "all", "parallel": steps, "on_error": "over", "then": "over"}], "outcomes": {"over": {"title": "Over"}}}


def end_of(events, action):
    """(class, sentence) of how the action ended."""
    path = f"all/{action['action'].split('.')[1]}"
    for event in events:
        if event.get("path") == path and event.get("type") in ("step.failed", "step.done", "doubt.opened"):
            if event["type"] == "step.done":
                return "ok", ""
            doubted = event["type"] == "doubt.opened" or "its answer was lost each time" in event.get("error", "")
            return ("ambiguous" if doubted else event.get("class", "?")), event.get("error", event.get("text", ""))
    return None, ""


def leftovers(work, run):
    """All that fettle left behind, with what it shows of the run."""
    texts = []
    for args in (("show", run, "--json"), ("show", run, "--html"), ("why", run)) if run else ():
        texts.extend(fettle(work, *args)[1:])
    for folder, _, names in os.walk(work):
        texts.extend(open(os.path.join(folder, n), "rb").read() for n in names if n != "hook")
    return texts


def put_files(work, actions, world):
    """The files that an action's example reads, where fettle looks for them."""
    for action in actions:
        name, content = step_of(action, world, 1)["with"].get("file"), world.files.get(action["action"].split(".")[1])
        if name and content is not None:
            os.makedirs(os.path.dirname(f"{work}/files/{name}"), exist_ok=True)
            open(f"{work}/files/{name}", "w").write(content)


def one_night(world_name, world, night, actions):
    found = []
    server_of, read_classes, write_classes = world.nights[night]
    server, work = server_of(), tempfile.mkdtemp(prefix="fettle-night-")
    try:
        open(f"{work}/hook", "w").write(f"{url(server.port)}/hooks/{CANARY}")
        open(f"{work}/fettle.yaml", "w").write(json.dumps({"fettle": 1, "store": "runs.db", "plugins": {world.plugin: world.section(server.port)}}))
        open(f"{work}/night.yaml", "w").write(json.dumps(playbook(actions, world, server.port)))
        put_files(work, actions, world)
        began = time.monotonic()
        status, out, err = fettle(work, "run", "night.yaml", "--yes", "--json")
        took = time.monotonic() - began
        events = events_of(out)
        if status == 2 or b"Sanitizer" in err or b"runtime error" in err:
            return [f"{world_name}, {night}: exit status {status}: {(err + out).decode('utf-8', 'replace')[:3000]}"]
        if took > LIMIT_S * 4 + 15:
            found.append(f"{world_name}, {night}: it took {took:.0f} s")
        for action in actions:
            class_, text = end_of(events, action)
            allowed = read_classes | (write_classes if action["effect"] != "read" else set()) | world.allow.get((night, action["action"].split(".")[1]), set())
            if class_ not in allowed:
                found.append(f"{world_name}, {night}: {action['action']} ended as {class_}, not {' or '.join(sorted(allowed))}: {text}")
            elif class_ != "ok" and (len(text) < 15 or "(null)" in text):
                found.append(f"{world_name}, {night}: {action['action']} gives no reason: {text!r}")
        run = next((e["run"] for e in events if "run" in e), None)
        for text in [out, err, *leftovers(work, run)]:
            if CANARY.encode() in text:
                at = text.find(CANARY.encode())
                found.append(f"{world_name}, {night}: the secret is shown: {text[max(0, at - 200):at + 60]!r}")
                break
    except subprocess.TimeoutExpired:
        found.append(f"{world_name}, {night}: fettle did not end within 2 minutes")
    finally:
        server.stop()
        shutil.rmtree(work, ignore_errors=True)
    return found


def actions_of(plugin):
    done = subprocess.run([f"{BUILD}/bin/fettle", "plugins", plugin, "--json"], capture_output=True, timeout=60, cwd="/")
    return events_of(done.stdout)


def main():
    wanted = sys.argv[1:]                      # for a person who looks into some: names of worlds or nights
    plugins = sorted(f[:-3] for f in os.listdir(f"{BUILD}/plugins") if f.endswith(".so"))
    asked, jobs = set(ELSEWHERE), []
    for name, world in WORLDS.items():
        actions = [a for a in actions_of(world.plugin) if a["action"] not in ELSEWHERE and a["action"].split(".")[1] not in world.skip and
                   (world.only is None or a["action"].split(".")[1] in world.only)]
        asked |= {a["action"] for a in actions}
        for night in world.nights:
            if not wanted or name in wanted or night in wanted:
                jobs.append((name, world, night, actions))
    for plugin in plugins:
        missing = [a["action"] for a in actions_of(plugin) if a["action"] not in asked]
        if missing and not wanted:
            failures.append(f"no bad night for {', '.join(missing)}: give them a World in {os.path.basename(__file__)}")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda job: one_night(*job), jobs):
            failures.extend(found)
    for failure in failures:
        print("FAILED:", failure)
    ends = sum(len(job[3]) for job in jobs)
    print(f"{len(jobs)} bad nights, {ends} ends of actions, {len(failures)} failures")
    return 1 if failures or not jobs else 0


sys.exit(main())
