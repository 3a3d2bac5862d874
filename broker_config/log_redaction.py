"""The last step of every log line: what names a person or opens a door does not get past it.

The modules are written so that nothing of the kind is logged.  This is for what nobody foresaw: the text of an error that
quotes its input, a library's debug line, a traceback.  Hidden are long hex (the numbers of cards and goods; not at DEBUG,
where single reads are wanted), card numbers as lists write them, member ids, credentials with their names in front, and
whatever looks like one of our random tokens.  A name or alias has no look by which it could be told; none is ever logged.
"""

import logging
import re

import structlog

HIDDEN = "<hidden>"
CARD_HEX = re.compile(r"(?i)(?<![0-9a-z])(?:0x)?(?:[0-9a-f]{2}[ :-]?){11,}[0-9a-f]{2}(?![0-9a-z])")
"""24 hex digits or more, also in pairs with something between."""
ALWAYS = (
    re.compile(r"(?i)\b(?:em4100|nfc):\s*[0-9a-f]+(?:[ :-][0-9a-f]{2}(?![0-9a-z]))*"),
    re.compile(
        r"(?i)(?<![0-9a-z])0\d{9}(?![0-9a-z])"
    ),  # as printed on a 125 kHz card; within longer hex it would part that
    re.compile(r"\bm-[0-9a-f]{16}\b"),
    re.compile(r"(?<=/enter/)[\w-]+"),
    re.compile(r"(?i)\b(?:basic|bearer)\s+(?!realm)[\w+/=.~-]{8,}"),
    re.compile(r"\b(?=[\w-]*[a-z])(?=[\w-]*[A-Z])(?=[\w-]*\d)[\w-]{32,}(?![\w-])"),
)
NAMED = re.compile(
    r"(?i)(\b[\w-]*(?:password|passwd|secret|token|authorization|cookie|api[_-]?key|match_key|seal_key)[\w-]*[\"']?\s*[:=]\s*)"
    r"(?:b?\"[^\"]*\"|b?'[^']*'|[^\s,;)}\]]+)"
)


def redact(text: str, level: int = logging.INFO) -> str:
    """The text as it may be written at this level."""
    for pattern in ALWAYS:
        text = pattern.sub(HIDDEN, text)
    text = NAMED.sub(rf"\1{HIDDEN}", text)  # last, or it would part the word `Bearer` from its token
    return text if level <= logging.DEBUG else CARD_HEX.sub(HIDDEN, text)


class RedactingFormatter(structlog.stdlib.ProcessorFormatter):
    """Formats as structlog does, tracebacks included, and redacts the outcome."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, or a line and its traceback."""
        return redact(super().format(record), record.levelno)
