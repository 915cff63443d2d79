"""Words made comparable, providers known by their domains, errors in one line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import BadInputError, TocsinError
from models.providers import OTHER, PROVIDERS, SMS, provider_name, provider_of
from models.states import Channel
from models.suppression import address_hash
from models.text import fold


@pytest.mark.parametrize("text", ["Saint-Étienne", "SAINT ETIENNE", " saint’étienne", "Saint_Etienne."])
def test_a_name_is_the_same_however_it_is_typed(text: str) -> None:
    assert fold(text) == "saint etienne"


@given(st.text())
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@pytest.mark.parametrize(
    ("address", "provider"),
    [
        ("a@gmail.com", "gmail"),
        ("A@Wanadoo.FR", "orange"),
        ("neuf.fr", "sfr"),
        ("a@exemple.fr", OTHER),
        ("nothing", OTHER),
    ],
)
def test_an_address_is_at_the_provider_of_its_domain(address: str, provider: str) -> None:
    assert provider_of(address) == provider


def test_no_domain_belongs_to_two_providers() -> None:
    domains = [domain for provider in PROVIDERS for domain in provider.domains]
    assert len(domains) == len(set(domains))


def test_providers_have_names_for_people() -> None:
    assert [provider_name(key) for key in ("laposte", SMS, "unheard")] == ["La Poste", "SMS", "Other"]


def test_the_same_address_has_one_fingerprint_a_channel() -> None:
    assert address_hash(Channel.EMAIL, "a@b.fr") == address_hash(Channel.EMAIL, "a@b.fr")
    assert address_hash(Channel.EMAIL, "a@b.fr") != address_hash(Channel.SMS, "a@b.fr")


def test_an_error_is_one_line_with_its_advice() -> None:
    assert str(TocsinError("The port is busy.", "Choose another.")) == "The port is busy. Choose another."
    assert BadInputError("x").exit_code == 2
