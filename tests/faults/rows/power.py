"""Row 23: the power fails under the outbox and under the server.  The control only takes the full syncs away."""

from simulators.faults.sqlite_tape import CannotRecordError, check_recording
from tests.faults.edge_power import cut_edge
from tests.faults.report import Outcome
from tests.faults.row import CannotRunError, Profile, Row
from tests.faults.server_power import cut_server

FULL = 2000
FAST_EDGE, FAST_SERVER = 100, 40


async def edge(profile: Profile, synchronous: str = "FULL") -> list[Outcome]:
    """Cuts under the outbox."""
    _check()
    return await cut_edge(profile.seeds(FAST_EDGE, FULL), synchronous)


async def server(profile: Profile, synchronous: str = "FULL") -> list[Outcome]:
    """Cuts under the server."""
    _check()
    return await cut_server(profile.seeds(FAST_SERVER, FULL), synchronous)


async def edge_control(profile: Profile) -> list[Outcome]:
    """As SQLite is by default with a write-ahead log."""
    return await edge(profile, "NORMAL")


async def server_control(profile: Profile) -> list[Outcome]:
    """As SQLite is by default with a write-ahead log."""
    return await server(profile, "NORMAL")


def _check() -> None:
    try:
        check_recording()
    except CannotRecordError as error:
        raise CannotRunError(str(error)) from error


ROWS = (
    Row((23,), "power cut, edge", edge, edge_control, "NORMAL", takes_s=(8, 150), in_memory=True),
    Row((23,), "power cut, server", server, server_control, "NORMAL", limit_s=2700, takes_s=(15, 600), in_memory=True),
)
