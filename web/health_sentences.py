"""What a look at an identity's DNS found about its signature, SPF and DMARC, a sentence and an advice a code.

English sources; `web.health_words` fills and translates them. The record to publish is shown beside them, so
"the record shown" is it.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from deliverability.health.findings import HealthCode
from web.i18n import N_


class Sentences(NamedTuple):
    """What was found, and what to do about it ("" for nothing)."""

    what: str
    advice: str = ""


NOT_ASKED = N_("Nothing is known of it now. It is asked again by itself; look once more in an hour.")
REPLACE = N_("Ask whoever runs the domain’s DNS to put the record shown in the place of what is there.")

AUTHENTICATION: Mapping[HealthCode, Sentences] = MappingProxyType(
    {
        HealthCode.DKIM_FINE: Sentences(N_("The signature (DKIM) can be checked: %(name)s holds our key.")),
        HealthCode.DKIM_NO_KEY: Sentences(
            N_("This identity has no key, so its messages are not signed (DKIM)."),
            N_("Make a key for it. Gmail, Yahoo, Microsoft and Orange ask for a signature."),
        ),
        HealthCode.DKIM_NO_RSA: Sentences(
            N_("This identity signs with Ed25519 only, which many mailbox providers cannot check."),
            N_("Give it an RSA key as well."),
        ),
        HealthCode.DKIM_MISSING: Sentences(
            N_("The signature (DKIM) cannot be checked: %(name)s holds no key."),
            N_("Ask whoever runs the domain’s DNS to publish the record shown, copied as it stands."),
        ),
        HealthCode.DKIM_REVOKED: Sentences(
            N_("The key under %(name)s is revoked (an empty p=): every signature made with it fails."),
            N_("If that was not meant, put the record shown in its place; otherwise sign with another key."),
        ),
        HealthCode.DKIM_OTHER_KEY: Sentences(
            N_("%(name)s holds another key than ours: every signature fails."), REPLACE
        ),
        HealthCode.DKIM_SYNTAX: Sentences(
            N_("The key record %(name)s cannot be read: %(fault)s."),
            N_(
                "Put the record shown in its place. Forms of DNS hosts often add quotation marks or cut"
                " long values."
            ),
        ),
        HealthCode.DKIM_SEVERAL: Sentences(
            N_("%(name)s holds %(count)s records, so receivers may take the wrong one."),
            N_("Leave the record shown alone under this name."),
        ),
        HealthCode.DKIM_WEAK: Sentences(
            N_("The key under %(name)s has %(bits)s bits only: receivers count it as none."),
            N_("Make a new key, of %(good)s bits."),
        ),
        HealthCode.DKIM_SHORT: Sentences(
            N_("The key under %(name)s has %(bits)s bits; %(good)s are usual today."),
            N_("Make a new key when you next change it."),
        ),
        HealthCode.DKIM_TESTING: Sentences(
            N_("The key under %(name)s says that it is being tested (t=y): some receivers ignore it."),
            REPLACE,
        ),
        HealthCode.DKIM_NOT_FOR_MAIL: Sentences(
            N_("The key under %(name)s may not be used for our messages (%(tag)s)."), REPLACE
        ),
        HealthCode.DKIM_UNKNOWN: Sentences(
            N_("Whether %(name)s holds our key could not be asked: %(why)s"), NOT_ASKED
        ),
        HealthCode.SPF_FINE: Sentences(
            N_("SPF is in order for %(name)s: %(lookups)s of 10 look-ups are used.")
        ),
        HealthCode.SPF_MISSING: Sentences(
            N_("%(name)s has no SPF record: nobody can tell which servers may send for it."),
            N_("Ask whoever runs the domain’s DNS to publish the record shown."),
        ),
        HealthCode.SPF_SEVERAL: Sentences(
            N_("%(name)s has %(count)s SPF records; receivers count that as an error and accept none."),
            N_("Keep one: the record shown joins them."),
        ),
        HealthCode.SPF_SYNTAX: Sentences(
            N_("The SPF record of %(name)s cannot be read at “%(term)s”: receivers drop it whole."), REPLACE
        ),
        HealthCode.SPF_TOO_MANY_LOOKUPS: Sentences(
            N_(
                "The SPF record of %(name)s makes receivers look up %(lookups)s names; beyond %(most)s"
                " they give up and nothing passes. What costs most: %(terms)s."
            ),
            N_(
                "Take out services that no longer send for you. Otherwise publish the record shown, which"
                " writes addresses out; look again when one of these services moves."
            ),
        ),
        HealthCode.SPF_TOO_MANY_VOIDS: Sentences(
            N_(
                "The SPF record of %(name)s names %(voids)s that answer nothing (%(names)s); beyond"
                " %(most)s, receivers give up and nothing passes."
            ),
            REPLACE,
        ),
        HealthCode.SPF_LOOP: Sentences(
            N_("The SPF record of %(name)s leads back to itself (%(names)s): nothing passes."), REPLACE
        ),
        HealthCode.SPF_INCLUDE_BROKEN: Sentences(
            N_(
                "The SPF record of %(name)s includes %(included)s, which %(fault)s: for receivers the"
                " whole record is an error."
            ),
            N_("Ask that service for the right name, or publish the record shown, which goes without it."),
        ),
        HealthCode.SPF_ALLOWS_ALL: Sentences(
            N_("The SPF record of %(by)s lets the whole world send in your name (+all)."), REPLACE
        ),
        HealthCode.SPF_OPEN_END: Sentences(
            N_("The SPF record of %(name)s does not say what to think of other servers."),
            N_("End it with -all or ~all, as in the record shown."),
        ),
        HealthCode.SPF_PTR: Sentences(
            N_("The SPF record of %(name)s uses “ptr”, which is slow and which many receivers ignore."),
            REPLACE,
        ),
        HealthCode.SPF_TOO_LONG: Sentences(
            N_("The SPF record of %(name)s is %(size)s characters long; above %(most)s some cannot read it."),
            N_("Take out services that no longer send for you."),
        ),
        HealthCode.SPF_LEAVES_US_OUT: Sentences(
            N_("The SPF record of %(name)s does not let our mail pass: %(missing)s is not in it."), REPLACE
        ),
        HealthCode.SPF_UNKNOWN: Sentences(
            N_("The SPF record of %(name)s could not be asked for: %(why)s"), NOT_ASKED
        ),
        HealthCode.DMARC_FINE: Sentences(
            N_("DMARC is published at %(name)s; what fails is to be treated so: %(policy)s.")
        ),
        HealthCode.DMARC_MISSING: Sentences(
            N_("%(domain)s has no DMARC record. Gmail, Yahoo and Microsoft ask for one."),
            N_(
                "Ask whoever runs the domain’s DNS to publish the record shown: it changes nothing by itself."
            ),
        ),
        HealthCode.DMARC_SEVERAL: Sentences(
            N_("%(name)s holds %(count)s DMARC records; receivers then see none."),
            N_("Keep one: the record shown joins them."),
        ),
        HealthCode.DMARC_SYNTAX: Sentences(
            N_("The DMARC record %(name)s cannot be read at: %(fault)s."), REPLACE
        ),
        HealthCode.DMARC_POLICY_NONE: Sentences(
            N_("DMARC at %(name)s only watches (p=none): anybody can still write in your name."),
            N_(
                "When the reports have shown only your own servers for a few weeks, publish the record"
                " shown, later p=reject."
            ),
        ),
        HealthCode.DMARC_TESTING: Sentences(
            N_("DMARC at %(name)s is being tested (t=y): receivers do one step less than it says."),
            N_("When the tests are over, publish the record shown."),
        ),
        HealthCode.DMARC_OLD_TAGS: Sentences(
            N_("DMARC at %(name)s uses tags that are no longer read: %(tags)s."), REPLACE
        ),
        HealthCode.DMARC_NO_REPORTS: Sentences(
            N_("DMARC at %(name)s names nobody who gets reports (rua): misuse and errors stay unseen."),
            REPLACE,
        ),
        HealthCode.DMARC_REPORTS_UNAUTHORISED: Sentences(
            N_(
                "Reports about %(domain)s are to go to %(destination)s, which does not say that it takes"
                " them: they are not sent."
            ),
            N_("Whoever runs the DNS of %(destination)s publishes the record shown."),
        ),
        HealthCode.DMARC_UNKNOWN: Sentences(
            N_("The DMARC record at %(name)s could not be asked for: %(why)s"), NOT_ASKED
        ),
        HealthCode.ALIGNMENT_FINE: Sentences(
            N_("A message from %(name)s passes DMARC, by its signature and by SPF.")
        ),
        HealthCode.ALIGNMENT_DKIM_ONLY: Sentences(
            N_("A message from %(name)s passes DMARC by its signature alone; SPF %(spf)s."),
            N_(
                "Microsoft and Orange want both. Mend SPF, or take a return path below %(name)s if it"
                " belongs to another domain."
            ),
        ),
        HealthCode.ALIGNMENT_SPF_ONLY: Sentences(
            N_("A message from %(name)s passes DMARC by SPF alone; the signature %(dkim)s."),
            N_(
                "Gmail wants both, and SPF is lost when mail is forwarded. Mend the signature of"
                " %(dkim_domain)s."
            ),
        ),
        HealthCode.ALIGNMENT_FAILS: Sentences(
            N_(
                "A message from %(name)s would fail DMARC: the signature %(dkim)s, SPF %(spf)s. Providers"
                " refuse such messages or take them for spam."
            ),
            N_(
                "Mend the signature of %(dkim_domain)s or SPF of %(return_path)s; at least one has to"
                " belong to %(name)s."
            ),
        ),
        HealthCode.ALIGNMENT_DEPENDS: Sentences(
            N_(
                "Whether a message from %(name)s passes DMARC depends on the receiver: older and newer"
                " ones do not agree on whose domain %(dkim_domain)s and %(return_path)s are."
            ),
            N_("Sign with %(name)s itself, and take a return path below it."),
        ),
        HealthCode.ALIGNMENT_UNKNOWN: Sentences(
            N_("Whether a message from %(name)s passes DMARC could not be found out. %(why)s"), NOT_ASKED
        ),
    }
)
