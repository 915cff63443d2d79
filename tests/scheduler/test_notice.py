"""What a transparency notice tells of the audience: fields and open values, and nothing of anybody."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.campaign import AudienceRole
from scheduler.notice import Criterion, criteria_of
from store.register import RegisterSegment


def kept(text: str) -> tuple[Criterion, ...]:
    return criteria_of([RegisterSegment(AudienceRole.INCLUDE, "gardés", text)])[0]


def left_out(text: str) -> tuple[Criterion, ...]:
    return criteria_of([RegisterSegment(AudienceRole.INCLUDE, "gardés", text)])[1]


@pytest.mark.parametrize("text", ["everyone", "consent.email:granted", "has:email and everyone", "has:phone"])
def test_what_is_asked_of_everybody_chooses_nobody(text: str) -> None:
    assert kept(text) == left_out(text) == ()


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("departement:69", "departement", "Rhône (69)"),
        ("region:84", "region", "Auvergne-Rhône-Alpes (84)"),
        ("commune:Annecy", "commune", "Annecy"),
        ("postcode:69*", "postcode", "69…"),
        ("age>=18", "age", "≥ 18"),
        ("age<30", "age", "< 30"),
        ("language:fr", "language", "fr"),
    ],
)
def test_places_ages_and_languages_are_told_as_people_read_them(text: str, field: str, value: str) -> None:
    assert kept(text) == (Criterion(field, (value,)),)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("tag:cégétiste", "tag"),
        ("level:membre", "level"),
        ("attr.religion:catholique", "attr"),
        ("has:attr.maladie", "attr"),
        ("has:commune", "commune"),
        ('clicked:"Relance des indécis"', "clicked"),
        ("email:ada@exemple.fr", "email"),
        ("birth_date<1950-01-01", "birth_date"),
    ],
)
def test_of_what_tells_something_of_people_only_the_kind_is_told(text: str, field: str) -> None:
    assert kept(text) == (Criterion(field),)


def test_each_field_stands_once_with_all_its_values_and_the_rest_counted() -> None:
    assert kept("commune:Lyon or (commune:Annecy and attr.a:x) or attr.b:y") == (
        Criterion("commune", ("Lyon", "Annecy")),
        Criterion("attr"),
    )
    many = ", ".join(str(1000 + number) for number in range(22))
    assert [len(kept(f"canton:({many})")[0].values), kept(f"canton:({many})")[0].more] == [20, 2]


def test_not_turns_round_what_is_kept_and_an_excluded_segment_too() -> None:
    assert left_out("not (commune:Lyon or not age<30)") == (Criterion("commune", ("Lyon",)),)
    assert kept("not (commune:Lyon or not age<30)") == (Criterion("age", ("< 30",)),)
    excluded = RegisterSegment(AudienceRole.EXCLUDE, "dehors", "commune:Lyon and not tag:ami")
    assert criteria_of([excluded]) == ((Criterion("tag"),), (Criterion("commune", ("Lyon",)),))


@given(
    st.sampled_from(["tag", "level", "attr.opinion", "email", "external_id"]),
    st.from_regex(r"\A[a-z]{6,12}\Z"),
)
def test_no_value_of_theirs_ever_stands_in_a_notice(field: str, value: str) -> None:
    text = f"{field}:{value}" if field != "email" else f"{field}:{value}@exemple.fr"
    assert value not in repr(
        criteria_of([RegisterSegment(AudienceRole.INCLUDE, "", f"not {text} or {text}")])
    )
