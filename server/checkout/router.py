"""HTTP: what is paid."""

from fastapi import APIRouter

from server.checkout.schemas import Settled, Settlement
from server.state import Owner, State

router = APIRouter(prefix="/api/transactions")


@router.post("/settled", dependencies=[Owner])
async def settle(settlement: Settlement, state: State) -> Settled:
    """These goods are sold: no agent takes their tags for goods on the floor any more."""
    return await state.checkout.settle(settlement.epcs)
