"""A look at a campaign before it is sent: everything that would keep it from the inbox, or must not leave.

What comes in: a campaign's number, or a template and an identity, and the means to look with. What goes
out: findings as codes and values, blockers first; the words are the reader's (`web.lint_words`). Nothing is
sent, but by `try_seeds`. Whoever schedules for a person asks `require_clear` first.
"""

from typing import TYPE_CHECKING

from models.on_demand import offered

if TYPE_CHECKING:
    from scheduler.preflight.examination import Means, examine, examine_template
    from scheduler.preflight.findings import LintFinding
    from scheduler.preflight.gate import GoPast, StandsInTheWayError, require_clear
else:
    __getattr__ = offered(
        __name__,
        {
            "GoPast": "gate",
            "LintFinding": "findings",
            "Means": "examination",
            "StandsInTheWayError": "gate",
            "examine": "examination",
            "examine_template": "examination",
            "require_clear": "gate",
        },
    )

__all__ = [
    "GoPast",
    "LintFinding",
    "Means",
    "StandsInTheWayError",
    "examine",
    "examine_template",
    "require_clear",
]
