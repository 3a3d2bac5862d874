"""Compiled kernels for the tests, kept between runs as the commands keep them."""

import pytest

from edge.kernels import cache_folder, prepare_kernels


@pytest.fixture(scope="session", autouse=True)
def _kernels() -> None:
    for group in ("engine", "logs"):
        prepare_kernels(cache_folder(), lambda *_: None, group)
