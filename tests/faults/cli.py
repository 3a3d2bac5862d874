"""`tacet bench faults`: inject the faults of the matrix, and check after each that nothing is lost or twice."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
import typer

from tests.faults.report import MISSED, FaultRow, NotRun, SearchLine
from tests.faults.row import Profile

if TYPE_CHECKING:
    from rich.console import Console

EXAMPLES = """Examples:

  tacet bench faults

  tacet bench faults --profile full --json

  tacet bench faults --row 23 --count 2000

  tacet bench faults --row 23 --seed 1234
"""
WIDTH = 150
COLUMNS = {
    "fault": "fault", "status": "status", "injected": "injected", "events_generated": "generated",
    "stored_once": "stored once", "counted_drops": "drops", "in_outbox": "in outbox", "lost": "lost",
    "duplicates_visible": "twice", "unsound": "unsound", "recovery_ms_p50": "ms to recover", "recovery_ms_max": "at most",
    "seconds": "s", "load": "load",
}  # fmt: skip

Line = FaultRow | NotRun | SearchLine

faults_app = typer.Typer(subcommand_metavar="")


@faults_app.callback(invoke_without_command=True, epilog=EXAMPLES)
def faults(
    profile: Annotated[Literal["fast", "full"], typer.Option(help="5 minutes, or an hour.")] = "fast",
    row: Annotated[int | None, typer.Option(min=1, max=42, help="Only this fault of the matrix.")] = None,
    count: Annotated[int | None, typer.Option(min=1, help="Injections, with --row.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Only the fault of this seed, with --row.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per line of the table.")] = False,
) -> None:
    """Inject faults into the real programs; exit code 1 where one loses, repeats or breaks anything.

    The law, by truth kept outside the system: generated = stored once + counted drops + still in the outbox.  A control
    runs with the safeguard taken away and has to fail, or the rig proves nothing; raw MQTT QoS 1 under the same script is
    one.  Faults that cannot be injected here are listed with the reason.  The files and the traffic of every row are searched
    for the members of its stores: cards, names, ids.  Runs from a checkout only.
    """
    if row is None and (count is not None or seed is not None):
        raise typer.BadParameter("--count and --seed are for one fault: give --row, too")
    asked = Profile(Path(), fast=profile == "fast", seed=seed or 0, alone=seed is not None, count=count)
    lines: list[Line] = []
    for line in run_table(asked, row):
        lines.append(line)
        if as_json:
            typer.echo(msgspec.json.encode(line))
    if not as_json:
        _show(lines)
    if not all(isinstance(line, NotRun) or line.passed or (asked.alone and line.status == MISSED) for line in lines):
        raise typer.Exit(1)


def run_table(asked: Profile, row: int | None) -> Iterator[Line]:
    """The lines as they are made; imports nothing of the rows before."""
    from tests.faults.registry import all_rows
    from tests.faults.run import run_all

    return run_all(all_rows(), asked, row)


def _show(lines: list[Line]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("F", *COLUMNS.values())
    console = Console(width=max(Console().width, WIDTH))
    ran = sorted((line for line in lines if isinstance(line, FaultRow)), key=lambda line: line.numbers or (99,))
    for line in ran:
        table.add_row(_name(line), *(str(getattr(line, name)) for name in COLUMNS))
    console.print(table)
    for line in ran:
        if line.figures:
            told = ", ".join(f"{name} {value:g}" for name, value in line.figures.items())
            console.print(f"F{_name(line)} {line.fault}: {told}", highlight=False)
        if line.unsound:
            console.print(f"F{_name(line)} {line.fault}: seeds {line.seeds} {'; '.join(line.broken)}", highlight=False)
    for line in lines:
        if isinstance(line, NotRun):
            console.print(f"F{_name(line)} {line.fault}: {line.status}: {line.why}", highlight=False)
        if isinstance(line, SearchLine):
            _show_search(console, line)


def _show_search(console: "Console", line: SearchLine) -> None:
    console.print(f"{line.status}: {line}", highlight=False)
    for each in (*line.identities, *(f"planted, and missed: {missed}" for missed in line.missed)):
        console.print(each, highlight=False)
    console.print(f"{line.seconds:g} s in all", highlight=False)


def _name(line: FaultRow | NotRun) -> str:
    return ", ".join(map(str, line.numbers))
