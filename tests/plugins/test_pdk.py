#!/usr/bin/env python3
"""A plugin outside the tree, as its author would: fettle installed into a prefix, the example copied elsewhere, built with pkg-config, tested on the fake host,
linted, and used by the installed fettle from a folder of its own, against an API that behaves as NetBox does."""
import http.server, json, os, shutil, subprocess, sys, tempfile, threading

BUILD, SOURCE = os.path.abspath(os.environ.get("FETTLE_BUILD", "build/asan")), os.path.abspath(os.environ.get("FETTLE_SOURCE", "."))
TOKEN = "canary-7be1c2d90a"
failures = 0


def check(ok, what, seen=""):
    global failures
    if not ok:
        failures += 1
        print(f"FAILED: {what}\n{seen}")


class NetBox(http.server.BaseHTTPRequestHandler):
    status = "active"
    writes = []

    def reply(self, code, value):
        data = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        if self.headers.get("Authorization") != f"Token {TOKEN}":
            self.reply(403, {"detail": "Invalid token"})
        else:
            known = self.path == "/api/dcim/devices/?name=sw-3f-1"
            self.reply(200, {"count": int(known), "results": [{"id": 7, "status": {"value": NetBox.status}, "site": {"name": "HQ"}}] if known else []})

    def do_PATCH(self):
        NetBox.status = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["status"]
        NetBox.writes.append((self.path, NetBox.status))
        self.reply(200, {"id": 7, "status": {"value": NetBox.status}})

    def log_message(self, *_):
        pass


def run(*command, **more):
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL, **more)
    return done.returncode, done.stdout + done.stderr


with tempfile.TemporaryDirectory(prefix="fettle-pdk-") as work:
    prefix, mine = f"{work}/prefix", f"{work}/mine"
    status, out = run("cmake", "--install", BUILD, "--prefix", prefix)
    check(status == 0, "cmake --install", out)
    shutil.copytree(f"{SOURCE}/examples/plugin", mine)
    sanitized = os.path.basename(BUILD) in ("asan", "fuzz")
    env = {**os.environ, "PATH": f"{prefix}/bin:{os.environ['PATH']}", "PKG_CONFIG_PATH": f"{prefix}/lib/pkgconfig", "HOME": work}
    if sanitized:
        env.update(CFLAGS="-g -O1 -Wall -Wextra -Werror -fsanitize=address,undefined", LDFLAGS="-fsanitize=address,undefined")
        # A shared object built with sanitizers leaves the sanitizer's own symbols to the program.
        text = open(f"{mine}/Makefile").read().replace("-Wl,-z,defs ", "")
        open(f"{mine}/Makefile", "w").write(text)
    status, out = run("make", cwd=mine, env=env)
    check(status == 0, "make", out)
    status, out = run("make", "test", cwd=mine, env=env)
    check(status == 0 and "all checks passed" in out and "0 errors, 0 pieces of advice" in out, "make test", out)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), NetBox)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    open(f"{mine}/fettle.yaml", "w").write(
        f"fettle: 1\nstore: runs.db\nplugin_dirs: [.]\nplugins:\n  netbox:\n    url: http://127.0.0.1:{server.server_address[1]}\n    token: {{env: NETBOX_TOKEN}}\n")
    env["NETBOX_TOKEN"] = TOKEN
    everything = ""

    def fettle(*words):
        global everything
        status, out = run(f"{prefix}/bin/fettle", *words, cwd=mine, env=env)
        everything += out
        return status, out

    status, out = fettle("plugins")
    check(status == 0 and "netbox" in out and "mist" in out, "the plugin stands beside fettle's own", out)
    status, out = fettle("plugins", "netbox.set_status")
    check(status == 0 and "change a device's status" in out and "`undo: auto` takes it back" in out, "its page", out)
    status, out = fettle("check", "mark-offline.yaml")
    check(status == 0, "the example's playbook loads", out)
    status, out = fettle("run", "mark-offline.yaml", "name=sw-3f-1", "--dry-run")
    check("/api/dcim/devices/7/" in out and NetBox.writes == [], "the dry run shows the request and sends none", out)
    status, out = fettle("run", "mark-offline.yaml", "name=sw-3f-1")
    check(status == 0 and NetBox.writes == [("/api/dcim/devices/7/", "offline")], f"the run writes once: {NetBox.writes}", out)
    status, out = fettle("run", "mark-offline.yaml", "name=sw-99")
    check(status == 1 and "0 devices named 'sw-99'" in out, "a device that is not there", out)
    status, out = fettle("doctor")
    check("plugin netbox" in out, "doctor", out)
    env["NETBOX_TOKEN"] = "canary-wrong"
    status, out = fettle("run", "mark-offline.yaml", "name=sw-3f-1")
    check(status == 1 and "403" in out, "a wrong token", out)
    server.shutdown()
    stored = b"".join(open(os.path.join(mine, f), "rb").read() for f in os.listdir(mine) if f.startswith("runs.db"))
    check("canary" not in everything and b"canary" not in stored, "no secret in any output or in the store")

print("failed" if failures else "the plugin was built, tested, linted and used outside the tree")
sys.exit(failures != 0)
