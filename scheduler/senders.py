"""Which identity writes to whom. Pure.

The same person always gets the same sender: people trust a sender they know, and mailbox providers
ask for one consistent sender for each kind of mail.
"""

import hashlib
from collections.abc import Sequence
from typing import assert_never

from audience.territory import speaks_for
from models.contact import Contact
from models.identity import Identity, TerritoryKind
from models.states import Channel, IdentityRule, IdentityState

SIZE_ORDER = {kind: place for place, kind in enumerate(TerritoryKind)}
NOT_SENDING = frozenset({IdentityState.SUSPENDED, IdentityState.RETIRED})


def can_send(identity: Identity, channel: Channel) -> bool:
    """Whether the identity has what the channel needs and is neither suspended nor retired."""
    if identity.state in NOT_SENDING:
        return False
    match channel:
        case Channel.EMAIL:
            return bool(identity.from_email and identity.return_path_domain)
        case Channel.SMS:
            return bool(identity.sms_sender)
        case _:
            assert_never(channel)


def choose_identity(
    rule: IdentityRule, identities: Sequence[Identity], contact: Contact, channel: Channel
) -> Identity | None:
    """The identity that writes to `contact`, None when none of them may.

    ONE: the first. TERRITORY: the one of the smallest territory that holds the contact, a national one
    failing that. ROTATE: shared out evenly; adding an identity moves only the people it takes over.
    """
    able = [identity for identity in identities if can_send(identity, channel)]
    if not able:
        return None
    match rule:
        case IdentityRule.ONE:
            return able[0]
        case IdentityRule.TERRITORY:
            return _smallest_around(able, contact)
        case IdentityRule.ROTATE:
            return max(able, key=lambda identity: _weight(identity, contact))
        case _:
            assert_never(rule)


def _smallest_around(identities: Sequence[Identity], contact: Contact) -> Identity | None:
    around = [
        identity
        for identity in identities
        if speaks_for(identity.territory, identity.territory_value, contact)
    ]
    # Two identities of the same territory share its people as a rotation would.
    return min(
        around,
        key=lambda identity: (SIZE_ORDER[identity.territory], -_weight(identity, contact)),
        default=None,
    )


def _weight(identity: Identity, contact: Contact) -> int:
    # Rendezvous hashing: each pair has its own fixed weight, the heaviest identity wins the person.
    digest = hashlib.blake2b(f"{identity.key}/{contact.id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")
