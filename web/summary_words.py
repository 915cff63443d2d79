"""A campaign in plain words, for whoever stands for election and not for whoever runs the mail."""

from collections.abc import Mapping
from types import MappingProxyType

from deliverability.assessment.values import Status, Word
from models.states import LeftOutReason
from web.i18n import N_, NN_

FOR_WHOM = N_("Who it was for")
ARRIVED = N_("Whether it arrived")
SEEN = N_("Whether people could see it")
DID = N_("What people did")
LAW = N_("Whether all was in order")
NEXT = N_("What to do now")

MEANT_FOR = NN_("The message was meant for %(count)s person.", "The message was meant for %(count)s people.")
NOT_WRITTEN_TO = NN_(
    "%(count)s of them was not written to: %(reasons)s.",
    "%(count)s of them were not written to: %(reasons)s.",
)
NEXT_REASON = N_("; ")
"""Between two reasons."""
WHY: Mapping[LeftOutReason, str] = MappingProxyType(
    {
        LeftOutReason.EXCLUDED: N_("left out on purpose (%(count)s)"),
        LeftOutReason.NO_ADDRESS: N_("we have no address of theirs (%(count)s)"),
        LeftOutReason.NO_CONSENT: N_("they have not agreed to be written to (%(count)s)"),
        LeftOutReason.WITHDRAWN: N_("they no longer agree to be written to (%(count)s)"),
        LeftOutReason.SUPPRESSED: N_("they want no more mail, or their address is dead (%(count)s)"),
        LeftOutReason.CAPPED: N_("they had enough from us lately (%(count)s)"),
        LeftOutReason.NO_IDENTITY: N_("nobody of ours speaks for where they live (%(count)s)"),
        LeftOutReason.ELECTION: N_("there is a vote where they live (%(count)s)"),
        LeftOutReason.NO_TARGETING_CONSENT: N_("they have not agreed to be chosen by their data (%(count)s)"),
        LeftOutReason.TOO_YOUNG: N_("they are too young (%(count)s)"),
    }
)
OF_SENT = N_("Of %(sent)s messages that were sent, %(arrived)s arrived (%(share)s).")
NONE_SENT = N_("Nothing has been sent yet.")
CAME_BACK = NN_("%(count)s message came back.", "%(count)s messages came back.")
DEAD = NN_(
    "%(count)s message came back, mostly because the address does not exist any more.",
    "%(count)s messages came back, mostly because the addresses do not exist any more.",
)
WAITING = NN_(
    "%(count)s message is still waiting to leave.", "%(count)s messages are still waiting to leave."
)
TOO_LATE = NN_("%(count)s message could not leave in time.", "%(count)s messages could not leave in time.")
INBOX = N_(
    "Where it was looked for, between %(low)s and %(high)s of the messages are in the inbox, where people see"
    " them; the others are in the junk folder, or nowhere."
)
NOT_LOOKED = N_("Nobody looked in which folder it ended up: whether people could see it is not known.")
TEXTED = N_("Text messages have no junk folder: who got one could read it.")
AT_PROVIDER: Mapping[Word, str] = MappingProxyType(
    {
        Word.SPAM: N_("At %(provider)s it is in the junk folder."),
        Word.PROBABLE_SPAM: N_("At %(provider)s it is probably in the junk folder."),
        Word.MIXED: N_("At %(provider)s a part of it is in the junk folder."),
        Word.MISSING: N_("At %(provider)s a part of it has disappeared."),
        Word.REFUSED: N_("%(provider)s turned it away."),
        Word.SLOWED: N_("%(provider)s takes our messages only slowly."),
        Word.COMPLAINTS: N_("At %(provider)s many people reported it as junk."),
        Word.BOUNCES: N_("At %(provider)s many of our addresses are out of date."),
    }
)
CLICKED = NN_(
    "%(count)s person followed a link (%(share)s of those it reached).",
    "%(count)s people followed a link (%(share)s of those it reached).",
)
LEFT = NN_(
    "%(count)s person asked for no more messages; they get none.",
    "%(count)s people asked for no more messages; they get none.",
)
COMPLAINED = NN_("%(count)s person reported it as junk.", "%(count)s people reported it as junk.")
NOBODY_LEFT = N_("Nobody asked for no more messages, and nobody complained, as far as we are told.")
MORE: Mapping[tuple[str, bool], str] = MappingProxyType(
    {
        ("click", True): N_("More people followed a link than the last time."),
        ("click", False): N_("Fewer people followed a link than the last time."),
        ("unsubscribe", True): N_("More people left than the last time."),
        ("unsubscribe", False): N_("Fewer people left than the last time."),
        ("complaint", True): N_("More people reported it as junk than the last time."),
        ("complaint", False): N_("Fewer people reported it as junk than the last time."),
    }
)
"""What moved, and whether it rose."""
STEPS: Mapping[Status, str] = MappingProxyType(
    {
        Status.GREEN: N_("Nothing: all went as it should."),
        Status.GREY: N_("Nothing for now: too little is known to say whether all went well."),
        Status.AMBER: N_("Have your team look at it before the next message: %(places)s."),
        Status.RED: N_("Send nothing more before your team has mended it: %(places)s."),
    }
)
STEPS_WHOLE: Mapping[Status, str] = MappingProxyType(
    {
        Status.AMBER: N_("Have your team look at it before the next message."),
        Status.RED: N_("Send nothing more before your team has mended it."),
    }
)
UNDER_WAY = N_("The campaign is still under way: these figures will change.")
TEXT_STEP = N_("Nothing: if something is wrong, your team is told.")
