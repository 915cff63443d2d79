"""Files of contacts as people have them: encodings, separators, quotes, and what is no table at all."""

from pathlib import Path

import pytest

from audience.import_columns import map_columns
from audience.import_file import ImportFileError, Record, RecordReader, inspect_file

TABLE = "Prénom;E-mail\nÉloïse;eloise@orange.fr\nJean;jean@free.fr\n"


def read(path: Path, **options: str) -> list[Record]:
    reader = RecordReader(inspect_file(path, **options))
    try:
        return list(reader)
    finally:
        reader.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "contacts.csv"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_encoding_separator_and_line_ends_are_found_out(
    file: Path, encoding: str, separator: str, ending: str
) -> None:
    file.write_bytes(TABLE.replace(";", separator).replace("\n", ending).encode(encoding))
    assert inspect_file(file).header == ("Prénom", "E-mail")
    assert [record.cells for record in read(file)] == [
        ["Éloïse", "eloise@orange.fr"],
        ["Jean", "jean@free.fr"],
    ]
    assert [record.line for record in read(file)] == [2, 3]


def test_one_accent_at_the_end_of_a_long_file_tells_its_encoding(file: Path) -> None:
    rows = "".join(f"Jean;jean{n}@free.fr\n" for n in range(120_000))
    file.write_bytes(b"Prenom;E-mail\n" + rows.encode() + "Zoé;zoe@free.fr\n".encode("cp1252"))
    assert inspect_file(file).encoding == "cp1252"
    assert read(file)[-1].cells == ["Zoé", "zoe@free.fr"]


def test_an_encoding_that_is_asked_for_and_does_not_fit_is_refused(file: Path) -> None:
    file.write_bytes(TABLE.encode("cp1252"))
    with pytest.raises(ImportFileError, match="encoding"):
        inspect_file(file, encoding="utf-8")
    with pytest.raises(ImportFileError, match="no encoding"):
        inspect_file(file, encoding="klingon")


def test_a_separator_in_quotes_is_no_separator(file: Path) -> None:
    file.write_text('"Nom, prénom, civilité";E-mail\nx;a@b.fr\n', encoding="utf-8")
    assert inspect_file(file).separator == ";"


def test_the_hint_of_excel_and_blank_lines_before_the_header_are_passed_over(file: Path) -> None:
    file.write_text("sep=;\nPrénom;E-mail\nJean;a@b.fr\n", encoding="utf-8")
    assert [(r.line, r.cells) for r in read(file)] == [(3, ["Jean", "a@b.fr"])]
    file.write_text("\n\nPrénom;E-mail\nJean;a@b.fr\n", encoding="utf-8")
    assert inspect_file(file).header == ("Prénom", "E-mail")
    assert [(r.line, r.cells) for r in read(file)] == [(4, ["Jean", "a@b.fr"])]


def test_lines_are_numbered_as_in_the_file_when_cells_hold_line_breaks(file: Path) -> None:
    file.write_text('E-mail,Note\na@b.fr,"un\ndeux\ntrois"\n\nc@d.fr,x\n', encoding="utf-8")
    assert [(r.line, r.last_line) for r in read(file) if r.cells] == [(2, 4), (6, 6)]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"  \n \n", "empty"),
        (b"PK\x03\x04rest", "workbook"),
        (b"\xd0\xcf\x11\xe0rest", "old Excel"),
        (b"%PDF-1.7", "PDF"),
        (b"a,b\n\x00\x01\x02", "binary"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "binary"),
    ],
)
def test_what_is_no_table_of_text_is_said_plainly(file: Path, content: bytes, words: str) -> None:
    file.write_bytes(content)
    with pytest.raises(ImportFileError, match=words):
        inspect_file(file)


def test_a_file_that_is_not_there_is_said_plainly(file: Path) -> None:
    with pytest.raises(ImportFileError, match="cannot be read"):
        inspect_file(file)


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_cell_of_ten_megabytes_costs_its_line_and_no_other(file: Path, quote: str) -> None:
    huge = quote + "x" * 10_000_000 + quote
    file.write_text(f"E-mail,Note\na@b.fr,{huge}\nc@d.fr,ok\n", encoding="utf-8")
    records = read(file)
    assert [bool(record.problem) for record in records] == [True, False]
    assert records[1].cells == ["c@d.fr", "ok"]
    assert records[1].line == 3


def test_a_quote_never_closed_is_reported_with_the_lines_it_cost(file: Path) -> None:
    rows = "".join(f"a{n}@b.fr,x\n" for n in range(20_000))
    file.write_text(f'E-mail,Note\na@b.fr,"oublié\n{rows}', encoding="utf-8")
    records = read(file)
    assert "never" in records[0].problem or "not closed" in records[0].problem
    assert records[0].line == 2
    assert records[-1].cells == ["a19999@b.fr", "x"]
    lost = records[0].last_line - records[0].line + 1
    assert lost + len(records) - 1 == 20_001


def columns(*header: str, mapping: dict[str, str] | None = None) -> dict[str, str]:
    return {column.header: column.field for column in map_columns(header, mapping or {})}


@pytest.mark.parametrize(
    ("heading", "field"),
    [
        ("E-mail", "email"),
        ("Adresse e-mail", "email"),
        ("COURRIEL", "email"),
        ("Prénom", "first_name"),
        ("prenom", "first_name"),
        ("First name", "first_name"),
        ("Nom", "last_name"),
        ("Code postal", "postcode"),
        ("Téléphone portable", "phone"),
        ("Niveau d’adhésion", "level"),
        ("Tags", "tags"),
        ("Étiquettes", "tags"),
        ("Consentement e-mail", "email_consent"),
        ("email_consent", "email_consent"),
        ("Consentement SMS", "sms_consent"),
        ("Date du consentement", "consent_at"),
        ("Source du consentement", "consent_source"),
        ("Bureau de vote", "polling_station"),
        ("Date de naissance", "birth_date"),
        ("Département", "departement"),
        ("Profession", "attr.profession"),
        ("Nombre d'enfants", "attr.nombre_d_enfants"),
        ("", "ignore"),
    ],
)
def test_headings_are_recognised_in_both_languages(heading: str, field: str) -> None:
    assert columns("external_id", heading)[heading] == field


def test_of_two_telephones_the_mobile_one_is_the_telephone() -> None:
    assert columns("Téléphone", "Portable", "E-mail") == {
        "Téléphone": "attr.telephone",
        "Portable": "phone",
        "E-mail": "email",
    }


def test_a_mapping_goes_before_what_headings_say() -> None:
    mapping = {"contact": "email", "prénom": "ignore", "MÉTIER": "attr.Profession"}
    assert columns("Contact", "Prénom", "Métier", mapping=mapping) == {
        "Contact": "email",
        "Prénom": "ignore",
        "Métier": "attr.profession",
    }


@pytest.mark.parametrize(
    ("header", "mapping", "words"),
    [
        (("E-mail",), {"E-mail": "adress"}, "no field “adress”.*first_name"),
        (("E-mail",), {"Courriel": "email"}, "no column “Courriel”.*“E-mail”"),
        (("E-mail", "e mail"), {}, "both say email"),
        (("E-mail", "Métier", "métier"), {}, "both say attr.metier"),
        (("Prénom", "Nom"), {}, "No column is an e-mail"),
        (("jean@free.fr", "Jean"), {}, "no header"),
    ],
)
def test_columns_that_cannot_be_told_are_refused_in_one_line(
    header: tuple[str, ...], mapping: dict[str, str], words: str
) -> None:
    with pytest.raises(ImportFileError, match=words):
        map_columns(header, mapping)


def test_without_free_attributes_unknown_columns_are_ignored() -> None:
    assert [column.field for column in map_columns(("E-mail", "Métier"), {}, keep_unknown=False)] == [
        "email",
        "ignore",
    ]
