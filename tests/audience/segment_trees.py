"""Trees of segments drawn at random, in the form the parser gives."""

from datetime import date

from hypothesis import strategies as st

from models.segment_tree import FIELDS, PRESENCE_FIELDS, And, Clause, FieldKind, Node, Not, Operator, Or
from models.states import ConsentStatus

_ORDER = [Operator.BELOW, Operator.AT_MOST, Operator.ABOVE, Operator.AT_LEAST]
WORDS = st.sampled_from(
    ["militant", "économie", "ÉCONOMIE", "a b", 'd"e', "f\\g", "et", "or", "x*", "l'île", "(", "é"]
)
SPANS = st.integers(0, 400).map(lambda days: f"{days}d")
DATES = st.dates(date(1950, 1, 1), date(2026, 6, 1)).map(date.isoformat)
CODES = {
    "postcode": ["13001", "13002", "84000"],
    "departement": ["13", "2A", "974"],
    "region": ["93", "94"],
    "circonscription": ["13-04", "ZZ-01"],
    "polling_station": ["101", "ECOLE PRIMAIRE"],
    "language": ["fr", "en"],
    "email": ["a@b.fr", "c@d.fr"],
    "phone": ["+33612345678"],
    "external_id": ["A1", "A 2"],
}


def named(kind: FieldKind) -> st.SearchStrategy[str]:
    return st.sampled_from([name for name, known in FIELDS.items() if known is kind])


def several(values: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(values, min_size=1, max_size=3, unique=True).map(tuple)


def one(values: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return values.map(lambda value: (value,))


def clauses(words: st.SearchStrategy[str] = WORDS) -> st.SearchStrategy[Clause]:
    is_, either = st.just(Operator.IS), st.sampled_from([Operator.IS, Operator.STARTS])
    ordered = st.sampled_from(_ORDER)
    folded = named(FieldKind.FOLDED) | st.just("tag") | st.just("attr.profession")
    numbers = st.sampled_from(["2", "2.5", "-1", "10"])
    ages = st.integers(0, 100).map(str)
    moments = named(FieldKind.MOMENT)
    engaged = named(FieldKind.ENGAGEMENT)
    kinds = st.sampled_from(["meeting", "meeting attended", "petition", "porte a porte"])
    done = st.just("interaction") | kinds.map(lambda kind: f"interaction.{kind.replace(' ', '_')}")
    asked = st.sampled_from([*sorted(PRESENCE_FIELDS), "attr.profession"])
    coded = st.sampled_from(sorted(CODES)).flatmap(
        lambda name: st.builds(Clause, st.just(name), is_, several(st.sampled_from(CODES[name])))
    )
    return st.one_of(
        st.builds(Clause, folded, either, several(words)),
        coded,
        st.builds(
            Clause, st.just("postcode"), st.just(Operator.STARTS), several(st.sampled_from(["13", "84"]))
        ),
        st.builds(Clause, st.just("birth_date"), ordered, one(DATES)),
        st.builds(Clause, st.just("birth_date"), is_, several(DATES)),
        st.builds(Clause, st.just("age"), ordered, one(ages)),
        st.builds(Clause, st.just("age"), is_, several(ages)),
        st.builds(Clause, moments, ordered, one(DATES)),
        st.builds(Clause, moments, st.sampled_from([Operator.WITHIN, Operator.BEYOND]), one(SPANS)),
        st.builds(Clause, st.just("attr.children"), ordered, one(numbers)),
        st.builds(Clause, st.just("has"), is_, several(asked)),
        st.builds(
            Clause, named(FieldKind.CONSENT), is_, several(st.sampled_from([s.value for s in ConsentStatus]))
        ),
        st.builds(Clause, engaged | st.just("everyone"), st.just(Operator.EVER)),
        st.builds(Clause, engaged, is_, several(st.sampled_from(["Mars", "Lettre d’avril"]))),
        st.builds(Clause, engaged, st.just(Operator.WITHIN), one(SPANS)),
        st.builds(Clause, st.just("interaction"), either, several(kinds)),
        st.builds(Clause, done, st.just(Operator.EVER)),
        st.builds(Clause, done, st.just(Operator.WITHIN), one(SPANS)),
    )


def trees(words: st.SearchStrategy[str] = WORDS) -> st.SearchStrategy[Node]:
    def grown(children: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
        some = st.lists(children, min_size=2, max_size=3).map(tuple)
        return st.builds(And, some) | st.builds(Or, some) | st.builds(Not, children)

    return st.recursive(clauses(words), grown, max_leaves=8)
