"""What the rooms below say of webhooks."""

from web.i18n import N_

WEBHOOK_TEXTS = (
    N_("There is no webhook number %(number)s."),
    N_("There are %(most)s webhooks already."),
    N_("Remove one first."),
    N_("There is a webhook to that address already."),
    N_("Change that one."),
    N_("The address is too long: %(most)s characters are the most."),
    N_("Nothing can be posted there."),
    N_("It is no web address."),
    N_("It is not https."),
    N_("It holds a name or a password before the host."),
    N_("It leads to an address that is not of the public internet."),
    N_("Nothing is posted to port %(port)s."),
    N_("Name an https address of the internet; for rehearsals, TOCSIN_WEBHOOK_HTTP lets it be this machine."),
    N_("This webhook is disabled."),
    N_("Enable it first."),
    N_("No answer within %(number)s seconds."),
    N_("It could not be reached: %(words)s"),
)
