"""A batch of a file made ready for the database, so that whoever writes has as little to do as can be.

Made where the file is read, which is beside the process that writes (`audience.import_reading`): what is
done here takes nothing from the time of the database. Only numbers of contacts are missing, which are
known when they are written; until then a row is known by its place in the batch.
"""

import marshal
from collections import Counter
from dataclasses import astuple, dataclass
from datetime import datetime
from itertools import compress
from typing import Final

from audience.import_batch import Batch
from audience.import_file import Record
from audience.import_memory import Said, Worn
from audience.import_rows import Note
from models.states import Channel
from store.contacts import KEYS, Proof, arrange_people
from store.loading import Rows

__all__ = ["ReadyBatch", "make_ready"]

_HASHES: Final = {Channel.EMAIL: "email_hash", Channel.SMS: "phone_hash"}


@dataclass(slots=True)
class ReadyBatch:
    """What a block of lines says, row by row, ready to be written.

    `lines` are where the rows begin, `cells` what they hold, put away (see `record`). `places` are the rows
    that share no key with another of the batch, and `people`, `tags` (label and wearers, by key) and `said`
    (statements, and who made which) are theirs. `hashes` are fingerprints of all addresses, when they are
    asked for. `noted` holds the notes of rows that have some, by row; `rejected` those of lines that are no
    row. The next batch begins at `next_line`.
    """

    lines: list[int]
    cells: list[bytes]
    places: list[int]
    people: Rows
    tags: dict[str, tuple[str, list[int]]]
    said: tuple[list[Proof], list[tuple[int, int]]]
    hashes: dict[Channel, list[str]]
    noted: dict[int, list[Note]]
    rejected: list[Note]
    next_line: int
    bytes_read: int

    @property
    def records(self) -> int:
        """How many lines say something."""
        return len(self.lines) + len(self.rejected)

    def record(self, row: int) -> Record:
        """One of the rows as it stands in the file."""
        line = self.lines[row]
        return Record(line, line, marshal.loads(self.cells[row]))  # noqa: S302 - written here

    def pack(self) -> bytes:
        """The batch as bytes for another process of the same program."""
        noted = {row: [astuple(note) for note in notes] for row, notes in self.noted.items()}
        rejected = [astuple(note) for note in self.rejected]
        people = (self.people.names, self.people.content, dict(self.people.constants))
        hashes = {channel.value: found for channel, found in self.hashes.items()}
        parts = (self.lines, self.cells, self.places, people, self.tags, self.said, hashes, noted, rejected)
        return marshal.dumps((*parts, self.next_line, self.bytes_read))

    @classmethod
    def unpack(cls, packed: bytes) -> "ReadyBatch":
        """What `pack` packed."""
        found = marshal.loads(packed)  # noqa: S302 - written by the same program
        lines, cells, places, people, tags, said, hashes, noted, rejected, *end = found
        return cls(
            *(lines, cells, places, Rows(*people), tags, said),
            {Channel(name): values for name, values in hashes.items()},
            {row: [Note(*note) for note in notes] for row, notes in noted.items()},
            [Note(*note) for note in rejected],
            *end,
        )


def make_ready(batch: Batch, *, embedded: bool, with_hashes: bool, now: datetime) -> ReadyBatch:
    """The batch as the database takes it fastest; `embedded` is SQLite. The batch is used up."""
    alone = _alone(batch)
    places = [row for row, is_alone in enumerate(alone) if is_alone]
    hashes = {
        channel: [value for value in batch.columns.get(name, ()) if value is not None]
        for channel, name in _HASHES.items()
        if with_hashes
    }
    columns = (
        batch.columns
        if len(places) == len(alone)
        else {name: list(compress(column, alone)) for name, column in batch.columns.items()}
    )
    return ReadyBatch(
        batch.lines,
        batch.cells,
        places,
        arrange_people(places, columns, now=now, embedded=embedded),
        _wearers(places, list(compress(batch.tags, alone))),
        _proofs(places, list(compress(batch.said, alone))),
        hashes,
        batch.noted,
        batch.rejected,
        batch.next_line,
        batch.bytes_read,
    )


def _alone(batch: Batch) -> list[bool]:
    """Whether each row shares no key with another row of the batch."""
    alone = [True] * len(batch.lines)
    for name in KEYS:
        column = [key for key in batch.columns.get(name, ()) if key is not None]
        if len(set(column)) == len(column):
            continue
        times = Counter(column)
        for row, key in enumerate(batch.columns[name]):
            if key is not None and times[key] > 1:
                alone[row] = False
    return alone


def _wearers(places: list[int], worn: list[Worn]) -> dict[str, tuple[str, list[int]]]:
    """Each tag, by key and in the order of keys: its first label, and who wears it."""
    found: dict[str, tuple[str, list[int]]] = {}
    for place, tags in zip(places, worn, strict=True):
        for key, label in tags:
            if (wearers := found.get(key)) is None:
                wearers = found[key] = (label, [])
            wearers[1].append(place)
    return dict(sorted(found.items()))


def _proofs(places: list[int], said: list[Said]) -> tuple[list[Proof], list[tuple[int, int]]]:
    """The different statements, and which row made which of them."""
    numbers: dict[Proof, int] = {}
    made = [
        (place, numbers.setdefault(statement, len(numbers)))
        for place, statements in zip(places, said, strict=True)
        for statement in statements
    ]
    return list(numbers), made
