"""Signs a message as the server does, for tests that speak in its place."""

from pathlib import Path

from broker_config.site import load_site
from broker_config.topics import parse_topic
from server.commands.keys import CommandKeys


def signed(topic: str, payload: bytes, identity: Path, site_file: Path) -> bytes:
    """The message as the server would publish it on this topic; unchanged where that topic takes no signature."""
    row, _, level = parse_topic(topic) or (None, "", "")
    assert row is not None, topic
    if not row.signed:
        return payload
    name = row.pattern.partition("{")[2].partition("}")[0]
    levels = {name: level} if name else {}
    return CommandKeys(identity, load_site(site_file)).sign(row, levels, topic, payload)
