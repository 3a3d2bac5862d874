"""The one door: what is mistyped there is one line and exit code 2."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.system
ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--log-level", "loud", "decode", "--list"], "'warning'"),
        (["brokr"], "broker"),
        (["decode", "--lst"], "--lst"),
    ],
)
def test_a_mistyped_word_is_one_line_and_exit_code_2(arguments: list[str], says: str) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tacet.py", *arguments], capture_output=True, text=True, timeout=60, cwd=ROOT
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert says in done.stderr
