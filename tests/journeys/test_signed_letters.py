"""From a template and anybody's values to a signed message that other people's verifiers believe."""

import re
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.values import EmailEnvelope
from sender import EmailBuilder
from sender.dkim import verify
from sender.smtp_text import find_problem, stuff_dots
from tests.sender.conftest import Keys, a_sender, build, keys
from tests.sender.test_dkim import ed25519_holds
from tests.servers.perl_dkim import PerlDkim
from tests.templates.letters import rendered
from tests.templates.test_any_value import ANYTHING
from tests.templates.test_proof import LETTERS

__all__ = ["keys"]

VALUES = st.fixed_dictionaries({"a": ANYTHING.map(lambda text: f"{text}A"), "b": ANYTHING.map("B{}".format)})


def a_signed_letter(keys: Keys, name: str, values: Mapping[str, str]) -> EmailEnvelope:
    builder = EmailBuilder(a_sender(signing_keys=keys.signing(*keys.algorithms)))
    return build(builder, rendered(LETTERS[name], **values))


def check_wire(envelope: EmailEnvelope) -> None:
    """What may go into SMTP, proven or not: no bare line ends, no long lines, dots stuffed."""
    data = bytes(envelope.data)
    assert find_problem(envelope) is None
    assert data.endswith(b"\r\n")
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", data)
    assert max(map(len, data.split(b"\r\n"))) <= 998
    if envelope.proven:
        assert stuff_dots(data) == data


@pytest.mark.parametrize("name", LETTERS)
@given(values=VALUES)
@settings(max_examples=15)
def test_any_letter_to_anybody_is_legal_and_signed_twice(
    keys: Keys, name: str, values: Mapping[str, str]
) -> None:
    envelope = a_signed_letter(keys, name, values)
    check_wire(envelope)
    opinions = verify(bytes(envelope.data), keys.zone.get)
    assert [opinion.reason for opinion in opinions if opinion.selector == "s1"] == [""]
    assert ed25519_holds(bytes(envelope.data), keys.ed25519.public_base64)


@pytest.mark.parametrize("name", LETTERS)
@given(values=VALUES)
@settings(max_examples=3)
def test_perl_believes_any_letter_to_anybody(
    keys: Keys, perl_dkim: PerlDkim, name: str, values: Mapping[str, str]
) -> None:
    envelope = a_signed_letter(keys, name, values)
    results = {
        opinion.selector: opinion.result for opinion in perl_dkim.verify(bytes(envelope.data), keys.zone)
    }
    assert results["s1"] == "pass"
