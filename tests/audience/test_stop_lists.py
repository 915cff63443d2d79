"""Lists of addresses not to write to, in the encodings and shapes in which people have them."""

from pathlib import Path

import pytest

from audience.stop_lists import Listed, read_suppressions
from models.errors import BadInputError
from models.states import Channel
from models.suppression import address_hash

ADA = (Channel.EMAIL, address_hash(Channel.EMAIL, "ada@exemple.fr"))
PHONE = (Channel.SMS, address_hash(Channel.SMS, "+33612345678"))


def read(folder: Path, content: bytes) -> Listed:
    path = folder / "list.csv"
    path.write_bytes(content)
    return read_suppressions(path)


def found(listed: Listed) -> list[tuple[Channel, str]]:
    return [(row.channel, row.address_hash) for row in listed.rows]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("separator", [";", ",", "\t"])
def test_a_list_saved_by_a_spreadsheet_is_read_whatever_its_encoding(
    tmp_path: Path, encoding: str, separator: str
) -> None:
    lines = (("Prénom", "Adresse électronique", "Téléphone"), ("Zoé", "ada@exemple.fr", "06 12 34 56 78"))
    content = "".join(separator.join(cells) + "\r\n" for cells in lines).encode(encoding)
    listed = read(tmp_path, content)
    assert (found(listed), listed.rejected) == ([ADA, PHONE], [])


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "The file is empty."),
        (b"\n \n", "The file is empty."),
        (b"email\n", "The file lists nobody"),
        (b"email;phone\n;\n", "The file lists nobody"),
        (b"name;town\nAda;Lyon\n", "The file has no column of addresses."),
        (b"\x7fELF\0\0\0", "This is a binary file"),
        (b"PK\x03\x04", "This is an Excel or LibreOffice workbook"),
        (b"\xff\xfea\0\n", "encoding is not known"),
    ],
)
def test_a_file_that_lists_nobody_is_an_error(tmp_path: Path, content: bytes, problem: str) -> None:
    with pytest.raises(BadInputError, match=problem) as error:
        read(tmp_path, content)
    assert "--encoding" not in str(error.value), "there is no such option"
    assert "list.csv" not in str(error.value), "a file sent to a page has a name of ours"


def test_our_own_export_of_nobody_is_no_error(tmp_path: Path) -> None:
    assert read(tmp_path, b"channel,address_hash,reason,created_at,until\n") == Listed([], [])


@pytest.mark.parametrize("first", ["ada@exemple.fr;Ada", "0612345678;Ada", f"{'a' * 64};Ada"])
def test_a_list_without_a_heading_may_have_more_columns(tmp_path: Path, first: str) -> None:
    listed = read(tmp_path, f"{first}\nbob@exemple.fr;Bob\n".encode())
    assert len(listed.rows) + len(listed.rejected) == 2


def test_what_is_wrong_with_a_line_fits_what_stands_there(tmp_path: Path) -> None:
    listed = read(tmp_path, b'email;phone\nnobody;\n;12\n;0612345678901234\n"a\nb@c";\nname@;\n')
    assert listed.rejected[:3] == [
        "line 2: An e-mail address holds an @ sign.",
        "line 3: This is neither an e-mail address nor a telephone number.",
        "line 4: A telephone number of that country does not have so many digits, or so few.",
    ]
    assert [line.partition(":")[0] for line in listed.rejected[3:]] == ["line 5", "line 7"]
    listed = read(tmp_path, b"Red list\nada@exemple.fr\n")
    assert found(listed) == [ADA]
    assert listed.rejected == ["line 1: This is neither an e-mail address nor a telephone number."]
    assert read(tmp_path, b"email;name\n;Ada\n").rejected == ["line 2: There is no address."]
