"""Trouble, seeded and repeatable: on serial lines, on networks and on disks."""

from simulators.faults.disk import Cut, Op, Tape, disk_after
from simulators.faults.line import FaultyDevice, FaultyLine
from simulators.faults.proxy import CLEAN, FaultyProxy, Toxics
from simulators.faults.sqlite_tape import CannotRecordError, recording

__all__ = [
    "CLEAN",
    "CannotRecordError",
    "Cut",
    "FaultyDevice",
    "FaultyLine",
    "FaultyProxy",
    "Op",
    "Tape",
    "Toxics",
    "disk_after",
    "recording",
]
