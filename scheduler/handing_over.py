"""Wishes of one mail, each under a call of its own: whoever hands the mail over again adds nobody twice.

A mail server that did not hear our answer comes back with the same mail, perhaps to more people at once or to
fewer: what was taken on is told apart person by person, and all that is new is one transaction.
"""

from collections.abc import Callable, Sequence

from scheduler.accepting import Acceptor
from scheduler.asked import Asker, Receipt, Refusal, Wish
from store import idempotency
from store.idempotency import Answered, Call, Different, InFlight, Known

Asked = tuple[Wish, Call | None]
TellOne = Callable[[Receipt | Refusal], tuple[int, str]]
"""The status and the body of one answer; what it raises undoes everything."""


async def accept_each(acceptor: Acceptor, asker: Asker, asked: Sequence[Asked], tell: TellOne) -> list[Known]:
    """Put on record what was not before, in one transaction; one answer a wish, in order.

    Nothing is put on record when one of them is another call's, or being made at this moment.
    """
    forms = await acceptor.forms_of([wish for wish, _ in asked])
    async with acceptor.database.write() as session:
        now = acceptor.clock.now()
        named = [call for _, call in asked if call is not None]
        begun = iter(await idempotency.begin(session, named, now))
        known = [None if call is None else next(begun) for _, call in asked]
        if any(isinstance(found, Different | InFlight) for found in known):
            return [found or Answered(0, "") for found in known]
        fresh = [one for one, found in zip(asked, known, strict=True) if found is None]
        results = await acceptor.grant(session, asker, [wish for wish, _ in fresh], forms, now)
        told = [Answered(*tell(result), fresh=True) for result in results]
        kept = [(call, answer) for (_, call), answer in zip(fresh, told, strict=True) if call is not None]
        await idempotency.keep(session, kept, now)
    following = iter(told)
    acceptor.roads.keep(session)
    return [found or next(following) for found in known]
