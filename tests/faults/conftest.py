"""The rig's tests need an SQLite that can be reached."""

import pytest

from simulators.faults.sqlite_tape import CannotRecordError, check_recording


@pytest.fixture(autouse=True)
def _recordable() -> None:
    try:
        check_recording()
    except CannotRecordError as error:
        pytest.skip(str(error))
