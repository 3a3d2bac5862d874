"""At-least-once in, exactly-once effect."""

import base64
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from broker_config.messages import (
    Bad,
    EdgeAck,
    EdgeDropped,
    EdgeState,
    ItemArrived,
    ItemDeparted,
    ItemMoved,
    MembersOffered,
    MomentClear,
    MomentSet,
    decode,
)
from broker_config.site import load_site
from server.config import load_config
from server.link import Incoming
from server.runtime import opened
from server.summary import summary
from server.tables import EventRow, GenerationRow
from tests.server.harness import EVIDENCE, RIVER, Clock, Edge, token, write_store

GOODS = "3034257bf400cb0000000001"


def arrived(edge: Edge, seq: int | None = None, epc: str = GOODS) -> Incoming:
    at = datetime.fromtimestamp(edge.clock.now_ns / 1e9, UTC)
    data = ItemArrived(zone="shoes", epc=epc, detected_at=at, last_read_at=at, evidence=EVIDENCE)
    return edge.event(data, seq=seq, zone="shoes")


async def acks(state) -> list[EdgeAck]:
    """The acknowledgements that are due now."""
    import asyncio

    task = asyncio.create_task(state.marks.run())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    waiting = list(state.link._outgoing)
    state.link._outgoing.clear()
    return [data for out in waiting if isinstance(data := decode(out.payload).data, EdgeAck)]


async def stored(state) -> int:
    async with state.db.session() as session:
        return await session.scalar(select(func.count()).select_from(EventRow))


async def test_a_duplicate_changes_nothing_and_is_acknowledged_again(edge, state):
    handle = await edge.handle_of(RIVER)
    message = edge.entered("door", handle, token(1))
    await edge.deliver(message)
    assert len(edge.moments()) == 1
    await edge.deliver(message, message)
    assert not edge.moments()
    assert (await stored(state), state.inbox.counters.duplicates) == (1, 2)
    assert [(ack.upto, ack.missing) for ack in await acks(state)] == [(1, ())]


async def test_a_duplicate_in_the_same_batch_changes_nothing(edge, state):
    handle = await edge.handle_of(RIVER)
    message = edge.entered("door", handle, token(1))
    await edge.deliver(message, message)
    assert len(edge.moments()) == 1
    assert await stored(state) == 1


async def test_a_gap_is_named_until_it_is_filled_or_declared_dropped(edge, state):
    await edge.deliver(arrived(edge, 1), arrived(edge, 5))
    assert [(ack.upto, ack.missing) for ack in await acks(state)] == [(1, ((2, 4),))]
    assert (await summary(state)).events_lost == 3
    await edge.deliver(arrived(edge, 3))
    assert [(ack.upto, ack.missing) for ack in await acks(state)] == [(1, ((2, 2), (4, 4)))]
    dropped = EdgeDropped(generation=edge.generation, first=2, last=4, event_class="C")
    await edge.deliver(edge.said(dropped, agent="gw-1"))
    assert [(ack.upto, ack.missing) for ack in await acks(state)] == [(5, ())]
    assert (await summary(state)).events_lost == 0
    async with state.db.session() as session:
        row = await session.get(GenerationRow, ("gw-1", edge.generation))
    assert (row.stored, row.dropped) == (3, 2)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
async def test_any_order_and_any_duplicates_are_stored_once_and_acknowledged_right(data):
    count = data.draw(st.integers(1, 40), label="events")
    order = list(data.draw(st.permutations(range(1, count + 1)), label="order"))
    repeats = data.draw(st.lists(st.sampled_from(order), max_size=int(count * 0.4)), label="repeats")
    missing = set(data.draw(st.lists(st.integers(1, count), max_size=3), label="never sent"))
    sent = [seq for seq in order + repeats if seq not in missing]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=4), label="cuts"))
    with TemporaryDirectory() as folder:
        write_store(Path(folder))
        clock = Clock()
        config = load_config(Path(folder) / "server.toml")
        async with opened(config, load_site(Path(config.site)), clock) as state:
            edge = Edge(state, clock)
            for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True):
                if end > start:
                    await edge.deliver(*(arrived(edge, seq) for seq in sent[start:end]))
            unique = set(sent)
            assert await stored(state) == len(unique)
            assert state.inbox.counters.duplicates == len(sent) - len(unique)
            if unique:
                (ack,) = await acks(state)
                upto = next(n for n in range(count + 2) if n + 1 not in unique)
                gaps = {n for first, last in ack.missing for n in range(first, last + 1)}
                assert (ack.upto, gaps) == (upto, set(range(upto + 1, max(unique))) - unique)


async def test_a_crash_after_the_commit_and_before_the_acknowledgement_loses_nothing(edge, state, store, clock):
    handle = await edge.handle_of(RIVER)
    message = edge.entered("door", handle, token(1))
    await edge.deliver(message)  # committed; this process never acknowledges
    async with opened(load_config(store / "server.toml"), load_site(store / "site.toml"), clock) as again:
        survivor = Edge(again, clock)
        survivor.outgoing()
        again.marks.owe_all()
        assert [ack.upto for ack in await acks(again)] == [1]
        await survivor.deliver(message)
        assert not survivor.moments()
        assert await stored(again) == 1
        assert again.visits.counts() == {"door": 1}


async def test_a_failed_commit_leaves_no_trace_in_memory_and_is_tried_again(edge, state, monkeypatch):
    import server.inbox
    from server.work import Work

    monkeypatch.setattr(server.inbox, "RETRY_S", 0)
    handle = await edge.handle_of(RIVER)
    flush, failures = Work.flush, iter([True, True])

    async def failing(self):
        if next(failures, False):
            raise OperationalError("INSERT", {}, Exception("disk is full"))
        await flush(self)

    monkeypatch.setattr(Work, "flush", failing)
    await edge.deliver(edge.entered("door", handle, token(1)))
    assert len(edge.moments()) == 1  # sent once, though decided three times
    assert (await stored(state), state.inbox.counters.duplicates) == (1, 0)
    assert (await summary(state)).decisions == 1


@pytest.fixture
def failing_once(monkeypatch) -> None:
    """The next transaction fails at its end."""
    import server.inbox
    from server.work import Work

    monkeypatch.setattr(server.inbox, "RETRY_S", 0)
    flush, failures = Work.flush, iter([True])

    async def failing(self):
        if next(failures, False):
            raise OperationalError("INSERT", {}, Exception("disk is full"))
        await flush(self)

    monkeypatch.setattr(Work, "flush", failing)


async def test_nothing_is_acknowledged_before_it_is_committed(edge, state, monkeypatch):
    import asyncio

    from server.work import Work

    await edge.deliver(arrived(edge, 1))
    await acks(state)
    flush, begun, go_on = Work.flush, asyncio.Event(), asyncio.Event()

    async def slow(self):
        begun.set()
        await go_on.wait()
        await flush(self)

    monkeypatch.setattr(Work, "flush", slow)
    delivery = asyncio.create_task(edge.deliver(arrived(edge, 2)))
    await begun.wait()
    state.marks.owe_all()  # the broker comes back while the transaction is open
    assert [ack.upto for ack in await acks(state)] == [1]
    go_on.set()
    await delivery
    assert [ack.upto for ack in await acks(state)] == [2]


async def test_an_agent_born_while_the_disk_was_full_is_told_its_table_all_the_same(edge, state, failing_once):
    born = EdgeState(state="ready", session="s1", since=datetime.fromtimestamp(edge.clock.now_ns / 1e9, UTC))
    await edge.deliver(edge.said(born, agent="gw-1"))
    assert len(edge.sent(MembersOffered)) == 1


async def test_a_leaver_clears_the_screen_though_the_first_commit_failed(edge, state, request):
    await edge.visit(RIVER, "door", token(1))
    (moment,) = edge.moments()
    request.getfixturevalue("failing_once")
    await edge.deliver(edge.left("door", token(1)))
    assert [clear.decision for clear in edge.sent(MomentClear)] == [moment.decision]


async def test_a_leaver_clears_the_screen_though_the_server_was_started_again(edge, store, clock):
    await edge.visit(RIVER, "door", token(1))
    (moment,) = edge.moments()
    async with opened(load_config(store / "server.toml"), load_site(store / "site.toml"), clock) as again:
        survivor = Edge(again, clock, seqs=edge.seqs)
        await survivor.deliver(survivor.left("door", token(1)))
        assert [clear.decision for clear in survivor.sent(MomentClear)] == [moment.decision]
        await survivor.visit(RIVER, "shoes", token(1))
        assert not survivor.sent(MomentClear), "it is cleared once"


async def test_a_moment_that_had_ended_before_a_restart_is_not_cleared_again(edge, store, clock):
    await edge.visit(RIVER, "door", token(1))
    (moment,) = edge.moments()
    await edge.deliver(edge.shown(moment), edge.shown(moment, "ended"))
    async with opened(load_config(store / "server.toml"), load_site(store / "site.toml"), clock) as again:
        survivor = Edge(again, clock, seqs=edge.seqs)
        await survivor.deliver(survivor.left("door", token(1)))
        assert not survivor.sent(MomentClear)


@pytest.mark.parametrize(
    ("topic", "payload", "why"),
    [
        ("tacet/1/demo/zone/door/visit/entered", b"\xff\x00 not json", "malformed"),
        ("tacet/1/demo/zone/door/visit/entered", b"[" * 5000, "expected"),
        ("tacet/1/other/zone/door/visit/entered", b"{}", "not a topic of this site"),
        ("tacet/1/demo/zone/nowhere/visit/entered", b"{}", "no zone"),
        ("tacet/1/demo/edge/gw-9/$state", b"{}", "no edge"),
    ],
)
async def test_what_cannot_be_read_is_set_aside_once_and_told(edge, state, clock, topic, payload, why):
    message = Incoming(topic, payload, clock.now_ns)
    await edge.deliver(message, message)
    await edge.deliver(message)
    (bad,) = edge.sent(Bad)
    assert why in bad.why.lower() or why in bad.why
    assert base64.b64decode(bad.payload) == payload[:4096]
    assert (await summary(state)).bad == 1


async def test_a_bad_event_with_a_sound_head_is_acknowledged_so_that_it_is_not_sent_for_ever(edge, state):
    good = arrived(edge, 1)
    envelope = msgspec.json.decode(good.payload)
    envelope["data"] = {"zone": "shoes"}
    broken = Incoming(good.topic, msgspec.json.encode(envelope), good.received_ns)
    newer = msgspec.json.decode(arrived(edge, 2).payload) | {"type": "tacet.item.teleported.v7"}
    await edge.deliver(broken, Incoming(good.topic, msgspec.json.encode(newer), good.received_ns))
    assert [(ack.upto, ack.missing) for ack in await acks(state)] == [(2, ())]
    assert ((await summary(state)).bad, await stored(state)) == (2, 0)


async def test_an_agent_cannot_speak_for_anothers_place_or_close_its_gaps(store, clock):
    from tests.server.harness import add_agent

    add_agent(store, "gw-2", ("till",))
    config = load_config(store / "server.toml")
    async with opened(config, load_site(store / "site.toml"), clock) as state:
        liar = Edge(state, clock, agent="gw-2")
        await liar.deliver(arrived(liar, 1))  # gw-2 on gw-1's zone
        assert (await summary(state)).bad == 1
        assert not await acks(state)
        assert state.items.counts() == {}


async def test_topic_and_payload_must_name_the_same_place(edge, state):
    good = arrived(edge, 1)
    moved = Incoming(good.topic.replace("shoes", "door"), good.payload, good.received_ns)
    await edge.deliver(moved)
    assert (await summary(state)).bad == 1
    assert state.items.counts() == {}


@pytest.mark.parametrize("detected_at", ["2026-11-21T10:00:00", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"])
async def test_a_time_that_means_nothing_is_set_aside_and_the_server_lives(edge, state, detected_at):
    envelope = msgspec.json.decode(arrived(edge, 1).payload)
    for name in ("data", "time"):
        broken = envelope | ({"time": detected_at} if name == "time" else {})
        broken["data"] = envelope["data"] | ({"detected_at": detected_at} if name == "data" else {})
        message = arrived(edge, 1)
        await edge.deliver(Incoming(message.topic, msgspec.json.encode(broken), message.received_ns))
    assert (await summary(state)).bad >= 1
    await edge.deliver(arrived(edge, 2))
    assert [ack.upto for ack in await acks(state)] == [2]


@pytest.mark.parametrize(("first", "last"), [(0, 1), (3, 2), (1, 2**70), (-5, -1)])
async def test_a_dropped_range_that_cannot_be_closes_nothing(edge, state, first, last):
    dropped = EdgeDropped(generation=edge.generation, first=first, last=last, event_class="C")
    await edge.deliver(edge.said(dropped, agent="gw-1"), arrived(edge, 2))
    assert (await summary(state)).bad == 1
    assert [ack.missing for ack in await acks(state)] == [((1, 1),)]


async def test_the_result_of_an_impossible_order_is_set_aside(edge, state):
    from broker_config.messages import ActuatorResult

    result = ActuatorResult(actuator="lamp-s1", version=(2**70, 1), decision=None, result="done")
    await edge.deliver(edge.event(result, actuator="lamp-s1"))
    assert (await summary(state)).bad == 1


async def test_an_id_that_does_not_say_what_its_parts_say_is_refused(edge, state):
    envelope = msgspec.json.decode(arrived(edge, 1).payload) | {"seq": "2"}
    message = arrived(edge, 1)
    await edge.deliver(Incoming(message.topic, msgspec.json.encode(envelope), message.received_ns))
    assert (await summary(state)).bad == 1
    assert not await acks(state)


async def test_who_sealed_for_another_event_names_nobody(edge, state):
    handle = await edge.handle_of(RIVER)
    first = edge.entered("door", handle, token(1))
    stolen = msgspec.json.decode(first.payload)["data"]["who"]
    second = msgspec.json.decode(edge.entered("door", handle, token(2)).payload)
    second["data"]["who"] = stolen
    await edge.deliver(Incoming(first.topic, msgspec.json.encode(second), first.received_ns))
    assert not edge.sent(MomentSet)
    assert (await summary(state)).bad == 1


async def test_items_are_where_their_latest_event_says_whatever_order_they_come_in(edge, state, clock):
    at = datetime.fromtimestamp(clock.now_ns / 1e9, UTC)
    clock.pass_s(10)
    later = datetime.fromtimestamp(clock.now_ns / 1e9, UTC)
    moved = ItemMoved(
        zone="till", from_zone="shoes", epc=GOODS, detected_at=later, last_read_at=later, evidence=EVIDENCE
    )
    first = ItemArrived(zone="shoes", epc=GOODS, detected_at=at, last_read_at=at, evidence=EVIDENCE)
    await edge.deliver(edge.event(moved, zone="till"), edge.event(first, zone="shoes"))
    assert state.items.counts() == {"till": 1}
    clock.pass_s(10)
    gone_at = datetime.fromtimestamp(clock.now_ns / 1e9, UTC)
    gone = ItemDeparted(
        zone="till", epc=GOODS, detected_at=gone_at, last_read_at=later, reason="exit", evidence=EVIDENCE
    )
    await edge.deliver(edge.event(gone, zone="till"))
    assert state.items.counts() == {}


async def test_a_generation_nobody_knows_is_asked_for_when_its_agent_is_born(edge, state):
    """The database was restored from a backup that is older than the generation."""
    born = EdgeState(
        state="ready", session="s1", since=datetime.fromtimestamp(edge.clock.now_ns / 1e9, UTC), generation="b" * 16,
        generations=("a" * 16, "b" * 16, "no generation"),
    )  # fmt: skip
    await edge.deliver(edge.said(born, agent="gw-1"))
    assert [(ack.generation[0], ack.upto) for ack in await acks(state)] == [("a", 0), ("b", 0)]


async def test_an_agent_that_names_thousands_of_generations_costs_no_memory(edge, state):
    born = EdgeState(
        state="ready", session="s1", since=datetime.fromtimestamp(edge.clock.now_ns / 1e9, UTC), generation="b" * 16,
        generations=tuple(f"{number:016x}" for number in range(3_000)),
    )  # fmt: skip
    await edge.deliver(edge.said(born, agent="gw-1"))
    assert len(state.marks._due) <= 200
    assert not state.marks._acks
    assert (await acks(state))[-1] == EdgeAck(generation=f"{2_999:016x}", upto=0)


async def test_an_agent_hears_only_of_the_generations_that_it_may_still_hold(edge, state):
    await edge.deliver(arrived(edge, 1))
    await acks(state)
    born = EdgeState(
        state="ready", session="s1", since=datetime.fromtimestamp(edge.clock.now_ns / 1e9, UTC), generation="b" * 16,
        generations=("b" * 16,),
    )  # fmt: skip
    await edge.deliver(edge.said(born, agent="gw-1"))
    assert [ack.generation[0] for ack in await acks(state)] == ["b"]
    state.owe_acks()
    assert [ack.generation[0] for ack in await acks(state)] == ["b"]


async def test_a_start_of_the_server_tells_nobody_of_every_generation_there_ever_was(edge, state):
    """Each start of an agent adds one; thousands of words would push what matters out of the link's queue."""
    for number in range(3):
        edge.generation = f"{number:016x}"
        await edge.deliver(arrived(edge, 1))
    await acks(state)
    state.owe_acks()  # the births that the broker retains come after this, and ask
    assert await acks(state) == []


async def test_what_is_held_above_a_gap_is_told(edge, state):
    await edge.deliver(arrived(edge, 1), arrived(edge, 3), arrived(edge, 4))
    assert [(ack.upto, ack.missing, ack.highest) for ack in await acks(state)] == [(1, ((2, 2),), 4)]
    for seq in range(6, 400, 2):
        await edge.deliver(arrived(edge, seq))
    (ack,) = await acks(state)
    assert (len(ack.missing), ack.missing[-1], ack.highest) == (100, (201, 201), 202), "nothing is claimed beyond"


async def test_an_event_cannot_call_itself_news_for_longer_than_its_kind_may(edge, state):
    handle = await edge.handle_of(RIVER)
    late = edge.entered("door", handle, token(1), age_s=16)
    envelope = msgspec.json.decode(late.payload) | {"expires": "2199-01-01T00:00:00Z"}
    await edge.deliver(Incoming(late.topic, msgspec.json.encode(envelope), late.received_ns))
    assert not edge.moments()
    assert (state.visits.counts(), state.inbox.counters.stale) == ({"door": 1}, 1)


async def test_history_moves_presence_and_is_no_news_on_any_page(edge, state, clock):
    handle = await edge.handle_of(RIVER)
    goods = arrived(edge, 1)
    clock.pass_s(301)
    async with state.feed.listen() as happenings:
        await edge.deliver(Incoming(goods.topic, goods.payload, clock.now_ns), *late_visit(edge, handle))
        assert happenings.empty()
        await edge.deliver(edge.entered("shoes", handle, token(1)))
        assert {happenings.get_nowait().kind for _ in range(happenings.qsize())} == {"visit", "decision"}
    assert (state.items.counts(), state.visits.counts()) == ({"shoes": 1}, {"shoes": 1})


def late_visit(edge: Edge, handle: bytes) -> list[Incoming]:
    edge.seqs = iter(range(2, 99))
    return [edge.entered("door", handle, token(1), age_s=60)]


@pytest.fixture
def written(monkeypatch) -> list[tuple[str, list]]:
    """Every statement's table and rows."""
    import server.work

    upsert, seen = server.work._upsert, []

    async def noted(session, table, rows):
        rows = list(rows)
        seen.append((table.name, rows))
        await upsert(session, table, rows)

    monkeypatch.setattr(server.work, "_upsert", noted)
    return seen


async def test_a_batch_writes_its_events_once_each_and_of_everything_else_the_last_word_only(edge, state, written):
    await edge.deliver(*[arrived(edge, seq) for seq in (1, 2, 3, 5)])
    counts = {table: len(rows) for table, rows in written}
    assert counts == {"event": 4, "generation": 1, "item": 1}
    async with state.db.session() as session:
        row = await session.get(GenerationRow, ("gw-1", edge.generation))
    assert (row.upto, row.above, row.stored) == (3, "5-5", 4)


async def test_an_event_of_a_long_visit_writes_its_own_token_and_not_all_of_them(edge, state, written):
    for number in (1, 2, 3):
        await edge.visit(RIVER, "door", token(number))
    written.clear()
    await edge.deliver(edge.left("door", token(2)))
    (tokens,) = [rows for table, rows in written if table == "visit_token"]
    assert [(row["token"], row["zone"]) for row in tokens] == [(token(2), None)]
    assert state.visits.counts() == {"door": 1}
