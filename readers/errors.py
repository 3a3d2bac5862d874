"""What can go wrong with a serial device.

ReaderError
  ReaderDisconnected   the port is gone, or was never there: unplugged, no permission, in use by another program
  ReaderTimeout        the port is open, the device does not answer
  FrameError           the device broke its own protocol
  ReaderRefused        the device answered no; carries its code
  SetupError           the configuration asks for what no driver offers; waiting does not help
    UnknownDevice      no driver of that name
    SettingsError      a setting of the device is missing, misspelt or out of range

Our own misuse is ValueError.
"""


class ReaderError(Exception):
    """Root of device trouble: weather, to be retried, never a reason to end the agent."""


class ReaderDisconnected(ReaderError):
    """The port cannot be opened, or was lost while open."""


class ReaderTimeout(ReaderError):
    """The device did not answer in time."""


class FrameError(ReaderError):
    """A frame with a sound check but contents its protocol does not allow."""


class ReaderRefused(ReaderError):
    """The device answered with an error code.

    Args:
        code: as the device's manual numbers it.
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class SetupError(ReaderError):
    """The configuration is wrong, so no retry will help.  Checked before anything opens; ends the program."""


class UnknownDevice(SetupError):
    """No driver is known by that name; the message lists those that are."""


class SettingsError(SetupError):
    """A device's settings are wrong; the message names the key."""
