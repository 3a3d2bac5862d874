"""A recorded log: sixty people, each with a tag at the breastbone, four antennas, rows that run back with every trial."""

import csv
import gzip
import random
from itertools import pairwise
from pathlib import Path

import pytest

from edge.presence import Antenna, Layout, PresenceSettings, ZoneSettings, ZoneSpec
from tests.hotpath.oracle import OracleRead
from tests.hotpath.store import START_NS
from tests.hotpath.streams import World, compare

LOG = Path(__file__).parents[3] / "shared" / "data" / "rfid-wearable-uci-room1" / "reads.csv.gz"
ROOM = Layout(
    tuple(Antenna("room", number, number - 1) for number in range(1, 5)),
    tuple(ZoneSpec(f"antenna-{number}", "floor") for number in range(1, 5)),
)
PATIENT = PresenceSettings(floor=ZoneSettings(item_departs_s=30.0))
WORLD = World(own_goods=None, capacity=128, layout=ROOM, settings=PATIENT)
LIMIT_NS = 30_000_000_000
pytestmark = pytest.mark.skipif(not LOG.exists(), reason="the recorded log is not here")


@pytest.fixture(scope="module")
def reads() -> list[OracleRead]:
    with gzip.open(LOG, "rt", newline="") as text:
        return [
            OracleRead(
                START_NS + round(float(row["t_s"]) * 1e9),
                int(row["antenna"]) - 1,
                row["trial"].encode(),
                round(float(row["rssi"]) * 100),
            )
            for row in csv.DictReader(text)
        ]


def test_in_file_order_every_trial_begins_in_the_past_and_arrives_once(reads: list[OracleRead]) -> None:
    story = compare(reads, set(range(0, len(reads), 997)), WORLD, 1)
    assert {event.kind for event in story.events} == {"arrived", "moved", "departed", "returned"}
    arrived = [event.epc for event in story.events if event.kind == "arrived"]
    assert len(arrived) == len(set(arrived))
    last_ns: dict[bytes, int] = {}
    for event in story.events:
        assert event.last_read_ns >= last_ns.get(event.epc, 0), "last_read never goes backwards"
        last_ns[event.epc] = event.last_read_ns


def test_in_order_of_time_all_at_once(reads: list[OracleRead]) -> None:
    ordered = sorted(reads, key=lambda read: read.t_ns)
    story = compare(ordered, set(), WORLD, 2)
    assert story.counted["late"] == 0
    times: dict[bytes, list[int]] = {}
    for read in ordered:
        times.setdefault(read.epc, []).append(read.t_ns)
    silences = sum(after - before > LIMIT_NS for each in times.values() for before, after in pairwise(each))
    assert sum(event.kind == "departed" for event in story.events) >= silences > 10


def test_shuffled_within_a_second_as_reports_are(reads: list[OracleRead]) -> None:
    rng = random.Random(3)
    shuffled = sorted(reads, key=lambda read: read.t_ns + rng.randrange(1_000_000_000))
    story = compare(shuffled, set(rng.sample(range(len(reads)), 50)), WORLD, 3)
    assert story.counted["late"] > 1000
