"""The golden frames: real captures and published examples, with the published mistakes."""

import json
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "data" / "vectors"


@dataclass(frozen=True)
class Vector:
    protocol: str
    raw: bytes
    direction: str
    decoded: dict[str, object]
    valid: bool

    def __str__(self) -> str:
        return f"{self.protocol}-{self.raw.hex()}"


def load(name: str) -> list[Vector]:
    rows = json.loads((FOLDER / f"{name}.json").read_text())
    if name == "modbus-rtu":  # what a register means in its device is the publisher's remark, not part of the frame
        for row in rows:
            row["decoded"].pop("meaning", None)
    return [
        Vector(name, bytes.fromhex(row["bytes_hex"]), row["direction"], row["decoded"], row["valid"]) for row in rows
    ]


def wire_direction(vector: Vector) -> str:
    """What `tacet decode` calls it: a sensor's own lines come from the reader."""
    return "to_reader" if vector.direction == "to_reader" else "from_reader"


DEVICES = (
    "hlk-ld2410",
    "lcus-relay",
    "magicrf-m100",
    "mercury",
    "modbus-relay",
    "modbus-rtu",
    "mt-sics",
    "r2000-a0",
    "pn532-hsu",
    "rdm6300",
    "tfmini",
    "uhfreader18",
)
NO_VECTORS = ("escpos-label", "line-cards", "line-weight", "modbus-weight", "uhfreader288")
"""Protocols of which no frame is published, or which share those of another."""
ALL = [vector for name in DEVICES for vector in load(name)]
VALID = [vector for vector in ALL if vector.valid]
INVALID = [vector for vector in ALL if not vector.valid]
UNCHECKED = ("hlk-ld2410", "mt-sics")
"""Protocols without a checksum."""
CHECKED = [v for v in VALID if v.protocol not in UNCHECKED and v.decoded.get("format") != "text"]
