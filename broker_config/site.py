"""The site file: the places of a store and which agent owns each.  Server, agents and the broker's ACL read the same one."""

import re
from pathlib import Path
from typing import Annotated, Literal, NewType, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from broker_config.errors import ConfigError

T = TypeVar("T")

ZoneId = NewType("ZoneId", str)
AgentId = NewType("AgentId", str)
DisplayId = NewType("DisplayId", str)
ActuatorId = NewType("ActuatorId", str)
ShelfId = NewType("ShelfId", str)

ZoneKind = Literal["door", "floor", "shelf", "fitting-room", "till", "exit", "desk", "stock"]
ScreenClass = Literal["public", "semi", "private"]
Text = dict[str, str]
"""One text in several languages, keyed by language tag: `en`, `zh-Hant`, `zh-Hans`."""


def in_language(text: Text, language: str) -> str:
    """The text in this language, else in another script of it, else in English, else in whatever it has."""
    own = language.partition("-")[0]
    other_script = next((each for tag, each in text.items() if each and tag.partition("-")[0] == own), "")
    return text.get(language) or other_script or text.get("en") or next(iter(text.values()), "")


_LEVEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
Level = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?\Z", max_length=40)]
"""An id that may stand as one level of a topic."""


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Configuration: a misspelt key is an error, never ignored."""


class Zone(Strict, frozen=True):
    """A place covered by a set of antennas.

    Args:
        rect: x, y, width, height in metres on the floor plan, origin top left.
    """

    id: Level
    kind: ZoneKind
    agent: Level
    name: Text
    rect: tuple[float, float, float, float]


class Shelf(Strict, frozen=True):
    id: Level
    zone: Level
    agent: Level
    name: Text


class Display(Strict, frozen=True):
    id: Level
    zone: Level
    screen_class: ScreenClass
    name: Text


class Actuator(Strict, frozen=True):
    id: Level
    zone: Level
    agent: Level
    name: Text


class Site(Strict, frozen=True):
    """A store.

    Args:
        own_goods: EPC prefixes of the site's own goods as hex text; a tag that matches none is no item here.
        visit_gap_s: unseen for this long, a visit is over.
    """

    id: Level
    name: Text
    timezone: str
    language: str
    own_goods: tuple[str, ...]
    zones: tuple[Zone, ...]
    shelves: tuple[Shelf, ...] = ()
    displays: tuple[Display, ...] = ()
    actuators: tuple[Actuator, ...] = ()
    visit_gap_s: Annotated[int, msgspec.Meta(ge=1)] = 600

    @property
    def agents(self) -> tuple[AgentId, ...]:
        """Every agent that owns something here, sorted."""
        owners = {zone.agent for zone in self.zones} | {shelf.agent for shelf in self.shelves}
        owners |= {actuator.agent for actuator in self.actuators}
        return tuple(AgentId(agent) for agent in sorted(owners))


def is_level(text: str) -> bool:
    """Whether `text` may stand as one level of a topic: lower-case letters, digits, inner hyphens."""
    return _LEVEL.fullmatch(text) is not None


def load_toml(path: Path, model: type[T]) -> T:
    """Read one TOML file into its frozen model.

    A field of type `Path` comes out relative to the file's folder, wherever the program was started.

    Raises:
        ConfigError: the file is missing, is no TOML, or holds a wrong or unknown key; the message names file and key.
    """

    def in_its_folder(kind: type, value: object) -> object:
        if kind is Path and isinstance(value, str):
            return path.parent / value
        raise NotImplementedError(f"no TOML value decodes to {kind.__name__}")

    try:
        return msgspec.toml.decode(path.read_bytes(), type=model, dec_hook=in_its_folder)
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file; `tacet demo` writes a working example") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error


def load_site(path: Path) -> Site:
    """Read and check a site file.

    Raises:
        ConfigError: as `load_toml`; also for an id used twice, a zone that is not there, or an unknown time zone.
    """
    site = load_toml(path, Site)
    named = {
        "zone": [zone.id for zone in site.zones],
        "shelf": [shelf.id for shelf in site.shelves],
        "display": [display.id for display in site.displays],
        "actuator": [actuator.id for actuator in site.actuators],
    }
    for kind, ids in named.items():
        for thing_id in ids:
            if ids.count(thing_id) > 1:
                raise ConfigError(
                    f"{path}: {kind} id {thing_id!r} is used twice; ids name topics, so each must be its own"
                )
    _check_timezone(path, site.timezone)
    places = [(shelf.id, shelf.zone) for shelf in site.shelves]
    places += [(display.id, display.zone) for display in site.displays]
    places += [(actuator.id, actuator.zone) for actuator in site.actuators]
    for thing, zone_id in places:
        if zone_id not in named["zone"]:
            raise ConfigError(f"{path}: {thing!r} is in zone {zone_id!r}, which the file does not define")
    for prefix in site.own_goods:
        if not re.fullmatch(r"([0-9a-fA-F]{2})+", prefix):
            raise ConfigError(f"{path}: own_goods prefix {prefix!r} is not whole bytes of hex text")
    return site


def _check_timezone(path: Path, name: str) -> None:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: a folder of zones, as "Asia"
        raise ConfigError(
            f"{path}: there is no time zone {name!r}; write it as Asia/Taipei or Europe/Berlin"
        ) from error
