"""What a refusal means, in the words of people who write letters: whose doing it is, and what to do next.

Apart from `web.words`, which names things: here they are explained. English sources, translated where shown.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from deliverability.policy import policies_in_force
from deliverability.reasons import Reason, Said, reason_of, verdict_of
from models.event import Event
from models.states import BounceClass, EventKind, Fault, Permanence
from web.i18n import N_

EVIDENCE = re.compile(r"(?P<read>\w+), policy (?P<policy>[\w.-]+), rule (?P<rule>.*)")
"""As `deliverability.suppression` writes it."""
EXPLAINED = frozenset(
    {EventKind.BOUNCED, EventKind.REFUSED, EventKind.DEFERRED, EventKind.EXPIRED, EventKind.COMPLAINED}
)
"""News that is told with its evidence."""

FAULTS: Mapping[Fault, str] = MappingProxyType(
    {
        Fault.RECIPIENT: N_("The address"),
        Fault.IDENTITY: N_("Us, the sender"),
        Fault.CONTENT: N_("Our message"),
        Fault.PROVIDER: N_("The provider"),
        Fault.RELAY: N_("Our own mail server"),
        Fault.UNKNOWN: N_("Not clear"),
    }
)
"""Whose doing it is."""
PERMANENCES: Mapping[Permanence, str] = MappingProxyType(
    {Permanence.HARD: N_("for good"), Permanence.SOFT: N_("for now")}
)

MEANINGS: Mapping[BounceClass, str] = MappingProxyType(
    {
        BounceClass.NO_SUCH_ADDRESS: N_("There is no such mailbox, or no such domain."),
        BounceClass.INACTIVE: N_("The mailbox was closed, switched off or given up."),
        BounceClass.MAILBOX_FULL: N_("The mailbox is full: nothing gets in until the person makes room."),
        BounceClass.TRANSIENT: N_("A trouble that passes, such as a server that is down or busy."),
        BounceClass.RATE: N_("Too many messages in too short a time, for this provider."),
        BounceClass.GREYLIST: N_("The provider makes a sender it does not know yet come back later."),
        BounceClass.BLOCK: N_("The provider refuses our server or our domain, whoever we write to."),
        BounceClass.SPAM: N_("The provider takes the message for spam."),
        BounceClass.AUTH: N_("The provider does not believe that the message is ours."),
        BounceClass.SENDER_INVALID: N_("The provider does not take our sender address, or its domain."),
        BounceClass.SIZE_FORMAT: N_("The message is too large, or not in a form the provider takes."),
        BounceClass.EXPIRED: N_("It was tried for days, without an answer that settles it."),
        BounceClass.OPTED_OUT: N_("The provider knows that this person wants no messages from us."),
        BounceClass.HELD_BACK: N_(
            "The provider’s own suppression list held it back: the address bounced, complained or"
            " unsubscribed there before."
        ),
        BounceClass.UNKNOWN: N_("No rule knows this answer."),
    }
)
NOT_PROVEN = N_(
    "The words say that the mailbox is not there, but no status proves it: the address is written to again."
)
AT_OUR_END = N_("Our own mail server could not send it: the provider was never asked.")
COMPLAINED = N_("This person pressed “this is spam”.")

NEXT_STEPS: Mapping[BounceClass, str] = MappingProxyType(
    {
        BounceClass.NO_SUCH_ADDRESS: N_(
            "Nothing for proven ones: they are not written to any more. If they are many, ask where the list"
            " comes from; above 2 % providers begin to wonder, too."
        ),
        BounceClass.INACTIVE: N_("Nothing: who stays away is not written to any more after a few messages."),
        BounceClass.MAILBOX_FULL: N_(
            "Nothing: the next campaign tries again, and after several the address is no longer written to."
        ),
        BounceClass.TRANSIENT: N_("Nothing: it is tried again by itself."),
        BounceClass.RATE: N_("Tocsin slows down by itself. If it comes often, set a lower limit on “Pace”."),
        BounceClass.GREYLIST: N_("Nothing: the second attempt usually gets through."),
        BounceClass.BLOCK: N_(
            "Pause what goes to this provider. The answer often names a block list or a page to ask at: ask"
            " there, and begin again slowly, with those who read you most."
        ),
        BounceClass.SPAM: N_(
            "Look at the message: links, short addresses, capitals, pictures without text. Then write first"
            " to those who read you most."
        ),
        BounceClass.AUTH: N_("Check the DNS records on the identity’s page, and publish what is missing."),
        BounceClass.SENDER_INVALID: N_(
            "Check that the sender address exists and that its domain receives mail, on the identity’s page."
        ),
        BounceClass.SIZE_FORMAT: N_("Make the message lighter: fewer and smaller pictures."),
        BounceClass.EXPIRED: N_(
            "If they are many at one provider, look at “Pace”: it may be holding us off."
        ),
        BounceClass.OPTED_OUT: N_("Nothing: they are not written to any more, and that is right."),
        BounceClass.HELD_BACK: N_(
            "Nothing, as a rule. An address that is right after all is taken off the list on the provider’s"
            " own site."
        ),
        BounceClass.UNKNOWN: N_(
            "Read the answers below. If one comes often, an administrator can write a rule for it."
        ),
    }
)
RELAY_STEP = N_("Look at our own mail server: “tocsin doctor” says whether it can be reached.")
COMPLAINT_STEP = N_(
    "They are not written to any more. From one in a thousand on, pause what goes to this provider, show the"
    " link to unsubscribe at the top, and write only to those who agreed lately."
)

REASONS: Mapping[Reason, str] = MappingProxyType(
    {
        Reason.USERUNKNOWN: N_("nobody of that name there"),
        Reason.HOSTUNKNOWN: N_("no such domain"),
        Reason.HASMOVED: N_("moved to another address"),
        Reason.SUSPEND: N_("mailbox switched off"),
        Reason.FILTERED: N_("the recipient’s own filter"),
        Reason.SUPPRESSED: N_("on the provider’s own suppression list"),
        Reason.MAILBOXFULL: N_("mailbox full"),
        Reason.BLOCKED: N_("our server’s address is blocked"),
        Reason.REJECTED: N_("the sender address was refused"),
        Reason.BADREPUTATION: N_("our reputation there is poor"),
        Reason.AUTHFAILURE: N_("SPF, DKIM or DMARC failed"),
        Reason.REQUIREPTR: N_("our server has no name in the DNS"),
        Reason.POLICYVIOLATION: N_("against the provider’s rules"),
        Reason.NORELAYING: N_("that server does not take mail for this domain"),
        Reason.SECURITYERROR: N_("a matter of security"),
        Reason.NOTCOMPLIANTRFC: N_("against the standards of mail"),
        Reason.FAILEDSTARTTLS: N_("no encrypted line could be made"),
        Reason.SPAMDETECTED: N_("taken for spam"),
        Reason.VIRUSDETECTED: N_("taken for a virus"),
        Reason.CONTENTERROR: N_("something in the content"),
        Reason.EMAILTOOLARGE: N_("too large"),
        Reason.NETWORKERROR: N_("trouble on the network"),
        Reason.EXPIRED: N_("tried for too long"),
        Reason.SYSTEMERROR: N_("trouble of the provider’s system"),
        Reason.SYSTEMFULL: N_("the provider’s disks are full"),
        Reason.RATELIMITED: N_("too many, too fast"),
        Reason.MAILERERROR: N_("a program at the other end failed"),
        Reason.NOTACCEPT: N_("that domain takes no mail"),
        Reason.SYNTAXERROR: N_("the servers did not understand each other"),
    }
)
"""The fine reason, where one is known."""


@dataclass(frozen=True, slots=True)
class Explained:
    """One refusal or complaint as a person reads it; texts are English sources.

    `reread`: other rules read it otherwise later, and this is how.
    """

    meaning: str
    bounce_class: BounceClass | None
    fault: str
    permanence: str
    reason: str
    code: int | None
    enhanced: str | None
    text: str
    rule: str
    reread: bool = False


def explain(event: Event, later: Event | None = None) -> Explained | None:
    """An event as a person reads it, None where there is nothing to explain; `later`: its newest reading."""
    if event.kind not in EXPLAINED:
        return None
    read = later or event
    said = Said(event.text, event.code, event.enhanced, event.details.get("remote_mta", ""))
    complained = event.kind is EventKind.COMPLAINED
    if not complained and read.bounce_class is None and not event.text:
        return None
    return Explained(
        meaning=COMPLAINED if complained else meaning_of(read.bounce_class, read.fault, read.permanence),
        bounce_class=None if complained else read.bounce_class or BounceClass.UNKNOWN,
        fault=FAULTS[read.fault] if read.fault else "",
        permanence=PERMANENCES[read.permanence] if read.permanence else "",
        reason="" if complained else _in_detail(reason_of(said), read),
        code=event.code,
        enhanced=event.enhanced,
        text=event.text,
        rule=read.rule,
        reread=later is not None,
    )


def _in_detail(reason: Reason, read: Event) -> str:
    """The fine reason, unless it says something else than the verdict: that one decides."""
    if read.bounce_class is BounceClass.HELD_BACK:
        return REASONS[Reason.SUPPRESSED]
    implied = verdict_of(reason, permanent=read.permanence is Permanence.HARD)
    agrees = implied is None or read.bounce_class in {None, BounceClass.UNKNOWN, implied.bounce_class}
    return REASONS.get(reason, "") if agrees else ""


def meaning_of(bounce_class: BounceClass | None, fault: Fault | None, permanence: Permanence | None) -> str:
    """What a refusal read so means, in a sentence."""
    if fault is Fault.RELAY:
        return AT_OUR_END
    words_only = permanence is Permanence.HARD and fault is not Fault.RECIPIENT
    if bounce_class is BounceClass.NO_SUCH_ADDRESS and words_only:
        return NOT_PROVEN
    return MEANINGS[bounce_class or BounceClass.UNKNOWN]


def next_step(bounce_class: BounceClass | None, fault: Fault | None) -> str:
    """What to do about it."""
    return RELAY_STEP if fault is Fault.RELAY else NEXT_STEPS[bounce_class or BounceClass.UNKNOWN]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a suppression rests on, taken apart; `until_life`: a sign of life ends it."""

    bounce_class: BounceClass
    policy: str
    rule: str
    until_life: bool


def read_evidence(text: str) -> Evidence | None:
    """The evidence of a suppression that a policy earned; None for any other (lists, people's own words)."""
    found = EVIDENCE.fullmatch(text)
    if found is None or found["read"] not in set(BounceClass):
        return None
    policy = next((one for one in policies_in_force() if one.name == found["policy"]), None)
    return Evidence(
        BounceClass(found["read"]), found["policy"], found["rule"], policy is not None and policy.until_life
    )
