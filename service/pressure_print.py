"""A plan's days and how often people are written to, on the terminal: the page's own words, in English."""

from deliverability.burden import Burden
from service.terminal import print_table, say
from service.verdict_print import MARKS
from web.i18n import Tongue
from web.pressure_view import plans_view, pressure_view


def print_burden(found: Burden | None, tongue: Tongue) -> None:
    """Each plan's days of the period, the week, and what many messages do; nothing where there is nothing."""
    if found is None:
        return
    plans = [plan for plan in plans_view(found.plans, tongue) if plan.days]
    if plans:
        say("")
        say("Volume against the warm-up plan")
        print_table(
            ["Provider", "State", "Day", "#Allowed", "#Sent", "#Used", "What followed"],
            [
                (plan.provider, plan.state, day.day, day.allowed, day.sent, day.share, day.followed)
                for plan in plans
                for day in reversed(plan.days)
            ],
            empty="",
        )
    told = pressure_view(found.pressure, tongue)
    say("")
    say("How often people are written to")
    for sentence in told.week:
        say(sentence.text)
    if told.week_lines:
        print_table(
            ["Messages in 7 days", "#From this sender", "#Of the list", "#From all senders", "#Of the list"],
            [(line.band, line.own, line.own_share, line.all, line.all_share) for line in told.week_lines],
            empty="",
        )
    for sentence in told.curve:
        mark = f"{MARKS[sentence.tone]} " if sentence.tone in {"warn", "good"} else ""
        say(f"{mark}{sentence.text}")
    if told.curve_lines:
        print_table(
            ["In the 7 days before", "#Messages", "#Clicks", "#Unsubscriptions", "#Complaints"],
            [(line.band, line.messages, *(share for share, _ in line.rates)) for line in told.curve_lines],
            empty="",
        )
