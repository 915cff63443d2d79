"""What every test may use: the real servers of `tests.servers`, and how hard to look for examples."""

import gc
import logging
import os
import tempfile
from collections import Counter
from collections.abc import Generator

import pytest
from hypothesis import settings

from tests.dialects import keep_what_is_learnt
from tests.servers import MEMORY, in_memory

pytest_plugins = [
    "tests.fixtures",
    "tests.servers.databases",
    "tests.servers.dovecot",
    "tests.servers.postfix",
    "tests.servers.filtering",
    "tests.servers.hook_taker",
    "tests.servers.perl_dkim",
    "tests.servers.sink",
    "tests.servers.spam_filters",
    "tests.servers.web_peer",
    "tests.servers.workers",
]

# No deadline: the first example pays for imports, and machines that test are shared.
settings.register_profile("dev", max_examples=50, deadline=None)
settings.register_profile("ci", max_examples=150, deadline=None, derandomize=True, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))

if "TMPDIR" not in os.environ and in_memory(runs_programs=True):
    os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)

keep_what_is_learnt()


def pytest_collection_finish() -> None:
    """What has been imported by now stays: the collector need not look through all of it again and again."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Journeys first: they wait more than they work, and one that began last would be waited for alone."""
    items.sort(key=lambda item: item.get_closest_marker("journey") is None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where every server is required, as in CI, a test that is skipped for whatever reason has failed."""
    report = yield
    if report.skipped and os.environ.get("REQUIRE_TEST_SERVERS") == "1":
        report.outcome = "failed"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was skipped and why, a line a reason: hundreds of tests want the same server."""
    reports = terminalreporter.stats.get("skipped", [])
    reasons = Counter(str(report.longrepr[2]).removeprefix("Skipped: ") for report in reports)
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"Skipped {count} tests. {reason}")


@pytest.fixture(autouse=True)
def _logs_as_before() -> Generator[None]:
    """What a command sets up for its own process writes into a stream that is gone after its test."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield
    for handler in [each for each in root.handlers if type(each) is logging.StreamHandler]:
        if handler not in before:
            root.removeHandler(handler)
            root.setLevel(level)
