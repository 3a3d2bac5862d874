"""The one error of the simulators that a person can mend."""


class SimulatorError(Exception):
    """A scene, site, folder, address or display is missing or wrong.  The message says what to do."""
