"""Checks of electoral law: silence before a vote (code électoral, L49), and whether a campaign obeys it.

To go past a check here lets nothing leave in silence: only a waiver that two people agreed to does.
"""

from models.states import Nature
from scheduler.preflight.checks_of_form import FINE, Tripped
from scheduler.preflight.examined import Examined


def all_in_silence(seen: Examined) -> Tripped:
    """At the start somebody may be written to who is not in the silence before a vote."""
    if seen.ahead is None:
        return None
    ahead = seen.ahead
    if ahead.silenced and not ahead.receiving:
        return [{"people": str(ahead.silenced), "votes": ahead.votes, "over": ahead.over}]
    return None if ahead.silenced else FINE


def some_in_silence(seen: Examined) -> Tripped:
    """Nobody is left out because they vote soon."""
    if seen.ahead is None:
        return None
    ahead = seen.ahead
    if not ahead.silenced or not ahead.receiving:
        return None if ahead.silenced else FINE
    return [{"people": str(ahead.silenced), "votes": ahead.votes}]


def cut_off_by_silence(seen: Examined) -> Tripped:
    """Everything leaves before silence begins."""
    if seen.ahead is None or not seen.ahead.receiving:
        return None
    ahead = seen.ahead
    return [{"people": str(ahead.missed), "cut_off": ahead.cut_off}] if ahead.missed else FINE


def on_the_eve(seen: Examined) -> Tripped:
    """It does not come so late that others cannot answer what it says (L48-2)."""
    if seen.ahead is None or not seen.ahead.receiving:
        return None
    begins = seen.ahead.begins
    return [{"begins": begins, "votes": seen.ahead.votes}] if begins else FINE


def nature_unsaid(seen: Examined) -> Tripped:
    """Somebody said whether it is political."""
    if seen.nature is None:
        return None
    return [{}] if seen.nature is Nature.UNSAID else FINE
