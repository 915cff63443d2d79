"""What the settings say of how often and at which hours people are written to."""

from typing import TYPE_CHECKING

from models.states import Channel
from scheduler.calendar import UsualWindows, read_sending_windows
from scheduler.frequency import FrequencyPolicy, read_windows
from scheduler.pacing import Pace
from scheduler.rhythm import Rhythm
from service.settings import Settings

if TYPE_CHECKING:
    from scheduler.forecast import ForecastOptions


def frequency_policy(settings: Settings) -> FrequencyPolicy:
    """How many messages one person may get in which span."""
    return FrequencyPolicy(
        read_windows(settings.frequency) + read_windows(settings.frequency_sms, Channel.SMS)
    )


def usual_windows(settings: Settings) -> UsualWindows:
    """When messages leave, for campaigns that say nothing of their own."""
    return UsualWindows(
        email=read_sending_windows(settings.sending_windows_email),
        sms=read_sending_windows(settings.sending_windows_sms),
    )


def pace_of(settings: Settings) -> Pace:
    """The rates set, messages a second."""
    return Pace(
        emails_per_second=settings.emails_per_second,
        sms_per_second=settings.sms_per_second,
        providers=settings.provider_rates,
        routes=frozenset(settings.smtp_routes),
    )


def rhythm_of(settings: Settings) -> Rhythm:
    """Both, and the zone of people of whom nothing is known."""
    return Rhythm(
        *(frequency_policy(settings), usual_windows(settings), settings.zone, settings.silence_margin),
        place_is_free=settings.place_is_free,
    )


def forecast_options(settings: Settings) -> "ForecastOptions":
    """What forecasts are made with."""
    from scheduler.forecast import ForecastOptions

    return ForecastOptions(pace_of(settings), rhythm_of(settings))
