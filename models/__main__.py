"""`python -m models`: train and evaluate networks as a process of their own."""

import argparse
import json
import sys
from pathlib import Path

from core.errors import ServiceError


def main(arguments: list[str] | None = None) -> int:
    """Run one verb; returns 0, or 1 after an error, which goes to stderr. Usage errors exit with 2."""
    options = _parser().parse_args(arguments)
    try:
        return _train(options) if options.verb == "train" else _evaluate(options)
    except ServiceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m models", description="Train and evaluate networks.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    train = verbs.add_parser("train", help="train a network on a simulated preset and write its bundle")
    train.add_argument("classifier", choices=("rb", "sl"))
    train.add_argument("--preset", required=True)
    train.add_argument("--seed", type=int, required=True, help="of data, starting weights and order")
    train.add_argument("--count", type=int, help="cutouts to simulate; the preset's own number by default")
    train.add_argument("--architecture", default="vgg6")
    train.add_argument("--epochs", type=int, default=8)
    train.add_argument("--batch-size", type=int, default=64)
    train.add_argument("--learning-rate", type=float, default=1e-3, help="the highest of the schedule")
    train.add_argument("--dropout", type=float, default=0.3, help="share of the architecture's rates")
    train.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    train.add_argument("--version", help="of the bundle; CLASSIFIER@1 by default")
    train.add_argument(
        "--out", type=Path, required=True, help="the bundle's folder; a killed run goes on there"
    )
    evaluate = verbs.add_parser("evaluate", help="figures of a bundle on a simulated preset")
    evaluate.add_argument("model", help="a shipped version, as rb@1, or a bundle's folder")
    evaluate.add_argument("preset")
    evaluate.add_argument("--seed", type=int, required=True)
    evaluate.add_argument("--count", type=int, help="cutouts to simulate; the preset's own number by default")
    evaluate.add_argument("--json", action="store_true", help="one JSON object on stdout")
    evaluate.add_argument(
        "--record", action="store_true", help="write the figures to the bundle's card as well"
    )
    return parser


def _train(options: argparse.Namespace) -> int:
    from models.training.fit import Plan
    from models.training.run import run

    plan = Plan(
        classifier=options.classifier,
        preset=options.preset,
        seed=options.seed,
        count=options.count,
        architecture=options.architecture,
        epochs=options.epochs,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        dropout=options.dropout,
        precision=options.precision,
    )

    def tell(figures: dict[str, float]) -> None:
        print(
            "  ".join(f"{name} {value:.4g}" for name, value in figures.items()), file=sys.stderr, flush=True
        )

    card = run(plan, version=options.version or f"{options.classifier}@1", folder=options.out, on_epoch=tell)
    print(f"{card.version} written to {options.out}", file=sys.stderr)
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    from models.evaluation import evaluate_bundle

    found = evaluate_bundle(
        options.model, options.preset, seed=options.seed, count=options.count, record=options.record
    )
    if options.json:
        print(json.dumps(found))
        return 0
    (tn, fp), (fn, tp) = found["confusion_matrix"]
    print(f"{found['model']} on {found['dataset']}, seed {found['seed']}: {found['n']} cutouts")
    print(f"  true 0: {tn} called 0, {fp} called 1    TNR {found['tnr']:.4f}")
    print(f"  true 1: {fn} called 0, {tp} called 1    TPR {found['tpr']:.4f}    AUC {found['auc']:.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
