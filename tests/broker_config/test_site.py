"""The site file: what is wrong with one is said in one line that names file and key."""

from pathlib import Path

import pytest

from broker_config.errors import ConfigError
from broker_config.site import is_level, load_site
from tests.support.brokers import DEMO_SITE, site_toml

GOOD = DEMO_SITE.read_text()


def test_the_demo_store_loads() -> None:
    site = load_site(DEMO_SITE)
    assert site.agents == ("gw-1",)
    assert {display.screen_class for display in site.displays} == {"public", "semi", "private"}


def test_a_site_written_as_toml_reads_the_same(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_text(site_toml(load_site(DEMO_SITE)))
    assert load_site(path) == load_site(DEMO_SITE)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('id = "demo"', 'id = "Demo"', r"\$.id"),
        ('id = "demo"', 'id = "a/+"', r"\$.id"),
        ('id = "demo"', 'id = "demo\\n"', r"\$.id"),
        ('timezone = "Asia/Taipei"', 'timzone = "Asia/Taipei"', "timzone"),
        ('timezone = "Asia/Taipei"', "", "timezone"),
        ('timezone = "Asia/Taipei"', 'timezone = "Asia/Taipai"', "no time zone 'Asia/Taipai'; .* Asia/Taipei"),
        ('timezone = "Asia/Taipei"', 'timezone = "Asia"', "no time zone 'Asia'"),
        ('timezone = "Asia/Taipei"', 'timezone = "../x"', "no time zone '../x'"),
        ("visit_gap_s = 20", "visit_gap_s = -20", r"\$.visit_gap_s"),
        ('kind = "till"', 'kind = "cashier"', r"\$.zones"),
        ('screen_class = "semi"', 'screen_class = "secret"', r"\$.displays"),
        ('id = "shoes"', 'id = "door"', "'door' is used twice"),
        ('zone = "fitting"', 'zone = "attic"', "'attic', which the file does not define"),
        ('own_goods = ["3034257b"]', 'own_goods = ["303"]', "whole bytes of hex"),
        ('own_goods = ["3034257b"]', 'own_goods = ["xyz0"]', "whole bytes of hex"),
        ('id = "demo"', "id = ", "site.toml"),
    ],
)
def test_a_wrong_site_file_is_refused_with_its_place(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in GOOD
    path = tmp_path / "site.toml"
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(ConfigError, match=said) as caught:
        load_site(path)
    assert str(path) in str(caught.value)


def test_a_missing_folder_or_undecodable_site_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load_site(tmp_path / "site.toml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_site(tmp_path)
    (tmp_path / "latin").write_bytes(b'name = "\xff"')
    with pytest.raises(ConfigError, match="latin"):
        load_site(tmp_path / "latin")


@pytest.mark.parametrize("text", ["a", "d-door", "1", "a--b", "0-9"])
def test_a_level_is_lower_case_letters_digits_and_inner_hyphens(text: str) -> None:
    assert is_level(text)


@pytest.mark.parametrize("text", ["", "-a", "a-", "A", "a/b", "+", "#", "a\n", "$s", "é"])
def test_anything_else_is_no_level(text: str) -> None:
    assert not is_level(text)
