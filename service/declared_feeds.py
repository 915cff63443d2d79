"""Reports and declared figures, looked after regularly: out of the settings, as chores of whoever works."""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from models.clock import Clock
from models.errors import SettingsError
from scheduler.jobs import Chore
from service.settings import Settings
from store import Database, authentication

if TYPE_CHECKING:
    from deliverability.feeds.declaring import DeclaredAccess, DeclaredLook

LOOK_EVERY = timedelta(minutes=30)
"""How often the rows are asked whether a source is due."""
FORGET_EVERY = timedelta(hours=6)


def access_of(settings: Settings) -> "DeclaredAccess":
    """Which sources the settings open, and how; SettingsError for a half of what is needed."""
    from deliverability.feeds.declaring import DeclaredAccess
    from deliverability.feeds.postmaster import BASE_URL, TOKEN_URL, PostmasterAccess

    token, secret = settings.postmaster_refresh_token, settings.postmaster_client_secret
    postmaster = None
    if settings.postmaster_service_account is not None or token is not None:
        if settings.postmaster_service_account is None and not settings.postmaster_client_id:
            raise SettingsError(
                "TOCSIN_POSTMASTER_REFRESH_TOKEN is of no use without its client.",
                "Set TOCSIN_POSTMASTER_CLIENT_ID and TOCSIN_POSTMASTER_CLIENT_SECRET.",
            )
        account = settings.postmaster_service_account
        postmaster = PostmasterAccess(
            refresh_token=token.get_secret_value() if token is not None else "",
            client_id=settings.postmaster_client_id,
            client_secret=secret.get_secret_value() if secret is not None else "",
            service_account=account.read_text("utf-8") if account is not None else "",
            base_url=settings.postmaster_url or BASE_URL,
            token_url=settings.postmaster_token_url or TOKEN_URL,
        )
    snds = settings.snds_url
    return DeclaredAccess(postmaster, snds.get_secret_value() if snds is not None else "")


def feed_chores(settings: Settings, database: Database, clock: Clock) -> Sequence[Chore]:
    """Failure reports forgotten in time, and the daily look at what is declared where a source is set up."""

    async def forget() -> None:
        async with database.write() as session:
            before = clock.now() - timedelta(days=settings.keep_originals_days)
            await authentication.forget_failures(session, before)

    forgetting = Chore("failure reports", FORGET_EVERY, forget)
    if not (settings.postmaster_refresh_token or settings.postmaster_service_account or settings.snds_url):
        return (forgetting,)
    access_of(settings)
    kept: list[DeclaredLook] = []

    async def look() -> None:
        from deliverability.feeds.declaring import DeclaredLook

        # Kept, as it remembers who asked to be left alone.
        kept[:] = kept or [DeclaredLook(database, clock, access_of(settings))]
        await kept[0].look()

    return (forgetting, Chore("declared figures", LOOK_EVERY, look))
