"""How the states of messages that programs hand over are called on pages, and in which tone."""

from collections.abc import Mapping
from types import MappingProxyType

from store.message_status import MessageStatus
from web.i18n import N_

_M = MessageStatus
STATUSES: Mapping[MessageStatus, tuple[str, str]] = MappingProxyType(
    {
        _M.ACCEPTED: (N_("Taken on"), "busy"),
        _M.SCHEDULED: (N_("Planned"), "calm"),
        _M.QUEUED: (N_("In the queue"), "busy"),
        _M.SUBMITTING: (N_("Leaving"), "busy"),
        _M.SENT: (N_("Has left"), "good"),
        _M.DELIVERED: (N_("Delivered"), "good"),
        _M.DEFERRED: (N_("Put off"), "warn"),
        _M.BOUNCED: (N_("Came back"), "bad"),
        _M.REJECTED: (N_("Refused"), "bad"),
        _M.COMPLAINED: (N_("Complained about"), "bad"),
        _M.UNSUBSCRIBED: (N_("Led to an unsubscription"), "warn"),
        _M.SUPPRESSED: (N_("Not sent: suppressed"), "quiet"),
        _M.EXPIRED: (N_("Expired"), "quiet"),
        _M.CANCELLED: (N_("Taken back"), "quiet"),
        _M.HELD: (N_("Held back"), "warn"),
        _M.UNKNOWN: (N_("Uncertain"), "warn"),
    }
)
"""What is said, and the tone of its badge."""
REASONS: Mapping[str, str] = MappingProxyType(
    {
        "suppressed": N_("the address is on the suppression list"),
        "withdrawn": N_("the person withdrew"),
        "no_consent": N_("nobody agreed to it"),
    }
)
"""Why a message was never to leave."""
