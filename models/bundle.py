"""A bundle: the folder of one model version, `card.json` and `weights.npz`.

The weights are plain arrays: reading them executes nothing.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from core.errors import InvalidRequest, Misconfigured
from core.family import FAMILIES
from core.model_card import VERSION, ModelCard, Weights
from models.architectures import build
from models.architectures.described import IMPORTED, Described, as_json, build_described, from_json

CARD_FILE = "card.json"
WEIGHTS_FILE = "weights.npz"
SHIPPED = Path(__file__).parent / "shipped"
EIGHT_BIT = "int8"
SCALE = "/scale"
DESCRIPTION = "description"
MAX_DESCRIPTION_BYTES = 4 * 2**20
_DAMAGED = (ValueError, OSError, EOFError, AttributeError, zipfile.BadZipFile)


def write_bundle(
    folder: Path,
    network: keras.Model,
    *,
    version: str,
    architecture: str,
    recipe: str = "deepstreaks-1",
    threshold: float = 0.5,
    dtype: str = "float16",
    classes: tuple[str, str] | None = None,
    description: Sequence[Described] | None = None,
    training: dict[str, Any] | None = None,
    metrics: dict[str, Any] | None = None,
) -> ModelCard:
    """Write a network as a bundle and return its card.

    `dtype` is float32, float16, or int8 for kernels of 8 bits with a scale for each output channel;
    `classes` are what 0 and 1 mean, the family's by default. A network that is none of our architectures
    has its `description`, which goes beside the weights.
    Raises Misconfigured when the version is malformed, or a weight is not finite as `dtype`.
    """
    match = VERSION.match(version)
    if match is None:
        raise Misconfigured(f"version {version!r}; expected a classifier and a number, as rb@3")
    classifier = match["classifier"]
    packed = _pack(network, dtype, description)
    card = ModelCard(
        version=version,
        classifier=classifier,
        classes=classes or (FAMILIES[classifier].classes if classifier in FAMILIES else ("0", "1")),
        architecture=architecture,
        parameters=network.count_params(),
        recipe=recipe,
        threshold=threshold,
        weights=Weights(sha256=hashlib.sha256(packed).hexdigest(), bytes=len(packed), dtype=dtype),
        created=datetime.now(UTC).replace(microsecond=0),
        training=training or {},
        metrics=metrics or {},
    )
    folder.mkdir(parents=True, exist_ok=True)
    _replace(folder / WEIGHTS_FILE, packed)
    write_card(folder, card)
    return card


def write_card(folder: Path, card: ModelCard) -> None:
    """Write a bundle's card."""
    _replace(folder / CARD_FILE, (card.model_dump_json(indent=1) + "\n").encode())


def read_card(folder: Path) -> ModelCard:
    """Read a bundle's card; raises Misconfigured when there is none or it is malformed."""
    path = folder / CARD_FILE
    try:
        return ModelCard.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise Misconfigured(
            f"no {CARD_FILE} in {folder}; expected a bundle, such as those in models/shipped"
        ) from error
    except (ValidationError, OSError) as error:
        raise Misconfigured(f"{path} can't be read as a model card: {error}") from error


def read_weights(folder: Path) -> bytes:
    """The bytes of a bundle's weights file; raises Misconfigured when it can't be read."""
    try:
        return (folder / WEIGHTS_FILE).read_bytes()
    except OSError as error:
        raise Misconfigured(f"{folder / WEIGHTS_FILE} can't be read: {error}") from error


def find_bundle(name: str) -> Path:
    """The folder of a bundle: a shipped version, as rb@1, or a folder's own path."""
    return SHIPPED / name.replace("@", "-") if VERSION.match(name) else Path(name)


def load_network(card: ModelCard, weights: bytes) -> keras.Model:
    """Build the card's architecture and set its weights, expanded to float32.

    Raises Misconfigured, with what came and what was expected, unless the bytes are those that the card
    names and hold exactly the architecture's arrays, in its order, finite and of the card's dtype.
    """
    digest = hashlib.sha256(weights).hexdigest()
    if digest != card.weights.sha256:
        raise Misconfigured(
            f"weights of {card.version}: {len(weights)} bytes with sha256 {digest}; "
            f"expected {card.weights.bytes} bytes with sha256 {card.weights.sha256}"
        )
    network = _untrained(card, weights)
    if network.count_params() != card.parameters:
        raise Misconfigured(
            f"the card of {card.version} says {card.parameters} parameters; "
            f"{card.architecture} has {network.count_params()}"
        )
    network.set_weights(_unpack(weights, network, card))
    return network


def _untrained(card: ModelCard, weights: bytes) -> keras.Model:
    """The card's architecture, or the network that is described beside its weights."""
    if card.architecture != IMPORTED:
        return build(card.architecture)
    try:
        return build_described(_description(weights, card))[0]
    except InvalidRequest as error:
        raise Misconfigured(f"{card.version}: {error}") from error


def _description(weights: bytes, card: ModelCard) -> list[Described]:
    _refuse_swelling(weights, card)
    try:
        with np.load(io.BytesIO(weights), allow_pickle=False) as archive:
            found = archive[DESCRIPTION] if DESCRIPTION in archive.files else np.empty(0)
        if found.dtype != np.uint8 or found.ndim != 1 or not 0 < found.size <= MAX_DESCRIPTION_BYTES:
            raise InvalidRequest(
                f"its description is {found.dtype} {found.shape}; "
                f"expected uint8 of at most {MAX_DESCRIPTION_BYTES} bytes"
            )
        return from_json(json.loads(found.tobytes()))
    except (*_DAMAGED, RecursionError) as error:
        raise InvalidRequest(f"its description can't be read: {error!s:.200}") from error


def weight_names(network: keras.Model) -> list[str]:
    """Names such as `conv1/kernel`, in the order of `network.weights`."""
    return [f"{layer.name}/{weight.name}" for layer in network.layers for weight in layer.weights]


def _pack(network: keras.Model, dtype: str, description: Sequence[Described] | None) -> bytes:
    arrays: dict[str, NDArray[Any]] = {}
    if description is not None:
        arrays[DESCRIPTION] = np.frombuffer(json.dumps(as_json(description)).encode(), np.uint8)
    for name, value in zip(weight_names(network), network.get_weights(), strict=True):
        if dtype == EIGHT_BIT:
            arrays |= _in_eight_bits(name, value)
            continue
        with np.errstate(over="ignore"):
            arrays[name] = value.astype(dtype)
        if not np.isfinite(arrays[name]).all():
            raise Misconfigured(
                f"weight {name} is not finite as {dtype}; largest is {np.abs(value).max():.3g}"
            )
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _in_eight_bits(name: str, value: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    """Kernels as int8 with a float32 scale for each output channel, the last axis; the rest as float32."""
    if not np.isfinite(value).all():
        raise Misconfigured(f"weight {name} is not finite")
    if value.ndim < 2:
        return {name: value.astype(np.float32)}
    largest = np.abs(value).max(axis=tuple(range(value.ndim - 1)))
    scale = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    return {name: np.rint(value / scale).astype(np.int8), f"{name}{SCALE}": scale}


def _stored(name: str, shape: tuple[int, ...], dtype: str) -> dict[str, tuple[str, tuple[int, ...]]]:
    """The arrays that hold one weight: dtype and shape by name."""
    if dtype != EIGHT_BIT:
        return {name: (dtype, shape)}
    if len(shape) < 2:
        return {name: ("float32", shape)}
    return {name: ("int8", shape), f"{name}{SCALE}": ("float32", shape[-1:])}


def _unpack(weights: bytes, network: keras.Model, card: ModelCard) -> list[NDArray[np.float32]]:
    _refuse_swelling(weights, card)
    shapes = dict(zip(weight_names(network), (tuple(w.shape) for w in network.weights), strict=True))
    expected: dict[str, tuple[str, tuple[int, ...]]] = {}
    for name, shape in shapes.items():
        expected |= _stored(name, shape, card.weights.dtype)
    try:
        with np.load(io.BytesIO(weights), allow_pickle=False) as archive:
            described = [DESCRIPTION] if card.architecture == IMPORTED else []
            if list(archive.files) != [*described, *expected]:
                raise Misconfigured(
                    f"weights of {card.version} hold {', '.join(archive.files) or 'nothing'}; "
                    f"expected those of {card.architecture}: {', '.join([*described, *expected])}"
                )
            read = {name: _checked(name, archive[name], *told, card) for name, told in expected.items()}
    except _DAMAGED as error:
        raise Misconfigured(
            f"weights of {card.version} can't be read as an npz of plain arrays: {error}"
        ) from error
    return [read[name] * read.get(f"{name}{SCALE}", np.float32(1)) for name in shapes]


def _refuse_swelling(weights: bytes, card: ModelCard) -> None:
    """Arrays are stored, not compressed: a file that unpacks to more than it is long is no bundle of ours."""
    try:
        with zipfile.ZipFile(io.BytesIO(weights)) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise Misconfigured(
            f"weights of {card.version} can't be read as an npz of plain arrays: {error}"
        ) from error
    if unpacked > len(weights):
        raise Misconfigured(
            f"weights of {card.version}: {len(weights)} bytes that unpack to {unpacked}; "
            "expected arrays that are stored"
        )


def _checked(
    name: str, array: NDArray[Any], dtype: str, shape: tuple[int, ...], card: ModelCard
) -> NDArray[np.float32]:
    if array.shape != shape or array.dtype != dtype:
        raise Misconfigured(
            f"weight {name} of {card.version} is {array.dtype} {array.shape}; expected {dtype} {shape}"
        )
    expanded = array.astype(np.float32)
    if not np.isfinite(expanded).all():
        raise Misconfigured(f"weight {name} of {card.version} holds values that are not finite")
    return expanded


def _replace(path: Path, data: bytes) -> None:
    """Write a file so that it is either the old or the new one, whatever happens."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(data)
    partial.replace(path)
