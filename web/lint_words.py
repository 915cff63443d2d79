"""What a look before sending finds, in the words of people who write letters: what it is, and what to do.

English sources, translated where shown; the terminal shows them as they are. What the DNS told has words of
its own (`web.health_words`).
"""

import re
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from deliverability.health import HealthFinding, finding_from_json
from scheduler.preflight.findings import HEALTH, LintFinding
from web.health_words import advised, said
from web.i18n import N_, Tongue
from web.lint_entry import LintWords
from web.lint_law_words import LAW_WORDS

_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}")
_NUMBER = re.compile(r"[0-9]{1,9}")
UNSPOKEN = N_("A check of another version of this program: %(code)s.")


LINT_WORDS: Mapping[str, LintWords] = MappingProxyType(
    {
        **LAW_WORDS,
        "message.broken": LintWords(
            N_("The message can be made"),
            N_("The message cannot be made: %(problem)s"),
            N_("Correct the template."),
        ),
        "identity.unable": LintWords(
            N_("The identity may send"),
            N_("This identity cannot send this campaign now: its page says what is missing."),
            N_("Complete it, or choose another."),
        ),
        "merge.blank": LintWords(
            N_("Nobody would see a blank"),
            N_("People whose message would show a blank: %(count)s. What they lack: %(fields)s."),
            N_("Give the template a fallback, complete the contacts or exclude them."),
        ),
        "merge.unresolved": LintWords(
            N_("No merge tag is left over"),
            N_("“%(tag)s” would arrive as it stands there: nothing fills it in."),
            N_("Write merge fields as {{ first_name }}."),
        ),
        "unsubscribe.header": LintWords(
            N_("Mailboxes can offer to unsubscribe (List-Unsubscribe)"),
            N_("The header List-Unsubscribe does not name exactly one web address."),
            N_("Check TOCSIN_PUBLIC_URL. Gmail and Yahoo ask for this header."),
        ),
        "unsubscribe.open": LintWords(
            N_("Unsubscribing is encrypted"),
            N_("The link of List-Unsubscribe begins with http://, so mailboxes do not offer it."),
            N_("Serve %(url)s over HTTPS and set TOCSIN_PUBLIC_URL."),
        ),
        "unsubscribe.post": LintWords(
            N_("One click is enough to unsubscribe (List-Unsubscribe-Post)"),
            N_("The header List-Unsubscribe-Post is missing."),
            N_("Gmail and Yahoo ask for it: a relay must not take it away."),
        ),
        "unsubscribe.unsigned": LintWords(
            N_("The signature covers both unsubscribe headers"),
            N_("A DKIM signature does not cover List-Unsubscribe and List-Unsubscribe-Post."),
            N_("Mailboxes only trust them signed (RFC 8058)."),
        ),
        "unsubscribe.link": LintWords(
            N_("People see a link to unsubscribe"),
            N_("The message shows no link to unsubscribe."),
            N_("Link some words to {{ unsubscribe_url }}, under no condition."),
        ),
        "sender.unnamed": LintWords(
            N_("The message says who writes"),
            N_("The message does not say who writes."),
            N_("Show {{ organisation }} or {{ sender_name }}."),
        ),
        "sender.address": LintWords(
            N_("The message says where the sender can be found"),
            N_("The message does not show the sender’s postal address."),
            N_("Give the identity its address, and show {{ postal_address }}."),
        ),
        "origin.missing": LintWords(
            N_("The message says where the address comes from"),
            N_("The message does not say why people get it, nor where their address comes from."),
            N_(
                "They did not give their agreement, so they have to be told: add “You receive"
                " this because …”."
            ),
        ),
        "origin.unsaid": LintWords(
            N_("The message says why people get it"),
            N_("The message does not say why people get it."),
            N_("Remind them: “You receive this because …”. Who has forgotten presses “spam”."),
        ),
        "form.from": LintWords(
            N_("One sender (From)"),
            N_("The header From does not hold exactly one address."),
            N_("Correct the identity."),
        ),
        "form.message_id": LintWords(
            N_("A valid Message-ID"),
            N_("The header Message-ID is missing, twice there or not in its form."),
            N_("Check the identity’s DKIM domain."),
        ),
        "form.twice": LintWords(
            N_("No header twice"),
            N_("The header %(name)s stands there twice."),
            N_("Gmail refuses such messages."),
        ),
        "form.line": LintWords(
            N_("No line is too long"),
            N_("A line has %(octets)s octets; 998 is the most."),
            N_("Shorten what stands in one line, such as a very long address."),
        ),
        "subject.empty": LintWords(N_("There is a subject"), N_("The subject is empty."), N_("Write one.")),
        "sms.stop": LintWords(
            N_("The text says how to stop them"),
            N_("The text message does not say how to stop them."),
            N_("End it with STOP and the number to reply to."),
        ),
        "sms.empty": LintWords(N_("There is a text"), N_("The text message is empty."), N_("Write it.")),
        "sms.sender": LintWords(
            N_("The sender of the text is well formed"),
            N_("“%(sender)s” cannot be the sender of a text message."),
            N_("A name of eleven letters and digits at most, or a telephone number."),
        ),
        "sending.no_way": LintWords(
            N_("There is a way out"),
            N_("This installation sends nothing by this channel at present."),
            N_("Set the relay or the SMS account; “tocsin doctor” says what is missing."),
        ),
        "dns.unasked": LintWords(
            N_("The DNS was asked"),
            N_("The DNS was not asked about %(domain)s: SPF, DKIM and DMARC are not checked."),
            N_("Let TOCSIN_DNS_SERVERS name servers, or send a test to the seeds."),
        ),
        "form.unsigned": LintWords(
            N_("The message is signed (DKIM)"),
            N_("Tocsin has no DKIM key for this identity: somebody else has to sign."),
            N_(
                "Make a key, or see that your relay signs, List-Unsubscribe and"
                " List-Unsubscribe-Post included."
            ),
        ),
        "size.clipped": LintWords(
            N_("Gmail shows all of it"),
            N_("The HTML has %(kilobytes)s kB for the person with the longest values: Gmail cuts it at 102."),
            N_("Shorten it: the link to unsubscribe is the first thing to be cut off."),
        ),
        "size.heavy": LintWords(
            N_("Well below the size at which Gmail cuts"),
            N_("The HTML has %(kilobytes)s kB for the person with the longest values: Gmail cuts at 102."),
            N_("Keep below 90."),
        ),
        "text.missing": LintWords(
            N_("There is a text part"),
            N_("The message has no text part."),
            N_("Write some text: it is what watches and screen readers show."),
        ),
        "images.only": LintWords(
            N_("There is something to read without pictures"),
            N_("The message is nothing but pictures."),
            N_("Put what matters in text: many mailboxes show no pictures at first."),
        ),
        "images.mostly": LintWords(
            N_("More text than pictures"),
            N_("The message is mostly pictures: %(images)s, and %(words)s words."),
            N_("Put what matters in text; filters distrust pictures."),
        ),
        "images.wordless": LintWords(
            N_("Pictures are described"),
            N_("Pictures without a description: %(count)s."),
            N_("Give each an alt text, for those who do not see it."),
        ),
        "form.attached": LintWords(
            N_("No attachments"),
            N_("The message carries files: %(names)s."),
            N_("Link to them: filters distrust files in mailings."),
        ),
        "link.open": LintWords(
            N_("Links are encrypted"),
            N_("The link to %(host)s begins with http://."),
            N_("Write https://."),
        ),
        "link.shortened": LintWords(
            N_("No public link shorteners"),
            N_("A link uses the public shortener %(host)s."),
            N_("Write the whole address: spammers hide behind shorteners, so filters distrust them."),
        ),
        "link.number": LintWords(
            N_("Links lead to names"),
            N_("A link leads to the bare address %(host)s."),
            N_("Use a host name."),
        ),
        "link.mixed": LintWords(
            N_("No look-alike names in links"),
            N_("The host %(host)s mixes letters of several scripts, as names made to deceive do."),
            N_("Use a name in one script."),
        ),
        "link.other": LintWords(
            N_("Links lead where they say"),
            N_("A link shows %(shown)s and leads to %(host)s."),
            N_("Filters take that for phishing: show words, or the true address."),
        ),
        "counter.foreign": LintWords(
            N_("Links pass a host of the sender’s own domain"),
            N_("All links pass %(host)s, which does not belong to the sender’s domain %(domain)s."),
            N_("Give Tocsin a name below it, such as links.%(domain)s, and set TOCSIN_PUBLIC_URL."),
        ),
        "counter.open": LintWords(
            N_("Counted links are encrypted"),
            N_("Links pass %(url)s, which is not encrypted."),
            N_("Serve it over HTTPS and set TOCSIN_PUBLIC_URL."),
        ),
        "subject.reply": LintWords(
            N_("The subject pretends nothing"),
            N_("The subject begins with “%(start)s”, as if it were a reply or a forward."),
            N_("Take it away: people and filters take it for a trick."),
        ),
        "subject.capitals": LintWords(
            N_("The subject does not shout"),
            N_("The subject is all in capitals."),
            N_("Write it as a sentence."),
        ),
        "subject.excited": LintWords(
            N_("The subject keeps calm"),
            N_("The subject has many exclamation marks or pictures."),
            N_("One is enough."),
        ),
        "name.pictures": LintWords(
            N_("No pictures in the sender’s name"),
            N_("The sender’s name holds %(signs)s."),
            N_("Take it out: Gmail forbids pictures and check marks there."),
        ),
        "name.counter": LintWords(
            N_("No counter in the sender’s name"),
            N_("The sender’s name holds “%(sign)s”, as if it were a conversation."),
            N_("Take it out: Gmail forbids it."),
        ),
        "name.reader": LintWords(
            N_("The sender’s name is the sender’s alone"),
            N_("The sender’s name holds the recipient’s: %(name)s."),
            N_("Write the sender’s only: Gmail forbids it."),
        ),
        "name.subject": LintWords(
            N_("The sender’s name is no subject"),
            N_("The sender’s name holds the subject’s text."),
            N_("Write the sender’s name only: Gmail forbids it."),
        ),
        "crowd.nobody": LintWords(
            N_("There is somebody to write to"),
            N_("Nobody would get it as things stand."),
            N_("Look at the audience, at consents and at the legal basis."),
        ),
        "crowd.first": LintWords(
            N_("The crowd fits an identity that is known"),
            N_("This identity has written to nobody yet, and would write to %(people)s people at once."),
            N_("Let it warm up first, or begin with %(most)s of those who read you most."),
        ),
        "crowd.cold": LintWords(
            N_("The crowd fits the warm-up plan"),
            N_(
                "%(messages)s messages are wanted at %(provider)s, where the warm-up plan lets"
                " %(cap)s a day through."
            ),
            N_("It takes several days. The identity is known well enough there on %(day)s."),
        ),
        "filter.silent": LintWords(
            N_("The spam filter was asked"),
            N_("The spam filter could not be asked: %(problem)s"),
            N_("Nothing is held up by it."),
        ),
        "filter.refuses": LintWords(
            N_("The spam filter would not refuse it"),
            N_(
                "%(filter)s gives it %(score)s points, and refuses from %(threshold)s on. What"
                " counts most: %(symbols)s."
            ),
            N_("Change what these rules name, and look again."),
        ),
        "filter.marks": LintWords(
            N_("The spam filter would not put it into spam"),
            N_(
                "%(filter)s gives it %(score)s points: from %(threshold)s on it goes into"
                " spam. What counts most: %(symbols)s."
            ),
            N_("Change what these rules name, and look again."),
        ),
        "filter.delays": LintWords(
            N_("The spam filter would not delay it"),
            N_(
                "%(filter)s gives it %(score)s points: from %(threshold)s on it is made to"
                " wait. What counts most: %(symbols)s."
            ),
            N_("Change what these rules name, and look again."),
        ),
        "sms.nowhere": LintWords(
            N_("STOP leads somewhere"),
            N_("Nobody can answer the sender “%(sender)s”, and STOP names no number."),
            N_("Write STOP and the short number to send it to."),
        ),
        "sms.long": LintWords(
            N_("The text is short"),
            N_("The text takes %(segments)s segments for the person with the longest values, each paid for."),
            N_("Shorten it."),
        ),
        "sms.alphabet": LintWords(
            N_("The text keeps to the GSM alphabet, or loses nothing by it"),
            N_("Signs beyond the GSM alphabet (%(signs)s) make it cost %(segments)s segments."),
            N_("Without them it costs %(cheaper)s."),
        ),
        "seeds.none": LintWords(
            N_("There are seeds"),
            N_("There are no seeds to send a test to."),
            N_("Add mailboxes of your own as seeds: “tocsin seed add”."),
        ),
        "seeds.passed": LintWords(
            N_("At %(provider)s the test passed SPF, DKIM and DMARC, and landed in the inbox"), ""
        ),
        "seeds.failed": LintWords(
            "",
            N_("At %(provider)s the test did not pass %(method)s: it said “%(result)s”."),
            N_("Publish what the identity’s page names, and send another test."),
        ),
        "seeds.unsaid": LintWords(
            "",
            N_("%(provider)s does not say whether the test passed %(method)s."),
            N_("Nothing: not every provider does."),
        ),
        "seeds.spam": LintWords(
            "",
            N_("At %(provider)s the test landed in spam."),
            N_("Look at the other findings first, then at the identity’s reputation."),
        ),
        "seeds.unseen": LintWords(
            "",
            N_("The test was not found at %(provider)s in time."),
            N_("Look into that mailbox; some providers make new senders wait for an hour."),
        ),
        "seeds.refused": LintWords(
            "",
            N_("The test to %(provider)s was not accepted: %(answer)s"),
            N_("The answer says why."),
        ),
        "seeds.unread": LintWords(
            "",
            N_("The mailbox at %(provider)s could not be read: %(problem)s"),
            N_("“tocsin seed list” says more."),
        ),
    }
)
"""Code → words."""


def word_of(finding: LintFinding) -> LintWords:
    """The words of a finding, before they are filled in."""
    return LINT_WORDS.get(finding.code) or LintWords(UNSPOKEN, UNSPOKEN)


def say_fine(tongue: Tongue, finding: LintFinding) -> str:
    """What is in order."""
    health = _health(finding)
    return said(health, tongue) if health else tongue.say(word_of(finding).fine, **_spelt(tongue, finding))


def say_what(tongue: Tongue, finding: LintFinding) -> str:
    """What was found."""
    health = _health(finding)
    return said(health, tongue) if health else tongue.say(word_of(finding).what, **_spelt(tongue, finding))


def say_advice(tongue: Tongue, finding: LintFinding) -> str:
    """What to do about it; "" when nothing."""
    health = _health(finding)
    if health is not None:
        return advised(health, tongue)
    advice = word_of(finding).advice
    return tongue.say(advice, **_spelt(tongue, finding)) if advice else ""


def _health(finding: LintFinding) -> HealthFinding | None:
    """What the DNS told of an identity, None for everything else."""
    if not finding.code.startswith(HEALTH):
        return None
    code = finding.code.removeprefix(HEALTH)
    return finding_from_json({"code": code, "level": "fine", "values": finding.values})


def _spelt(tongue: Tongue, finding: LintFinding) -> dict[str, str]:
    """The values as a page writes them; counts, days and moments as that language does."""
    return {"code": finding.code, **{name: _spell(tongue, text) for name, text in finding.values.items()}}


def _spell(tongue: Tongue, value: str) -> str:
    if _NUMBER.fullmatch(value):
        return tongue.number(int(value))
    if _MOMENT.fullmatch(value):
        # As it was told, on the clock of the installation: it stands for itself, not for an instant.
        return tongue.moment(datetime.fromisoformat(value).replace(tzinfo=tongue.zone))
    return value
