"""All that a request can reach, typed; routers ask for what they need as `Annotated[...]` dependencies."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from broker_config.heartbeats import Heartbeats
from broker_config.site import Site
from server.access.principal import require
from server.access.service import Access
from server.audit.service import Audit
from server.catalog import Catalog
from server.checkout.service import CheckoutService
from server.clock import ClockNs
from server.clones import Clones
from server.commands.keys import CommandKeys
from server.commands.service import CommandService
from server.config import ServerConfig
from server.db import Database
from server.decisions.service import DecisionService
from server.delivery.service import DeliveryService
from server.displays.pairing import PairingService
from server.displays.proxy import MqttProxy
from server.erasure.service import ErasureService
from server.feed import Feed
from server.fleet import Fleet
from server.identities import Identities
from server.inbox import Inbox
from server.link import Link
from server.marks import Marks
from server.me.codes import MemberCodes
from server.members.service import MemberService
from server.members.store import CardVault
from server.members.tables import MemberTables
from server.secrets import Secrets
from server.telemetry import Telemetry
from server.visits.items import ItemService
from server.visits.service import VisitService
from server.web.pages import Pages
from server.work import Ledger


@dataclass(frozen=True, slots=True)
class ServerState:
    """The running server.  Built once by `server.runtime.running`, put on `app.state.tacet`."""

    config: ServerConfig
    site: Site
    secrets: Secrets
    identities: Identities
    db: Database
    access: Access
    ledger: Ledger
    audit: Audit
    erasure: ErasureService
    codes: MemberCodes
    vault: CardVault
    feed: Feed
    fleet: Fleet
    link: Link
    catalog: Catalog
    decisions: DecisionService
    checkout: CheckoutService
    commands: CommandService
    command_keys: CommandKeys
    visits: VisitService
    items: ItemService
    members: MemberService
    member_tables: MemberTables
    marks: Marks
    clones: Clones
    inbox: Inbox
    delivery: DeliveryService
    telemetry: Telemetry
    heartbeats: Heartbeats
    pairing: PairingService
    proxy: MqttProxy
    pages: Pages
    clock_ns: ClockNs
    started_ns: int

    def send_base(self) -> None:
        """Give every display its base content; the broker retains it."""
        for base in self.commands.base_sets(self.decisions.rules):
            self.link.send(base, display=base.display)

    def renew_base(self) -> None:
        """Give it anew where a receiver has another key: the broker holds what was signed with the one before."""
        if self.command_keys.have_changed():
            self.send_base()
            self.link.tell_again()

    def owe_acks(self) -> None:
        """Tell every agent that we have heard of how far we are with what it may still hold; the others' births will ask."""
        for view in self.fleet.agents.values():
            if view.generations:
                self.marks.owe(view.agent, view.generations)
            elif view.session:  # an agent of an earlier release
                self.marks.owe_all(view.agent)


async def server_state(connection: HTTPConnection) -> ServerState:
    """The state behind a request or a WebSocket."""
    state: ServerState = connection.app.state.tacet
    return state


State = Annotated[ServerState, Depends(server_state)]


Owner = require("owner")
"""For `dependencies=[Owner]` on a route or router."""
