"""Errors a person can act on: each message says what is wrong and what to do about it."""


class ConfigError(Exception):
    """A file, setting or credential is missing or wrong.  Ends the program before it opens anything."""


class MessageError(Exception):
    """Bytes from the bus that no schema of ours accepts.  They go to `bad/`, acknowledged, never looping."""
