"""What a screen is told to show, and what it says it did."""

from typing import Literal

import msgspec

from broker_config.messages.base import Data, Instant, Version
from broker_config.site import DisplayId, ScreenClass, Text


class DisplayState(Data, frozen=True, kw_only=True):
    """Birth, life and last will of a display; retained.  `state` is `ready`, `disconnected` or `lost`.

    Args:
        refused: messages that came on its topics and that the server had not signed for it, since it was started.
    """

    type_name = "tacet.display.state.v1"
    topic = "display_state"
    state: str
    session: str
    since: Instant
    refused: int = 0


class BaseItem(msgspec.Struct, frozen=True, kw_only=True):
    """One page of a display's base content."""

    content: str
    text: Text
    note: Text = {}
    picture: str | None = None
    seconds: float = 8.0


class BaseSet(Data, frozen=True, kw_only=True):
    """A display's impersonal content; retained, so a display that starts late shows it at once."""

    type_name = "tacet.base.set.v1"
    topic = "display_base"
    display: DisplayId
    version: Version
    items: tuple[BaseItem, ...]


class MomentSet(Data, frozen=True, kw_only=True):
    """A timed personal content for one display.  Held in memory only, gone after `ttl_ms`.

    Args:
        visit: whose moment it is, so that the end of the visit can take it away.
        text, because: one sentence and its reason, in the site's languages.
        language: which of them the person's preset asks for.
        cause_at: when the cause happened at the antenna; for the latency figure.
        screen_class: the highest class of screen the content may be on.
    """

    type_name = "tacet.moment.set.v1"
    topic = "moment_set"
    display: DisplayId
    version: Version
    decision: str
    content: str
    visit: str | None
    text: Text
    because: Text
    language: str
    screen_class: ScreenClass
    picture: str | None = None
    issued_at: Instant
    cause_at: Instant
    ttl_ms: int


class MomentClear(Data, frozen=True, kw_only=True):
    """Take the moment away now: that of `decision`, or any of `visit`, or whatever stands there when both are None."""

    type_name = "tacet.moment.clear.v1"
    topic = "moment_clear"
    display: DisplayId
    version: Version
    decision: str | None = None
    visit: str | None = None
    reason: str
    issued_at: Instant
    ttl_ms: int = 60_000


class MomentShown(Data, frozen=True, kw_only=True):
    """Proof of play, sent when a moment appears and again when it ends.

    Args:
        phase: `started` or `ended`.
        ended_by: `ttl`, `clear`, `replaced` or `link`; None while `started`.
        at: by the display's clock, corrected by its estimate of the server's.
        cause_at: copied from the moment.
    """

    type_name = "tacet.moment.shown.v1"
    topic = "display_shown"
    display: DisplayId
    decision: str
    content: str
    phase: Literal["started", "ended"]
    at: Instant
    cause_at: Instant
    ended_by: str | None = None
