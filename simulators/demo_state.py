"""The demo's own folder: configuration written from the templates, data kept from run to run, one demo at a time."""

import fcntl
import os
import secrets
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
            with claimed_port(PREFERRED_SERVER_PORT) as server_port:
                yield write_configuration(folder, server_port)
            return
    raise StateInUse(
        f"{candidates[0]} is used by a demo that is running; stop it, or give another folder with --state DIR"
    )


def state_home() -> Path:
    """The user's state directory for Tacet: $XDG_STATE_HOME/tacet."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "tacet"


def default_folder(number: int) -> Path:
    """`demo`, `demo-2`, … in the user's state directory."""
    return state_home() / ("demo" if number == 1 else f"demo-{number}")


def write_configuration(folder: Path, server_port: int | None = None) -> DemoState:
    """Fill the templates in with free ports; the data of earlier runs stays."""
    state = DemoState(folder, free_port(), server_port or free_port())
    names = {"broker_port": str(state.broker_port), "server_port": str(state.server_port)}
    for template in files("simulators").joinpath("demo_store").iterdir():
        text = Template(template.read_text(encoding="utf-8")).safe_substitute(names)
        (folder / template.name).write_text(text, encoding="utf-8")
    state.logs.mkdir(mode=0o700, exist_ok=True)
    return state


@contextmanager
def claimed_port(wanted: int) -> Iterator[int]:
    """The wanted port where nobody has it, else any free one.

    A port is only taken when the server binds it, seconds later; a name in the kernel's abstract socket space keeps another
    demo from choosing it meanwhile, and goes with this process.
    """
    with socket.socket(socket.AF_UNIX) as claim:
        try:
            claim.bind(f"\0tacet-demo-port-{wanted}")
            port = wanted if is_free(wanted) else free_port()
        except OSError:
            port = free_port()
        yield port


def is_free(port: int) -> bool:
    """Whether a server could bind the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port that is free now, and that the kernel gives to no outgoing connection before it is used (Linux: 32768 and up)."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        if is_free(port):
            return port
