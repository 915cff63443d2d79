"""The other door for programs: those that only speak SMTP hand over finished mails (RFC 6409).

What comes in: connections of programs that sign in with an API key. What goes out: the same wishes the API
takes on, on record before the mail is answered with 250. The service opens it.
"""

from web.submission.desk import SubmissionDesk
from web.submission.listener import SubmissionServer
from web.submission.mail import MailRefusedError, SubmittedMail, read_mail

__all__ = ["MailRefusedError", "SubmissionDesk", "SubmissionServer", "SubmittedMail", "read_mail"]
