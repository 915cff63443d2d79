"""What the clicks of people tell of the folder their mail is in: differences in differences.

Fewer clicks may be a dull subject, another segment, an early look. So a provider is held against its own
past and against what changed at the other providers meanwhile: a fall everywhere is the campaign's, a fall
at one provider is its folder's. The base is the median of several comparable campaigns, since one of them
may have been foldered itself. Rates have half a click added, so that none at all is a number, too.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, erfc, log, pi, sqrt
from statistics import median, variance

from deliverability.assessment.facts import ClickChange, ClickReason, Clicks
from deliverability.assessment.limits import ClickLimits, limits

ByProvider = Mapping[str, Clicks]
MEDIAN_COSTS = pi / 2
"""A median is that much less certain than a mean of the same observations."""


@dataclass(frozen=True, slots=True)
class _Base:
    """What was usual: a rate, the deliveries it rests on, and its relative variance."""

    rate: float
    delivered: int
    variance: float


def click_change(
    now: Clicks,
    base: Sequence[Clicks],
    others_now: Clicks,
    others_base: Sequence[Clicks],
) -> ClickChange:
    """How clicks at one provider changed; `base` and `others_base` are of the same campaigns, in order.

    Campaigns with too few deliveries, here or elsewhere, are left out of the base. Never raises.
    """
    rules = limits().clicks
    pairs = [
        (here, there)
        for here, there in zip(base, others_base, strict=False)
        if min(here.delivered, there.delivered) >= rules.fewest_delivered
    ][: rules.campaigns]
    few = _too_few(now, others_now, len(pairs), rules)
    if few is not None:
        return few
    here, there = _usual([one for one, _ in pairs]), _usual([other for _, other in pairs])
    ratio, others_ratio = _rate(now) / here.rate, _rate(others_now) / there.rate
    expected = now.delivered * here.rate * others_ratio
    if min(expected, now.delivered * here.rate) < rules.fewest_expected:
        needed = ceil(rules.fewest_expected / (here.rate * min(1.0, others_ratio)))
        return ClickChange(ClickReason.FEW_CLICKS, now, campaigns=len(pairs), needed=needed)
    doubt = here.variance + there.variance + 1 / (others_now.clicked + 0.5) + _restlessness(pairs)
    p = max(_p_of_own(now, here), _p_of_difference(now, expected, doubt))
    difference = log(ratio) - log(others_ratio)
    return ClickChange(
        ClickReason.ASSESSED,
        now,
        ratio=ratio,
        others_ratio=others_ratio,
        difference=difference,
        p=p,
        collapsed=_is_collapse(ratio, difference, p, rules),
        campaigns=len(pairs),
    )


def click_changes(now: ByProvider, base: Sequence[ByProvider]) -> dict[str, ClickChange]:
    """The change at every provider of a campaign, against the same campaigns before, newest first.

    Several providers looked at are several chances of a false alarm: `p` is Holm's. A provider that has
    collapsed is not among "the others" any more, or a large one would hide all that fell with it.
    """
    fallen: dict[str, ClickChange] = {}
    while True:
        standing = {provider: clicks for provider, clicks in now.items() if provider not in fallen}
        changes = _holm({provider: _against(provider, standing, base) for provider in standing}, len(now))
        new = {provider: change for provider, change in changes.items() if change.collapsed}
        # Where nobody would be left to compare with, it fell everywhere: no provider's doing.
        if not new or len(new) == len(standing):
            return {provider: (fallen | changes)[provider] for provider in now}
        fallen |= new


def change_everywhere(now: ByProvider, base: Sequence[ByProvider]) -> ClickChange:
    """How clicks changed over all providers: a collapse is one of the campaign, not of a folder.

    `others_ratio` is 1: there are no others.
    """
    rules = limits().clicks
    whole = _sum(now.values())
    usual = [_sum(campaign.values()) for campaign in base]
    usual = [one for one in usual if one.delivered >= rules.fewest_delivered][: rules.campaigns]
    few = _too_few(whole, whole, len(usual), rules)
    if few is not None:
        return few
    before = _usual(usual)
    if whole.delivered * before.rate < rules.fewest_expected:
        needed = ceil(rules.fewest_expected / before.rate)
        return ClickChange(ClickReason.FEW_CLICKS, whole, campaigns=len(usual), needed=needed)
    ratio, p = _rate(whole) / before.rate, _p_of_own(whole, before)
    return ClickChange(
        ClickReason.ASSESSED,
        whole,
        ratio=ratio,
        others_ratio=1.0,
        difference=log(ratio),
        p=p,
        collapsed=_is_collapse(ratio, log(ratio), p, rules),
        campaigns=len(usual),
    )


def _against(provider: str, standing: ByProvider, base: Sequence[ByProvider]) -> ClickChange:
    """One provider against the others that stand."""
    others = [name for name in standing if name != provider]
    return click_change(
        standing[provider],
        [campaign.get(provider, Clicks(0, 0)) for campaign in base],
        _sum(standing[name] for name in others),
        [_sum(campaign.get(name, Clicks(0, 0)) for name in others) for campaign in base],
    )


def _holm(changes: Mapping[str, ClickChange], most: int) -> dict[str, ClickChange]:
    """The same with Holm's p; `most`: how many were looked at in all, those taken out included."""
    rules = limits().clicks
    told = sorted((change.p, provider) for provider, change in changes.items() if change.p is not None)
    taken_out = most - len(changes)
    adjusted = dict(changes)
    largest = 0.0
    for place, (p, provider) in enumerate(told):
        largest = max(largest, min(1.0, p * (len(told) + taken_out - place)))
        change = changes[provider]
        adjusted[provider] = replace(
            change,
            p=largest,
            collapsed=_is_collapse(change.ratio or 1.0, change.difference or 0.0, largest, rules),
        )
    return adjusted


def _is_collapse(ratio: float, difference: float, p: float, rules: ClickLimits) -> bool:
    """Fallen itself, not only left behind by others that rose."""
    return ratio < 1 and difference < log(rules.ratio) and p < rules.p


def _too_few(now: Clicks, others: Clicks, campaigns: int, rules: ClickLimits) -> ClickChange | None:
    fewest = rules.fewest_delivered
    if now.delivered < fewest:
        return ClickChange(ClickReason.FEW_DELIVERED, now, campaigns=campaigns, needed=fewest)
    if campaigns < rules.fewest_campaigns:
        return ClickChange(ClickReason.FEW_CAMPAIGNS, now, campaigns=campaigns, needed=rules.fewest_campaigns)
    if others.delivered < fewest:
        return ClickChange(ClickReason.NO_OTHERS, now, campaigns=campaigns, needed=fewest)
    return None


def _usual(campaigns: Sequence[Clicks]) -> _Base:
    clicked = sum(one.clicked for one in campaigns)
    cost = MEDIAN_COSTS if len(campaigns) > 2 else 1.0
    return _Base(
        rate=median(_rate(one) for one in campaigns),
        delivered=sum(one.delivered for one in campaigns),
        variance=cost / (clicked + 0.5),
    )


def _rate(clicks: Clicks) -> float:
    """The share of people who clicked, never quite nobody and never more than everybody."""
    clicked = min(max(clicks.clicked, 0), clicks.delivered)
    return (clicked + 0.5) / (clicks.delivered + 1)


def _sum(several: Iterable[Clicks]) -> Clicks:
    clicked = delivered = 0
    for one in several:
        clicked, delivered = clicked + one.clicked, delivered + one.delivered
    return Clicks(clicked, delivered)


def _restlessness(pairs: Sequence[tuple[Clicks, Clicks]]) -> float:
    """How much this provider differs from the others from campaign to campaign, beyond mere chance."""
    if len(pairs) < 3:
        return 0.0
    seen = variance(log(_rate(here)) - log(_rate(there)) for here, there in pairs)
    chance = sum(1 / (here.clicked + 0.5) + 1 / (there.clicked + 0.5) for here, there in pairs) / len(pairs)
    return max(0.0, seen - chance)


def _p_of_own(now: Clicks, base: _Base) -> float:
    """The two-proportion test of a campaign against its base; two-sided."""
    clicked = min(max(now.clicked, 0), now.delivered)
    pooled = (clicked + base.rate * base.delivered) / (now.delivered + base.delivered)
    spread = sqrt(pooled * (1 - pooled) * (1 / now.delivered + MEDIAN_COSTS / base.delivered))
    return _p((clicked / now.delivered - base.rate) / spread) if spread else 1.0


def _p_of_difference(now: Clicks, expected: float, doubt: float) -> float:
    """The clicks there were against those expected; `doubt`: the relative variance of the expectation.

    On the scale of square roots, on which counts have one variance: small ones are judged like large ones.
    """
    clicked = min(max(now.clicked, 0), now.delivered)
    distance = 2 * (sqrt(clicked + 3 / 8) - sqrt(expected + 3 / 8))
    return _p(distance / sqrt(1 + expected * doubt))


def _p(z: float) -> float:
    return erfc(abs(z) / sqrt(2))
