"""What programs ask for, and what they are told: the words between whoever calls and whoever takes it on."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from models.contact import Contact
from models.identity import Identity
from models.message import MessageResult
from models.states import Channel, Purpose
from scheduler.forms import Form
from scheduler.letters import GIVEN
from store.idempotency import Call

Results = Sequence["Receipt | Refusal"]
Tell = Callable[[Results], tuple[int, str]]
"""The status and the body of an answer; called within the transaction, since both are kept with it."""
SAID: Final = dict.fromkeys(GIVEN, "-")
"""Stands for what every message is given, while it is looked at what it lacks."""


@dataclass(frozen=True, slots=True)
class Wish:
    """One message as it is asked for, its parts read and in their normal form.

    `address` (or `contact_id`, whose address is taken) is whom to write to; `identity_id` None: whoever
    speaks for where the person lives. `heed_hours`: wait for the hours in which messages may arrive.
    """

    version_id: int
    channel: Channel
    address: str = ""
    contact_id: int | None = None
    identity_id: int | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    purpose: Purpose = Purpose.TRANSACTIONAL
    send_at: datetime | None = None
    expires_at: datetime | None = None
    heed_hours: bool = False
    reference: str = ""
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a wish cannot be granted as it is: a stable code, a sentence, the parts concerned."""

    code: str
    problem: str
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Receipt:
    """A wish on record. `number` is the message's, 0 until it is written; `reason`: why it is suppressed.

    `later`: it does not leave at once, because it was asked so or hours are heeded.
    """

    wish: Wish
    form: Form
    identity: Identity
    contact: Contact | None
    test: bool
    provider: str
    send_at: datetime
    result: MessageResult = MessageResult.ACCEPTED
    reason: str = ""
    segments: int | None = None
    cost: int | None = None
    later: bool = False
    number: int = 0


@dataclass(frozen=True, slots=True)
class Asker:
    """Whose call it is: the number of the key, whether it is for tests, which identities it may use."""

    key_id: int
    test: bool = False
    identity_ids: Collection[int] = ()


@dataclass(frozen=True, slots=True)
class Ask:
    """One call: who asks for what, how its answer is worded, and under which name it counts once."""

    asker: Asker
    wishes: Sequence[Wish]
    tell: Tell
    call: Call | None = None
