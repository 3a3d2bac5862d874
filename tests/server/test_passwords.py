"""What is a good password, and what is kept of one."""

import pytest

from server.access.passwords import Cost, Passwords, check_password, is_common
from server.errors import Unprocessable

GOOD = "seven quiet otters hum"


@pytest.mark.parametrize(
    "password",
    ["password1234", "Password!!!!!", "P@ssw0rd2026", "123456789012", "111111111111", "qwertyuiop12", "1q2w3e4r5t6y", "abcabcabcabc",
     "tacettacettacet", "plantplantplant",
     "iloveyou2026!", "letmein!!!!!!!", "demo-2026-12-01", "ming12345678", "098765432109", "passwordpassword",
     "            1", "correct horse battery staple", "abcddcbaabdc"],
)  # fmt: skip
def test_what_is_guessed_first_is_no_password(password):
    assert is_common(password, "ming", "demo")
    with pytest.raises(Unprocessable, match="among the first"):
        check_password(password, "ming", "demo")


@pytest.mark.parametrize(
    "password",
    [
        GOOD,
        "correct horse stapler 7",
        "一二三四五六七八九十百千",
        "xkcdxkcd-tree",
        "aB3$kkkkk9fe",
        "abcdeedcbaae",
        "x" * 5 + "monkey river 4",
    ],
)
def test_length_is_all_that_is_asked_of_a_password(password):
    check_password(password, "ming", "demo")


@pytest.mark.parametrize("password", ["", "a", "seven otter", "x7$kQ" * 52])
def test_a_password_too_short_or_too_long_is_refused(password):
    with pytest.raises(Unprocessable, match="12 to 256"):
        check_password(password)


async def test_a_digest_holds_no_password_and_no_two_are_alike():
    assert (await Passwords().digest(GOOD)).startswith("scrypt$32768$8$3$"), "OWASP's least for scrypt at 32 MiB"
    passwords = Passwords(Cost(n=16, r=1, p=1))
    first, second = await passwords.digest(GOOD), await passwords.digest(GOOD)
    assert first != second
    assert await passwords.matches(GOOD, first)
    for other in (GOOD + " ", GOOD.upper(), "", "\ud800"):
        assert not await passwords.matches(other, first)
    assert not await passwords.matches(GOOD, None), "nobody's account has no password that fits"


async def test_the_same_letters_typed_on_another_keyboard_are_the_same_password():
    passwords = Passwords(Cost(n=16, r=1, p=1))
    assert await passwords.matches("cafe\u0301 au lait noir", await passwords.digest("caf\u00e9 au lait noir"))
