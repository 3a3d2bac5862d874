"""HTTP: staff accounts, for the owner and for the command line."""

from datetime import timedelta

from fastapi import APIRouter

from server.access.links import enter_link
from server.access.notes import note
from server.access.principal import Principal, StaffRole, Who
from server.access.schemas import LinkWanted, NewStaff, StaffLink, StaffView
from server.access.staff import LINK_LIFE_S
from server.clock import to_datetime
from server.errors import Refused
from server.state import Owner, ServerState, State

router = APIRouter(prefix="/api/staff", dependencies=[Owner])


@router.get("")
async def list_staff(state: State) -> list[StaffView]:
    """Every account."""
    return await state.access.staff.list_all()


@router.post("", status_code=201)
async def add_staff(new: NewStaff, state: State, who: Who) -> StaffLink:
    """Make an account; the answer holds its set-up link, told this once."""
    return await add_account(state, who, new.name, new.role)


@router.delete("/{name}", status_code=204)
async def remove_staff(name: str, state: State, who: Who) -> None:
    """Close an account; its browsers are signed out at once."""
    await remove_account(state, who, name)


@router.post("/{name}/link", status_code=201)
async def make_link(name: str, wanted: LinkWanted, state: State, who: Who) -> StaffLink:
    """A fresh one-time link; the account's older one is void."""
    if wanted.purpose == "sign-in" and who.kind != "token":
        raise Refused("a link that signs in as somebody is for the owner token only")
    return await renew_link(state, who, name, wanted.purpose)


async def add_account(state: ServerState, who: Principal, name: str, role: StaffRole) -> StaffLink:
    """Make an account and its first link."""
    secret = await state.access.staff.add(name, role)
    await note(state, who, "issue", await state.access.staff.id_of(name))
    return _tell(state, name, role, secret)


async def renew_link(state: ServerState, who: Principal, name: str, purpose: str) -> StaffLink:
    """A fresh link of an account."""
    secret, role = await state.access.staff.make_link(name, purpose)
    await note(state, who, "issue", await state.access.staff.id_of(name))
    return _tell(state, name, role, secret)


async def remove_account(state: ServerState, who: Principal, name: str) -> None:
    """Close an account."""
    account = await state.access.staff.id_of(name)
    await state.access.staff.remove(name)
    await note(state, who, "revoke", account)


def _tell(state: ServerState, name: str, role: str, secret: str) -> StaffLink:
    """A link as it is told."""
    expires_at = to_datetime(state.clock_ns()) + timedelta(seconds=LINK_LIFE_S)
    return StaffLink(name=name, role=role, link=enter_link(state.config, secret), expires_at=expires_at)
