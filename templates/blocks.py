"""Simple conditions and loops, run without Jinja, which needs ten times as long for them.

Simple: a condition on whether a field has a value, or which; a loop over a field cut at a separator; in both,
text and plain merge fields. Whatever is more than that is left to Jinja. What comes out is the same either
way, and a test compares the two.
"""

from collections.abc import Callable, Collection, Mapping, Sequence

from jinja2 import nodes

from models.errors import TemplateError
from templates.language import MAX_OUTPUT
from templates.spelling import Column, Spelled, spell

Values = Mapping[str, Spelled]
Block = Callable[[Values], str]
_Condition = Callable[[Values], bool]


class _TooMuchError(Exception):
    """Something that is left to Jinja."""


def compile_block(body: Sequence[nodes.Node], column: Column, fields: Collection[str]) -> Block | None:
    """The code between two stretches of text as a function; None when Jinja has to run it.

    `fields` are the merge fields; a value that is shown must be there when the function is called.
    """
    try:
        return _Compiler(column, frozenset(fields)).body(body, frozenset())
    except _TooMuchError:
        return None


class _Compiler:
    """Turns checked syntax into functions; `loops` are the names that a loop around has taken."""

    def __init__(self, column: Column, fields: frozenset[str]) -> None:
        self._column = column
        self._fields = fields

    def body(self, body: Sequence[nodes.Node], loops: frozenset[str]) -> Block:
        parts: list[str | Block] = []
        for node in body:
            match node:
                case nodes.Output(nodes=shown):
                    parts += [self._shown(one, loops) for one in shown]
                case nodes.If():
                    parts.append(self._branches(node, loops))
                case nodes.For():
                    parts.append(self._loop(node, loops))
                case _:
                    raise _TooMuchError
        if all(isinstance(part, str) for part in parts):
            text = "".join(part for part in parts if isinstance(part, str))
            return lambda _values: text
        return lambda values: "".join([part if isinstance(part, str) else part(values) for part in parts])

    def _shown(self, node: nodes.Expr, loops: frozenset[str]) -> str | Block:
        column = self._column
        match node:
            case nodes.TemplateData(data=text):
                return str(text)
            case nodes.Name(name=name) if name in loops or name in self._fields:
                return lambda values: values[name][column]
            case _:
                raise _TooMuchError

    def _branches(self, node: nodes.If, loops: frozenset[str]) -> Block:
        branches = [
            (self._condition(one.test, loops), self.body(one.body, loops)) for one in (node, *node.elif_)
        ]
        otherwise = self.body(node.else_, loops)

        def choose(values: Values) -> str:
            for holds, block in branches:
                if holds(values):
                    return block(values)
            return otherwise(values)

        return choose

    def _loop(self, node: nodes.For, loops: frozenset[str]) -> Block:
        match node:
            case nodes.For(
                target=nodes.Name(name=target),
                iter=nodes.Call(
                    node=nodes.Getattr(node=nodes.Name(name=name), attr="split"),
                    args=[nodes.Const(value=str(separator))],
                    kwargs=[],
                    dyn_args=None,
                    dyn_kwargs=None,
                ),
                else_=[],
                test=None,
            ) if separator and name in self._fields and name not in loops:
                body = self.body(node.body, loops | {target})
            case _:
                raise _TooMuchError

        def repeat(values: Values) -> str:
            inner, out, size = dict(values), [], 0
            for piece in values[name].clean.split(separator):
                inner[target] = spell(piece)
                out.append(body(inner))
                size += len(out[-1])
                if size > MAX_OUTPUT:
                    raise TemplateError(
                        f"The message grew beyond {MAX_OUTPUT} characters.", "Shorten its loops."
                    )
            return "".join(out)

        return repeat

    def _condition(self, node: nodes.Node, loops: frozenset[str]) -> _Condition:
        """A loop's own name is left to Jinja: what it stands for is cleaned only where it is shown."""
        match node:
            case nodes.Name(name=name) if name in self._fields - loops:
                return lambda values: name in values and values[name].clean != ""
            case nodes.Not(node=inner):
                holds = self._condition(inner, loops)
                return lambda values: not holds(values)
            case nodes.And(left=left, right=right):
                one, other = self._condition(left, loops), self._condition(right, loops)
                return lambda values: one(values) and other(values)
            case nodes.Or(left=left, right=right):
                one, other = self._condition(left, loops), self._condition(right, loops)
                return lambda values: one(values) or other(values)
            case nodes.Compare(expr=nodes.Name(name=name), ops=[nodes.Operand(op=op, expr=compared)]) if (
                name in self._fields - loops
            ):
                return _comparison(name, op, compared)
            case _:
                raise _TooMuchError


def _comparison(name: str, op: str, compared: nodes.Expr) -> _Condition:
    match compared:
        case nodes.Const(value=str(text)) if op in {"eq", "ne"}:
            wanted = frozenset({text})
        case nodes.List(items=items) | nodes.Tuple(items=items) if op in {"in", "notin"}:
            if not all(isinstance(item, nodes.Const) for item in items):
                raise _TooMuchError
            wanted = frozenset(item.value for item in items if isinstance(item, nodes.Const))
        case _:
            raise _TooMuchError
    if op in {"eq", "in"}:
        return lambda values: name in values and values[name].clean in wanted
    return lambda values: name not in values or values[name].clean not in wanted
