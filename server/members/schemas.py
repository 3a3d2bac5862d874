"""HTTP bodies of the member calls."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

PAGE = 500
"""Members in one answer."""


Wish = Literal["like", "dislike", "none"]
"""What a member says of a subject; `none`: nothing."""


class Body(BaseModel):
    """What comes in is taken literally: nothing extra, nothing converted."""

    model_config = ConfigDict(extra="forbid", strict=True)


class ConsentChange(Body):
    """Grant or withdraw one purpose."""

    purpose: Literal["recognise", "recommend"]
    granted: bool


class BadRow(BaseModel):
    """A row that was left out.  `row` counts as an editor does, the header being 1."""

    row: int
    why: str


class ImportReport(BaseModel):
    """What an import did."""

    imported: int
    updated: int
    bad_rows: list[BadRow]


class MemberView(BaseModel):
    """A member as the owner sees one; no card."""

    member: str
    alias: str
    language: str
    purposes: list[str]
    interests: list[str]
    disinterests: list[str]
    quiet: str
    cap: int | None
