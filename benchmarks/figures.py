"""What was measured, in medians and ratios, and which goals it meets.

Ratios are of figures taken in the same run on the same machine: a share of the one-core RSA-2048 rate means
the same on a laptop and on a server.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median

from benchmarks.plan import SendPlan, Signing
from benchmarks.processes import Cost
from benchmarks.proof import Signatures

SHARE_ONE_PROCESS = 0.85
SHARE_TWO_PROCESSES = 0.95
SHARE_UNSIGNED = 2.0
TIMES_PLAIN = 40.0
TIMES_NODEMAILER = 7.0
MOST_MEMORY_MB = 120.0
LINEAR = 1.15
"""Ten times the recipients may take this much more than ten times the time: what small runs vary by."""
FLAT = 1.3
"""Ten times the recipients may take this much more memory: the bounded room of a launch, and chance."""
JUDGED_FROM = 5_000
"""Recipients a run: a smaller one is over before it has got going, and proves nothing either way."""


@dataclass(frozen=True, slots=True)
class Run:
    """One campaign. `seconds`: from the first claim to the last record in the ledger.

    `freeze_s`: from the schedule to that first claim; `lag_s`: from the last message to the last record;
    `cpu_s`: of each sending process and its scribes; `server_cpu_s`: of the database server, 0 without one
    here; `signatures_per_s`: RSA-2048, one core, just before.
    """

    messages: int
    octets: int
    seconds: float
    freeze_s: float
    lag_s: float
    cpu_s: tuple[float, ...]
    server_cpu_s: float
    sink_cpu_s: float
    signatures_per_s: float

    @property
    def rate(self) -> float:
        """Messages a second."""
        return self.messages / self.seconds

    @property
    def cpu_us(self) -> float:
        """Microseconds of all sending processes for one message."""
        return sum(self.cpu_s) / self.messages * 1e6


@dataclass(frozen=True, slots=True)
class Goal:
    """One promise: what it is about, what was measured, what was promised; `met` None: too small to judge."""

    name: str
    measured: str
    promised: str
    met: bool | None

    @property
    def verdict(self) -> str:
        """As it is told."""
        return "too small to judge" if self.met is None else "met" if self.met else "MISSED"


@dataclass(frozen=True, slots=True)
class Figures:
    """A whole measurement; rates of the others a second.

    `signatures_together`: RSA-2048, on all cores at once. `costs` at the end: of the sending processes, and
    of the `scribes` that write for them. `peak_before_mb`: of any of them before the run ten times as large.
    """

    plan: SendPlan
    runs: tuple[Run, ...]
    costs: tuple[Cost, ...]
    scribes: tuple[Cost, ...]
    signatures: Signatures
    signatures_together: float
    plain: float | None
    nodemailer: float | None
    peak_before_mb: float | None = None

    @property
    def equal_runs(self) -> Sequence[Run]:
        """Those of the plan's size, which medians are taken of."""
        return self.runs[: self.plan.runs]

    @property
    def rate(self) -> float:
        """Messages a second, all processes together."""
        return median(run.rate for run in self.equal_runs)

    @property
    def signatures_per_s(self) -> float:
        """RSA-2048 on one core of this machine meanwhile."""
        return median(run.signatures_per_s for run in self.equal_runs)

    @property
    def share(self) -> float:
        """Messages a second as a share of that; run by run, since both move with the machine."""
        return median(run.rate / run.signatures_per_s for run in self.equal_runs)

    @property
    def growth(self) -> float | None:
        """The time of a message in the run ten times as large, as a multiple of the others'."""
        return self.rate / self.runs[-1].rate if self.plan.growth else None


def goals(figures: Figures) -> Iterator[Goal]:
    """The promises that this configuration is about; judged from `JUDGED_FROM` recipients a run on."""
    enough = figures.plan.run_recipients >= JUDGED_FROM
    for goal in _goals(figures):
        yield goal if enough else replace(goal, met=None)


def _goals(figures: Figures) -> Iterator[Goal]:
    plan = figures.plan
    near = not plan.tls and not plan.round_trip_ms
    if near and plan.signing is Signing.RELAY:
        yield _at_least("signing left to the relay", figures.share, SHARE_UNSIGNED, "× the RSA rate")
    elif near and plan.processes <= 2:
        least = SHARE_ONE_PROCESS if plan.processes == 1 else SHARE_TWO_PROCESSES
        yield _at_least(f"signed, processes: {plan.processes}", figures.share, least, "× the RSA rate")
    signed = plan.signing is Signing.PRODUCT
    if near and signed and figures.plain is not None:
        yield _at_least("beside the plain way", figures.rate / figures.plain, TIMES_PLAIN, "×")
    if near and signed and figures.nodemailer is not None:
        times = figures.rate / plan.processes / figures.nodemailer
        yield _at_least("beside nodemailer, a process", times, TIMES_NODEMAILER, "×")
    peak = highest(figures.costs, figures.scribes)
    if peak is not None:
        promised = f"under {MOST_MEMORY_MB:.0f} MB"
        yield Goal("peak memory a process", f"{peak:.0f} MB", promised, peak < MOST_MEMORY_MB)
    if peak is not None and figures.peak_before_mb is not None:
        times = peak / figures.peak_before_mb
        yield Goal("memory, 10 × the recipients", f"{times:.2f} ×", f"at most {FLAT} ×", times <= FLAT)
    if figures.growth is not None:
        yield Goal(
            "time of a message, 10 × the recipients",
            f"{figures.growth:.2f} ×",
            f"at most {LINEAR} ×",
            figures.growth <= LINEAR,
        )


def highest(*costs: Sequence[Cost]) -> float | None:
    """The most memory that any of these processes took, in MB; None where the system does not tell."""
    return max((cost.peak_mb for some in costs for cost in some if cost.peak_mb is not None), default=None)


def _at_least(name: str, measured: float, least: float, unit: str) -> Goal:
    return Goal(name, f"{measured:.2f} {unit}", f"at least {least:g} {unit}", measured >= least)


def lines(figures: Figures) -> Iterator[tuple[str, str]]:
    """What was measured, for people: a name and a figure each."""
    runs, plan = figures.equal_runs, figures.plan
    rates = [run.rate for run in runs]
    yield (
        "messages/s",
        f"{figures.rate:,.0f} (median of {len(rates)}; {min(rates):,.0f} to {max(rates):,.0f})",
    )
    yield "RSA-2048 signatures/s, one core", f"{figures.signatures_per_s:,.0f}"
    yield "… on every core at once", f"{figures.signatures_together:,.0f}"
    yield "messages a signature", f"{figures.share:.2f}"
    yield "octets a message", f"{median(run.octets / run.messages for run in runs):,.0f}"
    yield "CPU a message, all processes", f"{median(run.cpu_us for run in runs):,.0f} µs"
    for number, cost in enumerate(figures.costs, 1):
        spent = median(run.cpu_s[number - 1] / run.seconds for run in runs)
        of = ", scribes included" if figures.scribes else ""
        yield f"process {number}", f"{spent:.2f} cores{of}; {_memory(cost)}"
    for number, cost in enumerate(figures.scribes, 1):
        yield f"scribe {number}", _memory(cost)
    if plan.database_url:
        yield "CPU a message, database", _cpu_of([run.server_cpu_s / run.messages for run in runs])
    yield "CPU a message, sink", _cpu_of([run.sink_cpu_s / run.messages for run in runs])
    yield "schedule to first claim", f"{median(run.freeze_s for run in runs):.2f} s"
    yield "last message to last record", f"{median(run.lag_s for run in runs) * 1000:.0f} ms"
    if plan.growth:
        longest = figures.runs[-1]
        yield (
            f"{longest.messages:,} in one run",
            f"{longest.rate:,.0f} messages/s, frozen in {longest.freeze_s:.1f} s",
        )
    if figures.plain is not None:
        yield "the plain way", f"{figures.plain:.0f} messages/s"
    if figures.nodemailer is not None:
        yield "nodemailer", f"{figures.nodemailer:.0f} messages/s"
    yield "every message once", f"yes, {sum(run.messages for run in figures.runs):,} counted at the sink"
    yield "signatures verified", _verified(figures.signatures)


def _cpu_of(seconds: Sequence[float]) -> str:
    return f"{median(seconds) * 1e6:.0f} µs"


def _memory(cost: Cost) -> str:
    if cost.peak_mb is None or cost.own_mb is None:
        return "memory not told by this system"
    return f"peak {cost.peak_mb:.0f} MB, {cost.own_mb:.0f} MB of it its own at the end"


def _verified(signatures: Signatures) -> str:
    if not signatures.keys:
        return "none made: left to the relay"
    second = (
        "Mail::DKIM is not installed (libmail-dkim-perl)"
        if signatures.by_perl is None
        else f"{signatures.by_perl} by Mail::DKIM"
    )
    return f"{signatures.by_dkimpy} messages by dkimpy, {second}; keys: {signatures.keys}"
