"""A change of signing keys: nothing fails on its way, whatever is published, seen or interrupted when."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import ConflictError, SettingsError
from models.identity import DkimKey
from models.signing import DkimAlgorithm
from models.states import Channel
from models.values import EmailEnvelope
from scheduler import signing_keys
from scheduler.lookout import HOUR
from scheduler.ownership_letter import compose
from scheduler.post import open_desk
from scheduler.signing_keys import KEPT, OLD, SEEN_FOR, RotationStep, rotation_of, step_of
from sender.dkim import verify
from store import Database, identities
from tests.clocks import START, ManualClock
from tests.factories import KEYRING
from tests.scheduler.sender_houses import DOMAIN, RSA_NAME, House, sender_house
from tests.servers.dns import DnsServer, Fault

K = RotationStep


async def begin(house: House) -> list[DkimKey]:
    async with house.database.write() as session:
        identity = await identities.get_identity(session, house.identity_id)
        return await signing_keys.begin_rotation(session, identity, KEYRING, house.clock.now())


async def step(house: House) -> RotationStep | None:
    found = rotation_of(await house.keys())
    return None if found is None else step_of(found, house.clock.now())


async def selectors(house: House) -> list[str]:
    async with house.database.read() as session:
        return [key.selector for key in await identities.keys_of(session, house.identity_id)]


async def a_signed_letter(house: House) -> EmailEnvelope:
    """A message, signed as a campaign's are."""
    async with house.database.read() as session:
        keys = await identities.keys_of(session, house.identity_id)
    identity = await house.identity()
    desk = open_desk(identity, keys, KEYRING, Channel.EMAIL)
    assert desk.builder is not None
    return desk.builder.build(
        compose("Le Parti", "a@b.fr", "https://x.fr", "fr"),
        recipient="a@b.fr",
        return_path=f"b@{DOMAIN}",
        message_id=f"1@{DOMAIN}",
        date=house.clock.now(),
    )


def holds(envelope: EmailEnvelope, server: DnsServer) -> bool:
    """Whether a signature of it verifies, by dkimpy, with what the DNS says now."""

    def ask(name: str) -> str | None:
        values = server.records.get((name, "TXT"), [])
        return values[0].replace('" "', "").strip('"') if values else None

    return any(found.valid for found in verify(bytes(envelope.data), ask))


async def test_keys_change_without_a_mail_that_fails_on_its_way(
    database: Database, clock: ManualClock
) -> None:
    async with sender_house(database, clock) as house:
        await house.publish()
        before = await a_signed_letter(house)
        new = [key.selector for key in await begin(house)]
        assert await step(house) is K.PUBLISH
        assert set(await selectors(house)) == {"t-rsa", "t-ed25519"}
        await house.look()
        assert await step(house) is K.PUBLISH
        await house.publish()
        await house.look()
        assert await step(house) is K.WAIT
        waiting = await a_signed_letter(house)
        clock.advance(SEEN_FOR)
        await house.look()
        assert await step(house) is K.KEEP
        assert set(await selectors(house)) == set(new)
        after = await a_signed_letter(house)
        # Under way during the switch, or read days later.
        assert timedelta(days=7) <= KEPT
        clock.advance(KEPT - timedelta(minutes=1))
        await house.look()
        assert await step(house) is K.KEEP
        assert all(holds(each, house.server) for each in (before, waiting, after))
        clock.advance(timedelta(minutes=1))
        assert await step(house) is K.REVOKE
        await house.look()
        assert await step(house) is K.REVOKE
        identity = await house.identity()
        old = [key for key in await house.keys() if key.retired_at is not None]
        house.server.publish_records(signing_keys.withdrawn_record(identity, key) for key in old)
        await house.look()
        assert await step(house) is None
        assert not holds(before, house.server)
        assert holds(after, house.server)
        gone = [key for key in await house.keys() if key.revoked_at is not None]
        assert [key.sealed_private_pem for key in gone] == ["", ""]
        with pytest.raises(SettingsError):
            KEYRING.decrypt(gone[0].sealed_private_pem)


async def test_records_that_come_and_go_start_the_wait_again(database: Database, clock: ManualClock) -> None:
    async with sender_house(database, clock) as house:
        await house.publish()
        (name, *_) = [key.selector for key in await begin(house)]
        await house.publish()
        await house.look()
        house.server.withdraw(f"{name}._domainkey.{DOMAIN}", "TXT")
        clock.advance(HOUR)
        await house.look()
        assert await step(house) is K.PUBLISH
        await house.publish()
        await house.look()
        # Nobody can say: neither back nor on.
        house.server.fail(f"{name}._domainkey.{DOMAIN}", Fault.SERVFAIL)
        clock.advance(SEEN_FOR / 2)
        await house.look()
        assert await step(house) is K.WAIT
        house.server.heal()
        clock.advance(SEEN_FOR / 2)
        await house.look()
        assert await step(house) is K.KEEP


async def test_another_key_under_the_new_name_is_not_ours(database: Database, clock: ManualClock) -> None:
    async with sender_house(database, clock) as house:
        await house.publish()
        new = await begin(house)
        await house.publish()
        for key in new:
            house.server.publish_text(f"{key.selector}._domainkey.{DOMAIN}", "v=DKIM1; k=rsa; p=AAAA")
        await house.look()
        assert await step(house) is K.PUBLISH


async def test_a_change_is_cancelled_until_the_new_keys_sign(database: Database, clock: ManualClock) -> None:
    async with sender_house(database, clock) as house:
        await house.publish()
        await begin(house)
        with pytest.raises(ConflictError, match="being changed already"):
            await begin(house)
        async with database.write() as session:
            identity = await identities.get_identity(session, house.identity_id)
            with pytest.raises(ConflictError, match="not all seen"):
                await signing_keys.switch(session, identity, clock.now())
            assert await signing_keys.cancel_rotation(session, identity) == 2
            with pytest.raises(ConflictError, match="cancelled"):
                await signing_keys.cancel_rotation(session, identity)
        assert await step(house) is None
        await begin(house)
        await house.publish()
        await house.look()
        async with database.write() as session:
            identity = await identities.get_identity(session, house.identity_id)
            await signing_keys.switch(session, identity, clock.now())
            with pytest.raises(ConflictError, match="sign already"):
                await signing_keys.cancel_rotation(session, identity)
        assert len(await selectors(house)) == 2


async def test_a_key_is_old_after_half_a_year(database: Database, clock: ManualClock) -> None:
    async with sender_house(database, clock) as house:
        keys = await house.keys()
        assert signing_keys.oldest_since(keys, clock.now()) is None
        assert signing_keys.oldest_since(keys, clock.now() + OLD) == START
        assert RSA_NAME.startswith(keys[0].selector)


async def test_new_keys_take_names_nobody_had() -> None:
    taken = {"tocsin-rsa", "tocsin-ed", f"tocsin-ed-{START:%Y%m%d}"}
    made = await signing_keys.make_keys(KEYRING, START, taken=taken)
    names = [key.selector for key in made]
    assert names == [f"tocsin-rsa-{START:%Y%m%d}", f"tocsin-ed-{START:%Y%m%d}-2"]
    assert not set(names) & taken


def a_key(made: int, *, seen: int | None, active: int | None, retired: int | None) -> DkimKey:
    def day(number: int | None) -> datetime | None:
        return None if number is None else START + timedelta(days=number)

    return DkimKey(
        identity_id=1,
        selector=f"s{made}",
        algorithm=DkimAlgorithm.RSA,
        sealed_private_pem="x",
        public_base64="x",
        created_at=START + timedelta(days=made),
        verified_at=day(seen),
        active_at=day(active),
        retired_at=day(retired),
    )


maybe = st.none() | st.integers(0, 30)


@given(st.lists(st.builds(a_key, st.integers(0, 30), seen=maybe, active=maybe, retired=maybe), max_size=5))
def test_where_a_change_stands_can_always_be_told(keys: list[DkimKey]) -> None:
    found = rotation_of(keys)
    assert found is None or found.new or found.old
