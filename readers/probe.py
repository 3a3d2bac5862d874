"""Which UHF reader is it?  Asks each known protocol's harmless question for what is there, at each of its speeds.

Nothing is set and nothing started.  Only a whole answer counts: a sound check, the command that was asked, and contents
that the protocol allows; a single byte proves nothing, since each protocol's first one is another's data.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from readers.errors import FrameError, SettingsError
from readers.framing import StreamDecoder
from readers.magicrf_m100 import answers as m100_answers
from readers.magicrf_m100 import codec as m100
from readers.magicrf_m100 import commands as m100_commands
from readers.mercury import answers as mercury_answers
from readers.mercury import codec as mercury
from readers.mercury import commands as mercury_commands
from readers.mercury import statuses
from readers.ports import BytePort, SerialPort
from readers.r2000_a0 import answers as r2000_answers
from readers.r2000_a0 import codec as r2000
from readers.r2000_a0 import commands as r2000_commands
from readers.uhfreader18 import answers as uhf_answers
from readers.uhfreader18 import codec as uhf
from readers.uhfreader18 import commands as uhf_commands

ANSWER_S = 0.3
USUAL_FIRST = (115200, 57600)


@dataclass(frozen=True, slots=True)
class Answered:
    """A reader that said what it is.

    Args:
        type_names: the `type` to write; two where it does not tell which of the two it is.
        name: what it calls itself.
    """

    type_names: tuple[str, ...]
    name: str
    baud: int


@dataclass(frozen=True, slots=True)
class Probe:
    """One protocol's question.

    Args:
        recognise: types and name from a frame; None for one that is no answer to it.  May raise FrameError.
    """

    question: bytes
    bauds: Sequence[int]
    new_decoder: Callable[[], StreamDecoder[Any]]
    recognise: Callable[[Any], tuple[tuple[str, ...], str] | None]


async def identify(path: str | Path) -> Answered | None:
    """Who answers at this port; None where none of the known readers does.

    Raises:
        ReaderDisconnected: it cannot be opened, or was lost.
    """
    bauds = dict.fromkeys((*USUAL_FIRST, *(baud for probe in PROBES for baud in probe.bauds)))
    async with SerialPort(path, USUAL_FIRST[0]) as port:
        for baud in bauds:
            for probe in PROBES:
                if baud in probe.bauds and (found := await _ask(port, probe, baud)) is not None:
                    return Answered(*found, baud)
    return None


async def _ask(port: BytePort, probe: Probe, baud: int) -> tuple[tuple[str, ...], str] | None:
    try:
        port.set_baud(baud)
    except SettingsError:
        return None  # the port cannot, so nobody is found there
    decoder = probe.new_decoder()
    await port.send(probe.question)
    try:
        async with asyncio.timeout(ANSWER_S):
            while data := await port.receive():
                for frame in decoder.feed(data):
                    if (found := _recognised(probe, frame)) is not None:
                        return found
    except TimeoutError:
        pass
    return next((found for frame in decoder.flush() if (found := _recognised(probe, frame)) is not None), None)


def _recognised(probe: Probe, frame: object) -> tuple[tuple[str, ...], str] | None:
    try:
        return probe.recognise(frame)
    except FrameError:
        return None  # the command is right and the contents are not: somebody else's bytes


def _is_m100(frame: m100.Frame) -> tuple[tuple[str, ...], str] | None:
    if frame.type != m100.FrameType.ANSWER or frame.command != m100_commands.Command.INFO:
        return None
    name = m100_answers.parse_info(frame)
    return (("magicrf-m100",), name) if name.isprintable() and name else None


def _is_uhfreader(frame: uhf.Frame) -> tuple[tuple[str, ...], str] | None:
    if frame.command != uhf_commands.Command.GET_INFO or frame.status != uhf_answers.OK:
        return None
    info = uhf_answers.parse_info(frame)
    model = uhf_commands.MODELS.get(info.type)
    if model is None:
        return tuple(each.type_name for each in uhf_commands.Dialect), f"reader of type byte 0x{info.type:02x}"
    return (model.dialect.type_name,), model.name


def _is_r2000(frame: r2000.Frame) -> tuple[tuple[str, ...], str] | None:
    if frame.command != r2000_commands.Command.GET_FIRMWARE or frame.address == r2000.BROADCAST:
        return None
    return ("r2000-a0",), f"R2000 firmware {r2000_answers.parse_firmware(frame)}"


def _is_mercury(answer: mercury.Answer) -> tuple[tuple[str, ...], str] | None:
    if answer.opcode != mercury_commands.Opcode.VERSION or answer.status != statuses.OK:
        return None
    return ("mercury",), mercury_answers.parse_version(answer).model


PROBES = (
    Probe(m100_commands.info(m100_commands.Info.HARDWARE).to_bytes(), m100_commands.BAUDS, m100.FrameDecoder, _is_m100),
    Probe(mercury_commands.get_version().to_bytes(), mercury_commands.BAUDS, mercury.AnswerDecoder, _is_mercury),
    Probe(
        uhf_commands.get_info(uhf.ANY_ADDRESS).to_bytes(),
        (*uhf_commands.BAUDS.values(),),
        uhf.FrameDecoder,
        _is_uhfreader,
    ),
    Probe(
        r2000_commands.get_firmware(r2000.BROADCAST).to_bytes(), (*r2000_commands.BAUDS,), r2000.FrameDecoder, _is_r2000
    ),
)
"""In an order in which none holds up the next: the last two hold an 0xFF, which to a Mercury module is the beginning of a
longer command.  To a UHFReader every byte is one, so it is asked after a pause, in which it forgets that."""
