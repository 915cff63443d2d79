"""The language of templates: a small, harmless part of Jinja.

Values, conditions, loops and a few filters; nothing that captures, imports, calls or assigns. Three walls:
the syntax tree is checked when a template is compiled (so that the mistake has a line number), Jinja's own
sandbox refuses what slips through, and sizes are capped, as is all that loops may do (`templates.effort`).
Assignment is left out because twenty lines of `{% set a = a ~ a %}` would fill the memory.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import Template, TemplateSyntaxError, Undefined, meta, nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from models.errors import TemplateError
from templates.effort import MAX_OPERANDS, METER, bounded_join, meter_loops, metered
from templates.source import SourceError, mistake_on

MAX_RANGE = 1000
MAX_LOOP_DEPTH = 2
MAX_OUTPUT = 2_000_000
"""Characters one rendered part may have."""
_MAX_NUMBER = 10**12
_RAW = re.compile(r"\{%[-+]?\s*raw\b")

FILTERS = frozenset(
    {
        "default",
        "d",
        "upper",
        "lower",
        "title",
        "capitalize",
        "trim",
        "truncate",
        "first",
        "last",
        "length",
        "count",
    }
    | {
        "join",
        "int",
        "float",
        "round",
        "abs",
        "e",
        "escape",
        "urlencode",
        "sort",
        "unique",
        "reverse",
        "list",
    }
)
TESTS = frozenset(
    {
        "defined",
        "undefined",
        "none",
        "number",
        "string",
        "even",
        "odd",
        "divisibleby",
        "in",
        "eq",
        "ne",
        "lt",
        "le",
    }
    | {"gt", "ge", "==", "!=", "<", "<=", ">", ">=", "equalto", "lessthan", "greaterthan", "upper", "lower"}
)
METHODS = frozenset({"upper", "lower", "title", "capitalize", "strip", "split", "startswith", "endswith"})
LOOP_PARTS = frozenset({"index", "index0", "revindex", "revindex0", "first", "last", "length"})
_ALLOWED_NODES = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For, nodes.Name, nodes.Const),
    *(nodes.TemplateData, nodes.Tuple, nodes.List, nodes.CondExpr, nodes.Filter, nodes.Test, nodes.Call),
    *(nodes.Getattr, nodes.Getitem, nodes.Slice, nodes.Concat, nodes.Compare, nodes.Operand),
    *(nodes.BinExpr, nodes.UnaryExpr, nodes.Keyword),
)
_STATEMENT_NAMES: Mapping[type[nodes.Node], str] = {
    nodes.Assign: "set",
    nodes.AssignBlock: "set",
    nodes.Macro: "macro",
    nodes.CallBlock: "call",
    nodes.FilterBlock: "filter",
    nodes.Block: "block",
    nodes.Extends: "extends",
    nodes.Include: "include",
    nodes.Import: "import",
    nodes.FromImport: "from … import",
    nodes.With: "with",
}


class Absent(Undefined):
    """A value that a person lacks: false in a condition, unequal to anything, fine before `|default`.

    Shown or computed with, it is an error.
    """

    __slots__ = ()

    def __str__(self) -> str:
        return str(self._fail_with_undefined_error())


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja with nothing in it but what the language has."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def __init__(self, *, finalize: Callable[[Any], Any], autoescape: bool, newline: str = "\n") -> None:
        """`finalize` turns each value into what is written in its place."""
        super().__init__(
            finalize=finalize,
            autoescape=autoescape,
            undefined=Absent,
            keep_trailing_newline=True,
            newline_sequence="\r\n" if newline == "\r\n" else "\n",
            # Compiled templates are kept by whoever compiled them.
            cache_size=0,
        )
        self.globals = {"range": bounded_range}
        self.filters = {name: self.filters[name] for name in FILTERS}
        self.filters |= {"join": bounded_join, METER: metered}
        self.tests = {name: self.tests[name] for name in TESTS}

    def _generate(self, source: nodes.Template, *names: Any, **options: Any) -> str:
        meter_loops(self, source)
        return super()._generate(source, *names, **options)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Methods of text, parts of `loop`, and nothing else."""
        allowed = METHODS if isinstance(obj, str) else LOOP_PARTS
        return attr in allowed and super().is_safe_attribute(obj, attr, value)

    def is_safe_callable(self, obj: Any) -> bool:
        """`range`, and methods of text."""
        return obj is bounded_range or (
            isinstance(getattr(obj, "__self__", None), str) and getattr(obj, "__name__", "") in METHODS
        )

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Arithmetic on numbers of a sensible size; `"a" * 10**9` and `"%999999999d" % 1` are bombs."""
        for side in (left, right):
            if isinstance(side, Undefined):
                str(side)  # says which field is missing
            if not isinstance(side, int | float) or abs(side) > _MAX_NUMBER:
                raise SecurityError(f"the operator {operator} works on numbers only")
        if operator == "**":
            raise SecurityError("there are no powers in templates")
        return super().call_binop(context, operator, left, right)


def bounded_range(*bounds: int) -> range:
    """`range`, of at most MAX_RANGE numbers."""
    numbers = range(*bounds)
    if len(numbers) > MAX_RANGE:
        raise SecurityError(f"range() gives at most {MAX_RANGE} numbers")
    return numbers


def parse(environment: Sandbox, source: str) -> nodes.Template:
    """The checked syntax tree; SourceError, with its line, for what Jinja or this language refuses."""
    try:
        tree = environment.parse(source)
        _check(tree, source, 0)
    except TemplateSyntaxError as error:
        raise _explain(source, error) from error
    except RecursionError as error:
        raise _too_deep() from error
    raw = _RAW.search(source)
    if raw:
        line = source.count("\n", 0, raw.start()) + 1
        raise mistake_on(
            source, line, "“raw” is not part of the language.", 'Write {{ "{{" }} for two braces.'
        )
    return tree


def compile_source(environment: Sandbox, source: str) -> Template:
    """A template ready to render; the source must have passed `parse`."""
    try:
        return environment.from_string(source)
    except TemplateSyntaxError as error:
        raise _explain(source, error) from error
    except (SyntaxError, RecursionError, MemoryError) as error:
        # Python's own limits on the code that Jinja makes of the template.
        raise _too_deep() from error


def _explain(source: str, error: TemplateSyntaxError) -> SourceError:
    return mistake_on(source, error.lineno, _sentence(error.message), _syntax_advice(error.message))


def _too_deep() -> TemplateError:
    return TemplateError("The template is nested too deeply.", "Simplify its conditions and expressions.")


@dataclass(frozen=True, slots=True)
class Part:
    """One compiled part of a message: its subject, its HTML, its text."""

    template: Template
    repeats: bool
    """Whether it holds a loop, and so its output has to be counted."""

    def render(self, values: Mapping[str, Any]) -> str:
        """The part for one person; see `run`."""
        return run(self.template, values, capped=self.repeats)


def compile_part(environment: Sandbox, source: str) -> Part:
    """A part of a message from its source; SourceError for what the language refuses."""
    tree = parse(environment, source)
    return Part(compile_source(environment, source), tree.find(nodes.For) is not None)


def fields_of(environment: Sandbox, tree: nodes.Template) -> frozenset[str]:
    """The merge fields a checked template asks for."""
    return frozenset(meta.find_undeclared_variables(tree)) - set(environment.globals)


def run(template: Template, values: Mapping[str, Any], *, capped: bool) -> str:
    """Render in one pass; `capped` counts the output, for templates with loops.

    Raises TemplateError when the output is too long or an expression cannot be computed.
    """
    try:
        parts = template.root_render_func(template.new_context(dict(values)))
        return _join_capped(parts) if capped else "".join(parts)
    except TemplateError:
        raise
    except Exception as error:
        # Whatever an expression can raise: a type that does not fit, a division by zero, the sandbox.
        reason = _sentence(str(error))
        raise TemplateError(
            f"The template cannot be rendered: {reason}", "Correct the expression."
        ) from error


def _join_capped(parts: Iterator[str]) -> str:
    kept: list[str] = []
    size = 0
    for part in parts:
        size += len(part)
        if size > MAX_OUTPUT:
            raise TemplateError(f"The message grew beyond {MAX_OUTPUT} characters.", "Shorten its loops.")
        kept.append(part)
    return "".join(kept)


def _check(node: nodes.Node, source: str, depth: int) -> None:
    """Refuse what the language does not have; `depth` counts the loops around `node`."""
    refusal = _refusal(node, depth)
    if refusal:
        raise _refuse(source, node, *refusal)
    inner = depth + isinstance(node, nodes.For)
    for child in node.iter_child_nodes():
        _check(child, source, inner)


def _refusal(node: nodes.Node, depth: int) -> tuple[str, str] | None:
    """The problem and the advice, or None when the node is fine."""
    match node:
        case nodes.For(recursive=True):
            return "a loop cannot call itself", "Leave `recursive` out."
        case nodes.For() if depth >= MAX_LOOP_DEPTH:
            return f"loops are nested more than {MAX_LOOP_DEPTH} deep", "Simplify."
        case nodes.Concat(nodes=texts) if len(texts) > MAX_OPERANDS:
            return f"more than {MAX_OPERANDS} texts are put together", "Write them one after the other."
        case nodes.Getattr(node=nodes.Name(name="loop"), attr=attr) if attr in LOOP_PARTS:
            return None
        case nodes.Getattr(attr=attr) if attr not in METHODS:
            return (
                f"“.{attr}” does not exist: a merge field has no parts",
                "Write the field's own name alone.",
            )
        case nodes.Filter() | nodes.Test() | nodes.Call():
            return _use_refusal(node)
        case _ if not isinstance(node, _ALLOWED_NODES):
            name = _STATEMENT_NAMES.get(type(node), type(node).__name__)
            return f"“{name}” is not part of the language", "Use if, for, and merge fields with fallbacks."
        case _:
            return None


def _use_refusal(node: nodes.Filter | nodes.Test | nodes.Call) -> tuple[str, str] | None:
    """The same for what is done with a value."""
    match node:
        case nodes.Filter(name=name) if name not in FILTERS:
            return f"there is no filter “{name}”", f"Available: {', '.join(sorted(FILTERS))}."
        case nodes.Test(name=name) if name not in TESTS:
            return f"there is no test “{name}”", "Use a comparison."
        case nodes.Call(node=called) if not isinstance(called, nodes.Getattr):
            if not (isinstance(called, nodes.Name) and called.name == "range"):
                return "only range() and methods of text can be called", "Write {{ field }} without brackets."
        case _:
            pass
    return None


def _refuse(source: str, node: nodes.Node, problem: str, advice: str) -> SourceError:
    return mistake_on(source, node.lineno or 1, _sentence(problem), advice)


def _sentence(text: str | None) -> str:
    text = (text or "syntax error").strip()
    text = text[0].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _syntax_advice(message: str | None) -> str:
    if message and "end of comment" in message:
        return "“{#” begins a comment; put a blank between the two signs if none was meant."
    if message and ("endif" in message or "endfor" in message or "end of template" in message):
        return "Each {% if %} needs its {% endif %}, each {% for %} its {% endfor %}."
    return "Check the braces: {{ field }} for a value, {% if … %} … {% endif %} for a condition."
