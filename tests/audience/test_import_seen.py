"""What a file has named before is never forgotten; what is new is hardly ever taken for known."""

from hypothesis import given
from hypothesis import strategies as st

from audience.import_seen import KeysSeen


@given(st.lists(st.lists(st.one_of(st.none(), st.text(max_size=3)), max_size=20), max_size=5))
def test_a_key_that_comes_again_is_known(batches: list[list[str | None]]) -> None:
    seen = KeysSeen(0)
    before: set[str] = set()
    for keys in batches:
        known = set(seen.add(keys))
        for place, key in enumerate(keys):
            assert key is None or key not in before or place in known
            if key is not None:
                before.add(key)


def test_of_the_keys_of_a_large_file_one_in_a_hundred_at_most_is_taken_for_known() -> None:
    lines = 20_000
    seen = KeysSeen(100 * lines)
    emails = seen.add([f"personne{number}@exemple.fr" for number in range(lines)])
    phones = seen.add([f"+336{number:08}" for number in range(lines)])
    assert len(emails) + len(phones) < 2 * lines / 100
