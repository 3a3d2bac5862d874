"""From a card on a reader to a recognised person: the same member by every kind of reader, and never by one read."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from edge.kernels import cache_folder, prepare_kernels
from edge.presence_model import Transition
from edge.read_ring import ReadRing
from readers.card_number import card_of_text
from readers.registry import open_reader
from simulators.device import Device
from simulators.line_cards import LineCardDevice
from simulators.line_cards.device import decimal, facility, hex_and_enter, id_12
from simulators.pn532_hsu import Card, Pn532Device
from simulators.rdm6300 import Rdm6300Device
from tests.hotpath.floor import make_tracker
from tests.hotpath.store import FOREVER_NS, KEY, START_NS, table_of
from tests.readers.simulated import simulated
from tests.support.patience import WAIT_S

CARD, UID = 0x6F007B3972, bytes.fromhex("04a1b2c3d4e5f6")
HANDLE = b"handle-of-zoe-16"
MEMBERS = {card_of_text("em4100:0008075634"): HANDLE, card_of_text("nfc:04:A1:B2:C3:D4:E5:F6"): HANDLE}
CHECKED = "(?P<number>[0-9A-F]{10})(?P<check>[0-9A-F]{2})"
STEP_NS = 300_000_000


@pytest.fixture(scope="module", autouse=True)
def _kernels() -> None:
    prepare_kernels(cache_folder(), lambda *_: None, "engine")


class Touch:
    """A card that is put on, taken off and put on again, as often as it takes."""

    def __init__(self, card: object) -> None:
        self.card, self.looks = card, 0

    def __call__(self, _now_ns: int) -> object:
        self.looks += 1
        return self.card if self.looks // 400 % 2 else None


READERS: Mapping[str, tuple[Device, dict[str, object]]] = {
    "rdm6300": (Rdm6300Device(lambda _: CARD), {}),
    "pn532-hsu": (Pn532Device(lambda _: Card(UID)), {"poll_ms": 20}),
    "decimal": (LineCardDevice(Touch(CARD), decimal), {}),
    "hex": (LineCardDevice(Touch(CARD), hex_and_enter), {"pattern": "(?P<number>[0-9A-F]{8})", "number": "hex"}),
    "facility": (
        LineCardDevice(Touch(CARD), facility),
        {"pattern": "(?P<facility>[0-9]+),(?P<serial>[0-9]+)", "number": "facility", "high_byte": 0},
    ),
    "id-12": (LineCardDevice(Touch(CARD), id_12), {"pattern": CHECKED, "number": "hex", "one_touch": True}),
}


async def seen_after(reads: int, name: str, port: Path) -> list[Transition]:
    """What presence makes of so many reads, 0.3 s apart."""
    device, settings = READERS[name]
    tracker, ring = make_tracker(), ReadRing(100)
    tracker.set_members(KEY, table_of(MEMBERS, FOREVER_NS))
    at_ns = START_NS

    def clock_ns() -> int:
        return at_ns

    kind = name if name in ("rdm6300", "pn532-hsu") else "line-cards"
    async with (
        asyncio.timeout(WAIT_S),
        simulated(device, port),
        open_reader(kind, "r-desk", str(port), settings, clock_ns) as reader,
    ):
        coming = reader.reads()
        for _ in range(reads):
            read = await anext(coming)
            at_ns += STEP_NS
            ring.put(read, 0)
    return tracker.feed(ring.front(100))


@pytest.mark.parametrize("name", READERS)
async def test_two_reads_of_a_card_are_its_member_whatever_reads_it(name, tmp_path):
    (event,) = await seen_after(2, name, tmp_path / "port")
    assert (event.kind, event.person, event.handle, event.rssi_dbm) == ("arrived", True, HANDLE, 0.0)


@pytest.mark.parametrize("name", READERS)
async def test_one_read_of_a_card_names_nobody(name, tmp_path):
    assert await seen_after(1, name, tmp_path / "port") == []


@pytest.mark.parametrize("name", READERS)
async def test_no_number_of_a_card_is_logged(name, tmp_path, caplog):
    caplog.set_level(0)
    await seen_after(2, name, tmp_path / "port")
    said = caplog.text.lower() + "".join(repr(record.args) for record in caplog.records)
    for number in ("8075634", "7b3972", "14706", "a1b2c3", "\\xa1\\xb2"):
        assert number not in said
