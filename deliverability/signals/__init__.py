"""Pure readers of news from outside, one file a source.

What comes in: the bytes or form fields as they arrived. What goes out: `models.values.Signal`, or a
report from which `deliverability.inbox` makes one. No reader raises on any input, asks the database
or the network: what it cannot read it says it cannot read. Called by `deliverability.inbox` and by the
public hooks in `web`.
"""

from deliverability.signals.arf import read_complaint
from deliverability.signals.autoreply import is_automatic_reply
from deliverability.signals.dsn import read_delivery_status

__all__ = ["is_automatic_reply", "read_complaint", "read_delivery_status"]
