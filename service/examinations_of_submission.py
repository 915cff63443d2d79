"""The doctor's look at the listener on which programs hand over mail: certificate, ports, keys."""

import asyncio
from datetime import timedelta

from cryptography import x509

from models.api import Scope
from models.errors import SettingsError
from models.text import plural
from service.desk import Desk
from service.findings import Finding, blocking, fine, warning
from service.listening import is_taken
from service.submission import encryption_of
from service.terminal import moment

SUBJECT = "Mail of programs"
SOON = timedelta(days=14)


async def submission(desk: Desk) -> list[Finding]:
    """Nothing where no program hands over mail; else what stands in its way."""
    settings = desk.settings
    ports = [port for port in (settings.submission_port, settings.submission_tls_port) if port is not None]
    if not ports:
        return []
    try:
        certificate = encryption_of(settings)
        if certificate is not None:
            await asyncio.to_thread(certificate.context)
    except SettingsError as error:
        return [blocking(SUBJECT, error.problem, error.advice)]
    if certificate is None:
        found = [fine(SUBJECT, "Keys travel without encryption, on this machine alone.")]
    else:
        found = [await asyncio.to_thread(_validity, desk)]
    return [*found, *[await _port(settings.submission_host, port) for port in ports], await _keys(desk)]


def _validity(desk: Desk) -> Finding:
    file = desk.settings.submission_certificate
    if file is None:  # there is one, or nobody would have come here
        raise AssertionError
    ends = x509.load_pem_x509_certificate(file.read_bytes()).not_valid_after_utc
    left, when = ends - desk.clock.now(), moment(ends, desk.settings.zone)
    if left <= timedelta():
        return blocking(SUBJECT, f"The certificate {file} ended at {when}.", "Renew it.")
    if left < SOON:
        return warning(SUBJECT, f"The certificate {file} ends at {when}.", "Renew it.")
    return fine(SUBJECT, f"The certificate {file} is good until {when}.")


async def _port(host: str, port: int) -> Finding:
    if port and await asyncio.to_thread(is_taken, host, port):
        return fine(SUBJECT, f"Something takes mail on {host}, port {port}: Tocsin, if it runs.")
    return fine(SUBJECT, f"Port {port} on {host} is free: `tocsin serve` takes mail of programs there.")


async def _keys(desk: Desk) -> Finding:
    from store.api_keys import has_ended, list_keys

    async with desk.database.read() as session:
        keys = await list_keys(session)
    now = desk.clock.now()
    able = sum(Scope.MESSAGES_SEND in key.scopes and not has_ended(key, now) for key in keys)
    if able:
        return fine(SUBJECT, f"{plural(able, 'key')} may hand over mail.")
    advice = f"Make one with the scope {Scope.MESSAGES_SEND.value}: `tocsin api-key new`."
    return warning(SUBJECT, "No key may hand over mail.", advice)
