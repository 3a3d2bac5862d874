"""What the embedded broker allows a hostile peer: little memory, little time, and nobody else's."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiomqtt
import psutil
import pytest

from broker_config.access import Access
from broker_config.embedded import broker as embedded
from broker_config.embedded import connection as embedded_connection
from broker_config.embedded.broker import EmbeddedBroker
from broker_config.identity import make_credential, write_credential
from broker_config.limits import MAX_KEEPALIVE_S, MAX_PACKET_BYTES
from tests.support import mqtt_raw
from tests.support.brokers import DEMO_SITE, TestBroker, free_port
from tests.support.mqtt_raw import ACCEPTED, connect, field, packet, publish, raw, subscribe
from tests.support.patience import WAIT_S

SITE = "tacet/1/demo"
ACK, STATE = f"{SITE}/edge/gw-2/ack", f"{SITE}/edge/gw-2/$state"
ATTACKER = "agent-gw-2"
MIB = 1 << 20


@dataclass
class Place:
    """The broker, how to reach it, and the attacker's own sound credential."""

    broker: EmbeddedBroker
    reach: TestBroker

    def hello(self, **options: object) -> bytes:
        return connect(ATTACKER, self.reach.credential(ATTACKER).password, **options)  # type: ignore[arg-type]

    @contextlib.asynccontextmanager
    async def admitted(self, **options: object) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """The attacker's connection, accepted."""
        async with asyncio.timeout(WAIT_S), raw(self.reach.host, self.reach.port, self.hello(**options)) as ends:
            assert await ends[0].readexactly(4) == ACCEPTED
            yield ends


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    write_credential(tmp_path / "identity", make_credential("agent", "gw-2"))
    access = Access(DEMO_SITE, tmp_path / "identity")
    reach = TestBroker("127.0.0.1", free_port(), tmp_path / "identity", DEMO_SITE, "amqtt")
    broker = EmbeddedBroker(reach.host, reach.port, access)
    await broker.start()
    try:
        yield Place(broker, reach)
    finally:
        await broker.shutdown()


async def ended(reader: asyncio.StreamReader) -> None:
    """Wait until the broker has closed."""
    with contextlib.suppress(ConnectionResetError):
        while await reader.read(65_536):
            pass


async def works(place: Place, count: int = 20) -> None:
    """The site's own clients talk to each other as if nothing were."""
    topic = f"{SITE}/edge/gw-1/ack"
    async with place.reach.client("agent-gw-1") as agent, place.reach.client("server") as server:
        await agent.subscribe(topic, qos=1)
        async with asyncio.timeout(WAIT_S):
            for number in range(count):
                await server.publish(topic, str(number), qos=1)
                assert (await anext(agent.messages)).payload == str(number).encode()


async def test_200_connections_that_trickle_disturb_nobody(place: Place) -> None:
    """Each sends its CONNECT byte by byte, or nothing; never more than so many are held, and the rest are closed."""
    opening = place.hello()
    async with contextlib.AsyncExitStack() as stack:
        writers = []
        for _ in range(200):
            _, writer = await stack.enter_async_context(raw(place.reach.host, place.reach.port, opening[:1]))
            writers.append(writer)

        async def trickle() -> None:
            for byte in opening[1:-1]:
                for writer in writers:
                    if not writer.transport.is_closing():
                        writer.write(bytes([byte]))
                await asyncio.sleep(0.005)

        trickling = asyncio.create_task(trickle())
        await works(place)
        assert len(place.broker._connections) <= embedded.MAX_UNKNOWN + 10
        trickling.cancel()
        await asyncio.wait([trickling])
    await works(place, 1)


async def test_a_known_client_is_not_put_out_for_a_stranger(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "MAX_CONNECTIONS", 4)
    async with place.admitted() as (reader, writer), contextlib.AsyncExitStack() as stack:
        for _ in range(20):
            await stack.enter_async_context(raw(place.reach.host, place.reach.port, b"\x10"))
        await works(place)
        writer.write(packet(mqtt_raw.PINGREQ, b""))
        assert await reader.readexactly(2) == b"\xd0\x00"


@pytest.mark.parametrize("keep_alive_s", [0, MAX_KEEPALIVE_S + 1, 65_535])
async def test_a_client_that_asks_never_to_be_given_up_is_refused(place: Place, keep_alive_s: int) -> None:
    async with (
        asyncio.timeout(WAIT_S),
        raw(place.reach.host, place.reach.port, place.hello(keep_alive_s=keep_alive_s)) as (reader, _),
    ):
        assert await reader.read() == b"\x20\x02\x00\x02"


@pytest.mark.parametrize("size", [MAX_PACKET_BYTES + 1, 268_435_455])
@pytest.mark.parametrize("first_byte", [mqtt_raw.SUBSCRIBE, mqtt_raw.UNSUBSCRIBE, 0x32, 0x10, 0x40])
async def test_a_packet_without_end_ends_the_connection_when_it_is_announced(
    place: Place, first_byte: int, size: int
) -> None:
    async with place.admitted() as (reader, writer):
        writer.write(bytes([first_byte]) + mqtt_raw.length(size))
        await ended(reader)


async def test_a_connect_without_end_is_closed_before_it_is_there(place: Place) -> None:
    async with asyncio.timeout(WAIT_S), raw(place.reach.host, place.reach.port) as (reader, writer):
        writer.write(b"\x10" + mqtt_raw.length(268_435_455))
        await ended(reader)


@pytest.mark.parametrize(
    "body",
    [
        b"\x00\x01" + field(ACK),  # the quality is missing
        b"\x00\x01\xff\xff" + ACK.encode(),
        b"\x00",
        b"\x00\x01" + field(b"\xff\xfe") + b"\x01",  # no text
    ],
)
async def test_a_packet_that_is_none_ends_the_connection(place: Place, body: bytes) -> None:
    """What follows is the next packet's, and is never taken for the rest of this one."""
    async with place.admitted() as (reader, writer):
        writer.write(packet(mqtt_raw.SUBSCRIBE, body) + publish(STATE, b"next", number=2) * 3)
        await ended(reader)
    await works(place, 1)


async def test_a_packet_half_sent_is_not_waited_for_for_ever(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_connection, "PACKET_WITHIN_S", 0.2)
    async with place.reach.client("server") as server:
        await server.subscribe(STATE, qos=1)
        async with place.admitted(will=(STATE, b"lost")) as (reader, writer):
            writer.write(publish(STATE, b"never whole")[:-3])
            await ended(reader)
            assert (await anext(server.messages)).payload == b"lost"


async def test_a_deaf_client_is_cut_off_and_costs_no_memory(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks for messages and takes none off its line; the others go on hearing theirs."""
    monkeypatch.setattr(embedded_connection, "DRAIN_WITHIN_S", 0.5)
    payload, before = b"x" * 60_000, psutil.Process().memory_info().rss
    async with place.admitted() as (_, writer), place.reach.client("server") as server:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(subscribe(ACK))
        async with asyncio.timeout(WAIT_S):
            while not place.broker._subscriptions.get(ACK):
                await asyncio.sleep(0.01)
            while ATTACKER in place.broker._by_client:
                await server.publish(ACK, payload, qos=0)
                await asyncio.sleep(0)
        await works(place)
    assert psutil.Process().memory_info().rss - before < 50 * MIB


async def test_a_client_that_acknowledges_nothing_is_cut_off_at_a_bound(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_connection, "MAX_UNTAKEN_MESSAGES", 50)
    async with place.admitted() as (reader, writer), place.reach.client("server") as server:
        writer.write(subscribe(ACK))
        await reader.readexactly(5)
        for number in range(60):
            await server.publish(ACK, str(number), qos=1)
        await ended(reader)
        assert len(place.broker._tasks_queue) <= 60


async def test_who_publishes_faster_than_others_take_waits(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "MAX_WAITING", 20)
    longest, count = 0, 500
    put, hand_out = place.broker._broadcast_queue.put, place.broker._run_broadcast

    async def slowly(*arguments: object) -> None:
        await asyncio.sleep(0.002)
        await hand_out(*arguments)

    async def measured(item: object) -> None:
        nonlocal longest
        await put(item)
        attacker = place.broker._by_client[ATTACKER]
        longest = max(longest, place.broker._waiting(attacker))

    monkeypatch.setattr(place.broker._broadcast_queue, "put", measured)
    monkeypatch.setattr(place.broker, "_run_broadcast", slowly)
    async with place.admitted() as (_, writer), place.reach.client("server") as server:
        await server.subscribe(f"{SITE}/edge/+/stats", qos=0)
        flood = b"".join(publish(f"{SITE}/edge/gw-2/stats", b"x", qos=0) for _ in range(count))
        writer.write(flood)
        async with asyncio.timeout(WAIT_S):
            for _ in range(count):
                await anext(server.messages)
    assert 0 < longest <= 40


async def test_what_waits_for_a_client_that_is_away_is_bounded_in_bytes(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "MAX_OFFLINE_BYTES", 100_000)
    async with place.reach.client("server") as server:
        for _ in range(2):  # what was taken makes room again
            async with place.reach.client(ATTACKER, clean_session=False) as agent:
                await agent.subscribe(ACK, qos=1)
            for _ in range(8):
                await server.publish(ACK, b"x" * 30_000, qos=1)
            async with place.reach.client(ATTACKER, clean_session=False) as agent:
                await server.publish(ACK, b"last", qos=1)
                sizes = []
                async with asyncio.timeout(WAIT_S):
                    async for message in agent.messages:
                        if message.payload == b"last":
                            break
                        sizes.append(len(bytes(message.payload)))
            assert sizes == [30_000] * 3


async def test_a_mutating_replay_breaks_nothing(place: Place) -> None:
    """A few hundred conversations with a few things wrong in each; a healthy pair talks on, and memory stays."""
    rng = random.Random(20261122)
    said = mqtt_raw.conversation(ATTACKER, place.reach.credential(ATTACKER).password)
    heard_before, before = len(place.broker._retained_messages), 0
    for number in range(200):
        if number == 50:
            before = psutil.Process().memory_info().rss
        async with (
            asyncio.timeout(WAIT_S),
            raw(place.reach.host, place.reach.port, mqtt_raw.mutated(said, rng)) as (reader, writer),
        ):
            with contextlib.suppress(OSError):
                writer.write_eof()
            await ended(reader)
        if number % 100 == 0:
            await works(place, 2)
    assert psutil.Process().memory_info().rss - before < 50 * MIB
    assert len(place.broker._retained_messages) - heard_before <= 2, "only its own state may have been retained"
    async with asyncio.timeout(WAIT_S):
        while place.broker._connections:
            await asyncio.sleep(0.01)
    await works(place)


async def test_the_sites_own_clients_keep_to_the_limits(place: Place) -> None:
    async with place.reach.client("agent-gw-1", will=aiomqtt.Will(f"{SITE}/edge/gw-1/$state", b"w" * 60_000, 1, True)):
        await works(place, 1)


async def test_one_session_holds_so_many_filters_and_no_more(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "MAX_SUBSCRIPTIONS", 3)
    topics = [f"{SITE}/edge/gw-{number}/$state" for number in range(6)]
    async with place.reach.client("server") as server:
        codes = await server.subscribe([(topic, 1) for topic in topics])
        assert list(codes) == [1, 1, 1, 0x80, 0x80, 0x80]
        assert list(await server.subscribe(topics[0], qos=1)) == [1], "one that is held costs nothing"
        await server.unsubscribe(topics[:2])
        assert list(await server.subscribe(topics[5], qos=1)) == [1]
        assert {*place.broker._subscriptions} == {topics[2], topics[5]}, "nothing is left of those given up"
    await works(place, 1)
    assert topics[2] not in place.broker._subscriptions
