"""Keys for tests try everything out and leave what everybody shares as it is: people and what they said."""

from typing import Any

import pytest

from models.api import KeyMode
from tests.factories import a_contact
from tests.web.api.test_scopes import guarded
from tests.web.browsers import Site
from tests.web.programs import Program, a_program

# What is refused before anything is asked of a database needs one kind of it.
on_sqlite = pytest.mark.parametrize("migrated_url", ["sqlite"], indirect=True)

TOLD = {"contact": {"email": "camille@gmail.com"}, "kind": "meeting"}
ADDRESS = {"email": "camille@gmail.com", "why": "asked for it"}
BODIES: dict[tuple[str, str], Any] = {
    ("POST", "/segments"): {"name": "x", "rule": "everyone"},
    ("PATCH", "/segments/{segment_id}"): {"rule": "everyone"},
    ("DELETE", "/segments/{segment_id}"): None,
    ("PUT", "/contacts/by-external-id/{external_id}"): {"email": "new@gmail.com"},
    ("POST", "/contacts"): {"email": "new@gmail.com"},
    ("POST", "/contacts/imports"): None,
    ("POST", "/contacts/{contact_id}/tags"): {"add": ["x"]},
    ("POST", "/contacts/{contact_id}/consents"): {"about": "email", "status": "granted"},
    ("PATCH", "/contacts/{contact_id}"): {"email": "new@gmail.com"},
    ("DELETE", "/contacts/{contact_id}"): None,
    ("POST", "/interactions"): TOLD,
    ("POST", "/interactions/batch"): {"interactions": [TOLD]},
    ("DELETE", "/interactions/{interaction_id}"): None,
    ("POST", "/suppressions"): ADDRESS,
    ("POST", "/suppressions:lift"): ADDRESS,
    ("POST", "/suppressions/{suppression_id}:lift"): {"why": "asked for it"},
}
"""Every call that changes what is shared."""
OF_A_MODE = ("/messages", "/campaigns", "/webhooks")
"""What test keys have of their own."""
ONLY_ASK = {"/segments:explain", "/suppressions:look"}


@pytest.fixture
async def tester(site: Site) -> Program:
    return await a_program(site, mode=KeyMode.TEST)


def test_every_call_that_changes_something_is_of_a_mode_or_kept_from_test_keys() -> None:
    changing = {
        (method, path)
        for _, method, path in guarded()
        if method != "GET" and not path.startswith(OF_A_MODE) and path not in ONLY_ASK
    }
    assert changing == set(BODIES)


@on_sqlite
@pytest.mark.parametrize(("method", "path"), BODIES, ids=[" ".join(call) for call in BODIES])
async def test_a_test_key_changes_nothing_that_is_shared(tester: Program, method: str, path: str) -> None:
    answer = await tester.call(method, path.replace("{", "").replace("}", ""), BODIES[method, path])
    assert (answer.status_code, answer.json()["code"]) == (403, "live_key_needed")


@on_sqlite
async def test_a_test_key_reads_people_and_erases_none(site: Site, tester: Program) -> None:
    async with site.database.write() as session:
        await a_contact(session, email="camille@gmail.com")
    (person,) = (await tester.call("GET", "/contacts?email=camille@gmail.com")).json()["data"]
    assert (await tester.call("DELETE", f"/contacts/{person['id']}")).status_code == 403
    assert (await tester.call("GET", f"/contacts/{person['id']}")).json()["email"] == "camille@gmail.com"
