"""What is new since the last time: a campaign against the one before it, a sender against the period before.

What comes in: reports, assessments and looks that were made anyway. What goes out: a list of changes as
codes and values, the gravest first; `web.change_view` makes sentences of them. Whoever shows a report may
call. A share is news when it moved by more than chance makes it, and by enough to matter.
"""

from deliverability.changes.documents import changes_document
from deliverability.changes.gathering import campaign_changes, identity_changes
from deliverability.changes.values import Change, Changes, Turn

__all__ = ["Change", "Changes", "Turn", "campaign_changes", "changes_document", "identity_changes"]
