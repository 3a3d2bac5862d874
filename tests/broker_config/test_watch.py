"""Clients that come while the broker runs: one that cannot be let in now does not shut out all later ones."""

import asyncio
from pathlib import Path

import pytest

from broker_config import engine
from broker_config.access import Access
from broker_config.identity import make_credential, write_credential
from tests.support.brokers import DEMO_SITE


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
    watch = asyncio.create_task(engine._watch(access, broker, None))
    try:
        async with asyncio.timeout(10):
            for name in ("first", "second"):
                write_credential(tmp_path / "identity", make_credential("client", name))
                await broker.called.wait()
                broker.called.clear()
    finally:
        watch.cancel()
        await asyncio.wait([watch])
    assert {"client-first", "client-second"} <= broker.users
    assert "No space left" in caplog.text
