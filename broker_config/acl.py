"""Who may publish and subscribe to what: pure rules over topic filters, generated from the topic table and the site file.

Both engines are driven from here: Mosquitto by the file that `render_acl_file` writes, the embedded broker by `Rights`.
Source: MQTT 3.1.1, section 4.7.
"""

from dataclasses import dataclass
from functools import lru_cache

from broker_config.identity import Credential
from broker_config.site import Site
from broker_config.topics import filters_for


@dataclass(frozen=True, slots=True)
class Rights:
    """The filters of one client.  What no filter allows is refused."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]

    def is_allowed_publish(self, topic: str) -> bool:
        """Whether a message may be sent, or a will be left, under `topic`; a wildcard in it never may."""
        return _matches_any(topic, self.publish)

    def is_allowed_subscribe(self, wanted: str) -> bool:
        """Whether every topic that the filter `wanted` matches is one the client may read."""
        return any(is_within(wanted, allowed) for allowed in self.subscribe)

    def is_allowed_receive(self, topic: str) -> bool:
        """Whether a message under `topic` may be handed to the client, whatever it once subscribed to."""
        return _matches_any(topic, self.subscribe)


def rights_of(credential: Credential, site: Site) -> Rights:
    """What the topic table and the site file give to the owner of a credential."""
    publish, subscribe = filters_for(credential.party, site, credential.id)
    return Rights(tuple(publish), tuple(subscribe))


@lru_cache(maxsize=4096)
def _matches_any(topic: str, filters: tuple[str, ...]) -> bool:
    """Cached, because the embedded broker asks it of every message, and a store has few topics."""
    return any(matches(topic, allowed) for allowed in filters)


def matches(topic: str, topic_filter: str) -> bool:
    """Whether `topic` is a sound topic name that the filter matches."""
    if not is_topic(topic) or not is_filter(topic_filter):
        return False
    if topic.startswith("$") and topic_filter[0] in "+#":
        return False  # [MQTT-4.7.2-1]
    levels, wanted = topic.split("/"), topic_filter.split("/")
    if wanted[-1] == "#":
        wanted.pop()
        levels = levels[: len(wanted)]  # `a/#` matches `a` too, and whatever is below it
    return len(levels) == len(wanted) and all(want in ("+", level) for level, want in zip(levels, wanted, strict=True))


def is_within(inner: str, outer: str) -> bool:
    """Whether every topic that `inner` matches is matched by `outer`: `x/#` is not within `x/+`, `x/+` is within `x/#`."""
    if not is_filter(inner) or not is_filter(outer):
        return False
    if inner.startswith("$") and outer[0] in "+#":
        return False
    # `#` alone matches what `+/#` does, for a topic has at least one level.
    narrow = ("+/#" if inner == "#" else inner).split("/")
    wide = outer.split("/")
    if wide[-1] == "#":
        wide.pop()
        narrow = narrow[: len(wide)] if len(narrow) >= len(wide) else narrow
    return len(narrow) == len(wide) and all(
        level != "#" and want in ("+", level) for level, want in zip(narrow, wide, strict=True)
    )


def is_topic(text: str) -> bool:
    """Whether `text` may name a message: not empty, no wildcard, no NUL."""
    return text != "" and not any(character in text for character in "+#\0")


def is_filter(text: str) -> bool:
    """Whether `text` is a topic filter: wildcards fill whole levels, `#` only the last."""
    levels = text.split("/")
    return (
        text != ""
        and "\0" not in text
        and all("#" not in level for level in levels[:-1])
        and all(len(level) == 1 or not any(wildcard in level for wildcard in "+#") for level in levels)
    )


def render_acl_file(rights: dict[str, Rights]) -> str:
    """Mosquitto's `acl_file`: a section per user, nothing for anybody else."""
    lines = ["# Generated from the topic table and the site file; written anew at each start."]
    for user, own in rights.items():
        lines += ["", f"user {user}"]
        lines += [f"topic write {topic_filter}" for topic_filter in own.publish]
        lines += [f"topic read {topic_filter}" for topic_filter in own.subscribe]
    return "\n".join(lines) + "\n"
