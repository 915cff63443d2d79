"""The report of an import, when nothing can be written where it should stand."""

from pathlib import Path

import pytest

from audience.import_file import ImportFileError
from audience.import_report import ImportReport
from audience.import_rows import Note

NOTE = Note(7, "email", "=cmd()", "No address.", rejected=True)


def test_a_folder_where_the_report_should_stand_is_said_before_anything_is_imported(tmp_path: Path) -> None:
    with pytest.raises(ImportFileError, match="cannot be written") as refusal:
        ImportReport(tmp_path, separator=";", next_line=0)
    assert "--report" in str(refusal.value)


def test_a_place_that_is_lost_during_the_import_is_said_in_the_same_words(tmp_path: Path) -> None:
    place = tmp_path / "report.csv"
    report = ImportReport(place, separator=";", next_line=0)
    place.mkdir()
    with pytest.raises(ImportFileError, match="cannot be written"):
        report.add([NOTE])
    assert report.path is None


def test_the_report_goes_on_where_an_interrupted_run_committed(tmp_path: Path) -> None:
    place = tmp_path / "report.csv"
    ImportReport(place, separator=";", next_line=0).add([NOTE, Note(9, "", "", "Not read.")])
    again = ImportReport(place, separator=";", next_line=8)
    assert again.path == place
    again.add([])
    lines = place.read_text(encoding="utf-8-sig").splitlines()
    assert lines == ["line;what;field;value;reason", "7;rejected;email;'=cmd();No address."]


def test_with_nothing_to_say_there_is_no_report(tmp_path: Path) -> None:
    report = ImportReport(tmp_path / "report.csv", separator=";", next_line=0)
    report.add([])
    assert report.path is None
    assert list(tmp_path.iterdir()) == []
