"""Trouble on a serial line, seeded: bytes dropped, altered, added, torn apart and held up."""

import random
from collections import deque

from simulators.device import Device
from simulators.scene_file import FaultPlan

GARBAGE_BYTES = 6


class FaultyLine:
    """Passes bytes on in order, with the faults of its plan.  One seed is one series of faults for one series of bursts."""

    def __init__(self, plan: FaultPlan, rng: random.Random) -> None:
        self._plan, self._rng = plan, rng
        self._held: deque[tuple[int, bytes]] = deque()

    def pass_on(self, data: bytes, now_ns: int) -> bytes:
        """What arrives at `now_ns`: what was held up and is due, then `data`, unless something waits before it."""
        if data:
            self._put(self._hurt(data), now_ns)
        out = bytearray()
        while self._held and self._held[0][0] <= now_ns:
            out += self._held.popleft()[1]
        return bytes(out)

    def _put(self, data: bytes, now_ns: int) -> None:
        due_ns = max(now_ns, self._held[-1][0] if self._held else now_ns)
        if self._rng.random() < self._plan.delay_rate:
            due_ns = max(due_ns, now_ns + int(self._plan.delay_ms * 1e6))
        if len(data) > 1 and self._rng.random() < self._plan.split_rate:
            cut = self._rng.randrange(1, len(data))
            self._held.append((due_ns, data[:cut]))
            data, due_ns = data[cut:], due_ns + 1  # the rest comes with the next call
        self._held.append((due_ns, data))

    def _hurt(self, data: bytes) -> bytes:
        plan, rng = self._plan, self._rng
        if not (plan.drop_rate or plan.corrupt_rate or plan.garbage_rate):
            return data
        out = bytearray()
        for byte in data:
            if rng.random() < plan.garbage_rate:
                out += rng.randbytes(rng.randint(1, GARBAGE_BYTES))
            if rng.random() < plan.drop_rate:
                continue
            out.append(byte ^ 1 << rng.randrange(8) if rng.random() < plan.corrupt_rate else byte)
        return bytes(out)


class FaultyDevice:
    """A device behind a faulty line; with `commands_too` the way to it is as bad as the way back."""

    def __init__(self, device: Device, plan: FaultPlan, rng: random.Random) -> None:
        self._device = device
        self._answers = FaultyLine(plan, rng)
        self._commands = FaultyLine(plan if plan.commands_too else FaultPlan(), rng)

    @property
    def baud(self) -> int:
        """The line's speed now."""
        return self._device.baud

    def feed(self, data: bytes, now_ns: int) -> bytes:
        """What the device says to what reaches it."""
        arrived = self._commands.pass_on(data, now_ns)
        return self._answers.pass_on(self._device.feed(arrived, now_ns) if arrived else b"", now_ns)

    def tick(self, now_ns: int) -> bytes:
        """What reaches the host by itself."""
        late = self._commands.pass_on(b"", now_ns)
        said = self._device.feed(late, now_ns) if late else b""
        return self._answers.pass_on(said + self._device.tick(now_ns), now_ns)
