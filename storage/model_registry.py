"""The registry of model versions: cards, stages, thresholds; weights are in the blob store."""

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from pymongo.client_session import ClientSession
from pymongo.errors import DuplicateKeyError
from pymongo.read_concern import ReadConcern

from core.decision import checked_threshold, classifier_of
from core.errors import Conflict, InvalidRequest, Misconfigured, NotFound
from core.legacy import is_legacy
from core.model_card import ModelCard, Stage
from core.settings import Shipped
from cutouts.recipes import RECIPES
from storage.blobs import BlobStore
from storage.database import Document, Mongo

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

SHIPPED = Path(__file__).parents[1] / "models" / "shipped"
LIGHT = 5_000_000  # parameters


class ModelRegistry:
    """The collection `models`."""

    def __init__(self, database: Mongo, blobs: BlobStore) -> None:
        self._models = database["models"]
        self._audit = database["audit"]
        self._service = database["service"]
        self._client = database.client
        self._blobs = blobs

    def register(self, card: ModelCard, weights: bytes, *, stage: Stage = "candidate") -> None:
        """Store a version's weights and card, as a candidate until somebody promotes it.

        Raises Conflict when the version exists with other weights, InvalidRequest for weights that are not
        those of the card, for a recipe that this release does not know, and for a legacy version.
        """
        refuse_legacy(card.version)
        refuse_unknown_recipe(card)
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

    def register_shipped(self, which: Shipped = "best", *, folder: Path = SHIPPED) -> list[str]:
        """Register the versions that come with the repository, or the light ones only.

        The newest of each classifier goes to production where nobody has promoted one: an upgrade of the
        repository is an upgrade of the networks until somebody decides otherwise. One whose number is taken
        by a version with other weights stays out, with a warning.
        """
        cards = [(path, read_card(path)) for path in sorted(folder.glob("*/card.json"))]
        if which == "light":
            cards = [(path, card) for path, card in cards if card.parameters <= LIGHT]
        for path, card in list(cards):
            try:
                self.register(card, (path.parent / "weights.npz").read_bytes())
            except Conflict as error:
                _log.warning("not taken from this release: %s", error)
                cards.remove((path, card))
        for classifier in {card.classifier for _, card in cards}:
            newest = max((c for _, c in cards if c.classifier == classifier), key=_number)
            self._in_transaction(partial(self._let_in, card=newest))
        return [card.version for _, card in cards]

    def next_version(self, classifier: str) -> str:
        """The lowest free number above all of a classifier; who registers second gets a Conflict."""
        numbers = [_number(card) for card, _ in self.all() if card.classifier == classifier]
        return f"{classifier}@{max(numbers, default=0) + 1}"

    def promote(
        self, version: str, *, by: str, even_if_worse: bool = False, beside: bool = False
    ) -> list[str]:
        """Put a version, also an archived one, into production; returns those of its family that it replaces.

        With `beside` it replaces none: its family passes what any of its members passes, so it may be worse.
        One transaction: whoever resolves versions sees the state before or the state after. Raises NotFound;
        InvalidRequest for a legacy version and for a recipe that this release does not know; Conflict when it
        is worse than one that it replaces on a test set that both were measured on, or when there is no such
        set, unless `even_if_worse`.
        """
        return self._in_transaction(
            lambda session: self._promote(session, version, by=by, even_if_worse=even_if_worse, beside=beside)
        )

    def archive(self, version: str, *, by: str) -> None:
        """Let a version be used no longer.

        Raises NotFound; Conflict for the only one of its family in production.
        """

        def body(session: ClientSession) -> None:
            self._take_turn(session)
            document = self._document(version, session)
            if document["stage"] == "production":
                members = self._in_production(document["classifier"], session)
                if len(members) == 1:
                    raise Conflict(f"{version} is in production; promote another version first")
                self._note_replaced([version], session)
            self._move([version], "archived", by=by, session=session)
            self._note_together(session)

        self._in_transaction(body)

    def set_threshold(self, version: str, threshold: float, *, by: str) -> float:
        """Let a version call 1 what scores at or above this; returns the threshold before.

        Cutouts on record are decided again by `storage.decisions`, which finds them by `setting`. Raises
        NotFound; InvalidRequest unless the threshold is above 0 and below 1.
        """
        checked_threshold(threshold)

        def body(session: ClientSession) -> float:
            before = float(self._document(version, session)["threshold"])
            if before == threshold:
                return before
            self._models.update_one({"_id": version}, {"$set": {"threshold": threshold}}, session=session)
            entry: Document = {"what": "threshold", "version": version, "threshold": threshold}
            entry |= {"before": before, "who": by, "at": datetime.now(UTC)}
            self._audit.insert_one(entry, session=session)
            self._service.update_one(
                {"_id": "thresholds"}, {"$inc": {"setting": 1}}, upsert=True, session=session
            )
            return before

        return self._in_transaction(body)

    def setting(self) -> int:
        """How often thresholds were set; read before `thresholds` it is never newer than they are."""
        found = self._service.find_one({"_id": "thresholds"})
        return 0 if found is None else int(found["setting"])

    def turn(self) -> int:
        """How often stages were changed; read before `production` it is never newer than that is."""
        majority = self._service.with_options(read_concern=ReadConcern("majority"))  # as `production` reads
        found = majority.find_one({"_id": "production"}, {"turn": True})
        return 0 if found is None else int(found.get("turn", 0))

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
        with self._client.start_session(snapshot=True) as session:  # never half of a promotion
            found = self._models.find({"stage": "production"}, {"_id": True}, session=session)
            return sorted(document["_id"] for document in found)

    def were_production(self, versions: Sequence[str]) -> bool:
        """Whether these could be in production together, now or earlier.

        One version of each classifier in production, or a set that was in production as it is.
        """
        known = {"_id": {"$in": list(versions)}, "$or": [{"stage": "production"}, {"replaced": True}]}
        if self._models.count_documents(known) < len(set(versions)):  # workers ask this of each candidate
            return False
        if self._service.find_one({"_id": "production", "sets": sorted(versions)}) is not None:
            return True
        classifiers = sorted(classifier_of(version) for version in versions)
        return classifiers == sorted({classifier_of(version) for version in self.production()})

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
        """The weights of a version, as stored; raises InvalidRequest for a legacy version, which has none."""
        refuse_legacy(card.version)
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

    def _promote(
        self, session: ClientSession, version: str, *, by: str, even_if_worse: bool, beside: bool
    ) -> list[str]:
        self._take_turn(session)
        document = self._document(version, session)
        refuse_legacy(version)
        candidate = ModelCard.model_validate(document)
        refuse_unknown_recipe(candidate)
        members = self._in_production(candidate.classifier, session)
        before = [] if beside else [d for d in members if d["_id"] != version]
        if not even_if_worse:
            for other in before:
                refuse_worse(candidate, ModelCard.model_validate(other))
        replaced = [str(d["_id"]) for d in before]
        self._move(replaced, "archived", by=by, session=session)
        self._note_replaced(replaced, session)
        self._move([version], "production", by=by, session=session)
        self._note_together(session)
        return replaced

    def _take_turn(self, session: ClientSession) -> None:
        """Let changes of stages conflict with each other, so that each sees what the one before it left."""
        self._service.update_one({"_id": "production"}, {"$inc": {"turn": 1}}, upsert=True, session=session)

    def _note_together(self, session: ClientSession) -> None:
        """Remember a set in production in which a family has several members."""
        found = self._models.find({"stage": "production"}, {"_id": True, "classifier": True}, session=session)
        families = {str(document["_id"]): document["classifier"] for document in found}
        if len(families) > len(set(families.values())):
            self._service.update_one(
                {"_id": "production"}, {"$addToSet": {"sets": sorted(families)}}, session=session
            )

    def _let_in(self, session: ClientSession, card: ModelCard) -> None:
        """Put a shipped version into production unless a person has decided, or a newer one is there."""
        before = self._in_production(card.classifier, session)
        decided = any("moved" in d for d in before)
        if decided or any(_number(ModelCard.model_validate(d)) >= _number(card) for d in before):
            return
        self._take_turn(session)
        old = [str(d["_id"]) for d in before]
        archived = {"stage": "archived", "archived_at": datetime.now(UTC)}
        self._models.update_many({"_id": {"$in": old}}, {"$set": archived}, session=session)
        self._note_replaced(old, session)
        self._models.update_one({"_id": card.version}, {"$set": {"stage": "production"}}, session=session)
        self._note_together(session)

    def _document(self, version: str, session: ClientSession) -> Document:
        document = self._models.find_one({"_id": version}, session=session)
        if document is None:
            raise NotFound(f"model version {version!r} is not registered")
        return document

    def _in_production(self, classifier: str, session: ClientSession) -> list[Document]:
        return list(self._models.find({"classifier": classifier, "stage": "production"}, session=session))

    def _move(self, versions: Sequence[str], stage: Stage, *, by: str, session: ClientSession) -> None:
        now = datetime.now(UTC)
        change: Document = {"stage": stage, "moved": {"by": by, "at": now}}  # `moved`: a person decided
        if stage == "archived":
            change["archived_at"] = now
        for version in versions:
            self._models.update_one({"_id": version}, {"$set": change}, session=session)
            self._audit.insert_one(
                {"what": "stage", "version": version, "stage": stage, "who": by, "at": now}, session=session
            )

    def _note_replaced(self, versions: Sequence[str], session: ClientSession) -> None:
        """Remember that these were in production: jobs that were accepted with them go on."""
        replaced = {"$set": {"replaced": True}}
        self._models.update_many({"_id": {"$in": list(versions)}}, replaced, session=session)

    def _in_transaction(self, body: Callable[[ClientSession], _T]) -> _T:
        with self._client.start_session() as session:
            return session.with_transaction(body)


def refuse_legacy(version: str) -> None:
    """Raise InvalidRequest for a version of which there are scores, and no network."""
    if is_legacy(version):
        raise InvalidRequest(
            f"{version} holds scores that a predecessor gave; expected a version with a network of its own"
        )


def refuse_unknown_recipe(card: ModelCard) -> None:
    """Raise InvalidRequest for a card whose recipe no worker of this release could follow."""
    if card.recipe not in RECIPES:
        raise InvalidRequest(
            f"{card.version} wants the recipe {card.recipe!r:.60}; expected one of {', '.join(RECIPES)}"
        )


def refuse_worse(candidate: ModelCard, standing: ModelCard) -> None:
    """Raise Conflict when a candidate is worse on a test set that both were measured on, or there is none.

    The same test set: figures with the same fingerprint in both cards. Worse: a lower area under the ROC
    curve, or a lower mean of TPR and TNR, where both were measured at the thresholds that count today.
    """
    known = _measured(standing)
    common = [(found, known[key]) for key, found in _measured(candidate).items() if key in known]
    names = f"{candidate.version} and {standing.version}, which is in production,"
    if not common:
        raise Conflict(
            f"{names} were not measured on one test set; evaluate both, or ask for it even if worse"
        )
    for new, old in common:
        at_thresholds = _at_threshold(new, candidate) and _at_threshold(old, standing)
        lower_rates = at_thresholds and new["tpr"] + new["tnr"] < old["tpr"] + old["tnr"]
        if new["auc"] < old["auc"] or lower_rates:
            told = " against ".join(f"AUC {f['auc']} TPR {f['tpr']} TNR {f['tnr']}" for f in (new, old))
            raise Conflict(f"{names} on {new['dataset']}: {told}; expected none to be worse")


def _measured(card: ModelCard) -> dict[str, dict[str, Any]]:
    """The entries of a card's metrics that have a fingerprint and all figures, as finite numbers, by it."""
    return {
        found["fingerprint"]: found
        for found in card.metrics.values()
        if isinstance(found, dict)
        and isinstance(found.get("fingerprint"), str)
        and "dataset" in found
        and all(_is_share(found.get(figure)) for figure in ("auc", "tpr", "tnr"))
    }


def _at_threshold(figures: dict[str, Any], card: ModelCard) -> bool:
    return bool(figures.get("threshold", card.threshold) == card.threshold)


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and 0 <= value <= 1


def _number(card: ModelCard) -> int:
    return int(card.version.split("@")[1])


def read_card(path: Path) -> ModelCard:
    """A card from its file; raises Misconfigured when it is none."""
    try:
        return ModelCard.model_validate_json(path.read_text("utf-8"))
    except ValueError as error:
        raise Misconfigured(f"{path} is not a model card: {error}") from error
