"""Checks of political advertising (Regulation (EU) 2024/900): who is chosen by their data, and may be."""

from scheduler.preflight.checks_of_form import FINE, ONCE, Tripped
from scheduler.preflight.examined import Examined


def chosen_by_sensitive_data(seen: Examined) -> Tripped:
    """Nobody is chosen by opinion, religion, origin, health, union or orientation (article 18(1)(c))."""
    if not seen.advertising.bound:
        return None
    parts = seen.advertising.sensitive
    return [{"parts": ", ".join(parts)}] if parts else FINE


def nobody_agreed(seen: Examined) -> Tripped:
    """Of those who would get it somebody agreed to be chosen."""
    if seen.crowd is None or not seen.advertising.targeted:
        return None
    left_out = seen.crowd.not_agreed + seen.crowd.too_young
    return ONCE if left_out and not seen.crowd.people else FINE


def some_did_not_agree(seen: Examined) -> Tripped:
    """Everybody who would get it agreed to be chosen (article 18(1)(b)) and is old enough (18(2))."""
    if seen.crowd is None or not seen.advertising.targeted:
        return None
    left_out = seen.crowd.not_agreed + seen.crowd.too_young
    if not left_out or not seen.crowd.people:
        return None if left_out else FINE
    return [{"people": str(left_out), "young": str(seen.crowd.too_young)}]


def exempt(seen: Examined) -> Tripped:
    """The same message to the whole list: nobody is chosen (article 18(3))."""
    return FINE if seen.advertising.exempt else None
