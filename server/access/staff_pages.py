"""The owner's page of staff accounts."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from pydantic import TypeAdapter, ValidationError
from starlette.responses import Response

from server.access.api import add_account, remove_account, renew_link
from server.access.pages import REFUSALS, form_of, problem
from server.access.principal import Principal, Who
from server.access.schemas import NewStaffForm, StaffLink, StaffName, TokenForm
from server.errors import ServerError, Unprocessable
from server.state import ServerState, State

router = APIRouter(prefix="/staff", include_in_schema=False, default_response_class=HTMLResponse)


@router.get("")
async def get_staff(request: Request, state: State, who: Who) -> HTMLResponse:
    """Who may sign in."""
    return await _page(request, state, who)


@router.post("")
async def add_staff(request: Request, state: State, who: Who) -> HTMLResponse:
    """Make an account, and show its link once."""
    form = form_of(request, NewStaffForm)
    try:
        name = _sound_name(form.name)
        link = await add_account(state, who, name, form.role)
    except REFUSALS as error:
        return await _page(request, state, who, error=error)
    return await _page(request, state, who, told=link)


@router.post("/{name}/link")
async def make_link(name: str, request: Request, state: State, who: Who) -> HTMLResponse:
    """Show a fresh link once."""
    form_of(request, TokenForm)
    try:
        link = await renew_link(state, who, name, "password")
    except REFUSALS as error:
        return await _page(request, state, who, error=error)
    return await _page(request, state, who, told=link)


@router.post("/{name}/remove")
async def remove_staff(name: str, request: Request, state: State, who: Who) -> Response:
    """Close an account."""
    form_of(request, TokenForm)
    try:
        await remove_account(state, who, name)
    except REFUSALS as error:
        return await _page(request, state, who, error=error)
    return await _page(request, state, who, removed=name)


def _sound_name(typed: str) -> str:
    try:
        return TypeAdapter(StaffName).validate_python(typed.strip().lower())
    except ValidationError as error:
        raise Unprocessable("a name is made of small letters, digits, dot and dash", code="name_form") from error


async def _page(
    request: Request,
    state: ServerState,
    who: Principal,
    *,
    told: StaffLink | None = None,
    removed: str = "",
    error: ServerError | None = None,
) -> HTMLResponse:
    return state.pages.render(
        "staff.html",
        state.pages.language_of(request),
        error.status_code if error else 200,
        who=who,
        people=await state.access.staff.list_all(),
        told=told,
        removed=removed,
        problem=problem(state, request, error),
    )
