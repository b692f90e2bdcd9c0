#!/usr/bin/python3
"""Dead-man commits against a real server: confirmed over a new login once they are verified; what is not proven, locks everybody out, or loses its fettle goes back.

The relay makes the minute that the server is asked for two seconds; fettle believes in the minute."""
import json
import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from netconf_peer import FETTLE, INTERFACE, INTERFACES, check, main, wait_for


def load(w, text, until="result.xml ~= nil", undo="auto", minutes=1):
    step = w.step("config_load", {"lines": [INTERFACES.format(INTERFACE.format("ge-0", text))], "confirm_within": minutes}, write=True, undo=undo)
    step["verify"]["until"] = until
    step["verify"]["with"]["filter"] = INTERFACES.format("<interface><name>ge-0</name></interface>")
    step["verify"]["within"] = "5s"
    return step


def types(events):
    return [e.get("type") for e in events if e.get("path", "it") == "it"]


def last(events, kind):
    return next((e for e in reversed(events) if e.get("type") == kind), {})


def forget_said(w):
    open(f"{w.server.folder}/said", "w", encoding="utf-8").close()


def begin(w):
    check("a plain commit", w.load("one", {"confirm_within": 0})["type"] == "step.done" and w.description() == "one")


def verified_then_confirmed(w):
    forget_said(w)
    logins = w.server.logins()
    events = w.run_steps([load(w, "two")])
    order = types(events)
    check("it is confirmed", "confirm.done" in order and w.description() == "two", events[-4:])
    check("in this order", [t for t in order if t in ("step.answered", "verify.look", "confirm.intended", "confirm.done", "step.done")]
          == ["step.answered", "verify.look", "confirm.intended", "confirm.done", "step.done"], order)
    said = w.server.said()
    check("by its persist-id", said.count("<commit><persist-id>fettle-") == 1 and "<persist>fettle-" in said, said[-900:])
    check("over logins of their own", w.server.logins() - logins >= 4, w.server.logins() - logins)     # the change, the look behind it, the confirmation; and description()
    plan = w.run_steps([load(w, "never")], dry=True)
    check("a plan says after how long it goes back", '"reverts": {"after_s": 60' in json.dumps(plan), plan)


def not_proven(w):
    forget_said(w)
    events = w.run_steps([load(w, "three", until="false")])
    check("not proven, not confirmed", "confirm.intended" not in types(events) and "<persist-id>" in w.server.said() and "<commit><persist-id>" not in w.server.said(), types(events))
    check("and taken back at once", last(events, "undo.done") and w.description() == "two", events[-3:])


def locks_out_at_once(w):
    """Whoever commits it cannot log in any more: the look behind the commit finds that."""
    rollbacks = w.server.rollbacks()
    w.server.lock_out("<confirmed/>")
    events = w.run_steps([load(w, "four")])
    end = last(events, "step.failed")
    check("nobody gets in: taken back over the session that is there", "taken back at once" in end.get("error", ""), events[-3:])
    w.server.let_in()
    check("nothing is left of it", w.description() == "two", (w.description(), rollbacks))


def locks_out_later(w):
    """The look and the verification still pass; the confirmation must not ride on their logins."""
    rollbacks = w.server.rollbacks()
    w.server.flag("hasty")
    path, env = w.prepare([load(w, "five")])
    w.server.lock_out("<filter")                                  # the verification
    run = subprocess.Popen([FETTLE, "run", path, "--yes", "--json"], env=env, stdout=subprocess.PIPE, text=True)
    check("it goes back by itself", wait_for("expiry", lambda: w.server.rollbacks() > rollbacks, 30), w.server.log()[-300:])
    w.server.let_in()
    out, _ = run.communicate(timeout=200)
    w.server.flag("hasty", False)
    events = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    end = last(events, "step.failed")
    check("it was never confirmed", "confirm.intended" in types(events) and "confirm.done" not in types(events), types(events))
    check("and the step says what became of it", end.get("class") == "timeout" and "took it back by itself" in end.get("error", ""), end)
    check("it is as it was", w.description() == "two", w.description())


def killed(w, text, at, hasty):
    """Runs until the event `at`, kill -9, and goes on."""
    rollbacks = w.server.rollbacks()
    w.server.flag("hasty", hasty)
    path, env = w.prepare([load(w, text)])
    run = subprocess.Popen([FETTLE, "run", path, "--yes", "--json"], env=env, stdout=subprocess.PIPE, text=True)
    name = None
    for line in run.stdout:
        event = json.loads(line) if line.startswith("{") else {}
        name = name or event.get("run")
        if event.get("type") == at:
            run.send_signal(signal.SIGKILL)
            break
    run.wait()
    run.stdout.close()
    if hasty:
        check("without fettle it goes back", wait_for("expiry", lambda: w.server.rollbacks() > rollbacks, 30))
    w.server.flag("hasty", False)
    return w.fettle("resume", name, env=env)


def crashes(w):
    events = killed(w, "six", "confirm.intended", True)
    end = last(events, "step.failed")
    check("a fettle that comes back late says so", "took it back by itself" in end.get("error", ""), events[-3:])
    check("and does not confirm or send anything", w.description() == "two", w.description())
    for at in ("step.answered", "confirm.intended"):
        events = killed(w, f"seven-{at}", at, False)
        check(f"killed at {at}: it goes on, and confirms", last(events, "run.finished").get("status") == "finished" and w.description() == f"seven-{at}", events[-3:])


sys.exit(main(begin, verified_then_confirmed, not_proven, locks_out_at_once, locks_out_later, crashes))
