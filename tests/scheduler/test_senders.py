"""Which identity writes to whom, and what keeps a delivery from leaving."""

import pytest

from models.contact import Contact
from models.delivery import Delivery
from models.identity import Identity, TerritoryKind
from models.states import Channel, ConsentStatus, DeliveryState, IdentityRule, IdentityState
from scheduler.gates import stop_if_gone, stop_if_withdrawn
from scheduler.senders import can_send, choose_identity
from tests.clocks import START

PERSON = Contact(id=1, email="a@gmail.com", departement="13", created_at=START, updated_at=START)


def an_identity(
    key: str = "a",
    *,
    state: IdentityState = IdentityState.ACTIVE,
    sms_sender: str | None = None,
    territory: TerritoryKind = TerritoryKind.NATIONAL,
    territory_value: str = "",
) -> Identity:
    return Identity(
        key=key,
        name=key,
        from_email="a@parti.fr",
        return_path_domain="retour.parti.fr",
        state=state,
        sms_sender=sms_sender,
        territory=territory,
        territory_value=territory_value,
        created_at=START,
    )


@pytest.mark.parametrize("state", [IdentityState.SUSPENDED, IdentityState.RETIRED])
def test_a_suspended_or_retired_identity_writes_to_nobody(state: IdentityState) -> None:
    assert not can_send(an_identity(state=state), Channel.EMAIL)


def test_without_a_number_or_name_to_send_from_no_text_message_leaves() -> None:
    assert not can_send(an_identity(), Channel.SMS)
    assert can_send(an_identity(sms_sender="PARTI"), Channel.SMS)


@pytest.mark.parametrize("rule", IdentityRule)
def test_when_no_identity_can_send_nobody_is_chosen(rule: IdentityRule) -> None:
    assert choose_identity(rule, [an_identity(state=IdentityState.RETIRED)], PERSON, Channel.EMAIL) is None


def test_one_identity_is_the_first_that_can_send() -> None:
    senders = [an_identity("a", state=IdentityState.SUSPENDED), an_identity("b")]
    chosen = choose_identity(IdentityRule.ONE, senders, PERSON, Channel.EMAIL)
    assert chosen is senders[1]


def test_identities_of_one_territory_share_its_people_alike_in_any_order() -> None:
    senders = [
        an_identity(key, territory=TerritoryKind.DEPARTEMENT, territory_value="13") for key in ("a", "b")
    ]
    chosen = [
        choose_identity(IdentityRule.TERRITORY, order, PERSON, Channel.EMAIL)
        for order in (senders, senders[::-1])
    ]
    assert chosen[0] is chosen[1] is not None


def test_an_erased_person_stops_their_delivery_and_no_seed() -> None:
    row = Delivery(
        campaign_id=1,
        contact_id=1,
        channel=Channel.EMAIL,
        identity_id=1,
        provider="gmail",
        address="a@gmail.com",
        due_at=START,
    )
    stop = stop_if_gone(row, None)
    assert stop is not None
    assert stop.state is DeliveryState.CANCELLED
    assert stop_if_gone(row, PERSON) is None
    row.contact_id, row.seed_id = None, 1
    assert stop_if_gone(row, None) is None


def test_who_withdrew_from_text_messages_still_gets_e_mail() -> None:
    person = Contact(
        email="a@gmail.com", sms_consent=ConsentStatus.WITHDRAWN, created_at=START, updated_at=START
    )
    assert stop_if_withdrawn(person, Channel.SMS) is not None
    assert stop_if_withdrawn(person, Channel.EMAIL) is None
    assert stop_if_withdrawn(None, Channel.EMAIL) is None
