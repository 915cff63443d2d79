"""Checks of the label of political advertising (Regulation (EU) 2024/900, article 11): does it say enough."""

from scheduler.letters import NOTICE_PATH
from scheduler.preflight.checks_of_form import FINE, ONCE, Tripped
from scheduler.preflight.examined import Examined


def label_has_gaps(seen: Examined) -> Tripped:
    """Somebody said who pays, or which vote it is about: else both are left to be guessed."""
    if seen.label is None:
        return None
    return FINE if seen.label.sponsor.strip() or seen.label.vote.strip() else ONCE


def text_without_notice(seen: Examined) -> Tripped:
    """A text message has no room for a label: it leads to its notice."""
    if seen.label is None or seen.text is None:
        return None
    return FINE if f"{seen.public_url.rstrip('/')}{NOTICE_PATH}" in seen.text.text else ONCE
