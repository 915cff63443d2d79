"""Texts of the rooms below that pages show: listed here, because those rooms know one language.

`%(name)s` stands for what the other room fills in. A text that is not in the list is shown in English.
"""

import re
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from audience.segments import SegmentSyntaxError
from models.errors import TocsinError
from models.states import CampaignState, IdentityState
from web.borrowed_elections import ELECTION_TEXTS
from web.borrowed_feeds import FEED_TEXTS
from web.borrowed_identities import IDENTITY_TEXTS
from web.borrowed_keys import KEY_TEXTS
from web.borrowed_seeds import SEED_TEXTS
from web.borrowed_webhooks import WEBHOOK_TEXTS
from web.i18n import N_, NN_, Tongue
from web.words import word_for

BORROWED: tuple[str | tuple[str, str], ...] = (
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
    # audience
    N_("Nobody could prove this consent."),
    N_("Say where the person said so."),
    N_("This says nothing of consent."),
    N_("Say granted, or withdrawn."),
    N_("A consent cannot come from the future."),
    N_("Give the day on which it was said."),
    N_("the link in a message"),
    # scheduler
    N_("the command line"),
    N_("command line"),
    N_("Connections are counted for a provider or for the mail relay, and for nothing else."),
    N_("%(number)s is no limit."),
    N_("A campaign needs a name."),
    N_("Give it one that the report can be found by."),
    N_("A campaign needs a segment to write to."),
    N_("Choose at least one."),
    N_("A campaign needs a sender identity."),
    N_("Complete it, or choose another."),
    N_("Look at its page for what it allows now."),
    NN_(
        "1 person lacks a value the message needs: %(fields)s. Nothing was queued. "
        "Give the template a fallback, complete the contacts or exclude them. Concerned: %(people)s.",
        "%(count)s people lack a value the message needs: %(fields)s. Nothing was queued. "
        "Give the template a fallback, complete the contacts or exclude them. Concerned: %(people)s.",
    ),
    N_("The campaign %(name)s is %(origin)s and cannot become %(following)s."),
    N_("The campaign %(name)s is %(state)s already."),
    N_("There is no time zone %(zone)s."),
    N_("Write a name such as Europe/Paris or America/Cayenne."),
    N_("This moment is beyond the calendar."),
    N_("Choose one nearer to now."),
    N_("The campaign %(name)s is %(state)s: nothing of it can be released."),
    NN_(
        "1 message is held back and waits for a person. The reason: %(reason)s",
        "%(count)s messages are held back and wait for a person. One of the reasons: %(reason)s",
    ),
    N_("The identity %(key)s is %(state)s."),
    N_("This installation sends no e-mail. Set TOCSIN_SMTP_URL and start again."),
    N_("This installation sends no text messages. Set TOCSIN_TWILIO_ACCOUNT_SID and start again."),
    N_("Frozen at the launch: %(frozen)s, with an end: %(final)s, waiting: %(waiting)s."),
    N_("Rows are missing or too many."),
    N_("It is counted again every hour, and ends once the sums are right."),
    N_("It was to start on %(moment)s, but nothing ran then: it would be %(late)s late."),
    N_("It was interrupted: nothing ran from %(moment)s on, for %(span)s."),
    N_("The rest was skipped."),
    N_("The first messages showed something, so the rest waits for you. %(reason)s"),
    N_("Nothing of the campaign %(name)s waits for its first messages."),
    N_("The first messages cannot go to so many people, or the rest cannot wait so long or so short."),
    N_("Choose 1 to %(most)s people, and 5 minutes to 24 hours."),
    N_("Resume it to send the rest now, or cancel it."),
    N_(
        "Too much of what it sent came back, so it waits for you: see the incident,"
        " then resume it or cancel it."
    ),
    N_("%(provider)s gets no more of it for now: its incident says why."),
    N_("There is no incident %(number)s."),
    N_("`tocsin incidents` lists them."),
    N_("This incident has ended already."),
    N_("Nothing needs to be undone."),
    N_("Our own way out rests until %(time)s after this answer: %(answer)s"),
    N_("Our own way out to %(provider)s rests until %(time)s after this answer: %(answer)s"),
    N_("The sender %(sender)s rests until %(time)s after this answer: %(answer)s"),
    N_("%(provider)s rests for %(sender)s until %(time)s after this answer: %(answer)s"),
    N_("%(provider)s rests until %(time)s after this answer: %(answer)s"),
    NN_(
        "%(sender)s is getting known at %(provider)s: the 1 message of today is used up, "
        "the next may leave from %(time)s.",
        "%(sender)s is getting known at %(provider)s: the %(count)s messages of today are used up, "
        "the next may leave from %(time)s.",
    ),
    NN_(
        "The limit of 1 message an hour (%(whom)s) is used up, the next may leave from %(time)s.",
        "The limit of %(count)s messages an hour (%(whom)s) is used up, the next may leave from %(time)s.",
    ),
    NN_(
        "The limit of 1 message a day (%(whom)s) is used up, the next may leave from %(time)s.",
        "The limit of %(count)s messages a day (%(whom)s) is used up, the next may leave from %(time)s.",
    ),
    N_("everything together"),
    N_("It was skipped."),
    N_("Resume it to send it now, or cancel it."),
    N_("The campaign %(name)s is %(state)s: it cannot be changed any more."),
    N_("Take its schedule away first."),
    N_("Make a new one from the same parts."),
    N_("Only an administrator may send past the limits on how often a person is written to."),
    N_("Make it an ordinary campaign."),
    N_("The deadline has passed already."),
    N_("Choose a later one, or none."),
    N_("The campaign would be over before it begins: its deadline comes first."),
    NN_(
        "The campaign is not scheduled: 1 check stood in its way.",
        "The campaign is not scheduled: %(count)s checks stood in its way.",
    ),
    N_("Mend what they say, or go past them with a reason."),
    N_("Going past the checks needs a reason."),
    N_("Say why in a line."),
    N_("Only e-mail is tested by seeds."),
    N_("None of the campaign's identities can send at present."),
    N_("They lack an address, or are suspended or retired."),
    N_("Choose an earlier start or a later deadline."),
    N_("%(hours)s ends before it begins."),
    N_("For a night, write two: 'fri 22:00-24:00, sat 00:00-02:00'."),
    N_(
        "%(provider)s takes its messages ill, so it waits for you: "
        "change what it says, or resume it as it is. The answer was: %(answer)s"
    ),
    N_("the person has had enough messages lately; the next may leave from %(moment)s"),
    N_("the worker ended between the message and the answer"),
    N_("No mail server found"),
    N_("clean"),
    NN_("%(count)s sent: too few for more", "%(count)s sent: too few for more"),
    N_("%(share)s put off"),
    N_("%(share)s refused for good"),
    N_("%(share)s complained about"),
    NN_("shut out once", "shut out %(count)s times"),
    N_("Messages wait; it is tried again at %(time)s."),
    # sender
    N_("Message after message is left without an answer: %(why)s."),
    N_("The connection was lost"),
    N_("The server closed the connection"),
    N_("The mail server %(name)s cannot be reached: %(why)s."),
    N_("connection refused, nothing answers there"),
    N_("it did not answer in time"),
    # deliverability
    N_("unsubscribe link"),
    N_("complaint"),
    N_("undo"),
    N_("our mail server"),
    N_("our SMS account"),
    N_("news heard later shows that the mailbox lives"),
    N_("rules %(version)s read it otherwise"),
    N_("rules %(version)s read its original otherwise"),
    N_("undo of rule %(rule)s: %(why)s"),
    # audience
    N_("Expected “and”, “or” or “except” between two conditions."),
    N_("Expected “and”, “or”, “except” or “)”."),
    N_("A segment needs at least one condition."),
    N_("For all contacts write everyone."),
    N_("This parenthesis was never opened."),
    N_("This parenthesis is never closed."),
    N_("This quote is never closed."),
    N_("Expected a condition, as in tag:militant."),
    N_("Expected a condition, as in tag:militant, not “%(text)s”."),
    N_("Expected “:” and a value after “%(text)s”."),
    N_("Expected a value here."),
    N_("Put quotes around one with blanks or signs."),
    N_("A value cannot be empty."),
    N_("Expected “,” or “)” in this list."),
    N_("There is no field “%(word)s”; did you mean “%(near)s”?"),
    N_("There is no field “%(word)s”."),
    N_("“%(value)s” is no date."),
    N_("Write it year-month-day, as in 2026-03-15."),
    N_("“%(value)s” is no age."),
    N_("“%(value)s” is no consent."),
    N_("Say granted, withdrawn or unknown."),
    N_("The e-mail address is empty."),
    N_("An e-mail address holds an @ sign."),
    N_("The telephone number is empty."),
    N_("This does not look like a telephone number."),
    N_("The file is empty."),
    N_("This is a binary file, not a text file."),
    N_("Save the table as CSV (UTF-8)."),
    N_("This is an Excel or LibreOffice workbook, not a text file."),
    N_("This is an old Excel workbook, not a text file."),
    N_("This is a PDF, not a text file."),
    N_("This file is compressed."),
    N_("Save it as CSV (UTF-8)."),
    N_("The file's encoding is not known."),
    N_("The first line of the file cannot be read."),
    N_("The file lists nobody: nothing stands below its heading."),
    N_("The file has no column of addresses."),
    N_("Name one email, phone or address; or write one address a line."),
    N_("There is no address."),
    N_("This is neither an e-mail address nor a telephone number."),
    N_("A cell of this line is far too long."),
    N_("line %(number)s: %(problem)s"),
    N_("The fingerprint or its channel is malformed."),
    N_("This is no address for %(channel)s."),
    # deliverability
    N_("Receivers check our signature with this key (RFC 6376)."),
    N_("Names the servers that may send with this return path (RFC 7208). One SPF record a name."),
    N_("Bounces come back to the return path; without this record they are lost."),
    N_("Gmail, Yahoo and Microsoft want a DMARC record of anybody who writes to many (RFC 9989)."),
    N_("Says that reports about the other domain may be sent here (RFC 9990 section 4)."),
    N_("People answer, and providers refuse a sender whose domain receives no mail."),
    N_("The address's reverse name, which whoever rents out the server sets: it has to lead back here."),
    N_("The server's name has to lead to its address, as the address leads to the name."),
    N_("Tells other servers that a policy waits at https://mta-sts.… (RFC 8461)."),
    N_("Asks other servers to report when mail to you cannot be encrypted (RFC 8460)."),
    N_("Shows your logo beside your name in mailboxes that take part (BIMI)."),
    N_("%(about)s: what became of the messages adds up to %(sum)s, not to %(count)s."),
    N_("A table's lines do not add up to the total."),
    N_("Targeted: %(targeted)s, but left out: %(left_out)s, messages: %(count)s."),
    N_("Messages at the launch: %(frozen)s, now: %(count)s."),
    # templates
    N_("There is no preheader."),
    N_("Add one: the inbox shows it after the subject."),
    N_("The text message is empty."),
    N_("The text message does not say how to stop them."),
    N_("End it with “STOP” and the number to reply to."),
    NN_(
        "Signs beyond the GSM alphabet (%(signs)s) make the message cost 1 segment.",
        "Signs beyond the GSM alphabet (%(signs)s) make the message cost %(count)s segments.",
    ),
    N_("Without them it costs %(count)s."),
    N_("The message takes %(count)s segments, each paid for."),
    N_("Shorten it."),
    N_("The subject is empty."),
    N_("The subject is all in capitals."),
    N_("Filters and readers take it for spam."),
    N_("The subject has %(count)s characters."),
    N_("Telephones show some 40; stay below 70."),
    N_("There is no visible link to unsubscribe."),
    N_("The message does not say who sends it."),
    N_("The HTML has %(size)s kB."),
    NN_("1 image has no description.", "%(count)s images have no description."),
    N_("Give each an alt text, for those who do not see it."),
    N_("The link to %(host)s is not encrypted."),
    N_("The link uses the public shortener %(host)s."),
    N_("Filters distrust them: write the whole address."),
    N_("%(name)s is not a standard field."),
    N_("Did you mean %(close)s?"),
    N_("Check its spelling, or import it as an attribute."),
    N_("There is no field %(name)s."),
    N_("%(name)s has no fallback."),
    N_("One person without it blocks the whole campaign: declare one, or use a condition."),
    N_("The message is mostly pictures."),
    N_("Put what matters in text; filters distrust pictures."),
    N_("A link shows %(shown)s and leads to %(host)s."),
    N_("Filters take that for phishing: show words."),
    N_("Ask for a donation: one strong line, how far the goal is, three amounts to choose."),
    N_("Invite people to a public meeting: date card, programme, one button."),
    N_("A monthly letter: one lead story, two short ones, a figure and the dates to come."),
    N_("Remind people of a meeting, in one segment for most names."),
    N_("Call people to vote, with their polling station when it is known."),
    N_("Ask one question that is answered in one click, and lead to the rest of the survey."),
    *ELECTION_TEXTS,
    *FEED_TEXTS,
    *SEED_TEXTS,
    *IDENTITY_TEXTS,
    *KEY_TEXTS,
    *WEBHOOK_TEXTS,
)


_SENTENCE = re.compile(r"[.?!] ")
_COUNT = re.compile(r"\d{1,3}(?:,\d{3})+")
_SHARE = re.compile(r"(\d+\.\d\d)%")
_STATES: Mapping[str, str] = MappingProxyType(
    {state.value: word_for(state) for kind in (CampaignState, IdentityState) for state in kind}
)


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str | tuple[str, str]], ...]:
    made = []
    for source in BORROWED:
        for text in (source,) if isinstance(source, str) else source:
            parts = re.split(r"%\((\w+)\)s", text)
            if len(parts) > 1:
                # Names stand at the odd places.
                pieces = [
                    f"(?P<{part}>.+?)" if place % 2 else re.escape(part) for place, part in enumerate(parts)
                ]
                made.append((re.compile("".join(pieces), re.DOTALL), source))
    return tuple(made)


def say_error(tongue: Tongue, error: TocsinError) -> str:
    """What is wrong, what to do about it and, for a rule of a segment, where: one line for a page."""
    parts = [say_borrowed(tongue, part) for part in (error.problem, error.advice) if part]
    if isinstance(error, SegmentSyntaxError) and error.text.strip():
        place = tongue.say("at character %(place)s", place=tongue.number(error.position + 1))
        parts.append(f"({place})")
    return " ".join(parts)


def say_borrowed(tongue: Tongue, text: str) -> str:
    """`text` of another room in the reader's language, as far as it is known here."""
    # Several texts may follow one another, as a campaign tells several problems: the shortest one first,
    # since the value at the end of a text would swallow the next.
    for end in (*(found.end() for found in _SENTENCE.finditer(text)), len(text)):
        first = _known(tongue, text[:end].rstrip())
        if first is not None:
            rest = say_borrowed(tongue, text[end:]) if text[end:] else ""
            return f"{first} {rest}".rstrip()
    return text


def _known(tongue: Tongue, text: str) -> str | None:
    """One text, None when it is not one of these."""
    said = tongue.say(text)
    if said != text:
        return said
    for pattern, source in _patterns():
        if found := pattern.fullmatch(text):
            given = found.groupdict()
            # A text in the singular may hold the 1 itself.
            count = given.pop("count", "1") if isinstance(source, tuple) else ""
            values = {name: _say_value(tongue, value) for name, value in given.items()}
            if isinstance(source, str):
                return tongue.say(source, **values)
            if count.replace(",", "").isdecimal():
                return tongue.say_plural(*source, int(count.replace(",", "")), **values)
    return None


def _say_value(tongue: Tongue, value: str) -> str:
    """A state, a reason, a number or a share that was filled in, as the reader writes it."""
    if value in BORROWED:
        return tongue.say(value)
    if _COUNT.fullmatch(value):
        return tongue.number(int(value.replace(",", "")))
    if share := _SHARE.fullmatch(value):
        return tongue.percent(float(share[1]) / 100, 2)
    word = _STATES.get(value)
    said = tongue.say(word) if word is not None else value
    return said if word is None or said[:2].isupper() else f"{said[:1].lower()}{said[1:]}"
