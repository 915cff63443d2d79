"""How scopes, sets of them and modes of keys are called on pages."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from models.api import KeyMode, Scope
from models.api_grants import GRANTS
from web.i18n import N_


@dataclass(frozen=True, slots=True)
class Group:
    """A noun: what reading and changing it is called, None where a key cannot."""

    name: str
    reading: Scope | None
    changing: Scope | None
    note: str = ""


GROUPS = (
    Group(
        N_("Messages"),
        Scope.MESSAGES_READ,
        Scope.MESSAGES_SEND,
        N_("hand them over, and see what became of each"),
    ),
    Group(
        N_("Contacts"), Scope.CONTACTS_READ, Scope.CONTACTS_WRITE, N_("people, their addresses and consents")
    ),
    Group(
        N_("Interactions"), Scope.INTERACTIONS_READ, Scope.INTERACTIONS_WRITE, N_("meetings, sign-ups, doors")
    ),
    Group(N_("Segments"), Scope.SEGMENTS_READ, Scope.SEGMENTS_WRITE),
    Group(
        N_("Campaigns"), Scope.CAMPAIGNS_READ, Scope.CAMPAIGNS_WRITE, N_("their reports; schedule and stop")
    ),
    Group(
        N_("Going past checks"),
        None,
        Scope.CAMPAIGNS_OVERRIDE,
        N_("campaigns in spite of what stands in their way, with a reason; as an administrator may"),
    ),
    Group(N_("Templates"), Scope.TEMPLATES_READ, None),
    Group(N_("Identities"), Scope.IDENTITIES_READ, None),
    Group(N_("Suppressions"), Scope.SUPPRESSIONS_READ, Scope.SUPPRESSIONS_WRITE, N_("who is not written to")),
    Group(N_("Events"), Scope.EVENTS_READ, None, N_("deliveries, bounces, clicks, unsubscriptions")),
    Group(N_("Webhooks"), Scope.WEBHOOKS_READ, Scope.WEBHOOKS_WRITE, N_("where news are sent to")),
)
"""Every scope stands in one of them."""
CHOSEN = "chosen"
SETS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "sending": (N_("Send messages"), N_("Receipts, welcomes, reminders, and what became of them.")),
        "crm": (
            N_("Work as a CRM"),
            N_("Messages, people, interactions, suppressions and webhooks; campaigns only to look at."),
        ),
        "reading": (N_("Look only"), N_("Everything is read, nothing is changed and nothing is sent.")),
        "everything": (
            N_("Everything"),
            N_("Campaigns as well: schedule, pause, cancel, as far as the checks allow."),
        ),
        CHOSEN: (N_("As chosen below"), ""),
    }
)
MODES: Mapping[KeyMode, tuple[str, str]] = MappingProxyType(
    {
        KeyMode.TEST: (N_("Test key"), N_("Everything happens but the sending: nobody is written to.")),
        KeyMode.LIVE: (N_("Live key"), N_("Messages reach people.")),
    }
)


def name_of_set(scopes: list[str]) -> str:
    """What a key may do, in two words; empty where it is no usual set."""
    return next((SETS[name][0] for name, grant in GRANTS.items() if set(grant) == set(scopes)), "")
