"""The conductor: when, how fast and in which order; the only room that knows a message's whole route.

What comes in: a person's wishes (`scheduler.campaigns`), the clock, transports. What goes out: frozen
audiences, messages handed to transports, outcomes in the ledger. It opens the workshops' doors
(`audience`, `templates`, `sender`, `deliverability`), which do not know one another. `web` and `service`
call it.
"""

from typing import TYPE_CHECKING

from models.on_demand import offered

if TYPE_CHECKING:
    from scheduler.campaigns import NewCampaign, create_campaign
    from scheduler.dispatch import DispatchOptions
    from scheduler.jobs import Conductor, ConductorOptions
    from scheduler.pacing import Pace
    from scheduler.retry import RetryPolicy
else:
    __getattr__ = offered(
        __name__,
        {
            "Conductor": "jobs",
            "ConductorOptions": "jobs",
            "DispatchOptions": "dispatch",
            "NewCampaign": "campaigns",
            "Pace": "pacing",
            "RetryPolicy": "retry",
            "create_campaign": "campaigns",
        },
    )

__all__ = [
    "Conductor",
    "ConductorOptions",
    "DispatchOptions",
    "NewCampaign",
    "Pace",
    "RetryPolicy",
    "create_campaign",
]
