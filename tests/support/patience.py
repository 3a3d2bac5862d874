"""How long a test waits for what must come: long, for it costs nothing, and a machine may stand still in between."""

WAIT_S = 60.0
STANDSTILL_S = 10.0
"""What is added where the seconds themselves are promised."""
STOP_S = 5.0 + STANDSTILL_S
"""A stop of any of our programs takes at most 5 s."""
