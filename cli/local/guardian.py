"""The supervisor's end of the guardian, which kills what a killed supervisor leaves behind."""

import subprocess
import sys
from contextlib import suppress

from cli.local import guardian_process


class Guardian:
    """A process that outlives its maker only to kill the process groups that it was told to remember."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", guardian_process.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
        )

    def remember(self, group: int) -> None:
        """Kill this process group when the maker dies."""
        self._tell(f"+{group}")

    def forget(self, group: int) -> None:
        """Leave this process group alone: it has ended."""
        self._tell(f"-{group}")

    def dismiss(self) -> None:
        """End the guardian, which kills what it still remembers, and wait for its end."""
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
        self._process.wait()

    def _tell(self, line: str) -> None:
        if self._process.stdin is None or self._process.stdin.closed:
            return
        # Somebody may have killed the guardian; the kernel still kills the direct children.
        with suppress(BrokenPipeError):
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()
