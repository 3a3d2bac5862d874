"""`tacet replay`: a recorded read log through the presence engine."""

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
import typer

from edge.presence_model import LONGEST_S, Layout, PresenceSettings

if TYPE_CHECKING:
    from broker_config.member_table import MemberTable
    from edge.recording import BadRows, Recording

EXAMPLES = """Examples:

  tacet replay reads.csv.gz

  tacet replay reads.csv --zones zones.toml --depart-after-s 60 --profile garment

  tacet replay reads.csv --emit reads --window-s 2 --by epc-antenna

  zcat *.csv.gz | tacet replay - --emit summary

The header names t (seconds, UTC), reader, antenna, epc, rssi_dbm; other columns are ignored.  A zones file has one table
per zone: [\\[zones]], id = "door", kind = "door", antennas = ["r-door/1"].

Rows are taken in file order.  A row older than one before it is late: it counts, but moves no time back; over an hour older,
it is ignored.  A row over an hour ahead is held: three that agree are believed, fewer are clamped to the newest time before.
The summary counts late, stale (ignored) and clamped rows.  Dwell events are not printed.
"""

replay_app = typer.Typer(context_settings={"allow_interspersed_args": True}, subcommand_metavar="")


Log = Annotated[str, typer.Argument(help="CSV, plain or gzipped; - reads standard input.", metavar="READS.csv[.gz]")]
Emit = Annotated[Literal["events", "reads", "summary"], typer.Option(help="What to print, as JSON lines.")]
Zones = Annotated[Path | None, typer.Option(help="Zones file; without it each antenna is a zone antenna-N.")]
Members = Annotated[Path | None, typer.Option(help="File of card EPCs, one per line; all other tags are items.")]
ConfirmReads = Annotated[
    int | None, typer.Option(min=1, max=LONGEST_S, help="Reads that make a tag present; 2 by default.")
]
ConfirmWindowMs = Annotated[int | None, typer.Option(min=1, max=LONGEST_S, help="... within so long; 1500 by default.")]
DepartAfterS = Annotated[
    float | None,
    typer.Option(help="Unseen for more than this, a tag departs; by default as live: items 600, persons 8 to 15."),
]
ProfileName = Annotated[
    Literal["person", "item", "garment"] | None,
    typer.Option(help="How readily items change place, in every zone; by default as live, by kind of zone."),
]
WindowS = Annotated[float, typer.Option(min=0, max=LONGEST_S, help="With --emit reads: the re-report window.")]
By = Annotated[Literal["epc", "epc-antenna"], typer.Option(help="With --emit reads: what is a repeat.")]


@replay_app.callback(invoke_without_command=True, epilog=EXAMPLES)
def replay(
    log: Log,
    *,
    emit: Emit = "events",
    zones: Zones = None,
    members: Members = None,
    confirm_reads: ConfirmReads = None,
    confirm_window_ms: ConfirmWindowMs = None,
    depart_after_s: DepartAfterS = None,
    profile: ProfileName = None,
    window_s: WindowS = 2.0,
    by: By = "epc",
) -> None:
    """Run a recorded read log through the presence engine: arrivals, moves, departures, as they would have come live."""
    from edge.kernels import warm_up_kernels
    from edge.recording_file import read_blocks
    from edge.recording_reader import read_recording
    from edge.replay_layout import members_from_file, zone_per_antenna, zones_from_file
    from edge.replay_run import PROFILES, Overrides, make_settings, replay_reads

    if depart_after_s is not None and not 0 < depart_after_s <= LONGEST_S:
        raise typer.BadParameter(f"--depart-after-s is a time above 0 and at most {LONGEST_S} s")
    warm_up_kernels(("logs",) if emit == "reads" else ("engine", "logs"))
    recording = read_recording(read_blocks(log), log)
    _name_bad_rows(recording.bad_rows)
    layout = zones_from_file(zones, recording.antennas) if zones else zone_per_antenna(recording.antennas)
    key = secrets.token_bytes(16)
    table = (key, members_from_file(members, key)) if members else None
    if emit == "reads":
        with _stdout_that_may_close():
            for block in replay_reads(recording, window_s, by_antenna=by == "epc-antenna"):
                _echo(block)
        return
    item_profile = None if profile is None else PROFILES[profile]
    settings = make_settings(Overrides(confirm_reads, confirm_window_ms, depart_after_s, item_profile))
    _print_events(recording, layout, settings, table, emit)


def _print_events(
    recording: "Recording",
    layout: Layout,
    settings: PresenceSettings,
    members: "tuple[bytes, MemberTable] | None",
    emit: str,
) -> None:
    """Print the events, or only their summary, and say what was too old to count."""
    from edge.replay_run import replay_events

    with _stdout_that_may_close():
        summary = replay_events(recording, layout, settings, members, _echo if emit == "events" else None)
        if emit == "summary":
            typer.echo(msgspec.json.encode(summary))
    if summary.stale:
        typer.echo(
            f"{summary.stale} rows ignored: each is over an hour older than a row before it; sort the log by t",
            err=True,
        )


def _echo(block: bytes) -> None:
    typer.echo(block, nl=False)


def _name_bad_rows(bad_rows: "BadRows") -> None:
    for bad in bad_rows.first:
        typer.echo(f"row {bad.row} (line {bad.line}): {bad.why}; left out", err=True)
    if bad_rows.count > len(bad_rows.first):
        typer.echo(f"{bad_rows.count} rows left out in all", err=True)


@contextmanager
def _stdout_that_may_close() -> Iterator[None]:
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has seen enough; what the interpreter flushes at exit must not fail again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
