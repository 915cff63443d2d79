"""`tocsin api-key`, as it is typed."""

import re

import pytest

from models.api_secret import is_well_formed
from tests.service.conftest import Tocsin, Typed


@pytest.fixture
def keys(ready: Tocsin, typed: Typed) -> Typed:
    """The command, on a database that is ready."""
    assert ready.folder.exists()
    return typed


def test_a_key_is_made_shown_once_replaced_and_revoked(keys: Typed) -> None:
    assert "No program has a key yet" in keys.must("api-key", "list")
    out = keys.must("api-key", "new", "CRM", "--live", "--may", "crm", "--last-day", "2099-12-31")
    found = re.search(r"tcn_live_\w+", out)
    assert found
    first = found.group(0)
    assert is_well_formed(first)
    listed = keys.must("api-key", "list")
    assert first not in listed
    assert f"tcn_live_…{first[-4:]}" in listed
    assert re.search(r"CRM .* crm .* never .*2100-01-01 00:00", listed), listed
    second = keys.must("api-key", "rotate", first[-4:], "--quiet").strip()
    assert is_well_formed(second)
    assert "Several keys are called 'CRM'" in keys("api-key", "revoke", "CRM", "--yes").err
    assert "is revoked" in keys.must("api-key", "revoke", "1", "--yes")
    assert "has ended" in keys("api-key", "rotate", "1").err
    keys.must("api-key", "revoke", "CRM", "--yes")
    assert len(re.findall("revoked", keys.must("api-key", "list"))) == 2


def test_without_a_word_about_it_a_key_is_one_for_tests(keys: Typed) -> None:
    assert keys.must("api-key", "new", "Trial", "--quiet").startswith("tcn_test_")
    assert re.search("Trial .* sending ", keys.must("api-key", "list"))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--may", "moon"), "There is no scope 'moon'"),
        (("--network", "office"), "'office' is no address"),
        (("--identity", "nobody"), "There is no identity 'nobody'"),
        (("--last-day", "2020-01-01"), "2020-01-01 is past"),
        (("--last-day", "soon"), "'soon' is no day"),
        (("--per-minute", "0"), "equal to 1"),
    ],
)
def test_what_cannot_be_is_refused(keys: Typed, words: tuple[str, ...], told: str) -> None:
    assert told in keys("api-key", "new", "CRM", *words).err
    assert "No program has a key yet" in keys.must("api-key", "list")


def test_an_unknown_key_is_not_revoked(keys: Typed) -> None:
    assert "There is no API key 'x'" in keys("api-key", "revoke", "x", "--yes").err
