"""What whoever answers for the mail is told, in words: English sources, translated where shown."""

from models.states import LeftOutReason
from web.i18n import N_, NN_

BY_RIGHT = frozenset(
    {
        LeftOutReason.NO_CONSENT,
        LeftOutReason.WITHDRAWN,
        LeftOutReason.SUPPRESSED,
        LeftOutReason.ELECTION,
        LeftOutReason.NO_TARGETING_CONSENT,
        LeftOutReason.TOO_YOUNG,
        LeftOutReason.CAPPED,
    }
)
"""Reasons for which people have a right not to be written to, or not so often."""
CONSENT = N_("Who agreed, and whether it can be shown")
BY_EMAIL = N_("To be written to by e-mail")
BY_SMS = N_("To be written to by SMS")
TARGETED = N_("To be chosen by their data for political messages")
CONSENT_CAPTION = N_("People by what they agreed to. On record: when and where they said so is kept.")
CONSENT_HEADS = (
    N_("Agreed to what"),
    N_("People"),
    N_("Agreed"),
    N_("Withdrawn"),
    N_("Said nothing"),
    N_("On record"),
)
NOBODY = N_("Nobody is on the list yet.")
UNPROVEN = NN_(
    "%(count)s consent is not on record with where it was given: nobody could show it, as the law asks"
    " (GDPR article 7). Import it again with its source and date.",
    "%(count)s consents are not on record with where they were given: nobody could show them, as the law asks"
    " (GDPR article 7). Import them again with their source and date.",
)
ALL_PROVEN = N_("Of every consent it is on record when and where it was given.")
ORIGIN = N_("Where their data come from is on record for %(known)s of all people.")
NOBODY_TARGETED = N_(
    "Nobody has agreed to be chosen by their data: political messages may go to whole lists only, the same"
    " for everybody."
)
CAMPAIGNS = N_("What was sent, and on what it rests")
CAMPAIGNS_CAPTION = N_("Campaigns of this period by what they are and what they rest on")
CAMPAIGNS_HEADS = (N_("What it is"), N_("It rests on"), N_("Campaigns"), N_("Messages accepted"))
NOTHING_SENT = N_("Nothing was sent in this period.")
UNSAID = NN_(
    "Of %(count)s campaign nobody has said whether it is political: say so on its page.",
    "Of %(count)s campaigns nobody has said whether they are political: say so on their pages.",
)
WEIGHED = NN_(
    "%(count)s campaign went to people who never agreed, by legitimate interest: keep in writing how their"
    " interests were weighed against yours.",
    "%(count)s campaigns went to people who never agreed, by legitimate interest: keep in writing how their"
    " interests were weighed against yours.",
)
ALL_ASKED = N_("Every campaign went only to people who agreed, and says what it is.")
KEPT = N_("Whoever does not want mail gets none")
KEPT_CAPTION = N_("People not written to in this period, once for each campaign")
KEPT_HEADS = (N_("Reason"), N_("People"))
STOPPED_SINCE = N_("Already queued, and stopped: suppressed since")
HONOURED = NN_(
    "%(count)s suppression of this period was looked at: nothing was sent to its address afterwards.",
    "%(count)s suppressions of this period were looked at: nothing was sent to their addresses afterwards.",
)
NONE_SUPPRESSED = N_("No address was suppressed in this period because of one of our messages.")
BREACH = N_("A message was sent on %(sent)s to an address that was suppressed on %(suppressed)s.")
REGISTER = N_("Register of political advertising")
REGISTER_CAPTION = N_("The newest political campaigns, whenever they were sent; the files hold all of them")
REGISTER_HEADS = (
    N_("Campaign"),
    N_("Launched"),
    N_("Paid by"),
    N_("Vote"),
    N_("Messages made"),
    N_("Public notice"),
)
NONE_POLITICAL = N_("No political campaign was sent yet.")
LABELLED = N_("Each carries its label, and its public notice names who pays or the vote.")
UNLABELLED = NN_(
    "The label of %(count)s campaign has gaps: neither who pays nor the vote is named.",
    "The labels of %(count)s campaigns have gaps: neither who pays nor the vote is named.",
)
SILENCE = N_("Silence before votes (article L49)")
NO_VOTE = N_("No day of voting is in the calendar for this period: if there is one, enter it.")
LEFT_OUT_BY_VOTE = NN_(
    "%(count)s person was left out at the launch because silence held where they live.",
    "%(count)s people were left out at the launch because silence held where they live.",
)
STOPPED_BY_VOTE = NN_(
    "%(count)s message that was queued was stopped before silence began.",
    "%(count)s messages that were queued were stopped before silence began.",
)
TAKEN_AWAY = N_("%(who)s took “%(vote)s” out of the calendar. The reason: “%(why)s”")
VOTES_CAPTION = N_("Days of voting; silence as it holds for most of those who vote, on their own clocks")
VOTES_HEADS = (N_("Vote"), N_("Day"), N_("Where"), N_("Silence"), N_("Entered by"))
VOTE_ROUND = N_("%(vote)s, round %(round)s")
WAIVERS_CAPTION = N_("Campaigns that somebody asked to let leave in spite of silence")
WAIVERS_HEADS = (N_("Campaign"), N_("Asked by"), N_("Reason"), N_("Answer"))
BY_AT = N_("%(who)s, %(moment)s")
AGREED = N_("%(who)s agreed, %(moment)s")
REFUSED = N_("%(who)s said no, %(moment)s")
UNANSWERED = N_("nobody has answered: silence holds")
OVERRIDES = N_("Checks that were gone past")
OVERRIDES_CAPTION = N_("Campaigns scheduled although a check stood in their way")
OVERRIDES_HEADS = (N_("Campaign"), N_("Who"), N_("Past what"), N_("Reason"))
NO_OVERRIDE = N_("Nobody went past a check in this period.")
GONE_PAST = NN_(
    "%(count)s time somebody went past a check, with a reason.",
    "%(count)s times somebody went past a check, with a reason.",
)
NATURE_POLITICAL = N_("A political message, paid by %(payer)s. Its notice is public.")
NATURE_VOTE = N_("A political message about “%(vote)s”, paid by %(payer)s. Its notice is public.")
NATURE_CIVIC = N_("Neither political nor about a vote: silence and labels do not concern it.")
NATURE_UNSAID = N_("Nobody has said whether it is political: silence before votes binds it all the same.")
RESTS_ON_CONSENT = N_("It went only to people who agreed to be written to.")
RESTS_ON_NOTHING = N_("Messages that people await, such as receipts: they rest on no consent.")
RESTS_ON_INTEREST = N_(
    "It went to people who never agreed, by legitimate interest; those who objected were left out."
)
WITHOUT_CONSENT = NN_(
    "%(count)s person was left out: they had not agreed, or had taken it back.",
    "%(count)s people were left out: they had not agreed, or had taken it back.",
)
WITHOUT_TARGETING = NN_(
    "%(count)s person was left out: they had not agreed to be chosen by their data, or are too young.",
    "%(count)s people were left out: they had not agreed to be chosen by their data, or are too young.",
)
SUPPRESSED_PEOPLE = NN_(
    "%(count)s person who wants no more mail, or whose address is dead, got nothing.",
    "%(count)s people who want no more mail, or whose addresses are dead, got nothing.",
)
WAIVED = N_("In spite of silence: asked by %(who)s. The reason: “%(why)s”. %(end)s.")
PAST_PLAIN = N_("%(who)s had it sent although a check advised against it. The reason: “%(reason)s”")
PAST = N_("On %(moment)s %(who)s went past: %(what)s. The reason: “%(reason)s”")
