"""What is read never raises anything but its own error, and what is written is read again as it was."""

import ipaddress

from hypothesis import assume, given
from hypothesis import strategies as st

from deliverability.health.dmarc_record import Policy, is_dmarc, mended, read_dmarc, with_tags
from deliverability.health.findings import FindingLevel, HealthCode, HealthFinding, level_of
from deliverability.health.grammar import fault_of_mta_sts, fault_of_tls_report, read_mta_sts_policy
from deliverability.health.spf_record import Qualifier, SpfRecord, SpfSyntaxError, Term, is_spf, read_spf
from deliverability.health.tags import read_tags, write_tags
from models.health import HealthLevel

LABELS = st.from_regex(r"[a-z][a-z0-9]{0,10}", fullmatch=True)
NAMES = st.lists(LABELS, min_size=2, max_size=4).map(".".join)
NETWORKS = st.one_of(
    st.ip_addresses(v=4).map(ipaddress.ip_network), st.ip_addresses(v=6).map(ipaddress.ip_network)
)
WORDS = st.sampled_from(
    [
        "v=spf1",
        "ip4:",
        "ip4:192.0.2.1/33",
        "a",
        "a/24",
        "mx//64",
        "include:",
        "all",
        "-all",
        "%{i}",
        "%{",
        "x=y",
        "redirect=a.example",
        "redirect=",
        "exp=%{z}",
        "ptr",
        "exists:%{ir}.a.example",
        "é",
        "\x00",
    ]
)


def terms() -> st.SearchStrategy[Term]:
    signs = st.sampled_from(Qualifier)
    named = st.builds(Term, st.sampled_from(["include", "exists"]), signs, NAMES)
    sized = st.builds(
        lambda name, sign, domain, four, six: Term(name, sign, domain, four=four, six=six),
        st.sampled_from(["a", "mx"]),
        signs,
        st.one_of(st.just(""), NAMES),
        st.integers(0, 32),
        st.integers(0, 128),
    )
    listed = NETWORKS.map(lambda network: Term(f"ip{network.version}", network=network))
    return st.one_of(named, sized, listed, signs.map(lambda sign: Term("all", sign)))


@given(st.lists(terms(), max_size=8), st.one_of(st.none(), NAMES))
def test_a_record_written_is_read_again_as_it_was(parts: list[Term], redirect: str | None) -> None:
    record = SpfRecord(tuple(parts), Term("redirect", domain=redirect) if redirect else None)
    assert read_spf(str(record)) == record


@given(st.one_of(st.text(max_size=300), st.lists(WORDS, max_size=12).map(" ".join)))
def test_any_text_is_read_as_spf_or_refused_by_name(text: str) -> None:
    text = f"v=spf1 {text}"
    assert is_spf(text)
    try:
        record = read_spf(text)
    except SpfSyntaxError:
        return
    assert read_spf(str(record)) == record


@given(st.text(max_size=300))
def test_any_text_is_read_as_tags(text: str) -> None:
    tags = read_tags(text)
    assert all(name == name.lower() and value == value.strip() for name, value in tags.values.items())


@given(
    st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9]{0,5}", fullmatch=True), st.from_regex(r"[!-:<-~]{0,20}", fullmatch=True)
    )
)
def test_tags_written_are_read_again_as_they_were(values: dict[str, str]) -> None:
    tags = read_tags(write_tags(values))
    assert (dict(tags.values), tags.faults) == (values, ())


@given(st.lists(st.text(max_size=120).map(lambda text: f"v=DMARC1;{text}"), min_size=1, max_size=3))
def test_whatever_stands_there_what_is_proposed_is_whole(texts: list[str]) -> None:
    for text in texts:
        assert is_dmarc(text)
        read_dmarc(text)
    proposed = read_dmarc(mended(tuple(texts), report_address="dmarc@parti.example"))
    assert proposed.faults == ()
    assert proposed.policy is not None
    assert proposed.reports
    assert proposed.old_tags == ()
    strictest = max((read_dmarc(text).policy or Policy.NONE for text in texts), key=list(Policy).index)
    assert proposed.policy is strictest


@given(st.sampled_from(Policy))
def test_a_tag_can_be_set_and_left_out(policy: Policy) -> None:
    text = with_tags("v=DMARC1; p=none; t=y; rua=mailto:a@b.example", p=policy.value, t="")
    assert (read_dmarc(text).policy, read_dmarc(text).testing) == (policy, False)


@given(st.text(max_size=200))
def test_any_text_is_read_by_the_borrowed_grammars(text: str) -> None:
    assume("\ud800" not in text)
    for read in (fault_of_tls_report, fault_of_mta_sts):
        read(text)
        read(f"v=TLSRPTv1; rua={text}")
        read(f"v=STSv1; id={text}")
    read_mta_sts_policy(text)
    read_mta_sts_policy(f"version: STSv1\nmode: {text}\n")


@given(st.lists(st.tuples(st.sampled_from(HealthCode), st.sampled_from(FindingLevel)), max_size=6))
def test_an_identity_is_as_bad_as_its_worst_finding(pairs: list[tuple[HealthCode, FindingLevel]]) -> None:
    level = level_of(HealthFinding(code, level) for code, level in pairs)
    levels = {each for _, each in pairs}
    assert (level is HealthLevel.PROBLEM) == (FindingLevel.PROBLEM in levels)
    if level is HealthLevel.FINE:
        assert levels <= {FindingLevel.FINE, FindingLevel.ADVICE, FindingLevel.UNKNOWN}
    if not pairs:
        assert level is HealthLevel.UNKNOWN
