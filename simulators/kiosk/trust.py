"""What a display believes: only what the server signed with the display's own key.  docs/protocol.md has the rule."""

import hmac
import re
import secrets
from dataclasses import dataclass

_MEMBER = b',"mac":"'
_TAIL = re.compile(rb',"mac":"([a-z0-9: -]*)"\}')


@dataclass(frozen=True, slots=True)
class DisplayKey:
    """The display's user name and its key."""

    user: str
    key: bytes

    def opened(self, topic: str, payload: bytes) -> bytes | None:
        """The message as it was signed for this display on this topic; None where it was not."""
        at = payload.rfind(_MEMBER)
        tail = _TAIL.fullmatch(payload, at) if at > 0 else None
        if tail is None:
            return None
        said = payload[:at] + b"}"
        code = self._code(topic.encode() + b"\n" + said)
        entry = f"{self.user}:{code}".encode()
        return said if any(hmac.compare_digest(entry, each) for each in tail[1].split()) else None

    def question(self) -> dict[str, str]:
        """The parameters of a question for the time that only the server can answer."""
        return {"who": self.user, "nonce": secrets.token_hex(16)}

    def is_told(self, question: dict[str, str], utc_us: int, mac: str | None) -> bool:
        """Whether the server itself answered that question."""
        words = f"\ntime\n{question['who']}\n{question['nonce']}\n{utc_us}"
        return hmac.compare_digest(self._code(words.encode()).encode(), (mac or "").encode())

    def _code(self, words: bytes) -> str:
        return hmac.digest(self.key, words, "sha256")[:16].hex()
