"""The demo's own folder: configuration written from the templates, data kept from run to run, one demo at a time."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

PREFERRED_SERVER_PORT = 8080
MAX_DEMOS = 20


class StateInUse(Exception):
    """The folder asked for belongs to a demo that is running."""


@dataclass(frozen=True, slots=True)
class DemoState:
    """Where this demo keeps its things and which ports it uses."""

    folder: Path
    broker_port: int
    server_port: int

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def server_url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def claimed_state(wanted: Path | None) -> Iterator[DemoState]:
    """The demo's folder, locked while the block runs, with fresh configuration in it.

    Args:
        wanted: the folder to use; None takes `demo`, or `demo-2` and so on where others run, under the user's state directory.
    Raises:
        StateInUse: another demo holds the folder that was asked for.
    """
    candidates = [wanted] if wanted else [default_folder(number) for number in range(1, MAX_DEMOS + 1)]
    for folder in candidates:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield write_configuration(folder)
            return
    raise StateInUse(
        f"{candidates[0]} is used by a demo that is running; stop it, or give another folder with --state DIR"
    )


def default_folder(number: int) -> Path:
    """`demo`, `demo-2`, … under $XDG_STATE_HOME/tacet."""
    home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return home / "tacet" / ("demo" if number == 1 else f"demo-{number}")


def write_configuration(folder: Path) -> DemoState:
    """Fill the templates in with free ports; the data of earlier runs stays."""
    ports = free_ports()
    names = {"broker_port": str(ports[0]), "server_port": str(ports[1])}
    for template in files("simulators").joinpath("demo_store").iterdir():
        (folder / template.name).write_text(
            Template(template.read_text(encoding="utf-8")).safe_substitute(names), encoding="utf-8"
        )
    (folder / "logs").mkdir(mode=0o700, exist_ok=True)
    return DemoState(folder, *ports)


def free_ports() -> tuple[int, int]:
    """A free port for the broker, and the preferred one (or a free one) for the pages."""
    with socket.socket() as broker, socket.socket() as server:
        broker.bind(("127.0.0.1", 0))
        try:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind(("127.0.0.1", PREFERRED_SERVER_PORT))
        except OSError:
            server.close()
            with socket.socket() as other:
                other.bind(("127.0.0.1", 0))
                return broker.getsockname()[1], other.getsockname()[1]
        return broker.getsockname()[1], PREFERRED_SERVER_PORT
