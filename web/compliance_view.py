"""What whoever answers for the mail is asked, in words: sections of sentences and tables, for every medium.

A page, paper and the terminal show the same sections, so that nobody signs one thing and reads another.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from models.states import LeftOutReason, LegalBasis, Nature
from scheduler.compliance import Compliance
from store.compliance import Consents, Coverage
from store.compliance_log import Honoured
from web import compliance_words as words
from web.i18n import Tongue
from web.law_log import override_row, vote_row, waiver_row
from web.words import word_for


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence: tone (good, quiet, warn, bad), text, where to look."""

    tone: str
    text: str
    link: str = ""

    @property
    def on_paper(self) -> str:
        """The same where nothing can be followed: an address in the open is written out."""
        return f"{self.text} {self.link}" if self.link.startswith(("http://", "https://")) else self.text


@dataclass(frozen=True, slots=True)
class Table:
    """A table: what it shows, heads, rows, which columns are numbers; `links`: of the first cells."""

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[int] = frozenset()
    links: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """One question: its key, its heading, what is said, and what it rests on."""

    key: str
    title: str
    lines: tuple[Line, ...]
    tables: tuple[Table, ...] = ()


NoticeOf = Callable[[int], str]


def sections_of(found: Compliance, covered: Coverage, notice_of: NoticeOf, tongue: Tongue) -> list[Section]:
    """Everything, in the order of the questions; `notice_of`: the public notice of a campaign."""
    return [
        _consent(covered, tongue),
        _campaigns(found, tongue),
        _kept_back(found, tongue),
        _register(found, notice_of, tongue),
        _silence(found, tongue),
        _overrides(found, tongue),
    ]


def _consent(covered: Coverage, tongue: Tongue) -> Section:
    channels = (
        (words.BY_EMAIL, covered.email),
        (words.BY_SMS, covered.sms),
        (words.TARGETED, covered.targeting),
    )
    shown = [(tongue.say(name), one) for name, one in channels if one.people]
    table = Table(
        tongue.say(words.CONSENT_CAPTION),
        _say(tongue, words.CONSENT_HEADS),
        tuple(
            (
                *(name, tongue.number(one.people), _of(one.granted, one.people, tongue)),
                *(tongue.number(one.withdrawn), tongue.number(one.unknown)),
                _of(one.proven, one.granted, tongue) if one.granted else "–",
            )
            for name, one in shown
        ),
        frozenset(range(1, 6)),
    )
    lines = tuple(_consent_lines(covered, shown, tongue))
    return Section("consent", tongue.say(words.CONSENT), lines, (table,) if shown else ())


def _consent_lines(
    covered: Coverage, shown: Sequence[tuple[str, Consents]], tongue: Tongue
) -> Iterator[Line]:
    if not covered.people:
        yield Line("quiet", tongue.say(words.NOBODY))
        return
    granted = sum(one.granted for _, one in shown)
    missing = granted - sum(one.proven for _, one in shown)
    if missing:
        yield Line("warn", tongue.count(words.UNPROVEN, missing), "/contacts")
    elif granted:
        yield Line("good", tongue.say(words.ALL_PROVEN))
    known = _of(covered.origin, covered.people, tongue)
    tone = "good" if covered.origin == covered.people else "warn"
    yield Line(tone, tongue.say(words.ORIGIN, known=known))
    if not covered.targeting.granted:
        yield Line("quiet", tongue.say(words.NOBODY_TARGETED))


def _campaigns(found: Compliance, tongue: Tongue) -> Section:
    title = tongue.say(words.CAMPAIGNS)
    if not found.campaigns:
        return Section("campaigns", title, (Line("quiet", tongue.say(words.NOTHING_SENT)),))
    kinds: Counter[tuple[Nature, LegalBasis]] = Counter()
    messages: Counter[tuple[Nature, LegalBasis]] = Counter()
    for one in found.campaigns:
        kinds[one.nature, one.basis] += 1
        messages[one.nature, one.basis] += found.kept[one.id].sent if one.id in found.kept else 0
    order = [(nature, basis) for nature in Nature for basis in LegalBasis if kinds[nature, basis]]
    table = Table(
        tongue.say(words.CAMPAIGNS_CAPTION),
        _say(tongue, words.CAMPAIGNS_HEADS),
        tuple(
            (
                *(tongue.say(word_for(nature)), tongue.say(word_for(basis))),
                *(tongue.number(kinds[nature, basis]), tongue.number(messages[nature, basis])),
            )
            for nature, basis in order
        ),
        frozenset({2, 3}),
    )
    return Section("campaigns", title, tuple(_campaign_lines(kinds, tongue)), (table,))


def _campaign_lines(kinds: Counter[tuple[Nature, LegalBasis]], tongue: Tongue) -> Iterator[Line]:
    unsaid = sum(count for (nature, _), count in kinds.items() if nature is Nature.UNSAID)
    weighed = sum(count for (_, basis), count in kinds.items() if basis is LegalBasis.LEGITIMATE_INTEREST)
    if unsaid:
        yield Line("warn", tongue.count(words.UNSAID, unsaid), "/campaigns")
    if weighed:
        yield Line("warn", tongue.count(words.WEIGHED, weighed))
    if not unsaid and not weighed:
        yield Line("good", tongue.say(words.ALL_ASKED))


def _kept_back(found: Compliance, tongue: Tongue) -> Section:
    left_out = found.left_out
    reasons = [reason for reason in LeftOutReason if reason in words.BY_RIGHT and reason in left_out]
    rows = [(tongue.say(word_for(reason)), tongue.number(left_out[reason])) for reason in reasons]
    stopped = sum(one.stopped for one in found.kept.values())
    if stopped:
        rows.append((tongue.say(words.STOPPED_SINCE), tongue.number(stopped)))
    table = Table(tongue.say(words.KEPT_CAPTION), _say(tongue, words.KEPT_HEADS), tuple(rows), frozenset({1}))
    lines = tuple(honoured_lines(found.honoured, tongue))
    return Section("kept", tongue.say(words.KEPT), lines, (table,) if rows else ())


def honoured_lines(honoured: Honoured, tongue: Tongue) -> Iterator[Line]:
    """Whether anything left for an address after it was suppressed."""
    if not honoured.looked_at:
        yield Line("quiet", tongue.say(words.NONE_SUPPRESSED))
    elif not honoured.breaches:
        yield Line("good", tongue.count(words.HONOURED, honoured.looked_at))
    for one in honoured.breaches:
        said = tongue.say(
            words.BREACH, sent=tongue.moment(one.sent_at), suppressed=tongue.moment(one.suppressed_at)
        )
        yield Line("bad", said, f"/deliveries/{one.delivery_id}")


def _register(found: Compliance, notice_of: NoticeOf, tongue: Tongue) -> Section:
    title = tongue.say(words.REGISTER)
    if not found.register:
        return Section("register", title, (Line("quiet", tongue.say(words.NONE_POLITICAL)),))
    gaps = sum(1 for row in found.register if not row.sponsor and not row.vote)
    line = (
        Line("warn", tongue.count(words.UNLABELLED, gaps))
        if gaps
        else Line("good", tongue.say(words.LABELLED))
    )
    table = Table(
        tongue.say(words.REGISTER_CAPTION),
        _say(tongue, words.REGISTER_HEADS),
        tuple(
            (
                *(row.name, tongue.day(row.launched_at), row.payer, row.vote or "–"),
                *(tongue.number(row.messages), notice_of(row.campaign_id)),
            )
            for row in found.register
        ),
        frozenset({4}),
        tuple(f"/campaigns/{row.campaign_id}" for row in found.register),
    )
    return Section("register", title, (line,), (table,))


def _silence(found: Compliance, tongue: Tongue) -> Section:
    left_out, stopped = found.left_out.get(LeftOutReason.ELECTION, 0), sum(found.stopped.values())
    lines = []
    if not found.votes and not found.taken_away:
        lines.append(Line("quiet", tongue.say(words.NO_VOTE), "/elections"))
    else:
        lines.append(Line("good" if left_out else "quiet", tongue.count(words.LEFT_OUT_BY_VOTE, left_out)))
        lines.append(Line("good" if stopped else "quiet", tongue.count(words.STOPPED_BY_VOTE, stopped)))
    for day in found.taken_away:
        said = tongue.say(words.TAKEN_AWAY, vote=day.name, who=day.removed_by, why=day.removed_reason)
        lines.append(Line("warn", said, "/elections"))
    tables = []
    if found.votes:
        rows = tuple(vote_row(day, tongue) for day in found.votes)
        tables.append(Table(tongue.say(words.VOTES_CAPTION), _say(tongue, words.VOTES_HEADS), rows))
    if found.waivers:
        rows = tuple(waiver_row(one, name, tongue) for one, name in found.waivers)
        links = tuple(f"/campaigns/{one.campaign_id}" for one, _ in found.waivers)
        heads = _say(tongue, words.WAIVERS_HEADS)
        tables.append(Table(tongue.say(words.WAIVERS_CAPTION), heads, rows, links=links))
    return Section("silence", tongue.say(words.SILENCE), tuple(lines), tuple(tables))


def _overrides(found: Compliance, tongue: Tongue) -> Section:
    title = tongue.say(words.OVERRIDES)
    if not found.overrides:
        return Section("overrides", title, (Line("good", tongue.say(words.NO_OVERRIDE)),))
    table = Table(
        tongue.say(words.OVERRIDES_CAPTION),
        _say(tongue, words.OVERRIDES_HEADS),
        tuple(override_row(row, name, tongue) for row, name in found.overrides),
        links=tuple(f"/campaigns/{row.campaign_id}" for row, _ in found.overrides),
    )
    line = Line("warn", tongue.count(words.GONE_PAST, len(found.overrides)))
    return Section("overrides", title, (line,), (table,))


def _say(tongue: Tongue, texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(tongue.say(text) for text in texts)


def _of(part: int, whole: int, tongue: Tongue) -> str:
    """`1,234 (12 %)`; a share that is not all is never shown as all."""
    share = part / whole if whole else 0.0
    digits = 0 if share in {0.0, 1.0} or 0.01 <= share < 0.995 else 2
    return f"{tongue.number(part)} ({tongue.percent(share, digits)})" if whole else tongue.number(part)
