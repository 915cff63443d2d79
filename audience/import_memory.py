"""What the cells of a file mean, found once and remembered.

A file repeats itself: a million people have a few hundred communes, levels, combinations of tags. Cells
that mean something together (a postcode and its département, a consent and its date) are read together by
`RowReader`, the one truth about what a cell means; this is only its memory.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from audience.consent import CONSENT_COLUMN, TARGETING
from audience.import_columns import IGNORE, Column
from audience.import_rows import CONSENT_PARTS, OF_TARGETING, TARGETING_PARTS, ImportedRow, RowReader
from models.segment_tree import ATTRIBUTE_PREFIX
from models.states import Channel, ConsentStatus
from models.text import fold
from store.contacts import BLANK, KEYS, prepared
from store.loading import as_text
from store.newcomers import Proof, TargetingProof

__all__ = ["UNUSUAL", "FileMemory", "Group", "Said", "agreed_in", "said_in", "texts_of", "worn_by"]

REMEMBERED: Final = 65_536
UNUSUAL: Final = object()
"""Stands for an answer that comes with a note: the whole line must be read to say it."""

Worn = tuple[tuple[str, str], ...]
"""Tags as key and label, none twice."""
Said = tuple[Proof, ...]
"""Statements of consent to channels as they are kept."""
Agreed = tuple[TargetingProof, ...]
"""Statements about targeting as they are kept: one, or none."""

_PLACE: Final = frozenset({"postcode", "departement", "region", "country", "circonscription"})
_OUTPUTS: Final = {name: (name, f"{name}_key") for name in ("level", "commune", "canton")}


def texts_of(row: ImportedRow) -> dict[str, str | None]:
    """The columns of a new contact made of this row, as `as_text` writes them."""
    values: dict[str, Any] = {**BLANK, **row.values}
    if row.attributes:
        values["attributes"] = row.attributes
    for topic, statement in row.statements.items():
        if statement.status is not ConsentStatus.UNKNOWN:
            values[CONSENT_COLUMN[topic]] = statement.status
    return {name: as_text(value) for name, value in prepared(values).items()}


def worn_by(row: ImportedRow) -> Worn:
    """The tags of a row."""
    labels: dict[str, str] = {}
    for label in row.tags:
        labels.setdefault(fold(label), label)
    return tuple(labels.items())


def said_in(row: ImportedRow, now: datetime) -> Said:
    """What a row says of consent to being written to, for the proof."""
    return tuple(
        (topic.value, statement.status.value, statement.source, as_text(statement.given_at or now) or "")
        for topic, statement in row.statements.items()
        if isinstance(topic, Channel) and statement.status is not ConsentStatus.UNKNOWN
    )


def agreed_in(row: ImportedRow, now: datetime) -> Agreed:
    """What a row says of targeting, for the proof."""
    said = row.statements.get(TARGETING)
    if said is None or said.status is ConsentStatus.UNKNOWN:
        return ()
    return ((said.status.value, said.source, as_text(said.given_at or now) or ""),)


class _Answers(dict[Any, Any]):
    def __init__(self, find: Callable[[Any], Any]) -> None:
        super().__init__()
        self._find = find

    def __missing__(self, key: Any) -> Any:
        if len(self) >= REMEMBERED:
            self.clear()
        answer = self[key] = self._find(key)
        return answer


class Group:
    """Cells that are read together and the columns of a contact they fill: `outputs`, in order."""

    def __init__(
        self, indexes: Sequence[int], outputs: Sequence[str], find: Callable[[Sequence[Any]], Any]
    ) -> None:
        """`find` answers for the cells at `indexes` and for what else is given to `read`."""
        self.outputs = outputs
        self._indexes = indexes
        self._answers = _Answers(find)

    def read(self, cells: Sequence[Sequence[str]], *more: Sequence[Any]) -> list[Any]:
        """The answers row by row, `UNUSUAL` where there is something to note; `cells` are columns."""
        columns = [*(cells[index] for index in self._indexes), *more]
        return list(map(self._answers.__getitem__, zip(*columns, strict=True)))


class FileMemory:
    """The groups of one file: `contact` fill columns of a contact, `tags` and `consents` more than that.

    The consent group is asked with two more columns: whether the row has an e-mail, and a telephone.
    `targeting` is there when the file says something of it.
    """

    def __init__(self, rows: RowReader, columns: Sequence[Column], now: datetime) -> None:
        """`rows` reads one line of the file."""
        self._rows = rows
        self._width = len(columns)
        self._now = now
        self._index = {column.field: column.index for column in columns if column.field != IGNORE}
        self.contact = self._contact_groups()
        self.tags = self._group(["tags"], (), worn_by) if "tags" in self._index else None
        self.consents = self._consent_group()
        self.targeting = self._targeting_group()

    def _contact_groups(self) -> list[Group]:
        index = self._index
        attributes = [name for name in index if name.startswith(ATTRIBUTE_PREFIX) or name == "country"]
        place = [name for name in index if name in _PLACE]
        apart = {*KEYS, "tags", *_PLACE, *attributes}
        groups = [
            self._texts([name], _OUTPUTS.get(name, (name,)))
            for name in index
            if name not in apart and not CONSENT_PARTS.match(name) and not TARGETING_PARTS.match(name)
        ]
        if attributes:
            groups.append(self._texts(attributes, ("attributes", "attributes_key")))
        if place:
            groups.append(self._texts(place, ("postcode", "departement", "region", "circonscription")))
        return groups

    def _texts(self, names: Sequence[str], outputs: tuple[str, ...]) -> Group:
        def take(row: ImportedRow) -> tuple[str | None, ...]:
            found = texts_of(row)
            return tuple(found.get(name) for name in outputs)

        return self._group(names, outputs, take)

    def _group(
        self, names: Sequence[str], outputs: tuple[str, ...], take: Callable[[ImportedRow], Any]
    ) -> Group:
        indexes = [self._index[name] for name in names]

        def find(cells: Sequence[str]) -> Any:
            row = self._part(indexes, cells, {})
            return UNUSUAL if row.notes else take(row)

        return Group(indexes, outputs, find)

    def _consent_group(self) -> Group:
        indexes = [index for name, index in self._index.items() if CONSENT_PARTS.match(name)]

        def find(key: Sequence[Any]) -> Any:
            *cells, email, phone = key
            row = self._part(indexes, cells, {"email": email, "phone": phone})
            if row.notes:
                return UNUSUAL
            columns = {CONSENT_COLUMN[channel]: said.status for channel, said in row.statements.items()}
            email_said, sms_said = (
                columns.get(CONSENT_COLUMN[channel], ConsentStatus.UNKNOWN).value
                for channel in (Channel.EMAIL, Channel.SMS)
            )
            return email_said, sms_said, said_in(row, self._now)

        return Group(indexes, ("email_consent", "sms_consent"), find)

    def _targeting_group(self) -> Group | None:
        if not any(name.startswith(OF_TARGETING) for name in self._index):
            return None

        def take(row: ImportedRow) -> tuple[str, Agreed]:
            said = row.statements.get(TARGETING)
            status = ConsentStatus.UNKNOWN if said is None else said.status
            return status.value, agreed_in(row, self._now)

        names = [name for name in self._index if TARGETING_PARTS.match(name)]
        return self._group(names, (CONSENT_COLUMN[TARGETING],), take)

    def _part(self, indexes: Sequence[int], cells: Sequence[str], known: Mapping[str, bool]) -> ImportedRow:
        line = [""] * self._width
        for index, cell in zip(indexes, cells, strict=True):
            line[index] = cell
        # Only whether there is an address matters to a consent.
        return self._rows.read_part(line, {name: "" for name, there in known.items() if there})
