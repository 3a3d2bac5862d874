"""Connected, but no tags: each reason is told apart over a real pty, with its next step."""

import os
import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from edge import doctor_probes, doctor_readers
from edge.config_parts import Antenna
from edge.device_config import ReaderConfig
from edge.doctor_findings import Finding
from edge.doctor_probes import examine_port, examine_port_name, examine_scale
from edge.doctor_readers import Survey, _judge, examine_reader
from readers import probe
from readers.health import ReaderHealth
from readers.model import Epc, Read, ReaderId
from readers.ports import SerialPort
from simulators import scene_radio
from simulators.alone import EPCS, make_alone
from simulators.device import Device
from simulators.magicrf_m100 import M100Device
from simulators.magicrf_m100.settings import Firmware as M100Firmware
from simulators.mercury import MercuryDevice
from simulators.mercury.settings import Firmware as MercuryFirmware
from simulators.mt_sics import MtSicsDevice
from simulators.pn532_hsu import Pn532Device
from simulators.r2000_a0 import R2000Device
from simulators.r2000_a0.settings import Firmware as R2000Firmware
from simulators.scene_file import Radio, Reader
from simulators.scene_shelf import LoadReading
from tests.readers.simulated import simulated

M100 = {"region": "europe", "power_dbm": 26}
MERCURY = {"region": "eu3", "power_dbm": 27.0}
R2000 = {"region": "us", "power_dbm": 27}
UHF = {"region": "us", "power_dbm": 26}
SHELF = Antenna(1, "shoes", -72.0)
OURS = (EPCS[0][:4],)


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_readers, "LISTEN_S", 1.5)
    monkeypatch.setattr(doctor_readers, "LISTEN_ON_S", 0.6)


def field(*epcs: bytes) -> scene_radio.Antenna:
    """An antenna with these tags before it, at about -45 dBm."""
    spots = [scene_radio.TagSpot(scene_radio.Epc(epc), "goods", (1.5, 0.0), None, 0.0, on_shelf=True) for epc in epcs]
    reader = Reader("alone", "magicrf-m100", (0.0, 0.0), 0.0)
    return scene_radio.Antenna(Radio(shelf_loss_db=0.0), reader, lambda: spots, random.Random(1))


async def findings(
    folder: Path,
    type_name: str,
    settings: Mapping[str, object],
    device: Device,
    *antennas: Antenna,
    own_goods: tuple[bytes, ...] = OURS,
    minds_baud: bool = False,
) -> Sequence[Finding]:
    config = ReaderConfig(ReaderId("r-1"), type_name, folder / "port", antennas or (SHELF,), settings)
    async with simulated(device, config.port, minds_baud=minds_baud):
        return await examine_reader(config, own_goods)


async def the_finding(folder: Path, type_name: str, settings: Mapping[str, object], device: Device, *rest, **more):
    (finding,) = await findings(folder, type_name, settings, device, *rest, **more)
    assert finding.what.startswith("r-1: ")
    assert bool(finding.next_step) == (finding.level > 0)
    assert "\n" not in finding.what + finding.next_step
    assert not any(epc.hex() in finding.what + finding.next_step for epc in EPCS), "it may be a card"
    return finding


@pytest.mark.parametrize(
    ("type_name", "settings"),
    [("magicrf-m100", M100), ("mercury", MERCURY), ("r2000-a0", R2000), ("uhfreader288", UHF)],
)
async def test_a_reader_that_reads_the_stores_goods_is_well(tmp_path, type_name, settings):
    finding = await the_finding(tmp_path, type_name, settings, make_alone(type_name, EPCS, 1, print))
    assert (finding.level, f"{type_name} answers; a tag at -" in finding.what) == (0, True)


async def test_a_card_reader_is_well_whatever_the_goods_are(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor_readers, "LISTEN_S", 15.0)
    finding = await the_finding(tmp_path, "pn532-hsu", {}, make_alone("pn532-hsu", (), 1, print))
    assert (finding.level, "a tag at 0 dBm" in finding.what) == (0, True)


async def test_a_field_without_a_tag(tmp_path):
    finding = await the_finding(tmp_path, "magicrf-m100", M100, M100Device(field()))
    assert (finding.level, "answers, but no tag in" in finding.what) == (1, True)
    assert "power_dbm" in finding.next_step


async def test_a_floor_that_lets_nothing_pass_comes_with_one_that_would(tmp_path):
    high = Antenna(1, "shoes", -20.0)
    finding = await the_finding(tmp_path, "magicrf-m100", M100, M100Device(field(*EPCS)), high)
    assert (finding.level, "everything is below the floor: the strongest is -" in finding.what) == (2, True)
    assert "on antenna 1, whose floor_dbm is -20" in finding.what
    would_do_dbm = int(finding.next_step.split()[2])
    good = await the_finding(
        tmp_path, "magicrf-m100", M100, M100Device(field(*EPCS)), Antenna(1, "shoes", float(would_do_dbm))
    )
    assert good.level == 0


async def test_an_antenna_without_an_entry_is_in_no_zone(tmp_path):
    both = {**UHF, "active_antennas": [1, 2]}
    nowhere, silent_one = make_alone("uhfreader288", EPCS, 2, print), Antenna(1, "shoes", -72.0)
    well, unnamed = await findings(tmp_path, "uhfreader288", both, nowhere, silent_one)
    assert (well.level, unnamed.level) == (0, 1)
    assert "reads on antenna 2, which has no entry in `antennas`" in unnamed.what
    assert "{ number = 2, zone" in unnamed.next_step
    finding = await the_finding(tmp_path, "magicrf-m100", M100, M100Device(field(*EPCS)), Antenna(4, "shoes"))
    assert (finding.level, "antenna 1, which has no entry" in finding.what) == (2, True)


async def test_strays_are_ignored_on_purpose_and_said_so(tmp_path):
    device = M100Device(field(*EPCS))
    finding = await the_finding(tmp_path, "magicrf-m100", M100, device, own_goods=(b"\xe2\x80",))
    assert finding.level == 1
    assert "none of its 3 tags is of the store's own goods" in finding.what
    assert "ignored on purpose" in finding.what
    assert "own_goods" in finding.next_step


async def test_where_no_goods_are_named_every_tag_is_the_stores_own(tmp_path):
    finding = await the_finding(tmp_path, "magicrf-m100", M100, M100Device(field(*EPCS)), own_goods=())
    assert finding.level == 0


@pytest.mark.parametrize(
    ("type_name", "settings", "device", "what", "step"),
    [
        ("magicrf-m100", {**M100, "power_dbm": 30}, M100Device(field()), "power", "power_dbm"),
        (
            "mercury",
            MERCURY,
            MercuryDevice([field()], firmware=MercuryFirmware(regions=(1,))),
            "region eu3 is not among those of this module: na",
            "set `region`",
        ),
        (
            "mercury",
            {**MERCURY, "active_antennas": [3]},
            MercuryDevice([field()]),
            "active_antennas: no port 3",
            "this module has 1",
        ),
    ],
    ids=["power", "region", "antenna"],
)
async def test_what_a_reader_refuses_is_told_with_what_to_change(tmp_path, type_name, settings, device, what, step):
    finding = await the_finding(tmp_path, type_name, settings, device)
    assert (finding.level, what in finding.what, step in finding.next_step) == (2, True, True), finding
    assert f"{type_name} answers, but " in finding.what


async def test_the_other_family_says_which_type_to_write(tmp_path):
    device = make_alone("uhfreader288", EPCS, 1, print)
    finding = await the_finding(tmp_path, "uhfreader18", UHF, device)
    assert (finding.level, "UHFReader288M" in finding.what) == (2, True)
    assert finding.next_step == 'set type = "uhfreader288"'


async def test_another_protocols_reader_is_named_with_its_type_and_speed(tmp_path, monkeypatch):
    monkeypatch.setattr(probe, "ANSWER_S", 0.15)
    device = make_alone("uhfreader18", EPCS, 1, print)
    finding = await the_finding(tmp_path, "r2000-a0", R2000, device, minds_baud=True)
    assert finding.what == "r-1: no r2000-a0 answers, but UHFReader18 does, at 57600 baud"
    assert 'type = "uhfreader18"' in finding.next_step
    assert "baud = 57600" in finding.next_step


async def test_a_reader_at_another_speed_comes_with_the_baud_to_write(tmp_path):
    device = Pn532Device(lambda _: None)
    finding = await the_finding(tmp_path, "pn532-hsu", {"baud": 9600}, device, minds_baud=True)
    assert finding.what == "r-1: pn532-hsu answers at 115200 baud, not at 9600"
    assert finding.next_step == "write baud = 115200 in its stanza"


async def test_a_scale_at_another_speed_comes_with_the_baud_to_write(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor_probes, "DEVICE_S", 20.0)
    device = MtSicsDevice(lambda _: LoadReading(300.0, stable=True))
    async with simulated(device, tmp_path / "port", minds_baud=True):
        finding = await examine_scale("mt-sics", "w-1", tmp_path / "port", {"baud": 4800})
    assert (finding.level, finding.next_step) == (2, "write baud = 9600 in its stanza")


async def test_a_line_on_which_nothing_answers(tmp_path, monkeypatch):
    monkeypatch.setattr(probe, "ANSWER_S", 0.05)
    finding = await the_finding(tmp_path, "r2000-a0", R2000, Mute())
    assert finding.what == "r-1: r2000-a0 does not answer: no answer at any baud rate"
    assert "power" in finding.next_step


class Mute:
    """A plug with nothing behind it that speaks; or one that says the same again and again."""

    baud = 9600

    def __init__(self, says: bytes = b"") -> None:
        self.says = says

    def feed(self, data: bytes, now_ns: int) -> bytes:
        return b""

    def tick(self, now_ns: int) -> bytes:
        return self.says


async def test_a_card_reader_that_cannot_be_asked_is_silent_or_strange(tmp_path):
    finding = await the_finding(tmp_path, "rdm6300", {}, Mute())
    assert (finding.level, "hold a card" in finding.next_step) == (1, True)
    finding = await the_finding(tmp_path, "rdm6300", {}, Mute(b"\x55\xaa"))
    assert (finding.level, "something speaks, but not as a rdm6300" in finding.what) == (2, True)


async def test_what_a_reader_warns_of_is_why_there_is_no_tag(tmp_path):
    hot = MercuryDevice([field(*EPCS)], firmware=MercuryFirmware(too_hot_above_c=20))
    said = await findings(tmp_path, "mercury", MERCURY, hot)
    assert any("too hot" in finding.what and finding.level == 2 and "cool" in finding.next_step for finding in said), (
        said
    )
    bad = MercuryDevice([field(*EPCS)], firmware=MercuryFirmware(bad_antennas=frozenset({1})))
    said = await findings(tmp_path, "mercury", MERCURY, bad)
    assert any("too much power comes back" in finding.what and "cable" in finding.next_step for finding in said), said


async def test_a_warning_does_not_hide_behind_tags(tmp_path):
    lossy = R2000Device([field(*EPCS)], firmware=R2000Firmware(return_loss_db={1: 2}))
    finding = await the_finding(tmp_path, "r2000-a0", R2000, lossy)
    assert (finding.level, "return loss 2 dB" in finding.what) == (1, True)
    assert "check plug and cable" in finding.next_step
    weak = R2000Device([field(*EPCS)], firmware=R2000Firmware(return_loss_db={1: 2}))
    said = await findings(tmp_path, "r2000-a0", R2000, weak, Antenna(1, "shoes", -20.0))
    assert [finding.level for finding in said] == [2, 1]
    assert "return loss 2 dB" in said[1].what


async def test_a_missing_antenna_is_named(tmp_path):
    missing = R2000Device([None])
    said = await findings(tmp_path, "r2000-a0", R2000, missing)
    assert any("antenna 1" in finding.what and finding.level == 2 for finding in said), said


async def test_a_reader_that_falls_silent_is_no_reader_without_a_tag(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor_readers, "LISTEN_S", 30.0)
    weak = M100Device(field(*EPCS), firmware=M100Firmware(brown_out_above_cdbm=2000))
    finding = await the_finding(tmp_path, "magicrf-m100", M100, weak)
    assert (finding.level, "magicrf-m100 answered, but no sign of life" in finding.what) == (2, True)


def test_a_reader_that_has_to_be_set_going_again_and_again_lacks_power():
    config = ReaderConfig(ReaderId("r-1"), "mercury", Path("port"), (SHELF,), MERCURY)
    (finding,) = _judge(config, Survey(config, OURS), ReaderHealth(signs_of_life=0, rearms=2), None)
    assert (finding.level, "stopped reading 2 times" in finding.what) == (2, True)
    assert "stronger supply" in finding.next_step


async def test_a_reader_that_never_gets_done_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor_readers, "OPEN_S", 0.3)
    finding = await the_finding(tmp_path, "r2000-a0", R2000, Mute())
    assert (finding.level, "is not ready after" in finding.what) == (2, True)


def test_a_read_with_a_wrong_check_of_its_own_is_none():
    survey = Survey(ReaderConfig(ReaderId("r-1"), "mercury", Path("port"), (SHELF,)), OURS)
    for antenna, rssi_dbm in ((1, -50.0), (1, -90.0), (2, -50.0)):
        survey.note(Read(Epc(EPCS[0]), ReaderId("r-1"), antenna, rssi_dbm, 0, crc_ok=False))
    assert (survey.good, survey.weak, survey.unnamed, survey.strays) == (None, {}, set(), set())
    survey.note(Read(Epc(EPCS[0]), ReaderId("r-1"), 1, -72.0, 0, crc_ok=True))
    assert survey.good is not None, "the floor itself is not below the floor"


async def test_a_port_that_somebody_else_holds(tmp_path):
    config = ReaderConfig(ReaderId("r-1"), "magicrf-m100", tmp_path / "port", (SHELF,), M100)
    async with simulated(M100Device(field()), config.port), SerialPort(config.port, 115200):
        (finding,) = await examine_reader(config, OURS)
    assert (finding.level, "in use by another program" in finding.what) == (2, True)
    assert "fuser -v" in finding.next_step


def test_a_port_we_may_not_use(tmp_path, monkeypatch):
    (tmp_path / "port").touch()
    assert examine_port("r-1", tmp_path / "port") is None
    monkeypatch.setattr(os, "access", lambda *_: False)
    finding = examine_port("r-1", tmp_path / "port")
    assert finding is not None
    assert (finding.level, "no permission" in finding.what, "dialout" in finding.next_step) == (2, True, True)


def test_a_port_by_a_passing_name_comes_with_a_lasting_one(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor_probes, "lasting_name", lambda port: Path("/dev/serial/by-id/usb-one") if port else None)
    finding = examine_port_name("r-1", Path("/dev/ttyUSB0"))
    assert finding is not None
    assert (finding.level, "/dev/ttyUSB0 may be another device" in finding.what) == (1, True)
    assert finding.next_step.startswith('write port = "/dev/serial/by-id/usb-one"')
    monkeypatch.setattr(doctor_probes, "lasting_name", lambda _: None)
    assert examine_port_name("r-1", Path("/dev/ttyUSB0")) is None
