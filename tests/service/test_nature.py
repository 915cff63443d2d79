"""What a campaign is to the law, as a person types it."""

from datetime import timedelta

import pytest

from models.states import Nature
from service.assembly import assemble
from service.pages import make_server
from service.settings import GivenSettings
from service.vitals import Pulse
from tests.service.conftest import Tocsin, Typed


@pytest.fixture
def drafting(ready: Tocsin, typed: Typed) -> Typed:
    """The parts of a campaign."""
    assert ready.folder.exists()
    typed.must("segment", "add", "all", "everyone")
    typed.must("template", "add", "hello", "--starter", "newsletter")
    typed.must("identity", "add", "nat", "--name", "Les Amis", "--email", "contact@example.org")
    return typed


PARTS = ("--template", "hello", "--segment", "all", "--from", "nat")


def test_a_new_campaign_is_what_the_setting_says(drafting: Typed) -> None:
    drafting.must("campaign", "create", "Une", *PARTS, TOCSIN_NATURE="")
    assert "political" in drafting.must("campaign", "show", "Une")
    drafting.must("campaign", "create", "Deux", *PARTS, TOCSIN_NATURE="civic")
    assert "civic" in drafting.must("campaign", "show", "Deux")
    wrong = drafting("campaign", "list", TOCSIN_NATURE="public")
    assert (wrong.code, "TOCSIN_NATURE" in wrong.told) == (2, True)


def test_who_pays_and_for_which_vote_is_said_and_changed(drafting: Typed) -> None:
    drafting.must(
        *("campaign", "create", "Tract", *PARTS, "--nature", "political"),
        *(
            "--sponsor",
            "Association de financement",
            "--vote",
            "Municipales 2026",
            "--spent",
            "120 € de dons",
        ),
    )
    shown = drafting.must("campaign", "show", "Tract")
    for told in ("political", "Association de financement", "Municipales 2026", "120 € de dons"):
        assert told in shown
    changed = drafting.must("campaign", "edit", "Tract", "--nature", "civic", "--vote", "", "--spent", "rien")
    assert changed.startswith("Tract is changed")
    shown = drafting.must("campaign", "show", "Tract")
    assert ("civic" in shown, "Municipales" in shown, "rien" in shown) == (True, False, True)
    # What is not named stays, through the schedule as well.
    assert "Association de financement" in shown
    drafting.must("campaign", "edit", "Tract", "--urgent")
    assert "Association de financement" in drafting.must("campaign", "show", "Tract")
    long = drafting("campaign", "edit", "Tract", "--vote", "x" * 201)
    assert (long.code, "too great a length" in long.told) == (2, True)


@pytest.mark.parametrize("nature", list(Nature))
async def test_the_pages_begin_a_campaign_as_the_setting_says(ready: Tocsin, nature: Nature) -> None:
    settings = GivenSettings(data_dir=ready.folder / "tocsin-data", dns_servers="off", nature=nature)
    async with assemble(settings, with_web=False, with_worker=False) as parts:
        server = make_server(parts, Pulse(parts.database), timedelta())
    assert server.config.app.state.front_door.context.nature is nature  # type: ignore[union-attr]


def test_a_template_says_what_it_is_when_programs_send_it(drafting: Typed) -> None:
    again = ("template", "add", "hello", "--starter", "newsletter")
    assert "version 2" in drafting.must(*again, "--nature", "civic")
    assert "version 3" in drafting.must(*again, "--nature", "political")
    # What is not told stays as it was, and is no other version.
    assert "version 3" in drafting.must(*again)
    assert drafting(*again, "--nature", "commercial").code == 2
