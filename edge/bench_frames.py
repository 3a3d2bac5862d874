"""M100 bytes for the benchmarks: the reads of a workload as the module would have sent them."""

import numpy as np
from numpy.typing import NDArray

from edge.columns import Columns
from readers.magicrf_m100.codec import HEADER, TRAILER, FrameType
from readers.magicrf_m100.commands import Command

EPC_BYTES, FRAME_BYTES = 12, 24
NOISE = 0.01
MAX_NOISE_BYTES = 8

Bytes = NDArray[np.uint8]


def make_frames(columns: Columns) -> Bytes:
    """The tag notice of each read, uint8[n, 24]; signals in whole dBm, EPCs of 12 bytes, every check right."""
    frames = np.zeros((len(columns), FRAME_BYTES), np.uint8)
    frames[:, 0], frames[:, -1] = HEADER, TRAILER
    frames[:, 1:5] = (FrameType.NOTICE, Command.SINGLE_POLL, 0, EPC_BYTES + 5)
    frames[:, 5] = np.clip(columns.rssi_cdbm // 100, -128, 127).astype(np.int8).view(np.uint8)
    frames[:, 6] = EPC_BYTES // 2 << 3
    frames[:, 8:20] = columns.epc_bytes[:, :EPC_BYTES]
    frames[:, 20:22] = _tag_crcs(frames[:, 6:20]).astype(">u2").view(np.uint8).reshape(-1, 2)
    frames[:, 22] = frames[:, 1:22].sum(axis=1).astype(np.uint8)
    return frames


def with_noise(frames: Bytes, rng: np.random.Generator, share: float = NOISE) -> bytes:
    """The frames one after the other; behind a `share` of them 1 to 8 random bytes."""
    noise = rng.integers(1, MAX_NOISE_BYTES + 1, len(frames)) * (rng.random(len(frames)) < share)
    starts = np.concatenate([[0], np.cumsum(FRAME_BYTES + noise)[:-1]])
    stream = rng.integers(0, 256, len(frames) * FRAME_BYTES + int(noise.sum()), np.uint8)
    stream[starts[:, None] + np.arange(FRAME_BYTES)] = frames
    return stream.tobytes()


def _tag_crcs(pc_epc: Bytes) -> NDArray[np.uint16]:
    """The Gen2 CRC-16 of each row, bit by bit."""
    crc = np.full(len(pc_epc), 0xFFFF, np.int64)
    for byte in pc_epc.T:
        crc ^= byte.astype(np.int64) << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 * (crc >> 15)) & 0xFFFF
    return (crc ^ 0xFFFF).astype(np.uint16)
