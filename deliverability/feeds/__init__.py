"""What receivers and mailbox providers report of us: readers without any network, and what asks them daily.

What comes in: bytes of strangers, as files, mails or answers of an API: DMARC aggregate and failure reports,
SMTP TLS reports, and the figures providers declare. What goes out: values (`deliverability.feeds.values`) and
their rows. Called by `deliverability.arrival` (mails), the web (uploads) and the service (`tocsin dmarc`,
`tocsin declared`, the daily look).

Nothing here raises anything but `UnreadableReportError` on what a stranger sent, takes more memory than
`containers.MAX_UNPACKED` allows, or asks the network for a report's sake.
"""

from typing import TYPE_CHECKING

from models.on_demand import offered

if TYPE_CHECKING:
    from deliverability.feeds.filing import Filed, file_reports
    from deliverability.feeds.reading import read_reports
    from deliverability.feeds.values import Report, UnreadableReportError
else:
    __getattr__ = offered(
        __name__,
        {
            "Filed": "filing",
            "Report": "values",
            "UnreadableReportError": "values",
            "file_reports": "filing",
            "read_reports": "reading",
        },
    )

__all__ = ["Filed", "Report", "UnreadableReportError", "file_reports", "read_reports"]
