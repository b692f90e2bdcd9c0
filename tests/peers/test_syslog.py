#!/usr/bin/env python3
"""notify.syslog, driven by `fettle run`, against a real rsyslog: TCP with octet counting, TLS, UDP; every field as rsyslog understood it."""
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.environ.get("FETTLE_SOURCE", "."), "tests/support"))
from notices import Notices, free_port   # noqa: E402

TEXT = "Pool „VLAN 110“ voll:\n38 von 40 \\ ] \" %s"


def certificate(folder, name):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.pem",
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"], capture_output=True, check=True)


class Rsyslog:
    def __init__(self, folder):
        self.tcp, self.tls, self.udp = free_port(), free_port(), free_port(socket.SOCK_DGRAM)
        self.out = f"{folder}/out.json"
        with open(f"{folder}/rsyslog.conf", "w", encoding="utf-8") as f:
            f.write(f"""global(workDirectory="{folder}" defaultNetstreamDriverCAFile="{folder}/ca.pem" defaultNetstreamDriverCertFile="{folder}/ca.pem" defaultNetstreamDriverKeyFile="{folder}/ca.key" parser.escapeControlCharactersOnReceive="off" maxMessageSize="64k")
module(load="imudp") module(load="imptcp")
module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="anon")
template(name="json" type="list" option.jsonf="on") {{
  property(outname="pri" name="pri" format="jsonf")
  property(outname="ts" name="timereported" dateFormat="rfc3339" format="jsonf")
  property(outname="host" name="hostname" format="jsonf")
  property(outname="app" name="app-name" format="jsonf")
  property(outname="procid" name="procid" format="jsonf")
  property(outname="msgid" name="msgid" format="jsonf")
  property(outname="sd" name="structured-data" format="jsonf")
  property(outname="msg" name="msg" format="jsonf")
  property(outname="in" name="inputname" format="jsonf")
}}
ruleset(name="all") {{ action(type="omfile" file="{self.out}" template="json") }}
input(type="imptcp" address="127.0.0.1" port="{self.tcp}" ruleset="all" name="tcp")
input(type="imtcp" address="127.0.0.1" port="{self.tls}" ruleset="all" name="tls")
input(type="imudp" address="127.0.0.1" port="{self.udp}" ruleset="all" name="udp")
""")
        self.log = open(f"{folder}/rsyslog.log", "w+", encoding="utf-8")
        self.process = subprocess.Popen(["rsyslogd", "-n", "-i", f"{folder}/r.pid", "-f", f"{folder}/rsyslog.conf"], stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        for port in (self.tcp, self.tls):
            self.wait(lambda port=port: self.listens(port), "rsyslog does not listen")

    @staticmethod
    def listens(port):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) == 0

    def wait(self, holds, why):
        end = time.monotonic() + 20
        while not (got := holds()):
            if time.monotonic() > end or self.process.poll() is not None:
                self.log.seek(0)
                sys.exit(f"FAILED: {why}: {self.log.read()[-800:]}")
            time.sleep(0.02)                            # the poll of a condition
        return got

    def lines(self):
        if not os.path.exists(self.out):
            return []
        with open(self.out, encoding="utf-8", errors="replace") as f:
            return [json.loads(line) for line in f if line.endswith("\n")]

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=20)
        self.log.close()


def sends(t, server, config, way):
    had = len(server.lines())
    end = t.step({"notify": {"syslog": config}}, "notify.syslog", text=TEXT, severity="warning", msgid="LEASES", data={"client": "a4:83", "path": 'a"b\\c]', "vlan": 110})
    t.check(f"{way}: sent", end["type"] == "step.done" and end["result"]["transport"] == config["transport"] and not end["result"]["acknowledged"], end)
    if end["type"] != "step.done":
        return
    got = server.wait(lambda: server.lines()[had:], f"{way}: nothing came")[0]
    t.check(f"{way}: facility and severity", got["pri"] == str(20 * 8 + 4), got)
    t.check(f"{way}: names", (got["host"], got["app"], got["msgid"], got["in"]) == ("fettle01", "fettle", "LEASES", way), got)
    t.check(f"{way}: the run is its process", got["procid"] == end["run"], (got, end["run"]))
    t.check(f"{way}: the text, UTF-8 with its mark", got["msg"].lstrip("\ufeff") == TEXT and got["msg"][0] == "\ufeff", repr(got["msg"]))
    t.check(f"{way}: structured data", got["sd"] == f'[fettle@32473 run="{end["run"]}" client="a4:83" path="a\\"b\\\\c\\]" vlan="110"]', got["sd"])
    t.check(f"{way}: the time", got["ts"].startswith("20") and ("Z" in got["ts"] or "+00:00" in got["ts"]), got["ts"])


def main():
    if not shutil.which("rsyslogd") or not os.path.exists("/usr/lib/x86_64-linux-gnu/rsyslog/lmnsd_gtls.so"):
        print("rsyslog with GnuTLS is not installed: nothing to test against")
        return 77
    folder = tempfile.mkdtemp(prefix="fettle-syslog-")
    server = None
    try:
        certificate(folder, "ca")
        certificate(folder, "other")
        server = Rsyslog(folder)
        t = Notices(folder)
        base = {"host": "127.0.0.1", "hostname": "fettle01", "facility": "local4"}
        sends(t, server, {**base, "transport": "tcp", "port": server.tcp}, "tcp")
        sends(t, server, {**base, "host": "localhost", "transport": "tls", "port": server.tls, "ca_file": f"{folder}/ca.pem"}, "tls")
        sends(t, server, {**base, "transport": "udp", "port": server.udp}, "udp")
        had = len(server.lines())
        for what, config in (("a certificate of somebody else", {"host": "localhost", "port": server.tls, "ca_file": f"{folder}/other.pem"}),
                             ("a certificate for another name", {"port": server.tls, "ca_file": f"{folder}/ca.pem"})):
            end = t.step({"notify": {"syslog": {**base, **config}}}, "notify.syslog", text="x")
            t.check(what, end["type"] == "step.failed" and end["class"] == "unreachable", end)
        end = t.step({"notify": {"syslog": {**base, "transport": "udp", "port": server.udp}}}, "notify.syslog", text="x" * 2048)
        t.check("too large for a datagram", end.get("class") == "invalid", end)
        t.check("nothing of it arrived", [m for m in server.lines()[had:] if "x" in m["msg"] and m["app"] == "fettle"] == [], server.lines()[had:])
        server.stop()
        end = t.step({"notify": {"syslog": {**base, "transport": "tcp", "port": server.tcp}}}, "notify.syslog", text="x")
        t.check("nobody listens", end.get("class") == "unreachable", end)
        print(f"{len(t.failures)} of the checks failed" if t.failures else "all checks passed")
        return 1 if t.failures else 0
    finally:
        if server and server.process.poll() is None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


sys.exit(main())
