"""A record on real servers, and a model version whose engine needs no network library."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr

from core.model_card import ModelCard, Weights
from core.settings import Scoring, Settings
from storage.record import Record, open_record
from storage.schema import prepare


def settings_for(
    mongo_url: str, redis_url: str, database: str, folder: Path, *, scoring: Scoring | None = None
) -> Settings:
    """Settings on these servers, with everything else in a folder of the test."""
    return Settings(
        mongo_url=SecretStr(mongo_url),
        redis_url=SecretStr(redis_url),
        mongo_database=database,
        state_dir=folder,
        scoring=scoring or Scoring(),
    )


def fresh_record(settings: Settings) -> Record:
    """A record with its indexes."""
    record = open_record(settings)
    prepare(record.database)
    return record


def card(version: str, weights: bytes, *, architecture: str = "mean-grey") -> ModelCard:
    """A card for weights that only a test's engine understands."""
    classifier = version.split("@")[0]
    return ModelCard(
        version=version,
        classifier=classifier,
        classes=("no", "yes"),
        architecture=architecture,
        parameters=0,
        recipe="deepstreaks-1",
        weights=Weights(sha256=hashlib.sha256(weights).hexdigest(), bytes=len(weights), dtype="none"),
        created=datetime(2026, 1, 1, tzinfo=UTC),
    )


def register(record: Record, *versions: str) -> None:
    """Register versions and put them into production."""
    for version in versions:
        weights = version.encode()
        record.models.register(card(version, weights), weights, stage="production")
