"""What the rehearsal looks like on the terminal: steps, bars, reports, the proof, where the pages are."""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from audience.imports import ImportResult
from deliverability.assessment.whole import CampaignAssessment
from deliverability.report_values import CampaignReport
from sandbox import World
from service.demo_cast import Planned
from service.demo_proof import Check
from service.report_view import print_report
from service.terminal import screen
from service.watching import SPEED_OVER, Sight, picture


class Screen:
    """The terminal of one rehearsal."""

    def __init__(self) -> None:
        """Begins with what this is."""
        self._console: Console = screen()
        self._steps = 0
        self._console.print(Text.assemble(("Tocsin", "bold"), "  a rehearsal: nothing leaves this machine"))
        self._console.print()

    def step(self, what: str, details: str = "") -> None:
        """One line: something is ready."""
        self._steps += 1
        head = Text.assemble((f"{self._steps:>2}  ", "dim"), (f"{what:<12}", "bold"))
        if not self._console.is_terminal:
            self._console.print(head.append(details), soft_wrap=True)
            return
        columns = Table.grid()
        columns.add_column(no_wrap=True)
        columns.add_column(overflow="fold")
        columns.add_row(head, Text(details))
        self._console.print(columns)

    def world_is_up(self, world: World) -> None:
        """The outside world listens."""
        exchangers, seeds = len(world.smtp_routes), len(world.seed_accounts)
        self.step("World", f"{exchangers} mail exchangers, {seeds} seed mailboxes, a text-message provider")

    def importing(self, done: int, total: int, _counts: object) -> None:
        """How far the file is read; seen on a terminal only."""
        if self._console.is_terminal:
            self._console.print(f"    reading the people … {done / max(total, 1):.0%}", end="\r", style="dim")

    def people_are_in(self, result: ImportResult) -> None:
        """The file was imported."""
        self.step(
            "People",
            f"{result.rows_created:,} imported from a CSV file of {result.rows_read:,} rows; "
            f"{result.rows_updated + result.rows_unchanged} a second time, "
            f"{result.rows_rejected} rejected with the reason",
        )

    def campaigns_are_planned(self, senders: int, planned: Sequence[Planned]) -> None:
        """The campaigns have their moment."""
        self.step("Senders", f"{senders}: one national, two regional, with RSA and Ed25519 keys each")
        for plan in planned:
            self.step("Campaign", f"“{plan.name}” at {plan.local_time}")
        self._console.print()

    @contextmanager
    def progress(self) -> Iterator["Bars"]:
        """Bars that live while the campaigns run; in a pipe, nothing."""
        with Live(console=self._console, refresh_per_second=8, transient=True) as live:
            yield Bars(live)

    def waiting_for_late_news(self) -> None:
        """The sending is over; bounces, complaints and clicks still come."""
        self.step("Late news", "waiting for bounces, complaints, clicks, unsubscriptions and STOP answers …")

    def reports(self, reports: Sequence[tuple[CampaignReport, CampaignAssessment | None]], zone: str) -> None:
        """Each campaign's report with the verdicts on it, its times in `zone`."""
        for report, assessment in reports:
            self._console.print()
            print_report(report, zone, assessment=assessment)

    def proof(self, checks: Sequence[Check]) -> None:
        """What was counted on the receiving side, against the report."""
        failed = [check for check in checks if not check.holds]
        self._console.print()
        if not failed:
            line = f"{len(checks)} figures counted by the outside world and by Tocsin agree."
            self._console.print(Text.assemble(("✓ ", "green"), line))
            return
        self._console.print(Text.assemble(("✗ ", "red"), f"{len(failed)} of {len(checks)} figures disagree:"))
        for check in failed:
            self._console.print(
                f"  {check.what}: the outside world says {check.there}, Tocsin {check.here}",
                markup=False,
                soft_wrap=True,
            )

    def pages_are_open(self, url: str, name: str, password: str) -> None:
        """Where to look around."""
        self._console.print()
        self._console.print(Text.assemble("The pages:  ", (url, "bold cyan")))
        self._console.print(Text.assemble("sign in as  ", (name, "bold"), "  with  ", (password, "bold")))
        self._console.print(Text("Ctrl-C ends the rehearsal and removes everything it made.", style="dim"))

    def goodbye(self) -> None:
        """The end."""
        self._console.print("\nThe rehearsal is over.")


class Bars:
    """One bar a campaign."""

    def __init__(self, live: Live) -> None:
        """`live` is the part of the screen they have."""
        self._live = live
        self._sights: dict[int, deque[Sight]] = {}

    def show(self, sights: Sequence[Sight]) -> None:
        """How the campaigns stand now."""
        for sight in sights:
            self._sights.setdefault(sight.campaign.id, deque(maxlen=SPEED_OVER)).append(sight)
        self._live.update(Group(*(picture(seen) for seen in self._sights.values())))
