"""Shelf fusion: tags that fall silent and a scale that says less make a pick; each alone proves little.

Pure logic: weights, sightings of tags and the time come in, changes come out.  A dynamic weight only says that something
moves; grams are used once two stable weights in a row agree.  A tag alone never makes an event: a hand shields it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from edge.clock import NS_PER_MS
from edge.presence_model import PresentTag
from edge.shelf_fit import Article, count_by_article, fit_articles, fit_tags, fit_tags_and_more, is_ambiguous

ChangeKind = Literal["pick", "putback", "anomaly"]
NOISE_G = 12.0  # two weights of a pan with +-5 g of noise differ by less
DRIFT_SHARE = 0.02  # of each quiet weight goes into the level, so that drift is followed and noise averaged
SILENT_INTERVALS = 6  # a tag that missed so many of its usual reads has gone
MIN_SILENCE_NS = 400 * NS_PER_MS
MAX_SILENCE_NS = 1500 * NS_PER_MS
BEFORE_NS = 2000 * NS_PER_MS  # a tag that fell silent longer before the weight moved did not cause it
WAIT_NS = 1500 * NS_PER_MS  # for the tags' word, after the weight is stable
REMEMBER_NS = 10_000 * NS_PER_MS  # a tag that left the zone's list is still a suspect for so long
LIES_HERE_NS = 60_000 * NS_PER_MS  # a picked tag read here for so long without a pause was not carried off after all
MAX_NAMELESS = 64
MAX_AWAY = 1000  # what was sold never comes back; without a bound a year of sales would be remembered

SURE, MIXED, WEIGHT_ONLY, GUESS = 0.97, 0.85, 0.7, 0.5


@dataclass(frozen=True, slots=True)
class ShelfChange:
    """What happened on the shelf.

    Args:
        epc: None where no tag tells which one.
        gtin: None where nothing tells what.
        delta_g: this thing's share of the change; negative for a pick.
    """

    kind: ChangeKind
    epc: bytes | None
    gtin: str | None
    quantity: int
    delta_g: float
    confidence: float
    detected_at_ns: int


@dataclass(frozen=True, slots=True)
class _Sighting:
    """A tag of a known article in the shelf's zone.

    Args:
        since_ns: when its present streak of reads began.
        silence_ns: unread for longer than this, it is silent.
    """

    article: Article
    since_ns: int
    last_read_ns: int
    silence_ns: int


@dataclass(frozen=True, slots=True)
class _Swing:
    """A change of weight that is not yet explained.

    Args:
        began_ns: when the weight first moved.
        stable_ns: when the new weight was sure.
    """

    delta_g: float
    began_ns: int
    stable_ns: int


class ShelfFusion:
    """One shelf.

    Args:
        articles: what it holds.
        gtin_of: the article of an EPC, None for what is not ours to know.
    """

    def __init__(self, articles: Sequence[Article], gtin_of: Callable[[bytes], str | None]) -> None:
        self._articles = tuple(articles)
        self._by_gtin = {article.gtin: article for article in articles}
        self._gtin_of = gtin_of
        self._level_g: float | None = None  # the weight that is accounted for
        self._grams: float | None = None
        self._last_stable_g: float | None = None
        self._moving_since_ns: int | None = None
        self._swing: _Swing | None = None
        self._tags: dict[bytes, _Sighting] = {}
        self._away: dict[bytes, None] = {}  # picked, not put back; the newest of them, in the order of picking
        self._nameless: list[Article] = []  # picked, no tag told which

    @property
    def grams(self) -> float | None:
        """The last stable weight; None before the first."""
        return self._grams

    @property
    def moving(self) -> bool:
        """Whether the pan is not at rest, or a change waits for its explanation."""
        return self._moving_since_ns is not None or self._swing is not None

    def items(self, now_ns: int) -> int:
        """Tags of known articles that are being read here and were not picked."""
        return sum(epc not in self._away and not _is_silent(tag, now_ns) for epc, tag in self._tags.items())

    def forget_level(self) -> None:
        """The scale was away: its zero may have moved, so the next stable weight is taken as it is."""
        self._level_g = self._last_stable_g = self._moving_since_ns = self._swing = None

    def weigh(self, grams: float, at_ns: int, *, stable: bool) -> None:
        """Take in one weight."""
        if not stable:
            self._moving_since_ns = self._moving_since_ns or at_ns
            self._last_stable_g = None
            return
        previous, self._last_stable_g = self._last_stable_g, grams
        if self._level_g is not None and abs(grams - self._level_g) > NOISE_G:
            self._moving_since_ns = self._moving_since_ns or at_ns
        if previous is None or abs(grams - previous) > NOISE_G:
            return
        self._grams = grams
        self._settle(grams, at_ns)

    def see(self, tags: Sequence[PresentTag], now_ns: int) -> None:
        """Take in who is in the shelf's zone now; call often, since a pause in a tag's reads is seen between two calls."""
        seen = {epc: tag for epc, tag in self._tags.items() if now_ns - tag.last_read_ns < REMEMBER_NS}
        for tag in tags:
            before = self._tags.get(tag.epc)
            article = before.article if before else self._by_gtin.get(self._gtin_of(tag.epc) or "")
            if article is None:
                continue
            silence_ns = min(max(SILENT_INTERVALS * (tag.mean_interval_ns or 0), MIN_SILENCE_NS), MAX_SILENCE_NS)
            since_ns = tag.arrived_ns
            if before is not None:
                paused = tag.last_read_ns - before.last_read_ns > before.silence_ns
                since_ns = tag.last_read_ns if paused else before.since_ns
            seen[tag.epc] = _Sighting(article, since_ns, tag.last_read_ns, silence_ns)
        self._tags = seen
        for epc in self._away.keys() & seen.keys():
            if seen[epc].last_read_ns - seen[epc].since_ns > LIES_HERE_NS:
                del self._away[epc]

    def tick(self, now_ns: int) -> list[ShelfChange]:
        """What can be said by now about a change of weight: at once when one set of tags explains it, else after a wait."""
        swing = self._swing
        if swing is None or self._level_g is None:
            return []
        tags = self._gone(swing, now_ns) if swing.delta_g < 0 else self._come(swing, now_ns)
        fits = fit_tags(abs(swing.delta_g), tags)
        if len(fits) != 1 and now_ns - swing.stable_ns < WAIT_NS:
            return []
        self._level_g += swing.delta_g
        self._swing = None
        if len(fits) == 1:
            return self._tagged(swing.delta_g, [(epc, tags[epc]) for epc in fits[0]], SURE, now_ns)
        if fits:  # several sets of tags fit: what is sure, which is not
            return self._nameless_changes(swing.delta_g, [tags[epc] for epc in fits[0]], GUESS, now_ns)
        if swing.delta_g > 0:
            return self._unexplained_gain(swing.delta_g, now_ns)
        return self._unexplained_loss(swing.delta_g, tags, now_ns)

    def _settle(self, grams: float, at_ns: int) -> None:
        """Compare a sure weight with the level: noise and drift move the level, more is a swing."""
        moved_ns, self._moving_since_ns = self._moving_since_ns, None
        if self._level_g is None:
            self._level_g = grams
            return
        delta_g = grams - self._level_g
        if abs(delta_g) <= NOISE_G:
            self._level_g += delta_g * DRIFT_SHARE
            self._swing = None
        elif self._swing is None:
            self._swing = _Swing(delta_g, at_ns if moved_ns is None else moved_ns, at_ns)
        elif abs(delta_g - self._swing.delta_g) > NOISE_G:
            self._swing = _Swing(delta_g, self._swing.began_ns, at_ns)

    def _gone(self, swing: _Swing, now_ns: int) -> dict[bytes, Article]:
        """Tags that fell silent about when the weight moved."""
        return {
            epc: tag.article
            for epc, tag in self._tags.items()
            if epc not in self._away and _is_silent(tag, now_ns) and tag.last_read_ns >= swing.began_ns - BEFORE_NS
        }

    def _come(self, swing: _Swing, now_ns: int) -> dict[bytes, Article]:
        """Tags that are read now, and were not before the weight moved, or were picked."""
        return {
            epc: tag.article
            for epc, tag in self._tags.items()
            if not _is_silent(tag, now_ns) and (epc in self._away or tag.since_ns >= swing.began_ns - BEFORE_NS)
        }

    def _tagged(
        self, delta_g: float, things: Sequence[tuple[bytes, Article]], confidence: float, now_ns: int
    ) -> list[ShelfChange]:
        epcs = {epc for epc, _ in things}
        away = [epc for epc in self._away if epc not in epcs] + ([epc for epc, _ in things] if delta_g < 0 else [])
        self._away = dict.fromkeys(away[-MAX_AWAY:])
        total_g = sum(article.unit_g for _, article in things)
        kind: ChangeKind = "pick" if delta_g < 0 else "putback"
        return [
            ShelfChange(kind, epc, article.gtin, 1, delta_g * article.unit_g / total_g, confidence, now_ns)
            for epc, article in things
        ]

    def _nameless_changes(
        self, delta_g: float, things: Sequence[Article], confidence: float, now_ns: int
    ) -> list[ShelfChange]:
        """One change per article, item unknown."""
        if delta_g < 0:
            self._nameless = [*self._nameless, *things][-MAX_NAMELESS:]
        else:
            for thing in things:
                if thing in self._nameless:
                    self._nameless.remove(thing)
        total_g = sum(thing.unit_g for thing in things)
        kind: ChangeKind = "pick" if delta_g < 0 else "putback"
        return [
            ShelfChange(kind, None, article.gtin, count, delta_g * count * article.unit_g / total_g, confidence, now_ns)
            for article, count in count_by_article(things)
        ]

    def _unexplained_loss(self, delta_g: float, tags: Mapping[bytes, Article], now_ns: int) -> list[ShelfChange]:
        """Weight fell, and the silent tags do not make it up: known articles by weight, or an anomaly."""
        fit = fit_tags_and_more(-delta_g, tags, self._articles)
        if fit is None:
            return [_anomaly(delta_g, now_ns)]
        if not fit.epcs:
            confidence = GUESS if is_ambiguous(-delta_g, self._articles) else WEIGHT_ONLY
            return self._nameless_changes(delta_g, fit.untagged, confidence, now_ns)
        tagged = [(epc, tags[epc]) for epc in fit.epcs]
        tagged_g = sum(article.unit_g for _, article in tagged)
        share_g = delta_g * tagged_g / (tagged_g + sum(article.unit_g for article in fit.untagged))
        return [
            *self._tagged(share_g, tagged, MIXED, now_ns),
            *self._nameless_changes(delta_g - share_g, fit.untagged, GUESS, now_ns),
        ]

    def _unexplained_gain(self, delta_g: float, now_ns: int) -> list[ShelfChange]:
        """Weight rose, and no tag came: what was picked without a tag's word is back, or a foreign thing was put down."""
        mix = fit_articles(delta_g, list(dict.fromkeys(self._nameless)))
        if mix is not None and all(count <= self._nameless.count(article) for article, count in count_by_article(mix)):
            return self._nameless_changes(delta_g, mix, WEIGHT_ONLY, now_ns)
        return [_anomaly(delta_g, now_ns)]


def _is_silent(tag: _Sighting, now_ns: int) -> bool:
    return now_ns - tag.last_read_ns > tag.silence_ns


def _anomaly(delta_g: float, now_ns: int) -> ShelfChange:
    return ShelfChange("anomaly", None, None, 0, delta_g, GUESS, now_ns)
