"""The rule file: what is refused, and how it says so."""

from pathlib import Path

import pytest

from broker_config.errors import ConfigError
from broker_config.site import load_site
from server.decisions.rules import load_rules
from tests.server.harness import DEMO

SITE = load_site(DEMO / "site.toml")
TEXTS = 'text: {en: "A", zh-Hant: "B"}'
WHY = 'why: {en: "a", zh-Hant: "b"}'
RULE = f"""
  - id: r
    version: 1
    state: live
    author: owner
    {WHY}
    trigger: visit.entered
    zones: [door]
    purposes: [recognise]
    moment: {{content: c, ttl_s: 8}}"""
FILE = f"""version: 1
content:
  - id: c
    screen_class: public
    motive: service
    {TEXTS}
rules:{RULE}
"""


def load(tmp_path: Path, text: str):
    path = tmp_path / "rules.yaml"
    path.write_text(text)
    return load_rules(path, SITE)


def test_the_demo_file_is_sound():
    rules = load_rules(DEMO / "rules.yaml", SITE)
    assert [rule.id for rule in rules.matching("visit.entered", "shoes")] == ["trail-runners", "rain-jackets"]
    assert [rule.id for rule in rules.matching("shelf.pick", "s1")] == ["shelf-lamp"]


@pytest.mark.parametrize("state", ["draft", "off"])
def test_drafts_and_rules_that_are_off_match_nothing(tmp_path, state):
    assert not load(tmp_path, FILE.replace("state: live", f"state: {state}")).matching("visit.entered", "door")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("author: owner", "authour: owner", ["line 8", "rule 'r'", "authour"]),
        ("motive: service", "motif: service", ["line 3", "content 'c'", "motif"]),
        ("state: live", "state: lively", ["rule 'r'", "lively"]),
        ("version: 1\ncontent", "versoin: 1\ncontent", ["versoin"]),
        ("zones: [door]", "zones: [dorr]", ["no zone 'dorr'"]),
        ("zones: [door]", "zones: [exit]", ["no display", "exit"]),
        ("zones: [door]", "shelves: [s1]", ["names its zones"]),
        ("zones: [door]", "", ["names its zones"]),
        ("content: c,", "content: d,", ["no moment content 'd'"]),
        ("ttl_s: 8", "ttl_s: 0", ["ttl_s"]),
        ("ttl_s: 8", "ttl_s: .nan", ["ttl_s"]),
        ("purposes: [recognise]", "purposes: []", ["purpose recognise"]),
        ("purposes: [recognise]", "purposes: [tracking]", ["tracking"]),
        (', zh-Hant: "B"', "", ["content 'c'", "text is missing in zh-Hant"]),
        (', zh-Hant: "b"', "", ["rule 'r'", "why is missing in zh-Hant"]),
        ("screen_class: public", "screen_class: everybody", ["screen_class"]),
        ("screen_class: public\n", "base: [d-door]\n", ["impersonal"]),
        ("screen_class: public\n    motive: service", "base: [d-nowhere]", ["no display 'd-nowhere'"]),
        ("moment: {content: c, ttl_s: 8}", "actuator: {id: lamp-9, 'on': true}", ["no actuator 'lamp-9'"]),
        ("moment: {content: c, ttl_s: 8}", "actuator: {id: lamp-s1, on: yes}", ["$.actuator.on"]),
        ("author: owner", "author: owner\n    7: seven", ["key 7 is no text"]),
        ("moment: {content: c, ttl_s: 8}", "", ["exactly one"]),
        ("author: owner", "author: owner\n    author: other", ["given twice"]),
        ("rules:", f"rules:{RULE}", ["used twice"]),
        ("rules:", "rules: 7\nx:", ["x"]),
        ("version: 1\ncontent:", "version: 1\ncontent: [1]\nwas:", ["was"]),
        ("id: c", "id: Ä", ["content 'Ä'"]),
        ("id: c", "id: !!python/object/apply:os.system [ls]", ["python/object"]),
        ("author: owner", "author: [", ["rules.yaml"]),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path, old, new, says):
    assert old in FILE
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, FILE.replace(old, new, 1))
    message = str(refused.value)
    assert "\n" not in message
    for part in ["rules.yaml", *says]:
        assert part in message, message


@pytest.mark.parametrize("text", ["", "[]", "just words", "\x00", "a: &a [*a]"])
def test_what_is_no_rule_file_at_all_is_refused(tmp_path, text):
    with pytest.raises(ConfigError):
        load(tmp_path, text)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml"):
        load_rules(tmp_path / "none.yaml", SITE)


@pytest.mark.parametrize("key", ["on", "'on'", '"on"'])
def test_on_is_a_word_quoted_or_not(tmp_path, key):
    lamp = f"actuator: {{id: lamp-s1, {key}: false}}"
    rules = load(tmp_path, FILE.replace("moment: {content: c, ttl_s: 8}", lamp))
    assert rules.rules[0].actuator is not None
    assert rules.rules[0].actuator.on is False


def test_a_rule_about_a_shelf_may_not_ask_who(tmp_path):
    text = FILE.replace("trigger: visit.entered\n    zones: [door]", "trigger: shelf.pick\n    shelves: [s1]")
    with pytest.raises(ConfigError, match="names nobody"):
        load(tmp_path, text)


async def test_a_reload_takes_effect_and_a_bad_one_changes_nothing(edge, state, store, clock):
    from tests.server.harness import RIVER, token

    rules = store / "rules.yaml"
    good = rules.read_text()
    rules.write_text(good.replace("state: live", "state: nonsense"))
    with pytest.raises(ConfigError):
        state.decisions.reload()
    await edge.visit(RIVER, "door", token(1))
    assert len(edge.moments()) == 1
    rules.write_text(good.replace("state: live", "state: shadow"))
    state.decisions.reload()
    clock.pass_s(1)
    await edge.visit(RIVER, "till", token(1))
    assert not edge.moments()
    (newest,) = await state.decisions.latest(1)
    assert (newest.outcome, newest.reason) == ("shadow", None)
    assert "on trial" in newest.say["en"]
