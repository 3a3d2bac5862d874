"""The way of a kiosk's bytes: who gets in, with whose name, how much, and who must leave."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketState
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from server.config import BrokerAddress
from server.displays import proxy
from server.displays import router as displays
from server.displays.mqtt_packets import Connect, Will, encode_length
from server.displays.proxy import MAX_PACKET_BYTES, POLICY, TAKEN_OVER, TOO_BIG, TRY_LATER
from server.link import Incoming
from tests.server.web.conftest import Store
from tests.support.patience import WAIT_S, eventually

pytestmark = pytest.mark.system

CONNACK = b"\x20\x02\x00\x00"
STATE = "tacet/1/demo/display/d-door/$state"
PINGREQ, PINGRESP = b"\xc0\x00", b"\xd0\x00"


@asynccontextmanager
async def socket(
    store: Store, cookie: str | None, *, origin: str | None = None, protocol: str = "mqtt"
) -> AsyncIterator[ClientConnection]:
    headers = {"Cookie": cookie} if cookie else {}
    async with connect(
        f"ws://{store.host}/mqtt",
        origin=origin or store.url,  # type: ignore[arg-type]
        subprotocols=[Subprotocol(protocol)],
        additional_headers=headers,
        max_size=None,
    ) as connection:
        yield connection


def hello(client_id: str = "d-door", keep_alive_s: int = 30, will: Will | None = None) -> bytes:
    return Connect(client_id, True, keep_alive_s, will, "anybody", b"anything").to_bytes()


async def close_code(connection: ClientConnection) -> int:
    """How the server closes it."""
    async with asyncio.timeout(WAIT_S):
        await connection.wait_closed()
    assert connection.close_code is not None
    return connection.close_code


async def test_a_paired_browser_speaks_as_its_display(store: Store) -> None:
    cookie = await store.pair("d-door")
    async with socket(store, cookie) as kiosk:
        assert kiosk.subprotocol == "mqtt"
        await kiosk.send(hello())
        assert await kiosk.recv() == CONNACK  # the broker took the display's credential, not the browser's
        await kiosk.send(PINGREQ[:1])
        await kiosk.send(PINGREQ[1:])  # packets may be cut anywhere
        assert await kiosk.recv() == PINGRESP
        assert store.state.proxy.is_connected("d-door")  # type: ignore[arg-type]
        async with store.client(headers={"Cookie": cookie}) as browser:
            assert (await browser.get("/api/displays/d-door/pairing")).json() == {
                "site": "demo",
                "paired": True,
                "code": None,
                "connected": True,
            }
    await eventually(lambda: not store.state.proxy.is_connected("d-door"))  # type: ignore[arg-type]


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1"])
async def test_a_foreign_origin_is_refused_before_it_is_accepted(store: Store, origin: str) -> None:
    cookie = await store.pair("d-door")
    with pytest.raises(InvalidStatus):
        async with socket(store, cookie, origin=origin):
            pass
    assert store.state.proxy.counters.refused_origin == 1


async def test_no_cookie_or_an_unapproved_one_is_refused(store: Store) -> None:
    async with store.client() as browser:
        await browser.post("/api/displays/d-door/pairing")
        unapproved = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    for cookie in (None, unapproved, "tacet-display-d-door=guess"):
        with pytest.raises(InvalidStatus):
            async with socket(store, cookie):
                pass
    assert store.state.proxy.counters.refused_cookie == 3
    assert store.state.proxy.counters.opened == 0


async def test_the_cookie_of_another_display_does_not_help(store: Store) -> None:
    async with socket(store, await store.pair("d-till")) as kiosk:
        await kiosk.send(hello("d-door"))
        assert await close_code(kiosk) == POLICY
    assert store.state.proxy.counters.refused_connect == 1


@pytest.mark.parametrize(
    "first", [b"\xe0\x00", b"\x10\x0c\x00\x04MQTT\x05\x02\x00\x0a\x00\x00", b"GET / HTTP/1.1\r\n\r\n" * 9]
)
async def test_what_is_no_connect_is_closed(store: Store, first: bytes) -> None:
    async with socket(store, await store.pair("d-door")) as kiosk:
        await kiosk.send(first)
        assert await close_code(kiosk) in (POLICY, TOO_BIG)


async def test_text_messages_are_closed(store: Store) -> None:
    async with socket(store, await store.pair("d-door")) as kiosk:
        await kiosk.send("hello")
        assert await close_code(kiosk) == POLICY


async def test_an_oversized_packet_is_closed_at_its_announcement(store: Store) -> None:
    async with socket(store, await store.pair("d-door")) as kiosk:
        await kiosk.send(hello())
        assert await kiosk.recv() == CONNACK
        await kiosk.send(b"\x30" + encode_length(MAX_PACKET_BYTES) + b"abc")
        assert await close_code(kiosk) == TOO_BIG
    assert store.state.proxy.counters.oversized == 1


async def test_a_flood_of_packets_is_closed(store: Store) -> None:
    async with socket(store, await store.pair("d-door")) as kiosk:
        await kiosk.send(hello())
        assert await kiosk.recv() == CONNACK
        await kiosk.send(PINGREQ * 1000)
        assert await close_code(kiosk) == POLICY
    assert store.state.proxy.counters.rate_limited == 1


async def test_a_silent_browser_is_closed(store: Store) -> None:
    async with socket(store, await store.pair("d-door")) as kiosk:
        await kiosk.send(hello(keep_alive_s=1))
        assert await kiosk.recv() == CONNACK
        assert await close_code(kiosk) in (POLICY, TRY_LATER)  # by us, or by a broker that counts as strictly


async def test_the_newest_window_wins_and_the_older_is_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    cookie = await store.pair("d-door")
    heard = spy_on_incoming(store, monkeypatch)
    async with socket(store, cookie) as older:
        await older.send(hello(will=Will(STATE, b"older is lost", 1, False)))
        assert await older.recv() == CONNACK
        async with socket(store, cookie) as newer:
            await newer.send(hello())
            assert await close_code(older) == TAKEN_OVER
            assert await newer.recv() == CONNACK
            await newer.send(PINGREQ)
            assert await newer.recv() == PINGRESP
            assert heard == []  # the older said good-bye, so its will stayed unsaid
    assert store.state.proxy.counters.taken_over == 1


async def test_a_broker_that_is_not_there_closes_with_try_later(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    cookie = await store.pair("d-door")
    monkeypatch.setattr(store.state.proxy, "_broker", BrokerAddress("127.0.0.1", 9))
    async with socket(store, cookie) as kiosk:
        await kiosk.send(hello())
        assert await close_code(kiosk) == TRY_LATER
    assert store.state.proxy.counters.broker_unavailable == 1


async def test_nobody_waits_for_a_connect_for_ever(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy, "CONNECT_WITHIN_S", 0.1)
    async with socket(store, await store.pair("d-door")) as kiosk:
        await kiosk.send(hello()[:7])
        assert await close_code(kiosk) == POLICY


async def test_the_displays_own_will_is_kept_and_any_other_is_dropped(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    cookie = await store.pair("d-door")
    forged, own = Will("tacet/1/demo/display/d-till/$state", b"forged", 1, False), Will(STATE, b"own", 1, False)
    heard = spy_on_incoming(store, monkeypatch)
    for will in (forged, own):
        async with socket(store, cookie) as kiosk:
            await kiosk.send(hello(will=will))
            assert await kiosk.recv() == CONNACK
            kiosk.transport.abort()  # vanishes
        await eventually(lambda: not store.state.proxy.is_connected("d-door"))  # type: ignore[arg-type]
    await eventually(lambda: heard)
    assert heard == [(STATE, b"own")]
    assert store.state.proxy.counters.wills_dropped == 1


def spy_on_incoming(store: Store, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bytes]]:
    """The display states that the broker delivers to the server from here on."""
    heard: list[tuple[str, bytes]] = []
    take = store.state.link.incoming.put

    async def take_and_note(message: Incoming) -> None:
        if "/display/" in message.topic:
            heard.append((message.topic, message.payload))
        await take(message)

    monkeypatch.setattr(store.state.link.incoming, "put", take_and_note)
    return heard


class Trickle:
    """A browser that says one thing when told to, and then nothing."""

    def __init__(self) -> None:
        self.speak, self.spoken = asyncio.Event(), False

    async def receive(self) -> bytes:
        await (asyncio.Event() if self.spoken else self.speak).wait()
        self.spoken = True
        return PINGREQ

    async def send(self, data: bytes) -> None:
        raise AssertionError


@pytest.mark.parametrize("turns", range(8))
async def test_a_link_ends_though_its_browser_speaks_in_the_same_instant(store: Store, turns: int) -> None:
    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(take, "127.0.0.1", 0) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        channel = Trickle()
        pipe = proxy.Pipe(channel, reader, writer, proxy.PacketSplitter(MAX_PACKET_BYTES), 60.0)
        up = asyncio.create_task(store.state.proxy._up(pipe))
        await asyncio.sleep(0)
        channel.speak.set()
        for _ in range(turns):
            await asyncio.sleep(0)
        up.cancel()
        done, _ = await asyncio.wait([up], timeout=WAIT_S)
        up.cancel()
        await asyncio.wait([up])
        writer.close()
        assert done, "the cancellation was swallowed"


async def test_a_browser_that_reads_nothing_is_not_waited_for_at_its_close(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stalled(WebSocket):
        async def close(self, code: int = 1000, reason: str | None = None) -> None:
            await asyncio.Event().wait()

    async def gone() -> Message:
        return {"type": "websocket.disconnect", "code": 1006}

    async def sent(_message: Message) -> None:
        pass

    headers = {"origin": store.url, "host": store.host, "cookie": await store.pair("d-door")}
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "websocket", "subprotocols": ["mqtt"], "headers": raw, "path": "/mqtt"}
    monkeypatch.setattr(displays, "CLOSE_WITHIN_S", 0.05)
    websocket = Stalled(scope, gone, sent)
    websocket.client_state = WebSocketState.CONNECTED
    async with asyncio.timeout(WAIT_S):
        await displays.mqtt(websocket, store.state)
    assert store.state.proxy.counters.opened == 1
