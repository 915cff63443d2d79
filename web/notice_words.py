"""What a transparency notice says to anybody who opens it: criteria, money, time and consent, in words."""

from collections.abc import Iterable
from types import MappingProxyType
from typing import Final

from models.states import CampaignState, LegalBasis
from scheduler.notice import Criterion, Notice
from web.i18n import N_, Tongue

SEVERAL: Final = 10
"""Fewer people than this are not counted out: somebody might know them."""
_PAST: Final = N_("What they did with earlier messages (not published)")
_HELD: Final = N_("Other information that the sender holds about them (not published)")
_FIELDS: Final = MappingProxyType(
    {
        "commune": N_("The municipality they live in"),
        "canton": N_("The canton they live in"),
        "postcode": N_("Their postcode"),
        "departement": N_("The département they live in"),
        "region": N_("The region they live in"),
        "circonscription": N_("Their constituency"),
        "polling_station": N_("Their polling station"),
        "age": N_("Their age"),
        "birth_date": N_("Their date of birth (not published)"),
        "language": N_("Their language"),
        "tag": N_("Labels that the sender gave them (not published)"),
        "level": N_("What they are to the sender: member, supporter and so on (not published)"),
        "created": N_("When the sender came to know them"),
        "updated": N_("When the sender last learnt something of them"),
        **dict.fromkeys(("first_name", "last_name", "civility"), N_("Their name, or how they are addressed")),
        **dict.fromkeys(("email", "phone", "external_id"), N_("Their address or number (not published)")),
        **dict.fromkeys(
            ("received", "opened", "clicked", "replied", "bounced", "complained", "unsubscribed"), _PAST
        ),
    }
)


def criteria_lines(tongue: Tongue, criteria: Iterable[Criterion]) -> list[str]:
    """Each criterion once: what it is, and the values that are published."""
    lines: dict[str, str] = {}
    for one in criteria:
        named = tongue.say(_FIELDS.get(one.field, _HELD))
        told = ", ".join(one.values)
        if one.more:
            more = tongue.say_plural("and %(count)s more", "and %(count)s more", one.more)
            told = f"{told} {more}"
        lines[named] = told or lines.get(named, "")
    with_values = N_("%(what)s: %(values)s")
    return [
        tongue.say(with_values, what=what, values=values) if values else what
        for what, values in lines.items()
    ]


def period_line(tongue: Tongue, notice: Notice) -> str:
    """When it was sent."""
    row = notice.row
    if row.launched_at is None:
        return tongue.say(N_("Not sent yet"))
    first = tongue.day(row.launched_at.astimezone(tongue.zone), "long")
    if row.state in {CampaignState.LAUNCHING, CampaignState.SENDING, CampaignState.PAUSED}:
        return tongue.say(N_("Since %(day)s; it is still being sent"), day=first)
    last = first if row.finished_at is None else tongue.day(row.finished_at.astimezone(tongue.zone), "long")
    if first == last:
        return tongue.say(N_("On %(day)s"), day=first)
    return tongue.say(N_("From %(first)s to %(last)s"), first=first, last=last)


def reach_line(tongue: Tongue, notice: Notice) -> str:
    """How many people it was sent to, roughly when they are few."""
    people = notice.row.messages
    if not people:
        return ""
    if people < SEVERAL:
        return tongue.say(N_("Fewer than %(count)s people"), count=tongue.number(SEVERAL))
    return tongue.say_plural("%(count)s person", "%(count)s people", people)


def consent_lines(tongue: Tongue, notice: Notice) -> list[str]:
    """On what grounds people were written to, and chosen."""
    basis = (
        N_("People who agreed to receive messages from the sender.")
        if notice.row.basis is LegalBasis.CONSENT
        else N_("People the sender is in touch with, who did not object (legitimate interest).")
    )
    lines = [basis]
    if notice.advertising.targeted:
        lines.append(
            N_(
                "Only those of them who agreed, besides and expressly, that their personal data be used to"
                " choose what political messages they get, and nobody known to be under 17."
            )
        )
    return [tongue.say(line) for line in lines]
