"""Counters put together to what a report counts. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from models.states import DeliveryState, EventKind, LeftOutReason
from models.tally import Account
from store.reports import CampaignCounts, LaneCounts, RefusalText, by_frequency
from store.tally_keys import Key, Said, Timeline, step_for

Counters = Mapping[Key, int]
Lane = tuple[int, str]
States = dict[DeliveryState, int]
ON_THE_WAY = (DeliveryState.CLAIMED, DeliveryState.SENDING)
"""Counted as queued by the triggers; few at any moment, and looked up where they are."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """Everything a report counts. `timeline` is None before the first answer."""

    counts: CampaignCounts
    said: tuple[RefusalText, ...]
    timeline: Timeline | None


def counts_of(
    counters: Counters, on_the_way: Mapping[Lane, States], notes: tuple[int, int]
) -> CampaignCounts:
    """The counts by lane; `notes` are what was targeted and frozen at launch."""
    found: dict[Lane, LaneCounts] = {}
    tried: dict[Lane, int] = {}
    reasons: dict[LeftOutReason, int] = {}
    for key, count in counters.items():
        place = (key.identity_id, key.provider)
        match key.account:
            case Account.STATE:
                _lane(found, place).states[DeliveryState(key.word)] = count
            case Account.NEWS:
                _lane(found, place).news[EventKind(key.word)] = count
            case Account.HARD:
                _lane(found, place).hard[EventKind(key.word)] = count
            case Account.TRIED:
                tried[place] = count
            case Account.LEFT_OUT if count:
                reasons[LeftOutReason(key.word)] = count
            case _:
                pass
    lanes = [
        LaneCounts(
            *place,
            states_of(one.states, on_the_way.get(place, {})),
            one.news,
            {kind: one.hard.get(kind, 0) for kind in one.news},
            tried.get(place, 0),
        )
        for place, one in sorted(found.items())
    ]
    return CampaignCounts(*notes, reasons, tuple(one for one in lanes if one.states or one.news))


def _lane(found: dict[Lane, LaneCounts], place: Lane) -> LaneCounts:
    return found.setdefault(place, LaneCounts(*place, {}, {}, {}, attempted=0))


def states_of(counted: Mapping[DeliveryState, int], on_the_way: Mapping[DeliveryState, int]) -> States:
    """Those being prepared or on the wire are among the queued of the counters: told apart."""
    queued = counted.get(DeliveryState.QUEUED, 0) - sum(on_the_way.values())
    told = {**counted, **on_the_way, DeliveryState.QUEUED: queued}
    return {state: count for state, count in told.items() if count}


def said_of(counters: Counters, texts: Mapping[tuple[str, str], str]) -> tuple[RefusalText, ...]:
    """What was answered, most frequent first; `texts` by (provider, word)."""
    told = []
    for key, count in counters.items():
        if key.account is Account.SAID:
            said = Said.read(key.word)
            told.append(
                RefusalText(
                    provider=key.provider,
                    kind=said.kind,
                    bounce_class=said.bounce_class,
                    code=said.code,
                    enhanced=said.enhanced,
                    example=texts.get((key.provider, key.word), ""),
                    deliveries=count,
                    fault=said.fault,
                )
            )
    return tuple(by_frequency(told))


def timeline_of(counters: Counters) -> Timeline | None:
    """The timeline as its counters tell it."""
    span = {key.word: count for key, count in counters.items() if key.account is Account.SPAN}
    if not span:
        return None
    moments = {}
    for key, count in counters.items():
        if key.account is Account.MOMENT:
            kind, _, start = key.word.partition(":")
            moments[int(start), EventKind(kind)] = count
    first, last = span["first"], span["last"]
    return Timeline(first, last, step_for(first, last), moments)


def counters_of(line: Timeline) -> dict[Key, int]:
    """The counters that tell a timeline."""
    told = {Key(Account.SPAN, 0, "", "first"): line.first, Key(Account.SPAN, 0, "", "last"): line.last}
    for (start, kind), count in line.moments.items():
        told[Key(Account.MOMENT, 0, "", f"{kind.value}:{start}")] = count
    return told


def together(lines: Iterable[Timeline | None]) -> Timeline | None:
    """All of them in the step that fits the whole."""
    whole: Timeline | None = None
    for line in lines:
        if line is not None:
            whole = line if whole is None else whole.merged(line)
    return whole
