"""The pages: floor, kiosk, and why a decision went as it did."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from server.clock import to_datetime
from server.errors import NotFound
from server.floor.plan import draw_plan
from server.state import State
from server.web.decision_page import describe
from server.web.pages import page_data

KIOSK_TEXTS = ("kiosk.",)
FLOOR_TEXTS = ("floor.", "state.", "story.", "fate.")

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/")
async def get_floor(request: Request, state: State) -> HTMLResponse:
    """What is happening in the store, and why."""
    catalogue = state.pages.language_of(request)
    plan = draw_plan(state.site, catalogue)
    places = {thing.id: thing.name for room in plan.rooms for thing in room.things} | {r.id: r.name for r in plan.rooms}
    page = page_data(
        {
            "language": catalogue.language,
            "timezone": state.site.timezone,
            "places": places,
            "texts": catalogue.subset(*FLOOR_TEXTS),
        }
    )
    return state.pages.render("floor.html", catalogue, plan=plan, page=page)


@router.get("/display/{display_id}")
async def get_kiosk(display_id: str, request: Request, state: State) -> HTMLResponse:
    """The screen itself."""
    catalogue = state.pages.language_of(request)
    display = next((d for d in state.site.displays if d.id == display_id), None)
    if display is None:
        known = ", ".join(d.id for d in state.site.displays)
        return state.pages.render(
            "missing.html", catalogue, 404, line=catalogue.text("missing.display", displays=known)
        )
    page = page_data(
        {
            "site": state.site.id,
            "display": display.id,
            "screenClass": display.screen_class,
            "language": catalogue.language,
            "texts": catalogue.subset(*KIOSK_TEXTS),
        }
    )
    return state.pages.render("kiosk.html", catalogue, display=display, page=page)


@router.get("/decisions/{decision}")
async def get_decision_page(decision: str, request: Request, state: State) -> HTMLResponse:
    """Why it did that, or not."""
    catalogue = state.pages.language_of(request)
    try:
        record = await state.decisions.get(decision)
    except NotFound:
        return state.pages.render("missing.html", catalogue, 404, line=catalogue.text("missing.decision"))
    described = describe(record, state.site, state.catalog, catalogue, to_datetime(state.clock_ns()))
    return state.pages.render("decision.html", catalogue, d=described)
