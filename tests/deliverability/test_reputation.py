"""More is never less bad, few never stop anybody, and a table that is wrong says so in a line."""

import tomllib
from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliverability.breaker_rules import (
    Breaker,
    Measured,
    Over,
    breakers_in_force,
    read_breakers,
    refresh_breakers,
    shipped_breakers,
    use_breakers,
)
from deliverability.reputation import Place, Volume, examples, has_recovered, judge, measured, since
from deliverability.rulebook import RulesError
from models.incident import IncidentLevel
from models.states import BounceClass, EventKind, Fault
from store.rates import LaneTally, SaidTally, Tallies
from store.seeds import Outcome, SeedOutcome
from store.tally_keys import Said
from tests.clocks import START

SHARES = [one for one in shipped_breakers().breakers if one.measure not in {Measured.BLOCKS, Measured.SEEDS}]
LEVELS = {None: 0, IncidentLevel.AMBER: 1, IncidentLevel.RED: 2}
wholes = st.integers(0, 50_000)


def the(measure: Measured, over: Over = Over.LANE) -> Breaker:
    return next(one for one in shipped_breakers().breakers if (one.measure, one.over) == (measure, over))


def level(volume: Volume, breaker: Breaker) -> int:
    judged = judge(volume, breaker)
    return LEVELS[judged.level if judged else None]


@given(breaker=st.sampled_from(shipped_breakers().breakers), whole=wholes, data=st.data())
def test_more_cases_of_as_many_messages_are_never_less_bad(
    breaker: Breaker, whole: int, data: st.DataObject
) -> None:
    fewer = data.draw(st.integers(0, whole))
    more = data.draw(st.integers(fewer, whole))
    assert level(Volume(fewer, whole), breaker) <= level(Volume(more, whole), breaker)


@given(breaker=st.sampled_from(SHARES), data=st.data())
def test_few_messages_never_stop_anybody(breaker: Breaker, data: st.DataObject) -> None:
    whole = data.draw(st.integers(0, breaker.volume - 1))
    judged = judge(Volume(data.draw(st.integers(0, whole)), whole), breaker)
    assert judged is None or (judged.level is IncidentLevel.AMBER and not judged.acts)


@given(breaker=st.sampled_from(SHARES), whole=wholes, data=st.data())
def test_a_share_under_the_amber_line_is_never_an_incident(
    breaker: Breaker, whole: int, data: st.DataObject
) -> None:
    part = data.draw(st.integers(0, max(0, int(whole * breaker.amber) - 1)))
    assert judge(Volume(part, whole), breaker) is None


@pytest.mark.parametrize(
    ("measure", "part", "whole", "expected"),
    [
        (Measured.HARD, 4, 200, None),
        (Measured.HARD, 12, 200, IncidentLevel.AMBER),  # 6 %, but perhaps 3.5 %
        (Measured.HARD, 22, 200, IncidentLevel.RED),
        (Measured.HARD, 25, 1000, IncidentLevel.AMBER),
        (Measured.HARD, 51, 1000, IncidentLevel.RED),
        (Measured.COMPLAINTS, 2, 1000, None),
        (Measured.COMPLAINTS, 10, 5000, IncidentLevel.AMBER),
        (Measured.COMPLAINTS, 15, 5000, IncidentLevel.AMBER),
        (Measured.COMPLAINTS, 25, 5000, IncidentLevel.RED),
        (Measured.COMPLAINTS, 21, 10_000, IncidentLevel.RED),
        (Measured.DEFERRALS, 120, 1000, IncidentLevel.AMBER),
        (Measured.DEFERRALS, 310, 1000, IncidentLevel.RED),
        (Measured.BLOCKS, 1, 1000, IncidentLevel.AMBER),
        (Measured.BLOCKS, 3, 100, IncidentLevel.RED),
        (Measured.BLOCKS, 3, 10_000, IncidentLevel.AMBER),
    ],
)
def test_the_shipped_lines_are_those_of_the_field(
    measure: Measured, part: int, whole: int, expected: IncidentLevel | None
) -> None:
    judged = judge(Volume(part, whole), the(measure))
    assert (judged.level if judged else None) is expected


def test_one_answer_about_the_sender_as_a_whole_is_enough() -> None:
    judged = judge(Volume(1, 10_000, sure=1), the(Measured.BLOCKS))
    assert judged is not None
    assert (judged.level, judged.acts) == (IncidentLevel.RED, True)


@pytest.mark.parametrize(
    ("spam", "seen", "expected"),
    [
        (1, 1, None),
        (1, 5, None),
        (2, 2, IncidentLevel.AMBER),
        (2, 3, IncidentLevel.RED),
        (2, 5, IncidentLevel.AMBER),
        (3, 6, IncidentLevel.AMBER),
        (4, 6, IncidentLevel.RED),
    ],
)
def test_two_seeds_in_spam_are_looked_at_and_most_of_them_stop(
    spam: int, seen: int, expected: IncidentLevel | None
) -> None:
    judged = judge(Volume(spam, seen), the(Measured.SEEDS, Over.CAMPAIGN_LANE))
    assert (judged.level if judged else None) is expected


def test_recovery_takes_new_messages_that_mean_something() -> None:
    breaker = the(Measured.HARD)
    assert not has_recovered(Volume(0, 199), breaker)
    assert has_recovered(Volume(3, 200), breaker)
    assert not has_recovered(Volume(4, 200), breaker)


def test_what_was_counted_before_does_not_count_again_and_old_campaigns_fall_out_of_view() -> None:
    now = {1: Volume(50, 1000), 2: Volume(4, 100)}
    assert since(now, {1: Volume(48, 900), 3: Volume(900, 1000)}) == Volume(6, 200)
    assert since({1: Volume(1, 10)}, {1: Volume(5, 100)}) == Volume(0, 0)


def said(
    kind: EventKind,
    bounce_class: BounceClass,
    count: int,
    *,
    enhanced: str = "",
    fault: Fault = Fault.RECIPIENT,
) -> SaidTally:
    text = f"{bounce_class.value} it is"
    return SaidTally(1, "orange", Said(kind, bounce_class, fault, 550, enhanced), count, text)


def a_lane(identity: int = 1, **news: int) -> LaneTally:
    lane = LaneTally(1, identity, "orange", {EventKind(kind): count for kind, count in news.items()})
    lane.hard = {EventKind.REFUSED: news.get("refused", 0)}
    lane.tried = sum(news.values())
    return lane


def volume_of(breaker: Breaker, tallies: Tallies, **others: object) -> Volume:
    options = {"shut_out": {}, "seeds": (), **others}
    found = measured(breaker, tallies, campaigns={1}, **options)  # type: ignore[arg-type]
    return found[Place(1, "orange", None)][1]


def test_blocks_are_no_hard_bounces() -> None:
    tallies = Tallies(
        [a_lane(accepted=900, refused=100)],
        [
            said(EventKind.REFUSED, BounceClass.NO_SUCH_ADDRESS, 30),
            said(EventKind.REFUSED, BounceClass.BLOCK, 70),
        ],
    )
    assert volume_of(the(Measured.HARD), tallies) == Volume(30, 1000)
    assert volume_of(the(Measured.BLOCKS), tallies)[:2] == (70, 1000)


def test_greylisting_is_no_deferral_that_counts() -> None:
    tallies = Tallies(
        [a_lane(accepted=60, deferred=40)],
        [said(EventKind.DEFERRED, BounceClass.GREYLIST, 35), said(EventKind.DEFERRED, BounceClass.RATE, 5)],
    )
    assert volume_of(the(Measured.DEFERRALS), tallies) == Volume(5, 100)


def test_what_our_own_server_could_not_do_is_no_block() -> None:
    tallies = Tallies(
        [a_lane(accepted=10)], [said(EventKind.REFUSED, BounceClass.AUTH, 5, fault=Fault.RELAY)]
    )
    assert volume_of(the(Measured.BLOCKS), tallies).part == 0


def test_the_status_of_a_block_may_be_enough_by_itself() -> None:
    tallies = Tallies(
        [a_lane(accepted=999, refused=1)], [said(EventKind.BOUNCED, BounceClass.AUTH, 1, enhanced="5.7.515")]
    )
    assert volume_of(the(Measured.BLOCKS), tallies) == Volume(1, 1000, 1)


def test_of_two_senders_the_one_who_was_shut_out_is_blamed() -> None:
    tallies = Tallies(
        [a_lane(1, accepted=100), a_lane(2, accepted=50, refused=9)],
        [said(EventKind.REFUSED, BounceClass.AUTH, 9, enhanced="5.7.26")],
    )
    found = measured(
        the(Measured.BLOCKS), tallies, campaigns={1}, shut_out={(1, 2, "orange"): {"5.7.26": 9}}, seeds=()
    )
    assert found[Place(1, "orange", None)][1].part == 0
    assert found[Place(2, "orange", None)][1] == Volume(9, 59, 9)


@pytest.mark.parametrize("provider", ["gmail", "icloud", "free"])
def test_where_nobody_tells_of_complaints_none_are_weighed(provider: str) -> None:
    lane = a_lane(accepted=1000, complained=9)
    lane.provider = provider
    assert measured(the(Measured.COMPLAINTS), Tallies([lane], []), campaigns={1}, shut_out={}, seeds=()) == {}


def test_seeds_count_once_they_are_seen() -> None:
    outcomes = [Outcome.SPAM, Outcome.SPAM, Outcome.TAB, Outcome.INBOX, Outcome.AWAITED, Outcome.MISSING]
    seeds = [SeedOutcome(1, 1, "orange", n, outcome, None, START) for n, outcome in enumerate(outcomes)]
    breaker = the(Measured.SEEDS, Over.CAMPAIGN_LANE)
    found = measured(breaker, Tallies([], []), campaigns={1}, shut_out={}, seeds=seeds)
    assert found == {Place(1, "orange", 1): {1: Volume(2, 4)}}


def test_the_raw_words_are_shown_the_most_frequent_first() -> None:
    heard = [
        said(EventKind.REFUSED, BounceClass.NO_SUCH_ADDRESS, 3),
        said(EventKind.BOUNCED, BounceClass.INACTIVE, 9),
        said(EventKind.REFUSED, BounceClass.SPAM, 99),
    ]
    shown = examples(the(Measured.HARD), heard, Place(1, "orange", None), {1})
    assert [(one.count, one.text) for one in shown] == [(9, "inactive it is"), (3, "no_such_address it is")]
    assert examples(the(Measured.HARD), heard, Place(1, "gmail", None), {1}) == []


def test_an_own_table_changes_single_keys_and_switches_off(tmp_path: Path) -> None:
    file = tmp_path / "breakers.toml"
    file.write_text(
        '[[breakers]]\nid = "hard-bounces"\nred = 0.1\n[[breakers]]\nid = "deferrals"\noff = true\n'
    )
    table = read_breakers(file)
    (hard,) = [one for one in table.breakers if one.name == "hard-bounces"]
    assert hard == replace(the(Measured.HARD), red=0.1)
    assert "deferrals" not in {one.name for one in table.breakers}
    assert table.version.endswith("+own")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ('[[breakers]]\nid = "hard-bounces"\nred = 5', "red 5 is no share"),
        ('[[breakers]]\nid = "hard-bounces"\namber = 0.2', "amber 0.2 and red 0.05"),
        ('[[breakers]]\nid = "hard-bounces"\nwhen_red = { do = "halt" }', "halt cannot be done to a lane"),
        ('[[breakers]]\nid = "hard-bounces"\nwhen_red = { do = "rest" }', "a rest needs its time"),
        ('[[breakers]]\nid = "hard-bounces"\nwhen_red = { do = "shout" }', "'shout' is none of tell"),
        ('[[breakers]]\nid = "hard-bounces"\nwhen_red = "rest"', "says not what to do"),
        ('[[breakers]]\nid = "hard-bounces"\nlast = 500', "last is for shares of a campaign"),
        ('[[breakers]]\nid = "hard-bounces"\nvolume = -1', "volume -1 is no number"),
        ('[[breakers]]\nid = "hard-bounces"\ncolour = "red"', "unknown: colour"),
        ('[[breakers]]\nid = "hard-bounces"\nwithin = "soon"', "'soon' is no time"),
        ('[[breakers]]\nid = "new"\nmeasure = "hard"', "over is missing"),
        ('[[breakers]]\nid = "seeds-in-spam"\nover = "lane"', "seeds cannot be measured over a lane"),
        ('[[breakers]]\nid = "blocks"\nat_once = "("', "at_once is no pattern"),
        ('[[breakers]]\nid = "complaints"\nmeasure = "hard"', "both measure hard over a lane"),
        ("[[breakers]]\nred = 0.1", "a breaker without an id"),
        ("breakers = 3", "breakers is no list"),
        ("color = 3", "unknown: color"),
        ('tell_only = "other"', "tell_only is no list"),
        ('tell_rests_from = "later"', "'later' is no time"),
        ("[[", "Mend it"),
    ],
)
def test_a_table_that_is_wrong_says_so_in_one_line(tmp_path: Path, change: str, told: str) -> None:
    file = tmp_path / "breakers.toml"
    file.write_text(change)
    with pytest.raises(RulesError, match=r".+") as caught:
        read_breakers(file)
    assert str(file) in str(caught.value)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value).strip()


def test_an_edited_table_is_read_again_and_a_wrong_one_leaves_the_old_in_force(tmp_path: Path) -> None:
    file = tmp_path / "breakers.toml"
    use_breakers(file)
    try:
        assert breakers_in_force() == shipped_breakers()
        file.write_text('[[breakers]]\nid = "deferrals"\noff = true\n')
        assert refresh_breakers()
        assert len(breakers_in_force().breakers) == len(shipped_breakers().breakers) - 1
        file.write_text("[[breakers]]\nid = 3333333333333333333333\n")
        with pytest.raises(RulesError):
            refresh_breakers()
        assert len(breakers_in_force().breakers) == len(shipped_breakers().breakers) - 1
        assert not refresh_breakers()
    finally:
        use_breakers(None)


def test_every_key_of_the_shipped_table_is_explained_in_its_comment() -> None:
    text = (resources.files("deliverability") / "rules" / "breakers.toml").read_text(encoding="utf-8")
    comments = " ".join(line for line in text.splitlines() if line.startswith("#"))
    keys = {key for row in tomllib.loads(text)["breakers"] for key in row} - {"id"}
    assert {key for key in keys if key not in comments} == set()


def test_late_bounces_are_not_held_against_the_last_messages() -> None:
    lane = a_lane(accepted=5000)
    lane.news[EventKind.BOUNCED] = lane.hard[EventKind.BOUNCED] = 300
    tallies = Tallies([lane], [said(EventKind.BOUNCED, BounceClass.NO_SUCH_ADDRESS, 300)])
    assert volume_of(the(Measured.HARD), tallies) == Volume(300, 5000)
    for at_once, part in ((True, 0), (False, 300)):
        found = measured(
            the(Measured.HARD, Over.CAMPAIGN),
            tallies,
            campaigns={1},
            shut_out={},
            seeds=(),
            at_once=at_once,
        )
        assert found[Place(None, "", 1)][1] == Volume(part, 5000)
