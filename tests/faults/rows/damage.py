"""Row 21: a database whose files are damaged while nothing runs."""

import tempfile
from pathlib import Path

from tests.faults.damage import damage_outbox
from tests.faults.report import Outcome
from tests.faults.row import Profile, Row
from tests.faults.server_damage import damage_server, lay_ground


async def damage_outboxes(profile: Profile) -> list[Outcome]:
    """A start after each damage; nothing altered is sent, and what is lost is declared with an alarm."""
    outcomes: list[Outcome] = []
    for seed in profile.seeds(fast=40, full=500):
        with tempfile.TemporaryDirectory(dir=profile.folder) as folder:
            outcomes.append(await damage_outbox(seed, Path(folder)))
    return outcomes


async def damage_servers(profile: Profile) -> list[Outcome]:
    """A start after each damage; what is unsound is set aside with an alarm, and agents fill in what is gone."""
    ground, outcomes = await lay_ground(profile.folder / "ground"), []
    for seed in profile.seeds(fast=12, full=200):
        with tempfile.TemporaryDirectory(dir=profile.folder) as folder:
            outcomes.append(await damage_server(ground, seed, Path(folder) / "store"))
    return outcomes


ROWS = (
    Row((21,), "corrupt outbox: flipped, cut, emptied", damage_outboxes, takes_s=(6, 90), in_memory=True),
    Row(
        (21,),
        "corrupt server database: flipped, blanked, cut, emptied",
        damage_servers,
        takes_s=(8, 120),
        in_memory=True,
    ),
)
