"""What stands in the way of a seed mailbox, as `deliverability.placement` says it."""

from web.i18n import N_

SEED_TEXTS: tuple[str, ...] = (
    N_("There is no seed mailbox number %(number)s."),
    N_("There already is a seed mailbox of that address."),
    N_("Remove the old one first, or change it."),
    N_("The IMAP server of that provider is not known."),
    N_("Name it, as in imap.example.org (--imap)."),
    N_("Where that provider gives access tokens is not known."),
    N_("Name the token address (--token-url)."),
    N_("Write imap.example.org:993."),
    N_("The mail server did not answer in time."),
    N_("The mailbox cannot be read: the server refused the sign-in: %(why)s."),
    N_("The mailbox cannot be read: the name of its server is unknown."),
    N_("The mailbox cannot be read: nothing answers there (connection refused)."),
    N_("The mailbox cannot be read: the certificate of its server cannot be trusted: %(why)s."),
    N_("The mailbox cannot be read: its server does not speak TLS on that port."),
    N_("The mailbox cannot be read: %(why)s."),
    N_("Most providers want an application password, and IMAP switched on."),
    N_("Port 993 is the usual one; --no-tls is for rehearsals."),
    N_("Check the host and the port."),
    N_("The provider no longer accepts the consent given for this mailbox."),
    N_("Sign in to the provider again and give Tocsin the new refresh token."),
    N_("The token server refuses (%(why)s)."),
    N_("Check the token address, the client and its secret."),
    N_("The token server cannot be asked (%(why)s)."),
    N_("Check the token address."),
    N_("The token address is no https address."),
    N_("Copy it from the provider's documentation."),
    N_("The provider's answer holds no access token."),
    N_("The token server answers at too great a length."),
)
