#!/usr/bin/env python3
"""The http plugin, driven by `fettle run`, against Python's web server with TLS that asks for a certificate, OAuth 2, pages and uploads."""
import base64
import email
import email.policy
import hashlib
import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FETTLE = os.path.join(os.environ["FETTLE_BUILD"], "bin", "fettle")
SECRET = "clientsecret42"
BLOB = bytes(range(256)) * 40
failures, seen, tokens = [], [], []


def check(what, holds, what_came=""):
    if not holds:
        failures.append(what)
        print(f"FAILED {what}: {what_came}", flush=True)


class Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, body=b"", kind="application/json", **headers):
        body = json.dumps(body).encode() if not isinstance(body, bytes) else body
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = urllib.parse.urlsplit(self.path)
        seen.append((self.command, self.path, dict(self.headers), body))
        if url.path == "/token":
            good = self.headers.get("Authorization") == "Basic " + base64.b64encode(f"fettle:{SECRET}".encode()).decode() and b"grant_type=client_credentials" in body
            tokens.append(f"token{len(tokens)}secret")
            self.answer(200 if good else 401, {"access_token": tokens[-1], "token_type": "Bearer", "expires_in": 3600} if good else {"error": "invalid_client"})
        elif url.path.startswith("/v1/") and self.headers.get("Authorization") != f"Bearer {tokens[-1] if tokens else ''}":
            self.answer(401)
        elif url.path == "/v1/list":
            page = int(urllib.parse.parse_qs(url.query).get("page", ["1"])[0])
            more = {"Link": f'</v1/list?page={page + 1}>; rel="next"'} if page < 3 else {}
            self.answer(200, [{"id": page * 10 + n} for n in range(2)], **more)
        elif url.path == "/v1/blob":
            self.answer(200, BLOB, "application/octet-stream")
        elif url.path == "/v1/upload":
            message = email.message_from_bytes(b"Content-Type: " + self.headers["Content-Type"].encode() + b"\r\n\r\n" + body, policy=email.policy.HTTP)
            parts = {p.get_param("name", header="content-disposition"): p for p in message.iter_parts()}
            self.answer(201, {n: [p.get_filename(), p.get_content_type(), hashlib.sha256(p.get_payload(decode=True)).hexdigest()] for n, p in parts.items()})
        elif url.path == "/v1/form":
            self.answer(200, urllib.parse.parse_qs(body.decode(), keep_blank_values=True))
        elif url.path == "/v1/gone":
            self.close_connection = True                        # no answer at all
        else:
            self.answer(404, {"detail": "no such thing"})

    do_GET = do_POST = do_PUT = do_DELETE = any


def certificates(f):
    done = subprocess.run(f"cd {f} && for n in server client; do openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $n.key -out $n.pem -days 2 "
                          "-subj /CN=$n -addext subjectAltName=DNS:localhost,IP:127.0.0.1; done", shell=True, capture_output=True, check=False)
    if done.returncode:
        print("no openssl program here: nothing to test with")
        sys.exit(77)


class World:
    def __init__(self, folder, port):
        self.folder, self.number = folder, 0
        with open(f"{folder}/secret", "w", encoding="utf-8") as f:
            f.write(SECRET + "\n")
        os.chmod(f"{folder}/secret", 0o600)
        near = {"url": f"https://localhost:{port}/v1", "ca_file": f"{folder}/server.pem"}
        mine = {"cert_file": f"{folder}/client.pem", "key_file": f"{folder}/client.key"}
        oauth = {"token_url": f"https://localhost:{port}/token", "client_id": "fettle", "client_secret": {"file": f"{folder}/secret"}}
        apis = {"good": {**near, **mine, "oauth2": oauth}, "stranger": {**near, "oauth2": oauth}, "nobody": {**near, **mine, "oauth2": {**oauth, "client_id": "nobody"}}}
        with open(f"{folder}/fettle.yaml", "w", encoding="utf-8") as f:
            json.dump({"fettle": 1, "store": f"{folder}/data/fettle.db", "plugins": {"http": {"apis": apis}}}, f)
        os.mkdir(f"{folder}/data")

    def play(self, *steps):
        """Gives the last event of each step."""
        self.number += 1
        path = f"{self.folder}/p{self.number}.yaml"
        steps = [{"id": f"s{i}", "run": f"http.{action}", "with": params, **({"effect": "read"} if action == "request" else {}), **({"then": "fine"} if i == len(steps) - 1 else {})}
                 for i, (action, params) in enumerate(steps)]
        with open(path, "w", encoding="utf-8") as f:
            json.dump({"fettle": 1, "name": f"http-{self.number}", "title": "http", "category": "check", "severity": "P4", "steps": steps, "outcomes": {"fine": {"title": "done"}}}, f)
        out = subprocess.run([FETTLE, "run", path, "--json", "--yes"], env={**os.environ, "FETTLE_CONFIG": f"{self.folder}/fettle.yaml"}, capture_output=True, text=True, timeout=60)
        check("no secret in the output", not any(s in out.stdout + out.stderr for s in [SECRET, *tokens]), out.stdout)
        check("nothing on standard error", out.stderr == "", out.stderr)
        ends = [e for e in (json.loads(line) for line in out.stdout.splitlines() if line.startswith("{")) if e.get("type") in ("step.done", "step.failed", "step.unknown")]
        return ends + [{"type": "none", "error": out.stdout}] * (len(steps) - len(ends))


def main():
    folder = tempfile.mkdtemp(prefix="fettle-http-")
    try:
        certificates(folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{folder}/server.pem", f"{folder}/server.key")
        context.load_verify_locations(f"{folder}/client.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
        server.daemon_threads = True
        server.handle_error = lambda *args: None                   # handshakes that a test lets fail
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        world = World(folder, server.server_address[1])

        listed, saved, form, upload = world.play(
            ("get", {"api": "good", "url": "list", "pages": {}}), ("get", {"api": "good", "url": "blob", "save": "backup/blob.bin"}),
            ("request", {"api": "good", "url": "form", "form": {"name": "Köln & Bonn", "n": [1, 2], "empty": ""}}),
            ("request", {"api": "good", "url": "upload", "expect_status": 201, "multipart": [{"name": "note", "content": "grüße"}, {"name": "file", "file": "backup/blob.bin"}]}))
        check("pages", [i["id"] for i in (listed.get("result", {}).get("json") or [])] == [10, 11, 20, 21, 30, 31] and listed["result"]["pages"] == 3, listed)
        check("one token for all", len(tokens) == 1, tokens)
        digest = hashlib.sha256(BLOB).hexdigest()
        kept = saved.get("result", {}).get("file") or {}
        check("kept in a file", kept.get("sha256") == digest and kept["bytes"] == len(BLOB), saved)
        with open(kept["path"], "rb") as f:
            check("the file", f.read() == BLOB and os.stat(kept["path"]).st_mode & 0o777 == 0o600)
        check("a form", form.get("result", {}).get("json") == {"name": ["Köln & Bonn"], "n": ["1", "2"], "empty": [""]}, form)
        check("parts", upload.get("result", {}).get("json") == {"note": [None, "text/plain", hashlib.sha256("grüße".encode()).hexdigest()],
                                                                 "file": ["blob.bin", "application/octet-stream", digest]}, upload)
        had = len(seen)
        end = world.play(("get", {"api": "stranger", "url": "list"}))[0]
        check("without our certificate", end["type"] == "step.failed" and end["class"] in ("unreachable", "denied"), end)
        check("nothing was let in", len(seen) == had, seen[had:])
        end = world.play(("get", {"api": "nobody", "url": "list"}))[0]
        check("no token for a stranger", end.get("class") == "denied" and "invalid_client" in end["error"], end)
        end = world.play(("get", {"api": "good", "url": "nothing"}))[0]
        check("not found", end.get("class") == "not_found", end)
        had = len(seen)
        end = world.play(("request", {"api": "good", "url": "gone", "method": "POST", "json": {}}))[0]
        check("an answer that is lost", end.get("class") in ("ambiguous", "unreachable") and sum(s[1] == "/v1/gone" for s in seen[had:]) == 1, end)
        server.shutdown()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{len(failures)} of the checks failed" if failures else "all checks passed")
    return 1 if failures else 0


sys.exit(main())
