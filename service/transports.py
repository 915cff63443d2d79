"""Which transports carry messages out, chosen from the settings; the only place that chooses."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

from models.states import Channel
from sender import SmtpOptions, SmtpServer, SmtpTransport, Transport
from sender.smtp import Tls
from service.settings import Settings
from service.smtp_url import RelayAddress, RelayTls

TLS = MappingProxyType(
    {RelayTls.NONE: Tls.NONE, RelayTls.STARTTLS: Tls.STARTTLS, RelayTls.IMPLICIT: Tls.IMPLICIT}
)


def make_transports(settings: Settings) -> dict[Channel, Transport]:
    """One transport for each channel that is set up; a channel without one sends nothing."""
    transports: dict[Channel, Transport] = {}
    email = email_transport(settings)
    if email is not None:
        transports[Channel.EMAIL] = email
    sms = sms_transport(settings)
    if sms is not None:
        transports[Channel.SMS] = sms
    return transports


def channels_of(settings: Settings) -> frozenset[Channel]:
    """The channels `make_transports` would have a way out for; nothing is made."""
    email = settings.relay is not None or bool(settings.routes)
    sms = bool(settings.twilio_account_sid) and settings.twilio_auth_token is not None
    there = {Channel.EMAIL: email, Channel.SMS: sms}
    return frozenset(channel for channel, is_there in there.items() if is_there)


def email_transport(settings: Settings, *, timeout: float | None = None) -> SmtpTransport | None:
    """The way out for e-mail, None when no relay is set; `timeout` in seconds instead of the setting's."""
    relay, routes, provider = settings.relay, settings.routes, settings.provider_relay
    if relay is None and not routes:
        return None
    return SmtpTransport(
        SmtpOptions(
            relay=None if relay is None else _server(relay, settings.smtp_ca_file),
            routes=_servers(routes, settings.smtp_ca_file),
            hello_name=settings.hello_name,
            connections_per_server=settings.smtp_connections,
            messages_per_connection=settings.smtp_messages_per_connection,
            timeout=timedelta(seconds=timeout or settings.smtp_timeout),
            number_in=None if provider is None or provider.manner.number is None else provider.number_in,
        )
    )


def sms_transport(settings: Settings) -> Transport | None:
    """The way out for SMS, None when no account is set."""
    if not settings.twilio_account_sid or settings.twilio_auth_token is None:
        return None
    from sender.sms_twilio import TwilioOptions, TwilioTransport

    return TwilioTransport(
        TwilioOptions(
            account_sid=settings.twilio_account_sid,
            auth_token=settings.twilio_auth_token.get_secret_value(),
            base_url=settings.twilio_base_url,
        )
    )


def _servers(routes: Mapping[str, RelayAddress], ca_file: Path | None) -> dict[str, SmtpServer]:
    return {provider: _server(address, ca_file) for provider, address in routes.items()}


def _server(address: RelayAddress, ca_file: Path | None) -> SmtpServer:
    return SmtpServer(
        host=address.host,
        port=address.port,
        tls=TLS[address.tls],
        username=address.username,
        password=address.password or "",
        ca_file=ca_file,
    )
