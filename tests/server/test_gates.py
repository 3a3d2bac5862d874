"""Quiet hours, caps, interests, screens; and a sentence in each language for each way it can end."""

from datetime import UTC, datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_config.site import Actuator, Display
from server.decisions.engine import decide, replay
from server.decisions.explain import SENTENCES, explain
from server.decisions.gates import (
    RUNNING,
    Context,
    DecisionData,
    MemberFacts,
    frequency_cap,
    interest,
    purpose,
    quiet_hours,
    screen_class,
)
from server.decisions.model import GATES
from server.decisions.quiet import parse_window
from server.decisions.rules import ActuatorAction, Content, MomentAction, Rule

TEXT = {"en": "Trail runners", "zh-Hant": "越野跑鞋"}
WHY = {"en": "because you like running", "zh-Hant": "因為您喜歡跑步"}
DISPLAY = Display(id="d", zone="shoes", screen_class="public", name={"en": "Shoe screen", "zh-Hant": "鞋區螢幕"})
LAMP = Actuator(id="l", zone="shoes", agent="gw-1", name={"en": "Lamp", "zh-Hant": "燈"})


def rule(**changes) -> Rule:
    base = {
        "id": "r", "version": 1, "state": "live", "author": "owner", "why": WHY, "trigger": "visit.entered",
        "zones": ("shoes",), "purposes": ("recognise",), "moment": MomentAction("c", 8),
    }  # fmt: skip
    return Rule(**(base | changes))


def content(**changes) -> Content:
    return Content(**({"id": "c", "text": TEXT, "screen_class": "public", "motive": "service"} | changes))


def data(**changes) -> DecisionData:
    member = MemberFacts(**({"purposes": ("recognise", "recommend")} | changes.pop("member", {})))
    return DecisionData(**({"trigger": "visit.entered", "zone": "shoes", "member": member} | changes))


def context(**changes) -> Context:
    base = {"local_time": "x", "minute": 720, "display": "d", "screen_class": "public", "content": content()}
    return Context(**(base | changes))


@pytest.mark.parametrize(
    ("window", "time", "quiet"),
    [
        ("20:00-10:00", "19:59", False), ("20:00-10:00", "20:00", True), ("20:00-10:00", "23:59", True),
        ("20:00-10:00", "00:00", True), ("20:00-10:00", "09:59", True), ("20:00-10:00", "10:00", False),
        ("12:00-13:00", "11:59", False), ("12:00-13:00", "12:00", True), ("12:00-13:00", "13:00", False),
        ("00:00-24:00", "00:00", True), ("00:00-24:00", "23:59", True), ("22:00-24:00", "23:59", True),
        ("22:00-24:00", "00:00", False), ("22:00-00:00", "23:59", True), ("22:00-00:00", "00:00", False),
    ],
)  # fmt: skip
def test_the_start_of_quiet_hours_belongs_to_them_and_the_end_does_not(window, time, quiet):
    minute = int(time[:2]) * 60 + int(time[3:])
    passed, facts = quiet_hours(data(member={"quiet": (window,)}), rule(), context(minute=minute))
    assert passed is not quiet
    assert facts["window"] == (window if quiet else None)


@given(st.integers(0, 1439), st.integers(0, 1440), st.integers(0, 1439))
def test_a_window_holds_the_minutes_one_meets_walking_from_start_to_end(start, end, minute):
    if start == end:
        return
    window = parse_window(f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}")
    walk = set()
    at = start
    while at != end % 1440 or not walk:
        walk.add(at)
        at = (at + 1) % 1440
    assert (minute in window) == (minute in walk)


@pytest.mark.parametrize(
    ("utc", "quiet"),
    [
        ("2026-03-29T00:30", True),   # 01:30, before the clock skips 02:00 to 03:00
        ("2026-03-29T01:30", False),  # 03:30: the hour from 02:00 was never there
        ("2026-10-25T00:30", True),   # 02:30, the first time
        ("2026-10-25T01:30", True),   # 02:30, the second time
        ("2026-10-25T02:30", False),  # 03:30
    ],
)  # fmt: skip
def test_quiet_hours_follow_the_stores_wall_clock_through_summer_time(utc, quiet):
    local = datetime.fromisoformat(utc).replace(tzinfo=UTC).astimezone(ZoneInfo("Europe/Berlin"))
    passed, _ = quiet_hours(
        data(member={"quiet": ("01:00-03:00",)}), rule(), context(minute=local.hour * 60 + local.minute)
    )
    assert passed is not quiet


@pytest.mark.parametrize(
    ("cap", "shown", "passed"),
    [(None, 2, True), (None, 3, False), (0, 0, False), (1, 0, True), (1, 1, False), (5, 4, True), (5, 5, False)],
)
def test_unset_zero_and_n_are_three_caps(cap, shown, passed):
    assert frequency_cap(data(member={"cap": cap}, shown=shown), rule(), context())[0] is passed


def test_one_moment_for_a_screen_and_an_event():
    assert not frequency_cap(data(spoken=True), rule(), context())[0]


def test_a_cap_on_moments_does_not_switch_the_lamp_off():
    lamp = rule(moment=None, actuator=ActuatorAction("l", True))
    assert frequency_cap(data(member={"cap": 0}), lamp, context(content=None))[0]


TAGS = ("running", "hiking", "golf")


@given(*(st.sets(st.sampled_from(TAGS)).map(lambda tags: tuple(sorted(tags))) for _ in range(4)))
def test_a_dislike_outweighs_every_like(of_rule, of_content, likes, dislikes):
    about = {*of_rule, *of_content}
    passed, facts = interest(
        data(member={"interests": likes, "disinterests": dislikes}),
        rule(interests=of_rule),
        context(content=content(interests=of_content)),
    )
    assert passed == (not about & {*dislikes} and (not about or bool(about & {*likes})))
    assert facts["vetoed"] == sorted(about & {*dislikes})


def test_content_goes_on_screens_at_least_as_private_as_it_needs():
    allowed = {
        (wanted, screen)
        for wanted, screen in product(("public", "semi", "private"), repeat=2)
        if screen_class(data(), rule(), context(screen_class=screen, content=content(screen_class=wanted)))[0]
    }
    assert allowed == {
        ("public", "public"), ("public", "semi"), ("public", "private"),
        ("semi", "semi"), ("semi", "private"), ("private", "private"),
    }  # fmt: skip


def test_every_purpose_of_the_rule_must_be_agreed_to():
    both = rule(purposes=("recognise", "recommend"))
    assert purpose(data(), both, context())[0]
    passed, facts = purpose(data(member={"purposes": ("recognise",)}), both, context())
    assert (passed, facts["lacking"]) == (False, ["recommend"])
    assert not purpose(DecisionData(trigger="shelf.pick", zone="shoes"), both, context())[0]


def test_the_gates_run_in_the_fixed_order():
    names = [name for name, _ in RUNNING]
    assert names == [name for name in GATES if name in names]


CASES = [
    ("shown", data(), rule(), context()),
    ("acted.on", data(), rule(moment=None, actuator=ActuatorAction("l", True)), context(content=None)),
    ("acted.off", data(), rule(moment=None, actuator=ActuatorAction("l", False)), context(content=None)),
    ("shadow", data(), rule(state="shadow"), context()),
    ("purpose.recognise", data(member={"purposes": ()}), rule(), context()),
    ("purpose.recommend", data(member={"purposes": ("recognise",)}), rule(purposes=("recognise", "recommend")), context()),
    ("screen_class.semi", data(), rule(), context(content=content(screen_class="semi"))),
    ("screen_class.private", data(), rule(), context(content=content(screen_class="private"))),
    ("quiet_hours", data(member={"quiet": ("00:00-24:00",)}), rule(), context()),
    ("frequency_cap.spoken", data(spoken=True), rule(), context()),
    ("frequency_cap.never", data(member={"cap": 0}), rule(), context()),
    ("frequency_cap.default", data(shown=3), rule(), context()),
    ("frequency_cap.own", data(member={"cap": 1}, shown=1), rule(), context()),
    ("interest.vetoed", data(member={"disinterests": ("golf",)}), rule(interests=("golf",)), context()),
    ("interest.none", data(), rule(interests=("golf",)), context()),
]  # fmt: skip


@pytest.mark.parametrize(("key", "about", "by", "where"), CASES, ids=[case[0] for case in CASES])
def test_every_way_it_can_end_is_a_whole_sentence_in_each_language(key, about, by, where):
    verdict = decide(about, by, where)
    said = explain(verdict, by, where, LAMP if by.actuator else DISPLAY)
    for language in ("en", "zh-Hant", "zh-Hans"):
        stem = SENTENCES[key][language].split("{")[0]
        assert said[language].startswith(stem)
        assert "{" not in said[language]
        assert said[language].endswith("." if language == "en" else "。")
    assert said["en"].isascii() or "“" in said["en"]


def test_the_catalogue_has_no_sentence_that_nothing_says():
    assert {case[0] for case in CASES} == set(SENTENCES)


def test_a_place_without_a_name_in_a_language_is_called_by_its_other_name_never_by_its_id():
    by, where = rule(), context()
    screen = Display(id="d", zone="shoes", screen_class="public", name={"en": "Shoe screen"})
    said = explain(decide(data(), by, where), by, where, screen)
    assert "Shoe screen" in said["zh-Hant"]


def test_a_rule_on_trial_decides_and_explains_and_says_why_not():
    verdict = decide(data(member={"cap": 0}), rule(state="shadow"), context())
    assert (verdict.outcome, verdict.reason) == ("shadow", "frequency_cap")


FACTS = st.builds(
    MemberFacts,
    purposes=st.sets(st.sampled_from(("recognise", "recommend"))).map(tuple),
    interests=st.sets(st.sampled_from(TAGS)).map(tuple),
    disinterests=st.sets(st.sampled_from(TAGS)).map(tuple),
    quiet=st.sampled_from([(), ("20:00-10:00",), ("00:00-24:00",)]),
    cap=st.sampled_from([None, 0, 1, 3]),
)


@given(FACTS, st.integers(0, 4), st.booleans(), st.integers(0, 1439), st.sampled_from(("public", "semi", "private")))
def test_any_decision_survives_json_and_replays(member, shown, spoken, minute, wanted):
    import msgspec

    from server.decisions.model import DecisionRecord

    about = DecisionData(trigger="visit.entered", zone="shoes", member=member, shown=shown, spoken=spoken)
    by = rule(purposes=("recognise", "recommend"), interests=("running",))
    where = context(minute=minute, content=content(screen_class=wanted, interests=("hiking",)))
    verdict = decide(about, by, where)
    record = DecisionRecord(
        decision="0" * 32, at=datetime.now(UTC) + timedelta(0), rule=by.id, rule_version=1, rule_why=WHY, rule_author="o",
        outcome=verdict.outcome, reason=verdict.reason, place="shoes", display="d", content="c", visit=None, event="e",
        data=msgspec.to_builtins(about), context=msgspec.to_builtins(where) | {"rule": msgspec.to_builtins(by)},
        gates=verdict.gates, say=explain(verdict, by, where, DISPLAY), latency_ms=1.0,
    )  # fmt: skip
    again = msgspec.json.decode(msgspec.json.encode(record), type=DecisionRecord)
    assert replay(again) == verdict
