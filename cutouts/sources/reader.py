"""One door for every scheme: `file:`, `http:`, `https:`, `zip:`, and what fsspec knows if it is allowed."""

from urllib.parse import SplitResult, urlsplit

from core.errors import CutoutRejected, Unsafe
from core.settings import References
from cutouts.sources.local import allowed_path, read_file, read_member, split_member
from cutouts.sources.remote import bucket_of, read_object
from cutouts.sources.web import Target, read_url

MAX_REFERENCE = 2048
WEB = ("http", "https")


def check_reference(reference: str, policy: References) -> None:
    """Refuse a reference that the policy does not allow; nothing is fetched, but host names are looked up.

    A file or host that is not there is no reason to refuse: that is found out when the bytes are read.
    Raises Unsafe with what came and what is allowed.
    """
    url = _split(reference, policy)
    if url.scheme == "file":
        allowed_path(reference, policy)
    elif url.scheme == "zip":
        allowed_path(split_member(reference)[1], policy)
    elif url.scheme in WEB:
        Target.parse(reference, policy).refuse_private(policy)
    else:
        bucket_of(reference, policy)


def read_reference(reference: str, policy: References, *, max_bytes: int, timeout_s: float) -> bytes:
    """The bytes that a reference points to, `max_bytes` of them at most.

    Raises
    ------
    CutoutRejected : stage "fetch", for what a retry can't mend: not allowed, not found, too large.
    Unavailable : for what it may mend: no answer within `timeout_s`, a refused connection, a busy server.
    """
    try:
        url = _split(reference, policy)
        if url.scheme == "file":
            return read_file(reference, policy, max_bytes=max_bytes)
        if url.scheme == "zip":
            return read_member(reference, policy, max_bytes=max_bytes)
        if url.scheme in WEB:
            return read_url(reference, policy, max_bytes=max_bytes, timeout_s=timeout_s)
        return read_object(reference, policy, max_bytes=max_bytes)
    except Unsafe as error:
        raise CutoutRejected("fetch", "not_allowed", str(error)) from error


def _split(reference: str, policy: References) -> SplitResult:
    """The parts of a reference whose scheme is allowed."""
    if len(reference) > MAX_REFERENCE or not reference.isprintable():
        raise Unsafe(
            f"reference {reference[:80]!r}… of {len(reference)} characters; "
            f"expected a URL of at most {MAX_REFERENCE} printable characters"
        )
    try:
        url = urlsplit(reference)
    except ValueError as error:
        raise Unsafe(f"reference {reference!r} is not a URL: {error}") from error
    if url.scheme not in policy.schemes:
        allowed = ", ".join(policy.schemes) or "none"
        raise Unsafe(f"reference {reference!r} has the scheme {url.scheme!r}; allowed: {allowed}")
    return url
