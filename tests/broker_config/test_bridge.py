"""A store's Mosquitto linked to the centre's, both real, over TLS: events go up, orders come down, nothing else crosses."""

import asyncio
import signal
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import aiomqtt
import msgspec
import pytest

from broker_config.acl import render_acl_file
from broker_config.child import child_command
from broker_config.config import Bridge
from broker_config.mosquitto.bridge import crossing, render_bridge, rights_at_centre, user_at_centre
from broker_config.mosquitto.network import Network
from broker_config.pki.expiry import utc_now
from broker_config.pki.store import LISTENER, PkiStore
from broker_config.site import Site, load_site
from broker_config.tls import BrokerTls, load_context
from broker_config.topics import TOPICS
from tests.support.brokers import DEMO_SITE, TestBroker, free_port, running_broker
from tests.support.patience import WAIT_S
from tests.support.programs import program

SITES = ("tacet/1/demo", "tacet/1/other")
AGENT_ROWS = ("edge/gw-1/$state", "zone/shoes/visit/entered", "actuator/lamp-s1/result")
ORDERS = ("actuator/lamp-s1/cmd", "edge/gw-1/ack", "display/d-door/moment/set")


@dataclass
class Centre:
    """The centre's broker and its CA."""

    port: int
    pki: PkiStore

    def tls(self, user: str) -> BrokerTls:
        certificate, key = self.pki.pair(user)
        return BrokerTls(ca=self.pki.ca, certificate=certificate, key=key)

    def client(self, user: str) -> aiomqtt.Client:
        context = load_context(self.tls(user))
        return aiomqtt.Client("127.0.0.1", self.port, identifier=user, tls_context=context, timeout=WAIT_S)


@asynccontextmanager
async def running_centre(folder: Path, sites: tuple[Site, ...], *, trusting: bool = False) -> AsyncIterator[Centre]:
    """A Mosquitto as a centre would run it: one listener, by certificate; each store has the rights we print for it.

    Args:
        trusting: each store has every right, so that the store's own rules stand alone.
    """
    mosquitto = program("mosquitto")
    folder.mkdir()
    centre = Centre(free_port(), PkiStore(folder))
    centre.pki.create("centre", utc_now())
    centre.pki.issue(LISTENER, utc_now(), 1, ("127.0.0.1",))
    for user in ("centre", *(user_at_centre(site) for site in sites)):
        centre.pki.issue(user, utc_now(), 1)
    acl = "user centre\ntopic readwrite #\n"
    for site in sites:
        everything = f"user {user_at_centre(site)}\ntopic readwrite #\n"
        acl += everything if trusting else render_acl_file(rights_at_centre(site))
    (folder / "acl").write_text(acl)
    (folder / "acl").chmod(0o600)
    pem, key = centre.pki.pair(LISTENER)
    (folder / "mosquitto.conf").write_text(
        f"user root\nallow_anonymous false\nacl_file {folder}/acl\nlistener {centre.port} 127.0.0.1\n"
        f"cafile {centre.pki.ca}\ncertfile {pem}\nkeyfile {key}\ncrlfile {centre.pki.revocations}\n"
        "require_certificate true\nuse_identity_as_username true\nuse_username_as_clientid true\nlog_dest stderr\n"
    )
    process = await asyncio.create_subprocess_exec(
        *child_command([mosquitto, "-c", str(folder / "mosquitto.conf")]), stdout=DEVNULL, stderr=PIPE
    )
    assert process.stderr is not None
    reading: asyncio.Task[bytes] | None = None
    try:
        async with asyncio.timeout(WAIT_S):
            while b" running" not in (line := await process.stderr.readline()):
                assert line, "the centre's broker did not start"
        reading = asyncio.create_task(process.stderr.read())
        yield centre
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()
        if reading is not None:
            await reading


@pytest.fixture(params=[False, True], ids=["centre-checks", "centre-trusts"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[TestBroker, Centre]]:
    """The demo store, linked to a centre that has another store, too."""
    demo = load_site(DEMO_SITE)
    other = msgspec.structs.replace(demo, id="other")
    async with running_centre(tmp_path / "centre", (demo, other), trusting=request.param) as centre:
        bridge = Bridge(host="127.0.0.1", port=centre.port, tls=centre.tls(user_at_centre(demo)))
        async with running_broker(tmp_path / "store", engine="mosquitto", bridge=bridge) as broker:
            yield broker, centre


async def linked(agent: aiomqtt.Client, centre: aiomqtt.Client) -> None:
    """Wait until the link carries messages: send one again and again until it has come."""
    async with asyncio.timeout(WAIT_S):
        while True:
            await agent.publish(f"{SITES[0]}/edge/gw-1/$description", b"hello", qos=1)
            try:
                async with asyncio.timeout(0.3):
                    await anext(centre.messages)
                    return
            except TimeoutError:
                continue


async def gathered(client: aiomqtt.Client, last: str) -> list[tuple[str, bytes, bool]]:
    """What comes before the message `last`, but for the link's own trial messages."""
    came: list[tuple[str, bytes, bool]] = []
    async with asyncio.timeout(WAIT_S):
        async for message in client.messages:
            if message.payload == last.encode():
                return came
            if message.payload != b"hello":
                came.append((str(message.topic), bytes(message.payload), message.retain))
    raise AssertionError("the connection ended")


async def test_what_agents_and_displays_tell_the_server_goes_up_and_nothing_else(
    store: tuple[TestBroker, Centre],
) -> None:
    broker, centre = store
    async with (
        centre.client("centre") as above,
        broker.client("agent-gw-1") as agent,
        broker.client("display-d-door") as display,
        broker.client("server") as inside,
    ):
        await above.subscribe("#", qos=1)
        await linked(agent, above)
        for topic in ("decision/made", "bad/gw-1", "edge/gw-1/ack", "display/d-door/base/set", "txn/settled"):
            await inside.publish(f"{SITES[0]}/{topic}", b"stays in the store", qos=1)
        for topic in AGENT_ROWS:
            await agent.publish(f"{SITES[0]}/{topic}", b"goes up", qos=1)
        await display.publish(f"{SITES[0]}/display/d-door/shown", b"goes up", qos=1)
        await agent.publish(f"{SITES[0]}/edge/gw-1/$state", b"done", qos=1, retain=True)
        came = await gathered(above, "done")
        assert {topic for topic, payload, _ in came if payload == b"goes up"} == {
            f"{SITES[0]}/{topic}" for topic in (*AGENT_ROWS, "display/d-door/shown")
        }
        assert all(payload == b"goes up" for _, payload, _ in came)
    async with centre.client("centre") as late:
        await late.subscribe(f"{SITES[0]}/edge/+/$state", qos=1)
        async with asyncio.timeout(WAIT_S):
            assert (await anext(late.messages)).payload == b"done", "state is retained at the centre, too"


async def test_orders_of_the_centre_reach_their_own_store_only(store: tuple[TestBroker, Centre]) -> None:
    broker, centre = store
    async with (
        centre.client("centre") as above,
        broker.client("agent-gw-1") as agent,
        broker.client("display-d-door") as display,
    ):
        await above.subscribe(f"{SITES[0]}/edge/gw-1/$description", qos=1)
        for client, topics in ((agent, ORDERS[:2]), (display, (ORDERS[2], "display/d-door/base/set"))):
            await client.subscribe([(f"{site}/{topic}", 1) for site in SITES for topic in topics])
        await linked(agent, above)
        for site in (SITES[1], SITES[0]):
            for topic in ORDERS:
                await above.publish(f"{site}/{topic}", site.encode(), qos=1)
        await above.publish(f"{SITES[0]}/display/d-door/base/set", b"base", qos=1, retain=True)
        await above.publish(f"{SITES[0]}/edge/gw-1/ack", b"done", qos=1)
        assert [payload for _, payload, _ in await gathered(agent, "done")] == [SITES[0].encode()] * 2
        assert [payload for _, payload, _ in await gathered(display, "base")] == [SITES[0].encode()]
    async with broker.client("display-d-door") as late:
        await late.subscribe(f"{SITES[0]}/display/d-door/base/set", qos=1)
        async with asyncio.timeout(WAIT_S):
            message = await anext(late.messages)
        assert (message.payload, message.retain) == (b"base", True), (
            "what the centre keeps for a screen, the store keeps"
        )


@pytest.mark.parametrize("store", [False], indirect=True)
async def test_a_stores_link_has_no_right_to_anothers_messages(store: tuple[TestBroker, Centre]) -> None:
    """At the centre, with the link's own certificate in a thief's hands."""
    _, centre = store
    async with centre.client("centre") as above, centre.client("bridge-other") as thief:
        await above.subscribe(f"{SITES[0]}/#", qos=1)
        for wanted in ("#", f"{SITES[0]}/#", f"{SITES[0]}/edge/gw-1/ack", "tacet/1/+/edge/gw-1/ack"):
            await thief.subscribe(wanted, qos=1)
        await thief.publish(f"{SITES[0]}/edge/gw-1/$state", b"forged", qos=1)
        await thief.publish(f"{SITES[1]}/edge/gw-1/ack", b"forged", qos=1)
        await above.publish(f"{SITES[0]}/edge/gw-1/ack", b"done", qos=1)
        assert await gathered(above, "done") == []
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await anext(thief.messages)


def test_every_row_crosses_one_way_or_not_at_all() -> None:
    rights = crossing(load_site(DEMO_SITE))
    assert not set(rights.publish) & set(rights.subscribe)
    assert {row.pattern for row in TOPICS if row.durable} <= {row.pattern for row in TOPICS if row.publisher == "agent"}
    inside = {"decision/made", "bad/+"}
    assert not {f"{SITES[0]}/{topic}" for topic in inside} & {*rights.publish, *rights.subscribe}


def test_the_link_checks_the_centres_name_and_speaks_new_tls(tmp_path: Path) -> None:
    tls = BrokerTls(ca=tmp_path / "ca.pem", certificate=tmp_path / "b.pem", key=tmp_path / "b.key")
    lines = render_bridge(Bridge(host="centre.example", tls=tls), load_site(DEMO_SITE), Path("/data"))
    assert lines[0] == "connection bridge-demo"
    for line in ("bridge_insecure false", "bridge_tls_version tlsv1.2", "bridge_attempt_unsubscribe false",
                 "try_private true", "notifications false", "address centre.example:8883"):  # fmt: skip
        assert line in lines


def test_the_links_certificate_is_warned_of_once_per_stage(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    site, pki = load_site(DEMO_SITE), PkiStore(tmp_path)
    pki.create("centre", utc_now())
    pki.issue("bridge-demo", utc_now(), 40)
    certificate, key = pki.pair("bridge-demo")
    tls = BrokerTls(ca=pki.ca, certificate=certificate, key=key)
    network = Network(bridge=(Bridge(host="centre.example", tls=tls), site))
    for days, said in ((0, 0), (20, 1), (20, 1), (38, 2), (41, 3)):
        network.look(lambda days=days: utc_now() + timedelta(days=days))
        assert len(caplog.records) == said
    assert all("have the centre's CA make another for bridge-demo" in each.getMessage() for each in caplog.records)
    certificate.unlink()
    network.look()
    assert "cannot be read" in caplog.records[-1].getMessage()
