"""The one table of what may follow what."""

import pytest

from models.states import (
    CAMPAIGN_TRANSITIONS,
    DELIVERY_TRANSITIONS,
    FINAL,
    WAITING,
    CampaignState,
    DeliveryState,
    campaign_may_become,
    may_become,
)

S = DeliveryState


def test_every_state_has_its_row() -> None:
    assert set(DELIVERY_TRANSITIONS) == set(DeliveryState)
    assert set(CAMPAIGN_TRANSITIONS) == set(CampaignState)


def test_only_what_was_marked_sending_can_be_accepted_or_uncertain() -> None:
    assert [state for state in S if may_become(state, S.ACCEPTED)] == [S.SENDING, S.UNCERTAIN]
    assert [state for state in S if may_become(state, S.UNCERTAIN)] == [S.SENDING]


def test_nothing_on_the_wire_goes_back_to_the_queue() -> None:
    assert not may_become(S.SENDING, S.QUEUED)
    assert not may_become(S.SENDING, S.CLAIMED)


@pytest.mark.parametrize("state", sorted(FINAL - {S.UNCERTAIN}))
def test_a_final_state_stays(state: DeliveryState) -> None:
    assert DELIVERY_TRANSITIONS[state] == frozenset()


def test_every_waiting_state_can_come_to_an_end() -> None:
    for state in WAITING:
        reached, frontier = {state}, {state}
        while frontier:
            frontier = {
                following for origin in frontier for following in DELIVERY_TRANSITIONS[origin]
            } - reached
            reached |= frontier
        assert reached & FINAL


def test_a_campaign_that_ended_goes_on_only_with_what_was_uncertain() -> None:
    assert not any(campaign_may_become(CampaignState.CANCELLED, following) for following in CampaignState)
    following = {state for state in CampaignState if campaign_may_become(CampaignState.FINISHED, state)}
    assert following == {CampaignState.SENDING, CampaignState.INCOMPLETE}


def test_a_paused_campaign_can_always_be_cancelled() -> None:
    assert campaign_may_become(CampaignState.PAUSED, CampaignState.CANCELLED)
