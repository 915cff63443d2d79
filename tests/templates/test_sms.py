"""Text messages: what they cost, what makes them cost more."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import TemplateError
from models.values import SmsMessage
from templates import compile_sms
from templates.slots import MissingValueError
from templates.sms import measure, offending, to_gsm

GSM = "@£$¥èéùìòÇ\nØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCXYZÄÖÑÜ§¿abcxyzäöñüà"


@pytest.mark.parametrize("character", "àéèùìòäöüñæÉÇÆÄÖÜÑ")
def test_french_letters_that_cost_one(character: str) -> None:
    assert (measure(character).units, measure(character).unicode) == (1, False)


@pytest.mark.parametrize("character", "€[]{}\\~^|")
def test_signs_that_cost_two(character: str) -> None:
    assert (measure(character).units, measure(character).unicode) == (2, False)


@pytest.mark.parametrize("character", "âêëîïôûÿçœÀÈÊÔŒ«»’“”…–—°\u00a0\u202f`")
def test_characters_that_force_the_wide_alphabet(character: str) -> None:
    assert measure(character).unicode
    assert offending(f"a{character}b{character}") == (character,)


@pytest.mark.parametrize(
    ("text", "segments", "left"),
    [
        ("", 1, 160),
        ("a" * 160, 1, 0),
        ("a" * 161, 2, 145),
        ("a" * 306, 2, 0),
        ("a" * 307, 3, 152),
        ("€" * 80, 1, 0),
        ("€" * 81, 2, 143),
        # 152 septets and an escape that does not fit: it moves whole.
        ("a" * 152 + "€" + "a" * 10, 2, 141),
        ("ê" * 70, 1, 0),
        ("ê" * 71, 2, 63),
        ("ê" * 134, 2, 0),
        ("ê" * 135, 3, 66),
        ("😀" * 35, 1, 0),
        # 67 is odd: the 34th pair is not split.
        ("😀" * 36, 2, 61),
        ("Français, où êtes-vous ?", 1, 46),
    ],
)
def test_what_a_text_costs(text: str, segments: int, left: int) -> None:
    length = measure(text)
    assert (length.segments, length.left) == (segments, left)


@given(st.text(alphabet=GSM, max_size=800))
def test_plain_text_costs_what_arithmetic_says(text: str) -> None:
    expected = 1 if len(text) <= 160 else math.ceil(len(text) / 153)
    assert measure(text).segments == expected


@given(st.text(max_size=400))
def test_segments_hold_everything_and_never_one_too_many(text: str) -> None:
    length = measure(text)
    single, part = (70, 67) if length.unicode else (160, 153)
    room = single if length.segments == 1 else part * length.segments
    assert length.units + length.left <= room
    # At most one unit is lost at each boundary.
    assert length.units + length.left >= room - (length.segments - 1)


@given(st.text(max_size=200))
def test_the_proposal_is_stable_and_never_costs_more_signs_outside_the_alphabet(text: str) -> None:
    proposal = to_gsm(text)
    assert to_gsm(proposal) == proposal
    assert len(offending(proposal)) <= len(offending(text)) or not offending(text)


@given(st.text(alphabet=GSM, max_size=200))
def test_what_is_in_the_alphabet_is_left_alone(text: str) -> None:
    assert to_gsm(text) == text


@pytest.mark.parametrize(
    ("text", "proposal"),
    [
        ("Ça, où êtes-vous ? L’été « Noël »…", 'Ça, où etes-vous ? L\'été " Noel "...'),
        ("français À cœur – déjà", "francais A coeur - déjà"),
        ("20\u00a0h, n°\u202f5 “oui” ÿ", '20 h, no 5 "oui" y'),
        ("Bravo 👏🏽!", "Bravo !"),
        ("e\u0301te\u0301", "été"),
        ("½ ﬁn ²", "½ fin 2"),
        ("Łódź, Đ", "Lódz, D".replace("ó", "o")),
        ("日本", "日本"),
    ],
)
def test_proposals(text: str, proposal: str) -> None:
    assert to_gsm(text) == proposal


def test_a_message_for_one_person() -> None:
    sms = compile_sms(
        body="Bonjour {{ first_name }}, {% if commune %}à {{ commune }}{% endif %}\n\n\n\n STOP 36111",
        fallbacks={},
    )
    assert sms.fields == {"first_name", "commune"}
    message = sms.render({"first_name": "Zoé\r\nMartin"})
    assert message == SmsMessage("Bonjour Zoé Martin,\n\nSTOP 36111", 1)


def test_missing_values_of_a_text_message() -> None:
    sms = compile_sms(body="{{ a }}{{ b }}", fallbacks={"b": "x"})
    assert sms.missing({}) == ("a",)
    with pytest.raises(MissingValueError):
        sms.render({})


def test_a_text_message_that_is_no_template() -> None:
    with pytest.raises(TemplateError, match="Line 1"):
        compile_sms(body="{{ x", fallbacks={})


@given(st.text(max_size=300))
def test_rendering_a_text_message_never_raises(value: str) -> None:
    message = compile_sms(body="A {{ v }} b", fallbacks={"v": "x"}).render({"v": value})
    assert message.segments == measure(message.text).segments
    assert "\r" not in message.text
