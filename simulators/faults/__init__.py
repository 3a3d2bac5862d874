"""Trouble, seeded and repeatable: on serial lines and on disks."""

from simulators.faults.disk import Cut, Op, Tape, disk_after
from simulators.faults.line import FaultyDevice, FaultyLine
from simulators.faults.sqlite_tape import CannotRecordError, recording

__all__ = ["CannotRecordError", "Cut", "FaultyDevice", "FaultyLine", "Op", "Tape", "disk_after", "recording"]
