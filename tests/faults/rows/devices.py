"""Rows 4, 5 and 7: a device is pulled out and put back, falls silent while its port stays open, or has two masters."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from broker_config.identity import make_credential, write_credential
from edge.kernels import cache_folder, prepare_kernels
from readers import registry
from readers.errors import ReaderDisconnected, ReaderError
from simulators.alone import EPCS, make_alone
from simulators.device import Device
from simulators.pty_host import PtyLine
from tests.edge.test_replug import living, state_of, stepped
from tests.faults.nursery import until
from tests.faults.report import Outcome, percentile
from tests.faults.row import Profile, Row
from tests.readers.test_every_device import SETTINGS, TWO_ANTENNAS
from tests.support.edge import DEMO, ScriptedEngine

RECOVERED_S = 3.0
DETECTED_S = 20.0
WAIT_S = 40.0
MUTE = ("line-cards", "rdm6300")
"""They speak when a card comes and cannot be asked anything: silence is all that an idle one has to say."""


async def replug(profile: Profile) -> list[Outcome]:
    """A real agent; its reader goes and comes back under other kernel names behind one stable link."""
    prepare_kernels(cache_folder(), lambda *_: None)
    times, waits_s = profile.times(2, 200), []
    outcome = Outcome(profile.seed, injected=times)
    folder = profile.folder
    for name in ("site.toml", "edge.toml"):
        text = (DEMO / name).read_text().replace("$broker_port", "1").replace("$server_port", "2")
        (folder / name).write_text(text)
    write_credential(folder / "identity", make_credential("agent", "gw-1"))
    line = PtyLine(make_alone("magicrf-m100", EPCS, 1, _nobody), folder / "sim" / "r-door")
    line.link.parent.mkdir()
    line.plug()
    async with living(folder) as agent, stepped(line):
        engine = agent._pipeline.engine
        assert isinstance(engine, ScriptedEngine)
        await until(lambda: engine.fed > 0, WAIT_S)
        before = _resources()
        for _ in range(times):
            line.unplug()
            await until(lambda: state_of(agent, "r-door") == "lost", WAIT_S)
            engine.fed = 0
            line.plug()
            began_s = time.monotonic()
            await until(lambda: engine.fed > 0, WAIT_S)
            waits_s.append(time.monotonic() - began_s)
        after = _resources()
    outcome.recovery_s = max(waits_s)
    outcome.extra |= {
        "recovery_p95_s": percentile(waits_s, 95),
        "fds_leaked": after[0] - before[0],
        "tasks_leaked": after[1] - before[1],
    }
    outcome.expect(max(waits_s) <= RECOVERED_S, "back later than 3 s after it was plugged in")
    outcome.expect(after[0] <= before[0], f"{after[0] - before[0]} descriptors leaked")
    outcome.expect(after[1] <= before[1] + 1, f"{after[1] - before[1]} tasks leaked")
    return [outcome]


def _resources() -> tuple[int, int]:
    """Open descriptors and tasks."""
    return len([*Path("/proc/self/fd").iterdir()]), len(asyncio.all_tasks())


class Stuck:
    """A device that can stop answering, with its port open as before."""

    def __init__(self, device: Device) -> None:
        self._device, self.stuck = device, False

    @property
    def baud(self) -> int:
        """The line's speed."""
        return self._device.baud

    def feed(self, data: bytes, now_ns: int) -> bytes:
        """What it says to what reaches it."""
        return b"" if self.stuck else self._device.feed(data, now_ns)

    def tick(self, now_ns: int) -> bytes:
        """What it says by itself."""
        return b"" if self.stuck else self._device.tick(now_ns)


async def stuck(profile: Profile) -> list[Outcome]:
    """Every reader, scale and sensor works, then says nothing more; until its driver gives it up."""
    types = sorted({*registry.READERS, *registry.SCALES, *registry.SENSORS} - {*MUTE})
    waits = await asyncio.gather(*(_noticed(name, profile.folder / name) for name in types))
    outcome = Outcome(profile.seed, injected=len(types))
    for name, wait_s in zip(types, waits, strict=True):
        outcome.extra[f"{name}_s"] = wait_s
        outcome.expect(wait_s <= DETECTED_S, f"{name}: silence not noticed within {DETECTED_S:.0f} s")
    outcome.recovery_s = max(waits)
    outcome.extra["cannot_be_asked"] = len(MUTE)
    return [outcome]


async def _noticed(type_name: str, folder: Path) -> float:
    """Seconds from its last word until the driver raises; `WAIT_S` where it does not."""
    folder.mkdir()
    device = Stuck(make_alone(type_name, EPCS, 2 if type_name in TWO_ANTENNAS else 1, _nobody))
    line = PtyLine(device, folder / "port")
    line.plug()
    async with stepped(line), _open(type_name, str(line.link)) as opened:
        said = 0
        try:
            async with asyncio.timeout(WAIT_S) as limit:
                async for _ in opened:
                    said += 1
                    if not device.stuck:
                        device.stuck, began_s = True, time.monotonic()
                        limit.reschedule(asyncio.get_running_loop().time() + WAIT_S)
        except ReaderError:
            return time.monotonic() - began_s
        except TimeoutError:
            return WAIT_S
    return WAIT_S


@asynccontextmanager
async def _open(type_name: str, port: str) -> AsyncIterator[AsyncIterator[Any]]:
    """What the device reports, whatever kind it is."""
    settings = SETTINGS.get(type_name, {})
    opened: AbstractAsyncContextManager[Any]
    if type_name in registry.READERS:
        opened, words = registry.open_reader(type_name, "x", port, settings, time.time_ns), "reads"
    elif type_name in registry.SCALES:
        opened, words = registry.open_scale(type_name, "x", port, settings, time.time_ns), "weights"
    else:
        opened, words = registry.open_sensor(type_name, "x", port, settings, time.time_ns), "proximities"
    async with opened as device:
        yield getattr(device, words)()


async def two_masters(profile: Profile) -> list[Outcome]:
    """Every type of reader is open, and somebody else wants its port: refused with a word, and the first reads on."""
    types = sorted({*registry.READERS} - {*MUTE})
    outcome = Outcome(profile.seed, injected=len(types))
    for name in types:
        folder = profile.folder / name
        folder.mkdir()
        line = PtyLine(make_alone(name, EPCS, 2 if name in TWO_ANTENNAS else 1, _nobody), folder / "port")
        line.plug()
        async with stepped(line), asyncio.timeout(WAIT_S), _open(name, str(line.link)) as first:
            await anext(first)
            try:
                async with _open(name, str(line.link)):
                    outcome.broken.append(f"{name}: opened twice")
            except ReaderDisconnected as error:
                outcome.expect("in use by another program" in str(error), f"{name}: says {error}")
            await anext(first)
    return [outcome]


def _nobody(_said: str) -> None:
    """What a person would see is not looked at."""


ROWS = (
    Row((4,), "unplugged and replugged, another port name", replug, limit_s=2400, takes_s=(8, 600)),
    Row((5,), "a stuck serial port, open and silent", stuck, takes_s=(9, 9)),
    Row((7,), "a port opened by two processes", two_masters, takes_s=(4, 4)),
)
