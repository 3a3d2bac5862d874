"""Connected, but no tags?  What a running agent's statistics tell; it owns the ports, so nobody else can listen there."""

from collections.abc import Mapping, Sequence
from typing import Any

from edge.doctor_findings import LOOK, WRONG, Finding

LISTEN = "stop the agent and run this again: it then listens by itself, and says"


def examine_reads(stats: Mapping[str, Any], ready: Sequence[str]) -> list[Finding]:
    """Why there are no tags, or only some.

    Args:
        stats: as `EdgeStats` in JSON; older agents leave `readers` out.
        ready: the devices that are open.
    """
    readers = [report for report in stats.get("readers", ()) if report["id"] in ready]
    unnamed = [report["id"] for report in readers if report["has_unnamed"]]
    if stats["reads"] == 0 and not unnamed:
        return [
            Finding(LOOK, "no reads since the agent started", "hold a tag near an antenna; check power_dbm, region")
        ]
    return [
        *(_nothing_read(report["id"]) for report in readers if not report["has_read"]),
        *(_in_no_zone(reader_id) for reader_id in unnamed),
        *_below_floor(stats["reads"], stats.get("counters", {}).get("below_floor", 0)),
        *_only_strays(stats),
    ]


def _nothing_read(reader_id: str) -> Finding:
    what = f"{reader_id}: answers, but has read no tag since the agent started"
    return Finding(LOOK, what, "hold a tag near each antenna; then check antenna, cable and power_dbm")


def _in_no_zone(reader_id: str) -> Finding:
    what = f"{reader_id}: reads on an antenna that has no entry in its `antennas`, so in no zone"
    return Finding(LOOK, what, f"add the entry; {LISTEN} which antenna")


def _below_floor(reads: int, weak: int) -> list[Finding]:
    if not weak or weak < reads:
        return []
    what = f"all {reads} reads are below the floor of their antenna"
    return [Finding(WRONG, what, f"lower floor_dbm, or raise power_dbm; {LISTEN} which floor would do")]


def _only_strays(stats: Mapping[str, Any]) -> list[Finding]:
    is_someone = stats.get("counters", {}).get("arrived") or stats["present_items"] or stats["present_visits"]
    if is_someone or not stats["strays"]:
        return []
    what = "tags are read, but none of own goods or of a member who agreed; all others are ignored on purpose"
    return [Finding(LOOK, what, "if they are yours, add what their EPCs begin with to `own_goods` in the site file")]
