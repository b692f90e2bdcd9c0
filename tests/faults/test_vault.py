#!/usr/bin/env python3
"""Secrets in Vault: what is read reaches the target, and every way in which Vault can refuse is one clear sentence."""
import http.server, json, os, shutil, socket, subprocess, sys, tempfile, threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from vault import Vault, authority, certificate

BUILD = os.environ["FETTLE_BUILD"]
seen, bad = [], []


class Target(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        seen.append(self.headers.get("Authorization"))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()


PLAYBOOK = """fettle: 1
name: t
title: T
steps:
  - {id: one, run: http.get, with: {api: it, url: /x}}
  - {id: two, run: http.get, with: {api: it, url: /x}, then: good}
outcomes: {good: {title: Good}}
"""


# The doctor loads all plugins: LeakSanitizer's tracer falls over the thread-local storage of their libraries, and takes the output with it. Not looking
# there finds no leak less.
NO_TLS = {"LSAN_OPTIONS": os.environ.get("LSAN_OPTIONS", "") + ":use_tls=0"}


def run(vault, ref, auth, more="", env=None, doctor=False, files=None):
    """(exit status, Authorization headers that the target saw, the first failure); or what the doctor says of it."""
    folder = tempfile.mkdtemp(prefix="fettle-vault-")
    for name, text in (files or {}).items():
        open(f"{folder}/{name}", "w").write(text)
    try:
        open(f"{folder}/t.yaml", "w").write(PLAYBOOK)
        open(f"{folder}/fettle.yaml", "w").write(
            f"fettle: 1\nsecrets: {{vault: {{address: \"{vault.url}\", {auth}{more}}}}}\n"
            f"plugins: {{http: {{apis: {{it: {{url: \"http://127.0.0.1:{target.server_port}\", token: {{vault: \"{ref}\"}}}}}}}}}}\n")
        seen.clear()
        words = ["doctor"] if doctor else ["run", "t.yaml"]
        out = subprocess.run([f"{BUILD}/bin/fettle", *words, "--json", "--store", f"{folder}/s.db"], cwd=folder, capture_output=True, text=True, timeout=60,
                             env={**os.environ, "HOME": folder, "VT": "root-token", **(env or {}), **(NO_TLS if doctor else {})})
        events = [json.loads(line) for line in out.stdout.splitlines() if line.startswith("{")]
        if doctor:
            return out.returncode, [], next(e["text"] for e in events if e["what"] == "plugin http")
        failed = next((e for e in events if e.get("type") == "step.failed"), {})
        return out.returncode, list(seen), f"{failed.get('class', '')}: {failed.get('error', '')} {out.stderr}"
    finally:
        shutil.rmtree(folder)


def expect(what, got, status, words=(), auth=None):
    code, headers, text = got
    wrong = code != status or any(w not in text for w in words) or (auth is not None and headers != ([f"Bearer {auth}"] * 2 if auth else []))
    print(f"{'FAILED ' if wrong else 'ok     '} {what}{f': {code} {headers} {text}' if wrong else ''}", flush=True)
    if wrong:
        bad.append(what)


TOKEN = "token: {env: VT}"
target = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Target)
target.daemon_threads = True
threading.Thread(target=target.serve_forever, daemon=True).start()


def with_vault(fn):
    vault = Vault()
    vault.v2["kv/data/fettle"] = {"mist_token": "value-of-v2", "number": 5, "nothing": ""}
    vault.v1["old/fettle"] = {"mist_token": "value-of-v1"}
    vault.deleted.add("kv/data/gone")
    vault.role = ("role-1", "secret-1")
    try:
        fn(vault)
    finally:
        vault.stop()


def good(v):
    expect("KV version 2", run(v, "kv/data/fettle#mist_token", TOKEN), 0, auth="value-of-v2")
    if [p for m, p, n in v.requests] != ["/v1/kv/data/fettle"]:
        bad.append(f"one read was enough: {v.requests}")
    expect("KV version 1", run(v, "old/fettle#mist_token", TOKEN), 0, auth="value-of-v1")
    v.namespace = "team"
    expect("a namespace", run(v, "old/fettle#mist_token", TOKEN, ", namespace: team"), 0, auth="value-of-v1")
    expect("without its namespace", run(v, "old/fettle#mist_token", TOKEN), 1, ["denied: ", "denies", "permission denied"])


def approle(v):
    login = "approle: {role_id: role-1, secret_id: {file: %s}}"

    def prepare(folder):
        open(f"{folder}/sid", "w").write("secret-1\n")

    v.tokens.clear()
    folder = tempfile.mkdtemp(prefix="fettle-vault-")
    prepare(folder)
    os.chmod(f"{folder}/sid", 0o600)
    expect("an AppRole login", run(v, "kv/data/fettle#mist_token", login % f"{folder}/sid"), 0, auth="value-of-v2")
    expect("logged in once", (0 if v.logins == 1 else 1, [], str(v.logins)), 0)
    open(f"{folder}/sid", "w").write("wrong\n")
    expect("a wrong secret_id", run(v, "kv/data/fettle#mist_token", login % f"{folder}/sid"), 1, ["log in by AppRole", "invalid role or secret ID"])
    shutil.rmtree(folder)


def refusals(v):
    expect("a wrong token", run(v, "kv/data/fettle#mist_token", TOKEN, env={"VT": "nonsense"}), 1, ["denied: ", "denies to read 'kv/data/fettle'", "policy"])
    expect("the doctor says so, too", run(v, "kv/data/fettle#mist_token", TOKEN, env={"VT": "nonsense"}, doctor=True), 1, ["denies to read"])
    expect("and when all is well", run(v, "kv/data/fettle#mist_token", TOKEN, doctor=True), 0, ["its configuration is right"])
    expect("no token at all", run(v, "kv/data/fettle#mist_token", "token: {env: NOT_THERE}"), 1, ["NOT_THERE", "not set"])
    expect("nothing there", run(v, "kv/data/none#x", TOKEN), 1, ["has nothing there", "kv/data/none"])
    expect("a deleted version", run(v, "kv/data/gone#x", TOKEN), 1, ["was deleted (version 3)"])
    expect("no such field", run(v, "kv/data/fettle#nope", TOKEN), 1, ["has no text field 'nope'"])
    expect("a field that is no text", run(v, "kv/data/fettle#number", TOKEN), 1, ["has no text field 'number'"])
    expect("an empty field", run(v, "kv/data/fettle#nothing", TOKEN), 1, ["has an empty field 'nothing'"])
    expect("no field named", run(v, "kv/data/fettle", TOKEN), 1, ["path#field"])
    expect("a path out of the way", run(v, "kv/../sys/x#y", TOKEN), 1, ["path#field"])
    v.mode = "sealed"
    expect("a sealed Vault", run(v, "kv/data/fettle#mist_token", TOKEN), 1, ["unreachable: ", "sealed", "unseal"])
    v.mode = "standby"
    expect("a standby", run(v, "kv/data/fettle#mist_token", TOKEN), 1, ["standby"])
    v.mode = "slow"
    expect("a Vault that does not answer", run(v, "kv/data/fettle#mist_token", TOKEN, ", timeout: 300ms"), 1, ["Vault does not answer"])
    v.mode = ""
    url = v.url
    v.url = "http://127.0.0.1:1"
    expect("no Vault", run(v, "kv/data/fettle#mist_token", TOKEN), 1, ["unreachable: ", "Vault does not answer"])
    v.url = url


def broken(v):
    """What answers in Vault's place, or stops in the middle, is never taken for a secret, and is one sentence."""
    ref = "kv/data/fettle#mist_token"
    for mode in v.wrong:
        v.mode = mode
        expect(f"an answer that is none: {mode}", run(v, ref, TOKEN), 1, ["Vault", "kv/data/fettle"], auth=[])
    v.mode = "half"
    expect("an answer that stops in its middle", run(v, ref, TOKEN, ", timeout: 300ms"), 1, ["Vault does not answer"], auth=[])
    other = Vault()
    v.mode, v.elsewhere = "redirect", other.url
    expect("a standby that sends elsewhere", run(v, ref, TOKEN), 1, ["standby", "address"], auth=[])
    if other.requests:
        bad.append(f"the token went where a redirect pointed: {other.requests}")
    other.stop()
    silent = socket.socket()
    silent.bind(("127.0.0.1", 0))
    silent.listen()                                       # connections are taken by the system, and never answered
    url, v.url = v.url, f"http://127.0.0.1:{silent.getsockname()[1]}"
    expect("a half-open connection", run(v, ref, TOKEN, ", timeout: 300ms"), 1, ["Vault does not answer"], auth=[])
    v.url = url
    silent.close()


def over_tls(_):
    """The certificate is verified, always: against the system's authorities, or those of ca_file. Before that nothing is sent."""
    ref, place = "kv/data/fettle#mist_token", tempfile.mkdtemp(prefix="fettle-vault-")
    authority(place)
    authority(place, "other")
    ours, others = (open(f"{place}/{name}.pem").read() for name in ("ca", "other"))
    certificate(place, "right", "IP:127.0.0.1")
    certificate(place, "elsewhere", "DNS:vault.example")
    certificate(place, "past", "IP:127.0.0.1", days=-1)
    for name, ca, says in (("right", ours, None), ("right", None, ["set ca_file"]), ("right", others, ["check that ca_file"]), ("elsewhere", ours, ["for another name"]),
                           ("past", ours, ["expired", "clocks"])):
        v = Vault(f"{place}/{name}.pem")
        v.v2["kv/data/fettle"] = {"mist_token": "value-over-tls"}
        more = ", ca_file: mine.pem" if ca else ""
        what = f"a certificate: {name}, {'ours' if ca == ours else 'of another authority' if ca else 'unknown'}"
        got = run(v, ref, TOKEN, more, files={"mine.pem": ca} if ca else None)
        expect(what, got, 1 if says else 0, ["unreachable: ", "Vault does not answer", *says] if says else [], auth=[] if says else "value-over-tls")
        if says and v.requests:
            bad.append(f"{what}: something was sent all the same: {v.requests}")
        v.stop()
    v = Vault(f"{place}/right.pem")
    expect("an authority's file that is not there", run(v, ref, TOKEN, ", ca_file: nowhere.pem"), 1, ["nowhere.pem"], auth=[])
    expect("an authority's file that is none", run(v, ref, TOKEN, ", ca_file: mine.pem", files={"mine.pem": "hello"}), 1, ["mine.pem"], auth=[])
    v.stop()
    v.url = v.url.replace("https://127.0.0.1", "http://vault.example")
    expect("in the clear to another machine", run(v, ref, TOKEN), 2, [], auth=[])
    shutil.rmtree(place)


for part in (good, approle, refusals, broken, over_tls):
    with_vault(part)
target.shutdown()
for line in bad:
    print("FAILED", line)
sys.exit(1 if bad else 0)
