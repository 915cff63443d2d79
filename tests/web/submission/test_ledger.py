"""What the listener for programs' mail tells those who watch over it."""

import pytest

from service.metrics import figures
from tests.web.programs import Program
from tests.web.submission.senders import Post, a_mail, as_plain
from web.submission.listener import MAX_TRIES

pytestmark = pytest.mark.parametrize("migrated_url", ["sqlite"], indirect=True)
WRONG = as_plain("tcn_live_" + "0" * 38)


async def told(post: Post) -> dict[str, float]:
    """The figures of submission, by name and label."""
    site = post.program.site
    ledger = post.entrance.ledger
    text = (await figures(site.database, site.clock, site.folder, ledger)).decode()
    lines = (line.rpartition(" ") for line in text.splitlines() if line.startswith("tocsin_submission"))
    return {name: float(value) for name, _, value in lines if "_created" not in name}


def refused(reason: str) -> str:
    return f'tocsin_submission_refused_total{{reason="{reason}"}}'


async def test_connections_mails_and_refusals_are_counted(program: Program, post: Post) -> None:
    before = await told(post)
    assert set(before.values()) == {0.0}
    line = await post.signed_in()
    assert (await line.hand_over(a_mail())).startswith("250 ")
    assert (await line.hand_over(a_mail(From="somebody@else.fr"))).startswith("550 ")
    stranger = await post.line()
    await stranger.say("EHLO crm.example")
    for _ in range(MAX_TRIES - 1):
        assert (await stranger.say(f"AUTH PLAIN {WRONG}")).startswith("535 ")
    assert (await stranger.say("NONSENSE")).startswith("500 ")
    found = await told(post)
    assert found["tocsin_submission_connections"] == 2
    assert found["tocsin_submission_taken_total"] == 1
    counted = {name: value for name, value in found.items() if value and "refused" in name}
    assert counted == {refused("sender"): 1, refused("key"): MAX_TRIES - 1, refused("protocol"): 1}
    assert (await stranger.say(f"AUTH PLAIN {WRONG}")).startswith("421 ")
    assert (await told(post))[refused("closed")] == 1


async def test_without_a_listener_there_are_no_such_figures(program: Program) -> None:
    site = program.site
    assert b"tocsin_submission" not in await figures(site.database, site.clock, site.folder)
