"""Every device we say we know, the driver against its simulator over a real pty, found by name as the agent finds it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from edge.actuators.printers import PRINTERS, Label, open_printer
from edge.actuators.registry import RELAYS, open_relay
from edge.health import Tally
from edge.read_ring import ReadRing
from edge.wire_scan import WireScan
from hotpath.warm import _steps
from readers import registry
from readers.errors import ReaderDisconnected
from readers.registry import StreamingReader
from simulators import alone
from simulators.alone import CARD, EPCS, TYPES, UID, make_alone
from simulators.pty_host import PtyLine
from tests.support.patience import WAIT_S
from tests.support.patient_loop import working_ns

SETTINGS: Mapping[str, Mapping[str, object]] = {
    "magicrf-m100": {"region": "europe", "power_dbm": 26},
    "mercury": {"region": "eu3", "power_dbm": 27.0, "active_antennas": [1, 2]},
    "r2000-a0": {"region": "us", "power_dbm": 27, "active_antennas": [1, 2]},
    "uhfreader18": {"region": "us", "power_dbm": 26},
    "uhfreader288": {"region": "us", "power_dbm": 26, "active_antennas": [1, 2]},
    "line-cards": {"pattern": "(?P<number>[0-9]{10})", "number": "decimal"},
    "modbus-weight": {"address": 0, "value_type": "int32", "scale": "1", "mass_unit": "g", "capacity_g": 15000},
    "line-weight": {"mass_unit": "g", "capacity_g": 15000},
    "hlk-ld2410": {"hold_s": 1},
    "tfmini": {"occupied_within_cm": 120},
}
"""What a stanza must hold at least, besides id, type and port."""
UHF = ("magicrf-m100", "mercury", "r2000-a0", "uhfreader18", "uhfreader288")
TWO_ANTENNAS = ("mercury", "r2000-a0", "uhfreader288")


@pytest.fixture(autouse=True, scope="module")
def _compiled() -> None:
    """Seconds of compiling in the middle of a stream would be silence to the driver; the agent compiles at its start."""
    dict(_steps())["wire scan"]()


@pytest.fixture(autouse=True)
def _brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cards, people and loads come and go more often than a person who watches would like."""
    monkeypatch.setattr(alone, "RHYTHM_NS", 1_500_000_000)


@asynccontextmanager
async def plugged(type_name: str, folder: Path, tell: Callable[[str], None] = print) -> AsyncIterator[PtyLine]:
    """The simulated device at its port, alive until the end."""
    antennas = 2 if type_name in TWO_ANTENNAS else 1
    line = PtyLine(make_alone(type_name, EPCS, antennas, tell), folder / "port")
    line.plug()

    async def live() -> None:
        while True:
            line.step(working_ns())
            await asyncio.sleep(0.002)

    living = asyncio.create_task(live())
    try:
        async with asyncio.timeout(WAIT_S):
            yield line
    finally:
        living.cancel()
        line.unplug()


def test_every_type_has_a_simulator_and_every_simulator_a_driver() -> None:
    known = {*registry.READERS, *registry.SCALES, *registry.SENSORS, *RELAYS, *PRINTERS}
    assert known == set(TYPES)


@pytest.mark.parametrize("type_name", UHF)
async def test_a_uhf_reader_reads_all_tags_at_all_antennas(type_name: str, tmp_path: Path) -> None:
    wanted = {(epc, antenna) for epc in EPCS for antenna in (1, 2)[: 2 if type_name in TWO_ANTENNAS else 1]}
    async with plugged(type_name, tmp_path) as line:
        port, settings = str(line.link), SETTINGS[type_name]
        async with registry.open_reader(type_name, "r", port, settings, time.time_ns) as reader:
            async for read in reader.reads():
                assert (read.epc, read.antenna) in {(epc, antenna) for epc in EPCS for antenna in (1, 2)}
                assert -90 <= read.rssi_dbm <= 0
                wanted.discard((bytes(read.epc), read.antenna))
                if not wanted:
                    break
            assert reader.health.signs_of_life


@pytest.mark.parametrize("type_name", UHF)
async def test_a_uhf_readers_bytes_give_the_wire_scan_the_same_tags(type_name: str, tmp_path: Path) -> None:
    ring, wanted = ReadRing(4096), {epc.ljust(64, b"\0") for epc in EPCS}
    async with plugged(type_name, tmp_path) as line:
        port, settings = str(line.link), SETTINGS[type_name]
        async with registry.open_reader(type_name, "r", port, settings, time.time_ns) as reader:
            assert isinstance(reader, StreamingReader)
            scan = WireScan(reader.wire, {1: 0, 2: 1}, ring, Tally())
            async for chunk in reader.chunks():
                reader.scanned(scan.take(chunk))
                seen = {row.tobytes() for row in ring.columns.epc[: ring.room()[0]]}
                if seen == wanted:
                    break
                assert seen <= wanted
            assert reader.health.signs_of_life


@pytest.mark.parametrize(("type_name", "number"), [("line-cards", CARD), ("rdm6300", CARD), ("pn532-hsu", UID)])
async def test_a_card_reader_reads_the_card_that_comes(type_name: str, number: int | bytes, tmp_path: Path) -> None:
    wanted = number if isinstance(number, bytes) else (number & 0xFFFFFFFF).to_bytes(4, "big")
    async with plugged(type_name, tmp_path) as line:
        port, settings = str(line.link), SETTINGS.get(type_name, {})
        async with registry.open_reader(type_name, "r", port, settings, time.time_ns) as reader:
            async for read in reader.reads():
                assert bytes(read.epc).endswith(wanted)
                break


@pytest.mark.parametrize("type_name", sorted(registry.SCALES))
async def test_a_scale_weighs_what_lies_on_it(type_name: str, tmp_path: Path) -> None:
    async with plugged(type_name, tmp_path) as line:
        port, settings = str(line.link), SETTINGS.get(type_name, {})
        async with registry.open_scale(type_name, "w", port, settings, time.time_ns) as scale:
            async for weight in scale.weights():
                if weight.stable and weight.grams == 300:
                    break


@pytest.mark.parametrize("type_name", sorted(registry.SENSORS))
async def test_a_sensor_says_who_comes_and_goes(type_name: str, tmp_path: Path) -> None:
    said: set[bool] = set()
    async with plugged(type_name, tmp_path) as line:
        port, settings = str(line.link), SETTINGS.get(type_name, {})
        async with registry.open_sensor(type_name, "p", port, settings, time.time_ns) as sensor:
            async for proximity in sensor.proximities():
                said.add(proximity.occupied)
                if said == {True, False}:
                    break


@pytest.mark.parametrize("type_name", sorted(RELAYS))
async def test_a_relay_switches(type_name: str, tmp_path: Path) -> None:
    told: list[str] = []
    async with plugged(type_name, tmp_path, told.append) as line, open_relay(type_name, str(line.link), {}) as relay:
        for on in (True, False):
            await relay.switch(on=on)
            while told[-1:] != [f"channel 1 {'on' if on else 'off'}"]:
                await asyncio.sleep(0.005)


@pytest.mark.parametrize("type_name", sorted(PRINTERS))
async def test_a_printer_prints(type_name: str, tmp_path: Path) -> None:
    told: list[str] = []
    async with (
        plugged(type_name, tmp_path, told.append) as line,
        open_printer(type_name, str(line.link), {}) as printer,
    ):
        await printer.print_label(Label(("Trail runners", "42.00")))
        while not told:
            await asyncio.sleep(0.005)
    assert "Trail runners" in told[0]


@pytest.mark.parametrize("type_name", sorted({*registry.READERS}))
async def test_a_reader_whose_cable_is_pulled_is_disconnected_and_works_again_when_it_is_back(
    type_name: str, tmp_path: Path
) -> None:
    settings = SETTINGS.get(type_name, {})
    async with plugged(type_name, tmp_path) as line:
        for _ in range(2):
            async with registry.open_reader(type_name, "r", str(line.link), settings, time.time_ns) as reader:
                async for _read in reader.reads():
                    break
                line.unplug()
                with pytest.raises(ReaderDisconnected):
                    async for _read in reader.reads():
                        pass
            line.plug()
