"""How an IMAP server treats those who come to it, good and bad; and how SASL XOAUTH2 is read."""

import base64
import re
from dataclasses import dataclass
from enum import StrEnum

_XOAUTH2 = re.compile(r"user=([^\x01]+)\x01auth=Bearer ([^\x01]+)\x01(?:vendor=[^\x01]*\x01)?\x01")
REFUSED_TOKEN = base64.b64encode(b'{"status":"400","schemes":"Bearer","scope":"https://mail/"}').decode()
"""What Gmail says before it refuses: the client answers with an empty line, then hears NO."""


class Breakage(StrEnum):
    """Where the line drops."""

    NEVER = "never"
    AT_ONCE = "at once"
    AFTER_SIGN_IN = "after sign-in"
    AMID_FETCH = "amid a fetch"


@dataclass(slots=True)
class ImapManners:
    """How a server behaves; changed while it runs, what comes next is treated by it.

    `slow_seconds` pass before each answer, `drip` writes octet by octet with that pause. `full`: nobody
    is signed in (RFC 5530 UNAVAILABLE). `unlisted`: folders are listed without what they are for.
    `no_raw`: X-GM-RAW is answered with BAD.
    """

    slow_seconds: float = 0.0
    drip: bool = False
    breaks: Breakage = Breakage.NEVER
    full: bool = False
    unlisted: bool = False
    no_raw: bool = False


def read_xoauth2(answer: str) -> tuple[str, str] | None:
    """User and access token of an initial client response; None for anything else."""
    try:
        text = base64.b64decode(answer, validate=True).decode()
    except ValueError:
        return None
    found = _XOAUTH2.fullmatch(text)
    return (found[1], found[2]) if found else None
