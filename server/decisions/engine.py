"""The decision itself: a pure function, so that a stored decision replays to the same outcome."""

from dataclasses import dataclass

import msgspec

from server.decisions.gates import RUNNING, Context, DecisionData
from server.decisions.model import DecisionRecord, GateResult, Outcome
from server.decisions.rules import Rule


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a rule.

    Args:
        reason: the gate that stopped it; None when none did.
    """

    outcome: Outcome
    reason: str | None
    gates: tuple[GateResult, ...]


def decide(data: DecisionData, rule: Rule, context: Context) -> Verdict:
    """Run the gates in their order and stop at the first that says no."""
    results: list[GateResult] = []
    reason: str | None = None
    for name, gate in RUNNING:
        if reason is not None:
            results.append(GateResult(name, None, {}))
            continue
        passed, facts = gate(data, rule, context)
        results.append(GateResult(name, passed, facts))
        if not passed:
            reason = name
    return Verdict(_outcome(rule, reason), reason, tuple(results))


def replay(record: DecisionRecord) -> Verdict:
    """Decide again from what was stored.

    Raises:
        msgspec.ValidationError: the record lacks what it should hold.
    """
    context = {name: value for name, value in record.context.items() if name != "rule"}
    return decide(
        msgspec.convert(record.data, DecisionData),
        msgspec.convert(record.context["rule"], Rule),
        msgspec.convert(context, Context),
    )


def _outcome(rule: Rule, reason: str | None) -> Outcome:
    if rule.state == "shadow":
        return "shadow"
    if rule.moment is not None:
        return "shown" if reason is None else "not_shown"
    return "acted" if reason is None else "not_acted"
