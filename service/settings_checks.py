"""What makes a setting's value acceptable; each check raises ValueError with the end of a sentence.

The sentence begins with the setting and its value: `TOCSIN_ZONE: 'Paris' is not a time zone; write …`.
"""

import json
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import SecretStr, ValidationInfo

from models.errors import BadInputError
from models.keyring import MINIMUM_SECRET_LENGTH
from models.providers import OTHER, PROVIDERS
from sender.relays import read_relay
from service.imap_url import parse_imap_url
from service.smtp_url import parse_smtp_url

DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
TOPIC = "arn:aws:sns:region:account:name"
PROVIDER_KEYS = (*(provider.key for provider in PROVIDERS), OTHER)


def relay(value: SecretStr) -> SecretStr:
    """The address of a mail relay."""
    parse_smtp_url(value.get_secret_value())
    return value


def smtp_provider(value: str) -> str:
    """A provider, and perhaps a part of the account there."""
    if value:
        read_relay(value)
    return value


def database(value: SecretStr) -> SecretStr:
    """The address of a database, brought to the driver Tocsin uses, however short it was written."""
    scheme, separator, rest = value.get_secret_value().partition("://")
    driver = DRIVERS.get(scheme, scheme)
    if not separator or driver not in DRIVERS.values():
        raise ValueError(
            "is not the address of a database; write sqlite:////path/to/tocsin.db"
            " or postgresql://user:password@host/name"
        )
    return SecretStr(f"{driver}://{rest}")


def secret_key(value: SecretStr) -> SecretStr:
    """A secret long enough to derive keys from."""
    length = len(value.get_secret_value())
    if length < MINIMUM_SECRET_LENGTH:
        raise ValueError(
            f"has {length} characters and needs {MINIMUM_SECRET_LENGTH};"
            " `openssl rand -base64 48` makes a good one, or leave it out and Tocsin makes one"
        )
    return value


def name_servers(value: str) -> str:
    """Addresses of name servers, with one port for all, or `off`."""
    if value.strip().lower() == "off":
        return value
    ports = set()
    for part in filter(None, (part.strip() for part in value.split(","))):
        host, found, port = part.rpartition(":")
        if not found or ":" in host:
            host, port = part, "53"
        try:
            ip_address(host)
            ports.add(int(port))
        except ValueError:
            raise ValueError("is not a name server; write 192.0.2.1, or 192.0.2.1:5353, or off") from None
    if len(ports) > 1:
        raise ValueError("names several ports; all name servers are asked on one")
    return value


def web_address(value: str) -> str:
    """An http or https address without a query, and without a slash at its end."""
    try:
        parts = urlsplit(value)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 0) >= 0
    except ValueError:
        usable = False
    if not usable:
        raise ValueError("is not a web address; write https://news.example.org")
    if parts.query or parts.fragment:
        raise ValueError("goes on after the path; write https://news.example.org without ? and #")
    return value.rstrip("/")


def lmtp_place(value: str) -> str:
    """A host and a port, or the absolute path of a socket."""
    if not value.startswith("/"):
        host, _, port = value.rpartition(":")
        if not host or not port.isdigit() or int(port) > 65535:
            raise ValueError("is no place to listen; write 127.0.0.1:2424, or /run/tocsin/lmtp.sock")
    return value


def bounce_mailbox(value: SecretStr) -> SecretStr:
    """The address of a mailbox over IMAP."""
    parse_imap_url(value.get_secret_value())
    return value


def hook_secrets(value: SecretStr, info: ValidationInfo) -> SecretStr:
    """What proves the calls of a provider's webhook; the name of the setting says whose."""
    # Cryptography is loaded only where a webhook is set up.
    from deliverability.signals.hooks import PROVIDERS

    provider = PROVIDERS[(info.field_name or "").removeprefix("hook_")]
    secrets = value.get_secret_value().split()
    for place, secret in enumerate(secrets, start=1):
        if problem := provider.problem_of(secret):
            raise ValueError(problem if len(secrets) == 1 else f"has a part {place} that {problem}")
    if provider.needs is not None and not any(secret.startswith("arn:") for secret in secrets):
        raise ValueError(f"names no topic; write {TOPIC} beside the name and password")
    return value


def zone(value: str) -> str:
    """The name of a time zone."""
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValueError(
            "is not a time zone; write its IANA name, such as Europe/Paris or America/Cayenne"
        ) from None
    return value


def frequency(value: str) -> str:
    """Limits on the messages to one person."""
    from scheduler.frequency import read_windows

    try:
        read_windows(value)
    except BadInputError as error:
        raise ValueError(
            f"cannot be used: {error.problem.rstrip('.')}; write 1/24h 3/7d 8/30d, or off"
        ) from None
    return value


def sending_windows(value: str) -> str:
    """Days and hours in which messages leave."""
    from scheduler.calendar import read_sending_windows

    try:
        read_sending_windows(value)
    except BadInputError as error:
        raise ValueError(
            f"cannot be used: {error.problem.rstrip('.')};"
            " write mon-fri 09:00-20:00, sat 10:00-18:00, or always"
        ) from None
    return value


def existing_file(value: Any) -> Any:
    """A file that is there and is a file."""
    if not value.is_file():
        raise ValueError("is not a file; write the path of a PEM file of certificates")
    return value


def from_json(value: Any) -> Any:
    """What JSON text holds; anything but text as it is."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError('is not JSON; write {"gmail": …, "orange": …}') from None


def known_providers(keys: Iterable[str]) -> None:
    """Keys of `models.providers`."""
    for key in keys:
        if key not in PROVIDER_KEYS:
            raise ValueError(f"names the provider {key!r}; the known ones are {', '.join(PROVIDER_KEYS)}")


def rates(value: dict[str, float]) -> dict[str, float]:
    """Messages a second by provider."""
    known_providers(value)
    for key, rate in value.items():
        if not 0 < rate < float("inf"):
            raise ValueError(f"gives {key} the rate {rate:g}; write a number above 0")
    return value


def routes(value: dict[str, SecretStr]) -> dict[str, SecretStr]:
    """Relays by provider."""
    known_providers(value)
    for key, address in value.items():
        try:
            parse_smtp_url(address.get_secret_value())
        except ValueError as error:
            raise ValueError(f"for {key} {error}") from None
    return value
