"""Raw captures in words: one record per frame, and one per maximal broken stretch."""

import importlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from readers.errors import FrameError, UnknownDevice
from readers.framing import BAD_CHECK, Direction, Found, Noise, StreamDecoder

Record = dict[str, object]

PROTOCOLS = {
    "escpos-label": "readers.escpos_label.describe",
    "hlk-ld2410": "readers.hlk_ld2410.describe",
    "lcus-relay": "readers.lcus_relay.describe",
    "line-cards": "readers.line_cards.describe",
    "line-weight": "readers.line_weight.describe",
    "magicrf-m100": "readers.magicrf_m100.describe",
    "mercury": "readers.mercury.describe",
    "modbus-relay": "readers.modbus_rtu.describe",
    "modbus-rtu": "readers.modbus_rtu.describe",
    "modbus-weight": "readers.modbus_rtu.describe",
    "mt-sics": "readers.mt_sics.describe",
    "pn532-hsu": "readers.pn532_hsu.describe",
    "r2000-a0": "readers.r2000_a0.describe",
    "rdm6300": "readers.rdm6300.describe",
    "tfmini": "readers.tfmini.describe",
    "uhfreader18": "readers.uhfreader18.describe",
    "uhfreader288": "readers.uhfreader18.describe_288",
}
"""Name to the module whose `protocol(direction)` makes a `Protocol`; imported only when chosen."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """One direction of one protocol.

    Args:
        decoder: finds the frames; fresh.
        describe: a frame's fields, ready for JSON; raises FrameError where the contents make no sense.
    """

    decoder: StreamDecoder[Any]
    describe: Callable[[Any], Record]


def find_protocol(name: str, direction: Direction) -> Protocol:
    """The protocol called `name`.

    Args:
        direction: of use only where the frames themselves do not tell.

    Raises:
        UnknownDevice: no such protocol; the message lists those there are.
    """
    if name not in PROTOCOLS:
        raise UnknownDevice(f"unknown protocol {name!r}; known: {', '.join(PROTOCOLS)}")
    made = importlib.import_module(PROTOCOLS[name]).protocol(direction)
    assert isinstance(made, Protocol)
    return made


def describe_capture(protocol: Protocol, chunks: Iterable[bytes]) -> Iterator[Record]:
    """Each frame and each broken stretch in stream order, a frame as soon as it is complete.

    Args:
        chunks: the capture, cut anywhere.
    """
    broken: Noise | None = None
    for item in _items(protocol.decoder, chunks):
        try:
            decoded = protocol.describe(item.frame) if isinstance(item, Found) else None
            noise = item if isinstance(item, Noise) else None
        except FrameError as error:
            decoded, noise = None, Noise(item.offset, item.length, str(error), BAD_CHECK)
        if noise is not None:
            broken = noise if broken is None else _join(broken, noise)
            continue
        if broken is not None:
            yield _broken_record(broken)
            broken = None
        yield {"offset": item.offset, "length": item.length, "valid": True, "decoded": decoded}
    if broken is not None:
        yield _broken_record(broken)


def _items(decoder: StreamDecoder[Any], chunks: Iterable[bytes]) -> Iterator[Found[Any] | Noise]:
    for chunk in chunks:
        yield from decoder.scan(chunk)
    yield from decoder.finish()


def _join(first: Noise, then: Noise) -> Noise:
    told = then if then.telling > first.telling else first
    return Noise(first.offset, first.length + then.length, told.why, told.telling)


def _broken_record(noise: Noise) -> Record:
    return {"offset": noise.offset, "length": noise.length, "valid": False, "why": noise.why}
