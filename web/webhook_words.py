"""Webhooks in the words of people: what there is to hear of, how a notice stands, why one is disabled."""

from collections.abc import Mapping
from types import MappingProxyType

from models.api import KeyMode
from models.webhook import NoticeState, WebhookEndpoint
from web.i18n import N_, Tongue
from web.incident_words import REASONS

TYPE_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "message.sent": N_("sent"),
        "message.delivered": N_("delivered"),
        "message.deferred": N_("put off"),
        "message.bounced": N_("refused, or come back"),
        "message.uncertain": N_("perhaps sent"),
        "message.resolved": N_("found out whether it was sent"),
        "message.complained": N_("reported as spam"),
        "message.unsubscribed": N_("unsubscribed"),
        "message.resubscribed": N_("subscribed again"),
        "message.replied": N_("answered"),
        "message.opened": N_("opened"),
        "message.clicked": N_("clicked"),
        "message.suppressed": N_("left out: must not be written to"),
        "message.expired": N_("too late to send"),
        "message.cancelled": N_("cancelled"),
        "campaign.sending": N_("being sent"),
        "campaign.paused": N_("paused"),
        "campaign.blocked": N_("stopped by a check"),
        "campaign.finished": N_("finished"),
        "campaign.incomplete": N_("incomplete"),
        "campaign.cancelled": N_("stopped for good"),
        "webhook.ping": N_("test"),
    }
)
GROUPS = (("message.", N_("Messages")), ("campaign.", N_("Campaigns")))
STATES: Mapping[NoticeState, str] = MappingProxyType(
    {
        NoticeState.PENDING: N_("Waiting"),
        NoticeState.DELIVERED: N_("Received"),
        NoticeState.FAILED: N_("Given up"),
    }
)
TONES: Mapping[NoticeState, str] = MappingProxyType(
    {NoticeState.PENDING: "busy", NoticeState.DELIVERED: "good", NoticeState.FAILED: "bad"}
)
MODES: Mapping[KeyMode, tuple[str, str]] = MappingProxyType(
    {
        KeyMode.LIVE: (N_("Live"), N_("Hears of everything that reaches people.")),
        KeyMode.TEST: (N_("Tests"), N_("Hears of what is sent with test keys.")),
    }
)


def say_reason(endpoint: WebhookEndpoint, tongue: Tongue) -> str:
    """Why an endpoint is disabled."""
    known = REASONS.get(endpoint.reason)
    if known is not None:
        return tongue.say(known)
    return tongue.say("Disabled by %(person)s.", person=endpoint.reason) if endpoint.reason else ""
