"""Signed tokens: only what this installation signed, only for what it was signed for."""

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import SettingsError
from models.keyring import Keyring
from models.tokens import TOKEN_LENGTH, DeliveryTokens, TokenPurpose, Tokens

TOKENS = Tokens(Keyring("one secret of an installation, long enough"))
OTHERS = Tokens(Keyring("another secret of an installation, as long"))
deliveries = st.integers(0, 2**48 - 1)
purposes = st.sampled_from(TokenPurpose)


@given(purposes, deliveries)
def test_a_token_leads_back_to_its_delivery(purpose: TokenPurpose, delivery_id: int) -> None:
    token = TOKENS.make(purpose, delivery_id)
    assert len(token) == TOKEN_LENGTH
    assert token.isalnum()
    assert TOKENS.read(purpose, token) == delivery_id


@given(purposes, deliveries)
def test_a_token_survives_a_change_of_case(purpose: TokenPurpose, delivery_id: int) -> None:
    assert TOKENS.read(purpose, TOKENS.make(purpose, delivery_id).upper()) == delivery_id


@given(deliveries)
def test_a_token_serves_one_purpose_only(delivery_id: int) -> None:
    token = TOKENS.make(TokenPurpose.BOUNCE, delivery_id)
    assert [purpose for purpose in TokenPurpose if TOKENS.read(purpose, token) is not None] == [
        TokenPurpose.BOUNCE
    ]


@given(
    purposes,
    deliveries,
    st.integers(0, TOKEN_LENGTH - 1),
    st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"),
)
def test_a_changed_token_is_worth_nothing(
    purpose: TokenPurpose, delivery_id: int, place: int, letter: str
) -> None:
    token = TOKENS.make(purpose, delivery_id)
    changed = token[:place] + letter + token[place + 1 :]
    assert (TOKENS.read(purpose, changed) is None) == (changed != token)


@given(purposes, deliveries)
def test_another_installation_s_token_is_worth_nothing(purpose: TokenPurpose, delivery_id: int) -> None:
    assert OTHERS.read(purpose, TOKENS.make(purpose, delivery_id)) is None


@given(deliveries)
def test_all_tokens_of_a_delivery_are_those_made_one_by_one(delivery_id: int) -> None:
    assert TOKENS.make_all(delivery_id)._asdict() == {
        name: TOKENS.make(TokenPurpose(name), delivery_id) for name in DeliveryTokens._fields
    }


@given(purposes, deliveries)
def test_a_token_is_the_number_and_its_hmac_whatever_makes_it_fast(
    purpose: TokenPurpose, delivery_id: int
) -> None:
    """Tokens in mails that were sent long ago must go on working."""
    key = Keyring("one secret of an installation, long enough").key(f"token/{purpose}")
    number = delivery_id.to_bytes(6, "big")
    mac = hmac.digest(key, number, hashlib.sha256)[:9]
    assert TOKENS.make(purpose, delivery_id) == base64.b32encode(number + mac).decode().lower()


@given(purposes, st.text())
def test_anything_else_is_no_token(purpose: TokenPurpose, text: str) -> None:
    assert TOKENS.read(purpose, text) is None


@given(st.text())
def test_what_is_sealed_can_be_opened_with_the_same_secret(plain: str) -> None:
    keyring = Keyring("one secret of an installation, long enough")
    assert keyring.decrypt(keyring.encrypt(plain)) == plain


def test_what_is_sealed_cannot_be_opened_with_another_secret() -> None:
    sealed = Keyring("one secret of an installation, long enough").encrypt("private")
    with pytest.raises(SettingsError, match="another secret"):
        Keyring("another secret of an installation, as long").decrypt(sealed)


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(SettingsError, match="32"):
        Keyring("short")
