"""Kernels made ready before the first read: loaded from a private folder, compiled by a child process the first time.

numba holds the interpreter lock while it compiles, half a minute on a slow gateway.  In a child of its own it keeps nobody
waiting: this process hears of each step, at least once a second, and ends at once when it is told to.
"""

import logging
import os
import selectors
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from broker_config.child import child_command
from broker_config.errors import ConfigError
from edge.kernel_build import STEP

log = logging.getLogger(__name__)
HEARTBEAT_S = 1.0
_CHILD = "import sys; sys.path.insert(0, sys.argv.pop(1)); from edge.kernel_build import main; main()"

Group = Literal["engine", "logs"]
Progress = Callable[[str, int, int], None]
"""Told what is being compiled and the how manyth of how many it is: at each step, and again every second of it."""


def warm_up_kernels(groups: Sequence[Group] = ("engine", "logs")) -> None:
    """For a command: load kernels from the user's private cache; a status line on stderr says what is being compiled.

    Raises:
        ConfigError: the cache folder cannot be made, or others may write to it.
    """
    from rich.console import Console

    with Console(stderr=True).status("loading the compiled kernels") as status:
        try:
            for group in groups:
                prepare_kernels(
                    cache_folder(), lambda what, at, of: status.update(f"compiling {what} ({at} of {of})"), group
                )
        except ValueError as error:
            raise ConfigError(str(error)) from error


def cache_folder() -> Path:
    """Where commands without a data folder of their own keep compiled kernels."""
    return Path.home() / ".cache" / "tacet" / "kernels"


def prepare_kernels(folder: Path, progress: Progress, group: Group = "engine") -> None:
    """Load kernels from `folder`, where a child process compiles them if they are not there, whole, for this machine.

    If the child fails, as on a full disk, that is logged and they are compiled here, for this process only.

    Raises:
        CacheFolderError: a ValueError; the folder cannot be made, or others may write to it.
    """
    from edge.kernel_cache import KeptKernels  # numba takes a second to import: not for --help
    from hotpath._jit import COMPILES
    from hotpath.warm import warm_up

    kept = KeptKernels(folder, group)
    if COMPILES and not kept.are_sound():
        trouble = compile_in_child(folder, progress, group)
        if trouble is not None:
            log.warning("kernels cannot be kept in %s: %s; compiling them for this process only", folder, trouble)
            warm_up(progress, None, group)
            return
    warm_up(lambda *_: None, kept.own, group)


def compile_in_child(folder: Path, progress: Progress, group: Group) -> str | None:
    """Fill the folder; None, or the last thing that a child which failed had to say."""
    program = [sys.executable, "-c", _CHILD, str(Path(__file__).parents[1]), str(folder), group]
    said = "it said nothing"
    with subprocess.Popen(  # in a session of its own, so that Ctrl-C reaches us alone, and we end it
        child_command(program), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    ) as child:  # fmt: skip
        try:
            for line in _lines_of(child, progress):
                said = line or said
        finally:
            child.kill()  # it has ended, or we are told to
    return None if child.returncode == 0 else f"{said} (exit code {child.returncode})"


def _lines_of(child: "subprocess.Popen[bytes]", progress: Progress) -> Iterator[str]:
    """What the child says until it ends; its steps are passed on."""
    assert child.stdout is not None
    step, rest = ("kernels", 1, 1), b""
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while True:
            progress(*step)
            if not selector.select(HEARTBEAT_S):
                continue
            data = os.read(child.stdout.fileno(), 4096)
            if not data:
                break
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                mark, _, words = line.decode(errors="replace").partition(" ")
                if mark == STEP:
                    at, of, name = words.split(" ", 2)
                    step = name, int(at), int(of)
                else:
                    yield line.decode(errors="replace")
    child.wait()
