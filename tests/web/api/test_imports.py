"""Files of people over HTTP: kept, read afterwards as any import, even if the service ended in between."""

import asyncio
import json
from contextlib import suppress
from typing import Any

import httpx
import pytest
from sqlmodel import func, select

from models.api import Scope
from models.contact import Contact
from scheduler.bulk_imports import FOLDER, BulkReader
from tests.web.browsers import Site
from tests.web.programs import Program, a_program

TABLE = """id;Prénom;Courriel;Étiquettes
A1;Camille;camille@gmail.com;militant
A2;Bob;no address;
A3;;;
;Ana;x;
"""


@pytest.fixture
async def program(site: Site) -> Program:
    return await a_program(site, furnished=False)


async def hand_over(
    program: Program, body: str, *, kind: str = "text/csv", query: str = "", **headers: str
) -> httpx.Response:
    told = {"authorization": f"Bearer {program.secret}", "content-type": kind}
    told |= {name.replace("_", "-"): value for name, value in headers.items()}
    return await program.client.post(f"/v1/contacts/imports{query}", content=body.encode(), headers=told)


async def read_all(program: Program) -> None:
    reader = BulkReader(program.site.database, program.site.clock, program.site.folder)
    while await reader.read_next():
        pass


async def look(program: Program, told: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = (await program.call("GET", f"/contacts/imports/{told['id']}")).json()
    return found


async def people(program: Program) -> int:
    async with program.site.database.read() as session:
        return (await session.exec(select(func.count()).select_from(Contact))).one()


async def test_a_table_is_kept_read_and_reported(program: Program) -> None:
    answer = await hand_over(program, TABLE)
    assert answer.status_code == 202, answer.text
    told = answer.json()
    assert (told["state"], told["progress"]) == ("waiting", 0)
    assert told["columns"] == {
        "id": "external_id",
        "Prénom": "first_name",
        "Courriel": "email",
        "Étiquettes": "tags",
    }
    assert await people(program) == 0
    await read_all(program)
    found = await look(program, told)
    assert (found["state"], found["progress"], found["problem"]) == ("finished", 1, None)
    assert found["counts"] == {
        "read": 4,
        "created": 3,
        "updated": 0,
        "unchanged": 0,
        "rejected": 1,
        "noted": 1,
        "suppressed": 0,
    }
    report = (await program.call("GET", f"/contacts/imports/{told['id']}/report?limit=1")).json()
    assert [(one["line"], one["rejected"], one["field"]) for one in report["data"]] == [(3, False, "email")]
    path = f"/contacts/imports/{told['id']}/report?limit=1&cursor={report['next_cursor']}"
    rest = (await program.call("GET", path)).json()
    assert [(one["line"], one["rejected"]) for one in rest["data"]] == [(5, True)]
    assert rest["has_more"] is False
    assert [path.suffix for path in (program.site.folder / FOLDER).iterdir()] == [".csv"]
    assert (await program.call("GET", "/contacts/by-external-id/A1")).json()["tags"] == ["militant"]


async def test_lines_of_json_are_read_alike_and_counted_as_their_sender_counts(program: Program) -> None:
    rows = [
        {
            "external_id": "A1",
            "email": "camille@gmail.com",
            "tags": ["a", "b"],
            "attributes": {"metier": "prof"},
        },
        {"external_id": "A2", "email": "wrong", "consents": {"sms": "granted"}},
        {"first_name": "Nobody\nat all"},
    ]
    body = "\n".join(json.dumps(row) for row in rows)
    told = (await hand_over(program, body, kind="application/x-ndjson")).json()
    await read_all(program)
    report = (await program.call("GET", f"/contacts/imports/{told['id']}/report")).json()
    assert [(one["line"], one["rejected"]) for one in report["data"]] == [(2, False), (3, True)]
    camille = (await program.call("GET", "/contacts/by-external-id/A1")).json()
    assert (camille["tags"], camille["attributes"]) == (["a", "b"], {"metier": "prof"})


async def test_a_form_with_a_file_is_taken_alike(program: Program) -> None:
    headers = {"authorization": f"Bearer {program.secret}"}
    files = {"file": ("membres.csv", TABLE.encode(), "text/csv")}
    answer = await program.client.post("/v1/contacts/imports", files=files, headers=headers)
    assert (answer.status_code, answer.json()["file_name"]) == (202, "membres.csv")
    files = {"file": ("membres.ndjson", b'{"email": "a@b.fr"}', "application/octet-stream")}
    answer = await program.client.post("/v1/contacts/imports", files=files, headers=headers)
    assert answer.json()["columns"] == {"email": "email"}
    await read_all(program)
    assert await people(program) == 4


async def test_a_reader_that_ended_in_the_midst_is_followed_by_one_that_goes_on(program: Program) -> None:
    rows = "".join(f"A{number};a{number}@exemple.fr\n" for number in range(5_000))
    told = (await hand_over(program, f"id;email\n{rows}")).json()
    first = BulkReader(program.site.database, program.site.clock, program.site.folder)
    reading = asyncio.create_task(first.read_next())
    while (await look(program, told))["state"] != "running":
        await asyncio.sleep(0.01)
    reading.cancel()
    with suppress(asyncio.CancelledError):
        await reading
    await read_all(program)
    found = await look(program, told)
    assert (found["state"], found["counts"]["read"], await people(program)) == ("finished", 5_000, 5_000)


async def test_of_two_who_see_a_file_one_reads_it(program: Program) -> None:
    rows = "".join(f"A{number};a{number}@exemple.fr\n" for number in range(5_000))
    told = (await hand_over(program, f"id;email\n{rows}")).json()
    await hand_over(program, "id;email\nB1;b@exemple.fr\n")
    first, other = (
        BulkReader(program.site.database, program.site.clock, program.site.folder) for _ in range(2)
    )
    reading = asyncio.create_task(first.read_next())
    while (await look(program, told))["state"] != "running":
        await asyncio.sleep(0.01)
    assert await other.read_next() is False  # nor the next one: it may be about the same people
    assert await reading is True
    assert await people(program) == 5_000
    assert await other.read_next() is True
    assert (await look(program, told))["counts"]["read"] == 5_000
    assert await people(program) == 5_001


async def test_what_is_no_file_of_people_is_refused_at_once_and_not_kept(program: Program) -> None:
    for body, kind, status, code in [
        ("a;b\n1;2\n", "text/csv", 422, "unusable"),
        ("", "text/csv", 422, "unusable"),
        ("[1]\n", "application/x-ndjson", 422, "unusable"),
        ("{}\n{x", "application/x-ndjson", 422, "unusable"),
        ("{}", "application/json", 415, "unsupported_media_type"),
    ]:
        answer = await hand_over(program, body, kind=kind)
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    folder = program.site.folder / FOLDER
    assert not folder.exists() or list(folder.iterdir()) == []
    refused = await hand_over(program, TABLE, query="?granted=email")
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "source")


async def test_a_refused_file_is_told_what_to_do_about_it_in_the_words_of_a_call(program: Program) -> None:
    answer = await hand_over(program, "Truc\na@b.fr\n")
    assert answer.json()["detail"].endswith("Say which one is, as in ?column=Column=email.")
    answer = await hand_over(program, "email\na@b.fr\n", query="?granded=email&source=form")
    assert answer.json()["detail"] == "There is no parameter “granded”; did you mean “granted”?"


async def test_what_all_agreed_to_and_what_columns_mean_is_said_in_the_address(program: Program) -> None:
    query = "?granted=email&source=form&column=Truc=email&update=keep"
    told = (await hand_over(program, "Truc\na@b.fr\n", query=query)).json()
    assert told["columns"] == {"Truc": "email"}
    await read_all(program)
    (person,) = (await program.call("GET", "/contacts?email=a@b.fr")).json()["data"]
    assert person["consents"]["email"] == "granted"


async def test_the_same_call_under_a_key_is_one_import(program: Program) -> None:
    first = await hand_over(program, TABLE, idempotency_key="k")
    again = await hand_over(program, TABLE, idempotency_key="k")
    assert again.text == first.text
    assert len(list((program.site.folder / FOLDER).iterdir())) == 1
    assert len((await program.call("GET", "/contacts/imports")).json()["data"]) == 1


async def test_a_key_sees_its_own_imports_alone_unless_it_reads_people(site: Site, program: Program) -> None:
    told = (await hand_over(program, TABLE)).json()
    stranger = await a_program(site, scopes=[Scope.CONTACTS_WRITE], furnished=False)
    for path in (f"/contacts/imports/{told['id']}", f"/contacts/imports/{told['id']}/report"):
        assert (await stranger.call("GET", path)).status_code == 404
    assert (await stranger.call("GET", "/contacts/imports")).json()["data"] == []
    reader = await a_program(site, scopes=[Scope.CONTACTS_READ], furnished=False)
    assert (await reader.call("GET", "/contacts/imports")).json()["code"] == "missing_scope"
    assert (await hand_over(reader, TABLE)).json()["code"] == "missing_scope"


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=x"])
async def test_a_form_that_is_none_is_one_clear_problem(program: Program, kind: str) -> None:
    answer = await hand_over(program, "no form", kind=kind)
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.json()["code"] in {"bad_request", "invalid"}
