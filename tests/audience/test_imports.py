"""What a file does to the contacts, on both databases."""

import asyncio
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from audience.import_file import ImportFileError
from audience.imports import ImportOptions, UpdatePolicy, import_contacts
from models.contact import ImportRun, ImportState
from models.states import Channel, ConsentStatus
from models.suppression import address_hash
from tests.audience.desk import Desk
from tests.clocks import START

GRANTED, WITHDRAWN, UNKNOWN = ConsentStatus.GRANTED, ConsentStatus.WITHDRAWN, ConsentStatus.UNKNOWN


def _append(path: str | None, line: str) -> None:
    with Path(path or "").open("a", encoding="utf-8") as file:
        file.write(line)


FULL = (
    "Identifiant;E-mail;Téléphone portable;Civilité;Prénom;Nom;Langue;Date de naissance;Niveau d'adhésion;"
    "Commune;Code postal;Canton;Circonscription;Bureau de vote;Étiquettes;Profession;Consentement e-mail;"
    "Consentement SMS;Date du consentement;Source du consentement\n"
    "A1;Jean.Dupont@Gmail.com;06 12 34 56 78;Monsieur;Jean;Dupont;Français;31/12/1980;Adhérent;"
    "Saint-Étienne;42000;Saint-Étienne-1;42-1;12 b;économie, écologie | Santé;Enseignant;oui;"
    "non;15/01/2026;bulletin papier\n"
)


async def test_a_full_row_becomes_a_contact_in_every_respect(desk: Desk) -> None:
    result = await desk.bring(FULL)
    assert (result.rows_read, result.rows_created, result.rows_rejected, result.rows_noted) == (1, 1, 0, 0)
    assert result.report_path is None
    jean = await desk.contact(external_id="A1")
    assert (jean.email, jean.phone) == ("jean.dupont@gmail.com", "+33612345678")
    assert jean.email_hash == address_hash(Channel.EMAIL, "jean.dupont@gmail.com")
    assert (jean.civility, jean.first_name, jean.last_name, jean.language) == ("M.", "Jean", "Dupont", "fr")
    assert jean.birth_date == date(1980, 12, 31)
    assert (jean.level, jean.level_key) == ("Adhérent", "adherent")
    assert (jean.commune, jean.commune_key, jean.postcode) == ("Saint-Étienne", "saint etienne", "42000")
    assert (jean.departement, jean.region) == ("42", "84")
    assert (jean.canton, jean.circonscription, jean.polling_station) == ("Saint-Étienne-1", "42-01", "12 B")
    assert jean.attributes == {"profession": "Enseignant"}
    assert (jean.email_consent, jean.sms_consent) == (GRANTED, WITHDRAWN)
    assert jean.created_at == START
    assert await desk.tags(external_id="A1") == ["écologie", "économie", "Santé"]
    given = datetime(2026, 1, 15, tzinfo=UTC)
    assert [(r.channel, r.status, r.source, r.given_at) for r in await desk.records()] == [
        (Channel.EMAIL, GRANTED, "bulletin papier", given),
        (Channel.SMS, WITHDRAWN, "bulletin papier", given),
    ]


async def test_the_same_file_again_changes_nothing(desk: Desk) -> None:
    await desk.bring(FULL)
    before = await desk.contact(external_id="A1")
    desk.clock.advance(timedelta(days=1))
    result = await desk.bring(FULL)
    assert (result.rows_unchanged, result.rows_updated, result.rows_created) == (1, 0, 0)
    assert await desk.contact(external_id="A1") == before
    assert len(await desk.records()) == 2


async def test_an_empty_cell_wipes_nothing_and_a_new_value_replaces(desk: Desk) -> None:
    await desk.bring("email,first_name,commune,metier\na@b.fr,Jean,Lyon,prof\n")
    result = await desk.bring("email,first_name,commune,metier,age\na@b.fr,,Paris,,40\n")
    assert result.rows_updated == 1
    jean = await desk.contact(email="a@b.fr")
    assert (jean.first_name, jean.commune, jean.commune_key) == ("Jean", "Paris", "paris")
    assert jean.attributes == {"metier": "prof", "age": "40"}
    assert jean.attributes_key == {"metier": "prof", "age": "40"}


async def test_values_can_fill_only_what_is_empty(desk: Desk) -> None:
    await desk.bring("email,first_name,postcode,metier\na@b.fr,Jean,69001,prof\n")
    await desk.bring(
        "email,first_name,last_name,postcode,metier,sport\na@b.fr,Paul,Durand,13001,autre,judo\n",
        ImportOptions(update=UpdatePolicy.FILL),
    )
    jean = await desk.contact(email="a@b.fr")
    assert (jean.first_name, jean.last_name, jean.postcode, jean.departement) == (
        "Jean",
        "Durand",
        "69001",
        "69",
    )
    assert jean.attributes == {"metier": "prof", "sport": "judo"}


async def test_existing_contacts_can_be_kept_but_a_refusal_is_heard(desk: Desk) -> None:
    await desk.bring("email,first_name,email_consent\na@b.fr,Jean,oui\n")
    result = await desk.bring(
        "email,first_name,tags,email_consent\na@b.fr,Paul,x,non\n", ImportOptions(update=UpdatePolicy.KEEP)
    )
    jean = await desk.contact(email="a@b.fr")
    assert (jean.first_name, jean.email_consent) == ("Jean", WITHDRAWN)
    assert await desk.tags(email="a@b.fr") == []
    assert result.rows_updated == 1


async def test_identifier_goes_before_email_and_email_before_telephone(desk: Desk) -> None:
    await desk.bring("id,email,phone\nA1,a@b.fr,0612345678\n")
    await desk.bring("id,email\nA1,new@b.fr\n")
    assert (await desk.contact(external_id="A1")).email == "new@b.fr"
    await desk.bring("email,first_name\nnew@b.fr,Jean\n")
    await desk.bring("phone,last_name\n06.12.34.56.78,Dupont\n")
    jean = await desk.contact(external_id="A1")
    assert (jean.first_name, jean.last_name) == ("Jean", "Dupont")
    assert await desk.everybody() == ["new@b.fr"]


async def test_an_address_of_somebody_else_is_never_taken_nor_merged(desk: Desk) -> None:
    await desk.bring("id,email,phone\nA1,a@b.fr,0612345678\n")
    result = await desk.bring(
        "id,email,phone,first_name\nA2,a@b.fr,0612345678,Marie\n,m@b.fr,0612345678,Paul\n"
    )
    assert (result.rows_created, result.rows_noted) == (2, 2)
    marie, paul = await desk.contact(external_id="A2"), await desk.contact(email="m@b.fr")
    assert (marie.email, marie.phone, marie.first_name) == (None, None, "Marie")
    assert (paul.phone, paul.first_name) == (None, "Paul")
    assert (await desk.contact(email="a@b.fr")).external_id == "A1"
    assert [(line["line"], line["field"]) for line in desk.report(result)] == [
        ("2", "email"),
        ("2", "phone"),
        ("3", "phone"),
    ]
    assert "another contact" in desk.report(result)[0]["reason"]


async def test_an_identifier_is_given_to_the_contact_who_has_none(desk: Desk) -> None:
    await desk.bring("email\na@b.fr\n")
    await desk.bring("id,email\nA1,a@b.fr\n")
    assert await desk.everybody() == ["a@b.fr"]
    assert (await desk.contact(email="a@b.fr")).external_id == "A1"


async def test_two_people_can_exchange_addresses_in_one_file(desk: Desk) -> None:
    await desk.bring("id,email\nA1,a@b.fr\nA2,c@d.fr\n")
    result = await desk.bring("id,email\nA1,x@b.fr\nA2,a@b.fr\nA1,c@d.fr\nA1,c@d.fr\n")
    assert result.rows_rejected == result.rows_noted == 0
    assert (await desk.contact(external_id="A1")).email == "c@d.fr"
    assert (await desk.contact(external_id="A2")).email == "a@b.fr"


async def test_two_lines_about_one_person_are_one_contact(desk: Desk) -> None:
    result = await desk.bring("email,first_name,tags\na@b.fr,Jean,x\nA@B.FR,,y\na@b.fr,Paul,x\n")
    assert (result.rows_created, result.rows_updated) == (1, 2)
    assert (await desk.contact(email="a@b.fr")).first_name == "Paul"
    assert await desk.tags(email="a@b.fr") == ["x", "y"]


async def test_bad_rows_are_listed_and_the_others_come_in(desk: Desk) -> None:
    result = await desk.bring(
        "E-mail;Téléphone portable;Prénom;Naissance;Département\n"
        "jean@@b.fr;;Jean;;\n"
        "ok@b.fr;bonjour;Marie;31/02/2000;\n"
        ";;Personne;;\n"
        "pas une adresse;0612345678;Luc;;Narnia\n"
        "trop@b.fr;;;;;encore\n"
        "fin@gmial.com;;;01/01/2050;\n"
        "court@b.fr;0491123456\n"
    )
    assert (result.rows_read, result.rows_created, result.rows_rejected) == (7, 4, 3)
    assert result.rows_noted == 4
    assert [(r["line"], r["what"], r["field"], r["value"]) for r in desk.report(result)] == [
        ("2", "rejected", "email", "jean@@b.fr"),
        ("3", "note", "phone", "bonjour"),
        ("3", "note", "birth_date", "31/02/2000"),
        ("4", "rejected", "", ""),
        ("5", "note", "email", "pas une adresse"),
        ("5", "note", "departement", "Narnia"),
        ("6", "rejected", "", ""),
        ("7", "note", "email", "fin@gmial.com"),
        ("7", "note", "birth_date", "2050-01-01"),
        ("8", "note", "", ""),
        ("8", "note", "phone", "+33491123456"),
    ]
    assert all(re.search(r"[.?]$", line["reason"]) for line in desk.report(result))
    assert (await desk.contact(phone="+33612345678")).first_name == "Luc"


async def test_line_numbers_are_those_of_the_file(desk: Desk) -> None:
    result = await desk.bring('email,note\nok@b.fr,"un\ndeux"\n\nbad,x\n')
    assert [line["line"] for line in desk.report(result)] == ["5"]
    assert (await desk.contact(email="ok@b.fr")).attributes == {"note": "un deux"}


async def test_formulas_and_control_characters_do_no_harm(desk: Desk) -> None:
    odd = 'email,first_name\n"=cmd|x",Jean\na@b.fr,"Je\x07an\u200b"\nnul@b.fr,\x00\n'
    result = await desk.bring(odd + "x@b.fr,\n" * 20)
    lines = desk.report(result)
    assert lines[0]["value"] == "'=cmd|x"
    assert "NUL" in lines[1]["reason"]
    assert (await desk.contact(email="a@b.fr")).first_name == "Jean"


async def test_departement_and_region_come_from_the_postcode_unless_told(desk: Desk) -> None:
    await desk.bring(
        "email,cp,departement,pays\na@b.fr,1000,,\nb@b.fr,20200,,\nc@b.fr,13001,Var,\nd@b.fr,1000,,Belgique\n"
        "e@b.fr,98000,,\nf@b.fr,97400,,France\n"
    )
    found = {}
    for letter in "abcdef":
        contact = await desk.contact(email=f"{letter}@b.fr")
        found[letter] = (contact.postcode, contact.departement, contact.region)
    assert found == {
        "a": ("01000", "01", "84"),
        "b": ("20200", "2B", "94"),
        "c": ("13001", "83", "93"),
        "d": ("1000", None, None),
        "e": ("98000", None, None),
        "f": ("97400", "974", "04"),
    }


async def test_a_person_who_moves_changes_departement_too(desk: Desk) -> None:
    await desk.bring("email,cp\na@b.fr,69001\n")
    await desk.bring("email,cp\na@b.fr,13001\n")
    assert (await desk.contact(email="a@b.fr")).departement == "13"


async def test_the_report_stands_where_it_was_asked_for_and_overwrites_no_other_file(
    desk: Desk, tmp_path: Path
) -> None:
    place = tmp_path / "elsewhere.csv"
    result = await desk.bring("email\nbad\n", ImportOptions(report_path=place))
    assert result.report_path == place
    assert len(desk.report(result)) == 1
    again = await desk.bring("email\nbad\nworse\n", ImportOptions(report_path=place))
    assert len(desk.report(again)) == 2
    place.write_text("precious\n")
    with pytest.raises(ImportFileError, match="no report"):
        await desk.bring("email\nbad\nworst\n", ImportOptions(report_path=place))
    with pytest.raises(ImportFileError, match="no folder"):
        await desk.bring("email\nbad\n", ImportOptions(report_path=tmp_path / "none" / "report.csv"))
    assert place.read_text() == "precious\n"


async def test_progress_is_told_batch_by_batch_up_to_the_end(desk: Desk) -> None:
    desk.path.write_text("email\n" + "".join(f"a{n}@b.fr\n" for n in range(2500)))
    told: list[tuple[int, int, int]] = []
    result = await import_contacts(
        desk.database,
        desk.path,
        ImportOptions(),
        desk.clock,
        lambda done, total, counts: told.append((done, total, counts.rows_read)),
    )
    assert [read for _, _, read in told] == [1000, 2500]
    assert told[-1][0] == told[-1][1] == desk.path.stat().st_size
    assert result.rows_created == 2500


async def test_an_interrupted_import_goes_on_after_its_last_batch(desk: Desk) -> None:
    desk.path.write_text("email\n" + "".join(f"a{n}@b.fr\n" if n % 10 else f"bad{n}\n" for n in range(3000)))

    def stop(_done: int, _total: int, _counts: object) -> None:
        raise KeyError("the machine stops")

    with pytest.raises(KeyError):
        await import_contacts(desk.database, desk.path, ImportOptions(), desk.clock, stop)
    async with desk.database.read() as session:
        [run] = (await session.exec(select(ImportRun))).all()
    assert (run.state, run.next_line, run.rows_created) == (ImportState.FAILED, 1002, 900)
    # A line said after the last commit is not said twice.
    _append(run.report_path, "1005,rejected,email,bad,twice\n")
    result = await import_contacts(desk.database, desk.path, ImportOptions(), desk.clock)
    assert result.resumed_at == 1002
    assert (result.rows_read, result.rows_created, result.rows_rejected) == (3000, 2700, 300)
    lines = [int(line["line"]) for line in desk.report(result)]
    assert lines == [n + 2 for n in range(0, 3000, 10)]
    assert len(await desk.everybody()) == 2700
    async with desk.database.read() as session:
        [run] = (await session.exec(select(ImportRun))).all()
    assert (run.state, run.rows_created, run.finished_at) == (ImportState.FINISHED, 2700, START)


async def test_two_imports_at_once_make_no_contact_twice(desk: Desk, tmp_path: Path) -> None:
    text = "email,first_name,tags\n" + "".join(f"a{n}@b.fr,Jean,x\n" for n in range(3000))
    paths = [tmp_path / f"{name}.csv" for name in ("one", "two")]
    for path in paths:
        path.write_text(text + f"only-{path.stem}@b.fr,Marie,y\n")
    # The other way round: the two take their rows against each other.
    lines = paths[1].read_text().splitlines()
    paths[1].write_text("\n".join([lines[0], *lines[:0:-1]]) + "\n")
    results = await asyncio.gather(
        *(import_contacts(desk.database, path, ImportOptions(), desk.clock) for path in paths)
    )
    assert sum(result.rows_created for result in results) == 3002
    assert len(await desk.everybody()) == 3002
