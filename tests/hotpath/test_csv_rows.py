"""Reading logs by the kernel against Python's csv, Decimal and float: the same rows, tables, refusals and line numbers."""

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge.recording import NAMED_BAD_ROWS, Recording
from edge.recording_file import LONGEST_LINE_BYTES
from edge.recording_reader import FEW_ROWS, read_recording
from tests.edge.recording_oracle import COLUMNS, read_slowly

HEADER = ",".join(COLUMNS) + "\n"

# fmt: off
ODD = {
    "t": ["0", "5.", ".5", "1700000000.123456789", "1700000000.1234567895", "0.9999999995", "-0", "-1", "-0.0000000001", "-0.000000001",
          "+7", "1e3", "1E+3", "nan", "inf", "", "x", "8589934592", "8589934591.999999999", "8589934592.000000001", "99999999999",
          "00000000001", "1_000", "1.2.3", "٣", " 3 ", "\t4", "4\x1c", "1e99999999", "1e-99999999", "-1e99999999"],
    "reader": ["r1", "r-2", "", " r1", "r1 ", "門", "r\x00", "r" * 300, 'r"1'],
    "antenna": ["1", "2", "01", " 1", "65535", "65536", "-1", "", "1.0", "one", "²", "+1", "1" * 300],
    "epc": ["aa", "AA", "aA", "a", "", "abc", "3034257B0000000000000001", "30 34", "12\n34", " aa ", "xx", "aa\t", "ab" * 62, "ab" * 63,
            "ag", "a" * 200, "0x12", "aa\x0b", "@@", "`a", "G0"],
    "rssi_dbm": ["-50", "-50.5", "-50.125", "-50.135", "-50.145", "-50.005", "0", "-0", "-0.001", "327", "-327", "327.001",
                 "327.0000000001", "-327.00000000000001", "nan", "-inf", "", "-", ".", "-.", "-5.", "-.5", ".5", "+5", "1e1", "--5",
                 "5-", "5.5.5", "1_0", " -50 ", "-50\x0c", "0000000000000050", "-50.00000000000000000000000001", "123456789012345", "٣"],
}
# fmt: on
PLAIN = {"t": "12.5", "reader": "r1", "antenna": "1", "epc": "aa", "rssi_dbm": "-5"}
TIMES = st.sampled_from(ODD["t"]) | st.decimals(-10, 1 << 34, places=9).map(str)
EPCS = st.sampled_from(ODD["epc"]) | st.binary(min_size=1, max_size=20).map(bytes.hex)
SIGNALS = st.sampled_from(ODD["rssi_dbm"]) | st.floats(-330, 330).map(repr) | st.decimals(-328, 328, places=3).map(str)
PLAIN_ROWS = "1,r1,1,aa,-5\n" * (2 * FEW_ROWS)
"""After so many of them the next row, too, is shown to the kernel."""
NASTY = {
    "t": TIMES,
    "reader": st.sampled_from(ODD["reader"]),
    "antenna": st.sampled_from(ODD["antenna"]),
    "epc": EPCS,
    "rssi_dbm": SIGNALS,
}
OTHERS = st.sampled_from(["", "x", "a b", "門", "1,2", 'say "hi"', "two\nlines", "cr\rlf\r\n", "\x00"])
ENDS = st.sampled_from(["\n", "\r\n", "\r", "\n\n", "\r\r\n"])


def quoted(text: str, how: str) -> str:
    if how == "always" or (how == "as needed" and any(each in text for each in '",\r\n')):
        return '"' + text.replace('"', '""') + '"'
    return text


@st.composite
def logs(draw: st.DrawFn) -> bytes:
    """A log with its columns in any order, most rows plain."""
    columns = draw(st.permutations([*COLUMNS, "other", "t", ""]))
    end = draw(ENDS)
    lines = [",".join(columns)]
    for _ in range(draw(st.integers(0, 12))):
        odd = draw(st.sets(st.sampled_from([*COLUMNS, "other"]), max_size=2))
        texts = {name: draw(NASTY[name]) if name in odd else PLAIN[name] for name in COLUMNS}
        other = draw(OTHERS) if "other" in odd else "z"
        fields = [texts.get(name, other) for name in columns]
        how = draw(st.sampled_from(["as needed", "as needed", "always", "never"]))
        lines.append(",".join(quoted(each, how) for each in fields[: draw(st.sampled_from([99, 99, 99, 6, 1]))]))
        if draw(st.integers(0, 9)) == 0:
            lines.append("")
    return (end.join(lines) + draw(st.sampled_from(["", end]))).encode()


def blocks_of(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    """The data in blocks of these sizes, over and over."""
    at, turn = 0, 0
    while at < len(data):
        size = cuts[turn % len(cuts)]
        yield data[at : at + size]
        at, turn = at + size, turn + 1


def summarise(log: Recording) -> dict[str, object]:
    def cut(ends: np.ndarray, pool: np.ndarray) -> list[bytes]:
        return [pool[ends[n] : ends[n + 1]].tobytes() for n in range(log.tag_count)]

    columns = [column.tolist() for column in log.rows]
    return {
        "antennas": [tuple(name) for name in log.antennas],
        "epcs": cut(log.tags.ends, log.tags.pool),
        "texts": [json.loads(b'"' + text + b'"') for text in cut(*log.epc_texts)],
        "rows": list(zip(*columns, strict=True)),
        "bad": [(bad.row, bad.line, bad.why) for bad in log.bad_rows.first],
    }


def check(data: bytes, cuts: list[int]) -> None:
    expected, found = read_slowly(data), read_recording(blocks_of(data, cuts), "log")
    bad = expected["bad"]
    assert isinstance(bad, list)
    assert found.bad_rows.count == len(bad)
    assert summarise(found) == {**expected, "bad": bad[:NAMED_BAD_ROWS]}


CUTS = st.lists(st.integers(1, 200), min_size=1, max_size=5) | st.just([1 << 20])


@given(logs(), CUTS)
@settings(deadline=None, max_examples=200)
@example((HEADER + '1,r,1,aa,-50\n"1",r,1,aa,-50').encode(), [1])
@example((HEADER + PLAIN_ROWS + '1,r1,1,aa,"-50').encode(), [1 << 20])
def test_every_log_is_read_as_python_reads_it(data: bytes, cuts: list[int]) -> None:
    check(data, cuts)


@given(logs(), st.data(), CUTS)
@settings(deadline=None, max_examples=200)
def test_damaged_logs_are_read_as_python_reads_them(data: bytes, choose: st.DataObject, cuts: list[int]) -> None:
    header, body = re.split(rb"(?<=[\r\n])", data + b"\n", maxsplit=1)
    for _ in range(choose.draw(st.integers(1, 4))):
        at = choose.draw(st.integers(0, len(body)))
        body = (
            body[:at]
            + choose.draw(st.sampled_from([b"", b",", b'"', b"\n", b"\r", b" ", b"\0", b"9", b"-"]))
            + body[at + 1 :]
        )
    try:
        data = header + body
        data.decode()
    except UnicodeDecodeError:
        return
    check(data, cuts)


@pytest.mark.parametrize("cuts", [[1 << 20], [397], [13]])
def test_odd_texts_mean_what_python_says(cuts: list[int]) -> None:
    odd = [{**PLAIN, name: text} for name, texts in ODD.items() for text in texts]
    odd.append({**PLAIN, "reader": "r" * 300, "antenna": "0" * 299 + "1"})
    for how in ("as needed", "always", "never"):
        lines = [PLAIN_ROWS + ",".join(quoted(fields[name], how) for name in COLUMNS) for fields in odd]
        check((HEADER + "\r\n".join(lines)).encode(), cuts)


@given(st.lists(st.tuples(TIMES, SIGNALS), min_size=1, max_size=40))
@settings(deadline=None, max_examples=150)
def test_numbers_are_what_decimal_and_float_make_of_them(numbers: list[tuple[str, str]]) -> None:
    lines = [f"{PLAIN_ROWS}{t},r1,1,aa,-1\n{PLAIN_ROWS}0,r1,1,aa,{rssi}\n" for t, rssi in numbers]
    check((HEADER + "".join(lines)).encode(), [1 << 20])


def test_thousands_of_tags_antennas_and_odd_rows_make_the_tables_grow() -> None:
    lines = [f"{n}.5,r{n % 300},{n % 7},{n * 2654435761 % (1 << 96):024x},-{n % 90}.25" for n in range(9000)]
    lines[4000:4000] = [f"{n}e0,r,1,{n:06X} ,-50" for n in range(5000)]
    check((HEADER + "\n".join(lines)).encode(), [1 << 20])


def test_epcs_are_padded_to_as_many_words_as_the_longest_wants() -> None:
    for longest, words in ((1, 2), (8, 2), (9, 2), (16, 2), (17, 3), (62, 8)):
        epcs = [b"\x01", b"\xab" * longest]
        data = HEADER + "".join(f"0,r,1,{epc.hex()},-5\n" for epc in epcs)
        log = read_recording(iter([data.encode()]), "log")
        (columns,) = log.batches(log.rows.t_ns)
        assert columns.epc.shape == (2, words)
        found = [row[:size].tobytes() for row, size in zip(columns.epc_bytes, columns.epc_len, strict=True)]
        assert found == epcs
        assert not columns.epc_bytes[0, 1:].any()


def test_a_log_without_line_ends_is_no_log() -> None:
    from broker_config.errors import ConfigError

    endless = [HEADER.encode(), *[b"9" * (1 << 20)] * (2 + (LONGEST_LINE_BYTES >> 20))]
    with pytest.raises(ConfigError, match="line 2 is longer than 16 MiB"):
        read_recording(iter(endless), "log")
    with pytest.raises(ConfigError, match="line 1 is longer"):
        read_recording(iter(endless[1:]), "log")


@pytest.mark.parametrize(
    "shape", ["0,r,1,aa,-5,{}", "0,r,1,aa,-5,{},", '0,r,1,aa,-5,"{}"', "0,{},1,aa,-5", '0,r,1,aa,-5,"\n{}"']
)
@pytest.mark.parametrize("letter", ["y", "門"])
def test_a_field_that_python_finds_too_long_is_too_long(shape: str, letter: str) -> None:
    limit = csv.field_size_limit()
    rows = [shape.format(letter * (limit + more)) for more in (-1, 0, 1)]
    check((HEADER + "\n".join([*rows, "0,r,1,aa,-5", ""])).encode(), [1 << 16])


def test_logs_are_read_and_written_alike_without_the_compiler() -> None:
    tests = ["tests/hotpath/test_csv_rows.py", "tests/hotpath/test_leaps.py", "tests/edge/test_replay.py"]
    chosen = "odd_texts or believed_or_clamped or last_digit or decimals or escaped or without_rows"
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests, "-k", chosen],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-4000:]
