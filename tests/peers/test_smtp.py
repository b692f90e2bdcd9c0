#!/usr/bin/python3
"""The notify plugin's mail, driven by `fettle run`, against a real SMTP server (aiosmtpd) with STARTTLS and AUTH on loopback."""
import email
import email.policy
import json
import logging
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import warnings

warnings.simplefilter("ignore")                                  # aiosmtpd of itself
logging.disable(logging.CRITICAL)                                # and its tracebacks of what a test provokes

try:
    from aiosmtpd.controller import Controller
    from aiosmtpd.smtp import AuthResult
except ImportError:
    if sys.executable != "/usr/bin/python3" and os.path.exists("/usr/bin/python3"):
        os.execv("/usr/bin/python3", ["/usr/bin/python3", __file__])      # Debian's packages belong to Debian's python
    print("aiosmtpd is not installed: nothing to test against")
    sys.exit(0)

FETTLE = os.path.join(os.environ["FETTLE_BUILD"], "bin", "fettle")
PASSWORD = "labpassword42"
failures = []


def check(what, holds, seen=""):
    if not holds:
        failures.append(what)
        print(f"FAILED {what}: {seen}", flush=True)


class Mailbox:
    """Takes mail, and refuses what a test wants refused: by the recipient's name."""

    def __init__(self):
        self.got = []

    async def handle_RCPT(self, server, session, envelope, address, options):
        code = address.split("@")[0]
        if code.isdigit():
            return {"550": "550 5.1.1 no such user", "451": "451 4.7.1 greylisted, come back later", "552": "552 5.2.2 mailbox full"}[code]
        envelope.rcpt_tos.append(address)
        return "250 fine"

    async def handle_DATA(self, server, session, envelope):
        self.got.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
        return "250 taken"


def authenticate(server, session, envelope, mechanism, data):
    good = data.login == b"fettle" and data.password == PASSWORD.encode()
    return AuthResult(success=good, handled=False) if not good else AuthResult(success=True)


def certificate(folder):
    made = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{folder}/k.pem", "-out",
                           f"{folder}/c.pem", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"], capture_output=True, check=False)
    if made.returncode:
        print("no openssl program here: nothing to test with")
        sys.exit(0)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{folder}/c.pem", f"{folder}/k.pem")
    return context


class World:
    def __init__(self, folder):
        self.folder = folder
        self.number = 0

    def secret(self, name, text):
        path = f"{self.folder}/{name}"
        with open(path, "w", encoding="utf-8") as f:
            f.write(text + "\n")
        os.chmod(path, 0o600)
        return {"file": path}

    def mail(self, smtp, **message):
        self.number += 1
        config = f"{self.folder}/c{self.number}.yaml"
        with open(config, "w", encoding="utf-8") as f:
            json.dump({"fettle": 1, "store": f"{self.folder}/fettle.db", "plugins": {"notify": {"smtp": {"from": "fettle@lab.test", **smtp}}}}, f)
        playbook = f"{self.folder}/p{self.number}.yaml"
        step = {"id": "it", "run": "notify.mail", "with": message, "undo": "none", "then": "sent",
                "verify": {"run": "net.tcp", "with": {"host": "127.0.0.1", "port": 1}, "until": "not result.open", "every": "1s", "within": "5s"}}
        with open(playbook, "w", encoding="utf-8") as f:
            json.dump({"fettle": 1, "name": f"mail-{self.number}", "title": "one mail", "category": "incident", "severity": "P4", "steps": [step],
                       "outcomes": {"sent": {"title": "sent"}}}, f)
        out = subprocess.run([FETTLE, "run", playbook, "--json", "--yes"], env=dict(os.environ, FETTLE_CONFIG=config), capture_output=True, text=True, timeout=120)
        check("no password in the output", PASSWORD not in out.stdout + out.stderr and "anotherword42" not in out.stdout + out.stderr)
        events = [json.loads(line) for line in out.stdout.splitlines() if line.startswith("{")]
        ends = [e for e in events if e.get("type") in ("step.done", "step.failed", "step.unknown", "run.parked")]
        return ends[-1] if ends else {"type": "none", "error": out.stdout + out.stderr}


def deliveries(world, smtp, box):
    text = "Erste Zeile = gr\u00f6\u00dfer\n.\n..zwei Punkte\n" + "x" * 200 + "\nEnde "
    end = world.mail(smtp, to=["noc@lab.test", "ana@lab.test"], cc="boss@lab.test", subject="St\u00f6rung in K\u00f6ln: 12 APs ohne Strom, bitte sofort ansehen \u2014 dringend", text=text)
    check("delivered", end["type"] == "step.done" and end["result"]["status"] == 250, end)
    if not box.got:
        return
    sender, recipients, content = box.got[-1]
    message = email.message_from_bytes(content, policy=email.policy.default)
    check("envelope", sender == "fettle@lab.test" and recipients == ["noc@lab.test", "ana@lab.test", "boss@lab.test"], (sender, recipients))
    check("subject", message["Subject"] == "St\u00f6rung in K\u00f6ln: 12 APs ohne Strom, bitte sofort ansehen \u2014 dringend", message["Subject"])
    check("body", message.get_content().replace("\r\n", "\n").rstrip("\n") == text, repr(message.get_content()))
    check("headers", message["To"] == "noc@lab.test, ana@lab.test" and message["Cc"] == "boss@lab.test" and message["Auto-Submitted"] == "auto-generated", dict(message))
    check("a date that can be read", message["Date"].datetime is not None, message["Date"])
    check("its id is told", message["Message-ID"] == end["result"]["message_id"], end)
    check("every line is short enough", max(len(line) for line in content.split(b"\r\n")) <= 78)


def attachments(world, smtp, box):
    data = bytes(range(256)) * 300
    os.makedirs(f"{world.folder}/captures", exist_ok=True)
    with open(f"{world.folder}/captures/dhcp.pcap", "wb") as f:
        f.write(data)
    end = world.mail(smtp, to="noc@lab.test", subject="with files", text="gr\u00f6\u00dfer", attachments=[
        {"name": "evidence.txt", "text": "Zeile 1\nZeile 2: \u20ac\n"}, {"path": f"{world.folder}/captures/dhcp.pcap", "content_type": "application/vnd.tcpdump.pcap"}])
    check("delivered with files", end["type"] == "step.done", end)
    if end["type"] != "step.done":
        return
    message = email.message_from_bytes(box.got[-1][2], policy=email.policy.default)
    check("its text", message.get_body().get_content().rstrip() == "gr\u00f6\u00dfer", message.get_body())
    files = {part.get_filename(): part for part in message.iter_attachments()}
    check("their names and types", {n: p.get_content_type() for n, p in files.items()} == {"evidence.txt": "text/plain", "dhcp.pcap": "application/vnd.tcpdump.pcap"}, files)
    check("a text as it was", files["evidence.txt"].get_content() == "Zeile 1\nZeile 2: \u20ac\n", files["evidence.txt"].get_content())
    check("a capture byte for byte", files["dhcp.pcap"].get_content() == data)
    end = world.mail(smtp, to="noc@lab.test", subject="x", text="x", attachments=[{"path": f"{world.folder}/captures/nothing"}])
    check("a file that is not there", end.get("class") == "not_found", end)


def refusals(world, smtp, box):
    had = len(box.got)
    for code, wanted in (("550", "not_found"), ("451", "refused"), ("552", "invalid")):
        end = world.mail(smtp, to=["noc@lab.test", f"{code}@lab.test"], subject="x", text="x")
        check(f"a recipient refused with {code} is {wanted}", end.get("class") == wanted, end)
    end = world.mail({**smtp, "ca_file": f"{world.folder}/other.pem"}, to="noc@lab.test", subject="x", text="x")
    check("a certificate of somebody else", end.get("class") == "unreachable", end)
    end = world.mail({**smtp, "password": world.secret("wrong", "anotherword42")}, to="noc@lab.test", subject="x", text="x")
    check("a wrong password", end.get("class") == "denied", end)
    check("nothing of it arrived", len(box.got) == had, box.got[had:])


def main():
    folder = tempfile.mkdtemp(prefix="fettle-smtp-")
    box = Mailbox()
    try:
        os.mkdir(f"{folder}/o")
        certificate(f"{folder}/o")
        shutil.copy(f"{folder}/o/c.pem", f"{folder}/other.pem")
        context = certificate(folder)
        world = World(folder)
        server = Controller(box, hostname="127.0.0.1", port=0, tls_context=context, require_starttls=True, authenticator=authenticate, auth_required=True,
                            auth_require_tls=True)
        server.port = free_port()
        server.start()
        smtp = {"url": f"smtp://localhost:{server.port}", "user": "fettle", "password": world.secret("good", PASSWORD), "ca_file": f"{folder}/c.pem"}
        deliveries(world, smtp, box)
        attachments(world, smtp, box)
        refusals(world, smtp, box)
        server.stop()
        end = world.mail(smtp, to="noc@lab.test", subject="x", text="x")
        check("nobody listens", end.get("class") == "unreachable", end)
        plain = Controller(box, hostname="127.0.0.1", port=free_port())
        plain.start()
        had = len(box.got)
        end = world.mail({"url": f"smtp://localhost:{plain.port}"}, to="noc@lab.test", subject="x", text="x")
        check("no mail without TLS", end["type"] == "step.failed" and len(box.got) == had, end)
        end = world.mail({"url": f"smtp://localhost:{plain.port}", "starttls": False}, to="noc@lab.test", subject="x", text="x")
        check("unless the configuration says so", end["type"] == "step.done" and len(box.got) == had + 1, end)
        plain.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{len(failures)} of the checks failed" if failures else "all checks passed")
    return 1 if failures else 0


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


sys.exit(main())
