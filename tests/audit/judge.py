"""What an audit of the dependencies means: which known flaws count, which are waived until a day, and what nobody looked up.

A waiver is a table of `waivers.toml` beside this file; after its day it holds no longer:

    [[waiver]]
    id = "GHSA-xxxx-xxxx-xxxx"
    until = 2027-01-31
    why = "only the command line of that package is affected, and we do not use it"
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

import msgspec

LONGEST_WAIVER_DAYS = 90
NAMED = 5


class Waiver(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A flaw that is known and borne for a while."""

    id: str
    until: date
    why: str


class _Waivers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    waiver: tuple[Waiver, ...] = ()


class Flaw(msgspec.Struct, frozen=True):
    """A known vulnerability, as pip-audit tells it."""

    id: str
    fix_versions: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()


class Package(msgspec.Struct, frozen=True):
    """One installed package; `skip_reason` where it could not be looked up."""

    name: str
    version: str = ""
    vulns: tuple[Flaw, ...] = ()
    skip_reason: str | None = None


class _Report(msgspec.Struct, frozen=True):
    dependencies: tuple[Package, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of it, a line each.

    Args:
        outcome: `unknown` where packages could not be looked up: an audit that asked nobody is no clean one.
    """

    outcome: Literal["clean", "flawed", "unknown"]
    lines: tuple[str, ...]


def read_waivers(path: Path) -> tuple[Waiver, ...]:
    """The waivers of a file.

    Raises:
        msgspec.ValidationError: it is malformed; a waiver needs an id, a day and a reason.
    """
    return msgspec.toml.decode(path.read_bytes(), type=_Waivers).waiver


def judge(report: bytes, waivers: tuple[Waiver, ...], own_name: str, today: date) -> Verdict:
    """Weigh pip-audit's JSON.

    Args:
        own_name: our own package, which no index knows.
    """
    packages = [each for each in msgspec.json.decode(report, type=_Report).dependencies if each.name != own_name]
    borne = {each.id: each for each in waivers if today <= each.until and _is_short(each, today)}
    lines, flawed = [], False
    for package in packages:
        for flaw in package.vulns:
            waiver = next((borne[name] for name in (flaw.id, *flaw.aliases) if name in borne), None)
            lines.append(_line(package, flaw, waiver))
            flawed |= waiver is None
    lines += [f"waiver {each.id}: over since {each.until}, or too long" for each in waivers if each.id not in borne]
    unseen = [each.name for each in packages if each.skip_reason is not None]
    if unseen:
        few = ", ".join([*unseen[:NAMED], *(["…"] if len(unseen) > NAMED else [])])
        lines.append(f"{len(unseen)} of {len(packages)} packages could not be looked up: {few}; is the network there?")
    if flawed:
        return Verdict("flawed", tuple(lines))
    if unseen or not packages:
        return Verdict("unknown", tuple(lines))
    return Verdict("clean", (*lines, f"{len(packages)} packages, no flaw known that is not waived"))


def _is_short(waiver: Waiver, today: date) -> bool:
    return (waiver.until - today).days <= LONGEST_WAIVER_DAYS


def _line(package: Package, flaw: Flaw, waiver: Waiver | None) -> str:
    cure = f"mended in {', '.join(flaw.fix_versions)}" if flaw.fix_versions else "not mended anywhere yet"
    borne = "" if waiver is None else f"; waived until {waiver.until}: {waiver.why}"
    return f"{package.name} {package.version}: {flaw.id}, {cure}{borne}"
