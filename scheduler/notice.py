"""The transparency notice of a political campaign (Regulation (EU) 2024/900, article 12), as values.

Who paid, for which vote, what it cost, when it was sent and to whom, by which criteria. Anybody may read it,
for years: it names criteria and no person, and of what tells something of people, such as tags and free
attributes, only that it was looked at, never which.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, assert_never

from sqlmodel.ext.asyncio.session import AsyncSession

from audience.segments import parse_segment
from audience.territory import DEPARTEMENTS, REGIONS
from models.campaign import AudienceRole, Campaign
from models.errors import BadInputError, ConflictError
from models.segment_tree import And, Clause, Node, Not, Operator, Or
from models.states import Nature
from scheduler.advertising import SUBSCRIPTION, UNBOUND, Advertising, ChosenBy
from scheduler.campaigns import LONGEST
from scheduler.choosing import choose_for
from store.campaigns import get_campaign
from store.register import RegisterRow, RegisterSegment, register_row

__all__ = ["Criterion", "Notice", "criteria_of", "notice_about", "tell_spent"]

PUBLISHED: Final = frozenset(
    {"commune", "canton", "postcode", "departement", "region", "circonscription", "polling_station"}
    | {"age", "language"}
)
"""Fields whose values say nothing of a person that the law protects most."""
MOST_VALUES: Final = 20
_SIGNS: Final = MappingProxyType(
    {Operator.BELOW: "< ", Operator.AT_MOST: "≤ ", Operator.ABOVE: "> ", Operator.AT_LEAST: "≥ "}
)
_NAMES: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {"departement": DEPARTEMENTS, "region": REGIONS}
)


@dataclass(frozen=True, slots=True)
class Criterion:
    """What of people was looked at: a field as segments call it, `attr` for any free attribute.

    `values`: those it was compared with; empty where they are not published. `more`: values left out here,
    because they are too many.
    """

    field: str
    values: tuple[str, ...] = ()
    more: int = 0


@dataclass(frozen=True, slots=True)
class Notice:
    """What a notice tells. `kept` and `left_out`: by what people were brought in, and kept out.

    `by_sender` and `by_message`: by what it was decided who wrote to them, and what they read.
    `advertising`: whether they had to agree.
    """

    row: RegisterRow
    kept: tuple[Criterion, ...] = ()
    left_out: tuple[Criterion, ...] = ()
    by_sender: tuple[Criterion, ...] = ()
    by_message: tuple[Criterion, ...] = ()
    advertising: Advertising = UNBOUND

    @property
    def chosen(self) -> bool:
        """Whether it was anything but the same message to the whole list."""
        return bool(self.kept or self.left_out or self.by_sender or self.by_message)


async def notice_about(
    session: AsyncSession, campaign_id: int, *, place_is_free: bool = False
) -> Notice | None:
    """The notice of a campaign; None unless it is political advertising.

    `place_is_free`: this installation asks nobody's consent to be chosen by where they live.
    """
    row = await register_row(session, campaign_id)
    if row is None:
        return None
    campaign = await get_campaign(session, campaign_id)
    chosen = await choose_for(session, campaign, campaign.updated_at)
    asked = chosen
    if place_is_free:
        asked = await choose_for(session, campaign, campaign.updated_at, place_is_free=True)
    by = {choice.by: choice.fields for choice in chosen.advertising.choices}
    kept, left_out = criteria_of(row.segments) if chosen.advertising.targeted else ((), ())
    return Notice(
        row=row,
        kept=kept,
        left_out=left_out,
        by_sender=_without_values(by.get(ChosenBy.SENDER, ())),
        by_message=_without_values(by.get(ChosenBy.MESSAGE, ())),
        advertising=asked.advertising,
    )


async def tell_spent(session: AsyncSession, campaign_id: int, spent: str) -> Campaign:
    """Tell what a political campaign cost and where the money came from, at any time: bills come late.

    BadInputError when it is told at too great a length, ConflictError for a campaign that is not political.
    """
    campaign = await get_campaign(session, campaign_id)
    if campaign.nature is not Nature.POLITICAL:
        raise ConflictError(
            f"The campaign {campaign.name!r} is no political advertising: it has no notice.",
            "Say what it is, while it is a draft.",
        )
    told = " ".join(spent.split())
    if len(told) > LONGEST["spent"]:
        raise BadInputError(
            f"What was spent is told in {len(told)} characters; {LONGEST['spent']} are possible.",
            "Shorten it.",
        )
    # Not a change of the campaign: how late it is, and what was agreed to of it, stay as they are.
    campaign.spent = told
    session.add(campaign)
    await session.flush()
    return campaign


def criteria_of(
    segments: Iterable[RegisterSegment],
) -> tuple[tuple[Criterion, ...], tuple[Criterion, ...]]:
    """By what people were kept, and by what left out; each field once on a side, and `not` turns it round."""
    found: dict[bool, dict[str, dict[str, None]]] = {True: {}, False: {}}
    for segment in segments:
        for kept, clause in _clauses(parse_segment(segment.text), segment.role is AudienceRole.INCLUDE):
            for field, values in _asked(clause):
                found[kept].setdefault(field, {}).update(dict.fromkeys(values))
    return _listed(found[True]), _listed(found[False])


def _clauses(tree: Node, kept: bool) -> Iterator[tuple[bool, Clause]]:  # noqa: FBT001 - which side it is on
    match tree:
        case Clause():
            yield kept, tree
        case Not(child):
            yield from _clauses(child, not kept)
        case And(children) | Or(children):
            for child in children:
                yield from _clauses(child, kept)
        case _:
            assert_never(tree)


def _asked(clause: Clause) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The fields a clause looks at, with the values that may be published."""
    if clause.field == "has":
        yield from ((_public(value), ()) for value in clause.values if f"has.{value}" not in SUBSCRIPTION)
    elif not clause.field.startswith("consent.") and clause.field != "everyone":
        told = clause.values if clause.field in PUBLISHED else ()
        yield _public(clause.field), tuple(_shown(clause, value) for value in told)


def _public(field: str) -> str:
    """The name of a free attribute may tell as much as its value."""
    return "attr" if field.startswith("attr.") else field


def _shown(clause: Clause, value: str) -> str:
    named = _NAMES.get(clause.field, {}).get(value)
    star = "…" if clause.operator is Operator.STARTS else ""
    return f"{_SIGNS.get(clause.operator, '')}{f'{named} ({value})' if named else value}{star}"


def _listed(found: Mapping[str, Iterable[str]]) -> tuple[Criterion, ...]:
    listed = []
    for field, values in found.items():
        told = tuple(values)
        listed.append(Criterion(field, told[:MOST_VALUES], max(0, len(told) - MOST_VALUES)))
    return tuple(listed)


def _without_values(fields: Iterable[str]) -> tuple[Criterion, ...]:
    return tuple(Criterion(field) for field in dict.fromkeys(map(_public, fields)))
