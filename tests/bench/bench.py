#!/usr/bin/env python3
"""Figures as ratios of pairs taken in turn. Usage: bench.py BUILD [NAME …]"""
import json, os, resource, shutil, statistics, subprocess, sys, tempfile, time

BUILD = os.path.abspath(sys.argv[1])
FETTLE = f"{BUILD}/bin/fettle"
SHIM = next((p for p in (f"{BUILD}/tests/bench/libslowflush.so", f"{BUILD}/bench/libslowflush.so") if os.path.exists(p)), None)


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


def say(name, **figures):
    print(json.dumps({"figure": name, **{k: round(v, 4) if isinstance(v, float) else v for k, v in figures.items()}}), flush=True)


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


def playbook_of(lines, path):
    out = ["fettle: 1", "name: long", "title: Long", "category: check", "vars: {floor: -70}", "steps:"]
    i = 0
    while len(out) < lines - 8:
        out += [f"  - id: look{i}", f"    title: Is port {i} open?", "    run: net.tcp", f"    with: {{host: 127.0.0.1, port: {1000 + i % 60000}}}",
                "    branch:", f"      - if: result.open and floor < -{i % 90}", f"        then: look{i + 1}", "      - else: bad"]
        i += 1
    out += [f"  - id: look{i}", "    set: {done: true}", "    then: good", "outcomes:", "  good: {title: Good}", "  bad: {title: Bad, status: attention}"]
    open(path, "w").write("\n".join(out) + "\n")
    return len(out)


def startup(tmp):
    long = f"{tmp}/long300.yaml"
    lines = playbook_of(300, long)
    for name, argv in (("start_version", [FETTLE, "--version"]), (f"start_check_{lines}_lines", [FETTLE, "check", long])):
        a, b, ratio, med = pairs(11, many(argv, 20), many([f"{BUILD}/bin/bench_libs"], 20))
        say(name, ratio_wall=ratio(0), ratio_cpu=ratio(1), limit=1.6, ours_ms=med(a, 0) * 50, bare_ms=med(b, 0) * 50)


def check(tmp):
    long = f"{tmp}/long1000.yaml"
    lines = playbook_of(1000, long)
    rows = [spend([FETTLE, "check", long]) for _ in range(15)]
    say(f"check_{lines}_lines_ms", value=statistics.median(r[0] for r in rows) * 1000, limit=20)


def rest_playbook(tmp, port):
    steps = []
    for i in range(5):
        steps += [f"  - {{id: read{i}, run: http.get, with: {{url: 'http://127.0.0.1:{port}/stats/{i}'}}}}",
                  f"  - {{id: keep{i}, set: {{clients{i}: '${{read{i}.json.num_clients}}'}}}}",
                  f"  - id: test{i}\n    set: {{fine{i}: '${{clients{i} < 50}}'}}\n    branch:\n      - if: not fine{i}\n        then: bad\n      - else: say{i}",
                  f"  - {{id: say{i}, set: {{text{i}: 'step {i}: ${{clients{i}}} clients'}}{', then: good' if i == 4 else ''}}}"]
    text = "fettle: 1\nname: rest\ntitle: Rest\ncategory: check\nsteps:\n" + "\n".join(steps) + "\noutcomes:\n  good: {title: Good}\n  bad: {title: Bad, status: attention}\n"
    open(f"{tmp}/rest.yaml", "w").write(text)
    tasks = []
    for i in range(5):
        tasks += [f"    - uri: {{url: 'http://127.0.0.1:{port}/stats/{i}', return_content: true}}\n      register: read{i}",
                  f"    - set_fact: {{clients{i}: '{{{{ read{i}.json.num_clients }}}}'}}",
                  f"    - assert: {{that: 'clients{i} | int < 50'}}",
                  f"    - debug: {{msg: 'step {i}: {{{{ clients{i} }}}} clients'}}"]
    open(f"{tmp}/rest-ansible.yaml", "w").write("- hosts: localhost\n  connection: local\n  gather_facts: false\n  tasks:\n" + "\n".join(tasks) + "\n")


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
                rows = [spend([FETTLE, "run", f"{tmp}/rest.yaml", "--store", f"{tmp}/cold{flush}-{count}-{i}.db"], env={"LD_PRELOAD": SHIM, "FLUSH_MS": flush, "HOME": tmp}) for i in range(5)]
                return statistics.median(r[0] for r in rows), statistics.median(r[1] for r in rows), max(r[2] for r in rows)
            a, b, ratio, med = pairs(5, ours, lambda: spend(ansible, env=env))
            say(name, times_less_wall=1 / ratio(0), times_less_cpu=1 / ratio(1), limit_wall=limits[0], limit_cpu=limits[1], ours_ms=med(a, 0) * 1000, ansible_ms=med(b, 0) * 1000)
            if flush == "0":
                say("peak_memory_mib", value=max(r[2] for r in a) / 1024, limit=20)
    finally:
        server.stdin.close()
        server.wait()


def flushes(tmp):
    for n in (1, 5, 10):
        path = f"{tmp}/writes{n}.yaml"
        steps = "\n".join(f"  - {{id: w{i}, run: exec_nop.write, with: {{n: {i}}}, undo: none{', then: good' if i == n - 1 else ''}}}" for i in range(n)).replace("exec_nop", "nop")
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
        say(f"flushes_of_{n}_writes", value=int(open(f"{tmp}/count{n}").read()), limit=n + 2)


def transitions(tmp):
    count = 0
    for name, flush, limit in (("transitions_256_runs", "0", 0.4), ("transitions_256_runs_5ms_flush", "5", 0.7)):
        ratios = []
        for i in range(5):
            count += 1
            env = {**os.environ, "LD_PRELOAD": SHIM, "FLUSH_MS": flush}
            ours = json.loads(subprocess.run([f"{BUILD}/bin/bench_transitions", f"{tmp}/t{count}.db", f"{BUILD}/bench-plugins", "256", "20" if flush == "0" else "10"],
                                             env=env, capture_output=True, check=True).stdout)
            group = max(1, round(ours["rows"] / ours["commits"]))
            size = os.path.getsize(f"{tmp}/t{count}.db") if os.path.exists(f"{tmp}/t{count}.db") else 0
            bare = json.loads(subprocess.run([f"{BUILD}/bin/bench_rows", f"{tmp}/b{count}.db", str(ours["rows"]), str(group), "300"], env=env, capture_output=True, check=True).stdout)
            ratios.append((bare["seconds"] / bare["rows"]) / (ours["seconds"] / ours["rows"]))
        say(name, ratio=statistics.median(ratios), limit=limit, rows_per_second=ours["rows"] / ours["seconds"], steps_per_second=ours["steps"] / ours["seconds"], rows_per_commit=group)


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
                say(f"parked_{n}_memory_bytes", value=row["memory_bytes"], limit=1024, keeper_bytes=row["keeper_bytes"],
                    page_cache_bytes=row["page_cache_bytes"], page_cache_in_all=row["page_cache_in_all"])
                say(f"parked_{n}_disk_bytes", value=row["disk_bytes"], limit=4096)
                say(f"parked_{n}_alive_and_sockets", value=row["alive"] + row["sockets"], limit=0)
    for n in (1000, 10000):
        say(f"parked_{n}_cpu_of_a_step", ratio=statistics.median(a / b for a, b in zip(steps[n], steps[0])), limit=1.25, cpu_us=statistics.median(steps[n]))
    text = "fettle: 1\nname: pure\ntitle: Pure\ncategory: check\nsteps:\n" + "".join(f"  - {{id: s{i}, set: {{x{i}: {i}}}}}\n" for i in range(5)) + \
        "  - {id: last, set: {y: 1}, then: good}\noutcomes:\n  good: {title: Good}\n"
    open(f"{tmp}/pure.yaml", "w").write(text)
    for name, args in (("version", ["--version"]), ("runs", ["runs", "--limit", "20"]), ("run", ["run", f"{tmp}/pure.yaml"])):
        with_store = lambda n: many([FETTLE, *args, *([] if name == "version" else ["--store", stores[n]])], 10)
        a, b, ratio, med = pairs(9, with_store(10000), with_store(0))
        say(f"start_{name}_beside_10000_parked", ratio_wall=ratio(0), ratio_cpu=ratio(1), limit=1.25, ours_ms=med(a, 0) * 100)


def recovery(tmp):
    """kill -9 with many runs under way: until a new process knows them all, and until each went on and parked again."""
    each = {}
    for n in (1000, 10000):
        rows = []
        for turn in range(3):
            store = f"{tmp}/recovery{n}-{turn}.db"
            kept(store, f"{BUILD}/bench-plugins", "leave", n)
            rows.append(kept(store, f"{BUILD}/bench-plugins", "recover"))
            if rows[-1]["open"] != n or rows[-1]["trouble"]:
                sys.exit(f"recovery: {rows[-1]}")
        each[n] = statistics.median(r["all_cpu_s"] for r in rows) / n
        say(f"recovery_of_{n}_known_s", value=statistics.median(r["known_s"] for r in rows), limit=1)
        say(f"recovery_of_{n}_all_gone_on_s", value=statistics.median(r["all_s"] for r in rows), cpu_us_each=each[n] * 1e6)
    say("recovery_is_linear", ratio=each[10000] / each[1000], limit=1.5)


ALL = {"startup": startup, "check": check, "playbook": playbook, "flushes": flushes, "transitions": transitions, "parked": parked, "recovery": recovery}
wanted = sys.argv[2:] or list(ALL)
with tempfile.TemporaryDirectory() as tmp:
    for name in wanted:
        if name not in ALL:
            sys.exit(f"there is no benchmark '{name}': {', '.join(ALL)}")
        ALL[name](tmp)
