"""What a cell says of consent, and which of two statements about the same thing stands.

The latest statement stands, and at the same moment the refusal does. A yes without a date never
overturns a recorded refusal: nobody could say that it came after it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from audience.dates import read_moment
from models.errors import BadInputError
from models.states import Channel, ConsentStatus
from models.text import fold

__all__ = ["CONSENT_COLUMN", "TARGETING", "Statement", "Topic", "read_consent", "refuses", "stands"]

TARGETING: Final = "targeting"
Topic = Channel | Literal["targeting"]
"""What a consent is about: being written to, by which channel, or being chosen for political messages by what
is known of one, which the law asks apart from that (Regulation (EU) 2024/900, article 18(1)(b))."""
CONSENT_COLUMN: Final[Mapping[Topic, str]] = {
    Channel.EMAIL: "email_consent",
    Channel.SMS: "sms_consent",
    TARGETING: "targeting_consent",
}

_YES = "yes y oui o true vrai 1 x ok granted accorde donne accepte optin subscribed abonne inscrit agreed"
_NO = (
    "no n non false faux 0 withdrawn retire refuse optout unsubscribed desabonne desinscrit stop "
    "bouncing bounced cleaned blocklisted blacklisted"
)
_WORDS: Final = {
    **dict.fromkeys([*_YES.split(), "opt in", "d accord"], ConsentStatus.GRANTED),
    **dict.fromkeys(
        [*_NO.split(), "opt out", "previous bounce", "previous spam complaint"], ConsentStatus.WITHDRAWN
    ),
    **dict.fromkeys(("unknown", "inconnu", "?", "na", "n a", "nc", "pending"), ConsentStatus.UNKNOWN),
}


_PLAIN_NO: Final = frozenset({"no", "n", "non", "false", "faux", "0", "none", "null", "aucun"})


@dataclass(frozen=True, slots=True)
class Statement:
    """What a person said. `given_at` None: nobody wrote down when."""

    status: ConsentStatus
    given_at: datetime | None = None
    source: str = ""


def read_consent(text: str) -> Statement:
    """A word in either language, or the date on which the person agreed; BadInputError for anything else."""
    status = _WORDS.get(fold(text))
    if status is not None:
        return Statement(status)
    try:
        return Statement(ConsentStatus.GRANTED, read_moment(text))
    except BadInputError as error:
        raise BadInputError(
            f"“{text[:40]}” says neither yes nor no.", "Write yes, no, or the date of the agreement."
        ) from error


def refuses(text: str) -> bool:
    """Whether a cell of a column of refusals says that somebody refused: anything but blank and no."""
    status = _WORDS.get(fold(text))
    if status is ConsentStatus.WITHDRAWN:
        return fold(text) not in _PLAIN_NO
    return bool(fold(text)) and status is not ConsentStatus.UNKNOWN


def stands(new: Statement, status: ConsentStatus, given_at: datetime | None) -> bool:
    """Whether `new` takes the place of the `status` on record, given at `given_at` (None: not known when)."""
    if new.status is ConsentStatus.UNKNOWN or new.status is status:
        return False
    if status is ConsentStatus.UNKNOWN:
        return True
    if new.status is ConsentStatus.WITHDRAWN:
        return new.given_at is None or given_at is None or new.given_at >= given_at
    return new.given_at is not None and given_at is not None and new.given_at > given_at
