"""Templates and identities over HTTP: what may be sent, and as whom."""

import pytest

from models.api import KeyMode, Scope
from models.identity import TerritoryKind
from models.states import IdentityState
from tests.factories import a_template, an_identity
from tests.web.browsers import Site
from tests.web.programs import a_program


async def test_templates_are_listed_with_their_newest_version(site: Site) -> None:
    program = await a_program(site)
    async with site.database.write() as session:
        await a_template(
            session, name="Reçu", subject="Merci {{ first_name }}", fallbacks={"first_name": "à vous"}
        )
    told = (await program.call("GET", "/templates")).json()["data"]
    assert [(one["name"], one["channel"], one["version"]) for one in told] == [
        ("Reçu", "email", 2),
        ("SMS", "sms", 1),
    ]
    texts = (await program.call("GET", "/templates?channel=sms&fields=name")).json()["data"]
    assert [one["name"] for one in texts] == ["SMS"]
    own = f"/templates/{told[0]['id']}"
    assert (await program.call("GET", own)).json() == told[0]
    versions = (await program.call("GET", f"{own}/versions?limit=1")).json()
    assert ([one["number"] for one in versions["data"]], versions["has_more"]) == ([2], True)
    newest = (await program.call("GET", f"{own}/versions/2")).json()
    told = {one.pop("name"): one for one in newest["variables"]}
    assert told["first_name"] == {"needed": False, "fallback": "à vous", "of_contact": True}
    first = (await program.call("GET", f"{own}/versions/1")).json()
    assert {one["name"]: one["needed"] for one in first["variables"]} == {
        "commune": False,
        "email": False,
        "first_name": True,
    }
    assert newest["links"] == ["https://exemple.fr/agir"]
    assert (await program.call("GET", f"{own}/versions/9")).status_code == 404


async def test_identities_are_listed_with_where_they_stand(site: Site) -> None:
    program = await a_program(site, mode=KeyMode.TEST)
    async with site.database.write() as session:
        other = await an_identity(
            session,
            key="paca",
            territory=TerritoryKind.REGION,
            territory_value="93",
            state=IdentityState.DNS_PENDING,
        )
    told = (await program.call("GET", "/identities")).json()["data"]
    assert [(one["key"], one["sends"]) for one in told] == [("national", ["email", "sms"]), ("paca", ["sms"])]
    assert told[1]["territory"] == {"kind": "region", "value": "93"}
    for name in ("paca", told[1]["id"]):
        assert (await program.call("GET", f"/identities/{name}")).json() == told[1]
    bound = await a_program(site, furnished=False, identity_ids=[other.id])
    assert [one["key"] for one in (await bound.call("GET", "/identities")).json()["data"]] == ["paca"]
    assert (await bound.call("GET", "/identities/national")).status_code == 404


@pytest.mark.parametrize(
    ("path", "needed"),
    [
        ("/templates", Scope.TEMPLATES_READ),
        ("/templates/tpl_a", Scope.TEMPLATES_READ),
        ("/templates/tpl_a/versions", Scope.TEMPLATES_READ),
        ("/templates/tpl_a/versions/1", Scope.TEMPLATES_READ),
        ("/identities", Scope.IDENTITIES_READ),
        ("/identities/national", Scope.IDENTITIES_READ),
    ],
)
async def test_each_call_needs_its_scope_and_no_other(site: Site, path: str, needed: Scope) -> None:
    others = await a_program(site, scopes=[one for one in Scope if one is not needed], furnished=False)
    assert (await others.call("GET", path)).json()["code"] == "missing_scope"
    own = await a_program(site, scopes=[needed], furnished=False)
    assert (await own.call("GET", path)).status_code in {200, 404}
