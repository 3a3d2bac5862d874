"""Events saved from a damaged outbox: sent under their old ids until the server has them, and declared where that cannot be."""

import random
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from broker_config.messages import EdgeAck, EdgeDropped
from edge.outbox import Outbox
from edge.outbox_rows import PendingEvent
from edge.outbox_store import OutboxStore
from edge.salvage_delivery import deliver_salvaged
from tests.edge.salvage_rig import EVENTS, MB, assert_all_accounted_for, saved_seqs, write_outbox
from tests.support.edge import ManualClock


def test_what_is_saved_leaves_half_of_the_quota_free_and_the_rest_is_declared(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    generation = write_outbox(path)
    path.write_bytes(b"\xff" * 40 + path.read_bytes()[40:])
    store = OutboxStore(path, MB)
    saved = assert_all_accounted_for(store, generation)
    assert 50 < saved < EVENTS
    assert max(saved_seqs(store, generation)) == EVENTS, "the newest are what the server lacks"
    store.close()


async def test_the_server_is_asked_how_far_it_is_with_what_was_saved(tmp_path: Path, clock: ManualClock) -> None:
    """What it holds of it need not be sent again."""
    path = tmp_path / "outbox.sqlite"
    generation = write_outbox(path)
    data = bytearray(path.read_bytes())
    data[:4096] = random.Random(1).randbytes(4096)
    path.write_bytes(data)
    async with Outbox(path, "gw-1", quota_bytes=64 * MB, clock_ns=clock) as outbox:
        assert outbox.generations == (generation, outbox.generation)
        await outbox.acknowledge(EdgeAck(generation=generation, upto=EVENTS))
        assert await outbox.salvaged_after(0, 1) == []


async def test_they_are_sent_under_their_old_ids_until_the_server_has_them(tmp_path: Path, clock: ManualClock) -> None:
    path = tmp_path / "outbox.sqlite"
    generation = write_outbox(path)
    data = bytearray(path.read_bytes())
    data[3 * 4096 : 40 * 4096] = bytes(37 * 4096)
    path.write_bytes(data)
    sent: list[int] = []
    async with Outbox(path, "gw-1", quota_bytes=64 * MB, clock_ns=clock) as outbox:
        assert outbox.alarm is not None
        assert "gw-1" not in outbox.alarm
        seqs = outbox.append([PendingEvent("t/9", "A", lambda event_id: str(event_id).encode())])
        assert (seqs, outbox.generation == generation) == ([1], False)
        lost = sum(each.last - each.first + 1 for each in await outbox.salvaged_lost())

        async def publish(topic: str, payload: bytes) -> None:
            sent.append(int(topic[2:]))

        await deliver_salvaged(outbox, publish, server_that_has_all(outbox), wait_s=0, again_s=0)
        assert len(sent) + lost == EVENTS
        assert await outbox.salvaged_after(0, 1) == []
        assert outbox.waiting == 1


def server_that_has_all(outbox: Outbox) -> Callable[[EdgeDropped], Awaitable[None]]:
    """Acknowledges once the last gap is declared, as the server does when nothing is missing any more."""

    async def declare(dropped: EdgeDropped) -> None:
        assert not await outbox.acknowledge(EdgeAck(generation=dropped.generation, upto=EVENTS))

    return declare


def test_what_had_no_room_is_declared_in_one_range(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    write_outbox(path)
    path.write_bytes(b"\xff" * 40 + path.read_bytes()[40:])
    store = OutboxStore(path, MB)
    assert len(store.salvaged_lost()) == 1, "each range is a message, again and again until it is heeded"
    store.close()


@pytest.mark.parametrize(
    "change",
    [
        "payload = CAST(replace(CAST(payload AS TEXT), 'text', 'test') AS BLOB)",
        "topic = 'another'",
        "seq = 7",
        "generation = '0123456789abcdef'",
        "crc = NULL",
    ],
)
def test_a_saved_event_that_is_damaged_afterwards_is_not_sent(tmp_path: Path, change: str) -> None:
    path = tmp_path / "outbox.sqlite"
    generation = write_outbox(path)
    path.write_bytes(b"\xff" * 40 + path.read_bytes()[40:])
    store = OutboxStore(path, 64 * MB)
    assert saved_seqs(store, generation) == set(range(1, EVENTS + 1))
    store._db.execute(f"UPDATE salvaged SET {change} WHERE seq = 100")
    assert saved_seqs(store, generation) == set(range(1, EVENTS + 1)) - {100}
    assert len(store.salvaged_lost()) == 1
    assert store.damaged_events == 1
    store.close()
