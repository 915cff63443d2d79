"""What people text back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliverability.words import STOP_WORDS, Keyword, is_stop, read_keyword


@pytest.mark.parametrize(
    "text",
    [
        "STOP",
        "stop.",
        "Stop svp",
        "ARRET",
        "arrêt",
        "DÉSABO",
        "désabonnement",
        "unsubscribe",
        "stop sms",
        "S T O P",
        "STPO",
        "stopp",
        "sto",
        "STOP !!!",
        " stop ",
        "Stop au 36000",
    ],
)
def test_stop_is_understood_in_its_spellings(text: str) -> None:
    assert read_keyword(text) is Keyword.STOP


@pytest.mark.parametrize(
    "text",
    [
        "arrêtez donc de m'écrire tout le temps",
        "je ne veux plus recevoir vos messages",
        "Stop à la hausse des prix dans notre commune",
        "Laissez-moi tranquille",
        "Supprimez mon numéro de vos listes svp",
    ],
)
def test_an_unclear_objection_counts_and_is_flagged(text: str) -> None:
    assert read_keyword(text) is Keyword.UNCLEAR_STOP
    assert is_stop(text)


@pytest.mark.parametrize(
    "text",
    [
        "stp",
        "top",
        "Top !",
        "step",
        "merci",
        "",
        "👍",
        "please stop by at noon",
        "Je viendrai samedi",
        "spot",
    ],
)
def test_other_messages_are_no_objection(text: str) -> None:
    assert read_keyword(text) is Keyword.OTHER


@pytest.mark.parametrize(
    ("text", "keyword"), [("START", Keyword.START), ("aide", Keyword.HELP), ("Contact ?", Keyword.HELP)]
)
def test_start_and_help_are_told_apart(text: str, keyword: Keyword) -> None:
    assert read_keyword(text) is keyword


@given(st.sampled_from(sorted(STOP_WORDS)), st.sampled_from(["", " ", ".", " !", "\n", " svp"]))
def test_case_and_punctuation_play_no_part(word: str, after: str) -> None:
    assert is_stop(f"{word.upper()}{after}")
    assert is_stop(f"  {word.capitalize()}{after}")


@given(st.text(max_size=300))
def test_any_text_is_read_without_raising(text: str) -> None:
    assert read_keyword(text) in set(Keyword)
