"""A campaign that is sending, whose counters say what a test wants them to say."""

from collections.abc import Sequence
from datetime import timedelta

import sqlalchemy as sa

from models.campaign import Campaign, CampaignLane
from models.event import event_about
from models.identity import Identity
from models.incident import Incident
from models.pace import Throttle
from models.states import CampaignState, DeliveryState, EventKind, IdentityState
from models.tally import Account, Tally, TallyMark
from scheduler.breakers import Scales
from store import Database, incidents
from store.engine import insert_for
from tests.clocks import START
from tests.deliverability.rows import a_delivery, a_launched_campaign, a_seed, an_identity

MINUTE = timedelta(minutes=1)


class Scene:
    """A campaign that is sending, and what its counters say."""

    def __init__(self, database: Database, campaign: Campaign, identity: Identity) -> None:
        self.database, self.campaign, self.identity = database, campaign, identity
        self.scales = Scales(database)

    async def count(
        self, provider: str = "orange", said: Sequence[tuple[str, int]] = (), **news: int
    ) -> None:
        """Set the counters of the lane: deliveries by kind of news, and by what was said."""
        rows: list[tuple[Account, int, str, int]] = [
            *((Account.NEWS, self.identity.id, kind, count) for kind, count in news.items()),
            (Account.TRIED, self.identity.id, "", news.get("accepted", 0) + news.get("refused", 0)),
            *((Account.HARD, self.identity.id, kind, news.get(kind, 0)) for kind in ("refused", "bounced")),
            *((Account.SAID, 0, word, count) for word, count in said),
        ]
        async with self.database.write() as session:
            for account, identity, word, count in rows:
                values = {"campaign_id": self.campaign.id, "account": account, "identity_id": identity}
                values |= {
                    "provider": provider,
                    "word": word,
                    "shard": 0,
                    "count": count,
                    "text": f"no: {word}",
                }
                put = insert_for(session, Tally).values(**values)
                await session.exec(
                    put.on_conflict_do_update(
                        index_elements=["campaign_id", "account", "identity_id", "provider", "word", "shard"],
                        set_={"count": count},
                    )
                )
            await session.exec(sa.update(TallyMark).values(event_id=TallyMark.event_id + 1))

    async def bounce(self, bad: int, whole: int, provider: str = "orange") -> None:
        """So many of so many to addresses that do not exist."""
        said = [("refused|no_such_address|recipient|550|5.1.1", bad)]
        await self.count(provider, said, accepted=whole - bad, refused=bad)

    async def weigh(self, minutes: int = 0) -> int:
        return await self.scales.weigh(START + minutes * MINUTE)

    async def incidents(self) -> list[Incident]:
        """Those that are not about the whole campaign."""
        async with self.database.read() as session:
            return [one for one in await incidents.list_incidents(session) if one.provider]

    async def of_campaign(self) -> list[Incident]:
        async with self.database.read() as session:
            return [one for one in await incidents.list_incidents(session) if not one.provider]

    async def brake(self, provider: str = "orange") -> Throttle | None:
        async with self.database.read() as session:
            return await session.get(Throttle, f"lane:{self.identity.id}:{provider}")

    async def state(self) -> CampaignState:
        async with self.database.read() as session:
            found = await session.get(Campaign, self.campaign.id)
            assert found is not None
            return found.state


async def place(scene: Scene, *kinds: EventKind) -> None:
    """Seeds of the campaign at Orange, and where each was seen."""
    async with scene.database.write() as session:
        for number, kind in enumerate(kinds):
            delivery = await a_delivery(
                session,
                campaign=scene.campaign,
                identity=scene.identity,
                provider="orange",
                state=DeliveryState.ACCEPTED,
                seed=await a_seed(session),
            )
            delivery.due_at = delivery.settled_at = START
            session.add(delivery)
            told = {"source": "seed", "source_id": f"{delivery.id}/{number}", "at": START, "now": START}
            session.add(event_about(delivery, kind, **told))  # type: ignore[arg-type]
        await session.exec(sa.update(TallyMark).values(event_id=TallyMark.event_id + 1))


async def a_scene(database: Database) -> Scene:
    """A campaign of one identity that is sending, with a lane at Orange."""
    async with database.write() as session:
        campaign = await a_launched_campaign(session, targeted=10, frozen=10)
        campaign.launched_at = START
        identity = await an_identity(session)
        identity.state = IdentityState.ACTIVE
        session.add_all([campaign, identity])
        session.add(CampaignLane(campaign_id=campaign.id, identity_id=identity.id, provider="orange"))
    return Scene(database, campaign, identity)
