"""HLK-LD2410 radar, command layer: what the host may send, and what reports and answers mean.

Commands are heard only between ENTER_CONFIGURATION and LEAVE_CONFIGURATION; reports pause meanwhile.  What is written is
kept without power, so write only what differs.  Restart, factory reset, baud rate and Bluetooth are not here on purpose.
Source: HLK-LD2410C serial communication protocol V1.07, sections 2.2 and 2.3.
"""

from dataclasses import dataclass

from readers.errors import FrameError
from readers.hlk_ld2410.codec import ANSWER_BIT, BASIC, ENGINEERING, GATES, HEAD, Command, Report

SET_GATES, READ_PARAMETERS_CODE, SET_SENSITIVITY = 0x60, 0x61, 0x64
ENTER_CODE, LEAVE_CODE, FIRMWARE_CODE, RESOLUTION_CODE = 0xFF, 0xFE, 0xA0, 0xAB
ALL_GATES = 0xFFFF

ENTER_CONFIGURATION = Command(ENTER_CODE, b"\x01\x00")
LEAVE_CONFIGURATION = Command(LEAVE_CODE)
READ_PARAMETERS = Command(READ_PARAMETERS_CODE)
ENGINEERING_OFF = Command(0x63)
FIRMWARE = Command(FIRMWARE_CODE)

DONE, REFUSED = 0, 1
MOVING, STILL = 1, 2


@dataclass(frozen=True, slots=True)
class Gates:
    """The energy in each gate, near to far, 0 to 100, as an engineering report has it.

    Args:
        max_moving, max_still: the last gate that counts.
        light: 0 dark to 255; of no meaning before protocol V1.06.
        out: the pin: 1 somebody, 0 nobody; of no meaning before protocol V1.06.
    """

    max_moving: int
    max_still: int
    moving: tuple[int, ...]
    still: tuple[int, ...]
    light: int
    out: int


@dataclass(frozen=True, slots=True)
class Target:
    """What the radar senses.

    Args:
        state: bit 0 something moves, bit 1 something is still; 4 to 6 while it measures its background noise.
        moving_cm, still_cm, detection_cm: may be other than 0 although nothing is there.
        moving_energy, still_energy: 0 to 100.
        gates: in engineering mode only.
    """

    state: int
    moving_cm: int
    moving_energy: int
    still_cm: int
    still_energy: int
    detection_cm: int
    gates: Gates | None = None

    @property
    def occupied(self) -> bool | None:
        """Whether something is there; None while the radar measures its background noise."""
        return None if self.state > (MOVING | STILL) else self.state != 0

    @property
    def moving(self) -> bool | None:
        """Whether something moves; None as above."""
        return None if self.occupied is None else bool(self.state & MOVING)

    @property
    def distance_cm(self) -> int | None:
        """How far the nearest of what `state` says is there; None where nothing is, or the radar does not say.

        Early firmware puts a still target's distance into the moving field: better that than none.
        """
        if not self.occupied:
            return None
        named = [self.moving_cm] * bool(self.state & MOVING) + [self.still_cm] * bool(self.state & STILL)
        nearest = min((cm for cm in named if cm), default=0)
        return nearest or self.detection_cm or self.moving_cm or self.still_cm or None


@dataclass(frozen=True, slots=True)
class Parameters:
    """How the radar is set.

    Args:
        max_gate: the last it has.
        max_moving, max_still: the last that counts.
        moving, still: energy that a target must exceed, per gate, 0 to 100.
        hold_s: how long it goes on saying "somebody" after the last target.
    """

    max_gate: int
    max_moving: int
    max_still: int
    moving: tuple[int, ...]
    still: tuple[int, ...]
    hold_s: int


def set_gates(max_moving: int, max_still: int, hold_s: int) -> Command:
    """The order that says how far to look and how long to hold.

    Args:
        max_moving, max_still: 0 to 8; the manual has 2 to 8 for them and elsewhere 1 to 8: the radar may refuse.
        hold_s: 0 to 65535.
    """
    if not (0 <= max_moving < GATES and 0 <= max_still < GATES and 0 <= hold_s <= 0xFFFF):
        raise ValueError(f"gates {max_moving} and {max_still} are 0 to 8, hold_s {hold_s} is 0 to 65535")
    return Command(SET_GATES, _words(max_moving, max_still, hold_s))


def set_sensitivity(gate: int, moving: int, still: int) -> Command:
    """The order that says what energy a target must exceed in one gate, or in ALL_GATES; 100 makes it blind there.

    Args:
        moving, still: 0 to 100.
    """
    if not (0 <= gate < GATES or gate == ALL_GATES) or not (0 <= moving <= 100 and 0 <= still <= 100):
        raise ValueError(f"gate {gate} is 0 to 8 or ALL_GATES, sensitivities {moving} and {still} are 0 to 100")
    return Command(SET_SENSITIVITY, _words(gate, moving, still))


def parse_report(report: Report) -> Target:
    """What a report says."""
    data = report.data
    cm = [int.from_bytes(data[at : at + 2], "little") for at in (1, 4, 7)]
    gates = None
    if report.type == ENGINEERING:
        gates = Gates(data[9], data[10], tuple(data[11:20]), tuple(data[20:29]), data[29], data[30])
    else:
        assert report.type == BASIC
    return Target(data[0], cm[0], data[3], cm[1], data[6], cm[2], gates)


def answers(answer: Command, command: Command) -> bool:
    """Whether the one answers the other."""
    return answer.code == command.code | ANSWER_BIT


def status_of(answer: Command) -> int:
    """DONE or REFUSED."""
    return int.from_bytes(answer.value[:2], "little")


def parse_firmware(answer: Command) -> str:
    """The version as the maker writes it: V1.07.22091516.

    Raises:
        FrameError: it is not as long as one.
    """
    value = _value(answer, 10)
    return f"V{value[3]:x}.{value[2]:02x}.{value[4:8][::-1].hex()}"


def parse_parameters(answer: Command) -> Parameters:
    """The radar's settings.

    Raises:
        FrameError: they make no sense.
    """
    value = _value(answer, 26)
    if value[0] != HEAD or value[1] != GATES - 1:
        raise FrameError(f"parameters begin with {value[:2].hex()}, not aa08")
    if max(value[2:4]) >= GATES:
        raise FrameError(f"gate {max(value[2:4])}, the last is {GATES - 1}")
    hold_s = int.from_bytes(value[22:24], "little")
    return Parameters(value[1], value[2], value[3], tuple(value[4:13]), tuple(value[13:22]), hold_s)


def parse_words(answer: Command, count: int) -> tuple[int, ...]:
    """The 16 bit numbers of an answer.

    Raises:
        FrameError: it has not so many.
    """
    value = _value(answer, 2 + 2 * count)
    return tuple(int.from_bytes(value[at : at + 2], "little") for at in range(0, 2 * count, 2))


def _value(answer: Command, size: int) -> bytes:
    """What follows the status, of an answer whose value has `size` bytes with it."""
    if len(answer.value) != size:
        raise FrameError(f"answer 0x{answer.code:04x} has {len(answer.value)} bytes, not {size}")
    return answer.value[2:]


def _words(*values: int) -> bytes:
    """Numbered parameters: u16 which, u32 its value."""
    return b"".join(n.to_bytes(2, "little") + value.to_bytes(4, "little") for n, value in enumerate(values))
