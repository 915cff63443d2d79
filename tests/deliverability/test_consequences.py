"""What would have followed from the answers of the past by other rules."""

from datetime import timedelta
from pathlib import Path

import pytest

from deliverability.consequences import Call, Consequence, begun
from deliverability.replay import replay
from deliverability.rulebook import (
    Deed,
    Reaction,
    RuleBook,
    Scope,
    read_rules,
    read_span,
    shipped,
    write_span,
)
from models.identity import Identity
from models.states import EventKind
from store import Database
from tests.clocks import START
from tests.deliverability.rows import a_delivery, put_off_unread

HOUR = timedelta(hours=1)
PAIRS = (("orange", "one"), ("orange", "two"), ("sfr", "one"))
"""Providers, and rules that speak of them."""


async def answered(
    database: Database, minutes: list[float], *, source: str = "dispatch", provider: str = "orange"
) -> None:
    """Deferrals that no rule knew, so many minutes after the start."""
    async with database.write() as session:
        delivery = await a_delivery(session)
        for number, minute in enumerate(minutes):
            at = START + timedelta(minutes=minute)
            session.add(put_off_unread(delivery, at, number, provider=provider, source=source))


def a_rule(folder: Path, reactions: str) -> RuleBook:
    rules = folder / "rules.toml"
    rules.write_text(
        '[[rules]]\nid = "another-day"\ntext = "another day"\nclass = "block"\nfault = "provider"\n'
        f"reactions = [{reactions}]\n"
    )
    return read_rules(rules)


async def followed(database: Database, book: RuleBook) -> tuple[Consequence, ...]:
    async with database.read() as session:
        return (await replay(session, book, since=START - HOUR)).consequences


async def test_a_rule_that_would_have_stopped_everything_says_how_often(
    database: Database, tmp_path: Path
) -> None:
    book = a_rule(tmp_path, '{ do = "suspend", scope = "relay", for = "1h" }')
    await answered(database, [0, 1, 59, 61, 200])
    (one,) = await followed(database, book)
    # The first shuts it for an hour, in which the next two change nothing.
    assert (one.provider, one.deed, one.scope, one.span) == ("orange", Deed.SUSPEND, Scope.RELAY, HOUR)
    assert (one.before, one.after, one.rules, one.at_most) == (0, 3, ("another-day",), False)


async def test_the_same_rules_change_nothing(database: Database, tmp_path: Path) -> None:
    await answered(database, [number / 10 for number in range(30)])
    assert await followed(database, shipped()) == ()
    # Twenty unknown answers in five minutes are half the pace, by the shipped rules; by this one, nothing.
    (one,) = await followed(database, a_rule(tmp_path, ""))
    assert (one.deed, one.scope, one.after, one.rules) == (Deed.SLOW, Scope.LANE, 0, ("unknown",))
    assert one.before > 0


async def test_what_came_back_later_slows_nobody(database: Database, tmp_path: Path) -> None:
    await answered(database, [0, 100], source="bounce")
    assert await followed(database, a_rule(tmp_path, '{ do = "suspend", for = "1h" }')) == ()


async def test_messages_are_counted_where_a_reaction_is_about_one(database: Database, tmp_path: Path) -> None:
    await answered(database, [0, 0, 0, 1])
    await answered(database, [0], provider="sfr")
    found = await followed(database, a_rule(tmp_path, '{ do = "refuse" }'))
    assert [(one.provider, one.deed, one.after) for one in found] == [
        ("orange", Deed.REFUSE, 4),
        ("sfr", Deed.REFUSE, 1),
    ]


async def test_campaigns_lanes_and_domains_are_told_apart_and_a_condition_is_admitted(
    database: Database, tmp_path: Path
) -> None:
    await answered(database, [0])
    await answered(database, [0], source="dispatch", provider="orange ")
    book = a_rule(tmp_path, '{ do = "hold_campaign", share = 0.5 }')
    held = await followed(database, book)
    assert sum(one.after for one in held) == 2
    assert all(one.at_most for one in held)


async def test_two_identities_of_one_domain_are_one_scope(database: Database, tmp_path: Path) -> None:
    async with database.write() as session:
        for number in range(2):
            delivery = await a_delivery(session)
            sender = await session.get(Identity, delivery.identity_id)
            assert sender is not None
            sender.dkim_domain = "parti.fr"
            session.add(put_off_unread(delivery, START, number))
    by_domain = await followed(database, a_rule(tmp_path, '{ do = "crawl", scope = "domain", for = "1h" }'))
    by_lane = await followed(database, a_rule(tmp_path, '{ do = "crawl", scope = "lane", for = "1h" }'))
    assert ([one.after for one in by_domain], [one.after for one in by_lane]) == ([1], [2])


@pytest.mark.parametrize(
    ("reaction", "seconds", "times"),
    [
        (Reaction(Deed.SUSPEND), [0, 899, 900], 2),
        (Reaction(Deed.SLOW), [0, 9, 10, 11, 30], 3),
        (Reaction(Deed.HOLD_CAMPAIGN), [0, 1e6], 1),
        (Reaction(Deed.SUSPEND, span=HOUR, after=3, within=HOUR), [0, 3599, 3600, 3700], 0),
        (Reaction(Deed.SUSPEND, span=HOUR, after=3, within=HOUR), [0, 10, 20, 30, 3650], 1),
        (Reaction(Deed.SUSPEND, span=timedelta(seconds=5), after=2), [0, 10, 20], 2),
        (Reaction(Deed.WAIT, after=5), [0, 0, 1], 3),
    ],
)
def test_a_reaction_begins_when_it_is_called_for_often_enough_and_is_not_under_way(
    reaction: Reaction, seconds: list[float], times: int
) -> None:
    assert begun({Call("orange", reaction, "a-rule"): seconds}).total() == times


def test_what_is_in_force_is_begun_by_no_other_rule_and_no_other_provider() -> None:
    shut = Reaction(Deed.SUSPEND, Scope.RELAY, span=HOUR)
    calls = {Call(provider, shut, rule): [at] for at, (provider, rule) in enumerate(PAIRS)}
    assert begun(calls) == {Call("orange", shut, "one"): 1}
    # A provider's own affair is one for each.
    there = Reaction(Deed.SUSPEND, Scope.PROVIDER, span=HOUR)
    calls = {Call(provider, there, rule): [at] for at, (provider, rule) in enumerate(PAIRS)}
    assert begun(calls) == {Call("orange", there, "one"): 1, Call("sfr", there, "one"): 1}


async def test_a_final_answer_is_not_given_up_and_does_not_wait(database: Database, tmp_path: Path) -> None:
    async with database.write() as session:
        delivery = await a_delivery(session)
        event = put_off_unread(delivery, START, 0)
        event.kind, event.code = EventKind.REFUSED, 550
        session.add(event)
    for reaction in ('{ do = "refuse" }', '{ do = "wait", for = "1h" }'):
        assert await followed(database, a_rule(tmp_path, reaction)) == ()


async def test_one_connection_over_a_shared_relay_is_half_the_pace_of_everything(
    database: Database, tmp_path: Path
) -> None:
    await answered(database, [0])
    book = a_rule(tmp_path, '{ do = "one_connection", for = "1h" }')
    (shared,) = await followed(database, book)
    assert (shared.deed, shared.scope) == (Deed.SLOW, Scope.RELAY)
    async with database.read() as session:
        (own,) = (await replay(session, book, since=START - HOUR, routes={"orange"})).consequences
    assert (own.deed, own.scope, own.span) == (Deed.ONE_CONNECTION, Scope.LANE, HOUR)


@pytest.mark.parametrize("text", ["90m", "1h30m", "2d", "45s", "0s", "1d2h3m4s"])
def test_a_time_is_written_as_it_is_read(text: str) -> None:
    span = read_span(text)
    assert read_span(write_span(span)) == span
    assert write_span(read_span("90m")) == "1h30m"
