#!/usr/bin/env python3
"""No secret leaves: canary secrets from the environment, a file, the sealed file and Vault go through whole runs against a server that echoes them in every
form it can, in good answers, in error pages and in results so large that they lie beside the journal; runs are planned, applied, taken back, exported and proved, they
mail, post to URLs that are secrets, fail in conditions, and start programs. Then everything that fettle printed, sent to others than the secret's own server, and left on
the disk, and what its children saw, is searched for them, as they are and as base64, URL, JSON, HTML and hex. Secrets with `release: approved` are not read before a
person has approved."""
import base64, html, http.server, json, os, shutil, socketserver, subprocess, sys, tempfile, threading, urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from vault import Vault

BUILD = os.environ["FETTLE_BUILD"]
CANARIES = {name: f"Cnry/{name}+%&=\"'x-{os.urandom(6).hex()}" for name in ("env", "file", "sealed", "vault", "released", "param")}
CANARIES["login"] = "secret-id-" + os.urandom(8).hex()
CANARIES["access"] = "access-token/" + os.urandom(8).hex()          # what a server gives for a client's secret
CANARIES["hook"] = "hook-" + os.urandom(8).hex()                    # in a URL
bad = []


def forms(secret):
    """The secret in every form that is looked for."""
    raw = secret.encode()
    yield "plain", raw
    for before in range(3):
        whole = base64.b64encode(b"x" * before + raw + b"y" * ((-before - len(raw)) % 3))
        yield f"base64 behind {before}", whole[4 if before else 0:len(whole) - 4]
    yield "url", urllib.parse.quote(secret, safe="").encode()
    yield "url with +", urllib.parse.quote_plus(secret).encode()
    yield "url in lower case", urllib.parse.quote(secret, safe="").lower().encode()
    yield "json", json.dumps(secret)[1:-1].encode()
    yield "json with \\/", json.dumps(secret)[1:-1].replace("/", "\\/").encode()
    yield "html", html.escape(secret).encode()
    yield "hex", raw.hex().encode()
    yield "HEX", raw.hex().upper().encode()


def search(what, data):
    for name, secret in CANARIES.items():
        for form, text in forms(secret):
            if text in data:
                at = data.index(text)
                bad.append(f"{what}: the secret '{name}' stands there as {form}: …{data[max(0, at - 60):at + 80]!r}…")


class Echo(http.server.BaseHTTPRequestHandler):
    got = []

    def log_message(self, *_):
        pass

    def do(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode(errors="replace")
        heard = [v for k, v in self.headers.items() if k.lower() in ("authorization", "x-api-key")]
        Echo.got.append((self.command, self.path, heard))
        if self.path.startswith("/token"):
            text = json.dumps({"access_token": CANARIES["access"], "token_type": "Bearer", "expires_in": 3600}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)
            return
        token = heard[0].split(" ", 1)[-1] if heard else ""
        said = {"you": heard, "b64": base64.b64encode(token.encode()).decode(), "user": base64.b64encode(f"me:{token}".encode()).decode(),
                "hex": token.encode().hex(), "HEX": token.encode().hex().upper(), "body": body,
                "url": f"/back?token={urllib.parse.quote(token, safe='')}&other={urllib.parse.quote_plus(token)}", "nested": json.dumps({"t": token})}
        page = f"<h1>No</h1> your token {token} or {html.escape(token)} is not known {json.dumps(said)}"
        status = {"/deny": 401, "/fail": 500, "/gone": 404}.get(self.path.split("?")[0], 200)
        if self.path.startswith("/large"):
            said["many"] = [f"{i} of {token}" for i in range(3000)]
        text = (json.dumps(said) if status == 200 else page).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if status == 200 else "text/html")
        self.send_header("WWW-Authenticate", f'Bearer realm="{urllib.parse.quote(token)}"')
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = do_DELETE = do


class Mail(socketserver.StreamRequestHandler):
    """A mail server that keeps what it gets."""
    got = []

    def handle(self):
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            word = line.strip().upper()[:4]
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                text = b""
                while (line := self.rfile.readline()) and line != b".\r\n":
                    text += line
                Mail.got.append(text)
            self.wfile.write(b"250 fine\r\n" if word != b"QUIT" else b"221 bye\r\n")
            if word == b"QUIT":
                return


CHANGE = """fettle: 1
name: change
title: A change with secrets all around it
steps:
  - {id: read, run: http.get, with: {api: oauth, url: /ok}, say: "${result.json.nested}"}
  - {id: large, run: http.get, with: {api: basic, url: /large}, say: "${#result.json.many} of ${result.json.user}"}
  - {id: gate, approve: "May I, now that ${read.json.hex} was seen?"}
  - id: put
    run: http.request
    with: {api: oauth, method: PUT, url: /thing, json: {said: "fixed"}}
    undo: {run: http.request, with: {api: basic, method: DELETE, url: "/thing?of=fixed"}}
  - id: wrong
    run: http.get
    with: {api: env, url: /ok}
    say: "${result.json.you[1] + 1}"
    on_error: lua
  - {id: lua, set: {x: "${#large.json.user + tonumber(read.json.hex)}"}, on_error: child}
  - {id: child, run: exec.command, effect: read, with: {argv: [sh, -c, "cat /proc/self/environ /proc/[0-9]*/cmdline > child.txt"]}, on_error: post}
  - {id: post, run: notify.webhook, undo: none, with: {webhook: gone, text: "done ${read.json.b64}"}, on_error: page}
  - {id: page, run: notify.webhook, undo: none, with: {webhook: there, text: "done ${large.json.nested}"}, on_error: mail}
  - id: mail
    run: notify.mail
    undo: none
    with: {to: noc@example.org, subject: "done ${read.json.hex}", text: "${read.json.nested} ${large.json.user} ${large.json.url}"}
    then: good
outcomes: {good: {title: Good, diagnosis: "all of ${large.json.url}"}}
"""

PLAYBOOK = """fettle: 1
name: canary
title: Everything that might show a secret
params:
  password: {type: secret, required: true}
steps:
  - {id: read_env, run: http.get, with: {api: env, url: /ok}, say: "it says ${result.json.you[1]} and ${result.json.nested}"}
  - {id: read_file, run: http.get, with: {api: file, url: /deny}, on_error: read_sealed}
  - {id: read_sealed, run: http.get, with: {api: sealed, url: /gone}, on_error: read_vault}
  - {id: read_vault, run: http.get, with: {api: vault, url: /ok}}
  - set: {seen: "${read_vault.json}"}
  - {id: radius, run: radius.auth, with: {server: it, user: me, password: "${password}"}, on_error: early}
  - {id: early, run: exec.command, effect: read, with: {argv: [printenv, C], secret_env: {C: released}}, on_error: gate}
  - id: gate
    approve: "May I, now that ${seen.hex} was seen?"
  - {id: late, run: exec.command, effect: read, with: {argv: [printenv, C], secret_env: {C: released}}, say: "${result.out}"}
  - id: put
    run: http.request
    with: {api: vault, method: PUT, url: /thing, json: {said: "${seen.b64}"}}
    undo: {run: http.request, with: {api: sealed, method: DELETE, url: /thing}}
  - id: lose
    run: http.request
    with: {api: env, method: POST, url: /fail, json: {x: 1}}
    retry: {times: 1, every: 100ms}
    undo: none
    then: good
outcomes: {good: {title: Good, diagnosis: "all of ${seen.url}"}}
"""


def config(folder, url, vault, mail):
    def api(ref):
        return f"{{url: \"{url}\", token: {ref}, secret_headers: {{X-Api-Key: {ref}}}}}"

    return f"""fettle: 1
secrets:
  sealed: {{file: s.sealed, key: {{file: sealed.key}}}}
  vault: {{address: "{vault.url}", approle: {{role_id: r, secret_id: {{file: {folder}/login}}}}}}
plugins:
  http:
    apis:
      env: {api("{env: CANARY}")}
      file: {api(f"{{file: {folder}/canary}}")}
      sealed: {api("{sealed: one}")}
      vault: {api('{vault: "kv/data/fettle#canary"}')}
      oauth: {{url: "{url}", oauth2: {{token_url: "{url}/token", client_id: me, client_secret: {{sealed: one}}}}}}
      basic: {{url: "{url}", user: me, password: {{env: CANARY}}}}
  notify:
    webhooks:
      gone: {{url: {{env: GONE}}}}
      there: {{url: {{env: HOOK}}}}
    smtp: {{url: "smtp://127.0.0.1:{mail}", from: fettle@example.org, starttls: false}}
  exec:
    allow: [printenv, sh]
    secrets:
      released: {{sealed: released, release: approved}}
  radius:
    tries: 1
    first_wait_ms: 200
    servers:
      it: {{host: 127.0.0.1, auth_port: 9, secret: {{sealed: one}}}}
"""


def main():
    for _, text in forms(CANARIES["env"]):
        search("", b"before " + text + b" behind")
    if len(bad) < len(list(forms("x"))):
        sys.exit("FAILED: the search finds nothing: the test does not test")
    bad.clear()
    folder, vault = tempfile.mkdtemp(prefix="fettle-canary-"), Vault()
    target = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    target.daemon_threads = True
    threading.Thread(target=target.serve_forever, daemon=True).start()
    mail = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mail)
    mail.daemon_threads = True
    threading.Thread(target=mail.serve_forever, daemon=True).start()
    vault.tokens.clear()
    vault.role = ("r", CANARIES["login"])
    vault.v2["kv/data/fettle"] = {"canary": CANARIES["vault"]}
    env = {**os.environ, "HOME": folder, "CANARY": CANARIES["env"], "PARAM": CANARIES["param"],
           "GONE": f"http://127.0.0.1:9/{CANARIES['hook']}", "HOOK": f"http://127.0.0.1:{target.server_port}/deny?key={CANARIES['hook']}", "ASAN_OPTIONS": "detect_leaks=0"}
    own = {"canary", "login", "sealed.key", "s.sealed"}

    def fettle(*args, expected=0, text=None):
        out = subprocess.run([f"{BUILD}/bin/fettle", *args, "--store", f"{folder}/s.db"], cwd=folder, capture_output=True, timeout=120, env=env,
                             input=text.encode() if text is not None else None, stdin=subprocess.DEVNULL if text is None else None)
        search(f"`fettle {' '.join(args)}` on standard output", out.stdout)
        search(f"`fettle {' '.join(args)}` on standard error", out.stderr)
        if out.returncode != expected and not (args[0] == "why" and b"took no decision" in out.stderr):
            bad.append(f"`fettle {' '.join(args)}` ended with {out.returncode}, not {expected}: {out.stdout[-600:]!r} {out.stderr[-600:]!r}")
        return out.stdout.decode()

    for name in ("canary", "login"):
        fd = os.open(f"{folder}/{name}", os.O_WRONLY | os.O_CREAT, 0o600)
        os.write(fd, CANARIES["file" if name == "canary" else name].encode() + b"\n")
        os.close(fd)
    open(f"{folder}/canary.yaml", "w").write(PLAYBOOK)
    open(f"{folder}/fettle.yaml", "w").write(config(folder, f"http://127.0.0.1:{target.server_port}", vault, mail.server_address[1]))
    open(f"{folder}/change.yaml", "w").write(CHANGE)
    fettle("secret", "new-key", "sealed.key")
    fettle("secret", "set", "one", text=CANARIES["sealed"])
    fettle("secret", "set", "released", text=CANARIES["released"] + "\n")
    fettle("secret", "list")

    given = ["canary.yaml", "password=env:PARAM"]
    fettle("run", *given, "--dry-run", "--text", "--verbose")
    fettle("run", *given, "--dry-run", "--json")
    fettle("plan", *given)
    plan = json.loads(fettle("plan", "change.yaml", "--json"))["digest"]
    for words in (["plan", "--show", plan], ["plan", "--show", plan, "--markdown"], ["show", plan], ["policy", "test", "change.yaml"]):
        fettle(*words)
    fettle("apply", plan, "--json", "--yes", "--verbose", "--accept-undetermined")
    changed = json.loads(fettle("runs", "--json", "-n", "1"))["run"]
    fettle("undo", changed, "--dry-run")
    fettle("undo", changed, "--yes", "--text", "--verbose")
    run = fettle("run", *given, "--json", "--yes", "--verbose", expected=5)
    fettle("run", *given, "--text", "--yes", "--verbose", expected=5)
    events = [json.loads(line) for line in run.splitlines() if line.startswith("{")]
    by = {(e["type"], e.get("path")): e for e in events}
    early, late = by.get(("step.failed", "early"), {}), by.get(("step.done", "late"), {})
    if "released only to a run that has been approved" not in early.get("error", ""):
        bad.append(f"the secret that waits for an approval was given before it: {early}")
    if late.get("result", {}).get("out") not in ("***\n", "***"):
        bad.append(f"the approved run did not get its secret: {late}")
    if ("undo.done", "put") not in by:
        bad.append("the write was not taken back")
    for name in ("env", "file", "sealed", "vault"):
        if not any(CANARIES[name] in " ".join(heard) for _, _, heard in Echo.got):
            bad.append(f"the server never got the secret '{name}': the test does not test")
    ids = [json.loads(line)["run"] for line in fettle("runs", "--json").splitlines()]
    if len(ids) < 3:
        bad.append(f"only {len(ids)} runs: the test does not test")
    for id in ids:
        for words in (["show", id], ["show", id, "--json"], ["show", id, "--html"], ["why", id], ["graph", id], ["export", id], ["export", id, "--format", "json"], ["locks"]):
            fettle(*words)
        fettle("export", id, "--out", f"{id}.html")
        fettle("audit", "verify", "--file", f"{id}.html", "--key", "s.pub")
    fettle("audit", "verify")
    if json.loads(fettle("audit", "verify", "--json"))["blobs"] < 3:
        bad.append("no result was so large that it lies beside the journal: the test does not test")
    seen = {words for words in ("PUT /thing", "DELETE /thing?of=fixed", "GET /large", "POST /token", "POST /deny?key=" + CANARIES["hook"]) if words in
            {f"{method} {path}" for method, path, _ in Echo.got}}
    if len(seen) != 5 or not Mail.got or not os.path.exists(f"{folder}/child.txt"):
        bad.append(f"not all was done: {seen}, {len(Mail.got)} mails: the test does not test")
    search("a mail", b"".join(Mail.got))
    fettle("doctor")
    fettle("plugins", "http")
    files = 0
    for place, _, names in os.walk(folder):
        for name in names:
            if name not in own:
                files += 1
                search(f"the file {name}", open(f"{place}/{name}", "rb").read())
    if files < 3:
        bad.append(f"only {files} files were searched")
    search("the sealed file", open(f"{folder}/s.sealed", "rb").read())
    target.shutdown()
    mail.shutdown()
    vault.stop()
    shutil.rmtree(folder)
    for line in bad[:30]:
        print("FAILED", line)
    print(f"{len(CANARIES)} secrets in {len(list(forms('x')))} forms, {len(ids)} runs, {len(Echo.got)} requests, {files} files: {len(bad)} appearances or faults")
    sys.exit(1 if bad else 0)


main()
