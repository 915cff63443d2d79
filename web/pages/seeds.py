"""Seed mailboxes: those there are, whether each can be read, and where the last mail to it landed."""

from dataclasses import dataclass
from datetime import timedelta

from fastapi import APIRouter
from starlette.responses import Response

from deliverability.placement import SeedError, look_in
from deliverability.placement.hosts import HOSTS, SignIn, compose
from models.errors import BadInputError, ConflictError, TocsinError
from models.providers import OTHER, PROVIDERS
from models.seed import SeedMailbox
from store import seeds
from store.seeds import Outcome, SeedOutcome
from web.access import Admin, Visit
from web.i18n import N_
from web.pages.sign_in import read_address
from web.view import go, page

router = APIRouter()

LATELY = timedelta(days=30)
PATIENCE_SECONDS = 15.0
WAYS = {
    SignIn.APP_PASSWORD: N_("an application password, made in the account’s security settings"),
    SignIn.PASSWORD: N_("the mailbox’s password; reading by IMAP may have to be allowed in its settings"),
    SignIn.OAUTH: N_("OAuth 2 only: a client, its secret and a refresh token"),
}
OUTCOMES = {
    Outcome.INBOX: N_("Inbox"),
    Outcome.TAB: N_("Tab"),
    Outcome.SPAM: N_("Spam"),
    Outcome.MISSING: N_("Missing"),
    Outcome.REJECTED: N_("Refused"),
    Outcome.AWAITED: N_("Awaited"),
}
TONES = {
    Outcome.INBOX: "good",
    Outcome.TAB: "good",
    Outcome.SPAM: "bad",
    Outcome.MISSING: "warn",
    Outcome.REJECTED: "bad",
    Outcome.AWAITED: "busy",
}
EMPTY_SECRET = N_("A mailbox is read with a password, or with a refresh token.")


@dataclass(frozen=True, slots=True)
class _Line:
    seed: SeedMailbox
    last: SeedOutcome | None


@router.get("/seeds")
async def seeds_page(visit: Admin) -> Response:
    """The seed mailboxes."""
    return await _page(visit)


@router.post("/seeds")
async def add(visit: Admin) -> Response:
    """Keep a new one, once it can be read."""
    form, keyring = visit.form, visit.context.keyring
    try:
        seed = compose(
            read_address(form.text("address")),
            imap=form.text("imap", 260),
            username=form.text("username", 254),
            provider=form.text("provider", 60),
            client_id=form.text("client_id", 300),
            token_url=form.text("token_url", 500),
        )
        seed.sealed_password = keyring.encrypt(_read_secret(visit))
        if form.raw("client_secret"):
            seed.sealed_client_secret = keyring.encrypt(form.raw("client_secret").strip())
        await look_in(seed, keyring, clock=visit.context.clock, timeout_seconds=PATIENCE_SECONDS)
        async with visit.context.database.write() as session:
            await seeds.add_seed(session, seed)
    except (BadInputError, ConflictError, SeedError) as error:
        return await _page(visit, error)
    return go("/seeds", "seed-added")


@router.post("/seeds/{seed_id}/test")
async def test(visit: Admin, seed_id: int) -> Response:
    """Sign in to it now, and note what stood in the way."""
    async with visit.context.database.read() as session:
        seed = await seeds.get_seed(session, seed_id)
    before, problem = seed.sealed_password, ""
    try:
        await look_in(
            seed, visit.context.keyring, clock=visit.context.clock, timeout_seconds=PATIENCE_SECONDS
        )
    except TocsinError as error:
        problem = error.problem
    async with visit.context.database.write() as session:
        await seeds.note_try(session, seed_id, at=visit.context.clock.now(), problem=problem)
        if seed.sealed_password != before:
            await seeds.renew_secret(session, seed_id, seed.sealed_password)
    return go("/seeds", "seed-unreadable" if problem else "seed-readable")


@router.post("/seeds/{seed_id}/pause")
async def pause(visit: Admin, seed_id: int) -> Response:
    """Write to it no more, for the time being."""
    async with visit.context.database.write() as session:
        await seeds.set_active(session, seed_id, active=False)
    return go("/seeds", "seed-paused")


@router.post("/seeds/{seed_id}/resume")
async def resume(visit: Admin, seed_id: int) -> Response:
    """Write to it again, from the next campaign on."""
    async with visit.context.database.write() as session:
        await seeds.set_active(session, seed_id, active=True)
    return go("/seeds", "seed-resumed")


@router.post("/seeds/{seed_id}/remove")
async def remove(visit: Admin, seed_id: int) -> Response:
    """Take it out for good, with its secrets."""
    async with visit.context.database.write() as session:
        await seeds.remove_seed(session, seed_id, visit.context.clock.now())
    return go("/seeds", "seed-removed")


def _read_secret(visit: Visit) -> str:
    secret = visit.form.raw("password").strip("\n")
    if not secret:
        raise BadInputError(EMPTY_SECRET)
    return secret


async def _page(visit: Visit, error: TocsinError | None = None) -> Response:
    async with visit.context.database.read() as session:
        known = await seeds.list_seeds(session)
        lately = await seeds.outcomes(session, since=visit.context.clock.now() - LATELY)
    last = {each.seed_id: each for each in sorted(lately, key=lambda one: one.at)}
    return page(
        visit,
        "seeds.html",
        400 if error else 200,
        lines=[_Line(seed, last.get(seed.id)) for seed in known],
        outcomes=OUTCOMES,
        tones=TONES,
        hosts=HOSTS,
        ways=WAYS,
        providers=[(provider.key, provider.name) for provider in PROVIDERS],
        other=OTHER,
        form=visit.form,
        problem=error.problem if error else "",
        advice=error.advice if error else "",
    )
