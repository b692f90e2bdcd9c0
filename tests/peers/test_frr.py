#!/usr/bin/python3
"""The switch plugin by its command line, driven by `fettle run`, against a real one: FRR's vtysh behind a real sshd, by both SSH libraries.

All of it lives in a network and a process namespace that the script puts itself into: when it ends, in whatever way, nothing of it is left.
The switch has two ports, ge-0-0-0 and ge-0-0-1, which are the ends of one cable. A second sshd is the gate to log in on first."""
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time

FETTLE = os.path.join(os.environ["FETTLE_BUILD"], "bin", "fettle")
FRR = "/usr/lib/frr"
SWITCH, GATE = "10.98.0.1", "10.98.0.2"
NETCLI = """#!/bin/sh
cd {folder}
export VTYSH_HISTFILE={folder}/history VTYSH_PAGER=cat
if [ -n "$SSH_ORIGINAL_COMMAND" ]; then
    echo "$SSH_ORIGINAL_COMMAND" >> {folder}/typed
    exec vtysh --config_dir {folder}/frr --vty_socket {folder}/run -c "$SSH_ORIGINAL_COMMAND"
fi
[ -e {folder}/victim ] && exec {python} {folder}/killer.py vtysh --config_dir {folder}/frr --vty_socket {folder}/run
exec vtysh --config_dir {folder}/frr --vty_socket {folder}/run
"""
# Stands between sshd's terminal and vtysh: the line in the file `victim` reaches vtysh when zebra has just been killed.
KILLER = """import os, pty, select, signal, sys, time
folder = os.path.dirname(sys.argv[0])
with open(folder + "/victim") as f:
    words = f.read().encode()
os.unlink(folder + "/victim")
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
import tty
tty.setraw(0)
ways = {0: fd, fd: 1}
while ways:
    for source in select.select(list(ways), [], [])[0]:
        try:
            data = os.read(source, 65536)
        except OSError:
            data = b""
        if not data:
            sys.exit()
        if source == 0 and words in data:
            with open(folder + "/run/zebra.pid") as f:
                zebra = int(f.read())
            os.kill(zebra, signal.SIGKILL)
            try:
                while open("/proc/%d/stat" % zebra).read().rpartition(")")[2].split()[0] not in "ZX":
                    time.sleep(0.001)
            except OSError:
                pass
        os.write(ways[source], data)
"""
failures = []


def check(what, holds, seen=""):
    if not holds:
        failures.append(what)
        print(f"FAILED {what}: {str(seen)[:1200]}", flush=True)


def wait_for(holds, seconds=15):
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def sh(line):
    subprocess.run(line, shell=True, check=True)


def write(path, text, mode=0o644):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, mode)


def read(path):
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()


class Switch:
    def __init__(self, folder):
        self.folder = folder
        self.children = {}
        for name in ("hostkey", "gatekey", "client", "stranger"):
            sh(f"ssh-keygen -q -t ed25519 -N '' -C test -f {folder}/{name}")
        shutil.copy(f"{folder}/client.pub", f"{folder}/authorized_keys")
        write(f"{folder}/known_hosts", f"{SWITCH} {read(folder + '/hostkey.pub')}{GATE} {read(folder + '/gatekey.pub')}")
        write(f"{folder}/changed_hosts", f"{SWITCH} {read(folder + '/gatekey.pub')}")
        write(f"{folder}/no_hosts", "")
        write(f"{folder}/netcli", NETCLI.format(folder=folder, python=sys.executable), 0o755)
        write(f"{folder}/killer.py", KILLER)
        for name in ("frr", "run"):
            os.mkdir(f"{folder}/{name}")
        for name, text in (("vtysh.conf", ""), ("zebra.conf", "hostname sw-frr\n"), ("staticd.conf", "")):
            write(f"{folder}/frr/{name}", text)
        sh(f"chown -R frr:frr {folder}/frr {folder}/run")

    def start(self):
        sh(f"ip link set lo up; ip addr add {SWITCH}/32 dev lo; ip addr add {GATE}/32 dev lo")
        sh("ip link add ge-0-0-0 type veth peer name ge-0-0-1; ip link set ge-0-0-0 up; ip link set ge-0-0-1 up")
        os.makedirs("/run/sshd", exist_ok=True)
        self.sshd("switch", SWITCH, "hostkey", f"ForceCommand {self.folder}/netcli\n")
        self.sshd("gate", GATE, "gatekey", "")
        for name in ("zebra", "staticd"):
            self.daemon(name)
        self.version = self.vtysh("show version").split()[1]

    def sshd(self, name, address, key, more):
        locked = subprocess.run(["getent", "shadow", "root"], capture_output=True, text=True, check=False).stdout.split(":")[1:2] == ["!"]
        write(f"{self.folder}/{name}.conf", f"ListenAddress {address}\nHostKey {self.folder}/{key}\nAuthorizedKeysFile {self.folder}/authorized_keys\n"
              f"StrictModes no\nUsePAM {'yes' if locked else 'no'}\nPidFile none\nPermitRootLogin prohibit-password\nKbdInteractiveAuthentication no\n"
              f"LogLevel VERBOSE\nSetEnv SHLVL=2\n{more}")
        self.children[name] = subprocess.Popen(["/usr/sbin/sshd", "-D", "-f", f"{self.folder}/{name}.conf", "-E", f"{self.folder}/{name}.log"],
                                               stdin=subprocess.DEVNULL)
        if not wait_for(lambda: "listening on" in read(f"{self.folder}/{name}.log")):
            sys.exit(f"sshd {name} did not start: {read(f'{self.folder}/{name}.log')}")

    def daemon(self, name):
        with open(f"{self.folder}/{name}.log", "a", encoding="utf-8") as log:
            self.children[name] = subprocess.Popen(
                [f"{FRR}/{name}", "-f", f"{self.folder}/frr/{name}.conf", "-i", f"{self.folder}/run/{name}.pid", "-z", f"{self.folder}/run/zserv.api",
                 "--vty_socket", f"{self.folder}/run", "-P", "0"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if not wait_for(lambda: f"{name}" in self.vtysh("show daemons")):
            sys.exit(f"{name} did not start: {read(f'{self.folder}/{name}.log')}")

    def kill(self, name):
        self.children[name].kill()
        self.children[name].wait()

    def vtysh(self, *commands):
        return subprocess.run(["vtysh", "--config_dir", f"{self.folder}/frr", "--vty_socket", f"{self.folder}/run", *(x for c in commands for x in ("-c", c))],
                              capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL).stdout

    def running(self):
        return self.vtysh("show running-config")

    def sessions(self):
        """sshd's processes for those who are logged in on the switch."""
        parents = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            fields = read(f"/proc/{pid}/stat").rsplit(")", 1)[-1].split()
            if len(fields) > 1 and "(sshd)" in read(f"/proc/{pid}/stat"):
                parents.setdefault(int(fields[1]), []).append(int(pid))
        found, new = [], parents.get(self.children["switch"].pid, [])
        while new:
            found += new
            new = [child for pid in new for child in parents.get(pid, [])]
        return found

    def logins(self, name="switch"):
        return read(f"{self.folder}/{name}.log").count("Accepted publickey")


class World:
    def __init__(self, switch, library):
        self.switch, self.library, self.number = switch, library, 0

    def step(self, action, params, undo=None, name="it", **more):
        step = {"id": name, "run": f"switch.{action}", "with": {"device": "sw-frr", **params}, **more}
        if undo:
            step["undo"] = undo
            step.setdefault("verify", {"run": "switch.facts", "with": {"device": "sw-frr"}, "until": "result.version ~= nil", "every": "1s", "within": "10s"})
        return step

    def begin(self, steps, rollback=False, dry=False, **device):
        """The process of a run, and how often the switch and the gate had been logged in on before."""
        self.number += 1
        f = self.switch.folder
        config, path = f"{f}/fettle.yaml", f"{f}/{self.library}-{self.number}.yaml"
        write(config, json.dumps({"fettle": 1, "store": f"{f}/{self.library}-{self.number}.db", "plugins": {"switch": {
            "defaults": {"user": "root", "key_file": f"{f}/client", "known_hosts": f"{f}/known_hosts", "vendor": "frr"},
            "devices": {"sw-frr": {"host": SWITCH, "library": self.library, **device}}}}}))
        steps[-1]["then"] = "over"
        write(path, json.dumps({"fettle": 1, "name": f"frr-{self.library}-{self.number}", "title": "steps", "category": "change", "severity": "P4", "steps": steps,
                                "outcomes": {"over": {"title": "over", **({"rollback": True} if rollback else {})}}}))
        return subprocess.Popen([FETTLE, "run", path, "--json", "--yes", *(["--dry-run"] if dry else [])], env={**os.environ, "FETTLE_CONFIG": config},
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def end(self, run):
        out, errors = run.communicate(timeout=60)
        if "Sanitizer" in errors:
            check("no report of a sanitizer", False, errors)
        return [json.loads(line) for line in out.splitlines() if line.startswith("{")] or [{"type": "none", "error": out + errors}]

    def run_steps(self, steps, **how):
        return self.end(self.begin(steps, **how))

    def run_all(self, *steps):
        """In one run, one after the other, those that fail too; gives their ends."""
        for number, step in enumerate(steps):
            step["id"] = f"s{number}"
            if number + 1 < len(steps):
                step["on_error"] = f"s{number + 1}"
        events = self.run_steps(list(steps))
        return [end_of(events, step["id"]) for step in steps]

    def run(self, action, params, undo=None, **how):
        """One step; its end."""
        events = self.run_steps([self.step(action, params, undo)], **how)
        return end_of(events, "it")


def end_of(events, name):
    return ([e for e in events if e.get("type") in ("step.done", "step.failed", "step.unknown", "run.parked") and e.get("path") == name] or events)[-1]


def result(events, name):
    return end_of(events, name).get("result") or {}


def reads(w):
    before = w.switch.logins()
    events = w.run_steps([w.step("facts", {}, name="facts"), w.step("interfaces", {}, name="ports"), w.step("interface", {"port": "ge-0-0-0"}, name="port"),
                          w.step("vlan_of_port", {"port": "ge-0-0-0"}, name="vlan"), w.step("show", {"command": "show interface brief"}, name="text"),
                          w.step("show", {"command": "show interface", "format": "json"}, name="json"), w.step("show", {"command": "show running-config"}, name="config")])
    r = result(events, "facts")
    check("facts", r.get("version") == w.switch.version and r.get("model") == "FRRouting" and r.get("hostname"), end_of(events, "facts"))
    ports = {p["name"]: p for p in result(events, "ports").get("interfaces", [])}
    check("the ports", set(ports) == {"lo", "ge-0-0-0", "ge-0-0-1"} and ports["ge-0-0-0"]["admin_up"] and ports["ge-0-0-0"]["oper_up"], end_of(events, "ports"))
    r = result(events, "port")
    check("one port", r.get("oper_up") is True and r["speed_mbps"] == 10000 and r["mode"] == "routed" and r["vlan"] is None, end_of(events, "port"))
    check("a routed port has no VLAN", result(events, "vlan").get("mode") == "routed" and result(events, "vlan")["vlan"] is None, end_of(events, "vlan"))
    check("text", "ge-0-0-0" in result(events, "text").get("text", "") and result(events, "text")["json"] is None, end_of(events, "text"))
    check("structure", (result(events, "json").get("json") or {}).get("ge-0-0-0", {}).get("type") == "Ethernet", end_of(events, "json"))
    check("the configuration", "frr version" in result(events, "config").get("text", ""), end_of(events, "config"))
    check("one login for all steps of a run", w.switch.logins() - before == 1, w.switch.logins() - before)


def wrong_questions(w):
    asked = (("show", {"command": "show bogus"}, "invalid", "sw-frr answered 'show bogus' with: Unknown command: show bogus"),
             ("show", {"command": "show interface ge-9-9-9"}, "not_found", "Can't find interface ge-9-9-9"),
             ("interface", {"port": "ge-9-9-9"}, "not_found", "there is no port ge-9-9-9"),
             ("show", {"command": "show running-config | sh"}, "invalid", "it pipes into something other than a filter"),
             ("show", {"command": "configure terminal"}, "invalid", "it does not begin with 'show '"),
             ("mac_table", {}, "invalid", "not supported on frr"), ("lldp_neighbors", {}, "invalid", "not supported on frr"),
             ("poe", {"port": "ge-0-0-0"}, "invalid", "not supported on frr"), ("errors", {}, "invalid", "not supported on frr"),
             ("config_rollback", {"to": 1}, "invalid", "not supported on frr"), ("config_confirm", {}, "invalid", "not supported on frr"),
             ("set_vlan", {"port": "ge-0-0-0", "vlan": 110, "force": True}, "invalid", "not supported on frr"),
             ("configure", {**lines("x"), "confirm": "later"}, "invalid", "not supported on frr"))
    ends = w.run_all(*(w.step(action, params, "none" if action.startswith(("config", "set")) else None) for action, params, _, _ in asked))
    for (action, params, kind, words), end in zip(asked, ends):
        check(f"{action} {params}", end.get("class") == kind and words in end.get("error", ""), end)


def lines(*words):
    return {"lines": ["interface ge-0-0-0", f"description {' '.join(words)}", "exit"]}


def changes(w):
    route = "ip route 10.1.0.0/16 Null0"
    wanted = {"lines": ["interface ge-0-0-0", "description uplink to 3F", "exit", route]}
    was = w.switch.running()
    check("nothing there before", "uplink" not in was and route not in was, was)
    events = w.run_steps([w.step("configure", wanted, "none")], dry=True)
    check("a dry run tells the lines", all(json.dumps(line) in json.dumps(events) for line in ["configure terminal", *wanted["lines"], "end", "write memory"]), events)
    check("and changes nothing", w.switch.running() == was)
    before = w.switch.logins()
    end = w.run("configure", wanted, "none")
    check("configured", end["type"] == "step.done" and end["result"]["changed"] and route in end["result"]["diff"], end)
    check("it is in force", route in w.switch.running() and " description uplink to 3F" in w.switch.running(), w.switch.running())
    check("and saved", route in read(f"{w.switch.folder}/frr/staticd.conf") and "uplink" in read(f"{w.switch.folder}/frr/zebra.conf"))
    check("plan, change, verification: one login", w.switch.logins() - before == 1, w.switch.logins() - before)
    back = {"run": "switch.configure", "with": {"device": "sw-frr", "lines": ["interface ge-0-0-0", "description uplink to 3F"]}}
    events = w.run_steps([w.step("configure", lines("another"), back)], rollback=True)
    check("the step's own undo", " description uplink to 3F" in w.switch.running() and "another" in json.dumps(events), events)
    events = w.run_steps([w.step("configure", lines("another"), "auto")], rollback=True)
    check("no undo by itself, and it is said", "taking it back is not supported on frr" in json.dumps(events), events)
    end = w.run("configure", {"lines": ["interface ge-0-0-0", "no description", "exit", "no " + route]}, "none")
    check("as it was", end["type"] == "step.done" and w.switch.running() == was, (end, w.switch.running()))


def half_a_change(w):
    half, lacks, wrong = w.run_all(*(w.step("configure", {"lines": text}, "none") for text in (
        ["interface ge-0-0-0", "description half", "bogus line"], ["ip route 10.1.0.0/16"], ["ip route 10.1.0.0/99 Null0"])))
    check("a line that is refused", half.get("class") == "invalid" and half["error"] == "sw-frr answered 'bogus line' with: % Unknown command: bogus line", half)
    check("leaves those before it in force", " description half" in w.switch.running())
    check("and nothing saved", "half" not in read(f"{w.switch.folder}/frr/zebra.conf"))
    check("a line that lacks something", lacks.get("class") == "invalid" and "incomplete" in lacks["error"], lacks)
    check("a line that FRR does not take", wrong.get("class") == "invalid" and "Unknown command" in wrong["error"], wrong)
    w.switch.vtysh("configure terminal", "interface ge-0-0-0", "no description")
    folder = f"{w.switch.folder}/frr"
    sh(f"chown root:root {folder}; chmod 700 {folder}")
    end = w.run("configure", lines("not saved"), "none")
    sh(f"chown frr:frr {folder}; chmod 755 {folder}")
    check("it cannot be saved", end.get("class") == "refused" and "Can't open configuration file" in end["error"] and "in force, but not saved" in end["error"], end)
    w.switch.vtysh("configure terminal", "interface ge-0-0-0", "no description")


def files(w):
    f = f"{w.switch.folder}/{w.library}"
    was = w.switch.running()
    end = w.run("config_backup", {"file": f"{f}.conf"}, "none")
    check("a backup", end["type"] == "step.done" and end["result"]["bytes"] == len(read(f"{f}.conf")) > 50 and "hostname sw-frr" in read(f"{f}.conf"), end)
    end = w.run("config_diff", {"file": f"{f}.conf"})
    check("no difference", end["type"] == "step.done" and end["result"]["differs"] is False, end)
    write(f"{f}.lines", "! what is new\ninterface ge-0-0-1\n description from a file\nexit\nip route 10.3.0.0/16 Null0\n")
    events = w.run_steps([w.step("config_load", {"file": f"{f}.lines"}, "none")], dry=True)
    check("a dry run tells what is loaded", "description from a file" in json.dumps(events) and w.switch.running() == was, events)
    end = w.run("config_load", {"file": f"{f}.lines"}, "none")
    check("loaded", end["type"] == "step.done" and end["result"]["changed"] and "description from a file" in w.switch.running(), end)
    end = w.run("config_diff", {"file": f"{f}.conf"})
    check("the difference", end["type"] == "step.done" and end["result"]["added"] >= 2 and "+ip route 10.3.0.0/16 Null0" in end["result"]["diff"], end)
    end = w.run("config_load", {"file": f"{f}.conf"}, "none")
    check("a whole backup can be loaded, merged", end["type"] == "step.done" and "10.3.0.0" in w.switch.running(), end)
    end = w.run("config_load", {"file": f"{f}.conf", "mode": "replace"}, "none")
    check("but not replace", end.get("class") == "invalid", end)
    w.switch.vtysh("configure terminal", "interface ge-0-0-1", "no description", "exit", "no ip route 10.3.0.0/16 Null0")
    check("as it was", w.switch.running() == was, w.switch.running())


def admin_up(w):
    return json.loads(w.switch.vtysh("show interface ge-0-0-0 json"))["ge-0-0-0"]["administrativeStatus"] == "up"


def ports(w):
    port, forced = {"port": "ge-0-0-0"}, {"port": "ge-0-0-0", "force": True}
    events = w.run_steps([w.step("port_disable", forced, "auto")], dry=True)
    check("a dry run", '"shutdown"' in json.dumps(events) and admin_up(w), events)
    guarded, off = w.run_all(w.step("port_disable", port, "auto"), w.step("port_disable", forced, "auto"))
    check("nobody knows whether it is an uplink", guarded.get("class") == "refused" and "force: true" in guarded["error"], guarded)
    check("turned off", off["type"] == "step.done" and off["result"]["changed"] and not admin_up(w) and " shutdown" in w.switch.running(), off)
    again, seen, on, bounce = w.run_all(w.step("port_disable", forced, "auto"), w.step("interface", port), w.step("port_enable", port, "auto"),
                                        w.step("port_bounce", {**forced, "off_s": 1}, "none"))
    check("twice is once", again["type"] == "step.done" and not (again.get("result") or {}).get("changed"), again)
    check("seen as off", seen["result"]["admin_up"] is False and seen["result"]["oper_up"] is False, seen)
    check("turned on", on["type"] == "step.done" and on["result"]["changed"] and " shutdown" not in w.switch.running(), on)
    check("off and on", bounce["type"] == "step.done" and admin_up(w), bounce)
    events = w.run_steps([w.step("port_disable", forced, "auto")], rollback=True)
    check("undo turns it on again", admin_up(w) and "rolled" in json.dumps(events), events)


def who_is_who(w):
    f = w.switch.folder
    for what, device, classes, words in (("another host key", {"known_hosts": f"{f}/changed_hosts"}, "unreachable", "host key"),
                                         ("an unknown host key", {"known_hosts": f"{f}/no_hosts"}, "unreachable", "host key"),
                                         ("a key that nobody knows", {"key_file": f"{f}/stranger"}, "denied", ""),
                                         ("nobody there", {"port": 9}, "unreachable", "")):
        before = w.switch.logins()
        end = w.run("facts", {}, **device)
        check(what, end.get("class") == classes and words in end.get("error", "") and "sw-frr" in end["error"] and w.switch.logins() == before, end)


def through_the_gate(w):
    before = w.switch.logins(), w.switch.logins("gate")
    events = w.run_steps([w.step("facts", {}, name="facts"), w.step("configure", lines("through the gate"), "none", name="change"),
                          w.step("interface", {"port": "ge-0-0-0"}, name="port")], jump={"host": GATE})
    check("read through the gate", result(events, "facts").get("version") == w.switch.version, events)
    check("changed through the gate", result(events, "port").get("description") == "through the gate", events)
    after = w.switch.logins(), w.switch.logins("gate")
    check("one login on each of the two", after == (before[0] + 1, before[1] + 1), (before, after))
    end = w.run("facts", {}, jump={"host": GATE, "key_file": f"{w.switch.folder}/stranger"})
    check("the gate does not know us", end.get("class") == "denied" and GATE in end["error"], end)
    end = w.run("facts", {}, jump={"host": GATE, "known_hosts": f"{w.switch.folder}/changed_hosts"})
    check("the gate is another one", end.get("class") == "unreachable" and "host key" in end["error"] and GATE in end["error"], end)
    end = w.run("facts", {}, jump={"host": GATE}, host="10.98.0.9")
    check("nobody behind the gate", end.get("class") == "unreachable" and "10.98.0.9" in end["error"], end)
    w.switch.vtysh("configure terminal", "interface ge-0-0-0", "no description")


def keepalive(w):
    """The switch falls silent in the middle of an answer: sshd's process for us is stopped, and so is zebra, for which vtysh waits."""
    w.switch.children["zebra"].send_signal(signal.SIGSTOP)
    began, typed = time.monotonic(), read(f"{w.switch.folder}/typed")
    run = w.begin([w.step("show", {"command": "show interface"})], keepalive_s=1)
    wait_for(lambda: read(f"{w.switch.folder}/typed") != typed)
    session = w.switch.sessions()
    for pid in session:
        os.kill(pid, signal.SIGSTOP)
    end = end_of(w.end(run), "it")
    check("a silent connection is noticed", end.get("class") == "unreachable" and "sw-frr" in end["error"] and time.monotonic() - began < 20, end)
    for pid in session:
        os.kill(pid, signal.SIGCONT)
    w.switch.children["zebra"].send_signal(signal.SIGCONT)


def a_daemon_away(w):
    route = "ip route 10.4.0.0/16 Null0"
    w.switch.kill("staticd")
    end = w.run("configure", {"lines": ["interface ge-0-0-0", "description before it", "exit", route]}, "none")
    check("a line for a daemon that is away", end.get("class") == "refused" and "staticd is not running" in end["error"] and f"'{route}'" in end["error"], end)
    check("did not happen", route not in w.switch.running() and "before it" in w.switch.running())
    w.switch.daemon("staticd")
    write(f"{w.switch.folder}/victim", "description the last words")
    seen = {"run": "switch.interface", "with": {"device": "sw-frr", "port": "ge-0-0-1"}, "until": "result.description == 'too late'", "every": "1s", "within": "1s"}
    events = w.run_steps([w.step("configure", {"lines": ["interface ge-0-0-0", "description the last words", "exit", "interface ge-0-0-1", "description too late"]},
                                 "none", verify=seen)])
    why = [e["why"] for e in events if e["type"] == "doubt.opened"]
    check("zebra away in the middle: nobody knows, and that is said", why and "sw-frr answered '" in why[0] and "Warning: c" in why[0] and "to zebra" in why[0],
          [(e["type"], e.get("why", e.get("error"))) for e in events])
    w.switch.kill("zebra")
    end = w.run("interfaces", {})
    check("zebra is away", end.get("class") == "refused" and "zebra is not running" in end["error"], end)
    end = w.run("config_backup", {"file": f"{w.switch.folder}/{w.library}-half.conf"}, "none")
    check("half a configuration is no backup", end["type"] == "step.failed" and "zebra" in end["error"], end)
    end = w.run("config_diff", {"file": f"{w.switch.folder}/netcli"})
    check("nor is it compared", end["type"] == "step.failed" and "zebra" in end["error"], end)
    w.switch.kill("staticd")
    end = w.run("facts", {})
    check("nobody is at home", end.get("class") == "unreachable" and "failed to connect to any daemons" in end["error"], end)
    for name in ("zebra", "staticd"):
        w.switch.daemon(name)
    w.switch.vtysh("configure terminal", "interface ge-0-0-0", "no description")


def main():
    for program in (f"{FRR}/zebra", f"{FRR}/staticd", "/usr/bin/vtysh", "/usr/sbin/sshd"):
        if not os.path.exists(program):
            print(f"{program} is not installed: nothing to test against")
            return 77
    if os.getuid() != 0:
        print("zebra needs root: nothing to test against")
        return 77
    if "FETTLE_FRR_INSIDE" not in os.environ:
        os.environ["FETTLE_FRR_INSIDE"] = "1"
        if subprocess.run(["unshare", "--net", "--pid", "--mount-proc", "--fork", "true"], stderr=subprocess.DEVNULL, check=False).returncode:
            print("no network namespace may be made here: zebra would touch this machine's routes")
            return 77
        os.execvp("unshare", ["unshare", "--net", "--pid", "--mount-proc", "--fork", "--kill-child=KILL", sys.executable, __file__, *sys.argv[1:]])
    folder = tempfile.mkdtemp(prefix="fettle-frr-")
    os.chmod(folder, 0o755)
    switch = Switch(folder)
    try:
        switch.start()
        for library, parts in PARTS.items():
            w = World(switch, library)
            for part in [p for p in parts if p.__name__ in sys.argv[1:] or not sys.argv[1:]]:
                had, began = len(failures), time.monotonic()
                part(w)
                took = f"{time.monotonic() - began:.1f} s" if os.environ.get("FETTLE_TIMES") else ""
                if len(failures) > had or took:
                    print(f"({library}, {part.__name__}) {took}", flush=True)
    finally:
        for child in switch.children.values():
            child.kill()
            child.wait()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{len(failures)} of the checks failed" if failures else "all checks passed")
    return 1 if failures else 0


PARTS = {"libssh2": (reads, wrong_questions, changes, half_a_change, files, ports, who_is_who, through_the_gate, keepalive, a_daemon_away),
         "libssh": (reads, changes, who_is_who, through_the_gate)}      # vtysh is the same whoever carries it
sys.exit(main())
