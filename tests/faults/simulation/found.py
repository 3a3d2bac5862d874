"""What the server's database holds when a run is over, read beside the server."""

import sqlite3
from dataclasses import dataclass, field

from tests.faults.simulation.files import sqlite3_real
from tests.faults.simulation.store import Store
from tests.faults.simulation.truth import Key


@dataclass(slots=True)
class Found:
    """What the server's database holds."""

    events: dict[Key, bytes] = field(default_factory=dict)
    types: dict[Key, str] = field(default_factory=dict)
    at_ns: dict[Key, int] = field(default_factory=dict)
    received_ns: dict[Key, int] = field(default_factory=dict)
    stale: set[Key] = field(default_factory=set)
    marks: dict[tuple[str, str], tuple[int, str, int, int]] = field(default_factory=dict)
    decisions: list[tuple[str, str, str, str]] = field(default_factory=list)
    places: dict[str, str | None] = field(default_factory=dict)
    tokens: dict[str, str | None] = field(default_factory=dict)
    visits_of: set[str] = field(default_factory=set)
    bad: list[tuple[str, str, bytes]] = field(default_factory=list)
    integrity: str = ""


def read(store: Store) -> Found:
    """Everything that the laws need of the server's database."""
    assert store.server.disk is not None
    found = Found()
    with sqlite3_real(store.server.disk.folder / "tacet.db") as db:
        for gateway, generation, seq, kind, payload, stale, at_ns, received_ns in db.execute(
            "SELECT gateway, generation, seq, type, payload, stale, at_ns, received_ns FROM event"
        ):
            key = (gateway, generation, seq)
            found.events[key], found.types[key] = payload, kind
            found.at_ns[key], found.received_ns[key] = at_ns, received_ns
            if stale:
                found.stale.add(key)
        for gateway, generation, *rest in db.execute(
            "SELECT gateway, generation, upto, above, stored, dropped FROM generation"
        ):
            found.marks[gateway, generation] = tuple(rest)  # type: ignore[assignment]
        found.decisions = db.execute(
            "SELECT id, rule, json_extract(body, '$.event'), coalesce(json_extract(body, '$.display'), '') FROM decision"
        ).fetchall()
        found.places = dict(db.execute("SELECT epc, zone FROM item"))
        found.tokens = dict(
            db.execute(
                "SELECT token, zone FROM visit_token JOIN visit ON visit.id = visit_token.visit WHERE closed_ns IS NULL"
            )
        )
        found.visits_of = {member for (member,) in db.execute("SELECT DISTINCT member FROM visit") if member}
        found.bad = db.execute("SELECT topic, why, payload FROM bad_message").fetchall()
        found.integrity = _integrity(db)
    return found


def _integrity(db: sqlite3.Connection) -> str:
    orphan = db.execute("PRAGMA foreign_key_check").fetchone()
    return "a row without its parent" if orphan else str(db.execute("PRAGMA integrity_check").fetchone()[0])
