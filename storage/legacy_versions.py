"""Legacy versions in the registry: archived from the first, without weights, with their names of old."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime

from pymongo.errors import DuplicateKeyError

from core.family import FAMILIES, Family
from core.legacy import legacy_classifier
from core.model_card import ModelCard, Weights
from storage.database import Document, Mongo

NO_NETWORK = "none"
"""The architecture and the recipe of a version that has none: no worker loads it, nobody promotes it."""

_FIELD = "training.imported_from.field"
_SOURCE = "training.imported_from.source"


def legacy_versions(
    database: Mongo, source: str, families: Mapping[str, str], networks: Mapping[str, str]
) -> dict[str, str]:
    """The version of each field of a source, registered where it is new.

    Parameters
    ----------
    families : by field, such as {"rb_vgg6": "rb"}.
    networks : by field, the name that the network's files have, as far as it is known.
    """
    if not families:
        return {}
    models = database["models"]
    wanted = {_SOURCE: source, _FIELD: {"$in": list(families)}}
    found = {_field(document): str(document["_id"]) for document in models.find(wanted)}
    for field in sorted(families.keys() - found):
        found[field] = _register(database, source, field, families[field], networks.get(field, field))
    return found


def _register(database: Mongo, source: str, field: str, family: str, network: str) -> str:
    """Take the next number of the family; who comes second with one field finds the first's version."""
    models = database["models"]
    classifier = legacy_classifier(family)
    while True:
        n = max((_number(d) for d in models.find({"classifier": classifier}, {"_id": True})), default=0) + 1
        card = _card(f"{classifier}@{n}", source, field, family, network)
        try:
            models.insert_one(card.model_dump(mode="json") | {"_id": card.version, "stage": "archived"})
        except DuplicateKeyError:
            known = models.find_one({_SOURCE: source, _FIELD: field}, {"_id": True})
            if known is not None:
                return str(known["_id"])
        else:
            return card.version


def _card(version: str, source: str, field: str, family: str, network: str) -> ModelCard:
    return ModelCard(
        version=version,
        classifier=legacy_classifier(family),
        classes=FAMILIES.get(family, Family(classes=("0", "1"))).classes,
        architecture=NO_NETWORK,
        parameters=0,
        recipe=NO_NETWORK,
        weights=Weights(sha256=hashlib.sha256(b"").hexdigest(), bytes=0, dtype=NO_NETWORK),
        created=datetime.now(UTC),
        training={"imported_from": {"source": source, "field": field, "network": network}},
    )


def _field(document: Document) -> str:
    return str(document["training"]["imported_from"]["field"])


def _number(document: Document) -> int:
    return int(document["_id"].partition("@")[2])
