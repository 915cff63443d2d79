"""What providers answered, shared out among the identities that heard it.

Answers are counted by campaign and provider. Where several identities wrote to a provider, each is given
its part by what it was refused, or made to wait, there: rounded up, so that nobody's only answer is lost.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from deliverability.assessment.facts import Said
from deliverability.report_values import CampaignReport, Counts
from models.states import EventKind, Fault
from store.rates import Tallies

Place = tuple[int, int, str]
"""Campaign, identity, provider."""
MOST_KEPT = 8


@dataclass(frozen=True, slots=True)
class Heard:
    """How many messages of a lane were refused or came back, and how many were put off."""

    refused: int
    deferred: int


class Answers:
    """The answers by campaign and provider, and who heard how many."""

    def __init__(self, said: Iterable[tuple[int, str, Said]], heard: Mapping[Place, Heard]) -> None:
        """`said`: campaign, provider and answer."""
        self._heard = heard
        self._said: dict[tuple[int, str], list[Said]] = {}
        for campaign_id, provider, one in said:
            self._said.setdefault((campaign_id, provider), []).append(one)
        self._whole: dict[tuple[int, str], Heard] = {}
        self._campaigns: dict[tuple[int, str], list[int]] = {}
        for (campaign_id, identity_id, provider), one_heard in heard.items():
            self._campaigns.setdefault((identity_id, provider), []).append(campaign_id)
            known = self._whole.get((campaign_id, provider), Heard(0, 0))
            self._whole[campaign_id, provider] = Heard(
                known.refused + one_heard.refused, known.deferred + one_heard.deferred
            )

    def at(self, identity_id: int, provider: str) -> tuple[Said, ...]:
        """What one identity was told at one provider, over all campaigns, most frequent first."""
        found: dict[tuple[EventKind, str, int, str], Said] = {}
        for campaign_id in self._campaigns.get((identity_id, provider), ()):
            mine = self._heard[campaign_id, identity_id, provider]
            whole = self._whole[campaign_id, provider]
            for said in self._said.get((campaign_id, provider), ()):
                part = _part(said.deliveries, _of(said.kind, mine), _of(said.kind, whole))
                if not part:
                    continue
                key = (said.kind, said.bounce_class or "", said.code or 0, said.enhanced or "")
                known = found.get(key)
                found[key] = replace(
                    said,
                    deliveries=part + (known.deliveries if known else 0),
                    shared=part < said.deliveries or (known is not None and known.shared),
                )
        return tuple(sorted(found.values(), key=_by_frequency)[:MOST_KEPT])


def _part(deliveries: int, mine: int, whole: int) -> int:
    """`deliveries` × `mine` / `whole`, rounded up; exact, since what is rounded must not gain before."""
    return -(-deliveries * mine // whole) if whole else 0


def answers_of_report(report: CampaignReport) -> Answers:
    """Those of a campaign; addresses are hidden in them already."""
    heard = {
        (report.campaign_id, row.identity_id, row.provider): _heard(row.counts)
        for row in report.by_identity_and_provider
        if row.identity_id is not None and row.provider
    }
    said = tuple(
        (
            report.campaign_id,
            one.provider,
            Said(one.kind, one.bounce_class, one.deliveries, one.example, one.code, one.enhanced),
        )
        for one in report.refusals
        if not one.ours
    )
    return Answers(said, heard)


def answers_of_tallies(tallies: Tallies) -> Answers:
    """Those of several campaigns, without their wording, which may hold addresses."""
    heard = {
        (lane.campaign_id, lane.identity_id, lane.provider): Heard(
            refused=lane.news.get(EventKind.REFUSED, 0) + lane.news.get(EventKind.BOUNCED, 0),
            deferred=lane.news.get(EventKind.DEFERRED, 0),
        )
        for lane in tallies.lanes
    }
    said = tuple(
        (
            one.campaign_id,
            one.provider,
            Said(one.said.kind, one.said.bounce_class, one.count, "", one.said.code, one.said.enhanced),
        )
        for one in tallies.said
        if one.said.fault is not Fault.RELAY
    )
    return Answers(said, heard)


def _heard(counts: Counts) -> Heard:
    return Heard(counts.refused + counts.bounced_hard + counts.bounced_soft, counts.deferred)


def _of(kind: EventKind, heard: Heard) -> int:
    return heard.deferred if kind is EventKind.DEFERRED else heard.refused


def _by_frequency(said: Said) -> tuple[int, str, str, int]:
    return -said.deliveries, said.kind.value, said.bounce_class or "", said.code or 0
