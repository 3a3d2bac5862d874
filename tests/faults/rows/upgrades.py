"""Row 41: an upgrade with a full outbox, and the way back."""

import tempfile
from pathlib import Path

from tests.faults.report import Outcome
from tests.faults.row import Profile, Row
from tests.faults.upgrades import FIXTURES, roll_back, upgrade


async def upgrade_all(profile: Profile) -> list[Outcome]:
    """A file of each earlier form is gone on with; one of a later form is left alone."""
    outcomes: list[Outcome] = []
    for fixture in FIXTURES:
        with tempfile.TemporaryDirectory(dir=profile.folder) as folder:
            outcomes.append(await upgrade(fixture, Path(folder)))
    with tempfile.TemporaryDirectory(dir=profile.folder) as folder:
        outcomes.append(await roll_back(Path(folder)))
    return outcomes


ROWS = (Row((41,), "upgrade and rollback with a full outbox", upgrade_all, takes_s=(1, 1)),)
