"""What came back of a campaign, for those who act on it: by sender, provider, class and fault; what to do."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlmodel.ext.asyncio.session import AsyncSession

from deliverability.report import CampaignReport
from models.states import BounceClass, EventKind, Fault, Permanence
from store.bounces import CameBack, came_back
from web.borrowed import say_borrowed
from web.bounce_words import COMPLAINT_STEP, FAULTS, PERMANENCES, next_step
from web.i18n import N_, Tongue
from web.words import word_for

NOT_THEIRS = frozenset({Fault.IDENTITY, Fault.CONTENT, Fault.PROVIDER, Fault.RELAY})
PLACES_NAMED = 3
Lane = tuple[int, str]
Reading = tuple[BounceClass, Fault, Permanence]


@dataclass(frozen=True, slots=True)
class Line:
    """Messages of one sender to one provider that came back in one way; texts in the reader's language."""

    what: str
    fault: str
    permanence: str
    messages: int
    theirs: bool


@dataclass(frozen=True, slots=True)
class Group:
    """One sender at one provider: of `sent` messages `back` came back, and `complained` people complained."""

    identity: str
    provider: str
    sent: int
    back: int
    complained: int
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do about one kind of trouble; `where` names the providers it comes from, the worst first."""

    what: str
    messages: int
    where: str
    step: str
    grave: bool


@dataclass(frozen=True, slots=True)
class Overview:
    """Groups, those most came back of first, and advice, what is in our hands first."""

    groups: tuple[Group, ...]
    advice: tuple[Advice, ...]


async def bounce_overview(session: AsyncSession, report: CampaignReport, tongue: Tongue) -> Overview:
    """What came back of the campaign of `report`."""
    counts = await came_back(session, report.campaign_id)
    names = {
        (row.identity_id or 0, row.provider or ""): (row.identity_name, row.provider_name, row.counts.sent)
        for row in report.by_identity_and_provider
    }
    lanes: dict[Lane, Counter[Reading]] = {}
    complaints: Counter[Lane] = Counter()
    for one, messages in counts.items():
        lane = (one.identity_id, one.provider)
        lanes.setdefault(lane, Counter())
        if one.kind is EventKind.COMPLAINED:
            complaints[lane] += messages
        else:
            lanes[lane][_reading(one)] += messages
    groups = []
    for lane, readings in lanes.items():
        identity, provider, sent = names.get(lane, ("", lane[1], 0))
        groups.append(
            Group(
                identity,
                say_borrowed(tongue, provider),
                sent,
                readings.total(),
                complaints[lane],
                tuple(_line(reading, messages, tongue) for reading, messages in readings.most_common()),
            )
        )
    groups.sort(key=lambda group: (-group.back - group.complained, group.provider, group.identity))
    providers = {lane: say_borrowed(tongue, name[1]) for lane, name in names.items()}
    return Overview(tuple(groups), tuple(_advice(lanes, complaints, providers, tongue)))


def _reading(one: CameBack) -> Reading:
    return (
        one.bounce_class or BounceClass.UNKNOWN,
        one.fault or Fault.UNKNOWN,
        one.permanence or Permanence.SOFT,
    )


def _line(reading: Reading, messages: int, tongue: Tongue) -> Line:
    bounce_class, fault, permanence = reading
    return Line(
        tongue.say(word_for(bounce_class)),
        tongue.say(FAULTS[fault]),
        tongue.say(PERMANENCES[permanence]),
        messages,
        fault not in NOT_THEIRS,
    )


def _advice(
    lanes: Mapping[Lane, Counter[Reading]],
    complaints: Mapping[Lane, int],
    providers: Mapping[Lane, str],
    tongue: Tongue,
) -> Iterable[Advice]:
    """One piece a class; what went wrong on our own way out is one of its own."""
    troubles: dict[tuple[BounceClass, bool], Counter[str]] = {}
    grave: set[tuple[BounceClass, bool]] = set()
    for lane, readings in lanes.items():
        for (bounce_class, fault, _), messages in readings.items():
            key = (bounce_class, fault is Fault.RELAY)
            troubles.setdefault(key, Counter())[providers.get(lane, lane[1])] += messages
            if fault in NOT_THEIRS:
                grave.add(key)
    if sum(complaints.values()):
        where: Counter[str] = Counter()
        for lane, people in complaints.items():
            where[providers.get(lane, lane[1])] += people
        told = tongue.say(N_("Complaints"))
        yield Advice(told, where.total(), _named(where), tongue.say(COMPLAINT_STEP), grave=True)
    order = sorted(troubles, key=lambda key: (key not in grave, -troubles[key].total()))
    for bounce_class, ours in order:
        where = troubles[bounce_class, ours]
        yield Advice(
            tongue.say(FAULTS[Fault.RELAY] if ours else word_for(bounce_class)),
            where.total(),
            _named(where),
            tongue.say(next_step(bounce_class, Fault.RELAY if ours else None)),
            grave=(bounce_class, ours) in grave,
        )


def _named(where: Counter[str]) -> str:
    named = [name for name, messages in where.most_common(PLACES_NAMED) if messages]
    return ", ".join(named) + (" …" if len(where) > PLACES_NAMED else "")
