"""What a campaign is looked at with before it is sent, out of the settings."""

from deliverability.filters import SpamFilter, open_filter
from models.clock import Clock
from models.keyring import Keyring
from scheduler.preflight import Means
from service.identity_watch import setup_of
from service.pacing import resolver_of
from service.rhythm import forecast_options
from service.settings import Settings
from service.transports import channels_of
from web.lint_desk import LintDesk


def spam_filter_of(settings: Settings) -> SpamFilter | None:
    """The filter that is asked, None when none is set."""
    address = settings.spam_filter
    return None if address is None else open_filter(address, timeout_seconds=settings.spam_filter_timeout)


def lint_desk_of(settings: Settings) -> LintDesk:
    """What the pages look with."""
    return LintDesk(
        resolver=resolver_of(settings.dns_servers),
        setup=setup_of(settings),
        blocklists=settings.blocklist_zones,
        spam_filter=spam_filter_of(settings),
        relay=settings.provider_relay,
    )


def means_of(settings: Settings, keyring: Keyring, clock: Clock) -> Means:
    """What the command line looks with."""
    return Means(
        keyring=keyring,
        clock=clock,
        public_url=settings.public_url,
        language=settings.language,
        relay=settings.provider_relay,
        resolver=resolver_of(settings.dns_servers),
        setup=setup_of(settings),
        blocklists=settings.blocklist_zones,
        spam_filter=spam_filter_of(settings),
        outlook=forecast_options(settings),
        channels=channels_of(settings),
    )
