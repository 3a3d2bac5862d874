"""A member whose traces can be told from everybody else's."""

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.server.harness import RIVER

LONG_ALIAS = "Riverbend Kaleidoscope"


async def member_called(state, alias: str) -> str:
    return next(member.member for member in await state.members.list_members() if member.alias == alias)


async def named(state, store, alias: str = LONG_ALIAS) -> str:
    """River under an alias that is nobody else's."""
    text = (store / "members.csv").read_text().replace(",River,", f",{alias},")
    await state.members.import_csv(text)
    return await member_called(state, alias)


def seeds_of(path: Path, member: str) -> dict[str, bytes]:
    """What stands for a member in the database, to be looked for once it should be gone."""
    with closing(sqlite3.connect(path)) as db:
        card = db.execute("SELECT epc_hash, nonce, epc FROM card WHERE member = ?", (member,)).fetchone()
        handles = db.execute("SELECT handle FROM member_handle WHERE member = ?", (member,)).fetchall()
    seeds = {"alias": LONG_ALIAS.encode(), "id": member.encode(), "card": bytes.fromhex(RIVER)}
    seeds |= dict(zip(("card hash", "nonce", "encrypted card"), card, strict=True))
    return seeds | {f"handle {number}": row[0] for number, row in enumerate(handles)}
