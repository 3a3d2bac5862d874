"""Counters that say how well a device is doing: rates are counters, not log lines."""

from dataclasses import dataclass


@dataclass(slots=True)
class ReaderHealth:
    """What a driver has seen since it was opened.  Only ever counts up, except for the temperature.

    Args:
        frames: sound frames or lines.
        bad_frames: frames with a sound check whose contents the protocol does not allow.
        discarded_bytes: noise skipped to find the next frame.
        overrun_bytes: bytes lost because nobody took them in time.
        empty_polls: polls that found no tag; normal in an empty field.
        rearms: times the stream had to be started again.
        random_uids: cards whose number is drawn anew at every touch; nobody can be known by them.
        no_value: answers of a scale or sensor that carry no value: overload, busy, an echo too weak.
        signs_of_life: reports of tags, and of rounds that found none: proof that it reads; None where the driver cannot tell.
        temperature_c: the device's own, None where it does not report one.
        alarms: warnings of the device about itself: too hot, an antenna missing, too much power coming back from one.
        alarm: the last of them in words, with what to do; empty where there was none.
    """

    frames: int = 0
    bad_frames: int = 0
    discarded_bytes: int = 0
    overrun_bytes: int = 0
    empty_polls: int = 0
    rearms: int = 0
    random_uids: int = 0
    no_value: int = 0
    signs_of_life: int | None = None
    temperature_c: float | None = None
    alarms: int = 0
    alarm: str = ""
