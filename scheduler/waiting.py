"""A campaign whose moment has come while none of its identities may send: it waits, and says for whom.

Launched all the same, everybody would be left out for want of a sender, and nothing would bring them back. As
soon as one of its identities may send again it begins; if that is too late, by its own rule for being late.
"""

from models.campaign import Campaign
from models.states import CampaignState
from scheduler.lifecycle import tell_state
from scheduler.senders import can_send
from store import Database, campaigns

WAITS = "It waits for its sender."
BEGINNING = frozenset({CampaignState.SCHEDULED, CampaignState.LAUNCHING})
"""A launch that was interrupted waits as well: its first people are frozen, and the others are to follow."""


async def waits_for_sender(database: Database, campaign: Campaign) -> bool:
    """Whether a campaign that is due has nobody to send it now; its `problem` says so while it lasts."""
    if campaign.state not in BEGINNING:
        return False
    async with database.read() as session:
        senders = await campaigns.identities_of(session, campaign.id)
    able = not senders or any(can_send(each, campaign.channel) for each in senders)
    problem = "" if able else " ".join([WAITS, *map(tell_state, senders)])
    if problem != campaign.problem and (problem or campaign.problem.startswith(WAITS)):
        async with database.write() as session:
            row = await campaigns.get_campaign(session, campaign.id)
            if row.state in BEGINNING:
                row.problem = problem
                session.add(row)
    return not able
