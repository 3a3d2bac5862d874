"""What of Mosquitto reaches beyond this machine: the listener by certificate, and the link to the centre."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from broker_config.acl import Rights
from broker_config.config import Bridge, BrokerSettings
from broker_config.errors import ConfigError
from broker_config.mosquitto.bridge import render_bridge, rights_in_store, user_at_centre
from broker_config.mosquitto.conf import render_listeners
from broker_config.pki.door import Door
from broker_config.pki.expiry import Warner, read_certificate, utc_now, validity_of
from broker_config.pki.store import PkiStore
from broker_config.site import Site, load_site
from broker_config.tls import load_context

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Network:
    """Both may be absent.

    Args:
        bridge: the link, and the site whose messages cross it.
    """

    door: Door | None = None
    bridge: tuple[Bridge, Site] | None = None
    _warner: Warner = field(default_factory=Warner)

    def lines(self, host: str, port: int, folder: Path) -> list[str]:
        """The listeners and the link, as `mosquitto.conf` has them."""
        lines = render_listeners(host, port, None if self.door is None else self.door.listener, folder)
        return lines if self.bridge is None else [*lines, *render_bridge(*self.bridge, folder)]

    def rights(self) -> dict[str, Rights]:
        """Of the link."""
        return {} if self.bridge is None else rights_in_store(self.bridge[1])

    def files(self) -> dict[str, bytes]:
        """Certificates and keys by the name under which Mosquitto reads them, checked.

        Raises:
            ConfigError: one is missing, or does not fit.
        """
        files = {} if self.door is None else self.door.served()
        if self.bridge is None:
            return files
        own = self.bridge[0].tls
        load_context(own)
        paths = {"bridge-ca.pem": own.ca, "bridge.pem": own.certificate, "bridge.key": own.key}
        return files | {name: path.read_bytes() for name, path in paths.items()}

    def look(self, clock: Callable[[], datetime] = utc_now) -> None:
        """Renew what can be renewed here, and say of the rest, the link's own certificate included, when it ends."""
        if self.door is not None:
            self.door.look()
        if self.bridge is None:
            return
        bridge, site = self.bridge
        remedy = (
            f"have the centre's CA make another for {user_at_centre(site)}, put it in place, and restart the broker"
        )
        try:
            self._warner.say(validity_of(read_certificate(bridge.tls.certificate)), clock(), remedy)
        except ConfigError as error:
            log.error("the link to the centre: %s", error)  # noqa: TRY400  the one line is the whole story

    def prepare(self, users: Iterable[str]) -> list[str]:
        """Make the certificates that are missing; whose these are.

        Raises:
            ConfigError: as `Door.prepare`.
        """
        return [] if self.door is None else self.door.prepare(users)

    def watched(self) -> tuple[Path, ...]:
        """The files whose change the broker has to hear of."""
        return () if self.door is None else self.door.watched()


NOWHERE = Network()
"""This machine alone."""


def network_of(settings: BrokerSettings) -> Network:
    """What the settings ask for.

    Raises:
        ConfigError: the site file cannot be read.
    """
    door = None if settings.tls is None else Door(settings.tls, PkiStore(settings.identity))
    bridge = None if settings.bridge is None else (settings.bridge, load_site(settings.site))
    return Network(door, bridge)


def needs_mosquitto(settings: BrokerSettings) -> None:
    """Refuse settings that the embedded broker cannot serve.

    Raises:
        ConfigError: says which.
    """
    for name in ("tls", "bridge"):
        if getattr(settings, name) is not None:
            raise ConfigError(f"[{name}] needs Mosquitto: install it, or take the table out and keep to this machine")
