#!/usr/bin/python3
"""The switch plugin over NETCONF, driven by `fettle run`, against a real server (support/netconf_peer.py)."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from netconf_peer import INTERFACE, INTERFACES, check, main, wait_for


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
    rolled_back = w.server.rollbacks()
    end = w.load("four", {"confirm": "later", "confirm_within": 1})
    check("left open", end["type"] == "step.done" and end["result"]["confirmed"] is False, end)
    # netconfd breaks sessions that are open while it rolls back (and does not close them): its log is watched instead.
    check("it goes back by itself", wait_for("expiry", lambda: w.server.rollbacks() > rolled_back, 15))
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


sys.exit(main(both_framings, ways_there, changes, waiting, refusals, files))
