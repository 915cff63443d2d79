"""Rows of a file laid over the contacts that exist: who is meant, what changes, what cannot be taken over.

Pure: it sees one batch of rows and the contacts that share a key with one of them, and gives back what
is to be written. Rows count one after the other, so that two lines about one person are one contact.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

from audience.consent import CONSENT_COLUMN, Statement, Topic, stands
from audience.import_rows import ImportedRow, Note
from models.states import ConsentStatus
from models.text import fold
from store.contacts import KEYS, StoredContact

__all__ = ["CONTESTED", "Change", "Merger", "Person", "UpdatePolicy"]


class UpdatePolicy(StrEnum):
    """What a file does to a contact that exists already; an empty cell never does anything.

    OVERWRITE: its values replace. FILL: they fill what is empty. KEEP: only what it says of consent counts.
    """

    OVERWRITE = "overwrite"
    FILL = "fill"
    KEEP = "keep"


class Change(StrEnum):
    """What became of one row."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


@dataclass(slots=True, eq=False)
class Person:
    """A contact in the making: `id` None while it is new; `changed` are the columns to write."""

    id: int | None
    values: dict[str, Any]
    tags: set[str]
    changed: set[str] = field(default_factory=set)
    released: set[str] = field(default_factory=set)
    new_tags: set[str] = field(default_factory=set)
    given_at: dict[Topic, datetime] = field(default_factory=dict)
    statements: list[tuple[Topic, Statement]] = field(default_factory=list)


# A file has few different tags.
_folded: Final = lru_cache(maxsize=16_384)(fold)
CONTESTED: Final = "Belongs to another contact; the row is kept without it."
_WITHDRAWN: Final = "Consent was withdrawn; an import does not undo that. The refusal stands."


class Merger:
    """Merges the rows of one batch; `people` then holds everybody touched, in the order of the rows."""

    def __init__(
        self,
        stored: Sequence[StoredContact],
        latest: Mapping[tuple[int, Topic, ConsentStatus], datetime],
        *,
        policy: UpdatePolicy,
        now: datetime,
    ) -> None:
        """`stored` are the contacts that share a key with a row, `latest` when each last spoke of consent."""
        self.people: list[Person] = []
        self.labels: dict[str, str] = {}
        self._policy = policy
        self._now = now
        self._by_key: dict[str, dict[str, Person]] = {name: {} for name in KEYS}
        for contact in stored:
            person = Person(contact.id, contact.values, contact.tags)
            for topic, column in CONSENT_COLUMN.items():
                given_at = latest.get((contact.id, topic, contact.values[column]))
                if given_at is not None:
                    person.given_at[topic] = given_at
            self.people.append(person)
            for name in KEYS:
                if contact.values[name] is not None:
                    self._by_key[name][contact.values[name]] = person

    def merge(self, row: ImportedRow) -> tuple[Change, list[Note]]:
        """Lay one row over the person it is about, new if need be; notes say what was not taken over."""
        return self.merge_into(self.person_of(row.values), row)

    def merge_into(self, person: Person | None, row: ImportedRow) -> tuple[Change, list[Note]]:
        """Lay one row over that person, whomever it may seem to be about; None: somebody new."""
        notes: list[Note] = []
        values = row.values
        for name in KEYS:
            owner = self._by_key[name].get(values[name]) if name in values else None
            if owner is not None and owner is not person:
                notes.append(Note(row.line, name, values[name], CONTESTED))
                values = {key: value for key, value in values.items() if key != name}
        if person is None:
            self._create(row, values, notes)
            return Change.CREATED, notes
        before = len(person.changed), len(person.new_tags), len(person.statements)
        changed = False
        if person.id is None or self._policy is not UpdatePolicy.KEEP:
            changed = self._lay_over(person, values, row)
            self._tag(person, row.tags)
        changed = self._hear(person, row, notes) or changed
        after = len(person.changed), len(person.new_tags), len(person.statements)
        return (Change.UPDATED if changed or before != after else Change.UNCHANGED), notes

    def person_of(self, values: Mapping[str, Any]) -> Person | None:
        """Whom a row is about: by identifier, else by e-mail, else by telephone.

        An address does not stand for a person who has another identifier, nor a telephone for one who has
        another e-mail: families share telephones.
        """
        by_key = self._by_key
        external_id, email, phone = values.get("external_id"), values.get("email"), values.get("phone")
        if external_id is not None and (person := by_key["external_id"].get(external_id)):
            return person
        if email is not None and (person := by_key["email"].get(email)):
            return person if external_id is None or person.values.get("external_id") is None else None
        if phone is not None and (person := by_key["phone"].get(phone)):
            other_email = email is not None and person.values.get("email") is not None
            other_id = external_id is not None and person.values.get("external_id") is not None
            return None if other_email or other_id else person
        return None

    def _create(self, row: ImportedRow, values: Mapping[str, Any], notes: list[Note]) -> None:
        person = Person(None, dict(values), set())
        if row.attributes:
            person.values["attributes"] = dict(row.attributes)
        self.people.append(person)
        for name in KEYS:
            if name in values:
                self._by_key[name][values[name]] = person
        self._tag(person, row.tags)
        self._hear(person, row, notes)

    def _lay_over(self, person: Person, values: Mapping[str, Any], row: ImportedRow) -> bool:
        current, fill = person.values, self._policy is UpdatePolicy.FILL and person.id is not None
        stale_postcode = fill and current.get("postcode") not in {None, values.get("postcode")}
        changed = False
        for name, value in values.items():
            known = current.get(name)
            if known == value or (fill and known is not None):
                continue
            if stale_postcode and name in row.derived:
                continue
            if name in KEYS:
                self._rename(person, name, known, value)
            current[name] = value
            person.changed.add(name)
            changed = True
        if row.attributes:
            known = current.get("attributes") or {}
            merged = {**row.attributes, **known} if fill else {**known, **row.attributes}
            if merged != known:
                current["attributes"] = merged
                person.changed.add("attributes")
                changed = True
        return changed

    def _rename(self, person: Person, name: str, known: str | None, value: str) -> None:
        if known is not None:
            self._by_key[name].pop(known, None)
            if person.id is not None:
                person.released.add(name)
        self._by_key[name][value] = person

    def _tag(self, person: Person, labels: Sequence[str]) -> None:
        for label in labels:
            key = _folded(label)
            if key not in person.tags:
                person.tags.add(key)
                person.new_tags.add(key)
                self.labels.setdefault(key, label)

    def _hear(self, person: Person, row: ImportedRow, notes: list[Note]) -> bool:
        """Take what the row says of consent: a statement that stands changes the person, others are proof."""
        changed = False
        for topic, statement in row.statements.items():
            column = CONSENT_COLUMN[topic]
            status = person.values.get(column) or ConsentStatus.UNKNOWN
            if stands(statement, status, person.given_at.get(topic)):
                person.values[column] = statement.status
                person.changed.add(column)
                person.given_at[topic] = statement.given_at or self._now
                person.statements.append((topic, statement))
                changed = True
                continue
            _keep_as_proof(person, topic, statement, status)
            if (statement.status, status) == (ConsentStatus.GRANTED, ConsentStatus.WITHDRAWN):
                notes.append(Note(row.line, column, "", _WITHDRAWN))
        return changed


def _keep_as_proof(person: Person, topic: Topic, statement: Statement, status: ConsentStatus) -> None:
    """A dated statement that changes nothing is still something the person said."""
    given_at = person.given_at.get(topic)
    if statement.given_at is None or statement.given_at == given_at:
        return
    person.statements.append((topic, statement))
    if statement.status is status and given_at is not None:
        person.given_at[topic] = max(given_at, statement.given_at)
