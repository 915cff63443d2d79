"""The pages of the organisation's people, one module a noun.

What comes in: a visit by somebody whose role reaches the page. What goes out: a page, or the way to
another one after a form. Only `web.app` may call.
"""

from web.pages import (
    accounts,
    authentication,
    campaign_canary,
    campaign_checks,
    campaign_form,
    campaign_list,
    campaign_people,
    campaign_silence,
    campaigns,
    contacts,
    declared,
    deliverability,
    deliveries,
    elections,
    identities,
    identity_deeds,
    imports,
    incidents,
    incoming,
    pace,
    replay,
    report,
    seeds,
    segments,
    sign_in,
    suppression_lists,
    suppression_undo,
    suppressions,
    templates,
)

# The form before the campaigns: /campaigns/new must not be read as a campaign's number.
ROUTERS = (
    sign_in.router,
    accounts.router,
    campaign_form.router,
    campaign_list.router,
    campaigns.router,
    campaign_canary.router,
    campaign_checks.router,
    campaign_people.router,
    campaign_silence.router,
    report.router,
    imports.router,
    contacts.router,
    segments.router,
    templates.router,
    identities.router,
    identity_deeds.router,
    pace.router,
    elections.router,
    incidents.router,
    deliverability.router,
    authentication.router,
    declared.router,
    deliveries.router,
    incoming.router,
    replay.router,
    suppressions.router,
    suppression_lists.router,
    suppression_undo.router,
    seeds.router,
)

__all__ = ["ROUTERS"]
