"""Compiled kernels for the tests, kept between runs as the commands keep them."""

import pytest

from edge.kernels import cache_folder
from hotpath.warm import warm_up


@pytest.fixture(scope="session", autouse=True)
def _kernels() -> None:
    warm_up(lambda *_: None, cache_folder())
