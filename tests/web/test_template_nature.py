"""What a template is to the law, said on its page and by a command, and kept by the next version."""

import pytest

from models.access import Role
from models.states import Nature
from store import templates
from tests.web.browsers import Site

pytestmark = pytest.mark.parametrize("migrated_url", ["sqlite"], indirect=True)
BODY = (
    "<mjml><mj-body><mj-section><mj-column><mj-text>Hello</mj-text></mj-column></mj-section></mj-body></mjml>"
)


async def kept(site: Site) -> tuple[int, Nature | None]:
    """The newest version and what it is."""
    async with site.database.read() as session:
        version = await templates.latest_version(session, "News")
    assert version is not None
    return version.number, version.nature


async def test_a_template_says_what_it_is_and_its_next_version_is_the_same(site: Site) -> None:
    editor = await site.signed_in(Role.EDITOR)
    form = {"name": "News", "channel": "email", "subject": "News", "body": BODY}
    await editor.read("/templates/new")
    for fields, version in (
        ({}, (1, None)),
        ({"nature": "political"}, (2, Nature.POLITICAL)),
        ({"nature": "political"}, (2, Nature.POLITICAL)),
        ({"nature": "nonsense"}, (3, Nature.UNSAID)),
        ({"subject": "Other news"}, (4, Nature.UNSAID)),
    ):
        answer = await editor.send_form("/templates", form | fields)
        assert answer.status_code == 303, answer.text
        assert await kept(site) == version
    page = await editor.read(f"{answer.headers['location'].partition('?')[0]}/edit")
    assert '<option value="unsaid" selected>' in page
    assert "what the installation says" not in page
