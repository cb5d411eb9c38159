"""Any network of Keras's own layers with one sigmoid output: it comes in, scores the same, or is refused."""

import io
import json
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from keras import layers

from core.errors import InvalidRequest, Misconfigured
from core.model_card import ModelCard
from models.architectures import build
from models.architectures.described import KINDS, MAX_PARAMETERS, Described, build_described
from models.bundle import load_network, read_weights, write_bundle
from models.export import export
from models.legacy import import_network
from models.legacy.layer_kinds import KINDS as READ
from worker.tensorflow_engine import TensorFlowEngine

# Of Keras while it saves: it copies TensorFlow's variables in a way that NumPy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

GREY, COLOUR = (144, 144, 1), (144, 144, 3)


def small(*ends: Any, shape: tuple[int, ...] = GREY) -> keras.Model:
    """A small network that ends in these layers."""
    ends = ends or (layers.Dense(1, activation="sigmoid"),)
    return keras.Sequential(
        [keras.Input(shape), layers.Conv2D(4, 5, strides=4, activation="relu"), layers.Flatten(), *ends]
    )


def many_kinds() -> keras.Model:
    """One of each kind of layer that has a place in an image network."""
    image = keras.Input(GREY)
    x = layers.Rescaling(2.0, -1.0)(image)
    x = layers.ZeroPadding2D(((1, 2), (0, 1)))(x)
    x = layers.Conv2D(6, 3, strides=2, padding="same", activation="swish")(x)
    x = layers.LayerNormalization()(x)
    y = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2, use_bias=False)(x)
    y = layers.GroupNormalization(4)(y)
    y = layers.LeakyReLU(0.2)(y)
    y = layers.SeparableConv2D(6, 3, padding="same")(y)
    y = layers.PReLU(shared_axes=[1, 2])(y)
    x = layers.Add()([layers.ReLU(6.0)(x), y])
    x = layers.Multiply()([x, layers.Activation("sigmoid")(y)])
    x = layers.BatchNormalization(scale=False)(x)
    x = layers.SpatialDropout2D(0.2)(x)
    x = layers.MaxPooling2D(3, strides=2)(x)
    z = layers.Conv2DTranspose(3, 2, strides=2)(layers.AveragePooling2D(2)(x))
    z = layers.UpSampling2D(2, interpolation="bilinear")(layers.Cropping2D(((2, 3), (1, 2)))(z))
    z = layers.ELU(0.5)(layers.GaussianNoise(0.1)(z))
    x = layers.Concatenate()(
        [layers.GlobalMaxPooling2D()(x), layers.GlobalAveragePooling2D()(z), layers.Flatten()(x)]
    )
    x = layers.Dense(8)(layers.Dropout(0.5)(x))
    x = layers.Reshape((4, 2))(layers.Softmax()(x))
    x = layers.Average()([layers.Flatten()(x), layers.Flatten()(layers.Identity()(x))])
    return keras.Model(image, layers.Activation("sigmoid")(layers.Dense(1)(x)))


def mobile() -> keras.Model:
    """A published network of another make, for colour, as one flat graph."""
    base = keras.applications.MobileNetV2(input_shape=COLOUR, alpha=0.35, weights=None, include_top=False)
    x = layers.GlobalAveragePooling2D()(base.output)
    return keras.Model(base.input, layers.Dense(1, activation="sigmoid")(x))


def randomised(network: keras.Model) -> keras.Model:
    """The network with weights of which no two are alike, variances above zero."""
    rng = np.random.default_rng(1)
    network.set_weights([np.abs(rng.normal(0.1, 0.05, w.shape)) + 0.01 for w in network.get_weights()])
    return network


def images(channels: int = 1) -> Any:
    grey = np.random.default_rng(0).random((3, 144, 144, 1), np.float32)
    return np.repeat(grey, channels, axis=-1)


def taken(file: Path, folder: Path, version: str = "kd@1") -> tuple[ModelCard, keras.Model]:
    card = import_network(file, version=version, recipe="deepstreaks-1", folder=folder)
    return card, load_network(card, read_weights(folder))


@pytest.mark.parametrize("make", [small, many_kinds, mobile], ids=["small", "many kinds", "MobileNetV2"])
def test_a_network_comes_in_and_scores_as_before(make: Callable[[], keras.Model], tmp_path: Path) -> None:
    network = randomised(make())
    network.save(tmp_path / "mine.keras")
    card, loaded = taken(tmp_path / "mine.keras", tmp_path / "kd-1")
    assert (card.architecture, card.classifier, card.recipe) == ("imported", "kd", "deepstreaks-1")
    assert card.parameters == network.count_params()
    before = network.predict_on_batch(images(network.input_shape[-1]))
    np.testing.assert_allclose(loaded.predict_on_batch(images()), before, rtol=0, atol=1e-6)


def test_one_of_our_architectures_is_recognised(tmp_path: Path) -> None:
    build("vgg6").save(tmp_path / "ours.keras")
    assert taken(tmp_path / "ours.keras", tmp_path / "kd-1")[0].architecture == "vgg6"


def test_an_imported_network_is_held_by_the_engine_and_goes_out_again(tmp_path: Path) -> None:
    network = randomised(small())
    network.save(tmp_path / "mine.keras")
    card, _ = taken(tmp_path / "mine.keras", tmp_path / "kd-1")
    weights = read_weights(tmp_path / "kd-1")
    engine = TensorFlowEngine((1, 4))
    engine.load(card, weights)
    engine.warm(["kd@1"])
    pixels = np.random.default_rng(0).integers(0, 256, (3, 144, 144, 1), np.uint8)
    expected = network.predict_on_batch(pixels.astype(np.float32) / 255)
    np.testing.assert_allclose(engine.score(pixels, ["kd@1"]), expected, rtol=0, atol=1e-6)
    out = export(card, weights, tmp_path / "out", form="keras")
    again, _ = taken(out, tmp_path / "kd-2", version="kd@2")
    assert (again.architecture, again.parameters) == ("imported", card.parameters)


def test_classes_and_threshold_are_told_on_the_card(tmp_path: Path) -> None:
    small().save(tmp_path / "mine.keras")
    card = import_network(
        tmp_path / "mine.keras",
        version="kd@1",
        recipe="deepstreaks-1",
        folder=tmp_path / "kd-1",
        threshold=0.7,
        classes=("ditch", "keep"),
    )
    assert (card.classes, card.threshold) == (("ditch", "keep"), 0.7)


def refused(file: Path, tmp_path: Path, match: str, recipe: str = "deepstreaks-1") -> None:
    folder = tmp_path / "refused"
    with pytest.raises(InvalidRequest, match=match) as refusal:
        import_network(file, version="kd@1", recipe=recipe, folder=folder)
    assert len(str(refusal.value)) < 2500
    assert not folder.exists()


def two_heads() -> keras.Model:
    image = keras.Input(GREY)
    flat = layers.Flatten()(layers.AveragePooling2D(8)(image))
    return keras.Model(image, [layers.Dense(1, activation="sigmoid")(flat) for _ in range(2)])


def nested() -> keras.Model:
    inner = keras.Sequential([keras.Input(GREY), layers.Conv2D(2, 3, strides=8)])
    return keras.Sequential([keras.Input(GREY), inner, layers.Flatten(), layers.Dense(1, "sigmoid")])


def of_bytes() -> keras.Model:
    return keras.Sequential(
        [keras.Input(GREY), layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(1, "sigmoid")]
    )


def channels_first() -> keras.Model:
    image = keras.Input(GREY)
    x = layers.GlobalAveragePooling2D(data_format="channels_first")(image)
    return keras.Model(image, layers.Dense(1, "sigmoid")(x))


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: small(layers.Dense(1), layers.Lambda(lambda x: x)), "is a Lambda, which holds code"),
        (two_heads, "2 outputs, .*; expected one"),
        (lambda: small(layers.Dense(2, "softmax")), r"shape \(None, 2\); expected \(None, 1\)"),
        (
            lambda: small(layers.Dense(1)),
            r"Dense\(units=1, activation=linear.*expected one that ends in a si",
        ),
        (lambda: small(layers.Dense(1, "tanh")), "expected one that ends in a sigmoid"),
        (lambda: small(shape=(96, 96, 1)), r"images of shape \[96, 96, 1\]; expected \(144, 144, 1\) or"),
        (lambda: small(shape=(144, 144, 2)), r"images of shape \[144, 144, 2\]; expected \(144, 144, 1\) or"),
        (nested, "is a Sequential; expected one of"),
        (of_bytes, "as one in 0..255 needs it; expected a network for images in 0..1"),
        (channels_first, "data_format.*channels_first"),
        (lambda: small(layers.RepeatVector(3), layers.GRU(1)), "expected one of"),
    ],
)
def test_another_network_is_refused(make: Callable[[], keras.Model], match: str, tmp_path: Path) -> None:
    make().save(tmp_path / "bad.keras")
    refused(tmp_path / "bad.keras", tmp_path, match)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("good") / "good.keras"
    randomised(small()).save(file)
    return file


def rewritten(good: Path, file: Path, **changes: Callable[[bytes], bytes]) -> Path:
    """A copy with changed members, `config` and `weights`."""
    names = {"config": "config.json", "weights": "model.weights.h5"}
    with zipfile.ZipFile(good) as archive, zipfile.ZipFile(file, "w") as copy:
        for member in archive.namelist():
            change = next((c for key, c in changes.items() if names[key] == member), bytes)
            copy.writestr(member, change(archive.read(member)))
    return file


def in_config(change: Callable[[list[dict[str, Any]]], object]) -> Callable[[bytes], bytes]:
    def apply(content: bytes) -> bytes:
        config = json.loads(content)
        change(config["config"]["layers"])
        return json.dumps(config).encode()

    return apply


def in_weights(change: Callable[[h5py.File], object]) -> Callable[[bytes], bytes]:
    def apply(content: bytes) -> bytes:
        buffer = io.BytesIO(content)
        with h5py.File(buffer, "r+") as file:
            change(file)
        return buffer.getvalue()

    return apply


def a_pickled_array(file: h5py.File) -> None:
    del file["layers/dense/vars/1"]
    file["layers/dense/vars/1"] = np.array([b"\x80\x04cos\nsystem\n"], dtype=h5py.special_dtype(vlen=bytes))


@pytest.mark.parametrize(
    ("member", "change", "match"),
    [
        (
            "config",
            in_config(lambda found: found[1].update(module="mine", registered_name="Mine>C")),
            "custom",
        ),
        ("config", in_config(lambda found: found[1].update(class_name="Evil")), "is a Evil; expected one of"),
        (
            "config",
            in_config(lambda found: found[1]["config"].update(activation="os.system")),
            "activation='os.system'; expected a plain value",
        ),
        (
            "config",
            in_config(lambda found: found[1]["config"].update(kernel_initializer={"py/object": "os.system"})),
            "holds a pickled object",
        ),
        ("config", in_config(lambda found: found[1]["config"].update(filters=10**9)), "filters=1000000000"),
        ("config", in_config(lambda found: found[3]["config"].update(units=16_000)), "parameters as far as"),
        (
            "config",
            in_config(lambda found: found[1]["config"].update(filters=-4)),
            "expected settings that fit",
        ),
        ("config", in_config(lambda found: found[1]["config"].update(filters=0)), "can't be built|fit"),
        ("config", lambda content: content[:-40], "is not JSON"),
        ("weights", lambda content: content[: len(content) // 2], "truncated or corrupt"),
        ("weights", lambda content: b"\x80\x04" + content, "a pickle, which is never read"),
        ("weights", in_weights(a_pickled_array), "is a pickled or other object"),
        (
            "weights",
            in_weights(
                lambda file: file["layers/conv2d/vars/1"].write_direct(np.full(4, np.nan, np.float32))
            ),
            "not finite",
        ),
    ],
)
def test_a_bad_file_is_refused(
    member: str, change: Callable[[bytes], bytes], match: str, good: Path, tmp_path: Path
) -> None:
    refused(rewritten(good, tmp_path / "bad.keras", **{member: change}), tmp_path, match)


def test_the_weights_of_another_architecture_are_refused(good: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.keras"
    build("vgg6").save(other)
    with zipfile.ZipFile(other) as archive:
        weights = archive.read("model.weights.h5")
    refused(rewritten(good, tmp_path / "bad.keras", weights=lambda _: weights), tmp_path, "expected")


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"\x89HDF\r\n\x1a\n" + bytes(99), "an HDF5 file"),
        (b"\x80\x04\x95", "a pickle, which is never read"),
        (b"\x08\x07\x12\x07pytorch", "an ONNX file"),
        (b"", "starts with b''"),
    ],
)
def test_another_format_is_told_from_a_keras_file(content: bytes, match: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    refused(tmp_path / "file", tmp_path, match)


def test_a_truncated_file_is_refused(good: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.keras").write_bytes(good.read_bytes()[:9000])
    refused(tmp_path / "cut.keras", tmp_path, "no whole .keras file")
    refused(tmp_path / "absent.keras", tmp_path, "can't be read")


def test_an_unknown_recipe_is_refused(good: Path, tmp_path: Path) -> None:
    refused(good, tmp_path, "recipe 'mine'; expected one of deepstreaks-1", recipe="mine")


INPUT = Described("InputLayer", {"shape": [144, 144, 1]}, ())
FLAT = Described("Flatten", {}, (0,))
END = Described("Dense", {"units": 1, "activation": "sigmoid", "use_bias": True}, (1,))


@pytest.mark.parametrize(
    ("description", "match"),
    [
        ([INPUT], "1 layers; expected 2 to"),
        ([FLAT, END], "first layer is a Flatten"),
        ([INPUT, FLAT, Described("Dense", dict(END.settings), (5,))], "expected layers before it"),
        ([INPUT, FLAT, Described("Lambda", {"function": "x"}, (1,))], "is a Lambda; expected one of"),
        (
            [INPUT, FLAT, Described("Dense", {**END.settings, "name": "x"}, (1,))],
            "expected units, activation",
        ),
        (
            [INPUT, FLAT, Described("Dense", {**END.settings, "units": {"class_name": "x"}}, (1,))],
            "expected a plain value",
        ),
        ([INPUT, Described("ZeroPadding2D", {"padding": 9000}, (0,)), END], "expected at most 4194304"),
    ],
)
def test_a_description_of_anything_else_is_not_built(description: Sequence[Described], match: str) -> None:
    with pytest.raises(InvalidRequest, match=match):
        build_described(description)


def test_a_bundle_whose_description_was_changed_is_not_loaded(tmp_path: Path) -> None:
    network, _ = build_described([INPUT, FLAT, END])
    flat: Any = [INPUT, FLAT, Described("Dense", {**END.settings, "units": MAX_PARAMETERS}, (1,))]
    card = write_bundle(tmp_path / "kd-1", network, version="kd@1", architecture="imported", description=flat)
    with pytest.raises(Misconfigured, match=r"kd@1: .*expected a plain value"):
        load_network(card, read_weights(tmp_path / "kd-1"))
    bare = write_bundle(tmp_path / "kd-2", network, version="kd@2", architecture="imported")
    with pytest.raises(Misconfigured, match="kd@2: its description is float64"):
        load_network(bare, read_weights(tmp_path / "kd-2"))


def test_what_a_description_needs_is_read_from_files() -> None:
    for kind, settings in KINDS.items():
        assert kind in READ
        assert set(settings) <= set(READ[kind]), kind
