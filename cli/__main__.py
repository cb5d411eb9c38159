"""`python -m cli`: find the verb, import it and nothing else, and turn its end into an exit status.

Only the standard library is needed as far as the list of verbs, so `./streaks --help` works before anything
is installed.
"""

import argparse
import difflib
import importlib
import os
import sys
from collections.abc import Sequence

from cli.exit_codes import Exit
from cli.output import emit, say
from cli.verbs import VERBS, Verb
from core.errors import ServiceError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; returns its exit status (see `Exit`)."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    args = argparse.Namespace(json=False)
    try:
        args = parse(words)
        status: int = importlib.import_module(VERBS[args.verb].module).run(args)
        sys.stdout.flush()
    except ServiceError as error:
        return _fail(error, as_json=args.json)
    except KeyboardInterrupt:
        say("interrupted")
        return Exit.INTERRUPTED
    except BrokenPipeError:  # the reader of our output (head, less) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.FAILED
    except OSError as error:  # a full disk, a folder that is closed to us: the machine's fault, and no bug
        return _fail(error, as_json=args.json)
    return status


def parse(words: Sequence[str]) -> argparse.Namespace:
    """The arguments of one verb, and `verb`, `json`, `server`; exits 2, saying why, when they are wrong."""
    top = _top_parser()
    args = top.parse_args(words)
    if args.verb is None:
        top.print_help(sys.stderr)
        top.exit(Exit.USAGE)
    if args.verb not in VERBS:
        near = difflib.get_close_matches(args.verb, VERBS, n=1)
        top.error(f"no verb {args.verb!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    verb = VERBS[args.verb]
    if verb.passes_on:
        return args
    rest = args.rest
    del args.rest
    return _verb_parser(args.verb, verb).parse_args(rest, args)


def _top_parser() -> argparse.ArgumentParser:
    width = max(map(len, VERBS))
    verbs = "\n".join(f"  {name:{width}}  {verb.help}" for name, verb in VERBS.items())
    parser = argparse.ArgumentParser(
        prog="./streaks",
        usage="./streaks [--json] [--server URL] VERB [ARGUMENTS]",
        description="Sort streak cutouts: real or bogus, short or long.",
        epilog=f"verbs:\n{verbs}\n\n./streaks VERB --help tells more. Exit status: 0 ok, 1 failed, 2 usage, "
        "3 finished with rejections, 130 interrupted.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _add_global_options(parser, with_defaults=True)
    parser.add_argument("verb", nargs="?", metavar="VERB", help=argparse.SUPPRESS)
    parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


def _verb_parser(name: str, verb: Verb) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"./streaks {name}", description=verb.help, allow_abbrev=False)
    _add_global_options(parser, with_defaults=False)
    importlib.import_module(verb.module).add_arguments(parser)
    return parser


def _add_global_options(parser: argparse.ArgumentParser, *, with_defaults: bool) -> None:
    """The same options before and after the verb; after it they must not undo those before it."""
    no_default = None if with_defaults else argparse.SUPPRESS
    parser.add_argument(
        "--json",
        action="store_true",
        default=False if with_defaults else argparse.SUPPRESS,
        help="print one JSON object on standard output; progress goes to standard error",
    )
    parser.add_argument(
        "--server",
        metavar="URL",
        default=no_default,
        help="speak to a service elsewhere, not to the local one",
    )


def _fail(error: ServiceError | OSError, *, as_json: bool) -> int:
    sentence = str(error)
    if isinstance(error, OSError) and error.strerror:
        sentence = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    say(f"streaks: {sentence}")
    if as_json:
        emit({"error": sentence, "kind": type(error).__name__})
    return Exit.FAILED


if __name__ == "__main__":
    sys.exit(main())
