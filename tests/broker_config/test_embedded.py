"""What amqtt 0.12.1 does wrong, and the embedded broker does not.  Raw packets where a client library would not send them."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiomqtt
import pytest

from broker_config.access import Access
from broker_config.embedded import broker as embedded
from broker_config.embedded.broker import EmbeddedBroker
from broker_config.identity import make_credential, write_credential
from tests.support.brokers import DEMO_SITE, TestBroker, free_port
from tests.support.patience import WAIT_S

SITE = "tacet/1/demo"
ACK = f"{SITE}/edge/gw-1/ack"
STATE = f"{SITE}/edge/gw-1/$state"
STATS = f"{SITE}/edge/gw-1/stats"
CONNACK_OK = b"\x20\x02\x00\x00"
CONNACK_NOT_AUTHORISED = b"\x20\x02\x00\x05"


@asynccontextmanager
async def started(tmp_path: Path) -> AsyncIterator[tuple[EmbeddedBroker, TestBroker]]:
    """The broker object itself, and what clients need to reach it."""
    access = Access(DEMO_SITE, tmp_path / "identity")
    reach = TestBroker("127.0.0.1", free_port(), tmp_path / "identity", DEMO_SITE, "amqtt")
    broker = EmbeddedBroker(reach.host, reach.port, access)
    await broker.start()
    try:
        yield broker, reach
    finally:
        await broker.shutdown()


def field(text: str) -> bytes:
    return struct.pack("!H", len(text)) + text.encode()


def packet(first_byte: int, body: bytes) -> bytes:
    assert len(body) < 128 * 128
    length = bytes([len(body)]) if len(body) < 128 else bytes([len(body) % 128 | 0x80, len(body) // 128])
    return bytes([first_byte]) + length + body


def connect_packet(user: str, password: str, keep_alive_s: int = 60) -> bytes:
    """CONNECT with a retained QoS 1 will."""
    flags = 0b1110_1110
    head = field("MQTT") + bytes([4, flags]) + struct.pack("!H", keep_alive_s)
    return packet(0x10, head + field(user) + field(STATE) + field("lost") + field(user) + field(password))


def hello(reach: TestBroker, keep_alive_s: int = 60) -> bytes:
    """A CONNECT of the agent's that will be accepted."""
    return connect_packet("agent-gw-1", reach.credential("agent-gw-1").password, keep_alive_s)


@asynccontextmanager
async def connection(
    reach: TestBroker, opening: bytes
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A TCP connection on which `opening` was sent; what waits in the block waits at most WAIT_S."""
    reader, writer = await asyncio.open_connection(reach.host, reach.port)
    try:
        async with asyncio.timeout(WAIT_S):
            writer.write(opening)
            yield reader, writer
    finally:
        writer.close()


def code(answer: object) -> int:
    """A SUBACK's return code, which aiomqtt gives as a number or as a reason code."""
    return answer if isinstance(answer, int) else answer.value  # type: ignore[attr-defined]


async def next_from(client: aiomqtt.Client) -> bytes:
    async with asyncio.timeout(WAIT_S):
        return bytes((await anext(client.messages)).payload)


@pytest.mark.parametrize("wanted", ["bad/#", "display/+/moment/set", "#", "edge/+/ack", "$SYS/#"])
async def test_a_filter_wider_than_the_allowed_one_is_answered_no(tmp_path: Path, wanted: str) -> None:
    async with started(tmp_path) as (_, reach), reach.client("display-d-door") as display:
        (refused,) = await display.subscribe(wanted if wanted.startswith("$") else f"{SITE}/{wanted}", qos=1)
        (granted,) = await display.subscribe(f"{SITE}/display/d-door/moment/set", qos=1)
        assert (code(refused), code(granted)) == (0x80, 1)


async def test_amqtts_own_hash_for_plus_is_answered_no(tmp_path: Path) -> None:
    write_credential(tmp_path / "identity", make_credential("client", "watch"))
    async with started(tmp_path) as (_, reach), reach.client("client-watch") as watch:
        (refused,) = await watch.subscribe(f"{SITE}/bad/#", qos=1)
        (granted,) = await watch.subscribe(f"{SITE}/bad/+", qos=1)
        assert (code(refused), code(granted)) == (0x80, 1)


async def test_a_filter_that_comes_while_a_message_is_handed_out_costs_nobody_the_message(tmp_path: Path) -> None:
    """Two filters match, so the walk goes on after the first; meanwhile a third filter comes."""
    async with (
        started(tmp_path) as (broker, reach),
        reach.client("server") as server,
        reach.client("agent-gw-1") as agent,
    ):
        await server.subscribe(f"{SITE}/edge/+/stats", qos=1)
        await server.subscribe(STATS, qos=1)
        ask = broker._topic_filtering

        async def ask_while_another_subscribes(*args: object, **options: object) -> bool:
            broker._subscriptions.setdefault(f"new/{len(broker._subscriptions)}", [])
            return bool(await ask(*args, **options))

        broker._topic_filtering = ask_while_another_subscribes
        await agent.publish(STATS, b"once for each filter", qos=1)
        assert [await next_from(server) for _ in range(2)] == [b"once for each filter"] * 2


async def test_a_returning_client_leaves_the_will_of_its_new_connection(tmp_path: Path) -> None:
    async with started(tmp_path) as (_, reach), reach.client("server") as server:
        await server.subscribe(f"{SITE}/edge/+/$state", qos=1)
        for payload in (b"first", b"second"):
            will = aiomqtt.Will(STATE, payload, 1, retain=True)
            with contextlib.suppress(aiomqtt.MqttError):
                async with reach.client("agent-gw-1", clean_session=False, will=will) as agent:
                    agent._client.socket().shutdown(2)  # type: ignore[union-attr]
            assert await next_from(server) == payload


async def test_a_session_just_ended_as_clean_is_not_resumed_as_persistent(tmp_path: Path) -> None:
    async with started(tmp_path) as (_, reach), reach.client("server") as server:
        async with reach.client("agent-gw-1", clean_session=True) as agent:
            await agent.subscribe(f"{SITE}/actuator/lamp-s1/cmd", qos=1)
        async with reach.client("agent-gw-1", clean_session=False) as agent:
            await agent.subscribe(ACK, qos=1)
        await server.publish(f"{SITE}/actuator/lamp-s1/cmd", b"no longer wanted", qos=1)
        await server.publish(ACK, b"kept", qos=1)
        async with reach.client("agent-gw-1", clean_session=False) as agent:
            assert await next_from(agent) == b"kept"


async def test_a_client_that_publishes_under_sys_is_closed_and_its_will_sent(tmp_path: Path) -> None:
    async with started(tmp_path) as (_, reach), reach.client("server") as server:
        await server.subscribe(f"{SITE}/edge/+/$state", qos=1)
        async with connection(reach, hello(reach)) as (reader, writer):
            assert await reader.readexactly(4) == CONNACK_OK
            writer.write(packet(0x30, field("$SYS/x") + b"x"))
            assert await reader.read() == b""
        assert await next_from(server) == b"lost"


async def test_a_silent_client_is_given_up_and_its_will_sent(tmp_path: Path) -> None:
    async with started(tmp_path) as (_, reach), reach.client("server") as server:
        await server.subscribe(f"{SITE}/edge/+/$state", qos=1)
        async with connection(reach, hello(reach, keep_alive_s=1)) as (reader, _):
            assert await reader.readexactly(4) == CONNACK_OK
            assert await next_from(server) == b"lost"


async def test_a_wrong_password_is_answered_and_closed(tmp_path: Path) -> None:
    async with started(tmp_path) as (_, reach), connection(reach, connect_packet("agent-gw-1", "wrong")) as (reader, _):
        assert await reader.read() == CONNACK_NOT_AUTHORISED


async def test_whoever_does_not_say_who_it_is_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "CONNECT_WITHIN_S", 0.05)
    async with started(tmp_path) as (broker, reach):
        for opening in (b"", b"\x10", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 50, bytes(200), packet(0x10, field("MQTT"))):
            async with connection(reach, opening) as (reader, _):
                await read_to_end(reader)
        async with asyncio.timeout(WAIT_S):
            while broker._connections:
                await asyncio.sleep(0.01)


async def read_to_end(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(ConnectionResetError):  # closed with bytes of ours unread
        await reader.read()


async def test_the_queue_of_a_client_that_is_away_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "MAX_OFFLINE_MESSAGES", 5)
    async with started(tmp_path) as (_, reach), reach.client("server") as server:
        async with reach.client("agent-gw-1", clean_session=False) as agent:
            await agent.subscribe(ACK, qos=1)
        await server.subscribe(f"{SITE}/edge/+/stats", qos=1)
        for number in range(8):
            await server.publish(ACK, str(number), qos=1)
        async with reach.client("agent-gw-1", clean_session=False) as agent:
            kept = [await next_from(agent) for _ in range(5)]
            await server.publish(ACK, b"live", qos=1)
            assert [*kept, await next_from(agent)] == [b"0", b"1", b"2", b"3", b"4", b"live"]


async def test_nothing_is_published_under_sys(tmp_path: Path) -> None:
    async with started(tmp_path) as (broker, reach), reach.client("server"):
        assert broker._retained_messages == {}
        assert [type(plugin).__name__ for plugin in broker.plugins_manager.plugins] == ["CredentialAuth", "TopicRights"]
