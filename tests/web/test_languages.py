"""Two complete languages, and numbers and moments as each writes them."""

import ast
import re
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audience.segments import parse_segment
from models import states
from models.access import Role
from models.campaign import AudienceRole
from models.contact import ImportState
from models.errors import SegmentError
from models.identity import TerritoryKind
from models.pace import BreakerState, LimitScope, Measure, WarmupState
from tests.web.catalogue import as_forms, read_french, texts
from web.borrowed import BORROWED, say_borrowed, say_error
from web.i18n import LANGUAGES, Tongue, choose_language, rank_accepted
from web.words import word_for

ROOT = Path(__file__).resolve().parents[2]
FRENCH = Tongue("fr", ZoneInfo("Europe/Paris"))
ENGLISH = Tongue("en", ZoneInfo("Europe/Paris"))
PLACES = re.compile(r"%\((\w+)\)s")


def test_every_text_of_the_pages_has_a_french_translation_and_none_is_stale() -> None:
    kept = {entry.id if isinstance(entry.id, str) else tuple(entry.id) for entry in read_french() if entry.id}
    assert kept ^ texts() == set(), "run python -m tests.web.catalogue"
    assert [entry.id for entry in read_french() if entry.id and not all(as_forms(entry.string))] == []


def test_translations_keep_the_places_of_values_and_are_never_fuzzy() -> None:
    for entry in read_french():
        if not entry.id:
            continue
        wanted = set(PLACES.findall(as_forms(entry.id)[-1]))
        for form in as_forms(entry.string):
            assert set(PLACES.findall(form)) <= wanted, entry.id
        assert not entry.fuzzy


def test_french_signs_have_their_no_break_spaces() -> None:
    for entry in read_french():
        for form in as_forms(entry.string) if entry.id else ():
            assert not re.search(r"[^\W\d_] [:;?!»]", form), form


def test_every_word_for_a_state_or_a_reason_has_a_name() -> None:
    kinds = [
        states.Channel,
        states.CampaignState,
        states.DeliveryState,
        states.LeftOutReason,
        states.LegalBasis,
        states.IdentityRule,
        states.IdentityState,
        states.ConsentStatus,
        states.SuppressionReason,
        states.EventKind,
        states.BounceClass,
        TerritoryKind,
        AudienceRole,
        Role,
        ImportState,
        states.Purpose,
        states.LatePolicy,
        BreakerState,
        WarmupState,
        LimitScope,
        Measure,
    ]
    nameless = [
        f"{kind.__name__}.{member.name}"
        for kind in kinds
        for member in kind
        if word_for(member) == member.value
    ]
    assert nameless == []


def test_borrowed_texts_are_still_said_by_the_rooms_below() -> None:
    rooms = ("models", "store", "audience", "templates", "sender", "deliverability", "scheduler")
    said = [constant for room in rooms for path in (ROOT / room).rglob("*.py") for constant in said_in(path)]
    said += [path.read_text("utf-8") for path in (ROOT / "templates" / "starters").glob("*.toml")]
    for text in (form for source in BORROWED for form in as_forms(source)):
        for piece in (one.strip(" .“”") for one in re.split(r"%\(\w+\)s", text)):
            assert any(piece in one for one in said), f"nobody says {text!r} any more"


def said_in(path: Path) -> list[str]:
    """Every piece of text of a module."""
    tree = ast.parse(path.read_text("utf-8"))
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def test_a_borrowed_text_is_recognised_with_what_was_filled_in() -> None:
    assert say_borrowed(FRENCH, "There is no campaign number 12.") == "Il n’y a pas de campagne numéro 12."
    assert say_borrowed(ENGLISH, "There is no campaign number 12.") == "There is no campaign number 12."
    assert say_borrowed(FRENCH, "100 % of nothing we know") == "100 % of nothing we know"


def test_several_problems_of_a_campaign_are_each_told_in_french() -> None:
    told = say_borrowed(
        FRENCH,
        "The identity 'nord' is suspended. 3 messages are held back and wait for a person. "
        "One of the reasons: unknown recipient. Really.",
    )
    assert told == (
        "L’identité 'nord' est suspendue. 3 messages sont retenus et attendent une décision. "
        "L’un des motifs\xa0: unknown recipient. Really."
    )
    two = (
        "This installation sends no e-mail. Set TOCSIN_SMTP_URL and start again. The identity 'x' is retired."
    )
    assert say_borrowed(FRENCH, two).endswith("redémarrez. L’identité 'x' est retirée.")
    assert say_borrowed(ENGLISH, two) == two


def test_a_mistake_in_a_rule_is_told_in_french_with_its_place() -> None:
    with pytest.raises(SegmentError) as caught:
        parse_segment("commune:Lyon (")
    told = say_error(FRENCH, caught.value)
    assert told == "Il faut « et », « ou » ou « sauf » entre deux conditions. (au caractère 14)".replace(
        "« ", "«\xa0"
    ).replace(" »", "\xa0»")


def test_numbers_and_moments_follow_the_language_and_the_zone() -> None:
    at = datetime(2026, 7, 14, 22, 30, tzinfo=UTC)
    assert FRENCH.number(1234567) == "1\u202f234\u202f567"
    assert ENGLISH.number(1234567) == "1,234,567"
    assert FRENCH.percent(0.1234) == "12,3\xa0%"
    assert ENGLISH.percent(0.1234) == "12.3%"
    assert FRENCH.percent(None) == "–"
    assert FRENCH.moment(at) == "15 juil. 2026, 00:30"
    assert ENGLISH.moment(at) == "15 Jul 2026, 00:30"
    assert FRENCH.day(at) == "15 juil. 2026"


@pytest.mark.parametrize(
    ("count", "french", "english"),
    [(0, "0 segment", "0 segments"), (1, "1 segment", "1 segment"), (2, "2 segments", "2 segments")],
)
def test_french_counts_nought_as_one(count: int, french: str, english: str) -> None:
    assert FRENCH.say_plural("%(count)s segment", "%(count)s segments", count) == french
    assert ENGLISH.say_plural("%(count)s segment", "%(count)s segments", count) == english


@given(st.text(max_size=60))
def test_no_accept_language_header_is_a_mistake(header: str) -> None:
    assert choose_language([None], header, "fr") in LANGUAGES


def test_the_weights_of_accept_language_count() -> None:
    assert rank_accepted("de;q=0.5, fr-CA, en;q=0.8, xx;q=0, ;q=, *") == ["fr-CA", "en", "de"]


def test_an_outage_of_the_mail_server_is_told_in_french() -> None:
    text = (
        "The mail server relay.example:587 cannot be reached: connection refused, nothing answers there. "
        "Messages wait; it is tried again at 18:32."
    )
    assert say_borrowed(FRENCH, text) == (
        "Le serveur d’envoi relay.example:587 est injoignable\u00a0: connexion refusée, rien n’y répond. "
        "Les messages attendent\u202f; nouvel essai à 18:32."
    )


def test_a_relay_that_answers_nothing_is_told_in_french() -> None:
    text = (
        "Message after message is left without an answer: The connection was lost. "
        "Messages wait; it is tried again at 18:32."
    )
    assert say_borrowed(FRENCH, text) == (
        "Message après message reste sans réponse\u00a0: la connexion a été perdue. "
        "Les messages attendent\u202f; nouvel essai à 18:32."
    )


def test_figures_that_are_equal_are_written_by_their_language_and_digits() -> None:
    french, english = Tongue("fr", UTC), Tongue("en", UTC)
    assert (english.number(-0.0), english.number(0), english.percent(-0.0, 0)) == ("0", "0", "0%")
    assert (english.number(1234), english.number(1234.0)) == ("1,234", "1,234")
    assert french.number(1234) == "1\u202f234"
    assert (english.percent(0.125, 0), english.percent(0.125, 1)) == ("12%", "12.5%")
    assert french.percent(0.125, 1) == "12,5\xa0%"
