"""A row of the table: one fault (or several that are injected together), and how it is injected and judged."""

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.faults.report import Outcome

CONTROL_SHARE = 10
MIN_CONTROL = 20


class CannotRunError(Exception):
    """What this machine lacks for a row, and what to do about it; the row is listed as not run, with this as the reason."""


@dataclass(frozen=True, slots=True)
class Profile:
    """How much is asked of a row.

    Args:
        folder: an empty one of the row's own, deleted afterwards.
        fast: for every commit, all rows in 5 minutes on 2 cores; else for a release, all in an hour.
        seed: the first one.
        alone: only the fault of `seed` is injected, to see again what it did.
        count: injections asked for on the command line.
        share: a part of the injections is enough: 10 for a tenth.
    """

    folder: Path
    fast: bool = True
    seed: int = 0
    alone: bool = False
    count: int | None = None
    share: int = 1

    def times(self, fast: int, full: int) -> int:
        """How many injections (or rows, or seconds): of two figures the one that this run asks for."""
        wanted = self.count or (fast if self.fast else full)
        return wanted if self.share == 1 else min(wanted, max(MIN_CONTROL, wanted // self.share))

    def seeds(self, fast: int, full: int) -> Sequence[int]:
        """The seeds to inject, one fault each; only the one asked for where one is."""
        return [self.seed] if self.alone else range(self.seed, self.seed + self.times(fast, full))

    def rng(self, purpose: str) -> random.Random:
        """Random numbers of this run's seed for one purpose."""
        return random.Random(f"{purpose} {self.seed}")

    def for_control(self) -> "Profile":
        """A tenth of it: a control has to fail once, not often."""
        return replace(self, share=CONTROL_SHARE)


Inject = Callable[[Profile], Awaitable[list[Outcome]]]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table, with its control on the next.

    Args:
        numbers: of the fault matrix; empty for a line beside it.
        fault: in a few words.
        run: injects it, and says what came of each injection.
        control: the same with the safeguard taken away; it must be seen to fail, or `run` proves nothing.
        control_name: what was taken away, or what does without it.
        limit_s: a run that takes longer has failed.
        alone: nothing runs beside it, since its figures hang on a processor that nobody else wants.
        takes_s: about how long in the fast profile and in the full one, controls included, with rows beside it on two
            processors; those that take longest begin first.
        in_memory: on a disk of memory where there is one: it opens so many databases that it would mostly wait for the disk,
            and nothing of what it proves is the disk's.
    """

    numbers: tuple[int, ...]
    fault: str
    run: Inject
    control: Inject | None = None
    control_name: str = "control"
    limit_s: float = 1800.0
    alone: bool = False
    takes_s: tuple[float, float] = (5.0, 30.0)
    in_memory: bool = False
