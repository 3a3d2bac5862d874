"""What the uplink hears: orders, offers and ends, and what nobody may order or read."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from broker_config.messages import (
    ActuatorCommand,
    Envelope,
    MembersOffered,
    TransactionSettled,
    VisitEnded,
    encode,
)
from broker_config.site import ActuatorId
from broker_config.topics import topic_for
from tests.edge.uplink.rig import Agent, World, config_for, serving
from tests.support.brokers import TestBroker
from tests.support.edge import ManualClock
from tests.support.patience import eventually


async def test_commands_offers_and_ends_reach_their_handlers(world: World) -> None:
    command = ActuatorCommand(
        actuator=ActuatorId("lamp-s1"), version=(3, 4), decision=None, on=True, issued_at=datetime.now(UTC), ttl_ms=9
    )
    await world.server.send("actuator_cmd", command, actuator="lamp-s1")
    await world.server.send("edge_members", MembersOffered(version=8), agent="gw-1")
    await world.server.send("visit_ended", VisitEnded(visits=("ab",), cause="left"))
    sold = TransactionSettled(transaction="cd", epcs=("3034257b",), settled_at=datetime.now(UTC))
    await world.server.send("txn_settled", sold)
    await eventually(lambda: len(world.agent.calls) == 4)
    assert world.agent.calls == [("lamp-s1", (3, 4)), 8, ("ab",), ("3034257b",)]


async def test_orders_that_the_server_has_not_signed_move_nothing_and_raise_the_alarm(world: World) -> None:
    order = ActuatorCommand(
        actuator=ActuatorId("lamp-s1"), version=(3, 4), decision=None, on=True, issued_at=datetime.now(UTC), ttl_ms=9
    )
    envelope = Envelope(specversion="1.0", id="s", source="s", type=order.type_name, time=datetime.now(UTC), data=order)
    topic, say = topic_for("actuator_cmd", "demo", actuator="lamp-s1"), world.server.client.publish
    offer_topic, good = topic_for("edge_members", "demo", agent="gw-1"), world.server.sign(topic, encode(envelope))
    await say(topic, encode(envelope), qos=1)  # unsigned
    await say(topic, good.replace(b'"on":true', b'"on":false'), qos=1)  # altered
    await say(topic, good[:-1] + b',"data":{"on":false}}', qos=1)  # with something behind the signature
    await say(offer_topic, good, qos=1)  # on another topic than it was signed for
    await eventually(lambda: world.agent.health.tally.forged_orders == 4)
    assert world.agent.calls == []
    assert [device.id for device in world.agent.health.devices if device.alarm] == ["orders.signed"]
    await say(topic, good, qos=1)
    await eventually(lambda: world.agent.calls == [("lamp-s1", (3, 4))])


async def test_an_order_that_a_broker_kept_moves_nothing(
    broker: TestBroker, edge_folder: Path, clock: ManualClock
) -> None:
    async with serving(broker) as server:
        order = ActuatorCommand(
            actuator=ActuatorId("lamp-s1"),
            version=(3, 4),
            decision=None,
            on=True,
            issued_at=datetime.now(UTC),
            ttl_ms=9,
        )
        envelope = Envelope(
            specversion="1.0", id="s", source="s", type=order.type_name, time=datetime.now(UTC), data=order
        )
        topic = topic_for("actuator_cmd", "demo", actuator="lamp-s1")
        await server.client.publish(topic, server.sign(topic, encode(envelope)), qos=1, retain=True)
        async with Agent(config_for(broker, edge_folder), clock).running() as agent:
            await eventually(lambda: agent.health.tally.bad_messages == 1)
            assert agent.calls == []


@pytest.mark.parametrize(
    "payload", [b"", b"{", b"\xff\xfe", b"[" * 5000, b'{"specversion":"1.0"}', b'{"id":1e999}', b"x" * 60_000]
)
async def test_a_message_nobody_can_read_is_counted_and_forgotten(world: World, payload: bytes) -> None:
    await world.server.client.publish(topic_for("edge_ack", "demo", agent="gw-1"), payload, qos=1)
    await eventually(lambda: world.agent.health.tally.bad_messages == 1)
    world.agent.happen()
    await eventually(lambda: world.agent.outbox.acked_upto == 1)


async def test_a_message_on_anothers_topic_is_counted_and_forgotten(world: World) -> None:
    data = MembersOffered(version=8)
    envelope = Envelope(specversion="1.0", id="s", source="s", type=data.type_name, time=datetime.now(UTC), data=data)
    await world.server.client.publish(topic_for("edge_ack", "demo", agent="gw-1"), encode(envelope), qos=1)
    await eventually(lambda: world.agent.health.tally.bad_messages == 1)
    assert world.agent.calls == []
