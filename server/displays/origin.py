"""Is it our own page that asks?  Browsers send Origin truthfully; a foreign page cannot hide it."""

from server.config import is_loopback
from server.errors import Refused
from server.guard import host_of


def is_own_origin(origin: str | None, host: str) -> bool:
    """Whether the Origin header names this very server, under a loopback name and the port the browser asked.

    Args:
        origin, host: the headers as they came.
    """
    return origin == f"http://{host}" and is_loopback(host_of(host))


def check_origin(origin: str | None, host: str) -> None:
    """Let our own pages through, and programs, which send no Origin.

    Raises:
        Refused: a foreign page asks.
    """
    if origin is not None and not is_own_origin(origin, host):
        raise Refused("only this server's own pages may ask this")
