"""An installation's own rules, read over the shipped ones."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from deliverability.classify import classify_reply, refresh_rules, rules_in_force, use_rules
from deliverability.rulebook import Deed, Reaction, RulesError, Scope, read_rules, read_span, shipped
from models.states import BounceClass, Channel, Fault, Permanence
from models.values import Reply, Verdict

OWN = """
[[rules]]
id = "mairie-quota"
text = "quota du jour"
class = "rate"
fault = "provider"
permanence = "soft"
reactions = [{ do = "suspend", scope = "provider", for = "2h5m" }]

[[rules]]
id = "gmail-unusual-rate"
reactions = [{ do = "slow" }]
"""


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Path]:
    file = tmp_path / "rules.toml"
    file.write_text(OWN)
    yield file
    use_rules(None)


def read(text: str, provider: str = "other") -> Verdict:
    return classify_reply(Reply(450, None, text), provider=provider, channel=Channel.EMAIL, permanent=False)


def test_an_own_rule_comes_before_the_shipped_ones(own: Path) -> None:
    text = "450 greylisted: quota du jour"
    assert read(text).rule == "words-greylist"
    use_rules(own)
    verdict = read(text)
    assert (verdict.rule, verdict.bounce_class) == ("mairie-quota", BounceClass.RATE)
    assert rules_in_force().reactions_to(verdict) == (
        Reaction(Deed.SUSPEND, Scope.PROVIDER, timedelta(hours=2, minutes=5)),
    )


def test_what_follows_from_a_shipped_rule_can_be_changed_alone(own: Path) -> None:
    book = read_rules(own)
    gmail, before = book.find("gmail-unusual-rate"), shipped().find("gmail-unusual-rate")
    assert gmail is not None
    assert before is not None
    assert gmail.reactions == (Reaction(Deed.SLOW),)
    assert (gmail.enhanced, gmail.verdict_class) == (before.enhanced, before.verdict_class)
    assert [rule.name for rule in book.rules][1:] == [rule.name for rule in shipped().rules]


def test_a_file_that_is_edited_is_read_again_and_one_that_is_gone_has_no_rules(own: Path) -> None:
    use_rules(own)
    assert not refresh_rules()
    own.write_text(OWN.replace("quota du jour", "plus tard"))
    assert refresh_rules()
    assert read("plus tard").rule == "mairie-quota"
    own.unlink()
    assert refresh_rules()
    assert rules_in_force() is shipped()


def test_a_wrong_edit_is_told_once_and_what_held_goes_on_holding(own: Path) -> None:
    use_rules(own)
    own.write_text(OWN.replace('class = "rate"', 'class = "hurry"'))
    with pytest.raises(
        RulesError, match=r"rules\.toml: rule 1 \(mairie-quota\): 'hurry' is none of no_such_address, "
    ):
        refresh_rules()
    assert not refresh_rules()
    assert read("quota du jour").rule == "mairie-quota"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('id = "mairie-quota"\n', ""), "rule 1 (without an id): id is missing."),
        (('text = "quota du jour"', 'text = "quota ("'), "a pattern cannot be read"),
        (('text = "quota du jour"', 'texte = "quota"'), "unknown: texte."),
        (('for = "2h5m"', 'for = "soon"'), "'soon' is no time: write it like 90m, 2h5m or 1d."),
        (('do = "suspend"', 'do = "pray"'), "'pray' is none of wait, slow, crawl,"),
        (('do = "suspend", ', ""), "a reaction without `do`."),
        (('scope = "provider"', 'scopes = "provider"'), "unknown in a reaction: scopes."),
        (("[[rules]]\nid", "[[rule]]\nid"), "unknown: rule."),
        (('fault = "provider"', "fault = "), "Invalid value"),
    ],
)
def test_a_wrong_rule_is_told_in_one_line(own: Path, change: tuple[str, str], message: str) -> None:
    own.write_text(OWN.replace(*change, 1))
    with pytest.raises(RulesError) as caught:
        read_rules(own)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_shipped_reaction_can_be_carried_out() -> None:
    """A suspension or a crawl of somebody else than the lane names how long, or grows by itself."""
    book = shipped()
    reactions = [reaction for rule in book.rules for reaction in rule.reactions or ()]
    reactions += [reaction for some in book.by_class.values() for reaction in some]
    assert len(reactions) > 20
    for reaction in reactions:
        if reaction.deed in {Deed.CRAWL, Deed.ONE_CONNECTION, Deed.WAIT}:
            assert reaction.span is not None
        assert reaction.after >= 1
    assert book.version


def test_a_rule_that_says_nothing_follows_its_class() -> None:
    verdict = Verdict(BounceClass.RATE, Fault.PROVIDER, Permanence.SOFT, "words-rate")
    assert [reaction.deed for reaction in shipped().reactions_to(verdict)] == [Deed.SLOW, Deed.SUSPEND]
    person = Verdict(BounceClass.MAILBOX_FULL, Fault.RECIPIENT, Permanence.SOFT, "words-full")
    assert shipped().reactions_to(person) == ()


@pytest.mark.parametrize(("text", "minutes"), [("90m", 90), ("2h5m", 125), ("1d", 1440), ("60s", 1)])
def test_times_are_written_as_people_write_them(text: str, minutes: int) -> None:
    assert read_span(text) == timedelta(minutes=minutes)
