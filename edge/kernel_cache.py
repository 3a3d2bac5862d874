"""Compiled kernels on disk: a private folder, in it one folder per build, and a manifest that vouches for every file."""

import fcntl
import hashlib
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import hotpath
from edge.private_folder import CacheFolderError, refuse_strangers
from hotpath._jit import describe_compiler

MANIFEST = "manifest.json"
LOCK = "lock"
UNUSED_S = 30 * 86_400


class KeptKernels:
    """The compiled kernels of this build of ours, in a folder that nobody else can write to.

    numba unpickles what it finds there and runs it.  It notices neither a damaged file nor a change of a kernel that
    another one calls; so what is kept belongs to one version of our sources, of numba, Python and processor, and is used
    only if each file is as it was written.
    """

    def __init__(self, folder: Path, group: str = "engine") -> None:
        """Makes the folder, mode 0700, where there is none.

        Args:
            group: as `hotpath.warm.warm_up` takes it; each has a folder of its own.

        Raises:
            CacheFolderError: it cannot be made, or somebody else can put files there: into it, or by moving a folder above.
        """
        self.own = folder / f"{_name_of_build(Path(hotpath.__file__).absolute().parent)}-{group}"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.own.mkdir(mode=0o700, exist_ok=True)
            refuse_strangers(folder, self.own)
        except OSError as error:
            raise CacheFolderError(f"{folder}: cannot keep compiled kernels there: {error.strerror}") from error

    def are_sound(self) -> bool:
        """Whether all kernels are there, each file as it was written."""
        manifest = self._read_manifest()
        return bool(manifest) and manifest == self._digests()

    @contextmanager
    def building(self) -> Iterator[bool]:
        """Be the only process that builds; True if there is something to do.  What is damaged is removed first, and the
        manifest is written last, so that a build cut short is no build.
        """
        with (self.own / LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self.are_sound():
                yield False
                return
            self._remove_damaged()
            yield True
            self._write_manifest()
        _remove_unused(self.own)

    def _read_manifest(self) -> dict[str, str]:
        try:
            found = json.loads((self.own / MANIFEST).read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _write_manifest(self) -> None:
        written = self.own / f"{MANIFEST}.new"
        written.write_text(json.dumps(self._digests()))
        written.replace(self.own / MANIFEST)

    def _digests(self) -> dict[str, str]:
        files = (path for path in sorted(self.own.rglob("*")) if path.is_file() and path.parent != self.own)
        return {str(path.relative_to(self.own)): _digest(path) for path in files}

    def _remove_damaged(self) -> None:
        manifest, digests = self._read_manifest(), self._digests()
        (self.own / MANIFEST).unlink(missing_ok=True)
        for name, digest in digests.items():
            if manifest.get(name) != digest:
                (self.own / name).unlink()


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _name_of_build(sources: Path) -> str:
    """One name for one state of the compiler and the sources, their place and their dates: numba goes by these as well, so
    what another checkout has compiled, or this one before it was laid anew, is of no use here.
    """
    digest = hashlib.sha256(f"{describe_compiler()} {sources}".encode())
    for path in sorted(sources.glob("*.py")):
        digest.update(f"{path.stat().st_mtime_ns}".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _remove_unused(own: Path) -> None:
    """Older builds' folders are of no use but to older versions; a month later these are gone too."""
    for each in own.parent.iterdir():
        if each != own and each.is_dir() and time.time() - each.stat().st_mtime > UNUSED_S:
            shutil.rmtree(each, ignore_errors=True)
