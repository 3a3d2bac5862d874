"""The messages a display sends and receives, as it sees them: only the fields it needs, unknown ones ignored."""

import secrets
from datetime import UTC, datetime

import msgspec

Version = tuple[int, int]
_encoder = msgspec.json.Encoder()


class BaseItem(msgspec.Struct, frozen=True):
    """One page of impersonal content."""

    content: str


class BaseSet(msgspec.Struct, frozen=True):
    """What to show while there is no moment."""

    display: str
    version: Version
    items: tuple[BaseItem, ...]


class MomentSet(msgspec.Struct, frozen=True):
    """A timed personal content; `cause_at` is passed back as it came."""

    display: str
    version: Version
    decision: str
    content: str
    text: dict[str, str]
    because: dict[str, str]
    language: str
    issued_at: datetime
    cause_at: str
    ttl_ms: int
    visit: str | None = None

    def sentence(self) -> str:
        """What a shopper reads, in their language where the content has it."""
        text, because = (
            words.get(self.language) or next(iter(words.values()), "") for words in (self.text, self.because)
        )
        return f"{text} ({because})" if because else text


class MomentClear(msgspec.Struct, frozen=True):
    """Take a moment away: that of `decision`, any of `visit`, or whatever stands there."""

    display: str
    version: Version
    decision: str | None = None
    visit: str | None = None


class VisitEnded(msgspec.Struct, frozen=True):
    """These visits are over."""

    visits: tuple[str, ...]


class MomentShown(msgspec.Struct, frozen=True, kw_only=True):
    """Proof of play."""

    display: str
    decision: str
    content: str
    phase: str
    at: datetime
    cause_at: str
    ended_by: str | None = None


class DisplayState(msgspec.Struct, frozen=True):
    """Birth, good-bye or last will."""

    state: str
    session: str
    since: datetime


class _Incoming(msgspec.Struct, frozen=True):
    type: str
    data: msgspec.Raw


class _Outgoing(msgspec.Struct, frozen=True):
    specversion: str
    id: str
    source: str
    type: str
    time: datetime
    datacontenttype: str
    data: MomentShown | DisplayState


KINDS: dict[str, type[BaseSet | MomentSet | MomentClear | VisitEnded]] = {
    "tacet.base.set.v1": BaseSet,
    "tacet.moment.set.v1": MomentSet,
    "tacet.moment.clear.v1": MomentClear,
    "tacet.visit.ended.v1": VisitEnded,
}


def decode(payload: bytes) -> BaseSet | MomentSet | MomentClear | VisitEnded | None:
    """The message in an envelope; None for a type that no display knows.

    Raises:
        msgspec.DecodeError: no such message.
    """
    incoming = msgspec.json.decode(payload, type=_Incoming)
    kind = KINDS.get(incoming.type)
    return None if kind is None else msgspec.json.decode(incoming.data, type=kind)


def encode(data: MomentShown | DisplayState, *, source: str, now: datetime) -> bytes:
    """An envelope around what a display says."""
    name = "tacet.moment.shown.v1" if isinstance(data, MomentShown) else "tacet.display.state.v1"
    return _encoder.encode(
        _Outgoing("1.0", secrets.token_hex(16), source, name, now.astimezone(UTC), "application/json", data)
    )
