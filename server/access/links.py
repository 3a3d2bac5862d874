"""The address of a one-time link."""

from server.config import ServerConfig

PATH = "/enter"


def enter_link(config: ServerConfig, secret: str) -> str:
    """Where a one-time secret is used up: a password is set there, or the browser just signed in."""
    return f"{config.origin}{PATH}/{secret}"
