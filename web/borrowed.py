"""Texts of the rooms below that pages show: listed here, because those rooms know one language.

`%(name)s` stands for what the other room fills in. A text that is not in the list is shown in English.
"""

import re
from functools import cache

from web.i18n import N_, Tongue

BORROWED: tuple[str, ...] = (
    # models, store
    N_("Other"),
    N_("There is no campaign number %(number)s."),
    N_("There is no contact number %(number)s."),
    N_("There is no segment number %(number)s."),
    N_("There is no template number %(number)s."),
    N_("There is no identity number %(number)s."),
    N_("There is no such account."),
    N_("This e-mail address already has an account."),
    N_("Choose another address."),
    N_("This is the last administrator."),
    N_("Make somebody else an administrator first."),
    # scheduler
    N_("A campaign needs a name."),
    N_("Give it one that the report can be found by."),
    N_("A campaign needs a segment to write to."),
    N_("Choose at least one."),
    N_("A campaign needs a sender identity."),
    N_("Complete it, or choose another."),
    N_("Look at its page for what it allows now."),
    # deliverability
    N_("Receivers check our signature with this key (RFC 6376)."),
    N_("Names the servers that may send with this return path (RFC 7208). One SPF record a name."),
    N_("Bounces come back to the return path; without this record they are lost."),
    N_("Gmail, Yahoo and Microsoft want a DMARC record of anybody who writes to many (RFC 7489)."),
    N_("Check this machine's network and name servers, then look again."),
    N_("%(name)s holds our key."),
    N_("%(name)s holds no key."),
    N_("%(name)s holds another key than ours."),
    N_("%(name)s has no SPF record."),
    N_("%(name)s has no DMARC record."),
    N_("%(name)s has a DMARC record, policy %(policy)s."),
    N_("%(name)s receives mail."),
    N_("The return path %(name)s receives mail."),
    N_("Publish the record shown here."),
    N_("Publish the record shown here: p=none is enough."),
    N_("Publish one that names your mail server."),
    N_("Point it to your mail listener."),
    # templates
    N_("Ask for a donation: one strong line, how far the goal is, three amounts to choose."),
    N_("Invite people to a public meeting: date card, programme, one button."),
    N_("A monthly letter: one lead story, two short ones, a figure and the dates to come."),
    N_("Remind people of a meeting, in one segment for most names."),
    N_("Call people to vote, with their polling station when it is known."),
    N_("Ask one question that is answered in one click, and lead to the rest of the survey."),
)


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    made = []
    for text in BORROWED:
        parts = re.split(r"%\((\w+)\)s", text)
        if len(parts) > 1:
            # Names stand at the odd places.
            pieces = [
                f"(?P<{part}>.+?)" if place % 2 else re.escape(part) for place, part in enumerate(parts)
            ]
            made.append((re.compile("".join(pieces), re.DOTALL), text))
    return tuple(made)


def say_borrowed(tongue: Tongue, text: str) -> str:
    """`text` of another room in the reader's language, as far as it is known here."""
    said = tongue.say(text)
    if said != text:
        return said
    for pattern, source in _patterns():
        if found := pattern.fullmatch(text):
            return tongue.say(source, **found.groupdict())
    return text
