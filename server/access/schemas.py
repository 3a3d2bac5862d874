"""HTTP bodies and forms of sign-in and staff accounts."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, StringConstraints

from server.access.passwords import MOST_LENGTH
from server.access.principal import StaffRole
from server.members.schemas import Body

StaffName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,31}$")]
"""Small letters, so that nobody has to remember which were large."""
Typed = Annotated[str, StringConstraints(max_length=MOST_LENGTH)]


class NewStaff(Body):
    """An account to make."""

    name: StaffName
    role: StaffRole


class LinkWanted(Body):
    """A one-time link: to set a password, or (for the owner token only) to sign in without one."""

    purpose: Literal["password", "sign-in"] = "password"


class StaffLink(BaseModel):
    """A one-time link, told once: only its hash is kept."""

    name: str
    role: str
    link: str
    expires_at: datetime


class StaffView(BaseModel):
    """An account as the owner sees it.

    Args:
        ready: a password is set.
        sessions: how many browsers are signed in.
    """

    name: str
    role: str
    ready: bool
    sessions: int


class SignInForm(Body):
    """The sign-in page's form."""

    name: Typed
    password: Typed
    next: Typed = ""
    token: Typed = ""


class PasswordForm(Body):
    """A link's page: the new password; empty where the link just signs in."""

    password: Typed = ""
    token: Typed = ""


class ChangePasswordForm(Body):
    """The account page's form."""

    old: Typed
    new: Typed
    token: Typed


class TokenForm(Body):
    """A form of one button."""

    token: Typed


class NewStaffForm(Body):
    """The staff page's form."""

    name: Typed
    role: StaffRole
    token: Typed
