"""`python -m bench.gpu`: what a GPU makes of the networks, with JAX, part by part, into one JSON report.

The engine, on random cutouts in memory (uint8 to the device, scores read back), for each precision and batch
size: cutouts/s through a pair of networks, what the networks alone and the bus alone would allow, and the
share of the card's own matrix product in that precision. The precisions against float32: scores and decisions
of shipped networks on simulated cutouts. The service: `bench.gpu_service`. Decoding: JPEG to pixels in
threads, as a worker reads. Training: the published card's 20 epochs of rb.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, get_args

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault(
    "XLA_PYTHON_CLIENT_MEM_FRACTION", ".3"
)  # of the card, here and in each process of a part

import jax
import jax.numpy as jnp
import keras
import numpy as np

from bench.cutout_files import jpegs
from bench.gpu_service import serve
from bench.verdict import conclude
from core.model_card import ModelCard
from cutouts.decode import decode_checked
from cutouts.recipes import RECIPES, SIZE_PX, Pixels
from models.architectures import build
from models.bundle import find_bundle, read_card, read_weights, write_bundle
from models.training.fit import Plan, Watch, train
from models.training.preset_images import preset_images, training_images
from worker.admission import difference
from worker.jax_engine import JaxEngine, Precision

PRECISIONS: tuple[Precision, ...] = get_args(Precision)
DTYPES = {"float16": jnp.float16, "bfloat16": jnp.bfloat16}
MATRIX = 8192
CARD_EPOCHS = 20
SECONDS_EACH = 1.0


def main() -> int:
    """Run the parts that are wanted; returns 0."""
    parser = argparse.ArgumentParser(prog="python -m bench.gpu", description=__doc__)
    parser.add_argument("--parts", default="engine,precision,service,decode,training")
    parser.add_argument("--architectures", default="resnet50,vgg6")
    parser.add_argument("--precisions", default=",".join(PRECISIONS))
    parser.add_argument("--batches", default="32,256,1024")
    parser.add_argument("--cutouts", type=int, default=10_000, help="of the comparison of precisions")
    parser.add_argument("--versions", default="rb@4,sl@3", help="of the comparison and the service")
    parser.add_argument("--batch", type=int, default=512, help="the largest of the service")
    parser.add_argument("--packed", type=int, default=20_000, help="cutouts of each backlog from packs")
    parser.add_argument("--backlog", type=int, default=4_000, help="cutouts of each backlog from files")
    parser.add_argument("--rounds", type=int, default=2, help="of backlogs, after one that warms")
    parser.add_argument("--files", type=int, default=800, help="JPEGs that are decoded")
    parser.add_argument("--images", type=int, help="an epoch of the training; the preset's own by default")
    parser.add_argument(
        "--matrix", type=int, default=MATRIX, help="rows of the product that the card is told by"
    )
    parser.add_argument("--out", type=Path, help="write the report there too")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    parts: dict[str, Callable[[argparse.Namespace], object]] = {
        "engine": _engine,
        "precision": _precision,
        "service": _service,
        "decode": _decode,
        "training": _training,
    }
    report: dict[str, object] = {
        "device": str(jax.devices()[0].device_kind),
        "cpu_cores": len(os.sched_getaffinity(0)),
        "jax": jax.__version__,
        "keras": keras.__version__,
    }
    for name in args.parts.split(","):
        began = time.monotonic()
        try:
            report[name] = parts[name](args)
        except Exception as error:  # noqa: BLE001  the others are still worth having
            report[name] = f"{type(error).__name__}: {error!s:.400}"
        print(f"{name}: {time.monotonic() - began:.1f} s", file=sys.stderr, flush=True)
        if args.out is not None:
            args.out.write_text(json.dumps(report, indent=1) + "\n")
    return conclude("gpu", str(report["device"]), kept=None, details=report, as_json=args.json)


def _engine(args: argparse.Namespace) -> dict[str, object]:
    precisions = [one for one in PRECISIONS if one in args.precisions.split(",")]
    peaks = {one: _peak(one, args.matrix) for one in precisions}
    rows = [
        row
        for architecture in args.architectures.split(",")
        for precision in precisions
        for row in _rates(architecture, precision, list(map(int, args.batches.split(","))), peaks[precision])
    ]
    return {"matrix_product_tflop_per_s": peaks, "pairs": rows}


def _rates(
    architecture: str, precision: Precision, batches: list[int], peak: float
) -> list[dict[str, object]]:
    flop = 2 * _flop(build(architecture))  # of a pair
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as scratch:
        pair = [_random(Path(scratch), architecture, seed) for seed in range(2)]
        for batch in batches:
            engine = JaxEngine((batch,), precision=precision)
            for card, weights in pair:
                engine.load(card, weights)
            pixels = np.random.default_rng(1).integers(0, 256, (8 * batch, SIZE_PX, SIZE_PX, 1), np.uint8)
            began = time.monotonic()
            engine.warm(engine.versions)
            compiled = time.monotonic() - began
            rate = _per_s(partial(engine.score, pixels, engine.versions), len(pixels))
            row: dict[str, object] = {
                "architecture": architecture,
                "precision": precision,
                "batch": batch,
                "cutouts_per_s": round(rate),
                **_limits(engine, pixels[:batch]),
                "tflop_per_s": round(rate * flop / 1e12, 1),
                "share_of_matrix_product": round(rate * flop / 1e12 / peak, 3),
                "compile_s": round(compiled, 1),
            }
            print(json.dumps(row), file=sys.stderr, flush=True)
            rows.append(row)
    return rows


def _limits(engine: JaxEngine, batch: Pixels) -> dict[str, int]:
    """Cutouts per second of the networks alone, on a batch that is there, and of the bus alone."""
    run, there = engine._function(tuple(sorted(engine.versions))), jax.device_put(batch)
    networks = _per_s(lambda: run(there).block_until_ready(), len(batch))
    bus = _per_s(lambda: jax.device_put(batch).block_until_ready(), len(batch))
    return {"networks_per_s": round(networks), "bus_per_s": round(bus)}


def _random(folder: Path, architecture: str, seed: int) -> tuple[ModelCard, bytes]:
    """A network with random weights of 8 bits."""
    keras.utils.set_random_seed(seed)
    version = f"{('rb', 'sl')[seed]}@9001"
    card = write_bundle(
        folder / version, build(architecture), version=version, architecture=architecture, dtype="int8"
    )
    return card, read_weights(folder / version)


def _per_s(run: Callable[[], object], n: int) -> float:
    """Things per second: the median of runs over a second or more, after one that warms."""
    run()
    seconds: list[float] = []
    while sum(seconds) < SECONDS_EACH or len(seconds) < 3:
        began = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - began)
    return n / statistics.median(seconds)


def _peak(precision: Precision, n: int) -> float:
    """TFLOP/s of a large matrix product."""
    a = jax.random.normal(jax.random.key(1), (n, n), DTYPES.get(precision, jnp.float32))
    product = jax.jit(
        lambda x: jnp.matmul(x, x, precision="highest" if precision == "float32" else "default")
    )
    return round(_per_s(lambda: product(a).block_until_ready(), 1) * 2 * n**3 / 1e12, 1)


def _flop(network: keras.Model) -> int:
    """Floating-point operations of one image through the convolutions and dense layers."""
    total = 0
    for layer in network.layers:
        if isinstance(layer, keras.layers.Conv2D):
            total += 2 * int(np.prod(layer.output.shape[1:3])) * int(np.prod(layer.kernel.shape))
        elif isinstance(layer, keras.layers.Dense):
            total += 2 * int(np.prod(layer.kernel.shape))
    return total


def _precision(args: argparse.Namespace) -> dict[str, object]:
    """Scores against those in float32: admitted is what flips few decisions and moves no score far."""
    pixels = preset_images("rb", "rb-2018.9", count=args.cutouts, seed=99).images
    folders = [find_bundle(version) for version in args.versions.split(",")]
    cards = [read_card(folder) for folder in folders]
    thresholds = np.array([card.threshold for card in cards])
    scores = {}
    for precision in PRECISIONS:
        engine = JaxEngine((500,), precision=precision)
        for card, folder in zip(cards, folders, strict=True):
            engine.load(card, read_weights(folder))
        scores[precision] = engine.score(pixels, [card.version for card in cards])
    exact = scores["float32"]
    found: dict[str, object] = {"cutouts": len(pixels), "versions": args.versions}
    for precision in PRECISIONS[1:]:
        told = difference(scores[precision], exact, thresholds)
        found[precision] = asdict(told) | {"admitted": told.admitted}
    return found


def _service(args: argparse.Namespace) -> dict[str, object]:
    bundles = {version: find_bundle(version) for version in args.versions.split(",")}
    return serve(
        bundles,
        batch=args.batch,
        distinct=args.files,
        packed=args.packed,
        files=args.backlog,
        rounds=args.rounds,
    )


def _decode(args: argparse.Namespace) -> dict[str, int]:
    """JPEGs per second into a recipe's pixels, by number of threads."""
    files = [data for _, data in jpegs(args.files, seed=7)]
    recipes = tuple(RECIPES)[:1]
    rates = {}
    for threads in (1, 2, 4, 8, 16):
        with ThreadPoolExecutor(threads) as pool:
            read = partial(_all, pool, partial(decode_checked, recipes=recipes), files)
            rates[str(threads)] = round(_per_s(read, len(files)))
    return rates


def _all(pool: ThreadPoolExecutor, decode: Callable[[bytes], object], files: Sequence[bytes]) -> None:
    list(pool.map(decode, files))


def _training(args: argparse.Namespace) -> dict[str, Any]:
    """The card's recipe on its own number of images: 20 epochs in batches of 32."""
    data = training_images("rb", "rb-2018.9", count=args.images, seed=3)
    validation = training_images("rb", "rb-2018.9", count=500, seed=4)
    plan = Plan(
        classifier="rb",
        dataset="rb-2018.9",
        seed=3,
        architecture="resnet50",
        recipe="2018",
        epochs=CARD_EPOCHS,
        batch_size=32,
        precision="bfloat16",
    )
    with tempfile.TemporaryDirectory() as folder:
        watch = Watch(on_epoch=lambda figures: print(json.dumps(figures), file=sys.stderr, flush=True))
        trained = train(plan, data, validation, folder=Path(folder), watch=watch)
    return {
        "images": len(data.images) * CARD_EPOCHS,
        "seconds": round(trained.seconds, 1),
        "images_per_s": [figures["images_per_s"] for figures in trained.history],
        "validation_accuracy": trained.history[-1]["validation_accuracy"],
    }


if __name__ == "__main__":
    sys.exit(main())
