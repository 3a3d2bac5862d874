"""SECURITY.md promises nothing that no test holds: every test that it names exists."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "SECURITY.md").read_text()
NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
ROW = re.compile(r"^\| (T\d+) \|", re.MULTILINE)
THREATS = 19


def test_every_threat_has_a_row_with_a_test() -> None:
    assert ROW.findall(PAGE) == [f"T{number}" for number in range(1, THREATS + 1)]
    for line in PAGE.splitlines():
        if ROW.match(line):
            assert NAMED.search(line.split("|")[-2]), line


def test_every_test_that_is_named_is_there() -> None:
    for path, name in NAMED.findall(PAGE):
        assert (ROOT / path).is_file(), path
        if name:
            assert re.search(rf"^(async )?def {name}\(", (ROOT / path).read_text(), re.MULTILINE), f"{path}::{name}"


def test_the_deployer_is_asked_for_an_address() -> None:
    assert "security@example.invalid" in PAGE
