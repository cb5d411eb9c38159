"""`./streaks import`: what a predecessor has on record."""

import argparse
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

from cli.actions import add_action
from cli.client import Client, Comparison, Json
from cli.connection import connect
from cli.exit_codes import Exit
from cli.legacy_collection import LegacyCollection
from cli.output import emit, say
from cli.tables import count, table
from cli.verbs.models import parity_table
from cli.watching import ProgressLine
from core.errors import InvalidRequest
from core.legacy import is_legacy, question_of

URL = "DA_IMPORT_MONGO_URL"
PUBLISHED_NAME = "deep-asteroids"  # of the database and of the collection, in the published configuration
_NAMED = 20
_WEIGHTS = (".architecture.json", ".weights.h5", ".h5")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add where the documents are, and what their fields are."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="deepstreaks")
    deepstreaks = add_action(
        actions, "deepstreaks", "score documents: metadata, positions, ADES, and scores as legacy versions"
    )
    deepstreaks.add_argument(
        "uri", nargs="?", metavar="MONGO_URI", help=f"mongodb://USER:PASSWORD@HOST:27017; or set {URL}"
    )
    deepstreaks.add_argument("--database", default=PUBLISHED_NAME, metavar="NAME")
    deepstreaks.add_argument("--collection", default=PUBLISHED_NAME, metavar="NAME")
    deepstreaks.add_argument(
        "--as", dest="source", default="deepstreaks", metavar="NAME", help="whose scores these are"
    )
    deepstreaks.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="FIELD=FAMILY[:NETWORK]",
        help="the family (or - to leave it out) of a field whose name does not begin with it, as in "
        "abc_VGG6_20190101_010101=rb; and the network, as its files are named, for the parity report",
    )


def run(args: argparse.Namespace) -> int:
    """Import, from where it was broken off; exit 3 when something of a document could not be taken."""
    url = args.uri or os.environ.get(URL)
    if not url:
        raise InvalidRequest(f"no MONGO_URI came, and {URL} is not set; expected mongodb://HOST:27017")
    families, networks = _told_models(args.model)
    client = connect(args.server)
    with closing(LegacyCollection(url, args.database, args.collection)) as collection:
        name = f"{args.source}:{collection.identity()}"
        _import(client, collection, name, {"families": families, "networks": networks})
    found = client.imports.get(name)
    state, faults = found["state"], found["faults"]
    parity = list(_parity(client, state["versions"].values()))
    if args.json:
        emit(
            {
                "source": args.source,
                "collection": collection.name,
                **state,
                "faults": faults,
                "parity": parity,
            }
        )
    else:
        print("\n".join(_report(state, faults, parity)))
    return Exit.REJECTIONS if state["counts"]["faults"] else Exit.OK


def _import(client: Client, collection: LegacyCollection, name: str, told: Json) -> None:
    state = client.imports.begin(name)["state"]
    before = state["counts"]["documents"]
    say(f"{collection.name}: about {count(collection.count(), 'document')}" + _resumed(before))
    line, began = ProgressLine(), time.monotonic()
    try:
        for page in collection.pages(state["cursor"]):
            state = client.imports.take(name, page.body(**told))
            done = state["counts"]["documents"]
            rate = (done - before) / max(1e-3, time.monotonic() - began)
            line.show(f"{done:,} documents, {state['counts']['faults']:,} faults, {rate:,.0f}/s")
    finally:
        line.end()
    counts = state["counts"]
    say(f"{count(counts['documents'], 'document')}, {count(counts['faults'], 'fault')}")


def _resumed(documents: int) -> str:
    return f"; going on after {documents:,} of them" if documents else ""


def _told_models(words: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Families and networks by field; raises InvalidRequest for what is neither."""
    families: dict[str, str] = {}
    networks: dict[str, str] = {}
    for word in words:
        field, _, rest = word.partition("=")
        families[field], _, network = rest.partition(":")
        if not field or not families[field]:
            raise InvalidRequest(f"--model {word}; expected FIELD=FAMILY, such as rb_vgg6=rb")
        networks |= {field: network} if network else {}
    return families, networks


def _parity(client: Client, versions: Sequence[str]) -> Iterator[Json]:
    """Each of these legacy versions against the network that was imported from its files, if one was."""
    cards = {card["version"]: card for card in client.models.all()}
    ours = {name: v for v, card in cards.items() if not is_legacy(v) for name in _network_names(card)}
    for version in sorted(versions):
        network = cards[version]["training"]["imported_from"]["network"]
        other = ours.get(network)
        if other is not None and question_of(version.partition("@")[0]) == cards[other]["classifier"]:
            asked = Comparison(before=version, after=other, text=f"has {version}", threshold=0.5)
            yield {"network": network, **client.changes.counted(asked)}


def _network_names(card: Mapping[str, Any]) -> Iterator[str]:
    """As the files were named that a version was imported from."""
    files = card["training"].get("imported_from", {}).get("files", {})
    for name in files:
        for ending in _WEIGHTS:
            if name.endswith(ending):
                yield name.removesuffix(ending)
                break


def _report(state: Json, faults: Sequence[Json], parity: Sequence[Json]) -> list[str]:
    counts = state["counts"]
    lines = [
        f"{count(counts['documents'], 'document')}: {counts['cutouts']:,} new cutouts, metadata of "
        f"{counts['metadata']:,}, ADES of {counts['ades']:,}, {counts['scores']:,} new scores of "
        f"{counts['scores_came']:,}"
    ]
    if state["versions"]:
        lines.append(table(("field", "kept as"), sorted(state["versions"].items())))
    if state["left_out"]:
        lines.append(f"fields that mean nothing here, left out: {', '.join(state['left_out'])}")
    if counts["faults"]:
        lines.append(
            f"not taken: {count(counts['faults'], 'fault')}, {counts['unreadable']:,} whole documents"
        )
        lines += [f"  {fault['name']}: {fault['reason']}, {fault['detail']}" for fault in faults[:_NAMED]]
        lines += ["  … --json has more"] if len(faults) > _NAMED else []
    for found in parity:
        lines += [f"parity of {found['network']}:", *parity_table(found)]
    return lines
