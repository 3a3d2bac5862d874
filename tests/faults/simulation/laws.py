"""What must hold when the store is quiet again, whatever happened before.  The truth comes from outside the system."""

import itertools
import re
from collections import Counter
from collections.abc import Iterable

from broker_config.messages import (
    Data,
    EdgeAck,
    ItemArrived,
    ItemDeparted,
    ItemMoved,
    MomentShown,
    ShelfPick,
    decode,
)
from server.clock import NS_PER_MS, NS_PER_S
from tests.faults.report import Outcome
from tests.faults.simulation.broker import Message
from tests.faults.simulation.files import sqlite3_real
from tests.faults.simulation.found import Found, read
from tests.faults.simulation.gone import is_complete
from tests.faults.simulation.paths import Paths
from tests.faults.simulation.privacy_laws import check_privacy, stays_gone, tokens_of
from tests.faults.simulation.store import Store
from tests.faults.simulation.time_laws import check_times
from tests.faults.simulation.truth import Key, key_of

SWITCH_NS = NS_PER_S
"""So much longer than its order's time a relay may take: the disk, twice, and the clocks."""
PASSING = re.compile(rb'"who":"[^"]*"|,"(?:agems|clockms)":-?[0-9]+')
"""The sealed handle, which the server forgets at once; what its times are put right by, which comes with each sending."""


class AckWatch:
    """Holds each acknowledgement, as it passes the broker, to what is on the server's disk at that moment.

    At the end nothing would show: an agent that hears less than before sends again what it keeps.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def __call__(self, message: Message) -> None:
        """A message passes."""
        disk = self._store.server.disk
        if not message.topic.endswith("/ack") or disk is None:
            return
        said = decode(message.payload).data
        assert isinstance(said, EdgeAck)
        with sqlite3_real(disk.folder / "tacet.db") as db:
            row = db.execute("SELECT max(upto) FROM generation WHERE generation = ?", (said.generation,)).fetchone()
        if said.upto > (row[0] or 0):
            self._store.truth.rash.append(f"{said.upto} acknowledged, {row[0]} on the disk")


def is_still(store: Store) -> bool:
    """Nothing is under way between edge and server."""
    state = store.server.state
    if state is None or not state.link.connected or state.link.incoming.qsize():
        return False
    if not all(machine.running for machine in store.machines.values()):
        return False
    return all(
        edge.outbox is not None
        and edge.outbox.waiting == 0
        and edge.outbox._started == edge.outbox._finished
        and edge.agent is not None
        and edge.agent.uplink.delivery.connected
        for edge in store.edges.values()
    ) and is_complete(store)


def check(store: Store, paths: Paths, outcome: Outcome) -> None:
    """Hold the store to everything that was promised."""
    outcome.broken += sorted(set(store.world.bugs))[:3]
    if store.world.bugs:
        return
    found = read(store)
    _conservation(store, found, outcome)
    _marks(store, found, outcome)
    outcome.broken += store.truth.rash[:1]
    _once(found, outcome)
    _places(store, found, outcome)
    _visits(store, found, outcome)
    _screens(store, outcome)
    _relays(store, outcome)
    check_times(store, found, outcome)
    check_privacy(store, found, paths, outcome)
    _epochs(store, outcome)
    if found.integrity != "ok":
        outcome.broken.append(f"an unsound database: {found.integrity}")
    bad = [why for topic, why, payload in found.bad if not _is_of_forgotten(store, topic, payload)]
    if bad:
        outcome.broken.append(f"{len(bad)} messages set aside as bad: {bad[0]}")


def _epochs(store: Store, outcome: Outcome) -> None:
    """Each start numbers its orders above all before.

    The database remembers how far they were, and where an older copy does not, the clock has gone on since, by seconds: one that
    is put back within the second of a start lets the next have the same.  With an older copy and a clock that was set, neither does.
    """
    epochs, is_restored = [epoch for epoch, _ in store.server.epochs], store.truth.restored is not None
    if is_restored and not store.server.has_gone_on:
        return
    if any(later < earlier + (not is_restored) for earlier, later in itertools.pairwise(epochs)):
        outcome.broken.append(f"the server's epochs do not rise: {epochs}")


def _is_of_forgotten(store: Store, topic: str, payload: bytes) -> bool:
    """Whether a message is about what the server ordered before it was put back to an older copy: the receipt for a moment, or,
    where its clock was set as well so that its epochs do not rise, an actuator's result."""
    if store.truth.restored is None:
        return False
    if topic.endswith("/result"):
        return not store.server.has_gone_on
    if not topic.endswith("/shown"):
        return False
    said = decode(payload).data
    return isinstance(said, MomentShown) and said.decision in store.truth.restored


def _conservation(store: Store, found: Found, outcome: Outcome) -> None:
    """Generated = stored once + counted drops + still in the outbox, and what is stored is what was said."""
    truth = store.truth
    declared, waiting = _declared(store), _waiting(store)
    outcome.generated = len(truth.promised)
    outcome.stored_once = len(truth.promised.keys() & found.events.keys())
    missing = truth.promised.keys() - found.events.keys()
    outcome.dropped = len(missing & (declared | truth.dropped))
    outcome.in_outbox = len((missing - declared - truth.dropped) & waiting)
    if waiting & truth.promised.keys():
        outcome.broken.append(f"{len(waiting)} events still wait in the outbox though nothing is in their way")
    strangers = found.events.keys() - truth.handed.keys()
    if strangers:
        outcome.broken.append(f"stored what nobody said: {sorted(strangers)[:3]}")
    altered = [
        key
        for key, said in truth.handed.items()
        if PASSING.sub(b"", found.events.get(key, said)) != PASSING.sub(b"", said)
    ]
    if altered:
        outcome.broken.append(f"stored otherwise than said: {sorted(altered)[:3]}")
    if outcome.lost:
        lost = sorted(missing - declared - truth.dropped - waiting)
        outcome.broken.append(f"lost: {lost[:3]}")


def _declared(store: Store) -> set[Key]:
    """What passed the broker as a drop, or lies declared in an outbox."""
    keys: set[Key] = set()
    for agent, said in store.truth.declared:
        keys |= {(agent, said.generation, seq) for seq in range(said.first, said.last + 1)}
    return keys


def _waiting(store: Store) -> set[Key]:
    """Events that an outbox holds and the server has not acknowledged."""
    keys: set[Key] = set()
    for edge in store.edges.values():
        assert edge.outbox is not None
        held = edge.outbox._store
        keys |= {key_of(row.payload) for row in held.rows_after(held.acked_upto, 1_000_000)}
    return keys


def _marks(store: Store, found: Found, outcome: Outcome) -> None:
    """How far the server says it is, is how far it is."""
    for (gateway, generation), (upto, above, stored, dropped) in sorted(found.marks.items()):
        count = sum(key[:2] == (gateway, generation) for key in found.events)
        if stored != count:
            outcome.broken.append(f"the mark of {gateway} says {stored} stored, the table holds {count}")
        if above:
            outcome.broken.append(f"{gateway} has gaps that nobody fills: {upto}, then {above}")
        if upto != stored + dropped:
            outcome.broken.append(f"the mark of {gateway} is at {upto}, with {stored} stored and {dropped} dropped")
    for edge in store.edges.values():
        assert edge.outbox is not None
        last = edge.outbox._store.last_seq
        for place in edge.outbox.places(last, last):
            upto = found.marks.get((edge.name, place.generation), (0, "", 0, 0))[0]
            if upto != place.last:
                outcome.broken.append(f"the server is at {upto} of {edge.name}, whose last is {place.last}")


def _once(found: Found, outcome: Outcome) -> None:
    """Nothing shows twice: no rule decides twice on an event, and every fresh pick was decided on."""
    counts = Counter(decision[1:] for decision in found.decisions)
    outcome.duplicates = sum(count - 1 for count in counts.values())
    lamps = {event for _, rule, event, _ in found.decisions if rule == "shelf-lamp"}
    picks = {
        f"{gateway}.{generation}.{seq}"
        for (gateway, generation, seq), kind in found.types.items()
        if kind == ShelfPick.type_name and (gateway, generation, seq) not in found.stale
    }
    if lamps != picks:
        outcome.broken.append(f"{len(picks)} fresh picks, decided on {len(lamps)}")


def _places(store: Store, found: Found, outcome: Outcome) -> None:
    """Every item is where its last event says, and where its agent sees it."""
    if _given_up(store, found, b'"tacet.item.', {}) or not store.server.kept_time:
        return
    want: dict[str, str | None] = {}
    since_ns = {edge.name: edge.remembers_from_ns for edge in store.edges.values()}
    for key, data in _in_order(store, found):
        match data:
            case ItemArrived() | ItemMoved():
                # What an agent said before it began anew, with no memory of who was where, no longer holds.
                want[data.epc] = data.zone if store.truth.handed_ns[key] >= since_ns[key[0]] else None
            case ItemDeparted():
                want[data.epc] = None
    have = {epc: zone for epc, zone in found.places.items() if zone is not None}
    if have != {epc: zone for epc, zone in want.items() if zone is not None}:
        outcome.broken.append(f"items are not where their last events say: {_differences(want, have)}")
    seen: dict[str, str] = {}
    for edge in store.edges.values():
        assert edge.agent is not None
        for number, zone in enumerate(edge.agent._zones):
            seen |= {tag.epc.hex(): zone for tag in edge.agent._pipeline.engine.present_in(number) if tag.epc}
    if seen != have:
        outcome.broken.append(f"items are not where their agent sees them: {_differences(seen, have)}")


def _visits(store: Store, found: Found, outcome: Outcome) -> None:
    """The server's visits are where the agents see them.

    Of members whose withdrawal was lost with the server's disk, the server still knows visits that the agents have ended.
    """
    forgotten = {gone.member for gone in store.truth.gone if not stays_gone(store, gone)}
    whose = tokens_of(store)
    if _given_up(store, found, b'"tacet.visit.', whose) or not store.server.kept_time:
        return
    have = {(token, zone) for token, zone in found.tokens.items() if zone is not None}
    seen: set[tuple[str, str]] = set()
    for edge in store.edges.values():
        assert edge.agent is not None
        visits = edge.agent._pipeline.visits
        for visit in visits._visits.values():
            seen |= {(visit.token, edge.agent._zones[stay.zone]) for stay in visit.stays.values()}
    differing = {each for each in have ^ seen if whose.get(each[0]) not in forgotten}
    if differing:
        outcome.broken.append(
            f"visits: the server has {sorted(differing & have)}, the agents {sorted(differing & seen)}"
        )


def _given_up(store: Store, found: Found, kind: bytes, whose: dict[str, str]) -> bool:
    """Whether an event of a kind was given up, so that nobody knows the last word; not those of members who are gone."""
    missing = store.truth.promised.keys() - found.events.keys()
    payloads = (store.truth.promised[key] for key in missing)
    return any(kind in payload and not any(token.encode() in payload for token in whose) for payload in payloads)


def _screens(store: Store, outcome: Outcome) -> None:
    """No moment stays beyond its time."""
    for screen in store.screens.values():
        for showing in screen.shown:
            until_ns = showing.until_ns or store.world.utc_ns
            if until_ns - showing.from_ns > showing.moment.ttl_ms * NS_PER_MS + NS_PER_MS:
                outcome.broken.append(f"{screen.name} shows a moment beyond its time")
            issued_ns = store.truth.issued_ns.get(showing.moment.decision, until_ns)
            late_ns = until_ns - issued_ns - (showing.moment.ttl_ms + 100) * NS_PER_MS
            if late_ns > 0 and store.server.kept_time:  # else a screen may not know yet how late it is
                outcome.broken.append(f"{screen.name} shows a moment that is over")


def _relays(store: Store, outcome: Outcome) -> None:
    """A relay goes on only by an order that is fresh, and once by each."""
    newest: dict[str, tuple[int, ...]] = {}
    for key, version in store.truth.intents:
        if version <= newest.get(key, ()):
            outcome.broken.append(f"{key} obeys an order that is not newer: {version}")
        newest[key] = version
    for edge in store.edges.values():
        for name, relay in edge.relays.items():
            orders: list[tuple[int, int]] = []
            for issued_ns, order in store.truth.commands:
                if order.actuator == name and order.on:
                    orders.append((issued_ns, issued_ns + order.ttl_ms * NS_PER_MS + SWITCH_NS))
            for at_ns in relay.went_on:
                fitting = [order for order in orders if order[0] - SWITCH_NS <= at_ns <= order[1]]
                if not fitting:
                    outcome.broken.append(f"{name} went on without a fresh order")
                else:
                    orders.remove(fitting[0])


def _in_order(store: Store, found: Found) -> Iterable[tuple[Key, Data]]:
    """Every stored event as the agents said them."""
    order = {key: number for number, key in enumerate(store.truth.handed)}
    for key in sorted(found.events, key=lambda each: order.get(each, 0)):
        yield key, decode(found.events[key]).data


def _differences(want: dict[str, str | None] | dict[str, str], have: dict[str, str]) -> str:
    different = [epc for epc in sorted(want.keys() | have.keys()) if want.get(epc) != have.get(epc)]
    return "; ".join(f"{epc[-2:]}: {want.get(epc)}, server {have.get(epc)}" for epc in different[:3])
