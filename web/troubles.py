"""Incidents as lines of tables that are about something else: a report, a sender."""

from dataclasses import dataclass
from datetime import datetime

from models.incident import Incident
from models.providers import provider_name
from web.borrowed import say_borrowed
from web.i18n import Tongue
from web.incident_words import DEEDS, KINDS


@dataclass(frozen=True, slots=True)
class Trouble:
    """An incident as a line of a table."""

    number: int
    what: str
    where: str
    deed: str
    began_at: datetime
    ended_at: datetime | None
    by: str


def trouble_of(incident: Incident, tongue: Tongue) -> Trouble:
    """An incident in the reader's words."""
    return Trouble(
        number=incident.id,
        what=tongue.say(KINDS[incident.kind]),
        where=say_borrowed(tongue, provider_name(incident.provider)) if incident.provider else "",
        deed=tongue.say(DEEDS[incident.deed]),
        began_at=incident.began_at,
        ended_at=incident.ended_at,
        by=say_borrowed(tongue, incident.ended_by),
    )
