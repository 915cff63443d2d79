"""Every check there is: what looks, how grave it is when it trips, and who asks for it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from models.preflight import LintLevel
from scheduler.preflight import checks_of_advertising as advertising
from scheduler.preflight import checks_of_form as form
from scheduler.preflight import checks_of_label as label
from scheduler.preflight import checks_of_law as law
from scheduler.preflight import checks_of_links as links
from scheduler.preflight import checks_of_sending as sending
from scheduler.preflight import checks_of_words as words
from scheduler.preflight.checks_of_form import Tripped
from scheduler.preflight.examined import Examined
from scheduler.preflight.findings import LintFinding


@dataclass(frozen=True, slots=True)
class Check:
    """One check. `look` says each time it trips; `reference`: the rule or standard that asks for it."""

    code: str
    level: LintLevel
    look: Callable[[Examined], Tripped]
    reference: str


B, W = LintLevel.BLOCK, LintLevel.WARN
CHECKS: Final = (
    Check("message.broken", B, sending.broken, "docs/templates.md"),
    Check("identity.unable", B, sending.unable, "docs/commands.md"),
    Check("merge.blank", B, words.blanks, "docs/templates.md"),
    Check("merge.unresolved", B, words.tag_unresolved, "docs/templates.md"),
    Check("unsubscribe.header", B, form.list_unsubscribe_missing, "RFC 8058 section 3.1; Gmail, Yahoo"),
    Check("unsubscribe.open", B, form.list_unsubscribe_in_the_open, "RFC 8058 section 3.1"),
    Check("unsubscribe.post", B, form.one_click_missing, "RFC 8058 section 3.1; Gmail, Yahoo"),
    Check("unsubscribe.unsigned", B, form.unsubscribe_not_signed, "RFC 8058 section 4"),
    Check("unsubscribe.link", B, words.no_way_to_leave, "Gmail, Outlook; CPCE L34-5"),
    Check("sender.unnamed", B, words.sender_unnamed, "GDPR articles 13 and 14; CNIL"),
    Check("origin.missing", B, words.origin_missing, "GDPR article 14; CNIL"),
    Check("form.from", B, form.from_not_one, "RFC 5322 section 3.6.2; Gmail"),
    Check("form.message_id", B, form.message_id_broken, "RFC 5322 section 3.6.4; Gmail"),
    Check("form.twice", B, form.header_twice, "RFC 5322 section 3.6; Gmail"),
    Check("form.line", B, form.line_too_long, "RFC 5322 section 2.1.1"),
    Check("subject.empty", B, words.subject_empty, "RFC 5322 section 3.6.5"),
    Check("sms.stop", B, sending.stop_missing, "CPCE L34-5"),
    Check("sms.empty", B, sending.text_empty, "docs/templates.md"),
    Check("sms.sender", B, sending.sms_sender_wrong, "3GPP TS 23.040 section 9.1.2.5"),
    Check("silence.within", B, law.all_in_silence, "Code électoral L49"),
    Check("silence.some", W, law.some_in_silence, "Code électoral L49"),
    Check("silence.cuts", W, law.cut_off_by_silence, "Code électoral L49"),
    Check("silence.eve", W, law.on_the_eve, "Code électoral L48-2"),
    Check("nature.unsaid", W, law.nature_unsaid, "Code électoral L49; (EU) 2024/900"),
    Check("ad.sensitive", B, advertising.chosen_by_sensitive_data, "(EU) 2024/900 article 18(1)(c)"),
    Check("ad.nobody", B, advertising.nobody_agreed, "(EU) 2024/900 article 18(1)(b)"),
    Check("ad.consent", W, advertising.some_did_not_agree, "(EU) 2024/900 article 18(1)(b)"),
    Check("ad.exempt", W, advertising.exempt, "(EU) 2024/900 article 18(3)"),
    Check("ad.unlabelled", W, label.label_has_gaps, "(EU) 2024/900 article 11(1)"),
    Check("ad.unlinked", W, label.text_without_notice, "(EU) 2024/900 article 11(1)(e)"),
    Check("sending.no_way", W, sending.not_carried, "docs/settings.md"),
    Check("dns.unasked", W, sending.dns_not_asked, "docs/commands.md"),
    Check("form.unsigned", W, form.not_signed, "Gmail, Yahoo, Outlook"),
    Check("sender.address", W, words.address_missing, "GDPR articles 13 and 14; CNIL"),
    Check("origin.unsaid", W, words.origin_unsaid, "GDPR article 13; CNIL"),
    Check("size.clipped", W, form.clipped, "Gmail"),
    Check("size.heavy", W, form.heavy, "Gmail"),
    Check("text.missing", W, form.text_part_missing, "RFC 2046 section 5.1.4"),
    Check("images.only", W, form.pictures_only, "SpamAssassin, rspamd"),
    Check("images.mostly", W, form.mostly_pictures, "SpamAssassin, rspamd"),
    Check("images.wordless", W, form.pictures_without_words, "WCAG 1.1.1"),
    Check("form.attached", W, form.attached, "Gmail, Outlook"),
    Check("link.open", W, links.link_in_the_open, "Gmail"),
    Check("link.shortened", W, links.link_shortened, "Spamhaus DBL, SURBL"),
    Check("link.number", W, links.link_to_number, "SpamAssassin, rspamd"),
    Check("link.mixed", W, links.link_of_two_scripts, "UTS 39"),
    Check("link.other", W, links.link_shows_another, "SpamAssassin, rspamd"),
    Check("counter.foreign", W, links.counter_foreign, "Gmail"),
    Check("counter.open", W, links.counter_in_the_open, "Gmail"),
    Check("subject.reply", W, words.subject_pretends, "Gmail"),
    Check("subject.capitals", W, words.subject_shouts, "SpamAssassin, rspamd"),
    Check("subject.excited", W, words.subject_excited, "SpamAssassin, rspamd"),
    Check("name.pictures", W, words.name_with_pictures, "Gmail, rules on display names"),
    Check("name.counter", W, words.name_counts, "Gmail, rules on display names"),
    Check("name.reader", W, words.name_of_reader, "Gmail, rules on display names"),
    Check("name.subject", W, words.name_of_subject, "Gmail, rules on display names"),
    Check("crowd.nobody", W, sending.nobody_to_write_to, "docs/commands.md"),
    Check("crowd.first", W, sending.first_crowd, "docs/rhythm.md"),
    Check("crowd.cold", W, sending.more_than_planned, "docs/rhythm.md"),
    Check("filter.silent", W, sending.filter_silent, "docs/deliverability.md"),
    Check("filter.refuses", W, sending.filter_refuses, "rspamd, action reject"),
    Check("filter.marks", W, sending.filter_marks, "rspamd, action add header; SpamAssassin"),
    Check("filter.delays", W, sending.filter_delays, "rspamd, action greylist"),
    Check("sms.nowhere", W, sending.stop_leads_nowhere, "CPCE L34-5"),
    Check("sms.long", W, sending.text_long, "3GPP TS 23.040"),
    Check("sms.alphabet", W, sending.text_beyond_gsm, "3GPP TS 23.038"),
)
"""In the order in which they are told."""


def look_at(seen: Examined) -> Iterator[LintFinding]:
    """Every check, and what the DNS told: the same value always gives the same findings."""
    place = (seen.sender.key,)
    for check in CHECKS:
        tripped = check.look(seen)
        if tripped is None:
            continue
        yield from (LintFinding(check.level, check.code, values, place) for values in tripped)
        if not tripped:
            yield LintFinding(LintLevel.FINE, check.code, where=place)
    yield from sending.health_of(seen)
