"""Errors as answers, each mapped once.  What came in is never repeated: it may be personal, and it may be no valid text."""

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException

from server.access.gate import headers_of, unwritable
from server.errors import ServerError
from server.state import ServerState

MOST_SHOWN = 3
MOST_LETTERS = 60


class ErrorBody(BaseModel):
    """What every refusal and failure says."""

    error: str


async def answer_error(_request: Request, error: Exception) -> JSONResponse:
    """A ServerError as its status and one line."""
    assert isinstance(error, ServerError), "it is registered for these only"
    return JSONResponse({"error": str(error)}, error.status_code, headers_of(error))


async def answer_invalid(_request: Request, error: Exception) -> JSONResponse:
    """The 422 for a body or parameter of the wrong shape: where, and what is wanted there."""
    assert isinstance(error, RequestValidationError), "it is registered for these only"
    said = [f"{_place(item['loc'])}: {item['msg']}" for item in error.errors()[:MOST_SHOWN]]
    return JSONResponse({"error": "; ".join(said)}, 422)


def _place(path: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in path)[:MOST_LETTERS]


async def answer_http(request: Request, error: Exception) -> Response:
    """What the framework says by itself: no such address, no such method, no JSON.  A page to a person, JSON to a program."""
    assert isinstance(error, HTTPException), "it is registered for these only"
    asks_for_page = "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/")
    if error.status_code != 404 or not asks_for_page:
        return JSONResponse({"error": error.detail}, error.status_code, error.headers)
    state: ServerState = request.app.state.tacet
    catalogue = state.pages.language_of(request)
    return state.pages.render("missing.html", catalogue, 404, line=catalogue.text("missing.line"))


async def answer_unwritable(_request: Request, error: Exception) -> JSONResponse:
    """A database that is full, read-only or busy: nothing was changed, and the caller may ask again."""
    assert isinstance(error, OperationalError), "it is registered for these only"
    return await answer_error(_request, unwritable(error))
