"""Which identity writes to whom. Pure.

The same person always gets the same sender: people trust a sender they know, and mailbox providers
ask for one consistent sender for each kind of mail.
"""

import hashlib
from collections.abc import Sequence
from typing import Final, Protocol, assert_never

from audience.territory import Placed, speaks_for
from models.identity import Identity, TerritoryKind
from models.states import Channel, IdentityRule, IdentityState
from scheduler.lifecycle import may_send

SIZE_ORDER = {kind: place for place, kind in enumerate(TerritoryKind)}
PLACE: Final = ("commune_key", "canton_key", "polling_station", "circonscription", "departement", "region")
PLACES_REMEMBERED: Final = 65_536


def can_send(identity: Identity, channel: Channel) -> bool:
    """Whether the identity has what the channel needs and is in a state in which its messages leave."""
    return may_send(identity, channel) and has_address(identity, channel)


def has_address(identity: Identity, channel: Channel) -> bool:
    """Whether the identity has what the channel needs, and could send one day: it is not retired."""
    if identity.state is IdentityState.RETIRED:
        return False
    match channel:
        case Channel.EMAIL:
            return bool(identity.from_email and identity.return_path_domain)
        case Channel.SMS:
            return bool(identity.sms_sender)
        case _:
            assert_never(channel)


class Addressee(Placed, Protocol):
    """What the choice of a sender needs to know of a person."""

    @property
    def id(self) -> int:
        """The contact's number."""


class Chooser:
    """Chooses the sender of one person after another, for one campaign.

    ONE: the first identity. TERRITORY: the one of the smallest territory that holds the person, a national
    one failing that. ROTATE: shared out evenly; adding an identity moves only the people it takes over.
    """

    def __init__(
        self,
        rule: IdentityRule,
        identities: Sequence[Identity],
        channel: Channel,
        *,
        rehearsing: bool = False,
    ) -> None:
        """`identities` in the order of the campaign; those that cannot send are not among the `able`.

        `rehearsing`: nothing leaves, so that those are, too, that cannot send yet.
        """
        self.rule = rule
        may = has_address if rehearsing else can_send
        self.able = [identity for identity in identities if may(identity, channel)]
        self._around: dict[tuple[str | None, ...], list[Identity]] = {}

    def choose(self, person: Addressee) -> Identity | None:
        """The identity that writes to this person, None when none of them may."""
        return self.choose_among(self.candidates(person), person.id)

    def candidates(self, person: Placed) -> Sequence[Identity]:
        """Those one of whom writes to everybody who lives where this person lives."""
        match self.rule:
            case IdentityRule.ONE:
                return self.able[:1]
            case IdentityRule.TERRITORY:
                return self._smallest_around(person)
            case IdentityRule.ROTATE:
                return self.able
            case _:
                assert_never(self.rule)

    @staticmethod
    def choose_among(candidates: Sequence[Identity], contact_id: int) -> Identity | None:
        """The candidate that wins the person; two of one territory share its people as a rotation would."""
        if len(candidates) < 2:
            return candidates[0] if candidates else None
        return max(candidates, key=lambda identity: _weight(identity, contact_id))

    def _smallest_around(self, person: Placed) -> list[Identity]:
        """The identities of the smallest territory around the person; found once for a place."""
        place = tuple(getattr(person, name) for name in PLACE)
        found = self._around.get(place)
        if found is None:
            around = [one for one in self.able if speaks_for(one.territory, one.territory_value, person)]
            smallest = min((SIZE_ORDER[one.territory] for one in around), default=None)
            found = [one for one in around if SIZE_ORDER[one.territory] == smallest]
            if len(self._around) >= PLACES_REMEMBERED:
                self._around.clear()
            self._around[place] = found
        return found


def choose_identity(
    rule: IdentityRule, identities: Sequence[Identity], contact: Addressee, channel: Channel
) -> Identity | None:
    """The identity that writes to `contact`, None when none of them may; see `Chooser`."""
    return Chooser(rule, identities, channel).choose(contact)


def _weight(identity: Identity, contact_id: int) -> int:
    # Rendezvous hashing: each pair has its own fixed weight, the heaviest identity wins the person.
    digest = hashlib.blake2b(f"{identity.key}/{contact_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")
