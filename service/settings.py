"""Every setting of Tocsin: typed, described, read once, from the environment and from `tocsin.env`.

The environment wins over the file, and empty values count as absent. All problems are told together,
one line each. What may hold a password is a `SecretStr`, so that neither a log nor an error prints it.
"""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from models.bounce_box import BounceMailbox
from models.errors import SettingsError
from sender.relays import ProviderRelay, read_relay
from service import settings_checks as checks
from service.alert_settings import ALERT_SECRETS, AlertSettings
from service.api_settings import ApiSettings
from service.declared_settings import DECLARED_SECRETS, DeclaredSettings
from service.hook_settings import HOOK_FIELDS, HookSettings
from service.hosts import name_to_open
from service.identity_settings import IdentitySettings
from service.imap_url import check_mark, parse_imap_url
from service.law_settings import LawSettings
from service.lint_settings import LintSettings
from service.settings_problems import PREFIX, describe_problems, describe_unknown, variable
from service.smtp_url import RelayAddress, parse_smtp_url
from service.submission_settings import SubmissionSettings

ENV_FILE = Path("tocsin.env")
DEFAULT_PORT = 8025

Port = Annotated[int, Field(ge=0, le=65535)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Relay = Annotated[SecretStr, AfterValidator(checks.relay)]
WebAddress = Annotated[str, AfterValidator(checks.web_address)]


def _default_database(known: dict[str, Any]) -> SecretStr:
    return SecretStr(f"sqlite+aiosqlite:///{known['data_dir']}/tocsin.db")


def _default_public_url(known: dict[str, Any]) -> str:
    return f"http://{name_to_open(known['bind_host'])}:{known['bind_port']}"


def _default_hello_name(known: dict[str, Any]) -> str:
    return urlsplit(known["public_url"]).hostname or "localhost"


class Settings(
    BaseSettings,
    ApiSettings,
    HookSettings,
    IdentitySettings,
    LintSettings,
    LawSettings,
    AlertSettings,
    DeclaredSettings,
    SubmissionSettings,
):
    """How this installation runs. A setting `smtp_url` is read from the variable `TOCSIN_SMTP_URL`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    data_dir: Path = Field(
        default=Path("tocsin-data"),
        description="Folder for what Tocsin keeps: the SQLite database, the secret key, import reports.",
    )
    database_url: Annotated[SecretStr, AfterValidator(checks.database)] = Field(
        default_factory=_default_database,
        description="The database: sqlite:////path/to/tocsin.db or postgresql://user:password@host/name."
        " Without it, the SQLite file tocsin.db in the data directory.",
    )
    secret_key: Annotated[SecretStr, AfterValidator(checks.secret_key)] | None = Field(
        default=None,
        description="Secret from which all keys are derived, 32 characters or more. Without it, one is made"
        " at the first start and kept in secret.key in the data directory. Back it up: without it, links"
        " in sent messages and stored DKIM keys are lost.",
    )

    bind_host: str = Field(default="127.0.0.1", description="Address the web pages are served on.")
    bind_port: Port = Field(
        default=DEFAULT_PORT, description="Port the web pages are served on; 0 takes a free one."
    )
    public_url: WebAddress = Field(
        default_factory=_default_public_url,
        description="Where people reach Tocsin from outside: the start of every unsubscribe and click link,"
        " such as https://news.example.org. Without it, http://localhost and the port.",
    )
    trusted_proxies: str = Field(
        default="127.0.0.1",
        description="Reverse proxies whose X-Forwarded-* headers are believed, separated by commas.",
    )

    smtp_url: Relay | None = Field(
        default=None,
        description="The mail relay: smtp+starttls://user:password@host:587, smtps:// (TLS from the start,"
        " port 465) or smtp:// (no encryption, port 25). Without it, no e-mail leaves.",
    )
    smtp_ca_file: Annotated[Path, AfterValidator(checks.existing_file)] | None = Field(
        default=None,
        description="PEM file of the authorities that may sign the relay's certificate, for a relay of your"
        " own. Without it, those the system trusts.",
    )
    smtp_routes: Annotated[
        dict[str, SecretStr], NoDecode, BeforeValidator(checks.from_json), AfterValidator(checks.routes)
    ] = Field(
        default_factory=dict,
        description='Other relays for some mailbox providers, as JSON: {"orange": "smtp://relay2.example:25"}.',
    )
    smtp_connections: Annotated[int, Field(ge=1, le=200)] = Field(
        default=10, description="Most connections that a process holds open to each relay at once."
    )
    smtp_provider: Annotated[str, AfterValidator(checks.smtp_provider)] = Field(
        default="",
        description="The provider that relay belongs to, so that its webhooks name each message as Tocsin"
        " does: amazon_ses, sendgrid, mailgun, mailjet, brevo, postmark, sparkpost, mandrill, resend or"
        " postal; with the part of the account to send by, as in amazon_ses:configuration-set,"
        " postmark:message-stream, mandrill:subaccount. Without it, nobody's.",
    )
    smtp_messages_per_connection: Annotated[int, Field(ge=1, le=100_000)] = Field(
        default=100, description="Messages handed over on a connection before a new one is made."
    )
    scribes: Annotated[int, Field(ge=0, le=64)] | None = Field(
        default=None,
        description="Processes that write and sign messages for each one that sends, while it sends a lot."
        " Without it, one for each core, four at most, and none where there is one core; 0: none.",
    )
    smtp_timeout: Rate = Field(default=60, description="Seconds a relay may take to answer one step.")
    hello_name: str = Field(
        default_factory=_default_hello_name,
        description="Name given in EHLO; it should resolve to this machine. Without it, the host of"
        " the public URL.",
    )

    inbound_host: str = Field(
        default="127.0.0.1", description="Address the listener for bounces and complaints is bound to."
    )
    inbound_port: Port | None = Field(
        default=None,
        description="Port on which Tocsin receives bounces, complaints and mailed unsubscriptions by SMTP."
        " Without it, no listener: pipe such mail to `tocsin inbound` instead.",
    )
    inbound_lmtp: Annotated[str, AfterValidator(checks.lmtp_place)] | None = Field(
        default=None,
        description="Where Tocsin receives the same by LMTP from a mail server of yours: host:port, or the"
        " path of a Unix socket. Without it, not by LMTP.",
    )

    bounce_imap_url: Annotated[SecretStr, AfterValidator(checks.bounce_mailbox)] | None = Field(
        default=None,
        description="Mailbox in which bounces and complaints gather, to be read over IMAP:"
        " imaps://user:password@host/folder, or imap+starttls://. Without it, none is read.",
    )
    bounce_imap_ca_file: Annotated[Path, AfterValidator(checks.existing_file)] | None = Field(
        default=None,
        description="PEM file of the authorities that may sign the mailbox server's certificate. Without it,"
        " those the system trusts.",
    )
    bounce_imap_mark: Annotated[str, AfterValidator(check_mark)] = Field(
        default="keyword",
        description="What is done with a mail of that mailbox once its news is recorded: keyword (the flag"
        " TocsinRecorded), move:FOLDER, or nothing. Other mail is left alone, and none is deleted.",
    )
    bounce_imap_every: Annotated[float, Field(ge=5, le=86_400)] = Field(
        default=60, description="Seconds between two looks into that mailbox."
    )

    twilio_account_sid: str | None = Field(
        default=None, description="Twilio account for SMS, AC and 32 digits."
    )
    twilio_auth_token: SecretStr | None = Field(default=None, description="Secret of the Twilio account.")
    twilio_base_url: WebAddress | None = Field(
        default=None,
        description="Another address for Twilio's API, for rehearsals. Without it, Twilio's own.",
    )

    keep_originals_days: int = Field(
        default=90,
        ge=1,
        le=3650,
        description="How many days the originals of bounces, complaints and other news are kept, so that"
        " better rules can read them again. What was read in them stays.",
    )

    emails_per_second: Rate = Field(
        default=20, description="Most e-mails a second from one identity, all providers together."
    )
    provider_rates: Annotated[
        dict[str, float], NoDecode, BeforeValidator(checks.from_json), AfterValidator(checks.rates)
    ] = Field(
        default_factory=dict,
        description="Most e-mails a second to one provider, all identities together, as JSON:"
        ' {"gmail": 20, "orange": 5}.'
        " Providers that are not named keep Tocsin's own cautious rate.",
    )
    sms_per_second: Rate = Field(default=10, description="Most SMS a second from one identity.")
    dns_servers: Annotated[str, AfterValidator(checks.name_servers)] = Field(
        default="",
        description="Name servers asked which provider receives a domain's mail, addresses separated by"
        " commas, with a port as in 192.0.2.1:5353; off asks nobody. Without it, those of the machine.",
    )

    frequency: Annotated[str, AfterValidator(checks.frequency)] = Field(
        default="1/24h 3/7d 8/30d",
        description="Most messages to one person, by e-mail and SMS together, from all identities: one in"
        " 24 hours and three in 7 days and eight in 30 days. off: no limit.",
    )
    frequency_sms: Annotated[str, AfterValidator(checks.frequency)] = Field(
        default="1/7d 3/30d", description="Most SMS to one person, beside that. off: no further limit."
    )
    sending_windows_email: Annotated[str, AfterValidator(checks.sending_windows)] = Field(
        default="always",
        description="Days and hours in which e-mails leave, on each recipient's own clock, unless a campaign"
        " says otherwise: mon-fri 09:00-20:00, sat 10:00-18:00. 'not on holidays' at the end spares public"
        " holidays.",
    )
    sending_windows_sms: Annotated[str, AfterValidator(checks.sending_windows)] = Field(
        default="mon-sat 08:00-20:00", description="The same for SMS."
    )

    zone: Annotated[str, AfterValidator(checks.zone)] = Field(
        default="Europe/Paris", description="Time zone in which times are typed and shown."
    )
    language: Literal["fr", "en"] = Field(default="fr", description="Language of the public pages: fr or en.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least serious kind of log line written: debug, info, warning or error."
    )
    log_format: Literal["text", "json"] = Field(
        default="text",
        description="Form of log lines: text for people, json (one object a line) for machines.",
    )
    metrics_host: str = Field(
        default="127.0.0.1",
        description="Address on which a process without pages answers who watches over it.",
    )
    metrics_port: Port | None = Field(
        default=None,
        description="Port on which a process without pages answers /healthz, /readyz and /metrics. Without"
        " it, it does not; a process with pages answers them beside the pages.",
    )
    metrics_token: SecretStr | None = Field(
        default=None,
        description="Secret that opens /metrics (Authorization: Bearer …). Without it, only this machine sees"
        " them, and nobody through a reverse proxy.",
    )
    debug: bool = Field(
        default=False, description="Show the traceback of an error; for reports to developers."
    )

    @property
    def relay(self) -> RelayAddress | None:
        """The relay of `smtp_url`."""
        return None if self.smtp_url is None else parse_smtp_url(self.smtp_url.get_secret_value())

    @property
    def provider_relay(self) -> ProviderRelay | None:
        """The provider of `smtp_provider`."""
        return read_relay(self.smtp_provider) if self.smtp_provider else None

    @property
    def routes(self) -> dict[str, RelayAddress]:
        """The relays of `smtp_routes`, by provider key."""
        return {key: parse_smtp_url(url.get_secret_value()) for key, url in self.smtp_routes.items()}

    @property
    def bounce_mailbox(self) -> BounceMailbox | None:
        """The mailbox of `bounce_imap_url`."""
        if self.bounce_imap_url is None:
            return None
        return parse_imap_url(self.bounce_imap_url.get_secret_value(), self.bounce_imap_mark)

    @property
    def uses_sqlite(self) -> bool:
        """Whether the ledger is a file of this machine."""
        return self.database_url.get_secret_value().startswith("sqlite")


class GivenSettings(Settings):
    """Settings that come from the arguments alone, never from the environment or a file: for a rehearsal."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic-settings passes all of them
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The arguments, and nothing else."""
        return (init_settings,)


SECRET_FIELDS = (
    frozenset(
        {
            "database_url",
            "secret_key",
            "smtp_url",
            "smtp_routes",
            "bounce_imap_url",
            "spam_filter_url",
            "twilio_auth_token",
            "metrics_token",
        }
    )
    | HOOK_FIELDS
    | ALERT_SECRETS
    | DECLARED_SECRETS
)
"""Settings whose value is never shown as it is."""


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """The settings, and one line for each variable that looks like one and is none."""

    settings: Settings
    warnings: tuple[str, ...]


def load_settings(
    environment: Mapping[str, str] | None = None, file: Path = ENV_FILE, **overrides: Any
) -> LoadedSettings:
    """The settings in force; `overrides` win over the environment, and that over `file`.

    Raises SettingsError, one line a problem. `environment` is only looked at for unknown names: the
    values are always those of the process.
    """
    written = _read_file(file)
    try:
        # pydantic-settings takes these two beside the settings, unknown to type checkers.
        settings = Settings(_env_file=file, _env_file_encoding="utf-8", **overrides)  # type: ignore[call-arg]
    except ValidationError as error:
        raise SettingsError("\n".join(describe_problems(error, SECRET_FIELDS))) from error
    known = {variable(name) for name in Settings.model_fields}
    names = {*(os.environ if environment is None else environment), *written}
    unknown = {name for name in names if name.upper().startswith(PREFIX)} - known
    unknown = {name for name in unknown if name.upper() not in known}
    return LoadedSettings(settings, tuple(describe_unknown(unknown, known)))


def _read_file(file: Path) -> set[str]:
    """The names the file sets; SettingsError when it is there and cannot be read."""
    unread = _UnreadLines()
    parser = logging.getLogger("dotenv.main")
    parser.addFilter(unread)
    try:
        names = {name.upper() for name in DotEnvSettingsSource(Settings, env_file=file).env_vars}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{file}: cannot be read ({error}).", "Make it a UTF-8 text file that this user may read."
        ) from error
    finally:
        parser.removeFilter(unread)
    if unread.numbers:
        which = ", ".join(map(str, unread.numbers))
        raise SettingsError(
            f"{file}: line {which} is no setting.", "Write NAME=value, and begin comments with #."
        )
    return names


class _UnreadLines(logging.Filter):
    """Keeps the numbers of the lines the parser of the file skipped, which it tells its log alone."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers: list[object] = []

    def filter(self, record: logging.LogRecord) -> bool:
        """Nothing is written: the whole is told as one error."""
        self.numbers += record.args if isinstance(record.args, tuple) else ()
        return False
