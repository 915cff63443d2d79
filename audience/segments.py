"""Segments: rules over contacts in the words people use, read, written back, counted and explained.

    (tag:militant or tag:sympathisant) and tag:économie and commune:Marseille

Conditions are joined by `and`, `or`, `except` and `not` (`et`, `ou`, `sauf`, `non`) with parentheses;
`and` binds tighter than `or`. Case, accents and hyphens do not matter in words, communes, tags and levels.
A value with blanks or signs goes in quotes: `commune:"Saint-Étienne"`. Several values: `tag:(a, b)` or
`tag:a|b`. The beginning of a value: `postcode:13*`.

| condition | keeps |
|---|---|
| `tag:` `level:` `commune:` `canton:` | by word (`étiquette`, `niveau`, `ville`) |
| `postcode:` `departement:` `region:` | by code; département and région by name too |
| `circonscription:13-04` `polling_station:` | by constituency, by polling station (`bureau`) |
| `language:fr` `email:` `phone:` `external_id:` | by exact value |
| `birth_date<2000-01-01` `age>=18` | by age |
| `created>2026-01-01` `updated<7d` | by the day the contact came or last changed; `<7d`: in the last 7 days |
| `attr.profession:enseignant` `attr.children>=2` | by a free attribute, as words or as a number |
| `has:phone` `has:tag` `has:attr.profession` | those of whom it is known |
| `consent.email:granted` `consent:sms` | by consent: granted, withdrawn or unknown |
| `consent.targeting:granted` | by consent to being chosen by their data (`consentement.ciblage`) |
| `clicked` `clicked:"Name"` `clicked<30d` | who ever did, in that campaign, in the last 30 days |
| `interaction:meeting` `interaction.meeting<30d` | by what they did with you elsewhere, ever or lately |
| `everyone` | all contacts (`tous`) |

Like `clicked`: `received`, `opened`, `replied`, `bounced`, `complained`, `unsubscribed`. Spans are days
(`30d`, `30j`) or weeks (`4w`, `4s`). `not commune:Marseille` keeps those without a commune too.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, assert_never

from sqlmodel.ext.asyncio.session import AsyncSession

from audience.segment_parser import parse_segment
from audience.segment_tokens import SegmentSyntaxError
from audience.segment_words import KEYWORDS
from models.segment_tree import And, Clause, Node, Not, Operator, Or
from models.text import fold
from store.segments import count_matching

__all__ = ["ClauseCount", "SegmentSyntaxError", "count", "explain", "parse_segment", "write_segment"]

_SIGNS: Final = {
    Operator.BELOW: "<",
    Operator.AT_MOST: "<=",
    Operator.ABOVE: ">",
    Operator.AT_LEAST: ">=",
    Operator.WITHIN: "<",
    Operator.BEYOND: ">",
}
_PLAIN = re.compile(r"[\w.@+’'/&-]+\Z")


def write_segment(node: Node) -> str:
    """The canonical text of a tree: English, one way of writing each thing; it parses to the same tree."""
    match node:
        case And(children):
            return " and ".join(_inner(child) for child in children)
        case Or(children):
            return " or ".join(_inner(child) for child in children)
        case Not(child):
            return f"not {_inner(child)}"
        case Clause():
            return _clause(node)
        case _:
            assert_never(node)


def _inner(node: Node) -> str:
    return f"({write_segment(node)})" if isinstance(node, And | Or) else write_segment(node)


def _clause(clause: Clause) -> str:
    if clause.operator is Operator.EVER:
        return clause.field
    if clause.operator in _SIGNS:
        return f"{clause.field}{_SIGNS[clause.operator]}{_value(clause.values[0])}"
    star = "*" if clause.operator is Operator.STARTS else ""
    values = [f"{_value(value)}{star}" for value in clause.values]
    return f"{clause.field}:{values[0]}" if len(values) == 1 else f"{clause.field}:({', '.join(values)})"


def _value(value: str) -> str:
    if _PLAIN.match(value) and fold(value) not in KEYWORDS:
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


async def count(session: AsyncSession, node: Node, now: datetime) -> int:
    """How many contacts the segment keeps."""
    return await count_matching(session, node, now=now)


@dataclass(frozen=True, slots=True)
class ClauseCount:
    """One line of an explanation: a part of the rule, `depth` levels in, keeps `count` people by itself."""

    depth: int
    text: str
    count: int


async def explain(session: AsyncSession, node: Node, now: datetime) -> list[ClauseCount]:
    """The rule as an indented tree, each group and each clause with the number it keeps alone.

    Groups come before their members, with the text `all of` or `any of`; one question to the database a
    line.
    """
    return [
        ClauseCount(depth, text, await count_matching(session, part, now=now))
        for depth, text, part in _lines(node, 0)
    ]


def _lines(node: Node, depth: int) -> Iterator[tuple[int, str, Node]]:
    match node:
        case And(children) | Or(children):
            yield depth, "all of" if isinstance(node, And) else "any of", node
            for child in children:
                yield from _lines(child, depth + 1)
        case Not(child) if not isinstance(child, Clause):
            yield depth, "everybody but", node
            yield from _lines(child, depth + 1)
        case Not() | Clause():
            yield depth, write_segment(node), node
        case _:
            assert_never(node)
