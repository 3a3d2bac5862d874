"""What must hold of those who withdrew or were erased: no screen shows them, nobody recognises them, nothing of them is left."""

from collections.abc import Iterator

from broker_config.identity import open_handle
from broker_config.messages import VisitEntered, decode
from edge.presence_file import unpack
from server.clock import NS_PER_S
from tests.faults.report import Outcome
from tests.faults.simulation.found import Found
from tests.faults.simulation.gone import Gone, is_complete
from tests.faults.simulation.machines import EdgeMachine
from tests.faults.simulation.paths import LOOK_S, Paths
from tests.faults.simulation.store import Store
from tests.faults.simulation.truth import Key

DARK_WITHIN_NS = 2 * NS_PER_S
LOOK_NS = round(2 * LOOK_S * NS_PER_S)
"""What the looks at the ways may miss at both ends."""
ENTERED = b'"tacet.visit.entered.v1"'


def check_privacy(store: Store, found: Found, paths: Paths, outcome: Outcome) -> None:
    """Hold the store to what it promised those who are gone."""
    _dark(store, paths, outcome)
    _unknown(store, found, outcome)
    if any(gone.kind == "erased" for gone in store.truth.gone):
        _erased(store, outcome)


def stays_gone(store: Store, gone: Gone) -> bool:
    """Whether the server must still know of it: no older copy was put in its place that has forgotten a withdrawal."""
    return gone.kind == "erased" or not any(
        copied_ns < gone.at_ns <= put_back_ns for copied_ns, put_back_ns in store.truth.forgotten
    )


def tokens_of(store: Store) -> dict[str, str]:
    """Whose each visit's token is, of members who are gone and still have to be."""
    members = {gone.member for gone in store.truth.gone}
    return {token: member for _, token, _, member in _entries(store) if member in members}


def _dark(store: Store, paths: Paths, outcome: Outcome) -> None:
    """Nothing stays on a screen for 2 s with an open way from the server; a way that opens late, counts from then.

    Of a broker that delays, reorders or drops messages nothing can be asked.  That a moment ends by its time, and with its
    link, is another law.
    """
    if store.plan.habits.spread_s or store.broker.dropped:
        return
    for gone in (each for each in store.truth.gone if stays_gone(store, each)):
        for screen in store.screens.values():
            for showing in screen.shown:
                if showing.moment.visit not in gone.visits:
                    continue
                from_ns = max(gone.at_ns, showing.from_ns)
                until_ns = showing.until_ns or store.world.utc_ns
                lit_ns = paths.longest_open_ns(screen.name, from_ns, until_ns)
                if lit_ns > DARK_WITHIN_NS + LOOK_NS:
                    outcome.broken.append(f"{screen.name} shows who has {gone.kind} for {lit_ns / NS_PER_S:.1f} s")


def _unknown(store: Store, found: Found, outcome: Outcome) -> None:
    """The server knows no visit of theirs."""
    again = {gone.member for gone in store.truth.gone if stays_gone(store, gone)} & found.visits_of
    if again:
        outcome.broken.append(f"gone, and known by a visit: {len(again)}")


def _erased(store: Store, outcome: Outcome) -> None:
    """Nothing of an erased member is in any row or file, in the broker or in an agent's memory, and all agents said so."""
    if not is_complete(store):
        outcome.broken.append("an erasure does not become complete")
        return
    erased = [gone for gone in store.truth.gone if gone.kind == "erased"]
    members = {gone.member for gone in erased}
    assert store.server.disk is not None
    traces = [trace for gone in erased for trace in gone.traces]
    for path in sorted(store.server.disk.folder.iterdir()):
        if path.is_file() and any(trace in path.read_bytes() for trace in traces):
            outcome.broken.append(f"left of an erased member in {path.name}")
    entries = [entry for entry in _entries(store) if entry[3] in members]
    for edge in store.edges.values():
        _erased_at(edge, entries, traces, outcome)
    tokens = {token for _, token, _, _ in entries}
    for topic, message in store.broker.retained.items():
        if any(token.encode() in message.payload for token in tokens) or any(
            each in message.payload for each in traces
        ):
            outcome.broken.append(f"left of an erased member in the broker under {topic}")
    _not_recognised(store, erased, entries, outcome)


def _erased_at(
    edge: EdgeMachine, entries: list[tuple[Key, str, bytes, str]], traces: list[bytes], outcome: Outcome
) -> None:
    assert edge.disk is not None
    assert edge.agent is not None
    tokens = {token.encode() for _, token, _, _ in entries}
    handles = {handle for _, _, handle, _ in entries}
    for path in sorted(edge.disk.folder.glob("outbox.sqlite*")):
        content = path.read_bytes()
        if any(needle in content for needle in tokens | set(traces)):
            outcome.broken.append(f"left of an erased member in {path.name} of {edge.name}")
    keeper = edge.agent._keeper
    kept = set(edge.agent._pipeline.visits.owners().values())
    if keeper._path.exists():
        snapshot = unpack(bytes(keeper._at_rest.open(memoryview(keeper._path.read_bytes()))))
        kept |= {visit.handle for visit in snapshot.visits.visits}
    if handles & kept:
        outcome.broken.append(f"{edge.name} knows an erased member's visit")


def _not_recognised(
    store: Store, erased: list[Gone], entries: list[tuple[Key, str, bytes, str]], outcome: Outcome
) -> None:
    """An agent that has given its receipt recognises them no more."""
    for agent, version, receipt_ns in store.truth.receipts:
        gone = {each.member for each in erased if 0 < each.version <= version}
        if any(
            key[0] == agent and who in gone and store.truth.handed_ns[key] > receipt_ns for key, _, _, who in entries
        ):
            outcome.broken.append(f"{agent} recognised an erased member after its receipt")
            return


def _entries(store: Store) -> Iterator[tuple[Key, str, bytes, str]]:
    """Every recognition of somebody whose handle was taken down: event, token, handle, member."""
    handles = store.truth.handles
    for key, payload in store.truth.handed.items():
        if ENTERED not in payload:
            continue
        data = decode(payload).data
        assert isinstance(data, VisitEntered)
        seal_key = store.edges[key[0]].credential.seal_key
        handle = open_handle(bytes.fromhex(seal_key or ""), data.who, ".".join(map(str, key)))
        if handle in handles:
            yield key, data.visit, handle, handles[handle]
