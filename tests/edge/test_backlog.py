"""Which messages hold a backlog's events."""

from pathlib import Path

from broker_config.messages import MAX_PAYLOAD_BYTES, EdgeBacklog, decode
from broker_config.site import ZoneId
from edge.backlog import Backlog
from edge.delivery import Delivery
from edge.events import Announcer
from edge.outbox import Outbox
from edge.outbox_rows import Row
from tests.support.edge import ManualClock


async def test_events_share_as_few_messages_as_hold_them_and_one_too_long_goes_as_it_is(
    tmp_path: Path, clock: ManualClock
) -> None:
    announcer = Announcer("demo", "gw-1", (ZoneId("door"),), b"s" * 32, clock, simulated=True)
    sizes = [100, 30_000, 30_000, 200, MAX_PAYLOAD_BYTES, 100]
    rows = [Row(seq, "B", f"t/{seq}", b'"' * (size // 2)) for seq, size in enumerate(sizes, 1)]  # a quote takes two
    async with Outbox(tmp_path / "outbox.sqlite", "gw-1", quota_bytes=1 << 20, clock_ns=clock) as outbox:
        found = list(Backlog(outbox, announcer, Delivery())._groups(rows))
    sent: list[tuple[str, bytes]] = []
    for group in found:
        if isinstance(group, Row):
            sent.append((group.topic, group.payload))
            continue
        topic, payload = group
        assert (topic, len(payload) <= MAX_PAYLOAD_BYTES) == ("tacet/1/demo/edge/gw-1/backlog", True)
        data = decode(payload).data
        assert isinstance(data, EdgeBacklog)
        assert len(data.rows) > 1
        sent += [(row.topic, row.payload.encode()) for row in data.rows]
    assert sent == [(row.topic, row.payload) for row in rows]
    assert 2 <= len(found) < len(rows)
