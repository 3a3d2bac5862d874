"""The wire scan beside its oracle, the codec: on any stream they must agree."""

from collections.abc import Mapping

from tests.fuzz.sealed import BUILDS, sealed
from tests.support.m100_streams import M100
from tests.support.mercury_streams import MERCURY
from tests.support.r2000_streams import R2000
from tests.support.uhfreader18_streams import UHFREADER18, UHFREADER288
from tests.support.wire_oracle import Spoken, check

SPOKEN: Mapping[str, Spoken] = {
    "magicrf-m100": M100,
    "mercury": MERCURY,
    "r2000-a0": R2000,
    "uhfreader18": UHFREADER18,
    "uhfreader288": UHFREADER288,
}


def check_wire(name: str, data: bytes) -> None:
    """The first byte says how the stream is cut, and its lowest bit whether what follows is a stream, or is to be sealed."""
    if not data:
        return
    cut, stream = data[0] // 2 + 1, data[1:]
    if data[0] & 1:
        stream = sealed(BUILDS[f"{name}.from_reader"], data)[1:]
    check(SPOKEN[name], [*(stream[at : at + cut] for at in range(0, len(stream), cut)), b""])
