"""A driver's frame description: what would make a scanner read beyond a frame is refused."""

from dataclasses import replace

import pytest

from readers.magicrf_m100.scan import NOTICE


def test_the_shortest_report_holds_all_that_is_read_from_it() -> None:
    assert NOTICE.report_min == 12
    assert replace(NOTICE, rssi_at=40).report_min == 41
    assert replace(NOTICE, antenna_at=50).report_min == 51


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
        {"check_from": 6},
        {"check_from": -1},
        {"after_check": -1},
        {"after_check": 6},
        {"report_at": 6},
        {"report_at": -1},
        {"antenna_at": -1},
        {"antenna_first": -1},
        {"antenna_mask": 256},
        {"antenna_mask": -1},
        {"rssi_at": -1},
        {"pc_at": -1},
        {"after_epc": -1},
        {"after_epc": 1},
    ],
    ids=str,
)
def test_a_position_outside_the_frame_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"inside|below zero|no mask"):
        replace(NOTICE, **wrong)


def test_without_the_tags_crc_nothing_need_follow_the_epc() -> None:
    assert replace(NOTICE, tag_crc=False, after_epc=0).report_min == 8
