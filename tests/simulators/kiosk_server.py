"""A scripted server for one display: pairing, time and status over HTTP, and just enough MQTT 3.1.1 over its WebSocket."""

import asyncio
import hmac
import json
import secrets
import time
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qsl

import uvicorn

from tests.support.patience import WAIT_S

CONNECT, PUBLISH, PUBACK, SUBSCRIBE, PINGREQ, DISCONNECT = 1, 3, 4, 8, 12, 14


class KioskServer:
    """Answers a display as told and keeps what it says.  `clock_ahead_s`: how far its clock is from ours."""

    def __init__(self) -> None:
        self.key = secrets.token_bytes(32)
        self.display, self.secret, self.code = "d-door", secrets.token_hex(8), "K7QF3M"
        self.paired, self.connected, self.clock_ahead_s = False, False, 0.0
        self.published: list[tuple[str, dict]] = []
        self.subscribed: list[str] = []
        self.will: dict | None = None
        self.client_id = ""
        self.handshake: dict[str, str] = {}
        self.codes_given = self.polls = self.connections = 0
        self.happened = asyncio.Event()
        self._outbox: asyncio.Queue[tuple[str, bytes] | int] = asyncio.Queue()
        self.url = ""

    def now(self) -> float:
        return time.time() + self.clock_ahead_s

    async def say(self, name: str, data: dict, topic: str | None = None, *, signed: bool = True) -> None:
        """Publish one message to the display."""
        envelope = {"specversion": "1.0", "id": secrets.token_hex(4), "source": "/test", "type": name, "data": data}
        topic = topic or "tacet/1/demo/display/d-door/x"
        said = json.dumps(envelope).encode()
        code = self.code_of(topic.encode() + b"\n" + said) if signed else "0" * 32
        await self._outbox.put((topic, said[:-1] + f',"mac":"display-d-door:{code}"}}'.encode()))

    def code_of(self, words: bytes) -> str:
        return hmac.digest(self.key, words, "sha256")[:16].hex()

    async def close(self, code: int) -> None:
        """Close the WebSocket."""
        await self._outbox.put(code)

    async def until(self, done, within_s: float = WAIT_S) -> None:
        """Wait until something that was said makes `done` true."""
        async with asyncio.timeout(within_s):
            while not done():
                self.happened.clear()
                await self.happened.wait()

    def shown(self, phase: str) -> list[dict]:
        """The receipts of one phase, each once: at QoS 1 one may come twice."""
        receipts = [envelope["data"] for topic, envelope in self.published if topic.endswith("/shown")]
        return list({receipt["decision"]: receipt for receipt in receipts if receipt["phase"] == phase}.values())

    def states(self) -> list[str]:
        return [envelope["data"]["state"] for topic, envelope in self.published if topic.endswith("/$state")]

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] == "websocket":
            self.handshake = {name.decode(): value.decode() for name, value in scope["headers"]}
            await receive()
            await send({"type": "websocket.accept", "subprotocol": "mqtt"})
            await self._mqtt(receive, send)
            return
        status, headers, body = self._http(
            scope["method"],
            scope["path"],
            dict(scope["headers"]).get(b"cookie", b"").decode(),
            dict(parse_qsl(scope["query_string"].decode())),
        )
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(body).encode()})
        self.happened.set()

    def _http(self, method: str, path: str, cookie: str, asked: dict[str, str]) -> tuple[int, list, dict]:
        known = f"tacet-display-d-door={self.secret}" in cookie
        if path == "/time":
            utc_us = round(self.now() * 1e6)
            words = f"\ntime\n{asked['who']}\n{asked['nonce']}\n{utc_us}"
            return 200, [], {"utc_ms": utc_us / 1000, "utc_us": utc_us, "mac": self.code_of(words.encode())}
        if path == "/api/displays/d-door/key" and known and self.paired:
            return 200, [], {"user": "display-d-door", "key": self.key.hex()}
        if path != "/api/displays/d-door/pairing":
            return 404, [], {"error": "no such display"}
        self.polls += 1
        if method == "GET":
            return (
                200,
                [],
                {
                    "site": "demo",
                    "paired": known and self.paired,
                    "code": self.code if known else None,
                    "connected": self.connected,
                },
            )
        if known and self.paired:
            return 200, [], {"paired": True}
        self.codes_given += 1
        header = f"tacet-display-d-door={self.secret}; Path=/; HttpOnly; SameSite=Strict".encode()
        return 200, [(b"set-cookie", header)], {"paired": False, "code": self.code}

    async def _mqtt(self, receive, send) -> None:
        self.connections += 1
        speaker = asyncio.create_task(self._speak(send))
        try:
            buffer = b""
            while (event := await receive())["type"] == "websocket.receive":
                buffer += event["bytes"]
                while packet := split_packet(buffer):
                    head, body, buffer = packet
                    await self._handle(head, body, send)
        finally:
            speaker.cancel()
            self.happened.set()

    async def _speak(self, send) -> None:
        while True:
            what = await self._outbox.get()
            if isinstance(what, int):
                await send({"type": "websocket.close", "code": what})
                return
            topic, payload = what
            body = text(topic) + b"\x00\x07" + payload
            await send({"type": "websocket.send", "bytes": packet(PUBLISH << 4 | 2, body)})

    async def _handle(self, head: int, body: bytes, send) -> None:
        answer = b""
        match head >> 4:
            case 1:
                self.client_id, rest = take_text(body[10:])
                _, rest = take_text(rest)
                self.will = json.loads(take_text(rest)[0])
                answer = b"\x20\x02\x00\x00"
            case 8:
                self.subscribed.append(take_text(body[2:])[0])
                answer = b"\x90\x03" + body[:2] + b"\x01"
            case 3:
                topic, rest = take_text(body)
                self.published.append((topic, json.loads(rest[2:])))
                answer = b"\x40\x02" + rest[:2]
            case 12:
                answer = b"\xd0\x00"
        if answer:
            await send({"type": "websocket.send", "bytes": answer})
        self.happened.set()


def split_packet(buffer: bytes) -> tuple[int, bytes, bytes] | None:
    """Head, body and rest of the first whole packet."""
    size, shift, at = 0, 0, 1
    while True:
        if at >= len(buffer):
            return None
        size |= (buffer[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not buffer[at - 1] & 0x80:
            break
    return (buffer[0], buffer[at : at + size], buffer[at + size :]) if len(buffer) >= at + size else None


def packet(head: int, body: bytes) -> bytes:
    size, length = b"", len(body)
    while True:
        length, low = divmod(length, 128)
        size += bytes((low | (0x80 if length else 0),))
        if not length:
            return bytes((head,)) + size + body


def text(value: str) -> bytes:
    return len(value).to_bytes(2, "big") + value.encode()


def take_text(body: bytes) -> tuple[str, bytes]:
    size = int.from_bytes(body[:2], "big")
    return body[2 : 2 + size].decode(), body[2 + size :]


@asynccontextmanager
async def serving(app: KioskServer, ping_interval_s: float = 20.0, **tls: Path):
    """Serve on a free port of the loopback."""
    config = uvicorn.Config(
        app, "127.0.0.1", 0, log_level="error", lifespan="off", timeout_graceful_shutdown=1, ws="websockets-sansio",
        ws_ping_interval=ping_interval_s, ws_ping_timeout=1.0, **tls,
    )  # fmt: skip
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None
    task = asyncio.create_task(server.serve())
    async with asyncio.timeout(WAIT_S):
        while not server.started:
            await asyncio.sleep(0.01)
    app.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield app
    finally:
        server.should_exit = True
        await task
