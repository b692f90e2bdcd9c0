#!/usr/bin/env python3
"""The P1 notice through every channel that speaks HTTP, with the fettle binary, against a server that answers as Slack, Teams, PagerDuty and a portal that checks
signatures do; then a run that fails, and takes back what can be taken back."""
import hashlib
import hmac
import http.server
import json
import os
import shutil
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.environ.get("FETTLE_SOURCE", "."), "tests/support"))
from notices import Notices   # noqa: E402

KEY, TOKEN, ROUTING, HOOK = "signing-key-4242", "xoxb-sesame-4242", "routing-key-4242-4242-4242-4242aa", "hook-secret-4242"


class Channels(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    got = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        what = self.path.split("?")[0]
        Channels.got.append((what, json.loads(body), dict(self.headers)))
        status, answer = getattr(self, "as_" + what.strip("/").replace("/", "_").replace(".", "_"))(json.loads(body), body)
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def as_api_chat_postMessage(self, body, _):
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            return 200, {"ok": False, "error": "invalid_auth"}
        if body["channel"] != "C1":
            return 200, {"ok": False, "error": "channel_not_found"}
        return 200, {"ok": True, "channel": "C024", "ts": "1503435956.000247"}

    def as_api_chat_delete(self, body, _):
        return 200, {"ok": body == {"channel": "C024", "ts": "1503435956.000247"}}

    def as_teams(self, body, _):
        return (202, b"") if body["attachments"][0]["contentType"] == "application/vnd.microsoft.card.adaptive" else (400, b"bad card")

    def as_v2_enqueue(self, body, _):
        if body["routing_key"] != ROUTING:
            return 400, {"status": "invalid event", "message": "Event object is invalid", "errors": ["Invalid routing key"]}
        return 202, {"status": "success", "message": "Event processed", "dedup_key": body["dedup_key"]}

    def as_portal(self, _, raw):
        good = "sha256=" + hmac.new(KEY.encode(), raw, hashlib.sha256).hexdigest()
        return (200, b"taken") if hmac.compare_digest(self.headers["X-Hub-Signature-256"] or "", good) else (401, b"bad signature")

    def log_message(self, *_):
        pass


def secret(folder, name, text):
    with open(f"{folder}/{name}", "w", encoding="utf-8") as f:
        f.write(text + "\n")
    os.chmod(f"{folder}/{name}", 0o600)
    return {"file": f"{folder}/{name}"}


def main():
    folder = tempfile.mkdtemp(prefix="fettle-channels-")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Channels)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    t = Notices(folder, [KEY, TOKEN, ROUTING, HOOK])
    config = {"notify": {"slack": {"url": f"{url}/api", "token": secret(folder, "slack", TOKEN)}, "pagerduty": {"url": url, "routing_key": secret(folder, "pd", ROUTING)},
                         "webhooks": {"teams": {"url": secret(folder, "teams", f"{url}/teams?sig={HOOK}")}, "portal": {"url": secret(folder, "portal", f"{url}/portal"), "signing_key": secret(folder, "key", KEY)}}}}
    try:
        text = {"title": "${s1.subject}", "text": "${s1.text}"}
        steps = [("notify.p1_initial", {"system": "HQ", "affected": "all <wireless> users", "impact": "no orders", "started": "02:05", "status": "uplink is replaced", "commander": "Ana", "contact": "+49 30"}, None),
                 ("notify.slack", {"channel": "C1", **text}, "none"), ("notify.teams", {"webhook": "teams", **text, "url": "https://fettle.test/1"}, "none"),
                 ("notify.pagerduty_trigger", {"summary": "${s1.subject}", "source": "HQ", "severity": "P1", "dedup_key": "HQ/uplink"}, "none"),
                 ("notify.webhook", {"webhook": "portal", "text": "${s1.text}"}, "none"), ("notify.pagerduty_resolve", {"dedup_key": "HQ/uplink"}, "none")]
        status, events = t.run(config, steps)
        t.check("everybody is told", status == 0, (status, [e for e in events if e["type"] in ("step.failed", "run.parked")]))
        told = {what: body for what, body, _ in Channels.got}
        slack = told.get("/api/chat.postMessage", {})
        t.check("Slack has the heading", slack.get("blocks", [{}])[0].get("text", {}).get("text") == "[P1 CRITICAL] Network Outage - HQ", slack)
        t.check("and the text as it is", "all &lt;wireless&gt; users" in slack["blocks"][1]["text"]["text"] and "\nIMPACT: no orders\n" in slack["blocks"][1]["text"]["text"], slack)
        lines = [b["inlines"][0]["text"] for b in told["/teams"]["attachments"][0]["content"]["body"]]
        t.check("Teams has it by lines", lines[0] == "[P1 CRITICAL] Network Outage - HQ" and "IMPACT: no orders" in lines and "Contact: Ana at +49 30" in lines, lines)
        t.check("PagerDuty's last word is resolve", told["/v2/enqueue"]["event_action"] == "resolve" and told["/v2/enqueue"]["dedup_key"] == "HQ/uplink", told["/v2/enqueue"])

        Channels.got.clear()
        status, events = t.run(config, [("notify.slack", {"channel": "C1", "text": "x"}, "auto"), ("notify.pagerduty_trigger", {"summary": "x", "source": "HQ"}, "auto"),
                                        ("notify.slack", {"channel": "C9", "text": "x"}, "none")])
        t.check("a run that fails", status == 5, (status, events[-2:]))
        t.check("takes back what it said, the last first", [(w, b.get("event_action")) for w, b, _ in Channels.got][3:] == [("/v2/enqueue", "resolve"), ("/api/chat.delete", None)], Channels.got)
        wrong = {"notify": {**config["notify"], "slack": {"url": f"{url}/api", "token": secret(folder, "wrong", "xoxb-wrong-4242")}, "pagerduty": {"url": url, "routing_key": secret(folder, "wrongpd", "wrong-key-4242")}}}
        end = t.step(wrong, "notify.slack", channel="C1", text="x")
        t.check("a wrong token", end.get("class") == "denied" and "invalid_auth" in end["error"], end)
        end = t.step(wrong, "notify.pagerduty_trigger", summary="x", source="x")
        t.check("a wrong key", end.get("class") == "invalid" and "Invalid routing key" in end["error"], end)
    finally:
        server.shutdown()
        server.server_close()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{len(t.failures)} of the checks failed" if t.failures else "all checks passed")
    return 1 if t.failures else 0


sys.exit(main())
