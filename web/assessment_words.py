"""Verdicts, reasons, notes and advice in the words of people who write letters.

`deliverability.assessment` tells codes and values; here are their sentences, English, translated where shown.
`%(provider)s` is always filled in, and so is each value, written as the reader writes numbers.
"""

from collections.abc import Mapping
from types import MappingProxyType

from deliverability.assessment.facts import ClickReason
from deliverability.assessment.values import Basis, Status, Word
from models.declared import DeclaredSource
from web.i18n import N_

STATUSES: Mapping[Status, tuple[str, str]] = MappingProxyType(
    {
        Status.GREEN: ("good", N_("Fine")),
        Status.GREY: ("quiet", N_("Not known")),
        Status.AMBER: ("warn", N_("Look at it")),
        Status.RED: ("bad", N_("Act now")),
    }
)
"""The badge's tone, and what it says."""
WORDS: Mapping[Word, str] = MappingProxyType(
    {
        Word.INBOX: N_("inbox"),
        Word.NOTHING_SENT: N_("nothing sent"),
        Word.NOT_TESTED: N_("not tested"),
        Word.NOT_ASSESSABLE: N_("not assessable"),
        Word.DECLARED: N_("declared bad"),
        Word.BOUNCES: N_("bounces"),
        Word.COMPLAINTS: N_("complaints"),
        Word.UNAUTHENTICATED: N_("not authenticated"),
        Word.SLOWED: N_("slowed"),
        Word.MISSING: N_("missing"),
        Word.MIXED: N_("mixed"),
        Word.PROBABLE_SPAM: N_("probably spam"),
        Word.SPAM: N_("spam"),
        Word.REFUSED: N_("refused"),
    }
)
"""The verdict in one word."""
BASES: Mapping[Basis, tuple[str, str]] = MappingProxyType(
    {
        Basis.MEASURED: (
            N_("measured"),
            N_("counted by ourselves: seeds that were read, answers of servers"),
        ),
        Basis.INFERRED: (
            N_("inferred"),
            N_("concluded: from what people did and did not do, or as a part of what was counted together"),
        ),
        Basis.DECLARED: (N_("declared"), N_("the provider says so")),
        Basis.UNKNOWN: (N_("unknown"), N_("nobody knows")),
    }
)
"""Where a figure comes from: in a word, and explained."""
SOURCES: Mapping[DeclaredSource, str] = MappingProxyType(
    {
        DeclaredSource.GMAIL_POSTMASTER: "Gmail Postmaster Tools",
        DeclaredSource.MICROSOFT_SNDS: "Microsoft SNDS",
        DeclaredSource.SIGNAL_SPAM: "Signal Spam",
        DeclaredSource.YAHOO_CFL: "Yahoo Complaint Feedback Loop",
    }
)
REASONS: Mapping[str, str] = MappingProxyType(
    {
        "seeds_inbox": N_("%(inbox)s of %(seeds)s seeds were found in the inbox."),
        "seeds_mostly_spam": N_("%(spam)s of %(seeds)s seeds were found in spam."),
        "seeds_some_spam": N_("%(spam)s of %(seeds)s seeds were found in spam."),
        "seeds_mostly_missing": N_(
            "%(missing)s of %(seeds)s seeds never arrived, although they were accepted."
        ),
        "seeds_some_missing": N_(
            "%(missing)s of %(seeds)s seeds never arrived, although they were accepted."
        ),
        "seeds_refused": N_("%(part)s of %(whole)s seeds were refused."),
        "seeds_awaited": N_("Seeds sent and not found yet: %(awaited)s."),
        "few_seeds": N_("Seeds found: %(seeds)s, too few to judge by. It takes %(needed)s in the inbox."),
        "not_tested": N_("No seed mailbox is there: nobody saw where the message lands."),
        "nothing_sent": N_("Nothing was sent there."),
        "blocked": N_(
            "%(part)s of %(whole)s messages (%(share)s) were refused for what the sender or the message is."
        ),
        "nothing_accepted": N_("None of %(whole)s messages was accepted."),
        "hard_bounces": N_(
            "%(part)s of %(whole)s messages (%(share)s) went to addresses that are not there; "
            "%(limit)s is the limit."
        ),
        "deferred": N_(
            "%(part)s of %(whole)s messages (%(share)s) were put off at least once; %(limit)s is the limit."
        ),
        "complaints": N_(
            "%(part)s of %(whole)s people (%(share)s) complained; providers react from %(limit)s on."
        ),
        "unauthenticated": N_(
            "%(part)s of %(whole)s messages (%(share)s) from our own servers did not pass DMARC."
        ),
        "identity_problem": N_("The sender’s DNS has a problem: look at its page."),
        "clicks_as_usual": N_("People click as they usually do (%(ratio)s of the usual rate)."),
        "clicks_collapsed": N_(
            "People click much less than usual here (%(ratio)s of the usual rate, %(others_ratio)s "
            "elsewhere)."
        ),
        "spam_signature": N_(
            "Accepted, hardly clicked (%(ratio)s of the usual rate, %(others_ratio)s elsewhere) and hardly "
            "complained of: so it looks when mail lands in spam."
        ),
        "declared_bad": N_("%(source)s says: %(metric)s %(value)s on %(day)s."),
        "open_incident": N_("An incident is open: %(kind)s."),
    }
)
"""What was found, by the code of the reason."""
STEPS: Mapping[str, str] = MappingProxyType(
    {
        "read_refusals": N_(
            "Read what %(provider)s answered: its words say what it objects to, and often where to ask."
        ),
        "stop_at_provider": N_(
            "Do not insist: stop sending to %(provider)s until the cause is mended, or it will take longer."
        ),
        "hold_rest": N_(
            "Hold what has not left yet to %(provider)s, and look at one of the messages in spam: "
            "its headers say why."
        ),
        "write_to_engaged_first": N_(
            "For some weeks write at %(provider)s only to people who clicked lately: what they open brings "
            "the others back."
        ),
        "watch_placement": N_(
            "Watch %(provider)s with the next campaign, and let the first messages go ahead (canary)."
        ),
        "look_for_missing": N_(
            "Look into all folders of the seed mailboxes at %(provider)s: a filter or a full mailbox hides "
            "messages, too."
        ),
        "look_in_a_mailbox": N_(
            "Ask somebody with a mailbox at %(provider)s to look into the spam folder, or add seed "
            "mailboxes there."
        ),
        "clean_list": N_(
            "Ask where these addresses at %(provider)s come from, and write no more to old ones before "
            "they confirm."
        ),
        "slow_down": N_("Send more slowly to %(provider)s: set a lower limit under “Pace”."),
        "ask_consent_again": N_(
            "Write less often, and only to people who asked for it; make unsubscribing easier than "
            "complaining."
        ),
        "mend_authentication": N_(
            "Mend the sender’s DNS: its page shows each record to publish, ready for your host."
        ),
        "look_at_incident": N_("Look at the incident “%(kind)s”: it says what was done, and how to undo it."),
        "wait_for_seeds": N_("Wait: seeds are read for a day after they were sent."),
        "add_seeds": N_(
            "Add seed mailboxes at %(provider)s: %(list_share)s of this list is there, and there are too few "
            "to tell where it lands."
        ),
        "check_own_mail": N_(
            "In spam at several providers at once (%(providers)s): the cause is in our own mail. Check the "
            "sender’s DNS, the links and the wording before the next campaign."
        ),
        "look_at_subject": N_(
            "People click less everywhere (%(ratio)s of the usual rate): it is the subject or the "
            "audience, not the spam folder."
        ),
    }
)
"""What to do next, by the code of the advice."""
NOTES: Mapping[str, str] = MappingProxyType(
    {
        "no_complaint_feed": N_(
            "%(provider)s tells nobody who complained: no complaint from there means nothing."
        ),
        "untested": N_(
            "Without seeds, so that nobody saw where it lands: %(provider)s (%(share)s of the list)."
        ),
        "too_few_seeds": N_("Too few seeds to judge by: %(provider)s (%(share)s of the list)."),
        "clicks_few_delivered": N_("Clicks cannot be compared: it takes %(needed)s messages at a provider."),
        "clicks_few_campaigns": N_(
            "Clicks cannot be compared yet. Campaigns like this one: %(campaigns)s, it takes %(needed)s."
        ),
        "clicks_few_clicks": N_("Clicks cannot be compared: too few people click."),
        "clicks_too_early": N_(
            "Clicks are compared %(needed)s hours after the last message left: people need that long."
        ),
        "clicks_no_others": N_("Clicks cannot be compared: nobody was written to elsewhere."),
        "nothing_declared": N_(
            "%(source)s declared nothing for this: see “Declared by the providers” for how to get it."
        ),
        "no_authentication_reports": N_("No receiver reported yet whether our mail passes DMARC."),
        "complaints_through_signal_spam": N_(
            "%(provider)s tells of complaints through Signal Spam only, to its members."
        ),
        "declared_rate_blind": N_(
            "%(source)s counts complaints about mail in the inbox only: where everything is in spam its "
            "figure looks perfect."
        ),
        "declared_before_campaign": N_(
            "The newest figure of %(source)s is of %(day)s, before this was sent."
        ),
    }
)
"""Traps and gaps, by the code of the note."""
CLICK_GAPS: Mapping[ClickReason, str] = MappingProxyType(
    {
        ClickReason.ASSESSED: "",
        ClickReason.FEW_DELIVERED: N_("too few messages"),
        ClickReason.FEW_CAMPAIGNS: N_("too few campaigns"),
        ClickReason.FEW_CLICKS: N_("too few clicks"),
        ClickReason.NO_OTHERS: N_("nothing to compare with"),
        ClickReason.TOO_EARLY: N_("too early"),
    }
)
"""Why nothing can be said of clicks."""
METRICS: Mapping[str, str] = MappingProxyType(
    {
        "spam_rate": N_("spam rate"),
        "filter_result": N_("filter result"),
        "complaint_rate": N_("complaint rate"),
        "complaints": N_("complaints"),
        "trap_hits": N_("trap hits"),
    }
)
"""What a provider declares."""
