"""The gates: each a plain function of data, rule and context that says yes or no and what it looked at."""

from collections.abc import Callable

import msgspec

from broker_config.site import ScreenClass, ZoneId
from server.decisions.quiet import find_window
from server.decisions.rules import Content, Rule

DEFAULT_CAP = 3
"""Moments in one visit for a member who has set no cap."""
OPENNESS = {"public": 0, "semi": 1, "private": 2}


class MemberFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the member has agreed to and asked for, at the time.

    Args:
        quiet: windows `HH:MM-HH:MM`.
        cap: moments in one visit: None: not set; 0: none ever.
    """

    purposes: tuple[str, ...] = ()
    interests: tuple[str, ...] = ()
    disinterests: tuple[str, ...] = ()
    quiet: tuple[str, ...] = ()
    cap: int | None = None


class DecisionData(msgspec.Struct, frozen=True, kw_only=True):
    """What the decision is about.

    Args:
        gtin: the article that a shelf's event is about, where one is known.
        member: None where the event names nobody.
        shown: moments shown in this visit before.
        spoken: this event has already brought a moment to this display.
    """

    trigger: str
    zone: ZoneId
    shelf: str | None = None
    gtin: str | None = None
    member: MemberFacts | None = None
    shown: int = 0
    spoken: bool = False


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """The circumstances.

    Args:
        local_time: the store's wall clock, ISO with offset.
        minute: its minute of the day.
        content: what would be shown; None for an actuator.
    """

    local_time: str
    minute: int
    display: str | None = None
    screen_class: ScreenClass | None = None
    content: Content | None = None


Facts = dict[str, object]
Gate = Callable[[DecisionData, Rule, Context], tuple[bool, Facts]]


def purpose(data: DecisionData, rule: Rule, _context: Context) -> tuple[bool, Facts]:
    """The member has agreed to every purpose that the rule needs."""
    agreed = data.member.purposes if data.member else ()
    lacking = [name for name in rule.purposes if name not in agreed]
    return not lacking, {"needs": list(rule.purposes), "lacking": lacking}


def screen_class(_data: DecisionData, _rule: Rule, context: Context) -> tuple[bool, Facts]:
    """The screen is at least as private as the content needs."""
    if context.content is None or context.screen_class is None:
        return True, {"screen": None, "content": None}
    wanted = context.content.screen_class or "private"
    facts: Facts = {"screen": context.screen_class, "content": wanted}
    return OPENNESS[context.screen_class] >= OPENNESS[wanted], facts


def quiet_hours(data: DecisionData, _rule: Rule, context: Context) -> tuple[bool, Facts]:
    """The member has not asked to be left alone at this hour.  What is refused here is dropped, never told later."""
    windows = data.member.quiet if data.member else ()
    window = find_window(windows, context.minute)
    time = f"{context.minute // 60:02}:{context.minute % 60:02}"
    return window is None, {"time": time, "windows": list(windows), "window": window}


def frequency_cap(data: DecisionData, _rule: Rule, context: Context) -> tuple[bool, Facts]:
    """One moment per display and event, and no more in a visit than the member wants: unset is the default, 0 is none."""
    own = data.member.cap if data.member else None
    cap = DEFAULT_CAP if own is None else own
    facts: Facts = {"cap": cap, "set_by_member": own is not None, "shown": data.shown, "spoken": data.spoken}
    if context.content is None or data.member is None:
        return not data.spoken, facts
    return not data.spoken and data.shown < cap, facts


def interest(data: DecisionData, rule: Rule, context: Context) -> tuple[bool, Facts]:
    """The member likes one of what it is about, and dislikes none of it: a declared dis-interest outweighs any interest."""
    about = sorted({*rule.interests, *(context.content.interests if context.content else ())})
    likes = data.member.interests if data.member else ()
    dislikes = data.member.disinterests if data.member else ()
    shared = [tag for tag in about if tag in likes]
    vetoed = [tag for tag in about if tag in dislikes]
    facts: Facts = {"about": about, "shared": shared, "vetoed": vetoed}
    return not vetoed and (not about or data.member is None or bool(shared)), facts


RUNNING: tuple[tuple[str, Gate], ...] = (
    ("purpose", purpose),
    ("screen_class", screen_class),
    ("quiet_hours", quiet_hours),
    ("frequency_cap", frequency_cap),
    ("interest", interest),
)
"""The gates this release runs, in the order of `server.decisions.model.GATES`."""
