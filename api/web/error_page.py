"""What went wrong, said to a person."""

import json

from fastapi.responses import HTMLResponse

from api.problems import Problem
from api.web.rendering import rendered
from core.user import User

_OURS = frozenset({"content-length", "content-type"})


def error_page(problem: Problem, *, user: User | None) -> HTMLResponse:
    """A whole page."""
    return _rendered("error.html", problem, user)


def error_fragment(problem: Problem, *, user: User | None) -> HTMLResponse:
    """A paragraph, for a part of a page that could not be loaded."""
    return _rendered("_fault.html", problem, user)


def _rendered(template: str, problem: Problem, user: User | None) -> HTMLResponse:
    said = json.loads(bytes(problem.body))
    kept = {name: value for name, value in problem.headers.items() if name not in _OURS}
    return rendered(template, user=user, status=problem.status_code, headers=kept, problem=said)
