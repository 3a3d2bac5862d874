"""What every test is held to: no pty and no child process is left behind, and a standstill is nobody's fault."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.patience import WAIT_S
from tests.support.patient_loop import PatientLoop


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Time-outs do not run while the whole machine stands still."""
    return {"patient": PatientLoop}


@pytest.fixture(autouse=True)
def leaves_nothing_behind() -> Iterator[None]:
    """Fail a test that leaves a pty open or a child process running."""
    ptys, children = open_ptys(), running_children()
    yield
    psutil.wait_procs(list(running_children() - children), timeout=WAIT_S)
    assert open_ptys() <= ptys, "a pty was left open"
    assert running_children() <= children, "a child process was left running"


def open_ptys() -> set[str]:
    return {
        f"{link.name} -> {target}"
        for link in Path("/proc/self/fd").iterdir()
        if (target := target_of(link)).startswith("/dev/pt")
    }


def target_of(link: Path) -> str:
    """Where a descriptor points; empty for one that was closed while we looked."""
    try:
        return str(link.readlink())
    except FileNotFoundError:
        return ""


def running_children() -> set[psutil.Process]:
    return {child for child in psutil.Process().children(recursive=True) if child.status() != psutil.STATUS_ZOMBIE}
