"""Incidents as pages show them: each with whom it concerns, in the reader's words."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel.ext.asyncio.session import AsyncSession

from models.incident import Incident, IncidentKind, IncidentLevel
from store import campaigns, health, identities, incidents
from web.i18n import Tongue
from web.identity_words import say_reason
from web.incident_words import DEEDS, KINDS, LEVELS, Names, Told, tell

MOST = 50
TONES = {IncidentLevel.AMBER: "warn", IncidentLevel.RED: "bad"}


@dataclass(frozen=True, slots=True)
class IncidentLine:
    """One incident, in words; `tone` of its badge."""

    row: Incident
    told: Told
    names: Names
    level: str
    deed: str
    tone: str

    @property
    def is_open(self) -> bool:
        """Whether it goes on."""
        return self.row.ended_at is None


async def lines_of(session: AsyncSession, found: Sequence[Incident], tongue: Tongue) -> list[IncidentLine]:
    """Incidents in words, in their order."""
    senders = {one.id: one.name for one in await identities.list_identities(session)} if found else {}
    named: dict[int, str] = {}
    for number in {one.campaign_id for one in found if one.campaign_id is not None}:
        named[number] = (await campaigns.get_campaign(session, number)).name
    lines = []
    for one in found:
        names = Names(senders.get(one.identity_id or 0, ""), named.get(one.campaign_id or 0, ""))
        reason = await _health_of(session, one, tongue)
        lines.append(
            IncidentLine(
                row=one,
                told=tell(one, names, tongue, reason=reason),
                names=names,
                level=tongue.say(LEVELS[one.level]),
                deed=tongue.say(DEEDS[one.deed]),
                tone=TONES[one.level] if one.ended_at is None else "quiet",
            )
        )
    return lines


async def _health_of(session: AsyncSession, incident: Incident, tongue: Tongue) -> str:
    """What an identity's look found, in the reader's words; "" of any other incident."""
    codes = incident.evidence.get("codes", ())
    if incident.kind is not IncidentKind.HEALTH or incident.identity_id is None or not codes:
        return ""
    looks = await health.looks_at(session, incident.identity_id)
    return say_reason(" ".join(codes), "", tongue, looks)


async def open_incidents(
    session: AsyncSession, tongue: Tongue, *, campaign_id: int | None = None, identity_id: int | None = None
) -> list[IncidentLine]:
    """What is open now: of a campaign and whatever it is sent through, of an identity, or all."""
    if campaign_id is not None:
        found = await incidents.concerning(session, campaign_id)
    else:
        found = await incidents.list_incidents(session, identity_id=identity_id, open_only=True, limit=MOST)
    return await lines_of(session, found, tongue)


def kinds_in(tongue: Tongue) -> list[tuple[str, str]]:
    """Every kind, for a choice: its key and its name."""
    return sorted(((kind.value, tongue.say(text)) for kind, text in KINDS.items()), key=lambda one: one[1])
