"""Whatever becomes of the outbox's files while nothing runs: the agent starts, sends nothing altered, and says what is lost."""

from pathlib import Path

import pytest

from tests.faults.damage import damage_outbox


@pytest.mark.parametrize("seed", [*range(4), 182, 219, 378])  # the last: two names of columns, and one that is no text
async def test_a_damaged_outbox_loses_nothing_in_silence(tmp_path: Path, seed: int) -> None:
    outcome = await damage_outbox(seed, tmp_path)
    assert outcome.sound, outcome
