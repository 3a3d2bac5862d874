"""From the attacker's side over TLS, on a real Mosquitto: who has no certificate of ours, or another's, or a lost right."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import aiomqtt
import pytest

from broker_config.identity import make_credential, write_credential
from broker_config.pki.expiry import read_certificate, utc_now
from broker_config.pki.store import LISTENER
from broker_config.provision import shut_out
from broker_config.tls import ClientTls, load_context
from tests.support.brokers import TestBroker, network_door, running_broker
from tests.support.certificates import FORGERIES, without_certificate
from tests.support.patience import WAIT_S

SITE = "tacet/1/demo"
ANSWERS_S = 2.0  # who is let in hears nothing, so this is waited in full; asked again until the answer is the one
ATTACKER, VICTIM = "agent-gw-2", "agent-gw-1"


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[TestBroker]:
    """Mosquitto with a listener for the network; besides the site's own clients there is an agent `gw-2`."""
    write_credential(tmp_path / "identity", make_credential("agent", "gw-2"))
    async with running_broker(tmp_path, engine="mosquitto", tls=network_door()) as running:
        yield running


async def refused(broker: TestBroker, user: str, **options: object) -> None:
    """The broker, or the TLS below it, must answer no."""
    with pytest.raises(aiomqtt.MqttError):
        async with broker.client(user, **options):
            pass


async def until_refused(broker: TestBroker, user: str, **options: object) -> None:
    """What was changed in the CA's folder reaches the broker within seconds."""
    async with asyncio.timeout(WAIT_S):
        while True:
            try:
                async with broker.client(user, **options):
                    await asyncio.sleep(0.05)
            except aiomqtt.MqttError:
                return


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_a_certificate_that_is_not_good_opens_nothing(broker: TestBroker, forgery: str) -> None:
    FORGERIES[forgery](broker.pki, ATTACKER)
    context = load_context(broker.files(ATTACKER))
    await until_refused(broker, ATTACKER, tls_context=context)
    await refused(
        broker, ATTACKER, tls_context=context, username="server", password=broker.credential("server").password
    )


async def test_without_a_certificate_the_right_password_opens_nothing(broker: TestBroker) -> None:
    password = broker.credential("server").password
    context = without_certificate(broker.pki)
    await refused(broker, "server", tls_context=context, username="server", password=password)
    plain = aiomqtt.Client(broker.host, broker.tls.port, username="server", password=password, timeout=2)  # type: ignore[union-attr]
    with pytest.raises(aiomqtt.MqttError):
        async with plain:
            pass


async def test_older_tls_is_refused(broker: TestBroker) -> None:
    context = load_context(broker.files(ATTACKER))
    context.set_ciphers("ALL:@SECLEVEL=0")  # else OpenSSL 3 would not even try
    with pytest.warns(DeprecationWarning, match="deprecated"):
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    await refused(broker, ATTACKER, tls_context=context)


async def test_whatever_name_a_client_gives_it_is_whom_its_certificate_names(broker: TestBroker) -> None:
    """User name, password and client id of another change nothing, and do not disturb that other."""
    topic, own = f"{SITE}/edge/gw-1/ack", f"{SITE}/edge/gw-2/ack"
    lie = {"username": "server", "password": broker.credential("server").password, "identifier": VICTIM}
    async with broker.client(VICTIM, clean_session=False) as victim, broker.client("server") as server:
        await victim.subscribe(topic, qos=1)
        await server.subscribe(f"{SITE}/edge/+/$state", qos=1)
        for clean in (True, False):
            async with broker.client(ATTACKER, clean_session=clean, **lie) as attacker:
                await attacker.subscribe([(topic, 1), (own, 1), ("#", 1)])
                await attacker.publish(f"{SITE}/edge/gw-1/$state", b"forged", qos=1)
                await server.publish(topic, b"for the victim", qos=1)
                await server.publish(own, b"done", qos=1)
                async with asyncio.timeout(WAIT_S):
                    assert (await anext(attacker.messages)).payload == b"done"
                    assert (await anext(victim.messages)).payload == b"for the victim"
        await victim.publish(f"{SITE}/edge/gw-1/$state", b"honest", qos=1)
        async with asyncio.timeout(WAIT_S):
            assert (await anext(server.messages)).payload == b"honest"


ODD_NAMES = (
    "+",
    "#",
    "/",
    "$SYS",
    "tacet/1/demo/#",
    "agent-gw-1/",
    "agent-+",
    "AGENT-GW-1",
    "agent-gw-1 ",
    "s" * 64,
    "服務",
)


@pytest.mark.parametrize("name", ODD_NAMES)
async def test_a_certificate_with_an_odd_name_has_no_rights(broker: TestBroker, name: str) -> None:
    """Our CA makes none such; should another program with its key do so, the ACL still holds."""
    pki = broker.pki
    pki.issue(ATTACKER, utc_now(), 1)
    certificate = _certificate_named(broker, name)
    async with broker.client("server") as server:
        await server.publish(f"{SITE}/display/d-door/base/set", b"retained", qos=1, retain=True)
        await server.subscribe([(f"{SITE}/edge/+/$state", 1), (f"{SITE}/display/+/shown", 1)])
        try:
            async with broker.client(ATTACKER, tls_context=certificate, timeout=2) as attacker:
                for wanted in ("#", f"{SITE}/#", f"{SITE}/display/d-door/base/set", f"{SITE}/edge/gw-1/ack", "$SYS/#"):
                    await attacker.subscribe(wanted, qos=1)
                await attacker.publish(f"{SITE}/edge/gw-1/$state", b"forged", qos=1)
                await server.publish(f"{SITE}/edge/gw-1/ack", b"not for you", qos=1)
                await attacker.publish(f"{SITE}/edge/{name[:1]}/$state", b"forged", qos=1)
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.2):
                        await anext(attacker.messages)
        except (aiomqtt.MqttError, ValueError):  # ValueError: the library itself refuses such a topic
            pass
        async with broker.client("display-d-door") as honest:
            await honest.publish(f"{SITE}/display/d-door/shown", b"honest", qos=1)
        async with asyncio.timeout(WAIT_S):
            assert (await anext(server.messages)).payload == b"honest"


def _certificate_named(broker: TestBroker, name: str) -> ssl.SSLContext:
    """A context with a certificate of our CA's for any name."""
    from broker_config.pki.certificates import make_client
    from broker_config.private_files import write_private

    made = make_client(broker.pki._authorities()[0], name, utc_now(), 1)
    certificate, key = broker.pki.pair(ATTACKER)
    write_private(key, made.key_pem)
    write_private(certificate, made.certificate_pem)
    return load_context(broker.files(ATTACKER))


async def test_who_is_shut_out_while_connected_neither_hears_nor_says_anything_more(broker: TestBroker) -> None:
    """Mosquitto leaves the connection open until it is next tried; its rights are gone at once."""
    ack, state = f"{SITE}/edge/gw-2/ack", f"{SITE}/edge/gw-2/$state"
    context = load_context(broker.files(ATTACKER))
    async with broker.client("server") as server:
        await server.subscribe([(f"{SITE}/edge/+/$state", 1), (f"{SITE}/edge/+/stats", 1)])
        try:
            async with broker.client(ATTACKER, tls_context=context, clean_session=False) as attacker:
                await attacker.subscribe(ack, qos=1)
                await server.publish(ack, b"while it may", qos=1)
                async with asyncio.timeout(WAIT_S):
                    assert (await anext(attacker.messages)).payload == b"while it may"
                shut_out(broker.identity, ATTACKER)
                broker.pki.revoke(ATTACKER, utc_now())
                await _refused_anew(broker, context)
                await attacker.publish(state, b"forged", qos=1, retain=True)
                await server.publish(ack, b"secret", qos=1)
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.5):
                        await anext(attacker.messages)
        except aiomqtt.MqttError:
            pass
        async with broker.client(VICTIM) as honest:
            await honest.publish(f"{SITE}/edge/gw-1/$state", b"honest", qos=1)
        async with asyncio.timeout(WAIT_S):
            assert (await anext(server.messages)).payload == b"honest"


async def _refused_anew(broker: TestBroker, context: ssl.SSLContext) -> None:
    """Until the broker knows of the revocation; asked with a handshake alone, which disturbs nobody."""
    assert broker.tls is not None
    async with asyncio.timeout(WAIT_S):
        while True:
            reader, writer = await asyncio.open_connection(broker.host, broker.tls.port, ssl=context)
            try:
                async with asyncio.timeout(0.3):
                    await reader.read(1)
            except TimeoutError:
                continue
            except ssl.SSLError:
                return
            finally:
                writer.transport.abort()


async def test_what_was_retained_ends_with_its_publishers_right(broker: TestBroker) -> None:
    topic = f"{SITE}/edge/gw-2/$state"
    async with broker.client(ATTACKER) as attacker:
        await attacker.publish(topic, b"retained", qos=1, retain=True)
    async with broker.client("server") as server:
        await server.subscribe(topic, qos=1)
        async with asyncio.timeout(WAIT_S):
            assert (await anext(server.messages)).payload == b"retained"
    shut_out(broker.identity, ATTACKER)
    broker.pki.revoke(ATTACKER, utc_now())
    async with asyncio.timeout(WAIT_S):
        while f"user {ATTACKER}\n" in (broker.identity.parent / "data" / "mosquitto" / "acl").read_text():
            await asyncio.sleep(0.05)
    await until_unserved(broker, topic)


async def until_unserved(broker: TestBroker, topic: str) -> None:
    """A fresh subscriber is served nothing on the topic."""
    marker = f"{SITE}/edge/gw-1/stats"
    async with asyncio.timeout(WAIT_S):
        while True:
            async with broker.client("server") as server, broker.client(VICTIM) as honest:
                await server.subscribe([(topic, 1), (marker, 1)])
                await honest.publish(marker, b"done", qos=1)
                if (await anext(server.messages)).payload == b"done":
                    return


async def test_a_renewed_broker_certificate_is_served_without_a_restart(broker: TestBroker) -> None:
    """Who is connected stays so; who comes anew is shown the new one."""
    assert broker.tls is not None
    async with broker.client(VICTIM) as connected:
        await connected.subscribe(f"{SITE}/edge/gw-1/ack", qos=1)
        broker.pki.issue(LISTENER, utc_now(), 365, broker.tls.names)
        serial = read_certificate(broker.pki.pair(LISTENER)[0]).serial_number
        async with asyncio.timeout(WAIT_S):
            while await _served_serial(broker) != serial:
                await asyncio.sleep(0.05)
        async with broker.client("server") as server:
            await server.publish(f"{SITE}/edge/gw-1/ack", b"still there", qos=1)
        async with asyncio.timeout(WAIT_S):
            assert (await anext(connected.messages)).payload == b"still there"


async def _served_serial(broker: TestBroker) -> int:
    from cryptography import x509

    assert broker.tls is not None
    context = load_context(broker.files(VICTIM))
    _, writer = await asyncio.open_connection(broker.host, broker.tls.port, ssl=context)
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.transport.abort()
    return x509.load_der_x509_certificate(shown).serial_number


async def test_a_broker_that_is_not_ours_is_told_nothing(broker: TestBroker, tmp_path: Path) -> None:
    """A client shows neither user name nor password to who has no certificate for that name by our CA."""
    assert broker.tls is not None
    port, ca, listener = broker.tls.port, broker.pki.ca.read_bytes(), broker.tls.names
    tls = ClientTls(broker.files(VICTIM))
    assert await asyncio.to_thread(tls.why, "127.0.0.1", port, ANSWERS_S) is None
    broker.pki.issue(LISTENER, utc_now(), 365, ("another.example",))
    async with asyncio.timeout(WAIT_S):
        while "names" not in str(await asyncio.to_thread(tls.why, "localhost", port, ANSWERS_S)):
            await asyncio.sleep(0.05)
    await refused(broker, VICTIM)
    broker.pki.issue(LISTENER, utc_now() - timedelta(days=3), 1, listener)
    async with asyncio.timeout(WAIT_S):
        while "expired" not in str(await asyncio.to_thread(tls.why, "127.0.0.1", port, ANSWERS_S)):
            await asyncio.sleep(0.05)
    await refused(broker, VICTIM)
    assert broker.pki.ca.read_bytes() == ca
