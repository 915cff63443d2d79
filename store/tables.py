"""Every table, imported in one place, so that migrations and checks see them all."""

from models import (
    access,
    campaign,
    contact,
    delivery,
    event,
    identity,
    news,
    pace,
    seed,
    segment,
    suppression,
    tally,
    template,
    worker,
)

__all__ = [
    "access",
    "campaign",
    "contact",
    "delivery",
    "event",
    "identity",
    "news",
    "pace",
    "seed",
    "segment",
    "suppression",
    "tally",
    "template",
    "worker",
]
