"""Passwords: what is a good one, what is kept of it, and how it is checked.

Kept is scrypt's digest with its salt and cost (`hashlib`, so OpenSSL; RFC 7914), 32 MiB of memory for a fifth of a second.
Length counts, composition does not (NIST SP 800-63B, 5.1.1.2): at least 12 characters, and none of the commonest.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import secrets
import unicodedata
from dataclasses import dataclass

from server.errors import Unprocessable

LEAST_LENGTH = 12
MOST_LENGTH = 256
SALT_BYTES = 16
DIGEST_BYTES = 32
AT_ONCE = 2
"""Each takes 32 MiB and a core: a crowd of guesses waits here, and not the store."""

# What people reach for once the rule is "twelve characters": these, with digits and signs around, repeated or misspelt.
COMMON_STEMS = frozenset(
    """password passwort passcode passphrase pass letmein welcome welcometo changeme changeit default admin root owner
    administrator staff store shop tacet login secret qwerty qwertyuiop qwertz azerty asdfgh asdfghjkl zxcvbn zxcvbnm
    qazwsx qazwsxedc iloveyou ilove loveyou sunshine princess dragon monkey football baseball superman batman starwars
    pokemon michael jordan trustno trustnoone whatever computer internet samsung google facebook iphone company summer
    winter spring autumn january december monday friday test testing tester guest user abc abcd abcdef abcdefgh
    abcdefghijkl correcthorsebatterystaple mypassword thisismypassword yourpassword newpassword temppassword
    passwordpassword woaini taiwan taipei hongkong""".split()  # noqa: SIM905 - eighty lines of quotes say no more
)
_LEET = str.maketrans("01345$7@!8", "oleassta" + "ib")
_RUNS = ("01234567890123456789", "98765432109876543210", "qwertyuiopasdfghjklzxcvbnm", "1q2w3e4r5t6y7u8i9o0p")


@dataclass(frozen=True, slots=True)
class Cost:
    """scrypt's N, r and p."""

    n: int = 1 << 15
    r: int = 8
    p: int = 3


class Passwords:
    """Digests made and checked, in threads, a few at once."""

    def __init__(self, cost: Cost | None = None) -> None:
        self._cost = cost or Cost()
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._nobodys = _encode(self._cost, secrets.token_bytes(SALT_BYTES), secrets.token_bytes(DIGEST_BYTES))

    async def digest(self, password: str) -> str:
        """What is kept of a password."""
        salt = secrets.token_bytes(SALT_BYTES)
        return _encode(self._cost, salt, await self._derive(password, salt, self._cost))

    async def matches(self, password: str, kept: str | None) -> bool:
        """Whether it is the one; an account that is not there costs as much time as one that is."""
        cost, salt, digest = _decode(kept or self._nobodys)
        found = await self._derive(password[:MOST_LENGTH], salt, cost)
        return hmac.compare_digest(found, digest) and kept is not None

    async def _derive(self, password: str, salt: bytes, cost: Cost) -> bytes:
        async with self._turn:
            return await asyncio.to_thread(_scrypt, normal(password), salt, cost)


def check_password(password: str, *known: str) -> None:
    """Let a good new password through.

    Args:
        known: what anybody would guess first, e.g. the account's and the site's name.
    Raises:
        Unprocessable: too short, too long, or too common; says which.
    """
    if not LEAST_LENGTH <= len(password) <= MOST_LENGTH:
        raise Unprocessable(f"a password has {LEAST_LENGTH} to {MOST_LENGTH} characters", code="length")
    if is_common(password, *known):
        raise Unprocessable(
            "this password is among the first that are guessed; some words in a row are better", code="common"
        )


def is_common(password: str, *known: str) -> bool:
    """Whether a guesser tries it early: a common word with trimmings, a run of keys, or one thing repeated."""
    plain = "".join(password.casefold().split())
    words = COMMON_STEMS | {name.casefold() for name in known if name}
    if any(plain in run * 2 or plain[: len(run)] in run for run in _RUNS):
        return True
    if len(set(plain)) < 5 or _repeats(plain):
        return True
    stem = _stem(plain)
    return stem in words or stem.translate(_LEET) in words


def _repeats(text: str) -> bool:
    """`abcabcabcabc`, `tacettacettacet1`: a short thing again and again."""
    return any(text.startswith((text[:size] * len(text))[: len(text) - 2]) for size in range(1, 6))


def _stem(text: str) -> str:
    """The word inside its trimmings."""
    return text.strip("0123456789!?.,:;-_+*#$%&/()=@<>'\"~^|[]{}\\")


def normal(password: str) -> bytes:
    """The same bytes from every keyboard (RFC 8265's way, in short)."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "replace")


def _scrypt(password: bytes, salt: bytes, cost: Cost) -> bytes:
    memory = 128 * cost.r * (cost.n + cost.p + 2)
    return hashlib.scrypt(password, salt=salt, n=cost.n, r=cost.r, p=cost.p, maxmem=2 * memory, dklen=DIGEST_BYTES)


def _encode(cost: Cost, salt: bytes, digest: bytes) -> str:
    parts = [base64.b64encode(part).decode() for part in (salt, digest)]
    return f"scrypt${cost.n}${cost.r}${cost.p}${parts[0]}${parts[1]}"


def _decode(kept: str) -> tuple[Cost, bytes, bytes]:
    """Cost, salt and digest of what was kept.

    Raises:
        ValueError: the database holds something else.
    """
    name, n, r, p, salt, digest = kept.split("$")
    if name != "scrypt":
        raise ValueError("a password digest that is not scrypt's")
    try:
        return Cost(int(n), int(r), int(p)), base64.b64decode(salt), base64.b64decode(digest)
    except binascii.Error as error:
        raise ValueError("a damaged password digest") from error
