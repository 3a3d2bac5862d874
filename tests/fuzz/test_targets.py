"""Every fuzz target holds on its seeds, and on what a search has found before."""

from pathlib import Path

import pytest

from tests.fuzz.seeds import seeds
from tests.fuzz.targets import TARGETS

FOUND = Path(__file__).parent.parent / "data" / "fuzz"
"""`<target>/<anything>`: inputs that broke a promise once."""
SLOW = "wire."
"""Compiling takes seconds, and `tests/hotpath/test_scan.py` runs the same streams."""
EVER = (b"", b"\0", b"\x05" + bytes(600), b"\x20" + bytes(range(256)) * 2)


@pytest.mark.parametrize("name", [name for name in TARGETS if not name.startswith(SLOW)])
def test_a_target_holds_on_its_seeds(name: str) -> None:
    for seed in (*seeds(name), *EVER):
        TARGETS[name](seed)


def test_what_broke_a_promise_once_does_not_again() -> None:
    found = sorted(FOUND.glob("*/*"))
    assert found
    for path in found:
        TARGETS[path.parent.name](path.read_bytes())
