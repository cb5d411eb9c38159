"""How large the body of a request may be: a little, but where a route streams it to disk, or needs more.

FastAPI reads and parses a body before a route looks at the caller's role, so what is parsed is either small
or from somebody who may send it.
"""

import re

from api.model_archive import LARGEST_ARCHIVE
from core.settings import Limits
from core.user import Role, User

SMALL_BYTES = 2**20
OPEN_BYTES = 64 * 1024
"""What somebody without an account may send."""

STREAMED = ("/v1/nights/", "/v1/blobs/")
STREAMED_EXACTLY = frozenset({"/v1/jobs/score", "/v1/datasets", "/v1/projects/import"})
STREAMED_IN_PROJECT = re.compile(
    r"(/v1/projects/[^/]+/datasets/[^/]+/files|/projects/[^/]+/datasets/[^/]+(/classify)?)"
)
"""Who may not fill the data set is refused before the body is read."""
READ_WHOLE: dict[str, tuple[int, Role]] = {
    "/v1/models": (LARGEST_ARCHIVE, "admin"),
    "/v1/imports/": (64 * 2**20, "operator"),  # pages of over 4 MiB of BSON, by one document at most
}
"""Paths by how they begin: the most that a body has, and the role without which it has to be small."""


def body_limit(path: str, user: User | None, limits: Limits) -> int:
    """How many bytes a body to this path may have that this user sends; an invited host is none."""
    is_streamed = path in STREAMED_EXACTLY or path.startswith(STREAMED)
    if is_streamed or STREAMED_IN_PROJECT.fullmatch(path):
        return limits.upload_bytes
    for begin, (most, role) in READ_WHOLE.items():
        if path.startswith(begin) and user is not None and user.may(role):
            return min(most, limits.upload_bytes)
    return min(SMALL_BYTES, limits.upload_bytes)
