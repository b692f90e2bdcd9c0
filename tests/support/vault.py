"""vault.py: as much of HashiCorp Vault's HTTP API as fettle uses, answering as its documentation says: KV versions 1 and 2, AppRole, renewal, its errors."""
import http.server, json, ssl, subprocess, threading


def authority(folder, name="ca"):
    """An authority of our own: folder/NAME.pem and NAME.key."""
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", f"/CN=fettle test {name}", "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.pem",
            "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")


def certificate(folder, name, names, ca="ca", days=30):
    """folder/NAME.pem (with its key), signed by that authority, for these names. days < 0: it is over."""
    openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.csr")
    with open(f"{folder}/{name}.ext", "w") as f:
        f.write(f"subjectAltName={names}\n")
    openssl("x509", "-req", "-in", f"{folder}/{name}.csr", "-CA", f"{folder}/{ca}.pem", "-CAkey", f"{folder}/{ca}.key", "-CAcreateserial", "-days", str(days),
            "-extfile", f"{folder}/{name}.ext", "-out", f"{folder}/{name}.crt")
    with open(f"{folder}/{name}.pem", "w") as f:
        f.write(open(f"{folder}/{name}.crt").read() + open(f"{folder}/{name}.key").read())


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, capture_output=True)


class Vault:
    """`mode` says what is wrong with it: "", sealed, standby, slow, and `wrong` below. Tokens that it takes are in `tokens`.
    pem: a certificate with its key: then it speaks TLS."""

    # answers that are none: status, type of content, body; a body longer than what comes is one that stops in its middle
    wrong = {"html": (200, "text/html", b"<h1>Welcome to the proxy</h1>"), "list": (200, "application/json", b"[1, 2]"), "number": (200, "application/json", b"7"),
             "nothing": (200, "application/json", b""), "no data": (200, "application/json", b'{"data": null}'), "cut": (200, "application/json", b'{"data": {"mist_tok'),
             "huge": (200, "application/json", b'{"data": {"x": "' + b"y" * (2 << 20) + b'"}}'), "teapot": (418, "text/plain", b"short and stout")}

    def __init__(self, pem=None):
        self.v2, self.v1, self.deleted = {}, {}, set()
        self.tokens, self.role, self.namespace, self.mode = {"root-token"}, None, None, ""
        self.lease, self.renewable, self.requests, self.logins, self.renewals = 3600, True, [], 0, 0
        self.held = threading.Event()
        vault = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def say(self, status, body):
                text = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def do(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length) or b"null")
                vault.requests.append((self.command, self.path, self.headers.get("X-Vault-Namespace")))
                if vault.mode == "slow":
                    vault.held.wait(30)
                if vault.mode == "half":
                    self.send_response(200)
                    self.send_header("Content-Length", "100")
                    self.end_headers()
                    self.wfile.write(b'{"data": {"mist_token": "val')
                    self.wfile.flush()
                    vault.held.wait(30)
                    return
                if vault.mode == "redirect":
                    self.send_response(307)
                    self.send_header("Location", vault.elsewhere + self.path)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                if vault.mode in vault.wrong:
                    status, kind, body = vault.wrong[vault.mode]
                    self.send_response(status)
                    self.send_header("Content-Type", kind)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                    return
                self.say(*vault.answer(self.command, self.path, self.headers, body))

            do_GET = do_POST = do_PUT = do

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None          # a client that no longer waits
        self.url = f"{'https' if pem else 'http'}://127.0.0.1:{self.server.server_port}"
        if pem:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(pem)
            # the handshake is the handler's thread's business: one that is refused must not end the server
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def auth(self, token):
        return 200, {"auth": {"client_token": token, "lease_duration": self.lease, "renewable": self.renewable, "policies": ["default"]}}

    def answer(self, method, path, headers, body):
        denied = 403, {"errors": ["permission denied"]}
        if self.mode == "sealed":
            return 503, {"errors": ["Vault is sealed"]}
        if self.mode == "standby":
            return 473, {"errors": []}
        if path == "/v1/auth/approle/login":
            if not self.role or (body.get("role_id"), body.get("secret_id")) != self.role:
                return 400, {"errors": ["invalid role or secret ID"]}
            self.logins += 1
            token = f"login-token-{self.logins}"
            self.tokens.add(token)
            return self.auth(token)
        token = headers.get("X-Vault-Token")
        if token not in self.tokens or (self.namespace and headers.get("X-Vault-Namespace") != self.namespace):
            return denied
        if path == "/v1/auth/token/renew-self":
            self.renewals += 1
            return self.auth(token)
        name = path[len("/v1/"):]
        if name.startswith("kv/data/"):
            if name in self.deleted:
                return 404, {"data": {"data": None, "metadata": {"created_time": "2026-01-01T00:00:00Z", "deletion_time": "2026-01-02T00:00:00Z", "destroyed": False, "version": 3}}}
            if name in self.v2:
                return 200, {"lease_duration": 0, "renewable": False, "data": {"data": self.v2[name], "metadata": {"version": 1, "deletion_time": "", "destroyed": False}}}
        if name in self.v1:
            return 200, {"lease_duration": 2764800, "renewable": False, "data": self.v1[name]}
        return 404, {"errors": []}

    def stop(self):
        self.held.set()
        self.server.shutdown()
        self.server.server_close()
