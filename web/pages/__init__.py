"""The pages of the organisation's people, one module a noun.

What comes in: a visit by somebody whose role reaches the page. What goes out: a page, or the way to
another one after a form. Only `web.app` may call.
"""

from web.pages import (
    accounts,
    campaign_canary,
    campaign_checks,
    campaign_form,
    campaign_people,
    campaigns,
    contacts,
    deliverability,
    deliveries,
    identities,
    imports,
    incoming,
    pace,
    replay,
    report,
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
    campaigns.router,
    campaign_canary.router,
    campaign_checks.router,
    campaign_people.router,
    report.router,
    imports.router,
    contacts.router,
    segments.router,
    templates.router,
    identities.router,
    pace.router,
    deliverability.router,
    deliveries.router,
    incoming.router,
    replay.router,
    suppressions.router,
    suppression_lists.router,
    suppression_undo.router,
)

__all__ = ["ROUTERS"]
