"""How the states, reasons and other words of the models are called on pages, and in which tone.

The texts are English sources; pages translate them where they show them.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from deliverability.rulebook import Deed, Scope
from models.access import Role
from models.campaign import AudienceRole
from models.contact import ImportState
from models.identity import TerritoryKind
from models.pace import BreakerState, LimitScope, Measure, WarmupState
from models.states import (
    BounceClass,
    CampaignState,
    Channel,
    ConsentStatus,
    DeliveryState,
    EventKind,
    IdentityRule,
    IdentityState,
    LatePolicy,
    LeftOutReason,
    LegalBasis,
    Nature,
    Purpose,
    SuppressionReason,
)
from web.i18n import N_, NN_

_WORDS: tuple[tuple[StrEnum, str], ...] = (
    (Channel.EMAIL, N_("E-mail")),
    (Channel.SMS, N_("SMS")),
    (CampaignState.DRAFT, N_("Draft")),
    (CampaignState.SCHEDULED, N_("Scheduled")),
    (CampaignState.LAUNCHING, N_("Launching")),
    (CampaignState.SENDING, N_("Sending")),
    (CampaignState.PAUSED, N_("Paused")),
    (CampaignState.BLOCKED, N_("Blocked")),
    (CampaignState.FINISHED, N_("Finished")),
    (CampaignState.INCOMPLETE, N_("Incomplete")),
    (CampaignState.CANCELLED, N_("Cancelled")),
    (DeliveryState.QUEUED, N_("Waiting")),
    (DeliveryState.CLAIMED, N_("Being prepared")),
    (DeliveryState.SENDING, N_("On the wire")),
    (DeliveryState.ACCEPTED, N_("Accepted")),
    (DeliveryState.DEFERRED, N_("Deferred")),
    (DeliveryState.REFUSED, N_("Refused")),
    (DeliveryState.UNCERTAIN, N_("Uncertain")),
    (DeliveryState.HELD, N_("Held back")),
    (DeliveryState.SUPPRESSED, N_("Suppressed")),
    (DeliveryState.CAPPED, N_("Over the frequency limit")),
    (DeliveryState.EXPIRED, N_("Expired")),
    (DeliveryState.CANCELLED, N_("Not sent: cancelled")),
    (LeftOutReason.EXCLUDED, N_("In an excluded segment")),
    (LeftOutReason.NO_ADDRESS, N_("No address for this channel")),
    (LeftOutReason.NO_CONSENT, N_("No consent on record")),
    (LeftOutReason.WITHDRAWN, N_("Withdrew their consent")),
    (LeftOutReason.SUPPRESSED, N_("On the suppression list")),
    (LeftOutReason.CAPPED, N_("Over the frequency limit")),
    (LeftOutReason.NO_IDENTITY, N_("No identity speaks for their territory")),
    (LeftOutReason.ELECTION, N_("In election silence before a vote")),
    (LeftOutReason.NO_TARGETING_CONSENT, N_("Did not agree to be chosen by their data")),
    (LeftOutReason.TOO_YOUNG, N_("Under 17: not chosen by their data")),
    (LegalBasis.CONSENT, N_("Consent: people who agreed")),
    (LegalBasis.LEGITIMATE_INTEREST, N_("Legitimate interest: everybody but those who objected")),
    (Nature.POLITICAL, N_("Political")),
    (Nature.CIVIC, N_("Neither political nor about a vote")),
    (Nature.UNSAID, N_("Nobody has said: election silence binds it")),
    (Purpose.CAMPAIGN, N_("A campaign: it counts in how often people are written to")),
    (Purpose.TRANSACTIONAL, N_("An answer people wait for (a receipt, a registration): it does not count")),
    (LatePolicy.SEND, N_("Send it all the same")),
    (LatePolicy.SKIP, N_("Do not send it any more")),
    (LatePolicy.ASK, N_("Wait for a decision")),
    (BreakerState.CLOSED, N_("Flowing")),
    (BreakerState.OPEN, N_("Resting")),
    (BreakerState.HALF_OPEN, N_("Trying carefully")),
    (WarmupState.RISING, N_("Rising")),
    (WarmupState.HOLDING, N_("Holding")),
    (WarmupState.FALLING, N_("Stepping back")),
    (WarmupState.DONE, N_("At full pace")),
    (WarmupState.STOPPED, N_("Stopped")),
    (LimitScope.RELAY, N_("Everything together")),
    (LimitScope.IDENTITY, N_("One identity")),
    (LimitScope.PROVIDER, N_("One provider")),
    (LimitScope.LANE, N_("One identity at one provider")),
    (LimitScope.DOMAIN, N_("One sending domain at one provider")),
    (Deed.WAIT, N_("The message waits")),
    (Deed.SLOW, N_("Half the pace")),
    (Deed.CRAWL, N_("A few a minute, over one connection")),
    (Deed.ONE_CONNECTION, N_("One connection")),
    (Deed.SUSPEND, N_("Nothing leaves")),
    (Deed.HOLD_CAMPAIGN, N_("The campaign waits for a person")),
    (Deed.REFUSE, N_("The message is given up")),
    (Scope.RELAY, N_("Everything together")),
    (Scope.IDENTITY, N_("One identity")),
    (Scope.PROVIDER, N_("One provider")),
    (Scope.LANE, N_("One identity at one provider")),
    (Scope.DOMAIN, N_("One sending domain at one provider")),
    (Measure.PER_SECOND, N_("messages a second")),
    (Measure.PER_MINUTE, N_("messages a minute")),
    (Measure.PER_HOUR, N_("messages an hour")),
    (Measure.PER_DAY, N_("messages a day")),
    (Measure.CONNECTIONS, N_("connections at once")),
    (Measure.MESSAGES_PER_CONNECTION, N_("messages a connection")),
    (IdentityRule.ONE, N_("One identity for everybody")),
    (IdentityRule.TERRITORY, N_("The identity of each person’s territory")),
    (IdentityRule.ROTATE, N_("Several identities in turn")),
    (IdentityState.DRAFT, N_("Draft")),
    (IdentityState.DNS_PENDING, N_("DNS to publish")),
    (IdentityState.CONFIRMED, N_("Confirmed")),
    (IdentityState.WARMING, N_("Warming up")),
    (IdentityState.ACTIVE, N_("Active")),
    (IdentityState.SUSPENDED, N_("Suspended")),
    (IdentityState.RETIRED, N_("Retired")),
    (TerritoryKind.POLLING_STATION, N_("Polling station")),
    (TerritoryKind.COMMUNE, N_("Commune")),
    (TerritoryKind.CANTON, N_("Canton")),
    (TerritoryKind.CIRCONSCRIPTION, N_("Constituency")),
    (TerritoryKind.DEPARTEMENT, N_("Département")),
    (TerritoryKind.REGION, N_("Region")),
    (TerritoryKind.NATIONAL, N_("National")),
    (ConsentStatus.UNKNOWN, N_("Not known")),
    (ConsentStatus.GRANTED, N_("Agreed")),
    (ConsentStatus.WITHDRAWN, N_("Withdrawn")),
    (SuppressionReason.HARD_BOUNCE, N_("Address does not exist")),
    (SuppressionReason.COMPLAINT, N_("Complained")),
    (SuppressionReason.UNSUBSCRIBE, N_("Unsubscribed")),
    (SuppressionReason.STOP, N_("Answered STOP")),
    (SuppressionReason.PROVIDER, N_("Refused by the provider")),
    (SuppressionReason.MANUAL, N_("Added by hand")),
    (SuppressionReason.IMPORTED, N_("Imported")),
    (AudienceRole.INCLUDE, N_("Included")),
    (AudienceRole.EXCLUDE, N_("Excluded")),
    (Role.ADMIN, N_("Administrator")),
    (Role.EDITOR, N_("Editor")),
    (Role.READER, N_("Reader")),
    (ImportState.RUNNING, N_("Running")),
    (ImportState.FINISHED, N_("Done")),
    (ImportState.FAILED, N_("Stopped by an error")),
    (EventKind.ACCEPTED, N_("Accepted")),
    (EventKind.DEFERRED, N_("Deferred")),
    (EventKind.REFUSED, N_("Refused")),
    (EventKind.UNCERTAIN, N_("Uncertain")),
    (EventKind.HELD, N_("Held back")),
    (EventKind.SUPPRESSED, N_("Suppressed")),
    (EventKind.CAPPED, N_("Over the frequency limit")),
    (EventKind.RESOLVED, N_("Decided afterwards")),
    (EventKind.EXPIRED, N_("Expired")),
    (EventKind.CANCELLED, N_("Not sent: cancelled")),
    (EventKind.DELIVERED, N_("Delivered")),
    (EventKind.BOUNCED, N_("Bounced")),
    (EventKind.COMPLAINED, N_("Complained")),
    (EventKind.UNSUBSCRIBED, N_("Unsubscribed")),
    (EventKind.RESUBSCRIBED, N_("Subscribed again")),
    (EventKind.RELAYED, N_("Passed on")),
    (EventKind.AUTORESPONDED, N_("Answered by a machine")),
    (EventKind.REPLIED, N_("Replied")),
    (EventKind.OPENED, N_("Opened")),
    (EventKind.CLICKED, N_("Clicked")),
    (EventKind.PLACED_INBOX, N_("In the inbox")),
    (EventKind.PLACED_TAB, N_("In a tab")),
    (EventKind.PLACED_SPAM, N_("In the spam folder")),
    (EventKind.PLACED_MISSING, N_("Not found")),
    (EventKind.UNKNOWN, N_("Unknown")),
    (BounceClass.NO_SUCH_ADDRESS, N_("No such address")),
    (BounceClass.INACTIVE, N_("Inactive mailbox")),
    (BounceClass.MAILBOX_FULL, N_("Mailbox full")),
    (BounceClass.TRANSIENT, N_("Passing trouble")),
    (BounceClass.RATE, N_("Too fast")),
    (BounceClass.GREYLIST, N_("Greylisted")),
    (BounceClass.BLOCK, N_("Blocked by the provider")),
    (BounceClass.SPAM, N_("Taken for spam")),
    (BounceClass.AUTH, N_("Authentication")),
    (BounceClass.SENDER_INVALID, N_("Sender refused")),
    (BounceClass.SIZE_FORMAT, N_("Size or format")),
    (BounceClass.EXPIRED, N_("Gave up waiting")),
    (BounceClass.OPTED_OUT, N_("Opted out")),
    (BounceClass.HELD_BACK, N_("Held back by the provider’s list")),
    (BounceClass.UNKNOWN, N_("Unknown")),
)
# Keyed by kind as well: members of different StrEnums with the same value are equal.
_WORD_BY_MEMBER = {(type(member), member.value): text for member, text in _WORDS}

TONES: Mapping[CampaignState, str] = MappingProxyType(
    {
        CampaignState.DRAFT: "quiet",
        CampaignState.SCHEDULED: "calm",
        CampaignState.LAUNCHING: "busy",
        CampaignState.SENDING: "busy",
        CampaignState.PAUSED: "warn",
        CampaignState.BLOCKED: "bad",
        CampaignState.FINISHED: "good",
        CampaignState.INCOMPLETE: "bad",
        CampaignState.CANCELLED: "quiet",
    }
)
"""Campaign state → the tone of its badge; the word beside it says the same without colour."""
IDENTITY_TONES: Mapping[IdentityState, str] = MappingProxyType(
    {
        IdentityState.DRAFT: "quiet",
        IdentityState.DNS_PENDING: "warn",
        IdentityState.CONFIRMED: "calm",
        IdentityState.WARMING: "busy",
        IdentityState.ACTIVE: "good",
        IdentityState.SUSPENDED: "bad",
        IdentityState.RETIRED: "quiet",
    }
)


COUNTED: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "accepted": NN_("%(count)s accepted", "%(count)s accepted"),
        "refused": NN_("%(count)s refused", "%(count)s refused"),
        "uncertain": NN_("%(count)s uncertain", "%(count)s uncertain"),
        "expired": NN_("%(count)s expired", "%(count)s expired"),
        "cancelled": NN_("%(count)s cancelled before sending", "%(count)s cancelled before sending"),
        "suppressed_since": NN_("%(count)s suppressed since", "%(count)s suppressed since"),
        "capped": NN_("%(count)s over the frequency limit", "%(count)s over the frequency limit"),
        "held": NN_("%(count)s held back", "%(count)s held back"),
        "waiting": NN_("%(count)s waiting", "%(count)s waiting"),
    }
)
"""What may have become of messages → so many of them, as terms of a sum."""
MEASURED: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "per_second": NN_("%(count)s message a second", "%(count)s messages a second"),
        "per_minute": NN_("%(count)s message a minute", "%(count)s messages a minute"),
        "per_hour": NN_("%(count)s message an hour", "%(count)s messages an hour"),
        "per_day": NN_("%(count)s message a day", "%(count)s messages a day"),
        "connections": NN_("%(count)s connection at once", "%(count)s connections at once"),
        "messages_per_connection": NN_("%(count)s message a connection", "%(count)s messages a connection"),
    }
)
"""What a limit counts → so many of it."""
MESSAGES = NN_("%(count)s message", "%(count)s messages")
TARGETED = NN_("%(count)s targeted", "%(count)s targeted")
LEFT_OUT = NN_("%(count)s left out", "%(count)s left out")


def word_for(member: StrEnum) -> str:
    """The English source of a member's name on pages; its value when it has none yet."""
    return _WORD_BY_MEMBER.get((type(member), member.value), member.value)
