"""What a killed process had promised can be read whatever the kill cut short."""

from pathlib import Path

import pytest

from tests.faults.truth import TruthReader, TruthWriter


@pytest.mark.parametrize("kept", range(len("p g 2 2 77 9")))
def test_a_life_goes_on_after_a_line_that_a_kill_cut_short(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "truth.log"
    TruthWriter(path).promised([("g", 1, 1, b"")])
    with path.open("ab") as file:
        file.write(b"p g 2 2 77 9"[:kept])
    early = TruthReader(path)
    assert [*early.read().promised] == [("g", 1)]
    again = TruthWriter(path)
    again.note("born")
    again.promised([("g", 3, 3, b"")])
    for reader in (early, TruthReader(path)):
        assert [*reader.read().promised] == [("g", 1), ("g", 3)]
        assert reader.born == 1
