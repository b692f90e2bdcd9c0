#!/usr/bin/env python3
"""Figures as ratios of pairs taken in turn, each with its limits. Usage: bench.py BUILD [NAME …]; 1 when a limit is not met.
What the machine's noise moves is measured again, up to TURNS times, before its limit counts as not met; counts and sizes are not."""
import json, os, shutil, statistics, subprocess, sys, tempfile, time

BUILD = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build/release")
FETTLE = f"{BUILD}/bin/fettle"
SHIM = next((p for p in (f"{BUILD}/tests/bench/libslowflush.so", f"{BUILD}/bench/libslowflush.so") if os.path.exists(p)), None)
TURNS = 3
broken = {}          # (figure, key) → what is said of it, of the benchmark under way


def spend(argv, env=None, cwd=None):
    """Wall and CPU seconds and peak RSS in KiB of one process and its children; fails when it fails."""
    t0 = time.perf_counter()
    with open(os.devnull, "w") as null:
        p = subprocess.Popen(argv, env={**os.environ, **(env or {})}, cwd=cwd, stdout=null, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        err = p.stderr.read()
        _, status, usage = os.wait4(p.pid, 0)
    wall = time.perf_counter() - t0
    if status != 0:
        sys.exit(f"{argv}: status {status}: {err.decode()[-500:]}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss


def say(name, at_most=None, at_least=None, steady=False, **figures):
    """at_most, at_least: {key: limit}. steady: no noise moves it, so that measuring it again would only hide a breach."""
    shown = {k: round(v, 4) if isinstance(v, float) else v for k, v in figures.items()}
    over = [(k, f"is {shown[k]}, at most {limit}") for k, limit in (at_most or {}).items() if not figures[k] <= limit]
    under = [(k, f"is {shown[k]}, at least {limit}") for k, limit in (at_least or {}).items() if not figures[k] >= limit]
    limits = {k: v for k, v in (("at_most", at_most), ("at_least", at_least)) if v}
    print(json.dumps({"figure": name, **shown, **limits, **({"broken": [k for k, _ in over + under]} if over or under else {})}), flush=True)
    for key, text in over + under:
        broken[name, key] = (f"{name}: {key} {text}", steady)


def judge(benchmark, tmp):
    """What is broken in every turn, or is steady and broken in one."""
    left, for_good = None, {}
    for turn in range(TURNS):
        broken.clear()
        os.makedirs(f"{tmp}/{turn}")
        benchmark(f"{tmp}/{turn}")
        shutil.rmtree(f"{tmp}/{turn}")
        for_good.update({k: text for k, (text, steady) in broken.items() if steady})
        noisy = {k: text for k, (text, steady) in broken.items() if not steady}
        left = noisy if left is None else {k: text for k, text in noisy.items() if k in left}
        if not left:
            break
    return [*for_good.values(), *left.values()]


def pairs(n, ours, theirs):
    """Medians of both and of their ratios; taken in turn, so that a slow moment of the machine hits both."""
    a, b = [], []
    for i in range(n):
        for which in ((a, ours), (b, theirs)) if i % 2 == 0 else ((b, theirs), (a, ours)):
            which[0].append(which[1]())
    ratio = lambda k: statistics.median(x[k] / y[k] for x, y in zip(a, b))
    med = lambda rows, k: statistics.median(r[k] for r in rows)
    return a, b, ratio, med


def many(argv, n):
    """n starts in one measurement: a single one is too short to be steady."""
    def go():
        rows = [spend(argv) for _ in range(n)]
        return sum(r[0] for r in rows), sum(r[1] for r in rows), max(r[2] for r in rows)
    return go


GOOD_OR_BAD = "outcomes:\n  good: {title: Good}\n  bad: {title: Bad, status: attention}\n"


def playbook_of(lines, path):
    out = ["fettle: 1", "name: long", "title: Long", "category: check", "vars: {floor: -70}", "steps:"]
    i = 0
    while len(out) < lines - 8:
        out += [f"  - id: look{i}", f"    title: Is port {i} open?", "    run: net.tcp", f"    with: {{host: 127.0.0.1, port: {1000 + i % 60000}}}",
                "    branch:", f"      - if: result.open and floor < -{i % 90}", f"        then: look{i + 1}", "      - else: bad"]
        i += 1
    out += [f"  - id: look{i}", "    set: {done: true}", "    then: good"] + GOOD_OR_BAD.splitlines()
    open(path, "w").write("\n".join(out) + "\n")
    return len(out)


def startup(tmp):
    long = f"{tmp}/long300.yaml"
    lines = playbook_of(300, long)
    for name, argv in (("start_version", [FETTLE, "--version"]), (f"start_check_{lines}_lines", [FETTLE, "check", long])):
        a, b, ratio, med = pairs(11, many(argv, 20), many([f"{BUILD}/bin/bench_libs"], 20))
        say(name, ratio_wall=ratio(0), ratio_cpu=ratio(1), at_most={"ratio_wall": 1.6}, ours_ms=med(a, 0) * 50, bare_ms=med(b, 0) * 50)


def check(tmp):
    long = f"{tmp}/long1000.yaml"
    lines = playbook_of(1000, long)
    rows = [spend([FETTLE, "check", long]) for _ in range(15)]
    # A time, and no ratio: the best of them is what the machine's other work did not lengthen.
    wall, cpu = [r[0] * 1000 for r in rows], [r[1] * 1000 for r in rows]
    say(f"check_{lines}_lines_ms", best=min(wall), median=statistics.median(wall), cpu=statistics.median(cpu), at_most={"best": 20})


def rest_playbook(tmp, port):
    steps = []
    for i in range(5):
        steps += [f"  - {{id: read{i}, run: http.get, with: {{url: 'http://127.0.0.1:{port}/stats/{i}'}}}}",
                  f"  - {{id: keep{i}, set: {{clients{i}: '${{read{i}.json.num_clients}}'}}}}",
                  f"  - id: test{i}\n    set: {{fine{i}: '${{clients{i} < 50}}'}}\n"
                  f"    branch:\n      - if: not fine{i}\n        then: bad\n      - else: say{i}",
                  f"  - {{id: say{i}, set: {{text{i}: 'step {i}: ${{clients{i}}} clients'}}{', then: good' if i == 4 else ''}}}"]
    text = "fettle: 1\nname: rest\ntitle: Rest\ncategory: check\nsteps:\n" + "\n".join(steps) + "\n" + GOOD_OR_BAD
    open(f"{tmp}/rest.yaml", "w").write(text)
    tasks = []
    for i in range(5):
        tasks += [f"    - uri: {{url: 'http://127.0.0.1:{port}/stats/{i}', return_content: true}}\n      register: read{i}",
                  f"    - set_fact: {{clients{i}: '{{{{ read{i}.json.num_clients }}}}'}}",
                  f"    - assert: {{that: 'clients{i} | int < 50'}}",
                  f"    - debug: {{msg: 'step {i}: {{{{ clients{i} }}}} clients'}}"]
    head = "- hosts: localhost\n  connection: local\n  gather_facts: false\n  tasks:\n"
    open(f"{tmp}/rest-ansible.yaml", "w").write(head + "\n".join(tasks) + "\n")


def playbook(tmp):
    server = subprocess.Popen([f"{BUILD}/bin/bench_restd"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        rest_playbook(tmp, int(server.stdout.readline()))
        ansible = ["ansible-playbook", "-i", "localhost,", f"{tmp}/rest-ansible.yaml"]
        env = {"ANSIBLE_LOCALHOST_WARNING": "0", "HOME": tmp, "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3"}
        for name, flush, limits in (("rest_20_steps", "0", (100, 100)), ("rest_20_steps_5ms_flush", "5", (30, 0))):
            count = 0

            def ours():
                nonlocal count
                count += 1
                env = {"LD_PRELOAD": SHIM, "FLUSH_MS": flush, "HOME": tmp}
                rows = [spend([FETTLE, "run", f"{tmp}/rest.yaml", "--store", f"{tmp}/cold{flush}-{count}-{i}.db"], env=env) for i in range(5)]
                return statistics.median(r[0] for r in rows), statistics.median(r[1] for r in rows), max(r[2] for r in rows)
            a, b, ratio, med = pairs(5, ours, lambda: spend(ansible, env=env))
            say(name, times_less_wall=1 / ratio(0), times_less_cpu=1 / ratio(1), at_least={"times_less_wall": limits[0], "times_less_cpu": limits[1]},
                ours_ms=med(a, 0) * 1000, ansible_ms=med(b, 0) * 1000)
            if flush == "0":
                say("peak_memory_mib", value=max(r[2] for r in a) / 1024, at_most={"value": 20})
    finally:
        server.stdin.close()
        server.wait()


def flushes(tmp):
    for n in (1, 5, 10):
        path = f"{tmp}/writes{n}.yaml"
        steps = "\n".join(f"  - {{id: w{i}, run: nop.write, with: {{n: {i}}}, undo: none{', then: good' if i == n - 1 else ''}}}" for i in range(n))
        open(path, "w").write("fettle: 1\nname: writes\ntitle: W\ncategory: check\nsteps:\n" + steps + "\noutcomes:\n  good: {title: Good}\n")
        # The first run of a store creates it; the figure is that of a run on a store that exists.
        home = f"{tmp}/home{n}"
        os.makedirs(f"{home}/plugins")
        shutil.copy(f"{BUILD}/bench-plugins/nop.so", f"{home}/plugins/nop.so")
        for link in ("lua", "schemas"):
            os.symlink(os.path.realpath(f"{BUILD}/{link}"), f"{home}/{link}")
        env = {"FETTLE_HOME": home, "HOME": tmp, "LD_PRELOAD": SHIM, "FLUSH_COUNT": f"{tmp}/count{n}"}
        argv = [FETTLE, "run", path, "--store", f"{tmp}/flush{n}.db"]
        spend(argv, env=env)
        spend(argv, env=env)
        say(f"flushes_of_{n}_writes", value=int(open(f"{tmp}/count{n}").read()), at_most={"value": n + 2}, steady=True)


def transitions(tmp):
    count = 0
    for name, flush, limit in (("transitions_256_runs", "0", 0.4), ("transitions_256_runs_5ms_flush", "5", 0.7)):
        ratios = []
        for i in range(5):
            count += 1
            env = {**os.environ, "LD_PRELOAD": SHIM, "FLUSH_MS": flush}
            said = lambda *argv: json.loads(subprocess.run(argv, env=env, capture_output=True, check=True).stdout)
            ours = said(f"{BUILD}/bin/bench_transitions", f"{tmp}/t{count}.db", f"{BUILD}/bench-plugins", "256", "20" if flush == "0" else "10")
            group = max(1, round(ours["rows"] / ours["commits"]))
            bare = said(f"{BUILD}/bin/bench_rows", f"{tmp}/b{count}.db", str(ours["rows"]), str(group), "300")
            ratios.append((bare["seconds"] / bare["rows"]) / (ours["seconds"] / ours["rows"]))
        say(name, ratio=statistics.median(ratios), at_least={"ratio": limit}, rows_per_second=ours["rows"] / ours["seconds"],
            steps_per_second=ours["steps"] / ours["seconds"], rows_per_commit=group)


def kept(*args):
    out = subprocess.run([f"{BUILD}/bin/bench_parked", *map(str, args)], capture_output=True, text=True)
    if out.returncode not in (0, -9):
        sys.exit(f"bench_parked {args}: {out.returncode}: {out.stderr[-500:]}")
    return json.loads(out.stdout) if out.stdout else None


def parked(tmp):
    """Runs that wait for an approval: what each costs, and whether anything else feels them."""
    plugins, stores, steps = f"{BUILD}/bench-plugins", {}, {n: [] for n in (0, 1000, 10000)}
    for turn in range(3):
        for n in steps:
            stores[n] = f"{tmp}/parked{n}-{turn}.db"
            row = kept(stores[n], plugins, "park", n)
            steps[n].append(row["step_cpu_us"])
            if turn == 0 and n:
                # The heap's growth a run but for SQLite's pages, which are bounded in all and were read or written anyway; they are told beside it.
                say(f"parked_{n}_memory_bytes", value=row["memory_bytes"], at_most={"value": 1024}, keeper_bytes=row["keeper_bytes"],
                    page_cache_bytes=row["page_cache_bytes"], page_cache_in_all=row["page_cache_in_all"])
                say(f"parked_{n}_disk_bytes", value=row["disk_bytes"], at_most={"value": 4096}, steady=True)
                say(f"parked_{n}_alive_and_sockets", value=row["alive"] + row["sockets"], at_most={"value": 0}, steady=True)
    for n in (1000, 10000):
        say(f"parked_{n}_cpu_of_a_step", ratio=statistics.median(a / b for a, b in zip(steps[n], steps[0])), at_most={"ratio": 1.25},
            cpu_us=statistics.median(steps[n]))
    text = "fettle: 1\nname: pure\ntitle: Pure\ncategory: check\nsteps:\n" + "".join(f"  - {{id: s{i}, set: {{x{i}: {i}}}}}\n" for i in range(5)) + \
        "  - {id: last, set: {y: 1}, then: good}\noutcomes:\n  good: {title: Good}\n"
    open(f"{tmp}/pure.yaml", "w").write(text)
    for name, args in (("version", ["--version"]), ("runs", ["runs", "--limit", "20"]), ("run", ["run", f"{tmp}/pure.yaml"])):
        with_store = lambda n: many([FETTLE, *args, *([] if name == "version" else ["--store", stores[n]])], 10)
        a, b, ratio, med = pairs(9, with_store(10000), with_store(0))
        say(f"start_{name}_beside_10000_parked", ratio_wall=ratio(0), ratio_cpu=ratio(1), at_most={"ratio_wall": 1.25}, ours_ms=med(a, 0) * 100)


def recovered(tmp, name, turns, *left):
    """The same store left by kill -9, taken up by a new process, `turns` times."""
    rows = []
    for turn in range(turns):
        store = f"{tmp}/{name}-{turn}.db"
        kept(store, f"{BUILD}/bench-plugins", "leave", *left)
        rows.append(kept(store, f"{BUILD}/bench-plugins", "recover"))
        if rows[-1]["open"] != sum(left) or rows[-1]["trouble"] or (len(left) > 1 and not rows[-1]["in_doubt"] == rows[-1]["left_behind"] == left[1]):
            sys.exit(f"recovery: {rows[-1]}")
    return lambda key: statistics.median(r[key] for r in rows)


def recovery(tmp):
    """kill -9 with many runs open: until a new process has them all back."""
    cpu = {}
    for n in (1000, 10000):
        # As it is: most wait for people, a hundred are in the middle of a write, which are found in doubt and ask people whether it happened.
        of = recovered(tmp, f"mixed{n}", 3, n - 100, 100)
        say(f"recovery_of_{n}_with_100_in_a_write_s", known=of("known_s"), all=of("all_s"), cpu=of("all_cpu_s"), at_most={"all": 1})
    for n in (100, 1000):
        of = recovered(tmp, f"writes{n}", 3, 0, n)
        cpu[n] = of("all_cpu_s") / n
        say(f"recovery_of_{n}_all_in_a_write_s", known=of("known_s"), all=of("all_s"), cpu_us_each=cpu[n] * 1e6, at_most={"known": 1})
    say("recovery_of_writes_is_linear", ratio=cpu[1000] / cpu[100], at_most={"ratio": 1.5})
    for n in (1000, 10000):
        # Worse than any crash: every one has work to do at once. Each goes on to its approval, plans what stands behind it, and parks.
        of = recovered(tmp, f"waits{n}", 3, n)
        cpu[n] = of("all_cpu_s") / n
        say(f"recovery_of_{n}_that_all_go_on_s", known=of("known_s"), all=of("all_s"), cpu_us_each=cpu[n] * 1e6, at_most={"known": 1})
    say("recovery_is_linear", ratio=cpu[10000] / cpu[1000], at_most={"ratio": 1.5})


ALL = {f.__name__: f for f in (startup, check, playbook, flushes, transitions, parked, recovery)}


def main(names, benchmarks=ALL):
    for name in names:
        if name not in benchmarks:
            sys.exit(f"there is no benchmark '{name}': {', '.join(benchmarks)}")
    with tempfile.TemporaryDirectory() as tmp:
        bad = [text for name in names or benchmarks for text in judge(benchmarks[name], f"{tmp}/{name}")]
    for text in bad:
        print(f"BROKEN {text}", file=sys.stderr)
    print(f"bench: {f'{len(bad)} limits are not met' if bad else 'every limit is met'}", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: bench.py BUILD [NAME …]")
    sys.exit(main(sys.argv[2:]))
