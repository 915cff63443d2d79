"""The calls and shapes of the Python client, written from the description of the API.

Two classes a noun, one that waits and one that is awaited, and nothing in them but names and types: what they
do is in `tocsin_client.conversation` and `tocsin_client.wire`.
"""

import keyword
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]
METHODS = ("get", "put", "post", "patch", "delete")
SHARED = "shared"
HEAD = '"""{words}\n\nWritten by `python -m tests.web.api_description`; not by hand.\n"""\n\n'


@dataclass(frozen=True)
class Operation:
    """One call."""

    noun: str
    name: str
    method: str
    path: str
    told: Json

    @property
    def body(self) -> tuple[str, Json] | None:
        """Media type and schema of what is sent."""
        content = self.told.get("requestBody", {}).get("content", {})
        return next(((kind, one.get("schema", {})) for kind, one in content.items()), None)

    @property
    def answer(self) -> Json | None:
        """The schema of what is told, None for nothing."""
        for status, one in self.told["responses"].items():
            content = one.get("content", {})
            if int(status) < 300 and content:
                found: Json = content.get("application/json", {}).get("schema", {})
                return found
        return None

    @property
    def queries(self) -> list[Json]:
        """The parameters of the query."""
        return [one for one in self.told.get("parameters", ()) if one["in"] == "query"]


def operations(document: Json) -> Iterator[Operation]:
    """Every call, in the order of the description."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                noun, _, name = item[method]["operationId"].partition("_")
                yield Operation(noun, name, method.upper(), path, item[method])


class Writer:
    """Writes the modules of one description."""

    def __init__(self, document: Json) -> None:
        """`document`: the description."""
        self.schemas: Json = document["components"]["schemas"]
        self.calls = list(operations(document))
        self.home: dict[str, str] = {}
        for call in self.calls:
            for name in self._used_by(call):
                self.home[name] = call.noun if self.home.get(name, call.noun) == call.noun else SHARED

    def modules(self) -> dict[str, str]:
        """Name of each module in `tocsin_client/nouns/`, and its text."""
        nouns = list(dict.fromkeys(call.noun for call in self.calls))
        written = {noun: self._module(noun) for noun in nouns}
        written |= {f"awaited/{noun}": self._awaited(noun) for noun in nouns}
        written["awaited/__init__"] = HEAD.format(words="The nouns of the API, awaited.")
        written[SHARED] = self._shared()
        written["__init__"] = _all_nouns(nouns)
        return {f"{name}.py": text for name, text in written.items()}

    def _used_by(self, call: Operation) -> set[str]:
        pending = [schema for schema in (call.body and call.body[1], call.answer) if schema]
        pending += [one["schema"] for one in call.queries]
        found: set[str] = set()
        while pending:
            one = pending.pop()
            for name in re.findall(r"'#/components/schemas/(\w+)'", str(one)):
                if name not in found:
                    found.add(name)
                    pending.append(self.schemas[name])
        return {name for name in found if self._item_of({"$ref": f"/{name}"}) is None}

    def _shared(self) -> str:
        names = sorted(name for name, home in self.home.items() if home == SHARED)
        head = HEAD.format(words="Shapes that several nouns have in common.")
        return head + _imports("\n".join(map(self._shape, names)), set()) + self._shapes(names)

    def _module(self, noun: str) -> str:
        names = sorted(name for name, home in self.home.items() if home == noun)
        calls = [call for call in self.calls if call.noun == noun]
        parts = [self._shapes(names)]
        parts += [self._query(call) for call in calls if call.queries]
        parts.append(self._class(noun, calls, awaited=False))
        text = "\n\n".join(part for part in parts if part)
        shared = {
            name for name, home in self.home.items() if home == SHARED and re.search(rf"\b{name}\b", text)
        }
        return HEAD.format(words=f"Calls about {noun}, and their shapes.") + _imports(text, shared) + text

    def _awaited(self, noun: str) -> str:
        calls = [call for call in self.calls if call.noun == noun]
        text = self._class(noun, calls, awaited=True)
        own = {name for name, home in self.home.items() if home == noun}
        own |= {_query_name(call) for call in calls if call.queries}
        head = HEAD.format(words=f"Calls about {noun}, awaited.")
        shared = self._named(text, {name for name, home in self.home.items() if home == SHARED})
        return head + _imports(text, shared, noun, self._named(text, own)) + text

    def _named(self, text: str, names: set[str]) -> set[str]:
        return {name for name in names if re.search(rf"\b{name}\b", text)}

    def _class(self, noun: str, calls: list[Operation], *, awaited: bool) -> str:
        begin = "Async" if awaited else ""
        lines = [f"class {begin}{_class_name(noun)}:"]
        lines += [f'    """Calls about {noun}{", awaited" if awaited else ""}."""', ""]
        lines += [f"    def __init__(self, wire: {begin}Wire) -> None:", '        """`wire`: makes them."""']
        lines += ["        self._wire = wire", ""]
        return "\n".join([*lines, *(self._method(call, awaited=awaited) for call in calls)])

    def _shapes(self, names: list[str]) -> str:
        # A name is used before it is bound nowhere but in annotations, which are never run.
        aliases = [name for name in names if "properties" not in self.schemas[name]]
        return "\n\n".join(self._shape(name) for name in [*aliases, *(n for n in names if n not in aliases)])

    def _shape(self, name: str) -> str:
        schema = self.schemas[name]
        if "properties" not in schema:
            return f"{name} = {self._type(schema)}"
        required = set(schema.get("required", ()))
        if any(map(keyword.iskeyword, schema["properties"])):
            parts = [
                f'"{part}": {self._type(kind) if part in required else f"NotRequired[{self._type(kind)}]"}'
                for part, kind in schema["properties"].items()
            ]
            return f'{name} = TypedDict("{name}", {{{", ".join(parts)}}})\n'
        lines = [f"class {name}(TypedDict):", f'    """{_sentence(schema.get("description", name))}"""', ""]
        for part, kind in schema["properties"].items():
            word = self._type(kind)
            lines.append(f"    {part}: {word if part in required else f'NotRequired[{word}]'}")
        return "\n".join(lines) + "\n"

    def _query(self, call: Operation) -> str:
        lines = [f"class {_query_name(call)}(TypedDict):", f'    """What `{call.name}` may be asked."""', ""]
        hidden = {"cursor"} if self._item(call) else set()
        for one in call.queries:
            if one["name"] not in hidden:
                word = self._type(one["schema"])
                lines.append(f"    {one['name']}: {word if one.get('required') else f'NotRequired[{word}]'}")
        return "\n".join(lines) + "\n"

    def _method(self, call: Operation, *, awaited: bool) -> str:
        places = re.findall(r"\{(\w+)\}", call.path)
        given = [f"{place}: {'int' if place == 'number' else 'str'}" for place in places] + (
            ["/"] if places else []
        )
        parts = [f'"{call.method}"', _path(call.path)]
        body = call.body
        if body is not None and body[0] != "application/json":
            given = [*given[: len(places)], "content: bytes", "/"]
            parts += ["body=content", f'content_type="{body[0]}"']
        elif body is not None:
            parts.append("body=body")
        takes_key = any(one["name"].lower() == "idempotency-key" for one in call.told.get("parameters", ()))
        after = ["idempotency_key: str | None = None"] if takes_key else []
        after += [f"**body: Unpack[{self._type(_real(body[1]))}]"] if body and "body=body" in parts else []
        if call.queries:
            parts.append("query=query")
            after.append(f"**query: Unpack[{_query_name(call)}]")
        if takes_key:
            parts += ["takes_key=True", "key=idempotency_key"]
        if after and not after[0].startswith("**"):
            given.append("*")
        arguments = ", ".join(["self", *given, *after])
        return self._text(call, arguments, f"Call({', '.join(parts)})", awaited=awaited)

    def _text(self, call: Operation, arguments: str, made: str, *, awaited: bool) -> str:
        words = _sentence(call.told.get("description", call.name))
        item = self._item(call)
        if item is not None:
            kind = f"{'AsyncIterator' if awaited else 'Iterator'}[{item}]"
            lines = [f"    def {call.name}({arguments}) -> {kind}:", f'        """{words}"""']
            return "\n".join([*lines, f"        return self._wire.pages({made})", ""])
        begin, wait = ("async def", "await ") if awaited else ("def", "")
        answer = "None" if call.answer is None else self._type(call.answer)
        lines = [f"    {begin} {call.name}({arguments}) -> {answer}:", f'        """{words}"""']
        if call.answer is None:
            return "\n".join([*lines, f"        {wait}self._wire.make({made})", ""])
        lines += [f"        found: {answer} = {wait}self._wire.make({made})", "        return found", ""]
        return "\n".join(lines)

    def _item(self, call: Operation) -> str | None:
        """The kind of thing a list is of, None where it is no list in pages."""
        return None if call.answer is None else self._item_of(call.answer)

    def _item_of(self, schema: Json) -> str | None:
        page = self.schemas.get(str(schema.get("$ref", "")).rpartition("/")[2], {})
        parts = page.get("properties", {})
        return (
            self._type(parts["data"]["items"])
            if {"data", "has_more", "next_cursor"} <= parts.keys()
            else None
        )

    def _type(self, schema: Json) -> str:
        """How Python writes it."""
        if "$ref" in schema:
            return str(schema["$ref"]).rpartition("/")[2]
        if "const" in schema or "enum" in schema:
            values = [schema["const"]] if "const" in schema else schema["enum"]
            return f"Literal[{', '.join(map(repr, values))}]"
        for several in ("anyOf", "oneOf"):
            if several in schema:
                return " | ".join(dict.fromkeys(self._type(one) for one in schema[several]))
        match schema.get("type"):
            case "array":
                return f"list[{self._type(schema.get('items', {}))}]"
            case "object":
                more = schema.get("additionalProperties")
                return f"dict[str, {self._type(more) if isinstance(more, dict) else 'Any'}]"
            case kind:
                names = {
                    "string": "str",
                    "integer": "int",
                    "number": "float",
                    "boolean": "bool",
                    "null": "None",
                }
                return names.get(str(kind), "Any")


def _real(schema: Json) -> Json:
    """Without the null of a body that may be left out."""
    found = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    return found[0] if found else schema


def _class_name(noun: str) -> str:
    return noun.title().replace("_", "")


def _query_name(call: Operation) -> str:
    return f"{_class_name(call.noun)}{''.join(word.title() for word in call.name.split('_'))}Query"


def _sentence(text: str) -> str:
    """The first sentence or paragraph, in one line that fits."""
    line = " ".join(text.partition("\n\n")[0].split()).replace('"', "'").replace("\\", "")
    if len(line) > 92:
        # Cut where it may end: after a sentence, a clause, at worst a word.
        cut = max((line.rfind(mark, 0, 92) for mark in (". ", ": ", "; ", ", ")), default=-1)
        line = (line[:cut] if cut > 0 else line[:92].rpartition(" ")[0]).rstrip(",;:.")
    return line if line.endswith((".", "?")) else f"{line}."


def _path(path: str) -> str:
    if "{" not in path:
        return f'"{path}"'
    return 'f"' + re.sub(r"\{(\w+)\}", r"{part(\1)}", path) + '"'


def _imports(text: str, shared: set[str], noun: str = "", own: Collection[str] = ()) -> str:
    """What the text needs, and no more."""
    lines = ["from __future__ import annotations", ""]
    iterators = [name for name in ("AsyncIterator", "Iterator") if re.search(rf"\b{name}\[", text)]
    if iterators:
        lines.append(f"from collections.abc import {', '.join(iterators)}")
    typed = [
        name
        for name in ("Any", "Literal", "NotRequired", "TypedDict", "Unpack")
        if re.search(rf"\b{name}\b", text)
    ]
    if typed:
        lines.append(f"from typing import {', '.join(typed)}")
    lines.append("")
    if "Call(" in text:
        lines.append("from tocsin_client.conversation import Call")
    if own:
        lines.append(f"from tocsin_client.nouns.{noun} import {', '.join(sorted(own))}")
    if shared:
        lines.append(f"from tocsin_client.nouns.shared import {', '.join(sorted(shared))}")
    if "Call(" in text:
        names = ["AsyncWire" if "AsyncWire" in text else "Wire", *(["part"] if "part(" in text else [])]
        lines.append(f"from tocsin_client.wire import {', '.join(names)}")
    return "\n".join(lines) + "\n\n"


def _all_nouns(nouns: list[str]) -> str:
    assert not any(map(keyword.iskeyword, nouns)), nouns
    lines = [
        HEAD.format(words="Every noun of the API, for clients that wait and for those that are awaited.")
    ]
    for noun in sorted(nouns):
        name = _class_name(noun)
        lines.append(f"from tocsin_client.nouns.{noun} import {name}")
        lines.append(f"from tocsin_client.nouns.awaited.{noun} import Async{name}")
    lines.append("from tocsin_client.wire import AsyncWire, Wire\n")
    for begin in ("", "Async"):
        words = "awaited" if begin else "that wait"
        lines += ["", f"class {begin}Nouns:", f'    """Calls by noun, {words}."""', ""]
        lines += [f"    def __init__(self, wire: {begin}Wire) -> None:", '        """`wire`: makes them."""']
        lines += [f"        self.{noun} = {begin}{_class_name(noun)}(wire)" for noun in nouns]
        lines.append("")
    lines.append('__all__ = ["AsyncNouns", "Nouns"]')
    return "\n".join(lines) + "\n"
