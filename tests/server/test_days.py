"""Quiet hours and caps through the changes of the clocks: by the store's wall clock, on days of 23, 24.5 and 25 hours."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from broker_config.site import load_site
from server.config import load_config
from server.decisions.gates import quiet_hours
from server.runtime import opened
from tests.server.harness import RIVER, Clock, Edge, token, write_store
from tests.server.test_gates import data, rule

CHANGES = [
    ("Europe/Berlin", "2026-03-29", 23 * 60),
    ("Europe/Berlin", "2026-10-25", 25 * 60),
    ("America/New_York", "2026-03-08", 23 * 60),
    ("America/New_York", "2026-11-01", 25 * 60),
    ("Australia/Lord_Howe", "2026-10-04", 23 * 60 + 30),
    ("Australia/Lord_Howe", "2026-04-05", 24 * 60 + 30),
]


@pytest.mark.parametrize(("zone", "day", "minutes"), CHANGES)
async def test_a_window_is_quiet_whenever_the_stores_clock_shows_it(tmp_path, zone, day, minutes):
    """Minute by minute through the day: never in an hour that is skipped, both times in one that comes twice."""
    config = write_store(tmp_path)
    (tmp_path / "site.toml").write_text((tmp_path / "site.toml").read_text().replace("Asia/Taipei", zone))
    site, clock = load_site(tmp_path / "site.toml"), Clock()
    local = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))
    begin, end = local.astimezone(UTC), (local + timedelta(days=1)).astimezone(UTC)
    assert (end - begin) == timedelta(minutes=minutes)
    async with opened(load_config(config), site, clock) as state:
        display, spoken, wanted = site.displays[0], 0, 0
        for minute in range(minutes):
            at = begin + timedelta(minutes=minute)
            context = state.decisions._context(state.decisions.rules.rules[0], display, round(at.timestamp()) * 10**9)
            passed, _ = quiet_hours(data(member={"quiet": ("00:30-03:00",)}), rule(), context)
            spoken += passed
            wanted += not "00:30" <= f"{at.astimezone(ZoneInfo(zone)):%H:%M}" < "03:00"
    assert spoken == wanted
    assert minutes - wanted == 150 + minutes - 1440


async def test_a_cap_counts_a_visit_and_not_the_hours(tmp_path):
    """A visit over the change of the clocks in autumn: the hour that comes twice allows nothing more."""
    config = write_store(tmp_path)
    (tmp_path / "site.toml").write_text((tmp_path / "site.toml").read_text().replace("Asia/Taipei", "Europe/Berlin"))
    clock = Clock(round(datetime(2026, 10, 25, 0, 30, tzinfo=UTC).timestamp()) * 10**9)  # 02:30, the first time
    async with opened(load_config(config), load_site(tmp_path / "site.toml"), clock) as state:
        await state.members.import_csv((tmp_path / "members.csv").read_text())
        edge = Edge(state, clock)
        for zone in ("door", "shoes", "fitting"):
            clock.pass_s(5)
            await edge.visit(RIVER, zone, token(1))
        assert len(edge.moments()) == 3
        clock.pass_s(3600)  # 02:30 again
        for zone in ("till", "desk"):
            clock.pass_s(5)
            await edge.visit(RIVER, zone, token(1))
        assert edge.moments() == []
        newest = (await state.decisions.latest(1))[0]
        assert newest.reason == "frequency_cap"
