"""What may stand behind the question mark of a call: a slip there must not go unnoticed either."""

from collections.abc import Iterator
from difflib import get_close_matches

from fastapi import Request
from fastapi.dependencies.models import Dependant

from web.api.problems import ApiProblemError, Fault

LONGEST_TOLD = 60


def refuse_unknown(request: Request) -> None:
    """ApiProblemError for a parameter nobody knows: a slip in a filter must not answer with everything."""
    if not request.scope["query_string"]:
        return
    there = frozenset(_names(request.scope["route"].dependant))
    for name in request.query_params:
        if name not in there:
            near = get_close_matches(name, there, 1)
            told = f"there are {', '.join(sorted(there))}." if there else "there is none here."
            hint = f"did you mean “{near[0]}”?" if near else told
            problem = f"There is no parameter “{name[:LONGEST_TOLD]}”; {hint}"
            raise ApiProblemError("invalid", problem, [Fault(name[:LONGEST_TOLD], "unknown", problem)])


def _names(dependant: Dependant) -> Iterator[str]:
    yield from (parameter.alias for parameter in dependant.query_params)
    for inner in dependant.dependencies:
        yield from _names(inner)
