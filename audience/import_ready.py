"""A batch of a file made ready for the database, so that whoever writes has as little to do as can be.

Made where the file is read, which is beside the process that writes (`audience.import_reading`): what is
done here takes nothing from the time of the database. Only numbers of contacts are missing, which are
known when they are written; until then a row is known by its place in the batch.
"""

import marshal
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from itertools import compress
from typing import Final

from audience.import_batch import Batch, taken_out
from audience.import_file import Record
from audience.import_memory import Worn
from audience.import_rows import Note
from audience.import_seen import KeysSeen
from models.states import Channel
from store.arriving import ArrivingRows
from store.contacts import KEYS
from store.newcomers import Newcomers, arrange_people

__all__ = ["ReadyBatch", "make_ready"]

_HASHES: Final = {Channel.EMAIL: "email_hash", Channel.SMS: "phone_hash"}


@dataclass(slots=True)
class ReadyBatch:
    """What a block of lines says, row by row, ready to be written.

    `lines` are where the rows begin, `cells` what they hold, put away (see `as_filed`). `places` are the rows
    that share no key with another of the file up to here, and `people` are made of them. `hashes` are
    fingerprints of all addresses, when they are asked for. `noted` holds the notes of rows that have some,
    by row; `rejected` those of lines that are no row. The next batch begins at `next_line`.
    """

    lines: list[int]
    cells: list[bytes]
    places: list[int]
    people: Newcomers
    hashes: dict[Channel, list[str]]
    noted: dict[int, list[Note]]
    rejected: list[Note]
    next_line: int
    bytes_read: int

    @property
    def records(self) -> int:
        """How many lines say something."""
        return len(self.lines) + len(self.rejected)

    def as_filed(self, rows: Sequence[int]) -> Iterator[Record]:
        """Some of the rows, given in order, as they stand in the file."""
        for row, cells in zip(rows, taken_out(self.cells, rows), strict=True):
            yield Record(self.lines[row], self.lines[row], cells)

    def pack(self) -> bytes:
        """The batch as bytes for another process of the same program."""
        noted = {row: [astuple(note) for note in notes] for row, notes in self.noted.items()}
        rejected = [astuple(note) for note in self.rejected]
        rows = (self.people.rows.columns, self.people.rows.content)
        people = (rows, self.people.count, self.people.constants, self.people.labels)
        hashes = {channel.value: found for channel, found in self.hashes.items()}
        parts = (self.lines, self.cells, self.places, people, hashes, noted, rejected)
        return marshal.dumps((*parts, self.next_line, self.bytes_read))

    @classmethod
    def unpack(cls, packed: bytes) -> "ReadyBatch":
        """What `pack` packed."""
        found = marshal.loads(packed)  # noqa: S302 - written by the same program
        lines, cells, places, (rows, *people), hashes, noted, rejected, *end = found
        return cls(
            *(lines, cells, places, Newcomers(ArrivingRows(*rows), *people)),
            {Channel(name): values for name, values in hashes.items()},
            {row: [Note(*note) for note in notes] for row, notes in noted.items()},
            [Note(*note) for note in rejected],
            *end,
        )


def make_ready(
    batch: Batch, seen: KeysSeen, *, embedded: bool, with_hashes: bool, now: datetime
) -> ReadyBatch:
    """The batch as the database takes it fastest; `embedded` is SQLite. The batch is used up.

    `seen` are the keys of the batches before this one, to which its own are added.
    """
    alone = _alone(batch, seen)
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
    worn, labels = _wearers(places, compress(batch.tags, alone))
    made = zip(places, compress(batch.said, alone), strict=True)
    said = [(place, statement) for place, statements in made for statement in statements]
    chosen = zip(places, compress(batch.agreed, alone), strict=True) if batch.agreed else ()
    agreed = [(place, statement) for place, statements in chosen for statement in statements]
    return ReadyBatch(
        batch.lines,
        batch.cells,
        places,
        arrange_people(
            *(places, columns, worn, said), agreed=agreed, labels=labels, now=now, embedded=embedded
        ),
        hashes,
        batch.noted,
        batch.rejected,
        batch.next_line,
        batch.bytes_read,
    )


def _alone(batch: Batch, seen: KeysSeen) -> list[bool]:
    """Whether each row shares no key with another row of the batch, nor with one before it."""
    alone = [True] * len(batch.lines)
    for name in KEYS:
        column = batch.columns.get(name, ())
        rows = seen.add(column)
        for row in rows:
            alone[row] = False
        # One that comes twice within the batch is known the second time: the first is not alone either.
        twice = {column[row] for row in rows}
        if twice:
            for row, key in enumerate(column):
                if key in twice:
                    alone[row] = False
    return alone


def _wearers(places: list[int], worn: Iterable[Worn]) -> tuple[list[tuple[str, int]], dict[str, str]]:
    """Who wears which tag, by key and in the order of keys; and the first label of each key."""
    labels: dict[str, str] = {}
    wearers: dict[str, list[int]] = {}
    for place, tags in zip(places, worn, strict=True):
        for key, label in tags:
            if key not in labels:
                labels[key], wearers[key] = label, []
            wearers[key].append(place)
    return [(key, place) for key in sorted(wearers) for place in wearers[key]], labels
