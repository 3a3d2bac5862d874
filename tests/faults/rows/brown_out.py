"""Row 6: a reader's supply gives way in the middle of a frame; a second later it is back, with its defaults and its boot text.

The UHFReader family keeps its settings; an R2000 may or may not, and here does not.
"""

import asyncio
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from broker_config.backoff import Backoff
from readers import registry
from readers.errors import ReaderError
from simulators.alone import EPCS, make_alone
from simulators.device import Device
from simulators.magicrf_m100.device import M100Device
from simulators.mercury.device import MercuryDevice
from simulators.pty_host import PtyLine
from simulators.r2000_a0.device import R2000Device
from simulators.uhfreader18.device import UhfDevice
from tests.edge.test_replug import stepped
from tests.faults.report import Outcome
from tests.faults.row import Profile, Row
from tests.readers.test_every_device import SETTINGS, TWO_ANTENNAS, UHF

AWAY_NS = 1_000_000_000
RESTORED_S = 23.0
"""What noticing a silence may take (row 5), and 3 s to set it up again."""
WAIT_S = 40.0
READS = 5
KEEPS = ("uhfreader18", "uhfreader288")
"""Their settings are in a memory that outlives the power."""


class Browned:
    """A device whose supply can give way."""

    def __init__(self, device: Device) -> None:
        self.device, self.boots, self.forgot = device, 0, 0
        self._fails, self._back_at_ns = False, 0

    @property
    def baud(self) -> int:
        """The line's speed."""
        return self.device.baud

    @property
    def settings(self) -> str:
        """What it works by now."""
        return repr(
            next(
                getattr(self.device, name) for name in ("memory", "settings", "_settings") if hasattr(self.device, name)
            )
        )

    def fail(self) -> None:
        """At the next frame that it sends."""
        self._fails = True

    def feed(self, data: bytes, now_ns: int) -> bytes:
        """What it says to what reaches it."""
        return b"" if self._back_at_ns else self.device.feed(data, now_ns)

    def tick(self, now_ns: int) -> bytes:
        """What it says by itself: half a frame, and for a second nothing, where its supply gives way."""
        if self._back_at_ns > now_ns:
            self.device.tick(now_ns)
            return b""
        if self._back_at_ns:
            self._restart(now_ns)
        said = self.device.tick(now_ns)
        if self._fails and len(said) > 1:
            self._fails, self._back_at_ns = False, now_ns + AWAY_NS
            return said[: len(said) // 2]
        return said

    def _restart(self, now_ns: int) -> None:
        self._back_at_ns, before = 0, self.settings
        match self.device:
            case R2000Device():
                self.device.firmware = replace(self.device.firmware, keeps_settings=False)
                self.device.power_cycle(now_ns)
            case MercuryDevice() | M100Device() | UhfDevice():
                self.device.power_cycle()
        self.boots += 1
        self.forgot += self.settings != before


async def brown_out(profile: Profile) -> list[Outcome]:
    """Every type of UHF reader at once, each with the driver as the agent runs it: opened again after whatever it raises."""
    times = profile.times(1, 10)
    seen = await asyncio.gather(*(_live_through(name, profile.folder / name, times) for name in UHF))
    return [outcome for outcomes in seen for outcome in outcomes]


async def _live_through(name: str, folder: Path, times: int) -> list[Outcome]:
    folder.mkdir()
    device = Browned(make_alone(name, EPCS, 2 if name in TWO_ANTENNAS else 1, lambda _: None))
    line, outcomes = PtyLine(device, folder / "port"), []
    line.plug()
    reads = Reads(device)
    async with stepped(line):
        running = asyncio.create_task(reads.go_on(name, str(line.link)))
        try:
            for seed in range(times):
                outcomes.append(await _fail_once(name, seed, device, reads))
        finally:
            running.cancel()
            await asyncio.wait([running])
    return outcomes


async def _fail_once(name: str, seed: int, device: Browned, reads: "Reads") -> Outcome:
    outcome = Outcome(seed)
    await reads.some()
    wanted, boots, forgot, wrong = device.settings, device.boots, device.forgot, reads.wrong
    reads.wanted = wanted
    device.fail()
    async with asyncio.timeout(WAIT_S):
        while device.boots == boots:
            await asyncio.sleep(0.01)
    began_s = time.monotonic()
    with suppress(TimeoutError):
        await reads.some()
    outcome.recovery_s = outcome.extra[f"{name}_s"] = time.monotonic() - began_s
    outcome.extra[f"{name}_wrong_reads"] = reads.wrong - wrong
    outcome.expect(device.forgot > forgot or name in KEEPS, f"{name}: the rig did not take its settings away")
    outcome.expect(outcome.recovery_s <= RESTORED_S, f"{name}: not as set up within {RESTORED_S:.0f} s")
    outcome.expect(device.settings == wanted, f"{name}: works by other settings than were asked for")
    return outcome


class Reads:
    """What a driver reports, and how often by settings that were not asked for."""

    def __init__(self, device: Browned) -> None:
        self.wanted, self.right, self.wrong = "", 0, 0
        self._device = device

    async def go_on(self, name: str, port: str) -> None:
        """As the agent: opened again and again, with its delays."""
        backoff = Backoff()
        while True:
            try:
                async with registry.open_reader(name, "x", port, SETTINGS[name], time.time_ns) as reader:
                    async for _ in reader.reads():
                        backoff.reset()
                        good = self.wanted in ("", self._device.settings)
                        self.right, self.wrong = self.right + good, self.wrong + (not good)
            except ReaderError:
                await asyncio.sleep(backoff.next_delay_s())

    async def some(self) -> None:
        """Until some more came by the right settings."""
        wanted = self.right + READS
        async with asyncio.timeout(WAIT_S):
            while self.right < wanted:
                await asyncio.sleep(0.01)


ROWS = (Row((6,), "a reader's brown-out: back with its defaults", brown_out, takes_s=(5, 60)),)
