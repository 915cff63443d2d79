"""In which folder a mailbox provider puts a message, by the simplest rule that is worth a report.

A provider judges a sender, not one message: everything that comes from the same From address lands in
the same folder there. So seeds at one provider agree with each other, as real ones mostly do. Where a world
is to have a truth that is known beforehand, `inbox_shares` says how much of each provider's mail, to seeds
and people alike, is seen in the inbox.
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


InboxShares = Mapping[str, float]
"""Provider key to the share of its mailboxes that show a mail in the inbox; all of those not listed do."""


def folder_by_rule(
    provider: str, sender: str, recipient: str, shares: InboxShares, *, seed: int = 0
) -> Folder:
    """Where a mail from `sender` lands at one mailbox: drawn for each, always the same for the same."""
    lot = draw(seed, "rule", provider, sender.lower(), recipient.lower())
    return Folder.INBOX if lot < shares.get(provider, 1.0) else Folder.SPAM


def folder_for(provider: str, sender: str, *, seed: int = 0, disliked: Disliked | None = None) -> Folder:
    """Where mail from `sender` (a From address) lands at `provider`.

    With `disliked` nothing is drawn: what it lists is spam, and all else reaches the inbox.
    """
    sender = sender.lower()
    if disliked is None:
        return pick_one(_SHARES, draw(seed, "folder", provider, sender), Folder.INBOX)
    named = {entry.lower() for entry in disliked.get(provider, ())}
    return Folder.SPAM if named & {sender, sender.rpartition("@")[2]} else Folder.INBOX
