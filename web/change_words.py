"""Changes since the last campaign or period, in the words of people who write letters: English sources."""

from collections.abc import Mapping
from types import MappingProxyType

from deliverability.changes.values import Turn
from web.i18n import N_, NN_

TURNS: Mapping[Turn, str] = MappingProxyType(
    {Turn.WORSE: N_("worse"), Turn.NEWS: N_("new"), Turn.BETTER: N_("better")}
)
"""Which way it went, in a word: what the colour says."""
SHARES: Mapping[str, str] = MappingProxyType(
    {
        "delivery": N_("Messages that arrived"),
        "hard": N_("Addresses that do not exist"),
        "deferral": N_("Messages put off at least once"),
        "complaint": N_("Complaints"),
        "unsubscribe": N_("Unsubscriptions"),
        "click": N_("People who clicked"),
    }
)
"""What a share is a share of."""
MOVED = N_("%(what)s: %(now)s, before %(before)s.")
MOVED_MOSTLY = N_("%(what)s: %(now)s, before %(before)s; most of all at %(places)s.")
MOVED_AT = N_("%(what)s at %(provider)s: %(now)s, before %(before)s.")
CERTAIN = N_("more than chance: %(low)s to %(high)s points")
STATUS = N_("The verdict on the whole: %(now)s, before %(before)s.")
VERDICT = N_("%(provider)s: %(now)s, before %(before)s.")
BEGAN = N_("An incident began: %(kind)s.")
BEGAN_AT = N_("An incident began at %(provider)s: %(kind)s.")
ENDED = N_("An incident ended: %(kind)s.")
ENDED_AT = N_("An incident ended at %(provider)s: %(kind)s.")
FOUND = N_("New in the DNS: %(finding)s")
GONE = N_("No longer so in the DNS: %(finding)s")
SUPPRESSED: tuple[str, str] = NN_(
    "%(count)s address more is not written to any longer: %(reasons)s.",
    "%(count)s addresses more are not written to any longer: %(reasons)s.",
)
SILENT: Mapping[str, str] = MappingProxyType(
    {
        "hook": N_("%(name)s has told us nothing since %(day)s, although mail was sent."),
        "declared": N_("%(name)s has declared nothing since %(day)s, although mail was sent."),
        "dmarc": N_("%(name)s sends no more DMARC reports: the last came on %(day)s."),
        "mailbox": N_("The mailbox %(name)s cannot be read: its last news is of %(day)s."),
    }
)
"""Feeds that went silent, by their kind; seeds are counted."""
SILENT_SEEDS: tuple[str, str] = NN_(
    "%(count)s seed mailbox at %(provider)s could not be read since %(day)s.",
    "%(count)s seed mailboxes at %(provider)s could not be read since %(day)s.",
)
LINKS: Mapping[str, str] = MappingProxyType(
    {
        "hook": "/incoming",
        "declared": "/deliverability/declared",
        "dmarc": "/deliverability/authentication",
        "mailbox": "/incoming",
        "seeds": "/seeds",
    }
)
"""Where to look after a silent feed."""
AGAINST_SAME = N_("Compared with “%(campaign)s” of %(day)s, sent to the same segments.")
AGAINST_LAST = N_("Compared with “%(campaign)s” of %(day)s, the last one from the same sender.")
AGAINST_DAYS: tuple[str, str] = NN_(
    "The last day compared with the day before.",
    "The last %(count)s days compared with the %(count)s days before.",
)
NOTHING_BEFORE = N_("There is nothing before it to compare with.")
SAME = N_("Nothing moved by more than chance makes it.")
EARLY = N_("Clicks, complaints and unsubscriptions are compared %(hours)s hours after the last message left.")
