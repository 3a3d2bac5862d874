"""What the pairing calls answer."""

from datetime import datetime

from pydantic import BaseModel


class PairingAsked(BaseModel):
    """Paired already, or the code to show."""

    paired: bool
    code: str | None = None


class PairingState(BaseModel):
    """`connected`: some browser holds this display's connection now; `site`: a level of every topic."""

    site: str
    paired: bool
    code: str | None
    connected: bool


class WaitingPairing(BaseModel):
    """A code that waits for the owner."""

    code: str
    display: str
    asked_at: datetime


class DisplayKey(BaseModel):
    """What the display checks orders with: its user name, and the key in hex."""

    user: str
    key: str
