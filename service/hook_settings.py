"""The settings of providers' webhooks: one a provider, each a secret or several."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, SecretStr

from service.settings_checks import hook_secrets

FIRST = "hook_"
Secrets = Annotated[SecretStr, AfterValidator(hook_secrets)]
_SEVERAL = " Several are separated by spaces, so that one can be replaced while the other still serves."
_IN_ADDRESS = "name:password of the webhook's address, https://name:password@host/hooks/"


def _setting(description: str) -> SecretStr | None:
    found: SecretStr | None = Field(default=None, description=description)
    return found


class HookSettings(BaseModel):
    """What proves that a call is a provider's own; a provider without it is not listened to."""

    hook_amazon_ses: Secrets | None = _setting(
        "ARNs of the SNS topics that bring Amazon SES's events to /hooks/amazon_ses. Their subscription is"
        " confirmed by itself." + _SEVERAL
    )
    hook_sendgrid: Secrets | None = _setting(
        "Verification key of SendGrid's signed event webhook, for /hooks/sendgrid." + _SEVERAL
    )
    hook_mailgun: Secrets | None = _setting(
        "Mailgun's HTTP webhook signing key, for /hooks/mailgun." + _SEVERAL
    )
    hook_mailjet: Secrets | None = _setting(f"Mailjet: {_IN_ADDRESS}mailjet." + _SEVERAL)
    hook_brevo: Secrets | None = _setting(f"Brevo: {_IN_ADDRESS}brevo." + _SEVERAL)
    hook_postmark: Secrets | None = _setting(f"Postmark: {_IN_ADDRESS}postmark." + _SEVERAL)
    hook_sparkpost: Secrets | None = _setting(f"SparkPost: {_IN_ADDRESS}sparkpost." + _SEVERAL)
    hook_mandrill: Secrets | None = _setting("Mandrill's webhook key, for /hooks/mandrill." + _SEVERAL)
    hook_resend: Secrets | None = _setting(
        "Signing secret of Resend's webhook, whsec_…, for /hooks/resend." + _SEVERAL
    )
    hook_postal: Secrets | None = _setting(
        "Public key Postal signs with (base64 of p= in its DKIM record), for /hooks/postal." + _SEVERAL
    )

    @property
    def hook_secrets(self) -> dict[str, tuple[str, ...]]:
        """The secrets of each provider that is set up, by its key."""
        found = {name.removeprefix(FIRST): getattr(self, name) for name in HOOK_FIELDS}
        return {
            key: tuple(secret.get_secret_value().split())
            for key, secret in found.items()
            if secret is not None and secret.get_secret_value().split()
        }


HOOK_FIELDS = frozenset(HookSettings.model_fields)
"""All of them are secrets."""
