"""Seeds among the people: each at a random place of its lane's order, the same whoever asks again. Pure.

A provider that saw the seeds first, or last, or all together would judge them otherwise than the campaign.
The places are drawn from the numbers of the campaign, the seed and the identity: a launch that was
interrupted goes on with the draw it began with.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from models.identity import Identity
from models.seed import SeedMailbox
from store.freezing import Frozen

WIDEST_SPAN: Final = timedelta.max


@dataclass(frozen=True, slots=True)
class Grain:
    """One seed that gets the campaign from one identity, and its draw, both between 0 and 1.

    `when`: after which share of the audience it travels; `where`: at which place of its lane there.
    """

    seed_id: int
    address: str
    identity_id: int
    provider: str
    when: float
    where: float


def draw_grains(
    campaign_id: int, identities: Iterable[Identity], seeds: Sequence[SeedMailbox]
) -> list[Grain]:
    """Every seed once from each identity, the first to travel last; `provider` is not known yet."""
    grains = []
    for identity in identities:
        for seed in seeds:
            # Chance without secrets: nobody gains by foreseeing it.
            draw = random.Random(f"seed {campaign_id} {identity.id} {seed.id}")  # noqa: S311
            grains.append(Grain(seed.id, seed.address, identity.id, "", draw.random(), draw.random()))
    return sorted(grains, key=lambda grain: grain.when, reverse=True)


def sow(frozen: Frozen, grains: Iterable[Grain], *, span: timedelta = WIDEST_SPAN) -> list[Grain]:
    """Put the seeds among the people of their lanes; those whose lane has nobody here are given back.

    A lane leaves in the order of `due_at`, then of the rows: a seed comes right before the person it drew,
    and is due with them. With `span`, only among those due within that time of the first: a canary's slice
    leaves at once.
    """
    lanes: dict[tuple[int, str], list[int]] = {}
    until = _last_moment(frozen, span)
    for place, (lane, due) in enumerate(
        zip(zip(frozen.identity_ids, frozen.providers, strict=True), frozen.due_at, strict=True)
    ):
        if until is None or due <= until:
            lanes.setdefault(lane, []).append(place)
    for places in lanes.values():
        places.sort(key=lambda place: (frozen.due_at[place], place))
    placed: list[tuple[int, datetime, Grain]] = []
    left = []
    for grain in grains:
        places = lanes.get((grain.identity_id, grain.provider), [])
        if not places:
            left.append(grain)
            continue
        drawn = int(grain.where * (len(places) + 1))
        neighbour = places[min(drawn, len(places) - 1)]
        placed.append((neighbour + (drawn >= len(places)), frozen.due_at[neighbour], grain))
    # From the end, so that the places before it stay as they were drawn.
    for place, due, grain in sorted(placed, key=lambda one: (one[0], one[2].where), reverse=True):
        put_grain(frozen, place, grain, due)
    return left


def put_grain(frozen: Frozen, place: int, grain: Grain, due: datetime) -> None:
    """A seed among the people, as one of them."""
    frozen.contact_ids.insert(place, None)
    frozen.seed_ids.insert(place, grain.seed_id)
    frozen.identity_ids.insert(place, grain.identity_id)
    frozen.providers.insert(place, grain.provider)
    frozen.addresses.insert(place, grain.address)
    frozen.due_at.insert(place, due)
    if frozen.not_after:
        frozen.not_after.insert(place, None)


def _last_moment(frozen: Frozen, span: timedelta) -> datetime | None:
    first = min(frozen.due_at, default=None)
    return None if first is None or span == WIDEST_SPAN else first + span
