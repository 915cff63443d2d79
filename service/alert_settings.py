"""Who is told of incidents, and by which way."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, Field, SecretStr, ValidationInfo, model_validator

MINIMUM_SECRET = 16
LONGEST = 500
"""Characters of an address, as a row of who is told holds it."""


def addresses(value: str) -> str:
    """E-mail addresses, separated by commas."""
    for part in filter(None, (one.strip() for one in value.split(","))):
        local, at, domain = part.rpartition("@")
        if not at or not local or "." not in domain or len(part) > LONGEST or any(map(str.isspace, part)):
            raise ValueError("is no list of addresses; write ana@example.org, bo@example.org")
    return value


def webhooks(value: SecretStr, info: ValidationInfo) -> SecretStr:
    """Web addresses, separated by spaces; with https, unless addresses of one's own network are allowed."""
    private = bool(info.data.get("alert_private", False))
    for place, url in enumerate(value.get_secret_value().split(), start=1):
        parts = urlsplit(url)
        if parts.scheme not in {"https", "http"} or not parts.hostname or parts.username is not None:
            raise ValueError(
                f"is no list of web addresses (look at number {place}); write https://hooks.example.org/tocsin"
            )
        if len(url) > LONGEST:
            raise ValueError(f"is too long (address number {place}); write {LONGEST} characters at most")
        if parts.scheme == "http" and not private:
            raise ValueError(
                f"is without https (address number {place}); write https://…, or, for one of your own"
                " network, set TOCSIN_ALERT_PRIVATE=true"
            )
    return value


def secret(value: SecretStr) -> SecretStr:
    """Long enough not to be guessed."""
    if len(value.get_secret_value()) < MINIMUM_SECRET:
        raise ValueError(f"is too short; write {MINIMUM_SECRET} characters or more, or whsec_ and base64")
    return value


class AlertSettings(BaseModel):
    """What is told of incidents, and to whom; nobody is told without an address."""

    alert_emails: Annotated[str, AfterValidator(addresses)] = Field(
        default="",
        description="Who is told of incidents by mail: addresses separated by commas. Without it, nobody.",
    )
    alert_from: str = Field(
        default="",
        description="Short name of the identity these mails are sent from. Without it, the first that may"
        " send; if its mail is not taken, the next.",
    )
    alert_level: Literal["amber", "red"] = Field(
        default="amber",
        description="From which level on an incident is told: amber (somebody should look) or red (something"
        " was stopped, or ought to be).",
    )
    alert_private: bool = Field(
        default=False,
        description="Whether webhooks for alerts may lead to this machine or to your own network, and go"
        " without https.",
    )
    alert_webhook_secret: Annotated[SecretStr, AfterValidator(secret)] | None = Field(
        default=None,
        description="Secret by which calls of the alert webhooks are signed (Standard Webhooks): whsec_ and"
        " base64, or 16 characters and more.",
    )
    alert_webhooks: Annotated[SecretStr, AfterValidator(webhooks)] | None = Field(
        default=None,
        description="Web addresses that are told of incidents, separated by spaces; JSON, signed with"
        " TOCSIN_ALERT_WEBHOOK_SECRET. Without it, none.",
    )

    @model_validator(mode="after")
    def _signed(self) -> "AlertSettings":
        if self.alert_webhooks is not None and self.alert_webhook_secret is None:
            raise ValueError("TOCSIN_ALERT_WEBHOOKS needs TOCSIN_ALERT_WEBHOOK_SECRET, to sign with")
        return self

    @property
    def alert_mailboxes(self) -> tuple[str, ...]:
        """The addresses of `alert_emails`, each once."""
        return tuple(dict.fromkeys(filter(None, (one.strip() for one in self.alert_emails.split(",")))))

    @property
    def alert_urls(self) -> tuple[str, ...]:
        """The addresses of `alert_webhooks`, each once."""
        if self.alert_webhooks is None:
            return ()
        return tuple(dict.fromkeys(self.alert_webhooks.get_secret_value().split()))


ALERT_SECRETS = frozenset({"alert_webhook_secret", "alert_webhooks"})
"""Never shown as they are: an address may hold a key."""
ALERT_FIELDS = frozenset(AlertSettings.model_fields)
