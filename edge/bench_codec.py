"""`tacet bench codec`: how many frames a second each codec finds in a stream, and how many its line can carry."""

import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec
import numpy as np

from edge.bench_frames import with_noise
from edge.bench_report import Baseline, Sizes
from readers.capture import find_protocol
from readers.ports import READ_BYTES

FRAMES = 20_000
BITS_PER_BYTE = 10


@dataclass(frozen=True, slots=True)
class Said:
    """What a device says most.

    Args:
        baud: of its line as it leaves the factory.
    """

    frame: bytes
    baud: int


SAID: Mapping[str, Said] = {
    name: Said(bytes.fromhex(frame), baud)
    for name, frame, baud in (
        ("hlk-ld2410", "f4f3f2f10d0002aa0251000000003b00005500f8f7f6f5", 256_000),
        ("line-cards", "303030383037353633340d0a", 9600),
        ("line-weight", "3330302e30300d0a", 9600),
        ("magicrf-m100", "bb02220011c9340030751feb705c5904e3d50d703a76ef7e", 115_200),
        (
            "mercury",
            "ff2822000010001b01ff0101c4110e16400000012700000500000f00803000000000000000000000001545e94a561d",
            115_200,
        ),
        ("modbus-rtu", "01030400000bb8fd71", 9600),
        ("mt-sics", "5320532020202020203330302e3020670d0a", 9600),
        ("pn532-hsu", "0000ff0cf4d54b010100040804078cfc4ff000", 115_200),
        ("r2000-a0", "a0130189043000e200301666130121155074ef45bf", 115_200),
        ("rdm6300", "0236463030374233393732354603", 9600),
        ("tfmini", "5959500058024c09b1", 115_200),
        ("uhfreader18", "1100ee00e284361100001000094944aa9acc", 57_600),
    )
}


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One codec.

    Args:
        line_frames_per_s: what the device's line can carry at most; `times_the_line` is how many such lines one core serves.
    """

    protocol: str
    us_per_frame: float
    frames_per_s: int
    line_frames_per_s: int
    times_the_line: int


class CodecResult(msgspec.Struct, frozen=True, kw_only=True):
    """The Python codecs alone, an object per frame, each check verified, 1 % noise between the frames.

    Args:
        frames: of each.
        slowest: beside its line.
    """

    name: str = "codec"
    frames: int = FRAMES
    slowest: str
    measured: list[Measured]
    baseline: Baseline


def bench_codec(sizes: Sizes) -> Iterator[CodecResult]:
    """One protocol after the other."""
    measured = [_measure(protocol, said, sizes.passes) for protocol, said in SAID.items()]
    slowest = min(measured, key=lambda each: each.times_the_line)
    line = Baseline(
        name=f"a full line of {slowest.protocol}",
        ns_each=round(1e9 / slowest.line_frames_per_s, 1),
        ratio=slowest.times_the_line,
    )
    yield CodecResult(slowest=slowest.protocol, measured=measured, baseline=line)


def _measure(protocol: str, said: Said, passes: int) -> Measured:
    stream = with_noise(np.tile(np.frombuffer(said.frame, np.uint8), (FRAMES, 1)), np.random.default_rng(1))
    each_s = statistics.median([_pass(protocol, stream) for _ in range(passes)])
    line_per_s = said.baud / BITS_PER_BYTE / len(said.frame)
    return Measured(
        protocol=protocol,
        us_per_frame=round(1e6 * each_s, 1),
        frames_per_s=round(1 / each_s),
        line_frames_per_s=round(line_per_s),
        times_the_line=round(1 / each_s / line_per_s),
    )


def _pass(protocol: str, stream: bytes) -> float:
    """Seconds per frame that was found."""
    decoder, found = find_protocol(protocol, "from_reader").decoder, 0
    start_s = time.perf_counter()
    for at in range(0, len(stream), READ_BYTES):
        found += len(decoder.feed(stream[at : at + READ_BYTES]))
    elapsed_s = time.perf_counter() - start_s
    if found < 0.9 * FRAMES:  # noise may take a frame of a protocol without a check or a start byte
        raise AssertionError(f"{protocol}: {found} of {FRAMES} frames found")
    return elapsed_s / found
