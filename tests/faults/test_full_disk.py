"""A disk that is really full, filled by somebody else: once each under the agent, the server, and the server's start."""

import pytest

from tests.faults.full_disk import on_small_disk
from tests.faults.row import CannotRunError


@pytest.mark.system
@pytest.mark.parametrize("what", ["edge", "server", "start"])
def test_a_full_disk_costs_nothing_that_is_not_counted(what: str) -> None:
    try:
        outcome = on_small_disk(what, 1, 6, times=1)
    except CannotRunError as error:
        pytest.skip(str(error))
    assert outcome.sound, outcome
    assert outcome.generated > 0
