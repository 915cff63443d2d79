"""What the rooms below say of API keys."""

from web.i18n import N_

KEY_TEXTS = (
    N_("There is no API key number %(number)s."),
    N_("The key %(name)s has ended or has a successor."),
    N_("Make a new one."),
    N_("A key without a scope opens nothing."),
    N_("Choose what it may do."),
    N_("%(word)s is no address."),
    N_("Write addresses such as 203.0.113.7 or 203.0.113.0/24."),
    N_("%(most)s addresses at most."),
    N_("Join them into networks."),
)
