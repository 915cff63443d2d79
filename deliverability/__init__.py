"""The workshop for what comes back: bounces, complaints, unsubscriptions, clicks, seeds, reports.

What comes in: bytes at the mail listener, forms of provider hooks, mailboxes read over IMAP, replies of
mail servers to be judged. What goes out: events (each piece of news once), suppressions, consent
withdrawals, and the campaign's report. Called by the scheduler (to judge a reply), the web (hooks, the
unsubscribe page, reports) and the service (the listener, the seed poll, the DNS check).

What opens a network port or needs a library stays in its own module, imported where it is used:
`deliverability.inbox`, `.placement`, `.resolver`. A new source of news is one reader in `signals/`; a
new meaning of a reply is one rule in `rules/*.toml`.
"""

from typing import TYPE_CHECKING

from models.on_demand import offered

if TYPE_CHECKING:
    from deliverability.classify import classify_reply
    from deliverability.feedback import Applied, apply
    from deliverability.report import CampaignReport, campaign_report
    from deliverability.suppression import reason_for
else:
    __getattr__ = offered(
        __name__,
        {
            "Applied": "feedback",
            "CampaignReport": "report",
            "apply": "feedback",
            "campaign_report": "report",
            "classify_reply": "classify",
            "reason_for": "suppression",
        },
    )

__all__ = ["Applied", "CampaignReport", "apply", "campaign_report", "classify_reply", "reason_for"]
