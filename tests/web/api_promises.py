"""Whether a description of the API keeps what an earlier one promised, told in sentences.

Callers may go on as they are: nothing they send is refused, nothing they read is missing or of another kind.
New paths, new parts of answers, new parts of requests that may be left out are no breach; whoever reads the
API passes over what they do not know, so a new value of an answer's enumeration is none either.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]
METHODS = ("get", "put", "post", "patch", "delete")
UPPER = ("maxLength", "maximum", "exclusiveMaximum", "maxItems", "maxProperties")
LOWER = ("minLength", "minimum", "exclusiveMinimum", "minItems", "minProperties")


def breaches(before: Json, after: Json) -> list[str]:
    """What callers of `before` would stumble over in `after`, one line each."""
    return list(dict.fromkeys(_operations(before, after)))


def _operations(before: Json, after: Json) -> Iterator[str]:
    for path, item in before["paths"].items():
        for method in METHODS:
            if method not in item:
                continue
            where = f"{method.upper()} {path}"
            now = after["paths"].get(path, {}).get(method)
            if now is None:
                yield f"{where} is gone"
            else:
                yield from _operation(where, item[method], now, before, after)


def _operation(where: str, old: Json, new: Json, before: Json, after: Json) -> Iterator[str]:
    if old["operationId"] != new["operationId"]:
        yield f"{where}: it was called {old['operationId']}, and is called {new['operationId']}"
    if old.get("security") != new.get("security"):
        yield f"{where}: it needs another scope: {old.get('security')}, {new.get('security')}"
    asked = _Compared(before, after, sent=True)
    yield from _parameters(where, old, new, asked)
    yield from _bodies(where, old.get("requestBody"), new.get("requestBody"), asked)
    told = _Compared(before, after, sent=False)
    for status, answer in old["responses"].items():
        if int(status) >= 400:
            continue
        if status not in new["responses"]:
            yield f"{where}: the answer {status} is gone"
        else:
            content = new["responses"][status].get("content", {})
            yield from _media(f"{where}, answer {status}", answer.get("content", {}), content, told)


def _parameters(where: str, old: Json, new: Json, asked: "_Compared") -> Iterator[str]:
    known = {(one["in"], one["name"]): one for one in old.get("parameters", ())}
    now = {(one["in"], one["name"]): one for one in new.get("parameters", ())}
    for place, one in known.items():
        name = f"{where}, {place[0]} {place[1]}"
        if place not in now:
            yield f"{name} is gone"
            continue
        if now[place].get("required") and not one.get("required"):
            yield f"{name} is required now"
        yield from asked.schema(name, one["schema"], now[place]["schema"])
    for place, one in now.items():
        if place not in known and one.get("required"):
            yield f"{where}, {place[0]} {place[1]} is new and required"


def _bodies(where: str, old: Json | None, new: Json | None, asked: "_Compared") -> Iterator[str]:
    if old is None:
        if new is not None and new.get("required"):
            yield f"{where} needs a body now"
        return
    if new is None:
        yield f"{where} takes no body any more"
        return
    if new.get("required") and not old.get("required"):
        yield f"{where}: the body is required now"
    yield from _media(f"{where}, body", old["content"], new["content"], asked)


def _media(where: str, old: Json, new: Json, compared: "_Compared") -> Iterator[str]:
    for kind, content in old.items():
        if kind not in new:
            yield f"{where}: {kind} is gone"
        else:
            yield from compared.schema(where, content.get("schema", {}), new[kind].get("schema", {}))


@dataclass(frozen=True)
class _Compared:
    """Two descriptions; `sent`: by callers, else told to them."""

    before: Json
    after: Json
    sent: bool

    def schema(
        self, where: str, old: Json, new: Json, seen: frozenset[tuple[str, str]] = frozenset()
    ) -> Iterator[str]:
        pair = (str(old.get("$ref")), str(new.get("$ref")))
        if pair in seen:
            return
        seen = seen | {pair} if "$ref" in old else seen
        were, are = _leaves(old, self.before), _leaves(new, self.after)
        if not were or not are:
            return
        missing = _beyond(were, are) if self.sent else _beyond(are, were)
        if missing:
            verb = "takes no" if self.sent else "may be"
            yield f"{where} {verb} {', '.join(sorted(missing))} {'any more' if self.sent else 'now'}"
        for kind in sorted(set(were) & set(are)):
            yield from self._one(where, were[kind], are[kind], seen)

    def _one(self, where: str, old: Json, new: Json, seen: frozenset[tuple[str, str]]) -> Iterator[str]:
        yield from self._values(where, old, new)
        if self.sent:
            yield from _bounds(where, old, new)
        if old.get("type") == "array" and "items" in old and "items" in new:
            yield from self.schema(f"{where}[]", old["items"], new["items"], seen)
        more, now = old.get("additionalProperties"), new.get("additionalProperties")
        if isinstance(more, dict) and isinstance(now, dict):
            yield from self.schema(f"{where}.*", more, now, seen)
        parts, parts_now = old.get("properties", {}), new.get("properties", {})
        for name, part in parts.items():
            if name not in parts_now:
                yield f"{where}.{name} is gone"
            else:
                yield from self.schema(f"{where}.{name}", part, parts_now[name], seen)
        required, required_now = set(old.get("required", ())), set(new.get("required", ()))
        if self.sent:
            yield from (f"{where}.{name} is required now" for name in sorted(required_now - required))
        else:
            yield from (f"{where}.{name} may be missing now" for name in sorted(required - required_now))

    def _values(self, where: str, old: Json, new: Json) -> Iterator[str]:
        were, are = _enumerated(old), _enumerated(new)
        if were is not None and are is not None:
            gone = were - are
            if gone:
                yield f"{where}: the value {', '.join(sorted(map(str, gone)))} is gone"
        elif self.sent and were is None and are is not None:
            yield f"{where} takes certain values alone now"
        if self.sent and new.get("pattern") not in {None, old.get("pattern")}:
            yield f"{where} has another pattern"
        if old.get("format") != new.get("format") and (not self.sent or new.get("format")):
            yield f"{where} has another format"


def _bounds(where: str, old: Json, new: Json) -> Iterator[str]:
    for name in UPPER:
        if name in new and new[name] < old.get(name, float("inf")):
            yield f"{where}: {name} is {new[name]} now"
    for name in LOWER:
        if (
            name in new
            and new[name] > old.get(name, float("-inf"))
            and not (name.startswith("min") and new[name] <= 0)
        ):
            yield f"{where}: {name} is {new[name]} now"


def _enumerated(schema: Json) -> set[Any] | None:
    if "const" in schema:
        return {schema["const"]}
    return set(schema["enum"]) if "enum" in schema else None


def _leaves(schema: Json, document: Json) -> dict[str, Json]:
    """By kind, what a value may be; empty: anything."""
    if "$ref" in schema:
        return _leaves(document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]], document)
    found: dict[str, Json] = {}
    for several in ("anyOf", "oneOf", "allOf"):
        for one in schema.get(several, ()):
            found |= _leaves(one, document)
    if found:
        return found
    kind = schema.get("type", "string" if {"enum", "const"} & schema.keys() else "")
    return {kind: schema} if kind else {}


def _beyond(some: Mapping[str, Json], others: Mapping[str, Json]) -> set[str]:
    """Kinds of `some` that `others` have not; a whole number is a number."""
    return {kind for kind in some if kind not in others and not (kind == "integer" and "number" in others)}
