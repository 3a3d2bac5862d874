"""The rule file: what the store may say, to whom, and why.  YAML in, frozen values out, anything odd refused by name and line."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import msgspec
import yaml

from broker_config.errors import ConfigError
from broker_config.site import Level, ScreenClass, Site, Strict, Text

LANGUAGES = ("en", "zh-Hant")
"""Each text must be given in these."""
MAX_FILE_BYTES = 1024 * 1024
Purpose = Literal["recognise", "recommend"]
Trigger = Literal["visit.entered", "visit.dwelled", "shelf.pick", "shelf.putback"]
PERSONAL: tuple[Trigger, ...] = ("visit.entered", "visit.dwelled")
"""What a member sets off; the others name nobody."""
Tag = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=40)]
T = TypeVar("T")
_BOOL = "tag:yaml.org,2002:bool"


class Content(Strict, frozen=True, kw_only=True):
    """Something a screen can show.

    Args:
        base: displays that show it when they have nothing personal to say; such content is impersonal.
        screen_class: moments only: `private` content needs a private screen, `semi` a semi or private one, `public` any.
        motive: moments only: in whose interest it is.
        interests: what it is about; a member's dis-interest in any of these keeps it away.
    """

    id: Level
    text: Text
    note: Text = msgspec.field(default_factory=dict)
    picture: str | None = None
    base: tuple[Level, ...] = ()
    screen_class: ScreenClass | None = None
    motive: Literal["service", "member-interest", "store-push", "discovery"] | None = None
    interests: tuple[Tag, ...] = ()


class MomentAction(Strict, frozen=True):
    """Show content on the displays of the place where it happened."""

    content: Level
    ttl_s: Annotated[float, msgspec.Meta(ge=1, le=120)]


class ActuatorAction(Strict, frozen=True):
    """Switch an actuator; after `hold_s` it goes back by itself."""

    id: Level
    on: bool
    hold_s: Annotated[float, msgspec.Meta(gt=0, le=3600)] | None = None


class Rule(Strict, frozen=True, kw_only=True):
    """When something happens at one of the places, do one thing, if every gate agrees.

    Args:
        purposes: what the member must have agreed to.
        interests: the member must have declared one of these; none: no such condition.
    """

    id: Level
    version: int
    state: Literal["draft", "shadow", "live", "off"]
    author: str
    why: Text
    trigger: Trigger
    zones: tuple[Level, ...] = ()
    shelves: tuple[Level, ...] = ()
    purposes: tuple[Purpose, ...] = ()
    interests: tuple[Tag, ...] = ()
    moment: MomentAction | None = None
    actuator: ActuatorAction | None = None


class Interest(Strict, frozen=True, kw_only=True):
    """A subject in which members may declare an interest, and how it is called."""

    id: Tag
    name: Text


@dataclass(frozen=True, slots=True)
class Rules:
    """A whole file, checked against the site.

    Args:
        interests: every subject that the file names, and what it is called; by its tag where the file does not say.
    """

    version: int
    contents: dict[str, Content]
    rules: tuple[Rule, ...]
    interests: dict[str, Text]

    def matching(self, trigger: Trigger, place: str) -> tuple[Rule, ...]:
        """The rules that speak of this, live or in shadow, in the file's order."""
        return tuple(
            rule
            for rule in self.rules
            if rule.state in ("live", "shadow") and rule.trigger == trigger and place in (rule.zones or rule.shelves)
        )


class _Loader(yaml.SafeLoader):
    """Safe; refuses a key given twice, of which YAML would keep the last; and takes `on` and `off` for the words they are."""

    yaml_implicit_resolvers = {  # noqa: RUF012  (read by PyYAML as it stands)
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _BOOL]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is no text", key_node.start_mark)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is given twice", key_node.start_mark)
            seen.add(key)
        return dict(super().construct_mapping(node, deep=deep))


_Loader.add_implicit_resolver(_BOOL, re.compile("true|false"), ["t", "f"])


def load_rules(path: Path, site: Site) -> Rules:
    """Read and check a rule file.

    Raises:
        ConfigError: one line: file, line, rule or content, and what to do.
    """
    top = _read_yaml(path)
    if unknown := sorted(set(top) - {"version", "interests", "content", "rules"}):
        raise ConfigError(f"{path}: unknown key {unknown[0]!r}; the file has version, interests, content and rules")
    version = top.get("version")
    if not isinstance(version, int):
        raise ConfigError(f"{path}: version is missing or no number")
    contents = _convert_all(path, top, "content", Content, "content")
    rules = _convert_all(path, top, "rules", Rule, "rule")
    by_id = {content.id: content for content, _ in contents}
    for content, where in contents:
        _check_content(content, site, where)
    for rule, where in rules:
        _check_rule(rule, by_id, site, where)
    named = _convert_all(path, {"interests": []} | top, "interests", Interest, "interest")
    for interest, where in named:
        _check_languages(interest.name, "name", where)
    used = {tag for content, _ in contents for tag in content.interests}
    used |= {tag for rule, _ in rules for tag in rule.interests}
    interests: dict[str, Text] = {tag: {"en": tag} for tag in used} | {each.id: each.name for each, _ in named}
    return Rules(version, by_id, tuple(rule for rule, _ in rules), interests)


def _read_yaml(path: Path) -> dict[str, object]:
    """The file's top level; each entry of a list carries the line it starts in under `__line__`."""
    try:
        text = path.read_bytes()
        if len(text) > MAX_FILE_BYTES:
            raise ConfigError(f"{path}: larger than {MAX_FILE_BYTES} bytes")
        loader = _Loader(text.decode())
        try:
            node = loader.get_single_node()
            top = loader.construct_document(node) if node is not None else None
        finally:
            loader.dispose()
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read: {error.strerror}; docs/operations.md has an example, `tacet demo` writes another"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: {' '.join(str(error).split())}") from error
    if not isinstance(top, dict) or not isinstance(node, yaml.MappingNode):
        raise ConfigError(f"{path}: not a mapping with version, content and rules")
    _note_lines(node, top)
    return top


def _note_lines(node: yaml.MappingNode, top: dict[str, object]) -> None:
    for key_node, value_node in node.value:
        entries = top.get(key_node.value)
        if isinstance(entries, list) and isinstance(value_node, yaml.SequenceNode):
            for entry, entry_node in zip(entries, value_node.value, strict=True):
                if isinstance(entry, dict):
                    entry["__line__"] = entry_node.start_mark.line + 1


def _convert_all(path: Path, top: dict[str, object], key: str, model: type[T], kind: str) -> list[tuple[T, str]]:
    """Each entry under a key as its model, with the words that say where it stands."""
    entries = top.get(key)
    if not isinstance(entries, list):
        raise ConfigError(f"{path}: `{key}` is missing or no list; docs/operations.md has an example")
    found: list[tuple[T, str]] = []
    ids: set[str] = set()
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, dict):
            raise ConfigError(f"{path}: {kind} number {number} is not a mapping")
        entry_id = str(entry.get("id", f"number {number}"))
        where = f"{path}, line {entry.get('__line__', '?')}, {kind} {entry_id!r}"
        if entry_id in ids:
            raise ConfigError(f"{where}: this id is used twice")
        ids.add(entry_id)
        try:
            found.append((msgspec.convert({k: v for k, v in entry.items() if k != "__line__"}, model), where))
        except msgspec.ValidationError as error:
            raise ConfigError(f"{where}: {error}") from error
    return found


def _check_content(content: Content, site: Site, where: str) -> None:
    _check_languages(content.text, "text", where)
    if content.note:
        _check_languages(content.note, "note", where)
    displays = {display.id for display in site.displays}
    for display in content.base:
        if display not in displays:
            raise ConfigError(f"{where}: the site has no display {display!r}")
    if content.base and (content.screen_class or content.motive or content.interests):
        raise ConfigError(f"{where}: base content is impersonal; leave out screen_class, motive and interests")
    if not content.base and (content.screen_class is None or content.motive is None):
        raise ConfigError(f"{where}: give it screen_class and motive, or base displays")


def _check_rule(rule: Rule, contents: dict[str, Content], site: Site, where: str) -> None:
    _check_languages(rule.why, "why", where)
    if (rule.moment is None) == (rule.actuator is None):
        raise ConfigError(f"{where}: give it exactly one of moment and actuator")
    _check_places(rule, site, where)
    if rule.actuator is not None and rule.actuator.id not in {actuator.id for actuator in site.actuators}:
        raise ConfigError(f"{where}: the site has no actuator {rule.actuator.id!r}")
    if rule.moment is None:
        return
    content = contents.get(rule.moment.content)
    if content is None or content.base:
        raise ConfigError(f"{where}: there is no moment content {rule.moment.content!r}")
    shelf_zones = {shelf.id: shelf.zone for shelf in site.shelves}
    with_display = {display.zone for display in site.displays}
    for place in rule.zones or rule.shelves:
        if shelf_zones.get(place, place) not in with_display:
            raise ConfigError(f"{where}: nothing can be shown at {place!r}, there is no display")


def _check_places(rule: Rule, site: Site, where: str) -> None:
    personal = rule.trigger in PERSONAL
    wanted, other = ("zones", rule.shelves) if personal else ("shelves", rule.zones)
    places = rule.zones if personal else rule.shelves
    if not places or other:
        raise ConfigError(f"{where}: a rule on {rule.trigger} names its {wanted}, and nothing else")
    known = {zone.id for zone in site.zones} if personal else {shelf.id for shelf in site.shelves}
    for place in places:
        if place not in known:
            raise ConfigError(f"{where}: the site has no {wanted[:-1] if personal else 'shelf'} {place!r}")
    if personal and "recognise" not in rule.purposes:
        raise ConfigError(f"{where}: a rule about a visit needs the purpose recognise")
    if not personal and (rule.purposes or rule.interests):
        raise ConfigError(f"{where}: {rule.trigger} names nobody; leave out purposes and interests")


def _check_languages(text: Text, name: str, where: str) -> None:
    for language in LANGUAGES:
        if not text.get(language, "").strip():
            raise ConfigError(f"{where}: {name} is missing in {language}")
