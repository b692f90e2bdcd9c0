#!/usr/bin/python3
"""The switch plugin over NETCONF, driven by `fettle run`, against a real server: netconfd behind a real sshd on loopback.

Between them stands a small relay that the test controls: it writes down what is said, takes NETCONF 1.1 out of both hellos where 1.0 is to be
spoken, and makes a minute's confirm-timeout two seconds, so that a commit that nobody confirms can be seen to expire."""
import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time

FETTLE = os.path.join(os.environ["FETTLE_BUILD"], "bin", "fettle")
INTERFACES = '<interfaces xmlns="urn:ietf:params:xml:ns:yang:ietf-interfaces">{}</interfaces>'
INTERFACE = "<interface><name>{}</name><description>{}</description>" \
            '<type xmlns:ianaift="urn:ietf:params:xml:ns:yang:iana-if-type">ianaift:ethernetCsmacd</type></interface>'
RELAY = r'''
import os, select, subprocess, sys
folder = sys.argv[1]
server = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
old, gone = b"urn:ietf:params:netconf:base:1.1", b"urn:ietf:params:netconf:base:9.9"
only_1_0, hasty = os.path.exists(folder + "/only10"), os.path.exists(folder + "/hasty")
log = os.open(folder + "/said", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
ways = {0: server.stdin.fileno(), server.stdout.fileno(): 1}
while ways:
    for fd in select.select(list(ways), [], [])[0]:
        data = os.read(fd, 65536)
        if not data:
            ways = {}
            break
        if only_1_0:
            data = data.replace(old, gone)
        if hasty:
            data = data.replace(b"<confirm-timeout>60<", b"<confirm-timeout>02<")
        os.write(log, data) if fd == 0 else None
        while data:
            data = data[os.write(ways[fd], data):]
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
            ["/usr/sbin/netconfd", "--module=ietf-interfaces", "--module=iana-if-type", "--no-startup", "--target=candidate", f"--superuser={self.user}",
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

    def run_steps(self, steps, rollback=False, dry=False):
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
        done = subprocess.run([FETTLE, "run", path, "--json", "--yes", *(["--dry-run"] if dry else [])], env={**os.environ, "FETTLE_CONFIG": config}, capture_output=True,
                              text=True, timeout=120, check=False)
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")] or [{"type": "none", "error": done.stdout + done.stderr}]

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


def both_framings(w):
    end = w.run("netconf_get", {"source": "running"})
    check("get-config in chunks", end["type"] == "step.done", end)
    check("in chunks", "\n#" in w.server.said() and "\n##\n" in w.server.said(), w.server.said())
    w.server.flag("only10")
    open(f"{w.server.folder}/said", "w", encoding="utf-8").close()
    end = w.run("netconf_get", {"source": "state", "filter": '<netconf-state xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"><capabilities/></netconf-state>'})
    check("get with 1.0", end["type"] == "step.done" and "confirmed-commit" in end["result"]["xml"], end)
    check("without chunks", "\n##\n" not in w.server.said() and w.server.said().count("]]>]]>") >= 2, w.server.said())
    w.server.flag("only10", False)
    end = w.run("netconf_get", {"filter": '<no-such xmlns="urn:nowhere"/>'})
    check("a filter that fits nothing is no error", end["type"] == "step.done" and end["result"]["xml"].strip() == "", end)


def ways_there(w):
    end = w.run("netconf_get", {"device": "nc-2"})
    check("through a jump host", end["type"] == "step.done", end)
    check("two logins", w.server.logins() >= 2, w.server.logins())
    end = w.run("netconf_get", {"device": "nc-3"})
    check("a changed host key", end.get("class") == "unreachable" and "key" in end.get("error", ""), end)


def changes(w):
    end = w.load("one", {"confirm_within": 0})
    check("a plain commit", end["type"] == "step.done" and end["result"]["changed"] and "+" in end["result"]["diff"], end)
    check("it is there", w.description() == "one")
    events = w.run_steps([w.step("config_load", {"lines": [INTERFACES.format(INTERFACE.format("ge-0", "two"))]}, write=True)], dry=True)
    check("a dry run tells the difference", '"two"' in json.dumps(events) or "two</description>" in json.dumps(events), events)
    check("and leaves no trace", w.description() == "one")
    end = w.load("two")
    check("committed, looked at, confirmed", end["type"] == "step.done" and end["result"]["confirmed"], end)
    check("in seconds, and confirmed", "<confirmed/><confirm-timeout>300</confirm-timeout>" in w.server.said() and "<commit></commit>" in w.server.said(), w.server.said()[-1500:])
    check("it stays", w.description() == "two")
    end = w.load("two")
    check("twice is once", end["type"] == "step.done" and end["result"]["changed"] is False, end)


def waiting(w):
    events = w.run_steps([w.step("config_load", {"lines": [INTERFACES.format(INTERFACE.format("ge-0", "three"))], "confirm": "later"}, write=True, name="load"),
                          w.step("config_confirm", {}, write=True, name="confirm")])
    ends = {e["path"]: e for e in events if e.get("type") == "step.done" and e.get("path") in ("load", "confirm")}
    check("left open, then confirmed by its persist-id", "confirm" in ends and ends["load"]["result"]["confirmed"] is False, events[-4:])
    check("confirmed", w.description() == "three")
    w.server.flag("hasty")
    rolled_back = w.server.log().count("replace on session 0 by")
    end = w.load("four", {"confirm": "later", "confirm_within": 1})
    check("left open", end["type"] == "step.done" and end["result"]["confirmed"] is False, end)
    # netconfd breaks sessions that are open while it rolls back (and does not close them): its log is watched instead.
    check("it goes back by itself", wait_for("expiry", lambda: w.server.log().count("replace on session 0 by") > rolled_back, 15))
    check("what nobody confirms goes back", w.description() == "three", w.description())
    end = w.run("config_confirm", {}, write=True)
    check("it cannot be confirmed any more", end["type"] == "step.failed" and end["class"] in ("invalid", "refused"), end)
    w.server.flag("hasty", False)
    w.run_steps([w.step("config_load", {"lines": [INTERFACES.format(INTERFACE.format("ge-0", "five"))], "confirm": "later"}, write=True, undo="auto")], rollback=True)
    check("undo takes back what waits", w.description() == "three", w.description())


def refusals(w):
    end = w.load("six", {"lines": ["<no-such xmlns='urn:nowhere'/>"]})
    check("what the server does not know", end.get("class") == "invalid", end)
    check("nothing stays in the candidate", "ge-0" in json.dumps(w.run("netconf_get", {"source": "candidate"})) and w.description() == "three")
    holder = subprocess.Popen(["ssh", "-p", str(w.server.port), "-i", f"{w.server.folder}/client", "-o", f"UserKnownHostsFile={w.server.folder}/known_hosts", "-o", "BatchMode=yes",
                               "-s", "127.0.0.1", "netconf"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    holder.stdin.write(b'<hello xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"><capabilities><capability>urn:ietf:params:netconf:base:1.0</capability></capabilities></hello>]]>]]>')
    holder.stdin.flush()
    seen = b""
    while b"]]>]]>" not in seen:
        seen += os.read(holder.stdout.fileno(), 65536)
    holder.stdin.write(b'<rpc message-id="1" xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"><lock><target><candidate/></target></lock></rpc>]]>]]>')
    holder.stdin.flush()
    seen = b""
    while b"]]>]]>" not in seen:
        seen += os.read(holder.stdout.fileno(), 65536)
    end = w.load("seven")
    check("somebody else has the lock, and it is said who", end.get("class") == "conflict" and "held by session" in end.get("error", ""), end)
    holder.stdin.close()
    holder.wait()
    holder.stdout.close()
    check("it is free again", w.load("eight")["type"] == "step.done" and w.description() == "eight")


def files(w):
    end = w.run("config_backup", {"file": f"{w.server.folder}/backup.xml"}, write=True)
    check("a backup", end["type"] == "step.done" and end["result"]["bytes"] > 100 and len(end["result"]["sha256"]) == 64, end)
    if end["type"] != "step.done":
        return
    w.load("nine")
    end = w.run("config_diff", {"file": f"{w.server.folder}/backup.xml"})
    check("what differs from it", end["type"] == "step.done" and end["result"]["differs"] and "+" in end["result"]["diff"] and "nine" in end["result"]["diff"], end)
    end = w.run("config_load", {"file": f"{w.server.folder}/backup.xml", "mode": "replace"}, write=True)
    check("the backup loaded again", end["type"] == "step.done" and end["result"]["changed"], end)
    check("it is as it was", w.description() == "eight", w.description())


def main():
    for program in ("/usr/sbin/netconfd", "/usr/sbin/netconf-subsystem", "/usr/sbin/sshd"):
        if not os.path.exists(program):
            print(f"{program} is not installed: nothing to test against")
            return 77
    folder = tempfile.mkdtemp(prefix="fettle-netconf-")
    os.chmod(folder, 0o755)
    server = Server(folder)
    try:
        if not server.start():
            with open(f"{folder}/netconfd.log", encoding="utf-8") as f:
                print("FAILED the servers do not start", f.read()[-2000:])
            return 1
        w = World(server)
        for part in (both_framings, ways_there, changes, waiting, refusals, files):
            part(w)
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{len(failures)} of the checks failed" if failures else "all checks passed")
    return 1 if failures else 0


sys.exit(main())
