"""A simulated reader at the end of a real pty, moved by the real clock."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from readers.ports import SerialPort
from readers.r2000_a0.dialogue import Patience
from readers.r2000_a0.reader import R2000Reader
from readers.r2000_a0.settings import R2000Settings
from simulators.pty_host import PtyLine
from simulators.r2000_a0 import R2000Device
from simulators.scene_radio import Answer, Epc, Round
from tests.readers.simulated import simulated

MS = 1_000_000
SOON = Patience(calm_s=0.6, answer_s=0.15, silent_s=0.1, round_s=0.05, dead_s=0.5, temperature_s=60)
NOW_NS = 1_700_000_000_000_000_000
EPCS = [Epc(bytes.fromhex(f"e20030166613012115507{n:03x}")) for n in range(4)]


class FakeField:
    """Rounds of 5 ms with these tags, each heard at -60 dBm after 2 ms."""

    def __init__(self, *tags: Epc) -> None:
        self.tags, self.rounds, self.power_dbm = tags, 0, 0.0

    def inventory(self, now_ns: int, power_dbm: float, takes_part: Callable[[Epc], bool]) -> Round:
        self.rounds += 1
        self.power_dbm = power_dbm
        answers = tuple(Answer(now_ns + 2 * MS, epc, -60.2) for epc in self.tags if takes_part(epc))
        return Round(answers, now_ns + 5 * MS)


def powered(device: R2000Device, folder: Path) -> AbstractAsyncContextManager[PtyLine]:
    """The device at its port `folder / "r-1"`, running."""
    return simulated(device, folder / "r-1", minds_baud=True)


@asynccontextmanager
async def opened(line: PtyLine, settings: R2000Settings, patience: Patience = SOON) -> AsyncIterator[R2000Reader]:
    """The driver on a line's port."""
    async with (
        SerialPort(line.link, 115200) as port,
        R2000Reader("r-1", port, settings, lambda: NOW_NS, patience) as reader,
    ):
        yield reader
