"""The link from a store's broker to the centre's, for a store whose server is at the centre.

What agents and displays tell the server goes up, what the server tells them comes down, and nothing else crosses: not what
one program of the store says to another, not another store's commands.  At the centre the link is the user `bridge-SITE`,
whose rights (`rights_at_centre`) are the same rules once more, so that neither side has to trust the other's file.
Source: mosquitto.conf(5), "Configuring Bridges".
"""

import re
from pathlib import Path

from broker_config.acl import Rights
from broker_config.config import Bridge
from broker_config.limits import MAX_PACKET_BYTES
from broker_config.site import Site
from broker_config.topics import ROOT, TOPICS

STORE: tuple[str, ...] = ("agent", "display")


def crossing(site: Site) -> Rights:
    """The filters that go up (`publish`) and those that come down (`subscribe`), below `tacet/1/SITE/`."""
    up = [_wide(row.pattern) for row in TOPICS if row.publisher in STORE and "server" in row.subscribers]
    down = [_wide(row.pattern) for row in TOPICS if row.publisher == "server" and set(STORE) & set(row.subscribers)]
    prefix = f"{ROOT}/{site.id}/"
    return Rights(tuple(prefix + pattern for pattern in up), tuple(prefix + pattern for pattern in down))


def _wide(pattern: str) -> str:
    return re.sub(r"\{\w+\}", "+", pattern)


def user_at_centre(site: Site) -> str:
    """Whom the store is at the centre: the common name of the certificate that the centre's CA makes for it."""
    return f"bridge-{site.id}"


def rights_at_centre(site: Site) -> dict[str, Rights]:
    """What the centre's ACL has to allow, and no more."""
    return {user_at_centre(site): crossing(site)}


def rights_in_store(site: Site) -> dict[str, Rights]:
    """What the store's own ACL has to say of the link.

    A link passes Mosquitto's ACL, but what it retained is served only where its user still may publish it
    (`check_retain_source`).  The user has no password and no certificate of this store's, so nobody can be it.
    """
    rights = crossing(site)
    return {user_at_centre(site): Rights(rights.subscribe, rights.publish)}


def render_bridge(bridge: Bridge, site: Site, folder: Path) -> list[str]:
    """The `connection` section of the store's `mosquitto.conf`."""
    rights = crossing(site)
    return [
        f"connection {user_at_centre(site)}",
        f"address {bridge.host}:{bridge.port}",
        f"remote_clientid {user_at_centre(site)}",
        f"local_clientid {user_at_centre(site)}",
        f"local_username {user_at_centre(site)}",
        f"remote_username {user_at_centre(site)}",  # also the publisher's name of what comes down, see `rights_in_store`
        f"bridge_cafile {folder}/bridge-ca.pem",
        f"bridge_certfile {folder}/bridge.pem",
        f"bridge_keyfile {folder}/bridge.key",
        "bridge_tls_version tlsv1.2",
        "bridge_insecure false",
        "bridge_protocol_version mqttv311",
        "try_private true",  # or what the centre retains would come down as if it were not
        "bridge_attempt_unsubscribe false",  # it has no right to what goes up, and is not to ask
        "notifications false",
        "cleansession false",
        "keepalive_interval 15",
        "restart_timeout 1 30",
        f"bridge_max_packet_size {MAX_PACKET_BYTES}",
        *(f"topic {topic} out 1" for topic in rights.publish),
        *(f"topic {topic} in 1" for topic in rights.subscribe),
    ]
