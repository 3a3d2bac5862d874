"""`python -m tests.faults.simulation`: many seeds, or one with all its steps."""

import sys
import time
from typing import Annotated

import typer

from tests.faults.simulation.run import LASTS_S, simulate
from tests.faults.simulation.store import template


def main(
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds.")] = 200,
    first: Annotated[int, typer.Option(min=0, help="The first of them.")] = 0,
    seed: Annotated[int | None, typer.Option(min=0, help="Only this one, with every step it takes.")] = None,
    steps: Annotated[bool, typer.Option(help="With `--seed`: say every step.")] = True,
    seconds: Annotated[float, typer.Option(min=10, help="Of virtual time, before it gets quiet.")] = LASTS_S,
) -> None:
    """Simulate a store through trouble; exit code 1 where a law was broken."""
    began, bad = time.process_time(), 0
    with template() as ground:
        if seed is not None:
            run = simulate(seed, ground, lasts_s=seconds, say=typer.echo if steps else None)
            for trouble in run.plan.troubles:
                typer.echo(str(trouble))
            typer.echo(f"{run}\n{run.trace}")
            sys.exit(not run.sound)
        for number in range(first, first + seeds):
            run = simulate(number, ground, lasts_s=seconds)
            if not run.sound:
                bad += 1
                typer.echo(str(run))
    spent = time.process_time() - began
    typer.echo(f"{seeds} seeds, {bad} unsound, {spent:.1f} s of CPU, {spent / seeds:.2f} s each")
    sys.exit(bool(bad))


if __name__ == "__main__":
    typer.run(main)
