"""In which folder a mailbox provider puts a message, by the simplest rule that is worth a report.

A provider judges a sender, not one message: everything that comes from the same From address lands in
the same folder there. So seeds at one provider agree with each other, as real ones mostly do.
"""

from collections.abc import Collection, Mapping
from enum import StrEnum

from sandbox.fates import draw, pick_one


class Folder(StrEnum):
    """Where a message is found; MISSING is taken with 250 and never seen again."""

    INBOX = "inbox"
    SPAM = "spam"
    MISSING = "missing"


_SHARES = ((0.08, Folder.SPAM), (0.01, Folder.MISSING))
Disliked = Mapping[str, Collection[str]]
"""Provider key to senders it puts in spam: whole From addresses, or domains."""


def folder_for(provider: str, sender: str, *, seed: int = 0, disliked: Disliked | None = None) -> Folder:
    """Where mail from `sender` (a From address) lands at `provider`.

    With `disliked` nothing is drawn: what it lists is spam, and all else reaches the inbox.
    """
    sender = sender.lower()
    if disliked is None:
        return pick_one(_SHARES, draw(seed, "folder", provider, sender), Folder.INBOX)
    named = {entry.lower() for entry in disliked.get(provider, ())}
    return Folder.SPAM if named & {sender, sender.rpartition("@")[2]} else Folder.INBOX
