"""What can honestly be said of a sender at a mailbox provider, and how sure it is. Pure: no store, no clock.

What comes in: everything known of an identity at a provider (`ProviderFacts`): counts, where seeds landed,
clicks now and before, what providers declare, incidents. What goes out: figures with the interval they
deserve and where they come from, a verdict in one word with its reason, advice; all as codes and values,
the words for them live at the edge. Called by `deliverability.assessing`, which gathers the facts.

Nothing is made up: what was not tested is unknown, what is too little is not assessable, and no single
percentage is distilled from signals of different kinds.
"""

from typing import TYPE_CHECKING

from models.on_demand import offered

if TYPE_CHECKING:
    from deliverability.assessment.clicks import click_change
    from deliverability.assessment.facts import ProviderFacts
    from deliverability.assessment.placement import list_estimate
    from deliverability.assessment.study import study_table
    from deliverability.assessment.values import Assessment, Basis, Status
    from deliverability.assessment.verdicts import assess_provider
else:
    __getattr__ = offered(
        __name__,
        {
            "Assessment": "values",
            "Basis": "values",
            "ProviderFacts": "facts",
            "Status": "values",
            "assess_provider": "verdicts",
            "click_change": "clicks",
            "list_estimate": "placement",
            "study_table": "study",
        },
    )

__all__ = [
    "Assessment",
    "Basis",
    "ProviderFacts",
    "Status",
    "assess_provider",
    "click_change",
    "list_estimate",
    "study_table",
]
