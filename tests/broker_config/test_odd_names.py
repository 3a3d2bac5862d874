"""Names that a broker might take for something else, from a client with a sound credential of its own: none gets it anything.

Each is tried as client id, user name, topic, filter and will, on every engine, by raw packets.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import aiomqtt
import pytest

from broker_config.config import Engine
from broker_config.identity import make_credential, write_credential
from tests.support.brokers import ENGINES, TestBroker, running_broker
from tests.support.mqtt_raw import ACCEPTED, ODD, connect, publish, raw, subscribe
from tests.support.patience import WAIT_S

SITE = "tacet/1/demo"
ATTACKER, VICTIM = "agent-gw-2", "agent-gw-1"
EVERYTHING = (
    "edge/+/$state",
    "edge/+/$description",
    "edge/+/stats",
    "edge/+/dropped",
    "zone/+/visit/entered",
    "display/+/shown",
)
ANSWER_S = 0.15


@dataclass
class Store:
    """A broker with its honest clients connected; what reaches them from the attacker is a success of the attack."""

    broker: TestBroker
    server: aiomqtt.Client
    victim: aiomqtt.Client
    leaked: list[bytes] = field(default_factory=list)

    async def try_it(self, opening: bytes, *then: bytes) -> None:
        """Send these packets, hear the answers, and note whatever message of others came with them."""
        async with raw(self.broker.host, self.broker.port, opening) as (reader, writer):
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(ANSWER_S):
                    answer = await reader.read(4)
                    if answer == ACCEPTED:
                        writer.write(b"".join(then))
                        await self.server.publish(f"{SITE}/edge/gw-1/ack", b"SECRET", qos=1)
                    self.leaked.append(await reader.read(65_536))

    async def successes(self) -> list[object]:
        """What the attacks achieved: messages leaked to the attacker, or taken by the server as another's; a lost session."""
        found: list[object] = [said for said in self.leaked if b"SECRET" in said or b"retained" in said]
        await self.victim.publish(f"{SITE}/edge/gw-1/$description", b"done", qos=1)
        async with asyncio.timeout(WAIT_S):
            async for message in self.server.messages:
                if message.payload == b"done":
                    break
                found.append((str(message.topic), message.payload))
            await self.server.publish(f"{SITE}/edge/gw-1/ack", b"last", qos=1)
            async for message in self.victim.messages:
                if message.payload == b"last":
                    return found
        raise AssertionError("the victim's session was lost")


@pytest.fixture(params=ENGINES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    engine: Engine = request.param
    write_credential(tmp_path / "identity", make_credential("agent", "gw-2"))
    async with (
        running_broker(tmp_path, engine=engine) as broker,
        broker.client("server") as server,
        broker.client(VICTIM, clean_session=False) as victim,
    ):
        await server.publish(f"{SITE}/display/d-door/base/set", b"retained", qos=1, retain=True)
        await server.subscribe([(f"{SITE}/{topic}", 1) for topic in EVERYTHING])
        await victim.subscribe(f"{SITE}/edge/gw-1/ack", qos=1)
        yield Store(broker, server, victim)


async def test_odd_client_ids_and_user_names_open_nothing(store: Store) -> None:
    password = store.broker.credential(ATTACKER).password
    steps = (subscribe(f"{SITE}/edge/gw-1/ack", "#"), publish(f"{SITE}/edge/gw-1/$state", b"forged"))
    for odd in ODD:
        await store.try_it(connect(ATTACKER, password, client_id=odd), *steps)
        await store.try_it(connect(odd, password, client_id=ATTACKER), *steps)
        await store.try_it(connect(odd, password), *steps)
    assert await store.successes() == []


async def test_odd_topics_and_filters_bring_nothing(store: Store) -> None:
    hello = connect(ATTACKER, store.broker.credential(ATTACKER).password)
    for odd in ODD:
        for wide in (
            odd,
            f"{SITE}/{odd}",
            f"{SITE}/edge/{odd}",
            f"{SITE}/edge/{odd}/ack",
            f"{SITE}/display/{odd}/base/set",
        ):
            if len(wide) > 65_000:
                continue
            await store.try_it(
                hello, subscribe(wide), publish(wide, b"forged"), publish(f"{wide}/$state", b"forged", retain=True)
            )
    assert await store.successes() == []


async def test_odd_wills_are_never_sent(store: Store) -> None:
    password = store.broker.credential(ATTACKER).password
    for odd in (*ODD, f"{SITE}/edge/gw-1/$state", f"{SITE}/edge/+/$state", f"{SITE}/zone/shoes/visit/entered"):
        for topic in (odd, f"{SITE}/edge/{odd}/$state"):
            if len(topic) < 65_000:
                await store.try_it(connect(ATTACKER, password, will=(topic, b"forged")))
    await asyncio.sleep(ANSWER_S)
    assert await store.successes() == []
