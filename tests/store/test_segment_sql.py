"""The condition of a segment keeps exactly the people the rule means, on both databases."""

import asyncio
import random
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from audience.segments import count, explain, parse_segment
from models.campaign import Campaign
from models.contact import Contact
from models.event import Event
from models.interaction import Interaction, kind_key
from models.segment_tree import Node, Not
from models.states import Channel, ConsentStatus, EventKind
from models.text import fold
from store import Database, contacts, templates
from store.segment_sql import matching
from tests.audience.segment_trees import CODES, trees
from tests.clocks import START
from tests.store.segment_oracle import Witness, keeps

WORDS = ["militant", "Économie", "a b", 'd"e', "f\\g", "x*", "l'Île", "(", "é", "100%", "a_b"]
KINDS = [
    *(EventKind.ACCEPTED, EventKind.DELIVERED, EventKind.CLICKED, EventKind.OPENED, EventKind.BOUNCED),
    *(EventKind.UNSUBSCRIBED, EventKind.COMPLAINED, EventKind.REPLIED, EventKind.DEFERRED),
]
DEEDS = ["Meeting", "Meeting attended", "Pétition", "Porte-à-porte", "Sondage"]
CAMPAIGNS = ["Mars", "Lettre d’avril", "Mai"]
PEOPLE = 60


def _values(lots: random.Random, number: int) -> dict[str, Any]:
    """One person of whom each thing is known or not."""

    def one_of(choices: Sequence[Any]) -> Any:
        return lots.choice([None, *choices])

    attributes = {}
    if lots.random() < 0.6:
        attributes["profession"] = lots.choice(WORDS)
    if lots.random() < 0.7:
        attributes["children"] = lots.choice(
            ["2", "2,5", "-1", "0", "beaucoup", "10", "2.50", "12 ans", "1e3"]
        )
    born = date(1950, 1, 1) + timedelta(days=lots.randrange(27_000))
    return {
        "external_id": f"A{number}",
        "email": f"a{number}@b.fr" if lots.random() < 0.8 else None,
        "phone": f"+336123456{number:02}" if lots.random() < 0.5 else None,
        "first_name": one_of(["Camille"]),
        "birth_date": lots.choice([None, born, date(2008, 3, 10), date(2008, 3, 11), date(2004, 2, 29)]),
        "attributes": attributes,
        "language": lots.choice(["fr", "en"]),
        "email_consent": lots.choice(list(ConsentStatus)),
        "sms_consent": lots.choice(list(ConsentStatus)),
        "targeting_consent": lots.choice(list(ConsentStatus)),
        **{name: one_of(WORDS) for name in ("level", "commune", "canton")},
        **{
            name: one_of(CODES[name])
            for name in ("postcode", "departement", "region", "circonscription", "polling_station")
        },
    }


async def _campaigns(session: AsyncSession) -> dict[str, int]:
    version = await templates.save_version(
        session, name="m", channel=Channel.EMAIL, subject="s", preheader="", body="b", fallbacks={}, now=START
    )
    numbers = {}
    for name in CAMPAIGNS:
        campaign = Campaign(
            name=name,
            channel=Channel.EMAIL,
            template_version_id=version.id,
            created_at=START,
            updated_at=START,
        )
        session.add(campaign)
        await session.flush()
        numbers[name] = campaign.id
    return numbers


async def populate(database: Database) -> list[Witness]:
    """The people of the test: in the database, and as they are remembered outside it."""
    lots = random.Random(7)
    async with database.write() as session:
        campaigns = await _campaigns(session)
        rows = [_values(lots, number) for number in range(PEOPLE)]
        rows[0]["email"] = "c@d.fr"
        rows[1]["phone"] = "+33612345678"
        numbers = await contacts.insert_contacts(session, rows, now=START)
        witnesses = []
        for number in numbers:
            contact = await contacts.get_contact(session, number)
            contact.created_at = START - timedelta(days=lots.randrange(400), hours=lots.randrange(24))
            contact.updated_at = contact.created_at + timedelta(days=lots.randrange(5))
            witness = Witness(contact, {word for word in WORDS if lots.random() < 0.15})
            for _ in range(lots.randrange(4)):
                happening = (
                    lots.choice(KINDS),
                    lots.choice(CAMPAIGNS),
                    START - timedelta(days=lots.randrange(400)),
                )
                witness.events.append(happening)
                session.add(_event(number, happening, campaigns, source_id=f"{number}/{len(witness.events)}"))
            for _ in range(lots.randrange(3)):
                deed = lots.choice(DEEDS), START - timedelta(days=lots.randrange(400))
                witness.deeds.append(deed)
                session.add(_interaction(number, *deed))
            witnesses.append(witness)
        worn = [(fold(tag), who.contact.id) for who in witnesses for tag in who.tags]
        await contacts.add_tags(session, {fold(word): word for word in WORDS}, worn)
    return witnesses


def _event(
    number: int, happening: tuple[EventKind, str, datetime], campaigns: dict[str, int], *, source_id: str
) -> Event:
    kind, campaign, at = happening
    return Event(
        contact_id=number,
        campaign_id=campaigns[campaign],
        kind=kind,
        at=at,
        recorded_at=at,
        source="test",
        source_id=source_id,
    )


def _interaction(number: int, label: str, at: datetime) -> Interaction:
    return Interaction(contact_id=number, kind=kind_key(label), label=label, at=at, recorded_at=at)


async def kept(database: Database, condition: sa.ColumnElement[bool]) -> set[int]:
    async with database.read() as session:
        return set((await session.exec(select(Contact.id).where(condition))).all())


async def counted(database: Database, tree: Node) -> int:
    async with database.read() as session:
        return await count(session, tree, START)


def test_sql_and_plain_python_keep_the_same_people(migrated_url: str) -> None:
    with asyncio.Runner() as runner:
        database = Database(migrated_url)
        witnesses = runner.run(populate(database))

        @given(trees())
        def check(tree: Node) -> None:
            condition = matching(tree, now=START)
            expected = {who.contact.id for who in witnesses if keeps(tree, who, START)}
            assert runner.run(kept(database, condition)) == expected
            assert runner.run(counted(database, tree)) == len(expected)
            # Never NULL: the rest is what a negation keeps, wherever it is put.
            rest = {who.contact.id for who in witnesses} - expected
            assert runner.run(kept(database, sa.not_(condition))) == rest
            assert runner.run(kept(database, matching(Not(tree), now=START))) == rest

        try:
            check()
        finally:
            runner.run(database.close())


@pytest.mark.parametrize(
    "text",
    [
        "tag:économie",
        "TAG:ECONOMIE or tag:100%*",
        "tag:a*",
        "(tag:militant and language:fr) or (language:(en, de) and not tag:économie)",
        "not commune:militant",
        "postcode:13* and not has:email",
        "age>=18 and age<30",
        "attr.children>=2 and not attr.children>5",
        "attr.profession:ECONOMIE",
        "has:tag except tag:militant",
        "consent:email and not consent.sms:(withdrawn, unknown)",
        "consentement.ciblage:accordé and not consent.email:withdrawn",
        "clicked<100d or received:Mars",
        'interaction:meeting or interaction:(petition, "porte à porte")',
        "interaction:meet* and not interaction.meeting_attended",
        "interaction<100d or participation.Pétition<300d",
        "created<90d and updated>2025-12-01",
        "birth_date<2000-01-01",
    ],
)
async def test_rules_as_people_write_them_keep_whom_they_mean(database: Database, text: str) -> None:
    witnesses = await populate(database)
    tree = parse_segment(text)
    expected = {who.contact.id for who in witnesses if keeps(tree, who, START)}
    assert 0 < len(expected) < PEOPLE
    assert await kept(database, matching(tree, now=START)) == expected
    assert await counted(database, tree) == len(expected)


async def test_an_explanation_counts_each_part_by_itself(database: Database) -> None:
    witnesses = await populate(database)
    tree = parse_segment("(tag:militant or tag:économie) and not (has:email and language:fr)")
    async with database.read() as session:
        lines = await explain(session, tree, START)
        total = await count(session, tree, START)
    assert [(line.depth, line.text) for line in lines] == [
        (0, "all of"),
        (1, "any of"),
        (2, "tag:militant"),
        (2, "tag:économie"),
        (1, "everybody but"),
        (2, "all of"),
        (3, "has:email"),
        (3, "language:fr"),
    ]
    assert lines[0].count == total == sum(keeps(tree, who, START) for who in witnesses)
    assert lines[2].count == sum("militant" in who.tags for who in witnesses)


async def test_who_turns_eighteen_today_is_eighteen(database: Database) -> None:
    async with database.write() as session:
        await contacts.insert_contacts(
            session,
            [
                {"email": "today@b.fr", "birth_date": date(2008, 3, 10)},
                {"email": "tomorrow@b.fr", "birth_date": date(2008, 3, 11)},
            ],
            now=START,
        )
        adults = select(Contact.email).where(matching(parse_segment("age>=18"), now=START))
        assert (await session.exec(adults.order_by(col(Contact.id)))).all() == ["today@b.fr"]
