"""Row 31: the gateway's certificate has expired, is not valid yet, was revoked, or is another CA's; then it is renewed.

The uplink and the outbox are the agent's own, the broker is a real Mosquitto that reads the list of the revoked; the server's
place is taken by one that notes and acknowledges.  Mosquitto 2.0.11 itself ended with signal 11 in one of some fifty trials; one in
which it does is said (`broker_crashes`) and made again: the store has a unit that starts it anew, which row 13 is about.
"""

import asyncio
import random
import time
from collections import deque
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from pathlib import Path

import aiomqtt

from broker_config.identity import make_credential, write_credential
from broker_config.messages import EdgeState
from broker_config.pki.expiry import utc_now
from broker_config.tls import load_context
from edge.config import BrokerAddress, EdgeConfig, load_config
from tests.edge.uplink.rig import Agent, FakeServer, serving
from tests.faults.report import Outcome
from tests.faults.row import Profile, Row
from tests.support.brokers import BrokerDiedError, TestBroker, network_door, running_broker
from tests.support.certificates import DAY, FAULTS
from tests.support.edge import DEMO, ManualClock
from tests.support.patience import eventually

USER, TOPIC = "agent-gw-1", "tacet/1/demo/zone/door/item/arrived"
BEFORE, MEANWHILE = 20, 200
RECOVERY_S = 10.0
MOST_CRASHES = 2
WITHIN_S = 30.0


async def renewed(profile: Profile) -> list[Outcome]:
    """One broker for all; each seed another fault, and another moment of the retries at which the renewal comes."""
    outcomes, seeds, door, crashes = list[Outcome](), deque(profile.seeds(4, 40)), network_door(), 0
    while seeds:
        try:
            async with running_broker(profile.folder / "broker", engine="mosquitto", tls=door) as broker:
                while seeds:
                    broker.pki.issue(USER, utc_now(), 365)
                    outcomes.append(await _one(broker, profile.folder / f"edge-{seeds[0]}-{crashes}", seeds[0]))
                    seeds.popleft()
        except BrokerDiedError:
            crashes += 1
            if crashes > MOST_CRASHES:
                raise
    outcomes[0].extra["broker_crashes"] = crashes
    return outcomes


async def _one(broker: TestBroker, folder: Path, seed: int) -> Outcome:
    fault = list(FAULTS)[seed % len(FAULTS)]
    outcome = Outcome(seed, generated=BEFORE + MEANWHILE)
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(serving(broker))
        agent = await stack.enter_async_context(Agent(_config(broker, folder), ManualClock()).running())
        agent.happen(BEFORE)
        await eventually(lambda: agent.outbox.acked_upto == BEFORE, WITHIN_S)
        broker.pki.issue(USER, utc_now() - 364 * DAY, 365)
        await eventually(lambda: _warned(server), WITHIN_S)  # while it still can be said
        FAULTS[fault](broker.pki, USER)
        await eventually(lambda: not agent.uplink.delivery.connected, WITHIN_S)
        agent.happen(MEANWHILE)
        await asyncio.sleep(random.Random(seed).uniform(0.5, 6.0))
        outcome.expect(agent.outbox.acked_upto == BEFORE, f"{fault}: a refused agent was heard")
        broker.pki.issue(USER, utc_now(), 365)
        began_s = time.monotonic()
        await eventually(lambda: agent.uplink.delivery.connected, WITHIN_S)
        outcome.recovery_s = time.monotonic() - began_s
        outcome.expect(outcome.recovery_s <= RECOVERY_S, f"{fault}: {outcome.recovery_s:.1f} s to recover")
        with suppress(TimeoutError):
            await eventually(lambda: agent.outbox.acked_upto == BEFORE + MEANWHILE, WITHIN_S)
        stored = {envelope.id for _, envelope, _ in server.heard if envelope.seq is not None}
        outcome.stored_once = len(stored)
        outcome.in_outbox = BEFORE + MEANWHILE - agent.outbox.acked_upto
    return outcome


def _config(broker: TestBroker, folder: Path) -> EdgeConfig:
    assert broker.tls is not None
    folder.mkdir()
    write_credential(folder / "identity", make_credential("agent", "gw-1"))
    (folder / "site.toml").write_text((DEMO / "site.toml").read_text())
    text = (DEMO / "edge.toml").read_text().replace("$broker_port", "1").replace("$server_port", "2")
    (folder / "edge.toml").write_text(text)
    address = BrokerAddress("127.0.0.1", broker.tls.port, broker.files(USER))
    return replace(load_config(folder / "edge.toml"), broker=address, credential=broker.credential(USER))


def _warned(server: FakeServer) -> bool:
    states = [data for data in server.of(EdgeState) if isinstance(data, EdgeState)]
    return any(device.kind == "certificate" for device in states[-1].devices) if states else False


async def raw_client(profile: Profile) -> list[Outcome]:
    """A publisher with QoS 1 and the same certificates; what happens while it is refused it has nowhere to keep."""
    outcome = Outcome(profile.seed, generated=BEFORE + MEANWHILE)
    async with (
        running_broker(profile.folder / "raw", engine="mosquitto", tls=network_door()) as broker,
        broker.client("server") as server,
    ):
        await server.subscribe(TOPIC, qos=1)
        async with broker.client(USER) as client:
            for number in range(BEFORE):
                await client.publish(TOPIC, str(number), qos=1)
        FAULTS["expired"](broker.pki, USER)
        for number in range(BEFORE, BEFORE + MEANWHILE):
            with suppress(aiomqtt.MqttError):
                async with broker.client(USER, tls_context=load_context(broker.files(USER)), timeout=1) as client:
                    await client.publish(TOPIC, str(number), qos=1)
        broker.pki.issue(USER, utc_now(), 365)
        async with broker.client(USER) as client:
            await client.publish(TOPIC, b"last", qos=1)
        async with asyncio.timeout(WITHIN_S):
            async for message in server.messages:
                if message.payload == b"last":
                    break
                outcome.stored_once += 1
    return [outcome]


ROWS = (
    Row(
        (31,), "certificate expired, early, revoked, foreign", renewed, raw_client, "raw MQTT QoS 1", takes_s=(35, 350)
    ),
)
