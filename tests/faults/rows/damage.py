"""Row 21: a database whose files are damaged while nothing runs."""

import tempfile
from pathlib import Path

from tests.faults.damage import damage_outbox
from tests.faults.report import Outcome
from tests.faults.row import Profile, Row


async def damage_outboxes(profile: Profile) -> list[Outcome]:
    """A start after each damage; nothing altered is sent, and what is lost is declared with an alarm."""
    outcomes: list[Outcome] = []
    for seed in profile.seeds(fast=40, full=500):
        with tempfile.TemporaryDirectory(dir=profile.folder) as folder:
            outcomes.append(await damage_outbox(seed, Path(folder)))
    return outcomes


ROWS = (Row((21,), "corrupt outbox: flipped, cut, emptied", damage_outboxes),)
