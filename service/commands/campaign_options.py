"""Options that several commands about campaigns share, and what they change."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from models.campaign import Campaign
from models.canary import CanaryDeed, CanaryPlan
from models.states import LatePolicy, Nature, Purpose
from service.terminal import moment
from service.wishes import moment_of

if TYPE_CHECKING:
    from scheduler.campaigns import NewCampaign

NONE = "none"

Urgent = Annotated[
    bool | None, typer.Option("--urgent/--not-urgent", help="Before all other campaigns, in every lane.")
]
Until = Annotated[
    str | None,
    typer.Option(
        "--until",
        help="Deadline: nothing leaves after it. A time as '2026-12-01 20:00', or none.",
        metavar="TIME",
    ),
]
Late = Annotated[
    LatePolicy | None,
    typer.Option("--late", help="When the start comes too late: send it all the same, skip it, or ask."),
]
LateAfter = Annotated[
    int | None,
    typer.Option("--late-after", help="How late is too late; 60 unless told.", metavar="MINUTES"),
]
Hours = Annotated[
    str | None,
    typer.Option(
        "--hours",
        help="When messages may arrive, on the recipients' clocks: 'mon-fri 09:00-20:00, sat 10:00-18:00',"
        " or always; with 'not on holidays' at the end to spare them; '' for the hours of the settings.",
        metavar="HOURS",
    ),
]
First = Annotated[
    int | None,
    typer.Option(
        "--first",
        help="A canary: so many people, drawn by chance, and the seeds go first; the rest waits until the"
        " seeds are found. 0: everybody at once.",
        metavar="PEOPLE",
    ),
]
FirstWait = Annotated[
    int | None,
    typer.Option(
        "--first-wait",
        help="How long the rest waits for the seeds, 5 minutes to a day; 30.",
        metavar="MINUTES",
    ),
]
IfBad = Annotated[
    CanaryDeed | None,
    typer.Option("--if-bad", help="When seeds are in spam: hold the rest, alert (and go on), or go_on."),
]
IfUnknown = Annotated[
    CanaryDeed | None,
    typer.Option("--if-unknown", help="When too few seeds are found: hold, alert (and go on), or go_on."),
]
For = Annotated[
    Purpose | None,
    typer.Option(
        "--purpose",
        help="campaign, or transactional (receipts, answers): past the limits on how often a person is"
        " written to.",
    ),
]
AsNature = Annotated[
    Nature | None,
    typer.Option(
        "--nature",
        help="political: election silence and the rules of political advertising bind it; civic: neither"
        " does. TOCSIN_NATURE unless told.",
    ),
]
Sponsor = Annotated[
    str | None,
    typer.Option("--sponsor", help="Who pays for it, if not the sender's organisation.", metavar="TEXT"),
]
Vote = Annotated[
    str | None,
    typer.Option("--vote", help="The election or referendum it is about.", metavar="TEXT"),
]
Spent = Annotated[
    str | None,
    typer.Option("--spent", help="What it cost, and where the money comes from, in words.", metavar="TEXT"),
]


@dataclass(frozen=True, slots=True)
class Manners:
    """When and how a campaign may leave, as it was typed; None: as it is."""

    urgent: bool | None = None
    until: str | None = None
    late: LatePolicy | None = None
    late_after: int | None = None
    hours: str | None = None
    purpose: Purpose | None = None
    first: int | None = None
    first_wait: int | None = None
    if_bad: CanaryDeed | None = None
    if_unknown: CanaryDeed | None = None
    nature: Nature | None = None
    sponsor: str | None = None
    vote: str | None = None
    spent: str | None = None

    def apply(self, wanted: "NewCampaign", zone: str, now: datetime) -> "NewCampaign":
        """The campaign with what was typed; times are of `zone`. BadInputError."""
        from scheduler.calendar import read_sending_windows
        from scheduler.campaigns import instant

        if self.urgent is not None:
            wanted = replace(wanted, urgent=self.urgent)
        if self.until is not None:
            deadline = None if self.until == NONE else instant(*moment_of(self.until, zone, now))
            wanted = replace(wanted, not_after=deadline)
        if self.late is not None:
            wanted = replace(wanted, late_policy=self.late)
        if self.late_after is not None:
            wanted = replace(wanted, late_minutes=self.late_after)
        if self.hours is not None:
            wanted = replace(wanted, windows=read_sending_windows(self.hours))
        if self.purpose is not None:
            wanted = replace(wanted, purpose=self.purpose)
        return replace(
            wanted,
            canary=self._canary(wanted.canary),
            nature=self.nature or wanted.nature,
            sponsor=wanted.sponsor if self.sponsor is None else self.sponsor,
            vote=wanted.vote if self.vote is None else self.vote,
            spent=wanted.spent if self.spent is None else self.spent,
        )

    def _canary(self, plan: CanaryPlan | None) -> CanaryPlan | None:
        """The canary as it was, with what was typed about it; typing anything but 0 makes one."""
        typed = (self.first, self.first_wait, self.if_bad, self.if_unknown)
        if self.first == 0:
            return None
        if all(word is None for word in typed):
            return plan
        plan = plan or CanaryPlan()
        return CanaryPlan(
            plan.people if self.first is None else self.first,
            plan.wait if self.first_wait is None else timedelta(minutes=self.first_wait),
            self.if_bad or plan.when_bad,
            self.if_unknown or plan.when_unknown,
        )


def manners_of(campaign: Campaign) -> list[tuple[str, str]]:
    """Its nature and what else of a campaign's manners is not as usual, in words."""
    from scheduler.calendar import windows_from_rows, write_sending_windows

    told = [("Nature", campaign.nature.value)]
    told += [
        (name, said)
        for name, said in (("Paid by", campaign.sponsor), ("Vote", campaign.vote), ("Spent", campaign.spent))
        if said
    ]
    if campaign.not_after is not None:
        told.append(("Deadline", moment(campaign.not_after, campaign.zone)))
    if campaign.windows:
        told.append(("Hours", write_sending_windows(windows_from_rows(campaign.windows))))
    if campaign.urgent:
        told.append(("Urgent", "before all others"))
    if campaign.purpose is not Purpose.CAMPAIGN:
        told.append(("Purpose", campaign.purpose.value))
    if campaign.late_policy is not LatePolicy.SEND:
        told.append(("If late", f"{campaign.late_policy.value}, from {campaign.late_minutes} min on"))
    return told
