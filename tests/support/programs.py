"""Programs that real-component tests start: found, or the test skips with a reason; with CI=true it fails instead."""

import os
import shutil

import pytest

SEARCH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))


def program(name: str) -> str:
    """The path of `name`; without it the test skips, or fails where CI=true promises that it is there."""
    found = shutil.which(name, path=SEARCH)
    if found is None:
        reason = f"{name} is not installed: make system-deps"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found
