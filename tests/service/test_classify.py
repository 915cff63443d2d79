"""`tocsin classify`: files, a mail or a list of paths on standard input."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.service.conftest import Tocsin

GOLDEN = Path(__file__).parents[1] / "deliverability" / "golden"
QMAIL, FULL = GOLDEN / "qmail.eml", GOLDEN / "orange_full.eml"


def lines_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_files_are_read_in_their_order(tocsin: Tocsin) -> None:
    first, second = lines_of(tocsin.must("classify", str(QMAIL), str(FULL)))
    assert (first["file"], first["mail"], second["file"]) == (str(QMAIL), "bounce", str(FULL))


def test_a_mail_on_standard_input_is_read_as_one(tocsin: Tocsin) -> None:
    (line,) = lines_of(tocsin.must("classify", stdin=QMAIL.read_text()))
    (named,) = lines_of(tocsin.must("classify", str(QMAIL)))
    assert line == named | {"file": "-"}


def test_paths_on_standard_input_are_read_one_a_line_and_timed(tocsin: Tocsin) -> None:
    paths = f"{QMAIL}\n\n{FULL}\n"
    *lines, timing = lines_of(tocsin.must("classify", stdin=paths))
    assert [line["file"] for line in lines] == [str(QMAIL), str(FULL)]
    assert timing["_n"] == 2
    assert lines_of(tocsin.must("classify", "--no-timing", stdin=paths)) == lines


def test_a_path_that_looks_like_a_field_is_a_path_when_there_is_such_a_file(tocsin: Tocsin) -> None:
    (tocsin.folder / "Subject: letter").write_bytes(QMAIL.read_bytes())
    (line,) = lines_of(tocsin.must("classify", "--no-timing", stdin="Subject: letter\n"))
    assert (line["file"], line["mail"]) == ("Subject: letter", "bounce")


def test_a_file_that_is_not_there_is_no_mail_of_any_kind(tocsin: Tocsin) -> None:
    ran = tocsin("classify", str(QMAIL), "nowhere.eml")
    assert ran.code == 1
    missing = lines_of(ran.out)[1]
    assert missing["kind"] is None
    assert "No such file" in missing["error"]


@pytest.mark.parametrize("octets", [b"\x00\x01\xff\xfe: \n", b"\xff\xd8\xff\xe0\x10JFIF\n" * 9])
def test_octets_that_are_no_mail_are_told(tocsin: Tocsin, octets: bytes) -> None:
    ran = tocsin("classify", stdin=octets)
    (line,) = lines_of(ran.out)
    assert (ran.code, line["file"], line["kind"]) == (0, "-", "not-a-bounce")
    assert "no mail" in line["unread"]
