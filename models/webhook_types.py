"""What webhooks tell, by type: one table from what happens here to the words programs subscribe to."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from models.states import CampaignState, EventKind

_K, _C = EventKind, CampaignState
OF_EVENTS: Final[Mapping[EventKind, str]] = MappingProxyType(
    {
        _K.ACCEPTED: "message.sent",
        _K.DELIVERED: "message.delivered",
        _K.DEFERRED: "message.deferred",
        # Refused at once or returned afterwards: for whoever listens it is the same.
        _K.REFUSED: "message.bounced",
        _K.BOUNCED: "message.bounced",
        _K.UNCERTAIN: "message.uncertain",
        _K.RESOLVED: "message.resolved",
        _K.COMPLAINED: "message.complained",
        _K.UNSUBSCRIBED: "message.unsubscribed",
        _K.RESUBSCRIBED: "message.resubscribed",
        _K.REPLIED: "message.replied",
        _K.OPENED: "message.opened",
        _K.CLICKED: "message.clicked",
        _K.SUPPRESSED: "message.suppressed",
        _K.CAPPED: "message.suppressed",
        _K.EXPIRED: "message.expired",
        _K.CANCELLED: "message.cancelled",
    }
)
"""Every other kind is a step on the way, or about a seed mailbox: nobody is told."""
OF_CAMPAIGNS: Final[Mapping[CampaignState, str]] = MappingProxyType(
    {
        _C.SENDING: "campaign.sending",
        _C.PAUSED: "campaign.paused",
        _C.BLOCKED: "campaign.blocked",
        _C.FINISHED: "campaign.finished",
        _C.INCOMPLETE: "campaign.incomplete",
        _C.CANCELLED: "campaign.cancelled",
    }
)
PING: Final = "webhook.ping"
"""Asked for by a person or a program, to see whether the way is open; told whatever is subscribed to."""
TYPES: Final = tuple(dict.fromkeys((*OF_EVENTS.values(), *OF_CAMPAIGNS.values())))
"""What may be subscribed to, in the order of a message's life."""
VERSION: Final = 1
"""Of the bodies: what they hold is only ever added to."""
