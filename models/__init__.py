"""The foundation: nouns as tables, values, states, the clock and the errors.

What comes in: nothing; this room imports no other. What goes out: SQLModel tables for what must
survive a crash, frozen dataclasses for what flows from room to room, and the one table of states each
delivery and each campaign may pass through. Every room may call it.
"""

from typing import TYPE_CHECKING

from models.on_demand import offered

if TYPE_CHECKING:
    from models.campaign import Campaign
    from models.clock import Clock
    from models.contact import Contact
    from models.delivery import Delivery
    from models.errors import TocsinError
    from models.event import Event
    from models.states import Channel, DeliveryState
else:
    __getattr__ = offered(
        __name__,
        {
            "Campaign": "campaign",
            "Channel": "states",
            "Clock": "clock",
            "Contact": "contact",
            "Delivery": "delivery",
            "DeliveryState": "states",
            "Event": "event",
            "TocsinError": "errors",
        },
    )

__all__ = ["Campaign", "Channel", "Clock", "Contact", "Delivery", "DeliveryState", "Event", "TocsinError"]
