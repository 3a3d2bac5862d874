"""A whole rig on ptys: the same commands at the same times give the same bytes, and nothing is left behind."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from simulators.device import Device
from simulators.errors import SimulatorError
from simulators.magicrf_m100.frames import COMMAND, frame
from simulators.scene_file import FaultPlan, Reader, Relay, Scale, Unplug
from simulators.store import StoreRig, run_store
from tests.simulators.conftest import START_NS

TICK_NS = 4_000_000
MULTI_POLL = frame(COMMAND, 0x27, b"\x22\x00\x00")


class Tap:
    """Stands between a device and its line: records what the device says, and slips in commands at exact times."""

    def __init__(self, device: Device) -> None:
        self.device, self.baud, self.heard, self._commands = device, device.baud, b"", b""

    def send(self, data: bytes) -> None:
        self._commands += data

    def feed(self, data: bytes, now_ns: int) -> bytes:
        return self.device.feed(data, now_ns)

    def tick(self, now_ns: int) -> bytes:
        commands, self._commands = self._commands, b""
        said = (self.device.feed(commands, now_ns) if commands else b"") + self.device.tick(now_ns)
        self.heard += said
        return said


def tap(rig: StoreRig) -> dict[str, Tap]:
    for line in rig.lines.values():
        line.device = Tap(line.device)
    return {name: line.device for name, line in rig.lines.items()}


def record(scene, zones, out: Path, seed: int = 1) -> tuple[dict[str, bytes], bytes]:
    """What the devices say in ten seconds, and the truth."""
    with StoreRig(scene, zones, out, seed=seed, start_ns=START_NS) as rig:
        taps = tap(rig)
        for tick in range(2500):
            if tick == 25:
                taps["r-shelf"].send(MULTI_POLL)
                taps["w-1"].send(b"SIR\r\n")
            if tick == 1275:
                taps["lamp"].send(b"\xa0\x01\x01\xa2" + b"\xa0\x02\x01\xa4")
            rig.step(START_NS + tick * TICK_NS)
        rig.finish()
    return {name: tapped.heard for name, tapped in taps.items()}, rig.truth.path.read_bytes()


def test_the_same_seed_gives_the_same_reads_and_the_same_truth(scene, zones, tmp_path):
    first, again, other = (record(scene, zones, tmp_path / name, seed) for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    assert first == again
    assert first[0]["r-shelf"].count(b"\xbb\x02\x22") > 200
    assert first[0]["w-1"].count(b"\r\n") > 90
    assert first[0] != other[0]


def test_faults_on_a_line_are_seeded_and_do_not_change_the_story(scene, zones, tmp_path):
    rough = msgspec.structs.replace(
        scene, faults={"r-shelf": FaultPlan(drop_rate=0.01, corrupt_rate=0.01, split_rate=0.2)}
    )
    first, again = (record(rough, zones, tmp_path / name) for name in "ab")
    clean = record(scene, zones, tmp_path / "c")
    assert first == again
    assert first[0]["r-shelf"] != clean[0]["r-shelf"]
    assert first[0]["w-1"] == clean[0]["w-1"]
    assert facts(first[1], "pick") == facts(clean[1], "pick") != []


def facts(truth: bytes, kind: str) -> list[dict]:
    return [fact for line in truth.splitlines() if (fact := msgspec.json.decode(line))["kind"] == kind]


def test_the_truth_says_when_the_lamp_really_switched_and_how_much_was_read(scene, zones, tmp_path):
    heard, truth = record(scene, zones, tmp_path)
    switched = facts(truth, "relay-switched")
    assert [(fact["relay"], fact["channel"], fact["on"]) for fact in switched] == [
        ("lamp", 1, True)
    ]  # the other frame is not sound
    assert switched[0]["at"].startswith("2023-11-14T22:13:25.1")
    reads = facts(truth, "reads-emitted")[-1]
    assert reads["goods"] + reads["card"] + reads["foreign"] >= heard["r-shelf"].count(b"\xbb\x02\x22") > 0
    assert facts(truth, "summary")[0]["relay_switches"] == 1


def test_ports_and_truth_are_the_owners_and_the_ports_go_away(scene, zones, tmp_path):
    out = tmp_path / "sim"
    with StoreRig(scene, zones, out, seed=1, start_ns=START_NS) as rig:
        assert out.stat().st_mode & 0o777 == 0o700
        assert rig.truth.path.stat().st_mode & 0o777 == 0o600
        assert {link.name for link in out.iterdir() if link.is_symlink()} == {"r-shelf", "w-1", "lamp"}
    assert not any(link.is_symlink() for link in out.iterdir())


def test_two_simulators_never_share_a_folder(scene, zones, tmp_path):
    with StoreRig(scene, zones, tmp_path, seed=1, start_ns=START_NS) as rig:
        target = rig.lines["lamp"].link.readlink()
        with (
            pytest.raises(SimulatorError, match="another simulator"),
            StoreRig(scene, zones, tmp_path, seed=1, start_ns=0),
        ):
            pass
        assert rig.lines["lamp"].link.readlink() == target
    with StoreRig(scene, zones, tmp_path, seed=1, start_ns=START_NS):
        pass


def test_a_truth_that_cannot_be_written_is_one_line_and_leaves_the_folder_free(scene, zones, tmp_path):
    (tmp_path / "truth.jsonl").mkdir()
    with (
        pytest.raises(SimulatorError, match="cannot be written"),
        StoreRig(scene, zones, tmp_path, seed=1, start_ns=START_NS),
    ):
        pass
    assert not any(link.is_symlink() for link in tmp_path.iterdir())
    (tmp_path / "truth.jsonl").rmdir()
    with StoreRig(scene, zones, tmp_path, seed=1, start_ns=START_NS):
        pass


def test_cables_are_pulled_and_put_back_as_planned(scene, zones, tmp_path):
    broken = msgspec.structs.replace(scene, faults={"w-1": FaultPlan(unplug=(Unplug(at_s=1.0, for_s=2.0),))})
    with StoreRig(broken, zones, tmp_path, seed=1, start_ns=START_NS) as rig:
        there = []
        for second in (0.5, 1.5, 2.9, 3.1):
            rig.step(START_NS + int(second * 1e9))
            there.append(rig.lines["w-1"].link.is_symlink())
    assert there == [True, False, False, True]
    truth = rig.truth.path.read_bytes()
    assert [fact["device"] for kind in ("cable-unplugged", "cable-plugged") for fact in facts(truth, kind)] == [
        "w-1",
        "w-1",
    ]


async def test_a_run_ends_at_its_time_or_when_stopped(scene, zones, tmp_path):
    now_ns = START_NS

    def clock_ns() -> int:
        nonlocal now_ns
        now_ns += TICK_NS
        return now_ns

    with StoreRig(scene, zones, tmp_path, seed=1, start_ns=START_NS) as rig:
        summary = await run_store(rig, clock_ns, asyncio.Event(), seconds=0.2)
        assert summary.seconds == pytest.approx(0.2, abs=0.02)
    stopped = asyncio.Event()
    stopped.set()
    with StoreRig(scene, zones, tmp_path, seed=1, start_ns=START_NS) as rig:
        assert (await run_store(rig, clock_ns, stopped)).shoppers == 0


REAL_TIME = bytes((0xA0, 0x04, 0xFF, 0x89, 0x01, 0xD3))  # one real-time round at the work antenna
SECOND_ANTENNA = bytes((0xA0, 0x04, 0xFF, 0x74, 0x01, 0xE8))


def test_a_store_may_have_another_make_of_everything_and_a_second_antenna(scene, zones, tmp_path):
    other = msgspec.structs.replace(
        scene,
        readers=(Reader("r-shelf", "r2000-a0", (7.5, 3.5), more_at=((2.0, 0.5),)),),
        scales=(Scale("w-1", "line-weight", "s1"),),
        relays=(Relay("lamp", "modbus-relay", 2),),
    )
    with StoreRig(other, zones, tmp_path / "out", seed=1, start_ns=START_NS) as rig:
        taps = tap(rig)
        for tick in range(1000):
            if tick in (100, 110):
                taps["r-shelf"].send(SECOND_ANTENNA if tick == 100 else REAL_TIME)
            rig.step(START_NS + tick * TICK_NS)
        assert b"1200." in taps["w-1"].heard, "four pieces of 300 g lie on the shelf"
        assert bytes.fromhex("3034257bf400cb0000000001") in taps["r-shelf"].heard
        near, far = rig.antennas["r-shelf"][1], rig.antennas["r-shelf"][0]
        assert sum(near.emitted.values()) > 0
        assert sum(far.emitted.values()) == 0
        assert rig.finish().reads == {"r-shelf": sum(near.emitted.values())}


def test_a_reader_with_one_connector_has_no_second_antenna():
    with pytest.raises(ValueError, match="has one antenna"):
        Reader("r", "uhfreader18", (0.0, 0.0), more_at=((1.0, 1.0),))
