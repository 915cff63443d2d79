"""An example for every part of the description, put together from the examples of its fields.

What fits together only as a whole is written down here; the rest follows its schema, so that no example is
of yesterday.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

_MSG, _CTC, _KEY = (
    "msg_aeaaaaaaaaaaaaaaaaaaaaaa",
    "ctc_aeaaaaaaaaaaaaaaaaaaaaaa",
    "key_aeaaaaaaaaaaaaaaaaaaaaaa",
)
_BASE: Final = "https://tocsin.example.org/v1"
WHOLE: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "RecipientIn": {"email": "camille@gmail.com"},
        "TemplateIn": {"id": "Reçu de don"},
        "TemplateRef": {"id": "tpl_aeaaaaaaaaaaaaaaaaaaaaaa", "name": "Reçu de don", "version": 3},
        "IdentityRef": {"id": "idt_aeaaaaaaaaaaaaaaaaaaaaaa", "key": "national"},
        "LinksOut": {"self": f"{_BASE}/messages/{_MSG}", "events": f"{_BASE}/messages/{_MSG}/events"},
        "FaultOut": {
            "field": "variables.first_name",
            "code": "missing_variables",
            "message": "The message would lack: first_name.",
        },
        "MessageIn": {
            # An address of nobody's: whoever tries it out in the handbook writes to nobody.
            "to": {"email": "delivered@example.com"},
            "template": {"id": "Reçu de don"},
            "identity": "national",
            "variables": {"first_name": "Camille", "amount": "20 €"},
            "reference": "don-2026-0042",
        },
        "MessageOut": {
            "id": _MSG,
            "status": "accepted",
            "channel": "email",
            "to": "delivered@example.com",
            "test": True,
            "purpose": "transactional",
            "identity": {"$of": "IdentityRef"},
            "template": {"$of": "TemplateRef"},
            "reference": "don-2026-0042",
            "send_at": "2026-03-10T09:00:00Z",
            "links": {"$of": "LinksOut"},
        },
        "BatchOut": {
            "accepted": 1,
            "refused": 1,
            "results": [
                {"status": 202, "message": {"$of": "MessageOut"}},
                {"status": 422, "problem": {"$of": "ProblemOut"}},
            ],
        },
        "ProblemOut": {
            "type": f"{_BASE}/errors/missing_variables",
            "title": "The message would lack variables",
            "status": 422,
            "detail": "The message would lack: first_name.",
            "code": "missing_variables",
            "request_id": "req_5f2c8a1b9d3e4f5061728394",
            "errors": [{"$of": "FaultOut"}],
        },
        "CampaignIn": {
            "name": "Réunion publique du 12",
            "template": {"id": "Invitation"},
            "include": ["Militants de Marseille"],
            "identities": ["national"],
        },
        "ScheduleIn": {"starts_at": "2026-03-12T17:00:00Z"},
        "TagsIn": {"add": ["militant"], "remove": ["sympathisant"]},
        "SegmentChange": {"rule": "(tag:militant or tag:sympathisant) and commune:Marseille"},
        "WebhookPatchIn": {"enabled": False},
    }
)
"""By the name of the schema. `$of`: the example of another one."""
BY_NAME: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "email": "camille@gmail.com",
        "to": "camille@gmail.com",
        "phone": "+33612345678",
        "first_name": "Camille",
        "last_name": "Martin",
        "external_id": "crm-4711",
        "reference": "don-2026-0042",
        "name": "CRM",
        "reason": "",
        "next_cursor": None,
        "has_more": False,
        "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "commune": "Lyon",
        "postcode": "69001",
        "detail": "The message would lack: first_name.",
        "type": "https://tocsin.example.org/v1/errors/missing_variables",
    }
)
"""By the name of the part, where its schema has none and takes it."""
_BY_FORMAT: Final = MappingProxyType(
    {"date-time": "2026-03-10T09:00:00Z", "date": "2026-03-10", "uri": "https://crm.example.org/hooks"}
)
_DEEPEST: Final = 12


def example_of(
    schema: Mapping[str, Any], components: Mapping[str, Any], name: str = "", depth: int = 0
) -> Any:
    """Something that the schema takes; `name`: of the part it is for."""
    if "$ref" in schema:
        wanted = schema["$ref"].rsplit("/", 1)[-1]
        if wanted in WHOLE:
            return _whole(WHOLE[wanted], components)
        return example_of(components[wanted], components, name, depth + 1)
    if schema.get("examples"):
        return schema["examples"][0]
    if "const" in schema or "enum" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    if name in BY_NAME and _fits(BY_NAME[name], schema):
        return BY_NAME[name]
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            real = [one for one in schema[several] if one.get("type") != "null"]
            return example_of(real[0], components, name, depth + 1)
    return _by_type(schema, components, depth)


def _whole(value: Any, components: Mapping[str, Any]) -> Any:
    if isinstance(value, dict) and "$of" in value:
        return example_of({"$ref": f"#/components/schemas/{value['$of']}"}, components)
    return (
        {key: _whole(part, components) for key, part in value.items()}
        if isinstance(value, dict)
        else [_whole(part, components) for part in value]
        if isinstance(value, list)
        else value
    )


def _fits(value: Any, schema: Mapping[str, Any]) -> bool:
    kinds = {one.get("type") for one in schema.get("anyOf", [schema])}
    return {str: "string", bool: "boolean", type(None): "null"}.get(type(value)) in kinds and not any(
        "format" in one or "pattern" in one for one in schema.get("anyOf", [schema])
    )


def _by_type(schema: Mapping[str, Any], components: Mapping[str, Any], depth: int) -> Any:
    match schema.get("type"):
        case "string":
            usual = schema.get("default") or _BY_FORMAT.get(schema.get("format", ""), "texte")
            return usual[: schema.get("maxLength", len(usual))]
        case "integer" | "number":
            return schema.get("default") or schema.get("minimum") or schema.get("exclusiveMinimum", 0) + 1
        case "boolean":
            return schema.get("default", True)
        case "array":
            items = schema.get("items")
            return [] if items is None or depth > _DEEPEST else [example_of(items, components, "", depth + 1)]
        case "object" if "properties" in schema:
            return _object(schema, components, depth)
        case "null":
            return None
        case _:
            return {}


def _object(schema: Mapping[str, Any], components: Mapping[str, Any], depth: int) -> dict[str, Any]:
    """What is required, and what has an example of its own."""
    required = set(schema.get("required", ()))
    told = schema.get("additionalProperties") is not False
    return {
        name: example_of(part, components, name, depth + 1)
        for name, part in schema["properties"].items()
        if name in required or part.get("examples") or (told and depth < 3)
    }
