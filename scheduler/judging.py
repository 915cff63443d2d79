"""Who of a batch gets a delivery, from whom, when; who does not, and why. Pure."""

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from models.campaign import Campaign
from models.identity import Identity
from models.providers import OTHER, SMS
from models.states import Channel, IdentityRule, IdentityState, LeftOutReason
from scheduler.calendar import SendingWindows, opens
from scheduler.frequency import Touch, next_eligible
from scheduler.rhythm import Rhythm
from scheduler.senders import PLACE, PLACES_REMEMBERED, Chooser
from scheduler.silence import NOBODY_VOTES, Home, Votes
from scheduler.warmup import engagement_band
from store.freezing import Frozen, Target
from store.queues import Place
from store.touches import Touches

BAND: Final = timedelta(milliseconds=1)
"""How much later the next band of engagement is due: enough to come after, too little to be waited for."""
SLICE_SPAN: Final = timedelta(minutes=15)
"""How much later than the first somebody of a canary's first slice may be due."""
_DETAILS: Final = 4
"""Where what tells of a person's place begins in a `Target`."""
_Answer = tuple[Sequence[Identity], datetime, datetime | None]
"""Who may write to the people of a place, from when on, and until when: before a vote there, else None."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Targeted people, with what was found about them: busy ones' messages, last signs of life."""

    targets: Sequence[Target]
    touches: Touches
    engaged_at: Mapping[int, datetime]


@dataclass(slots=True)
class Judge:
    """Judges the people of one campaign as of the moment of its launch.

    `votes`: those that are near and bind it.
    """

    campaign: Campaign
    chooser: Chooser
    rhythm: Rhythm
    windows: SendingWindows
    providers: Mapping[str, str]
    at: datetime
    votes: Votes = NOBODY_VOTES
    _opens_at: dict[Place, datetime] = field(default_factory=dict)
    _answers: dict[tuple[str | None, ...], _Answer] = field(default_factory=dict)

    @property
    def details(self) -> frozenset[str]:
        """What must be known of a person besides the address."""
        if self.votes:
            return frozenset(Target._fields[_DETAILS:])
        place = PLACE if self.chooser.rule is IdentityRule.TERRITORY else ()
        home = () if self._always else ("departement", "postcode", "phone_prefix")
        return frozenset((*place, *home))

    @property
    def _always(self) -> bool:
        return not self.windows or self.windows.always

    def judge(self, batch: Batch) -> Frozen:
        """The batch as it is written down."""
        frozen = Frozen()
        touches, answers, votes = batch.touches, self._answers, bool(self.votes)
        for person in batch.targets:
            number, address, domain, word = person[:_DETAILS]
            if word is not None:
                frozen.left_out.append((number, LeftOutReason(word), None))
                continue
            again = self._capped_until(touches[number]) if number in touches else None
            if again is not None:
                frozen.left_out.append((number, LeftOutReason.CAPPED, again))
                continue
            candidates, due_at, cut_off = answers.get(person[_DETAILS:]) or self._answer(person)
            if cut_off is not None and cut_off <= due_at:
                frozen.left_out.append((number, LeftOutReason.ELECTION, None))
                continue
            identity = self.chooser.choose_among(candidates, number)
            if identity is None:
                frozen.left_out.append((number, LeftOutReason.NO_IDENTITY, None))
                continue
            if identity.state is IdentityState.WARMING:
                due_at += BAND * engagement_band(batch.engaged_at.get(number), self.at)
            frozen.contact_ids.append(number)
            frozen.identity_ids.append(identity.id)
            frozen.providers.append(self.provider_of(domain))
            frozen.addresses.append(address or "")
            frozen.due_at.append(due_at)
            if votes:
                frozen.not_after.append(cut_off)
        frozen.seed_ids = [None] * len(frozen.contact_ids)
        return frozen

    def provider_of(self, domain: str | None) -> str:
        """Where mail for a domain goes; text messages all go one way."""
        if self.campaign.channel is Channel.SMS:
            return SMS
        return self.providers.get(domain or "", OTHER)

    def _capped_until(self, known: Sequence[Touch]) -> datetime | None:
        return next_eligible(known, self.campaign.channel, self.at, self.rhythm.frequency)

    def _answer(self, person: Target) -> _Answer:
        """What is the same for everybody who lives where this person lives."""
        due_at = self.at if self._always else self._open(person)
        cut_off = self.votes.cut_off(home_of(person), due_at) if self.votes else None
        answer = self.chooser.candidates(person), due_at, cut_off
        if len(self._answers) >= PLACES_REMEMBERED:
            self._answers.clear()
        self._answers[person[_DETAILS:]] = answer
        return answer

    def _open(self, person: Target) -> datetime:
        place = Place(person.departement, person.postcode, person.phone_prefix or None)
        found = self._opens_at.get(place)
        if found is None:
            found = opens(self.windows, self.rhythm.zone_of(place), self.at)
            self._opens_at[place] = found
        return found


def home_of(person: Target) -> Home:
    """Where a targeted person lives."""
    return Home(
        departement=person.departement,
        region=person.region,
        postcode=person.postcode,
        phone=person.phone_prefix,
        commune_key=person.commune_key,
        canton_key=person.canton_key,
        circonscription=person.circonscription,
        polling_station=person.polling_station,
    )


def hold_back(frozen: Frozen, share: float, first: datetime | None, draw: random.Random) -> None:
    """Leave the seeds and about `share` of the people in the queue, drawn by chance; the others are held.

    Drawn among those due about `first`, when the campaign begins: nobody waits for a slice that leaves in
    the evening.
    """
    frozen.held = [
        seed is None and first is not None and (due - first > SLICE_SPAN or draw.random() >= share)
        for seed, due in zip(frozen.seed_ids, frozen.due_at, strict=True)
    ]


def warming(identities: Collection[Identity]) -> bool:
    """Whether one of them is getting known, so that the most engaged people go first."""
    return any(identity.state is IdentityState.WARMING for identity in identities)
