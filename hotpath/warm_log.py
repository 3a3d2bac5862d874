"""The kernels that read and write recorded logs, each called once, on next to nothing."""

from collections.abc import Callable

import numpy as np

from hotpath import csv_rows, dedup, json_lines, key_table, leaps

ENTRY_POINTS = (
    csv_rows.parse_rows,
    key_table.find_or_add,
    key_table.find_all,
    key_table.fill_slots,
    leaps.clamp_leaps,
    dedup.suppress_repeats,
    json_lines.write_lines,
)


def log_steps() -> list[tuple[str, Callable[[], object]]]:
    """What is compiled, and a call that compiles it, with arrays of just the types that it will meet."""
    times = np.zeros(0, np.int64)
    return [
        ("log rows", _parse_nothing),
        ("log tags", _number_nothing),
        ("log times", lambda: leaps.clamp_leaps(times, 0)),
        ("repeats", lambda: dedup.suppress_repeats(times, times, 1, times, np.zeros(0, np.bool_))),
        ("lines", _write_nothing),
    ]


def _parse_nothing() -> None:
    table = key_table.make_key_table(1, 1, 0)
    none = np.zeros(1, np.int64)
    tables = csv_rows.LogTables(
        table, np.zeros(1, np.uint16), table, none, np.zeros(1, np.uint8), *csv_rows.make_scratch()
    )
    data, roles = np.frombuffer(b"", np.uint8), np.zeros(0, np.int8)
    csv_rows.parse_rows(data, 0, True, roles, tables, csv_rows.make_row_columns(0), 0)


def _number_nothing() -> None:
    table = key_table.grow(key_table.make_key_table(1, 1, 0))
    key_table.find_or_add(table, np.frombuffer(b"x", np.uint8))
    key_table.find_all(table, np.zeros((0, 1), np.uint8), np.zeros(0, np.uint8), np.zeros(0, np.int64))


def _write_nothing() -> None:
    none = json_lines.Texts(np.zeros(1, np.int64), np.zeros(1, np.uint8))
    columns = np.zeros((0, 1), np.int64)
    json_lines.write_lines(columns, 0, np.zeros(1, np.int8), none, none, none, np.zeros(1, np.uint8))
