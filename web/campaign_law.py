"""What one campaign kept to, in sentences: a block of its report."""

from collections.abc import Iterator

from sqlmodel.ext.asyncio.session import AsyncSession

from models.states import LeftOutReason, LegalBasis, Nature, Purpose
from scheduler.compliance import CampaignCompliance, campaign_compliance
from scheduler.letters import notice_address
from web import compliance_words as words
from web.access import Visit
from web.compliance_view import Line
from web.i18n import Tongue
from web.law_log import checks_of, waiver_end, who_of

WITHOUT_CONSENT = (LeftOutReason.NO_CONSENT, LeftOutReason.WITHDRAWN)
WITHOUT_TARGETING = (LeftOutReason.NO_TARGETING_CONSENT, LeftOutReason.TOO_YOUNG)


async def law_on_record(
    visit: Visit, session: AsyncSession, campaign_id: int, *, plain: bool = False
) -> list[Line]:
    """What one campaign kept to, for whoever reads its report; `plain`: in a few words."""
    context = visit.context
    found = await campaign_compliance(session, campaign_id)
    notice = notice_address(context.tokens, context.public_url, campaign_id)
    return (law_in_short if plain else law_of)(found, notice, visit.tongue)


def law_of(found: CampaignCompliance, notice: str, tongue: Tongue) -> list[Line]:
    """What it is, whom it left out and why, what was stopped, and who went past what.

    `notice`: the address of its public notice, of political advertising.
    """
    return [
        _nature(found, notice, tongue),
        *_consent(found, tongue),
        *_silence(found, tongue),
        *_past(found, tongue),
    ]


def law_in_short(found: CampaignCompliance, notice: str, tongue: Tongue) -> list[Line]:
    """The same without figures that stand elsewhere on the page, and without the words of the checks."""
    past = [
        tongue.say(words.PAST_PLAIN, who=who_of(row.by, tongue), reason=row.reason) for row in found.overrides
    ]
    return [
        _nature(found, notice, tongue),
        _basis(found, tongue),
        *_stopped(found, tongue),
        *(Line("warn", said) for said in dict.fromkeys(past)),
    ]


def _nature(found: CampaignCompliance, notice: str, tongue: Tongue) -> Line:
    row = found.register
    if row is not None:
        text = words.NATURE_VOTE if row.vote else words.NATURE_POLITICAL
        return Line("good", tongue.say(text, payer=row.payer, vote=row.vote), notice)
    civic = found.campaign.nature is Nature.CIVIC
    return Line(
        "quiet" if civic else "warn", tongue.say(words.NATURE_CIVIC if civic else words.NATURE_UNSAID)
    )


def _basis(found: CampaignCompliance, tongue: Tongue) -> Line:
    if found.campaign.stream_key is not None and found.campaign.purpose is Purpose.TRANSACTIONAL:
        return Line("quiet", tongue.say(words.RESTS_ON_NOTHING))
    if found.campaign.basis is LegalBasis.CONSENT:
        return Line("good", tongue.say(words.RESTS_ON_CONSENT))
    return Line("warn", tongue.say(words.RESTS_ON_INTEREST))


def _consent(found: CampaignCompliance, tongue: Tongue) -> Iterator[Line]:
    yield _basis(found, tongue)
    for text, reasons in (
        (words.WITHOUT_CONSENT, WITHOUT_CONSENT),
        (words.WITHOUT_TARGETING, WITHOUT_TARGETING),
    ):
        people = sum(found.kept.left_out.get(reason, 0) for reason in reasons)
        if people:
            yield Line("good", tongue.count(text, people))
    suppressed = found.kept.left_out.get(LeftOutReason.SUPPRESSED, 0) + found.kept.stopped
    if suppressed:
        yield Line("good", tongue.count(words.SUPPRESSED_PEOPLE, suppressed))


def _silence(found: CampaignCompliance, tongue: Tongue) -> Iterator[Line]:
    left_out = found.kept.left_out.get(LeftOutReason.ELECTION, 0)
    if left_out:
        yield Line("good", tongue.count(words.LEFT_OUT_BY_VOTE, left_out))
    yield from _stopped(found, tongue)


def _stopped(found: CampaignCompliance, tongue: Tongue) -> Iterator[Line]:
    """What a vote stopped that was on its way, and who asked that it leave all the same."""
    if found.stopped:
        yield Line("good", tongue.count(words.STOPPED_BY_VOTE, found.stopped))
    for one in found.waivers:
        said = tongue.say(words.WAIVED, who=one.asked_by, why=one.reason, end=waiver_end(one, tongue))
        yield Line("warn" if one.agreed_at is not None else "quiet", said)


def _past(found: CampaignCompliance, tongue: Tongue) -> Iterator[Line]:
    for row in found.overrides:
        said = tongue.say(
            words.PAST,
            moment=tongue.moment(row.at),
            who=who_of(row.by, tongue),
            what=", ".join(checks_of(row, tongue)),
            reason=row.reason,
        )
        yield Line("warn", said)
