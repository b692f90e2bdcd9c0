#!/usr/bin/env python3
"""tests/bench/bench.py: a limit that is not met is said and changes the exit status; noise is measured again, a size or a count is not."""
import contextlib, io, os, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench"))
import bench

bad = []


def tried(*rounds, **how):
    """(status, what was said, turns) of a benchmark whose figure is the next of `rounds` each time."""
    left = list(rounds)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = bench.main(["one"], {"one": lambda tmp: bench.say("figure", value=left.pop(0), **how)})
    return status, out.getvalue() + err.getvalue(), len(rounds) - len(left)


def check(what, ok, *seen):
    if not ok:
        bad.append(f"{what}: {seen}")


most = {"at_most": {"value": 4096}}
status, said, turns = tried(4096, 1, 1, **most)
check("a limit that is met", status == 0 and turns == 1 and "every limit is met" in said and "broken" not in said, status, said, turns)
status, said, turns = tried(5000, 4000, 1, **most)
check("noise is measured again", status == 0 and turns == 2 and '"broken": ["value"]' in said, status, said, turns)
status, said, turns = tried(5000, 4999, 4998, **most)
check("and is a breach in the end", status == 1 and turns == 3 and "BROKEN figure: value is 4998, at most 4096" in said and "1 limits" in said, status, said, turns)
status, said, turns = tried(5000, 4000, steady=True, **most)
check("a size is a breach at once", status == 1 and turns == 1 and "BROKEN figure: value is 5000" in said, status, said, turns)
status, said, turns = tried(0.3, 0.3, 0.3, at_least={"value": 0.4})
check("what has to be reached", status == 1 and "is 0.3, at least 0.4" in said, status, said, turns)
status, said, turns = tried(float("nan"), float("nan"), float("nan"), **most)
check("what is no number meets nothing", status == 1, status, said, turns)
try:
    bench.main(["two"], {"one": None})
    check("an unknown name", False)
except SystemExit as end:
    check("an unknown name", "no benchmark 'two': one" in str(end.code), end.code)
for one in bad:
    print("FAILED", one)
sys.exit(1 if bad else 0)
