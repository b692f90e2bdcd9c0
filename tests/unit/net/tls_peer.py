"""Servers for test_tls.c, each with a fault of its own. argv: a folder with ca.pem and <name>.pem (certificate and key). Says "<mode> <port>" a line, then "ready"."""
import socket, ssl, sys, threading

folder = sys.argv[1]


def context(cert, **more):
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ctx.load_cert_chain(f"{folder}/{cert}.pem")
    if more.get("old"):
        ctx.set_ciphers("ALL:@SECLEVEL=0")
        ctx.minimum_version = ctx.maximum_version = ssl.TLSVersion.TLSv1_1
    if more.get("tls12"):
        ctx.maximum_version = ssl.TLSVersion.TLSv1_2
    if more.get("client"):
        ctx.verify_mode = ssl.CERT_REQUIRED
        ctx.load_verify_locations(f"{folder}/ca.pem")
    return ctx


def by_name():
    """The right certificate for those only who say whom they want."""
    ctx, good = context("other"), context("good")

    def choose(sock, name, _):
        if name == "localhost":
            sock.context = good

    ctx.sni_callback = choose
    return ctx


def echo(sock, _):
    while data := sock.recv(65536):
        sock.sendall(data)
    sock.unwrap()


def bye(sock, _):
    sock.sendall(sock.recv(65536))
    sock.unwrap()


def drain(sock):
    """Ends our half as TCP does, without a reset that would overtake what was sent."""
    sock.shutdown(socket.SHUT_WR)
    while sock.recv(65536):
        pass


def cut(sock, _):
    sock.sendall(sock.recv(65536))
    drain(sock)


def flood(sock, _):
    sock.recv(65536)
    sock.sendall(b"x" * 1000000)
    sock.unwrap()


def plain(sock, _):
    sock.sendall(b"220 ready when you are\r\n")
    sock.recv(65536)


def silent(sock, stop):
    stop.wait()


def hangs_up(sock, _):
    sock.recv(65536)


MODES = {
    "echo": (context("good"), echo), "echo12": (context("good", tls12=True), echo), "bye": (context("good"), bye), "cut": (context("good"), cut), "flood": (context("good"), flood),
    "expired": (context("expired"), echo), "other": (context("other"), echo), "self": (context("self"), echo), "client": (context("good", client=True), echo),
    "by_name": (by_name(), echo), "client12": (context("good", client=True, tls12=True), echo), "old": (context("good", old=True), echo), "plain": (None, plain), "silent": (None, silent), "hangs_up": (None, hangs_up),
}


def one(sock, ctx, talk, stop):
    try:
        with sock:
            if ctx:
                sock = ctx.wrap_socket(sock, server_side=True, suppress_ragged_eofs=False, do_handshake_on_connect=False)
                try:
                    sock.do_handshake()
                except ssl.SSLError:
                    drain(sock)
                    return
            talk(sock, stop)
    except OSError:
        pass


def serve(listener, ctx, talk, stop):
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=one, args=(sock, ctx, talk, stop), daemon=True).start()


stop = threading.Event()
for name, (ctx, talk) in MODES.items():
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(listener, ctx, talk, stop), daemon=True).start()
    print(name, listener.getsockname()[1])
print("ready", flush=True)
sys.stdin.read()
