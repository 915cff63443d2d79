"""What a provider lets in, by a given time."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox import World, WorldOptions, manners
from sandbox.doorkeeper import BURST_SECONDS, Doorkeeper

DOMAIN = "news.exemple.fr"


@given(st.lists(st.floats(0, 1), max_size=300), st.floats(1, 50))
def test_no_more_than_the_rate_and_a_burst_ever_comes_in(waits: list[float], rate: float) -> None:
    door = Doorkeeper(replace(manners.YAHOO, rate_per_second=rate))
    now, taken = 0.0, 0
    for wait in waits:
        now += wait / 10
        taken += not door.is_too_fast(DOMAIN, now)
        assert taken <= rate * (now + BURST_SECONDS) + 2


def test_who_keeps_to_the_rate_is_never_told_to_slow_down() -> None:
    door = Doorkeeper(manners.SFR, strict=True)
    assert not any(door.is_too_fast(DOMAIN, number / 25) for number in range(5000))


@pytest.mark.parametrize(
    ("provider", "seconds"), [(manners.SFR, 7200), (manners.GMAIL, 600), (manners.YAHOO, 0)]
)
def test_a_strict_provider_shuts_out_who_comes_too_fast_for_as_long_as_it_really_does(
    provider: manners.Manners, seconds: float
) -> None:
    def shut_for(*, strict: bool) -> float:
        door = Doorkeeper(provider, strict=strict)
        while not door.is_too_fast(DOMAIN, 0.0):
            pass
        assert not door.is_too_fast("another.example", 0.0)
        return next(after for after in range(0, 8000, 10) if not door.is_too_fast(DOMAIN, after + 1.0))

    assert shut_for(strict=True) == seconds
    assert shut_for(strict=False) == 0


def test_orange_lets_two_connections_in_and_a_hundred_messages_on_each() -> None:
    door = Doorkeeper(manners.ORANGE)
    assert [door.admits_connection(count) for count in (1, 2, 3)] == [True, True, False]
    assert [door.admits_another(count) for count in (0, 99, 100)] == [True, True, False]


def test_a_greylist_opens_after_its_time_for_the_same_pair() -> None:
    door = Doorkeeper(manners.SFR, speed=2)
    assert door.must_wait(DOMAIN, "a@sfr.fr", 0)
    assert door.must_wait(DOMAIN, "a@sfr.fr", 29)
    assert not door.must_wait(DOMAIN, "a@sfr.fr", 31)
    assert door.must_wait(DOMAIN, "b@sfr.fr", 31)


async def test_a_world_is_lenient_unless_it_is_asked_to_be_strict() -> None:
    assert not WorldOptions().strict
    async with World(WorldOptions(strict=True)) as world:
        assert "sfr" in world.smtp_routes
