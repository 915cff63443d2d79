"""Each check before sending: what trips it, and that a message in order does not."""

import time
from dataclasses import replace
from datetime import date

import pytest

from deliverability.filters import SpamScore, Symbol
from deliverability.health import FindingLevel, HealthCode, HealthFinding
from models.preflight import LintLevel
from models.states import LegalBasis, Nature, Purpose
from scheduler.advertising import Advertising, Choice, ChosenBy
from scheduler.forecast import ColdLane
from scheduler.preflight.checks_of_links import host_of, same_organisation
from scheduler.preflight.examined import Crowd, Examined, Opinion, VotesAhead
from scheduler.preflight.findings import LintFinding, blockers, from_rows, gather, to_rows
from scheduler.preflight.table import CHECKS, look_at
from templates.label import Label
from tests.scheduler.mails import HEADERS, HTML, LEAVE, SENDER, WORDS, a_mail, seen, seen_text, with_header
from web.lint_words import LINT_WORDS

FAIR = SpamScore("rspamd", 1.0, 6.0, 4.0, 15.0, ())
LANE = ColdLane("national", "orange", 900, 50, date(2026, 3, 20))
SUBJECT = "Une réunion à Lyon"


def mail(**changed: object) -> Examined:
    return seen(mail=a_mail(**changed))  # type: ignore[arg-type]


def links(href: str, words: str = "Agir") -> Examined:
    return mail(html=HTML.replace("https://parti.fr/agir", href).replace(">Agir<", f">{words}<"))


def subject(text: str) -> Examined:
    return mail(headers=with_header("Subject", text))


def called(name: str) -> Examined:
    return seen(sender=replace(SENDER, name=name))


def scored(score: float, *, name: str = "rspamd") -> Examined:
    symbols = (Symbol("BAD_WORDS", 3.5, "Words of spam"), Symbol("R_DKIM_ALLOW", -0.2, ""))
    given = replace(FAIR, filter=name, score=score, symbols=symbols)
    return seen(
        opinion=Opinion(replace(given, delay=None, reject=None, mark=5.0) if name != "rspamd" else given)
    )


CHOSEN = Advertising(bound=True, choices=(Choice(ChosenBy.INCLUDED, ("tag",)),))
EXEMPT = Advertising(bound=True)
NEVER_TRIPS = {"ad.exempt"}
UNSIGNED_FIELD = "v=1; a=rsa-sha256; d=parti.fr; s=r; h=from:to:list-unsubscribe; bh=x; b=y"
TRIPPING: dict[str, Examined] = {
    "message.broken": seen(mail=None, broken="In line 3: no such thing."),
    "identity.unable": seen(mail=None, unable="suspended"),
    "merge.blank": seen(crowd=Crowd(10, 2, ["commune"])),
    "merge.unresolved": mail(text=f"Bonjour *|FNAME|*, {WORDS}"),
    "silence.within": seen(ahead=VotesAhead(silenced=5, votes="Vote", over="2026-03-15 20:00")),
    "silence.some": seen(ahead=VotesAhead(silenced=5, receiving=7, votes="Vote")),
    "silence.cuts": seen(ahead=VotesAhead(receiving=7, missed=2, cut_off="2026-03-13 22:00")),
    "silence.eve": seen(ahead=VotesAhead(receiving=7, votes="Vote", begins="2026-03-14 00:00")),
    "nature.unsaid": seen(nature=Nature.UNSAID),
    "unsubscribe.header": mail(headers=with_header("List-Unsubscribe", "<mailto:stop@parti.fr>")),
    "unsubscribe.open": mail(headers=with_header("List-Unsubscribe", "<http://liens.parti.fr/u/x>")),
    "unsubscribe.post": mail(headers=with_header("List-Unsubscribe-Post")),
    "unsubscribe.unsigned": mail(headers=with_header("DKIM-Signature", UNSIGNED_FIELD)),
    "unsubscribe.link": mail(html=HTML.replace("Se désinscrire", "")),
    "sender.unnamed": mail(html=HTML.replace("Le Parti", "Nous"), text=WORDS.replace("Le Parti", "Nous")),
    "sender.address": mail(html="<p>Le Parti</p>", text="Le Parti"),
    "origin.missing": seen(
        basis=LegalBasis.LEGITIMATE_INTEREST, mail=a_mail(html="<p>Salut</p>", text="Salut")
    ),
    "origin.unsaid": mail(html="<p>Le Parti</p>", text="Le Parti"),
    "form.from": mail(headers=with_header("From", "a@parti.fr, b@parti.fr")),
    "form.message_id": mail(headers=with_header("Message-ID", "token")),
    "form.twice": mail(headers=with_header("Subject", "Un", "Deux")),
    "form.line": seen(mail=replace(a_mail(), raw=b"Subject: x\r\n\r\n" + b"x" * 999 + b"\r\n")),
    "form.unsigned": mail(headers=with_header("DKIM-Signature")),
    "form.attached": mail(file="programme.pdf"),
    "subject.empty": subject(""),
    "subject.reply": subject("Re: votre question"),
    "subject.capitals": subject("URGENT LISEZ CECI"),
    "subject.excited": subject("Venez !! Vite"),
    "size.clipped": mail(largest=103 * 1024),
    "size.heavy": mail(largest=95 * 1024),
    "text.missing": mail(text=""),
    "images.only": mail(html=f'<img src="https://parti.fr/a.png" alt="Affiche"><a href="{LEAVE}"></a>'),
    "images.mostly": mail(html='<p>Le Parti</p><img src="https://parti.fr/a.png" alt="Affiche">'),
    "images.wordless": mail(html=f'{HTML}<img src="https://parti.fr/a.png">'),
    "link.open": links("http://parti.fr/agir"),
    "link.shortened": links("https://bit.ly/xyz"),
    "link.number": links("https://192.0.2.7/agir"),
    "link.mixed": links("https://xn--pypal-4ve.example/agir"),
    "link.other": links("https://ailleurs.example/", "www.parti.fr"),
    "counter.foreign": seen(public_url="https://clics.exemple.net"),
    "counter.open": seen(public_url="http://liens.parti.fr"),
    "name.pictures": called("Le Parti ✅"),
    "name.counter": called("Le Parti (2)"),
    "name.reader": called("Camille, le Parti"),
    "name.subject": called(f"Le Parti : {SUBJECT}"),
    "sending.no_way": seen(carried=False),
    "dns.unasked": seen(health=None),
    "crowd.nobody": seen(crowd=Crowd(0)),
    "crowd.first": seen(crowd=Crowd(201, first=True)),
    "crowd.cold": seen(crowd=Crowd(1000, cold=[LANE])),
    "filter.silent": seen(opinion=Opinion(problem="rspamd did not answer in time.")),
    "filter.refuses": scored(15.0),
    "filter.marks": scored(6.0),
    "filter.delays": scored(4.0),
    "ad.sensitive": seen(advertising=replace(CHOSEN, sensitive=("tag:religion",))),
    "ad.nobody": seen(advertising=CHOSEN, crowd=Crowd(0, not_agreed=12)),
    "ad.consent": seen(advertising=CHOSEN, crowd=Crowd(10, not_agreed=3, too_young=2)),
    "ad.unlabelled": seen(label=Label(targeted=True)),
    "ad.unlinked": replace(seen_text("Votez samedi. STOP au 36111"), label=Label("Comité Durand")),
    "sms.stop": seen_text("Bonjour, à samedi."),
    "sms.empty": seen_text(""),
    "sms.sender": seen_text("Bonjour. STOP au 36111", sender="Le Parti de Lyon"),
    "sms.nowhere": seen_text("Bonjour. STOP"),
    "sms.long": seen_text("a" * 500 + " STOP au 36111"),
    "sms.alphabet": seen_text("ê" * 80 + " STOP au 36111"),
}
IN_ORDER: dict[str, Examined] = {
    "crowd": seen(crowd=Crowd(200, first=True)),
    "known": seen(crowd=Crowd(50_000)),
    "another's lane": seen(crowd=Crowd(10, cold=[replace(LANE, identity_key="rhone")])),
    "fair score": seen(opinion=Opinion(FAIR)),
    "just below": scored(3.99),
    "text": seen_text("Bonjour, à samedi. STOP au 36111"),
    "all agreed": seen(advertising=CHOSEN, crowd=Crowd(10)),
    "nobody to ask": seen(advertising=CHOSEN, crowd=None),
    "not political": seen(advertising=replace(CHOSEN, bound=False), crowd=Crowd(10, not_agreed=3)),
    "whole list": seen(advertising=EXEMPT, crowd=Crowd(10)),
    "who pays is named": seen(label=Label(sponsor="Comité Durand")),
    "the vote is named": seen(label=Label(vote="Municipales 2026")),
    "text that leads to its notice": replace(
        seen_text("Votez. https://liens.parti.fr/notice/abc STOP au 36111"),
        label=Label("Comité Durand"),
        public_url="https://liens.parti.fr/",
    ),
    "number": seen_text("Bonjour. STOP", sender="+33612345678"),
    "agreed with a reason": mail(),
    "interest with a reason": seen(basis=LegalBasis.LEGITIMATE_INTEREST),
    "receipt": seen(purpose=Purpose.TRANSACTIONAL),
    "almost clipped": mail(largest=90 * 1024),
    "rehearsal": mail(headers=with_header("List-Unsubscribe", "<http://127.0.0.1:8025/u/x>")),
    "own below": seen(public_url="https://nouvelles.liens.parti.fr"),
    "one mark": subject("Venez !"),
    "re in a word": subject("Réunion : venez"),
    "long subject": subject("URGENT"),
    "shown as it leads": links("https://www.parti.fr/agir", "parti.fr"),
    "letters of one script": links("https://xn--lan-bma.example/"),
    "short name": seen(mail=a_mail(reader=("Li",)), sender=replace(SENDER, name="Li et le Parti")),
}


def codes(one: Examined, *levels: LintLevel) -> set[str]:
    return {finding.code for finding in look_at(one) if finding.level in levels}


@pytest.mark.parametrize("code", TRIPPING)
def test_what_is_wrong_is_found(code: str) -> None:
    check = next(check for check in CHECKS if check.code == code)
    found = [finding for finding in look_at(TRIPPING[code]) if finding.code == code]
    assert {finding.level for finding in found} == {check.level}
    words = LINT_WORDS[code]
    for finding in found:
        # Every value of the words is there.
        assert (words.what % {"code": code, **finding.values}) != ""
        assert (words.advice % {"code": code, **finding.values}) != ""


def test_every_check_has_a_message_that_trips_it_and_words() -> None:
    assert {check.code for check in CHECKS} - NEVER_TRIPS == set(TRIPPING)
    assert {check.code for check in CHECKS} == {code for code in LINT_WORDS if not code.startswith("seeds.")}
    assert len({check.look for check in CHECKS}) == len(CHECKS)


def test_a_message_in_order_trips_nothing_and_every_check_of_it_is_named() -> None:
    nothing = VotesAhead(receiving=10)
    whole = seen(crowd=Crowd(10), opinion=Opinion(FAIR), nature=Nature.CIVIC, ahead=nothing)
    assert codes(whole, LintLevel.BLOCK, LintLevel.WARN) == set()
    looked = codes(whole, LintLevel.FINE) | codes(seen_text("Bonjour. STOP au 36111"), LintLevel.FINE)
    looked |= codes(replace(whole, advertising=CHOSEN), LintLevel.FINE)
    looked |= codes(replace(whole, advertising=EXEMPT), LintLevel.FINE)
    political = replace(seen_text("https://liens.parti.fr/notice/x STOP"), label=Label("Comité Durand"))
    looked |= codes(replace(political, public_url="https://liens.parti.fr"), LintLevel.FINE)
    # Where there is consent nobody asks after the reason for having none.
    assert looked == {check.code for check in CHECKS} - {"origin.missing"}


@pytest.mark.parametrize("name", IN_ORDER)
def test_what_only_resembles_a_fault_is_none(name: str) -> None:
    assert codes(IN_ORDER[name], LintLevel.BLOCK, LintLevel.WARN) == set()


def test_who_did_not_agree_and_who_is_too_young_are_counted_together() -> None:
    [found] = [one for one in look_at(TRIPPING["ad.consent"]) if one.code == "ad.consent"]
    assert found.values == {"people": "5", "young": "2"}
    nobody = TRIPPING["ad.nobody"]
    assert "ad.consent" not in codes(nobody, LintLevel.WARN, LintLevel.FINE)
    assert "ad.exempt" in codes(IN_ORDER["whole list"], LintLevel.FINE)
    assert "ad.exempt" not in codes(IN_ORDER["all agreed"], LintLevel.FINE)


def test_of_silence_each_thing_is_said_once() -> None:
    everybody, some = TRIPPING["silence.within"], TRIPPING["silence.some"]
    assert codes(everybody, LintLevel.BLOCK, LintLevel.WARN) == {"silence.within"}
    assert codes(some, LintLevel.BLOCK, LintLevel.WARN) == {"silence.some"}
    assert "silence.within" not in codes(some, LintLevel.FINE)


def test_every_signature_has_to_cover_the_way_to_leave() -> None:
    # Verifiers that know one algorithm only see one of the two.
    one, other = (value for name, value in HEADERS if name == "DKIM-Signature")
    bare = other.replace(":list-unsubscribe-post", "")
    assert "unsubscribe.unsigned" in codes(
        mail(headers=with_header("DKIM-Signature", one, bare)), LintLevel.BLOCK
    )


def test_looking_twice_finds_the_same() -> None:
    for one in TRIPPING.values():
        assert list(look_at(one)) == list(look_at(one))


def test_a_score_names_the_rules_that_speak_against_the_message_and_what_they_mean() -> None:
    [found] = [finding for finding in look_at(scored(7.25)) if finding.level is not LintLevel.FINE]
    assert found.values == {
        "filter": "rspamd",
        "score": "7.2",
        "threshold": "6.0",
        "symbols": "BAD_WORDS +3.5 (Words of spam)",
    }


def test_spamassassin_neither_delays_nor_refuses() -> None:
    assert codes(scored(30.0, name="SpamAssassin"), LintLevel.WARN) == {"filter.marks"}


@pytest.mark.parametrize(
    ("code", "level", "expected"),
    [
        (HealthCode.SPF_MISSING, FindingLevel.PROBLEM, LintLevel.BLOCK),
        (HealthCode.DKIM_MISSING, FindingLevel.PROBLEM, LintLevel.BLOCK),
        (HealthCode.DMARC_MISSING, FindingLevel.PROBLEM, LintLevel.BLOCK),
        (HealthCode.ALIGNMENT_FAILS, FindingLevel.PROBLEM, LintLevel.BLOCK),
        (HealthCode.FROM_DOMAIN_NO_MX, FindingLevel.PROBLEM, LintLevel.BLOCK),
        (HealthCode.RETURN_PATH_NO_MX, FindingLevel.PROBLEM, LintLevel.WARN),
        (HealthCode.BLOCKLIST_LISTED, FindingLevel.PROBLEM, LintLevel.WARN),
        (HealthCode.SPF_UNKNOWN, FindingLevel.UNKNOWN, LintLevel.WARN),
        (HealthCode.GENERAL_DNS_SILENT, FindingLevel.UNKNOWN, LintLevel.WARN),
        (HealthCode.DKIM_SHORT, FindingLevel.WARNING, LintLevel.WARN),
        (HealthCode.SPF_FINE, FindingLevel.FINE, LintLevel.FINE),
        (HealthCode.BIMI_MISSING, FindingLevel.ADVICE, None),
    ],
)
def test_what_the_dns_told_counts_by_what_providers_refuse_mail_for(
    code: HealthCode, level: FindingLevel, expected: LintLevel | None
) -> None:
    health = [HealthFinding(code, level, {"name": "parti.fr"})]
    found = [finding for finding in look_at(seen(health=health)) if finding.code.startswith("health.")]
    wanted = (
        []
        if expected is None
        else [LintFinding(expected, f"health.{code}", {"name": "parti.fr"}, ("national",))]
    )
    assert found == wanted


def test_findings_of_several_identities_are_told_once_with_all_of_them_and_blockers_first() -> None:
    one, other = seen(health=None), seen(health=None, sender=replace(SENDER, key="rhone"))
    bad = replace(other, unable="retired")
    found = gather(finding for each in (one, bad) for finding in look_at(each))
    assert [finding.code for finding in blockers(found)] == ["identity.unable"]
    assert found[0].where == ("rhone",)
    assert next(finding for finding in found if finding.code == "dns.unasked").where == ("national", "rhone")
    levels = [list(LintLevel).index(finding.level) for finding in found]
    assert levels == sorted(levels)
    # What is wrong with one identity is not in order because another has it right.
    assert ("identity.unable", LintLevel.FINE) not in {(each.code, each.level) for each in found}


def test_findings_are_kept_as_they_are() -> None:
    found = gather(look_at(TRIPPING["crowd.cold"]))
    assert from_rows(to_rows(found)) == found


@pytest.mark.parametrize(
    ("host", "other", "same"),
    [
        ("liens.parti.fr", "parti.fr", True),
        ("a.b.parti.asso.fr", "lettres.parti.asso.fr", True),
        ("parti.asso.fr", "autre.asso.fr", False),
        ("www.party.co.uk", "other.co.uk", False),
        ("192.0.2.1", "192.0.2.1", False),
        ("localhost", "localhost", False),
    ],
)
def test_whether_two_hosts_are_one_organisation_s(host: str, other: str, same: bool) -> None:
    assert same_organisation(host, other) is same


@pytest.mark.parametrize(
    ("href", "shown"),
    [
        ("https://parti.fr/programme-2027.pdf", "programme.pdf"),
        ("https://dons.parti.fr/", "parti.fr/dons"),
        ("https://www.mairie-lyon.fr/", "mairie-lyon.fr"),
    ],
)
def test_a_file_s_name_and_a_host_of_the_same_people_mislead_nobody(href: str, shown: str) -> None:
    assert "link.other" not in {
        one.code for one in look_at(links(href, shown)) if one.level is LintLevel.WARN
    }


@pytest.mark.parametrize("target", ["http://[x", "https://exa\u2100mple.fr/", "//["])
def test_a_link_that_leads_nowhere_breaks_no_look(target: str) -> None:
    assert list(look_at(links(target, "www.parti.fr")))
    assert host_of(target) == ""


@pytest.mark.parametrize("sign", ["{{", "{%", "<%", "*|a", "${a", "[[a"])
def test_signs_that_never_end_are_read_at_once(sign: str) -> None:
    begun = time.monotonic()
    list(look_at(mail(text=f"{sign * 20_000} {WORDS}")))
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize(
    "said",
    [
        "Vous êtes inscrite à notre lettre depuis la réunion de mai.",
        "Nous vous écrivons car votre nom figure sur les listes électorales de Lyon.",
        "Vous nous avez laissé votre adresse sur un marché.",
        "Because you signed our petition.",
    ],
)
def test_the_usual_ways_to_say_where_an_address_comes_from_are_understood(said: str) -> None:
    one = seen(
        basis=LegalBasis.LEGITIMATE_INTEREST, mail=a_mail(html=f"<p>Le Parti. {said}</p>", text="Le Parti")
    )
    assert "origin.missing" not in {found.code for found in look_at(one) if found.level is LintLevel.BLOCK}
