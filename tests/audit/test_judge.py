"""The audit's own word: an audit that asked nobody is not clean, and a waiver ends."""

import json
from datetime import date
from pathlib import Path

import msgspec
import pytest

from tests.audit.bill import add_vendored, vendored
from tests.audit.judge import Waiver, judge, read_waivers

TODAY = date(2027, 1, 1)
VENDORED = Path(__file__).parents[2] / "server/web/static/vendor/VENDORED.md"


def report(*packages: dict[str, object]) -> bytes:
    return json.dumps({"dependencies": list(packages), "fixes": []}).encode()


SOUND = {"name": "msgspec", "version": "0.22.0", "vulns": []}
FLAWED = {
    "name": "h11",
    "version": "0.1",
    "vulns": [{"id": "PYSEC-1", "fix_versions": ["0.2"], "aliases": ["CVE-1"], "description": "a hole"}],
}
UNSEEN = {"name": "numpy", "skip_reason": "not found"}


def outcome(raw: bytes, *waivers: Waiver) -> str:
    return judge(raw, waivers, "tacet", TODAY).outcome


def test_packages_without_known_flaws_are_clean() -> None:
    assert outcome(report(SOUND)) == "clean"


def test_a_known_flaw_is_told_with_its_cure() -> None:
    verdict = judge(report(SOUND, FLAWED), (), "tacet", TODAY)
    assert verdict.outcome == "flawed"
    assert verdict.lines == ("h11 0.1: PYSEC-1, mended in 0.2",)


def test_a_flaw_counts_even_where_others_could_not_be_looked_up() -> None:
    assert outcome(report(UNSEEN, FLAWED)) == "flawed"


def test_an_audit_that_could_ask_nobody_is_not_clean() -> None:
    assert outcome(report(SOUND, UNSEEN)) == "unknown"
    assert outcome(report()) == "unknown"


def test_our_own_package_is_on_no_index() -> None:
    assert outcome(report(SOUND, {"name": "tacet", "skip_reason": "not found"})) == "clean"


@pytest.mark.parametrize(
    ("name", "until", "expected"),
    [
        ("PYSEC-1", date(2027, 1, 1), "clean"),
        ("CVE-1", date(2027, 2, 1), "clean"),
        ("CVE-2", date(2027, 2, 1), "flawed"),
        ("PYSEC-1", date(2026, 12, 31), "flawed"),
        ("PYSEC-1", date(2028, 1, 1), "flawed"),
    ],
    ids=["on its last day", "by another name", "of something else", "a day too late", "for longer than is allowed"],
)
def test_a_waiver_bears_its_flaw_until_its_day(name: str, until: date, expected: str) -> None:
    assert outcome(report(FLAWED), Waiver(name, until, "not reached by us")) == expected


def test_a_waiver_without_a_reason_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "waivers.toml"
    path.write_text('[[waiver]]\nid = "CVE-1"\nuntil = 2027-01-01\n')
    with pytest.raises(msgspec.ValidationError, match="why"):
        read_waivers(path)


def test_the_waivers_in_force_can_be_read() -> None:
    read_waivers(Path(__file__).parent / "waivers.toml")


def test_the_bill_has_the_vendored_files(tmp_path: Path) -> None:
    bill = tmp_path / "bill.json"
    bill.write_text('{"components": [{"name": "msgspec"}]}')
    rows = [line for line in VENDORED.read_text().splitlines() if line.startswith("| `")]
    assert add_vendored(bill, VENDORED) == 1 + len(rows)
    assert "pkg:npm/mqtt@" in bill.read_text()


def test_a_vendored_file_in_an_odd_form_is_not_left_out(tmp_path: Path) -> None:
    bill, table = tmp_path / "bill.json", tmp_path / "table.md"
    bill.write_text('{"components": []}')
    table.write_text("| `new.js` | new | 1.0 | MIT | unknown |\n")
    assert vendored(table.read_text()) == []
    with pytest.raises(ValueError, match="1 rows, 0 understood"):
        add_vendored(bill, table)
