"""Files of earlier versions lose nothing, and one of a later version is left as it is."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from edge.outbox_store import OutboxStore
from tests.faults.upgrades import FIXTURES, Fixture, roll_back, upgrade


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda fixture: fixture.name)
async def test_a_full_outbox_of_an_earlier_version_loses_nothing(tmp_path: Path, fixture: Fixture) -> None:
    outcome = await upgrade(fixture, tmp_path)
    assert outcome.sound, outcome
    assert outcome.in_outbox > 100


async def test_an_outbox_of_a_later_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    outcome = await roll_back(tmp_path)
    assert outcome.sound, outcome


def test_a_flipped_version_keeps_no_agent_down(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    OutboxStore(path, 1 << 20).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA user_version = 999")
    store = OutboxStore(path, 1 << 20)
    assert store.quarantined
    store.close()
