#!/usr/bin/python3
"""The ticket plugin, driven by `fettle run`, against a real Request Tracker 5 (SQLite, Starlet) on loopback: the playbooks of tests/plugins/ticket as they are, and
what only a real one shows: answers in words, dependencies, a custom field, an auth token, two writers."""
import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.environ.get("FETTLE_SOURCE", "."), "tests/support"))
from tickets import Tickets   # noqa: E402

SERVER = "/usr/share/request-tracker5/libexec/rt-server"
PASSWORD = "password"                                  # RT's own first one; of a database that lives for a few seconds


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class RequestTracker:
    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        for name in ("mason", "session", "none"):
            os.mkdir(f"{folder}/{name}")
        with open(f"{folder}/RT_SiteConfig.pm", "w", encoding="utf-8") as f:
            f.write(f"""Set($rtname,'lab'); Set($Organization,'lab'); Set($WebDomain,'127.0.0.1'); Set($WebPort,{self.port}); Set($WebPath,''); Set($WebBaseURL,'{self.url}');
Set($DatabaseType,'SQLite'); Set($DatabaseName,"{folder}/rt.sqlite"); Set($MailCommand,'testfile'); Set($LogToSTDERR,'error'); Set($LogToSyslog,''); Set($BcryptCost,4);
Set($MasonDataDir,"{folder}/mason"); Set($MasonSessionDir,"{folder}/session"); 1;
""")
        self.env = dict(os.environ, RT_SITE_CONFIG=f"{folder}/RT_SiteConfig.pm", RT_SITE_CONFIG_DIR=f"{folder}/none", HOME=folder, TMPDIR=folder)
        for name in ("LD_PRELOAD", "ASAN_OPTIONS"):
            self.env.pop(name, None)
        made = subprocess.run(["rt-setup-database-5", "--action", "init", "--skip-create", "--dba", "", "--dba-password", ""], env=self.env, capture_output=True, text=True, check=False)
        if made.returncode:
            sys.exit(f"FAILED: RT's database: {made.stdout[-500:]}{made.stderr[-500:]}")
        # A login costs RT a quarter of a second of bcrypt each time: less here, where it protects nothing.
        self.token, self.fettle_token = self.perl("""my $root = RT::User->new(RT->SystemUser); $root->Load('root');
my $cf = RT::CustomField->new(RT->SystemUser); $cf->Create(Name => 'Correlation', Type => 'FreeformSingle', LookupType => 'RT::Queue-RT::Ticket');
my $q = RT::Queue->new(RT->SystemUser); $q->Load('General'); $cf->AddToObject($q);
my $u = RT::User->new(RT->SystemUser); $u->Create(Name => 'fettle', Privileged => 1, EmailAddress => 'fettle@lab.test');
for my $right (qw(SeeQueue ShowTicket ShowTicketComments CreateTicket CommentOnTicket ReplyToTicket ModifyTicket)) { $u->PrincipalObj->GrantRight(Right => $right, Object => $q); }
$u->PrincipalObj->GrantRight(Right => $_, Object => $cf) for qw(SeeCustomField ModifyCustomField);
for my $owner ($root, $u) { my $t = RT::AuthToken->new(RT->SystemUser); my ($ok, $msg, $auth) = $t->Create(Owner => $owner->id, Description => 'test'); print "$auth\n"; }""").split()
        self.log = open(f"{folder}/rt.log", "w", encoding="utf-8")
        self.process = subprocess.Popen([SERVER, "--server", "Starlet", "--host", "127.0.0.1", "--port", str(self.port), "--max-workers", "2"], env=self.env, stdout=self.log,
                                        stderr=self.log, stdin=subprocess.DEVNULL, start_new_session=True)
        end = time.monotonic() + 60
        while True:
            try:
                self.call("GET", "/rt")
                return
            except (urllib.error.URLError, ConnectionError):
                if time.monotonic() > end or self.process.poll() is not None:
                    sys.exit("FAILED: RT did not start: " + open(f"{folder}/rt.log", encoding="utf-8").read()[-500:])
                time.sleep(0.05)                       # the poll of its readiness

    def call(self, method, path, body=None):
        request = urllib.request.Request(f"{self.url}/REST/2.0{path}", data=json.dumps(body).encode() if body is not None else None, method=method,
                                         headers={"Content-Type": "application/json", "Authorization": f"token {self.token}"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def perl(self, code):
        out = subprocess.run(["perl", "-I/usr/share/request-tracker5/lib", "-I/usr/local/share/request-tracker5/lib", "-e", "use RT; RT::LoadConfig(); RT::Init(); " + code],
                             env=self.env, capture_output=True, text=True, check=False)
        if out.returncode:
            sys.exit(f"FAILED: perl for RT: {out.stderr[-500:]}")
        return out.stdout.strip()

    def stop(self):
        try:
            os.killpg(self.process.pid, signal.SIGTERM)      # its workers too: a group of our own
        except ProcessLookupError:
            pass
        self.process.wait(timeout=20)
        self.log.close()


def secret(folder, name, text):
    with open(f"{folder}/{name}", "w", encoding="utf-8") as f:
        f.write(text + "\n")
    os.chmod(f"{folder}/{name}", 0o600)
    return {"file": f"{folder}/{name}"}


def configure(folder, name, **section):
    path = f"{folder}/{name}.yaml"
    with open(path, "w", encoding="utf-8") as f:
        json.dump({"fettle": 1, "store": f"{folder}/{name}.db", "plugins": {"ticket": {"system": "rt", **section}}}, f)
    return path


def words(t, rt):
    """200 is not success: what RT says in words reaches the user, and the ticket is read back."""
    first = t.step("ticket.open", title="Waits for another", correlation_id="w1")["result"]
    second = t.step("ticket.open", title="The other", correlation_id="w2")["result"]
    rt.call("PUT", f"/ticket/{first['number']}", {"AddDependsOn": second["number"]})
    end = t.step("ticket.resolve", number=first["number"], notes="x")
    t.check("unresolved dependencies", end.get("class") == "refused" and "unresolved dependencies" in end["error"], end)
    end = t.step("ticket.update", number=second["number"], fields={"Subject": "renamed", "Owner": "nobody-here"})
    t.check("a mixture of success and failure", end.get("class") == "refused" and "'Owner'" in end["error"] and "Subject changed" in end["error"], end)
    end = t.step("ticket.link", number=second["number"], related="99999")
    t.check("a link to nothing", end.get("class") == "refused" and "99999" in end["error"], end)
    end = t.step("ticket.open", title="x", correlation_id="w3", ci="sw-3")
    t.check("no field for a ci", end.get("class") == "invalid" and "field_names.ci" in end["error"], end)
    end = t.step("ticket.find", about="' OR id > 0 OR Subject LIKE '")
    t.check("no query can be smuggled in", end["type"] == "step.done" and not end["result"]["found"], end)
    end = t.step("ticket.get", number="4711")
    t.check("what is not there", end.get("class") == "not_found", end)
    mails = t.step("ticket.update", number=second["number"], note="We are on it", customer_visible=True)
    t.check("a reply to the requestor", mails["type"] == "step.done", mails)
    history = rt.call("GET", f"/ticket/{second['number']}/history?fields=Type&per_page=100")["items"]
    t.check("it is correspondence", any(i["Type"] == "Correspond" for i in history), [i["Type"] for i in history])


def files(t, rt, folder):
    data = bytes(range(256)) * 40
    os.makedirs(f"{folder}/captures", exist_ok=True)
    with open(f"{folder}/captures/dhcp.pcap", "wb") as f:
        f.write(data)
    ticket = t.step("ticket.open", title="With a capture", correlation_id="f1")["result"]
    end = t.step("ticket.attach", number=ticket["number"], path=f"{folder}/captures/dhcp.pcap", content_type="application/vnd.tcpdump.pcap")
    t.check("a binary file is attached", end["type"] == "step.done" and end["result"]["size_bytes"] == len(data), end)
    listed = rt.call("GET", f"/ticket/{ticket['number']}/attachments?fields=Filename&per_page=100")["items"]
    ids = [i["id"] for i in listed if i.get("Filename") == "dhcp.pcap"]
    t.check("under its own name", len(ids) == 1, listed)
    if ids:
        t.check("byte for byte", base64.b64decode(rt.call("GET", f"/attachment/{ids[0]}")["Content"]) == data)
    end = t.step("ticket.attach", number=ticket["number"], path=f"{folder}/captures/nothing")
    t.check("a file that is not there", end.get("class") == "not_found", end)


def custom_field_and_token(t, rt, folder):
    token = rt.fettle_token
    config = configure(folder, "token", url=rt.url, token=secret(folder, "token", token), correlation_field="Correlation")
    by_token = Tickets(folder, config, [token])
    made = by_token.step("ticket.open", title="By token", correlation_id="cf/1")
    t.check("by token, into a custom field", made["type"] == "step.done" and made["result"]["created"], made)
    again = by_token.step("ticket.open", title="By token", correlation_id="cf/1")
    t.check("found by it", again["type"] == "step.done" and again["result"]["created"] is False, again)
    wrong = Tickets(folder, configure(folder, "nofield", url=rt.url, token=secret(folder, "token2", token), correlation_field="Nope"), [token])
    end = wrong.step("ticket.open", title="x", correlation_id="cf/2")
    t.check("a custom field that is not there is noticed", end.get("class") == "refused" and "'Nope'" in end["error"], end)
    other = Tickets(folder, configure(folder, "queue", url=rt.url, token=secret(folder, "token3", token), queue="Nope"), [token])
    end = other.step("ticket.open", title="x", correlation_id="q1")
    t.check("a queue that is not there", end.get("class") == "denied" and "Nope" in end["error"], end)
    t.failures += by_token.failures + wrong.failures + other.failures


def main():
    if not os.path.exists(SERVER):
        print("request-tracker5 is not installed: nothing to test against")
        return 77
    folder = tempfile.mkdtemp(prefix="fettle-rt-")
    rt = None
    try:
        rt = RequestTracker(folder)
        t = Tickets(folder, configure(folder, "rt", url=rt.url, token=secret(folder, "root-token", rt.token), caller="noc@lab.test"), [rt.token])
        steps = t.incident("AP-3F-12", says_text=False, closed=("resolved",))
        back = t.taken_back("AP-4", steps["parent"]["number"])
        t.check("rejected, with a note", back.get("state") == "canceled" and back["status"] == "rejected", back)
        links = [(l["ref"], l.get("id")) for l in rt.call("GET", f"/ticket/{steps['opened']['number']}")["_hyperlinks"]]
        t.check("it is a member of its parent", ("parent", steps["parent"]["number"]) in links, links)
        words(t, rt)
        files(t, rt, folder)
        custom_field_and_token(t, rt, folder)
        wrong = Tickets(folder, configure(folder, "wrong", url=rt.url, user="root", password=secret(folder, "wrong", "anotherword42")), ["anotherword42"])
        end = wrong.step("ticket.find")
        t.check("a wrong password", end.get("class") == "denied", end)
        right = Tickets(folder, configure(folder, "right", url=rt.url, user="root", password=secret(folder, "right", PASSWORD)))
        end = right.step("ticket.find", correlation_id="w1")
        t.check("the right password", end["type"] == "step.done" and end["result"]["found"], end)
        rt.stop()
        end = t.step("ticket.find")
        t.check("nobody listens", end.get("class") == "unreachable", end)
        print(f"{len(t.failures)} of the checks failed" if t.failures else "all checks passed")
        return 1 if t.failures or wrong.failures else 0
    finally:
        if rt and rt.process.poll() is None:
            rt.stop()
        shutil.rmtree(folder, ignore_errors=True)


sys.exit(main())
