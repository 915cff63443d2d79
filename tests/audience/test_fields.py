"""The fields people know: names in files, and what a message may say."""

from hypothesis import given
from hypothesis import strategies as st

from audience.fields import FIELD_BY_NAME, FIELDS, contact_values, values_of
from models.contact import Contact
from store.people import Person


def test_no_heading_stands_for_two_fields() -> None:
    headings = [heading for field in FIELDS for heading in field.headers]
    assert len(headings) == len(set(headings))


def test_every_field_has_a_label_in_both_languages() -> None:
    for field in FIELDS:
        assert field.label
        assert field.label_fr
    assert FIELD_BY_NAME["first_name"].label_fr == "Prénom"


def test_a_message_says_names_for_codes_and_leaves_out_what_is_empty() -> None:
    person = Contact(
        email="a@b.fr",
        first_name="Zoé",
        last_name="",
        departement="13",
        region="93",
        attributes={"metier": "prof"},
    )
    assert contact_values(person, ["Économie", "santé"]) == {
        "email": "a@b.fr",
        "first_name": "Zoé",
        "departement": "Bouches-du-Rhône",
        "region": "Provence-Alpes-Côte d’Azur",
        "metier": "prof",
        "tags": "Économie, santé",
    }


def test_a_free_attribute_never_stands_in_for_a_field() -> None:
    person = Contact(email="a@b.fr", attributes={"email": "other@b.fr", "first_name": "Faux", "vide": ""})
    assert contact_values(person, []) == {"email": "a@b.fr"}


@given(
    person=st.builds(
        Person,
        id=st.just(1),
        attributes=st.dictionaries(
            st.sampled_from(["tags", "first_name", "hobby", "region"]), st.sampled_from(["", "x"])
        ),
        **{
            name: st.sampled_from([None, "", "13", "93", "Ève"])
            for name in Person._fields
            if name not in {"id", "attributes"}
        },
    ),
    tags=st.lists(st.sampled_from(["Santé", "Économie"]), unique=True),
    names=st.sets(st.sampled_from([*Person._fields, "tags", "hobby", "sender_name"])),
)
def test_the_values_a_message_asks_for_are_those_there_are(
    person: Person, tags: list[str], names: set[str]
) -> None:
    there_are = contact_values(person, tags)
    asked_for = names - {"id", "attributes"}
    assert values_of(person, tags, asked_for) == {
        name: there_are[name] for name in asked_for & there_are.keys()
    }
