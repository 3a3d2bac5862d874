"""What the embedded broker asks before it lets anybody in or anything through."""

from dataclasses import dataclass

from amqtt.contexts import Action
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin
from amqtt.session import Session

from broker_config.access import Access


@dataclass
class AccessConfig:
    """What amqtt hands to each plugin.  The value is an `Access`; its type is loose because amqtt checks it against plain data."""

    access: object


class CredentialAuth(BaseAuthPlugin):  # type: ignore[misc]  # amqtt is not followed by mypy
    """User and password of a credential file, the user's own client id, and a will the user might have published itself."""

    Config = AccessConfig

    async def authenticate(self, *, session: Session) -> bool:
        """Whether this connection may be opened.

        The client id must be the user name: amqtt keys sessions by it, so another's id would take over another's session.
        The will is checked here because amqtt later delivers it without asking.
        """
        access = access_of(self.config)
        if not access.authenticate(session.username, session.password) or session.client_id != session.username:
            return False
        if not session.will_flag:
            return True
        return access.rights_of(session.username).is_allowed_publish(session.will_topic or "")


class TopicRights(BaseTopicPlugin):  # type: ignore[misc]  # amqtt is not followed by mypy
    """Publish, subscribe and receive by the ACL.  amqtt's own plugin takes `x/#` where only `x/+` is allowed."""

    Config = AccessConfig

    async def topic_filtering(
        self, *, session: Session | None = None, topic: str | None = None, action: Action | None = None
    ) -> bool:
        """Whether `session` may do `action` on `topic`."""
        rights = access_of(self.config).rights_of(session.username if session else None)
        if action == Action.PUBLISH:
            return rights.is_allowed_publish(topic or "")
        if action == Action.SUBSCRIBE:
            return rights.is_allowed_subscribe(topic or "")
        return rights.is_allowed_receive(topic or "")


def access_of(config: object) -> Access:
    """The `Access` inside a plugin's configuration."""
    access = getattr(config, "access", None)
    if not isinstance(access, Access):
        raise TypeError("the plugin was loaded without an Access")
    return access
