"""`./streaks doctor`: one line for each thing that the service needs, and a cure where it is not well."""

import argparse

from cli.doctor import examine
from cli.exit_codes import Exit
from cli.output import emit


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `--blobs`."""
    parser.add_argument(
        "--blobs", action="store_true", help="read the bytes of every cutout, and not of a sample; takes long"
    )


def run(args: argparse.Namespace) -> int:
    """Print what was found; exits 1 when something is wrong."""
    findings = examine(all_blobs=args.blobs)
    well = all(finding.well for finding in findings)
    if args.json:
        facts = [
            {"what": f.what, "ok": f.well, "found": f.found, "cure": None if f.well else f.cure}
            for f in findings
        ]
        emit({"ok": well, "findings": facts})
    else:
        for finding in findings:
            print(finding)
    return Exit.OK if well else Exit.FAILED
