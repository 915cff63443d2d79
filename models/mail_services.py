"""Mail services by the domain they sign with, so that a page can name who sends in our name.

That a service signed a mail says where it was posted, not on whose account: anybody can be its customer.
"""

from collections.abc import Mapping
from types import MappingProxyType

SERVICE_BY_DOMAIN: Mapping[str, str] = MappingProxyType(
    {
        "amazonses.com": "Amazon SES",
        "sendgrid.net": "SendGrid",
        "sendgrid.info": "SendGrid",
        "mailgun.org": "Mailgun",
        "mailgun.net": "Mailgun",
        "mailjet.com": "Mailjet",
        "brevo.com": "Brevo",
        "sendinblue.com": "Brevo",
        "mailin.fr": "Brevo",
        "brevosend.com": "Brevo",
        "mtasv.net": "Postmark",
        "postmarkapp.com": "Postmark",
        "sparkpostmail.com": "SparkPost",
        "mandrillapp.com": "Mandrill",
        "mcsv.net": "Mailchimp",
        "mcdlv.net": "Mailchimp",
        "resend.com": "Resend",
        "hubspotemail.net": "HubSpot",
        "exacttarget.com": "Salesforce",
        "salesforce.com": "Salesforce",
        "gappssmtp.com": "Google Workspace",
        "google.com": "Google",
        "gmail.com": "Gmail",
        "onmicrosoft.com": "Microsoft 365",
        "outlook.com": "Outlook.com",
        "ovh.net": "OVHcloud",
        "ovh.com": "OVHcloud",
        "gandi.net": "Gandi",
        "infomaniak.com": "Infomaniak",
        "sarbacane.com": "Sarbacane",
        "zendesk.com": "Zendesk",
        "zohomail.com": "Zoho",
    }
)


def service_of(domain: str) -> str:
    """The service that signs with `domain` or a name below it; "" when it is none that is known here."""
    labels = domain.lower().rstrip(".").split(".")
    for start in range(len(labels) - 1):
        found = SERVICE_BY_DOMAIN.get(".".join(labels[start:]))
        if found is not None:
            return found
    return ""
