"""freeradius.py: a real FreeRADIUS with a tree, certificates and ports of its own, for the tests of the radius plugin."""
import json, os, shutil, socket, subprocess, tempfile

os.environ["PATH"] += ":/usr/sbin"       # where Debian keeps it, also for those whose PATH does not
SECRET = "correct-horse-battery"
USERS = """alice Cleartext-Password := "hello"
\tTunnel-Type := VLAN, Tunnel-Medium-Type := IEEE-802, Tunnel-Private-Group-Id := "120", Filter-Id := "staff", Session-Timeout := 3600, Reply-Message := "welcome", Cisco-AVPair := "profile=staff"
bob Cleartext-Password := "hello"
mallory Auth-Type := Reject
\tReply-Message := "this account is closed"
otp Auth-Type := Accept, Response-Packet-Type := Access-Challenge
\tState := 0x0102, Reply-Message := "your code?"
"""
CONF = """
prefix = /usr
confdir = {dir}
logdir = {dir}/log
libdir = /usr/lib/freeradius
pidfile = {dir}/run/radiusd.pid
max_requests = 1024
security {{
  max_attributes = 200
  reject_delay = 0
  status_server = yes
}}
client lab {{
  ipaddr = 127.0.0.1
  secret = {secret}
  require_message_authenticator = yes
}}
clients coa_clients {{
  client lab_coa {{
    ipaddr = 127.0.0.1
    secret = {secret}
    require_message_authenticator = yes
  }}
}}
modules {{
  pap {{
  }}
  chap {{
  }}
  mschap {{
  }}
  expr {{
  }}
  always ok {{
    rcode = ok
  }}
  always reject {{
    rcode = reject
  }}
  files {{
    filename = {dir}/users
  }}
  detail {{
    filename = {dir}/log/detail
  }}
  eap {{
    default_eap_type = peap
    tls-config tls-common {{
      private_key_file = {dir}/server.key
      certificate_file = {dir}/server.pem
      ca_file = {dir}/ca.pem
      tls_min_version = "1.2"
      tls_max_version = "1.2"
      ecdh_curve = ""
    }}
    tls {{
      tls = tls-common
    }}
    ttls {{
      tls = tls-common
      default_eap_type = md5
      virtual_server = inner
    }}
    peap {{
      tls = tls-common
      default_eap_type = mschapv2
      virtual_server = inner
    }}
    mschapv2 {{
    }}
  }}
}}
server default {{
  listen {{
    type = auth
    ipaddr = 127.0.0.1
    port = {auth}
  }}
  listen {{
    type = acct
    ipaddr = 127.0.0.1
    port = {acct}
  }}
  authorize {{
    files
    chap
    mschap
    eap {{
      ok = return
    }}
    pap
    Autz-Type Status-Server {{
      ok
    }}
  }}
  authenticate {{
    Auth-Type PAP {{
      pap
    }}
    Auth-Type CHAP {{
      chap
    }}
    Auth-Type MS-CHAP {{
      mschap
    }}
    eap
  }}
  post-auth {{
    if (&NAS-Identifier != "unsigned") {{
      update reply {{
        &Message-Authenticator := 0x00
      }}
    }}
    Post-Auth-Type REJECT {{
      update reply {{
        &Message-Authenticator := 0x00
      }}
    }}
    Post-Auth-Type Challenge {{
      update reply {{
        &Message-Authenticator := 0x00
      }}
    }}
  }}
  preacct {{
    ok
  }}
  accounting {{
    detail
    ok
  }}
}}
server inner {{
  authorize {{
    files
    mschap
    eap {{
      ok = return
    }}
    pap
  }}
  authenticate {{
    Auth-Type PAP {{
      pap
    }}
    Auth-Type MS-CHAP {{
      mschap
    }}
    eap
  }}
}}
server status {{
  listen {{
    type = status
    ipaddr = 127.0.0.1
    port = {status}
  }}
  authorize {{
    Autz-Type Status-Server {{
      ok
    }}
  }}
}}
server coa {{
  listen {{
    type = coa
    ipaddr = 127.0.0.1
    port = {coa}
    clients = coa_clients
  }}
  recv-coa {{
    if (!&User-Name && !&Calling-Station-Id && !&Acct-Session-Id) {{
      update reply {{
        &Error-Cause := Missing-Attribute
      }}
      reject
    }}
    elsif (&Acct-Session-Id == "gone") {{
      update reply {{
        &Error-Cause := Session-Context-Not-Found
      }}
      reject
    }}
    elsif (&Acct-Session-Id == "forbidden") {{
      update reply {{
        &Error-Cause := Administratively-Prohibited
      }}
      reject
    }}
    ok
  }}
}}
"""


def free_ports(n):
    """UDP ports of loopback that are free for an instant: all are open at once, so no two are the same."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(n)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def openssl(folder, *args):
    out = subprocess.run(["openssl", *args], cwd=folder, capture_output=True, text=True)
    if out.returncode:
        raise SystemExit(f"openssl {' '.join(args)}: {out.stderr}")


def authority(folder, name):
    openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.pem",
            "-days", "30", "-subj", f"/O=Fettle Test/CN={name} authority", "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=keyCertSign,cRLSign")


def certificate(folder, ca, name, cn, extra, expired=False):
    """name.pem and name.key, signed by ca; one that has expired was good for a day a month ago."""
    with open(f"{folder}/{name}.ext", "w", encoding="utf-8") as f:
        f.write(extra)
    openssl(folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/O=Fettle Test/CN={cn}")
    if not expired:
        openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", f"{ca}.pem", "-CAkey", f"{ca}.key", "-CAcreateserial", "-days", "10", "-out", f"{name}.pem", "-extfile", f"{name}.ext")
        return
    with open(f"{folder}/ca.cnf", "w", encoding="utf-8") as f:
        f.write(f"[ca]\ndefault_ca=d\n[d]\ndatabase={folder}/index\nserial={folder}/serial\nnew_certs_dir={folder}\ndefault_md=sha256\npolicy=p\n[p]\nO=optional\nCN=supplied\n")
    open(f"{folder}/index", "w", encoding="utf-8").close()
    with open(f"{folder}/serial", "w", encoding="utf-8") as f:
        f.write("77\n")
    openssl(folder, "ca", "-batch", "-config", "ca.cnf", "-cert", f"{ca}.pem", "-keyfile", f"{ca}.key", "-in", f"{name}.csr", "-out", f"{name}.pem", "-notext",
            "-startdate", "200101000000Z", "-enddate", "200102000000Z", "-extfile", f"{name}.ext")


class FreeRadius:
    """Ready when it says so; `with` ends it. `log` is what it wrote so far."""

    def __init__(self, eap=True):
        self.dir = tempfile.mkdtemp(prefix="fettle-radius-")
        os.chmod(self.dir, 0o700)
        for sub in ("log", "run"):
            os.mkdir(f"{self.dir}/{sub}")
        self.auth, self.acct, self.coa, self.status, self.nobody = free_ports(5)
        authority(self.dir, "ca")
        certificate(self.dir, "ca", "server", "radius.test", "subjectAltName=DNS:radius.test\nextendedKeyUsage=serverAuth\n")
        if eap:
            authority(self.dir, "other")
            certificate(self.dir, "ca", "client", "alice", "extendedKeyUsage=clientAuth\n")
            certificate(self.dir, "ca", "old", "alice", "extendedKeyUsage=clientAuth\n", expired=True)
            certificate(self.dir, "other", "stranger", "alice", "extendedKeyUsage=clientAuth\n")
        with open(f"{self.dir}/radiusd.conf", "w", encoding="utf-8") as f:
            f.write(CONF.format(dir=self.dir, secret=SECRET, auth=self.auth, acct=self.acct, coa=self.coa, status=self.status))
        with open(f"{self.dir}/users", "w", encoding="utf-8") as f:
            f.write(USERS)
        self.out = open(f"{self.dir}/log/out", "w+", encoding="utf-8", errors="replace")
        self.process = subprocess.Popen(["freeradius", "-f", "-X", "-d", self.dir], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        said = []
        for line in self.process.stdout:
            said.append(line)
            if "Ready to process requests" in line:
                break
        else:
            raise SystemExit("freeradius did not start:\n" + "".join(said[-30:]))
        # -X speaks all the time: somebody must listen, or it stops when the pipe is full
        self.drain = subprocess.Popen(["cat"], stdin=self.process.stdout, stdout=self.out)

    def log(self):
        with open(f"{self.dir}/log/out", encoding="utf-8", errors="replace") as f:
            return f.read()

    def detail(self):
        path = f"{self.dir}/log/detail"
        return open(path, encoding="utf-8").read() if os.path.exists(path) else ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()
        self.drain.wait()
        self.out.close()
        shutil.rmtree(self.dir, ignore_errors=True)


class Runs:
    """fettle itself, as a user runs it: `steps` is a list of (action, parameters); all of them run in one playbook, whether they succeed or not."""

    def __init__(self, folder, **servers):
        self.folder = folder
        self.number = 0
        self.secrets = {SECRET, "another-secret"}
        for name, text in (("secret", SECRET), ("wrong", "another-secret")):
            with open(f"{folder}/{name}", "w", encoding="utf-8") as f:
                f.write(text + "\n")
            os.chmod(f"{folder}/{name}", 0o600)
        with open(f"{folder}/fettle.yaml", "w", encoding="utf-8") as f:
            json.dump({"fettle": 1, "store": f"{folder}/fettle.db", "plugins": {"radius": {"tries": 1, "first_wait_ms": 300, **servers}}}, f)

    def run(self, steps, dry=False, passwords=None, may_park=False):
        self.number += 1
        listed = []
        for i, (action, params) in enumerate(steps):
            after = f"s{i + 1}" if i + 1 < len(steps) else "fine"
            step = {"id": f"s{i}", "run": f"radius.{action}", "with": params, "then": after, "on_error": after}
            if action in ("accounting", "coa", "disconnect"):
                step["undo"] = "none"
            listed.append(step)
        playbook = {"fettle": 1, "name": f"radius-{self.number}", "title": "steps", "category": "check", "severity": "P4",
                    "steps": listed, "outcomes": {"fine": {"title": "done"}}}
        if passwords:
            playbook["params"] = {name: {"type": "secret", "help": "a password"} for name in passwords}
        with open(f"{self.folder}/p.yaml", "w", encoding="utf-8") as f:
            json.dump(playbook, f)
        argv = [f"{os.environ['FETTLE_BUILD']}/bin/fettle", "run", f"{self.folder}/p.yaml", "--json", "--yes", *(["--dry-run"] if dry else [])]
        for name in passwords or {}:
            argv.append(f"{name}=env:{name.upper()}")
        env = dict(os.environ, FETTLE_CONFIG=f"{self.folder}/fettle.yaml", **{name.upper(): text for name, text in (passwords or {}).items()})
        out = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=120)
        self.output = out.stdout + out.stderr
        if "Sanitizer" in self.output:
            raise SystemExit(self.output[-6000:])
        self.events = [json.loads(line) for line in out.stdout.splitlines() if line.startswith("{")]
        ends = {e["path"]: e for e in self.events if e.get("type") in ("step.done", "step.failed")}
        if f"s{len(steps) - 1}" not in ends and not dry and not may_park:
            raise SystemExit(f"the run did not come to its end:\n{self.output[-3000:]}")
        return [ends.get(f"s{i}", {}) for i in range(len(steps))]
