"""References to object stores, through fsspec, for schemes and buckets that the settings name."""

from typing import cast
from urllib.parse import urlsplit

import fsspec

from core.errors import CutoutRejected, Unavailable, Unsafe
from core.settings import References
from cutouts.sources.web import host_is_allowed


def bucket_of(reference: str, policy: References) -> str:
    """The bucket (or host) of a reference such as `s3://bucket/key`; raises Unsafe when it is not allowed."""
    bucket = urlsplit(reference).netloc
    if "::" in reference or "@" in bucket or not host_is_allowed(bucket, policy):
        allowed = ", ".join(policy.hosts) or "none"
        raise Unsafe(f"reference {reference!r} is in {bucket!r}; allowed hosts and buckets: {allowed}")
    return bucket


def read_object(reference: str, policy: References, *, max_bytes: int) -> bytes:
    """The bytes of an object, with the credentials that this host has."""
    bucket_of(reference, policy)
    try:
        files, path = fsspec.core.url_to_fs(reference)
        with files.open(path, "rb") as file:
            data = cast(bytes, file.read(max_bytes + 1))
    except (FileNotFoundError, IsADirectoryError) as error:
        raise CutoutRejected("fetch", "not_found", f"{reference}: no such object") from error
    except PermissionError as error:
        raise CutoutRejected("fetch", "not_allowed", f"{reference}: the service may not read it") from error
    except (ImportError, ValueError) as error:
        raise CutoutRejected("fetch", "unsupported", f"{reference}: {error}") from error
    except OSError as error:
        raise Unavailable(f"{reference}: {type(error).__name__}") from error
    if len(data) > max_bytes:
        raise CutoutRejected("fetch", "too_large", f"{reference}: more than {max_bytes} bytes")
    return data
