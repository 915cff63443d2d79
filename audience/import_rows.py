"""One record of a file read into what it says of a person, with a note for each cell that is wrong.

A wrong cell costs the cell, not the row; a row is rejected only when nothing in it says who it is
about, or when its cells cannot be told apart. Readers of fields with few different values (communes,
levels, départements) remember their answers: a file asks the same question a thousand times.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from audience import addresses, territory
from audience.consent import CONSENT_COLUMN, TARGETING, Statement, Topic, read_consent, refuses
from audience.dates import read_day, read_moment
from audience.import_columns import IGNORE, Column
from audience.import_file import Record
from models.errors import BadInputError
from models.segment_tree import ATTRIBUTE_PREFIX
from models.states import Channel, ConsentStatus
from models.text import fold

__all__ = ["CONSENT_PARTS", "TARGETING_PARTS", "ImportedRow", "Note", "RowReader", "tidy"]

ATTRIBUTE_LENGTH: Final = 1000
TAG_LENGTH: Final = 100
_TAGS = re.compile(r'\s*"([^"\n]+)"\s*(?=[,;|\n]|$)|([^,;|\n]+)')
"""Between signs, or between quotation marks, as Mailchimp writes them, where a sign is part of the tag."""
_LANGUAGES: Final = {"francais": "fr", "french": "fr", "anglais": "en", "english": "en"}
_CIVILITIES: Final = {
    **dict.fromkeys(("m", "mr", "monsieur", "mister"), "M."),
    **dict.fromkeys(("mme", "madame", "mlle", "mademoiselle", "mrs", "ms", "miss"), "Mme"),
}
_FRANCE: Final = frozenset({"france", "fr", "fra"})
_CONSENT_FIELDS: Final = {CONSENT_COLUMN[channel]: channel for channel in Channel}
_TARGETING_FIELD: Final = CONSENT_COLUMN[TARGETING]
CONSENT_PARTS: Final = re.compile(
    r"(?:(?:email_|sms_)?consent(?:_at|_source)?|(?:email|sms)_refusal(?:_[0-9]+)?)\Z"
)
"""Names of the fields that together say who agreed to be written to."""
TARGETING_PARTS: Final = re.compile(r"(?:targeting_consent(?:_at|_source)?|consent_(?:at|source))\Z")
"""Names of the fields that together say who agreed to be chosen by their data."""
OF_TARGETING: Final = "targeting_"
"""How those begin that say nothing else."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something about one cell of one line: `rejected` when it cost the row."""

    line: int
    field: str
    value: str
    reason: str
    rejected: bool = False


@dataclass(slots=True)
class ImportedRow:
    """What one record says. `derived` are the fields the file does not give and the postcode does."""

    line: int
    values: dict[str, Any]
    attributes: dict[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    statements: dict[Topic, Statement] = field(default_factory=dict)
    derived: frozenset[str] = frozenset()
    notes: list[Note] = field(default_factory=list)

    def has_key(self) -> bool:
        """Whether the row says who it is about."""
        values = self.values
        return "email" in values or "external_id" in values or "phone" in values


def tidy(text: str) -> str:
    """One line without control characters, single blanks: what may stand in a message."""
    if text.isprintable() and "  " not in text:
        return text.strip()
    spaced = " ".join(text.split())
    return "".join(c for c in spaced if c.isprintable() or c == "\u202f").strip()


def _text(length: int) -> Callable[[str], str]:
    def read(value: str) -> str:
        if len(value) > length:
            raise BadInputError(f"Longer than {length} characters.")
        return value

    return read


def _read_language(value: str) -> str:
    language = _LANGUAGES.get(fold(value)) or re.split(r"[-_]", value)[0].lower()
    if not re.fullmatch(r"[a-z]{2,3}", language):
        raise BadInputError("This is no language.", "Write two letters, as in fr.")
    return language


def _read_civility(value: str) -> str:
    return _CIVILITIES.get(fold(value)) or _text(40)(value)


def _read_postcode(value: str) -> str:
    code = value.replace(" ", "") if value[:1].isdigit() else value
    return _text(20)(code.upper())


def _read_polling_station(value: str) -> str:
    return _text(40)(territory.read_polling_station(value))


def _read_tags(value: str) -> tuple[str, ...]:
    parts = (quoted or plain for quoted, plain in _TAGS.findall(value))
    labels = tuple(label for part in parts if (label := tidy(part)) and fold(label))
    if any(len(label) > TAG_LENGTH or len(fold(label)) > TAG_LENGTH for label in labels):
        raise BadInputError(f"A tag is longer than {TAG_LENGTH} characters.")
    return labels


_remembered: Final = lru_cache(maxsize=16_384)
_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "external_id": _text(200),
    "email": addresses.read_email,
    "phone": addresses.read_phone,
    "civility": _remembered(_read_civility),
    "first_name": _text(200),
    "last_name": _text(200),
    "language": _remembered(_read_language),
    "birth_date": read_day,
    "level": _text(100),
    "commune": _text(200),
    "postcode": _remembered(_read_postcode),
    "departement": _remembered(territory.read_departement),
    "region": _remembered(territory.read_region),
    "canton": _text(200),
    "polling_station": _remembered(_read_polling_station),
}
_remembered_tags: Final = _remembered(_read_tags)


class RowReader:
    """Reads the records of one file, by its columns."""

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        source: str,
        consents: Mapping[Channel, ConsentStatus],
        region: str,
        now: datetime,
    ) -> None:
        """`consents` is what holds for rows that say nothing themselves; `region` reads local numbers."""
        self._width = len(columns)
        self._source = source
        self._consents = consents
        self._now = now

        def read_phone(value: str) -> str:
            return addresses.read_phone(value, region)

        readers = {**_READERS, "phone": read_phone}
        self._fields = [(c.index, c.field, readers[c.field]) for c in columns if c.field in readers]
        self._attributes = [
            (c.index, c.field.removeprefix(ATTRIBUTE_PREFIX))
            for c in columns
            if c.field.startswith(ATTRIBUTE_PREFIX)
        ]
        self._special = {
            c.field: c.index
            for c in columns
            if c.field not in readers and c.field != IGNORE and not c.field.startswith(ATTRIBUTE_PREFIX)
        }
        self._states_consent = bool(consents) or any(map(CONSENT_PARTS.match, self._special))
        self._states_targeting = any(name.startswith(OF_TARGETING) for name in self._special)

    def read(self, record: Record) -> ImportedRow | Note:
        """What the record says, or the note that rejects it. Never raises."""
        refusal = self._refusal(record)
        if refusal is not None:
            return refusal
        row = ImportedRow(record.line, {})
        cells = record.cells
        if len(cells) < self._width:
            self._note(row, "", "", f"The line has {len(cells)} cells of {self._width}.")
            cells = [*cells, *[""] * (self._width - len(cells))]
        self._read_fields(row, cells)
        if not row.has_key():
            wrong = next((note for note in row.notes if note.field in {"email", "phone"}), None)
            if wrong is not None:
                return replace(wrong, rejected=True)
            return Note(record.line, "", "", "No e-mail address, telephone or identifier.", rejected=True)
        self._read_special(row, cells)
        return row

    def read_part(self, cells: Sequence[str], known: Mapping[str, Any]) -> ImportedRow:
        """What some cells of a line say (the others are blank), when its `known` fields are as given."""
        row = ImportedRow(0, dict(known))
        self._read_fields(row, cells)
        self._read_special(row, cells)
        return row

    def _refusal(self, record: Record) -> Note | None:
        problem = record.problem
        if not problem and len(record.cells) > self._width and any(record.cells[self._width :]):
            problem = f"The line has {len(record.cells)} cells, the header {self._width}."
        if not problem and len(record.cells) < self._width and record.last_line > record.line:
            problem = "A quote is opened and not closed where it should be."
        if not problem and any("\0" in cell for cell in record.cells):
            problem = "The line holds a NUL character."
        return Note(record.line, "", "", problem, rejected=True) if problem else None

    def _note(self, row: ImportedRow, name: str, value: str, reason: str) -> None:
        row.notes.append(Note(row.line, name, value[:200], reason))

    def _read_fields(self, row: ImportedRow, cells: Sequence[str]) -> None:
        values = row.values
        for index, name, read in self._fields:
            cell = cells[index]
            if not cell or not (value := tidy(cell)):
                continue
            try:
                values[name] = read(value)
            except BadInputError as error:
                self._note(row, name, value, error.problem)
        for index, name in self._attributes:
            if (cell := cells[index]) and (value := tidy(cell)):
                if len(value) > ATTRIBUTE_LENGTH:
                    self._note(row, name, value, f"Longer than {ATTRIBUTE_LENGTH} characters.")
                else:
                    row.attributes[name] = value
        self._check(row)

    def _check(self, row: ImportedRow) -> None:
        """Notes on values that can be read and look wrong all the same."""
        email, phone, born = (row.values.get(name) for name in ("email", "phone", "birth_date"))
        if email and (meant := addresses.typo_in(email)):
            self._note(row, "email", email, f"Perhaps a slip for {meant}; kept as it is.")
        if phone and not addresses.is_mobile(phone):
            self._note(row, "phone", phone, "Not a mobile number: it will get no SMS; kept as it is.")
        if born and not date(1880, 1, 1) <= born <= self._now.date():
            del row.values["birth_date"]
            self._note(row, "birth_date", born.isoformat(), "Nobody alive was born on that day.")

    def _read_special(self, row: ImportedRow, cells: Sequence[str]) -> None:
        """The fields whose meaning depends on others: country and territory, tags, consent."""
        special = {name: tidy(cells[index]) for name, index in self._special.items() if cells[index]}
        country = special.get("country", "")
        if country:
            row.attributes["country"] = country[:ATTRIBUTE_LENGTH]
        _derive(row, french=not country or fold(country) in _FRANCE)
        if circonscription := special.get("circonscription"):
            try:
                row.values["circonscription"] = territory.read_circonscription(
                    circonscription, row.values.get("departement")
                )
            except BadInputError as error:
                self._note(row, "circonscription", circonscription, error.problem)
        if "tags" in special:
            try:
                row.tags = _remembered_tags(special["tags"])
            except BadInputError as error:
                self._note(row, "tags", special["tags"], error.problem)
        if self._states_consent:
            for name, channel in _CONSENT_FIELDS.items():
                self._read_consent(row, special, name, channel)
            self._read_refusals(row, special)
        if self._states_targeting:
            self._read_consent(row, special, _TARGETING_FIELD, TARGETING)

    def _read_refusals(self, row: ImportedRow, special: Mapping[str, str]) -> None:
        """A yes, a date or a reason in a column of refusals goes before whatever else the line says."""
        for name, cell in special.items():
            if "_refusal" not in name or not refuses(cell):
                continue
            channel = Channel(name.partition("_")[0])
            try:
                given_at = read_moment(cell)
            except BadInputError:
                given_at = None
            if given_at is None or given_at > self._now + timedelta(days=1):
                given_at = self._given_at(row, special, "")
            source = special.get("consent_source") or self._source
            row.statements[channel] = Statement(ConsentStatus.WITHDRAWN, given_at, source[:300])

    def _read_consent(self, row: ImportedRow, special: Mapping[str, str], name: str, topic: Topic) -> None:
        """A word or date of its own, with date and source from the columns beside it; else the default."""
        cell = special.get(name, "")
        usual = self._usual(row, topic)
        if cell:
            try:
                statement = _remembered_consent(cell)
            except BadInputError as error:
                self._note(row, name, cell, error.problem)
                return
        elif name not in self._special and special.get(f"{name}_at"):
            # A file with nothing but the date of an agreement has a line for each who agreed.
            statement = Statement(ConsentStatus.GRANTED)
        elif usual is not None:
            statement = Statement(usual)
        else:
            return
        if statement.status is ConsentStatus.UNKNOWN:
            return
        given_at = statement.given_at or self._given_at(row, special, name)
        if not cell and given_at is None and topic not in self._consents:
            return
        if given_at and given_at > self._now + timedelta(days=1):
            self._note(
                row, f"{name}_at", given_at.date().isoformat(), "A consent cannot come from the future."
            )
            return
        source = special.get(f"{name}_source") or special.get("consent_source") or self._source
        row.statements[topic] = Statement(statement.status, given_at, source[:300])

    def _usual(self, row: ImportedRow, topic: Topic) -> ConsentStatus | None:
        """What holds for rows that say nothing themselves; nobody agrees to targeting for somebody else."""
        if not isinstance(topic, Channel):
            return None
        address = "email" if topic is Channel.EMAIL else "phone"
        return self._consents.get(topic) if address in row.values else None

    def _given_at(self, row: ImportedRow, special: Mapping[str, str], name: str) -> datetime | None:
        written = special.get(f"{name}_at") or special.get("consent_at")
        if not written:
            return None
        try:
            return _remembered_moment(written)
        except BadInputError as error:
            self._note(row, f"{name}_at", written, error.problem)
            return None


_remembered_consent: Final = lru_cache(maxsize=8192)(read_consent)
_remembered_moment: Final = lru_cache(maxsize=8192)(read_moment)


def _derive(row: ImportedRow, *, french: bool) -> None:
    """Département from the postcode, région from the département, where the row does not give them."""
    values = row.values
    derived = set()
    postcode = values.get("postcode")
    if postcode and french:
        # A spreadsheet ate the leading zero of the first nine départements.
        if len(postcode) == 4 and postcode.isdigit():
            postcode = values["postcode"] = f"0{postcode}"
        if "departement" not in values and (code := territory.departement_of(postcode)):
            values["departement"] = code
            derived.add("departement")
    if "region" not in values and (
        region := territory.REGION_BY_DEPARTEMENT.get(values.get("departement", ""))
    ):
        values["region"] = region
        derived.add("region")
    row.derived = frozenset(derived)
