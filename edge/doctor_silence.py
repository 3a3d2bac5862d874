"""What the doctor finds where nothing answers a driver: another speed, another device, or really nothing."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from edge.doctor_findings import WRONG, Finding, troubled
from readers.errors import ReaderDisconnected, ReaderError, ReaderRefused, ReaderTimeout
from readers.probe import Answered, identify
from readers.registry import bauds_of, settings_for
from readers.settings import decode_settings

Open = Callable[[Mapping[str, object]], AbstractAsyncContextManager[object]]
"""Opens the device with these settings."""


async def examine_silence(
    type_name: str,
    device_id: str,
    port: Path,
    settings: Mapping[str, object],
    reopen: Open,
    error: ReaderTimeout,
    *,
    is_reader: bool = False,
) -> Finding:
    """The finding for a device that did not answer its driver.

    Args:
        reopen: of the same device, for other speeds.
        error: what its driver said.
        is_reader: then it is also asked whether it is another reader; nothing else is sent such questions.
    """
    try:
        wanted = decode_settings(settings, settings_for(type_name)).baud
        baud = await _find_baud([baud for baud in bauds_of(type_name) if baud != wanted], settings, reopen)
        if baud is not None:
            what = f"{device_id}: {type_name} answers at {baud} baud, not at {wanted}"
            return Finding(WRONG, what, f"write baud = {baud} in its stanza")
        other = await identify(port) if is_reader else None
    except ReaderError as lost:
        return troubled(device_id, "", lost)
    if other is None:
        return troubled(device_id, f"{type_name} does not answer: ", error)
    if type_name in other.type_names:
        return troubled(device_id, f"{other.name} answers, but ", error)
    return _another(type_name, device_id, other)


async def _find_baud(bauds: Sequence[int], settings: Mapping[str, object], reopen: Open) -> int | None:
    """The speed at which the device answers its own driver."""
    for baud in bauds:
        try:
            async with reopen({**settings, "baud": baud}):
                return baud
        except ReaderDisconnected:
            raise
        except ReaderRefused:
            return baud  # to say no it has to be there
        except ReaderError:
            continue  # silence, noise, or a speed this port does not have
    return None


def _another(type_name: str, device_id: str, other: Answered) -> Finding:
    types = " or ".join(f'type = "{name}"' for name in other.type_names)
    what = f"{device_id}: no {type_name} answers, but {other.name} does, at {other.baud} baud"
    return Finding(WRONG, what, f"write {types}, with the keys of that type; baud = {other.baud} where it has that key")
