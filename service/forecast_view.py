"""A forecast and a preview in sentences, for the terminal."""

from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from models.providers import provider_name
from models.text import plural
from service.terminal import print_table, say, words

if TYPE_CHECKING:
    from scheduler.forecast import Forecast, ProviderForecast
    from scheduler.preview import AudiencePreview
    from service.desk import Desk


async def foretell(desk: "Desk", campaign_id: int, starts_at: datetime | None = None) -> "Forecast":
    """What becomes of a campaign, by the settings."""
    from scheduler.forecast import forecast
    from service.rhythm import forecast_options

    options = forecast_options(desk.settings)
    async with desk.database.read() as session:
        return await forecast(session, campaign_id, desk.clock.now(), options, starts_at=starts_at)


def tell_forecast(name: str, found: "Forecast", zone: str) -> None:
    """When it is over, who would be too late, what to do about it; then provider by provider."""
    for sentence in sentences(name, found, zone):
        say(sentence)
    columns = ["Provider", "#Messages", "Finished"]
    rows = [
        (provider_name(part.provider), f"{part.messages:,}", _end(part, zone)) for part in found.providers
    ]
    if found.missed:
        late = [(*row, _missed(part)) for row, part in zip(rows, found.providers, strict=True)]
        print_table([*columns, "#Too late"], late, empty="")
    elif rows:
        print_table(columns, rows, empty="")


def sentences(name: str, found: "Forecast", zone: str) -> list[str]:
    """What matters first."""
    silenced = _silenced(found)
    if not found.messages:
        return [f"{name}: nobody is left to write to.", *silenced]
    waits = plural(found.messages, "message")
    if found.missed:
        misses = "would not leave before election silence" if found.for_vote else "would miss the deadline"
        ends = f"{name}: {waits}, of which {found.missed:,} {misses}"
        told = [f"{ends}, {_moment(found.not_after or found.made_at, zone)}: {_by_provider(found)}."]
        told += [_instead(found, zone)]
    elif found.finishes_at is None:
        told = [f"{name}: {waits}, and no end within two months at this pace."]
    else:
        told = [f"{name}: {waits}, finished {_moment(found.finishes_at, zone)}."]
        if found.latest_start is not None:
            told.append(f"To make the deadline it must start before {_moment(found.latest_start, zone)}.")
    told += silenced + _cold(found)
    return [sentence for sentence in told if sentence]


def warnings(name: str, found: "Forecast", zone: str) -> list[str]:
    """What somebody who schedules a campaign should know: nobody gets it, or too late, or cold."""
    if found.missed or not found.messages:
        return sentences(name, found, zone)
    return _silenced(found) + _cold(found)


def _silenced(found: "Forecast") -> list[str]:
    if not found.silenced:
        return []
    people = plural(found.silenced, "person is", "people are")
    return [f"{people} in election silence when it starts, and left out."]


def _cold(found: "Forecast") -> list[str]:
    return [
        f"{cold.identity_key} will not be warm at {provider_name(cold.provider)} by then: {cold.cap:,} of"
        f" {cold.messages:,} may leave on the first day, all of them from {cold.warm_on:%d %B %Y} on."
        for cold in found.cold
    ]


def _by_provider(found: "Forecast") -> str:
    return ", ".join(
        f"{part.missed:,} for {provider_name(part.provider)}" for part in found.providers if part.missed
    )


def _instead(found: "Forecast", zone: str) -> str:
    if found.latest_start is not None:
        return f"Start before {_moment(found.latest_start, zone)} to make it."
    return "Even a start now would be too late for them." if found.starts_at > found.made_at else ""


def _end(part: "ProviderForecast", zone: str) -> str:
    if part.finishes_at is None:
        return "no end in sight"
    return _moment(part.finishes_at, zone) if part.missed < part.messages else "–"


def _missed(part: "ProviderForecast") -> str:
    return f"{part.missed:,}" if part.missed else ""


def _moment(moment: datetime, zone: str) -> str:
    """As people say it: the day of the week as well."""
    local = moment.astimezone(ZoneInfo(zone))
    return f"{local:%A %d %B} at {local:%H:%M}"


def reach_sentence(preview: "AudiencePreview") -> str:
    """How many it would reach, who is left out for what, and what political advertising asks."""
    from service.lint_view import ENGLISH
    from web.advertising_words import say_audience

    advert = say_audience(ENGLISH, preview)
    left_out = [f"{count:,} {words(reason)}" for reason, count in preview.left_out.items() if count]
    reach = f"{preview.targeted:,} targeted, {preview.deliveries:,} would get it"
    if preview.outside_hours:
        reach += f" ({preview.outside_hours:,} outside their hours at first)"
    reach = f"{reach}; left out: {', '.join(left_out)}." if left_out else f"{reach}."
    return f"{reach} {advert}" if advert else reach
