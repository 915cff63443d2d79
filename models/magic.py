"""Addresses that belong to nobody and always do the same: for whoever tries out a program.

What is sent to them goes the whole way but the last step, whatever the key, and the answer is made up.
`example.com` is nobody's for ever (RFC 2606 section 3); the numbers are of the range that the French
numbering plan keeps for fiction (Arcep, decision 2018-0881: 06 39 98).
"""

from enum import StrEnum
from types import MappingProxyType
from typing import Final

from models.states import Channel

DOMAIN: Final = "example.com"


class Magic(StrEnum):
    """What becomes of a message to such an address.

    BOUNCED: refused at once, for good. BOUNCED_LATER: accepted, and returned afterwards. DEFERRED: refused
    for now, taken at the second try. COMPLAINED, CLICKED, UNSUBSCRIBED: delivered, then that. SUPPRESSED:
    never sent, as to somebody who must not be written to. UNCERTAIN: the line drops before the answer.
    """

    DELIVERED = "delivered"
    BOUNCED = "bounced"
    BOUNCED_LATER = "bounced-later"
    DEFERRED = "deferred"
    COMPLAINED = "complained"
    CLICKED = "clicked"
    UNSUBSCRIBED = "unsubscribed"
    SUPPRESSED = "suppressed"
    UNCERTAIN = "uncertain"


NUMBERS: Final = MappingProxyType(
    {f"+3363998{place:04}": magic for place, magic in enumerate(Magic, start=1) if magic is not Magic.CLICKED}
)


def magic_of(channel: Channel, address: str) -> Magic | None:
    """What becomes of a message to that address (normalised); None for everybody's own."""
    if channel is Channel.SMS:
        return NUMBERS.get(address)
    local, _, domain = address.rpartition("@")
    if domain != DOMAIN:
        return None
    # A mark of one's own after a plus tells tests apart.
    word = local.partition("+")[0]
    return Magic(word) if word in set(Magic) else Magic.DELIVERED
