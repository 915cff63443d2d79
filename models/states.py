"""The words for what becomes of a campaign and of each delivery, and which changes are allowed."""

from enum import StrEnum
from types import MappingProxyType


class Channel(StrEnum):
    """How a message reaches a person."""

    EMAIL = "email"
    SMS = "sms"


class DeliveryState(StrEnum):
    """Where one delivery stands. What is learnt after the hand-over (bounces, clicks) are events."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    SENDING = "sending"
    ACCEPTED = "accepted"
    DEFERRED = "deferred"
    REFUSED = "refused"
    UNCERTAIN = "uncertain"
    HELD = "held"
    SUPPRESSED = "suppressed"
    # The person had had enough messages (frequency cap) when its turn came.
    CAPPED = "capped"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


S = DeliveryState
DELIVERY_TRANSITIONS: MappingProxyType[DeliveryState, frozenset[DeliveryState]] = MappingProxyType(
    {
        S.QUEUED: frozenset({S.CLAIMED, S.SUPPRESSED, S.CAPPED, S.EXPIRED, S.CANCELLED, S.HELD}),
        # Back to QUEUED: the worker gave the batch back or its lease ran out before anything was sent.
        S.CLAIMED: frozenset(
            {S.SENDING, S.QUEUED, S.DEFERRED, S.SUPPRESSED, S.CAPPED, S.EXPIRED, S.CANCELLED, S.HELD}
        ),
        # UNCERTAIN: the worker died, or the line dropped, between the body and the reply.
        # DEFERRED also when it is certain that it never went on the wire; EXPIRED: no time for another try.
        S.SENDING: frozenset({S.ACCEPTED, S.DEFERRED, S.REFUSED, S.UNCERTAIN, S.EXPIRED}),
        S.DEFERRED: frozenset({S.CLAIMED, S.SUPPRESSED, S.CAPPED, S.EXPIRED, S.CANCELLED, S.HELD, S.REFUSED}),
        S.HELD: frozenset({S.QUEUED, S.SUPPRESSED, S.EXPIRED, S.CANCELLED}),
        # Later evidence or a person's decision settles it; back into the queue only by a person's decision,
        # or when the journal of the worker that vanished comes back and proves that it never left.
        S.UNCERTAIN: frozenset({S.ACCEPTED, S.REFUSED, S.QUEUED, S.DEFERRED, S.EXPIRED}),
        S.ACCEPTED: frozenset(),
        S.REFUSED: frozenset(),
        S.SUPPRESSED: frozenset(),
        S.CAPPED: frozenset(),
        S.EXPIRED: frozenset(),
        S.CANCELLED: frozenset(),
    }
)
CLAIMABLE = frozenset({S.QUEUED, S.DEFERRED})
"""States from which a worker may take a delivery once it is due."""
WAITING = frozenset({S.QUEUED, S.CLAIMED, S.SENDING, S.DEFERRED, S.HELD})
"""States that are not the end: a campaign with one of these is not finished."""
FINAL = frozenset(DeliveryState) - WAITING
"""States a delivery stays in, UNCERTAIN until evidence settles it."""


def may_become(state: DeliveryState, following: DeliveryState) -> bool:
    """Whether a delivery in `state` may move to `following`."""
    return following in DELIVERY_TRANSITIONS[state]


class CampaignState(StrEnum):
    """Where a campaign stands."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    LAUNCHING = "launching"
    SENDING = "sending"
    PAUSED = "paused"
    BLOCKED = "blocked"
    FINISHED = "finished"
    INCOMPLETE = "incomplete"
    CANCELLED = "cancelled"


C = CampaignState
CAMPAIGN_TRANSITIONS: MappingProxyType[CampaignState, frozenset[CampaignState]] = MappingProxyType(
    {
        C.DRAFT: frozenset({C.SCHEDULED, C.CANCELLED}),
        # Back to DRAFT: a person takes the schedule away to edit.
        C.SCHEDULED: frozenset({C.DRAFT, C.LAUNCHING, C.PAUSED, C.CANCELLED, C.BLOCKED}),
        # BLOCKED: the check before the first row was queued found something; nothing was queued.
        C.LAUNCHING: frozenset({C.SENDING, C.PAUSED, C.BLOCKED, C.CANCELLED, C.FINISHED}),
        C.SENDING: frozenset({C.PAUSED, C.FINISHED, C.INCOMPLETE, C.CANCELLED}),
        # To SCHEDULED when the pause came before the launch, to LAUNCHING when it came in its midst.
        C.PAUSED: frozenset({C.SENDING, C.SCHEDULED, C.LAUNCHING, C.CANCELLED}),
        C.BLOCKED: frozenset({C.DRAFT, C.SCHEDULED, C.CANCELLED}),
        C.INCOMPLETE: frozenset({C.FINISHED, C.SENDING}),
        # To SENDING when a person has uncertain messages sent again, or a journal that came back proves that
        # one never left; to INCOMPLETE when its sums, counted again, do not come out.
        C.FINISHED: frozenset({C.SENDING, C.INCOMPLETE}),
        C.CANCELLED: frozenset(),
    }
)


def campaign_may_become(state: CampaignState, following: CampaignState) -> bool:
    """Whether a campaign in `state` may move to `following`."""
    return following in CAMPAIGN_TRANSITIONS[state]


class IdentityState(StrEnum):
    """The life of a sender identity."""

    DRAFT = "draft"
    # Its proofs, or records without which providers refuse its mail, are not there yet.
    DNS_PENDING = "dns_pending"
    # Shown to be its owner's, and fit to send; it has not sent yet.
    CONFIRMED = "confirmed"
    WARMING = "warming"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    RETIRED = "retired"


Stage = IdentityState
IDENTITY_TRANSITIONS: MappingProxyType[IdentityState, frozenset[IdentityState]] = MappingProxyType(
    {
        # To ACTIVE: one that only sends text messages, or where no proof is asked for.
        Stage.DRAFT: frozenset({Stage.DNS_PENDING, Stage.ACTIVE, Stage.RETIRED}),
        Stage.DNS_PENDING: frozenset({Stage.CONFIRMED, Stage.ACTIVE, Stage.SUSPENDED, Stage.RETIRED}),
        # Back to DNS_PENDING: another From address, which wants proofs of its own.
        Stage.CONFIRMED: frozenset(
            {Stage.WARMING, Stage.ACTIVE, Stage.DNS_PENDING, Stage.SUSPENDED, Stage.RETIRED}
        ),
        Stage.WARMING: frozenset({Stage.ACTIVE, Stage.DNS_PENDING, Stage.SUSPENDED, Stage.RETIRED}),
        Stage.ACTIVE: frozenset({Stage.WARMING, Stage.DNS_PENDING, Stage.SUSPENDED, Stage.RETIRED}),
        # To where it would stand without the suspension.
        Stage.SUSPENDED: frozenset(
            {Stage.DNS_PENDING, Stage.CONFIRMED, Stage.WARMING, Stage.ACTIVE, Stage.RETIRED}
        ),
        Stage.RETIRED: frozenset(),
    }
)
SENDING = frozenset({Stage.CONFIRMED, Stage.WARMING, Stage.ACTIVE})
"""States in which an identity's mail leaves."""


def identity_may_become(state: IdentityState, following: IdentityState) -> bool:
    """Whether an identity in `state` may move to `following`."""
    return following in IDENTITY_TRANSITIONS[state]


class IdentityRule(StrEnum):
    """How a campaign chooses the sender identity of each recipient."""

    ONE = "one"
    TERRITORY = "territory"
    ROTATE = "rotate"


class ConsentStatus(StrEnum):
    """What a person last said of a channel; UNKNOWN: nothing on record."""

    UNKNOWN = "unknown"
    GRANTED = "granted"
    WITHDRAWN = "withdrawn"


class LegalBasis(StrEnum):
    """What a campaign rests on.

    CONSENT writes to those who granted it, LEGITIMATE_INTEREST to all but those who withdrew.
    """

    CONSENT = "consent"
    LEGITIMATE_INTEREST = "legitimate_interest"


class Purpose(StrEnum):
    """What a message is for: a TRANSACTIONAL one (a receipt, a password) counts in no frequency cap."""

    CAMPAIGN = "campaign"
    TRANSACTIONAL = "transactional"


class Nature(StrEnum):
    """Whether a campaign is political: propaganda to the electoral code, advertising to (EU) 2024/900.

    CIVIC: it is neither (a town hall's news, the inner life of an association). UNSAID: nobody said;
    election silence binds it as it binds a POLITICAL one.
    """

    POLITICAL = "political"
    CIVIC = "civic"
    UNSAID = "unsaid"


class LatePolicy(StrEnum):
    """What becomes of a campaign whose moment passed while nothing ran.

    SEND it all the same; SKIP it (cancelled); ASK: it waits, paused, for a person.
    """

    SEND = "send"
    SKIP = "skip"
    ASK = "ask"


class LeftOutReason(StrEnum):
    """Why a targeted person gets no delivery."""

    EXCLUDED = "excluded"
    NO_ADDRESS = "no_address"
    NO_CONSENT = "no_consent"
    WITHDRAWN = "withdrawn"
    SUPPRESSED = "suppressed"
    CAPPED = "capped"
    NO_IDENTITY = "no_identity"
    # Their turn would come while propaganda must stop before a vote.
    ELECTION = "election"
    # Political messages chosen by personal data: without the consent to that, or under 17.
    NO_TARGETING_CONSENT = "no_targeting_consent"
    TOO_YOUNG = "too_young"


class SuppressionReason(StrEnum):
    """Why an address is not written to any more."""

    HARD_BOUNCE = "hard_bounce"
    COMPLAINT = "complaint"
    UNSUBSCRIBE = "unsubscribe"
    STOP = "stop"
    PROVIDER = "provider"
    MANUAL = "manual"
    IMPORTED = "imported"


class EventKind(StrEnum):
    """What happened to a delivery; the vocabulary of django-anymail, widened by placement."""

    ACCEPTED = "accepted"
    DEFERRED = "deferred"
    REFUSED = "refused"
    UNCERTAIN = "uncertain"
    HELD = "held"
    SUPPRESSED = "suppressed"
    CAPPED = "capped"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    # A person, or a journal that came back, said what became of an uncertain one.
    RESOLVED = "resolved"
    # A provider passed it on and has not heard more yet: less than DELIVERED.
    RELAYED = "relayed"
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    RESUBSCRIBED = "resubscribed"
    AUTORESPONDED = "autoresponded"
    REPLIED = "replied"
    OPENED = "opened"
    CLICKED = "clicked"
    PLACED_INBOX = "placed_inbox"
    # In the inbox, under a tab beside the main one (Promotions, Updates...).
    PLACED_TAB = "placed_tab"
    PLACED_SPAM = "placed_spam"
    PLACED_MISSING = "placed_missing"
    UNKNOWN = "unknown"


class Permanence(StrEnum):
    """Whether trying again later could help."""

    HARD = "hard"
    SOFT = "soft"


class Fault(StrEnum):
    """Whose fault a refusal is; only RECIPIENT may ever suppress a person."""

    RECIPIENT = "recipient"
    IDENTITY = "identity"
    CONTENT = "content"
    PROVIDER = "provider"
    # Our own mail server or SMS account: the message never got as far as the provider.
    RELAY = "relay"
    UNKNOWN = "unknown"


class BounceClass(StrEnum):
    """What a refusal is about."""

    NO_SUCH_ADDRESS = "no_such_address"
    INACTIVE = "inactive"
    MAILBOX_FULL = "mailbox_full"
    TRANSIENT = "transient"
    RATE = "rate"
    GREYLIST = "greylist"
    BLOCK = "block"
    SPAM = "spam"
    AUTH = "auth"
    SENDER_INVALID = "sender_invalid"
    SIZE_FORMAT = "size_format"
    EXPIRED = "expired"
    OPTED_OUT = "opted_out"
    # The provider that sends for us has a list of its own, and the address is on it.
    HELD_BACK = "held_back"
    UNKNOWN = "unknown"
