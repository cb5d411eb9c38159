"""Which release of the project this is, as far as its tree can tell."""

import subprocess

from cli.local.programs import ROOT

UNKNOWN = "unreleased"


def release() -> str:
    """What `git describe` says of the tree, such as `v1.2-3-g1a2b3c4`; `unreleased` outside a checkout."""
    command = ["git", "-C", str(ROOT), "describe", "--tags", "--always", "--dirty"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return UNKNOWN
    return told.stdout.strip() or UNKNOWN
