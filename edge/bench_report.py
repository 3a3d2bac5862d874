"""What the benchmarks share: their sizes, what they compare with, and how results are shown."""

import resource
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import typer


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured beside it, in the same run; `ratio` is how many times as long it takes."""

    name: str
    ns_each: float
    ratio: float


@dataclass(frozen=True, slots=True)
class Sizes:
    """What the command line asks for.

    Args:
        reads, members: files of a workload from outside; None: a made-up one.
        read_count, member_count: of the made-up workload.
        batches: reads per call of the engine, one measurement each; the first is the headline.
        passes: of each measurement; the median counts.
        stray_count, tag_count: of the flood and of the snapshot.
    """

    reads: Path | None = None
    members: Path | None = None
    read_count: int = 1_000_000
    member_count: int = 1_000_000
    batches: tuple[int, ...] = (4096, 1000, 100)
    passes: int = 5
    stray_count: int = 2_000_000
    tag_count: int = 100_000


def resident_bytes() -> int:
    """The memory that this process holds now.  Source: proc(5), statm."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def percentile(sorted_values: Sequence[float], share: float) -> float:
    """The value below which `share` of the sorted values lie."""
    return sorted_values[min(len(sorted_values) - 1, int(share * len(sorted_values)))]


def show(result: msgspec.Struct, *, as_json: bool) -> None:
    """One JSON object, or a table for people."""
    if as_json:
        typer.echo(msgspec.json.encode(result))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=False)
    for key, value in msgspec.to_builtins(result).items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            for each in value:
                table.add_row(key, _words(each))
        else:
            table.add_row(key, _words(value))
    Console().print(table)


def _words(value: object) -> str:
    if isinstance(value, dict):
        return "  ".join(f"{key} {_words(each)}" for key, each in value.items())
    return "  ".join(map(str, value)) if isinstance(value, list) else str(value)
