"""Whose word a command is: a message authentication code per receiver, over the topic and the very bytes of the message.

The code is the envelope's last member, so that a reader who knows nothing of it still reads the rest:

    {"specversion":"1.0", … ,"data":{…},"mac":"display-d-door:0f3a…32 hex digits"}

Signed is the topic, a line feed, and the payload as if that member had never been put there (`… ,"data":{…}}`).  No
canonical JSON is needed, so that the smallest receiver can check it.  The topic binds it to its target, the bytes to version,
time and content.  What goes to many names each receiver with its own code: no key is shared by two.

Source: HMAC, RFC 2104, with SHA-256, cut to 128 bits (RFC 2104, section 5).
"""

import hmac
import re
from collections.abc import Mapping

from broker_config.errors import MessageError
from broker_config.site import Site
from broker_config.topics import Topic, user_name

KEY_BYTES = 32
_MEMBER = b',"mac":"'
_TAIL = re.compile(rb',"mac":"([a-z0-9: -]*)"\}')
_SEPARATOR = b"\n"


class NotAuthentic(MessageError):
    """The server did not say this to us: unsigned, altered, moved to another topic, or under another's key."""


def append_mac(topic: str, payload: bytes, keys: Mapping[str, bytes]) -> bytes:
    """The message with a code for each receiver.

    Args:
        payload: a JSON object with at least one member, as `encode` makes it.
        keys: by user name.
    """
    codes = " ".join(f"{user}:{_code(topic, payload, key)}" for user, key in keys.items())
    return payload[:-1] + _MEMBER + codes.encode() + b'"}'


def open_command(topic: str, payload: bytes, user: str, key: bytes) -> bytes:
    """What the server signed: the message without its code.  Decode this, never what came.

    Raises:
        NotAuthentic: the server did not say this on this topic to this user.
    """
    at = payload.rfind(_MEMBER)
    tail = _TAIL.fullmatch(payload, at) if at > 0 else None
    if tail is None:
        raise NotAuthentic("not signed")
    said = payload[:at] + b"}"
    codes = dict(entry.rpartition(b":")[::2] for entry in tail[1].split())
    code = codes.get(user.encode(), b"")
    if not hmac.compare_digest(code, _code(topic, said, key).encode()):
        raise NotAuthentic(f"not signed for {user} on this topic with the key of its credential")
    return said


def receivers_of(row: Topic, site: Site, levels: Mapping[str, str]) -> list[str]:
    """The user names that a message on this row is for."""
    if "display" in levels:
        return [user_name("display", levels["display"])]
    if "agent" in levels:
        return [user_name("agent", levels["agent"])]
    if "actuator" in levels:
        return [user_name("agent", each.agent) for each in site.actuators if each.id == levels["actuator"]]
    agents = [user_name("agent", agent) for agent in site.agents] if "agent" in row.subscribers else []
    displays = [user_name("display", each.id) for each in site.displays] if "display" in row.subscribers else []
    return agents + displays


def sign_time(user: str, nonce: str, utc_us: int, key: bytes) -> str:
    """The code under an answer to "what time is it": bound to the asker's nonce, so that no old answer serves again.

    No topic begins with a line feed, so this can never be taken for a command.
    """
    return _hex_of(key, f"\ntime\n{user}\n{nonce}\n{utc_us}".encode())


def is_time_signed(user: str, nonce: str, utc_us: int, key: bytes, mac: str) -> bool:
    """Whether the server itself told this time, in answer to this nonce."""
    return hmac.compare_digest(sign_time(user, nonce, utc_us, key).encode(), mac.encode())


def _code(topic: str, said: bytes, key: bytes) -> str:
    return _hex_of(key, topic.encode() + _SEPARATOR + said)


def _hex_of(key: bytes, text: bytes) -> str:
    return hmac.digest(key, text, "sha256")[:16].hex()
