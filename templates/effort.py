"""How much one message may have computed: rounds of loops, and what is put together, are counted.

The language cannot run for ever, but two loops over a thousand numbers, written a hundred times, take
minutes, and a join within a join takes all the memory there is. Programs hand over templates as content, so
what one of them asks for must not hold up everybody else. Each loop is charged before its first round: its
rounds times the parts of its body.
"""

from collections.abc import Iterable
from typing import Any, Final

from jinja2 import Environment, nodes, pass_context, pass_eval_context
from jinja2.exceptions import SecurityError
from jinja2.filters import do_join
from jinja2.nodes import EvalContext
from jinja2.runtime import Context

MAX_WORK: Final = 200_000
"""Parts of loops worked through for one part of a message: a thousand rounds of two hundred parts."""
MAX_ITEM: Final = 1000
"""Characters, or members, of one thing that a loop goes through."""
MAX_JOINED: Final = 10_000
"""Characters that `join` puts together."""
MAX_OPERANDS: Final = 100
"""Texts put together in one expression by `~`."""
METER: Final = "as counted"
"""Name of the filter around what a loop goes through: with a blank, so that no template can write it."""
_SPENT: Final = "work done"
_CHARACTERS_A_PART: Final = 64


def meter_loops(environment: Environment, tree: nodes.Template) -> None:
    """Have every loop of a checked tree charged when it begins."""
    loops = [(loop, _parts_of(loop)) for loop in tree.find_all(nodes.For)]
    for loop, parts in loops:
        weight = nodes.Const(parts, lineno=loop.lineno)
        loop.iter = nodes.Filter(loop.iter, METER, [weight], [], None, None, lineno=loop.lineno)
        loop.iter.set_environment(environment)


@pass_context
def metered(context: Context, things: Iterable[Any], parts: int) -> list[Any]:
    """What a loop goes through, paid for; SecurityError when the message has done enough."""
    found = list(things)
    spent = context.parent.get(_SPENT, 0) + parts * len(found)
    if spent > MAX_WORK:
        raise SecurityError("its loops do too much")
    if any(hasattr(one, "__len__") and len(one) > MAX_ITEM for one in found):
        raise SecurityError(f"a loop goes through things of at most {MAX_ITEM} characters")
    # Of this rendering alone: its variables are a dictionary of its own.
    context.parent[_SPENT] = spent
    return found


@pass_eval_context
def bounded_join(
    context: EvalContext, things: Iterable[Any], between: str = "", attribute: str | int | None = None
) -> str:
    """`join`, of at most MAX_JOINED characters."""
    found = list(things)
    if sum(len(str(one)) for one in found) + len(between) * len(found) > MAX_JOINED:
        raise SecurityError(f"join() puts at most {MAX_JOINED} characters together")
    joined: str = do_join(context, found, between, attribute)
    return joined


def _parts_of(loop: nodes.For) -> int:
    """What one round costs: the nodes of its body, and long texts in it as several."""
    inside = [
        part
        for child in loop.iter_child_nodes(exclude=("iter",))
        for part in (child, *child.find_all(nodes.Node))
    ]
    texts = (part.value for part in inside if isinstance(part, nodes.Const) and isinstance(part.value, str))
    return len(inside) + sum(len(text) // _CHARACTERS_A_PART for text in texts)
