#!/usr/bin/env python3
"""The command line as a person meets it: on a terminal (a pty), in a pipe, and with the wrong words."""
import json, os, pty, re, select, shutil, signal, subprocess, sys, tempfile, time

BUILD = os.environ.get("FETTLE_BUILD", "build/asan")
FETTLE = f"{BUILD}/bin/fettle"
DIR = tempfile.mkdtemp(prefix="fettle-cli-")
failed = []
checks = 0


def expect(what, ok, more=""):
    global checks
    checks += 1
    if not ok:
        failed.append(what)
        print(f"FAILED  {what} {more}")


def write(name, text):
    with open(f"{DIR}/{name}", "w") as f:
        f.write(text)


def prepare():
    os.makedirs(f"{DIR}/home/plugins")
    shutil.copy(f"{BUILD}/test-plugins/sim.so", f"{DIR}/home/plugins/sim.so")
    for name in ("lua", "schemas"):
        os.symlink(os.path.realpath(f"{BUILD}/{name}"), f"{DIR}/home/{name}")
    os.environ.update(FETTLE_HOME=f"{DIR}/home", HOME=DIR, FETTLE_CONFIG=f"{DIR}/fettle.yaml", ASAN_OPTIONS="detect_leaks=0", TERM="xterm", COLUMNS="80")
    write("fettle.yaml", f"fettle: 1\nstore: {DIR}/store.db\nplugins:\n  sim: {{dir: {DIR}}}\n")
    write("state.json", "{}")
    write("gate.yaml", """fettle: 1
name: gate
title: A gate
category: change
params: {key: {type: string, default: a}}
steps:
  - id: gate
    title: May I?
    approve: "Write ${key}?"
    within: 30m
    branch:
      - if: result.approved
        then: put
      - else: left
  - {id: put, title: Write it, run: sim.set, with: {key: "${key}", value: 1}, undo: auto, say: written, then: good}
outcomes:
  good: {title: Good}
  left: {title: Left, status: attention}
""")
    write("slow.yaml", """fettle: 1
name: slow
title: Slow
category: check
steps:
  - {id: first, run: sim.get, with: {key: a}}
  - {id: pause, title: A long pause, wait: 1h, then: good}
outcomes:
  good: {title: Good}
""")


def piped(*args):
    out = subprocess.run([FETTLE, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    return out.returncode, out.stdout, out.stderr


def terminal(args, talk):
    """Runs on a pty; talk: [(what to wait for, what to type or a signal)]. Returns (status, everything shown)."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(FETTLE, [FETTLE, *args])
    shown, deadline = "", time.monotonic() + 60
    talk = list(talk)
    while time.monotonic() < deadline:
        ready, _, _ = select.select([fd], [], [], 1)
        if ready:
            try:
                data = os.read(fd, 65536)
            except OSError:
                break
            if not data:
                break
            shown += data.decode(errors="replace")
        if talk and talk[0][0] in shown:
            _, do = talk.pop(0)
            os.kill(pid, do) if isinstance(do, signal.Signals) else os.write(fd, do.encode())
    _, status = os.waitpid(pid, 0)
    os.close(fd)
    return os.waitstatus_to_exitcode(status), shown


def on_a_terminal():
    status, shown = terminal(["run", f"{DIR}/gate.yaml"], [("approve? [y/N]", "y\n")])
    expect("yes at the gate goes on", status == 0 and "written" in shown and "●" in shown, shown)
    expect("the terminal gets colour", "\033[32m" in shown)
    status, shown = terminal(["run", f"{DIR}/gate.yaml", "--no-color"], [("approve? [y/N]", "n\n")])
    expect("no at the gate is an outcome of its own", status == 4 and "Left" in shown, shown)
    expect("--no-color has none", "\033[32m" not in shown and "\033[1m" not in shown)
    status, shown = terminal(["run", f"{DIR}/gate.yaml"], [("approve? [y/N]", "\x04")])
    expect("the end of input leaves it parked, and says how to come back", status == 3 and "fettle follow" in shown, shown)
    run = re.search(r"run ([0-9a-f]{8})", shown).group(1)
    status, shown = terminal(["resume", run[:5]], [("approve? [y/N]", "y\n")])
    expect("resume asks again, and goes on", status == 0 and "written" in shown, shown)
    status, shown = terminal(["run", f"{DIR}/slow.yaml"], [("A long pause", signal.SIGINT)])
    expect("Ctrl-C ends a wait", status == 130 and "cancelled" in shown, shown)


def in_a_pipe():
    status, out, err = piped("run", f"{DIR}/gate.yaml", "--yes")
    events = [json.loads(line) for line in out.splitlines()]
    expect("a pipe gets JSON lines", status == 0 and events[0]["type"] == "run.started" and events[-1]["type"] == "run.finished", out)
    expect("every line names its run", all(e.get("run") == events[0]["run"] for e in events))
    expect("no control characters in a pipe", "\033" not in out)
    status, out, err = piped("run", f"{DIR}/gate.yaml")
    expect("without a person it parks", status == 3 and '"run.parked"' in out, out)
    run = json.loads(out.splitlines()[0])["run"]
    status, out, err = piped("cancel", run)
    expect("cancel ends a parked run", status == 130 and '"cancelled"' in out, out + err)
    status, out, err = piped("runs", "--json", "--status", "cancelled")
    expect("runs lists it", run in out)
    status, out, err = piped("why", run)
    expect("why of a run without a decision says so", status == 2 and "no decision" in err, err)
    good = events[0]["run"]
    status, out, err = piped("why", good, "gate")
    expect("why explains the branch", status == 0 and "gate → put" in out and "result.approved = true" in out, out)
    status, out, err = piped("show", good, "--html")
    expect("the report is one page with the drawing in it", status == 0 and out.startswith("<!doctype html>") and "<svg" in out and "</html>" in out, err)
    for kind, word in (("svg", "<svg"), ("dot", "digraph"), ("mermaid", "flowchart")):
        status, out, err = piped("graph", good, "--format", kind)
        expect(f"graph of a run as {kind}", status == 0 and word in out, err)


def wrong_words():
    table = [
        (["rum"], 2, "did you mean 'run'"), (["run"], 2, "PLAYBOOK is missing"), (["run", "nothing-here"], 2, "there is no playbook"),
        (["run", f"{DIR}/gate.yaml", "kee=b"], 2, "key"), (["run", f"{DIR}/gate.yaml", "key"], 2, "name=value"), (["run", f"{DIR}/gate.yaml", "key=a", "key=b"], 2, "twice"),
        (["run", f"{DIR}/gate.yaml", "--dryrun"], 2, "dry-run"), (["check", f"{DIR}/absent.yaml"], 2, "absent.yaml"), (["show", "ffffffff"], 2, "ffffffff"),
        (["graph", f"{DIR}/gate.yaml", "-f", "png"], 2, "svg, dot or mermaid"), (["plugins", "sym"], 2, "did you mean 'sim'"), (["plugins", "sim", "gett"], 2, "did you mean 'get'"),
        (["resume", "ffffffff"], 2, "ffffffff"), (["why", "zz"], 2, "zz"), (["completion", "fish"], 2, "bash and zsh"), (["runs", "--config", f"{DIR}/none.yaml"], 2, "none.yaml"),
        (["run", f"{DIR}/gate.yaml", "extra", "--store"], 2, "needs a value"),
    ]
    for args, want, words in table:
        status, out, err = piped(*args)
        expect(" ".join(args), status == want and words in err and "\n" in err, f"-> {status}: {err!r} {out!r}")


def completion():
    status, out, err = piped("completion", "bash")
    write("completion.bash", out)
    check = subprocess.run(["bash", "-n", f"{DIR}/completion.bash"], capture_output=True, text=True)
    expect("the completion is bash", status == 0 and check.returncode == 0, check.stderr)
    shell = subprocess.run(["bash", "--norc", "-c", f"source {DIR}/completion.bash; COMP_WORDS=(fettle re); COMP_CWORD=1; _fettle; echo ${{COMPREPLY[@]}}"], capture_output=True, text=True)
    expect("it completes a verb", sorted(shell.stdout.split()) == ["reject", "resume"], shell.stdout + shell.stderr)


prepare()
try:
    on_a_terminal()
    in_a_pipe()
    wrong_words()
    completion()
finally:
    shutil.rmtree(DIR, ignore_errors=True)
print(f"{checks} checks, {len(failed)} failed")
sys.exit(1 if failed else 0)
