"""One person as a program tells of them: read as a row of a file is, and laid over who is there as a row is.

What differs: nothing is passed over. A part that cannot be read, or an address that is somebody else's, stops
the whole, since there is a program to tell it to; and what is said to be empty is emptied.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlmodel.ext.asyncio.session import AsyncSession

from audience.consent import Statement, Topic
from audience.import_columns import Column
from audience.import_merge import CONTESTED, Change, Merger, Person, UpdatePolicy
from audience.import_rows import ImportedRow, Note, RowReader
from audience.import_write import latest_words, write_people
from models.errors import BadInputError, ConflictError
from models.segment_tree import ATTRIBUTE_PREFIX
from store import contacts
from store.contacts import BLANK, KEYS, StoredContact

__all__ = ["Card", "CardError", "TakenError", "Written", "change", "create", "upsert"]

AHEAD: Final = timedelta(days=1)
"""A day that has begun elsewhere."""


class CardError(BadInputError):
    """Parts of a card cannot be read; `parts` are their names and what is wrong with each."""

    def __init__(self, parts: Sequence[tuple[str, str]]) -> None:
        """At least one part."""
        super().__init__(f"{parts[0][0]}: {parts[0][1]}")
        self.parts = tuple(parts)


class TakenError(ConflictError):
    """An address or identifier belongs to somebody else: to the contact number `owner_id`."""

    def __init__(self, part: str, owner_id: int) -> None:
        """`part`: external_id, email or phone."""
        super().__init__(f"Another contact has this {part}.")
        self.part, self.owner_id = part, owner_id


@dataclass(frozen=True, slots=True)
class Card:
    """What is said of one person.

    `cells` by field of `audience.fields` or `attr.NAME`, as a file would write them; None empties. `tags` are
    put on; `bare`: all are taken off. `statements` are what the person said.
    """

    cells: Mapping[str, str | None]
    tags: Sequence[str] = ()
    bare: bool = False
    statements: Mapping[Topic, Statement] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Written:
    """Who it is, whether they are new, and what a person should look at."""

    number: int
    made: bool
    notes: tuple[Note, ...] = ()


class _Said(NamedTuple):
    """A card, and how it reads as a row."""

    row: ImportedRow
    card: Card


async def upsert(session: AsyncSession, card: Card, *, region: str, now: datetime) -> Written:
    """Lay the card over whom it is about, as a file's row would be; CardError, TakenError."""
    row = _read(card, region, now)
    merger = await _merger(session, row, [], now)
    return await _lay(session, merger, merger.person_of(row.values), _Said(row, card), now)


async def create(session: AsyncSession, card: Card, *, region: str, now: datetime) -> Written:
    """Somebody new; TakenError when one of the keys is known, CardError."""
    row = _read(card, region, now)
    merger = await _merger(session, row, [], now)
    return await _lay(session, merger, None, _Said(row, card), now)


async def change(
    session: AsyncSession, contact_id: int, card: Card, *, region: str, now: datetime
) -> Written:
    """Lay the card over the contact of that number; NotFoundError, CardError, TakenError."""
    row = _read(card, region, now)
    own = await contacts.find_numbered(session, contact_id)
    merger = await _merger(session, row, [own], now)
    person = next(person for person in merger.people if person.id == contact_id)
    return await _lay(session, merger, person, _Said(row, card), now)


def _read(card: Card, region: str, now: datetime) -> ImportedRow:
    given = {name: cell for name, cell in card.cells.items() if cell is not None}
    if card.tags:
        given["tags"] = ";".join(card.tags)
    columns = [Column(place, name, name) for place, name in enumerate(given)]
    row = RowReader(columns, source="", consents={}, region=region, now=now).read_part([*given.values()], {})
    row.statements = dict(card.statements)
    wrong = [(note.field, note.reason) for note in row.notes if not _is_in(row, note.field)]
    wrong += [
        (f"consents.{topic}", "A consent cannot come from the future.")
        for topic, said in card.statements.items()
        if said.given_at is not None and said.given_at > now + AHEAD
    ]
    if wrong:
        raise CardError(wrong)
    return row


def _is_in(row: ImportedRow, name: str) -> bool:
    return name in row.values or name in row.attributes


async def _merger(
    session: AsyncSession, row: ImportedRow, own: Sequence[StoredContact], now: datetime
) -> Merger:
    """Everybody who shares a key with the row; `own` in place of themselves."""
    keys: dict[str, set[str]] = {name: {row.values[name]} for name in KEYS if name in row.values}
    found = await contacts.find_stored(session, keys, with_tags=True)
    known = {contact.id for contact in own}
    stored = [*own, *(contact for contact in found if contact.id not in known)]
    latest = await latest_words(session, [contact.id for contact in stored], row.statements.keys())
    return Merger(stored, latest, policy=UpdatePolicy.OVERWRITE, now=now)


async def _lay(
    session: AsyncSession, merger: Merger, person: Person | None, said: _Said, now: datetime
) -> Written:
    row, card = said
    others = [other for other in merger.people if other is not person]
    owners = {(name, other.values[name]): other.id for other in others for name in KEYS}
    what, notes = merger.merge_into(person, row)
    for note in notes:
        if note.reason == CONTESTED:
            raise TakenError(note.field, owners[note.field, note.value] or 0)
    made = what is Change.CREATED
    person = merger.people[-1] if person is None else person
    worn = set() if made else person.tags - person.new_tags
    _empty(person, card)
    if not any(person.values.get(name) for name in KEYS):
        raise CardError([("email", "A person needs an e-mail address, a telephone or an identifier.")])
    await write_people(session, merger, await contacts.reserve(session, 1) if made else [], now)
    number = person.id or 0
    off = await contacts.remove_tags(session, number, worn) if card.bare else 0
    if not made and not person.changed and (off or person.new_tags):
        # Whoever asks for what changed is told of tags, too.
        await contacts.update_contacts(session, [(number, {})], now=now)
    return Written(number, made, (*row.notes, *notes))


def _empty(person: Person, card: Card) -> None:
    """Take away what the card says is empty."""
    attributes = dict(person.values.get("attributes") or {})
    for name, cell in card.cells.items():
        if cell is not None:
            continue
        if name.startswith(ATTRIBUTE_PREFIX) or name == "country":
            if attributes.pop(name.removeprefix(ATTRIBUTE_PREFIX), None) is not None:
                person.values["attributes"] = attributes
                person.changed.add("attributes")
            continue
        blank = BLANK.get(name)
        if person.values.get(name) not in {None, blank}:
            person.values[name] = blank
            person.changed.add(name)
