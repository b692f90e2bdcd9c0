"""vault.py: as much of HashiCorp Vault's HTTP API as fettle uses, answering as its documentation says: KV versions 1 and 2, AppRole, renewal, its errors."""
import http.server, json, threading


class Vault:
    """`mode` says what is wrong with it: "", sealed, standby, slow, empty. Tokens that it takes are in `tokens`."""

    def __init__(self):
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
                self.say(*vault.answer(self.command, self.path, self.headers, body))

            do_GET = do_POST = do_PUT = do

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None          # a client that no longer waits
        self.url = f"http://127.0.0.1:{self.server.server_port}"
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
