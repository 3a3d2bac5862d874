"""Whether a row left behind whom it knew: every file of every row, and all that crossed the wires, searched for the members.

Rows do nothing for it.  Files count whether they still lie in the row's folder at its end or are deleted before, by
`shutil.rmtree` or a temporary folder's end: then they are searched in that moment.
"""

import multiprocessing.util
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from tests.faults.tap import tapped
from tests.support.identities import DATABASE, NAMES, member_ids, read_members, seeded
from tests.support.seeds import Finder, Hit, files_of

INPUTS = ("members.csv", "scene.toml", "truth.jsonl")
"""What the rig gives to a store, and the simulated store's own account of itself: here is where they come from."""


@dataclass(slots=True)
class Searched:
    """What was looked through and found.

    Args:
        files_bytes, traffic_bytes: how much.
        stores: how often a file of members was there, so that there was somebody to be found.
        found: identities where they must not be.
        unknown: members of a store that the search does not know.
    """

    files_bytes: int = 0
    traffic_bytes: int = 0
    stores: int = 0
    found: list[Hit] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    _looking: bool = False

    def files(self, folder: Path) -> None:
        """Look through every file below it.  The server's database may hold names and ids, the rig's inputs anything."""
        files = files_of([folder])
        finder = Finder(seeded() | member_ids(files))
        for path in files:
            self.files_bytes += _size(path)
            if path.name == "members.csv":
                self._check_known(path)
            elif path.name not in INPUTS:
                self.found += [hit for hit in finder.in_file(path) if not _is_at_home(path, hit)]

    def traffic(self, folder: Path, files: Path) -> None:
        """Look through what was tapped, also for the ids in the databases among the row's files."""
        finder = Finder(seeded() | member_ids(files_of([files])))
        for path in files_of([folder]):
            self.traffic_bytes += _size(path)
            self.found += finder.in_file(path)

    def _check_known(self, path: Path) -> None:
        self.stores += 1
        wrong = [row["card"] for row in read_members(path) if NAMES.get(row["card"]) != row["alias"]]
        self.unknown += [f"{path.parent.name}/{path.name}: {card}" for card in wrong]

    @contextmanager
    def deletions(self) -> Iterator[None]:
        """What is deleted meanwhile is looked through first."""
        rmtree = shutil.rmtree

        def searched(path: str | Path, *arguments: object, **options: object) -> None:
            if not self._looking:  # it deletes what is below by the same way
                self._looking = True
                try:
                    self.files(Path(path))
                finally:
                    self._looking = False
            rmtree(path, *arguments, **options)  # type: ignore[arg-type]

        with patch.object(shutil, "rmtree", searched):
            yield


def _size(path: Path) -> int:
    """0 of one that goes away meanwhile."""
    return path.stat().st_size if path.exists() else 0


def _is_at_home(path: Path, hit: Hit) -> bool:
    """Names and ids in the server's database, of which a log or a damaged copy is a part; cards are nowhere in the clear."""
    return bool(DATABASE.match(path.name)) and not hit.seed.startswith("card ")


@contextmanager
def searching(searched: Searched, disk: Path | None = None) -> Iterator[Path]:
    """A folder for a row; whatever it leaves there, deletes or sends is in `searched` in the end.

    Args:
        disk: where the folder is made, if not where temporary files are.
    """
    multiprocessing.util.get_temp_dir()  # made once for the process's whole life, so not in a row's folder
    with tempfile.TemporaryDirectory(prefix="faults-", dir=disk, ignore_cleanup_errors=True) as name:
        row, elsewhere, traffic = (Path(name) / each for each in ("row", "elsewhere", "traffic"))
        for folder in (row, elsewhere, traffic):
            folder.mkdir()
        with patch.object(tempfile, "tempdir", str(elsewhere)), searched.deletions(), tapped(traffic):
            yield row
        searched.traffic(traffic, Path(name))
        searched.files(row)
        searched.files(elsewhere)
