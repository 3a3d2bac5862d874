"""Goods that are paid: every agent is told, so that their tags no longer count on the floor."""

import secrets

from broker_config.messages import TransactionSettled
from server.checkout.schemas import Settled
from server.clock import ClockNs, to_datetime
from server.errors import Unavailable, Unprocessable
from server.link import Link

ANSWER_WITHIN_S = 5.0


class CheckoutService:
    """Settles payments.

    Args:
        own_goods: EPC prefixes as hex text; nothing else is ever published, and so no card.
    """

    def __init__(self, link: Link, own_goods: tuple[str, ...], clock_ns: ClockNs) -> None:
        self._link, self._clock_ns = link, clock_ns
        self._own_goods = tuple(prefix.lower() for prefix in own_goods)

    async def settle(self, epcs: list[str]) -> Settled:
        """Tell the agents that these are sold; returns once the broker has the message.

        To settle what is settled changes nothing, so who gets no answer just calls again.

        Raises:
            Unprocessable: one of them is none of the site's own goods.
            Unavailable: the broker does not answer; the message goes out when it does, within a day.
        """
        unique = tuple(dict.fromkeys(epc.lower() for epc in epcs))
        for number, epc in enumerate(epcs, 1):
            if not epc.lower().startswith(self._own_goods):
                raise Unprocessable(
                    f"EPC number {number} of the list is none of this site's own goods; nothing was settled"
                )
        transaction = secrets.token_hex(16)
        settled = TransactionSettled(transaction=transaction, epcs=unique, settled_at=to_datetime(self._clock_ns()))
        try:
            await self._link.deliver(settled, within_s=ANSWER_WITHIN_S)
        except TimeoutError as error:
            raise Unavailable("the broker does not answer; call again when it does, that is harmless") from error
        return Settled(transaction=transaction, settled=len(unique))
