"""A decision in words: the steps it took, the one that stopped it, and what it knew."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from broker_config.site import Site, Text
from server.catalog import Catalog
from server.decisions.model import DecisionRecord, GateResult, Outcome, fate_of
from server.web.i18n import Catalogue
from server.web.visit_label import label_visit

VERDICTS: dict[Outcome, str] = {
    "shown": "decision.yes",
    "acted": "decision.acted",
    "not_shown": "decision.no",
    "not_acted": "decision.no",
    "shadow": "decision.shadow",
}
# Said already by the sentence, the rule or a row of their own.
LEFT_OUT = frozenset(
    {
        "context.rule",
        "context.content",
        "context.display",
        "context.minute",
        "context.local_time",
        "data.zone",
        "data.shelf",
        "data.gtin",
    }
)


@dataclass(frozen=True, slots=True)
class Step:
    """A gate: `mark` is `passed`, `stopped` or `not-run`, `word` says so to a person."""

    name: str
    mark: str
    word: str


@dataclass(frozen=True, slots=True)
class Fact:
    """A row of the table; `code` for what only a program reads."""

    name: str
    value: str
    code: bool = False


@dataclass(frozen=True, slots=True)
class DecisionPage:
    """What the template needs."""

    verdict: str
    say: str
    at: str
    clock: str
    rule: str
    rule_version: int
    rule_author: str
    why: str
    steps: tuple[Step, ...]
    facts: tuple[Fact, ...]


def describe(
    record: DecisionRecord, site: Site, articles: Catalog, catalogue: Catalogue, now: datetime
) -> DecisionPage:
    """The page of one decision, in the catalogue's language and the store's time."""
    local, fate = record.at.astimezone(ZoneInfo(site.timezone)), fate_of(record, now)
    return DecisionPage(
        verdict=catalogue.text(VERDICTS[record.outcome] if fate in (None, "shown") else f"fate.{fate}"),
        say=catalogue.pick(record.say),
        at=record.at.isoformat(),
        clock=f"{local:%Y-%m-%d %H:%M:%S}",
        rule=record.rule,
        rule_version=record.rule_version,
        rule_author=record.rule_author,
        why=catalogue.pick(record.rule_why),
        steps=tuple(_step(gate, catalogue) for gate in record.gates),
        facts=tuple(_facts(record, site, articles, catalogue)),
    )


def _step(gate: GateResult, catalogue: Catalogue) -> Step:
    mark, word = {
        True: ("passed", "decision.passed"),
        False: ("stopped", "decision.stopped"),
        None: ("not-run", "decision.not_run"),
    }[gate.passed]
    return Step(catalogue.text_or(f"gate.{gate.gate}", gate.gate), mark, catalogue.text(word))


def _facts(record: DecisionRecord, site: Site, articles: Catalog, catalogue: Catalogue) -> Iterator[Fact]:
    """What it knew: first the places, the article and the visit, then the data and the circumstances, last the cause."""
    names: dict[str, Text] = {zone.id: zone.name for zone in site.zones}
    names |= {screen.id: screen.name for screen in site.displays} | {shelf.id: shelf.name for shelf in site.shelves}
    forgotten = catalogue.text("decision.visit_forgotten")
    yield Fact(catalogue.text("decision.place"), catalogue.pick(names.get(record.place, {"en": record.place})))
    if isinstance(shelf := record.data.get("shelf"), str):
        yield Fact(catalogue.text("fact.shelf"), catalogue.pick(names.get(shelf, {"en": shelf})))
    if isinstance(gtin := record.data.get("gtin"), str):
        article = articles.find(gtin)
        yield Fact(catalogue.text("fact.gtin"), f"{catalogue.pick(article.name)} ({gtin})" if article else gtin)
    if record.display is not None:
        yield Fact(
            catalogue.text("decision.display"), catalogue.pick(names.get(record.display, {"en": record.display}))
        )
    if record.content is not None:
        yield Fact(catalogue.text("decision.content"), record.content)
    if record.visit is not None or record.data.get("member") is not None:
        yield Fact(catalogue.text("decision.visit"), label_visit(record.visit) if record.visit else forgotten)
    for part, values in (("data", record.data), ("context", record.context)):
        yield from _flatten(values, part, catalogue)
    yield Fact(catalogue.text("decision.latency"), catalogue.text("decision.ms", ms=f"{record.latency_ms:.1f}"))
    yield Fact(catalogue.text("decision.event"), record.event, code=True)


def _flatten(values: Mapping[str, object], path: str, catalogue: Catalogue) -> Iterator[Fact]:
    """A row for each plain value, whatever keys a later release adds."""
    for key, value in values.items():
        if f"{path}.{key}" in LEFT_OUT:
            continue
        if isinstance(value, Mapping):
            yield from _flatten({str(name): inner for name, inner in value.items()}, f"{path}.{key}", catalogue)
        else:
            yield Fact(catalogue.text_or(f"fact.{key}", key), _say(value, catalogue))


def _say(value: object, catalogue: Catalogue) -> str:
    if value is None:
        return catalogue.text("decision.unset")
    if value in ([], (), ""):
        return catalogue.text("decision.none")
    if isinstance(value, bool):
        return catalogue.text("decision.true" if value else "decision.false")
    if isinstance(value, list | tuple):
        return ", ".join(_say(inner, catalogue) for inner in value)
    return catalogue.text_or(f"value.{value}", str(value))
