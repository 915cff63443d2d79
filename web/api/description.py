"""The API as OpenAPI 3.1 describes it: what FastAPI derives, made complete and true.

Problems have their own media type and codes, every call may be refused or limited, and each operation has a
name that programs can call and an example. A test keeps what was once promised (docs/api/openapi.json).
"""

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from models.api import Scope
from web.api.examples import example_of
from web.api.problem_pages import explain
from web.api.problems import CODES, MEDIA_TYPE

Json = dict[str, Any]
TAGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "key": "The key of the call itself: whether it opens, and what it may.",
        "messages": "Messages to one person each: handed over once, followed to their end.",
        "events": "What became of messages, in the order in which it was learnt.",
        "contacts": "People, their addresses, tags and consents, under your own ids or ours.",
        "interactions": "What people did elsewhere: meetings, sign-ups, petitions; usable in segments.",
        "segments": "Rules that choose people, counted and explained.",
        "templates": "What is said, in versions that never change.",
        "identities": "Who writes.",
        "campaigns": "Messages to many: checked, scheduled, paused, resumed, cancelled, reported on.",
        "suppressions": "Addresses that are not written to, and why.",
        "webhooks": "Where news are posted to, signed; what was posted, and posting it again.",
        "imports": "Many people at once, from a file.",
    }
)
"""In the order of the documentation."""
DESCRIPTION: Final = """\
Hand over messages and people, and hear what became of them.

**Keys.** `Authorization: Bearer tcn_live_…`. A test key does everything but write to people.

**Once.** `Idempotency-Key` on calls that do something: made again within 24 hours, they do nothing new.

**Problems** are `application/problem+json` (RFC 9457); `code` never changes its meaning.

**Limits.** `RateLimit` says what is left to a key; after 429 wait for `Retry-After`.

**Lists** come in pages: go on with `next_cursor` while `has_more`.
"""
HEADERS: Final[Json] = {
    "Request-Id": {
        "description": "Under which the log of the service has the call.",
        "schema": {"type": "string"},
    },
    "RateLimit": {
        "description": "What is left to the key: `r` calls, all of them again in `t` seconds.",
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "description": "Seconds until the call may be made again.",
        "schema": {"type": "integer", "minimum": 0},
    },
}
_PROBLEM: Final[Json] = {"$ref": "#/components/schemas/ProblemOut"}
_NAMED: Final = {
    ("POST", "/suppressions:look"): "suppressions_look",
    ("POST", "/suppressions:lift"): "suppressions_lift_address",
    ("POST", "/suppressions/{suppression_id}:lift"): "suppressions_lift",
    ("POST", "/contacts/imports"): "imports_add",
    ("GET", "/contacts/imports"): "imports_list",
    ("GET", "/contacts/imports/{import_id}"): "imports_get",
    ("GET", "/contacts/imports/{import_id}/report"): "imports_get_report",
}
"""Where the address does not say it well."""
_VERBS: Final = {"POST": "add", "PUT": "put", "PATCH": "change", "DELETE": "remove"}


def operation_name(route: APIRoute) -> str:
    """What programs call it, after its noun: `messages_send`, `contacts_put_by_external_id`."""
    noun, *parts = route.path.strip("/").split("/")
    last, colon, deed = (parts or [noun])[-1].rpartition(":")
    (method,) = sorted(route.methods or {"GET"})[:1]
    if (method, route.path) in _NAMED:
        return _NAMED[method, route.path]
    words = [part.replace("-", "_") for part in parts if not part.startswith("{")]
    if words and _is_one(parts):
        words[-1] = _one_of(words[-1])
    if colon and last:
        name = "_".join([deed.replace("-", "_"), *words])
    elif words and words[-1] == "batch":
        name = "send_many" if noun == "messages" else "add_many"
    elif method == "GET" and not words:
        name = "get" if parts or noun == "key" else "list"
    elif method == "GET":
        name = "_".join(["list" if words[-1].endswith("s") and not _is_one(parts) else "get", *words])
    else:
        verb = "send" if (noun, method, parts) == ("messages", "POST", []) else _VERBS[method]
        name = "_".join([verb, *words])
    return f"{noun.partition(':')[0].replace('-', '_')}_{name}"


def _is_one(parts: list[str]) -> bool:
    """Whether it is about one of several, whose id ends the path."""
    return parts[-1].startswith("{")


def _one_of(word: str) -> str:
    return f"{word[:-3]}y" if word.endswith("ies") else word.removesuffix("s")


def scope_of(route: APIRoute) -> Scope | None:
    """What a key needs for it; LookupError for a route that asks for no key."""
    for dependant in route.dependant.dependencies:
        if hasattr(dependant.call, "__tocsin_scope__"):
            found: Scope | None = dependant.call.__tocsin_scope__  # type: ignore[union-attr]
            return found
    raise LookupError(route.path)


def describer(api: FastAPI) -> Callable[[], Json]:
    """What makes the description, once."""
    made: Json = {}

    def describe() -> Json:
        if not made:
            made.update(_described(api))
        return made

    return describe


def _described(api: FastAPI) -> Json:
    routes = {
        (route.path, method.lower()): route
        for route in all_routes(api)
        if route.include_in_schema
        for method in route.methods or ()
    }
    told: Json = get_openapi(
        title=api.title,
        version=api.version,
        summary=api.summary,
        description=DESCRIPTION,
        routes=api.routes,
        servers=api.servers,
        license_info={"name": "MIT", "identifier": "MIT"},
    )
    components = told.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    if "ProblemOut" in schemas:
        schemas["ProblemOut"]["properties"]["code"]["enum"] = sorted(CODES)
    components["headers"] = HEADERS
    components["examples"] = {
        code: {"summary": title, "value": _problem(code)} for code, (_, title) in CODES.items()
    }
    used = set()
    for path, method, operation in operations(told):
        used.update(operation.get("tags", ()))
        _complete(operation, routes[path, method], schemas)
        _share_problems(operation, components.setdefault("responses", {}))
    told["tags"] = [{"name": name, "description": words} for name, words in TAGS.items() if name in used]
    return told


def all_routes(api: FastAPI) -> Iterator[APIRoute]:
    """Every route of the application, wherever it is written down."""
    pending: list[Any] = list(api.routes)
    while pending:
        route = pending.pop(0)
        if isinstance(route, APIRoute):
            yield route
        else:
            pending[:0] = list(getattr(getattr(route, "original_router", None), "routes", ()))


def operations(told: Json) -> Iterator[tuple[str, str, Json]]:
    """Path, method in lower case, and the operation."""
    for path, item in told.get("paths", {}).items():
        for method, operation in item.items():
            if method in {"get", "put", "post", "patch", "delete"}:
                yield path, method, operation


def _complete(operation: Json, route: APIRoute, schemas: Json) -> None:
    operation["operationId"] = operation_name(route)
    scope = scope_of(route)
    need = "Any key may." if scope is None else f"Needs the scope `{scope.value}`."
    operation["description"] = f"{operation.get('description', '')}\n\n{need}".strip()
    operation["summary"] = operation["description"].split("\n")[0].rstrip(".")
    # RFC 6750: bearer schemes of OpenAPI 3.1 may name what is needed.
    operation["security"] = [{"key": [] if scope is None else [scope.value]}]
    for media in operation.get("requestBody", {}).get("content", {}).values():
        if "schema" in media and not {"example", "examples"} & media.keys():
            media["example"] = example_of(media["schema"], schemas)
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path" and "example" not in parameter:
            parameter["example"] = _example_of_path(parameter)
    _complete_answers(operation, schemas)


def _example_of_path(parameter: Json) -> str:
    shown = parameter["schema"].get("examples") or [f"{parameter['name'].removesuffix('_id')}"]
    return str(shown[0])


def _complete_answers(operation: Json, schemas: Json) -> None:
    answers: Json = operation["responses"]
    for status in _possible(operation):
        answers.setdefault(status, {"description": ""})
    for status, answer in sorted(answers.items()):
        headers = {name: {"$ref": f"#/components/headers/{name}"} for name in ("Request-Id", "RateLimit")}
        if int(status) >= 400:
            _tell_problem(answer, int(status))
            if status == "401":
                del headers["RateLimit"]
        for media in answer.get("content", {}).values():
            if int(status) < 400 and media.get("schema") and "example" not in media:
                media["example"] = example_of(media["schema"], schemas)
        if status in {"429", "503"}:
            headers["Retry-After"] = {"$ref": "#/components/headers/Retry-After"}
        answer["headers"] = headers | answer.get("headers", {})
    operation["responses"] = dict(sorted(answers.items()))


def _possible(operation: Json) -> set[str]:
    """What every such call may be answered with, whether or not its module says so."""
    found = {"401", "403", "429", "500", "503"}
    parameters = operation.get("parameters", ())
    if any(parameter["in"] == "path" for parameter in parameters):
        found.add("404")
    if parameters or "requestBody" in operation:
        found.add("422")
    if "requestBody" in operation:
        found |= {"400", "413", "415"}
    if any(parameter["name"].lower() == "idempotency-key" for parameter in parameters):
        found.add("409")
    return found


def _tell_problem(answer: Json, status: int) -> None:
    """The media type, and an example of each code that has this status."""
    titles = {title for title in re.split("; ", answer["description"]) if title}
    codes = [code for code, (found, title) in CODES.items() if found == status]
    chosen = [code for code in codes if CODES[code][1] in titles] or codes
    if len({CODES[code][1] for code in chosen}) != len(titles):
        answer["description"] = "; ".join(CODES[code][1] for code in chosen)
    answer["content"] = {
        MEDIA_TYPE: {
            "schema": _PROBLEM,
            "examples": {code: {"$ref": f"#/components/examples/{code}"} for code in chosen},
        }
    }


def _share_problems(operation: Json, shared: Json) -> None:
    """Answers that many operations have are told once."""
    for status, answer in operation["responses"].items():
        if int(status) >= 400:
            name = ".".join([status, *answer["content"][MEDIA_TYPE]["examples"]])
            shared[name] = answer
            operation["responses"][status] = {"$ref": f"#/components/responses/{name}"}


def _problem(code: str) -> Json:
    status, title = CODES[code]
    return {
        "type": f"https://tocsin.example.org/v1/errors/{code}",
        "title": title,
        "status": status,
        "detail": explain(code)[0],
        "code": code,
        "request_id": "req_5f2c8a1b9d3e4f5061728394",
    }
