"""Providers' webhooks, one file a provider: how each signs its calls, and what its words mean.

What comes in: the call as it arrived, and the secrets set here. What goes out: signals, or ForgedError. A
reader raises on nothing else. To add a provider, write its file and name it in `PROVIDERS`.
"""

from collections.abc import Mapping
from types import MappingProxyType

from deliverability.signals.hooks import (
    amazon_ses,
    brevo,
    mailgun,
    mailjet,
    mandrill,
    postal,
    postmark,
    resend,
    sendgrid,
    sparkpost,
)
from deliverability.signals.hooks.amazon_ses import is_certificate
from deliverability.signals.hooks.base import ForgedError, HookRequest, Provider, StaleError, is_readable

PROVIDERS: Mapping[str, Provider] = MappingProxyType(
    {
        one.PROVIDER.key: one.PROVIDER
        for one in (
            amazon_ses,
            sendgrid,
            mailgun,
            mailjet,
            brevo,
            postmark,
            sparkpost,
            mandrill,
            resend,
            postal,
        )
    }
)

__all__ = [
    "PROVIDERS",
    "ForgedError",
    "HookRequest",
    "Provider",
    "StaleError",
    "is_certificate",
    "is_readable",
]
