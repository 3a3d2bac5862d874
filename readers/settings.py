"""What all device settings share: frozen, strict, decoded from a stanza with one clear line about what is wrong."""

from collections.abc import Mapping
from typing import Annotated, Literal, TypeVar

import msgspec

from readers.errors import SettingsError

S = TypeVar("S", bound="DeviceSettings")

Baud = Annotated[int, msgspec.Meta(ge=300, le=4_000_000)]
LineForm = Literal["8N1", "8N2", "8E1", "8O1", "7N1", "7E1", "7O1", "7E2", "7O2"]
"""Data bits, parity (none, even, odd) and stop bits."""


class DeviceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The keys of a device's stanza that only its driver understands.  Each driver gives `baud` its own default."""

    baud: Baud

    @property
    def line(self) -> LineForm:
        """How the line carries a byte; a key of the stanza only where devices of one type differ in it."""
        return "8N1"

    @property
    def active_antennas(self) -> tuple[int, ...]:
        """The antennas a reader reads with, counted from 1; a key of the stanza only where a reader may have several."""
        return (1,)


def decode_settings(stanza: Mapping[str, object], model: type[S]) -> S:
    """Turn the device's part of a TOML stanza into its settings.

    Raises:
        SettingsError: one line that names the key.
    """
    try:
        return msgspec.convert(dict(stanza), model)
    except msgspec.ValidationError as error:
        message, _, key = str(error).partition(" - at `$.")
        known = ", ".join(field.name for field in msgspec.structs.fields(model))
        where = f"{key.rstrip('`')}: " if key else ""
        raise SettingsError(f"{where}{message} (settings of this device: {known})") from error
