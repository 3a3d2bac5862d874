"""The member's pages.  Plain forms; they work without scripts.  Whose objects these are is the session's to say, never the address's."""

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.responses import Response

from server.access import cookies
from server.access.gate import headers_of
from server.access.limits import address_key
from server.access.pages import form_of, problem, told_of_end
from server.access.principal import MaybeWho, Principal, Who
from server.audit.service import Actor, Thing
from server.clock import to_datetime
from server.errors import NotFound, ServerError, TooMany, Unauthenticated, Unprocessable
from server.me.schemas import CodeForm, ConsentForm, EraseForm, InterestForm, WishesForm
from server.me.view import export, look_at
from server.members.schemas import ConsentChange
from server.state import ServerState, State
from server.web.i18n import Catalogue

CAPS = (0, 1, 2, 3, 5, 10)
router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/me")
async def get_me(request: Request, state: State, who: MaybeWho) -> HTMLResponse:
    """A member's own page; to anybody else the field for the code."""
    if who is None or who.role != "member":
        return _code_page(request, state, who)
    return await _me_page(request, state, who)


@router.post("/me/code")
async def use_code(request: Request, state: State, who: MaybeWho) -> Response:
    """Sign in with the code from the desk."""
    form = form_of(request, CodeForm)
    address = address_key(request.client.host if request.client else "")
    try:
        secret = await state.codes.use(form.code, address)
    except (Unauthenticated, TooMany) as error:
        page = _code_page(request, state, who, error)
        page.headers.update(headers_of(error))
        return page
    answer = _back(request)
    cookies.give(answer, request, secret)
    return answer


@router.post("/me/consent")
async def set_consent(request: Request, state: State, who: Who) -> Response:
    """Turn a purpose on or off."""
    form = form_of(request, ConsentForm)
    change = ConsentChange(purpose=form.purpose, granted=form.granted == "yes")
    await state.members.set_consent(who.id, change, _actor(who))
    return _back(request)


@router.post("/me/wishes")
async def set_wishes(request: Request, state: State, who: Who) -> Response:
    """Quiet hours, and how much may be shown in a visit."""
    form = form_of(request, WishesForm)
    try:
        await state.members.set_wishes(who.id, form.quiet, form.cap, _actor(who))
    except Unprocessable as error:
        return await _me_page(request, state, who, error, quiet=form.quiet)
    return _back(request)


@router.post("/me/interests")
async def set_interest(request: Request, state: State, who: Who) -> Response:
    """Like a subject, or want nothing of it, or say neither."""
    form = form_of(request, InterestForm)
    await state.members.set_interest(who.id, form.tag, form.wish, state.decisions.rules.interests, _actor(who))
    return _back(request, "#interests")


@router.get("/me/export")
async def get_export(state: State, who: Who) -> Response:
    """Everything held, as a file."""
    async with state.ledger.transaction() as work:
        await state.audit.record(work, _actor(who), "export", Thing("member", who.id))
        held = await export(work.session, state.vault, who.id, state.audit.opaque(Thing("member", who.id)))
    data = msgspec.json.format(msgspec.json.encode(held), indent=2)
    headers = {"Content-Disposition": 'attachment; filename="tacet-export.json"', "Cache-Control": "no-store"}
    return Response(data, media_type="application/json", headers=headers)


@router.get("/me/erase")
async def get_erase(request: Request, state: State, who: Who) -> HTMLResponse:
    """What goes, what stays, and the button."""
    catalogue, _ = await _language(request, state, who)
    return state.pages.render("me-erase.html", catalogue, who=who)


@router.post("/me/erase")
async def erase(request: Request, state: State, who: Who) -> Response:
    """Erase the member; from here on only the number of the request is left."""
    form_of(request, EraseForm)
    number = await state.erasure.erase(who.id, _actor(who))
    answer = RedirectResponse(f"/privacy/{number}{_query(request)}", 303)
    cookies.take(answer, request)
    answer.headers["Clear-Site-Data"] = '"cache", "storage"'
    return answer


@router.get("/privacy/{number}")
async def get_privacy(number: str, request: Request, state: State) -> HTMLResponse:
    """How an erasure stands.  The number is the key to it, so the page asks for nothing else and says nothing of a person."""
    catalogue = state.pages.language_of(request)
    try:
        status = await state.erasure.status(number)
    except NotFound:
        return state.pages.render("refused.html", catalogue, 404, line=catalogue.text("privacy.unknown"))
    return state.pages.render("privacy.html", catalogue, erasure=status)


def _actor(who: Principal) -> Actor:
    return Actor("member", who.id)


def _query(request: Request) -> str:
    language = request.query_params.get("lang", "")
    return f"?lang={language}" if language.replace("-", "").isalnum() and language.isascii() else ""


def _back(request: Request, place: str = "") -> Response:
    return RedirectResponse(f"/me{_query(request)}{place}", 303)


async def _language(request: Request, state: ServerState, who: Principal) -> tuple[Catalogue, object]:
    """The member's own language first, unless another is asked for; and what the page shows."""
    async with state.db.session() as session:
        me = await look_at(session, who.id, state.decisions.rules.interests, to_datetime(state.clock_ns()))
    if me is None:
        raise NotFound("this member is not here any more")
    asked = request.query_params.get("lang") or me.language
    return state.pages.catalogues.choose(asked, request.headers.get("accept-language")), me


async def _me_page(
    request: Request, state: ServerState, who: Principal, error: ServerError | None = None, quiet: str = ""
) -> HTMLResponse:
    """The page; `quiet` is what was typed and refused, to be put right rather than typed anew."""
    catalogue, me = await _language(request, state, who)
    async with state.ledger.transaction() as work:
        await state.audit.record(work, _actor(who), "read", Thing("member", who.id))
    status = error.status_code if error else 200
    said = catalogue.text_or(f"problem.{error.code}", str(error)) if error else ""
    return state.pages.render("me.html", catalogue, status, me=me, who=who, caps=CAPS, problem=said, typed=quiet)


def _code_page(
    request: Request, state: ServerState, who: Principal | None, error: ServerError | None = None
) -> HTMLResponse:
    return state.pages.render(
        "me-code.html",
        state.pages.language_of(request),
        error.status_code if error else 200,
        token=who.form_token if who else "",
        query=_query(request),  # unasked, the member's own language follows
        problem=problem(state, request, error) or told_of_end(request, state),
    )
