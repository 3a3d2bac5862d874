"""The pages of sign-in: sign in, use a one-time link, one's own account.  Plain forms; they work without scripts."""

from typing import TypeVar

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, ValidationError
from starlette.responses import Response

from server.access import cookies
from server.access.gate import FORM_KEY, headers_of
from server.access.limits import address_key
from server.access.notes import note
from server.access.passwords import LEAST_LENGTH, MOST_LENGTH
from server.access.principal import CurrentSession, Principal, StaffRole, Who
from server.access.schemas import ChangePasswordForm, PasswordForm, SignInForm, TokenForm
from server.access.staff import SignedIn
from server.errors import Conflict, NotFound, ServerError, TooMany, Unauthenticated, Unprocessable
from server.state import ServerState, State

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
F = TypeVar("F", bound=BaseModel)
HOME: dict[StaffRole, str] = {"owner": "/", "staff": "/", "partner": "/account"}
REFUSALS = (Conflict, NotFound, TooMany, Unauthenticated, Unprocessable)


def form_of(request: Request, form: type[F]) -> F:
    """The form that the gate has read, in its shape.

    Raises:
        Unprocessable: another one's fields.
    """
    try:
        return form.model_validate(request.scope[FORM_KEY])
    except ValidationError as error:
        raise Unprocessable("this is no form of ours") from error


@router.get("/sign-in")
async def get_sign_in(request: Request, state: State, next: str = "") -> HTMLResponse:  # noqa: A002 - as the address says
    """Name and password."""
    return _sign_in_page(request, state, where_to(next, ""), told=told_of_end(request, state))


@router.post("/sign-in")
async def sign_in(request: Request, state: State) -> Response:
    """Sign in, and go on to where one was going."""
    form = form_of(request, SignInForm)
    name = form.name.strip().lower()
    address = address_key(request.client.host if request.client else "")
    try:
        begun = await state.access.staff.sign_in(name, form.password, address)
    except (Unauthenticated, TooMany) as error:
        if isinstance(error, Unauthenticated):  # who is kept waiting was not even looked at
            await note(state, None, "sign-in", await state.access.staff.id_of(name), "refused")
        page = _sign_in_page(request, state, where_to(form.next, ""), error, form.name[:40])
        page.headers.update(headers_of(error))
        return page
    await note(state, None, "sign-in", begun.staff)
    path, mark, query = where_to(form.next, "/").partition("?")
    return _signed_in(request, begun, (HOME[begun.role] if path == "/" else path) + mark + query)


@router.post("/sign-out")
async def sign_out(request: Request, session: CurrentSession, state: State, who: Who) -> Response:
    """End this browser's session."""
    await state.access.sessions.end(session.id)
    await note(state, who, "sign-out", who.id if who.kind == "staff" else "")
    answer = RedirectResponse("/me" if who.kind == "member" else "/sign-in", 303)
    cookies.take(answer, request)
    # What this browser still keeps of the pages is theirs who signed out.
    answer.headers["Clear-Site-Data"] = '"cache", "storage"'
    return answer


@router.get("/enter/{secret}")
async def get_enter(secret: str, request: Request, state: State) -> HTMLResponse:
    """What a one-time link is for.  Looking at it does not use it up: mail programs look at every link."""
    return await _enter_page(request, state, secret)


@router.post("/enter/{secret}")
async def enter(secret: str, request: Request, state: State) -> Response:
    """Use the link up."""
    form = form_of(request, PasswordForm)
    try:
        begun = await state.access.staff.use_link(secret, form.password)
    except REFUSALS as error:
        return await _enter_page(request, state, secret, error)
    await note(state, None, "sign-in", begun.staff)
    return _signed_in(request, begun, HOME[begun.role])


@router.get("/account")
async def get_account(request: Request, state: State, who: Who, _session: CurrentSession) -> HTMLResponse:
    """Who is signed in here, where else, and another password."""
    return await _account_page(request, state, who)


@router.post("/account/password")
async def change_password(request: Request, state: State, who: Who, _session: CurrentSession) -> Response:
    """Set another password; every other browser is signed out."""
    form = form_of(request, ChangePasswordForm)
    try:
        begun = await state.access.staff.change_password(who.id, form.old, form.new)
    except REFUSALS as error:
        if isinstance(error, Unauthenticated):  # somebody at this browser does not know the password
            await note(state, who, "password", who.id, "refused")
        return await _account_page(request, state, who, error)
    await note(state, who, "password", begun.staff)
    return _signed_in(request, begun, "/account")


@router.post("/account/others")
async def end_others(request: Request, state: State, who: Who, session: CurrentSession) -> Response:
    """Sign every other browser out."""
    form_of(request, TokenForm)
    await state.access.sessions.end_all(session.kind, session.principal, but=session.id)
    await note(state, who, "sign-out", who.id, detail="everywhere else")
    return RedirectResponse("/account", 303)


def where_to(wanted: str, otherwise: str) -> str:
    """An address of this server to go on to; never another's (`//evil.example` is one)."""
    is_own = (
        wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and wanted.isascii() and wanted.isprintable()
    )
    return wanted if is_own else otherwise


def _signed_in(request: Request, begun: SignedIn, target: str) -> Response:
    answer = RedirectResponse(target, 303)
    cookies.give(answer, request, begun.secret)
    return answer


def _sign_in_page(
    request: Request, state: ServerState, target: str, error: ServerError | None = None, name: str = "", told: str = ""
) -> HTMLResponse:
    catalogue = state.pages.language_of(request)
    return state.pages.render(
        "sign-in.html", catalogue, error.status_code if error else 200,
        next=target, name=name, problem=problem(state, request, error) or told,
    )  # fmt: skip


async def _enter_page(
    request: Request, state: ServerState, secret: str, error: ServerError | None = None
) -> HTMLResponse:
    catalogue = state.pages.language_of(request)
    try:
        link = await state.access.staff.find_link(secret)
    except NotFound:
        return state.pages.render("refused.html", catalogue, 404, line=catalogue.text("enter.used"))
    return state.pages.render(
        "enter.html", catalogue, error.status_code if error else 200,
        link=link, secret=secret, least=LEAST_LENGTH, problem=problem(state, request, error),
    )  # fmt: skip


async def _account_page(
    request: Request, state: ServerState, who: Principal, error: ServerError | None = None
) -> HTMLResponse:
    catalogue = state.pages.language_of(request)
    sessions = await state.access.sessions.of("staff", who.id)
    return state.pages.render(
        "account.html", catalogue, error.status_code if error else 200,
        who=who, name=await state.access.staff.name_of(who.id), least=LEAST_LENGTH,
        problem=problem(state, request, error), others=len(sessions) - 1,
    )  # fmt: skip


def told_of_end(request: Request, state: ServerState) -> str:
    """What to say to whoever comes from a form that was sent after the session's end; empty for others."""
    return state.pages.language_of(request).text("signin.ended") if request.query_params.get("ended") else ""


def problem(state: ServerState, request: Request, error: ServerError | None) -> str:
    """What went wrong, in the reader's language; the server's own words where nobody translated them."""
    if error is None:
        return ""
    catalogue = state.pages.language_of(request)
    if isinstance(error, TooMany):
        return catalogue.text("signin.wait", seconds=headers_of(error)["Retry-After"])
    key = f"problem.{error.code}"
    return catalogue.text(key, least=LEAST_LENGTH, most=MOST_LENGTH) if key in catalogue.texts else str(error)
