"""Orders to look for tags: which antennas, how long, how often.

Source: UHF RFID Reader Serial Interface Protocol V3.7, real time, session and fast switch inventory.
"""

from dataclasses import dataclass

from simulators.r2000_a0.configuration import INVALID, CommandError

BUFFERED, REAL_TIME, FAST_SWITCH, SESSION = 0x80, 0x89, 0x8A, 0x8B


@dataclass(frozen=True, slots=True)
class Stay:
    """Rounds at one port, counted from 0."""

    port: int
    rounds: int


@dataclass(frozen=True, slots=True)
class Order:
    """What the host wants."""

    code: int
    stays: tuple[Stay, ...]
    repeat: int
    interval_ms: int = 0

    @property
    def switches(self) -> bool:
        """Whether the order goes from antenna to antenna."""
        return self.code == FAST_SWITCH


def read_order(code: int, data: bytes, antenna: int, ports: int) -> Order:
    """The order that a command means.

    Args:
        antenna: the one in use, counted from 0.

    Raises:
        CommandError: the data make no sense.
    """
    if code == FAST_SWITCH:
        return _fast_switch(data, ports)
    if len(data) != (3 if code == SESSION else 1) or data[-1] == 0:
        raise CommandError(INVALID)
    if code == SESSION and (data[0] > 3 or data[1] > 1):
        raise CommandError(INVALID)
    repeat = 1 if data[-1] == 0xFF else data[-1]  # 255 stands for as short as possible
    return Order(code, (Stay(antenna, 1),), repeat)


def _fast_switch(data: bytes, ports: int) -> Order:
    if len(data) != 2 * ports + 2 or data[-1] == 0:
        raise CommandError(INVALID)
    pairs = zip(data[:-2:2], data[1:-2:2], strict=True)
    stays = tuple(Stay(port, rounds) for port, rounds in pairs if port < ports and rounds)
    if not stays:
        raise CommandError(INVALID)
    return Order(FAST_SWITCH, stays, data[-1], data[-2])
