"""What goes wrong in a run, drawn from its seed.

Not everything at once: each seed turns on a few kinds of trouble, as often as it likes, so that rare combinations get their
turn and a common trouble does not hide the rest ("swarm testing", Groce et al., ISSTA 2012).
"""

import random
from dataclasses import dataclass, field, replace

from tests.faults.simulation.broker import Habits
from tests.faults.simulation.clockwork import BEGAN_NS, NS_PER_S

ON_SHARE = 0.35
MOST_OF_A_KIND = 3
WRONG_CLOCK_SHARE = 0.15
QUIET_BEFORE_S = 8.0
MIB = 1 << 20
SMALLEST_QUOTA_BYTES = 64 * 4096
HOUR_NS = 3600 * NS_PER_S
DAY_NS = 24 * HOUR_NS
IN_1970_NS = 60 * NS_PER_S - BEGAN_NS
CLOCK_ERRORS_NS = (HOUR_NS, -HOUR_NS, DAY_NS, -DAY_NS, 365 * DAY_NS, 0, IN_1970_NS)
"""What a clock may be wrong by; the server's not by the last: it takes what happened before 1970 for a bad message."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that goes wrong.

    Args:
        machine: whose trouble it is; empty for the broker's.
        lasts_s: how long, where it lasts.
        number: a count that the kind of trouble asks for.
    """

    at_s: float
    kind: str
    machine: str = ""
    lasts_s: float = 0.0
    number: int = 0

    def __str__(self) -> str:
        return f"{self.at_s:7.2f} s  {self.kind} {self.machine} for {self.lasts_s:.1f} s ({self.number})"


@dataclass(frozen=True, slots=True)
class Plan:
    """A run.

    Args:
        lasts_s: until everything is well again and the store gets quiet.
        power: whether a disk may lose what was not synced; it has to be watched for that, which costs time.
        clocks: by machine, how wrong its wall clock is at first, ns.
        forgetful: machines whose clock begins in 1970 after a power cut.
    """

    lasts_s: float
    people: int
    goods: int
    picks_per_min: float
    habits: Habits
    delay_s: tuple[float, float]
    quota_bytes: int = 64 * MIB
    power: bool = False
    troubles: tuple[Trouble, ...] = field(default=())
    clocks: dict[str, int] = field(default_factory=dict)
    forgetful: tuple[str, ...] = ()


def draw(dice: random.Random, lasts_s: float, machines: dict[str, tuple[str, ...]], *, wide: bool = False) -> Plan:
    """A run's plan.

    Args:
        machines: names by kind: `edge`, `screen`.
        wide: clocks may be wrong, too, and members may be erased.
    """
    every_kind = KINDS + WIDE_KINDS * wide
    kinds = {kind: dice.randint(1, MOST_OF_A_KIND) for kind in every_kind if dice.random() < ON_SHARE}
    habits = Habits(
        max_queued=dice.choice((1000, 1000, 100, 20)),
        max_in_flight=dice.choice((20, 20, 5)),
        twice=dice.choice((0.0, 0.0, 0.05, 0.3)),
        spread_s=dice.choice((0.0, 0.0, 0.05, 1.0, 10.0)),
        persistent=dice.random() < 0.5,
    )
    troubles = [_trouble(dice, kind, lasts_s, machines) for kind, count in sorted(kinds.items()) for _ in range(count)]
    plan = Plan(
        lasts_s=lasts_s,
        people=dice.randint(1, 4),
        goods=dice.randint(1, 8),
        picks_per_min=dice.choice((2.0, 6.0, 20.0)),
        habits=habits,
        delay_s=dice.choice(((0.0005, 0.005), (0.001, 0.05), (0.02, 0.4))),
        quota_bytes=dice.choice((64 * MIB, 64 * MIB, SMALLEST_QUOTA_BYTES)),
        power=any("power" in kind for kind in kinds),
        troubles=tuple(sorted(troubles, key=lambda each: each.at_s)),
    )
    return _with_wrong_clocks(dice, plan, machines["edge"]) if wide else plan


def _with_wrong_clocks(dice: random.Random, plan: Plan, edges: tuple[str, ...]) -> Plan:
    hosts = (*edges, "server")
    clocks = {host: wrong_clock(host, dice.randint(0, 60)) for host in hosts if dice.random() < WRONG_CLOCK_SHARE}
    return replace(plan, clocks=clocks, forgetful=tuple(edge for edge in edges if dice.random() < WRONG_CLOCK_SHARE))


def wrong_clock(machine: str, number: int) -> int:
    """By how much a machine's clock is set wrong, ns."""
    errors_ns = CLOCK_ERRORS_NS[:-1] if machine == "server" else CLOCK_ERRORS_NS
    return errors_ns[number % len(errors_ns)]


KINDS = (
    "kill edge",
    "kill edge at commit",
    "power cut edge",
    "stop edge",
    "kill server",
    "kill server at commit",
    "power cut server",
    "stop server",
    "restore server",
    "kill broker",
    "cut off",
    "half open",
    "reset",
    "slow disk",
    "full disk edge",
    "full disk server",
    "withdraw",
    "screen off",
)
WIDE_KINDS = ("erase", "set clock edge", "set clock server")


def _trouble(dice: random.Random, kind: str, lasts_s: float, machines: dict[str, tuple[str, ...]]) -> Trouble:
    at_s = dice.uniform(QUIET_BEFORE_S, lasts_s)
    down_s = dice.choice((dice.uniform(0.2, 3.0), dice.uniform(3.0, 30.0)))
    if "edge" in kind:
        machine = dice.choice(machines["edge"])
    elif "server" in kind:
        machine = "server"
    elif "screen" in kind:
        machine = dice.choice(machines["screen"])
    elif "broker" in kind or kind in ("withdraw", "erase"):
        machine = ""
    else:
        machine = dice.choice((*machines["edge"], "server", *machines["edge"], *machines["screen"]))
    return Trouble(at_s, kind, machine, down_s, dice.randint(1, 60))
