"""`./streaks models`: the registry of networks."""

import argparse
from typing import Any

from cli.actions import add_action
from cli.caller import from_caller
from cli.client import Client, Comparison
from cli.connection import connect
from cli.exit_codes import Exit
from cli.model_files import FORMS, export_model, import_model
from cli.output import emit
from cli.tables import count, table
from cli.whole_file import write_whole
from core.errors import InvalidRequest
from core.family import Family
from core.settings import load_settings

Answer = tuple[dict[str, Any], list[str]]
"""What --json prints, and the lines that people read."""

_FIGURES = ("auc", "tpr", "tnr")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what to do, and with which version."""
    actions = parser.add_subparsers(
        dest="action",
        required=True,
        metavar="list | show | compare | threshold | promote | archive | import | export",
    )
    add_action(actions, "list", "every version and its stage")
    add_action(actions, "show", "one version's card").add_argument("version", metavar="rb@1")
    compare = add_action(actions, "compare", "two versions on the test sets that both were measured on")
    compare.add_argument("version", metavar="rb@2")
    compare.add_argument("other", metavar="rb@1")
    where = compare.add_mutually_exclusive_group()
    where.add_argument("--job", metavar="ID", help="instead on a job's cutouts, whose truth nobody knows")
    where.add_argument(
        "--filter", metavar="FILTER", help="instead on these cutouts; '' for all that both scored"
    )
    compare.add_argument("--threshold", type=float, help="both decide by it; by default each by its own")
    compare.add_argument(
        "-o",
        "--out",
        metavar="FILE.html",
        help="with --job or --filter: a page with pictures",
    )
    promote = add_action(actions, "promote", "put a version into production; rolling back is the same")
    promote.add_argument("version", metavar="rb@2")
    promote.add_argument("--even-if-worse", action="store_true", help="than the one in production")
    promote.add_argument(
        "--beside", action="store_true", help="those of its family, which passes what any of them passes"
    )
    threshold = add_action(actions, "threshold", "let a version call 1 what scores at or above this")
    threshold.add_argument("version", metavar="rb@2")
    threshold.add_argument("threshold", metavar="0.61", type=float)
    _add_exchange(actions)
    archive = add_action(actions, "archive", "let a version be used no longer")
    archive.add_argument("version", metavar="rb@1")


def _add_exchange(actions: Any) -> None:
    taken = add_action(actions, "import", "register a bundle, or the file of a network, as a candidate")
    taken.add_argument("path", metavar="PATH", help="a bundle's folder, .weights.h5, .h5 or .keras")
    taken.add_argument("--architecture", metavar="JSON", help="of a .weights.h5")
    taken.add_argument("--version", metavar="rb@9", help="needed for anything but a bundle")
    taken.add_argument("--threshold", type=float, help="0.5 by default, or what the settings give the family")
    taken.add_argument(
        "--recipe",
        metavar="deepstreaks-1",
        help="what makes its images: with it, any network of Keras's own layers with one sigmoid output",
    )
    taken.add_argument("--classes", metavar="NO,YES", help="what 0 and 1 mean; the family's by default")
    given = add_action(actions, "export", "write a version as files")
    given.add_argument("version", metavar="rb@1")
    given.add_argument("out", metavar="OUT", help="the folder to write into")
    given.add_argument("--form", choices=FORMS, default="bundle")


def run(args: argparse.Namespace) -> int:
    """Print the versions, one card or two side by side; or change what is in production."""
    client = connect(args.server)
    actions = {"show": _show, "compare": _compare, "promote": _promote, "archive": _archive}
    actions |= {"threshold": _threshold, "import": _import, "export": _export}
    found, lines = actions.get(args.action, _list)(client, args)
    if args.json:
        emit(found)
    else:
        print("\n".join(lines))
    return Exit.OK


def _show(client: Client, args: argparse.Namespace) -> Answer:
    card = client.models.get(args.version)
    return card, _lines(card)


def _promote(client: Client, args: argparse.Namespace) -> Answer:
    done = client.models.promote(args.version, even_if_worse=args.even_if_worse, beside=args.beside)
    replaced = ", ".join(done["replaced"]) or "nothing"
    return done, [f"{args.version} is in production; it replaced {replaced}"]


def _threshold(client: Client, args: argparse.Namespace) -> Answer:
    moved = client.models.set_threshold(args.version, args.threshold)
    told = f"{args.version} calls 1 from {moved['threshold']:g} on, {moved['before']:g} before"
    return moved, [f"{told}; cutouts on record are being decided again"]


def _archive(client: Client, args: argparse.Namespace) -> Answer:
    card = client.models.archive(args.version)
    return {"version": card["version"], "stage": card["stage"]}, [f"{args.version} is archived"]


def _import(client: Client, args: argparse.Namespace) -> Answer:
    family = load_settings().families.get((args.version or "").partition("@")[0], Family(classes=("0", "1")))
    card = import_model(
        client,
        from_caller(args.path),
        architecture=from_caller(args.architecture) if args.architecture else None,
        version=args.version,
        threshold=family.threshold if args.threshold is None else args.threshold,
        recipe=args.recipe,
        classes=args.classes,
    )
    return card, [f"{card['version']} is registered as a {card['stage']}"]


def _export(client: Client, args: argparse.Namespace) -> Answer:
    written = export_model(client, args.version, from_caller(args.out), form=args.form)
    return {"version": args.version, "form": args.form, "written": str(written)}, [str(written)]


def _compare(client: Client, args: argparse.Namespace) -> Answer:
    """The figures of both cards with one fingerprint, the same test set; or the changes on cutouts."""
    if args.job is not None or args.filter is not None:
        return _compare_cutouts(client, args)
    if args.out is not None:
        raise InvalidRequest("-o came without --job or --filter; expected which cutouts the page is of")
    one, other = (client.models.get(name)["metrics"] for name in (args.version, args.other))
    known = {found["fingerprint"]: found for found in other.values() if "fingerprint" in found}
    sets = [
        {"dataset": found["dataset"], "seed": found["seed"], "n": found["n"]}
        | {key: [found[key], known[found["fingerprint"]][key]] for key in ("confusion_matrix", *_FIGURES)}
        for found in one.values()
        if found.get("fingerprint") in known
    ]
    if not sets:
        raise InvalidRequest(f"{args.version} and {args.other} were not measured on one test set")
    rows = [
        (
            f"{found['dataset']}, {found['n']} cutouts",
            name.upper(),
            *(f"{value:.4f}" for value in found[name]),
        )
        for found in sets
        for name in _FIGURES
    ]
    told = table(("test set", "figure", args.version, args.other), rows)
    return {"versions": [args.version, args.other], "test_sets": sets}, [told]


def _compare_cutouts(client: Client, args: argparse.Namespace) -> Answer:
    """What changes on a job's cutouts or on those of a filter; written to a file where one is named."""
    asked = Comparison(
        before=args.other,
        after=args.version,
        job=args.job,
        text=args.filter or "",
        threshold=args.threshold,
    )
    if args.out is None:
        found = client.changes.counted(asked)
        return found, parity_table(found)
    out = from_caller(args.out)
    size = write_whole(out, client.changes.page(asked))
    return {"versions": [args.version, args.other], "file": str(out), "bytes": size}, [f"wrote {out}"]


def parity_table(found: dict[str, Any]) -> list[str]:
    """How scores moved on cutouts whose truth nobody knows, as lines."""
    before, after = found["before"], found["after"]
    was, now = found["thresholds"]
    lines = [
        f"{count(found['n'], 'cutout')} scored by both, {found['without']:,} not",
        f"decisions that flip from {before} (at {was:g}) to {after} (at {now:g}): "
        f"{found['to_1']:,} to 1, {found['to_0']:,} to 0",
    ]
    if found["n"]:
        correlation = "none" if found["correlation"] is None else f"{found['correlation']:.6f}"
        within = ", ".join(f"{share:.2%} within {limit}" for limit, share in found["within"].items())
        lines += [
            f"delta: mean {found['mean']:+.4f}, mean size {found['mean_absolute']:.4f}, largest "
            f"{found['largest']:.4f}; {within}; correlation {correlation}",
            table([f"q {name}" for name in found["quantiles"]], [list(found["quantiles"].values())]),
        ]
        rows = [(c["cutout"], f"{c['before']:.4f}", f"{c['after']:.4f}") for c in found["most_changed"]]
        lines.append(table(("most changed", before, after), rows))
    return lines


def _list(client: Client, _: argparse.Namespace) -> Answer:
    models = client.models.all()
    keys = ("version", "stage", "architecture", "parameters", "recipe", "threshold")
    rows = [(*(model[key] for key in keys), model["created"][:10]) for model in models]
    told = table((*keys, "created"), rows) if rows else "no model versions are registered"
    return {"models": models}, [told]


def _lines(value: dict[str, object], indent: str = "") -> list[str]:
    """A card as lines of `name  value`, what is nested indented below its name."""
    lines: list[str] = []
    width = max(map(len, value), default=0)
    for key, entry in value.items():
        if isinstance(entry, dict):
            lines += [f"{indent}{key}", *_lines(entry, indent + "  ")]
        else:
            lines.append(f"{indent}{key:{width}}  {entry}")
    return lines
