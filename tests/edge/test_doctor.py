"""The doctor's findings: each names what is wrong and the next step, and nothing good is called bad."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from edge import doctor_probes
from edge.config import load_config
from edge.doctor import examine, examine_agent, examine_coverage, examine_outbox, lease, running_agent
from edge.doctor_findings import answers
from edge.doctor_probes import examine_broker, examine_port, examine_sensor, examine_server
from readers.health import ReaderHealth
from simulators.hlk_ld2410 import Ld2410Device, Scene
from simulators.tfmini import Echo, TfMiniDevice
from tests.readers.simulated import simulated

STATS = {"outbox": 0, "reads": 10, "members_version": 3, "member_lease_s": 7200}
STATS |= {"strays": 0, "present_items": 0, "present_visits": 0}


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[int]:
    """A port that answers whatever comes with the same bytes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    ("answer", "level", "words"),
    [
        (b"\x20\x02\x00\x05", 0, "refuses strangers"),
        (b"\x20\x02\x00\x00", 2, "lets anybody in"),
        (b"HTTP/1.1 400\r\n", 2, "other than an MQTT broker"),
        (b"", 2, "other than an MQTT broker"),
    ],
)
async def test_the_broker_is_judged_by_how_it_meets_a_stranger(answer: bytes, level: int, words: str) -> None:
    async with answering(answer) as port:
        finding = await examine_broker("127.0.0.1", port)
    assert finding.level == level
    assert words in finding.what
    assert bool(finding.next_step) == (level > 0)


async def test_a_broker_that_is_not_there_is_wrong_and_says_how_to_start_it() -> None:
    async with answering(b"") as port:
        pass
    finding = await examine_broker("127.0.0.1", port)
    assert finding.level == 2
    assert "tacet broker" in finding.next_step


async def test_a_server_that_is_not_there_is_wrong_and_says_how_to_start_it() -> None:
    async with answering(b"") as port:
        pass
    findings, status = await examine_server(f"http://127.0.0.1:{port}")
    assert [finding.level for finding in findings] == [2]
    assert "tacet server" in findings[0].next_step
    assert status is None


def http(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body


async def test_what_the_server_warns_of_itself_is_wrong_with_the_servers_own_advice() -> None:
    alarm = b'"alarm": "a damaged database was set aside; import the members again"'
    body = b'{"agents": [], %s, "warning": "the certificate of server expires in 20 days; renew it"}' % alarm
    async with answering(http(body)) as port:
        findings, _ = await examine_server(f"http://127.0.0.1:{port}")
    said = [(finding.level, finding.next_step) for finding in findings]
    assert said == [(2, "import the members again"), (1, "renew it"), (0, "")], "what will be wrong is not yet"
    assert "a damaged database was set aside" in findings[0].what


def test_the_outbox_says_how_full_it_is_and_what_it_gave_up() -> None:
    counters = {"outbox_percent": 12, "disk_percent": 40, "dropped_a": 0, "dropped_b": 7, "dropped_c": 5}
    waiting, dropped = examine_outbox(3, counters)
    assert (waiting.level, waiting.what) == (
        0,
        "outbox: 3 events wait for the server's word; it is 12 % full, the disk 40 %",
    )
    assert (dropped.level, "7 of goods and shelves, 5 of health" in dropped.what) == (1, True)
    assert "quota_mb" in dropped.next_step
    assert len(examine_outbox(2000, {})) == 1, "an agent of the version before does not say"


@pytest.mark.parametrize("body", [b"[]", b"{}", b"null"])
async def test_another_program_on_the_servers_port_is_said_not_a_crash(body: bytes) -> None:
    async with answering(http(body)) as port:
        findings, status = await examine_server(f"http://127.0.0.1:{port}")
    assert ([finding.level for finding in findings], status) == ([2], None)
    assert "no Tacet server" in findings[0].what


async def test_a_proxy_for_the_web_is_not_asked_for_the_stores_own_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    async with answering(http(b'{"agents":[]}')) as port:
        findings, _ = await examine_server(f"http://127.0.0.1:{port}")
    assert [finding.level for finding in findings] == [0]


def test_a_missing_port_is_named(tmp_path: Path) -> None:
    finding = examine_port("r-door", tmp_path / "gone")
    assert finding is not None
    assert "r-door" in finding.what
    assert "gone" in finding.what
    assert examine_port("r-door", tmp_path) is None


def test_a_lost_device_is_wrong_with_the_reason_as_its_next_step() -> None:
    device = {"id": "r-door", "kind": "magicrf-m100", "state": "lost", "since": "10:00", "reason": "plug it in"}
    agent = {"agent": "gw-1", "state": "alert", "since": "9:00", "devices": [device], "stats": STATS}
    wrong = [finding for finding in examine_agent(agent) if finding.level == 2]
    assert [finding.next_step for finding in wrong] == ["plug it in"]


def test_a_device_that_warns_is_worth_a_look_with_what_to_do() -> None:
    device = {"id": "r-door", "kind": "mercury", "state": "ready", "since": "10:00", "reason": None}
    device |= {"alarm": "its module is hot; give it air", "temperature_c": 81.6}
    agent = {"agent": "gw-1", "state": "ready", "since": "9:00", "devices": [device], "stats": STATS}
    (finding,) = [finding for finding in examine_agent(agent) if finding.level]
    assert (finding.level, finding.next_step) == (1, "give it air")
    assert finding.what == "r-door: mercury ready since 10:00, 82 C; it warns: its module is hot"


def near(_now_ns: int) -> Echo:
    return Echo(80, 900)


def nothing(_now_ns: int) -> Echo:
    return Echo(0, 5)


async def test_a_sensor_is_asked_what_it_senses(tmp_path: Path) -> None:
    port, keys = tmp_path / "port", {"occupied_within_cm": 100}
    async with simulated(TfMiniDevice(near), port):
        finding = await examine_sensor("tfmini", "p-desk", port, keys)
        assert (finding.level, finding.what) == (0, "p-desk: tfmini answers; somebody at 80 cm, 42 C")
    async with simulated(Ld2410Device(lambda _: Scene()), port):
        finding = await examine_sensor("hlk-ld2410", "p-desk", port, {})
        assert (finding.level, finding.what) == (0, "p-desk: hlk-ld2410 answers; nobody")


async def test_a_blinded_sensor_and_a_dead_one_come_with_their_next_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor_probes, "DEVICE_S", 1.0)
    port, keys = tmp_path / "port", {"occupied_within_cm": 100}
    async with simulated(TfMiniDevice(nothing), port):
        finding = await examine_sensor("tfmini", "p-desk", port, keys)
        assert finding.level == 1
        assert "cannot tell" in finding.what
        assert "lens" in finding.next_step
    finding = await examine_sensor("tfmini", "p-desk", port, keys)
    assert finding.level == 2
    assert "no such device" in finding.what


async def test_where_no_agent_runs_every_sensor_is_probed(edge_folder: Path) -> None:
    stanza = '[[sensors]]\nid = "p-desk"\ntype = "hlk-ld2410"\nport = "sim/p-desk"\nzone = "desk"\n'
    path = edge_folder / "edge.toml"
    path.write_text(path.read_text() + stanza)
    findings = await examine(load_config(path), path)
    assert "6 readers, 1 scales, 1 sensors, 1 actuators" in findings[0].what
    assert any("p-desk" in finding.what and "does not exist" in finding.what for finding in findings)


def test_a_device_that_works_and_warns_says_both() -> None:
    health = ReaderHealth(alarms=1, alarm="antenna 2 is missing; connect it", temperature_c=40.0)
    finding = answers("r-1", "mercury", "a tag", health)
    assert (finding.level, finding.next_step) == (1, "connect it")
    assert finding.what == "r-1: mercury answers; a tag, 40 C; it warns: antenna 2 is missing"


def test_a_healthy_agent_has_nothing_wrong() -> None:
    device = {"id": "r-door", "kind": "magicrf-m100", "state": "ready", "since": "10:00", "reason": None}
    agent = {"agent": "gw-1", "state": "ready", "since": "9:00", "devices": [device], "stats": STATS}
    assert {finding.level for finding in examine_agent(agent)} == {0}


@pytest.mark.parametrize(("version", "left_s", "level"), [(0, 0, 1), (3, 0, 2), (3, -5, 2), (3, 60, 0)])
def test_the_member_table_counts_only_while_leased(version: int, left_s: int, level: int) -> None:
    assert lease({"members_version": version, "member_lease_s": left_s}).level == level


@pytest.mark.parametrize(
    ("state", "runs"), [("ready", True), ("alert", True), ("lost", False), ("disconnected", False)]
)
def test_only_an_agent_that_is_up_speaks_for_its_devices(state: str, runs: bool) -> None:
    status = {"agents": [{"agent": "gw-1", "state": state}]}
    assert (running_agent("gw-1", status) is not None) == runs
    assert running_agent("gw-2", status) is None
    assert running_agent("gw-1", None) is None


def a_zone(name: str, covered: bool | None, since: str | None = "10:00") -> dict[str, object]:
    return {"zone": name, "covered": covered, "covered_since": since}


def test_a_zone_whose_reader_is_silent_is_wrong_and_others_zones_are_not_ours() -> None:
    zones = [a_zone("door", False), a_zone("shoes", True), a_zone("till", None, None), a_zone("stock", False)]
    (finding,) = examine_coverage(("door", "shoes", "till"), {"zones": zones})
    assert finding.level == 2
    assert "zone door: not covered since 10:00" in finding.what
    assert examine_coverage(("door",), None) == []
    assert "nobody knows" in examine_coverage(("door",), {"zones": [a_zone("door", False, None)]})[0].what


@pytest.mark.parametrize(
    ("counters", "words"),
    [({"snapshot_refused": 1}, "everybody arrived anew"), ({"snapshot_failures": 4}, "4 times not written")],
)
def test_a_restart_that_forgot_or_would_forget_is_worth_a_look(counters: dict[str, int], words: str) -> None:
    agent = {"agent": "gw-1", "state": "ready", "since": "9:00", "devices": [], "stats": STATS | {"counters": counters}}
    (finding,) = [finding for finding in examine_agent(agent) if finding.level]
    assert finding.level == 1
    assert words in finding.what


async def test_every_port_with_a_passing_name_is_told(edge_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_probes, "lasting_name", lambda port: Path("/dev/serial/by-id") / port.name)
    findings = await examine(load_config(edge_folder / "edge.toml"), edge_folder / "edge.toml")
    assert sum("may be another device" in finding.what for finding in findings) == 8
