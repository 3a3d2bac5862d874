"""Who withdrew or was erased, and what stood for them: taken down beforehand, since nothing in the store may know it later."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy.exc import OperationalError

from server.audit.service import OWNER
from server.errors import ServerError
from server.members.schemas import ConsentChange
from server.state import ServerState
from tests.faults.simulation.files import sqlite3_real
from tests.faults.simulation.store import Store

Kind = Literal["withdrawn", "erased"]
CARD_BYTES = 12


@dataclass(frozen=True, slots=True)
class Gone:
    """One member's withdrawal or erasure, as the server confirmed it.

    Args:
        at_ns: when that was, true UTC ns.
        visits: ids of the visits that ended with it.
        traces: the bytes that only this member has on the server: id, hash and ciphertext of cards, handles, card.
        version: of the erasure; 0 of a withdrawal.
    """

    member: str
    kind: Kind
    at_ns: int
    visits: frozenset[str]
    traces: tuple[bytes, ...]
    version: int = 0


async def let_go(store: Store, state: ServerState, member: str, kind: Kind) -> None:
    """Let a member withdraw or be erased; where the server does not confirm it, nobody counts as gone."""
    traces, before = _traces(store, member), _ended_visits(store)
    try:
        if kind == "erased":
            await state.erasure.erase(member, OWNER)
        else:
            await state.members.set_consent(member, ConsentChange(purpose="recognise", granted=False))
    except (ServerError, OperationalError) as error:
        store.world.note("refused", kind, member, type(error).__name__)
        return
    gone = Gone(member, kind, store.world.utc_ns, _ended_visits(store) - before, traces, _newest_erasure(store))
    store.world.note(kind, member)
    store.truth.gone.append(gone)


def is_complete(store: Store) -> bool:
    """Whether every withdrawal is known and every erasure through, on the server and at every agent."""
    kinds = {gone.kind for gone in store.truth.gone}
    if kinds and not _all_know(store):
        return False
    wanted = "SELECT count(*) FROM erasure JOIN erasure_receipt USING (version) WHERE done_ns IS NULL OR at_ns IS NULL"
    return "erased" not in kinds or _rows(store, wanted.replace("at_ns", "erasure_receipt.at_ns"))[0][0] == 0


def _all_know(store: Store) -> bool:
    """Whether each agent has the member table that the server holds for it: the offer may be seconds on its way."""
    offered = dict(_rows(store, "SELECT agent, version FROM member_table"))
    return all(
        edge.agent is not None and edge.agent._members.version == offered[edge.name] for edge in store.edges.values()
    )


def _traces(store: Store, member: str) -> tuple[bytes, ...]:
    """Also takes down whose the present handles are."""
    handles = [bytes(each) for (each,) in _rows(store, "SELECT handle FROM member_handle WHERE member = ?", member)]
    store.truth.handles |= dict.fromkeys(handles, member)
    cards = _rows(store, "SELECT epc_hash, epc FROM card WHERE member = ?", member)
    card = store.template.members[member]
    return (member.encode(), *handles, *(part for row in cards for part in row), card, card.hex().encode())


def _ended_visits(store: Store) -> frozenset[str]:
    ended = "SELECT id FROM visit WHERE cause IN ('withdrawn', 'erased')"
    return frozenset(visit for (visit,) in _rows(store, ended))


def _newest_erasure(store: Store) -> int:
    return int(_rows(store, "SELECT coalesce(max(version), 0) FROM erasure")[0][0])


def _rows(store: Store, sql: str, *values: object) -> Sequence[tuple]:
    assert store.server.disk is not None
    with sqlite3_real(store.server.disk.folder / "tacet.db") as db:
        return db.execute(sql, values).fetchall()
