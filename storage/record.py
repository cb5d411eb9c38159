"""The whole record in one hand: the one place where its real parts are chosen."""

from dataclasses import dataclass

from core.settings import Settings
from storage.accounts import AccountRepository
from storage.blobs import BlobStore
from storage.cutouts import CutoutRepository
from storage.database import Mongo, connect
from storage.jobs import JobRepository
from storage.model_registry import ModelRegistry
from storage.outcomes import OutcomeRepository
from storage.shards import ShardRepository
from storage.workers import WorkerRepository


@dataclass(frozen=True)
class Record:
    """Repositories on one database, and the blob store."""

    database: Mongo
    blobs: BlobStore
    cutouts: CutoutRepository
    outcomes: OutcomeRepository
    jobs: JobRepository
    shards: ShardRepository
    models: ModelRegistry
    accounts: AccountRepository
    workers: WorkerRepository

    def close(self) -> None:
        """Close the connections."""
        self.database.client.close()


def open_record(settings: Settings, *, patience_s: float = 5.0) -> Record:
    """The record that the settings name; nothing is sent yet."""
    database = connect(settings.required_mongo_url(), settings.mongo_database, patience_s=patience_s)
    blobs = BlobStore(settings.blobs)
    return Record(
        database=database,
        blobs=blobs,
        cutouts=CutoutRepository(database),
        outcomes=OutcomeRepository(database),
        jobs=JobRepository(database),
        shards=ShardRepository(database, lease_s=settings.scoring.lease_s),
        models=ModelRegistry(database, blobs),
        accounts=AccountRepository(database),
        workers=WorkerRepository(database),
    )
