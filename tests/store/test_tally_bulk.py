"""What is counted at once after a batch is what the batch wrote, and nothing else is read for it."""

from store import Database
from store.tally_bulk import _ADDED


async def test_counting_a_batch_reads_the_batch_and_not_the_campaign(database: Database) -> None:
    if not database.is_sqlite:
        return
    async with database.read() as session:
        connection = await session.connection()
        for question in _ADDED:
            plan = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {question}", (1, 1))
            steps = [str(detail) for _, _, _, detail in map(tuple, plan.all())]
            assert not [step for step in steps if step.startswith("SCAN")]
            assert any(">?" in step for step in steps)
