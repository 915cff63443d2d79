"""One batch of rows written: the contacts they share keys with, the merge, and what it changes."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from audience.import_merge import Change, Merger, Person, UpdatePolicy
from audience.import_rows import ImportedRow, Note
from models.states import Channel
from models.suppression import address_hash
from store import contacts
from store.suppressions import suppressed_hashes

__all__ = ["WrittenBatch", "write_batch"]


@dataclass(frozen=True, slots=True)
class WrittenBatch:
    """What became of the rows; `suppressed` are fingerprints of their addresses that are not written to."""

    created: int
    updated: int
    unchanged: int
    notes: list[Note]
    suppressed: set[str]


async def write_batch(
    session: AsyncSession, rows: Sequence[ImportedRow], *, policy: UpdatePolicy, look_up: bool, now: datetime
) -> WrittenBatch:
    """Merge the rows with what is stored and write the difference, in the caller's transaction.

    `look_up` False: nothing is suppressed at all, so it need not be asked.
    """
    keys = {name: {row.values[name] for row in rows if name in row.values} for name in contacts.KEYS}
    stored = await contacts.find_stored(session, keys, with_tags=any(row.tags for row in rows))
    spoken = [contact.id for contact in stored] if any(row.statements for row in rows) else []
    latest = await contacts.latest_statements(session, spoken)
    merger = Merger(stored, latest, policy=policy, now=now)
    counts: Counter[Change] = Counter()
    notes: list[Note] = []
    for row in rows:
        change, found = merger.merge(row)
        counts[change] += 1
        notes += row.notes
        notes += found
    await _write_people(session, merger, now)
    return WrittenBatch(
        counts[Change.CREATED],
        counts[Change.UPDATED],
        counts[Change.UNCHANGED],
        notes,
        await _suppressed(session, rows, now) if look_up else set(),
    )


async def _write_people(session: AsyncSession, merger: Merger, now: datetime) -> None:
    released: dict[str, list[int]] = defaultdict(list)
    changes: list[tuple[int, dict[str, Any]]] = []
    fresh: list[Person] = []
    for person in merger.people:
        if person.id is None:
            fresh.append(person)
            continue
        for name in sorted(person.released):
            released[name].append(person.id)
        if person.changed:
            changes.append((person.id, {name: person.values[name] for name in person.changed}))
    await contacts.release_keys(session, released)
    await contacts.update_contacts(session, changes, now=now)
    numbers = await contacts.insert_contacts(session, [person.values for person in fresh], now=now)
    for person, number in zip(fresh, numbers, strict=True):
        person.id = number
    worn = [(key, person.id) for person in merger.people for key in person.new_tags if person.id]
    await contacts.add_tags(session, merger.labels, worn)
    await contacts.add_statements(session, _statements(merger.people, now))


def _statements(people: Sequence[Person], now: datetime) -> list[dict[str, Any]]:
    return [
        {
            "contact_id": person.id,
            "channel": channel,
            "status": statement.status,
            "source": statement.source,
            "given_at": statement.given_at or now,
            "recorded_at": now,
        }
        for person in people
        for channel, statement in person.statements
    ]


async def _suppressed(session: AsyncSession, rows: Sequence[ImportedRow], now: datetime) -> set[str]:
    found: set[str] = set()
    for name, channel in (("email", Channel.EMAIL), ("phone", Channel.SMS)):
        hashes = {address_hash(channel, row.values[name]) for row in rows if name in row.values}
        if hashes:
            found |= await suppressed_hashes(session, channel, hashes, now)
    return found
