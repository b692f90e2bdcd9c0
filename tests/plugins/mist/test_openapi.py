#!/usr/bin/env python3
"""The plugin against the lab, as a user runs it, with somebody listening in between: every action once, in one playbook. What is checked: that the steps see what
the lab does (a WLAN changes, a held push is held, an upgrade takes its time, a restore puts back), that the token goes to the API alone, and that every
request and every answer fit Mist's OpenAPI document, where that is at hand ($FETTLE_SHARED or ../shared; without it that part is skipped, and said so)."""
import http.client
import http.server
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.parse

BUILD = os.environ["FETTLE_BUILD"]
SOURCE = os.environ["FETTLE_SOURCE"]
FETTLE, LAB = os.path.join(BUILD, "bin", "fettle"), os.path.join(BUILD, "bin", "fettle-lab")
SHARED = os.environ.get("FETTLE_SHARED", os.path.join(SOURCE, "..", "shared"))
DOCUMENT = os.path.join(SHARED, "reference", "mist-openapi-subset.json")
ORG = "5b1c0f3e-7d11-4c55-9a0e-3f6d2b8c9a01"
CLIENT = "a483e7123456"
failures = []
seen = []          # (method, path, query, body, status, content type, answer, had the token)


def check(what, holds, more=""):
    if not holds:
        failures.append(what)
        print(f"FAILED {what}: {more}", flush=True)


# ---- between fettle and the lab

class Between(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    lab = None

    def log_message(self, *args):
        pass

    def pass_on(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urllib.parse.urlsplit(self.path)
        up = http.client.HTTPConnection(*self.lab, timeout=30)
        up.request(self.command, self.path, body or None, {k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection")})
        answer = up.getresponse()
        data = answer.read()
        # addresses of the object store lead through here as well
        data = data.replace(b"http://%s:%d/" % (self.lab[0].encode(), self.lab[1]), b"http://127.0.0.1:%d/" % self.server.server_address[1]) if b"/store/" in data else data
        seen.append((self.command, url.path, url.query, body, answer.status, answer.headers.get("Content-Type"), data, "Authorization" in self.headers))
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in ("content-length", "connection", "date", "transfer-encoding"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        up.close()

    do_GET = do_POST = do_PUT = do_DELETE = pass_on


# ---- does it fit the document?

class Document:
    def __init__(self, path):
        self.doc = json.load(open(path))
        self.paths = [(re.compile("^" + re.sub(r"\\\{[^/]+?\\\}", "[^/]+", re.escape(p)) + "$"), p, ops) for p, ops in self.doc["paths"].items()]
        self.paths.sort(key=lambda x: x[1].count("{"))
        self.loosen(self.doc["components"]["schemas"])

    def loosen(self, value):
        """Live objects carry more than the document says (its authors say so), so unknown members are fine; and 3.0's "nullable"."""
        if isinstance(value, dict):
            if value.get("additionalProperties") is False:
                del value["additionalProperties"]
            if isinstance(value.get("uniqueItems"), bool):       # said also of series of figures
                del value["uniqueItems"]
            for name in ("example", "examples", "format", "pattern"):
                if not isinstance(value.get(name), dict):
                    value.pop(name, None)
            for v in value.values():
                self.loosen(v)
        elif isinstance(value, list):
            for v in value:
                self.loosen(v)

    def ref(self, x):
        while "$ref" in x:
            at = self.doc
            for part in x["$ref"][2:].split("/"):
                at = at[part.replace("~1", "/")]
            x = at
        return x

    def operation(self, method, path):
        for pattern, name, ops in self.paths:
            if pattern.match(path) and method.lower() in ops:
                return name, ops
        return None, None

    def errors(self, schema, value):
        import jsonschema
        whole = dict(schema)
        whole["components"] = self.doc["components"]
        found = []
        for e in jsonschema.Draft202012Validator(whole).iter_errors(value):
            while e.context:                                     # of alternatives the one that comes nearest
                by = {}
                for c in e.context:
                    by.setdefault(c.schema_path[0], []).append(c)
                e = min(by.values(), key=len)[0]
            found.append(f"{'/'.join(map(str, e.absolute_path))}: {e.message[:160]}")
        return found

    def partial(self, schema):
        """A PUT changes just the keys that it sends, so none of them is required."""
        schema = dict(self.ref(schema))
        schema.pop("required", None)
        for name in ("oneOf", "anyOf", "allOf"):
            if name in schema:
                schema["anyOf" if name == "oneOf" else name] = [self.partial(x) for x in schema.pop(name)]
        return schema


# What the document does not have, and why it is right all the same.
LATER = {
    ("GET", r"/orgs/[^/]+/logs/search"): "since 2604",
    ("GET", r"/sites/[^/]+/sle/.*/summary-trend"): "newer name",
    ("GET", r"/orgs/[^/]+/gatewaytemplates(/[^/]+)?"): "in the reference, not in the subset",
    ("POST", r"/sites/[^/]+/devices/[^/]+/clear_bpdu_error"): "ports since 2602",
}
# Answers that the document describes wrongly, and how one sees it.
WRONG = {
    "/api/v1/sites/{site_id}/setting/derived": "every member an object, though its own example of the settings has texts and truths",
    "/api/v1/sites/{site_id}/stats/ports/search": "port_usage is only ever lan, which no port profile of a switch is called",
}
LENIENT_QUERY = {"limit", "page", "duration", "start", "end", "search_after"}      # asked for everywhere; where a list has no pages the cloud ignores them


def fits(document):
    import jsonschema  # noqa: F401
    unknown, told = 0, set()
    for method, path, query, body, status, kind, answer, _ in seen:
        if not path.startswith("/api/v1/"):
            continue
        short = path[len("/api/v1"):]
        later = any(m == method and re.fullmatch(p, short) for (m, p) in LATER)
        name, ops = document.operation(method, path)
        if not name:
            unknown += 1
            check(f"the document knows {method} {short}", later)
            continue
        op = ops[method.lower()]
        params = {document.ref(p)["name"] for p in ops.get("parameters", []) + op.get("parameters", [])}
        for key in urllib.parse.parse_qs(query):
            if key not in params and key not in LENIENT_QUERY and (name, key) not in told:
                told.add((name, key))
                check(f"{method} {name} knows the parameter {key}", False, query)
        if body:
            content = document.ref(op.get("requestBody", {})).get("content", {}).get("application/json")
            wrong = document.errors(document.partial(content["schema"]) if method == "PUT" else content["schema"], json.loads(body)) if content else ["it takes no body"]
            if wrong and not later and (name, "body") not in told:
                told.add((name, "body"))
                check(f"the body of {method} {name} fits", False, f"{body[:200]} {wrong[:2]}")
        if status == 200 and answer and kind and "json" in kind:
            content = document.ref(op["responses"].get("200", {})).get("content", {})
            content = content.get("application/json") or content.get("application/vnd.api+json")
            wrong = document.errors(content["schema"], json.loads(answer)) if content else []
            if wrong and name not in WRONG and (name, "answer") not in told:
                told.add((name, "answer"))
                check(f"the lab's answer to {method} {name} fits", False, f"{wrong[:3]}")
    print(f"{len(seen)} requests, {len({document.operation(s[0], s[1])[0] for s in seen})} operations of the document, {unknown} later ones")


# ---- the playbook: every action

def reads():
    site, ap, sw = {"site": "HQ"}, {"site": "HQ", "device": "AP-3F-12"}, {"site": "HQ", "device": "sw-2"}
    sle = dict(site, metric="coverage")
    yield from (
        ("client_status", {"mac": CLIENT}), ("client_events", {"mac": CLIENT, "site": "HQ"}), ("client_sessions", site), ("client_list", site), ("client_count", site),
        ("client_search", {"hostname": "lt-0412"}), ("client_event_search", site), ("client_event_count", site), ("client_roams", site), ("wired_clients", site),
        ("nac_clients", {}), ("nac_events", site), ("client_blocklist", site), ("device_status", ap), ("device_list", {"type": "all"}), ("device_events", ap), ("inventory", {}),
        ("synthetic_test_status", ap), ("device_config", ap), ("device_config_cmd", sw), ("device_config_status", ap), ("device_config_history", ap),
        ("firmware_versions", dict(site, model="AP43")), ("firmware_upgrades", site), ("eol", {}), ("switch_port", dict(sw, port="ge-0/0/12")), ("switch_ports", site),
        ("discovered_switches", site), ("rrm_current", site), ("rrm_events", site), ("channel_scores", dict(ap, band="5")), ("rogues", site), ("spectrum", site),
        ("rf_neighbors", dict(site, band="5")), ("ap_channels", site), ("rogue_clients", site), ("rogue_events", site), ("rogue_info", dict(site, bssid="d897ba76b5aa")),
        ("site_info", site), ("site_list", {}), ("site_stats", site), ("sle_summary", sle), ("sle_impact", sle), ("sle_metrics", site), ("sle_classifiers", sle),
        ("sle_classifier", dict(sle, classifier="weak-signal")), ("sle_impacted", sle), ("sle_impacted", dict(sle, of="aps")), ("sle_histogram", sle), ("sle_threshold", sle),
        ("sle_sites", {}), ("insight", dict(site, metric="num_clients")), ("alarms", dict(site, names=True)), ("alarm_count", site), ("alarm_suppressed", {}), ("alarm_templates", {}),
        ("audit_log", {}), ("usage", {}), ("system_events", site), ("synthetic_tests", site), ("webhooks", {}), ("pcaps", site), ("pcap_status", site),
        ("wlan_list", site), ("wlan", dict(site, wlan="Staff")), ("templates", {"kind": "rf"}), ("template", {"kind": "rf", "template": "offices"}),
        ("catalogue", {"name": "client_events"}), ("catalogue", {"name": "device_events"}), ("catalogue", {"name": "webhook_topics"}), ("catalogue", {"name": "insight_metrics"}),
    )


def playbook(steps):
    lines = ["fettle: 1", "name: all-of-mist", "title: Every action of the Mist plugin", "params:", "  new_psk: {type: secret, required: true}", "limits: {writes: 100}", "steps:"]
    for i, step in enumerate(steps):
        name, params, more = step if len(step) == 3 else (*step, {})
        lines += [f"  - id: {more.pop('id', f's{i}')}", f"    run: mist.{name}"]
        if params:
            lines.append("    with: " + json.dumps(params))
        for key, value in more.items():
            lines.append(f"    {key}: " + json.dumps(value))
    return "\n".join(lines + ["    then: done", "outcomes:", "  done: {title: Done}", ""])


def writes():
    site, ap, sw = {"site": "HQ"}, {"site": "HQ", "device": "AP-3F-12"}, {"site": "HQ", "device": "sw-2"}
    none, wait = {"undo": "none"}, {"every": "500ms", "within": "60s"}
    applied = {"run": "mist.device_config_status", "with": ap, "until": "result.applied", **wait}
    yield "config_export", dict(site, file="before.json"), {"id": "backup"}
    yield "config_export", {"file": "org.json"}
    yield "wlan_create", dict(site, ssid="event", auth="psk", psk="${new_psk}", vlan_id=120, bands=["5"]), dict(none)
    yield "wlan_disable", dict(site, wlan="event"), dict(none)
    yield "wlan_enable", dict(site, wlan="event"), dict(none)
    yield "wlan_psk", dict(site, wlan="Guest", psk="${new_psk}"), dict(none)
    yield "wlan_update", dict(site, wlan="Staff", changes={"max_idletime": 900}), dict(none)
    yield "site_setting_update", dict(site, changes={"vars": {"a": "b"}}), dict(none)
    yield "template_update", {"kind": "rf", "template": "offices", "changes": {"band_5": {"bandwidth": 80}}}, dict(none)
    yield "ap_radio", dict(ap, band="5", power=14), dict(none, verify=applied)
    yield "device_config_update", dict(ap, changes={"led": {"enabled": False}}), dict(none, verify=applied)
    yield "config_restore", {"file": "${backup.file}", "sha256": "${backup.sha256}", "what": ["wlan", "device"]}, dict(none, verify={
        "run": "mist.wlan", "with": dict(site, wlan="Staff"), "until": "result.max_idletime == 1800", **wait})
    # a 200 is not yet a changed device
    yield "site_setting_update", dict(site, changes={"config_push_policy": {"no_push": True}, "config_auto_revert": True}), dict(none)
    yield "ap_radio", dict(ap, band="5", power=15), dict(none, verify=dict(applied, until='result.verdict == "held" and result.no_push'))
    yield "site_setting_update", dict(site, changes={"config_push_policy": {"no_push": False}}), dict(none, verify=applied)
    yield "device_config_update", dict(ap, changes={"ip_config": {"type": "dhcp", "vlan_id": 999}}), dict(none, verify=dict(applied, until='result.verdict == "reverted"'))
    yield "device_config_update", dict(ap, changes={"ip_config": {"type": "dhcp"}}), dict(none, verify=applied)
    yield "radio_reset", dict(site, bands=["5"]), dict(none)
    yield "rrm_optimize", dict(site, bands=["5"], txpower_only=True), dict(none)
    yield "rogue_approve", dict(site, bssid="d8:97:ba:76:b5:aa"), dict(none)
    yield "spectrum_start", dict(ap, band="5", duration_s=60), dict(none)
    yield "pcap_start", dict(site, type="client", mac=CLIENT, duration_s=60), dict(none, id="capture")
    yield "pcap_stop", site, dict(none)
    yield "pcap_download", dict(site, file="c.pcap")
    yield "client_block", dict(site, mac="02:00:00:00:00:01"), dict(none)
    yield "client_block", dict(site, mac="02:00:00:00:00:02"), dict(none)
    yield "client_unblock", dict(site, mac="02:00:00:00:00:01"), dict(none)
    yield "client_unblock", dict(site, mac="02:00:00:00:00:02"), dict(none, verify={"run": "mist.client_blocklist", "with": site, "until": "result.total == 0", **wait})
    yield "client_disconnect", {"mac": CLIENT, "site": "HQ"}, dict(none)
    yield "client_disconnect_many", dict(site, ssid="Guest"), dict(none)
    yield "client_coa", {"mac": CLIENT, "site": "HQ"}, dict(none)
    yield "guest_unauthorize", {"mac": CLIENT, "site": "HQ"}, dict(none)
    yield "alarms_ack", {}, dict(none)
    yield "alarm_suppress", dict(site, duration_s=600), dict(none)
    yield "alarm_unsuppress", site, dict(none)
    yield "webhook_ping", {"webhook": "c1a52f00-0000-4000-8000-000000000001"}, dict(none)
    yield "webhook_deliveries", {"webhook": "c1a52f00-0000-4000-8000-000000000001"}
    yield "device_locate", ap, dict(none)
    yield "device_unlocate", ap, dict(none)
    yield "synthetic_test", dict(ap, type="dhcp", vlan_id=110), dict(none, verify={"run": "mist.synthetic_test_status", "with": ap, "until": "result.finished", **wait})
    yield "device_reprovision", sw, dict(none)
    yield "switch_snapshot", sw, dict(none)
    yield "stats_poll", sw, dict(none)
    yield "device_support", sw, dict(none)
    yield "port_clear_bpdu", dict(sw, port="ge-0/0/5"), dict(none)
    yield "port_clear_macs", dict(sw, port="ge-0/0/5"), dict(none)
    yield "switch_port_config", dict(sw, port="ge-0/0/5", usage="access", port_network="staff"), dict(none)
    yield "inventory_assign", dict(site, devices=["d420b0a09907"]), dict(none)
    yield "inventory_unassign", {"devices": ["d420b0a09907"]}, dict(none)
    yield "device_replace", dict(ap, spare="d420b0a09907"), dict(none)
    yield "firmware_upgrade", dict(site, version="0.14.29633", devices=["AP-3F-13"]), dict(none, id="upgrade", verify={
        "run": "mist.firmware_upgrade_status", "with": dict(site, upgrade_id="${result.upgrade_id}"), "until": "result.finished", **wait})
    yield "firmware_upgrade", dict(site, version="0.14.29633", devices=["AP-3F-11"], start_time=4000000000), dict(none, id="later")
    yield "firmware_upgrade_cancel", dict(site, upgrade_id="${later.upgrade_id}"), dict(none)
    yield "device_locate", {"site": "HQ", "device": "AP-3F-13"}, dict(none, verify={
        "run": "mist.device_status", "with": {"site": "HQ", "device": "AP-3F-13"}, "until": 'result.version == "0.14.29633" and result.status == "connected"', **wait})
    yield "ap_restart_many", dict(site, devices=["AP-3F-11"]), dict(none)


# ---- running it

def fettle(folder, *argv, ok=True, env=None):
    done = subprocess.run([FETTLE, *argv, "--config", f"{folder}/fettle.yaml"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240,
                          env={**os.environ, **(env or {})})
    check(f"fettle {' '.join(argv[:2])}", (done.returncode == 0) == ok, f"status {done.returncode}\n{done.stdout[-3000:]}")
    return done.stdout


def start_lab(folder):
    back, front = os.pipe()
    lab = subprocess.Popen([LAB, f"{SOURCE}/examples/lab/scenarios/healthy.yaml", "--dir", f"{folder}/lab", "--speed", "200", "--ready-fd", str(front)], pass_fds=[front],
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    os.close(front)
    with os.fdopen(back) as ready:
        line = ready.readline()
    if not line:
        sys.exit("the lab did not start: " + lab.stderr.read().decode())
    return lab, json.loads(line)


def main():
    folder = tempfile.mkdtemp(prefix="fettle-mist-")
    lab, ready = start_lab(folder)
    server = None
    try:
        Between.lab = (urllib.parse.urlsplit(ready["url"]).hostname, urllib.parse.urlsplit(ready["url"]).port)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Between)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with open(f"{folder}/fettle.yaml", "w") as f:
            f.write(f"fettle: 1\nstore: {folder}/runs.db\nplugins:\n  mist:\n    url: http://127.0.0.1:{server.server_address[1]}\n    org_id: {ORG}\n"
                    f"    token: {{file: {folder}/lab/mist.token}}\n")
        with open(f"{folder}/reads.yaml", "w") as f:
            f.write(playbook(list(reads())))
        with open(f"{folder}/writes.yaml", "w") as f:
            f.write(playbook(list(writes())))
        run(folder)
    finally:
        if server:
            server.shutdown()
        lab.send_signal(signal.SIGTERM)
        lab.wait(20)
        shutil.rmtree(folder, ignore_errors=True)
    covered()
    if os.path.exists(DOCUMENT):
        fits(Document(DOCUMENT))
    if failures:
        sys.exit(f"{len(failures)} checks failed")
    if not os.path.exists(DOCUMENT):
        print("skipped: the OpenAPI document is not there, so nothing was compared with it")
        sys.exit(77)


def run(folder):
    os.environ["NEW_PSK"] = "a-new-key-42"
    shown = fettle(folder, "run", f"{folder}/reads.yaml", "--text", "--yes", "new_psk=env:NEW_PSK")
    shown += fettle(folder, "run", f"{folder}/writes.yaml", "--text", "--yes", "new_psk=env:NEW_PSK")
    check("no key is shown", "a-new-key-42" not in shown and "lab-guest-key" not in shown)
    kept = subprocess.run(["grep", "-rlaE", "a-new-key-42|lab-guest-key", folder], stdout=subprocess.PIPE, text=True).stdout.split()
    check("keys are in the files for undo alone", all("/files/" in f or "/lab/" in f for f in kept), kept)


def covered():
    for method, path, *rest in seen:
        check(f"{method} {path} has the token just where it belongs", rest[-1] == path.startswith("/api/v1/"))


main()
