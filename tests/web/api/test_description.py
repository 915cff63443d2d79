"""The API describes itself: wholly, truly, and as it promised before."""

import copy
import json
from typing import Any

import jsonschema_rs
import pytest

from tests.web.api_description import CLIENT, HOW, client_modules, described, promised, write_json
from tests.web.api_promises import breaches
from tests.web.browsers import Site
from web.api.description import TAGS, operations
from web.api.handbook import FILES
from web.api.problem_pages import EXPLAINED
from web.api.problems import CODES


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    return described()


@pytest.mark.docs
def test_the_description_keeps_what_was_promised_and_is_written_down(told: dict[str, Any]) -> None:
    broken = breaches(promised(), told)
    assert broken == [], f"callers would stumble; if it is meant: {HOW} --bless"
    now = json.loads(write_json(told))
    assert now == promised(), f"write it down: {HOW}"


@pytest.mark.docs
def test_the_client_is_written_from_the_description(told: dict[str, Any]) -> None:
    wanted = client_modules(told)
    kept = {str(path.relative_to(CLIENT)): path.read_text("utf-8") for path in CLIENT.rglob("*.py")}
    assert kept == wanted, f"write it down: {HOW}"


def _at(told: dict[str, Any], *path: str) -> Any:
    for part in path:
        told = told[part]
    return told


SEND = ("paths", "/messages", "post")
WISH = ("components", "schemas", "MessageIn")
MESSAGE = ("components", "schemas", "MessageOut")
BREACHES: dict[str, tuple[tuple[str, ...], Any, str]] = {
    "a path is gone": (("paths", "/messages"), None, "POST /messages is gone"),
    "a method is gone": (SEND, None, "POST /messages is gone"),
    "a part of an answer is gone": (
        (*MESSAGE, "properties", "status"),
        None,
        "body.status is gone|status is gone",
    ),
    "a part of a request is gone": ((*WISH, "properties", "reference"), None, "body.reference is gone"),
    "a part is required now": (
        (*WISH, "required"),
        ["to", "template", "reference"],
        "reference is required now",
    ),
    "a part may be missing": ((*MESSAGE, "required"), ["id"], "status may be missing now"),
    "a value is gone": (
        ("components", "schemas", "Purpose", "enum"),
        ["campaign"],
        "value transactional is gone",
    ),
    "a type is narrower": ((*WISH, "properties", "reference", "type"), "integer", "takes no string any more"),
    "a type is another": ((*MESSAGE, "properties", "to", "type"), "integer", "may be integer now"),
    "less fits": ((*WISH, "properties", "reference", "maxLength"), 10, "maxLength is 10 now"),
    "another name": ((*SEND, "operationId"), "messages_post", "is called messages_post"),
    "another scope": ((*SEND, "security"), [{"key": ["messages:read"]}], "needs another scope"),
    "another status": ((*SEND, "responses", "202"), None, "the answer 202 is gone"),
}


@pytest.mark.parametrize(("path", "value", "line"), BREACHES.values(), ids=BREACHES.keys())
def test_what_callers_would_stumble_over_is_told(
    told: dict[str, Any], path: tuple[str, ...], value: Any, line: str
) -> None:
    later = copy.deepcopy(told)
    if value is None:
        del _at(later, *path[:-1])[path[-1]]
    else:
        _at(later, *path[:-1])[path[-1]] = value
    found = "\n".join(breaches(told, later))
    assert any(one in found for one in line.split("|")), found


def test_what_nobody_stumbles_over_may_be_added(told: dict[str, Any]) -> None:
    later = copy.deepcopy(told)
    _at(later, "paths")["/moon"] = _at(later, "paths", "/key")
    _at(later, *WISH, "properties")["mood"] = {"type": "string"}
    _at(later, *MESSAGE, "properties")["mood"] = {"type": "string"}
    _at(later, *MESSAGE, "required").append("mood")
    _at(later, "components", "schemas", "MessageStatus", "enum").append("dreamt_of")
    _at(later, *WISH, "properties", "reference")["maxLength"] = 500
    assert breaches(told, later) == []


def test_every_operation_is_named_explained_secured_and_shown(told: dict[str, Any]) -> None:
    nouns = {tag["name"] for tag in told["tags"]}
    assert all(tag["description"] for tag in told["tags"])
    for path, method, operation in operations(told):
        where = f"{method} {path}"
        assert set(operation["tags"]) <= nouns <= set(TAGS), where
        assert operation["summary"], where
        assert set(operation["security"][0]) == {"key"}, where
        assert {"401", "403", "429", "500", "503"} <= operation["responses"].keys(), where
        for media in operation.get("requestBody", {}).get("content", {}).values():
            assert {"example", "examples"} & media.keys(), where


def test_every_example_is_what_its_schema_says(told: dict[str, Any]) -> None:
    shown = 0
    for _path, _method, operation in operations(told):
        places = [operation.get("requestBody", {}), *operation["responses"].values()]
        for kind, media in ((k, m) for one in places for k, m in one.get("content", {}).items()):
            if kind == "application/json" and "example" in media:
                schema = {**media["schema"], "components": told["components"]}
                jsonschema_rs.validator_for(schema).validate(media["example"])
                shown += 1
    assert shown > len(told["paths"])
    wrong = {"$ref": "#/components/schemas/MessageOut", "components": told["components"]}
    assert not jsonschema_rs.validator_for(wrong).is_valid({"id": 1})


def test_the_file_is_a_description_by_the_standard(told: dict[str, Any]) -> None:
    assert told["openapi"].startswith("3.1")
    scheme = told["components"]["securitySchemes"]["key"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    assert set(told["components"]["schemas"]["ProblemOut"]["properties"]["code"]["enum"]) == set(CODES)
    assert "HTTPValidationError" not in told["components"]["schemas"]


def test_every_code_is_explained() -> None:
    assert set(EXPLAINED) == set(CODES)


async def test_each_problem_leads_to_its_page(site: Site) -> None:
    anybody = site.browser()
    answer = await anybody.get("/v1/nowhere")
    page = await anybody.read(answer.json()["type"].removeprefix(site.public_url))
    assert "<code>not_found</code>" in page
    everything = await anybody.read("/v1/errors")
    assert all(f'href="/v1/errors/{code}"' in everything for code in CODES)
    assert (await anybody.get("/v1/errors/moon")).status_code == 404


async def test_the_handbook_is_served_from_here_and_asks_nobody_else(site: Site) -> None:
    anybody = site.browser()
    answer = await anybody.get("/v1/docs")
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "://" not in answer.text
    for name in (*FILES, "start.js"):
        assert f"/v1/docs/{name}" in answer.text
        assert (await anybody.get(f"/v1/docs/{name}")).status_code == 200
    assert (await anybody.get("/v1/docs/favicon.png")).status_code == 404
    assert (await anybody.get("/v1/openapi.json")).json()["openapi"].startswith("3.1")
