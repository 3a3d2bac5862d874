"""Sign-in wired together."""

from broker_config.site import Site
from server.access.limits import Pace
from server.access.passwords import Passwords
from server.access.service import Access
from server.access.sessions import Sessions
from server.access.staff import StaffService
from server.clock import ClockNs
from server.config import ServerConfig
from server.db import Database
from server.identities import Identities
from server.secrets import Secrets


def make_access(
    config: ServerConfig, site: Site, secrets: Secrets, identities: Identities, db: Database, clock_ns: ClockNs
) -> Access:
    """The services of one server."""
    sessions = Sessions(db, clock_ns)
    staff = StaffService(db, sessions, Passwords(), site.id, clock_ns)
    pace = Pace(config.pace.per_s, config.pace.burst, clock_ns)
    return Access(secrets, identities, sessions, staff, pace)
