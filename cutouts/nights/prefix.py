"""The files below a folder of this host or a prefix of a bucket, as references."""

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import fsspec

from core.errors import InvalidRequest, NotFound, TooLarge, Unavailable, Unsafe
from core.settings import References
from cutouts.sources.local import allowed_path
from cutouts.sources.remote import bucket_of

_CANT_LIST = ("http", "https", "zip")


def list_prefix(prefix: str, policy: References, *, most: int) -> list[str]:
    """References to all files below a prefix such as `s3://bucket/20181106/` or `file:///nights/20181106`.

    Links are not followed. Raises Unsafe for what the policy does not allow, InvalidRequest for a scheme that
    can't be listed, NotFound where nothing is, TooLarge for more than `most`, Unavailable.
    """
    scheme = urlsplit(prefix).scheme
    if scheme not in policy.schemes:
        allowed = ", ".join(policy.schemes) or "none"
        raise Unsafe(f"prefix {prefix[:200]!r} has the scheme {scheme!r}; allowed: {allowed}")
    if scheme in _CANT_LIST:
        raise InvalidRequest(f"prefix {prefix[:200]!r} can't be listed; expected a folder or a bucket")
    found: list[str] = []
    for reference in _folder(prefix, policy) if scheme == "file" else _bucket(prefix, scheme, policy):
        if len(found) == most:
            raise TooLarge(f"{prefix[:200]!r} holds over {most} files; expected at most that many")
        found.append(reference)
    if not found:
        raise NotFound(f"there is nothing at {prefix[:200]!r}; expected the files of a night")
    return sorted(found)


def _folder(prefix: str, policy: References) -> Iterator[str]:
    for place, folders, files in os.walk(allowed_path(prefix, policy)):
        folders.sort()
        yield from (f"file://{quote(str(path))}" for name in files if (path := Path(place) / name).is_file())


def _bucket(prefix: str, scheme: str, policy: References) -> Iterator[str]:
    bucket = bucket_of(prefix, policy)
    try:
        files, path = fsspec.core.url_to_fs(prefix)
        found = files.find(path)
    except PermissionError as error:
        raise InvalidRequest(f"the service may not list {prefix[:200]!r}") from error
    except FileNotFoundError:
        return
    except (ImportError, ValueError) as error:
        raise InvalidRequest(f"{prefix[:200]!r} can't be listed: {error}") from error
    except OSError as error:
        raise Unavailable(f"{prefix[:200]!r} can't be listed: {type(error).__name__}") from error
    for name in found:
        inside = str(name).lstrip("/")
        if inside.startswith(f"{bucket}/"):
            yield f"{scheme}://{inside}"
