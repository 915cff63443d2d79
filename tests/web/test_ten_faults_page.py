"""The page of an identity whose domain has ten faults names all ten, each with the record that mends it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC
from html import unescape

import pytest
from sqlmodel import update

from deliverability.dns_records import DnsRecord
from models.access import Role, User
from models.health import HealthLevel
from scheduler.lookout import Lookout, findings_of
from store import Database, health, identities
from tests.deliverability.health.houses import KEYS, SETUP, House, a_key, an_identity, furnish
from tests.deliverability.health.test_ten_faults import TEN, spoil
from tests.servers.dns import dns_server
from tests.web.browsers import Site
from web import create_app
from web.health_words import said
from web.i18n import Tongue


@pytest.fixture
async def house(database: Database, site: Site) -> AsyncIterator[House]:
    """An identity of the site with ten faults in its DNS."""
    async with dns_server() as server:
        furnish(server)
        made = House(server)
        spoil(made)
        lookout = Lookout(resolver=made.resolver, setup=SETUP, required=frozenset(), suspends=False)
        site.context = replace(site.context, lookout=lookout)
        site.app = create_app(site.context)
        async with database.write() as session:
            keys = [a_key(key.selector, key.algorithm, key.public_base64) for key in KEYS]
            for key in keys:
                key.active_at = key.created_at
            await identities.add_identity(session, an_identity(), keys)
        yield made


def shown(record: DnsRecord, page: str) -> bool:
    return record.name in page and record.type in page and record.value in page


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_the_page_names_all_ten_and_their_records(
    site: Site, house: House, database: Database, language: str
) -> None:
    browser = await site.signed_in(Role.ADMIN)
    async with database.write() as session:
        await session.exec(update(User).values(language=language))
    await browser.send_form("/identities/1/check", page="/identities/1")
    page = unescape(await browser.read("/identities/1"))
    async with database.read() as session:
        (look,) = await health.looks_at(session, 1, limit=1)
    found = {each.code: each for each in findings_of(look)}
    assert look.level is HealthLevel.PROBLEM
    assert set(found) >= TEN
    tongue = Tongue(language, UTC)
    for code in TEN:
        record = found[code].record
        assert record is not None
        assert shown(record, page), code
        assert said(found[code], tongue) in page
    house.mend(list(found.values()))
    await browser.send_form("/identities/1/check", page="/identities/1")
    async with database.read() as session:
        (look,) = await health.looks_at(session, 1, limit=1)
    assert look.level is HealthLevel.FINE
