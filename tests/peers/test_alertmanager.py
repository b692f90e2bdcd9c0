#!/usr/bin/env python3
"""notify.alertmanager_*, driven by `fettle run`, against a real Alertmanager: raise, read, silence, take back."""
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import json

sys.path.insert(0, os.path.join(os.environ.get("FETTLE_SOURCE", "."), "tests/support"))
from notices import Notices, free_port   # noqa: E402


class Alertmanager:
    def __init__(self, folder):
        self.url = f"http://127.0.0.1:{free_port()}"
        with open(f"{folder}/am.yml", "w", encoding="utf-8") as f:
            f.write("route: {receiver: none, group_wait: 1s}\nreceivers: [{name: none}]\n")
        self.log = open(f"{folder}/am.log", "w+", encoding="utf-8")
        self.process = subprocess.Popen(["prometheus-alertmanager", f"--config.file={folder}/am.yml", f"--storage.path={folder}/data", f"--web.listen-address={self.url[7:]}",
                                         "--cluster.listen-address="], stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        self.wait(lambda: self.get("/-/ready") is not None, "it does not start")

    def get(self, path):
        try:
            with urllib.request.urlopen(self.url + path, timeout=5) as answer:
                text = answer.read()
                return json.loads(text) if text.startswith((b"[", b"{")) else text
        except (urllib.error.URLError, ConnectionError):
            return None

    def wait(self, holds, why):
        end = time.monotonic() + 20
        while not (got := holds()):
            if time.monotonic() > end or self.process.poll() is not None:
                self.log.seek(0)
                sys.exit(f"FAILED: Alertmanager: {why}: {self.log.read()[-800:]}")
            time.sleep(0.02)                            # the poll of a condition
        return got

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=20)
        self.log.close()


def main():
    if not shutil.which("prometheus-alertmanager"):
        print("prometheus-alertmanager is not installed: nothing to test against")
        return 77
    folder = tempfile.mkdtemp(prefix="fettle-am-")
    server = None
    try:
        server = Alertmanager(folder)
        t = Notices(folder)
        config = {"notify": {"alertmanager": {"url": server.url + "/"}}}
        labels = {"site": "HQ", "vlan": "110"}
        end = t.step(config, "notify.alertmanager_alert", name="PoolFull", labels=labels, annotations={"summary": 'The pool "VLAN 110" is full'}, minutes=60)
        t.check("raised", end["type"] == "step.done", end)
        alerts = server.wait(lambda: server.get("/api/v2/alerts"), "no alert")
        t.check("with its labels", [a["labels"] for a in alerts] == [{"alertname": "PoolFull", **labels}], alerts)
        end = t.step(config, "notify.alertmanager_alerts", undo=None, labels={"site": "HQ"})
        t.check("read back", end["type"] == "step.done" and end["result"]["count"] == 1 and end["result"]["alerts"][0]["name"] == "PoolFull", end)
        end = t.step(config, "notify.alertmanager_alerts", undo=None, labels={"site": 'x" or site="HQ'})
        t.check("no filter can be smuggled in", end["type"] == "step.done" and end["result"]["count"] == 0, end)

        made = t.step(config, "notify.alertmanager_silence", labels={"site": "HQ"}, patterns={"vlan": "11."}, minutes=30, comment="Firmware")
        t.check("silenced", made["type"] == "step.done", made)
        server.wait(lambda: server.get("/api/v2/alerts")[0]["status"]["state"] == "suppressed", "the silence does not hold")
        end = t.step(config, "notify.alertmanager_alerts", undo=None)
        t.check("by this silence", end["result"]["alerts"][0]["silenced_by"] == [made["result"]["silence_id"]], end)
        end = t.step(config, "notify.alertmanager_silence_expire", silence_id=made["result"]["silence_id"])
        t.check("its end", end["type"] == "step.done", end)
        server.wait(lambda: server.get("/api/v2/alerts")[0]["status"]["state"] == "active", "the silence holds still")
        end = t.step(config, "notify.alertmanager_silence_expire", silence_id="00000000-0000-4000-8000-000000000000")
        t.check("a silence that is not there", end.get("class") == "not_found", end)
        end = t.step(config, "notify.alertmanager_silence", patterns={"vlan": "("}, minutes=30, comment="bad")
        t.check("a pattern that is none", end.get("class") == "invalid", end)

        status, events = t.run(config, [("notify.alertmanager_silence", {"labels": {"site": "B1"}, "minutes": 30, "comment": "Change"}, "auto"),
                                        ("notify.alertmanager_alert", {"name": "Changing", "labels": {"site": "B1"}, "minutes": 60}, "auto"),
                                        ("notify.alertmanager_silence_expire", {"silence_id": "00000000-0000-4000-8000-000000000001"}, "none")])
        t.check("a run that fails takes both back", status == 5, (status, events[-3:]))
        states = [s["status"]["state"] for s in server.get("/api/v2/silences") if any(m["value"] == "B1" for m in s["matchers"])]
        t.check("the silence is over", states == ["expired"], states)
        server.wait(lambda: not [a for a in server.get("/api/v2/alerts") if a["labels"]["alertname"] == "Changing"], "the alert holds still")
        server.stop()
        end = t.step(config, "notify.alertmanager_alerts", undo=None)
        t.check("nobody listens", end.get("class") == "unreachable", end)
        print(f"{len(t.failures)} of the checks failed" if t.failures else "all checks passed")
        return 1 if t.failures else 0
    finally:
        if server and server.process.poll() is None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


sys.exit(main())
