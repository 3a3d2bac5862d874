"""`tacet bench faults`: inject the faults of the matrix, and check after each that nothing is lost or twice."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import msgspec
import typer

from broker_config.errors import ConfigError
from simulators.faults.sqlite_tape import CannotRecordError, check_recording
from tests.faults.edge_power import cut_edge
from tests.faults.matrix import not_yet
from tests.faults.report import MISSED, FaultRow, Outcome, as_row
from tests.faults.server_power import cut_server

EXAMPLES = """Examples:

  tacet bench faults

  tacet bench faults --cuts 2000 --json

  tacet bench faults --seed 1234
"""
POWER = 23
MIN_CONTROL = 20
CONTROL_SHARE = 10
WIDTH = 150
COLUMNS = {
    "number": "F", "fault": "fault", "status": "status", "injected": "injected", "events_generated": "generated",
    "stored_once": "stored once", "counted_drops": "drops", "in_outbox": "in outbox", "lost": "lost",
    "duplicates_visible": "twice", "unsound": "unsound", "recovery_ms_p50": "ms to recover", "recovery_ms_max": "at most",
}  # fmt: skip

Inject = Callable[[Sequence[int], str], Coroutine[Any, Any, list[Outcome]]]
POWER_CUTS: tuple[tuple[str, Inject, str], ...] = (
    ("power cut, edge", cut_edge, "FULL"),
    ("power cut, edge, NORMAL", cut_edge, "NORMAL"),
    ("power cut, server", cut_server, "FULL"),
    ("power cut, server, NORMAL", cut_server, "NORMAL"),
)

faults_app = typer.Typer(subcommand_metavar="")


@faults_app.callback(invoke_without_command=True, epilog=EXAMPLES)
def faults(
    cuts: Annotated[int, typer.Option(min=1, help="Power cuts each of edge and server; controls a tenth.")] = 100,
    seed: Annotated[int | None, typer.Option(min=0, help="Only the fault of this seed, on each side.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per fault.")] = False,
) -> None:
    """Inject faults into the real outbox and server; exit code 1 where one loses, repeats or breaks anything.

    The law, by truth kept outside the system: generated = stored once + counted drops + still in the outbox.  A control
    runs with the safeguard taken away and has to fail, or the rig proves nothing.  Faults that are not injected yet are
    listed with the reason.  Runs from a checkout only.
    """
    try:
        check_recording()
    except CannotRecordError as error:
        raise ConfigError(str(error)) from error
    rows: list[FaultRow] = []
    with quiet():
        for row in run_power_cuts(cuts, seed):
            rows.append(row)
            if as_json:
                typer.echo(msgspec.json.encode(row))
    if as_json:
        for other in not_yet():
            typer.echo(msgspec.json.encode(other))
    else:
        _show(rows)
    if not all(row.passed or (seed is not None and row.status == MISSED) for row in rows):
        raise typer.Exit(1)


@contextmanager
def quiet() -> Iterator[None]:
    """Drops and gaps by the thousand are meant, and not worth a line each."""
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def run_power_cuts(cuts: int, seed: int | None = None) -> Iterator[FaultRow]:
    """Each side with its control, as they are done."""
    for name, inject, synchronous in POWER_CUTS:
        control = synchronous != "FULL"
        seeds = range(max(MIN_CONTROL, cuts // CONTROL_SHARE) if control else cuts) if seed is None else (seed,)
        began = time.perf_counter()
        outcomes = asyncio.run(inject(seeds, synchronous))
        yield as_row(POWER, name, outcomes, time.perf_counter() - began, control=control)


def _show(rows: Sequence[FaultRow]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(*COLUMNS.values())
    for row in rows:
        table.add_row(*(str(getattr(row, name)) for name in COLUMNS))
    console = Console(width=max(Console().width, WIDTH))
    console.print(table)
    for row in rows:
        if row.unsound:
            console.print(f"F{row.number} {row.fault}: seeds {row.seeds} {'; '.join(row.broken)}", highlight=False)
    for other in not_yet():
        console.print(f"F{other.number} {other.fault}: {other.status}: {other.why}", highlight=False)
