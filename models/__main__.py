"""`python -m models`: train, evaluate, import and export networks, examine data, as a process of its own."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.errors import InvalidRequest, ServiceError
from core.training import ARCHITECTURES, RECIPES


def main(arguments: list[str] | None = None) -> int:
    """Run one verb; returns 0, or 1 after an error or a missed limit. Usage errors exit with 2."""
    options = _parser().parse_args(arguments)
    try:
        return VERBS[options.verb](options)
    except ServiceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m models", description="Train and evaluate networks.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    _add_train(verbs)
    evaluate = verbs.add_parser("evaluate", help="figures of a bundle on cutouts whose truth is known")
    evaluate.add_argument("model", help="a shipped version, as rb@4, or a bundle's folder")
    evaluate.add_argument(
        "dataset", metavar="DATASET", help="a preset, a folder with its truth.csv, or with one for each class"
    )
    evaluate.add_argument("--seed", type=_seed, required=True, help="of the cutouts and the bootstrap")
    evaluate.add_argument("--count", type=int, help="how many cutouts; all that there are by default")
    evaluate.add_argument("--plots", type=Path, metavar="DIR", help="write the curves there, as SVG")
    evaluate.add_argument("--against", metavar="MODEL", help="tell what changes against this one")
    evaluate.add_argument("--json", action="store_true", help="one JSON object on stdout")
    evaluate.add_argument(
        "--record", action="store_true", help="write the figures to the bundle's card as well"
    )
    examine = verbs.add_parser("examine", help="how much of a data set's truth global statistics tell")
    examine.add_argument("dataset", metavar="DATASET", help="a preset, or a folder with its truth.csv")
    examine.add_argument("--classifier", choices=("rb", "sl"), default="rb", help="whose truth")
    examine.add_argument("--seed", type=_seed, required=True, help="of the cutouts and the split")
    examine.add_argument("--count", type=int, help="how many cutouts; all that there are by default")
    examine.add_argument("--json", action="store_true", help="one JSON object on stdout")
    score = verbs.add_parser("score", help="scores of pictures by bundles, as JSON by version")
    score.add_argument("pictures", type=Path, help=".npy, (n, 144, 144, 1) uint8, as a recipe makes them")
    score.add_argument("models", nargs="+", metavar="MODEL", help="shipped versions, or bundles' folders")
    check = verbs.add_parser("check", help="whether a bundle's weights are those of its architecture")
    check.add_argument("model", help="a shipped version, as rb@4, or a bundle's folder")
    _add_exchange(verbs)
    return parser


def _add_train(verbs: Any) -> None:
    train = verbs.add_parser("train", help="train a network on a simulated preset and write its bundle")
    train.add_argument("classifier", choices=("rb", "sl"))
    train.add_argument("--dataset", required=True, metavar="PRESET")
    train.add_argument("--seed", type=_seed, required=True, help="of data, starting weights and order")
    train.add_argument("--count", type=int, help="cutouts to simulate; the preset's own number by default")
    train.add_argument("--architecture", choices=ARCHITECTURES, default="vgg6")
    train.add_argument("--recipe", choices=tuple(RECIPES), default="default")
    train.add_argument("--epochs", type=int, help="the recipe's by default")
    train.add_argument("--batch-size", type=int, help="the recipe's by default")
    train.add_argument("--learning-rate", type=float, help="the highest; the recipe's by default")
    train.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    train.add_argument("--from", dest="start_from", metavar="MODEL", help="go on from a bundle's weights")
    train.add_argument("--version", help="of the bundle; CLASSIFIER@1 by default")
    train.add_argument(
        "--weights", choices=("float16", "float32", "int8"), default="float16", help="how they are stored"
    )
    train.add_argument(
        "--out", type=Path, required=True, help="the bundle's folder; a killed run goes on there"
    )


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}; expected a whole number from 0")
    return int(text)


def _add_exchange(verbs: Any) -> None:
    published = verbs.add_parser("import-published", help="write a published network as a bundle")
    published.add_argument("--architecture", type=Path, help="its JSON; without, the weights file holds it")
    published.add_argument("--weights", type=Path, required=True, help=".weights.h5, single .h5 or .keras")
    published.add_argument("--version", required=True, help="of the bundle, as rb@9")
    published.add_argument("--threshold", type=float, default=0.5)
    published.add_argument("--out", type=Path, required=True, help="the bundle's folder")
    network = verbs.add_parser("import", help="write any network with one sigmoid output as a bundle")
    network.add_argument("file", type=Path, help="a .keras file of Keras's own layers")
    network.add_argument("--version", required=True, help="of the bundle, as kd@1")
    network.add_argument("--recipe", required=True, help="what makes its images, as deepstreaks-1")
    network.add_argument("--threshold", type=float, default=0.5)
    network.add_argument("--classes", metavar="NO,YES", help="what 0 and 1 mean; the family's by default")
    network.add_argument("--out", type=Path, required=True, help="the bundle's folder")
    frozen = verbs.add_parser(
        "freeze", help="write a bundle as a TensorFlow graph from uint8 images to scores"
    )
    frozen.add_argument("model", help="a shipped version, as rb@3, or a bundle's folder")
    frozen.add_argument("--out", type=Path, required=True, help="the graph's file, as rb-3.pb")
    export = verbs.add_parser("export", help="write a bundle in a format that others read")
    export.add_argument("model", help="a shipped version, as rb@4, or a bundle's folder")
    export.add_argument("--form", choices=("keras", "savedmodel", "onnx"), required=True)
    export.add_argument("--out", type=Path, required=True, help="the folder to write into")


def _train(options: argparse.Namespace) -> int:
    from models.training.fit import Plan, Watch
    from models.training.run import run

    sizes = RECIPES[options.recipe]
    plan = Plan(
        classifier=options.classifier,
        dataset=options.dataset,
        seed=options.seed,
        count=options.count,
        architecture=options.architecture,
        recipe=options.recipe,
        epochs=options.epochs or sizes.epochs,
        batch_size=options.batch_size or sizes.batch_size,
        learning_rate=options.learning_rate,
        precision=options.precision,
        start_from=options.start_from,
    )

    def tell(figures: dict[str, float]) -> None:
        print(
            "  ".join(f"{name} {value:.4g}" for name, value in figures.items()), file=sys.stderr, flush=True
        )

    version = options.version or f"{options.classifier}@1"
    card = run(plan, version=version, folder=options.out, dtype=options.weights, watch=Watch(on_epoch=tell))
    print(f"{card.version} written to {options.out}", file=sys.stderr)
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    from models.evaluation import evaluate_bundle, lines_of

    found = evaluate_bundle(
        options.model,
        options.dataset,
        seed=options.seed,
        count=options.count,
        record=options.record,
        plots=options.plots,
        against=options.against,
    )
    if options.json:
        print(json.dumps(found))
        return 0
    (tn, fp), (fn, tp) = found["confusion_matrix"]
    low, high = found["auc_interval"]
    print(f"{found['model']} on {found['dataset']}, seed {found['seed']}: {found['n']} cutouts")
    print(f"  true 0: {tn} called 0, {fp} called 1    TNR {found['tnr']:.4f}")
    print(f"  true 1: {fn} called 0, {tp} called 1    TPR {found['tpr']:.4f}    AUC {found['auc']:.4f}")
    print(f"  AUC between {low:.4f} and {high:.4f} (95 %)")
    if "against" in found:
        print("\n".join(lines_of(found["against"])))
    for file in found.get("plots", []):
        print(f"  {file}")
    return 0


def _examine(options: argparse.Namespace) -> int:
    from models.evaluation import examine

    found = examine(options.dataset, seed=options.seed, count=options.count, classifier=options.classifier)
    if options.json:
        print(json.dumps(found))
    else:
        for feature in found["features"][:10]:
            print(f"  {feature['name']:<16} {feature['weight']:+.3f}")
        for group, auc in found["auc_of_group"].items():
            print(f"  {group} alone: AUC {auc:.4f}")
    low, high = found["auc_interval"]
    verdict = {True: "kept", False: "missed", None: "none set"}[found["below_limit"]]
    print(
        f"{found['dataset']}, {found['n']} cutouts of {found['classifier']}: AUC {found['auc']:.4f} "
        f"({low:.4f} to {high:.4f}) of global statistics, limit {found['limit'] or '-'}: {verdict}",
        file=sys.stderr if options.json else sys.stdout,
    )
    return 1 if found["below_limit"] is False else 0


def _import_published(options: argparse.Namespace) -> int:
    from models.legacy import import_keras, import_published

    out: dict[str, Any] = {"version": options.version, "folder": options.out, "threshold": options.threshold}
    if options.architecture is None:
        card = import_keras(options.weights, **out)
    else:
        card = import_published(options.architecture, options.weights, **out)
    print(
        f"{card.version}: {card.architecture}, {card.parameters} parameters, written to {options.out}",
        file=sys.stderr,
    )
    return 0


def _import(options: argparse.Namespace) -> int:
    from core.settings import load_settings
    from models.legacy import import_network

    classes = _classes(options.classes)
    if classes is None:
        family = load_settings().families.get(options.version.partition("@")[0])
        classes = None if family is None else family.classes
    card = import_network(
        options.file,
        version=options.version,
        recipe=options.recipe,
        folder=options.out,
        threshold=options.threshold,
        classes=classes,
    )
    print(
        f"{card.version}: {card.architecture}, {card.parameters} parameters, written to {options.out}",
        file=sys.stderr,
    )
    return 0


def _classes(given: str | None) -> tuple[str, str] | None:
    """`ditch,keep` as two names; raises InvalidRequest for other numbers of them."""
    if given is None:
        return None
    names = [name.strip() for name in given.split(",")]
    if len(names) != 2 or not all(names):
        raise InvalidRequest(f"classes {given!r:.60}; expected two names, such as ditch,keep")
    return names[0], names[1]


def _check(options: argparse.Namespace) -> int:
    from models.bundle import find_bundle, load_network, read_card, read_weights

    folder = find_bundle(options.model)
    card = read_card(folder)
    load_network(card, read_weights(folder))
    print(f"{card.version}: {card.architecture}, {card.parameters} parameters, as its card says")
    return 0


def _score(options: argparse.Namespace) -> int:
    import numpy as np

    from models.bundle import find_bundle, load_network, read_card, read_weights
    from models.evaluation import score_images

    pictures = np.load(options.pictures, allow_pickle=False)
    scores: dict[str, list[float]] = {}
    for folder in map(find_bundle, options.models):
        card = read_card(folder)
        scores[card.version] = score_images(load_network(card, read_weights(folder)), pictures).tolist()
    print(json.dumps(scores))
    return 0


def _export(options: argparse.Namespace) -> int:
    from models.bundle import find_bundle, read_card, read_weights
    from models.export import export

    folder = find_bundle(options.model)
    print(export(read_card(folder), read_weights(folder), options.out, form=options.form))
    return 0


def _freeze(options: argparse.Namespace) -> int:
    from models.bundle import find_bundle, read_card, read_weights
    from models.frozen import freeze

    folder = find_bundle(options.model)
    card = read_card(folder)
    freeze(card, read_weights(folder), options.out)
    print(f"{card.version} written to {options.out}", file=sys.stderr)
    return 0


VERBS: dict[str, Callable[[argparse.Namespace], int]] = {
    "train": _train,
    "evaluate": _evaluate,
    "examine": _examine,
    "score": _score,
    "check": _check,
    "import-published": _import_published,
    "import": _import,
    "export": _export,
    "freeze": _freeze,
}

if __name__ == "__main__":
    sys.exit(main())
