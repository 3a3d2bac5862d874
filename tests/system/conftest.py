"""One compile of the kernels for all system tests: each chain has its own folder, and starts with a copy of the warm cache."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.kernel_cache import KeptKernels
from edge.kernels import cache_folder, prepare_kernels

UNFINISHED = shutil.ignore_patterns("*.tmp.*")  # by numba, in another process
WarmFolder = Callable[[str], Path]


@pytest.fixture(scope="session")
def kernel_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compiled kernels, made before any chain starts: how long that takes is not what a chain's deadlines are about."""
    folder = tmp_path_factory.mktemp("kernels")
    prepare_kernels(cache_folder(), lambda *_: None)
    own = KeptKernels(cache_folder()).own
    shutil.copytree(own, folder / own.name, ignore=UNFINISHED)
    return folder


@pytest.fixture
def warm_folder(tmp_path: Path, kernel_cache: Path) -> "WarmFolder":
    """A folder for one chain by name; its agent finds the kernels compiled, if an earlier one compiled them."""
    made: list[Path] = []

    def make(name: str) -> Path:
        folder = tmp_path / name
        kernels = folder / "edge" / "kernels"
        (folder / "edge").mkdir(mode=0o700, parents=True)
        shutil.copytree(kernel_cache, kernels)
        kernels.chmod(0o700)
        made.append(kernels)
        return folder

    yield make
    for kernels in made:
        shutil.copytree(kernels, kernel_cache, dirs_exist_ok=True)
