"""Who may hand over mail: an API key as the password, from where it may be used, as often as it may."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from models.api import ApiKey, KeyMode, Scope
from models.api_secret import is_well_formed
from models.clock import Clock
from scheduler.asked import Asker
from store import Database, api_keys
from web.api.auth import is_within
from web.api.quota import Quota
from web.submission.ledger import Ledger
from web.throttle import Throttle

FAILURES_AN_ADDRESS: Final = 20
SPAN: Final = timedelta(minutes=15)
NOTED_EVERY: Final = timedelta(minutes=1)
WRONG: Final = "535 5.7.8 No valid key: the password is an API key, tcn_live_ and so on"
ENDED: Final = "535 5.7.8 This key has ended or was revoked"
TOO_MANY: Final = "421 4.7.0 Too many wrong keys from your address, come back later"


@dataclass(frozen=True, slots=True)
class Guest:
    """A program that signed in from `origin`."""

    key: ApiKey
    origin: str

    @property
    def asker(self) -> Asker:
        """As those who take wishes on know it."""
        return Asker(self.key.id, self.key.mode is KeyMode.TEST, tuple(self.key.identity_ids))


@dataclass(slots=True)
class Entrance:
    """Lets programs in. `per_minute`: recipients of a key without a limit of its own, of one process."""

    database: Database
    clock: Clock
    per_minute: int
    quota: Quota = field(default_factory=Quota)
    ledger: Ledger = field(default_factory=Ledger)
    _failures: Throttle = field(init=False)

    def __post_init__(self) -> None:
        """Nobody has failed yet."""
        self._failures = Throttle(self.clock, limit=FAILURES_AN_ADDRESS, span=SPAN)

    def is_shut(self, origin: str) -> bool:
        """Whether too many wrong keys came from there lately."""
        return self._failures.wait(origin) is not None

    async def admit(self, secret: str, origin: str) -> Guest | str:
        """The guest, or what they are told."""
        if self.is_shut(origin):
            return TOO_MANY
        key = None
        if is_well_formed(secret):
            async with self.database.read() as session:
                key = await api_keys.find_key(session, secret)
        if key is None:
            self._failures.count(origin)
            return WRONG
        guest = Guest(key, origin)
        return self._objection(guest) or await self._welcome(guest)

    async def refresh(self, guest: Guest) -> Guest | str:
        """The guest with what their key may do now, or what they are told."""
        async with self.database.read() as session:
            key = await session.get(ApiKey, guest.key.id)
        if key is None:
            return ENDED
        known = Guest(key, guest.origin)
        return self._objection(known) or known

    def wait(self, guest: Guest) -> int:
        """Seconds until the key may name one more recipient; 0: this one is taken."""
        limit = guest.key.per_minute or self.per_minute
        return self.quota.take(guest.key.id, limit, self.clock.now()).wait

    def _objection(self, guest: Guest) -> str:
        """Why a known key opens nothing from there, "" when it does."""
        key = guest.key
        if api_keys.has_ended(key, self.clock.now()):
            return ENDED
        if key.networks and not is_within(guest.origin, key.networks):
            return "535 5.7.8 This key may not be used from your address"
        if Scope.MESSAGES_SEND not in key.scopes:
            return f"535 5.7.8 This key lacks the scope {Scope.MESSAGES_SEND.value}"
        return ""

    async def _welcome(self, guest: Guest) -> Guest:
        now, key = self.clock.now(), guest.key
        if key.last_used_at is None or now - key.last_used_at >= NOTED_EVERY:
            async with self.database.write() as session:
                await api_keys.note_use(session, key.id, now=now, origin=guest.origin)
        return guest
