"""`tacet bench`: what the hot path does here, beside what it compares with, in one run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
import typer

from broker_config.errors import ConfigError

if TYPE_CHECKING:
    from edge.bench_run import MatchResult, PresenceResult

EXAMPLES = """Examples:

  tacet bench

  tacet bench presence --json

  tacet bench presence --read-count 5000000 --member-count 10000000

  tacet bench presence --reads reads.npz --members members.npy --json

  tacet bench match --member-count 10000000
"""

bench_app = typer.Typer(context_settings={"allow_interspersed_args": True}, subcommand_metavar="")


@bench_app.callback(invoke_without_command=True, epilog=EXAMPLES)
def bench(
    name: Annotated[
        Literal["presence", "match", "all"],
        typer.Argument(help="Which one: presence, match, or all.", metavar="NAME"),
    ] = "all",
    *,
    reads: Annotated[
        Path | None, typer.Option(help="Reads from outside: .npz with t_ns, antenna, epc \\[n, 12], rssi_cdbm.")
    ] = None,
    members: Annotated[Path | None, typer.Option(help="Their members: .npy, uint8 \\[m, 12].")] = None,
    read_count: Annotated[int, typer.Option(min=1000, help="Reads of the built-in workload.")] = 1_000_000,
    member_count: Annotated[int, typer.Option(min=1000, help="Members of the built-in workload.")] = 100_000,
    batch: Annotated[int, typer.Option(min=1, help="Reads per call of the engine.")] = 4096,
    passes: Annotated[int, typer.Option(min=3, help="Passes; the median counts.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per benchmark.")] = False,
) -> None:
    """Measure the hot path on this machine: fresh state per pass, the median, and a plain Python peer in the same run."""
    from edge.bench_run import bench_match, bench_presence
    from edge.bench_workload import load_workload, make_workload
    from edge.kernels import warm_up_kernels

    if name == "match" and reads is not None and members is None:
        raise ConfigError("match looks members up; give them by --members FILE.npy")
    if members is not None and reads is None:
        raise ConfigError("--members goes with --reads; --member-count sizes the built-in workload")
    warm_up_kernels()
    workload = make_workload(read_count, member_count) if reads is None else load_workload(reads, members)
    if name in ("presence", "all"):
        _show(bench_presence(workload, batch, passes), as_json=as_json)
    if name in ("match", "all") and len(workload.cards):
        _show(bench_match(workload.cards, passes), as_json=as_json)


def _show(result: "PresenceResult | MatchResult", *, as_json: bool) -> None:
    if as_json:
        typer.echo(msgspec.json.encode(result))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=result.name, show_header=False)
    for key, value in msgspec.to_builtins(result).items():
        table.add_row(key, "  ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else str(value))
    Console().print(table)
