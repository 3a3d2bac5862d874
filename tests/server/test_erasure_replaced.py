"""Erasures and the databases that restored copies have replaced: no erased member stays in one."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from broker_config.site import load_site
from server.audit.service import OWNER
from server.backup import restore
from server.config import ServerConfig, load_config
from server.runtime import opened
from tests.server.erasure_rig import named, seeds_of
from tests.support.seeds import find_seeds


def copy_of(state, store: Path) -> Path:
    """A backup as of now."""
    backup = store / "backup.db"
    with closing(sqlite3.connect(state.config.database)) as db, closing(sqlite3.connect(backup)) as copy:
        db.backup(copy)
    return backup


def copied_folder(state, store: Path) -> tuple[ServerConfig, Path]:
    """A server's folder as it would be after a crash now, and its settings."""
    other = store / "restored"
    shutil.copytree(state.config.data, other, ignore=shutil.ignore_patterns("*-shm"))
    toml = (store / "server.toml").read_text().replace('data = "server"', 'data = "restored"')
    (store / "again.toml").write_text(toml)
    return load_config(store / "again.toml"), other


@pytest.mark.parametrize("where", ["store.erase_rows", "service.remove_traces"])
async def test_what_a_copy_replaced_while_an_erasure_was_half_way_is_removed_by_the_next_start(
    state, store, clock, monkeypatch, where
):
    """It stayed 48 hours, with the member in it."""
    member = await named(state, store)
    seeds, backup = seeds_of(state.config.database, member), copy_of(state, store)

    async def crash(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(f"server.erasure.{where}", crash)
    with pytest.raises(KeyboardInterrupt):
        await state.erasure.erase(member, OWNER)
    monkeypatch.undo()
    config, other = copied_folder(state, store)
    replaced, _ = restore(other / "tacet.db", backup)
    assert replaced is not None
    assert replaced.exists()
    async with opened(config, load_site(store / "site.toml"), clock):
        assert list(other.glob("*.replaced-*")) == []
        assert find_seeds([other], seeds) == []


async def test_an_older_copy_that_was_put_back_by_mistake_does_not_stay_with_an_erased_member_in_it(
    state, store, clock
):
    """The right one came after it: no erasure was missing, and so nobody looked into what it had replaced."""
    member = await named(state, store)
    seeds, older = seeds_of(state.config.database, member), copy_of(state, store)
    await state.erasure.erase(member, OWNER)
    await state.db.truncate_log()
    config, other = copied_folder(state, store)
    newest = copy_of(state, other)
    erased, _ = restore(other / "tacet.db", older)
    mistaken, _ = restore(other / "tacet.db", newest)
    async with opened(config, load_site(store / "site.toml"), clock):
        assert mistaken is not None
        assert not mistaken.exists()
        assert erased is not None
        assert erased.exists(), "the member was erased from it; it stays its 48 hours"
        assert find_seeds([other], seeds) == []
