"""The SPF record to publish instead of a broken one: everybody it names stays, within the limits.

What costs look-ups is written out as addresses, least addresses first, until ten are enough. Such a record
has to be looked at again when a service it names moves, which the daily look does.
"""

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv4Network, collapse_addresses, ip_network

from deliverability.health.inquiry import Inquiry
from deliverability.health.setup import SendingSetup
from deliverability.health.spf_record import Network, Qualifier, SpfRecord, SpfSyntaxError, Term, read_spf
from deliverability.health.spf_survey import MOST_LOOKUPS, MOST_VOIDS, Costs, survey_draft
from deliverability.resolver import CannotAskError

LONGEST = 4_000
BLANK = "include:SPF-OF-YOUR-MAIL-SERVER"
"""Stands for what only a person knows."""


def our_terms(setup: SendingSetup) -> tuple[Term, ...]:
    """What has to be in a record so that our mail passes; none when nothing is known."""
    return (*_readable(setup.relay_spf.split()), *(_term_of(ip_network(ip)) for ip in setup.sending_ips))


def fresh_record(setup: SendingSetup) -> str:
    """The record of a name that has none."""
    words = " ".join(map(str, our_terms(setup))) or BLANK
    return f"v=spf1 {words} -all"


async def mend(
    texts: tuple[str, ...], domain: str, setup: SendingSetup, inquiry: Inquiry, *, is_ours_alone: bool
) -> str:
    """One record in place of `texts`. `is_ours_alone`: nobody but us sends with this return path."""
    words = [word for text in texts for word in text.split()[1:]]
    terms = [*our_terms(setup), *_readable(words)]
    redirects = [term for term in terms if term.name == "redirect"]
    ends = [term.qualifier for term in terms if term.name == "all"]
    kept = _each_once(term for term in terms if term.name not in {"all", "redirect", "ptr"})
    if not kept and not redirects:
        return fresh_record(setup)
    # Beside an `all` a redirect says nothing; what it brought in comes as an include.
    kept += [] if ends else [replace(term, name="include") for term in redirects]
    draft = SpfRecord((*kept, Term("all", _end(ends, is_ours_alone=is_ours_alone))))
    try:
        survey = await survey_draft(draft, domain, inquiry)
    except CannotAskError:
        return str(draft)
    mended = str(draft.with_terms(_within_limits(survey.parts)))
    # What no form takes is no help: who sends in earnest fits into a fraction of it.
    return mended if len(mended) <= LONGEST else fresh_record(setup)


def _readable(words: Iterable[str]) -> list[Term]:
    """The terms among words; what cannot be read is left out."""
    found: list[Term] = []
    for word in words:
        try:
            record = read_spf(f"v=spf1 {word}")
        except SpfSyntaxError:
            continue
        found += [*record.terms, *([record.redirect] if record.redirect else [])]
    return found


def _each_once(terms: Iterable[Term]) -> list[Term]:
    return list({str(term).lower(): term for term in terms}.values())


def _end(ends: list[Qualifier], *, is_ours_alone: bool) -> Qualifier:
    """-all where the name is ours alone or somebody already said so, otherwise the softer ~all."""
    return Qualifier.FAIL if is_ours_alone or Qualifier.FAIL in ends else Qualifier.SOFTFAIL


def _within_limits(parts: tuple[Costs, ...]) -> tuple[Term, ...]:
    """The terms without those that answer nothing, the cheapest to write out as networks until it fits."""
    kept = [part for part in parts if not _is_dead(part)]
    lookups = sum(part.lookups for part in kept)
    voids = sum(len(part.voids) for part in kept)
    written: set[int] = set()
    order = sorted(range(len(kept)), key=lambda index: (not kept[index].voids, len(kept[index].networks)))
    for index in order:
        part = kept[index]
        if lookups <= MOST_LOOKUPS and voids <= MOST_VOIDS:
            break
        if part.lookups and part.is_fixed:
            written.add(index)
            lookups -= part.lookups
            voids -= len(part.voids)
    terms: list[Term] = []
    for index, part in enumerate(kept):
        if index in written:
            terms += [_term_of(network) for network in _collapsed(part.networks)]
        else:
            terms.append(part.term)
    return tuple(_each_once(terms))


def _is_dead(part: Costs) -> bool:
    """Whether a term can only do harm: it names nothing, or makes the whole record an error."""
    if part.below is not None:
        return any(survey.fault is not None for survey in part.below.all_below())
    return part.too_many_exchangers or (bool(part.voids) and not part.networks)


def _collapsed(networks: tuple[Network, ...]) -> list[Network]:
    four = collapse_addresses(each for each in networks if isinstance(each, IPv4Network))
    six = collapse_addresses(each for each in networks if not isinstance(each, IPv4Network))
    return [*four, *six]


def _term_of(network: Network) -> Term:
    return Term("ip4" if network.version == 4 else "ip6", network=network)
