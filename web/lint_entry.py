"""What one check says, before it is filled in."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LintWords:
    """`fine`: what is in order when it does not trip; `what` and `advice` when it does."""

    fine: str
    what: str
    advice: str = ""
