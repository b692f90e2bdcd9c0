#!/usr/bin/env python3
"""Bad worlds, one row each: what the user sees (exit status, a sentence that says what, where and what to do), what is left in the store, and that
no secret is in anything that fettle wrote."""
import ctypes, http.server, json, os, re, resource, shutil, signal, sqlite3, subprocess, sys, tempfile, threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import lab as lab_support
from lab import CLIENT, SOURCE, Lab, last

BUILD = os.path.abspath(lab_support.BUILD)
CANARY = "canary-4f1c9e7a55b2"
SITE = "a688d83a-e858-4652-a690-9c1329cf917f"
ORG = "5b1c0f3e-7d11-4c55-9a0e-3f6d2b8c9a01"
ROWS = []


def row(fn):
    ROWS.append(fn)
    return fn


# ---- an API that answers as a row wants it

def body_of(mode):
    known = {"mac": "a483e7123456", "site_id": SITE, "last_hostname": "lt", "timestamp": 1700000000}
    return {
        "html": ("200 OK", "text/html", "<html><title>Please log in</title></html>"),
        "truncated": ("200 OK", "application/json", '{"results": [{"mac": "a48'),
        "500": ("500 Internal Server Error", "application/json", '{"detail": "database away"}'),
        "401": ("401 Unauthorized", "application/json", '{"detail": "Authentication credentials were not provided."}'),
        "empty": ("200 OK", "application/json", ""),
        "list_is_text": ("200 OK", "application/json", '{"results": "none"}'),
        "echo": ("403 Forbidden", "application/json", json.dumps({"detail": f"token {CANARY} may not read this"})),
        "live": ("200 OK", "application/json", json.dumps({**known, "assoc_time": 1700000000, "last_seen": 1700000100, "ssid": "Staff", "ap_mac": "d420b0a01202"})),
        "odd_fields": ("200 OK", "application/json", json.dumps({"results": [known], "total": "many", **known, "rssi": "loud", "vlan_id": {"id": 1}, "ap_mac": 5, "uptime": [], "ssid": None, "ip": 10})),
        "good": ("200 OK", "application/json", json.dumps({"results": [known], "total": 1, "limit": 10})),
    }[mode]


class Api(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.mode, self.write_mode, self.requests, self.over = "good", "hang", [], threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.requests.append((self.command, self.path))
        mode = self.server.write_mode if self.command == "POST" else self.server.mode
        if mode == "hang":
            self.server.over.wait(60)
            self.close_connection = True
            return
        if mode == "nothing":
            self.close_connection = True
            return
        status, kind, text = body_of(mode)
        data = text.encode()
        self.wfile.write(f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)

    do_POST = do_GET

    def log_message(self, *_):
        pass


# ---- a user with a configuration, a store and a few playbooks

PLAYBOOKS = {
    "look": """fettle: 1
name: look
title: Where is the client?
category: check
params: {client: {type: mac, required: true}, count: {type: int, default: 1}}
steps:
  - {id: look, run: mist.client_status, with: {mac: "${client}"}, timeout: 2s, then: good}
outcomes:
  good: {title: Good}
""",
    "send_off": f"""fettle: 1
name: send_off
title: Send the client off the air
category: change
steps:
  - {{id: away, run: mist.client_disconnect, with: {{mac: "{CLIENT}", site: {SITE}}}, undo: none, timeout: 2s, then: good}}
outcomes:
  good: {{title: Good}}
""",
    "port": """fettle: 1
name: port
title: Does the port give power?
category: check
steps:
  - {id: port, run: switch.poe, with: {device: sw-2, port: ge-0/0/12}, timeout: 20s, then: good}
outcomes:
  good: {title: Good}
""",
    "gate": """fettle: 1
name: gate
title: Asks first
category: change
params: {key: {type: string, default: a}}
locks: ["device/${key}"]
steps:
  - id: may
    approve: May I?
    branch:
      - if: result.approved
        then: put
      - else: refused
  - {id: put, run: sim.set, with: {key: "${key}", value: 1}, undo: auto, then: good}
outcomes:
  good: {title: Good}
  refused: {title: Refused, status: attention}
""",
    "many": """fettle: 1
name: many
title: Writes a lot
category: change
limits: {writes: 200}
steps:
  - id: keys
    lua: |
      local keys = {}
      for n = 1, 60 do keys[n] = "k" .. n end
      return {list = keys}
  - id: each
    for_each: "${keys.list}"
    as: key
    batches: [1, 100%]
    steps:
      - {id: put, run: sim.set, with: {key: "${key}", value: 1}, undo: auto}
    then: good
outcomes:
  good: {title: Good}
""",
}


class User:
    def __init__(self, api=None, token="{env: FETTLE_TEST_TOKEN}", plugins="", more=""):
        self.dir = tempfile.mkdtemp(prefix="fettle-bad-")
        self.home = f"{self.dir}/home"
        os.makedirs(f"{self.home}/plugins")
        for name in ("lua", "schemas"):
            os.symlink(os.path.realpath(f"{BUILD}/{name}"), f"{self.home}/{name}")
        for name in ("mist", "switch"):
            os.symlink(os.path.realpath(f"{BUILD}/plugins/{name}.so"), f"{self.home}/plugins/{name}.so")
        os.symlink(os.path.realpath(f"{BUILD}/test-plugins/sim.so"), f"{self.home}/plugins/sim.so")
        self.store = f"{self.dir}/store.db"
        self.config = self.write("fettle.yaml", f"fettle: 1\nstore: {self.store}\nplugins:\n  sim: {{dir: {self.dir}}}\n"
                                 f"  mist: {{url: '{api.url if api else 'http://127.0.0.1:9'}', org_id: {ORG}, token: {token}}}\n{plugins}{more}")
        for name, text in PLAYBOOKS.items():
            self.write(f"{name}.yaml", text)
        self.env = {**os.environ, "FETTLE_HOME": self.home, "HOME": self.dir, "FETTLE_TEST_TOKEN": CANARY}
        self.said = b""

    def write(self, name, text):
        path = f"{self.dir}/{name}"
        with open(path, "w") as f:
            f.write(text)
        return path

    def fettle(self, *args, config=None, preexec=None, cwd=None):
        out = subprocess.run([f"{BUILD}/bin/fettle", *args, "--config", config or self.config], env=self.env, stdin=subprocess.DEVNULL, capture_output=True,
                             timeout=120, preexec_fn=preexec, cwd=cwd or self.dir)
        self.said += out.stdout + out.stderr
        events = []
        for line in out.stdout.decode().splitlines():
            try:
                events.append(json.loads(line))
            except ValueError:
                pass
        return out.returncode, events, out.stderr.decode()

    def runs(self):
        return [r for r in self.fettle("runs", "--json")[1]]

    def state(self):
        try:
            return json.load(open(f"{self.dir}/state.json"))
        except FileNotFoundError:
            return {}


class Bad(Exception):
    pass


def want(ok, text):
    if not ok:
        raise Bad(text)


def says(text, *patterns):
    for pattern in patterns:
        want(re.search(pattern, text), f"it does not say {pattern!r}: {text.strip()[:600]!r}")
    want("(null)" not in text and "Traceback" not in text, f"no sentence for people: {text!r}")


def no_secret(user, secret=CANARY, allowed=()):
    """Everything that fettle said or wrote: outputs, the store and its log, the report."""
    for run in user.runs():
        out = subprocess.run([f"{BUILD}/bin/fettle", "show", run["run"], "--html", "--config", user.config], env=user.env, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        want(out.returncode == 0 and b"<" in out.stdout, f"no report of run {run['run']}: {out.stderr}")
        user.said += out.stdout
        user.fettle("show", run["run"], "--json")
    want(secret.encode() not in user.said, f"the secret is in an output: {user.said[max(0, user.said.find(secret.encode()) - 200):][:400]!r}")
    for folder, _, names in os.walk(user.dir):
        for name in names:
            path = os.path.join(folder, name)
            if not os.path.islink(path) and path not in allowed and os.path.isfile(path):
                want(secret.encode() not in open(path, "rb").read(), f"the secret is in {name}")


def failed_run(user, args, status, *patterns):
    """The run fails with a sentence, and its end is in the store."""
    got, events, err = user.fettle("run", *args)
    end = last(events, "run.finished") or {}
    failure = last(events, "step.failed") or {}
    want(got == status, f"exit status {got}, not {status}: {err} {events[-1:]}")
    says(failure.get("error", "") or err, *patterns)
    want(end.get("status") == "failed" and user.runs()[0]["status"] == "failed", f"the run ended as {end.get('status')} and is stored as {user.runs()}")
    return failure


def refused(user, args, status, *patterns, runs=0, **more):
    """Nothing begins: a sentence, and no run in the store."""
    got, events, err = user.fettle(*args, **more)
    want(got == status, f"exit status {got}, not {status}: {err} {events[-1:]}")
    says(err, *patterns)
    if runs is not None:
        want(len(user.runs()) == runs, f"runs in the store: {user.runs()}")


# ---- secrets

@row
def token_variable_is_not_set():
    user = User()
    del user.env["FETTLE_TEST_TOKEN"]
    return user, lambda: failed_run(user, ["look.yaml", f"client={CLIENT}"], 1, r"FETTLE_TEST_TOKEN", r"set|export", r"token")


@row
def token_file_is_missing():
    user = User(token="{file: /nonexistent/fettle-token}")
    return user, lambda: failed_run(user, ["look.yaml", f"client={CLIENT}"], 1, r"/nonexistent/fettle-token", r"No such file|not there|missing")


@row
def token_is_written_into_the_configuration():
    user = User(token="plain-secret-in-the-file")
    return user, lambda: (failed_run(user, ["look.yaml", f"client={CLIENT}"], 1, r"token", r"env|file"), no_secret(user, "plain-secret-in-the-file", [user.config]))


# ---- an API that does not keep its promise

def api_row(mode, cls, *patterns):
    def fn():
        api = Api()
        user = User(api)
        api.mode = mode

        def check():
            failure = failed_run(user, ["look.yaml", f"client={CLIENT}"], 1, *patterns)
            want(failure.get("class") == cls, f"the class is {failure.get('class')}, not {cls}: {failure.get('error')}")
            want(api.requests, "the API was never asked")
            api.over.set()
            api.shutdown()
        return user, check
    fn.__name__ = f"api_{mode}"
    ROWS.append(fn)


api_row("html", "invalid", r"127\.0\.0\.1", r"HTML|log.?in|proxy|text/html")
api_row("truncated", "invalid", r"127\.0\.0\.1", r"JSON")
api_row("500", "refused", r"127\.0\.0\.1", r"500", r"database away")
api_row("401", "denied", r"127\.0\.0\.1", r"401|token|credentials")
api_row("nothing", "unreachable", r"127\.0\.0\.1", r"closed|empty|no answer|nothing")
api_row("hang", "timeout", r"127\.0\.0\.1|mist", r"2 s|in time|timed out")
api_row("empty", "invalid", r"127\.0\.0\.1|Mist")
api_row("list_is_text", "invalid", r"results|list")
api_row("echo", "denied", r"403", r"\*\*\*")


@row
def api_fields_of_wrong_types():
    """A value that is not what it should be is not known; the rest of the answer counts."""
    api = Api()
    user = User(api)
    api.mode = "odd_fields"

    def check():
        got, events, err = user.fettle("run", "look.yaml", f"client={CLIENT}")
        result = (last(events, "step.done") or {}).get("result", {})
        want(got == 0 and result.get("associated") is True, f"exit status {got}: {err} {events[-1:]}")
        seen = {k: result.get(k, "missing") for k in ("rssi", "vlan_id", "connected_s", "ssid")}
        want(all(v is None for v in seen.values()), f"a wrong type was taken for a value: {seen}")
    return user, check


@row
def main_job_on_a_bad_day():
    """ISE answers a web page, Mist does the disconnect and its answer is lost: the fault is found and mended all the same, and nothing is sent twice."""
    user = User()
    text = open(f"{SOURCE}/examples/lab/scenarios/dhcp_pool_exhausted.yaml").read()
    text = re.sub(r"(?m)^speed:.*$", "speed: 60", text)
    want("faults:" in text, "the scenario has no faults")
    text += "  - api: {system: ise, kind: html, times: -1}\n  - api: {system: mist, path: /disconnect, kind: lose_answer, times: 1}\n"

    def check():
        with Lab(text=text) as lab:
            got, events, err = lab.fettle("run", "client-connectivity", f"client={CLIENT}", "--yes")
            end = last(events, "run.finished") or {}
            want(got == 0 and end.get("outcome") == "fixed", f"exit status {got}: {err} {end or events[-1:]}")
            ise = last(events, "step.failed", "authentication") or {}
            says(ise.get("error", ""), r"ISE|127\.0\.0\.1", r"web page|HTML|XML")
            want((last(events, "doubt.answered", "rejoin") or {}).get("happened") is True, "the lost answer was not found out")
            sent = [w for w in lab.writes("mist") if "/disconnect" in w["path"]]
            want(len(sent) == 1, f"the disconnect was sent {len(sent)} times")
    return user, check


@row
def nobody_listens():
    user = User()
    return user, lambda: failed_run(user, ["look.yaml", f"client={CLIENT}"], 1, r"127\.0\.0\.1", r"refused|connect")


@row
def answer_to_a_write_is_lost():
    """It may have happened: nothing is sent again, nobody is told that it is done, and a person is asked."""
    api = Api()
    user = User(api)

    def check():
        api.mode = "live"
        got, events, err = user.fettle("run", "send_off.yaml", "--yes")
        want(got == 3, f"exit status {got}, not 3 (parked): {err} {events[-1:]}")
        run = user.runs()[0]
        want(run["status"] == "parked", f"stored as {run}")
        says(json.dumps(last(events, "doubt.opened")), r"Did it happen", r"/disconnect", r"2 s")
        want(user.fettle("resume", run["run"], "--yes")[0] == 3, "--yes answered a doubt")
        posts = [r for r in api.requests if r[0] == "POST"]
        want(len(posts) == 1, f"sent {len(posts)} times")
        api.over.set()
        api.shutdown()
    return user, check


# ---- host keys: the lab's switches, behind a real sshd

def host_key_row(name, edit, *patterns):
    def fn():
        user = User()

        def check():
            with Lab("healthy") as lab:
                text = open(lab.config).read()
                user.config = user.write("fettle.yaml", re.sub(r'(?m)^store:.*$', f"store: {user.store}", text).replace(f"{lab.dir}/lab/known_hosts", f"{user.dir}/known_hosts"))
                for plugin in os.listdir(f"{BUILD}/plugins"):
                    if plugin.endswith(".so") and not os.path.exists(f"{user.home}/plugins/{plugin}"):
                        os.symlink(os.path.realpath(f"{BUILD}/plugins/{plugin}"), f"{user.home}/plugins/{plugin}")
                edit(user, open(f"{lab.dir}/lab/known_hosts").read())
                failed_run(user, ["port.yaml"], 1, r"known_hosts", *patterns)
                want(not lab.writes(), "something was written")
                for secret in ("mist.token", "kea.password", "ise.password"):
                    no_secret(user, open(f"{lab.dir}/lab/{secret}").read().strip())
        return user, check
    fn.__name__ = name
    ROWS.append(fn)


def turned(user, known):
    """Each switch has the key of its neighbour: what an attacker in between, or a replaced switch, looks like."""
    lines = [line.split(" ", 1) for line in known.splitlines()]
    user.write("known_hosts", "".join(f"{host} {key}\n" for (host, _), (_, key) in zip(lines, lines[1:] + lines[:1])))


host_key_row("host_key_has_changed", turned, r"CHANGED", r"replaced", r"127\.0\.0\.1")
host_key_row("host_key_is_unknown", lambda user, known: user.write("known_hosts", ""), r"unknown|not in|no key", r"ssh-keyscan|add")


# ---- plugins

def plugin_row(name, source, *patterns):
    def fn():
        user = User()
        user.write("bad.yaml", PLAYBOOKS["look"].replace("name: look", "name: bad").replace("mist.client_status, with: {mac: \"${client}\"}", "broken.it"))
        path = f"{user.home}/plugins/broken.so"
        if source is None:
            open(path, "w").write("this is a text\n")
        else:
            c = user.write("broken.c", source)
            flags = subprocess.run(["pkg-config", "--cflags", "jansson"], capture_output=True, text=True).stdout.split()
            subprocess.run(["cc", "-shared", "-fPIC", f"-I{SOURCE}/core/include", *flags, "-o", path, c], check=True)
        return user, lambda: (refused(user, ["run", "bad.yaml", f"client={CLIENT}"], 2, r"broken\.so", r"bad\.yaml:\d+:\d+", *patterns),
                              says(user.fettle("plugins")[2] + user.said.decode(), r"broken"))
    fn.__name__ = name
    ROWS.append(fn)


ACTION = """#include <fettle/plugin.h>
static int o(const struct ft_host *h, const json_t *c, void **r, struct ft_err *e) { (void)h; (void)c; (void)r; (void)e; return 0; }
static const struct ft_action a = { .size = sizeof(a), .name = "it", .summary = "s", .effects = FT_EFFECT_READ, .params_schema = "{}", .result_schema = "{}" };
static const struct ft_action *const as[] = { &a, NULL };
FT_EXPORT const struct ft_plugin %s = { FT_PLUGIN_HEADER, %s .name = "broken", .version = "1", .summary = "s", .open = o, .actions = as };
"""
plugin_row("plugin_of_another_abi", ACTION.replace("FT_PLUGIN_HEADER,", ".abi_major = 77, .size = sizeof(struct ft_plugin),") % ("ft_plugin", ""), r"77", r"build it again")
plugin_row("plugin_without_the_symbol", ACTION % ("another_name", ""), r"ft_plugin", r"FT_EXPORT")
plugin_row("plugin_that_is_no_library", None, r"cannot be loaded|ELF|too short|header")
plugin_row("plugin_without_run", ACTION % ("ft_plugin", ""), r"'it'", r"no `run`")


# ---- wrong usage

def usage_row(name, args, *patterns):
    def fn():
        user = User()
        return user, lambda: refused(user, args, 2, *patterns)
    fn.__name__ = name
    ROWS.append(fn)


usage_row("unknown_playbook", ["run", "client-conectivity"], r"client-conectivity", r"did you mean 'client-connectivity'|name a file")
usage_row("playbook_file_is_missing", ["run", "nowhere.yaml"], r"nowhere\.yaml", r"No such file")
usage_row("unknown_parameter", ["run", "look.yaml", f"client={CLIENT}", "cuont=3"], r"cuont", r"did you mean 'count'")
usage_row("parameter_of_a_wrong_type", ["run", "look.yaml", f"client={CLIENT}", "count=many"], r"count", r"many", r"number|integer|int")
usage_row("parameter_that_is_no_mac", ["run", "look.yaml", "client=printer"], r"client", r"printer", r"MAC|mac")
usage_row("required_parameter_is_missing", ["run", "look.yaml"], r"client", r"required|missing|needs")
usage_row("parameter_without_a_value", ["run", "look.yaml", "client"], r"name=value")
usage_row("unknown_command", ["rum", "look.yaml"], r"rum", r"did you mean 'run'|--help")
usage_row("unknown_option", ["run", "look.yaml", "--dry-rum"], r"dry-rum")


def config_row(name, text, *patterns):
    def fn():
        user = User()

        def check():
            bad = user.write("bad.yaml", text)
            refused(user, ["run", "look.yaml", f"client={CLIENT}"], 2, r"bad\.yaml", *patterns, config=bad)
            want("run.started" not in user.said.decode(), "a run began")
        return user, check
    fn.__name__ = name
    ROWS.append(fn)


config_row("configuration_is_no_yaml", "fettle: 1\nplugins: {mist: [\n", r"bad\.yaml:\d+:\d+")
config_row("configuration_with_an_unknown_key", "fettle: 1\nplugin: {}\n", r"bad\.yaml:2:1", r"plugins")
config_row("configuration_of_another_version", "fettle: 7\n", r"bad\.yaml:1", r"7")


@row
def configuration_is_missing():
    user = User()
    return user, lambda: (refused(user, ["run", "look.yaml", f"client={CLIENT}"], 2, r"none\.yaml", r"No such file", config=f"{user.dir}/none.yaml"))


# ---- the store

@row
def store_is_no_database():
    user = User()
    user.write("store.db", "these are my holiday notes\n" * 100)

    def check():
        refused(user, ["run", "look.yaml", f"client={CLIENT}"], 1, r"store\.db", r"not a|no ", runs=None)
        want(open(user.store).read().startswith("these are my holiday notes"), "the file was touched")
    return user, check


@row
def store_is_of_somebody_else():
    user = User()

    def check():
        db = sqlite3.connect(user.store)
        db.execute("CREATE TABLE songs (name TEXT)")
        db.commit()
        db.close()
        refused(user, ["run", "look.yaml", f"client={CLIENT}"], 1, r"store\.db", r"fettle", runs=None)
        db = sqlite3.connect(user.store)
        want([r[0] for r in db.execute("SELECT name FROM sqlite_master")] == ["songs"], "somebody else's database was changed")
        db.close()
    return user, check


@row
def store_is_of_a_newer_fettle():
    user = User()

    def check():
        want(user.fettle("run", "gate.yaml", "--yes")[0] == 0, "the store could not be made")
        db = sqlite3.connect(user.store)
        db.execute("PRAGMA user_version=900")
        db.commit()
        db.close()
        refused(user, ["run", "gate.yaml", "--yes"], 1, r"store\.db", r"newer", r"update|newer fettle|upgrade|use", runs=None)
    return user, check


def obey_modes():
    """A root without CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH is held by file modes as anybody else (both leave with the exec)."""
    libc = ctypes.CDLL(None)
    for capability in (1, 2):
        libc.prctl(24, capability, 0, 0, 0)


@row
def store_in_a_directory_that_cannot_be_written():
    user = User()
    folder = f"{user.dir}/closed"
    os.mkdir(folder, 0o555)
    args = ["run", "gate.yaml", "--yes", "--store", f"{folder}/store.db"]
    return user, lambda: (refused(user, args, 1, r"closed/store\.db", r"[Pp]ermission|cannot|unable", runs=None, preexec=obey_modes), want(not os.listdir(folder) and not user.state(), "something was written"))


@row
def journal_is_full():
    """The file may not grow any more in the middle of a run: it stops with a sentence, and the next resume goes on."""
    user = User()

    def check():
        user.fettle("run", "gate.yaml", "--yes")
        size = max(os.path.getsize(user.store + end) for end in ("", "-wal") if os.path.exists(user.store + end)) + 150_000
        got, events, err = user.fettle("run", "many.yaml", preexec=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)))
        want(got == 1, f"exit status {got}, not 1: {err}")
        says(err, r"store\.db", r"full|large|write", r"resume|go on")
        before = len(user.state().get("$record", []))
        want(1 < before < 60, f"{before} writes before the journal was full: the limit does not fit the test")
        run = user.runs()[0]
        want(run["status"] == "running", f"stored as {run}")
        got, events, err = user.fettle("resume", run["run"])
        want(got == 0, f"resume ended with {got}: {err}")
        keys = [json.loads(r)["params"]["key"] for r in user.state()["$record"]]
        want(sorted(keys) == sorted(["a"] + [f"k{n}" for n in range(1, 61)]), f"not each once: {sorted(keys)}")
    return user, check


# ---- runs

@row
def second_run_while_the_first_is_parked():
    user = User()

    def check():
        got, events, err = user.fettle("run", "gate.yaml")
        want(got == 3, f"parking ends with {got}: {err}")
        first = user.runs()[0]["run"]
        refused(user, ["run", "gate.yaml"], 1, r"device/a", first, r"parked", r"fettle cancel", runs=1)
        want(user.fettle("run", "gate.yaml", "key=b", "--yes")[0] == 0, "another device was locked, too")
        want(user.fettle("resume", first, "--yes")[0] == 0, "the first did not go on")
        want(user.fettle("run", "gate.yaml", "--yes")[0] == 0, "the lock was not given back")
    return user, check


@row
def resume_of_a_finished_run():
    user = User()

    def check():
        user.fettle("run", "gate.yaml", "--yes")
        run, record = user.runs()[0]["run"], user.state()["$record"]
        refused(user, ["resume", run], 2, run, r"finished|over", runs=1)
        want(user.state()["$record"] == record, "it wrote again")
    return user, check


@row
def ambiguous_and_unknown_runs():
    user = User()

    def check():
        for key in "ab":
            user.fettle("run", "gate.yaml", f"key={key}", "--yes")
        one, other = (r["run"] for r in user.runs())
        db = sqlite3.connect(user.store)
        db.execute("UPDATE runs SET id = ? WHERE id = ?", ("abcd0001", one))
        db.execute("UPDATE runs SET id = ? WHERE id = ?", ("abcd0002", other))
        db.commit()
        db.close()
        for command in ("show", "resume", "why", "cancel"):
            refused(user, [command, "abcd"], 2, r"abcd0001", r"abcd0002", runs=2)
            refused(user, [command, "ffffffff"], 2, r"ffffffff", r"no run", runs=2)
        refused(user, ["show", "abc"], 2, r"abc", runs=2)
    return user, check


def main():
    wanted = sys.argv[1:]
    rows = [fn for fn in ROWS if fn and (not wanted or fn.__name__ in wanted)]
    failed = 0
    for fn in rows:
        user = None
        try:
            user, check = fn()
            check()
            if os.path.exists(user.store) and fn.__name__ not in ("store_is_no_database", "store_is_of_somebody_else", "store_is_of_a_newer_fettle"):
                no_secret(user)
            want(CANARY.encode() not in user.said, "the token is in an output")
            print(f"ok      {fn.__name__}", flush=True)
            if os.environ.get("FETTLE_SHOW"):
                print("        " + "\n        ".join(line for line in user.said.decode(errors="replace").splitlines() if "error" in line)[:1500])
        except (Bad, subprocess.TimeoutExpired, LookupError, ValueError) as error:
            failed += 1
            print(f"FAILED  {fn.__name__}\n        {error!r}", flush=True)
        finally:
            if user:
                shutil.rmtree(user.dir, ignore_errors=True)
    print(f"{len(rows) - failed} of {len(rows)} bad worlds")
    sys.exit(1 if failed else 0)


main()
