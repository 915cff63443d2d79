"""What the people and machines of the sandbox still have to do: everything that happens later.

One place holds every running task, so that stopping the world leaves nothing behind and a test can wait
until nothing is left to happen, instead of sleeping and hoping.
"""

import asyncio
from collections.abc import Awaitable, Callable

Errand = Callable[[], Awaitable[None]]


class Errands:
    """Tasks that start after a while. `speed` divides every delay."""

    def __init__(self, speed: float) -> None:
        """`speed` 1 is unhurried, 1000 is a test."""
        self.speed = speed
        self.failures: list[str] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped = False

    @property
    def pending(self) -> int:
        """How many errands are waiting or under way."""
        return len(self._tasks)

    def after(self, seconds: float, errand: Errand) -> None:
        """Run `errand` in `seconds` divided by the speed. Nothing happens any more after `stop`."""
        if self._stopped:
            return
        task = asyncio.get_running_loop().create_task(self._run(seconds, errand))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def pause(self, seconds: float) -> None:
        """Wait for `seconds` divided by the speed."""
        await asyncio.sleep(seconds / self.speed)

    async def settle(self, timeout_seconds: float) -> None:
        """Come back when nothing is left to happen; TimeoutError when that takes longer."""
        async with asyncio.timeout(timeout_seconds):
            while self._tasks:
                await asyncio.wait(list(self._tasks))

    async def stop(self) -> None:
        """Drop everything that has not happened."""
        self._stopped = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, seconds: float, errand: Errand) -> None:
        await self.pause(seconds)
        try:
            await errand()
        except Exception as problem:  # noqa: BLE001 - told in the tally: one errand must not end the world
            self.failures.append(f"{type(problem).__name__}: {problem}")
