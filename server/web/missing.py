"""What an unknown address answers: a page to a person, JSON to a program."""

from fastapi import Request
from fastapi.exception_handlers import http_exception_handler
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from server.state import ServerState


async def answer_missing(request: Request, error: Exception) -> Response:
    """The 404 for an address that no route knows."""
    assert isinstance(error, HTTPException)
    asks_for_page = "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/")
    if not asks_for_page:
        return await http_exception_handler(request, error)
    state: ServerState = request.app.state.tacet
    catalogue = state.pages.language_of(request)
    return state.pages.render("missing.html", catalogue, 404, line=catalogue.text("missing.line"))
