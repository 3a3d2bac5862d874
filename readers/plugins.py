"""Driver classes by name: the built-in table first, then what installed packages offer.  Imported only when chosen."""

import importlib
from collections.abc import Mapping
from importlib.metadata import entry_points

from readers.errors import UnknownDevice


def load_driver(name: str, kind: str, built_in: Mapping[str, str], group: str) -> type:
    """The driver class called `name`.

    Args:
        kind: what to call it in a message: reader, scale, relay.
        built_in: name to `module:Class`.
        group: entry point group of third-party packages, each entry naming a driver class.

    Raises:
        UnknownDevice: the message lists the names that are known.
    """
    if name in built_in:
        module, _, attribute = built_in[name].partition(":")
        driver = getattr(importlib.import_module(module), attribute)
    else:
        found = entry_points(group=group, name=name)
        if not found:
            known = sorted({*built_in, *entry_points(group=group).names})
            raise UnknownDevice(f"unknown {kind} type {name!r}; known: {', '.join(known)}")
        driver = next(iter(found)).load()
    if not isinstance(driver, type):
        raise UnknownDevice(f"{kind} type {name!r}: its package offers no driver class")
    return driver
