"""What can go wrong with a serial device.

ReaderError
  ReaderDisconnected   the port is gone, or was never there: unplugged, no permission, in use by another program
  ReaderTimeout        the port is open, the device does not answer
  FrameError           the device broke its own protocol
  ReaderRefused        the device answered no; carries its code

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
