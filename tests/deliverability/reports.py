"""Reports of receivers as tests send them, written here and by nobody else."""

import base64
import gzip
import io
import json
import zipfile

BEGIN, END = 1_796_083_200, 1_796_169_599
"""30 November 2026, from midnight to midnight."""


def a_record(
    source: str = "192.0.2.10",
    count: object = 3,
    *,
    dkim: str = "pass",
    spf: str = "pass",
    disposition: str = "none",
    sender: str = "parti.fr",
    signer: str = "parti.fr",
    selector: str = "t1",
    signed: str = "pass",
    mail_domain: str = "b.parti.fr",
    sent: str = "pass",
    reason: str = "",
) -> str:
    why = f"<reason><type>{reason}</type><comment>because</comment></reason>" if reason else ""
    return f"""<record><row><source_ip>{source}</source_ip><count>{count}</count><policy_evaluated>
<disposition>{disposition}</disposition><dkim>{dkim}</dkim><spf>{spf}</spf>{why}</policy_evaluated></row>
<identifiers><header_from>{sender}</header_from></identifiers><auth_results>
<dkim><domain>{signer}</domain><selector>{selector}</selector><result>{signed}</result></dkim>
<spf><domain>{mail_domain}</domain><result>{sent}</result></spf></auth_results></record>"""


def an_aggregate(
    *records: str,
    org: str = "Mailbox Ltd",
    number: str = "r-1",
    domain: str = "parti.fr",
    policy: str = "none",
    root: str = "<feedback>",
    version: str = "",
    begin: int = BEGIN,
    end: int = END,
) -> bytes:
    rows = "".join(records or (a_record(),))
    return f"""<?xml version="1.0" encoding="UTF-8"?>
{root}{version}<report_metadata><org_name>{org}</org_name><email>dmarc@mailbox.example</email>
<report_id>{number}</report_id><date_range><begin>{begin}</begin><end>{end}</end></date_range></report_metadata>
<policy_published><domain>{domain}</domain><adkim>r</adkim><aspf>r</aspf><p>{policy}</p><sp>reject</sp>
<pct>100</pct></policy_published>{rows}</feedback>""".encode()


def a_tls_report(*, number: str = "t-1", domain: str = "parti.fr", failures: int = 3) -> bytes:
    return json.dumps(
        {
            "organization-name": "Mailbox Ltd",
            "date-range": {
                "start-datetime": "2026-11-30T00:00:00Z",
                "end-datetime": "2026-11-30T23:59:59Z",
            },
            "contact-info": "tls@mailbox.example",
            "report-id": number,
            "policies": [
                {
                    "policy": {"policy-type": "sts", "policy-domain": domain},
                    "summary": {
                        "total-successful-session-count": 97,
                        "total-failure-session-count": failures,
                    },
                    "failure-details": [
                        {
                            "result-type": "certificate-expired",
                            "sending-mta-ip": "198.51.100.7",
                            "failed-session-count": failures,
                        }
                    ],
                }
            ],
        }
    ).encode()


def zipped(*contents: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, content in enumerate(contents):
            archive.writestr(f"report-{number}.xml", content)
    return file.getvalue()


def a_mail(
    content: bytes,
    *,
    kind: str = "application/gzip",
    name: str = "report.xml.gz",
    subject: str = "Report Domain: parti.fr Submitter: mailbox.example Report-ID: r-1",
    to: str = "dmarc@b.parti.fr",
) -> bytes:
    return b"\r\n".join(
        [
            b"From: Mailbox Ltd <dmarc@mailbox.example>",
            f"To: {to}".encode(),
            f"Subject: {subject}".encode(),
            b"Date: Tue, 01 Dec 2026 04:00:00 +0000",
            b"Message-ID: <r-1@mailbox.example>",
            b"MIME-Version: 1.0",
            b'Content-Type: multipart/mixed; boundary="cut"',
            b"",
            b"--cut",
            b"Content-Type: text/plain",
            b"",
            b"This is a DMARC aggregate report.",
            b"--cut",
            f'Content-Type: {kind}; name="{name}"'.encode(),
            b"Content-Transfer-Encoding: base64",
            f'Content-Disposition: attachment; filename="{name}"'.encode(),
            b"",
            base64.encodebytes(content).replace(b"\n", b"\r\n"),
            b"--cut--",
            b"",
        ]
    )


def mailed() -> bytes:
    """An aggregate report as most come: gzip, in a mail."""
    return a_mail(gzip.compress(an_aggregate()))


def a_failure(
    *,
    fields: str = "",
    kind: str = "auth-failure",
    arrived: str = "Mon, 30 Nov 2026 10:00:00 +0100",
    number: str = "<letter-1@stranger.example>",
    to: str = "dmarc@b.parti.fr",
) -> bytes:
    report = "\r\n".join(
        [
            f"Feedback-Type: {kind}",
            "User-Agent: Mailbox/1.0",
            "Version: 1",
            "Original-Mail-From: <someone@stranger.example>",
            "Original-Rcpt-To: <camille@mailbox.example>",
            f"Arrival-Date: {arrived}",
            "Source-IP: 203.0.113.66",
            "Reported-Domain: parti.fr",
            *([fields] if fields else []),
        ]
    )
    return f"""From: dmarc@mailbox.example\r
To: {to}\r
Subject: Failure report for parti.fr\r
Date: Mon, 30 Nov 2026 10:01:00 +0100\r
MIME-Version: 1.0\r
Content-Type: multipart/report; report-type=feedback-report; boundary="cut"\r
\r
--cut\r
Content-Type: text/plain\r
\r
A mail in your name did not pass.\r
--cut\r
Content-Type: message/feedback-report\r
\r
{report}\r
\r
--cut\r
Content-Type: message/rfc822\r
\r
From: Parti <contact@parti.fr>\r
To: camille@mailbox.example\r
Subject: Votez\r
Message-ID: {number}\r
\r
Bonjour\r
--cut--\r
""".encode()


DKIM_FAILED = "Auth-Failure: dkim\r\nDelivery-Result: reject"
