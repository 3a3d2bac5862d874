"""Clients that come while the broker runs: one that cannot be let in now does not shut out all later ones."""

import asyncio
from pathlib import Path

import pytest

import broker_config.access
from broker_config import engine
from broker_config.access import Access
from broker_config.config import TlsListener
from broker_config.identity import make_credential, write_credential
from broker_config.mosquitto.network import NOWHERE, Network
from broker_config.pki.door import Door
from broker_config.pki.expiry import utc_now
from broker_config.pki.store import LISTENER, PkiStore
from broker_config.provision import shut_out
from tests.support.brokers import DEMO_SITE, network_door, running_broker
from tests.support.patience import WAIT_S


class Broker:
    """Fails once, as on a full disk."""

    engine = "none"

    def __init__(self) -> None:
        self.calls = 0
        self.users: set[str] = set()
        self.called = asyncio.Event()

    def apply(self, access: Access) -> None:
        self.calls += 1
        self.called.set()
        if self.calls == 1:
            raise OSError(28, "No space left on device")
        self.users = set(access.passwords)

    async def ended(self) -> str:
        return "never asked"


async def test_after_a_full_disk_the_next_client_is_still_let_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(engine, "WATCH_EVERY_S", 0.01)
    access, broker = Access(DEMO_SITE, tmp_path / "identity"), Broker()
    watch = asyncio.create_task(engine._watch(access, broker, NOWHERE))
    try:
        async with asyncio.timeout(WAIT_S):
            for name in ("first", "second"):
                write_credential(tmp_path / "identity", make_credential("client", name))
                await broker.called.wait()
                broker.called.clear()
    finally:
        watch.cancel()
        await asyncio.wait([watch])
    assert {"client-first", "client-second"} <= broker.users
    assert "No space left" in caplog.text


async def test_who_is_shut_out_loses_his_rights_although_another_ones_certificate_cannot_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(engine, "WATCH_EVERY_S", 0.01)
    identity = tmp_path / "identity"
    access, broker = Access(DEMO_SITE, identity), Broker()
    broker.calls = 1  # the disk is not full
    store = PkiStore(identity)
    store.create("demo", utc_now())
    door = Door(TlsListener(host="127.0.0.1", names=("localhost",)), store)
    door.prepare(access.rights)
    store.ca_key.write_bytes(b"no key")
    write_credential(identity, make_credential("client", "new"))
    watch = asyncio.create_task(engine._watch(access, broker, Network(door)))
    try:
        async with asyncio.timeout(WAIT_S):
            await broker.called.wait()
            assert "client-new" in broker.users
            broker.called.clear()
            shut_out(identity, "agent-gw-1")
            await broker.called.wait()
    finally:
        watch.cancel()
        await asyncio.wait([watch])
    assert "agent-gw-1" not in broker.users
    assert "is no key" in caplog.text


async def test_who_is_shut_out_loses_his_rights_although_the_brokers_own_pair_is_torn(tmp_path: Path) -> None:
    """A half-copied certificate keeps the old one in use; it must keep nobody's rights."""
    async with running_broker(tmp_path, engine="mosquitto", tls=network_door()) as broker:
        broker.pki.pair(LISTENER)[1].write_bytes(b"no key")
        shut_out(broker.identity, "agent-gw-1")
        rules = next(tmp_path.rglob("mosquitto/acl"))
        async with asyncio.timeout(WAIT_S):
            while "user agent-gw-1" in rules.read_text():
                await asyncio.sleep(0.02)


def test_who_is_shut_out_loses_his_rights_although_anothers_file_is_faulty(tmp_path: Path) -> None:
    access = Access(DEMO_SITE, tmp_path)
    (tmp_path / "client-new.toml").write_text("no credential")
    assert not access.reload()
    assert "agent-gw-1" in access.rights
    shut_out(tmp_path, "agent-gw-1")
    assert access.reload()
    assert "agent-gw-1" not in access.rights
    assert "agent-gw-1" not in access.passwords
    assert "display-d-door" in access.rights


@pytest.mark.parametrize(("before", "step"), [("no credential", "ensure_credentials"), (None, "load_credentials")])
def test_a_file_that_is_written_while_they_are_read_is_read_at_the_next_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str | None, step: str
) -> None:
    access, read = Access(DEMO_SITE, tmp_path), getattr(broker_config.access, step)
    assert not access.has_changed()
    write_credential(tmp_path, make_credential("client", "early"))
    if before is not None:
        (tmp_path / "client-late.toml").write_text(before)
    assert access.has_changed()

    def read_slowly(*given: object) -> object:
        try:
            return read(*given)
        finally:
            write_credential(tmp_path, make_credential("client", "late"))

    with monkeypatch.context() as slow:
        slow.setattr(broker_config.access, step, read_slowly)
        access.reload()
    assert "client-late" not in access.passwords
    assert access.has_changed()
    access.reload()
    assert {"client-early", "client-late"} <= access.passwords.keys()
    assert not access.has_changed()
