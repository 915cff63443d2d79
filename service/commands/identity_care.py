"""`tocsin identity show|check|verify|rotate|change|suspend|resume|retire`: the life of a sender identity."""

from typing import TYPE_CHECKING, Annotated

import typer

from models.errors import BadInputError
from models.health import HealthLevel
from models.identity import Identity
from service.commands import examples, read_mailbox
from service.desk import Desk, work
from service.terminal import say
from service.wishes import wanted_identity

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Protocol

    from sqlmodel.ext.asyncio.session import AsyncSession

    from models.health import HealthCheck

    class Taking(Protocol):
        """A step of an identity's life that a person takes."""

        async def __call__(
            self, session: AsyncSession, identity: Identity, *, by: str, reason: str, now: datetime
        ) -> None:
            """Take it; ConflictError when it cannot be."""


BY = "command line"
Key = Annotated[str, typer.Argument(help="Short name of the identity.", metavar="KEY")]
Why = Annotated[str, typer.Option(help="Why, for whoever looks next.", metavar="TEXT")]


def show(key: Key) -> None:
    """Show an identity: its state and why, its proofs, what the last look found, its keys, its history."""
    from service.identity_view import print_identity

    work(lambda desk: print_identity(desk, key))


def check(key: Key) -> None:
    """Look at an identity's DNS now, and say what to mend; exit with 1 while there are problems."""
    from service.identity_view import print_look

    async def look_and_tell(desk: Desk) -> "HealthCheck":
        look = await _look(desk, key)
        print_look(look, desk.settings.zone)
        return look

    look = work(look_and_tell)
    if look.level is HealthLevel.PROBLEM:
        raise typer.Exit(1)


async def _look(desk: Desk, key: str) -> "HealthCheck":
    from scheduler.lookout import look_at
    from service.identity_watch import lookout_of

    async with desk.database.read() as session:
        identity = await wanted_identity(session, key)
    return await look_at(desk.database, desk.clock, lookout_of(desk.settings), identity.id, fresh=True)


def verify(
    key: Key,
    mail: Annotated[
        bool, typer.Option(help="Also send the letter with the link, where one is asked.")
    ] = True,
) -> None:
    """Show that an identity is yours: look for its record, send the letter with the link to its address.

    The record is looked for again every day. The link is good for three days, and once.
    """
    from service.identity_view import print_proofs

    work(lambda desk: _verify(desk, key, mail=mail))
    work(lambda desk: print_proofs(desk, key))


async def _verify(desk: Desk, key: str, *, mail: bool) -> None:
    from models.health import ProofKind
    from models.values import Accepted
    from scheduler.lifecycle import is_shown
    from scheduler.lookout import look_at
    from scheduler.ownership import ensure_proofs
    from scheduler.ownership_letter import send_link
    from service.identity_watch import lookout_of, opened_post_room

    lookout = lookout_of(desk.settings)
    async with desk.database.write() as session:
        identity = await wanted_identity(session, key)
        if identity.from_email is None:
            raise BadInputError(f"{key} sends text messages only: there is nothing to show.")
        proofs = await ensure_proofs(session, identity, desk.clock.now())
        shown = is_shown(identity, ProofKind.MAILBOX, proofs[ProofKind.MAILBOX])
    if lookout.resolver is not None:
        await look_at(desk.database, desk.clock, lookout, identity.id)
    if not mail or shown or ProofKind.MAILBOX not in lookout.required:
        return
    async with opened_post_room(desk) as room:
        outcome = await send_link(room, identity.id)
    if isinstance(outcome, Accepted):
        say(f"A letter is on its way to {identity.from_email}: follow its link within three days.")
    else:
        say(f"The letter to {identity.from_email} did not leave: {outcome.reply.text}")


def rotate(
    key: Key,
    cancel: Annotated[bool, typer.Option("--cancel", help="Forget new keys that do not sign yet.")] = False,
    now: Annotated[
        bool, typer.Option("--now", help="Sign with the new keys at once, as soon as they were seen.")
    ] = False,
) -> None:
    """Change the signing keys of an identity, step by step: each run says where it stands and what is next.

    The new records are published, seen, and only then sign; the old ones stay for a week more.
    """
    from service.identity_view import print_rotation

    work(lambda desk: _rotate(desk, key, cancel=cancel, now=now))
    work(lambda desk: print_rotation(desk, key))


async def _rotate(desk: Desk, key: str, *, cancel: bool, now: bool) -> None:
    from scheduler import signing_keys
    from scheduler.lookout import look_at
    from service.identity_watch import lookout_of
    from store.identities import all_keys_of

    async with desk.database.write() as session:
        identity = await wanted_identity(session, key)
        under_way = signing_keys.rotation_of(await all_keys_of(session, identity.id))
        if cancel:
            await signing_keys.cancel_rotation(session, identity)
            say("The new keys are forgotten; the old ones go on signing. Their records can be deleted.")
            return
        if under_way is None:
            await signing_keys.begin_rotation(session, identity, desk.keyring, desk.clock.now())
            return
    lookout = lookout_of(desk.settings)
    if lookout.resolver is not None:
        await look_at(desk.database, desk.clock, lookout, identity.id)
    if now:
        async with desk.database.write() as session:
            identity = await wanted_identity(session, key)
            await signing_keys.switch(session, identity, desk.clock.now())


def suspend(key: Key, reason: Why) -> None:
    """Let nothing of an identity leave; what is queued waits until somebody resumes it."""
    from scheduler import lifecycle

    _tell(key, work(lambda desk: _step(desk, key, reason, lifecycle.suspend)))


def resume(key: Key, reason: Why) -> None:
    """End a suspension: what waited goes on."""
    from scheduler import lifecycle

    _tell(key, work(lambda desk: _step(desk, key, reason, lifecycle.resume)))


def retire(
    key: Key, reason: Why, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False
) -> None:
    """Let an identity never send again; its history stays. There is no way back."""
    from scheduler import lifecycle

    if not yes and not typer.confirm(f"Retire {key} for good?"):
        raise typer.Abort
    _tell(key, work(lambda desk: _step(desk, key, reason, lifecycle.retire)))


async def _step(desk: Desk, key: str, reason: str, take: "Taking") -> Identity:
    async with desk.database.write() as session:
        identity = await wanted_identity(session, key)
        await take(session, identity, by=BY, reason=reason, now=desk.clock.now())
        return identity


def _tell(key: str, identity: Identity) -> None:
    say(f"The identity {key} is {identity.state.value}.")


def change(
    key: Key,
    email: Annotated[str, typer.Option(help="Its new From address.", metavar="ADDRESS")],
    bounces: Annotated[
        str | None,
        typer.Option(
            help="Domain of the return path; without it, bounces. and the From domain.", metavar="DOMAIN"
        ),
    ] = None,
) -> None:
    """Give an identity another From address: its owner shows that it is theirs before it sends again."""
    from scheduler.ownership import require_own_domain

    address = read_mailbox(email)
    require_own_domain(address)
    return_path = (bounces or f"bounces.{address.rpartition('@')[2]}").strip().lower()
    _tell(key, work(lambda desk: _change(desk, key, address, return_path)))
    say(f"The records to publish: `tocsin identity dns {key}`.")


async def _change(desk: Desk, key: str, address: str, return_path: str) -> Identity:
    from scheduler.lifecycle import change_address
    from scheduler.ownership import ensure_proofs
    from service.identity_watch import lookout_of

    now, required = desk.clock.now(), lookout_of(desk.settings).required
    async with desk.database.write() as session:
        identity = await wanted_identity(session, key)
        await change_address(
            session, identity, address, return_path=return_path, required=required, by=BY, now=now
        )
        await ensure_proofs(session, identity, now)
        return identity


def register_in(group: typer.Typer) -> None:
    """Put these commands beside `identity add`."""
    for command, example in (
        (show, "tocsin identity show national"),
        (check, "tocsin identity check national"),
        (verify, "tocsin identity verify national"),
        (rotate, "tocsin identity rotate national"),
        (change, "tocsin identity change rhone --email contact@rhone.example.org"),
        (suspend, "tocsin identity suspend rhone --reason 'The mandate has ended'"),
        (resume, "tocsin identity resume rhone --reason 'A new mandate'"),
        (retire, "tocsin identity retire rhone --reason 'Replaced by ain'"),
    ):
        group.command(epilog=examples(example))(command)
