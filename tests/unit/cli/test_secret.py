#!/usr/bin/env python3
"""`fettle secret` as people use it: key file and passphrase, values that are never shown, two at once, a wrong key, a damaged file."""
import os, pty, re, select, shutil, signal, subprocess, sys, tempfile, time

FETTLE = os.environ["FETTLE_BUILD"] + "/bin/fettle"
bad = []
folder = tempfile.mkdtemp(prefix="fettle-secret-")
env = {**os.environ, "HOME": folder}


def check(ok, what, *more):
    print(f"{'ok     ' if ok else 'FAILED '} {what}{'' if ok else ': ' + ' '.join(str(m)[-500:] for m in more)}", flush=True)
    if not ok:
        bad.append(what)


def fettle(*args, text=None):
    out = subprocess.run([FETTLE, *args], cwd=folder, env=env, input=text, stdin=None if text is not None else subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                         start_new_session=True)
    return out.returncode, out.stdout, out.stderr


def configure(key):
    open(f"{folder}/fettle.yaml", "w").write(f"fettle: 1\nsecrets: {{sealed: {{file: s.sealed{key}}}}}\n")


def typed(args, answers):
    """Runs it on a terminal and types an answer at each prompt; (exit status, everything that the terminal showed)."""
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.execve(FETTLE, [FETTLE, *args], env)
    shown, answers, end = b"", list(answers), time.monotonic() + 60
    while time.monotonic() < end:
        if not select.select([fd], [], [], 0.2)[0]:
            continue
        try:
            part = os.read(fd, 4096)
        except OSError:
            break
        if not part:
            break
        shown += part
        if answers and part.endswith(b": "):
            os.write(fd, answers.pop(0).encode() + b"\n")
    else:
        os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode(errors="replace")


configure(", key: {file: s.key}")
status, _, err = fettle("secret", "set", "one", text="v")
check(status != 0 and "s.key" in err and "new-key" in err, "no key, no sealing, and what to do", err)
check(fettle("secret", "new-key", "s.key")[0] == 0 and os.stat(f"{folder}/s.key").st_mode & 0o777 == 0o600, "a key file, for its owner only")
key = open(f"{folder}/s.key").read()
status, _, err = fettle("secret", "new-key", "s.key")
check(status == 1 and open(f"{folder}/s.key").read() == key, "a key is never overwritten", err)
check(fettle("secret", "set", "one", text="first-value\n")[0] == 0, "set from standard input")
check(os.stat(f"{folder}/s.sealed").st_mode & 0o777 == 0o600, "the file is its owner's")
status, _, err = fettle("secret", "set", "empty", text="")
check(status == 2 and "nothing came" in err, "nothing is no secret", err)
status, _, err = fettle("secret", "set", "big", text="x" * 70000)
check(status == 2 and "at most" in err, "too much is said", err)
status, _, err = fettle("secret", "set", "first value", text="x")
check(status == 2 and "command line" in err and "first value" not in err, "a value given as a name is refused, and not repeated", err)
for words in (["set", "one", "hunter2secret"], ["set", "one", "--value=hunter2secret"]):
    status, out, err = fettle("secret", *words, text="x")
    check(status == 2 and "hunter2" not in out + err, f"nor one behind the name: {words[2][:8]}", err)
status, _, err = fettle("secret", "set", "short", text="abc\n")
check(status == 2 and "at least 4" in err, "what could not be left out of texts is no secret", err)

several = [subprocess.Popen([FETTLE, "secret", "set", f"many{i}"], cwd=folder, env=env, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for i in range(6)]
for i, p in enumerate(several):
    p.stdin.write(f"value-{i}")
    p.stdin.close()
check(all(p.wait(60) == 0 for p in several), "six at once")
_, out, _ = fettle("secret", "list")
check(sorted(line.split()[0] for line in out.splitlines()) == sorted(["one"] + [f"many{i}" for i in range(6)]), "none is lost, and only names are listed", out)
check(fettle("secret", "remove", "many0")[0] == 0 and "many0" not in fettle("secret", "list")[1], "remove")
check(fettle("secret", "remove", "many0")[0] == 2, "what is not there cannot be removed")
check(not any(word in open(f"{folder}/s.sealed", "rb").read() for word in (b"first-value", b"many1", b"value-1")), "neither names nor values stand in the file")

fettle("secret", "new-key", "t.key")
check(fettle("secret", "rekey", "--new-key", "t.key")[0] == 0, "rekey")
status, _, err = fettle("secret", "list")
check(status == 1 and "not opened by this key" in err, "the old key opens it no more", err)
os.rename(f"{folder}/s.key", f"{folder}/away")
status, _, err = fettle("secret", "list")
check(status == 2 and "put it back" in err, "a key that is gone", err)
os.rename(f"{folder}/away", f"{folder}/s.key")
configure(", key: {file: t.key}")
check("one" in fettle("secret", "list")[1], "the new one does")
whole = open(f"{folder}/s.sealed", "rb").read()
open(f"{folder}/s.sealed", "wb").write(whole[:-1] + bytes([whole[-1] ^ 1]))
status, _, err = fettle("secret", "list")
check(status == 1 and "changed or is damaged" in err, "a damaged file is said to be one", err)
open(f"{folder}/s.sealed", "wb").write(whole)

status, shown = typed(["secret", "set", "typed"], ["typed-at-the-terminal"])
check(status == 0 and "typed-at-the-terminal" not in shown, "a value typed at the terminal is not echoed", status, shown)
os.unlink(f"{folder}/s.sealed")
configure("")
status, shown = typed(["secret", "set", "one"], ["correct horse battery", "correct horse battery", "value-behind-it"])
check(status == 0 and not re.search("horse|behind", shown), "a new file with a passphrase", status, shown)
status, shown = typed(["secret", "list"], ["correct horse battery"])
check(status == 0 and "one" in shown, "it opens with it", status, shown)
status, shown = typed(["secret", "list"], ["wrong horse battery"])
check(status == 1 and "not opened by this passphrase" in shown, "and with no other", status, shown)
status, _, err = fettle("secret", "list")
check(status == 1 and "terminal" in err, "without a terminal it says so", status, err)
shutil.rmtree(folder)
sys.exit(1 if bad else 0)
