"""All rows, found when asked for: they import most of the project."""

from importlib import import_module

from tests.faults.row import Row
from tests.faults.rows import MODULES


def all_rows() -> tuple[Row, ...]:
    """In the order of the fault matrix; those beside it come last."""
    rows = [row for name in MODULES for row in import_module(f"tests.faults.rows.{name}").ROWS]
    return tuple(sorted(rows, key=lambda row: min(row.numbers, default=99)))
