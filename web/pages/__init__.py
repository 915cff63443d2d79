"""The pages of the organisation's people, one module a noun.

What comes in: a visit by somebody whose role reaches the page. What goes out: a page, or the way to
another one after a form. Only `web.app` may call.
"""

from web.pages import (
    accounts,
    campaign_form,
    campaign_people,
    campaigns,
    contacts,
    identities,
    imports,
    pace,
    report,
    segments,
    sign_in,
    suppressions,
    templates,
)

# The form before the campaigns: /campaigns/new must not be read as a campaign's number.
ROUTERS = (
    sign_in.router,
    accounts.router,
    campaign_form.router,
    campaigns.router,
    campaign_people.router,
    report.router,
    imports.router,
    contacts.router,
    segments.router,
    templates.router,
    identities.router,
    pace.router,
    suppressions.router,
)

__all__ = ["ROUTERS"]
