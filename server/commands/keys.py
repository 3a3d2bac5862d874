"""The keys under which commands are signed, one per receiver, from the identity folder."""

import logging
from collections.abc import Mapping
from pathlib import Path

from broker_config.command_mac import append_mac, receivers_of
from broker_config.errors import ConfigError
from broker_config.identity import load_credential
from broker_config.site import Site
from broker_config.topics import Topic

log = logging.getLogger(__name__)
Stamp = tuple[int, int]


class CommandKeys:
    """Keys by user name.  A credential that is replaced counts from the next command on."""

    def __init__(self, folder: Path, site: Site) -> None:
        self._folder, self._site = folder, site
        self._known: dict[str, tuple[Stamp | None, bytes | None]] = {}
        self._seen: dict[str, bytes | None] = {}

    def of(self, user: str) -> bytes | None:
        """The key of one receiver; None where it has no credential, or one without a key."""
        path = self._folder / f"{user}.toml"
        stamp = _stamp(path)
        if user not in self._known or self._known[user][0] != stamp:
            self._known[user] = (stamp, None if stamp is None else _read(path))
        return self._known[user][1]

    def have_changed(self) -> bool:
        """Whether somebody to whom something was sent has another key than when this was last asked."""
        before, self._seen = self._seen, {user: self.of(user) for user in self._seen}
        return self._seen != before

    def sign(self, row: Topic, levels: Mapping[str, str], topic: str, payload: bytes) -> bytes:
        """The message with a code for each receiver that has a key; the others will refuse it."""
        found = {user: self.of(user) for user in receivers_of(row, self._site, levels)}
        for user, key in found.items():
            self._seen.setdefault(user, key)
        return append_mac(topic, payload, {user: key for user, key in found.items() if key is not None})


def _stamp(path: Path) -> Stamp | None:
    """What changes when the file does."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_ctime_ns, stat.st_ino


def _read(path: Path) -> bytes | None:
    try:
        key = load_credential(path).command_key
    except ConfigError as error:
        log.warning("commands cannot be signed: %s", error)
        return None
    if key is None:
        log.warning("%s: lacks command_key; start the broker, which adds it, and give its owner the new file", path)
        return None
    return bytes.fromhex(key)
