"""Files that other programs export: recognised by their headings, read as those programs mean them."""

from datetime import UTC, datetime

import pytest

from audience.exports import EXPORTS, recognise
from audience.fields import FIELD_BY_NAME
from audience.import_columns import IGNORE, map_columns
from models.states import ConsentStatus
from tests.audience.desk import Desk

GRANTED, WITHDRAWN, UNKNOWN = ConsentStatus.GRANTED, ConsentStatus.WITHDRAWN, ConsentStatus.UNKNOWN

NATIONBUILDER = (
    "nationbuilder_id,first_name,last_name,email,email1,mobile_number,email_opt_in,mobile_opt_in,primary_city,"
    "primary_zip,tag_list,federal_donotcall,unsubscribed_at,profession\n"
    '7,Ana,Roux,ana@gmail.com,ana@gmail.com,0612345678,true,false,Lyon,69003,"vert,bénévole",false,,Juge\n'
    "8,Luc,Noir,luc@gmail.com,luc@gmail.com,,true,,Lyon,69003,,false,2026-01-05 10:00:00,\n"
)
QOMON = (
    "Firstname;Surname;Mail;Mobile;PostalCode;City;Birthdate;Tags;Support level;Latitude\n"
    "Ana;Roux;ana@gmail.com;0612345678;69003;Lyon;31/12/1980;vert;4;45.7\n"
)
MAILCHIMP = (
    "Email Address,First Name,Last Name,MEMBER_RATING,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,CONFIRM_IP,LATITUDE,"
    "LEID,EUID,TAGS,UNSUB_TIME\n"
    'ana@gmail.com,Ana,Roux,4,,,2025-03-01 09:00:00,192.0.2.1,45.7,12,ab12,"""vert"",""bénévole""",\n'
    "luc@gmail.com,Luc,Noir,2,2024-03-01 09:00:00,,2024-03-01 09:00:00,192.0.2.1,45.7,13,ab13,,"
    "2025-12-24 18:00:00\n"
)
BREVO = (
    "CONTACT ID;EMAIL;PRENOM;NOM;SMS;DOUBLE_OPT-IN;OPT_IN;ADDED_TIME;MODIFIED_TIME\n"
    "5;ana@gmail.com;Ana;Roux;33612345678;Yes;Yes;2025-01-01;2025-02-01\n"
)
CIVICRM = (
    '"Contact ID","Contact Type","Do Not Email","Do Not Sms","No Bulk Emails (User Opt Out)",'
    '"External Identifier","First Name","Last Name","Email","Phone","City","Postal Code","Is Deceased"\n'
    '"31","Individual","0","0","0","M-1","Ana","Roux","ana@gmail.com","0612345678","Lyon","69003","0"\n'
    '"32","Individual","0","1","1","M-2","Luc","Noir","luc@gmail.com","0612345679","Lyon","69003","0"\n'
)
ACTION_NETWORK = (
    "uuid,email,first_name,last_name,zip_code,can2_user_city,can2_phone,can2_user_tags,can2_subscription_status,"
    "can2_sms_status\n"
    'u-1,ana@gmail.com,Ana,Roux,69003,Lyon,+33612345678,"vert, bénévole",subscribed,unsubscribed\n'
    "u-2,luc@gmail.com,Luc,Noir,69003,Lyon,,,previous spam complaint,\n"
)
HUBSPOT = (
    "Record ID,First Name,Last Name,Email,Mobile Phone Number,City,Postal Code,Lifecycle Stage,Contact owner,"
    "Unsubscribed from all email\n"
    "901,Ana,Roux,ana@gmail.com,0612345678,Lyon,69003,Lead,Marie,\n"
    "902,Luc,Noir,luc@gmail.com,,Lyon,69003,Lead,Marie,true\n"
)
FILES = {
    "nationbuilder": NATIONBUILDER,
    "qomon": QOMON,
    "mailchimp": MAILCHIMP,
    "brevo": BREVO,
    "civicrm": CIVICRM,
    "action_network": ACTION_NETWORK,
    "hubspot": HUBSPOT,
}


def heading(text: str) -> list[str]:
    line = text.splitlines()[0].replace('"', "")
    return line.split(";" if ";" in line else ",")


@pytest.mark.parametrize("key", FILES)
def test_each_program_is_recognised_by_its_headings(key: str) -> None:
    export = recognise(heading(FILES[key]))
    assert export is not None
    assert export.key == key


def test_every_program_has_an_example_here_and_names_only_fields_there_are() -> None:
    assert {export.key for export in EXPORTS} == set(FILES)
    for export in EXPORTS:
        assert set(export.fields.values()) <= set(FIELD_BY_NAME), export.key


def test_a_list_of_anybodys_own_is_no_export() -> None:
    assert recognise(["Prénom", "Nom", "Email", "Commune"]) is None


@pytest.mark.parametrize("key", FILES)
async def test_the_first_person_of_each_file_comes_in_whole(desk: Desk, key: str) -> None:
    result = await desk.bring(FILES[key])
    assert result.rows_rejected == 0
    ana = await desk.contact(email="ana@gmail.com")
    assert (ana.first_name, ana.last_name, ana.departement) == (
        "Ana",
        "Roux",
        "69" if key not in {"mailchimp", "brevo"} else None,
    )
    assert ana.phone == (None if key == "mailchimp" else "+33612345678")
    assert (ana.external_id is None) is (key == "qomon")


@pytest.mark.parametrize(
    ("key", "ana_says", "luc_says"),
    [
        ("nationbuilder", GRANTED, WITHDRAWN),
        ("mailchimp", GRANTED, WITHDRAWN),
        ("civicrm", UNKNOWN, WITHDRAWN),
        ("action_network", GRANTED, WITHDRAWN),
        ("hubspot", UNKNOWN, WITHDRAWN),
    ],
)
async def test_opt_ins_are_consent_opt_outs_refusals_and_silence_is_neither(
    desk: Desk, key: str, ana_says: ConsentStatus, luc_says: ConsentStatus
) -> None:
    await desk.bring(FILES[key])
    assert (await desk.contact(email="ana@gmail.com")).email_consent is ana_says
    assert (await desk.contact(email="luc@gmail.com")).email_consent is luc_says


async def test_tags_between_quotation_marks_lose_them_and_keep_their_commas(desk: Desk) -> None:
    await desk.bring(MAILCHIMP.replace('""bénévole""', '""bénévole, Lyon"", été'))
    assert await desk.tags(email="ana@gmail.com") == ["bénévole, Lyon", "été", "vert"]


async def test_the_moment_of_a_refusal_is_kept_as_its_proof(desk: Desk) -> None:
    await desk.bring(MAILCHIMP)
    given = {record.status: record.given_at for record in await desk.records()}
    assert given[WITHDRAWN] == datetime(2025, 12, 24, 18, tzinfo=UTC)
    assert given[GRANTED] == datetime(2025, 3, 1, 9, tzinfo=UTC)


def test_what_somebody_says_of_a_column_goes_before_what_the_program_means() -> None:
    columns = map_columns(heading(HUBSPOT), {"Record ID": IGNORE, "Contact owner": "attr.owner"})
    fields = {column.header: column.field for column in columns}
    assert (fields["Record ID"], fields["Contact owner"]) == (IGNORE, "attr.owner")
    assert fields["Lifecycle Stage"] == IGNORE


async def test_several_columns_may_refuse_and_one_yes_is_enough(desk: Desk) -> None:
    await desk.bring(
        "email;do not email;unsubscribed;consentement email\n"
        "a@gmail.com;0;0;oui\nb@gmail.com;0;1;oui\nc@gmail.com;1;0;oui\nd@gmail.com;;parti;oui\n"
    )
    says = [(await desk.contact(email=f"{name}@gmail.com")).email_consent for name in "abcd"]
    assert says == [GRANTED, WITHDRAWN, WITHDRAWN, WITHDRAWN]
