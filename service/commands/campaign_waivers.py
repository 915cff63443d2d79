"""`tocsin campaign waiver`: one person asks that a campaign leave in election silence, another one agrees."""

from typing import Annotated

import typer
from sqlmodel.ext.asyncio.session import AsyncSession

from models.access import Role
from models.campaign import Campaign
from models.election import SilenceWaiver
from models.errors import BadInputError, ConflictError
from service.commands import examples, read_mailbox
from service.desk import Desk, work
from service.terminal import moment, print_table, say
from service.wishes import wanted_campaign

Which = Annotated[str, typer.Argument(help="Number or name of the campaign.", metavar="CAMPAIGN")]
Reason = Annotated[
    str, typer.Option("--reason", help="Ask, and say why; somebody else has to agree.", metavar="TEXT")
]
Agree = Annotated[bool, typer.Option("--agree", help="Agree to what somebody else asked.")]
Refuse = Annotated[bool, typer.Option("--refuse", help="Refuse it, or take back what was agreed to.")]
By = Annotated[
    str, typer.Option("--by", help="Who answers for it: the address of an administrator.", metavar="ADDRESS")
]


def waiver(
    *, campaign: Which, reason: Reason = "", agree: Agree = False, refuse: Refuse = False, by: By = ""
) -> None:
    """Show who asked that a campaign leave in election silence; ask, agree or refuse.

    It takes two administrators, and holds for the campaign as it is: whoever changes it has to ask again.
    """
    if (bool(reason.strip()), agree, refuse).count(True) > 1:
        raise BadInputError("Ask, agree or refuse: one at a time.", "See `tocsin campaign waiver --help`.")
    if (reason.strip() or agree or refuse) and not by.strip():
        raise BadInputError("Somebody must answer for it.", "Name an administrator with --by.")
    told, waivers, zone = work(
        lambda desk: _do(desk, campaign, reason=reason.strip(), agree=agree, refuse=refuse, by=by)
    )
    say(told)
    print_table(["Asked", "By", "Why", "Agreed", "Refused"], [_row(one, zone) for one in waivers], empty="")


def _row(one: SilenceWaiver, zone: str) -> tuple[str, ...]:
    agreed = f"{one.agreed_by}, {moment(one.agreed_at, zone)}" if one.agreed_at else ""
    refused = f"{one.refused_by}, {moment(one.refused_at, zone)}" if one.refused_at else ""
    return (moment(one.asked_at, zone), one.asked_by, one.reason, agreed, refused)


async def _do(
    desk: Desk, which: str, *, reason: str, agree: bool, refuse: bool, by: str
) -> tuple[str, list[SilenceWaiver], str]:
    """What became of it, and every waiver of the campaign, the latest first."""
    from scheduler.waivers import agree_to_waiver, ask_waiver, refuse_waiver
    from store import elections

    now = desk.clock.now()
    async with desk.database.write() as session:
        found = await wanted_campaign(session, which)
        if reason or agree or refuse:
            by = await _administrator(session, by)
        if reason:
            await ask_waiver(session, found.id, by, reason, now)
        elif agree:
            await agree_to_waiver(session, await _standing(session, found, agreed=False), by, now)
        elif refuse:
            await refuse_waiver(session, await _standing(session, found, agreed=None), by, now)
        told = await _tell(session, found)
        return told, await elections.waivers_of(session, found.id), desk.settings.zone


async def _administrator(session: AsyncSession, by: str) -> str:
    """The address of an administrator's account; BadInputError for anybody else."""
    from store.users import find_user

    user = await find_user(session, read_mailbox(by))
    if user is not None and user.role is Role.ADMIN:
        return user.email
    raise BadInputError(
        f"{by.strip()} is no administrator here.", "`tocsin user list` shows the accounts; it takes two."
    )


async def _standing(session: AsyncSession, campaign: Campaign, *, agreed: bool | None) -> int:
    """The number of the latest waiver that nobody refused; `agreed` None: whether agreed to or not."""
    from store import elections

    for one in await elections.waivers_of(session, campaign.id):
        if one.refused_at is None and (agreed is None or (one.agreed_at is not None) == agreed):
            return one.id
    raise ConflictError(f"Nothing of that kind was asked for {campaign.name!r}.", "--reason asks.")


async def _tell(session: AsyncSession, campaign: Campaign) -> str:
    from scheduler.silence import binds
    from scheduler.waivers import lifted_among

    if not binds(campaign.nature, campaign.purpose):
        return f"{campaign.name}: election silence does not bind it."
    if await lifted_among(session, [campaign.id]):
        return f"{campaign.name}: two people let it leave in election silence."
    return f"{campaign.name}: election silence holds it."


def register(group: typer.Typer) -> None:
    """Put the command into `tocsin campaign`."""
    group.command(
        "waiver",
        epilog=examples(
            "tocsin campaign waiver 3 --reason 'Court order of 13 March' --by ana@example.org",
            "tocsin campaign waiver 3 --agree --by bob@example.org",
        ),
    )(waiver)
