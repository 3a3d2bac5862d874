"""Rows 1 to 3: garbage on serial lines, frames cut anywhere, lengths that lie; the codecs under every driver, by the million.

The codecs are where a frame is told from noise; `tests/hotpath/test_scan.py` holds the compiled scan to them byte by byte.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from readers.capture import find_protocol
from readers.uhfreader18.commands import Dialect
from tests.faults.report import Outcome
from tests.faults.row import Profile, Row
from tests.readers.vectors import VALID, wire_direction
from tests.support import m100_streams, mercury_streams, r2000_streams, uhfreader18_streams
from tests.support.wire_oracle import Expected, Spoken

MOST_NOISE = 24
RECOVERED = 0.999
MOST_BUFFERED = 4096
FRAMES = 8
"""Sound frames behind a length that lies: enough to tell what it took with it."""


SPOKEN = sorted({(vector.protocol, wire_direction(vector)) for vector in VALID})
GOLDEN = {each: [v.raw for v in VALID if (v.protocol, wire_direction(v)) == each] for each in SPOKEN}


@dataclass(frozen=True, slots=True)
class Speaker:
    """A protocol whose frames report tags.

    Args:
        report: a sound frame of one EPC.
        strong: a checksum of 16 bits guards the EPC; the others have 8, which one in 256 damaged frames passes.
    """

    spoken: Spoken
    report: Callable[[bytes], bytes]
    strong: bool = True


SPEAKERS = (
    Speaker(m100_streams.M100, m100_streams.notice),
    Speaker(mercury_streams.MERCURY, mercury_streams.streamed),
    Speaker(uhfreader18_streams.UHFREADER18, lambda epc: uhfreader18_streams.inventory(Dialect.OLD, [epc])),
    Speaker(r2000_streams.R2000, r2000_streams.report, strong=False),
)


async def garbage(profile: Profile) -> list[Outcome]:
    """A case: random bytes, or a frame with one wrong bit, or both, and then a sound frame."""
    cases = profile.times(100_000, 1_000_000) // len(SPEAKERS)
    return [_garbage_on(speaker, cases, profile.rng(f"garbage {speaker.spoken}")) for speaker in SPEAKERS]


def _garbage_on(speaker: Speaker, cases: int, rng: random.Random) -> Outcome:
    expected, sent = Expected(speaker.spoken), set[bytes]()
    bytes_in, began_s = 0, time.perf_counter()
    for _ in range(cases):
        epc = rng.randbytes(12)
        sent.add(epc)
        frame = speaker.report(epc)
        data = rng.randbytes(rng.randint(0, MOST_NOISE)) if rng.random() < 0.8 else b""
        if rng.random() < 0.3:
            hurt = bytearray(frame)
            hurt[rng.randrange(len(hurt))] ^= 1 << rng.randrange(8)
            data += bytes(hurt)
        data += frame
        bytes_in += len(data)
        cut = rng.randrange(len(data))
        expected.feed(data[:cut], 0)
        expected.feed(data[cut:], 0)
        if rng.random() < 0.05:
            expected.feed(b"", 0)
    expected.feed(b"", 0)
    took_s = time.perf_counter() - began_s
    believed = [tag[0] for _, tag in expected.rows if tag[3] is not False]
    false = sum(epc not in sent for epc in believed)
    recovered = len(sent.intersection(believed)) / len(sent)
    name = speaker.spoken.name
    outcome = Outcome(0, injected=cases)
    outcome.extra = {
        "false_epcs": false,
        f"{name}_not_recovered_per_mille": 1000 * (1 - recovered),
        "mb": bytes_in // 1_000_000,
    }
    outcome.extra[f"{name}_mb_per_s"] = bytes_in / 1e6 / took_s
    outcome.expect(false == 0 or not speaker.strong, f"{name}: {false} false EPCs")
    outcome.expect(recovered >= RECOVERED, f"{name}: only {recovered:.4%} of the sound frames found after garbage")
    return outcome


async def split(profile: Profile) -> list[Outcome]:
    """A stream of golden frames and noise, whole and cut anywhere: the same frames."""
    outcome, rng = Outcome(profile.seed, injected=profile.times(10_000, 100_000)), profile.rng("split")
    mismatches = 0
    for number in range(outcome.injected):
        spoken = SPOKEN[number % len(SPOKEN)]
        stream = _stream(spoken, rng)
        whole = _frames(spoken, [stream])
        cuts = sorted(rng.randrange(len(stream) + 1) for _ in range(rng.randint(1, 12)))
        pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
        mismatches += _frames(spoken, pieces) != whole
    outcome.extra["mismatches"] = mismatches
    outcome.expect(not mismatches, "cutting changed what was read")
    return [outcome]


async def lying_length(profile: Profile) -> list[Outcome]:
    """The beginning of a golden frame with its next bytes set as high as they go, and sound frames behind it."""
    outcome, rng = Outcome(profile.seed, injected=profile.times(5_000, 50_000)), profile.rng("length")
    most_buffered = most_lost = 0
    for number in range(outcome.injected):
        spoken = SPOKEN[number % len(SPOKEN)]
        frames = [rng.choice(GOLDEN[spoken]) for _ in range(FRAMES)]
        start = frames[0][: rng.randint(1, 6)]
        lie = start + bytes(rng.choice((0xFF, 0x7F, 0xFE, rng.randrange(256))) for _ in range(rng.randint(1, 3)))
        decoder, found = _decoder(spoken), []
        for piece in (lie, *frames, *frames):
            found += decoder.feed(piece)
            most_buffered = max(most_buffered, len(decoder._buffer))
        found += decoder.flush()
        most_lost = max(most_lost, 2 * FRAMES - len(found))
    outcome.extra |= {"most_buffered_bytes": float(most_buffered), "most_frames_lost": float(most_lost)}
    outcome.expect(most_buffered <= MOST_BUFFERED, f"{most_buffered} bytes were kept")
    return [outcome]


def _decoder(spoken: tuple[str, str]):
    return find_protocol(*spoken).decoder


def _frames(spoken: tuple[str, str], pieces: list[bytes]) -> list[bytes]:
    decoder = _decoder(spoken)
    frames = [frame for piece in pieces for frame in decoder.feed(piece)] + decoder.flush()
    return [frame.to_bytes() for frame in frames]


def _stream(spoken: tuple[str, str], rng: random.Random) -> bytes:
    parts = [rng.choice(GOLDEN[spoken]) if rng.random() < 0.7 else rng.randbytes(rng.randint(1, 20)) for _ in range(5)]
    return b"".join(parts)


ROWS = (
    Row((1,), "serial garbage", garbage, takes_s=(8, 80)),
    Row((2,), "partial, split and merged frames", split, takes_s=(4, 30)),
    Row((3,), "a length field that lies", lying_length, takes_s=(2, 15)),
)
