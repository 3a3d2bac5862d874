"""A driver's frame description: what would make a scanner read beyond a frame is refused."""

from dataclasses import replace

import pytest

from readers.magicrf_m100.scan import NOTICE
from readers.r2000_a0.scan import REPORTS
from readers.wire_format import Mark


@pytest.mark.parametrize(
    "wrong",
    [
        {"overhead": 4},
        {"overhead": 2},
        {"kind_at": 7},
        {"kind_at": -1},
        {"length_at": 6},
        {"length_at": -1},
        {"length_max": -1},
        {"length_min": 513},
        {"check_from": 6},
        {"check_from": -1},
        {"after_check": -1},
        {"after_check": 6},
        {"check": "mercury", "after_check": 3},
    ],
    ids=str,
)
def test_a_position_outside_the_shortest_frame_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="inside"):
        replace(NOTICE, **wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"marks": (Mark(7, 1),)},
        {"marks": (Mark(-1, 1),)},
        {"marks": (Mark(1, 1), Mark(25, 1)), "size_min": 40},
        {"marks": (Mark(41, 1),), "size_min": 50},
        {"marks": (Mark(1, 3, mask=1),)},
        {"rssi_at": -1},
        {"rssi_at": 6},
        {"antenna_at": -1},
        {"antenna_at": 6},
        {"count_at": 6},
        {"count_at": -1},
        {"tag_at": 41},
        {"after_tags": -1},
        {"rssi_mask": 256},
        {"antenna_mask": -1},
        {"antenna_rssi_mask": 256},
        {"epc_min": -1},
        {"has_pc": False},
        {"has_pc": False, "tag_crc": False, "has_xpc": True},
    ],
    ids=str,
)
def test_a_report_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"mark|stand before|is a byte|those of its PC"):
        replace(NOTICE, reports=(replace(NOTICE.reports[0], **wrong),))


def test_the_signal_may_stand_behind_the_epc_and_then_moves_what_follows_it() -> None:
    (report, *_), m100 = REPORTS.reports, NOTICE.reports[0]
    assert (report.after_epc, m100.after_epc) == (1, 2)
    assert replace(m100, rssi_at="behind_epc").after_epc == 3
