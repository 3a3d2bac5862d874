"""Both engines, real clients: they deliver, keep for who is away, let new clients in while they run, and stop."""

import asyncio
import contextlib
import socket
from pathlib import Path

import aiomqtt
import pytest

from broker_config.config import Engine
from broker_config.errors import ConfigError
from broker_config.identity import make_credential, write_credential
from tests.support.brokers import ENGINES, TestBroker, running_broker
from tests.support.patience import WAIT_S

pytestmark = pytest.mark.parametrize("engine", ENGINES)
STATS = "tacet/1/demo/edge/gw-1/stats"
ACK = "tacet/1/demo/edge/gw-1/ack"
BASE = "tacet/1/demo/display/d-door/base/set"


async def next_from(client: aiomqtt.Client) -> aiomqtt.Message:
    async with asyncio.timeout(WAIT_S):
        return await anext(client.messages)


async def test_a_message_reaches_who_subscribed(tmp_path: Path, engine: Engine) -> None:
    async with running_broker(tmp_path, engine=engine) as broker, broker.client("server") as server:
        await server.subscribe("tacet/1/demo/edge/+/stats", qos=1)
        async with broker.client("agent-gw-1") as agent:
            await agent.publish(STATS, b"7", qos=1)
        message = await next_from(server)
        assert (str(message.topic), message.payload) == (STATS, b"7")


async def test_qos_1_waits_for_a_client_that_is_away(tmp_path: Path, engine: Engine) -> None:
    async with running_broker(tmp_path, engine=engine) as broker, broker.client("server") as server:
        async with broker.client("agent-gw-1", clean_session=False) as agent:
            await agent.subscribe(ACK, qos=1)
        for number in range(20):
            await server.publish(ACK, str(number), qos=1)
        async with broker.client("agent-gw-1", clean_session=False) as agent:
            assert [(await next_from(agent)).payload for _ in range(20)] == [
                str(number).encode() for number in range(20)
            ]


async def test_a_display_that_starts_late_gets_its_retained_base_content(tmp_path: Path, engine: Engine) -> None:
    async with running_broker(tmp_path, engine=engine) as broker, broker.client("server") as server:
        await server.publish(BASE, b"old", qos=1, retain=True)
        await server.publish(BASE, b"new", qos=1, retain=True)
        async with broker.client("display-d-door") as display:
            await display.subscribe(BASE, qos=1)
            message = await next_from(display)
            assert (message.payload, message.retain) == (b"new", True)


async def test_a_persistent_client_gets_what_was_retained_while_it_was_away(tmp_path: Path, engine: Engine) -> None:
    async with running_broker(tmp_path, engine=engine) as broker, broker.client("server") as server:
        async with broker.client("display-d-door", clean_session=False) as display:
            await display.subscribe(BASE, qos=1)
        await server.publish(BASE, b"new", qos=1, retain=True)
        async with broker.client("display-d-door", clean_session=False) as display:
            assert (await next_from(display)).payload == b"new"


@pytest.mark.parametrize("clean", [True, False])
async def test_the_second_connection_of_a_client_takes_over_from_the_first(
    tmp_path: Path, engine: Engine, clean: bool
) -> None:
    async with running_broker(tmp_path, engine=engine) as broker, broker.client("server") as server:
        with pytest.raises(aiomqtt.MqttError):  # noqa: PT012  the first ends wherever it stands
            async with broker.client("agent-gw-1", clean_session=clean) as first:
                await first.subscribe(ACK, qos=1)
                async with broker.client("agent-gw-1", clean_session=clean) as second:
                    await second.subscribe(ACK, qos=1)
                    await server.publish(ACK, b"for the second", qos=1)
                    assert (await next_from(second)).payload == b"for the second"
                    await next_from(first)
        async with broker.client("agent-gw-1", clean_session=True) as third:
            await third.subscribe(ACK, qos=1)
            await server.publish(ACK, b"for the third", qos=1)
            assert (await next_from(third)).payload == b"for the third"


async def test_nothing_is_lost_while_others_subscribe_and_leave(tmp_path: Path, engine: Engine) -> None:
    """amqtt walks its subscriptions with an await between the steps; a subscriber that came meanwhile broke the walk."""
    sent = 150

    async def come_and_go(broker: TestBroker, stop: asyncio.Event) -> None:
        while not stop.is_set():
            async with broker.client("display-d-door") as display:
                for topic in ("base/set", "moment/set", "moment/clear"):
                    await display.subscribe(f"tacet/1/demo/display/d-door/{topic}", qos=1)

    async with running_broker(tmp_path, engine=engine) as broker, broker.client("server") as server:
        await server.subscribe("tacet/1/demo/edge/+/stats", qos=1)
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks, broker.client("agent-gw-1") as agent:
            tasks.create_task(come_and_go(broker, stop))
            for number in range(sent):
                await agent.publish(STATS, str(number), qos=1)
            received = [int(bytes((await next_from(server)).payload)) for _ in range(sent)]
            stop.set()
        assert received == list(range(sent))


async def test_a_client_added_while_it_runs_is_let_in(tmp_path: Path, engine: Engine) -> None:
    async with running_broker(tmp_path, engine=engine) as broker, broker.client("server") as server:
        write_credential(broker.identity, make_credential("display", "d-new"))
        new = await let_in(broker, "display-d-new")
        async with new as display:
            await display.subscribe("tacet/1/demo/display/d-new/moment/set", qos=1)
            await server.publish("tacet/1/demo/display/d-new/moment/set", b"hello", qos=1)
            assert (await next_from(display)).payload == b"hello"


async def test_a_client_whose_credential_is_removed_is_shut_out(tmp_path: Path, engine: Engine) -> None:
    async with running_broker(tmp_path, engine=engine) as broker:
        credential = broker.credential("agent-gw-1")
        write_credential(broker.identity, make_credential("client", "watch"))
        await let_in(broker, "client-watch")
        (broker.identity / "client-watch.toml").unlink()
        async with asyncio.timeout(WAIT_S):
            while await is_let_in(broker, "client-watch", "not looked at"):
                await asyncio.sleep(0.05)
        assert await is_let_in(broker, "agent-gw-1", credential.password)


async def let_in(broker: TestBroker, user: str) -> aiomqtt.Client:
    """A client for `user`, once the broker has noticed its credential."""
    password = broker.credential(user).password
    async with asyncio.timeout(WAIT_S):
        while not await is_let_in(broker, user, password):
            await asyncio.sleep(0.05)
    return broker.client(user)


async def is_let_in(broker: TestBroker, user: str, password: str) -> bool:
    try:
        async with broker.client(user, password=password):
            return True
    except aiomqtt.MqttError:
        return False


def has_ipv6() -> bool:
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
async def test_it_listens_on_ipv6_loopback_too(tmp_path: Path, engine: Engine) -> None:
    async with running_broker(tmp_path, engine=engine, host="::1") as broker, broker.client("server") as server:
        await server.publish(BASE, b"", qos=1)


async def test_it_starts_again_on_its_port_with_the_same_clients(tmp_path: Path, engine: Engine) -> None:
    async with running_broker(tmp_path, engine=engine) as broker:
        first = broker.credential("server").password
    async with running_broker(tmp_path, engine=engine, port=broker.port) as again:
        assert again.credential("server").password == first


async def test_a_port_in_use_is_one_line_that_says_what_to_do(tmp_path: Path, engine: Engine) -> None:
    async with running_broker(tmp_path / "one", engine=engine) as broker:
        with pytest.raises(ConfigError, match=f"port {broker.port} on 127.0.0.1 is in use.*another port"):
            async with running_broker(tmp_path / "two", engine=engine, port=broker.port):
                pass


async def test_it_stops_with_clients_connected_and_half_connected(tmp_path: Path, engine: Engine) -> None:
    async with asyncio.timeout(WAIT_S), contextlib.AsyncExitStack() as clients:
        async with running_broker(tmp_path, engine=engine) as broker:
            reader, half_open = await asyncio.open_connection(broker.host, broker.port)
            clients.callback(half_open.close)
            agent = await clients.enter_async_context(broker.client("agent-gw-1"))
        assert await reader.read() == b"", "the broker closed it"
        with pytest.raises(aiomqtt.MqttError):
            await anext(agent.messages)
