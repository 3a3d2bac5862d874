"""A decision as it is stored, shown and replayed."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from broker_config.site import Text

Outcome = Literal["shown", "not_shown", "acted", "not_acted", "shadow"]
"""What was decided.  `shown`: that a moment goes to a screen; whether it appeared there is the screen's to say, see `Fate`."""
Fate = Literal["shown", "sent", "unshown"]
"""What became of a moment: its screen said that it appeared; not yet; or its time is over without a word."""
GATES = ("purpose", "screen_class", "place", "service_level", "quiet_hours", "frequency_cap", "fatigue", "interest",
         "push_share", "stock", "sanity", "question_budget")  # fmt: skip
"""The fixed order.  Gates that this release does not run yet are absent from a decision's list, never shown as passed."""


@dataclass(frozen=True, slots=True)
class GateResult:
    """One gate: `passed` is None when an earlier one had stopped the decision.  `facts` is what it looked at, in plain JSON."""

    gate: str
    passed: bool | None
    facts: dict[str, object]


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """Data, rule, context, and what came of them.

    Args:
        decision: random id, 32 hex digits; names nobody.
        reason: the gate that stopped it; None when none did.
        visit: the visit's token; cleared when the visit is forgotten.
        event: the id of the event that triggered it.
        context: local time, display and its class, and the like: with `data`, all that a replay needs.
        say: one sentence in each language, for a person.
        shown_at: when the screen said that the moment appeared; None: it has not.
    """

    decision: str
    at: datetime
    rule: str
    rule_version: int
    rule_why: Text
    rule_author: str
    outcome: Outcome
    reason: str | None
    place: str
    display: str | None
    content: str | None
    visit: str | None
    event: str
    data: dict[str, object]
    context: dict[str, object]
    gates: tuple[GateResult, ...]
    say: Text
    latency_ms: float
    shown_at: datetime | None = None


def fate_of(record: DecisionRecord, now: datetime) -> Fate | None:
    """What became of the moment; None where there is none.  A screen may say so late, after its link was lost."""
    if record.outcome != "shown":
        return None
    if record.shown_at is not None:
        return "shown"
    return "sent" if now < record.at + timedelta(seconds=moment_s(record)) else "unshown"


def moment_s(record: DecisionRecord) -> float:
    """For how long the moment was to stand."""
    rule = record.context.get("rule")
    moment = rule.get("moment") if isinstance(rule, dict) else None
    ttl_s = moment.get("ttl_s") if isinstance(moment, dict) else None
    return float(ttl_s) if isinstance(ttl_s, int | float) else 0.0
