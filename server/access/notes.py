"""What sign-in and staff accounts leave in the access log: account ids, which are random, and never names."""

from server.access.principal import Principal
from server.audit.service import NOBODY, Actor, Thing
from server.state import ServerState


def actor_of(who: Principal | None) -> Actor:
    """Who asks, as the access log writes it."""
    if who is None:
        return NOBODY
    return Actor(who.role, "" if who.kind == "token" else who.id)


async def note(
    state: ServerState, who: Principal | None, action: str, account: str, outcome: str = "done", detail: str = ""
) -> None:
    """Write one line about an account.

    Args:
        account: its id; empty where there is none of the name that was tried.
    """
    async with state.ledger.transaction() as work:
        await state.audit.record(work, actor_of(who), action, Thing("account", account), outcome, detail)
