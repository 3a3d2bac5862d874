"""Mercury UHF modules: how long the driver waits."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """Times that suit a real module.

    Args:
        answer_s: for the answer to a command; booting takes longest.
        quiet_ms: of silence after a stop, before asking.
        hush_ms: for that silence, which at a wrong speed never comes while the module streams.
        rearm_s: without a sign of life before starting the stream again; keep-alives come once a second.
        dead_s: without one, although it answers, before giving up.
    """

    answer_s: float = 1.0
    quiet_ms: int = 200
    hush_ms: int = 500
    rearm_s: float = 2.5
    dead_s: float = 8.0


USUAL = Patience()
