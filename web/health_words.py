"""What a look at an identity found, in the words of people who write letters, and for them to hand on.

`said` and `advised` fill and translate; the terminal takes the same English sentences (`service.dns_view`).
"""

from collections.abc import Mapping
from types import MappingProxyType

from deliverability.health.findings import FindingLevel, HealthCode, HealthFinding, Part
from web.health_sentences import AUTHENTICATION, NOT_ASKED, REPLACE, Sentences
from web.i18n import N_, Tongue

PARTS: Mapping[Part, str] = MappingProxyType(
    {
        Part.GENERAL: N_("In general"),
        Part.DKIM: N_("Signature (DKIM)"),
        Part.SPF: N_("Servers that may send (SPF)"),
        Part.DMARC: N_("What receivers do with forgeries (DMARC)"),
        Part.ALIGNMENT: N_("Would our mail pass DMARC?"),
        Part.RETURN_PATH: N_("Where bounces return"),
        Part.FROM_DOMAIN: N_("The domain people see"),
        Part.HOST: N_("Our mail server"),
        Part.BLOCKLIST: N_("Block lists"),
        Part.MTA_STS: N_("Encryption of mail to you (MTA-STS)"),
        Part.TLS_RPT: N_("Reports on encryption (TLS-RPT)"),
        Part.BIMI: N_("Your logo in mailboxes (BIMI)"),
    }
)
LEVELS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        FindingLevel.FINE: (N_("In order"), "good"),
        FindingLevel.ADVICE: (N_("Advice"), "quiet"),
        FindingLevel.UNKNOWN: (N_("Not known"), "quiet"),
        FindingLevel.WARNING: (N_("To be mended"), "warn"),
        FindingLevel.PROBLEM: (N_("Problem"), "bad"),
    }
)
"""How a level is called, and in which tone; a `models.health.HealthLevel` is found by the same words."""

_RECEIVED: Mapping[HealthCode, Sentences] = MappingProxyType(
    {
        HealthCode.GENERAL_SMS_ONLY: Sentences(
            N_("This identity sends text messages only: there is nothing to publish.")
        ),
        HealthCode.GENERAL_DNS_SILENT: Sentences(
            N_("The DNS could not be asked: no name server answered."),
            N_("Check the network and the name servers of the machine that Tocsin runs on, then look again."),
        ),
        HealthCode.GENERAL_CUT_SHORT: Sentences(
            N_("The look was cut short: it took more than %(questions)s questions or %(seconds)s seconds."),
            N_("One of the records names too many others. What receivers give up on is told above."),
        ),
        HealthCode.RETURN_PATH_FINE: Sentences(N_("Bounces come back: %(name)s receives mail.")),
        HealthCode.RETURN_PATH_NO_MX: Sentences(
            N_("Bounces are lost: %(name)s has no mail server (MX)."),
            N_("Ask whoever runs the domain’s DNS to publish the record shown."),
        ),
        HealthCode.RETURN_PATH_NULL_MX: Sentences(
            N_("%(name)s says that it takes no mail at all: bounces are lost, and some providers refuse us."),
            REPLACE,
        ),
        HealthCode.RETURN_PATH_ELSEWHERE: Sentences(
            N_("Bounces to %(name)s go to %(hosts)s, not to %(wanted)s."),
            N_("Publish the record shown, or see that bounces are handed on to Tocsin from there."),
        ),
        HealthCode.RETURN_PATH_HOST_NOWHERE: Sentences(
            N_("Bounces are lost: the mail server of %(name)s, %(hosts)s, has no address."), REPLACE
        ),
        HealthCode.RETURN_PATH_NO_SOA: Sentences(
            N_("%(name)s stands in no zone (SOA); Yahoo refuses such return paths."),
            N_("Check that the domain is registered and that its name servers know it."),
        ),
        HealthCode.RETURN_PATH_UNKNOWN: Sentences(
            N_("Whether bounces come back to %(name)s could not be asked: %(why)s"), NOT_ASKED
        ),
        HealthCode.FROM_DOMAIN_FINE: Sentences(N_("People can answer: %(name)s receives mail.")),
        HealthCode.FROM_DOMAIN_NO_MX: Sentences(
            N_("%(name)s has no mail server of its own (MX): answers may be lost."),
            N_("Publish the record shown with the name of the server that holds your mailboxes."),
        ),
        HealthCode.FROM_DOMAIN_NULL_MX: Sentences(
            N_("%(name)s says that it takes no mail at all: providers refuse mail from it."),
            N_(
                "Write from a domain that receives mail, or put the record shown in the place of what is"
                " there, with the name of the server that holds your mailboxes."
            ),
        ),
        HealthCode.FROM_DOMAIN_HOST_NOWHERE: Sentences(
            N_("The mail server of %(name)s, %(hosts)s, has no address: nobody can answer you."),
            N_("Publish the record shown with the name of the server that holds your mailboxes."),
        ),
        HealthCode.FROM_DOMAIN_NOWHERE: Sentences(
            N_("%(name)s receives no mail and has no address: providers refuse senders without a home."),
            N_("Write from a domain that receives mail, or publish the record shown."),
        ),
        HealthCode.FROM_DOMAIN_FREE_MAIL: Sentences(
            N_(
                "%(name)s belongs to a mailbox provider, who tells the others to refuse what we send from it."
            ),
            N_("Write from a domain of your own."),
        ),
        HealthCode.FROM_DOMAIN_NO_SOA: Sentences(
            N_("%(name)s stands in no zone (SOA); Yahoo refuses such senders."),
            N_("Check that the domain is registered and that its name servers know it."),
        ),
        HealthCode.FROM_DOMAIN_UNKNOWN: Sentences(
            N_("Whether %(name)s receives mail could not be asked: %(why)s"), NOT_ASKED
        ),
        HealthCode.HOST_FINE: Sentences(
            N_("Our mail server %(name)s and its addresses lead to one another: %(ips)s.")
        ),
        HealthCode.HOST_NO_PTR: Sentences(
            N_(
                "The address %(ip)s has no reverse name (PTR): Gmail, Orange and La Poste refuse mail"
                " from it."
            ),
            N_("Whoever rents you the server or the line sets the record shown."),
        ),
        HealthCode.HOST_PTR_ASTRAY: Sentences(
            N_("The reverse name of %(ip)s, %(names)s, does not lead back to it."),
            N_("Publish the record shown, so that name and address agree."),
        ),
        HealthCode.HOST_HELLO_NO_NAME: Sentences(
            N_("Our mail server greets as “%(name)s”, which is no full name: some providers refuse that."),
            N_("Set TOCSIN_HELLO_NAME, and the same name in the mail server, to its full name."),
        ),
        HealthCode.HOST_HELLO_NOWHERE: Sentences(
            N_("Our mail server greets as %(name)s, and the DNS knows no address for it."),
            N_("Ask whoever runs the domain’s DNS to publish the record shown."),
        ),
        HealthCode.HOST_HELLO_ASTRAY: Sentences(
            N_("Our mail server greets as %(name)s, which leads to %(addresses)s and not to %(ips)s."),
            N_("Publish the record shown beside what is there, or greet with another name."),
        ),
        HealthCode.HOST_UNKNOWN: Sentences(
            N_("Whether %(name)s is in order could not be asked: %(why)s"), NOT_ASKED
        ),
        HealthCode.BLOCKLIST_CLEAR: Sentences(N_("Not on a block list: %(subjects)s. Asked: %(lists)s.")),
        HealthCode.BLOCKLIST_LISTED: Sentences(
            N_("%(subject)s is on the block list %(list)s: %(meaning)s."),
            N_(
                "Find out why before you ask to be taken off, at %(delist)s: who asks too early is listed"
                " again."
            ),
        ),
        HealthCode.BLOCKLIST_UNKNOWN: Sentences(
            N_("%(list)s did not answer about %(subject)s: %(why)s"),
            N_("Many lists do not answer public name servers: set TOCSIN_DNS_SERVERS to your own."),
        ),
        HealthCode.MTA_STS_FINE: Sentences(N_("Mail to %(domain)s has to come encrypted (MTA-STS).")),
        HealthCode.MTA_STS_MISSING: Sentences(
            N_("%(domain)s does not say that mail to it has to come encrypted (MTA-STS)."),
            N_("Good to have: publish the record shown, and a policy at https://mta-sts.%(domain)s."),
        ),
        HealthCode.MTA_STS_SYNTAX: Sentences(N_("The record %(name)s cannot be read: %(fault)s"), REPLACE),
        HealthCode.MTA_STS_POLICY_UNREACHABLE: Sentences(
            N_("The policy at %(url)s could not be read: %(why)s"),
            N_("Put the policy there, or take the record %(name)s away."),
        ),
        HealthCode.MTA_STS_POLICY_SYNTAX: Sentences(
            N_("The policy at %(url)s is not as it has to be: %(fault)s"), N_("Correct the file.")
        ),
        HealthCode.MTA_STS_POLICY_LEAVES_OUT: Sentences(
            N_("The policy at %(url)s leaves out a mail server of %(domain)s: %(hosts)s."),
            N_("Add it there: servers that keep to the policy do not deliver to it."),
        ),
        HealthCode.MTA_STS_UNKNOWN: Sentences(N_("%(name)s could not be asked for: %(why)s"), NOT_ASKED),
        HealthCode.TLS_RPT_FINE: Sentences(
            N_("Other servers report when mail to %(domain)s cannot be encrypted (TLS-RPT).")
        ),
        HealthCode.TLS_RPT_MISSING: Sentences(
            N_("Nobody is told when mail to %(domain)s cannot be encrypted (TLS-RPT)."),
            N_("Good to have: publish the record shown."),
        ),
        HealthCode.TLS_RPT_SYNTAX: Sentences(N_("The record %(name)s cannot be read: %(fault)s"), REPLACE),
        HealthCode.TLS_RPT_UNKNOWN: Sentences(N_("%(name)s could not be asked for: %(why)s"), NOT_ASKED),
        HealthCode.BIMI_FINE: Sentences(N_("Mailboxes that take part can show your logo (BIMI).")),
        HealthCode.BIMI_MISSING: Sentences(
            N_("%(domain)s has no logo for mailboxes that would show one (BIMI)."),
            N_("Good to have, once DMARC says quarantine or reject: put the logo on the web as SVG Tiny PS."),
        ),
        HealthCode.BIMI_SYNTAX: Sentences(N_("The record %(name)s cannot be used: %(fault)s."), REPLACE),
        HealthCode.BIMI_POLICY: Sentences(
            N_("The logo of %(domain)s is not shown: DMARC only watches."),
            N_("Mailboxes show it once DMARC says quarantine or reject."),
        ),
        HealthCode.BIMI_NO_CERTIFICATE: Sentences(
            N_("The logo of %(domain)s has no certificate: Gmail and Apple do not show it, others do."),
            N_("Gmail and Apple want a certificate of the mark (VMC or CMC), which is bought by the year."),
        ),
        HealthCode.BIMI_UNKNOWN: Sentences(N_("%(name)s could not be asked for: %(why)s"), NOT_ASKED),
    }
)
SENTENCES: Mapping[HealthCode, Sentences] = MappingProxyType({**_RECEIVED, **AUTHENTICATION})

_VALUES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "dkim": {
            "pass": N_("passes"),
            "not_aligned": N_("belongs to another domain"),
            "broken": N_("cannot be checked"),
            "no_key": N_("is missing"),
            "unknown": N_("could not be asked about"),
        },
        "spf": {
            "pass": N_("passes"),
            "likely": N_("passes, as far as can be seen"),
            "not_aligned": N_("belongs to another domain"),
            "broken": N_("does not pass"),
            "unknown": N_("could not be asked about"),
        },
        "fault": {
            "missing": N_("has no SPF record"),
            "several": N_("has several SPF records"),
            "syntax": N_("has an SPF record that cannot be read"),
            "exchangers": N_("names more than ten mail servers"),
        },
        "policy": {
            "none": N_("watched only (none)"),
            "quarantine": N_("to spam (quarantine)"),
            "reject": N_("refused (reject)"),
            "": N_("no policy"),
        },
        "meaning": {
            "spam": N_("spam was sent from there"),
            "snowshoe": N_("mail of bad repute, or spam spread over many addresses"),
            "misused": N_("a machine there is infected or misused"),
            "hijacked": N_("the whole network belongs to criminals"),
            "not_for_mail": N_("the address is one of a home or a cloud that should send no mail itself"),
            "phishing": N_("passwords were fished there"),
            "malware": N_("malware was spread there"),
            "abused": N_("the site was broken into, or is misused by others"),
            "reported": N_("recipients have reported mail from there as spam"),
            "trapped": N_("mail from there reached addresses that never asked for any"),
            "bulk": N_("mail in bulk of doubtful consent"),
            "new": N_("the domain is new"),
        },
        "why": {
            "no_answer": N_("no answer came."),
            "strange": N_("a name server answered in its place."),
            "deaf": N_("our name server is not answered."),
            "says_all": N_("it names everybody, as lists do that have closed down."),
            "public_resolver": N_("it does not answer public name servers."),
            "too_many": N_("it has been asked too often from here."),
            "mistyped": N_("its address is wrong."),
        },
    }
)
"""Values that are words of ours and not of the DNS."""


def said(finding: HealthFinding, tongue: Tongue) -> str:
    """What was found, in a sentence."""
    return say_code(finding.code, finding.values, tongue)


def advised(finding: HealthFinding, tongue: Tongue) -> str:
    """What to do about it, "" for nothing."""
    advice = SENTENCES[finding.code].advice
    return _fill(tongue.say(advice), finding.values, tongue) if advice else ""


def say_code(code: HealthCode, values: Mapping[str, str], tongue: Tongue) -> str:
    """The sentence of a code."""
    return _fill(tongue.say(SENTENCES[code].what), values, tongue)


def _fill(text: str, values: Mapping[str, str], tongue: Tongue) -> str:
    """The sentence with its values; one that an older look did not keep stays blank."""
    told = {name: _value(name, value, tongue) for name, value in values.items()}
    return (text % _Lenient(told)).strip()


class _Lenient(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return ""


def _value(name: str, value: str, tongue: Tongue) -> str:
    words = _VALUES.get(name, {})
    return tongue.say(words[value]) if value in words else value
