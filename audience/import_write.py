"""One batch of rows written: the contacts they share keys with, the merge, and what it changes."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlmodel.ext.asyncio.session import AsyncSession

from audience.consent import TARGETING, Topic
from audience.import_merge import Change, Merger, Person, UpdatePolicy
from audience.import_ready import ReadyBatch
from audience.import_rows import ImportedRow, Note, RowReader
from models.states import Channel, ConsentStatus
from store import contacts, targeting
from store.newcomers import insert_people
from store.suppressions import suppressed_hashes

__all__ = ["BegunBatch", "WrittenBatch", "begin_batch", "finish_batch", "latest_words", "write_people"]

MERGED_AT_ONCE: Final = 1000


@dataclass(slots=True)
class WrittenBatch:
    """What became of the rows; `suppressed` are fingerprints of their addresses that are not written to."""

    created: int
    updated: int
    unchanged: int
    notes: list[Note]
    suppressed: set[str]


@dataclass(frozen=True, slots=True)
class BegunBatch:
    """A batch whose new people are written; `numbers` are those of its rows, `created` the rows they are."""

    numbers: list[int]
    created: set[int]


async def begin_batch(
    session: AsyncSession, batch: ReadyBatch, numbers: list[int], *, trusting: bool, now: datetime
) -> BegunBatch:
    """Write the rows that share no key with another row nor with a contact, in the caller's transaction.

    They are new people, independent of all others and of every batch before: they are inserted at one go,
    under the `numbers` reserved for the rows. `trusting`: nobody is thought to be there already; where
    somebody is, PostgreSQL may raise IntegrityError.
    """
    made = await insert_people(session, numbers, batch.people, trusting=trusting, now=now)
    return BegunBatch(numbers, {place for place in batch.places if made is None or numbers[place] in made})


async def finish_batch(
    session: AsyncSession,
    batch: ReadyBatch,
    begun: BegunBatch,
    reader: RowReader,
    *,
    policy: UpdatePolicy,
    look_up: bool,
    now: datetime,
) -> WrittenBatch:
    """Lay the rest over what is stored, in order, and write the difference, in the same transaction.

    The batches before must be committed: these rows may be about people whom those have brought.
    `look_up` False: nothing is suppressed at all, so it need not be asked.
    """
    numbers, created = begun.numbers, begun.created
    notes = [note for row, found in batch.noted.items() if row in created for note in found]
    written = WrittenBatch(len(created), 0, 0, notes, set())
    entangled = [row for row in range(len(numbers)) if row not in created]
    for start in range(0, len(entangled), MERGED_AT_ONCE):
        part = entangled[start : start + MERGED_AT_ONCE]
        rows = await asyncio.to_thread(_read, batch, reader, part)
        await _merge(session, rows, [numbers[row] for row in part], written, policy=policy, now=now)
    if look_up:
        for channel, hashes in batch.hashes.items():
            written.suppressed.update(await suppressed_hashes(session, channel, set(hashes), now))
    return written


def _read(batch: ReadyBatch, reader: RowReader, rows: Sequence[int]) -> list[ImportedRow]:
    found = map(reader.read, batch.as_filed(rows))
    return [row for row in found if isinstance(row, ImportedRow)]


async def _merge(
    session: AsyncSession,
    rows: Sequence[ImportedRow],
    numbers: Sequence[int],
    written: WrittenBatch,
    *,
    policy: UpdatePolicy,
    now: datetime,
) -> None:
    """Lay rows one after the other over the people they are about; `numbers` are for those who are new."""
    keys = {name: {row.values[name] for row in rows if name in row.values} for name in contacts.KEYS}
    stored = await contacts.find_stored(session, keys, with_tags=any(row.tags for row in rows))
    topics = {topic for row in rows for topic in row.statements}
    latest = await latest_words(session, [contact.id for contact in stored], topics)
    merger = Merger(stored, latest, policy=policy, now=now)
    counts: Counter[Change] = Counter()
    free: list[int] = []
    for row, number in zip(rows, numbers, strict=True):
        change, found = merger.merge(row)
        counts[change] += 1
        written.notes += [*row.notes, *found]
        if change is Change.CREATED:
            free.append(number)
    await write_people(session, merger, free, now)
    written.created += counts[Change.CREATED]
    written.updated += counts[Change.UPDATED]
    written.unchanged += counts[Change.UNCHANGED]


async def latest_words(
    session: AsyncSession, people: Sequence[int], topics: Collection[Topic]
) -> dict[tuple[int, Topic, ConsentStatus], datetime]:
    """When each of them last said yes, and last said no, where anything is to be said of `topics`."""
    latest: dict[tuple[int, Topic, ConsentStatus], datetime] = {}
    if topics:
        latest.update((await contacts.latest_statements(session, people)).items())
    if TARGETING in topics:
        for (number, status), given_at in (await targeting.latest_statements(session, people)).items():
            latest[number, TARGETING, status] = given_at
    return latest


async def write_people(session: AsyncSession, merger: Merger, numbers: Sequence[int], now: datetime) -> None:
    """Write what a merge changed, and its new people under `numbers`, in order."""
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
    values = [person.values for person in fresh]
    await contacts.insert_contacts(session, values, now=now, numbers=numbers)
    for person, number in zip(fresh, numbers, strict=True):
        person.id = number
    worn = [(key, person.id) for person in merger.people for key in person.new_tags if person.id]
    await contacts.add_tags(session, merger.labels, worn)
    await contacts.add_statements(session, list(_statements(merger.people, now)))
    await targeting.add_statements(session, _about_targeting(merger.people, now), now)


def _statements(people: Sequence[Person], now: datetime) -> Iterator[dict[str, Any]]:
    for person in people:
        for topic, statement in person.statements:
            if isinstance(topic, Channel):
                yield {
                    "contact_id": person.id,
                    "channel": topic,
                    "status": statement.status,
                    "source": statement.source,
                    "given_at": statement.given_at or now,
                    "recorded_at": now,
                }


def _about_targeting(people: Sequence[Person], now: datetime) -> list[targeting.Said]:
    return [
        targeting.Said(person.id, statement.status, statement.source, statement.given_at or now)
        for person in people
        for topic, statement in person.statements
        if topic == TARGETING and person.id is not None
    ]
