"""Where our mail lands, seen in mailboxes the organisation owns.

A server's 250 says nothing of the folder, and no provider tells. So each campaign also goes to a few seed
mailboxes, and here they are read over IMAP. In: the seeds' rows and what was sent to them. Out: placements
as events (inbox, tab, spam, missing), with how long it took and what the servers thought. `rounds` looks
and records, `schedule` says when, `line` speaks IMAP, `folders`, `traces` and `verdicts` (pure) read
what it finds, `oauth` gets access tokens. Called by the scheduler's job, the pages and the commands.
"""

from deliverability.placement.oauth import AccessTokens
from deliverability.placement.problems import SeedError, explain
from deliverability.placement.rounds import PlacementRun, look_in, poll_seeds

__all__ = ["AccessTokens", "PlacementRun", "SeedError", "explain", "look_in", "poll_seeds"]
