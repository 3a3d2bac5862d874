"""A running agent owns the ports; its statistics alone must tell why there are no tags."""

import pytest

from edge.doctor import examine_agent
from edge.doctor_findings import Finding
from edge.doctor_reads import examine_reads

READY = ("r-door", "r-shoes")
WELL = {"reads": 10, "strays": 4, "present_items": 3, "present_visits": 0}


def report(reader_id: str, *, has_read: bool = True, has_unnamed: bool = False) -> dict[str, object]:
    return {"id": reader_id, "has_read": has_read, "has_unnamed": has_unnamed}


def found(stats: dict[str, object]) -> list[Finding]:
    findings = examine_reads({**WELL, **stats}, READY)
    assert all(finding.level and finding.next_step for finding in findings)
    return findings


@pytest.mark.parametrize(
    "stats",
    [
        {},
        {"readers": [report("r-door"), report("r-shoes")]},
        {"counters": {"below_floor": 9}},
        {"present_items": 0, "counters": {"arrived": 1}},
        {"present_items": 0, "present_visits": 1},
        {"present_items": 0, "strays": 0},
    ],
    ids=["old agent", "all read", "most too weak", "came and went", "a visit", "no strays"],
)
def test_an_agent_that_reads_has_nothing_wrong(stats: dict[str, object]) -> None:
    assert not found(stats)


def test_no_reads_at_all_are_one_finding_for_all_readers() -> None:
    (finding,) = found({"reads": 0, "readers": [report(each, has_read=False) for each in READY]})
    assert finding.what == "no reads since the agent started"


def test_one_reader_without_a_tag_is_named_unless_it_is_lost_anyway() -> None:
    (finding,) = found({"readers": [report("r-door", has_read=False), report("r-gone", has_read=False)]})
    assert finding.what.startswith("r-door: answers, but has read no tag")


def test_an_antenna_without_an_entry_is_told_also_where_nothing_else_is_read() -> None:
    for reads in (0, 10):
        (finding,) = found({"reads": reads, "readers": [report("r-shoes", has_unnamed=True)]})
        assert finding.what.startswith("r-shoes: reads on an antenna that has no entry")


def test_a_floor_above_everything() -> None:
    (finding,) = found({"counters": {"below_floor": 10}})
    assert (finding.level, "all 10 reads are below the floor" in finding.what) == (2, True)


def test_only_strays() -> None:
    (finding,) = found({"present_items": 0})
    assert (finding.level, "ignored on purpose" in finding.what) == (1, True)


def test_the_agents_findings_are_among_the_doctors() -> None:
    device = {"id": "r-door", "kind": "mercury", "state": "ready", "since": "10:00", "reason": None}
    stats = {**WELL, "outbox": 0, "members_version": 3, "member_lease_s": 7200}
    stats["readers"] = [report("r-door", has_read=False)]
    said = examine_agent({"agent": "gw-1", "state": "ready", "since": "9:00", "devices": [device], "stats": stats})
    assert [finding.what for finding in said if finding.level] == [found(stats)[0].what]
