"""Texts: every language has the same keys, every key that is used is there, and the reader's language is found."""

import json
import re
import string
from pathlib import Path

import pytest

from broker_config.errors import ConfigError
from server.decisions.model import GATES
from server.web.i18n import LOCALES, load_catalogues, wanted_languages
from server.web.router import FLOOR_TEXTS, KIOSK_TEXTS
from server.web.visit_label import label_visit

WEB = LOCALES.parent
TEXTS = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in LOCALES.glob("*.json")}
USED = re.compile(r"""\bt(?:ext)?\(\s*["']([a-z_]+(?:\.[a-z_]+)+)["']""")
MADE = re.compile(r"""\bt(?:_or)?\(\s*[`"']([a-z_]+(?:\.[a-z_]+)*\.)(?:\$\{|["'] ~)""")


def scripts(folder: str) -> str:
    return "".join(path.read_text() for path in (WEB / "static" / folder).glob("*.js"))


def test_all_languages_have_the_same_keys_and_the_same_gaps() -> None:
    assert set(TEXTS) >= {"en", "zh-Hant", "zh-Hans"}
    for language, texts in TEXTS.items():
        assert texts.keys() == TEXTS["en"].keys(), language
        for key, text in texts.items():
            assert text.strip(), f"{language}: {key} is empty"
            assert gaps(text) == gaps(TEXTS["en"][key]), f"{language}: {key}"


def gaps(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_key_used_is_there() -> None:
    sources = [
        path.read_text() for path in (*WEB.glob("templates/*.html"), *WEB.glob("*.py"), *WEB.glob("static/*/*.js"))
    ]
    used = {key for source in sources for key in USED.findall(source)}
    assert len(used) > 40
    assert used <= TEXTS["en"].keys()
    made = {prefix for source in sources for prefix in MADE.findall(source)}
    assert made >= {"state.", "floor.figure."}
    for prefix in made:
        assert any(key.startswith(prefix) for key in TEXTS["en"]), prefix


def test_scripts_use_only_what_their_page_hands_them() -> None:
    for folder, handed in (("floor", FLOOR_TEXTS), ("kiosk", KIOSK_TEXTS)):
        assert all(key.startswith(handed) for key in USED.findall(scripts(folder))), folder


def test_every_gate_has_a_name() -> None:
    assert {f"gate.{gate}" for gate in GATES} <= TEXTS["en"].keys()


@pytest.mark.parametrize(
    ("asked", "accepted", "found"),
    [
        (None, None, "en"),
        (None, "zh-TW,zh;q=0.9,en-US;q=0.8", "zh-Hant"),
        (None, "zh-HK", "zh-Hant"),
        (None, "zh-Hant-TW", "zh-Hant"),
        (None, "zh", "zh-Hans"),
        (None, "zh-CN,zh;q=0.9,en;q=0.8", "zh-Hans"),
        (None, "zh-SG", "zh-Hans"),
        (None, "zh-Hans-HK", "zh-Hans"),
        ("zh_cn", "zh-TW", "zh-Hans"),
        (None, "en-GB;q=0.5, zh-Hant;q=0.9", "zh-Hant"),
        (None, "fr, de;q=0.9", "en"),
        (None, "zh;q=0, en", "en"),
        (None, "zh;q=high, en;q=0.1", "en"),
        (None, "*", "en"),
        ("zh_tw", "en", "zh-Hant"),
        ("xx", "zh-TW", "zh-Hant"),
    ],
)
def test_the_readers_language_is_found(asked: str | None, accepted: str | None, found: str) -> None:
    assert load_catalogues("en").choose(asked, accepted).language == found


@pytest.mark.parametrize("site", ["zh-Hant", "zh-Hans"])
def test_chinese_without_a_script_is_the_sites_own(site: str) -> None:
    assert load_catalogues(site).choose(None, "zh").language == site


def test_a_text_that_is_there_in_the_other_script_is_nearer_than_english() -> None:
    simplified, english = (load_catalogues("en").choose(tag, None) for tag in ("zh-Hans", "en"))
    name = {"en": "Door", "zh-Hant": "入口"}
    assert (simplified.pick(name), english.pick(name)) == ("入口", "Door")
    assert [simplified.pick(text) for text in ({"en": "Door"}, {"ja": "入り口"}, {})] == ["Door", "入り口", ""]


def test_simplified_chinese_has_no_character_of_the_other_script() -> None:
    """Each of these is written otherwise in the other script."""
    assert not set("".join(TEXTS["zh-Hans"].values())) & set(
        "這個們開關會員顯螢門號覽錯誤時連線請輸設備裝說讀頁為與從後"
    )
    assert not set("".join(TEXTS["zh-Hant"].values())) & set("这个们开关员显门号览错误时连线请输设备装说读页为与从")


def test_the_sites_language_is_the_last_resort() -> None:
    assert load_catalogues("zh-Hant").choose(None, "fr").language == "zh-Hant"


def test_a_new_language_needs_only_its_file(tmp_path: Path) -> None:
    for language in ("en", "zh-Hant", "zh-Hans"):
        (tmp_path / f"{language}.json").write_text("{}")
    catalogues = load_catalogues("en", tmp_path)
    assert catalogues.choose(None, "zh-CN").language == "zh-Hans"
    assert catalogues.choose(None, "zh-SG, en;q=0.1").language == "zh-Hans"
    assert catalogues.choose(None, "zh-TW").language == "zh-Hant"


def test_a_damaged_catalogue_is_named(tmp_path: Path) -> None:
    (tmp_path / "en.json").write_text("{")
    with pytest.raises(ConfigError, match=re.escape("en.json")):
        load_catalogues("en", tmp_path)
    (tmp_path / "en.json").write_text('{"a": 1}')
    with pytest.raises(ConfigError, match="keys to texts"):
        load_catalogues("en", tmp_path)


def test_a_language_header_of_any_length_is_bounded() -> None:
    assert len(wanted_languages(",".join(["en"] * 10_000))) <= 20


def test_visits_are_short_and_steady() -> None:
    assert label_visit("a1" * 16) == label_visit("a1" * 16)
    assert re.fullmatch(r"v\d{1,3}", label_visit("00" * 16))
