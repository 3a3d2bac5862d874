"""From the attacker's side, with real clients, on both engines: what must not work, does not."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import aiomqtt
import pytest

from broker_config.config import Engine
from broker_config.identity import make_credential, write_credential
from tests.support.brokers import ENGINES, TestBroker, network_door, running_broker
from tests.support.patience import WAIT_S

SITE = "tacet/1/demo"
EVERYTHING = (
    "edge/+/$state", "edge/+/$description", "edge/+/stats", "zone/+/visit/entered", "zone/+/item/arrived", "shelf/+/event/pick",
    "display/+/$state", "display/+/shown", "actuator/+/result",
)  # fmt: skip
"""Some of what the server may hear; the attackers' messages would arrive on one of these."""


TLS = "mosquitto-tls"
BY_PASSWORD = pytest.mark.parametrize("broker", ENGINES, indirect=True)
"""By certificate, user name and password say nothing: `test_tls_attacks.py`."""


@pytest.fixture(params=(*ENGINES, TLS))
async def broker(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[TestBroker]:
    """Each engine in turn; besides the site's own clients there is an agent `gw-2` that owns nothing, and a plain client."""
    engine: Engine = "mosquitto" if request.param == TLS else request.param
    for party, own_id in (("agent", "gw-2"), ("client", "watch")):
        write_credential(tmp_path / "identity", make_credential(party, own_id))  # type: ignore[arg-type]
    door = network_door() if request.param == TLS else None
    async with running_broker(tmp_path, engine=engine, tls=door) as running:
        yield running


async def heard(client: aiomqtt.Client, last: str) -> list[tuple[str, bytes]]:
    """What reaches `client` before the message on topic `last`, which is sent when everything else has been."""
    came: list[tuple[str, bytes]] = []
    async with asyncio.timeout(WAIT_S):
        async for message in client.messages:
            if str(message.topic) == last:
                return came
            came.append((str(message.topic), bytes(message.payload)))
    raise AssertionError("the connection ended")


async def attempt(client: aiomqtt.Client, topic: str, **options: object) -> None:
    """Publish; an engine may also close the connection in answer."""
    try:
        await client.publish(topic, b"forged", qos=1, timeout=5, **options)  # type: ignore[arg-type]
    except aiomqtt.MqttError:
        return


async def refused(broker: TestBroker, user: str, **options: object) -> None:
    """The broker must answer no to this CONNECT."""
    with pytest.raises(aiomqtt.MqttError):
        async with broker.client(user, **options):
            pass


@BY_PASSWORD
async def test_strangers_and_wrong_passwords_are_refused(broker: TestBroker) -> None:
    await refused(broker, "server", username=None, password=None)
    await refused(broker, "server", password="")
    await refused(broker, "server", password=broker.credential("agent-gw-1").password)
    await refused(broker, "admin", password="admin")
    await refused(broker, "mosquitto", password="mosquitto")


@pytest.mark.parametrize(
    ("user", "topic"),
    [
        ("agent-gw-2", "edge/gw-1/$state"),
        ("agent-gw-2", "edge/gw-1/stats"),
        ("agent-gw-2", "zone/shoes/visit/entered"),
        ("agent-gw-2", "shelf/s1/event/pick"),
        ("agent-gw-1", "display/d-door/shown"),
        ("agent-gw-1", "display/d-door/moment/set"),
        ("agent-gw-1", "zone//visit/entered"),
        ("display-d-door", "display/d-shoes/shown"),
        ("display-d-door", "display/d-door/moment/set"),
        ("display-d-door", "actuator/lamp-s1/result"),
        ("client-watch", "edge/gw-1/$state"),
    ],
)
async def test_nobody_speaks_on_anothers_topic(broker: TestBroker, user: str, topic: str) -> None:
    async with broker.client("server") as server, broker.client("agent-gw-1") as honest:
        for wanted in EVERYTHING:
            await server.subscribe(f"{SITE}/{wanted}", qos=1)
        if user == "agent-gw-1":
            await attempt(honest, f"{SITE}/{topic}", retain=True)
        else:
            async with broker.client(user) as attacker:
                await attempt(attacker, f"{SITE}/{topic}", retain=True)
        await honest.publish(f"{SITE}/edge/gw-1/$description", b"done", qos=1)
        assert await heard(server, f"{SITE}/edge/gw-1/$description") == []


@pytest.mark.parametrize("user", ["client-watch", "display-d-door", "agent-gw-2", "agent-gw-1"])
async def test_nobody_but_the_server_commands_an_actuator(broker: TestBroker, user: str) -> None:
    agent_is_attacker = user == "agent-gw-1"
    async with broker.client("agent-gw-1") as agent, broker.client("server") as server:
        await agent.subscribe(f"{SITE}/actuator/lamp-s1/cmd", qos=1)
        await agent.subscribe(f"{SITE}/edge/gw-1/ack", qos=1)
        if agent_is_attacker:
            await attempt(agent, f"{SITE}/actuator/lamp-s1/cmd")
        else:
            async with broker.client(user) as attacker:
                await attempt(attacker, f"{SITE}/actuator/lamp-s1/cmd")
        await server.publish(f"{SITE}/edge/gw-1/ack", b"done", qos=1)
        assert await heard(agent, f"{SITE}/edge/gw-1/ack") == []


GREEDY = (
    "#", "+/#", "tacet/#", f"{SITE}/#", f"{SITE}/display/#", f"{SITE}/display/+/moment/set", f"{SITE}/display/d-shoes/#",
    f"{SITE}/display/d-shoes/moment/set", f"{SITE}/+/d-shoes/moment/set", f"{SITE}/zone/#", f"{SITE}/edge/+/ack", "$SYS/#", "$share/g/#",
)  # fmt: skip


@pytest.mark.parametrize("user", ["display-d-door", "client-watch", "agent-gw-2"])
async def test_no_filter_however_wide_brings_anothers_messages(broker: TestBroker, user: str) -> None:
    own = {
        "display-d-door": "display/d-door/moment/clear",
        "client-watch": "decision/made",
        "agent-gw-2": "edge/gw-2/ack",
    }[user]
    async with broker.client("server") as server, broker.client(user) as greedy:
        await server.publish(f"{SITE}/display/d-shoes/base/set", b"retained before", qos=1, retain=True)
        for wanted in GREEDY:
            try:
                await greedy.subscribe(wanted, qos=1, timeout=5)
            except aiomqtt.MqttError:
                assert wanted.startswith("$share"), "an engine may refuse the subscription, not the connection"
        await greedy.subscribe(f"{SITE}/{own}", qos=1)
        for topic in (
            "display/d-shoes/moment/set",
            "edge/gw-1/ack",
            "display/d-shoes/moment/clear",
            "actuator/lamp-s1/cmd",
        ):
            await server.publish(f"{SITE}/{topic}", b"not for you", qos=1)
        await server.publish(f"{SITE}/display/d-shoes/base/set", b"retained after", qos=1, retain=True)
        await server.publish(f"{SITE}/{own}", b"done", qos=1)
        assert await heard(greedy, f"{SITE}/{own}") == []


async def test_an_allowed_plus_does_not_open_a_hash(broker: TestBroker) -> None:
    async with (
        broker.client("client-watch") as watch,
        broker.client("server") as server,
        broker.client("agent-gw-1") as agent,
    ):
        await watch.subscribe(f"{SITE}/bad/#", qos=1)
        await watch.subscribe(f"{SITE}/bad/+", qos=1)
        await attempt(server, f"{SITE}/bad/gw-1/deeper")
        await attempt(agent, f"{SITE}/bad/gw-1/deeper")
        await server.publish(f"{SITE}/bad/gw-1", b"done", qos=1)
        assert await heard(watch, f"{SITE}/bad/gw-1") == []


async def test_retained_messages_go_to_nobody_who_did_not_subscribe(broker: TestBroker) -> None:
    async with broker.client("server") as server, broker.client("display-d-shoes") as other:
        await server.publish(f"{SITE}/display/d-shoes/base/set", b"retained", qos=1, retain=True)
        await other.subscribe(f"{SITE}/display/d-shoes/base/set", qos=1)
        await heard(other, f"{SITE}/display/d-shoes/base/set")
        async with broker.client("display-d-door") as silent:
            await silent.subscribe(f"{SITE}/display/d-door/moment/clear", qos=1)
            await server.publish(f"{SITE}/display/d-door/moment/clear", b"done", qos=1)
            assert await heard(silent, f"{SITE}/display/d-door/moment/clear") == []


async def drop(client: aiomqtt.Client) -> None:
    """Cut the connection without a DISCONNECT, so that the broker sends the will."""
    sock = client._client.socket()
    assert sock is not None
    sock.shutdown(socket.SHUT_RDWR)


async def test_a_will_outside_the_senders_rights_is_never_sent(broker: TestBroker) -> None:
    async with broker.client("server") as server, broker.client("agent-gw-1") as honest:
        for wanted in EVERYTHING:
            await server.subscribe(f"{SITE}/{wanted}", qos=1)
        for topic in ("edge/gw-1/$state", "zone/shoes/visit/entered", "edge/+/$state", "edge/#"):
            try:
                will = aiomqtt.Will(f"{SITE}/{topic}", b"forged", 1, True)
                async with broker.client("agent-gw-2", will=will, timeout=1) as attacker:
                    await drop(attacker)
            except aiomqtt.MqttError:
                pass
        await honest.publish(f"{SITE}/edge/gw-1/$description", b"done", qos=1)
        assert await heard(server, f"{SITE}/edge/gw-1/$description") == []


async def test_an_honest_will_is_sent_and_retained(broker: TestBroker) -> None:
    topic = f"{SITE}/edge/gw-2/$state"
    async with broker.client("server") as server:
        await server.subscribe(f"{SITE}/edge/+/$state", qos=1)
        try:
            async with broker.client("agent-gw-2", will=aiomqtt.Will(topic, b"lost", 1, True)) as agent:
                await drop(agent)
        except aiomqtt.MqttError:
            pass
        await heard(server, topic)
    async with broker.client("server") as late:
        await late.subscribe(f"{SITE}/edge/+/$state", qos=1)
        await heard(late, topic)


@BY_PASSWORD
async def test_nobody_takes_over_anothers_session(broker: TestBroker) -> None:
    """Neither a stranger with the victim's client id, nor another client of the site, disturbs the victim's session."""
    topic = f"{SITE}/edge/gw-1/ack"
    async with broker.client("agent-gw-1", clean_session=False) as victim, broker.client("server") as server:
        await victim.subscribe(topic, qos=1)
        await refused(broker, "agent-gw-1", password="wrong")
        await refused(broker, "agent-gw-1", password="wrong", clean_session=False)
        for clean in (True, False):
            try:
                async with broker.client("agent-gw-2", identifier="agent-gw-1", clean_session=clean) as attacker:
                    await attempt(attacker, f"{SITE}/edge/gw-1/$state")
            except aiomqtt.MqttError:
                pass
        await server.publish(topic, b"for the victim", qos=1)
        await heard(victim, topic)


async def test_a_message_larger_than_any_of_ours_ends_the_connection(broker: TestBroker) -> None:
    topic = f"{SITE}/edge/gw-2/stats"
    async with broker.client("server") as server:
        await server.subscribe(f"{SITE}/edge/+/stats", qos=1)
        with pytest.raises(aiomqtt.MqttError):  # noqa: PT012  either step may find the connection gone
            async with broker.client("agent-gw-2") as attacker:
                await attacker.publish(topic, b"x" * 1_000_000, qos=1, timeout=1)
                await attacker.publish(topic, b"after", qos=1, timeout=1)
        async with broker.client("agent-gw-2") as again:
            await again.publish(topic, b"small", qos=1)
        async with asyncio.timeout(WAIT_S):
            assert (await anext(server.messages)).payload == b"small"
