"""Pairing over HTTP, and the WebSocket that a paired browser speaks MQTT on."""

import asyncio
from contextlib import suppress
from functools import partial

from fastapi import APIRouter, Request, Response, WebSocket
from starlette.websockets import WebSocketDisconnect

from broker_config.mqtt_fields import Malformed
from broker_config.site import DisplayId
from broker_config.topics import user_name
from server.access.notes import actor_of
from server.access.origin import own_origin
from server.access.principal import Who
from server.audit.service import Actor, Thing
from server.displays.pairing import cookie_name
from server.displays.schemas import DisplayKey, PairingAsked, PairingState, WaitingPairing
from server.errors import NotFound, Refused
from server.state import Owner, State

COOKIE_LIFE_S = 365 * 24 * 3600
SUBPROTOCOL = "mqtt"
CLOSE_WITHIN_S = 5.0

router = APIRouter()


@router.post("/api/displays/{display}/pairing", response_model_exclude_none=True)
async def ask_pairing(display: DisplayId, request: Request, response: Response, state: State) -> PairingAsked:
    """A code to show, unless this browser is the display already."""
    asked = await state.pairing.ask(display, request.cookies.get(cookie_name(display)))
    if asked.secret is not None:
        is_secure = request.url.scheme == "https"
        response.set_cookie(
            cookie_name(display), asked.secret, COOKIE_LIFE_S, httponly=True, samesite="strict", secure=is_secure
        )
    return PairingAsked(paired=asked.paired, code=asked.code)


@router.get("/api/displays/{display}/pairing")
async def get_pairing(display: DisplayId, request: Request, state: State) -> PairingState:
    """What the presented cookie is worth, and whether the display is shown somewhere."""
    secret = request.cookies.get(cookie_name(display))
    return PairingState(
        site=state.site.id,
        paired=await state.pairing.is_paired(display, secret),
        code=state.pairing.code_of(display, secret),
        connected=state.proxy.is_connected(display),
    )


@router.get("/api/displays/{display}/key")
async def get_key(display: DisplayId, request: Request, response: Response, state: State) -> DisplayKey:
    """The key under which this display's orders are signed; for the browser that is the display."""
    if not await state.pairing.is_paired(display, request.cookies.get(cookie_name(display))):
        raise Refused("this browser is not paired as that display")
    user = user_name("display", display)
    key = state.command_keys.of(user)
    if key is None:
        raise NotFound("the display has no credential with a command key yet; start the broker, which makes it")
    async with state.ledger.transaction() as work:
        await state.audit.record(
            work, Actor("display", display), "issue", Thing("display", display), detail="command key"
        )
    response.headers["Cache-Control"] = "no-store"
    return DisplayKey(user=user, key=key.hex())


@router.get("/api/pairings", dependencies=[Owner])
async def get_pairings(state: State) -> list[WaitingPairing]:
    """The codes that wait for the owner, oldest first."""
    return [WaitingPairing(code=p.code, display=p.display, asked_at=p.asked_at) for p in state.pairing.pending()]


@router.post("/api/pairings/{code}/approve", dependencies=[Owner], status_code=204)
async def approve_pairing(code: str, state: State, who: Who) -> None:
    """Make the browser that shows this code the display it asked to be."""
    display = await state.pairing.approve(code)
    async with state.ledger.transaction() as work:
        await state.audit.record(work, actor_of(who), "pair", Thing("display", display))


@router.websocket("/mqtt")
async def mqtt(websocket: WebSocket, state: State) -> None:
    """MQTT 3.1.1 for the browser of a paired display; refused before it is accepted where Origin or cookie are wrong."""
    counters, offered = state.proxy.counters, websocket.scope.get("subprotocols", [])
    if SUBPROTOCOL not in offered or websocket.headers.get("origin") != own_origin(websocket):
        counters.refused_origin += 1
        await websocket.close()
    elif not await state.pairing.any_paired(websocket.cookies):
        counters.refused_cookie += 1
        await websocket.close()
    else:
        await websocket.accept(SUBPROTOCOL)
        may_be = partial(state.pairing.is_one_of, websocket.cookies)
        closing = await state.proxy.run(WebSocketChannel(websocket), may_be)
        # Starlette has two ways to say that it is closed already; and a browser that reads nothing would be waited for.
        with suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
            async with asyncio.timeout(CLOSE_WITHIN_S):
                await websocket.close(closing.code, closing.reason)


class WebSocketChannel:
    """`proxy.Channel` on a Starlette WebSocket."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket

    async def receive(self) -> bytes:
        """The next binary message."""
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise ConnectionResetError("the browser left")
        data = message.get("bytes")
        if data is None:
            raise Malformed("a text message; MQTT is binary")
        return bytes(data)

    async def send(self, data: bytes) -> None:
        """One binary message."""
        try:
            await self._websocket.send_bytes(data)
        except (WebSocketDisconnect, RuntimeError) as error:
            raise ConnectionResetError("the browser left") from error
