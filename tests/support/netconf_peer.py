"""A real NETCONF server for tests: netconfd behind a real sshd on loopback, and fettle driven against it.

Between them stands a small relay that the test controls: it writes down what is said, takes NETCONF 1.1 out of both hellos where 1.0 is to be
spoken, makes a minute's confirm-timeout two seconds, so that a commit that nobody confirms can be seen to expire, and lets nobody log in any more
when somebody says what it was told to wait for."""
import json
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time

FETTLE = os.path.join(os.environ["FETTLE_BUILD"], "bin", "fettle")
INTERFACES = '<interfaces xmlns="urn:ietf:params:xml:ns:yang:ietf-interfaces">{}</interfaces>'
INTERFACE = "<interface><name>{}</name><description>{}</description>" \
            '<type xmlns:ianaift="urn:ietf:params:xml:ns:yang:iana-if-type">ianaift:ethernetCsmacd</type></interface>'
RELAY = r'''
import os, re, select, subprocess, sys, time
folder = sys.argv[1]
server = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
old, gone = b"urn:ietf:params:netconf:base:1.1", b"urn:ietf:params:netconf:base:9.9"
only_1_0, hasty = os.path.exists(folder + "/only10"), os.path.exists(folder + "/hasty")
log = os.open(folder + "/said", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
END, hello, greeting, active = b"]]>]]>", b"", b"", False

def send(fd, data):
    while data:
        data = data[os.write(fd, data):]

def is_active():
    with open(folder + "/netconfd.log", "rb") as f:
        return re.search(rb"Session %s for .* now active" % re.search(rb"<session-id>(\d+)<", greeting)[1], f.read()) is not None

# netconfd leaves what it reads in one piece with the message before it lying until something else comes: so the hello goes when it has said its own
# (it has read the subsystem's greeting then), and what comes behind the hello when it has taken that.
def greet():
    global active
    end = hello.index(END) + len(END)
    while END not in greeting:
        if not from_server():
            return
    send(server.stdin.fileno(), hello[:end])
    until = time.monotonic() + 20
    while not is_active() and time.monotonic() < until:
        time.sleep(0.002)
    active = True
    send(server.stdin.fileno(), hello[end:])

def to_server(data):
    global hello
    send(log, data)
    if active:
        send(server.stdin.fileno(), data)
        return
    hello += data
    if END in hello:
        greet()

def from_server():
    global greeting
    data = os.read(server.stdout.fileno(), 65536)
    greeting += data if not active else b""
    send(1, data.replace(old, gone) if only_1_0 else data)
    return data

# The file "lockout" holds words; whoever says them locks all later logins out.
def lock_out(data):
    if os.path.exists(folder + "/lockout"):
        with open(folder + "/lockout", "rb") as f:
            words = f.read()
        if words in data:
            os.rename(folder + "/authorized_keys", folder + "/locked_out")
            os.unlink(folder + "/lockout")

def from_client():
    data = os.read(0, 65536)
    if only_1_0:
        data = data.replace(old, gone)
    if hasty:
        data = data.replace(b"<confirm-timeout>60<", b"<confirm-timeout>02<")
    lock_out(data)
    if data:
        to_server(data)
    return data

going = True
while going:
    fd = select.select([0, server.stdout], [], [])[0][0]               # one at a time: to_server may read what the other had
    going = bool(from_client() if fd == 0 else from_server())
server.stdin.close()
server.terminate()
server.wait()
'''
failures = []


def check(what, holds, seen=""):
    if not holds:
        failures.append(what)
        print(f"FAILED {what}: {str(seen)[:900]}", flush=True)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, holds, seconds=20):
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def answers(port):
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex(("127.0.0.1", port)) == 0


class Server:
    def __init__(self, folder):
        self.folder = folder
        self.port = free_port()
        self.user = pwd.getpwuid(os.getuid()).pw_name
        self.processes = []
        for key in ("hostkey", "client"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{folder}/{key}"], check=True)
        with open(f"{folder}/hostkey.pub", encoding="utf-8") as f:
            key = " ".join(f.read().split()[:2])
        with open(f"{folder}/known_hosts", "w", encoding="utf-8") as f:
            f.write(f"[127.0.0.1]:{self.port} {key}\n")
        with open(f"{folder}/relay.py", "w", encoding="utf-8") as f:
            f.write(RELAY)
        with open(f"{folder}/client.pub", encoding="utf-8") as f:
            key = " ".join(f.read().split()[:2])           # any key but the server's
        with open(f"{folder}/other_hosts", "w", encoding="utf-8") as f:
            f.write(f"[127.0.0.1]:{self.port} {key}\n")
        shutil.copy(f"{folder}/client.pub", f"{folder}/authorized_keys")
        os.chmod(f"{folder}/authorized_keys", 0o644)
        locked = subprocess.run(["getent", "shadow", self.user], capture_output=True, text=True, check=False).stdout.split(":")[1:2] == ["!"]
        with open(f"{folder}/sshd_config", "w", encoding="utf-8") as f:
            f.write(f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {folder}/hostkey\nAuthorizedKeysFile {folder}/authorized_keys\nStrictModes no\n"
                    f"UsePAM {'yes' if locked else 'no'}\nPidFile none\nLogLevel VERBOSE\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nSetEnv SHLVL=2\n"
                    f"Subsystem netconf /usr/bin/python3 {folder}/relay.py {folder} /usr/sbin/netconf-subsystem --ncxserver-sockname={self.port}@{folder}/ncx.sock\n")

    def start(self):
        if os.getuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)
        log = open(f"{self.folder}/netconfd.log", "w", encoding="utf-8")
        self.processes.append(subprocess.Popen(
            ["stdbuf", "-o0", "/usr/sbin/netconfd", "--module=ietf-interfaces", "--module=iana-if-type", "--no-startup", "--target=candidate", f"--superuser={self.user}",
             f"--ncxserver-sockname={self.folder}/ncx.sock", f"--port={self.port}", "--log-level=info"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            cwd=self.folder, env={**os.environ, "USER": self.user, "HOME": self.folder}))                  # it writes backup-cfg.xml where it is started
        self.processes.append(subprocess.Popen(["/usr/sbin/sshd", "-D", "-f", f"{self.folder}/sshd_config", "-E", f"{self.folder}/sshd.log"], stdin=subprocess.DEVNULL))
        log.close()
        return wait_for("the servers", lambda: os.path.exists(f"{self.folder}/ncx.sock") and answers(self.port))

    def stop(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def flag(self, name, on=True):
        path = f"{self.folder}/{name}"
        if on:
            open(path, "w", encoding="utf-8").close()
        elif os.path.exists(path):
            os.unlink(path)

    def lock_out(self, words):
        with open(f"{self.folder}/lockout.new", "w", encoding="utf-8") as f:
            f.write(words)
        os.rename(f"{self.folder}/lockout.new", f"{self.folder}/lockout")

    def let_in(self):
        if os.path.exists(f"{self.folder}/locked_out"):
            os.rename(f"{self.folder}/locked_out", f"{self.folder}/authorized_keys")

    def rollbacks(self):
        return self.log().count("replace on session 0 by")

    def log(self):
        with open(f"{self.folder}/netconfd.log", encoding="utf-8", errors="replace") as f:
            return f.read()

    def logins(self):
        with open(f"{self.folder}/sshd.log", encoding="utf-8", errors="replace") as f:
            return f.read().count("Accepted publickey")

    def said(self):
        with open(f"{self.folder}/said", encoding="utf-8") as f:
            return f.read()


class World:
    def __init__(self, server):
        self.server = server
        self.number = 0

    def step(self, action, params, write=False, undo="none", name="it"):
        step = {"id": name, "run": f"switch.{action}", "with": {"device": "nc-1", **params}}
        if write:
            step["undo"] = undo
            step["verify"] = {"run": "switch.netconf_get", "with": {"device": "nc-1"}, "until": "result.xml ~= nil", "every": "1s", "within": "10s"}
        return step

    def prepare(self, steps, rollback=False):
        """The playbook's path, and the environment."""
        self.number += 1
        f = self.server.folder
        config, path = f"{f}/fettle.yaml", f"{f}/p{self.number}.yaml"
        with open(config, "w", encoding="utf-8") as out:
            json.dump({"fettle": 1, "store": f"{f}/fettle.db", "plugins": {"switch": {
                "defaults": {"user": self.server.user, "key_file": f"{f}/client", "known_hosts": f"{f}/known_hosts"},
                "devices": {"nc-1": {"vendor": "netconf", "host": "127.0.0.1", "port": self.server.port},
                            "nc-2": {"vendor": "netconf", "host": "127.0.0.1", "port": self.server.port, "jump": {"host": "127.0.0.1", "port": self.server.port}},
                            "nc-3": {"vendor": "netconf", "host": "127.0.0.1", "port": self.server.port, "known_hosts": f"{f}/other_hosts"}}}}}, out)
        steps[-1]["then"] = "over"
        with open(path, "w", encoding="utf-8") as out:
            json.dump({"fettle": 1, "name": f"netconf-{self.number}", "title": "steps", "category": "change", "severity": "P4", "steps": steps,
                       "outcomes": {"over": {"title": "over", **({"rollback": True} if rollback else {})}}}, out)
        return path, {**os.environ, "FETTLE_CONFIG": config}

    def fettle(self, *args, env):
        done = subprocess.run([FETTLE, *args, "--json"], env=env, capture_output=True, text=True, timeout=300, check=False)     # an action ends by its own deadline, of 120 s
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")] or [{"type": "none", "error": done.stdout + done.stderr}]

    def run_steps(self, steps, rollback=False, dry=False):
        path, env = self.prepare(steps, rollback)
        return self.fettle("run", path, "--yes", *(["--dry-run"] if dry else []), env=env)

    def run(self, action, params, **more):
        """One step; its end."""
        events = self.run_steps([self.step(action, params, **more)])
        return ([e for e in events if e.get("type") in ("step.done", "step.failed", "step.unknown", "run.parked") and e.get("path", "it") == "it"] or events)[-1]

    def description(self, name="ge-0"):
        end = self.run("netconf_get", {"filter": INTERFACES.format(f"<interface><name>{name}</name></interface>")})
        try:
            return end["result"]["json"]["interfaces"][0]["interface"][0]["description"][0]["data"]
        except (KeyError, TypeError, IndexError):
            return None

    def load(self, text, more=None, **how):
        return self.run("config_load", {"lines": [INTERFACES.format(INTERFACE.format("ge-0", text))], **(more or {})}, write=True, **how)


def main(*parts):
    for program in ("/usr/sbin/netconfd", "/usr/sbin/netconf-subsystem", "/usr/sbin/sshd"):
        if not os.path.exists(program):
            print(f"{program} is not installed: nothing to test against")
            return 77
    folder = tempfile.mkdtemp(prefix="fettle-netconf-")
    os.chmod(folder, 0o755)
    server = Server(folder)
    try:
        if not server.start():
            print("FAILED the servers do not start", server.log()[-2000:])
            return 1
        w = World(server)
        for part in parts:
            part(w)
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{len(failures)} of the checks failed" if failures else "all checks passed")
    return 1 if failures else 0
