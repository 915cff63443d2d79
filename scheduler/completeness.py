"""Whether a campaign's message is whole for everybody it would go to, asked before anything is queued.

The database names the people who have a field blank that the message shows; only they are looked at one
by one, since a blank may be meant: a condition, a fallback in the text.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from models.contact import Contact
from models.identity import Identity
from models.template import TemplateVersion
from scheduler.content import Content, values_for
from scheduler.letters import GIVEN, sender_values
from scheduler.senders import Chooser
from store import Database, contacts, freezing
from store.audiences import Selection

LOOKED_AT: Final = 1000
NAMED_AT_MOST: Final = 5
LISTED_AT_MOST: Final = 200
_MARKS = re.compile(r"\{\{.*?\}\}|\{%", re.DOTALL)
_PLAIN = re.compile(r"\{\{-?\s*\w+\s*(?:\|\s*default\(\s*(?:\"[^\"{}]*\"|'[^'{}]*')\s*\)\s*)?-?\}\}")


@dataclass(slots=True)
class Lacking:
    """What the message would lack, and for whom."""

    count: int = 0
    fields: set[str] = field(default_factory=set)
    people: dict[int, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return self.count > 0

    def in_words(self) -> str:
        """One paragraph for people."""
        named = list(self.people.values())[:NAMED_AT_MOST]
        more = f" and {self.count - NAMED_AT_MOST} more" if self.count > NAMED_AT_MOST else ""
        rest = (
            f"{', '.join(sorted(self.fields))}. Nothing was queued. Give the template a fallback, complete "
            f"the contacts or exclude them. Concerned: {'; '.join(named)}{more}."
        )
        if self.count == 1:
            return f"1 person lacks a value the message needs: {rest}"
        return f"{self.count:,} people lack a value the message needs: {rest}"


def fields_to_look_at(
    content: Content, version: TemplateVersion, identities: Sequence[Identity]
) -> frozenset[str] | None:
    """The fields that may not be blank, or of which only a closer look can tell; None: look at all people.

    Everybody is looked at when a sender lacks what the message says of it.
    """
    fields = content.compiled.fields
    for identity in identities:
        if content.compiled.missing({**dict.fromkeys(fields - GIVEN, "x"), **_given(identity)}):
            return None
    own = fields - GIVEN - {name for name, text in version.fallbacks.items() if text.strip()}
    texts = f"{version.subject}\n{version.preheader}\n{version.body}\n{version.text}"
    if not all(_PLAIN.fullmatch(mark) for mark in _MARKS.findall(texts)):
        return frozenset(own)
    # Each field stands for itself: what is missed of one person is missed of everybody.
    return frozenset(
        name for name in own if name in content.compiled.missing(dict.fromkeys(fields - {name}, "x"))
    )


def _given(identity: Identity) -> dict[str, str]:
    return {**dict.fromkeys(GIVEN, "x"), **sender_values(identity)}


async def who_lacks(
    database: Database,
    selection: Selection,
    *,
    chooser: Chooser,
    content: Content,
    fields: Collection[str] | None,
    at: datetime,
) -> Lacking:
    """Everybody who would get a message that is not whole; `fields` as `fields_to_look_at` says."""
    lacking = Lacking()
    after_id = 0
    while fields is None or fields:
        async with database.read() as session:
            numbers = await freezing.lacking(
                session, selection, at, fields=fields, after_id=after_id, limit=LOOKED_AT
            )
            tags = await contacts.tags_of(session, numbers)
            found = {person.id: person for person in await contacts.get_contacts(session, numbers)}
        for number in numbers:
            if person := found.get(number):
                _look_at(person, tags[number], chooser, content, lacking)
        if len(numbers) < LOOKED_AT:
            break
        after_id = numbers[-1]
    return lacking


def _look_at(
    person: Contact, tags: Sequence[str], chooser: Chooser, content: Content, lacking: Lacking
) -> None:
    identity = chooser.choose(person)
    if identity is None:
        return
    missing = content.compiled.missing(values_for(person, tags, identity, content))
    if not missing:
        return
    lacking.count += 1
    lacking.fields.update(missing)
    if len(lacking.people) < LISTED_AT_MOST:
        lacking.people[person.id] = f"{person.email or person.phone} ({', '.join(missing)})"
