"""A simulated device on a pty, stepped in real time while a test talks to it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from simulators.device import Device
from simulators.pty_host import PtyLine
from tests.support.patient_loop import working_ns

STEP_S = 0.001


@asynccontextmanager
async def simulated(device: Device, link: Path, *, minds_baud: bool = False) -> AsyncIterator[PtyLine]:
    """The device plugged in at `link`."""
    line = PtyLine(device, link, minds_baud=minds_baud)
    line.plug()
    stepping = asyncio.create_task(step_for_ever(line))
    try:
        yield line
    finally:
        stepping.cancel()
        with suppress(asyncio.CancelledError):
            await stepping
        line.unplug()


async def step_for_ever(line: PtyLine) -> None:
    while True:
        line.step(working_ns())
        await asyncio.sleep(STEP_S)
