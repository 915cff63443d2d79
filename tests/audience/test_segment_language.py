"""The language of segments: what is read, what is written back, and where errors point."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audience.segments import SegmentSyntaxError, parse_segment, write_segment
from models.errors import SegmentError
from models.segment_tree import And, Clause, Node, Not, Operator, Or, clauses_of, tree_from_json, tree_to_json
from tests.audience.segment_trees import trees

IS, STARTS = Operator.IS, Operator.STARTS


@given(trees())
def test_a_tree_written_and_read_is_the_same_tree(tree: Node) -> None:
    assert parse_segment(write_segment(tree)) == tree


@given(trees())
def test_a_tree_kept_as_json_is_the_same_tree(tree: Node) -> None:
    assert tree_from_json(json.loads(json.dumps(tree_to_json(tree)))) == tree


@given(st.text(max_size=80) | st.text(alphabet='tag:(a)|,"\\*<>= or not and', max_size=60))
def test_any_text_is_read_or_refused_with_its_place(text: str) -> None:
    try:
        tree = parse_segment(text)
    except SegmentError as error:
        place = error.position if isinstance(error, SegmentSyntaxError) else 0
    else:
        place = 0
        assert parse_segment(write_segment(tree)) == tree
    assert 0 <= place <= len(text)


def test_the_sentence_of_the_manual_means_what_it_says() -> None:
    tree = parse_segment("(tag:militant or tag:sympathisant) and tag:économie and commune:Marseille")
    assert tree == And(
        (
            Or((Clause("tag", IS, ("militant",)), Clause("tag", IS, ("sympathisant",)))),
            Clause("tag", IS, ("économie",)),
            Clause("commune", IS, ("Marseille",)),
        )
    )


@pytest.mark.parametrize(
    ("french", "english"),
    [
        ("étiquette:a ET NON ville:Lyon", "tag:a and not commune:Lyon"),
        ("tag:a ou tag:b", "tag:a or tag:b"),
        ("tag:a sauf niveau:adhérent", "tag:a and not level:adhérent"),
        ("Département:Bouches-du-Rhône", "departement:13"),
        ("departement:13|84|Var", "departement:(13, 84, 83)"),
        ("région:PACA", "region:93"),
        ("circo:13-4", "circonscription:13-04"),
        ("bureau:101", "polling_station:101"),
        ("code_postal:13*", "postcode:13*"),
        ("âge>=18", "age>=18"),
        ("naissance<01/02/2000", "birth_date<2000-02-01"),
        ("créé>2026-01-01", "created>2026-01-01"),
        ("cliqué<30j", "clicked<30d"),
        ("reçu<2s", "received<14d"),
        ("tous", "everyone"),
        ("avec:téléphone", "has:phone"),
        ("consentement:courriel", "consent.email:granted"),
        ("consent.sms:retiré", "consent.sms:withdrawn"),
        ("consentement:ciblage", "consent.targeting:granted"),
        ("consentement.ciblage:retiré", "consent.targeting:withdrawn"),
        ("attribut.Profession:enseignant", "attr.profession:enseignant"),
        ("commune:« Saint-Denis »", "commune:Saint-Denis"),
        ("tag:(a, 'b', c)", "tag:(a, 'b', c)"),
        ('clicked:"Lettre de mars"', 'clicked:"Lettre de mars"'),
        ("téléphone:0612345678", "phone:+33612345678"),
        ("courriel:Jean@Orange.fr", "email:jean@orange.fr"),
        ("created>30d", "created>30d"),
        ("postcode:13*|84000", "postcode:84000 or postcode:13*"),
        ("tag:a or tag:b and tag:c", "tag:a or (tag:b and tag:c)"),
    ],
)  # fmt: skip
def test_french_words_and_aliases_have_one_english_form(french: str, english: str) -> None:
    assert write_segment(parse_segment(french)) == english


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ("", 0, "at least one condition"),
        ("tag:a tag:b", 6, "Expected “and”"),
        ("(tag:a or tag:b", 0, "never closed"),
        ("tag:a)", 5, "never opened"),
        ("commun:x", 0, "did you mean “commune”?"),
        ("tag:a and clickd", 10, "did you mean “clicked”?"),
        ("tags", 4, "Expected “:”"),
        ('tag:"a', 4, "never closed"),
        ("tag:a and", 9, "Expected a condition"),
        ("tag:a and or tag:b", 10, "Expected a condition"),
        ("clicked>30d", 7, "within the last 30 days"),
        ("age>=vieux", 5, "no age"),
        ("departement:999", 12, "no département"),
        ("birth_date<31/02/2000", 11, "no date"),
        ("commune:(a b)", 11, "Expected “,” or “)”"),
        ("has:chaussures", 4, "cannot ask"),
        ("tag<5", 4, "cannot be compared"),
        ("consent.email:peut-être", 14, "no consent"),
        ("email:personne", 6, "@"),
        ("tag:", 4, "Expected a value"),
        ('tag:""', 4, "cannot be empty"),
        ("not", 3, "Expected a condition"),
    ],
)
def test_an_error_says_where_and_what_was_expected(text: str, position: int, words: str) -> None:
    with pytest.raises(SegmentSyntaxError) as refusal:
        parse_segment(text)
    assert refusal.value.position == position
    assert words in str(refusal.value)


def test_the_caret_stands_under_the_place_in_the_line_concerned() -> None:
    with pytest.raises(SegmentSyntaxError) as refusal:
        parse_segment("tag:a\nor commun:b")
    assert str(refusal.value).splitlines()[1:] == ["  or commun:b", "     ^"]


@pytest.mark.parametrize("text", ["(" * 5000, "not " * 5000 + "tag:a", "not " * 51 + "tag:a"])
def test_depth_has_a_limit_that_is_said(text: str) -> None:
    with pytest.raises(SegmentError):
        parse_segment(text)


def test_parentheses_that_group_one_thing_do_not_count_as_depth() -> None:
    assert parse_segment("(" * 40 + "tag:a" + ")" * 40) == Clause("tag", IS, ("a",))


def test_size_has_a_limit_that_is_said() -> None:
    assert len(list(clauses_of(parse_segment(" or ".join(["tag:a"] * 500))))) == 500
    with pytest.raises(SegmentError, match="500 conditions"):
        parse_segment(" or ".join(["tag:a"] * 501))
    with pytest.raises(SegmentError, match="1000 values"):
        parse_segment(f"tag:({', '.join(f't{n}' for n in range(1001))})")
    with pytest.raises(SegmentError, match="characters"):
        parse_segment(" " * 60_000)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"version": 2, "rule": {"field": "tag", "operator": "is", "values": ["a"]}},
        {"version": 1, "rule": None},
        {"version": 1, "rule": {"and": []}},
        {"version": 1, "rule": {"and": [{"field": "tag", "operator": "is", "values": ["a"]}]}},
        {"version": 1, "rule": {"field": "tag", "operator": "like", "values": ["a"]}},
        {"version": 1, "rule": {"field": "tag", "operator": "is", "values": [1]}},
        {"version": 1, "rule": {"field": "tag", "operator": "is", "values": []}},
        {"version": 1, "rule": {"field": "password", "operator": "is", "values": ["a"]}},
        {"version": 1, "rule": {"field": "tag", "operator": "below", "values": ["a"]}},
        {"version": 1, "rule": {"field": "birth_date", "operator": "below", "values": ["hier"]}},
        {"version": 1, "rule": {"field": "age", "operator": "is", "values": ["151"]}},
        {"version": 1, "rule": {"field": "clicked", "operator": "within", "values": ["5 days"]}},
        {"version": 1, "rule": {"field": "attr.x", "operator": "above", "values": ["much"]}},
        {"version": 1, "rule": {"not": {"and": "x"}}},
    ],
)
def test_a_document_that_is_no_tree_is_refused(document: dict[str, object]) -> None:
    with pytest.raises(SegmentError):
        tree_from_json(document)


def test_a_document_nested_without_end_is_refused() -> None:
    rule: dict[str, object] = {"field": "tag", "operator": "is", "values": ["a"]}
    for _ in range(500):
        rule = {"not": rule}
    with pytest.raises(SegmentError, match="deep"):
        tree_from_json({"version": 1, "rule": rule})


def test_negation_binds_tighter_than_and() -> None:
    a, b = Clause("tag", IS, ("a",)), Clause("tag", STARTS, ("b",))
    assert parse_segment("not tag:a and tag:b*") == And((Not(a), b))
