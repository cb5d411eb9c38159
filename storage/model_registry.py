"""The registry of model versions: cards, stages, thresholds; weights are in the blob store."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from pymongo.errors import DuplicateKeyError

from core.decision import classifier_of
from core.errors import Conflict, InvalidRequest, Misconfigured
from core.model_card import ModelCard, Stage
from storage.blobs import BlobStore
from storage.database import Mongo

SHIPPED = Path(__file__).parents[1] / "models" / "shipped"


class ModelRegistry:
    """The collection `models`."""

    def __init__(self, database: Mongo, blobs: BlobStore) -> None:
        self._models = database["models"]
        self._blobs = blobs

    def register(self, card: ModelCard, weights: bytes, *, stage: Stage = "candidate") -> None:
        """Store a version's weights and card. Raises Conflict when the version exists with other weights."""
        if self._blobs.put(weights) != card.weights.sha256:
            raise InvalidRequest(f"{card.version}: the weights are not those of its card")
        document = card.model_dump(mode="json") | {"_id": card.version, "stage": stage}
        try:
            self._models.insert_one(document)
        except DuplicateKeyError as error:
            existing = self.get(card.version)
            if existing is None or existing.weights.sha256 != card.weights.sha256:
                raise Conflict(
                    f"{card.version} is registered with other weights; a version never changes"
                ) from error

    def register_shipped(self, folder: Path = SHIPPED) -> list[str]:
        """Register the versions that come with the repository; those of a new classifier go to production."""
        cards = [(path, read_card(path)) for path in sorted(folder.glob("*/card.json"))]
        for path, card in cards:
            self.register(card, (path.parent / "weights.npz").read_bytes())
        for classifier in {card.classifier for _, card in cards}:
            if self._models.find_one({"classifier": classifier, "stage": "production"}) is None:
                newest = max((c for _, c in cards if c.classifier == classifier), key=_number)
                self._set_stage(newest.version, "production")
        return [card.version for _, card in cards]

    def get(self, version: str) -> ModelCard | None:
        """The card of a version."""
        document = self._models.find_one({"_id": version})
        return None if document is None else ModelCard.model_validate(document)

    def all(self) -> list[tuple[ModelCard, Stage]]:
        """Every version with its stage, by classifier and number."""
        found = [(ModelCard.model_validate(d), d["stage"]) for d in self._models.find()]
        return sorted(found, key=lambda pair: (pair[0].classifier, _number(pair[0])))

    def production(self) -> list[str]:
        """The versions in production, by name."""
        return sorted(d["_id"] for d in self._models.find({"stage": "production"}, {"_id": True}))

    def resolve(self, wanted: Sequence[str]) -> tuple[str, ...]:
        """Exact versions for what a caller asked: `rb@3`, `rb@production`, `rb`, or nothing for production.

        Raises InvalidRequest, naming those that can be had, for a version that is unknown or archived.
        """
        production = self.production()
        if not wanted:
            if not production:
                raise InvalidRequest("no model version is in production; name one")
            return tuple(production)
        versions: dict[str, None] = {}
        for name in wanted:
            versions |= dict.fromkeys(self._resolve_one(name, production))
        return tuple(versions)

    def thresholds(self, versions: Iterable[str]) -> dict[str, float]:
        """The threshold of each version."""
        found = self._models.find({"_id": {"$in": list(versions)}}, {"threshold": True})
        return {document["_id"]: float(document["threshold"]) for document in found}

    def weights(self, card: ModelCard) -> bytes:
        """The weights of a version, as stored."""
        return self._blobs.get(card.weights.sha256)

    def _resolve_one(self, name: str, production: Sequence[str]) -> list[str]:
        usable = {card.version: stage for card, stage in self.all() if stage != "archived"}
        if name in usable:
            return [name]
        classifier = name.removesuffix("@production")
        found = [version for version in production if classifier_of(version) == classifier]
        if not found:
            known = ", ".join(usable) or "none"
            raise InvalidRequest(
                f"model version {name!r} is not registered or is archived; registered: {known}"
            )
        return found

    def _set_stage(self, version: str, stage: Stage) -> None:
        self._models.update_one({"_id": version}, {"$set": {"stage": stage}})


def _number(card: ModelCard) -> int:
    return int(card.version.split("@")[1])


def read_card(path: Path) -> ModelCard:
    """A card from its file; raises Misconfigured when it is none."""
    try:
        return ModelCard.model_validate_json(path.read_text("utf-8"))
    except ValueError as error:
        raise Misconfigured(f"{path} is not a model card: {error}") from error
