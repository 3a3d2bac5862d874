"""The one error of the simulators that a person can mend."""


class SceneError(Exception):
    """A scene, site or fault plan is missing or wrong, or its folder cannot be used.  The message says what to do."""
