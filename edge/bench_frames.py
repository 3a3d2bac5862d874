"""Bytes of streaming readers for the benchmarks: the reads of a workload as each protocol would have sent them."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edge.columns import Columns
from readers.magicrf_m100.codec import HEADER, TRAILER, FrameType
from readers.magicrf_m100.commands import Command
from readers.mercury.codec import HEADER as MERCURY_HEADER
from readers.mercury.codec import PRESET as MERCURY_PRESET
from readers.r2000_a0.codec import HEADER as R2000_HEADER
from readers.uhfreader18.answers import MORE

EPC_BYTES, FRAME_BYTES = 12, 24
TAGS_PER_ANSWER = 8
NOISE = 0.01
MAX_NOISE_BYTES = 8
PRESET = 0xFFFF

Bytes = NDArray[np.uint8]
Numbers = NDArray[np.int64]


def make_frames(columns: Columns) -> Bytes:
    """The M100's tag notice of each read, uint8[n, 24]; signals in whole dBm, EPCs of 12 bytes, every check right."""
    frames = np.zeros((len(columns), FRAME_BYTES), np.uint8)
    frames[:, 0], frames[:, -1] = HEADER, TRAILER
    frames[:, 1:5] = (FrameType.NOTICE, Command.SINGLE_POLL, 0, EPC_BYTES + 5)
    frames[:, 5] = _signals(columns)
    frames[:, 6:22] = _backscatter(columns)
    frames[:, 22] = frames[:, 1:22].sum(axis=1).astype(np.uint8)
    return frames


def make_r2000_frames(columns: Columns) -> Bytes:
    """The R2000's report of each read, uint8[n, 21], antennas 1 to 4 in turn."""
    frames = np.zeros((len(columns), 21), np.uint8)
    frames[:, :4] = (R2000_HEADER, 19, 1, 0x89)
    frames[:, 4] = 4 * 35 + np.arange(len(columns)) % 4
    frames[:, 5:19] = _backscatter(columns)[:, :14]
    frames[:, 19] = _signals(columns) & 0x7F
    frames[:, 20] = -frames[:, :20].sum(axis=1).astype(np.uint8)
    return frames


def make_reports_18(columns: Columns) -> Bytes:
    """The UHFReader18's unasked report of each read, uint8[n, 18]."""
    frames = np.zeros((len(columns), 18), np.uint8)
    frames[:, :4] = (17, 0, 0xEE, 0)
    frames[:, 4:16] = columns.epc_bytes[:, :EPC_BYTES]
    return _with_uhfreader_crc(frames)


def make_reports_288(columns: Columns) -> Bytes:
    """The UHFReader288's unasked report of each read, uint8[n, 21]."""
    frames = np.zeros((len(columns), 21), np.uint8)
    frames[:, :6] = (20, 0, 0xEE, 0, 1, EPC_BYTES)
    frames[:, 6:18] = columns.epc_bytes[:, :EPC_BYTES]
    frames[:, 18] = _signals(columns) & 0x7F
    return _with_uhfreader_crc(frames)


def make_answers_18(columns: Columns) -> Bytes:
    """The UHFReader18's answers to inventories, eight reads in each, uint8[n // 8, 111]."""
    count = len(columns) // TAGS_PER_ANSWER
    head = np.tile(np.array((110, 0, 1, MORE, TAGS_PER_ANSWER), np.uint8), (count, 1))
    tags = np.full((count * TAGS_PER_ANSWER, 1 + EPC_BYTES), EPC_BYTES, np.uint8)
    tags[:, 1:] = columns.epc_bytes[: len(tags), :EPC_BYTES]
    return _with_uhfreader_crc(np.hstack([head, tags.reshape(count, -1), np.zeros((count, 2), np.uint8)]))


def make_answers_288(columns: Columns) -> Bytes:
    """The UHFReader288's answers to inventories, eight reads in each, uint8[n // 8, 120]."""
    count = len(columns) // TAGS_PER_ANSWER
    head = np.tile(np.array((119, 0, 1, MORE, 1, TAGS_PER_ANSWER), np.uint8), (count, 1))
    tags = np.full((count * TAGS_PER_ANSWER, 2 + EPC_BYTES), EPC_BYTES, np.uint8)
    tags[:, 1:-1] = columns.epc_bytes[: len(tags), :EPC_BYTES]
    tags[:, -1] = _signals(columns)[: len(tags)] & 0x7F
    return _with_uhfreader_crc(np.hstack([head, tags.reshape(count, -1), np.zeros((count, 2), np.uint8)]))


def make_mercury_frames(columns: Columns) -> Bytes:
    """A Mercury module's streamed record of each read with metadata 0x01FF, which most hosts ask for, uint8[n, 47]."""
    head = bytes.fromhex("ff282200001000 1b01ff0101c4110e1640 00000127 0000 05 0000 0f 0080")
    return _mercury(columns, head, signal_at=12)


def make_short_mercury_frames(columns: Columns) -> Bytes:
    """The same with what our driver asks for, signal, antenna and protocol, uint8[n, 34]."""
    return _mercury(columns, bytes.fromhex("ff1b2200001000 1b004601c4110500 80"), signal_at=11)


def with_noise(frames: Bytes, rng: np.random.Generator, share: float = NOISE) -> bytes:
    """The frames one after the other; behind a `share` of them 1 to 8 random bytes."""
    count, size = frames.shape
    noise = rng.integers(1, MAX_NOISE_BYTES + 1, count) * (rng.random(count) < share)
    starts = np.concatenate([[0], np.cumsum(size + noise)[:-1]])
    stream: Bytes = rng.integers(0, 256, count * size + int(noise.sum()), np.uint8)
    stream[starts[:, None] + np.arange(size)] = frames
    return stream.tobytes()


def _signals(columns: Columns) -> Bytes:
    """Whole dBm as signed bytes."""
    return np.clip(columns.rssi_cdbm // 100, -128, 127).astype(np.int8).view(np.uint8)


def _backscatter(columns: Columns) -> Bytes:
    """What each tag sent: PC, EPC of 12 bytes, and their CRC."""
    sent = np.zeros((len(columns), EPC_BYTES + 4), np.uint8)
    sent[:, 0] = EPC_BYTES // 2 << 3
    sent[:, 2:14] = columns.epc_bytes[:, :EPC_BYTES]
    crc = _crc(sent[:, :14], PRESET, lambda crc: (crc << 1 ^ 0x1021 * (crc >> 15)) & 0xFFFF, into=8)
    sent[:, 14:] = (crc ^ 0xFFFF).astype(">u2").view(np.uint8).reshape(-1, 2)
    return sent


def _mercury(columns: Columns, head: bytes, signal_at: int) -> Bytes:
    frames = np.zeros((len(columns), len(head) + EPC_BYTES + 6), np.uint8)
    assert head[0] == MERCURY_HEADER
    frames[:, : len(head)] = np.frombuffer(head, np.uint8)
    frames[:, signal_at] = _signals(columns)
    frames[:, len(head) : -2] = _backscatter(columns)
    crc = _crc(frames[:, 1:-4], MERCURY_PRESET, lambda crc: (crc << 1 ^ 0x1021 * (crc >> 15)) & 0xFFFF, into=8)
    frames[:, -2:] = crc.astype(">u2").view(np.uint8).reshape(-1, 2) ^ frames[:, -4:-2]
    return frames


def _with_uhfreader_crc(frames: Bytes) -> Bytes:
    crc = _crc(frames[:, :-2], PRESET, lambda crc: crc >> 1 ^ 0x8408 * (crc & 1), into=0)
    frames[:, -2:] = crc.astype("<u2").view(np.uint8).reshape(-1, 2)
    return frames


def _crc(rows: Bytes, preset: int, shift: Callable[[Numbers], Numbers], into: int) -> Numbers:
    """A CRC-16 of each row, bit by bit: `shift` once for each, its bytes added `into` bits up."""
    crc = np.full(len(rows), preset, np.int64)
    for byte in rows.T:
        crc ^= byte.astype(np.int64) << into
        for _ in range(8):
            crc = shift(crc)
    return crc
