"""Lines read by the block say what each of them says when read alone."""

import io
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from audience.addresses import plain_email, plain_mobile, read_email, read_phone, typo_in
from audience.import_batch import BatchReader, put_away, taken_out
from audience.import_columns import map_columns
from audience.import_file import Block, RecordReader, _parse, _pieces, inspect_file
from audience.import_memory import agreed_in, said_in, texts_of, worn_by
from audience.import_ready import ReadyBatch, make_ready
from audience.import_rows import ImportedRow, Note, RowReader
from audience.import_seen import KeysSeen
from models.states import Channel, ConsentStatus
from tests.clocks import START

HEADER = (
    *("id", "email", "phone", "first_name", "level", "commune", "postcode", "departement", "country"),
    *("circonscription", "tags", "birth_date", "email_consent", "email_consent_at", "sms_consent", "métier"),
    *("targeting_consent", "targeting_consent_at"),
)
CELLS = (
    st.sampled_from(["", "A1", "A2", " B 3 ", "x\0y", "é"]),
    st.sampled_from(
        ["", "a@b.fr", "A@B.FR", " c@d.fr ", "o'neil@free.fr", "x@gmial.com", "non", "é@b.fr", "a@b.test"]
    ),
    st.sampled_from(
        ["", "0612345678", "06 12 34 56 79", "+33 6 12 34 56 78", "0491123456", "12", "0692123456"]
    ),
    st.sampled_from(["", "Jean", "  Zoé  ", "x" * 201, "Jean\\Paul", "a\u00a0b"]),
    st.sampled_from(["", "Adhérent", "ADHERENT"]),
    st.sampled_from(["", "Marseille", "Saint-Étienne"]),
    st.sampled_from(["", "13001", "1000", "97133", "ABC"]),
    st.sampled_from(["", "13", "Bouches-du-Rhône", "nulle part"]),
    st.sampled_from(["", "France", "Belgique"]),
    st.sampled_from(["", "13-4", "4", "zéro"]),
    st.sampled_from(["", "santé, école", "Santé|sante", "x" * 101]),
    st.sampled_from(["", "31/12/1980", "1700-01-01", "hier"]),
    st.sampled_from(["", "oui", "non", "2025-01-01", "peut-être", "inconnu"]),
    st.sampled_from(["", "2025-03-04", "2050-01-01", "jamais"]),
    st.sampled_from(["", "oui", "non"]),
    st.sampled_from(["", "enseignant", "y" * 1001]),
    st.sampled_from(["", "oui", "non", "2025-01-01", "peut-être", "inconnu"]),
    st.sampled_from(["", "2025-03-04", "2050-01-01", "jamais"]),
)
TARGETING = "targeting_statement"
LINES = st.lists(st.tuples(*CELLS).map(list), max_size=12)
RAGGED = st.lists(st.text("abc;", max_size=3), max_size=20)
CONSENTS = st.sampled_from([{}, {Channel.EMAIL: ConsentStatus.GRANTED}])


def _reader(consents: dict[Channel, ConsentStatus]) -> tuple[RowReader, BatchReader]:
    columns = map_columns(HEADER, {})
    rows = RowReader(columns, source="fichier", consents=consents, region="FR", now=START)
    return rows, BatchReader(rows, columns, region="FR", now=START)


def on_their_way(ready: ReadyBatch, table: str) -> list[tuple[Any, ...]]:
    """The rows for a table, each with its place in front."""
    rows = ready.people.rows
    if table not in rows.columns:
        return []
    if isinstance(rows.content, dict):
        # No value of these tables has a sign that COPY writes differently, save for what is empty.
        lines = [line.split("\t") for line in rows.content[table].decode().splitlines()]
        return [(int(place), *texts) for place, *texts in lines]
    database = sqlite3.connect(":memory:")
    database.deserialize(rows.content)
    found = database.execute(f"SELECT * FROM arriving_{table}").fetchall()  # noqa: S608 - our own words
    database.close()
    return found


@given(st.lists(LINES | st.lists(RAGGED, max_size=3), max_size=3), CONSENTS)
def test_a_block_says_what_its_lines_say(
    blocks: list[list[list[str]]], consents: dict[Channel, ConsentStatus]
) -> None:
    rows, batches = _reader(consents)
    for cells in blocks:
        numbers = range(2, 2 + len(cells))
        block = Block(numbers, numbers, cells)
        batch = batches.read(block, 0, 7)
        expected = [rows.read(block.record(place)) for place in range(len(cells)) if any(cells[place])]
        assert batch.rejected == [read for read in expected if isinstance(read, Note)]
        taken = [read for read in expected if isinstance(read, ImportedRow)]
        assert batch.lines == [row.line for row in taken]
        assert batch.noted == {place: row.notes for place, row in enumerate(taken) if row.notes}
        assert batch.tags == [worn_by(row) for row in taken]
        assert batch.said == [said_in(row, START) for row in taken]
        assert batch.agreed == [agreed_in(row, START) for row in taken]
        for place, row in enumerate(taken):
            found = texts_of(row)
            assert {name: column[place] for name, column in batch.columns.items()} == {
                name: found.get(name) for name in batch.columns
            }
            assert found.keys() - batch.columns.keys() <= {"language"}
        for embedded in (True, False):
            ready = make_ready(batch, KeysSeen(0), embedded=embedded, with_hashes=True, now=START)
            assert ReadyBatch.unpack(ready.pack()) == ready
            assert [rows.read(record) for record in ready.as_filed(range(len(taken)))] == taken
            for place, row in enumerate(taken):
                if place in ready.places:
                    worn = {key for wearer, key in on_their_way(ready, "contact_tag") if wearer == place}
                    assert worn == {key for key, _ in worn_by(row)} <= ready.people.labels.keys()
                    made = [proof for who, *proof in on_their_way(ready, "consent_record") if who == place]
                    assert list(map(tuple, made)) == list(said_in(row, START))
                    made = [proof for who, *proof in on_their_way(ready, TARGETING) if who == place]
                    assert list(map(tuple, made)) == list(agreed_in(row, START))


@given(st.integers(0, 300), st.sets(st.integers(0, 299)))
def test_rows_put_away_are_found_again(count: int, wanted: set[int]) -> None:
    cells = [[f"{row}", "é\t", ""] for row in range(count)]
    rows = sorted(row for row in wanted if row < count)
    assert list(taken_out(put_away(cells), rows)) == [cells[row] for row in rows]


@given(st.integers(0, 20))
def test_lines_before_the_one_to_go_on_from_are_left_out(start_line: int) -> None:
    _, batches = _reader({})
    cells = [["", f"a{n}@b.fr", *[""] * 16] for n in range(10)]
    batch = batches.read(Block(range(2, 12), range(2, 12), cells), start_line, 0)
    assert batch.lines == list(range(max(2, start_line), 12))
    assert batch.next_line == 12


TEXTS = st.lists(
    st.sampled_from(["a", "b;c", '"', ";", "\n", "\r\n", "\r", '"x\ny"', '"q""q"', " ", "\0"]), max_size=40
).map("".join)


# So long that a NUL here and there makes no binary file of it.
TITLES = f"email;{'x' * 4000}\n"


@given(TEXTS, st.integers(1, 5))
def test_blocks_of_any_size_hold_the_records_that_reading_one_by_one_finds(text: str, size: int) -> None:
    body = io.StringIO(TITLES + text, newline="")
    expected = list(_parse(_pieces(body), ";", 0))[1:]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "contacts.csv"
        path.write_text(TITLES + text, encoding="utf-8", newline="")
        reader = RecordReader(inspect_file(path, separator=";"))
        found = []
        while block := reader.take(size):
            found += [
                block.record(place)
                for place, cells in enumerate(block.cells)
                if cells or place in block.problems
            ]
        reader.close()
    assert found == expected


@given(st.from_regex(r"[a-zA-Z0-9._+' -]{1,20}@[a-zA-Z0-9.-]{1,20}\.[a-z]{2,6}", fullmatch=True))
def test_an_address_beyond_doubt_is_read_so_and_is_no_slip(text: str) -> None:
    plain = plain_email(text)
    if plain is not None:
        assert read_email(text) == plain
        assert typo_in(plain) is None


@given(st.from_regex(r"(\+33|0033|0|33)?[ .-]?[0-9]([ .-]?[0-9]){6,9}", fullmatch=True))
def test_a_mobile_number_beyond_doubt_is_read_so(text: str) -> None:
    plain = plain_mobile(text)
    if plain is not None:
        assert read_phone(text) == plain
