"""`tacet bench`: what the hot path does here, beside what it compares with, in one run."""

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Literal, get_args

import msgspec
import typer

from broker_config.errors import ConfigError
from edge.bench_report import Sizes, show

EXAMPLES = """Examples:

  tacet bench

  tacet bench presence --json

  tacet bench presence --read-count 5000000 --member-count 10000000

  tacet bench presence --reads reads.npz --members members.npy --json

  tacet bench flood --stray-count 10000000

  tacet bench start

  tacet bench faults --help
"""

Name = Literal["presence", "match", "scan", "codec", "wire", "replay", "crafted", "flood", "snapshot", "start", "all"]
MODERATE = Sizes()
Bench = Callable[[Sizes], Iterator[msgspec.Struct]]

bench_app = typer.Typer(context_settings={"allow_interspersed_args": True}, subcommand_metavar="")


@bench_app.callback(invoke_without_command=True, epilog=EXAMPLES)
def bench(
    name: Annotated[Name, typer.Argument(help=f"Which one: {', '.join(get_args(Name))}.", metavar="NAME")] = "all",
    *,
    reads: Annotated[
        Path | None, typer.Option(help="Reads from outside: .npz with t_ns, antenna, epc \\[n, 12], rssi_cdbm.")
    ] = None,
    members: Annotated[Path | None, typer.Option(help="Their members: .npy, uint8 \\[m, 12].")] = None,
    read_count: Annotated[int, typer.Option(min=1000, help="Reads of the made-up workload.")] = MODERATE.read_count,
    member_count: Annotated[int, typer.Option(min=1000, help="Members of it.")] = MODERATE.member_count,
    stray_count: Annotated[int, typer.Option(min=10_000, help="Strays of the flood.")] = MODERATE.stray_count,
    tag_count: Annotated[int, typer.Option(min=100, help="Tags in the snapshot.")] = MODERATE.tag_count,
    batch: Annotated[list[int] | None, typer.Option(min=1, help="Reads per call; may be given repeatedly.")] = None,
    passes: Annotated[int, typer.Option(min=3, help="Passes; the median counts.")] = MODERATE.passes,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per benchmark.")] = False,
) -> None:
    """Measure the hot path on this machine: fresh state per pass, the median, and what it compares with in the same run.

    presence: the whole semantics with member match. match: member look-up alone. scan: bytes of a reader to frames.
    codec: the same in Python, for every protocol. wire: a reader's bytes to events. replay: a recorded log.
    crafted: EPCs made to collide. flood: strays by the million. snapshot: saving the engine's state. start: compiling
    and loading the kernels.
    """
    from edge.kernels import warm_up_kernels

    if members is not None and reads is None:
        raise ConfigError("--members goes with --reads; --member-count sizes the made-up workload")
    sizes = Sizes(
        reads, members, read_count, member_count, tuple(batch or MODERATE.batches), passes, stray_count, tag_count
    )
    warm_up_kernels()
    for each in get_args(Name)[:-1] if name == "all" else (name,):
        for result in find_bench(each)(sizes):
            show(result, as_json=as_json)


def find_bench(name: str) -> Bench:
    """`bench_<name>` of `edge/bench_<name>.py`, imported only when asked for."""
    found: Bench = getattr(importlib.import_module(f"edge.bench_{name}"), f"bench_{name}")
    return found
