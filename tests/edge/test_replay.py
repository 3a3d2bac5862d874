"""`tacet replay`, run as its user runs it but for the process."""

import csv
import gzip
import io
import json
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import get_args

import pytest
from typer.testing import CliRunner, Result

from broker_config.errors import ConfigError
from broker_config.site import ZoneKind
from edge.kernels import warm_up_kernels
from edge.presence_model import PresenceSettings
from edge.replay import replay_app
from edge.replay_run import PROFILES, Overrides, make_settings
from hotpath.leaps import clamp_leaps

HEADER = "t,reader,antenna,epc,rssi_dbm\n"
CARD, TAG, OTHER = "2d14257bf52cb6916d000000", "3034257B0000000000000001", "e2801160600002"
ROOM = Path(__file__).parents[3] / "shared" / "data" / "rfid-wearable-uci-room1"

Replay = Callable[..., Result]


@pytest.fixture(scope="module", autouse=True)
def _kernels() -> None:
    warm_up_kernels()


@pytest.fixture
def replay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Replay:
    """Runs `tacet replay` on the text of a log, with the kernels that are loaded already."""
    monkeypatch.setattr("edge.kernels.warm_up_kernels", lambda _groups: None)
    log = tmp_path / "reads.csv"

    def run(text: str | bytes, *options: str, name: str | None = None, stdin: bytes | None = None) -> Result:
        log.write_bytes(text.encode() if isinstance(text, str) else text)
        return CliRunner().invoke(replay_app, [name or str(log), *options], input=stdin, catch_exceptions=False)

    return run


def lines(result: Result) -> list[dict[str, object]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def rows(*each: tuple[float | str, int, str, float]) -> str:
    return HEADER + "".join(f"{t},r1,{antenna},{epc},{rssi}\n" for t, antenna, epc, rssi in each)


def test_events_carry_exactly_what_was_agreed(replay: Replay) -> None:
    first, second = lines(
        replay(
            rows(
                ("1700000000.123456789", 1, TAG, -50.5), ("1700000000.5", 1, TAG, -50.5), ("1700000700", 1, OTHER, -50)
            )
        )
    )
    assert first == {
        "event": "arrived", "t": 1700000000.123456789, "detected_t": 1700000000.5, "epc": TAG, "zone": "antenna-1",
        "from_zone": None, "last_read_t": 1700000000.5, "reads": 2, "rssi_dbm": -50.5, "reason": None,
    }  # fmt: skip
    assert (second["event"], second["detected_t"], second["reason"]) == ("departed", 1700000600 + 500 / 1000, "timeout")


def test_times_are_printed_to_the_last_digit(replay: Replay) -> None:
    times = ["1700000000.123456789", "0.000000005", "0", "8589934592", "1.5", "12.05"]
    result = replay(rows(*((t, 1, TAG, -50) for t in times)), "--emit", "reads", "--window-s", "0")
    assert [re.findall('"t":([0-9.]+)', line) for line in result.stdout.splitlines()] == [
        [t] for t in sorted(times, key=Decimal)
    ]


def test_signals_are_printed_as_decimals(replay: Replay) -> None:
    signals = [-50, -50.5, -0.05, 0, 7.25, -327]
    result = replay(rows(*((0, 1, TAG, dbm) for dbm in signals)), "--emit", "reads", "--window-s", "0")
    assert re.findall('"rssi_dbm":([-0-9.]+)', result.stdout) == [repr(float(dbm)) for dbm in signals]


def test_gzip_standard_input_and_a_byte_order_mark_are_read(replay: Replay) -> None:
    text = rows((0, 1, TAG, -50), (1, 1, TAG, -50)).encode()
    plain = lines(replay(text))
    assert lines(replay(gzip.compress(text))) == plain
    assert lines(replay(text, name="-", stdin=gzip.compress(text))) == plain
    assert lines(replay(b"\xef\xbb\xbf" + text)) == plain
    assert len(plain) == 1


def test_columns_may_come_in_any_order_with_others_between(replay: Replay) -> None:
    text = f"epc,phase,rssi_dbm,antenna,t,reader\n{TAG},1,-50,2,0,a\n{TAG},2,-50,2,1,a\n"
    assert [line["zone"] for line in lines(replay(text))] == ["antenna-2"]


def test_a_missing_column_is_one_clear_error(replay: Replay) -> None:
    with pytest.raises(ConfigError, match="header lacks epc, rssi_dbm"):
        replay("t,reader,antenna\n0,a,1\n")
    with pytest.raises(ConfigError, match="header lacks t, reader"):
        replay("")
    with pytest.raises(ConfigError, match="no such file"):
        replay("", name="/nonexistent.csv")


def test_a_file_that_is_no_log_is_one_clear_error(replay: Replay, tmp_path: Path) -> None:
    packed = gzip.compress(rows(*((n, 1, TAG, -50) for n in range(5000))).encode())
    for log, why in (
        (packed[:-4], r"the gzip file is cut short; `gzip -dc .*reads.csv \| tacet replay -` reads what is there"),
        (packed[:500], "cut short"),
        (packed[:40] + b"\xff" + packed[41:], "is a damaged gzip file"),
        (packed + b"more", "is a damaged gzip file"),
        (b"\x89PNG\r\n\x1a\n\0\0", "is no UTF-8 text"),
        (HEADER.encode("utf-16"), "is no UTF-8 text"),
        (HEADER.encode() + b"0,r,1,aa,-50,\xe9\n", "is no UTF-8 text"),
        (HEADER.encode() + b"0,r,1,aa,-50,\xe9", "is no UTF-8 text"),
        (HEADER.replace(",", ";").encode(), "header lacks t"),
        (b"\n" + HEADER.encode(), "header lacks t"),
    ):
        with pytest.raises(ConfigError, match=why):
            replay(log)
    with pytest.raises(ConfigError, match="`gzip -dc FILE"):
        replay("", name="-", stdin=packed[:-4])
    with pytest.raises(ConfigError, match="Is a directory"):
        replay("", name=str(tmp_path))


def test_gzip_members_and_padding_are_one_log(replay: Replay) -> None:
    text = rows(*((n, 1, TAG, -50) for n in range(9))).encode()
    packed = gzip.compress(text[:77]) + bytes(3) + gzip.compress(text[77:]) + bytes(1 << 21)
    assert lines(replay(packed, "--emit", "summary")) == lines(replay(text, "--emit", "summary"))


def test_rows_that_cannot_be_read_are_named_and_the_rest_counts(replay: Replay) -> None:
    bad = [
        "x,r,1,aa,-50",
        "0,r,one,aa,-50",
        "0,r,1,abc,-50",
        "0,r,1,,-50",
        "0,r,1,aa,nan",
        "0,r,1,aa",
        "1e99,r,1,aa,-50",
        "nan,r,1,aa,-5",
        "-1,r,1,aa,-5",
    ]
    result = replay(HEADER + f"0,r,1,{TAG},-50\n" + "\n".join(bad) + f"\n1,r,1,{TAG},-50\n", "--emit", "summary")
    (summary,) = lines(result)
    assert (summary["malformed"], summary["reads"], summary["arrivals"]) == (9, 2, 1)
    assert "row 2 (line 3): t 'x' is not a number of seconds" in result.stderr
    assert "row 6 (line 7): rssi_dbm 'nan'" in result.stderr
    assert "9 rows left out in all" in result.stderr


def test_the_summary_counts_what_became_of_every_tag(replay: Replay) -> None:
    text = rows(
        (0, 1, TAG, -50),
        (1, 1, TAG, -50),
        (2, 1, OTHER, -50),
        (0.5, 1, TAG, -50),
        (700, 1, TAG, -50),
        (701, 1, TAG, -50),
    )
    (summary,) = lines(replay(text, "--emit", "summary"))
    assert summary == {
        "reads": 6, "late": 1, "stale": 0, "clamped": 0, "malformed": 0, "below_floor": 0,
        "rssi_clamped": 0, "tags": 2, "strays": 1, "arrivals": 2,
        "returned": 1, "moves": 0, "departures": 1, "still_present": 1,
    }  # fmt: skip


def test_options_change_when_a_tag_arrives_moves_and_departs(replay: Replay) -> None:
    text = rows(*((t, 1, TAG, -50) for t in (0, 3, 20)), *((21 + t / 10, 2, TAG, -45) for t in range(30)))
    assert [line["event"] for line in lines(replay(text, "--confirm-reads", "1", "--depart-after-s", "10"))] == [
        "arrived", "departed", "returned", "moved",
    ]  # fmt: skip
    assert [line["event"] for line in lines(replay(text, "--confirm-window-ms", "3000"))] == ["arrived", "moved"]
    assert [line["event"] for line in lines(replay(text, "--confirm-window-ms", "3000", "--profile", "garment"))] == [
        "arrived"
    ]


def test_a_zones_file_gives_antennas_a_place(replay: Replay, tmp_path: Path) -> None:
    zones = tmp_path / "zones.toml"
    zones.write_text(
        '[[zones]]\nid = "in"\nantennas = ["r1/1", "r1/2"]\nfloor_dbm = -60\n[[zones]]\nid = "out"\nkind = "exit"\nantennas = ["r1/3"]\n'
    )
    text = rows(
        (0, 1, TAG, -50),
        (0.1, 2, TAG, -50),
        (1, 2, TAG, -61),
        *((3 + t / 10, 3, TAG, -50) for t in range(3)),
        (99, 1, OTHER, -50),
    )
    events = lines(replay(text, "--zones", str(zones)))
    assert [(line["event"], line["zone"], line["reason"]) for line in events] == [
        ("arrived", "in", None), ("moved", "out", None), ("departed", "out", "exit"),
    ]  # fmt: skip
    with pytest.raises(ConfigError, match="no zone has antenna 'r1/4'"):
        replay(rows((0, 4, TAG, -50)), "--zones", str(zones))


def test_named_cards_are_persons_with_persons_clocks(replay: Replay, tmp_path: Path) -> None:
    members = tmp_path / "members.csv"
    members.write_text(f"card,alias\n{CARD},River\n")
    text = rows((0, 1, CARD, -50), (0.1, 1, TAG, -50), (1, 1, CARD, -50), (1.1, 1, TAG, -50), (60, 1, TAG, -50))
    events = lines(replay(text, "--members", str(members)))
    assert [(line["event"], line["epc"]) for line in events] == [
        ("arrived", CARD),
        ("arrived", TAG),
        ("departed", CARD),
    ]
    members.write_text(f"{CARD}\nxyz\n")
    with pytest.raises(ConfigError, match="line 2"):
        replay(text, "--members", str(members))


def test_repeats_are_suppressed_by_tag_or_by_tag_and_antenna(replay: Replay) -> None:
    text = rows((0, 1, TAG, -50), (2, 1, TAG, -50), (1, 2, TAG, -51), (1, 1, OTHER, -50), (1.9, 1, OTHER, -50))
    kept = lines(replay(text, "--emit", "reads", "--window-s", "2"))
    assert [(line["t"], line["epc"], line["antenna"]) for line in kept] == [(0, TAG, 1), (1, OTHER, 1), (2, TAG, 1)]
    assert kept[0] == {"t": 0, "reader": "r1", "antenna": 1, "epc": TAG, "rssi_dbm": -50.0}
    assert len(lines(replay(text, "--emit", "reads", "--by", "epc-antenna"))) == 4


def test_a_log_without_rows_has_nothing_to_say(replay: Replay) -> None:
    assert lines(replay(HEADER)) == []
    (summary,) = lines(replay(HEADER, "--emit", "summary"))
    assert set(summary.values()) == {0}
    assert lines(replay(HEADER, "--emit", "reads")) == []


def test_one_row_from_the_future_departs_nobody_and_three_are_a_gap(replay: Replay) -> None:
    near = [(0, 1, TAG, -50.0), (1, 1, TAG, -50.0)]
    future = [(90_000 + n, 1, OTHER, -50.0) for n in range(3)]
    (lone,) = lines(replay(rows(*near, future[0], (2, 1, TAG, -50)), "--emit", "summary"))
    assert (lone["clamped"], lone["departures"], lone["late"]) == (1, 0, 0)
    (gap,) = lines(replay(rows(*near, *future), "--emit", "summary"))
    assert (gap["clamped"], gap["departures"]) == (0, 1)


def test_rows_over_an_hour_older_than_one_before_are_ignored_counted_and_named(replay: Replay) -> None:
    first = [(10_000 + n, 1, TAG, -50.0) for n in range(3)]
    result = replay(rows(*first, (6402, 1, OTHER, -50), (6402, 1, OTHER, -50)), "--emit", "summary")
    (summary,) = lines(result)
    assert (summary["late"], summary["stale"], summary["arrivals"], summary["reads"]) == (2, 0, 2, 5)
    assert result.stderr == ""
    result = replay(rows(*first, (6401, 1, OTHER, -50), (6401, 1, OTHER, -50)), "--emit", "summary")
    (summary,) = lines(result)
    assert (summary["late"], summary["stale"], summary["arrivals"], summary["strays"]) == (2, 2, 1, 1)
    assert "2 rows ignored: each is over an hour older than a row before it" in result.stderr


def test_a_full_table_of_tags_evicts_and_refuses_nobody(replay: Replay) -> None:
    tags = [(n / 100, 1, f"{n:024x}", -50.0) for n in range(100)]
    (summary,) = lines(replay(rows(*tags, *((t + 1, *rest) for t, *rest in tags)), "--emit", "summary"))
    assert (summary["tags"], summary["arrivals"], summary["strays"], summary["still_present"]) == (100, 100, 0, 100)


def test_who_dwells_is_not_printed(replay: Replay, tmp_path: Path) -> None:
    members = tmp_path / "members.csv"
    members.write_text(CARD)
    text = rows(*((n, 1, CARD, -50) for n in range(60)))
    assert [line["event"] for line in lines(replay(text, "--members", str(members)))] == ["arrived"]


def test_names_are_escaped_and_epcs_printed_as_they_were_written(replay: Replay) -> None:
    text = HEADER + '0,"a""b\\c門",1,aBcD,-50\n0,r,1,"Ab \n  cD",-50\n1,"a""b\\c門",1,ABCD,-50\n1,r,1, ABEF ,-50\n'
    kept = lines(replay(text, "--emit", "reads", "--window-s", "0"))
    assert [(line["reader"], line["epc"]) for line in kept] == [
        ('a"b\\c門', "aBcD"), ("r", "aBcD"), ('a"b\\c門', "aBcD"), ("r", "ABEF"),
    ]  # fmt: skip
    (event,) = lines(replay(text.replace("r,1", "r,2")))
    assert (event["zone"], event["epc"]) == ("antenna-1", "aBcD")


@pytest.mark.parametrize(
    ("t_s", "believed_s", "clamped"),
    [
        ([0, 3600, 7200], [0, 3600, 7200], 0),
        ([0, 3601, 1], [0, 0, 1], 1),
        ([0, 9000, 9001, 2, 9000], [0, 0, 0, 2, 2], 3),
        ([0, 9000, 9001, 9002, 9003], [0, 9000, 9001, 9002, 9003], 0),
        ([0, 9000, 90_000, 90_001, 90_002], [0, 0, 90_000, 90_001, 90_002], 1),
        ([0, 9000, 90_000, 9000, 3], [0, 0, 0, 0, 3], 3),
        ([5, 9000, 9001], [5, 5, 5], 2),
        ([5], [5], 0),
    ],
)
def test_held_rows(t_s: list[int], believed_s: list[int], clamped: int) -> None:
    import numpy as np

    believed = np.array(t_s, np.int64) * 10**9
    assert clamp_leaps(believed, 3600 * 10**9) == clamped
    assert (believed // 10**9).tolist() == believed_s


@pytest.mark.skipif(not ROOM.is_dir(), reason="the recording of room 1 is not beside the project")
def test_a_real_recording_gives_the_reference_numbers(replay: Replay) -> None:
    expected = json.loads((ROOM / "expected.json").read_text())
    trials: dict[str, list[dict[str, str]]] = {}
    with gzip.open(ROOM / "reads.csv.gz", "rt", newline="") as text:
        for row in csv.DictReader(text):
            trials.setdefault(row["trial"], []).append(row)
    assert set(trials) == set(expected)
    assert len(trials) == 60
    for number, (trial, reads) in enumerate(sorted(trials.items())):
        log = io.StringIO()
        log.write(HEADER)
        for row in reads:
            log.write(f"{row['t_s']},room1,{row['antenna']},{0x3034257B << 64 | number:024x},{row['rssi']}\n")
        wanted, text = expected[trial], log.getvalue()
        for limit_s, visits in wanted["visits"].items():
            (summary,) = lines(replay(text, "--emit", "summary", "--confirm-reads", "1", "--depart-after-s", limit_s))
            assert (summary["arrivals"], summary["reads"]) == (visits, wanted["reads"]), (trial, limit_s)
        for by, name in (("epc", "dedup_by_epc"), ("epc-antenna", "dedup_by_epc_antenna")):
            for window_s, kept in wanted[name].items():
                assert len(lines(replay(text, "--emit", "reads", "--window-s", window_s, "--by", by))) == kept, trial


@pytest.mark.parametrize(
    "options",
    [
        ["--depart-after-s", "1e12"],
        ["--depart-after-s", "nan"],
        ["--confirm-window-ms", "99999999999999999999"],
        ["--confirm-reads", "99999999999999999999"],
        ["--emit", "reads", "--window-s", "1e300"],
        ["--emit", "reads", "--window-s", "nan"],
    ],
)
def test_a_number_that_no_time_can_be_is_refused_not_an_overflow(replay: Replay, options: list[str]) -> None:
    result = replay(rows((0, 1, TAG, -50), (1, 1, TAG, -50)), *options)
    assert (result.exit_code, options[-2] in result.stderr) == (2, True), result.stderr


KINDS = get_args(ZoneKind)


def test_without_a_profile_each_kind_of_zone_keeps_its_own_as_it_does_live() -> None:
    plain, changed = PresenceSettings(), make_settings(Overrides())
    assert {kind: changed.of_kind(kind).item for kind in KINDS} == {kind: plain.of_kind(kind).item for kind in KINDS}
    assert len({plain.of_kind(kind).item for kind in KINDS}) > 1
    chosen = make_settings(Overrides(profile=PROFILES["garment"]))
    assert {chosen.of_kind(kind).item for kind in KINDS} == {PROFILES["garment"]}
