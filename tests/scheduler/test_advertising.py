"""What makes a political campaign targeted, what leaves it exempt, and what nobody may be chosen by."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audience.segments import parse_segment
from models.identity import Identity, TerritoryKind
from models.states import IdentityRule, Nature
from scheduler.advertising import Advertising, Choice, ChosenBy, advertising_of
from scheduler.sensitive import SENSITIVE_WORDS, category_of

EVERYBODY = "everyone"


def found(
    *include: str,
    exclude: tuple[str, ...] = (),
    nature: Nature = Nature.POLITICAL,
    rule: IdentityRule = IdentityRule.ONE,
    territories: tuple[TerritoryKind, ...] = (TerritoryKind.NATIONAL,),
    deciding: frozenset[str] = frozenset(),
    place_is_free: bool = False,
) -> Advertising:
    return advertising_of(
        nature=nature,
        include=[parse_segment(text) for text in include or (EVERYBODY,)],
        exclude=[parse_segment(text) for text in exclude],
        rule=rule,
        identities=[Identity(key=kind, name="", territory=kind) for kind in territories],
        deciding=deciding,
        place_is_free=place_is_free,
    )


@pytest.mark.parametrize(
    "text",
    [
        "everyone",
        "consent.email:granted",
        "has:email and consent.email:granted",
        "everyone or tag:bénévole",
        "not consent.sms:withdrawn",
    ],
)
def test_the_same_message_to_the_whole_list_is_exempt(text: str) -> None:
    assert found(text).exempt
    assert not found(text).targeted


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("tag:bénévole", ("tag",)),
        ("everyone and level:adhérent", ("level",)),
        ("commune:Lyon or age>=60", ("age", "commune")),
        ("not tag:bénévole", ("tag",)),
        ("has:commune", ("commune",)),
        ("clicked<30d", ("clicked",)),
        ("attr.métier:enseignant", ("attr.metier",)),
        ("consent.targeting:granted", ("consent.targeting",)),
        ("language:fr", ("language",)),
    ],
)
def test_a_segment_that_is_not_the_whole_list_targets(text: str, fields: tuple[str, ...]) -> None:
    assert found(text).choices == (Choice(ChosenBy.INCLUDED, fields),)
    assert found(text).targeted


def test_the_whole_list_beside_a_segment_is_still_the_whole_list() -> None:
    assert found("tag:bénévole", EVERYBODY).exempt


def test_a_segment_kept_out_targets() -> None:
    assert found(exclude=("commune:Lyon",)).choices == (Choice(ChosenBy.EXCLUDED, ("commune",)),)
    assert found(exclude=("consent.email:withdrawn",)).exempt


def test_a_sender_for_each_territory_targets_and_chance_does_not() -> None:
    regions = (TerritoryKind.NATIONAL, TerritoryKind.REGION)
    by_place = found(rule=IdentityRule.TERRITORY, territories=regions)
    assert by_place.choices == (Choice(ChosenBy.SENDER, ("region",)),)
    assert found(rule=IdentityRule.TERRITORY).exempt
    assert found(rule=IdentityRule.ROTATE, territories=regions).exempt
    assert found(rule=IdentityRule.ONE, territories=regions).exempt


def test_a_message_whose_parts_depend_on_the_person_targets() -> None:
    assert found(deciding=frozenset({"level"})).choices == (Choice(ChosenBy.MESSAGE, ("level",)),)


def test_where_people_live_is_no_choice_where_the_installation_says_so() -> None:
    regions = (TerritoryKind.REGION,)
    free = found(
        "commune:Lyon",
        exclude=("departement:13",),
        rule=IdentityRule.TERRITORY,
        territories=regions,
        deciding=frozenset({"commune"}),
        place_is_free=True,
    )
    assert free.exempt
    assert found("commune:Lyon and tag:x", place_is_free=True).choices == (
        Choice(ChosenBy.INCLUDED, ("tag",)),
    )
    # Who is chosen by a tag is chosen, though others come by their place.
    assert found("commune:Lyon or tag:x", place_is_free=True).targeted
    assert found("commune:Lyon").targeted


@pytest.mark.parametrize("nature", [Nature.CIVIC, Nature.UNSAID])
def test_what_is_not_political_is_not_concerned(nature: Nature) -> None:
    told = found("tag:religion", nature=nature)
    assert (told.bound, told.targeted, told.exempt, told.sensitive) == (False, False, False, ())


def test_rules_that_ask_for_protected_data_are_named_part_by_part() -> None:
    told = found(
        "tag:(bénévole, Musulman) and attr.syndicat:CGT and has:attr.handicap",
        exclude=("level:'lgbt'".replace("'", '"'),),
        deciding=frozenset({"religion"}),
    )
    assert told.sensitive == (
        *("tag:Musulman", "attr.syndicat", "attr.syndicat:CGT", "has:attr.handicap"),
        *("level:lgbt", "religion"),
    )
    assert found("commune:Église and tag:économie").sensitive == ()


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("Opinion politique", "opinion"),
        ("intention-de-vote", "opinion"),
        ("religion", "religion"),
        ("Catholique pratiquant", "religion"),
        ("origine", "origin"),
        ("ethnicity", "origin"),
        ("Santé", "health"),
        ("situation_handicap", "health"),
        ("syndiquée CFDT", "union"),
        ("trade union member", "union"),
        ("orientation sexuelle", "orientation"),
        ("LGBT+", "orientation"),
    ],
)
def test_words_of_both_languages_tell_what_is_protected(text: str, category: str) -> None:
    assert category_of(text) == category


@pytest.mark.parametrize(
    "text",
    [
        *("bénévole", "élu local", "écologie", "racine carrée", "rive gauche", "porte-à-porte", "union"),
        *("Origine du contact", "origine_donnees", "métier", "jeunes", "pétition 2025", "adhérent", ""),
    ],
)
def test_ordinary_words_do_not(text: str) -> None:
    assert category_of(text) is None


@given(st.text(max_size=60))
def test_no_text_is_beyond_the_words(text: str) -> None:
    assert category_of(text) in {None, *SENSITIVE_WORDS}
