"""What the doctor looks at of providers' webhooks: which are set up, when they called last, what waits."""

from datetime import timedelta
from typing import TYPE_CHECKING

from models.text import plural
from service.desk import Desk
from service.findings import Finding, fine, warning
from service.terminal import moment

if TYPE_CHECKING:
    from store.news import Heard

SUBJECT = "Webhooks"
LATE = timedelta(minutes=5)
"""News that should have been looked at longer ago than this is looked at by nobody."""
RECENT = timedelta(days=1)


async def webhooks(desk: Desk) -> list[Finding]:
    """Each provider that is set up, or has called; nothing where there is none."""
    from deliverability.signals.hooks import PROVIDERS
    from store.news import Heard, heard

    async with desk.database.read() as session:
        found = {each.source: each for each in await heard(session)}
    wanted = set(desk.settings.hook_secrets)
    told = []
    for key, provider in PROVIDERS.items():
        if key in wanted or key in found:
            one = found.get(key) or Heard(key, 0, 0, None)
            told += _provider(provider.name, one, desk, is_set_up=key in wanted)
    relay = desk.settings.provider_relay
    if relay is not None and relay.key not in wanted:
        name = f"TOCSIN_HOOK_{relay.key.upper()}"
        text = f"E-mail leaves through {PROVIDERS[relay.key].name}, whose webhook is not set up."
        told.append(warning(SUBJECT, text, f"Set {name}, or its bounces and complaints are not heard of."))
    return told


def _provider(name: str, one: "Heard", desk: Desk, *, is_set_up: bool) -> list[Finding]:
    now, zone = desk.clock.now(), desk.settings.zone
    told = [_last(name, one, zone, is_set_up=is_set_up)]
    refused = one.forged + one.stale
    if refused and one.refused_at is not None:
        text = (
            f"{name}: {plural(refused, 'call was', 'calls were')} refused, {one.forged:,} forged and"
            f" {one.stale:,} too late, the last at {moment(one.refused_at, zone)}."
        )
        recent = is_set_up and now - one.refused_at < RECENT
        advice = "If they are its own, the secret here or this machine's clock is wrong."
        told.append(warning(SUBJECT, text, advice) if recent else fine(SUBJECT, text))
    if one.due_at is not None and now - one.due_at > LATE:
        text = f"{name}: nobody has looked since {moment(one.due_at, zone)} at news that waits."
        told.append(warning(SUBJECT, text, "Whoever sends does: start `tocsin serve`."))
    return told


def _last(name: str, one: "Heard", zone: str, *, is_set_up: bool) -> Finding:
    if not is_set_up:
        return fine(SUBJECT, f"{name} has called and is not listened to any more.")
    if one.last_at is None:
        advice = f"Have {name} call the address that docs/deliverability.md names."
        return warning(SUBJECT, f"{name} is set up and has told nothing yet.", advice)
    return fine(
        SUBJECT,
        f"{name} told {plural(one.told, 'piece')} of news, the last at {moment(one.last_at, zone)};"
        f" {one.waiting:,} still to be applied or without a message yet,"
        f" {one.unmatched:,} matched no message.",
    )
