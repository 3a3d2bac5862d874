"""What the documents tell a user to write is what the drivers take."""

import importlib
import re
import textwrap
import tomllib
from pathlib import Path

import pytest

from edge.actuators.printers import PRINTERS, check_printer
from edge.actuators.registry import RELAYS, check_relay
from readers import registry

DOCS = Path(__file__).parents[2] / "docs"
OURS = {"id", "type", "port", "antennas", "shelf", "items", "zone"}
"""Keys of a stanza that belong to the agent."""
CHECKS = {
    "readers": registry.check_reader,
    "scales": registry.check_scale,
    "sensors": registry.check_sensor,
    "actuators": check_relay,
    "printers": check_printer,
}
DRIVERS = {**registry.READERS, **registry.SCALES, **registry.SENSORS, **RELAYS, **PRINTERS}
FENCED = re.compile(r"```toml\n(.*?)```", re.DOTALL)


def check(text: str) -> list[str]:
    """The types of the stanzas in a TOML text, each accepted by its driver."""
    types = []
    for kind, stanzas in tomllib.loads(text).items():
        for stanza in stanzas:
            CHECKS[kind](stanza["type"], {key: value for key, value in stanza.items() if key not in OURS})
            types.append(stanza["type"])
    return types


def test_every_stanza_in_the_documents_is_accepted() -> None:
    told = [each for block in FENCED.findall((DOCS / "devices.md").read_text()) for each in check(block)]
    assert {*told} == {"magicrf-m100", "uhfreader288", "r2000-a0", "mercury"}
    readme = (DOCS.parent / "README.md").read_text()
    assert [each for block in FENCED.findall(readme) if "[[" in block for each in check(textwrap.dedent(block))]


def test_every_device_is_described() -> None:
    text = (DOCS / "devices.md").read_text()
    assert [each for each in DRIVERS if f"`{each}`" not in text] == []


@pytest.mark.parametrize("type_name", sorted(DRIVERS))
def test_the_stanza_at_the_head_of_a_driver_is_accepted(type_name: str) -> None:
    module = importlib.import_module(DRIVERS[type_name].partition(":")[0])
    indented = re.search(r"\n((?:    .*\n|\n)+)", module.__doc__ or "")
    assert indented, "a driver's docstring opens with its stanza"
    stanza = textwrap.dedent(indented[1]).replace("…", "...")
    for other in ("uhfreader18", "uhfreader288"):  # one docstring for two types: the lines of the other are marked
        if type_name in ("uhfreader18", "uhfreader288") and other != type_name:
            stanza = _without(stanza, other)
    stanza = re.sub(r'type = "uhfreader\d+"', f'type = "{type_name}"', stanza)
    assert check(stanza) == [type_name]


def _without(stanza: str, other: str) -> str:
    """The stanza without the paragraph that is only the other type's."""
    return "\n\n".join(part for part in stanza.split("\n\n") if f"{other} only" not in part)
