"""A websocket server for test_ws.c that does what the path says, well or badly. argv: a folder with server.pem (certificate and key).
Says its port without TLS and the one with it; without a folder, the first one only."""
import base64, hashlib, socket, ssl, struct, sys, threading, time


def frame(data, opcode=1, fin=True):
    data = data.encode() if isinstance(data, str) else data
    size = bytes([len(data)]) if len(data) < 126 else b"\x7e" + struct.pack(">H", len(data)) if len(data) < 65536 else b"\x7f" + struct.pack(">Q", len(data))
    return bytes([opcode | (0x80 if fin else 0)]) + size + data


def exactly(sock, n):
    data = b""
    while len(data) < n:
        more = sock.recv(n - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def read(sock):
    """One frame of the client: opcode and payload; it must be masked."""
    first, second = exactly(sock, 2)
    assert first & 0x80 and second & 0x80
    size = second & 0x7F
    size = struct.unpack(">H", exactly(sock, 2))[0] if size == 126 else struct.unpack(">Q", exactly(sock, 8))[0] if size == 127 else size
    mask = exactly(sock, 4)
    data = bytearray(exactly(sock, size))
    for i in range(4):
        data[i::4] = bytes(b ^ mask[i] for b in data[i::4])
    return first & 0x0F, bytes(data)


def finish(sock, code=1000, reason=""):
    sock.sendall(frame(struct.pack(">H", code) + reason.encode(), 8))
    try:
        while read(sock)[0] != 8:
            pass
    except EOFError:
        pass


def echo(sock):
    while True:
        opcode, data = read(sock)
        if opcode == 8:
            sock.sendall(frame(data, 8))
            return
        sock.sendall(frame(data, opcode))


def pong(sock):
    """What is in the next pong; other frames may come before it."""
    while True:
        opcode, data = read(sock)
        if opcode == 10:
            return data


def fragments(sock):
    for part in (frame("one ", 1, False), frame("p", 9), frame("two ", 0, False), frame("", 0, False), frame("three", 0)):
        for i in range(len(part)):
            sock.sendall(part[i : i + 1])
    assert pong(sock) == b"p"
    finish(sock)


def ping(sock):
    sock.sendall(frame("are you there", 9))
    sock.sendall(frame(f"pong {pong(sock).decode()}"))
    finish(sock, 1001, "going away")


def no_answer_to_close(sock):
    while True:
        if read(sock)[0] == 8:
            time.sleep(30)


def upgrade(sock, request, more=b"", accept=None, extra=""):
    lines = dict(line.split(": ", 1) for line in request.split("\r\n")[1:] if ": " in line)
    key = lines["Sec-WebSocket-Key"]
    assert len(base64.b64decode(key)) == 16
    right = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
    if "Sec-WebSocket-Protocol" in lines:
        extra += f"Sec-WebSocket-Protocol: {lines['Sec-WebSocket-Protocol']}\r\n"
    if lines.get("X-Whoami"):
        more += frame(lines["X-Whoami"])
    sock.sendall(f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept or right}\r\n{extra}\r\n".encode() + more)


def talk(sock, request):
    path = request.split()[1]
    if path.startswith("/status/"):
        sock.sendall(f"HTTP/1.1 {path[8:]} Because\r\nContent-Length: 4\r\n\r\nbody".encode())
    elif path == "/silent":
        time.sleep(30)
    elif path == "/nohttp":
        sock.sendall(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
    elif path == "/nul":
        sock.sendall(b"HTTP/1.1 101 \0\r\n\r\n")
    elif path == "/endless":
        sock.sendall(b"HTTP/1.1 101 x\r\n" + b"A: b\r\n" * 4000)
    elif path == "/badkey":
        upgrade(sock, request, accept="bm90IGl0")
    elif path == "/hangup":
        return
    else:
        upgrade(sock, request, {"/together": frame("at once") + frame("and more")}.get(path, b""))
        if path in ("/echo", "/echo?token=x"):
            echo(sock)
        elif path == "/fragments":
            fragments(sock)
        elif path == "/ping":
            ping(sock)
        elif path == "/stream":
            sock.sendall(frame(f"heard {read(sock)[1].decode()}") + frame("!") + frame("one too many"))
            finish(sock)
        elif path == "/cut":
            sock.sendall(frame("last words") + b"\x81\x05hal")
        elif path == "/masked":
            sock.sendall(b"\x81\x82abcdhi")
        elif path.startswith("/big/"):
            sock.sendall(frame("x" * int(path[5:])))
            finish(sock)
        elif path.startswith("/close/"):
            finish(sock, int(path[7:]), "so it is")
        elif path == "/close":
            sock.sendall(frame("", 8))
            read(sock)
        elif path == "/together":
            finish(sock)
        elif path == "/noclose":
            no_answer_to_close(sock)


def one(sock, ctx):
    try:
        with sock:
            if ctx:
                sock = ctx.wrap_socket(sock, server_side=True)
            request = b""
            while b"\r\n\r\n" not in request:
                request += exactly(sock, 1)
            talk(sock, request.decode())
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(65536):
                pass
    except (OSError, EOFError, AssertionError):
        pass


def serve(listener, ctx):
    while True:
        threading.Thread(target=one, args=(listener.accept()[0], ctx), daemon=True).start()


contexts = [None]
if len(sys.argv) > 1:
    contexts.append(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    contexts[1].load_cert_chain(f"{sys.argv[1]}/server.pem")
for ctx in contexts:
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(listener, ctx), daemon=True).start()
    print(listener.getsockname()[1], flush=True)
sys.stdin.read()
