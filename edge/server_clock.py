"""The server's time, as far as this agent can prove it: commands are as old as the server's clock says, and no other's.

The server signs its answer to a nonce of ours, so nobody else can tell us a time, and nobody can tell us an old one again.
It read its clock between our question and its answer: each answer bounds the difference to our own clock, and the bounds of
all hold together.  Our own clock never steps; the host's does, and where it does the host may have slept, which our clock
does not notice.  Then, and when the last good answer is too old, there is no server's time until the next.
"""

import asyncio
import logging
import secrets
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httpx
import msgspec

from broker_config.command_mac import is_time_signed
from broker_config.errors import MessageError
from broker_config.identity import Credential
from broker_config.messages import (
    ActuatorCommand,
    Data,
    EdgeAck,
    Envelope,
    MembersOffered,
    TransactionSettled,
    VisitEnded,
)
from edge.clock import NS_PER_MS, NS_PER_S, Clock, to_ns

log = logging.getLogger(__name__)
PROBES = 3
EVERY_S = 60.0
AGAIN_S = 2.0
LOOK_S = 1.0
GOOD_FOR_NS = 180 * NS_PER_S
MAX_ROUND_TRIP_NS = 1 * NS_PER_S
MAX_STEP_NS = 1 * NS_PER_S
DRIFT_PPM = 200  # of two cheap quartzes against each other; the bounds widen by it
TIMEOUT_S = 3.0
ASKED_IN_VAIN_NS = 30 * NS_PER_S
SILENT_NS = 10 * NS_PER_S
MOST_DOUBTED = 100
OF_ANY_AGE = ActuatorCommand, EdgeAck, MembersOffered, VisitEnded
"""A command's own line judges it, and answers.  The others can only be said twice: of a generation that an agent has done
with, a server put back to an older copy says only once that it lacks it; an offer makes the agent ask the server; tokens of
visits are random, and those that have ended name nobody any more."""
UNKNOWN = (
    "the server's time is not known: commands are refused, and after a start events wait, until it answers /time within a second; "
    "check the network and `server`"
)
NOT_SIGNED = (
    "the server's time is not known: what answers /time has not this agent's key; commands are refused; check `server`, "
    "and copy this agent's credential from its identity folder anew"
)


@dataclass(frozen=True, slots=True)
class ServerTime:
    """Now by the server's clock, UTC ns: not before the one, not after the other."""

    earliest_ns: int
    latest_ns: int


class _Answer(msgspec.Struct, frozen=True):
    utc_us: int
    mac: str | None = None


@dataclass(frozen=True, slots=True)
class _Bounds:
    """Server's clock minus ours, when it was found out, and how far the host's clock had stepped by then."""

    lowest_ns: int
    highest_ns: int
    at_ns: int
    step_ns: int


class ServerClock:
    """Keeps an estimate of the server's clock.

    Args:
        server: its address.
        on_trouble: told what is wrong when trust goes, and None when it comes.
        transport: tests put their own server here.
        trust: whose certificates may vouch for the server.
    """

    def __init__(
        self,
        server: str,
        credential: Credential,
        clock: Clock,
        on_trouble: Callable[[str | None], None] = lambda _: None,
        transport: httpx.AsyncBaseTransport | None = None,
        *,
        trust: ssl.SSLContext | bool,
    ) -> None:
        self.forged = self.expired = 0
        """Answers that the server did not sign; messages that came after their expiry."""
        self.on_synced: Callable[[], None] = lambda: None
        """Called after each good answer."""
        self.on_settled_late: Callable[[TransactionSettled], None] = lambda _: None
        """Called with what seemed to be over, and was not."""
        self._doubted: deque[Envelope[Data]] = deque(maxlen=MOST_DOUBTED)
        self._url, self._user = f"{server}/time", credential.user
        self._key = bytes.fromhex(credential.command_key or "")
        self._clock, self._on_trouble, self._transport, self._trust = clock, on_trouble, transport, trust
        self._bounds: _Bounds | None = None
        self._known = self._is_unsigned = False
        self._told: str | None = ""
        self._there_ns: tuple[int, int] | None = None
        self._wanted, self._first = asyncio.Event(), asyncio.Event()

    def now(self) -> ServerTime | None:
        """The server's time; None while it cannot be trusted."""
        bounds, now_ns = self._bounds, self._clock()
        if bounds is None or not self._holds(bounds, now_ns):
            return None
        slack_ns = (now_ns - bounds.at_ns) * DRIFT_PPM // 1_000_000
        return ServerTime(now_ns + bounds.lowest_ns - slack_ns, now_ns + bounds.highest_ns + slack_ns)

    def is_over(self, said: Envelope[Data]) -> bool:
        """Whether a message came after its expiry: old, or held back; or the server's clock is another now, so ask.

        Goods that seem to be paid for too long are judged once more, by an answer that was asked for after they came.
        """
        if isinstance(said.data, OF_ANY_AGE) or not self._seems_over(said):
            return False
        if isinstance(said.data, TransactionSettled):
            self._doubted.append(said)
        else:
            self.expired += 1
        self.doubt()
        return True

    def _seems_over(self, said: Envelope[Data]) -> bool:
        now = self.now()
        return said.expires is not None and now is not None and now.earliest_ns > to_ns(said.expires)

    def _judge_again(self, doubted: Sequence[Envelope[Data]]) -> None:
        """By an answer that was asked for after they came."""
        for said in doubted:
            if said in self._doubted:
                self._doubted.remove(said)
            if self._seems_over(said):
                self.expired += 1
            elif isinstance(said.data, TransactionSettled):
                self.on_settled_late(said.data)

    @property
    def skew_ns(self) -> int | None:
        """What to add to our own clock to have the server's, as last found out; None where it never was."""
        return None if self._bounds is None else (self._bounds.lowest_ns + self._bounds.highest_ns) // 2

    async def first_word(self) -> None:
        """Return once the server's time was known, or the server was there for long enough without telling it.

        What is sent before that may be dated wrongly for good: a clock an hour behind looks like a message an hour late, and
        older than what an earlier start said.  While the server is away nobody could take it in anyway.
        """
        await self._first.wait()

    def there(self) -> None:
        """The server shows that it is there, as it does every few seconds."""
        now_ns = self._clock()
        if self._there_ns is None or now_ns - self._there_ns[1] > SILENT_NS:
            self._there_ns = now_ns, now_ns
            if not self._first.is_set():
                self.doubt()
        self._there_ns = self._there_ns[0], now_ns
        if now_ns - self._there_ns[0] >= ASKED_IN_VAIN_NS:
            self._first.set()

    def doubt(self) -> None:
        """Something does not fit: ask again now."""
        self._wanted.set()

    async def run(self) -> None:
        """Ask at start, each minute, and soon after every doubt, for ever."""
        async with httpx.AsyncClient(
            timeout=TIMEOUT_S, transport=self._transport, trust_env=False, verify=self._trust
        ) as client:
            while True:
                self._wanted.clear()
                good = await self.ask(client)
                await self._wait(EVERY_S if good else AGAIN_S)

    async def ask(self, client: httpx.AsyncClient) -> bool:
        """Take a few samples; whether they tell the time."""
        samples: list[tuple[int, int]] = []
        doubted = list(self._doubted)
        for _ in range(PROBES):
            try:
                samples.append(await self._probe(client))
                tells_no_time = _width_ns(samples[-1]) > MAX_ROUND_TRIP_NS
            except (httpx.HTTPError, msgspec.DecodeError, MessageError) as error:
                tells_no_time = _is_an_answer(error)
                log.debug("no time from %s: %s", self._url, error or type(error).__name__)
            if tells_no_time:
                self.there()
        lowest_ns = max((sample[0] for sample in samples), default=0)
        highest_ns = min((sample[1] for sample in samples), default=-1)
        good = 0 <= highest_ns - lowest_ns <= MAX_ROUND_TRIP_NS
        if good:
            self._bounds = _Bounds(lowest_ns, highest_ns, self._clock(), self._clock.step_ns())
            self._judge_again(doubted)
            self.on_synced()
            self._first.set()
        self._tell()
        return good

    async def _probe(self, client: httpx.AsyncClient) -> tuple[int, int]:
        """The least and the most that the server's clock is ahead of ours."""
        nonce, asked_ns = secrets.token_hex(16), self._clock()
        answer = await client.get(self._url, params={"who": self._user, "nonce": nonce})
        heard_ns = self._clock()
        answer.raise_for_status()
        told = msgspec.json.decode(answer.content, type=_Answer)
        self._is_unsigned = not is_time_signed(self._user, nonce, told.utc_us, self._key, told.mac or "")
        if self._is_unsigned:
            self.forged += 1
            raise MessageError("not signed by the server for this agent")
        return told.utc_us * 1000 - heard_ns, (told.utc_us + 1) * 1000 - asked_ns

    async def _wait(self, seconds: float) -> None:
        """Until then, or until there is doubt, or trust goes."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + seconds
        while loop.time() < until_s and not self._wanted.is_set():
            await asyncio.sleep(min(LOOK_S, max(until_s - loop.time(), 0)))
            was_known = self._known
            self._tell()
            if was_known and not self._known:
                return

    def _holds(self, bounds: _Bounds, now_ns: int) -> bool:
        return now_ns - bounds.at_ns <= GOOD_FOR_NS and abs(self._clock.step_ns() - bounds.step_ns) <= MAX_STEP_NS

    def _tell(self) -> None:
        self._known = self.now() is not None
        trouble = None if self._known else NOT_SIGNED if self._is_unsigned else UNKNOWN
        if trouble == self._told:
            return
        self._told = trouble
        self._on_trouble(trouble)
        if trouble is None:
            log.info("server's time known: %s ms ahead of ours", (self.skew_ns or 0) // NS_PER_MS)
        else:
            log.warning("%s", trouble)


def _width_ns(sample: tuple[int, int]) -> int:
    """How long the question and its answer took."""
    return sample[1] - sample[0]


def _is_an_answer(error: Exception) -> bool:
    """Whether a server answered that has no time for us; not one in its place, or one that is only starting."""
    if isinstance(error, httpx.HTTPStatusError):
        return not error.response.is_server_error
    return not isinstance(error, httpx.TransportError)
