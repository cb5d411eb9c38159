"""`python -m core.probe URL [STATUS]`: whether a process of this service is well; containers' health check.

With a status one that answers so is well, too.
"""

import sys
import urllib.error
import urllib.request

TIMEOUT_S = 5.0


def probe(url: str, *, status: int | None = None) -> str | None:
    """What is wrong there, None for an answer below 400 or of this status."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S):  # noqa: S310  the operator's own address
            return None
    except urllib.error.HTTPError as error:
        if error.code == status:
            return None
        return f"{error.code}: {error.read(2000).decode('utf-8', 'replace')}"
    except OSError as error:
        return str(error)


if __name__ == "__main__":
    fault = probe(sys.argv[1], status=int(sys.argv[2]) if len(sys.argv) > 2 else None)
    if fault is not None:
        sys.stderr.write(f"{sys.argv[1]}: {fault}\n")
        sys.exit(1)
