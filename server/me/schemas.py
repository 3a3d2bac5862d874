"""The forms of a member's pages."""

from typing import Annotated, Literal

from pydantic import StringConstraints

from server.members.schemas import Body, Wish

Short = Annotated[str, StringConstraints(max_length=40)]


class CodeForm(Body):
    """The code from the desk."""

    token: str = ""
    code: Short


class ConsentForm(Body):
    """A switch."""

    token: str
    purpose: Literal["recognise", "recommend"]
    granted: Literal["yes", "no"]


class WishesForm(Body):
    """Quiet hours as written, and the most in a visit: `unset`, or a number."""

    token: str
    quiet: Annotated[str, StringConstraints(max_length=200)]
    cap: Annotated[str, StringConstraints(pattern=r"^(unset|\d{1,3})$")]


class InterestForm(Body):
    """One of the three buttons of a subject."""

    token: str
    tag: Short
    wish: Wish


class EraseForm(Body):
    """The box that says so is ticked."""

    token: str
    sure: Literal["yes"]


class CodeIssued(Body):
    """A code, told once."""

    code: str
