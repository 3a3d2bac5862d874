"""A running simulated store: every device of a scene at its port, all moved by one `step`."""

import asyncio
import fcntl
import os
import random
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from simulators import truth
from simulators.catalogue import READERS, RELAYS, SCALES
from simulators.device import Device
from simulators.errors import SimulatorError
from simulators.faults import FaultyDevice
from simulators.pty_host import PtyLine
from simulators.scene import Store
from simulators.scene_file import Scene, SiteZone
from simulators.scene_radio import Antenna, TagClass

ClockNs = Callable[[], int]
TICK_S = 0.004
COUNTS_EVERY_NS = 10_000_000_000
TRUTH_FILE = "truth.jsonl"


class StoreRig:
    """Devices, ports and truth of one run in the folder `out`, opened by `with`.

    Args:
        out: made if missing; holds a link per port and the ground truth, readable by the owner only.
        start_ns: UTC; the first shopper comes in then.
    """

    def __init__(self, scene: Scene, zones: Sequence[SiteZone], out: Path, *, seed: int, start_ns: int) -> None:
        self.scene, self.seed, self.out = scene, seed, out
        self.truth = truth.TruthFile(out / TRUTH_FILE)
        self.store = Store(scene, zones, start_ns=start_ns, seed=seed, tell=self.truth.tell)
        self.antennas = {reader.id: self.store.antennas(reader.id) for reader in scene.readers}
        self.lines = {name: PtyLine(device, out / name) for name, device in self._devices().items()}
        self._start_ns = self._now_ns = start_ns
        self._counts_at_ns = start_ns + COUNTS_EVERY_NS
        self._cables = dict.fromkeys(self.lines, True)

    def __enter__(self) -> "StoreRig":
        with ExitStack() as undo:
            undo.callback(os.close, _lock_folder(self.out))
            undo.enter_context(self.truth)
            for line in self.lines.values():
                undo.callback(line.unplug)
                line.plug()
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._undo.close()

    def step(self, now_ns: int) -> None:
        """Move the store and all devices up to `now_ns`."""
        self._now_ns = now_ns
        self.store.advance(now_ns)
        self._handle_cables(now_ns)
        for line in self.lines.values():
            line.step(now_ns)
        if now_ns >= self._counts_at_ns:
            self._counts_at_ns += COUNTS_EVERY_NS
            self._tell_counts()

    def finish(self) -> truth.Summary:
        """Tell the last counts and the summary; give the summary."""
        self._tell_counts()
        counts = self.truth.counts
        summary = truth.Summary(
            at=truth.utc(self._now_ns),
            seconds=round((self._now_ns - self._start_ns) / 1e9, 3),
            seed=self.seed,
            shoppers=counts[truth.ShopperCame],
            zone_entrances=counts[truth.ZoneEntered],
            picks=counts[truth.Pick],
            putbacks=counts[truth.Putback],
            paid=counts[truth.Paid],
            restocked=counts[truth.Restocked],
            relay_switches=counts[truth.RelaySwitched],
            reads={name: sum(_emitted(antennas).values()) for name, antennas in self.antennas.items()},
            lost_bytes=sum(line.lost_bytes for line in self.lines.values()),
        )
        self.truth.tell(summary)
        return summary

    def _devices(self) -> dict[str, Device]:
        devices = {reader.id: READERS[reader.type](self.antennas[reader.id]) for reader in self.scene.readers}
        for scale in self.scene.scales:
            devices[scale.id] = SCALES[scale.type](self.store.load_cell(scale.id).reading, scale.capacity_g)
        for relay in self.scene.relays:
            devices[relay.id] = RELAYS[relay.type](relay.channels, self._relay_teller(relay.id))
        for name, plan in self.scene.faults.items():
            devices[name] = FaultyDevice(devices[name], plan, random.Random(f"{self.seed}/faults/{name}"))
        return devices

    def _relay_teller(self, relay: str) -> Callable[[int, bool, int], None]:
        def switched(channel: int, on: bool, now_ns: int) -> None:
            self.truth.tell(truth.RelaySwitched(at=truth.utc(now_ns), relay=relay, channel=channel, on=on))

        return switched

    def _handle_cables(self, now_ns: int) -> None:
        since_s = (now_ns - self._start_ns) / 1e9
        for name, plan in self.scene.faults.items():
            wanted = not any(fault.at_s <= since_s < fault.at_s + fault.for_s for fault in plan.unplug)
            if wanted == self._cables[name]:
                continue
            self._cables[name] = wanted
            if wanted:
                self.lines[name].plug()
                self.truth.tell(truth.CablePlugged(at=truth.utc(now_ns), device=name))
            else:
                self.lines[name].unplug()
                self.truth.tell(truth.CableUnplugged(at=truth.utc(now_ns), device=name))

    def _tell_counts(self) -> None:
        for name, antennas in self.antennas.items():
            self.truth.tell(truth.ReadsEmitted(at=truth.utc(self._now_ns), reader=name, **_emitted(antennas)))


def _emitted(antennas: Sequence[Antenna]) -> dict[TagClass, int]:
    """Answers so far by class of tag, of all antennas."""
    return {kind: sum(antenna.emitted[kind] for antenna in antennas) for kind in antennas[0].emitted}


async def run_store(
    rig: StoreRig, clock_ns: ClockNs, stop: asyncio.Event, seconds: float | None = None
) -> truth.Summary:
    """Run an opened rig until `stop` is set or `seconds` are over; the summary."""
    ends_ns = None if seconds is None else clock_ns() + int(seconds * 1e9)
    while not stop.is_set() and (ends_ns is None or clock_ns() < ends_ns):
        rig.step(clock_ns())
        await asyncio.sleep(TICK_S)
    return rig.finish()


def _lock_folder(out: Path) -> int:
    """The folder made and locked, so that two simulators never share its ports."""
    try:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(out / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise SimulatorError(f"{out}: cannot be used as a folder: {error.strerror}; give another --out") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise SimulatorError(f"{out}: another simulator runs there; stop it or give another --out") from error
    return descriptor
