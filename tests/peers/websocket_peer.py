"""The server of test_websocket.c: the library "websockets". argv: a folder with server.pem. Says its port without TLS and the one with it."""
import asyncio, http, ssl, sys
import websockets


async def handle(ws):
    path = ws.path
    if path == "/fragments":
        await ws.send(iter(["one ", "two ", "three"]))
    elif path == "/binary":
        await ws.send(b"\x00\x01binary")
    elif path == "/ping":
        waiter = await ws.ping("are you there")
        await asyncio.wait_for(waiter, 5)
        await ws.send("pong came")
    elif path == "/large":
        await ws.send("x" * 3000000)
    elif path == "/policy":
        await ws.close(1008, "not today")
    elif path == "/echo":
        await ws.send(f"{ws.subprotocol} {await ws.recv()}")


async def check(path, headers):
    if path == "/private" and headers.get("Authorization") != "Token right":
        return http.HTTPStatus.UNAUTHORIZED, [], b"no"


async def main():
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(f"{sys.argv[1]}/server.pem")
    for ctx in (None, tls):
        server = await websockets.serve(handle, "127.0.0.1", 0, ssl=ctx, process_request=check, subprotocols=["v12.stomp"], compression="deflate", max_size=None)
        print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main())
