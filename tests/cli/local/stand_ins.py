"""Small programs in the place of the API and the workers; run as a script, `up` with them.

`python -m tests.cli.local.stand_ins` reads the same DA_* settings as `./streaks up` does; with `--patient` a
program that does not end has a minute for it.
"""

import sys

from cli.local.programs import Place
from cli.local.record import RecordFile
from cli.local.service import Service
from cli.local.supervisor import Program
from cli.output import say
from cli.verbs.up import serve
from core.service_secrets import Secrets
from core.settings import load_settings

PATIENT = "--patient"
SLEEPER = "import time; time.sleep(600)"
# Ignores SIGTERM, as a worker that hangs does, and has a child that does so too.
STUBBORN_PARENT = (
    "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    f"subprocess.Popen([sys.executable, '-I', '-S', '-c', {SLEEPER!r}, sys.argv[1]]); time.sleep(600)"
)


def python(code: str, *arguments: str) -> tuple[str, ...]:
    """The command line of a little Python program."""
    return (sys.executable, "-I", "-S", "-c", code, *arguments)


def stand_ins(place: Place, secrets: Secrets) -> list[Program]:
    """A program that ends when asked, and one that does not, with a child; both name the state folder."""
    env = place.environment()
    mark = str(place.state_dir)
    return [
        Program("sleeper", python(SLEEPER, mark), env),
        Program("stubborn", python(STUBBORN_PARENT, mark), env, grace_s=60.0 if PATIENT in sys.argv else 1.0),
    ]


if __name__ == "__main__":
    settings = load_settings()
    service = Service(settings, say=say, programs=stand_ins)
    sys.exit(serve(service, RecordFile(settings.state_dir.absolute()), as_json="--json" in sys.argv))
